//! A keyboard whose engine is in its own process: the controller and the completer as one thing.
//!
//! [`KeyboardController`] asks and notifies by actions, [`Completer`] answers and learns by calls. What lies
//! between the two is the same for every shell that has both, so it is here, and holds no rule of typing:
//!
//! - a request is answered at once, from what is known; [`poll`](TypingSession::poll) brings the model's
//!   answer when it is there;
//! - ghost text that is on the screen is looked for again in every answer of the model, which takes no pass,
//!   because an answer without a phrase ends it;
//! - words are learned from [`EngineNotice::Commit`] alone, once they stand.
//!
//! A keyboard whose engine is in another process carries requests, answers and notices itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::completer::Completer;
use crate::controller::{
    Action, EngineNotice, Event, KeyboardController, Mirror, Request, Settings, TimedEvent,
};
use crate::suggestion::Suggestions;
use crate::user_model::UserModelError;

/// A request of the controller, and the latest answer to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What was asked.
    pub request: Request,
    /// What the controller was told.
    pub suggestions: Suggestions,
    /// How long the controller waited for its first answer.
    pub time: Duration,
    /// Counts the requests of the session, from 1 on.
    pub serial: u64,
}

/// A [`KeyboardController`] over a [`Completer`]; see the [module](self).
///
/// No call runs the model or waits for it. One session serves one keyboard; the completer may be shared, with
/// a settings screen for instance, but not with another keyboard that is typed on.
///
/// It deliberately is not `Debug`: it holds typed text.
pub struct TypingSession {
    controller: KeyboardController,
    completer: Arc<Completer>,
    /// Whether ghost text is on the screen.
    shows_ghost: bool,
    answer: Option<Answer>,
    requests: u64,
    learning_error: Option<UserModelError>,
}

impl TypingSession {
    /// A keyboard without a field; the first event of use is [`Event::Focus`]. The completer's slots become
    /// those of the settings.
    pub fn new(completer: Arc<Completer>, settings: Settings) -> TypingSession {
        completer.set_slots(settings.slots);
        TypingSession {
            controller: KeyboardController::new(settings),
            completer,
            shows_ghost: false,
            answer: None,
            requests: 0,
            learning_error: None,
        }
    }

    /// Takes an event and says what the shell is to do, in order. [`Action::Request`] and [`Action::Engine`]
    /// do not occur: they were carried out.
    pub fn handle(&mut self, event: TimedEvent) -> Vec<Action> {
        let time = event.time;
        if let Event::Configure(settings) = &event.event {
            self.completer.set_slots(settings.slots);
        }
        let mut actions = Vec::new();
        for action in self.controller.handle(event) {
            match action {
                Action::Engine(notice) => self.tell(&notice),
                // In the place of the request, because a reading of the field has to come last.
                Action::Request(request) => actions.extend(self.ask(request, time)),
                Action::Ghost { text } => {
                    self.shows_ghost = !text.is_empty();
                    actions.push(Action::Ghost { text });
                }
                other => actions.push(other),
            }
        }
        actions
    }

    /// Takes the model's answer to the latest request, if it came since; `None` if it did not. For a loop, or
    /// a timer that runs while [`awaits_model`](Self::awaits_model).
    pub fn poll(&mut self, time: u64) -> Option<Vec<Action>> {
        let suggestions = self.completer.poll()?;
        let answer = self.answer.take()?;
        Some(self.answer(
            Answer {
                suggestions,
                ..answer
            },
            time,
        ))
    }

    /// Whether a model that is ready works on the latest request: whoever has no thread to wait polls while it does.
    pub fn awaits_model(&self) -> bool {
        self.answer.is_some() && self.completer.awaits_model()
    }

    /// Looks for ghost text, for when nothing was typed for a moment. It may take passes in the background;
    /// then the text is there on a later call, until the next key.
    pub fn foresee(&mut self, time: u64) -> Vec<Action> {
        if self.shows_ghost {
            return Vec::new();
        }
        let current = self.answer.as_ref().filter(|answer| {
            answer.suggestions.fresh && answer.request.context.epoch == self.controller.epoch()
        });
        let Some(answer) = current else {
            return Vec::new();
        };
        let Some(phrase) = self.completer.ghost(&answer.request.context) else {
            return Vec::new();
        };
        let mut suggestions = answer.suggestions.clone();
        suggestions.items.push(phrase);
        self.handle(TimedEvent {
            time,
            event: Event::Suggestions(suggestions),
        })
    }

    /// The latest request and what was answered; `None` before the first in a field.
    pub fn latest_answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// What went wrong with the user model since the last call. Nothing is learned where it fails; everything
    /// else works on.
    pub fn take_learning_error(&mut self) -> Option<UserModelError> {
        self.learning_error.take()
    }

    /// The engine.
    pub fn completer(&self) -> &Arc<Completer> {
        &self.completer
    }

    /// See [`KeyboardController::mirror`].
    pub fn mirror(&self) -> &Mirror {
        self.controller.mirror()
    }

    /// See [`KeyboardController::unsure`].
    pub fn unsure(&self) -> bool {
        self.controller.unsure()
    }

    fn tell(&mut self, notice: &EngineNotice) {
        if matches!(notice, EngineNotice::Focus { .. } | EngineNotice::Blur) {
            self.answer = None;
        }
        if let Err(error) = self.completer.notify(notice) {
            self.learning_error = Some(error);
        }
    }

    fn ask(&mut self, request: Request, time: u64) -> Vec<Action> {
        let start = Instant::now();
        let suggestions = self.completer.answer_request(&request);
        self.requests += 1;
        let answer = Answer {
            request,
            suggestions,
            time: start.elapsed(),
            serial: self.requests,
        };
        self.answer(answer, time)
    }

    fn answer(&mut self, mut answer: Answer, time: u64) -> Vec<Action> {
        if answer.suggestions.fresh && self.shows_ghost {
            let phrase = self.completer.ghost(&answer.request.context);
            answer.suggestions.items.extend(phrase);
        }
        let suggestions = answer.suggestions.clone();
        self.answer = Some(answer);
        self.handle(TimedEvent {
            time,
            event: Event::Suggestions(suggestions),
        })
    }
}
