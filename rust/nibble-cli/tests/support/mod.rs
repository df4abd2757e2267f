//! Runs the built command.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test helper fails by panicking"
)]

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The command with the arguments of a line, cut at spaces; more can be added.
pub(crate) fn nibble(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nibble"));
    command
        .args(arguments.split_whitespace())
        .stdin(Stdio::null());
    command
}

/// A model with all the parts of Phi-4-mini, small enough to run in no time.
pub(crate) fn tiny() -> PathBuf {
    nibble_testkit::fixture("phi3-tiny/model-q4_k_m.gguf")
}

/// `nibble NAME MODEL`, with more arguments cut at spaces.
pub(crate) fn on(name: &str, model: impl AsRef<Path>, arguments: &str) -> Command {
    let mut command = nibble(name);
    command
        .arg(model.as_ref())
        .args(arguments.split_whitespace());
    command
}

/// Runs `command` with `input` on standard input.
pub(crate) fn with_input(mut command: Command, input: impl AsRef<[u8]>) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that fails early does not read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_ref());
    child.wait_with_output().unwrap()
}

/// What the command wrote, after it ended well and wrote no error.
pub(crate) fn succeed(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.is_empty(),
        "{}: {stderr}",
        output.status
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one object that the command wrote.
pub(crate) fn object(command: &mut Command) -> Value {
    let stdout = succeed(&command.output().unwrap());
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(&stdout).unwrap()
}

/// The kind and the message of an error under `--json`, which has these two keys and no other.
pub(crate) fn json_error(output: &Output) -> (String, String) {
    let stderr = std::str::from_utf8(&output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let error: Value = serde_json::from_str(stderr).unwrap();
    assert_eq!(keys(&error), ["kind", "message"]);
    let text = |key: &str| error[key].as_str().unwrap().to_owned();
    (text("kind"), text("message"))
}

/// The keys of an object, in alphabetical order.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// The numbers of an array of token ids.
pub(crate) fn ids(array: &Value) -> Vec<u64> {
    array
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap())
        .collect()
}

/// A reference file beside the models.
pub(crate) fn reference(name: &str) -> Value {
    let file = nibble_testkit::fixture(name);
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// Adds an argument that must not be cut at its spaces.
pub(crate) fn arg(mut command: Command, argument: impl AsRef<OsStr>) -> Command {
    command.arg(argument);
    command
}
