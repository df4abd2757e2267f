//! Reference outputs made with `transformers` (see `fixtures/README.md`).

use std::collections::HashMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

/// One tensor of a reference file, converted to `f32` (token ids and rows stay exact below 2^24).
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub data: Vec<f32>,
}

impl Tensor {
    /// The values as token ids or row numbers.
    pub fn ids(&self) -> Vec<u32> {
        self.data.iter().map(|&value| value as u32).collect()
    }

    /// Row `index` of a two-dimensional tensor.
    pub fn row(&self, index: usize) -> &[f32] {
        let columns = self.shape[1];
        &self.data[index * columns..(index + 1) * columns]
    }
}

/// Reads every tensor of a safetensors file.
pub fn read(path: &Path) -> HashMap<String, Tensor> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let words = view
                .data()
                .chunks_exact(4)
                .map(|b| [b[0], b[1], b[2], b[3]]);
            let data = match view.dtype() {
                Dtype::F32 => words.map(f32::from_le_bytes).collect(),
                Dtype::I32 => words.map(|b| i32::from_le_bytes(b) as f32).collect(),
                other => panic!("{name}: {other:?}"),
            };
            (
                name,
                Tensor {
                    shape: view.shape().to_vec(),
                    data,
                },
            )
        })
        .collect()
}
