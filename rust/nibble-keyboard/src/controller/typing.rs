//! Keys.

use unicode_segmentation::UnicodeSegmentation;

use super::KeyboardController;
use super::action::{Action, Edit, EngineNotice};
use super::capitals;
use super::correction::Undo;
use super::event::{Character, Tap};
use super::shift::ShiftState;
use super::spacing::{self, Joint};
use super::words::{self, TextClass};

impl KeyboardController {
    pub(super) fn on_character(&mut self, key: &Character) {
        match key.text.as_str() {
            "" => return,
            " " => return self.on_space(),
            "\n" => return self.on_enter(),
            _ => {}
        }
        let text = self.with_shift(&key.text);
        self.layout.typed(&text);
        if self.is_secure() {
            self.edit(Edit::Insert { text });
            return;
        }
        match words::classify(&text) {
            TextClass::Word => self.type_in_word(&text, key.tap),
            TextClass::Punctuation => self.type_punctuation(&text),
            TextClass::Symbol => {
                self.finish_typed_word();
                self.type_along_ghost(text);
            }
        }
    }

    /// The key's text in the case that the shift key asks for, which is used up by a letter.
    fn with_shift(&mut self, text: &str) -> String {
        let one = text.graphemes(true).nth(1).is_none();
        let typed = if one && self.shift.state() != ShiftState::Off {
            capitals::shifted(text, self.typography)
        } else {
            text.to_owned()
        };
        if typed.contains(char::is_alphabetic) {
            self.shift.release();
        }
        typed
    }

    fn type_in_word(&mut self, text: &str, tap: Option<Tap>) {
        if words::is_apostrophe(text) && self.automatic_space_stands() {
            let before = &self.mirror.text.before;
            self.learning
                .joined(before.strip_suffix(' ').unwrap_or(before));
            self.replace(" ", text, "");
        } else {
            let before = &self.mirror.text.before;
            if !words::ends_in_word(before) && !self.learning.goes_on(before) {
                self.commit_finished();
            }
            self.type_along_ghost(text.to_owned());
        }
        self.learning.touched = true;
        self.taps.typed(text, tap);
    }

    fn type_punctuation(&mut self, text: &str) {
        if !self.automatic_space_stands() {
            self.end_word(text);
            return;
        }
        let followed = format!("{text} ");
        match spacing::joint(&self.mirror.text.before, text, self.typography) {
            Joint::Keep => return self.type_along_ghost(text.to_owned()),
            Joint::Remove => return self.replace(" ", text, ""),
            Joint::Move => self.replace(" ", &followed, ""),
            Joint::Both => self.edit(Edit::Insert { text: followed }),
        }
        self.automatic_space = Some(self.epoch);
    }

    /// Inserts text. Ghost text that foresaw it goes on behind it, any other is dropped.
    fn type_along_ghost(&mut self, text: String) {
        let ghost = self.ghost.take().and_then(|ghost| ghost.advance(&text));
        self.edit(Edit::Insert { text });
        self.ghost = ghost;
    }

    /// Ends the word before the cursor by `separator`, and corrects it if that was announced.
    fn end_word(&mut self, separator: &str) {
        let cased = self.cased_suggestions();
        let pending = self
            .pending_correction(&cased)
            .and_then(|index| cased.get(index));
        let Some(correction) = pending else {
            self.finish_typed_word();
            if !separator.is_empty() {
                self.type_along_ghost(separator.to_owned());
            }
            return;
        };
        let before = self.mirror.text.before.clone();
        let word = words::word_before(&before);
        self.finish_words(&before[..before.len() - word.len()], &correction.text);
        let inserted = format!("{}{separator}", correction.text);
        self.replace(word, &inserted, "");
        self.undo = Some(Undo {
            epoch: self.epoch,
            inserted,
            typed: format!("{word}{separator}"),
            correction: Some((word.to_owned(), correction.text.clone())),
        });
    }

    pub(super) fn on_space(&mut self) {
        self.layout.ended_word();
        if self.is_secure() {
            self.edit(Edit::Insert {
                text: " ".to_owned(),
            });
        } else if self.automatic_space_stands() {
            // The user types the space that is there already.
            self.automatic_space = None;
            self.typed_space = Some((self.epoch, self.now));
        } else if self.second_space_ends_sentence() {
            let inserted = format!("{} ", self.typography.full_stop);
            self.replace(" ", &inserted, "");
            let typed = "  ".to_owned();
            self.undo = Some(Undo {
                epoch: self.epoch,
                inserted,
                typed,
                correction: None,
            });
        } else {
            self.end_word(" ");
            self.typed_space = Some((self.epoch, self.now));
        }
    }

    fn second_space_ends_sentence(&self) -> bool {
        let soon = self.typed_space.is_some_and(|(epoch, time)| {
            epoch == self.epoch && self.now.saturating_sub(time) <= spacing::DOUBLE_SPACE_MS
        });
        soon && self.settings.double_space
            && self.field_kind().capitalizes()
            && self.typography.spaces
            && !self.unsure()
            && spacing::second_space_ends_sentence(&self.mirror.text.before)
    }

    pub(super) fn on_enter(&mut self) {
        let Some((multi_line, action)) = self
            .field
            .as_ref()
            .map(|field| (field.multi_line, field.action))
        else {
            return;
        };
        self.layout.ended_word();
        if self.automatic_space_stands() {
            self.replace(" ", "", "");
        }
        match (multi_line, self.is_secure()) {
            (true, true) => self.edit(Edit::Insert {
                text: "\n".to_owned(),
            }),
            (true, false) => self.end_word("\n"),
            (false, _) => {
                self.end_word("");
                self.undo = None;
                self.commit_finished();
                self.actions.push(Action::PerformAction(action));
            }
        }
    }

    pub(super) fn on_backspace(&mut self) {
        if self.is_secure() || self.unsure() {
            self.edit(Edit::PressBackspace);
        } else if !self.mirror.has_cursor() {
            self.edit(Edit::DeleteSelection);
        } else if let Some(undo) = self.undo.take_if(|undo| undo.epoch == self.epoch) {
            self.take_back(undo);
        } else {
            let last = words::last_grapheme(&self.mirror.text.before).to_owned();
            if last.is_empty() {
                self.edit(Edit::PressBackspace);
            } else {
                self.replace(&last, "", "");
            }
            self.learning.went_back(&self.mirror.text.before);
        }
    }

    /// Restores exactly what was typed, and remembers that a corrected word was meant.
    fn take_back(&mut self, undo: Undo) {
        self.replace(&undo.inserted, &undo.typed, "");
        if let Some((typed, correction)) = undo.correction {
            self.kept.keep(&typed);
            self.learning.restore(&typed);
            self.notify(EngineNotice::Revert { typed, correction });
        }
    }

    pub(super) fn on_shift(&mut self) {
        if !self.layout.turn_page() {
            self.shift.tap(self.now);
        }
    }

    /// Moves the cursor over user-perceived characters; a selection only collapses.
    pub(super) fn on_move_cursor(&mut self, by: i32) {
        if self.is_secure() || self.unsure() || by == 0 {
            return;
        }
        let text = &self.mirror.text;
        let count = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX);
        let over: String = match (self.mirror.has_cursor(), by.is_negative()) {
            (false, true) => text.selected.clone(),
            (false, false) => String::new(),
            (true, true) => {
                let passed: usize = text
                    .before
                    .graphemes(true)
                    .rev()
                    .take(count)
                    .map(str::len)
                    .sum();
                text.before[text.before.len() - passed..].to_owned()
            }
            (true, false) => text.after.graphemes(true).take(count).collect(),
        };
        if over.is_empty() && self.mirror.has_cursor() {
            return;
        }
        let scalars = isize::try_from(over.chars().count()).unwrap_or(isize::MAX);
        self.edit(Edit::MoveCursor {
            by: if by.is_negative() { -scalars } else { scalars },
            over,
        });
        self.commit_finished();
        self.cursor_came();
    }
}
