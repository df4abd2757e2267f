//! Phi-4-mini's own numbers on a small network: its vocabulary, its context of 131,072 positions and the
//! border of its LongRoPE sets at 4096.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::sync::Arc;

use nibble::backend::Precision;
use nibble::rope::RopeSet;
use nibble::{
    CancelHandle, GenerationOptions, Gguf, KvFormat, Model, ModelOptions, Prefill, RopePolicy,
    Session, SessionOptions,
};
use nibble_testkit::phi4mini::{self, Shape};

const BORDER: usize = 4096;

fn model() -> Arc<Model> {
    let file = phi4mini::write(Vec::new(), &Shape::small()).unwrap();
    let gguf = Gguf::from_bytes(file, Path::new("small-phi4mini.gguf")).unwrap();
    Arc::new(Model::from_gguf(gguf, &ModelOptions::default()).unwrap())
}

fn options() -> SessionOptions {
    SessionOptions {
        context: BORDER + 8,
        kv_format: KvFormat::F32,
        precision: Some(Precision::F32),
        ..Default::default()
    }
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn the_long_set_begins_with_the_4097th_position_and_everything_is_computed_anew() {
    let model = model();
    assert_eq!(model.hparams().context_length, 131_072);
    assert_eq!(model.hparams().vocabulary, 200_064);
    let rope = &model.hparams().rope;
    assert_eq!(rope.set_for_length(BORDER), RopeSet::Short);
    assert_eq!(rope.set_for_length(BORDER + 1), RopeSet::Long);

    let cancel = CancelHandle::new();
    let text: Vec<u32> = (0..BORDER as u32 + 1).map(|i| i * 47 % 199_999).collect();
    let mut session = Session::new(model.clone(), options()).unwrap();
    session.prefill(&text[..BORDER - 1], &cancel).unwrap();
    let step = session.prefill(&text[..BORDER], &cancel).unwrap();
    assert_eq!(
        step,
        Prefill {
            reused: BORDER - 1,
            computed: 1
        }
    );
    let crossing = session.prefill(&text, &cancel).unwrap();
    assert_eq!(
        crossing,
        Prefill {
            reused: 0,
            computed: BORDER + 1
        }
    );
    let crossed = session.logits().unwrap().to_vec();

    // A session that had the long set from the beginning agrees; one with the short set does not exist.
    let planned = SessionOptions {
        rope_policy: RopePolicy::Planned(BORDER + 1),
        ..options()
    };
    let mut long = Session::new(model.clone(), planned).unwrap();
    long.prefill(&text[..BORDER], &cancel).unwrap();
    assert_eq!(
        long.prefill(&text, &cancel).unwrap(),
        Prefill {
            reused: BORDER,
            computed: 1
        }
    );
    let difference = difference(&crossed, long.logits().unwrap());
    assert!(difference < 1e-3, "{difference}");
}

#[test]
fn generation_goes_on_over_the_border_and_reports_a_prefill() {
    let model = model();
    let prompt: Vec<u32> = (0..BORDER as u32 - 1).map(|i| i * 31 % 199_999).collect();
    let mut session = Session::new(
        model,
        SessionOptions {
            context: BORDER + 8,
            ..Default::default()
        },
    )
    .unwrap();
    let options = GenerationOptions {
        max_tokens: 5,
        stop_at_end_of_text: false,
        ..Default::default()
    };
    let mut generation = session.generate(&prompt, options).unwrap();
    while generation.next().unwrap().is_some() {}
    let stats = generation.stats();
    assert_eq!(stats.generated_tokens, 5);
    assert_eq!(stats.prefilled_tokens, (BORDER - 1) + (BORDER + 1));
    assert_eq!(stats.decode_steps, 1 + 2);
}
