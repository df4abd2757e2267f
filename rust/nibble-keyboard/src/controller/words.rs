//! Where words begin and end, and what a key's text is to them.

use unicode_segmentation::UnicodeSegmentation;

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
        .all(|part| is_word(part) || is_apostrophe(part) || is_extension(part))
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

/// Whether `text` may stand inside a word without being a letter.
pub(crate) fn is_apostrophe(text: &str) -> bool {
    matches!(text, "'" | "’" | "׳" | "״")
}

fn is_one_of(text: &str, set: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| set.contains(first)) && chars.next().is_none()
}

/// Whether a user-perceived character is a letter or a digit, with whatever marks it carries.
fn is_word(grapheme: &str) -> bool {
    grapheme.starts_with(char::is_alphanumeric) && !grapheme.contains('\u{20e3}')
}

/// Whether a text only adds marks to the character before it.
fn is_extension(text: &str) -> bool {
    format!("a{text}").graphemes(true).nth(1).is_none()
}

/// Whether the text ends within or directly after a word.
pub(crate) fn ends_in_word(text: &str) -> bool {
    !word_before(text).is_empty()
}

/// Whether the text begins with a letter or a digit.
pub(crate) fn starts_with_word(text: &str) -> bool {
    !word_after(text).is_empty()
}

/// The word, or the part of one, at the end of the text. Apostrophes belong to it, except
/// leading ones, which are quotes.
pub(crate) fn word_before(text: &str) -> &str {
    let mut start = text.len();
    for (offset, grapheme) in text.grapheme_indices(true).rev() {
        if is_word(grapheme) {
            start = offset;
        } else if !is_apostrophe(grapheme) {
            break;
        }
    }
    &text[start..]
}

/// The word, or the part of one, at the beginning of the text, without trailing apostrophes.
pub(crate) fn word_after(text: &str) -> &str {
    let mut end = 0;
    for (offset, grapheme) in text.grapheme_indices(true) {
        if is_word(grapheme) {
            end = offset + grapheme.len();
        } else if !is_apostrophe(grapheme) {
            break;
        }
    }
    &text[..end]
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

/// The last `count` scalar values, if there are so many.
pub(crate) fn last_scalars(text: &str, count: usize) -> Option<&str> {
    let start = match count.checked_sub(1) {
        None => text.len(),
        Some(skipped) => text.char_indices().nth_back(skipped)?.0,
    };
    Some(&text[start..])
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
    fn finds_the_word_before_the_cursor() {
        for (text, word) in [
            ("", ""),
            ("see you", "you"),
            ("see ", ""),
            ("don't", "don't"),
            ("don’", "don’"),
            ("say 'hi", "hi"),
            ("''", ""),
            ("well-kn", "kn"),
            ("cafe\u{301}", "cafe\u{301}"),
            ("\u{915}\u{94d}\u{937}", "\u{915}\u{94d}\u{937}"),
            ("ok👍", ""),
            ("1\u{fe0f}\u{20e3}", ""),
            ("שָׁלוֹם", "שָׁלוֹם"),
        ] {
            assert_eq!(word_before(text), word, "{text:?}");
        }
    }

    #[test]
    fn finds_the_word_after_the_cursor() {
        for (text, word) in [
            ("lo world", "lo"),
            (" x", ""),
            ("n't.", "n't"),
            ("s' x", "s"),
        ] {
            assert_eq!(word_after(text), word, "{text:?}");
        }
    }

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

    #[test]
    fn counts_scalars_from_the_end() {
        assert_eq!(last_scalars("añ😀", 2), Some("ñ😀"));
        assert_eq!(last_scalars("añ😀", 0), Some(""));
        assert_eq!(last_scalars("añ😀", 3), Some("añ😀"));
        assert_eq!(last_scalars("añ😀", 4), None);
    }
}
