//! Kernels for x86-64 with AVX2, FMA and F16C.
//!
//! **Products with 8-bit activations.** A format only has to say how 128 of its weights become a
//! [`Group`]: codes in the order of the activations (see [`crate::QuantizedActivations`]), and a
//! scale and a minimum for each lane. The rest is common. Up to four tokens multiply each group where
//! it is decoded; more share a panel of decoded groups. Both do the same operations in the same order
//! for each pair of row and token, so results do not depend on the size of the batch.
//!
//! **Interleaved rows** have kernels of their own, see [`strips`].
//!
//! **Products with `f32` activations.** Rows are dequantized, a piece at a time, to a panel on the
//! stack ([`floats`]).

#![allow(
    clippy::indexing_slicing,
    reason = "rows come from `Cpu`, which checked the shapes; panels have fixed sizes"
)]

mod attention;
pub(crate) mod blocks;
pub(crate) mod floats;
pub(crate) mod strips;

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use self::blocks::{Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
use crate::activations::{GROUP_LEN, Q8Group, Q8Rows};
use crate::attention_loops::attention_table;
use crate::format::Format;
use crate::kernels::{InstructionSet, MatmulQ8, Table, kernel_for};
use crate::ops::ops_table;
use crate::tile::TileMut;

pub(crate) static TABLE: Table = Table {
    instruction_set: InstructionSet::Avx2,
    matmul_q8,
    matmul_q16: None,
    strips_q8: Some(|format| strips::matmul::<1, false>(format)),
    strips_q16: Some(|format| strips::matmul::<2, false>(format)),
    matmul_f32: floats::matmul_f32,
    quantize_row: floats::quantize_row,
    quantize_row_with_residual: floats::quantize_row_with_residual,
    ops: &ops_table!("avx2,fma,f16c"),
    attention: &attention_table!(attention),
};

/// [`TABLE`] for CPUs with AVX-VNNI.
pub(crate) static VNNI_TABLE: Table = Table {
    instruction_set: InstructionSet::AvxVnni,
    strips_q8: Some(|format| strips::matmul::<1, true>(format)),
    strips_q16: Some(|format| strips::matmul::<2, true>(format)),
    ..TABLE
};

/// Whether this CPU has what [`VNNI_TABLE`] needs.
pub(crate) fn has_vnni() -> bool {
    is_supported() && is_x86_feature_detected!("avxvnni")
}

/// Whether this CPU has what [`TABLE`] needs.
pub(crate) fn is_supported() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
}

fn matmul_q8(format: Format) -> Option<MatmulQ8> {
    kernel_for!(format, multiply_q8)
}

/// 128 decoded weights. Their product with activations is, over the eight lanes, the sum of
/// `scale * activation_scale * (dot product of the lane's 16 codes) + minimum * activation_sum`.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    pub(crate) codes: [__m256i; 4],
    pub(crate) scale: __m256,
    pub(crate) minimum: __m256,
}

/// How the codes of a format multiply with 8-bit codes of activations, which lie in -127..=127.
/// `pmaddubsw` adds two products to 16 bits with saturation, `paddw` wraps: neither may happen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codes {
    /// 0..=31: four pairs of products can be added in 16 bits, 4 * 2 * 31 * 127 = 31,496.
    UpTo31,
    /// 0..=63: two pairs can, 2 * 2 * 63 * 127 = 32,004.
    UpTo63,
    /// -128..=127, as magnitude times signed activation: one pair is all, 2 * 128 * 127 = 32,512.
    Signed,
}

/// A block format, as the kernels of this file need it.
pub(crate) trait Blocks {
    const FORMAT: Format;
    const CODES: Codes;
    /// Whether `minimum` is ever other than zero.
    const HAS_MINIMUM: bool;
    /// What [`decode`](Self::decode) gives: one group for blocks of 32, two for blocks of 256.
    type Groups: AsRef<[Group]> + AsMut<[Group]>;

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
    assert_eq!(groups_of::<B>(row_bytes), x.row_len());
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
pub(crate) fn groups_of<B: Blocks>(row_bytes: usize) -> usize {
    let values = row_bytes / B::FORMAT.block_bytes() * B::FORMAT.block_len();
    values.div_ceil(GROUP_LEN)
}

/// Bytes that [`Blocks::decode`] reads.
pub(crate) const fn step_bytes<B: Blocks>() -> usize {
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
    let x: [&[Q8Group]; TOKENS] = std::array::from_fn(|t| x.row(t));
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
                    accumulators[t] = accumulate::<B>(accumulators[t], decoded, &x[t][group]);
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
            let start = (r + 1) * row_bytes - rest.len();
            for decoded in decode_rest::<B>(&weights[start..], rest.len()).as_ref() {
                for t in 0..TOKENS {
                    accumulators[t] = accumulate::<B>(accumulators[t], decoded, &x[t][group]);
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

/// Decodes the last blocks of a row, `len` bytes that do not fill a group, at the start of `weights`. The missing
/// ones have scale and minimum zero; their codes may be anything, since those of the activations are zero there.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn decode_rest<B: Blocks>(weights: &[u8], len: usize) -> B::Groups {
    let mut groups = if weights.len() >= step_bytes::<B>() {
        // The next row follows, so that nothing has to be copied.
        // SAFETY: the blocks of one step can be read.
        unsafe { B::decode(weights.as_ptr()) }
    } else {
        let mut padded = [0; 256];
        const { assert!(step_bytes::<B>() <= 256) };
        padded[..len].copy_from_slice(&weights[..len]);
        // SAFETY: `padded` is long enough.
        unsafe { B::decode(padded.as_ptr()) }
    };
    let blocks = (len / B::FORMAT.block_bytes()) as i32;
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3);
    let there = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(blocks), lanes));
    for group in groups.as_mut() {
        group.scale = _mm256_and_ps(group.scale, there);
        group.minimum = _mm256_and_ps(group.minimum, there);
    }
    groups
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
        for (r, (row, panel)) in weights
            .chunks_exact(row_bytes)
            .zip(panel.chunks_exact_mut(PANEL_GROUPS))
            .enumerate()
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
                let start = (r + 1) * row_bytes - rest.len();
                let decoded = decode_rest::<B>(&weights[start..], rest.len());
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
    let x: [&[Q8Group]; TOKENS] = std::array::from_fn(|t| x.row(token + t));
    for (r, groups) in rows.enumerate() {
        let mut accumulators = [_mm256_setzero_ps(); TOKENS];
        for (i, group) in groups.iter().enumerate() {
            for t in 0..TOKENS {
                accumulators[t] = accumulate::<B>(accumulators[t], group, &x[t][start + i]);
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

/// Adds the product of a group of weights with one of activations.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn accumulate<B: Blocks>(accumulator: __m256, group: &Group, x: &Q8Group) -> __m256 {
    let codes = code_vectors(x);
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
    let scale = _mm256_mul_ps(group.scale, lane_scales(x));
    let accumulator = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scale, accumulator);
    if B::HAS_MINIMUM {
        _mm256_fmadd_ps(group.minimum, lane_sums(x), accumulator)
    } else {
        accumulator
    }
}

/// The codes of a group of activations.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn code_vectors(x: &Q8Group) -> [__m256i; 4] {
    let codes = x.codes.as_ptr();
    // SAFETY: 128 codes.
    unsafe { [0, 32, 64, 96].map(|i| _mm256_loadu_si256(codes.add(i).cast())) }
}

/// The scale of each lane of a dot product.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn lane_scales(x: &Q8Group) -> __m256 {
    // SAFETY: four scales.
    unsafe { _mm256_broadcast_ps(&_mm_loadu_ps(x.scales.as_ptr())) }
}

/// What the minimum of each lane is multiplied with.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn lane_sums(x: &Q8Group) -> __m256 {
    // SAFETY: eight sums.
    unsafe { _mm256_loadu_ps(x.sums.as_ptr()) }
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn sum_lanes(v: __m256) -> f32 {
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    let v = _mm_add_ss(v, _mm_movehdup_ps(v));
    _mm_cvtss_f32(v)
}

/// The sums over the lanes of each of four vectors.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(crate) fn sum_lanes_of_four(v: &[__m256; 4]) -> [f32; 4] {
    let pairs = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    let sums = _mm_add_ps(
        _mm256_castps256_ps128(pairs),
        _mm256_extractf128_ps::<1>(pairs),
    );
    let mut out = [0.0; 4];
    // SAFETY: four sums.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    out
}
