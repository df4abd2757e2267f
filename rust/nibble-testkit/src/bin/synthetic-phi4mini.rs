//! Writes a model with Phi-4-mini's shape and tokenizer and random weights. At full size:
//!
//!     cargo run --release -p nibble-testkit --bin synthetic-phi4mini -- phi4mini.gguf

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use nibble_testkit::phi4mini::{self, Quantization, Shape};

/// Writes a model with Phi-4-mini's shape, metadata and tokenizer and random weights.
#[derive(Parser)]
struct Arguments {
    /// The file to write.
    out: PathBuf,
    /// Mix of tensor types.
    #[arg(long = "type", value_enum, default_value = "q4_k_m")]
    quantization: Type,
    /// Decoder layers.
    #[arg(long, default_value_t = Shape::default().layers)]
    layers: usize,
    /// Width; a multiple of 256 and of the heads.
    #[arg(long, default_value_t = Shape::default().hidden)]
    hidden: usize,
    /// Width of the feed-forward layers; a multiple of 256.
    #[arg(long, default_value_t = Shape::default().ffn)]
    ffn: usize,
    /// Query heads.
    #[arg(long, default_value_t = Shape::default().heads)]
    heads: usize,
    /// Key and value heads.
    #[arg(long, default_value_t = Shape::default().kv_heads)]
    kv_heads: usize,
    /// The weights follow from it.
    #[arg(long, default_value_t = Shape::default().seed)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Type {
    #[value(name = "q4_k_m")]
    Q4KM,
    #[value(name = "q4_0")]
    Q4_0,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let shape = Shape {
        layers: arguments.layers,
        hidden: arguments.hidden,
        ffn: arguments.ffn,
        heads: arguments.heads,
        kv_heads: arguments.kv_heads,
        quantization: match arguments.quantization {
            Type::Q4KM => Quantization::Q4KM,
            Type::Q4_0 => Quantization::Q4_0,
        },
        seed: arguments.seed,
    };
    phi4mini::write(File::create(&arguments.out)?, &shape)?;
    Ok(())
}
