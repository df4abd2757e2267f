//! Kernels for x86-64 with AVX2, FMA and F16C.
//!
//! **Products with 8-bit activations.** A format only has to say how 128 of its weights become a
//! [`Group`]: codes in the order of the activations (see [`crate::QuantizedActivations`]), and a
//! scale and a minimum for each lane. The rest is common. Up to four tokens multiply each group where
//! it is decoded; more share a panel of decoded groups. Both do the same operations in the same order
//! for each pair of row and token, so results do not depend on the size of the batch.
//!
//! **Products with `f32` activations.** Rows are dequantized, a piece at a time, to a panel on the
//! stack.

#![allow(
    clippy::indexing_slicing,
    reason = "rows come from `Cpu`, which checked the shapes; panels have fixed sizes"
)]

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use half::f16;

use crate::activations::{GROUP_LEN, Q8Row, Q8Rows, SCALE_LEN, SUM_LEN};
use crate::dequantize::dequantize_blocks;
use crate::format::Format;
use crate::kernels::{InstructionSet, MatmulQ8, Table};
use crate::tile::TileMut;

pub(crate) static TABLE: Table = Table {
    instruction_set: InstructionSet::Avx2,
    matmul_q8,
    matmul_f32,
    quantize_row,
    f16_to_f32,
    q8_0_to_f32,
    attention_scores,
    attention_mix,
};

/// Whether this CPU has what [`TABLE`] needs.
pub(crate) fn is_supported() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
}

fn matmul_q8(format: Format) -> Option<MatmulQ8> {
    Some(match format {
        Format::Q4_0 => multiply_q8::<Q4_0>,
        Format::Q4_1 => multiply_q8::<Q4_1>,
        Format::Q5_0 => multiply_q8::<Q5_0>,
        Format::Q5_1 => multiply_q8::<Q5_1>,
        Format::Q8_0 => multiply_q8::<Q8_0>,
        Format::Q4K => multiply_q8::<Q4K>,
        Format::Q5K => multiply_q8::<Q5K>,
        Format::Q6K => multiply_q8::<Q6K>,
        Format::F32 | Format::F16 | Format::BF16 => return None,
    })
}

/// 128 decoded weights. Their product with activations is, over the eight lanes, the sum of
/// `scale * activation_scale * (dot product of the lane's 16 codes) + minimum * activation_sum`.
#[derive(Clone, Copy)]
struct Group {
    codes: [__m256i; 4],
    scale: __m256,
    minimum: __m256,
}

/// How the codes of a format multiply with 8-bit codes of activations, which lie in -127..=127.
/// `pmaddubsw` adds two products to 16 bits with saturation, `paddw` wraps: neither may happen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Codes {
    /// 0..=31: four pairs of products can be added in 16 bits, 4 * 2 * 31 * 127 = 31,496.
    UpTo31,
    /// 0..=63: two pairs can, 2 * 2 * 63 * 127 = 32,004.
    UpTo63,
    /// -128..=127, as magnitude times signed activation: one pair is all, 2 * 128 * 127 = 32,512.
    Signed,
}

/// A block format, as the kernels of this file need it.
trait Blocks {
    const FORMAT: Format;
    const CODES: Codes;
    /// Whether `minimum` is ever other than zero.
    const HAS_MINIMUM: bool;
    /// What [`decode`](Self::decode) gives: one group for blocks of 32, two for blocks of 256.
    type Groups: AsRef<[Group]>;

    /// Decodes `Groups` from the consecutive blocks that hold them.
    ///
    /// # Safety
    /// The CPU has the instructions of this file, and the blocks can be read.
    unsafe fn decode(blocks: *const u8) -> Self::Groups;
}

/// Rows of a panel.
const PANEL_ROWS: usize = 16;
/// Groups of a row that a panel holds: with 16 rows 24 KB, which stay in the first-level cache.
const PANEL_GROUPS: usize = 8;

#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_q8<B: Blocks>(weights: &[u8], x: Q8Rows<'_>, mut out: TileMut<'_>) {
    let row_bytes = weights.len() / out.rows();
    assert_eq!(x.rows(), out.tokens());
    assert!(row_bytes * out.rows() == weights.len());
    // What the loads below rely on: a row has as many groups as the activations, rounded up.
    assert_eq!(groups_of::<B>(row_bytes), x.padded_cols() / GROUP_LEN);
    match x.rows() {
        1 => multiply_decoded::<B, 1>(weights, row_bytes, x, &mut out),
        2 => multiply_decoded::<B, 2>(weights, row_bytes, x, &mut out),
        3 => multiply_decoded::<B, 3>(weights, row_bytes, x, &mut out),
        4 => multiply_decoded::<B, 4>(weights, row_bytes, x, &mut out),
        _ => {
            for first in (0..out.rows()).step_by(PANEL_ROWS) {
                let rows = PANEL_ROWS.min(out.rows() - first);
                let weights = &weights[first * row_bytes..(first + rows) * row_bytes];
                multiply_panel::<B>(weights, row_bytes, x, first, &mut out);
            }
        }
    }
}

/// Groups of a row, the last one perhaps in part.
fn groups_of<B: Blocks>(row_bytes: usize) -> usize {
    let values = row_bytes / B::FORMAT.block_bytes() * B::FORMAT.block_len();
    values.div_ceil(GROUP_LEN)
}

/// Bytes that [`Blocks::decode`] reads.
const fn step_bytes<B: Blocks>() -> usize {
    let format = B::FORMAT;
    if format.block_len() < GROUP_LEN {
        GROUP_LEN / format.block_len() * format.block_bytes()
    } else {
        format.block_bytes()
    }
}

/// Rows times `TOKENS` tokens, each group multiplied as soon as it is decoded.
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_decoded<B: Blocks, const TOKENS: usize>(
    weights: &[u8],
    row_bytes: usize,
    x: Q8Rows<'_>,
    out: &mut TileMut<'_>,
) {
    let x: [Q8Row<'_>; TOKENS] = std::array::from_fn(|t| x.row(t));
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        // The neutral element of addition: a panel sets its first sum, even if that is -0.
        let mut totals = [-0.0; TOKENS];
        let mut accumulators = [_mm256_setzero_ps(); TOKENS];
        let mut group = 0;
        let steps = row.chunks_exact(step_bytes::<B>());
        let rest = steps.remainder();
        for step in steps {
            // SAFETY: `step` holds the blocks of one step.
            let decoded = unsafe { B::decode(step.as_ptr()) };
            for decoded in decoded.as_ref() {
                for t in 0..TOKENS {
                    // SAFETY: `multiply_q8` compared the lengths.
                    accumulators[t] =
                        unsafe { accumulate::<B>(accumulators[t], decoded, x[t], group) };
                }
                group += 1;
            }
            if group % PANEL_GROUPS == 0 {
                for t in 0..TOKENS {
                    totals[t] += sum_lanes(accumulators[t]);
                    accumulators[t] = _mm256_setzero_ps();
                }
            }
        }
        if !rest.is_empty() {
            for decoded in decode_rest::<B>(rest).as_ref() {
                for t in 0..TOKENS {
                    // SAFETY: as above.
                    accumulators[t] =
                        unsafe { accumulate::<B>(accumulators[t], decoded, x[t], group) };
                }
                group += 1;
            }
        }
        for t in 0..TOKENS {
            if group % PANEL_GROUPS != 0 {
                totals[t] += sum_lanes(accumulators[t]);
            }
            out.set(t, r, totals[t]);
        }
    }
}

/// Decodes the last blocks of a row that do not fill a group. The missing ones read as zeros.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn decode_rest<B: Blocks>(rest: &[u8]) -> B::Groups {
    let mut padded = [0; 256];
    assert!(step_bytes::<B>() <= padded.len());
    padded[..rest.len()].copy_from_slice(rest);
    // SAFETY: `padded` is long enough.
    unsafe { B::decode(padded.as_ptr()) }
}

/// Up to [`PANEL_ROWS`] rows, from row `first` of the tile on, times all tokens.
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_panel<B: Blocks>(
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
                // SAFETY: `step` holds the blocks of one step.
                let decoded = unsafe { B::decode(step.as_ptr()) };
                for (decoded, slot) in decoded.as_ref().iter().zip(&mut slots) {
                    slot.write(*decoded);
                }
            }
            if !rest.is_empty() {
                let decoded = decode_rest::<B>(rest);
                for (decoded, slot) in decoded.as_ref().iter().zip(slots) {
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
                1 => multiply_tokens::<B, 1>(rows, x, start, at, out),
                2 => multiply_tokens::<B, 2>(rows, x, start, at, out),
                3 => multiply_tokens::<B, 3>(rows, x, start, at, out),
                _ => multiply_tokens::<B, 4>(rows, x, start, at, out),
            }
        }
    }
}

/// Rows of decoded groups, which are group `start` and those after it, times `TOKENS` tokens. The
/// products are added to the tile from token and row `at` on, or set there for the first groups.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn multiply_tokens<'a, B: Blocks, const TOKENS: usize>(
    rows: impl Iterator<Item = &'a [Group]>,
    x: Q8Rows<'_>,
    start: usize,
    at: (usize, usize),
    out: &mut TileMut<'_>,
) {
    let (token, first) = at;
    let x: [Q8Row<'_>; TOKENS] = std::array::from_fn(|t| x.row(token + t));
    for (r, groups) in rows.enumerate() {
        let mut accumulators = [_mm256_setzero_ps(); TOKENS];
        for (i, group) in groups.iter().enumerate() {
            for t in 0..TOKENS {
                // SAFETY: `multiply_q8` compared the lengths.
                accumulators[t] =
                    unsafe { accumulate::<B>(accumulators[t], group, x[t], start + i) };
            }
        }
        for (t, accumulator) in accumulators.iter().enumerate() {
            let sum = sum_lanes(*accumulator);
            if start == 0 {
                out.set(token + t, first + r, sum);
            } else {
                out.add(token + t, first + r, sum);
            }
        }
    }
}

/// Adds the product of a group with group `index` of a row of activations.
///
/// # Safety
/// `x` must have that group.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn accumulate<B: Blocks>(
    accumulator: __m256,
    group: &Group,
    x: Q8Row<'_>,
    index: usize,
) -> __m256 {
    debug_assert!((index + 1) * GROUP_LEN <= x.codes.len());
    // SAFETY: codes, scales and sums of group `index` exist.
    let (codes, scales, sums) = unsafe {
        let codes: *const __m256i = x.codes.as_ptr().add(index * GROUP_LEN).cast();
        (
            [
                _mm256_loadu_si256(codes),
                _mm256_loadu_si256(codes.add(1)),
                _mm256_loadu_si256(codes.add(2)),
                _mm256_loadu_si256(codes.add(3)),
            ],
            _mm256_broadcast_ps(&_mm_loadu_ps(x.scales.as_ptr().add(index * 4))),
            _mm256_loadu_ps(x.sums.as_ptr().add(index * 8)),
        )
    };
    let ones = _mm256_set1_epi16(1);
    let dot = match B::CODES {
        Codes::UpTo31 => {
            let a = _mm256_maddubs_epi16(group.codes[0], codes[0]);
            let b = _mm256_maddubs_epi16(group.codes[1], codes[1]);
            let c = _mm256_maddubs_epi16(group.codes[2], codes[2]);
            let d = _mm256_maddubs_epi16(group.codes[3], codes[3]);
            let sum = _mm256_add_epi16(_mm256_add_epi16(a, b), _mm256_add_epi16(c, d));
            _mm256_madd_epi16(sum, ones)
        }
        Codes::UpTo63 => {
            let a = _mm256_maddubs_epi16(group.codes[0], codes[0]);
            let b = _mm256_maddubs_epi16(group.codes[1], codes[1]);
            let c = _mm256_maddubs_epi16(group.codes[2], codes[2]);
            let d = _mm256_maddubs_epi16(group.codes[3], codes[3]);
            _mm256_add_epi32(
                _mm256_madd_epi16(_mm256_add_epi16(a, b), ones),
                _mm256_madd_epi16(_mm256_add_epi16(c, d), ones),
            )
        }
        Codes::Signed => {
            let mut sum = _mm256_setzero_si256();
            for (weights, codes) in group.codes.iter().zip(codes) {
                let magnitudes = _mm256_abs_epi8(*weights);
                let signed = _mm256_sign_epi8(codes, *weights);
                let products = _mm256_maddubs_epi16(magnitudes, signed);
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(products, ones));
            }
            sum
        }
    };
    let scale = _mm256_mul_ps(group.scale, scales);
    let accumulator = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scale, accumulator);
    if B::HAS_MINIMUM {
        _mm256_fmadd_ps(group.minimum, sums, accumulator)
    } else {
        accumulator
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn sum_lanes(v: __m256) -> f32 {
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    let v = _mm_add_ss(v, _mm_movehdup_ps(v));
    _mm_cvtss_f32(v)
}

/// Transposes, within each 128-bit half, four vectors of four 32-bit words: vector `j` of the
/// result holds word `j` of each.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn transpose(v: [__m256i; 4]) -> [__m256i; 4] {
    let a = _mm256_unpacklo_epi32(v[0], v[1]);
    let b = _mm256_unpackhi_epi32(v[0], v[1]);
    let c = _mm256_unpacklo_epi32(v[2], v[3]);
    let d = _mm256_unpackhi_epi32(v[2], v[3]);
    [
        _mm256_unpacklo_epi64(a, c),
        _mm256_unpackhi_epi64(a, c),
        _mm256_unpacklo_epi64(b, d),
        _mm256_unpackhi_epi64(b, d),
    ]
}

/// The 32-bit words at the same offset of four consecutive blocks.
///
/// # Safety
/// They can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn words(first: *const u8, block_bytes: usize) -> __m128i {
    // SAFETY: promised by the caller.
    let [a, b, c, d] = unsafe { [0, 1, 2, 3].map(|i| _mm_loadu_si32(first.add(i * block_bytes))) };
    _mm_unpacklo_epi64(_mm_unpacklo_epi32(a, b), _mm_unpacklo_epi32(c, d))
}

/// The lower 16 bits of four words as half-precision numbers, in both halves of the result.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn lower_halves(words: __m128i) -> __m256 {
    let order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13);
    _mm256_cvtph_ps(_mm_shuffle_epi8(words, order))
}

/// The upper 16 bits of four words as half-precision numbers, in both halves of the result.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn upper_halves(words: __m128i) -> __m256 {
    let order = _mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, 2, 3, 6, 7, 10, 11, 14, 15);
    _mm256_cvtph_ps(_mm_shuffle_epi8(words, order))
}

/// The two half-precision numbers at `p`, in lanes 0 and 1. Two, because a load of 32 bits begins a
/// register anew, while one of 16 is compiled to an insertion that waits for what was there before.
///
/// # Safety
/// They can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn two_halves(p: *const u8) -> __m128 {
    // SAFETY: promised by the caller.
    _mm_cvtph_ps(unsafe { _mm_loadu_si32(p) })
}

/// The four bits of the codes of four 32-blocks, from their 16 bytes at `first` and every
/// `block_bytes` from there on.
///
/// # Safety
/// They can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn nibbles(first: *const u8, block_bytes: usize) -> [__m256i; 4] {
    // SAFETY: promised by the caller.
    let blocks = unsafe {
        [0, 1, 2, 3].map(|i| {
            _mm256_broadcastsi128_si256(_mm_loadu_si128(first.add(i * block_bytes).cast()))
        })
    };
    // Byte i holds values i and 16 + i: word j of the lower half of a block is in the low nibbles
    // of word j, word j of the upper half in its high nibbles.
    let shift = _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4);
    let mask = _mm256_set1_epi8(15);
    transpose(blocks).map(|v| _mm256_and_si256(_mm256_srlv_epi32(v, shift), mask))
}

/// Adds the fifth bits, 32 in a word for each of four 32-blocks, to their codes.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn add_fifth_bits(codes: [__m256i; 4], bits: __m128i) -> [__m256i; 4] {
    let bits = _mm256_srlv_epi32(
        _mm256_broadcastsi128_si256(bits),
        _mm256_setr_epi32(0, 0, 0, 0, 16, 16, 16, 16),
    );
    // Byte 0 of each word in its four bytes, and byte 1.
    let first = _mm256_set_epi64x(
        0x0c0c0c0c_08080808,
        0x04040404_00000000,
        0x0c0c0c0c_08080808,
        0x04040404_00000000,
    );
    let second = _mm256_add_epi8(first, _mm256_set1_epi8(1));
    let (first, second) = (
        _mm256_shuffle_epi8(bits, first),
        _mm256_shuffle_epi8(bits, second),
    );
    let low = _mm256_set1_epi32(0x08_04_02_01);
    let high = _mm256_set1_epi32(0x80_40_20_10_u32 as i32);
    let sixteen = _mm256_set1_epi8(16);
    let with = |codes, bytes, mask| {
        let set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, mask), mask);
        _mm256_or_si256(codes, _mm256_and_si256(set, sixteen))
    };
    [
        with(codes[0], first, low),
        with(codes[1], first, high),
        with(codes[2], second, low),
        with(codes[3], second, high),
    ]
}

struct Q4_0;

impl Blocks for Q4_0 {
    const FORMAT: Format = Format::Q4_0;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUM: bool = true;
    type Groups = [Group; 1];

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn decode(blocks: *const u8) -> [Group; 1] {
        // SAFETY: four blocks of 18 bytes; the words' upper halves are codes.
        let (codes, scale) =
            unsafe { (nibbles(blocks.add(2), 18), lower_halves(words(blocks, 18))) };
        [Group {
            codes,
            scale,
            minimum: _mm256_mul_ps(scale, _mm256_set1_ps(-8.0)),
        }]
    }
}

struct Q4_1;

impl Blocks for Q4_1 {
    const FORMAT: Format = Format::Q4_1;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUM: bool = true;
    type Groups = [Group; 1];

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn decode(blocks: *const u8) -> [Group; 1] {
        // SAFETY: four blocks of 20 bytes.
        let (codes, words) = unsafe { (nibbles(blocks.add(4), 20), words(blocks, 20)) };
        [Group {
            codes,
            scale: lower_halves(words),
            minimum: upper_halves(words),
        }]
    }
}

struct Q5_0;

impl Blocks for Q5_0 {
    const FORMAT: Format = Format::Q5_0;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUM: bool = true;
    type Groups = [Group; 1];

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn decode(blocks: *const u8) -> [Group; 1] {
        // SAFETY: four blocks of 22 bytes; the words' upper halves are fifth bits.
        let (codes, bits, scale) = unsafe {
            (
                nibbles(blocks.add(6), 22),
                words(blocks.add(2), 22),
                lower_halves(words(blocks, 22)),
            )
        };
        let codes = add_fifth_bits(codes, bits);
        [Group {
            codes,
            scale,
            minimum: _mm256_mul_ps(scale, _mm256_set1_ps(-16.0)),
        }]
    }
}

struct Q5_1;

impl Blocks for Q5_1 {
    const FORMAT: Format = Format::Q5_1;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUM: bool = true;
    type Groups = [Group; 1];

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn decode(blocks: *const u8) -> [Group; 1] {
        // SAFETY: four blocks of 24 bytes.
        let (codes, bits, words) = unsafe {
            (
                nibbles(blocks.add(8), 24),
                words(blocks.add(4), 24),
                words(blocks, 24),
            )
        };
        let codes = add_fifth_bits(codes, bits);
        [Group {
            codes,
            scale: lower_halves(words),
            minimum: upper_halves(words),
        }]
    }
}

struct Q8_0;

impl Blocks for Q8_0 {
    const FORMAT: Format = Format::Q8_0;
    const CODES: Codes = Codes::Signed;
    const HAS_MINIMUM: bool = false;
    type Groups = [Group; 1];

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn decode(blocks: *const u8) -> [Group; 1] {
        // SAFETY: four blocks of 34 bytes; the words' upper halves are codes.
        let (codes, scale) = unsafe {
            (
                [0, 1, 2, 3].map(|i| _mm256_loadu_si256(blocks.add(34 * i + 2).cast())),
                lower_halves(words(blocks, 34)),
            )
        };
        [Group {
            codes: transpose(codes),
            scale,
            minimum: _mm256_setzero_ps(),
        }]
    }
}

/// For each half of a Q4_K or Q5_K block, `d * scale` and `-dmin * minimum` of its four sub-blocks,
/// twice.
///
/// # Safety
/// The 16 bytes at `block` can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn scales_and_minimums(block: *const u8) -> [(__m256, __m256); 2] {
    // SAFETY: promised by the caller.
    let (halves, words) = unsafe {
        (
            two_halves(block),
            block.add(4).cast::<[u32; 3]>().read_unaligned(),
        )
    };
    let d = _mm256_broadcastss_ps(halves);
    let minus_dmin = _mm_xor_ps(_mm_movehdup_ps(halves), _mm_set1_ps(-0.0));
    let minus_dmin = _mm256_broadcastss_ps(minus_dmin);
    // Four packed numbers of 6 bits at a time; see `dequantize::scales_and_minimums`.
    const LOW_6: u32 = 0x3f3f_3f3f;
    const LOW_4: u32 = 0x0f0f_0f0f;
    const UPPER_2: u32 = 0x3030_3030;
    let [a, b, c] = words;
    let join = |first: u32, last: u32| (u64::from(last) << 32 | u64::from(first)) as i64;
    let scales = join(a & LOW_6, (c & LOW_4) | (a >> 2 & UPPER_2));
    let minimums = join(b & LOW_6, (c >> 4 & LOW_4) | (b >> 2 & UPPER_2));
    let float = |bytes: i64| _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes)));
    let scales = _mm256_mul_ps(float(scales), d);
    let minimums = _mm256_mul_ps(float(minimums), minus_dmin);
    [
        (
            _mm256_permute2f128_ps::<0x00>(scales, scales),
            _mm256_permute2f128_ps::<0x00>(minimums, minimums),
        ),
        (
            _mm256_permute2f128_ps::<0x11>(scales, scales),
            _mm256_permute2f128_ps::<0x11>(minimums, minimums),
        ),
    ]
}

/// The four bits of the codes of four sub-blocks of Q4_K or Q5_K, from 64 bytes: sub-blocks 0 and 1
/// are the nibbles of the first 32, sub-blocks 2 and 3 those of the others.
///
/// # Safety
/// The bytes can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn paired_nibbles(bytes: *const u8) -> [__m256i; 4] {
    // SAFETY: promised by the caller.
    let (a, b) = unsafe {
        (
            _mm256_loadu_si256(bytes.cast()),
            _mm256_loadu_si256(bytes.add(32).cast()),
        )
    };
    let (low, high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let shift = _mm256_setr_epi32(0, 4, 0, 4, 0, 4, 0, 4);
    let mask = _mm256_set1_epi8(15);
    [
        _mm256_unpacklo_epi32(low, low),
        _mm256_unpackhi_epi32(low, low),
        _mm256_unpacklo_epi32(high, high),
        _mm256_unpackhi_epi32(high, high),
    ]
    .map(|v| _mm256_and_si256(_mm256_srlv_epi32(v, shift), mask))
}

struct Q4K;

impl Blocks for Q4K {
    const FORMAT: Format = Format::Q4K;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUM: bool = true;
    type Groups = [Group; 2];

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn decode(block: *const u8) -> [Group; 2] {
        // SAFETY: one block of 144 bytes.
        let ([first, second], low, high) = unsafe {
            (
                scales_and_minimums(block),
                paired_nibbles(block.add(16)),
                paired_nibbles(block.add(80)),
            )
        };
        [
            Group {
                codes: low,
                scale: first.0,
                minimum: first.1,
            },
            Group {
                codes: high,
                scale: second.0,
                minimum: second.1,
            },
        ]
    }
}

struct Q5K;

impl Blocks for Q5K {
    const FORMAT: Format = Format::Q5K;
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUM: bool = true;
    type Groups = [Group; 2];

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn decode(block: *const u8) -> [Group; 2] {
        // SAFETY: one block of 176 bytes.
        let ([first, second], low, high, bits) = unsafe {
            (
                scales_and_minimums(block),
                paired_nibbles(block.add(48)),
                paired_nibbles(block.add(112)),
                _mm256_loadu_si256(block.add(16).cast()),
            )
        };
        // Word j of `bits` has the fifth bits of word j of all sub-blocks, sub-block s's in bit s of
        // each byte: to bit 4 with them.
        let up = _mm256_setr_epi32(4, 3, 2, 1, 4, 3, 2, 1);
        let down = _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3);
        let sixteen = _mm256_set1_epi8(16);
        let words = [
            _mm256_shuffle_epi32::<0b00_00_00_00>(bits),
            _mm256_shuffle_epi32::<0b01_01_01_01>(bits),
            _mm256_shuffle_epi32::<0b10_10_10_10>(bits),
            _mm256_shuffle_epi32::<0b11_11_11_11>(bits),
        ];
        let mut codes = [low, high];
        for j in 0..4 {
            let first = _mm256_and_si256(_mm256_sllv_epi32(words[j], up), sixteen);
            let second = _mm256_and_si256(_mm256_srlv_epi32(words[j], down), sixteen);
            codes[0][j] = _mm256_or_si256(codes[0][j], first);
            codes[1][j] = _mm256_or_si256(codes[1][j], second);
        }
        [
            Group {
                codes: codes[0],
                scale: first.0,
                minimum: first.1,
            },
            Group {
                codes: codes[1],
                scale: second.0,
                minimum: second.1,
            },
        ]
    }
}

struct Q6K;

impl Blocks for Q6K {
    const FORMAT: Format = Format::Q6K;
    const CODES: Codes = Codes::UpTo63;
    const HAS_MINIMUM: bool = true;
    type Groups = [Group; 2];

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn decode(block: *const u8) -> [Group; 2] {
        // SAFETY: one block of 210 bytes: d follows the last two scales.
        let (halves, scales) = unsafe {
            (
                two_halves(block.add(206)),
                _mm_loadu_si128(block.add(192).cast()),
            )
        };
        let d = _mm256_broadcastss_ps(_mm_movehdup_ps(halves));
        // Scales of 16 values: those of the four first halves, then those of the second halves.
        let order = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
        let scales = _mm_shuffle_epi8(scales, order);
        let first = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(scales));
        let second = _mm256_cvtepi8_epi32(_mm_unpackhi_epi64(scales, scales));
        let first = _mm256_mul_ps(first, d);
        let second = _mm256_mul_ps(_mm256_cvtepi32_ps(second), d);
        let offset = _mm256_set1_ps(-32.0);
        // SAFETY: 64 bytes of nibbles and 32 of upper bits for each half.
        let (low, high) = unsafe {
            (
                six_bit_codes(block, block.add(128)),
                six_bit_codes(block.add(64), block.add(160)),
            )
        };
        [
            Group {
                codes: low,
                scale: first,
                minimum: _mm256_mul_ps(first, offset),
            },
            Group {
                codes: high,
                scale: second,
                minimum: _mm256_mul_ps(second, offset),
            },
        ]
    }
}

/// The codes of half a Q6_K block, from its 64 bytes of nibbles and its 32 bytes of upper bits.
///
/// # Safety
/// The bytes can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn six_bit_codes(nibbles: *const u8, upper: *const u8) -> [__m256i; 4] {
    // SAFETY: promised by the caller.
    let (a, b, upper) = unsafe {
        (
            _mm256_loadu_si256(nibbles.cast()),
            _mm256_loadu_si256(nibbles.add(32).cast()),
            _mm256_loadu_si256(upper.cast()),
        )
    };
    // Sub-blocks 0 and 1 are the low nibbles of a and b, 2 and 3 the high ones. The upper bits of
    // word j of all four are in word j, two bits each.
    let (low, high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let nibbles = [
        _mm256_unpacklo_epi64(low, low),
        _mm256_unpackhi_epi64(low, low),
        _mm256_unpacklo_epi64(high, high),
        _mm256_unpackhi_epi64(high, high),
    ];
    let upper = [
        _mm256_shuffle_epi32::<0b00_00_00_00>(upper),
        _mm256_shuffle_epi32::<0b01_01_01_01>(upper),
        _mm256_shuffle_epi32::<0b10_10_10_10>(upper),
        _mm256_shuffle_epi32::<0b11_11_11_11>(upper),
    ];
    let shift = _mm256_setr_epi32(0, 0, 4, 4, 0, 0, 4, 4);
    let upper_shift = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    let (mask, upper_mask) = (_mm256_set1_epi8(15), _mm256_set1_epi8(3));
    let mut codes = [_mm256_setzero_si256(); 4];
    for ((code, nibbles), upper) in codes.iter_mut().zip(nibbles).zip(upper) {
        let nibbles = _mm256_and_si256(_mm256_srlv_epi32(nibbles, shift), mask);
        let upper = _mm256_and_si256(_mm256_srlv_epi32(upper, upper_shift), upper_mask);
        *code = _mm256_or_si256(nibbles, _mm256_slli_epi16::<4>(upper));
    }
    codes
}

/// Rows of a panel of dequantized weights.
const F32_ROWS: usize = 4;
/// Values of a row that the panel holds: 16 KB in all.
const F32_PIECE: usize = 1024;

#[target_feature(enable = "avx2,fma,f16c")]
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
        std::array::from_fn(|i| self.values[(first + i) * self.stride..][..len].as_ptr())
    }
}

/// Calls `each` with (index in `x`, index in `rows`, dot product of the first `len` values) for all
/// pairs. The order of operations of a pair does not depend on the others.
#[target_feature(enable = "avx2,fma,f16c")]
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

#[target_feature(enable = "avx2,fma,f16c")]
fn quantize_row(x: &[f32], codes: &mut [i8], scales: &mut [f32], sums: &mut [f32]) {
    let (blocks, _) = x.as_chunks::<SCALE_LEN>();
    let (codes, _) = codes.as_chunks_mut::<GROUP_LEN>();
    let (scales, _) = scales.as_chunks_mut::<{ GROUP_LEN / SCALE_LEN }>();
    let (sums, _) = sums.as_chunks_mut::<{ GROUP_LEN / SUM_LEN }>();
    for (((blocks, codes), scales), sums) in blocks.chunks(4).zip(codes).zip(scales).zip(sums) {
        let mut quantized = [_mm256_setzero_si256(); 4];
        *scales = [0.0; 4];
        for ((block, quantized), scale) in blocks.iter().zip(&mut quantized).zip(&mut *scales) {
            (*scale, *quantized) = quantize_block(block);
        }
        let mut pairs = _mm256_setzero_si256();
        for (vector, out) in transpose(quantized)
            .iter()
            .zip(codes.as_chunks_mut::<32>().0)
        {
            let sum = _mm256_maddubs_epi16(_mm256_set1_epi8(1), *vector);
            pairs = _mm256_add_epi16(pairs, sum);
            // SAFETY: 32 bytes.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), *vector) };
        }
        let lanes = _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        // SAFETY: 16 bytes in, 32 bytes out.
        unsafe {
            let scales = _mm256_broadcast_ps(&_mm_loadu_ps(scales.as_ptr()));
            _mm256_storeu_ps(sums.as_mut_ptr(), _mm256_mul_ps(scales, lanes));
        }
    }
}

/// The same bits as the scalar function's.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn quantize_block(x: &[f32; SCALE_LEN]) -> (f32, __m256i) {
    // SAFETY: 32 values.
    let x = unsafe { [0, 8, 16, 24].map(|i| _mm256_loadu_ps(x.as_ptr().add(i))) };
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
    let largest = _mm_cvtss_f32(_mm_castsi128_ps(largest));
    if !largest.is_finite() {
        return (f32::NAN, _mm256_setzero_si256());
    }
    let inverse = 127.0 / largest;
    if !inverse.is_finite() {
        return (0.0, _mm256_setzero_si256());
    }
    let rounded = x.map(|v| _mm256_cvtps_epi32(_mm256_mul_ps(v, _mm256_set1_ps(inverse))));
    let packed = _mm256_packs_epi16(
        _mm256_packs_epi32(rounded[0], rounded[1]),
        _mm256_packs_epi32(rounded[2], rounded[3]),
    );
    // Packing works on halves: words come out as 0 2 4 6 1 3 5 7.
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    (largest / 127.0, _mm256_permutevar8x32_epi32(packed, order))
}

#[target_feature(enable = "avx2,fma,f16c")]
fn f16_to_f32(x: &[f16], out: &mut [f32]) {
    let (eights, rest) = x.as_chunks::<8>();
    let (outs, rest_out) = out.as_chunks_mut::<8>();
    for (x, out) in eights.iter().zip(outs) {
        // SAFETY: 16 bytes in, 32 bytes out.
        unsafe { widen(x.as_ptr().cast(), out.as_mut_ptr()) };
    }
    for (x, out) in rest.iter().zip(rest_out) {
        *out = x.to_f32();
    }
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

#[target_feature(enable = "avx2,fma,f16c")]
fn attention_scores(queries: &[f32], keys: &[f32], dim: usize, out: &mut [f32]) {
    let positions = keys.len() / dim;
    let keys = Strided {
        values: keys,
        stride: dim,
        count: positions,
    };
    let queries = Strided {
        values: queries,
        stride: dim,
        count: queries.len() / dim,
    };
    each_dot(keys, queries, dim, |query, position, dot| {
        out[query * positions + position] = dot
    });
}

#[target_feature(enable = "avx2,fma,f16c")]
fn attention_mix(weights: &[f32], values: &[f32], dim: usize, out: &mut [f32]) {
    /// Values of the output that stay in registers: four vectors.
    const WIDTH: usize = 32;
    let positions = values.len() / dim;
    for (weights, out) in weights
        .chunks_exact(positions)
        .zip(out.chunks_exact_mut(dim))
    {
        let (wide, rest) = out.as_chunks_mut::<WIDTH>();
        for (i, out) in wide.iter_mut().enumerate() {
            // SAFETY: 32 values each.
            unsafe {
                let mut sums = [0, 8, 16, 24].map(|j| _mm256_loadu_ps(out.as_ptr().add(j)));
                for (weight, value) in weights.iter().zip(values.chunks_exact(dim)) {
                    let weight = _mm256_set1_ps(*weight);
                    let value = value[i * WIDTH..][..WIDTH].as_ptr();
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm256_fmadd_ps(weight, _mm256_loadu_ps(value.add(8 * j)), *sum);
                    }
                }
                for (j, sum) in sums.iter().enumerate() {
                    _mm256_storeu_ps(out.as_mut_ptr().add(8 * j), *sum);
                }
            }
        }
        let done = wide.len() * WIDTH;
        for (weight, value) in weights.iter().zip(values.chunks_exact(dim)) {
            for (out, v) in rest.iter_mut().zip(&value[done..]) {
                *out = weight.mul_add(*v, *out);
            }
        }
    }
}
