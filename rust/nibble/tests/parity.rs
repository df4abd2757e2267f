//! Logits, hidden states and greedy texts against the reference implementation (`transformers`, `f32`).
//! How the fixtures were made stands in `rust/nibble-testkit/fixtures/README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nibble::backend::{HeadRows, Precision, Scratch, SequenceInput};
use nibble::sampler::kl_divergence;
use nibble::{
    CancelHandle, GenerationOptions, KvCache, KvFormat, Model, ModelOptions, RopePolicy, Session,
    SessionOptions, SpecialTokens,
};
use nibble_testkit::reference::{self, Tensor};
use nibble_testkit::{fixture, smollm2};

/// Above the rounding of `f32` (1e-4), below the smallest mistake that was tried (6e-3, a wrong epsilon).
const TOLERANCE: f32 = 1e-3;

fn open(name: &str) -> Arc<Model> {
    Arc::new(
        Model::open(
            fixture(name),
            &ModelOptions {
                threads: 2,
                ..Default::default()
            },
        )
        .unwrap(),
    )
}

fn exact() -> SessionOptions {
    SessionOptions {
        kv_format: KvFormat::F32,
        precision: Some(Precision::F32),
        ..SessionOptions::default()
    }
}

/// Logits of the positions `rows` after a prefill of `ids`.
fn logits(model: &Arc<Model>, options: SessionOptions, ids: &[u32], rows: &[u32]) -> Vec<Vec<f32>> {
    let heads: Vec<_> = rows
        .iter()
        .map(|&row| (row as usize, HeadRows::All))
        .collect();
    let mut session = Session::new(model.clone(), options).unwrap();
    let mut shown = Vec::new();
    session
        .prefill_scored(ids, &heads, &CancelHandle::new(), |index, logits| {
            assert_eq!(index as u32, rows[shown.len()]);
            shown.push(logits.to_vec());
        })
        .unwrap();
    assert_eq!(shown.len(), rows.len());
    shown
}

fn max_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

fn prompts(reference: &HashMap<String, Tensor>) -> Vec<&str> {
    let mut names: Vec<_> = reference
        .keys()
        .filter_map(|name| name.strip_suffix(".logits"))
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn f16_models_give_the_reference_logits_for_every_prompt() {
    for (name, count) in [("phi3-tiny", 7), ("llama-tiny", 3)] {
        let model = open(&format!("{name}/model-f16.gguf"));
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
    }
}

#[test]
fn hidden_states_agree_layer_by_layer() {
    for name in ["phi3-tiny", "llama-tiny"] {
        let model = open(&format!("{name}/model-f16.gguf"));
        let reference = reference::read(&fixture(&format!("{name}/ref.safetensors")));
        let ids = reference["short.ids"].ids();
        let mut cache = KvCache::new(model.hparams(), KvFormat::F32, 64).unwrap();
        let mut scratch = Scratch::new(model.hparams(), ids.len()).unwrap();
        let mut seen = 0;
        model
            .backend()
            .forward_observed(
                &mut [SequenceInput {
                    cache: &mut cache,
                    tokens: &ids,
                    heads: &[],
                }],
                Precision::F32,
                &mut scratch,
                &AtomicBool::new(false),
                &mut |layer, hidden| {
                    // The reference's last hidden state is normalised, ours is not.
                    if layer < model.hparams().layers {
                        let expected = &reference[&format!("short.hidden{layer}")];
                        let difference = max_difference(hidden, &expected.data);
                        assert!(
                            difference <= TOLERANCE,
                            "{name} layer {layer}: {difference}"
                        );
                        seen += 1;
                    }
                },
            )
            .unwrap();
        assert_eq!(seen, model.hparams().layers);
    }
}

#[test]
fn quantized_models_mean_what_their_blocks_say() {
    for name in ["phi3-tiny", "llama-tiny"] {
        let prompts_of = reference::read(&fixture(&format!("{name}/ref.safetensors")));
        for quantization in ["q4_0", "q4_k_m", "q5_k_m", "q8_0"] {
            let model = open(&format!("{name}/model-{quantization}.gguf"));
            let reference =
                reference::read(&fixture(&format!("{name}/ref-{quantization}.safetensors")));
            for prompt in prompts(&reference) {
                let ids = prompts_of[&format!("{prompt}.ids")].ids();
                let rows = prompts_of[&format!("{prompt}.rows")].ids();
                let expected = &reference[&format!("{prompt}.logits")];

                let found = logits(&model, exact(), &ids, &rows);
                for (index, found) in found.iter().enumerate() {
                    let difference = max_difference(found, expected.row(index));
                    assert!(
                        difference <= TOLERANCE,
                        "{name} {quantization} {prompt}: {difference}"
                    );
                }

                for (kv_format, precision, limit) in [
                    (KvFormat::F16, None, 1e-4),
                    (KvFormat::F16, Some(Precision::Q8), 0.02),
                    (KvFormat::Q8_0, Some(Precision::Q8), 0.02),
                ] {
                    let options = SessionOptions {
                        kv_format,
                        precision,
                        ..Default::default()
                    };
                    let found = logits(&model, options, &ids, &rows);
                    let divergences = found
                        .iter()
                        .enumerate()
                        .map(|(i, f)| kl_divergence(expected.row(i), f));
                    let mean = divergences.sum::<f64>() / rows.len() as f64;
                    let case =
                        format!("{name} {quantization} {kv_format:?} {precision:?} {prompt}");
                    assert!(mean <= limit, "{case}: {mean}");
                }
            }
        }
    }
}

fn greedy(session: &mut Session, prompt: &[u32], count: usize) -> Vec<u32> {
    let options = GenerationOptions {
        max_tokens: count,
        stop_at_end_of_text: false,
        ..Default::default()
    };
    let mut generation = session.generate(prompt, options).unwrap();
    let mut ids = Vec::new();
    while let Some(chunk) = generation.next().unwrap() {
        ids.extend(chunk.token);
    }
    ids
}

fn json(path: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(fixture(path)).unwrap()).unwrap()
}

fn ids_of(value: &serde_json::Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

#[test]
fn greedy_continuations_are_the_reference_s() {
    for name in ["phi3-tiny", "llama-tiny"] {
        let model = open(&format!("{name}/model-f16.gguf"));
        let tensors = reference::read(&fixture(&format!("{name}/ref.safetensors")));
        let mut compared = 0;
        for (prompt, entry) in json(&format!("{name}/ref.json"))["prompts"]
            .as_object()
            .unwrap()
        {
            let Some(expected) = entry.get("greedy_ids").map(ids_of) else {
                continue;
            };
            let mut options = exact();
            if prompt == "short_longfactors" {
                options.rope_policy = RopePolicy::Planned(300);
            }
            let mut session = Session::new(model.clone(), options).unwrap();
            let ids = tensors[&format!("{prompt}.ids")].ids();
            assert_eq!(
                greedy(&mut session, &ids, expected.len()),
                expected,
                "{name} {prompt}"
            );
            compared += 1;
        }
        assert!(compared >= 2, "{name}");
    }
}

#[test]
fn decoding_over_the_longrope_border_equals_recomputation_and_counts_as_prefill() {
    let model = open("phi3-tiny/model-f16.gguf");
    let tensors = reference::read(&fixture("phi3-tiny/ref.safetensors"));
    let expected = ids_of(&json("phi3-tiny/ref.json")["cross_boundary"]["hf_generate_with_cache"]);
    let prompt = &tensors["long400.ids"].ids()[..250];

    let mut session = Session::new(model, exact()).unwrap();
    assert_eq!(greedy(&mut session, prompt, expected.len()), expected);

    // Again, for the counts: positions 250..256 are decoded, the 257th brings everything back.
    session.truncate(0);
    let options = GenerationOptions {
        max_tokens: expected.len(),
        stop_at_end_of_text: false,
        ..Default::default()
    };
    let mut generation = session.generate(prompt, options).unwrap();
    while generation.next().unwrap().is_some() {}
    let stats = generation.stats();
    assert_eq!(stats.prefilled_tokens, 250 + 257);
    assert_eq!(stats.decode_steps, 6 + 8);
}

#[test]
fn smollm2_gives_the_reference_s_tokens_logits_and_texts() {
    let model = Arc::new(Model::open(smollm2(), &ModelOptions::default()).unwrap());
    let tensors = reference::read(&fixture("smollm2-ref/ref.safetensors"));
    for (name, entry) in json("smollm2-ref/ref.json").as_object().unwrap() {
        let text = entry["text"].as_str().unwrap();
        let ids = ids_of(&entry["ids"]);
        let encoded = model
            .tokenizer()
            .encode(text, SpecialTokens::Parse)
            .unwrap();
        assert_eq!(encoded, ids, "{name}");

        let rows: Vec<u32> = (0..ids.len() as u32).collect();
        let found = logits(&model, exact(), &ids, &rows);
        let last = found.last().unwrap();
        let difference = max_difference(last, &tensors[&format!("{name}.last_logits")].data);
        assert!(difference <= TOLERANCE, "{name}: {difference}");
        let top_ids = &tensors[&format!("{name}.top10_ids")];
        let top_logits = &tensors[&format!("{name}.top10_logits")];
        for (row, found) in found.iter().enumerate() {
            let candidates = nibble::sampler::top_candidates(found, 10);
            let found_ids: Vec<f32> = candidates.iter().map(|c| c.token as f32).collect();
            assert_eq!(found_ids, top_ids.row(row), "{name} row {row}");
            let found_logits: Vec<f32> =
                candidates.iter().map(|c| found[c.token as usize]).collect();
            let difference = max_difference(&found_logits, top_logits.row(row));
            assert!(difference <= TOLERANCE, "{name} row {row}: {difference}");
        }

        let mut session = Session::new(model.clone(), SessionOptions::default()).unwrap();
        let expected = ids_of(&entry["greedy12"]);
        assert_eq!(
            greedy(&mut session, &ids, 6),
            expected[..6],
            "{name}, default options"
        );
        let mut session = Session::new(model.clone(), exact()).unwrap();
        assert_eq!(greedy(&mut session, &ids, 12), expected, "{name}, exact");
    }
}

#[test]
fn the_same_real_model_in_the_other_architecture_gives_the_same_logits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("smollm2-phi3.gguf");
    let source = nibble::Gguf::open(smollm2()).unwrap();
    let file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    nibble_testkit::llama_to_phi3::repackage(&source, file).unwrap();

    let llama = Arc::new(Model::open(smollm2(), &ModelOptions::default()).unwrap());
    let phi3 = Arc::new(Model::open(&path, &ModelOptions::default()).unwrap());
    assert_eq!(phi3.hparams().architecture, nibble::Architecture::Phi3);
    let tensors = reference::read(&fixture("smollm2-ref/ref.safetensors"));
    for name in ["fox", "mail", "late", "chat"] {
        let ids = tensors[&format!("{name}.ids")].ids();
        let last = [ids.len() as u32 - 1];
        let expected = logits(&llama, exact(), &ids, &last);
        let found = logits(&phi3, exact(), &ids, &last);
        let difference = max_difference(&found[0], &expected[0]);
        assert!(difference <= TOLERANCE, "{name}: {difference}");
    }
}
