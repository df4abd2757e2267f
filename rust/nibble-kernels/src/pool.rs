//! A thread pool for the products of one model: owned by its user, cheap to start a job on, and
//! asleep when there is nothing to do.
//!
//! A job is a number of items and a function of the item's number. Whoever is free claims the next
//! item from one atomic counter, so a thread that the operating system has taken off its core
//! delays the one item it holds and nothing else, and no thread ever waits for another to arrive.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::cores::BigCores;
use crate::priority::{Priority, RaisedPriority};

/// How long a thread looks for work, or for the end of a job, before it goes to sleep.
///
/// A few times the cost of putting a thread to sleep and waking it again. The gap between two products of one
/// token is far shorter, also where an interrupt falls into it, so workers stay awake inside a token; when
/// other processes want the cores, no more than this is burnt per job.
const SPIN: Duration = Duration::from_micros(100);

/// The job was given up because its cancel flag was set; some items have not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl Error for Cancelled {}

/// A fixed set of worker threads which, together with the calling thread, work off the items of
/// one job at a time.
///
/// Any number of threads may share a pool. While one of them has the workers, a job of another
/// (or a job started from inside an item) runs on its caller's thread alone instead of waiting, so
/// sharing and nesting cannot deadlock. Dropping the pool joins the workers.
pub struct ThreadPool {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
    priority: Priority,
}

impl ThreadPool {
    /// A pool of `threads` threads, the calling one included: `threads - 1` workers named
    /// `nibble-1`, `nibble-2`, ... are started. If the operating system refuses one, the pool goes
    /// on with fewer; see [`ThreadPool::threads`].
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self::start(threads, Priority::Normal, || ())
    }

    /// A [new](ThreadPool::new) pool whose workers have a priority and keep to the big cores, unless there are more threads
    /// than those.
    #[must_use]
    pub fn placed(threads: usize, cores: &BigCores, priority: Priority) -> Self {
        let cores = Some(cores.clone()).filter(|cores| threads <= cores.count());
        Self::start(threads, priority, move || {
            if let Some(cores) = &cores {
                cores.keep_this_thread();
            }
            priority.adopt();
        })
    }

    /// A pool of workers that begin with `begin`.
    fn start(
        threads: usize,
        priority: Priority,
        begin: impl Fn() + Clone + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = (1..threads)
            .map_while(|number| Worker::start(number, &shared, begin.clone()))
            .collect();
        Self {
            shared,
            workers,
            priority,
        }
    }

    /// Gives the calling thread the priority of the workers while it runs jobs, until the result is dropped.
    pub fn raise_caller(&self) -> RaisedPriority {
        self.priority.raise()
    }

    /// The number of threads that work on a job, the calling one included; at least 1.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `f` once with every number in `0..items`, in no particular order and on any of the
    /// pool's threads, and returns when all calls have returned.
    ///
    /// Make items a few times as many as there are threads and each worth ten microseconds or
    /// more: then a thread that is slow or late costs little.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if `cancel` was found set before some item; every thread looks at it before
    /// each item. Items that had begun are finished first.
    ///
    /// # Panics
    ///
    /// A panic in `f` makes the pool give up the items not yet begun; once the others are finished
    /// the panic goes on in the calling thread. The pool stays usable.
    pub fn run(
        &self,
        items: usize,
        cancel: &AtomicBool,
        f: impl Fn(usize) + Sync,
    ) -> Result<(), Cancelled> {
        if items <= 1 || self.workers.is_empty() {
            return run_alone(items, cancel, f);
        }
        let Ok(workers_are_ours) = self.shared.gate.try_lock() else {
            return run_alone(items, cancel, f);
        };
        let job = Job {
            items,
            cancel,
            f: &f,
            skipped: AtomicBool::new(false),
            panics: Mutex::new(Vec::new()),
        };
        self.shared.publish(&job);
        self.wake_workers(items - 1);
        let settled = self
            .shared
            .claim()
            .map_or(0, |unclaimed| self.shared.work_on(&job, unclaimed));
        self.shared.settle(settled);
        self.shared.wait_for_end();
        drop(workers_are_ours);

        let panics = job
            .panics
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(panic) = panics.into_iter().next() {
            resume_unwind(panic);
        }
        if job.skipped.into_inner() {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }

    /// Cuts `out` into chunks of `chunk_len` elements (the last may be shorter; 0 counts as 1) and
    /// calls `f` once with each chunk's number and the chunk, as [`ThreadPool::run`] does.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] as in [`ThreadPool::run`]; `out` is then partly written.
    ///
    /// # Panics
    ///
    /// Passes on a panic of `f`, as [`ThreadPool::run`] does.
    pub fn for_each_chunk<T: Send>(
        &self,
        out: &mut [T],
        chunk_len: usize,
        cancel: &AtomicBool,
        f: impl Fn(usize, &mut [T]) + Sync,
    ) -> Result<(), Cancelled> {
        let chunk_len = chunk_len.max(1);
        let len = out.len();
        let base = SharedBase(out.as_mut_ptr());
        self.run(len.div_ceil(chunk_len), cancel, |chunk| {
            let start = chunk * chunk_len;
            let chunk_len = chunk_len.min(len - start);
            // SAFETY: `chunk < len.div_ceil(chunk_len)`, so `start < len` and the chunk lies inside `out`, which is
            // borrowed mutably until `run` returns. `run` hands out each item once, so no two chunks overlap, and
            // `T: Send` lets another thread have the reference.
            let part = unsafe { std::slice::from_raw_parts_mut(base.get().add(start), chunk_len) };
            f(chunk, part);
        })
    }

    /// Wakes sleeping workers until `helpers` of them are awake, as far as there are so many.
    fn wake_workers(&self, helpers: usize) {
        let awake = self
            .workers
            .iter()
            .filter(|w| !w.asleep.load(Ordering::SeqCst))
            .count();
        let asleep = self
            .workers
            .iter()
            .filter(|w| w.asleep.load(Ordering::SeqCst));
        for worker in asleep.take(helpers.saturating_sub(awake)) {
            worker.wake();
        }
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        for worker in &self.workers {
            worker.wake();
        }
        for worker in self.workers.drain(..) {
            // Items' panics never reach the worker's own stack, so there is no result to look at.
            let _ = worker.thread.join();
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

/// Runs a job on the calling thread.
fn run_alone(items: usize, cancel: &AtomicBool, f: impl Fn(usize)) -> Result<(), Cancelled> {
    for item in 0..items {
        if cancel.load(Ordering::Relaxed) {
            return Err(Cancelled);
        }
        f(item);
    }
    Ok(())
}

/// The start of a slice whose disjoint chunks are handed to several threads.
struct SharedBase<T>(*mut T);

impl<T> SharedBase<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}

// SAFETY: the pointer is only used to hand out disjoint `&mut [T]`, each to one thread at a time,
// which is sound for `T: Send`.
unsafe impl<T: Send> Sync for SharedBase<T> {}

/// One call of [`ThreadPool::run`]; lives on its caller's stack.
struct Job<'a> {
    items: usize,
    cancel: &'a AtomicBool,
    f: &'a (dyn Fn(usize) + Sync),
    /// Set when items were left out because of `cancel`.
    skipped: AtomicBool,
    /// What panicking items left; the first is passed on.
    panics: Mutex<Vec<Box<dyn Any + Send>>>,
}

/// What the caller and the workers share.
///
/// The life of a job: the caller, who holds `gate`, stores `job` and `unsettled`, then `unclaimed`.
/// A thread *claims* an item by taking one off `unclaimed`, and *settles* it, after the item has
/// run or has been given up, by taking it off `unsettled`. The caller leaves `run` only when it has
/// seen `unsettled == 0`. From this follows what makes `job` safe to use:
///
/// **Between claiming an item and settling it, `job` points to the live job the item belongs to.**
/// A claim succeeds only if `unclaimed` was not 0, that is, if a job is published and has an
/// unsettled item; the read-modify-write cannot miss that, however old the thread's view of the
/// past is. Its `Acquire` reads from the caller's store or from another claim in that store's
/// release sequence, so the thread sees what the caller wrote before. It sees nothing newer,
/// because the next job is stored only after the caller has read `unsettled == 0` with `Acquire`,
/// which this thread's settling precedes with `Release`. A worker that wakes up late therefore
/// either takes part in the job of the day or finds nothing to claim; it never has a finished job
/// in its hands, and nobody needs to wait for it.
#[derive(Default)]
struct Shared {
    /// Held by the caller whose job has the workers.
    gate: Mutex<()>,
    /// The job in progress; dangles between jobs.
    job: AtomicPtr<Job<'static>>,
    /// Items of the job that nobody has claimed yet; 0 between jobs.
    unclaimed: AtomicUsize,
    /// Items of the job that are not settled; 0 between jobs.
    unsettled: AtomicUsize,
    /// The caller sleeps, or is about to sleep, on `end`.
    caller_sleeps: AtomicBool,
    end_lock: Mutex<()>,
    end: Condvar,
    /// The pool is being dropped.
    closing: AtomicBool,
}

impl Shared {
    /// Offers `job` to the workers. The caller holds `gate` and waits with
    /// [`Shared::wait_for_end`] before `job` goes away.
    fn publish(&self, job: &Job<'_>) {
        self.job
            .store(ptr::from_ref(job).cast_mut().cast(), Ordering::Relaxed);
        self.unsettled.store(job.items, Ordering::Relaxed);
        // Releases the two stores above to whoever claims an item. `SeqCst` against `sleep`:
        // either a worker that falls asleep sees the items or the caller sees that it sleeps.
        self.unclaimed.store(job.items, Ordering::SeqCst);
    }

    /// Claims an item; returns how many were unclaimed before.
    fn claim(&self) -> Option<usize> {
        self.unclaimed
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |unclaimed| {
                unclaimed.checked_sub(1)
            })
            .ok()
    }

    /// Takes the items that nobody has claimed yet away from the job; returns their number.
    /// The calling thread has a claimed item that is not settled, so they are that job's.
    fn claim_all(&self) -> usize {
        self.unclaimed.swap(0, Ordering::Acquire)
    }

    /// Runs an item of `job` that was claimed when `unclaimed` were left, then others until none is
    /// left; returns how many this thread has to settle.
    fn work_on(&self, job: &Job<'_>, mut unclaimed: usize) -> usize {
        let mut claimed = 1;
        let work = || loop {
            if job.cancel.load(Ordering::Relaxed) {
                job.skipped.store(true, Ordering::Relaxed);
                claimed += self.claim_all();
                return;
            }
            (job.f)(job.items - unclaimed);
            match self.claim() {
                Some(left) => unclaimed = left,
                None => return,
            }
            claimed += 1;
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            claimed += self.claim_all();
            job.panics
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(panic);
        }
        claimed
    }

    /// Settles `count` claimed items. For a worker, the job may be gone from here on.
    fn settle(&self, count: usize) {
        // `SeqCst` against `wait_for_end`: either the caller sees 0 or it is seen to sleep.
        let before = self.unsettled.fetch_sub(count, Ordering::SeqCst);
        if before == count && self.caller_sleeps.load(Ordering::SeqCst) {
            // Under the lock the caller is either before its last look at `unsettled` or waiting.
            let _lock = self.end_lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.end.notify_one();
        }
    }

    /// Waits until all items are settled.
    fn wait_for_end(&self) {
        if spin_until(|| self.unsettled.load(Ordering::Acquire) == 0) {
            return;
        }
        let mut lock = self.end_lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.caller_sleeps.store(true, Ordering::SeqCst);
        while self.unsettled.load(Ordering::SeqCst) != 0 {
            lock = self.end.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.caller_sleeps.store(false, Ordering::Relaxed);
    }

    /// What a worker does all its life.
    fn serve(&self, asleep: &AtomicBool) {
        loop {
            while let Some(unclaimed) = self.claim() {
                // SAFETY: this thread has claimed an item and not settled it, so the pointer is
                // good (see `Shared`); the reference is not used after `settle`.
                let job = unsafe { &*self.job.load(Ordering::Relaxed) };
                let settled = self.work_on(job, unclaimed);
                self.settle(settled);
            }
            if self.closing.load(Ordering::SeqCst) {
                return;
            }
            if !spin_until(|| self.has_news(Ordering::Relaxed)) {
                self.sleep(asleep);
            }
        }
    }

    /// Sleeps until someone resets `asleep`, or not at all if there is work.
    fn sleep(&self, asleep: &AtomicBool) {
        asleep.store(true, Ordering::SeqCst);
        if self.has_news(Ordering::SeqCst) {
            asleep.store(false, Ordering::SeqCst);
        }
        while asleep.load(Ordering::SeqCst) {
            thread::park();
        }
    }

    fn has_news(&self, ordering: Ordering) -> bool {
        self.unclaimed.load(ordering) != 0 || self.closing.load(ordering)
    }
}

/// A worker thread and whether it sleeps.
struct Worker {
    thread: JoinHandle<()>,
    asleep: Arc<AtomicBool>,
}

impl Worker {
    /// Starts worker `number`, which begins with `begin`, or nothing if the operating system refuses.
    fn start(
        number: usize,
        shared: &Arc<Shared>,
        begin: impl FnOnce() + Send + 'static,
    ) -> Option<Self> {
        let asleep = Arc::new(AtomicBool::new(false));
        let (its_shared, its_asleep) = (Arc::clone(shared), Arc::clone(&asleep));
        let thread = thread::Builder::new()
            .name(format!("nibble-{number}"))
            .spawn(move || {
                begin();
                its_shared.serve(&its_asleep);
            })
            .ok()?;
        Some(Self { thread, asleep })
    }

    /// Wakes the worker if it sleeps.
    fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.thread.thread().unpark();
        }
    }
}

/// Spins until `done`, at most for [`SPIN`]; returns whether it is done.
fn spin_until(done: impl Fn() -> bool) -> bool {
    /// Looks between two readings of the clock.
    const LOOKS: usize = 16;
    let start = Instant::now();
    loop {
        for _ in 0..LOOKS {
            if done() {
                return true;
            }
            spin_loop();
        }
        if start.elapsed() >= SPIN {
            return false;
        }
    }
}
