//! Which reports of the field are echoes of our own edits.
//!
//! A platform reports changes late, several as one, and our own like those of others. So every
//! edit is remembered together with the state it must lead to, until a report shows that state or
//! a later one. A report that shows none of them was caused by somebody else, and since it may be
//! older than edits on their way, it is not believed but answered by a question: the field is
//! read behind all edits. The answer is the truth up to that question; edits made since are
//! applied to it once more. Edits that nothing confirms in time raise the question too, which
//! finds changes that cancelled an edit and so look like an echo that is late. And what only
//! positions have confirmed is checked when the user pauses, since different texts have the same
//! positions; until that answer comes the mirror is trusted.

use std::collections::VecDeque;

use super::action::Edit;
use super::event::EditorUpdate;
use super::mirror::Mirror;

/// After this time an edit without an echo, or a question without an answer, is doubted.
const PATIENCE_MS: u64 = 1000;

/// Edits remembered at once, for platforms that report nothing.
const REMEMBERED: usize = 64;

/// Edits on their way and questions not yet answered.
#[derive(Default)]
pub(crate) struct Echo {
    confirmed: Mirror,
    expected: VecDeque<Expected>,
    edits: u64,
    /// Number of the last edit that is not expected any more. An answer to a question from before
    /// it cannot be brought up to date.
    settled: u64,
    /// Whether edits were confirmed by positions only.
    unverified: bool,
    reads: VecDeque<PendingRead>,
    serials: u64,
}

/// A state that a report is to show.
struct Expected {
    state: Mirror,
    /// The edit that led to it, with its number; none once an answer overtook the report.
    edit: Option<(u64, Edit)>,
    time: u64,
}

struct PendingRead {
    serial: u64,
    /// Edits up to this number were made before the question.
    edits: u64,
    time: u64,
    /// Whether the mirror is not to be trusted until the answer comes.
    doubt: bool,
}

/// What a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// Shows the newest state: nothing is on its way.
    Newest,
    /// Shows a state on the way to the newest.
    Late,
    /// Shows something else.
    Foreign,
}

impl Echo {
    /// Begins with a state that the field is known to be in. Serials go on, so that an answer to
    /// an earlier question is not taken for one to a later.
    pub(crate) fn restart(&mut self, state: &Mirror) {
        self.confirmed = state.clone();
        self.expected.clear();
        self.reads.clear();
        self.unverified = false;
    }

    /// Notes an edit and the state it leads to.
    pub(crate) fn record(&mut self, edit: &Edit, result: &Mirror, now: u64) {
        self.edits += 1;
        if self.expected.len() == REMEMBERED
            && let Some(oldest) = self.expected.pop_front()
        {
            self.settle(oldest);
        }
        self.expected.push_back(Expected {
            state: result.clone(),
            edit: Some((self.edits, edit.clone())),
            time: now,
        });
    }

    /// Compares a report with the expected states, the oldest first: reports come in order.
    pub(crate) fn report(&mut self, update: &EditorUpdate) -> Report {
        match self
            .expected
            .iter()
            .position(|expected| expected.state.agrees(update))
        {
            Some(index) => {
                let shown = self.expected.drain(..=index).next_back();
                if let Some(shown) = shown {
                    self.settle(shown);
                }
                self.unverified = update.text.is_none();
            }
            None if self.confirmed.agrees(update) => {}
            None => return Report::Foreign,
        }
        if self.expected.is_empty() {
            Report::Newest
        } else {
            Report::Late
        }
    }

    fn settle(&mut self, shown: Expected) {
        self.confirmed = shown.state;
        if let Some((number, _)) = shown.edit {
            self.settled = number;
        }
    }

    /// Whether something has been waited for too long: an echo, or the answer to a doubt.
    pub(crate) fn overdue(&self, now: u64) -> bool {
        let late = |since: u64| now.saturating_sub(since) >= PATIENCE_MS;
        let echo = self.expected.front();
        let answer = self.reads.back().filter(|_| self.unsure());
        echo.is_some_and(|expected| late(expected.time))
            || answer.is_some_and(|read| late(read.time))
    }

    /// Whether the field's text is in doubt.
    pub(crate) fn unsure(&self) -> bool {
        self.reads.iter().any(|read| read.doubt)
    }

    /// Whether everything is confirmed, but only by positions.
    pub(crate) fn unverified(&self) -> bool {
        self.unverified && self.expected.is_empty()
    }

    /// Serial of a new question; none while one without an answer is recent, which may become
    /// one of doubt.
    pub(crate) fn ask(&mut self, now: u64, doubt: bool) -> Option<u64> {
        if let Some(last) = self.reads.back_mut()
            && now.saturating_sub(last.time) < PATIENCE_MS
        {
            last.doubt |= doubt;
            return None;
        }
        self.serials += 1;
        self.reads.push_back(PendingRead {
            serial: self.serials,
            edits: self.edits,
            time: now,
            doubt,
        });
        Some(self.serials)
    }

    /// Takes the answer to question `serial` and says in which state the field will be once all
    /// edits have arrived; none if nothing was asked under this serial, or if more is known since.
    ///
    /// Reports of the edits before the question may still come. They are expected as before, once
    /// more for as long as a report may take.
    pub(crate) fn answer(&mut self, serial: u64, read: Mirror, now: u64) -> Option<Mirror> {
        let index = self.reads.iter().position(|read| read.serial == serial)?;
        let asked = self.reads.drain(..=index).next_back()?;
        if self.settled > asked.edits {
            return None;
        }
        self.unverified = false;
        let mut state = read.clone();
        let mut overtaken = VecDeque::new();
        let mut later = VecDeque::new();
        for mut expected in self.expected.drain(..) {
            match &expected.edit {
                Some((number, edit)) if *number > asked.edits => {
                    state.apply(edit);
                    expected.state = state.clone();
                    later.push_back(expected);
                }
                Some(_) => overtaken.push_back(Expected {
                    edit: None,
                    time: now,
                    ..expected
                }),
                None => {}
            }
        }
        if !overtaken.is_empty() {
            overtaken.push_back(Expected {
                state: read.clone(),
                edit: None,
                time: now,
            });
        }
        overtaken.append(&mut later);
        self.expected = overtaken;
        self.confirmed = read;
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_question_of_doubt_is_overdue() {
        for doubt in [true, false] {
            let mut echo = Echo::default();
            assert!(echo.ask(0, doubt).is_some());
            assert!(!echo.overdue(PATIENCE_MS - 1));
            assert_eq!(echo.overdue(PATIENCE_MS), doubt);
            assert!(echo.ask(PATIENCE_MS, doubt).is_some());
            assert!(!echo.overdue(PATIENCE_MS));
        }
    }
}
