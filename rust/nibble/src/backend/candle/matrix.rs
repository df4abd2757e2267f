//! Weights as candle has them, and the products with them.

use std::borrow::Cow;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};
use nibble_kernels::{Format, Layout, deinterleave};

use super::failure::failure;
use crate::backend::Precision;
use crate::backend::weights::Weight;
use crate::{Error, Result};

/// Candle casts bytes to blocks and numbers, and asserts that they lie as those must: at most this many bytes.
const ALIGNMENT: usize = 4;

/// A matrix of weights on the device, `[outputs, inputs]`.
#[derive(Debug)]
pub(super) enum Matrix {
    /// In blocks, a copy of the file's.
    Blocks(QTensor),
    /// Formats without blocks, in single precision.
    Floats(Tensor),
}

impl Matrix {
    /// Copies `weight` to `device`. A prepared file's rows are taken apart, and where they have an order of their own,
    /// `order` names the row of each output; so the device has what the source of that file has.
    pub(super) fn load(weight: &Weight, order: Option<&[u32]>, device: &Device) -> Result<Matrix> {
        let bytes = source_rows(weight, order)?;
        let storage =
            QStorage::from_data(Cow::Borrowed(bytes.get()), device, kind_of(weight.format)?)?;
        let blocks = QTensor::new(storage, (weight.rows, weight.columns))?;
        match weight.format {
            Format::F32 | Format::F16 | Format::BF16 => {
                Ok(Matrix::Floats(blocks.dequantize(device)?))
            }
            _ => Ok(Matrix::Blocks(blocks)),
        }
    }

    /// The product with `x`, `[rows, inputs]`: `[rows, outputs]`. In `F32` the blocks are dequantized for it, which
    /// takes four bytes a weight as long as it lasts; in the others candle quantizes `x` to 8 bits, in its own way.
    pub(super) fn product(&self, x: &Tensor, precision: Precision) -> Result<Tensor> {
        Ok(match (self, precision) {
            (Matrix::Floats(weights), _) => x.matmul(&weights.t()?)?,
            (Matrix::Blocks(blocks), Precision::F32) => {
                x.matmul(&blocks.dequantize(x.device())?.t()?)?
            }
            (Matrix::Blocks(blocks), Precision::Q8 | Precision::Q16) => {
                x.contiguous()?.apply_op1_no_bwd(blocks)?
            }
        })
    }
}

/// Candle's name of `format`.
fn kind_of(format: Format) -> Result<GgmlDType> {
    Ok(match format {
        Format::F32 => GgmlDType::F32,
        Format::F16 => GgmlDType::F16,
        Format::BF16 => GgmlDType::BF16,
        Format::Q4_0 => GgmlDType::Q4_0,
        Format::Q4_1 => GgmlDType::Q4_1,
        Format::Q5_0 => GgmlDType::Q5_0,
        Format::Q5_1 => GgmlDType::Q5_1,
        Format::Q8_0 => GgmlDType::Q8_0,
        Format::Q4K => GgmlDType::Q4K,
        Format::Q5K => GgmlDType::Q5K,
        Format::Q6K => GgmlDType::Q6K,
        other => return Err(failure(format!("it has no weights of {other}"))),
    })
}

/// The rows of a matrix as the source of a prepared file has them, at an address that candle takes.
enum Rows<'a> {
    Mapped(&'a [u8]),
    Copied { buffer: Vec<u8>, start: usize },
}

impl Rows<'_> {
    /// Zeros in place of `len` bytes.
    fn zeroed(len: usize) -> Result<Rows<'static>> {
        let room = len.saturating_add(ALIGNMENT);
        let mut buffer: Vec<u8> = Vec::new();
        buffer
            .try_reserve_exact(room)
            .map_err(|_| Error::OutOfMemory {
                what: "a matrix",
                needed: room as u64,
            })?;
        let start = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        buffer.resize(start.saturating_add(len), 0);
        Ok(Rows::Copied { buffer, start })
    }

    fn get(&self) -> &[u8] {
        match self {
            Rows::Mapped(bytes) => bytes,
            Rows::Copied { buffer, start } => buffer.get(*start..).unwrap_or_default(),
        }
    }

    fn get_mut(&mut self) -> &mut [u8] {
        match self {
            Rows::Mapped(_) => &mut [],
            Rows::Copied { buffer, start } => buffer.get_mut(*start..).unwrap_or_default(),
        }
    }
}

fn source_rows<'a>(weight: &'a Weight, order: Option<&[u32]>) -> Result<Rows<'a>> {
    let matrix = weight.matrix()?;
    let (bytes, row_bytes) = (matrix.data(), matrix.row_bytes());
    if let Some(order) = order {
        let mut rows = Rows::zeroed(bytes.len())?;
        let mut buffer = Vec::new();
        for (&row, out) in order.iter().zip(rows.get_mut().chunks_exact_mut(row_bytes)) {
            let row = matrix.row(row as usize, &mut buffer);
            out.copy_from_slice(row.ok_or_else(|| Error::Internal {
                what: "a token without a row".to_owned(),
            })?);
        }
        return Ok(rows);
    }
    if matrix.layout() == Layout::Rows && bytes.as_ptr().align_offset(ALIGNMENT) == 0 {
        return Ok(Rows::Mapped(bytes));
    }
    let mut rows = Rows::zeroed(bytes.len())?;
    match matrix.layout() {
        Layout::Rows => rows.get_mut().copy_from_slice(bytes),
        Layout::Strips => deinterleave(matrix.format(), row_bytes, bytes, rows.get_mut())?,
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_candle_s_with_the_same_blocks() {
        for format in Format::ALL {
            let kind = kind_of(format).unwrap();
            assert_eq!(kind.block_size(), format.block_len(), "{format}");
            assert_eq!(kind.type_size(), format.block_bytes(), "{format}");
        }
    }

    #[test]
    fn copied_rows_lie_where_candle_takes_them() {
        for len in 1..40 {
            let rows = Rows::zeroed(len).unwrap();
            assert_eq!(rows.get().len(), len);
            assert_eq!(rows.get().as_ptr().align_offset(ALIGNMENT), 0);
        }
    }
}
