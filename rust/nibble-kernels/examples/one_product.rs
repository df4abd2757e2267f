//! One matrix product on one thread, for tools that look at the instructions it takes (`scripts/estimate-cycles`).
//!
//! `one_product SET FORMAT TOKENS ROWS COLS [residual]`: SET as [`nibble_kernels::InstructionSet::name`] has it

#![allow(
    clippy::unwrap_used,
    reason = "a program for the terminal: it stops at errors"
)]

use std::sync::atomic::AtomicBool;

use nibble_kernels::{Activations, Cpu, Format, Kernels, Layout, Matrix, QuantizedActivations};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |i: usize| arguments.get(i).map_or("", |text| text);
    let number = |i| text(i).parse::<usize>().unwrap();
    let (tokens, rows, cols) = (number(2), number(3), number(4));
    let has_name = |kernels: &Kernels| kernels.instruction_set().name() == text(0);
    let kernels = Kernels::supported().into_iter().find(has_name).unwrap();
    let has_name = |format: &Format| format.name() == text(1);
    let format = Format::ALL.into_iter().find(has_name).unwrap();

    let data = vec![0; rows * format.row_bytes(cols).unwrap()];
    let weight = Matrix::with_layout(Layout::Strips, format, rows, cols, &data).unwrap();
    let mut x = QuantizedActivations::new();
    let values = vec![1.0; tokens * cols];
    match text(5) {
        "residual" => x.quantize_with_residual(&kernels, &values, cols).unwrap(),
        _ => x.quantize(&kernels, &values, cols).unwrap(),
    }
    let mut out = vec![0.0; tokens * rows];
    let cpu = Cpu::with_kernels(kernels, 1);
    let x = Activations::Q8(&x);
    cpu.matmul(weight, x, &mut out, &AtomicBool::new(false))
        .unwrap();
    std::hint::black_box(out);
}
