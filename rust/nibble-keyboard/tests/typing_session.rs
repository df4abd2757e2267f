//! What stands between controller and completer: requests are answered, notices told, ghost text kept.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;

use nibble_keyboard::controller::{
    Action, Character, Event, Focus, GhostPart, Settings, Strip, TapSuggestion, TimedEvent,
};
use nibble_keyboard::text_field::Reporting;
use nibble_keyboard::user_model::{Bounds, UserModel};
use nibble_keyboard::{
    Completer, CompleterOptions, FieldKind, TextField, TypingSession, UserModelError,
};
use support::{LONG, completer, english, options};

/// A session, the field that it types into and what is drawn.
struct Typist {
    session: TypingSession,
    field: TextField,
    time: u64,
    strip: Strip,
    ghost: String,
}

impl Typist {
    fn new(completer: Completer, kind: FieldKind) -> Typist {
        Typist::with_settings(completer, kind, Settings::default())
    }

    fn with_settings(completer: Completer, kind: FieldKind, settings: Settings) -> Typist {
        let mut typist = Typist {
            session: TypingSession::new(Arc::new(completer), settings),
            field: TextField::new("", Reporting::default()),
            time: 0,
            strip: Strip::default(),
            ghost: String::new(),
        };
        let (text, selection) = typist.field.read();
        typist.send(Event::Focus(Focus {
            kind,
            multi_line: true,
            text,
            selection,
            ..Focus::default()
        }));
        typist
    }

    fn without_model() -> Typist {
        let user = UserModel::in_memory(Bounds::default());
        let completer = Completer::new(None, english(), Some(user), options());
        Typist::new(completer, FieldKind::Message)
    }

    /// With a model that foresees whatever comes to its mind.
    fn with_model() -> Typist {
        let completer = completer(CompleterOptions {
            phrase_threshold: 1e-7,
            ..options()
        });
        let mut typist = Typist::new(completer, FieldKind::Message);
        typist.hear_model();
        typist
    }

    fn send(&mut self, event: Event) {
        self.time += 100;
        let time = self.time;
        let actions = self.session.handle(TimedEvent { time, event });
        self.carry_out(&actions);
        while let Some(update) = self
            .field
            .next_answer()
            .or_else(|| self.field.next_report())
        {
            let event = Event::Editor(update);
            let actions = self.session.handle(TimedEvent { time, event });
            self.carry_out(&actions);
        }
    }

    fn carry_out(&mut self, actions: &[Action]) {
        for (index, action) in actions.iter().enumerate() {
            match action {
                Action::Request(_) | Action::Engine(_) => panic!("left to the shell: {action:?}"),
                Action::ReadText { .. } => assert_eq!(index + 1, actions.len(), "{actions:?}"),
                Action::Strip(strip) => self.strip = strip.clone(),
                Action::Ghost { text } => self.ghost.clone_from(text),
                _ => {}
            }
        }
        self.field.apply(actions);
    }

    fn type_text(&mut self, text: &str) {
        for character in text.chars() {
            self.send(match character {
                ' ' => Event::Space,
                _ => Event::Character(Character {
                    text: character.to_string(),
                    tap: None,
                }),
            });
        }
    }

    /// Waits for the model, as a loop that polls would.
    fn hear_model(&mut self) {
        self.session.completer().wait_idle(LONG);
        if let Some(actions) = self.session.poll(self.time) {
            self.carry_out(&actions);
        }
    }

    /// Types letters and waits for the model after each.
    fn type_slowly(&mut self, text: &str) {
        for character in text.chars() {
            self.type_text(&character.to_string());
            self.hear_model();
        }
    }

    /// Nothing is typed for a moment.
    fn pause(&mut self) {
        for _ in 0..2 {
            let actions = self.session.foresee(self.time);
            self.carry_out(&actions);
            self.session.completer().wait_idle(LONG);
        }
    }

    fn tap(&mut self, text: &str) {
        let slot = self.strip.slots.iter().position(|slot| slot.text == text);
        let slot = slot.unwrap_or_else(|| panic!("{text} is not in {:?}", self.strip));
        let strip = self.strip.serial;
        self.send(Event::TapSuggestion(TapSuggestion { strip, slot }));
    }

    fn uses(&self, word: &str) -> u32 {
        let words = self
            .session
            .completer()
            .with_user_model(|user| user.words(word))
            .unwrap();
        words
            .iter()
            .find(|known| known.word == word)
            .map_or(0, |known| known.uses)
    }
}

#[test]
fn a_request_is_answered_in_the_same_call() {
    let mut typist = Typist::without_model();
    typist.type_text("x peo");
    let shown: Vec<_> = typist.strip.slots.iter().map(|slot| &slot.text).collect();
    assert_eq!(shown, ["people", "people's"]);
    let answer = typist.session.latest_answer().unwrap();
    assert_eq!(answer.request.context.before, "X peo");
    assert_eq!(answer.suggestions.epoch, answer.request.context.epoch);
    typist.tap("people");
    assert_eq!(typist.field.text(), "X people ");
}

#[test]
fn the_models_answer_is_awaited_and_comes_by_poll() {
    let mut typist = Typist::with_model();
    typist.type_slowly("and the");
    assert!(!typist.session.awaits_model(), "inside a word");
    typist.type_text(" ");
    assert!(typist.session.awaits_model());
    assert!(!typist.session.latest_answer().unwrap().suggestions.fresh);
    let serial = typist.session.latest_answer().unwrap().serial;
    typist.session.completer().wait_idle(LONG);
    let actions = typist.session.poll(typist.time).unwrap();
    typist.carry_out(&actions);
    let answer = typist.session.latest_answer().unwrap();
    assert!(answer.suggestions.fresh);
    assert_eq!(answer.serial, serial, "it answers the same request");
    assert!(!typist.session.awaits_model());
    assert!(typist.session.poll(typist.time).is_none(), "it was given");
}

#[test]
fn where_the_model_is_not_asked_nobody_waits_for_it() {
    let mut typist = Typist::with_model();
    typist.type_slowly("and the.");
    let answer = typist.session.latest_answer().unwrap();
    assert!(!answer.suggestions.fresh, "directly after a full stop");
    assert!(!typist.session.awaits_model());
    typist.type_text(" ");
    assert!(typist.session.awaits_model());
    typist.session.completer().reset();
    assert!(!typist.session.awaits_model(), "the question is forgotten");
}

#[test]
fn ghost_text_stays_while_it_is_typed_along_and_is_accepted() {
    let mut typist = Typist::with_model();
    typist.type_slowly("of the");
    assert_eq!(typist.ghost, "", "nothing is foreseen while keys come");
    typist.pause();
    let ghost = typist.ghost.clone();
    assert!(ghost.contains(' '), "{ghost:?}");
    assert!(
        typist.session.foresee(typist.time).is_empty(),
        "it is there"
    );

    // Across the boundary: the model's answer there has no phrase of its own.
    let phrase_passes = typist.session.completer().stats().phrase_passes;
    let end = ghost.find(' ').unwrap() + 1;
    typist.type_slowly(&ghost[..end]);
    assert_eq!(typist.ghost, &ghost[end..]);
    assert_eq!(
        typist.session.completer().stats().phrase_passes,
        phrase_passes
    );
    typist.send(Event::AcceptGhost(GhostPart::All));
    let text = typist.field.text();
    assert_eq!(text.trim_end(), format!("Of the{}", ghost.trim_end()));

    typist.type_slowly("#");
    assert_eq!(typist.ghost, "");
}

#[test]
fn words_are_learned_once_and_only_when_they_stand() {
    let mut typist = Typist::without_model();
    typist.type_text("x peo");
    typist.tap("people");
    assert_eq!(typist.uses("people"), 0, "it may still be taken back");
    typist.type_text("x ");
    assert_eq!(typist.uses("people"), 1);
    for _ in 0.."x ".len() {
        typist.send(Event::Backspace);
    }
    typist.type_text("x ");
    assert_eq!(typist.uses("people"), 1);
}

#[test]
fn a_correction_that_is_taken_back_is_told_to_the_engine() {
    let mut typist = Typist::without_model();
    typist.type_text("x peaple ");
    assert_eq!(typist.field.text(), "X people ");
    typist.send(Event::Backspace);
    assert_eq!(typist.field.text(), "X peaple ");
    let user = typist.session.completer();
    assert_eq!(
        user.with_user_model(|user| user.is_protected("peaple")),
        Some(true)
    );
}

#[test]
fn a_store_that_fails_is_reported_and_typing_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("words");
    drop(UserModel::open(&path, Bounds::default()).unwrap());
    let user = UserModel::open_read_only(&path).unwrap();
    let completer = Completer::new(None, english(), Some(user), options());
    let mut typist = Typist::new(completer, FieldKind::Message);
    typist.type_text("people said peo");
    assert_eq!(typist.field.text(), "People said peo");
    assert_eq!(typist.strip.slots[0].text, "people");
    let error = typist.session.take_learning_error();
    assert!(matches!(error, Some(UserModelError::ReadOnly)), "{error:?}");
    assert!(typist.session.take_learning_error().is_none());
}

#[test]
fn the_number_of_slots_follows_the_settings() {
    let mut typist = Typist::without_model();
    typist.send(Event::Configure(Settings {
        slots: 5,
        ..Settings::default()
    }));
    typist.type_text("x ");
    assert_eq!(typist.strip.slots.len(), 5);
}

#[test]
fn the_case_of_a_suggestion_is_the_controllers() {
    let typist = |words: &[&str], settings| {
        let completer = Completer::new(None, support::lexicon(words, &[]), None, options());
        Typist::with_settings(completer, FieldKind::Message, settings)
    };
    let mut sentence = typist(&["the"], Settings::default());
    sentence.tap("The");
    assert_eq!(sentence.field.text(), "The ");

    let mut shift_off = typist(&["the"], Settings::default());
    shift_off.send(Event::Shift);
    shift_off.tap("the");
    assert_eq!(shift_off.field.text(), "the ");

    let no_capitals = Settings {
        auto_capitals: false,
        ..Settings::default()
    };
    let mut small = typist(&["the"], no_capitals);
    small.tap("the");
    assert_eq!(small.field.text(), "the ");

    let turkish = Settings {
        language: "tr".to_owned(),
        ..Settings::default()
    };
    let mut dotted = typist(&["için"], turkish);
    dotted.tap("İçin");
    assert_eq!(dotted.field.text(), "İçin ");

    let mut name = typist(&["iPhone"], Settings::default());
    name.type_text("iph");
    name.tap("iPhone");
    assert_eq!(name.field.text(), "iPhone ");
}

#[test]
fn the_models_better_answer_is_spelled_alike() {
    let no_capitals = Settings {
        auto_capitals: false,
        ..Settings::default()
    };
    let completer = completer(options());
    let mut typist = Typist::with_settings(completer, FieldKind::Message, no_capitals);
    typist.hear_model();
    typist.send(Event::Space);
    typist.hear_model();
    let answer = typist.session.latest_answer().unwrap();
    assert!(answer.suggestions.fresh);
    let shown: Vec<_> = typist.strip.slots.iter().map(|slot| &slot.text).collect();
    assert!(
        shown
            .iter()
            .any(|text| text.starts_with(char::is_lowercase)),
        "{shown:?}"
    );
}

#[test]
fn a_secure_field_asks_nothing_and_the_end_of_typing_forgets() {
    let mut typist = Typist::without_model();
    typist.type_text("the peo");
    assert!(typist.session.latest_answer().is_some());
    typist.send(Event::Blur);
    assert!(typist.session.latest_answer().is_none());
    assert!(typist.session.foresee(typist.time).is_empty());

    let mut typist = Typist::without_model();
    typist.type_text("the peo");
    typist.send(Event::Focus(Focus {
        kind: FieldKind::Password,
        ..Focus::default()
    }));
    assert!(typist.session.latest_answer().is_none());
    assert!(typist.session.foresee(typist.time).is_empty());

    let completer = Completer::new(None, english(), None, options());
    let mut typist = Typist::new(completer, FieldKind::Password);
    typist.type_text("the peo");
    assert_eq!(typist.field.text(), "the peo");
    assert!(typist.session.latest_answer().is_none());
    assert!(typist.session.mirror().text.before.is_empty());
}
