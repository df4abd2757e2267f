//! A file that appears under its name only when it is whole and on the disk.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file in the making, under another name. Unless it is [published](Self::publish), it is removed in the end.
#[derive(Debug)]
pub(super) struct PartialFile {
    destination: PathBuf,
    path: PathBuf,
    out: BufWriter<File>,
    is_published: bool,
}

impl PartialFile {
    /// Begins the file anew, over what an earlier attempt left.
    ///
    /// # Errors
    /// `Io`, of the kind `WouldBlock` while somebody else writes it.
    pub(super) fn create(destination: &Path) -> Result<PartialFile> {
        let mut name = destination.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let file = open_alone(&path).map_err(|source| io_error(&path, source))?;
        Ok(PartialFile {
            destination: destination.to_path_buf(),
            path,
            out: BufWriter::with_capacity(1 << 20, file),
            is_published: false,
        })
    }

    /// Puts the file under its name, once it is on the disk.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn publish(mut self) -> Result<()> {
        let done = self
            .out
            .flush()
            .and_then(|()| self.out.get_ref().sync_all())
            .and_then(|()| fs::rename(&self.path, &self.destination));
        done.map_err(|source| io_error(&self.destination, source))?;
        self.is_published = true;
        Ok(())
    }

    /// An error of this file.
    pub(super) fn error(&self, source: io::Error) -> Error {
        io_error(&self.path, source)
    }
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.is_published {
            // Nothing can be done about a file that cannot be removed; it is overwritten next time.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// An empty file that nobody else writes to as long as it is open.
fn open_alone(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        // There are file systems without locks.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    // Whoever had the lock before may have published or removed the file that was opened here.
    if !is_at(&file, path)? {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    file.set_len(0)?;
    Ok(file)
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::metadata(path) {
        Ok(there) => Ok(place(there) == place(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    Ok(path.exists())
}

/// An error where a file of `needed` bytes does not fit the disk.
///
/// # Errors
/// `DiskSpace`; `Io` where there is no such directory.
pub(super) fn check_disk(destination: &Path, needed: u64) -> Result<()> {
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

fn io_error(file: &Path, source: io::Error) -> Error {
    Error::Io {
        file: file.to_path_buf(),
        source,
    }
}
