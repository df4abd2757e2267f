//! Corrections that wait for the word to end, and how they are taken back.

use std::collections::VecDeque;

use crate::suggestion::{Suggestion, SuggestionKind};

use super::words;

/// Words remembered as meant, the oldest of which is forgotten first.
const KEPT_WORDS: usize = 64;

/// The correction that replaces the word at the end of `before` when it ends, as an index.
/// Only one that replaces exactly that word counts.
pub(crate) fn pending(suggestions: &[Suggestion], before: &str, kept: &KeptWords) -> Option<usize> {
    let index = suggestions
        .iter()
        .position(|item| item.kind == SuggestionKind::Correction && item.automatic)?;
    let correction = suggestions.get(index)?;
    let typed = words::last_scalars(before, correction.replace)?;
    let changes = typed == words::word_before(before) && typed != correction.text;
    (!typed.is_empty() && changes && !kept.contains(typed)).then_some(index)
}

/// Words that the user has said are meant as typed, in this field.
#[derive(Default)]
pub(crate) struct KeptWords(VecDeque<String>);

impl KeptWords {
    pub(crate) fn keep(&mut self, word: &str) {
        if self.0.len() == KEPT_WORDS {
            self.0.pop_front();
        }
        self.0.push_back(word.to_lowercase());
    }

    fn contains(&self, word: &str) -> bool {
        self.0.contains(&word.to_lowercase())
    }
}

/// What one backspace takes back: a change that the keyboard made by itself.
pub(crate) struct Undo {
    /// The change can be taken back only as long as nothing else has happened to the text.
    pub(crate) epoch: u64,
    /// What stands before the cursor because of it.
    pub(crate) inserted: String,
    /// What was typed instead.
    pub(crate) typed: String,
    /// The typed word and what replaced it, if it was a correction.
    pub(crate) correction: Option<(String, String)>,
}
