//! Kernels for aarch64: with the vectors that every such CPU has (Armv8.0), and with `sdot`, which CPUs since about
//! 2018 have. `sdot` multiplies four pairs of codes and adds them to a lane of 32 bits in one instruction, where
//! Armv8.0 takes two and has to mind 16-bit sums. Functions that differ by it have a parameter `DOT`. CPUs since about
//! 2021 have `smmla` too, which interleaved rows times several tokens are multiplied with.
//!
//! Interleaved rows have kernels of their own, see [`strips`].
//!
//! **Products with 8-bit activations.** A format only has to say how 128 of its weights become a
//! [`Group`]: codes in the order of the activations (see [`crate::QuantizedActivations`]), and
//! scales and minimums for its four lanes. The rest is common. Up to four tokens multiply each group
//! where it is decoded; more share a panel of decoded groups. Both do the same operations in the same
//! order for each pair of row and token, so results do not depend on the size of the batch.
//!
//! **Products with `f32` activations.** Rows are dequantized, a piece at a time, to a panel on the
//! stack.

#![allow(
    clippy::indexing_slicing,
    reason = "rows come from `Cpu`, which checked the shapes; blocks and panels have fixed sizes"
)]

mod attention;
mod strips;

use std::arch::aarch64::*;
use std::arch::asm;
use std::arch::is_aarch64_feature_detected;
use std::array::from_fn;
use std::mem::MaybeUninit;

use crate::activations::{
    GROUP_LEN, GroupScales, Q8Group, Q8Rows, RESIDUAL_STEPS, SCALE_LEN, SCALES,
};
use crate::attention_loops::attention_table;
use crate::dequantize::{array_at, dequantize_blocks};
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
    matmul_f32,
    quantize_row,
    quantize_row_with_residual,
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

/// The 16 bytes at `offset`.
#[target_feature(enable = "neon")]
#[inline]
fn bytes_at(bytes: &[u8], offset: usize) -> uint8x16_t {
    let bytes: &[u8; 16] = array_at(bytes, offset);
    // SAFETY: 16 bytes.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// Half-precision numbers as single-precision ones.
#[target_feature(enable = "neon")]
#[inline]
fn widen(halves: uint16x4_t) -> float32x4_t {
    let wide;
    // The intrinsic is not stable.
    // SAFETY: the instruction does nothing but convert.
    unsafe {
        asm!(
            "fcvtl {wide:v}.4s, {halves:v}.4h",
            wide = lateout(vreg) wide,
            halves = in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    wide
}

/// The half-precision numbers at the same offset of four consecutive blocks.
#[target_feature(enable = "neon")]
#[inline]
fn halves_at(blocks: &[u8], offset: usize, block_bytes: usize) -> float32x4_t {
    let halves: [u16; 4] =
        from_fn(|i| u16::from_le_bytes(*array_at(blocks, offset + i * block_bytes)));
    // SAFETY: four numbers.
    widen(unsafe { vld1_u16(halves.as_ptr()) })
}

/// Transposes four vectors of four 32-bit words: vector `j` of the result holds word `j` of each.
#[target_feature(enable = "neon")]
#[inline]
fn transpose(v: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    let v = v.map(|v| vreinterpretq_u32_u8(v));
    let pairs = [
        vtrn1q_u32(v[0], v[1]),
        vtrn2q_u32(v[0], v[1]),
        vtrn1q_u32(v[2], v[3]),
        vtrn2q_u32(v[2], v[3]),
    ];
    let [a, b, c, d] = pairs.map(|v| vreinterpretq_u64_u32(v));
    [
        vtrn1q_u64(a, c),
        vtrn1q_u64(b, d),
        vtrn2q_u64(a, c),
        vtrn2q_u64(b, d),
    ]
    .map(|v| vreinterpretq_u8_u64(v))
}

/// Codes in natural order, halves of four blocks, in the order of a [`Group`].
#[target_feature(enable = "neon")]
#[inline]
fn interleave(halves: [[uint8x16_t; 4]; 2]) -> [int8x16_t; 8] {
    let halves = halves.map(|half| transpose(half));
    from_fn(|i| vreinterpretq_s8_u8(halves[i % 2][i / 2]))
}

/// The four bits of the codes of four 32-blocks, from 16 bytes at `offset` of each: byte `i` holds
/// values `i` and `16 + i`.
#[target_feature(enable = "neon")]
#[inline]
fn nibbles(blocks: &[u8], offset: usize, block_bytes: usize) -> [int8x16_t; 8] {
    let bytes: [uint8x16_t; 4] = from_fn(|i| bytes_at(blocks, offset + i * block_bytes));
    let words = transpose(bytes);
    from_fn(|i| vreinterpretq_s8_u8(nibble(words[i / 2], i % 2 == 1)))
}

/// The upper or the lower four bits of each byte.
#[target_feature(enable = "neon")]
#[inline]
fn nibble(bytes: uint8x16_t, upper: bool) -> uint8x16_t {
    if upper {
        vshrq_n_u8::<4>(bytes)
    } else {
        vandq_u8(bytes, vdupq_n_u8(15))
    }
}

/// Adds the fifth bits of four 32-blocks, a word of 32 at `offset` of each, to their codes.
#[target_feature(enable = "neon")]
#[inline]
fn add_fifth_bits(
    codes: [int8x16_t; 8],
    blocks: &[u8],
    offset: usize,
    block_bytes: usize,
) -> [int8x16_t; 8] {
    let words: [u32; 4] =
        from_fn(|i| u32::from_le_bytes(*array_at(blocks, offset + i * block_bytes)));
    // SAFETY: 16 bytes.
    let words = unsafe { vreinterpretq_u8_u32(vld1q_u32(words.as_ptr())) };
    // Vector i holds codes 4w..4w + 4 of each block.
    from_fn(|i| vorrq_s8(codes[i], fifth_bits(words, i / 2 + i % 2 * 4)))
}

/// 16 in the place of each code of word `word` whose fifth bit is set; each lane of `bits` has those of 32 codes.
#[target_feature(enable = "neon")]
#[inline]
fn fifth_bits(bits: uint8x16_t, word: usize) -> int8x16_t {
    const LANES: [u8; 16] = [0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12];
    const BITS: [u8; 16] = [1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8];
    // SAFETY: 16 bytes each.
    let (lanes, bit) = unsafe { (vld1q_u8(LANES.as_ptr()), vld1q_u8(BITS.as_ptr())) };
    // The byte that holds the word's four bits, four times.
    let bytes = vqtbl1q_u8(bits, vaddq_u8(lanes, vdupq_n_u8((word / 2) as u8)));
    let bit = vshlq_u8(bit, vdupq_n_s8(4 * (word % 2) as i8));
    vreinterpretq_s8_u8(vandq_u8(vtstq_u8(bytes, bit), vdupq_n_u8(16)))
}

/// The group of four blocks of a format with one scale for 32 values.
#[target_feature(enable = "neon")]
#[inline]
fn group(codes: [int8x16_t; 8], scale: float32x4_t, minimum: float32x4_t) -> Group {
    Group {
        codes,
        scales: [scale; 2],
        minimums: [minimum; 2],
    }
}

struct Q4_0;

impl Blocks for Q4_0 {
    const FORMAT: Format = Format::Q4_0;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUMS: bool = true;
    type Groups = [Group; 1];

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn decode(blocks: &[u8]) -> [Group; 1] {
        let scale = halves_at(blocks, 0, 18);
        let minimum = vmulq_n_f32(scale, -8.0);
        [group(nibbles(blocks, 2, 18), scale, minimum)]
    }
}

struct Q4_1;

impl Blocks for Q4_1 {
    const FORMAT: Format = Format::Q4_1;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUMS: bool = true;
    type Groups = [Group; 1];

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn decode(blocks: &[u8]) -> [Group; 1] {
        let (scale, minimum) = (halves_at(blocks, 0, 20), halves_at(blocks, 2, 20));
        [group(nibbles(blocks, 4, 20), scale, minimum)]
    }
}

struct Q5_0;

impl Blocks for Q5_0 {
    const FORMAT: Format = Format::Q5_0;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUMS: bool = true;
    type Groups = [Group; 1];

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn decode(blocks: &[u8]) -> [Group; 1] {
        let codes = add_fifth_bits(nibbles(blocks, 6, 22), blocks, 2, 22);
        let scale = halves_at(blocks, 0, 22);
        [group(codes, scale, vmulq_n_f32(scale, -16.0))]
    }
}

struct Q5_1;

impl Blocks for Q5_1 {
    const FORMAT: Format = Format::Q5_1;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUMS: bool = true;
    type Groups = [Group; 1];

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn decode(blocks: &[u8]) -> [Group; 1] {
        let codes = add_fifth_bits(nibbles(blocks, 8, 24), blocks, 4, 24);
        let (scale, minimum) = (halves_at(blocks, 0, 24), halves_at(blocks, 2, 24));
        [group(codes, scale, minimum)]
    }
}

struct Q8_0;

impl Blocks for Q8_0 {
    const FORMAT: Format = Format::Q8_0;
    const CODES: Codes = Codes::Signed;
    const HAS_MINIMUMS: bool = false;
    type Groups = [Group; 1];

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn decode(blocks: &[u8]) -> [Group; 1] {
        let codes = from_fn(|half| from_fn(|i| bytes_at(blocks, 34 * i + 2 + 16 * half)));
        let scale = halves_at(blocks, 0, 34);
        [group(interleave(codes), scale, vdupq_n_f32(0.0))]
    }
}

/// For each half of a Q4_K or Q5_K block, `d * scale` and `-dmin * minimum` of its four sub-blocks.
#[target_feature(enable = "neon")]
#[inline]
fn scales_and_minimums(block: &[u8]) -> [(float32x4_t, float32x4_t); 2] {
    /// `first` and `last` as four numbers each, times `factor`.
    #[target_feature(enable = "neon")]
    #[inline]
    fn scaled(first: u32, last: u32, factor: float32x4_t) -> [float32x4_t; 2] {
        let bytes = vcreate_u8(u64::from(last) << 32 | u64::from(first));
        let wide = vmovl_u8(bytes);
        [vmovl_u16(vget_low_u16(wide)), vmovl_high_u16(wide)]
            .map(|v| vmulq_f32(vcvtq_f32_u32(v), factor))
    }
    // Four packed numbers of 6 bits at a time; see `dequantize::scales_and_minimums`.
    const LOW_6: u32 = 0x3f3f_3f3f;
    const LOW_4: u32 = 0x0f0f_0f0f;
    const UPPER_2: u32 = 0x3030_3030;
    let [a, b, c]: [u32; 3] = from_fn(|i| u32::from_le_bytes(*array_at(block, 4 + 4 * i)));
    let factors = halves_at(block, 0, 2);
    let (d, dmin) = (vdupq_laneq_f32::<0>(factors), vdupq_laneq_f32::<1>(factors));
    let scales = scaled(a & LOW_6, (c & LOW_4) | (a >> 2 & UPPER_2), d);
    let minimums = scaled(
        b & LOW_6,
        (c >> 4 & LOW_4) | (b >> 2 & UPPER_2),
        vnegq_f32(dmin),
    );
    [(scales[0], minimums[0]), (scales[1], minimums[1])]
}

struct Q4K;

impl Blocks for Q4K {
    const FORMAT: Format = Format::Q4K;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUMS: bool = true;
    type Groups = [Group; 2];

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn decode(block: &[u8]) -> [Group; 2] {
        let scales = scales_and_minimums(block);
        from_fn(|g| {
            // Sub-block s has the low nibbles of 32 bytes if it is even, else the high ones.
            let codes = from_fn(|half| {
                from_fn(|s| {
                    let bytes = bytes_at(block, 16 + 64 * g + 32 * (s / 2) + 16 * half);
                    nibble(bytes, s % 2 == 1)
                })
            });
            let (scale, minimum) = scales[g];
            group(interleave(codes), scale, minimum)
        })
    }
}

struct Q5K;

impl Blocks for Q5K {
    const FORMAT: Format = Format::Q5K;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUMS: bool = true;
    type Groups = [Group; 2];

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn decode(block: &[u8]) -> [Group; 2] {
        let scales = scales_and_minimums(block);
        from_fn(|g| {
            let codes = from_fn(|half| {
                let fifth = bytes_at(block, 16 + 16 * half);
                from_fn(|s| {
                    let bytes = bytes_at(block, 48 + 64 * g + 32 * (s / 2) + 16 * half);
                    // Bit `4 * g + s` of each byte becomes bit 4.
                    let up = vdupq_n_s8(4 - (4 * g + s) as i8);
                    let sixteen = vandq_u8(vshlq_u8(fifth, up), vdupq_n_u8(16));
                    vorrq_u8(nibble(bytes, s % 2 == 1), sixteen)
                })
            });
            let (scale, minimum) = scales[g];
            group(interleave(codes), scale, minimum)
        })
    }
}

struct Q6K;

impl Blocks for Q6K {
    const FORMAT: Format = Format::Q6K;
    const CODES: Codes = Codes::UpTo63;
    const HAS_MINIMUMS: bool = true;
    type Groups = [Group; 2];

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn decode(block: &[u8]) -> [Group; 2] {
        // A scale for 16 values: first halves of sub-blocks have the even ones.
        let scales = vreinterpretq_s8_u8(bytes_at(block, 192));
        let d = vdupq_laneq_f32::<0>(widen(vdup_n_u16(u16::from_le_bytes(*array_at(block, 208)))));
        let scales = [vuzp1q_s8(scales, scales), vuzp2q_s8(scales, scales)].map(|scales| {
            let wide = vmovl_s8(vget_low_s8(scales));
            [vmovl_s16(vget_low_s16(wide)), vmovl_high_s16(wide)]
                .map(|v| vmulq_f32(vcvtq_f32_s32(v), d))
        });
        from_fn(|g| {
            let codes = from_fn(|half| {
                let upper = bytes_at(block, 128 + 32 * g + 16 * half);
                from_fn(|s| {
                    // Sub-blocks 0 and 1 are low nibbles, 2 and 3 the high ones of the same bytes;
                    // bits `2 * s` and `2 * s + 1` become bits 4 and 5.
                    let bytes = bytes_at(block, 64 * g + 32 * (s % 2) + 16 * half);
                    let up = vdupq_n_s8(4 - 2 * s as i8);
                    let upper = vandq_u8(vshlq_u8(upper, up), vdupq_n_u8(0x30));
                    vorrq_u8(nibble(bytes, s / 2 == 1), upper)
                })
            });
            let scales = [scales[0][g], scales[1][g]];
            Group {
                codes: interleave(codes),
                scales,
                minimums: scales.map(|scale| vmulq_n_f32(scale, -32.0)),
            }
        })
    }
}

/// Rows of a panel of dequantized weights.
const F32_ROWS: usize = 4;
/// Values of a row that the panel holds: 16 KB in all.
const F32_PIECE: usize = 1024;

#[target_feature(enable = "neon")]
fn matmul_f32(format: Format, weights: &[u8], x: &[f32], cols: usize, mut out: TileMut<'_>) {
    let row_bytes = weights.len() / out.rows();
    let (block_len, block_bytes) = (format.block_len(), format.block_bytes());
    let mut panel = [0.0; F32_ROWS * F32_PIECE];
    for first in (0..out.rows()).step_by(F32_ROWS) {
        let rows = F32_ROWS.min(out.rows() - first);
        for start in (0..cols).step_by(F32_PIECE) {
            let len = F32_PIECE.min(cols - start);
            let bytes = start / block_len * block_bytes..(start + len) / block_len * block_bytes;
            for (r, panel) in panel.chunks_exact_mut(F32_PIECE).take(rows).enumerate() {
                let row = &weights[(first + r) * row_bytes..][..row_bytes];
                unpack(format, &row[bytes.clone()], &mut panel[..len]);
            }
            let panel = Strided {
                values: &panel,
                stride: F32_PIECE,
                count: rows,
            };
            let x = Strided {
                values: &x[start..],
                stride: cols,
                count: out.tokens(),
            };
            each_dot(panel, x, len, |token, row, dot| {
                if start == 0 {
                    out.set(token, first + row, dot);
                } else {
                    out.add(token, first + row, dot);
                }
            });
        }
    }
}

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

/// `count` vectors that begin every `stride` values.
#[derive(Clone, Copy)]
struct Strided<'a> {
    values: &'a [f32],
    stride: usize,
    count: usize,
}

impl Strided<'_> {
    /// Pointers to the first `len` values of `N` vectors from `first` on.
    fn pointers<const N: usize>(&self, first: usize, len: usize) -> [*const f32; N] {
        from_fn(|i| self.values[(first + i) * self.stride..][..len].as_ptr())
    }
}

/// Calls `each` with (index in `x`, index in `rows`, dot product of the first `len` values) for all
/// pairs. The order of operations of a pair does not depend on the others.
#[target_feature(enable = "neon")]
#[inline]
fn each_dot(
    rows: Strided<'_>,
    x: Strided<'_>,
    len: usize,
    mut each: impl FnMut(usize, usize, f32),
) {
    for row in (0..rows.count).step_by(4) {
        for token in (0..x.count).step_by(2) {
            match (rows.count - row, x.count - token) {
                (1, 1) => dots::<1, 1>(rows, x, len, row, token, &mut each),
                (2, 1) => dots::<2, 1>(rows, x, len, row, token, &mut each),
                (3, 1) => dots::<3, 1>(rows, x, len, row, token, &mut each),
                (_, 1) => dots::<4, 1>(rows, x, len, row, token, &mut each),
                (1, _) => dots::<1, 2>(rows, x, len, row, token, &mut each),
                (2, _) => dots::<2, 2>(rows, x, len, row, token, &mut each),
                (3, _) => dots::<3, 2>(rows, x, len, row, token, &mut each),
                (_, _) => dots::<4, 2>(rows, x, len, row, token, &mut each),
            }
        }
    }
}

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
fn quantize_row(x: &[f32], row: &mut [Q8Group]) {
    let mut scaled = [[vdupq_n_f32(0.0); 8]; SCALES];
    for (x, group) in x.chunks(GROUP_LEN).zip(row) {
        let scales = scale_group(x, &mut scaled);
        let lanes = store_codes(scaled.map(|scaled| nearest(scaled)), group);
        group.set_scales(&scales);
        store_sums(products_with_scales(lanes, &group.scales), group);
    }
}

#[target_feature(enable = "neon")]
fn quantize_row_with_residual(x: &[f32], row: &mut [Q8Group], residuals: &mut [Q8Group]) {
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
