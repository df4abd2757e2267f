//! Every way in which a file can be wrong has an error of its own, with what an app can tell its user.
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
use std::sync::Arc;

use nibble_ffi::{
    EmojiTable, KeyboardController, Layout, Lexicon, Model, ModelFile, ModelOptions, NibbleError,
    SessionOptions, UserModel, engine_request_from_json, settings_from_json,
};
use support::{text, tiny_file, tiny_model};

/// The error of something that cannot succeed.
fn error<T>(result: Result<T, NibbleError>) -> NibbleError {
    match result {
        Err(error) => error,
        Ok(_) => panic!("it succeeded"),
    }
}

fn model(path: &std::path::Path) -> Result<Arc<Model>, NibbleError> {
    Model::open(text(path), None)
}

#[test]
fn a_file_that_is_absent_or_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    match error(model(&path)) {
        NibbleError::NotFound { code, file, detail } => {
            assert_eq!((code.as_str(), file), ("not_found", text(&path)));
            assert!(detail.contains("model.gguf"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    let found = error(model(directory.path()));
    assert!(
        matches!(&found, NibbleError::Io { code, .. } if code == "io"),
        "{found:?}"
    );
    let verification = ModelFile::at_path(text(directory.path()))
        .unwrap()
        .verify(&"0".repeat(64));
    assert!(matches!(verification, Err(NibbleError::Io { .. })));
}

#[test]
fn a_file_that_was_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    let whole = std::fs::read(tiny_file()).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    match error(model(&path)) {
        NibbleError::Truncated {
            code,
            file,
            needed,
            available,
            ..
        } => {
            assert_eq!((code.as_str(), file), ("truncated", text(&path)));
            assert!(needed > available, "{needed} {available}");
        }
        other => panic!("{other:?}"),
    }
    let inspected = ModelFile::at_path(text(&path)).unwrap().inspect(None);
    assert!(matches!(inspected, Err(NibbleError::Truncated { .. })));
}

#[test]
fn a_file_of_another_kind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picture.png");
    std::fs::write(&path, b"\x89PNG\r\n\x1a\n and so on").unwrap();
    let found = error(model(&path));
    assert!(
        matches!(&found, NibbleError::WrongFormat { code, .. } if code == "not_gguf"),
        "{found:?}"
    );
    let found = error(Lexicon::open(text(&path)));
    assert!(
        matches!(&found, NibbleError::WrongFormat { code, .. } if code == "not_a_lexicon"),
        "{found:?}"
    );
    let found = error(UserModel::open(text(&path), None));
    assert!(
        matches!(&found, NibbleError::WrongFormat { code, .. } if code == "not_a_user_model"),
        "{found:?}"
    );
}

#[test]
fn a_model_beyond_the_limit_of_memory() {
    let path = nibble_testkit::smollm2();
    let options = |limit| ModelOptions {
        context: 256,
        memory_limit: Some(limit),
        ..ModelOptions::default()
    };
    let open = |limit| Model::open(text(&path), Some(options(limit)));
    let needed = match error(open(1 << 20)) {
        NibbleError::MemoryLimit {
            code,
            file,
            needed,
            available,
            ..
        } => {
            assert_eq!((code.as_str(), file), ("memory_limit", text(&path)));
            assert_eq!(available, 1 << 20);
            needed
        }
        other => panic!("{other:?}"),
    };
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(needed > bytes, "{needed} {bytes}");
    assert!(matches!(
        open(needed - 1),
        Err(NibbleError::MemoryLimit { .. })
    ));
    let model = open(needed).unwrap();
    assert_eq!(model.memory_estimate(None).unwrap().total, needed);
    let longer = SessionOptions {
        context: 512,
        ..SessionOptions::default()
    };
    let longer = model.memory_estimate(Some(longer)).unwrap();
    assert!(longer.total > needed);
    let info = ModelFile::at_path(text(&path))
        .unwrap()
        .inspect(Some(options(1)))
        .unwrap();
    assert_eq!(info.memory.unwrap().total, needed);
}

#[test]
fn a_model_that_lies_inside_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("package.zip");
    let inner = std::fs::read(tiny_file()).unwrap();
    // Deliberately not on a page.
    let mut package = vec![7; 4099];
    package.extend_from_slice(&inner);
    package.extend_from_slice(&[9; 100]);
    std::fs::write(&path, &package).unwrap();
    let file = File::open(&path).unwrap();
    let descriptor = file.as_raw_fd();
    let open =
        |offset, length| Model::open_descriptor(descriptor, offset, length, "asset".into(), None);

    let model = open(4099, inner.len() as u64).unwrap();
    let expected = tiny_model();
    assert_eq!(model.info().unwrap().file, "asset");
    let tokens = expected.encode("and the lord", false).unwrap();
    assert_eq!(model.encode("and the lord", false).unwrap(), tokens);
    assert_eq!(model.decode(tokens).unwrap(), "and the lord");

    let whole = ModelFile::at_descriptor(descriptor, 4099, inner.len() as u64, "asset".into());
    assert_eq!(
        whole.unwrap().inspect(None).unwrap().bytes,
        inner.len() as u64
    );

    match error(open(4099, inner.len() as u64 + 101)) {
        NibbleError::Truncated {
            needed, available, ..
        } => assert_eq!(
            (needed, available),
            (inner.len() as u64 + 101, inner.len() as u64 + 100)
        ),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        open(0, inner.len() as u64),
        Err(NibbleError::WrongFormat { .. })
    ));
    assert!(matches!(
        open(u64::MAX, 10),
        Err(NibbleError::Truncated { .. })
    ));
    // The caller's descriptor is still the caller's.
    drop(model);
    assert_eq!(file.metadata().unwrap().len(), package.len() as u64);
}

#[test]
fn a_number_that_is_no_descriptor() {
    let open = |descriptor| Model::open_descriptor(descriptor, 0, 10, "asset".into(), None);
    assert!(matches!(open(-1), Err(NibbleError::InvalidArgument { .. })));
    assert!(matches!(open(1_000_000), Err(NibbleError::Io { .. })));
}

#[test]
fn what_is_damaged_or_not_supported_says_what_was_expected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    let mut bytes = std::fs::read(tiny_file()).unwrap();
    bytes[4] = 9;
    std::fs::write(&path, &bytes).unwrap();
    match error(model(&path)) {
        NibbleError::Unsupported { code, found, .. } => {
            assert_eq!(
                (code.as_str(), found.as_str()),
                ("unsupported_version", "9")
            );
        }
        other => panic!("{other:?}"),
    }

    let lexicon = directory.path().join("en.lex");
    let entry = nibble_keyboard::lexicon::Entry {
        word: "the".to_owned(),
        count: 1,
        offensive: false,
    };
    let mut bytes = Vec::new();
    nibble_keyboard::lexicon::build("en", [entry], &mut bytes).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&lexicon, &bytes).unwrap();
    match error(Lexicon::open(text(&lexicon))) {
        NibbleError::Damaged {
            code,
            file,
            expected,
            found,
            detail,
        } => {
            assert_eq!((code.as_str(), file), ("wrong_checksum", text(&lexicon)));
            assert_ne!(expected, found);
            assert!(detail.contains("en.lex"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    let found = error(Lexicon::from_bytes(bytes[..last].to_vec()));
    assert!(matches!(found, NibbleError::Truncated { .. }), "{found:?}");
}

#[test]
fn arguments_out_of_range_are_named() {
    let model = tiny_model();
    let context = SessionOptions {
        context: 1 << 30,
        ..SessionOptions::default()
    };
    match error(model.new_session(Some(context))) {
        NibbleError::InvalidArgument {
            argument, found, ..
        } => assert_eq!(
            (argument.as_str(), found),
            ("context", (1 << 30).to_string())
        ),
        other => panic!("{other:?}"),
    }
    let found = error(model.decode(vec![1 << 30]));
    assert!(
        matches!(&found, NibbleError::InvalidArgument { code, .. } if code == "invalid_token"),
        "{found:?}"
    );
    let found = error(Layout::builtin("dvorak"));
    assert!(
        matches!(&found, NibbleError::InvalidArgument { expected, .. } if expected.contains("qwertz")),
        "{found:?}"
    );
    for result in [
        Layout::from_json("{}").map(drop),
        EmojiTable::from_text("pizza").map(drop),
        settings_from_json("{\"slots\": \"three\"}").map(drop),
    ] {
        let found = error(result);
        assert!(
            matches!(found, NibbleError::InvalidArgument { .. }),
            "{found:?}"
        );
    }
}

#[test]
fn an_error_about_json_does_not_repeat_what_was_typed() {
    let controller = KeyboardController::new(None).unwrap();
    let event = r#"{"time": 1, "character": {"text": "secret", "tap": "secret"}}"#;
    let shown = error(controller.handle_json(event));
    let request = r#"{"context": {"before": "secret", "field": "secret"}}"#;
    for found in [shown, error(engine_request_from_json(request))] {
        let shown = format!("{found:?} {found}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("line 1"), "{shown}");
    }
}
