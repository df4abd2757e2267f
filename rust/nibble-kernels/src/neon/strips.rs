//! Products of interleaved rows: a vector holds four codes of each of four rows, and is multiplied with four codes of
//! a token that every lane gets. Nothing is transposed, and scales are applied to four rows at once.

mod pairs;

use std::arch::aarch64::*;
use std::array::from_fn;

use super::blocks::{fifth_bits, widen};
use super::{Codes, signed_dot_of_lane};
use crate::activations::{Q8Group, Q8Rows, RESIDUAL_STEPS, SCALE_LEN};
use crate::format::Format;
use crate::interleave::{STRIP_ROWS, strips_of_product};
use crate::kernels::{MatmulQ8, kernel_for};
use crate::tile::TileMut;

/// The product with activations of `PLANES` rows of codes for each token. `DOT` says whether the CPU has `sdot`.
pub(super) fn matmul<const PLANES: usize, const DOT: bool>(format: Format) -> Option<MatmulQ8> {
    kernel_for!(format, multiply, PLANES, DOT)
}

/// The same for CPUs that have `smmla` too.
pub(super) fn matmul_by_pairs<const PLANES: usize>(format: Format) -> Option<MatmulQ8> {
    kernel_for!(format, multiply_by_pairs, PLANES)
}

/// A number for each row of a strip.
type Floats = [float32x4_t; 4];
/// Tokens for which it pays to arrange codes in pairs, with one plane and with two; see `docs/arm-cycles.md`.
const FEWEST_TOKENS: [usize; 2] = [8, 4];
/// Four codes of each row of a strip.
type Word = [int8x16_t; 4];

/// What the dot product of 32 codes of each row is multiplied with.
struct Scales {
    /// Of the first 16 values, and of the others.
    scales: [Floats; 2],
    /// Are multiplied with the sums of activations, likewise.
    minimums: [Floats; 2],
}

/// A block format, as the kernels of this file need it.
///
/// # Safety
/// Its functions read [`STRIP_ROWS`] interleaved blocks of the format, of which the caller promises that they are
/// there, and that the CPU has NEON. A block has `sub_block`s of 32 values.
trait Blocks {
    const FORMAT: Format;
    const CODES: Codes;
    /// Whether minimums are ever other than zero.
    const HAS_MINIMUMS: bool = true;

    unsafe fn scales(blocks: *const u8, sub_block: usize) -> Scales;

    /// Words `pair` and `4 + pair` of the eight of a sub-block: one of the first 16 values, one of the others.
    unsafe fn words(blocks: *const u8, sub_block: usize, pair: usize) -> [Word; 2];
}

#[target_feature(enable = "neon")]
fn multiply<B: Blocks, const PLANES: usize, const DOT: bool>(
    weights: &[u8],
    x: Q8Rows<'_>,
    mut out: TileMut<'_>,
) {
    let strips = strips_of_product(B::FORMAT, PLANES, weights, x, &out);
    for (strip, weights) in strips.enumerate() {
        let mut token = 0;
        while token < out.tokens() {
            let at = (token, strip * STRIP_ROWS);
            let left = out.tokens() - token;
            // So many that their sums stay in registers, of which `sdot` needs half.
            token += if const { !DOT && PLANES > 1 } || left == 1 {
                multiply_tokens::<B, PLANES, DOT, 1>(weights, x, at, &mut out)
            } else if const { !DOT || PLANES > 1 } || left < 4 {
                multiply_tokens::<B, PLANES, DOT, 2>(weights, x, at, &mut out)
            } else {
                multiply_tokens::<B, PLANES, DOT, 4>(weights, x, at, &mut out)
            };
        }
    }
}

/// # Safety
/// The CPU has `sdot` and `smmla`.
#[target_feature(enable = "neon")]
unsafe fn multiply_by_pairs<B: Blocks, const PLANES: usize>(
    weights: &[u8],
    x: Q8Rows<'_>,
    mut out: TileMut<'_>,
) {
    if out.tokens() < FEWEST_TOKENS[PLANES - 1] {
        return multiply::<B, PLANES, true>(weights, x, out);
    }
    let decoder = const { pairs::Decoder::of::<B>() };
    // SAFETY: promised by the caller.
    unsafe { pairs::multiply::<PLANES>(&decoder, weights, x, &mut out) }
}

/// A strip times `TOKENS` tokens; the products go to the tile from token and row `at` on. The number of tokens.
#[target_feature(enable = "neon")]
#[inline(never)]
fn multiply_tokens<B: Blocks, const PLANES: usize, const DOT: bool, const TOKENS: usize>(
    strip: &[u8],
    x: Q8Rows<'_>,
    at: (usize, usize),
    out: &mut TileMut<'_>,
) -> usize {
    let (token, row) = at;
    let x: [[&[Q8Group]; PLANES]; TOKENS] =
        from_fn(|t| from_fn(|plane| x.row((token + t) * PLANES + plane)));
    let mut sums = [[vdupq_n_f32(0.0); 4]; TOKENS];
    let sub_blocks = B::FORMAT.block_len() / SCALE_LEN;
    let blocks = strip.chunks_exact(STRIP_ROWS * B::FORMAT.block_bytes());
    for (block, blocks) in blocks.enumerate() {
        for s in 0..sub_blocks {
            let scale_block = block * sub_blocks + s;
            let x = from_fn(|t| from_fn(|plane| &x[t][plane][scale_block / 4]));
            let blocks = blocks.as_ptr();
            // The lane is part of the instruction.
            // SAFETY: sixteen interleaved blocks, and this function is NEON itself.
            sums = unsafe {
                match scale_block % 4 {
                    0 => accumulate::<B, PLANES, DOT, TOKENS, 0>(sums, blocks, s, x),
                    1 => accumulate::<B, PLANES, DOT, TOKENS, 1>(sums, blocks, s, x),
                    2 => accumulate::<B, PLANES, DOT, TOKENS, 2>(sums, blocks, s, x),
                    _ => accumulate::<B, PLANES, DOT, TOKENS, 3>(sums, blocks, s, x),
                }
            };
        }
    }
    for (t, sums) in sums.iter().enumerate() {
        let mut rows = [0.0; STRIP_ROWS];
        for (rows, sums) in rows.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            // SAFETY: four numbers.
            unsafe { vst1q_f32(rows.as_mut_ptr(), *sums) };
        }
        out.set_run(token + t, row, &rows);
    }
    TOKENS
}

/// Adds the products of a sub-block with the tokens' 32 values of the same columns, scale block `LANE` of `x`.
///
/// # Safety
/// That of [`Blocks`].
#[target_feature(enable = "neon")]
#[inline]
unsafe fn accumulate<
    B: Blocks,
    const PLANES: usize,
    const DOT: bool,
    const TOKENS: usize,
    const LANE: i32,
>(
    sums: [Floats; TOKENS],
    blocks: *const u8,
    sub_block: usize,
    x: [[&Q8Group; PLANES]; TOKENS],
) -> [Floats; TOKENS] {
    let second_half = usize::from(B::CODES == Codes::UpTo63);
    let mut dots = [[[Dots::ZERO; 2]; PLANES]; TOKENS];
    for pair in 0..4 {
        // SAFETY: promised by the caller.
        let words = unsafe { B::words(blocks, sub_block, pair) };
        for (dots, x) in dots.iter_mut().zip(x) {
            for (dots, x) in dots.iter_mut().zip(x) {
                // SAFETY: the 128 codes are eight vectors.
                let codes: [int8x16_t; 2] =
                    unsafe { from_fn(|i| vld1q_s8(x.codes.as_ptr().add(16 * (2 * pair + i)))) };
                dots[0].add::<DOT, LANE>(words[0], codes[0]);
                dots[second_half].add::<DOT, LANE>(words[1], codes[1]);
                if !DOT && B::CODES == Codes::Signed {
                    dots[0].widen();
                }
            }
        }
    }
    // SAFETY: promised by the caller.
    let scales = unsafe { B::scales(blocks, sub_block) };
    let mut sums = sums;
    for ((sums, dots), x) in sums.iter_mut().zip(dots).zip(x) {
        let scale = x[PLANES - 1].scales[LANE as usize];
        for half in 0..=second_half {
            let mut total = dots[0][half].total::<DOT>();
            for dots in &dots[1..] {
                let residual = dots[half].total::<DOT>();
                total = from_fn(|r| vmlaq_n_s32(residual[r], total[r], RESIDUAL_STEPS));
            }
            for (r, sum) in sums.iter_mut().enumerate() {
                let scale = vmulq_n_f32(scales.scales[half][r], scale);
                *sum = vfmaq_f32(*sum, vcvtq_f32_s32(total[r]), scale);
            }
        }
        if B::HAS_MINIMUMS {
            let of_half = [0, 4].map(|first| x[0].sums[first + LANE as usize]);
            if second_half == 1 {
                for (minimums, activations) in scales.minimums.into_iter().zip(of_half) {
                    *sums = from_fn(|r| vfmaq_n_f32(sums[r], minimums[r], activations));
                }
            } else {
                let activations = of_half[0] + of_half[1];
                *sums = from_fn(|r| vfmaq_n_f32(sums[r], scales.minimums[0][r], activations));
            }
        }
    }
    sums
}

/// Dot products of sixteen rows in the making.
#[derive(Clone, Copy)]
struct Dots {
    /// With `sdot` the first of each two is the sum of a row in each lane. Without, two neighbours of both are.
    wide: [[int32x4_t; 2]; 4],
    /// Without `sdot`: what is not in `wide` yet.
    narrow: [[int16x8_t; 2]; 4],
}

impl Dots {
    // SAFETY: vectors are numbers, for which all bits zero is zero.
    const ZERO: Dots = unsafe { std::mem::zeroed() };

    /// Adds the products of four codes of each row with lane `LANE` of `x`.
    #[target_feature(enable = "neon")]
    #[inline]
    fn add<const DOT: bool, const LANE: i32>(&mut self, codes: Word, x: int8x16_t) {
        if DOT {
            for (wide, codes) in self.wide.iter_mut().zip(codes) {
                // SAFETY: `DOT` says that the CPU has the instruction.
                wide[0] = unsafe { signed_dot_of_lane::<LANE>(wide[0], codes, x) };
            }
        } else {
            let x = vreinterpretq_s8_s32(vdupq_laneq_s32::<LANE>(vreinterpretq_s32_s8(x)));
            for (narrow, codes) in self.narrow.iter_mut().zip(codes) {
                narrow[0] = vmlal_s8(narrow[0], vget_low_s8(codes), vget_low_s8(x));
                narrow[1] = vmlal_high_s8(narrow[1], codes, x);
            }
        }
    }

    /// Makes room in the narrow sums; see [`Codes`].
    #[target_feature(enable = "neon")]
    #[inline]
    fn widen(&mut self) {
        for (wide, narrow) in self.wide.iter_mut().zip(&mut self.narrow) {
            *wide = from_fn(|i| vpadalq_s16(wide[i], narrow[i]));
            *narrow = [vdupq_n_s16(0); 2];
        }
    }

    /// The dot product of each row.
    #[target_feature(enable = "neon")]
    #[inline]
    fn total<const DOT: bool>(mut self) -> [int32x4_t; 4] {
        if DOT {
            self.wide.map(|wide| wide[0])
        } else {
            self.widen();
            self.wide.map(|wide| vpaddq_s32(wide[0], wide[1]))
        }
    }
}

/// Sixteen half-precision numbers.
///
/// # Safety
/// They can be read.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn halves(p: *const u8) -> Floats {
    // SAFETY: promised by the caller.
    from_fn(|r| widen(vreinterpret_u16_u8(unsafe { vld1_u8(p.add(8 * r)) })))
}

/// A byte of each row.
///
/// # Safety
/// Sixteen can be read.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn bytes(p: *const u8) -> uint8x16_t {
    // SAFETY: promised by the caller.
    unsafe { vld1q_u8(p) }
}

/// Sixteen signed bytes as numbers.
#[target_feature(enable = "neon")]
#[inline]
fn numbers(bytes: int8x16_t) -> Floats {
    let wide = [vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes)];
    from_fn(|r| {
        let wide = wide[r / 2];
        let half = if r % 2 == 0 {
            vmovl_s16(vget_low_s16(wide))
        } else {
            vmovl_high_s16(wide)
        };
        vcvtq_f32_s32(half)
    })
}

#[target_feature(enable = "neon")]
#[inline]
fn times(a: Floats, b: Floats) -> Floats {
    from_fn(|r| vmulq_f32(a[r], b[r]))
}

#[target_feature(enable = "neon")]
#[inline]
fn times_number(a: Floats, b: f32) -> Floats {
    from_fn(|r| vmulq_n_f32(a[r], b))
}

/// Word `i` of all rows.
///
/// # Safety
/// It can be read.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn word(p: *const u8, i: usize) -> [uint8x16_t; 4] {
    // SAFETY: promised by the caller.
    from_fn(|r| unsafe { vld1q_u8(p.add(64 * i + 16 * r)) })
}

#[target_feature(enable = "neon")]
#[inline]
fn signed(word: [uint8x16_t; 4]) -> Word {
    word.map(|codes| vreinterpretq_s8_u8(codes))
}

/// The lower four bits of each byte, and the upper ones.
#[target_feature(enable = "neon")]
#[inline]
fn nibbles(word: [uint8x16_t; 4]) -> [Word; 2] {
    [
        word.map(|both| vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15)))),
        word.map(|both| vreinterpretq_s8_u8(vshrq_n_u8::<4>(both))),
    ]
}

/// Sets bit 4 of the codes in whose place `set` has a bit of `bit`.
#[target_feature(enable = "neon")]
#[inline]
fn add_fifth_bits(codes: Word, set: [uint8x16_t; 4], bit: uint8x16_t) -> Word {
    from_fn(|r| {
        let sixteen = vandq_u8(vtstq_u8(set[r], bit), vdupq_n_u8(16));
        vorrq_s8(codes[r], vreinterpretq_s8_u8(sixteen))
    })
}

/// Adds the fifth bits of blocks of 32, a word of each row, to the codes of words `pair` and `4 + pair`.
#[target_feature(enable = "neon")]
#[inline]
fn add_fifth_bits_of_word(codes: [Word; 2], bits: [uint8x16_t; 4], pair: usize) -> [Word; 2] {
    from_fn(|i| from_fn(|r| vorrq_s8(codes[i][r], fifth_bits(bits[r], 4 * i + pair))))
}

/// One scale and one minimum for 32 values.
fn of_32(scales: Floats, minimums: Floats) -> Scales {
    Scales {
        scales: [scales; 2],
        minimums: [minimums; 2],
    }
}

struct Q4_0;

impl Blocks for Q4_0 {
    const FORMAT: Format = Format::Q4_0;
    const CODES: Codes = Codes::UpTo31;

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales come first.
        let scales = unsafe { halves(blocks) };
        of_32(scales, times_number(scales, -8.0))
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then four words.
        nibbles(unsafe { word(blocks.add(32), pair) })
    }
}

struct Q4_1;

impl Blocks for Q4_1 {
    const FORMAT: Format = Format::Q4_1;
    const CODES: Codes = Codes::UpTo31;

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales, then minimums.
        unsafe { of_32(halves(blocks), halves(blocks.add(32))) }
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then four words.
        nibbles(unsafe { word(blocks.add(64), pair) })
    }
}

struct Q5_0;

impl Blocks for Q5_0 {
    const FORMAT: Format = Format::Q5_0;
    const CODES: Codes = Codes::UpTo31;

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales come first.
        let scales = unsafe { halves(blocks) };
        of_32(scales, times_number(scales, -16.0))
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then fifth bits, then four words.
        let (bits, codes) = unsafe { (word(blocks.add(32), 0), word(blocks.add(96), pair)) };
        add_fifth_bits_of_word(nibbles(codes), bits, pair)
    }
}

struct Q5_1;

impl Blocks for Q5_1 {
    const FORMAT: Format = Format::Q5_1;
    const CODES: Codes = Codes::UpTo31;

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales, then minimums.
        unsafe { of_32(halves(blocks), halves(blocks.add(32))) }
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then fifth bits, then four words.
        let (bits, codes) = unsafe { (word(blocks.add(64), 0), word(blocks.add(128), pair)) };
        add_fifth_bits_of_word(nibbles(codes), bits, pair)
    }
}

struct Q8_0;

impl Blocks for Q8_0 {
    const FORMAT: Format = Format::Q8_0;
    const CODES: Codes = Codes::Signed;
    const HAS_MINIMUMS: bool = false;

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales come first.
        of_32(unsafe { halves(blocks) }, [vdupq_n_f32(0.0); 4])
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then eight words.
        [pair, 4 + pair].map(|i| signed(unsafe { word(blocks.add(32), i) }))
    }
}

/// The scale `d * scale` and the minimum `-dmin * minimum` of sub-block `s` of Q4_K and Q5_K.
///
/// # Safety
/// The first 256 bytes of the interleaved blocks can be read.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn scales_and_minimums(blocks: *const u8, s: usize) -> Scales {
    // SAFETY: two times sixteen numbers in half precision.
    let (d, dmin) = unsafe { (halves(blocks), halves(blocks.add(32))) };
    // SAFETY: then twelve times sixteen bytes.
    let packed = |i: usize| unsafe { bytes(blocks.add(64 + 16 * i)) };
    // Packed numbers of 6 bits; see `dequantize::scales_and_minimums`.
    let low_6 = |v| vandq_u8(v, vdupq_n_u8(0x3f));
    let (scales, minimums) = if s < 4 {
        (low_6(packed(s)), low_6(packed(s + 4)))
    } else {
        let both = packed(s + 4);
        let upper = |v| vandq_u8(vshrq_n_u8::<2>(v), vdupq_n_u8(0x30));
        (
            vorrq_u8(vandq_u8(both, vdupq_n_u8(0x0f)), upper(packed(s - 4))),
            vorrq_u8(vshrq_n_u8::<4>(both), upper(packed(s))),
        )
    };
    let [scales, minimums] = [scales, minimums].map(|v| numbers(vreinterpretq_s8_u8(v)));
    of_32(
        times(scales, d),
        times(minimums, dmin.map(|dmin| vnegq_f32(dmin))),
    )
}

/// The four bits of words `pair` and `4 + pair` of sub-block `s` of Q4_K and Q5_K: even sub-blocks are low nibbles, the
/// next odd one the high ones.
///
/// # Safety
/// 32 words can be read.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn paired_nibbles(p: *const u8, s: usize, pair: usize) -> [Word; 2] {
    let down = vdupq_n_s8(-4 * (s % 2) as i8);
    [pair, 4 + pair].map(|i| {
        // SAFETY: promised by the caller.
        let both = unsafe { word(p, 8 * (s / 2) + i) };
        both.map(|both| vreinterpretq_s8_u8(vandq_u8(vshlq_u8(both, down), vdupq_n_u8(15))))
    })
}

struct Q4K;

impl Blocks for Q4K {
    const FORMAT: Format = Format::Q4K;
    const CODES: Codes = Codes::UpTo31;

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn scales(blocks: *const u8, s: usize) -> Scales {
        // SAFETY: 256 bytes of scales.
        unsafe { scales_and_minimums(blocks, s) }
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn words(blocks: *const u8, s: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then 32 words.
        unsafe { paired_nibbles(blocks.add(256), s, pair) }
    }
}

struct Q5K;

impl Blocks for Q5K {
    const FORMAT: Format = Format::Q5K;
    const CODES: Codes = Codes::UpTo31;

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn scales(blocks: *const u8, s: usize) -> Scales {
        // SAFETY: 256 bytes of scales.
        unsafe { scales_and_minimums(blocks, s) }
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn words(blocks: *const u8, s: usize, pair: usize) -> [Word; 2] {
        let bit = vdupq_n_u8(1 << s);
        // SAFETY: then 8 words of fifth bits, and 32 words.
        let (codes, bits) = unsafe {
            (
                paired_nibbles(blocks.add(768), s, pair),
                [pair, 4 + pair].map(|i| word(blocks.add(256), i)),
            )
        };
        from_fn(|i| add_fifth_bits(codes[i], bits[i], bit))
    }
}

struct Q6K;

impl Blocks for Q6K {
    const FORMAT: Format = Format::Q6K;
    const CODES: Codes = Codes::UpTo63;

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn scales(blocks: *const u8, s: usize) -> Scales {
        // SAFETY: 32 bytes of d, 256 of scales.
        let (d, scales) = unsafe {
            (
                halves(blocks),
                [2 * s, 2 * s + 1].map(|i| bytes(blocks.add(32 + 16 * i))),
            )
        };
        let scales = scales.map(|scales| times(numbers(vreinterpretq_s8_u8(scales)), d));
        Scales {
            scales,
            minimums: scales.map(|scales| times_number(scales, -32.0)),
        }
    }

    #[target_feature(enable = "neon")]
    #[inline]
    unsafe fn words(blocks: *const u8, s: usize, pair: usize) -> [Word; 2] {
        // Sub-blocks 0 and 1 of a half are the low nibbles of its first and second 32 bytes, 2 and 3 the high ones;
        // two upper bits of each are side by side in a byte.
        let (half, quarter) = (s / 4, s % 4);
        let down = vdupq_n_s8(-4 * (quarter / 2) as i8);
        let up = vdupq_n_s8(4 - 2 * quarter as i8);
        [pair, 4 + pair].map(|i| {
            // SAFETY: 288 bytes of scales, 32 words of nibbles and 16 of upper bits.
            let (nibbles, upper) = unsafe {
                (
                    word(blocks.add(288), 16 * half + 8 * (quarter % 2) + i),
                    word(blocks.add(288), 32 + 8 * half + i),
                )
            };
            from_fn(|r| {
                let nibble = vandq_u8(vshlq_u8(nibbles[r], down), vdupq_n_u8(15));
                let upper = vandq_u8(vshlq_u8(upper[r], up), vdupq_n_u8(0x30));
                vreinterpretq_s8_u8(vorrq_u8(nibble, upper))
            })
        })
    }
}
