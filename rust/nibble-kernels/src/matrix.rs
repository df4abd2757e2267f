//! Views of weights.

use crate::error::KernelError;
use crate::format::Format;
use crate::interleave::{STRIP_ROWS, check_has_blocks, row_of_strip};

/// How the rows of a matrix lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One after the other, as GGUF has them.
    Rows,
    /// In strips of [`STRIP_ROWS`] interleaved rows, see [`interleave`](crate::interleave()).
    Strips,
}

/// A borrowed matrix of weights: `rows` outputs by `cols` inputs.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    format: Format,
    layout: Layout,
    rows: usize,
    cols: usize,
    row_bytes: usize,
    data: &'a [u8],
}

impl<'a> Matrix<'a> {
    /// Views `data` as `rows` rows of `cols` values, one after the other. No alignment is needed.
    ///
    /// # Errors
    /// [`KernelError::Shape`] where `cols` is zero or no multiple of the format's block length, or
    /// `data` has another length than the rows need.
    pub fn new(
        format: Format,
        rows: usize,
        cols: usize,
        data: &'a [u8],
    ) -> Result<Matrix<'a>, KernelError> {
        let block = format.block_len();
        KernelError::check_multiple("columns of a matrix", block, block, cols)?;
        let row_bytes = format.row_bytes(cols).unwrap_or(usize::MAX);
        let expected = row_bytes.saturating_mul(rows);
        KernelError::check("bytes of a matrix", expected, data.len())?;
        Ok(Matrix {
            format,
            layout: Layout::Rows,
            rows,
            cols,
            row_bytes,
            data,
        })
    }

    /// Views `data` as rows in this layout.
    ///
    /// # Errors
    /// As [`new`](Self::new), and where the rows do not fill strips.
    pub fn with_layout(
        layout: Layout,
        format: Format,
        rows: usize,
        cols: usize,
        data: &'a [u8],
    ) -> Result<Matrix<'a>, KernelError> {
        let matrix = Matrix::new(format, rows, cols, data)?;
        if layout == Layout::Strips {
            KernelError::check_multiple("rows of an interleaved matrix", STRIP_ROWS, 0, rows)?;
            check_has_blocks(format)?;
        }
        Ok(Matrix { layout, ..matrix })
    }

    /// How the rows lie.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The format of the weights.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Rows: the length of a product's output.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: the length of a product's input.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes from one row to the next.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// All bytes.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// The blocks of one row, which are copied to `buffer` where they are interleaved; `None` beyond the last row.
    pub fn row<'b>(&self, row: usize, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        if self.layout == Layout::Rows {
            return self.rows_bytes(row, 1);
        }
        let strip = self.rows_bytes(row / STRIP_ROWS * STRIP_ROWS, STRIP_ROWS)?;
        buffer.resize(self.row_bytes, 0);
        row_of_strip(self.format, strip, row % STRIP_ROWS, buffer);
        Some(buffer)
    }

    /// The bytes of `count` rows from `first` on, whole strips where rows are interleaved, or `None` where they do
    /// not exist.
    pub(crate) fn rows_bytes(&self, first: usize, count: usize) -> Option<&'a [u8]> {
        let start = first.checked_mul(self.row_bytes)?;
        let end = first.checked_add(count)?.checked_mul(self.row_bytes)?;
        self.data.get(start..end)
    }
}
