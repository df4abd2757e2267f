//! Prepared models: files that lie as the fast kernels want them, made once and mapped ever after.
//!
//! The kernels are fastest when sixteen rows of a matrix are interleaved ([`nibble_kernels::interleave()`]). Doing that in
//! memory would cost a second, dirty copy of the weights, so [`Preparation`] writes it to a file, `model.nibble.gguf`
//! beside `model.gguf`, which [`Model::open`](crate::Model::open) then finds. It is about as large as the source, and
//! [`Restoration`] gives the source back byte for byte, so that the source need not be kept.
//!
//! The container is described in [`crate::gguf`]; the one layout there is serves every CPU.
//!
//! Both are pulled: each call of `step` does some megabytes of work, so that a caller can show progress and stop at any
//! time. The file appears under its name only when it is whole and on the disk; what was begun and not finished is
//! written anew.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use nibble_kernels::{Layout, STRIP_ROWS, can_interleave, deinterleave, interleave};
use sha2::{Digest, Sha256};

use crate::gguf::container::{
    ARCHITECTURE_PREFIX, HEADER_KEY, INTERLEAVED_KEY, LAYOUT, LAYOUT_KEY, LENGTH_KEY, SHA256_KEY,
};
use crate::gguf::{Gguf, Tensor, TensorWriter, Writer};
use crate::hparams::{Architecture, Hparams};
use crate::{Error, Result};

/// What a name of a prepared file ends with.
const EXTENSION: &str = "nibble.gguf";
/// Largest page that is in use; tensors begin on one, so that the system can keep and drop them apart.
const PAGE: u32 = 16 << 10;
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

/// The file that [`Model::open`](crate::Model::open) takes for the model at `path`: the prepared one beside it, if there is one that
/// was made of it or if `path` itself is gone, else `path`.
pub fn find(path: &Path) -> PathBuf {
    let prepared = destination(path);
    if prepared == path || !prepared.is_file() || is_prepared_name(path) {
        return path.to_path_buf();
    }
    if !path.exists() || was_made_of(&prepared, path).unwrap_or(false) {
        return prepared;
    }
    log::warn!("a prepared model is not used: it is damaged, or was made of another file");
    path.to_path_buf()
}

fn is_prepared_name(path: &Path) -> bool {
    path.to_string_lossy().ends_with(EXTENSION)
}

/// Whether the headers are the same: names, shapes, vocabulary. The weights are not compared.
fn was_made_of(prepared: &Path, source: &Path) -> Result<bool> {
    let (prepared, source) = (Gguf::open(prepared)?, Gguf::open(source)?);
    let length = prepared.prepared_source().map(|source| source.length);
    Ok(length == Some(source.size_bytes()) && prepared.header() == source.header())
}

/// Writes the prepared form of a model.
#[derive(Debug)]
pub struct Preparation {
    source: Gguf,
    destination: PathBuf,
    hash: Sha256,
    hashed: usize,
    writing: Option<Writing>,
    done: u64,
}

/// A prepared file whose header is written.
#[derive(Debug)]
struct Writing {
    out: TensorWriter<BufWriter<File>>,
    tensors: Vec<Tensor>,
    /// The tensor in progress, and bytes of it that are written.
    at: (usize, usize),
    buffer: Vec<u8>,
}

impl Preparation {
    /// Opens the model at `source`, which is to be written to `destination`.
    ///
    /// # Errors
    /// Those of [`Gguf::open`]; `Unsupported` for a split model, one that is prepared already, and one with
    /// tensors of unknown types; `DiskSpace`.
    pub fn new(source: &Path, destination: &Path) -> Result<Preparation> {
        let source = Gguf::open(source)?;
        let unsupported = |what, found: String| Error::Unsupported {
            file: source.file().to_path_buf(),
            what,
            found,
        };
        if source.files() != 1 {
            let found = format!("{} files", source.files());
            return Err(unsupported("preparation of a split model", found));
        }
        if source.prepared_source().is_some() {
            let found = LAYOUT.to_owned();
            return Err(unsupported("preparation of a prepared model", found));
        }
        // What this engine cannot run fails now and not after minutes.
        Hparams::from_gguf(&source)?;
        let tensors = tensors_of(&source)?;
        check_gaps(&source, &tensors)?;
        let padding = (tensors.len() as u64 + 2) * u64::from(PAGE);
        check_disk(destination, source.size_bytes().saturating_add(padding))?;
        Ok(Preparation {
            source,
            destination: destination.to_path_buf(),
            hash: Sha256::new(),
            hashed: 0,
            writing: None,
            done: 0,
        })
    }

    /// Does some of the work. `None` once the file is there.
    ///
    /// # Errors
    /// `Io`, for a full disk too. Nothing is left under the destination's name then.
    pub fn step(&mut self) -> Result<Option<Progress>> {
        let bytes = self.source.bytes();
        if self.hashed < bytes.len() {
            let end = bytes.len().min(self.hashed.saturating_add(STEP_BYTES));
            self.hash
                .update(bytes.get(self.hashed..end).unwrap_or_default());
            self.done += (end - self.hashed) as u64;
            self.hashed = end;
            return Ok(Some(self.progress()));
        }
        let Some(writing) = &mut self.writing else {
            let sha256 = hexadecimal(&self.hash.clone().finalize());
            self.writing = Some(begin(&self.source, &self.destination, &sha256)?);
            return Ok(Some(self.progress()));
        };
        let written = writing.step()?;
        self.done += written as u64;
        if written > 0 {
            return Ok(Some(self.progress()));
        }
        if let Some(writing) = self.writing.take() {
            publish(writing.out.finish()?, &self.destination)?;
        }
        Ok(None)
    }

    fn progress(&self) -> Progress {
        Progress {
            done: self.done,
            total: 2 * self.source.size_bytes(),
        }
    }
}

impl Drop for Preparation {
    fn drop(&mut self) {
        if self.writing.take().is_some() {
            // Nothing can be done about a file that cannot be removed; it is overwritten next time.
            let _ = fs::remove_file(partial(&self.destination));
        }
    }
}

fn begin(source: &Gguf, destination: &Path, sha256: &str) -> Result<Writing> {
    let mut tensors = tensors_of(source)?;
    let hparams = Hparams::from_gguf(source)?;
    for tensor in &mut tensors {
        // From here on the layout that is written, not the one that is read.
        if is_interleaved(&hparams, tensor) {
            tensor.layout = Layout::Strips;
        }
    }
    let mut header = Writer::new(destination);
    header.alignment(PAGE)?;
    let architecture = source.metadata().string("general.architecture")?;
    header.string(
        "general.architecture",
        &format!("{ARCHITECTURE_PREFIX}{architecture}"),
    )?;
    if let Some(name) = source.metadata().find_string("general.name")? {
        header.string("general.name", name)?;
    }
    header.string(LAYOUT_KEY, LAYOUT)?;
    let interleaved: Vec<&str> = tensors
        .iter()
        .filter(|tensor| tensor.layout == Layout::Strips)
        .map(|tensor| tensor.name.as_str())
        .collect();
    header.strings(INTERLEAVED_KEY, &interleaved)?;
    header.u64(LENGTH_KEY, source.size_bytes())?;
    header.string(SHA256_KEY, sha256)?;
    header.bytes(HEADER_KEY, source.header())?;
    for tensor in &tensors {
        header.tensor(&tensor.name, tensor.format, &tensor.shape)?;
    }
    let file = create(destination)?;
    let out = header.begin(BufWriter::with_capacity(1 << 20, file))?;
    Ok(Writing {
        out,
        tensors,
        at: (0, 0),
        buffer: Vec::new(),
    })
}

impl Writing {
    /// Writes a part of a tensor; its length, 0 at the end.
    fn step(&mut self) -> Result<usize> {
        let Some(tensor) = self.tensors.get(self.at.0) else {
            return Ok(0);
        };
        let part = part(tensor, self.at.1);
        let bytes = tensor.bytes.get(part.clone()).unwrap_or_default();
        match tensor.layout {
            Layout::Rows => self.out.write(&tensor.name, bytes)?,
            Layout::Strips => {
                self.buffer.resize(bytes.len(), 0);
                interleave(tensor.format, row_bytes(tensor), bytes, &mut self.buffer)?;
                self.out.write(&tensor.name, &self.buffer)?;
            }
        }
        self.at = match part.end >= tensor.bytes.len() {
            true => (self.at.0 + 1, 0),
            false => (self.at.0, part.end),
        };
        Ok(part.len())
    }
}

/// The part of a tensor's bytes from `start` on that one step takes: whole strips.
fn part(tensor: &Tensor, start: usize) -> Range<usize> {
    let strip = row_bytes(tensor).saturating_mul(STRIP_ROWS).max(1);
    let len = (STEP_BYTES / strip).max(1).saturating_mul(strip);
    start..start.saturating_add(len).min(tensor.bytes.len())
}

fn row_bytes(tensor: &Tensor) -> usize {
    tensor
        .format
        .row_bytes(tensor.columns())
        .unwrap_or_default()
}

/// Whether a tensor is a matrix whose rows, and those of the matrices that are stacked in it, fill strips.
fn is_interleaved(hparams: &Hparams, tensor: &Tensor) -> bool {
    let stacked: &[usize] = match hparams.architecture {
        Architecture::Phi3 if tensor.name.contains("attn_qkv") => &[
            hparams.heads * hparams.head_dim,
            hparams.kv_heads * hparams.head_dim,
        ],
        Architecture::Phi3 if tensor.name.contains("ffn_up") => &[hparams.ffn],
        _ => &[],
    };
    tensor.shape.len() == 2
        && can_interleave(tensor.format, tensor.rows())
        && stacked.iter().all(|rows| rows.is_multiple_of(STRIP_ROWS))
}

fn tensors_of(source: &Gguf) -> Result<Vec<Tensor>> {
    source
        .tensors()
        .map(|info| source.tensor(&info.name))
        .collect()
}

/// Writes back the file that a prepared one was made of.
#[derive(Debug)]
pub struct Restoration {
    prepared: Gguf,
    destination: PathBuf,
    /// In the order of their places in the source, which come first.
    tensors: Vec<(u64, Tensor)>,
    length: u64,
    sha256: String,
    out: Option<BufWriter<File>>,
    hash: Sha256,
    written: u64,
    at: (usize, usize),
    buffer: Vec<u8>,
}

impl Restoration {
    /// Opens the prepared file, whose source is to be written to `destination`.
    ///
    /// # Errors
    /// Those of [`Gguf::open`]; `Unsupported` for a file that is not prepared; `DiskSpace`.
    pub fn new(prepared: &Path, destination: &Path) -> Result<Restoration> {
        let prepared = Gguf::open(prepared)?;
        let Some(source) = prepared.prepared_source().cloned() else {
            return Err(Error::Unsupported {
                file: prepared.file().to_path_buf(),
                what: "restoring",
                found: "a model that is not prepared".to_owned(),
            });
        };
        check_disk(destination, source.length)?;
        let tensors = tensors_of(&prepared)?;
        let mut tensors: Vec<(u64, Tensor)> = source.offsets.iter().copied().zip(tensors).collect();
        tensors.sort_by_key(|(offset, _)| *offset);
        Ok(Restoration {
            prepared,
            destination: destination.to_path_buf(),
            tensors,
            length: source.length,
            sha256: source.sha256,
            out: None,
            hash: Sha256::new(),
            written: 0,
            at: (0, 0),
            buffer: Vec::new(),
        })
    }

    /// Does some of the work. `None` once the file is there.
    ///
    /// # Errors
    /// `Io`; `Checksum` where the result is not what was prepared: the prepared file is damaged. Nothing is left
    /// under the destination's name then.
    pub fn step(&mut self) -> Result<Option<Progress>> {
        if self.out.is_none() {
            self.out = Some(BufWriter::with_capacity(
                1 << 20,
                create(&self.destination)?,
            ));
            let header = self.prepared.header().to_vec();
            self.write(&header)?;
            return Ok(Some(self.progress()));
        }
        let Some((offset, tensor)) = self.tensors.get(self.at.0).cloned() else {
            self.pad(self.length)?;
            return self.finish();
        };
        self.pad(offset)?;
        let part = part(&tensor, self.at.1);
        let bytes = tensor.bytes.get(part.clone()).unwrap_or_default();
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(bytes.len(), 0);
        match tensor.layout {
            Layout::Rows => buffer.copy_from_slice(bytes),
            Layout::Strips => deinterleave(tensor.format, row_bytes(&tensor), bytes, &mut buffer)?,
        }
        self.write(&buffer)?;
        self.buffer = buffer;
        self.at = match part.end >= tensor.bytes.len() {
            true => (self.at.0 + 1, 0),
            false => (self.at.0, part.end),
        };
        Ok(Some(self.progress()))
    }

    fn finish(&mut self) -> Result<Option<Progress>> {
        let found = hexadecimal(&std::mem::take(&mut self.hash).finalize());
        if found != self.sha256 {
            return Err(Error::Checksum {
                file: self.prepared.file().to_path_buf(),
                expected: self.sha256.clone(),
                found,
            });
        }
        if let Some(out) = self.out.take() {
            publish(out, &self.destination)?;
        }
        Ok(None)
    }

    /// Zeros up to byte `end`. Within a tensor that has begun, `end` lies behind and nothing is written.
    fn pad(&mut self, end: u64) -> Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while self.written < end {
            let len = (end - self.written).min(ZEROS.len() as u64) as usize;
            self.write(ZEROS.get(..len).unwrap_or_default())?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(out) = &mut self.out {
            out.write_all(bytes)
                .map_err(|source| io_error(&partial(&self.destination), source))?;
        }
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn progress(&self) -> Progress {
        Progress {
            done: self.written.min(self.length),
            total: self.length,
        }
    }
}

impl Drop for Restoration {
    fn drop(&mut self) {
        if self.out.take().is_some() {
            // As for a preparation.
            let _ = fs::remove_file(partial(&self.destination));
        }
    }
}

/// An error where bytes other than zeros stand between header and tensors: they would be lost.
fn check_gaps(source: &Gguf, tensors: &[Tensor]) -> Result<()> {
    let mut places: Vec<Range<u64>> = source
        .tensors()
        .zip(tensors)
        .map(|(info, tensor)| info.offset..info.offset.saturating_add(tensor.bytes.len() as u64))
        .collect();
    places.sort_by_key(|place| place.start);
    let bytes = source.bytes();
    let mut end = source.header().len() as u64;
    let last = bytes.len() as u64;
    places.push(last..last);
    for place in places {
        let gap = bytes
            .get(end as usize..place.start as usize)
            .unwrap_or_default();
        if gap.iter().any(|byte| *byte != 0) {
            return Err(Error::Malformed {
                file: source.file().to_path_buf(),
                what: "space between tensors".to_owned(),
                offset: end,
                expected: "zeros".to_owned(),
                found: "other bytes".to_owned(),
            });
        }
        end = place.end;
    }
    Ok(())
}

fn check_disk(destination: &Path, needed: u64) -> Result<()> {
    let directory = match destination.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let available = available_bytes(directory).map_err(|source| io_error(directory, source))?;
    match available {
        Some(available) if available < needed => Err(Error::DiskSpace {
            file: destination.to_path_buf(),
            needed,
            available,
        }),
        _ => Ok(()),
    }
}

/// Bytes that a user may write to the disk of a directory; `None` where the system is not asked.
fn available_bytes(directory: &Path) -> std::io::Result<Option<u64>> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(directory)?;
        Ok(disk.f_bavail.checked_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = directory;
        Ok(None)
    }
}

/// The name of a file that is not whole yet.
fn partial(destination: &Path) -> PathBuf {
    let mut name = destination.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn create(destination: &Path) -> Result<File> {
    let path = partial(destination);
    File::create(&path).map_err(|source| io_error(&path, source))
}

/// Puts a file that is written under its name, once it is on the disk.
fn publish(out: BufWriter<File>, destination: &Path) -> Result<()> {
    let path = partial(destination);
    let done = out
        .into_inner()
        .map_err(|error| error.into_error())
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&path, destination));
    done.map_err(|source| {
        // As for a preparation.
        let _ = fs::remove_file(&path);
        io_error(destination, source)
    })
}

fn io_error(file: &Path, source: std::io::Error) -> Error {
    Error::Io {
        file: file.to_path_buf(),
        source,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
