//! Damaged files give an error or a valid model, never a panic.

use nibble::ErrorKind;
use proptest::prelude::*;

use crate::walk::walk;
use crate::{open, open_error, small_model};

#[test]
fn the_intact_file_opens() {
    let bytes = small_model();
    assert!((700..2000).contains(&bytes.len()), "{}", bytes.len());
    let model = open(&bytes).unwrap();
    assert_eq!(model.tensors().len(), 3);
    walk(&model);
}

#[test]
fn every_truncation_is_an_error_unless_only_padding_is_lost() {
    let bytes = small_model();
    let model = open(&bytes).unwrap();
    let data_end = model
        .tensors()
        .map(|tensor| tensor.offset + tensor.size_bytes.unwrap())
        .max()
        .unwrap() as usize;
    assert!(data_end < bytes.len(), "the file ends with padding");
    for length in 0..bytes.len() {
        let cut = &bytes[..length];
        if length >= data_end {
            walk(&open(cut).unwrap());
        } else {
            let expected = if length < 4 {
                ErrorKind::NotGguf
            } else {
                ErrorKind::Truncated
            };
            let error = open_error(cut);
            assert_eq!(error.kind(), expected, "{length} bytes: {error}");
        }
    }
}

#[test]
fn every_single_bit_flip_is_an_error_or_a_model() {
    let bytes = small_model();
    let (mut refused, mut opened) = (0, 0);
    for at in 0..bytes.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255, !bytes[at]] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            match open(&damaged) {
                Ok(model) => {
                    walk(&model);
                    opened += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    // Flips in the data and in numbers go unnoticed, flips in the structure do not.
    assert!(refused > 1000 && opened > 1000, "{refused} {opened}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn many_bytes_overwritten_is_an_error_or_a_model(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = small_model();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(model) = open(&bytes) {
            walk(&model);
        }
    }

    #[test]
    fn noise_after_the_magic_is_an_error_or_a_model(
        noise in prop::collection::vec(prop_oneof![Just(0u8), 0..13u8, any::<u8>()], 0..300),
    ) {
        let bytes = [b"GGUF\x03\0\0\0".as_slice(), &noise].concat();
        if let Ok(model) = open(&bytes) {
            walk(&model);
        }
    }
}
