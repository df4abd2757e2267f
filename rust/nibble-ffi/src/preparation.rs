//! Writing the prepared form of a model.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::exclusive::Exclusive;

/// How far a preparation is, in bytes of work, which are more than the file has: it is read twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct PreparationProgress {
    /// Done so far.
    pub done: u64,
    /// In all.
    pub total: u64,
}

/// A prepared file in the making, pulled step by step, so that it can be shown and stopped: whoever releases it
/// before the end has stopped it, and nothing is left.
#[derive(uniffi::Object)]
pub struct Preparation {
    work: Exclusive<nibble::prepared::Preparation>,
}

impl Preparation {
    pub(crate) fn new(source: &Path, destination: &Path) -> Result<Arc<Preparation>> {
        let work = nibble::prepared::Preparation::new(source, destination)?;
        Ok(Arc::new(Preparation {
            work: Exclusive::new("preparation", work),
        }))
    }
}

#[uniffi::export]
impl Preparation {
    /// Does the next few megabytes; none once the file is there under its name, whole and on the disk.
    pub fn next(&self) -> Result<Option<PreparationProgress>> {
        self.work.work(|work| {
            let progress = work.step()?;
            Ok(progress.map(|progress| PreparationProgress {
                done: progress.done,
                total: progress.total,
            }))
        })
    }

    /// Stops, and removes what is not finished.
    pub fn release(&self) -> Result<()> {
        self.work.release();
        Ok(())
    }
}
