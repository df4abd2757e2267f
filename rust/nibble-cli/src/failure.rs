//! What ends the command early, how it is told, and the exit code.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nibble::ErrorKind;
use nibble_keyboard::{LexiconError, UserModelError};
use serde::Serialize;

/// The work failed.
const FAILED: u8 = 1;
/// The command was used wrongly; clap's code too.
const MISUSED: u8 = 2;
/// Ended by Ctrl-C: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

/// Why the command ends without having done all of its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of the engine.
    Engine(nibble::Error),
    /// An error of the engine over one line of the input.
    Line {
        number: usize,
        source: nibble::Error,
    },
    /// The system refused to read or write something.
    Io { what: String, source: io::Error },
    /// What came in cannot be understood.
    Input(String),
    /// The command was used wrongly, in a way that its parser does not see.
    Usage(String),
    /// A lexicon or a word list that cannot be used.
    Lexicon {
        file: PathBuf,
        source: Box<LexiconError>,
    },
    /// The user's words cannot be read or written.
    UserModel(UserModelError),
    /// No file and no installed model has this name.
    ModelNotFound { name: PathBuf, hint: String },
    /// The self-test found a difference that is too large.
    SelfTest(String),
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads the output any more, which is no failure of ours.
    OutputClosed,
}

impl Failure {
    /// A lexicon in `file`, or a word list, that cannot be used.
    pub(crate) fn of_lexicon(file: &Path, source: LexiconError) -> Failure {
        Failure::Lexicon {
            file: file.to_path_buf(),
            source: Box::new(source),
        }
    }

    /// A failure to write results.
    pub(crate) fn of_output(source: io::Error) -> Failure {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Io {
                what: "standard output".to_owned(),
                source,
            },
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Failure::Engine(error) | Failure::Line { source: error, .. } => error.kind().name(),
            Failure::Io { .. } => ErrorKind::Io.name(),
            Failure::Input(_) => "invalid_input",
            Failure::Usage(_) => "usage",
            Failure::Lexicon { source, .. } => match &**source {
                LexiconError::File(error) => error.kind().name(),
                LexiconError::Io { .. } => ErrorKind::Io.name(),
                _ => "invalid_lexicon",
            },
            Failure::UserModel(error) => match error {
                UserModelError::Io { .. } => ErrorKind::Io.name(),
                UserModelError::InUse { .. } => "user_model_in_use",
                _ => "invalid_user_model",
            },
            Failure::ModelNotFound { .. } => "model_not_found",
            Failure::SelfTest(_) => "selftest_failed",
            Failure::Interrupted | Failure::OutputClosed => ErrorKind::Cancelled.name(),
        }
    }

    fn message(&self) -> String {
        match self {
            Failure::Engine(error) => error.to_string(),
            Failure::Line { number, source } => format!("line {number}: {source}"),
            Failure::Io { what, source } => format!("{what}: {source}"),
            Failure::Input(message) | Failure::Usage(message) | Failure::SelfTest(message) => {
                message.clone()
            }
            Failure::Lexicon { file, source } => match &**source {
                // They name the file themselves.
                LexiconError::File(error) => error.to_string(),
                LexiconError::Io { file, .. } if !file.as_os_str().is_empty() => source.to_string(),
                _ => format!("{}: {source}", file.display()),
            },
            Failure::UserModel(error) => error.to_string(),
            Failure::ModelNotFound { name, hint } => {
                format!(
                    "no file and no installed model is called {:?} ({hint})",
                    name.display()
                )
            }
            Failure::Interrupted | Failure::OutputClosed => "interrupted".to_owned(),
        }
    }

    /// Tells standard error, in one line, and gives the exit code.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        let code = match self {
            Failure::OutputClosed => return ExitCode::SUCCESS,
            Failure::Interrupted => return ExitCode::from(INTERRUPTED),
            Failure::Engine(error) if error.kind() == ErrorKind::InvalidArgument => MISUSED,
            Failure::Usage(_) => MISUSED,
            _ => FAILED,
        };
        let message = self.message();
        if json {
            write_json(self.kind(), &message);
        } else {
            write_line(&format!("error: {message}"));
        }
        ExitCode::from(code)
    }
}

impl From<nibble::Error> for Failure {
    fn from(error: nibble::Error) -> Failure {
        // The engine is only ever cancelled by Ctrl-C.
        match error.kind() {
            ErrorKind::Cancelled => Failure::Interrupted,
            _ => Failure::Engine(error),
        }
    }
}

impl From<UserModelError> for Failure {
    fn from(error: UserModelError) -> Failure {
        Failure::UserModel(error)
    }
}

/// Answers arguments that clap refused, or a call for help or the version. The arguments were not parsed, so
/// `--json` is looked for in them as they are.
pub(crate) fn report_usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == OsStr::new("--json"));
    if json && error.use_stderr() {
        let rendered = error.render().to_string();
        let first = rendered.lines().next().unwrap_or_default();
        write_json("usage", first.trim_start_matches("error: "));
        return ExitCode::from(MISUSED);
    }
    // Nothing can be told to somebody who does not listen.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(MISUSED)
    } else {
        ExitCode::SUCCESS
    }
}

#[derive(Serialize)]
struct Report<'a> {
    kind: &'a str,
    message: &'a str,
}

fn write_json(kind: &str, message: &str) {
    if let Ok(line) = serde_json::to_string(&Report { kind, message }) {
        write_line(&line);
    }
}

fn write_line(line: &str) {
    // Nothing can be told to somebody who does not listen.
    let _ = writeln!(io::stderr(), "{line}");
}
