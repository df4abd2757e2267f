//! A keyboard without a screen: what stands between the controller, a text field and the typing engine.
//!
//! It holds no rule of typing. Keys become the controller's events, the controller's actions are carried out
//! on the field and told to the engine, and whatever field and engine say goes back to the controller.

use std::time::{Duration, Instant};

use nibble_keyboard::controller::{
    Character, EditorAction, EngineNotice, Focus, GhostPart, Request, Settings, Strip,
    TapSuggestion,
};
use nibble_keyboard::latency::LatencyHistogram;
use nibble_keyboard::position::TextPosition;
use nibble_keyboard::text_field::Reporting;
use nibble_keyboard::{
    Action, Completer, Event, FieldKind, KeyboardController, ModelState, Suggestions, TextField,
    TimedEvent, UserModelError,
};

/// A key that the user pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Types this, in the case that it has; a space is the space bar.
    Character(char),
    Enter,
    Backspace,
    /// Takes what a slot of the strip shows, counted from 0 at the left.
    Slot(usize),
    /// Takes the next word of the ghost text.
    GhostWord,
    /// Takes all of the ghost text.
    GhostAll,
    Left,
    /// Moves the cursor, or takes all of the ghost text where there is some.
    Right,
}

/// What was counted and measured; shares and quantiles are `None` where nothing was.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counters {
    /// Keys that were pressed, whatever they did. Shift belongs to the key of the capital.
    pub(crate) keys: u64,
    /// Scalar values in the field, which was empty.
    pub(crate) characters: u64,
    /// Forward calls of the model.
    pub(crate) passes: u64,
    /// Time of suggestions, as the field waits for them: the last, and the 95th percentile.
    pub(crate) suggest: Option<(Duration, Duration)>,
    /// Time from reaching a word boundary until the model was heard there, which is at least one pass: the
    /// last, and the 95th percentile.
    pub(crate) heard: Option<(Duration, Duration)>,
    /// 95th percentile of a pass alone.
    pub(crate) pass: Option<Duration>,
    /// Memory of the tables that suggestions come from.
    pub(crate) memory_bytes: usize,
}

impl Counters {
    /// Share of keystrokes that were saved, 1 − keys / characters.
    pub(crate) fn saved(&self) -> Option<f64> {
        (self.characters > 0).then(|| 1.0 - self.keys as f64 / self.characters as f64)
    }

    /// Passes for each character.
    pub(crate) fn passes_per_character(&self) -> Option<f64> {
        (self.characters > 0).then(|| self.passes as f64 / self.characters as f64)
    }
}

/// Durations: the last one, and the distribution of all.
#[derive(Default)]
struct Durations {
    last: Duration,
    all: LatencyHistogram,
}

impl Durations {
    fn add(&mut self, duration: Duration) {
        self.last = duration;
        self.all.add(duration);
    }

    fn last_and_p95(&self) -> Option<(Duration, Duration)> {
        Some((self.last, self.all.quantile(0.95)?))
    }
}

/// The keyboard's shell around one text field: plain state that a screen draws.
///
/// Every call takes the time of a clock of the caller's that never runs backwards; its origin does not
/// matter. No call waits for the model but [`wait`](Self::wait) and [`wait_ghost`](Self::wait_ghost); a loop
/// calls [`poll`](Self::poll) instead. What the user types is learned as the controller commits it, if the
/// completer has a user model.
///
/// It deliberately is not `Debug`: it holds typed text.
pub(crate) struct TypingShell {
    controller: KeyboardController,
    completer: Completer,
    field: TextField,
    kind: FieldKind,
    strip: Strip,
    ghost: String,
    /// A request that was not answered at all yet.
    asked: Option<Request>,
    /// The latest request, and the latest answer to it.
    answered: Option<(Request, Suggestions)>,
    /// The text before the begun word on which the model was not heard yet, and since when it is waited for.
    awaited: Option<(String, Instant)>,
    keys: u64,
    suggest: Durations,
    heard: Durations,
}

impl TypingShell {
    /// A field of this kind, empty, that has the focus.
    ///
    /// # Errors
    /// Those of the user model, as everywhere here; the keyboard works on then.
    pub(crate) fn new(
        completer: Completer,
        kind: FieldKind,
        settings: Settings,
        time: Duration,
    ) -> Result<TypingShell, UserModelError> {
        completer.set_slots(settings.slots);
        let mut shell = TypingShell {
            controller: KeyboardController::new(settings),
            completer,
            field: TextField::new("", Reporting::default()),
            kind,
            strip: Strip::default(),
            ghost: String::new(),
            asked: None,
            answered: None,
            awaited: None,
            keys: 0,
            suggest: Durations::default(),
            heard: Durations::default(),
        };
        let (text, selection) = shell.field.read();
        let focus = Focus {
            kind,
            // Fields of prose have lines; in the others enter does something.
            multi_line: kind.corrects(),
            action: match kind {
                FieldKind::Search => EditorAction::Search,
                FieldKind::Url => EditorAction::Go,
                _ => EditorAction::Default,
            },
            text,
            selection,
            ..Focus::default()
        };
        shell.handle(Event::Focus(focus), time)?;
        Ok(shell)
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: Key, time: Duration) -> Result<(), UserModelError> {
        self.keys += 1;
        let event = match key {
            Key::Character(' ') => Event::Space,
            // A key's text in capitals comes out in capitals, whatever the state of the controller's own shift
            // key is; one in small letters gets the capital that is due.
            Key::Character(character) => Event::Character(Character {
                text: character.to_string(),
                tap: None,
            }),
            Key::Enter => Event::Enter,
            Key::Backspace => Event::Backspace,
            Key::Slot(slot) => Event::TapSuggestion(TapSuggestion {
                strip: self.strip.serial,
                slot,
            }),
            Key::GhostWord => Event::AcceptGhost(GhostPart::Word),
            Key::GhostAll => Event::AcceptGhost(GhostPart::All),
            Key::Right if !self.ghost.is_empty() => Event::AcceptGhost(GhostPart::All),
            Key::Left => Event::MoveCursor(-1),
            Key::Right => Event::MoveCursor(1),
        };
        self.handle(event, time)
    }

    /// Takes the model's answer, if it came since the last call. Says whether it did.
    pub(crate) fn poll(&mut self, time: Duration) -> Result<bool, UserModelError> {
        let Some(answer) = self.completer.poll() else {
            return Ok(false);
        };
        let Some((request, _)) = self.answered.take() else {
            return Ok(false);
        };
        let event = self.answer(request, answer);
        self.handle(event, time)?;
        Ok(true)
    }

    /// Whether a model that is ready is still to be heard on the present text.
    pub(crate) fn awaits(&self) -> bool {
        self.awaited.is_some() && self.completer.model_state() == ModelState::Ready
    }

    /// Nothing was typed for a moment: looks for ghost text. It may take passes; then it is there on a later
    /// call, until the next key.
    pub(crate) fn foresee(&mut self, time: Duration) -> Result<(), UserModelError> {
        if !self.ghost.is_empty() {
            return Ok(());
        }
        let current = self.answered.as_ref().filter(|(request, answer)| {
            answer.fresh && request.context.epoch == self.controller.epoch()
        });
        let Some((request, answer)) = current else {
            return Ok(());
        };
        let Some(phrase) = self.completer.ghost(&request.context) else {
            return Ok(());
        };
        let mut answer = answer.clone();
        answer.items.push(phrase);
        self.handle(Event::Suggestions(answer), time)
    }

    /// Nothing but time passed: for about a second after the last event.
    pub(crate) fn idle(&mut self, time: Duration) -> Result<(), UserModelError> {
        self.handle(Event::Idle, time)
    }

    /// Waits until the model has said everything about the present text, and takes its answer.
    pub(crate) fn wait(&mut self, timeout: Duration, time: Duration) -> Result<(), UserModelError> {
        self.completer.wait_idle(timeout);
        self.poll(time)?;
        Ok(())
    }

    /// [`foresee`](Self::foresee), waiting for the ghost text.
    pub(crate) fn wait_ghost(
        &mut self,
        timeout: Duration,
        time: Duration,
    ) -> Result<(), UserModelError> {
        self.foresee(time)?;
        self.completer.wait_idle(timeout);
        self.foresee(time)
    }

    /// Takes the focus away: the last words are learned, and the engine forgets the text.
    pub(crate) fn blur(&mut self, time: Duration) -> Result<(), UserModelError> {
        self.handle(Event::Blur, time)
    }

    /// The text field.
    pub(crate) fn field(&self) -> &TextField {
        &self.field
    }

    /// Kind of the field.
    pub(crate) fn kind(&self) -> FieldKind {
        self.kind
    }

    /// What the strip shows.
    pub(crate) fn strip(&self) -> &Strip {
        &self.strip
    }

    /// The text that is foreseen behind the cursor; empty for none.
    pub(crate) fn ghost(&self) -> &str {
        &self.ghost
    }

    /// The engine.
    pub(crate) fn completer(&self) -> &Completer {
        &self.completer
    }

    /// What was counted so far.
    pub(crate) fn counters(&self) -> Counters {
        let stats = self.completer.stats();
        Counters {
            keys: self.keys,
            characters: self.field.text().chars().count() as u64,
            passes: stats.passes,
            suggest: self.suggest.last_and_p95(),
            heard: self.heard.last_and_p95(),
            pass: stats.pass_latency.quantile(0.95),
            memory_bytes: stats.memory_bytes,
        }
    }

    /// Takes an event and everything that follows from it.
    fn handle(&mut self, event: Event, time: Duration) -> Result<(), UserModelError> {
        let mut result = Ok(());
        let mut next = Some(event);
        while let Some(event) = next {
            result = result.and(self.step(event, time));
            // The engine is asked once the field has settled: only the latest request matters.
            next = self.reported().or_else(|| self.ask());
        }
        result
    }

    fn step(&mut self, event: Event, time: Duration) -> Result<(), UserModelError> {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let actions = self.controller.handle(TimedEvent { time, event });
        self.field.apply(&actions);
        let mut result = Ok(());
        for action in actions {
            match action {
                Action::Strip(strip) => self.strip = strip,
                Action::Ghost { text } => self.ghost = text,
                Action::Request(request) => self.asked = Some(request),
                Action::Engine(notice) => result = result.and(self.tell(&notice)),
                _ => {}
            }
        }
        result
    }

    fn tell(&self, notice: &EngineNotice) -> Result<(), UserModelError> {
        match notice {
            EngineNotice::Focus { field } => self.completer.focus(*field),
            EngineNotice::Blur => self.completer.blur(),
            EngineNotice::Revert { typed, .. } => return self.completer.revert(typed),
            EngineNotice::Commit { before, text } => return self.completer.commit(before, text),
            // Its words are learned when they are committed.
            EngineNotice::Accept { .. } => {}
        }
        Ok(())
    }

    fn reported(&mut self) -> Option<Event> {
        let update = self.field.next_answer();
        let update = update.or_else(|| self.field.next_report());
        update.map(Event::Editor)
    }

    fn ask(&mut self) -> Option<Event> {
        let request = self.asked.take()?;
        let taps = request.taps.iter().flatten().map(|tap| (tap.x, tap.y));
        let taps: Vec<(f32, f32)> = taps.collect();
        let start = Instant::now();
        let answer = self
            .completer
            .suggest_tapped(&request.context, (!taps.is_empty()).then_some(&taps));
        self.suggest.add(start.elapsed());
        Some(self.answer(request, answer))
    }

    /// An answer on its way to the controller. Ghost text that is being typed along is found again for it,
    /// which takes no pass: an answer of the model without a phrase ends it.
    fn answer(&mut self, request: Request, mut answer: Suggestions) -> Event {
        self.watch(&request, answer.fresh);
        if answer.fresh && !self.ghost.is_empty() {
            answer.items.extend(self.completer.ghost(&request.context));
        }
        self.answered = Some((request, answer.clone()));
        Event::Suggestions(answer)
    }

    /// Measures how long the model is waited for.
    fn watch(&mut self, request: &Request, fresh: bool) {
        let context = TextPosition::of(&request.context.before).context;
        let since = self.awaited.take().filter(|(text, _)| text == context);
        match since {
            Some((_, start)) if fresh => self.heard.add(start.elapsed()),
            None if fresh => {}
            Some(since) => self.awaited = Some(since),
            None if self.completer.model_state() == ModelState::Ready => {
                self.awaited = Some((context.to_owned(), Instant::now()));
            }
            None => {}
        }
    }
}
