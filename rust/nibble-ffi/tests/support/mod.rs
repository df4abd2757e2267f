//! What the tests share.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test fails by panicking, and its errors are rare"
)]
#![allow(dead_code, reason = "each test uses its part")]

use std::path::Path;
use std::sync::Arc;

use nibble_ffi::{Model, ModelOptions};

/// The real model.
pub(crate) fn smollm2() -> Arc<Model> {
    Model::open(text(&nibble_testkit::smollm2()), None).unwrap()
}

/// A model of 1024 tokens.
pub(crate) fn tiny_model() -> Arc<Model> {
    let options = ModelOptions {
        threads: 1,
        ..ModelOptions::default()
    };
    Model::open(text(&tiny_file()), Some(options)).unwrap()
}

pub(crate) fn tiny_file() -> std::path::PathBuf {
    nibble_testkit::fixture("phi3-tiny/model-q8_0.gguf")
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
