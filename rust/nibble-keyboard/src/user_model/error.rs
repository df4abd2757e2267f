//! What can go wrong with the store of a user model.

use std::path::PathBuf;

/// An error of the user model. Nothing that was stored before is lost by any of them, and the
/// model in memory is what it was before the call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserModelError {
    /// The operating system refused to open, read or write; a full disk is one reason.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },

    /// Another process, or another model of this one, writes to the file.
    #[error("{}: in use by another writer", file.display())]
    InUse {
        /// The file.
        file: PathBuf,
    },

    /// The file holds something else. It is left alone.
    #[error("{}: not a user model", file.display())]
    NotAUserModel {
        /// The file.
        file: PathBuf,
    },

    /// The model was opened for reading only.
    #[error("the user model was opened for reading only")]
    ReadOnly,

    /// A line of an import cannot be read; nothing was imported.
    #[error("import, line {line}: {what}")]
    InvalidLine {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}
