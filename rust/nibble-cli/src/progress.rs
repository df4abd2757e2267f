//! Progress of long work, shown only on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// Prompts of fewer tokens are read before anybody would look for a sign of life.
const LONG_PROMPT: usize = 256;

/// A bar of `steps` steps, labelled `what`. It is drawn when a step is done and at no other time: it may
/// stand beside a measurement.
pub(crate) fn bar(output: &Output, what: &'static str, steps: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps as u64), target(output));
    style(&bar, "{msg} {bar:32} {pos}/{len}, {eta} left");
    bar.set_message(what);
    bar
}

/// A bar of `total` bytes, labelled `what`.
pub(crate) fn bytes(output: &Output, what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), target(output));
    style(&bar, "{msg} {bar:32} {bytes}/{total_bytes}, {eta} left");
    bar.set_message(what);
    bar
}

/// A sign of life while a prompt of `tokens` is read; nothing for a short one.
pub(crate) fn prompt(output: &Output, tokens: usize) -> ProgressBar {
    if tokens < LONG_PROMPT {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::with_draw_target(None, target(output));
    style(&spinner, "{spinner} reading {msg} tokens, {elapsed}");
    spinner.set_message(tokens.to_string());
    if output.is_watched() {
        spinner.enable_steady_tick(Duration::from_millis(100));
    }
    spinner
}

/// Standard error hides a bar by itself where it is no terminal.
fn target(output: &Output) -> ProgressDrawTarget {
    if output.is_json() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    }
}

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}
