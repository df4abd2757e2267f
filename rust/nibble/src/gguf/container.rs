//! The container of a prepared model: a GGUF file whose tensors lie as kernels want them, and which holds the header of the
//! file that it was made of, byte for byte. See [`crate::prepared`].
//!
//! Its `general.architecture` is `nibble.` and the source's, so that no other reader takes permuted blocks for plain
//! ones. What is read from it is the inner header; only the places of the data come from the outer directory.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use nibble_kernels::{Layout, can_interleave};

use super::metadata::Metadata;
use super::parse::{Contents, DirectoryEntry, Header, read_header};
use super::tensor::TensorInfo;
use super::token_rows::{TOKEN_TENSORS, TokenRows};
use super::value::{Value, ValueType};
use crate::{Error, Result, SharedBytes};

/// Begins the architecture of a prepared file.
pub(crate) const ARCHITECTURE_PREFIX: &str = "nibble.";
/// How rows are interleaved; see [`nibble_kernels::interleave()`].
pub(crate) const LAYOUT_KEY: &str = "nibble.layout";
/// The only layout so far: the tensors of [`INTERLEAVED_KEY`] in strips of sixteen rows, the rows of
/// tokens in the order of [`TOKENS_KEY`], and the tokenizer's tables.
pub(crate) const LAYOUT: &str = "strips-16x4-tables";
/// The token of each row of embedding and head.
pub(crate) const TOKENS_KEY: &str = "nibble.tokens";
/// The row of each token.
pub(crate) const ROWS_KEY: &str = "nibble.rows";
/// Names of the interleaved tensors.
pub(crate) const INTERLEAVED_KEY: &str = "nibble.interleaved";
/// Header, metadata and directory of the source.
pub(crate) const HEADER_KEY: &str = "nibble.source.header";
/// Bytes of the source.
pub(crate) const LENGTH_KEY: &str = "nibble.source.length";
/// SHA-256 of the source, in hexadecimal.
pub(crate) const SHA256_KEY: &str = "nibble.source.sha256";
/// Begins the keys of attachments.
pub(crate) const ATTACHMENT_PREFIX: &str = "nibble.attachment.";

/// Bytes that a prepared model carries for somebody else.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// What they are found by; each name is there once.
    pub name: String,
    /// The bytes, where they lie.
    pub bytes: SharedBytes,
}

/// The file that a prepared one was made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PreparedSource {
    /// Its length in bytes.
    pub length: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// Where each tensor began in it, in the order of its directory.
    pub(crate) offsets: Vec<u64>,
    /// The order of the rows of tokens.
    pub(crate) token_rows: TokenRows,
    /// The container's own metadata.
    pub(crate) container: Arc<Metadata>,
}

impl PreparedSource {
    /// What the prepared file carries, by name.
    ///
    /// # Errors
    /// `InvalidKey` for one that is no array of bytes.
    pub(crate) fn attachments(&self) -> Result<Vec<Attachment>> {
        let keys = self.container.iter().map(|(key, _)| key);
        keys.filter_map(|key| Some((key, key.strip_prefix(ATTACHMENT_PREFIX)?)))
            .map(|(key, name)| {
                Ok(Attachment {
                    name: name.to_owned(),
                    bytes: self.container.shared_bytes(key)?,
                })
            })
            .collect()
    }
}

/// The model in the container, or the contents as they are if they are no container.
pub(super) fn unwrap(outer: Contents) -> Result<Contents> {
    let Some(layout) = outer.metadata.find_string(LAYOUT_KEY)? else {
        return Ok(outer);
    };
    if layout != LAYOUT {
        return Err(Error::Unsupported {
            file: outer.mapping.file().to_path_buf(),
            what: "layout of a prepared model",
            found: layout.to_owned(),
        });
    }
    let tokens = outer.metadata.shared_u32s(TOKENS_KEY)?;
    let token_rows = TokenRows::new(tokens, outer.metadata.shared_u32s(ROWS_KEY)?)
        .ok_or_else(|| outer.metadata.invalid(TOKENS_KEY, "every token once"))?;
    let architecture = outer.metadata.string("general.architecture")?;
    let Some(architecture) = architecture.strip_prefix(ARCHITECTURE_PREFIX) else {
        let expected = format!("a name that begins with {ARCHITECTURE_PREFIX:?}");
        return Err(outer.metadata.invalid("general.architecture", &expected));
    };
    let interleaved = outer.metadata.strings(INTERLEAVED_KEY)?;
    let interleaved: HashSet<&str> = interleaved.collect::<Result<_>>()?;
    let length = outer.metadata.u64(LENGTH_KEY)?;
    let sha256 = outer.metadata.string(SHA256_KEY)?.to_owned();

    let range = match outer.metadata.get(HEADER_KEY) {
        Some(Value::Array(bytes)) if bytes.element_type() == ValueType::U8 => bytes.range(),
        _ => return Err(outer.metadata.invalid(HEADER_KEY, "an array of bytes")),
    };
    let header = read_header(&outer.mapping, range.start, range.end)?;
    if header.end != range.end || header.metadata.string("general.architecture")? != architecture {
        let expected = format!("one header of the architecture {architecture:?}");
        return Err(outer.metadata.invalid(HEADER_KEY, &expected));
    }
    let names: HashSet<&str> = header.entries.iter().map(|entry| entry.name).collect();
    if !interleaved.is_subset(&names) {
        let expected = "names of the source's tensors";
        return Err(outer.metadata.invalid(INTERLEAVED_KEY, expected));
    }
    let offsets = source_offsets(&header, range.len() as u64);
    let placed: HashMap<&str, &TensorInfo> = outer
        .tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect();
    let tensors: Vec<TensorInfo> = header
        .entries
        .iter()
        .map(|entry| {
            let placed = placed.get(entry.name).copied();
            place(
                entry,
                placed,
                interleaved.contains(entry.name),
                outer.mapping.file(),
            )
        })
        .collect::<Result<_>>()?;
    if !places_fit(&offsets, &tensors, range.len() as u64, length) {
        let expected = "tensors one behind the other in a file of that many bytes";
        return Err(outer.metadata.invalid(LENGTH_KEY, expected));
    }
    let of_tokens = |tensor: &&TensorInfo| TOKEN_TENSORS.contains(&tensor.name.as_str());
    let fits = |tensor: &TensorInfo| matches!(tensor.shape.as_slice(), [_, rows] if *rows == token_rows.tokens().len());
    if !tensors.iter().filter(of_tokens).all(fits) {
        let expected = "a token for each row of the embedding and the head";
        return Err(outer.metadata.invalid(TOKENS_KEY, expected));
    }
    Ok(Contents {
        version: header.version,
        alignment: header.alignment,
        metadata: header.metadata,
        tensors,
        header: range,
        source: Some(PreparedSource {
            length,
            sha256,
            offsets,
            token_rows,
            container: Arc::new(outer.metadata),
        }),
        mapping: outer.mapping,
    })
}

fn source_offsets(header: &Header<'_>, header_bytes: u64) -> Vec<u64> {
    let section = header_bytes.checked_next_multiple_of(header.alignment);
    let section = section.unwrap_or(u64::MAX);
    let entries = header.entries.iter();
    entries
        .map(|entry| section.saturating_add(entry.offset))
        .collect()
}

/// Whether the source's tensors, which begin at `offsets`, lie behind its header of `start` bytes, one behind the other, in
/// `length` bytes: otherwise it could not be written.
fn places_fit(offsets: &[u64], tensors: &[TensorInfo], start: u64, length: u64) -> bool {
    let sizes = tensors.iter().map(|tensor| tensor.size_bytes.unwrap_or(1));
    let mut places: Vec<(u64, u64)> = offsets.iter().copied().zip(sizes).collect();
    places.sort_unstable();
    let end = places.into_iter().try_fold(start, |end, (offset, size)| {
        offset.checked_add(size).filter(|_| end <= offset)
    });
    end.is_some_and(|end| end <= length)
}

/// A tensor of the inner directory, with its data where the outer directory says.
fn place(
    entry: &DirectoryEntry<'_>,
    placed: Option<&TensorInfo>,
    is_interleaved: bool,
    file: &Path,
) -> Result<TensorInfo> {
    let same = |tensor: &&TensorInfo| tensor.kind == entry.kind && tensor.shape == entry.shape;
    let Some(placed) = placed.filter(same) else {
        return Err(Error::Malformed {
            file: file.to_path_buf(),
            what: format!("tensor {:?} of the source", entry.name),
            offset: entry.position as u64,
            expected: "the same shape and type as in the container".to_owned(),
            found: match placed {
                Some(tensor) => format!("{:?} of {}", tensor.shape, tensor.kind_name()),
                None => "no such tensor".to_owned(),
            },
        });
    };
    let fits = || {
        let rows = super::parse::elements(placed.shape.get(1..).unwrap_or_default());
        let format = placed.format.zip(rows);
        format.is_some_and(|(format, rows)| can_interleave(format, rows))
    };
    if is_interleaved && !fits() {
        return Err(Error::InvalidTensor {
            file: file.to_path_buf(),
            tensor: entry.name.to_owned(),
            expected: "rows that can be interleaved".to_owned(),
            found: format!("{:?} of {}", placed.shape, placed.kind_name()),
        });
    }
    Ok(TensorInfo {
        layout: if is_interleaved {
            Layout::Strips
        } else {
            Layout::Rows
        },
        ..placed.clone()
    })
}
