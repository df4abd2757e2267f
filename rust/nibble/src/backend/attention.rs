//! Causal attention of a batch, cut so that all threads have a share of it.

use std::ops::Range;

use nibble_kernels::{KernelError, Kernels, KvRows, PartialSoftmax, attend_part};

use crate::backend::batch::Row;
use crate::kv_cache::{BLOCK, KvCache};

/// Parts that the positions before a token are taken in, at most. Few and long, because the results of all of them are
/// added up in the end.
const PARTS: usize = 8;

/// The heads of one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    /// Which layer.
    pub(super) layer: usize,
    /// Heads of keys and values.
    pub(super) kv_heads: usize,
    /// Width of a head.
    pub(super) head_dim: usize,
    /// What scores are multiplied with.
    pub(super) scale: f32,
}

/// Attention of a token over some of the positions before it, for the query heads that share a head of keys and values.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Row and KV head, counted as the output has them.
    item: usize,
    positions: Range<usize>,
    /// `[group, head_dim]`
    out: Vec<f32>,
    softmax: PartialSoftmax,
}

/// Positions in a part of the positions `0..len`. It depends on nothing else, so that a token's attention is the same whatever
/// is in the batch with it, and however many threads there are.
fn part_len(len: usize) -> usize {
    len.div_ceil(PARTS).next_multiple_of(BLOCK).max(BLOCK)
}

/// The parts of the positions `0..len`.
fn parts_of(len: usize) -> impl Iterator<Item = Range<usize>> {
    let part = part_len(len);
    (0..len)
        .step_by(part)
        .map(move |start| start..len.min(start + part))
}

/// Makes `parts` those of tokens that see `lens` positions each, all KV heads of a token after each other. The outputs of an
/// item are `group_width` wide.
pub(super) fn plan(
    parts: &mut Vec<Part>,
    lens: impl Iterator<Item = usize>,
    heads: Heads,
    group_width: usize,
) {
    let items = lens.flat_map(|len| (0..heads.kv_heads).map(move |_| len));
    let planned = items
        .enumerate()
        .flat_map(|(item, len)| parts_of(len).map(move |positions| (item, positions)));
    let mut count = 0;
    for (item, positions) in planned {
        if parts.len() == count {
            parts.push(Part::default());
        }
        if let Some(part) = parts.get_mut(count) {
            (part.item, part.positions) = (item, positions);
            part.out.resize(group_width, 0.0);
        }
        count += 1;
    }
    parts.truncate(count);
}

impl Part {
    /// Computes it, with the cache of its row's sequence, the queries of its item, and the keys that come next.
    pub(super) fn attend(
        &mut self,
        kernels: &Kernels,
        heads: Heads,
        (cache, next): (&KvCache, KvRows<'_>),
        queries: &[f32],
    ) -> Result<(), KernelError> {
        let kv_head = self.item % heads.kv_heads;
        let rows = cache.rows(heads.layer, kv_head, self.positions.clone());
        attend_part(
            kernels,
            queries,
            heads.head_dim,
            heads.scale,
            (rows, next),
            &mut self.out,
            &mut self.softmax,
        )
    }

    /// Row and KV head, counted as the output has them.
    pub(super) fn item(&self) -> usize {
        self.item
    }

    /// The keys that it reads first.
    pub(super) fn first_keys<'a>(&self, heads: Heads, cache: &'a KvCache) -> KvRows<'a> {
        let kv_head = self.item % heads.kv_heads;
        first_keys(heads, (cache, kv_head), self.positions.clone())
    }
}

/// The first block of keys at `positions`.
fn first_keys(
    heads: Heads,
    (cache, kv_head): (&KvCache, usize),
    positions: Range<usize>,
) -> KvRows<'_> {
    let mut rows = cache.rows(heads.layer, kv_head, positions);
    rows.next().map_or(KvRows::EMPTY, |(keys, _)| keys)
}

/// Adds the parts of one item up, in their order.
pub(super) fn join(kernels: &Kernels, parts: &[Part], head_dim: usize, out: &mut [f32]) {
    let mut joined = PartialSoftmax::default();
    out.fill(0.0);
    for part in parts {
        joined.join(kernels, head_dim, out, &part.softmax, &part.out);
    }
    joined.finish(kernels, head_dim, out);
}

/// Attention of whole rows, for some of the KV heads: what [`join`] makes of their parts, bit for bit. `queries` and `out` are
/// `[rows, KV heads, group, head_dim]`. After a head, this thread will probably read the one `step` after it.
pub(super) fn attend_rows(
    kernels: &Kernels,
    heads: Heads,
    caches: &[&KvCache],
    (rows, kv_heads, step): (&[Row], Range<usize>, usize),
    queries: &[f32],
    out: &mut [f32],
) -> Result<(), KernelError> {
    let width = out.len() / rows.len().max(1);
    let group_width = width / kv_heads.len().max(1);
    let mut rows: Vec<_> = rows
        .iter()
        .zip(queries.chunks_exact(width))
        .zip(out.chunks_exact_mut(width))
        .map(|((row, queries), out)| {
            let groups = queries
                .chunks_exact(group_width)
                .zip(out.chunks_exact_mut(group_width));
            (row, groups)
        })
        .collect();
    for kv_head in kv_heads {
        for rows in rows.chunk_by_mut(|(a, _), (b, _)| a.sequence == b.sequence) {
            let attending = rows.iter_mut().filter_map(|(row, groups)| {
                let (queries, out) = groups.next()?;
                Some(AttendingRow::new(row.position + 1, queries, out))
            });
            let mut attending: Vec<_> = attending.collect();
            let sequence = rows.first().map(|(row, _)| row.sequence);
            if let Some(&cache) = sequence.and_then(|sequence| caches.get(sequence)) {
                let next_head = Some(kv_head + step).filter(|&next| next < heads.kv_heads);
                let next = next_head.map_or(KvRows::EMPTY, |next| {
                    first_keys(heads, (cache, next), 0..BLOCK)
                });
                attend_head(kernels, heads, (cache, kv_head, next), &mut attending)?;
            }
        }
    }
    Ok(())
}

/// Block by block, so that keys and values stay in the first-level cache from row to row. With the cache come the head, and
/// the keys that are read after it.
fn attend_head(
    kernels: &Kernels,
    heads: Heads,
    (cache, kv_head, next): (&KvCache, usize, KvRows<'_>),
    rows: &mut [AttendingRow<'_>],
) -> Result<(), KernelError> {
    let longest = rows.iter().map(|row| row.len).max().unwrap_or(0);
    let blocks = cache.rows(heads.layer, kv_head, 0..longest);
    let mut blocks = (0..).step_by(BLOCK).zip(blocks).peekable();
    while let Some((start, (keys, values))) = blocks.next() {
        let mut next_keys = blocks.peek().map_or(next, |(_, (keys, _))| *keys);
        for row in &mut *rows {
            row.attend(kernels, heads, start, (keys, values, next_keys))?;
            // Once is enough.
            next_keys = KvRows::EMPTY;
        }
    }
    for row in rows {
        row.finish(kernels, heads.head_dim);
    }
    Ok(())
}

/// Attention of a row while blocks of keys and values pass by.
#[derive(Debug)]
struct AttendingRow<'a> {
    /// Positions that it sees.
    len: usize,
    /// Positions of a part.
    part_len: usize,
    /// `[group, head_dim]`
    queries: &'a [f32],
    /// The parts before, `[group, head_dim]`.
    out: &'a mut [f32],
    joined: PartialSoftmax,
    /// The part that is read now, `[group, head_dim]`.
    part: Vec<f32>,
    softmax: PartialSoftmax,
}

impl<'a> AttendingRow<'a> {
    fn new(len: usize, queries: &'a [f32], out: &'a mut [f32]) -> AttendingRow<'a> {
        out.fill(0.0);
        AttendingRow {
            len,
            part_len: part_len(len),
            queries,
            part: vec![0.0; out.len()],
            out,
            joined: PartialSoftmax::default(),
            softmax: PartialSoftmax::default(),
        }
    }

    /// Goes on with the block that begins at position `start`: keys, values, and the keys that come next.
    fn attend(
        &mut self,
        kernels: &Kernels,
        heads: Heads,
        start: usize,
        (keys, values, next_keys): (KvRows<'_>, KvRows<'_>, KvRows<'_>),
    ) -> Result<(), KernelError> {
        let seen = self.len.saturating_sub(start);
        if seen == 0 {
            return Ok(());
        }
        if start > 0 && start.is_multiple_of(self.part_len) {
            self.join(kernels, heads.head_dim);
        }
        let head = (heads.head_dim, heads.scale);
        let rows = (
            keys.first(seen, heads.head_dim),
            values.first(seen, heads.head_dim),
            next_keys,
        );
        self.softmax
            .attend(kernels, self.queries, head, rows, &mut self.part)
    }

    fn join(&mut self, kernels: &Kernels, head_dim: usize) {
        self.joined
            .join(kernels, head_dim, self.out, &self.softmax, &self.part);
        self.softmax = PartialSoftmax::default();
        self.part.fill(0.0);
    }

    fn finish(&mut self, kernels: &Kernels, head_dim: usize) {
        self.join(kernels, head_dim);
        self.joined.finish(kernels, head_dim, self.out);
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
mod tests {
    use nibble_kernels::KvFormat;

    use super::*;
    use crate::hparams::{Architecture, Hparams};
    use crate::rope::{Pairing, RopeParameters, RopeScaling, RopeSet};

    const LAYERS: usize = 2;
    const KV_HEADS: usize = 2;
    const GROUP: usize = 3;
    const HEAD_DIM: usize = 32;

    fn hparams() -> Hparams {
        Hparams {
            architecture: Architecture::Llama,
            layers: LAYERS,
            hidden: KV_HEADS * GROUP * HEAD_DIM,
            ffn: 64,
            heads: KV_HEADS * GROUP,
            kv_heads: KV_HEADS,
            head_dim: HEAD_DIM,
            vocabulary: 10,
            context_length: 1000,
            rms_epsilon: 1e-5,
            rope: RopeParameters {
                dims: HEAD_DIM,
                theta: 10_000.0,
                pairing: Pairing::HalfSplit,
                scaling: RopeScaling::None,
            },
        }
    }

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let number = |i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 500.0 - 1.0;
        (0..count).map(number).collect()
    }

    fn cache(format: KvFormat, positions: usize, seed: usize) -> KvCache {
        let mut cache = KvCache::new(&hparams(), format, positions).unwrap();
        cache.reset(RopeSet::Short);
        cache.reserve(positions).unwrap();
        let width = KV_HEADS * HEAD_DIM;
        for position in 0..positions {
            let numbers = numbers(2 * width, seed + position);
            let (keys, values) = numbers.split_at(width);
            cache.write(LAYERS - 1, position, keys, values).unwrap();
        }
        cache
    }

    #[test]
    fn rows_together_are_what_their_parts_are() {
        let heads = Heads {
            layer: LAYERS - 1,
            kv_heads: KV_HEADS,
            head_dim: HEAD_DIM,
            scale: 0.7,
        };
        let group_width = GROUP * HEAD_DIM;
        let row = |(sequence, position)| Row { sequence, position };
        // Parts of one, two and three blocks; rows at both ends of a block; a change of sequence and back.
        let rows = [
            (0, 0),
            (0, 63),
            (0, 64),
            (1, 5),
            (0, 511),
            (0, 520),
            (0, 1100),
        ]
        .map(row);
        for kernels in Kernels::supported() {
            for format in [KvFormat::F32, KvFormat::F16, KvFormat::Q8_0] {
                let caches = [cache(format, 1101, 1), cache(format, 6, 2)];
                let caches = [&caches[0], &caches[1]];
                let queries = numbers(rows.len() * KV_HEADS * group_width, 3);
                let mut together = vec![f32::NAN; queries.len()];
                let whole = (&rows[..], 0..KV_HEADS, 1);
                attend_rows(&kernels, heads, &caches, whole, &queries, &mut together).unwrap();

                let mut parts = Vec::new();
                let lens = rows.iter().map(|row| row.position + 1);
                plan(&mut parts, lens, heads, group_width);
                for part in &mut parts {
                    let cache = caches[rows[part.item() / KV_HEADS].sequence];
                    let queries = &queries[part.item() * group_width..][..group_width];
                    let next = (cache, KvRows::EMPTY);
                    part.attend(&kernels, heads, next, queries).unwrap();
                }
                for items in parts.chunk_by(|a, b| a.item() == b.item()) {
                    let (item, mut joined) = (items[0].item(), vec![f32::NAN; group_width]);
                    join(&kernels, items, HEAD_DIM, &mut joined);
                    assert_eq!(together[item * group_width..][..group_width], joined);

                    // One row and head, as where there are few.
                    let (row, kv_head) = (item / KV_HEADS, item % KV_HEADS);
                    let queries = &queries[item * group_width..][..group_width];
                    let one = (&rows[row..=row], kv_head..kv_head + 1, 2);
                    let mut alone = vec![f32::NAN; group_width];
                    attend_rows(&kernels, heads, &caches, one, queries, &mut alone).unwrap();
                    assert_eq!(alone, joined);
                }
            }
        }
    }

    #[test]
    fn parts_cover_all_positions_in_whole_blocks() {
        for len in [0, 1, 63, 64, 65, 500, 512, 513, 4096, 131_072] {
            let parts: Vec<_> = parts_of(len).collect();
            assert!(parts.len() <= PARTS, "{len}: {parts:?}");
            assert_eq!(parts.iter().map(ExactSizeIterator::len).sum::<usize>(), len);
            let mut end = 0;
            for part in parts {
                assert_eq!(part.start, end);
                assert!(part.start.is_multiple_of(BLOCK));
                end = part.end;
            }
        }
    }
}
