//! The file under a user model: appended to, and replaced as a whole.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::error::UserModelError;
use super::record::{Record, Recovered, recover};

/// The open file. Its one writer holds a lock on a second file beside it (the name with `.lock`
/// appended), which stays when the first is replaced; the lock goes when the process does.
pub(super) struct Store {
    path: PathBuf,
    file: File,
    /// Bytes of whole records, and of torn ones that could not be taken back.
    length: u64,
    _lock: File,
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Options for a file that only its owner may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes the lock of an open file, which goes when the file is closed; false where somebody else has it.
/// The standard library has none on Android.
#[cfg(unix)]
fn try_lock(file: &File) -> std::io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn try_lock(file: &File) -> std::io::Result<bool> {
    use std::fs::TryLockError;
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn io_error(file: &Path) -> impl FnOnce(std::io::Error) -> UserModelError {
    move |source| UserModelError::Io {
        file: file.to_owned(),
        source,
    }
}

fn read_records(path: &Path, file: &mut File) -> Result<(Recovered, u64), UserModelError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io_error(path))?;
    let recovered = recover(&bytes);
    if recovered.records.is_empty() && !recovered.may_be_torn {
        return Err(UserModelError::NotAUserModel {
            file: path.to_owned(),
        });
    }
    Ok((recovered, bytes.len() as u64))
}

impl Store {
    /// Opens or creates the file for writing, and reads it. A torn end is cut off.
    pub(super) fn open(path: &Path) -> Result<(Store, Vec<Record>), UserModelError> {
        let lock_path = with_suffix(path, ".lock");
        let lock = private()
            .create(true)
            .append(true)
            .open(&lock_path)
            .map_err(io_error(&lock_path))?;
        if !try_lock(&lock).map_err(io_error(&lock_path))? {
            return Err(UserModelError::InUse {
                file: path.to_owned(),
            });
        }
        let mut file = private()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(io_error(path))?;
        let (recovered, found) = read_records(path, &mut file)?;
        let length = recovered.end as u64;
        if length < found {
            file.set_len(length).map_err(io_error(path))?;
        }
        Ok((
            Store {
                path: path.to_owned(),
                file,
                length,
                _lock: lock,
            },
            recovered.records,
        ))
    }

    /// Reads the file without touching it or its lock.
    pub(super) fn read(path: &Path) -> Result<Vec<Record>, UserModelError> {
        let mut file = File::open(path).map_err(io_error(path))?;
        Ok(read_records(path, &mut file)?.0.records)
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Appends a record in one write. Where that fails, what was written of it is taken back.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), UserModelError> {
        let mut bytes = Vec::new();
        record.write(&mut bytes);
        if let Err(source) = self.file.write_all(&bytes) {
            if self.file.set_len(self.length).is_err()
                && let Ok(metadata) = self.file.metadata()
            {
                // The torn record stays, for the next reader to skip; what comes after it must not
                // be cut off should another write fail.
                self.length = metadata.len();
            }
            return Err(io_error(&self.path)(source));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Replaces the file by one with these records: written beside it, forced to the disk, renamed
    /// over it. A reader finds the old file or the new one, never a mixture.
    pub(super) fn replace(&mut self, records: &[Record]) -> Result<(), UserModelError> {
        let mut bytes = Vec::new();
        for record in records {
            record.write(&mut bytes);
        }
        let path = with_suffix(&self.path, ".tmp");
        let written = self.write_new(&path, &bytes);
        match written {
            Ok(file) => {
                self.file = file;
                self.length = bytes.len() as u64;
                Ok(())
            }
            Err(source) => {
                let _ = std::fs::remove_file(&path);
                Err(io_error(&path)(source))
            }
        }
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> std::io::Result<File> {
        // What an interrupted replacement left is not appended to.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private().append(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(path, &self.path)?;
        // The rename itself reaches the disk with the directory; not every system can do that.
        if let Some(directory) = self.path.parent()
            && let Ok(directory) = File::open(directory)
        {
            let _ = directory.sync_all();
        }
        Ok(file)
    }

    /// Forces what was appended to the disk.
    pub(super) fn sync(&self) -> Result<(), UserModelError> {
        self.file.sync_data().map_err(io_error(&self.path))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// `/dev/full` refuses to be written and to be cut.
    #[test]
    fn the_length_is_that_of_the_file_where_a_torn_record_cannot_be_taken_back() {
        let place = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&place.path().join("words")).unwrap();
        let mut store = Store {
            file: OpenOptions::new().append(true).open("/dev/full").unwrap(),
            length: 100,
            ..store
        };
        let record = Record::Reverted {
            time: 0,
            word: "word".to_owned(),
        };
        assert!(matches!(
            store.append(&record),
            Err(UserModelError::Io { .. })
        ));
        assert_eq!(store.length(), store.file.metadata().unwrap().len());
    }
}
