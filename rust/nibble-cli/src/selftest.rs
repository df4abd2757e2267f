//! `nibble selftest`: the fast kernels against the portable ones on a real file.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indicatif::ProgressBar;
use nibble::backend::{HeadRows, Precision, Scratch, SequenceInput};
use nibble::sampler::kl_divergence;
use nibble::{KvCache, KvFormat, Model, SpecialTokens};
use nibble_kernels::Kernels;
use serde::Serialize;

use crate::engine::{ComputeArguments, ModelArgument};
use crate::failure::Failure;
use crate::output::{Output, Table};
use crate::progress;

/// Compare the kernels that this processor uses with the portable ones, layer by layer.
///
/// The reference is portable code with f32 activations. The fast kernels run with each form of activations:
/// with f32 they must agree closely, with 16 and 8 bits within the error of that rounding.
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

/// A form of activations, and how far it may be from the reference.
struct Check {
    name: &'static str,
    precision: Precision,
    /// Relative error of a token's residual stream after a layer.
    max_layer_error: f64,
    /// Mean KL divergence of the next-token distributions.
    max_divergence: f64,
}

/// Other orders of summation differ by about 1e-5 after all layers, rounding to 8 bits by about 0.1 and to 16
/// bits by a tenth of that or less, a wrong kernel by about 1.
const CHECKS: [Check; 3] = [
    Check {
        name: "f32",
        precision: Precision::F32,
        max_layer_error: 1e-3,
        max_divergence: 1e-6,
    },
    Check {
        name: "q16",
        precision: Precision::Q16,
        max_layer_error: 0.01,
        max_divergence: 1e-4,
    },
    Check {
        name: "q8",
        precision: Precision::Q8,
        max_layer_error: 0.3,
        max_divergence: 0.02,
    },
];

/// Distributions are compared at every eighth token: the head is a large part of the work.
const HEAD_STEP: usize = 8;

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    tokens: usize,
    instruction_set: &'static str,
    checks: Vec<CheckReport>,
}

#[derive(Debug, Serialize)]
struct CheckReport {
    activations: &'static str,
    ok: bool,
    /// Largest relative error of a token's residual stream: after the embedding, then after each layer.
    layer_errors: Vec<f64>,
    max_logit_error: f64,
    mean_kl_divergence: f64,
    /// Part of the compared positions whose most probable token is the reference's.
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
    let sentence = fast
        .tokenizer()
        .encode_prompt(TEXT, SpecialTokens::AsText)?;
    let tokens: Vec<u32> = sentence.iter().copied().cycle().take(wanted).collect();

    let passes = CHECKS.len() + 1;
    let bar = progress::bar(output, "layers", passes * (fast.hparams().layers + 1));
    let expected = trace(&reference, &tokens, Precision::F32, &bar)?;
    let checks = CHECKS
        .iter()
        .map(|check| {
            let found = trace(&fast, &tokens, check.precision, &bar)?;
            Ok(compare(check, &found, &expected, fast.hparams().hidden))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    bar.finish_and_clear();

    let report = Report {
        ok: checks.iter().all(|check| check.ok),
        tokens: tokens.len(),
        instruction_set: fast.backend().cpu().kernels().instruction_set().name(),
        checks,
    };
    if output.is_json() {
        output.object(&report)?
    } else {
        show(&report, output)?
    }
    match report.checks.iter().find(|check| !check.ok) {
        None => Ok(()),
        Some(failed) => Err(Failure::SelfTest(format!(
            "the {} kernels with {} activations are too far from the portable ones",
            report.instruction_set, failed.activations
        ))),
    }
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

fn compare(check: &Check, found: &Trace, expected: &Trace, hidden: usize) -> CheckReport {
    let layers = found.layers.iter().zip(&expected.layers);
    let layer_errors: Vec<f64> = layers
        .map(|(found, expected)| largest_relative_error(found, expected, hidden))
        .collect();
    let logits = || found.logits.iter().zip(&expected.logits);
    let differences = logits()
        .flat_map(|(found, expected)| found.iter().zip(expected))
        .map(|(found, expected)| f64::from((found - expected).abs()));
    let positions = expected.logits.len().max(1) as f64;
    let same = logits()
        .filter(|(found, expected)| best(found) == best(expected))
        .count();
    let divergences = logits().map(|(found, expected)| kl_divergence(expected, found));
    let mean_kl_divergence = divergences.sum::<f64>() / positions;
    CheckReport {
        activations: check.name,
        // What is not a number is not below the limit.
        ok: largest(layer_errors.iter().copied()) <= check.max_layer_error
            && mean_kl_divergence <= check.max_divergence,
        layer_errors,
        max_logit_error: largest(differences),
        mean_kl_divergence,
        same_top_token: same as f64 / positions,
    }
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
        checks,
        ..
    } = report;
    output.line(format_args!(
        "{instruction_set} kernels against portable ones with f32 activations, {tokens} tokens\n"
    ))?;
    let mut table = Table::default();
    let mut row = |name: &str, cell: &dyn Fn(&CheckReport) -> String| {
        table.push(
            std::iter::once(name.to_owned())
                .chain(checks.iter().map(cell))
                .collect(),
        );
    };
    row("ACTIVATIONS", &|check| check.activations.to_owned());
    let layers = checks.first().map_or(0, |check| check.layer_errors.len());
    for layer in 0..layers {
        let name = if layer == 0 {
            "embedding".to_owned()
        } else {
            format!("layer {layer}")
        };
        row(&name, &|check| {
            check
                .layer_errors
                .get(layer)
                .map_or_else(String::new, |error| format!("{error:.1e}"))
        });
    }
    row("logits", &|check| format!("{:.1e}", check.max_logit_error));
    row("KL divergence", &|check| {
        format!("{:.1e}", check.mean_kl_divergence)
    });
    row("same best token", &|check| {
        format!("{:.0} %", 100.0 * check.same_top_token)
    });
    row("", &|check| {
        if check.ok {
            "ok".to_owned()
        } else {
            "FAILED".to_owned()
        }
    });
    output.line(table)
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
    }

    #[test]
    fn a_check_fails_on_what_is_too_far_or_no_number() {
        let [check, ..] = &CHECKS;
        let trace = |residual: f32, logit: f32| Trace {
            layers: vec![vec![1.0, residual]],
            logits: vec![vec![0.0, logit]],
        };
        let expected = trace(1.0, 1.0);
        let ok = |residual, logit| compare(check, &trace(residual, logit), &expected, 2).ok;
        assert!(ok(1.0, 1.0) && ok(1.0001, 1.0));
        assert!(!ok(1.1, 1.0) && !ok(1.0, 1.1));
        assert!(!ok(f32::NAN, 1.0) && !ok(1.0, f32::NAN));
    }
}
