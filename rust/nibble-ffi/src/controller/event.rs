//! What the keyboard's shell tells the controller.

use nibble_keyboard::controller as engine;

use crate::error::{NibbleError, Result};
use crate::model::count;
use crate::suggestion::{FieldKind, Suggestions};

/// What the user can set about typing.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct KeyboardSettings {
    /// Language of the text as a BCP 47 tag: spacing around punctuation, abbreviations, capitals.
    #[uniffi(default = "en")]
    pub language: String,
    /// Suggestions in the strip; the typed word beside a pending correction is not counted.
    #[uniffi(default = 3)]
    pub slots: u32,
    /// Whether a mistyped word is replaced when it ends.
    #[uniffi(default = true)]
    pub autocorrect: bool,
    /// Whether sentences begin with a capital by themselves.
    #[uniffi(default = true)]
    pub auto_capitals: bool,
    /// Whether two spaces in quick succession end a sentence.
    #[uniffi(default = true)]
    pub double_space: bool,
}

impl From<KeyboardSettings> for engine::Settings {
    fn from(settings: KeyboardSettings) -> engine::Settings {
        engine::Settings {
            language: settings.language,
            slots: settings.slots as usize,
            autocorrect: settings.autocorrect,
            auto_capitals: settings.auto_capitals,
            double_space: settings.double_space,
        }
    }
}

/// Settings from JSON, in the form that the scenario files use; what is not named is as usual.
#[uniffi::export]
pub fn settings_from_json(json: &str) -> Result<KeyboardSettings> {
    let settings: engine::Settings =
        serde_json::from_str(json).map_err(|error| NibbleError::json("settings", &error))?;
    Ok(KeyboardSettings {
        language: settings.language,
        slots: count(settings.slots),
        autocorrect: settings.autocorrect,
        auto_capitals: settings.auto_capitals,
        double_space: settings.double_space,
    })
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct TimedEvent {
    /// Milliseconds of a clock that never runs backwards; its origin does not matter.
    pub time: u64,
    /// What happened.
    pub event: Event,
}

impl From<TimedEvent> for engine::TimedEvent {
    fn from(event: TimedEvent) -> engine::TimedEvent {
        engine::TimedEvent {
            time: event.time,
            event: event.event.into(),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Event {
    /// A text field took the focus, or the one that has it started anew.
    Focus {
        /// The field.
        focus: FieldFocus,
    },
    /// The field lost the focus. Until the next focus nothing can be typed.
    Blur,
    /// The text or the selection may have changed; also the answer to a reading of the text.
    Editor {
        /// What the platform says.
        update: EditorUpdate,
    },
    /// A key that types something.
    Character {
        /// What is on the key, before shift: usually one user-perceived character.
        text: String,
        /// Where the key was touched, if it was.
        tap: Option<Tap>,
    },
    /// The space bar.
    Space,
    /// The enter key.
    Enter,
    /// The backspace key; a held key repeats the event.
    Backspace,
    /// One tap of the shift key. Two in quick succession lock it.
    Shift,
    /// A key that switches the page of keys.
    Layout {
        /// The page.
        page: LayoutPage,
    },
    /// The cursor is to move by so many user-perceived characters; negative is towards the start.
    MoveCursor {
        /// How many.
        by: i32,
    },
    /// A slot of the strip was tapped.
    TapSuggestion {
        /// Serial of the strip that was on the screen.
        strip: u64,
        /// Index of the slot in it.
        slot: u32,
    },
    /// The gesture that accepts ghost text.
    AcceptGhost {
        /// How much of it.
        part: GhostPart,
    },
    /// The engine answered.
    Answer {
        /// Its answer.
        suggestions: Suggestions,
    },
    /// The engine came up or died. It is taken for alive until told otherwise.
    Engine {
        /// Whether it is alive.
        alive: bool,
    },
    /// The user's settings changed.
    Configure {
        /// All of them.
        settings: KeyboardSettings,
    },
    /// Nothing but time passed: about a second after the last event.
    Idle,
}

impl From<Event> for engine::Event {
    fn from(event: Event) -> engine::Event {
        match event {
            Event::Focus { focus } => engine::Event::Focus(focus.into()),
            Event::Blur => engine::Event::Blur,
            Event::Editor { update } => engine::Event::Editor(update.into()),
            Event::Character { text, tap } => engine::Event::Character(engine::Character {
                text,
                tap: tap.map(Into::into),
            }),
            Event::Space => engine::Event::Space,
            Event::Enter => engine::Event::Enter,
            Event::Backspace => engine::Event::Backspace,
            Event::Shift => engine::Event::Shift,
            Event::Layout { page } => engine::Event::Layout(page.into()),
            Event::MoveCursor { by } => engine::Event::MoveCursor(by),
            Event::TapSuggestion { strip, slot } => {
                engine::Event::TapSuggestion(engine::TapSuggestion {
                    strip,
                    slot: slot as usize,
                })
            }
            Event::AcceptGhost { part } => engine::Event::AcceptGhost(match part {
                GhostPart::Word => engine::GhostPart::Word,
                GhostPart::All => engine::GhostPart::All,
            }),
            Event::Answer { suggestions } => engine::Event::Suggestions(suggestions.into()),
            Event::Engine { alive } => engine::Event::Engine(alive),
            Event::Configure { settings } => engine::Event::Configure(settings.into()),
            Event::Idle => engine::Event::Idle,
        }
    }
}

/// What a text field is, and its text when it takes the focus.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FieldFocus {
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

impl From<FieldFocus> for engine::Focus {
    fn from(focus: FieldFocus) -> engine::Focus {
        engine::Focus {
            kind: focus.kind.into(),
            capitals: match focus.capitals {
                CapitalsMode::Never => engine::CapitalsMode::None,
                CapitalsMode::Sentences => engine::CapitalsMode::Sentences,
                CapitalsMode::Words => engine::CapitalsMode::Words,
                CapitalsMode::Characters => engine::CapitalsMode::Characters,
            },
            multi_line: focus.multi_line,
            action: focus.action.into(),
            text: focus.text.into(),
            selection: focus.selection.map(Into::into),
            unit: match focus.unit {
                PositionUnit::Scalar => engine::PositionUnit::Scalar,
                PositionUnit::Utf16 => engine::PositionUnit::Utf16,
            },
        }
    }
}

/// Which letters of a field are capitals by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum CapitalsMode {
    /// None by themselves.
    Never,
    /// The first of every sentence.
    Sentences,
    /// The first of every word.
    Words,
    /// All.
    Characters,
}

/// What the enter key does in a field of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum EditorAction {
    /// Whatever the platform does by default.
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

impl From<EditorAction> for engine::EditorAction {
    fn from(action: EditorAction) -> engine::EditorAction {
        match action {
            EditorAction::Default => engine::EditorAction::Default,
            EditorAction::Go => engine::EditorAction::Go,
            EditorAction::Search => engine::EditorAction::Search,
            EditorAction::Send => engine::EditorAction::Send,
            EditorAction::Next => engine::EditorAction::Next,
            EditorAction::Previous => engine::EditorAction::Previous,
            EditorAction::Done => engine::EditorAction::Done,
        }
    }
}

impl EditorAction {
    pub(super) fn of(action: engine::EditorAction) -> Result<EditorAction> {
        Ok(match action {
            engine::EditorAction::Default => EditorAction::Default,
            engine::EditorAction::Go => EditorAction::Go,
            engine::EditorAction::Search => EditorAction::Search,
            engine::EditorAction::Send => EditorAction::Send,
            engine::EditorAction::Next => EditorAction::Next,
            engine::EditorAction::Previous => EditorAction::Previous,
            engine::EditorAction::Done => EditorAction::Done,
            _ => return Err(NibbleError::unnamed("editor action")),
        })
    }
}

/// A window of a field's text around the selection.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EditorText {
    /// Text before the selection.
    #[uniffi(default = "")]
    pub before: String,
    /// The selected text; empty where there is only a cursor.
    #[uniffi(default = "")]
    pub selected: String,
    /// Text after the selection.
    #[uniffi(default = "")]
    pub after: String,
    /// Whether the field may have more text before the window.
    #[uniffi(default = false)]
    pub before_cut: bool,
    /// Whether the field may have more text after the window.
    #[uniffi(default = false)]
    pub after_cut: bool,
}

impl From<EditorText> for engine::EditorText {
    fn from(text: EditorText) -> engine::EditorText {
        engine::EditorText {
            before: text.before,
            selected: text.selected,
            after: text.after,
            before_cut: text.before_cut,
            after_cut: text.after_cut,
        }
    }
}

impl EditorText {
    pub(crate) fn of(text: engine::EditorText) -> EditorText {
        EditorText {
            before: text.before,
            selected: text.selected,
            after: text.after,
            before_cut: text.before_cut,
            after_cut: text.after_cut,
        }
    }
}

/// Absolute positions of the selection, counted from the field's start in the field's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Record)]
pub struct Selection {
    /// Where it starts.
    pub start: u32,
    /// Where it ends; the same as `start` for a cursor.
    pub end: u32,
}

impl From<Selection> for engine::Selection {
    fn from(selection: Selection) -> engine::Selection {
        engine::Selection {
            start: selection.start as usize,
            end: selection.end as usize,
        }
    }
}

/// What a field's absolute positions count. They serve only to recognise the echo of an edit; everything
/// else counts scalar values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum PositionUnit {
    /// Unicode scalar values.
    Scalar,
    /// UTF-16 code units, as in Android's and Apple's callbacks.
    Utf16,
}

/// What the platform says about the text field. `text`, `selection` or both are given.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EditorUpdate {
    /// Text around the selection, where it was read.
    pub text: Option<EditorText>,
    /// Absolute positions of the selection, where the platform has them.
    pub selection: Option<Selection>,
    /// Serial of the reading that this answers; none for a report.
    pub answers: Option<u64>,
}

impl From<EditorUpdate> for engine::EditorUpdate {
    fn from(update: EditorUpdate) -> engine::EditorUpdate {
        engine::EditorUpdate {
            text: update.text.map(Into::into),
            selection: update.selection.map(Into::into),
            answers: update.answers,
        }
    }
}

/// Where a finger came down, in key units of the layout's geometry.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct Tap {
    /// Widths of a letter key from the left edge.
    pub x: f32,
    /// Widths of a letter key from the upper edge.
    pub y: f32,
}

impl From<Tap> for engine::Tap {
    fn from(tap: Tap) -> engine::Tap {
        engine::Tap { x: tap.x, y: tap.y }
    }
}

impl From<engine::Tap> for Tap {
    fn from(tap: engine::Tap) -> Tap {
        Tap { x: tap.x, y: tap.y }
    }
}

/// How much of the ghost text is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum GhostPart {
    /// The next word.
    Word,
    /// All of it.
    All,
}

/// A page of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum LayoutPage {
    /// Letters.
    Letters,
    /// Digits and common symbols.
    Symbols,
    /// Rarer symbols, behind the shift key of the symbols.
    MoreSymbols,
    /// Large digits, for fields of digits.
    Numbers,
    /// Emoji.
    Emoji,
}

impl From<LayoutPage> for engine::LayoutPage {
    fn from(page: LayoutPage) -> engine::LayoutPage {
        match page {
            LayoutPage::Letters => engine::LayoutPage::Letters,
            LayoutPage::Symbols => engine::LayoutPage::Symbols,
            LayoutPage::MoreSymbols => engine::LayoutPage::MoreSymbols,
            LayoutPage::Numbers => engine::LayoutPage::Numbers,
            LayoutPage::Emoji => engine::LayoutPage::Emoji,
        }
    }
}

impl LayoutPage {
    pub(super) fn of(page: engine::LayoutPage) -> Result<LayoutPage> {
        Ok(match page {
            engine::LayoutPage::Letters => LayoutPage::Letters,
            engine::LayoutPage::Symbols => LayoutPage::Symbols,
            engine::LayoutPage::MoreSymbols => LayoutPage::MoreSymbols,
            engine::LayoutPage::Numbers => LayoutPage::Numbers,
            engine::LayoutPage::Emoji => LayoutPage::Emoji,
            _ => return Err(NibbleError::unnamed("page of keys")),
        })
    }
}
