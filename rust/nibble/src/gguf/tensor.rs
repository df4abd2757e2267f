//! Tensors of a model file: the directory's entries and views of the data.

use nibble_kernels::{Format, Layout};

use super::ggml_type::ggml_type;
use crate::SharedBytes;

/// What the directory of a file says about a tensor. The bounds of the data were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Elements along each of 1 to 4 dimensions, **innermost first** as GGUF has them: a matrix that maps
    /// 3072 inputs to 1024 outputs is `[3072, 1024]`. None is zero, the product does not overflow.
    pub shape: Vec<usize>,
    /// Number of the type in the file (ggml's `enum ggml_type`).
    pub kind: u32,
    /// The type, if this engine computes with it.
    pub format: Option<Format>,
    /// Where the data begins, in bytes from the start of the file (of the window, for a descriptor), not
    /// of its data section.
    pub offset: u64,
    /// Bytes of the data; `None` if nothing is known of the type.
    pub size_bytes: Option<u64>,
    /// In which file of a split model the data is, from 0.
    pub shard: usize,
    /// How the rows lie; other than one after the other only in a [prepared](crate::prepared) file.
    pub layout: Layout,
}

impl TensorInfo {
    /// The name of the type, as ggml writes it, or `type 99` where it has none.
    pub fn kind_name(&self) -> String {
        match ggml_type(self.kind) {
            Some(known) => known.name.to_owned(),
            None => format!("type {}", self.kind),
        }
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        // Checked not to overflow when it was read.
        self.shape
            .iter()
            .fold(1, |product: usize, &size| product.saturating_mul(size))
    }
}

/// A tensor whose data can be computed with. Cheap to clone; keeps the map of the file alive.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tensor {
    /// Name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Block format of every row.
    pub format: Format,
    /// Elements along each of 1 to 4 dimensions, innermost first; see [`TensorInfo::shape`].
    pub shape: Vec<usize>,
    /// How the rows lie; other than one after the other only in a [prepared](crate::prepared) file.
    pub layout: Layout,
    /// All rows, exactly [`Tensor::rows`] times `format.row_bytes(columns)` bytes.
    pub bytes: SharedBytes,
}

impl Tensor {
    /// Elements of a row: the innermost dimension.
    pub fn columns(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Number of rows: the product of all dimensions but the innermost; 1 for a vector.
    pub fn rows(&self) -> usize {
        // The product of all dimensions was checked not to overflow.
        self.shape
            .iter()
            .skip(1)
            .fold(1, |product: usize, &size| product.saturating_mul(size))
    }
}
