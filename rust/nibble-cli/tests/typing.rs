//! The commands of the typing engine: requests over JSON lines, lexicons, evaluation.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{json_error, keys, nibble, object, succeed, tiny, with_input};

/// A lexicon of a few words, and the emoji table beside it.
fn lexicon(directory: &Path) -> PathBuf {
    let list = directory.join("words.tsv");
    let words = [
        "the\t900",
        "of\t500",
        "and\t400",
        "to\t300",
        "there\t200",
        "them\t150",
        "then\t120",
        "lord\t100",
        "land\t80",
        "heart\t60",
        "Moses\t40",
        "damn\t30\to",
        "there's\t10",
    ];
    std::fs::write(&list, words.join("\n")).unwrap();
    std::fs::write(directory.join("en.emoji.tsv"), "heart\t❤️\t😘\n").unwrap();
    let out = directory.join("en.lex");
    let mut command = nibble("lexicon build --language en --json");
    let built = object(command.arg(&list).arg(&out));
    assert_eq!(keys(&built), ["bytes", "language", "words"]);
    assert_eq!(built["words"], 13);
    out
}

#[test]
fn a_prepared_model_brings_its_lexicon() {
    let directory = tempfile::tempdir().unwrap();
    let prepared = directory.path().join("model.nibble.gguf");
    let mut command = nibble("prepare --json --for neon-dotprod --out");
    command.arg(&prepared).arg("--lexicon");
    object(command.arg(lexicon(directory.path())).arg(tiny()));

    let inspected = object(nibble("inspect --json").arg(&prepared));
    assert_eq!(inspected["attachments"][0]["name"], "lexicon.en");
    let mut command = nibble("suggest --no-primer --text Mo --model");
    let shown = succeed(&command.arg(&prepared).output().unwrap());
    assert!(shown.contains("Moses"), "{shown}");
}

/// Answers of `nibble suggest --stdio`, with the tiny model unless `model` is false.
fn suggest(lines: &[Value], model: bool, more: &str) -> Vec<Value> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    suggest_raw(text.as_bytes(), model, more)
}

fn suggest_raw(input: &[u8], model: bool, more: &str) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let mut command = nibble("suggest --stdio --no-primer --lexicon");
    command.arg(lexicon(directory.path()));
    if model {
        command.arg("--model").arg(tiny());
    }
    command.args(more.split_whitespace());
    let stdout = succeed(&with_input(command, input));
    let lines = stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn texts(answer: &Value) -> Vec<&str> {
    let items = answer["suggestions"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["text"].as_str().unwrap())
        .collect()
}

#[test]
fn every_line_gets_one_answer_in_the_fixed_form() {
    let answers = suggest(
        &[
            json!({"id": 1, "before": "and the", "after": "", "field": "message", "wait": true}),
            json!({"id": "two", "before": "and ", "wait": true, "slots": 5}),
            json!({"before": "and the", "wait": true}),
            json!({"commit": "and the lord"}),
            json!({"accept": 0}),
            json!({"revert": true}),
            json!({"reset": true}),
        ],
        true,
        "",
    );
    assert_eq!(answers.len(), 7);
    assert_eq!(
        keys(&answers[0]),
        ["fresh", "id", "passes", "speculative", "suggestions"]
    );
    assert_eq!(
        (&answers[0]["id"], &answers[1]["id"]),
        (&json!(1), &json!("two"))
    );
    assert_eq!(answers[0]["fresh"], true);
    let first = &answers[0]["suggestions"][0];
    assert_eq!(keys(first), ["kind", "replace", "score", "text"]);
    assert_eq!(
        (&first["kind"], &first["replace"]),
        (&json!("completion"), &json!(3))
    );
    assert!(first["score"].as_f64().unwrap() <= 0.0);
    assert_eq!(answers[0]["suggestions"].as_array().unwrap().len(), 3);
    assert_eq!(answers[1]["suggestions"].as_array().unwrap().len(), 5);
    assert_eq!(answers[1]["suggestions"][0]["kind"], "next");
    assert_eq!(answers[1]["passes"], 1, "the same boundary as before");
    assert_eq!(
        keys(&answers[2]),
        ["fresh", "passes", "speculative", "suggestions"]
    );
    for done in &answers[3..] {
        assert_eq!(done, &json!({"ok": true}));
    }
}

#[test]
fn malformed_lines_are_answered_and_told_nothing_of() {
    let input = b"secret\n{\"before\": 7}\n{\"secret\": 1}\n[]\n\n\xff\xfe\n{\"accept\": 4}\n{\"before\":\"the\"}\n";
    let answers = suggest_raw(input, false, "");
    assert_eq!(answers.len(), 8);
    for answer in &answers[..7] {
        assert_eq!(answer["error"]["kind"], "invalid_request", "{answer}");
        assert!(!answer.to_string().contains("secret"), "{answer}");
    }
    assert_eq!(texts(&answers[7]), ["there", "them", "then"]);
}

#[test]
fn corrections_bring_the_typed_word_along_and_are_not_made_again_once_reverted() {
    let answers = suggest(
        &[
            json!({"before": "and tjem"}),
            json!({"revert": true}),
            json!({"before": "and tjem"}),
        ],
        false,
        "",
    );
    let items = answers[0]["suggestions"].as_array().unwrap();
    let kinds: Vec<&str> = items
        .iter()
        .map(|item| item["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["correction", "typed"]);
    assert_eq!(texts(&answers[0]), ["them", "tjem"]);
    assert_eq!(items[0]["replace"], 4);
    assert!(texts(&answers[2]).is_empty(), "{}", answers[2]);
}

#[test]
fn words_are_learned_from_commit_and_accept_and_forgotten_on_reset() {
    let before = json!({"before": "and Ze"});
    let answers = suggest(
        &[
            before.clone(),
            json!({"commit": "Zerubbabel came to Zerubbabel"}),
            before.clone(),
            json!({"reset": true}),
            before.clone(),
        ],
        false,
        "",
    );
    assert!(texts(&answers[0]).is_empty());
    assert_eq!(texts(&answers[2]), ["Zerubbabel"]);
    assert!(texts(&answers[4]).is_empty());
}

#[test]
fn private_fields_learn_nothing_and_secret_ones_suggest_nothing() {
    for field in ["password", "no_learning"] {
        let answers = suggest(
            &[
                json!({"before": "th", "field": field}),
                json!({"commit": "Zerubbabel came to Zerubbabel"}),
                json!({"before": "and Ze"}),
            ],
            false,
            "",
        );
        assert_eq!(texts(&answers[0]).is_empty(), field == "password");
        assert!(texts(&answers[2]).is_empty(), "{field}");
    }
}

#[test]
fn a_user_model_file_outlives_the_process_and_a_reset() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("words");
    let more = format!("--user-model {}", file.display());
    suggest(
        &[
            json!({"before": ""}),
            json!({"commit": "to Zerubbabel and Zerubbabel"}),
            json!({"reset": true}),
        ],
        false,
        &more,
    );
    let answers = suggest(&[json!({"before": "to Ze"})], false, &more);
    assert_eq!(texts(&answers[0]), ["Zerubbabel"]);
}

#[test]
fn offensive_words_are_kept_back_and_emoji_offered() {
    let asked = [json!({"before": "da"}), json!({"before": "my heart"})];
    let answers = suggest(&asked, false, "");
    assert!(texts(&answers[0]).is_empty());
    assert_eq!(texts(&answers[1]), ["❤️"]);
    assert_eq!(answers[1]["suggestions"][0]["kind"], "emoji");
    assert_eq!(answers[1]["suggestions"][0]["replace"], 0);
    assert_eq!(texts(&suggest(&asked, false, "--offensive")[0]), ["damn"]);
}

#[test]
fn a_damaged_lexicon_and_a_malformed_list_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.lex");
    std::fs::write(&file, "no lexicon").unwrap();
    let mut command = nibble("suggest --json --text a --lexicon");
    let (kind, message) = json_error(&command.arg(&file).output().unwrap());
    assert_eq!(kind, "invalid_lexicon");
    assert!(message.contains("bad.lex"), "{message}");

    let list = directory.path().join("list.tsv");
    std::fs::write(&list, "word\tmany\n").unwrap();
    let mut command = nibble("lexicon build --json --language en");
    let output = command.arg(&list).arg(&file).output().unwrap();
    assert!(json_error(&output).1.contains("line 1"));
    assert_eq!(
        std::fs::read(&file).unwrap(),
        b"no lexicon",
        "it is left alone"
    );
}

#[test]
fn evaluations_are_reproducible_and_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text.txt");
    std::fs::write(
        &text,
        "and the lord said unto them\nthen there was the land of the lord.\n",
    )
    .unwrap();
    let lexicon = lexicon(directory.path());
    let eval = |what: &str, model: bool| {
        let mut command = nibble(&format!("--json eval {what} --lexicon"));
        command.arg(&lexicon).arg("--text").arg(&text);
        if model {
            command.arg("--model").arg(tiny());
        }
        object(&mut command)
    };
    let (lexicon_alone, nibble_alone) = (eval("typing", false), eval("typing --no-primer", true));
    let again = eval("typing --no-primer", true);
    assert_eq!(nibble_alone["kss"], again["kss"]);
    assert_eq!(
        nibble_alone["passes_per_character"],
        again["passes_per_character"]
    );
    assert_eq!(nibble_alone["characters"], 63);
    assert!(lexicon_alone["kss"].as_f64().unwrap() > 20.0);
    assert_eq!(lexicon_alone["passes_per_character"], 0.0);
    assert!(nibble_alone["passes_per_character"].as_f64().unwrap() > 0.1);

    let corrected = eval("autocorrect", false);
    assert_eq!(corrected["measure"], "autocorrect");
    assert_eq!(corrected["trade_off"].as_array().unwrap().len(), 33);

    let results = directory.path().join("results.jsonl");
    std::fs::write(
        &results,
        format!("{lexicon_alone}\n{nibble_alone}\n{corrected}\n"),
    )
    .unwrap();
    let page = directory.path().join("report.html");
    let mut command = nibble("eval report");
    succeed(
        &command
            .arg(&results)
            .arg("--html")
            .arg(&page)
            .output()
            .unwrap(),
    );
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(page.contains("lexicon alone") && page.contains("nibble, no primer"));
}
