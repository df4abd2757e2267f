//! The transformer once more, on tensors of `candle-core`: an independent check of our own kernels, and the way to
//! Metal and CUDA.
//!
//! Candle does the arithmetic: matrix products, normalisation, rotation, attention, the head. What it is given is the
//! engine's: rows of the embedding, cosines and sines of the positions, and keys and values, which stay in the
//! [`KvCache`]; so truncating, forking and the formats of a cache are what they are on the CPU, and a session can go
//! from one backend to the other between two passes. Every pass therefore copies the cached positions to the device.
//!
//! Weights are copied to the device in the blocks of the file; those of a prepared file are first brought back to the
//! order of its source. On processors candle lays some formats out anew at the first product and keeps both, so a
//! model takes up to three times its weights. Its threads are its own, shared by the whole process:
//! [`ModelOptions::threads`](crate::ModelOptions::threads) does not reach them.

mod failure;
mod matrix;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{D, Device, Tensor};
use half::slice::HalfFloatSliceExt;
use nibble_kernels::{Format, KvRows, dequantize};

use crate::backend::batch::{self, RopeTables, Row};
use crate::backend::weights::{self, Weight, Weights};
use crate::backend::{HeadRows, Precision, Scratch, SequenceInput};
use crate::hparams::Hparams;
use crate::kv_cache::KvCache;
use crate::rope::Pairing;
use crate::{Error, Result};

use failure::{failure, guarded};
use matrix::Matrix;

/// How many times the bytes of the weights candle may take on a processor: its copy, and what it lays out anew, which
/// for Q6_K has half as many bytes again in 0.11.
const MEMORY_OF_WEIGHTS: u64 = 3;

/// One model on a device of candle's.
#[derive(Debug)]
pub(super) struct CandleBackend {
    device: Device,
    hparams: Hparams,
    weights: Arc<Weights>,
    rope: RopeTables,
    layers: Vec<Layer>,
    output_norm: Tensor,
    head: Matrix,
}

/// One transformer layer.
#[derive(Debug)]
struct Layer {
    attention_norm: Tensor,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    attention_output: Matrix,
    ffn_norm: Tensor,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

impl CandleBackend {
    /// Copies `weights` to `device`.
    ///
    /// # Errors
    /// `Backend` for whatever candle says; `OutOfMemory`.
    pub(super) fn load(
        weights: &Arc<Weights>,
        hparams: &Hparams,
        device: Device,
    ) -> Result<CandleBackend> {
        if device.is_cpu() {
            check_memory(weights)?;
        }
        guarded(|| {
            let vector = |values: &[f32]| Tensor::from_slice(values, values.len(), &device);
            let matrix = |weight: &Weight| Matrix::load(weight, None, &device);
            let layer = |layer: &weights::Layer| {
                Ok(Layer {
                    attention_norm: vector(&layer.attention_norm)?,
                    query: matrix(&layer.query)?,
                    key: matrix(&layer.key)?,
                    value: matrix(&layer.value)?,
                    attention_output: matrix(&layer.attention_output)?,
                    ffn_norm: vector(&layer.ffn_norm)?,
                    gate: matrix(&layer.gate)?,
                    up: matrix(&layer.up)?,
                    down: matrix(&layer.down)?,
                })
            };
            let layers = weights.layers.iter().map(layer);
            let order = weights.token_rows.as_ref();
            let order: Option<Vec<u32>> = order.map(|order| order.rows().iter().collect());
            Ok(CandleBackend {
                hparams: hparams.clone(),
                weights: weights.clone(),
                rope: RopeTables::new(&hparams.rope),
                layers: layers.collect::<Result<_>>()?,
                output_norm: vector(&weights.output_norm)?,
                head: Matrix::load(&weights.head, order.as_deref(), &device)?,
                device: device.clone(),
            })
        })
    }

    /// As [`CpuBackend::forward`](crate::backend::cpu::CpuBackend::forward), but that `cancel` is polled between layers.
    /// A restricted head is computed whole, and its rows are picked on the device.
    ///
    /// # Errors
    /// As there, and `Backend`. No sequence has advanced then.
    pub(super) fn forward(
        &self,
        batch: &mut [SequenceInput<'_>],
        precision: Precision,
        scratch: &mut Scratch,
        cancel: &AtomicBool,
    ) -> Result<()> {
        if precision != Precision::F32 && self.device.is_cpu() {
            check_quantized_products()?;
        }
        let rows = batch::prepare(batch, &self.hparams)?;
        scratch.resize(&self.hparams, rows.len())?;
        let requests = batch.iter().flat_map(|sequence| sequence.heads);
        scratch.resize_logits(&self.hparams, requests.map(|(_, head)| *head))?;
        if rows.is_empty() {
            return Ok(());
        }

        let tokens = batch.iter().flat_map(|sequence| sequence.tokens);
        self.weights
            .embed(tokens, self.hparams.hidden, &mut scratch.x)?;
        self.rope
            .angles(batch, &rows, &mut scratch.cos, &mut scratch.sin);
        guarded(|| {
            let pairs = self.hparams.rope.dims / 2;
            let pass = Pass {
                model: self,
                rows: &rows,
                precision,
                cos: self.tensor(&scratch.cos, &[rows.len(), 1, pairs])?,
                sin: self.tensor(&scratch.sin, &[rows.len(), 1, pairs])?,
            };
            let mut x = self.tensor(&scratch.x, &[rows.len(), self.hparams.hidden])?;
            for (index, layer) in self.layers.iter().enumerate() {
                check_cancelled(cancel)?;
                x = pass.attention(index, layer, batch, &x)?;
                x = pass.feed_forward(layer, &x)?;
            }
            check_cancelled(cancel)?;
            pass.head(batch, &x, scratch)
        })?;

        for sequence in batch.iter_mut() {
            sequence.cache.advance(sequence.tokens.len());
        }
        Ok(())
    }

    fn tensor(&self, values: &[f32], shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_slice(values, shape, &self.device)?)
    }
}

/// What stays the same throughout one forward pass.
struct Pass<'a> {
    model: &'a CandleBackend,
    rows: &'a [Row],
    precision: Precision,
    /// `[rows, 1, rotary pairs]`.
    cos: Tensor,
    /// `[rows, 1, rotary pairs]`.
    sin: Tensor,
}

impl Pass<'_> {
    /// `x + output(attention(rope(query(norm(x))), rope(key(norm(x))), value(norm(x))))`
    fn attention(
        &self,
        index: usize,
        layer: &Layer,
        batch: &mut [SequenceInput<'_>],
        x: &Tensor,
    ) -> Result<Tensor> {
        let normed = self.norm(x, &layer.attention_norm)?;
        let queries = self.rotate(&layer.query.product(&normed, self.precision)?)?;
        let keys = self.rotate(&layer.key.product(&normed, self.precision)?)?;
        let values = layer.value.product(&normed, self.precision)?;
        self.remember(index, batch, &keys, &values)?;

        let mut attended = Vec::with_capacity(batch.len());
        let mut start = 0;
        for sequence in batch.iter().filter(|sequence| !sequence.tokens.is_empty()) {
            let queries = queries.narrow(0, start, sequence.tokens.len())?;
            attended.push(self.attend(index, sequence.cache, &queries)?);
            start += sequence.tokens.len();
        }
        let attended = Tensor::cat(&attended, 0)?;
        Ok((x + layer.attention_output.product(&attended, self.precision)?)?)
    }

    /// Stores keys `[rows, kv_heads, head_dim]` and values `[rows, kv_heads * head_dim]` of the new positions.
    fn remember(
        &self,
        layer: usize,
        batch: &mut [SequenceInput<'_>],
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<()> {
        let width = self.model.hparams.kv_heads * self.model.hparams.head_dim;
        let keys = keys.flatten_all()?.to_vec1::<f32>()?;
        let values = values.flatten_all()?.to_vec1::<f32>()?;
        let new = keys.chunks_exact(width).zip(values.chunks_exact(width));
        for (row, (keys, values)) in self.rows.iter().zip(new) {
            if let Some(sequence) = batch.get_mut(row.sequence) {
                sequence.cache.write(layer, row.position, keys, values)?;
            }
        }
        Ok(())
    }

    /// Causal attention of one sequence's new positions: `softmax(q k^T / sqrt(d)) v`. Queries are
    /// `[new, heads, head_dim]`, the result `[new, heads * head_dim]`.
    fn attend(&self, layer: usize, cache: &KvCache, queries: &Tensor) -> Result<Tensor> {
        let hparams = &self.model.hparams;
        let (kv_heads, group, head_dim) = (hparams.kv_heads, hparams.group(), hparams.head_dim);
        let new = queries.dim(0)?;
        let len = cache.len() + new;
        let (keys, values) = self.recall(layer, cache, len)?;

        // The heads that share keys and values are one matrix: [kv_heads, group * new, head_dim].
        let queries = queries
            .reshape((new, kv_heads, group, head_dim))?
            .permute((1, 2, 0, 3))?
            .reshape((kv_heads, group * new, head_dim))?;
        let scale = 1.0 / (head_dim as f64).sqrt();
        let scores = (queries.matmul(&keys.t()?)? * scale)?;
        let scores = scores.broadcast_add(&self.mask(group, new, len)?)?;
        let attended = softmax(&scores)?.matmul(&values)?;
        Ok(attended
            .reshape((kv_heads, group, new, head_dim))?
            .permute((2, 0, 1, 3))?
            .reshape((new, hparams.heads * head_dim))?)
    }

    /// Keys and values of positions `0..len`, `[kv_heads, len, head_dim]` each.
    fn recall(&self, layer: usize, cache: &KvCache, len: usize) -> Result<(Tensor, Tensor)> {
        let Hparams {
            kv_heads, head_dim, ..
        } = self.model.hparams;
        let mut keys = vec![0.0; kv_heads * len * head_dim];
        let mut values = keys.clone();
        let heads = keys
            .chunks_exact_mut(len * head_dim)
            .zip(values.chunks_exact_mut(len * head_dim));
        for (kv_head, (mut keys, mut values)) in heads.enumerate() {
            for (key_block, value_block) in cache.rows(layer, kv_head, 0..len) {
                keys = convert(key_block, keys)?;
                values = convert(value_block, values)?;
            }
        }
        let shape = [kv_heads, len, head_dim];
        Ok((
            self.model.tensor(&keys, &shape)?,
            self.model.tensor(&values, &shape)?,
        ))
    }

    /// What is added to the scores, `[1, group * new, len]`: of the last `new` of `len` positions, none sees a later one.
    fn mask(&self, group: usize, new: usize, len: usize) -> Result<Tensor> {
        let seen = len - new;
        let of_query = |query: usize| {
            (0..len).map(move |key| {
                if key <= seen + query {
                    0.0
                } else {
                    f32::NEG_INFINITY
                }
            })
        };
        let of_head: Vec<f32> = (0..new).flat_map(of_query).collect();
        self.model
            .tensor(&of_head.repeat(group), &[1, group * new, len])
    }

    /// `x + down(silu(gate(norm(x))) * up(norm(x)))`
    fn feed_forward(&self, layer: &Layer, x: &Tensor) -> Result<Tensor> {
        let normed = self.norm(x, &layer.ffn_norm)?;
        let gate = layer.gate.product(&normed, self.precision)?.silu()?;
        let up = layer.up.product(&normed, self.precision)?;
        Ok((x + layer.down.product(&(gate * up)?, self.precision)?)?)
    }

    /// Logits of the rows that the batch asks for.
    fn head(&self, batch: &[SequenceInput<'_>], x: &Tensor, scratch: &mut Scratch) -> Result<()> {
        let requests = batch::head_requests(batch);
        if requests.is_empty() {
            return Ok(());
        }
        let device = &self.model.device;
        let wanted: Vec<u32> = requests.iter().map(|(row, _)| *row as u32).collect();
        let x = x.index_select(&Tensor::new(wanted, device)?, 0)?;
        let normed = self.norm(&x, &self.model.output_norm)?;
        let logits = self.model.head.product(&normed, self.precision)?;
        for (index, (_, rows)) in requests.iter().enumerate() {
            let logits = logits.get(index)?;
            let logits = match rows {
                HeadRows::All => logits,
                HeadRows::Set([]) => continue,
                HeadRows::Set(tokens) => logits.index_select(&Tensor::new(*tokens, device)?, 0)?,
            };
            let logits = logits.to_vec1::<f32>()?;
            match scratch.logits_mut(index) {
                Some(place) if place.len() == logits.len() => place.copy_from_slice(&logits),
                _ => return Err(failure(format!("the head gave {} logits", logits.len()))),
            }
        }
        Ok(())
    }

    /// `x / sqrt(mean(x²) + epsilon) * weight`, for each row.
    fn norm(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let epsilon = f64::from(self.model.hparams.rms_epsilon);
        let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?;
        Ok(x.broadcast_div(&scale)?.broadcast_mul(weight)?)
    }

    /// Splits `x` into heads and rotates the first dimensions of each: `[rows, heads, head_dim]`.
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let Hparams {
            head_dim, ref rope, ..
        } = self.model.hparams;
        let (rows, width) = x.dims2()?;
        let (heads, pairs) = (width / head_dim, rope.dims / 2);
        let x = x.reshape((rows, heads, head_dim))?;
        let rotating = x.narrow(2, 0, rope.dims)?;
        let rotated = match rope.pairing {
            Pairing::HalfSplit => {
                let (first, second) = self.turn(
                    &rotating.narrow(2, 0, pairs)?,
                    &rotating.narrow(2, pairs, pairs)?,
                )?;
                Tensor::cat(&[first, second], 2)?
            }
            Pairing::Interleaved => {
                let in_pairs = rotating.reshape((rows, heads, pairs, 2))?;
                let (first, second) = self.turn(
                    &in_pairs.narrow(3, 0, 1)?.squeeze(3)?,
                    &in_pairs.narrow(3, 1, 1)?.squeeze(3)?,
                )?;
                Tensor::stack(&[first, second], 3)?.reshape((rows, heads, rope.dims))?
            }
        };
        match head_dim.saturating_sub(rope.dims) {
            0 => Ok(rotated),
            still => {
                let rest = x.narrow(2, rope.dims, still)?;
                Ok(Tensor::cat(&[rotated, rest], 2)?)
            }
        }
    }

    /// Turns the points `(x, y)` by the angles of their rows.
    fn turn(&self, x: &Tensor, y: &Tensor) -> Result<(Tensor, Tensor)> {
        let (cos, sin) = (&self.cos, &self.sin);
        Ok((
            (x.broadcast_mul(cos)? - y.broadcast_mul(sin)?)?,
            (x.broadcast_mul(sin)? + y.broadcast_mul(cos)?)?,
        ))
    }
}

/// Over the last dimension.
fn softmax(x: &Tensor) -> Result<Tensor> {
    let powers = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    Ok(powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?)
}

/// Writes `rows` to the front of `out` and gives what is left of it.
fn convert<'a>(rows: KvRows<'_>, out: &'a mut [f32]) -> Result<&'a mut [f32]> {
    let len = match rows {
        KvRows::F32(rows) => rows.len(),
        KvRows::F16(rows) => rows.len(),
        KvRows::Q8_0(blocks) => {
            blocks.len() / Format::Q8_0.block_bytes() * Format::Q8_0.block_len()
        }
    };
    let (place, rest) = out
        .split_at_mut_checked(len)
        .ok_or_else(|| Error::Internal {
            what: "a KV cache with more rows than positions".to_owned(),
        })?;
    match rows {
        KvRows::F32(rows) => place.copy_from_slice(rows),
        KvRows::F16(rows) => rows.convert_to_f32_slice(place),
        KvRows::Q8_0(blocks) => dequantize(Format::Q8_0, blocks, place)?,
    }
    Ok(rest)
}

fn check_cancelled(cancel: &AtomicBool) -> Result<()> {
    match cancel.load(Ordering::Relaxed) {
        true => Err(Error::Cancelled),
        false => Ok(()),
    }
}

/// The first device of this kind.
///
/// # Errors
/// `Backend` where there is none.
pub(super) fn open_device(device: crate::backend::Device) -> Result<Device> {
    guarded(|| {
        Ok(match device {
            crate::backend::Device::Cpu => Device::Cpu,
            crate::backend::Device::Metal => Device::new_metal(0)?,
            crate::backend::Device::Cuda => Device::new_cuda(0)?,
        })
    })
}

/// Whether candle's quantized products run on this processor.
///
/// # Errors
/// `Backend` where they would end the process: on Arm, candle 0.11 executes `sdot` whether it is there or not.
pub(super) fn check_quantized_products() -> Result<()> {
    #[cfg(target_arch = "aarch64")]
    if !std::arch::is_aarch64_feature_detected!("dotprod") {
        return Err(failure(
            "its quantized products need dot product instructions (sdot), which this processor does not have".to_owned(),
        ));
    }
    Ok(())
}

/// Candle ends the process where it gets no memory, so what the weights take is asked for before.
fn check_memory(weights: &Weights) -> Result<()> {
    let layers = weights.layers.iter().flat_map(|layer| {
        let attention = [
            &layer.query,
            &layer.key,
            &layer.value,
            &layer.attention_output,
        ];
        attention
            .into_iter()
            .chain([&layer.gate, &layer.up, &layer.down])
    });
    let bytes: u64 = layers
        .chain([&weights.head])
        .map(|weight| weight.bytes())
        .sum();
    let needed = bytes.saturating_mul(MEMORY_OF_WEIGHTS);
    let room = usize::try_from(needed).unwrap_or(usize::MAX);
    Vec::<u8>::new()
        .try_reserve_exact(room)
        .map_err(|_| Error::OutOfMemory {
            what: "weights on candle",
            needed,
        })
}
