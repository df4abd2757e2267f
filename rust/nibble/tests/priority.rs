//! How urgent the threads of a model are.
#![cfg(any(target_os = "linux", target_os = "android"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::AtomicBool;
use std::thread;

use nibble::backend::{HeadRows, Precision, Scratch, SequenceInput};
use nibble::{KvCache, KvFormat, Model, ModelOptions, Priority};
use nibble_testkit::fixture;
use rustix::process::{getpriority_process, setpriority_process};

fn niceness() -> i32 {
    getpriority_process(None).unwrap()
}

/// The niceness of a thread that asks for -4, which a system may refuse.
fn granted() -> i32 {
    let asking = thread::spawn(|| {
        let _ = setpriority_process(None, -4);
        niceness()
    });
    asking.join().unwrap()
}

/// The niceness of the caller after the embedding and after each layer, and the logits.
fn pass(options: &ModelOptions) -> (Vec<i32>, Vec<f32>) {
    let model = Model::open(fixture("phi3-tiny/model-q4_k_m.gguf"), options).unwrap();
    let hparams = model.hparams();
    let mut cache = KvCache::new(hparams, KvFormat::F16, 8).unwrap();
    let mut scratch = Scratch::new(hparams, 3).unwrap();
    let mut seen = Vec::new();
    let mut batch = [SequenceInput {
        tokens: &[1, 2, 3],
        cache: &mut cache,
        heads: &[(2, HeadRows::All)],
    }];
    let never = AtomicBool::new(false);
    let mut observe = |_: usize, _: &[f32]| seen.push(niceness());
    let backend = model.backend().cpu_backend();
    backend
        .forward_observed(
            &mut batch,
            Precision::F32,
            &mut scratch,
            &never,
            &mut observe,
        )
        .unwrap();
    (seen, scratch.logits(0).unwrap().to_vec())
}

#[test]
fn the_caller_is_as_urgent_as_the_workers_for_a_pass() {
    let before = niceness();
    let with = |priority| {
        pass(&ModelOptions {
            priority,
            ..ModelOptions::default()
        })
    };
    let (normal, logits) = with(Priority::Normal);
    assert!(normal.iter().all(|&seen| seen == before), "{normal:?}");
    let (interactive, same) = with(Priority::Interactive);
    let granted = granted().min(before);
    assert!(
        interactive.iter().all(|&seen| seen == granted),
        "{interactive:?}, not {granted}"
    );
    assert_eq!(niceness(), before);
    assert_eq!(logits, same);
    assert_eq!(ModelOptions::default().priority, Priority::Interactive);
}
