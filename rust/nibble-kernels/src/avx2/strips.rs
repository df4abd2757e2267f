//! Products of interleaved rows: a vector holds codes of eight rows, and is multiplied with codes of a token that every
//! lane gets. Nothing is transposed, and scales are applied to eight rows at once.
//!
//! With residuals, activations are joined to 16 bits beforehand, and multiplied two in a lane by `pmaddwd` with codes
//! that are widened: two instructions for a vector of products and their sum, where two products of 8 bits take more.
//! `pmaddubsw` multiplies 8-bit activations with codes that have no sign; those that have one are widened as well.
//!
//! Functions with a parameter `VNNI` use `vpdpbusd` and `vpdpwssd` where it is set, which multiply and add to lanes of 32
//! bits at once.

use std::arch::asm;
use std::arch::x86_64::*;
use std::array::from_fn;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::{code_vectors, lane_sums};
use crate::activations::{GROUP_LEN, Q8Group, Q8Rows, RESIDUAL_STEPS, SCALE_LEN};
use crate::format::Format;
use crate::interleave::{STRIP_ROWS, strips_of_product};
use crate::kernels::{MatmulQ8, kernel_for};
use crate::tile::TileMut;

/// The product with activations of `PLANES` rows of codes for each token.
pub(super) fn matmul<const PLANES: usize, const VNNI: bool>(format: Format) -> Option<MatmulQ8> {
    kernel_for!(format, multiply, PLANES, VNNI)
}

/// How far ahead weights are prefetched, where they are, in bytes: a whole page, so that its address is translated by then.
const PREFETCH_AHEAD: usize = 4096;
/// Bytes that memory is read in.
pub(crate) const CACHE_LINE: usize = 64;

/// Brings the weights `ahead` bytes behind sub-block `s` of the interleaved `blocks` into the cache, as many as it has.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn prefetch(format: Format, blocks: &[u8], s: usize, ahead: usize) {
    let bytes = STRIP_ROWS * format.block_bytes() * SCALE_LEN / format.block_len();
    for line in 0..bytes.div_ceil(CACHE_LINE) {
        let ahead = ahead + s * bytes + line * CACHE_LINE;
        _mm_prefetch::<_MM_HINT_T0>(blocks.as_ptr().wrapping_add(ahead).cast());
    }
}

/// A number for each row of a strip.
type Floats = [__m256; 2];
/// Four codes of each row of a strip.
type Word = [__m256i; 2];

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
/// there, and that the CPU has the instructions of this file. A block has `sub_block`s of 32 values.
trait Blocks {
    const FORMAT: Format;
    /// Whether the two halves of a sub-block have scales of their own.
    const HALVES: bool = false;
    /// Whether minimums are ever other than zero.
    const HAS_MINIMUMS: bool = true;
    /// The largest code, where codes have no sign.
    const LARGEST_CODE: Option<usize>;

    unsafe fn scales(blocks: *const u8, sub_block: usize) -> Scales;

    /// Words `pair` and `4 + pair` of the eight of a sub-block, one of each half; where halves have scales of their own,
    /// words `2 * pair` and `2 * pair + 1`, two of one half.
    unsafe fn words(blocks: *const u8, sub_block: usize, pair: usize) -> [Word; 2];
}

/// 128 values of a row of activations, as the kernels of this file multiply with them.
#[repr(C, align(32))]
struct Prepared {
    /// What lanes of codes are multiplied with, in the lanes of a [`Q8Group`]: vectors `2 * w` and `2 * w + 1` are
    /// words `w` and `4 + w` of its four blocks, widened. Where codes are not widened, vector `w` is both as they are.
    values: [[i32; 8]; 8],
    /// What a value stands for, for each block.
    scales: [f32; GROUP_LEN / SCALE_LEN],
    /// What minimums are multiplied with: of the first halves of blocks, then of the second ones.
    sums: [f32; 8],
}

impl Prepared {
    /// A lane of a vector of values in every lane.
    ///
    /// # Safety
    /// Both are less than eight.
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn lanes(&self, vector: usize, lane: usize) -> __m256i {
        // SAFETY: promised by the caller.
        let value = unsafe { *self.values.as_ptr().cast::<i32>().add(8 * vector + lane) };
        _mm256_set1_epi32(value)
    }
}

/// Groups of a token that are prepared at a time: those of four tokens stay in the first-level cache.
const PANEL_GROUPS: usize = 16;

#[target_feature(enable = "avx2,fma,f16c")]
fn multiply<B: Blocks, const PLANES: usize, const VNNI: bool>(
    weights: &[u8],
    x: Q8Rows<'_>,
    mut out: TileMut<'_>,
) {
    let strips = strips_of_product(B::FORMAT, PLANES, weights, x, &out);
    let mut token = 0;
    while token < out.tokens() {
        let strips = strips.clone();
        token += match out.tokens() - token {
            1 => multiply_tokens::<B, PLANES, VNNI, 1>(strips, x, token, &mut out),
            2 => multiply_tokens::<B, PLANES, VNNI, 2>(strips, x, token, &mut out),
            3 | 5 | 6 => multiply_tokens::<B, PLANES, VNNI, 3>(strips, x, token, &mut out),
            _ => multiply_tokens::<B, PLANES, VNNI, 4>(strips, x, token, &mut out),
        };
    }
}

/// All strips times `TOKENS` tokens, from `token` on. The number of tokens.
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_tokens<'a, B: Blocks, const PLANES: usize, const VNNI: bool, const TOKENS: usize>(
    strips: impl Iterator<Item = &'a [u8]> + Clone,
    x: Q8Rows<'_>,
    token: usize,
    out: &mut TileMut<'_>,
) -> usize {
    let x: [[&[Q8Group]; PLANES]; TOKENS] =
        from_fn(|t| from_fn(|plane| x.row((token + t) * PLANES + plane)));
    let mut panel = [const { [const { MaybeUninit::<Prepared>::uninit() }; TOKENS] }; PANEL_GROUPS];
    let block_bytes = STRIP_ROWS * B::FORMAT.block_bytes();
    let piece_bytes = PANEL_GROUPS * GROUP_LEN / B::FORMAT.block_len() * block_bytes;
    for (piece, start) in (0..x[0][0].len()).step_by(PANEL_GROUPS).enumerate() {
        let groups = PANEL_GROUPS.min(x[0][0].len() - start);
        for (i, slots) in panel[..groups].iter_mut().enumerate() {
            for (slot, x) in slots.iter_mut().zip(&x) {
                slot.write(prepared::<B, PLANES>(x, start + i));
            }
        }
        // SAFETY: the loop above wrote these.
        let panel = unsafe { &*(&raw const panel[..groups] as *const [[Prepared; TOKENS]]) };
        for (strip, weights) in strips.clone().enumerate() {
            let weights = &weights[piece * piece_bytes..];
            let weights = &weights[..piece_bytes.min(weights.len())];
            let sums = multiply_strip::<B, PLANES, VNNI, TOKENS>(weights, panel);
            for (t, sums) in sums.iter().enumerate() {
                let mut rows = [0.0; STRIP_ROWS];
                for (rows, sums) in rows.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
                    // SAFETY: eight numbers.
                    unsafe { _mm256_storeu_ps(rows.as_mut_ptr(), *sums) };
                }
                let first = strip * STRIP_ROWS;
                if piece == 0 {
                    out.set_run(token + t, first, &rows);
                } else {
                    for (r, sum) in rows.iter().enumerate() {
                        out.add(token + t, first + r, *sum);
                    }
                }
            }
        }
    }
    TOKENS
}

/// Whether codes of weights and activations are multiplied as 16 bits.
const fn widens<B: Blocks, const PLANES: usize>() -> bool {
    PLANES > 1 || B::LARGEST_CODE.is_none()
}

/// Group `group` of activations, its codes joined with their residuals if there are two `PLANES`.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn prepared<B: Blocks, const PLANES: usize>(x: &[&[Q8Group]; PLANES], group: usize) -> Prepared {
    let mut values = [[0; 8]; 8];
    for (plane, x) in x.iter().enumerate() {
        for (w, codes) in code_vectors(&x[group]).into_iter().enumerate() {
            if !const { widens::<B, PLANES>() } {
                // SAFETY: eight lanes.
                unsafe { _mm256_storeu_si256(values[w].as_mut_ptr().cast(), codes) };
                continue;
            }
            let values = &mut values[2 * w..2 * w + 2];
            for (codes, values) in widened(codes, true).into_iter().zip(values) {
                let values = values.as_mut_ptr().cast();
                // SAFETY: eight lanes, which hold codes when there are residuals for them.
                unsafe {
                    let mut joined = codes;
                    if plane > 0 {
                        let steps = _mm256_set1_epi16(RESIDUAL_STEPS as i16);
                        let before = _mm256_mullo_epi16(_mm256_loadu_si256(values), steps);
                        // At most 127 * 254 + 127, which is less than 2^15.
                        joined = _mm256_add_epi16(before, codes);
                    }
                    _mm256_storeu_si256(values, joined);
                }
            }
        }
    }
    let mut sums = x[0][group].sums;
    if B::HAS_MINIMUMS && !B::HALVES {
        let both = lane_sums(&x[0][group]);
        let both = _mm256_add_ps(both, _mm256_permute2f128_ps::<0x01>(both, both));
        // SAFETY: eight numbers.
        unsafe { _mm256_storeu_ps(sums.as_mut_ptr(), both) };
    }
    Prepared {
        values,
        scales: x[PLANES - 1][group].scales,
        sums,
    }
}

/// Codes of 8 bits, which may be `signed`, as 16: bytes 0 and 2 of each lane, then bytes 1 and 3.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn widened(codes: __m256i, signed: bool) -> [__m256i; 2] {
    if signed {
        [
            _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(codes)),
            _mm256_srai_epi16::<8>(codes),
        ]
    } else {
        [
            _mm256_and_si256(codes, _mm256_set1_epi16(0xff)),
            _mm256_srli_epi16::<8>(codes),
        ]
    }
}

/// Whole blocks of a strip times as many groups of `TOKENS` tokens.
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_strip<B: Blocks, const PLANES: usize, const VNNI: bool, const TOKENS: usize>(
    weights: &[u8],
    panel: &[[Prepared; TOKENS]],
) -> [Floats; TOKENS] {
    let mut sums = [[_mm256_setzero_ps(); 2]; TOKENS];
    let sub_blocks = B::FORMAT.block_len() / SCALE_LEN;
    let blocks = weights.chunks_exact(STRIP_ROWS * B::FORMAT.block_bytes());
    let mut pairs = if B::HALVES { 2 } else { 4 };
    if TOKENS > 1 {
        // The compiler must not know, or it unrolls the loop and orders it so that registers do not suffice.
        pairs = black_box(pairs);
    }
    for (block, blocks) in blocks.enumerate() {
        for s in 0..sub_blocks {
            let scale_block = block * sub_blocks + s;
            let (x, lane) = (&panel[scale_block / 4], scale_block % 4);
            if VNNI {
                // CPUs that have it and no AVX-512 are Intel's, whose own prefetchers do not keep up.
                prefetch(B::FORMAT, blocks, s, PREFETCH_AHEAD);
            }
            let blocks = blocks.as_ptr();
            // SAFETY: sixteen interleaved blocks; this function has the instructions itself, and `VNNI` is set only in a
            // table for CPUs that have it.
            unsafe {
                let scales = B::scales(blocks, s);
                let first = dots::<B, PLANES, VNNI, TOKENS>(blocks, s, x, lane, 0..pairs);
                scale::<B, TOKENS>(&mut sums, first, &scales, x, 0, lane);
                if B::HALVES {
                    let second = dots::<B, PLANES, VNNI, TOKENS>(blocks, s, x, lane, 2..2 + pairs);
                    scale::<B, TOKENS>(&mut sums, second, &scales, x, 1, lane);
                }
            }
        }
    }
    sums
}

/// The dot products of some pairs of words of a sub-block with the tokens' values of block `lane`.
///
/// # Safety
/// That of [`Blocks`], with `VNNI` also that the CPU has AVX-VNNI; `lane` and pairs are less than four.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn dots<B: Blocks, const PLANES: usize, const VNNI: bool, const TOKENS: usize>(
    blocks: *const u8,
    sub_block: usize,
    x: &[Prepared; TOKENS],
    lane: usize,
    pairs: Range<usize>,
) -> [[__m256i; 2]; TOKENS] {
    let mut dots = [[_mm256_setzero_si256(); 2]; TOKENS];
    let ones = _mm256_set1_epi16(1);
    for pair in pairs {
        // SAFETY: promised by the caller.
        let words = unsafe { B::words(blocks, sub_block, pair) };
        // Where the values of both words are.
        let (vectors, lanes) = match B::HALVES {
            true => {
                let (vector, lane) = (2 * (pair % 2), 4 * (pair / 2) + lane);
                ([vector, vector + 1], [lane; 2])
            }
            false => ([pair; 2], [lane, 4 + lane]),
        };
        if const { widens::<B, PLANES>() } {
            for i in 0..2 {
                let [first, second] = words[i];
                let signed = B::LARGEST_CODE.is_none();
                let codes = [widened(first, signed), widened(second, signed)];
                for parity in 0..2 {
                    for (dots, x) in dots.iter_mut().zip(x) {
                        // SAFETY: `vectors` are less than four, and `lanes` less than eight.
                        let x = unsafe { x.lanes(2 * vectors[i] + parity, lanes[i]) };
                        for (dot, codes) in dots.iter_mut().zip(codes) {
                            *dot = if VNNI {
                                // SAFETY: promised by the caller.
                                unsafe { dots_of_16_bits(*dot, codes[parity], x) }
                            } else {
                                _mm256_add_epi32(*dot, _mm256_madd_epi16(codes[parity], x))
                            };
                        }
                    }
                }
            }
        } else {
            for (dots, x) in dots.iter_mut().zip(x) {
                // SAFETY: as above.
                let x = unsafe { [x.lanes(vectors[0], lanes[0]), x.lanes(vectors[1], lanes[1])] };
                for (r, dot) in dots.iter_mut().enumerate() {
                    if VNNI {
                        // SAFETY: promised by the caller.
                        *dot = unsafe { dots_of_8_bits(*dot, words[0][r], x[0]) };
                        // SAFETY: as above.
                        *dot = unsafe { dots_of_8_bits(*dot, words[1][r], x[1]) };
                        continue;
                    }
                    let sum = _mm256_add_epi16(
                        _mm256_maddubs_epi16(words[0][r], x[0]),
                        _mm256_maddubs_epi16(words[1][r], x[1]),
                    );
                    *dot = if const { sums_fit_16_bits::<B>() } {
                        _mm256_add_epi16(*dot, sum)
                    } else {
                        _mm256_add_epi32(*dot, _mm256_madd_epi16(sum, ones))
                    };
                }
            }
        }
    }
    if const { !VNNI && !widens::<B, PLANES>() && sums_fit_16_bits::<B>() } {
        for dot in dots.as_flattened_mut() {
            *dot = _mm256_madd_epi16(*dot, ones);
        }
    }
    dots
}

/// Adds to each lane the dot product of four codes without and four with a sign.
///
/// # Safety
/// The CPU has AVX-VNNI.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn dots_of_8_bits(dots: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
    let mut dots = dots;
    // The intrinsic can be inlined only to functions that need AVX-VNNI, which these do not without the parameter.
    // SAFETY: the caller promised the instruction, which does nothing but compute.
    unsafe {
        asm!(
            "{{vex}} vpdpbusd {dots}, {unsigned}, {signed}",
            dots = inlateout(ymm_reg) dots,
            unsigned = in(ymm_reg) unsigned,
            signed = in(ymm_reg) signed,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    dots
}

/// Adds to each lane the dot product of two numbers of 16 bits.
///
/// # Safety
/// The CPU has AVX-VNNI.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn dots_of_16_bits(dots: __m256i, a: __m256i, b: __m256i) -> __m256i {
    let mut dots = dots;
    // SAFETY: as in `dots_of_8_bits`.
    unsafe {
        asm!(
            "{{vex}} vpdpwssd {dots}, {a}, {b}",
            dots = inlateout(ymm_reg) dots,
            a = in(ymm_reg) a,
            b = in(ymm_reg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    dots
}

/// Whether the sums that `pmaddubsw` gives for all words of a sub-block fit into 16 bits.
const fn sums_fit_16_bits<B: Blocks>() -> bool {
    const WORDS: usize = 8;
    let Some(largest) = B::LARGEST_CODE else {
        return false;
    };
    let sum_of_word = 2 * largest * 127;
    // `dots` adds two words before it widens.
    assert!(2 * sum_of_word <= i16::MAX as usize);
    !B::HALVES && WORDS * sum_of_word <= i16::MAX as usize
}

/// Adds dot products of half `half` of a sub-block, or of both, in the scale of weights and activations.
///
/// # Safety
/// `half` is less than two and `lane` less than four.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn scale<B: Blocks, const TOKENS: usize>(
    sums: &mut [Floats; TOKENS],
    dots: [[__m256i; 2]; TOKENS],
    scales: &Scales,
    x: &[Prepared; TOKENS],
    half: usize,
    lane: usize,
) {
    for ((sums, dots), x) in sums.iter_mut().zip(dots).zip(x) {
        // SAFETY: `lane` is less than four, and there are two times four sums.
        let (scale, activations) = unsafe {
            (
                _mm256_set1_ps(*x.scales.get_unchecked(lane)),
                _mm256_set1_ps(*x.sums.get_unchecked(4 * half + lane)),
            )
        };
        for (r, sum) in sums.iter_mut().enumerate() {
            let scale = _mm256_mul_ps(scales.scales[half][r], scale);
            *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots[r]), scale, *sum);
            if B::HAS_MINIMUMS {
                *sum = _mm256_fmadd_ps(scales.minimums[half][r], activations, *sum);
            }
        }
    }
}

/// Sixteen half-precision numbers.
///
/// # Safety
/// They can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn halves(p: *const u8) -> Floats {
    // SAFETY: promised by the caller.
    unsafe { [_mm256_cvtph_ps(bytes(p)), _mm256_cvtph_ps(bytes(p.add(16)))] }
}

/// A byte of each row.
///
/// # Safety
/// Sixteen can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) unsafe fn bytes(p: *const u8) -> __m128i {
    // SAFETY: promised by the caller.
    unsafe { _mm_loadu_si128(p.cast()) }
}

/// Sixteen signed bytes as numbers.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn numbers(bytes: __m128i) -> Floats {
    let upper = _mm_unpackhi_epi64(bytes, bytes);
    [
        _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
        _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(upper)),
    ]
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn times(a: Floats, b: Floats) -> Floats {
    [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])]
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn times_number(a: Floats, b: f32) -> Floats {
    times(a, [_mm256_set1_ps(b); 2])
}

/// Word `i` of all rows.
///
/// # Safety
/// It can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn word(p: *const u8, i: usize) -> Word {
    // SAFETY: promised by the caller.
    unsafe {
        [
            _mm256_loadu_si256(p.add(64 * i).cast()),
            _mm256_loadu_si256(p.add(64 * i + 32).cast()),
        ]
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn and(a: Word, b: __m256i) -> Word {
    [_mm256_and_si256(a[0], b), _mm256_and_si256(a[1], b)]
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn or(a: Word, b: Word) -> Word {
    [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])]
}

/// Shifts bits up within 16, unless their number is negative.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn up(a: Word, bits: i32) -> Word {
    let bits = _mm_cvtsi32_si128(bits.max(0));
    [_mm256_sll_epi16(a[0], bits), _mm256_sll_epi16(a[1], bits)]
}

/// Shifts bits down within 16, unless their number is negative.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn down(a: Word, bits: i32) -> Word {
    let bits = _mm_cvtsi32_si128(bits.max(0));
    [_mm256_srl_epi16(a[0], bits), _mm256_srl_epi16(a[1], bits)]
}

/// The lower four bits of each byte, and the upper ones.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn nibbles(both: Word) -> [Word; 2] {
    let mask = _mm256_set1_epi8(15);
    [and(both, mask), and(down(both, 4), mask)]
}

/// Sets bit 4 of the codes in whose place `set` has the bit of `bit`.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn add_fifth_bits(codes: Word, set: Word, bit: __m256i) -> Word {
    let [first, second] = and(set, bit);
    let set = [
        _mm256_cmpeq_epi8(first, bit),
        _mm256_cmpeq_epi8(second, bit),
    ];
    or(codes, and(set, _mm256_set1_epi8(16)))
}

/// Words `pair` and `4 + pair` of blocks of 32: a word of fifth bits of each row, then four words of nibbles.
///
/// # Safety
/// They can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn words_of_five_bits(p: *const u8, pair: usize) -> [Word; 2] {
    // SAFETY: promised by the caller.
    let (bits, both) = unsafe { (word(p, 0), word(p.add(64), pair)) };
    let rows = _mm_setr_epi32(0, 0x0404_0404, 0x0808_0808, 0x0c0c_0c0c);
    let bit = _mm256_set1_epi32(0x0804_0201_u32.wrapping_shl(4 * (pair % 2) as u32) as i32);
    let mut codes = nibbles(both);
    for (half, codes) in codes.iter_mut().enumerate() {
        // The byte that holds the word's four bits, four times, and a bit of it for each.
        let byte = _mm_set1_epi8((2 * half + pair / 2) as i8);
        let byte = _mm256_broadcastsi128_si256(_mm_add_epi8(rows, byte));
        let set = [
            _mm256_shuffle_epi8(bits[0], byte),
            _mm256_shuffle_epi8(bits[1], byte),
        ];
        *codes = add_fifth_bits(*codes, set, bit);
    }
    codes
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
    const LARGEST_CODE: Option<usize> = Some(15);

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales come first.
        let scales = unsafe { halves(blocks) };
        of_32(scales, times_number(scales, -8.0))
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then four words.
        nibbles(unsafe { word(blocks.add(32), pair) })
    }
}

struct Q4_1;

impl Blocks for Q4_1 {
    const FORMAT: Format = Format::Q4_1;
    const LARGEST_CODE: Option<usize> = Some(15);

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales, then minimums.
        unsafe { of_32(halves(blocks), halves(blocks.add(32))) }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then four words.
        nibbles(unsafe { word(blocks.add(64), pair) })
    }
}

struct Q5_0;

impl Blocks for Q5_0 {
    const FORMAT: Format = Format::Q5_0;
    const LARGEST_CODE: Option<usize> = Some(31);

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales come first.
        let scales = unsafe { halves(blocks) };
        of_32(scales, times_number(scales, -16.0))
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then fifth bits and words.
        unsafe { words_of_five_bits(blocks.add(32), pair) }
    }
}

struct Q5_1;

impl Blocks for Q5_1 {
    const FORMAT: Format = Format::Q5_1;
    const LARGEST_CODE: Option<usize> = Some(31);

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales, then minimums.
        unsafe { of_32(halves(blocks), halves(blocks.add(32))) }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then fifth bits and words.
        unsafe { words_of_five_bits(blocks.add(64), pair) }
    }
}

struct Q8_0;

impl Blocks for Q8_0 {
    const FORMAT: Format = Format::Q8_0;
    const HAS_MINIMUMS: bool = false;
    const LARGEST_CODE: Option<usize> = None;

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn scales(blocks: *const u8, _: usize) -> Scales {
        // SAFETY: scales come first.
        of_32(unsafe { halves(blocks) }, [_mm256_setzero_ps(); 2])
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn words(blocks: *const u8, _: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then eight words.
        unsafe { [word(blocks.add(32), pair), word(blocks.add(32), 4 + pair)] }
    }
}

/// The packed scale and minimum of sub-block `s` of Q4_K and Q5_K.
///
/// # Safety
/// Twelve times sixteen bytes can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) unsafe fn packed_scale_and_minimum(p: *const u8, s: usize) -> (__m128i, __m128i) {
    // SAFETY: promised by the caller.
    let packed = |i: usize| unsafe { bytes(p.add(16 * i)) };
    let (low_6, low_4, upper_2) = (
        _mm_set1_epi8(0x3f),
        _mm_set1_epi8(0x0f),
        _mm_set1_epi8(0x30),
    );
    // Packed numbers of 6 bits; see `dequantize::scales_and_minimums`.
    if s < 4 {
        (
            _mm_and_si128(packed(s), low_6),
            _mm_and_si128(packed(s + 4), low_6),
        )
    } else {
        let both = packed(s + 4);
        let upper = |v| _mm_and_si128(_mm_srli_epi16::<2>(v), upper_2);
        (
            _mm_or_si128(_mm_and_si128(both, low_4), upper(packed(s - 4))),
            _mm_or_si128(
                _mm_and_si128(_mm_srli_epi16::<4>(both), low_4),
                upper(packed(s)),
            ),
        )
    }
}

/// The scale `d * scale` and the minimum `-dmin * minimum` of sub-block `s` of Q4_K and Q5_K.
///
/// # Safety
/// The first 256 bytes of the interleaved blocks can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn scales_and_minimums(blocks: *const u8, s: usize) -> Scales {
    // SAFETY: two times sixteen numbers in half precision, then twelve times sixteen bytes.
    let (d, dmin, (scale, minimum)) = unsafe {
        (
            halves(blocks),
            halves(blocks.add(32)),
            packed_scale_and_minimum(blocks.add(64), s),
        )
    };
    of_32(
        times(numbers(scale), d),
        times(numbers(minimum), times_number(dmin, -1.0)),
    )
}

/// The four bits of words `pair` and `4 + pair` of sub-block `s` of Q4_K and Q5_K: even sub-blocks are low nibbles, the
/// next odd one the high ones.
///
/// # Safety
/// 32 words can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn paired_nibbles(p: *const u8, s: usize, pair: usize) -> [Word; 2] {
    let (first, mask, shift) = (8 * (s / 2) + pair, _mm256_set1_epi8(15), 4 * (s % 2) as i32);
    // SAFETY: promised by the caller.
    let both = unsafe { [word(p, first), word(p, first + 4)] };
    [
        and(down(both[0], shift), mask),
        and(down(both[1], shift), mask),
    ]
}

struct Q4K;

impl Blocks for Q4K {
    const FORMAT: Format = Format::Q4K;
    const LARGEST_CODE: Option<usize> = Some(15);

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn scales(blocks: *const u8, s: usize) -> Scales {
        // SAFETY: 256 bytes of scales.
        unsafe { scales_and_minimums(blocks, s) }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn words(blocks: *const u8, s: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then 32 words.
        unsafe { paired_nibbles(blocks.add(256), s, pair) }
    }
}

struct Q5K;

impl Blocks for Q5K {
    const FORMAT: Format = Format::Q5K;
    const LARGEST_CODE: Option<usize> = Some(31);

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn scales(blocks: *const u8, s: usize) -> Scales {
        // SAFETY: 256 bytes of scales.
        unsafe { scales_and_minimums(blocks, s) }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn words(blocks: *const u8, s: usize, pair: usize) -> [Word; 2] {
        // SAFETY: then 8 words of fifth bits, and 32 words.
        let (bits, codes) = unsafe {
            (
                [word(blocks.add(256), pair), word(blocks.add(256), 4 + pair)],
                paired_nibbles(blocks.add(768), s, pair),
            )
        };
        let bit = _mm256_set1_epi8((1_u8 << s) as i8);
        [
            add_fifth_bits(codes[0], bits[0], bit),
            add_fifth_bits(codes[1], bits[1], bit),
        ]
    }
}

struct Q6K;

impl Blocks for Q6K {
    const FORMAT: Format = Format::Q6K;
    const HALVES: bool = true;
    const LARGEST_CODE: Option<usize> = Some(63);

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn scales(blocks: *const u8, s: usize) -> Scales {
        // SAFETY: 32 bytes of d, 256 of scales.
        let (d, first, second) = unsafe {
            let scales = blocks.add(32 + 32 * s);
            (halves(blocks), bytes(scales), bytes(scales.add(16)))
        };
        let (first, second) = (times(numbers(first), d), times(numbers(second), d));
        Scales {
            scales: [first, second],
            minimums: [times_number(first, -32.0), times_number(second, -32.0)],
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn words(blocks: *const u8, s: usize, pair: usize) -> [Word; 2] {
        // Sub-blocks 0 and 1 of a half are the low nibbles of its first and second 32 bytes, 2 and 3 the high ones;
        // two upper bits of each are side by side in a byte.
        let (half, quarter) = (s / 4, s % 4);
        let (mask, upper_mask) = (_mm256_set1_epi8(15), _mm256_set1_epi8(0x30));
        let mut words = [[_mm256_setzero_si256(); 2]; 2];
        for (i, codes) in words.iter_mut().enumerate() {
            let i = 2 * pair + i;
            // SAFETY: 288 bytes of scales, 32 words of nibbles and 16 of upper bits.
            let (nibbles, upper) = unsafe {
                (
                    word(blocks.add(288), 16 * half + 8 * (quarter % 2) + i),
                    word(blocks.add(288), 32 + 8 * half + i),
                )
            };
            let nibbles = and(down(nibbles, 4 * (quarter / 2) as i32), mask);
            // Bits 2 * quarter and the next, to 4 and 5.
            let upper = down(up(upper, 4 - 2 * quarter as i32), 2 * quarter as i32 - 4);
            *codes = or(nibbles, and(upper, upper_mask));
        }
        words
    }
}
