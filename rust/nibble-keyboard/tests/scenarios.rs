//! Plays every scenario. A file that cannot be read, and a group that has become too small, fail.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use nibble_keyboard::{KeyboardController, Settings};
use support::scenario::{ScenarioFile, play};

/// Groups that need at least five scenarios.
const GROUPS: &[&str] = &[
    "capitals",
    "spacing",
    "correction",
    "undo",
    "cursor jumps",
    "selections",
    "paste",
    "text changed underneath",
    "engine dying or late",
    "emoji and surrogates",
    "right-to-left and combining marks",
    "private fields",
    "fast typing",
];

#[test]
fn every_scenario_plays_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    let mut counts = BTreeMap::new();
    let mut names = std::collections::BTreeSet::new();
    let mut failures = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: ScenarioFile = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for scenario in &file.scenarios {
            *counts.entry(file.group.clone()).or_insert(0) += 1;
            assert!(
                names.insert(scenario.name.clone()),
                "{:?} occurs twice",
                scenario.name
            );
            let keyboard = |settings: &Settings| KeyboardController::new(settings.clone());
            if let Err(error) = play(scenario, keyboard) {
                failures.push(format!("{}: {:?}\n    {error}", file.group, scenario.name));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failed\n{}",
        failures.len(),
        failures.join("\n")
    );
    for group in GROUPS {
        assert!(
            counts.get(*group).is_some_and(|count| *count >= 5),
            "{group}: {counts:?}"
        );
    }
    assert!(counts.values().sum::<usize>() >= 80, "{counts:?}");
}
