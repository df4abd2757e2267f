//! `nibble eval`: measuring the typing engine on text, reproducibly.

mod autocorrect;
mod decode_steps;
mod measures;
mod perfect_user;
mod plots;
mod predictor;
mod report;
mod sentences;
mod shell;
mod typing;

use serde::{Deserialize, Serialize};

use self::autocorrect::AutocorrectMeasures;
use self::measures::Measures;
use crate::failure::Failure;
use crate::output::Output;

/// Measure the typing engine on text.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Typing(typing::Arguments),
    Autocorrect(autocorrect::Arguments),
    Report(report::Arguments),
}

/// One line of results.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "measure", rename_all = "snake_case")]
enum Outcome {
    Typing(Measures),
    Autocorrect(AutocorrectMeasures),
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    match &arguments.what {
        What::Typing(arguments) => typing::run(arguments, output),
        What::Autocorrect(arguments) => autocorrect::run(arguments, output),
        What::Report(arguments) => report::run(arguments, output),
    }
}
