//! Nibble runs small language models on the CPU of the device that you type on.
//!
//! ```no_run
//! use std::sync::Arc;
//! use nibble::{GenerationOptions, Model, ModelOptions, Session, SessionOptions, SpecialTokens};
//!
//! # fn main() -> nibble::Result<()> {
//! let model = Arc::new(Model::open("model.gguf", &ModelOptions::default())?);
//! let prompt = model.tokenizer().encode("I'll be there in", SpecialTokens::AsText)?;
//! let mut session = Session::new(model, SessionOptions::default())?;
//! let mut generation = session.generate(&prompt, GenerationOptions::default())?;
//! let mut text = String::new();
//! while let Some(chunk) = generation.next()? {
//!     text.push_str(&chunk.text);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Model`] is a GGUF file, mapped and never copied, shared by any number of [`Session`]s. A session
//! keeps the KV cache of one text and computes only what changed. A [`Generation`] is pulled chunk by chunk
//! and stopped through a [`CancelHandle`].
//!
//! With the feature `candle` a model can also run on `candle-core`, see [`backend`].
//!
//! The library logs counts and times through the `log` facade, never text; it prints nothing and has no
//! global state.

#![deny(unsafe_code)]

pub mod backend;
mod error;
pub mod generation;
pub mod gguf;
pub mod hparams;
pub mod kv_cache;
mod mapping;
pub mod memory;
pub mod model;
pub mod prepared;
mod prompt_lookup;
pub mod rope;
pub mod sampler;
pub mod session;
pub mod tokenizer;

pub use error::{Error, ErrorKind, Result};
pub use generation::{Chunk, Generation, GenerationOptions, GenerationState, Stats, StopReason};
pub use gguf::Gguf;
pub use hparams::{Architecture, Hparams};
pub use kv_cache::KvCache;
pub use mapping::SharedBytes;
pub use memory::MemoryEstimate;
pub use model::{Model, ModelOptions};
pub use nibble_kernels::{Format, KvFormat, Priority};
pub use sampler::{Candidate, Sampling};
pub use session::{CancelHandle, Prefill, RopePolicy, Session, SessionOptions};
pub use tokenizer::{SpecialTokens, Tokenizer};

/// Compiles the Rust code that the README shows.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
