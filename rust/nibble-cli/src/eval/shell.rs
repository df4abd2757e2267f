//! A keyboard without a screen: the controller, a text field, and whoever answers the controller's requests.

use nibble_keyboard::controller::{
    Action, Character, Event, Focus, Request, Settings, ShiftState, Strip, Tap, TapSuggestion,
    TimedEvent,
};
use nibble_keyboard::text_field::Reporting;
use nibble_keyboard::{FieldKind, KeyboardController, Suggestions, TextField};

use super::predictor::Predictor;
use crate::failure::Failure;

/// Milliseconds between keys: 36 words a minute.
pub(crate) const KEY_MILLISECONDS: u64 = 333;

/// One text field that is typed into.
pub(crate) struct Shell {
    controller: KeyboardController,
    field: TextField,
    strip: Strip,
    shift: ShiftState,
    time: u64,
}

impl Shell {
    /// A field of this kind that has the focus and holds `text`, with the cursor at its end.
    pub(crate) fn new(
        kind: FieldKind,
        text: &str,
        settings: Settings,
        predictor: &mut dyn Predictor,
    ) -> Result<Shell, Failure> {
        let mut shell = Shell {
            controller: KeyboardController::new(settings),
            field: TextField::new(text, Reporting::default()),
            strip: Strip::default(),
            shift: ShiftState::default(),
            time: 0,
        };
        let (text, selection) = shell.field.read();
        let focus = Focus {
            kind,
            text,
            selection,
            ..Focus::default()
        };
        shell.handle(Event::Focus(focus), predictor)?;
        Ok(shell)
    }

    /// The text before the cursor.
    pub(crate) fn before(&self) -> String {
        self.field.before()
    }

    /// What the strip shows.
    pub(crate) fn strip(&self) -> &Strip {
        &self.strip
    }

    /// Presses the key of `character`, in the case that it has. Shift counts as part of it.
    pub(crate) fn press(
        &mut self,
        character: char,
        predictor: &mut dyn Predictor,
    ) -> Result<(), Failure> {
        self.touch(character, None, predictor)
    }

    /// [`press`](Self::press), where it is known where the finger came down.
    pub(crate) fn touch(
        &mut self,
        character: char,
        tap: Option<Tap>,
        predictor: &mut dyn Predictor,
    ) -> Result<(), Failure> {
        self.time += KEY_MILLISECONDS;
        if character == ' ' {
            return self.handle(Event::Space, predictor);
        }
        let lower: String = character.to_lowercase().collect();
        if character.is_uppercase() && self.shift == ShiftState::Off {
            self.handle(Event::Shift, predictor)?;
        }
        let key = Character { text: lower, tap };
        self.handle(Event::Character(key), predictor)
    }

    /// Presses backspace.
    pub(crate) fn backspace(&mut self, predictor: &mut dyn Predictor) -> Result<(), Failure> {
        self.time += KEY_MILLISECONDS;
        self.handle(Event::Backspace, predictor)
    }

    /// Taps a slot of the strip.
    pub(crate) fn tap(
        &mut self,
        slot: usize,
        predictor: &mut dyn Predictor,
    ) -> Result<(), Failure> {
        self.time += KEY_MILLISECONDS;
        let tap = TapSuggestion {
            strip: self.strip.serial,
            slot,
        };
        self.handle(Event::TapSuggestion(tap), predictor)
    }

    /// Takes the focus away, so that the last words are committed.
    pub(crate) fn blur(&mut self, predictor: &mut dyn Predictor) -> Result<(), Failure> {
        self.handle(Event::Blur, predictor)
    }

    fn handle(&mut self, event: Event, predictor: &mut dyn Predictor) -> Result<(), Failure> {
        let mut asked = None;
        let mut next = Some(event);
        while let Some(event) = next {
            asked = self.step(event, predictor)?.or(asked);
            // Only the latest request matters, and only once the field has settled.
            next = match (self.reported(), asked.take()) {
                (Some(update), request) => {
                    asked = request;
                    Some(update)
                }
                (None, Some(request)) => Some(Event::Suggestions(self.ask(&request, predictor)?)),
                (None, None) => None,
            };
        }
        Ok(())
    }

    fn ask(
        &self,
        request: &Request,
        predictor: &mut dyn Predictor,
    ) -> Result<Suggestions, Failure> {
        let taps = request.taps.iter().flatten().map(|tap| (tap.x, tap.y));
        let taps: Vec<(f32, f32)> = taps.collect();
        let suggestions = predictor.suggest(&request.context, &taps)?;
        Ok(Suggestions {
            epoch: request.context.epoch,
            ..suggestions
        })
    }

    fn reported(&mut self) -> Option<Event> {
        let update = self
            .field
            .next_answer()
            .or_else(|| self.field.next_report());
        update.map(Event::Editor)
    }

    /// One event; the request that came of it.
    fn step(
        &mut self,
        event: Event,
        predictor: &mut dyn Predictor,
    ) -> Result<Option<Request>, Failure> {
        let time = self.time;
        let actions = self.controller.handle(TimedEvent { time, event });
        self.field.apply(&actions);
        let mut asked = None;
        for action in actions {
            match action {
                Action::Strip(strip) => self.strip = strip,
                Action::Shift(shift) => self.shift = shift,
                Action::Request(request) => asked = Some(request),
                Action::Engine(notice) => predictor.notice(&notice)?,
                _ => {}
            }
        }
        Ok(asked)
    }
}
