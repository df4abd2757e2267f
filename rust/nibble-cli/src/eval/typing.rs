//! `nibble eval typing`: keystrokes saved, passes and latencies, with baselines.

use std::path::PathBuf;

use nibble_keyboard::controller::Settings;
use nibble_keyboard::{Completer, FieldKind};

use super::Outcome;
use super::decode_steps::DecodeSteps;
use super::measures::{Latency, Measures};
use super::perfect_user::{Counts, type_sentence};
use super::predictor::{Engine, External, PerKey, Predictor};
use super::sentences::TextArguments;
use crate::failure::Failure;
use crate::memory;
use crate::output::{Output, Table, bytes};
use crate::progress;
use crate::typing::{TypingArguments, open_user_model, parse_field};

/// Measure how much typing the suggestions save a user who never slips and accepts each as soon as it is shown.
///
/// Three slots; case does not count; a tap inserts a word with its space and is one key.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    text: TextArguments,

    #[command(flatten)]
    typing: TypingArguments,

    /// The kind of field that is typed into.
    #[arg(long, default_value = "message", value_parser = parse_field)]
    field: FieldKind,

    /// Learn from what is typed, in memory.
    #[arg(long)]
    user_model: bool,

    /// Measure the lexicon alone, and the model asked anew at every key, on the same text.
    #[arg(long)]
    baselines: bool,

    /// Measure a program that speaks the JSON lines of `nibble suggest --stdio`, too.
    #[arg(long, value_name = "COMMAND")]
    external: Vec<String>,

    /// Part of the lexicons beside the model [default: the engine's].
    #[arg(long)]
    lexicon_weight: Option<f32>,

    /// What words of the model keep that no lexicon has [default: the engine's].
    #[arg(long)]
    unlisted_weight: Option<f32>,

    /// Probability from which on a word is read ahead [default: the engine's].
    #[arg(long)]
    look_ahead_threshold: Option<f32>,

    /// Call this configuration so in the results.
    #[arg(long)]
    name: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let run = Run {
        sentences: arguments.text.read()?,
        text: arguments.text.name(),
        field: arguments.field,
        output,
    };
    let model = arguments.typing.open_model()?;
    let lexicons = arguments.typing.open_lexicons(model.as_deref(), output)?;
    let mut options = arguments.typing.options(&lexicons)?;
    let mut results = Vec::new();
    if arguments.baselines {
        let completer = Completer::new(None, lexicons.clone(), None, options.clone());
        let mut lexicon = Engine::new(completer, false, false);
        results.push(run.measure("lexicon alone", &mut lexicon, None)?);
        if let Some(model) = &model {
            let mut per_key = PerKey::new(model.clone(), &options.primers)?;
            let name = "model asked anew at every key";
            results.push(run.measure(name, &mut per_key, None)?);
        }
    }
    for command in &arguments.external {
        let mut external = External::start(command)?;
        let file = PathBuf::from(command.split(' ').next().unwrap_or_default());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        results.push(run.measure(&name, &mut external, None)?);
    }

    let name = arguments.name.clone();
    let name = name.unwrap_or_else(|| configuration(arguments));
    let user = match arguments.user_model {
        true => Some(open_user_model(None)?),
        false => None,
    };
    let threshold = arguments.look_ahead_threshold;
    options.look_ahead_threshold = threshold.unwrap_or(options.look_ahead_threshold);
    let weights = &mut options.weights;
    weights.lexicon = arguments.lexicon_weight.unwrap_or(weights.lexicon);
    weights.unlisted = arguments.unlisted_weight.unwrap_or(weights.unlisted);
    let completer = Completer::new(model.clone(), lexicons, user, options);
    let mut engine = Engine::new(completer, arguments.user_model, arguments.typing.look_ahead);
    let mut steps = model.as_ref().map(DecodeSteps::new).transpose()?;
    let mut measures = run.measure(&name, &mut engine, steps.as_mut())?;
    measures.latency = steps
        .as_ref()
        .map(|steps| Latency::of(&engine.costs(), steps));
    drop(steps);
    measures.dirty_bytes = memory::dirty_bytes();
    results.push(measures);

    if output.is_json() {
        return results
            .into_iter()
            .try_for_each(|result| output.object(&Outcome::Typing(result)));
    }
    output.line(table(&results))
}

/// How this run differs from the simplest one.
fn configuration(arguments: &Arguments) -> String {
    let typing = &arguments.typing;
    let parts = [
        (typing.model.is_some(), "nibble"),
        (typing.model.is_none(), "lexicon alone"),
        (typing.no_primer, "no primer"),
        (typing.look_ahead, "look-ahead"),
        (arguments.user_model, "learning"),
    ];
    let parts: Vec<&str> = parts
        .iter()
        .filter(|part| part.0)
        .map(|part| part.1)
        .collect();
    parts.join(", ")
}

/// A text to type, and where to show how far that is.
struct Run<'a> {
    sentences: Vec<String>,
    text: String,
    field: FieldKind,
    output: &'a Output,
}

impl Run<'_> {
    fn measure(
        &self,
        name: &str,
        predictor: &mut dyn Predictor,
        mut steps: Option<&mut DecodeSteps>,
    ) -> Result<Measures, Failure> {
        let bar = progress::bar(self.output, "typing", self.sentences.len());
        let mut counts = Counts::default();
        let settings = Settings {
            autocorrect: false,
            ..Settings::default()
        };
        for sentence in &self.sentences {
            type_sentence(sentence, self.field, &settings, predictor, &mut counts)?;
            if let Some(steps) = steps.as_deref_mut() {
                steps.tell(&predictor.costs().boundary)?;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Measures::of(
            name.to_owned(),
            self.text.clone(),
            self.sentences.len(),
            &counts,
            &predictor.costs(),
        ))
    }
}

fn table(results: &[Measures]) -> Table {
    let mut table = Table::default();
    table.row([
        &"",
        &"KSS",
        &"TOP 1/3",
        &"AFTER 2 LETTERS",
        &"PASSES/CHAR",
        &"IN WORD P95",
        &"BOUNDARY P50/P95",
        &"HIDDEN",
        &"DIRTY",
    ]);
    for result in results {
        let after_two = result
            .top3_after_letters
            .get(1)
            .copied()
            .unwrap_or_default();
        let (inside, boundary) = match &result.latency {
            Some(latency) => (
                format!("{:.2} ms", latency.inside_word_ms.p95),
                format!(
                    "{:.1}/{:.1} ms, {:.2}/{:.2} steps of {:.1} ms",
                    latency.boundary_ms.p50,
                    latency.boundary_ms.p95,
                    latency.boundary_steps.p50,
                    latency.boundary_steps.p95,
                    latency.decode_step_ms
                ),
            ),
            None => (String::new(), String::new()),
        };
        table.row([
            &result.name,
            &format_args!("{:.2} %", result.kss),
            &format_args!("{:.1}/{:.1} %", result.top1, result.top3),
            &format_args!("{after_two:.1} %"),
            &format_args!("{:.3}", result.passes_per_character),
            &inside,
            &boundary,
            &format_args!("{:.0} %", result.hidden_boundaries),
            &result.dirty_bytes.map(bytes).unwrap_or_default(),
        ]);
    }
    table
}
