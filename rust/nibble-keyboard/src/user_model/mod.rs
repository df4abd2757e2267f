//! What this user types: their words, the pairs of them, and what they took back.
//!
//! Counts decay, so old habits fade; a second, faster count follows the topic of the day. All of
//! it can be listed, removed word by word, exported, imported and erased. Fields in which nothing
//! may be learned leave no trace: every method that learns takes the kind of the field.
//!
//! The store is one file of checksummed records that is only appended to (`record.rs`), and
//! replaced as a whole when it has grown too large or something is removed, so that what was
//! removed is gone from the file as well. A process that dies at any byte loses at most the word
//! it was writing. The file has one writer at a time: a second [`UserModel::open`] fails with
//! [`UserModelError::InUse`] until the first is dropped or its process ends; anybody may
//! [`UserModel::open_read_only`].
//!
//! Times are given by the caller, in seconds since 1970 (UTC); all counts are compared as of the
//! latest one seen.

mod counts;
mod error;
mod record;
mod store;
mod transfer;

use std::path::Path;

use unicode_segmentation::UnicodeSegmentation;

pub use counts::After;
pub use error::UserModelError;

use crate::field::FieldKind;
use crate::text::fold;
use crate::word_boundary::{is_apostrophe, is_letter_or_digit};
use counts::{Counts, WordCounts};
use record::Record;
use store::Store;

/// How much a user model keeps. A file that cannot be replaced by a smaller one, as on a full disk, grows
/// beyond until it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Words, at most.
    pub max_words: usize,
    /// Pairs of words, at most.
    pub max_pairs: usize,
    /// Size of the file in bytes: it is compacted once it has grown beyond.
    pub max_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            max_words: 10_000,
            max_pairs: 30_000,
            // As many words and pairs in a script of three bytes a letter take three quarters of it, the
            // words that are appended before the next compaction the rest.
            max_bytes: 4 << 20,
        }
    }
}

/// A word that the user has typed.
#[derive(Debug, Clone, PartialEq)]
pub struct UserWord {
    /// As the user spells it.
    pub word: String,
    /// How often it was typed.
    pub uses: u32,
    /// When it was last typed.
    pub last_used: i64,
    /// Whether a correction of it was undone.
    pub reverted: bool,
}

/// A word of the user that begins as typed.
#[derive(Debug, Clone, PartialEq)]
pub struct UserCompletion {
    /// As the user spells it.
    pub word: String,
    /// Natural logarithm of its probability by what the user has typed; see
    /// [`UserModel::score`].
    pub log_probability: f32,
    /// How often it was typed: at least twice.
    pub uses: u32,
}

/// Longest word that is learned, in Unicode scalar values.
const MAX_LETTERS: usize = 48;

/// A word typed this often is no slip.
const TAUGHT_USES: u32 = 2;
/// What a habit counts at least while its word is offered. Its half-life is 60 days, so a word typed twice
/// has faded after 180 days, one typed eight times after 300. Typed once more, it is offered again.
const LEAST_HABIT: f32 = 0.25;

enum Backing {
    Memory,
    ReadOnly,
    File(Store),
}

/// What this user types.
pub struct UserModel {
    counts: Counts,
    backing: Backing,
    bounds: Bounds,
    /// What the next compaction waits for: the bounds, and more after a compaction that failed.
    compact_at: Bounds,
}

impl UserModel {
    /// A model that is never stored.
    pub fn in_memory(bounds: Bounds) -> UserModel {
        UserModel {
            counts: Counts::default(),
            backing: Backing::Memory,
            bounds,
            compact_at: bounds,
        }
    }

    /// Opens or creates the model at `path`. Damaged records are skipped, the others kept.
    ///
    /// # Errors
    /// [`UserModelError::InUse`], [`UserModelError::NotAUserModel`], [`UserModelError::Io`].
    pub fn open(path: impl AsRef<Path>, bounds: Bounds) -> Result<UserModel, UserModelError> {
        let (store, records) = Store::open(path.as_ref())?;
        Ok(UserModel {
            counts: sum(&records),
            backing: Backing::File(store),
            bounds,
            compact_at: bounds,
        })
    }

    /// Reads the model at `path`, which may be in use by a writer. Whatever would change it fails
    /// with [`UserModelError::ReadOnly`].
    ///
    /// # Errors
    /// [`UserModelError::NotAUserModel`], [`UserModelError::Io`].
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<UserModel, UserModelError> {
        let counts = sum(&Store::read(path.as_ref())?);
        Ok(UserModel {
            counts,
            backing: Backing::ReadOnly,
            bounds: Bounds::default(),
            compact_at: Bounds::default(),
        })
    }

    /// Learns that `word` was committed after the words of `context` (of the same sentence, oldest
    /// first; empty at its start) at `time`. Returns whether anything was learned: nothing is in
    /// fields that may not be learned from, nor of what is no word: digits, addresses, and what is
    /// longer than 48 letters.
    ///
    /// # Errors
    /// [`UserModelError::Io`] where the disk is full or the file cannot be written,
    /// [`UserModelError::ReadOnly`]. The word is then not learned.
    pub fn observe(
        &mut self,
        field: FieldKind,
        context: &[&str],
        word: &str,
        time: i64,
    ) -> Result<bool, UserModelError> {
        if !field.learns() || !is_learnable(word) {
            return Ok(false);
        }
        // After what is no word, a word stands as at the start of a sentence.
        let previous = context.last().filter(|previous| is_learnable(previous));
        let previous = previous.map(|previous| fold(previous)).unwrap_or_default();
        self.learn(Record::Observed {
            time,
            previous,
            word: word.to_owned(),
        })?;
        Ok(true)
    }

    /// Remembers that a correction of `typed` was undone at `time`: it is not corrected again.
    /// Returns whether it was remembered.
    ///
    /// # Errors
    /// As [`UserModel::observe`].
    pub fn revert(
        &mut self,
        field: FieldKind,
        typed: &str,
        time: i64,
    ) -> Result<bool, UserModelError> {
        if !field.learns() || !is_learnable(typed) {
            return Ok(false);
        }
        self.learn(Record::Reverted {
            time,
            word: typed.to_owned(),
        })?;
        Ok(true)
    }

    fn learn(&mut self, record: Record) -> Result<(), UserModelError> {
        self.make_room();
        match &mut self.backing {
            Backing::Memory => {}
            Backing::ReadOnly => return Err(UserModelError::ReadOnly),
            Backing::File(store) => store.append(&record)?,
        }
        self.counts.apply(&record);
        Ok(())
    }

    /// Compacts the store and drops what counts least, where there is no room for one word more. Where
    /// that fails nothing is lost: it is tried again after some more words, since each attempt writes
    /// the whole file.
    fn make_room(&mut self) {
        let Bounds {
            max_words,
            max_pairs,
            max_bytes,
        } = self.bounds;
        let (words, pairs) = self.counts.len();
        let length = match &self.backing {
            Backing::File(store) => store.length(),
            Backing::Memory => 0,
            Backing::ReadOnly => return,
        };
        let at = self.compact_at;
        if words < at.max_words && pairs < at.max_pairs && length < at.max_bytes {
            return;
        }
        let compacted = self.compacted();
        if self.replace(compacted).is_err() {
            self.compact_at = Bounds {
                max_words: max_words.max(words + max_words / 16 + 1),
                max_pairs: max_pairs.max(pairs + max_pairs / 16 + 1),
                max_bytes: max_bytes.max(length + max_bytes / 16 + 1),
            };
        }
    }

    /// The counts without those that count least.
    fn compacted(&self) -> Counts {
        let Bounds {
            max_words,
            max_pairs,
            max_bytes,
        } = self.bounds;
        // Somewhat less than allowed, so that the next word does not ask for it again.
        let room = |max: usize| max.saturating_sub(max / 8 + 1);
        let (mut words, mut pairs) = (room(max_words), room(max_pairs));
        let mut counts = self.counts.clone();
        counts.prune(words, pairs);
        if matches!(self.backing, Backing::File(_)) {
            while encoded_len(&counts.records()) > max_bytes / 4 * 3 {
                // Pairs are the larger part of a file, and cost the user less.
                (words, pairs) = match counts.len() {
                    (0, 0) => break,
                    (words, 0) => (words / 4 * 3, 0),
                    (words, pairs) => (words, pairs / 4 * 3),
                };
                counts.prune(words, pairs);
            }
        }
        counts
    }

    /// Makes `counts` what the model and its store hold.
    fn replace(&mut self, counts: Counts) -> Result<(), UserModelError> {
        match &mut self.backing {
            Backing::Memory => {}
            Backing::ReadOnly => return Err(UserModelError::ReadOnly),
            Backing::File(store) => store.replace(&counts.records())?,
        }
        self.counts = counts;
        self.compact_at = self.bounds;
        Ok(())
    }

    /// Natural logarithm of the probability that the user types `word` after `previous` (`None` at
    /// the start of a sentence), by what they have typed; `None` where they have never typed it.
    /// The probabilities of all words add up to [`UserModel::mass`], less than 1: the rest belongs
    /// to words that they have not typed, so `P = P_user + (1 − mass) · P_others` is a
    /// distribution.
    pub fn score(&self, previous: Option<&str>, word: &str) -> Option<f32> {
        self.after(previous).score(word)
    }

    /// Probability that the next word is one that the user has typed before.
    pub fn mass(&self, previous: Option<&str>) -> f32 {
        self.after(previous).mass()
    }

    /// What the user types after `previous` (`None` at the start of a sentence), for more than one
    /// [`UserModel::score`] there.
    pub fn after(&self, previous: Option<&str>) -> After<'_> {
        self.counts.after(&previous.map(fold).unwrap_or_default())
    }

    /// The `limit` likeliest of the user's words that begin with `prefix` (case-folded), likeliest
    /// first. Words that were typed only once are left out: they may be slips. So are words that were not
    /// typed for long, 180 days for one that was typed twice.
    pub fn completions(
        &self,
        prefix: &str,
        previous: Option<&str>,
        limit: usize,
    ) -> Vec<UserCompletion> {
        let prefix = fold(prefix);
        let after = self.after(previous);
        let mut found: Vec<UserCompletion> = self
            .counts
            .words_from(&prefix)
            .filter(|(_, counts)| {
                counts.uses >= TAUGHT_USES && self.counts.habit_of(&counts.habit) >= LEAST_HABIT
            })
            .filter_map(|(folded, counts)| {
                Some(UserCompletion {
                    word: counts.text.clone(),
                    log_probability: after.probability(folded, counts)?.ln(),
                    uses: counts.uses,
                })
            })
            .collect();
        found.sort_by(|a, b| {
            b.log_probability
                .total_cmp(&a.log_probability)
                .then_with(|| a.word.cmp(&b.word))
        });
        found.truncate(limit);
        found
    }

    /// Whether `typed` must not be corrected: the user has typed it at least twice, or has undone
    /// a correction of it.
    pub fn is_protected(&self, typed: &str) -> bool {
        self.counts
            .word(&fold(typed))
            .is_some_and(|counts| counts.reverted || counts.uses >= TAUGHT_USES)
    }

    /// The user's words whose folded form contains `part` (all for an empty one), in alphabetical
    /// order.
    pub fn words(&self, part: &str) -> Vec<UserWord> {
        let part = fold(part);
        let contains = |(folded, _): &(&str, &WordCounts)| folded.contains(&part);
        self.counts
            .words_from("")
            .filter(contains)
            .map(|(_, counts)| UserWord {
                word: counts.text.clone(),
                uses: counts.uses,
                last_used: counts.habit.time,
                reverted: counts.reverted,
            })
            .collect()
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.counts.len().0
    }

    /// Whether nothing was learned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets a word, also in pairs and that its correction was undone, and removes it from the
    /// file. Returns whether it was there.
    ///
    /// # Errors
    /// As [`UserModel::observe`]; nothing is then forgotten.
    pub fn remove(&mut self, word: &str) -> Result<bool, UserModelError> {
        let mut counts = self.counts.clone();
        if !counts.remove(&fold(word)) {
            return Ok(false);
        }
        self.replace(counts)?;
        Ok(true)
    }

    /// Forgets everything, in the file as well.
    ///
    /// # Errors
    /// As [`UserModel::observe`]; nothing is then forgotten.
    pub fn erase(&mut self) -> Result<(), UserModelError> {
        self.replace(Counts::default())
    }

    /// Everything as text, for [`UserModel::import`] and for people. One fact a line:
    /// `word TEXT USES COUNT TIME RECENT-COUNT RECENT-TIME`, `pair PREVIOUS WORD COUNT TIME` and
    /// `revert TEXT`, with tabs between the fields.
    pub fn export(&self) -> String {
        transfer::export(&self.counts.records())
    }

    /// Adds what an export says to what is known, but for pairs of which the second word is unknown.
    /// Returns how many facts it had.
    ///
    /// # Errors
    /// [`UserModelError::InvalidLine`], and as [`UserModel::observe`]; nothing is then imported.
    pub fn import(&mut self, text: &str) -> Result<usize, UserModelError> {
        let records = transfer::import(text, is_learnable)?;
        let mut counts = self.counts.clone();
        for record in &records {
            counts.apply(record);
        }
        counts.drop_unknown_pairs();
        counts.prune(self.bounds.max_words, self.bounds.max_pairs);
        self.replace(counts)?;
        Ok(records.len())
    }

    /// Forces what was learned to the disk. Without it a word outlives the process, but may not
    /// outlive a power failure.
    ///
    /// # Errors
    /// [`UserModelError::Io`].
    pub fn sync(&self) -> Result<(), UserModelError> {
        match &self.backing {
            Backing::File(store) => store.sync(),
            Backing::Memory | Backing::ReadOnly => Ok(()),
        }
    }
}

fn sum(records: &[Record]) -> Counts {
    let mut counts = Counts::default();
    for record in records {
        counts.apply(record);
    }
    counts.drop_unknown_pairs();
    counts
}

fn encoded_len(records: &[Record]) -> u64 {
    let mut bytes = Vec::new();
    for record in records {
        record.write(&mut bytes);
    }
    bytes.len() as u64
}

/// Whether `word` is the kind of thing that is learned: letters, with apostrophes and hyphens.
/// Digits, addresses and codes are not: they are rarely words, and often private.
fn is_learnable(word: &str) -> bool {
    let is_letter = |part: &str| part.starts_with(char::is_alphabetic) && is_letter_or_digit(part);
    let mut parts = word.graphemes(true);
    parts.clone().any(is_letter)
        && parts.all(|part| is_letter(part) || is_apostrophe(part) || part == "-")
        && word.chars().count() <= MAX_LETTERS
}

#[cfg(test)]
mod tests;
