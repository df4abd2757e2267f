//! A keyboard without a screen: what stands between a typing session and a text field.
//!
//! It holds no rule of typing. Keys become events, actions are carried out on the field, and whatever the field
//! says goes back to the session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nibble_keyboard::controller::{
    Character, EditorAction, Focus, GhostPart, Settings, Strip, TapSuggestion,
};
use nibble_keyboard::latency::LatencyHistogram;
use nibble_keyboard::position::TextPosition;
use nibble_keyboard::text_field::Reporting;
use nibble_keyboard::{
    Action, Completer, Event, FieldKind, ModelState, TextField, TimedEvent, TypingSession,
    UserModelError,
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
    session: TypingSession,
    field: TextField,
    kind: FieldKind,
    strip: Strip,
    ghost: String,
    /// Serial of the request that was measured last.
    measured: u64,
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
        let mut shell = TypingShell {
            session: TypingSession::new(Arc::new(completer), settings),
            field: TextField::new("", Reporting::default()),
            kind,
            strip: Strip::default(),
            ghost: String::new(),
            measured: 0,
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
        let Some(actions) = self.session.poll(milliseconds(time)) else {
            return Ok(false);
        };
        self.carry_out(actions);
        self.settle(time);
        self.learned()?;
        Ok(true)
    }

    /// Whether a model that is ready is still to be heard on the present text.
    pub(crate) fn awaits(&self) -> bool {
        self.awaited.is_some() && self.completer().model_state() == ModelState::Ready
    }

    /// Nothing was typed for a moment: looks for ghost text. It may take passes; then it is there on a later
    /// call, until the next key.
    pub(crate) fn foresee(&mut self, time: Duration) -> Result<(), UserModelError> {
        let actions = self.session.foresee(milliseconds(time));
        self.carry_out(actions);
        self.settle(time);
        self.learned()
    }

    /// Nothing but time passed: for about a second after the last event.
    pub(crate) fn idle(&mut self, time: Duration) -> Result<(), UserModelError> {
        self.handle(Event::Idle, time)
    }

    /// Waits until the model has said everything about the present text, and takes its answer.
    pub(crate) fn wait(&mut self, timeout: Duration, time: Duration) -> Result<(), UserModelError> {
        self.completer().wait_idle(timeout);
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
        self.completer().wait_idle(timeout);
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
        self.session.completer()
    }

    /// What was counted so far.
    pub(crate) fn counters(&self) -> Counters {
        let stats = self.completer().stats();
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
        self.step(event, time);
        self.settle(time);
        self.learned()
    }

    /// Tells the session what the field has to say.
    fn settle(&mut self, time: Duration) {
        while let Some(update) = self
            .field
            .next_answer()
            .or_else(|| self.field.next_report())
        {
            self.step(Event::Editor(update), time);
        }
    }

    fn step(&mut self, event: Event, time: Duration) {
        let time = milliseconds(time);
        let actions = self.session.handle(TimedEvent { time, event });
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        self.field.apply(&actions);
        for action in actions {
            match action {
                Action::Strip(strip) => self.strip = strip,
                Action::Ghost { text } => self.ghost = text,
                _ => {}
            }
        }
        self.measure();
    }

    fn learned(&mut self) -> Result<(), UserModelError> {
        self.session.take_learning_error().map_or(Ok(()), Err)
    }

    /// Measures how long suggestions take, and how long the model is waited for.
    fn measure(&mut self) {
        let Some(answer) = self.session.latest_answer() else {
            return;
        };
        if answer.serial != self.measured {
            self.measured = answer.serial;
            self.suggest.add(answer.time);
        }
        let fresh = answer.suggestions.fresh;
        let context = TextPosition::of(&answer.request.context.before).context;
        let since = self.awaited.take().filter(|(text, _)| text == context);
        match since {
            Some((_, start)) if fresh => self.heard.add(start.elapsed()),
            None if fresh => {}
            Some(since) => self.awaited = Some(since),
            None if self.session.completer().model_state() == ModelState::Ready => {
                self.awaited = Some((context.to_owned(), Instant::now()));
            }
            None => {}
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
