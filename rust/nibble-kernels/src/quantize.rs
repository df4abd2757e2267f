//! From `f32` to blocks, for the formats whose quantizer is a formula and no search.

#![allow(
    clippy::indexing_slicing,
    reason = "blocks are arrays of fixed size, cut from slices whose lengths `quantize` checked"
)]

use half::{bf16, f16};

use crate::error::KernelError;
use crate::format::Format;

/// Writes `values` to `out` as whole blocks of `format`: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 or
/// Q8_0. The result has the same bits as that of ggml's reference quantizers. Values that are not
/// finite give blocks of no meaning, and no panic.
///
/// # Errors
/// [`KernelError::NotQuantizable`] for the K formats; [`KernelError::Shape`] where `values.len()` is
/// no multiple of the block length or `out` is not exactly as long as the blocks.
pub fn quantize(format: Format, values: &[f32], out: &mut [u8]) -> Result<(), KernelError> {
    let len = format.block_len();
    let Some(expected) = format.row_bytes(values.len()) else {
        let expected = values.len() - values.len() % len;
        return Err(KernelError::Shape {
            what: "values",
            expected,
            found: values.len(),
        });
    };
    KernelError::check("bytes", expected, out.len())?;
    match format {
        Format::F32 => each_block(values, out, |v: &[f32; 1], out| *out = v[0].to_le_bytes()),
        Format::F16 => {
            each_block(values, out, |v: &[f32; 1], out| {
                *out = f16::from_f32(v[0]).to_le_bytes()
            });
        }
        Format::BF16 => {
            each_block(values, out, |v: &[f32; 1], out| {
                *out = bf16::from_f32(v[0]).to_le_bytes()
            });
        }
        Format::Q4_0 => each_block(values, out, q4_0),
        Format::Q4_1 => each_block(values, out, q4_1),
        Format::Q5_0 => each_block(values, out, q5_0),
        Format::Q5_1 => each_block(values, out, q5_1),
        Format::Q8_0 => each_block(values, out, q8_0),
        Format::Q4K | Format::Q5K | Format::Q6K => return Err(KernelError::NotQuantizable(format)),
    }
    Ok(())
}

/// Calls `block` for each `LEN` values and the `BYTES` bytes that they become.
fn each_block<const LEN: usize, const BYTES: usize>(
    values: &[f32],
    out: &mut [u8],
    block: impl Fn(&[f32; LEN], &mut [u8; BYTES]),
) {
    let (values, _) = values.as_chunks::<LEN>();
    let (blocks, _) = out.as_chunks_mut::<BYTES>();
    for (values, bytes) in values.iter().zip(blocks) {
        block(values, bytes);
    }
}

/// Codes of the symmetric formats, `levels` = 8 or 16: the value of largest magnitude becomes
/// `-levels`, so that all `2 * levels` codes are used, and the scale may be negative.
fn symmetric(values: &[f32; 32], levels: u8) -> (f16, [u8; 32]) {
    let mut extreme = 0.0_f32;
    for &v in values {
        if v.abs() > extreme.abs() {
            extreme = v;
        }
    }
    let d = extreme / -f32::from(levels);
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let codes = values.map(|v| {
        // In one rounding, as a fused multiply-add has it: at exact halves the product's own
        // rounding would decide the code.
        let q = f64::from(v) * f64::from(inverse) + f64::from(levels) + 0.5;
        (q as u8).min(2 * levels - 1)
    });
    (f16::from_f32(d), codes)
}

/// Codes of the formats with a minimum, `0..=steps`: `(value - minimum) / d`.
fn with_minimum(values: &[f32; 32], steps: u8) -> (f16, f16, [u8; 32]) {
    let (mut min, mut max) = (f32::MAX, f32::MIN);
    for &v in values {
        if v < min {
            min = v;
        }
        if v > max {
            max = v;
        }
    }
    let d = (max - min) / f32::from(steps);
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let codes = values.map(|v| (((v - min) * inverse + 0.5) as u8).min(steps));
    (f16::from_f32(d), f16::from_f32(min), codes)
}

/// The low nibbles of codes `0..16` with those of codes `16..32` on top.
fn nibbles(codes: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|i| (codes[i] & 15) | codes[16 + i] << 4)
}

/// The fifth bits, code `i`'s in bit `i`.
fn fifth_bits(codes: &[u8; 32]) -> [u8; 4] {
    let mut bits = 0_u32;
    for (i, code) in codes.iter().enumerate() {
        bits |= u32::from(code >> 4) << i;
    }
    bits.to_le_bytes()
}

fn q4_0(values: &[f32; 32], out: &mut [u8; 18]) {
    let (d, codes) = symmetric(values, 8);
    out[..2].copy_from_slice(&d.to_le_bytes());
    out[2..].copy_from_slice(&nibbles(&codes));
}

fn q4_1(values: &[f32; 32], out: &mut [u8; 20]) {
    let (d, min, codes) = with_minimum(values, 15);
    out[..2].copy_from_slice(&d.to_le_bytes());
    out[2..4].copy_from_slice(&min.to_le_bytes());
    out[4..].copy_from_slice(&nibbles(&codes));
}

fn q5_0(values: &[f32; 32], out: &mut [u8; 22]) {
    let (d, codes) = symmetric(values, 16);
    out[..2].copy_from_slice(&d.to_le_bytes());
    out[2..6].copy_from_slice(&fifth_bits(&codes));
    out[6..].copy_from_slice(&nibbles(&codes));
}

fn q5_1(values: &[f32; 32], out: &mut [u8; 24]) {
    let (d, min, codes) = with_minimum(values, 31);
    out[..2].copy_from_slice(&d.to_le_bytes());
    out[2..4].copy_from_slice(&min.to_le_bytes());
    out[4..8].copy_from_slice(&fifth_bits(&codes));
    out[8..].copy_from_slice(&nibbles(&codes));
}

/// Rounds halves away from zero, as C's `roundf`.
fn q8_0(values: &[f32; 32], out: &mut [u8; 34]) {
    let largest = values
        .iter()
        .fold(0.0_f32, |largest, v| largest.max(v.abs()));
    let d = largest / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    out[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    for (out, v) in out[2..].iter_mut().zip(values) {
        *out = (v * inverse).round() as i8 as u8;
    }
}
