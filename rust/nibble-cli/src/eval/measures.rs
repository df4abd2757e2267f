//! What is reported of typing: the measures, from what was counted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::decode_steps::DecodeSteps;
use super::perfect_user::Counts;
use super::predictor::Costs;
use crate::quantile::quantile;

/// The measures of one predictor on one text. Shares are in percent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measures {
    /// What predicted.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) sentences: usize,
    pub(crate) characters: u64,
    pub(crate) words: u64,
    /// Keystrokes saved: 1 − keys / characters.
    pub(crate) kss: f64,
    /// The same where spaces that come by themselves behind punctuation are not counted as keys.
    pub(crate) kss_with_free_spaces: f64,
    /// Words that were suggested before their first letter: first, and among the first three.
    pub(crate) top1: f64,
    pub(crate) top3: f64,
    /// Mean reciprocal rank before the first letter, of the first three suggestions.
    pub(crate) mrr: f64,
    /// Words that are among the first three suggestions after one letter, two, and so on, of those that are
    /// longer.
    pub(crate) top3_after_letters: Vec<f64>,
    /// The same, where words of just so many letters count as found.
    pub(crate) top3_after_letters_or_complete: Vec<f64>,
    /// Keys that took back what the keyboard had changed.
    pub(crate) repairs: u64,
    pub(crate) passes_per_character: f64,
    pub(crate) passes_per_word: f64,
    pub(crate) speculative_passes_per_character: f64,
    /// Boundaries whose distribution was there when they were reached.
    pub(crate) hidden_boundaries: f64,
    pub(crate) latency: Option<Latency>,
    /// Private memory that was written to, weights not included.
    pub(crate) dirty_bytes: Option<u64>,
}

/// Times of answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// One decode step of the same model, measured in the same process between the sentences.
    pub(crate) decode_step_ms: f64,
    /// Decode steps in steps of the same second: how steady the machine was.
    #[serde(default)]
    pub(crate) decode_steps: Quantiles,
    /// Inside a word, in milliseconds.
    pub(crate) inside_word_ms: Quantiles,
    /// At a boundary that was not known, from the request to the answer, in milliseconds.
    pub(crate) boundary_ms: Quantiles,
    /// The same in decode steps that were measured in the same second.
    pub(crate) boundary_steps: Quantiles,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
}

impl Quantiles {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Quantiles {
        let mut values: Vec<f64> = values.into_iter().collect();
        let mut quantile = |share| quantile(&mut values, share).unwrap_or_default();
        Quantiles {
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
        }
    }
}

pub(crate) fn milliseconds(duration: &Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

impl Latency {
    pub(crate) fn of(costs: &Costs, steps: &DecodeSteps) -> Latency {
        Latency {
            decode_step_ms: steps.step_ms(),
            decode_steps: Quantiles::of(steps.spread().iter().copied()),
            inside_word_ms: Quantiles::of(costs.inside.iter().map(milliseconds)),
            boundary_steps: Quantiles::of(steps.told().iter().copied()),
            boundary_ms: Quantiles::of(costs.boundary.iter().map(milliseconds)),
        }
    }
}

impl Measures {
    pub(crate) fn of(
        name: String,
        text: String,
        sentences: usize,
        counts: &Counts,
        costs: &Costs,
    ) -> Measures {
        let percent = |part: f64, whole: u64| 100.0 * part / whole.max(1) as f64;
        let saved = |keys: u64| percent(counts.characters as f64 - keys as f64, counts.characters);
        let per = |count: u64, whole: u64| count as f64 / whole.max(1) as f64;
        let after = counts
            .after
            .iter()
            .map(|&(words, found)| percent(found as f64, words));
        // Words of no more letters are complete by then.
        let complete = counts
            .after
            .iter()
            .map(|&(words, found)| percent((counts.words - words + found) as f64, counts.words));
        Measures {
            name,
            text,
            sentences,
            characters: counts.characters,
            words: counts.words,
            kss: saved(counts.keys),
            kss_with_free_spaces: saved(counts.keys - counts.free_spaces),
            top1: percent(counts.top[0] as f64, counts.words),
            top3: percent(counts.top[1] as f64, counts.words),
            mrr: counts.reciprocal_rank / counts.words.max(1) as f64,
            top3_after_letters: after.collect(),
            top3_after_letters_or_complete: complete.collect(),
            repairs: counts.repairs,
            passes_per_character: per(costs.passes, counts.characters),
            passes_per_word: per(costs.passes, counts.words),
            speculative_passes_per_character: per(costs.speculative, counts.characters),
            hidden_boundaries: percent(costs.hidden as f64, costs.boundaries),
            latency: None,
            dirty_bytes: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_follow_their_definitions() {
        let counts = Counts {
            characters: 200,
            keys: 110,
            free_spaces: 4,
            words: 40,
            top: [8, 14],
            reciprocal_rank: 11.0,
            after: [(30, 15); 6],
            ..Counts::default()
        };
        let costs = Costs {
            passes: 44,
            boundaries: 40,
            hidden: 10,
            ..Costs::default()
        };
        let measures = Measures::of("a".into(), "b".into(), 5, &counts, &costs);
        assert_eq!((measures.kss, measures.kss_with_free_spaces), (45.0, 47.0));
        assert_eq!(
            (measures.top1, measures.top3, measures.mrr),
            (20.0, 35.0, 0.275)
        );
        assert_eq!(measures.top3_after_letters[1], 50.0);
        assert_eq!(measures.top3_after_letters_or_complete[1], 62.5);
        assert_eq!(measures.passes_per_character, 0.22);
        assert_eq!(measures.hidden_boundaries, 25.0);
    }

    #[test]
    fn quantiles_are_values_that_occur() {
        let quantiles = Quantiles::of((1..=100).rev().map(f64::from));
        assert_eq!(
            (quantiles.p50, quantiles.p95, quantiles.p99),
            (50.0, 95.0, 99.0)
        );
        assert_eq!(Quantiles::of([]).p95, 0.0);
    }
}
