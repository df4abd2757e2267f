//! Files made to do harm, and the exact error that each gives.

use nibble::{Error, ErrorKind};

use crate::raw::Raw;
use crate::walk::walk;
use crate::{open, open_error};

#[track_caller]
fn assert_truncated(file: Raw, expected_needed: u64) {
    match open_error(&file.0) {
        Error::Truncated {
            offset,
            needed,
            available,
            ..
        } => {
            assert_eq!(needed, expected_needed);
            assert_eq!(offset + available, file.0.len() as u64);
        }
        other => panic!("{other}"),
    }
}

#[track_caller]
fn assert_malformed(file: Raw, message: &str) {
    let error = open_error(&file.0);
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    assert!(error.to_string().contains(message), "{error}");
}

#[track_caller]
fn assert_kind(file: Raw, kind: ErrorKind) {
    let error = open_error(&file.0);
    assert_eq!(error.kind(), kind, "{error}");
}

#[test]
fn what_is_no_gguf() {
    for (bytes, head) in [
        (&b""[..], &b""[..]),
        (b"GGU", b"GGU"),
        (b"GGML\x03\0\0\0", b"GGML"),
        (b"FUGG\x03\0\0\0", b"FUGG"),
        (b"PK\x03\x04 and so on", b"PK\x03\x04"),
    ] {
        match open_error(bytes) {
            Error::NotGguf { found, file } => {
                assert_eq!(found, head);
                assert_eq!(file.to_str(), Some("test.gguf"));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn other_versions() {
    for version in [0, 1, 4, u32::MAX] {
        let file = Raw(b"GGUF".to_vec()).u32(version).u64(0).u64(0);
        match open_error(&file.0) {
            error @ Error::UnsupportedVersion { found, .. } => {
                assert_eq!(found, version);
                assert!(!error.to_string().contains("big-endian"), "{error}");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn big_endian_files_are_named_as_such() {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_be_bytes());
    bytes.extend([0; 16]);
    let error = open_error(&bytes);
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert!(error.to_string().contains("big-endian"), "{error}");
}

#[test]
fn counts_beyond_the_file() {
    assert_truncated(Raw::header(u64::MAX, 0), u64::MAX);
    assert_truncated(Raw::header(0, u64::MAX), u64::MAX);
    assert_truncated(Raw::header(1, 0), 33);
    assert_truncated(Raw::header(0, 2).bytes(&[0; 27]), 28);
    // So many that the product overflows.
    assert_truncated(Raw::header(u64::MAX / 33 + 2, 0), u64::MAX);
}

#[test]
fn lengths_beyond_the_file() {
    for length in [9, 1 << 20, 1 << 40, i64::MAX as u64, u64::MAX] {
        // Key, string, tensor name.
        assert_truncated(Raw::header(0, 1).u64(length).bytes(&[b'k'; 8]), length);
        assert_truncated(
            Raw::header(0, 1).key("k", 8).u64(length).bytes(b"abcdefgh"),
            length,
        );
        assert_truncated(
            Raw::header(1, 0).u64(length.max(60)).bytes(&[b'n'; 59]),
            length.max(60),
        );
    }
}

#[test]
fn arrays_beyond_the_file() {
    let least_bytes = [1u64, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];
    for (element_type, least) in (0u32..).zip(least_bytes) {
        let array = |length| Raw::header(0, 1).key("k", 9).u32(element_type).u64(length);
        assert_truncated(array(u64::MAX), u64::MAX);
        assert_truncated(array(1), least);
        assert_truncated(array(3).bytes(&vec![0; 3 * least as usize - 1]), 3 * least);
    }
    // Room for the lengths of three strings, but the third is not there.
    let strings = Raw::header(0, 1).key("k", 9).u32(8).u64(3);
    assert_truncated(strings.string(b"12345678").string(b"").bytes(b"1234567"), 8);
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let mut file = Raw::header(0, 1).key("k", 9);
        for _ in 1..depth {
            file = file.u32(9).u64(1);
        }
        file.u32(4).u64(1).u32(7)
    };
    for depth in 1..=4 {
        let model = open(&nested(depth).0).unwrap();
        walk(&model);
        assert!(
            model
                .metadata()
                .get("k")
                .unwrap()
                .to_string()
                .contains("[u32; 1] [7]")
        );
    }
    for depth in [5, 6, 1000] {
        assert_malformed(nested(depth), "nested at most 4 deep");
    }
}

#[test]
fn metadata_that_is_wrong() {
    assert_malformed(Raw::header(0, 1).key("k", 13).bytes(&[0; 8]), "found 13");
    assert_malformed(
        Raw::header(0, 1).key("k", u32::MAX).bytes(&[0; 8]),
        "type of key \"k\"",
    );
    assert_malformed(Raw::header(0, 1).key("k", 9).u32(13).u64(0), "found 13");
    assert_malformed(Raw::header(0, 1).key("k", 7).bytes(&[2]), "0 or 1, found 2");
    let bools = Raw::header(0, 1).key("k", 9).u32(7).u64(3);
    assert_malformed(bools.bytes(&[0, 1, 7]), "0 or 1, found 7");
    assert_malformed(
        Raw::header(0, 1).key("", 4).bytes(&[0; 8]),
        "metadata key 0",
    );
    assert_malformed(
        Raw::header(0, 1).key(&"k".repeat(65_536), 4).u32(0),
        "65535 bytes",
    );
    assert_malformed(
        Raw::header(0, 1).string(b"k\xff").u32(0).bytes(&[0]),
        "0xff after 1",
    );
    let twice = Raw::header(0, 3)
        .key("k", 0)
        .bytes(&[1])
        .key("a", 0)
        .bytes(&[2]);
    assert_malformed(twice.key("k", 0).bytes(&[1]), "first at byte 24");
}

#[test]
fn alignments_that_are_wrong() {
    let file = |value_type, value: &[u8]| {
        Raw::header(0, 1)
            .key("general.alignment", value_type)
            .bytes(value)
    };
    for alignment in [0u32, 3, 33, 1 << 21, u32::MAX] {
        assert_kind(file(4, &alignment.to_le_bytes()), ErrorKind::InvalidKey);
    }
    assert_kind(file(5, &(-32i32).to_le_bytes()), ErrorKind::InvalidKey);
    assert_kind(file(6, &32f32.to_le_bytes()), ErrorKind::InvalidKey);
    assert_kind(
        file(8, &Raw::default().string(b"32").0),
        ErrorKind::InvalidKey,
    );
    for alignment in [1u64, 2, 32, 1 << 20] {
        let model = open(&file(10, &alignment.to_le_bytes()).0).unwrap();
        assert_eq!(model.alignment(), alignment);
    }
}

#[test]
fn shapes_that_are_wrong() {
    let file = |shape: &[u64]| {
        Raw::header(1, 0)
            .tensor("t", shape, 0, 0)
            .data(32, &[0; 64])
    };
    assert_malformed(file(&[]).bytes(&[0; 8]), "1 to 4 dimensions, found 0");
    assert_malformed(file(&[1; 5]), "1 to 4 dimensions, found 5");
    assert_malformed(file(&[0]), "found [0]");
    assert_malformed(file(&[4, 0, 2]), "found [4, 0, 2]");
    assert_malformed(file(&[1 << 32, 1 << 32]), "product");
    assert_malformed(file(&[u64::MAX, u64::MAX, u64::MAX, u64::MAX]), "product");
    assert_malformed(file(&[u64::MAX, 2]), "product");
    // As many elements fit an address, as many bytes do not.
    assert_malformed(file(&[1 << 62]), "2^64 bytes");
    assert_truncated(file(&[1 << 61]), 1 << 63);
    assert_truncated(file(&[17]), 68);

    let dimensions = Raw::header(1, 0).string(b"t").u32(u32::MAX).bytes(&[1; 64]);
    assert_malformed(dimensions, "found 4294967295");
}

#[test]
fn rows_that_are_no_whole_blocks() {
    let file = |columns, kind| {
        Raw::header(1, 0)
            .tensor("t", &[columns, 2], kind, 0)
            .data(32, &[0; 2048])
    };
    for (kind, block) in [(2, 32), (8, 32), (12, 256), (14, 256), (10, 256)] {
        open(&file(block, kind).0).unwrap();
        assert_malformed(
            file(block / 2, kind),
            &format!("a multiple of {block} elements"),
        );
        assert_malformed(
            file(block + 1, kind),
            &format!("a multiple of {block} elements"),
        );
    }
}

#[test]
fn offsets_that_are_wrong() {
    let file = |offset| {
        Raw::header(1, 0)
            .tensor("t", &[8], 0, offset)
            .data(32, &[0; 64])
    };
    open(&file(32).0).unwrap();
    assert_malformed(file(1), "a multiple of 32, found 1");
    assert_malformed(file(u64::MAX), "a multiple of 32");
    assert_malformed(file(u64::MAX - 31), "within the file");
    assert_truncated_tensor(file(64));
    assert_truncated_tensor(file(1 << 62));
    assert_truncated_tensor(file(u64::MAX / 32 * 32 - 4096));
}

/// The offset in the error lies behind the end of the file.
#[track_caller]
fn assert_truncated_tensor(file: Raw) {
    match open_error(&file.0) {
        Error::Truncated {
            what,
            needed,
            available,
            ..
        } => {
            assert_eq!((needed, available), (32, 0));
            assert_eq!(what, "tensor \"t\"");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn names_that_are_wrong() {
    let file = |name: &[u8]| {
        Raw::header(1, 0)
            .string(name)
            .u32(1)
            .u64(1)
            .u32(0)
            .u64(0)
            .data(32, &[0; 4])
    };
    open(&file(&[b'n'; 255]).0).unwrap();
    assert_malformed(file(b""), "1 to 255 bytes");
    assert_malformed(file(&[b'n'; 256]), "1 to 255 bytes");
    assert_malformed(file(b"\xc3("), "UTF-8");
    let twice = Raw::header(2, 0)
        .tensor("t", &[1], 0, 0)
        .tensor("t", &[1], 0, 32);
    assert_malformed(twice.data(32, &[0; 64]), "each name once");
}

#[test]
fn tensors_that_overlap() {
    let file = |first: u64, second: u64| {
        let directory = Raw::header(2, 0)
            .tensor("a", &[9], 0, first)
            .tensor("b", &[8], 0, second);
        directory.data(32, &[0; 192])
    };
    open(&file(0, 64).0).unwrap();
    open(&file(32, 0).0).unwrap();
    assert_malformed(file(0, 0), "tensor");
    assert_malformed(file(0, 32), "tensor \"b\"");
    assert_malformed(file(32, 64), "after tensor \"a\"");
}

#[test]
fn types_that_the_engine_does_not_know() {
    let file = |kind| {
        Raw::header(1, 0)
            .tensor("t", &[256], kind, 0)
            .data(32, &[0; 2048])
    };
    for (kind, name) in [
        (10, "Q2_K"),
        (11, "Q3_K"),
        (20, "IQ4_NL"),
        (23, "IQ4_XS"),
        (26, "I32"),
        (31, "Q4_0_4_4"),
        (39, "MXFP4"),
        (99, "type 99"),
        (u32::MAX, "type 4294967295"),
    ] {
        let model = open(&file(kind).0).unwrap();
        walk(&model);
        let info = model.tensors().next().unwrap();
        assert_eq!((info.kind, info.format), (kind, None));
        assert_eq!(
            info.size_bytes.is_some(),
            ![31, 99, u32::MAX].contains(&kind)
        );
        match model.find_tensor("t").unwrap_err() {
            Error::UnsupportedQuantization { tensor, found, .. } => {
                assert_eq!((tensor.as_str(), found.as_str()), ("t", name));
            }
            other => panic!("{other}"),
        }
        assert!(model.find_tensor("u").unwrap().is_none());
        assert_eq!(
            model.tensor("u").unwrap_err().kind(),
            ErrorKind::MissingTensor
        );
    }
}

#[test]
fn foreign_types_have_their_sizes_checked() {
    // ggml's block sizes, as the `gguf` package has them.
    for (kind, elements, bytes) in [
        (9u32, 32u64, 36usize),
        (10, 256, 84),
        (11, 256, 110),
        (15, 256, 292),
        (16, 256, 66),
        (17, 256, 74),
        (18, 256, 98),
        (19, 256, 50),
        (20, 32, 18),
        (21, 256, 110),
        (22, 256, 82),
        (23, 256, 136),
        (24, 1, 1),
        (25, 1, 2),
        (26, 1, 4),
        (27, 1, 8),
        (28, 1, 8),
        (29, 256, 56),
        (34, 256, 54),
        (35, 256, 66),
        (39, 32, 17),
        (40, 64, 36),
        (41, 128, 18),
    ] {
        let file = |data: usize| {
            Raw::header(1, 0)
                .tensor("t", &[elements], kind, 0)
                .data(32, &vec![0; data])
        };
        let model = open(&file(bytes).0).unwrap();
        assert_eq!(
            model.tensors().next().unwrap().size_bytes,
            Some(bytes as u64)
        );
        assert_truncated(file(bytes - 1), bytes as u64);
    }
}

#[test]
fn a_file_without_anything_is_a_model() {
    let model = open(&Raw::header(0, 0).0).unwrap();
    assert!(model.metadata().is_empty());
    assert_eq!(model.tensors().len(), 0);
    assert_eq!(model.alignment(), 32);
}
