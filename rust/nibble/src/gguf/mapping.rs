//! The bytes of a model file, mapped and shared. The only `unsafe` of this crate is here.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};

use crate::{Error, Result};

/// The bytes of one GGUF file: a read-only map of a file (or of a window of it), or owned memory.
pub(super) struct Mapping {
    file: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Owned(Vec<u8>),
    Mapped {
        map: Mmap,
        /// Kept open to see its length later.
        descriptor: File,
        /// Where the mapped window ends in the file.
        end: u64,
    },
}

impl Mapping {
    /// Maps a whole file.
    pub(super) fn open(path: &Path) -> Result<Mapping> {
        let io_error = |source| io_error(path, source);
        // Before it is opened, because opening a FIFO would wait for a writer.
        let metadata = std::fs::metadata(path).map_err(io_error)?;
        check_regular(&metadata).map_err(io_error)?;
        let descriptor = File::open(path).map_err(io_error)?;
        let length = descriptor.metadata().map_err(io_error)?.len();
        Mapping::map(descriptor, 0, length, path)
    }

    /// Maps `length` bytes from `offset` of an open file; `offset` needs no alignment.
    #[cfg(unix)]
    pub(super) fn open_window(
        descriptor: File,
        offset: u64,
        length: u64,
        name: &Path,
    ) -> Result<Mapping> {
        let io_error = |source| io_error(name, source);
        let metadata = descriptor.metadata().map_err(io_error)?;
        check_regular(&metadata).map_err(io_error)?;
        let available = metadata.len().saturating_sub(offset);
        if length > available {
            return Err(Error::Truncated {
                file: name.to_path_buf(),
                what: "window of the descriptor".to_owned(),
                offset,
                needed: length,
                available,
            });
        }
        Mapping::map(descriptor, offset, length, name)
    }

    /// Takes bytes that are in memory already.
    pub(super) fn from_bytes(bytes: Vec<u8>, name: &Path) -> Mapping {
        Mapping {
            file: name.to_path_buf(),
            bytes: Bytes::Owned(bytes),
        }
    }

    /// `offset + length` lies within the file, as its caller has seen.
    fn map(descriptor: File, offset: u64, length: u64, name: &Path) -> Result<Mapping> {
        let io_error = |source| io_error(name, source);
        if length == 0 {
            return Ok(Mapping::from_bytes(Vec::new(), name));
        }
        let too_large = || io_error(io::ErrorKind::FileTooLarge.into());
        let end = offset.checked_add(length).ok_or_else(too_large)?;
        let length = usize::try_from(length).map_err(|_| too_large())?;
        // SAFETY: the map is read-only, private to this value, and lives as long as every slice that is
        // borrowed from it. What Rust cannot guarantee is that no other process writes to the file
        // meanwhile. All that is read from the bytes is treated as untrusted on each read: no value that
        // was validated once is read again and then relied upon without a check, and no `str` or other
        // type with invalid bit patterns is made of them without validation. A file that is cut short
        // raises SIGBUS on access; the module documentation says so, and `check_unchanged` looks for it.
        #[allow(unsafe_code, reason = "mapping a file is what this module is for")]
        let map = unsafe {
            MmapOptions::new()
                .offset(offset)
                .len(length)
                .map(&descriptor)
        }
        .map_err(io_error)?;
        Ok(Mapping {
            file: name.to_path_buf(),
            bytes: Bytes::Mapped {
                map,
                descriptor,
                end,
            },
        })
    }

    /// The path that was opened, or the name that was given.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// All bytes of the file or window.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped { map, .. } => map,
        }
    }

    /// An error if the file now ends before the mapped window does.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        let Bytes::Mapped {
            descriptor, end, ..
        } = &self.bytes
        else {
            return Ok(());
        };
        let metadata = descriptor
            .metadata()
            .map_err(|source| io_error(&self.file, source))?;
        if metadata.len() < *end {
            return Err(Error::FileChanged {
                file: self.file.clone(),
                expected: *end,
                found: metadata.len(),
            });
        }
        Ok(())
    }
}

fn io_error(file: &Path, source: io::Error) -> Error {
    Error::Io {
        file: file.to_path_buf(),
        source,
    }
}

fn check_regular(metadata: &std::fs::Metadata) -> io::Result<()> {
    if metadata.is_dir() {
        Err(io::ErrorKind::IsADirectory.into())
    } else if metadata.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ))
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Mapping")
            .field("file", &self.file)
            .field("length", &self.bytes().len())
            .finish()
    }
}

/// A part of a model file that keeps the whole map alive; cloning it copies no bytes.
///
/// No alignment in memory is promised. A file that was opened by path begins on a page, so a tensor in it
/// is aligned to the file's alignment (usually 32 bytes) or a page, whichever is less; but a window of a
/// descriptor may begin at any byte, and owned bytes anywhere. Read bytewise or with unaligned loads.
#[derive(Clone)]
pub struct SharedBytes {
    mapping: Arc<Mapping>,
    range: Range<usize>,
}

impl SharedBytes {
    /// Bytes in memory.
    pub(crate) fn from_vec(bytes: Vec<u8>) -> SharedBytes {
        let range = 0..bytes.len();
        let mapping = Arc::new(Mapping::from_bytes(bytes, Path::new("")));
        SharedBytes { mapping, range }
    }

    /// The first `len` bytes; all of them if there are fewer.
    pub(super) fn beginning(&self, len: usize) -> SharedBytes {
        let end = self.range.start.saturating_add(len).min(self.range.end);
        SharedBytes {
            mapping: Arc::clone(&self.mapping),
            range: self.range.start..end,
        }
    }

    /// `None` if `range` does not lie within the mapping.
    pub(super) fn new(mapping: &Arc<Mapping>, range: Range<usize>) -> Option<SharedBytes> {
        mapping.bytes().get(range.clone())?;
        Some(SharedBytes {
            mapping: Arc::clone(mapping),
            range,
        })
    }
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // The length of a mapping never changes, so that `new` has checked this.
        self.mapping
            .bytes()
            .get(self.range.clone())
            .unwrap_or_default()
    }
}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for SharedBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SharedBytes")
            .field("file", &self.mapping.file)
            .field("range", &self.range)
            .finish()
    }
}
