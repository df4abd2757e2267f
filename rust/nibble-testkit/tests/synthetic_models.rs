//! The models that the testkit writes are what they claim to be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use nibble::ErrorKind;
use nibble::gguf::{Format, Gguf};
use nibble_testkit::phi4mini::{self, Shape};
use nibble_testkit::{fixture, llama_to_phi3, smollm2};

#[test]
fn a_synthetic_phi_4_mini_has_its_tensors_and_metadata() {
    let shape = Shape {
        layers: 8,
        ..Shape::small()
    };
    let written = phi4mini::write(Vec::new(), &shape).unwrap();
    let model = Gguf::from_bytes(written, Path::new("small.gguf")).unwrap();
    assert_eq!(model.tensors().len(), 8 * 6 + 4);
    let tensor = |name: &str| model.tensor(name).unwrap();
    for (name, format, dimensions) in [
        ("token_embd.weight", Format::Q6K, [256, 200_064]),
        ("blk.7.attn_qkv.weight", Format::Q5K, [256, 320]),
        ("blk.7.attn_output.weight", Format::Q4K, [256, 256]),
        ("blk.7.ffn_up.weight", Format::Q4K, [256, 512]),
    ] {
        assert_eq!(
            (tensor(name).format, &tensor(name).shape[..]),
            (format, &dimensions[..])
        );
    }
    // As llama-quantize chooses them.
    let larger = (0..8)
        .filter(|layer| tensor(&format!("blk.{layer}.ffn_down.weight")).format == Format::Q6K);
    assert_eq!(larger.collect::<Vec<_>>(), [0, 3, 6, 7]);

    let long = tensor("rope_factors_long.weight").bytes;
    assert_eq!(long[..4], 1.0f32.to_le_bytes());
    assert_eq!(long[11 * 4..], 47.77f32.to_le_bytes());
    let factor = model
        .metadata()
        .f32("phi3.rope.scaling.attn_factor")
        .unwrap();
    assert!((factor - 1.190_238).abs() < 1e-6, "{factor}");
}

#[test]
fn a_repackaged_model_has_the_same_rows_in_the_order_of_half_split_rotation() {
    let llama = Gguf::open(smollm2()).unwrap();
    let bytes = llama_to_phi3::repackage(&llama, Vec::new()).unwrap();
    let phi3 = Gguf::from_bytes(bytes, Path::new("repackaged.gguf")).unwrap();

    assert_eq!(
        phi3.metadata().string("general.architecture").unwrap(),
        "phi3"
    );
    assert_eq!(
        phi3.metadata().u32("phi3.rope.dimension_count").unwrap(),
        64
    );
    assert_eq!(phi3.metadata().len(), llama.metadata().len());
    // Of seven matrices in each of 30 layers two pairs and one more are stacked.
    assert_eq!(phi3.tensors().len(), llama.tensors().len() - 3 * 30);

    let rows = |model: &Gguf, name: &str| -> Vec<Vec<u8>> {
        let tensor = model.tensor(name).unwrap();
        let row_bytes = tensor.bytes.len() / tensor.rows();
        tensor.bytes.chunks(row_bytes).map(<[u8]>::to_vec).collect()
    };
    let qkv = rows(&phi3, "blk.3.attn_qkv.weight");
    let (q, k) = (
        rows(&llama, "blk.3.attn_q.weight"),
        rows(&llama, "blk.3.attn_k.weight"),
    );
    let (heads, kv_heads, head_dim) = (9, 3, 64);
    for (first_row, matrix, heads) in [(0, q, heads), (heads * head_dim, k, kv_heads)] {
        for head in 0..heads {
            let head_row = head * head_dim;
            for pair in 0..head_dim / 2 {
                let first = first_row + head_row + pair;
                assert_eq!(qkv[first], matrix[head_row + 2 * pair]);
                assert_eq!(qkv[first + head_dim / 2], matrix[head_row + 2 * pair + 1]);
            }
        }
    }
    let v = rows(&llama, "blk.3.attn_v.weight");
    assert_eq!(qkv[(heads + kv_heads) * head_dim..], v);

    let gate = rows(&llama, "blk.3.ffn_gate.weight");
    let up = rows(&llama, "blk.3.ffn_up.weight");
    assert_eq!(rows(&phi3, "blk.3.ffn_up.weight"), [gate, up].concat());
    for same in [
        "token_embd.weight",
        "blk.3.ffn_down.weight",
        "output_norm.weight",
    ] {
        assert!(rows(&phi3, same) == rows(&llama, same), "{same}");
    }
}

#[test]
fn only_plain_llama_models_can_be_repackaged() {
    for (name, kind) in [
        ("llama-tiny/model-f16.gguf", ErrorKind::Unsupported),
        (
            "phi3-tiny/model-f16.gguf",
            ErrorKind::UnsupportedArchitecture,
        ),
    ] {
        let model = Gguf::open(fixture(name)).unwrap();
        let error = llama_to_phi3::repackage(&model, Vec::new()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}
