//! `nibble demo`: what the model suggests for half-typed sentences.

use std::path::PathBuf;
use std::time::Instant;

use nibble::{GenerationOptions, Session, SpecialTokens, Tokenizer};
use serde::Serialize;

use crate::engine::{ComputeArguments, ModelArgument, SessionArguments};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, Table, one_line};

/// Show three suggested words, and a continuation, for half-typed sentences.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Path of a GGUF file, or the name of an installed model.
    #[arg(value_name = "MODEL", default_value = "smollm2-135m")]
    model: PathBuf,

    #[command(flatten)]
    compute: ComputeArguments,

    #[command(flatten)]
    session: SessionArguments,
}

/// Typed so far. The letters after the last space are the beginning of a word.
const SENTENCES: [&str; 8] = [
    "Thank you for your help yest",
    "I'm sorry I'm late, the train was del",
    "Could you please send me the rep",
    "Happy birthday! I hope you have a wo",
    "Would you like a cup of co",
    "See you at the airport on Sat",
    "I'm looking forward to ",
    "Don't forget to buy milk and ",
];
const WORDS: usize = 3;
const CONTINUATION_TOKENS: usize = 12;

#[derive(Debug, Serialize)]
struct Report {
    model: String,
    sentences: Vec<Sentence>,
}

#[derive(Debug, Serialize)]
struct Sentence {
    typed: &'static str,
    words: Vec<Word>,
    suggestion_ms: f64,
    /// The sentence with its last word completed by the first suggestion, and what the model adds to it.
    continued: String,
    continuation_ms: f64,
    continuation_tokens: usize,
}

#[derive(Debug, Serialize)]
struct Word {
    text: String,
    /// Among the words that begin as typed.
    probability: f32,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let interrupt = Interrupt::install()?;
    let model = ModelArgument {
        model: arguments.model.clone(),
    };
    let model = arguments.compute.open(&model, None)?;
    let mut session = arguments.session.open(&model, 0)?;
    let name = match model.gguf().metadata().find_string("general.name") {
        Ok(Some(name)) => one_line(name),
        _ => arguments.model.display().to_string(),
    };

    // The first pass reads the file from the disk.
    let cancel = interrupt.handle();
    session.prefill(
        &model
            .tokenizer()
            .encode_prompt("Hello", SpecialTokens::AsText)?,
        &cancel,
    )?;
    let sentences = SENTENCES
        .into_iter()
        .map(|typed| complete(&mut session, typed, &interrupt))
        .collect::<Result<Vec<_>, _>>()?;
    if output.is_json() {
        return output.object(&Report {
            model: name,
            sentences,
        });
    }
    let cpu = model.backend().cpu();
    let (threads, set) = (cpu.threads(), cpu.kernels().instruction_set().name());
    output.line(format_args!("{name} on {threads} threads, {set}\n"))?;
    show(&sentences, output)
}

fn complete(
    session: &mut Session,
    typed: &'static str,
    interrupt: &Interrupt,
) -> Result<Sentence, Failure> {
    let (finished, begun) = typed.rsplit_once(' ').unwrap_or(("", typed));
    let model = session.model().clone();
    let tokenizer = model.tokenizer();

    let start = Instant::now();
    let prompt = tokenizer.encode_prompt(finished, SpecialTokens::AsText)?;
    session.prefill(&prompt, &interrupt.handle())?;
    let words = suggest(session, tokenizer, begun);
    let suggestion_ms = start.elapsed().as_secs_f64() * 1e3;

    let word = words.first().map_or(begun, |word| &word.text);
    let mut continued = format!("{finished} {word}");
    let prompt = tokenizer.encode_prompt(&continued, SpecialTokens::AsText)?;
    let start = Instant::now();
    let options = GenerationOptions {
        max_tokens: CONTINUATION_TOKENS,
        stop: vec!["\n".to_owned()],
        ..GenerationOptions::default()
    };
    let mut generation = session.generate(&prompt, options)?;
    interrupt.watch(generation.cancel_handle());
    while let Some(chunk) = generation.next()? {
        continued.push_str(&chunk.text);
    }
    Ok(Sentence {
        typed,
        words,
        suggestion_ms,
        continued,
        continuation_ms: start.elapsed().as_secs_f64() * 1e3,
        continuation_tokens: generation.stats().generated_tokens,
    })
}

/// The most probable next tokens that are a word and continue `begun`, in any case, each once.
fn suggest(session: &Session, tokenizer: &Tokenizer, begun: &str) -> Vec<Word> {
    let begun = begun.to_lowercase();
    let mut words: Vec<Word> = Vec::new();
    let mut total = 0.0;
    for candidate in session.candidates(tokenizer.vocabulary_size()) {
        let bytes = tokenizer.token_bytes(candidate.token).unwrap_or_default();
        let Some(word) = str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.strip_prefix(' '))
        else {
            continue;
        };
        let lower = word.to_lowercase();
        let continues = lower.len() > begun.len() && lower.starts_with(&begun);
        if !continues || !word.chars().all(char::is_alphabetic) {
            continue;
        }
        let probability = candidate.logprob.exp();
        total += probability;
        if words.len() < WORDS && words.iter().all(|known| known.text.to_lowercase() != lower) {
            words.push(Word {
                text: word.to_owned(),
                probability,
            });
        }
    }
    for word in &mut words {
        word.probability /= total;
    }
    words
}

fn show(sentences: &[Sentence], output: &Output) -> Result<(), Failure> {
    let mut table = Table::default();
    table.row([&"TYPED", &"SUGGESTED", &"", &"", &"TIME"]);
    for sentence in sentences {
        let word = |index: usize| {
            let word = sentence.words.get(index);
            word.map_or_else(String::new, |word| {
                let percent = 100.0 * word.probability;
                match percent >= 0.5 {
                    true => format!("{} {percent:.0} %", word.text),
                    false => format!("{} <1 %", word.text),
                }
            })
        };
        let time = format!("{:.0} ms", sentence.suggestion_ms);
        table.row([
            &format!("{}_", sentence.typed),
            &word(0),
            &word(1),
            &word(2),
            &time,
        ]);
    }
    output.line(table)?;

    let mut table = Table::default();
    table.row([&"CONTINUED", &"TIME"]);
    for sentence in sentences {
        let Sentence {
            continuation_ms,
            continuation_tokens,
            ..
        } = sentence;
        let time = format!("{continuation_ms:.0} ms for {continuation_tokens} tokens");
        table.row([&one_line(&sentence.continued), &time]);
    }
    output.line(format_args!("\n{table}"))
}
