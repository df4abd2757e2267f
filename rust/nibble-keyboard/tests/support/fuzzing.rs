//! Plays whatever bytes say against a text field in memory, and checks after every event what
//! must hold for all of them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken law fails the test"
)]

use nibble_keyboard::controller::*;
use nibble_keyboard::text_field::Reporting;
use nibble_keyboard::{FieldKind, Suggestion, SuggestionKind, Suggestions, TextField};

/// Something that the user, the platform or the engine does.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Letter(usize),
    Other(usize),
    Space,
    Enter,
    Backspace,
    Shift,
    Layout(usize),
    MoveCursor(i32),
    TapSuggestion {
        strips_ago: usize,
        slot: usize,
    },
    AcceptGhost(GhostPart),
    Answer {
        requests_ago: usize,
        items: u8,
        fresh: bool,
    },
    Engine(bool),
    Select {
        start: usize,
        length: usize,
    },
    Paste(usize),
    SetText(usize),
    Deliver(usize),
    Wait(u64),
    Focus(usize),
    Blur,
}

/// How the field behaves while the inputs are played.
#[derive(Debug, Clone)]
pub(crate) struct Platform {
    reporting: Reporting,
    reports_late: bool,
    answers_late: bool,
    limit: Option<usize>,
    language: &'static str,
}

const LETTERS: &[&str] = &[
    "a", "e", "t", "s", "ß", "é", "e\u{301}", "ش", "ל", "क", "7", "𝓪",
];
const OTHERS: &[&str] = &[
    ".",
    ",",
    "!",
    ":",
    ")",
    "(",
    "\"",
    "'",
    "-",
    "@",
    "؟",
    "👍🏽",
    "👨‍👩‍👧",
    "🇩🇪",
    "\u{301}",
    "\u{200d}",
    ".com",
    "»",
];
const TEXTS: &[&str] = &[
    "",
    "hello wor",
    "e.g. ",
    "😀👍🏽 x",
    "שָׁלוֹם",
    "a\nb",
    "te",
    "x. \"",
    "12",
];
const FIELDS: &[FieldKind] = &[
    FieldKind::Message,
    FieldKind::Password,
    FieldKind::Url,
    FieldKind::Number,
    FieldKind::NoLearning,
    FieldKind::Message,
    FieldKind::Search,
];
const LAYOUTS: &[LayoutPage] = &[LayoutPage::Letters, LayoutPage::Symbols, LayoutPage::Emoji];
const LANGUAGES: &[&str] = &["en", "fr", "zh", "tr"];

/// Reads a platform and inputs from bytes; every byte string means something.
pub(crate) fn decode(bytes: &[u8]) -> (Platform, Vec<Input>) {
    let mut bytes = bytes.iter().copied();
    let mut next = || bytes.next();
    let flags = next().unwrap_or_default();
    let more = next().unwrap_or_default();
    let text = flags & 1 == 0;
    let window = if more & 3 == 0 { 4 } else { usize::MAX };
    let unit = match more >> 2 & 3 {
        // Without positions and with a short window a field cannot be followed at all.
        0 if text && window == usize::MAX => None,
        1 => Some(PositionUnit::Utf16),
        _ => Some(PositionUnit::Scalar),
    };
    let platform = Platform {
        reporting: Reporting {
            text,
            coalesced: flags & 2 != 0,
            batched: flags & 4 == 0,
            window,
            unit,
        },
        reports_late: flags & 8 != 0,
        answers_late: flags & 16 != 0,
        limit: (text && flags & 0xe0 == 0).then_some(12),
        language: LANGUAGES[usize::from(more >> 4) % LANGUAGES.len()],
    };
    let mut inputs = Vec::new();
    while let Some(byte) = next() {
        let argument = usize::from(byte >> 5);
        let wide = |next: &mut dyn FnMut() -> Option<u8>| next().map(usize::from);
        let input = match byte & 31 {
            0..=6 => Input::Letter(argument + usize::from(byte & 1) * 8),
            7 | 8 => Input::Other(argument + usize::from(byte & 1) * 8),
            9 => Input::Other(16 + argument),
            10..=12 => Input::Space,
            13 => Input::Enter,
            14..=16 => Input::Backspace,
            17 => Input::Shift,
            18 => Input::Layout(argument),
            19 => Input::MoveCursor(i32::from(byte >> 5) - 4),
            20 | 21 => Input::TapSuggestion {
                strips_ago: argument / 4,
                slot: argument % 4,
            },
            22 => Input::AcceptGhost(match argument % 2 {
                0 => GhostPart::Word,
                _ => GhostPart::All,
            }),
            23..=25 => match next() {
                Some(items) => Input::Answer {
                    requests_ago: argument.saturating_sub(5),
                    items,
                    fresh: argument & 1 == 1,
                },
                None => break,
            },
            26 => match wide(&mut next) {
                Some(start) => Input::Select {
                    start,
                    length: argument / 2,
                },
                None => break,
            },
            27 => Input::Paste(argument),
            28 => Input::SetText(argument),
            29 => Input::Deliver(argument),
            30 => Input::Wait(200 * argument as u64),
            _ => match argument {
                0..=3 => Input::Focus(argument + usize::from(next().unwrap_or_default() % 4)),
                4 => Input::Blur,
                5 | 6 => Input::Engine(true),
                _ => Input::Engine(false),
            },
        };
        inputs.push(input);
    }
    (platform, inputs)
}

/// A change that the keyboard made by itself and the text that one backspace leads back to.
struct Reversible {
    epoch: u64,
    before: String,
}

struct World {
    controller: KeyboardController,
    platform: Platform,
    field: TextField,
    kind: FieldKind,
    focused: bool,
    time: u64,
    epoch: u64,
    requests: Vec<Request>,
    strips: Vec<(u64, Strip)>,
    offered: Vec<Suggestion>,
    ghost: String,
    reversible: Option<Reversible>,
    /// Whether it is known what the keyboard did by itself last.
    witnessed: bool,
}

/// Plays inputs and panics where a law is broken.
pub(crate) fn play(platform: Platform, inputs: &[Input]) {
    let settings = Settings {
        language: platform.language.to_owned(),
        ..Settings::default()
    };
    let mut world = World {
        controller: KeyboardController::new(settings),
        field: TextField::new("", platform.reporting),
        platform,
        kind: FieldKind::Message,
        focused: false,
        time: 0,
        epoch: 0,
        requests: Vec::new(),
        strips: Vec::new(),
        offered: Vec::new(),
        ghost: String::new(),
        reversible: None,
        witnessed: true,
    };
    world.focus(0);
    for input in inputs {
        world.input(input);
    }
    world.settle();
}

fn pick<T: Copy>(set: &[T], index: usize) -> T {
    set[index % set.len()]
}

impl World {
    fn input(&mut self, input: &Input) {
        self.time += 90;
        match input {
            Input::Letter(index) => self.letter(pick(LETTERS, *index)),
            Input::Other(index) => self.ends_word(pick(OTHERS, *index)),
            Input::Space => self.ends_word(" "),
            Input::Enter => self.ends_word("\n"),
            Input::Backspace => self.backspace(),
            Input::Shift => self.changes_nothing(Event::Shift),
            Input::Layout(index) => self.changes_nothing(Event::Layout(pick(LAYOUTS, *index))),
            Input::MoveCursor(by) => self.move_cursor(*by),
            Input::TapSuggestion { strips_ago, slot } => self.tap(*strips_ago, *slot),
            Input::AcceptGhost(part) => self.accept_ghost(*part),
            Input::Answer {
                requests_ago,
                items,
                fresh,
            } => {
                self.answer(*requests_ago, *items, *fresh);
            }
            Input::Engine(alive) => self.changes_nothing(Event::Engine(*alive)),
            Input::Select { start, length } => {
                let start = start % (self.field.text().chars().count() + 1);
                self.field.select(start, start + length);
                self.after_event();
            }
            Input::Paste(index) => {
                self.field.paste(pick(TEXTS, *index));
                self.after_event();
            }
            Input::SetText(index) => {
                let text = pick(TEXTS, *index);
                let cursor = text.chars().count().saturating_sub(*index % 3);
                self.field.set_text(text, cursor, cursor);
                self.after_event();
            }
            Input::Deliver(count) => self.deliver(*count),
            Input::Wait(time) => self.time += time,
            Input::Focus(index) => self.focus(*index),
            Input::Blur => {
                self.changes_nothing(Event::Blur);
                self.focused = false;
            }
        }
    }

    /// Hands an event over and checks what holds for every batch of actions.
    fn handle(&mut self, event: Event) -> Vec<Action> {
        let secure = self.kind.is_secure();
        let alone = matches!(event, Event::Focus(_) | Event::Blur);
        let actions = self.controller.handle(TimedEvent {
            time: self.time,
            event,
        });
        self.field.apply(&actions);
        self.epoch = self.controller.epoch();
        for (index, action) in actions.iter().enumerate() {
            match action {
                Action::Request(request) => {
                    assert_eq!(request.context.epoch, self.epoch);
                    assert!(!secure && request.context.field == self.kind);
                    let word_taps = request.taps.len();
                    assert!(word_taps <= request.context.before.chars().count());
                    self.requests.push(request.clone());
                }
                Action::Strip(strip) => {
                    assert!(!secure || strip.slots.is_empty());
                    assert!(strip.slots.len() <= 4);
                    assert!(
                        strip
                            .highlighted
                            .is_none_or(|index| index < strip.slots.len())
                    );
                    self.strips.push((self.epoch, strip.clone()));
                }
                Action::Ghost { text } => {
                    assert!(!secure || text.is_empty());
                    self.ghost.clone_from(text);
                }
                Action::Compose { text } => {
                    assert!(!secure);
                    if self.knows_field() {
                        assert!(self.field.before().ends_with(text));
                    }
                }
                Action::ReadText { .. } => {
                    assert!(!secure);
                    assert_eq!(index, actions.len() - 1, "reads come last");
                }
                Action::Engine(EngineNotice::Focus { .. } | EngineNotice::Blur) => {}
                Action::Engine(_) => assert!(alone || self.kind.learns()),
                _ => {}
            }
        }
        if !self.platform.answers_late {
            self.deliver_answers();
        }
        actions
    }

    fn edits(actions: &[Action]) -> Vec<&Edit> {
        let edits = actions.iter().filter_map(|action| match action {
            Action::Edit(edit) => Some(edit),
            _ => None,
        });
        edits.collect()
    }

    fn deliver_answers(&mut self) {
        while let Some(answer) = self.field.next_answer() {
            self.changes_nothing(Event::Editor(answer));
        }
    }

    fn deliver(&mut self, count: usize) {
        self.deliver_answers();
        for _ in 0..count {
            let Some(report) = self.field.next_report() else {
                break;
            };
            self.changes_nothing(Event::Editor(report));
        }
    }

    fn after_event(&mut self) {
        if !self.platform.reports_late {
            self.deliver(usize::MAX);
        }
    }

    /// Only the user's own events change the text.
    fn changes_nothing(&mut self, event: Event) {
        let actions = self.handle(event);
        assert!(Self::edits(&actions).is_empty(), "{actions:?}");
    }

    /// Whether the controller knows the field's text as it is.
    fn knows_field(&self) -> bool {
        let mirror = &self.controller.mirror().text;
        self.focused
            && !self.kind.is_secure()
            && !self.controller.unsure()
            && mirror.selected == self.field.selected()
            && self.field.before().ends_with(&mirror.before)
            && (mirror.before_cut || self.field.before() == mirror.before)
            && self.field.after().starts_with(&mirror.after)
            && self.platform.limit.is_none()
    }

    /// A letter is inserted as it is, whatever else is going on.
    fn letter(&mut self, text: &str) {
        let actions = self.handle(Event::Character(Character {
            text: text.to_owned(),
            tap: Some(Tap { x: 1.0, y: 2.0 }),
        }));
        let edits = Self::edits(&actions);
        if self.focused {
            match edits.as_slice() {
                [Edit::Insert { text: inserted }] => {
                    assert_eq!(inserted.to_lowercase(), text.to_lowercase());
                }
                _ => panic!("{text} made {edits:?}"),
            }
        } else {
            assert!(edits.is_empty());
        }
        self.after_event();
    }

    /// What is not a letter may correct the word before it, if that was announced, and move a
    /// space; no other letter is lost.
    fn ends_word(&mut self, text: &str) {
        let known = self.knows_field();
        let (before, after) = (self.field.before(), self.field.after());
        let selected = self.field.selected();
        let announced = self.announced_correction();
        let event = match text {
            " " => Event::Space,
            "\n" => Event::Enter,
            _ => Event::Character(Character {
                text: text.to_owned(),
                tap: None,
            }),
        };
        let actions = self.handle(event);
        self.witnessed = known;
        if known {
            let found = self.field.before();
            assert_eq!(self.field.after(), after);
            let performed = actions
                .iter()
                .any(|action| matches!(action, Action::PerformAction(_)));
            let typed = if performed { "" } else { text };
            let start = before.strip_suffix(' ').filter(|_| selected.is_empty());
            let own = announced
                .and_then(|(word, correction)| {
                    Some(format!(
                        "{}{correction}{typed}",
                        before.strip_suffix(word.as_str())?
                    ))
                })
                .into_iter()
                .chain(
                    start
                        .filter(|_| text == " ")
                        .map(|start| format!("{start}. ")),
                )
                .find(|own| *own == found);
            let moved = start.is_some_and(|start| {
                let moved = [format!("{start}{typed}"), format!("{start}{typed} ")];
                moved.contains(&found) || found == format!("{before}{typed} ")
            });
            let plain = found.to_lowercase() == format!("{before}{typed}").to_lowercase();
            assert!(
                plain || moved || own.is_some(),
                "{before:?} {text:?} {found:?}"
            );
            if performed {
                self.reversible = None;
            } else if own.is_some() && !plain {
                let before = format!("{before}{text}");
                self.reversible = Some(Reversible {
                    epoch: self.epoch,
                    before,
                });
            }
        }
        self.after_event();
    }

    /// The typed word and what the strip says will replace it.
    fn announced_correction(&self) -> Option<(String, String)> {
        let (epoch, strip) = self.strips.last()?;
        let highlighted = strip.highlighted.filter(|_| *epoch == self.epoch)?;
        let correction = strip.slots.get(highlighted)?;
        let typed = strip.slots.first()?;
        assert_eq!(
            (typed.kind, correction.kind),
            (SuggestionKind::Typed, SuggestionKind::Correction)
        );
        Some((typed.text.clone(), correction.text.clone()))
    }

    /// Backspace takes one character or the selection, or takes back what the keyboard did.
    fn backspace(&mut self) {
        let known = self.knows_field() && self.witnessed;
        let (before, after) = (self.field.before(), self.field.after());
        let selected = self.field.selected();
        let reversible = self
            .reversible
            .take()
            .filter(|change| change.epoch == self.epoch);
        let actions = self.handle(Event::Backspace);
        // The field may have come into doubt because its reports are overdue.
        let pressed = Self::edits(&actions) == [&Edit::PressBackspace];
        if known {
            let found = self.field.before();
            assert_eq!(self.field.after(), after);
            assert!(self.field.selected().is_empty());
            if !selected.is_empty() {
                assert_eq!(found, before);
            } else if let Some(change) = reversible.filter(|_| !pressed) {
                assert_eq!(found, change.before);
            } else {
                use unicode_segmentation::UnicodeSegmentation;
                let last = before.graphemes(true).next_back().unwrap_or_default();
                let rest = before.strip_suffix(last).expect("the last character");
                if self.platform.reporting.window == usize::MAX {
                    assert_eq!(found, rest);
                }
            }
        }
        self.after_event();
    }

    fn move_cursor(&mut self, by: i32) {
        let known = self.knows_field();
        let text = self.field.text();
        self.handle(Event::MoveCursor(by));
        if known {
            assert_eq!(self.field.text(), text);
        }
        self.after_event();
    }

    /// A tap does the edit that was shown, or none if the text is another.
    fn tap(&mut self, strips_ago: usize, slot: usize) {
        let Some((epoch, strip)) = self.strips.iter().rev().nth(strips_ago).cloned() else {
            return;
        };
        let known = self.knows_field();
        let before = self.field.before();
        let stale = epoch != self.epoch;
        let actions = self.handle(Event::TapSuggestion(TapSuggestion {
            strip: strip.serial,
            slot,
        }));
        let edited = !Self::edits(&actions).is_empty();
        assert!(!(edited && stale), "a stale strip was applied");
        if let (true, true, Some(slot)) = (known, edited, strip.slots.get(slot)) {
            let found = self.field.before();
            let start = found.strip_suffix(' ').unwrap_or(&found);
            let start = start
                .strip_suffix(slot.text.as_str())
                .expect("the accepted text");
            let common = before.strip_prefix(start.strip_suffix(' ').unwrap_or(start));
            let replaced = common.unwrap_or_else(|| panic!("{before:?} became {found:?}"));
            let candidates = self.offered.iter();
            let lengths: Vec<_> = candidates.map(|item| item.replace).collect();
            let count = replaced.chars().count();
            let typed = slot.kind == SuggestionKind::Typed;
            assert!(
                typed
                    || [count, count.saturating_sub(1)]
                        .iter()
                        .any(|n| lengths.contains(n))
            );
        }
        self.after_event();
    }

    fn accept_ghost(&mut self, part: GhostPart) {
        let known = self.knows_field();
        let (before, after) = (self.field.before(), self.field.after());
        let ghost = self.ghost.clone();
        self.handle(Event::AcceptGhost(part));
        if known {
            let found = self.field.before();
            let taken = found
                .strip_prefix(before.as_str())
                .expect("nothing is removed");
            assert!(ghost.starts_with(taken.trim_end()));
            assert_eq!(self.field.after(), after);
        }
        self.after_event();
    }

    /// The engine says something about a request, sensible or not.
    fn answer(&mut self, requests_ago: usize, choice: u8, fresh: bool) {
        let Some(request) = self.requests.iter().rev().nth(requests_ago) else {
            return;
        };
        let before = &request.context.before;
        let word: String = before
            .chars()
            .rev()
            .take_while(|char| char.is_alphanumeric())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let replace = word.chars().count();
        let item = |text: String, kind, replace, automatic| Suggestion {
            text,
            kind,
            score: -1.0,
            replace,
            automatic,
        };
        let candidates = [
            item(
                format!("{word}ing"),
                SuggestionKind::Completion,
                replace,
                false,
            ),
            item(
                format!("x{word}"),
                SuggestionKind::Correction,
                replace,
                true,
            ),
            item("and".to_owned(), SuggestionKind::Next, 0, false),
            item(
                format!("{word}er and so on"),
                SuggestionKind::Phrase,
                replace,
                false,
            ),
            item("🎉".to_owned(), SuggestionKind::Emoji, replace, false),
            item("wild".to_owned(), SuggestionKind::Completion, 1000, true),
            item(
                "wide".to_owned(),
                SuggestionKind::Correction,
                replace + 2,
                true,
            ),
            item(String::new(), SuggestionKind::Correction, replace, true),
        ];
        let items: Vec<_> = candidates
            .into_iter()
            .enumerate()
            .filter(|(index, _)| choice >> index & 1 == 1)
            .map(|(_, item)| item)
            .collect();
        self.offered.extend(items.iter().cloned());
        let epoch = request.context.epoch;
        self.changes_nothing(Event::Suggestions(Suggestions {
            epoch,
            items,
            fresh,
        }));
    }

    fn focus(&mut self, index: usize) {
        self.kind = pick(FIELDS, index);
        self.focused = true;
        self.reversible = None;
        self.field = TextField::new(pick(TEXTS, index), self.platform.reporting);
        self.field.set_limit(self.platform.limit);
        let (text, selection) = self.field.read();
        self.changes_nothing(Event::Focus(Focus {
            kind: self.kind,
            capitals: CapitalsMode::default(),
            multi_line: index.is_multiple_of(2),
            action: EditorAction::Send,
            text,
            selection,
            unit: self.platform.reporting.unit.unwrap_or_default(),
        }));
    }

    /// Once everything has arrived, the mirror is the field.
    fn settle(&mut self) {
        for _ in 0..3 {
            self.deliver(usize::MAX);
            self.time += 2000;
            self.changes_nothing(Event::Idle);
            self.deliver(usize::MAX);
        }
        let mirror = &self.controller.mirror().text;
        if self.kind.is_secure() || !self.focused {
            assert_eq!(*mirror, EditorText::default());
            return;
        }
        assert!(!self.controller.unsure());
        let (text, _) = self.field.read();
        let known = mirror.selected == text.selected
            && (mirror.before.ends_with(&text.before)
                || mirror.before_cut && text.before.ends_with(&mirror.before))
            && (mirror.after.starts_with(&text.after)
                || mirror.after_cut && text.after.starts_with(&mirror.after));
        assert!(known, "mirror {mirror:?}, field {text:?}");
    }
}
