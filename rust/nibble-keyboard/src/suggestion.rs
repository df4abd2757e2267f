//! What the engine is asked and what it answers.

use serde::{Deserialize, Serialize};

use crate::field::FieldKind;

/// A snapshot of the text field.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct EditorContext {
    /// Text before the cursor (or before the selection), as much as is known.
    pub before: String,
    /// Text after the cursor, as much as is known.
    #[serde(default)]
    pub after: String,
    /// Kind of the field.
    #[serde(default)]
    pub field: FieldKind,
    /// Counts the changes of the field: an answer to an older epoch is stale and never applied.
    #[serde(default)]
    pub epoch: u64,
}

/// What a suggestion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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

/// One suggestion and the exact edit that accepting it makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The text that appears, without the space that follows a word.
    pub text: String,
    /// What it is.
    pub kind: SuggestionKind,
    /// Natural logarithm of its probability; comparable within one answer.
    pub score: f32,
    /// Scalar values before the cursor that make way for `text`.
    pub replace: usize,
    /// Only for corrections: whether it is sure enough to be applied when the word ends.
    #[serde(default)]
    pub automatic: bool,
}

/// The engine's answer for one context.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Suggestions {
    /// Epoch of the context that was asked about.
    pub epoch: u64,
    /// Best first.
    pub items: Vec<Suggestion>,
    /// Whether the model's distribution for this context was used; otherwise it may still come.
    #[serde(default)]
    pub fresh: bool,
}
