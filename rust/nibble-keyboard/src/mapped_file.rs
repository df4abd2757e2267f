//! A file's bytes, mapped read-only or owned.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};

/// Immutable bytes of a file; clones share them.
#[derive(Clone)]
pub(crate) struct FileBytes {
    owner: Owner,
    range: Range<usize>,
}

#[derive(Clone)]
enum Owner {
    Heap(Arc<[u8]>),
    Map(Arc<Mmap>),
}

impl Owner {
    fn bytes(&self) -> &[u8] {
        match self {
            Owner::Heap(bytes) => bytes,
            Owner::Map(map) => map,
        }
    }
}

impl FileBytes {
    /// Maps the whole file at `path`. An empty file becomes empty bytes.
    pub(crate) fn map(path: &Path) -> std::io::Result<FileBytes> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        FileBytes::map_window(&file, 0, length)
    }

    /// Maps `length` bytes from byte `offset` of an open file, which may be closed afterwards. None become
    /// empty bytes; a window that reaches beyond the end is an error of the kind `UnexpectedEof`.
    pub(crate) fn map_window(file: &File, offset: u64, length: u64) -> std::io::Result<FileBytes> {
        let available = file.metadata()?.len();
        let end = offset.checked_add(length);
        if end.is_none_or(|end| end > available) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if length == 0 {
            return Ok(FileBytes::from(Vec::new()));
        }
        let length = usize::try_from(length).map_err(|_| ErrorKind::FileTooLarge)?;
        // SAFETY: the map is read-only and private to this type. Its bytes stay what they are as
        // long as nobody writes into or truncates the file in place: files of this crate are only
        // ever replaced by renaming a new one over them, which leaves the mapped one untouched;
        // the documentation of whoever maps states that requirement.
        let map = unsafe { MmapOptions::new().offset(offset).len(length).map(file)? };
        let range = 0..map.len();
        Ok(FileBytes {
            owner: Owner::Map(Arc::new(map)),
            range,
        })
    }

    /// The part `range` of these bytes, without a copy; `None` where it reaches beyond the end.
    pub(crate) fn section(&self, range: Range<usize>) -> Option<FileBytes> {
        let start = self.range.start.checked_add(range.start)?;
        let end = self.range.start.checked_add(range.end)?;
        (start <= end && end <= self.range.end).then(|| FileBytes {
            owner: self.owner.clone(),
            range: start..end,
        })
    }
}

impl From<Vec<u8>> for FileBytes {
    fn from(bytes: Vec<u8>) -> FileBytes {
        let range = 0..bytes.len();
        FileBytes {
            owner: Owner::Heap(bytes.into()),
            range,
        }
    }
}

impl AsRef<[u8]> for FileBytes {
    fn as_ref(&self) -> &[u8] {
        self.owner
            .bytes()
            .get(self.range.clone())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_nest_and_never_reach_outside() {
        let bytes = FileBytes::from(vec![0, 1, 2, 3, 4, 5]);
        let inner = bytes.section(2..5).unwrap();
        assert_eq!(inner.as_ref(), [2, 3, 4]);
        assert_eq!(inner.section(1..3).unwrap().as_ref(), [3, 4]);
        assert!(inner.section(0..4).is_none());
        assert!(bytes.section(usize::MAX..usize::MAX).is_none());
    }

    #[test]
    fn a_mapped_file_reads_like_its_contents() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(FileBytes::map(file.path()).unwrap().as_ref().is_empty());
        std::fs::write(file.path(), b"words").unwrap();
        assert_eq!(FileBytes::map(file.path()).unwrap().as_ref(), b"words");

        let window = |offset, length| FileBytes::map_window(file.as_file(), offset, length);
        assert_eq!(window(1, 3).unwrap().as_ref(), b"ord");
        assert!(window(5, 0).unwrap().as_ref().is_empty());
        for (offset, length) in [(0, 6), (6, 0), (u64::MAX, 1)] {
            let error = window(offset, length).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    }
}
