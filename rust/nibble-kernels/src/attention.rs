//! Attention of one position over the keys and values of one head.

use half::f16;

use crate::error::KernelError;
use crate::format::Format;
use crate::kernels::Kernels;
use crate::ops::{SoftmaxState, exp};

/// The largest dimension of a head.
pub const MAX_HEAD_DIM: usize = 512;
/// The largest number of query heads that share one head of keys and values.
pub const MAX_GROUP: usize = 32;

/// Query heads of most models that share one head of keys and values, at most.
const SMALL_GROUP: usize = 4;

/// Positions whose scores are held at once.
const TILE: usize = 64;

/// How keys and values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KvFormat {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// Blocks of [`Format::Q8_0`].
    Q8_0,
}

impl KvFormat {
    /// The same format, for weights.
    pub const fn format(self) -> Format {
        match self {
            KvFormat::F32 => Format::F32,
            KvFormat::F16 => Format::F16,
            KvFormat::Q8_0 => Format::Q8_0,
        }
    }

    /// Bytes that the key or the value of one position and head takes, or `None` where `head_dim`
    /// is no multiple of the block length (32 for Q8_0).
    pub const fn bytes_per_row(self, head_dim: usize) -> Option<usize> {
        self.format().row_bytes(head_dim)
    }
}

/// Keys, or values, of one head at consecutive positions: `[positions, head_dim]`.
#[derive(Debug, Clone, Copy)]
pub enum KvRows<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Half precision.
    F16(&'a [f16]),
    /// Whole Q8_0 blocks; `head_dim` is a multiple of 32.
    Q8_0(&'a [u8]),
}

impl<'a> KvRows<'a> {
    /// No positions.
    pub const EMPTY: KvRows<'static> = KvRows::F32(&[]);

    /// Number of positions, checked.
    fn positions(&self, head_dim: usize) -> Result<usize, KernelError> {
        let (len, row, block) = match self {
            KvRows::F32(rows) => (rows.len(), head_dim, 1),
            KvRows::F16(rows) => (rows.len(), head_dim, 1),
            KvRows::Q8_0(blocks) => {
                let bytes = Format::Q8_0.row_bytes(head_dim).unwrap_or_default();
                (blocks.len(), bytes, Format::Q8_0.block_len())
            }
        };
        KernelError::check_multiple("head_dim", block, block, head_dim)?;
        KernelError::check_multiple("keys or values", row, 0, len)?;
        Ok(len.checked_div(row).unwrap_or_default())
    }

    /// The numbers, if they are stored so; else none.
    pub(crate) fn f32(&self) -> &'a [f32] {
        match self {
            KvRows::F32(rows) => rows,
            _ => &[],
        }
    }

    /// The numbers, if they are stored so; else none.
    pub(crate) fn f16(&self) -> &'a [f16] {
        match self {
            KvRows::F16(rows) => rows,
            _ => &[],
        }
    }

    /// The blocks, if they are stored so; else none.
    pub(crate) fn q8_0(&self) -> &'a [u8] {
        match self {
            KvRows::Q8_0(blocks) => blocks,
            _ => &[],
        }
    }

    /// The first `count` positions, or all where there are fewer.
    pub fn first(&self, count: usize, head_dim: usize) -> KvRows<'a> {
        let count = self.positions(head_dim).map_or(0, |held| held.min(count));
        self.slice(0, count, head_dim)
    }

    /// The positions `first..first + count`, or fewer where the rows end.
    fn slice(&self, first: usize, count: usize, head_dim: usize) -> KvRows<'a> {
        let values = first * head_dim..(first + count) * head_dim;
        match self {
            KvRows::F32(rows) => KvRows::F32(rows.get(values).unwrap_or_default()),
            KvRows::F16(rows) => KvRows::F16(rows.get(values).unwrap_or_default()),
            KvRows::Q8_0(blocks) => {
                let bytes = values.start / 32 * 34..values.end / 32 * 34;
                KvRows::Q8_0(blocks.get(bytes).unwrap_or_default())
            }
        }
    }
}

/// Attention of one position: `out[g] = Σ_p softmax(scale * queries[g] · keys[p]) * values[p]` for
/// the `group` query heads that share a head of keys and values (grouped-query attention).
///
/// `queries` and `out` are `[group, head_dim]`. `blocks` yields (keys, values) of consecutive runs
/// of positions, those and only those that may be seen. The softmax runs online over them, with
/// stack memory only (Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018; Dao
/// et al., "FlashAttention", 2022). Without any position `out` is zero.
///
/// # Errors
/// [`KernelError::Shape`] where lengths do not fit, `head_dim` is zero or above [`MAX_HEAD_DIM`], or
/// the group is above [`MAX_GROUP`].
pub fn attend<'a>(
    kernels: &Kernels,
    queries: &[f32],
    head_dim: usize,
    scale: f32,
    blocks: impl Iterator<Item = (KvRows<'a>, KvRows<'a>)>,
    out: &mut [f32],
) -> Result<(), KernelError> {
    check_heads(queries, head_dim)?;
    KernelError::check("attention output", queries.len(), out.len())?;
    out.fill(0.0);
    let mut softmax = PartialSoftmax::default();
    let mut blocks = blocks.peekable();
    while let Some((keys, values)) = blocks.next() {
        let next_keys = blocks.peek().map_or(KvRows::EMPTY, |(keys, _)| *keys);
        let rows = (keys, values, next_keys);
        softmax.attend(kernels, queries, (head_dim, scale), rows, out)?;
    }
    softmax.finish(kernels, head_dim, out);
    Ok(())
}

/// What attention over some of the positions keeps of the softmax, for each query head of a group, so that it can go on
/// with others (Milakov & Gimelshein), or be [joined](PartialSoftmax::join) with attention over others (Dao et al.,
/// "Flash-Decoding", 2023).
#[derive(Debug, Clone)]
pub struct PartialSoftmax {
    heads: [SoftmaxState; MAX_GROUP],
}

impl Default for PartialSoftmax {
    /// Of no positions.
    fn default() -> PartialSoftmax {
        PartialSoftmax {
            heads: [SoftmaxState::EMPTY; MAX_GROUP],
        }
    }
}

impl PartialSoftmax {
    /// Adds attention over more positions to `out`, `[group, head_dim]`, which is zero for none: `out[g] = Σ_p exp(score -
    /// largest) * values[p]`, a sum that [`finish`](PartialSoftmax::finish) makes an average. Beside keys and values come
    /// the keys that this thread will probably read next, which are brought into its cache.
    ///
    /// # Errors
    /// As [`attend`].
    pub fn attend(
        &mut self,
        kernels: &Kernels,
        queries: &[f32],
        (head_dim, scale): (usize, f32),
        (keys, values, next_keys): (KvRows<'_>, KvRows<'_>, KvRows<'_>),
        out: &mut [f32],
    ) -> Result<(), KernelError> {
        let group = check_heads(queries, head_dim)?;
        KernelError::check("attention output", queries.len(), out.len())?;
        let positions = keys.positions(head_dim)?;
        KernelError::check(
            "positions of the values",
            positions,
            values.positions(head_dim)?,
        )?;
        // Most groups are small, and to set room for the largest to zero takes longer than a short part.
        let (mut small, mut large);
        let scores: &mut [f32] = if group <= SMALL_GROUP {
            small = [0.0; SMALL_GROUP * TILE];
            &mut small
        } else {
            large = [0.0; MAX_GROUP * TILE];
            &mut large
        };
        for first in (0..positions).step_by(TILE) {
            let count = TILE.min(positions - first);
            let scores = scores.get_mut(..group * count).unwrap_or_default();
            let values = values.slice(first, count, head_dim);
            let tile = keys.slice(first, count, head_dim);
            kernels.attention_scores(queries, tile, values, head_dim, scores);

            let rows = scores
                .chunks_exact_mut(count)
                .zip(out.chunks_exact_mut(head_dim));
            for ((scores, out), state) in rows.zip(&mut self.heads) {
                kernels.softmax_step(scores, scale, state, out);
            }
            let left = positions - first - count;
            let next_keys = match left {
                0 => next_keys,
                _ => keys.slice(first + count, TILE.min(left), head_dim),
            };
            kernels.attention_mix(scores, values, next_keys, head_dim, out);
        }
        Ok(())
    }

    /// Adds attention over other positions, `other_out` with `other`, to `out`, both `[group, head_dim]`.
    pub fn join(
        &mut self,
        kernels: &Kernels,
        head_dim: usize,
        out: &mut [f32],
        other: &PartialSoftmax,
        other_out: &[f32],
    ) {
        let states = self.heads.iter_mut().zip(&other.heads);
        let head_dim = head_dim.max(1);
        let rows = out
            .chunks_exact_mut(head_dim)
            .zip(other_out.chunks_exact(head_dim));
        for ((state, other), (out, other_out)) in states.zip(rows) {
            if other.total == 0.0 {
                continue;
            }
            if state.total == 0.0 {
                *state = *other;
                out.copy_from_slice(other_out);
                continue;
            }
            let largest = state.largest.max(other.largest);
            let (shrink, other_shrink) =
                (exp(state.largest - largest), exp(other.largest - largest));
            state.total = state.total * shrink + other.total * other_shrink;
            kernels.axpby(other_shrink, other_out, shrink, out);
            state.largest = largest;
        }
    }

    /// Divides `out`, `[group, head_dim]`, by the sums: the end of attention over all positions.
    pub fn finish(&self, kernels: &Kernels, head_dim: usize, out: &mut [f32]) {
        for (out, state) in out.chunks_exact_mut(head_dim.max(1)).zip(&self.heads) {
            if state.total != 0.0 {
                kernels.divide(out, state.total);
            }
        }
    }
}

/// The number of query heads.
fn check_heads(queries: &[f32], head_dim: usize) -> Result<usize, KernelError> {
    if head_dim == 0 || head_dim > MAX_HEAD_DIM {
        let expected = head_dim.clamp(1, MAX_HEAD_DIM);
        return Err(KernelError::Shape {
            what: "head_dim",
            expected,
            found: head_dim,
        });
    }
    KernelError::check_multiple("queries", head_dim, 0, queries.len())?;
    let group = queries.len() / head_dim;
    if group > MAX_GROUP {
        return Err(KernelError::Shape {
            what: "group",
            expected: MAX_GROUP,
            found: group,
        });
    }
    Ok(group)
}
