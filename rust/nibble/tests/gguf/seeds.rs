//! The committed corpus that the fuzz target starts from: small files of every shape.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nibble::gguf::{Format, Writer};

use crate::raw::Raw;
use crate::walk::walk;
use crate::{open, small_model};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/gguf")
}

fn seeds() -> BTreeMap<&'static str, Vec<u8>> {
    let mut version_2 = small_model();
    version_2[4] = 2;

    let mut every_format = Writer::new("seed");
    every_format.alignment(8).unwrap();
    for format in Format::ALL {
        let shape = [format.block_len()];
        every_format.tensor(format.name(), format, &shape).unwrap();
    }
    let mut data = every_format.begin(Vec::new()).unwrap();
    for format in Format::ALL {
        let bytes = vec![1; format.block_bytes()];
        data.write(format.name(), &bytes).unwrap();
    }

    let nested = Raw::header(0, 1)
        .key("nested", 9)
        .u32(9)
        .u64(2)
        .u32(8)
        .u64(2)
        .string(b"a")
        .string(b"bc")
        .u32(9)
        .u64(1)
        .u32(7)
        .u64(3)
        .bytes(&[0, 1, 0]);

    let foreign = Raw::header(3, 0)
        .tensor("q2_k", &[256], 10, 0)
        .tensor("removed", &[32], 31, 96)
        .tensor("unknown", &[1, 1, 1, 1], 99, 128)
        .data(32, &[7; 130]);

    let split = Raw::header(0, 3)
        .key("split.no", 2)
        .bytes(&[0, 0])
        .key("split.count", 2)
        .bytes(&[1, 0])
        .key("split.tensors.count", 5)
        .u32(0);

    BTreeMap::from([
        ("empty.gguf", Raw::header(0, 0).0),
        ("small.gguf", small_model()),
        ("version_2.gguf", version_2),
        ("every_format.gguf", data.finish().unwrap()),
        ("nested.gguf", nested.0),
        ("foreign_types.gguf", foreign.0),
        ("split.gguf", split.0),
    ])
}

#[test]
fn the_committed_corpus_is_current() {
    let committed: BTreeMap<String, Vec<u8>> = fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // A fuzzer keeps what it finds beside the seeds, under names without an ending.
        .filter(|path| path.extension().is_some_and(|ending| ending == "gguf"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    assert_eq!(committed.len(), seeds().len());
    for (name, bytes) in seeds() {
        walk(&open(&bytes).unwrap());
        assert!(
            committed.get(name) == Some(&bytes),
            "{name}: run `cargo test -p nibble --test gguf -- --ignored write_the_corpus`"
        );
    }
}

#[test]
#[ignore = "writes fuzz/corpus/gguf"]
fn write_the_corpus() {
    fs::create_dir_all(corpus()).unwrap();
    for (name, bytes) in seeds() {
        fs::write(corpus().join(name), bytes).unwrap();
    }
}
