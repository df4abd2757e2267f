//! Text that is foreseen behind the cursor.

use super::event::GhostPart;

/// The part of a phrase that has not been typed yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ghost {
    pub(crate) rest: String,
    /// Score of the phrase.
    pub(crate) score: f32,
}

impl Ghost {
    /// What of `phrase` follows the part that has been typed; none if that is something else.
    pub(crate) fn after_typed(phrase: &str, typed: &str, score: f32) -> Option<Ghost> {
        let rest = without_start(phrase, typed)?;
        (!rest.trim().is_empty()).then(|| Ghost {
            rest: rest.to_owned(),
            score,
        })
    }

    /// The ghost after `typed` was typed; none once it is used up or differs.
    pub(crate) fn advance(self, typed: &str) -> Option<Ghost> {
        Ghost::after_typed(&self.rest, typed, self.score)
    }

    /// Splits off what is accepted. A word takes the space behind it along.
    pub(crate) fn take(self, part: GhostPart) -> (String, Option<Ghost>) {
        let end = match part {
            GhostPart::All => self.rest.len(),
            GhostPart::Word => word_end(&self.rest),
        };
        let (taken, rest) = self.rest.split_at(end);
        let rest = (!rest.is_empty()).then(|| Ghost {
            rest: rest.to_owned(),
            score: self.score,
        });
        (taken.to_owned(), rest)
    }
}

/// Where the first word and one space behind it end.
fn word_end(text: &str) -> usize {
    let mut end = 0;
    for piece in text.split_inclusive(char::is_whitespace) {
        end += piece.len();
        if !piece.trim().is_empty() {
            break;
        }
    }
    end
}

/// `text` after `start`, in whichever case that is.
fn without_start<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for expected in start.chars() {
        let found = rest.next()?;
        if !found.to_lowercase().eq(expected.to_lowercase()) {
            return None;
        }
    }
    Some(rest.as_str())
}
