//! Products of interleaved rows: a vector holds four bytes of codes of each of sixteen rows, and is multiplied with four
//! codes of a token that every lane gets. Nothing is transposed, and scales are applied to sixteen rows at once.

#![allow(
    clippy::indexing_slicing,
    reason = "strips come from `Cpu`, which checked the shapes"
)]

use std::arch::x86_64::*;
use std::array::from_fn;
use std::slice::ChunksExact;

use crate::activations::{
    OFFSET, Q8Group, Q8Rows, RESIDUAL_STEPS, SCALE_LEN, SCALES, SUM_STEPS, interleaved,
};
use crate::avx2::strips::{CACHE_LINE, bytes, packed_scale_and_minimum, prefetch};
use crate::format::Format;
use crate::interleave::{MOST_TOKENS, STRIP_ROWS, TOKENS_OF_PAIRS, strips_of_product};
use crate::kernels::{MatmulQ8, kernel_for};
use crate::tile::TileMut;

/// The product with activations of `PLANES` rows of codes for each token, whose weights are prefetched `AHEAD`
/// bytes before they are needed, unless that is 0.
pub(super) fn matmul<const PLANES: usize, const AHEAD: usize>(format: Format) -> Option<MatmulQ8> {
    kernel_for!(format, multiply, PLANES, AHEAD)
}

/// 32 weights of each row.
#[derive(Clone, Copy)]
struct SubBlock {
    /// Words of four codes, not negative.
    codes: [__m512i; 8],
    /// Of the first 16 values, and of the others.
    scales: [__m512; 2],
    /// Is multiplied with the sum of activations, unless there are [`PackedMinimums`].
    minimum: __m512,
}

/// The minimums of four sub-blocks.
#[derive(Clone, Copy)]
struct PackedMinimums {
    /// Of two sub-blocks, each 16 bits.
    pairs: [__m512i; SCALES / 2],
    /// What the minimums are multiplied by, and divided by [`SUM_STEPS`].
    step: __m512,
}

impl SubBlock {
    // SAFETY: vectors of integers and floats, for which all bits zero are a value.
    const ZERO: SubBlock = unsafe { std::mem::zeroed() };
}

impl PackedMinimums {
    // SAFETY: as above.
    const ZERO: PackedMinimums = unsafe { std::mem::zeroed() };
}

/// A block format, as the kernels of this file need it.
trait Blocks {
    const FORMAT: Format;
    /// Whether the two halves of a sub-block have scales of their own.
    const HALVES: bool = false;
    /// Whether minimums are ever other than zero.
    const HAS_MINIMUM: bool = false;
    /// Whether they are small integers times a number of the block.
    const PACKED_MINIMUMS: bool = false;
    /// What the codes are too large by.
    const OFFSET: i32 = 0;

    /// Decodes a sub-block of the interleaved blocks.
    ///
    /// # Safety
    /// The CPU has the instructions of this file; [`STRIP_ROWS`] interleaved blocks can be read.
    unsafe fn decode(blocks: *const u8, sub_block: usize) -> SubBlock;

    /// The minimums of four sub-blocks of the interleaved blocks, from `first` on.
    ///
    /// # Safety
    /// As [`decode`](Self::decode).
    unsafe fn packed_minimums(_blocks: *const u8, _first: usize) -> PackedMinimums {
        PackedMinimums::ZERO
    }
}

/// Whether the products of a group of columns are summed in steps of the group's scale, which saves a multiplication by
/// each block's. With residuals, that is a small part of the work, and there are not the registers.
const fn sums_groups(planes: usize) -> bool {
    planes == 1
}

/// Whether products use [`PackedMinimums`]. With residuals, scaled sums would not be exact enough.
const fn packs_minimums<B: Blocks>(planes: usize) -> bool {
    B::PACKED_MINIMUMS && sums_groups(planes)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
fn multiply<B: Blocks, const PLANES: usize, const AHEAD: usize>(
    weights: &[u8],
    x: Q8Rows<'_>,
    mut out: TileMut<'_>,
) {
    let mut strips = strips_of_product(B::FORMAT, PLANES, weights, x, &out);
    let mut row = 0;
    if out.tokens() >= TOKENS_OF_PAIRS {
        if sums_groups(PLANES) {
            row = multiply_pairs::<B, PLANES, 2>(&mut strips, x, row, &mut out);
        }
        row = multiply_pairs::<B, PLANES, 1>(&mut strips, x, row, &mut out);
    }
    for strip in strips {
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
        row += STRIP_ROWS;
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
    let mut products = [[_mm512_setzero_ps()]; TOKENS];
    let in_block = B::FORMAT.block_len() / SCALE_LEN;
    let block_bytes = STRIP_ROWS * B::FORMAT.block_bytes();
    let sub_blocks = strip.len() / block_bytes * in_block;
    for (block, blocks) in strip.chunks_exact(block_bytes).enumerate() {
        for s in 0..in_block {
            if AHEAD > 0 {
                prefetch(B::FORMAT, blocks, s, AHEAD);
            }
            let column_block = block * in_block + s;
            let (group, in_group) = (column_block / SCALES, column_block % SCALES);
            let x: [[&Q8Group; PLANES]; TOKENS] = from_fn(|t| x[t].map(|groups| &groups[group]));
            // SAFETY: sixteen interleaved blocks.
            let weights = [unsafe { B::decode(blocks.as_ptr(), s) }];
            accumulate::<B, PLANES, 1, TOKENS>(&mut sums, &mut products, &weights, &x, in_group);
            let is_last = in_group == SCALES - 1 || column_block == sub_blocks - 1;
            if is_last && sums_groups(PLANES) {
                let first = s - in_group.min(s);
                // SAFETY: as above.
                let minimums = [unsafe { B::packed_minimums(blocks.as_ptr(), first) }];
                finish::<B, PLANES, 1, TOKENS>(&mut sums, products, &minimums, &x);
                products = [[_mm512_setzero_ps()]; TOKENS];
            }
        }
    }
    for (t, [sums]) in sums.iter().enumerate() {
        store(*sums, token + t, row, out);
    }
    TOKENS
}

/// Tokens whose products with two strips are summed in registers.
const TILE_TOKENS: usize = 4;

/// 128 columns of two strips.
struct Panel {
    blocks: [[SubBlock; 2]; SCALES],
    minimums: [PackedMinimums; 2],
}

impl Panel {
    const ZERO: Panel = Panel {
        blocks: [[SubBlock::ZERO; 2]; SCALES],
        minimums: [PackedMinimums::ZERO; 2],
    };
}

/// Takes strips in `PAIRS` pairs at once and multiplies them with all tokens: panels are decoded to the first-level cache,
/// and multiplied with a few tokens at a time. `row` is the first strip's first row; returns the row after the last
/// strip's.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline(never)]
fn multiply_pairs<B: Blocks, const PLANES: usize, const PAIRS: usize>(
    strips: &mut ChunksExact<'_, u8>,
    x: Q8Rows<'_>,
    mut row: usize,
    out: &mut TileMut<'_>,
) -> usize {
    if strips.len() < 2 * PAIRS {
        return row;
    }
    let in_block = B::FORMAT.block_len() / SCALE_LEN;
    let block_bytes = STRIP_ROWS * B::FORMAT.block_bytes();
    let panel_bytes = block_bytes / in_block * SCALES;
    let mut panels = [Panel::ZERO; PAIRS];
    let mut sums = [[[[_mm512_setzero_ps(); 2]; TILE_TOKENS]; PAIRS]; MOST_TOKENS / TILE_TOKENS];
    let tokens = out.tokens();
    let tiles = tokens.div_ceil(TILE_TOKENS);
    let empty: [[&[Q8Group]; PLANES]; TILE_TOKENS] = [[&[]; PLANES]; TILE_TOKENS];
    let mut rows = [empty; MOST_TOKENS / TILE_TOKENS];
    for (t, rows) in rows[..tiles].as_flattened_mut().iter_mut().enumerate() {
        // Beyond the last token, the last one again, which nobody reads.
        for (plane, row) in rows.iter_mut().enumerate() {
            *row = x.row(t.min(tokens - 1) * PLANES + plane);
        }
    }
    let lines_of_tile = panel_bytes.div_ceil(CACHE_LINE * tiles);
    while strips.len() >= 2 * PAIRS {
        let pairs: [[&[u8]; 2]; PAIRS] =
            from_fn(|_| from_fn(|_| strips.next().unwrap_or_default()));
        let sub_blocks = pairs[0][0].len() / block_bytes * in_block;
        sums[..tiles].fill([[[_mm512_setzero_ps(); 2]; TILE_TOKENS]; PAIRS]);
        for begin in (0..sub_blocks).step_by(SCALES) {
            for (panel, pair) in panels.iter_mut().zip(pairs) {
                match begin % in_block {
                    0 => decode_panel::<B, PLANES, 0>(pair, begin / in_block, panel),
                    _ => decode_panel::<B, PLANES, SCALES>(pair, begin / in_block, panel),
                }
            }
            let count = SCALES.min(sub_blocks - begin);
            // The next panel is fetched little by little: all of it at once would hold up its decoding.
            let mut next = (begin / SCALES + 1) * panel_bytes;
            for (sums, x) in sums[..tiles].iter_mut().zip(&rows) {
                for _ in 0..lines_of_tile {
                    for strip in pairs.as_flattened() {
                        _mm_prefetch::<_MM_HINT_T0>(strip.as_ptr().wrapping_add(next).cast());
                    }
                    next += CACHE_LINE;
                }
                for (sums, panel) in sums.iter_mut().zip(&panels) {
                    accumulate_panel::<B, PLANES>(sums, panel, count, x, begin / SCALES);
                }
            }
        }
        for (t, tile) in sums[..tiles].iter().enumerate() {
            let first = t * TILE_TOKENS;
            for token in first..tokens.min(first + TILE_TOKENS) {
                for (pair, sums) in tile.iter().enumerate() {
                    for (strip, sums) in sums[token - first].iter().enumerate() {
                        store(*sums, token, row + (2 * pair + strip) * STRIP_ROWS, out);
                    }
                }
            }
        }
        row += 2 * PAIRS * STRIP_ROWS;
    }
    row
}

/// Decodes a panel of two strips, from sub-block `FIRST` of block `block` on; beyond the strips' end it repeats the last
/// block.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline(never)]
fn decode_panel<B: Blocks, const PLANES: usize, const FIRST: usize>(
    strips: [&[u8]; 2],
    block: usize,
    panel: &mut Panel,
) {
    let in_block = B::FORMAT.block_len() / SCALE_LEN;
    let block_bytes = STRIP_ROWS * B::FORMAT.block_bytes();
    for (strip, bytes) in strips.into_iter().enumerate() {
        let last = bytes.len() / block_bytes - 1;
        for (i, pair) in panel.blocks.iter_mut().enumerate() {
            let block = (block + i / in_block).min(last);
            let blocks = &bytes[block * block_bytes..][..block_bytes];
            // SAFETY: sixteen interleaved blocks.
            let decoded = unsafe { B::decode(blocks.as_ptr(), (FIRST + i) % in_block) };
            // What nobody reads is not stored.
            pair[strip].codes = decoded.codes;
            pair[strip].scales[0] = decoded.scales[0];
            if B::HALVES {
                pair[strip].scales[1] = decoded.scales[1];
            }
            if B::HAS_MINIMUM && !packs_minimums::<B>(PLANES) {
                pair[strip].minimum = decoded.minimum;
            }
        }
        if packs_minimums::<B>(PLANES) {
            let blocks = &bytes[block * block_bytes..][..block_bytes];
            // SAFETY: as above.
            panel.minimums[strip] = unsafe { B::packed_minimums(blocks.as_ptr(), FIRST) };
        }
    }
}

/// Adds the products of the first `count` sub-blocks of a panel with a few tokens' values of its columns, those of
/// `group`. Not inlined: the loops around it would be unrolled.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline(never)]
fn accumulate_panel<B: Blocks, const PLANES: usize>(
    sums: &mut [[__m512; 2]; TILE_TOKENS],
    panel: &Panel,
    count: usize,
    x: &[[&[Q8Group]; PLANES]; TILE_TOKENS],
    group: usize,
) {
    let x: [[&Q8Group; PLANES]; TILE_TOKENS] = from_fn(|t| x[t].map(|groups| &groups[group]));
    let (mut tile, mut products) = (*sums, [[_mm512_setzero_ps(); 2]; TILE_TOKENS]);
    for (block, weights) in panel.blocks[..count].iter().enumerate() {
        accumulate::<B, PLANES, 2, TILE_TOKENS>(&mut tile, &mut products, weights, &x, block);
    }
    finish::<B, PLANES, 2, TILE_TOKENS>(&mut tile, products, &panel.minimums, &x);
    *sums = tile;
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

/// Adds the products of a sub-block of each strip with the tokens' 32 values of its columns, block `block` of a group.
/// Those of codes are in steps of the group's scale.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn accumulate<B: Blocks, const PLANES: usize, const STRIPS: usize, const TOKENS: usize>(
    sums: &mut [[__m512; STRIPS]; TOKENS],
    products: &mut [[__m512; STRIPS]; TOKENS],
    weights: &[SubBlock; STRIPS],
    x: &[[&Q8Group; PLANES]; TOKENS],
    block: usize,
) {
    // Where there are few sums, each is two, so that a product waits for every other one only.
    let split = STRIPS * TOKENS < 8;
    let words_of_half = if B::HALVES { 4 } else { 8 };
    for half in 0..8 / words_of_half {
        let mut totals = [[_mm512_setzero_si512(); STRIPS]; TOKENS];
        for plane in 0..PLANES {
            let mut dots = [totals, [[_mm512_setzero_si512(); STRIPS]; TOKENS]];
            for (dots, x) in dots[0].iter_mut().zip(x) {
                let offset = offset::<B>(x[plane], block, half);
                for dots in dots {
                    let coarser = _mm512_mullo_epi32(*dots, _mm512_set1_epi32(RESIDUAL_STEPS));
                    *dots = _mm512_add_epi32(coarser, offset);
                }
            }
            for word in half * words_of_half..(half + 1) * words_of_half {
                let place = interleaved(block * SCALE_LEN + 4 * word);
                let dots = &mut dots[if split { word % 2 } else { 0 }];
                for (dots, x) in dots.iter_mut().zip(x) {
                    let codes = x[plane].codes.as_ptr();
                    // SAFETY: `interleaved` gives a place inside the group for every word.
                    let codes = unsafe { codes.add(place).cast::<i32>().read_unaligned() };
                    for (dots, weights) in dots.iter_mut().zip(weights) {
                        *dots = _mm512_dpbusd_epi32(
                            *dots,
                            weights.codes[word],
                            _mm512_set1_epi32(codes),
                        );
                    }
                }
            }
            totals = from_fn(|t| {
                from_fn(|strip| _mm512_add_epi32(dots[0][t][strip], dots[1][t][strip]))
            });
        }
        for (t, totals) in totals.iter().enumerate() {
            let x = x[t][PLANES - 1];
            for (strip, (total, weights)) in totals.iter().zip(weights).enumerate() {
                let (total, scale) = (_mm512_cvtepi32_ps(*total), weights.scales[half]);
                if sums_groups(PLANES) {
                    let scale = _mm512_scalef_ps(scale, _mm512_set1_ps(x.exponents[block]));
                    products[t][strip] = _mm512_fmadd_ps(total, scale, products[t][strip]);
                } else {
                    let scale = _mm512_mul_ps(scale, _mm512_set1_ps(x.scales[block]));
                    sums[t][strip] = _mm512_fmadd_ps(total, scale, sums[t][strip]);
                }
            }
        }
    }
    if B::HAS_MINIMUM && !packs_minimums::<B>(PLANES) {
        for (sums, x) in sums.iter_mut().zip(x) {
            let activations = _mm512_set1_ps(x[0].block_sums[block]);
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm512_fmadd_ps(weights.minimum, activations, *sum);
            }
        }
    }
}

/// Adds the products of a group of columns to the sums of all columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn finish<B: Blocks, const PLANES: usize, const STRIPS: usize, const TOKENS: usize>(
    sums: &mut [[__m512; STRIPS]; TOKENS],
    mut products: [[__m512; STRIPS]; TOKENS],
    minimums: &[PackedMinimums; STRIPS],
    x: &[[&Q8Group; PLANES]; TOKENS],
) {
    for ((sums, products), x) in sums.iter_mut().zip(&mut products).zip(x) {
        if packs_minimums::<B>(PLANES) {
            let (sums, _) = x[0].scaled_sums.as_chunks::<2>();
            for (product, minimums) in products.iter_mut().zip(minimums) {
                let mut total = _mm512_setzero_si512();
                for (minimums, [even, odd]) in minimums.pairs.iter().zip(sums) {
                    let pair = i32::from(*odd) << 16 | i32::from(*even as u16);
                    total = _mm512_dpwssd_epi32(total, *minimums, _mm512_set1_epi32(pair));
                }
                *product = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), minimums.step, *product);
            }
        }
        if sums_groups(PLANES) {
            let scale = _mm512_set1_ps(x[0].scale);
            for (sum, product) in sums.iter_mut().zip(products) {
                *sum = _mm512_fmadd_ps(*product, scale, *sum);
            }
        }
    }
}

/// What products begin with, because the codes of weights are too large.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn offset<B: Blocks>(x: &Q8Group, block: usize, half: usize) -> __m512i {
    if B::OFFSET == 0 {
        return _mm512_setzero_si512();
    }
    if B::HALVES {
        let offset = i32::from(x.half_offsets[half * SCALES + block]);
        return _mm512_set1_epi32(B::OFFSET / OFFSET * offset);
    }
    let offset = _mm512_set1_epi32(x.offsets[block]);
    _mm512_mullo_epi32(offset, _mm512_set1_epi32(B::OFFSET / OFFSET))
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

/// A sub-block with one scale.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
fn block_of_32(codes: [__m512i; 8], scale: __m512, minimum: __m512) -> SubBlock {
    SubBlock {
        codes,
        scales: [scale; 2],
        minimum,
    }
}

struct Q4_0;

impl Blocks for Q4_0 {
    const FORMAT: Format = Format::Q4_0;
    const OFFSET: i32 = 8;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, _: usize) -> SubBlock {
        // SAFETY: scales, then four words.
        let (scale, codes) = unsafe { (halves(blocks), nibbles(blocks.add(32))) };
        block_of_32(codes, scale, _mm512_setzero_ps())
    }
}

struct Q4_1;

impl Blocks for Q4_1 {
    const FORMAT: Format = Format::Q4_1;
    const HAS_MINIMUM: bool = true;

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
    const OFFSET: i32 = 16;

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
        block_of_32(codes, scale, _mm512_setzero_ps())
    }
}

struct Q5_1;

impl Blocks for Q5_1 {
    const FORMAT: Format = Format::Q5_1;
    const HAS_MINIMUM: bool = true;

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
    const OFFSET: i32 = 128;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn decode(blocks: *const u8, _: usize) -> SubBlock {
        // As two's complement bytes, plus 128.
        let offset = _mm512_set1_epi8(i8::MIN);
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

/// The minimums of four sub-blocks of Q4_K and Q5_K, from `first` on.
///
/// # Safety
/// The first 256 bytes of the interleaved blocks can be read.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
#[inline]
unsafe fn packed_minimums(blocks: *const u8, first: usize) -> PackedMinimums {
    // SAFETY: sixteen numbers in half precision, then twelve times sixteen bytes.
    let (dmin, minimums) = unsafe {
        let minimum = |s| packed_scale_and_minimum(blocks.add(64), first + s).1;
        (halves(blocks.add(32)), from_fn::<_, SCALES, _>(minimum))
    };
    let pair = |even, odd| {
        let odd = _mm512_slli_epi32::<16>(_mm512_cvtepu8_epi32(odd));
        _mm512_or_si512(_mm512_cvtepu8_epi32(even), odd)
    };
    PackedMinimums {
        pairs: [
            pair(minimums[0], minimums[1]),
            pair(minimums[2], minimums[3]),
        ],
        step: _mm512_mul_ps(dmin, _mm512_set1_ps(-1.0 / SUM_STEPS as f32)),
    }
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
    const HAS_MINIMUM: bool = true;
    const PACKED_MINIMUMS: bool = true;

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

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn packed_minimums(blocks: *const u8, first: usize) -> PackedMinimums {
        // SAFETY: 256 bytes of scales.
        unsafe { packed_minimums(blocks, first) }
    }
}

struct Q5K;

impl Blocks for Q5K {
    const FORMAT: Format = Format::Q5K;
    const HAS_MINIMUM: bool = true;
    const PACKED_MINIMUMS: bool = true;

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

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")]
    #[inline]
    unsafe fn packed_minimums(blocks: *const u8, first: usize) -> PackedMinimums {
        // SAFETY: 256 bytes of scales.
        unsafe { packed_minimums(blocks, first) }
    }
}

struct Q6K;

impl Blocks for Q6K {
    const FORMAT: Format = Format::Q6K;
    const HALVES: bool = true;
    const OFFSET: i32 = 32;

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
            SubBlock {
                codes,
                scales: [scale(0), scale(1)],
                minimum: _mm512_setzero_ps(),
            }
        }
    }
}
