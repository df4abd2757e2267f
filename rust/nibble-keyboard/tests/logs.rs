//! Nothing that is typed reaches the log.

mod support;

use std::sync::{Arc, Mutex, PoisonError};

use nibble::{Model, ModelOptions};
use nibble_keyboard::user_model::{Bounds, UserModel};
use nibble_keyboard::{Completer, CompleterOptions, FieldKind};
use support::{LONG, context, english, in_field, options};

struct Collect(Mutex<Vec<String>>);

impl log::Log for Collect {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(format!("{} {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

static LOG: Collect = Collect(Mutex::new(Vec::new()));

#[test]
fn nothing_typed_is_logged() {
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    std::fs::copy(nibble_testkit::fixture("phi3-tiny/model-q8_0.gguf"), &path).unwrap();
    let model = Arc::new(Model::open(&path, &ModelOptions::default()).unwrap());
    let all = CompleterOptions {
        look_ahead: true,
        phrase_threshold: 1e-9,
        ..options()
    };
    let user = UserModel::in_memory(Bounds::default());
    let completer = Completer::new(Some(model), english(), Some(user), all);

    completer.set_conversation(&["plugh"]);
    for before in ["xyzzy ", "xyzzy xyz", "xyzzy xyzzt"] {
        let answer = completer.wait_fresh(&context(before), LONG);
        completer.ghost(&context(before));
        completer.wait_idle(LONG);
        for item in &answer.items {
            completer.accept(item).unwrap();
        }
        completer.commit(before, "xyzzy").unwrap();
        completer.revert("xyzzy").unwrap();
    }
    completer.suggest(&in_field("xyzzy", FieldKind::Password));
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1 << 10)
        .unwrap();
    completer.wait_fresh(&context("plugh xyzzy "), LONG);
    completer.wait_idle(LONG);
    drop(completer);

    let lines = LOG.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(
        lines.iter().any(|line| line.contains("FileChanged")),
        "the log works: {lines:?}"
    );
    let typed = |line: &&String| ["xyz", "plugh"].iter().any(|word| line.contains(word));
    assert_eq!(lines.iter().find(typed), None);
}
