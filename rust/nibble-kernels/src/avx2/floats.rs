//! Products with `f32` activations, quantization of activations, conversions.

#![allow(
    clippy::indexing_slicing,
    reason = "rows come from `Cpu`, which checked the shapes; panels have fixed sizes"
)]

use std::arch::x86_64::*;

use super::blocks::{transpose, two_halves};
use super::{lane_scales, sum_lanes};
use crate::activations::{GROUP_LEN, GroupScales, Q8Group, RESIDUAL_STEPS, SCALE_LEN, SCALES};
use crate::dequantize::dequantize_blocks;
use crate::float_loops::{Strided, float_loops};
use crate::format::Format;

/// [`crate::dequantize()`], unchecked, with the vectors of this instruction set.
#[target_feature(enable = "avx2,fma,f16c")]
fn unpack(format: Format, bytes: &[u8], out: &mut [f32]) {
    match format {
        Format::F16 => {
            let (eights, rest) = bytes.as_chunks::<16>();
            let (outs, rest_out) = out.as_chunks_mut::<8>();
            for (halves, out) in eights.iter().zip(outs) {
                // SAFETY: 16 bytes in, 32 bytes out.
                unsafe { widen(halves.as_ptr(), out.as_mut_ptr()) };
            }
            dequantize_blocks(format, rest, rest_out);
        }
        Format::Q8_0 => q8_0_to_f32(bytes, out),
        _ => dequantize_blocks(format, bytes, out),
    }
}

/// Converts eight half-precision numbers.
///
/// # Safety
/// 16 bytes can be read, and 8 numbers written.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn widen(halves: *const u8, out: *mut f32) {
    // SAFETY: promised by the caller.
    unsafe { _mm256_storeu_ps(out, _mm256_cvtph_ps(_mm_loadu_si128(halves.cast()))) };
}

float_loops!("avx2,fma,f16c");

/// [`each_dot`] of `ROWS` rows from `row` on with `TOKENS` vectors of `x` from `token` on.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn dots<const ROWS: usize, const TOKENS: usize>(
    rows: Strided<'_>,
    x: Strided<'_>,
    len: usize,
    row: usize,
    token: usize,
    each: &mut impl FnMut(usize, usize, f32),
) {
    let rows: [*const f32; ROWS] = rows.pointers(row, len);
    let x: [*const f32; TOKENS] = x.pointers(token, len);
    let mut sums = [[_mm256_setzero_ps(); ROWS]; TOKENS];
    for i in (0..len / 8 * 8).step_by(8) {
        // SAFETY: `pointers` checked that `len` values follow each, and `i + 8 <= len`.
        unsafe {
            let rows = rows.map(|row| _mm256_loadu_ps(row.add(i)));
            for (sums, x) in sums.iter_mut().zip(x) {
                let x = _mm256_loadu_ps(x.add(i));
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum = _mm256_fmadd_ps(row, x, *sum);
                }
            }
        }
    }
    for (t, (sums, x)) in sums.iter().zip(x).enumerate() {
        for (r, (sum, pointer)) in sums.iter().zip(rows).enumerate() {
            let mut total = sum_lanes(*sum);
            for i in len / 8 * 8..len {
                // SAFETY: as above.
                total += unsafe { *pointer.add(i) * *x.add(i) };
            }
            each(token + t, row + r, total);
        }
    }
}

/// 128 values, in four blocks.
type Values = [[__m256; 4]; SCALES];

/// The scales of up to 128 values. The values in steps of them, the same bits as the scalar function's, go to `values`:
/// zeros for those that are missing at the end of a row.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn scale_group(x: &[f32], values: &mut Values) -> GroupScales {
    *values = [[_mm256_setzero_ps(); 4]; SCALES];
    for (x, values) in x.as_chunks::<SCALE_LEN>().0.iter().zip(&mut *values) {
        // SAFETY: 32 values.
        *values = unsafe { [0, 8, 16, 24].map(|i| _mm256_loadu_ps(x.as_ptr().add(i))) };
    }
    let mut largest = [0; SCALES];
    for (largest, values) in largest.iter_mut().zip(&*values) {
        *largest = largest_bits(values);
    }
    let scales = GroupScales::of(largest);
    for (values, inverse) in values.iter_mut().zip(scales.inverses) {
        let inverses = _mm256_set1_ps(inverse);
        // Where the scale is NaN, the value may be infinite.
        let finite = _mm256_cmp_ps::<_CMP_NEQ_OQ>(inverses, _mm256_setzero_ps());
        for v in values {
            *v = _mm256_and_ps(_mm256_mul_ps(*v, inverses), finite);
        }
    }
    scales
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn quantize_row(x: &[f32], row: &mut [Q8Group]) {
    let mut scaled = [[_mm256_setzero_ps(); 4]; SCALES];
    for (x, group) in x.chunks(GROUP_LEN).zip(row) {
        let scales = scale_group(x, &mut scaled);
        let lanes = store_codes(&nearest(&scaled), group);
        group.set_scales(&scales);
        let sums = _mm256_mul_ps(lane_scales(group), lanes);
        // SAFETY: eight sums.
        unsafe { _mm256_storeu_ps(group.sums.as_mut_ptr(), sums) };
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn quantize_row_with_residual(
    x: &[f32],
    row: &mut [Q8Group],
    residuals: &mut [Q8Group],
) {
    let steps = _mm256_set1_ps(RESIDUAL_STEPS as f32);
    let mut scaled = [[_mm256_setzero_ps(); 4]; SCALES];
    for ((x, group), residual) in x.chunks(GROUP_LEN).zip(row).zip(residuals) {
        let scales = scale_group(x, &mut scaled);
        let codes = nearest(&scaled);
        let mut rests = codes;
        for ((rest, scaled), codes) in rests.iter_mut().zip(&scaled).zip(&codes) {
            for ((rest, scaled), code) in rest.iter_mut().zip(scaled).zip(codes) {
                let left = _mm256_sub_ps(*scaled, _mm256_cvtepi32_ps(*code));
                *rest = _mm256_cvtps_epi32(_mm256_mul_ps(left, steps));
            }
        }
        let lanes = store_codes(&codes, group);
        let rest_lanes = store_codes(&rests, residual);
        group.set_scales(&scales);
        residual.set_scales(&scales.of_residual());
        let sums = _mm256_mul_ps(lane_scales(group), lanes);
        let rest_sums = _mm256_mul_ps(lane_scales(residual), rest_lanes);
        residual.sums = [0.0; 8];
        // SAFETY: eight sums.
        unsafe { _mm256_storeu_ps(group.sums.as_mut_ptr(), _mm256_add_ps(sums, rest_sums)) };
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn nearest(scaled: &Values) -> [[__m256i; 4]; SCALES] {
    let mut codes = [[_mm256_setzero_si256(); 4]; SCALES];
    for (codes, scaled) in codes.iter_mut().zip(scaled) {
        for (code, v) in codes.iter_mut().zip(scaled) {
            *code = _mm256_cvtps_epi32(*v);
        }
    }
    codes
}

/// Stores the codes of four blocks, and gives their sums in each lane.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn store_codes(blocks: &[[__m256i; 4]; SCALES], group: &mut Q8Group) -> __m256 {
    let mut words = [_mm256_setzero_si256(); 4];
    // Packing works on halves: words come out as 0 2 4 6 1 3 5 7.
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (words, v) in words.iter_mut().zip(blocks) {
        let (low, high) = (
            _mm256_packs_epi32(v[0], v[1]),
            _mm256_packs_epi32(v[2], v[3]),
        );
        *words = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    }
    let mut pairs = _mm256_setzero_si256();
    for (vector, out) in transpose(words)
        .iter()
        .zip(group.codes.as_chunks_mut::<32>().0)
    {
        let sum = _mm256_maddubs_epi16(_mm256_set1_epi8(1), *vector);
        pairs = _mm256_add_epi16(pairs, sum);
        // SAFETY: 32 bytes.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), *vector) };
    }
    let sums = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    let mut code_sums = [0; 8];
    // SAFETY: eight sums.
    unsafe { _mm256_storeu_si256(code_sums.as_mut_ptr().cast(), sums) };
    group.set_code_sums(code_sums);
    _mm256_cvtepi32_ps(sums)
}

/// The largest magnitude of a block, as bits: those are in order, with infinity and NaN above all others.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn largest_bits(x: &[__m256; 4]) -> u32 {
    let magnitude = |v| _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(i32::MAX));
    let largest = _mm256_max_epu32(
        _mm256_max_epu32(magnitude(x[0]), magnitude(x[1])),
        _mm256_max_epu32(magnitude(x[2]), magnitude(x[3])),
    );
    let largest = _mm_max_epu32(
        _mm256_castsi256_si128(largest),
        _mm256_extracti128_si256::<1>(largest),
    );
    let largest = _mm_max_epu32(largest, _mm_shuffle_epi32::<0b01_00_11_10>(largest));
    let largest = _mm_max_epu32(largest, _mm_shuffle_epi32::<0b10_11_00_01>(largest));
    _mm_cvtsi128_si32(largest) as u32
}

#[target_feature(enable = "avx2,fma,f16c")]
fn q8_0_to_f32(blocks: &[u8], out: &mut [f32]) {
    let (blocks, _) = blocks.as_chunks::<34>();
    let (outs, _) = out.as_chunks_mut::<32>();
    for (block, out) in blocks.iter().zip(outs) {
        // SAFETY: the scale and 32 codes in, 32 numbers out.
        unsafe {
            let scale = _mm256_broadcastss_ps(two_halves(block.as_ptr()));
            for i in [0, 8, 16, 24] {
                let codes = _mm_loadl_epi64(block.as_ptr().add(2 + i).cast());
                let codes = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
                _mm256_storeu_ps(out.as_mut_ptr().add(i), _mm256_mul_ps(codes, scale));
            }
        }
    }
}
