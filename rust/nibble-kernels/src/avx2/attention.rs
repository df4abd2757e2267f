//! Attention on vectors of 256 bits.

#![allow(
    clippy::indexing_slicing,
    reason = "lengths come from `attend`, which checked the shapes"
)]

use std::arch::x86_64::*;
use std::array::from_fn;

use half::f16;

use super::sum_lanes_of_four;
use crate::attention_loops::{Q8_0, attention_loops};

type Vector = __m256;
const LANES: usize = 8;
/// Vectors of an output that stay in registers, for each of three queries.
const WIDE: usize = 4;

impl Load for f32 {
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn load(row: *const f32, i: usize) -> Vector {
        // SAFETY: promised by the caller.
        unsafe { _mm256_loadu_ps(row.add(i)) }
    }
}

impl Load for f16 {
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn load(row: *const f16, i: usize) -> Vector {
        // SAFETY: promised by the caller.
        _mm256_cvtph_ps(unsafe { _mm_loadu_si128(row.add(i).cast()) })
    }
}

impl Load for Q8_0 {
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn load(row: *const u8, i: usize) -> Vector {
        let (scale, codes) = Q8_0::places(i);
        // SAFETY: promised by the caller; eight codes that begin at a multiple of eight are of one block.
        let (scale, codes) = unsafe {
            (
                row.add(scale).cast::<u16>().read_unaligned(),
                _mm_loadl_epi64(row.add(codes).cast()),
            )
        };
        let scale = _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(scale.into())));
        _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes)), scale)
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn zero() -> Vector {
    _mm256_setzero_ps()
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn splat(x: f32) -> Vector {
    _mm256_set1_ps(x)
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn multiply_add(a: Vector, b: Vector, sum: Vector) -> Vector {
    _mm256_fmadd_ps(a, b, sum)
}

/// # Safety
/// [`LANES`] numbers can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn load(p: *const f32) -> Vector {
    // SAFETY: promised by the caller.
    unsafe { _mm256_loadu_ps(p) }
}

/// # Safety
/// [`LANES`] numbers can be written.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn store(p: *mut f32, x: Vector) {
    // SAFETY: promised by the caller.
    unsafe { _mm256_storeu_ps(p, x) };
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn prefetch(p: *const u8) {
    _mm_prefetch::<_MM_HINT_T0>(p.cast());
}

attention_loops!("avx2,fma,f16c");
