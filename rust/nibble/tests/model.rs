//! Models that contradict themselves or ask for what the engine does not do: always an error that names the
//! key or tensor, never a wrong result.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use nibble::gguf::{Value, Writer};
use nibble::{Error, ErrorKind, Format, Gguf, Hparams, Model, ModelOptions};
use nibble_testkit::fixture;

/// What a copy of a fixture does differently.
#[derive(Default)]
struct Change<'a> {
    drop: &'a [&'a str],
    set: &'a [(&'a str, Value<'a>)],
    add_tensor: Option<(&'a str, usize)>,
    cut_tensor: Option<&'a str>,
}

/// A copy of a fixture with one change, opened as a model.
fn changed(name: &str, change: Change<'_>) -> nibble::Result<Model> {
    let source = Gguf::open(fixture(name)).unwrap();
    let mut writer = Writer::new("changed.gguf");
    for (key, value) in source.metadata().iter() {
        if !change.drop.contains(&key) && !change.set.iter().any(|(set, _)| *set == key) {
            writer.value(key, value).unwrap();
        }
    }
    for (key, value) in change.set {
        writer.value(key, *value).unwrap();
    }
    let tensors: Vec<_> = source
        .tensors()
        .filter(|info| !change.drop.contains(&info.name.as_str()))
        .map(|info| source.tensor(&info.name).unwrap())
        .collect();
    let shape = |tensor: &nibble::gguf::Tensor| {
        let mut shape = tensor.shape.clone();
        if Some(tensor.name.as_str()) == change.cut_tensor {
            *shape.last_mut().unwrap() -= 1;
        }
        shape
    };
    for tensor in &tensors {
        writer
            .tensor(&tensor.name, tensor.format, &shape(tensor))
            .unwrap();
    }
    if let Some((name, len)) = change.add_tensor {
        writer.tensor(name, Format::F32, &[len]).unwrap();
    }
    let mut out = writer.begin(Vec::new()).unwrap();
    for tensor in &tensors {
        let row = tensor.format.row_bytes(tensor.columns()).unwrap();
        let bytes = match shape(tensor).as_slice() {
            [len] => tensor.format.row_bytes(*len).unwrap(),
            [_, rows] => rows * row,
            other => panic!("{other:?}"),
        };
        out.write(&tensor.name, &tensor.bytes[..bytes]).unwrap();
    }
    if let Some((name, len)) = change.add_tensor {
        out.write(name, &vec![0; 4 * len]).unwrap();
    }
    let gguf = Gguf::from_bytes(out.finish().unwrap(), Path::new("changed.gguf")).unwrap();
    Model::from_gguf(
        gguf,
        &ModelOptions {
            threads: 1,
            ..Default::default()
        },
    )
}

const PHI3: &str = "phi3-tiny/model-q4_0.gguf";
const LLAMA: &str = "llama-tiny/model-q4_0.gguf";

fn error(name: &str, change: Change<'_>) -> Error {
    changed(name, change).unwrap_err()
}

#[test]
fn an_unchanged_copy_opens() {
    for name in [PHI3, LLAMA] {
        changed(name, Change::default()).unwrap();
    }
}

#[test]
fn missing_keys_are_named() {
    for key in [
        "phi3.block_count",
        "phi3.embedding_length",
        "phi3.feed_forward_length",
        "phi3.attention.head_count",
        "phi3.attention.layer_norm_rms_epsilon",
        "phi3.context_length",
        "phi3.rope.scaling.original_context_length",
        "general.architecture",
    ] {
        match error(
            PHI3,
            Change {
                drop: &[key],
                ..Default::default()
            },
        ) {
            Error::MissingKey { key: found, .. } => assert_eq!(found, key),
            other => panic!("{key}: {other}"),
        }
    }
}

#[test]
fn missing_tensors_are_named() {
    for (name, tensor) in [
        (PHI3, "token_embd.weight"),
        (PHI3, "output_norm.weight"),
        (PHI3, "blk.1.attn_qkv.weight"),
        (PHI3, "rope_factors_long.weight"),
        (PHI3, "rope_factors_short.weight"),
        (LLAMA, "blk.0.attn_k.weight"),
        (LLAMA, "blk.1.ffn_gate.weight"),
    ] {
        match error(
            name,
            Change {
                drop: &[tensor],
                ..Default::default()
            },
        ) {
            Error::MissingTensor { tensor: found, .. } => assert_eq!(found, tensor),
            other => panic!("{tensor}: {other}"),
        }
    }
}

#[test]
fn values_outside_their_range_are_refused() {
    for (key, value) in [
        ("phi3.block_count", Value::U32(0)),
        ("phi3.block_count", Value::U32(u32::MAX)),
        ("phi3.embedding_length", Value::U32(255)),
        ("phi3.attention.head_count", Value::U32(0)),
        ("phi3.attention.head_count", Value::U32(7)),
        ("phi3.attention.head_count_kv", Value::U32(3)),
        ("phi3.attention.head_count_kv", Value::U32(16)),
        (
            "phi3.attention.layer_norm_rms_epsilon",
            Value::F32(f32::NAN),
        ),
        ("phi3.attention.layer_norm_rms_epsilon", Value::F32(0.0)),
        ("phi3.rope.dimension_count", Value::U32(34)),
        ("phi3.rope.dimension_count", Value::U32(23)),
        ("phi3.rope.freq_base", Value::F32(f32::INFINITY)),
        ("phi3.rope.scaling.attn_factor", Value::F32(-1.0)),
        ("phi3.rope.scaling.original_context_length", Value::U32(0)),
        ("phi3.context_length", Value::String(b"long")),
    ] {
        let kind = error(
            PHI3,
            Change {
                set: &[(key, value)],
                ..Default::default()
            },
        )
        .kind();
        assert!(
            matches!(kind, ErrorKind::InvalidKey | ErrorKind::InvalidTensor),
            "{key} {value}: {kind:?}"
        );
    }
}

#[test]
fn what_the_engine_does_not_do_is_refused_and_not_ignored() {
    for (name, key, value) in [
        (PHI3, "general.architecture", Value::String(b"gemma3")),
        (PHI3, "phi3.expert_count", Value::U32(8)),
        (LLAMA, "llama.rope.scaling.type", Value::String(b"yarn")),
        (LLAMA, "llama.rope.scaling.factor", Value::F32(2.0)),
        (LLAMA, "llama.rope.scale_linear", Value::F32(4.0)),
        (PHI3, "phi3.attention.value_length", Value::U32(64)),
    ] {
        let kind = error(
            name,
            Change {
                set: &[(key, value)],
                ..Default::default()
            },
        )
        .kind();
        assert!(
            matches!(
                kind,
                ErrorKind::Unsupported | ErrorKind::UnsupportedArchitecture
            ),
            "{key}: {kind:?}"
        );
    }
    let bias = Change {
        add_tensor: Some(("blk.0.attn_q.bias", 256)),
        ..Default::default()
    };
    match error(LLAMA, bias) {
        Error::Unsupported { found, .. } => assert_eq!(found, "blk.0.attn_q.bias"),
        other => panic!("{other}"),
    }
}

#[test]
fn tensors_of_another_shape_are_named() {
    for tensor in [
        "blk.0.attn_qkv.weight",
        "blk.1.ffn_down.weight",
        "rope_factors_long.weight",
    ] {
        match error(
            PHI3,
            Change {
                cut_tensor: Some(tensor),
                ..Default::default()
            },
        ) {
            Error::InvalidTensor { tensor: found, .. } => assert_eq!(found, tensor),
            other => panic!("{tensor}: {other}"),
        }
    }
    // A row less in the embedding than there are tokens.
    let change = Change {
        cut_tensor: Some("token_embd.weight"),
        ..Default::default()
    };
    assert_eq!(error(PHI3, change).kind(), ErrorKind::InvalidTensor);
}

#[test]
fn a_sliding_window_that_is_shorter_limits_the_context() {
    let window = ("phi3.attention.sliding_window", Value::U32(2047));
    let model = changed(
        PHI3,
        Change {
            set: &[window],
            ..Default::default()
        },
    )
    .unwrap();
    assert_eq!(model.hparams().context_length, 2047);
}

#[test]
fn the_attention_factor_can_be_computed() {
    let given = Gguf::open(fixture(PHI3)).unwrap();
    let model = changed(
        PHI3,
        Change {
            drop: &["phi3.rope.scaling.attn_factor"],
            ..Default::default()
        },
    )
    .unwrap();
    assert_eq!(
        model.hparams().rope,
        Hparams::from_gguf(&given).unwrap().rope
    );
}

#[test]
fn a_file_that_shrinks_is_an_error_before_its_pages_are_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    std::fs::copy(fixture(PHI3), &path).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let model = std::sync::Arc::new(Model::open(&path, &ModelOptions::default()).unwrap());
    let mut session = nibble::Session::new(model, Default::default()).unwrap();
    let cancel = nibble::CancelHandle::new();
    session.prefill(&[1, 2], &cancel).unwrap();

    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(4096)
        .unwrap();
    let error = session.prefill(&[1, 2, 3], &cancel).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FileChanged);
    assert_eq!(session.tokens(), [1, 2]);
}
