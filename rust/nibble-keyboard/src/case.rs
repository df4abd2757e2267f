//! Capital and small letters: variants for look-up, and what to show.

use crate::text::capitalize;

/// How the letters of a text are cased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LetterCase {
    /// Small letters only, or none that has a case.
    Lower,
    /// A capital, then small letters only (or a single capital).
    Capitalized,
    /// Capitals only, at least two.
    Upper,
    /// Anything else, such as `iPhone`.
    Mixed,
}

impl LetterCase {
    pub(crate) fn from_bits(bits: u16) -> LetterCase {
        match bits {
            0 => LetterCase::Lower,
            1 => LetterCase::Capitalized,
            2 => LetterCase::Upper,
            _ => LetterCase::Mixed,
        }
    }
}

/// How the letters of `text` are cased; characters without case do not count.
pub fn letter_case(text: &str) -> LetterCase {
    let mut letters = text
        .chars()
        .filter(|c| c.is_uppercase() || c.is_lowercase());
    let Some(first) = letters.next() else {
        return LetterCase::Lower;
    };
    let (mut upper, mut lower) = (0, 0);
    for letter in letters {
        if letter.is_uppercase() {
            upper += 1
        } else {
            lower += 1
        }
    }
    match (first.is_uppercase(), upper, lower) {
        (false, 0, _) => LetterCase::Lower,
        (true, 0, _) => LetterCase::Capitalized,
        (true, _, 0) => LetterCase::Upper,
        _ => LetterCase::Mixed,
    }
}

/// `text` in small letters, capitalised and in capitals, without repetitions.
pub(crate) fn variants(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let capitalized = capitalize(&lower);
    let upper = lower.to_uppercase();
    let mut variants = vec![lower];
    for variant in [capitalized, upper] {
        if !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    variants
}

/// The form in which `word` (as the lexicon or the model spells it) is offered where `typed` has been typed
/// of it: at the beginning of a sentence, where `capital` says so, and after typed capitals it gets
/// capitals; otherwise, and where it has capitals of its own as `iPhone` has, it stays as it is.
pub fn shown(word: &str, typed: &str, capital: bool) -> String {
    let cased = match letter_case(typed) {
        LetterCase::Upper => word.to_uppercase(),
        _ if letter_case(word) == LetterCase::Mixed => word.to_owned(),
        LetterCase::Capitalized => capitalize(word),
        _ if typed.is_empty() && capital => capitalize(word),
        _ => word.to_owned(),
    };
    with_apostrophe_of(typed, cased)
}

/// `word` with typographic apostrophes where `typed` has one.
pub(crate) fn with_apostrophe_of(typed: &str, word: String) -> String {
    if typed.contains('\u{2019}') {
        word.replace('\'', "\u{2019}")
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_one_of_four_cases() {
        for (text, case) in [
            ("the", LetterCase::Lower),
            ("", LetterCase::Lower),
            ("'s", LetterCase::Lower),
            ("The", LetterCase::Capitalized),
            ("I", LetterCase::Capitalized),
            ("I'm", LetterCase::Capitalized),
            ("USA", LetterCase::Upper),
            ("iPhone", LetterCase::Mixed),
            ("McDonald", LetterCase::Mixed),
            ("漢字", LetterCase::Lower),
        ] {
            assert_eq!(letter_case(text), case, "{text}");
        }
    }

    #[test]
    fn variants_are_distinct() {
        assert_eq!(variants("th"), ["th", "Th", "TH"]);
        assert_eq!(variants("i"), ["i", "I"]);
        assert_eq!(variants("漢"), ["漢"]);
        assert_eq!(variants(""), [""]);
        assert_eq!(variants("straße"), ["straße", "Straße", "STRASSE"]);
    }

    #[test]
    fn what_is_shown_follows_what_was_typed_and_the_sentence() {
        assert_eq!(shown("monday", "", false), "monday");
        assert_eq!(shown("Monday", "mo", false), "Monday");
        assert_eq!(shown("there", "", true), "There");
        assert_eq!(shown("there", "th", true), "there");
        assert_eq!(shown("there", "Th", false), "There");
        assert_eq!(shown("there", "TH", false), "THERE");
        assert_eq!(shown("iPhone", "", true), "iPhone");
        assert_eq!(shown("iPhone", "Iph", false), "iPhone");
        assert_eq!(shown("iPhone", "IPH", false), "IPHONE");
        assert_eq!(shown("don't", "don\u{2019}", false), "don\u{2019}t");
        assert_eq!(shown("i'm", "I", false), "I'm");
    }
}
