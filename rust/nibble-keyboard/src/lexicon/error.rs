//! What can go wrong with a lexicon, and where.

use std::path::PathBuf;

/// An error of reading or building a lexicon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LexiconError {
    /// The file could not be mapped, or is no whole window of the one it is in.
    #[error(transparent)]
    File(#[from] nibble::Error),

    /// The operating system refused to read a word list or to write a lexicon.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },

    /// The bytes do not begin as a lexicon does.
    #[error("not a lexicon: it begins with {found:02x?}")]
    NotALexicon {
        /// Its first bytes (fewer than eight where it is shorter).
        found: Vec<u8>,
    },

    /// A lexicon of a version that this code does not read.
    #[error("lexicon version {found} is not supported ({supported} is)")]
    UnsupportedVersion {
        /// The version found.
        found: u32,
        /// The version that is read.
        supported: u32,
    },

    /// The file is shorter or longer than its header says.
    #[error("lexicon has {found} bytes, its header says {expected}")]
    WrongLength {
        /// Bytes according to the header.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },

    /// The checksum does not match: the file is damaged.
    #[error("lexicon is damaged: its checksum is {found:08x}, its header says {expected:08x}")]
    WrongChecksum {
        /// Checksum in the header.
        expected: u32,
        /// Checksum of the bytes.
        found: u32,
    },

    /// The file contradicts itself or the format.
    #[error("lexicon is malformed at byte {offset}: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, in bytes from the start of the file.
        offset: u64,
    },

    /// A line of a word list cannot be read.
    #[error("word list, line {line}: {what}")]
    InvalidLine {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },

    /// A word that no lexicon can hold: empty, or with a blank or control character in it.
    #[error("entry {position} of the word list is empty, or has a blank or a control character")]
    InvalidWord {
        /// The entry, counted from 0.
        position: usize,
    },

    /// There is nothing to build from: no entry has a positive count.
    #[error("the word list is empty")]
    Empty,

    /// More than a lexicon can hold.
    #[error("the word list is too large: {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
    },
}
