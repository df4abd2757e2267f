//! Byte-pair encoding (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016), on bytes
//! (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::gguf::U32s;

/// The merges of a vocabulary, in flat arrays of integers that may lie in a file.
#[derive(Debug, Clone)]
pub(super) struct BytePairs {
    /// The token of each byte; [`NO_TOKEN`] where it has none.
    pub(super) bytes: U32s,
    /// Of each pair of tokens that makes another, ascending: the pair as little-endian [`pair`], the rank of the merge, and
    /// the token that it makes.
    pub(super) merges: U32s,
}

/// Stands for a token that is not there.
const NO_TOKEN: u32 = u32::MAX;
/// Bytes of a merge.
const MERGE_BYTES: usize = 16;

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
        let numbers = |(pair, merge): (u64, Merge)| {
            [pair as u32, (pair >> 32) as u32, merge.rank, merge.token]
        };
        BytePairs {
            bytes: bytes
                .map(|token| token.unwrap_or(NO_TOKEN))
                .into_iter()
                .collect(),
            merges: ranked.into_iter().flat_map(numbers).collect(),
        }
    }

    /// Number of merges.
    pub(super) fn len(&self) -> usize {
        self.stored().len()
    }

    fn stored(&self) -> &[[u8; MERGE_BYTES]] {
        self.merges.encoded().as_flattened().as_chunks().0
    }

    /// Appends the tokens of `piece`: of all neighbours that can be merged, those of the lowest rank are, the leftmost
    /// first, until none can. A byte without a token is left out.
    pub(super) fn encode(&self, piece: &[u8], ids: &mut Vec<u32>) {
        let of_byte = |&byte: &u8| self.bytes.get(usize::from(byte));
        let tokens = piece
            .iter()
            .filter_map(of_byte)
            .filter(|token| *token != NO_TOKEN);
        let merges = Merges(self.stored());
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
            merges.consider(&parts, place - 1, &mut candidates);
        }
        while let Some(Reverse((_, place, expected))) = candidates.pop() {
            let Some((left, right)) = neighbours(&parts, place) else {
                continue;
            };
            if pair(left, right) != expected {
                continue;
            }
            let Some(merge) = merges.find(left, right) else {
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
            merges.consider(&parts, before, &mut candidates);
            merges.consider(&parts, place, &mut candidates);
        }
        ids.extend(parts.iter().filter_map(|part| part.token));
    }
}

/// Merges by their pairs.
#[derive(Clone, Copy)]
struct Merges<'a>(&'a [[u8; MERGE_BYTES]]);

impl Merges<'_> {
    fn find(self, left: u32, right: u32) -> Option<Merge> {
        let found = self.0.binary_search_by_key(&pair(left, right), |merge| {
            u64::from_le_bytes(part(merge, 0).unwrap_or_default())
        });
        let merge = self.0.get(found.ok()?)?;
        Some(Merge {
            rank: u32::from_le_bytes(part(merge, 8)?),
            token: u32::from_le_bytes(part(merge, 12)?),
        })
    }

    /// Adds the merge of the part at `place` with the next one, if there is one.
    fn consider(
        self,
        parts: &[Part],
        place: usize,
        candidates: &mut BinaryHeap<Reverse<(u32, usize, u64)>>,
    ) {
        if let Some((left, right)) = neighbours(parts, place)
            && let Some(merge) = self.find(left, right)
        {
            candidates.push(Reverse((merge.rank, place, pair(left, right))));
        }
    }
}

/// `N` bytes of a merge.
fn part<const N: usize>(merge: &[u8; MERGE_BYTES], start: usize) -> Option<[u8; N]> {
    merge.get(start..)?.first_chunk().copied()
}

/// The tokens at `place` and behind it, where both are there.
fn neighbours(parts: &[Part], place: usize) -> Option<(u32, u32)> {
    let left = parts.get(place)?;
    Some((left.token?, parts.get(left.after)?.token?))
}
