//! Small operations against double precision.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::Random;
use nibble_kernels::Kernels;
use proptest::prelude::*;

fn close(found: f32, expected: f64, relative: f64) -> bool {
    (f64::from(found) - expected).abs() <= relative * expected.abs() + 1e-37
}

proptest! {
    #[test]
    fn rms_norm_is_exact(len in 1_usize..200, size in -20_i32..20, seed: u64) {
        let mut random = Random(seed);
        let x: Vec<f32> = random.floats(len).iter().map(|v| v * 2.0_f32.powi(size)).collect();
        let weight = random.floats(len);
        let mean = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / len as f64;
        for kernels in Kernels::supported() {
            let mut out = vec![f32::NAN; len];
            kernels.rms_norm(&x, &weight, 1e-5, &mut out);
            for ((out, x), weight) in out.iter().zip(&x).zip(&weight) {
                let expected = f64::from(*x) / (mean + f64::from(1e-5_f32)).sqrt() * f64::from(*weight);
                prop_assert!(close(*out, expected, 3e-7), "{out} for {expected}");
            }
        }
    }

    #[test]
    fn swiglu_is_exact(gates in proptest::collection::vec(-88.0_f32..90.0, 1..50), seed: u64) {
        let up = Random(seed).floats(gates.len());
        for kernels in Kernels::supported() {
            let mut out = up.clone();
            kernels.swiglu(&gates, &mut out);
            for ((out, gate), up) in out.iter().zip(&gates).zip(&up) {
                let gate = f64::from(*gate);
                let expected = gate / (1.0 + (-gate).exp()) * f64::from(*up);
                prop_assert!(close(*out, expected, 6e-7), "{out} for {expected}");
            }
        }
    }

    #[test]
    fn softmax_is_exact(x in proptest::collection::vec(-50.0_f32..50.0, 1..50)) {
        let largest = x.iter().fold(f64::NEG_INFINITY, |m, v| m.max(f64::from(*v)));
        let total: f64 = x.iter().map(|v| (f64::from(*v) - largest).exp()).sum();
        for kernels in Kernels::supported() {
            let mut out = x.clone();
            let log_sum = kernels.softmax(&mut out);
            for (out, x) in out.iter().zip(&x) {
                let expected = (f64::from(*x) - largest).exp() / total;
                // The difference to the largest, up to 100, is rounded by up to 4e-6.
                prop_assert!(close(*out, expected, 6e-6), "{out} for {expected}");
            }
            let expected = largest + total.ln();
            prop_assert!((f64::from(log_sum) - expected).abs() < 6e-6, "{log_sum} for {expected}");
        }
    }
}

#[test]
fn extremes() {
    for kernels in Kernels::supported() {
        let mut x = [f32::NEG_INFINITY, 0.0, 0.0, 1e30];
        assert_eq!(kernels.softmax(&mut x), 1e30);
        assert_eq!(x, [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(kernels.softmax(&mut []), f32::NEG_INFINITY);

        let mut up = [1.0; 5];
        kernels.swiglu(&[-1e30, 1e30, 0.0, -0.0, f32::NAN], &mut up);
        assert_eq!(up[..4], [0.0, 1e30, 0.0, 0.0]);
        assert!(up[4].is_nan());

        let mut sum = [1.0, 2.0];
        kernels.add_assign(&mut sum, &[0.5, -2.0]);
        assert_eq!(sum, [1.5, 0.0]);
    }
}
