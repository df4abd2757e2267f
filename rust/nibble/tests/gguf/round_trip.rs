//! What the writer wrote, the reader reads.

use std::collections::{BTreeMap, BTreeSet};

use nibble::ErrorKind;
use nibble::gguf::{Format, Gguf, Value, Writer};
use proptest::prelude::*;

use crate::raw::Raw;
use crate::{open, small_model};

#[derive(Debug, Clone)]
enum Entry {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    U64(u64),
    I64(i64),
    F64(f64),
    Strings(Vec<String>),
    U32s(Vec<u32>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        any::<u8>().prop_map(Entry::U8),
        any::<i8>().prop_map(Entry::I8),
        any::<u16>().prop_map(Entry::U16),
        any::<i16>().prop_map(Entry::I16),
        any::<u32>().prop_map(Entry::U32),
        any::<i32>().prop_map(Entry::I32),
        any::<f32>().prop_map(Entry::F32),
        any::<bool>().prop_map(Entry::Bool),
        any::<String>().prop_map(Entry::String),
        any::<u64>().prop_map(Entry::U64),
        any::<i64>().prop_map(Entry::I64),
        any::<f64>().prop_map(Entry::F64),
        prop::collection::vec(any::<String>(), 0..5).prop_map(Entry::Strings),
        prop::collection::vec(any::<u32>(), 0..5).prop_map(Entry::U32s),
        prop::collection::vec(any::<i32>(), 0..5).prop_map(Entry::I32s),
        prop::collection::vec(any::<f32>(), 0..5).prop_map(Entry::F32s),
    ]
}

#[derive(Debug, Clone)]
struct TensorSpec {
    format: Format,
    shape: Vec<usize>,
    data: Vec<u8>,
}

fn tensor() -> impl Strategy<Value = TensorSpec> {
    let format = prop::sample::select(Format::ALL.to_vec());
    let outer = prop::collection::vec(1..4usize, 0..4);
    (format, 1..4usize, outer).prop_flat_map(|(format, blocks, outer)| {
        let rows: usize = outer.iter().product();
        let mut shape = vec![blocks * format.block_len()];
        shape.extend(outer);
        let bytes = rows * blocks * format.block_bytes();
        prop::collection::vec(any::<u8>(), bytes).prop_map(move |data| TensorSpec {
            format,
            shape: shape.clone(),
            data,
        })
    })
}

fn write_entry(header: &mut Writer, key: &str, entry: &Entry) {
    match entry {
        Entry::U8(value) => header.value(key, Value::U8(*value)),
        Entry::I8(value) => header.value(key, Value::I8(*value)),
        Entry::U16(value) => header.value(key, Value::U16(*value)),
        Entry::I16(value) => header.value(key, Value::I16(*value)),
        Entry::U32(value) => header.u32(key, *value),
        Entry::I32(value) => header.i32(key, *value),
        Entry::F32(value) => header.f32(key, *value),
        Entry::Bool(value) => header.bool(key, *value),
        Entry::String(value) => header.string(key, value),
        Entry::U64(value) => header.u64(key, *value),
        Entry::I64(value) => header.value(key, Value::I64(*value)),
        Entry::F64(value) => header.value(key, Value::F64(*value)),
        Entry::Strings(values) => header.strings(key, values),
        Entry::U32s(values) => header.u32s(key, values),
        Entry::I32s(values) => header.i32s(key, values),
        Entry::F32s(values) => header.f32s(key, values),
    }
    .unwrap();
}

fn check_entry(model: &Gguf, key: &str, entry: &Entry) {
    let metadata = model.metadata();
    let bits =
        |values: &[f32]| -> Vec<u32> { values.iter().map(|value| value.to_bits()).collect() };
    match (entry, metadata.get(key).unwrap()) {
        (Entry::U8(value), Value::U8(found)) => assert_eq!(*value, found),
        (Entry::I8(value), Value::I8(found)) => assert_eq!(*value, found),
        (Entry::U16(value), Value::U16(found)) => assert_eq!(*value, found),
        (Entry::I16(value), Value::I16(found)) => assert_eq!(*value, found),
        (Entry::U32(value), Value::U32(_)) => assert_eq!(*value, metadata.u32(key).unwrap()),
        (Entry::I32(value), Value::I32(found)) => assert_eq!(*value, found),
        (Entry::F32(value), Value::F32(found)) => assert_eq!(value.to_bits(), found.to_bits()),
        (Entry::Bool(value), Value::Bool(_)) => assert_eq!(*value, metadata.bool(key).unwrap()),
        (Entry::String(value), Value::String(_)) => {
            assert_eq!(*value, metadata.string(key).unwrap());
        }
        (Entry::U64(value), Value::U64(_)) => assert_eq!(*value, metadata.u64(key).unwrap()),
        (Entry::I64(value), Value::I64(found)) => assert_eq!(*value, found),
        (Entry::F64(value), Value::F64(found)) => assert_eq!(value.to_bits(), found.to_bits()),
        (Entry::Strings(values), Value::Array(_)) => {
            let found: Vec<&str> = metadata
                .strings(key)
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert_eq!(*values, found);
        }
        (Entry::U32s(values), Value::Array(_)) => {
            assert_eq!(*values, metadata.u32s(key).unwrap());
        }
        (Entry::I32s(values), Value::Array(_)) => {
            assert_eq!(*values, metadata.i32s(key).unwrap());
        }
        (Entry::F32s(values), Value::Array(_)) => {
            assert_eq!(bits(values), bits(&metadata.f32s(key).unwrap()));
        }
        (written, read) => panic!("{written:?} was read as {read:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_model_is_read_as_it_was_written(
        alignment in prop::sample::select(vec![None, Some(8u32), Some(32), Some(64), Some(4096)]),
        entries in prop::collection::btree_map("[a-z._]{1,20}", entry(), 0..12),
        tensors in prop::collection::btree_map("[a-z.0-9]{1,63}", tensor(), 0..6),
        part in 1..200usize,
    ) {
        let mut header = Writer::new("any.gguf");
        if let Some(alignment) = alignment {
            header.alignment(alignment).unwrap();
        }
        for (key, entry) in &entries {
            write_entry(&mut header, key, entry);
        }
        for (name, tensor) in &tensors {
            header.tensor(name, tensor.format, &tensor.shape).unwrap();
        }
        let mut data = header.begin(Vec::new()).unwrap();
        for (name, tensor) in &tensors {
            for chunk in tensor.data.chunks(part) {
                data.write(name, chunk).unwrap();
            }
        }
        let bytes = data.finish().unwrap();

        let model = open(&bytes).unwrap();
        let alignment_bytes = u64::from(alignment.unwrap_or(32));
        prop_assert_eq!(model.version(), 3);
        prop_assert_eq!(model.alignment(), alignment_bytes);
        prop_assert_eq!(bytes.len() as u64 % alignment_bytes, 0);
        prop_assert_eq!(model.size_bytes(), bytes.len() as u64);
        for (key, entry) in &entries {
            check_entry(&model, key, entry);
        }
        prop_assert_eq!(model.tensors().len(), tensors.len());
        for ((name, spec), info) in tensors.iter().zip(model.tensors()) {
            prop_assert_eq!(&info.name, name);
            prop_assert_eq!(info.offset % alignment_bytes, 0);
            let tensor = model.tensor(name).unwrap();
            prop_assert_eq!(tensor.format, spec.format);
            prop_assert_eq!(&tensor.shape, &spec.shape);
            prop_assert_eq!(&*tensor.bytes, &*spec.data);
        }

        // What was read can be written again, byte for byte.
        let mut header = Writer::new("again.gguf");
        if let Some(alignment) = alignment {
            header.alignment(alignment).unwrap();
        }
        for (key, value) in model.metadata().iter().filter(|(key, _)| *key != "general.alignment") {
            header.value(key, value).unwrap();
        }
        for info in model.tensors() {
            header.tensor(&info.name, info.format.unwrap(), &info.shape).unwrap();
        }
        let mut data = header.begin(Vec::new()).unwrap();
        for info in model.tensors() {
            data.write(&info.name, &model.tensor(&info.name).unwrap().bytes).unwrap();
        }
        prop_assert_eq!(data.finish().unwrap(), bytes);
    }
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let mut header = Writer::new("tiny.gguf");
    header.alignment(64).unwrap();
    header.strings("names", &["x", "yz"]).unwrap();
    header.tensor("t", Format::F16, &[2, 1]).unwrap();
    header.tensor("u", Format::F32, &[1]).unwrap();
    let mut data = header.begin(Vec::new()).unwrap();
    data.write("t", &[1, 2, 3, 4]).unwrap();
    data.write("u", &[5, 6, 7, 8]).unwrap();

    let by_hand = Raw::header(2, 2)
        .key("general.alignment", 4)
        .u32(64)
        .key("names", 9)
        .u32(8)
        .u64(2)
        .string(b"x")
        .string(b"yz")
        .tensor("t", &[2, 1], 1, 0)
        .tensor("u", &[1], 0, 64)
        .data(64, &[1, 2, 3, 4])
        .data(64, &[5, 6, 7, 8])
        .data(64, &[]);
    assert_eq!(data.finish().unwrap(), by_hand.0);
}

#[test]
fn version_2_is_read_like_version_3() {
    let mut bytes = small_model();
    bytes[4] = 2;
    let model = open(&bytes).unwrap();
    assert_eq!(model.version(), 2);
    assert_eq!(model.metadata().u64("u64").unwrap(), u64::MAX);
    assert_eq!(*model.tensor("cube").unwrap().bytes, [3; 24]);
}

#[test]
fn tensors_may_lie_in_any_order_with_gaps() {
    let bytes = Raw::header(2, 0)
        .tensor("second", &[1], 0, 96)
        .tensor("first", &[1], 0, 32)
        .data(32, &[0; 32])
        .data(32, &[1, 1, 1, 1])
        .data(32, &[9; 32])
        .data(32, &[2, 2, 2, 2]);
    let model = open(&bytes.0).unwrap();
    assert_eq!(*model.tensor("first").unwrap().bytes, [1; 4]);
    assert_eq!(*model.tensor("second").unwrap().bytes, [2; 4]);
    let order: Vec<_> = model.tensors().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(order, ["second", "first"]);
}

#[test]
fn the_writer_refuses_what_the_format_cannot_hold() {
    let mut header = Writer::new("refused.gguf");
    header.u32("key", 1).unwrap();
    let refused = [
        header.u32("key", 2),
        header.u32("", 2),
        header.u32(&"k".repeat(65_536), 2),
        header.u32("general.alignment", 32),
        header.strings("key", &["a"]),
        header.alignment(0),
        header.alignment(4),
        header.alignment(48),
        header.alignment(1 << 21),
        header.tensor("", Format::F32, &[1]),
        header.tensor(&"n".repeat(64), Format::F32, &[1]),
        header.tensor("t", Format::F32, &[]),
        header.tensor("t", Format::F32, &[1, 0]),
        header.tensor("t", Format::F32, &[1; 5]),
        header.tensor("t", Format::Q4_0, &[33]),
        header.tensor("t", Format::F32, &[usize::MAX / 2, 3]),
    ];
    for (index, result) in refused.into_iter().enumerate() {
        let error = result.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{index}: {error}");
    }

    header.tensor("t", Format::F32, &[2]).unwrap();
    assert!(header.tensor("t", Format::F32, &[2]).is_err());
    assert!(header.alignment(64).is_err());
    header.tensor("u", Format::F32, &[1]).unwrap();
    let mut data = header.begin(Vec::new()).unwrap();
    assert!(data.write("u", &[0; 4]).is_err(), "out of order");
    assert!(data.write("t", &[0; 9]).is_err(), "too much");
    data.write("t", &[1; 8]).unwrap();
    assert!(data.write("t", &[0; 1]).is_err(), "already complete");
    data.write("u", &[2; 3]).unwrap();
    assert!(
        data.finish().is_err(),
        "a byte of the last tensor is missing"
    );
}

#[test]
fn refused_calls_leave_no_trace() {
    let mut header = Writer::new("clean.gguf");
    header.u32("key", 1).unwrap();
    header.u32("key", 2).unwrap_err();
    header.strings("key", &["a"]).unwrap_err();
    header.tensor("t", Format::Q4_0, &[33]).unwrap_err();
    header.tensor("t", Format::F32, &[1]).unwrap();
    let mut data = header.begin(Vec::new()).unwrap();
    data.write("t", &[1; 9]).unwrap_err();
    data.write("t", &[2; 4]).unwrap();
    let model = open(&data.finish().unwrap()).unwrap();
    let keys: BTreeMap<_, _> = model
        .metadata()
        .iter()
        .map(|(k, v)| (k, v.to_string()))
        .collect();
    assert_eq!(keys, BTreeMap::from([("key", "1".to_owned())]));
    let names: BTreeSet<_> = model.tensors().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["t"]));
    assert_eq!(*model.tensor("t").unwrap().bytes, [2; 4]);
}

#[test]
fn errors_of_the_output_name_the_file() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = Writer::new("full.gguf").begin(Full).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().starts_with("full.gguf: "), "{error}");
}
