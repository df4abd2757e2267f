//! Views of weights.

use crate::error::KernelError;
use crate::format::Format;

/// A borrowed matrix of weights, row after row: `rows` outputs by `cols` inputs, as GGUF has it.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    format: Format,
    rows: usize,
    cols: usize,
    row_bytes: usize,
    data: &'a [u8],
}

impl<'a> Matrix<'a> {
    /// Views `data` as `rows` rows of `cols` values. No alignment is needed.
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
        let row_bytes = match format.row_bytes(cols) {
            Some(bytes) if bytes > 0 => bytes,
            _ => {
                let expected = cols
                    .next_multiple_of(format.block_len())
                    .max(format.block_len());
                return Err(KernelError::Shape {
                    what: "columns of a matrix",
                    expected,
                    found: cols,
                });
            }
        };
        let expected = row_bytes.saturating_mul(rows);
        KernelError::check("bytes of a matrix", expected, data.len())?;
        Ok(Matrix {
            format,
            rows,
            cols,
            row_bytes,
            data,
        })
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

    /// The bytes of one row, or `None` beyond the last.
    pub fn row(&self, row: usize) -> Option<&'a [u8]> {
        self.rows_bytes(row, 1)
    }

    /// The bytes of `count` rows from `first` on, or `None` where they do not exist.
    pub(crate) fn rows_bytes(&self, first: usize, count: usize) -> Option<&'a [u8]> {
        let start = first.checked_mul(self.row_bytes)?;
        let end = first.checked_add(count)?.checked_mul(self.row_bytes)?;
        self.data.get(start..end)
    }
}
