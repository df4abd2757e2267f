//! Causal attention of a batch, cut so that all threads have a share of it.

use std::ops::Range;

use nibble_kernels::{KernelError, Kernels, KvRows, PartialSoftmax, attend_part};

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

/// The parts of the positions `0..len`. They depend on nothing else, so that a token's attention is the same whatever is in
/// the batch with it, and however many threads there are.
fn parts_of(len: usize) -> impl Iterator<Item = Range<usize>> {
    let part = len.div_ceil(PARTS).next_multiple_of(BLOCK);
    (0..len)
        .step_by(part.max(1))
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
pub(super) fn join(parts: &[Part], head_dim: usize, out: &mut [f32]) {
    let mut joined = PartialSoftmax::default();
    out.fill(0.0);
    for part in parts {
        joined.join(head_dim, out, &part.softmax, &part.out);
    }
    joined.finish(head_dim, out);
}

/// All parts of an item, one after the other: what [`join`] makes of them, bit for bit.
pub(super) fn attend_whole(
    kernels: &Kernels,
    heads: Heads,
    (cache, kv_head, len): (&KvCache, usize, usize),
    queries: &[f32],
    out: &mut [f32],
) -> Result<(), KernelError> {
    let Heads {
        layer,
        head_dim,
        scale,
        ..
    } = heads;
    let mut joined = PartialSoftmax::default();
    let mut softmax = PartialSoftmax::default();
    let mut part = vec![0.0; out.len()];
    out.fill(0.0);
    let mut parts = parts_of(len).peekable();
    while let Some(positions) = parts.next() {
        let rows = cache.rows(layer, kv_head, positions);
        let next = parts.peek().cloned().unwrap_or_default();
        let next = first_keys(heads, (cache, kv_head), next);
        attend_part(
            kernels,
            queries,
            head_dim,
            scale,
            (rows, next),
            &mut part,
            &mut softmax,
        )?;
        joined.join(head_dim, out, &softmax, &part);
    }
    joined.finish(head_dim, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
