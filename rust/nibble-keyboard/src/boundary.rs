//! What the model expects at a word boundary, kept so that every key of the next word is a look-up.

use std::ops::Range;
use std::sync::Arc;

use crate::vocab_index::VocabIndex;

/// The model's distribution over the next token, in the order of a [`VocabIndex`].
#[derive(Debug, Clone)]
pub struct Distribution {
    /// The first rank that has a probability here.
    first: usize,
    /// Probability of each rank from there on. All other tokens are impossible, or nobody asks for them.
    probabilities: Vec<f32>,
    /// The ranks whose probability is at least [`LIKELY`], the most probable first.
    likely: Vec<u32>,
}

/// Tokens of less probability are not listed in [`Distribution::likely`].
pub(crate) const LIKELY: f32 = 3e-5;
/// Ranks that are looked at together.
const BLOCK: usize = 32;

impl Distribution {
    /// The distribution of one row of logits, one a token id. Logits that are not numbers count as
    /// impossible.
    pub fn new(index: &VocabIndex, logits: &[f32]) -> Distribution {
        let mut by_token = Vec::new();
        nibble::sampler::softmax(logits, &mut by_token);
        let tokens = index.tokens().iter();
        let probabilities = tokens
            .map(|token| by_token.get(token as usize).copied().unwrap_or(0.0))
            .collect();
        Distribution::of_probabilities(0, probabilities)
    }

    /// The distribution over consecutive ranks alone: their logits, from rank `first` on.
    pub fn of_ranks(first: usize, logits: &[f32]) -> Distribution {
        let mut probabilities = Vec::with_capacity(logits.len());
        nibble::sampler::softmax(logits, &mut probabilities);
        Distribution::of_probabilities(first, probabilities)
    }

    fn of_probabilities(first: usize, probabilities: Vec<f32>) -> Distribution {
        // Positive numbers compare as their bits do, so one integer holds probability, descending, and rank.
        let mut likely: Vec<u64> = Vec::new();
        let blocks = probabilities.chunks(BLOCK);
        for (start, block) in (first as u64..).step_by(BLOCK).zip(blocks) {
            // Most blocks have none, which is found out without a branch for each.
            if block.iter().fold(false, |any, &p| any | (p >= LIKELY)) {
                let ranks = (start..).zip(block);
                let found = ranks.filter(|(_, p)| **p >= LIKELY);
                likely.extend(found.map(|(rank, p)| u64::from(!p.to_bits()) << 32 | rank));
            }
        }
        likely.sort_unstable();
        Distribution {
            first,
            probabilities,
            likely: likely.into_iter().map(|key| key as u32).collect(),
        }
    }

    /// Probability of the token at `rank`; 0 where it has none here.
    pub fn probability(&self, rank: usize) -> f32 {
        let place = rank.checked_sub(self.first);
        let probability = place.and_then(|place| self.probabilities.get(place));
        probability.copied().unwrap_or(0.0)
    }

    /// Probabilities of the tokens at `ranks`; empty unless all of them have one here.
    pub fn probabilities(&self, ranks: Range<usize>) -> &[f32] {
        let place = |rank: usize| rank.checked_sub(self.first);
        let places = place(ranks.start).zip(place(ranks.end));
        places
            .and_then(|(start, end)| self.probabilities.get(start..end))
            .unwrap_or_default()
    }

    /// The ranks of at least [`LIKELY`] probability, the most probable first; of equals the lower first.
    pub(crate) fn likely(&self) -> &[u32] {
        &self.likely
    }

    /// Bytes of memory.
    pub fn size_bytes(&self) -> usize {
        (self.probabilities.len() + self.likely.len()) * size_of::<f32>()
    }

    /// Overwrites what the distribution tells about the text.
    pub(crate) fn wipe(&mut self) {
        self.probabilities.fill(0.0);
        self.likely.fill(0);
    }
}

/// Names a boundary without keeping its text: a keyed hash of primer, conversation and window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BoundaryKey(pub(crate) u64);

/// Distributions of the boundaries visited last, so that backspace, cursor moves and undo cost no pass.
#[derive(Debug)]
pub struct BoundaryCache<T> {
    /// Least recently used first.
    entries: Vec<(BoundaryKey, usize, Arc<T>)>,
    capacity_bytes: usize,
    used_bytes: usize,
}

impl<T> BoundaryCache<T> {
    /// An empty cache for up to `capacity_bytes` of entries.
    pub fn new(capacity_bytes: usize) -> BoundaryCache<T> {
        BoundaryCache {
            entries: Vec::new(),
            capacity_bytes,
            used_bytes: 0,
        }
    }

    /// The entry of `key`, which becomes the most recently used.
    pub fn get(&mut self, key: BoundaryKey) -> Option<Arc<T>> {
        let place = self
            .entries
            .iter()
            .rposition(|(other, _, _)| *other == key)?;
        let entry = self.entries.remove(place);
        let value = entry.2.clone();
        self.entries.push(entry);
        Some(value)
    }

    /// Whether `key` has an entry; its age does not change.
    pub fn contains(&self, key: BoundaryKey) -> bool {
        self.entries.iter().any(|(other, _, _)| *other == key)
    }

    /// Adds an entry of `bytes`, and drops the oldest ones until all fit. One entry is kept even where it
    /// alone is too large.
    pub fn insert(&mut self, key: BoundaryKey, bytes: usize, value: Arc<T>) {
        if let Some(place) = self.entries.iter().position(|(other, _, _)| *other == key) {
            let (_, old, _) = self.entries.remove(place);
            self.used_bytes -= old;
        }
        self.used_bytes += bytes;
        self.entries.push((key, bytes, value));
        while self.used_bytes > self.capacity_bytes && self.entries.len() > 1 {
            let (_, old, _) = self.entries.remove(0);
            self.used_bytes -= old;
        }
    }

    /// Takes all entries out.
    pub fn drain(&mut self) -> impl Iterator<Item = Arc<T>> + '_ {
        self.used_bytes = 0;
        self.entries.drain(..).map(|(_, _, value)| value)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all entries.
    pub fn size_bytes(&self) -> usize {
        self.used_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(count: usize) -> (VocabIndex, Vec<String>) {
        // Ids in another order than ranks.
        let texts: Vec<String> = (0..count)
            .map(|id| format!("{:x}", id * 7919 % 4096))
            .collect();
        let tokens = texts.iter().map(|text| text.as_bytes());
        (VocabIndex::from_tokens(tokens), texts)
    }

    proptest! {
        #[test]
        fn likely_equals_a_plain_sort(logits in prop::collection::vec(-12.0f32..4.0, 150)) {
            let (index, texts) = index(logits.len());
            let distribution = Distribution::new(&index, &logits);
            let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
            let mut ids: Vec<usize> = (0..logits.len()).collect();
            ids.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(texts[a].cmp(&texts[b])));
            let likely = distribution.likely().iter().map(|&rank| index.token(rank as usize).unwrap());
            prop_assert!(likely.zip(&ids).all(|(found, &expected)| found as usize == expected));
            let is_likely = |id: &&usize| f64::from(logits[**id]).exp() / total >= f64::from(LIKELY);
            let expected = ids.iter().filter(is_likely).count();
            prop_assert!(distribution.likely().len().abs_diff(expected) <= 1, "one may lie on the border");
        }

        #[test]
        fn a_cache_keeps_the_entries_used_last(
            uses in prop::collection::vec((0u64..9, 1usize..5), 0..60),
            capacity in 1usize..20,
        ) {
            let mut cache = BoundaryCache::new(capacity);
            let mut model: Vec<(u64, usize)> = Vec::new();
            for (key, bytes) in uses {
                let known = model.iter().position(|(other, _)| *other == key);
                prop_assert_eq!(cache.get(BoundaryKey(key)).map(|v| *v), known.map(|_| key));
                match known {
                    Some(place) => {
                        let entry = model.remove(place);
                        model.push(entry);
                    }
                    None => {
                        cache.insert(BoundaryKey(key), bytes, Arc::new(key));
                        model.push((key, bytes));
                        while model.len() > 1
                            && model.iter().map(|(_, bytes)| bytes).sum::<usize>() > capacity
                        {
                            model.remove(0);
                        }
                    }
                }
                prop_assert_eq!(cache.len(), model.len());
                prop_assert_eq!(
                    cache.size_bytes(),
                    model.iter().map(|(_, bytes)| bytes).sum::<usize>()
                );
            }
        }
    }

    #[test]
    fn some_ranks_share_all_probability_in_the_proportions_of_the_whole() {
        let (index, _) = index(400);
        let logits: Vec<f32> = (0..400).map(|id| (id * 7 % 31) as f32 / 4.0).collect();
        let whole = Distribution::new(&index, &logits);
        let ranks = 40..300;
        let of_ranks: Vec<f32> = ranks
            .clone()
            .map(|rank| logits[index.token(rank).unwrap() as usize])
            .collect();
        let some = Distribution::of_ranks(ranks.start, &of_ranks);
        let total: f32 = whole.probabilities(ranks.clone()).iter().sum();
        for rank in 0..400 {
            let expected = match ranks.contains(&rank) {
                true => whole.probability(rank) / total,
                false => 0.0,
            };
            assert!((some.probability(rank) - expected).abs() < 1e-6, "{rank}");
        }
        assert_eq!(
            some.probabilities(50..52),
            [some.probability(50), some.probability(51)]
        );
        assert!(some.probabilities(39..52).is_empty());
        assert!(some.probabilities(299..301).is_empty());
        let likely = some
            .likely()
            .iter()
            .map(|&rank| some.probability(rank as usize));
        assert!(likely.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn logits_that_are_no_numbers_are_impossible() {
        let (index, _) = index(4);
        let distribution = Distribution::new(&index, &[0.0, f32::NAN, 0.0, f32::NEG_INFINITY]);
        assert_eq!(distribution.probabilities(0..4).iter().sum::<f32>(), 1.0);
        assert_eq!(distribution.likely().len(), 2);
        let nothing = Distribution::new(&index, &[f32::NAN; 4]);
        assert_eq!(nothing.probabilities(0..4), [0.0; 4]);
    }
}
