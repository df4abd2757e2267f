//! Kernels for aarch64: with the vectors that every such CPU has (Armv8.0), and with `sdot`, which CPUs since about
//! 2018 have. `sdot` multiplies four pairs of codes and adds them to a lane of 32 bits in one instruction, where
//! Armv8.0 takes two and has to mind 16-bit sums. Functions that differ by it have a parameter `DOT`. CPUs since about
//! 2021 have `smmla` too, which interleaved rows times several tokens are multiplied with.
//!
//! Interleaved rows have kernels of their own, see [`strips`].
//!
//! **Products with 8-bit activations.** A format only has to say ([`blocks`]) how 128 of its weights become a
//! [`Group`]: codes in the order of the activations (see [`crate::QuantizedActivations`]), and
//! scales and minimums for its four lanes. The rest is common. Up to four tokens multiply each group
//! where it is decoded; more share a panel of decoded groups. Both do the same operations in the same
//! order for each pair of row and token, so results do not depend on the size of the batch.

#![allow(
    clippy::indexing_slicing,
    reason = "rows come from `Cpu`, which checked the shapes; blocks and panels have fixed sizes"
)]

mod attention;
mod blocks;
mod floats;
mod strips;

use std::arch::aarch64::*;
use std::arch::asm;
use std::arch::is_aarch64_feature_detected;
use std::array::from_fn;
use std::mem::MaybeUninit;

use blocks::{Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};

use crate::activations::{GROUP_LEN, Q8Group, Q8Rows};
use crate::attention_loops::attention_table;
use crate::format::Format;
use crate::kernels::{InstructionSet, MatmulQ8, Table, kernel_for};
use crate::ops::ops_table;
use crate::tile::TileMut;

pub(crate) static TABLE: Table = Table {
    instruction_set: InstructionSet::Neon,
    matmul_q8: |format| matmul_q8::<false>(format),
    matmul_q16: None,
    strips_q8: Some(|format| strips::matmul::<1, false>(format)),
    strips_q16: Some(|format| strips::matmul::<2, false>(format)),
    matmul_f32: floats::matmul_f32,
    quantize_row: floats::quantize_row,
    quantize_row_with_residual: floats::quantize_row_with_residual,
    ops: &ops_table!(),
    attention: &attention_table!(attention),
};

pub(crate) static DOT_TABLE: Table = Table {
    instruction_set: InstructionSet::NeonDot,
    matmul_q8: |format| matmul_q8::<true>(format),
    strips_q8: Some(|format| strips::matmul::<1, true>(format)),
    strips_q16: Some(|format| strips::matmul::<2, true>(format)),
    ..TABLE
};

pub(crate) static I8MM_TABLE: Table = Table {
    instruction_set: InstructionSet::NeonI8mm,
    strips_q8: Some(|format| strips::matmul_by_pairs::<1>(format)),
    strips_q16: Some(|format| strips::matmul_by_pairs::<2>(format)),
    ..DOT_TABLE
};

/// Whether this CPU has what [`DOT_TABLE`] needs.
pub(crate) fn has_dot() -> bool {
    is_aarch64_feature_detected!("dotprod")
}

/// Whether this CPU has what [`I8MM_TABLE`] needs.
pub(crate) fn has_i8mm() -> bool {
    has_dot() && is_aarch64_feature_detected!("i8mm")
}

fn matmul_q8<const DOT: bool>(format: Format) -> Option<MatmulQ8> {
    kernel_for!(format, multiply_q8, DOT)
}

/// 128 decoded weights: four blocks of 32, one for each lane. Their product with activations is, over
/// the lanes and the blocks' halves of 16, the sum of
/// `scale * activation_scale * (dot product of codes) + minimum * activation_sum`.
#[derive(Clone, Copy)]
struct Group {
    /// Even vectors hold first halves, odd ones second halves.
    codes: [int8x16_t; 8],
    /// Of first halves and of second halves.
    scales: [float32x4_t; 2],
    /// Of first halves and of second halves.
    minimums: [float32x4_t; 2],
}

/// How the codes of a format multiply with 8-bit codes of activations, which lie in -127..=127.
/// `smlal` adds products in 16 bits, two lanes of which make one of 32, and wraps: that may not
/// happen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Codes {
    /// 0..=31, both halves with the same scale: eight products fit, 8 * 31 * 127 = 31,496.
    UpTo31,
    /// 0..=63, a scale for each half: four products fit, 4 * 63 * 127 = 32,004.
    UpTo63,
    /// -128..=127, both halves with the same scale: two products fit, 2 * 128 * 127 = 32,512.
    Signed,
}

/// A block format, as the kernels of this file need it.
trait Blocks {
    const FORMAT: Format;
    const CODES: Codes;
    /// Whether `minimums` are ever other than zero.
    const HAS_MINIMUMS: bool;
    /// What [`decode`](Self::decode) gives: one group for blocks of 32, two for blocks of 256.
    type Groups: AsRef<[Group]>;

    /// Decodes the consecutive blocks that hold `Groups`, [`step_bytes`] in all.
    ///
    /// # Safety
    /// The CPU has NEON.
    unsafe fn decode(blocks: &[u8]) -> Self::Groups;
}

/// Rows of a panel.
const PANEL_ROWS: usize = 16;
/// Groups of a row that a panel holds: with 16 rows 24 KB, which stay in the first-level cache.
const PANEL_GROUPS: usize = 8;

#[target_feature(enable = "neon")]
fn multiply_q8<B: Blocks, const DOT: bool>(weights: &[u8], x: Q8Rows<'_>, mut out: TileMut<'_>) {
    let row_bytes = weights.len() / out.rows();
    assert_eq!(x.rows(), out.tokens());
    assert!(row_bytes * out.rows() == weights.len());
    assert_eq!(groups_of::<B>(row_bytes), x.row_len());
    match x.rows() {
        1 => multiply_decoded::<B, DOT, 1>(weights, row_bytes, x, &mut out),
        2 => multiply_decoded::<B, DOT, 2>(weights, row_bytes, x, &mut out),
        3 => multiply_decoded::<B, DOT, 3>(weights, row_bytes, x, &mut out),
        4 => multiply_decoded::<B, DOT, 4>(weights, row_bytes, x, &mut out),
        _ => {
            for first in (0..out.rows()).step_by(PANEL_ROWS) {
                let rows = PANEL_ROWS.min(out.rows() - first);
                let weights = &weights[first * row_bytes..(first + rows) * row_bytes];
                multiply_panel::<B, DOT>(weights, row_bytes, x, first, &mut out);
            }
        }
    }
}

/// Groups of a row, the last one perhaps in part.
fn groups_of<B: Blocks>(row_bytes: usize) -> usize {
    let values = row_bytes / B::FORMAT.block_bytes() * B::FORMAT.block_len();
    values.div_ceil(GROUP_LEN)
}

/// Bytes that [`Blocks::decode`] takes.
const fn step_bytes<B: Blocks>() -> usize {
    let format = B::FORMAT;
    if format.block_len() < GROUP_LEN {
        GROUP_LEN / format.block_len() * format.block_bytes()
    } else {
        format.block_bytes()
    }
}

/// Rows times `TOKENS` tokens, each group multiplied as soon as it is decoded.
#[target_feature(enable = "neon")]
fn multiply_decoded<B: Blocks, const DOT: bool, const TOKENS: usize>(
    weights: &[u8],
    row_bytes: usize,
    x: Q8Rows<'_>,
    out: &mut TileMut<'_>,
) {
    let x: [&[Q8Group]; TOKENS] = from_fn(|t| x.row(t));
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        // The neutral element of addition: a panel sets its first sum, even if that is -0.
        let mut totals = [-0.0; TOKENS];
        let mut accumulators = [vdupq_n_f32(0.0); TOKENS];
        let mut index = 0;
        let mut multiply = |groups: B::Groups| {
            for group in groups.as_ref() {
                accumulators =
                    from_fn(|t| accumulate::<B, DOT>(accumulators[t], group, &x[t][index]));
                index += 1;
            }
            if index % PANEL_GROUPS == 0 {
                totals = from_fn(|t| totals[t] + vaddvq_f32(accumulators[t]));
                accumulators = [vdupq_n_f32(0.0); TOKENS];
            }
        };
        let steps = row.chunks_exact(step_bytes::<B>());
        let rest = steps.remainder();
        for step in steps {
            // SAFETY: this function is NEON itself.
            multiply(unsafe { B::decode(step) });
        }
        if !rest.is_empty() {
            multiply(decode_rest::<B>(rest));
        }
        if index % PANEL_GROUPS != 0 {
            totals = from_fn(|t| totals[t] + vaddvq_f32(accumulators[t]));
        }
        for (t, total) in totals.into_iter().enumerate() {
            out.set(t, r, total);
        }
    }
}

/// Decodes the last blocks of a row that do not fill a group. The missing ones read as zeros.
#[target_feature(enable = "neon")]
fn decode_rest<B: Blocks>(rest: &[u8]) -> B::Groups {
    let mut padded = [0; 256];
    padded[..rest.len()].copy_from_slice(rest);
    // SAFETY: this function is NEON itself.
    unsafe { B::decode(&padded[..step_bytes::<B>()]) }
}

/// Up to [`PANEL_ROWS`] rows, from row `first` of the tile on, times all tokens.
#[target_feature(enable = "neon")]
fn multiply_panel<B: Blocks, const DOT: bool>(
    weights: &[u8],
    row_bytes: usize,
    x: Q8Rows<'_>,
    first: usize,
    out: &mut TileMut<'_>,
) {
    let mut panel = [const { MaybeUninit::<Group>::uninit() }; PANEL_ROWS * PANEL_GROUPS];
    let groups = groups_of::<B>(row_bytes);
    let groups_per_step = (B::FORMAT.block_len() / GROUP_LEN).max(1);
    let panel_bytes = PANEL_GROUPS / groups_per_step * step_bytes::<B>();
    for (piece, start) in (0..groups).step_by(PANEL_GROUPS).enumerate() {
        let count = PANEL_GROUPS.min(groups - start);
        for (row, panel) in weights
            .chunks_exact(row_bytes)
            .zip(panel.chunks_exact_mut(PANEL_GROUPS))
        {
            let bytes = &row[piece * panel_bytes..((piece + 1) * panel_bytes).min(row_bytes)];
            let steps = bytes.chunks_exact(step_bytes::<B>());
            let rest = steps.remainder();
            let mut slots = panel.iter_mut();
            for step in steps {
                // SAFETY: this function is NEON itself.
                let decoded = unsafe { B::decode(step) };
                for (decoded, slot) in decoded.as_ref().iter().zip(&mut slots) {
                    slot.write(*decoded);
                }
            }
            if !rest.is_empty() {
                for (decoded, slot) in decode_rest::<B>(rest).as_ref().iter().zip(slots) {
                    slot.write(*decoded);
                }
            }
        }
        let rows = weights.len() / row_bytes;
        let rows = panel.chunks_exact(PANEL_GROUPS).take(rows).map(|groups| {
            let groups = &groups[..count];
            // SAFETY: the loop above wrote the first `count` groups of each of these rows.
            unsafe { &*(groups as *const [MaybeUninit<Group>] as *const [Group]) }
        });
        for token in (0..x.rows()).step_by(4) {
            let (rows, at) = (rows.clone(), (token, first));
            match x.rows() - token {
                1 => multiply_tokens::<B, DOT, 1>(rows, x, start, at, out),
                2 => multiply_tokens::<B, DOT, 2>(rows, x, start, at, out),
                3 => multiply_tokens::<B, DOT, 3>(rows, x, start, at, out),
                _ => multiply_tokens::<B, DOT, 4>(rows, x, start, at, out),
            }
        }
    }
}

/// Rows of decoded groups, which are group `start` and those after it, times `TOKENS` tokens. The
/// products are added to the tile from token and row `at` on, or set there for the first groups.
#[target_feature(enable = "neon")]
#[inline]
fn multiply_tokens<'a, B: Blocks, const DOT: bool, const TOKENS: usize>(
    rows: impl Iterator<Item = &'a [Group]>,
    x: Q8Rows<'_>,
    start: usize,
    at: (usize, usize),
    out: &mut TileMut<'_>,
) {
    let (token, first) = at;
    let x: [&[Q8Group]; TOKENS] = from_fn(|t| x.row(token + t));
    for (r, groups) in rows.enumerate() {
        let mut accumulators = [vdupq_n_f32(0.0); TOKENS];
        for (i, group) in groups.iter().enumerate() {
            accumulators =
                from_fn(|t| accumulate::<B, DOT>(accumulators[t], group, &x[t][start + i]));
        }
        for (t, accumulator) in accumulators.into_iter().enumerate() {
            let sum = vaddvq_f32(accumulator);
            if start == 0 {
                out.set(token + t, first + r, sum);
            } else {
                out.add(token + t, first + r, sum);
            }
        }
    }
}

/// Adds the product of a group of weights with one of activations.
#[target_feature(enable = "neon")]
#[inline]
fn accumulate<B: Blocks, const DOT: bool>(
    accumulator: float32x4_t,
    group: &Group,
    x: &Q8Group,
) -> float32x4_t {
    // SAFETY: 128 codes, four scales, two times four sums.
    let (codes, scales, sums): ([int8x16_t; 8], _, _) = unsafe {
        let (codes, sums) = (x.codes.as_ptr(), x.sums.as_ptr());
        (
            from_fn(|i| vld1q_s8(codes.add(16 * i))),
            vld1q_f32(x.scales.as_ptr()),
            [vld1q_f32(sums), vld1q_f32(sums.add(4))],
        )
    };
    let add = |accumulator, dot, scale| {
        vfmaq_f32(accumulator, vcvtq_f32_s32(dot), vmulq_f32(scale, scales))
    };
    let mut accumulator = accumulator;
    if B::CODES == Codes::UpTo63 {
        for half in 0..2 {
            let every_other =
                |v: &[int8x16_t; 8]| -> [int8x16_t; 4] { from_fn(|i| v[2 * i + half]) };
            let (weights, codes) = (every_other(&group.codes), every_other(&codes));
            let dot = if DOT {
                // SAFETY: `DOT` says that the CPU has the instruction.
                unsafe { signed_dots(weights, codes) }
            } else {
                let (low, high) = products(weights, codes);
                vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high))
            };
            accumulator = add(accumulator, dot, group.scales[half]);
            if B::HAS_MINIMUMS {
                accumulator = vfmaq_f32(accumulator, group.minimums[half], sums[half]);
            }
        }
        return accumulator;
    }
    let dot = if DOT {
        // SAFETY: `DOT` says that the CPU has the instruction.
        unsafe { signed_dots(group.codes, codes) }
    } else if B::CODES == Codes::UpTo31 {
        let (low, high) = products(group.codes, codes);
        vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high))
    } else {
        let (mut lows, mut highs) = (vdupq_n_s32(0), vdupq_n_s32(0));
        for i in (0..8).step_by(2) {
            let pair = |v: &[int8x16_t; 8]| [v[i], v[i + 1]];
            let (low, high) = products(pair(&group.codes), pair(&codes));
            lows = vpadalq_s16(lows, low);
            highs = vpadalq_s16(highs, high);
        }
        vpaddq_s32(lows, highs)
    };
    accumulator = add(accumulator, dot, group.scales[0]);
    if B::HAS_MINIMUMS {
        let sums = vaddq_f32(sums[0], sums[1]);
        accumulator = vfmaq_f32(accumulator, group.minimums[0], sums);
    }
    accumulator
}

/// The sums over the vectors of the products of their lower and of their upper eight codes.
#[target_feature(enable = "neon")]
#[inline]
fn products<const N: usize>(a: [int8x16_t; N], b: [int8x16_t; N]) -> (int16x8_t, int16x8_t) {
    let (mut low, mut high) = (vdupq_n_s16(0), vdupq_n_s16(0));
    for (a, b) in a.into_iter().zip(b) {
        low = vmlal_s8(low, vget_low_s8(a), vget_low_s8(b));
        high = vmlal_high_s8(high, a, b);
    }
    (low, high)
}

/// The sums over the vectors of the dot products of four neighbours each.
///
/// # Safety
/// The CPU has `sdot`.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn signed_dots<const N: usize>(a: [int8x16_t; N], b: [int8x16_t; N]) -> int32x4_t {
    let mut dots = vdupq_n_s32(0);
    for (a, b) in a.into_iter().zip(b) {
        // The intrinsic is not stable.
        // SAFETY: the caller promised the instruction, which does nothing but compute.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "sdot {dots:v}.4s, {a:v}.16b, {b:v}.16b",
                dots = inlateout(vreg) dots,
                a = in(vreg) a,
                b = in(vreg) b,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
    }
    dots
}

/// Adds to each lane of `dots` the dot product of four neighbours of `a` with those in lane `LANE` of `b`.
///
/// # Safety
/// The CPU has `sdot`.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn signed_dot_of_lane<const LANE: i32>(
    dots: int32x4_t,
    a: int8x16_t,
    b: int8x16_t,
) -> int32x4_t {
    let mut dots = dots;
    // SAFETY: as in `signed_dots`.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {dots:v}.4s, {a:v}.16b, {b:v}.4b[{lane}]",
            dots = inlateout(vreg) dots,
            a = in(vreg) a,
            b = in(vreg) b,
            lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    dots
}

/// Adds to `dots` the dot products of the halves of `a`, eight codes each, with those of `b`: of the first of `a` with
/// both of `b`, then of the second.
///
/// # Safety
/// The CPU has `smmla`.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn signed_dots_of_pairs(dots: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    let mut dots = dots;
    // SAFETY: as in `signed_dots`.
    unsafe {
        asm!(
            ".arch_extension i8mm",
            "smmla {dots:v}.4s, {a:v}.16b, {b:v}.16b",
            dots = inlateout(vreg) dots,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    dots
}
