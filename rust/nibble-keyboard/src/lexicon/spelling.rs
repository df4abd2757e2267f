//! How the words of a language are spelled: which letters follow which.
//!
//! A word that no lexicon has is a name, a new word, or a slip. The first two are spelled like other words of
//! the language, a slip seldom is: `merch`, but not `mercj`.

use super::Lexicon;

/// Letters that are told apart; all others count as one.
const LETTERS: usize = 32;
/// One class for the letters beyond them, and one for the ends of a word.
const CLASSES: usize = LETTERS + 2;
const OTHER: u8 = LETTERS as u8;
const END: u8 = LETTERS as u8 + 1;
/// Weight of the estimate from one letter less against what was counted.
const BACK_OFF: f32 = 4.0;

/// A trigram model of letters, over the different words of a lexicon.
#[derive(Debug, Clone)]
pub(crate) struct SpellingModel {
    /// The letters that are told apart, sorted, each with its class.
    letters: Vec<(char, u8)>,
    /// Logarithm of P(letter | the two before it), by the three classes.
    log_probabilities: Vec<f32>,
}

impl SpellingModel {
    pub(crate) fn new(lexicon: &Lexicon) -> SpellingModel {
        let mut counts: Vec<(char, u32)> = Vec::new();
        lexicon.for_each_word(|folded, _, _, _| {
            for letter in folded.chars() {
                match counts.iter_mut().find(|(known, _)| *known == letter) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((letter, 1)),
                }
            }
        });
        counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        counts.truncate(LETTERS);
        let mut letters: Vec<(char, u8)> =
            counts.iter().map(|(letter, _)| *letter).zip(0..).collect();
        letters.sort_unstable();

        let mut model = SpellingModel {
            letters,
            log_probabilities: Vec::new(),
        };
        let mut trigrams = vec![0.0f32; CLASSES * CLASSES * CLASSES];
        lexicon.for_each_word(|folded, _, _, _| {
            model.for_each_trigram(folded, |index| {
                if let Some(count) = trigrams.get_mut(index) {
                    *count += 1.0;
                }
            });
        });
        model.log_probabilities = log_probabilities(&trigrams);
        model
    }

    /// Natural logarithm of the probability that a word of the language is spelled like `folded`.
    pub(crate) fn log_probability(&self, folded: &str) -> f32 {
        let mut sum = 0.0;
        self.for_each_trigram(folded, |index| {
            sum += self
                .log_probabilities
                .get(index)
                .copied()
                .unwrap_or_default();
        });
        sum
    }

    fn for_each_trigram(&self, folded: &str, mut visit: impl FnMut(usize)) {
        let (mut first, mut second) = (END, END);
        let classes = folded.chars().map(|letter| self.class(letter));
        for third in classes.chain([END]) {
            let classes = [first, second, third];
            visit(
                classes
                    .iter()
                    .fold(0, |index, class| index * CLASSES + usize::from(*class)),
            );
            (first, second) = (second, third);
        }
    }

    fn class(&self, letter: char) -> u8 {
        let found = self
            .letters
            .binary_search_by_key(&letter, |(known, _)| *known);
        found
            .ok()
            .and_then(|place| self.letters.get(place))
            .map_or(OTHER, |(_, class)| *class)
    }
}

/// Counts of trigrams as logarithms of P(third | first, second), which backs off to P(third | second) and that
/// to P(third).
fn log_probabilities(trigrams: &[f32]) -> Vec<f32> {
    let mut bigrams = vec![0.0f32; CLASSES * CLASSES];
    let mut unigrams = [1.0f32; CLASSES];
    for (index, count) in trigrams.iter().enumerate() {
        let (second_third, third) = (index % (CLASSES * CLASSES), index % CLASSES);
        if let Some(sum) = bigrams.get_mut(second_third) {
            *sum += count;
        }
        if let Some(sum) = unigrams.get_mut(third) {
            *sum += count;
        }
    }
    let all: f32 = unigrams.iter().sum();
    let backed_off = |counts: &[f32], lower: &[f32]| -> Vec<f32> {
        let sum: f32 = counts.iter().sum();
        let pairs = counts.iter().zip(lower);
        pairs
            .map(|(count, lower)| (count + BACK_OFF * lower) / (sum + BACK_OFF))
            .collect()
    };
    let single: Vec<f32> = unigrams.iter().map(|count| count / all).collect();
    let pairs: Vec<Vec<f32>> = bigrams
        .chunks(CLASSES)
        .map(|counts| backed_off(counts, &single))
        .collect();
    trigrams
        .chunks(CLASSES)
        .zip(pairs.iter().cycle())
        .flat_map(|(counts, pair)| backed_off(counts, pair))
        .map(f32::ln)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::{Entry, build};

    fn model(words: &[&str]) -> SpellingModel {
        let entries = words.iter().map(|word| Entry {
            word: (*word).to_owned(),
            count: 1,
            offensive: false,
        });
        let mut file = Vec::new();
        build("en", entries, &mut file).unwrap();
        SpellingModel::new(&Lexicon::from_bytes(file).unwrap())
    }

    #[test]
    fn probabilities_add_up_to_one_behind_every_pair_of_letters() {
        let model = model(&["the", "then", "there", "other", "mother"]);
        for following in model.log_probabilities.chunks(CLASSES) {
            let sum: f32 = following.iter().map(|log| log.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-3, "{sum}");
        }
    }

    #[test]
    fn what_is_spelled_like_the_words_is_more_probable() {
        let model = model(&[
            "the", "then", "there", "other", "mother", "march", "march", "church",
        ]);
        assert!(model.log_probability("merch") > model.log_probability("mercj") + 1.0);
        assert!(model.log_probability("thener") > model.log_probability("tgener"));
    }
}
