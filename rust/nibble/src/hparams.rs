//! Sizes of the network, read from a model file's metadata and checked against each other.

use nibble_kernels::{Format, MAX_GROUP, MAX_HEAD_DIM};

use crate::gguf::Gguf;
use crate::rope::{Pairing, RopeParameters, RopeScaling};
use crate::{Error, Result};

/// The networks that this engine runs. They differ in how the file stores them, not in the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Llama 2 and 3, SmolLM2 and others: `q`, `k`, `v`, gate and up are tensors of their own, and rotary
    /// pairs are neighbours.
    Llama,
    /// Phi-3 and Phi-4-mini: `q|k|v` and `gate|up` are stacked, and rotary pairs lie half a rotation apart.
    Phi3,
}

impl Architecture {
    /// The value of `general.architecture`.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Llama => "llama",
            Architecture::Phi3 => "phi3",
        }
    }
}

/// Sizes of one network.
#[derive(Debug, Clone)]
pub struct Hparams {
    /// Which network.
    pub architecture: Architecture,
    /// Transformer layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width inside the feed-forward network.
    pub ffn: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` query heads (GQA).
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Tokens that the embedding has a row for.
    pub vocabulary: usize,
    /// Positions that the model may see. Where the file names a sliding window that is shorter than its
    /// context, this is the window: inside it full attention and the window are the same.
    pub context_length: usize,
    /// Added to the mean square in RMSNorm.
    pub rms_epsilon: f32,
    /// The rotary position embedding.
    pub rope: RopeParameters,
}

impl Hparams {
    /// Reads the sizes from `gguf`.
    ///
    /// # Errors
    /// `UnsupportedArchitecture`, `MissingKey`, `InvalidKey`, `Unsupported`, or an error of a tensor that
    /// holds rope factors.
    pub fn from_gguf(gguf: &Gguf) -> Result<Hparams> {
        let metadata = gguf.metadata();
        let architecture = match metadata.string("general.architecture")? {
            "llama" => Architecture::Llama,
            "phi3" => Architecture::Phi3,
            other => {
                return Err(Error::UnsupportedArchitecture {
                    file: gguf.file().to_path_buf(),
                    found: other.to_owned(),
                });
            }
        };
        let arch = architecture.name();
        let key = |name: &str| format!("{arch}.{name}");
        let size = |name: &str, limit: usize| -> Result<usize> {
            let value = metadata.u32(&key(name))? as usize;
            check_range(gguf, &key(name), value, 1, limit)
        };

        if let Some(experts) = metadata.find_u32(&key("expert_count"))?.filter(|&n| n > 0) {
            return Err(unsupported(
                gguf,
                "a mixture of experts",
                experts.to_string(),
            ));
        }

        let layers = size("block_count", 1 << 12)?;
        let hidden = size("embedding_length", 1 << 20)?;
        let ffn = size("feed_forward_length", 1 << 22)?;
        let heads = size("attention.head_count", 1 << 12)?;
        let kv_heads = match metadata.find_u32(&key("attention.head_count_kv"))? {
            Some(n) => check_range(gguf, &key("attention.head_count_kv"), n as usize, 1, heads)?,
            None => heads,
        };
        if !heads.is_multiple_of(kv_heads) {
            return Err(invalid(
                gguf,
                &key("attention.head_count_kv"),
                format!("a divisor of {heads}"),
                kv_heads.to_string(),
            ));
        }
        let group = heads / kv_heads;
        if group > MAX_GROUP {
            let found = format!("{group} of them");
            return Err(unsupported(gguf, "query heads over one KV head", found));
        }
        let head_dim = match metadata.find_u32(&key("attention.key_length"))? {
            Some(n) => n as usize,
            None if hidden.is_multiple_of(heads) => hidden / heads,
            None => {
                return Err(invalid(
                    gguf,
                    &key("attention.head_count"),
                    format!("a divisor of {hidden}"),
                    heads.to_string(),
                ));
            }
        };
        check_range(
            gguf,
            &key("attention.key_length"),
            head_dim,
            2,
            MAX_HEAD_DIM,
        )?;
        if let Some(n) = metadata.find_u32(&key("attention.value_length"))?
            && n as usize != head_dim
        {
            return Err(unsupported(
                gguf,
                "a value length other than the key length",
                n.to_string(),
            ));
        }

        let context = size("context_length", 1 << 24)?;
        let window = metadata
            .find_u32(&key("attention.sliding_window"))?
            .filter(|&n| n > 0);
        let context_length = window.map_or(context, |window| context.min(window as usize));

        let epsilon_key = key("attention.layer_norm_rms_epsilon");
        let rms_epsilon = metadata.f32(&epsilon_key)?;
        if !(rms_epsilon > 0.0 && rms_epsilon < 1.0) {
            return Err(invalid(
                gguf,
                &epsilon_key,
                "0 to 1".to_owned(),
                rms_epsilon.to_string(),
            ));
        }

        let vocabulary = match gguf.tensor("token_embd.weight")?.shape.as_slice() {
            [columns, rows] if *columns == hidden => Some(*rows),
            _ => None,
        }
        .filter(|&rows| u32::try_from(rows).is_ok())
        .ok_or_else(|| Error::InvalidTensor {
            file: gguf.file().to_path_buf(),
            tensor: "token_embd.weight".to_owned(),
            expected: format!("the shape [{hidden}, vocabulary]"),
            found: "another shape".to_owned(),
        })?;

        Ok(Hparams {
            architecture,
            layers,
            hidden,
            ffn,
            heads,
            kv_heads,
            head_dim,
            vocabulary,
            context_length,
            rms_epsilon,
            rope: rope_parameters(gguf, architecture, head_dim, context)?,
        })
    }

    /// Query heads that share one key and value head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}

fn rope_parameters(
    gguf: &Gguf,
    architecture: Architecture,
    head_dim: usize,
    context: usize,
) -> Result<RopeParameters> {
    let metadata = gguf.metadata();
    let key = |name: &str| format!("{}.{name}", architecture.name());

    let dims_key = key("rope.dimension_count");
    let dims = metadata
        .find_u32(&dims_key)?
        .map_or(head_dim, |n| n as usize);
    check_range(gguf, &dims_key, dims, 2, head_dim)?;
    if !dims.is_multiple_of(2) {
        return Err(invalid(
            gguf,
            &dims_key,
            "an even number".to_owned(),
            dims.to_string(),
        ));
    }
    let pairs = dims / 2;

    let theta_key = key("rope.freq_base");
    let theta = metadata.find_f32(&theta_key)?.unwrap_or(10_000.0);
    if !(theta > 1.0 && theta.is_finite()) {
        return Err(invalid(
            gguf,
            &theta_key,
            "a number above 1".to_owned(),
            theta.to_string(),
        ));
    }

    let scaling_type = metadata.find_string(&key("rope.scaling.type"))?;
    match scaling_type {
        Some("none" | "longrope") => {}
        Some(other) => return Err(unsupported(gguf, "rope scaling", other.to_owned())),
        // Then it is linear where there is a factor, which has two names.
        None => {
            for name in ["rope.scaling.factor", "rope.scale_linear"] {
                let factor = metadata.find_f32(&key(name))?;
                if let Some(factor) = factor.filter(|factor| ![0.0, 1.0].contains(factor)) {
                    let found = format!("linear, by {factor}");
                    return Err(unsupported(gguf, "rope scaling", found));
                }
            }
        }
    }

    let short = factors(gguf, "rope_factors_short.weight", pairs)?;
    let long = factors(gguf, "rope_factors_long.weight", pairs)?;
    let divisors = factors(gguf, "rope_freqs.weight", pairs)?;
    let scaling = match (short, long, divisors) {
        (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            let found = "LongRoPE's factors and divisors".to_owned();
            return Err(unsupported(gguf, "rope scaling", found));
        }
        (Some(short), Some(long), None) => {
            let original_key = key("rope.scaling.original_context_length");
            let original = metadata.u32(&original_key)? as usize;
            check_range(gguf, &original_key, original, 2, context)?;
            let attention_key = key("rope.scaling.attn_factor");
            let attention_factor = metadata
                .find_f32(&attention_key)?
                .unwrap_or_else(|| longrope_attention_factor(context, original));
            if !(attention_factor > 0.0 && attention_factor.is_finite()) {
                return Err(invalid(
                    gguf,
                    &attention_key,
                    "a positive number".to_owned(),
                    attention_factor.to_string(),
                ));
            }
            RopeScaling::LongRope {
                short,
                long,
                original_context: original,
                attention_factor,
            }
        }
        (None, None, Some(divisors)) => RopeScaling::Divisors(divisors),
        (None, None, None) if scaling_type != Some("longrope") => RopeScaling::None,
        (Some(_), None, None) => {
            return Err(missing_tensor(gguf, "rope_factors_long.weight"));
        }
        (None, _, None) => {
            return Err(missing_tensor(gguf, "rope_factors_short.weight"));
        }
    };

    let pairing = match architecture {
        Architecture::Llama => Pairing::Interleaved,
        Architecture::Phi3 => Pairing::HalfSplit,
    };
    Ok(RopeParameters {
        dims,
        theta,
        pairing,
        scaling,
    })
}

/// `sqrt(1 + ln(context / original) / ln(original))`, the LongRoPE paper's attention scaling, for files that
/// do not carry the number.
fn longrope_attention_factor(context: usize, original: usize) -> f32 {
    let ratio = context as f64 / original as f64;
    (1.0 + ratio.ln() / (original as f64).ln()).sqrt() as f32
}

/// One factor a rotary pair, each positive.
fn factors(gguf: &Gguf, name: &str, pairs: usize) -> Result<Option<Vec<f32>>> {
    let Some(tensor) = gguf.find_tensor(name)? else {
        return Ok(None);
    };
    let bad = |found: String| Error::InvalidTensor {
        file: gguf.file().to_path_buf(),
        tensor: name.to_owned(),
        expected: format!("{pairs} positive F32 values"),
        found,
    };
    if tensor.format != Format::F32 || tensor.shape != [pairs] {
        return Err(bad(format!(
            "{} of shape {:?}",
            tensor.format.name(),
            tensor.shape
        )));
    }
    let mut values = vec![0.0; pairs];
    nibble_kernels::dequantize(Format::F32, &tensor.bytes, &mut values)?;
    match values
        .iter()
        .find(|value| !(value.is_finite() && **value > 0.0))
    {
        Some(value) => Err(bad(value.to_string())),
        None => Ok(Some(values)),
    }
}

fn check_range(gguf: &Gguf, key: &str, value: usize, low: usize, high: usize) -> Result<usize> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(invalid(
            gguf,
            key,
            format!("{low} to {high}"),
            value.to_string(),
        ))
    }
}

fn invalid(gguf: &Gguf, key: &str, expected: String, found: String) -> Error {
    Error::InvalidKey {
        file: gguf.file().to_path_buf(),
        key: key.to_owned(),
        expected,
        found,
    }
}

fn unsupported(gguf: &Gguf, what: &'static str, found: String) -> Error {
    Error::Unsupported {
        file: gguf.file().to_path_buf(),
        what,
        found,
    }
}

fn missing_tensor(gguf: &Gguf, tensor: &str) -> Error {
    Error::MissingTensor {
        file: gguf.file().to_path_buf(),
        tensor: tensor.to_owned(),
    }
}
