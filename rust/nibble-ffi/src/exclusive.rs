//! A value that one thread uses at a time, and that can be given up while it is used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::error::{NibbleError, Result};

/// Holds a value that one thread at a time works with. Work that takes long never waits for other such work;
/// what is only a look waits for other looks, and for no work.
pub(crate) struct Exclusive<T> {
    /// What it is called in errors.
    name: &'static str,
    /// Whether work is under way.
    working: AtomicBool,
    released: AtomicBool,
    value: Mutex<Option<T>>,
}

/// The sign that work is under way, until it is dropped.
struct Working<'a>(&'a AtomicBool);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl<T> Exclusive<T> {
    pub(crate) fn new(name: &'static str, value: T) -> Exclusive<T> {
        Exclusive {
            name,
            working: AtomicBool::new(false),
            released: AtomicBool::new(false),
            value: Mutex::new(Some(value)),
        }
    }

    /// Does work with the value that may take long.
    ///
    /// # Errors
    /// `Busy` while another thread works with it, `Closed` after [`release`](Self::release), and those of
    /// `work`.
    pub(crate) fn work<R>(&self, work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        let is_first = !self.working.swap(true, Ordering::SeqCst);
        if !is_first {
            return Err(NibbleError::busy(self.name));
        }
        let working = Working(&self.working);
        // Only a look can have it now.
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.with(value, work);
        drop(working);
        // Whoever released it meanwhile could not take it.
        self.drop_if_released();
        result
    }

    /// Looks at the value, or changes what takes no time.
    ///
    /// # Errors
    /// As [`work`](Self::work).
    pub(crate) fn look<R>(&self, look: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        let value = loop {
            match self.try_lock() {
                Some(value) => break value,
                None if self.working.load(Ordering::SeqCst) => {
                    return Err(NibbleError::busy(self.name));
                }
                // Another look.
                None => std::thread::yield_now(),
            }
        };
        let result = self.with(value, look);
        self.drop_if_released();
        result
    }

    fn with<R>(
        &self,
        mut value: MutexGuard<'_, Option<T>>,
        use_it: impl FnOnce(&mut T) -> Result<R>,
    ) -> Result<R> {
        let is_released = self.released.load(Ordering::SeqCst);
        match value.as_mut().filter(|_| !is_released) {
            Some(value) => use_it(value),
            None => Err(NibbleError::closed(self.name)),
        }
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
    fn a_second_worker_is_told_and_does_not_wait() {
        let value = Exclusive::new("number", 1);
        value
            .work(|_| {
                let second = value.work(|_| Ok(()));
                assert!(matches!(second, Err(NibbleError::Busy { .. })));
                let look = value.look(|_| Ok(()));
                assert!(matches!(look, Err(NibbleError::Busy { .. })));
                Ok(())
            })
            .unwrap();
        assert_eq!(value.work(|number| Ok(*number)).unwrap(), 1);
    }

    #[test]
    fn a_look_never_keeps_work_away() {
        let value = Exclusive::new("number", 0);
        std::thread::scope(|scope| {
            let looking =
                scope.spawn(
                    || {
                        while !matches!(value.look(|number| Ok(*number)), Ok(5000)) {}
                    },
                );
            for _ in 0..5000 {
                value
                    .work(|number| {
                        *number += 1;
                        Ok(())
                    })
                    .unwrap();
            }
            looking.join().unwrap();
        });
    }

    #[test]
    fn what_is_released_while_it_is_used_goes_when_its_user_is_done() {
        let inner = Arc::new(());
        let value = Exclusive::new("thing", inner.clone());
        value
            .work(|_| {
                value.release();
                assert_eq!(Arc::strong_count(&inner), 2);
                Ok(())
            })
            .unwrap();
        assert_eq!(Arc::strong_count(&inner), 1);
        for result in [value.work(|_| Ok(())), value.look(|_| Ok(()))] {
            assert!(matches!(result, Err(NibbleError::Closed { .. })));
        }
    }

    #[test]
    fn a_panic_does_not_lock_others_out() {
        let value = Exclusive::new("number", 1);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            value.work(|_| -> Result<()> { panic!("in the middle") })
        }));
        assert!(result.is_err());
        assert_eq!(value.look(|number| Ok(*number)).unwrap(), 1);
        assert_eq!(value.work(|number| Ok(*number)).unwrap(), 1);
    }
}
