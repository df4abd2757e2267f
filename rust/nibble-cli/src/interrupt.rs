//! Ctrl-C: the first asks the engine to stop, the second ends the process.

use std::sync::{Arc, Mutex, PoisonError};

use nibble::CancelHandle;

use crate::failure::Failure;

/// Watches for Ctrl-C from [`install`](Interrupt::install) on, which may be called once.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    interrupted: bool,
    running: Vec<CancelHandle>,
}

impl Interrupt {
    pub(crate) fn install() -> Result<Interrupt, Failure> {
        let interrupt = Interrupt(Arc::default());
        let watched = interrupt.clone();
        ctrlc::set_handler(move || watched.interrupt()).map_err(|error| Failure::Io {
            what: "Ctrl-C".to_owned(),
            source: std::io::Error::other(error),
        })?;
        Ok(interrupt)
    }

    /// A handle for work of one's own that is cancelled by Ctrl-C.
    pub(crate) fn handle(&self) -> CancelHandle {
        let handle = CancelHandle::new();
        self.watch(handle.clone());
        handle
    }

    /// Cancels `handle` on Ctrl-C, at once if that was pressed before.
    pub(crate) fn watch(&self, handle: CancelHandle) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.interrupted {
            handle.cancel();
        }
        state.running.push(handle);
    }

    fn interrupt(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.interrupted {
            std::process::exit(130);
        }
        state.interrupted = true;
        state.running.iter().for_each(CancelHandle::cancel);
    }
}
