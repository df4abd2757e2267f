//! What a model and one session of it take, before either is there.

use crate::Result;
use crate::backend::{Precision, Scratch};
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
        let precision = options
            .precision
            .unwrap_or_else(|| Precision::for_size(gguf));
        let kv_cache = (cache.bytes_per_position() as u64).saturating_mul(context as u64);
        Ok(MemoryEstimate {
            mapped: gguf.size_bytes(),
            kv_cache,
            buffers: Scratch::bytes(&hparams, precision, options.prefill_chunk.min(context)),
        })
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.mapped
            .saturating_add(self.kv_cache)
            .saturating_add(self.buffers)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::session::CancelHandle;
    use crate::{KvFormat, Model, ModelOptions, Session};

    #[test]
    fn a_full_session_takes_what_was_estimated() {
        let path = nibble_testkit::fixture("llama-tiny/model-q8_0.gguf");
        let gguf = Gguf::open(&path).unwrap();
        for precision in [
            None,
            Some(Precision::Q8),
            Some(Precision::Q16),
            Some(Precision::F32),
        ] {
            let options = SessionOptions {
                context: 64,
                kv_format: KvFormat::F16,
                prefill_chunk: 32,
                precision,
                ..SessionOptions::default()
            };
            let estimate = MemoryEstimate::of(&gguf, &options).unwrap();
            assert_eq!(estimate.mapped, std::fs::metadata(&path).unwrap().len());

            let model = Arc::new(Model::open(&path, &ModelOptions::default()).unwrap());
            let mut session = Session::new(model, options).unwrap();
            session.prefill(&[5; 64], &CancelHandle::new()).unwrap();
            let cache = session.cache().allocated_bytes() as u64;
            assert_eq!(estimate.kv_cache, cache);
            // Logits are counted twice, for prepared files.
            let allocated = session.scratch().allocated_bytes();
            let logits = session.logits().unwrap().len() as u64 * 4;
            assert_eq!(estimate.buffers, allocated + logits, "{precision:?}");
        }
    }

    #[test]
    fn a_longer_context_and_a_wider_format_take_more() {
        let path = nibble_testkit::fixture("llama-tiny/model-f16.gguf");
        let gguf = Gguf::open(path).unwrap();
        let of = |context, kv_format| {
            let options = SessionOptions {
                context,
                kv_format,
                ..SessionOptions::default()
            };
            MemoryEstimate::of(&gguf, &options).unwrap()
        };
        let small = of(64, KvFormat::F16);
        assert_eq!(of(128, KvFormat::F16).kv_cache, 2 * small.kv_cache);
        assert_eq!(of(64, KvFormat::F32).kv_cache, 2 * small.kv_cache);
        assert_eq!(small.total(), small.mapped + small.kv_cache + small.buffers);
    }
}
