//! What is known of the text field, kept up with every edit before the field confirms it.

use unicode_segmentation::UnicodeSegmentation;

use super::action::Edit;
use super::event::{EditorText, EditorUpdate, PositionUnit, Selection};

/// Scalar values kept before and after the selection.
const KEPT: usize = 1000;

/// The text field as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mirror {
    /// The text.
    pub text: EditorText,
    /// Absolute position where the selection starts, if known.
    pub start: Option<usize>,
    /// Unit of `start`.
    pub unit: PositionUnit,
}

impl Mirror {
    pub(crate) fn new(text: EditorText, selection: Option<Selection>, unit: PositionUnit) -> Self {
        let start = selection.map(|selection| selection.start);
        let mut mirror = Mirror { text, start, unit };
        mirror.trim();
        mirror
    }

    /// Whether there is a cursor and no selected text.
    pub(crate) fn has_cursor(&self) -> bool {
        self.text.selected.is_empty()
    }

    /// Does to this text what the platform does to the field's. An edit that was made for another
    /// text is applied by its lengths, as a platform would.
    pub(crate) fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Insert { text } => {
                self.text.selected.clear();
                self.text.before.push_str(text);
                self.start = self.start.map(|start| start + self.unit.length(text));
            }
            Edit::Delete { before, after } => {
                for _ in before.chars() {
                    let removed = self.text.before.pop();
                    self.moved_back(removed.map(String::from).as_deref());
                }
                let end = byte_offset(&self.text.after, after.chars().count());
                self.text.after.drain(..end);
            }
            Edit::DeleteSelection => self.text.selected.clear(),
            Edit::PressBackspace if self.has_cursor() => {
                let removed = self
                    .text
                    .before
                    .grapheme_indices(true)
                    .next_back()
                    .map(|(offset, _)| offset)
                    .map(|offset| self.text.before.split_off(offset));
                if removed.is_some() || self.text.before_cut {
                    self.moved_back(removed.as_deref());
                }
            }
            Edit::PressBackspace => self.text.selected.clear(),
            Edit::MoveCursor { by, .. } => self.move_cursor(*by),
        }
        self.trim();
    }

    fn move_cursor(&mut self, by: isize) {
        let selected = std::mem::take(&mut self.text.selected);
        self.start = self.start.map(|start| start + self.unit.length(&selected));
        self.text.before.push_str(&selected);
        if let Ok(forward) = usize::try_from(by) {
            let end = byte_offset(&self.text.after, forward);
            let passed: String = self.text.after.drain(..end).collect();
            self.start = self.start.map(|start| start + self.unit.length(&passed));
            self.text.before.push_str(&passed);
            return;
        }
        for _ in 0..by.unsigned_abs() {
            let passed = self.text.before.pop();
            self.moved_back(passed.map(String::from).as_deref());
            if let Some(passed) = passed {
                self.text.after.insert(0, passed);
            }
        }
    }

    /// The position after the cursor went back over `passed`, or over something unknown.
    fn moved_back(&mut self, passed: Option<&str>) {
        self.start = match (self.start, passed) {
            (Some(start), Some(passed)) => start.checked_sub(self.unit.length(passed)),
            _ => None,
        };
    }

    /// Whether an update describes this state, as far as both go.
    pub(crate) fn agrees(&self, update: &EditorUpdate) -> bool {
        let positions = match (update.selection, self.start) {
            (Some(selection), Some(start)) => {
                let end = start + self.unit.length(&self.text.selected);
                selection == Selection { start, end }
            }
            // Positions alone say nothing where none are known.
            (Some(_), None) | (None, _) => update.text.is_some(),
        };
        positions
            && update
                .text
                .as_ref()
                .is_none_or(|text| self.agrees_with_text(text))
    }

    fn agrees_with_text(&self, other: &EditorText) -> bool {
        let own = &self.text;
        own.selected == other.selected
            && matches_end(
                (&own.before, own.before_cut),
                (&other.before, other.before_cut),
            )
            && matches_start((&own.after, own.after_cut), (&other.after, other.after_cut))
    }

    /// Takes over what an update that agrees knows beyond this. Of two windows that agree, one is
    /// a part of the other.
    pub(crate) fn extend(&mut self, update: &EditorUpdate) {
        if let Some(selection) = update.selection {
            self.start = Some(selection.start);
        }
        if let Some(text) = &update.text {
            if !self.text.before.ends_with(&text.before) {
                self.text.before.clone_from(&text.before);
                self.text.before_cut = text.before_cut;
            }
            if !self.text.after.starts_with(&text.after) {
                self.text.after.clone_from(&text.after);
                self.text.after_cut = text.after_cut;
            }
        }
        self.trim();
    }

    /// Forgets text far from the cursor.
    fn trim(&mut self) {
        let text = &mut self.text;
        if let Some((offset, last)) = text.before.char_indices().nth_back(KEPT) {
            text.before.drain(..offset + last.len_utf8());
            text.before_cut = true;
        }
        if let Some((offset, _)) = text.after.char_indices().nth(KEPT) {
            text.after.truncate(offset);
            text.after_cut = true;
        }
    }
}

/// Byte offset of the scalar value with this index, or the text's length.
fn byte_offset(text: &str, scalars: usize) -> usize {
    text.char_indices()
        .nth(scalars)
        .map_or(text.len(), |(offset, _)| offset)
}

/// Whether two windows can be the end of one text: each says whether text before it was cut off.
fn matches_end(one: (&str, bool), other: (&str, bool)) -> bool {
    match (one.1, other.1) {
        (false, false) => one.0 == other.0,
        (true, false) => other.0.ends_with(one.0),
        (false, true) => one.0.ends_with(other.0),
        (true, true) => one.0.ends_with(other.0) || other.0.ends_with(one.0),
    }
}

/// As [`matches_end`], for windows that are the start of one text.
fn matches_start(one: (&str, bool), other: (&str, bool)) -> bool {
    match (one.1, other.1) {
        (false, false) => one.0 == other.0,
        (true, false) => other.0.starts_with(one.0),
        (false, true) => one.0.starts_with(other.0),
        (true, true) => one.0.starts_with(other.0) || other.0.starts_with(one.0),
    }
}
