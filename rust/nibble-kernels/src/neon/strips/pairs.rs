//! Products of interleaved rows with many tokens, by `smmla`: one instruction multiplies eight codes of two rows with
//! eight of two tokens, which is twice the work of `sdot`.
//!
//! Both operands have to be put in order for it. A panel of activations is arranged once for all strips of a product.
//! 32 columns of a strip are decoded once for all tokens, to vectors of eight codes of two rows each: every other lane
//! of two neighbouring words. What multiplies them knows nothing of formats, so that it is compiled a few times only.
//!
//! Each pair of row and token sees the same operations in the same order as with `sdot`.

use std::arch::aarch64::*;
use std::array::from_fn;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::signed_dots_of_pairs;
use super::{Blocks, Codes};
use crate::activations::{GROUP_LEN, Q8Group, Q8Rows, RESIDUAL_STEPS, SCALE_LEN};
use crate::format::Format;
use crate::interleave::{STRIP_ROWS, strips_of_product};
use crate::tile::TileMut;

/// Pairs of tokens that share one decoding of the weights.
const PAIRS: usize = 16;
/// Groups of each token that are arranged at a time: whole blocks of every format.
const PANEL_GROUPS: usize = 4;
/// Scale blocks of a group.
const GROUP_BLOCKS: usize = GROUP_LEN / SCALE_LEN;
/// Scale blocks of a panel: with 32 tokens 28 KB, or 44 KB with residuals.
const PANEL_BLOCKS: usize = PANEL_GROUPS * GROUP_BLOCKS;

/// A scale block of two tokens. Vectors of numbers hold that of the first token, of the second, and both again.
struct Pair<const PLANES: usize> {
    /// Eight codes of the first token and the same eight of the second, four times.
    codes: [[int8x16_t; 4]; PLANES],
    /// The scales of the last plane.
    scales: float32x4_t,
    /// The sums of both halves; where weights have one scale for 32 values, the first is that of all.
    sums: [float32x4_t; 2],
}

/// 32 columns of a strip. Rows are in pairs, 0 and 2, 1 and 3, 4 and 6, and so on: what `trn` makes. (Where vectors are
/// zipped and stored, the compiler takes `st2`, which is slow and costs moves.) Vectors of numbers hold that of the first
/// row twice, then that of the second.
struct Columns {
    /// For each pair: eight codes of the first row and the same eight of the second, four times.
    codes: [[int8x16_t; 4]; STRIP_ROWS / 2],
    /// For each pair; those of the first 16 values, then those of the others if they have their own.
    scales: [[float32x4_t; STRIP_ROWS / 2]; 2],
    /// Likewise.
    minimums: [[float32x4_t; STRIP_ROWS / 2]; 2],
}

impl Columns {
    // SAFETY: vectors are numbers, for which all bits zero is zero.
    const ZERO: Columns = unsafe { std::mem::zeroed() };
}

/// Products in the making, of two rows with two tokens each: for each half of a strip, for each pair of tokens, for
/// each pair of rows. A vector holds the first row with both tokens, then the second.
type Sums = [[[float32x4_t; STRIP_ROWS / 4]; PAIRS]; 2];

/// What the product has to know of a format.
pub(super) struct Decoder {
    format: Format,
    /// Whether each 16 values have scales of their own.
    halves: bool,
    /// Whether minimums are ever other than zero.
    minimums: bool,
    /// Decodes a sub-block of 32 values; it is as unsafe as [`Blocks`].
    decode: unsafe fn(blocks: *const u8, sub_block: usize, columns: &mut Columns),
}

impl Decoder {
    /// That of a format.
    pub(super) const fn of<B: Blocks>() -> Decoder {
        Decoder {
            format: B::FORMAT,
            halves: has_halves::<B>(),
            minimums: B::HAS_MINIMUMS,
            decode: decode::<B>,
        }
    }
}

const fn has_halves<B: Blocks>() -> bool {
    matches!(B::CODES, Codes::UpTo63)
}

/// The product with activations of `PLANES` rows of codes for each token.
///
/// # Safety
/// The CPU has `smmla`.
#[target_feature(enable = "neon")]
pub(super) unsafe fn multiply<const PLANES: usize>(
    decoder: &Decoder,
    weights: &[u8],
    x: Q8Rows<'_>,
    out: &mut TileMut<'_>,
) {
    let strips = strips_of_product(decoder.format, PLANES, weights, x, out);
    let block_bytes = STRIP_ROWS * decoder.format.block_bytes();
    let sub_blocks = decoder.format.block_len() / SCALE_LEN;
    let add: unsafe fn(&mut Sums, &Columns, &[Pair<PLANES>]) =
        match (decoder.halves, decoder.minimums) {
            (true, _) => add::<PLANES, true, true>,
            (_, true) => add::<PLANES, false, true>,
            (_, _) => add::<PLANES, false, false>,
        };
    let mut buffer = [const { MaybeUninit::<Pair<PLANES>>::uninit() }; PAIRS * PANEL_BLOCKS];
    let mut columns = Columns::ZERO;
    for token in (0..out.tokens()).step_by(2 * PAIRS) {
        let tokens = (out.tokens() - token).min(2 * PAIRS);
        let x = x.slice(token * PLANES, tokens * PLANES);
        for group in (0..x.row_len()).step_by(PANEL_GROUPS) {
            let panel = arrange(x, group, decoder.halves, &mut buffer);
            let panel = panel.chunks_exact(tokens.div_ceil(2));
            let first = group * GROUP_BLOCKS / sub_blocks;
            for (strip, weights) in strips.clone().enumerate() {
                let at = (token, strip * STRIP_ROWS);
                let mut sums = [[[vdupq_n_f32(0.0); STRIP_ROWS / 4]; PAIRS]; 2];
                if group > 0 {
                    load(&mut sums, tokens, at, out);
                }
                let mut panel = panel.clone();
                let blocks = weights.chunks_exact(block_bytes);
                for blocks in blocks.skip(first).take(PANEL_BLOCKS / sub_blocks) {
                    for (s, x) in (0..sub_blocks).zip(&mut panel) {
                        // SAFETY: sixteen interleaved blocks, this function is NEON itself, and the caller promised
                        // `smmla`.
                        unsafe {
                            (decoder.decode)(blocks.as_ptr(), s, &mut columns);
                            add(&mut sums, &columns, x);
                        }
                    }
                }
                store(&sums, tokens, at, out);
            }
        }
    }
}

/// Arranges up to [`PANEL_GROUPS`] groups of all rows of `x`, from `group` on: scale block after scale block, and in
/// each one pair of tokens after another. A last token without a second is paired with zeros.
#[target_feature(enable = "neon")]
fn arrange<'a, const PLANES: usize>(
    x: Q8Rows<'_>,
    group: usize,
    halves: bool,
    buffer: &'a mut [MaybeUninit<Pair<PLANES>>],
) -> &'a [Pair<PLANES>] {
    let tokens = x.rows() / PLANES;
    let pairs = tokens.div_ceil(2);
    let groups = PANEL_GROUPS.min(x.row_len() - group);
    let panel = &mut buffer[..pairs * groups * GROUP_BLOCKS];
    for pair in 0..pairs {
        for g in 0..groups {
            let planes: [[&Q8Group; 2]; PLANES] = from_fn(|plane| {
                [2 * pair, 2 * pair + 1].map(|token| match token < tokens {
                    true => &x.row(token * PLANES + plane)[group + g],
                    false => &Q8Group::ZERO,
                })
            });
            for (b, arranged) in pair_blocks(planes, halves).into_iter().enumerate() {
                panel[(g * GROUP_BLOCKS + b) * pairs + pair].write(arranged);
            }
        }
    }
    // SAFETY: the loops above wrote every pair of every scale block.
    unsafe { &*(panel as *const [MaybeUninit<Pair<PLANES>>] as *const [Pair<PLANES>]) }
}

/// The scale blocks of a group of two tokens.
#[target_feature(enable = "neon")]
#[inline]
fn pair_blocks<const PLANES: usize>(
    planes: [[&Q8Group; 2]; PLANES],
    halves: bool,
) -> [Pair<PLANES>; GROUP_BLOCKS] {
    // For each plane and each eight codes: those of the four blocks.
    let codes: [[[int8x16_t; GROUP_BLOCKS]; 4]; PLANES] = planes.map(|tokens| {
        from_fn(|eight| {
            // Words 0, 4, 1, 5, 2, 6, 3, 7 are in this order.
            let word = [0, 4, 1, 5][eight];
            let tokens = tokens.map(|x| {
                // SAFETY: the 128 codes are eight vectors.
                let words: [int32x4_t; 2] = unsafe {
                    [word, word + 2].map(|i| vld1q_s32(x.codes.as_ptr().add(16 * i).cast()))
                };
                // Of blocks 0 and 2, and of 1 and 3.
                [
                    vtrn1q_s32(words[0], words[1]),
                    vtrn2q_s32(words[0], words[1]),
                ]
                .map(|v| vreinterpretq_s64_s32(v))
            });
            let [first, second] = tokens;
            from_fn(|b| {
                vreinterpretq_s8_s64(match b / 2 {
                    0 => vtrn1q_s64(first[b % 2], second[b % 2]),
                    _ => vtrn2q_s64(first[b % 2], second[b % 2]),
                })
            })
        })
    });
    // SAFETY: four scales, and two times four sums.
    let (scales, mut sums) = unsafe {
        (
            planes[PLANES - 1].map(|x| vld1q_f32(x.scales.as_ptr())),
            [0, 4].map(|half| planes[0].map(|x| vld1q_f32(x.sums.as_ptr().add(half)))),
        )
    };
    if !halves {
        sums[0] = from_fn(|t| vaddq_f32(sums[0][t], sums[1][t]));
    }
    let scales = twice(scales);
    let sums = sums.map(|sums| twice(sums));
    from_fn(|b| Pair {
        codes: from_fn(|plane| from_fn(|eight| codes[plane][eight][b])),
        scales: scales[b],
        sums: [sums[0][b], sums[1][b]],
    })
}

/// For each of four blocks, whose numbers are in lanes: that of the first token, of the second, and both again.
#[target_feature(enable = "neon")]
#[inline]
fn twice([first, second]: [float32x4_t; 2]) -> [float32x4_t; GROUP_BLOCKS] {
    let both = [vtrn1q_f32(first, second), vtrn2q_f32(first, second)];
    from_fn(|b| {
        let both = vreinterpretq_f64_f32(both[b % 2]);
        vreinterpretq_f32_f64(match b / 2 {
            0 => vdupq_laneq_f64::<0>(both),
            _ => vdupq_laneq_f64::<1>(both),
        })
    })
}

/// Decodes a sub-block of a strip.
///
/// # Safety
/// That of [`Blocks`].
#[target_feature(enable = "neon")]
#[inline(never)]
unsafe fn decode<B: Blocks>(blocks: *const u8, sub_block: usize, columns: &mut Columns) {
    for pair in [0, 2] {
        // SAFETY: promised by the caller.
        let words = unsafe { [pair, pair + 1].map(|i| B::words(blocks, sub_block, i)) };
        // Words `pair` and `pair + 1`, then words `4 + pair` and `5 + pair`.
        for eight in 0..2 {
            for (r, codes) in columns.codes.iter_mut().enumerate() {
                let [a, b] = [0, 1].map(|i| vreinterpretq_s32_s8(words[i][eight][r / 2]));
                codes[2 * eight + pair / 2] = vreinterpretq_s8_s32(match r % 2 {
                    0 => vtrn1q_s32(a, b),
                    _ => vtrn2q_s32(a, b),
                });
            }
        }
    }
    // SAFETY: promised by the caller.
    let scales = unsafe { B::scales(blocks, sub_block) };
    for half in 0..=usize::from(has_halves::<B>()) {
        for r in 0..STRIP_ROWS / 2 {
            let two_rows = |v: float32x4_t| match r % 2 {
                0 => vtrn1q_f32(v, v),
                _ => vtrn2q_f32(v, v),
            };
            columns.scales[half][r] = two_rows(scales.scales[half][r / 2]);
            if B::HAS_MINIMUMS {
                columns.minimums[half][r] = two_rows(scales.minimums[half][r / 2]);
            }
        }
    }
}

/// Adds the products of 32 columns with the tokens' values.
///
/// # Safety
/// The CPU has `smmla`.
#[target_feature(enable = "neon")]
#[inline(never)]
unsafe fn add<const PLANES: usize, const HALVES: bool, const MINIMUMS: bool>(
    sums: &mut Sums,
    columns: &Columns,
    x: &[Pair<PLANES>],
) {
    for (half, sums) in sums.iter_mut().enumerate() {
        // Half of the rows, whose codes stay in registers.
        let row = |r: usize| half * STRIP_ROWS / 4 + r;
        let codes: [[int8x16_t; 4]; STRIP_ROWS / 4] = from_fn(|r| columns.codes[row(r)]);
        for (x, sums) in x.iter().zip(sums) {
            for half in 0..=usize::from(HALVES) {
                let eights = if HALVES { 2 * half..2 * half + 2 } else { 0..4 };
                let zeros = [vdupq_n_s32(0); STRIP_ROWS / 4];
                // SAFETY: promised by the caller.
                let mut dots = unsafe { dots_of(zeros, &codes, &x.codes[0], eights.clone()) };
                for x in &x.codes[1..] {
                    let steps = dots.map(|dots| vmulq_n_s32(dots, RESIDUAL_STEPS));
                    // SAFETY: promised by the caller.
                    dots = unsafe { dots_of(steps, &codes, x, eights.clone()) };
                }
                for (r, sum) in sums.iter_mut().enumerate() {
                    let scale = vmulq_f32(columns.scales[half][row(r)], x.scales);
                    *sum = vfmaq_f32(*sum, vcvtq_f32_s32(dots[r]), scale);
                }
            }
            if MINIMUMS {
                for half in 0..=usize::from(HALVES) {
                    for (r, sum) in sums.iter_mut().enumerate() {
                        *sum = vfmaq_f32(*sum, columns.minimums[half][row(r)], x.sums[half]);
                    }
                }
            }
        }
    }
}

/// Adds the products of some of the four times eight codes of half a strip with those of two tokens.
///
/// # Safety
/// The CPU has `smmla`.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn dots_of(
    mut dots: [int32x4_t; STRIP_ROWS / 4],
    codes: &[[int8x16_t; 4]; STRIP_ROWS / 4],
    x: &[int8x16_t; 4],
    eights: Range<usize>,
) -> [int32x4_t; STRIP_ROWS / 4] {
    for eight in eights {
        // SAFETY: promised by the caller.
        dots = from_fn(|r| unsafe { signed_dots_of_pairs(dots[r], codes[r][eight], x[eight]) });
    }
    dots
}

/// Puts the sums of a strip where the tile keeps them, from token and row `at` on.
#[target_feature(enable = "neon")]
fn store(sums: &Sums, tokens: usize, at: (usize, usize), out: &mut TileMut<'_>) {
    for t in 0..tokens {
        let mut rows = [0.0; STRIP_ROWS];
        for (r, rows) in rows.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let [a, b] = [0, 1].map(|i| sums[r / 2][t / 2][r % 2 * 2 + i]);
            let four = match t % 2 {
                0 => vtrn1q_f32(a, b),
                _ => vtrn2q_f32(a, b),
            };
            // SAFETY: four numbers.
            unsafe { vst1q_f32(rows.as_mut_ptr(), four) };
        }
        out.set_run(at.0 + t, at.1, &rows);
    }
}

/// The reverse of [`store`].
#[target_feature(enable = "neon")]
fn load(sums: &mut Sums, tokens: usize, at: (usize, usize), out: &TileMut<'_>) {
    for pair in 0..tokens.div_ceil(2) {
        let mut rows = [[0.0; STRIP_ROWS]; 2];
        for (t, rows) in (2 * pair..tokens).zip(&mut rows) {
            out.copy_run(at.0 + t, at.1, rows);
        }
        for r in 0..STRIP_ROWS / 4 {
            // SAFETY: sixteen numbers each.
            let [first, second] = rows
                .each_ref()
                .map(|rows| unsafe { vld1q_f32(rows.as_ptr().add(4 * r)) });
            let sums = &mut sums[r / 2][pair];
            sums[r % 2 * 2] = vtrn1q_f32(first, second);
            sums[r % 2 * 2 + 1] = vtrn2q_f32(first, second);
        }
    }
}
