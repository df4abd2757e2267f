//! What answers a keyboard's requests: the typing engine, and what it is compared with.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nibble::{CancelHandle, Model, Session, SessionOptions, SpecialTokens};
use nibble_keyboard::controller::EngineNotice;
use nibble_keyboard::position::{Join, TextPosition};
use nibble_keyboard::{Completer, EditorContext, Primers, Suggestion, SuggestionKind, Suggestions};
use serde::Deserialize;

use crate::failure::Failure;

/// Answers requests, and counts what that takes.
pub(crate) trait Predictor {
    /// Suggestions for a text field, once everything that has a say was heard. `taps` says where the letters of
    /// the begun word were touched, or is empty.
    fn suggest(
        &mut self,
        context: &EditorContext,
        taps: &[(f32, f32)],
    ) -> Result<Suggestions, Failure>;

    /// What suggestions would be here, where that costs no pass; `None` where it would.
    fn peek(&mut self, context: &EditorContext) -> Result<Option<Suggestions>, Failure>;

    /// What the user did.
    fn notice(&mut self, notice: &EngineNotice) -> Result<(), Failure>;

    /// What was counted.
    fn costs(&self) -> Costs;
}

/// What answers took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Costs {
    /// Forward calls.
    pub(crate) passes: u64,
    /// Those of look-ahead.
    pub(crate) speculative: u64,
    /// Times of answers inside a word.
    pub(crate) inside: Vec<Duration>,
    /// Times from a request at a new boundary to the answer that the model had a part in.
    pub(crate) boundary: Vec<Duration>,
    /// Boundaries that were known when they were reached.
    pub(crate) hidden: u64,
    /// Boundaries that were reached.
    pub(crate) boundaries: u64,
}

/// Longer than any pass takes.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The typing engine.
pub(crate) struct Engine {
    completer: Completer,
    learns: bool,
    /// Whether questions beside those of the keyboard are free: look-ahead answers them with passes.
    peeks: bool,
    costs: Costs,
    /// The text before the boundary that was last asked about.
    boundary: String,
}

impl Engine {
    pub(crate) fn new(completer: Completer, learns: bool, look_ahead: bool) -> Engine {
        Engine {
            completer,
            learns,
            peeks: !look_ahead,
            costs: Costs::default(),
            boundary: String::new(),
        }
    }

    pub(crate) fn completer(&self) -> &Completer {
        &self.completer
    }
}

impl Predictor for Engine {
    fn suggest(
        &mut self,
        context: &EditorContext,
        taps: &[(f32, f32)],
    ) -> Result<Suggestions, Failure> {
        let taps = (!taps.is_empty()).then_some(taps);
        let start = Instant::now();
        let first = self.completer.suggest_tapped(context, taps);
        let elapsed = start.elapsed();
        let position = TextPosition::of(&context.before);
        let is_new = position.join != Join::Unusual
            && !position.context.is_empty()
            && position.context != self.boundary;
        if is_new {
            self.costs.boundaries += 1;
            self.costs.hidden += u64::from(first.fresh);
            self.boundary = position.context.to_owned();
        }
        if first.fresh {
            if !position.typed.is_empty() {
                self.costs.inside.push(elapsed);
            }
            self.completer.wait_idle(LONGEST_WAIT);
            return Ok(first);
        }
        let mut suggestions = self.completer.wait_fresh(context, LONGEST_WAIT);
        if taps.is_some() {
            suggestions = self.completer.suggest_tapped(context, taps);
        }
        if is_new && suggestions.fresh {
            self.costs.boundary.push(start.elapsed());
        } else if !position.typed.is_empty() {
            self.costs.inside.push(elapsed);
        }
        // Keys come so slowly that look-ahead has had its time before the next.
        self.completer.wait_idle(LONGEST_WAIT);
        Ok(suggestions)
    }

    fn peek(&mut self, context: &EditorContext) -> Result<Option<Suggestions>, Failure> {
        Ok(self.peeks.then(|| self.completer.suggest(context)))
    }

    fn notice(&mut self, notice: &EngineNotice) -> Result<(), Failure> {
        match notice {
            EngineNotice::Commit { before, text } if self.learns => {
                self.completer.commit(before, text)?;
            }
            EngineNotice::Revert { typed, .. } if self.learns => self.completer.revert(typed)?,
            EngineNotice::Focus { .. } => self.boundary.clear(),
            _ => {}
        }
        Ok(())
    }

    fn costs(&self) -> Costs {
        let stats = self.completer.stats();
        Costs {
            passes: stats.passes,
            speculative: stats.speculative_passes,
            ..self.costs.clone()
        }
    }
}

/// The usual way to complete words with a language model: the text with the half-typed word is tokenized anew
/// at every key, and the most probable next tokens continue it. What it shares with the text before is not
/// computed again.
pub(crate) struct PerKey {
    session: Session,
    start: Vec<u32>,
    costs: Costs,
}

/// Suggestions that [`PerKey`] makes.
const SLOTS: usize = 3;
/// Tokens that [`PerKey`] looks at to find them.
const CANDIDATES: usize = 64;

impl PerKey {
    pub(crate) fn new(model: Arc<Model>, primers: &Primers) -> Result<PerKey, Failure> {
        let tokenizer = model.tokenizer();
        let primer = primers.message.trim_end();
        let mut start: Vec<u32> = tokenizer.special("<|endoftext|>").into_iter().collect();
        start.extend(tokenizer.encode(primer, SpecialTokens::AsText)?);
        if !primer.is_empty() {
            start.extend(tokenizer.encode("\n", SpecialTokens::AsText)?);
        }
        let options = SessionOptions {
            context: 1024,
            ..SessionOptions::default()
        };
        Ok(PerKey {
            session: Session::new(model.clone(), options)?,
            start,
            costs: Costs::default(),
        })
    }
}

impl Predictor for PerKey {
    fn suggest(
        &mut self,
        context: &EditorContext,
        _: &[(f32, f32)],
    ) -> Result<Suggestions, Failure> {
        let model = self.session.model().clone();
        let position = TextPosition::of(&context.before);
        let typed = position.typed;
        // A space belongs to the word after it.
        let text = match typed {
            "" => context.before.trim_end_matches(' '),
            _ => &context.before,
        };
        let mut tokens = self.start.clone();
        tokens.extend(model.tokenizer().encode(text, SpecialTokens::AsText)?);
        if tokens.is_empty() {
            return Ok(Suggestions::default());
        }
        self.session.prefill(&tokens, &CancelHandle::new())?;
        self.costs.passes += 1;
        let mut items: Vec<Suggestion> = Vec::new();
        for candidate in self.session.candidates(CANDIDATES) {
            let piece = model.tokenizer().decode(&[candidate.token])?;
            let word = match typed {
                "" => piece.strip_prefix(' ').unwrap_or(&piece).to_owned(),
                // What begins with a space says that the word is complete.
                _ => format!("{typed}{piece}"),
            };
            let is_word = word.chars().all(|c| c.is_alphanumeric() || c == '\'');
            let is_known = items.iter().any(|item| item.text == word);
            if is_word && !word.is_empty() && word != typed && !is_known {
                items.push(Suggestion {
                    text: word,
                    kind: SuggestionKind::Completion,
                    score: candidate.logprob,
                    replace: typed.chars().count(),
                    automatic: false,
                });
            }
            if items.len() == SLOTS {
                break;
            }
        }
        Ok(Suggestions {
            epoch: context.epoch,
            items,
            fresh: true,
        })
    }

    fn peek(&mut self, _: &EditorContext) -> Result<Option<Suggestions>, Failure> {
        Ok(None)
    }

    fn notice(&mut self, _: &EngineNotice) -> Result<(), Failure> {
        Ok(())
    }

    fn costs(&self) -> Costs {
        self.costs.clone()
    }
}

/// A program that speaks the JSON lines of `nibble suggest --stdio`.
pub(crate) struct External {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    command: String,
    costs: Costs,
}

#[derive(Debug, Deserialize)]
struct Answer {
    suggestions: Vec<Item>,
    #[serde(default)]
    passes: u64,
}

#[derive(Debug, Deserialize)]
struct Item {
    text: String,
    kind: SuggestionKind,
    score: f32,
    replace: usize,
}

impl External {
    /// Starts `command`, which a shell takes apart.
    pub(crate) fn start(command: &str) -> Result<External, Failure> {
        let failed = |source| Failure::Io {
            what: command.to_owned(),
            source,
        };
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(std::io::Error::other("no pipes")));
        };
        Ok(External {
            child,
            input,
            output: BufReader::new(output),
            command: command.to_owned(),
            costs: Costs::default(),
        })
    }

    fn exchange(&mut self, line: &serde_json::Value) -> std::io::Result<Answer> {
        writeln!(self.input, "{line}")?;
        self.input.flush()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Predictor for External {
    fn suggest(
        &mut self,
        context: &EditorContext,
        _: &[(f32, f32)],
    ) -> Result<Suggestions, Failure> {
        let line = serde_json::json!({
            "before": context.before,
            "after": context.after,
            "field": context.field,
            "wait": true,
        });
        let answer = self.exchange(&line).map_err(|source| Failure::Io {
            what: self.command.clone(),
            source,
        })?;
        self.costs.passes = answer.passes;
        let items = answer.suggestions.into_iter().map(|item| Suggestion {
            text: item.text,
            kind: item.kind,
            score: item.score,
            replace: item.replace,
            automatic: false,
        });
        Ok(Suggestions {
            epoch: context.epoch,
            items: items.collect(),
            fresh: true,
        })
    }

    fn peek(&mut self, context: &EditorContext) -> Result<Option<Suggestions>, Failure> {
        self.suggest(context, &[]).map(Some)
    }

    fn notice(&mut self, _: &EngineNotice) -> Result<(), Failure> {
        Ok(())
    }

    fn costs(&self) -> Costs {
        self.costs.clone()
    }
}

impl Drop for External {
    fn drop(&mut self) {
        // It ends with its input at the latest; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
