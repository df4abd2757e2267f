//! Measures autocorrection on simulated slips: `measure_autocorrect LEXICON LAYOUT TEXT`.
//!
//! TEXT has one sentence a line. A quarter of its words (26 %) get one letter replaced by that of a
//! neighbouring key; the corrector sees each word alone, with the lexicon's frequencies as prior.
//! Sentences are split by hash into a tuning and a report half. A second run draws taps around the
//! centres of the right keys instead, and types whatever they hit.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nibble_keyboard::corrector::{Request, Thresholds};
use nibble_keyboard::geometry::KeyAction;
use nibble_keyboard::text::fold;
use nibble_keyboard::{Corrector, Layout, Lexicon, Lexicons};

const SLIPS: f64 = 0.26;
const NEIGHBOUR_DISTANCE: f32 = 1.75;
const TAP_DEVIATION: f64 = 0.28;

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[derive(Default)]
struct Tally {
    correct: usize,
    changed: usize,
    wrong: usize,
    repaired: usize,
    offered: usize,
    times: Vec<Duration>,
    changes: Vec<(String, String)>,
    misses: Vec<(String, String, String)>,
}

impl Tally {
    fn print(&mut self, name: &str) {
        self.times.sort_unstable();
        let quantile = |share: f64| {
            let index = (self.times.len() as f64 * share) as usize;
            self.times
                .get(index)
                .map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        println!(
            "{name:<16} {:>6} slips: repaired {:.1} %, offered {:.1} %; {:>6} correct words: \
             changed {:.2} %; p50 {:.3} ms, p95 {:.3} ms, p99 {:.3} ms",
            self.wrong,
            percent(self.repaired, self.wrong),
            percent(self.offered, self.wrong),
            self.correct,
            percent(self.changed, self.correct),
            quantile(0.5),
            quantile(0.95),
            quantile(0.99),
        );
    }

    fn add(
        &mut self,
        corrector: &Corrector,
        lexicons: &Lexicons,
        meant: &str,
        typed: &str,
        taps: Option<&[(f32, f32)]>,
        is_sentence_start: bool,
    ) {
        let weights = lexicons.weights(&[]);
        let prior = |word: &str| lexicons.log_frequency(word, &weights).unwrap_or(-20.0);
        let request = Request {
            typed,
            taps,
            prior: &prior,
            is_sentence_start,
            is_protected: &|_| false,
        };
        let start = Instant::now();
        let corrections = corrector.correct(&request, lexicons, &weights);
        self.times.push(start.elapsed());
        let result = match corrections.first() {
            Some(first) if first.automatic => fold(&first.word),
            _ => fold(typed),
        };
        if fold(typed) == fold(meant) {
            self.correct += 1;
            if result != fold(meant) {
                self.changed += 1;
                self.changes.push((typed.to_owned(), result));
            }
        } else {
            self.wrong += 1;
            self.repaired += usize::from(result == fold(meant));
            let is_meant = |word: &str| fold(word) == fold(meant);
            self.offered += usize::from(corrections.iter().take(3).any(|c| is_meant(&c.word)));
            if result != fold(meant) {
                self.misses
                    .push((meant.to_owned(), typed.to_owned(), result));
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [lexicon, layout, text, options @ ..] = arguments.as_slice() else {
        return Err("usage: measure_autocorrect LEXICON LAYOUT TEXT [KNOWN UNKNOWN SHORT]".into());
    };
    let lexicons = Lexicons::new(vec![Arc::new(Lexicon::open(lexicon)?)]);
    let layout = Layout::builtin(layout).ok_or("no such layout")?;
    let mut corrector = Corrector::new(&layout);
    if let [known, unknown, short, ..] = options {
        corrector = corrector.with_thresholds(Thresholds {
            known: known.parse()?,
            unknown: unknown.parse()?,
            unknown_short: short.parse()?,
        });
    }
    let text = std::fs::read_to_string(text)?;
    let mut halves = [Tally::default(), Tally::default()];
    let mut tapped = Tally::default();
    let mut random = Random(4);
    for sentence in text.lines() {
        let half = (crc32fast::hash(sentence.as_bytes()) & 1) as usize;
        let Some(tally) = halves.get_mut(half) else {
            continue;
        };
        for (position, token) in sentence.split_whitespace().enumerate() {
            let starts = position == 0;
            let meant = token.trim_matches(|c: char| !c.is_alphanumeric());
            let is_word = meant
                .chars()
                .all(|c| c.is_alphabetic() || matches!(c, '\'' | '’'));
            if meant.is_empty() || !is_word {
                continue;
            }
            let letters: Vec<char> = meant.chars().collect();
            let at = (random.next() % letters.len() as u64) as usize;
            let slips = random.uniform() < SLIPS;
            let mut typed = meant.to_owned();
            if slips && let Some(&letter) = letters.get(at) {
                let near: Vec<char> = layout
                    .letters()
                    .filter(|&other| {
                        let distance = layout.distance(letter, other);
                        distance.is_some_and(|d| d > 0.0 && d < NEIGHBOUR_DISTANCE)
                    })
                    .collect();
                let pick = (random.next() % near.len().max(1) as u64) as usize;
                if let Some(&other) = near.get(pick) {
                    let place = |(index, &l): (usize, &char)| if index == at { other } else { l };
                    typed = letters.iter().enumerate().map(place).collect();
                }
            }
            tally.add(&corrector, &lexicons, meant, &typed, None, starts);

            let centres: Option<Vec<(f32, f32)>> = letters
                .iter()
                .map(|&letter| layout.centre(letter))
                .collect();
            if half == 1
                && options.len() != 3
                && let Some(centres) = centres
            {
                let mut scatter = |value: f32| value + (TAP_DEVIATION * random.normal()) as f32;
                let taps: Vec<(f32, f32)> = centres
                    .iter()
                    .map(|&(x, y)| (scatter(x), scatter(y)))
                    .collect();
                let hit = |(&(x, y), &letter): (&(f32, f32), &char)| match layout
                    .key_at(x, y)
                    .map(|key| key.action)
                {
                    Some(KeyAction::Char(hit)) if hit.is_alphabetic() => hit,
                    _ => letter,
                };
                let typed: String = taps.iter().zip(&letters).map(hit).collect();
                tapped.add(&corrector, &lexicons, meant, &typed, Some(&taps), starts);
            }
        }
    }
    let [tuning, report] = &mut halves;
    tuning.print("tuning half");
    report.print("report half");
    tapped.print("taps, report");
    if options.len() > 3 {
        println!("changed: {:?}", tuning.changes);
        println!(
            "missed: {:?}",
            tuning.misses.iter().take(200).collect::<Vec<_>>()
        );
    }
    Ok(())
}
