//! The inputs of a matrix product: `f32`, or quantized to 8 bits.

#![allow(
    clippy::indexing_slicing,
    reason = "offsets are products of the sizes that `quantize` gave the buffers"
)]

use crate::error::KernelError;
use crate::kernels::Kernels;
use crate::ops::power_of_two;

/// Values that share a scale.
pub(crate) const SCALE_LEN: usize = 32;
/// Scales of a group.
pub(crate) const SCALES: usize = GROUP_LEN / SCALE_LEN;
/// Values whose sum is kept, so that minimums and offsets of the weights cost one multiplication.
pub(crate) const SUM_LEN: usize = 16;
/// Values that are stored together; rows are padded with zeros to a multiple of it.
pub(crate) const GROUP_LEN: usize = 128;

/// 128 quantized values of a row, in an order that suits dot products of 8-bit integers.
///
/// The values are four scale blocks `b` of eight 4-byte words `w`. The codes are eight 16-byte vectors,
/// in the order `w` = 0, 4, 1, 5, 2, 6, 3, 7; vector `w` holds word `w` of the four blocks. So a 32-bit
/// lane of a vector always belongs to one scale block, and in a 32-byte load to one half of it (16
/// values, the unit of Q6_K's scales). Integer dot products accumulate in lanes, over 16 or 32 values,
/// and one multiplication by a vector of scales finishes a group. It is what `pmaddubsw`, `vpdpbusd` and
/// `sdot` want, whether weights lie in rows or in tiles.
///
/// The scales of the blocks are that of the group halved some times: a block of small values has a small scale, and yet
/// the products of a group can be summed in steps of one scale, because it is the exponents of numbers only that differ.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Q8Group {
    /// A code for each value; between -127 and 127.
    pub(crate) codes: [i8; GROUP_LEN],
    /// What products begin with where the codes of weights are too large by [`OFFSET`]: minus that times the sum of the
    /// codes of each 32 values; also of residuals.
    pub(crate) offsets: [i32; SCALES],
    /// The same of each 16 values, in the order of `sums`.
    pub(crate) half_offsets: [i16; GROUP_LEN / SUM_LEN],
    /// The binary logarithms of `scales[b] / scale`: whole numbers, not positive.
    pub(crate) exponents: [f32; SCALES],
    /// The sum of the codes of each 32 values in steps of `scale / SUM_STEPS`.
    pub(crate) scaled_sums: [i16; SCALES],
    /// The largest of the scales.
    pub(crate) scale: f32,
    /// The sum of both halves of each block, from `sums`.
    pub(crate) block_sums: [f32; SCALES],
    /// `scale * sum of codes` for each 16 values: first halves of the four blocks, then second halves. Where
    /// a row has residuals, their sums are added here, and are zero beside the residuals.
    pub(crate) sums: [f32; GROUP_LEN / SUM_LEN],
    /// A scale for each 32 values.
    pub(crate) scales: [f32; SCALES],
}

/// The least that codes of weights are too large by; other formats have a multiple of it.
pub(crate) const OFFSET: i32 = 8;

/// Steps of a scaled sum in one of the group's scale: with more, the largest would not fit 16 bits.
pub(crate) const SUM_STEPS: i32 = 8;

impl Q8Group {
    pub(crate) const ZERO: Q8Group = Q8Group {
        codes: [0; GROUP_LEN],
        offsets: [0; SCALES],
        half_offsets: [0; GROUP_LEN / SUM_LEN],
        exponents: [0.0; SCALES],
        block_sums: [0.0; SCALES],
        sums: [0.0; GROUP_LEN / SUM_LEN],
        scales: [0.0; SCALES],
        scaled_sums: [0; SCALES],
        scale: 0.0,
    };

    pub(crate) fn set_scales(&mut self, scales: &GroupScales) {
        self.scale = scales.scale;
        self.scales = scales.scales;
        self.exponents = scales.halvings.map(|halvings| -(halvings as f32));
    }

    /// Keeps the sums of the codes of each 16 values, in the order of `sums`.
    #[inline]
    pub(crate) fn set_code_sums(&mut self, sums: [i32; GROUP_LEN / SUM_LEN]) {
        // At most 8 * 16 * 127.
        self.half_offsets = sums.map(|sum| (-OFFSET * sum) as i16);
        let (first, second) = sums.split_at(SCALES);
        for (offset, (first, second)) in self.offsets.iter_mut().zip(first.iter().zip(second)) {
            *offset = -OFFSET * (first + second);
        }
    }

    fn set_derived_sums(&mut self) {
        let (first, second) = self.sums.split_at(SCALES);
        for (sum, (first, second)) in self.block_sums.iter_mut().zip(first.iter().zip(second)) {
            *sum = first + second;
        }
        for (b, sum) in self.scaled_sums.iter_mut().enumerate() {
            let halvings = -self.exponents[b] as i32;
            let steps = -SUM_STEPS / OFFSET * self.offsets[b];
            *sum = ((steps + (1 << halvings >> 1)) >> halvings) as i16;
        }
    }

    /// The 32 codes of a scale block in natural order.
    pub(crate) fn block(&self, block: usize) -> [i8; SCALE_LEN] {
        let mut codes = [0; SCALE_LEN];
        for (word, codes) in codes.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let first = interleaved(block % 4 * SCALE_LEN + 4 * word);
            codes.copy_from_slice(&self.codes[first..first + 4]);
        }
        codes
    }
}

/// How often a scale is halved for its block, at most.
const MOST_HALVINGS: u32 = 24;
/// Groups of smaller values are zeros, so that the inverses of all scales are finite.
const SMALLEST: f32 = 1e-29;

/// The scales of a group, and their inverses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupScales {
    scale: f32,
    halvings: [u32; SCALES],
    pub(crate) scales: [f32; SCALES],
    /// What values are multiplied by to be in steps of their scales.
    pub(crate) inverses: [f32; SCALES],
}

impl GroupScales {
    /// For blocks whose largest magnitudes are given as bits: those are in order, with infinity and NaN above all others.
    /// The largest of the group becomes 127, those of the other blocks more than 63, or as much as [`MOST_HALVINGS`] allow.
    /// Not finite: all scales are NaN. Very small: all are zero.
    #[inline]
    pub(crate) fn of(largest: [u32; SCALES]) -> GroupScales {
        let bits = largest.into_iter().fold(0, u32::max);
        let magnitude = f32::from_bits(bits);
        let same = |scale| GroupScales {
            scale,
            halvings: [0; SCALES],
            scales: [scale; SCALES],
            inverses: [0.0; SCALES],
        };
        if !magnitude.is_finite() {
            return same(f32::NAN);
        }
        if magnitude < SMALLEST {
            return same(0.0);
        }
        /// The bits below a number's exponent.
        const MANTISSA_BITS: u32 = f32::MANTISSA_DIGITS - 1;
        let (scale, inverse) = (magnitude / 127.0, 127.0 / magnitude);
        let halvings = largest.map(|b| ((bits - b) >> MANTISSA_BITS).min(MOST_HALVINGS));
        GroupScales {
            scale,
            halvings,
            scales: halvings.map(|halvings| scale * power_of_two(-(halvings as i32))),
            inverses: halvings.map(|halvings| inverse * power_of_two(halvings as i32)),
        }
    }

    /// Those of what is left over.
    pub(crate) fn of_residual(&self) -> GroupScales {
        GroupScales {
            scale: self.scale / RESIDUAL_STEPS as f32,
            scales: self.scales.map(|scale| scale / RESIDUAL_STEPS as f32),
            ..*self
        }
    }
}

/// Steps of a residual in one step of the code before it: half a step is the largest residual, and 127
/// the largest code.
pub(crate) const RESIDUAL_STEPS: i32 = 254;

/// Rows of activations, quantized symmetrically to 8 bits with a scale for every 32 values: that of 128 values, halved
/// some times.
///
/// Every block format takes the same activations. Such scales are about as exact as any for 32 values, and more so than
/// the one for 256 that ggml has for its K formats.
///
/// Each row may be followed by a second one that holds what the first leaves over, in steps of
/// 1/254 of the first's: 16 bits a value in two products of 8 bits, see
/// [`quantize_with_residual`](Self::quantize_with_residual).
///
/// The buffer grows and never shrinks: keep one and quantize into it again.
#[derive(Debug, Default)]
pub struct QuantizedActivations {
    groups: Vec<Q8Group>,
    rows: usize,
    cols: usize,
    has_residuals: bool,
}

impl QuantizedActivations {
    /// An empty batch that has allocated nothing.
    pub fn new() -> QuantizedActivations {
        QuantizedActivations::default()
    }

    /// Replaces the batch by the rows of `x`, each of `cols` values. 128 values that hold a NaN or
    /// an infinity get the scale NaN, so that every product with them is NaN.
    ///
    /// # Errors
    /// [`KernelError::Shape`] where `cols` is zero or no multiple of 32, or `x` is not made of whole
    /// rows.
    pub fn quantize(
        &mut self,
        kernels: &Kernels,
        x: &[f32],
        cols: usize,
    ) -> Result<(), KernelError> {
        self.quantize_rows(kernels, x, cols, false)
    }

    /// As [`quantize`](Self::quantize), with a second code for what the first leaves over of each
    /// value. Products with such a batch are the sum of two, and about as exact as in half
    /// precision.
    ///
    /// # Errors
    /// As [`quantize`](Self::quantize).
    pub fn quantize_with_residual(
        &mut self,
        kernels: &Kernels,
        x: &[f32],
        cols: usize,
    ) -> Result<(), KernelError> {
        self.quantize_rows(kernels, x, cols, true)
    }

    fn quantize_rows(
        &mut self,
        kernels: &Kernels,
        x: &[f32],
        cols: usize,
        has_residuals: bool,
    ) -> Result<(), KernelError> {
        let (len, groups) = self.resize(x, cols, has_residuals)?;
        for (x, groups) in x.chunks_exact(cols).zip(groups.chunks_exact_mut(len)) {
            quantize_row(kernels, x, has_residuals, groups);
        }
        Ok(())
    }

    /// Makes room for the codes of `x`, and for residuals. The groups of a row and its residuals, for [`quantize_row`],
    /// and how many they are.
    pub(crate) fn resize(
        &mut self,
        x: &[f32],
        cols: usize,
        has_residuals: bool,
    ) -> Result<(usize, &mut [Q8Group]), KernelError> {
        KernelError::check_multiple("columns of activations", SCALE_LEN, SCALE_LEN, cols)?;
        KernelError::check_multiple("activations", cols, 0, x.len())?;
        self.rows = x.len() / cols;
        self.cols = cols;
        self.has_residuals = has_residuals;
        let len = stride(cols.div_ceil(GROUP_LEN)) * self.planes();
        let needed = self.rows * len;
        if let Some(more) = needed.checked_sub(self.groups.len()) {
            let reserved = self.groups.try_reserve_exact(more);
            reserved.map_err(|_| KernelError::OutOfMemory {
                needed: needed.saturating_mul(size_of::<Q8Group>()),
            })?;
            self.groups.resize(needed, Q8Group::ZERO);
        }
        Ok((len, &mut self.groups[..needed]))
    }

    /// Bytes that a batch of `rows` rows of `cols` values takes.
    pub const fn bytes(rows: usize, cols: usize, has_residuals: bool) -> usize {
        let planes = 1 + has_residuals as usize;
        let groups = stride(cols.div_ceil(GROUP_LEN)).saturating_mul(planes);
        rows.saturating_mul(groups)
            .saturating_mul(size_of::<Q8Group>())
    }

    /// Bytes that the buffer has.
    pub fn allocated_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Q8Group>()
    }

    /// Rows of the batch (tokens).
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values of a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// What the codes and scales of row `row`, and its residual if it has one, stand for, in natural
    /// order; `None` beyond the last row.
    pub fn dequantized(&self, row: usize) -> Option<Vec<f32>> {
        if row >= self.rows {
            return None;
        }
        let mut values = vec![0.0; self.cols];
        for plane in 0..self.planes() {
            let groups = self.view().row(row * self.planes() + plane);
            for (block, values) in values.chunks_mut(SCALE_LEN).enumerate() {
                let group = &groups[block / 4];
                for (value, code) in values.iter_mut().zip(group.block(block)) {
                    *value += f32::from(code) * group.scales[block % 4];
                }
            }
        }
        Some(values)
    }

    /// Rows of codes for each row of values: 2 with residuals, which follow their rows, else 1.
    pub(crate) fn planes(&self) -> usize {
        1 + usize::from(self.has_residuals)
    }

    /// All rows of codes, [`planes`](Self::planes) for each row of values.
    pub(crate) fn view(&self) -> Q8Rows<'_> {
        let rows = self.rows * self.planes();
        let row_len = self.cols.div_ceil(GROUP_LEN);
        Q8Rows {
            rows,
            row_len,
            groups: &self.groups[..rows * stride(row_len)],
        }
    }
}

/// Quantizes a row to its groups, which are as many as [`QuantizedActivations::resize`] says.
pub(crate) fn quantize_row(
    kernels: &Kernels,
    x: &[f32],
    has_residuals: bool,
    groups: &mut [Q8Group],
) {
    let len = x.len().div_ceil(GROUP_LEN);
    if has_residuals {
        let (row, residuals) = groups.split_at_mut(groups.len() / 2);
        kernels.quantize_row_with_residual(x, &mut row[..len], &mut residuals[..len]);
    } else {
        kernels.quantize_row(x, &mut groups[..len]);
    }
    groups[..len].iter_mut().for_each(Q8Group::set_derived_sums);
}

/// The inputs of a matrix product, one row for each token.
#[derive(Debug, Clone, Copy)]
pub enum Activations<'a> {
    /// Single precision: exact, and slower.
    F32 {
        /// The rows, one after the other.
        values: &'a [f32],
        /// Values of a row.
        cols: usize,
    },
    /// Quantized to 8 bits.
    Q8(&'a QuantizedActivations),
}

/// Groups from the beginning of one row to that of the next: an odd number. Kernels take the same group of many rows one
/// after the other, and with a multiple of a power of two all of them would be in a few sets of the first-level cache.
const fn stride(row_len: usize) -> usize {
    row_len | 1
}

/// Quantized rows as the kernels see them: each padded with zeros to whole groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Q8Rows<'a> {
    rows: usize,
    row_len: usize,
    groups: &'a [Q8Group],
}

impl<'a> Q8Rows<'a> {
    /// Rows of codes (tokens, or tokens and residuals).
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Groups of a row.
    pub(crate) fn row_len(&self) -> usize {
        self.row_len
    }

    /// The rows `first..first + count`, which must exist.
    pub(crate) fn slice(&self, first: usize, count: usize) -> Q8Rows<'a> {
        Q8Rows {
            rows: count,
            row_len: self.row_len,
            groups: &self.groups
                [first * stride(self.row_len)..(first + count) * stride(self.row_len)],
        }
    }

    /// One row, which must exist.
    pub(crate) fn row(&self, row: usize) -> &'a [Q8Group] {
        &self.groups[row * stride(self.row_len)..][..self.row_len]
    }
}

/// Where value `i` of a group of 128 is stored.
pub(crate) const fn interleaved(i: usize) -> usize {
    let (block, word, byte) = (i / 32, i % 32 / 4, i % 4);
    let vector = word % 4 * 2 + word / 4;
    vector * 16 + block * 4 + byte
}
