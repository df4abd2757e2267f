//! Buffers of one forward pass, kept from pass to pass.

use std::ops::Range;

use nibble_kernels::QuantizedActivations;

use crate::backend::attention::Part;
use crate::backend::{HeadRows, Precision};
use crate::hparams::Hparams;
use crate::{Error, Result};

/// Buffers of a forward pass and the logits that it leaves. One for each session (or for each worker that
/// runs batches); it grows to the largest batch it has seen and stays there.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Residual stream, `[rows, hidden]`.
    pub(crate) x: Vec<f32>,
    /// Normalised `x`, `[rows, hidden]`.
    pub(crate) normed: Vec<f32>,
    /// Queries, `[rows, heads, head_dim]`.
    pub(crate) queries: Vec<f32>,
    /// Keys, `[rows, kv_heads, head_dim]`.
    pub(crate) keys: Vec<f32>,
    /// Values, `[rows, kv_heads, head_dim]`.
    pub(crate) values: Vec<f32>,
    /// Attention's output, `[rows, heads, head_dim]`.
    pub(crate) attention: Vec<f32>,
    /// Parts of the attention of few tokens, which are added up to `attention`.
    pub(crate) attention_parts: Vec<Part>,
    /// Hidden layer of the feed-forward network, `[rows, ffn]`.
    pub(crate) hidden: Vec<f32>,
    /// Cosines, `[rows, rotary pairs]`.
    pub(crate) cos: Vec<f32>,
    /// Sines, `[rows, rotary pairs]`.
    pub(crate) sin: Vec<f32>,
    /// 8-bit copy of the input of a matrix product.
    pub(crate) quantized: QuantizedActivations,
    /// Rows of the head that belong to the tokens of a request.
    pub(crate) head_rows: Vec<u32>,
    /// Logits of one request in the order of the head's rows, where that is not the order of tokens.
    pub(crate) logits_by_row: Vec<f32>,
    /// Logits, one run for each request.
    pub(crate) logits: Vec<f32>,
    /// End of each request's run in `logits`.
    pub(crate) logit_ends: Vec<usize>,
}

impl Scratch {
    /// Buffers for passes of up to `rows` tokens.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(hparams: &Hparams, rows: usize) -> Result<Scratch> {
        let mut scratch = Scratch::default();
        scratch.resize(hparams, rows)?;
        Ok(scratch)
    }

    /// Makes every buffer exactly as long as a pass over `rows` tokens needs. Capacity never shrinks.
    pub(crate) fn resize(&mut self, hparams: &Hparams, rows: usize) -> Result<()> {
        let buffers = [
            &mut self.x,
            &mut self.normed,
            &mut self.queries,
            &mut self.keys,
            &mut self.values,
            &mut self.attention,
            &mut self.hidden,
            &mut self.cos,
            &mut self.sin,
        ];
        for (buffer, width) in buffers.into_iter().zip(widths(hparams)) {
            resize(buffer, rows * width)?;
        }
        Ok(())
    }

    /// Goes on with some of the rows, in ascending order: their residual stream and queries.
    pub(crate) fn keep(
        &mut self,
        hparams: &Hparams,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Result<()> {
        let query_width = hparams.heads * hparams.head_dim;
        for (buffer, width) in [
            (&mut self.x, hparams.hidden),
            (&mut self.queries, query_width),
        ] {
            for (index, row) in rows.clone().enumerate() {
                buffer.copy_within(row * width..(row + 1) * width, index * width);
            }
        }
        self.resize(hparams, rows.len())
    }

    /// Bytes of the buffers of passes of up to `rows` tokens with logits for one of them, and of the 8- or
    /// 16-bit copies of the inputs of matrix products.
    pub(crate) fn bytes(hparams: &Hparams, precision: Precision, rows: usize) -> u64 {
        // As they are computed, and by token.
        let logits = (hparams.vocabulary as u64).saturating_mul(8);
        let row = Scratch::bytes_per_token(hparams, precision) as u64;
        row.saturating_mul(rows as u64).saturating_add(logits)
    }

    /// Bytes that the buffers of a pass take for each of its tokens, without logits.
    pub fn bytes_per_token(hparams: &Hparams, precision: Precision) -> usize {
        let widest = hparams
            .ffn
            .max(hparams.hidden)
            .max(hparams.heads * hparams.head_dim);
        let copy = match precision {
            Precision::Q8 => QuantizedActivations::bytes(1, widest, false),
            Precision::Q16 => QuantizedActivations::bytes(1, widest, true),
            Precision::F32 => 0,
        };
        let floats: usize = widths(hparams).iter().sum();
        floats.saturating_mul(size_of::<f32>()).saturating_add(copy)
    }

    /// Bytes that the buffers have allocated.
    #[cfg(test)]
    pub(crate) fn allocated_bytes(&self) -> u64 {
        let buffers = [
            &self.x,
            &self.normed,
            &self.queries,
            &self.keys,
            &self.values,
            &self.attention,
            &self.hidden,
            &self.cos,
            &self.sin,
            &self.logits_by_row,
            &self.logits,
        ];
        let floats: usize = buffers.iter().map(|buffer| buffer.capacity()).sum();
        (floats * 4 + self.quantized.allocated_bytes()) as u64
    }

    /// Makes room for the logits of `requests`, in their order.
    pub(crate) fn resize_logits<'a>(
        &mut self,
        hparams: &Hparams,
        requests: impl Iterator<Item = HeadRows<'a>>,
    ) -> Result<()> {
        let mut end = 0;
        self.logit_ends.clear();
        for rows in requests {
            end += match rows {
                HeadRows::All => hparams.vocabulary,
                HeadRows::Set(tokens) => tokens.len(),
            };
            self.logit_ends.push(end);
        }
        resize(&mut self.logits, end)
    }

    /// Logits of request `index` of the last pass: requests count through the batch, sequence by sequence.
    pub fn logits(&self, index: usize) -> Option<&[f32]> {
        self.logits.get(self.run(index)?)
    }

    /// Where the logits of request `index` belong.
    #[cfg(feature = "candle")]
    pub(crate) fn logits_mut(&mut self, index: usize) -> Option<&mut [f32]> {
        let run = self.run(index)?;
        self.logits.get_mut(run)
    }

    fn run(&self, index: usize) -> Option<Range<usize>> {
        let end = *self.logit_ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(previous) => *self.logit_ends.get(previous)?,
            None => 0,
        };
        Some(start..end)
    }
}

/// Widths of the buffers, in the order of their declaration.
fn widths(hparams: &Hparams) -> [usize; 9] {
    let query_width = hparams.heads * hparams.head_dim;
    let kv_width = hparams.kv_heads * hparams.head_dim;
    let pairs = hparams.rope.dims / 2;
    [
        hparams.hidden,
        hparams.hidden,
        query_width,
        kv_width,
        kv_width,
        query_width,
        hparams.ffn,
        pairs,
        pairs,
    ]
}

fn resize(buffer: &mut Vec<f32>, len: usize) -> Result<()> {
    buffer
        .try_reserve_exact(len.saturating_sub(buffer.len()))
        .map_err(|_| Error::OutOfMemory {
            what: "activations",
            needed: (len * size_of::<f32>()) as u64,
        })?;
    buffer.resize(len, 0.0);
    Ok(())
}
