//! How urgently threads want a core while others want it, too.

use std::marker::PhantomData;

/// How urgently the threads that compute want a core while others want it, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// As the system has it: beside a busy thread on each core, half of the speed is left.
    Normal,
    /// Somebody waits for the result: on Linux and Android the niceness of what is displayed, -4, and on Apple's systems the
    /// class *user initiated*, which also prefers performance cores. Where the system does not allow it to this process,
    /// as Linux without `CAP_SYS_NICE` or a limit `RLIMIT_NICE`, it is as [`Priority::Normal`]. Android allows it to apps.
    #[default]
    Interactive,
}

impl Priority {
    /// Gives the calling thread this priority for good.
    pub(crate) fn adopt(self) {
        if self == Priority::Interactive {
            system::adopt_interactive();
        }
    }

    /// Gives the calling thread, which is not ours, this priority until the result is dropped. A thread that is more urgent
    /// already stays so.
    pub(crate) fn raise(self) -> RaisedPriority {
        RaisedPriority {
            before: match self {
                Priority::Normal => None,
                Priority::Interactive => system::raise(),
            },
            this_thread: PhantomData,
        }
    }
}

/// The calling thread's [`Priority`] is that of a pool's workers until this is dropped.
#[derive(Debug)]
#[must_use = "the priority ends with it"]
pub struct RaisedPriority {
    /// The niceness that comes back.
    before: Option<i32>,
    /// Only the thread that was raised can be lowered, so this must not be sent.
    this_thread: PhantomData<*const ()>,
}

impl Drop for RaisedPriority {
    fn drop(&mut self) {
        if let Some(niceness) = self.before {
            system::set_niceness(niceness);
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use rustix::process::{getpriority_process, setpriority_process};

    /// `THREAD_PRIORITY_DISPLAY` of Android.
    pub(super) const INTERACTIVE: i32 = -4;

    pub(super) fn adopt_interactive() {
        set_niceness(INTERACTIVE);
    }

    /// The niceness before, if it was changed.
    pub(super) fn raise() -> Option<i32> {
        // On Linux, niceness belongs to threads, and nobody in particular is the one who asks.
        let before = getpriority_process(None).ok()?;
        (before > INTERACTIVE && set_niceness(INTERACTIVE)).then_some(before)
    }

    /// Whether the system allows it.
    pub(super) fn set_niceness(niceness: i32) -> bool {
        setpriority_process(None, niceness).is_ok()
    }
}

#[cfg(target_vendor = "apple")]
mod system {
    pub(super) fn adopt_interactive() {
        let class = libc::qos_class_t::QOS_CLASS_USER_INITIATED;
        // SAFETY: it concerns the calling thread only, and has no other precondition.
        let _ = unsafe { libc::pthread_set_qos_class_self_np(class, 0) };
    }

    /// A caller's class is that of the queue or thread that it chose.
    pub(super) fn raise() -> Option<i32> {
        None
    }

    pub(super) fn set_niceness(_: i32) -> bool {
        false
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod system {
    pub(super) fn adopt_interactive() {}

    pub(super) fn raise() -> Option<i32> {
        None
    }

    pub(super) fn set_niceness(_: i32) -> bool {
        false
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::{sync, thread};

    use rustix::process::getpriority_process;

    use super::*;
    use crate::cores::BigCores;
    use crate::pool::ThreadPool;

    fn niceness() -> i32 {
        getpriority_process(None).unwrap()
    }

    /// What a thread gets that asks for [`Priority::Interactive`]: less than that where this process may not have it.
    fn granted() -> i32 {
        let asking = thread::spawn(|| {
            Priority::Interactive.adopt();
            niceness()
        });
        asking.join().unwrap()
    }

    /// The niceness of the threads of a pool while they work, its caller's first; and the caller's afterwards.
    fn of_pool(priority: Priority) -> ([i32; 2], i32) {
        let pool = ThreadPool::placed(2, &BigCores::detect(), priority);
        let both = sync::Barrier::new(2);
        let mut found = [0; 2];
        {
            let _raised = pool.raise_caller();
            let caller = thread::current().id();
            let seen = sync::Mutex::new(&mut found);
            pool.run(2, &AtomicBool::new(false), |_| {
                both.wait();
                let place = usize::from(thread::current().id() != caller);
                *seen.lock().unwrap().get_mut(place).unwrap() = niceness();
            })
            .unwrap();
        }
        (found, niceness())
    }

    #[test]
    fn all_threads_of_a_pool_are_raised_while_they_work() {
        let before = niceness();
        let granted = granted();
        assert!(granted == system::INTERACTIVE || granted == before);
        assert_eq!(
            of_pool(Priority::Interactive),
            ([granted.min(before), granted], before)
        );
        assert_eq!(of_pool(Priority::Normal), ([before; 2], before));
    }

    #[test]
    fn a_more_urgent_caller_stays_so() {
        let urgent = thread::spawn(|| {
            if !system::set_niceness(system::INTERACTIVE - 3) {
                return;
            }
            let raised = Priority::Interactive.raise();
            assert_eq!(niceness(), system::INTERACTIVE - 3);
            drop(raised);
            assert_eq!(niceness(), system::INTERACTIVE - 3);
        });
        urgent.join().unwrap();
    }
}
