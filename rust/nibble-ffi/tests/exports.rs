//! Rules for everything that is exported, checked on the generated code, which names each export once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test fails by panicking, and its errors are rare"
)]

use std::collections::BTreeMap;
use std::path::Path;

use nibble_keyboard::CompleterOptions;
use nibble_keyboard::controller::Settings;
use nibble_keyboard::user_model::Bounds;

fn swift() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("bindings/swift/Sources/NibbleBindings/NibbleBindings.swift");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_export_can_fail_and_none_is_asynchronous() {
    let swift = swift();
    let mut exports = 0;
    for line in swift.lines() {
        let line = line.trim_start();
        let is_method = line.starts_with("open func ");
        let is_constructor = line.starts_with("public static func ")
            || line.starts_with("public convenience init(") && !line.contains("unsafeFromHandle");
        let is_function = line.starts_with("public func ") && !line.contains("FfiConverter");
        // Converters have the same form as constructors.
        let is_converter = ["lift(", "lower(", "read(", "write("]
            .iter()
            .any(|name| line.contains(&format!("func {name}")));
        if is_converter || !(is_method || is_constructor || is_function) {
            continue;
        }
        let is_own = line.contains("uniffiCloneHandle") || line.contains("uniffiEnsure");
        if is_own {
            continue;
        }
        exports += 1;
        assert!(line.contains("throws"), "{line}");
        assert!(!line.contains("async"), "{line}");
    }
    assert!(exports > 90, "{exports}");
}

#[test]
fn nothing_calls_back() {
    let swift = swift();
    assert!(!swift.contains("UniffiCallbackInterface"));
    assert!(!swift.contains("uniffiFutureContinuationCallback"));
}

/// The defaults of a record's fields as the generated code has them, by their names there.
fn defaults(swift: &str, record: &str) -> BTreeMap<String, String> {
    let (_, body) = swift
        .split_once(&format!("public struct {record} {{"))
        .or_else(|| swift.split_once(&format!("public struct {record}: ")))
        .unwrap();
    let (_, arguments) = body.split_once("public init(").unwrap();
    let (arguments, _) = arguments.split_once(") {").unwrap();
    arguments
        .lines()
        .filter_map(|line| {
            let (declaration, value) = line.split_once(" = ")?;
            let (name, kind) = declaration
                .trim_start_matches(['*', '/', ' '])
                .split_once(": ")?;
            let value = value.trim().trim_end_matches(',');
            let number = value
                .strip_prefix(&format!("{kind}("))
                .and_then(|value| value.strip_suffix(')'));
            Some((name.to_owned(), number.unwrap_or(value).to_owned()))
        })
        .collect()
}

fn expect(record: &str, expected: &[(&str, String)]) {
    let found = defaults(&swift(), record);
    for (name, value) in expected {
        assert_eq!(found.get(*name), Some(value), "{record}.{name}: {found:?}");
    }
}

/// A floating-point number as the generated code has it.
fn float(value: f32) -> String {
    format!("{value:?}")
}

#[test]
fn what_other_languages_may_leave_out_is_the_engines_default() {
    let generation = nibble::GenerationOptions::default();
    let sampling = &generation.sampling;
    assert!(generation.stop.is_empty());
    expect(
        "GenerationOptions",
        &[
            ("maxTokens", generation.max_tokens.to_string()),
            ("temperature", float(sampling.temperature)),
            ("topK", sampling.top_k.to_string()),
            ("topP", float(sampling.top_p)),
            ("minP", float(sampling.min_p)),
            ("repetitionPenalty", float(sampling.repetition_penalty)),
            ("repetitionWindow", sampling.repetition_window.to_string()),
            ("seed", sampling.seed.to_string()),
            ("stop", "[]".to_owned()),
            (
                "stopAtEndOfText",
                generation.stop_at_end_of_text.to_string(),
            ),
        ],
    );

    let completer = CompleterOptions::default();
    assert_eq!(
        completer.layout.as_ref().map(|layout| layout.name()),
        Some("qwerty")
    );
    expect(
        "CompleterOptions",
        &[
            ("slots", completer.slots.to_string()),
            ("corrections", "true".to_owned()),
            ("suggestOffensive", completer.suggest_offensive.to_string()),
            ("expand", completer.expand.to_string()),
            ("lookAhead", completer.look_ahead.to_string()),
            ("lookAheadThreshold", float(completer.look_ahead_threshold)),
            ("phraseThreshold", float(completer.phrase_threshold)),
            ("cacheBytes", completer.cache_bytes.to_string()),
        ],
    );
    expect(
        "WordWeights",
        &[
            ("lexicon", float(completer.weights.lexicon)),
            ("unlisted", float(completer.weights.unlisted)),
            ("user", float(completer.weights.user)),
        ],
    );
    expect(
        "CorrectionThresholds",
        &[
            ("known", float(completer.thresholds.known)),
            ("unknown", float(completer.thresholds.unknown)),
            ("unknownShort", float(completer.thresholds.unknown_short)),
        ],
    );

    let settings = Settings::default();
    expect(
        "KeyboardSettings",
        &[
            ("language", format!("{:?}", settings.language)),
            ("slots", settings.slots.to_string()),
            ("autocorrect", settings.autocorrect.to_string()),
            ("autoCapitals", settings.auto_capitals.to_string()),
            ("doubleSpace", settings.double_space.to_string()),
        ],
    );
    let bounds = Bounds::default();
    expect(
        "UserModelBounds",
        &[
            ("maxWords", bounds.max_words.to_string()),
            ("maxPairs", bounds.max_pairs.to_string()),
            ("maxBytes", bounds.max_bytes.to_string()),
        ],
    );
}
