//! Matrix products of one thread, whose weights stay in the second-level cache: what the arithmetic costs when
//! memory does not limit it. Throughput counts bytes of weights.
//!
//!     cargo bench -p nibble-kernels [-- 'Q4_K/avx512']

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking; criterion's macros make undocumented functions"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use common::{Random, Style, weights};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nibble_kernels::{
    Activations, Cpu, Format, Kernels, Layout, Matrix, QuantizedActivations, interleave,
};

const FORMATS: [Format; 6] = [
    Format::Q4_0,
    Format::Q4_1,
    Format::Q4K,
    Format::Q5K,
    Format::Q6K,
    Format::Q8_0,
];
const ROWS: usize = 128;
const COLS: usize = 3072;

fn products(criterion: &mut Criterion) {
    let never = AtomicBool::new(false);
    for format in FORMATS {
        let mut random = Random(7);
        let data = weights(format, ROWS, COLS, Style::Usual, &mut random);
        let rows = Matrix::new(format, ROWS, COLS, &data).unwrap();
        let mut strips = vec![0; data.len()];
        interleave(format, rows.row_bytes(), &data, &mut strips).unwrap();
        let strips = Matrix::with_layout(Layout::Strips, format, ROWS, COLS, &strips).unwrap();
        for (kernels, matrix, layout) in Kernels::supported()
            .into_iter()
            .flat_map(|kernels| [(kernels, rows, "rows"), (kernels, strips, "strips")])
        {
            let set = kernels.instruction_set().name();
            if set == "scalar" {
                continue;
            }
            let cpu = Cpu::with_kernels(kernels, 1);
            let name = format!("{}/{set}/{layout}", format.name());
            let mut group = criterion.benchmark_group(name);
            group
                .throughput(Throughput::Bytes(data.len() as u64))
                .warm_up_time(Duration::from_millis(200))
                .measurement_time(Duration::from_secs(1))
                .sample_size(20);
            for (tokens, residual) in [(1, false), (1, true), (2, false), (4, false), (64, false)] {
                let x = random.floats(tokens * COLS);
                let mut quantized = QuantizedActivations::new();
                match residual {
                    true => quantized
                        .quantize_with_residual(cpu.kernels(), &x, COLS)
                        .unwrap(),
                    false => quantized.quantize(cpu.kernels(), &x, COLS).unwrap(),
                }
                let mut out = vec![0.0; tokens * ROWS];
                let name = if residual {
                    "tokens, 16 bits"
                } else {
                    "tokens"
                };
                group.bench_function(BenchmarkId::new(name, tokens), |bencher| {
                    bencher.iter(|| {
                        cpu.matmul(matrix, Activations::Q8(&quantized), &mut out, &never)
                            .unwrap()
                    });
                });
            }
        }
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
