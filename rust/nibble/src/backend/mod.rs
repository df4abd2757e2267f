//! The seam between what every device shares and what one device does.
//!
//! A backend owns the weights of one model in the form that its device wants and runs [`forward`] over a
//! batch of sequences. Tokenizer, LongRoPE bookkeeping, sampling and sessions stay above the seam: a caller
//! decides which tokens are new, which rotary set a sequence uses and which rows of the head it needs. A
//! device that only runs prefill chunks of a fixed size fits too, because a chunk that wants no head
//! ([`SequenceInput::heads`] empty) only has to leave its keys and values in the cache.
//!
//! The CPU's backend is always there. With the feature `candle` there is a second, which runs the same network on
//! `candle-core`; [`Backend`] is what a model has: the one that was chosen, and the CPU for when that fails.
//!
//! [`forward`]: Backend::forward

pub(crate) mod attention;
mod available;
pub(crate) mod batch;
#[cfg(feature = "candle")]
mod candle;
pub mod cpu;
pub(crate) mod scratch;
mod selected;
pub(crate) mod weights;

use crate::gguf::Gguf;
use crate::kv_cache::KvCache;

pub use available::{Availability, BackendChoice, BackendKind, Device, available};
pub use scratch::Scratch;
pub use selected::{Backend, Fallback, FallbackCause};

/// How the inputs of quantized matrix products are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 8 bits a value, with a scale for every 32: several times faster than `F32`, at an error that shifts
    /// logits by a few hundredths of their spread (KL divergence below 0.02).
    Q8,
    /// 8 bits, and 8 more for what they leave over: twice the arithmetic of `Q8` on the same bytes of
    /// weights, with an error below that of a half-precision KV cache.
    Q16,
    /// 32-bit floating point: the exact meaning of the file's weights.
    F32,
}

impl Precision {
    /// The precision that suits a model where none is asked for: [`Q16`](Self::Q16) up to 512 MiB of
    /// weights, [`Q8`](Self::Q8) beyond. Small models feel the error of 8 bits most (on SmolLM2-135M it
    /// moves logits by 0.1, enough to flip close calls) and have arithmetic to spare.
    pub fn for_size(gguf: &Gguf) -> Precision {
        const SMALL: u64 = 512 << 20;
        let source = gguf.prepared_source();
        if source.map_or(gguf.size_bytes(), |source| source.length) <= SMALL {
            Precision::Q16
        } else {
            Precision::Q8
        }
    }
}

/// New tokens of one sequence.
#[derive(Debug)]
pub struct SequenceInput<'a> {
    /// What came before. On success it also holds the new tokens; after an error it is as it was.
    pub cache: &'a mut KvCache,
    /// The new tokens, at positions `cache.len()..`.
    pub tokens: &'a [u32],
    /// Where logits are wanted: an index into `tokens` and the rows of the head there. Ascending; positions
    /// that are not named cost no head.
    pub heads: &'a [(usize, HeadRows<'a>)],
}

/// Rows of the language-model head, that is, tokens to compute a logit for.
#[derive(Debug, Clone, Copy)]
pub enum HeadRows<'a> {
    /// The whole vocabulary.
    All,
    /// These tokens, in this order.
    Set(&'a [u32]),
}
