//! Bytes of files, mapped and shared. The only `unsafe` of this crate is here.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};

use crate::{Error, Result};

/// The bytes of one file: a read-only map of it (or of a window of it), or owned memory.
pub(crate) struct Mapping {
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
    pub(crate) fn open(path: &Path) -> Result<Mapping> {
        let io_error = |source| io_error(path, source);
        // Before it is opened, because opening a FIFO would wait for a writer.
        let metadata = std::fs::metadata(path).map_err(io_error)?;
        check_regular(&metadata).map_err(io_error)?;
        let descriptor = File::open(path).map_err(io_error)?;
        let length = descriptor.metadata().map_err(io_error)?.len();
        Mapping::map(descriptor, 0, length, path)
    }

    /// Maps `length` bytes from `offset` of an open file; `offset` needs no alignment.
    pub(crate) fn open_window(
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
                what: "window of the file".to_owned(),
                offset,
                needed: length,
                available,
            });
        }
        Mapping::map(descriptor, offset, length, name)
    }

    /// Takes bytes that are in memory already.
    pub(crate) fn from_bytes(bytes: Vec<u8>, name: &Path) -> Mapping {
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
        // raises SIGBUS on access; whoever maps says so in its documentation, and `check_unchanged` looks for it.
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
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// All bytes of the file or window.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped { map, .. } => map,
        }
    }

    /// An error if the file now ends before the mapped window does.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
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

/// Bytes of a file, mapped, or in memory; cloning them copies nothing, and a part keeps the whole map alive.
///
/// A file must not be written to or cut short while it is mapped ([why](crate::gguf#files-that-change-while-they-are-mapped));
/// rename another one over it.
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
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// `Io`, also for what is no regular file.
    pub fn open(path: &Path) -> Result<SharedBytes> {
        Mapping::open(path).map(SharedBytes::from)
    }

    /// Maps `length` bytes from byte `offset` of an open file, such as an asset of an Android package; `offset` needs no
    /// alignment, and `name` stands for the file in errors.
    ///
    /// # Errors
    /// `Io`; `Truncated` where the file is shorter.
    pub fn open_window(file: File, offset: u64, length: u64, name: &Path) -> Result<SharedBytes> {
        Mapping::open_window(file, offset, length, name).map(SharedBytes::from)
    }

    /// The part `range` of these bytes; `None` where it does not lie within them.
    pub fn section(&self, range: Range<usize>) -> Option<SharedBytes> {
        self.get(range.clone())?;
        let start = self.range.start.checked_add(range.start)?;
        let end = self.range.start.checked_add(range.end)?;
        Some(SharedBytes {
            mapping: Arc::clone(&self.mapping),
            range: start..end,
        })
    }

    /// `None` if `range` does not lie within the mapping.
    pub(crate) fn new(mapping: &Arc<Mapping>, range: Range<usize>) -> Option<SharedBytes> {
        mapping.bytes().get(range.clone())?;
        Some(SharedBytes {
            mapping: Arc::clone(mapping),
            range,
        })
    }
}

impl From<Mapping> for SharedBytes {
    fn from(mapping: Mapping) -> SharedBytes {
        let range = 0..mapping.bytes().len();
        let mapping = Arc::new(mapping);
        SharedBytes { mapping, range }
    }
}

impl From<Vec<u8>> for SharedBytes {
    fn from(bytes: Vec<u8>) -> SharedBytes {
        Mapping::from_bytes(bytes, Path::new("")).into()
    }
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // The length of a mapping never changes, so that whoever made this has checked it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_nest_and_never_reach_outside() {
        let bytes = SharedBytes::from(vec![0, 1, 2, 3, 4, 5]);
        let inner = bytes.section(2..5).unwrap();
        assert_eq!(*inner, [2, 3, 4]);
        assert_eq!(*inner.section(1..3).unwrap(), [3, 4]);
        assert_eq!(*inner.section(3..3).unwrap(), [0_u8; 0]);
        assert!(inner.section(0..4).is_none());
        assert!(bytes.section(usize::MAX..usize::MAX).is_none());
    }

    #[test]
    fn a_mapped_file_reads_like_its_contents() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(SharedBytes::open(file.path()).unwrap().is_empty());
        std::fs::write(file.path(), b"words").unwrap();
        assert_eq!(*SharedBytes::open(file.path()).unwrap(), *b"words");

        let window = |offset, length| {
            let file = file.as_file().try_clone().unwrap();
            SharedBytes::open_window(file, offset, length, Path::new("window"))
        };
        assert_eq!(*window(1, 3).unwrap(), *b"ord");
        assert!(window(5, 0).unwrap().is_empty());
        for (offset, length) in [(0, 6), (6, 1), (u64::MAX, 1)] {
            let error = window(offset, length).unwrap_err();
            assert!(matches!(error, Error::Truncated { .. }), "{error}");
        }
    }
}
