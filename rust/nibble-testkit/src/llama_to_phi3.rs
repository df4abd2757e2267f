//! A real model of architecture `phi3`: a `llama` one, repackaged without touching a weight.
//!
//! `phi3` is `llama` with the query, key and value matrices stacked into `attn_qkv`, gate and up into
//! `ffn_up`, and with half-split instead of interleaved rotation, for which GGUF keeps the query and key
//! rows in another order. Formats quantize row by row, so rows can be moved and stacked as they are.

use std::io::Write;

use nibble::gguf::{Format, Gguf, Tensor, Writer};
use nibble::{Error, Result};

/// Writes the model `src`, of architecture `llama`, to `out` as `phi3` and returns `out`.
///
/// # Errors
/// [`Error::UnsupportedArchitecture`] if it is not `llama`; [`Error::Unsupported`] for RoPE scaling, which
/// `phi3` expresses otherwise; [`Error::InvalidTensor`] if matrices to be stacked differ in format, as they
/// do in mixes such as Q4_K_M; those of reading and writing GGUF.
pub fn repackage<W: Write>(src: &Gguf, out: W) -> Result<W> {
    let mut header = Writer::new("repackaged.gguf");
    copy_metadata(src, &mut header)?;
    let tensors = Repackager::new(src)?.tensors()?;
    for tensor in &tensors {
        header.tensor(&tensor.name, tensor.format, &tensor.shape)?;
    }
    let mut data = header.begin(out)?;
    for tensor in &tensors {
        data.write(&tensor.name, &tensor.bytes)?;
    }
    data.finish()
}

fn copy_metadata(src: &Gguf, header: &mut Writer) -> Result<()> {
    let architecture = src.metadata().string("general.architecture")?;
    if architecture != "llama" {
        return Err(Error::UnsupportedArchitecture {
            file: src.file().to_path_buf(),
            found: architecture.to_owned(),
        });
    }
    header.string("general.architecture", "phi3")?;
    for (key, value) in src.metadata().iter() {
        match (key, key.strip_prefix("llama.")) {
            ("general.architecture" | "general.alignment", _) => {}
            (_, Some(name)) => header.value(&format!("phi3.{name}"), value)?,
            (_, None) => header.value(key, value)?,
        }
    }
    Ok(())
}

/// A tensor of the new file.
struct Repackaged {
    name: String,
    format: Format,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

struct Repackager<'a> {
    src: &'a Gguf,
    heads: usize,
    kv_heads: usize,
}

impl<'a> Repackager<'a> {
    fn new(src: &'a Gguf) -> Result<Self> {
        let metadata = src.metadata();
        if src.find_tensor("rope_freqs.weight")?.is_some() {
            return Err(Error::Unsupported {
                file: src.file().to_path_buf(),
                what: "repackaging of RoPE scaling",
                found: "rope_freqs.weight".to_owned(),
            });
        }
        Ok(Repackager {
            src,
            heads: metadata.u32("llama.attention.head_count")? as usize,
            kv_heads: metadata.u32("llama.attention.head_count_kv")? as usize,
        })
    }

    fn tensors(&self) -> Result<Vec<Repackaged>> {
        let mut tensors = Vec::new();
        for info in self.src.tensors() {
            let name = info.name.as_str();
            let read = |part: &str, sibling: &str| self.src.tensor(&name.replace(part, sibling));
            if name.ends_with("attn_q.weight") {
                let q = read("attn_q", "attn_q")?;
                let k = read("attn_q", "attn_k")?;
                let v = read("attn_q", "attn_v")?;
                let rows = [half_split(&q, self.heads), half_split(&k, self.kv_heads)].concat();
                let rows = [&rows, &*v.bytes].concat();
                let name = name.replace("attn_q", "attn_qkv");
                tensors.push(self.stacked(name, &[q, k, v], rows)?);
            } else if name.ends_with("ffn_gate.weight") {
                let gate = read("ffn_gate", "ffn_gate")?;
                let up = read("ffn_gate", "ffn_up")?;
                let rows = [&*gate.bytes, &*up.bytes].concat();
                tensors.push(self.stacked(
                    name.replace("ffn_gate", "ffn_up"),
                    &[gate, up],
                    rows,
                )?);
            } else if !["attn_k.weight", "attn_v.weight", "ffn_up.weight"]
                .iter()
                .any(|stacked| name.ends_with(stacked))
            {
                let tensor = self.src.tensor(name)?;
                tensors.push(Repackaged {
                    name: tensor.name,
                    format: tensor.format,
                    shape: tensor.shape,
                    bytes: tensor.bytes.to_vec(),
                });
            }
        }
        Ok(tensors)
    }

    /// The tensor `name` made of the `rows` of all `parts`.
    fn stacked(&self, name: String, parts: &[Tensor], rows: Vec<u8>) -> Result<Repackaged> {
        let first = &parts[0];
        for part in parts {
            if (part.format, part.columns()) != (first.format, first.columns()) {
                return Err(Error::InvalidTensor {
                    file: self.src.file().to_path_buf(),
                    tensor: part.name.clone(),
                    expected: format!("{} columns of {}", first.columns(), first.format),
                    found: format!("{} of {}", part.columns(), part.format),
                });
            }
        }
        Ok(Repackaged {
            name,
            format: first.format,
            shape: vec![first.columns(), parts.iter().map(Tensor::rows).sum()],
            bytes: rows,
        })
    }
}

/// The rows of each head in the order of half-split rotation, where row `i` rotates with row `i` of the
/// other half; in `tensor` the two are neighbours.
fn half_split(tensor: &Tensor, heads: usize) -> Vec<u8> {
    let row_bytes = tensor.bytes.len() / tensor.rows();
    tensor
        .bytes
        .chunks_exact(tensor.rows() / heads * row_bytes)
        .flat_map(|head| {
            let row = |index: usize| &head[index * row_bytes..(index + 1) * row_bytes];
            let rows = head.len() / row_bytes;
            let first_half = (0..rows).step_by(2).map(row);
            first_half
                .chain((1..rows).step_by(2).map(row))
                .collect::<Vec<_>>()
        })
        .flatten()
        .copied()
        .collect()
}
