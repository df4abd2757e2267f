//! What the controller tells the keyboard's shell.

use serde::{Deserialize, Serialize};

use crate::field::FieldKind;
use crate::suggestion::{EditorContext, Suggestion, SuggestionKind};

use super::event::{EditorAction, Tap};
use super::layout::LayoutPage;
use super::shift::ShiftState;

/// Something that the shell is to do. Actions are carried out in the order in which they come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Change the text field.
    Edit(Edit),
    /// Mark `text`, which is what stands directly before the cursor, as the word being composed.
    /// Any edit ends the marking without changing the marked text.
    Compose {
        /// The word.
        text: String,
    },
    /// End the marking without changing the text.
    FinishComposing,
    /// Do what the field's enter key is for.
    PerformAction(EditorAction),
    /// Read the text around the selection, after all edits so far, and send it as an
    /// [`EditorUpdate`](super::event::EditorUpdate) that answers `serial`. It is the last action
    /// of its batch.
    ReadText {
        /// Serial to answer with.
        serial: u64,
    },
    /// Draw this strip.
    Strip(Strip),
    /// Draw the shift key and the letters so. [`ShiftState::Off`] before the first.
    Shift(ShiftState),
    /// Show this page of keys. [`LayoutPage::Letters`] before the first.
    Layout(LayoutPage),
    /// Draw this after the cursor, greyed; empty for nothing.
    Ghost {
        /// What would be inserted.
        text: String,
    },
    /// Ask the engine for suggestions. Only the latest request matters.
    Request(Request),
    /// Tell the engine what the user did.
    Engine(EngineNotice),
}

/// A change of the text field.
///
/// Removed text is spelled out, so that a platform can count it in its own units and, where it
/// deletes by user-perceived characters, see how many those are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
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
        #[serde(default, skip_serializing_if = "String::is_empty")]
        after: String,
    },
    /// Remove the selected text.
    DeleteSelection,
    /// Do what the platform's own backspace does: what stands before the cursor is not known.
    PressBackspace,
    /// Move the cursor; a selection collapses.
    MoveCursor {
        /// Scalar values, counted from the end of the selection; negative is towards the start.
        by: isize,
        /// The text that is passed over.
        over: String,
    },
}

/// The strip of suggestions above the keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Strip {
    /// Names this strip: a tap says which strip it was made on.
    pub serial: u64,
    /// From left to right. The word as typed comes first when a correction is pending, and is
    /// not counted among the [`Settings::slots`](super::settings::Settings::slots).
    pub slots: Vec<Slot>,
    /// The slot whose text replaces the typed word when the word ends.
    pub highlighted: Option<usize>,
}

/// One slot of the strip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// What is shown.
    pub text: String,
    /// What it is.
    pub kind: SuggestionKind,
}

/// A question to the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The text field. The answer must carry its epoch.
    pub context: EditorContext,
    /// Where the letters of the word before the cursor were touched: one entry for each of its
    /// scalar values, or none at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taps: Vec<Option<Tap>>,
}

/// What the engine is told. In fields that do not learn, only `Focus` and `Blur` occur.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineNotice {
    /// Typing begins in a field. A secure one switches the engine off.
    Focus {
        /// Kind of the field.
        field: FieldKind,
    },
    /// Typing ended.
    Blur,
    /// The user chose a suggestion. Its words are learned from the `Commit` that follows when
    /// they stand.
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
    /// Words that the user typed or accepted and went on from. Sent when the next word begins,
    /// so a word that is deleted or undone at once is not learned.
    Commit {
        /// Text before the words.
        before: String,
        /// The words, usually one.
        text: String,
    },
}
