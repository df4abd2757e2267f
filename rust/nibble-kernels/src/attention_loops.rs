//! The loops of attention, written once for all vector instruction sets, and how keys and values are stored.

#![allow(
    clippy::indexing_slicing,
    reason = "lengths come from `attend`, which checked the shapes"
)]

use half::f16;

use crate::dequantize::array_at;
use crate::format::Format;

/// How the keys and values of a head are stored.
pub(crate) trait Stored {
    /// What a row consists of.
    type Unit: Copy;

    /// Units of a row that has `dim` numbers.
    ///
    /// # Panics
    /// Where `dim` numbers do not fill units.
    fn row_len(dim: usize) -> usize;

    /// Number `i` of a row.
    fn number(row: &[Self::Unit], i: usize) -> f32;
}

impl Stored for f32 {
    type Unit = f32;

    fn row_len(dim: usize) -> usize {
        dim
    }

    fn number(row: &[f32], i: usize) -> f32 {
        row[i]
    }
}

impl Stored for f16 {
    type Unit = f16;

    fn row_len(dim: usize) -> usize {
        dim
    }

    fn number(row: &[f16], i: usize) -> f32 {
        row[i].to_f32()
    }
}

/// Blocks of [`Format::Q8_0`]: a scale in half precision, and 32 codes of 8 bits.
pub(crate) enum Q8_0 {}

impl Q8_0 {
    /// Codes of a block.
    pub(crate) const LEN: usize = Format::Q8_0.block_len();
    /// Bytes of a block.
    pub(crate) const BYTES: usize = Format::Q8_0.block_bytes();

    /// Where in a row the scale of number `i` is, and where its code.
    #[inline]
    pub(crate) fn places(i: usize) -> (usize, usize) {
        let block = i / Q8_0::LEN * Q8_0::BYTES;
        (block, block + size_of::<f16>() + i % Q8_0::LEN)
    }
}

impl Stored for Q8_0 {
    type Unit = u8;

    fn row_len(dim: usize) -> usize {
        assert!(dim.is_multiple_of(Q8_0::LEN));
        dim / Q8_0::LEN * Q8_0::BYTES
    }

    fn number(row: &[u8], i: usize) -> f32 {
        let (scale, code) = Q8_0::places(i);
        f16::from_le_bytes(*array_at(row, scale)).to_f32() * f32::from(row[code] as i8)
    }
}

/// A function of a row of numbers for each query, the keys or values of a head, and their `dim`; see [`Attention`].
/// `ahead` is what is read next, and is fetched into the cache meanwhile: heads lie apart, so that a processor does not see
/// it coming.
type Kernel<Unit> =
    unsafe fn(inputs: &[f32], rows: &[Unit], ahead: &[Unit], dim: usize, out: &mut [f32]);

/// Attention over keys and values of one way to store them.
pub(crate) struct Attention<S: Stored> {
    /// `out[g][p] = queries[g] · keys[p]` for queries `[group, dim]` and keys `[positions, dim]`. Panics where a row of that
    /// many numbers has no whole blocks.
    pub(crate) scores: Kernel<S::Unit>,
    /// `out[g] += Σ weights[g][p] * values[p]` for weights `[group, positions]`, values `[positions, dim]` and out
    /// `[group, dim]`.
    pub(crate) mix: Kernel<S::Unit>,
}

/// Attention for one instruction set.
pub(crate) struct AttentionTable {
    pub(crate) f32: Attention<f32>,
    pub(crate) f16: Attention<f16>,
    pub(crate) q8_0: Attention<Q8_0>,
}

/// The [`AttentionTable`] of the functions `scores` and `mix` of a module.
macro_rules! attention_table {
    ($module:ident) => {
        $crate::attention_loops::AttentionTable {
            f32: $crate::attention_loops::Attention {
                scores: $module::scores::<f32>,
                mix: $module::mix::<f32>,
            },
            f16: $crate::attention_loops::Attention {
                scores: $module::scores::<half::f16>,
                mix: $module::mix::<half::f16>,
            },
            q8_0: $crate::attention_loops::Attention {
                scores: $module::scores::<$crate::attention_loops::Q8_0>,
                mix: $module::mix::<$crate::attention_loops::Q8_0>,
            },
        }
    };
}
pub(crate) use attention_table;

/// Adds the products of the numbers from `first` on, which fill no vector, to those of the others.
#[inline(never)]
pub(crate) fn add_last_numbers<S: Stored>(
    query: &[f32],
    keys: &[S::Unit],
    first: usize,
    dots: &mut [f32],
) {
    for (key, dot) in keys.chunks_exact(S::row_len(query.len())).zip(dots) {
        for (i, query) in query.iter().enumerate().skip(first) {
            *dot += query * S::number(key, i);
        }
    }
}

/// Defines `scores` and `mix`, as [`Attention`] has them, for the instruction set of a module, which has
///
/// - `Vector`, a number of `LANES` numbers, of which `WIDE` fit the registers with three queries, and `zero`, `splat`,
///   `multiply_add(a, b, sum)`, `sum_lanes_of_four`, `load` and `store` for it;
/// - `prefetch` of a line of the cache;
/// - implementations of the trait `Load`, which this defines.
///
/// Keys and values are read once for up to three queries: with four keys they have twelve sums in registers.
macro_rules! attention_loops {
    ($features:literal) => {
        /// How vectors of a key or value are read.
        pub(crate) trait Load: $crate::attention_loops::Stored {
            /// The numbers `i..i + LANES` of a row.
            ///
            /// # Safety
            /// The CPU has the instructions of this file, the row has the numbers, and `i` is a multiple of [`LANES`].
            unsafe fn load(row: *const Self::Unit, i: usize) -> Vector;
        }

        /// Keys that are multiplied at once.
        const KEYS: usize = 4;
        /// Numbers of each key between which what comes next is fetched: a line of the cache, if they take half of the
        /// precision. Memory delivers a fifth less where many lines are asked for at once.
        const PREFETCHED: usize = 32;
        /// Bytes.
        const CACHE_LINE: usize = 64;

        #[target_feature(enable = $features)]
        pub(crate) fn scores<S: Load>(
            queries: &[f32],
            keys: &[S::Unit],
            ahead: &[S::Unit],
            dim: usize,
            out: &mut [f32],
        ) {
            let positions = keys.len() / S::row_len(dim);
            let outs = out.chunks_mut(3 * positions);
            let mut ahead = ahead;
            for (queries, out) in queries.chunks(3 * dim).zip(outs) {
                match queries.len() / dim {
                    1 => scores_of::<S, 1>(queries, keys, ahead, dim, out),
                    2 => scores_of::<S, 2>(queries, keys, ahead, dim, out),
                    _ => scores_of::<S, 3>(queries, keys, ahead, dim, out),
                }
                // Once is enough.
                ahead = &[];
            }
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn scores_of<S: Load, const N: usize>(
            queries: &[f32],
            keys: &[S::Unit],
            ahead: &[S::Unit],
            dim: usize,
            out: &mut [f32],
        ) {
            let row = S::row_len(dim);
            let positions = keys.len() / row;
            let whole = dim / LANES * LANES;
            let is_ahead = !ahead.is_empty();
            assert!(queries.len() >= N * dim);
            for first in (0..positions).step_by(KEYS) {
                let count = KEYS.min(positions - first);
                let keys = &keys[first * row..(first + count) * row];
                let mut sums = [[zero(); KEYS]; N];
                for i in (0..whole).step_by(LANES) {
                    let queries: [Vector; N] =
                        // SAFETY: `i + LANES <= dim`, within each query.
                        unsafe { from_fn(|n| load(queries.as_ptr().add(n * dim + i))) };
                    for k in 0..KEYS {
                        if is_ahead && i % PREFETCHED == 0 {
                            let start = (first + k) * row + S::row_len(i);
                            prefetch_units(ahead, start, S::row_len(PREFETCHED));
                        }
                        // Beyond the last key, the last one again: its sums are not used.
                        // SAFETY: `i + LANES <= dim`, and a row of `row_len(dim)` has `dim` numbers.
                        let key = unsafe { S::load(keys.as_ptr().add(k.min(count - 1) * row), i) };
                        for (query, sums) in queries.iter().zip(&mut sums) {
                            sums[k] = multiply_add(*query, key, sums[k]);
                        }
                    }
                }
                for (n, sums) in sums.iter().enumerate() {
                    let mut dots = sum_lanes_of_four(sums);
                    if whole < dim {
                        let query = &queries[n * dim..][..dim];
                        $crate::attention_loops::add_last_numbers::<S>(query, keys, whole, &mut dots);
                    }
                    let out = &mut out[n * positions + first..][..count];
                    // A copy whose length is not known is a call, in the middle of vectors.
                    match <&mut [f32; KEYS]>::try_from(&mut *out) {
                        Ok(out) => *out = dots,
                        Err(_) => {
                            for k in 0..KEYS {
                                if k < count {
                                    out[k] = dots[k];
                                }
                            }
                        }
                    }
                }
            }
        }

        #[target_feature(enable = $features)]
        pub(crate) fn mix<S: Load>(
            weights: &[f32],
            values: &[S::Unit],
            ahead: &[S::Unit],
            dim: usize,
            out: &mut [f32],
        ) {
            let positions = values.len() / S::row_len(dim);
            let outs = out.chunks_mut(3 * dim);
            let mut ahead = ahead;
            for (weights, out) in weights.chunks(3 * positions).zip(outs) {
                match out.len() / dim {
                    1 => mix_of::<S, 1>(weights, values, ahead, dim, out),
                    2 => mix_of::<S, 2>(weights, values, ahead, dim, out),
                    _ => mix_of::<S, 3>(weights, values, ahead, dim, out),
                }
                ahead = &[];
            }
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn mix_of<S: Load, const N: usize>(
            weights: &[f32],
            values: &[S::Unit],
            ahead: &[S::Unit],
            dim: usize,
            out: &mut [f32],
        ) {
            let mut i = 0;
            let mut ahead = ahead;
            while i + WIDE * LANES <= dim {
                mix_columns::<S, N, WIDE>(weights, values, ahead, (dim, i), out);
                ahead = &[];
                i += WIDE * LANES;
            }
            while i + LANES <= dim {
                mix_columns::<S, N, 1>(weights, values, ahead, (dim, i), out);
                ahead = &[];
                i += LANES;
            }
            let row = S::row_len(dim);
            let positions = values.len() / row;
            for n in 0..N {
                for (p, value) in values.chunks_exact(row).enumerate() {
                    for i in i..dim {
                        let weight = weights[n * positions + p];
                        out[n * dim + i] = weight.mul_add(S::number(value, i), out[n * dim + i]);
                    }
                }
            }
        }

        /// Fetches `len` units from `start` on into the cache, or, where there are fewer, what follows them.
        #[target_feature(enable = $features)]
        #[inline]
        fn prefetch_units<Unit>(ahead: &[Unit], start: usize, len: usize) {
            for line in (0..len * size_of::<Unit>()).step_by(CACHE_LINE) {
                prefetch(ahead.as_ptr().wrapping_add(start).cast::<u8>().wrapping_add(line));
            }
        }

        /// Columns `i..i + W * LANES` of the output, which must lie in it.
        #[target_feature(enable = $features)]
        #[inline]
        fn mix_columns<S: Load, const N: usize, const W: usize>(
            weights: &[f32],
            values: &[S::Unit],
            ahead: &[S::Unit],
            (dim, i): (usize, usize),
            out: &mut [f32],
        ) {
            let row = S::row_len(dim);
            let positions = values.len() / row;
            assert!(i + W * LANES <= dim);
            assert!(weights.len() >= N * positions && out.len() >= N * dim);
            // SAFETY: inside output `n`.
            let mut sums: [[Vector; W]; N] = unsafe {
                from_fn(|n| from_fn(|j| load(out.as_ptr().add(n * dim + i + LANES * j))))
            };
            let is_ahead = !ahead.is_empty();
            for (p, value) in values.chunks_exact(row).enumerate() {
                if is_ahead {
                    prefetch_units(ahead, p * row, row);
                }
                // One vector of the value at a time: all of them would drive sums out of the registers.
                let weights: [Vector; N] = from_fn(|n| splat(weights[n * positions + p]));
                for j in 0..W {
                    // SAFETY: `i + LANES * (j + 1) <= dim`, and a row of `row_len(dim)` has `dim` numbers.
                    let part = unsafe { S::load(value.as_ptr(), i + LANES * j) };
                    for (sums, weight) in sums.iter_mut().zip(weights) {
                        sums[j] = multiply_add(weight, part, sums[j]);
                    }
                }
            }
            for (n, sums) in sums.iter().enumerate() {
                for (j, sum) in sums.iter().enumerate() {
                    // SAFETY: as above.
                    unsafe { store(out.as_mut_ptr().add(n * dim + i + LANES * j), *sum) };
                }
            }
        }
    };
}
pub(crate) use attention_loops;
