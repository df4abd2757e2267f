//! `nibble inspect`: what a model file says about itself, and whether this engine runs it.

use std::collections::BTreeMap;
use std::path::Path;

use nibble::gguf::{Gguf, Layout, Metadata, Value};
use nibble::hparams::Hparams;
use nibble::prepared::Attachment;
use nibble::rope::RopeScaling;
use nibble::{KvFormat, Model, ModelOptions};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::engine::ModelArgument;
use crate::failure::Failure;
use crate::models;
use crate::output::{Output, Table, bytes};

/// Show what a model file holds.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArgument,

    /// List every tensor (JSON always does).
    #[arg(long)]
    tensors: bool,
}

/// Arrays of metadata with more values are only counted: vocabularies are of no use in a listing.
const LISTED_VALUES: usize = 64;

#[derive(Debug, Serialize)]
struct Report {
    file: String,
    bytes: u64,
    gguf_version: u32,
    alignment: u64,
    name: Option<String>,
    architecture: Option<String>,
    /// Layout of the matrices of a prepared file.
    prepared: Option<&'static str>,
    /// What a prepared file holds beside the model, such as lexicons.
    attachments: Vec<AttachmentReport>,
    parameters: u64,
    /// Whether this engine runs the model.
    runs: bool,
    /// Why it does not.
    reason: Option<String>,
    network: Option<Network>,
    tokenizer: Option<TokenizerReport>,
    /// Bytes of KV cache that one token takes, by format.
    kv_cache_bytes_per_token: BTreeMap<&'static str, u64>,
    metadata: Map<String, Json>,
    tensors: Vec<TensorReport>,
}

#[derive(Debug, Serialize)]
struct Network {
    layers: usize,
    hidden: usize,
    ffn: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    vocabulary: usize,
    context_length: usize,
    rope_dimensions: usize,
    rope_theta: f32,
    rope_scaling: &'static str,
    original_context_length: Option<usize>,
}

#[derive(Debug, Serialize)]
struct TokenizerReport {
    pre_tokenizer: Option<String>,
    tokens: usize,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
}

#[derive(Debug, Serialize)]
struct AttachmentReport {
    name: String,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct TensorReport {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    shape: Vec<usize>,
    offset: u64,
    bytes: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let file = models::find(&arguments.model.model)?;
    let gguf = Gguf::open(&file)?;
    let report = report(&gguf, &file)?;
    if output.is_json() {
        return output.object(&report);
    }
    show(&report, gguf.metadata(), arguments.tensors, output)
}

fn report(gguf: &Gguf, file: &Path) -> Result<Report, Failure> {
    let metadata = gguf.metadata();
    let string = |key: &str| match metadata.get(key) {
        Some(Value::String(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    let model = Model::open(
        file,
        &ModelOptions {
            threads: 1,
            ignore_prepared: true,
            ..ModelOptions::default()
        },
    );
    let opened = model.as_ref().ok();
    let kv_bytes = |format: KvFormat| {
        Some((
            format.format().name(),
            opened?.kv_bytes_per_position(format).ok()?,
        ))
    };
    let listed = |tensor: &nibble::gguf::TensorInfo| TensorReport {
        name: tensor.name.clone(),
        kind: tensor.kind_name(),
        shape: tensor.shape.clone(),
        offset: tensor.offset,
        bytes: tensor.size_bytes,
    };
    let has_strips = gguf.tensors().any(|tensor| tensor.layout == Layout::Strips);
    let layout = if has_strips { "interleaved" } else { "rows" };
    let attachments = gguf.attachments()?;
    let attached = |attachment: &Attachment| AttachmentReport {
        name: attachment.name.clone(),
        bytes: attachment.bytes.len() as u64,
    };
    Ok(Report {
        file: file.to_string_lossy().into_owned(),
        bytes: gguf.size_bytes(),
        gguf_version: gguf.version(),
        alignment: gguf.alignment(),
        name: string("general.name"),
        prepared: gguf.prepared_source().map(|_| layout),
        attachments: attachments.iter().map(attached).collect(),
        architecture: string("general.architecture"),
        parameters: gguf.tensors().map(|tensor| tensor.elements() as u64).sum(),
        runs: opened.is_some(),
        reason: model.as_ref().err().map(ToString::to_string),
        network: opened.map(|model| network(model.hparams())),
        tokenizer: opened.map(|model| {
            let tokenizer = model.tokenizer();
            TokenizerReport {
                pre_tokenizer: string("tokenizer.ggml.pre"),
                tokens: tokenizer.vocabulary_size(),
                bos: tokenizer.bos(),
                eos: tokenizer.eos(),
                add_bos: tokenizer.add_bos(),
            }
        }),
        kv_cache_bytes_per_token: [KvFormat::F32, KvFormat::F16, KvFormat::Q8_0]
            .into_iter()
            .filter_map(kv_bytes)
            .collect(),
        metadata: metadata
            .iter()
            .map(|(key, value)| (key.to_owned(), to_json(value)))
            .collect(),
        tensors: gguf.tensors().map(listed).collect(),
    })
}

fn network(hparams: &Hparams) -> Network {
    let (rope_scaling, original_context_length) = match &hparams.rope.scaling {
        RopeScaling::None => ("none", None),
        RopeScaling::Divisors(_) => ("llama3", None),
        RopeScaling::LongRope {
            original_context, ..
        } => ("longrope", Some(*original_context)),
    };
    Network {
        layers: hparams.layers,
        hidden: hparams.hidden,
        ffn: hparams.ffn,
        heads: hparams.heads,
        kv_heads: hparams.kv_heads,
        head_dim: hparams.head_dim,
        vocabulary: hparams.vocabulary,
        context_length: hparams.context_length,
        rope_dimensions: hparams.rope.dims,
        rope_theta: hparams.rope.theta,
        rope_scaling,
        original_context_length,
    }
}

/// Numbers that JSON has no form for become `null`, text that is not UTF-8 is mended.
fn to_json(value: Value<'_>) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::F32(value) => json!(value),
        Value::F64(value) => json!(value),
        Value::String(bytes) => json!(String::from_utf8_lossy(bytes)),
        Value::Array(array) if array.len() <= LISTED_VALUES => array.iter().map(to_json).collect(),
        Value::Array(array) => {
            json!({ "array_of": array.element_type().name(), "length": array.len() })
        }
        integer => {
            let integer = integer
                .to_integer()
                .and_then(|integer| i64::try_from(integer).ok());
            // Only integers above 2^63 are left.
            integer.map_or_else(
                || json!(value.to_integer().map(|it| it as u64)),
                |it| json!(it),
            )
        }
    }
}

fn show(
    report: &Report,
    metadata: &Metadata,
    every_tensor: bool,
    output: &Output,
) -> Result<(), Failure> {
    let mut table = Table::default();
    table.row([
        &"file",
        &format!(
            "{} ({}, GGUF {})",
            report.file,
            bytes(report.bytes),
            report.gguf_version
        ),
    ]);
    table.row([&"name", &report.name.as_deref().unwrap_or("none")]);
    let parameters = report.parameters as f64 / 1e6;
    let architecture = report
        .architecture
        .as_deref()
        .unwrap_or("unknown architecture");
    table.row([
        &"network",
        &format!("{architecture}, {parameters:.1} million parameters"),
    ]);
    if let Some(network) = &report.network {
        let Network {
            layers,
            hidden,
            ffn,
            heads,
            kv_heads,
            head_dim,
            ..
        } = network;
        table.row([
            &"",
            &format!(
                "{layers} layers, hidden {hidden}, feed-forward {ffn}, {heads} heads of {head_dim} over {kv_heads} KV heads"
            ),
        ]);
        table.row([&"context", &format!("{} tokens", network.context_length)]);
    }
    if let Some(tokenizer) = &report.tokenizer {
        let pre = tokenizer.pre_tokenizer.as_deref().unwrap_or("none");
        table.row([
            &"tokenizer",
            &format!("{} tokens, pre-tokenizer {pre}", tokenizer.tokens),
        ]);
    }
    for (format, size) in &report.kv_cache_bytes_per_token {
        table.row([
            &format!("KV cache {format}"),
            &format!("{} a token", bytes(*size)),
        ]);
    }
    for attachment in &report.attachments {
        table.row([&attachment.name, &bytes(attachment.bytes)]);
    }
    match &report.reason {
        None => table.row([&"runs", &"yes"]),
        Some(reason) => table.row([&"runs", &format!("no: {reason}")]),
    }
    output.line(table)?;

    output.line("\nTENSORS")?;
    output.line(if every_tensor {
        list_tensors(report)
    } else {
        count_tensors(report)
    })?;

    let mut table = Table::default();
    for (key, value) in metadata.iter() {
        table.row([&key, &value]);
    }
    output.line("\nMETADATA")?;
    output.line(table)
}

fn list_tensors(report: &Report) -> Table {
    let mut table = Table::default();
    for tensor in &report.tensors {
        let size = tensor.bytes.map_or_else(|| "?".to_owned(), bytes);
        table.row([
            &tensor.name,
            &tensor.kind,
            &size,
            &format!("{:?}", tensor.shape),
        ]);
    }
    table
}

fn count_tensors(report: &Report) -> Table {
    let mut kinds: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for tensor in &report.tensors {
        let (count, total) = kinds.entry(&tensor.kind).or_default();
        *count += 1;
        *total += tensor.bytes.unwrap_or_default();
    }
    let mut table = Table::default();
    for (kind, (count, total)) in kinds {
        table.row([&kind, &count, &bytes(total)]);
    }
    table
}
