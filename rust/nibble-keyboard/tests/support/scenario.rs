//! Reads scenario files and plays them against a text field in memory. The format is described in
//! `scenarios/README.md`.

use std::collections::VecDeque;

use nibble_keyboard::controller::*;
use nibble_keyboard::text_field::Reporting;
use nibble_keyboard::{FieldKind, Suggestion, SuggestionKind, Suggestions, TextField};
use serde::Deserialize;

/// Milliseconds that pass before every event.
const STEP_MS: u64 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScenarioFile {
    pub(crate) group: String,
    pub(crate) scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    #[serde(default)]
    field: FieldSpec,
    #[serde(default)]
    text: String,
    #[serde(default)]
    settings: Settings,
    #[serde(default)]
    reports: ReportsSpec,
    steps: Vec<Step>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default, deny_unknown_fields)]
struct FieldSpec {
    kind: FieldKind,
    capitals: CapitalsMode,
    multi_line: bool,
    action: EditorAction,
    limit: Option<usize>,
}

#[derive(Deserialize, Clone)]
#[serde(default, deny_unknown_fields)]
struct ReportsSpec {
    when: When,
    carry: Carry,
    batched: bool,
    window: Option<usize>,
    unit: Option<PositionUnit>,
    answers: When,
}

impl Default for ReportsSpec {
    fn default() -> Self {
        ReportsSpec {
            when: When::AtOnce,
            carry: Carry::Text,
            batched: true,
            window: None,
            unit: Some(PositionUnit::Scalar),
            answers: When::AtOnce,
        }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum When {
    AtOnce,
    OnDemand,
    Coalesced,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Carry {
    Text,
    Positions,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Type(String),
    Key(Character),
    Backspace(usize),
    Shift(usize),
    Layout(LayoutPage),
    MoveCursor(i32),
    Tap(TapSpec),
    Swipe(GhostPart),
    Answer(AnswerSpec),
    Engine(EngineSpec),
    Configure(Settings),
    Focus(FocusSpec),
    Blur,
    Idle,
    Cursor(usize),
    Select([usize; 2]),
    Paste(String),
    SetText(String),
    Deliver(usize),
    Wait(u64),
    Expect(Box<Expect>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TapSpec {
    Text(String),
    Earlier { text: String, strips_ago: usize },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum EngineSpec {
    Dead,
    Alive,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerSpec {
    items: Vec<ItemSpec>,
    #[serde(default)]
    fresh: bool,
    #[serde(default)]
    requests_ago: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemSpec {
    text: String,
    kind: SuggestionKind,
    #[serde(default)]
    replace: usize,
    #[serde(default)]
    automatic: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FocusSpec {
    #[serde(default)]
    field: FieldSpec,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Expect {
    text: Option<String>,
    edits: Option<Vec<Edit>>,
    strip: Option<Vec<String>>,
    highlighted: Option<usize>,
    ghost: Option<String>,
    shift: Option<ShiftState>,
    layout: Option<LayoutPage>,
    composing: Option<String>,
    requests: Option<usize>,
    request: Option<RequestSpec>,
    engine: Option<Vec<EngineNotice>>,
    performed: Option<Vec<EditorAction>>,
    reads: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestSpec {
    before: Option<String>,
    after: Option<String>,
    taps: Option<Vec<Option<Tap>>>,
}

/// What happened since the last expectation.
#[derive(Default)]
struct Since {
    edits: Vec<Edit>,
    requests: usize,
    engine: Vec<EngineNotice>,
    performed: Vec<EditorAction>,
    reads: usize,
}

/// What plays a scenario: the controller, or something that stands before one.
pub(crate) trait Keyboard {
    fn handle(&mut self, event: TimedEvent) -> Vec<Action>;
    fn mirror(&self) -> EditorText;
    fn unsure(&self) -> bool;
    fn epoch(&self) -> u64;
}

impl Keyboard for KeyboardController {
    fn handle(&mut self, event: TimedEvent) -> Vec<Action> {
        KeyboardController::handle(self, event)
    }

    fn mirror(&self) -> EditorText {
        KeyboardController::mirror(self).text.clone()
    }

    fn unsure(&self) -> bool {
        KeyboardController::unsure(self)
    }

    fn epoch(&self) -> u64 {
        KeyboardController::epoch(self)
    }
}

struct Player<K> {
    keyboard: K,
    field: TextField,
    /// Answers of fields that have lost the focus.
    stale_answers: VecDeque<EditorUpdate>,
    reports: ReportsSpec,
    /// Whether the controller is to know the field's text.
    mirrored: bool,
    time: u64,
    strips: Vec<Strip>,
    requests: Vec<Request>,
    ghost: String,
    shift: ShiftState,
    layout: LayoutPage,
    since: Since,
}

/// Plays a scenario on the keyboard that `make` gives for its settings; says at which step what was otherwise.
pub(crate) fn play<K: Keyboard>(
    scenario: &Scenario,
    make: impl FnOnce(&Settings) -> K,
) -> Result<(), String> {
    let mut player = Player {
        keyboard: make(&scenario.settings),
        field: TextField::default(),
        stale_answers: VecDeque::new(),
        reports: scenario.reports.clone(),
        mirrored: false,
        time: 0,
        strips: vec![Strip::default()],
        requests: Vec::new(),
        ghost: String::new(),
        shift: ShiftState::default(),
        layout: LayoutPage::default(),
        since: Since::default(),
    };
    player.focus(&scenario.field, &scenario.text)?;
    player.since = Since::default();
    for (index, step) in scenario.steps.iter().enumerate() {
        player
            .step(step)
            .map_err(|error| format!("step {}: {error}", index + 1))?;
    }
    player.settle()
}

impl<K: Keyboard> Player<K> {
    fn focus(&mut self, spec: &FieldSpec, marked: &str) -> Result<(), String> {
        let (text, start, end) = unmark(marked)?;
        let mut field = TextField::new(&text, self.reports.reporting());
        field.select(start, end);
        while field.next_report().is_some() {}
        field.set_limit(spec.limit);
        while let Some(answer) = self.field.next_answer() {
            self.stale_answers.push_back(answer);
        }
        self.field = field;
        self.mirrored = !spec.kind.is_secure();
        let (text, selection) = self.field.read();
        self.event(Event::Focus(Focus {
            kind: spec.kind,
            capitals: spec.capitals,
            multi_line: spec.multi_line,
            action: spec.action,
            text,
            selection,
            unit: self.reports.unit.unwrap_or_default(),
        }));
        Ok(())
    }

    fn event(&mut self, event: Event) {
        self.time += STEP_MS;
        self.handle(event);
        if self.reports.when == When::AtOnce {
            self.deliver(usize::MAX);
        }
    }

    /// Hands an event over and carries out what follows. The field's answers come back at once.
    fn handle(&mut self, event: Event) {
        let actions = self.keyboard.handle(TimedEvent {
            time: self.time,
            event,
        });
        self.field.apply(&actions);
        for request in actions.iter().filter_map(|action| match action {
            Action::Request(request) => Some(request),
            _ => None,
        }) {
            assert_eq!(request.context.epoch, self.keyboard.epoch());
        }
        for action in actions {
            self.note(action);
        }
        if self.reports.answers == When::AtOnce {
            self.answer_reads();
        }
    }

    fn answer_reads(&mut self) {
        while let Some(answer) = self
            .stale_answers
            .pop_front()
            .or_else(|| self.field.next_answer())
        {
            self.handle(Event::Editor(answer));
        }
    }

    fn deliver(&mut self, count: usize) {
        for _ in 0..count {
            let Some(report) = self.field.next_report() else {
                break;
            };
            self.handle(Event::Editor(report));
        }
    }

    fn note(&mut self, action: Action) {
        match action {
            Action::Edit(edit) => self.since.edits.push(edit),
            Action::PerformAction(action) => self.since.performed.push(action),
            Action::ReadText { .. } => self.since.reads += 1,
            Action::Strip(strip) => self.strips.push(strip),
            Action::Shift(state) => self.shift = state,
            Action::Layout(layout) => self.layout = layout,
            Action::Ghost { text } => self.ghost = text,
            Action::Request(request) => {
                self.since.requests += 1;
                self.requests.push(request);
            }
            Action::Engine(notice) => self.since.engine.push(notice),
            _ => {}
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Type(text) => {
                for key in text.chars() {
                    self.event(match key {
                        ' ' => Event::Space,
                        '\n' => Event::Enter,
                        _ => Event::Character(Character {
                            text: key.to_string(),
                            tap: None,
                        }),
                    });
                }
            }
            Step::Key(key) => self.event(Event::Character(key.clone())),
            Step::Backspace(count) => (0..*count).for_each(|_| self.event(Event::Backspace)),
            Step::Shift(taps) => (0..*taps).for_each(|_| self.event(Event::Shift)),
            Step::Layout(layout) => self.event(Event::Layout(*layout)),
            Step::MoveCursor(by) => self.event(Event::MoveCursor(*by)),
            Step::Tap(tap) => self.tap(tap)?,
            Step::Swipe(part) => self.event(Event::AcceptGhost(*part)),
            Step::Answer(answer) => self.answer(answer)?,
            Step::Engine(EngineSpec::Dead) => self.event(Event::Engine(false)),
            Step::Engine(EngineSpec::Alive) => self.event(Event::Engine(true)),
            Step::Configure(settings) => self.event(Event::Configure(settings.clone())),
            Step::Focus(focus) => self.focus(&focus.field, &focus.text)?,
            Step::Blur => {
                self.mirrored = false;
                self.event(Event::Blur);
            }
            Step::Idle => self.event(Event::Idle),
            Step::Cursor(at) => self.foreign(|field| field.select(*at, *at)),
            Step::Select([start, end]) => self.foreign(|field| field.select(*start, *end)),
            Step::Paste(text) => self.foreign(|field| field.paste(text)),
            Step::SetText(marked) => {
                let (text, start, end) = unmark(marked)?;
                self.foreign(|field| field.set_text(&text, start, end));
            }
            Step::Deliver(count) => {
                self.answer_reads();
                self.deliver(*count);
            }
            Step::Wait(time) => self.time += time,
            Step::Expect(expect) => return self.expect(expect),
        }
        Ok(())
    }

    fn foreign(&mut self, change: impl FnOnce(&mut TextField)) {
        self.time += STEP_MS;
        change(&mut self.field);
        if self.reports.when == When::AtOnce {
            self.deliver(usize::MAX);
        }
    }

    fn tap(&mut self, tap: &TapSpec) -> Result<(), String> {
        let (text, strips_ago) = match tap {
            TapSpec::Text(text) => (text, 0),
            TapSpec::Earlier { text, strips_ago } => (text, *strips_ago),
        };
        let strip = self
            .strips
            .iter()
            .rev()
            .nth(strips_ago)
            .ok_or("no such strip")?;
        let slot = strip.slots.iter().position(|slot| slot.text == *text);
        let slot = slot.ok_or_else(|| format!("{text:?} is not in {:?}", texts(strip)))?;
        let tap = TapSuggestion {
            strip: strip.serial,
            slot,
        };
        self.event(Event::TapSuggestion(tap));
        Ok(())
    }

    fn answer(&mut self, answer: &AnswerSpec) -> Result<(), String> {
        let request = self.requests.iter().rev().nth(answer.requests_ago);
        let epoch = request.ok_or("nothing was requested")?.context.epoch;
        let items = answer.items.iter().map(|item| Suggestion {
            text: item.text.clone(),
            kind: item.kind,
            score: 0.0,
            replace: item.replace,
            automatic: item.automatic,
        });
        let suggestions = Suggestions {
            epoch,
            items: items.collect(),
            fresh: answer.fresh,
        };
        self.event(Event::Suggestions(suggestions));
        Ok(())
    }

    fn expect(&mut self, expect: &Expect) -> Result<(), String> {
        let since = std::mem::take(&mut self.since);
        let strip = self.strips.last().ok_or("no strip")?;
        same("text", &expect.text, &self.marked())?;
        same("edits", &expect.edits, &since.edits)?;
        same("strip", &expect.strip, &texts(strip))?;
        if expect.strip.is_some() {
            same("highlighted", &Some(expect.highlighted), &strip.highlighted)?;
        }
        same("ghost", &expect.ghost, &self.ghost)?;
        same("shift", &expect.shift, &self.shift)?;
        same("layout", &expect.layout, &self.layout)?;
        same("composing", &expect.composing, &self.field.composing())?;
        same("requests", &expect.requests, &since.requests)?;
        if let Some(expected) = &expect.request {
            let request = self.requests.last().ok_or("nothing was requested")?;
            same("request before", &expected.before, &request.context.before)?;
            same("request after", &expected.after, &request.context.after)?;
            same("request taps", &expected.taps, &request.taps)?;
        }
        same("engine", &expect.engine, &since.engine)?;
        same("performed", &expect.performed, &since.performed)?;
        same("reads", &expect.reads, &since.reads)
    }

    /// Everything arrives; then the controller must know the field.
    fn settle(&mut self) -> Result<(), String> {
        self.answer_reads();
        self.deliver(usize::MAX);
        self.answer_reads();
        self.time += 10_000;
        self.handle(Event::Idle);
        self.answer_reads();
        let mirror = self.keyboard.mirror();
        if !self.mirrored {
            return same("mirror", &Some(EditorText::default()), &mirror);
        }
        let (text, _) = self.field.read();
        let agrees = mirror.selected == text.selected
            && (mirror.before.ends_with(&text.before)
                || mirror.before_cut && text.before.ends_with(&mirror.before))
            && (mirror.after.starts_with(&text.after)
                || mirror.after_cut && text.after.starts_with(&mirror.after))
            && !self.keyboard.unsure();
        if agrees {
            Ok(())
        } else {
            Err(format!("mirror {mirror:?}, field {text:?}"))
        }
    }

    fn marked(&self) -> String {
        let (before, after) = (self.field.before(), self.field.after());
        match self.field.selected().as_str() {
            "" => format!("{before}|{after}"),
            selected => format!("{before}⟦{selected}⟧{after}"),
        }
    }
}

impl ReportsSpec {
    fn reporting(&self) -> Reporting {
        Reporting {
            text: self.carry == Carry::Text,
            coalesced: self.when == When::Coalesced,
            batched: self.batched,
            window: self.window.unwrap_or(usize::MAX),
            unit: self.unit,
        }
    }
}

fn texts(strip: &Strip) -> Vec<String> {
    strip.slots.iter().map(|slot| slot.text.clone()).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &Option<T>,
    found: &T,
) -> Result<(), String> {
    match expected {
        Some(expected) if expected != found => {
            Err(format!("{what}: expected {expected:?}, found {found:?}"))
        }
        _ => Ok(()),
    }
}

/// Splits marked text: `|` is the cursor, `⟦⟧` enclose a selection; without either the cursor is
/// at the end.
fn unmark(marked: &str) -> Result<(String, usize, usize), String> {
    let position = |mark: &str| {
        marked
            .find(mark)
            .map(|offset| marked[..offset].chars().count())
    };
    let text = marked.replace(['|', '⟦', '⟧'], "");
    let all = text.chars().count();
    match (position("|"), position("⟦"), position("⟧")) {
        (Some(at), None, None) => Ok((text, at, at)),
        (None, Some(start), Some(end)) if start < end => Ok((text, start, end - 1)),
        (None, None, None) => Ok((text, all, all)),
        _ => Err(format!("marks of {marked:?}")),
    }
}
