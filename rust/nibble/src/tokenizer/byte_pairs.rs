//! Byte-pair encoding (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016), on bytes
//! (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The merges of a vocabulary, in flat arrays of integers.
#[derive(Debug)]
pub(super) struct BytePairs {
    /// The token of each byte, if it has one.
    bytes: [Option<u32>; 256],
    /// Pairs of tokens that make another, ascending; see [`pair`].
    pairs: Vec<u64>,
    /// Which merge each pair is, and the token that it makes.
    merges: Vec<Merge>,
}

#[derive(Debug, Clone, Copy)]
struct Merge {
    /// Merges of lower ranks come first.
    rank: u32,
    token: u32,
}

/// A token of a piece that is being encoded, with its neighbours.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// `None` once it is merged into the one before.
    token: Option<u32>,
    before: usize,
    after: usize,
}

const NOWHERE: usize = usize::MAX;

/// Two tokens as one number.
fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

impl BytePairs {
    /// `bytes[b]` is the token of byte `b`. `merges` are pairs of tokens and what they make, the first merges first; of a
    /// pair that comes twice, the later one counts, as in the reference (the `tokenizers` crate).
    pub(super) fn new(
        bytes: [Option<u32>; 256],
        merges: impl Iterator<Item = ([u32; 2], u32)>,
    ) -> BytePairs {
        let mut ranked: Vec<(u64, Merge)> = (0..)
            .zip(merges)
            .map(|(rank, ([left, right], token))| (pair(left, right), Merge { rank, token }))
            .collect();
        ranked.sort_unstable_by_key(|&(pair, merge)| (pair, Reverse(merge.rank)));
        ranked.dedup_by_key(|(pair, _)| *pair);
        let (pairs, merges) = ranked.into_iter().unzip();
        BytePairs {
            bytes,
            pairs,
            merges,
        }
    }

    /// Number of merges.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    fn merge(&self, left: u32, right: u32) -> Option<Merge> {
        let found = self.pairs.binary_search(&pair(left, right)).ok()?;
        self.merges.get(found).copied()
    }

    /// Appends the tokens of `piece`: of all neighbours that can be merged, those of the lowest rank are, the leftmost
    /// first, until none can. A byte without a token is left out.
    pub(super) fn encode(&self, piece: &[u8], ids: &mut Vec<u32>) {
        let tokens = piece
            .iter()
            .filter_map(|&byte| *self.bytes.get(usize::from(byte))?);
        let mut parts: Vec<Part> = tokens
            .enumerate()
            .map(|(place, token)| Part {
                token: Some(token),
                before: place.checked_sub(1).unwrap_or(NOWHERE),
                after: place + 1,
            })
            .collect();
        // What can be merged, and the tokens that were there when it was found.
        let mut candidates: BinaryHeap<Reverse<(u32, usize, u64)>> = BinaryHeap::new();
        for place in 1..parts.len() {
            self.consider(&parts, place - 1, &mut candidates);
        }
        while let Some(Reverse((_, place, expected))) = candidates.pop() {
            let Some((left, right)) = neighbours(&parts, place) else {
                continue;
            };
            if pair(left, right) != expected {
                continue;
            }
            let Some(merge) = self.merge(left, right) else {
                continue;
            };
            let gone = parts.get(place).map_or(NOWHERE, |part| part.after);
            let after = parts.get(gone).map_or(NOWHERE, |part| part.after);
            if let Some(part) = parts.get_mut(gone) {
                part.token = None;
            }
            if let Some(part) = parts.get_mut(after) {
                part.before = place;
            }
            let mut before = NOWHERE;
            if let Some(part) = parts.get_mut(place) {
                (part.token, part.after) = (Some(merge.token), after);
                before = part.before;
            }
            self.consider(&parts, before, &mut candidates);
            self.consider(&parts, place, &mut candidates);
        }
        ids.extend(parts.iter().filter_map(|part| part.token));
    }

    /// Adds the merge of the part at `place` with the next one, if there is one.
    fn consider(
        &self,
        parts: &[Part],
        place: usize,
        candidates: &mut BinaryHeap<Reverse<(u32, usize, u64)>>,
    ) {
        if let Some((left, right)) = neighbours(parts, place)
            && let Some(merge) = self.merge(left, right)
        {
            candidates.push(Reverse((merge.rank, place, pair(left, right))));
        }
    }
}

/// The tokens at `place` and behind it, where both are there.
fn neighbours(parts: &[Part], place: usize) -> Option<(u32, u32)> {
    let left = parts.get(place)?;
    Some((left.token?, parts.get(left.after)?.token?))
}
