//! Products of interleaved rows: a vector holds four bytes of codes of each of sixteen rows, and is multiplied with four
//! codes of a token that every lane gets. Nothing is transposed, and scales are applied to sixteen rows at once.

#![allow(
    clippy::indexing_slicing,
    reason = "strips come from `Cpu`, which checked the shapes"
)]

use std::arch::x86_64::*;
use std::array::from_fn;

use crate::activations::{Q8Group, Q8Rows, RESIDUAL_STEPS, SCALE_LEN, interleaved};
use crate::avx2::strips::{bytes, packed_scale_and_minimum};
use crate::format::Format;
use crate::interleave::{STRIP_ROWS, TOKENS_OF_PAIRS, strips_of_product};
use crate::kernels::{MatmulQ8, kernel_for};
use crate::tile::TileMut;

/// The product with activations of `PLANES` rows of codes for each token, whose weights are prefetched `AHEAD`
/// bytes before they are needed, unless that is 0.
pub(super) fn matmul<const PLANES: usize, const AHEAD: usize>(format: Format) -> Option<MatmulQ8> {
    kernel_for!(format, multiply, PLANES, AHEAD)
}

/// Bytes that memory is read in.
const CACHE_LINE: usize = 64;

/// 32 weights of each row.
struct SubBlock {
    /// Words of four codes, not negative.
    codes: [__m512i; 8],
    /// Of the first 16 values, and of the others.
    scales: [__m512; 2],
    /// Is multiplied with the sums of activations, likewise.
    minimums: [__m512; 2],
}

/// A block format, as the kernels of this file need it.
trait Blocks {
    const FORMAT: Format;
    /// Whether the two halves of a sub-block have scales of their own.
    const HALVES: bool = false;
    /// Whether minimums are ever other than zero.
    const HAS_MINIMUM: bool = true;
    /// What the codes are too large by, and is taken off as an integer.
    const OFFSET: i8 = 0;

    /// Decodes a sub-block of the interleaved blocks.
    ///
    /// # Safety
    /// The CPU has the instructions of this file; [`STRIP_ROWS`] interleaved blocks can be read.
    unsafe fn decode(blocks: *const u8, sub_block: usize) -> SubBlock;
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
fn multiply<B: Blocks, const PLANES: usize, const AHEAD: usize>(
    weights: &[u8],
    x: Q8Rows<'_>,
    mut out: TileMut<'_>,
) {
    let mut strips = strips_of_product(B::FORMAT, PLANES, weights, x, &out).enumerate();
    while let Some((number, strip)) = strips.next() {
        let row = number * STRIP_ROWS;
        if out.tokens() >= TOKENS_OF_PAIRS
            && let Some((_, second)) = strips.next()
        {
            multiply_pair::<B, PLANES, AHEAD>([strip, second], x, row, &mut out);
            continue;
        }
        let mut token = 0;
        while token < out.tokens() {
            let at = (token, row);
            token += match out.tokens() - token {
                1 => multiply_tokens::<B, PLANES, AHEAD, 1>(strip, x, at, &mut out),
                2 => multiply_tokens::<B, PLANES, AHEAD, 2>(strip, x, at, &mut out),
                3 => multiply_tokens::<B, PLANES, AHEAD, 3>(strip, x, at, &mut out),
                4 => multiply_tokens::<B, PLANES, AHEAD, 4>(strip, x, at, &mut out),
                5 => multiply_tokens::<B, PLANES, AHEAD, 5>(strip, x, at, &mut out),
                // More only for the last strip of an odd number.
                _ => multiply_tokens::<B, PLANES, AHEAD, 6>(strip, x, at, &mut out),
            };
        }
    }
}

/// Brings sub-block `s` of the weights `AHEAD` bytes behind `blocks` into the cache, unless `AHEAD` is 0.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn prefetch<B: Blocks, const AHEAD: usize>(blocks: &[u8], s: usize) {
    if AHEAD > 0 {
        let bytes = STRIP_ROWS * B::FORMAT.block_bytes() * SCALE_LEN / B::FORMAT.block_len();
        for line in 0..bytes.div_ceil(CACHE_LINE) {
            let ahead = AHEAD + s * bytes + line * CACHE_LINE;
            _mm_prefetch::<_MM_HINT_T0>(blocks.as_ptr().wrapping_add(ahead).cast());
        }
    }
}

/// A strip times `TOKENS` tokens; the products go to the tile from token and row `at` on. The number of tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
fn multiply_tokens<B: Blocks, const PLANES: usize, const AHEAD: usize, const TOKENS: usize>(
    strip: &[u8],
    x: Q8Rows<'_>,
    at: (usize, usize),
    out: &mut TileMut<'_>,
) -> usize {
    let (token, row) = at;
    let x: [[&[Q8Group]; PLANES]; TOKENS] =
        from_fn(|t| from_fn(|plane| x.row((token + t) * PLANES + plane)));
    let mut sums = [[_mm512_setzero_ps()]; TOKENS];
    let sub_blocks = B::FORMAT.block_len() / SCALE_LEN;
    for (block, blocks) in strip
        .chunks_exact(STRIP_ROWS * B::FORMAT.block_bytes())
        .enumerate()
    {
        for s in 0..sub_blocks {
            prefetch::<B, AHEAD>(blocks, s);
            // SAFETY: sixteen interleaved blocks.
            let weights = [unsafe { B::decode(blocks.as_ptr(), s) }];
            let scale_block = block * sub_blocks + s;
            for t in 0..TOKENS {
                sums[t] = accumulate::<B, PLANES, 1>(sums[t], &weights, &x[t], scale_block);
            }
        }
    }
    for (t, [sums]) in sums.iter().enumerate() {
        store(*sums, token + t, row, out);
    }
    TOKENS
}

/// Tokens for which weights of two strips are decoded once, at most; their activations stay in the first-level cache.
const PAIR_TOKENS: usize = 32;

/// Two strips, which begin with row `row` of the tile, times all tokens. Activations are read once for both.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
fn multiply_pair<B: Blocks, const PLANES: usize, const AHEAD: usize>(
    strips: [&[u8]; 2],
    x: Q8Rows<'_>,
    row: usize,
    out: &mut TileMut<'_>,
) {
    let sub_blocks = B::FORMAT.block_len() / SCALE_LEN;
    let block_bytes = STRIP_ROWS * B::FORMAT.block_bytes();
    let passes = out.tokens().div_ceil(PAIR_TOKENS);
    let pass = out.tokens().div_ceil(passes);
    for first in (0..out.tokens()).step_by(pass) {
        let tokens = pass.min(out.tokens() - first);
        let mut sums = [[_mm512_setzero_ps(); 2]; PAIR_TOKENS];
        // Beyond the last token, the last one again, which nobody reads.
        let x: [[&[Q8Group]; PLANES]; PAIR_TOKENS] =
            from_fn(|t| from_fn(|plane| x.row((first + t.min(tokens - 1)) * PLANES + plane)));
        let blocks = strips.map(|strip| strip.chunks_exact(block_bytes));
        let [one, other] = blocks;
        for (block, (one, other)) in one.zip(other).enumerate() {
            for s in 0..sub_blocks {
                prefetch::<B, AHEAD>(one, s);
                prefetch::<B, AHEAD>(other, s);
                // SAFETY: sixteen interleaved blocks each.
                let weights = unsafe { [B::decode(one.as_ptr(), s), B::decode(other.as_ptr(), s)] };
                let scale_block = block * sub_blocks + s;
                for (sums, x) in sums[..tokens].iter_mut().zip(&x) {
                    *sums = accumulate::<B, PLANES, 2>(*sums, &weights, x, scale_block);
                }
            }
        }
        for (t, [one, other]) in sums[..tokens].iter().enumerate() {
            store(*one, first + t, row, out);
            store(*other, first + t, row + STRIP_ROWS, out);
        }
    }
}

/// Writes the products of sixteen rows, from `row` on, with a token.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn store(sums: __m512, token: usize, row: usize, out: &mut TileMut<'_>) {
    let mut rows = [0.0; STRIP_ROWS];
    // SAFETY: sixteen numbers.
    unsafe { _mm512_storeu_ps(rows.as_mut_ptr(), sums) };
    out.set_run(token, row, &rows);
}

/// Adds the products of the same sub-block of each strip with a token's 32 values of its columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn accumulate<B: Blocks, const PLANES: usize, const STRIPS: usize>(
    mut sums: [__m512; STRIPS],
    weights: &[SubBlock; STRIPS],
    x: &[&[Q8Group]; PLANES],
    scale_block: usize,
) -> [__m512; STRIPS] {
    let (group, block) = (scale_block / 4, scale_block % 4);
    let words_of_half = if B::HALVES { 4 } else { 8 };
    let scale = _mm512_set1_ps(x[PLANES - 1][group].scales[block]);
    for half in 0..8 / words_of_half {
        let mut totals = [_mm512_setzero_si512(); STRIPS];
        for (plane, x) in x.iter().enumerate() {
            if plane > 0 {
                for total in &mut totals {
                    *total = _mm512_mullo_epi32(*total, _mm512_set1_epi32(RESIDUAL_STEPS));
                }
            }
            let codes = x[group].codes.as_ptr();
            // Two sums, so that a product waits for every other one only: a CPU has few places for what waits.
            let mut dots = totals.map(|total| [total, _mm512_setzero_si512()]);
            let mut offsets = _mm512_setzero_si512();
            for word in half * words_of_half..(half + 1) * words_of_half {
                let place = interleaved(block * SCALE_LEN + 4 * word);
                // SAFETY: `interleaved` gives a place inside the group for every word.
                let codes =
                    _mm512_set1_epi32(unsafe { codes.add(place).cast::<i32>().read_unaligned() });
                for (dots, weights) in dots.iter_mut().zip(weights) {
                    let dots = &mut dots[word % 2];
                    *dots = _mm512_dpbusd_epi32(*dots, weights.codes[word], codes);
                }
                if B::OFFSET != 0 {
                    offsets = _mm512_dpbusd_epi32(offsets, _mm512_set1_epi8(B::OFFSET), codes);
                }
            }
            for (total, dots) in totals.iter_mut().zip(dots) {
                *total = _mm512_add_epi32(dots[0], dots[1]);
                if B::OFFSET != 0 {
                    *total = _mm512_sub_epi32(*total, offsets);
                }
            }
        }
        for ((sum, total), weights) in sums.iter_mut().zip(totals).zip(weights) {
            let scale = _mm512_mul_ps(weights.scales[half], scale);
            *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), scale, *sum);
        }
    }
    if B::HAS_MINIMUM {
        let x = &x[0][group];
        for (sum, weights) in sums.iter_mut().zip(weights) {
            if B::HALVES {
                let halves = [x.sums[block], x.sums[4 + block]];
                for (minimum, activations) in weights.minimums.into_iter().zip(halves) {
                    *sum = _mm512_fmadd_ps(minimum, _mm512_set1_ps(activations), *sum);
                }
            } else {
                let activations = _mm512_set1_ps(x.block_sums[block]);
                *sum = _mm512_fmadd_ps(weights.minimums[0], activations, *sum);
            }
        }
    }
    sums
}

/// Sixteen half-precision numbers.
///
/// # Safety
/// They can be read.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
unsafe fn halves(p: *const u8) -> __m512 {
    // SAFETY: promised by the caller.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(p.cast()) })
}

/// Word `i` of all rows.
///
/// # Safety
/// They can be read.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
unsafe fn words(p: *const u8, i: usize) -> __m512i {
    // SAFETY: promised by the caller.
    unsafe { _mm512_loadu_si512(p.add(64 * i).cast()) }
}

/// The codes of a block of 32 with 4 bits: words 0 to 3 are in low nibbles, 4 to 7 in high ones.
///
/// # Safety
/// Four words can be read.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
unsafe fn nibbles(p: *const u8) -> [__m512i; 8] {
    let mask = _mm512_set1_epi8(15);
    let mut codes = [_mm512_setzero_si512(); 8];
    for i in 0..4 {
        // SAFETY: promised by the caller.
        let both = unsafe { words(p, i) };
        codes[i] = _mm512_and_si512(both, mask);
        codes[4 + i] = _mm512_and_si512(_mm512_srli_epi16::<4>(both), mask);
    }
    codes
}

/// Adds the fifth bits of a block of 32, a word for each row, to its codes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn add_fifth_bits(codes: &mut [__m512i; 8], bits: __m512i) {
    for (word, code) in codes.iter_mut().enumerate() {
        // The byte that holds the word's four bits, four times, and a bit of it for each.
        let first = (word / 2) as i32 * 0x0101_0101;
        let rows = _mm512_setr4_epi32(0, 0x0404_0404, 0x0808_0808, 0x0c0c_0c0c);
        let byte = _mm512_shuffle_epi8(bits, _mm512_add_epi8(rows, _mm512_set1_epi32(first)));
        let bit = _mm512_set1_epi32(0x0804_0201_u32.wrapping_shl(4 * (word % 2) as u32) as i32);
        let set = _mm512_test_epi8_mask(byte, bit);
        *code = _mm512_mask_add_epi8(*code, set, *code, _mm512_set1_epi8(16));
    }
}

/// The scale of a block, and for the formats without one `offset` times it as minimum.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn block_of_32(codes: [__m512i; 8], scale: __m512, minimum: __m512) -> SubBlock {
    SubBlock {
        codes,
        scales: [scale; 2],
        minimums: [minimum; 2],
    }
}

struct Q4_0;

impl Blocks for Q4_0 {
    const FORMAT: Format = Format::Q4_0;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, _: usize) -> SubBlock {
        // SAFETY: scales, then four words.
        let (scale, codes) = unsafe { (halves(blocks), nibbles(blocks.add(32))) };
        block_of_32(codes, scale, _mm512_mul_ps(scale, _mm512_set1_ps(-8.0)))
    }
}

struct Q4_1;

impl Blocks for Q4_1 {
    const FORMAT: Format = Format::Q4_1;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, _: usize) -> SubBlock {
        // SAFETY: scales, minimums, then four words.
        unsafe {
            block_of_32(
                nibbles(blocks.add(64)),
                halves(blocks),
                halves(blocks.add(32)),
            )
        }
    }
}

struct Q5_0;

impl Blocks for Q5_0 {
    const FORMAT: Format = Format::Q5_0;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, _: usize) -> SubBlock {
        // SAFETY: scales, fifth bits, then four words.
        let (scale, bits, mut codes) = unsafe {
            (
                halves(blocks),
                words(blocks.add(32), 0),
                nibbles(blocks.add(96)),
            )
        };
        add_fifth_bits(&mut codes, bits);
        block_of_32(codes, scale, _mm512_mul_ps(scale, _mm512_set1_ps(-16.0)))
    }
}

struct Q5_1;

impl Blocks for Q5_1 {
    const FORMAT: Format = Format::Q5_1;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, _: usize) -> SubBlock {
        // SAFETY: scales, minimums, fifth bits, then four words.
        let (scale, minimum, bits, mut codes) = unsafe {
            (
                halves(blocks),
                halves(blocks.add(32)),
                words(blocks.add(64), 0),
                nibbles(blocks.add(128)),
            )
        };
        add_fifth_bits(&mut codes, bits);
        block_of_32(codes, scale, minimum)
    }
}

struct Q8_0;

impl Blocks for Q8_0 {
    const FORMAT: Format = Format::Q8_0;
    const HAS_MINIMUM: bool = false;
    /// -128 as an unsigned byte.
    const OFFSET: i8 = i8::MIN;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, _: usize) -> SubBlock {
        let offset = _mm512_set1_epi8(Self::OFFSET);
        let mut codes = [_mm512_setzero_si512(); 8];
        // SAFETY: scales, then eight words.
        unsafe {
            for (i, code) in codes.iter_mut().enumerate() {
                *code = _mm512_xor_si512(words(blocks.add(32), i), offset);
            }
            block_of_32(codes, halves(blocks), _mm512_setzero_ps())
        }
    }
}

/// The scale `d * scale` and the minimum `-dmin * minimum` of sub-block `s` of Q4_K and Q5_K.
///
/// # Safety
/// The first 256 bytes of the interleaved blocks can be read.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
unsafe fn scale_and_minimum(blocks: *const u8, s: usize) -> (__m512, __m512) {
    // SAFETY: two times sixteen numbers in half precision.
    let (d, dmin) = unsafe { (halves(blocks), halves(blocks.add(32))) };
    // SAFETY: then twelve times sixteen bytes.
    let (scale, minimum) = unsafe { packed_scale_and_minimum(blocks.add(64), s) };
    let scale = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(scale));
    let minimum = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(minimum));
    (
        _mm512_mul_ps(scale, d),
        _mm512_mul_ps(minimum, _mm512_sub_ps(_mm512_setzero_ps(), dmin)),
    )
}

/// The four bits of sub-block `s` of Q4_K and Q5_K: even ones are low nibbles, the next odd one the high ones.
///
/// # Safety
/// 32 words can be read.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
unsafe fn paired_nibbles(p: *const u8, s: usize) -> [__m512i; 8] {
    let (mask, shift) = (_mm512_set1_epi8(15), _mm_cvtsi32_si128(4 * (s % 2) as i32));
    let mut codes = [_mm512_setzero_si512(); 8];
    for (i, code) in codes.iter_mut().enumerate() {
        // SAFETY: promised by the caller.
        let both = unsafe { words(p, 8 * (s / 2) + i) };
        *code = _mm512_and_si512(_mm512_srl_epi16(both, shift), mask);
    }
    codes
}

struct Q4K;

impl Blocks for Q4K {
    const FORMAT: Format = Format::Q4K;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, s: usize) -> SubBlock {
        // SAFETY: 256 bytes of scales, then 32 words.
        let ((scale, minimum), codes) = unsafe {
            (
                scale_and_minimum(blocks, s),
                paired_nibbles(blocks.add(256), s),
            )
        };
        block_of_32(codes, scale, minimum)
    }
}

struct Q5K;

impl Blocks for Q5K {
    const FORMAT: Format = Format::Q5K;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, s: usize) -> SubBlock {
        // SAFETY: 256 bytes of scales, 8 words of fifth bits, then 32 words.
        let ((scale, minimum), mut codes) = unsafe {
            (
                scale_and_minimum(blocks, s),
                paired_nibbles(blocks.add(768), s),
            )
        };
        let bit = _mm512_set1_epi8((1_u8 << s) as i8);
        for (i, code) in codes.iter_mut().enumerate() {
            // SAFETY: as above.
            let set = _mm512_test_epi8_mask(unsafe { words(blocks.add(256), i) }, bit);
            *code = _mm512_mask_add_epi8(*code, set, *code, _mm512_set1_epi8(16));
        }
        block_of_32(codes, scale, minimum)
    }
}

struct Q6K;

impl Blocks for Q6K {
    const FORMAT: Format = Format::Q6K;
    const HALVES: bool = true;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, s: usize) -> SubBlock {
        // Sub-blocks 0 and 1 of a half are the low nibbles of its first and second 32 bytes, 2 and 3 the high ones;
        // two upper bits of each are side by side in a byte.
        let (half, quarter) = (s / 4, s % 4);
        let (mask, upper_mask) = (_mm512_set1_epi8(15), _mm512_set1_epi8(0x30));
        let shift = _mm_cvtsi32_si128(4 * (quarter / 2) as i32);
        let (up, down) = (4_i32 - 2 * quarter as i32, 2 * quarter as i32 - 4);
        let (up, down) = (_mm_cvtsi32_si128(up.max(0)), _mm_cvtsi32_si128(down.max(0)));
        let mut codes = [_mm512_setzero_si512(); 8];
        // SAFETY: 32 bytes of d, 256 of scales, 32 words of nibbles and 16 of upper bits.
        unsafe {
            let d = halves(blocks);
            let scale = |i: usize| {
                let scales = _mm512_cvtepi8_epi32(bytes(blocks.add(32 + 16 * (2 * s + i))));
                _mm512_mul_ps(_mm512_cvtepi32_ps(scales), d)
            };
            for (i, code) in codes.iter_mut().enumerate() {
                let nibbles = words(blocks.add(288), 16 * half + 8 * (quarter % 2) + i);
                let upper = words(blocks.add(288), 32 + 8 * half + i);
                let nibbles = _mm512_and_si512(_mm512_srl_epi16(nibbles, shift), mask);
                let upper = _mm512_srl_epi16(_mm512_sll_epi16(upper, up), down);
                *code = _mm512_or_si512(nibbles, _mm512_and_si512(upper, upper_mask));
            }
            let scales = [scale(0), scale(1)];
            let offset = _mm512_set1_ps(-32.0);
            SubBlock {
                codes,
                scales,
                minimums: [
                    _mm512_mul_ps(scales[0], offset),
                    _mm512_mul_ps(scales[1], offset),
                ],
            }
        }
    }
}
