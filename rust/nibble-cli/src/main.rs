//! The `nibble` command.

mod backends;
mod bench;
mod candidates;
mod completions;
mod demo;
mod engine;
mod eval;
mod failure;
mod generate;
mod inspect;
mod interrupt;
mod lexicon;
mod manual;
mod memory;
mod models;
mod output;
mod perplexity;
mod prepare;
mod progress;
mod quantile;
mod selftest;
mod suggest;
mod text;
mod tokenize;
mod type_keyboard;
mod typing;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::output::Output;

/// Runs small language models on this machine.
#[derive(Parser)]
#[command(name = "nibble", version, arg_required_else_help = true)]
struct Cli {
    /// Write results and errors as JSON, one object a line.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Inspect(inspect::Arguments),
    Tokenize(tokenize::Arguments),
    Generate(generate::Arguments),
    Candidates(candidates::Arguments),
    Perplexity(perplexity::Arguments),
    Prepare(prepare::Arguments),
    Bench(bench::Arguments),
    Backends(backends::Arguments),
    Selftest(selftest::Arguments),
    Demo(demo::Arguments),
    Suggest(suggest::Arguments),
    Type(Box<type_keyboard::Arguments>),
    Lexicon(lexicon::Arguments),
    Eval(Box<eval::Arguments>),
    Completions(completions::Arguments),
    Manual(manual::Arguments),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::report_usage(&error),
    };
    let output = Output::new(cli.json);
    match run(cli.command, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(cli.json),
    }
}

fn run(command: Command, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Inspect(arguments) => inspect::run(&arguments, output),
        Command::Tokenize(arguments) => tokenize::run(&arguments, output),
        Command::Generate(arguments) => generate::run(arguments, output),
        Command::Candidates(arguments) => candidates::run(&arguments, output),
        Command::Perplexity(arguments) => perplexity::run(&arguments, output),
        Command::Prepare(arguments) => prepare::run(&arguments, output),
        Command::Bench(arguments) => bench::run(&arguments, output),
        Command::Backends(arguments) => backends::run(&arguments, output),
        Command::Selftest(arguments) => selftest::run(&arguments, output),
        Command::Demo(arguments) => demo::run(&arguments, output),
        Command::Suggest(arguments) => suggest::run(&arguments, output),
        Command::Type(arguments) => type_keyboard::run(&arguments, output),
        Command::Lexicon(arguments) => lexicon::run(&arguments, output),
        Command::Eval(arguments) => eval::run(&arguments, output),
        Command::Completions(arguments) => completions::run(&arguments, output),
        Command::Manual(arguments) => manual::run(&arguments),
    }
}
