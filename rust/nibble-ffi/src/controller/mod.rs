//! The keyboard's behaviour: events in, actions out, as values and as JSON.

mod action;
mod event;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nibble_keyboard::controller as engine;

use crate::error::{NibbleError, Result};

pub use action::{
    Action, EngineNotice, EngineRequest, ShiftState, Slot, Strip, TextEdit,
    engine_notice_from_json, engine_notice_to_json, engine_request_from_json,
    engine_request_to_json,
};
pub use event::{
    CapitalsMode, EditorAction, EditorText, EditorUpdate, Event, FieldFocus, GhostPart,
    KeyboardSettings, LayoutPage, PositionUnit, Selection, Tap, TimedEvent, settings_from_json,
};

/// A keyboard's whole behaviour as a state machine without input, output, threads or clocks. The shell turns
/// touches into events, carries out the actions and holds no rule of typing. Threads take turns.
#[derive(uniffi::Object)]
pub struct KeyboardController {
    controller: Mutex<engine::KeyboardController>,
}

impl KeyboardController {
    fn lock(&self) -> MutexGuard<'_, engine::KeyboardController> {
        self.controller
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[uniffi::export]
impl KeyboardController {
    /// A keyboard without a field; the first event of use is a focus.
    #[uniffi::constructor(default(settings = None))]
    pub fn new(settings: Option<KeyboardSettings>) -> Result<Arc<KeyboardController>> {
        let settings = settings.map_or_else(engine::Settings::default, Into::into);
        Ok(Arc::new(KeyboardController {
            controller: Mutex::new(engine::KeyboardController::new(settings)),
        }))
    }

    /// Takes an event and says what the shell is to do, in order. An event that makes no sense now has no
    /// effect.
    pub fn handle(&self, event: TimedEvent) -> Result<Vec<Action>> {
        Action::all(self.lock().handle(event.into()))
    }

    /// [`handle`](Self::handle) with the event and the actions as JSON, in the form that the scenario files
    /// use: `{"time": 100, "character": {"text": "a"}}` gives an array of actions.
    pub fn handle_json(&self, event: &str) -> Result<String> {
        let event =
            serde_json::from_str(event).map_err(|error| NibbleError::json("event", &error))?;
        let actions = self.lock().handle(event);
        serde_json::to_string(&actions).map_err(|error| NibbleError::json("actions", &error))
    }

    /// The text field as it will be when all edits have arrived; empty in secure fields.
    pub fn mirror(&self) -> Result<EditorText> {
        Ok(EditorText::of(self.lock().mirror().text.clone()))
    }

    /// Whether the field's text is in doubt, because an answer to a reading of it is out.
    pub fn unsure(&self) -> Result<bool> {
        Ok(self.lock().unsure())
    }

    /// The epoch of the text: an answer of the engine for another one has no effect.
    pub fn epoch(&self) -> Result<u64> {
        Ok(self.lock().epoch())
    }
}
