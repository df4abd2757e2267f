//! Continuing a text, one pulled chunk at a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::backend::{BackendKind, FallbackCause, HeadRows};
use crate::prompt_lookup;
use crate::sampler::{Sampler, Sampling};
use crate::session::{CancelHandle, Session};
use crate::tokenizer::{Detokenizer, Tokenizer};
use crate::{Error, Result};

/// Tokens that can be guessed ahead at once.
pub const MAX_PROMPT_LOOKUP: usize = 31;

/// What to generate and when to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationOptions {
    /// Tokens to generate at most.
    pub max_tokens: usize,
    /// How each token is chosen.
    pub sampling: Sampling,
    /// Texts that end the generation; the text before the first of them is all that is given out.
    pub stop: Vec<String>,
    /// Whether a token that ends the text (end of turn, end of text) ends the generation.
    pub stop_at_end_of_text: bool,
    /// Tokens that are guessed ahead at most, where the text repeats itself: what followed the last tokens earlier may
    /// follow again, and one pass tells for all of them. The generation is the same as without, token by token, and
    /// faster where guesses are right. 0 guesses nothing; at most [`MAX_PROMPT_LOOKUP`].
    pub prompt_lookup: usize,
}

impl Default for GenerationOptions {
    fn default() -> Self {
        GenerationOptions {
            max_tokens: 256,
            sampling: Sampling::default(),
            stop: Vec::new(),
            stop_at_end_of_text: true,
            prompt_lookup: 0,
        }
    }
}

/// A piece of generated text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The token behind it; `None` in a last chunk that only carries text that was held back.
    pub token: Option<u32>,
    /// Whole characters. Empty while a character is incomplete or a stop string may have begun.
    pub text: String,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The model ended the text.
    EndOfText,
    /// `max_tokens` were generated.
    MaxTokens,
    /// One of the stop strings appeared.
    StopString,
}

/// Counts and times of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens of the prompt whose keys and values the session held already.
    pub reused_tokens: usize,
    /// Tokens that went through the network in prefill, including a text that was computed anew because it
    /// outgrew LongRoPE's short set.
    pub prefilled_tokens: usize,
    /// Tokens generated.
    pub generated_tokens: usize,
    /// Passes of one new token, and of what was guessed after it.
    pub decode_steps: usize,
    /// Tokens that were guessed ahead.
    pub guessed_tokens: usize,
    /// Tokens that were guessed right: each of them saved a pass.
    pub accepted_tokens: usize,
    /// Time of all prefills.
    pub prefill_time: Duration,
    /// Time of all decode steps.
    pub decode_time: Duration,
    /// From the first call of [`Generation::next`] to the first token.
    pub first_token_time: Duration,
    /// What ran the last pass.
    pub backend: BackendKind,
    /// Why the backend that was chosen did not run it; more of that is in
    /// [`Backend::fallback`](crate::backend::Backend::fallback).
    pub fallback: Option<FallbackCause>,
}

impl Stats {
    /// Tokens of prefill a second; 0 where nothing was prefilled.
    pub fn prefill_tokens_per_second(&self) -> f64 {
        rate(self.prefilled_tokens, self.prefill_time)
    }

    /// Tokens that went through the network in decode steps, a second; 0 before the first.
    pub fn decode_tokens_per_second(&self) -> f64 {
        rate(self.decode_steps + self.accepted_tokens, self.decode_time)
    }
}

fn rate(count: usize, time: Duration) -> f64 {
    if time.is_zero() {
        0.0
    } else {
        count as f64 / time.as_secs_f64()
    }
}

/// A generation over a borrowed session: a pull iterator that runs one step on the caller's thread for each
/// [`next`](Generation::next).
#[derive(Debug)]
pub struct Generation<'s> {
    session: &'s mut Session,
    state: GenerationState,
}

impl<'s> Generation<'s> {
    pub(crate) fn new(
        session: &'s mut Session,
        prompt: &[u32],
        options: GenerationOptions,
    ) -> Result<Generation<'s>> {
        let state = GenerationState::new(session, prompt, options)?;
        Ok(Generation { session, state })
    }

    /// See [`GenerationState::next`].
    ///
    /// # Errors
    /// As there.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results could not be resumed"
    )]
    pub fn next(&mut self) -> Result<Option<Chunk>> {
        self.state.next(self.session)
    }

    /// A handle that cancels this generation from any thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.state.cancel_handle()
    }

    /// Counts and times so far.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// Why the generation ended; `None` while it runs.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.state.stop_reason()
    }
}

/// A generation that does not hold its session, for callers whose sessions live behind a lock (such as
/// foreign-language bindings).
#[derive(Debug)]
pub struct GenerationState {
    /// Prompt and generated tokens.
    tokens: Vec<u32>,
    max_tokens: usize,
    stop_at_end_of_text: bool,
    prompt_lookup: usize,
    /// Tokens to guess next, at most `prompt_lookup`: more after guesses that were right to their end.
    guess_len: usize,
    /// Tokens that follow `tokens` and are not given out yet.
    sampled: VecDeque<u32>,
    sampler: Sampler,
    output: StopStrings,
    detokenizer: Detokenizer,
    cancel: CancelHandle,
    started: Option<Instant>,
    stats: Stats,
    stop_reason: Option<StopReason>,
}

impl GenerationState {
    /// Begins to continue `prompt` in a session, which is named again with every step.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty prompt, an empty stop string or numbers outside their range; `ContextFull` for a prompt beyond the session's capacity.
    pub fn new(
        session: &Session,
        prompt: &[u32],
        options: GenerationOptions,
    ) -> Result<GenerationState> {
        let invalid = |argument, expected: &str| Error::InvalidArgument {
            argument,
            expected: expected.to_owned(),
            found: "an empty one".to_owned(),
        };
        if prompt.is_empty() {
            return Err(invalid("prompt", "at least one token"));
        }
        if options.stop.iter().any(String::is_empty) {
            return Err(invalid("stop string", "at least one character"));
        }
        if options.prompt_lookup > MAX_PROMPT_LOOKUP {
            return Err(Error::InvalidArgument {
                argument: "prompt lookup",
                expected: format!("at most {MAX_PROMPT_LOOKUP}"),
                found: options.prompt_lookup.to_string(),
            });
        }
        if prompt.len() > session.capacity() {
            return Err(Error::ContextFull {
                needed: prompt.len(),
                capacity: session.capacity(),
            });
        }
        Ok(GenerationState {
            tokens: prompt.to_vec(),
            max_tokens: options.max_tokens,
            stop_at_end_of_text: options.stop_at_end_of_text,
            prompt_lookup: options.prompt_lookup,
            guess_len: prompt_lookup::FIRST_GUESS.min(options.prompt_lookup),
            sampled: VecDeque::new(),
            sampler: Sampler::new(options.sampling)?,
            output: StopStrings::new(options.stop),
            detokenizer: Detokenizer::default(),
            cancel: CancelHandle::new(),
            started: None,
            stats: Stats {
                prompt_tokens: prompt.len(),
                ..Stats::default()
            },
            stop_reason: (options.max_tokens == 0).then_some(StopReason::MaxTokens),
        })
    }

    /// Generates one token and gives out the text that is settled by it; `None` when the generation has
    /// ended. The first call prefills the prompt. `session` must be the one that the generation began with;
    /// whatever else it held meanwhile only costs time.
    ///
    /// # Errors
    /// `Cancelled` after [`CancelHandle::cancel`], from then on always; `ContextFull` when the session can
    /// hold no further token; the errors of [`Session::prefill`]. Text given out before stays valid.
    pub fn next(&mut self, session: &mut Session) -> Result<Option<Chunk>> {
        if self.stop_reason.is_some() {
            return Ok(None);
        }
        if self.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let started = *self.started.get_or_insert_with(Instant::now);
        let token = match self.sampled.pop_front() {
            Some(token) => token,
            None => self.sample(session)?,
        };
        if self.stats.generated_tokens == 0 {
            self.stats.first_token_time = started.elapsed();
        }

        let model = session.model().clone();
        let tokenizer = model.tokenizer();
        let chunk = if self.stop_at_end_of_text && tokenizer.is_end_of_generation(token) {
            self.finish(StopReason::EndOfText, None)
        } else {
            self.tokens.push(token);
            self.stats.generated_tokens += 1;
            self.give_out(tokenizer, token)?
        };
        if self.stop_reason.is_some() {
            // What was guessed right and is not wanted.
            session.truncate(self.tokens.len());
        }
        Ok(chunk)
    }

    /// The next token. Those after it that are known too wait in `sampled`.
    fn sample(&mut self, session: &mut Session) -> Result<u32> {
        let guess = self.guess(session);
        if !guess.is_empty() {
            self.verify(session, guess)?;
            if let Some(token) = self.sampled.pop_front() {
                return Ok(token);
            }
        }
        self.compute(session)?;
        let logits = session.logits().ok_or_else(|| Error::Internal {
            what: "a prefill left no logits".to_owned(),
        })?;
        self.sampler.sample(logits, &self.tokens)
    }

    /// What may follow, as far as it can be verified in a decode step.
    fn guess(&self, session: &Session) -> Vec<u32> {
        let len = self.tokens.len();
        let wanted = self
            .max_tokens
            .saturating_sub(self.stats.generated_tokens + 1);
        let room = session.capacity().saturating_sub(len);
        let most = self.guess_len.min(wanted).min(room);
        if most == 0 {
            return Vec::new();
        }
        let is_decode =
            session.tokens().len() + 1 == len && self.tokens.starts_with(session.tokens());
        if !is_decode {
            return Vec::new();
        }
        let guess = prompt_lookup::continuation(&self.tokens, most);
        // Where the text crosses into LongRoPE's long set, all of it is computed again.
        match session.rope_set_for(len + guess.len()) == session.cache().rope_set() {
            true => guess.to_vec(),
            false => Vec::new(),
        }
    }

    /// One pass over the last token and what is guessed after it; samples as long as the guess is right, and once more.
    fn verify(&mut self, session: &mut Session, guess: Vec<u32>) -> Result<()> {
        let start = Instant::now();
        let len = self.tokens.len();
        let mut tokens = self.tokens.clone();
        tokens.extend(&guess);
        let heads: Vec<_> = (len - 1..tokens.len())
            .map(|index| (index, HeadRows::All))
            .collect();
        let mut sampled: Vec<u32> = Vec::with_capacity(heads.len());
        let mut failure = None;
        session.prefill_scored(&tokens, &heads, &self.cancel, |index, logits| {
            // Each position counts only where all before it were guessed right.
            let right = guess.get(..index + 1 - len) == Some(sampled.as_slice());
            if right && failure.is_none() {
                let before = tokens.get(..=index).unwrap_or_default();
                match self.sampler.sample(logits, before) {
                    Ok(token) => sampled.push(token),
                    Err(error) => failure = Some(error),
                }
            }
        })?;
        self.note_backend(session);
        session.truncate(len + sampled.len().saturating_sub(1));
        if let Some(error) = failure {
            return Err(error);
        }
        self.stats.decode_steps += 1;
        self.stats.decode_time += start.elapsed();
        self.stats.guessed_tokens += guess.len();
        let accepted = sampled.len().saturating_sub(1);
        self.stats.accepted_tokens += accepted;
        let next = prompt_lookup::next_len(self.guess_len, guess.len(), accepted);
        self.guess_len = next.min(self.prompt_lookup);
        self.sampled.extend(sampled);
        Ok(())
    }

    /// Brings the session up to the last token. More than one new token is a prefill: the prompt, or a text
    /// that crossed into LongRoPE's long set.
    fn compute(&mut self, session: &mut Session) -> Result<()> {
        let is_first = self.stats.prefilled_tokens + self.stats.decode_steps == 0;
        let start = Instant::now();
        let prefill = session.prefill(&self.tokens, &self.cancel)?;
        let time = start.elapsed();
        self.note_backend(session);
        if is_first {
            self.stats.reused_tokens = prefill.reused;
        }
        if is_first || prefill.computed > 1 {
            self.stats.prefilled_tokens += prefill.computed;
            self.stats.prefill_time += time;
        } else {
            self.stats.decode_steps += 1;
            self.stats.decode_time += time;
        }
        Ok(())
    }

    fn note_backend(&mut self, session: &Session) {
        let backend = session.model().backend();
        self.stats.backend = backend.kind();
        self.stats.fallback = backend.fallback().map(|fallback| fallback.cause);
    }

    fn give_out(&mut self, tokenizer: &Tokenizer, token: u32) -> Result<Option<Chunk>> {
        let text = self.detokenizer.push(tokenizer, token)?;
        let (settled, found) = self.output.push(&text);
        if found {
            self.stop_reason = Some(StopReason::StopString);
        } else if self.stats.generated_tokens >= self.max_tokens {
            let last = self.finish(StopReason::MaxTokens, Some(token));
            return Ok(last.map(|last| Chunk {
                text: settled + &last.text,
                ..last
            }));
        }
        Ok(Some(Chunk {
            token: Some(token),
            text: settled,
        }))
    }

    /// Ends the generation and gives out what was held back.
    fn finish(&mut self, reason: StopReason, token: Option<u32>) -> Option<Chunk> {
        let (mut text, found) = self.output.push(&self.detokenizer.finish());
        if !found {
            text.push_str(&self.output.finish());
        }
        self.stop_reason = Some(if found {
            StopReason::StopString
        } else {
            reason
        });
        (token.is_some() || !text.is_empty()).then_some(Chunk { token, text })
    }

    /// A handle that cancels this generation from any thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    /// Counts and times so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Why the generation ended; `None` while it runs.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.stop_reason
    }
}

/// Holds text back while it may be the beginning of a stop string.
#[derive(Debug)]
struct StopStrings {
    stop: Vec<String>,
    held: String,
}

impl StopStrings {
    fn new(stop: Vec<String>) -> StopStrings {
        StopStrings {
            stop,
            held: String::new(),
        }
    }

    /// Adds `text` and returns what is settled, and whether a stop string was found: then the text before it.
    fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(start) = self
            .stop
            .iter()
            .filter_map(|stop| self.held.find(stop))
            .min()
        {
            self.held.truncate(start);
            return (std::mem::take(&mut self.held), true);
        }
        let may_begin = |tail: &str| self.stop.iter().any(|stop| stop.starts_with(tail));
        let start = self
            .held
            .char_indices()
            .map(|(index, _)| index)
            .find(|&index| self.held.get(index..).is_some_and(may_begin))
            .unwrap_or(self.held.len());
        let tail = self.held.split_off(start);
        (std::mem::replace(&mut self.held, tail), false)
    }

    fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(stop: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut strings = StopStrings::new(stop.iter().map(|s| s.to_string()).collect());
        let mut out = String::new();
        for piece in pieces {
            let (settled, found) = strings.push(piece);
            out.push_str(&settled);
            if found {
                return (out, true);
            }
        }
        out.push_str(&strings.finish());
        (out, false)
    }

    #[test]
    fn a_stop_string_may_be_split_over_pieces() {
        assert_eq!(
            run(&["\n\n"], &["a\n", "b\n", "\nc"]),
            ("a\nb".to_owned(), true)
        );
        assert_eq!(run(&["END"], &["xE", "N", "x"]), ("xENx".to_owned(), false));
    }

    #[test]
    fn the_first_stop_string_in_the_text_wins() {
        assert_eq!(run(&["yz", "xyz"], &["wxyz"]), ("w".to_owned(), true));
    }

    proptest! {
        #[test]
        fn any_split_gives_what_the_whole_text_gives(
            pieces in prop::collection::vec("[abé]{0,4}", 0..12),
            stop in prop::collection::vec("[abé]{1,3}", 0..3),
        ) {
            let stop: Vec<&str> = stop.iter().map(String::as_str).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let whole = pieces.concat();
            let split = run(&stop, &pieces);
            // With stop strings of different lengths a split may settle on one that ends earlier.
            let first_end = stop.iter().filter_map(|s| whole.find(s).map(|at| at + s.len())).min();
            match first_end {
                None => prop_assert_eq!(split, (whole, false)),
                Some(_) => {
                    prop_assert!(split.1);
                    prop_assert!(whole.starts_with(&split.0));
                    prop_assert!(stop.iter().all(|s| !split.0.contains(s)));
                }
            }
        }
    }
}
