//! The output of a matrix product, cut into rectangles that threads write at the same time.

use std::marker::PhantomData;
use std::ops::Range;

use crate::error::KernelError;

/// A row-major matrix `[tokens, rows]` that is handed out in disjoint rectangles. A safe split is
/// not possible: a rectangle's rows interleave with its neighbours' in memory.
pub(crate) struct Output<'a> {
    base: *mut f32,
    tokens: usize,
    rows: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer stands for a `&mut [f32]`, which is `Sync`; writing through a shared `Output`
// goes through `tile`, whose caller promises disjoint rectangles.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    /// Wraps `out`.
    ///
    /// # Errors
    /// `Shape` where it is not `tokens * rows` long.
    pub(crate) fn new(
        out: &'a mut [f32],
        tokens: usize,
        rows: usize,
    ) -> Result<Output<'a>, KernelError> {
        let expected = tokens.saturating_mul(rows);
        KernelError::check("output of a product", expected, out.len())?;
        Ok(Output {
            base: out.as_mut_ptr(),
            tokens,
            rows,
            borrow: PhantomData,
        })
    }

    /// Tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Rows of the weight matrix.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether there is nothing to compute.
    pub(crate) fn is_empty(&self) -> bool {
        self.tokens == 0 || self.rows == 0
    }

    /// The rectangle `tokens` by `rows`.
    ///
    /// # Safety
    /// No other tile that is alive may overlap it. (That it lies inside is checked.)
    pub(crate) unsafe fn tile(
        &self,
        tokens: Range<usize>,
        rows: Range<usize>,
    ) -> Option<TileMut<'_>> {
        if tokens.is_empty() || rows.is_empty() {
            return None;
        }
        if tokens.end > self.tokens || rows.end > self.rows {
            return None;
        }
        Some(TileMut {
            // SAFETY: `tokens.start < self.tokens` and `rows.start < self.rows`, so the offset is
            // inside the slice that `new` measured.
            base: unsafe { self.base.add(tokens.start * self.rows + rows.start) },
            stride: self.rows,
            tokens: tokens.len(),
            rows: rows.len(),
            borrow: PhantomData,
        })
    }
}

/// A rectangle of the output: `tokens` by `rows`, where `rows` counts rows of the weight matrix.
pub(crate) struct TileMut<'a> {
    base: *mut f32,
    stride: usize,
    tokens: usize,
    rows: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

impl TileMut<'_> {
    /// A tile of one token that covers `out`.
    pub(crate) fn of_row(out: &mut [f32]) -> TileMut<'_> {
        let rows = out.len();
        TileMut::of_rows(out, rows)
    }

    /// A tile that covers `out`, of as many tokens as there are whole runs of `rows` in it.
    pub(crate) fn of_rows(out: &mut [f32], rows: usize) -> TileMut<'_> {
        TileMut {
            base: out.as_mut_ptr(),
            stride: rows,
            tokens: out.len() / rows.max(1),
            rows,
            borrow: PhantomData,
        }
    }

    /// Tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Rows of the weight matrix.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The same tile, for a shorter time.
    pub(crate) fn reborrow(&mut self) -> TileMut<'_> {
        TileMut {
            borrow: PhantomData,
            ..*self
        }
    }

    /// The numbers of a token. Panics outside the tile.
    pub(crate) fn row_mut(&mut self, token: usize) -> &mut [f32] {
        assert!(token < self.tokens, "outside the tile");
        // SAFETY: rows of one token follow one another inside the output; `Output::tile` gave them to this tile alone.
        unsafe { std::slice::from_raw_parts_mut(self.base.add(token * self.stride), self.rows) }
    }

    /// Sets one number. Panics outside the tile.
    #[inline]
    pub(crate) fn set(&mut self, token: usize, row: usize, value: f32) {
        assert!(token < self.tokens && row < self.rows, "outside the tile");
        // SAFETY: inside the rectangle, hence inside the output; `Output::tile` gave it to this
        // tile alone.
        unsafe { *self.base.add(token * self.stride + row) = value };
    }

    /// Sets the numbers of consecutive rows, from `row` on. Panics outside the tile.
    #[inline]
    pub(crate) fn set_run(&mut self, token: usize, row: usize, values: &[f32]) {
        let fits = row <= self.rows && values.len() <= self.rows - row;
        assert!(token < self.tokens && fits, "outside the tile");
        // SAFETY: as in `set`; rows of one token follow one another.
        unsafe {
            let out = self.base.add(token * self.stride + row);
            std::ptr::copy_nonoverlapping(values.as_ptr(), out, values.len());
        }
    }

    /// Copies the numbers of consecutive rows, from `row` on, to `values`. Panics outside the tile.
    #[cfg(target_arch = "aarch64")]
    #[inline]
    pub(crate) fn copy_run(&self, token: usize, row: usize, values: &mut [f32]) {
        let fits = row <= self.rows && values.len() <= self.rows - row;
        assert!(token < self.tokens && fits, "outside the tile");
        // SAFETY: as in `set_run`.
        unsafe {
            let numbers = self.base.add(token * self.stride + row);
            std::ptr::copy_nonoverlapping(numbers, values.as_mut_ptr(), values.len());
        }
    }

    /// Adds to one number. Panics outside the tile.
    #[inline]
    pub(crate) fn add(&mut self, token: usize, row: usize, value: f32) {
        assert!(token < self.tokens && row < self.rows, "outside the tile");
        // SAFETY: as in `set`.
        unsafe { *self.base.add(token * self.stride + row) += value };
    }
}
