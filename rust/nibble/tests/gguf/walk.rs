//! Reads everything that an open model offers. Shared with the fuzz target.

use std::hint::black_box;

use nibble::gguf::{Gguf, Value};
use nibble::{Hparams, SpecialTokens, Tokenizer};

/// Calls every getter on every key and reads every byte of every tensor. Errors are fine.
pub(crate) fn walk(model: &Gguf) {
    black_box((model.version(), model.alignment(), model.size_bytes()));
    black_box(model.check_unchanged().is_ok());
    let metadata = model.metadata();
    for (key, value) in metadata.iter() {
        black_box(value.to_string());
        walk_value(value);
        black_box(metadata.u32(key).is_ok());
        black_box(metadata.u64(key).is_ok());
        black_box(metadata.f32(key).is_ok());
        black_box(metadata.bool(key).is_ok());
        black_box(metadata.string(key).is_ok());
        black_box(metadata.u32s(key).is_ok());
        black_box(metadata.i32s(key).is_ok());
        black_box(metadata.f32s(key).is_ok());
        if let Ok(strings) = metadata.strings(key) {
            let length = strings.len();
            assert_eq!(
                strings
                    .filter(|s| black_box(s).is_ok() || s.is_err())
                    .count(),
                length
            );
        }
    }
    black_box(model.attachments().is_ok());
    black_box(Hparams::from_gguf(model).is_ok());
    if let Ok(tokenizer) = Tokenizer::from_gguf(model)
        && let Ok(tokens) = tokenizer.encode("It's 1 o'clock,\u{a0}Größe", SpecialTokens::Parse)
    {
        black_box(tokenizer.decode_bytes(&tokens).is_ok());
    }
    for info in model.tensors() {
        black_box((info.kind_name(), info.elements()));
        if let Ok(tensor) = model.tensor(&info.name) {
            assert_eq!(Some(tensor.bytes.len() as u64), info.size_bytes);
            assert_eq!(tensor.rows() * tensor.columns(), info.elements());
            black_box(
                tensor
                    .bytes
                    .iter()
                    .fold(0u8, |sum, byte| sum.wrapping_add(*byte)),
            );
        }
    }
}

fn walk_value(value: Value<'_>) {
    if let Value::Array(array) = value {
        let mut count = 0;
        for element in array.iter() {
            walk_value(element);
            count += 1;
        }
        assert_eq!(count, array.len());
    }
    black_box((value.value_type(), value.to_integer(), value.to_float()));
}
