//! Quantizers and dequantizers give the bits that ggml's own give.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use nibble_kernels::{Format, KernelError, dequantize, quantize};
use safetensors::SafeTensors;

const FIXTURE: &[u8] = include_bytes!("fixtures/quant-blocks/blocks.safetensors");

fn bytes<'a>(tensors: &'a SafeTensors<'_>, name: &str) -> &'a [u8] {
    tensors.tensor(name).unwrap().data()
}

fn floats(tensors: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let (chunks, _) = bytes(tensors, name).as_chunks::<4>();
    chunks.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn dequantize_equals_ggml() {
    let tensors = SafeTensors::deserialize(FIXTURE).unwrap();
    for format in Format::ALL
        .into_iter()
        .filter(|format| *format != Format::F32)
    {
        let expected = floats(&tensors, &format!("{format}.f32"));
        let mut found = vec![0.0; expected.len()];
        dequantize(
            format,
            bytes(&tensors, &format!("{format}.raw")),
            &mut found,
        )
        .unwrap();
        assert_eq!(bits(&found), bits(&expected), "{format}");
    }
}

#[test]
fn quantize_equals_ggml() {
    let tensors = SafeTensors::deserialize(FIXTURE).unwrap();
    let input = floats(&tensors, "input.f32");
    for format in Format::ALL {
        if let Format::F32 | Format::Q4K | Format::Q5K | Format::Q6K = format {
            continue;
        }
        let expected = bytes(&tensors, &format!("{format}.raw"));
        let mut found = vec![0; expected.len()];
        quantize(format, &input, &mut found).unwrap();
        assert_eq!(found, expected, "{format}");
    }
}

#[test]
fn f32_is_copied() {
    let values = [1.5, -0.0, f32::MIN_POSITIVE / 2.0, f32::MAX];
    let mut bytes = [0; 16];
    quantize(Format::F32, &values, &mut bytes).unwrap();
    let mut back = [0.0; 4];
    dequantize(Format::F32, &bytes, &mut back).unwrap();
    assert_eq!(bits(&back), bits(&values));
}

#[test]
fn zeros_stay_zero_and_what_is_not_finite_does_not_panic() {
    for format in Format::ALL {
        for value in [0.0, -0.0, 1e-42, f32::NAN, f32::INFINITY, f32::MIN] {
            let values = [value; 256];
            let mut bytes = vec![0; format.row_bytes(256).unwrap()];
            let quantized = quantize(format, &values, &mut bytes);
            if let Format::Q4K | Format::Q5K | Format::Q6K = format {
                assert_eq!(quantized, Err(KernelError::NotQuantizable(format)));
                continue;
            }
            quantized.unwrap();
            let mut back = [1.0; 256];
            dequantize(format, &bytes, &mut back).unwrap();
            if value == 0.0 {
                assert!(back.iter().all(|v| *v == 0.0), "{format}");
            }
        }
    }
}

#[test]
fn wrong_lengths_are_errors() {
    for format in Format::ALL {
        let bytes = vec![0; format.row_bytes(256).unwrap()];
        let mut short = bytes.clone();
        short.pop();
        assert!(
            dequantize(format, &bytes, &mut [0.0; 512]).is_err(),
            "{format}"
        );
        assert!(
            dequantize(format, &short, &mut [0.0; 256]).is_err(),
            "{format}"
        );
        assert!(
            quantize(format, &[0.0; 256], &mut short).is_err(),
            "{format}"
        );
        if format.block_len() > 1 {
            assert!(
                dequantize(format, &bytes, &mut [0.0; 255]).is_err(),
                "{format}"
            );
            assert!(
                quantize(format, &[0.0; 255], &mut bytes.clone()).is_err(),
                "{format}"
            );
            assert_eq!(format.row_bytes(255), None);
        }
        assert_eq!(
            format.row_bytes(usize::MAX / 256 * 256),
            match format.block_bytes() > format.block_len() {
                true => None,
                false => Some(usize::MAX / 256 * 256 / format.block_len() * format.block_bytes()),
            }
        );
    }
}
