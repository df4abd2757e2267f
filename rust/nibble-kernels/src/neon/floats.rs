//! Products with `f32` activations, quantization of activations, conversions.

#![allow(
    clippy::indexing_slicing,
    reason = "rows come from `Cpu`, which checked the shapes; blocks and panels have fixed sizes"
)]

use std::arch::aarch64::*;
use std::array::from_fn;

use super::blocks::{bytes_at, interleave, widen};
use crate::activations::{GROUP_LEN, GroupScales, Q8Group, RESIDUAL_STEPS, SCALE_LEN, SCALES};
use crate::dequantize::dequantize_blocks;
use crate::float_loops::{Strided, float_loops};
use crate::format::Format;

/// [`crate::dequantize()`], unchecked, with the vectors of this instruction set.
#[target_feature(enable = "neon")]
fn unpack(format: Format, bytes: &[u8], out: &mut [f32]) {
    match format {
        Format::F16 => {
            let (eights, rest) = bytes.as_chunks::<16>();
            let (outs, rest_out) = out.as_chunks_mut::<8>();
            for (halves, out) in eights.iter().zip(outs) {
                widen_eight(vreinterpretq_u16_u8(bytes_at(halves, 0)), out);
            }
            dequantize_blocks(format, rest, rest_out);
        }
        Format::Q8_0 => q8_0_to_f32(bytes, out),
        _ => dequantize_blocks(format, bytes, out),
    }
}

/// Converts eight half-precision numbers.
#[target_feature(enable = "neon")]
#[inline]
fn widen_eight(halves: uint16x8_t, out: &mut [f32; 8]) {
    // SAFETY: eight numbers.
    unsafe {
        vst1q_f32(out.as_mut_ptr(), widen(vget_low_u16(halves)));
        vst1q_f32(out.as_mut_ptr().add(4), widen(vget_high_u16(halves)));
    }
}

float_loops!("neon");

/// [`each_dot`] of `ROWS` rows from `row` on with `TOKENS` vectors of `x` from `token` on.
#[target_feature(enable = "neon")]
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
    // Two accumulators for each pair, since one would wait for itself.
    let mut sums = [[[vdupq_n_f32(0.0); 2]; ROWS]; TOKENS];
    for i in (0..len / 8 * 8).step_by(8) {
        // SAFETY: `pointers` checked that `len` values follow each, and `i + 8 <= len`.
        unsafe {
            let load = |p: *const f32| [vld1q_f32(p.add(i)), vld1q_f32(p.add(i + 4))];
            let (rows, x) = (rows.map(load), x.map(load));
            sums = from_fn(|t| {
                from_fn(|r| from_fn(|half| vfmaq_f32(sums[t][r][half], rows[r][half], x[t][half])))
            });
        }
    }
    for (t, (sums, x)) in sums.iter().zip(x).enumerate() {
        for (r, (sum, pointer)) in sums.iter().zip(rows).enumerate() {
            let mut total = vaddvq_f32(vaddq_f32(sum[0], sum[1]));
            for i in len / 8 * 8..len {
                // SAFETY: as above.
                total += unsafe { *pointer.add(i) * *x.add(i) };
            }
            each(token + t, row + r, total);
        }
    }
}

/// 128 values, in four blocks.
type Values = [[float32x4_t; 8]; SCALES];

/// The scales of up to 128 values. The values in steps of them, the same bits as the scalar function's, go to `values`:
/// zeros for those that are missing at the end of a row.
#[target_feature(enable = "neon")]
#[inline]
fn scale_group(x: &[f32], values: &mut Values) -> GroupScales {
    *values = [[vdupq_n_f32(0.0); 8]; SCALES];
    for (x, values) in x.as_chunks::<SCALE_LEN>().0.iter().zip(&mut *values) {
        // SAFETY: 32 values.
        *values = unsafe { from_fn(|i| vld1q_f32(x.as_ptr().add(4 * i))) };
    }
    let scales = GroupScales::of(from_fn(|b| largest_bits(&values[b])));
    for (values, inverse) in values.iter_mut().zip(scales.inverses) {
        for v in values {
            // Where the scale is NaN, the value may be infinite.
            *v = match inverse {
                0.0 => vdupq_n_f32(0.0),
                _ => vmulq_n_f32(*v, inverse),
            };
        }
    }
    scales
}

#[target_feature(enable = "neon")]
pub(super) fn quantize_row(x: &[f32], row: &mut [Q8Group]) {
    let mut scaled = [[vdupq_n_f32(0.0); 8]; SCALES];
    for (x, group) in x.chunks(GROUP_LEN).zip(row) {
        let scales = scale_group(x, &mut scaled);
        let lanes = store_codes(scaled.map(|scaled| nearest(scaled)), group);
        group.set_scales(&scales);
        store_sums(products_with_scales(lanes, &group.scales), group);
    }
}

#[target_feature(enable = "neon")]
pub(super) fn quantize_row_with_residual(
    x: &[f32],
    row: &mut [Q8Group],
    residuals: &mut [Q8Group],
) {
    let mut scaled = [[vdupq_n_f32(0.0); 8]; SCALES];
    for ((x, group), residual) in x.chunks(GROUP_LEN).zip(row).zip(residuals) {
        let scales = scale_group(x, &mut scaled);
        let codes = scaled.map(|scaled| nearest(scaled));
        let rests = from_fn(|b| {
            from_fn(|i| {
                let left = vsubq_f32(scaled[b][i], vcvtq_f32_s32(codes[b][i]));
                vcvtnq_s32_f32(vmulq_n_f32(left, RESIDUAL_STEPS as f32))
            })
        });
        let lanes = store_codes(codes, group);
        let rest_lanes = store_codes(rests, residual);
        group.set_scales(&scales);
        residual.set_scales(&scales.of_residual());
        residual.sums = [0.0; 8];
        let sums = products_with_scales(lanes, &group.scales);
        let rest_sums = products_with_scales(rest_lanes, &residual.scales);
        store_sums(
            from_fn(|half| vaddq_f32(sums[half], rest_sums[half])),
            group,
        );
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn nearest(values: [float32x4_t; 8]) -> [int32x4_t; 8] {
    values.map(|v| vcvtnq_s32_f32(v))
}

/// Stores the codes of four blocks, and gives their sums in each lane: first and second halves.
#[target_feature(enable = "neon")]
#[inline]
fn store_codes(blocks: [[int32x4_t; 8]; 4], group: &mut Q8Group) -> [float32x4_t; 2] {
    let mut halves = [[vdupq_n_u8(0); 4]; 2];
    for (b, block) in blocks.into_iter().enumerate() {
        let words = block.map(|v| vqmovn_s32(v));
        let bytes: [int8x8_t; 4] =
            from_fn(|i| vqmovn_s16(vcombine_s16(words[2 * i], words[2 * i + 1])));
        halves[0][b] = vreinterpretq_u8_s8(vcombine_s8(bytes[0], bytes[1]));
        halves[1][b] = vreinterpretq_u8_s8(vcombine_s8(bytes[2], bytes[3]));
    }
    let mut pairs = [vdupq_n_s16(0); 2];
    for (i, vector) in interleave(halves).into_iter().enumerate() {
        pairs[i % 2] = vpadalq_s8(pairs[i % 2], vector);
        // SAFETY: the 128 codes are eight vectors.
        unsafe { vst1q_s8(group.codes.as_mut_ptr().add(16 * i), vector) };
    }
    let mut code_sums = [0; 8];
    let sums = from_fn(|half| {
        let sums = vpaddlq_s16(pairs[half]);
        // SAFETY: two times four sums.
        unsafe { vst1q_s32(code_sums.as_mut_ptr().add(4 * half), sums) };
        vcvtq_f32_s32(sums)
    });
    group.set_code_sums(code_sums);
    sums
}

#[target_feature(enable = "neon")]
#[inline]
fn products_with_scales(lanes: [float32x4_t; 2], scales: &[f32; 4]) -> [float32x4_t; 2] {
    // SAFETY: four scales.
    let scales = unsafe { vld1q_f32(scales.as_ptr()) };
    lanes.map(|lanes| vmulq_f32(scales, lanes))
}

#[target_feature(enable = "neon")]
#[inline]
fn store_sums(sums: [float32x4_t; 2], group: &mut Q8Group) {
    for (half, sums) in sums.into_iter().enumerate() {
        // SAFETY: two times four sums.
        unsafe { vst1q_f32(group.sums.as_mut_ptr().add(4 * half), sums) };
    }
}

/// The largest magnitude of a block, as bits: those are in order, with infinity and NaN above all others.
#[target_feature(enable = "neon")]
#[inline]
fn largest_bits(x: &[float32x4_t; 8]) -> u32 {
    let magnitude = |v| vreinterpretq_u32_f32(vabsq_f32(v));
    let largest = x
        .iter()
        .fold(vdupq_n_u32(0), |m, v| vmaxq_u32(m, magnitude(*v)));
    vmaxvq_u32(largest)
}

#[target_feature(enable = "neon")]
fn q8_0_to_f32(blocks: &[u8], out: &mut [f32]) {
    let (blocks, _) = blocks.as_chunks::<34>();
    let (outs, _) = out.as_chunks_mut::<32>();
    for (block, out) in blocks.iter().zip(outs) {
        let scale = widen(vdup_n_u16(u16::from_le_bytes([block[0], block[1]])));
        for (half, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let codes = vreinterpretq_s8_u8(bytes_at(block, 2 + 16 * half));
            let words = [vmovl_s8(vget_low_s8(codes)), vmovl_high_s8(codes)];
            for (words, out) in words.into_iter().zip(out.as_chunks_mut::<8>().0) {
                let low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
                let high = vcvtq_f32_s32(vmovl_high_s16(words));
                // SAFETY: eight numbers.
                unsafe {
                    vst1q_f32(out.as_mut_ptr(), vmulq_f32(low, scale));
                    vst1q_f32(out.as_mut_ptr().add(4), vmulq_f32(high, scale));
                }
            }
        }
    }
}
