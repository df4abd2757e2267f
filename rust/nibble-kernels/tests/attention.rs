//! Attention against a plain softmax in double precision.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;

use common::Random;
use half::f16;
use half::slice::HalfFloatSliceExt;
use nibble_kernels::{
    Format, Kernels, KvFormat, KvRows, PartialSoftmax, attend, dequantize, quantize,
};
use proptest::prelude::*;

/// Keys or values as a cache holds them.
enum Stored {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Q8_0(Vec<u8>),
}

impl Stored {
    fn new(format: KvFormat, values: &[f32]) -> Stored {
        match format {
            KvFormat::F16 => {
                let mut halves = vec![f16::ZERO; values.len()];
                halves.convert_from_f32_slice(values);
                Stored::F16(halves)
            }
            KvFormat::Q8_0 => {
                let mut blocks = vec![0; Format::Q8_0.row_bytes(values.len()).unwrap()];
                quantize(Format::Q8_0, values, &mut blocks).unwrap();
                Stored::Q8_0(blocks)
            }
            _ => Stored::F32(values.to_vec()),
        }
    }

    fn values(&self) -> Vec<f32> {
        match self {
            Stored::F32(values) => values.clone(),
            Stored::F16(halves) => halves.iter().map(|v| v.to_f32()).collect(),
            Stored::Q8_0(blocks) => {
                let mut values = vec![0.0; blocks.len() / 34 * 32];
                dequantize(Format::Q8_0, blocks, &mut values).unwrap();
                values
            }
        }
    }

    /// The values `first..first + count`.
    fn rows(&self, first: usize, count: usize) -> KvRows<'_> {
        match self {
            Stored::F32(values) => KvRows::F32(&values[first..][..count]),
            Stored::F16(halves) => KvRows::F16(&halves[first..][..count]),
            Stored::Q8_0(blocks) => KvRows::Q8_0(&blocks[first / 32 * 34..][..count / 32 * 34]),
        }
    }
}

/// One query head.
fn expected(query: &[f32], keys: &[f32], values: &[f32], scale: f32) -> Vec<f64> {
    let dim = query.len();
    let scores: Vec<f64> = keys
        .chunks(dim)
        .map(|key| {
            let dot: f64 = key
                .iter()
                .zip(query)
                .map(|(k, q)| f64::from(*k) * f64::from(*q))
                .sum();
            dot * f64::from(scale)
        })
        .collect();
    let largest = scores.iter().fold(f64::NEG_INFINITY, |m, s| m.max(*s));
    let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut out = vec![0.0; dim];
    for (weight, value) in weights.iter().zip(values.chunks(dim)) {
        for (out, v) in out.iter_mut().zip(value) {
            *out += weight / total * f64::from(*v);
        }
    }
    out
}

proptest! {
    #[test]
    fn attention_is_softmax_of_scores_times_values(
        format in proptest::sample::select(vec![KvFormat::F32, KvFormat::F16, KvFormat::Q8_0]),
        group in 1_usize..9,
        dim in 1_usize..6,
        blocks in proptest::collection::vec(0_usize..40, 1..5),
        steepness in 0.1_f32..40.0,
        seed: u64,
    ) {
        // 32-blocks; otherwise lengths that fill no vector.
        let dim = if format == KvFormat::Q8_0 { 32 * dim } else { 21 * dim };
        let positions: usize = blocks.iter().sum();
        let mut random = Random(seed);
        let queries = random.floats(group * dim);
        let keys = Stored::new(format, &random.floats(positions * dim));
        let values = Stored::new(format, &random.floats(positions * dim));
        let scale = steepness / (dim as f32).sqrt();
        for kernels in Kernels::supported() {
            let mut first = 0;
            let runs: Vec<_> = blocks.iter().map(|positions| {
                let run = (keys.rows(first, positions * dim), values.rows(first, positions * dim));
                first += positions * dim;
                run
            }).collect();
            let mut out = vec![f32::NAN; group * dim];
            attend(&kernels, &queries, dim, scale, runs.iter().copied(), &mut out).unwrap();

            // Each run by itself, and then all together.
            let mut joined = vec![0.0; group * dim];
            let mut softmax = PartialSoftmax::default();
            for run in runs {
                let (mut part, mut of_part) = (vec![0.0; group * dim], PartialSoftmax::default());
                // Whatever is told to come next.
                let rows = (run.0, run.1, run.1);
                of_part.attend(&kernels, &queries, (dim, scale), rows, &mut part).unwrap();
                softmax.join(&kernels, dim, &mut joined, &of_part, &part);
            }
            softmax.finish(&kernels, dim, &mut joined);

            for (head, query) in queries.chunks(dim).enumerate() {
                let expected = expected(query, &keys.values(), &values.values(), scale);
                for out in [&out, &joined] {
                    for (found, expected) in out[head * dim..].iter().zip(&expected) {
                        prop_assert!(
                            (f64::from(*found) - expected).abs() < 2e-5,
                            "{kernels:?} {format:?}: {found} for {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn large_scores_do_not_overflow() {
    for kernels in Kernels::supported() {
        let keys = [vec![-30.0; 64], vec![30.0; 64], vec![29.0; 64]].concat();
        let values = [vec![1.0; 64], vec![2.0; 64], vec![3.0; 64]].concat();
        let runs = [(0, 1), (1, 1), (2, 1)].map(|(first, count)| {
            let range = first * 64..(first + count) * 64;
            (
                KvRows::F32(&keys[range.clone()]),
                KvRows::F32(&values[range]),
            )
        });
        let mut out = [0.0; 64];
        attend(&kernels, &[30.0; 64], 64, 1.0, runs.into_iter(), &mut out).unwrap();
        assert!(out.iter().all(|v| *v == 2.0), "{kernels:?}: {out:?}");
    }
}

#[test]
fn no_positions_give_zero() {
    let mut out = [1.0; 8];
    let none = std::iter::empty();
    attend(&Kernels::detect(), &[1.0; 8], 4, 1.0, none, &mut out).unwrap();
    assert_eq!(out, [0.0; 8]);
}

#[test]
fn wrong_shapes_are_errors() {
    let kernels = Kernels::detect();
    let zeros = [0.0; 1024];
    let run = |keys: usize, values: usize| {
        [(KvRows::F32(&zeros[..keys]), KvRows::F32(&zeros[..values]))].into_iter()
    };
    let mut out = [0.0; 64];
    assert!(attend(&kernels, &zeros[..64], 32, 1.0, run(64, 64), &mut out).is_ok());
    assert!(attend(&kernels, &zeros[..64], 32, 1.0, run(64, 32), &mut out).is_err());
    assert!(attend(&kernels, &zeros[..64], 32, 1.0, run(40, 40), &mut out).is_err());
    assert!(attend(&kernels, &zeros[..60], 32, 1.0, run(64, 64), &mut out[..60]).is_err());
    assert!(attend(&kernels, &zeros[..32], 32, 1.0, run(64, 64), &mut out).is_err());
    assert!(attend(&kernels, &[], 0, 1.0, run(0, 0), &mut []).is_err());
    assert!(attend(&kernels, &zeros, 1024, 1.0, run(0, 0), &mut zeros.clone()).is_err());
    assert!(attend(&kernels, &zeros[..40], 1, 1.0, run(4, 4), &mut out[..40]).is_err());
    let blocks = [0; 68];
    let q8_0 =
        |len: usize| [(KvRows::Q8_0(&blocks[..len]), KvRows::Q8_0(&blocks[..len]))].into_iter();
    assert!(attend(&kernels, &zeros[..64], 64, 1.0, q8_0(68), &mut out).is_ok());
    assert!(attend(&kernels, &zeros[..64], 64, 1.0, q8_0(34), &mut out).is_err());
    assert!(attend(&kernels, &zeros[..48], 48, 1.0, q8_0(68), &mut out[..48]).is_err());
}
