//! Emoji by name: which ones a word brings to mind.

use std::collections::HashMap;

use crate::text::fold;

/// A table of words and their emoji.
///
/// Its text form: one word a line, in lower case, then its emoji, best first, with tabs between.
/// `scripts/build-lexicons` makes one for each language.
#[derive(Debug, Clone, Default)]
pub struct EmojiTable {
    emoji: HashMap<String, Vec<String>>,
}

/// A line of an emoji table that has no word or no emoji.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("emoji table, line {line}: expected a word and its emoji, separated by tabs")]
pub struct EmojiTableError {
    /// The line, counted from 1.
    pub line: usize,
}

impl EmojiTable {
    /// Reads a table from its text.
    ///
    /// # Errors
    /// [`EmojiTableError`] for the first line that is malformed.
    pub fn from_text(text: &str) -> Result<EmojiTable, EmojiTableError> {
        let mut emoji = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let mut fields = line.split('\t').map(str::to_owned);
            let word = fields.next().unwrap_or_default();
            let symbols: Vec<String> = fields.collect();
            if word.is_empty() || symbols.is_empty() || symbols.iter().any(String::is_empty) {
                return Err(EmojiTableError { line: index + 1 });
            }
            emoji.insert(fold(&word), symbols);
        }
        Ok(EmojiTable { emoji })
    }

    /// The emoji of `word` (case-folded), best first.
    pub fn of(&self, word: &str) -> &[String] {
        self.emoji
            .get(&fold(word))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_brings_its_emoji_to_mind() {
        let table = EmojiTable::from_text("heart\t❤️\t😘\npizza\t🍕\n").unwrap();
        assert_eq!(table.of("Heart"), ["❤️", "😘"]);
        assert!(table.of("hear").is_empty());
    }

    #[test]
    fn malformed_lines_are_refused() {
        for (text, line) in [
            ("pizza", 1),
            ("a\t🍕\n\t🍕", 2),
            ("a\t🍕\t", 1),
            ("a\t🍕\n\n", 2),
        ] {
            assert_eq!(
                EmojiTable::from_text(text).unwrap_err().line,
                line,
                "{text:?}"
            );
        }
    }
}
