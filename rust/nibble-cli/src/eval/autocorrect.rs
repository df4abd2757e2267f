//! `nibble eval autocorrect`: which slips the keyboard repairs, and which right words it changes.

use std::sync::Arc;
use std::time::Instant;

use nibble_keyboard::controller::{Settings, Tap};
use nibble_keyboard::corrector::Thresholds;
use nibble_keyboard::geometry::{KeyAction, Layout, NEIGHBOUR_DISTANCE};
use nibble_keyboard::position::word_ranges;
use nibble_keyboard::text::fold;
use nibble_keyboard::{Completer, EditorContext, FieldKind, Lexicon, SuggestionKind};
use serde::{Deserialize, Serialize};

use super::Outcome;
use super::measures::{Quantiles, milliseconds};
use super::predictor::Engine;
use super::sentences::TextArguments;
use super::shell::Shell;
use crate::failure::Failure;
use crate::output::{Output, Table};
use crate::progress;
use crate::typing::{TypingArguments, parse_field};

/// Measure autocorrection on simulated slips.
///
/// A quarter of the words (26 %) get one letter replaced by that of a neighbouring key; the text before each
/// word is right, and case and apostrophes do not count. With --taps, fingers come down around the middle of every
/// key instead, and type what they hit.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    text: TextArguments,

    #[command(flatten)]
    typing: TypingArguments,

    /// The kind of field that is typed into.
    #[arg(long, default_value = "message", value_parser = parse_field)]
    field: FieldKind,

    /// Let every letter be a tap that may miss its key.
    #[arg(long)]
    taps: bool,

    /// Log odds against known words, unknown words and short unknown words [default: the engine's].
    #[arg(long, value_names = ["KNOWN", "UNKNOWN", "SHORT"], num_args = 3, allow_negative_numbers = true)]
    thresholds: Vec<f32>,

    /// List the right words that were changed and the slips that were not repaired.
    #[arg(long)]
    list: bool,

    /// Call this configuration so in the results.
    #[arg(long)]
    name: Option<String>,
}

/// Share of words with a slip.
const SLIPS: f64 = 0.26;
/// Standard deviation of taps, in key widths.
const TAP_DEVIATION: f64 = 0.28;

/// The measures of one configuration. Shares are in percent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AutocorrectMeasures {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) slips: u64,
    /// Slips that stood right once the word had ended.
    pub(crate) repaired: f64,
    /// Slips whose right word was among the suggestions before the word ended.
    pub(crate) offered: f64,
    pub(crate) correct_words: u64,
    /// Right words that stood otherwise once they had ended. Real text has slips of its own, and to mend one counts.
    pub(crate) changed: f64,
    /// Right words that a lexicon lists.
    pub(crate) listed_words: u64,
    /// Those of them that stood otherwise once they had ended: valid words that were changed.
    pub(crate) listed_changed: f64,
    /// Words that were wrong in the end, of all.
    pub(crate) word_error_rate: f64,
    pub(crate) correction_ms: Quantiles,
    /// What would be repaired and changed if corrections were made sooner or later: the number is added to
    /// every threshold.
    pub(crate) trade_off: Vec<TradeOff>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct TradeOff {
    pub(crate) added: f64,
    pub(crate) repaired: f64,
    pub(crate) changed: f64,
}

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

/// How a word was typed and what became of it.
struct Typed {
    meant: String,
    typed: String,
    result: String,
    /// Whether a lexicon lists the word that was meant.
    is_listed: bool,
    offered: bool,
    /// The likeliest correction, and how far its odds are beyond its threshold.
    best: Option<(String, f32)>,
}

impl Typed {
    fn is_slip(&self) -> bool {
        fold(&self.typed) != fold(&self.meant)
    }

    fn is_right(&self) -> bool {
        is_same(&self.result, &self.meant)
    }

    /// What would stand there if every threshold were higher by `added`.
    fn would_be_right(&self, added: f32) -> bool {
        match &self.best {
            Some((word, margin)) if *margin >= added => is_same(word, &self.meant),
            _ => !self.is_slip(),
        }
    }
}

/// Whether two words differ in case and apostrophes at most: to add an apostrophe that the text lacks is no
/// change of a word.
fn is_same(word: &str, other: &str) -> bool {
    let letters = |word: &str| fold(word).replace('\'', "");
    letters(word) == letters(other)
}

fn is_listed(lexicons: &[Arc<Lexicon>], word: &str) -> bool {
    let word = fold(word).replace('\u{2019}', "'");
    lexicons
        .iter()
        .any(|lexicon| lexicon.log_frequency(&word).is_some())
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let sentences = arguments.text.read()?;
    let layout = arguments.typing.open_layout()?;
    let mut typist = Typist::new(arguments, layout, output)?;
    let bar = progress::bar(output, "typing", sentences.len());
    for sentence in &sentences {
        typist.type_sentence(sentence)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let measures = typist.measures(arguments.text.name());

    if output.is_json() {
        return output.object(&Outcome::Autocorrect(measures));
    }
    output.line(table(&measures))?;
    if arguments.list {
        typist.list(output)?;
    }
    Ok(())
}

struct Typist {
    name: String,
    engine: Engine,
    lexicons: Vec<Arc<Lexicon>>,
    layout: Layout,
    field: FieldKind,
    taps: bool,
    random: Random,
    words: Vec<Typed>,
    milliseconds: Vec<f64>,
}

impl Typist {
    fn new(arguments: &Arguments, layout: Layout, output: &Output) -> Result<Typist, Failure> {
        let model = arguments.typing.open_model()?;
        let prior = match (&model, arguments.typing.no_primer) {
            (None, _) => "lexicon alone",
            (Some(_), true) => "nibble, no primer",
            (Some(_), false) => "nibble",
        };
        let taps = if arguments.taps { ", taps" } else { "" };
        let name = arguments.name.clone();
        let lexicons = arguments.typing.open_lexicons(model.as_deref(), output)?;
        let mut options = arguments.typing.options(&lexicons)?;
        if let [known, unknown, unknown_short] = *arguments.thresholds {
            options.thresholds = Thresholds {
                known,
                unknown,
                unknown_short,
            };
        }
        let listing = lexicons.as_slice().to_vec();
        let completer = Completer::new(model, lexicons, None, options);
        Ok(Typist {
            name: name.unwrap_or_else(|| format!("{prior}{taps}")),
            engine: Engine::new(completer, false, false),
            lexicons: listing,
            layout,
            field: arguments.field,
            taps: arguments.taps,
            random: Random(4),
            words: Vec::new(),
            milliseconds: Vec::new(),
        })
    }

    fn type_sentence(&mut self, sentence: &str) -> Result<(), Failure> {
        for range in word_ranges(sentence) {
            let (before, meant) = (
                sentence.get(..range.start).unwrap_or_default(),
                sentence.get(range.clone()).unwrap_or_default(),
            );
            let after = sentence.get(range.end..).unwrap_or_default();
            let is_word = meant
                .chars()
                .all(|c| c.is_alphabetic() || matches!(c, '\'' | '’'));
            // Parts of what hyphens, addresses and numbers are made of do not stand alone.
            let stands_alone = (before.is_empty() || before.ends_with(char::is_whitespace))
                && !after.starts_with(|c: char| c.is_alphanumeric() || "-/@_&'’".contains(c));
            if is_word && stands_alone {
                self.type_word(before, meant)?;
            }
        }
        Ok(())
    }

    fn type_word(&mut self, before: &str, meant: &str) -> Result<(), Failure> {
        let touches = match self.taps {
            true => self.tapped(meant),
            false => self.slipped(meant),
        };
        let typed: String = touches.iter().map(|(letter, _)| *letter).collect();
        let settings = Settings::default();
        let mut shell = Shell::new(self.field, before, settings, &mut self.engine)?;
        for (letter, tap) in &touches {
            shell.touch(*letter, *tap, &mut self.engine)?;
        }
        let shown = shell.strip().slots.iter();
        let mut shown = shown.filter(|slot| slot.kind != SuggestionKind::Typed);
        let offered = shown.any(|slot| fold(&slot.text) == fold(meant));

        let context = EditorContext {
            before: shell.before(),
            field: self.field,
            ..EditorContext::default()
        };
        let points: Vec<(f32, f32)> = touches
            .iter()
            .filter_map(|(_, tap)| tap.map(|tap| (tap.x, tap.y)))
            .collect();
        let points = (points.len() == touches.len()).then_some(points.as_slice());
        let start = Instant::now();
        let corrections = self.engine.completer().corrections(&context, points);
        self.milliseconds.push(milliseconds(&start.elapsed()));
        let best = corrections
            .into_iter()
            .next()
            .filter(|best| !best.offensive)
            .map(|best| (best.word, best.log_odds - best.threshold));

        shell.press(' ', &mut self.engine)?;
        let text = shell.before();
        let result = text.get(before.len()..).unwrap_or_default();
        self.words.push(Typed {
            meant: meant.to_owned(),
            typed,
            result: result.trim_end().to_owned(),
            is_listed: is_listed(&self.lexicons, meant),
            offered,
            best,
        });
        Ok(())
    }

    /// The word, with a letter of a neighbouring key at times.
    fn slipped(&mut self, meant: &str) -> Vec<(char, Option<Tap>)> {
        let mut letters: Vec<char> = meant.chars().collect();
        let places = || (0..).zip(meant.chars()).filter(|(_, c)| c.is_alphabetic());
        let nth = self.random.next() % places().count().max(1) as u64;
        let at = places().nth(nth as usize).map_or(0, |(at, _)| at);
        let slips = self.random.uniform() < SLIPS;
        let pick = self.random.next();
        if let Some(letter) = letters.get_mut(at).filter(|_| slips) {
            let is_capital = letter.is_uppercase();
            let near: Vec<char> = self
                .layout
                .letters()
                .filter(|&other| {
                    let distance = self.layout.distance(*letter, other);
                    distance.is_some_and(|d| d > 0.0 && d <= NEIGHBOUR_DISTANCE)
                })
                .collect();
            if let Some(&other) = near.get((pick % near.len().max(1) as u64) as usize) {
                let capital = other.to_uppercase().next().filter(|_| is_capital);
                *letter = capital.unwrap_or(other);
            }
        }
        letters.into_iter().map(|letter| (letter, None)).collect()
    }

    /// What fingers hit that aim at the letters of a word.
    fn tapped(&mut self, meant: &str) -> Vec<(char, Option<Tap>)> {
        let mut scatter = |value: f32| value + (TAP_DEVIATION * self.random.normal()) as f32;
        let mut touch = |letter: char| {
            let Some((x, y)) = self.layout.centre(letter) else {
                return (letter, None);
            };
            let tap = Tap {
                x: scatter(x),
                y: scatter(y),
            };
            let key = self.layout.key_at(tap.x, tap.y);
            match key.map(|key| key.action) {
                Some(KeyAction::Char(hit)) if hit.is_alphabetic() => {
                    let capital = hit.to_uppercase().next().filter(|_| letter.is_uppercase());
                    (capital.unwrap_or(hit), Some(tap))
                }
                _ => (letter, Some(tap)),
            }
        };
        meant.chars().map(&mut touch).collect()
    }

    fn measures(&self, text: String) -> AutocorrectMeasures {
        let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        let slips: Vec<&Typed> = self.words.iter().filter(|word| word.is_slip()).collect();
        let correct: Vec<&Typed> = self.words.iter().filter(|word| !word.is_slip()).collect();
        let listed: Vec<&Typed> = correct
            .iter()
            .copied()
            .filter(|word| word.is_listed)
            .collect();
        let count = |words: &[&Typed], wanted: &dyn Fn(&Typed) -> bool| {
            let found = words.iter().filter(|word| wanted(word)).count();
            percent(found, words.len())
        };
        let trade_off = (-16..=16).map(|step| {
            let added = f64::from(step) / 2.0;
            TradeOff {
                added,
                repaired: count(&slips, &|word| word.would_be_right(added as f32)),
                changed: count(&correct, &|word| !word.would_be_right(added as f32)),
            }
        });
        let wrong = self.words.iter().filter(|word| !word.is_right()).count();
        AutocorrectMeasures {
            name: self.name.clone(),
            text,
            slips: slips.len() as u64,
            repaired: count(&slips, &Typed::is_right),
            offered: count(&slips, &|word| word.offered),
            correct_words: correct.len() as u64,
            changed: count(&correct, &|word| !word.is_right()),
            listed_words: listed.len() as u64,
            listed_changed: count(&listed, &|word| !word.is_right()),
            word_error_rate: percent(wrong, self.words.len()),
            correction_ms: Quantiles::of(self.milliseconds.iter().copied()),
            trade_off: trade_off.collect(),
        }
    }

    fn list(&self, output: &Output) -> Result<(), Failure> {
        let mut table = Table::default();
        table.row([&"MEANT", &"TYPED", &"BECAME", &"BEST", &"MARGIN"]);
        for word in self.words.iter().filter(|word| !word.is_right()) {
            let (best, margin) = word.best.clone().unwrap_or_default();
            table.row([
                &word.meant,
                &word.typed,
                &word.result,
                &best,
                &format_args!("{margin:.1}"),
            ]);
        }
        output.line(table)
    }
}

fn table(measures: &AutocorrectMeasures) -> Table {
    let mut table = Table::default();
    table.row([
        &"",
        &"SLIPS",
        &"REPAIRED",
        &"OFFERED",
        &"RIGHT WORDS",
        &"CHANGED",
        &"OF LISTED ONES",
        &"WRONG IN THE END",
        &"P95",
    ]);
    table.row([
        &measures.name,
        &measures.slips,
        &format_args!("{:.1} %", measures.repaired),
        &format_args!("{:.1} %", measures.offered),
        &measures.correct_words,
        &format_args!("{:.2} %", measures.changed),
        &format_args!(
            "{:.2} % of {}",
            measures.listed_changed, measures.listed_words
        ),
        &format_args!("{:.1} %", measures.word_error_rate),
        &format_args!("{:.2} ms", measures.correction_ms.p95),
    ]);
    table
}
