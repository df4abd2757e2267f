//! A value that one thread uses at a time, and that can be given up while it is used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use crate::error::{NibbleError, Result};

/// Holds a value for whoever comes first; nobody waits.
pub(crate) struct Exclusive<T> {
    /// What it is called in errors.
    name: &'static str,
    released: AtomicBool,
    value: Mutex<Option<T>>,
}

impl<T> Exclusive<T> {
    pub(crate) fn new(name: &'static str, value: T) -> Exclusive<T> {
        Exclusive {
            name,
            released: AtomicBool::new(false),
            value: Mutex::new(Some(value)),
        }
    }

    /// Calls `work` with the value.
    ///
    /// # Errors
    /// `Busy` while another thread works with it, `Closed` after [`release`](Self::release), and those of
    /// `work`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        if self.released.load(Ordering::SeqCst) {
            return Err(NibbleError::closed(self.name));
        }
        let result = {
            let mut value = self
                .try_lock()
                .ok_or_else(|| NibbleError::busy(self.name))?;
            let value = value
                .as_mut()
                .ok_or_else(|| NibbleError::closed(self.name))?;
            work(value)
        };
        // Whoever released it meanwhile could not take it.
        self.drop_if_released();
        result
    }

    /// Gives the value up: at once, or when the thread that works with it is done.
    pub(crate) fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
        self.drop_if_released();
    }

    fn drop_if_released(&self) {
        if self.released.load(Ordering::SeqCst)
            && let Some(mut value) = self.try_lock()
        {
            let value = value.take();
            drop(value);
        }
    }

    /// A panic of an earlier call left a value behind that is valid, if not what was asked for.
    fn try_lock(&self) -> Option<MutexGuard<'_, Option<T>>> {
        match self.value.try_lock() {
            Ok(value) => Some(value),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )]

    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_second_user_is_told_and_does_not_wait() {
        let value = Exclusive::new("number", 1);
        value
            .with(|_| {
                let second = value.with(|_| Ok(()));
                assert!(matches!(second, Err(NibbleError::Busy { .. })));
                Ok(())
            })
            .unwrap();
        assert_eq!(value.with(|number| Ok(*number)).unwrap(), 1);
    }

    #[test]
    fn what_is_released_while_it_is_used_goes_when_its_user_is_done() {
        let inner = Arc::new(());
        let value = Exclusive::new("thing", inner.clone());
        value
            .with(|_| {
                value.release();
                assert_eq!(Arc::strong_count(&inner), 2);
                Ok(())
            })
            .unwrap();
        assert_eq!(Arc::strong_count(&inner), 1);
        assert!(matches!(
            value.with(|_| Ok(())),
            Err(NibbleError::Closed { .. })
        ));
    }

    #[test]
    fn a_panic_does_not_lock_others_out() {
        let value = Exclusive::new("number", 1);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            value.with(|_| -> Result<()> { panic!("in the middle") })
        }));
        assert!(result.is_err());
        assert_eq!(value.with(|number| Ok(*number)).unwrap(), 1);
    }
}
