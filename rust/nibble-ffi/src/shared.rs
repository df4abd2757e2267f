//! A value that many threads use at once, and that can be given up while it is used.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{NibbleError, Result};

/// Holds a value that lives as long as somebody uses it.
pub(crate) struct Shared<T> {
    /// What it is called in errors.
    name: &'static str,
    value: Mutex<Option<Arc<T>>>,
}

impl<T> Shared<T> {
    pub(crate) fn new(name: &'static str, value: Arc<T>) -> Shared<T> {
        Shared {
            name,
            value: Mutex::new(Some(value)),
        }
    }

    /// The value.
    ///
    /// # Errors
    /// `Closed` after [`release`](Self::release).
    pub(crate) fn get(&self) -> Result<Arc<T>> {
        self.lock()
            .clone()
            .ok_or_else(|| NibbleError::closed(self.name))
    }

    /// Gives the value up; those who use it keep it until they are done.
    pub(crate) fn release(&self) {
        let value = self.lock().take();
        // Not under the lock: it may take long.
        drop(value);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<T>>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
