//! Numbers for Nibble: block formats, SIMD kernels and a thread pool.
//!
//! [`Matrix`] views the weights of a model file in place. [`Cpu::matmul`] multiplies them with
//! [`Activations`], either `f32` or quantized to 8 bits once for several products;
//! [`attend`] reads the keys and values of a cache. The functions that do the work are chosen
//! once, at run time, from what the CPU has ([`Kernels`]); the portable ones are the reference for
//! all others. Nothing here knows of models.

mod activations;
mod attention;
mod attention_loops;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod cores;
mod cpu;
mod dequantize;
mod error;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod float_loops;
mod format;
mod interleave;
mod kernels;
mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod ops;
mod pool;
mod priority;
mod quantize;
mod scalar;
mod tile;

pub use activations::{Activations, QuantizedActivations};
pub use attention::{KvFormat, KvRows, MAX_GROUP, MAX_HEAD_DIM, PartialSoftmax, attend};
pub use cores::BigCores;
pub use cpu::{Cpu, Product};
pub use dequantize::dequantize;
pub use error::KernelError;
pub use format::Format;
pub use interleave::{STRIP_ROWS, can_interleave, deinterleave, interleave};
pub use kernels::{InstructionSet, Kernels};
pub use matrix::{Layout, Matrix};
pub use pool::{Cancelled, ThreadPool};
pub use priority::{Priority, RaisedPriority};
pub use quantize::quantize;
