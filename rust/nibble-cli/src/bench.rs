//! `nibble bench`: speed of prefill and decode, and how soon work stops when it is cancelled.

use std::time::{Duration, Instant};

use nibble::{CancelHandle, Error, RopePolicy, Session, SessionOptions};
use serde::Serialize;

use crate::engine::{BackendArguments, ComputeArguments, ModelArgument, SessionArguments};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::memory::peak_resident_bytes;
use crate::output::{Output, Table, bytes};
use crate::progress;
use crate::quantile::quantile;

/// Measure how fast a model reads a prompt (prefill), generates (decode) and stops.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,

    /// Tokens of the prompt; 0 measures no prefill.
    #[arg(long, default_value_t = 512)]
    pp: usize,

    /// Tokens to generate; 0 measures no decode.
    #[arg(long, default_value_t = 64)]
    tg: usize,

    /// Tokens that the cache holds before either begins.
    #[arg(long, default_value_t = 0)]
    depth: usize,

    /// How often work is cancelled at a random moment, half in prefill, half in decode; 0 measures no abort.
    #[arg(long, default_value_t = 0)]
    aborts: usize,

    /// How often each is measured; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: u16,

    #[command(flatten)]
    compute: ComputeArguments,

    #[command(flatten)]
    backend: BackendArguments,

    #[command(flatten)]
    session: SessionArguments,
}

#[derive(Debug, Serialize)]
struct Report {
    pp: usize,
    tg: usize,
    depth: usize,
    /// What ran the network; candle chooses threads and instructions by itself.
    backend: &'static str,
    threads: usize,
    instruction_set: &'static str,
    /// Medians; `null` for what was not measured.
    prefill_tokens_per_second: Option<f64>,
    decode_tokens_per_second: Option<f64>,
    /// Each repetition, slowest first.
    prefill_samples: Vec<f64>,
    decode_samples: Vec<f64>,
    /// From the call of `cancel` to the return of the cancelled call; `null` for what was not measured.
    abort_p50_ms: Option<f64>,
    abort_p95_ms: Option<f64>,
    model_bytes: u64,
    peak_rss_bytes: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let interrupt = Interrupt::install()?;
    let cancel = interrupt.handle();
    let backend = arguments.backend.choice()?;
    let model = arguments.compute.open_on(backend, &arguments.model, None)?;
    let Arguments { pp, tg, depth, .. } = *arguments;
    let repetitions = usize::from(arguments.repetitions);
    // At least two, for the warm-up.
    let context = depth.saturating_add(pp.max(tg)).max(2);
    let options = SessionOptions {
        // A text that outgrew LongRoPE's short set would be computed anew in the middle of a measurement.
        rope_policy: RopePolicy::Planned(context),
        ..arguments.session.options(context)
    };
    let mut session = Session::new(model.clone(), options)?;

    // Any tokens do: the work does not depend on them.
    let vocabulary = model.tokenizer().vocabulary_size() as u64;
    let token = |position: u64| (position.wrapping_mul(2_654_435_761) % vocabulary.max(1)) as u32;
    let tokens: Vec<u32> = (0..context as u64).map(token).collect();
    let upto = |len: usize| tokens.get(..len).unwrap_or_default();

    let steps = usize::from(pp > 0) + usize::from(tg > 0);
    let bar = progress::bar(output, "measuring", steps * repetitions + 1);
    // Touches every page of the file and fills the cache up to the depth.
    session.prefill(upto(2), &cancel)?;
    if depth > 0 {
        session.prefill(upto(depth), &cancel)?;
    }
    bar.inc(1);

    let (mut prefill_samples, mut decode_samples) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        if pp > 0 {
            prefill_samples.push(measure(&mut session, upto(depth + pp), depth, pp, &cancel)?);
            bar.inc(1);
        }
    }
    for _ in 0..repetitions {
        if tg > 0 {
            decode_samples.push(measure(&mut session, upto(depth + tg), depth, 1, &cancel)?);
            bar.inc(1);
        }
    }
    let mut aborts = Vec::new();
    for index in 0..arguments.aborts {
        let tokens = upto(if index % 2 == 0 { pp.max(1) } else { 1 });
        aborts.extend(abort(&mut session, tokens, index, &cancel)?);
    }
    bar.finish_and_clear();
    if let Some(fallback) = model.backend().fallback() {
        // Times of another backend than the one that was asked for mean nothing.
        return Err(Failure::Engine(Error::Backend {
            backend: "chosen",
            reason: fallback.reason,
        }));
    }

    let report = Report {
        pp,
        tg,
        depth,
        backend: model.backend().kind().name(),
        threads: model.backend().cpu().threads(),
        instruction_set: model.backend().cpu().kernels().instruction_set().name(),
        prefill_tokens_per_second: quantile(&mut prefill_samples, 0.5),
        decode_tokens_per_second: quantile(&mut decode_samples, 0.5),
        prefill_samples,
        decode_samples,
        abort_p50_ms: quantile(&mut aborts, 0.5),
        abort_p95_ms: quantile(&mut aborts, 0.95),
        model_bytes: model.gguf().size_bytes(),
        peak_rss_bytes: peak_resident_bytes(),
    };
    if output.is_json() {
        output.object(&report)
    } else {
        output.line(table(&report))
    }
}

/// Tokens a second from `depth` on, `step` tokens at a time.
fn measure(
    session: &mut Session,
    tokens: &[u32],
    depth: usize,
    step: usize,
    cancel: &CancelHandle,
) -> Result<f64, Failure> {
    session.truncate(depth);
    let mut time = Duration::ZERO;
    let count = tokens.len().saturating_sub(depth);
    for end in (depth + step..=tokens.len()).step_by(step) {
        let start = Instant::now();
        session.prefill(tokens.get(..end).unwrap_or_default(), cancel)?;
        time += start.elapsed();
    }
    Ok(count as f64 / time.as_secs_f64())
}

/// Milliseconds from cancelling the prefill of `tokens` to its return, or `None` where it was done before.
/// `index` decides the moment, anywhere in the time that the work takes undisturbed.
fn abort(
    session: &mut Session,
    tokens: &[u32],
    index: usize,
    interrupt: &CancelHandle,
) -> Result<Option<f64>, Failure> {
    session.truncate(0);
    let start = Instant::now();
    session.prefill(tokens, interrupt)?;
    // Multiples of the golden ratio fill the interval evenly.
    let delay = start.elapsed().mul_f64((index as f64 * 0.618_034).fract());

    session.truncate(0);
    let cancel = CancelHandle::new();
    let remote = cancel.clone();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(delay);
        let called = Instant::now();
        remote.cancel();
        called
    });
    let result = session.prefill(tokens, &cancel);
    let returned = Instant::now();
    let called = canceller.join().ok();
    match result {
        Err(nibble::Error::Cancelled) => {
            Ok(called.map(|called| returned.duration_since(called).as_secs_f64() * 1e3))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(None),
    }
}

fn table(report: &Report) -> Table {
    let mut table = Table::default();
    let speed = |median: Option<f64>, samples: &[f64]| match (median, samples) {
        (Some(median), [slowest, .., fastest]) => {
            format!("{median:.1} tokens/s ({slowest:.1} to {fastest:.1})")
        }
        (Some(median), _) => format!("{median:.1} tokens/s"),
        (None, _) => "not measured".to_owned(),
    };
    let Report {
        pp,
        tg,
        depth,
        backend,
        threads,
        instruction_set,
        ..
    } = report;
    let prefill = speed(report.prefill_tokens_per_second, &report.prefill_samples);
    let decode = speed(report.decode_tokens_per_second, &report.decode_samples);
    table.row([
        &"computing with",
        &match *backend {
            "cpu" => format!("{threads} threads, {instruction_set}"),
            other => format!("{other}, with threads of its own"),
        },
    ]);
    table.row([&format!("prefill of {pp} at depth {depth}"), &prefill]);
    table.row([&format!("decode of {tg} at depth {depth}"), &decode]);
    if let (Some(p50), Some(p95)) = (report.abort_p50_ms, report.abort_p95_ms) {
        table.row([&"abort", &format!("p50 {p50:.2} ms, p95 {p95:.2} ms")]);
    }
    let peak = report
        .peak_rss_bytes
        .map_or_else(|| "unknown".to_owned(), bytes);
    table.row([
        &"peak memory",
        &format!("{peak}, with a file of {}", bytes(report.model_bytes)),
    ]);
    table
}
