//! Preparing a model through the interface for other languages.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test fails by panicking, and its errors are rare"
)]

mod support;

use std::fs;

use nibble_ffi::{Model, ModelFile, NibbleError};
use nibble_keyboard::lexicon::Entry;
use nibble_testkit::fixture;
use support::text;

#[test]
fn a_prepared_model_is_found_beside_its_source_and_can_replace_it() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("model.gguf");
    fs::copy(fixture("phi3-tiny/model-q4_0.gguf"), &source).unwrap();
    let file = ModelFile::at_path(text(&source)).unwrap();
    let preparation = file.prepare(None, vec![]).unwrap();
    let mut done = 0;
    while let Some(progress) = preparation.next().unwrap() {
        assert!(progress.done >= done && progress.done <= progress.total);
        done = progress.done;
    }
    fs::remove_file(&source).unwrap();
    assert!(directory.path().join("model.nibble.gguf").exists());
    Model::open(text(&source), None).unwrap();
}

#[test]
fn a_prepared_model_brings_its_lexicons() {
    let directory = tempfile::tempdir().unwrap();
    let word_list = [("Haus", 3), ("Maus", 2)].map(|(word, count)| Entry {
        word: word.to_owned(),
        count,
        offensive: false,
    });
    let mut bytes = Vec::new();
    nibble_keyboard::lexicon::build("de", word_list, &mut bytes).unwrap();
    let lexicon = directory.path().join("de.lex");
    fs::write(&lexicon, &bytes).unwrap();

    let file = ModelFile::at_path(text(&fixture("phi3-tiny/model-q4_0.gguf"))).unwrap();
    let prepared = directory.path().join("model.nibble.gguf");
    let prepare = |lexicons| file.prepare(Some(text(&prepared)), lexicons);
    let preparation = prepare(vec![text(&lexicon)]).unwrap();
    while preparation.next().unwrap().is_some() {}
    fs::remove_file(&lexicon).unwrap();

    let model = Model::open(text(&prepared), None).unwrap();
    let lexicons = model.lexicons().unwrap();
    assert_eq!(lexicons.len(), 1);
    model.release().unwrap();
    assert_eq!(lexicons[0].language().unwrap(), "de");
    let spelling = lexicons[0].spelling_of("haus").unwrap();
    assert_eq!(spelling.as_deref(), Some("Haus"));

    let absent = prepare(vec![text(&lexicon)]);
    assert!(matches!(absent, Err(NibbleError::NotFound { .. })));
    fs::write(&lexicon, &bytes[..bytes.len() - 1]).unwrap();
    let cut = prepare(vec![text(&lexicon)]);
    assert!(matches!(cut, Err(NibbleError::Truncated { .. })));
    let plain = Model::open(text(&fixture("phi3-tiny/model-q4_0.gguf")), None).unwrap();
    assert!(plain.lexicons().unwrap().is_empty());
}

#[test]
fn of_a_preparation_that_is_given_up_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let file = ModelFile::at_path(text(&nibble_testkit::smollm2())).unwrap();
    let destination = text(&directory.path().join("prepared.gguf"));
    let preparation = file.prepare(Some(destination), vec![]).unwrap();
    // Past the reading, so that a file is being written.
    while fs::read_dir(directory.path()).unwrap().next().is_none() {
        preparation.next().unwrap().unwrap();
    }
    preparation.release().unwrap();
    assert!(fs::read_dir(directory.path()).unwrap().next().is_none());
    let closed = preparation.next();
    assert!(matches!(closed, Err(NibbleError::Closed { .. })));
}

#[test]
fn what_cannot_be_prepared_says_why() {
    use std::os::fd::AsRawFd;

    let path = fixture("phi3-tiny/model-q4_0.gguf");
    let open = fs::File::open(&path).unwrap();
    let length = open.metadata().unwrap().len();
    let window = ModelFile::at_descriptor(open.as_raw_fd(), 0, length, "asset".to_owned()).unwrap();
    assert!(matches!(
        window.prepare(None, vec![]),
        Err(NibbleError::InvalidArgument { .. })
    ));
    let nowhere = ModelFile::at_path(text(&path)).unwrap();
    let nowhere = nowhere.prepare(Some("/absent/folder/model.gguf".to_owned()), vec![]);
    assert!(nowhere.is_err());
}
