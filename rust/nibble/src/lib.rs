//! Nibble runs small language models on the CPU of the device that you type on.

mod error;

pub use error::{Error, ErrorKind, Result};
