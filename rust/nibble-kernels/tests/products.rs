//! Matrix products: every instruction set against exact sums, on random and on extreme weights.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Random, Style, magnitudes, values, weights};
#[cfg(target_arch = "aarch64")]
use nibble_kernels::InstructionSet;
use nibble_kernels::{
    Activations, Cpu, Format, KernelError, Kernels, Layout, Matrix, Product, QuantizedActivations,
    can_interleave, interleave,
};
use proptest::prelude::*;

static NEVER: AtomicBool = AtomicBool::new(false);

fn style() -> impl Strategy<Value = Style> {
    prop_oneof![
        Just(Style::Usual),
        Just(Style::AnyScale),
        Just(Style::NotFinite),
        prop_oneof![Just(0x00), Just(0xff), Just(0x80), Just(0x7f), any::<u8>()]
            .prop_map(Style::Codes),
    ]
}

/// Activations of every size, with whole blocks of the largest magnitude.
fn activations(count: usize, random: &mut Random) -> Vec<f32> {
    let mut x = random.floats(count);
    for block in x.chunks_mut(32) {
        match random.bits() % 4 {
            0 => block.fill(random.float()),
            1 => block.iter_mut().for_each(|v| *v = v.signum()),
            2 => block[0] *= 100.0,
            _ => {}
        }
    }
    x
}

/// Compares a product with the sums in double precision of what weights and activations stand for. `rounds_sums`: minimums
/// may be multiplied with sums of activations that are rounded to 1/16 of a code.
fn check(matrix: Matrix<'_>, x: &[Vec<f32>], out: &[f32], rounds_sums: bool, what: &str) {
    for row in 0..matrix.rows() {
        let (weights, magnitudes) = (values(matrix, row), magnitudes(matrix, row));
        for (token, x) in x.iter().enumerate() {
            let (mut expected, mut size) = (0.0, 0.0);
            for ((w, m), x) in weights.iter().zip(&magnitudes).zip(x) {
                expected += f64::from(*w) * f64::from(*x);
                size += f64::from(*m) * f64::from(x.abs());
            }
            let mut rounding = 0.0;
            if rounds_sums {
                for (magnitudes, x) in magnitudes.chunks(128).zip(x.chunks(128)) {
                    let code = f64::from(largest(x)) / 127.0;
                    for magnitudes in magnitudes.chunks(32) {
                        rounding += f64::from(largest(magnitudes)) * code / 16.0;
                    }
                }
            }
            let found = out[token * matrix.rows() + row];
            if expected.is_finite() {
                let error = (f64::from(found) - expected).abs();
                assert!(
                    error <= 2e-6 * size + rounding + 1e-37,
                    "{what}: row {row}, token {token}: {found} for {expected}, size {size}"
                );
            } else {
                assert!(
                    !found.is_finite(),
                    "{what}: row {row}, token {token}: {found}"
                );
            }
        }
    }
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, v| largest.max(v.abs()))
}

fn check_both(format: Format, rows: usize, cols: usize, tokens: usize, style: Style, seed: u64) {
    let mut random = Random(seed);
    let data = weights(format, rows, cols, style, &mut random);
    let matrix = Matrix::new(format, rows, cols, &data).unwrap();
    let x = activations(tokens * cols, &mut random);
    let exact: Vec<Vec<f32>> = x.chunks_exact(cols).map(<[f32]>::to_vec).collect();
    let strips = interleaved(matrix);
    let mut layouts = vec![matrix];
    layouts.extend(
        strips
            .as_ref()
            .map(|strips| Matrix::with_layout(Layout::Strips, format, rows, cols, strips).unwrap()),
    );
    for (kernels, layout) in Kernels::supported()
        .into_iter()
        .flat_map(|kernels| layouts.iter().map(move |layout| (kernels, *layout)))
    {
        check_products(kernels, layout, &x, &exact);
    }
}

/// The strips of a matrix, if its rows fill some.
fn interleaved(matrix: Matrix<'_>) -> Option<Vec<u8>> {
    if !can_interleave(matrix.format(), matrix.rows()) {
        return None;
    }
    let mut strips = vec![0; matrix.data().len()];
    interleave(
        matrix.format(),
        matrix.row_bytes(),
        matrix.data(),
        &mut strips,
    )
    .unwrap();
    Some(strips)
}

/// Checks products of one matrix with the rows of `x`, which are `exact` in pieces.
fn check_products(kernels: Kernels, matrix: Matrix<'_>, x: &[f32], exact: &[Vec<f32>]) {
    let (format, rows, cols, tokens) = (matrix.format(), matrix.rows(), matrix.cols(), exact.len());
    let cpu = Cpu::with_kernels(kernels, 1);
    let set = kernels.instruction_set().name();
    let what = format!("{format}, {set}, {:?}", matrix.layout());
    let mut out = vec![f32::NAN; tokens * rows];
    cpu.matmul(
        matrix,
        Activations::F32 { values: x, cols },
        &mut out,
        &NEVER,
    )
    .unwrap();
    check(matrix, exact, &out, false, &format!("{what}, f32"));

    if !format.takes_q8() {
        return;
    }
    let rounds_sums = kernels.instruction_set().name() == "avx512"
        && matrix.layout() == Layout::Strips
        && matches!(format, Format::Q4K | Format::Q5K);
    let mut quantized = QuantizedActivations::new();
    for residual in [false, true] {
        match residual {
            false => quantized.quantize(&kernels, x, cols).unwrap(),
            true => quantized.quantize_with_residual(&kernels, x, cols).unwrap(),
        }
        out.fill(f32::NAN);
        cpu.matmul(matrix, Activations::Q8(&quantized), &mut out, &NEVER)
            .unwrap();
        let x: Vec<Vec<f32>> = (0..tokens)
            .map(|token| quantized.dequantized(token).unwrap())
            .collect();
        check(
            matrix,
            &x,
            &out,
            rounds_sums && !residual,
            &format!("{what}, q8, residual: {residual}"),
        );
    }
}

proptest! {
    #[test]
    fn products_are_exact_sums(
        format in proptest::sample::select(Format::ALL.to_vec()),
        rows in prop_oneof![1_usize..40, Just(16), Just(32)],
        blocks in 1_usize..12,
        tokens in 1_usize..11,
        style in style(),
        seed: u64,
    ) {
        // 256-blocks up to four panels' length; float formats with a length of no power of two.
        let cols = match format.block_len() {
            1 => blocks * 13,
            len => blocks * len,
        };
        check_both(format, rows, cols, tokens, style, seed);
    }
}

#[test]
fn products_of_long_rows_and_many_tokens() {
    for format in Format::ALL {
        check_both(format, 19, 2304, 37, Style::Usual, 1);
        check_both(format, 32, 2304, 37, Style::Usual, 3);
        check_both(format, 3, 2304 + 256, 2, Style::Codes(0xff), 2);
    }
}

/// More tokens than an item has, an odd number of strips, and columns that do not fill the last panel. Items of Arm's
/// kernels are smaller, and this takes long where they are emulated.
#[test]
#[cfg(target_arch = "x86_64")]
fn products_of_more_tokens_than_an_item_has() {
    for format in [Format::Q4_0, Format::Q4_1, Format::Q8_0] {
        check_both(format, 48, 288, 131, Style::Usual, 4);
        // The last item has four strips, two, and one.
        check_both(format, 496, 288, 9, Style::Usual, 6);
    }
    for format in [Format::Q4K, Format::Q5K, Format::Q6K] {
        check_both(format, 48, 768, 131, Style::Usual, 4);
        check_both(format, 496, 256, 9, Style::Usual, 6);
    }
}

#[test]
fn products_of_one_job_are_what_they_are_alone() {
    let (cols, tokens) = (512, 3);
    let mut random = Random(5);
    // One has no row, one few, one enough for all threads.
    let shapes = [
        (Format::Q4K, 48),
        (Format::F32, 0),
        (Format::Q8_0, 3),
        (Format::Q4_0, 700),
    ];
    let data = shapes.map(|(format, rows)| weights(format, rows, cols, Style::Usual, &mut random));
    let x = activations(tokens * cols, &mut random);
    let x = Activations::F32 { values: &x, cols };
    let weight = |i: usize| Matrix::new(shapes[i].0, shapes[i].1, cols, &data[i]).unwrap();
    for threads in [1, 3] {
        let cpu = Cpu::new(threads);
        let mut outs = shapes.map(|(_, rows)| vec![f32::NAN; tokens * rows]);
        let products = outs.iter_mut().enumerate();
        let products = products.map(|(i, out)| Product {
            weight: weight(i),
            x,
            out,
        });
        cpu.matmuls(products.collect(), &NEVER).unwrap();
        for (i, out) in outs.iter().enumerate() {
            let mut alone = vec![f32::NAN; out.len()];
            cpu.matmul(weight(i), x, &mut alone, &NEVER).unwrap();
            assert!(*out == alone, "{}", shapes[i].0);
        }
    }
}

#[test]
fn fused_products_are_what_their_parts_are() {
    let (rows, cols) = (160, 512);
    let mut random = Random(8);
    let (up_data, gate_data) = (
        weights(Format::Q4K, rows, cols, Style::Usual, &mut random),
        weights(Format::Q6K, rows, cols, Style::Usual, &mut random),
    );
    let up = Matrix::new(Format::Q4K, rows, cols, &up_data).unwrap();
    let gate = Matrix::new(Format::Q6K, rows, cols, &gate_data).unwrap();
    let strips = [up, gate].map(|matrix| interleaved(matrix).unwrap());
    let up_strips =
        Matrix::with_layout(Layout::Strips, Format::Q4K, rows, cols, &strips[0]).unwrap();
    let gate_strips =
        Matrix::with_layout(Layout::Strips, Format::Q6K, rows, cols, &strips[1]).unwrap();
    for kernels in Kernels::supported() {
        for (up, gate) in [
            (up, gate),
            (up_strips, gate_strips),
            (up, gate_strips),
            (up_strips, gate),
        ] {
            for tokens in [0, 1, 7, 131] {
                let values = activations(tokens * cols, &mut random);
                let mut quantized = QuantizedActivations::new();
                quantized.quantize(&kernels, &values, cols).unwrap();
                let values = &values;
                let x = Activations::F32 { values, cols };
                let quantized = Activations::Q8(&quantized);
                let before = activations(tokens * rows, &mut random);

                let cpu = Cpu::with_kernels(kernels, 3);
                let (mut sum, mut hidden) = (before.clone(), vec![f32::NAN; tokens * rows]);
                cpu.matmul_add(up, quantized, &mut sum, &NEVER).unwrap();
                // Each matrix with an input of its own.
                cpu.matmul_swiglu((gate, x), (up, quantized), &mut hidden, &NEVER)
                    .unwrap();

                let mut expected = vec![f32::NAN; tokens * rows];
                let mut gates = expected.clone();
                cpu.matmul(up, quantized, &mut expected, &NEVER).unwrap();
                cpu.matmul(gate, x, &mut gates, &NEVER).unwrap();
                for ((sum, before), product) in sum.iter().zip(&before).zip(&expected) {
                    assert_eq!(*sum, before + product, "{kernels:?}");
                }
                kernels.swiglu(&gates, &mut expected);
                assert!(hidden == expected, "{kernels:?}, {tokens} tokens");
            }
        }
    }
}

/// Each number is computed in the same order of operations, whatever it is computed with.
#[test]
fn results_do_not_depend_on_batch_rows_or_threads() {
    for kernels in Kernels::supported() {
        for (format, residual) in Format::ALL
            .into_iter()
            .flat_map(|f| [(f, false), (f, true)])
        {
            for layout in [Layout::Rows, Layout::Strips] {
                // 37 rows fill no strips. 144 are items of four strips and of one; where they are emulated, 48 do.
                let of_strips = if cfg!(target_arch = "x86_64") {
                    144
                } else {
                    48
                };
                let rows = if layout == Layout::Rows {
                    37
                } else {
                    of_strips
                };
                let (cols, tokens) = (1280, 39);
                let mut random = Random(3);
                let data = weights(format, rows, cols, Style::Usual, &mut random);
                let matrix = Matrix::new(format, rows, cols, &data).unwrap();
                let strips = interleaved(matrix);
                let matrix = match (layout, &strips) {
                    (Layout::Rows, _) => matrix,
                    (_, Some(strips)) => {
                        Matrix::with_layout(layout, format, rows, cols, strips).unwrap()
                    }
                    (_, None) => continue,
                };
                let x = activations(tokens * cols, &mut random);
                let product = |x: &[f32], threads, some_rows: Option<&[u32]>| {
                    let cpu = Cpu::with_kernels(kernels, threads);
                    let mut quantized = QuantizedActivations::new();
                    match residual {
                        false => quantized.quantize(&kernels, x, cols).unwrap(),
                        true => quantized.quantize_with_residual(&kernels, x, cols).unwrap(),
                    }
                    let x = match format.takes_q8() {
                        true => Activations::Q8(&quantized),
                        false => Activations::F32 { values: x, cols },
                    };
                    match some_rows {
                        Some(rows) => {
                            let mut out = vec![f32::NAN; rows.len()];
                            cpu.matmul_rows(matrix, rows, x, &mut out, &NEVER).unwrap();
                            out
                        }
                        None => {
                            let mut out = vec![f32::NAN; quantized.rows() * rows];
                            cpu.matmul(matrix, x, &mut out, &NEVER).unwrap();
                            out
                        }
                    }
                };
                let all = product(&x, 1, None);
                assert!(product(&x, 3, None) == all, "{format}: threads");
                for token in [0, 20, tokens - 1] {
                    let x = &x[token * cols..][..cols];
                    let expected = &all[token * rows..][..rows];
                    assert!(product(x, 2, None) == expected, "{format}: batch");
                    let some = [36, 0, 17, 17, 5];
                    let found = product(x, 2, Some(&some));
                    let expected: Vec<f32> = some.iter().map(|r| expected[*r as usize]).collect();
                    assert!(found == expected, "{format}: some rows");
                }
            }
        }
    }
}

/// With strips, some instructions multiply one token alone, some pairs of tokens, and pieces of long rows.
#[cfg(target_arch = "aarch64")]
#[test]
fn instruction_sets_of_arm_agree_bit_for_bit() {
    let rows = 32;
    let mut random = Random(7);
    for format in Format::ALL.into_iter().filter(|f| f.takes_q8()) {
        // Rows of less than one group, of one piece, and of one and a part.
        for (blocks, tokens) in [(1, 8), (1, 33), (2, 5), (3, 1), (3, 2), (3, 3), (21, 9)] {
            let cols = blocks * format.block_len();
            let data = weights(format, rows, cols, Style::Usual, &mut random);
            let matrix = Matrix::new(format, rows, cols, &data).unwrap();
            let strips = interleaved(matrix).unwrap();
            let strips = Matrix::with_layout(Layout::Strips, format, rows, cols, &strips).unwrap();
            let x = activations(tokens * cols, &mut random);
            for (matrix, residual) in [matrix, strips].map(|m| [(m, false), (m, true)]).concat() {
                let mut expected: Option<Vec<f32>> = None;
                for kernels in Kernels::supported() {
                    if kernels.instruction_set() == InstructionSet::Scalar {
                        continue;
                    }
                    let mut quantized = QuantizedActivations::new();
                    match residual {
                        false => quantized.quantize(&kernels, &x, cols).unwrap(),
                        true => quantized
                            .quantize_with_residual(&kernels, &x, cols)
                            .unwrap(),
                    }
                    let mut out = vec![f32::NAN; tokens * rows];
                    Cpu::with_kernels(kernels, 1)
                        .matmul(matrix, Activations::Q8(&quantized), &mut out, &NEVER)
                        .unwrap();
                    let expected = expected.get_or_insert_with(|| out.clone());
                    let differs = out
                        .iter()
                        .zip(expected)
                        .find(|(a, b)| a.to_bits() != b.to_bits());
                    assert!(
                        differs.is_none(),
                        "{format}, {kernels:?}, {:?}, {blocks} blocks, {tokens} tokens, residual: {residual}: {differs:?}",
                        matrix.layout(),
                    );
                }
            }
        }
    }
}

/// Whoever runs the tests for an instruction set names it, so that they do not pass without it.
#[test]
fn the_expected_instructions_are_chosen() {
    if let Ok(expected) = std::env::var("NIBBLE_EXPECTED_INSTRUCTIONS") {
        assert_eq!(Kernels::detect().instruction_set().name(), expected);
    }
}

#[test]
fn cancel_stops_early() {
    // The portable kernels take a second for it: they cannot finish before the cancel.
    let (rows, cols, tokens) = (4096, 4096, 64);
    let data = vec![0; rows * Format::Q4_0.row_bytes(cols).unwrap()];
    let matrix = Matrix::new(Format::Q4_0, rows, cols, &data).unwrap();
    let x = vec![1.0; tokens * cols];
    for threads in [1, 2] {
        let cpu = Cpu::with_kernels(Kernels::scalar(), threads);
        let mut quantized = QuantizedActivations::new();
        quantized.quantize(cpu.kernels(), &x, cols).unwrap();
        let x = Activations::Q8(&quantized);
        let mut out = vec![1.0; tokens * rows];
        let cancel = AtomicBool::new(true);
        let cancelled = cpu.matmul(matrix, x, &mut out, &cancel);
        assert_eq!(cancelled, Err(KernelError::Cancelled));
        assert!(
            out.iter().all(|v| *v == 1.0),
            "work was done after the cancel"
        );

        cancel.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(5));
                cancel.store(true, Ordering::Relaxed);
            });
            let cancelled = cpu.matmul(matrix, x, &mut out, &cancel);
            assert_eq!(cancelled, Err(KernelError::Cancelled));
        });
        assert!(out.contains(&1.0));

        let small = Matrix::new(Format::Q4_0, 8, cols, &data[..8 * matrix.row_bytes()]).unwrap();
        let mut out = vec![1.0; tokens * 8];
        cpu.matmul(small, x, &mut out, &NEVER).unwrap();
        assert!(
            !out.contains(&1.0),
            "a product after a cancelled one is whole"
        );
    }
}

#[test]
fn wrong_shapes_are_errors() {
    let data = vec![0; 4 * 36];
    let matrix = Matrix::new(Format::Q4_0, 4, 64, &data).unwrap();
    assert!(Matrix::new(Format::Q4_0, 4, 48, &data).is_err());
    assert!(Matrix::new(Format::Q4_0, 5, 64, &data).is_err());
    assert!(Matrix::new(Format::Q4_0, 0, 0, &[]).is_err());
    assert!(Matrix::new(Format::Q4_0, usize::MAX, 64, &data).is_err());
    let mut buffer = Vec::new();
    assert_eq!(matrix.row(3, &mut buffer).unwrap().len(), 36);
    assert_eq!(matrix.row(4, &mut buffer), None);
    assert_eq!(matrix.row(usize::MAX, &mut buffer), None);
    assert!(Matrix::with_layout(Layout::Strips, Format::Q4_0, 4, 64, &data).is_err());

    let cpu = Cpu::new(1);
    let mut x = QuantizedActivations::new();
    assert!(x.quantize(cpu.kernels(), &[0.0; 64], 0).is_err());
    assert!(x.quantize(cpu.kernels(), &[0.0; 48], 48).is_err());
    assert!(x.quantize(cpu.kernels(), &[0.0; 96], 64).is_err());
    x.quantize(cpu.kernels(), &[0.0; 128], 64).unwrap();
    let q8 = Activations::Q8(&x);
    let f32 = Activations::F32 {
        values: &[0.0; 128],
        cols: 64,
    };
    for x in [q8, f32] {
        assert!(cpu.matmul(matrix, x, &mut [0.0; 7], &NEVER).is_err());
        assert!(cpu.matmul(matrix, x, &mut [0.0; 8], &NEVER).is_ok());
        assert!(cpu.matmul_add(matrix, x, &mut [0.0; 7], &NEVER).is_err());
        assert!(
            cpu.matmul_rows(matrix, &[0], x, &mut [0.0; 1], &NEVER)
                .is_err(),
            "two tokens"
        );
    }
    let one = Activations::F32 {
        values: &[0.0; 64],
        cols: 64,
    };
    assert!(
        cpu.matmul_rows(matrix, &[3], one, &mut [0.0; 1], &NEVER)
            .is_ok()
    );
    assert!(
        cpu.matmul_rows(matrix, &[4], one, &mut [0.0; 1], &NEVER)
            .is_err()
    );
    assert!(
        cpu.matmul_rows(matrix, &[3], one, &mut [0.0; 2], &NEVER)
            .is_err()
    );
    assert!(cpu.matmul_rows(matrix, &[], one, &mut [], &NEVER).is_ok());
    let ragged = Activations::F32 {
        values: &[0.0; 65],
        cols: 64,
    };
    assert!(cpu.matmul(matrix, ragged, &mut [0.0; 4], &NEVER).is_err());
    let none = Activations::F32 {
        values: &[],
        cols: 64,
    };
    assert!(cpu.matmul(matrix, none, &mut [], &NEVER).is_ok());

    let three = Matrix::new(Format::Q4_0, 3, 64, &data[..108]).unwrap();
    for (gate, x, len) in [(three, q8, 8), (matrix, one, 8), (matrix, q8, 7)] {
        let refused = cpu.matmul_swiglu((gate, x), (matrix, q8), &mut vec![0.0; len], &NEVER);
        assert!(matches!(refused, Err(KernelError::Shape { .. })));
    }

    let floats = vec![0; 4 * 64 * 2];
    let floats = Matrix::new(Format::F16, 4, 64, &floats).unwrap();
    let refused = cpu.matmul(floats, q8, &mut [0.0; 8], &NEVER);
    assert_eq!(refused, Err(KernelError::NeedsF32Activations(Format::F16)));
}
