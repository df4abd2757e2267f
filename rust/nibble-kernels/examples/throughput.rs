//! How fast matrix products are on this machine: for each format and instruction set, bytes of
//! weights read with one token, and multiply-adds with many.
//!
//! `cargo run --release -p nibble-kernels --example throughput -- [THREADS] [ROWS] [COLS] [FORMAT]`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for the terminal: it prints, and stops at errors"
)]

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use half::f16;
use nibble_kernels::{
    Activations, Cpu, Format, Kernels, KvRows, Matrix, QuantizedActivations, attend, quantize,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| {
        arguments
            .next()
            .map_or(default, |text| text.parse().unwrap())
    };
    let (threads, rows, cols) = (number(1), number(8192), number(3072));
    let only = arguments.next();
    println!("{threads} threads, {rows} x {cols}");
    if only.is_none() {
        Kernels::supported().iter().for_each(attention);
    }
    println!("format set    inputs  GB/s (1)  GMAC/s (1)  GMAC/s (4)  GMAC/s (64)");
    for format in Format::ALL {
        if only.as_ref().is_some_and(|name| name != format.name()) {
            continue;
        }
        // Halves of 2^-4, so that no scale is huge and no number denormal.
        let mut data = vec![0x2c; rows * format.row_bytes(cols).unwrap()];
        for (i, byte) in data.iter_mut().enumerate().filter(|(i, _)| i % 2 == 0) {
            *byte = (i % 251) as u8;
        }
        let weight = Matrix::new(format, rows, cols, &data).unwrap();
        for kernels in Kernels::supported() {
            let cpu = Cpu::with_kernels(kernels, threads);
            for inputs in ["q8", "q8+q8", "f32"] {
                if inputs != "f32" && !format.takes_q8() {
                    continue;
                }
                let [one, four, many] =
                    [1, 4, 64].map(|tokens| seconds(&cpu, weight, inputs, tokens));
                let macs = (rows * cols) as f64 / 1e9;
                println!(
                    "{:6} {:6} {:6} {:9.1} {:11.1} {:11.1} {:12.1}",
                    format.name(),
                    kernels.instruction_set().name(),
                    inputs,
                    data.len() as f64 / 1e9 / one,
                    macs / one,
                    4.0 * macs / four,
                    64.0 * macs / many,
                );
            }
        }
    }
}

/// Attention of a group of three query heads over 2048 positions of 128 values, on one thread.
fn attention(kernels: &Kernels) {
    const DIM: usize = 128;
    let floats = vec![0.5; 2048 * DIM];
    let halves = vec![f16::from_f32(0.5); floats.len()];
    let mut blocks = vec![0; Format::Q8_0.row_bytes(floats.len()).unwrap()];
    quantize(Format::Q8_0, &floats, &mut blocks).unwrap();
    let caches = [
        ("F32", KvRows::F32(&floats), 4 * floats.len()),
        ("F16", KvRows::F16(&halves), 2 * floats.len()),
        ("Q8_0", KvRows::Q8_0(&blocks), blocks.len()),
    ];
    for (name, rows, bytes) in caches {
        let mut out = [0.0; 3 * DIM];
        let time = shortest(|| {
            attend(
                kernels,
                &[0.1; 3 * DIM],
                DIM,
                0.1,
                std::iter::once((rows, rows)),
                &mut out,
            )
            .unwrap();
        });
        let set = kernels.instruction_set().name();
        println!(
            "attention {name:4} {set:6} {:9.1} GB/s",
            2.0 * bytes as f64 / 1e9 / time
        );
    }
}

/// The shortest time of a product in seconds.
fn seconds(cpu: &Cpu, weight: Matrix<'_>, inputs: &str, tokens: usize) -> f64 {
    let cols = weight.cols();
    let values: Vec<f32> = (0..tokens * cols)
        .map(|i| (i % 37) as f32 / 18.0 - 1.0)
        .collect();
    let mut quantized = QuantizedActivations::new();
    if inputs == "q8" {
        quantized.quantize(cpu.kernels(), &values, cols).unwrap();
    } else {
        quantized
            .quantize_with_residual(cpu.kernels(), &values, cols)
            .unwrap();
    }
    let x = match inputs {
        "f32" => Activations::F32 {
            values: &values,
            cols,
        },
        _ => Activations::Q8(&quantized),
    };
    let mut out = vec![0.0; tokens * weight.rows()];
    shortest(|| {
        cpu.matmul(weight, x, &mut out, &AtomicBool::new(false))
            .unwrap()
    })
}

/// The shortest time of `work` in seconds, over half a second.
fn shortest(mut work: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut shortest = f64::INFINITY;
    while begin.elapsed().as_secs_f64() < 0.5 {
        let start = Instant::now();
        work();
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    shortest
}
