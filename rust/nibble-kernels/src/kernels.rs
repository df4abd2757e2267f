//! Which functions do the arithmetic on this CPU.

use crate::activations::{Q8Group, Q8Rows};
use crate::attention::KvRows;
use crate::attention_loops::AttentionTable;
use crate::format::Format;
use crate::matrix::Layout;
use crate::ops::{OpsTable, SoftmaxState};
use crate::scalar;
use crate::tile::TileMut;

/// `function::<B, ...>` as a [`MatmulQ8`], for the type `B` in scope that has the format's name; `None` for the float
/// formats.
macro_rules! kernel_for {
    ($format:expr, $function:ident $(, $parameter:ident)*) => {
        match $format {
            Format::Q4_0 => Some($function::<Q4_0 $(, $parameter)*> as MatmulQ8),
            Format::Q4_1 => Some($function::<Q4_1 $(, $parameter)*> as MatmulQ8),
            Format::Q5_0 => Some($function::<Q5_0 $(, $parameter)*> as MatmulQ8),
            Format::Q5_1 => Some($function::<Q5_1 $(, $parameter)*> as MatmulQ8),
            Format::Q8_0 => Some($function::<Q8_0 $(, $parameter)*> as MatmulQ8),
            Format::Q4K => Some($function::<Q4K $(, $parameter)*> as MatmulQ8),
            Format::Q5K => Some($function::<Q5K $(, $parameter)*> as MatmulQ8),
            Format::Q6K => Some($function::<Q6K $(, $parameter)*> as MatmulQ8),
            Format::F32 | Format::F16 | Format::BF16 => None,
        }
    };
}
pub(crate) use kernel_for;

/// A set of CPU instructions that kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InstructionSet {
    /// Portable code: the reference.
    Scalar,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX2, FMA, F16C and AVX-VNNI.
    AvxVnni,
    /// x86-64 with AVX-512 (F, BW, VL, VBMI) and its VNNI.
    Avx512,
    /// aarch64 with NEON (plain Armv8.0).
    Neon,
    /// aarch64 with NEON and `sdot` (the feature `dotprod`).
    NeonDot,
    /// aarch64 with NEON, `sdot` and `smmla` (the features `dotprod` and `i8mm`).
    NeonI8mm,
}

impl InstructionSet {
    /// All of them, those of other processors than this one's too.
    pub const ALL: [InstructionSet; 7] = [
        InstructionSet::Scalar,
        InstructionSet::Avx2,
        InstructionSet::AvxVnni,
        InstructionSet::Avx512,
        InstructionSet::Neon,
        InstructionSet::NeonDot,
        InstructionSet::NeonI8mm,
    ];

    /// How the rows of quantized matrices lie best for it: interleaved where it has kernels for that.
    pub const fn layout(self) -> Layout {
        match self {
            InstructionSet::Scalar => Layout::Rows,
            InstructionSet::Avx2
            | InstructionSet::AvxVnni
            | InstructionSet::Avx512
            | InstructionSet::Neon
            | InstructionSet::NeonDot
            | InstructionSet::NeonI8mm => Layout::Strips,
        }
    }

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            InstructionSet::Scalar => "scalar",
            InstructionSet::Avx2 => "avx2",
            InstructionSet::AvxVnni => "avx-vnni",
            InstructionSet::Avx512 => "avx512",
            InstructionSet::Neon => "neon",
            InstructionSet::NeonDot => "neon-dotprod",
            InstructionSet::NeonI8mm => "neon-i8mm",
        }
    }
}

/// `weights` holds `out.rows()` whole rows of the function's format, one after the other, whose
/// length fits that of the rows of `x`; `x.rows() == out.tokens()`. Sets
/// `out[token][row] = weights[row] · x[token]`, each in an order of operations that depends neither
/// on the other rows nor on the other tokens.
pub(crate) type MatmulQ8 = unsafe fn(weights: &[u8], x: Q8Rows<'_>, out: TileMut<'_>);

/// As [`MatmulQ8`], for every format, with `f32` activations: rows of `cols` values.
pub(crate) type MatmulF32 =
    unsafe fn(format: Format, weights: &[u8], x: &[f32], cols: usize, out: TileMut<'_>);

/// Quantizes `x` (whole blocks of 32) to a row that is padded to groups of 128; see
/// [`crate::QuantizedActivations`].
pub(crate) type QuantizeRow = unsafe fn(x: &[f32], row: &mut [Q8Group]);

/// As [`QuantizeRow`], with residuals.
pub(crate) type QuantizeRowWithResidual =
    unsafe fn(x: &[f32], row: &mut [Q8Group], residuals: &mut [Q8Group]);

/// The functions of one instruction set. They are `unsafe` for one reason: the CPU must have the
/// instructions. Lengths that do not fit may make them panic, or leave numbers out.
pub(crate) struct Table {
    pub(crate) instruction_set: InstructionSet,
    /// The product with 8-bit activations, for the formats of [`Format::takes_q8`].
    pub(crate) matmul_q8: fn(Format) -> Option<MatmulQ8>,
    /// The same where each row of activations is followed by its residuals, in one pass over the weights:
    /// `x.rows() == 2 * out.tokens()`. Without it, the two are multiplied apart and added.
    pub(crate) matmul_q16: Option<fn(Format) -> Option<MatmulQ8>>,
    /// The product of interleaved rows with 8-bit activations; `out.rows()` is a multiple of
    /// [`STRIP_ROWS`](crate::STRIP_ROWS). Without it, strips are taken apart first.
    pub(crate) strips_q8: Option<fn(Format) -> Option<MatmulQ8>>,
    /// The same with residuals, as [`matmul_q16`](Self::matmul_q16).
    pub(crate) strips_q16: Option<fn(Format) -> Option<MatmulQ8>>,
    /// The product with `f32` activations.
    pub(crate) matmul_f32: MatmulF32,
    /// Quantizes a row of activations.
    pub(crate) quantize_row: QuantizeRow,
    /// Quantizes a row of activations and what that leaves over.
    pub(crate) quantize_row_with_residual: QuantizeRowWithResidual,
    /// Small operations.
    pub(crate) ops: &'static OpsTable,
    /// Attention, for each way to store keys and values.
    pub(crate) attention: &'static AttentionTable,
}

/// A table of functions for one instruction set that this CPU has. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Kernels {
    table: &'static Table,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kernels")
            .field(&self.table.instruction_set)
            .finish()
    }
}

impl Kernels {
    /// The fastest that this CPU can run.
    pub fn detect() -> Kernels {
        Kernels::supported().pop().unwrap_or_else(Kernels::scalar)
    }

    /// The portable reference.
    pub fn scalar() -> Kernels {
        Kernels {
            table: &scalar::TABLE,
        }
    }

    /// All that this CPU can run, slowest first.
    pub fn supported() -> Vec<Kernels> {
        let mut all = vec![Kernels::scalar()];
        #[cfg(target_arch = "x86_64")]
        if crate::avx2::is_supported() {
            all.push(Kernels {
                table: &crate::avx2::TABLE,
            });
        }
        #[cfg(target_arch = "x86_64")]
        if crate::avx2::has_vnni() {
            all.push(Kernels {
                table: &crate::avx2::VNNI_TABLE,
            });
        }
        #[cfg(target_arch = "x86_64")]
        if crate::avx512::is_supported() {
            all.push(Kernels {
                table: if crate::avx512::prefers_prefetching() {
                    &crate::avx512::PREFETCHING_TABLE
                } else {
                    &crate::avx512::TABLE
                },
            });
        }
        #[cfg(target_arch = "aarch64")]
        all.push(Kernels {
            table: &crate::neon::TABLE,
        });
        #[cfg(target_arch = "aarch64")]
        if crate::neon::has_dot() {
            all.push(Kernels {
                table: &crate::neon::DOT_TABLE,
            });
        }
        #[cfg(target_arch = "aarch64")]
        if crate::neon::has_i8mm() {
            all.push(Kernels {
                table: &crate::neon::I8MM_TABLE,
            });
        }
        all
    }

    /// The instruction set.
    pub fn instruction_set(&self) -> InstructionSet {
        self.table.instruction_set
    }

    /// The product with `planes` rows of codes for each token, in one pass over the weights, if these
    /// instructions have one for rows that lie so.
    pub(crate) fn fused(
        &self,
        format: Format,
        layout: Layout,
        planes: usize,
    ) -> Option<impl Fn(&[u8], Q8Rows<'_>, TileMut<'_>) + use<>> {
        let kernel = match (layout, planes) {
            (Layout::Rows, 1) => (self.table.matmul_q8)(format),
            (Layout::Rows, _) => (self.table.matmul_q16?)(format),
            (Layout::Strips, 1) => (self.table.strips_q8?)(format),
            (Layout::Strips, _) => (self.table.strips_q16?)(format),
        }?;
        // SAFETY: `Kernels` is made only of tables whose instructions were detected.
        Some(
            move |weights: &[u8], x: Q8Rows<'_>, out: TileMut<'_>| unsafe {
                kernel(weights, x, out)
            },
        )
    }

    /// `weights` must hold `out.rows()` rows of `cols` values in `format`.
    pub(crate) fn matmul_f32(
        &self,
        format: Format,
        weights: &[u8],
        x: &[f32],
        cols: usize,
        out: TileMut<'_>,
    ) {
        // SAFETY: as in `fused`.
        unsafe { (self.table.matmul_f32)(format, weights, x, cols, out) }
    }

    pub(crate) fn quantize_row(&self, x: &[f32], row: &mut [Q8Group]) {
        // SAFETY: as in `fused`.
        unsafe { (self.table.quantize_row)(x, row) }
    }

    pub(crate) fn quantize_row_with_residual(
        &self,
        x: &[f32],
        row: &mut [Q8Group],
        residuals: &mut [Q8Group],
    ) {
        // SAFETY: as in `fused`.
        unsafe { (self.table.quantize_row_with_residual)(x, row, residuals) }
    }

    /// `out[g][p] = queries[g] · keys[p]`; see [`Attention`](crate::attention_loops::Attention). `ahead` is stored as the
    /// keys are.
    pub(crate) fn attention_scores(
        &self,
        queries: &[f32],
        keys: KvRows<'_>,
        ahead: KvRows<'_>,
        dim: usize,
        out: &mut [f32],
    ) {
        let table = self.table.attention;
        // SAFETY: as in `fused`.
        unsafe {
            match keys {
                KvRows::F32(keys) => (table.f32.scores)(queries, keys, ahead.f32(), dim, out),
                KvRows::F16(keys) => (table.f16.scores)(queries, keys, ahead.f16(), dim, out),
                KvRows::Q8_0(keys) => (table.q8_0.scores)(queries, keys, ahead.q8_0(), dim, out),
            }
        }
    }

    /// `out[g] += Σ weights[g][p] * values[p]`; see [`Attention`](crate::attention_loops::Attention). `ahead` is stored as
    /// the values are.
    pub(crate) fn attention_mix(
        &self,
        weights: &[f32],
        values: KvRows<'_>,
        ahead: KvRows<'_>,
        dim: usize,
        out: &mut [f32],
    ) {
        let table = self.table.attention;
        // SAFETY: as in `fused`.
        unsafe {
            match values {
                KvRows::F32(values) => (table.f32.mix)(weights, values, ahead.f32(), dim, out),
                KvRows::F16(values) => (table.f16.mix)(weights, values, ahead.f16(), dim, out),
                KvRows::Q8_0(values) => (table.q8_0.mix)(weights, values, ahead.q8_0(), dim, out),
            }
        }
    }

    /// `out[i] = x[i] / sqrt(mean(x²) + eps) * weight[i]` (Zhang & Sennrich, "Root Mean Square Layer
    /// Normalization", 2019). The three slices have one length; a longer one's rest is left alone.
    pub fn rms_norm(&self, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        // SAFETY: as in `fused`.
        unsafe { (self.table.ops.rms_norm)(x, weight, eps, out) }
    }

    /// `up[i] *= silu(gate[i])` with `silu(x) = x / (1 + exp(-x))` (Shazeer, "GLU Variants Improve
    /// Transformer", 2020). The two slices have one length; a longer one's rest is left alone.
    pub fn swiglu(&self, gate: &[f32], up: &mut [f32]) {
        // SAFETY: as in `fused`.
        unsafe { (self.table.ops.swiglu)(gate, up) }
    }

    /// `out[i] += x[i]`. The two slices have one length; a longer one's rest is left alone.
    pub fn add_assign(&self, out: &mut [f32], x: &[f32]) {
        // SAFETY: as in `fused`.
        unsafe { (self.table.ops.add_assign)(out, x) }
    }

    /// Replaces `x` by `exp(x) / Σ exp(x)` and gives `ln Σ exp(x)`. An empty slice stays empty.
    pub fn softmax(&self, x: &mut [f32]) -> f32 {
        // SAFETY: as in `fused`.
        let (largest, total) = unsafe {
            let largest = (self.table.ops.maximum)(x);
            (largest, (self.table.ops.exp_shifted)(x, largest))
        };
        self.divide(x, total);
        largest + total.ln()
    }

    pub(crate) fn axpby(&self, a: f32, x: &[f32], b: f32, out: &mut [f32]) {
        // SAFETY: as in `fused`.
        unsafe { (self.table.ops.axpby)(a, x, b, out) }
    }

    pub(crate) fn divide(&self, x: &mut [f32], by: f32) {
        // SAFETY: as in `fused`.
        unsafe { (self.table.ops.divide)(x, by) }
    }

    pub(crate) fn softmax_step(
        &self,
        scores: &mut [f32],
        scale: f32,
        state: &mut SoftmaxState,
        out: &mut [f32],
    ) {
        // SAFETY: as in `fused`.
        unsafe { (self.table.ops.softmax_step)(scores, scale, state, out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_interleaved_for_whom_that_is_faster() {
        for kernels in Kernels::supported() {
            let has_strips = kernels.table.strips_q8.is_some();
            let wants_strips = kernels.instruction_set().layout() == Layout::Strips;
            assert_eq!(has_strips, wants_strips, "{kernels:?}");
        }
    }
}
