//! The KV cache: keys and values of one sequence.
//!
//! It grows in blocks of [`BLOCK`] positions up to its capacity, so a session with a large context costs
//! memory only for what it holds. Blocks are shared between forks until one of them writes.

use std::ops::Range;
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use nibble_kernels::{Format, KvFormat, KvRows};

use crate::hparams::Hparams;
use crate::rope::RopeSet;
use crate::{Error, Result};

/// Positions in one block of a cache.
pub const BLOCK: usize = 64;

/// Keys and values of one sequence, for every layer and KV head.
#[derive(Debug)]
pub struct KvCache {
    format: KvFormat,
    /// Bytes of one key or value of one head.
    row_bytes: usize,
    layers: usize,
    kv_heads: usize,
    head_dim: usize,
    capacity: usize,
    len: usize,
    rope_set: RopeSet,
    blocks: Vec<Arc<Block>>,
}

/// `[layer, kv_head, position, head_dim]` keys, and values likewise.
#[derive(Debug)]
struct Block {
    keys: Storage,
    values: Storage,
}

#[derive(Debug)]
enum Storage {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Q8_0(Vec<u8>),
}

impl KvCache {
    /// An empty cache that may grow to `capacity` positions. Allocates nothing yet.
    ///
    /// # Errors
    /// `InvalidArgument` where the head width is no multiple of 32 and `format` is `Q8_0`.
    pub fn new(hparams: &Hparams, format: KvFormat, capacity: usize) -> Result<KvCache> {
        let row_bytes =
            format
                .bytes_per_row(hparams.head_dim)
                .ok_or_else(|| Error::InvalidArgument {
                    argument: "KV cache format",
                    expected: format!("f16 or f32 for a head width of {}", hparams.head_dim),
                    found: format.format().name().to_owned(),
                })?;
        Ok(KvCache {
            format,
            row_bytes,
            layers: hparams.layers,
            kv_heads: hparams.kv_heads,
            head_dim: hparams.head_dim,
            capacity,
            len: 0,
            rope_set: RopeSet::Short,
            blocks: Vec::new(),
        })
    }

    /// Positions that are held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Positions that it may hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How keys and values are stored.
    pub fn format(&self) -> KvFormat {
        self.format
    }

    /// The rotary frequencies that the held keys were computed with.
    pub fn rope_set(&self) -> RopeSet {
        self.rope_set
    }

    /// Bytes that one position takes, over all layers.
    pub fn bytes_per_position(&self) -> usize {
        2 * self.layers * self.kv_heads * self.row_bytes
    }

    /// Bytes allocated, shared blocks included.
    pub fn allocated_bytes(&self) -> usize {
        self.blocks.len() * BLOCK * self.bytes_per_position()
    }

    /// Keeps the first `len` positions and drops the others; without effect where fewer are held. Blocks
    /// that become empty are freed.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.blocks.truncate(self.len.div_ceil(BLOCK));
    }

    /// Drops everything and says which frequencies come next.
    pub fn reset(&mut self, rope_set: RopeSet) {
        self.truncate(0);
        self.rope_set = rope_set;
    }

    /// A second cache with the same content. Blocks are shared until one of the two writes to them.
    pub fn fork(&self) -> KvCache {
        KvCache {
            blocks: self.blocks.clone(),
            ..*self
        }
    }

    /// Makes room to [`write`](Self::write) `positions` more.
    ///
    /// # Errors
    /// `ContextFull` beyond the capacity, `OutOfMemory`; the content stays as it was.
    pub(crate) fn reserve(&mut self, positions: usize) -> Result<()> {
        let needed = self.len.saturating_add(positions);
        if needed > self.capacity {
            return Err(Error::ContextFull {
                needed,
                capacity: self.capacity,
            });
        }
        let first_written = self.len / BLOCK;
        for block in self.blocks.iter_mut().skip(first_written) {
            if Arc::get_mut(block).is_none() {
                *block = Arc::new(block.duplicate()?);
            }
        }
        let bytes = BLOCK * self.layers * self.kv_heads * self.row_bytes;
        while self.blocks.len() < needed.div_ceil(BLOCK) {
            self.blocks.push(Arc::new(Block {
                keys: Storage::zeroed(self.format, bytes)?,
                values: Storage::zeroed(self.format, bytes)?,
            }));
        }
        Ok(())
    }

    /// Stores keys and values of all KV heads, `[kv_heads, head_dim]` each, at `position` of `layer`.
    /// [`reserve`](Self::reserve) must have made room.
    pub(crate) fn write(
        &mut self,
        layer: usize,
        position: usize,
        keys: &[f32],
        values: &[f32],
    ) -> Result<()> {
        let (kv_heads, head_dim) = (self.kv_heads, self.head_dim);
        let block = self
            .blocks
            .get_mut(position / BLOCK)
            .and_then(Arc::get_mut)
            .ok_or_else(|| Error::Internal {
                what: "KV cache written without room".to_owned(),
            })?;
        let heads = keys
            .chunks_exact(head_dim)
            .zip(values.chunks_exact(head_dim))
            .take(kv_heads);
        for (kv_head, (key, value)) in heads.enumerate() {
            let row = (layer * kv_heads + kv_head) * BLOCK + position % BLOCK;
            block.keys.store(row, self.row_bytes, key)?;
            block.values.store(row, self.row_bytes, value)?;
        }
        Ok(())
    }

    /// Counts `positions` that were written in every layer as held.
    pub(crate) fn advance(&mut self, positions: usize) {
        self.len += positions;
    }

    /// Keys and values of one KV head at `positions` of `layer`, block by block. They begin with a whole block.
    pub(crate) fn rows(
        &self,
        layer: usize,
        kv_head: usize,
        positions: Range<usize>,
    ) -> impl Iterator<Item = (KvRows<'_>, KvRows<'_>)> {
        let end = positions.end;
        positions
            .step_by(BLOCK)
            .map(move |start| self.block(layer, kv_head, start..end.min(start + BLOCK)))
    }

    /// Keys and values of one KV head at `positions` of `layer`, which are the first of a block.
    pub(crate) fn block(
        &self,
        layer: usize,
        kv_head: usize,
        positions: Range<usize>,
    ) -> (KvRows<'_>, KvRows<'_>) {
        debug_assert!(positions.start.is_multiple_of(BLOCK));
        let first_row = (layer * self.kv_heads + kv_head) * BLOCK;
        let Some(block) = self.blocks.get(positions.start / BLOCK) else {
            return (KvRows::EMPTY, KvRows::EMPTY);
        };
        let (count, row_bytes) = (positions.len(), self.row_bytes);
        (
            block.keys.rows(first_row, count, row_bytes),
            block.values.rows(first_row, count, row_bytes),
        )
    }
}

impl Block {
    fn duplicate(&self) -> Result<Block> {
        Ok(Block {
            keys: self.keys.duplicate()?,
            values: self.values.duplicate()?,
        })
    }
}

impl Storage {
    fn zeroed(format: KvFormat, bytes: usize) -> Result<Storage> {
        Ok(match format {
            KvFormat::F32 => Storage::F32(filled(bytes / 4, 0.0)?),
            KvFormat::F16 => Storage::F16(filled(bytes / 2, f16::ZERO)?),
            KvFormat::Q8_0 => Storage::Q8_0(filled(bytes, 0)?),
            other => return Err(unknown(other)),
        })
    }

    fn duplicate(&self) -> Result<Storage> {
        Ok(match self {
            Storage::F32(data) => Storage::F32(copied(data)?),
            Storage::F16(data) => Storage::F16(copied(data)?),
            Storage::Q8_0(data) => Storage::Q8_0(copied(data)?),
        })
    }

    fn store(&mut self, row: usize, row_bytes: usize, values: &[f32]) -> Result<()> {
        fn part<T>(data: &mut [T], row: usize, row_bytes: usize) -> Result<&mut [T]> {
            let width = row_bytes / size_of::<T>();
            data.get_mut(row * width..(row + 1) * width)
                .ok_or_else(|| Error::Internal {
                    what: "KV cache row outside its block".to_owned(),
                })
        }
        match self {
            Storage::F32(data) => part(data, row, row_bytes)?.copy_from_slice(values),
            Storage::F16(data) => part(data, row, row_bytes)?.convert_from_f32_slice(values),
            Storage::Q8_0(data) => {
                nibble_kernels::quantize(Format::Q8_0, values, part(data, row, row_bytes)?)?;
            }
        }
        Ok(())
    }

    fn rows(&self, first: usize, count: usize, row_bytes: usize) -> KvRows<'_> {
        fn part<T>(data: &[T], first: usize, count: usize, row_bytes: usize) -> &[T] {
            let width = row_bytes / size_of::<T>();
            data.get(first * width..(first + count) * width)
                .unwrap_or_default()
        }
        match self {
            Storage::F32(data) => KvRows::F32(part(data, first, count, row_bytes)),
            Storage::F16(data) => KvRows::F16(part(data, first, count, row_bytes)),
            Storage::Q8_0(data) => KvRows::Q8_0(part(data, first, count, row_bytes)),
        }
    }
}

fn unknown(format: KvFormat) -> Error {
    Error::Internal {
        what: format!("a KV cache in {format:?}"),
    }
}

fn filled<T: Clone>(len: usize, value: T) -> Result<Vec<T>> {
    let mut data = Vec::new();
    reserve_exact(&mut data, len)?;
    data.resize(len, value);
    Ok(data)
}

fn copied<T: Clone>(source: &[T]) -> Result<Vec<T>> {
    let mut data = Vec::new();
    reserve_exact(&mut data, source.len())?;
    data.extend_from_slice(source);
    Ok(data)
}

fn reserve_exact<T>(data: &mut Vec<T>, len: usize) -> Result<()> {
    data.try_reserve_exact(len).map_err(|_| Error::OutOfMemory {
        what: "the KV cache",
        needed: (len * size_of::<T>()) as u64,
    })
}
