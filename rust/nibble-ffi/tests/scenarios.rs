//! Every scenario plays through the types that cross to other languages, and through JSON, as it does in Rust.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test fails by panicking, and its errors are rare"
)]

mod forms;
#[path = "../../nibble-keyboard/tests/support/scenario.rs"]
mod scenario;

use std::path::Path;
use std::sync::Arc;

use nibble_ffi::{KeyboardController, settings_from_json};
use nibble_keyboard::controller::{Action, EditorText, Settings, TimedEvent};
use scenario::{Keyboard, ScenarioFile, play};

/// Two controllers that are told the same, one in values and one in JSON.
struct Both {
    values: Arc<KeyboardController>,
    json: Arc<KeyboardController>,
}

impl Both {
    fn new(settings: &Settings) -> Both {
        let json = serde_json::to_string(settings).unwrap();
        let settings = settings_from_json(&json).unwrap();
        let controller = || KeyboardController::new(Some(settings.clone())).unwrap();
        Both {
            values: controller(),
            json: controller(),
        }
    }
}

impl Keyboard for Both {
    fn handle(&mut self, event: TimedEvent) -> Vec<Action> {
        let json = self
            .json
            .handle_json(&serde_json::to_string(&event).unwrap())
            .unwrap();
        let values = self.values.handle(forms::event(event)).unwrap();
        let values: Vec<Action> = values.into_iter().map(forms::action).collect();
        assert_eq!(serde_json::to_string(&values).unwrap(), json);
        values
    }

    fn mirror(&self) -> EditorText {
        let mirror = self.values.mirror().unwrap();
        assert_eq!(mirror, self.json.mirror().unwrap());
        forms::engine_text(mirror)
    }

    fn unsure(&self) -> bool {
        self.values.unsure().unwrap()
    }

    fn epoch(&self) -> u64 {
        self.values.epoch().unwrap()
    }
}

#[test]
fn every_scenario_plays_in_values_and_in_json_as_in_rust() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nibble-keyboard/scenarios");
    let mut played = 0;
    let mut failures = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let file: ScenarioFile = serde_json::from_str(&text).unwrap();
        for scenario in &file.scenarios {
            played += 1;
            if let Err(error) = play(scenario, Both::new) {
                failures.push(format!("{}: {:?}\n    {error}", file.group, scenario.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(played >= 80, "{played}");
}
