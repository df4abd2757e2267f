//! `nibble perplexity`: how well a model predicts a text.

use std::path::PathBuf;

use nibble::backend::HeadRows;
use nibble::sampler::log_sum_exp;
use nibble::{CancelHandle, Session, SpecialTokens};
use serde::Serialize;

use crate::engine::{ComputeArguments, ModelArgument, SessionArguments};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress;
use crate::text;

/// Measure how well a model predicts a text.
///
/// The text is cut into windows that do not overlap; in each, the tokens of the second half are scored, so
/// that every one of them has at least half a window before it. What is left at the end is not used.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,

    /// The text, UTF-8.
    #[arg(long)]
    file: PathBuf,

    /// Tokens in a window.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(4..))]
    context: u32,

    #[command(flatten)]
    compute: ComputeArguments,

    #[command(flatten)]
    session: SessionArguments,
}

#[derive(Debug, Serialize)]
struct Report {
    perplexity: f64,
    tokens: usize,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let interrupt = Interrupt::install()?;
    let name = arguments.file.display().to_string();
    let bytes = std::fs::read(&arguments.file).map_err(|source| Failure::Io {
        what: name.clone(),
        source,
    })?;
    let text = text::utf8(bytes, &name)?;
    let model = arguments.compute.open(&arguments.model, None)?;
    let tokenizer = model.tokenizer();
    let window = arguments.context as usize;
    let mut session = arguments.session.open(&model, window)?;

    let ids = tokenizer.encode_prompt(&text, SpecialTokens::AsText)?;
    let bos = tokenizer.bos().filter(|_| tokenizer.add_bos());
    if ids.len() < window {
        return Err(Failure::Input(format!(
            "{name}: {} tokens are fewer than the {window} of one window",
            ids.len()
        )));
    }

    let bar = progress::bar(output, "windows", ids.len() / window);
    let cancel = interrupt.handle();
    let (mut loss, mut tokens) = (0.0, 0);
    for window in ids.chunks_exact(window) {
        let mut window = window.to_vec();
        if let (Some(bos), Some(first)) = (bos, window.first_mut()) {
            *first = bos;
        }
        let (window_loss, scored) = score_second_half(&mut session, &window, &cancel)?;
        loss += window_loss;
        tokens += scored;
        bar.inc(1);
    }
    bar.finish_and_clear();

    let report = Report {
        perplexity: (loss / tokens as f64).exp(),
        tokens,
    };
    if output.is_json() {
        return output.object(&report);
    }
    output.line(format_args!(
        "perplexity {:.4} over {tokens} tokens",
        report.perplexity
    ))
}

/// Sum of the negative log-likelihoods of the tokens behind the middle, and their number. The logits at one
/// position score the token at the next.
fn score_second_half(
    session: &mut Session,
    window: &[u32],
    cancel: &CancelHandle,
) -> Result<(f64, usize), Failure> {
    let positions = window.len() / 2..window.len().saturating_sub(1);
    let heads: Vec<_> = positions
        .clone()
        .map(|position| (position, HeadRows::All))
        .collect();
    let mut loss = 0.0;
    session.prefill_scored(window, &heads, cancel, |position, logits| {
        let target = window
            .get(position + 1)
            .and_then(|&token| logits.get(token as usize));
        loss += target.map_or(f64::NAN, |logit| f64::from(log_sum_exp(logits) - logit));
    })?;
    Ok((loss, heads.len()))
}
