//! How 128 weights of each format become a [`Group`].

use std::arch::aarch64::*;
use std::arch::asm;
use std::array::from_fn;

use super::{Blocks, Codes, Group};
use crate::dequantize::array_at;
use crate::format::Format;

/// The 16 bytes at `offset`.
#[target_feature(enable = "neon")]
#[inline]
pub(super) fn bytes_at(bytes: &[u8], offset: usize) -> uint8x16_t {
    let bytes: &[u8; 16] = array_at(bytes, offset);
    // SAFETY: 16 bytes.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// Half-precision numbers as single-precision ones.
#[target_feature(enable = "neon")]
#[inline]
pub(super) fn widen(halves: uint16x4_t) -> float32x4_t {
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
pub(super) fn interleave(halves: [[uint8x16_t; 4]; 2]) -> [int8x16_t; 8] {
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
pub(super) fn fifth_bits(bits: uint8x16_t, word: usize) -> int8x16_t {
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

pub(super) struct Q4_0;

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

pub(super) struct Q4_1;

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

pub(super) struct Q5_0;

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

pub(super) struct Q5_1;

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

pub(super) struct Q8_0;

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

pub(super) struct Q4K;

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

pub(super) struct Q5K;

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

pub(super) struct Q6K;

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
