//! Writes a model of architecture `llama` anew as `phi3`, without touching a weight:
//!
//!     cargo run --release -p nibble-testkit --bin llama-to-phi3 -- llama.gguf phi3.gguf

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Parser;
use nibble::gguf::Gguf;
use nibble_testkit::llama_to_phi3;

/// Writes a model of architecture `llama` anew as `phi3`.
#[derive(Parser)]
struct Arguments {
    /// The model.
    model: PathBuf,
    /// The file to write.
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let model = Gguf::open(&arguments.model)?;
    let out = BufWriter::new(File::create(&arguments.out)?);
    llama_to_phi3::repackage(&model, out)?.flush()?;
    Ok(())
}
