//! The user of the measures: types without a slip, and accepts a suggestion as soon as it is shown.

use nibble_keyboard::controller::Settings;
use nibble_keyboard::position::{Join, TextPosition};
use nibble_keyboard::text::fold;
use nibble_keyboard::{EditorContext, FieldKind, SuggestionKind};

use super::predictor::Predictor;
use super::shell::Shell;
use crate::failure::Failure;

/// Letters after which it is counted whether the word is among the suggestions.
pub(crate) const LETTERS: usize = 6;
/// Suggestions that count.
pub(crate) const SLOTS: usize = 3;

/// What was counted while sentences were typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Scalar values of the text, punctuation and spaces included.
    pub(crate) characters: u64,
    /// Keys; a tap on a suggestion is one, and so is each character or backspace.
    pub(crate) keys: u64,
    /// Backspaces among them: the keyboard had changed what was typed rightly.
    pub(crate) repairs: u64,
    /// Spaces that came by themselves behind punctuation and are counted as keys all the same.
    pub(crate) free_spaces: u64,
    /// Words that were predicted before their first letter.
    pub(crate) words: u64,
    /// Those that were the first suggestion, or among the first three.
    pub(crate) top: [u64; 2],
    /// Sum of 1 / rank of the word before its first letter, 0 where it was not shown.
    pub(crate) reciprocal_rank: f64,
    /// For each number of letters the words that are longer, and those among the first three suggestions then.
    pub(crate) after: [(u64, u64); LETTERS],
}

/// Types `sentence` into an empty field.
pub(crate) fn type_sentence(
    sentence: &str,
    kind: FieldKind,
    settings: &Settings,
    predictor: &mut dyn Predictor,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let target: Vec<char> = sentence.chars().collect();
    counts.characters += target.len() as u64;
    let mut shell = Shell::new(kind, "", settings.clone(), predictor)?;
    // Where a suggestion was accepted last, and where it turned out that none should have been.
    let mut accepted_at = 0;
    let mut declined = Vec::new();
    // What goes wrong again and again is given up: it must cost, and must end.
    let mut patience = target.len();
    let mut counted_word = None;
    loop {
        let before: Vec<char> = shell.before().chars().collect();
        let reached = match progress(&before, &target) {
            Progress::At(reached) => reached,
            Progress::Astray => {
                shell.backspace(predictor)?;
                counts.keys += 1;
                counts.repairs += 1;
                declined.push(accepted_at);
                patience = patience.saturating_sub(1);
                if patience == 0 {
                    counts.keys += target.len() as u64;
                    break;
                }
                continue;
            }
        };
        let Some(&next) = target.get(reached) else {
            break;
        };
        let text: String = before.iter().collect();
        let position = TextPosition::of(&text);
        let begins = position.typed.is_empty() && position.join != Join::Unusual;
        if begins && is_letter(next) && counted_word != Some(reached) {
            counted_word = Some(reached);
            count_word(&target, reached, &text, kind, &shell, predictor, counts)?;
        }
        counts.keys += 1;
        let slot = completing_slot(&shell, &target, &position, reached);
        match slot.filter(|_| !declined.contains(&reached)) {
            Some(slot) => {
                accepted_at = reached;
                shell.tap(slot, predictor)?;
            }
            None => {
                shell.press(next, predictor)?;
                if next != ' ' && target.get(reached + 1) == Some(&' ') && !is_letter(next) {
                    // The keyboard moved an automatic space behind the mark.
                    let after: Vec<char> = shell.before().chars().collect();
                    if after.last() == Some(&' ') {
                        counts.keys += 1;
                        counts.free_spaces += 1;
                    }
                }
            }
        }
    }
    shell.blur(predictor)
}

enum Progress {
    /// So many characters of the target stand there.
    At(usize),
    /// Something else does.
    Astray,
}

/// How much of `target` stands in the field, whatever its case. A space that came by itself after an accepted
/// word is no error: the mark that follows moves it.
fn progress(before: &[char], target: &[char]) -> Progress {
    let matches = |count: usize| {
        target.get(..count).is_some_and(|expected| {
            let same = |(a, b): (&char, &char)| same_letter(*a, *b);
            before.iter().zip(expected).all(same)
        })
    };
    let length = before.len();
    if length <= target.len() && matches(length) {
        return Progress::At(length);
    }
    match before.split_last() {
        Some((' ', rest)) if rest.len() <= target.len() && matches(rest.len()) => {
            Progress::At(rest.len())
        }
        _ => Progress::Astray,
    }
}

fn same_letter(a: char, b: char) -> bool {
    a == b || fold(&a.to_string()) == fold(&b.to_string())
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic()
}

/// Whether a word can end before this character, with a space that came by itself in between.
fn ends_word(next: Option<&char>) -> bool {
    next.is_none_or(|c| matches!(c, ' ' | '.' | ',' | '!' | '?' | ';' | ':' | ')' | '…'))
}

/// The slot that completes the word which `position` stands in or before, if one does.
fn completing_slot(
    shell: &Shell,
    target: &[char],
    position: &TextPosition<'_>,
    reached: usize,
) -> Option<usize> {
    let start = reached.checked_sub(position.typed.chars().count())?;
    let slots = &shell.strip().slots;
    let offered = slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| !matches!(slot.kind, SuggestionKind::Typed | SuggestionKind::Emoji));
    offered.take(SLOTS).find_map(|(index, slot)| {
        let word: Vec<char> = slot.text.chars().collect();
        let end = start + word.len();
        let expected = target.get(start..end)?;
        let same = word.iter().zip(expected).all(|(a, b)| same_letter(*a, *b));
        (end > reached && same && ends_word(target.get(end))).then_some(index)
    })
}

/// Counts whether the word at `start` is among the suggestions, now and after each of its first letters.
fn count_word(
    target: &[char],
    start: usize,
    before: &str,
    kind: FieldKind,
    shell: &Shell,
    predictor: &mut dyn Predictor,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let rest = target.get(start..).unwrap_or_default();
    let in_word = |c: &&char| c.is_alphanumeric() || matches!(c, '\'' | '’');
    let word: String = rest.iter().take_while(in_word).collect();
    let folded = fold(word.trim_end_matches(['\'', '’']));
    let shown = shell.strip().slots.iter().map(|slot| fold(&slot.text));
    counts.words += 1;
    if let Some(rank) = shown.take(SLOTS).position(|text| text == folded) {
        counts.top[0] += u64::from(rank == 0);
        counts.top[1] += 1;
        counts.reciprocal_rank += 1.0 / (rank + 1) as f64;
    }
    let letters = folded.chars().count();
    for (index, (words, found)) in counts.after.iter_mut().enumerate() {
        let typed = index + 1;
        if letters <= typed {
            break;
        }
        let begun: String = rest.iter().take(typed).collect();
        let context = EditorContext {
            before: format!("{before}{begun}"),
            field: kind,
            ..EditorContext::default()
        };
        let Some(suggestions) = predictor.peek(&context)? else {
            break;
        };
        *words += 1;
        let mut offered = suggestions
            .items
            .iter()
            .filter(|item| item.kind != SuggestionKind::Typed)
            .take(SLOTS);
        *found += u64::from(offered.any(|item| fold(&item.text) == folded));
    }
    Ok(())
}
