//! Where the keys are.

use std::sync::Arc;

use nibble_keyboard::geometry;

use crate::controller::LayoutPage;
use crate::error::{NibbleError, Result};
use crate::shared::Shared;

/// What a key does.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum KeyAction {
    /// Types a character; a space is one.
    Character {
        /// The character.
        text: String,
    },
    /// Upper case for the next letter, or for all.
    Shift,
    /// Deletes before the cursor.
    Backspace,
    /// A new line, or the field's action.
    Enter,
    /// Shows another page.
    ShowPage {
        /// The page.
        page: LayoutPage,
    },
}

impl KeyAction {
    fn of(action: geometry::KeyAction) -> Result<KeyAction> {
        Ok(match action {
            geometry::KeyAction::Char(character) => KeyAction::Character {
                text: character.to_string(),
            },
            geometry::KeyAction::Shift => KeyAction::Shift,
            geometry::KeyAction::Backspace => KeyAction::Backspace,
            geometry::KeyAction::Enter => KeyAction::Enter,
            geometry::KeyAction::Letters => KeyAction::ShowPage {
                page: LayoutPage::Letters,
            },
            geometry::KeyAction::Symbols => KeyAction::ShowPage {
                page: LayoutPage::Symbols,
            },
            geometry::KeyAction::MoreSymbols => KeyAction::ShowPage {
                page: LayoutPage::MoreSymbols,
            },
            _ => return Err(NibbleError::unnamed("key")),
        })
    }
}

/// A key and its rectangle, in key widths (one letter key is 1 wide) in both directions from the top left
/// corner of the keyboard.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Key {
    /// What it does.
    pub action: KeyAction,
    /// Its centre, from the left.
    pub x: f32,
    /// Its centre, from the top.
    pub y: f32,
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
    /// The characters that it offers when it is held.
    pub long_press: Vec<String>,
}

/// The name of a page in layout files.
fn page_name(page: LayoutPage) -> &'static str {
    match page {
        LayoutPage::Letters => geometry::LETTERS,
        LayoutPage::Symbols => "symbols",
        LayoutPage::MoreSymbols => "more_symbols",
        LayoutPage::Numbers => "numbers",
        LayoutPage::Emoji => "emoji",
    }
}

/// A keyboard's keys.
#[derive(uniffi::Object)]
pub struct Layout {
    layout: Shared<geometry::Layout>,
}

impl Layout {
    fn new(layout: geometry::Layout) -> Arc<Layout> {
        Arc::new(Layout {
            layout: Shared::new("layout", Arc::new(layout)),
        })
    }

    pub(crate) fn get(&self) -> Result<Arc<geometry::Layout>> {
        self.layout.get()
    }
}

impl Key {
    fn of(key: &geometry::Key, layout: &geometry::Layout) -> Result<Key> {
        let long_press = match key.action {
            geometry::KeyAction::Char(character) => layout.long_press(character),
            _ => &[],
        };
        Ok(Key {
            action: KeyAction::of(key.action)?,
            x: key.x,
            y: key.y,
            width: key.width,
            height: key.height,
            long_press: long_press.iter().map(char::to_string).collect(),
        })
    }
}

#[uniffi::export]
impl Layout {
    /// One of the layouts that come along: `qwerty`, `qwertz`, `azerty`, `jcuken`.
    #[uniffi::constructor]
    pub fn builtin(name: &str) -> Result<Arc<Layout>> {
        let layout = geometry::Layout::builtin(name).ok_or_else(|| {
            let names = geometry::Layout::builtin_names().join(", ");
            NibbleError::invalid("layout", format!("one of {names}"), name)
        })?;
        Ok(Layout::new(layout))
    }

    /// A layout from JSON, in the form of the files that come along.
    #[uniffi::constructor]
    pub fn from_json(json: &str) -> Result<Arc<Layout>> {
        let layout = geometry::Layout::from_json(json)?;
        Ok(Layout::new(layout))
    }

    /// Its name.
    pub fn name(&self) -> Result<String> {
        Ok(self.get()?.name().to_owned())
    }

    /// Width of the keyboard in key widths.
    pub fn width(&self) -> Result<f32> {
        Ok(self.get()?.width())
    }

    /// Height of the keyboard in key widths.
    pub fn height(&self) -> Result<f32> {
        Ok(self.get()?.height())
    }

    /// The keys of a page, row by row; none where the layout has no such page.
    pub fn keys(&self, page: LayoutPage) -> Result<Vec<Key>> {
        let layout = self.get()?;
        let keys = layout.page(page_name(page));
        keys.iter().map(|key| Key::of(key, &layout)).collect()
    }

    /// The key of a page at a point: the nearest one where there is a gap; none outside the keyboard.
    pub fn key_at(&self, page: LayoutPage, x: f32, y: f32) -> Result<Option<Key>> {
        let layout = self.get()?;
        let key = layout.key_on_page(page_name(page), x, y);
        key.map(|key| Key::of(key, &layout)).transpose()
    }

    /// Gives the layout up; completers that were made with it do not need it.
    pub fn release(&self) -> Result<()> {
        self.layout.release();
        Ok(())
    }
}

/// The names of the layouts that come along.
#[uniffi::export]
pub fn builtin_layouts() -> Result<Vec<String>> {
    Ok(geometry::Layout::builtin_names())
}
