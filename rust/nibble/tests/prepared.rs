//! Prepared models: the same results, the source byte for byte, and nothing half written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nibble::backend::{HeadRows, Precision};
use nibble::gguf::Layout;
use nibble::prepared::{
    Attachment, Preparation, PreparationOptions, Restoration, destination, find,
};
use nibble::{
    CancelHandle, Error, ErrorKind, Gguf, Model, ModelOptions, Session, SessionOptions,
    SpecialTokens, Tokenizer,
};
use nibble_kernels::{InstructionSet, Kernels};
use nibble_testkit::{fixture, smollm2};
use proptest::prelude::*;
use tempfile::TempDir;

/// Fixtures with quantized matrices, and one that has none to interleave.
const MODELS: [&str; 5] = [
    "phi3-tiny/model-q8_0.gguf",
    "llama-tiny/model-q4_k_m.gguf",
    "llama-tiny/model-q5_k_m.gguf",
    "phi3-tiny/model-q4_0.gguf",
    "phi3-tiny/model-f16.gguf",
];

fn prepare(source: &Path, destination: &Path) -> Result<(), Error> {
    prepare_with(source, destination, PreparationOptions::default())
}

fn prepare_with(
    source: &Path,
    destination: &Path,
    options: PreparationOptions,
) -> Result<(), Error> {
    let mut work = Preparation::new(source, destination, options)?;
    let (mut done, mut total) = (0, 0);
    while let Some(progress) = work.step()? {
        assert!(progress.done >= done && progress.done <= progress.total);
        (done, total) = (progress.done, progress.total);
    }
    assert_eq!(done, total, "the end is told");
    Ok(())
}

fn restore(prepared: &Path, destination: &Path) -> Result<(), Error> {
    let mut work = Restoration::new(prepared, destination)?;
    while work.step()?.is_some() {}
    Ok(())
}

/// A directory with a copy of a fixture as `model.gguf`.
fn copy_of(name: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path().join("model.gguf");
    fs::copy(fixture(name), &model).unwrap();
    (directory, model)
}

fn logits(model: &Path, kernels: Kernels, precision: Precision, tokens: &[u32]) -> Vec<f32> {
    let options = ModelOptions {
        threads: 2,
        kernels: Some(kernels),
        ignore_prepared: true,
        ..ModelOptions::default()
    };
    let model = Arc::new(Model::open(model, &options).unwrap());
    let options = SessionOptions {
        precision: Some(precision),
        ..SessionOptions::default()
    };
    let mut session = Session::new(model, options).unwrap();
    session.prefill(tokens, &CancelHandle::new()).unwrap();
    let all = session.logits().unwrap().to_vec();

    // Some tokens, in an order of their own: the same logits, wherever their rows lie.
    let some: Vec<u32> = (0..all.len() as u32).rev().step_by(3).collect();
    let heads = [(tokens.len() - 1, HeadRows::Set(&some))];
    let mut found = Vec::new();
    let show = |_, logits: &[f32]| found.extend_from_slice(logits);
    session
        .prefill_scored(tokens, &heads, &CancelHandle::new(), show)
        .unwrap();
    let expected: Vec<f32> = some.iter().map(|&token| all[token as usize]).collect();
    assert_close(&found, &expected, precision, "a restricted head");
    all
}

/// The orders of summation differ, nothing else; but a value that lies between two codes of 8 bits may fall to either.
fn assert_close(found: &[f32], expected: &[f32], precision: Precision, what: &str) {
    let tolerance = if precision == Precision::Q8 {
        0.1
    } else {
        2e-3
    };
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() < tolerance,
            "{what}: {found} for {expected}"
        );
    }
}

#[test]
fn every_source_comes_back_byte_for_byte() {
    for name in MODELS {
        let (directory, model) = copy_of(name);
        let prepared = destination(&model);
        assert_eq!(prepared, directory.path().join("model.nibble.gguf"));
        prepare(&model, &prepared).unwrap();
        let back = directory.path().join("back.gguf");
        restore(&prepared, &back).unwrap();
        assert!(
            fs::read(&back).unwrap() == fs::read(&model).unwrap(),
            "{name}"
        );
        let names: Vec<_> = fs::read_dir(&directory)
            .unwrap()
            .map(|f| f.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 3, "nothing partial is left: {names:?}");
    }
}

#[test]
fn prepared_models_compute_the_same_on_every_instruction_set() {
    for name in MODELS {
        let (_directory, model) = copy_of(name);
        let prepared = destination(&model);
        prepare(&model, &prepared).unwrap();
        for kernels in Kernels::supported() {
            for precision in [Precision::F32, Precision::Q16, Precision::Q8] {
                for tokens in [&[5][..], &[1, 7, 3], &[9; 40]] {
                    let what = format!("{name}, {kernels:?}, {precision:?}, {}", tokens.len());
                    let expected = logits(&model, kernels, precision, tokens);
                    assert_close(
                        &logits(&prepared, kernels, precision, tokens),
                        &expected,
                        precision,
                        &what,
                    );
                }
            }
        }
    }
}

#[test]
fn a_file_for_one_instruction_set_serves_all() {
    let (directory, model) = copy_of(MODELS[1]);
    let prepare_for = |instruction_set: InstructionSet| {
        let prepared = directory.path().join(instruction_set.name());
        let options = PreparationOptions {
            instruction_set,
            ..PreparationOptions::default()
        };
        prepare_with(&model, &prepared, options).unwrap();
        prepared
    };
    let strips = |file: &Path| {
        let gguf = Gguf::open(file).unwrap();
        let is_strips = |layout| layout == Layout::Strips;
        gguf.tensors()
            .filter(|tensor| is_strips(tensor.layout))
            .count()
    };
    let back = directory.path().join("back.gguf");
    let expected = logits(&model, Kernels::scalar(), Precision::Q16, &[1, 7, 3]);
    for instruction_set in InstructionSet::ALL {
        let prepared = prepare_for(instruction_set);
        let wants_strips = instruction_set != InstructionSet::Scalar;
        assert_eq!(strips(&prepared) > 0, wants_strips, "{instruction_set:?}");
        for kernels in Kernels::supported() {
            let found = logits(&prepared, kernels, Precision::Q16, &[1, 7, 3]);
            let what = format!("for {instruction_set:?}, with {kernels:?}");
            assert_close(&found, &expected, Precision::Q16, &what);
        }
        restore(&prepared, &back).unwrap();
        assert!(fs::read(&back).unwrap() == fs::read(&model).unwrap());
    }
}

#[test]
fn attachments_are_carried_and_not_restored() {
    let (directory, model) = copy_of(MODELS[0]);
    let prepared = destination(&model);
    let attachment = |name: &str, bytes: &[u8]| Attachment {
        name: name.to_owned(),
        bytes: bytes.to_vec().into(),
    };
    let with = |attachments| PreparationOptions {
        attachments,
        ..PreparationOptions::default()
    };
    let attached = vec![attachment("words", b"ab\0\xff"), attachment("empty", b"")];
    prepare_with(&model, &prepared, with(attached)).unwrap();
    let gguf = Gguf::open(&prepared).unwrap();
    let found = gguf.attachments().unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|file| (&*file.name, &*file.bytes))
        .collect();
    assert_eq!(found, [("empty", &b""[..]), ("words", b"ab\0\xff")]);
    assert_eq!(find(&model), prepared, "still taken for the model's");
    assert!(
        Gguf::open(&model)
            .unwrap()
            .attachments()
            .unwrap()
            .is_empty()
    );

    let back = directory.path().join("back.gguf");
    restore(&prepared, &back).unwrap();
    assert!(fs::read(&back).unwrap() == fs::read(&model).unwrap());

    let twice = vec![attachment("words", b"a"), attachment("words", b"b")];
    let error = Preparation::new(&model, &prepared, with(twice)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn the_real_model_computes_the_same_and_comes_back() {
    let model = smollm2();
    let directory = tempfile::tempdir().unwrap();
    let prepared = directory.path().join("smollm2.nibble.gguf");
    prepare(&model, &prepared).unwrap();
    let gguf = Gguf::open(&prepared).unwrap();
    let strips = gguf
        .tensors()
        .filter(|tensor| tensor.layout == Layout::Strips)
        .count();
    assert_eq!(strips, 30 * 7 + 1, "all matrices and the embedding");
    assert!(gguf.size_bytes() < fs::metadata(&model).unwrap().len() * 21 / 20);
    let tokens: Vec<u32> = (100..140).collect();
    let kernels = Kernels::detect();
    for count in [1, 40] {
        let tokens = &tokens[..count];
        let expected = logits(&model, kernels, Precision::Q16, tokens);
        let found = logits(&prepared, kernels, Precision::Q16, tokens);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 0.01, "{found} for {expected}");
        }
    }
    let back = directory.path().join("back.gguf");
    restore(&prepared, &back).unwrap();
    assert!(fs::read(&back).unwrap() == fs::read(&model).unwrap());
}

#[test]
fn the_tables_of_a_prepared_file_are_those_of_its_tokenizer() {
    let sources = MODELS.map(fixture).into_iter().chain([smollm2()]);
    for source in sources {
        let directory = tempfile::tempdir().unwrap();
        let prepared = directory.path().join("model.nibble.gguf");
        prepare(&source, &prepared).unwrap();
        let read = |path: &Path| Tokenizer::from_gguf(&Gguf::open(path).unwrap()).unwrap();
        let (expected, found) = (read(&source), read(&prepared));

        assert_eq!(found.vocabulary_size(), expected.vocabulary_size());
        for id in 0..=expected.vocabulary_size() as u32 {
            assert_eq!(found.token_bytes(id), expected.token_bytes(id));
            assert_eq!(found.token_kind(id), expected.token_kind(id));
        }
        let order = |tokenizer: &Tokenizer| tokenizer.tokens_by_bytes().iter().collect::<Vec<_>>();
        assert_eq!(order(&found), order(&expected));
        assert_eq!((found.bos(), found.eos()), (expected.bos(), expected.eos()));
        proptest!(|(text in prop_oneof![common::text(), any::<String>()], end in any::<bool>())| {
            let text = if end { text + "<|im_end|><|end|>!" } else { text };
            for special in [SpecialTokens::Parse, SpecialTokens::AsText] {
                let expected = expected.encode(&text, special).unwrap();
                prop_assert_eq!(found.encode(&text, special).unwrap(), expected);
            }
        });
    }
}

#[test]
fn damaged_tables_are_errors_or_other_tokens() {
    let (_directory, model) = copy_of(MODELS[0]);
    let prepared = destination(&model);
    prepare(&model, &prepared).unwrap();
    let whole = fs::read(&prepared).unwrap();
    let place = |key: &[u8]| {
        whole
            .windows(key.len())
            .position(|bytes| bytes == key)
            .unwrap()
    };
    let read = |bytes: Vec<u8>| {
        let gguf = Gguf::from_bytes(bytes, Path::new("container")).unwrap();
        Tokenizer::from_gguf(&gguf)
    };
    for table in ["bytes", "ends", "kinds", "byte_tokens", "merges"] {
        let key = format!("nibble.tokenizer.{table}");
        let start = place(key.as_bytes()) + key.len();
        let mut renamed = whole.clone();
        renamed[start - 1] ^= 1;
        assert_eq!(read(renamed).unwrap_err().kind(), ErrorKind::MissingKey);
        // Behind the key come the array's types and length.
        for at in (0..400).step_by(7) {
            let mut damaged = whole.clone();
            damaged[start + 16 + at] ^= 0xff;
            match read(damaged) {
                Ok(tokenizer) => {
                    let ids = tokenizer.encode("Grüße, it's 1 o'clock\n", SpecialTokens::Parse);
                    let _ = tokenizer.decode_bytes(&ids.unwrap());
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidKey),
            }
        }
    }
}

#[test]
fn the_prepared_file_is_found_beside_its_source_and_without_it() {
    let (_directory, model) = copy_of(MODELS[0]);
    let open = |path: &Path| Model::open(path, &ModelOptions::default()).unwrap();
    assert_eq!(find(&model), model);
    assert!(open(&model).gguf().prepared_source().is_none());
    let prepared = destination(&model);
    prepare(&model, &prepared).unwrap();
    assert_eq!(find(&model), prepared);
    let opened = open(&model);
    let source = opened.gguf().prepared_source().unwrap();
    assert_eq!(source.length, fs::metadata(&model).unwrap().len());
    assert_eq!(
        opened
            .gguf()
            .metadata()
            .string("general.architecture")
            .unwrap(),
        "phi3"
    );

    // Another model under the same name: the prepared one is not its.
    fs::copy(fixture(MODELS[1]), &model).unwrap();
    assert_eq!(find(&model), model);
    // A name that only ends alike is not a prepared model's.
    let alike = model.with_file_name("tinynibble.gguf");
    fs::copy(fixture(MODELS[0]), &alike).unwrap();
    prepare(&alike, &destination(&alike)).unwrap();
    assert_eq!(find(&alike), destination(&alike));
    // A damaged one is left alone.
    fs::copy(fixture(MODELS[0]), &model).unwrap();
    let whole = fs::read(&prepared).unwrap();
    fs::write(&prepared, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(find(&model), model);
    // Without its source, the prepared file stands for it.
    fs::write(&prepared, &whole).unwrap();
    fs::remove_file(&model).unwrap();
    assert_eq!(find(&model), prepared);
    assert!(open(&model).gguf().prepared_source().is_some());
}

#[test]
fn work_that_is_dropped_leaves_nothing_and_can_be_done_again() {
    let (directory, model) = copy_of(MODELS[0]);
    let prepared = destination(&model);
    let entries = || fs::read_dir(&directory).unwrap().count();
    // As after a kill in the middle: a part of a file under the partial name.
    let partial = directory.path().join("model.nibble.gguf.part");
    fs::write(&partial, "half of it").unwrap();
    let mut steps = 1;
    while {
        let mut work = Preparation::new(&model, &prepared, PreparationOptions::default()).unwrap();
        let unfinished = (0..steps).all(|_| work.step().unwrap().is_some());
        drop(work);
        assert!(unfinished != prepared.exists());
        unfinished
    } {
        steps += 1;
    }
    assert!(steps > 5, "{steps}");
    assert_eq!(entries(), 2, "the model and its prepared form");
    let back = directory.path().join("back.gguf");
    for steps in 1..4 {
        let mut work = Restoration::new(&prepared, &back).unwrap();
        for _ in 0..steps {
            work.step().unwrap();
        }
        drop(work);
        assert_eq!(entries(), 2);
    }
    restore(&prepared, &back).unwrap();
}

#[test]
fn damage_is_an_error_and_never_a_wrong_source() {
    let (directory, model) = copy_of(MODELS[0]);
    let prepared = destination(&model);
    prepare(&model, &prepared).unwrap();
    let whole = fs::read(&prepared).unwrap();
    let back = directory.path().join("back.gguf");
    for at in [whole.len() - 20_000, whole.len() / 2] {
        let mut damaged = whole.clone();
        // A tensor's data, or padding between two of them, which is nobody's.
        damaged[at] ^= 0x40;
        fs::write(&prepared, &damaged).unwrap();
        match restore(&prepared, &back) {
            Ok(()) => assert!(fs::read(&back).unwrap() == fs::read(&model).unwrap()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Checksum, "{error}");
                assert!(!back.exists());
            }
        }
        let _ = fs::remove_file(&back);
    }
    for length in (0..whole.len()).step_by(whole.len() / 60) {
        fs::write(&prepared, &whole[..length]).unwrap();
        assert!(Gguf::open(&prepared).is_err(), "{length} bytes");
    }
}

#[test]
fn containers_that_contradict_themselves_are_errors() {
    let (_directory, model) = copy_of(MODELS[0]);
    let prepared = destination(&model);
    prepare(&model, &prepared).unwrap();
    let whole = fs::read(&prepared).unwrap();
    // The place of an occurrence: of `token_embd.weight`, the first is in the list of interleaved tensors, the second
    // in the source's directory and the third in the container's.
    let find = |what: &[u8], occurrence: usize| {
        let mut places = whole.windows(what.len()).enumerate();
        places
            .by_ref()
            .filter(|(_, bytes)| *bytes == what)
            .nth(occurrence)
            .unwrap()
            .0
    };
    let kind = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        let error = Gguf::from_bytes(changed, Path::new("container")).unwrap_err();
        error.kind()
    };
    let name = b"token_embd.weight";
    assert_eq!(
        kind(find(b"strips-16x4", 0), b"strips-16x5"),
        ErrorKind::Unsupported
    );
    assert_eq!(
        kind(find(b"nibble.phi3", 0), b"nubble.phi3"),
        ErrorKind::InvalidKey
    );
    assert_eq!(kind(find(b"GGUF", 1), b"GGUG"), ErrorKind::NotGguf);
    assert_eq!(
        kind(find(name, 0), b"token_embd.weighs"),
        ErrorKind::InvalidKey
    );
    // Behind the key of the order come the array's types and length.
    let tokens = find(b"nibble.tokens", 0) + b"nibble.tokens".len() + 4 + 4 + 8;
    for token in [
        1_u32 << 20,
        u32::from_le_bytes(whole[tokens + 4..tokens + 8].try_into().unwrap()),
    ] {
        assert_eq!(kind(tokens, &token.to_le_bytes()), ErrorKind::InvalidKey);
    }
    // Behind the name come the number of dimensions, columns and rows.
    let rows = find(name, 2) + name.len() + 4 + 8;
    let fewer = u64::from_le_bytes(whole[rows..rows + 8].try_into().unwrap()) - 16;
    assert_eq!(kind(rows, &fewer.to_le_bytes()), ErrorKind::Malformed);
    // A source that is shorter than its tensors, or in which one lies far behind the others.
    let length = find(b"nibble.source.length", 0) + b"nibble.source.length".len() + 4;
    let shorter = u64::from_le_bytes(whole[length..length + 8].try_into().unwrap()) - 1;
    assert_eq!(kind(length, &shorter.to_le_bytes()), ErrorKind::InvalidKey);
    let place = find(name, 1) + name.len() + 4 + 16 + 4;
    for far in [1_u64 << 50, u64::MAX - 31] {
        assert_eq!(kind(place, &far.to_le_bytes()), ErrorKind::InvalidKey);
    }
    let norm = b"output_norm.weight";
    let dimensions = find(norm, 0) + norm.len();
    assert_eq!(kind(dimensions, &9_u32.to_le_bytes()), ErrorKind::Malformed);
}

#[test]
fn what_cannot_be_prepared_says_why() {
    let (directory, model) = copy_of(MODELS[0]);
    let prepared = destination(&model);
    prepare(&model, &prepared).unwrap();
    let kind = |result: Result<(), Error>| result.unwrap_err().kind();
    let elsewhere = directory.path().join("elsewhere");
    assert_eq!(kind(prepare(&prepared, &elsewhere)), ErrorKind::Unsupported);
    assert_eq!(kind(restore(&model, &elsewhere)), ErrorKind::Unsupported);
    assert_eq!(
        kind(prepare(&directory.path().join("absent"), &elsewhere)),
        ErrorKind::Io
    );
    let nowhere = directory.path().join("no directory/model");
    assert_eq!(kind(prepare(&model, &nowhere)), ErrorKind::Io);
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("full"), "").unwrap();
    assert_eq!(
        kind(prepare(&model, &elsewhere)),
        ErrorKind::Io,
        "a directory in the way"
    );
    // Two at once would write into each other's file.
    let first = Preparation::new(&model, &prepared, PreparationOptions::default());
    let mut first = first.unwrap();
    let partial = directory.path().join("model.nibble.gguf.part");
    while !partial.exists() {
        first.step().unwrap();
    }
    assert_eq!(kind(prepare(&model, &prepared)), ErrorKind::Io);
    while first.step().unwrap().is_some() {}
    prepare(&model, &prepared).unwrap();
    // Bytes that belong to no tensor would be lost.
    let mut bytes = fs::read(&model).unwrap();
    bytes.extend(*b"a signature");
    fs::write(&model, bytes).unwrap();
    assert_eq!(kind(prepare(&model, &prepared)), ErrorKind::Malformed);
}
