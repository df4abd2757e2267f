//! How the block formats become groups of 8-bit codes.

#![allow(clippy::indexing_slicing, reason = "vectors of fixed size")]

use std::arch::x86_64::*;

use super::{Blocks, Codes, Group};
use crate::format::Format;

/// Transposes, within each 128-bit half, four vectors of four 32-bit words: vector `j` of the
/// result holds word `j` of each.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn transpose(v: [__m256i; 4]) -> [__m256i; 4] {
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
pub(crate) unsafe fn words(first: *const u8, block_bytes: usize) -> __m128i {
    // SAFETY: promised by the caller.
    let [a, b, c, d] = unsafe { [0, 1, 2, 3].map(|i| _mm_loadu_si32(first.add(i * block_bytes))) };
    _mm_unpacklo_epi64(_mm_unpacklo_epi32(a, b), _mm_unpacklo_epi32(c, d))
}

/// The lower 16 bits of four words as half-precision numbers, in both halves of the result.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn lower_halves(words: __m128i) -> __m256 {
    let order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13);
    _mm256_cvtph_ps(_mm_shuffle_epi8(words, order))
}

/// The upper 16 bits of four words as half-precision numbers, in both halves of the result.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn upper_halves(words: __m128i) -> __m256 {
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
pub(crate) unsafe fn two_halves(p: *const u8) -> __m128 {
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
pub(crate) fn add_fifth_bits(codes: [__m256i; 4], bits: __m128i) -> [__m256i; 4] {
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

pub(crate) struct Q4_0;

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

pub(crate) struct Q4_1;

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

pub(crate) struct Q5_0;

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

pub(crate) struct Q5_1;

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

pub(crate) struct Q8_0;

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

pub(crate) struct Q4K;

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

pub(crate) struct Q5K;

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

pub(crate) struct Q6K;

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
