//! Preparing a model through the interface for other languages.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::result_large_err,
    reason = "a test fails by panicking, and its errors are rare"
)]

mod support;

use std::fs;

use nibble_ffi::{Model, ModelFile, NibbleError};
use support::text;

#[test]
fn a_prepared_model_is_found_beside_its_source_and_can_replace_it() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("model.gguf");
    fs::copy(
        nibble_testkit::fixture("phi3-tiny/model-q4_0.gguf"),
        &source,
    )
    .unwrap();
    let file = ModelFile::at_path(text(&source)).unwrap();
    let preparation = file.prepare(None).unwrap();
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
fn of_a_preparation_that_is_given_up_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let file = ModelFile::at_path(text(&nibble_testkit::smollm2())).unwrap();
    let destination = text(&directory.path().join("prepared.gguf"));
    let preparation = file.prepare(Some(destination)).unwrap();
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

    let path = nibble_testkit::fixture("phi3-tiny/model-q4_0.gguf");
    let open = fs::File::open(&path).unwrap();
    let length = open.metadata().unwrap().len();
    let window = ModelFile::at_descriptor(open.as_raw_fd(), 0, length, "asset".to_owned()).unwrap();
    assert!(matches!(
        window.prepare(None),
        Err(NibbleError::InvalidArgument { .. })
    ));
    let nowhere = ModelFile::at_path(text(&path)).unwrap();
    let nowhere = nowhere.prepare(Some("/absent/folder/model.gguf".to_owned()));
    assert!(nowhere.is_err());
}
