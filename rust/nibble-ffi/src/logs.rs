//! What the library logs: counts and times, never text.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Result;

/// How much a record matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What happens rarely.
    Info,
    /// What happens often.
    Debug,
    /// What happens all the time.
    Trace,
}

impl From<LogLevel> for log::LevelFilter {
    fn from(level: LogLevel) -> log::LevelFilter {
        match level {
            LogLevel::Error => log::LevelFilter::Error,
            LogLevel::Warn => log::LevelFilter::Warn,
            LogLevel::Info => log::LevelFilter::Info,
            LogLevel::Debug => log::LevelFilter::Debug,
            LogLevel::Trace => log::LevelFilter::Trace,
        }
    }
}

impl From<log::Level> for LogLevel {
    fn from(level: log::Level) -> LogLevel {
        match level {
            log::Level::Error => LogLevel::Error,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Info => LogLevel::Info,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Trace => LogLevel::Trace,
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LogRecord {
    /// How much it matters.
    pub level: LogLevel,
    /// The part of the library that it comes from.
    pub target: String,
    /// What it says.
    pub message: String,
    /// When, in milliseconds since 1970.
    pub time: u64,
}

/// Records that are kept until they are drained; older ones make way.
const CAPACITY: usize = 256;

/// The process has one log, as the `log` facade has.
static LOG: Ring = Ring {
    state: Mutex::new(State {
        records: VecDeque::new(),
        lost: 0,
    }),
};

struct Ring {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: VecDeque<LogRecord>,
    /// Records that made way.
    lost: u64,
}

impl Ring {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl log::Log for Ring {
    /// Only what Nibble itself logs: it vouches for that alone.
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("nibble")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let record = LogRecord {
            level: record.level().into(),
            target: record.target().to_owned(),
            message: record.args().to_string(),
            time: since.map_or(0, |time| {
                u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
            }),
        };
        let mut state = self.lock();
        if state.records.len() == CAPACITY {
            state.records.pop_front();
            state.lost += 1;
        }
        state.records.push_back(record);
    }

    fn flush(&self) {}
}

#[cfg(not(target_os = "android"))]
fn install() {
    // Where the process has a logger already, records go there and the ring stays empty.
    let _ = log::set_logger(&LOG);
}

#[cfg(target_os = "android")]
fn install() {
    let filter = android_logger::FilterBuilder::new()
        .filter(Some("nibble"), log::LevelFilter::Trace)
        .filter(None, log::LevelFilter::Off)
        .build();
    android_logger::init_once(
        android_logger::Config::default()
            .with_tag("nibble")
            .with_max_level(log::LevelFilter::Trace)
            .with_filter(filter),
    );
}

/// The library's log. On Android records go to the system's log under the tag `nibble`; elsewhere the latest
/// 256 are kept until they are drained. Nothing is logged before the first object of this kind exists. All
/// objects stand for the same log.
#[derive(uniffi::Object)]
pub struct Logs {}

#[uniffi::export]
impl Logs {
    /// The log, from this level on.
    #[uniffi::constructor]
    pub fn new(level: LogLevel) -> Result<Arc<Logs>> {
        install();
        log::set_max_level(level.into());
        Ok(Arc::new(Logs {}))
    }

    /// Changes the level.
    pub fn set_level(&self, level: LogLevel) -> Result<()> {
        log::set_max_level(level.into());
        Ok(())
    }

    /// Takes the records that came since the last call, oldest first. Where more came than are kept, the first
    /// record says how many are missing.
    pub fn drain(&self) -> Result<Vec<LogRecord>> {
        let state = std::mem::take(&mut *LOG.lock());
        let missing = (state.lost > 0).then(|| LogRecord {
            level: LogLevel::Warn,
            target: "nibble_ffi".to_owned(),
            message: format!("{} records were not drained in time", state.lost),
            time: state.records.front().map_or(0, |record| record.time),
        });
        Ok(missing.into_iter().chain(state.records).collect())
    }
}
