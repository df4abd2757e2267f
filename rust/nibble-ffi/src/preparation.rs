//! Writing the prepared form of a model.

use std::path::Path;
use std::sync::Arc;

use nibble::prepared::PreparationOptions;
use nibble_keyboard::Lexicon;

use crate::error::{NibbleError, Result};
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
    /// Of a model with the lexicons in the files `lexicons`.
    pub(crate) fn new(
        source: &Path,
        destination: &Path,
        lexicons: &[String],
    ) -> Result<Arc<Preparation>> {
        let attachments = lexicons.iter().map(|file| {
            Lexicon::attachment(file).map_err(|error| NibbleError::lexicon(file, error))
        });
        let options = PreparationOptions {
            attachments: attachments.collect::<Result<_>>()?,
            ..PreparationOptions::default()
        };
        let work = nibble::prepared::Preparation::new(source, destination, options)?;
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
