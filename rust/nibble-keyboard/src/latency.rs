//! Counts of durations, for quantiles without keeping each.

use std::time::Duration;

/// Durations, counted in buckets that are an eighth of an octave wide: quantiles are right within 9 %.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyHistogram {
    counts: Vec<u32>,
    total: u64,
}

const STEPS_AN_OCTAVE: f64 = 8.0;
/// Up to 2^40 ns, a quarter of an hour.
const OCTAVES: f64 = 40.0;

impl Default for LatencyHistogram {
    fn default() -> Self {
        LatencyHistogram {
            counts: vec![0; (STEPS_AN_OCTAVE * OCTAVES) as usize],
            total: 0,
        }
    }
}

impl LatencyHistogram {
    /// Counts one duration.
    pub fn add(&mut self, duration: Duration) {
        let nanoseconds = duration.as_nanos().max(1) as f64;
        let bucket = (nanoseconds.log2() * STEPS_AN_OCTAVE) as usize;
        let last = self.counts.len() - 1;
        if let Some(count) = self.counts.get_mut(bucket.min(last)) {
            *count = count.saturating_add(1);
        }
        self.total += 1;
    }

    /// Number of durations.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The duration that a share `quantile` (0 to 1) of all do not exceed; `None` where there is none.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let rank = (quantile.clamp(0.0, 1.0) * self.total as f64)
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|&count| {
            seen += u64::from(count);
            seen >= rank
        })?;
        let nanoseconds = ((bucket as f64 + 0.5) / STEPS_AN_OCTAVE).exp2();
        Some(Duration::from_nanos(nanoseconds as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_duration_has_no_quantile() {
        assert_eq!(LatencyHistogram::default().quantile(0.5), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_right_within_a_tenth(
            mut durations in prop::collection::vec(1u64..1 << 40, 1..100),
            quantile in 0.0f64..=1.0,
        ) {
            let mut histogram = LatencyHistogram::default();
            for &duration in &durations {
                histogram.add(Duration::from_nanos(duration));
            }
            durations.sort_unstable();
            let rank = ((quantile * durations.len() as f64).ceil() as usize).max(1) - 1;
            let expected = durations[rank] as f64;
            let found = histogram.quantile(quantile).unwrap().as_nanos() as f64;
            prop_assert!((found - expected).abs() <= expected * 0.1 + 1.0, "{found} {expected}");
        }
    }
}
