//! A keyboard whose engine is in its own process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nibble_keyboard as keyboard;

use crate::completer::Completer;
use crate::controller::{Action, EditorText, KeyboardSettings, TimedEvent};
use crate::error::{NibbleError, Result};

/// A keyboard controller over a completer: events in, actions out; requests and notices of the controller are
/// carried out on the way and do not occur among the actions. Threads take turns; no call waits for the model.
#[derive(uniffi::Object)]
pub struct TypingSession {
    session: Mutex<Option<keyboard::TypingSession>>,
}

impl TypingSession {
    fn with<R>(&self, work: impl FnOnce(&mut keyboard::TypingSession) -> Result<R>) -> Result<R> {
        let mut session = self.lock();
        let session = session
            .as_mut()
            .ok_or_else(|| NibbleError::closed("typing session"))?;
        work(session)
    }

    fn lock(&self) -> MutexGuard<'_, Option<keyboard::TypingSession>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[uniffi::export]
impl TypingSession {
    /// A keyboard without a field; the first event of use is a focus. The completer's slots become those of the
    /// settings.
    #[uniffi::constructor(default(settings = None))]
    pub fn new(
        completer: Arc<Completer>,
        settings: Option<KeyboardSettings>,
    ) -> Result<Arc<TypingSession>> {
        let settings = settings.map_or_else(Default::default, Into::into);
        let session = keyboard::TypingSession::new(completer.get()?, settings);
        Ok(Arc::new(TypingSession {
            session: Mutex::new(Some(session)),
        }))
    }

    /// Takes an event and says what the shell is to do, in order.
    pub fn handle(&self, event: TimedEvent) -> Result<Vec<Action>> {
        self.with(|session| Action::all(session.handle(event.into())))
    }

    /// [`handle`](Self::handle) with the event and the actions as JSON, as in the scenario files.
    pub fn handle_json(&self, event: &str) -> Result<String> {
        let event =
            serde_json::from_str(event).map_err(|error| NibbleError::json("event", &error))?;
        let actions = self.with(|session| Ok(session.handle(event)))?;
        serde_json::to_string(&actions).map_err(|error| NibbleError::json("actions", &error))
    }

    /// Takes the model's answer to the latest request, if it came since; no actions where it did not.
    pub fn poll(&self, time: u64) -> Result<Vec<Action>> {
        self.with(|session| Action::all(session.poll(time).unwrap_or_default()))
    }

    /// Whether a model that is ready was not heard yet on the latest request: while it is so, poll again in some
    /// milliseconds.
    pub fn awaits_model(&self) -> Result<bool> {
        self.with(|session| Ok(session.awaits_model()))
    }

    /// Looks for ghost text, for when nothing was typed for a moment. It may take passes in the background; then
    /// the text is there on a later call, until the next key.
    pub fn foresee(&self, time: u64) -> Result<Vec<Action>> {
        self.with(|session| Action::all(session.foresee(time)))
    }

    /// Fails with what went wrong with the user model since the last call, if anything did. Nothing is learned
    /// where it fails; everything else works on.
    pub fn check_learning(&self) -> Result<()> {
        self.with(|session| match session.take_learning_error() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        })
    }

    /// The text field as it will be when all edits have arrived; empty in secure fields.
    pub fn mirror(&self) -> Result<EditorText> {
        self.with(|session| Ok(EditorText::of(session.mirror().text.clone())))
    }

    /// Whether the field's text is in doubt, because an answer to a reading of it is out.
    pub fn unsure(&self) -> Result<bool> {
        self.with(|session| Ok(session.unsure()))
    }

    /// Gives the session up, and the completer with it where nobody else has it.
    pub fn release(&self) -> Result<()> {
        let session = self.lock().take();
        drop(session);
        Ok(())
    }
}
