//! A text field in memory that behaves as a platform's does: it carries out the controller's
//! edits, can be changed by others, and reports changes at once, late, or several as one.
//!
//! It serves shells without a platform's field (a terminal, an evaluation) and tests.

use std::collections::VecDeque;

use unicode_segmentation::UnicodeSegmentation;

use crate::controller::{
    Action, Edit, EditorAction, EditorText, EditorUpdate, PositionUnit, Selection,
};

/// How a field reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reporting {
    /// Whether reports carry the text, as on iOS, or only positions, as on Android, where only
    /// changes by others are reported with the text.
    pub text: bool,
    /// Whether a report that was not fetched yet makes way for the next.
    pub coalesced: bool,
    /// Whether all edits of a batch are reported as one.
    pub batched: bool,
    /// Scalar values that a window reaches on either side of the selection.
    pub window: usize,
    /// Unit of positions; none if the field has no absolute positions, as on iOS.
    pub unit: Option<PositionUnit>,
}

impl Default for Reporting {
    fn default() -> Self {
        Reporting {
            text: true,
            coalesced: false,
            batched: true,
            window: usize::MAX,
            unit: Some(PositionUnit::Scalar),
        }
    }
}

/// A text field in memory. Positions count scalar values.
#[derive(Debug, Clone, Default)]
pub struct TextField {
    text: Vec<char>,
    start: usize,
    end: usize,
    composing: Option<(usize, usize)>,
    limit: Option<usize>,
    reporting: Reporting,
    reports: VecDeque<EditorUpdate>,
    answers: VecDeque<EditorUpdate>,
    performed: Vec<EditorAction>,
}

impl TextField {
    /// A field with this text and the cursor at its end.
    pub fn new(text: &str, reporting: Reporting) -> Self {
        let text: Vec<char> = text.chars().collect();
        let end = text.len();
        TextField {
            text,
            start: end,
            end,
            reporting,
            ..TextField::default()
        }
    }

    /// Refuses insertions that would make the text longer than `limit` scalar values.
    pub fn set_limit(&mut self, limit: Option<usize>) {
        self.limit = limit;
    }

    /// The whole text.
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// Where the selection starts and ends.
    pub fn selection(&self) -> (usize, usize) {
        (self.start, self.end)
    }

    /// The text before the selection.
    pub fn before(&self) -> String {
        self.text.iter().take(self.start).collect()
    }

    /// The selected text.
    pub fn selected(&self) -> String {
        self.text.iter().take(self.end).skip(self.start).collect()
    }

    /// The text after the selection.
    pub fn after(&self) -> String {
        self.text.iter().skip(self.end).collect()
    }

    /// The text that is marked as being composed.
    pub fn composing(&self) -> String {
        let (start, end) = self.composing.unwrap_or_default();
        self.text.iter().take(end).skip(start).collect()
    }

    /// What the enter key has done so far.
    pub fn performed(&self) -> &[EditorAction] {
        &self.performed
    }

    /// The window around the selection and the selection's positions, as the platform gives them.
    pub fn read(&self) -> (EditorText, Option<Selection>) {
        let window = self.reporting.window;
        let text = EditorText {
            before: self
                .text
                .iter()
                .take(self.start)
                .skip(self.window_start())
                .collect(),
            selected: self.selected(),
            after: self.text.iter().skip(self.end).take(window).collect(),
            before_cut: self.window_start() > 0,
            after_cut: self.text.len() - self.end > window,
        };
        let selection = self.reporting.unit.map(|unit| {
            let start = unit.length(&self.before());
            Selection {
                start,
                end: start + unit.length(&self.selected()),
            }
        });
        (text, selection)
    }

    fn window_start(&self) -> usize {
        self.start.saturating_sub(self.reporting.window)
    }

    /// Carries out the actions that concern the field.
    pub fn apply(&mut self, actions: &[Action]) {
        let mut edited = false;
        for action in actions {
            match action {
                Action::Edit(edit) => {
                    self.edit(edit);
                    edited = true;
                    if !self.reporting.batched {
                        self.report(self.reporting.text);
                    }
                }
                Action::Compose { text } => {
                    self.composing =
                        Some((self.start.saturating_sub(text.chars().count()), self.start));
                }
                Action::FinishComposing => self.composing = None,
                Action::PerformAction(action) => self.performed.push(*action),
                Action::ReadText { serial } => {
                    let (text, selection) = self.read();
                    let answers = Some(*serial);
                    self.answers.push_back(EditorUpdate {
                        text: Some(text),
                        selection,
                        answers,
                    });
                }
                _ => {}
            }
        }
        if edited && self.reporting.batched {
            self.report(self.reporting.text);
        }
    }

    fn edit(&mut self, edit: &Edit) {
        self.composing = None;
        match edit {
            Edit::Insert { text } => self.insert(text),
            Edit::Delete { before, after } => {
                let after = after.chars().count().min(self.text.len() - self.end);
                self.text.drain(self.end..self.end + after);
                let before = before.chars().count().min(self.start);
                self.text.drain(self.start - before..self.start);
                self.start -= before;
                self.end -= before;
            }
            Edit::DeleteSelection => self.insert(""),
            Edit::PressBackspace if self.start == self.end => {
                let before = self.before();
                let last = before.graphemes(true).next_back().unwrap_or_default();
                self.start -= last.chars().count();
                self.insert("");
            }
            Edit::PressBackspace => self.insert(""),
            Edit::MoveCursor { by, .. } => {
                let target = self.end.saturating_add_signed(*by).min(self.text.len());
                (self.start, self.end) = (target, target);
            }
        }
    }

    /// Replaces the selection.
    fn insert(&mut self, text: &str) {
        let inserted = text.chars().count();
        let length = self.text.len() - (self.end - self.start) + inserted;
        if inserted > 0 && self.limit.is_some_and(|limit| length > limit) {
            return;
        }
        self.text.splice(self.start..self.end, text.chars());
        self.start += inserted;
        self.end = self.start;
    }

    /// Somebody else puts the cursor or a selection somewhere.
    pub fn select(&mut self, start: usize, end: usize) {
        self.start = start.min(self.text.len());
        self.end = end.clamp(self.start, self.text.len());
        // Among several changes that come as one, positions alone could cancel out.
        self.report(self.reporting.text || self.reporting.coalesced);
    }

    /// Somebody else inserts text in place of the selection.
    pub fn paste(&mut self, text: &str) {
        self.composing = None;
        self.insert(text);
        self.report(true);
    }

    /// Somebody else replaces the whole text.
    pub fn set_text(&mut self, text: &str, start: usize, end: usize) {
        self.composing = None;
        self.text = text.chars().collect();
        self.start = start.min(self.text.len());
        self.end = end.clamp(self.start, self.text.len());
        self.report(true);
    }

    fn report(&mut self, with_text: bool) {
        if self.reporting.coalesced {
            // Text that had to be reported still has to be.
            let due = self.reports.drain(..).any(|report| report.text.is_some());
            return self.push_report(with_text || due);
        }
        self.push_report(with_text);
    }

    fn push_report(&mut self, with_text: bool) {
        let (text, selection) = self.read();
        let text = (with_text || selection.is_none()).then_some(text);
        self.reports.push_back(EditorUpdate {
            text,
            selection,
            answers: None,
        });
    }

    /// The next answer to a question, which comes without delay.
    pub fn next_answer(&mut self) -> Option<EditorUpdate> {
        self.answers.pop_front()
    }

    /// The next report, as late as the caller likes.
    pub fn next_report(&mut self) -> Option<EditorUpdate> {
        self.reports.pop_front()
    }
}
