//! Sixteen rows of a matrix, interleaved so that a vector instruction works on all of them at once.
//!
//! The order of a [`Strip`](STRIP_ROWS) is: block after block along the rows, and within a block part after part, each
//! part a small unit of row 0, the same of row 1, and so on. Scales and minimums are units of their own two bytes,
//! packed 6-bit scales single bytes, and codes four bytes, which is what `vpdpbusd` and `sdot` multiply in one lane.
//! It is a permutation: a strip has the bytes of its rows, and the rows come back bit for bit.
//!
//! One order serves all vector lengths: four, eight or sixteen rows are a part of 16, 32 or 64 bytes.

use std::ops::Range;
use std::slice::ChunksExact;

use crate::activations::{GROUP_LEN, Q8Rows};
use crate::error::KernelError;
use crate::format::Format;
use crate::tile::TileMut;

/// Rows of a strip.
pub const STRIP_ROWS: usize = 16;

/// Bytes of a block that stay together in units.
struct Part {
    bytes: Range<usize>,
    unit: usize,
}

const fn part(start: usize, len: usize, unit: usize) -> Part {
    Part {
        bytes: start..start + len,
        unit,
    }
}

/// The parts of a block in the order in which a strip has them, or `None` for formats without blocks.
const fn parts(format: Format) -> Option<&'static [Part]> {
    Some(match format {
        Format::Q4_0 => &const { [part(0, 2, 2), part(2, 16, 4)] },
        Format::Q4_1 => &const { [part(0, 4, 2), part(4, 16, 4)] },
        Format::Q5_0 => &const { [part(0, 2, 2), part(2, 20, 4)] },
        Format::Q5_1 => &const { [part(0, 4, 2), part(4, 20, 4)] },
        Format::Q8_0 => &const { [part(0, 2, 2), part(2, 32, 4)] },
        Format::Q4K => &const { [part(0, 4, 2), part(4, 12, 1), part(16, 128, 4)] },
        Format::Q5K => &const { [part(0, 4, 2), part(4, 12, 1), part(16, 160, 4)] },
        Format::Q6K => &const { [part(208, 2, 2), part(192, 16, 1), part(0, 192, 4)] },
        Format::F32 | Format::F16 | Format::BF16 => return None,
    })
}

/// Whether a matrix of this shape can be interleaved: its format has blocks, and its rows fill strips.
pub const fn can_interleave(format: Format, rows: usize) -> bool {
    parts(format).is_some() && rows.is_multiple_of(STRIP_ROWS)
}

/// Interleaves rows of `row_bytes` each: `out` gets the strips of `rows`.
///
/// # Errors
/// [`KernelError::Shape`] where the rows do not fill strips, the blocks do not fill rows, or the lengths differ.
pub fn interleave(
    format: Format,
    row_bytes: usize,
    rows: &[u8],
    out: &mut [u8],
) -> Result<(), KernelError> {
    check(format, row_bytes, rows.len(), out.len())?;
    let strip_bytes = STRIP_ROWS * row_bytes;
    for (rows, strip) in rows
        .chunks_exact(strip_bytes)
        .zip(out.chunks_exact_mut(strip_bytes))
    {
        for (row, bytes) in rows.chunks_exact(row_bytes).enumerate() {
            each_unit(format, row_bytes, row, |in_row, in_strip| {
                let from = bytes.get(in_row).unwrap_or_default();
                if let Some(to) = strip.get_mut(in_strip) {
                    to.copy_from_slice(from);
                }
            });
        }
    }
    Ok(())
}

/// The reverse of [`interleave`]: `out` gets the rows of `strips`.
///
/// # Errors
/// As [`interleave`].
pub fn deinterleave(
    format: Format,
    row_bytes: usize,
    strips: &[u8],
    out: &mut [u8],
) -> Result<(), KernelError> {
    check(format, row_bytes, strips.len(), out.len())?;
    let strip_bytes = STRIP_ROWS * row_bytes;
    for (strip, rows) in strips
        .chunks_exact(strip_bytes)
        .zip(out.chunks_exact_mut(strip_bytes))
    {
        for (row, out) in rows.chunks_exact_mut(row_bytes).enumerate() {
            row_of_strip(format, strip, row, out);
        }
    }
    Ok(())
}

/// Tokens from which on kernels may multiply two strips at once; a thread then gets an even number of them.
pub(crate) const TOKENS_OF_PAIRS: usize = 8;

/// Tokens of one call of a kernel, at most.
pub(crate) const MOST_TOKENS: usize = 128;

/// The strips of a product's weights.
///
/// # Panics
/// Where activations of `planes` rows a token, or the output, do not fit them, or there are more than [`MOST_TOKENS`],
/// which [`crate::Cpu`] sees to.
pub(crate) fn strips_of_product<'a>(
    format: Format,
    planes: usize,
    weights: &'a [u8],
    x: Q8Rows<'_>,
    out: &TileMut<'_>,
) -> ChunksExact<'a, u8> {
    let strip_bytes = weights.len() / (out.rows() / STRIP_ROWS);
    let blocks = strip_bytes / (STRIP_ROWS * format.block_bytes());
    assert!(out.rows().is_multiple_of(STRIP_ROWS) && out.tokens() <= MOST_TOKENS);
    assert_eq!(blocks * STRIP_ROWS * format.block_bytes(), strip_bytes);
    assert_eq!(x.rows(), out.tokens() * planes);
    assert_eq!(
        (blocks * format.block_len()).div_ceil(GROUP_LEN),
        x.row_len()
    );
    weights.chunks_exact(strip_bytes)
}

/// Copies row `row` of a strip to `out`, which is one row long.
pub(crate) fn row_of_strip(format: Format, strip: &[u8], row: usize, out: &mut [u8]) {
    each_unit(format, out.len(), row, |in_row, in_strip| {
        let from = strip.get(in_strip).unwrap_or_default();
        if let Some(to) = out.get_mut(in_row) {
            to.copy_from_slice(from);
        }
    });
}

fn check(format: Format, row_bytes: usize, found: usize, out: usize) -> Result<(), KernelError> {
    check_has_blocks(format)?;
    let block = format.block_bytes();
    KernelError::check_multiple("bytes of an interleaved row", block, block, row_bytes)?;
    let strip = STRIP_ROWS.saturating_mul(row_bytes);
    KernelError::check_multiple("bytes of interleaved rows", strip, 0, found)?;
    KernelError::check("bytes of interleaved rows", found, out)
}

/// An error for formats whose rows are not interleaved.
pub(crate) fn check_has_blocks(format: Format) -> Result<(), KernelError> {
    match parts(format) {
        Some(_) => Ok(()),
        None => Err(KernelError::Shape {
            what: "bytes of a block that is interleaved",
            expected: Format::Q4_0.block_bytes(),
            found: format.block_bytes(),
        }),
    }
}

/// Calls `each` with the place of every unit of a row: in the row, and in its strip.
fn each_unit(
    format: Format,
    row_bytes: usize,
    row: usize,
    mut each: impl FnMut(Range<usize>, Range<usize>),
) {
    let block_bytes = format.block_bytes();
    for block in (0..row_bytes / block_bytes * block_bytes).step_by(block_bytes) {
        let mut place = block * STRIP_ROWS;
        for part in parts(format).unwrap_or_default() {
            for start in part.bytes.clone().step_by(part.unit) {
                let in_strip = place + row * part.unit;
                each(
                    block + start..block + start + part.unit,
                    in_strip..in_strip + part.unit,
                );
                place += STRIP_ROWS * part.unit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_come_back(seed: u64, blocks in 1..4_usize, strips in 1..3_usize) {
            for format in Format::ALL {
                let row_bytes = blocks * format.block_bytes();
                let mut state = seed;
                let rows: Vec<u8> = std::iter::repeat_with(|| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8
                })
                .take(strips * STRIP_ROWS * row_bytes)
                .collect();
                let mut strip = vec![0; rows.len()];
                let done = interleave(format, row_bytes, &rows, &mut strip);
                prop_assert_eq!(done.is_ok(), can_interleave(format, strips * STRIP_ROWS));
                if done.is_ok() {
                    let mut back = vec![0; rows.len()];
                    deinterleave(format, row_bytes, &strip, &mut back).unwrap();
                    prop_assert!(back == rows);
                }
            }
        }
    }

    #[test]
    fn every_byte_has_a_place() {
        for format in Format::ALL {
            let Some(parts) = parts(format) else { continue };
            let mut covered = vec![0; format.block_bytes()];
            for part in parts {
                assert!(part.bytes.len().is_multiple_of(part.unit));
                part.bytes.clone().for_each(|byte| covered[byte] += 1);
            }
            assert!(covered.iter().all(|times| *times == 1), "{format}");
        }
    }

    #[test]
    fn what_does_not_fill_strips_is_an_error() {
        let rows = [0; 15 * 18];
        assert!(interleave(Format::Q4_0, 18, &rows, &mut [0; 15 * 18]).is_err());
        assert!(interleave(Format::Q4_0, 17, &[0; 16 * 17], &mut [0; 16 * 17]).is_err());
        assert!(interleave(Format::Q4_0, 18, &[0; 16 * 18], &mut [0; 18]).is_err());
        assert!(interleave(Format::F32, 4, &[0; 64], &mut [0; 64]).is_err());
        assert!(interleave(Format::Q4_0, 0, &[], &mut []).is_err());
    }
}
