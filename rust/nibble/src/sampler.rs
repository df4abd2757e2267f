//! Choosing the next token from logits.

use crate::{Error, Result};

/// How the next token is chosen. The default is greedy.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most probable token (greedy) and ignores the other filters.
    pub temperature: f32,
    /// Only the `top_k` most probable tokens; 0 for all.
    pub top_k: usize,
    /// Nucleus sampling (Holtzman et al., 2019): the smallest set of tokens whose probabilities reach
    /// `top_p`; 1 for all.
    pub top_p: f32,
    /// Only tokens at least `min_p` times as probable as the best one; 0 for all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of recent tokens (CTRL, Keskar et al., 2019); 1 for
    /// none. Greedy choice honours it too.
    pub repetition_penalty: f32,
    /// How many tokens back `repetition_penalty` looks.
    pub repetition_window: usize,
    /// Seed of the random numbers: the same seed, model and prompt give the same text.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            repetition_window: 64,
            seed: 0,
        }
    }
}

impl Sampling {
    /// # Errors
    /// `InvalidArgument` for a number outside its range.
    fn check(&self) -> Result<()> {
        let require = |ok: bool, argument, expected: &str, found: f32| {
            if ok {
                Ok(())
            } else {
                Err(Error::InvalidArgument {
                    argument,
                    expected: expected.to_owned(),
                    found: found.to_string(),
                })
            }
        };
        let t = self.temperature;
        require(t >= 0.0 && t.is_finite(), "temperature", "0 or more", t)?;
        require(
            self.top_p > 0.0 && self.top_p <= 1.0,
            "top-p",
            "above 0, at most 1",
            self.top_p,
        )?;
        require(
            (0.0..=1.0).contains(&self.min_p),
            "min-p",
            "0 to 1",
            self.min_p,
        )?;
        let penalty = self.repetition_penalty;
        require(
            penalty > 0.0 && penalty.is_finite(),
            "repetition penalty",
            "above 0",
            penalty,
        )
    }
}

/// A token, and its log-probability under the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Token id.
    pub token: u32,
    /// Natural logarithm of its probability.
    pub logprob: f32,
}

/// The `count` most probable tokens, best first; ties go to the lower id. Logits that are not numbers never
/// win.
pub fn top_candidates(logits: &[f32], count: usize) -> Vec<Candidate> {
    let normalizer = log_sum_exp(logits);
    let mut candidates: Vec<Candidate> = (0u32..)
        .zip(logits)
        .filter(|(_, logit)| !logit.is_nan())
        .map(|(token, logit)| Candidate {
            token,
            logprob: logit - normalizer,
        })
        .collect();
    let better =
        |a: &Candidate, b: &Candidate| b.logprob.total_cmp(&a.logprob).then(a.token.cmp(&b.token));
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, better);
        candidates.truncate(count);
    }
    candidates.sort_unstable_by(better);
    candidates
}

/// `ln(sum(exp(logits)))`, without overflow. Logits that are not numbers do not count.
pub fn log_sum_exp(logits: &[f32]) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !max.is_finite() {
        return max;
    }
    let sum: f64 = logits
        .iter()
        .filter(|logit| !logit.is_nan())
        .map(|&logit| f64::from((logit - max).exp()))
        .sum();
    max + sum.ln() as f32
}

/// `sum(p ln(p / q))` of the distributions of two sets of logits: how much `q` departs from `p` (Kullback & Leibler, "On
/// Information and Sufficiency", 1951). Not a number where a logit is none.
pub fn kl_divergence(p: &[f32], q: &[f32]) -> f64 {
    let (p, q) = (log_probabilities(p), log_probabilities(q));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

fn log_probabilities(logits: &[f32]) -> Vec<f64> {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits
        .iter()
        .map(|&logit| (f64::from(logit) - max).exp())
        .sum();
    logits
        .iter()
        .map(|&logit| f64::from(logit) - max - sum.ln())
        .collect()
}

/// The probabilities of the tokens with these logits, into `out`, and `ln(sum(exp(logits)))`. Logits that
/// are not numbers count as impossible; where all of them are, so are all tokens.
pub fn softmax(logits: &[f32], out: &mut Vec<f32>) -> f32 {
    out.clear();
    out.extend(logits.iter().map(|logit| match logit.is_nan() {
        true => f32::NEG_INFINITY,
        false => *logit,
    }));
    let log_sum = nibble_kernels::Kernels::detect().softmax(out);
    if !log_sum.is_finite() {
        out.fill(0.0);
    }
    log_sum
}

/// Draws tokens by one [`Sampling`]. Its buffers are reused from token to token.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: fastrand::Rng,
    penalized: Vec<f32>,
}

impl Sampler {
    /// A sampler at the beginning of its random numbers.
    ///
    /// # Errors
    /// `InvalidArgument` for a number outside its range.
    pub fn new(sampling: Sampling) -> Result<Sampler> {
        sampling.check()?;
        let random = fastrand::Rng::with_seed(sampling.seed);
        Ok(Sampler {
            sampling,
            random,
            penalized: Vec::new(),
        })
    }

    /// Chooses one of the tokens that `logits` (one a token) stand for. `recent` are the tokens so far,
    /// oldest first.
    ///
    /// # Errors
    /// `Internal` if no logit is a finite number.
    pub fn sample(&mut self, logits: &[f32], recent: &[u32]) -> Result<u32> {
        let penalty = self.sampling.repetition_penalty;
        let logits = if penalty == 1.0 {
            logits
        } else {
            self.penalized.clear();
            self.penalized.extend_from_slice(logits);
            let start = recent.len().saturating_sub(self.sampling.repetition_window);
            let mut window: Vec<u32> = recent.iter().skip(start).copied().collect();
            window.sort_unstable();
            window.dedup();
            for token in window {
                if let Some(logit) = self.penalized.get_mut(token as usize) {
                    *logit = if *logit > 0.0 {
                        *logit / penalty
                    } else {
                        *logit * penalty
                    };
                }
            }
            &self.penalized
        };
        let chosen = if self.sampling.temperature == 0.0 {
            argmax(logits)
        } else {
            draw(&self.sampling, &mut self.random, logits)
        };
        chosen.ok_or_else(|| Error::Internal {
            what: "no logit is a finite number".to_owned(),
        })
    }
}

/// The token with the largest finite logit, the lowest id among equals.
fn argmax(logits: &[f32]) -> Option<u32> {
    let mut best: Option<(u32, f32)> = None;
    for (token, &logit) in (0u32..).zip(logits) {
        if logit.is_finite() && best.is_none_or(|(_, max)| logit > max) {
            best = Some((token, logit));
        }
    }
    best.map(|(token, _)| token)
}

/// Top-k, then top-p, then min-p, on the distribution at the temperature.
fn draw(sampling: &Sampling, random: &mut fastrand::Rng, logits: &[f32]) -> Option<u32> {
    let mut pool: Vec<(u32, f32)> = (0u32..)
        .zip(logits.iter().copied())
        .filter(|(_, logit)| logit.is_finite())
        .collect();
    let better = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if sampling.top_k > 0 && sampling.top_k < pool.len() {
        pool.select_nth_unstable_by(sampling.top_k, better);
        pool.truncate(sampling.top_k);
    }
    pool.sort_unstable_by(better);
    let max = pool.first()?.1;

    let mut weights: Vec<f64> = pool
        .iter()
        .map(|(_, logit)| (f64::from(logit - max) / f64::from(sampling.temperature)).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let mut cumulative = 0.0;
    let nucleus = weights
        .iter()
        .position(|weight| {
            cumulative += weight;
            cumulative >= total * f64::from(sampling.top_p)
        })
        .map_or(weights.len(), |last| last + 1);
    // The best token has weight 1, so min-p compares with the weight itself.
    let likely = weights
        .iter()
        .take_while(|&&w| w >= f64::from(sampling.min_p))
        .count();
    weights.truncate(nucleus.min(likely).max(1));

    let mut point = random.f64() * weights.iter().sum::<f64>();
    let index = weights
        .iter()
        .position(|weight| {
            point -= weight;
            point < 0.0
        })
        .unwrap_or(weights.len() - 1);
    pool.get(index).map(|(token, _)| *token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampler(change: impl FnOnce(&mut Sampling)) -> Sampler {
        let mut sampling = Sampling::default();
        change(&mut sampling);
        Sampler::new(sampling).unwrap()
    }

    fn drawn(change: impl FnOnce(&mut Sampling), logits: &[f32]) -> Vec<u32> {
        let mut sampler = sampler(change);
        let mut seen: Vec<u32> = (0..2000)
            .map(|_| sampler.sample(logits, &[]).unwrap())
            .collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    // Probabilities at temperature 1: 0.50, 0.25, 0.15, 0.10 (in the order 1, 3, 0, 2).
    fn known() -> Vec<f32> {
        [0.15f32, 0.5, 0.1, 0.25].iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest_and_skips_what_is_no_number() {
        let logits = [f32::NAN, 1.0, 3.0, 3.0, f32::INFINITY];
        assert_eq!(sampler(|_| {}).sample(&logits, &[]).unwrap(), 2);
        assert!(sampler(|_| {}).sample(&[f32::NAN; 3], &[]).is_err());
    }

    #[test]
    fn filters_keep_what_they_say() {
        let logits = known();
        assert_eq!(drawn(|s| s.temperature = 1.0, &logits), [0, 1, 2, 3]);
        let top_k = |s: &mut Sampling| (s.temperature, s.top_k) = (1.0, 2);
        assert_eq!(drawn(top_k, &logits), [1, 3]);
        let top_p = |s: &mut Sampling| (s.temperature, s.top_p) = (1.0, 0.8);
        assert_eq!(drawn(top_p, &logits), [0, 1, 3]);
        let min_p = |s: &mut Sampling| (s.temperature, s.min_p) = (1.0, 0.4);
        assert_eq!(drawn(min_p, &logits), [1, 3]);
    }

    #[test]
    fn frequencies_follow_the_probabilities() {
        let mut sampler = sampler(|s| (s.temperature, s.seed) = (1.0, 7));
        let mut counts = [0u32; 4];
        for _ in 0..20_000 {
            counts[sampler.sample(&known(), &[]).unwrap() as usize] += 1;
        }
        for (count, probability) in counts.iter().zip([0.15, 0.5, 0.1, 0.25]) {
            assert!(
                (f64::from(*count) / 20_000.0 - probability).abs() < 0.015,
                "{counts:?}"
            );
        }
    }

    #[test]
    fn repetition_penalty_counts_each_recent_token_once_and_forgets_old_ones() {
        let mut sampler = sampler(|s| (s.repetition_penalty, s.repetition_window) = (2.0, 2));
        assert_eq!(sampler.sample(&[3.0, 2.0, -1.0], &[0, 0]).unwrap(), 1);
        assert_eq!(sampler.sample(&[3.0, 2.0, -1.0], &[0, 1, 1]).unwrap(), 0);
        assert_eq!(sampler.sample(&[-1.0, -1.5], &[0]).unwrap(), 1);
    }

    #[test]
    fn the_seed_decides() {
        let run = |seed| {
            let mut sampler = sampler(|s| (s.temperature, s.seed) = (1.0, seed));
            (0..32)
                .map(|_| sampler.sample(&known(), &[]).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        for change in [
            (|s| s.temperature = -1.0) as fn(&mut Sampling),
            |s| s.temperature = f32::NAN,
            |s| s.top_p = 0.0,
            |s| s.min_p = 1.5,
            |s| s.repetition_penalty = 0.0,
        ] {
            let mut sampling = Sampling::default();
            change(&mut sampling);
            assert!(Sampler::new(sampling).is_err());
        }
    }

    proptest! {
        #[test]
        fn candidates_are_the_sorted_distribution(
            logits in prop::collection::vec(-20.0f32..20.0, 1..200),
            count in 0usize..220,
        ) {
            let all = top_candidates(&logits, logits.len());
            let total: f32 = all.iter().map(|c| c.logprob.exp()).sum();
            prop_assert!((total - 1.0).abs() < 1e-4);
            prop_assert!(all.windows(2).all(|w| w[0].logprob >= w[1].logprob));
            let some = top_candidates(&logits, count);
            prop_assert_eq!(&some[..], &all[..count.min(all.len())]);
        }

        #[test]
        fn any_logits_give_a_token_or_an_error(
            logits in prop::collection::vec(any::<f32>(), 0..50),
            temperature in 0.0f32..2.0,
            top_k in 0usize..60,
            top_p in 0.01f32..=1.0,
            min_p in 0.0f32..=1.0,
        ) {
            let mut sampler =
                sampler(|s| (s.temperature, s.top_k, s.top_p, s.min_p) = (temperature, top_k, top_p, min_p));
            match sampler.sample(&logits, &[]) {
                Ok(token) => prop_assert!(logits[token as usize].is_finite()),
                Err(_) => prop_assert!(logits.iter().all(|l| !l.is_finite())),
            }
        }
    }
}
