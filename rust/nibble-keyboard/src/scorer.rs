//! How probable a word is: the model, the lexicons and the user, mixed.

use std::ops::Range;

use crate::boundary::{Distribution, LIKELY};
use crate::case::LetterCase;
use crate::model_words::ModelWords;
use crate::position::Join;
use crate::text::{capitalize, fold};
use crate::user_model::{After, UserModel};
use crate::vocab_index::VocabIndex;
use crate::word_table::WordTable;

/// How much each source counts. The defaults were found on the tuning half of the development text.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Part of the lexicons beside the model: for rare words.
    pub lexicon: f32,
    /// Part of its probability that a token keeps which looks like a word and is in no lexicon.
    pub unlisted: f32,
    /// Part of what the user has typed, as far as it is known, beside everything else.
    pub user: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Weights {
            lexicon: 0.05,
            unlisted: 0.3,
            user: 0.15,
        }
    }
}

/// What is known of the model at one boundary.
#[derive(Debug, Clone, Copy)]
pub struct ModelEvidence<'a> {
    /// The vocabulary.
    pub index: &'a VocabIndex,
    /// How the model spells the words.
    pub words: &'a ModelWords,
    /// What it expects.
    pub distribution: &'a Distribution,
    /// How the word joins the text before it.
    pub join: Join,
    /// Whether the word does not begin a sentence, so that a capital tells something.
    pub inside_sentence: bool,
}

/// What is known of the user at one boundary.
#[derive(Clone, Copy)]
pub struct UserEvidence<'a> {
    model: &'a UserModel,
    previous: Option<&'a str>,
    after: After<'a>,
}

impl<'a> UserEvidence<'a> {
    /// What `model` knows of the user after the word `previous` of the same sentence.
    pub fn new(model: &'a UserModel, previous: Option<&'a str>) -> UserEvidence<'a> {
        UserEvidence {
            model,
            previous,
            after: model.after(previous),
        }
    }
}

/// A word and its probability.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredWord {
    /// As it is spelled inside a sentence.
    pub text: String,
    /// Probability that it is the word at the boundary, whatever has been typed of it.
    pub probability: f32,
    /// Whether the lexicon of its likeliest language marks it.
    pub offensive: bool,
    /// Whether it is a word of the user's: most of its probability comes from what they have typed.
    pub learned: bool,
}

/// The words that begin as typed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Completions {
    /// The most probable ones, best first, without the typed word itself.
    pub words: Vec<ScoredWord>,
    /// Probability of the word exactly as typed, whatever its case.
    pub typed: f32,
    /// Probability of all words that begin as typed, that word included.
    pub mass: f32,
}

/// Scores words at one boundary.
#[derive(Clone, Copy)]
pub struct Scorer<'a> {
    /// The words.
    pub table: &'a WordTable,
    /// The model, where its distribution is there.
    pub model: Option<ModelEvidence<'a>>,
    /// The user.
    pub user: Option<UserEvidence<'a>>,
    /// For each language of the table its part of the text; sums to 1.
    pub languages: &'a [f32],
    /// How the sources are mixed.
    pub weights: &'a Weights,
}

/// Odds of the capitalised form from which on a word is offered so inside a sentence: `Mark`, `Rose`.
const CAPITAL_ODDS: f32 = 4.0;
/// Words of the user that are considered beside those of the table.
const USER_WORDS: usize = 8;

impl Scorer<'_> {
    /// Probability of `word`, whatever its case; 0 where nobody knows it.
    pub fn probability_of(&self, word: &str) -> f32 {
        let others = self
            .table
            .find(&fold(word))
            .map_or(0.0, |number| self.probability(number));
        self.with_user(word, others)
    }

    /// Probability of word `number` of the table, by model and lexicons.
    pub fn probability(&self, number: usize) -> f32 {
        let listed = match self.languages {
            [_] => self.table.probability(number, 0),
            languages => languages
                .iter()
                .enumerate()
                .map(|(language, weight)| weight * self.table.probability(number, language))
                .sum(),
        };
        match &self.model {
            None => listed,
            Some(model) => {
                let predicted =
                    model
                        .words
                        .probability(self.table, model.distribution, model.join, number);
                (1.0 - self.weights.lexicon) * predicted + self.weights.lexicon * listed
            }
        }
    }

    /// Mixes what the user types into the probability that everything else gives a word.
    fn with_user(&self, word: &str, others: f32) -> f32 {
        let Some(user) = self.user.filter(|user| !user.model.is_empty()) else {
            return others;
        };
        let by_user = user.after.score(word).map_or(0.0, f32::exp);
        self.weights.user * by_user + (1.0 - self.user_mass(user)) * others
    }

    /// The part of the mixture that is words which the user has typed.
    fn user_mass(&self, user: UserEvidence<'_>) -> f32 {
        self.weights.user * user.after.mass()
    }

    /// The `count` most probable words that begin with `typed`, whatever their case, and one of the
    /// user's own words if there is one.
    pub fn completions(&self, typed: &str, count: usize) -> Completions {
        let folded = fold(typed);
        let mut best = Best::new(count);
        let mut typed_probability = 0.0;
        let mut mass = 0.0;
        let next = folded.is_empty().then(|| self.next_words(count)).flatten();
        match next {
            Some(words) => {
                best = words;
                mass = self.mass();
            }
            None => {
                for number in self.table.interval(&folded) {
                    let probability = self.probability(number);
                    mass += probability;
                    if self.table.folded(number).len() == folded.len() {
                        typed_probability = probability;
                    } else if best.admits(probability) {
                        best.add(probability, Found::Listed(number));
                    }
                }
            }
        }
        if let Some(model) = &self.model {
            let space = model.join == Join::Space;
            let typed_bytes = folded.len() + usize::from(space);
            for interval in model.index.folded_intervals(&folded, space) {
                let unlisted = self.add_unlisted(model, interval, typed_bytes, &mut best);
                mass += unlisted.mass;
                typed_probability += unlisted.typed;
            }
        }
        let entries = std::mem::take(&mut best.entries);
        let mut words: Vec<ScoredWord> = entries
            .into_iter()
            .map(|(probability, found)| self.scored(probability, found))
            .collect();
        if let Some(user) = self.user.filter(|user| !user.model.is_empty()) {
            let completed_by_user = self.add_user_words(user, &folded, &mut words);
            let by_user = match folded.as_str() {
                "" => self.user_mass(user),
                _ => completed_by_user + self.with_user(&folded, 0.0),
            };
            typed_probability = self.with_user(&folded, typed_probability);
            // Not all of the user's words are looked at: what is offered is part of it in any case.
            let offered = words.iter().map(|word| word.probability).sum::<f32>();
            mass = mass * (1.0 - self.user_mass(user)) + by_user;
            mass = mass.max(offered + typed_probability);
            // A word of the user's stays, however improbable.
            let learned = words.iter().skip(count).find(|word| word.learned).cloned();
            words.truncate(count);
            if words.iter().all(|word| !word.learned) {
                words.extend(learned);
            }
        }
        Completions {
            words,
            typed: typed_probability,
            mass: mass.max(f32::MIN_POSITIVE),
        }
    }

    /// The `count` most probable words of the whole table, found without a look at each: every word that is
    /// left out is less probable, else the answer is `None`.
    fn next_words(&self, count: usize) -> Option<Best> {
        let mut best = Best::new(count);
        let consider = |best: &mut Best, numbers: &[u32]| {
            for &number in numbers {
                let number = number as usize;
                let probability = self.probability(number);
                if best.admits(probability) && !best.contains(number) {
                    best.add(probability, Found::Listed(number));
                }
            }
        };
        let mut listed = 0.0;
        for (language, weight) in self.languages.iter().enumerate() {
            let frequent = self.table.frequent(language);
            consider(&mut best, frequent);
            let least = *frequent.last()? as usize;
            listed += weight * self.table.probability(least, language);
        }
        let Some(model) = &self.model else {
            return (best.is_full() && !best.admits(listed)).then_some(best);
        };
        // What a word can have that was not considered, if none of its tokens is more probable than `token`: it
        // has two forms at most, in small letters and as it is spelled.
        let bound =
            |token: f32| (1.0 - self.weights.lexicon) * 2.0 * token + self.weights.lexicon * listed;
        for &rank in model.distribution.likely() {
            let rank = rank as usize;
            if best.is_full() && !best.admits(bound(model.distribution.probability(rank))) {
                return Some(best);
            }
            consider(&mut best, model.words.words_of(rank));
        }
        (best.is_full() && !best.admits(bound(LIKELY))).then_some(best)
    }

    /// Probability of all words of the table.
    fn mass(&self) -> f32 {
        match &self.model {
            None => 1.0,
            Some(model) => {
                let predicted = model
                    .words
                    .mass(model.index, model.distribution, model.join);
                (1.0 - self.weights.lexicon) * predicted + self.weights.lexicon
            }
        }
    }

    /// Adds what the user has typed to `words`, and the likeliest of their own words that go on from `folded`.
    /// Returns the part that these have of the mixture.
    fn add_user_words(
        &self,
        user: UserEvidence<'_>,
        folded: &str,
        words: &mut Vec<ScoredWord>,
    ) -> f32 {
        let mut sum = 0.0;
        for word in words.iter_mut() {
            word.probability = self.with_user(&word.text, word.probability);
        }
        for completion in user.model.completions(folded, user.previous, USER_WORDS) {
            let text = fold(&completion.word);
            let known = words.iter_mut().find(|word| fold(&word.text) == text);
            if text == *folded {
                continue;
            }
            let by_user = self.weights.user * completion.log_probability.exp();
            sum += by_user;
            match known {
                // As the user spells it, unless that is only how a sentence begins.
                Some(word) => {
                    word.learned = by_user > word.probability / 2.0;
                    if crate::case::letter_case(&completion.word) == LetterCase::Mixed {
                        word.text = completion.word;
                    }
                }
                None => {
                    let number = self.table.find(&text);
                    let probability = self.probability_of(&text);
                    words.push(ScoredWord {
                        probability,
                        learned: by_user > probability / 2.0,
                        offensive: number
                            .is_some_and(|number| self.table.is_offensive(number, self.languages)),
                        text: match number {
                            Some(number) => self.table.spelling(number).to_owned(),
                            None => completion.word,
                        },
                    });
                }
            }
        }
        words.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        sum
    }

    fn scored(&self, probability: f32, found: Found) -> ScoredWord {
        match found {
            Found::Listed(number) => {
                let spelling = self.table.spelling(number);
                let capital = self.model.is_some_and(|model| {
                    model.inside_sentence
                        && model.words.capital_odds(
                            model.index,
                            model.distribution,
                            model.join,
                            number,
                        ) > CAPITAL_ODDS
                });
                ScoredWord {
                    text: if capital {
                        capitalize(spelling)
                    } else {
                        spelling.to_owned()
                    },
                    probability,
                    offensive: self.table.is_offensive(number, self.languages),
                    learned: false,
                }
            }
            Found::Unlisted(rank) => {
                let bytes = self.model.map_or(&[][..], |model| model.index.bytes(rank));
                let text = String::from_utf8_lossy(bytes).trim_start().to_owned();
                ScoredWord {
                    text,
                    probability,
                    offensive: false,
                    learned: false,
                }
            }
        }
    }

    /// Adds the words in `interval` of the vocabulary that the table lacks to `best`, and returns the
    /// probability of all of them but, where most are improbable, of those that are.
    fn add_unlisted(
        &self,
        model: &ModelEvidence<'_>,
        interval: Range<usize>,
        typed_bytes: usize,
        best: &mut Best,
    ) -> Unlisted {
        let part = (1.0 - self.weights.lexicon) * self.weights.unlisted;
        let mut found = Unlisted::default();
        let mut consider = |best: &mut Best, rank: usize, probability: f32| {
            let probability = probability * part;
            if probability > 0.0 && model.words.is_unlisted(rank) {
                found.mass += probability;
                if model.index.bytes(rank).len() == typed_bytes {
                    found.typed += probability;
                } else if best.admits(probability) {
                    best.add(probability, Found::Unlisted(rank));
                }
            }
        };
        let likely = model.distribution.likely();
        if interval.len() > likely.len() && best.is_full() && !best.admits(LIKELY * part) {
            for &rank in likely
                .iter()
                .filter(|rank| interval.contains(&(**rank as usize)))
            {
                let rank = rank as usize;
                consider(best, rank, model.distribution.probability(rank));
            }
            return found;
        }
        let probabilities = model.distribution.probabilities(interval.clone());
        for (rank, &probability) in interval.zip(probabilities) {
            consider(best, rank, probability);
        }
        found
    }
}

/// Probability of words that the table lacks.
#[derive(Debug, Clone, Copy, Default)]
struct Unlisted {
    /// Of all that begin as typed.
    mass: f32,
    /// Of the one that was typed.
    typed: f32,
}

#[derive(Debug, Clone, Copy)]
enum Found {
    Listed(usize),
    Unlisted(usize),
}

/// The most probable entries so far, best first.
struct Best {
    count: usize,
    entries: Vec<(f32, Found)>,
}

impl Best {
    fn new(count: usize) -> Best {
        Best {
            count,
            entries: Vec::with_capacity(count + 1),
        }
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.count
    }

    fn contains(&self, number: usize) -> bool {
        let is_it = |found: &Found| matches!(found, Found::Listed(other) if *other == number);
        self.entries.iter().any(|(_, found)| is_it(found))
    }

    fn admits(&self, probability: f32) -> bool {
        !self.is_full()
            || self
                .entries
                .last()
                .is_some_and(|(worst, _)| probability > *worst)
    }

    fn add(&mut self, probability: f32, found: Found) {
        let place = self
            .entries
            .partition_point(|(other, _)| *other >= probability);
        self.entries.insert(place, (probability, found));
        self.entries.truncate(self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_model::Bounds;
    use crate::word_table::Word;

    fn table() -> WordTable {
        let words = [
            ("the", 60.0),
            ("there", 20.0),
            ("then", 10.0),
            ("them", 9.0),
            ("Theo", 1.0),
        ];
        let words = words.map(|(text, frequency)| Word {
            text,
            frequency,
            language: 0,
            offensive: false,
        });
        WordTable::new(words.into_iter(), 1)
    }

    fn texts(completions: &Completions) -> Vec<&str> {
        completions
            .words
            .iter()
            .map(|word| word.text.as_str())
            .collect()
    }

    #[test]
    fn without_a_model_words_come_by_frequency_and_the_typed_one_takes_no_place() {
        let table = table();
        let weights = Weights::default();
        let scorer = Scorer {
            table: &table,
            model: None,
            user: None,
            languages: &[1.0],
            weights: &weights,
        };
        let found = scorer.completions("The", 3);
        assert_eq!(texts(&found), ["there", "then", "them"]);
        assert!((found.typed - 0.6).abs() < 1e-6 && (found.mass - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_user_and_the_lexicon_make_one_distribution() {
        let table = table();
        let weights = Weights {
            user: 1.0,
            ..Weights::default()
        };
        let mut user = UserModel::in_memory(Bounds::default());
        for time in 0..6 {
            user.observe(crate::FieldKind::Message, &["see"], "Thessaloniki", time)
                .unwrap();
            user.observe(crate::FieldKind::Message, &["see"], "them", time)
                .unwrap();
        }
        let scorer = Scorer {
            table: &table,
            model: None,
            user: Some(UserEvidence::new(&user, Some("see"))),
            languages: &[1.0],
            weights: &weights,
        };
        let found = scorer.completions("the", 9);
        assert!(
            texts(&found)[..2].contains(&"Thessaloniki") && texts(&found)[..2].contains(&"them")
        );
        assert!((found.mass - 1.0).abs() < 1e-3, "{found:?}");
        assert!(
            (scorer.probability_of("Them")
                - found
                    .words
                    .iter()
                    .find(|w| w.text == "them")
                    .unwrap()
                    .probability)
                .abs()
                < 1e-6
        );
    }

    #[test]
    fn words_that_are_not_kept_count_too() {
        let table = table();
        let weights = Weights {
            user: 0.5,
            ..Weights::default()
        };
        let mut user = UserModel::in_memory(Bounds::default());
        for time in 0..6 {
            user.observe(crate::FieldKind::Message, &["see"], "Thessaloniki", time)
                .unwrap();
        }
        let scorer = Scorer {
            table: &table,
            model: None,
            user: Some(UserEvidence::new(&user, Some("see"))),
            languages: &[1.0],
            weights: &weights,
        };
        for typed in ["", "the"] {
            let found = scorer.completions(typed, 1);
            assert!((found.mass - 1.0).abs() < 1e-3, "{typed:?} {found:?}");
        }
    }
}
