//! Spaces that come and go by themselves.

use crate::field::FieldKind;

use super::language::Typography;
use super::words;

/// Two spaces within this time end a sentence.
pub(crate) const DOUBLE_SPACE_MS: u64 = 1100;

/// Words after which a mark belongs to an address.
const ADDRESS_STARTS: &[&str] = &["www", "http", "https", "ftp", "mailto"];

/// What separates an accepted word from the text after the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trailing {
    /// A new space.
    New,
    /// The space that is there already; the cursor goes behind it.
    Present,
    /// Nothing.
    Nothing,
}

pub(crate) fn trailing(after: &str, field: FieldKind, typography: &Typography) -> Trailing {
    if field == FieldKind::Url || !typography.spaces {
        return Trailing::Nothing;
    }
    let mut buffer = [0; 4];
    match after.chars().next() {
        None | Some('\n') => Trailing::New,
        Some(' ') => Trailing::Present,
        Some('"') => Trailing::Nothing,
        Some(next) if next.is_whitespace() => Trailing::Nothing,
        Some(next) => {
            let next = next.encode_utf8(&mut buffer);
            if words::is_mark(next) || words::is_closing(next) {
                Trailing::Nothing
            } else {
                Trailing::New
            }
        }
    }
}

/// Whether a word that is inserted after `before`, and replaces nothing, needs a space first.
pub(crate) fn needs_leading(before: &str, field: FieldKind, typography: &Typography) -> bool {
    let last = words::last_grapheme(before);
    let joins = match last {
        "" | "-" | "/" | "@" | "#" | "_" => true,
        "\"" => !quote_closes(before.strip_suffix('"').unwrap_or(before)),
        _ => words::is_apostrophe(last) || words::is_opening(last),
    };
    let apart = last.starts_with(char::is_whitespace);
    field != FieldKind::Url && typography.spaces && !joins && !apart
}

/// What typed punctuation does to a space before it that came by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    /// The space stays.
    Keep,
    /// The space goes.
    Remove,
    /// The space goes behind the mark.
    Move,
    /// The space stays and another one comes behind the mark.
    Both,
}

fn ends_with_mark(text: &str) -> bool {
    words::is_mark(words::last_grapheme(text))
}

/// The joint between `before`, which ends with such a space, and the typed text.
pub(crate) fn joint(before: &str, typed: &str, typography: &Typography) -> Joint {
    if words::is_apostrophe(typed) {
        return Joint::Remove;
    }
    let attaches = match typed {
        "\"" => quote_closes(before),
        _ => words::is_mark(typed) || words::is_closing(typed),
    };
    let word = words::token_before(before.trim_end());
    // A colon behind another mark is the eyes of an emoticon.
    let begins_emoticon = matches!(typed, ":" | ";") && ends_with_mark(before.trim_end());
    if !attaches || begins_emoticon {
        Joint::Keep
    } else if is_number_or_address(word) {
        Joint::Remove
    } else if typography.spaced_marks.contains(typed) {
        Joint::Both
    } else {
        Joint::Move
    }
}

fn is_number_or_address(token: &str) -> bool {
    token.contains(|char: char| char.is_numeric() || matches!(char, '@' | '/' | '.' | '\\'))
        || ADDRESS_STARTS.contains(&token.to_lowercase().as_str())
}

/// Whether a straight quote after `before` closes one that was opened in the same paragraph.
fn quote_closes(before: &str) -> bool {
    let quotes = before.chars().rev().take_while(|&char| char != '\n');
    quotes.filter(|&char| char == '"').count() % 2 == 1
}

/// Whether a second space after `before`, which ends with the first, ends a sentence: only
/// directly after a word, or what closes around one.
pub(crate) fn second_space_ends_sentence(before: &str) -> bool {
    before.strip_suffix(' ').is_some_and(|text| {
        let last = words::last_grapheme(text);
        words::ends_in_word(text) || last == "\"" || words::is_closing(last)
    })
}
