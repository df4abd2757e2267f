//! What belongs to a word: letters and digits with their marks, and apostrophes between them.
//!
//! Text is looked at by user-perceived characters, so that marks, vowel signs and joiners of every script stay with
//! their letter.

use unicode_segmentation::UnicodeSegmentation;

/// Whether a user-perceived character is a letter or a digit, with whatever marks it carries, and no emoji.
pub fn is_letter_or_digit(grapheme: &str) -> bool {
    grapheme.starts_with(char::is_alphanumeric) && !grapheme.contains(is_part_of_emoji)
}

/// Whether `text` may stand inside a word without being a letter: an apostrophe, or the Hebrew signs of abbreviation.
pub fn is_apostrophe(text: &str) -> bool {
    matches!(text, "'" | "’" | "׳" | "״")
}

/// Whether a text only adds marks to the character before it.
pub fn is_extension(text: &str) -> bool {
    format!("a{text}").graphemes(true).nth(1).is_none()
}

/// Whether a character can stand in a word, where only a part of the text is known, as in a token. A hyphen joins
/// two words.
pub fn is_word_character(character: char) -> bool {
    if is_part_of_emoji(character) {
        return false;
    }
    let mut buffer = [0; 4];
    let text = &*character.encode_utf8(&mut buffer);
    character.is_alphanumeric()
        || character == '-'
        || is_apostrophe(text)
        || (!character.is_ascii() && is_extension(text))
}

/// Characters that make a letter or a digit an emoji, and emoji that Unicode counts among the letters.
fn is_part_of_emoji(character: char) -> bool {
    matches!(
        character,
        '\u{FE0F}'
            | '\u{20E3}'
            | 'ℹ'
            | 'Ⓜ'
            | '\u{1F170}'..='\u{1F189}'
            | '\u{1F3FB}'..='\u{1F3FF}'
            | '\u{E0020}'..='\u{E007F}'
    )
}

/// The word, or the part of one, at the end of the text. Apostrophes belong to it, except
/// leading ones, which are quotes.
pub fn word_before(text: &str) -> &str {
    let mut start = text.len();
    for (offset, grapheme) in text.grapheme_indices(true).rev() {
        if is_letter_or_digit(grapheme) {
            start = offset;
        } else if !is_apostrophe(grapheme) {
            break;
        }
    }
    text.get(start..).unwrap_or_default()
}

/// The word, or the part of one, at the beginning of the text, without trailing apostrophes.
pub fn word_after(text: &str) -> &str {
    let mut end = 0;
    for (offset, grapheme) in text.grapheme_indices(true) {
        if is_letter_or_digit(grapheme) {
            end = offset + grapheme.len();
        } else if !is_apostrophe(grapheme) {
            break;
        }
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that are more than letters.
    const WORDS: [&str; 9] = [
        "नमस्ते",
        "लड़का",
        "می\u{200c}خواهم",
        "বিশ্ব",
        "น้ำ",
        "צה״ל",
        "ג׳ירפה",
        "שָׁלוֹם",
        "cafe\u{301}s",
    ];

    #[test]
    fn marks_vowel_signs_and_joiners_belong_to_words() {
        for word in WORDS {
            assert_eq!(word_before(&format!("a {word}")), word);
            assert_eq!(word_after(&format!("{word} a")), word);
            assert!(word.chars().all(is_word_character), "{word}");
        }
    }

    #[test]
    fn emoji_that_are_letters_do_not() {
        for emoji in [
            "🅱",
            "🅱\u{fe0f}",
            "Ⓜ",
            "ℹ\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "👍🏽",
        ] {
            let text = format!("blood{emoji}");
            assert_eq!(word_before(&text), "", "{text}");
            assert_eq!(word_after(&text), "blood");
            assert!(!emoji.chars().all(is_word_character), "{emoji}");
        }
        for other in [' ', '.', '"', '\u{200b}', '\u{fe0f}', '\u{1F3FD}', '\n'] {
            assert!(!is_word_character(other), "{other:?}");
        }
    }

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
            ("\u{915}\u{94d}\u{937}", "\u{915}\u{94d}\u{937}"),
            ("ok👍", ""),
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
}
