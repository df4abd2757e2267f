//! `nibble eval`: measuring the typing engine on text, reproducibly.

mod measures;
mod perfect_user;
mod predictor;
mod sentences;
mod shell;
mod typing;

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
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    match &arguments.what {
        What::Typing(arguments) => typing::run(arguments, output),
    }
}
