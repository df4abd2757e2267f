//! Which words are learned.

use super::action::EngineNotice;
use super::words;

/// The word being typed and the one before it, which is learned once the user goes on.
#[derive(Default)]
pub(crate) struct Learning {
    /// Whether the user typed in the word before the cursor, so that it may be corrected and
    /// learned. Words that were there, or were pasted, are left alone.
    pub(crate) touched: bool,
    finished: Option<Finished>,
}

struct Finished {
    before: String,
    text: String,
}

impl Learning {
    /// Words were finished; gives those before them to learn. Parts of addresses are no words.
    pub(crate) fn finish(&mut self, before: &str, text: &str) -> Option<EngineNotice> {
        self.touched = false;
        let space = &text[..text.len() - text.trim_start().len()];
        let start = format!("{before}{space}");
        if self.goes_on(&start) {
            self.finished = None;
        }
        let earlier = self.commit();
        let text = text.trim().trim_end_matches(['\'', '’']);
        if !text.is_empty() && !words::is_in_address(&start) {
            self.finished = Some(Finished {
                before: before.to_owned(),
                text: text.to_owned(),
            });
        }
        earlier
    }

    /// Whether what was finished turns out to be a part of an address that goes on behind `before`.
    pub(crate) fn goes_on(&self, before: &str) -> bool {
        let token = words::token_before(before);
        let begins_token = |word: &Finished| {
            let start = words::token_before(&word.before);
            token.starts_with(&format!("{start}{}", word.text))
        };
        words::is_in_address(before) && self.finished.as_ref().is_some_and(begins_token)
    }

    /// The user went on: what was finished stands.
    pub(crate) fn commit(&mut self) -> Option<EngineNotice> {
        let Finished { before, text } = self.finished.take()?;
        Some(EngineNotice::Commit { before, text })
    }

    /// The user went back. A finished word that is before the cursor again is unfinished; one
    /// that was deleted is none.
    pub(crate) fn went_back(&mut self, before: &str) {
        self.touched &= words::ends_in_word(before);
        let reopened = self.finished.as_ref().is_some_and(|word| {
            before
                .strip_suffix(word.text.as_str())
                .is_some_and(|rest| word.before.ends_with(rest))
        });
        if reopened {
            self.touched = true;
            self.finished = None;
        }
    }

    /// An apostrophe was joined to `before`: a word that was finished there goes on, and only those
    /// before it stay finished.
    pub(crate) fn joined(&mut self, before: &str) {
        self.touched = true;
        let Some(word) = &mut self.finished else {
            return;
        };
        if !before.ends_with(word.text.as_str()) {
            return;
        }
        let last = words::word_before(&word.text).len();
        word.text.truncate(word.text.len() - last);
        word.text.truncate(word.text.trim_end().len());
        if !word.text.contains(char::is_alphanumeric) {
            self.finished = None;
        }
    }

    /// A correction was taken back: the finished word is the typed one.
    pub(crate) fn restore(&mut self, typed: &str) {
        if let Some(word) = &mut self.finished {
            word.text = typed.to_owned();
        }
    }

    /// The text changed underneath: nobody knows what stands.
    pub(crate) fn forget(&mut self) {
        *self = Learning::default();
    }
}
