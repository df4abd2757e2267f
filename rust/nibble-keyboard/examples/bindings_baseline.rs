//! What `scripts/bench-bindings` compares the bindings with: the same calls from Rust.
//!
//! Arguments: MODEL LEXICON CONTEXTS. Prints p50 and p95 of a suggestion in microseconds and what the engine
//! itself took of them at p95, tokens a second, and the percent of that time that was not spent in the
//! model's passes.
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nibble::{GenerationOptions, Model, ModelOptions, Session, SessionOptions, SpecialTokens};
use nibble_keyboard::{Completer, CompleterOptions, EditorContext, Lexicon, Lexicons};

/// Suggestions that are timed for each context.
const ROUNDS: usize = 100;
/// Tokens that are generated.
const TOKENS: usize = 128;

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [model, lexicon, contexts] = files.as_slice() else {
        return Err("usage: bindings_baseline MODEL LEXICON CONTEXTS".into());
    };
    let model = Arc::new(Model::open(model, &ModelOptions::default())?);
    let lexicons = Lexicons::new(vec![Arc::new(Lexicon::open(lexicon)?)]);
    let contexts = std::fs::read_to_string(contexts)?;

    let completer = Completer::new(
        Some(model.clone()),
        lexicons,
        None,
        CompleterOptions::default(),
    );
    let mut times = Vec::new();
    for before in contexts.lines() {
        let context = EditorContext {
            before: before.to_owned(),
            ..EditorContext::default()
        };
        black_box(completer.wait_fresh(&context, Duration::from_secs(60)));
        completer.wait_idle(Duration::from_secs(60));
        for _ in 0..ROUNDS {
            let start = Instant::now();
            black_box(completer.suggest(&context));
            times.push(start.elapsed());
        }
    }
    let in_engine = completer
        .stats()
        .suggest_latency
        .quantile(0.95)
        .unwrap_or_default();
    drop(completer);
    times.sort();

    let mut session = Session::new(model.clone(), SessionOptions::default())?;
    let prompt = model
        .tokenizer()
        .encode_prompt("Once upon a time", SpecialTokens::AsText)?;
    let options = GenerationOptions {
        max_tokens: TOKENS + 1,
        stop_at_end_of_text: false,
        ..GenerationOptions::default()
    };
    let mut generation = session.generate(&prompt, options)?;
    generation.next()?;
    let start = Instant::now();
    while black_box(generation.next()?).is_some() {}
    let elapsed = start.elapsed().as_secs_f64();
    let rate = TOKENS as f64 / elapsed;
    let outside = 100.0 * (1.0 - generation.stats().decode_time.as_secs_f64() / elapsed);

    let quantile = |percent: usize| {
        let time = times.get(times.len() * percent / 100).copied();
        time.unwrap_or_default().as_secs_f64() * 1e6
    };
    println!(
        "{:.1} {:.1} {:.1} {rate:.2} {outside:.3}",
        quantile(50),
        quantile(95),
        in_engine.as_secs_f64() * 1e6
    );
    Ok(())
}
