//! The GGUF reader and writer, against files of other writers, damage, hostility and the file system.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking too"
)]

mod damage;
mod files;
mod fixtures;
mod hostile;
mod metadata;
mod raw;
mod round_trip;
mod seeds;
mod walk;

use std::path::Path;

use nibble::gguf::{Format, Gguf, Value, Writer};
use nibble::{Error, Result};

/// Opens bytes under the name `test.gguf`.
fn open(bytes: &[u8]) -> Result<Gguf> {
    Gguf::from_bytes(bytes.to_vec(), Path::new("test.gguf"))
}

fn open_error(bytes: &[u8]) -> Error {
    open(bytes).expect_err("the file should be refused")
}

/// A model of about 1 KB that has every type of value and three tensors with padding between them.
fn small_model() -> Vec<u8> {
    let mut header = Writer::new("small.gguf");
    header.string("general.architecture", "llama").unwrap();
    header.value("u8", Value::U8(200)).unwrap();
    header.value("i8", Value::I8(-100)).unwrap();
    header.value("u16", Value::U16(60_000)).unwrap();
    header.value("i16", Value::I16(-30_000)).unwrap();
    header.u32("u32", 4_000_000_000).unwrap();
    header.i32("i32", -2_000_000_000).unwrap();
    header.f32("f32", 0.1).unwrap();
    header.bool("bool", true).unwrap();
    header.u64("u64", u64::MAX).unwrap();
    header.value("i64", Value::I64(i64::MIN)).unwrap();
    header.value("f64", Value::F64(1e300)).unwrap();
    header.strings("strings", &["a", "", "größer"]).unwrap();
    header.u32s("u32s", &[1, 2, 3]).unwrap();
    header.i32s("i32s", &[-1, 0]).unwrap();
    header.f32s("f32s", &[0.5]).unwrap();
    header.tensor("norm", Format::F32, &[3]).unwrap();
    header.tensor("matrix", Format::Q4_0, &[32, 2]).unwrap();
    header.tensor("cube", Format::F16, &[2, 3, 2]).unwrap();
    let mut data = header.begin(Vec::new()).unwrap();
    data.write("norm", &[1; 12]).unwrap();
    data.write("matrix", &[2; 36]).unwrap();
    data.write("cube", &[3; 24]).unwrap();
    data.finish().unwrap()
}
