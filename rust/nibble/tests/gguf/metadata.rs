//! Typed access to keys.

use nibble::gguf::{Array, Value, ValueType};
use nibble::{Error, ErrorKind};

use crate::raw::Raw;
use crate::{open, small_model};

#[test]
fn integers_of_any_type_are_taken_where_they_fit() {
    let model = open(&small_model()).unwrap();
    let metadata = model.metadata();
    assert_eq!(metadata.u32("u8").unwrap(), 200);
    assert_eq!(metadata.u32("u16").unwrap(), 60_000);
    assert_eq!(metadata.u32("u32").unwrap(), 4_000_000_000);
    assert_eq!(metadata.u64("u32").unwrap(), 4_000_000_000);
    assert_eq!(metadata.u64("u64").unwrap(), u64::MAX);
    assert_eq!(metadata.u32s("u32s").unwrap(), [1, 2, 3]);
    assert_eq!(metadata.i32s("u32s").unwrap(), [1, 2, 3]);
    assert_eq!(metadata.i32s("i32s").unwrap(), [-1, 0]);
    for key in [
        "i8", "i16", "i32", "u64", "i64", "f32", "bool", "u32s", "strings",
    ] {
        let error = metadata.find_u32(key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{key}: {error}");
    }
    assert_eq!(
        metadata.u64("i64").unwrap_err().kind(),
        ErrorKind::InvalidKey
    );
    assert_eq!(
        metadata.u32s("i32s").unwrap_err().kind(),
        ErrorKind::InvalidKey
    );
}

#[test]
fn floats_truth_values_and_strings_are_taken_by_type() {
    let model = open(&small_model()).unwrap();
    let metadata = model.metadata();
    assert_eq!(metadata.f32("f32").unwrap(), 0.1);
    assert_eq!(metadata.f32("f64").unwrap(), f32::INFINITY);
    assert_eq!(metadata.f32s("f32s").unwrap(), [0.5]);
    assert!(metadata.bool("bool").unwrap());
    assert_eq!(metadata.string("general.architecture").unwrap(), "llama");
    let strings: Result<Vec<_>, _> = metadata.strings("strings").unwrap().collect();
    assert_eq!(strings.unwrap(), ["a", "", "größer"]);

    let invalid = [
        metadata.f32("u32").map(drop),
        metadata.f32s("u32s").map(drop),
        metadata.bool("u8").map(drop),
        metadata.string("u8").map(drop),
        metadata.string("strings").map(drop),
        metadata.strings("general.architecture").map(drop),
        metadata.strings("u32s").map(drop),
        metadata.u32s("strings").map(drop),
        metadata.i32s("f32s").map(drop),
    ];
    for (index, result) in invalid.into_iter().enumerate() {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{index}: {error}");
    }
}

#[test]
fn an_error_tells_key_expectation_and_value() {
    let model = open(&small_model()).unwrap();
    assert_eq!(
        model.metadata().u32("i8").unwrap_err().to_string(),
        "test.gguf: metadata key \"i8\": expected an integer from 0 to 4294967295, found i8 -100"
    );
    assert_eq!(
        model.metadata().string("strings").unwrap_err().to_string(),
        "test.gguf: metadata key \"strings\": expected a string, \
         found [string; 3] [\"a\", \"\", \"größer\"]"
    );
}

#[test]
fn an_absent_key_is_none_or_missing() {
    let model = open(&small_model()).unwrap();
    let metadata = model.metadata();
    assert!(metadata.get("absent").is_none());
    assert!(metadata.find_u32("absent").unwrap().is_none());
    assert!(metadata.find_u64("absent").unwrap().is_none());
    assert!(metadata.find_f32("absent").unwrap().is_none());
    assert!(metadata.find_bool("absent").unwrap().is_none());
    assert!(metadata.find_string("absent").unwrap().is_none());
    assert!(metadata.find_strings("absent").unwrap().is_none());
    assert!(metadata.find_u32s("absent").unwrap().is_none());
    assert!(metadata.find_i32s("absent").unwrap().is_none());
    assert!(metadata.find_f32s("absent").unwrap().is_none());
    match metadata.strings("absent").map(drop).unwrap_err() {
        Error::MissingKey { key, .. } => assert_eq!(key, "absent"),
        other => panic!("{other}"),
    }
}

#[test]
fn keys_come_sorted() {
    let model = open(&small_model()).unwrap();
    let keys: Vec<&str> = model.metadata().iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 16);
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn text_that_is_no_utf8_fails_only_where_text_is_asked_for() {
    let file = Raw::header(0, 2)
        .key("text", 8)
        .string(b"ab\xffcd")
        .key("texts", 9)
        .u32(8)
        .u64(3)
        .string(b"good")
        .string(b"\xf0\x9f")
        .string(b"after");
    let model = open(&file.0).unwrap();
    let metadata = model.metadata();
    assert!(matches!(
        metadata.get("text"),
        Some(Value::String(b"ab\xffcd"))
    ));
    match metadata.string("text").unwrap_err() {
        Error::Malformed {
            what,
            offset,
            found,
            ..
        } => {
            assert_eq!(what, "string of key \"text\"");
            assert_eq!(offset, 24);
            assert_eq!(found, "byte 0xff after 2 valid bytes");
        }
        other => panic!("{other}"),
    }
    let texts: Vec<_> = metadata.strings("texts").unwrap().collect();
    assert_eq!(texts.len(), 3);
    assert_eq!(*texts[0].as_ref().unwrap(), "good");
    assert_eq!(*texts[2].as_ref().unwrap(), "after");
    match texts[1].as_ref().unwrap_err() {
        Error::Malformed { what, offset, .. } => {
            assert_eq!(what, "string 1 of key \"texts\"");
            let at = file
                .0
                .windows(2)
                .position(|pair| pair == b"\xf0\x9f")
                .unwrap();
            assert_eq!(*offset, at as u64 - 8);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_short_form_is_short_and_printable() {
    let long = "x".repeat(100_000);
    let mut file = Raw::header(0, 3).key("array", 9).u32(4).u64(1000);
    for value in 0..1000 {
        file = file.u32(value);
    }
    file = file.key("escapes", 8).string(b"\x1b[31m\n\xff");
    file = file.key("long", 8).string(long.as_bytes());
    let model = open(&file.0).unwrap();
    let short = |key| model.metadata().get(key).unwrap().to_string();
    assert_eq!(short("array"), "[u32; 1000] [0, 1, 2, 3, 4, 5, ...]");
    assert_eq!(short("escapes"), "\"\\u{1b}[31m\\n\u{fffd}\"");
    assert_eq!(
        short("long"),
        format!("\"{}\"... (100000 bytes)", "x".repeat(60))
    );
}

#[test]
fn nested_arrays_are_views_too() {
    let file = Raw::header(0, 1)
        .key("k", 9)
        .u32(9)
        .u64(2)
        .u32(8)
        .u64(2)
        .string(b"a")
        .string(b"bc")
        .u32(1)
        .u64(1)
        .bytes(&[0xff]);
    let model = open(&file.0).unwrap();
    let Some(Value::Array(outer)) = model.metadata().get("k") else {
        panic!("an array");
    };
    assert_eq!(outer.element_type(), ValueType::Array);
    let inner: Vec<Array> = outer
        .iter()
        .map(|value| match value {
            Value::Array(array) => array,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(inner[0].to_string(), "[string; 2] [\"a\", \"bc\"]");
    assert!(matches!(inner[1].iter().next(), Some(Value::I8(-1))));
}
