//! Any bytes are a model or an error: opens them and reads everything in them.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nibble::gguf::Gguf;

#[path = "../../rust/nibble/tests/gguf/walk.rs"]
mod walk;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = Gguf::from_bytes(bytes.to_vec(), Path::new("fuzz.gguf")) {
        walk::walk(&model);
    }
});
