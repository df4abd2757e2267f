//! Quantized activations.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use std::sync::atomic::AtomicBool;

use common::Random;
use nibble_kernels::{Cpu, KernelError, Kernels, QuantizedActivations};
use proptest::prelude::*;

fn quantized(kernels: &Kernels, x: &[f32]) -> Vec<f32> {
    let mut q = QuantizedActivations::new();
    q.quantize(kernels, x, x.len()).unwrap();
    q.dequantized(0).unwrap()
}

#[test]
fn codes_are_nearest() {
    let x = Random(1).floats(32 * 21);
    for kernels in Kernels::supported() {
        assert_near(&x, &quantized(&kernels, &x), 127.0 / 2.0);
    }
}

/// Whether values are within half a step, of which the largest of 32 values is at least `steps`.
fn assert_near(x: &[f32], quantized: &[f32], steps: f32) {
    for (x, q) in x.chunks(32).zip(quantized.chunks(32)) {
        let step = x.iter().fold(0.0_f32, |m, v| m.max(v.abs())) / steps;
        for (x, q) in x.iter().zip(q) {
            assert!((x - q).abs() <= 0.51 * step, "{x} became {q}, step {step}");
        }
    }
}

#[test]
fn residuals_make_sixteen_bits_of_eight() {
    let x = Random(2).floats(3 * 160);
    for kernels in Kernels::supported() {
        let mut q = QuantizedActivations::new();
        q.quantize_with_residual(&kernels, &x, 160).unwrap();
        assert_eq!((q.rows(), q.cols()), (3, 160));
        for (row, x) in x.chunks(160).enumerate() {
            assert_near(x, &q.dequantized(row).unwrap(), 127.0 / 2.0 * 254.0);
        }
        // A plain batch after it has no leftovers.
        q.quantize(&kernels, &x, 160).unwrap();
        assert_eq!(q.dequantized(0).unwrap(), quantized(&kernels, &x[..160]));
    }
}

#[test]
fn normalised_rows_are_quantized_as_they_are_alone() {
    let (rows, cols) = (301, 160);
    let mut random = Random(4);
    let (x, weight) = (random.floats(rows * cols), random.floats(cols));
    let never = AtomicBool::new(false);
    for kernels in Kernels::supported() {
        let cpu = Cpu::with_kernels(kernels, 3);
        let mut expected = vec![0.0; x.len()];
        for (x, normed) in x.chunks(cols).zip(expected.chunks_mut(cols)) {
            kernels.rms_norm(x, &weight, 1e-5, normed);
        }
        for residuals in [false, true] {
            let (mut apart, mut fused) = (QuantizedActivations::new(), QuantizedActivations::new());
            cpu.quantize(&expected, cols, residuals, &mut apart, &never)
                .unwrap();
            let mut normed = vec![f32::NAN; x.len()];
            let mut fuse = |normed: &mut [f32]| {
                let norm = (&weight[..], 1e-5);
                cpu.rms_norm_and_quantize(&x, norm, normed, residuals, &mut fused, &never)
            };
            let wrong = fuse(&mut normed[1..]);
            assert!(matches!(wrong, Err(KernelError::Shape { .. })), "{wrong:?}");
            fuse(&mut normed).unwrap();
            assert_eq!(normed, expected);
            assert_eq!(format!("{fused:?}"), format!("{apart:?}"));
        }
    }
}

#[test]
fn threads_quantize_as_one_does() {
    // Items of several rows, the last of fewer.
    let (rows, cols) = (301, 160);
    let x = Random(3).floats(rows * cols);
    let (never, cancel) = (AtomicBool::new(false), AtomicBool::new(true));
    for kernels in Kernels::supported() {
        let cpu = Cpu::with_kernels(kernels, 3);
        for residuals in [false, true] {
            let (mut one, mut all) = (QuantizedActivations::new(), QuantizedActivations::new());
            match residuals {
                false => one.quantize(&kernels, &x, cols).unwrap(),
                true => one.quantize_with_residual(&kernels, &x, cols).unwrap(),
            }
            cpu.quantize(&x, cols, residuals, &mut all, &never).unwrap();
            assert_eq!(all.rows(), rows);
            for row in 0..rows {
                assert_eq!(all.dequantized(row), one.dequantized(row), "row {row}");
            }
            let cancelled = cpu.quantize(&x, cols, residuals, &mut all, &cancel);
            assert_eq!(cancelled, Err(KernelError::Cancelled));
        }
        let mut none = QuantizedActivations::new();
        let wrong = cpu.quantize(&x, 33, false, &mut none, &never);
        assert!(matches!(wrong, Err(KernelError::Shape { .. })), "{wrong:?}");
    }
}

#[test]
fn what_is_not_finite_spoils_its_group_only() {
    for kernels in Kernels::supported() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; 288];
            x[140] = bad;
            let q = quantized(&kernels, &x);
            assert!(
                q[..128]
                    .iter()
                    .chain(&q[256..])
                    .all(|v| (v - 1.0).abs() < 1e-6)
            );
            assert!(q[128..256].iter().all(|v| v.is_nan()));
        }
    }
}

#[test]
fn blocks_of_small_values_have_small_steps() {
    let powers = [0, 3, 12, 23];
    let mut x = Random(4).floats(128);
    for (x, power) in x.chunks_mut(32).zip(powers) {
        x.iter_mut().for_each(|x| *x /= (1 << power) as f32);
    }
    for kernels in Kernels::supported() {
        assert_near(&x, &quantized(&kernels, &x), 127.0 / 2.0);
        // Next to nothing beside the others is nothing.
        let mut x = [1.0; 64];
        x[32..].fill(1e-12);
        let found = quantized(&kernels, &x);
        assert!((found[0] - 1.0).abs() < 1e-6);
        assert_eq!(found[32..], [0.0; 32]);
        assert_eq!(quantized(&kernels, &[1e-30; 32]), [0.0; 32]);
    }
}

#[test]
fn buffers_are_reused_without_leftovers() {
    for kernels in Kernels::supported() {
        let mut q = QuantizedActivations::new();
        q.quantize(&kernels, &[1.0; 3 * 256], 256).unwrap();
        q.quantize(&kernels, &[2.0; 2 * 32], 32).unwrap();
        assert_eq!((q.rows(), q.cols()), (2, 32));
        assert!(
            q.dequantized(1)
                .unwrap()
                .iter()
                .all(|v| (v - 2.0).abs() < 1e-6)
        );
        assert_eq!(q.dequantized(2), None);
    }
}

proptest! {
    #[test]
    fn instruction_sets_agree_bit_for_bit(bits in proptest::collection::vec(any::<u32>(), 32)) {
        let x: Vec<f32> = bits.iter().map(|b| f32::from_bits(*b)).collect();
        // Random bits are mostly huge: a second, tamer block.
        let x = [&x[..], &x.iter().map(|v| (v % 7.0).max(-7.0)).collect::<Vec<_>>()].concat();
        let expected = quantized(&Kernels::scalar(), &x);
        for kernels in Kernels::supported() {
            let found = quantized(&kernels, &x);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!(found == expected || found.is_nan() && expected.is_nan());
            }
        }
    }
}
