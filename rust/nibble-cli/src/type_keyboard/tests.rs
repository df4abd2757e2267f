//! The shell and the screen, on small lexicons and a tiny model.

use std::sync::Arc;
use std::time::Duration;

use nibble::{Model, ModelOptions};
use nibble_keyboard::controller::Settings;
use nibble_keyboard::lexicon::{Entry, build};
use nibble_keyboard::user_model::{Bounds, UserModel};
use nibble_keyboard::{
    Completer, CompleterOptions, FieldKind, Lexicon, Lexicons, ModelState, Primers,
};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;

use super::keyboard::{Key, TypingShell};
use super::{LONGEST_WAIT, keys, picture, play, svg};

/// The first ones are more frequent.
const WORDS: [&str; 12] = [
    "the", "and", "of", "lord", "there", "then", "world", "people", "said", "house", "king",
    "things",
];

fn lexicon() -> Lexicons {
    let entries = WORDS
        .iter()
        .zip((1..).map(|rank| 1_000_000 / rank))
        .map(|(word, count)| Entry {
            word: (*word).to_owned(),
            count,
            offensive: false,
        });
    let mut file = Vec::new();
    build("en", entries, &mut file).unwrap();
    Lexicons::new(vec![Arc::new(Lexicon::from_bytes(file).unwrap())])
}

/// A shell of which tests ask what a user sees and does.
struct Typist {
    shell: TypingShell,
    time: Duration,
}

impl Typist {
    fn new(completer: Completer, kind: FieldKind) -> Typist {
        completer.wait_idle(LONGEST_WAIT);
        let time = Duration::ZERO;
        let mut shell = TypingShell::new(completer, kind, Settings::default(), time).unwrap();
        shell.wait(LONGEST_WAIT, time).unwrap();
        Typist { shell, time }
    }

    fn without_model(kind: FieldKind) -> Typist {
        let user = UserModel::in_memory(Bounds::default());
        let options = CompleterOptions::default();
        Typist::new(Completer::new(None, lexicon(), Some(user), options), kind)
    }

    /// With a model that has read the King James Bible, and foresees whatever comes to its mind.
    fn with_model() -> Typist {
        let options = ModelOptions {
            threads: 1,
            ..ModelOptions::default()
        };
        let file = nibble_testkit::fixture("phi3-tiny/model-q8_0.gguf");
        let model = Arc::new(Model::open(file, &options).unwrap());
        let options = CompleterOptions {
            primers: Primers::none(),
            phrase_threshold: 1e-7,
            ..CompleterOptions::default()
        };
        let completer = Completer::new(Some(model), lexicon(), None, options);
        completer.wait_idle(LONGEST_WAIT);
        assert_eq!(completer.model_state(), ModelState::Ready);
        Typist::new(completer, FieldKind::Message)
    }

    fn press(&mut self, text: &str) {
        for key in keys::parse(text).unwrap() {
            self.time += Duration::from_millis(250);
            self.shell.press(key, self.time).unwrap();
            self.shell.wait(LONGEST_WAIT, self.time).unwrap();
        }
    }

    fn pause(&mut self) {
        self.time += Duration::from_secs(1);
        self.shell.wait_ghost(LONGEST_WAIT, self.time).unwrap();
        self.shell.idle(self.time).unwrap();
    }

    fn text(&self) -> String {
        let field = self.shell.field();
        format!("{}|{}", field.before(), field.after())
    }

    fn strip(&self) -> Vec<&str> {
        let slots = self.shell.strip().slots.iter();
        slots.map(|slot| slot.text.as_str()).collect()
    }

    fn slot_of(&self, text: &str) -> usize {
        let slot = self.strip().iter().position(|slot| *slot == text);
        slot.unwrap_or_else(|| panic!("{text} is not among {:?}", self.strip()))
    }

    fn tap(&mut self, text: &str) {
        let slot = self.slot_of(text);
        self.press(&format!("{{{}}}", slot + 1));
    }

    /// How often the user's model has seen a word.
    fn learned(&self, word: &str) -> u32 {
        let words = self
            .shell
            .completer()
            .with_user_model(|user| user.words(word));
        let words = words.unwrap();
        words
            .iter()
            .find(|known| known.word == word)
            .map_or(0, |known| known.uses)
    }
}

#[test]
fn letters_keep_their_case_and_sentences_begin_with_a_capital() {
    let mut typist = Typist::without_model(FieldKind::Message);
    typist.press("said the KING Of 3 of. then house");
    assert_eq!(typist.text(), "Said the KING Of 3 of. Then house|");
    let mut typist = Typist::without_model(FieldKind::Message);
    typist.press("Iä{enter}ẞ İ the");
    assert_eq!(typist.text(), "Iä\nẞ İ the|");
    let mut typist = Typist::without_model(FieldKind::Password);
    typist.press("aB  c");
    assert_eq!(typist.text(), "aB  c|");
}

#[test]
fn a_slot_puts_its_word_and_a_space() {
    let mut typist = Typist::without_model(FieldKind::Message);
    typist.press("The peo");
    typist.tap("people");
    assert_eq!(typist.text(), "The people |");
    // The strip is a new one now: the same finger takes what is shown now.
    let first = typist.strip()[0].to_owned();
    typist.press("{1}");
    assert_eq!(typist.text(), format!("The people {first} |"));
    typist.press("{9}");
    assert_eq!(typist.text(), format!("The people {first} |"));
}

#[test]
fn backspace_in_an_empty_field_leaves_the_keyboard_sure_of_the_text() {
    let mut typist = Typist::without_model(FieldKind::Message);
    typist.press("{backspace}{left}The{backspace}{backspace}{backspace}{backspace}peo");
    assert_eq!(typist.text(), "Peo|");
    assert_eq!(typist.strip(), ["People"]);
}

#[test]
fn a_slip_is_corrected_by_the_space_and_comes_back_by_backspace() {
    let mut typist = Typist::without_model(FieldKind::Message);
    typist.press("The wprld");
    let strip = typist.shell.strip().clone();
    assert_eq!(strip.slots[0].text, "wprld");
    assert_eq!(strip.highlighted, Some(1));
    typist.press(" ");
    assert_eq!(typist.text(), "The world |");
    typist.press("{backspace}");
    assert_eq!(typist.text(), "The wprld |");
    // The engine was told that it was meant.
    let protected = typist
        .shell
        .completer()
        .with_user_model(|user| user.is_protected("wprld"));
    assert_eq!(protected, Some(true));
}

#[test]
fn words_are_learned_once_when_the_next_one_begins() {
    let mut typist = Typist::without_model(FieldKind::Message);
    typist.press("zorblax ");
    assert_eq!(typist.learned("zorblax"), 0);
    typist.press("peo");
    assert_eq!(typist.learned("zorblax"), 1);
    typist.tap("people");
    assert_eq!(typist.learned("people"), 0, "it may still be taken back");
    typist.press("of");
    assert_eq!(typist.learned("people"), 1);
    assert_eq!(typist.learned("of"), 0);
    typist.press(" ");
    typist.shell.blur(typist.time).unwrap();
    assert_eq!((typist.learned("people"), typist.learned("of")), (1, 1));
}

#[test]
fn enter_ends_lines_of_prose_and_does_something_elsewhere() {
    let mut typist = Typist::without_model(FieldKind::Note);
    typist.press("the{enter}house");
    assert_eq!(typist.text(), "The\nHouse|");
    let mut typist = Typist::without_model(FieldKind::Search);
    typist.press("the{enter}");
    assert_eq!(typist.text(), "the|");
    assert_eq!(typist.shell.field().performed().len(), 1);
}

#[test]
fn the_cursor_moves_and_text_goes_in_where_it_is() {
    let mut typist = Typist::without_model(FieldKind::Message);
    typist.press("The hose{left}{left}u{right}{right}{right}{right} of");
    assert_eq!(typist.text(), "The house of|");
}

#[test]
fn a_secret_is_not_suggested_for_and_not_shown() {
    let mut typist = Typist::without_model(FieldKind::Password);
    typist.press("the peo");
    assert!(typist.strip().is_empty());
    typist.pause();
    assert_eq!(typist.shell.ghost(), "");
    assert_eq!(
        typist.shell.counters().suggest,
        None,
        "the engine was not asked"
    );
    let screen = svg::text(&picture(&typist.shell, None));
    assert!(screen.contains("│•••••••▏"), "{screen}");
    assert!(!screen.contains("peo"), "{screen}");
}

#[test]
fn counters_tell_keys_characters_and_what_was_saved() {
    let mut typist = Typist::without_model(FieldKind::Message);
    assert_eq!(typist.shell.counters().saved(), None);
    typist.press("The peo");
    typist.tap("people");
    let counters = typist.shell.counters();
    assert_eq!((counters.keys, counters.characters), (8, 11));
    assert_eq!(counters.saved(), Some(1.0 - 8.0 / 11.0));
    assert_eq!((counters.passes, counters.heard), (0, None));
    assert!(counters.suggest.is_some() && counters.memory_bytes > 0);
    typist.press("{backspace}");
    let counters = typist.shell.counters();
    assert_eq!((counters.keys, counters.characters), (9, 10));
}

#[test]
fn the_model_is_heard_once_a_word() {
    let mut typist = Typist::with_model();
    typist.press("and ");
    let before = typist.shell.counters();
    assert!(before.heard.is_some() && before.pass.is_some());
    assert!(!typist.shell.awaits());
    typist.press("the");
    let inside = typist.shell.counters();
    assert_eq!(
        inside.passes, before.passes,
        "letters of a word take no pass"
    );
    assert_eq!(
        inside.passes_per_character(),
        Some(inside.passes as f64 / 7.0)
    );
    typist.time += Duration::from_millis(250);
    typist
        .shell
        .press(Key::Character(' '), typist.time)
        .unwrap();
    assert!(typist.shell.awaits(), "the model is heard later");
    typist.shell.completer().wait_idle(LONGEST_WAIT);
    assert!(typist.shell.poll(typist.time).unwrap());
    assert!(!typist.shell.poll(typist.time).unwrap(), "only once");
    assert!(!typist.shell.awaits());
    assert_eq!(typist.shell.counters().passes, before.passes + 1);
}

#[test]
fn tab_takes_a_foreseen_word_and_the_rest_stays() {
    let mut typist = Typist::with_model();
    typist.press("the h");
    assert_eq!(
        typist.shell.ghost(),
        "",
        "nothing is foreseen while keys come"
    );
    typist.pause();
    let ghost = typist.shell.ghost().to_owned();
    let (word, rest) = ghost.split_once(' ').unwrap();
    assert!(!rest.is_empty());

    // Typing along keeps it, for no phrase is looked for anew.
    let first: String = ghost.chars().take(1).collect();
    let phrase_passes = typist.shell.completer().stats().phrase_passes;
    typist.press(&first);
    assert_eq!(typist.shell.ghost(), &ghost[first.len()..]);
    typist.press("{tab}");
    assert_eq!(typist.text(), format!("The h{word} |"));
    assert_eq!(
        typist.shell.ghost(),
        rest,
        "the model's answer leaves it there"
    );
    assert_eq!(
        typist.shell.completer().stats().phrase_passes,
        phrase_passes
    );
    typist.press("{right}");
    assert_eq!(typist.text(), format!("The h{word} {rest} |"));
    assert_eq!(typist.shell.ghost(), "");
}

#[test]
fn ghost_text_goes_when_something_else_is_typed() {
    let mut typist = Typist::with_model();
    typist.press("in the");
    typist.pause();
    assert_ne!(typist.shell.ghost(), "");
    typist.press("#");
    assert_eq!(typist.shell.ghost(), "");
}

#[test]
fn played_keys_wait_for_what_they_accept() {
    let mut typist = Typist::with_model();
    play(
        &mut typist.shell,
        &keys::parse("in the{shift-tab}").unwrap(),
    )
    .unwrap();
    let text = typist.text();
    assert!(
        text.starts_with("In the") && text.len() > "In the|".len(),
        "{text}"
    );
}

/// The cell in which `text` begins.
fn cell_of<'a>(screen: &'a Buffer, text: &str) -> &'a Cell {
    let row = svg::text(screen)
        .lines()
        .position(|line| line.contains(text))
        .unwrap();
    let line = svg::text(screen).lines().nth(row).unwrap().to_owned();
    let column = line[..line.find(text).unwrap()].chars().count();
    screen.cell((column as u16, row as u16)).unwrap()
}

#[test]
fn the_screen_shows_text_strip_and_counters() {
    let mut typist = Typist::without_model(FieldKind::Message);
    typist.press("The wprld");
    let screen = picture(&typist.shell, None);
    let shown = svg::text(&screen);
    assert!(shown.contains("lexicon only   message"), "{shown}");
    assert!(shown.contains("│The wprld▏"), "{shown}");
    assert!(shown.contains(" 1 wprld   2 [world]"), "{shown}");
    assert!(
        shown.contains("keystrokes saved 0.0 %   9 keys, 9 characters"),
        "{shown}"
    );
    let has = |text: &str, modifier| cell_of(&screen, text).modifier.contains(modifier);
    assert!(has("[world]", Modifier::REVERSED));
    assert!(has("wprld▏", Modifier::UNDERLINED), "it is being composed");
    assert!(!has("The", Modifier::UNDERLINED));
}

#[test]
fn the_screen_shows_foreseen_text_dimmed_behind_the_cursor() {
    let mut typist = Typist::with_model();
    typist.press("in the");
    typist.pause();
    let ghost = format!("▏{}", typist.shell.ghost());
    let screen = picture(&typist.shell, Some("tiny"));
    assert!(svg::text(&screen).contains("tiny   message"));
    let cell = cell_of(&screen, &ghost["▏".len()..]);
    assert!(cell.modifier.contains(Modifier::DIM));
    assert!(!cell_of(&screen, "In").modifier.contains(Modifier::DIM));
}

#[test]
fn long_text_breaks_between_words_and_the_cursor_stays_in_sight() {
    let mut typist = Typist::without_model(FieldKind::Message);
    typist.press(&format!("{}house", "things ".repeat(11)));
    let shown = svg::text(&picture(&typist.shell, None));
    assert!(shown.contains("│house▏"), "{shown}");
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    typist.press("{enter}and{enter}of{enter}king");
    let shown = svg::text(&picture(&typist.shell, None));
    assert!(
        shown.contains("│King▏") && !shown.contains("│Things"),
        "{shown}"
    );
}
