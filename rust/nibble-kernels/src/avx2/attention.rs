//! Attention over keys and values in single or half precision, which are read once for up to three queries.

#![allow(
    clippy::indexing_slicing,
    reason = "lengths come from `attend`, which checked the shapes"
)]

use std::arch::x86_64::*;

use half::f16;

use super::sum_lanes_of_four;

/// How a number of a key or value is stored.
pub(crate) trait Stored: Copy {
    /// Eight consecutive numbers.
    ///
    /// # Safety
    /// The CPU has the instructions of this file, and the numbers can be read.
    unsafe fn load(p: *const Self) -> __m256;

    /// One number.
    fn to_f32(self) -> f32;
}

impl Stored for f32 {
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn load(p: *const f32) -> __m256 {
        // SAFETY: promised by the caller.
        unsafe { _mm256_loadu_ps(p) }
    }

    fn to_f32(self) -> f32 {
        self
    }
}

impl Stored for f16 {
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn load(p: *const f16) -> __m256 {
        // SAFETY: promised by the caller.
        _mm256_cvtph_ps(unsafe { _mm_loadu_si128(p.cast()) })
    }

    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }
}

/// Calls a kernel for three queries at a time, which share its loads (with four keys they have twelve sums in registers),
/// and for what is left: inputs and outputs with the length of a query's row, and the keys or values between them.
macro_rules! by_queries {
    ($kernel:ident::<$stored:ty>, ($inputs:expr, $input:expr), $rows:expr, $dim:expr, ($out:expr, $output:expr)) => {
        for (inputs, out) in $inputs.chunks(3 * $input).zip($out.chunks_mut(3 * $output)) {
            match inputs.len() / $input {
                1 => $kernel::<$stored, 1>(inputs, $rows, $dim, out),
                2 => $kernel::<$stored, 2>(inputs, $rows, $dim, out),
                _ => $kernel::<$stored, 3>(inputs, $rows, $dim, out),
            }
        }
    };
}
pub(crate) use by_queries;

/// Keys that are multiplied at once.
const KEYS: usize = 4;

/// `out[g][p] = queries[g] · keys[p]`; see [`crate::kernels::Table::attention_scores`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn scores<V: Stored>(queries: &[f32], keys: &[V], dim: usize, out: &mut [f32]) {
    by_queries!(
        scores_of::<V>,
        (queries, dim),
        keys,
        dim,
        (out, keys.len() / dim)
    );
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn scores_of<V: Stored, const N: usize>(queries: &[f32], keys: &[V], dim: usize, out: &mut [f32]) {
    let positions = keys.len() / dim;
    let whole = dim / 8 * 8;
    assert!(queries.len() >= N * dim);
    for first in (0..positions).step_by(KEYS) {
        let count = KEYS.min(positions - first);
        let keys = &keys[first * dim..(first + count) * dim];
        let mut sums = [[_mm256_setzero_ps(); KEYS]; N];
        for i in (0..whole).step_by(8) {
            for k in 0..KEYS {
                // Beyond the last key, the last one again: its sums are not used.
                // SAFETY: `i + 8 <= dim`, within the key and the queries.
                let key = unsafe { V::load(keys.as_ptr().add(k.min(count - 1) * dim + i)) };
                for (n, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: as above.
                    let query = unsafe { _mm256_loadu_ps(queries.as_ptr().add(n * dim + i)) };
                    sums[k] = _mm256_fmadd_ps(query, key, sums[k]);
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            let mut dots = sum_lanes_of_four(sums);
            for (key, dot) in keys.chunks_exact(dim).zip(&mut dots) {
                let query = &queries[n * dim + whole..(n + 1) * dim];
                for (q, k) in query.iter().zip(&key[whole..]) {
                    *dot += q * k.to_f32();
                }
            }
            out[n * positions + first..][..count].copy_from_slice(&dots[..count]);
        }
    }
}

/// `out[g] += Σ weights[g][p] * values[p]`; see [`crate::kernels::Table::attention_mix`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn mix<V: Stored>(weights: &[f32], values: &[V], dim: usize, out: &mut [f32]) {
    by_queries!(
        mix_of::<V>,
        (weights, values.len() / dim),
        values,
        dim,
        (out, dim)
    );
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn mix_of<V: Stored, const N: usize>(weights: &[f32], values: &[V], dim: usize, out: &mut [f32]) {
    /// Vectors of an output that stay in registers.
    const WIDE: usize = 4;
    let positions = values.len() / dim;
    assert!(weights.len() >= N * positions && out.len() >= N * dim);
    let mut i = 0;
    while i + 8 * WIDE <= dim {
        let mut sums = [[_mm256_setzero_ps(); WIDE]; N];
        for (n, sums) in sums.iter_mut().enumerate() {
            for (j, sum) in sums.iter_mut().enumerate() {
                // SAFETY: inside output `n`.
                *sum = unsafe { _mm256_loadu_ps(out.as_ptr().add(n * dim + i + 8 * j)) };
            }
        }
        for (p, value) in values.chunks_exact(dim).enumerate() {
            let mut parts = [_mm256_setzero_ps(); WIDE];
            for (j, part) in parts.iter_mut().enumerate() {
                // SAFETY: inside the value.
                *part = unsafe { V::load(value.as_ptr().add(i + 8 * j)) };
            }
            for (n, sums) in sums.iter_mut().enumerate() {
                let weight = _mm256_set1_ps(weights[n * positions + p]);
                for (sum, part) in sums.iter_mut().zip(&parts) {
                    *sum = _mm256_fmadd_ps(weight, *part, *sum);
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                // SAFETY: as above.
                unsafe { _mm256_storeu_ps(out.as_mut_ptr().add(n * dim + i + 8 * j), *sum) };
            }
        }
        i += 8 * WIDE;
    }
    for (weights, out) in weights
        .chunks_exact(positions)
        .zip(out.chunks_exact_mut(dim))
    {
        for (weight, value) in weights.iter().zip(values.chunks_exact(dim)) {
            for (out, v) in out[i..].iter_mut().zip(&value[i..]) {
                *out = weight.mul_add(v.to_f32(), *out);
            }
        }
    }
}
