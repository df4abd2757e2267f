//! The committed corpus that the fuzz target starts from: small files of every shape.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nibble::gguf::{Format, Writer};
use nibble::prepared::{Attachment, Preparation, PreparationOptions};
use nibble::{Model, ModelOptions, SpecialTokens};
use nibble_kernels::InstructionSet;
use nibble_testkit::tiktoken;

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

    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("model.gguf");
    fs::write(&source, smallest_model()).unwrap();
    let prepared = directory.path().join("model.nibble.gguf");
    let options = PreparationOptions {
        attachments: vec![Attachment {
            name: "words".to_owned(),
            bytes: b"yes, no".to_vec().into(),
        }],
        instruction_set: InstructionSet::NeonDot,
    };
    let mut work = Preparation::new(&source, &prepared, options).unwrap();
    while work.step().unwrap().is_some() {}

    BTreeMap::from([
        ("model.gguf", smallest_model()),
        ("prepared.gguf", fs::read(&prepared).unwrap()),
        ("empty.gguf", Raw::header(0, 0).0),
        ("small.gguf", small_model()),
        ("version_2.gguf", version_2),
        ("every_format.gguf", data.finish().unwrap()),
        ("nested.gguf", nested.0),
        ("foreign_types.gguf", foreign.0),
        ("split.gguf", split.0),
    ])
}

/// A network of one layer with a token for each byte, a merge and a special token.
fn smallest_model() -> Vec<u8> {
    const WIDTH: usize = 32;
    let mut tokens: Vec<String> = (0..=u8::MAX).map(|byte| tiktoken::spell(&[byte])).collect();
    let mut types = vec![1; tokens.len()];
    tokens.extend(["ab".to_owned(), "<|end|>".to_owned()]);
    types.extend([1, 3]);

    let mut header = Writer::new("seed");
    header.string("general.architecture", "llama").unwrap();
    for (key, value) in [
        ("block_count", 1),
        ("context_length", 64),
        ("embedding_length", WIDTH as u32),
        ("feed_forward_length", WIDTH as u32),
        ("attention.head_count", 1),
    ] {
        header.u32(&format!("llama.{key}"), value).unwrap();
    }
    let epsilon = "llama.attention.layer_norm_rms_epsilon";
    header.f32(epsilon, 1e-5).unwrap();
    header.string("tokenizer.ggml.model", "gpt2").unwrap();
    header.string("tokenizer.ggml.pre", "gpt-4o").unwrap();
    header.strings("tokenizer.ggml.tokens", &tokens).unwrap();
    header.i32s("tokenizer.ggml.token_type", &types).unwrap();
    header.strings("tokenizer.ggml.merges", &["a b"]).unwrap();
    header.u32("tokenizer.ggml.eos_token_id", 257).unwrap();

    let matrix = |name: &str, rows| (name.to_owned(), Format::Q4_0, vec![WIDTH, rows]);
    let norm = |name: &str| (name.to_owned(), Format::F32, vec![WIDTH]);
    let mut tensors = vec![
        matrix("token_embd.weight", tokens.len()),
        norm("output_norm.weight"),
        norm("blk.0.attn_norm.weight"),
        norm("blk.0.ffn_norm.weight"),
    ];
    let parts = [
        "attn_q",
        "attn_k",
        "attn_v",
        "attn_output",
        "ffn_gate",
        "ffn_up",
        "ffn_down",
    ];
    tensors.extend(parts.map(|part| matrix(&format!("blk.0.{part}.weight"), WIDTH)));
    for (name, format, shape) in &tensors {
        header.tensor(name, *format, shape).unwrap();
    }
    let mut data = header.begin(Vec::new()).unwrap();
    for (name, format, shape) in &tensors {
        let rows: usize = shape[1..].iter().product();
        let bytes = vec![60; format.row_bytes(WIDTH).unwrap() * rows];
        data.write(name, &bytes).unwrap();
    }
    data.finish().unwrap()
}

#[test]
fn a_seed_is_a_model() {
    let model = open(&smallest_model()).unwrap();
    let model = Model::from_gguf(model, &ModelOptions::default()).unwrap();
    let tokens = model.tokenizer().encode("cab<|end|>", SpecialTokens::Parse);
    assert_eq!(tokens.unwrap(), [99, 256, 257]);
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
