//! Several languages at once, without switching.

use std::borrow::Cow;
use std::sync::Arc;

use super::Lexicon;

/// The lexicons of the languages that somebody writes.
///
/// Which language is being written follows from the last words: [`Lexicons::weights`]. No language
/// ever loses all weight, so the first word of another one is still found.
#[derive(Clone, Default)]
pub struct Lexicons {
    lexicons: Vec<Arc<Lexicon>>,
}

/// How likely the next word is to be of each language; the weights add up to 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LanguageWeights {
    weights: Vec<f32>,
}

impl LanguageWeights {
    /// The weights, in the order of the lexicons.
    pub fn as_slice(&self) -> &[f32] {
        &self.weights
    }
}

/// Words that tell the language, at most.
const CONTEXT_WORDS: usize = 8;

/// How much less each earlier word says.
const DECAY: f32 = 0.8;

/// Log frequency taken for a word that is unknown to one language and known to another.
const UNKNOWN_LOG_FREQUENCY: f32 = -15.0;

/// Weight that is shared out evenly whatever the context says.
const SHARED_WEIGHT: f32 = 0.1;

impl Lexicons {
    /// These lexicons, equal at first.
    pub fn new(lexicons: Vec<Arc<Lexicon>>) -> Lexicons {
        Lexicons { lexicons }
    }

    /// The lexicons, in the order they were given.
    pub fn as_slice(&self) -> &[Arc<Lexicon>] {
        &self.lexicons
    }

    /// How likely the next word is to be of each language after the words of `context` (oldest
    /// first): naive Bayes over the last eight words that any lexicon knows, the recent ones
    /// counting most, mixed with equal weights.
    pub fn weights(&self, context: &[&str]) -> LanguageWeights {
        let mut scores = vec![0.0f32; self.lexicons.len()];
        let mut influence = 1.0;
        for word in context.iter().rev().take(CONTEXT_WORDS) {
            let known: Vec<Option<f32>> = self
                .lexicons
                .iter()
                .map(|lexicon| lexicon.log_frequency(word))
                .collect();
            if known.iter().all(Option::is_none) {
                continue;
            }
            for (score, log_frequency) in scores.iter_mut().zip(known) {
                let evidence = log_frequency.unwrap_or(UNKNOWN_LOG_FREQUENCY);
                *score += influence * evidence.max(UNKNOWN_LOG_FREQUENCY);
            }
            influence *= DECAY;
        }
        let greatest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let likelihoods: Vec<f32> = scores
            .iter()
            .map(|score| (score - greatest).exp())
            .collect();
        let total: f32 = likelihoods.iter().sum();
        let even = 1.0 / likelihoods.len() as f32;
        let weights = likelihoods
            .iter()
            .map(|likelihood| (1.0 - SHARED_WEIGHT) * likelihood / total + SHARED_WEIGHT * even)
            .collect();
        LanguageWeights { weights }
    }

    /// Each lexicon with the natural logarithm of its weight.
    pub(crate) fn weighted<'a>(
        &'a self,
        weights: &'a LanguageWeights,
    ) -> impl Iterator<Item = (&'a Lexicon, f32)> {
        let even = 1.0 / self.lexicons.len() as f32;
        self.lexicons
            .iter()
            .enumerate()
            .map(move |(index, lexicon)| {
                let weight = weights.weights.get(index).copied().unwrap_or(even);
                (lexicon.as_ref(), weight.ln())
            })
    }

    /// The lexicon in which `word` is most likely, and how likely it is there.
    fn best(&self, word: &str, weights: &LanguageWeights) -> Option<(&Lexicon, f32)> {
        let mut best: Option<(&Lexicon, f32)> = None;
        for (index, lexicon) in self.lexicons.iter().enumerate() {
            let Some(log_frequency) = lexicon.log_frequency(word) else {
                continue;
            };
            let weight = weights.weights.get(index).copied().unwrap_or(1.0);
            let score = log_frequency + weight.ln();
            if best.is_none_or(|(_, greatest)| score > greatest) {
                best = Some((lexicon, score));
            }
        }
        best
    }

    /// Natural logarithm of the share of `word` in running text of all languages by weight;
    /// `None` where no lexicon knows it.
    pub fn log_frequency(&self, word: &str, weights: &LanguageWeights) -> Option<f32> {
        let share: f32 = self
            .weighted(weights)
            .filter_map(|(lexicon, weight)| Some((lexicon.log_frequency(word)? + weight).exp()))
            .sum();
        (share > 0.0).then(|| share.ln())
    }

    /// Does now what the first [`Lexicon::spelling_log_probability`] would take its time for.
    pub(crate) fn prepare_spelling(&self) {
        for lexicon in &self.lexicons {
            lexicon.spelling_log_probability("");
        }
    }

    /// The largest of [`Lexicon::spelling_log_probability`].
    pub fn spelling_log_probability(&self, word: &str) -> Option<f32> {
        let spellings = self
            .lexicons
            .iter()
            .filter_map(|lexicon| lexicon.spelling_log_probability(word));
        spellings.reduce(f32::max)
    }

    /// The usual spelling of `word` in the language that it most likely is of.
    pub fn canonical<'a>(
        &'a self,
        word: &'a str,
        weights: &LanguageWeights,
    ) -> Option<Cow<'a, str>> {
        self.best(word, weights)?.0.canonical(word)
    }

    /// Whether `word` offends in the language that it most likely is of.
    pub fn is_offensive(&self, word: &str, weights: &LanguageWeights) -> bool {
        self.best(word, weights)
            .is_some_and(|(lexicon, _)| lexicon.is_offensive(word))
    }
}
