//! What a keyboard does: events in, actions out, and nothing else.
//!
//! [`KeyboardController`] is a state machine without input, output, threads or clocks. A
//! platform's shell turns touches into [`Event`]s, carries out the [`Action`]s, reports what
//! happens in the text field, and holds no rule about typing. The engine is asked by
//! [`Action::Request`] and answers by [`Event::Suggestions`], in time, late or never.
//!
//! Two rules carry the rest:
//!
//! - **The mirror** is the text field as it will be when all edits have arrived. Reports of the
//!   field only confirm it or make the controller read the field anew, see [`EditorUpdate`].
//!   While that answer is out, keys only insert, and backspace is the platform's.
//! - **The epoch** counts changes of the mirror. Whatever was made for another epoch (an answer,
//!   a strip, a correction, an automatic space, an undo) has no effect.
//!
//! The files `scenarios/*.json` pin every rule.

pub mod action;
pub mod event;
pub mod layout;
pub mod mirror;
pub mod settings;
pub mod shift;

mod accepting;
mod capitals;
mod correction;
mod echo;
mod editor;
mod ghost;
mod language;
mod learning;
mod spacing;
mod strip;
mod taps;
mod typing;
mod words;

use crate::field::FieldKind;
use crate::suggestion::{EditorContext, Suggestion, Suggestions};

pub use action::{Action, Edit, EngineNotice, Request, Slot, Strip};
pub use event::{
    CapitalsMode, Character, EditorAction, EditorText, EditorUpdate, Event, Focus, GhostPart,
    PositionUnit, Selection, Tap, TapSuggestion, TimedEvent,
};
pub use layout::LayoutPage;
pub use mirror::Mirror;
pub use settings::Settings;
pub use shift::ShiftState;

use capitals::Casing;
use correction::{KeptWords, Undo};
use echo::Echo;
use ghost::Ghost;
use language::Typography;
use layout::LayoutState;
use learning::Learning;
use shift::Shift;
use strip::{Offer, StripState};
use taps::Taps;

/// A keyboard's whole behaviour as a pure state machine; see the [module](self).
///
/// It deliberately is not `Debug`: it holds typed text.
pub struct KeyboardController {
    settings: Settings,
    typography: &'static Typography,
    engine_alive: bool,
    now: u64,

    field: Option<Field>,
    mirror: Mirror,
    epoch: u64,
    echo: Echo,
    /// The field is to be read at the end of this event.
    doubted: bool,
    /// The field is to be read at the end of this event, though nothing speaks against the mirror.
    unverified: bool,

    shift: Shift,
    layout: LayoutState,
    learning: Learning,
    taps: Taps,
    kept: KeptWords,
    /// The cursor came to the word that it stands in: letters after it belong to that word.
    tail_belongs: bool,

    /// The engine's answer for this epoch.
    answer: Option<Suggestions>,
    /// The epoch that the engine was last asked about.
    requested: Option<u64>,
    strip: StripState,
    ghost: Option<Ghost>,

    /// The epoch in which the space before the cursor is one that came by itself.
    automatic_space: Option<u64>,
    /// When the space before the cursor was typed, and the epoch that led to.
    typed_space: Option<(u64, u64)>,
    undo: Option<Undo>,

    composing: String,
    drawn: Drawn,
    actions: Vec<Action>,
}

/// What there is to know of a field besides its text.
struct Field {
    kind: FieldKind,
    capitals: CapitalsMode,
    multi_line: bool,
    action: EditorAction,
    unit: PositionUnit,
}

/// What the shell was last told to draw.
#[derive(Default)]
struct Drawn {
    shift: ShiftState,
    layout: LayoutPage,
    ghost: String,
}

impl Default for KeyboardController {
    fn default() -> Self {
        KeyboardController::new(Settings::default())
    }
}

impl KeyboardController {
    /// A keyboard without a field; the first event of use is [`Event::Focus`].
    pub fn new(settings: Settings) -> Self {
        KeyboardController {
            typography: Typography::of(&settings.language),
            settings,
            engine_alive: true,
            now: 0,
            field: None,
            mirror: Mirror::default(),
            epoch: 0,
            echo: Echo::default(),
            doubted: false,
            unverified: false,
            shift: Shift::default(),
            layout: LayoutState::default(),
            learning: Learning::default(),
            taps: Taps::default(),
            kept: KeptWords::default(),
            tail_belongs: false,
            answer: None,
            requested: None,
            strip: StripState::default(),
            ghost: None,
            automatic_space: None,
            typed_space: None,
            undo: None,
            composing: String::new(),
            drawn: Drawn::default(),
            actions: Vec::new(),
        }
    }

    /// Takes an event and says what follows from it, in order. Never fails: an event that makes
    /// no sense now has no effect.
    pub fn handle(&mut self, event: TimedEvent) -> Vec<Action> {
        self.now = event.time;
        let epoch = self.epoch;
        if !matches!(event.event, Event::Editor(_)) && self.echo.overdue(self.now) {
            self.doubted = true;
        }
        if event.event.is_key() && event.event != Event::Shift {
            self.shift.other_key();
        }
        match event.event {
            Event::Focus(focus) => self.on_focus(focus),
            Event::Engine(alive) => {
                self.engine_alive = alive;
                self.requested = None;
            }
            Event::Configure(settings) => {
                self.typography = Typography::of(&settings.language);
                self.settings = settings;
                self.shift.text_changed(self.capital_expected());
            }
            _ if self.field.is_none() => {}
            Event::Blur => self.on_blur(),
            Event::Editor(update) => self.on_editor(&update),
            Event::Character(key) => self.on_character(&key),
            Event::Space => self.on_space(),
            Event::Enter => self.on_enter(),
            Event::Backspace => self.on_backspace(),
            Event::Shift => self.on_shift(),
            Event::Layout(layout) => self.layout.show(layout),
            Event::MoveCursor(by) => self.on_move_cursor(by),
            Event::TapSuggestion(tap) => self.on_tap_suggestion(tap),
            Event::AcceptGhost(part) => self.on_accept_ghost(part),
            Event::Suggestions(suggestions) => self.on_suggestions(suggestions),
            Event::Idle => self.unverified = self.echo.unverified(),
        }
        self.settle(epoch);
        std::mem::take(&mut self.actions)
    }

    /// The text field as it will be when all edits have arrived. Empty in secure fields.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// Whether the field's text is in doubt, because an answer to [`Action::ReadText`] is out.
    pub fn unsure(&self) -> bool {
        self.doubted || self.echo.unsure()
    }

    /// The epoch of the text: an answer of the engine for another one has no effect.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    // What follows from the state, once at the end of every event.

    fn settle(&mut self, epoch_before: u64) {
        let read = match self.doubted || self.unverified {
            true => self.echo.ask(self.now, self.doubted),
            false => None,
        };
        (self.doubted, self.unverified) = (false, false);
        if self.epoch != epoch_before {
            self.answer = None;
            self.strip.forget();
            self.tail_belongs &= words::ends_in_word(&self.mirror.text.before);
            self.taps
                .follow(words::word_before(&self.mirror.text.before));
            self.shift.text_changed(self.capital_expected());
        }
        self.draw_composing();
        self.draw_keys();
        self.draw_strip();
        self.draw_ghost();
        self.request();
        if let Some(serial) = read {
            self.actions.push(Action::ReadText { serial });
        }
    }

    fn draw_composing(&mut self) {
        let word = words::word_before(&self.mirror.text.before);
        let composing = if self.learning.touched
            && self.field_kind().corrects()
            && self.at_word_end()
            && !self.unsure()
        {
            word
        } else {
            ""
        };
        if composing == self.composing {
            return;
        }
        self.actions.push(match composing {
            "" => Action::FinishComposing,
            text => Action::Compose {
                text: text.to_owned(),
            },
        });
        self.composing = composing.to_owned();
    }

    fn draw_keys(&mut self) {
        if self.drawn.shift != self.shift.state() {
            self.drawn.shift = self.shift.state();
            self.actions.push(Action::Shift(self.drawn.shift));
        }
        if self.drawn.layout != self.layout.shown() {
            self.drawn.layout = self.layout.shown();
            self.actions.push(Action::Layout(self.drawn.layout));
        }
    }

    fn draw_strip(&mut self) {
        let offer = if self.unsure() {
            self.strip.forget();
            Offer::default()
        } else {
            let cased = self.cased_suggestions();
            let pending = self.pending_correction(&cased);
            let typed = words::word_before(&self.mirror.text.before);
            Offer::arrange(&cased, pending, typed, self.settings.slots)
        };
        if let Some(strip) = self.strip.show(offer) {
            self.actions.push(Action::Strip(strip));
        }
    }

    fn draw_ghost(&mut self) {
        let shown = match &self.ghost {
            Some(ghost) if !self.unsure() => ghost.rest.as_str(),
            _ => "",
        };
        if shown != self.drawn.ghost {
            self.drawn.ghost = shown.to_owned();
            self.actions.push(Action::Ghost {
                text: shown.to_owned(),
            });
        }
    }

    fn request(&mut self) {
        let asks = self.engine_alive
            && self.field.is_some()
            && self.field_kind().suggests()
            && self.mirror.has_cursor()
            && !self.unsure()
            && !self.word_may_be_cut()
            && self.requested != Some(self.epoch);
        if asks {
            self.requested = Some(self.epoch);
            let context = EditorContext {
                before: self.mirror.text.before.clone(),
                after: self.mirror.text.after.clone(),
                field: self.field_kind(),
                epoch: self.epoch,
            };
            self.actions.push(Action::Request(Request {
                context,
                taps: self.taps.known(),
            }));
        }
    }

    // What the state amounts to.

    fn field_kind(&self) -> FieldKind {
        self.field
            .as_ref()
            .map(|field| field.kind)
            .unwrap_or_default()
    }

    fn is_secure(&self) -> bool {
        self.field_kind().is_secure()
    }

    fn capitals_mode(&self) -> CapitalsMode {
        match &self.field {
            Some(field) if field.kind.capitalizes() && self.settings.auto_capitals => {
                field.capitals
            }
            _ => CapitalsMode::None,
        }
    }

    fn capital_expected(&self) -> bool {
        let text = &self.mirror.text;
        if text.before_cut && text.before.trim().is_empty() {
            // What comes before is not known.
            return self.capitals_mode() == CapitalsMode::Characters;
        }
        capitals::expected(
            &self.mirror.text.before,
            self.capitals_mode(),
            self.typography,
        )
    }

    /// Whether the cursor is behind a word, or where one could be, and not in front of its rest.
    fn at_word_end(&self) -> bool {
        self.mirror.has_cursor() && !words::starts_with_word(&self.mirror.text.after)
    }

    /// Whether the word before the cursor may have begun outside of what is known.
    fn word_may_be_cut(&self) -> bool {
        let before = &self.mirror.text.before;
        self.mirror.text.before_cut && words::word_before(before) == before
    }

    /// Whether the space before the cursor came by itself and nothing has happened since.
    fn automatic_space_stands(&self) -> bool {
        self.automatic_space == Some(self.epoch) && !self.unsure()
    }

    /// The answer's suggestions in the case in which they are to appear.
    fn cased_suggestions(&self) -> Vec<Suggestion> {
        let before = &self.mirror.text.before;
        let items = self.answer.as_ref().map(|answer| answer.items.as_slice());
        let cased = items.unwrap_or_default().iter().filter_map(|item| {
            let typed = words::last_scalars(before, item.replace)?;
            let casing = Casing::of(typed, self.shift.state(), self.capitals_mode());
            let text = casing.apply(&item.text, self.typography);
            (!text.is_empty()).then(|| Suggestion {
                text,
                ..item.clone()
            })
        });
        cased.collect()
    }

    /// Index of the suggestion that replaces the typed word when it ends.
    fn pending_correction(&self, cased: &[Suggestion]) -> Option<usize> {
        let before = &self.mirror.text.before;
        let start = &before[..before.len() - words::word_before(before).len()];
        let corrects = self.settings.autocorrect
            && self.field_kind().corrects()
            && self.learning.touched
            && self.at_word_end()
            && !words::is_in_address(start)
            && !self.unsure();
        corrects
            .then(|| correction::pending(cased, before, &self.kept))
            .flatten()
    }

    // The only ways to change the field and to talk to the engine.

    fn edit(&mut self, edit: Edit) {
        if !self.is_secure() {
            self.mirror.apply(&edit);
            self.echo.record(&edit, &self.mirror, self.now);
        }
        self.epoch += 1;
        self.ghost = None;
        self.composing.clear();
        self.actions.push(Action::Edit(edit));
    }

    /// Replaces `removed`, which stands before the cursor, by `inserted`, and removes `after`,
    /// which stands after it. What both have in common is left alone.
    fn replace(&mut self, removed: &str, inserted: &str, after: &str) {
        let common = words::common_start(removed, inserted);
        let (removed, inserted) = (&removed[common..], &inserted[common..]);
        if !removed.is_empty() || !after.is_empty() {
            self.edit(Edit::Delete {
                before: removed.to_owned(),
                after: after.to_owned(),
            });
        }
        if !inserted.is_empty() {
            self.edit(Edit::Insert {
                text: inserted.to_owned(),
            });
        }
    }

    fn notify(&mut self, notice: EngineNotice) {
        let always = matches!(notice, EngineNotice::Focus { .. } | EngineNotice::Blur);
        if always || self.field_kind().learns() {
            self.actions.push(Action::Engine(notice));
        }
    }

    /// Words that end at the cursor or before it are finished; those before them are learned.
    fn finish_words(&mut self, before: &str, text: &str) {
        if let Some(notice) = self.learning.finish(before, text) {
            self.notify(notice);
        }
    }

    /// The word before the cursor is finished as it stands, if the user typed in it.
    fn finish_typed_word(&mut self) {
        if self.learning.touched && self.at_word_end() {
            let text = self.mirror.text.before.clone();
            let word = words::word_before(&text);
            self.finish_words(&text[..text.len() - word.len()], word);
        }
        self.learning.touched = false;
    }

    fn commit_finished(&mut self) {
        if let Some(notice) = self.learning.commit() {
            self.notify(notice);
        }
    }
}
