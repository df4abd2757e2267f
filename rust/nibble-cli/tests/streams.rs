//! Standard input, pipes and signals.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};

use nibble_testkit::smollm2;
use support::*;

#[test]
fn candidates_answers_each_line_before_the_next_comes() {
    let mut command = on("candidates", tiny(), "--top 2 --json");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for line in [
        "{\"text\": \"In the\"}\n",
        "\n{\"ids\": [5, 6]}\r\n",
        "{\"text\": \"In the\"}\n",
    ] {
        input.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["top"].as_array().unwrap().len(), 2);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_line_that_cannot_be_answered_ends_candidates_with_its_number() {
    let vocabulary_end = "{\"ids\":[1024]}";
    for (line, kind) in [
        ("not json", "invalid_input"),
        ("{}", "invalid_input"),
        ("[1, 2]", "invalid_input"),
        ("{\"text\": 3}", "invalid_input"),
        ("{\"text\": \"a\", \"ids\": [1]}", "invalid_input"),
        ("{\"text\": \"secret\", \"more\": 1}", "invalid_input"),
        ("{\"ids\": [-1]}", "invalid_input"),
        ("{\"ids\": [1]} trailing", "invalid_input"),
        (vocabulary_end, "invalid_token"),
        ("{\"ids\": []}", "invalid_argument"),
    ] {
        let command = on("candidates", tiny(), "--top 1 --json");
        let output = with_input(
            command,
            format!("{{\"ids\":[7]}}\n{line}\n{{\"ids\":[8]}}\n"),
        );
        let (found, message) = json_error(&output);
        assert_eq!(found, kind, "{line}: {message}");
        assert!(
            !message.contains("secret"),
            "typed text is in the error: {message}"
        );
        assert!(message.contains("line 2"), "{message}");
        assert_eq!(output.status.code(), Some(1), "{line}");
        // The line before it was answered.
        assert_eq!(
            output.stdout.iter().filter(|&&byte| byte == b'\n').count(),
            1
        );
    }
}

#[test]
fn input_that_is_not_utf8_is_an_error() {
    for command in ["tokenize", "generate", "candidates"] {
        let output = with_input(on(command, tiny(), "--json"), b"gr\xfc\xdfe\n");
        let (kind, message) = json_error(&output);
        assert_eq!(kind, "invalid_input");
        assert!(message.contains("byte 2"), "{message}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn text_comes_from_standard_input_where_none_is_given() {
    let stdin = succeed(&with_input(
        on("tokenize", tiny(), "--json"),
        "In the beginning",
    ));
    let given = arg(on("tokenize", tiny(), "--json"), "--text=In the beginning");
    assert_eq!(stdin, succeed(&{ given }.output().unwrap()));
    assert_eq!(
        succeed(&with_input(on("tokenize", tiny(), "--json"), "")),
        "{\"ids\":[]}\n"
    );
    assert_eq!(
        succeed(&with_input(on("candidates", tiny(), "--json"), "")),
        ""
    );
}

/// A generation that would take minutes, and has begun.
#[cfg(unix)]
fn long_generation(more: &str) -> (Child, String) {
    let options = format!("--max-tokens 8000 --context 8192 --temperature 1 {more}");
    let mut command = arg(
        on("generate", smollm2(), &options),
        "--prompt=Once upon a time",
    );
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    (child, String::from_utf8_lossy(&first).into_owned())
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_generation_cleanly() {
    let (child, first) = long_generation("");
    let signal = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(signal.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let text = first + std::str::from_utf8(&output.stdout).unwrap();
    assert!(text.ends_with('\n'), "{text}");
    assert!(output.stderr.is_empty());
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_work_quietly() {
    let (mut child, _) = long_generation("");
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );

    let mut command = on("inspect", smollm2(), "--json");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}
