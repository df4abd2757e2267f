//! Sessions: one text in progress each.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::exclusive::Exclusive;
use crate::generation::{Generation, GenerationOptions};
use crate::model::{Activations, KvFormat, count, special_tokens};

/// How a session is made.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct SessionOptions {
    /// Tokens that it can hold; 0 for what the model was opened with.
    #[uniffi(default = 0)]
    pub context: u32,
    /// How activations are held; none for what the model was opened with.
    #[uniffi(default = None)]
    pub activations: Option<Activations>,
    /// How keys and values are stored; none for what the model was opened with.
    #[uniffi(default = None)]
    pub kv_format: Option<KvFormat>,
}

/// One text in progress over a shared model, with its KV cache. A text that begins like the one before costs
/// only what is new.
#[derive(uniffi::Object)]
pub struct Session {
    session: Arc<Exclusive<nibble::Session>>,
    /// Stops the generation that was begun last.
    current: Mutex<Option<nibble::CancelHandle>>,
}

impl Session {
    pub(crate) fn new(
        model: Arc<nibble::Model>,
        options: nibble::SessionOptions,
    ) -> Result<Arc<Session>> {
        Ok(Session::of(nibble::Session::new(model, options)?))
    }

    fn of(session: nibble::Session) -> Arc<Session> {
        Arc::new(Session {
            session: Arc::new(Exclusive::new("session", session)),
            current: Mutex::new(None),
        })
    }

    fn begin(&self, prompt: &[u32], options: GenerationOptions) -> Result<Arc<Generation>> {
        let state = self.session.look(|session| {
            Ok(nibble::GenerationState::new(
                session,
                prompt,
                options.into(),
            )?)
        })?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(state.cancel_handle());
        Ok(Generation::new(self.session.clone(), state))
    }
}

#[uniffi::export]
impl Session {
    /// Continues `prompt`, after the token for the beginning where the model's file asks for one. Nothing is
    /// computed before the first [`Generation::next`].
    #[uniffi::method(default(options = None))]
    pub fn generate(
        &self,
        prompt: &str,
        options: Option<GenerationOptions>,
    ) -> Result<Arc<Generation>> {
        let options = options.unwrap_or_default();
        let special = special_tokens(options.parse_special_tokens);
        let tokens = self
            .session
            .look(|session| Ok(session.model().tokenizer().encode_prompt(prompt, special)?))?;
        self.begin(&tokens, options)
    }

    /// Continues a text that is given as tokens.
    #[uniffi::method(default(options = None))]
    pub fn generate_from_tokens(
        &self,
        tokens: Vec<u32>,
        options: Option<GenerationOptions>,
    ) -> Result<Arc<Generation>> {
        self.begin(&tokens, options.unwrap_or_default())
    }

    /// Tokens that the session holds.
    pub fn token_count(&self) -> Result<u32> {
        self.session
            .look(|session| Ok(count(session.tokens().len())))
    }

    /// Tokens that the session can hold.
    pub fn capacity(&self) -> Result<u32> {
        self.session.look(|session| Ok(count(session.capacity())))
    }

    /// Keeps the first `length` tokens; 0 forgets the text.
    pub fn truncate(&self, length: u32) -> Result<()> {
        self.session.look(|session| {
            session.truncate(length as usize);
            Ok(())
        })
    }

    /// A second session with the same content, which costs no copy until the two differ.
    pub fn fork(&self) -> Result<Arc<Session>> {
        self.session
            .look(|session| Ok(Session::of(session.fork()?)))
    }

    /// Gives the session and its KV cache up, and cancels its generation.
    pub fn release(&self) -> Result<()> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = current.as_ref() {
            handle.cancel();
        }
        self.session.release();
        Ok(())
    }
}
