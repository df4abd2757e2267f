//! One sentence, or one object, and the right exit code.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod support;

use std::path::Path;

use support::*;

#[test]
fn wrong_use_is_code_2_and_failed_work_code_1() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let whole = std::fs::read(tiny()).unwrap();
    std::fs::write(at("truncated.gguf"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(at("text.gguf"), "no model").unwrap();
    std::fs::write(at("short.txt"), "Too short.").unwrap();
    std::fs::write(at("latin1.txt"), b"gr\xfc\xdfe").unwrap();
    let generate = |more: &str| arg(on("generate", tiny(), more), "--prompt=In the beginning");
    let perplexity = |file: &Path| arg(on("perplexity", tiny(), "--file"), file);
    let mut installed = on("inspect", "no-such-name", "");
    installed.env("XDG_DATA_HOME", directory.path());

    for (mut command, kind, code, names) in [
        (
            on("inspect", at("missing.gguf"), ""),
            "io",
            1,
            "missing.gguf",
        ),
        (on("inspect", directory.path(), ""), "io", 1, ""),
        (installed, "model_not_found", 1, "no-such-name"),
        (
            on("inspect", at("truncated.gguf"), ""),
            "truncated",
            1,
            "truncated.gguf",
        ),
        (
            on("inspect", at("text.gguf"), ""),
            "not_gguf",
            1,
            "text.gguf",
        ),
        (
            on("selftest", at("truncated.gguf"), ""),
            "truncated",
            1,
            "truncated.gguf",
        ),
        (generate("--context 2"), "context_full", 1, "2"),
        (
            perplexity(&at("short.txt")),
            "invalid_input",
            1,
            "short.txt",
        ),
        (perplexity(&at("latin1.txt")), "invalid_input", 1, "byte 2"),
        (perplexity(&at("missing.txt")), "io", 1, "missing.txt"),
        (
            generate("--context 1000000"),
            "invalid_argument",
            2,
            "context",
        ),
        (
            generate("--temperature=-1"),
            "invalid_argument",
            2,
            "temperature",
        ),
        (generate("--top-p 2"), "invalid_argument", 2, "top-p"),
        (generate("--stop="), "invalid_argument", 2, "stop string"),
        (
            arg(on("generate", tiny(), ""), "--prompt="),
            "invalid_argument",
            2,
            "prompt",
        ),
        (generate("--kv f8"), "usage", 2, "f8"),
        (generate("--threads 0"), "usage", 2, "threads"),
        (generate("--no-such-option"), "usage", 2, "no-such-option"),
        (nibble("no-such-command"), "usage", 2, "no-such-command"),
        (nibble("generate"), "usage", 2, "required"),
    ] {
        let human = command.output().unwrap();
        let stderr = String::from_utf8(human.stderr).unwrap();
        assert_eq!(human.status.code(), Some(code), "{command:?}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(names),
            "{stderr}"
        );
        if kind != "usage" {
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
        }

        let output = command.arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{command:?}");
        let (found, message) = json_error(&output);
        assert_eq!(found, kind, "{message}");
        assert!(message.contains(names), "{message}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn every_command_wants_its_model() {
    for command in [
        "inspect",
        "tokenize",
        "generate",
        "candidates",
        "perplexity",
        "bench",
        "selftest",
        "demo",
    ] {
        let output = on(command, "/no/such.gguf", "--json --file=x");
        let output = if command == "perplexity" {
            output
        } else {
            on(command, "/no/such.gguf", "--json")
        }
        .output()
        .unwrap();
        let (kind, message) = json_error(&output);
        assert_eq!(
            (kind.as_str(), output.status.code()),
            ("io", Some(1)),
            "{command}: {message}"
        );
    }
}

#[test]
fn a_model_is_found_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let installed = directory.path().join("nibble/models/tiny");
    std::fs::create_dir_all(&installed).unwrap();
    std::fs::copy(tiny(), installed.join("any.gguf")).unwrap();
    let run = |name: &str| {
        on("inspect", name, "--json")
            .env("XDG_DATA_HOME", directory.path())
            .output()
            .unwrap()
    };
    let report: serde_json::Value = serde_json::from_str(&succeed(&run("tiny"))).unwrap();
    assert!(report["file"].as_str().unwrap().ends_with("tiny/any.gguf"));
    let (_, message) = json_error(&run("tony"));
    assert!(message.contains("installed: tiny"), "{message}");
}

#[test]
fn what_was_generated_is_told_although_the_context_is_full() {
    let command = on("generate", tiny(), "--context 8 --max-tokens 100 --json");
    let output = arg(command, "--prompt=In the").output().unwrap();
    assert_eq!(json_error(&output).0, "context_full");
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let (prompt, generated) = (ids(&report["prompt_ids"]), ids(&report["ids"]));
    // The last token was chosen with the context full; it needs no place of its own.
    assert_eq!(prompt.len() + generated.len(), 9);
}

#[test]
fn help_and_version_are_no_errors() {
    for command in ["--help", "--version", "generate --help", "--version --json"] {
        assert!(!succeed(&nibble(command).output().unwrap()).is_empty());
    }
    assert_eq!(nibble("").output().unwrap().status.code(), Some(2));
}
