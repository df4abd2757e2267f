//! `nibble tokenize`: text to token ids.

use nibble::Tokenizer;
use nibble::gguf::Gguf;
use serde::Serialize;

use crate::engine::ModelArgument;
use crate::failure::Failure;
use crate::models;
use crate::output::{Output, Table, one_line};
use crate::text::{self, SpecialArgument};

/// Show the tokens of a text. No token for the beginning is added.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,

    /// The text [default: standard input].
    #[arg(long)]
    text: Option<String>,

    #[command(flatten)]
    special: SpecialArgument,
}

#[derive(Debug, Serialize)]
struct Tokens {
    ids: Vec<u32>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    // The weights are of no interest here.
    let gguf = Gguf::open(models::find(&arguments.model.model)?)?;
    let tokenizer = Tokenizer::from_gguf(&gguf)?;
    let text = text::given_or_standard_input(arguments.text.as_deref())?;
    let ids = tokenizer.encode(&text, arguments.special.special_tokens())?;
    if output.is_json() {
        return output.object(&Tokens { ids });
    }
    if ids.is_empty() {
        return Ok(());
    }
    let mut table = Table::default();
    for &id in &ids {
        table.row([&id, &one_line(&tokenizer.decode(&[id])?)]);
    }
    output.line(table)
}
