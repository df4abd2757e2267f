//! The loops of products with `f32` activations, written once for all vector instruction sets.

#![allow(
    clippy::indexing_slicing,
    reason = "rows come from `Cpu`, which checked the shapes"
)]

/// `count` vectors that begin every `stride` values.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) count: usize,
}

impl Strided<'_> {
    /// Pointers to the first `len` values of `N` vectors from `first` on.
    pub(crate) fn pointers<const N: usize>(&self, first: usize, len: usize) -> [*const f32; N] {
        std::array::from_fn(|i| self.values[(first + i) * self.stride..][..len].as_ptr())
    }
}

/// Defines `matmul_f32`, a [`MatmulF32`](crate::kernels::MatmulF32), for the instruction set of a module, which has
///
/// - `unpack(format, bytes, out)`, [`crate::dequantize()`] unchecked;
/// - `dots::<ROWS, TOKENS>(rows, x, len, row, token, each)`, which calls `each` with (index in `x`, index in `rows`, dot
///   product of the first `len` values) for `ROWS` rows from `row` on and `TOKENS` vectors of `x` from `token` on.
///
/// Rows are dequantized, a piece at a time, to a panel on the stack. The order of operations of a row and a token does not
/// depend on the others.
macro_rules! float_loops {
    ($features:literal) => {
        /// Rows of a panel of dequantized weights.
        const PANEL_ROWS: usize = 4;
        /// Values of a row that the panel holds: 16 KB in all.
        const PANEL_VALUES: usize = 1024;

        #[target_feature(enable = $features)]
        pub(crate) fn matmul_f32(
            format: $crate::format::Format,
            weights: &[u8],
            x: &[f32],
            cols: usize,
            mut out: $crate::tile::TileMut<'_>,
        ) {
            let row_bytes = weights.len() / out.rows();
            let (block_len, block_bytes) = (format.block_len(), format.block_bytes());
            let mut panel = [0.0; PANEL_ROWS * PANEL_VALUES];
            for first in (0..out.rows()).step_by(PANEL_ROWS) {
                let rows = PANEL_ROWS.min(out.rows() - first);
                for start in (0..cols).step_by(PANEL_VALUES) {
                    let len = PANEL_VALUES.min(cols - start);
                    let bytes =
                        start / block_len * block_bytes..(start + len) / block_len * block_bytes;
                    for (r, panel) in panel.chunks_exact_mut(PANEL_VALUES).take(rows).enumerate() {
                        let row = &weights[(first + r) * row_bytes..][..row_bytes];
                        unpack(format, &row[bytes.clone()], &mut panel[..len]);
                    }
                    let panel = Strided {
                        values: &panel,
                        stride: PANEL_VALUES,
                        count: rows,
                    };
                    let x = Strided {
                        values: &x[start..],
                        stride: cols,
                        count: out.tokens(),
                    };
                    each_dot(panel, x, len, |token, row, dot| {
                        if start == 0 {
                            out.set(token, first + row, dot);
                        } else {
                            out.add(token, first + row, dot);
                        }
                    });
                }
            }
        }

        /// [`dots`] of all rows with all vectors of `x`.
        #[target_feature(enable = $features)]
        #[inline]
        fn each_dot(
            rows: Strided<'_>,
            x: Strided<'_>,
            len: usize,
            mut each: impl FnMut(usize, usize, f32),
        ) {
            for row in (0..rows.count).step_by(4) {
                for token in (0..x.count).step_by(2) {
                    match (rows.count - row, x.count - token) {
                        (1, 1) => dots::<1, 1>(rows, x, len, row, token, &mut each),
                        (2, 1) => dots::<2, 1>(rows, x, len, row, token, &mut each),
                        (3, 1) => dots::<3, 1>(rows, x, len, row, token, &mut each),
                        (_, 1) => dots::<4, 1>(rows, x, len, row, token, &mut each),
                        (1, _) => dots::<1, 2>(rows, x, len, row, token, &mut each),
                        (2, _) => dots::<2, 2>(rows, x, len, row, token, &mut each),
                        (3, _) => dots::<3, 2>(rows, x, len, row, token, &mut each),
                        (_, _) => dots::<4, 2>(rows, x, len, row, token, &mut each),
                    }
                }
            }
        }
    };
}
pub(crate) use float_loops;
