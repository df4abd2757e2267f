//! The terminal: raw mode, and what its keys mean. It is as it was before, however the command ends.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, Frame};

use super::keyboard::Key;
use crate::failure::Failure;

/// What came from the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Key(Key),
    /// The user is done.
    Leave,
    /// The window has another size.
    Resized,
    /// Something that means nothing here.
    Other,
}

/// The terminal in raw mode, showing another screen. Dropping it gives the old one back, and a panic does too.
pub(crate) struct RawTerminal(DefaultTerminal);

impl RawTerminal {
    pub(crate) fn enter() -> Result<RawTerminal, Failure> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(RawTerminal(terminal)),
            Err(error) => {
                // Part of it may have been done. Whether it can be undone changes nothing about the failure.
                let _ = ratatui::try_restore();
                Err(failed(error))
            }
        }
    }

    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<(), Failure> {
        self.0.draw(draw).map(|_| ()).map_err(failed)
    }

    /// What comes next, if it comes within `timeout`.
    pub(crate) fn input(&mut self, timeout: Duration) -> Result<Option<Input>, Failure> {
        if !event::poll(timeout).map_err(failed)? {
            return Ok(None);
        }
        let event = event::read().map_err(failed)?;
        Ok(Some(match event {
            Event::Key(key) => meaning(&key),
            Event::Resize(..) => Input::Resized,
            _ => Input::Other,
        }))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}

fn failed(source: io::Error) -> Failure {
    Failure::Io {
        what: "terminal".to_owned(),
        source,
    }
}

fn meaning(event: &KeyEvent) -> Input {
    if event.kind == KeyEventKind::Release {
        return Input::Other;
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    let key = match event.code {
        KeyCode::Esc => return Input::Leave,
        KeyCode::Char('c' | 'C') if control && !alt => return Input::Leave,
        KeyCode::Char(digit @ '1'..='9') if control != alt => {
            Key::Slot(digit.to_digit(10).map_or(0, |digit| digit as usize - 1))
        }
        // Both together are AltGr, which has had its effect.
        KeyCode::Char(character) if control == alt => Key::Character(character),
        KeyCode::F(number @ 1..=9) => Key::Slot(usize::from(number) - 1),
        KeyCode::Enter => Key::Enter,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::BackTab => Key::GhostAll,
        KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => Key::GhostAll,
        KeyCode::Tab => Key::GhostWord,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        _ => return Input::Other,
    };
    Input::Key(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> Input {
        meaning(&KeyEvent::new(code, modifiers))
    }

    #[test]
    fn digits_type_and_with_alt_or_control_take_a_slot() {
        let one = KeyCode::Char('1');
        assert_eq!(
            press(one, KeyModifiers::NONE),
            Input::Key(Key::Character('1'))
        );
        assert_eq!(press(one, KeyModifiers::ALT), Input::Key(Key::Slot(0)));
        assert_eq!(
            press(KeyCode::Char('3'), KeyModifiers::CONTROL),
            Input::Key(Key::Slot(2))
        );
        assert_eq!(
            press(KeyCode::F(2), KeyModifiers::NONE),
            Input::Key(Key::Slot(1))
        );
    }

    #[test]
    fn letters_type_unless_a_modifier_makes_them_a_command() {
        let a = KeyCode::Char('A');
        assert_eq!(
            press(a, KeyModifiers::SHIFT),
            Input::Key(Key::Character('A'))
        );
        assert_eq!(press(a, KeyModifiers::ALT), Input::Other);
        let at = KeyCode::Char('@');
        let alt_gr = KeyModifiers::CONTROL | KeyModifiers::ALT;
        assert_eq!(press(at, alt_gr), Input::Key(Key::Character('@')));
        let c = KeyCode::Char('c');
        assert_eq!(
            press(c, KeyModifiers::NONE),
            Input::Key(Key::Character('c'))
        );
        assert_eq!(press(c, KeyModifiers::CONTROL), Input::Leave);
    }

    #[test]
    fn shift_and_tab_come_in_two_forms() {
        assert_eq!(
            press(KeyCode::BackTab, KeyModifiers::SHIFT),
            Input::Key(Key::GhostAll)
        );
        assert_eq!(
            press(KeyCode::Tab, KeyModifiers::SHIFT),
            Input::Key(Key::GhostAll)
        );
        assert_eq!(
            press(KeyCode::Tab, KeyModifiers::NONE),
            Input::Key(Key::GhostWord)
        );
    }

    #[test]
    fn letting_go_of_a_key_does_not_press_it_again() {
        let released = KeyEvent::new_with_kind(
            KeyCode::Char('a'),
            KeyModifiers::NONE,
            KeyEventKind::Release,
        );
        assert_eq!(meaning(&released), Input::Other);
    }
}
