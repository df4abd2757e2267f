//! The typing engine.

use std::sync::Arc;
use std::time::Duration;

use nibble_keyboard as keyboard;
use nibble_keyboard::corrector::Thresholds;
use nibble_keyboard::latency::LatencyHistogram;
use nibble_keyboard::scorer::Weights;

use crate::controller::{EngineNotice, EngineRequest, Tap};
use crate::error::{NibbleError, Result};
use crate::generation::milliseconds;
use crate::layout::Layout;
use crate::lexicon::Lexicon;
use crate::model::Model;
use crate::shared::Shared;
use crate::suggestion::{EditorContext, FieldKind, Suggestion, Suggestions};
use crate::user_model::UserModel;

/// A table of words and the emoji that they bring to mind.
#[derive(uniffi::Object)]
pub struct EmojiTable {
    table: Shared<keyboard::EmojiTable>,
}

#[uniffi::export]
impl EmojiTable {
    /// Reads a table from its text: one word a line, then its emoji, best first, with tabs between.
    #[uniffi::constructor]
    pub fn from_text(text: &str) -> Result<Arc<EmojiTable>> {
        let table = keyboard::EmojiTable::from_text(text)?;
        Ok(Arc::new(EmojiTable {
            table: Shared::new("emoji table", Arc::new(table)),
        }))
    }

    /// Reads a table from a file.
    #[uniffi::constructor]
    pub fn open(path: String) -> Result<Arc<EmojiTable>> {
        let text = std::fs::read_to_string(&path)
            .map_err(|source| NibbleError::io(path.clone(), &source))?;
        EmojiTable::from_text(&text)
    }

    /// The emoji of `word`, best first.
    pub fn of(&self, word: &str) -> Result<Vec<String>> {
        Ok(self.table.get()?.of(word).to_vec())
    }

    /// Gives the table up; completers that were made with it have their own.
    pub fn release(&self) -> Result<()> {
        self.table.release();
        Ok(())
    }
}

/// What the model reads before the text of each kind of field: a few lines in its style.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Primers {
    /// For messages, and fields of which nothing is known.
    #[uniffi(default = "")]
    pub message: String,
    /// For e-mail.
    #[uniffi(default = "")]
    pub email: String,
    /// For notes and documents.
    #[uniffi(default = "")]
    pub note: String,
    /// For search boxes.
    #[uniffi(default = "")]
    pub search: String,
}

impl From<Primers> for keyboard::Primers {
    fn from(primers: Primers) -> keyboard::Primers {
        keyboard::Primers {
            message: primers.message.into(),
            email: primers.email.into(),
            note: primers.note.into(),
            search: primers.search.into(),
        }
    }
}

/// The primers that are used where none are given.
#[uniffi::export]
pub fn builtin_primers() -> Result<Primers> {
    let primers = keyboard::Primers::default();
    Ok(Primers {
        message: primers.message.to_string(),
        email: primers.email.to_string(),
        note: primers.note.to_string(),
        search: primers.search.to_string(),
    })
}

/// How model, lexicons and user are mixed.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct WordWeights {
    /// Part of the lexicons beside the model: for rare words.
    #[uniffi(default = 0.05)]
    pub lexicon: f32,
    /// Part of its probability that a token keeps which looks like a word and is in no lexicon.
    #[uniffi(default = 0.3)]
    pub unlisted: f32,
    /// Part of what the user has typed, as far as it is known, beside everything else.
    #[uniffi(default = 0.15)]
    pub user: f32,
}

/// How sure a correction must be to be made without asking, as log odds.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct CorrectionThresholds {
    /// Against a word of the lexicon.
    #[uniffi(default = 2.5)]
    pub known: f32,
    /// Against a word that no lexicon has.
    #[uniffi(default = 1.0)]
    pub unknown: f32,
    /// Against an unknown word of fewer than four letters.
    #[uniffi(default = 1.0)]
    pub unknown_short: f32,
}

/// How a completer works.
#[derive(Clone, uniffi::Record)]
pub struct CompleterOptions {
    /// Suggestions that an answer has.
    #[uniffi(default = 3)]
    pub slots: u32,
    /// Whether mistyped words are corrected.
    #[uniffi(default = true)]
    pub corrections: bool,
    /// Keys of the keyboard, for corrections; none for `qwerty`.
    #[uniffi(default = None)]
    pub layout: Option<Arc<Layout>>,
    /// How sure a correction must be; none for the usual.
    #[uniffi(default = None)]
    pub thresholds: Option<CorrectionThresholds>,
    /// How model, lexicons and user are mixed; none for the usual.
    #[uniffi(default = None)]
    pub weights: Option<WordWeights>,
    /// What the model reads first; none for the built-in ones.
    #[uniffi(default = None)]
    pub primers: Option<Primers>,
    /// Emoji that words bring to mind.
    #[uniffi(default = None)]
    pub emoji: Option<Arc<EmojiTable>>,
    /// Whether words are suggested that a lexicon marks as offensive. What is typed is never filtered.
    #[uniffi(default = false)]
    pub suggest_offensive: bool,
    /// Whether an idle model looks for words of several tokens inside a word, which costs passes: for languages
    /// whose words seldom are single tokens.
    #[uniffi(default = false)]
    pub expand: bool,
    /// Whether an idle model reads the word on that is probably being typed. Hides most of the wait at the next
    /// boundary and costs passes.
    #[uniffi(default = false)]
    pub look_ahead: bool,
    /// Probability from which on a word is read ahead.
    #[uniffi(default = 0.5)]
    pub look_ahead_threshold: f32,
    /// Probability that a phrase of ghost text has at least, all its words together.
    #[uniffi(default = 0.3)]
    pub phrase_threshold: f32,
    /// Bytes that the boundaries visited last may take.
    #[uniffi(default = 6291456)]
    pub cache_bytes: u64,
}

fn engine_options(options: Option<CompleterOptions>) -> Result<keyboard::CompleterOptions> {
    let defaults = keyboard::CompleterOptions::default();
    let Some(options) = options else {
        return Ok(defaults);
    };
    let layout = match options.layout {
        Some(layout) => Some(layout.get()?.as_ref().clone()),
        None => defaults.layout,
    };
    let emoji = match options.emoji {
        Some(emoji) => emoji.table.get()?.as_ref().clone(),
        None => defaults.emoji,
    };
    Ok(keyboard::CompleterOptions {
        slots: options.slots as usize,
        layout: layout.filter(|_| options.corrections),
        thresholds: options
            .thresholds
            .map_or(defaults.thresholds, |thresholds| Thresholds {
                known: thresholds.known,
                unknown: thresholds.unknown,
                unknown_short: thresholds.unknown_short,
            }),
        weights: options.weights.map_or(defaults.weights, |weights| Weights {
            lexicon: weights.lexicon,
            unlisted: weights.unlisted,
            user: weights.user,
        }),
        primers: options.primers.map_or(defaults.primers, Into::into),
        emoji,
        suggest_offensive: options.suggest_offensive,
        expand: options.expand,
        look_ahead: options.look_ahead,
        look_ahead_threshold: options.look_ahead_threshold,
        phrase_threshold: options.phrase_threshold,
        cache_bytes: usize::try_from(options.cache_bytes).unwrap_or(usize::MAX),
    })
}

/// How the completer's model is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum ModelState {
    /// There is none.
    Absent,
    /// It is being prepared.
    Loading,
    /// It answers.
    Ready,
    /// It failed for good, until a model is set again.
    Failed {
        /// The error's exact name.
        code: String,
    },
}

/// Counts and times; no text. Times are milliseconds, and none where nothing was measured.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct TypingStats {
    /// Forward calls, of whatever purpose, aborted ones included.
    pub passes: u64,
    /// Those of look-ahead that were not asked for while they ran.
    pub speculative_passes: u64,
    /// Those of phrases.
    pub phrase_passes: u64,
    /// Those of words of several tokens.
    pub expansion_passes: u64,
    /// Pieces of work that newer work aborted.
    pub aborted: u64,
    /// Pieces of work that failed.
    pub failed: u64,
    /// Boundaries that were asked for and known.
    pub cache_hits: u64,
    /// Boundaries that were asked for and had to be computed.
    pub cache_misses: u64,
    /// Median of a pass.
    pub pass_p50_milliseconds: Option<f64>,
    /// 95th percentile of a pass.
    pub pass_p95_milliseconds: Option<f64>,
    /// Median of a suggestion.
    pub suggest_p50_milliseconds: Option<f64>,
    /// 95th percentile of a suggestion.
    pub suggest_p95_milliseconds: Option<f64>,
    /// Bytes of memory of boundaries, the vocabulary's index and the words.
    pub memory_bytes: u64,
}

impl From<keyboard::Stats> for TypingStats {
    fn from(stats: keyboard::Stats) -> TypingStats {
        let at = |times: &LatencyHistogram, quantile| times.quantile(quantile).map(milliseconds);
        TypingStats {
            passes: stats.passes,
            speculative_passes: stats.speculative_passes,
            phrase_passes: stats.phrase_passes,
            expansion_passes: stats.expansion_passes,
            aborted: stats.aborted,
            failed: stats.failed,
            cache_hits: stats.cache_hits,
            cache_misses: stats.cache_misses,
            pass_p50_milliseconds: at(&stats.pass_latency, 0.5),
            pass_p95_milliseconds: at(&stats.pass_latency, 0.95),
            suggest_p50_milliseconds: at(&stats.suggest_latency, 0.5),
            suggest_p95_milliseconds: at(&stats.suggest_latency, 0.95),
            memory_bytes: stats.memory_bytes as u64,
        }
    }
}

/// Suggests words. Share it between threads as it is.
///
/// `suggest` answers at once, from lexicons and user model alone until the model has been heard on the present
/// word boundary, which costs one pass for each word and none inside it. After an answer that is not fresh call
/// `wait_fresh` on a thread of your own, or `poll` from a loop. Nothing calls back.
#[derive(uniffi::Object)]
pub struct Completer {
    completer: Shared<keyboard::Completer>,
}

impl Completer {
    pub(crate) fn get(&self) -> Result<Arc<keyboard::Completer>> {
        self.completer.get()
    }
}

#[uniffi::export]
impl Completer {
    /// An engine over these lexicons. The model is prepared in the background; what the user types is learned
    /// where there is a user model, which belongs to the completer from then on.
    #[uniffi::constructor(default(user = None, options = None))]
    pub fn new(
        model: Option<Arc<Model>>,
        lexicons: Vec<Arc<Lexicon>>,
        user: Option<Arc<UserModel>>,
        options: Option<CompleterOptions>,
    ) -> Result<Arc<Completer>> {
        let model = model.map(|model| model.get()).transpose()?;
        let lexicons = lexicons.iter().map(|lexicon| lexicon.get());
        let lexicons = keyboard::Lexicons::new(lexicons.collect::<Result<_>>()?);
        let options = engine_options(options)?;
        let make = |user| Arc::new(keyboard::Completer::new(model, lexicons, user, options));
        let completer = match user {
            Some(user) => user.move_into(|user| make(Some(user)))?,
            None => make(None),
        };
        Ok(Arc::new(Completer {
            completer: Shared::new("completer", completer),
        }))
    }

    /// Changes the model. None gives its memory back, under memory pressure for instance; suggestions then come
    /// from the lexicons until there is one again.
    pub fn set_model(&self, model: Option<Arc<Model>>) -> Result<()> {
        let model = model.map(|model| model.get()).transpose()?;
        self.get()?.set_model(model);
        Ok(())
    }

    /// How the model is.
    pub fn model_state(&self) -> Result<ModelState> {
        Ok(match self.get()?.model_state() {
            keyboard::ModelState::Absent => ModelState::Absent,
            keyboard::ModelState::Loading => ModelState::Loading,
            keyboard::ModelState::Ready => ModelState::Ready,
            keyboard::ModelState::Failed(kind) => ModelState::Failed {
                code: kind.name().to_owned(),
            },
            _ => return Err(NibbleError::unnamed("state of the model")),
        })
    }

    /// Changes how many suggestions an answer has.
    pub fn set_slots(&self, slots: u32) -> Result<()> {
        self.get()?.set_slots(slots as usize);
        Ok(())
    }

    /// Messages before the field, oldest first, which the model reads before its text. They are forgotten on
    /// `blur`.
    pub fn set_conversation(&self, messages: Vec<String>) -> Result<()> {
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        self.get()?.set_conversation(&messages);
        Ok(())
    }

    /// Suggestions for a text field, best first. Never runs the model and never waits for it.
    pub fn suggest(&self, context: EditorContext) -> Result<Suggestions> {
        Suggestions::of(self.get()?.suggest(&context.into()))
    }

    /// `suggest` where it is known where the letters of the begun word were tapped: one point for each, in the
    /// coordinates of the layout. Other numbers of points are taken for none.
    pub fn suggest_tapped(&self, context: EditorContext, taps: Vec<Tap>) -> Result<Suggestions> {
        let points: Vec<(f32, f32)> = taps.iter().map(|tap| (tap.x, tap.y)).collect();
        let points = (!points.is_empty()).then_some(points.as_slice());
        Suggestions::of(self.get()?.suggest_tapped(&context.into(), points))
    }

    /// The answer to a request of a keyboard controller.
    pub fn answer(&self, request: EngineRequest) -> Result<Suggestions> {
        Suggestions::of(self.get()?.answer_request(&request.into()))
    }

    /// `suggest` once the model has been heard, or where the time has passed or the model cannot answer. Blocks;
    /// other threads may call anything meanwhile.
    pub fn wait_fresh(
        &self,
        context: EditorContext,
        timeout_milliseconds: u64,
    ) -> Result<Suggestions> {
        let timeout = timeout(timeout_milliseconds);
        Suggestions::of(self.get()?.wait_fresh(&context.into(), timeout))
    }

    /// A better answer for the context that was last asked about, if its answer was not fresh and the model has
    /// been heard since.
    pub fn poll(&self) -> Result<Option<Suggestions>> {
        self.get()?.poll().map(Suggestions::of).transpose()
    }

    /// How the text goes on for several words, where the model is sure enough; the suggestion replaces the begun
    /// word. Asks for it, and gives it on a later call: call it when nothing is typed for a moment.
    pub fn ghost(&self, context: EditorContext) -> Result<Option<Suggestion>> {
        let phrase = self.get()?.ghost(&context.into());
        phrase.map(Suggestion::of).transpose()
    }

    /// The user took a suggestion of the last answer: its words are learned, where the field learns.
    pub fn accept(&self, suggestion: Suggestion) -> Result<()> {
        Ok(self.get()?.accept(&suggestion.into())?)
    }

    /// The user finished words: `text` stands after `before` and was gone on from. They are learned, where the
    /// field learns.
    pub fn commit(&self, before: &str, text: &str) -> Result<()> {
        Ok(self.get()?.commit(before, text)?)
    }

    /// The user took a correction back: `typed` stands again, and is not corrected from now on.
    pub fn revert(&self, typed: &str) -> Result<()> {
        Ok(self.get()?.revert(typed)?)
    }

    /// Typing begins in a field: a secure one forgets all text; any other has its primer read ahead.
    pub fn focus(&self, field: FieldKind) -> Result<()> {
        self.get()?.focus(field.into());
        Ok(())
    }

    /// Typing ended: work stops, the text and the conversation are forgotten.
    pub fn blur(&self) -> Result<()> {
        self.get()?.blur();
        Ok(())
    }

    /// What a keyboard controller has to tell the engine. Words are learned when they are committed, so accepted
    /// suggestions are not learned here.
    pub fn notify(&self, notice: EngineNotice) -> Result<()> {
        let notice = notice.into();
        Ok(self.get()?.notify(&notice)?)
    }

    /// Forgets all text and everything derived from it. The model and what the user taught stay.
    pub fn reset(&self) -> Result<()> {
        self.get()?.reset();
        Ok(())
    }

    /// Counts and times so far.
    pub fn stats(&self) -> Result<TypingStats> {
        Ok(self.get()?.stats().into())
    }

    /// Waits until the model is prepared, or has failed, and has nothing to do. For measurements and tests.
    pub fn wait_idle(&self, timeout_milliseconds: u64) -> Result<()> {
        self.get()?.wait_idle(timeout(timeout_milliseconds));
        Ok(())
    }

    /// Gives the engine up, with the user model; typing sessions that were made with it keep it until they are
    /// released.
    pub fn release(&self) -> Result<()> {
        self.completer.release();
        Ok(())
    }
}

/// A time to wait; a day is as good as for ever, and more cannot always be added to the clock.
fn timeout(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds.min(24 * 60 * 60 * 1000))
}
