//! `nibble selftest`: the fast kernels against the portable ones on a real file.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indicatif::ProgressBar;
use nibble::backend::{HeadRows, Precision, Scratch, SequenceInput};
use nibble::{KvCache, KvFormat, Model, SpecialTokens};
use nibble_kernels::Kernels;
use serde::Serialize;

use crate::engine::{ComputeArguments, ModelArgument};
use crate::failure::Failure;
use crate::output::{Output, Table};
use crate::progress;
use crate::text;

/// Compare the kernels that this processor uses with the portable ones, layer by layer.
///
/// The reference is portable code with f32 activations. The fast kernels run twice: with f32 activations they
/// must agree closely, with 8-bit activations (the default of the other commands) within the error of that
/// rounding.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,

    /// Tokens to compare on.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=512))]
    tokens: u16,

    #[command(flatten)]
    compute: ComputeArguments,
}

const TEXT: &str = "The keyboard waits for the next letter. While you think about the word, it has \
    read the sentence so far and holds a few likely continuations ready, so that whatever you type \
    next, the answer is already there. Nothing of it leaves the device: the model is a file, the \
    file is mapped, and the numbers in it are multiplied here, by this processor, now.";

/// Relative error of a token's residual stream under f32 activations: other orders of summation differ by
/// about 1e-5 after all layers, a wrong kernel by about 1.
const MAX_F32_ERROR: f64 = 1e-3;
/// Mean KL divergence of the next-token distributions under 8-bit activations.
const MAX_Q8_DIVERGENCE: f64 = 0.02;
/// Distributions are compared at every eighth token: the head is a large part of the work.
const HEAD_STEP: usize = 8;

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    tokens: usize,
    instruction_set: &'static str,
    /// 0 is the embedding.
    layers: Vec<LayerReport>,
    f32: LogitsReport,
    q8: LogitsReport,
}

/// Largest relative error of a token's residual stream after a layer.
#[derive(Debug, Serialize)]
struct LayerReport {
    layer: usize,
    f32_error: f64,
    q8_error: f64,
}

#[derive(Debug, Serialize)]
struct LogitsReport {
    max_abs_error: f64,
    mean_kl_divergence: f64,
    /// Part of the positions whose most probable token is the reference's.
    same_top_token: f64,
}

/// What one run computed.
struct Trace {
    /// `[layers + 1][tokens * hidden]`
    layers: Vec<Vec<f32>>,
    /// `[compared positions][vocabulary]`
    logits: Vec<Vec<f32>>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let open = |kernels| arguments.compute.open(&arguments.model, kernels);
    let (reference, fast) = (open(Some(Kernels::scalar()))?, open(None)?);
    let wanted = usize::from(arguments.tokens).min(fast.hparams().context_length);
    let sentence = text::prompt(fast.tokenizer(), TEXT, SpecialTokens::AsText)?;
    let tokens: Vec<u32> = sentence.iter().copied().cycle().take(wanted).collect();

    let bar = progress::bar(output, "layers", 3 * (fast.hparams().layers + 1));
    let expected = trace(&reference, &tokens, Precision::F32, &bar)?;
    let f32_trace = trace(&fast, &tokens, Precision::F32, &bar)?;
    let q8_trace = trace(&fast, &tokens, Precision::Q8, &bar)?;
    bar.finish_and_clear();

    let hidden = fast.hparams().hidden;
    let layers: Vec<LayerReport> = expected
        .layers
        .iter()
        .zip(f32_trace.layers.iter().zip(&q8_trace.layers))
        .enumerate()
        .map(|(layer, (expected, (f32_found, q8_found)))| LayerReport {
            layer,
            f32_error: largest_relative_error(f32_found, expected, hidden),
            q8_error: largest_relative_error(q8_found, expected, hidden),
        })
        .collect();
    let f32 = compare(&f32_trace.logits, &expected.logits);
    let q8 = compare(&q8_trace.logits, &expected.logits);
    let instruction_set = fast.backend().cpu().kernels().instruction_set().name();
    let difference = difference(&layers, &q8);
    let ok = difference.is_none();
    let report = Report {
        ok,
        tokens: tokens.len(),
        instruction_set,
        layers,
        f32,
        q8,
    };

    if output.is_json() {
        output.object(&report)?
    } else {
        show(&report, output)?
    }
    difference.map_or(Ok(()), |difference| {
        Err(Failure::SelfTest(format!(
            "the {instruction_set} kernels {difference}"
        )))
    })
}

/// What is too different, if anything is.
fn difference(layers: &[LayerReport], q8: &LogitsReport) -> Option<String> {
    let exceeds = |error: f64, limit: f64| error.is_nan() || error > limit;
    if let Some(LayerReport {
        layer, f32_error, ..
    }) = layers
        .iter()
        .find(|layer| exceeds(layer.f32_error, MAX_F32_ERROR))
    {
        return Some(format!(
            "differ from the portable ones by {f32_error:.1e} after layer {layer}, more than {MAX_F32_ERROR:.0e}"
        ));
    }
    let divergence = q8.mean_kl_divergence;
    exceeds(divergence, MAX_Q8_DIVERGENCE).then(|| {
        format!(
            "with 8-bit activations have a mean KL divergence of {divergence:.3}, more than {MAX_Q8_DIVERGENCE}"
        )
    })
}

fn trace(
    model: &Arc<Model>,
    tokens: &[u32],
    precision: Precision,
    bar: &ProgressBar,
) -> Result<Trace, Failure> {
    let hparams = model.hparams();
    let mut cache = KvCache::new(hparams, KvFormat::F32, tokens.len())?;
    let mut scratch = Scratch::new(hparams, tokens.len())?;
    let last = tokens.len().saturating_sub(1);
    let heads: Vec<_> = (last % HEAD_STEP..tokens.len())
        .step_by(HEAD_STEP)
        .map(|position| (position, HeadRows::All))
        .collect();
    let mut layers = Vec::new();
    model.backend().forward_observed(
        &mut [SequenceInput {
            cache: &mut cache,
            tokens,
            heads: &heads,
        }],
        precision,
        &mut scratch,
        &AtomicBool::new(false),
        &mut |_, residual| {
            layers.push(residual.to_vec());
            bar.inc(1);
        },
    )?;
    let logits = (0..heads.len()).filter_map(|request| scratch.logits(request));
    let logits = logits.map(<[f32]>::to_vec).collect();
    Ok(Trace { layers, logits })
}

/// The largest `|found - expected| / |expected|` (Euclidean) over the rows of `width`.
fn largest_relative_error(found: &[f32], expected: &[f32], width: usize) -> f64 {
    let rows = found.chunks_exact(width).zip(expected.chunks_exact(width));
    let errors = rows.map(|(found, expected)| {
        let square = |value: f32| f64::from(value) * f64::from(value);
        let difference: f64 = found.iter().zip(expected).map(|(f, e)| square(f - e)).sum();
        (difference / expected.iter().map(|&e| square(e)).sum::<f64>()).sqrt()
    });
    largest(errors)
}

fn compare(found: &[Vec<f32>], expected: &[Vec<f32>]) -> LogitsReport {
    let pairs = || found.iter().zip(expected);
    let differences =
        pairs().flat_map(|(f, e)| f.iter().zip(e).map(|(f, e)| f64::from((f - e).abs())));
    let positions = expected.len().max(1) as f64;
    let same = pairs()
        .filter(|(found, expected)| best(found) == best(expected))
        .count();
    LogitsReport {
        max_abs_error: largest(differences),
        mean_kl_divergence: pairs().map(|(f, e)| kl_divergence(e, f)).sum::<f64>() / positions,
        same_top_token: same as f64 / positions,
    }
}

/// `sum(p ln(p / q))` of the distributions of two sets of logits.
fn kl_divergence(p: &[f32], q: &[f32]) -> f64 {
    let (p, q) = (log_probabilities(p), log_probabilities(q));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

fn log_probabilities(logits: &[f32]) -> Vec<f64> {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits
        .iter()
        .map(|&logit| (f64::from(logit) - max).exp())
        .sum();
    logits
        .iter()
        .map(|&logit| f64::from(logit) - max - sum.ln())
        .collect()
}

/// The maximum, or what is not a number if there is such a value.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |a, b| if a.is_nan() || a > b { a } else { b })
}

fn best(logits: &[f32]) -> Option<usize> {
    (0..logits.len())
        .zip(logits)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(token, _)| token)
}

fn show(report: &Report, output: &Output) -> Result<(), Failure> {
    let Report {
        tokens,
        instruction_set,
        ..
    } = report;
    output.line(format_args!(
        "{instruction_set} kernels against portable ones with f32 activations, {tokens} tokens\n"
    ))?;
    let mut table = Table::default();
    table.row([&"", &"f32 activations", &"8-bit activations"]);
    for LayerReport {
        layer,
        f32_error,
        q8_error,
    } in &report.layers
    {
        let name = if *layer == 0 {
            "embedding".to_owned()
        } else {
            format!("layer {layer}")
        };
        table.row([
            &name,
            &format!("{f32_error:.1e}"),
            &format!("{q8_error:.1e}"),
        ]);
    }
    let both = |value: fn(&LogitsReport) -> String| (value(&report.f32), value(&report.q8));
    for (name, (f32, q8)) in [
        (
            "logits, largest difference",
            both(|logits| format!("{:.1e}", logits.max_abs_error)),
        ),
        (
            "mean KL divergence",
            both(|logits| format!("{:.1e}", logits.mean_kl_divergence)),
        ),
        (
            "same best token",
            both(|logits| format!("{:.0} %", 100.0 * logits.same_top_token)),
        ),
    ] {
        table.row([&name, &f32, &q8]);
    }
    output.line(table)?;
    output.line(if report.ok { "\nok" } else { "\nFAILED" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_row_counts_and_nan_is_never_small() {
        assert_eq!(
            largest_relative_error(&[1.0, 0.0, 0.0, 3.0], &[1.0, 0.0, 0.0, 2.0], 2),
            0.5
        );
        assert!(largest_relative_error(&[f32::NAN, 1.0], &[1.0, 1.0], 1).is_nan());
        assert!(largest_relative_error(&[1.0, f32::NAN, 1.0], &[1.0, 1.0, 1.0], 1).is_nan());
    }

    #[test]
    fn divergence_of_known_distributions() {
        let logits = |p: [f32; 2]| p.map(f32::ln).to_vec();
        let (p, q) = (logits([0.5, 0.5]), logits([0.25, 0.75]));
        let expected = 0.5 * (0.5f64 / 0.25).ln() + 0.5 * (0.5f64 / 0.75).ln();
        assert!((kl_divergence(&p, &q) - expected).abs() < 1e-6);
        let (p, q) = ([p], [q]);
        assert!((compare(&q, &p).mean_kl_divergence - expected).abs() < 1e-6);
        assert_eq!(compare(&p, &p).same_top_token, 1.0);
    }

    #[test]
    fn what_is_not_a_number_is_too_different() {
        let layer = |f32_error| LayerReport {
            layer: 0,
            f32_error,
            q8_error: 0.0,
        };
        let logits = |mean_kl_divergence| LogitsReport {
            max_abs_error: 0.0,
            mean_kl_divergence,
            same_top_token: 1.0,
        };
        assert_eq!(difference(&[layer(1e-6)], &logits(1e-3)), None);
        assert!(difference(&[layer(f64::NAN)], &logits(1e-3)).is_some());
        assert!(difference(&[layer(1e-6)], &logits(f64::NAN)).is_some());
    }
}
