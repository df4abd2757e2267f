//! Model files before they are opened: are they whole, and what is in them?

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nibble::gguf::Gguf;
use sha2::{Digest, Sha256};

use crate::descriptor;
use crate::error::{NibbleError, Result};
use crate::exclusive::Exclusive;
use crate::model::{MemoryEstimate, ModelOptions, name_of, parameters_of, text_of};
use crate::preparation::Preparation;
use crate::session::SessionOptions;

/// Bytes that one step of a verification hashes: some tens of milliseconds.
const STEP: u64 = 4 << 20;

/// What a model file holds, without opening the model.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ModelFileInfo {
    /// Size in bytes.
    pub bytes: u64,
    /// Its name; empty where the file has none.
    pub name: String,
    /// The licence that its weights are under, as the file gives it: an SPDX expression such as `apache-2.0`; empty
    /// where the file does not say.
    pub license: String,
    /// The network that it is for, such as `llama`; empty where the file does not say.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Number of tensors.
    pub tensors: u32,
    /// Bytes of memory that it takes with the options given; none where this version does not run it.
    pub memory: Option<MemoryEstimate>,
}

/// A file that should be a model.
#[derive(uniffi::Object)]
pub struct ModelFile {
    place: Place,
}

/// Where the bytes are.
enum Place {
    Path(String),
    Window {
        descriptor: std::os::fd::OwnedFd,
        offset: u64,
        length: u64,
        name: String,
    },
}

impl Place {
    fn name(&self) -> &str {
        match self {
            Place::Path(path) => path,
            Place::Window { name, .. } => name,
        }
    }

    fn io(&self, source: &std::io::Error) -> NibbleError {
        NibbleError::io(self.name().to_owned(), source)
    }

    fn gguf(&self) -> Result<Gguf> {
        Ok(match self {
            Place::Path(path) => Gguf::open(path)?,
            Place::Window {
                descriptor,
                offset,
                length,
                name,
            } => {
                let descriptor = descriptor.try_clone().map_err(|source| self.io(&source))?;
                Gguf::open_fd(descriptor, *offset, *length, Path::new(name))?
            }
        })
    }

    /// The open file, where its bytes begin in it, and how many there are.
    fn open(&self) -> Result<(File, u64, u64)> {
        let failed = |source| self.io(&source);
        match self {
            Place::Path(path) => {
                // Before it is opened, because opening a FIFO would wait for a writer.
                let metadata = std::fs::metadata(path).map_err(failed)?;
                if !metadata.is_file() {
                    return Err(failed(match metadata.is_dir() {
                        true => std::io::ErrorKind::IsADirectory.into(),
                        false => std::io::Error::other("not a regular file"),
                    }));
                }
                let file = File::open(path).map_err(failed)?;
                let length = file.metadata().map_err(failed)?.len();
                Ok((file, 0, length))
            }
            Place::Window {
                descriptor,
                offset,
                length,
                ..
            } => {
                let descriptor = descriptor.try_clone().map_err(failed)?;
                Ok((File::from(descriptor), *offset, *length))
            }
        }
    }
}

#[uniffi::export]
impl ModelFile {
    /// The file at `path`. Nothing is read yet.
    #[uniffi::constructor]
    pub fn at_path(path: String) -> Result<Arc<ModelFile>> {
        Ok(Arc::new(ModelFile {
            place: Place::Path(path),
        }))
    }

    /// `length` bytes from byte `offset` of an open descriptor, which stays the caller's; `name` stands for
    /// the file in errors.
    #[uniffi::constructor]
    pub fn at_descriptor(
        descriptor: i32,
        offset: u64,
        length: u64,
        name: String,
    ) -> Result<Arc<ModelFile>> {
        Ok(Arc::new(ModelFile {
            place: Place::Window {
                descriptor: descriptor::duplicate(descriptor, &name)?,
                offset,
                length,
                name,
            },
        }))
    }

    /// What the file holds: its header is read and checked, its weights are not.
    #[uniffi::method(default(options = None))]
    pub fn inspect(&self, options: Option<ModelOptions>) -> Result<ModelFileInfo> {
        let gguf = self.place.gguf()?;
        let session = options
            .unwrap_or_default()
            .session(SessionOptions::default());
        Ok(ModelFileInfo {
            bytes: gguf.size_bytes(),
            name: name_of(&gguf),
            license: text_of(&gguf, "general.license"),
            architecture: text_of(&gguf, "general.architecture"),
            parameters: parameters_of(&gguf),
            tensors: crate::model::count(gguf.tensors().len()),
            memory: nibble::MemoryEstimate::of(&gguf, &session)
                .ok()
                .map(Into::into),
        })
    }

    /// Begins to write the file's prepared form, which opens faster and runs faster: to `destination`, or where
    /// [`Model::open`](crate::Model::open) looks for it, beside the file. The file itself must have a path. Of the lexicons in
    /// the files `lexicons`, at most one for each language, it carries copies, which [`Model::lexicons`](crate::Model::lexicons)
    /// opens.
    #[uniffi::method(default(destination = None, lexicons = []))]
    pub fn prepare(
        &self,
        destination: Option<String>,
        lexicons: Vec<String>,
    ) -> Result<Arc<Preparation>> {
        let Place::Path(path) = &self.place else {
            let found = self.place.name();
            return Err(NibbleError::invalid(
                "model file",
                "a file with a path",
                found,
            ));
        };
        let path = Path::new(path);
        let beside = || nibble::prepared::destination(path);
        let destination = destination.map_or_else(beside, PathBuf::from);
        Preparation::new(path, &destination, &lexicons)
    }

    /// Begins to compare the file's SHA-256 with `sha256`, 64 hexadecimal digits.
    pub fn verify(&self, sha256: &str) -> Result<Arc<Verification>> {
        let expected = sha256.to_ascii_lowercase();
        if expected.len() != 64 || !expected.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NibbleError::invalid(
                "sha256",
                "64 hexadecimal digits",
                sha256,
            ));
        }
        let (file, offset, total) = self.place.open()?;
        Ok(Arc::new(Verification {
            hashing: Exclusive::new(
                "verification",
                Hashing {
                    name: self.place.name().to_owned(),
                    file,
                    expected,
                    hash: Sha256::new(),
                    buffer: Vec::new(),
                    offset,
                    done: 0,
                    total,
                    ended: false,
                },
            ),
        }))
    }
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct VerificationProgress {
    /// Bytes hashed so far.
    pub done: u64,
    /// Bytes of the file.
    pub total: u64,
}

/// A comparison of a file's checksum that is pulled step by step, so that it can be shown and stopped: whoever
/// no longer pulls has stopped it.
#[derive(uniffi::Object)]
pub struct Verification {
    hashing: Exclusive<Hashing>,
}

struct Hashing {
    name: String,
    file: File,
    expected: String,
    hash: Sha256,
    buffer: Vec<u8>,
    /// Where the bytes begin in the file.
    offset: u64,
    done: u64,
    total: u64,
    ended: bool,
}

impl Hashing {
    fn next(&mut self) -> Result<Option<VerificationProgress>> {
        if self.ended {
            return Ok(None);
        }
        self.hash_step()
            .map_err(|source| NibbleError::io(self.name.clone(), &source))?;
        if self.done == self.total {
            self.ended = true;
            self.compare()?;
        }
        Ok(Some(VerificationProgress {
            done: self.done,
            total: self.total,
        }))
    }

    fn hash_step(&mut self) -> std::io::Result<()> {
        let length = STEP.min(self.total - self.done);
        self.buffer.resize(length as usize, 0);
        // The position of a duplicated descriptor is shared with others.
        self.file
            .seek(SeekFrom::Start(self.offset.saturating_add(self.done)))?;
        self.file.read_exact(&mut self.buffer)?;
        self.hash.update(&self.buffer);
        self.done += length;
        Ok(())
    }

    fn compare(&self) -> Result<()> {
        let digest = self.hash.clone().finalize();
        let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if found == self.expected {
            return Ok(());
        }
        Err(NibbleError::ChecksumMismatch {
            code: "checksum_mismatch".to_owned(),
            detail: format!(
                "{}: its SHA-256 is {found}, expected {}",
                self.name, self.expected
            ),
            file: self.name.clone(),
            expected: self.expected.clone(),
            found,
        })
    }
}

#[uniffi::export]
impl Verification {
    /// Hashes the next few megabytes; none after the last. Fails with `ChecksumMismatch` in the step that
    /// reaches the end of a file that has another checksum.
    pub fn next(&self) -> Result<Option<VerificationProgress>> {
        self.hashing.work(Hashing::next)
    }

    /// Closes the file.
    pub fn release(&self) -> Result<()> {
        self.hashing.release();
        Ok(())
    }
}
