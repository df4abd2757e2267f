//! What the records add up to: decayed counts of words and pairs, and the probabilities they give.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::record::{Record, Tally};
use crate::text::fold;

/// Half-life of a habit.
pub(super) const HABIT_HALF_LIFE: f32 = 60.0 * 86_400.0;
/// Half-life of a topic.
pub(super) const TOPIC_HALF_LIFE: f32 = 86_400.0;

/// Words of which the next one is new, as it were: weight against the counted ones.
const NEW_HABIT: f32 = 200.0;
const NEW_TOPIC: f32 = 40.0;
/// Weight of the single-word estimate against the counted successors of a word.
const BACK_OFF: f32 = 2.0;

#[derive(Debug, Clone, Default)]
pub(super) struct WordCounts {
    /// As the user spells it.
    pub(super) text: String,
    pub(super) habit: Tally,
    pub(super) topic: Tally,
    pub(super) uses: u32,
    pub(super) reverted: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// By folded form.
    words: BTreeMap<String, WordCounts>,
    /// Successors by folded form.
    pairs: BTreeMap<String, BTreeMap<String, Tally>>,
    habit: Tally,
    topic: Tally,
    /// The latest time seen: all counts are compared as of then.
    now: i64,
}

/// What the user types after one word: the counts of its successors are summed once, for any number
/// of words that are asked about.
#[derive(Clone, Copy)]
pub struct After<'a> {
    counts: &'a Counts,
    successors: Option<&'a BTreeMap<String, Tally>>,
    /// Sum of the successors' counts.
    all: f32,
}

impl After<'_> {
    /// Natural logarithm of the probability of `word`; see [`UserModel::score`](super::UserModel::score).
    pub fn score(&self, word: &str) -> Option<f32> {
        let folded = fold(word);
        let counts = self.counts.words.get(&folded)?;
        self.probability(&folded, counts).map(f32::ln)
    }

    /// P(word | previous): counts of the pair, backed off to [`Counts::single`]. `None` for a word that
    /// was never typed.
    pub(super) fn probability(&self, folded: &str, word: &WordCounts) -> Option<f32> {
        if word.uses == 0 {
            return None;
        }
        let single = self.counts.single(word);
        let Some(successors) = self.successors else {
            return Some(single);
        };
        let pair = successors
            .get(folded)
            .map_or(0.0, |tally| self.counts.habit_of(tally));
        Some((pair + BACK_OFF * single) / (self.all + BACK_OFF))
    }

    /// Probability that the next word is one that the user has typed before: the sum over all words.
    pub fn mass(&self) -> f32 {
        let counts = self.counts;
        let known = |all: Tally, new: f32, half_life: f32| {
            let all = all.at(counts.now, half_life);
            all / (all + new)
        };
        let habit = known(counts.habit, NEW_HABIT, HABIT_HALF_LIFE);
        let topic = known(counts.topic, NEW_TOPIC, TOPIC_HALF_LIFE);
        let single = (habit + topic) / 2.0;
        if self.successors.is_none() {
            return single;
        }
        (self.all + BACK_OFF * single) / (self.all + BACK_OFF)
    }
}

impl Counts {
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Observed {
                time,
                previous,
                word,
            } => self.observe(*time, previous, word),
            Record::Reverted { word, .. } => {
                let counts = self.words.entry(fold(word)).or_default();
                counts.reverted = true;
                if counts.text.is_empty() {
                    counts.text.clone_from(word);
                }
            }
            Record::Word {
                word,
                tally,
                recent,
                uses,
                reverted,
            } => {
                self.now = self.now.max(tally.time).max(recent.time);
                self.habit.add(*tally, HABIT_HALF_LIFE);
                self.topic.add(*recent, TOPIC_HALF_LIFE);
                let counts = self.words.entry(fold(word)).or_default();
                counts.text.clone_from(word);
                counts.habit.add(*tally, HABIT_HALF_LIFE);
                counts.topic.add(*recent, TOPIC_HALF_LIFE);
                counts.uses = counts.uses.saturating_add(*uses);
                counts.reverted |= reverted;
            }
            Record::Pair {
                previous,
                word,
                tally,
            } => {
                self.now = self.now.max(tally.time);
                let successors = self.pairs.entry(fold(previous)).or_default();
                let counts = successors.entry(fold(word)).or_default();
                counts.add(*tally, HABIT_HALF_LIFE);
            }
        }
    }

    fn observe(&mut self, time: i64, previous: &str, word: &str) {
        // Time does not run backwards: what a wrong clock calls earlier happened now.
        self.now = self.now.max(time);
        let once = Tally {
            count: 1.0,
            time: self.now,
        };
        let folded = fold(word);
        self.habit.add(once, HABIT_HALF_LIFE);
        self.topic.add(once, TOPIC_HALF_LIFE);
        let counts = self.words.entry(folded.clone()).or_default();
        counts.habit.add(once, HABIT_HALF_LIFE);
        counts.topic.add(once, TOPIC_HALF_LIFE);
        counts.uses = counts.uses.saturating_add(1);
        // At the start of a sentence, and in a shout, capitals say nothing about the word.
        let letters = word.chars().filter(|letter| letter.is_alphabetic()).count();
        let is_shouted = letters > 1 && word == word.to_uppercase();
        if counts.text.is_empty() {
            counts.text = if previous.is_empty() {
                folded.clone()
            } else {
                word.to_owned()
            };
        } else if !previous.is_empty() && !is_shouted {
            counts.text = word.to_owned();
        }
        if !previous.is_empty() {
            let successors = self.pairs.entry(previous.to_owned()).or_default();
            successors
                .entry(folded)
                .or_default()
                .add(once, HABIT_HALF_LIFE);
        }
    }

    pub(super) fn word(&self, folded: &str) -> Option<&WordCounts> {
        self.words.get(folded)
    }

    /// Words in the order of their folded forms, from `prefix` on as long as they begin with it.
    pub(super) fn words_from<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a WordCounts)> {
        self.words
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(move |(folded, _)| folded.starts_with(prefix))
            .map(|(folded, counts)| (folded.as_str(), counts))
    }

    /// P(word) by habit and topic in equal parts; the rest of the mass is for words unheard of.
    fn single(&self, word: &WordCounts) -> f32 {
        let share = |word: Tally, all: Tally, new: f32, half_life: f32| {
            word.at(self.now, half_life) / (all.at(self.now, half_life) + new)
        };
        let habit = share(word.habit, self.habit, NEW_HABIT, HABIT_HALF_LIFE);
        let topic = share(word.topic, self.topic, NEW_TOPIC, TOPIC_HALF_LIFE);
        (habit + topic) / 2.0
    }

    /// What follows `previous` (folded; empty at the start of a sentence).
    pub(super) fn after(&self, previous: &str) -> After<'_> {
        let successors = self.pairs.get(previous);
        After {
            counts: self,
            successors,
            all: successors.map_or(0.0, |successors| {
                successors.values().map(|tally| self.habit_of(tally)).sum()
            }),
        }
    }

    /// What a habit counts now.
    pub(super) fn habit_of(&self, tally: &Tally) -> f32 {
        tally.at(self.now, HABIT_HALF_LIFE)
    }

    /// Forgets a word, alone and in pairs; whether it was there.
    pub(super) fn remove(&mut self, folded: &str) -> bool {
        let removed = self.words.remove(folded);
        self.pairs.remove(folded);
        self.pairs.retain(|_, successors| {
            successors.remove(folded);
            !successors.is_empty()
        });
        self.recount();
        removed.is_some()
    }

    /// Drops pairs of which the second word was never typed: an import or a damaged file may hold
    /// them, and [`After::mass`] would count what no word gets.
    pub(super) fn drop_unknown_pairs(&mut self) {
        let words = &self.words;
        self.pairs.retain(|_, successors| {
            successors.retain(|folded, _| words.get(folded).is_some_and(|word| word.uses > 0));
            !successors.is_empty()
        });
    }

    /// Keeps at most so many words and pairs: those that count most now. What a user took back
    /// counts as one more use, so that it is kept for some time as well.
    pub(super) fn prune(&mut self, max_words: usize, max_pairs: usize) {
        if self.words.len() > max_words {
            let weight =
                |word: &WordCounts| self.habit_of(&word.habit) + f32::from(u8::from(word.reverted));
            let mut weights: Vec<(f32, String)> = self
                .words
                .iter()
                .map(|(folded, word)| (weight(word), folded.clone()))
                .collect();
            weights.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            for (_, folded) in weights.drain(max_words..) {
                self.words.remove(&folded);
            }
            let words = &self.words;
            self.pairs.retain(|previous, successors| {
                successors.retain(|folded, _| words.contains_key(folded));
                words.contains_key(previous) && !successors.is_empty()
            });
        }
        let count: usize = self.pairs.values().map(BTreeMap::len).sum();
        if count > max_pairs {
            let mut weights: Vec<(f32, &String, &String)> = Vec::with_capacity(count);
            for (previous, successors) in &self.pairs {
                let of = successors.iter().map(|(word, tally)| {
                    let weight = self.habit_of(tally);
                    (weight, previous, word)
                });
                weights.extend(of);
            }
            // Stable: of pairs that count alike, the first in alphabetical order stay.
            weights.sort_by(|a, b| b.0.total_cmp(&a.0));
            let dropped = weights.drain(max_pairs..);
            let dropped: Vec<(String, String)> = dropped
                .map(|(_, previous, word)| (previous.clone(), word.clone()))
                .collect();
            for (previous, word) in &dropped {
                if let Some(successors) = self.pairs.get_mut(previous) {
                    successors.remove(word);
                }
            }
            self.pairs.retain(|_, successors| !successors.is_empty());
        }
        self.recount();
    }

    /// Sets the totals and the time to those of what is there.
    fn recount(&mut self) {
        self.now = self
            .words
            .values()
            .map(|word| word.habit.time)
            .fold(0, i64::max);
        let (mut habit, mut topic) = (0.0, 0.0);
        for word in self.words.values() {
            habit += word.habit.at(self.now, HABIT_HALF_LIFE);
            topic += word.topic.at(self.now, TOPIC_HALF_LIFE);
        }
        self.habit = Tally {
            count: habit,
            time: self.now,
        };
        self.topic = Tally {
            count: topic,
            time: self.now,
        };
    }

    /// Records that give these counts.
    pub(super) fn records(&self) -> Vec<Record> {
        let words = self.words.values().map(|counts| Record::Word {
            word: counts.text.clone(),
            tally: counts.habit,
            recent: counts.topic,
            uses: counts.uses,
            reverted: counts.reverted,
        });
        let pairs = self.pairs.iter().flat_map(|(previous, successors)| {
            successors.iter().map(|(word, &tally)| Record::Pair {
                previous: previous.clone(),
                word: word.clone(),
                tally,
            })
        });
        words.chain(pairs).collect()
    }

    pub(super) fn len(&self) -> (usize, usize) {
        (
            self.words.len(),
            self.pairs.values().map(BTreeMap::len).sum(),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// [`After::probability`] with a sum for each word.
    fn slow_probability(counts: &Counts, previous: &str, folded: &str) -> Option<f32> {
        let word = counts.words.get(folded).filter(|word| word.uses > 0)?;
        let single = counts.single(word);
        let Some(successors) = counts.pairs.get(previous) else {
            return Some(single);
        };
        let count = |tally: &Tally| tally.at(counts.now, HABIT_HALF_LIFE);
        let pair = successors.get(folded).map_or(0.0, count);
        let all: f32 = successors.values().map(count).sum();
        Some((pair + BACK_OFF * single) / (all + BACK_OFF))
    }

    proptest! {
        #[test]
        fn successors_that_are_summed_once_give_the_same_probabilities(
            typed in prop::collection::vec((0usize..7, 0usize..6, 0i64..400), 0..60)
        ) {
            let words = ["alpha", "beta", "gamma", "delta", "épsilon", "мир", ""];
            let mut counts = Counts::default();
            for (previous, word, day) in typed {
                counts.observe(day * 86_400, words[previous], words[word]);
            }
            counts.apply(&Record::Reverted { time: 0, word: "never".to_owned() });
            for previous in words {
                let after = counts.after(previous);
                let mut sum = 0.0;
                for word in words.into_iter().chain(["never"]) {
                    let slow = slow_probability(&counts, previous, word);
                    let known = counts.word(word);
                    let found = known.and_then(|known| after.probability(word, known));
                    prop_assert_eq!(found, slow);
                    prop_assert_eq!(after.score(word), slow.map(f32::ln));
                    sum += slow.unwrap_or_default();
                }
                prop_assert!((after.mass() - sum).abs() < 1e-3);
            }
        }
    }
}
