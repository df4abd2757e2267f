//! How fast this machine reads memory: what no decoder can exceed whose weights fit no cache.
//!
//! `cargo run --release -p nibble-kernels --example bandwidth -- [THREADS] [GIBIBYTES] [PASSES]`
//!
//! Prints gigabytes (10^9 bytes) a second of each pass, one a line, in their order.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for the terminal: it prints, and stops at errors"
)]

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// Sums that do not wait for each other, so that the processor's adders are never what limits.
const LANES: usize = 32;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| {
        arguments
            .next()
            .map_or(default, |text| text.parse().unwrap())
    };
    let cores = std::thread::available_parallelism().unwrap().get();
    let (threads, gibibytes, passes) = (number(cores).max(1), number(2), number(5));

    // Not zeros: pages that were never written are all the same page.
    let data: Vec<u64> = (0..(gibibytes as u64) << 27).collect();
    let part = data.len().div_ceil(threads);
    let barrier = Barrier::new(threads + 1);
    let times = std::thread::scope(|scope| {
        for part in data.chunks(part) {
            let barrier = &barrier;
            scope.spawn(move || {
                for _ in 0..passes {
                    barrier.wait();
                    black_box(sum(black_box(part)));
                    barrier.wait();
                }
            });
        }
        let pass = |_| {
            barrier.wait();
            let start = Instant::now();
            barrier.wait();
            start.elapsed().as_secs_f64()
        };
        (0..passes).map(pass).collect::<Vec<f64>>()
    });
    for time in times {
        println!("{:.2}", size_of_val(data.as_slice()) as f64 / 1e9 / time);
    }
}

/// The sum of `data`, for which all of it is read.
fn sum(data: &[u64]) -> u64 {
    let mut sums = [0_u64; LANES];
    let (chunks, rest) = data.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*value);
        }
    }
    rest.iter()
        .chain(&sums)
        .fold(0, |total, value| total.wrapping_add(*value))
}
