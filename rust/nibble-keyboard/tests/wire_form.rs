//! The JSON form of events and actions, which bindings and scenario files share.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a form that cannot be read fails the test"
)]

use nibble_keyboard::controller::*;
use nibble_keyboard::{EditorContext, FieldKind, SuggestionKind};
use serde_json::{Value, json};

fn event_is(event: Event, form: Value) {
    let mut timed = form;
    timed["time"] = json!(7);
    let read: TimedEvent = serde_json::from_value(timed.clone()).unwrap();
    assert_eq!(read, TimedEvent { time: 7, event });
    assert_eq!(serde_json::to_value(&read).unwrap(), timed);
}

fn action_is(action: Action, form: Value) {
    assert_eq!(serde_json::to_value(&action).unwrap(), form);
    assert_eq!(serde_json::from_value::<Action>(form).unwrap(), action);
}

#[test]
fn events_have_a_time_and_one_key() {
    let tap = Some(Tap { x: 0.5, y: 1.5 });
    event_is(
        Event::Character(Character {
            text: "a".to_owned(),
            tap,
        }),
        json!({"character": {"text": "a", "tap": {"x": 0.5, "y": 1.5}}}),
    );
    event_is(Event::Space, json!({"space": null}));
    event_is(Event::MoveCursor(-2), json!({"move_cursor": -2}));
    event_is(
        Event::AcceptGhost(GhostPart::Word),
        json!({"accept_ghost": "word"}),
    );
    event_is(
        Event::TapSuggestion(TapSuggestion { strip: 3, slot: 1 }),
        json!({"tap_suggestion": {"strip": 3, "slot": 1}}),
    );
    event_is(
        Event::Editor(EditorUpdate {
            text: None,
            selection: Some(Selection { start: 2, end: 4 }),
            answers: Some(5),
        }),
        json!({"editor": {"text": null, "selection": {"start": 2, "end": 4}, "answers": 5}}),
    );
}

#[test]
fn a_focus_may_leave_out_what_is_usual() {
    let read: TimedEvent =
        serde_json::from_value(json!({"time": 0, "focus": {"kind": "search"}})).unwrap();
    let focus = Focus {
        kind: FieldKind::Search,
        ..Focus::default()
    };
    assert_eq!(read.event, Event::Focus(focus));
}

#[test]
fn actions_have_one_key_or_are_a_word() {
    action_is(
        Action::Edit(Edit::Delete {
            before: "eh".to_owned(),
            after: String::new(),
        }),
        json!({"edit": {"delete": {"before": "eh"}}}),
    );
    action_is(
        Action::Edit(Edit::PressBackspace),
        json!({"edit": "press_backspace"}),
    );
    action_is(Action::FinishComposing, json!("finish_composing"));
    action_is(
        Action::Shift(ShiftState::Locked),
        json!({"shift": "locked"}),
    );
    action_is(
        Action::ReadText { serial: 2 },
        json!({"read_text": {"serial": 2}}),
    );
    let slot = Slot {
        text: "the".to_owned(),
        kind: SuggestionKind::Correction,
    };
    action_is(
        Action::Strip(Strip {
            serial: 1,
            slots: vec![slot],
            highlighted: Some(0),
        }),
        json!({"strip": {
            "serial": 1,
            "slots": [{"text": "the", "kind": "correction"}],
            "highlighted": 0,
        }}),
    );
    action_is(
        Action::Request(Request {
            context: EditorContext::default(),
            taps: Vec::new(),
        }),
        json!({"request": {
            "context": {"before": "", "after": "", "field": "message", "epoch": 0},
        }}),
    );
    action_is(
        Action::Engine(EngineNotice::Focus {
            field: FieldKind::Password,
        }),
        json!({"engine": {"focus": {"field": "password"}}}),
    );
}
