//! Where capitals come by themselves, and in which case a key or a suggestion appears.

use super::event::CapitalsMode;
use super::language::Typography;
use super::shift::ShiftState;
use super::words;

/// Marks that end a sentence, besides the full stop with its abbreviations.
const SENTENCE_ENDS: &str = "!?؟۔।॥։።。！？‽";

/// Longest part of an abbreviation like `e.g.` or `p.ex.`; longer ones are addresses.
const ABBREVIATED_LETTERS: usize = 2;

/// Whether the next letter after `before` is a capital by itself.
pub(crate) fn expected(before: &str, mode: CapitalsMode, typography: &Typography) -> bool {
    match mode {
        CapitalsMode::None => false,
        CapitalsMode::Characters => true,
        CapitalsMode::Words => {
            let before = without_opening(before);
            before.is_empty() || before.ends_with(char::is_whitespace)
        }
        CapitalsMode::Sentences => starts_sentence(before, typography),
    }
}

fn starts_sentence(before: &str, typography: &Typography) -> bool {
    let before = without_opening(before);
    let text = before.trim_end();
    let gap = &before[text.len()..];
    if text.is_empty() || gap.contains('\n') {
        return true;
    }
    // Scripts without spaces have full stops that need none after them.
    if gap.is_empty() && typography.spaces {
        return false;
    }
    let text = text.trim_end_matches(|char: char| {
        matches!(char, '"' | '\'' | '’') || words::is_closing(char.encode_utf8(&mut [0; 4]))
    });
    if text.ends_with('.') {
        ends_with_full_stop(text, typography)
    } else {
        text.ends_with(|char| SENTENCE_ENDS.contains(char))
    }
}

/// Takes away brackets and quotes that were opened at the very end.
fn without_opening(before: &str) -> &str {
    let opened = before.trim_end_matches(|char: char| {
        matches!(char, '"' | '\'' | '‘') || words::is_opening(char.encode_utf8(&mut [0; 4]))
    });
    // A quote directly after something else closes.
    let opens = opened.is_empty() || opened.ends_with(char::is_whitespace);
    if opens { opened } else { before }
}

/// Whether the full stop at the end of `text` ends a sentence: not after an abbreviation, and not
/// where dots trail off.
fn ends_with_full_stop(text: &str, typography: &Typography) -> bool {
    let token = words::token_before(text)
        .trim_start_matches(|char: char| !char.is_alphanumeric() && char != '.');
    let Some(stem) = token.strip_suffix('.') else {
        return false;
    };
    if stem.ends_with('.') {
        return false;
    }
    let mut parts = stem.split('.');
    let dotted = stem.contains('.')
        && parts.all(|part| {
            part.chars().all(char::is_alphabetic) && part.chars().count() <= ABBREVIATED_LETTERS
        });
    !dotted
        && !typography
            .abbreviations
            .contains(&stem.to_lowercase().as_str())
}

/// Key text as it is typed with shift on.
pub(crate) fn shifted(text: &str, typography: &Typography) -> String {
    match text {
        "ß" => "ẞ".to_owned(),
        _ => text.chars().map(|char| upper(char, typography)).collect(),
    }
}

/// The case in which suggestions appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Casing {
    /// As the engine gives them.
    Given,
    /// With a capital at the beginning.
    Capital,
    /// All in capitals.
    Upper,
}

impl Casing {
    /// The case that follows from what was typed of the word, and before its first letter from
    /// the shift key.
    pub(crate) fn of(typed: &str, shift: ShiftState, mode: CapitalsMode) -> Casing {
        let letters = || typed.chars().filter(|char| char.is_alphabetic());
        let capitals = shift == ShiftState::Locked
            || (shift == ShiftState::Automatic && mode == CapitalsMode::Characters);
        let mut first = letters();
        match first.next() {
            None if capitals => Casing::Upper,
            None if shift == ShiftState::Off => Casing::Given,
            None => Casing::Capital,
            Some(first_letter) if !first_letter.is_uppercase() => Casing::Given,
            Some(_) if letters().any(char::is_lowercase) => Casing::Capital,
            Some(_) if capitals || first.next().is_some() => Casing::Upper,
            Some(_) => Casing::Capital,
        }
    }

    /// `text` in this case. A word with capitals of its own, such as a name, keeps them.
    pub(crate) fn apply(self, text: &str, typography: &Typography) -> String {
        match self {
            Casing::Given => text.to_owned(),
            Casing::Upper => text
                .chars()
                .flat_map(|char| match upper(char, typography) {
                    same if same == char => char.to_uppercase().collect::<Vec<_>>(),
                    upper => vec![upper],
                })
                .collect(),
            Casing::Capital => {
                let first_word = text.split(char::is_whitespace).next().unwrap_or_default();
                let mut rest = text.chars();
                match rest.next() {
                    Some(first) if !first_word.contains(char::is_uppercase) => {
                        std::iter::once(upper(first, typography))
                            .chain(rest)
                            .collect()
                    }
                    _ => text.to_owned(),
                }
            }
        }
    }
}

/// The capital of a letter that has exactly one; other characters stay.
fn upper(char: char, typography: &Typography) -> char {
    if typography.dotless_i && char == 'i' {
        return 'İ';
    }
    let mut capitals = char.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) => capital,
        _ => char,
    }
}
