//! Kernels for x86-64 with AVX-512 and VNNI, on vectors of 256 bits for plain rows and of 512 for interleaved ones.
//!
//! `vpdpbusd` multiplies four pairs of codes and adds them to a lane of 32 bits in one instruction, where
//! AVX2 takes three and has to mind 16-bit sums; and `vpermi2b` picks the codes of four blocks out of 128
//! bytes at once. Groups, formats, and products with `f32` activations are those of [`crate::avx2`].
//!
//! Interleaved rows have kernels of their own, see [`strips`].
//!
//! Each pair of row and token has one vector of sums for the whole row, so results do not depend on the size
//! of the batch. Residuals of activations are multiplied in the same pass, and joined to their codes as
//! integers: 16-bit activations cost half of what two products would.

#![allow(
    clippy::indexing_slicing,
    reason = "rows come from `Cpu`, which checked the shapes"
)]

mod attention;
mod strips;

use std::arch::x86_64::*;
use std::array::from_fn;

use crate::activations::{Q8Group, Q8Rows, RESIDUAL_STEPS};
use crate::attention_loops::attention_table;
use crate::avx2::blocks::{Q4K, Q5K, Q6K, Q8_0, add_fifth_bits};
use crate::avx2::{
    self, Blocks, Codes, Group, code_vectors, decode_rest, groups_of, lane_scales, lane_sums,
    step_bytes, sum_lanes_of_four,
};
use crate::format::Format;
use crate::kernels::{InstructionSet, MatmulQ8, Table, kernel_for};
use crate::ops::ops_table;
use crate::tile::TileMut;

pub(crate) static TABLE: Table = Table {
    instruction_set: InstructionSet::Avx512,
    matmul_q8: |format| matmul::<1>(format),
    matmul_q16: Some(|format| matmul::<2>(format)),
    strips_q8: Some(|format| strips::matmul::<1, 0>(format)),
    strips_q16: Some(|format| strips::matmul::<2, 0>(format)),
    ops: &ops_table!("avx512f,avx512bw,avx512vl"),
    attention: &attention_table!(attention),
    ..avx2::TABLE
};

/// How far ahead weights are prefetched, in bytes. On a Zen 5, decode took 0.91 of the time that it took with 4096 while
/// memory was fast, and 1.03 while it was slow; 8192 gave 0.9 and 1.05.
const AHEAD: usize = 6144;

/// [`TABLE`] for CPUs whose own prefetchers do not keep up, or stop at the end of each page of 4 KiB: decode took 0.7 to 0.8
/// of the time on a Xeon with it, and half of it on a Zen 5. A Zen 4 was slower with it.
pub(crate) static PREFETCHING_TABLE: Table = Table {
    strips_q8: Some(|format| strips::matmul::<1, AHEAD>(format)),
    strips_q16: Some(|format| strips::matmul::<2, AHEAD>(format)),
    ..TABLE
};

/// The family of AMD's Zen 5.
const ZEN_5: u32 = 0x1a;

/// Whether this CPU has what [`TABLE`] needs.
pub(crate) fn is_supported() -> bool {
    avx2::is_supported()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vnni")
}

/// Whether [`PREFETCHING_TABLE`] is the better one.
pub(crate) fn prefers_prefetching() -> bool {
    let vendor = __cpuid(0);
    let vendor = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
    match vendor.as_flattened() {
        b"GenuineIntel" => true,
        b"AuthenticAMD" => {
            // Family and extended family.
            let version = __cpuid(1).eax;
            (version >> 8 & 0xf) + (version >> 20 & 0xff) >= ZEN_5
        }
        _ => false,
    }
}

/// The product with activations of `PLANES` rows of codes for each token.
fn matmul<const PLANES: usize>(format: Format) -> Option<MatmulQ8> {
    kernel_for!(format, multiply, PLANES)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
fn multiply<B: Blocks, const PLANES: usize>(weights: &[u8], x: Q8Rows<'_>, mut out: TileMut<'_>) {
    let row_bytes = weights.len() / out.rows();
    assert_eq!(x.rows(), out.tokens() * PLANES);
    assert!(row_bytes * out.rows() == weights.len());
    assert_eq!(groups_of::<B>(row_bytes), x.row_len());
    let mut token = 0;
    while token < out.tokens() {
        token += match out.tokens() - token {
            1 => multiply_tokens::<B, PLANES, 1>(weights, row_bytes, x, token, &mut out),
            2 => multiply_tokens::<B, PLANES, 2>(weights, row_bytes, x, token, &mut out),
            3 => multiply_tokens::<B, PLANES, 3>(weights, row_bytes, x, token, &mut out),
            4..8 => multiply_tokens::<B, PLANES, 4>(weights, row_bytes, x, token, &mut out),
            _ => multiply_tokens::<B, PLANES, 8>(weights, row_bytes, x, token, &mut out),
        };
    }
}

/// All rows times `TOKENS` tokens, from `token` on: each group is multiplied with all of them where it is
/// decoded. The number of tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
fn multiply_tokens<B: Blocks, const PLANES: usize, const TOKENS: usize>(
    weights: &[u8],
    row_bytes: usize,
    x: Q8Rows<'_>,
    token: usize,
    out: &mut TileMut<'_>,
) -> usize {
    let x: [[&[Q8Group]; PLANES]; TOKENS] =
        from_fn(|t| from_fn(|plane| x.row((token + t) * PLANES + plane)));
    for first in (0..weights.len() / row_bytes).step_by(4) {
        let weights = &weights[first * row_bytes..];
        let rows = 4.min(weights.len() / row_bytes);
        let mut sums = [[_mm256_setzero_ps(); 4]; TOKENS];
        for r in 0..rows {
            let row_sums =
                multiply_row::<B, PLANES, TOKENS>(&weights[r * row_bytes..], row_bytes, &x);
            for (sums, sum) in sums.iter_mut().zip(row_sums) {
                sums[r] = sum;
            }
        }
        for (t, sums) in sums.iter().enumerate() {
            out.set_run(token + t, first, &sum_lanes_of_four(sums)[..rows]);
        }
    }
    TOKENS
}

/// The first `row_bytes` of `weights` times all tokens, in lanes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn multiply_row<B: Blocks, const PLANES: usize, const TOKENS: usize>(
    weights: &[u8],
    row_bytes: usize,
    x: &[[&[Q8Group]; PLANES]; TOKENS],
) -> [__m256; TOKENS] {
    let mut sums = [_mm256_setzero_ps(); TOKENS];
    let steps = weights[..row_bytes].chunks_exact(step_bytes::<B>());
    let rest = steps.remainder().len();
    let mut index = 0;
    for step in steps {
        // SAFETY: `step` holds the blocks of one step.
        for group in unsafe { B::decode(step.as_ptr()) }.as_ref() {
            for t in 0..TOKENS {
                sums[t] = accumulate::<B, PLANES>(sums[t], group, &x[t], index);
            }
            index += 1;
        }
    }
    if rest > 0 {
        for group in decode_rest::<B>(&weights[row_bytes - rest..], rest).as_ref() {
            for t in 0..TOKENS {
                sums[t] = accumulate::<B, PLANES>(sums[t], group, &x[t], index);
            }
            index += 1;
        }
    }
    sums
}

/// Adds the product of a group of weights with group `index` of a token, and its residuals if there are some.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn accumulate<B: Blocks, const PLANES: usize>(
    sum: __m256,
    group: &Group,
    x: &[&[Q8Group]; PLANES],
    index: usize,
) -> __m256 {
    let mut total = _mm256_setzero_si256();
    for (plane, x) in x.iter().enumerate() {
        if plane > 0 {
            total = _mm256_mullo_epi32(total, _mm256_set1_epi32(RESIDUAL_STEPS));
        }
        let x = &x[index];
        for (weights, codes) in group.codes.iter().zip(code_vectors(x)) {
            total = match B::CODES {
                Codes::UpTo31 | Codes::UpTo63 => _mm256_dpbusd_epi32(total, *weights, codes),
                Codes::Signed => {
                    let signed = _mm256_sign_epi8(codes, *weights);
                    _mm256_dpbusd_epi32(total, _mm256_abs_epi8(*weights), signed)
                }
            };
        }
    }
    // The last plane has the finest steps, the first has all sums.
    let scale = _mm256_mul_ps(group.scale, lane_scales(&x[PLANES - 1][index]));
    let sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), scale, sum);
    if B::HAS_MINIMUM {
        _mm256_fmadd_ps(group.minimum, lane_sums(&x[0][index]), sum)
    } else {
        sum
    }
}

/// Four blocks of 32 values, `BYTES` bytes each, as two vectors: the first 64 bytes and the last.
struct FourBlocks<const BYTES: usize>([__m512i; 2]);

/// Where byte `at` of block `block` is in [`FourBlocks`], as `vpermi2b` counts: the last 64 bytes follow the
/// first.
const fn place(block_bytes: usize, block: usize, at: usize) -> u8 {
    let byte = block * block_bytes + at;
    if byte < 64 {
        byte as u8
    } else {
        (64 + byte - (4 * block_bytes - 64)) as u8
    }
}

/// Which bytes make the two vectors of nibbles of four blocks whose codes begin at `first`: words 0, 0, 1, 1
/// and 2, 2, 3, 3 of all blocks.
const fn nibble_order(block_bytes: usize, first: usize) -> [[u8; 64]; 2] {
    let mut order = [[0; 64]; 2];
    let mut i = 0;
    while i < 128 {
        let (word, block, byte) = (i / 32, i % 16 / 4, i % 4);
        order[i / 64][i % 64] = place(block_bytes, block, first + 4 * word + byte);
        i += 1;
    }
    order
}

/// Which bytes make 16-bit numbers of the four blocks twice over: those at byte 0 in the lower 128 bits,
/// those at byte `second` in the next.
const fn halves_order(block_bytes: usize, second: usize) -> [u8; 64] {
    let mut order = [0; 64];
    let mut i = 0;
    while i < 32 {
        let (block, byte) = (i % 8 / 2, i % 2);
        let at = if i < 16 { 0 } else { second };
        order[i] = place(block_bytes, block, at + byte);
        i += 1;
    }
    order
}

/// Which bytes make a word of each block, from byte `first` on.
const fn word_order(block_bytes: usize, first: usize) -> [u8; 64] {
    let mut order = [0; 64];
    let mut i = 0;
    while i < 16 {
        order[i] = place(block_bytes, i / 4, first + i % 4);
        i += 1;
    }
    order
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn load_order(order: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes.
    unsafe { _mm512_loadu_si512(order.as_ptr().cast()) }
}

impl<const BYTES: usize> FourBlocks<BYTES> {
    const STORES_MINIMUMS: bool = BYTES == 20 || BYTES == 24;
    const HAS_FIFTH_BITS: bool = BYTES > 20;
    /// Codes end a block; before them come a scale, a minimum if there is one, and fifth bits if there are.
    const NIBBLES: [[u8; 64]; 2] = nibble_order(BYTES, BYTES - 16);
    const HALVES: [u8; 64] = halves_order(BYTES, if Self::STORES_MINIMUMS { 2 } else { 0 });
    const FIFTH_BITS: [u8; 64] = word_order(BYTES, BYTES.saturating_sub(20));

    /// # Safety
    /// Four blocks can be read at `blocks`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn load(blocks: *const u8) -> Self {
        const { assert!(4 * BYTES >= 64 && 4 * BYTES <= 128) };
        // SAFETY: both vectors lie inside the `4 * BYTES` bytes.
        unsafe {
            FourBlocks([
                _mm512_loadu_si512(blocks.cast()),
                _mm512_loadu_si512(blocks.add(4 * BYTES - 64).cast()),
            ])
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    fn pick(&self, order: &[u8; 64]) -> __m512i {
        _mm512_permutex2var_epi8(self.0[0], load_order(order), self.0[1])
    }

    /// The four bits of the codes, in the order of the activations.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    fn nibbles(&self) -> [__m256i; 4] {
        // Words 0 to 3 are in the low nibbles, 4 to 7 in the high ones.
        let shift = _mm512_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4);
        let mask = _mm512_set1_epi8(15);
        let a = _mm512_srlv_epi32(self.pick(&Self::NIBBLES[0]), shift);
        let b = _mm512_srlv_epi32(self.pick(&Self::NIBBLES[1]), shift);
        let (a, b) = (_mm512_and_si512(a, mask), _mm512_and_si512(b, mask));
        [
            _mm512_castsi512_si256(a),
            _mm512_extracti64x4_epi64::<1>(a),
            _mm512_castsi512_si256(b),
            _mm512_extracti64x4_epi64::<1>(b),
        ]
    }

    /// The codes, with the fifth bits of the formats that have them.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    fn codes(&self) -> [__m256i; 4] {
        if !Self::HAS_FIFTH_BITS {
            return self.nibbles();
        }
        let bits = _mm512_castsi512_si128(self.pick(&Self::FIFTH_BITS));
        add_fifth_bits(self.nibbles(), bits)
    }

    /// Scales and minimums, which are the scale times the least value for the formats without any.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    fn halves(&self) -> (__m256, __m256) {
        let picked = _mm512_castsi512_si256(self.pick(&Self::HALVES));
        let scale = _mm256_cvtph_ps(_mm256_castsi256_si128(picked));
        let minimum = if Self::STORES_MINIMUMS {
            _mm256_cvtph_ps(_mm256_extracti128_si256::<1>(picked))
        } else {
            let least = if Self::HAS_FIFTH_BITS { -16.0 } else { -8.0 };
            _mm256_mul_ps(scale, _mm256_set1_ps(least))
        };
        (scale, minimum)
    }
}

type Q4_0 = FourBlocks<18>;
type Q4_1 = FourBlocks<20>;
type Q5_0 = FourBlocks<22>;
type Q5_1 = FourBlocks<24>;

impl<const BYTES: usize> Blocks for FourBlocks<BYTES> {
    const FORMAT: Format = match BYTES {
        18 => Format::Q4_0,
        20 => Format::Q4_1,
        22 => Format::Q5_0,
        _ => Format::Q5_1,
    };
    const CODES: Codes = Codes::UpTo31;
    const HAS_MINIMUM: bool = true;
    type Groups = [Group; 1];

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8) -> [Group; 1] {
        // SAFETY: promised by the caller.
        let blocks = unsafe { Self::load(blocks) };
        let (scale, minimum) = blocks.halves();
        [Group {
            codes: blocks.codes(),
            scale,
            minimum,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::QuantizedActivations;
    use crate::interleave::STRIP_ROWS;
    use crate::kernels::Kernels;

    #[test]
    fn prefetching_changes_no_product() {
        const COLS: usize = 512;
        if !is_supported() {
            return;
        }
        let values: Vec<f32> = (0_u8..9)
            .flat_map(|token| (0..COLS).map(move |i| (i % 37) as f32 - f32::from(token)))
            .collect();
        let mut x = QuantizedActivations::new();
        x.quantize(&Kernels::scalar(), &values, COLS).unwrap();
        for format in [Format::Q4_1, Format::Q4K, Format::Q6K, Format::Q8_0] {
            // A scale of 2^-4 wherever one is read.
            let strip = vec![0x2c; STRIP_ROWS * format.row_bytes(COLS).unwrap()];
            let products = [&TABLE, &PREFETCHING_TABLE].map(|table| {
                let multiply = table.strips_q8.and_then(|of| of(format)).unwrap();
                let mut out = vec![0.0; 9 * STRIP_ROWS];
                // SAFETY: the CPU has the instructions.
                unsafe { multiply(&strip, x.view(), TileMut::of_rows(&mut out, STRIP_ROWS)) };
                out
            });
            assert_eq!(products[0], products[1], "{}", format.name());
            assert!(products[0].iter().any(|product| *product != 0.0));
        }
    }
}
