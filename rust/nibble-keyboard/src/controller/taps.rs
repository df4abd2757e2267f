//! Where the letters of the word before the cursor were touched.

use super::event::Tap;

/// One entry for each scalar value of the word.
#[derive(Default)]
pub(crate) struct Taps {
    word: String,
    taps: Vec<Option<Tap>>,
}

impl Taps {
    /// Notes a key that goes on with the word.
    pub(crate) fn typed(&mut self, text: &str, tap: Option<Tap>) {
        self.word.push_str(text);
        self.taps.extend(text.chars().map(|_| tap));
    }

    /// Follows the text: what was touched is known as long as the word only grew by keys or
    /// shrank from its end.
    pub(crate) fn follow(&mut self, word: &str) {
        let scalars = word.chars().count();
        if !self.word.starts_with(word) {
            self.taps.clear();
        }
        self.taps.resize(scalars, None);
        self.word.clear();
        self.word.push_str(word);
    }

    /// The taps, or nothing if none is known.
    pub(crate) fn known(&self) -> Vec<Option<Tap>> {
        if self.taps.iter().any(Option::is_some) {
            self.taps.clone()
        } else {
            Vec::new()
        }
    }
}
