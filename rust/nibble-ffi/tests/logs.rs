//! The log: a process has one, so all of it is one test.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test fails by panicking, and its errors are rare"
)]

mod support;

use nibble_ffi::{Completer, EditorContext, FieldKind, GenerationOptions, LogLevel, Logs};

#[test]
fn records_are_kept_until_they_are_drained_and_hold_no_text() {
    log::error!("nobody listens yet");
    let logs = Logs::new(LogLevel::Trace).unwrap();
    assert!(logs.drain().unwrap().is_empty());

    let model = support::tiny_model();
    let records = logs.drain().unwrap();
    assert!(
        records
            .iter()
            .any(|record| record.message.starts_with("model opened")),
        "{records:?}"
    );
    assert!(records.iter().all(|record| record.time > 1_600_000_000_000));
    assert!(logs.drain().unwrap().is_empty(), "they were given");

    // What is typed and generated is in none of them.
    let session = model.new_session(None).unwrap();
    let options = GenerationOptions {
        max_tokens: 4,
        ..GenerationOptions::default()
    };
    let generation = session.generate("zebra and the", Some(options)).unwrap();
    while generation.next().unwrap().is_some() {}
    let completer = Completer::new(Some(model), Vec::new(), None, None).unwrap();
    completer
        .wait_fresh(
            EditorContext {
                before: "zebra and the ".to_owned(),
                after: String::new(),
                field: FieldKind::Message,
                epoch: 1,
            },
            30_000,
        )
        .unwrap();
    completer.release().unwrap();
    let records = logs.drain().unwrap();
    assert!(!format!("{records:?}").contains("zebra"), "{records:?}");

    // Others' records are not Nibble's to keep.
    log::error!(target: "somebody_else", "hello");
    assert!(logs.drain().unwrap().is_empty());

    logs.set_level(LogLevel::Warn).unwrap();
    log::info!(target: "nibble::test", "too little");
    log::warn!(target: "nibble::test", "enough");
    let records = Logs::new(LogLevel::Warn).unwrap().drain().unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(
        (records[0].level, records[0].message.as_str()),
        (LogLevel::Warn, "enough")
    );

    for number in 0..300 {
        log::warn!(target: "nibble::test", "{number}");
    }
    let records = logs.drain().unwrap();
    assert_eq!(records.len(), 257);
    assert!(records[0].message.starts_with("44 records"), "{records:?}");
    assert_eq!(records[1].message, "44");
    assert_eq!(records[256].message, "299");
}
