//! What the typing engine is asked and what it answers, as values and as JSON.

use nibble_keyboard as keyboard;

use crate::error::{NibbleError, Result};
use crate::model::count;

/// The kind of a text field, as far as typing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, uniffi::Enum)]
pub enum FieldKind {
    /// A chat or text message; also where nothing is known.
    #[default]
    Message,
    /// The body or subject of an e-mail.
    Email,
    /// Notes and documents.
    Note,
    /// A search box.
    Search,
    /// A web or e-mail address: its parts are no words.
    Url,
    /// Digits.
    Number,
    /// Secret: the engine is off, no context is kept and nothing is stored.
    Password,
    /// Incognito: predictions as in a message, but nothing is stored.
    NoLearning,
}

impl From<FieldKind> for keyboard::FieldKind {
    fn from(kind: FieldKind) -> keyboard::FieldKind {
        match kind {
            FieldKind::Message => keyboard::FieldKind::Message,
            FieldKind::Email => keyboard::FieldKind::Email,
            FieldKind::Note => keyboard::FieldKind::Note,
            FieldKind::Search => keyboard::FieldKind::Search,
            FieldKind::Url => keyboard::FieldKind::Url,
            FieldKind::Number => keyboard::FieldKind::Number,
            FieldKind::Password => keyboard::FieldKind::Password,
            FieldKind::NoLearning => keyboard::FieldKind::NoLearning,
        }
    }
}

impl FieldKind {
    /// # Errors
    /// `Internal` for a kind that this layer has no name for.
    pub(crate) fn of(kind: keyboard::FieldKind) -> Result<FieldKind> {
        Ok(match kind {
            keyboard::FieldKind::Message => FieldKind::Message,
            keyboard::FieldKind::Email => FieldKind::Email,
            keyboard::FieldKind::Note => FieldKind::Note,
            keyboard::FieldKind::Search => FieldKind::Search,
            keyboard::FieldKind::Url => FieldKind::Url,
            keyboard::FieldKind::Number => FieldKind::Number,
            keyboard::FieldKind::Password => FieldKind::Password,
            keyboard::FieldKind::NoLearning => FieldKind::NoLearning,
            _ => return Err(NibbleError::unnamed("kind of field")),
        })
    }
}

/// What a suggestion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum SuggestionKind {
    /// Completes the word that is being typed.
    Completion,
    /// A next word, before its first letter.
    Next,
    /// Replaces a word that looks mistyped.
    Correction,
    /// The word exactly as typed, offered where a correction is pending.
    Typed,
    /// Several words: ghost text.
    Phrase,
    /// An emoji.
    Emoji,
}

impl From<SuggestionKind> for keyboard::SuggestionKind {
    fn from(kind: SuggestionKind) -> keyboard::SuggestionKind {
        match kind {
            SuggestionKind::Completion => keyboard::SuggestionKind::Completion,
            SuggestionKind::Next => keyboard::SuggestionKind::Next,
            SuggestionKind::Correction => keyboard::SuggestionKind::Correction,
            SuggestionKind::Typed => keyboard::SuggestionKind::Typed,
            SuggestionKind::Phrase => keyboard::SuggestionKind::Phrase,
            SuggestionKind::Emoji => keyboard::SuggestionKind::Emoji,
        }
    }
}

impl SuggestionKind {
    /// # Errors
    /// `Internal` for a kind that this layer has no name for.
    pub(crate) fn of(kind: keyboard::SuggestionKind) -> Result<SuggestionKind> {
        Ok(match kind {
            keyboard::SuggestionKind::Completion => SuggestionKind::Completion,
            keyboard::SuggestionKind::Next => SuggestionKind::Next,
            keyboard::SuggestionKind::Correction => SuggestionKind::Correction,
            keyboard::SuggestionKind::Typed => SuggestionKind::Typed,
            keyboard::SuggestionKind::Phrase => SuggestionKind::Phrase,
            keyboard::SuggestionKind::Emoji => SuggestionKind::Emoji,
            _ => return Err(NibbleError::unnamed("kind of suggestion")),
        })
    }
}

/// A snapshot of the text field.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EditorContext {
    /// Text before the cursor (or before the selection), as much as is known.
    pub before: String,
    /// Text after the cursor, as much as is known.
    pub after: String,
    /// Kind of the field.
    pub field: FieldKind,
    /// Counts the changes of the field: an answer to an older epoch is stale and never applied.
    pub epoch: u64,
}

impl From<EditorContext> for keyboard::EditorContext {
    fn from(context: EditorContext) -> keyboard::EditorContext {
        keyboard::EditorContext {
            before: context.before,
            after: context.after,
            field: context.field.into(),
            epoch: context.epoch,
        }
    }
}

impl EditorContext {
    pub(crate) fn of(context: keyboard::EditorContext) -> Result<EditorContext> {
        Ok(EditorContext {
            before: context.before,
            after: context.after,
            field: FieldKind::of(context.field)?,
            epoch: context.epoch,
        })
    }
}

/// One suggestion and the exact edit that accepting it makes.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Suggestion {
    /// The text that appears, without the space that follows a word.
    pub text: String,
    /// What it is.
    pub kind: SuggestionKind,
    /// Natural logarithm of its probability; comparable within one answer.
    pub score: f32,
    /// Scalar values before the cursor that make way for `text`.
    pub replace: u32,
    /// Only for corrections: whether it is sure enough to be applied when the word ends.
    pub automatic: bool,
}

impl From<Suggestion> for keyboard::Suggestion {
    fn from(suggestion: Suggestion) -> keyboard::Suggestion {
        keyboard::Suggestion {
            text: suggestion.text,
            kind: suggestion.kind.into(),
            score: suggestion.score,
            replace: suggestion.replace as usize,
            automatic: suggestion.automatic,
        }
    }
}

impl Suggestion {
    pub(crate) fn of(suggestion: keyboard::Suggestion) -> Result<Suggestion> {
        Ok(Suggestion {
            text: suggestion.text,
            kind: SuggestionKind::of(suggestion.kind)?,
            score: suggestion.score,
            replace: count(suggestion.replace),
            automatic: suggestion.automatic,
        })
    }
}

/// The engine's answer for one context.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Suggestions {
    /// Epoch of the context that was asked about.
    pub epoch: u64,
    /// Best first.
    pub items: Vec<Suggestion>,
    /// Whether the model's distribution for this context was used; otherwise it may still come.
    pub fresh: bool,
}

impl From<Suggestions> for keyboard::Suggestions {
    fn from(suggestions: Suggestions) -> keyboard::Suggestions {
        keyboard::Suggestions {
            epoch: suggestions.epoch,
            items: suggestions.items.into_iter().map(Into::into).collect(),
            fresh: suggestions.fresh,
        }
    }
}

impl Suggestions {
    pub(crate) fn of(suggestions: keyboard::Suggestions) -> Result<Suggestions> {
        let items = suggestions.items.into_iter().map(Suggestion::of);
        Ok(Suggestions {
            epoch: suggestions.epoch,
            items: items.collect::<Result<_>>()?,
            fresh: suggestions.fresh,
        })
    }
}

/// An answer as JSON, to be sent from the process that has the engine to the one that has the keyboard.
#[uniffi::export]
pub fn suggestions_to_json(suggestions: Suggestions) -> Result<String> {
    let suggestions = keyboard::Suggestions::from(suggestions);
    serde_json::to_string(&suggestions).map_err(|error| NibbleError::json("suggestions", &error))
}

/// The answer that [`suggestions_to_json`] wrote.
#[uniffi::export]
pub fn suggestions_from_json(json: &str) -> Result<Suggestions> {
    let suggestions: keyboard::Suggestions =
        serde_json::from_str(json).map_err(|error| NibbleError::json("suggestions", &error))?;
    Suggestions::of(suggestions)
}
