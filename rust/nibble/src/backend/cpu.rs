//! The transformer on the CPU.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use nibble_kernels::{
    Activations, Cpu, Format, KernelError, KvRows, Product, QuantizedActivations,
};

use crate::Result;
use crate::backend::attention::{self, Heads, Part, attend_rows, join, plan};
use crate::backend::batch::{self, RopeTables, Row};
use crate::backend::weights::{Layer, Weight, Weights};
use crate::backend::{HeadRows, Precision, Scratch, SequenceInput};
use crate::gguf::Gguf;
use crate::hparams::Hparams;
use crate::rope::rotate;

/// One model on the CPU: weights as they lie in the mapped file, kernels and a pool of threads.
#[derive(Debug)]
pub struct CpuBackend {
    gguf: Gguf,
    hparams: Hparams,
    weights: Arc<Weights>,
    rope: RopeTables,
    cpu: Cpu,
}

/// Large enough that handing an item to a thread costs little beside it.
const ELEMENTS_PER_ITEM: usize = 4096;

/// Items of attention that each thread gets, at least: later rows take longer.
const ATTENTION_ITEMS: usize = 4;

impl CpuBackend {
    /// Checks the tensors of `gguf` and keeps views of them.
    ///
    /// # Errors
    /// `MissingTensor`, `InvalidTensor`, `UnsupportedQuantization`, `Unsupported`.
    pub fn new(gguf: Gguf, hparams: Hparams, cpu: Cpu) -> Result<CpuBackend> {
        let weights = Arc::new(Weights::load(&gguf, &hparams)?);
        let rope = RopeTables::new(&hparams.rope);
        Ok(CpuBackend {
            gguf,
            hparams,
            weights,
            rope,
            cpu,
        })
    }

    /// Sizes of the network.
    pub fn hparams(&self) -> &Hparams {
        &self.hparams
    }

    /// The file.
    pub fn gguf(&self) -> &Gguf {
        &self.gguf
    }

    /// The tensors, which backends on other devices are made of.
    #[cfg(feature = "candle")]
    pub(super) fn weights(&self) -> &Arc<Weights> {
        &self.weights
    }

    /// Kernels and threads.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// Runs the new tokens of every sequence through the network: prefill, decode, batches of sequences and
    /// restricted heads are all this function. Keys and values join the caches; logits are left in
    /// `scratch`, in the order in which the batch asks for them. `cancel` is polled between work items,
    /// inside every matrix product.
    ///
    /// # Errors
    /// `Cancelled`, `ContextFull`, `InvalidToken`, `InvalidArgument`, `OutOfMemory`; `FileChanged`, and `Io` where the file's
    /// length cannot be asked for. No sequence has advanced then.
    pub fn forward(
        &self,
        batch: &mut [SequenceInput<'_>],
        precision: Precision,
        scratch: &mut Scratch,
        cancel: &AtomicBool,
    ) -> Result<()> {
        self.forward_observed(batch, precision, scratch, cancel, &mut |_, _| {})
    }

    /// [`forward`](Self::forward), showing `observe` the residual stream `[rows, hidden]` after the
    /// embedding (0) and after each layer (1 to `layers`); after the last one only the rows that the batch asks for logits
    /// of, since the others are not computed.
    ///
    /// # Errors
    /// As `forward`.
    pub fn forward_observed(
        &self,
        batch: &mut [SequenceInput<'_>],
        precision: Precision,
        scratch: &mut Scratch,
        cancel: &AtomicBool,
        observe: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<()> {
        self.gguf.check_unchanged()?;
        let _raised = self.cpu.pool().raise_caller();
        let rows = batch::prepare(batch, &self.hparams)?;
        scratch.resize(&self.hparams, rows.len())?;
        let requests = batch.iter().flat_map(|sequence| sequence.heads);
        scratch.resize_logits(&self.hparams, requests.map(|(_, head)| *head))?;

        let tokens = batch.iter().flat_map(|sequence| sequence.tokens);
        self.weights
            .embed(tokens, self.hparams.hidden, &mut scratch.x)?;
        self.rope
            .angles(batch, &rows, &mut scratch.cos, &mut scratch.sin);
        observe(0, &scratch.x);

        let mut pass = Pass {
            model: self,
            rows,
            precision,
            cancel,
        };
        let wanted = batch::head_requests(batch);
        let last = self.weights.layers.len().saturating_sub(1);
        for (index, layer) in self.weights.layers.iter().enumerate() {
            // Nobody reads what the last layer makes of other rows, but for their keys and values.
            let wanted = (index == last).then_some(wanted.as_slice());
            pass.attention(index, layer, batch, wanted, scratch)?;
            pass.feed_forward(layer, scratch)?;
            observe(index + 1, &scratch.x);
        }
        pass.head(&wanted, scratch)?;

        for sequence in batch.iter_mut() {
            sequence.cache.advance(sequence.tokens.len());
        }
        Ok(())
    }
}

/// One forward pass: the rows that it still computes, and how.
struct Pass<'a> {
    model: &'a CpuBackend,
    rows: Vec<Row>,
    precision: Precision,
    cancel: &'a AtomicBool,
}

impl Pass<'_> {
    /// `x += output(attention(rope(query(norm(x))), rope(key(norm(x))), value(norm(x))))`. Once keys and values are in the
    /// caches, the pass goes on with the `wanted` rows only, if some are named.
    fn attention(
        &mut self,
        index: usize,
        layer: &Layer,
        batch: &mut [SequenceInput<'_>],
        wanted: Option<&[(usize, HeadRows<'_>)]>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let hparams = &self.model.hparams;
        self.norm_for(
            [&layer.query, &layer.key, &layer.value],
            &layer.attention_norm,
            &scratch.x,
            (&mut scratch.normed, &mut scratch.quantized),
        )?;
        self.linear(
            (&scratch.normed, &scratch.quantized),
            [
                (&layer.query, &mut scratch.queries),
                (&layer.key, &mut scratch.keys),
                (&layer.value, &mut scratch.values),
            ],
        )?;

        self.rotate(
            hparams.heads,
            &mut scratch.queries,
            &scratch.cos,
            &scratch.sin,
        )?;
        self.rotate(
            hparams.kv_heads,
            &mut scratch.keys,
            &scratch.cos,
            &scratch.sin,
        )?;

        let kv_width = hparams.kv_heads * hparams.head_dim;
        let new = scratch
            .keys
            .chunks_exact(kv_width)
            .zip(scratch.values.chunks_exact(kv_width));
        for (row, (keys, values)) in self.rows.iter().zip(new) {
            if let Some(sequence) = batch.get_mut(row.sequence) {
                sequence.cache.write(index, row.position, keys, values)?;
            }
        }
        if let Some(wanted) = wanted {
            self.keep(wanted, scratch)?;
        }

        self.attend(
            index,
            batch,
            &scratch.queries,
            &mut scratch.attention_parts,
            &mut scratch.attention,
        )?;
        self.linear_add(
            &scratch.attention,
            &mut scratch.quantized,
            &layer.attention_output,
            &mut scratch.x,
        )
    }

    /// Goes on with the rows of `requests` only.
    fn keep(&mut self, requests: &[(usize, HeadRows<'_>)], scratch: &mut Scratch) -> Result<()> {
        let rows = || requests.iter().map(|(row, _)| *row);
        scratch.keep(&self.model.hparams, rows())?;
        self.rows = rows()
            .filter_map(|row| self.rows.get(row).copied())
            .collect();
        Ok(())
    }

    /// Causal attention: `softmax(q k^T / sqrt(d)) v` for each row and head. A work item is several rows; where there are
    /// few, some of their heads and of the positions that they see.
    fn attend(
        &self,
        layer: usize,
        batch: &[SequenceInput<'_>],
        queries: &[f32],
        parts: &mut Vec<Part>,
        out: &mut [f32],
    ) -> Result<()> {
        let hparams = &self.model.hparams;
        let heads = Heads {
            layer,
            kv_heads: hparams.kv_heads,
            group: hparams.group(),
            head_dim: hparams.head_dim,
            scale: 1.0 / (hparams.head_dim as f32).sqrt(),
        };
        let kernels = self.model.cpu.kernels();
        let caches: Vec<_> = batch.iter().map(|sequence| &*sequence.cache).collect();
        let items = ATTENTION_ITEMS * self.model.cpu.threads();

        let rows_per_item = (self.rows.len() / items).min(attention::ROWS);
        if rows_per_item > 1 {
            let width = rows_per_item * heads.row_width();
            return self.for_each_chunk(out, width, |item, out| {
                let rows = self.rows.chunks(rows_per_item).nth(item);
                let queries = queries.chunks(width).nth(item);
                let (rows, queries) = (rows.unwrap_or_default(), queries.unwrap_or_default());
                attend_rows(kernels, heads, &caches, rows, queries, out)
            });
        }

        plan(parts, &self.rows, heads, items);
        // Neighbours, so that each can have the keys of the next one fetched.
        let width = parts.len().div_ceil(items).max(1);
        self.for_each_chunk(parts, width, |_, parts| {
            let mut parts = parts.iter_mut().peekable();
            while let Some(part) = parts.next() {
                let next = parts.peek();
                let next = next.map(|next| next.first_keys(heads, &caches, &self.rows));
                let caches = (&caches[..], next.unwrap_or(KvRows::EMPTY));
                part.attend(kernels, heads, caches, (&self.rows, queries))?;
            }
            Ok(())
        })?;
        self.for_each_chunk(out, heads.row_width(), |row, out| {
            join(kernels, heads, parts, row, out);
            Ok(())
        })
    }

    /// `x += down(silu(gate(norm(x))) * up(norm(x)))`
    fn feed_forward(&self, layer: &Layer, scratch: &mut Scratch) -> Result<()> {
        let (gate, up) = (&layer.gate, &layer.up);
        self.norm_for(
            [gate, up],
            &layer.ffn_norm,
            &scratch.x,
            (&mut scratch.normed, &mut scratch.quantized),
        )?;
        let input = |weight| self.input(weight, &scratch.normed, &scratch.quantized);
        self.model.cpu.matmul_swiglu(
            (gate.matrix()?, input(gate)),
            (up.matrix()?, input(up)),
            &mut scratch.hidden,
            self.cancel,
        )?;
        self.linear_add(
            &scratch.hidden,
            &mut scratch.quantized,
            &layer.down,
            &mut scratch.x,
        )
    }

    /// Logits of all rows that are left, each for its request. Requests for the whole vocabulary that follow
    /// each other are one matrix product.
    fn head(&self, requests: &[(usize, HeadRows<'_>)], scratch: &mut Scratch) -> Result<()> {
        let hidden = self.model.hparams.hidden;
        self.norm(
            &self.model.weights.output_norm,
            &scratch.x,
            &mut scratch.normed,
        )?;

        let weight = &self.model.weights.head;
        let head = weight.matrix()?;
        let mut inputs = scratch.normed.as_slice();
        let mut logits = scratch.logits.as_mut_slice();
        let is_all = |(_, rows): &(usize, HeadRows<'_>)| matches!(rows, HeadRows::All);
        for run in requests.chunk_by(|a, b| is_all(a) && is_all(b)) {
            let (x, rest) = inputs
                .split_at_checked(run.len() * hidden)
                .unwrap_or_default();
            inputs = rest;
            self.quantize_for([weight], x, &mut scratch.quantized)?;
            let x = self.input(weight, x, &scratch.quantized);
            let len = run.iter().map(|(_, rows)| match rows {
                HeadRows::All => head.rows(),
                HeadRows::Set(tokens) => tokens.len(),
            });
            let (out, rest) = std::mem::take(&mut logits)
                .split_at_mut_checked(len.sum())
                .unwrap_or_default();
            logits = rest;
            match run {
                [(_, HeadRows::Set(tokens))] => {
                    let row_of = |&token| self.model.weights.row_of(token);
                    scratch.head_rows.clear();
                    scratch.head_rows.extend(tokens.iter().map(row_of));
                    let rows = &scratch.head_rows;
                    self.model
                        .cpu
                        .matmul_rows(head, rows, x, out, self.cancel)?;
                }
                _ => {
                    self.model.cpu.matmul(head, x, out, self.cancel)?;
                    for logits in out.chunks_exact_mut(head.rows()) {
                        self.by_token(logits, &mut scratch.logits_by_row)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Brings logits from the order of the head's rows to that of tokens.
    fn by_token(&self, logits: &mut [f32], by_row: &mut Vec<f32>) -> Result<()> {
        let Some(order) = &self.model.weights.token_rows else {
            return Ok(());
        };
        by_row.clear();
        by_row.extend_from_slice(logits);
        self.for_each_chunk(logits, ELEMENTS_PER_ITEM, |item, logits| {
            let first = item * ELEMENTS_PER_ITEM;
            let rows = order.rows().range(first..first + logits.len());
            for (logit, row) in logits.iter_mut().zip(rows) {
                *logit = by_row.get(row as usize).copied().unwrap_or(f32::NAN);
            }
            Ok(())
        })
    }

    /// Matrix products that share their input, plain and quantized, as one job for the threads.
    fn linear<const N: usize>(
        &self,
        (x, quantized): (&[f32], &QuantizedActivations),
        products: [(&Weight, &mut Vec<f32>); N],
    ) -> Result<()> {
        let products = products
            .into_iter()
            .map(|(weight, out)| {
                let x = self.input(weight, x, quantized);
                let weight = weight.matrix()?;
                Ok(Product { weight, x, out })
            })
            .collect::<Result<Vec<_>>>()?;
        self.model.cpu.matmuls(products, self.cancel)?;
        Ok(())
    }

    /// `out += weight x`
    fn linear_add(
        &self,
        x: &[f32],
        quantized: &mut QuantizedActivations,
        weight: &Weight,
        out: &mut [f32],
    ) -> Result<()> {
        self.quantize_for([weight], x, quantized)?;
        let x = self.input(weight, x, quantized);
        let weight = weight.matrix()?;
        self.model.cpu.matmul_add(weight, x, out, self.cancel)?;
        Ok(())
    }

    /// Whether a product with `weight` takes quantized inputs.
    fn quantizes(&self, weight: Format) -> bool {
        self.precision != Precision::F32 && weight.takes_q8()
    }

    /// Quantizes `x` once for all of `weights`, if one of them takes it so.
    fn quantize_for<const N: usize>(
        &self,
        weights: [&Weight; N],
        x: &[f32],
        quantized: &mut QuantizedActivations,
    ) -> Result<()> {
        let Some(weight) = weights.iter().find(|w| self.quantizes(w.format)) else {
            return Ok(());
        };
        let (cpu, columns) = (&self.model.cpu, weight.columns);
        Ok(cpu.quantize(x, columns, self.has_residuals(), quantized, self.cancel)?)
    }

    /// [`norm`](Self::norm), and what [`quantize_for`](Self::quantize_for) makes of it.
    fn norm_for<const N: usize>(
        &self,
        weights: [&Weight; N],
        norm: &[f32],
        x: &[f32],
        (normed, quantized): (&mut [f32], &mut QuantizedActivations),
    ) -> Result<()> {
        if !weights.iter().any(|w| self.quantizes(w.format)) {
            return self.norm(norm, x, normed);
        }
        let norm = (norm, self.model.hparams.rms_epsilon);
        let (cpu, has_residuals) = (&self.model.cpu, self.has_residuals());
        Ok(cpu.rms_norm_and_quantize(x, norm, normed, has_residuals, quantized, self.cancel)?)
    }

    /// Whether quantized inputs come with their residuals.
    fn has_residuals(&self) -> bool {
        self.precision == Precision::Q16
    }

    /// The input of a product in the form that `weight` is multiplied with.
    fn input<'b>(
        &self,
        weight: &Weight,
        values: &'b [f32],
        quantized: &'b QuantizedActivations,
    ) -> Activations<'b> {
        if self.quantizes(weight.format) {
            Activations::Q8(quantized)
        } else {
            let cols = weight.columns;
            Activations::F32 { values, cols }
        }
    }

    /// Runs `work` on chunks of `out` on all threads; the first error wins.
    fn for_each_chunk<T: Send>(
        &self,
        out: &mut [T],
        chunk: usize,
        work: impl Fn(usize, &mut [T]) -> Result<(), KernelError> + Sync,
    ) -> Result<()> {
        let failure = OnceLock::new();
        let pool = self.model.cpu.pool();
        pool.for_each_chunk(out, chunk, self.cancel, |index, chunk| {
            if let Err(error) = work(index, chunk) {
                failure.get_or_init(|| error);
            }
        })?;
        failure
            .into_inner()
            .map_or(Ok(()), |error| Err(error.into()))
    }

    fn norm(&self, weight: &[f32], x: &[f32], out: &mut [f32]) -> Result<()> {
        let (hidden, epsilon) = (self.model.hparams.hidden, self.model.hparams.rms_epsilon);
        self.for_each_chunk(out, hidden, |row, out| {
            if let Some(x) = x.chunks_exact(hidden).nth(row) {
                self.model.cpu.kernels().rms_norm(x, weight, epsilon, out);
            }
            Ok(())
        })
    }

    fn rotate(&self, heads: usize, x: &mut [f32], cos: &[f32], sin: &[f32]) -> Result<()> {
        let Hparams {
            head_dim, ref rope, ..
        } = self.model.hparams;
        let pairs = rope.dims / 2;
        self.for_each_chunk(x, heads * head_dim, |row, x| {
            let angles = cos
                .chunks_exact(pairs)
                .nth(row)
                .zip(sin.chunks_exact(pairs).nth(row));
            if let Some((cos, sin)) = angles {
                for head in x.chunks_exact_mut(head_dim) {
                    rotate(rope.pairing, head, cos, sin);
                }
            }
            Ok(())
        })
    }
}
