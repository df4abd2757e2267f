//! The tensors of a model, checked against its sizes. Nothing is copied but the norms.

use std::ops::Range;

use nibble_kernels::{Format, Layout, Matrix, STRIP_ROWS, dequantize};

use crate::SharedBytes;
use crate::gguf::token_rows::TokenRows;
use crate::gguf::{Gguf, Tensor};
use crate::hparams::{Architecture, Hparams};
use crate::{Error, Result};

/// A weight matrix `[rows = outputs, columns = inputs]` in the file's own blocks.
#[derive(Debug, Clone)]
pub(crate) struct Weight {
    bytes: SharedBytes,
    range: Range<usize>,
    pub(crate) format: Format,
    layout: Layout,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Weight {
    /// Bytes in the file.
    #[cfg(feature = "candle")]
    pub(crate) fn bytes(&self) -> u64 {
        self.range.len() as u64
    }

    pub(crate) fn matrix(&self) -> Result<Matrix<'_>> {
        let bytes = self.bytes.get(self.range.clone()).unwrap_or(&[]);
        let (rows, columns) = (self.rows, self.columns);
        Ok(Matrix::with_layout(
            self.layout,
            self.format,
            rows,
            columns,
            bytes,
        )?)
    }
}

/// One transformer layer.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) attention_norm: Vec<f32>,
    pub(crate) query: Weight,
    pub(crate) key: Weight,
    pub(crate) value: Weight,
    pub(crate) attention_output: Weight,
    pub(crate) ffn_norm: Vec<f32>,
    pub(crate) gate: Weight,
    pub(crate) up: Weight,
    pub(crate) down: Weight,
}

/// All tensors of a model.
#[derive(Debug)]
pub(crate) struct Weights {
    pub(crate) embedding: Weight,
    pub(crate) layers: Vec<Layer>,
    pub(crate) output_norm: Vec<f32>,
    /// The language-model head; the embedding where the model ties the two.
    pub(crate) head: Weight,
    /// Which row of embedding and head belongs to which token; `None` where each token has its own number.
    pub(crate) token_rows: Option<TokenRows>,
}

impl Weights {
    /// The row of embedding and head that belongs to `token`.
    pub(crate) fn row_of(&self, token: u32) -> u32 {
        match &self.token_rows {
            // A token that is not there has no row either, which the product says.
            Some(order) => order.rows().get(token as usize).unwrap_or(u32::MAX),
            None => token,
        }
    }

    /// Writes the embeddings of `tokens` to `x`, `[tokens, hidden]`. Only the rows that are asked for are dequantized.
    pub(crate) fn embed<'a>(
        &self,
        tokens: impl Iterator<Item = &'a u32>,
        hidden: usize,
        x: &mut [f32],
    ) -> Result<()> {
        let embedding = self.embedding.matrix()?;
        let mut buffer = Vec::new();
        for (&token, x) in tokens.zip(x.chunks_exact_mut(hidden)) {
            let row = embedding.row(self.row_of(token) as usize, &mut buffer);
            dequantize(embedding.format(), row.unwrap_or_default(), x)?;
        }
        Ok(())
    }

    pub(crate) fn load(gguf: &Gguf, hparams: &Hparams) -> Result<Weights> {
        let Hparams {
            hidden,
            ffn,
            heads,
            kv_heads,
            head_dim,
            vocabulary,
            ..
        } = *hparams;
        let (query_rows, kv_rows) = (heads * head_dim, kv_heads * head_dim);
        let mut loader = Loader {
            gguf,
            loaded: Vec::new(),
        };

        let [embedding] = loader.stacked("token_embd.weight", hidden, [vocabulary])?;
        let head = match gguf.find_tensor("output.weight")? {
            Some(_) => {
                let [head] = loader.stacked("output.weight", hidden, [vocabulary])?;
                head
            }
            None => embedding.clone(),
        };
        let output_norm = loader.norm("output_norm.weight", hidden)?;

        let mut layers = Vec::with_capacity(hparams.layers);
        for index in 0..hparams.layers {
            let name = |part: &str| format!("blk.{index}.{part}.weight");
            // Phi-3 stacks matrices that share their input; rows are whole blocks, so each is a slice.
            let ([query, key, value], [gate, up]) = match hparams.architecture {
                Architecture::Phi3 => (
                    loader.stacked(&name("attn_qkv"), hidden, [query_rows, kv_rows, kv_rows])?,
                    loader.stacked(&name("ffn_up"), hidden, [ffn, ffn])?,
                ),
                Architecture::Llama => {
                    let [query] = loader.stacked(&name("attn_q"), hidden, [query_rows])?;
                    let [key] = loader.stacked(&name("attn_k"), hidden, [kv_rows])?;
                    let [value] = loader.stacked(&name("attn_v"), hidden, [kv_rows])?;
                    let [gate] = loader.stacked(&name("ffn_gate"), hidden, [ffn])?;
                    let [up] = loader.stacked(&name("ffn_up"), hidden, [ffn])?;
                    ([query, key, value], [gate, up])
                }
            };
            let [attention_output] = loader.stacked(&name("attn_output"), query_rows, [hidden])?;
            let [down] = loader.stacked(&name("ffn_down"), ffn, [hidden])?;
            layers.push(Layer {
                attention_norm: loader.norm(&name("attn_norm"), hidden)?,
                query,
                key,
                value,
                attention_output,
                ffn_norm: loader.norm(&name("ffn_norm"), hidden)?,
                gate,
                up,
                down,
            });
        }
        loader.refuse_unknown_tensors()?;
        Ok(Weights {
            embedding,
            layers,
            output_norm,
            head,
            token_rows: gguf
                .prepared_source()
                .map(|source| source.token_rows.clone()),
        })
    }
}

struct Loader<'a> {
    gguf: &'a Gguf,
    loaded: Vec<String>,
}

impl Loader<'_> {
    /// Matrices that lie on top of each other in one tensor, with `rows[i]` rows each.
    fn stacked<const N: usize>(
        &mut self,
        name: &str,
        columns: usize,
        rows: [usize; N],
    ) -> Result<[Weight; N]> {
        let total: usize = rows.iter().sum();
        let tensor = self.tensor(name, &[columns, total])?;
        let row_bytes = tensor
            .format
            .row_bytes(columns)
            .ok_or_else(|| Error::InvalidTensor {
                file: self.gguf.file().to_path_buf(),
                tensor: name.to_owned(),
                expected: format!("rows of whole {} blocks", tensor.format.name()),
                found: format!("{columns} columns"),
            })?;
        if tensor.layout == Layout::Strips
            && rows.iter().any(|rows| !rows.is_multiple_of(STRIP_ROWS))
        {
            return Err(Error::InvalidTensor {
                file: self.gguf.file().to_path_buf(),
                tensor: name.to_owned(),
                expected: format!("matrices of whole strips of {STRIP_ROWS} rows"),
                found: format!("{rows:?} rows"),
            });
        }
        let mut start = 0;
        Ok(rows.map(|rows| {
            let range = start..start + rows * row_bytes;
            start = range.end;
            Weight {
                bytes: tensor.bytes.clone(),
                range,
                format: tensor.format,
                layout: tensor.layout,
                rows,
                columns,
            }
        }))
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<Vec<f32>> {
        let tensor = self.tensor(name, &[width])?;
        let mut values = vec![0.0; width];
        dequantize(tensor.format, &tensor.bytes, &mut values)?;
        Ok(values)
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = self.gguf.tensor(name)?;
        if tensor.shape != shape {
            return Err(Error::InvalidTensor {
                file: self.gguf.file().to_path_buf(),
                tensor: name.to_owned(),
                expected: format!("the shape {shape:?}"),
                found: format!("{:?}", tensor.shape),
            });
        }
        self.loaded.push(name.to_owned());
        Ok(tensor)
    }

    /// A tensor that the network does not use, such as a bias, would change its output: running without it
    /// would be silently wrong.
    fn refuse_unknown_tensors(mut self) -> Result<()> {
        const FACTORS: [&str; 3] = [
            "rope_freqs.weight",
            "rope_factors_short.weight",
            "rope_factors_long.weight",
        ];
        self.loaded.sort_unstable();
        let known = |name: &str| {
            FACTORS.contains(&name)
                || self
                    .loaded
                    .binary_search_by(|loaded| loaded.as_str().cmp(name))
                    .is_ok()
        };
        match self.gguf.tensors().find(|tensor| !known(&tensor.name)) {
            None => Ok(()),
            Some(tensor) => Err(Error::Unsupported {
                file: self.gguf.file().to_path_buf(),
                what: "a tensor that this network has no place for",
                found: tensor.name.clone(),
            }),
        }
    }
}
