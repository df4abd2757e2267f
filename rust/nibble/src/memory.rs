//! What a model and one session of it take, before either is there.

use crate::Result;
use crate::backend::Scratch;
use crate::gguf::Gguf;
use crate::hparams::Hparams;
use crate::kv_cache::KvCache;
use crate::session::SessionOptions;

/// Bytes of memory that a model with one session takes when the session's context is full.
///
/// The vocabulary and what the system keeps for itself come on top, some megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryEstimate {
    /// Weights: pages of the mapped file, which the system can drop and read again. Where they do not fit,
    /// every step reads the file.
    pub mapped: u64,
    /// Keys and values of a full context.
    pub kv_cache: u64,
    /// Buffers of a forward pass.
    pub buffers: u64,
}

impl MemoryEstimate {
    /// What the model in `gguf` takes with a session of these options.
    ///
    /// # Errors
    /// Those of [`Hparams::from_gguf`]; `InvalidArgument` for a KV format that does not fit the model's
    /// heads.
    pub fn of(gguf: &Gguf, options: &SessionOptions) -> Result<MemoryEstimate> {
        let hparams = Hparams::from_gguf(gguf)?;
        let context = options.context_of(&hparams);
        let cache = KvCache::new(&hparams, options.kv_format, context)?;
        let kv_cache = (cache.bytes_per_position() as u64).saturating_mul(context as u64);
        Ok(MemoryEstimate {
            mapped: gguf.size_bytes(),
            kv_cache,
            buffers: Scratch::bytes(&hparams, options.prefill_chunk.min(context)),
        })
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.mapped
            .saturating_add(self.kv_cache)
            .saturating_add(self.buffers)
    }
}
