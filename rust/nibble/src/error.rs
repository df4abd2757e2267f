//! What can go wrong, with the file, tensor, offset or key it went wrong at.

use std::path::PathBuf;

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the engine. Each variant carries what a caller needs to tell the user; [`Error::kind`] is
/// the stable name to branch on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to open, read, map or write a file.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },

    /// The file does not begin with the four bytes `GGUF`.
    #[error("{}: not a GGUF file: it begins with {found:02x?}, not \"GGUF\"", file.display())]
    NotGguf {
        /// The file.
        file: PathBuf,
        /// Its first bytes (fewer than four where the file is shorter).
        found: Vec<u8>,
    },

    /// A GGUF version other than 2 and 3, or a big-endian file.
    #[error("{}: GGUF version {found} is not supported (2 and 3 are){}", file.display(), byte_order_note(*found))]
    UnsupportedVersion {
        /// The file.
        file: PathBuf,
        /// The version found, read as little-endian.
        found: u32,
    },

    /// The file ends before something that its header promises.
    #[error("{}: truncated: {what} at byte {offset} needs {needed} bytes, the file has {available} more", file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// What was being read: a header field, a key, a tensor.
        what: String,
        /// Where it begins, in bytes from the start of the file (of the window, for a descriptor).
        offset: u64,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are there from `offset` on.
        available: u64,
    },

    /// The file contradicts itself or the GGUF specification.
    #[error("{}: malformed: {what} at byte {offset}: expected {expected}, found {found}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The header field, key or tensor.
        what: String,
        /// Where, in bytes from the start of the file (of the window, for a descriptor).
        offset: u64,
        /// What the specification allows there.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A metadata key that the model needs is absent.
    #[error("{}: metadata key {key:?} is missing", file.display())]
    MissingKey {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
    },

    /// A metadata key holds a value of another type or outside the allowed range.
    #[error("{}: metadata key {key:?}: expected {expected}, found {found}", file.display())]
    InvalidKey {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// The type or range expected.
        expected: String,
        /// The type or value found.
        found: String,
    },

    /// A tensor that the architecture needs is absent.
    #[error("{}: tensor {tensor:?} is missing", file.display())]
    MissingTensor {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
    },

    /// A tensor has another shape than the metadata says, or values that it cannot have.
    #[error("{}: tensor {tensor:?}: expected {expected}, found {found}", file.display())]
    InvalidTensor {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape or property expected.
        expected: String,
        /// What the file has.
        found: String,
    },

    /// A network that this engine does not know.
    #[error("{}: architecture {found:?} is not supported (llama and phi3 are)", file.display())]
    UnsupportedArchitecture {
        /// The file.
        file: PathBuf,
        /// `general.architecture` of the file.
        found: String,
    },

    /// A tensor in a block format that this engine does not know.
    #[error("{}: tensor {tensor:?} has type {found}, which is not supported", file.display())]
    UnsupportedQuantization {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Name or number of its type.
        found: String,
    },

    /// A tokenizer, or a pre-tokenizer, that this engine does not know.
    #[error("{}: {what} {found:?} is not supported (supported: {supported})", file.display())]
    UnsupportedTokenizer {
        /// The file.
        file: PathBuf,
        /// "tokenizer model" or "pre-tokenizer".
        what: &'static str,
        /// Its name in the file.
        found: String,
        /// The names that are supported.
        supported: &'static str,
    },

    /// A feature that the file asks for and the engine does not have.
    #[error("{}: {what} is not supported: {found}", file.display())]
    Unsupported {
        /// The file.
        file: PathBuf,
        /// The feature, such as "rope scaling".
        what: &'static str,
        /// The value found.
        found: String,
    },

    /// The file became shorter, or was replaced in place, while it was mapped.
    #[error("{}: changed while in use: {expected} bytes when it was opened, {found} now", file.display())]
    FileChanged {
        /// The file.
        file: PathBuf,
        /// Its length when it was mapped.
        expected: u64,
        /// Its length now.
        found: u64,
    },

    /// Memory could not be had.
    #[error("out of memory: {needed} bytes for {what}")]
    OutOfMemory {
        /// What the memory was for.
        what: &'static str,
        /// Bytes asked for.
        needed: u64,
    },

    /// A file does not fit the disk.
    #[error("{}: {needed} bytes are needed, the disk has {available} free", file.display())]
    DiskSpace {
        /// The file that was to be written.
        file: PathBuf,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are free for this user.
        available: u64,
    },

    /// The contents of a file are not what was written.
    #[error("{}: the checksum is {found}, not {expected}", file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// SHA-256 that it should have, in hexadecimal.
        expected: String,
        /// SHA-256 of what is there.
        found: String,
    },

    /// The sequence does not fit the session's context.
    #[error("context full: {needed} positions are needed, the session has {capacity}")]
    ContextFull {
        /// Positions that the sequence would take.
        needed: usize,
        /// Positions that the session has.
        capacity: usize,
    },

    /// A token id outside the vocabulary.
    #[error("token {token} is outside the vocabulary of {vocabulary}")]
    InvalidToken {
        /// The id.
        token: u32,
        /// Number of tokens.
        vocabulary: usize,
    },

    /// An argument outside its range; nothing was done.
    #[error("invalid {argument}: expected {expected}, found {found}")]
    InvalidArgument {
        /// The argument.
        argument: &'static str,
        /// The range allowed.
        expected: String,
        /// What was given.
        found: String,
    },

    /// A backend other than the CPU's cannot be used, or failed. Where one fails on the way, the CPU takes over and
    /// nobody sees this error but in [`Fallback`](crate::backend::Fallback).
    #[error("the {backend} backend cannot be used: {reason}")]
    Backend {
        /// Its name.
        backend: &'static str,
        /// What it said.
        reason: String,
    },

    /// The work was cancelled through a handle. The session is as it was before the call, or holds a
    /// valid prefix of what was asked; it can be used again.
    #[error("cancelled")]
    Cancelled,

    /// A bug in Nibble. Reported instead of a panic; please report it.
    #[error("internal error: {what}")]
    Internal {
        /// Where and what.
        what: String,
    },
}

fn byte_order_note(version: u32) -> &'static str {
    match version.swap_bytes() {
        1..=0xffff => "; it looks like a big-endian file",
        _ => "",
    }
}

/// What went wrong, without the context: stable names to branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// See [`Error::Io`].
    Io,
    /// See [`Error::NotGguf`].
    NotGguf,
    /// See [`Error::UnsupportedVersion`].
    UnsupportedVersion,
    /// See [`Error::Truncated`].
    Truncated,
    /// See [`Error::Malformed`].
    Malformed,
    /// See [`Error::MissingKey`].
    MissingKey,
    /// See [`Error::InvalidKey`].
    InvalidKey,
    /// See [`Error::MissingTensor`].
    MissingTensor,
    /// See [`Error::InvalidTensor`].
    InvalidTensor,
    /// See [`Error::UnsupportedArchitecture`].
    UnsupportedArchitecture,
    /// See [`Error::UnsupportedQuantization`].
    UnsupportedQuantization,
    /// See [`Error::UnsupportedTokenizer`].
    UnsupportedTokenizer,
    /// See [`Error::Unsupported`].
    Unsupported,
    /// See [`Error::FileChanged`].
    FileChanged,
    /// See [`Error::OutOfMemory`].
    OutOfMemory,
    /// See [`Error::DiskSpace`].
    DiskSpace,
    /// See [`Error::Checksum`].
    Checksum,
    /// See [`Error::ContextFull`].
    ContextFull,
    /// See [`Error::InvalidToken`].
    InvalidToken,
    /// See [`Error::InvalidArgument`].
    InvalidArgument,
    /// See [`Error::Backend`].
    Backend,
    /// See [`Error::Cancelled`].
    Cancelled,
    /// See [`Error::Internal`].
    Internal,
}

impl ErrorKind {
    /// The name in `snake_case`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Io => "io",
            ErrorKind::NotGguf => "not_gguf",
            ErrorKind::UnsupportedVersion => "unsupported_version",
            ErrorKind::Truncated => "truncated",
            ErrorKind::Malformed => "malformed",
            ErrorKind::MissingKey => "missing_key",
            ErrorKind::InvalidKey => "invalid_key",
            ErrorKind::MissingTensor => "missing_tensor",
            ErrorKind::InvalidTensor => "invalid_tensor",
            ErrorKind::UnsupportedArchitecture => "unsupported_architecture",
            ErrorKind::UnsupportedQuantization => "unsupported_quantization",
            ErrorKind::UnsupportedTokenizer => "unsupported_tokenizer",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::FileChanged => "file_changed",
            ErrorKind::OutOfMemory => "out_of_memory",
            ErrorKind::DiskSpace => "disk_space",
            ErrorKind::Checksum => "checksum",
            ErrorKind::ContextFull => "context_full",
            ErrorKind::InvalidToken => "invalid_token",
            ErrorKind::InvalidArgument => "invalid_argument",
            ErrorKind::Backend => "backend",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::Internal => "internal",
        }
    }
}

impl Error {
    /// The stable name of what went wrong.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Io { .. } => ErrorKind::Io,
            Error::NotGguf { .. } => ErrorKind::NotGguf,
            Error::UnsupportedVersion { .. } => ErrorKind::UnsupportedVersion,
            Error::Truncated { .. } => ErrorKind::Truncated,
            Error::Malformed { .. } => ErrorKind::Malformed,
            Error::MissingKey { .. } => ErrorKind::MissingKey,
            Error::InvalidKey { .. } => ErrorKind::InvalidKey,
            Error::MissingTensor { .. } => ErrorKind::MissingTensor,
            Error::InvalidTensor { .. } => ErrorKind::InvalidTensor,
            Error::UnsupportedArchitecture { .. } => ErrorKind::UnsupportedArchitecture,
            Error::UnsupportedQuantization { .. } => ErrorKind::UnsupportedQuantization,
            Error::UnsupportedTokenizer { .. } => ErrorKind::UnsupportedTokenizer,
            Error::Unsupported { .. } => ErrorKind::Unsupported,
            Error::FileChanged { .. } => ErrorKind::FileChanged,
            Error::OutOfMemory { .. } => ErrorKind::OutOfMemory,
            Error::DiskSpace { .. } => ErrorKind::DiskSpace,
            Error::Checksum { .. } => ErrorKind::Checksum,
            Error::ContextFull { .. } => ErrorKind::ContextFull,
            Error::InvalidToken { .. } => ErrorKind::InvalidToken,
            Error::InvalidArgument { .. } => ErrorKind::InvalidArgument,
            Error::Backend { .. } => ErrorKind::Backend,
            Error::Cancelled => ErrorKind::Cancelled,
            Error::Internal { .. } => ErrorKind::Internal,
        }
    }
}

impl From<nibble_kernels::KernelError> for Error {
    fn from(error: nibble_kernels::KernelError) -> Error {
        match error {
            nibble_kernels::KernelError::Cancelled => Error::Cancelled,
            nibble_kernels::KernelError::OutOfMemory { needed } => Error::OutOfMemory {
                what: "quantized activations",
                needed: needed as u64,
            },
            other => Error::Internal {
                what: other.to_string(),
            },
        }
    }
}

impl From<nibble_kernels::Cancelled> for Error {
    fn from(_: nibble_kernels::Cancelled) -> Error {
        Error::Cancelled
    }
}
