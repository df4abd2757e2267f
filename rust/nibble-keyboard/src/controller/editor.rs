//! Text fields: how they come and go, and how their text is followed.

use super::action::EngineNotice;
use super::correction::KeptWords;
use super::echo::Report;
use super::event::{EditorUpdate, Focus, Selection};
use super::layout::LayoutPage;
use super::mirror::Mirror;
use super::words;
use super::{Field, KeyboardController};
use crate::field::FieldKind;

impl KeyboardController {
    pub(super) fn on_focus(&mut self, focus: Focus) {
        let carried = self.starts_anew(&focus).then(|| {
            let learning = std::mem::take(&mut self.learning);
            (learning, std::mem::take(&mut self.kept), self.tail_belongs)
        });
        if self.field.is_some() {
            self.finish_typed_word();
            self.commit_finished();
        }
        let field = Field {
            kind: focus.kind,
            capitals: focus.capitals,
            multi_line: focus.multi_line,
            action: focus.action,
            unit: focus.unit,
        };
        self.enter_state(Some(field));
        if !self.is_secure() {
            self.mirror = Mirror::new(focus.text, focus.selection, focus.unit);
            self.echo.restart(&self.mirror);
        }
        self.layout.show(match focus.kind {
            FieldKind::Number => LayoutPage::Numbers,
            _ => LayoutPage::Letters,
        });
        self.shift.focus(self.capital_expected());
        self.cursor_came();
        if let Some((learning, kept, tail_belongs)) = carried {
            (self.learning, self.kept, self.tail_belongs) = (learning, kept, tail_belongs);
            // The field has forgotten the mark.
            self.composing.clear();
        }
        self.notify(EngineNotice::Focus { field: focus.kind });
    }

    /// Whether the field that has the focus starts anew, so that the user goes on with its text.
    fn starts_anew(&self, focus: &Focus) -> bool {
        let update = EditorUpdate {
            text: Some(focus.text.clone()),
            selection: focus.selection,
            answers: None,
        };
        let same_kind = self
            .field
            .as_ref()
            .is_some_and(|field| field.kind == focus.kind);
        same_kind && !focus.text.before.is_empty() && self.mirror.agrees(&update)
    }

    pub(super) fn on_blur(&mut self) {
        self.finish_typed_word();
        self.commit_finished();
        self.notify(EngineNotice::Blur);
        self.enter_state(None);
        self.shift.focus(false);
    }

    /// Forgets one field and begins with another, or with none.
    fn enter_state(&mut self, field: Option<Field>) {
        self.field = field;
        self.mirror = Mirror::default();
        self.echo.restart(&self.mirror);
        self.epoch += 1;
        self.learning.forget();
        self.kept = KeptWords::default();
        self.ghost = None;
        self.undo = None;
        self.doubted = false;
    }

    /// Compares an update with what is known. Only the answer to a question changes it.
    pub(super) fn on_editor(&mut self, update: &EditorUpdate) {
        let Some(unit) = self.field.as_ref().map(|field| field.unit) else {
            return;
        };
        if self.is_secure() {
            return;
        }
        if let (Some(serial), Some(text)) = (update.answers, &update.text) {
            let read = Mirror::new(text.clone(), update.selection, unit);
            if let Some(state) = self.echo.answer(serial, read, self.now) {
                self.adopt(state);
                return;
            }
        }
        match self.echo.report(update) {
            Report::Newest => self.mirror.extend(update),
            Report::Late => {}
            Report::Foreign => self.doubted = true,
        }
    }

    /// Takes over a state of the field that was read.
    fn adopt(&mut self, state: Mirror) {
        let selection = state.start.map(|start| Selection {
            start,
            end: start + state.unit.length(&state.text.selected),
        });
        let update = EditorUpdate {
            text: Some(state.text.clone()),
            selection,
            answers: None,
        };
        if self.mirror.agrees(&update) {
            self.mirror.extend(&update);
            return;
        }
        let known = &self.mirror.text;
        let (old, new) = (known, &state.text);
        let emptied = new.before.is_empty() && new.selected.is_empty() && new.after.is_empty();
        let moved = [&old.before, &old.selected, &old.after]
            .map(String::as_str)
            .concat()
            == [&new.before, &new.selected, &new.after]
                .map(String::as_str)
                .concat();
        if emptied {
            // The message was sent.
            self.finish_typed_word();
        }
        if emptied || moved {
            self.commit_finished();
        }
        self.learning.forget();
        self.mirror = state;
        self.epoch += 1;
        self.ghost = None;
        self.shift.release();
        self.cursor_came();
    }

    /// The cursor came to where it is without typing.
    pub(super) fn cursor_came(&mut self) {
        self.learning.touched = false;
        self.tail_belongs = words::ends_in_word(&self.mirror.text.before);
    }
}
