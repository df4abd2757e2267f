//! What the keyboard's shell tells the controller.

use serde::{Deserialize, Serialize};

use crate::field::FieldKind;
use crate::suggestion::Suggestions;

use super::layout::LayoutPage;
use super::settings::Settings;

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedEvent {
    /// Milliseconds of a clock that never runs backwards; its origin does not matter.
    pub time: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A text field took the focus, or the one that has it started anew. A field of the same kind
    /// with the same text and cursor counts as the latter: the word that is being typed goes on.
    Focus(Focus),
    /// The field lost the focus. Until the next [`Event::Focus`] nothing can be typed.
    Blur,
    /// The text or the selection may have changed; also the answer to
    /// [`ReadText`](super::action::Action::ReadText).
    Editor(EditorUpdate),

    /// A key that types something.
    Character(Character),
    /// The space bar.
    Space,
    /// The enter key.
    Enter,
    /// The backspace key; a held key repeats the event.
    Backspace,
    /// One tap of the shift key. Two in quick succession lock it.
    Shift,
    /// A key that switches the layout.
    Layout(LayoutPage),
    /// The cursor is to move by so many user-perceived characters; negative is towards the start.
    MoveCursor(i32),

    /// A slot of the strip was tapped.
    TapSuggestion(TapSuggestion),
    /// The gesture that accepts ghost text.
    AcceptGhost(GhostPart),

    /// The engine answered.
    Suggestions(Suggestions),
    /// The engine came up (`true`) or died (`false`). It is taken for alive until told otherwise.
    Engine(bool),

    /// The user's settings changed.
    Configure(Settings),
    /// Nothing but time passed. A shell sends it about a second after the last event, so that the
    /// field is looked at where its reports left room for error: where positions are all it
    /// reported, and where it silently refused an edit.
    Idle,
}

impl Event {
    /// Whether the user did it on the keyboard.
    pub(crate) fn is_key(&self) -> bool {
        matches!(
            self,
            Event::Character(_)
                | Event::Space
                | Event::Enter
                | Event::Backspace
                | Event::Shift
                | Event::Layout(_)
                | Event::MoveCursor(_)
                | Event::TapSuggestion(_)
                | Event::AcceptGhost(_)
        )
    }
}

/// What a text field is, and its text when it takes the focus.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Focus {
    /// Kind of the field.
    pub kind: FieldKind,
    /// Capitals that the field asks for. Fields whose text is no prose get none.
    pub capitals: CapitalsMode,
    /// Whether enter begins a new line instead of performing `action`.
    pub multi_line: bool,
    /// What enter does in a field of one line.
    pub action: EditorAction,
    /// Text and selection, read when the field took the focus.
    pub text: EditorText,
    /// Absolute positions of the selection, where the platform has them.
    pub selection: Option<Selection>,
    /// Unit of all positions in this field.
    pub unit: PositionUnit,
}

/// Which letters of a field are capitals by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapitalsMode {
    /// None.
    None,
    /// The first of every sentence.
    #[default]
    Sentences,
    /// The first of every word.
    Words,
    /// All.
    Characters,
}

/// What the enter key does in a field of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EditorAction {
    /// Whatever the platform does by default.
    #[default]
    Default,
    /// Open what was typed.
    Go,
    /// Search for it.
    Search,
    /// Send it.
    Send,
    /// Move to the next field.
    Next,
    /// Move to the field before.
    Previous,
    /// Close the keyboard.
    Done,
}

/// A window of a field's text around the selection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EditorText {
    /// Text before the selection.
    pub before: String,
    /// The selected text; empty where there is only a cursor.
    pub selected: String,
    /// Text after the selection.
    pub after: String,
    /// Whether the field may have more text before the window. An empty window counts as the
    /// field's start unless the platform knows better.
    pub before_cut: bool,
    /// Whether the field may have more text after the window.
    pub after_cut: bool,
}

/// Absolute positions of the selection, counted from the field's start in the field's
/// [`PositionUnit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Where it starts.
    pub start: usize,
    /// Where it ends; the same as `start` for a cursor.
    pub end: usize,
}

/// What a field's absolute positions count. They serve only to recognise the echo of an edit, so
/// a platform may report them as it counts them; everything else counts scalar values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionUnit {
    /// Unicode scalar values.
    #[default]
    Scalar,
    /// UTF-16 code units, as in Android's and Apple's callbacks.
    Utf16,
}

impl PositionUnit {
    /// Length of `text` in this unit.
    pub fn length(self, text: &str) -> usize {
        match self {
            PositionUnit::Scalar => text.chars().count(),
            PositionUnit::Utf16 => text.encode_utf16().count(),
        }
    }
}

/// What the platform says about the text field. `text`, `selection` or both are given.
///
/// Without `answers` this is a report. It may be late and it may stand for several changes at
/// once: it can only confirm what the controller knows, or make it ask with
/// [`ReadText`](super::action::Action::ReadText). With `answers` it carries the text as it was
/// read after everything that was handed out with that action had been applied, and it is
/// believed. Answers may overtake reports.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EditorUpdate {
    /// Text around the selection, where it was read.
    pub text: Option<EditorText>,
    /// Absolute positions of the selection, where the platform has them.
    pub selection: Option<Selection>,
    /// Serial of the `ReadText` that this answers.
    pub answers: Option<u64>,
}

/// A key that types something.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Character {
    /// What is on the key, before shift: usually one user-perceived character.
    pub text: String,
    /// Where the key was touched, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tap: Option<Tap>,
}

/// Where a finger came down, in key units of the layout's geometry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tap {
    /// Widths of a letter key from the left edge.
    pub x: f32,
    /// Widths of a letter key from the upper edge.
    pub y: f32,
}

/// A tap on the strip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapSuggestion {
    /// [`Strip::serial`](super::action::Strip::serial) of the strip that was on the screen.
    pub strip: u64,
    /// Index of the slot in it.
    pub slot: usize,
}

/// How much of the ghost text is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GhostPart {
    /// The next word.
    Word,
    /// All of it.
    All,
}
