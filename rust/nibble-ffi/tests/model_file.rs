//! Checking a model file before it is opened.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test fails by panicking, and its errors are rare"
)]

mod support;

use std::fs::File;
use std::os::fd::AsRawFd;

use nibble_ffi::{ModelFile, NibbleError, Verification};
use sha2::{Digest, Sha256};
use support::text;

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that were hashed after each step.
fn pull(verification: &Verification) -> Result<Vec<u64>, NibbleError> {
    let mut done = Vec::new();
    while let Some(progress) = verification.next()? {
        assert!(progress.done <= progress.total);
        done.push(progress.done);
    }
    Ok(done)
}

#[test]
fn progress_is_pulled_to_the_end_of_a_file_that_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    let bytes: Vec<u8> = (0..9_000_000u32)
        .map(|n| (n.wrapping_mul(n) >> 7) as u8)
        .collect();
    std::fs::write(&path, &bytes).unwrap();
    let file = ModelFile::at_path(text(&path)).unwrap();
    let verification = file.verify(&sha256(&bytes).to_uppercase()).unwrap();
    assert_eq!(pull(&verification).unwrap(), [4 << 20, 8 << 20, 9_000_000]);
    assert_eq!(verification.next().unwrap(), None);

    // Any window of it, at whatever position the descriptor stands.
    let open = File::open(&path).unwrap();
    let window = ModelFile::at_descriptor(open.as_raw_fd(), 10, 5_000_000, "asset".to_owned());
    let window = window.unwrap();
    let verification = window.verify(&sha256(&bytes[10..5_000_010])).unwrap();
    assert_eq!(pull(&verification).unwrap(), [4 << 20, 5_000_000]);
}

#[test]
fn another_checksum_says_which() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    std::fs::write(&path, b"something").unwrap();
    let file = ModelFile::at_path(text(&path)).unwrap();
    let wanted = sha256(b"something else");
    match pull(&file.verify(&wanted).unwrap()) {
        Err(NibbleError::ChecksumMismatch {
            file,
            expected,
            found,
            ..
        }) => {
            assert_eq!(file, text(&path));
            assert_eq!((expected, found), (wanted, sha256(b"something")));
        }
        other => panic!("{other:?}"),
    }
    for invalid in ["", "abc", &"g".repeat(64), &"a".repeat(65)] {
        assert!(matches!(
            file.verify(invalid),
            Err(NibbleError::InvalidArgument { .. })
        ));
    }
}

#[test]
fn an_empty_file_and_one_that_shrinks_end_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    std::fs::write(&path, b"").unwrap();
    let file = ModelFile::at_path(text(&path)).unwrap();
    let verification = file.verify(&sha256(b"")).unwrap();
    assert_eq!(pull(&verification).unwrap(), [0]);

    std::fs::write(&path, vec![1; 5_000_000]).unwrap();
    let verification = file.verify(&sha256(b"")).unwrap();
    verification.next().unwrap();
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(verification.next(), Err(NibbleError::Io { .. })));
}

#[test]
fn a_verification_can_be_given_up() {
    let file = ModelFile::at_path(text(&support::tiny_file())).unwrap();
    let verification = file.verify(&"0".repeat(64)).unwrap();
    verification.release().unwrap();
    assert!(matches!(
        verification.next(),
        Err(NibbleError::Closed { .. })
    ));
}

#[test]
fn what_is_in_a_file_is_known_without_opening_it() {
    let path = nibble_testkit::smollm2();
    let file = ModelFile::at_path(text(&path)).unwrap();
    let info = file.inspect(None).unwrap();
    assert_eq!(info.bytes, std::fs::metadata(&path).unwrap().len());
    assert_eq!(info.architecture, "llama");
    assert_eq!(info.license, "apache-2.0");
    assert_eq!(info.parameters, 134_515_008);
    let model = support::smollm2();
    assert_eq!(info.memory, Some(model.memory_estimate(None).unwrap()));
    let opened = model.info().unwrap();
    assert_eq!((info.name, info.bytes), (opened.name, opened.bytes));
}
