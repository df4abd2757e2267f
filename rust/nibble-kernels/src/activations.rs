//! The inputs of a matrix product: `f32`, or quantized to 8 bits.

#![allow(
    clippy::indexing_slicing,
    reason = "offsets are products of the sizes that `quantize` gave the buffers"
)]

use crate::error::KernelError;
use crate::kernels::Kernels;

/// Values that share a scale.
pub(crate) const SCALE_LEN: usize = 32;
/// Values whose sum is kept, so that minimums and offsets of the weights cost one multiplication.
pub(crate) const SUM_LEN: usize = 16;
/// Values that are stored interleaved; rows are padded with zeros to a multiple of it.
pub(crate) const GROUP_LEN: usize = 128;

/// Rows of activations, quantized symmetrically to 8 bits with one `f32` scale for every 32 values.
///
/// Every block format takes the same activations. Scales for 32 values, where ggml has 256 for its
/// K formats, are more exact, and the interleaved order makes them free:
///
/// Each group of 128 values (four scale blocks `b` of eight 4-byte words `w`) is stored as eight
/// 16-byte vectors, in the order `w` = 0, 4, 1, 5, 2, 6, 3, 7; vector `w` holds word `w` of the four
/// blocks. So a 32-bit lane of a vector always belongs to one scale block, and in a 32-byte load to
/// one half of it (16 values, the unit of Q6_K's scales). Integer dot products accumulate in
/// lanes, over 16 or 32 values, and one multiplication by a vector of scales finishes a group. It is
/// what `pmaddubsw`, `vpdpbusd` and `sdot` want, whether weights lie in rows or in tiles.
///
/// The sums are `scale * (sum of the 16 codes)`, in the order of those lanes: first halves of the
/// four blocks, then second halves.
///
/// Each row may be followed by a second one that holds what the first leaves over, quantized in the
/// same way: 16 bits a value in two products of 8 bits, see
/// [`quantize_with_residual`](Self::quantize_with_residual).
///
/// The buffers grow and never shrink: keep one and quantize into it again.
#[derive(Debug, Default)]
pub struct QuantizedActivations {
    codes: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<f32>,
    rows: usize,
    cols: usize,
    has_residuals: bool,
    /// What the codes leave over of one row.
    rest: Vec<f32>,
}

impl QuantizedActivations {
    /// An empty batch that has allocated nothing.
    pub fn new() -> QuantizedActivations {
        QuantizedActivations::default()
    }

    /// Replaces the batch by the rows of `x`, each of `cols` values. A block that holds a NaN or an
    /// infinity gets the scale NaN, so that every product with it is NaN.
    ///
    /// # Errors
    /// [`KernelError::Shape`] where `cols` is zero or no multiple of 32, or `x` is not made of whole
    /// rows.
    pub fn quantize(
        &mut self,
        kernels: &Kernels,
        x: &[f32],
        cols: usize,
    ) -> Result<(), KernelError> {
        self.resize(x, cols, false)?;
        for (index, x) in x.chunks_exact(cols).enumerate() {
            self.quantize_row(kernels, x, index);
        }
        Ok(())
    }

    /// As [`quantize`](Self::quantize), with a second code for what the first leaves over of each
    /// value. Products with such a batch are the sum of two, and about as exact as in half
    /// precision.
    ///
    /// # Errors
    /// As [`quantize`](Self::quantize).
    pub fn quantize_with_residual(
        &mut self,
        kernels: &Kernels,
        x: &[f32],
        cols: usize,
    ) -> Result<(), KernelError> {
        self.resize(x, cols, true)?;
        let mut buffer = std::mem::take(&mut self.rest);
        grow(&mut buffer, cols);
        let rest = &mut buffer[..cols];
        for (index, x) in x.chunks_exact(cols).enumerate() {
            self.quantize_row(kernels, x, 2 * index);
            let row = self.view().row(2 * index);
            let blocks = rest.chunks_mut(SCALE_LEN).zip(x.chunks(SCALE_LEN));
            for (block, (rest, x)) in blocks.enumerate() {
                let scale = row.scales[block];
                for ((rest, x), code) in rest.iter_mut().zip(x).zip(row.block(block)) {
                    *rest = x - f32::from(code) * scale;
                }
            }
            self.quantize_row(kernels, rest, 2 * index + 1);
        }
        self.rest = buffer;
        Ok(())
    }

    /// Makes room for the codes of `x`, and for residuals.
    fn resize(&mut self, x: &[f32], cols: usize, has_residuals: bool) -> Result<(), KernelError> {
        if cols == 0 || !cols.is_multiple_of(SCALE_LEN) {
            let expected = cols.next_multiple_of(SCALE_LEN).max(SCALE_LEN);
            return Err(KernelError::Shape {
                what: "columns of activations",
                expected,
                found: cols,
            });
        }
        if !x.len().is_multiple_of(cols) {
            let expected = x.len().next_multiple_of(cols);
            return Err(KernelError::Shape {
                what: "activations",
                expected,
                found: x.len(),
            });
        }
        self.rows = x.len() / cols;
        self.cols = cols;
        self.has_residuals = has_residuals;
        let (rows, padded) = self.shape();
        grow(&mut self.codes, rows * padded);
        grow(&mut self.scales, rows * padded / SCALE_LEN);
        grow(&mut self.sums, rows * padded / SUM_LEN);
        Ok(())
    }

    /// Rows of codes and their length with what pads them to whole groups.
    fn shape(&self) -> (usize, usize) {
        let rows = self.rows * self.planes();
        (rows, self.cols.next_multiple_of(GROUP_LEN))
    }

    fn quantize_row(&mut self, kernels: &Kernels, x: &[f32], index: usize) {
        let (_, padded) = self.shape();
        let part = |unit: usize| index * padded / unit..(index + 1) * padded / unit;
        kernels.quantize_row(
            x,
            &mut self.codes[part(1)],
            &mut self.scales[part(SCALE_LEN)],
            &mut self.sums[part(SUM_LEN)],
        );
    }

    /// Rows of the batch (tokens).
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// What the codes and scales of row `row`, and its residual if it has one, stand for, in natural
    /// order; `None` beyond the last row.
    pub fn dequantized(&self, row: usize) -> Option<Vec<f32>> {
        if row >= self.rows {
            return None;
        }
        let mut values = vec![0.0; self.cols];
        for plane in 0..self.planes() {
            let row = self.view().row(row * self.planes() + plane);
            for (block, values) in values.chunks_mut(SCALE_LEN).enumerate() {
                for (value, code) in values.iter_mut().zip(row.block(block)) {
                    *value += f32::from(code) * row.scales[block];
                }
            }
        }
        Some(values)
    }

    /// Rows of codes for each row of values: 2 with residuals, which follow their rows, else 1.
    pub(crate) fn planes(&self) -> usize {
        1 + usize::from(self.has_residuals)
    }

    /// All rows of codes, [`planes`](Self::planes) for each row of values.
    pub(crate) fn view(&self) -> Q8Rows<'_> {
        let (rows, padded) = self.shape();
        Q8Rows {
            rows,
            padded,
            codes: &self.codes[..rows * padded],
            scales: &self.scales[..rows * padded / SCALE_LEN],
            sums: &self.sums[..rows * padded / SUM_LEN],
        }
    }
}

/// Makes `buffer` at least `len` long.
fn grow<T: Clone + Default>(buffer: &mut Vec<T>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
}

/// The inputs of a matrix product, one row for each token.
#[derive(Debug, Clone, Copy)]
pub enum Activations<'a> {
    /// Single precision: exact, and slower.
    F32 {
        /// The rows, one after the other.
        values: &'a [f32],
        /// Values of a row.
        cols: usize,
    },
    /// Quantized to 8 bits.
    Q8(&'a QuantizedActivations),
}

/// Quantized rows as the kernels see them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Q8Rows<'a> {
    rows: usize,
    padded: usize,
    codes: &'a [i8],
    scales: &'a [f32],
    sums: &'a [f32],
}

impl<'a> Q8Rows<'a> {
    /// Rows (tokens).
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Codes of a row, with those that pad it to whole groups.
    pub(crate) fn padded_cols(&self) -> usize {
        self.padded
    }

    /// The rows `first..first + count`, which must exist.
    pub(crate) fn slice(&self, first: usize, count: usize) -> Q8Rows<'a> {
        let part = |unit: usize| {
            let len = self.padded / unit;
            first * len..(first + count) * len
        };
        Q8Rows {
            rows: count,
            padded: self.padded,
            codes: &self.codes[part(1)],
            scales: &self.scales[part(SCALE_LEN)],
            sums: &self.sums[part(SUM_LEN)],
        }
    }

    /// One row, which must exist.
    pub(crate) fn row(&self, row: usize) -> Q8Row<'a> {
        let one = self.slice(row, 1);
        Q8Row {
            codes: one.codes,
            scales: one.scales,
            sums: one.sums,
        }
    }
}

/// One quantized row, padded with zeros to whole groups. See [`QuantizedActivations`] for the order
/// of the codes and of the sums.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Q8Row<'a> {
    /// A code for each value; between -127 and 127.
    pub(crate) codes: &'a [i8],
    /// A scale for each 32 values.
    pub(crate) scales: &'a [f32],
    /// `scale * sum of codes` for each 16 values.
    pub(crate) sums: &'a [f32],
}

impl Q8Row<'_> {
    /// The 32 codes of a scale block in natural order.
    pub(crate) fn block(&self, block: usize) -> [i8; 32] {
        let group = &self.codes[block / 4 * GROUP_LEN..][..GROUP_LEN];
        let mut codes = [0; 32];
        for (word, codes) in codes.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let first = interleaved(block % 4 * SCALE_LEN + 4 * word);
            codes.copy_from_slice(&group[first..first + 4]);
        }
        codes
    }
}

/// Where value `i` of a group of 128 is stored.
pub(crate) const fn interleaved(i: usize) -> usize {
    let (block, word, byte) = (i / 32, i % 32 / 4, i % 4);
    let vector = word % 4 * 2 + word / 4;
    vector * 16 + block * 4 + byte
}
