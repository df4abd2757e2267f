//! Causal attention of a batch, cut so that all threads have a share of it.
//!
//! Many tokens are cut into items of several rows, see [`attend_rows`]. Where there are few, the positions before them and
//! the heads are cut, too, into [`Part`]s that are added up in the end.

use std::ops::Range;

use nibble_kernels::{KernelError, Kernels, KvRows, PartialSoftmax};

use crate::backend::batch::Row;
use crate::kv_cache::{BLOCK, KvCache};

/// Rows that share what they read of keys and values, at most.
pub(super) const ROWS: usize = 8;

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
    /// Query heads that share a head of keys and values.
    pub(super) group: usize,
    /// Width of a head.
    pub(super) head_dim: usize,
    /// What scores are multiplied with.
    pub(super) scale: f32,
}

impl Heads {
    /// Width of the queries that share a head of keys and values.
    fn group_width(&self) -> usize {
        self.group * self.head_dim
    }

    /// Width of all queries of a row.
    pub(super) fn row_width(&self) -> usize {
        self.kv_heads * self.group_width()
    }
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

/// Attention of some rows over some of the positions before them, for some of the heads of keys and values.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Rows of the batch: at most [`ROWS`] of one sequence, whose positions are cut in the same places.
    rows: Range<usize>,
    kv_heads: Range<usize>,
    positions: Range<usize>,
    /// `[rows, KV heads, group, head_dim]`
    out: Vec<f32>,
    /// `[rows, KV heads]`
    softmax: Vec<PartialSoftmax>,
}

/// Rows that may share parts, as ranges of `rows`.
fn rows_of_parts(rows: &[Row]) -> impl Iterator<Item = Range<usize>> {
    let cut = |row: &Row| (row.sequence, part_len(row.position + 1));
    let mut end = 0;
    rows.chunk_by(move |a, b| cut(a) == cut(b))
        .flat_map(|rows| rows.chunks(ROWS))
        .map(move |rows| {
            let start = end;
            end += rows.len();
            start..end
        })
}

/// Makes `parts` those of `rows`, and about as many as are `wanted` where there are enough positions and heads. Neighbours
/// read keys and values that are neighbours in the cache.
pub(super) fn plan(parts: &mut Vec<Part>, rows: &[Row], heads: Heads, wanted: usize) {
    let spans = rows_of_parts(rows).flat_map(|range| {
        // The last row sees the most.
        let last = rows.get(range.clone()).and_then(<[Row]>::last);
        let longest = last.map_or(0, |row| row.position + 1);
        parts_of(longest).map(move |positions| (range.clone(), positions))
    });
    let spans: Vec<_> = spans.collect();
    let heads_of_part = heads.kv_heads * spans.len() / wanted.max(1);
    let heads_of_part = heads_of_part.min(heads.kv_heads).max(1);
    let planned = spans.into_iter().flat_map(|(rows, positions)| {
        (0..heads.kv_heads)
            .step_by(heads_of_part)
            .map(move |first| {
                let kv_heads = first..heads.kv_heads.min(first + heads_of_part);
                (rows.clone(), kv_heads, positions.clone())
            })
    });
    let mut count = 0;
    for (rows, kv_heads, positions) in planned {
        if parts.len() == count {
            parts.push(Part::default());
        }
        if let Some(part) = parts.get_mut(count) {
            let runs = rows.len() * kv_heads.len();
            (part.rows, part.kv_heads, part.positions) = (rows, kv_heads, positions);
            part.out.resize(runs * heads.group_width(), 0.0);
            part.softmax.resize_with(runs, PartialSoftmax::default);
        }
        count += 1;
    }
    parts.truncate(count);
}

impl Part {
    /// Computes it. `rows` and `queries`, `[rows, heads, head_dim]`, are those of the batch; `next` are the keys that this
    /// thread probably reads after it.
    ///
    /// All heads of a block come before the next block, because that is how they lie in memory: head after head reads it at
    /// three quarters of the speed.
    pub(super) fn attend(
        &mut self,
        kernels: &Kernels,
        heads: Heads,
        (caches, next): (&[&KvCache], KvRows<'_>),
        (rows, queries): (&[Row], &[f32]),
    ) -> Result<(), KernelError> {
        let rows = rows.get(self.rows.clone()).unwrap_or_default();
        let Some(cache) = rows.first().and_then(|row| caches.get(row.sequence)) else {
            return Ok(());
        };
        self.out.fill(0.0);
        self.softmax.fill_with(PartialSoftmax::default);
        let (group_width, row_width) = (heads.group_width(), heads.row_width());
        let queries = queries.chunks_exact(row_width).skip(self.rows.start);
        let queries: Vec<_> = queries.take(rows.len()).collect();

        let tiles = self.positions.clone().step_by(BLOCK);
        let tiles = tiles.flat_map(|start| self.kv_heads.clone().map(move |head| (start, head)));
        let mut tiles = tiles.peekable();
        while let Some((start, kv_head)) = tiles.next() {
            let (keys, values) = self.block(heads, cache, (start, kv_head));
            let next_tile = tiles.peek();
            let mut next_keys = next_tile.map_or(next, |&tile| self.block(heads, cache, tile).0);
            let head_of_part = kv_head - self.kv_heads.start;
            let runs = self
                .out
                .chunks_exact_mut(group_width)
                .zip(&mut self.softmax)
                .skip(head_of_part)
                .step_by(self.kv_heads.len());
            for ((row, queries), (out, softmax)) in rows.iter().zip(&queries).zip(runs) {
                let seen = (row.position + 1).saturating_sub(start);
                let queries = queries.chunks_exact(group_width).nth(kv_head);
                let Some(queries) = queries.filter(|_| seen > 0) else {
                    continue;
                };
                let tile = (
                    keys.first(seen, heads.head_dim),
                    values.first(seen, heads.head_dim),
                    next_keys,
                );
                softmax.attend(kernels, queries, (heads.head_dim, heads.scale), tile, out)?;
                // Once is enough.
                next_keys = KvRows::EMPTY;
            }
        }
        Ok(())
    }

    /// The keys that it reads first.
    pub(super) fn first_keys<'a>(
        &self,
        heads: Heads,
        caches: &[&'a KvCache],
        rows: &[Row],
    ) -> KvRows<'a> {
        let row = rows.get(self.rows.start);
        let Some(cache) = row.and_then(|row| caches.get(row.sequence)) else {
            return KvRows::EMPTY;
        };
        self.block(heads, cache, (self.positions.start, self.kv_heads.start))
            .0
    }

    /// Keys and values of the block that begins at position `start`, as far as they belong to this part.
    fn block<'a>(
        &self,
        heads: Heads,
        cache: &'a KvCache,
        (start, kv_head): (usize, usize),
    ) -> (KvRows<'a>, KvRows<'a>) {
        let end = self.positions.end.min(start + BLOCK);
        cache.block(heads.layer, kv_head, start..end)
    }
}

/// Adds the parts of `row` up, in their order: its attention, `[heads, head_dim]`.
pub(super) fn join(kernels: &Kernels, heads: Heads, parts: &[Part], row: usize, out: &mut [f32]) {
    let group_width = heads.group_width();
    let mut joined = vec![PartialSoftmax::default(); heads.kv_heads];
    out.fill(0.0);
    for part in parts.iter().filter(|part| part.rows.contains(&row)) {
        let first = (row - part.rows.start) * part.kv_heads.len();
        let runs = part.out.chunks_exact(group_width).zip(&part.softmax);
        let sums = out.chunks_exact_mut(group_width).zip(&mut joined);
        let of_part = sums.skip(part.kv_heads.start).take(part.kv_heads.len());
        for ((out, joined), (part, softmax)) in of_part.zip(runs.skip(first)) {
            joined.join(kernels, heads.head_dim, out, softmax, part);
        }
    }
    for (out, joined) in out.chunks_exact_mut(group_width).zip(&joined) {
        joined.finish(kernels, heads.head_dim, out);
    }
}

/// Attention of whole rows: what [`join`] makes of their parts, bit for bit. `queries` and `out` are
/// `[rows, heads, head_dim]`.
///
/// Block by block for each head, so that keys and values, and what is added up, stay in the first-level cache from row to
/// row.
pub(super) fn attend_rows(
    kernels: &Kernels,
    heads: Heads,
    caches: &[&KvCache],
    rows: &[Row],
    queries: &[f32],
    out: &mut [f32],
) -> Result<(), KernelError> {
    let (group_width, row_width) = (heads.group_width(), heads.row_width());
    let mut rows: Vec<_> = rows
        .iter()
        .zip(queries.chunks_exact(row_width))
        .zip(out.chunks_exact_mut(row_width))
        .map(|((row, queries), out)| {
            let groups = queries
                .chunks_exact(group_width)
                .zip(out.chunks_exact_mut(group_width));
            (row, groups)
        })
        .collect();
    for kv_head in 0..heads.kv_heads {
        for rows in rows.chunk_by_mut(|(a, _), (b, _)| a.sequence == b.sequence) {
            let attending = rows.iter_mut().filter_map(|(row, groups)| {
                let (queries, out) = groups.next()?;
                Some(AttendingRow::new(row.position + 1, queries, out))
            });
            let mut attending: Vec<_> = attending.collect();
            let sequence = rows.first().map(|(row, _)| row.sequence);
            if let Some(&cache) = sequence.and_then(|sequence| caches.get(sequence)) {
                attend_head(kernels, heads, (cache, kv_head), &mut attending)?;
            }
        }
    }
    Ok(())
}

/// The rows of [`attend_rows`] for one head.
fn attend_head(
    kernels: &Kernels,
    heads: Heads,
    (cache, kv_head): (&KvCache, usize),
    rows: &mut [AttendingRow<'_>],
) -> Result<(), KernelError> {
    let longest = rows.iter().map(|row| row.len).max().unwrap_or(0);
    let blocks = cache.rows(heads.layer, kv_head, 0..longest);
    let mut blocks = (0..).step_by(BLOCK).zip(blocks).peekable();
    while let Some((start, (keys, values))) = blocks.next() {
        let next_keys = blocks.peek().map(|(_, (keys, _))| *keys);
        let mut next_keys = next_keys.unwrap_or(KvRows::EMPTY);
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
            group: GROUP,
            head_dim: HEAD_DIM,
            scale: 0.7,
        };
        let width = heads.row_width();
        let row = |(sequence, position)| Row { sequence, position };
        // Parts of one, two and three blocks; rows at both ends of a block, some of which share parts; a change of sequence
        // and back.
        let rows = [
            (0, 0),
            (0, 63),
            (0, 64),
            (1, 5),
            (0, 511),
            (0, 520),
            (0, 700),
            (0, 1100),
        ]
        .map(row);
        for kernels in Kernels::supported() {
            for format in [KvFormat::F32, KvFormat::F16, KvFormat::Q8_0] {
                let caches = [cache(format, 1101, 1), cache(format, 6, 2)];
                let caches = [&caches[0], &caches[1]];
                let queries = numbers(rows.len() * width, 3);
                let mut together = vec![f32::NAN; queries.len()];
                attend_rows(&kernels, heads, &caches, &rows, &queries, &mut together).unwrap();

                let mut parts = Vec::new();
                // One part for all heads, or one for each.
                for wanted in [1, 1000] {
                    plan(&mut parts, &rows, heads, wanted);
                    for part in &mut parts {
                        let caches = (&caches[..], KvRows::EMPTY);
                        part.attend(&kernels, heads, caches, (&rows, &queries))
                            .unwrap();
                    }
                    for row in 0..rows.len() {
                        let mut joined = vec![f32::NAN; width];
                        join(&kernels, heads, &parts, row, &mut joined);
                        assert_eq!(together[row * width..][..width], joined);
                    }
                }

                for (row, together) in together.chunks(width).enumerate() {
                    let (rows, queries) = (&rows[row..=row], &queries[row * width..][..width]);
                    let mut alone = vec![f32::NAN; width];
                    attend_rows(&kernels, heads, &caches, rows, queries, &mut alone).unwrap();
                    assert_eq!(together, alone);
                }
            }
        }
    }

    #[test]
    fn parts_are_as_many_as_wanted_and_share_rows() {
        let heads = Heads {
            layer: 0,
            kv_heads: 8,
            group: GROUP,
            head_dim: HEAD_DIM,
            scale: 1.0,
        };
        let planned = |positions: Range<usize>, wanted| {
            let row = |position| Row {
                sequence: 0,
                position,
            };
            let rows: Vec<_> = positions.map(row).collect();
            let mut parts = Vec::new();
            plan(&mut parts, &rows, heads, wanted);
            parts
        };
        assert_eq!(planned(9..10, 3).len(), 4);
        assert_eq!(planned(9..10, 100).len(), 8);
        assert_eq!(planned(2000..2001, 8).len(), PARTS);
        assert_eq!(planned(2000..2001, 9).len(), 2 * PARTS);
        // Keys and values are read once for four rows, twice for nine, and twice where the parts get longer.
        assert_eq!(planned(2000..2004, 8).len(), PARTS);
        assert_eq!(planned(2000..2009, 8).len(), 2 * PARTS);
        assert_eq!(planned(2046..2050, 8).len(), PARTS + 7);
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
