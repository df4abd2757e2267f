//! Attention of one thread over the keys and values of a head, in cache and beyond it. Throughput counts bytes of keys
//! and values.
//!
//!     cargo bench -p nibble-kernels --bench attention [-- 'avx512/q8_0']

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking; criterion's macros make undocumented functions"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Duration;

use common::Random;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::f16;
use half::slice::HalfFloatSliceExt;
use nibble_kernels::{Format, Kernels, KvRows, attend, quantize};

/// Query heads that share a head of keys and values, and their width, as in Phi-4-mini and SmolLM2.
const SHAPES: [(usize, usize); 2] = [(3, 128), (3, 64)];
const POSITIONS: [usize; 2] = [256, 65_536];

fn attention(criterion: &mut Criterion) {
    let mut random = Random(7);
    for (group, dim) in SHAPES {
        let queries = random.floats(group * dim);
        for positions in POSITIONS {
            let values = random.floats(positions * dim);
            let mut halves = vec![f16::ZERO; values.len()];
            halves.convert_from_f32_slice(&values);
            let mut blocks = vec![0; Format::Q8_0.row_bytes(values.len()).unwrap()];
            quantize(Format::Q8_0, &values, &mut blocks).unwrap();
            let rows = [
                ("f16", KvRows::F16(&halves), 2 * values.len()),
                ("q8_0", KvRows::Q8_0(&blocks), blocks.len()),
            ];
            for kernels in Kernels::supported() {
                for (name, rows, bytes) in rows {
                    let set = kernels.instruction_set().name();
                    let mut measured = criterion.benchmark_group(format!("{set}/{name}"));
                    measured
                        .throughput(Throughput::Bytes(2 * bytes as u64))
                        .warm_up_time(Duration::from_millis(200))
                        .measurement_time(Duration::from_secs(1))
                        .sample_size(10);
                    let id = BenchmarkId::new(format!("width {dim}"), positions);
                    let mut out = vec![0.0; group * dim];
                    measured.bench_function(id, |bencher| {
                        bencher.iter(|| {
                            let run = std::iter::once((rows, rows));
                            attend(&kernels, &queries, dim, 0.1, run, &mut out).unwrap();
                        });
                    });
                }
            }
        }
    }
}

criterion_group!(benches, attention);
criterion_main!(benches);
