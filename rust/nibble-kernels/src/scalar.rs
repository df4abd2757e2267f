//! Portable kernels: the reference that every other instruction set is tested against. One function
//! for each format; the layouts are explained in [`crate::dequantize`](mod@crate::dequantize).

#![allow(
    clippy::indexing_slicing,
    reason = "blocks are arrays of fixed size; rows come from `Cpu`, which checked the shapes"
)]

use crate::activations::{
    GROUP_LEN, GroupScales, Q8Group, Q8Rows, RESIDUAL_STEPS, SCALE_LEN, SCALES, SUM_LEN,
    interleaved,
};
use crate::attention_loops::{Stored, attention_table};
use crate::dequantize::{
    array_at, codes_5bit, codes_6bit, dequantize, f16_at, scales_and_minimums,
};
use crate::format::Format;
use crate::kernels::{InstructionSet, MatmulQ8, Table};
use crate::ops::ops_table;
use crate::scalar;
use crate::tile::TileMut;

pub(crate) static TABLE: Table = Table {
    instruction_set: InstructionSet::Scalar,
    matmul_q8,
    matmul_q16: None,
    strips_q8: None,
    strips_q16: None,
    matmul_f32,
    quantize_row,
    quantize_row_with_residual,
    ops: &ops_table!(),
    attention: &attention_table!(scalar),
};

pub(crate) fn matmul_q8(format: Format) -> Option<MatmulQ8> {
    Some(match format {
        Format::Q4_0 => |weights, x, out| each_row_q8(weights, x, out, dot_q4_0),
        Format::Q4_1 => |weights, x, out| each_row_q8(weights, x, out, dot_q4_1),
        Format::Q5_0 => |weights, x, out| each_row_q8(weights, x, out, dot_q5_0),
        Format::Q5_1 => |weights, x, out| each_row_q8(weights, x, out, dot_q5_1),
        Format::Q8_0 => |weights, x, out| each_row_q8(weights, x, out, dot_q8_0),
        Format::Q4K => |weights, x, out| each_row_q8(weights, x, out, dot_q4_k),
        Format::Q5K => |weights, x, out| each_row_q8(weights, x, out, dot_q5_k),
        Format::Q6K => |weights, x, out| each_row_q8(weights, x, out, dot_q6_k),
        Format::F32 | Format::F16 | Format::BF16 => return None,
    })
}

fn each_row_q8(
    weights: &[u8],
    x: Q8Rows<'_>,
    mut out: TileMut<'_>,
    dot: impl Fn(&[u8], &[Q8Group]) -> f32,
) {
    let row_bytes = weights.len() / out.rows();
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        for t in 0..x.rows() {
            out.set(t, r, dot(row, x.row(t)));
        }
    }
}

/// `Σ a[i] * b[i]`.
fn dot_i8(a: [i8; 32], b: [i8; 32]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| i32::from(*a) * i32::from(b))
        .sum()
}

/// The codes of 4 bits of a 32-block, less `offset`.
fn codes_4bit(low: &[u8; 16], offset: i8) -> [i8; 32] {
    std::array::from_fn(|i| {
        let nibble = if i < 16 {
            low[i] & 15
        } else {
            low[i - 16] >> 4
        };
        nibble as i8 - offset
    })
}

fn sum(codes: [i8; 32]) -> i32 {
    codes.iter().map(|code| i32::from(*code)).sum()
}

fn dot_q4_0(row: &[u8], x: &[Q8Group]) -> f32 {
    let (blocks, _) = row.as_chunks::<18>();
    let mut total = 0.0;
    for (b, block) in blocks.iter().enumerate() {
        let dot = dot_i8(codes_4bit(array_at(block, 2), 8), x[b / 4].block(b));
        total += f16_at(block, 0) * x[b / 4].scales[b % 4] * dot as f32;
    }
    total
}

fn dot_q4_1(row: &[u8], x: &[Q8Group]) -> f32 {
    let (blocks, _) = row.as_chunks::<20>();
    let mut total = 0.0;
    for (b, block) in blocks.iter().enumerate() {
        let (d, m) = (f16_at(block, 0), f16_at(block, 2));
        let codes = x[b / 4].block(b);
        let dot = dot_i8(codes_4bit(array_at(block, 4), 0), codes);
        total += x[b / 4].scales[b % 4] * (d * dot as f32 + m * sum(codes) as f32);
    }
    total
}

fn dot_q5_0(row: &[u8], x: &[Q8Group]) -> f32 {
    let (blocks, _) = row.as_chunks::<22>();
    let mut total = 0.0;
    for (b, block) in blocks.iter().enumerate() {
        let weights = codes_5bit(array_at(block, 2), array_at(block, 6));
        let dot = dot_i8(weights.map(|code| code as i8 - 16), x[b / 4].block(b));
        total += f16_at(block, 0) * x[b / 4].scales[b % 4] * dot as f32;
    }
    total
}

fn dot_q5_1(row: &[u8], x: &[Q8Group]) -> f32 {
    let (blocks, _) = row.as_chunks::<24>();
    let mut total = 0.0;
    for (b, block) in blocks.iter().enumerate() {
        let (d, m) = (f16_at(block, 0), f16_at(block, 2));
        let weights = codes_5bit(array_at(block, 4), array_at(block, 8));
        let codes = x[b / 4].block(b);
        let dot = dot_i8(weights.map(|code| code as i8), codes);
        total += x[b / 4].scales[b % 4] * (d * dot as f32 + m * sum(codes) as f32);
    }
    total
}

fn dot_q8_0(row: &[u8], x: &[Q8Group]) -> f32 {
    let (blocks, _) = row.as_chunks::<34>();
    let mut total = 0.0;
    for (b, block) in blocks.iter().enumerate() {
        let weights: &[u8; 32] = array_at(block, 2);
        let dot = dot_i8(weights.map(|w| w as i8), x[b / 4].block(b));
        total += f16_at(block, 0) * x[b / 4].scales[b % 4] * dot as f32;
    }
    total
}

fn dot_q4_k(row: &[u8], x: &[Q8Group]) -> f32 {
    let (blocks, _) = row.as_chunks::<144>();
    let mut total = 0.0;
    for (b, block) in blocks.iter().enumerate() {
        let (d, dmin) = (f16_at(block, 0), f16_at(block, 2));
        let (scales, minimums) = scales_and_minimums(array_at(block, 4));
        for s in 0..8 {
            let weights =
                std::array::from_fn(|i| (block[16 + 32 * (s / 2) + i] >> (4 * (s % 2)) & 15) as i8);
            let codes = x[2 * b + s / 4].block(s);
            let scaled = d * f32::from(scales[s]) * dot_i8(weights, codes) as f32;
            let offset = dmin * f32::from(minimums[s]) * sum(codes) as f32;
            total += x[2 * b + s / 4].scales[s % 4] * (scaled - offset);
        }
    }
    total
}

fn dot_q5_k(row: &[u8], x: &[Q8Group]) -> f32 {
    let (blocks, _) = row.as_chunks::<176>();
    let mut total = 0.0;
    for (b, block) in blocks.iter().enumerate() {
        let (d, dmin) = (f16_at(block, 0), f16_at(block, 2));
        let (scales, minimums) = scales_and_minimums(array_at(block, 4));
        for s in 0..8 {
            let weights = std::array::from_fn(|i| {
                let nibble = block[48 + 32 * (s / 2) + i] >> (4 * (s % 2)) & 15;
                (nibble | (block[16 + i] >> s & 1) << 4) as i8
            });
            let codes = x[2 * b + s / 4].block(s);
            let scaled = d * f32::from(scales[s]) * dot_i8(weights, codes) as f32;
            let offset = dmin * f32::from(minimums[s]) * sum(codes) as f32;
            total += x[2 * b + s / 4].scales[s % 4] * (scaled - offset);
        }
    }
    total
}

fn dot_q6_k(row: &[u8], x: &[Q8Group]) -> f32 {
    let (blocks, _) = row.as_chunks::<210>();
    let mut total = 0.0;
    for (b, block) in blocks.iter().enumerate() {
        let d = f16_at(block, 208);
        let weights = codes_6bit(block);
        for s in 0..8 {
            let codes = x[2 * b + s / 4].block(s);
            let mut dot = 0;
            for (i, code) in codes.iter().enumerate() {
                let scale = i32::from(block[192 + 2 * s + i / 16] as i8);
                let weight = i32::from(weights[32 * s + i]) - 32;
                dot += scale * weight * i32::from(*code);
            }
            total += x[2 * b + s / 4].scales[s % 4] * d * dot as f32;
        }
    }
    total
}

/// Dequantizes a row in pieces and sums in double precision: exact enough to judge others by.
pub(crate) fn matmul_f32(
    format: Format,
    weights: &[u8],
    x: &[f32],
    cols: usize,
    mut out: TileMut<'_>,
) {
    const PIECE: usize = 256;
    let row_bytes = weights.len() / out.rows();
    let piece_bytes = PIECE / format.block_len() * format.block_bytes();
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        for t in 0..out.tokens() {
            let x = &x[t * cols..(t + 1) * cols];
            let mut total = 0.0_f64;
            for (bytes, x) in row.chunks(piece_bytes).zip(x.chunks(PIECE)) {
                let mut values = [0.0; PIECE];
                let values = &mut values[..x.len()];
                let fits = dequantize(format, bytes, values);
                debug_assert!(fits.is_ok());
                for (w, x) in values.iter().zip(x) {
                    total += f64::from(*w) * f64::from(*x);
                }
            }
            out.set(t, r, total as f32);
        }
    }
}

pub(crate) fn quantize_row(x: &[f32], row: &mut [Q8Group]) {
    for (x, group) in x.chunks(GROUP_LEN).zip(row) {
        let (scales, scaled) = scaled_group(x);
        *group = group_of(&scales, &scaled.map(f32::round_ties_even));
    }
}

/// Quantizes a row, and what that leaves over of it, in 254ths of its steps.
pub(crate) fn quantize_row_with_residual(
    x: &[f32],
    row: &mut [Q8Group],
    residuals: &mut [Q8Group],
) {
    for ((x, group), residual) in x.chunks(GROUP_LEN).zip(row).zip(residuals) {
        let (scales, scaled) = scaled_group(x);
        let codes = scaled.map(f32::round_ties_even);
        let rest = |i: usize| (scaled[i] - codes[i]) * RESIDUAL_STEPS as f32;
        let rests = std::array::from_fn(|i| rest(i).round_ties_even());
        *group = group_of(&scales, &codes);
        *residual = group_of(&scales.of_residual(), &rests);
        for (sum, rest) in group.sums.iter_mut().zip(&mut residual.sums) {
            *sum += std::mem::take(rest);
        }
    }
}

/// A group of these codes, which are whole numbers.
fn group_of(scales: &GroupScales, codes: &[f32; GROUP_LEN]) -> Q8Group {
    let mut group = Q8Group::ZERO;
    group.set_scales(scales);
    for (i, code) in codes.iter().enumerate() {
        group.codes[interleaved(i)] = *code as i8;
    }
    let mut sums = [0; GROUP_LEN / SUM_LEN];
    for (i, codes) in codes.chunks(SUM_LEN).enumerate() {
        let (b, half) = (i / 2, i % 2);
        let sum: i32 = codes.iter().map(|code| *code as i32).sum();
        sums[half * SCALES + b] = sum;
        group.sums[half * SCALES + b] = group.scales[b] * sum as f32;
    }
    group.set_code_sums(sums);
    group
}

/// The scales of up to 128 values, and the values in steps of them; zeros beyond the end of a row.
fn scaled_group(x: &[f32]) -> (GroupScales, [f32; GROUP_LEN]) {
    let mut largest = [0; SCALES];
    for (x, largest) in x.chunks(SCALE_LEN).zip(&mut largest) {
        *largest = x.iter().fold(0, |m, v| v.abs().to_bits().max(m));
    }
    let scales = GroupScales::of(largest);
    let mut scaled = [0.0; GROUP_LEN];
    for (i, (scaled, x)) in scaled.iter_mut().zip(x).enumerate() {
        // Where the scale is NaN, the value may be infinite.
        let inverse = scales.inverses[i / SCALE_LEN];
        *scaled = if inverse == 0.0 { 0.0 } else { x * inverse };
    }
    (scales, scaled)
}

fn scores<S: Stored>(
    queries: &[f32],
    keys: &[S::Unit],
    _ahead: &[S::Unit],
    dim: usize,
    out: &mut [f32],
) {
    let row = S::row_len(dim);
    let positions = keys.len() / row;
    for (query, out) in queries
        .chunks_exact(dim)
        .zip(out.chunks_exact_mut(positions))
    {
        for (key, out) in keys.chunks_exact(row).zip(out) {
            let products = query.iter().enumerate().map(|(i, q)| q * S::number(key, i));
            *out = products.sum();
        }
    }
}

fn mix<S: Stored>(
    weights: &[f32],
    values: &[S::Unit],
    _ahead: &[S::Unit],
    dim: usize,
    out: &mut [f32],
) {
    let row = S::row_len(dim);
    let positions = values.len() / row;
    for (weights, out) in weights
        .chunks_exact(positions)
        .zip(out.chunks_exact_mut(dim))
    {
        for (weight, value) in weights.iter().zip(values.chunks_exact(row)) {
            for (i, out) in out.iter_mut().enumerate() {
                *out += weight * S::number(value, i);
            }
        }
    }
}
