//! The most frequent words that begin as typed.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{Lexicon, Place};
use crate::text::{base_letter, fold_char};

/// A word that begins as typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The word in its usual spelling.
    pub word: String,
    /// Natural logarithm of its share of running text.
    pub log_frequency: f32,
    /// What completions are ranked by: the log frequency, less a penalty where an accent or an
    /// apostrophe was not typed.
    pub score: f32,
    /// Whether it is known to offend.
    pub offensive: bool,
}

/// Nats that a word loses for each accent or apostrophe in it that was not typed.
const UNTYPED_MARK_PENALTY: f32 = 1.5;

/// Of the ways to read an accentless prefix, how many are followed.
const MAX_READINGS: usize = 16;

impl Lexicon {
    /// The `limit` best words that begin with `prefix` (case-folded), best first; a word equal to
    /// the prefix is one of them. A letter typed without its accent stands for the accented one
    /// as well, and an apostrophe may be left out, at a loss of score. Offensive words are there,
    /// marked.
    ///
    /// Best-first search: the map knows the most frequent word below each of its nodes, so only
    /// the nodes on the way to the answers are opened.
    pub fn completions(&self, prefix: &str, limit: usize) -> Vec<Completion> {
        let mut letters = Letters::default();
        let mut open = BinaryHeap::new();
        for (place, penalty, way) in self.readings(prefix, &mut letters) {
            let cost = self.least_cost(place) + penalty;
            open.push(Candidate {
                cost,
                penalty,
                place,
                way,
                is_word: false,
            });
        }
        let mut found: Vec<Completion> = Vec::new();
        while found.len() < limit
            && let Some(best) = open.pop()
        {
            if best.is_word {
                let folded = letters.read(best.way);
                let Some((word, offensive)) = self.describe(best.place, &folded) else {
                    continue;
                };
                let completion = Completion {
                    word,
                    log_frequency: best.penalty - best.cost,
                    score: -best.cost,
                    offensive,
                };
                let is_new = found.iter().all(|earlier| earlier.word != completion.word);
                if is_new {
                    found.push(completion);
                }
                continue;
            }
            if let Some(cost) = self.cost_of_word(best.place) {
                open.push(Candidate {
                    cost: cost + best.penalty,
                    is_word: true,
                    ..best
                });
            }
            self.for_each_letter(best.place, |letter, place| {
                let cost = self.least_cost(place) + best.penalty;
                let way = letters.push(best.way, letter);
                open.push(Candidate {
                    cost,
                    place,
                    way,
                    ..best
                });
            });
        }
        found
    }

    /// The places that `prefix` can lead to, with their penalties and ways.
    fn readings(&self, prefix: &str, letters: &mut Letters) -> Vec<(Place, f32, Way)> {
        let mut readings = vec![(self.root(), 0.0, Way::START)];
        for typed in prefix.chars().flat_map(fold_char) {
            let mut next = Vec::new();
            for &(place, penalty, way) in &readings {
                let mut follow = |letter, place, penalty, way, letters: &mut Letters| {
                    if letter == typed {
                        next.push((place, penalty, letters.push(way, letter)));
                    } else if base_letter(letter) == Some(typed) {
                        let penalty = penalty + UNTYPED_MARK_PENALTY;
                        next.push((place, penalty, letters.push(way, letter)));
                    }
                };
                self.for_each_letter(place, |letter, place| {
                    follow(letter, place, penalty, way, letters);
                    if letter == '\'' && typed != '\'' && way != Way::START {
                        let way = letters.push(way, letter);
                        let penalty = penalty + UNTYPED_MARK_PENALTY;
                        self.for_each_letter(place, |letter, place| {
                            follow(letter, place, penalty, way, letters);
                        });
                    }
                });
            }
            next.sort_by(|a, b| {
                let cost = |reading: &(Place, f32, Way)| reading.1 + self.least_cost(reading.0);
                cost(a).total_cmp(&cost(b))
            });
            next.truncate(MAX_READINGS);
            readings = next;
        }
        readings
    }
}

/// An entry of the search: all words below a place, or the one that ends there.
#[derive(Clone, Copy)]
struct Candidate {
    cost: f32,
    penalty: f32,
    place: Place,
    way: Way,
    is_word: bool,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Candidate) -> Ordering {
        // The heap gives its greatest first: the cheapest, and of equals the one seen first.
        other
            .cost
            .total_cmp(&self.cost)
            .then_with(|| other.way.cmp(&self.way))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Candidate) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// The letters on the ways of a search, each linked to the one before it.
#[derive(Default)]
pub(crate) struct Letters(Vec<(Way, char)>);

/// A way in [`Letters`], named by its last letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Way(u32);

impl Way {
    /// The way without letters.
    pub(crate) const START: Way = Way(0);
}

impl Letters {
    pub(crate) fn push(&mut self, way: Way, letter: char) -> Way {
        self.0.push((way, letter));
        // A search opens some thousand nodes, far from the limit of the index.
        Way(u32::try_from(self.0.len()).unwrap_or(u32::MAX))
    }

    /// The letters of `way` in order.
    pub(crate) fn read(&self, mut way: Way) -> String {
        let mut reversed = Vec::new();
        while let Some(&(before, letter)) = (way.0 as usize)
            .checked_sub(1)
            .and_then(|index| self.0.get(index))
        {
            reversed.push(letter);
            way = before;
        }
        reversed.into_iter().rev().collect()
    }
}
