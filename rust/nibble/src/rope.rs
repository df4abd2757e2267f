//! Rotary position embedding: plain, partial, Llama 3's scaled frequencies and LongRoPE.
//!
//! Sources: Su et al., "RoFormer" (2021); Ding et al., "LongRoPE" (2024); the `phi3` and `llama` modules of
//! the `transformers` library, whose arithmetic (angles in `f32`) is followed exactly.

/// Which dimensions of a head form a rotating pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// Dimensions `2i` and `2i + 1`: what GGUF files of the `llama` architecture hold.
    Interleaved,
    /// Dimensions `i` and `i + dims / 2`: what GGUF files of the `phi3` architecture hold.
    HalfSplit,
}

/// How the frequencies differ from the plain `theta^(-2i / dims)`.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// They do not.
    None,
    /// Each frequency is divided by its own number (Llama 3.x: `rope_freqs.weight`).
    Divisors(Vec<f32>),
    /// LongRoPE: one set of divisors for sequences up to the original context, another beyond.
    LongRope {
        /// Divisors for sequences of at most `original_context` positions.
        short: Vec<f32>,
        /// Divisors for longer sequences; they hold for all positions of such a sequence.
        long: Vec<f32>,
        /// The context that the model was pre-trained with.
        original_context: usize,
        /// Multiplies cosine and sine, with both sets.
        attention_factor: f32,
    },
}

/// Everything that defines a model's rotation.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeParameters {
    /// How many dimensions of a head rotate, from the first on; the others pass through.
    pub dims: usize,
    /// Base of the frequencies.
    pub theta: f32,
    /// Which dimensions form a pair.
    pub pairing: Pairing,
    /// Changes to the frequencies.
    pub scaling: RopeScaling,
}

/// Which of LongRoPE's two sets of frequencies a sequence was computed with. Keys of one set are wrong under
/// the other, so every KV cache carries exactly one. Models without LongRoPE only know [`RopeSet::Short`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopeSet {
    /// For sequences up to the original context.
    Short,
    /// For longer ones.
    Long,
}

impl RopeParameters {
    /// The set that the reference implementation uses for a sequence of `length` positions.
    pub fn set_for_length(&self, length: usize) -> RopeSet {
        match self.short_set_limit() {
            Some(limit) if length > limit => RopeSet::Long,
            _ => RopeSet::Short,
        }
    }

    /// The longest sequence that the short set serves, where there is a long one.
    pub fn short_set_limit(&self) -> Option<usize> {
        match &self.scaling {
            RopeScaling::LongRope {
                original_context, ..
            } => Some(*original_context),
            _ => None,
        }
    }

    /// The frequencies of `set`.
    pub fn table(&self, set: RopeSet) -> RopeTable {
        let pairs = self.dims / 2;
        let (divisors, attention_factor) = match (&self.scaling, set) {
            (RopeScaling::None, _) => (None, 1.0),
            (RopeScaling::Divisors(divisors), _) => (Some(divisors), 1.0),
            (
                RopeScaling::LongRope {
                    short,
                    attention_factor,
                    ..
                },
                RopeSet::Short,
            ) => (Some(short), *attention_factor),
            (
                RopeScaling::LongRope {
                    long,
                    attention_factor,
                    ..
                },
                RopeSet::Long,
            ) => (Some(long), *attention_factor),
        };
        let frequencies = (0..pairs)
            .map(|pair| {
                let exponent = (2 * pair) as f64 / self.dims as f64;
                let wavelength = f64::from(self.theta).powf(exponent) as f32;
                let divisor = divisors.and_then(|d| d.get(pair).copied()).unwrap_or(1.0);
                1.0 / (divisor * wavelength)
            })
            .collect();
        RopeTable {
            frequencies,
            attention_factor,
        }
    }
}

/// Frequencies of one [`RopeSet`].
#[derive(Debug, Clone)]
pub struct RopeTable {
    frequencies: Vec<f32>,
    attention_factor: f32,
}

impl RopeTable {
    /// Writes cosine and sine of every pair's angle at `position`, both times the attention factor. The
    /// slices hold one value a pair.
    pub fn angles(&self, position: usize, cos: &mut [f32], sin: &mut [f32]) {
        for ((frequency, cos), sin) in self.frequencies.iter().zip(cos).zip(sin) {
            let (s, c) = (position as f32 * frequency).sin_cos();
            *cos = c * self.attention_factor;
            *sin = s * self.attention_factor;
        }
    }
}

/// Rotates the first `2 * cos.len()` dimensions of one head in place.
pub fn rotate(pairing: Pairing, head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let turn = |x: &mut f32, y: &mut f32, cos: f32, sin: f32| {
        (*x, *y) = (*x * cos - *y * sin, *x * sin + *y * cos);
    };
    match pairing {
        Pairing::Interleaved => {
            for (pair, (&cos, &sin)) in head.chunks_exact_mut(2).zip(cos.iter().zip(sin)) {
                if let [x, y] = pair {
                    turn(x, y, cos, sin);
                }
            }
        }
        Pairing::HalfSplit => {
            let Some((first, second)) = head.split_at_mut_checked(cos.len()) else {
                return;
            };
            for ((x, y), (&cos, &sin)) in first.iter_mut().zip(second).zip(cos.iter().zip(sin)) {
                turn(x, y, cos, sin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longrope() -> RopeParameters {
        RopeParameters {
            dims: 4,
            theta: 10_000.0,
            pairing: Pairing::HalfSplit,
            scaling: RopeScaling::LongRope {
                short: vec![1.0, 1.0],
                long: vec![2.0, 4.0],
                original_context: 8,
                attention_factor: 1.5,
            },
        }
    }

    #[test]
    fn the_long_set_begins_after_the_original_context() {
        let rope = longrope();
        assert_eq!(rope.set_for_length(8), RopeSet::Short);
        assert_eq!(rope.set_for_length(9), RopeSet::Long);
    }

    #[test]
    fn both_sets_carry_the_attention_factor() {
        let rope = longrope();
        for (set, frequency) in [(RopeSet::Short, 0.01), (RopeSet::Long, 0.0025)] {
            let (mut cos, mut sin) = ([0.0; 2], [0.0; 2]);
            rope.table(set).angles(100, &mut cos, &mut sin);
            let angle: f32 = 100.0 * frequency;
            assert!((cos[1] - 1.5 * angle.cos()).abs() < 1e-5);
            assert!((sin[1] - 1.5 * angle.sin()).abs() < 1e-5);
        }
    }

    #[test]
    fn pairings_are_permutations_of_each_other_and_leave_the_rest_alone() {
        let (cos, sin) = ([0.6, 0.8], [0.8, 0.6]);
        let mut interleaved = [1.0, 2.0, 3.0, 4.0, 9.0];
        rotate(Pairing::Interleaved, &mut interleaved, &cos, &sin);
        let mut half_split = [1.0, 3.0, 2.0, 4.0, 9.0];
        rotate(Pairing::HalfSplit, &mut half_split, &cos, &sin);
        assert_eq!(
            half_split,
            [
                interleaved[0],
                interleaved[2],
                interleaved[1],
                interleaved[3],
                9.0
            ]
        );
        assert!((interleaved[0] - (0.6 - 1.6)).abs() < 1e-6);
    }
}
