//! The same network on candle: the reference's logits, the CPU's texts, and the CPU where candle fails.
#![cfg(feature = "candle")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nibble::backend::{
    BackendChoice, BackendKind, Device, FallbackCause, HeadRows, Precision, Scratch, SequenceInput,
};
use nibble::gguf::Writer;
use nibble::prepared::Preparation;
use nibble::sampler::{kl_divergence, top_candidates};
use nibble::{
    CancelHandle, ErrorKind, Format, GenerationOptions, Gguf, KvCache, KvFormat, Model,
    ModelOptions, Prefill, RopePolicy, Session, SessionOptions, SpecialTokens, Stats,
};
use nibble_testkit::reference::{self, Tensor};
use nibble_testkit::{fixture, smollm2};

/// As for our own kernels: see `parity.rs`.
const TOLERANCE: f32 = 1e-3;
/// Mean KL divergence with activations of 8 bits, as for our own kernels.
const MAX_DIVERGENCE: f64 = 0.02;

fn options(backend: BackendChoice) -> ModelOptions {
    ModelOptions {
        threads: 2,
        backend,
        ..ModelOptions::default()
    }
}

fn on_candle(path: impl AsRef<Path>) -> Arc<Model> {
    let model = Model::open(path, &options(BackendChoice::Candle(Device::Cpu))).unwrap();
    assert_eq!(model.backend().kind(), BackendKind::Candle);
    Arc::new(model)
}

fn on_cpu(path: impl AsRef<Path>) -> Arc<Model> {
    Arc::new(Model::open(path, &options(BackendChoice::Cpu)).unwrap())
}

/// Candle must not have been dropped: then what was compared is the CPU with itself.
fn assert_ran(model: &Model) {
    assert_eq!(model.backend().fallback(), None);
    assert_eq!(model.backend().kind(), BackendKind::Candle);
}

fn exact() -> SessionOptions {
    SessionOptions {
        kv_format: KvFormat::F32,
        precision: Some(Precision::F32),
        ..SessionOptions::default()
    }
}

fn quantized() -> SessionOptions {
    SessionOptions {
        precision: Some(Precision::Q8),
        ..SessionOptions::default()
    }
}

fn logits(model: &Arc<Model>, options: SessionOptions, ids: &[u32], rows: &[u32]) -> Vec<Vec<f32>> {
    let heads: Vec<_> = rows
        .iter()
        .map(|&row| (row as usize, HeadRows::All))
        .collect();
    let mut session = Session::new(model.clone(), options).unwrap();
    let mut shown = Vec::new();
    session
        .prefill_scored(ids, &heads, &CancelHandle::new(), |_, logits| {
            shown.push(logits.to_vec());
        })
        .unwrap();
    assert_eq!(shown.len(), rows.len());
    shown
}

fn last_logits(model: &Arc<Model>, options: SessionOptions, ids: &[u32]) -> Vec<f32> {
    logits(model, options, ids, &[ids.len() as u32 - 1]).remove(0)
}

fn max_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |a, b| if a.is_nan() || a > b { a } else { b })
}

fn assert_close(found: &[f32], expected: &[f32]) {
    let difference = max_difference(found, expected);
    assert!(difference <= TOLERANCE, "{difference}");
}

fn prompts(reference: &HashMap<String, Tensor>) -> Vec<&str> {
    let names = reference
        .keys()
        .filter_map(|name| name.strip_suffix(".logits"));
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

#[test]
fn f16_models_give_the_reference_logits_for_every_prompt() {
    for (name, count) in [("phi3-tiny", 7), ("llama-tiny", 3)] {
        let model = on_candle(fixture(&format!("{name}/model-f16.gguf")));
        let reference = reference::read(&fixture(&format!("{name}/ref.safetensors")));
        let prompts = prompts(&reference);
        assert_eq!(prompts.len(), count, "{prompts:?}");
        for prompt in prompts {
            let mut options = exact();
            if prompt == "short_longfactors" {
                options.rope_policy = RopePolicy::Planned(300);
            }
            let ids = reference[&format!("{prompt}.ids")].ids();
            let rows = reference[&format!("{prompt}.rows")].ids();
            let expected = &reference[&format!("{prompt}.logits")];
            for (index, found) in logits(&model, options, &ids, &rows).iter().enumerate() {
                let difference = max_difference(found, expected.row(index));
                assert!(
                    difference <= TOLERANCE,
                    "{name} {prompt} row {index}: {difference}"
                );
            }
        }
        assert_ran(&model);
    }
}

#[test]
fn quantized_models_mean_what_their_blocks_say_in_both_arithmetics() {
    for name in ["phi3-tiny", "llama-tiny"] {
        let prompts_of = reference::read(&fixture(&format!("{name}/ref.safetensors")));
        for quantization in ["q4_0", "q4_k_m", "q5_k_m", "q8_0"] {
            let model = on_candle(fixture(&format!("{name}/model-{quantization}.gguf")));
            let reference =
                reference::read(&fixture(&format!("{name}/ref-{quantization}.safetensors")));
            for prompt in prompts(&reference) {
                let case = format!("{name} {quantization} {prompt}");
                let ids = prompts_of[&format!("{prompt}.ids")].ids();
                let rows = prompts_of[&format!("{prompt}.rows")].ids();
                let expected = &reference[&format!("{prompt}.logits")];
                for (index, found) in logits(&model, exact(), &ids, &rows).iter().enumerate() {
                    let difference = max_difference(found, expected.row(index));
                    assert!(difference <= TOLERANCE, "{case}: {difference}");
                }
                for kv_format in [KvFormat::F16, KvFormat::Q8_0] {
                    let options = SessionOptions {
                        kv_format,
                        ..quantized()
                    };
                    let found = logits(&model, options, &ids, &rows);
                    let divergences = found
                        .iter()
                        .enumerate()
                        .map(|(i, f)| kl_divergence(expected.row(i), f));
                    let mean = divergences.sum::<f64>() / rows.len() as f64;
                    assert!(mean <= MAX_DIVERGENCE, "{case} {kv_format:?}: {mean}");
                }
            }
            assert_ran(&model);
        }
    }
}

#[test]
fn chunks_truncations_and_forks_change_nothing() {
    for name in ["phi3-tiny", "llama-tiny"] {
        let model = on_candle(fixture(&format!("{name}/model-q4_k_m.gguf")));
        let text: Vec<u32> = (0..150).map(|i| i * 7 % 1000).collect();
        let whole = last_logits(&model, exact(), &text);
        for prefill_chunk in [1, 33, 64] {
            let options = SessionOptions {
                prefill_chunk,
                ..exact()
            };
            assert_close(&last_logits(&model, options, &text), &whole);
        }

        let mut session = Session::new(model.clone(), exact()).unwrap();
        let cancel = CancelHandle::new();
        session.prefill(&text, &cancel).unwrap();
        session.truncate(70);
        let mut fork = session.fork().unwrap();
        let (one, other) = ([3, 1, 4], [2, 7, 1, 8]);
        let done = session.extend(&one, &cancel).unwrap();
        assert_eq!(
            done,
            Prefill {
                reused: 70,
                computed: 3
            }
        );
        fork.extend(&other, &cancel).unwrap();
        for (session, new) in [(&session, &one[..]), (&fork, &other)] {
            let all = [&text[..70], new].concat();
            assert_close(
                session.logits().unwrap(),
                &last_logits(&model, exact(), &all),
            );
        }
        assert_ran(&model);
    }
}

#[test]
fn a_text_that_crosses_into_the_long_set_is_the_reference_s() {
    let model = on_candle(fixture("phi3-tiny/model-f16.gguf"));
    let tensors = reference::read(&fixture("phi3-tiny/ref.safetensors"));
    let json = std::fs::read(fixture("phi3-tiny/ref.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let expected: Vec<u32> = json["cross_boundary"]["hf_generate_with_cache"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect();
    let prompt = &tensors["long400.ids"].ids()[..250];
    let mut session = Session::new(model.clone(), exact()).unwrap();
    let (found, stats) = greedy(&mut session, prompt, expected.len());
    assert_eq!(found, expected);
    assert_eq!(stats.prefilled_tokens, 250 + 257, "computed anew");
    assert_ran(&model);
}

#[test]
fn a_batch_with_restricted_heads_gives_what_each_gives_alone() {
    let model = on_candle(fixture("phi3-tiny/model-q8_0.gguf"));
    let texts: [(&[u32], &[u32]); 4] = [
        (&[1, 2, 3, 4, 5], &[6, 7]),
        (&[], &[9; 20]),
        (&[8; 70], &[5]),
        (&[4, 4], &[]),
    ];
    let set = [900, 3, 3, 512];
    let mut caches: Vec<KvCache> = texts
        .iter()
        .map(|_| KvCache::new(model.hparams(), KvFormat::F32, 128).unwrap())
        .collect();
    let mut scratch = Scratch::default();
    let run = |batch: &mut [SequenceInput<'_>], scratch: &mut Scratch| {
        model
            .backend()
            .forward(batch, Precision::F32, scratch, &AtomicBool::new(false))
            .unwrap();
    };
    for (cache, (before, _)) in caches.iter_mut().zip(texts) {
        let input = SequenceInput {
            cache,
            tokens: before,
            heads: &[],
        };
        run(&mut [input], &mut scratch);
        assert!(scratch.logits(0).is_none());
    }
    let heads: [&[(usize, HeadRows<'_>)]; 4] = [
        &[(0, HeadRows::Set(&set)), (1, HeadRows::All)],
        &[(19, HeadRows::All)],
        &[(0, HeadRows::Set(&[]))],
        &[],
    ];
    let mut batch: Vec<_> = caches
        .iter_mut()
        .zip(texts)
        .zip(heads)
        .map(|((cache, (_, tokens)), heads)| SequenceInput {
            cache,
            tokens,
            heads,
        })
        .collect();
    run(&mut batch, &mut scratch);

    let alone = |tokens: &[u32]| last_logits(&model, exact(), tokens);
    let expected = alone(&[1, 2, 3, 4, 5, 6]);
    let expected: Vec<f32> = set.iter().map(|&token| expected[token as usize]).collect();
    assert_close(scratch.logits(0).unwrap(), &expected);
    assert_close(scratch.logits(1).unwrap(), &alone(&[1, 2, 3, 4, 5, 6, 7]));
    assert_close(scratch.logits(2).unwrap(), &alone(&[9; 20]));
    assert!(scratch.logits(3).unwrap().is_empty());
    assert!(scratch.logits(4).is_none());
    let lengths: Vec<_> = caches.iter().map(KvCache::len).collect();
    assert_eq!(lengths, [7, 20, 71, 2]);
    assert_ran(&model);
}

#[test]
fn a_prepared_file_gives_the_logits_of_its_source() {
    for name in [
        "phi3-tiny/model-q4_k_m.gguf",
        "llama-tiny/model-q4_0.gguf",
        "phi3-tiny/model-f16.gguf",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let prepared = directory.path().join("model.nibble.gguf");
        let mut work = Preparation::new(&fixture(name), &prepared, Default::default()).unwrap();
        while work.step().unwrap().is_some() {}
        let (source, prepared) = (on_candle(fixture(name)), on_candle(&prepared));
        assert!(prepared.gguf().prepared_source().is_some());
        let tokens: Vec<u32> = (500..530).collect();
        for options in [exact(), quantized()] {
            // The same blocks in the same arithmetic: the same bits.
            let expected = last_logits(&source, options.clone(), &tokens);
            assert!(
                last_logits(&prepared, options, &tokens) == expected,
                "{name}"
            );
        }
        assert_ran(&source);
        assert_ran(&prepared);
    }
}

#[test]
fn a_cancelled_pass_leaves_the_session_as_it_was_and_candle_in_place() {
    let model = on_candle(fixture("llama-tiny/model-q4_0.gguf"));
    let text: Vec<u32> = (0..200).collect();
    let mut session = Session::new(model.clone(), exact()).unwrap();
    session.prefill(&text[..50], &CancelHandle::new()).unwrap();
    // Before the first pass of another arithmetic, so that its probe is cancelled too.
    for precision in [Precision::F32, Precision::Q8] {
        let mut cache = KvCache::new(model.hparams(), KvFormat::F32, 64).unwrap();
        let input = SequenceInput {
            cache: &mut cache,
            tokens: &text[..10],
            heads: &[],
        };
        let cancelled = AtomicBool::new(true);
        let error = model
            .backend()
            .forward(&mut [input], precision, &mut Scratch::default(), &cancelled)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(cache.is_empty());
    }
    let cancel = CancelHandle::new();
    cancel.cancel();
    let error = session.prefill(&text, &cancel).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(session.tokens(), &text[..50]);
    session.prefill(&text, &CancelHandle::new()).unwrap();
    assert_close(
        session.logits().unwrap(),
        &last_logits(&model, exact(), &text),
    );
    assert_ran(&model);
}

#[test]
fn wrong_arguments_are_errors_of_the_caller_and_no_fault_of_candle_s() {
    let model = on_candle(fixture("llama-tiny/model-q4_0.gguf"));
    let mut cache = KvCache::new(model.hparams(), KvFormat::F32, 4).unwrap();
    let mut kind = |tokens: &[u32], heads: &[(usize, HeadRows<'_>)]| {
        let input = SequenceInput {
            cache: &mut cache,
            tokens,
            heads,
        };
        let error = model.backend().forward(
            &mut [input],
            Precision::F32,
            &mut Scratch::default(),
            &AtomicBool::new(false),
        );
        error.unwrap_err().kind()
    };
    assert_eq!(kind(&[u32::MAX], &[]), ErrorKind::InvalidToken);
    assert_eq!(kind(&[1; 5], &[]), ErrorKind::ContextFull);
    assert_eq!(
        kind(&[1], &[(1, HeadRows::All)]),
        ErrorKind::InvalidArgument
    );
    assert_ran(&model);
}

fn greedy(session: &mut Session, prompt: &[u32], count: usize) -> (Vec<u32>, Stats) {
    let options = GenerationOptions {
        max_tokens: count,
        stop_at_end_of_text: false,
        ..GenerationOptions::default()
    };
    let mut generation = session.generate(prompt, options).unwrap();
    let mut ids = Vec::new();
    while let Some(chunk) = generation.next().unwrap() {
        ids.extend(chunk.token);
    }
    (ids, generation.stats())
}

/// After each beginning of the text of 64 tokens that the CPU writes when it computes exactly, candle's best token is
/// the next of that text, so candle writes the same text. Where another is, its logit is less by `rounding` at most.
fn assert_same_text(options: SessionOptions, rounding: f32) {
    const COUNT: usize = 64;
    let (candle, cpu) = (on_candle(smollm2()), on_cpu(smollm2()));
    let prompt = cpu
        .tokenizer()
        .encode("The old lighthouse keeper", SpecialTokens::AsText)
        .unwrap();
    let mut session = Session::new(cpu.clone(), exact()).unwrap();
    let (text, stats) = greedy(&mut session, &prompt, COUNT);
    assert_eq!((stats.backend, stats.fallback), (BackendKind::Cpu, None));

    let before = [&prompt, &text[..COUNT - 1]].concat();
    let rows: Vec<u32> = (prompt.len() as u32 - 1..before.len() as u32).collect();
    let found = logits(&candle, options.clone(), &before, &rows);
    let expected = logits(&cpu, exact(), &before, &rows);
    let best: Vec<u32> = found
        .iter()
        .map(|found| top_candidates(found, 1)[0].token)
        .collect();
    assert_eq!(best.len(), COUNT);
    let gaps: Vec<f32> = expected
        .iter()
        .zip(text.iter().zip(&best))
        .filter(|(_, (token, best))| token != best)
        .map(|(logits, (&token, &best))| logits[token as usize] - logits[best as usize])
        .collect();
    assert!(gaps.iter().all(|gap| *gap <= rounding), "{gaps:?}");

    // Token by token it is the same text, up to the first that differs.
    let mut session = Session::new(candle.clone(), options).unwrap();
    let (found, stats) = greedy(&mut session, &prompt, 8);
    let first = text.iter().zip(&best).take_while(|(a, b)| a == b).count();
    let upto = found.len().min(first + 1);
    assert_eq!(found[..upto], best[..upto]);
    assert_eq!((stats.backend, stats.fallback), (BackendKind::Candle, None));
    assert_ran(&candle);
}

#[test]
fn the_real_model_gives_the_cpu_s_text() {
    assert_same_text(exact(), 0.0);
}

#[test]
fn the_real_model_gives_the_cpu_s_text_but_for_close_calls_with_activations_of_8_bits() {
    assert_same_text(quantized(), 0.3);
}

/// A copy of a fixture whose last norm is `factor` times as large.
fn with_larger_output(name: &str, factor: f32, path: &Path) {
    let source = Gguf::open(fixture(name)).unwrap();
    let mut writer = Writer::new(path);
    for (key, value) in source.metadata().iter() {
        writer.value(key, value).unwrap();
    }
    let names: Vec<_> = source.tensors().map(|info| info.name.clone()).collect();
    let tensors: Vec<_> = names
        .iter()
        .map(|name| source.tensor(name).unwrap())
        .collect();
    for tensor in &tensors {
        writer
            .tensor(&tensor.name, tensor.format, &tensor.shape)
            .unwrap();
    }
    let mut out = writer.begin(Vec::new()).unwrap();
    for tensor in &tensors {
        let mut bytes = tensor.bytes.to_vec();
        if tensor.name == "output_norm.weight" {
            assert_eq!(tensor.format, Format::F32);
            for number in bytes.as_chunks_mut::<4>().0 {
                *number = (f32::from_le_bytes(*number) * factor).to_le_bytes();
            }
        }
        out.write(&tensor.name, &bytes).unwrap();
    }
    std::fs::write(path, out.finish().unwrap()).unwrap();
}

#[test]
fn where_candle_computes_something_else_the_cpu_goes_on_with_the_same_session() {
    // Candle's blocks of 8-bit activations have a scale in half precision, which such inputs of the head exceed.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    with_larger_output("llama-tiny/model-q4_0.gguf", 1e9, &path);
    let (candle, cpu) = (on_candle(&path), on_cpu(&path));
    let prompt: Vec<u32> = (10..40).collect();

    let mut session = Session::new(candle.clone(), exact()).unwrap();
    let (_, stats) = greedy(&mut session, &prompt, 4);
    assert_eq!((stats.backend, stats.fallback), (BackendKind::Candle, None));
    assert_ran(&candle);

    let mut session = Session::new(candle.clone(), quantized()).unwrap();
    let (found, stats) = greedy(&mut session, &prompt, 12);
    assert_eq!(stats.backend, BackendKind::Cpu);
    assert_eq!(stats.fallback, Some(FallbackCause::Disagreed));
    let fallback = candle.backend().fallback().unwrap();
    assert_eq!(fallback.cause, FallbackCause::Disagreed);
    assert!(fallback.reason.contains("diverge"), "{}", fallback.reason);
    assert_eq!(candle.backend().kind(), BackendKind::Cpu);
    let mut session = Session::new(cpu, quantized()).unwrap();
    assert_eq!(found, greedy(&mut session, &prompt, 12).0);
}

#[test]
fn a_device_that_is_not_there_is_told_when_the_model_is_opened() {
    for (device, is_built) in [
        (Device::Metal, cfg!(feature = "candle-metal")),
        (Device::Cuda, cfg!(feature = "candle-cuda")),
    ] {
        let choice = options(BackendChoice::Candle(device));
        match Model::open(fixture("phi3-tiny/model-q4_0.gguf"), &choice) {
            Err(error) => {
                assert!(!is_built);
                assert_eq!(error.kind(), ErrorKind::Backend);
                let feature = format!("`candle-{}`", device.name());
                assert!(error.to_string().contains(&feature), "{error}");
            }
            // It may be there; where it is not, the CPU is.
            Ok(model) => {
                assert!(is_built);
                let cause = model.backend().fallback().map(|fallback| fallback.cause);
                assert!(matches!(cause, None | Some(FallbackCause::NotLoaded)));
            }
        }
    }
}
