//! What a key's text is to the words around it.

use unicode_segmentation::UnicodeSegmentation;

pub(crate) use crate::text::last_scalars;
pub(crate) use crate::word_boundary::{is_apostrophe, word_after, word_before};
use crate::word_boundary::{is_extension, is_letter_or_digit};

/// What typed text does to the word before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextClass {
    /// Goes on with the word: letters, digits, apostrophes, marks for the letter before.
    Word,
    /// Ends the word as space does: sentence and clause marks, closing brackets, quotes.
    Punctuation,
    /// Neither: emoji, opening brackets, hyphens and other symbols.
    Symbol,
}

/// Sentence and clause marks of all scripts, which follow a word without a space.
const MARKS: &str = ".,!?;:…،؛؟۔।॥։፣።、。，！？；：·‽";
const CLOSING: &str = ")]}»”›）】」』";
const OPENING: &str = "([{«“„‹¿¡（【「『";

pub(crate) fn classify(text: &str) -> TextClass {
    if text
        .graphemes(true)
        .all(|part| is_letter_or_digit(part) || is_apostrophe(part) || is_extension(part))
    {
        TextClass::Word
    } else if text == "\"" || is_mark(text) || is_closing(text) {
        TextClass::Punctuation
    } else {
        TextClass::Symbol
    }
}

/// Whether `text` is one mark that ends a sentence or a clause.
pub(crate) fn is_mark(text: &str) -> bool {
    is_one_of(text, MARKS)
}

/// Whether `text` is one closing bracket or quote that cannot be an opening one.
pub(crate) fn is_closing(text: &str) -> bool {
    is_one_of(text, CLOSING)
}

/// Whether `text` is one opening bracket, quote or mark that cannot be a closing one.
pub(crate) fn is_opening(text: &str) -> bool {
    is_one_of(text, OPENING)
}

fn is_one_of(text: &str, set: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| set.contains(first)) && chars.next().is_none()
}

/// Whether the text ends within or directly after a word.
pub(crate) fn ends_in_word(text: &str) -> bool {
    !word_before(text).is_empty()
}

/// Whether the text begins with a letter or a digit.
pub(crate) fn starts_with_word(text: &str) -> bool {
    !word_after(text).is_empty()
}

/// What stands at the end of the text since the last white space.
pub(crate) fn token_before(text: &str) -> &str {
    let start = text
        .char_indices()
        .rev()
        .find(|(_, char)| char.is_whitespace())
        .map_or(0, |(offset, char)| offset + char.len_utf8());
    &text[start..]
}

/// The last user-perceived character; empty for an empty text.
pub(crate) fn last_grapheme(text: &str) -> &str {
    text.graphemes(true).next_back().unwrap_or_default()
}

/// The user-perceived characters with which both texts begin, as a length in bytes.
pub(crate) fn common_start(one: &str, other: &str) -> usize {
    one.graphemes(true)
        .zip(other.graphemes(true))
        .take_while(|(left, right)| left == right)
        .map(|(left, _)| left.len())
        .sum()
}

/// Whether a word that follows `before` directly is a part of an address, a path or an identifier.
pub(crate) fn is_in_address(before: &str) -> bool {
    let token = token_before(before);
    // Inside a token they join; at its beginning a dot trails off and an underscore emphasises.
    let joins = |(at, mark): (usize, &str)| {
        let after = &token[at + mark.len()..];
        token[..at].ends_with(char::is_alphanumeric)
            && (after.is_empty() || after.starts_with(char::is_alphanumeric))
    };
    token.contains(['/', '\\', '@', ':']) || token.match_indices(['.', '_']).any(joins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_prose() {
        for before in [
            "see example.com/",
            "/",
            "c:\\",
            "@",
            "anna.kowalska@",
            "www.",
            "www.a-",
            "snake_",
            "a_b-",
        ] {
            assert!(is_in_address(before), "{before:?}");
        }
        for before in ["", "a.b ", "...", "well...", "_", "(", "well-", "\"no.\""] {
            assert!(!is_in_address(before), "{before:?}");
        }
    }
}
