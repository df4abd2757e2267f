//! How likely one letter is to be typed for another: the channel of the noisy-channel model.
//!
//! All costs are negative log probabilities in nats, relative to typing the letter rightly. Their
//! order follows what slips of fingers on glass are like: neighbouring keys, swapped and doubled
//! letters are common, far keys are not; marks that take another page or a long press are left out
//! on purpose. Their sizes were set on the tuning half of `nibble eval autocorrect`.

use crate::geometry::{Layout, NEIGHBOUR_DISTANCE};
use crate::text::base_letter;

/// Costs of the slips that do not depend on where the keys are.
pub(super) const TRANSPOSITION: f32 = 4.6;
pub(super) const OMITTED: f32 = 5.6;
pub(super) const OMITTED_FIRST: f32 = 7.0;
pub(super) const OMITTED_DOUBLE: f32 = 3.8;
pub(super) const EXTRA: f32 = 6.6;
pub(super) const EXTRA_DOUBLE: f32 = 3.8;
pub(super) const EXTRA_NEIGHBOUR: f32 = 5.2;
/// What a second slip costs besides its own cost: most words have none, hardly any two.
pub(super) const SECOND_SLIP: f32 = 3.5;
/// Two words for one: this costs more than the slip, for the prior takes the second word to be
/// independent of the first.
pub(super) const MISSING_SPACE: f32 = 8.5;
pub(super) const LETTER_FOR_SPACE: f32 = 8.5;
/// An apostrophe or a hyphen that was left out.
pub(super) const MISSING_MARK: f32 = 0.5;
/// A letter typed without its accent.
pub(super) const MISSING_ACCENT: f32 = 0.8;
/// Another accent, or one too many.
pub(super) const WRONG_ACCENT: f32 = 2.0;

const NEAREST: f32 = 3.2;
const PER_SQUARE_KEY: f32 = 0.5;
const FARTHEST: f32 = 8.5;
const VOWEL_FOR_VOWEL: f32 = 6.0;

/// Standard deviation of taps around the centre of their key, in key widths.
const TAP_DEVIATION: f32 = 0.35;
/// What a key loses where the tap was not near it: the finger went for another key.
const TAP_ELSEWHERE: f32 = 1.5;

/// Where the fingers went for one typed word.
pub(super) enum Evidence<'a> {
    /// Only the letters are known.
    Letters,
    /// The coordinates of each letter's tap, in key widths.
    Taps(&'a [(f32, f32)]),
}

/// Costs of typing one letter for another on a layout.
pub(super) struct KeyCosts {
    /// In ascending order; where the letter of a key is, are its centre and its row.
    letters: Vec<char>,
    centres: Vec<(f32, f32)>,
    /// Row by row: what was meant, then what was typed.
    substitution: Vec<f32>,
}

pub(super) fn is_vowel(letter: char) -> bool {
    matches!(
        letter,
        'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'а' | 'е' | 'и' | 'о' | 'у' | 'ы' | 'э'
    )
}

fn squared_distance(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)
}

impl KeyCosts {
    pub(super) fn new(layout: &Layout) -> KeyCosts {
        let mut letters: Vec<char> = layout.letters().collect();
        letters.sort_unstable();
        let centres: Vec<(f32, f32)> = letters
            .iter()
            .map(|&letter| layout.centre(letter).unwrap_or_default())
            .collect();
        let mut substitution = Vec::with_capacity(letters.len() * letters.len());
        for (&meant, &a) in letters.iter().zip(&centres) {
            for (&typed, &b) in letters.iter().zip(&centres) {
                let by_finger = NEAREST + PER_SQUARE_KEY * squared_distance(a, b);
                let by_ear = match is_vowel(meant) && is_vowel(typed) {
                    true => VOWEL_FOR_VOWEL,
                    false => FARTHEST,
                };
                substitution.push(if meant == typed {
                    0.0
                } else {
                    by_finger.min(by_ear)
                });
            }
        }
        KeyCosts {
            letters,
            centres,
            substitution,
        }
    }

    fn key(&self, letter: char) -> Option<usize> {
        let of = |letter| self.letters.binary_search(&letter).ok();
        of(letter).or_else(|| of(base_letter(letter)?))
    }

    fn between(&self, meant: char, typed: char) -> f32 {
        let cost = self
            .key(meant)
            .zip(self.key(typed))
            .and_then(|(meant, typed)| self.substitution.get(meant * self.centres.len() + typed));
        cost.copied().unwrap_or(FARTHEST)
    }

    /// Cost of typing `typed`, with the tap at `position`, for `meant`, another letter.
    pub(super) fn substitution(
        &self,
        meant: char,
        typed: char,
        position: usize,
        evidence: &Evidence<'_>,
    ) -> f32 {
        if base_letter(meant) == Some(typed) {
            return MISSING_ACCENT;
        }
        if base_letter(meant).unwrap_or(meant) == base_letter(typed).unwrap_or(typed) {
            return WRONG_ACCENT;
        }
        let by_letters = self.between(meant, typed);
        let Evidence::Taps(taps) = evidence else {
            return by_letters;
        };
        let centre = |letter| {
            self.key(letter)
                .and_then(|key| self.centres.get(key))
                .copied()
        };
        let (Some(&tap), Some(meant), Some(typed)) =
            (taps.get(position), centre(meant), centre(typed))
        else {
            return by_letters;
        };
        let excess = squared_distance(tap, meant) - squared_distance(tap, typed);
        let by_tap = (excess / (2.0 * TAP_DEVIATION * TAP_DEVIATION)).max(0.0);
        by_tap.min(by_letters + TAP_ELSEWHERE)
    }

    /// Whether the keys of two letters touch.
    pub(super) fn are_neighbours(&self, a: char, b: char) -> bool {
        let centre = |letter| {
            self.key(letter)
                .and_then(|key| self.centres.get(key))
                .copied()
        };
        centre(a)
            .zip(centre(b))
            .is_some_and(|(a, b)| squared_distance(a, b) <= NEIGHBOUR_DISTANCE * NEIGHBOUR_DISTANCE)
    }

    /// Cost of `letter` having been typed besides what was meant, between `before` and `after`.
    pub(super) fn extra(&self, letter: char, before: Option<char>, after: Option<char>) -> f32 {
        if before == Some(letter) {
            return EXTRA_DOUBLE;
        }
        let beside = [before, after].into_iter().flatten();
        match beside
            .into_iter()
            .any(|other| self.are_neighbours(letter, other))
        {
            true => EXTRA_NEIGHBOUR,
            false => EXTRA,
        }
    }

    /// Cost of leaving out `letter` after `before` (`None` at the beginning of the word).
    pub(super) fn omitted(letter: char, before: Option<char>) -> f32 {
        match before {
            _ if matches!(letter, '\'' | '-') => MISSING_MARK,
            Some(before) if before == letter => OMITTED_DOUBLE,
            Some(_) => OMITTED,
            None => OMITTED_FIRST,
        }
    }
}

/// Whether writing `meant` where `typed` was typed is no edit but a matter of marks.
pub(super) fn is_mark(meant: char, typed: char) -> bool {
    base_letter(meant).unwrap_or(meant) == base_letter(typed).unwrap_or(typed)
}
