//! Attention on vectors of 512 bits; as that of [`crate::avx2::attention`], but for what is left over of a row, which is
//! loaded by mask.

use std::arch::x86_64::*;
use std::array::from_fn;

use half::f16;

use crate::avx2::attention::by_queries;

/// How a number of a key or value is stored.
pub(super) trait Stored: Copy {
    /// The consecutive numbers that `mask` names, and zeros for the others.
    ///
    /// # Safety
    /// The CPU has the instructions of this file, and the numbers named can be read.
    unsafe fn load(p: *const Self, mask: __mmask16) -> __m512;
}

impl Stored for f32 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn load(p: *const f32, mask: __mmask16) -> __m512 {
        // SAFETY: promised by the caller.
        unsafe { _mm512_maskz_loadu_ps(mask, p) }
    }
}

impl Stored for f16 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn load(p: *const f16, mask: __mmask16) -> __m512 {
        // SAFETY: promised by the caller.
        _mm512_cvtph_ps(unsafe { _mm256_maskz_loadu_epi16(mask, p.cast()) })
    }
}

/// Numbers of a vector.
const LANES: usize = 16;
/// Keys that are multiplied at once.
const KEYS: usize = 4;

/// The lanes from `i` on that a row of `dim` numbers fills.
fn lanes(dim: usize, i: usize) -> __mmask16 {
    match dim - i {
        LANES.. => !0,
        rest => (1 << rest) - 1,
    }
}

/// `out[g][p] = queries[g] · keys[p]`; see [`crate::kernels::Table::attention_scores`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn scores<V: Stored>(queries: &[f32], keys: &[V], dim: usize, out: &mut [f32]) {
    by_queries!(
        scores_of::<V>,
        (queries, dim),
        keys,
        dim,
        (out, keys.len() / dim)
    );
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn scores_of<V: Stored, const N: usize>(queries: &[f32], keys: &[V], dim: usize, out: &mut [f32]) {
    let positions = keys.len() / dim;
    assert!(queries.len() >= N * dim && keys.len() == positions * dim);
    for first in (0..positions).step_by(KEYS) {
        let count = KEYS.min(positions - first);
        let keys = &keys[first * dim..(first + count) * dim];
        let mut sums = [[_mm512_setzero_ps(); KEYS]; N];
        for i in (0..dim).step_by(LANES) {
            let mask = lanes(dim, i);
            // SAFETY: the lanes of `mask` are inside each query.
            let queries: [__m512; N] = from_fn(|n| unsafe {
                _mm512_maskz_loadu_ps(mask, queries.as_ptr().add(n * dim + i))
            });
            for k in 0..KEYS {
                // Beyond the last key, the last one again: its sums are not used.
                // SAFETY: as above, for the key.
                let key = unsafe { V::load(keys.as_ptr().add(k.min(count - 1) * dim + i), mask) };
                for (query, sums) in queries.iter().zip(&mut sums) {
                    sums[k] = _mm512_fmadd_ps(*query, key, sums[k]);
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            let dots = sum_lanes_of_four(sums);
            out[n * positions + first..][..count].copy_from_slice(&dots[..count]);
        }
    }
}

/// The sum of the lanes of each vector.
#[target_feature(enable = "avx512f")]
#[inline]
fn sum_lanes_of_four(sums: &[__m512; 4]) -> [f32; 4] {
    let [a, b, c, d] = *sums;
    // In each quarter: a, b, a, b and c, d, c, d.
    let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    let low = _mm512_shuffle_ps::<0b01_00_01_00>(ab, cd);
    let high = _mm512_shuffle_ps::<0b11_10_11_10>(ab, cd);
    let quarters = _mm512_add_ps(low, high);
    let upper = _mm512_extractf32x4_ps::<3>(quarters);
    let sum = _mm_add_ps(
        _mm_add_ps(
            _mm512_castps512_ps128(quarters),
            _mm512_extractf32x4_ps::<1>(quarters),
        ),
        _mm_add_ps(_mm512_extractf32x4_ps::<2>(quarters), upper),
    );
    let mut dots = [0.0; 4];
    // SAFETY: four numbers fit.
    unsafe { _mm_storeu_ps(dots.as_mut_ptr(), sum) };
    dots
}

/// `out[g] += Σ weights[g][p] * values[p]`; see [`crate::kernels::Table::attention_mix`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn mix<V: Stored>(weights: &[f32], values: &[V], dim: usize, out: &mut [f32]) {
    by_queries!(
        mix_of::<V>,
        (weights, values.len() / dim),
        values,
        dim,
        (out, dim)
    );
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn mix_of<V: Stored, const N: usize>(weights: &[f32], values: &[V], dim: usize, out: &mut [f32]) {
    /// Vectors of an output that stay in registers.
    const WIDE: usize = 4;
    let positions = values.len() / dim;
    assert!(weights.len() >= N * positions && out.len() >= N * dim);
    for i in (0..dim).step_by(WIDE * LANES) {
        // A vector beyond the row's end has no lanes.
        let places: [usize; WIDE] = from_fn(|j| dim.min(i + j * LANES));
        let masks = places.map(|place| lanes(dim, place));
        let mut sums = [[_mm512_setzero_ps(); WIDE]; N];
        for (n, sums) in sums.iter_mut().enumerate() {
            for (j, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the lanes of the mask are inside output `n`.
                *sum = unsafe {
                    _mm512_maskz_loadu_ps(masks[j], out.as_ptr().add(n * dim + places[j]))
                };
            }
        }
        for (p, value) in values.chunks_exact(dim).enumerate() {
            // SAFETY: the lanes of the mask are inside the value.
            let parts: [__m512; WIDE] =
                from_fn(|j| unsafe { V::load(value.as_ptr().add(places[j]), masks[j]) });
            for (n, sums) in sums.iter_mut().enumerate() {
                let weight = _mm512_set1_ps(weights[n * positions + p]);
                for (sum, part) in sums.iter_mut().zip(&parts) {
                    *sum = _mm512_fmadd_ps(weight, *part, *sum);
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                // SAFETY: as above.
                unsafe {
                    let place = out.as_mut_ptr().add(n * dim + places[j]);
                    _mm512_mask_storeu_ps(place, masks[j], *sum);
                }
            }
        }
    }
}
