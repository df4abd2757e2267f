//! Generations: a text that is continued chunk by chunk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nibble::{GenerationState, Sampling};

use crate::error::{NibbleError, Result};
use crate::exclusive::Exclusive;
use crate::model::count;

/// What to generate and when to stop.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct GenerationOptions {
    /// Tokens to generate at most.
    #[uniffi(default = 256)]
    pub max_tokens: u32,
    /// Divides the logits; 0 takes the most probable token each time.
    #[uniffi(default = 0.0)]
    pub temperature: f32,
    /// Only the `top_k` most probable tokens; 0 for all.
    #[uniffi(default = 0)]
    pub top_k: u32,
    /// Only the most probable tokens that have this probability together; 1 for all.
    #[uniffi(default = 1.0)]
    pub top_p: f32,
    /// Only tokens at least this many times as probable as the best one; 0 for all.
    #[uniffi(default = 0.0)]
    pub min_p: f32,
    /// Makes tokens that came lately less likely; 1 for no effect.
    #[uniffi(default = 1.0)]
    pub repetition_penalty: f32,
    /// How many tokens back `repetition_penalty` looks.
    #[uniffi(default = 64)]
    pub repetition_window: u32,
    /// Seed of the random numbers: the same seed, model and prompt give the same text.
    #[uniffi(default = 0)]
    pub seed: u64,
    /// Texts that end the generation; only what comes before them is given out.
    #[uniffi(default = [])]
    pub stop: Vec<String>,
    /// Whether a token that ends the text ends the generation.
    #[uniffi(default = true)]
    pub stop_at_end_of_text: bool,
    /// Whether the names of special tokens in the prompt, such as `<|im_end|>`, are read as those tokens. Leave
    /// it off where the prompt holds what users typed.
    #[uniffi(default = false)]
    pub parse_special_tokens: bool,
    /// Tokens that are guessed ahead at most where the text repeats itself, up to 31; 0 for none. The text is the same
    /// as without, and comes faster where guesses are right.
    #[uniffi(default = 0)]
    pub prompt_lookup: u32,
}

impl Default for GenerationOptions {
    fn default() -> Self {
        let Sampling {
            temperature,
            top_k,
            top_p,
            min_p,
            repetition_penalty,
            repetition_window,
            seed,
        } = Sampling::default();
        let defaults = nibble::GenerationOptions::default();
        GenerationOptions {
            max_tokens: count(defaults.max_tokens),
            temperature,
            top_k: count(top_k),
            top_p,
            min_p,
            repetition_penalty,
            repetition_window: count(repetition_window),
            seed,
            stop: defaults.stop,
            stop_at_end_of_text: defaults.stop_at_end_of_text,
            parse_special_tokens: false,
            prompt_lookup: count(defaults.prompt_lookup),
        }
    }
}

impl From<GenerationOptions> for nibble::GenerationOptions {
    fn from(options: GenerationOptions) -> nibble::GenerationOptions {
        nibble::GenerationOptions {
            max_tokens: options.max_tokens as usize,
            sampling: Sampling {
                temperature: options.temperature,
                top_k: options.top_k as usize,
                top_p: options.top_p,
                min_p: options.min_p,
                repetition_penalty: options.repetition_penalty,
                repetition_window: options.repetition_window as usize,
                seed: options.seed,
            },
            stop: options.stop,
            stop_at_end_of_text: options.stop_at_end_of_text,
            prompt_lookup: options.prompt_lookup as usize,
        }
    }
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum StopReason {
    /// The model ended the text.
    EndOfText,
    /// `max_tokens` were generated.
    MaxTokens,
    /// One of the stop strings appeared.
    StopString,
}

impl StopReason {
    fn of(reason: nibble::StopReason) -> StopReason {
        match reason {
            nibble::StopReason::MaxTokens => StopReason::MaxTokens,
            nibble::StopReason::StopString => StopReason::StopString,
            _ => StopReason::EndOfText,
        }
    }
}

/// A piece of generated text.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Chunk {
    /// Whole characters; empty while a character is incomplete or a stop string may have begun.
    pub text: String,
    /// The token behind it; none in a last chunk that has no token of its own.
    pub token: Option<u32>,
    /// Tokens generated so far.
    pub generated_tokens: u32,
    /// Why the generation ended: in its last chunk, and only there.
    pub stop_reason: Option<StopReason>,
}

/// Counts and times of one generation. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct GenerationStats {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the prompt that the session held already.
    pub reused_tokens: u32,
    /// Tokens that went through the network in prefill.
    pub prefilled_tokens: u32,
    /// Tokens generated.
    pub generated_tokens: u32,
    /// Time of all prefills.
    pub prefill_milliseconds: f64,
    /// Time of all single-token passes.
    pub decode_milliseconds: f64,
    /// From the first [`Generation::next`] to the first token.
    pub first_token_milliseconds: f64,
    /// Tokens of prefill a second; 0 where there were none.
    pub prefill_tokens_per_second: f64,
    /// Single-token passes a second; 0 before the first.
    pub decode_tokens_per_second: f64,
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl From<nibble::Stats> for GenerationStats {
    fn from(stats: nibble::Stats) -> GenerationStats {
        GenerationStats {
            prompt_tokens: count(stats.prompt_tokens),
            reused_tokens: count(stats.reused_tokens),
            prefilled_tokens: count(stats.prefilled_tokens),
            generated_tokens: count(stats.generated_tokens),
            prefill_milliseconds: milliseconds(stats.prefill_time),
            decode_milliseconds: milliseconds(stats.decode_time),
            first_token_milliseconds: milliseconds(stats.first_token_time),
            prefill_tokens_per_second: stats.prefill_tokens_per_second(),
            decode_tokens_per_second: stats.decode_tokens_per_second(),
        }
    }
}

/// Stops a generation from any thread, without a lock, within a fraction of a step and during prefill too. It
/// may outlive the generation.
#[derive(uniffi::Object)]
pub struct CancelHandle(nibble::CancelHandle);

#[uniffi::export]
impl CancelHandle {
    /// Asks the work to stop: it fails with `Cancelled`. Without effect once it has ended.
    pub fn cancel(&self) -> Result<()> {
        self.0.cancel();
        Ok(())
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> Result<bool> {
        Ok(self.0.is_cancelled())
    }
}

/// Steps of one call of [`Generation::next_chunks`], at most: what a cancelled reader has in vain.
const STEPS_OF_A_CALL: usize = 4;

/// A text that is being continued, one pulled chunk at a time.
#[derive(uniffi::Object)]
pub struct Generation {
    session: Arc<Exclusive<nibble::Session>>,
    progress: Exclusive<Progress>,
    cancel: nibble::CancelHandle,
}

struct Progress {
    state: GenerationState,
    /// Whether the chunk with the stop reason was given out.
    ended: bool,
    /// What ended a call that had chunks to give out first.
    failure: Option<NibbleError>,
}

impl Progress {
    fn next(&mut self, session: &mut nibble::Session) -> Result<Option<Chunk>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.ended {
            return Ok(None);
        }
        let chunk = self.state.next(session)?;
        let stop_reason = self.state.stop_reason().map(StopReason::of);
        self.ended = stop_reason.is_some();
        let (token, text) = chunk.map_or((None, String::new()), |chunk| (chunk.token, chunk.text));
        Ok(Some(Chunk {
            text,
            token,
            generated_tokens: count(self.state.stats().generated_tokens),
            stop_reason,
        }))
    }

    fn next_chunks(&mut self, session: &mut nibble::Session, time: Duration) -> Result<Vec<Chunk>> {
        let begin = Instant::now();
        let mut chunks = Vec::new();
        while chunks.is_empty() || (chunks.len() < STEPS_OF_A_CALL && begin.elapsed() < time) {
            match self.next(session) {
                Ok(Some(chunk)) => chunks.push(chunk),
                Ok(None) => break,
                Err(error) if chunks.is_empty() => return Err(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        Ok(chunks)
    }
}

impl Generation {
    pub(crate) fn new(
        session: Arc<Exclusive<nibble::Session>>,
        state: GenerationState,
    ) -> Arc<Generation> {
        Arc::new(Generation {
            session,
            cancel: state.cancel_handle(),
            progress: Exclusive::new(
                "generation",
                Progress {
                    state,
                    ended: false,
                    failure: None,
                },
            ),
        })
    }
}

#[uniffi::export]
impl Generation {
    /// Runs one step on the calling thread and gives out the text that is settled by it; none after the chunk
    /// that has a stop reason. The first call reads the prompt, which takes longest.
    ///
    /// Fails with `Cancelled` once the generation was cancelled, `Busy` while another thread runs a step of
    /// this session, and `ContextFull` where the session is. Text that was given out before stays valid.
    pub fn next(&self) -> Result<Option<Chunk>> {
        self.progress
            .work(|progress| self.session.work(|session| progress.next(session)))
    }

    /// As [`next`](Self::next), again and again until the time has passed: where a call costs as much as a part of
    /// a step, a few short steps share one. The chunks in order, one at least and four at most; none after the
    /// chunk that has a stop reason. A step that fails behind others lets the next call fail.
    pub fn next_chunks(&self, milliseconds: u32) -> Result<Vec<Chunk>> {
        let time = Duration::from_millis(milliseconds.into());
        self.progress.work(|progress| {
            self.session
                .work(|session| progress.next_chunks(session, time))
        })
    }

    /// A handle that cancels this generation.
    pub fn cancel_handle(&self) -> Result<Arc<CancelHandle>> {
        Ok(Arc::new(CancelHandle(self.cancel.clone())))
    }

    /// Counts and times so far; `Busy` while a step runs.
    pub fn stats(&self) -> Result<GenerationStats> {
        self.progress
            .look(|progress| Ok(progress.state.stats().into()))
    }

    /// Cancels the generation and gives it up; the session stays.
    pub fn release(&self) -> Result<()> {
        self.cancel.cancel();
        self.progress.release();
        Ok(())
    }
}
