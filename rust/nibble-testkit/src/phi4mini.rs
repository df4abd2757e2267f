//! A model with exactly Phi-4-mini-instruct's shape, metadata, tokenizer and tensor types, and random
//! weights: what the real one needs of memory and time, without its 2.5 GB of download.

use std::io::Write;

use nibble::Result;
use nibble::gguf::{Format, TensorWriter, Writer};

use crate::random_weights::{self, Random};
use crate::tiktoken;

/// Which of the published files' mixes of tensor types to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantization {
    /// `Q4_K_M`: embedding and every third `ffn_down` (and the first and last eighth) Q6_K, `attn_qkv`
    /// Q5_K, the other matrices Q4_K.
    Q4KM,
    /// `Q4_0`: embedding Q6_K, the other matrices Q4_0.
    Q4_0,
}

/// The sizes of the model. The default is Phi-4-mini's.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Decoder layers.
    pub layers: usize,
    /// Width of the residual stream; a multiple of 256 and of `heads`.
    pub hidden: usize,
    /// Width of the feed-forward layer; a multiple of 256.
    pub ffn: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Tensor types.
    pub quantization: Quantization,
    /// The weights follow from it.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            layers: 32,
            hidden: 3072,
            ffn: 8192,
            heads: 24,
            kv_heads: 8,
            quantization: Quantization::Q4KM,
            seed: 1,
        }
    }
}

impl Shape {
    /// One narrow layer: some 50 MB, nearly all of it the embedding, which needs its rows.
    pub fn small() -> Self {
        Shape {
            layers: 1,
            hidden: 256,
            ffn: 256,
            heads: 8,
            kv_heads: 1,
            ..Shape::default()
        }
    }

    fn head_dim(&self) -> usize {
        self.hidden / self.heads
    }

    /// Dimensions of a head that rotate: three quarters.
    fn rotary_dim(&self) -> usize {
        self.head_dim() * 3 / 4
    }
}

const CONTEXT: u32 = 131_072;
const ORIGINAL_CONTEXT: u32 = 4096;
const VOCABULARY: usize = 200_064;
const END_OF_TEXT: u32 = 199_999;

const SPECIAL: [(u32, &str); 12] = [
    (END_OF_TEXT, "<|endoftext|>"),
    (200_018, "<|endofprompt|>"),
    (200_019, "<|assistant|>"),
    (200_020, "<|end|>"),
    (200_021, "<|user|>"),
    (200_022, "<|system|>"),
    (200_023, "<|tool|>"),
    (200_024, "<|/tool|>"),
    (200_025, "<|tool_call|>"),
    (200_026, "<|/tool_call|>"),
    (200_027, "<|tool_response|>"),
    (200_028, "<|tag|>"),
];

const CHAT_TEMPLATE: &str = "{% for message in messages %}\
    {% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}\
    {{ '<|' + message['role'] + '|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}\
    {% else %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}";

/// LongRoPE's factors beyond the original context, one for each of the 48 frequencies.
#[allow(clippy::excessive_precision, reason = "as published")]
const LONG_FACTORS: [f32; 48] = [
    1.0,
    1.118320672,
    1.250641126,
    1.398617824,
    1.564103225,
    1.74916897,
    1.956131817,
    2.187582649,
    2.446418898,
    2.735880826,
    3.059592084,
    3.421605075,
    3.826451687,
    4.279200023,
    4.785517845,
    5.351743533,
    5.984965424,
    6.693110555,
    7.485043894,
    8.370679318,
    9.36110372,
    10.4687158,
    11.70738129,
    13.09260651,
    14.64173252,
    16.37415215,
    18.31155283,
    20.47818807,
    22.90118105,
    25.61086418,
    28.64115884,
    32.03,
    32.1,
    32.13,
    32.23,
    32.6,
    32.61,
    32.64,
    32.66,
    32.7,
    32.71,
    32.93,
    32.97,
    33.28,
    33.49,
    33.5,
    44.16,
    47.77,
];

/// Writes the model to `out` in parts of a few hundred kilobytes and returns `out`.
///
/// # Errors
/// [`nibble::Error::Io`] if `out` fails; [`nibble::Error::InvalidArgument`] for a size that is no
/// multiple of a block.
///
/// # Panics
/// If the heads do not divide the width.
pub fn write<W: Write>(out: W, shape: &Shape) -> Result<W> {
    assert!(shape.hidden.is_multiple_of(shape.heads), "{shape:?}");
    let mut header = Writer::new("synthetic-phi4mini.gguf");
    network_metadata(&mut header, shape)?;
    tokenizer_metadata(&mut header)?;
    let tensors = tensors(shape);
    for tensor in &tensors {
        header.tensor(&tensor.name, tensor.format, &tensor.dimensions)?;
    }
    let mut data = header.begin(out)?;
    let mut random = Random::new(shape.seed);
    for tensor in &tensors {
        tensor.write(&mut data, &mut random)?;
    }
    data.finish()
}

fn network_metadata(header: &mut Writer, shape: &Shape) -> Result<()> {
    header.string("general.architecture", "phi3")?;
    header.string("general.type", "model")?;
    header.string("general.name", "Phi 4 Mini Instruct (synthetic)")?;
    header.string("general.finetune", "instruct")?;
    header.string("general.basename", "Phi-4")?;
    header.string("general.size_label", "mini")?;
    header.string("general.license", "mit")?;
    header.strings("general.tags", &["nlp", "code", "text-generation"])?;
    header.strings("general.languages", &["multilingual"])?;
    header.u32("general.quantization_version", 2)?;
    let file_type = match shape.quantization {
        Quantization::Q4KM => 15,
        Quantization::Q4_0 => 2,
    };
    header.u32("general.file_type", file_type)?;

    let stretch = f64::from(CONTEXT) / f64::from(ORIGINAL_CONTEXT);
    let attention_factor = (1.0 + stretch.ln() / f64::from(ORIGINAL_CONTEXT).ln()).sqrt();
    header.u32("phi3.context_length", CONTEXT)?;
    header.u32(
        "phi3.rope.scaling.original_context_length",
        ORIGINAL_CONTEXT,
    )?;
    header.f32("phi3.rope.scaling.attn_factor", attention_factor as f32)?;
    header.u32("phi3.rope.dimension_count", shape.rotary_dim() as u32)?;
    header.f32("phi3.rope.freq_base", 10_000.0)?;
    header.u32("phi3.embedding_length", shape.hidden as u32)?;
    header.u32("phi3.feed_forward_length", shape.ffn as u32)?;
    header.u32("phi3.block_count", shape.layers as u32)?;
    header.u32("phi3.attention.head_count", shape.heads as u32)?;
    header.u32("phi3.attention.head_count_kv", shape.kv_heads as u32)?;
    header.f32("phi3.attention.layer_norm_rms_epsilon", 1e-5)?;
    header.u32("phi3.attention.sliding_window", 262_144)
}

/// Adds the keys of Phi-4-mini's tokenizer: the whole vocabulary of 200,064 tokens.
///
/// # Errors
/// [`nibble::Error::InvalidArgument`] if one of them was added before.
pub fn tokenizer_metadata(header: &mut Writer) -> Result<()> {
    let tokens = tiktoken::o200k().tokens();
    let merges = tiktoken::merges(&tokens);

    const NORMAL: i32 = 1;
    const CONTROL: i32 = 3;
    const UNUSED: i32 = 5;
    let mut texts: Vec<String> = tokens.iter().map(|token| tiktoken::spell(token)).collect();
    let mut types = vec![NORMAL; texts.len()];
    texts.extend((texts.len()..VOCABULARY).map(|id| format!("[PAD{id}]")));
    types.resize(VOCABULARY, UNUSED);
    for (id, text) in SPECIAL {
        texts[id as usize] = text.to_owned();
        types[id as usize] = CONTROL;
    }

    header.string("tokenizer.ggml.model", "gpt2")?;
    header.string("tokenizer.ggml.pre", "gpt-4o")?;
    header.strings("tokenizer.ggml.tokens", &texts)?;
    header.i32s("tokenizer.ggml.token_type", &types)?;
    header.strings("tokenizer.ggml.merges", &merges)?;
    for key in ["bos", "eos", "unknown", "padding"] {
        header.u32(&format!("tokenizer.ggml.{key}_token_id"), END_OF_TEXT)?;
    }
    header.bool("tokenizer.ggml.add_bos_token", false)?;
    header.bool("tokenizer.ggml.add_eos_token", false)?;
    header.string("tokenizer.chat_template", CHAT_TEMPLATE)
}

struct Tensor {
    name: String,
    format: Format,
    /// Innermost first.
    dimensions: Vec<usize>,
    weights: Weights,
}

enum Weights {
    /// Random ones of this deviation from zero.
    Random { deviation: f32 },
    /// Random ones around 1.
    Gains,
    /// These.
    Exactly(Vec<f32>),
}

impl Tensor {
    /// A matrix whose outputs deviate `gain` times as much from zero as its inputs.
    fn matrix(name: String, format: Format, columns: usize, rows: usize, gain: f32) -> Self {
        let deviation = gain / (columns as f32).sqrt();
        Tensor {
            name,
            format,
            dimensions: vec![columns, rows],
            weights: Weights::Random { deviation },
        }
    }

    fn norm(name: String, width: usize) -> Self {
        Tensor {
            name,
            format: Format::F32,
            dimensions: vec![width],
            weights: Weights::Gains,
        }
    }

    fn factors(name: &str, factors: Vec<f32>) -> Self {
        Tensor {
            name: name.to_owned(),
            format: Format::F32,
            dimensions: vec![factors.len()],
            weights: Weights::Exactly(factors),
        }
    }

    fn write<W: Write>(&self, data: &mut TensorWriter<W>, random: &mut Random) -> Result<()> {
        let mut floats = |values: &[f32]| {
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            data.write(&self.name, &bytes)
        };
        match &self.weights {
            Weights::Exactly(values) => floats(values),
            Weights::Gains => floats(&random_weights::gains(self.dimensions[0], random)),
            Weights::Random { deviation } => {
                let elements: usize = self.dimensions.iter().product();
                let mut missing = elements / self.format.block_len() * self.format.block_bytes();
                let mut part = vec![0; 2048 * self.format.block_bytes()];
                while missing > 0 {
                    let length = missing.min(part.len());
                    let bytes = &mut part[..length];
                    random_weights::fill(self.format, *deviation, random, bytes);
                    data.write(&self.name, bytes)?;
                    missing -= length;
                }
                Ok(())
            }
        }
    }
}

fn tensors(shape: &Shape) -> Vec<Tensor> {
    let (hidden, ffn) = (shape.hidden, shape.ffn);
    let qkv_rows = (shape.heads + 2 * shape.kv_heads) * shape.head_dim();
    let mut tensors = vec![Tensor {
        name: "token_embd.weight".to_owned(),
        format: Format::Q6K,
        dimensions: vec![hidden, VOCABULARY],
        weights: Weights::Random { deviation: 0.02 },
    }];
    for layer in 0..shape.layers {
        let (qkv, down, other) = match shape.quantization {
            Quantization::Q4_0 => (Format::Q4_0, Format::Q4_0, Format::Q4_0),
            Quantization::Q4KM if is_sensitive(layer, shape.layers) => {
                (Format::Q5K, Format::Q6K, Format::Q4K)
            }
            Quantization::Q4KM => (Format::Q5K, Format::Q4K, Format::Q4K),
        };
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        // What is added to the residual stream is kept small, so that it does not explode.
        tensors.extend([
            Tensor::norm(name("attn_norm"), hidden),
            Tensor::matrix(name("attn_qkv"), qkv, hidden, qkv_rows, 1.0),
            Tensor::matrix(name("attn_output"), other, hidden, hidden, 0.5),
            Tensor::norm(name("ffn_norm"), hidden),
            Tensor::matrix(name("ffn_up"), other, hidden, 2 * ffn, 1.0),
            Tensor::matrix(name("ffn_down"), down, ffn, hidden, 0.5),
        ]);
    }
    let frequencies = shape.rotary_dim() / 2;
    tensors.extend([
        Tensor::norm("output_norm.weight".to_owned(), hidden),
        Tensor::factors("rope_factors_long.weight", long_factors(frequencies)),
        Tensor::factors("rope_factors_short.weight", vec![1.0; frequencies]),
    ]);
    tensors
}

/// Whether the Q4_K_M mix gives more bits to a layer: the first and the last eighth, and every third
/// between them.
fn is_sensitive(layer: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}

/// Phi-4-mini's factors, stretched or squeezed to another number of frequencies.
fn long_factors(frequencies: usize) -> Vec<f32> {
    let last = (LONG_FACTORS.len() - 1) as f32;
    (0..frequencies)
        .map(|index| {
            let place = index as f32 * last / (frequencies.max(2) - 1) as f32;
            let below = LONG_FACTORS[place as usize];
            let above = LONG_FACTORS[(place as usize + 1).min(LONG_FACTORS.len() - 1)];
            below + (above - below) * place.fract()
        })
        .collect()
}
