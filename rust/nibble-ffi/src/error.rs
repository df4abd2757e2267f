//! The one error that crosses to other languages.

use nibble_keyboard::emoji::EmojiTableError;
use nibble_keyboard::geometry::LayoutError;
use nibble_keyboard::lexicon::LexiconError;
use nibble_keyboard::user_model::UserModelError;

/// Result of everything that is exported.
pub type Result<T, E = NibbleError> = std::result::Result<T, E>;

/// What went wrong. The variant says what an app can do about it; `code` is the exact and stable name, in
/// `snake_case`; `detail` is a sentence in English for developers, which never holds typed text. Sizes count
/// bytes unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Error)]
pub enum NibbleError {
    /// There is no such file.
    NotFound {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file.
        file: String,
    },
    /// The system refused to open, read, map or write: a directory, no permission, a full disk.
    Io {
        /// Exact name.
        code: String,
        /// What happened, in the system's words.
        detail: String,
        /// The file.
        file: String,
    },
    /// The file is something else.
    WrongFormat {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file.
        file: String,
    },
    /// The file ends before something that it promises: a download was cut off.
    Truncated {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file.
        file: String,
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that are there.
        available: u64,
    },
    /// The file contradicts itself.
    Damaged {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file; empty where it was given as bytes.
        file: String,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file is in order, and asks for what this version does not have.
    Unsupported {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file.
        file: String,
        /// What it asks for.
        found: String,
    },
    /// The file became shorter, or was replaced, while it was mapped.
    FileChanged {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file.
        file: String,
        /// Its length when it was opened.
        expected: u64,
        /// Its length now.
        found: u64,
    },
    /// The file's checksum is another one.
    ChecksumMismatch {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file.
        file: String,
        /// SHA-256 that it should have, in hexadecimal.
        expected: String,
        /// SHA-256 that it has.
        found: String,
    },
    /// The model needs more memory than the limit that was given.
    MemoryLimit {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file.
        file: String,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that the limit allows.
        available: u64,
    },
    /// Memory could not be had.
    OutOfMemory {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// Bytes asked for.
        needed: u64,
    },
    /// A file that was to be written does not fit the disk; nothing is left of it.
    DiskSpace {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file that was to be written.
        file: String,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are free for this user.
        available: u64,
    },
    /// The text does not fit the session's context.
    ContextFull {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// Tokens that it would take.
        needed: u64,
        /// Tokens that the session has room for.
        available: u64,
    },
    /// An argument outside its range; nothing was done.
    InvalidArgument {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The argument.
        argument: String,
        /// What is allowed.
        expected: String,
        /// What was given; empty for text, which is not repeated.
        found: String,
    },
    /// The work was cancelled. The session can be used again.
    Cancelled {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
    },
    /// Another thread is using the object.
    Busy {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
    },
    /// The object, or one that it stands on, was released.
    Closed {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
    },
    /// Another process, or another object of this one, writes to the file.
    InUse {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
        /// The file.
        file: String,
    },
    /// It was opened for reading only.
    ReadOnly {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
    },
    /// A bug in Nibble; please report it.
    Internal {
        /// Exact name.
        code: String,
        /// What happened.
        detail: String,
    },
}

impl NibbleError {
    /// Another thread is using `what`.
    pub(crate) fn busy(what: &str) -> NibbleError {
        NibbleError::Busy {
            code: "busy".to_owned(),
            detail: format!("another thread is using the {what}"),
        }
    }

    /// `what` was released.
    pub(crate) fn closed(what: &str) -> NibbleError {
        NibbleError::Closed {
            code: "closed".to_owned(),
            detail: format!("the {what} was released"),
        }
    }

    /// A value that the engine has and this layer has no name for yet.
    pub(crate) fn unnamed(what: &str) -> NibbleError {
        NibbleError::Internal {
            code: "internal".to_owned(),
            detail: format!("the bindings have no name for a {what}"),
        }
    }

    /// An argument that is not `expected`.
    pub(crate) fn invalid(
        argument: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> NibbleError {
        let (expected, found) = (expected.into(), found.into());
        let but = match found.as_str() {
            "" => String::new(),
            found => format!(", found {found}"),
        };
        NibbleError::InvalidArgument {
            code: "invalid_argument".to_owned(),
            detail: format!("invalid {argument}: expected {expected}{but}"),
            argument: argument.to_owned(),
            expected,
            found,
        }
    }

    /// JSON of another form than `argument` has. What it holds is not repeated: it may be typed text.
    pub(crate) fn json(argument: &str, error: &serde_json::Error) -> NibbleError {
        let (line, column) = (error.line(), error.column());
        let what = match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            serde_json::error::Category::Syntax => "it is no JSON",
            _ => "it has another form",
        };
        NibbleError::invalid(
            argument,
            format!("JSON of the documented form ({what}, line {line}, column {column})"),
            "",
        )
    }

    /// The system's error about `file`.
    pub(crate) fn io(file: String, source: &std::io::Error) -> NibbleError {
        let detail = format!("{file}: {source}");
        match source.kind() {
            std::io::ErrorKind::NotFound => NibbleError::NotFound {
                code: "not_found".to_owned(),
                detail,
                file,
            },
            _ => NibbleError::Io {
                code: "io".to_owned(),
                detail,
                file,
            },
        }
    }
}

impl std::fmt::Display for NibbleError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use NibbleError::*;
        match self {
            NotFound { detail, .. }
            | Io { detail, .. }
            | WrongFormat { detail, .. }
            | Truncated { detail, .. }
            | Damaged { detail, .. }
            | Unsupported { detail, .. }
            | FileChanged { detail, .. }
            | ChecksumMismatch { detail, .. }
            | MemoryLimit { detail, .. }
            | OutOfMemory { detail, .. }
            | DiskSpace { detail, .. }
            | ContextFull { detail, .. }
            | InvalidArgument { detail, .. }
            | Cancelled { detail, .. }
            | Busy { detail, .. }
            | Closed { detail, .. }
            | InUse { detail, .. }
            | ReadOnly { detail, .. }
            | Internal { detail, .. } => formatter.write_str(detail),
        }
    }
}

impl std::error::Error for NibbleError {}

impl From<nibble::Error> for NibbleError {
    fn from(error: nibble::Error) -> NibbleError {
        use nibble::Error;
        let detail = error.to_string();
        let code = error.kind().name().to_owned();
        let name = |file: &std::path::Path| file.to_string_lossy().into_owned();
        match error {
            Error::Io { file, source } => NibbleError::io(name(&file), &source),
            Error::NotGguf { file, .. } => NibbleError::WrongFormat {
                code,
                detail,
                file: name(&file),
            },
            Error::Truncated {
                file,
                needed,
                available,
                ..
            } => NibbleError::Truncated {
                code,
                detail,
                file: name(&file),
                needed,
                available,
            },
            Error::Malformed {
                file,
                expected,
                found,
                ..
            }
            | Error::InvalidKey {
                file,
                expected,
                found,
                ..
            }
            | Error::InvalidTensor {
                file,
                expected,
                found,
                ..
            } => NibbleError::Damaged {
                code,
                detail,
                file: name(&file),
                expected,
                found,
            },
            Error::MissingKey {
                file,
                key: expected,
            }
            | Error::MissingTensor {
                file,
                tensor: expected,
            } => NibbleError::Damaged {
                code,
                detail,
                file: name(&file),
                expected,
                found: String::new(),
            },
            Error::UnsupportedVersion { file, found } => NibbleError::Unsupported {
                code,
                detail,
                file: name(&file),
                found: found.to_string(),
            },
            Error::UnsupportedArchitecture { file, found }
            | Error::UnsupportedQuantization { file, found, .. }
            | Error::UnsupportedTokenizer { file, found, .. }
            | Error::Unsupported { file, found, .. } => NibbleError::Unsupported {
                code,
                detail,
                file: name(&file),
                found,
            },
            Error::FileChanged {
                file,
                expected,
                found,
            } => NibbleError::FileChanged {
                code,
                detail,
                file: name(&file),
                expected,
                found,
            },
            Error::OutOfMemory { needed, .. } => NibbleError::OutOfMemory {
                code,
                detail,
                needed,
            },
            Error::DiskSpace {
                file,
                needed,
                available,
            } => NibbleError::DiskSpace {
                code,
                detail,
                file: name(&file),
                needed,
                available,
            },
            Error::ContextFull { needed, capacity } => NibbleError::ContextFull {
                code,
                detail,
                needed: needed as u64,
                available: capacity as u64,
            },
            Error::InvalidToken { token, vocabulary } => NibbleError::InvalidArgument {
                code,
                detail,
                argument: "token".to_owned(),
                expected: format!("less than {vocabulary}"),
                found: token.to_string(),
            },
            Error::InvalidArgument {
                argument,
                expected,
                found,
            } => NibbleError::InvalidArgument {
                code,
                detail,
                argument: argument.to_owned(),
                expected,
                found,
            },
            // Only a choice that cannot be made gets here: where a backend fails, the CPU takes over.
            Error::Backend { backend, reason } => NibbleError::InvalidArgument {
                code,
                detail,
                argument: "backend".to_owned(),
                expected: format!("one that can be used: {reason}"),
                found: backend.to_owned(),
            },
            Error::Cancelled => NibbleError::Cancelled { code, detail },
            _ => NibbleError::Internal { code, detail },
        }
    }
}

impl NibbleError {
    /// An error of the lexicon in `file`, which is empty for bytes.
    pub(crate) fn lexicon(file: &str, error: LexiconError) -> NibbleError {
        let place = if file.is_empty() { "" } else { ": " };
        let detail = format!("{file}{place}{error}");
        let file = file.to_owned();
        let damaged = |code: &str, expected: String, found: String| NibbleError::Damaged {
            code: code.to_owned(),
            detail: detail.clone(),
            file: file.clone(),
            expected,
            found,
        };
        match error {
            LexiconError::File(error) => error.into(),
            LexiconError::Io { file, source } => {
                NibbleError::io(file.to_string_lossy().into_owned(), &source)
            }
            LexiconError::NotALexicon { .. } => NibbleError::WrongFormat {
                code: "not_a_lexicon".to_owned(),
                detail,
                file,
            },
            LexiconError::UnsupportedVersion { found, .. } => NibbleError::Unsupported {
                code: "unsupported_version".to_owned(),
                detail,
                file,
                found: found.to_string(),
            },
            LexiconError::WrongLength { expected, found } if found < expected => {
                NibbleError::Truncated {
                    code: "truncated".to_owned(),
                    detail,
                    file,
                    needed: expected,
                    available: found,
                }
            }
            LexiconError::WrongLength { expected, found } => damaged(
                "wrong_length",
                format!("{expected} bytes"),
                format!("{found} bytes"),
            ),
            LexiconError::WrongChecksum { expected, found } => damaged(
                "wrong_checksum",
                format!("{expected:08x}"),
                format!("{found:08x}"),
            ),
            _ => damaged("malformed", String::new(), String::new()),
        }
    }
}

impl From<UserModelError> for NibbleError {
    fn from(error: UserModelError) -> NibbleError {
        let detail = error.to_string();
        match error {
            UserModelError::Io { file, source } => {
                NibbleError::io(file.to_string_lossy().into_owned(), &source)
            }
            UserModelError::InUse { file } => NibbleError::InUse {
                code: "in_use".to_owned(),
                detail,
                file: file.to_string_lossy().into_owned(),
            },
            UserModelError::NotAUserModel { file } => NibbleError::WrongFormat {
                code: "not_a_user_model".to_owned(),
                detail,
                file: file.to_string_lossy().into_owned(),
            },
            UserModelError::ReadOnly => NibbleError::ReadOnly {
                code: "read_only".to_owned(),
                detail,
            },
            UserModelError::InvalidLine { line, what } => {
                NibbleError::invalid("import", format!("a valid line {line}: {what}"), "")
            }
            _ => NibbleError::Internal {
                code: "internal".to_owned(),
                detail,
            },
        }
    }
}

impl From<LayoutError> for NibbleError {
    fn from(error: LayoutError) -> NibbleError {
        match error {
            LayoutError::Json(error) => NibbleError::json("layout", &error),
            other => NibbleError::invalid("layout", "a keyboard that has room", other.to_string()),
        }
    }
}

impl From<EmojiTableError> for NibbleError {
    fn from(error: EmojiTableError) -> NibbleError {
        NibbleError::invalid(
            "emoji table",
            "a word and its emoji on each line, separated by tabs",
            format!("another line {}", error.line),
        )
    }
}
