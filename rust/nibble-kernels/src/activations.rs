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
/// A batch may carry a second set of rows that hold what the first leaves over, quantized in the same
/// way: 16 bits a value in two products of 8 bits, see
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
    has_residual: bool,
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
        self.resize(x, cols, 1)?;
        self.quantize_rows(kernels, x);
        self.has_residual = false;
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
        self.resize(x, cols, 2)?;
        self.quantize_rows(kernels, x);
        let mut rest = std::mem::take(&mut self.rest);
        rest.resize(cols, 0.0);
        for (index, x) in x.chunks_exact(cols).enumerate() {
            let row = self.view().row(index);
            for (block, (rest, x)) in rest
                .chunks_mut(SCALE_LEN)
                .zip(x.chunks(SCALE_LEN))
                .enumerate()
            {
                let scale = row.scales[block];
                for ((rest, x), code) in rest.iter_mut().zip(x).zip(row.block(block)) {
                    *rest = x - f32::from(code) * scale;
                }
            }
            self.quantize_row(kernels, &rest, self.rows + index);
        }
        self.rest = rest;
        self.has_residual = true;
        Ok(())
    }

    /// Makes room for `planes` codes of each value of `x`.
    fn resize(&mut self, x: &[f32], cols: usize, planes: usize) -> Result<(), KernelError> {
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
        let padded = cols.next_multiple_of(GROUP_LEN);
        grow(&mut self.codes, planes * self.rows * padded);
        grow(&mut self.scales, planes * self.rows * (padded / SCALE_LEN));
        grow(&mut self.sums, planes * self.rows * (padded / SUM_LEN));
        Ok(())
    }

    fn quantize_rows(&mut self, kernels: &Kernels, x: &[f32]) {
        for (index, x) in x.chunks_exact(self.cols).enumerate() {
            self.quantize_row(kernels, x, index);
        }
    }

    fn quantize_row(&mut self, kernels: &Kernels, x: &[f32], index: usize) {
        let padded = self.cols.next_multiple_of(GROUP_LEN);
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

    /// What the codes and scales of row `row` stand for, in natural order, or `None` beyond the
    /// last row.
    pub fn dequantized(&self, row: usize) -> Option<Vec<f32>> {
        if row >= self.rows {
            return None;
        }
        let row = self.view().row(row);
        let mut values = Vec::with_capacity(self.cols);
        for block in 0..self.cols / SCALE_LEN {
            let scale = row.scales[block];
            values.extend(row.block(block).map(|code| f32::from(code) * scale));
        }
        Some(values)
    }

    pub(crate) fn view(&self) -> Q8Rows<'_> {
        self.rows_from(0)
    }

    /// What the rows of [`view`](Self::view) leave over, where the batch was quantized so.
    pub(crate) fn residual(&self) -> Option<Q8Rows<'_>> {
        self.has_residual.then(|| self.rows_from(self.rows))
    }

    fn rows_from(&self, first: usize) -> Q8Rows<'_> {
        let padded = self.cols.next_multiple_of(GROUP_LEN);
        let part = |unit: usize| first * padded / unit..(first + self.rows) * padded / unit;
        Q8Rows {
            rows: self.rows,
            padded,
            codes: &self.codes[part(1)],
            scales: &self.scales[part(SCALE_LEN)],
            sums: &self.sums[part(SUM_LEN)],
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
        let group = &self.codes[block / 4 * GROUP_LEN..];
        std::array::from_fn(|i| group[interleaved(block % 4 * 32 + i)])
    }
}

/// Where value `i` of a group of 128 is stored.
pub(crate) const fn interleaved(i: usize) -> usize {
    let (block, word, byte) = (i / 32, i % 32 / 4, i % 4);
    let vector = word % 4 * 2 + word / 4;
    vector * 16 + block * 4 + byte
}
