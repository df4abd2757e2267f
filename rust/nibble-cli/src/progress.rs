//! Progress of long work, shown only on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

const TICK: Duration = Duration::from_millis(100);

/// A bar of `steps` steps, labelled `what`.
pub(crate) fn bar(output: &Output, what: &'static str, steps: usize) -> ProgressBar {
    const TEMPLATE: &str = "{msg} {bar:32} {pos}/{len}, {eta} left";
    show(
        output,
        ProgressBar::with_draw_target(Some(steps as u64), target(output)),
        TEMPLATE,
        what,
    )
}

/// A sign of life for work whose end cannot be foreseen.
pub(crate) fn spinner(output: &Output, what: &'static str) -> ProgressBar {
    const TEMPLATE: &str = "{spinner} {msg}, {elapsed}";
    show(
        output,
        ProgressBar::with_draw_target(None, target(output)),
        TEMPLATE,
        what,
    )
}

fn target(output: &Output) -> ProgressDrawTarget {
    // Standard error hides the bar by itself where it is no terminal.
    if output.is_json() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    }
}

fn show(output: &Output, bar: ProgressBar, template: &str, what: &'static str) -> ProgressBar {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    if output.is_watched() {
        bar.enable_steady_tick(TICK);
    }
    bar
}
