//! Nibble runs small language models on the CPU of the device that you type on.

#![deny(unsafe_code)]

mod error;
pub mod gguf;

pub use error::{Error, ErrorKind, Result};
