//! Measures look-ups: `measure_completions LEXICON [PREFIX ...]`. Opens the lexicon, times eight
//! completions of every prefix of one to three letters that some word has, and prints those of the
//! prefixes given.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::time::{Duration, Instant};

use nibble_keyboard::Lexicon;

const LIMIT: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((path, prefixes)) = arguments.split_first() else {
        return Err("usage: measure_completions LEXICON [PREFIX ...]".into());
    };
    let start = Instant::now();
    let lexicon = Lexicon::open(path)?;
    println!(
        "{} words, opened in {:.1} ms",
        lexicon.len(),
        milliseconds(start.elapsed())
    );

    let mut level = vec![String::new()];
    for letters in 1..=3 {
        let longer: Vec<String> = level
            .iter()
            .flat_map(|prefix| {
                let letters = ('a'..='z').chain('а'..='я').chain("äöüßéèàçñ".chars());
                letters.map(move |letter| format!("{prefix}{letter}"))
            })
            .collect();
        level = Vec::new();
        let mut times = Vec::new();
        for prefix in longer {
            let start = Instant::now();
            let found = lexicon.completions(&prefix, LIMIT);
            times.push(start.elapsed());
            if !found.is_empty() {
                level.push(prefix);
            } else {
                times.pop();
            }
        }
        times.sort_unstable();
        let quantile = |share: f64| {
            let time = times.get((times.len() as f64 * share) as usize);
            time.copied().map_or(0.0, milliseconds)
        };
        println!(
            "{letters} letters: {} prefixes, p50 {:.4} ms, p95 {:.4} ms",
            times.len(),
            quantile(0.5),
            quantile(0.95)
        );
    }
    for prefix in prefixes {
        let found: Vec<String> = lexicon
            .completions(prefix, LIMIT)
            .into_iter()
            .map(|found| found.word)
            .collect();
        println!("{prefix}: {}", found.join(", "));
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
