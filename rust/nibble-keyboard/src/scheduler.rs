//! When the model runs: one worker thread, a mailbox of one, and results that say what they belong to.
//!
//! Callers post work and look results up; both only hold a lock for as long as it takes to move a pointer,
//! never across a pass. Newer work replaces what waits and aborts what runs, unless it is the same.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nibble::{CancelHandle, Error, ErrorKind, Model, Result};

use crate::boundary::{BoundaryCache, BoundaryKey, Distribution};
use crate::boundary_model::{BoundaryModel, BoundaryText, Passes};
use crate::expander::Expansion;
use crate::ghost::{self, Phrase, PhraseStart};
use crate::latency::LatencyHistogram;
use crate::model_words::ModelWords;
use crate::vocab_index::VocabIndex;
use crate::word_table::WordTable;

/// What is derived from a model once, and read by every look-up.
#[derive(Debug)]
pub(crate) struct ModelView {
    pub(crate) index: Arc<VocabIndex>,
    pub(crate) words: ModelWords,
}

/// Work for the model.
#[derive(Debug)]
pub(crate) enum Work {
    /// The cursor is at this boundary or inside the word after it.
    Boundary {
        key: BoundaryKey,
        text: BoundaryText,
    },
    /// The word that is being typed will probably end in one of these boundaries.
    LookAhead {
        boundaries: Vec<(BoundaryKey, BoundaryText)>,
    },
    Phrase {
        key: BoundaryKey,
        start: PhraseStart,
    },
    Expansion {
        key: BoundaryKey,
        text: BoundaryText,
        typed: String,
        distribution: Arc<Distribution>,
    },
}

impl Work {
    fn id(&self) -> WorkId {
        match self {
            Work::Boundary { key, .. } => WorkId::Boundary(*key),
            Work::LookAhead { .. } => WorkId::LookAhead,
            Work::Phrase { key, .. } => WorkId::Phrase(*key),
            Work::Expansion { key, .. } => WorkId::Expansion(*key),
        }
    }

    fn is_needed(&self) -> bool {
        matches!(self, Work::Boundary { .. })
    }

    /// The boundaries that it makes known.
    fn boundaries(&self) -> Vec<BoundaryKey> {
        match self {
            Work::Boundary { key, .. } => vec![*key],
            Work::LookAhead { boundaries } => boundaries.iter().map(|(key, _)| *key).collect(),
            Work::Phrase { .. } | Work::Expansion { .. } => Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkId {
    Boundary(BoundaryKey),
    LookAhead,
    Phrase(BoundaryKey),
    Expansion(BoundaryKey),
}

/// How the model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ModelState {
    /// There is none.
    #[default]
    Absent,
    /// It is being prepared.
    Loading,
    /// It answers.
    Ready,
    /// It failed for good, with this kind of error, until a model is set again.
    Failed(ErrorKind),
}

/// Counts and times; no text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Forward calls, of whatever purpose, aborted ones included.
    pub passes: u64,
    /// Those of look-ahead that were not asked for while they ran.
    pub speculative_passes: u64,
    /// Those of phrases.
    pub phrase_passes: u64,
    /// Those of words of several tokens.
    pub expansion_passes: u64,
    /// Pieces of work that newer work aborted.
    pub aborted: u64,
    /// Pieces of work that failed.
    pub failed: u64,
    /// Boundaries that were asked for and known.
    pub cache_hits: u64,
    /// Boundaries that were asked for and had to be computed.
    pub cache_misses: u64,
    /// Time from the start of a boundary's pass to its end.
    pub pass_latency: LatencyHistogram,
    /// Time of [`suggest`](crate::Completer::suggest).
    pub suggest_latency: LatencyHistogram,
    /// Bytes of memory of boundaries, the vocabulary's index and the words.
    pub memory_bytes: usize,
}

#[derive(Debug)]
struct Running {
    id: WorkId,
    /// The boundaries that it makes known.
    boundaries: Vec<BoundaryKey>,
    cancel: CancelHandle,
    /// Whether somebody waits for it.
    needed: bool,
}

#[derive(Debug)]
struct State {
    mailbox: Option<Work>,
    running: Option<Running>,
    cache: BoundaryCache<Distribution>,
    phrase: Option<(BoundaryKey, Option<Phrase>)>,
    expansion: Option<(BoundaryKey, Arc<Expansion>)>,
    view: Option<Arc<ModelView>>,
    model_state: ModelState,
    /// A model that the worker is to change to; the outer `Option` says whether.
    new_model: Option<Option<Arc<Model>>>,
    /// The worker is to forget its session.
    forget: bool,
    /// The worker is changing its model or forgetting.
    changing: bool,
    /// Results of work that began in an earlier generation are dropped.
    generation: u64,
    stop: bool,
    stats: Stats,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// The state. A panic elsewhere leaves it consistent: every change is made by assignments.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look-up found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lookup {
    pub(crate) view: Option<Arc<ModelView>>,
    pub(crate) distribution: Option<Arc<Distribution>>,
}

/// Owns the worker thread. Dropping it aborts what runs and joins the thread.
#[derive(Debug)]
pub(crate) struct Scheduler {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

/// Failures in a row after which a model is given up.
const MAX_FAILURES: u32 = 3;

impl Scheduler {
    /// Starts a worker without model. Where the system refuses a thread, there never is one.
    pub(crate) fn new(table: Arc<WordTable>, cache_bytes: usize) -> Scheduler {
        let state = State {
            mailbox: None,
            running: None,
            cache: BoundaryCache::new(cache_bytes),
            phrase: None,
            expansion: None,
            view: None,
            model_state: ModelState::Absent,
            new_model: None,
            forget: false,
            changing: false,
            generation: 0,
            stop: false,
            stats: Stats::default(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let worker = std::thread::Builder::new()
            .name("nibble-typing".to_owned())
            .spawn({
                let shared = shared.clone();
                move || {
                    Worker {
                        shared,
                        table,
                        model: None,
                        failures: 0,
                    }
                    .run()
                }
            });
        if worker.is_err() {
            log::warn!("no thread for the model: words come from the lexicon alone");
            shared.lock().stop = true;
        }
        Scheduler {
            shared,
            worker: worker.ok(),
        }
    }

    /// Changes the model; `None` drops it as soon as its pass is aborted.
    pub(crate) fn set_model(&self, model: Option<Arc<Model>>) {
        let mut state = self.shared.lock();
        state.clear();
        state.view = None;
        state.model_state = match (&model, state.stop) {
            (Some(_), false) => ModelState::Loading,
            _ => ModelState::Absent,
        };
        state.new_model = Some(model).filter(|_| !state.stop);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Forgets all text: aborts, empties mailbox and caches, and has the session dropped.
    pub(crate) fn wipe(&self) {
        let mut state = self.shared.lock();
        state.clear();
        state.forget = true;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Aborts what runs and drops what waits; results are kept.
    pub(crate) fn pause(&self) {
        self.shared.lock().abort();
        // Whoever waits for work that nobody has begun would wait in vain.
        self.shared.changed.notify_all();
    }

    pub(crate) fn model_state(&self) -> ModelState {
        self.shared.lock().model_state
    }

    /// What is known at `key`.
    pub(crate) fn look_up(&self, key: Option<BoundaryKey>) -> Lookup {
        let mut state = self.shared.lock();
        let Some(view) = state.view.clone() else {
            return Lookup::default();
        };
        let distribution = key.and_then(|key| state.cache.get(key));
        if key.is_some() {
            let counter = match distribution {
                Some(_) => &mut state.stats.cache_hits,
                None => &mut state.stats.cache_misses,
            };
            *counter += 1;
        }
        Lookup {
            view: Some(view),
            distribution,
        }
    }

    /// Whether `key` is known, without counting it as asked for.
    pub(crate) fn knows(&self, key: BoundaryKey) -> bool {
        self.shared.lock().cache.contains(key)
    }

    /// Asks for work. What is needed replaces what waits and aborts what runs; the rest only gets an idle
    /// worker.
    pub(crate) fn post(&self, work: Work) {
        let mut state = self.shared.lock();
        if state.stop || !matches!(state.model_state, ModelState::Loading | ModelState::Ready) {
            return;
        }
        let id = work.id();
        let known = match id {
            WorkId::Boundary(key) => state.cache.contains(key),
            WorkId::LookAhead => false,
            WorkId::Phrase(key) => state
                .phrase
                .as_ref()
                .is_some_and(|(other, _)| *other == key),
            WorkId::Expansion(key) => state
                .expansion
                .as_ref()
                .is_some_and(|(other, _)| *other == key),
        };
        if known {
            return;
        }
        if !work.is_needed() {
            let idle = state.mailbox.is_none() && state.running.is_none();
            if idle && state.model_state == ModelState::Ready {
                state.mailbox = Some(work);
                drop(state);
                self.shared.changed.notify_all();
            }
            return;
        }
        let boundaries = work.boundaries();
        match &mut state.running {
            Some(running)
                if !running.cancel.is_cancelled()
                    && boundaries
                        .iter()
                        .all(|key| running.boundaries.contains(key)) =>
            {
                running.needed = true;
                state.mailbox = None;
            }
            running => {
                if let Some(running) = running {
                    running.cancel.cancel();
                }
                state.mailbox = Some(work);
                drop(state);
                self.shared.changed.notify_all();
            }
        }
    }

    /// Waits until the boundary `key` is known, is no longer being worked on, or `deadline` has passed.
    pub(crate) fn wait(&self, key: BoundaryKey, deadline: Instant) {
        self.wait_while(deadline, |state| {
            !state.cache.contains(key) && state.works_on(key)
        });
    }

    /// Whether the boundary `key` is known or being worked on.
    pub(crate) fn expects(&self, key: BoundaryKey) -> bool {
        let state = self.shared.lock();
        state.cache.contains(key) || state.works_on(key)
    }

    /// Waits until the worker has nothing to do and has done all that it was told, or `deadline` has passed.
    pub(crate) fn wait_idle(&self, deadline: Instant) {
        self.wait_while(deadline, |state| {
            let ordered = state.new_model.is_some() || state.forget || state.changing;
            ordered || state.mailbox.is_some() || state.running.is_some()
        });
    }

    fn wait_while(&self, deadline: Instant, busy: impl Fn(&State) -> bool) {
        let mut state = self.shared.lock();
        while !state.stop && busy(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The words of several tokens that were found at `key`.
    pub(crate) fn expansion(&self, key: BoundaryKey) -> Option<Arc<Expansion>> {
        let state = self.shared.lock();
        let (found, expansion) = state.expansion.as_ref()?;
        (*found == key).then(|| expansion.clone())
    }

    /// The phrase that was found at `key`; the outer `Option` says whether it was looked for.
    pub(crate) fn phrase(&self, key: BoundaryKey) -> Option<Option<Phrase>> {
        let state = self.shared.lock();
        let (found, phrase) = state.phrase.as_ref()?;
        (*found == key).then(|| phrase.clone())
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.shared.lock();
        let mut stats = state.stats.clone();
        stats.memory_bytes = state.cache.size_bytes();
        if let Some(view) = &state.view {
            stats.memory_bytes += view.index.size_bytes() + view.words.size_bytes();
        }
        stats
    }

    pub(crate) fn count_suggest(&self, duration: Duration) {
        self.shared.lock().stats.suggest_latency.add(duration);
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.clear();
        state.stop = true;
        drop(state);
        self.shared.changed.notify_all();
        if let Some(worker) = self.worker.take() {
            // The worker catches its panics; there is nothing to hand on.
            let _ = worker.join();
        }
    }
}

impl State {
    /// Whether the boundary `key` waits for the worker or is in the pass that runs.
    fn works_on(&self, key: BoundaryKey) -> bool {
        let waits = |work: &Work| work.boundaries().contains(&key);
        let runs = |running: &Running| running.boundaries.contains(&key);
        self.mailbox.as_ref().is_some_and(waits) || self.running.as_ref().is_some_and(runs)
    }

    fn abort(&mut self) {
        self.mailbox = None;
        if let Some(running) = &self.running {
            running.cancel.cancel();
        }
    }

    /// Drops everything that was derived from text.
    fn clear(&mut self) {
        self.abort();
        self.generation += 1;
        self.phrase = None;
        self.expansion = None;
        for distribution in self.cache.drain() {
            if let Ok(mut distribution) = Arc::try_unwrap(distribution) {
                distribution.wipe();
            }
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    table: Arc<WordTable>,
    model: Option<Loaded>,
    failures: u32,
}

struct Loaded {
    model: Arc<Model>,
    view: Arc<ModelView>,
    /// Made for the first pass, and again after a failure or a wipe.
    session: Option<BoundaryModel>,
}

enum Order {
    Stop,
    ChangeModel(Option<Arc<Model>>),
    Forget,
    Run(Work, CancelHandle, u64),
}

enum Outcome {
    Boundaries(Vec<(BoundaryKey, Distribution)>),
    Phrase(BoundaryKey, Option<Phrase>),
    Expansion(BoundaryKey, Expansion),
}

impl Worker {
    fn run(mut self) {
        loop {
            match self.next_order() {
                Order::Stop => return,
                Order::ChangeModel(model) => {
                    self.change_model(model);
                    self.changed();
                }
                Order::Forget => {
                    if let Some(loaded) = &mut self.model {
                        loaded.session = None;
                    }
                    self.changed();
                }
                Order::Run(work, cancel, generation) => self.work(work, &cancel, generation),
            }
        }
    }

    fn next_order(&self) -> Order {
        let mut state = self.shared.lock();
        loop {
            if state.stop {
                return Order::Stop;
            }
            if let Some(model) = state.new_model.take() {
                state.changing = true;
                return Order::ChangeModel(model);
            }
            if std::mem::take(&mut state.forget) {
                state.changing = true;
                return Order::Forget;
            }
            if let Some(work) = state.mailbox.take() {
                let cancel = CancelHandle::new();
                state.running = Some(Running {
                    id: work.id(),
                    boundaries: work.boundaries(),
                    cancel: cancel.clone(),
                    needed: work.is_needed(),
                });
                return Order::Run(work, cancel, state.generation);
            }
            state = self
                .shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn change_model(&mut self, model: Option<Arc<Model>>) {
        self.model = None;
        self.failures = 0;
        let Some(model) = model else { return };
        let start = Instant::now();
        let table = &self.table;
        let view = guarded(|| {
            let index = Arc::new(VocabIndex::new(model.tokenizer()));
            let words = ModelWords::new(table, &index, model.tokenizer())?;
            Ok(Arc::new(ModelView { index, words }))
        });
        log::debug!(
            "model prepared for typing in {} ms",
            start.elapsed().as_millis()
        );

        let mut state = self.shared.lock();
        if state.new_model.is_some() {
            return;
        }
        match view {
            Ok(view) => {
                state.view = Some(view.clone());
                state.model_state = ModelState::Ready;
                self.model = Some(Loaded {
                    model,
                    view,
                    session: None,
                });
            }
            Err(error) => state.fail(error.kind()),
        }
    }

    /// A change of the model is done.
    fn changed(&self) {
        self.shared.lock().changing = false;
        self.shared.changed.notify_all();
    }

    fn work(&mut self, work: Work, cancel: &CancelHandle, generation: u64) {
        let start = Instant::now();
        let mut passes = Passes::default();
        let is_boundary = matches!(work, Work::Boundary { .. });
        let result = match &mut self.model {
            Some(loaded) => guarded(|| loaded.run(work, cancel, &mut passes)),
            None => Err(Error::Internal {
                what: "work without a model".to_owned(),
            }),
        };
        let elapsed = start.elapsed();

        let mut state = self.shared.lock();
        let running = state.running.take();
        state.stats.passes += passes.calls;
        match running.map(|running| (running.id, running.needed)) {
            Some((WorkId::Phrase(_), _)) => state.stats.phrase_passes += passes.calls,
            Some((WorkId::Expansion(_), _)) => state.stats.expansion_passes += passes.calls,
            Some((WorkId::LookAhead, false)) => state.stats.speculative_passes += passes.calls,
            _ => {}
        }
        match result {
            Ok(outcome) => {
                self.failures = 0;
                if is_boundary {
                    state.stats.pass_latency.add(elapsed);
                }
                match outcome {
                    _ if state.generation != generation => {}
                    Outcome::Boundaries(found) => {
                        for (key, distribution) in found {
                            let bytes = distribution.size_bytes();
                            state.cache.insert(key, bytes, Arc::new(distribution));
                        }
                    }
                    Outcome::Phrase(key, phrase) => state.phrase = Some((key, phrase)),
                    Outcome::Expansion(key, expansion) => {
                        state.expansion = Some((key, Arc::new(expansion)));
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => state.stats.aborted += 1,
            Err(error) => {
                log::warn!("the model failed: {:?}", error.kind());
                state.stats.failed += 1;
                self.failures += 1;
                // What a failed pass left behind is not trusted, and its memory may be what is short.
                if let Some(loaded) = &mut self.model {
                    loaded.session = None;
                }
                if self.failures >= MAX_FAILURES || error.kind() == ErrorKind::FileChanged {
                    state.fail(error.kind());
                    self.model = None;
                }
            }
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl State {
    fn fail(&mut self, kind: ErrorKind) {
        self.clear();
        self.view = None;
        self.model_state = ModelState::Failed(kind);
    }
}

impl Loaded {
    fn run(&mut self, work: Work, cancel: &CancelHandle, passes: &mut Passes) -> Result<Outcome> {
        let session = match &mut self.session {
            Some(session) => session,
            empty => empty.insert(BoundaryModel::new(
                self.model.clone(),
                self.view.index.clone(),
            )?),
        };
        match work {
            Work::Boundary { key, text } => {
                let distribution = session.distribution(&text, cancel, passes)?;
                Ok(Outcome::Boundaries(vec![(key, distribution)]))
            }
            Work::LookAhead { boundaries } => Ok(Outcome::Boundaries(
                session.look_ahead(boundaries, cancel, passes)?,
            )),
            Work::Phrase { key, start } => Ok(Outcome::Phrase(
                key,
                ghost::continue_phrase(session, &start, cancel, passes)?,
            )),
            Work::Expansion {
                key,
                text,
                typed,
                distribution,
            } => {
                let found = session.expand(&text, &typed, &distribution, cancel, passes)?;
                Ok(Outcome::Expansion(key, found))
            }
        }
    }
}

/// Runs `work`; a panic becomes an error.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::Internal {
            what: "a panic".to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Join;
    use nibble::ModelOptions;

    const LONG: Duration = Duration::from_secs(60);

    /// A model that is slow enough to be met at work.
    fn scheduler() -> Scheduler {
        let options = ModelOptions {
            threads: 2,
            ..Default::default()
        };
        let model = Arc::new(Model::open(nibble_testkit::smollm2(), &options).unwrap());
        let scheduler = Scheduler::new(Arc::new(WordTable::default()), 1 << 20);
        scheduler.set_model(Some(model));
        scheduler.wait_idle(Instant::now() + LONG);
        scheduler
    }

    #[test]
    fn waiting_ends_when_what_was_asked_for_is_dropped() {
        let scheduler = scheduler();
        let deadline = Instant::now() + LONG;
        // The worker is not woken: this is the moment before it would have begun.
        scheduler.shared.lock().mailbox = Some(boundary(1, 1));
        std::thread::scope(|scope| {
            scope.spawn(|| scheduler.wait_idle(deadline));
            // Long enough for the thread to wait; with less it would have nothing to wait for.
            std::thread::sleep(Duration::from_millis(100));
            scheduler.pause();
        });
        assert!(Instant::now() < deadline, "nobody was told");
    }

    fn boundary(key: u64, words: usize) -> Work {
        let (key, text) = text(key, words);
        Work::Boundary { key, text }
    }

    fn look_ahead(key: u64, words: usize) -> Work {
        Work::LookAhead {
            boundaries: vec![text(key, words)],
        }
    }

    fn text(key: u64, words: usize) -> (BoundaryKey, BoundaryText) {
        let window = "some more of it ".repeat(words / 4 + 1);
        let text = BoundaryText {
            primer: "".into(),
            conversation: "".into(),
            window: format!("{key} {window}"),
            join: Join::Space,
        };
        (BoundaryKey(key), text)
    }

    /// Waits until the worker is at it; whether it was met there.
    fn meet_at_work(scheduler: &Scheduler, key: u64) -> bool {
        let key = BoundaryKey(key);
        loop {
            let state = scheduler.shared.lock();
            if state
                .running
                .as_ref()
                .is_some_and(|running| running.boundaries.contains(&key))
            {
                return true;
            }
            if state.cache.contains(key) {
                return false;
            }
            drop(state);
            std::thread::yield_now();
        }
    }

    fn knows(scheduler: &Scheduler, key: u64) -> bool {
        scheduler.knows(BoundaryKey(key))
    }

    fn wait(scheduler: &Scheduler, key: u64) {
        scheduler.wait(BoundaryKey(key), Instant::now() + LONG);
    }

    #[test]
    fn newer_work_aborts_what_runs_and_replaces_what_waits() {
        let scheduler = scheduler();
        scheduler.post(boundary(1, 150));
        assert!(
            meet_at_work(&scheduler, 1),
            "a pass of 150 words takes a while"
        );
        scheduler.post(boundary(2, 150));
        scheduler.post(boundary(3, 4));
        wait(&scheduler, 3);
        assert!(knows(&scheduler, 3));
        assert!(!knows(&scheduler, 1) && !knows(&scheduler, 2));
        let stats = scheduler.stats();
        assert_eq!((stats.aborted, stats.failed), (1, 0));

        // The same work again goes on instead.
        scheduler.post(boundary(4, 150));
        assert!(meet_at_work(&scheduler, 4));
        scheduler.post(boundary(4, 150));
        wait(&scheduler, 4);
        assert!(knows(&scheduler, 4));
        assert_eq!(scheduler.stats().aborted, 1);
    }

    #[test]
    fn a_pass_that_is_being_aborted_is_not_relied_on() {
        let scheduler = scheduler();
        scheduler.post(boundary(1, 150));
        assert!(meet_at_work(&scheduler, 1));
        scheduler.pause();
        scheduler.post(boundary(1, 150));
        wait(&scheduler, 1);
        assert!(knows(&scheduler, 1));

        // The same after other work.
        scheduler.post(boundary(2, 150));
        assert!(meet_at_work(&scheduler, 2));
        scheduler.post(boundary(3, 150));
        scheduler.post(boundary(2, 150));
        wait(&scheduler, 2);
        assert!(knows(&scheduler, 2));
    }

    #[test]
    fn speculation_only_gets_an_idle_worker_and_is_needed_once_it_is_asked_for() {
        let scheduler = scheduler();
        scheduler.post(boundary(1, 150));
        scheduler.post(look_ahead(2, 4));
        wait(&scheduler, 1);
        scheduler.wait_idle(Instant::now() + LONG);
        assert!(knows(&scheduler, 1) && !knows(&scheduler, 2));

        scheduler.post(look_ahead(2, 4));
        scheduler.wait_idle(Instant::now() + LONG);
        assert!(knows(&scheduler, 2));
        let speculative = scheduler.stats().speculative_passes;
        assert!(speculative > 0);

        scheduler.post(look_ahead(3, 150));
        assert!(meet_at_work(&scheduler, 3));
        scheduler.post(boundary(3, 150));
        wait(&scheduler, 3);
        assert!(knows(&scheduler, 3));
        assert_eq!(scheduler.stats().speculative_passes, speculative);

        // What is needed does not wait for a guess.
        scheduler.post(look_ahead(4, 150));
        assert!(meet_at_work(&scheduler, 4));
        scheduler.post(boundary(5, 4));
        wait(&scheduler, 5);
        assert!(knows(&scheduler, 5) && !knows(&scheduler, 4));
    }

    #[test]
    fn a_wipe_leaves_nothing_and_drops_the_result_of_what_runs() {
        let scheduler = scheduler();
        scheduler.post(boundary(1, 4));
        wait(&scheduler, 1);
        scheduler.post(boundary(2, 150));
        assert!(meet_at_work(&scheduler, 2));
        scheduler.wipe();
        scheduler.wait_idle(Instant::now() + LONG);
        let state = scheduler.shared.lock();
        assert!(state.cache.is_empty() && state.mailbox.is_none() && state.running.is_none());
        assert!(state.phrase.is_none() && state.expansion.is_none());
        assert_eq!(state.model_state, ModelState::Ready);
        drop(state);
        scheduler.post(boundary(2, 4));
        wait(&scheduler, 2);
        assert!(knows(&scheduler, 2));
    }
}
