//! Matrix products over all threads.

use std::ops::Range;
use std::slice::from_mut;
use std::sync::atomic::AtomicBool;

use crate::activations::{Activations, Q8Rows, QuantizedActivations, quantize_row};
use crate::error::KernelError;
use crate::interleave::{MOST_TOKENS, STRIP_ROWS, TOKENS_OF_PAIRS, deinterleave};
use crate::kernels::{InstructionSet, Kernels};
use crate::matrix::{Layout, Matrix};
use crate::pool::ThreadPool;
use crate::tile::{Output, TileMut};

/// A matrix product to compute: `out[token][row] = weight[row] · x[token]`.
#[derive(Debug)]
pub struct Product<'a> {
    /// `[rows, cols]`.
    pub weight: Matrix<'a>,
    /// `[tokens, cols]`.
    pub x: Activations<'a>,
    /// `[tokens, rows]`.
    pub out: &'a mut [f32],
}

/// Kernels and the threads to run them on.
pub struct Cpu {
    kernels: Kernels,
    pool: ThreadPool,
}

impl std::fmt::Debug for Cpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cpu")
            .field("kernels", &self.kernels)
            .field("threads", &self.threads())
            .finish()
    }
}

impl Cpu {
    /// The fastest kernels of this CPU on `threads` threads, the caller's included; zero counts as
    /// one.
    pub fn new(threads: usize) -> Cpu {
        Cpu::with_kernels(Kernels::detect(), threads)
    }

    /// Given kernels.
    pub fn with_kernels(kernels: Kernels, threads: usize) -> Cpu {
        Cpu::with_pool(kernels, ThreadPool::new(threads.max(1)))
    }

    /// Given kernels and threads.
    pub fn with_pool(kernels: Kernels, pool: ThreadPool) -> Cpu {
        Cpu { kernels, pool }
    }

    /// Threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// The kernels.
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// The threads, for other work that splits.
    pub fn pool(&self) -> &ThreadPool {
        &self.pool
    }

    /// [`QuantizedActivations::quantize`], or with `residuals`
    /// [`quantize_with_residual`](QuantizedActivations::quantize_with_residual), on all threads.
    ///
    /// # Errors
    /// As those, and [`KernelError::Cancelled`]; the batch is then partly written.
    pub fn quantize(
        &self,
        x: &[f32],
        cols: usize,
        residuals: bool,
        out: &mut QuantizedActivations,
        cancel: &AtomicBool,
    ) -> Result<(), KernelError> {
        let rows_of_item = rows_to_quantize(cols);
        let (len, groups) = out.resize(x, cols, residuals)?;
        let chunk = rows_of_item * len;
        self.pool
            .for_each_chunk(groups, chunk, cancel, |item, groups| {
                let rows = x.chunks_exact(cols).skip(item * rows_of_item);
                for (x, groups) in rows.zip(groups.chunks_exact_mut(len)) {
                    quantize_row(&self.kernels, x, residuals, groups);
                }
            })?;
        Ok(())
    }

    /// [`Kernels::rms_norm`] of each row of `x`, `[rows, weight.len()]`, to `normed`, and [`quantize`](Self::quantize) of it
    /// while it is in the cache.
    ///
    /// # Errors
    /// As [`quantize`](Self::quantize), and [`KernelError::Shape`] where `normed` is not as long as `x`.
    pub fn rms_norm_and_quantize(
        &self,
        x: &[f32],
        (weight, epsilon): (&[f32], f32),
        normed: &mut [f32],
        residuals: bool,
        out: &mut QuantizedActivations,
        cancel: &AtomicBool,
    ) -> Result<(), KernelError> {
        let cols = weight.len();
        let rows_of_item = rows_to_quantize(cols);
        KernelError::check("normalised activations", x.len(), normed.len())?;
        let (len, groups) = out.resize(x, cols, residuals)?;
        let outs = normed
            .chunks_mut(rows_of_item * cols)
            .zip(groups.chunks_mut(rows_of_item * len));
        let mut items: Vec<_> = x.chunks(rows_of_item * cols).zip(outs).collect();
        self.pool
            .for_each_chunk(&mut items, 1, cancel, |_, items| {
                for (x, (normed, groups)) in items {
                    let rows = x
                        .chunks_exact(cols)
                        .zip(normed.chunks_exact_mut(cols))
                        .zip(groups.chunks_exact_mut(len));
                    for ((x, normed), groups) in rows {
                        self.kernels.rms_norm(x, weight, epsilon, normed);
                        quantize_row(&self.kernels, normed, residuals, groups);
                    }
                }
            })?;
        Ok(())
    }

    /// `out[token][row] = weight[row] · x[token]`: `x` is `[tokens, weight.cols()]`, `out` is
    /// `[tokens, weight.rows()]`. A result does not depend on the other tokens, rows and threads.
    /// `cancel` is polled every fraction of a millisecond.
    ///
    /// # Errors
    /// [`KernelError::Cancelled`]; [`KernelError::Shape`]; [`KernelError::NeedsF32Activations`] for
    /// 8-bit activations with float weights (see [`crate::Format::takes_q8`]).
    pub fn matmul(
        &self,
        weight: Matrix<'_>,
        x: Activations<'_>,
        out: &mut [f32],
        cancel: &AtomicBool,
    ) -> Result<(), KernelError> {
        self.matmuls(vec![Product { weight, x, out }], cancel)
    }

    /// Several products as one job, so that the threads wait for each other once: as
    /// [`matmul`](Self::matmul) for each.
    ///
    /// # Errors
    /// As [`matmul`](Self::matmul).
    pub fn matmuls(
        &self,
        products: Vec<Product<'_>>,
        cancel: &AtomicBool,
    ) -> Result<(), KernelError> {
        let mut factors = Vec::with_capacity(products.len());
        let mut outs = Vec::with_capacity(products.len());
        for Product { weight, x, out } in products {
            let x = Inputs::new(weight, x)?;
            let out = Output::new(out, x.tokens(), weight.rows())?;
            outs.push((out, weight.layout(), weight.cols()));
            factors.push((weight, x));
        }
        self.for_each_tile(&outs, cancel, |product, tokens, rows, tile| {
            if let Some((weight, x)) = factors.get(product) {
                x.multiply(&self.kernels, *weight, rows, tokens, tile);
            }
        })
    }

    /// `out[token][row] += weight[row] · x[token]`: as [`matmul`](Self::matmul), but what was there stays in the sum, and is
    /// read while the product is in the cache.
    ///
    /// # Errors
    /// As [`matmul`](Self::matmul). After a cancel some numbers are sums, and others not.
    pub fn matmul_add(
        &self,
        weight: Matrix<'_>,
        x: Activations<'_>,
        out: &mut [f32],
        cancel: &AtomicBool,
    ) -> Result<(), KernelError> {
        let x = Inputs::new(weight, x)?;
        let out = Output::new(out, x.tokens(), weight.rows())?;
        let outs = [(out, weight.layout(), weight.cols())];
        self.for_each_tile(&outs, cancel, |_, tokens, rows, mut tile| {
            x.multiply_apart(&self.kernels, weight, rows, tokens, |token, products| {
                self.kernels.add_assign(tile.row_mut(token), products);
            });
        })
    }

    /// `out[token][row] = silu(gate[row] · x[token]) * (up[row] · x[token])`: the hidden layer of a gated feed-forward
    /// network (Shazeer, "GLU Variants Improve Transformer", 2020), where the gate does not leave the cache. Both matrices
    /// are `[rows, cols]`, and come with `x` in the form that they take.
    ///
    /// # Errors
    /// As [`matmul`](Self::matmul), and [`KernelError::Shape`] where the two products differ in size.
    pub fn matmul_swiglu(
        &self,
        (gate, gate_x): (Matrix<'_>, Activations<'_>),
        (up, up_x): (Matrix<'_>, Activations<'_>),
        out: &mut [f32],
        cancel: &AtomicBool,
    ) -> Result<(), KernelError> {
        let (gate_x, up_x) = (Inputs::new(gate, gate_x)?, Inputs::new(up, up_x)?);
        KernelError::check("rows of the gate", up.rows(), gate.rows())?;
        KernelError::check("tokens of the gate", up_x.tokens(), gate_x.tokens())?;
        let out = Output::new(out, up_x.tokens(), up.rows())?;
        let layout = match gate.layout() {
            Layout::Strips => Layout::Strips,
            Layout::Rows => up.layout(),
        };
        let outs = [(out, layout, gate.cols() + up.cols())];
        self.for_each_tile(&outs, cancel, |_, tokens, rows, mut tile| {
            let (of_up, tokens_of_up) = (rows.clone(), tokens.clone());
            up_x.multiply(&self.kernels, up, of_up, tokens_of_up, tile.reborrow());
            gate_x.multiply_apart(&self.kernels, gate, rows, tokens, |token, gate| {
                self.kernels.swiglu(gate, tile.row_mut(token));
            });
        })
    }

    /// Cuts outputs into tiles, all of which are one job, and runs `work` on each: with the number of its output, its tokens
    /// and its rows. Beside each output: how the weights lie, and how many of them are multiplied for each number.
    fn for_each_tile(
        &self,
        outs: &[(Output<'_>, Layout, usize)],
        cancel: &AtomicBool,
        work: impl Fn(usize, Range<usize>, Range<usize>, TileMut<'_>) + Sync,
    ) -> Result<(), KernelError> {
        let mut plans = Vec::with_capacity(outs.len());
        let mut items = 0;
        for (number, (out, layout, cols)) in outs.iter().enumerate() {
            if !out.is_empty() {
                let plan = self.plan(*layout, out.rows(), out.tokens(), *cols);
                let first = items;
                items += plan.items();
                plans.push((first, number, out, plan));
            }
        }
        self.pool.run(items, cancel, |item| {
            let plan = plans.iter().rfind(|(first, ..)| *first <= item);
            let Some((first, number, out, plan)) = plan else {
                return;
            };
            let (tokens, rows) = plan.item(item - first);
            // SAFETY: the items of a plan are disjoint, and the pool runs each once.
            if let Some(tile) = unsafe { out.tile(tokens.clone(), rows.clone()) } {
                work(*number, tokens, rows, tile);
            }
        })?;
        Ok(())
    }

    /// `out[i] = weight[rows[i]] · x` for one token: what [`matmul`](Self::matmul) gives for those
    /// rows, bit for bit.
    ///
    /// # Errors
    /// As [`matmul`](Self::matmul), also for `x` of more or less than one token and for a row beyond
    /// the last.
    pub fn matmul_rows(
        &self,
        weight: Matrix<'_>,
        rows: &[u32],
        x: Activations<'_>,
        out: &mut [f32],
        cancel: &AtomicBool,
    ) -> Result<(), KernelError> {
        let x = Inputs::new(weight, x)?;
        KernelError::check("tokens of a product with some rows", 1, x.tokens())?;
        KernelError::check("output of a product", rows.len(), out.len())?;
        if let Some(&row) = rows.iter().find(|&&row| row as usize >= weight.rows()) {
            let (expected, found) = (weight.rows(), row as usize);
            return Err(KernelError::Shape {
                what: "row number, below",
                expected,
                found,
            });
        }
        if rows.is_empty() {
            return Ok(());
        }
        let chunk = self
            .plan(Layout::Rows, rows.len(), 1, weight.cols())
            .rows_per_item;
        self.pool.for_each_chunk(out, chunk, cancel, |i, out| {
            let rows = rows.get(i * chunk..).unwrap_or_default();
            match weight.layout() {
                Layout::Rows => {
                    for (&row, out) in rows.iter().zip(out) {
                        let (row, tile) = (row as usize, TileMut::of_row(from_mut(out)));
                        x.multiply(&self.kernels, weight, row..row + 1, 0..1, tile);
                    }
                }
                Layout::Strips => {
                    let mut products = [0.0; STRIP_ROWS];
                    let mut multiplied = None;
                    for (row, out) in rows.iter().zip(out) {
                        let (strip, row) = (*row as usize / STRIP_ROWS, *row as usize % STRIP_ROWS);
                        // Neighbours in the same strip are multiplied once.
                        if multiplied != Some(strip) {
                            let first = strip * STRIP_ROWS;
                            let tile = TileMut::of_row(&mut products);
                            x.multiply(
                                &self.kernels,
                                weight,
                                first..first + STRIP_ROWS,
                                0..1,
                                tile,
                            );
                            multiplied = Some(strip);
                        }
                        *out = products.get(row).copied().unwrap_or_default();
                    }
                }
            }
        })?;
        Ok(())
    }

    /// How large an item of a product may be.
    fn limits(&self, layout: Layout) -> Limits {
        let of_few = |multiply_adds| Limits {
            tokens: 32,
            multiply_adds,
            reading: 1,
            strips: 1,
        };
        match (self.kernels.instruction_set(), layout) {
            (InstructionSet::Scalar, _) => of_few(512 << 10),
            (InstructionSet::Neon, _) => of_few(1 << 20),
            (InstructionSet::Avx512, Layout::Strips) => Limits {
                tokens: MOST_TOKENS,
                multiply_adds: 48 << 20,
                reading: 12,
                strips: 2,
            },
            _ => of_few(4 << 20),
        }
    }

    /// How to cut a product into items: so small that a cancel is seen soon and threads finish
    /// together, and so large that handing them out costs nothing.
    fn plan(&self, layout: Layout, rows: usize, tokens: usize, cols: usize) -> Plan {
        /// Rows that share one pass over the activations.
        const ROWS: usize = STRIP_ROWS;
        /// Below this, handing an item out is felt.
        const SMALL: usize = 32 << 10;
        /// Tokens that kernels multiply at once.
        const TOKENS: usize = 4;
        let limits = self.limits(layout);
        // Rows that are not cut further.
        let together = match layout {
            Layout::Rows => 1,
            Layout::Strips if tokens < TOKENS_OF_PAIRS => STRIP_ROWS,
            Layout::Strips => limits.strips * STRIP_ROWS,
        };
        let most_tokens = limits.multiply_adds / cols.saturating_mul(together).max(1);
        let most_tokens = (most_tokens - most_tokens % TOKENS).clamp(TOKENS, limits.tokens);
        let tokens_per_item = tokens
            .div_ceil(tokens.div_ceil(most_tokens))
            .next_multiple_of(TOKENS);
        let row_cost = cols.saturating_mul(tokens_per_item.min(tokens)).max(1);
        let reading = cols.saturating_mul(limits.reading);
        let most = (limits.multiply_adds / row_cost.max(reading)).max(1);
        let least = SMALL.div_ceil(row_cost);
        let shared = rows.div_ceil(4 * self.threads());
        let mut rows_per_item = shared.max(least).min(most);
        if layout == Layout::Strips {
            rows_per_item = rows_per_item.next_multiple_of(together);
        } else if rows_per_item > ROWS {
            rows_per_item -= rows_per_item % ROWS;
        }
        Plan {
            rows,
            tokens,
            rows_per_item,
            tokens_per_item,
        }
    }
}

/// Rows of `cols` values that are quantized at once: handing them out costs little beside them.
fn rows_to_quantize(cols: usize) -> usize {
    const VALUES: usize = 4096;
    VALUES.div_ceil(cols.max(1))
}

/// How large an item of a product may be.
struct Limits {
    /// Tokens that share one decoding of the weights.
    tokens: usize,
    /// As many as take about 0.2 ms.
    multiply_adds: usize,
    /// Multiply-adds that take as long as reading a weight from memory.
    reading: usize,
    /// Strips that are multiplied at once where there are [`TOKENS_OF_PAIRS`].
    strips: usize,
}

/// Rectangles that cover `[tokens, rows]`. Those of the same rows follow one another, so that
/// their weights are still in the cache.
struct Plan {
    rows: usize,
    tokens: usize,
    rows_per_item: usize,
    tokens_per_item: usize,
}

impl Plan {
    fn items(&self) -> usize {
        self.rows.div_ceil(self.rows_per_item) * self.tokens.div_ceil(self.tokens_per_item)
    }

    /// Tokens and rows of an item.
    fn item(&self, item: usize) -> (Range<usize>, Range<usize>) {
        let per_row = self.tokens.div_ceil(self.tokens_per_item);
        let token = item % per_row * self.tokens_per_item;
        let row = item / per_row * self.rows_per_item;
        let tokens = token..(token + self.tokens_per_item).min(self.tokens);
        let rows = row..(row + self.rows_per_item).min(self.rows);
        (tokens, rows)
    }
}

/// Activations whose shape fits the weights.
enum Inputs<'a> {
    F32 {
        values: &'a [f32],
        cols: usize,
    },
    Q8 {
        rows: Q8Rows<'a>,
        /// Rows for each token, whose products are added.
        planes: usize,
    },
}

impl<'a> Inputs<'a> {
    fn new(weight: Matrix<'_>, x: Activations<'a>) -> Result<Inputs<'a>, KernelError> {
        let cols = weight.cols();
        match x {
            Activations::F32 {
                values,
                cols: found,
            } => {
                KernelError::check("columns of activations", cols, found)?;
                KernelError::check_multiple("activations", cols, 0, values.len())?;
                Ok(Inputs::F32 { values, cols })
            }
            Activations::Q8(x) => {
                KernelError::check("columns of activations", cols, x.cols())?;
                if !weight.format().takes_q8() {
                    return Err(KernelError::NeedsF32Activations(weight.format()));
                }
                Ok(Inputs::Q8 {
                    rows: x.view(),
                    planes: x.planes(),
                })
            }
        }
    }

    fn tokens(&self) -> usize {
        match self {
            Inputs::F32 { values, cols } => values.len() / cols,
            Inputs::Q8 { rows, planes } => rows.rows() / planes,
        }
    }

    /// The product of some rows of `weight`, whole strips where it has strips, with some of the tokens, at most
    /// [`MOST_TOKENS`].
    fn multiply(
        &self,
        kernels: &Kernels,
        weight: Matrix<'_>,
        rows: Range<usize>,
        tokens: Range<usize>,
        mut tile: TileMut<'_>,
    ) {
        let Some(weights) = weight.rows_bytes(rows.start, rows.len()) else {
            return;
        };
        if weight.layout() == Layout::Rows {
            return self.multiply_rows(kernels, weight, weights, tokens, tile);
        }
        if let Inputs::Q8 { rows, planes } = self
            && let Some(product) = kernels.fused(weight.format(), Layout::Strips, *planes)
        {
            let x = rows.slice(tokens.start * planes, tokens.len() * planes);
            return product(weights, x, tile);
        }
        // There is no kernel for strips with these activations: they are taken apart.
        let strip_bytes = STRIP_ROWS * weight.row_bytes();
        let mut rows = vec![0; strip_bytes];
        let mut products = vec![0.0; STRIP_ROWS * tokens.len()];
        for (strip, bytes) in weights.chunks_exact(strip_bytes).enumerate() {
            let done = deinterleave(weight.format(), weight.row_bytes(), bytes, &mut rows);
            debug_assert!(done.is_ok(), "`Matrix` checked the shape");
            let part = TileMut::of_rows(&mut products, STRIP_ROWS);
            self.multiply_rows(kernels, weight, &rows, tokens.clone(), part);
            for (token, products) in products.chunks_exact(STRIP_ROWS).enumerate() {
                tile.set_run(token, strip * STRIP_ROWS, products);
            }
        }
    }

    /// The product of some rows of `weight` with some of the tokens, outside the output: `each` gets a token, counted from
    /// the first of them, and its products.
    fn multiply_apart(
        &self,
        kernels: &Kernels,
        weight: Matrix<'_>,
        rows: Range<usize>,
        tokens: Range<usize>,
        mut each: impl FnMut(usize, &[f32]),
    ) {
        // A token's products have room on the stack, mostly: at decode, a small model would wait for allocations.
        let (mut few, mut many) = ([0.0; 1024], Vec::new());
        let len = rows.len() * tokens.len();
        let products = if let Some(few) = few.get_mut(..len) {
            few
        } else {
            many.resize(len, 0.0);
            many.as_mut_slice()
        };
        let width = rows.len();
        let tile = TileMut::of_rows(products, width);
        self.multiply(kernels, weight, rows, tokens, tile);
        for (token, products) in products.chunks_exact(width).enumerate() {
            each(token, products);
        }
    }

    /// The product of rows that lie one after the other.
    fn multiply_rows(
        &self,
        kernels: &Kernels,
        weight: Matrix<'_>,
        weights: &[u8],
        tokens: Range<usize>,
        mut tile: TileMut<'_>,
    ) {
        match self {
            Inputs::F32 { values, cols } => {
                let x = values
                    .get(tokens.start * cols..tokens.end * cols)
                    .unwrap_or_default();
                kernels.matmul_f32(weight.format(), weights, x, *cols, tile);
            }
            Inputs::Q8 { rows, planes } => {
                let x = rows.slice(tokens.start * planes, tokens.len() * planes);
                if let Some(product) = kernels.fused(weight.format(), Layout::Rows, *planes) {
                    return product(weights, x, tile);
                }
                let Some(product) = kernels.fused(weight.format(), Layout::Rows, 1) else {
                    return debug_assert!(false, "`new` checked the format");
                };
                // Where rows are picked one by one, to set room for many tokens to zero takes longer than a product.
                let (mut of_one, mut of_many);
                let parts: &mut [f32] = if tokens.len() == 1 {
                    of_one = [0.0; STRIP_ROWS * 2];
                    &mut of_one
                } else {
                    of_many = [0.0; STRIP_ROWS * MOST_TOKENS * 2];
                    &mut of_many
                };
                for (strip, weights) in weights.chunks(STRIP_ROWS * weight.row_bytes()).enumerate()
                {
                    let rows = weights.len() / weight.row_bytes();
                    let parts = parts.get_mut(..x.rows() * rows).unwrap_or_default();
                    product(weights, x, TileMut::of_rows(parts, rows));
                    for (token, parts) in parts.chunks_exact(2 * rows).enumerate() {
                        let (codes, residuals) = parts.split_at(rows);
                        for (row, (a, b)) in codes.iter().zip(residuals).enumerate() {
                            tile.set(token, strip * STRIP_ROWS + row, a + b);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number is computed once, and no item keeps a cancel waiting.
    #[test]
    fn plans_cover_the_output_with_small_items() {
        let sizes = [
            (1_usize, 32_usize),
            (7, 576),
            (576, 576),
            (3008, 3072),
            (512, 8192),
            (64, 16384),
        ];
        for (kernels, threads) in Kernels::supported().into_iter().zip([1, 2, 8, 2]) {
            let cpu = Cpu::with_pool(kernels, ThreadPool::new(threads));
            for layout in [Layout::Rows, Layout::Strips] {
                let limit = cpu.limits(layout).multiply_adds;
                for tokens in [1, 2, 7, 8, 31, 32, 33, 64, 65, 500, 512] {
                    for (rows, cols) in sizes {
                        if layout == Layout::Strips && !rows.is_multiple_of(STRIP_ROWS) {
                            continue;
                        }
                        let what = format!("{kernels:?}, {layout:?}, {tokens} x {rows} x {cols}");
                        let plan = cpu.plan(layout, rows, tokens, cols);
                        let mut covered = vec![0; tokens * rows];
                        for item in 0..plan.items() {
                            let (tokens, rows_of_item) = plan.item(item);
                            let size = tokens.len() * rows_of_item.len() * cols;
                            // Whole strips are at most twice as much, and one strip with four tokens is the least.
                            let least = STRIP_ROWS * 4 * cols;
                            assert!(size <= least.max(2 * limit), "{what}: {size}");
                            for token in tokens {
                                for row in rows_of_item.clone() {
                                    covered[token * rows + row] += 1;
                                }
                            }
                        }
                        assert!(covered.iter().all(|times| *times == 1), "{what}");
                        // Where there are strips enough, no thread is left without work.
                        let (each, is_long) = match layout {
                            Layout::Rows => (4, true),
                            Layout::Strips => (2, rows >= 128 * threads),
                        };
                        if tokens * rows * cols > threads << 20 && is_long {
                            assert!(plan.items() >= each * threads, "{what}");
                        }
                    }
                }
            }
        }
    }
}
