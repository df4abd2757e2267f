//! `nibble generate`: continues a prompt.

use nibble::backend::BackendChoice;
use nibble::{Error, Generation, GenerationOptions, Sampling, Stats};
use serde::Serialize;

use crate::engine::{BackendArguments, ComputeArguments, ModelArgument, SessionArguments};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::memory::peak_resident_bytes;
use crate::output::Output;
use crate::progress;
use crate::text::{self, SpecialArgument};

/// Continue a prompt. Text appears as it is generated; Ctrl-C ends it cleanly.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,

    /// The prompt [default: standard input].
    #[arg(long)]
    prompt: Option<String>,

    #[command(flatten)]
    special: SpecialArgument,

    /// Tokens to generate at most.
    #[arg(long, default_value_t = 256)]
    max_tokens: usize,

    /// 0 takes the most probable token each time; higher is more varied.
    #[arg(long, default_value_t = 0.0)]
    temperature: f32,

    /// Sample from this many most probable tokens only [default: all].
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    top_k: usize,

    /// Sample from the smallest set of tokens with this probability.
    #[arg(long, default_value_t = 1.0)]
    top_p: f32,

    /// Sample from tokens at least this many times as probable as the best.
    #[arg(long, default_value_t = 0.0)]
    min_p: f32,

    /// Above 1, tokens that came lately are less likely.
    #[arg(long, default_value_t = 1.0)]
    repetition_penalty: f32,

    /// Seed of the random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// End before this text (may be given several times).
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,

    /// Guess up to this many tokens ahead where the text repeats itself: faster there, and the same text.
    #[arg(long, value_name = "TOKENS", default_value_t = 0)]
    prompt_lookup: usize,

    /// Tokens that prompt and continuation may have together [default: 4096 or the model's].
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    context: usize,

    #[command(flatten)]
    backend: BackendArguments,

    #[command(flatten)]
    compute: ComputeArguments,

    #[command(flatten)]
    session: SessionArguments,
}

#[derive(Debug, Serialize)]
struct Report {
    text: String,
    ids: Vec<u32>,
    prompt_ids: Vec<u32>,
    stats: StatsReport,
}

#[derive(Debug, Serialize)]
struct StatsReport {
    prompt_tokens: usize,
    reused_tokens: usize,
    generated_tokens: usize,
    /// With prompt lookup only.
    #[serde(skip_serializing_if = "Option::is_none")]
    guessed_tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_tokens: Option<usize>,
    prefill_tokens_per_second: f64,
    decode_tokens_per_second: f64,
    first_token_ms: f64,
    /// With another backend than the CPU's only: what ran the last pass, and why it is not what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<&'static str>,
    peak_rss_bytes: Option<u64>,
}

impl StatsReport {
    fn new(stats: Stats, has_guessed: bool, has_chosen: bool) -> StatsReport {
        StatsReport {
            prompt_tokens: stats.prompt_tokens,
            reused_tokens: stats.reused_tokens,
            generated_tokens: stats.generated_tokens,
            guessed_tokens: has_guessed.then_some(stats.guessed_tokens),
            accepted_tokens: has_guessed.then_some(stats.accepted_tokens),
            prefill_tokens_per_second: stats.prefill_tokens_per_second(),
            decode_tokens_per_second: stats.decode_tokens_per_second(),
            first_token_ms: stats.first_token_time.as_secs_f64() * 1e3,
            backend: has_chosen.then(|| stats.backend.name()),
            fallback: stats.fallback.map(|cause| cause.name()),
            peak_rss_bytes: peak_resident_bytes(),
        }
    }
}

pub(crate) fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let backend = arguments.backend.choice()?;
    let model = arguments.compute.open_on(backend, &arguments.model, None)?;
    let text = text::given_or_standard_input(arguments.prompt.as_deref())?;
    // Only now: before, a Ctrl-C ends the process as it always does.
    let interrupt = Interrupt::install()?;
    let prompt = model
        .tokenizer()
        .encode_prompt(&text, arguments.special.special_tokens())?;
    let mut session = arguments.session.open(&model, arguments.context)?;
    let options = GenerationOptions {
        max_tokens: arguments.max_tokens,
        sampling: Sampling {
            temperature: arguments.temperature,
            top_k: arguments.top_k,
            top_p: arguments.top_p,
            min_p: arguments.min_p,
            repetition_penalty: arguments.repetition_penalty,
            seed: arguments.seed,
            ..Sampling::default()
        },
        stop: arguments.stop,
        stop_at_end_of_text: true,
        prompt_lookup: arguments.prompt_lookup,
    };
    let mut generation = session.generate(&prompt, options)?;
    interrupt.watch(generation.cancel_handle());

    let (text, ids, ended) = pull(&mut generation, output)?;
    let stats = generation.stats();
    if let Some(fallback) = model.backend().fallback() {
        output.warn(format_args!(
            "the CPU ran the network, candle did not: {}",
            fallback.reason
        ));
    }
    if output.is_json() {
        // What was generated is worth having, whatever ended it.
        if ended.is_ok() || !ids.is_empty() || matches!(ended, Err(Error::Cancelled)) {
            output.object(&Report {
                text,
                ids,
                prompt_ids: prompt,
                stats: StatsReport::new(
                    stats,
                    arguments.prompt_lookup > 0,
                    backend != BackendChoice::Cpu,
                ),
            })?;
        }
    } else {
        output.text("\n")?;
        output.remark(format_args!(
            "{} prompt tokens at {:.1}/s, {} generated at {:.1}/s, first after {:.0} ms",
            stats.prompt_tokens,
            stats.prefill_tokens_per_second(),
            stats.generated_tokens,
            stats.decode_tokens_per_second(),
            stats.first_token_time.as_secs_f64() * 1e3,
        ));
    }
    Ok(ended?)
}

/// Text and tokens up to the end, and what ended them; fails only where the text cannot be shown.
fn pull(
    generation: &mut Generation<'_>,
    output: &Output,
) -> Result<(String, Vec<u32>, nibble::Result<()>), Failure> {
    let spinner = progress::prompt(output, generation.stats().prompt_tokens);
    let (mut text, mut ids) = (String::new(), Vec::new());
    loop {
        let chunk = generation.next();
        spinner.finish_and_clear();
        match chunk {
            Ok(Some(chunk)) => {
                if !output.is_json() {
                    output.text(&chunk.text)?;
                }
                text.push_str(&chunk.text);
                ids.extend(chunk.token);
            }
            Ok(None) => return Ok((text, ids, Ok(()))),
            Err(error) => return Ok((text, ids, Err(error))),
        }
    }
}
