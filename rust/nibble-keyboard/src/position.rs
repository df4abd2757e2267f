//! The text before the cursor: where the word that is being typed begins.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::word_boundary::{is_apostrophe, is_letter_or_digit, word_before};

/// How the begun word joins the text before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Join {
    /// After a space, which belongs to the word's first token.
    Space,
    /// At the beginning of the text or of a line, after an opening bracket or quote, a dash or a hyphen.
    Direct,
    /// After something that seldom precedes a word directly, such as `@` or a full stop: part of an
    /// address, or a space that is still missing. The model is not asked.
    Unusual,
}

/// The text before a cursor, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPosition<'a> {
    /// What comes before the begun word, without the one space between them.
    pub context: &'a str,
    /// How the word joins it.
    pub join: Join,
    /// What has been typed of the word; empty at a boundary. Hyphens are not part of it.
    pub typed: &'a str,
    /// Whether the word begins a sentence.
    pub begins_sentence: bool,
}

impl TextPosition<'_> {
    /// Takes the text before a cursor apart.
    pub fn of(before: &str) -> TextPosition<'_> {
        let typed = word_before(before);
        let (head, typed) = split(before, before.len() - typed.len());

        let (context, join) = match head.strip_suffix(' ') {
            Some(context) => (context, Join::Space),
            None => (head, joins_directly(head)),
        };
        TextPosition {
            context,
            join,
            typed,
            begins_sentence: begins_sentence(head),
        }
    }
}

fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

fn joins_directly(head: &str) -> Join {
    let mut characters = head.chars().rev();
    let Some(last) = characters.next() else {
        return Join::Direct;
    };
    let opens = match last {
        '(' | '[' | '{' | '¿' | '¡' | '«' | '“' | '‘' | '„' | '‚' | '—' | '–' => {
            true
        }
        // Quotes without direction open where a closing one would have something to close.
        '"' | '\'' | '*' | '_' | '~' => characters
            .next()
            .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '[' | '{')),
        '-' | '/' => characters.next().is_some_and(char::is_alphanumeric),
        last => last.is_whitespace(),
    };
    if opens { Join::Direct } else { Join::Unusual }
}

/// Whether a sentence begins after `head`.
fn begins_sentence(head: &str) -> bool {
    let line = head.trim_end_matches([' ', '\t', '\u{a0}']);
    if line.is_empty() || line.ends_with(['\n', '\r', '¿', '¡']) {
        return true;
    }
    // An opening quote or bracket does not change where the sentence begins, a closing one neither.
    let opened = head.trim_end_matches(['(', '[', '{', '«', '“', '‘', '„', '"', '\'']);
    if opened.len() < head.len() && (opened.is_empty() || opened.ends_with(char::is_whitespace)) {
        return begins_sentence(opened);
    }
    let closed = line.trim_end_matches([')', ']', '}', '»', '”', '’', '"', '\'']);
    line.len() < head.len() && closed.ends_with(['.', '!', '?', '…'])
}

/// The words of a text, in order: runs of letters, digits and apostrophes that hold a letter. Apostrophes at
/// their ends are quotes, but for the Hebrew geresh, which ends an abbreviation.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    word_ranges(text).filter_map(|range| text.get(range))
}

/// Where the [`words`] of a text lie, in bytes.
pub fn word_ranges(text: &str) -> impl Iterator<Item = Range<usize>> {
    let belongs = |grapheme: &str| is_letter_or_digit(grapheme) || is_apostrophe(grapheme);
    let mut graphemes = text.grapheme_indices(true).peekable();
    std::iter::from_fn(move || {
        loop {
            let (start, first) = graphemes.find(|(_, grapheme)| belongs(grapheme))?;
            let mut end = start + first.len();
            while let Some((offset, next)) = graphemes.next_if(|(_, next)| belongs(next)) {
                end = offset + next.len();
            }
            let word = text.get(start..end).unwrap_or_default();
            let trimmed = word.trim_start_matches(['\'', '\u{2019}', '׳', '״']);
            let start = end - trimmed.len();
            let trimmed = trimmed.trim_end_matches(['\'', '\u{2019}', '״']);
            if trimmed.chars().any(char::is_alphabetic) {
                return Some(start..start + trimmed.len());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position(before: &str) -> (&str, Join, &str, bool) {
        let position = TextPosition::of(before);
        (
            position.context,
            position.join,
            position.typed,
            position.begins_sentence,
        )
    }

    #[test]
    fn a_text_is_taken_apart_at_the_last_boundary() {
        use Join::{Direct, Space, Unusual};
        for (before, expected) in [
            ("", ("", Direct, "", true)),
            ("He", ("", Direct, "He", true)),
            ("I will be the", ("I will be", Space, "the", false)),
            ("I will be ", ("I will be", Space, "", false)),
            ("I will  be", ("I will ", Space, "be", false)),
            ("Yes. I", ("Yes.", Space, "I", true)),
            ("Really?! n", ("Really?!", Space, "n", true)),
            ("a line\nand", ("a line\n", Direct, "and", true)),
            ("see (th", ("see (", Direct, "th", false)),
            ("he said \"wh", ("he said \"", Direct, "wh", false)),
            ("\"Wh", ("\"", Direct, "Wh", true)),
            ("ok. \"wh", ("ok. \"", Direct, "wh", true)),
            ("he said 'wh", ("he said '", Direct, "wh", false)),
            ("I don't", ("I", Space, "don't", false)),
            ("I don\u{2019}", ("I", Space, "don\u{2019}", false)),
            ("well-kn", ("well-", Direct, "kn", false)),
            ("- kn", ("-", Space, "kn", false)),
            ("and/o", ("and/", Direct, "o", false)),
            ("me@exa", ("me@", Unusual, "exa", false)),
            ("www.exa", ("www.", Unusual, "exa", false)),
            ("end.", ("end.", Unusual, "", false)),
            ("yes,", ("yes,", Unusual, "", false)),
            ("\"end\"", ("\"end\"", Unusual, "", false)),
            ("He said \"no.\" Th", ("He said \"no.\"", Space, "Th", true)),
            (" a", ("", Space, "a", true)),
            ("привет ми", ("привет", Space, "ми", false)),
            ("cafe\u{301}s", ("", Direct, "cafe\u{301}s", true)),
        ] {
            assert_eq!(position(before), expected, "{before:?}");
        }
    }

    #[test]
    fn words_have_letters_and_keep_inner_apostrophes() {
        let text = "'Don't' say 12:30, it\u{2019}s 3pm - well-known!";
        let found: Vec<_> = words(text).collect();
        assert_eq!(
            found,
            ["Don't", "say", "it\u{2019}s", "3pm", "well", "known"]
        );
    }

    #[test]
    fn words_of_every_script_stay_whole() {
        for text in [
            "नमस्ते, लड़का",
            "می\u{200c}خواهم, بروم",
            "বিশ্ব, মা",
            "น้ำ, ไม่",
            "צה״ל, וכו׳",
        ] {
            assert_eq!(
                words(text).collect::<Vec<_>>(),
                text.split(", ").collect::<Vec<_>>()
            );
            let last = text.split(", ").last().unwrap();
            assert_eq!(TextPosition::of(text).typed, last);
        }
        assert_eq!(
            words("blood🅱\u{fe0f}, 🅱 \u{2139}\u{fe0f} ״שלום״").collect::<Vec<_>>(),
            ["blood", "שלום"]
        );
        assert_eq!(TextPosition::of("blood🅱\u{fe0f}").typed, "");
    }

    proptest! {
        #[test]
        fn position_loses_nothing(before in "[a-zA-Z'’ .,\\-\n(\"é1@]{0,20}") {
            let position = TextPosition::of(&before);
            let space = if position.join == Join::Space { " " } else { "" };
            prop_assert_eq!(format!("{}{space}{}", position.context, position.typed), before);
        }
    }
}
