//! Typing: the same suggestions as the engine, and the same objects in one process and in two.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test fails by panicking, and its errors are rare"
)]

mod forms;
mod support;

use std::sync::Arc;

use nibble_ffi::{
    Action, CapitalsMode, Completer, CompleterOptions, EditorAction, EditorContext, EditorText,
    EmojiTable, EngineNotice, EngineRequest, Event, FieldFocus, FieldKind, KeyAction,
    KeyboardController, Layout, LayoutPage, Lexicon, ModelState, NibbleError, PositionUnit,
    Primers, SuggestionKind, Tap, TextEdit, TimedEvent, TypingSession, UserModel, builtin_layouts,
    engine_notice_from_json, engine_notice_to_json, engine_request_from_json,
    engine_request_to_json, suggestions_from_json, suggestions_to_json,
};
use nibble_keyboard as keyboard;
use support::tiny_model;

const WORDS: [&str; 10] = [
    "the", "and", "of", "lord", "they", "them", "there", "people", "said", "house",
];
const LONG: u64 = 60_000;

fn lexicon_bytes() -> Vec<u8> {
    let entries = WORDS
        .iter()
        .zip((1..).map(|rank| 1_000_000 / rank))
        .map(|(word, count)| keyboard::lexicon::Entry {
            word: (*word).to_owned(),
            count,
            offensive: false,
        });
    let mut file = Vec::new();
    keyboard::lexicon::build("en", entries, &mut file).unwrap();
    file
}

fn lexicons() -> Vec<Arc<Lexicon>> {
    vec![Lexicon::from_bytes(lexicon_bytes()).unwrap()]
}

fn options() -> CompleterOptions {
    CompleterOptions {
        slots: 3,
        corrections: true,
        layout: None,
        thresholds: None,
        weights: None,
        primers: Some(Primers {
            message: String::new(),
            email: String::new(),
            note: String::new(),
            search: String::new(),
        }),
        emoji: None,
        suggest_offensive: false,
        expand: false,
        look_ahead: false,
        look_ahead_threshold: 0.5,
        phrase_threshold: 1e-7,
        cache_bytes: 6 << 20,
    }
}

fn completer(user: Option<Arc<UserModel>>) -> Arc<Completer> {
    Completer::new(None, lexicons(), user, Some(options())).unwrap()
}

fn context(before: &str) -> EditorContext {
    EditorContext {
        before: before.to_owned(),
        after: String::new(),
        field: FieldKind::Message,
        epoch: 1,
    }
}

fn texts(suggestions: &nibble_ffi::Suggestions) -> Vec<&str> {
    let items = suggestions.items.iter();
    items.map(|item| item.text.as_str()).collect()
}

fn focus() -> Event {
    Event::Focus {
        focus: FieldFocus {
            kind: FieldKind::Message,
            capitals: CapitalsMode::Sentences,
            multi_line: true,
            action: EditorAction::Default,
            text: EditorText {
                before: String::new(),
                selected: String::new(),
                after: String::new(),
                before_cut: false,
                after_cut: false,
            },
            selection: None,
            unit: PositionUnit::Scalar,
        },
    }
}

fn key(character: char) -> Event {
    match character {
        ' ' => Event::Space,
        _ => Event::Character {
            text: character.to_string(),
            tap: None,
        },
    }
}

#[test]
fn suggestions_are_the_engines() {
    let engine = {
        let model = nibble::Model::open(support::tiny_file(), &nibble::ModelOptions::default());
        let lexicon = keyboard::Lexicon::from_bytes(lexicon_bytes()).unwrap();
        keyboard::Completer::new(
            Some(Arc::new(model.unwrap())),
            keyboard::Lexicons::new(vec![Arc::new(lexicon)]),
            None,
            keyboard::CompleterOptions::default(),
        )
    };
    let completer = Completer::new(Some(tiny_model()), lexicons(), None, None).unwrap();
    assert_ne!(completer.model_state().unwrap(), ModelState::Absent);
    for before in [
        "",
        "and ",
        "and the lo",
        "the hpuse",
        "and th",
        "said unto ",
        "Th",
    ] {
        let expected = engine.wait_fresh(
            &keyboard::EditorContext::from(context(before)),
            std::time::Duration::from_secs(60),
        );
        let found = completer.wait_fresh(context(before), LONG).unwrap();
        assert!(found.fresh && !found.items.is_empty(), "{before:?}");
        assert_eq!(found, forms::suggestions(&expected), "{before:?}");
        assert_eq!(completer.suggest(context(before)).unwrap(), found);
    }
    assert_eq!(completer.model_state().unwrap(), ModelState::Ready);
    let stats = completer.stats().unwrap();
    assert!(stats.passes >= 5 && stats.pass_p95_milliseconds.is_some());
    assert!(stats.memory_bytes > 0);
}

#[test]
fn the_models_answer_is_polled_for_and_can_be_dropped_and_brought_back() {
    let completer = completer(None);
    assert_eq!(completer.model_state().unwrap(), ModelState::Absent);
    assert!(completer.poll().unwrap().is_none());
    completer.set_model(Some(tiny_model())).unwrap();
    completer.wait_idle(LONG).unwrap();
    assert!(!completer.suggest(context("and the ")).unwrap().fresh);
    completer.wait_idle(LONG).unwrap();
    assert!(completer.poll().unwrap().unwrap().fresh);
    completer.set_model(None).unwrap();
    assert!(!completer.suggest(context("of the ")).unwrap().fresh);
    completer.set_slots(1).unwrap();
    let answer = completer.suggest(context("the pe")).unwrap();
    assert_eq!(texts(&answer), ["people"]);
    completer.reset().unwrap();
}

#[test]
fn ghost_text_is_found_and_conversations_are_read() {
    let completer = Completer::new(Some(tiny_model()), lexicons(), None, Some(options())).unwrap();
    completer.wait_fresh(context("and the lo"), LONG).unwrap();
    assert!(completer.ghost(context("and the lo")).unwrap().is_none());
    completer.wait_idle(LONG).unwrap();
    let ghost = completer.ghost(context("and the lo")).unwrap().unwrap();
    assert_eq!((ghost.kind, ghost.replace), (SuggestionKind::Phrase, 2));

    let passes = completer.stats().unwrap().passes;
    completer
        .set_conversation(vec!["who said so?".to_owned()])
        .unwrap();
    completer.wait_fresh(context("and the lo"), LONG).unwrap();
    assert!(completer.stats().unwrap().passes > passes);
    completer.blur().unwrap();
}

#[test]
fn what_the_user_typed_is_learned_listed_exported_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("words");
    let open = || UserModel::open(support::text(&path), None);
    let user = open().unwrap();
    assert!(matches!(open(), Err(NibbleError::InUse { .. })));
    let completer = completer(Some(user.clone()));
    completer.focus(FieldKind::Message).unwrap();
    for _ in 0..2 {
        completer.commit("", "zorblax").unwrap();
    }
    let words = user.words("orb").unwrap();
    assert_eq!((words[0].word.as_str(), words[0].uses), ("zorblax", 2));
    assert!(words[0].last_used > 1_600_000_000);
    let answer = completer.suggest(context("the zo")).unwrap();
    assert_eq!(texts(&answer), ["zorblax"]);
    assert!(user.remove("zorblax").unwrap());
    assert!(
        completer
            .suggest(context("the zo"))
            .unwrap()
            .items
            .is_empty()
    );

    let exported = {
        completer.commit("", "blurb").unwrap();
        user.export_text().unwrap()
    };
    assert!(exported.contains("blurb"), "{exported}");
    user.erase().unwrap();
    assert_eq!(user.word_count().unwrap(), 0);
    assert!(user.import_text(&exported).unwrap() > 0);
    assert_eq!(user.word_count().unwrap(), 1);
    user.sync().unwrap();
    let reader = UserModel::open_read_only(support::text(&path)).unwrap();
    assert_eq!(reader.word_count().unwrap(), 1);
    assert!(matches!(reader.erase(), Err(NibbleError::ReadOnly { .. })));
    assert!(matches!(
        user.import_text("nonsense"),
        Err(NibbleError::InvalidArgument { .. })
    ));

    // It belongs to its completer now, and ends with it.
    let second = Completer::new(None, lexicons(), Some(user.clone()), None);
    assert!(matches!(second, Err(NibbleError::InUse { .. })));
    completer.release().unwrap();
    assert!(matches!(user.words(""), Err(NibbleError::Closed { .. })));
    assert!(matches!(
        completer.suggest(context("a")),
        Err(NibbleError::Closed { .. })
    ));
    open().unwrap().release().unwrap();
    open().unwrap();
}

#[test]
fn a_keyboard_and_an_engine_in_two_processes_speak_json() {
    // What this side sends and gets are strings alone.
    let user = UserModel::in_memory(None).unwrap();
    let completer = completer(Some(user.clone()));
    let engine = |action: &Action| -> Option<String> {
        match action {
            Action::Request { request } => {
                let request = engine_request_to_json(request.clone()).unwrap();
                let request = engine_request_from_json(&request).unwrap();
                let answer = completer.answer(request).unwrap();
                Some(suggestions_to_json(answer).unwrap())
            }
            Action::Notify { notice } => {
                let notice = engine_notice_to_json(notice.clone()).unwrap();
                let notice = engine_notice_from_json(&notice).unwrap();
                completer.notify(notice).unwrap();
                None
            }
            _ => None,
        }
    };
    let keyboard = KeyboardController::new(None).unwrap();
    let mut time = 0;
    let mut strip = None;
    let mut send = |event: Event, strip: &mut Option<nibble_ffi::Strip>| {
        time += 100;
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in keyboard.handle(TimedEvent { time, event }).unwrap() {
                if let Some(answer) = engine(&action) {
                    let suggestions = suggestions_from_json(&answer).unwrap();
                    events.push(Event::Answer { suggestions });
                }
                if let Action::ShowStrip { strip: shown } = action {
                    *strip = Some(shown);
                }
            }
        }
    };
    send(focus(), &mut strip);
    for character in "x peo".chars() {
        send(key(character), &mut strip);
    }
    let shown = strip.clone().unwrap();
    assert_eq!(shown.slots[0].text, "people");
    send(
        Event::TapSuggestion {
            strip: shown.serial,
            slot: 0,
        },
        &mut strip,
    );
    assert_eq!(keyboard.mirror().unwrap().before, "X people ");
    send(key('x'), &mut strip);
    assert_eq!(user.words("people").unwrap().len(), 1);
}

#[test]
fn requests_and_notices_cross_as_they_are() {
    let request = EngineRequest {
        context: context("naïve 👍🏽 \"quoted\"\n"),
        taps: vec![Some(Tap { x: 0.5, y: 1.25 }), None],
    };
    let json = engine_request_to_json(request.clone()).unwrap();
    assert_eq!(engine_request_from_json(&json).unwrap(), request);
    let suggestion = completer(None).suggest(context("th")).unwrap().items[0].clone();
    for notice in [
        EngineNotice::Focus {
            field: FieldKind::NoLearning,
        },
        EngineNotice::Blur,
        EngineNotice::Accept { suggestion },
        EngineNotice::Revert {
            typed: "teh".to_owned(),
            correction: "the".to_owned(),
        },
        EngineNotice::Commit {
            before: "a ".to_owned(),
            text: "b".to_owned(),
        },
    ] {
        let json = engine_notice_to_json(notice.clone()).unwrap();
        assert_eq!(engine_notice_from_json(&json).unwrap(), notice);
    }
}

#[test]
fn a_keyboard_and_an_engine_in_one_process_are_one_object() {
    let user = UserModel::in_memory(None).unwrap();
    let completer = completer(Some(user.clone()));
    completer.set_model(Some(tiny_model())).unwrap();
    completer.wait_idle(LONG).unwrap();
    let session = TypingSession::new(completer.clone(), None).unwrap();
    let mut time = 0;
    let mut strip = None;
    let mut ghost = String::new();
    let mut draw = |actions: Vec<Action>| {
        for action in actions {
            match action {
                Action::ShowStrip { strip: shown } => strip = Some(shown),
                Action::ShowGhost { text } => ghost = text,
                Action::Request { .. } | Action::Notify { .. } => panic!("{action:?}"),
                _ => {}
            }
        }
        (strip.clone(), ghost.clone())
    };
    let mut send = |event| {
        time += 100;
        session.handle(TimedEvent { time, event }).unwrap()
    };
    draw(send(focus()));
    for character in "and the".chars() {
        draw(send(key(character)));
        completer.wait_idle(LONG).unwrap();
        draw(session.poll(1).unwrap());
    }
    assert!(!session.awaits_model().unwrap());
    assert!(session.poll(1).unwrap().is_empty());
    let (shown, ghost) = draw(session.foresee(1).unwrap());
    assert!(shown.unwrap().slots.iter().any(|slot| slot.text == "they"));
    assert_eq!(ghost, "");
    completer.wait_idle(LONG).unwrap();
    let (_, ghost) = draw(session.foresee(1).unwrap());
    assert_ne!(ghost, "");
    assert_eq!(session.mirror().unwrap().before, "And the");
    assert!(!session.unsure().unwrap());
    session.check_learning().unwrap();
    let json = session.handle_json(r#"{"time": 900, "space": null}"#);
    assert!(json.unwrap().contains("insert"));

    // The session keeps what it needs of what was released.
    completer.release().unwrap();
    draw(send(Event::Blur));
    assert_eq!(user.words("and").unwrap().len(), 1);
    session.release().unwrap();
    assert!(matches!(
        session.handle(TimedEvent {
            time: 9999,
            event: Event::Idle
        }),
        Err(NibbleError::Closed { .. })
    ));
    assert!(matches!(user.words(""), Err(NibbleError::Closed { .. })));
}

#[test]
fn layouts_say_where_keys_are() {
    let names = builtin_layouts().unwrap();
    assert_eq!(names, ["qwerty", "qwertz", "azerty", "jcuken"]);
    let layout = Layout::builtin("qwertz").unwrap();
    assert_eq!(layout.name().unwrap(), "qwertz");
    let keys = layout.keys(LayoutPage::Letters).unwrap();
    let z = keys
        .iter()
        .find(|key| matches!(&key.action, KeyAction::Character { text } if text == "z"))
        .unwrap();
    assert_eq!(
        layout.key_at(LayoutPage::Letters, z.x, z.y).unwrap(),
        Some(z.clone())
    );
    assert!(
        layout
            .key_at(LayoutPage::Letters, -1.0, 0.0)
            .unwrap()
            .is_none()
    );
    assert!(keys.iter().any(|key| key.action
        == KeyAction::ShowPage {
            page: LayoutPage::Symbols
        }));
    assert!(keys.iter().any(|key| !key.long_press.is_empty()));
    assert!(layout.keys(LayoutPage::Emoji).unwrap().is_empty());
    assert!(layout.width().unwrap() >= 10.0 && layout.height().unwrap() > 4.0);
    // Corrections go by its keys.
    let completer = Completer::new(
        None,
        lexicons(),
        None,
        Some(CompleterOptions {
            layout: Some(layout),
            ..options()
        }),
    );
    let answer = completer.unwrap().suggest(context("the hpuse")).unwrap();
    assert!(answer.items.iter().any(|item| item.text == "house"));
    let without = Completer::new(
        None,
        lexicons(),
        None,
        Some(CompleterOptions {
            corrections: false,
            ..options()
        }),
    );
    let answer = without.unwrap().suggest(context("the hpuse")).unwrap();
    assert!(answer.items.is_empty());
}

#[test]
fn lexicons_and_emoji_are_looked_up() {
    let lexicon = &lexicons()[0];
    assert_eq!(lexicon.language().unwrap(), "en");
    assert_eq!(lexicon.word_count().unwrap(), 10);
    assert_eq!(lexicon.spelling_of("THE").unwrap().as_deref(), Some("the"));
    assert!(lexicon.log_frequency("house").unwrap().unwrap() < 0.0);
    assert!(lexicon.log_frequency("hpuse").unwrap().is_none());
    assert!(!lexicon.is_offensive("house").unwrap());

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("package");
    let mut package = vec![0; 13];
    package.extend(lexicon_bytes());
    std::fs::write(&path, &package).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&file);
    let length = package.len() as u64 - 13;
    let open = |length| Lexicon::open_descriptor(descriptor, 13, length, "asset".to_owned());
    assert_eq!(open(length).unwrap().word_count().unwrap(), 10);
    assert!(matches!(
        open(length + 1),
        Err(NibbleError::Truncated { .. })
    ));

    let emoji = EmojiTable::from_text("house\t🏠\n").unwrap();
    assert_eq!(emoji.of("House").unwrap(), ["🏠"]);
    let options = CompleterOptions {
        emoji: Some(emoji),
        ..options()
    };
    let completer = Completer::new(None, lexicons(), None, Some(options)).unwrap();
    let answer = completer.suggest(context("the house")).unwrap();
    assert!(
        answer
            .items
            .iter()
            .any(|item| item.kind == SuggestionKind::Emoji),
        "{answer:?}"
    );
}

#[test]
fn what_a_completer_is_made_of_may_be_released_and_is_closed_then() {
    let lexicons = lexicons();
    let layout = Layout::builtin("qwerty").unwrap();
    let emoji = EmojiTable::from_text("house\t🏠\n").unwrap();
    let options = || {
        Some(CompleterOptions {
            layout: Some(layout.clone()),
            emoji: Some(emoji.clone()),
            ..options()
        })
    };
    let make = || Completer::new(None, lexicons.clone(), None, options());
    let completer = make().unwrap();
    let before = completer.suggest(context("the house")).unwrap();
    lexicons[0].release().unwrap();
    layout.release().unwrap();
    emoji.release().unwrap();
    assert_eq!(completer.suggest(context("the house")).unwrap(), before);
    for result in [
        lexicons[0].word_count().map(drop),
        layout.keys(LayoutPage::Letters).map(drop),
        emoji.of("house").map(drop),
        make().map(drop),
    ] {
        assert!(
            matches!(result, Err(NibbleError::Closed { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn lengths_count_scalar_values() {
    let session = TypingSession::new(completer(None), None).unwrap();
    session
        .handle(TimedEvent {
            time: 0,
            event: focus(),
        })
        .unwrap();
    for text in ["👍🏽", "e\u{301}"] {
        let event = Event::Character {
            text: text.to_owned(),
            tap: None,
        };
        session.handle(TimedEvent { time: 100, event }).unwrap();
    }
    let actions = session
        .handle(TimedEvent {
            time: 200,
            event: Event::MoveCursor { by: -2 },
        })
        .unwrap();
    let moved = actions.iter().find_map(|action| match action {
        Action::Edit {
            edit: TextEdit::MoveCursor { by, over },
        } => Some((*by, over.as_str())),
        _ => None,
    });
    assert_eq!(moved, Some((-4, "👍🏽e\u{301}")), "{actions:?}");
}
