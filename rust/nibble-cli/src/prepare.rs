//! `nibble prepare`: writes a model in the order that the fast kernels want, and back.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::ProgressBar;
use nibble::prepared::{self, Preparation, PreparationOptions, Progress, Restoration};
use nibble::{CancelHandle, Error};
use nibble_kernels::InstructionSet;
use nibble_keyboard::Lexicon;
use serde::Serialize;

use crate::engine::ModelArgument;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::models;
use crate::output::{Output, bytes};
use crate::progress;
use crate::typing::lexicon_file;

/// Write a model as the fast kernels want it, beside the file, where every command then finds it.
///
/// The prepared file is about as large, and the original can be deleted: `--restore` writes it again, bit for bit.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,

    /// Write to this file [default: beside the model, `.nibble.gguf` in place of `.gguf`].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// The instruction set of the CPU that the file is for; it runs on every other, too [default: this CPU's].
    #[arg(long = "for", value_name = "SET", value_parser = instruction_sets())]
    target: Option<InstructionSet>,

    /// A lexicon to put into the file: a file, or a language such as `de` that was installed; one for each language. A
    /// keyboard finds them there.
    #[arg(long = "lexicon", value_name = "LEXICON")]
    lexicons: Vec<PathBuf>,

    /// Write the file that the prepared model MODEL was made from to this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "target", "lexicons"])]
    restore: Option<PathBuf>,
}

/// Instruction sets by name. All but the portable reference have the same layout today.
fn instruction_sets() -> impl TypedValueParser<Value = InstructionSet> {
    let names = InstructionSet::ALL.map(InstructionSet::name);
    PossibleValuesParser::new(names).try_map(|name| {
        let mut sets = InstructionSet::ALL.into_iter();
        sets.find(|set| set.name() == name).ok_or("no such set")
    })
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    file: &'a Path,
    bytes: u64,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let interrupt = Interrupt::install()?;
    let cancel = interrupt.handle();
    let model = models::find(&arguments.model.model)?;
    let written = match &arguments.restore {
        Some(restored) => {
            let mut work = Restoration::new(&prepared::find(&model), restored)?;
            finish(output, "restoring", &cancel, || work.step())?;
            restored.clone()
        }
        None => {
            let out = arguments.out.clone();
            let out = out.unwrap_or_else(|| prepared::destination(&model));
            let mut work = Preparation::new(&model, &out, arguments.options()?)?;
            finish(output, "preparing", &cancel, || work.step())?;
            out
        }
    };
    let size = std::fs::metadata(&written).map_or(0, |metadata| metadata.len());
    if output.is_json() {
        return output.object(&Report {
            file: &written,
            bytes: size,
        });
    }
    output.line(format_args!("{}: {}", written.display(), bytes(size)))
}

impl Arguments {
    fn options(&self) -> Result<PreparationOptions, Failure> {
        let mut options = PreparationOptions::default();
        options.instruction_set = self.target.unwrap_or(options.instruction_set);
        for name in &self.lexicons {
            let file = lexicon_file(name);
            match Lexicon::attachment(&file) {
                Ok(attachment) => options.attachments.push(attachment),
                Err(source) => return Err(Failure::of_lexicon(&file, source)),
            }
        }
        Ok(options)
    }
}

/// Works until the file is there, or the user has enough.
fn finish(
    output: &Output,
    what: &'static str,
    cancel: &CancelHandle,
    mut step: impl FnMut() -> Result<Option<Progress>, Error>,
) -> Result<(), Failure> {
    let mut bar: Option<ProgressBar> = None;
    while let Some(Progress { done, total }) = step()? {
        let bar = bar.get_or_insert_with(|| progress::bytes(output, what, total));
        bar.set_position(done);
        if cancel.is_cancelled() {
            bar.finish_and_clear();
            return Err(Error::Cancelled.into());
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(())
}
