//! What Nibble's tests share: fixtures, reference logits, synthetic models. Never part of a product.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test helper fails by panicking"
)]

pub mod llama_to_phi3;
pub mod phi4mini;
pub mod random_weights;
pub mod reference;
pub mod tiktoken;

use std::path::PathBuf;

/// Path of a committed fixture, such as `phi3-tiny/model-f16.gguf`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

/// The default model, SmolLM2-135M-Instruct Q4_1, where `scripts/fetch-model` keeps it.
///
/// # Panics
/// If it was not fetched: `scripts/test` fetches it before it runs the tests.
pub fn smollm2() -> PathBuf {
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".local/share")
        });
    let path = data.join("nibble/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
    assert!(
        path.is_file(),
        "run scripts/fetch-model first: {} is missing",
        path.display()
    );
    path
}
