//! `nibble type --keys`: keys in, a screen out.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::*;

/// `nibble type`, with no lexicon but the one that this makes.
fn keyboard(directory: &Path, arguments: &str, keys: &str) -> Command {
    let words = directory.join("words.tsv");
    std::fs::write(&words, "the\t1000\nworld\t900\nhouse\t800\npeople\t700\n").unwrap();
    let lexicon = directory.join("words.lex");
    let mut build = nibble("lexicon build --language en");
    succeed(&build.arg(&words).arg(&lexicon).output().unwrap());
    let mut command = nibble("type");
    command.args(arguments.split_whitespace());
    command
        .arg("--lexicon")
        .arg(lexicon)
        .arg("--keys")
        .arg(keys);
    command
}

#[test]
fn keys_are_played_and_the_screen_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let picture = directory.path().join("screen.svg");
    let mut command = keyboard(directory.path(), "", "the wprld ho{1}of <peo");
    command
        .arg("--model")
        .arg(tiny())
        .arg("--svg")
        .arg(&picture);
    let screen = succeed(&command.output().unwrap());
    assert!(screen.contains("The world house of <peo▏"), "{screen}");
    assert!(screen.contains("model-q4_k_m.gguf   message"), "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80));
    let svg = std::fs::read_to_string(picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert!(svg.contains(">&lt;<"), "{svg}");
}

#[test]
fn programs_get_the_outcome_as_an_object() {
    let directory = tempfile::tempdir().unwrap();
    let outcome = object(&mut keyboard(directory.path(), "--json", "the wprld"));
    assert_eq!(outcome["text"], "The wprld");
    assert_eq!(outcome["strip"], json!(["wprld", "world"]));
    assert_eq!(outcome["highlighted"], 1);
    assert_eq!(
        (&outcome["keys"], &outcome["characters"]),
        (&json!(9), &json!(9))
    );
    let secret = object(&mut keyboard(
        directory.path(),
        "--json --field password",
        "abc",
    ));
    assert_eq!(secret["text"], "•••");
}

#[test]
fn words_that_were_typed_are_known_next_time() {
    let directory = tempfile::tempdir().unwrap();
    let words = directory.path().join("words.user");
    for keys in ["zorblax ", "zorblax the "] {
        let mut command = keyboard(directory.path(), "", keys);
        succeed(&command.arg("--user-model").arg(&words).output().unwrap());
    }
    let mut command = keyboard(directory.path(), "--json", "zor");
    let outcome = object(command.arg("--user-model").arg(&words));
    assert_eq!(outcome["strip"][0], "Zorblax", "{outcome}");
}

#[test]
fn without_a_terminal_keys_must_be_given_and_be_known() {
    let output = nibble("type --json").output().unwrap();
    assert_eq!(json_error(&output).0, "usage");
    let output = nibble("type").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no terminal"));
    let output = nibble("type --json --keys {space}").output().unwrap();
    let (kind, message) = json_error(&output);
    assert_eq!((kind.as_str(), output.status.code()), ("usage", Some(2)));
    assert!(message.contains("{space}"), "{message}");
    assert_eq!(
        nibble("type --svg file").output().unwrap().status.code(),
        Some(2)
    );
}
