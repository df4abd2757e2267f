//! GGUF model files: mapped, checked, viewed without copying.
//!
//! ```no_run
//! # fn main() -> nibble::Result<()> {
//! use nibble::gguf::Gguf;
//!
//! let model = Gguf::open("model.gguf")?;
//! let architecture = model.metadata().string("general.architecture")?;
//! let embedding = model.tensor("token_embd.weight")?;
//! assert_eq!(embedding.columns(), model.metadata().u32("llama.embedding_length")? as usize);
//! # Ok(())
//! # }
//! ```
//!
//! Opening a file reads its header, metadata and tensor directory, and checks every length, offset and
//! type in them against the file; it does not touch the tensor data. A damaged or hostile file gives an
//! error that says where, never a panic, and takes memory and time in proportion to the bytes that it
//! really has, whatever lengths it claims.
//! Versions 2 and 3 of the format are read, little-endian.
//!
//! Stricter than the specification: every key and tensor name occurs once, tensors have 1 to 4
//! dimensions and at least one element, and their data do not overlap. More lenient: tensors may come in
//! any order with any gaps, types that the engine cannot compute with are listed and fail only when they
//! are asked for.
//!
//! # Files that change while they are mapped
//!
//! The map reads the file itself, so a file must not be written to while a model is open. Replace models
//! by renaming a new file over the old one: the map then keeps the old contents. Otherwise:
//!
//! - **The file is cut short** (Linux, Android, Apple systems): the first access to a page behind the new
//!   end raises `SIGBUS`, which ends the process; no library can turn that into an error without taking
//!   over the process's signal handlers. [`Gguf::check_unchanged`] sees that the file is shorter and
//!   returns [`Error::FileChanged`]; callers ask it before they start work on the weights. That
//!   narrows the window and does not close it. Windows does not let a mapped file be cut short.
//! - **The file is overwritten in place**: results are garbage. Nothing in this module relies on bytes
//!   staying as they were when they were checked, so that is all.
//!
//! A model inside an installed application package, or in an application's private storage, is safe
//! from others.

#![deny(clippy::arithmetic_side_effects)]

pub(crate) mod container;
mod cursor;
mod ggml_type;
mod metadata;
mod parse;
mod split;
mod tensor;
pub(crate) mod token_rows;
mod u32s;
mod value;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

pub use nibble_kernels::{Format, Layout};

pub use container::{Attachment, PreparedSource};
pub use metadata::Metadata;
pub use tensor::{Tensor, TensorInfo};
pub use u32s::U32s;
pub use value::{Array, Strings, Value, ValueType, Values};
pub use writer::{TensorWriter, Writer};

use crate::mapping::{Mapping, SharedBytes};
use crate::{Error, Result};
use parse::Contents;

/// An open model: one GGUF file, or all files of a split one.
#[derive(Debug)]
pub struct Gguf {
    /// One per file, in order; never empty.
    mappings: Vec<Arc<Mapping>>,
    version: u32,
    alignment: u64,
    metadata: Metadata,
    /// In the order of the files.
    tensors: Vec<TensorInfo>,
    /// Indices of `tensors`, sorted by name.
    by_name: Vec<usize>,
    /// Header, metadata and directory in the first file.
    header: Range<usize>,
    source: Option<PreparedSource>,
}

impl Gguf {
    /// Maps the file at `path`. If it is a part of a split model (`-00001-of-00003.gguf`, any part), maps
    /// the other parts beside it too.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be opened, with the name of that file; [`Error::NotGguf`],
    /// [`Error::UnsupportedVersion`], [`Error::Truncated`] and [`Error::Malformed`] for what is in it;
    /// [`Error::InvalidKey`] also if the parts of a split model do not belong together.
    pub fn open(path: impl AsRef<Path>) -> Result<Gguf> {
        Gguf::join(split::open_all(path.as_ref())?)
    }

    /// Maps `length` bytes from byte `offset` of an open file: a model that lies uncompressed inside
    /// another file, such as an Android package. `offset` may be any number. All offsets in the result
    /// and in errors count from the start of this window; `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`Gguf::open`]; [`Error::Truncated`] if the window does not lie in the file;
    /// [`Error::Unsupported`] for a part of a split model, whose other parts cannot be found.
    #[cfg(unix)]
    pub fn open_fd(
        descriptor: std::os::fd::OwnedFd,
        offset: u64,
        length: u64,
        name: &Path,
    ) -> Result<Gguf> {
        let mapping = Mapping::open_window(descriptor.into(), offset, length, name)?;
        Gguf::single(mapping)
    }

    /// Reads a model that is in memory; `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`Gguf::open_fd`], except for those of opening and mapping.
    pub fn from_bytes(bytes: Vec<u8>, name: &Path) -> Result<Gguf> {
        Gguf::single(Mapping::from_bytes(bytes, name))
    }

    fn single(mapping: Mapping) -> Result<Gguf> {
        let contents = parse::parse(mapping)?;
        split::reject_split(&contents)?;
        Gguf::join(vec![contents])
    }

    fn join(shards: Vec<Contents>) -> Result<Gguf> {
        let mut mappings = Vec::new();
        let mut tensors = Vec::new();
        let mut first = None;
        for (index, shard) in shards.into_iter().enumerate() {
            mappings.push(shard.mapping);
            tensors.extend(shard.tensors.into_iter().map(|tensor| TensorInfo {
                shard: index,
                ..tensor
            }));
            first.get_or_insert((
                shard.version,
                shard.alignment,
                shard.metadata,
                shard.header,
                shard.source,
            ));
        }
        let (version, alignment, metadata, header, source) =
            first.ok_or_else(|| Error::Internal {
                what: "a model of no files".to_owned(),
            })?;
        let model = Gguf {
            by_name: sorted_by_name(&tensors),
            mappings,
            version,
            alignment,
            metadata,
            tensors,
            header,
            source,
        };
        model.check_names_differ()?;
        log::debug!(
            "opened a GGUF model: version {version}, {} files, {} bytes, {} keys, {} tensors",
            model.mappings.len(),
            model.size_bytes(),
            model.metadata.len(),
            model.tensors.len()
        );
        Ok(model)
    }

    fn check_names_differ(&self) -> Result<()> {
        let mut previous: Option<&TensorInfo> = None;
        for tensor in self.by_name.iter().filter_map(|&at| self.tensors.get(at)) {
            if let Some(first) = previous.filter(|first| first.name == tensor.name) {
                return Err(Error::Malformed {
                    file: self.file_of(tensor).to_path_buf(),
                    what: format!("tensor {:?}", tensor.name),
                    offset: tensor.offset,
                    expected: "each name once".to_owned(),
                    found: format!(
                        "it again, first at byte {} of {}",
                        first.offset,
                        self.file_of(first).display()
                    ),
                });
            }
            previous = Some(tensor);
        }
        Ok(())
    }

    /// The file that was opened (the first one, of a split model), or the name that was given.
    pub fn file(&self) -> &Path {
        self.mappings
            .first()
            .map_or(Path::new(""), |mapping| mapping.file())
    }

    /// Version of the format: 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Bytes of the file, or of all files of a split model.
    pub fn size_bytes(&self) -> u64 {
        self.mappings.iter().fold(0, |sum: u64, mapping| {
            sum.saturating_add(mapping.bytes().len() as u64)
        })
    }

    /// What tensor data are aligned to in the file (the first one, of a split model), in bytes.
    pub fn alignment(&self) -> u64 {
        self.alignment
    }

    /// The file that this one was prepared from, if it is a [prepared](crate::prepared) one. Metadata and tensors are
    /// then those of the source, but for the places and layouts of the data.
    pub fn prepared_source(&self) -> Option<&PreparedSource> {
        self.source.as_ref()
    }

    /// What a [prepared](crate::prepared) file carries beside the model, sorted by name; nothing for another file.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for an attachment that is no array of bytes.
    pub fn attachments(&self) -> Result<Vec<Attachment>> {
        self.source
            .as_ref()
            .map_or(Ok(Vec::new()), PreparedSource::attachments)
    }

    /// Number of files.
    pub(crate) fn files(&self) -> usize {
        self.mappings.len()
    }

    /// All bytes of the first file.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.mappings.first().map_or(&[], |mapping| mapping.bytes())
    }

    /// Header, metadata and directory: of the source, for a prepared file.
    pub(crate) fn header(&self) -> &[u8] {
        self.bytes().get(self.header.clone()).unwrap_or_default()
    }

    /// Keys and values.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// All tensors in the order of the file's directory, those too that the engine cannot compute with.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &TensorInfo> {
        self.tensors.iter()
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] if there is none; [`Error::UnsupportedQuantization`] if the engine does
    /// not know its type.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        self.find_tensor(name)?.ok_or_else(|| Error::MissingTensor {
            file: self.file().to_path_buf(),
            tensor: name.to_owned(),
        })
    }

    /// The tensor called `name`, if there is one.
    ///
    /// # Errors
    /// [`Error::UnsupportedQuantization`] if the engine does not know its type.
    pub fn find_tensor(&self, name: &str) -> Result<Option<Tensor>> {
        match self.find_info(name) {
            None => Ok(None),
            Some(info) => self.view(info).map(Some),
        }
    }

    fn find_info(&self, name: &str) -> Option<&TensorInfo> {
        let name_at = |&at: &usize| self.tensors.get(at).map(|tensor| tensor.name.as_str());
        let found = self
            .by_name
            .binary_search_by(|at| name_at(at).cmp(&Some(name)))
            .ok()?;
        self.tensors.get(*self.by_name.get(found)?)
    }

    fn view(&self, info: &TensorInfo) -> Result<Tensor> {
        let Some(format) = info.format else {
            return Err(Error::UnsupportedQuantization {
                file: self.file_of(info).to_path_buf(),
                tensor: info.name.clone(),
                found: info.kind_name(),
            });
        };
        let bytes = self.bytes_of(info).ok_or_else(|| Error::Internal {
            what: format!("tensor {:?} lies outside its file", info.name),
        })?;
        Ok(Tensor {
            name: info.name.clone(),
            format,
            shape: info.shape.clone(),
            layout: info.layout,
            bytes,
        })
    }

    fn bytes_of(&self, info: &TensorInfo) -> Option<SharedBytes> {
        let start = usize::try_from(info.offset).ok()?;
        let end = start.checked_add(usize::try_from(info.size_bytes?).ok()?)?;
        SharedBytes::new(self.mappings.get(info.shard)?, start..end)
    }

    fn file_of(&self, info: &TensorInfo) -> &Path {
        self.mappings
            .get(info.shard)
            .map_or(Path::new(""), |mapping| mapping.file())
    }

    /// An error if a file is shorter now than it was when it was mapped. Costs one system call per file;
    /// see the module documentation for what it can and cannot prevent.
    ///
    /// # Errors
    /// [`Error::FileChanged`]; [`Error::Io`] if the system does not tell the length.
    pub fn check_unchanged(&self) -> Result<()> {
        self.mappings
            .iter()
            .try_for_each(|mapping| mapping.check_unchanged())
    }
}

fn sorted_by_name(tensors: &[TensorInfo]) -> Vec<usize> {
    let mut named: Vec<(&str, usize)> = tensors
        .iter()
        .enumerate()
        .map(|(at, tensor)| (tensor.name.as_str(), at))
        .collect();
    named.sort_unstable();
    named.into_iter().map(|(_, at)| at).collect()
}
