//! The engine's forms of what crosses to other languages, in the directions that only tests need.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test uses its part")]

use nibble_ffi as ffi;
use nibble_keyboard as keyboard;
use nibble_keyboard::controller as engine;

/// An event as another language makes it.
pub(crate) fn event(event: engine::TimedEvent) -> ffi::TimedEvent {
    use engine::Event;
    let time = event.time;
    let event = match event.event {
        Event::Focus(focus) => ffi::Event::Focus {
            focus: ffi::FieldFocus {
                kind: field(focus.kind),
                capitals: match focus.capitals {
                    engine::CapitalsMode::None => ffi::CapitalsMode::Never,
                    engine::CapitalsMode::Sentences => ffi::CapitalsMode::Sentences,
                    engine::CapitalsMode::Words => ffi::CapitalsMode::Words,
                    engine::CapitalsMode::Characters => ffi::CapitalsMode::Characters,
                },
                multi_line: focus.multi_line,
                action: match focus.action {
                    engine::EditorAction::Default => ffi::EditorAction::Default,
                    engine::EditorAction::Go => ffi::EditorAction::Go,
                    engine::EditorAction::Search => ffi::EditorAction::Search,
                    engine::EditorAction::Send => ffi::EditorAction::Send,
                    engine::EditorAction::Next => ffi::EditorAction::Next,
                    engine::EditorAction::Previous => ffi::EditorAction::Previous,
                    engine::EditorAction::Done => ffi::EditorAction::Done,
                    other => panic!("{other:?} does not cross"),
                },
                text: text(focus.text),
                selection: focus.selection.map(selection),
                unit: match focus.unit {
                    engine::PositionUnit::Scalar => ffi::PositionUnit::Scalar,
                    engine::PositionUnit::Utf16 => ffi::PositionUnit::Utf16,
                },
            },
        },
        Event::Blur => ffi::Event::Blur,
        Event::Editor(update) => ffi::Event::Editor {
            update: ffi::EditorUpdate {
                text: update.text.map(text),
                selection: update.selection.map(selection),
                answers: update.answers,
            },
        },
        Event::Character(key) => ffi::Event::Character {
            text: key.text,
            tap: key.tap.map(tap),
        },
        Event::Space => ffi::Event::Space,
        Event::Enter => ffi::Event::Enter,
        Event::Backspace => ffi::Event::Backspace,
        Event::Shift => ffi::Event::Shift,
        Event::Layout(page) => ffi::Event::Layout {
            page: match page {
                engine::LayoutPage::Letters => ffi::LayoutPage::Letters,
                engine::LayoutPage::Symbols => ffi::LayoutPage::Symbols,
                engine::LayoutPage::MoreSymbols => ffi::LayoutPage::MoreSymbols,
                engine::LayoutPage::Numbers => ffi::LayoutPage::Numbers,
                engine::LayoutPage::Emoji => ffi::LayoutPage::Emoji,
                other => panic!("{other:?} does not cross"),
            },
        },
        Event::MoveCursor(by) => ffi::Event::MoveCursor { by },
        Event::TapSuggestion(tap) => ffi::Event::TapSuggestion {
            strip: tap.strip,
            slot: tap.slot as u32,
        },
        Event::AcceptGhost(part) => ffi::Event::AcceptGhost {
            part: match part {
                engine::GhostPart::Word => ffi::GhostPart::Word,
                engine::GhostPart::All => ffi::GhostPart::All,
            },
        },
        Event::Suggestions(answer) => ffi::Event::Answer {
            suggestions: suggestions(&answer),
        },
        Event::Engine(alive) => ffi::Event::Engine { alive },
        Event::Configure(settings) => ffi::Event::Configure {
            settings: ffi::KeyboardSettings {
                language: settings.language,
                slots: settings.slots as u32,
                autocorrect: settings.autocorrect,
                auto_capitals: settings.auto_capitals,
                double_space: settings.double_space,
            },
        },
        Event::Idle => ffi::Event::Idle,
        other => panic!("{other:?} does not cross"),
    };
    ffi::TimedEvent { time, event }
}

/// An action as the engine has it.
pub(crate) fn action(action: ffi::Action) -> engine::Action {
    match action {
        ffi::Action::Edit { edit } => engine::Action::Edit(match edit {
            ffi::TextEdit::Insert { text } => engine::Edit::Insert { text },
            ffi::TextEdit::Delete { before, after } => engine::Edit::Delete { before, after },
            ffi::TextEdit::DeleteSelection => engine::Edit::DeleteSelection,
            ffi::TextEdit::PressBackspace => engine::Edit::PressBackspace,
            ffi::TextEdit::MoveCursor { by, over } => engine::Edit::MoveCursor {
                by: by as isize,
                over,
            },
        }),
        ffi::Action::Compose { text } => engine::Action::Compose { text },
        ffi::Action::FinishComposing => engine::Action::FinishComposing,
        ffi::Action::PerformAction { action } => engine::Action::PerformAction(match action {
            ffi::EditorAction::Default => engine::EditorAction::Default,
            ffi::EditorAction::Go => engine::EditorAction::Go,
            ffi::EditorAction::Search => engine::EditorAction::Search,
            ffi::EditorAction::Send => engine::EditorAction::Send,
            ffi::EditorAction::Next => engine::EditorAction::Next,
            ffi::EditorAction::Previous => engine::EditorAction::Previous,
            ffi::EditorAction::Done => engine::EditorAction::Done,
        }),
        ffi::Action::ReadText { serial } => engine::Action::ReadText { serial },
        ffi::Action::ShowStrip { strip } => engine::Action::Strip(engine::Strip {
            serial: strip.serial,
            slots: strip
                .slots
                .into_iter()
                .map(|slot| engine::Slot {
                    text: slot.text,
                    kind: slot.kind.into(),
                })
                .collect(),
            highlighted: strip.highlighted.map(|slot| slot as usize),
        }),
        ffi::Action::ShowShift { state } => engine::Action::Shift(match state {
            ffi::ShiftState::Off => engine::ShiftState::Off,
            ffi::ShiftState::Automatic => engine::ShiftState::Automatic,
            ffi::ShiftState::Manual => engine::ShiftState::Manual,
            ffi::ShiftState::Locked => engine::ShiftState::Locked,
        }),
        ffi::Action::ShowLayout { page } => engine::Action::Layout(page.into()),
        ffi::Action::ShowGhost { text } => engine::Action::Ghost { text },
        ffi::Action::Request { request } => engine::Action::Request(request.into()),
        ffi::Action::Notify { notice } => engine::Action::Engine(notice.into()),
    }
}

pub(crate) fn field(kind: keyboard::FieldKind) -> ffi::FieldKind {
    match kind {
        keyboard::FieldKind::Message => ffi::FieldKind::Message,
        keyboard::FieldKind::Email => ffi::FieldKind::Email,
        keyboard::FieldKind::Note => ffi::FieldKind::Note,
        keyboard::FieldKind::Search => ffi::FieldKind::Search,
        keyboard::FieldKind::Url => ffi::FieldKind::Url,
        keyboard::FieldKind::Number => ffi::FieldKind::Number,
        keyboard::FieldKind::Password => ffi::FieldKind::Password,
        keyboard::FieldKind::NoLearning => ffi::FieldKind::NoLearning,
        other => panic!("{other:?} does not cross"),
    }
}

/// An answer as another language has it.
pub(crate) fn suggestions(answer: &keyboard::Suggestions) -> ffi::Suggestions {
    ffi::suggestions_from_json(&serde_json::to_string(answer).unwrap()).unwrap()
}

fn text(text: engine::EditorText) -> ffi::EditorText {
    ffi::EditorText {
        before: text.before,
        selected: text.selected,
        after: text.after,
        before_cut: text.before_cut,
        after_cut: text.after_cut,
    }
}

pub(crate) fn engine_text(text: ffi::EditorText) -> engine::EditorText {
    text.into()
}

fn selection(selection: engine::Selection) -> ffi::Selection {
    ffi::Selection {
        start: selection.start as u32,
        end: selection.end as u32,
    }
}

fn tap(tap: engine::Tap) -> ffi::Tap {
    ffi::Tap { x: tap.x, y: tap.y }
}
