//! Attention on vectors of 512 bits.

use std::arch::x86_64::*;
use std::array::from_fn;

use half::f16;

use crate::attention_loops::{Q8_0, attention_loops};

type Vector = __m512;
const LANES: usize = 16;
/// Vectors of an output that stay in registers, for each of three queries.
const WIDE: usize = 8;

impl Load for f32 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn load(row: *const f32, i: usize) -> Vector {
        // SAFETY: promised by the caller.
        unsafe { _mm512_loadu_ps(row.add(i)) }
    }
}

impl Load for f16 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn load(row: *const f16, i: usize) -> Vector {
        // SAFETY: promised by the caller.
        _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(row.add(i).cast()) })
    }
}

impl Load for Q8_0 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn load(row: *const u8, i: usize) -> Vector {
        let (scale, codes) = Q8_0::places(i);
        // SAFETY: promised by the caller; 16 codes that begin at a multiple of 16 are of one block.
        let (scale, codes) = unsafe {
            (
                row.add(scale).cast::<i16>().read_unaligned(),
                _mm_loadu_si128(row.add(codes).cast()),
            )
        };
        let scale = _mm512_cvtph_ps(_mm256_set1_epi16(scale));
        _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes)), scale)
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn zero() -> Vector {
    _mm512_setzero_ps()
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn splat(x: f32) -> Vector {
    _mm512_set1_ps(x)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn multiply_add(a: Vector, b: Vector, sum: Vector) -> Vector {
    _mm512_fmadd_ps(a, b, sum)
}

/// # Safety
/// [`LANES`] numbers can be read.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: promised by the caller.
    unsafe { _mm512_loadu_ps(p) }
}

/// # Safety
/// [`LANES`] numbers can be written.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: promised by the caller.
    unsafe { _mm512_storeu_ps(p, x) };
}

/// The sum of the lanes of each vector.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn sum_lanes_of_four(sums: &[Vector; 4]) -> [f32; 4] {
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

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn prefetch(p: *const u8) {
    _mm_prefetch::<_MM_HINT_T0>(p.cast());
}

attention_loops!("avx512f,avx512bw,avx512vl");
