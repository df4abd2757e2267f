//! One text in progress: its tokens, its KV cache and the logits after its last token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nibble_kernels::KvFormat;

use crate::backend::batch::check_heads;
use crate::backend::{HeadRows, Precision, Scratch, SequenceInput};
use crate::generation::{Generation, GenerationOptions};
use crate::hparams::Hparams;
use crate::kv_cache::KvCache;
use crate::model::Model;
use crate::rope::RopeSet;
use crate::sampler::{Candidate, top_candidates};
use crate::{Error, Result};

/// Stops work from another thread. Clones share one flag; once set it stays set, so a handle belongs to one
/// piece of work. The flag is an atomic that takes no lock and is polled between the work items of every
/// matrix product, on candle between layers.
#[derive(Debug, Clone, Default)]
pub struct CancelHandle(Arc<AtomicBool>);

impl CancelHandle {
    /// A handle that is not cancelled.
    pub fn new() -> CancelHandle {
        CancelHandle::default()
    }

    /// Asks the work to stop. It returns [`Error::Cancelled`] within a fraction of a decode step.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for [`forward`](crate::backend::Backend::forward).
    pub fn flag(&self) -> &AtomicBool {
        &self.0
    }
}

/// Which of LongRoPE's two frequency sets a session uses. Without effect on models that have one set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RopePolicy {
    /// As the reference implementation does: the short set up to the original context, the long one beyond.
    /// A text that crosses the border is computed anew, which takes as long as its prefill.
    #[default]
    Reference,
    /// The set is chosen once, for a text of this many tokens, and kept: no border to cross, and short
    /// texts in a long plan get the long set. A text may not outgrow the set.
    Planned(usize),
}

/// How a session is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOptions {
    /// Tokens that the session can hold; 0 for 4096 or what the model allows, whichever is less.
    pub context: usize,
    /// How keys and values are stored.
    pub kv_format: KvFormat,
    /// How activations are held in matrix products; `None` for [`Precision::for_size`].
    pub precision: Option<Precision>,
    /// Which LongRoPE set is used.
    pub rope_policy: RopePolicy,
    /// Tokens that go through the network together in prefill: more is faster and takes more memory
    /// ([`Scratch::bytes_per_token`](crate::backend::Scratch::bytes_per_token)).
    pub prefill_chunk: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            context: 0,
            kv_format: KvFormat::F16,
            precision: None,
            rope_policy: RopePolicy::Reference,
            prefill_chunk: 128,
        }
    }
}

impl SessionOptions {
    /// Tokens that a session over a model of these sizes can hold.
    pub fn context_of(&self, hparams: &Hparams) -> usize {
        const DEFAULT_CONTEXT: usize = 4096;
        match self.context {
            0 => DEFAULT_CONTEXT.min(hparams.context_length),
            context => context,
        }
    }
}

/// What a prefill did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefill {
    /// Tokens whose keys and values were already there.
    pub reused: usize,
    /// Tokens that went through the network.
    pub computed: usize,
}

/// One text in progress over a shared model. `Send`, not `Sync`: one thread at a time.
///
/// A session always holds a valid prefix of what it was last asked to hold, also after an error or a
/// cancelled call.
#[derive(Debug)]
pub struct Session {
    model: Arc<Model>,
    options: SessionOptions,
    cache: KvCache,
    /// The tokens whose keys and values `cache` holds.
    tokens: Vec<u32>,
    /// Whether `scratch` holds the logits after the last of `tokens`.
    has_logits: bool,
    scratch: Scratch,
}

impl Session {
    /// An empty session.
    ///
    /// # Errors
    /// `InvalidArgument` for a context beyond the model's or a KV format that does not fit its heads,
    /// `OutOfMemory`.
    pub fn new(model: Arc<Model>, options: SessionOptions) -> Result<Session> {
        let hparams = model.hparams();
        let limit = hparams.context_length;
        let mut options = options;
        options.context = options.context_of(hparams);
        let require = |ok: bool, argument, expected: String, found: usize| match ok {
            true => Ok(()),
            false => Err(Error::InvalidArgument {
                argument,
                expected,
                found: found.to_string(),
            }),
        };
        let suitable = || Precision::for_size(model.gguf());
        options.precision.get_or_insert_with(suitable);
        let context = options.context;
        require(
            context <= limit,
            "context",
            format!("at most {limit}"),
            context,
        )?;
        let chunk = options.prefill_chunk;
        require(
            (1..=1 << 16).contains(&chunk),
            "prefill chunk",
            "1 to 65536".to_owned(),
            chunk,
        )?;
        if let RopePolicy::Planned(planned) = options.rope_policy {
            require(
                planned <= limit,
                "planned length",
                format!("at most {limit}"),
                planned,
            )?;
        }

        let cache = KvCache::new(hparams, options.kv_format, context)?;
        let scratch = Scratch::new(hparams, chunk.min(context))?;
        Ok(Session {
            model,
            options,
            cache,
            tokens: Vec::new(),
            has_logits: false,
            scratch,
        })
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The options, with defaults filled in.
    pub fn options(&self) -> &SessionOptions {
        &self.options
    }

    /// Keys and values of the tokens that are held, to fork batches of continuations from.
    pub fn cache(&self) -> &KvCache {
        &self.cache
    }

    /// The tokens that are held.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Makes the session hold exactly `tokens`. What it shares with the present content, from the first
    /// token on, is not computed again; [`logits`](Self::logits) are there afterwards.
    ///
    /// # Errors
    /// `InvalidArgument` for no tokens, `ContextFull` and `InvalidToken` before anything is done;
    /// `Cancelled`, `OutOfMemory` or `FileChanged` with a prefix of `tokens` held.
    pub fn prefill(&mut self, tokens: &[u32], cancel: &CancelHandle) -> Result<Prefill> {
        if self.has_logits
            && self.tokens == tokens
            && self.cache.rope_set() == self.rope_set_for(tokens.len())
        {
            return Ok(Prefill {
                reused: tokens.len(),
                computed: 0,
            });
        }
        let Some(last) = tokens.len().checked_sub(1) else {
            return Err(Error::InvalidArgument {
                argument: "tokens",
                expected: "at least one".to_owned(),
                found: "none".to_owned(),
            });
        };
        self.prefill_scored(tokens, &[(last, HeadRows::All)], cancel, |_, _| {})
    }

    /// [`prefill`](Self::prefill) that shows the logits of chosen positions: `heads` names indices into
    /// `tokens`, ascending, and the rows wanted there; `show` gets each index and its logits in turn. Only
    /// what lies before the first of them is reused from the present content.
    ///
    /// # Errors
    /// As `prefill`, and `InvalidArgument` for indices that do not ascend or lie beyond the last token.
    pub fn prefill_scored(
        &mut self,
        tokens: &[u32],
        heads: &[(usize, HeadRows<'_>)],
        cancel: &CancelHandle,
        mut show: impl FnMut(usize, &[f32]),
    ) -> Result<Prefill> {
        let capacity = self.capacity();
        if tokens.len() > capacity {
            return Err(Error::ContextFull {
                needed: tokens.len(),
                capacity,
            });
        }
        let vocabulary = self.model.hparams().vocabulary;
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
            return Err(Error::InvalidToken { token, vocabulary });
        }
        check_heads(heads, tokens.len())?;

        let precision = self.precision();
        let set = self.rope_set_for(tokens.len());
        let shared = self
            .tokens
            .iter()
            .zip(tokens)
            .take_while(|(a, b)| a == b)
            .count();
        let wanted = heads.first().map_or(tokens.len(), |(index, _)| *index);
        let reused = if self.cache.rope_set() == set {
            shared.min(wanted)
        } else {
            0
        };
        self.truncate(reused);
        if reused == 0 {
            self.cache.reset(set);
        }

        let mut remaining = heads;
        let mut start = reused;
        while start < tokens.len() {
            let (end, inside) = self.next_chunk(start, tokens.len(), remaining);
            let (chunk_heads, rest) = remaining.split_at_checked(inside).unwrap_or_default();
            remaining = rest;
            let heads: Vec<_> = chunk_heads
                .iter()
                .map(|(index, rows)| (index - start, *rows))
                .collect();
            let chunk = tokens.get(start..end).unwrap_or_default();
            self.has_logits = false;
            let sequence = SequenceInput {
                cache: &mut self.cache,
                tokens: chunk,
                heads: &heads,
            };
            self.model.backend().forward(
                &mut [sequence],
                precision,
                &mut self.scratch,
                cancel.flag(),
            )?;
            self.tokens.extend_from_slice(chunk);
            for (request, (index, _)) in chunk_heads.iter().enumerate() {
                show(*index, self.scratch.logits(request).unwrap_or_default());
            }
            start = end;
            self.has_logits = matches!(
                chunk_heads.last(),
                Some((index, HeadRows::All)) if index + 1 == end
            );
        }
        Ok(Prefill {
            reused,
            computed: tokens.len() - reused,
        })
    }

    /// Where the chunk that begins at `start` ends, and how many of `heads` lie in it: bounded in tokens and
    /// in logits, which for a large vocabulary are the larger part of the memory.
    fn next_chunk(
        &self,
        start: usize,
        len: usize,
        heads: &[(usize, HeadRows<'_>)],
    ) -> (usize, usize) {
        const HEADS_A_CHUNK: usize = 32;
        let end = len.min(start + self.options.prefill_chunk);
        let inside = heads.iter().take_while(|(index, _)| *index < end).count();
        match heads.get(HEADS_A_CHUNK) {
            Some((next, _)) if inside > HEADS_A_CHUNK => (*next, HEADS_A_CHUNK),
            _ => (end, inside),
        }
    }

    /// Appends `tokens` to what is held.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    pub fn extend(&mut self, tokens: &[u32], cancel: &CancelHandle) -> Result<Prefill> {
        let all: Vec<u32> = self.tokens.iter().chain(tokens).copied().collect();
        self.prefill(&all, cancel)
    }

    /// Keeps the first `len` tokens.
    pub fn truncate(&mut self, len: usize) {
        if len < self.tokens.len() {
            self.tokens.truncate(len);
            self.cache.truncate(len);
            self.has_logits = false;
        }
    }

    /// A second session with the same content; keys and values are shared until one of the two overwrites
    /// them.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn fork(&self) -> Result<Session> {
        let rows = self.options.prefill_chunk.min(self.options.context);
        Ok(Session {
            model: self.model.clone(),
            options: self.options.clone(),
            cache: self.cache.fork(),
            tokens: self.tokens.clone(),
            has_logits: false,
            scratch: Scratch::new(self.model.hparams(), rows)?,
        })
    }

    /// Logits after the last token, one a token of the vocabulary; `None` before the first prefill, after a
    /// truncation, in a fresh fork and after an error.
    pub fn logits(&self) -> Option<&[f32]> {
        let last = self.scratch.logit_ends.len().checked_sub(1)?;
        if self.has_logits {
            self.scratch.logits(last)
        } else {
            None
        }
    }

    /// The `count` most probable next tokens, best first; empty where there are no
    /// [`logits`](Self::logits).
    pub fn candidates(&self, count: usize) -> Vec<Candidate> {
        self.logits()
            .map_or_else(Vec::new, |logits| top_candidates(logits, count))
    }

    /// Continues `prompt`. Nothing is computed before the first [`Generation::next`], so the prompt's
    /// prefill can be cancelled too.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty prompt or options outside their range, `ContextFull` for a prompt that does not fit.
    pub fn generate(
        &mut self,
        prompt: &[u32],
        options: GenerationOptions,
    ) -> Result<Generation<'_>> {
        Generation::new(self, prompt, options)
    }

    /// Tokens that fit: the context, or less where a planned set of frequencies ends before.
    pub fn capacity(&self) -> usize {
        let context = self.options.context;
        match self.options.rope_policy {
            RopePolicy::Planned(planned) if self.rope_set_for(planned) == RopeSet::Short => {
                // Beyond the original context the short set is wrong, and the plan excluded the long one.
                let rope = &self.model.hparams().rope;
                context.min(rope.short_set_limit().unwrap_or(context))
            }
            _ => context,
        }
    }

    #[cfg(test)]
    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    fn precision(&self) -> Precision {
        self.options
            .precision
            .unwrap_or_else(|| Precision::for_size(self.model.gguf()))
    }

    /// Which of LongRoPE's sets a text of `len` tokens has.
    pub(crate) fn rope_set_for(&self, len: usize) -> RopeSet {
        let rope = &self.model.hparams().rope;
        match self.options.rope_policy {
            RopePolicy::Reference => rope.set_for_length(len),
            RopePolicy::Planned(planned) => rope.set_for_length(planned),
        }
    }
}
