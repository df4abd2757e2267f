//! From blocks to `f32`: what each format means.
//!
//! The layouts are those of ggml (`ggml-common.h`, published with the GGUF format); each function
//! gives the same bits as ggml's own. A block's bytes are little-endian and not aligned.

#![allow(
    clippy::indexing_slicing,
    reason = "blocks are arrays of fixed size, cut from slices whose lengths `dequantize` checked"
)]

use half::{bf16, f16};

use crate::error::KernelError;
use crate::format::Format;

/// Writes the values of `bytes`, which holds whole blocks of `format`, to `out`.
///
/// # Errors
/// [`KernelError::Shape`] where `out.len()` is no multiple of the block length or `bytes` is not
/// exactly as long as that many values need.
pub fn dequantize(format: Format, bytes: &[u8], out: &mut [f32]) -> Result<(), KernelError> {
    let len = format.block_len();
    let Some(expected) = format.row_bytes(out.len()) else {
        let expected = out.len() - out.len() % len;
        return Err(KernelError::Shape {
            what: "values",
            expected,
            found: out.len(),
        });
    };
    KernelError::check("bytes", expected, bytes.len())?;
    dequantize_blocks(format, bytes, out);
    Ok(())
}

/// [`dequantize`] without its checks: what exceeds the shorter of the two is left alone. Inlined, so
/// that kernels can have it compiled for their instructions.
#[inline(always)]
pub(crate) fn dequantize_blocks(format: Format, bytes: &[u8], out: &mut [f32]) {
    match format {
        Format::F32 => each_block(bytes, out, |b, out: &mut [f32; 1]| {
            out[0] = f32::from_le_bytes(*b)
        }),
        Format::F16 => each_block(bytes, out, |b: &[u8; 2], out: &mut [f32; 1]| {
            out[0] = f16_at(b, 0)
        }),
        Format::BF16 => each_block(bytes, out, |b: &[u8; 2], out: &mut [f32; 1]| {
            out[0] = bf16::from_le_bytes(*b).to_f32();
        }),
        Format::Q4_0 => each_block(bytes, out, q4_0),
        Format::Q4_1 => each_block(bytes, out, q4_1),
        Format::Q5_0 => each_block(bytes, out, q5_0),
        Format::Q5_1 => each_block(bytes, out, q5_1),
        Format::Q8_0 => each_block(bytes, out, q8_0),
        Format::Q4K => each_block(bytes, out, q4_k),
        Format::Q5K => each_block(bytes, out, q5_k),
        Format::Q6K => each_block(bytes, out, q6_k),
    }
}

/// Calls `block` for each block of `BYTES` bytes and the `LEN` values that it becomes.
#[inline(always)]
fn each_block<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut [f32],
    block: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    let (values, _) = out.as_chunks_mut::<LEN>();
    for (bytes, values) in blocks.iter().zip(values) {
        block(bytes, values);
    }
}

/// The half-precision number at `offset`.
#[inline(always)]
pub(crate) fn f16_at(block: &[u8], offset: usize) -> f32 {
    f16::from_le_bytes([block[offset], block[offset + 1]]).to_f32()
}

/// `f16 d; u8 qs[16]`: value `i` is `d * (low nibble of qs[i] - 8)`, value `16 + i` the same with
/// the high nibble.
#[inline(always)]
fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    for i in 0..16 {
        let q = block[2 + i];
        out[i] = (i32::from(q & 15) - 8) as f32 * d;
        out[16 + i] = (i32::from(q >> 4) - 8) as f32 * d;
    }
}

/// `f16 d, m; u8 qs[16]`: as Q4_0, but `d * nibble + m`.
#[inline(always)]
fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (d, m) = (f16_at(block, 0), f16_at(block, 2));
    for i in 0..16 {
        let q = block[4 + i];
        out[i] = f32::from(q & 15) * d + m;
        out[16 + i] = f32::from(q >> 4) * d + m;
    }
}

/// The 32 codes of 5 bits of Q5_0 and Q5_1: four low bits as in Q4_0, and the fifth of value `i` is
/// bit `i` of the word `high`.
#[inline(always)]
pub(crate) fn codes_5bit(high: &[u8; 4], low: &[u8; 16]) -> [u8; 32] {
    let high = u32::from_le_bytes(*high);
    let mut codes = [0; 32];
    for i in 0..16 {
        codes[i] = (low[i] & 15) | ((high >> i) as u8 & 1) << 4;
        codes[16 + i] = (low[i] >> 4) | ((high >> (16 + i)) as u8 & 1) << 4;
    }
    codes
}

/// `f16 d; u8 qh[4], qs[16]`: `d * (code - 16)`.
#[inline(always)]
fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    let codes = codes_5bit(array_at(block, 2), array_at(block, 6));
    for (out, code) in out.iter_mut().zip(codes) {
        *out = (i32::from(code) - 16) as f32 * d;
    }
}

/// `f16 d, m; u8 qh[4], qs[16]`: `d * code + m`.
#[inline(always)]
fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m) = (f16_at(block, 0), f16_at(block, 2));
    let codes = codes_5bit(array_at(block, 4), array_at(block, 8));
    for (out, code) in out.iter_mut().zip(codes) {
        *out = f32::from(code) * d + m;
    }
}

/// `f16 d; i8 qs[32]`: `d * q`.
#[inline(always)]
fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = f16_at(block, 0);
    for (out, q) in out.iter_mut().zip(&block[2..]) {
        *out = f32::from(*q as i8) * d;
    }
}

/// The eight scales and the eight minimums, of 6 bits each, that Q4_K and Q5_K pack into 12 bytes:
/// the first four of each in the low bits of bytes 0..4 and 4..8, the last four with their low
/// nibbles in bytes 8..12 and their upper two bits on top of the first eight bytes.
#[inline(always)]
pub(crate) fn scales_and_minimums(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut minimums) = ([0; 8], [0; 8]);
    for i in 0..4 {
        scales[i] = packed[i] & 63;
        minimums[i] = packed[4 + i] & 63;
        scales[4 + i] = (packed[8 + i] & 15) | (packed[i] >> 6) << 4;
        minimums[4 + i] = (packed[8 + i] >> 4) | (packed[4 + i] >> 6) << 4;
    }
    (scales, minimums)
}

/// `f16 d, dmin; u8 scales[12], qs[128]`: eight sub-blocks of 32. Sub-blocks `2c` and `2c + 1` are
/// the low and the high nibbles of `qs[32 * c..]`. A value is `(d * scale) * nibble - dmin *
/// minimum`.
#[inline(always)]
fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (d, dmin) = (f16_at(block, 0), f16_at(block, 2));
    let (scales, minimums) = scales_and_minimums(array_at(block, 4));
    for s in 0..8 {
        let scale = d * f32::from(scales[s]);
        let minimum = dmin * f32::from(minimums[s]);
        for i in 0..32 {
            let nibble = block[16 + 32 * (s / 2) + i] >> (4 * (s % 2)) & 15;
            out[32 * s + i] = scale * f32::from(nibble) - minimum;
        }
    }
}

/// `f16 d, dmin; u8 scales[12], qh[32], qs[128]`: as Q4_K, with the fifth bit of value `i` of
/// sub-block `s` in bit `s` of `qh[i]`.
#[inline(always)]
fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (d, dmin) = (f16_at(block, 0), f16_at(block, 2));
    let (scales, minimums) = scales_and_minimums(array_at(block, 4));
    for s in 0..8 {
        let scale = d * f32::from(scales[s]);
        let minimum = dmin * f32::from(minimums[s]);
        for i in 0..32 {
            let nibble = block[48 + 32 * (s / 2) + i] >> (4 * (s % 2)) & 15;
            let code = nibble | (block[16 + i] >> s & 1) << 4;
            out[32 * s + i] = scale * f32::from(code) - minimum;
        }
    }
}

/// The codes of a Q6_K block. Each half of 128 values has 64 bytes of low nibbles (values 0..64 in
/// the low, 64..128 in the high nibbles) and 32 bytes of upper bits (two for each quarter of 32
/// values, the first quarter lowest).
#[inline(always)]
pub(crate) fn codes_6bit(block: &[u8; 210]) -> [u8; 256] {
    let mut codes = [0; 256];
    for half in 0..2 {
        for quarter in 0..4 {
            for i in 0..32 {
                let nibbles = block[64 * half + 32 * (quarter % 2) + i];
                let upper = block[128 + 32 * half + i];
                codes[128 * half + 32 * quarter + i] =
                    (nibbles >> (4 * (quarter / 2)) & 15) | (upper >> (2 * quarter) & 3) << 4;
            }
        }
    }
    codes
}

/// `u8 ql[128], qh[64]; i8 scales[16]; f16 d`: value `i` is `d * scales[i / 16] * (code - 32)`.
#[inline(always)]
fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let d = f16_at(block, 208);
    let codes = codes_6bit(block);
    for s in 0..16 {
        let scale = d * f32::from(block[192 + s] as i8);
        for i in 16 * s..16 * (s + 1) {
            out[i] = scale * (i32::from(codes[i]) - 32) as f32;
        }
    }
}

/// The `N` bytes of `block` at `offset`, which must lie inside.
#[inline(always)]
pub(crate) fn array_at<const N: usize>(block: &[u8], offset: usize) -> &[u8; N] {
    match block[offset..].first_chunk() {
        Some(array) => array,
        None => &[0; N],
    }
}
