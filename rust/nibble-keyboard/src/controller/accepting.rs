//! Suggestions and ghost text: how they arrive and how they are accepted.

use crate::suggestion::{Suggestion, SuggestionKind, Suggestions};

use super::KeyboardController;
use super::action::{Edit, EngineNotice};
use super::event::{GhostPart, TapSuggestion};
use super::ghost::Ghost;
use super::spacing::{self, Trailing};
use super::words;

impl KeyboardController {
    /// Takes an answer for the present text. One that the model had no part in does not replace
    /// one that it had.
    pub(super) fn on_suggestions(&mut self, suggestions: Suggestions) {
        let awaited = suggestions.epoch == self.epoch && self.requested == Some(self.epoch);
        let fresher = self.answer.as_ref().is_none_or(|answer| !answer.fresh);
        if !awaited || !(fresher || suggestions.fresh) {
            return;
        }
        let fresh = suggestions.fresh;
        self.answer = Some(suggestions);
        let ghost = self.ghost_of_answer();
        // Ghost text that is being typed along stays until the model says otherwise.
        if ghost.is_some() || fresh {
            self.ghost = ghost;
        }
    }

    /// The answer's phrase, where nothing stands behind the cursor in its line.
    fn ghost_of_answer(&self) -> Option<Ghost> {
        let text = &self.mirror.text;
        let room = text.after.is_empty() || text.after.starts_with('\n');
        let cased = self.cased_suggestions();
        let phrase = cased
            .iter()
            .find(|item| item.kind == SuggestionKind::Phrase)?;
        let typed = words::last_scalars(&text.before, phrase.replace)?;
        room.then(|| Ghost::after_typed(&phrase.text, typed, phrase.score))
            .flatten()
    }

    /// Accepts what a slot shows, if it was shown for the present text.
    pub(super) fn on_tap_suggestion(&mut self, tap: TapSuggestion) {
        if let Some(chosen) = self.strip.offered(tap.strip, tap.slot).cloned() {
            self.accept(chosen);
        }
    }

    /// Puts a suggestion in the place of what it replaces, together with the rest of the word
    /// when the cursor came into one, and separates it from its neighbours.
    ///
    /// A backspace afterwards takes the automatic space away, as any other character: what was
    /// chosen on purpose is not undone.
    fn accept(&mut self, chosen: Suggestion) {
        let text = self.mirror.text.clone();
        let Some(replaced) = words::last_scalars(&text.before, chosen.replace) else {
            return;
        };
        let start = &text.before[..text.before.len() - replaced.len()];
        let tail = if self.tail_belongs && !replaced.is_empty() {
            words::word_after(&text.after)
        } else {
            ""
        };
        let trailing = spacing::trailing(
            &text.after[tail.len()..],
            self.field_kind(),
            self.typography,
        );
        let mut inserted = String::new();
        if replaced.is_empty() && spacing::needs_leading(start, self.field_kind(), self.typography)
        {
            inserted.push(' ');
        }
        let start = format!("{start}{inserted}");
        inserted.push_str(&chosen.text);
        if trailing != Trailing::Nothing {
            inserted.push(' ');
        }
        let present = if trailing == Trailing::Present {
            " "
        } else {
            ""
        };

        if replaced.is_empty() {
            self.finish_typed_word();
        }
        self.finish_words(&start, &chosen.text);
        self.replace(replaced, &inserted, &format!("{tail}{present}"));
        if trailing != Trailing::Nothing {
            self.automatic_space = Some(self.epoch);
        }
        if chosen.kind == SuggestionKind::Typed {
            self.kept.keep(&chosen.text);
        }
        self.shift.release();
        self.notify(EngineNotice::Accept { suggestion: chosen });
    }

    /// Inserts ghost text, or its next word. It always stands at the end of a line.
    pub(super) fn on_accept_ghost(&mut self, part: GhostPart) {
        let Some(ghost) = self.ghost.take().filter(|_| !self.unsure()) else {
            return;
        };
        let score = ghost.score;
        let (mut taken, rest) = ghost.take(part);
        let spaced = spacing::trailing("", self.field_kind(), self.typography) == Trailing::New;
        if rest.is_none() && spaced && !taken.ends_with(' ') {
            taken.push(' ');
        }
        let before = self.mirror.text.before.clone();
        let word = words::word_before(&before);
        let words = format!("{word}{taken}");
        self.finish_words(&before[..before.len() - word.len()], &words);
        let automatic = taken.ends_with(' ');
        let accepted = taken.trim().to_owned();
        self.edit(Edit::Insert { text: taken });
        if automatic {
            self.automatic_space = Some(self.epoch);
        }
        self.ghost = rest;
        self.shift.release();
        self.notify(EngineNotice::Accept {
            suggestion: Suggestion {
                text: accepted,
                kind: SuggestionKind::Phrase,
                score,
                replace: 0,
                automatic: false,
            },
        });
    }
}
