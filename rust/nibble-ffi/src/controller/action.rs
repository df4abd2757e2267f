//! What the controller tells the keyboard's shell.

use nibble_keyboard::controller as engine;

use super::event::{EditorAction, LayoutPage, Tap};
use crate::error::{NibbleError, Result};
use crate::model::count;
use crate::suggestion::{EditorContext, FieldKind, Suggestion, SuggestionKind};

/// Something that the shell is to do. Actions are carried out in the order in which they come.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Action {
    /// Change the text field.
    Edit {
        /// How.
        edit: TextEdit,
    },
    /// Mark `text`, which is what stands directly before the cursor, as the word being composed. Any edit ends
    /// the marking without changing the marked text.
    Compose {
        /// The word.
        text: String,
    },
    /// End the marking without changing the text.
    FinishComposing,
    /// Do what the field's enter key is for.
    PerformAction {
        /// What that is.
        action: EditorAction,
    },
    /// Read the text around the selection, after all edits so far, and send it as an update that answers
    /// `serial`. It is the last action of its batch.
    ReadText {
        /// Serial to answer with.
        serial: u64,
    },
    /// Draw this strip.
    ShowStrip {
        /// The strip.
        strip: Strip,
    },
    /// Draw the shift key and the letters so; off before the first.
    ShowShift {
        /// State of the key.
        state: ShiftState,
    },
    /// Show this page of keys; the letters before the first.
    ShowLayout {
        /// The page.
        page: LayoutPage,
    },
    /// Draw this after the cursor, greyed; empty for nothing.
    ShowGhost {
        /// What would be inserted.
        text: String,
    },
    /// Ask the engine for suggestions. Only the latest request matters.
    Request {
        /// The question.
        request: EngineRequest,
    },
    /// Tell the engine what the user did.
    Notify {
        /// What the user did.
        notice: EngineNotice,
    },
}

impl Action {
    pub(crate) fn all(actions: Vec<engine::Action>) -> Result<Vec<Action>> {
        actions.into_iter().map(Action::of).collect()
    }

    fn of(action: engine::Action) -> Result<Action> {
        Ok(match action {
            engine::Action::Edit(edit) => Action::Edit {
                edit: TextEdit::of(edit),
            },
            engine::Action::Compose { text } => Action::Compose { text },
            engine::Action::FinishComposing => Action::FinishComposing,
            engine::Action::PerformAction(action) => Action::PerformAction {
                action: EditorAction::of(action)?,
            },
            engine::Action::ReadText { serial } => Action::ReadText { serial },
            engine::Action::Strip(strip) => Action::ShowStrip {
                strip: Strip::of(strip)?,
            },
            engine::Action::Shift(state) => Action::ShowShift {
                state: state.into(),
            },
            engine::Action::Layout(page) => Action::ShowLayout {
                page: LayoutPage::of(page)?,
            },
            engine::Action::Ghost { text } => Action::ShowGhost { text },
            engine::Action::Request(request) => Action::Request {
                request: EngineRequest::of(request)?,
            },
            engine::Action::Engine(notice) => Action::Notify {
                notice: EngineNotice::of(notice)?,
            },
            _ => return Err(NibbleError::unnamed("action")),
        })
    }
}

/// A change of the text field. Removed text is spelled out, so that a platform can count it in its own units.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum TextEdit {
    /// Replace the selection by `text`, or insert it at the cursor, and put the cursor behind it.
    Insert {
        /// What is inserted.
        text: String,
    },
    /// Remove text around the cursor.
    Delete {
        /// What stands directly before the cursor and goes.
        before: String,
        /// What stands directly after the cursor and goes.
        after: String,
    },
    /// Remove the selected text.
    DeleteSelection,
    /// Do what the platform's own backspace does: what stands before the cursor is not known.
    PressBackspace,
    /// Move the cursor; a selection collapses.
    MoveCursor {
        /// Scalar values, counted from the end of the selection; negative is towards the start.
        by: i32,
        /// The text that is passed over.
        over: String,
    },
}

impl TextEdit {
    fn of(edit: engine::Edit) -> TextEdit {
        match edit {
            engine::Edit::Insert { text } => TextEdit::Insert { text },
            engine::Edit::Delete { before, after } => TextEdit::Delete { before, after },
            engine::Edit::DeleteSelection => TextEdit::DeleteSelection,
            engine::Edit::PressBackspace => TextEdit::PressBackspace,
            engine::Edit::MoveCursor { by, over } => TextEdit::MoveCursor {
                // The controller knows a thousand characters on either side.
                by: by.clamp(i32::MIN as isize, i32::MAX as isize) as i32,
                over,
            },
        }
    }
}

/// The strip of suggestions above the keys.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Strip {
    /// Names this strip: a tap says which strip it was made on.
    pub serial: u64,
    /// From left to right. The word as typed comes first when a correction is pending.
    pub slots: Vec<Slot>,
    /// The slot whose text replaces the typed word when the word ends.
    pub highlighted: Option<u32>,
}

impl Strip {
    fn of(strip: engine::Strip) -> Result<Strip> {
        let slots = strip.slots.into_iter().map(|slot| {
            Ok(Slot {
                text: slot.text,
                kind: SuggestionKind::of(slot.kind)?,
            })
        });
        Ok(Strip {
            serial: strip.serial,
            slots: slots.collect::<Result<_>>()?,
            highlighted: strip.highlighted.map(count),
        })
    }
}

/// One slot of the strip.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Slot {
    /// What is shown.
    pub text: String,
    /// What it is.
    pub kind: SuggestionKind,
}

/// What the shift key does to the next letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum ShiftState {
    /// Nothing.
    Off,
    /// A capital, because a sentence or the like begins.
    Automatic,
    /// A capital, because the user asked for one.
    Manual,
    /// Capitals until further notice.
    Locked,
}

impl From<engine::ShiftState> for ShiftState {
    fn from(state: engine::ShiftState) -> ShiftState {
        match state {
            engine::ShiftState::Off => ShiftState::Off,
            engine::ShiftState::Automatic => ShiftState::Automatic,
            engine::ShiftState::Manual => ShiftState::Manual,
            engine::ShiftState::Locked => ShiftState::Locked,
        }
    }
}

/// A question to the engine.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct EngineRequest {
    /// The text field. The answer must carry its epoch.
    pub context: EditorContext,
    /// Where the letters of the word before the cursor were touched: one entry for each of its scalar values,
    /// or none at all.
    pub taps: Vec<Option<Tap>>,
}

impl From<EngineRequest> for engine::Request {
    fn from(request: EngineRequest) -> engine::Request {
        let taps = request.taps.into_iter().map(|tap| tap.map(Into::into));
        engine::Request {
            context: request.context.into(),
            taps: taps.collect(),
        }
    }
}

impl EngineRequest {
    fn of(request: engine::Request) -> Result<EngineRequest> {
        let taps = request.taps.into_iter().map(|tap| tap.map(Into::into));
        Ok(EngineRequest {
            context: EditorContext::of(request.context)?,
            taps: taps.collect(),
        })
    }
}

/// What the engine is told. In fields that do not learn, only `Focus` and `Blur` occur.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum EngineNotice {
    /// Typing begins in a field. A secure one switches the engine off.
    Focus {
        /// Kind of the field.
        field: FieldKind,
    },
    /// Typing ended.
    Blur,
    /// The user chose a suggestion. Its words are learned from the `Commit` that follows when they stand.
    Accept {
        /// The suggestion as it was shown.
        suggestion: Suggestion,
    },
    /// The user took an automatic correction back.
    Revert {
        /// What was typed and stands again.
        typed: String,
        /// What it had been replaced by.
        correction: String,
    },
    /// Words that the user typed or accepted and went on from.
    Commit {
        /// Text before the words.
        before: String,
        /// The words, usually one.
        text: String,
    },
}

impl EngineNotice {
    fn of(notice: engine::EngineNotice) -> Result<EngineNotice> {
        Ok(match notice {
            engine::EngineNotice::Focus { field } => EngineNotice::Focus {
                field: FieldKind::of(field)?,
            },
            engine::EngineNotice::Blur => EngineNotice::Blur,
            engine::EngineNotice::Accept { suggestion } => EngineNotice::Accept {
                suggestion: Suggestion::of(suggestion)?,
            },
            engine::EngineNotice::Revert { typed, correction } => {
                EngineNotice::Revert { typed, correction }
            }
            engine::EngineNotice::Commit { before, text } => EngineNotice::Commit { before, text },
        })
    }
}

impl From<EngineNotice> for engine::EngineNotice {
    fn from(notice: EngineNotice) -> engine::EngineNotice {
        match notice {
            EngineNotice::Focus { field } => engine::EngineNotice::Focus {
                field: field.into(),
            },
            EngineNotice::Blur => engine::EngineNotice::Blur,
            EngineNotice::Accept { suggestion } => engine::EngineNotice::Accept {
                suggestion: suggestion.into(),
            },
            EngineNotice::Revert { typed, correction } => {
                engine::EngineNotice::Revert { typed, correction }
            }
            EngineNotice::Commit { before, text } => engine::EngineNotice::Commit { before, text },
        }
    }
}

/// A request as JSON, to be sent to the process that has the engine.
#[uniffi::export]
pub fn engine_request_to_json(request: EngineRequest) -> Result<String> {
    let request = engine::Request::from(request);
    serde_json::to_string(&request).map_err(|error| NibbleError::json("request", &error))
}

/// The request that [`engine_request_to_json`] wrote.
#[uniffi::export]
pub fn engine_request_from_json(json: &str) -> Result<EngineRequest> {
    let request: engine::Request =
        serde_json::from_str(json).map_err(|error| NibbleError::json("request", &error))?;
    EngineRequest::of(request)
}

/// A notice as JSON, to be sent to the process that has the engine.
#[uniffi::export]
pub fn engine_notice_to_json(notice: EngineNotice) -> Result<String> {
    let notice = engine::EngineNotice::from(notice);
    serde_json::to_string(&notice).map_err(|error| NibbleError::json("notice", &error))
}

/// The notice that [`engine_notice_to_json`] wrote.
#[uniffi::export]
pub fn engine_notice_from_json(json: &str) -> Result<EngineNotice> {
    let notice: engine::EngineNotice =
        serde_json::from_str(json).map_err(|error| NibbleError::json("notice", &error))?;
    EngineNotice::of(notice)
}
