//! Prepared models: files that lie as the fast kernels want them, made once and mapped ever after.
//!
//! The kernels are fastest when sixteen rows of a matrix are interleaved ([`nibble_kernels::interleave()`]). Doing that in
//! memory would cost a second, dirty copy of the weights, so [`Preparation`] writes it to a file, `model.nibble.gguf`
//! beside `model.gguf`, which [`Model::open`](crate::Model::open) then finds. It is about as large as the source, and
//! [`Restoration`] gives the source back byte for byte, so that the source need not be kept. The rows of embedding and
//! head are sorted by the bytes of their tokens, so that the tokens that may follow what was typed are whole strips.
//!
//! The container is described in `gguf/container.rs`; one layout serves all instruction sets that have kernels of their own. A file may carry
//! [attachments](PreparationOptions::attachments), so that all an app opens is one file.
//!
//! Both are pulled: each call of `step` does some megabytes of work, so that a caller can show progress and stop at any
//! time. The file appears under its name only when it is whole and on the disk; what was begun and not finished is
//! written anew.

mod partial_file;
mod prepare;
mod restore;

use std::ops::Range;
use std::path::{Path, PathBuf};

use nibble_kernels::STRIP_ROWS;

use crate::Result;
use crate::gguf::{Gguf, Tensor};

pub use crate::gguf::Attachment;
pub use prepare::{Preparation, PreparationOptions};
pub use restore::Restoration;

/// What a name of a prepared file ends with.
const EXTENSION: &str = "nibble.gguf";
/// Bytes of work in a step.
const STEP_BYTES: usize = 8 << 20;

/// How far the work is, in bytes of work, which is more than the bytes of a file: they are read twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done so far.
    pub done: u64,
    /// In all.
    pub total: u64,
}

/// Where the prepared form of the model at `source` belongs.
pub fn destination(source: &Path) -> PathBuf {
    source.with_extension(EXTENSION)
}

/// Opens the model at `path` as [`Model::open`](crate::Model::open) does: the prepared file beside it, if there is one that was made of
/// it or if `path` itself is gone, else `path`.
///
/// # Errors
/// Those of [`Gguf::open`].
pub fn open(path: &Path) -> Result<Gguf> {
    let Some(prepared) = beside(path) else {
        return Gguf::open(path);
    };
    if !path.exists() {
        return Gguf::open(prepared);
    }
    let source = Gguf::open(path)?;
    match Gguf::open(prepared) {
        Ok(prepared) if was_made_of(&prepared, &source) => Ok(prepared),
        _ => {
            log::warn!("a prepared model is not used: it is damaged, or was made of another file");
            Ok(source)
        }
    }
}

/// The file that [`open`] takes for the model at `path`; `path` where it takes none.
pub fn find(path: &Path) -> PathBuf {
    match beside(path) {
        None => path.to_path_buf(),
        Some(prepared) if !path.exists() => prepared,
        Some(_) => open(path).map_or_else(|_| path.to_path_buf(), |gguf| gguf.file().to_path_buf()),
    }
}

/// The prepared file beside a model, if there is one.
fn beside(path: &Path) -> Option<PathBuf> {
    let is_prepared = path.to_string_lossy().ends_with(&format!(".{EXTENSION}"));
    let prepared = destination(path);
    (!is_prepared && prepared.is_file()).then_some(prepared)
}

/// Whether the headers are the same: names, shapes, vocabulary. The weights are not compared.
fn was_made_of(prepared: &Gguf, source: &Gguf) -> bool {
    let length = prepared.prepared_source().map(|source| source.length);
    length == Some(source.size_bytes()) && prepared.header() == source.header()
}

fn tensors_of(source: &Gguf) -> Result<Vec<Tensor>> {
    source
        .tensors()
        .map(|info| source.tensor(&info.name))
        .collect()
}

fn row_bytes(tensor: &Tensor) -> usize {
    tensor
        .format
        .row_bytes(tensor.columns())
        .unwrap_or_default()
}

/// Number of a tensor, and bytes of it that are done.
type Place = (usize, usize);

/// The part of a tensor's bytes that the step at `place` takes, whole strips, and the place of the next step.
fn part(tensor: &Tensor, place: Place) -> (Range<usize>, Place) {
    let (number, start) = place;
    let strip = row_bytes(tensor).saturating_mul(STRIP_ROWS).max(1);
    let len = (STEP_BYTES / strip).max(1).saturating_mul(strip);
    let end = start.saturating_add(len).min(tensor.bytes.len());
    let next = match end == tensor.bytes.len() {
        true => (number + 1, 0),
        false => (number, end),
    };
    (start..end, next)
}

/// The rows that lie in `part`.
fn rows_in(part: &Range<usize>, row_bytes: usize) -> Range<usize> {
    let row = |byte: usize| byte.checked_div(row_bytes).unwrap_or_default();
    row(part.start)..row(part.end)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
