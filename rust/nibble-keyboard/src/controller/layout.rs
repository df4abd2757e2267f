//! Which page of keys is shown, and when the letters come back by themselves.

use serde::{Deserialize, Serialize};

/// A page of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LayoutPage {
    /// Letters.
    #[default]
    Letters,
    /// Digits and common symbols.
    Symbols,
    /// Rarer symbols, behind the shift key of [`LayoutPage::Symbols`].
    MoreSymbols,
    /// Large digits, for fields of digits.
    Numbers,
    /// Emoji.
    Emoji,
}

/// The shown page and whether it has been typed on.
#[derive(Default)]
pub(crate) struct LayoutState {
    shown: LayoutPage,
    used: bool,
}

impl LayoutState {
    pub(crate) fn shown(&self) -> LayoutPage {
        self.shown
    }

    pub(crate) fn show(&mut self, layout: LayoutPage) {
        self.shown = layout;
        self.used = false;
    }

    /// The shift key turns the page of symbols. Says whether it did.
    pub(crate) fn turn_page(&mut self) -> bool {
        let other = match self.shown {
            LayoutPage::Symbols => LayoutPage::MoreSymbols,
            LayoutPage::MoreSymbols => LayoutPage::Symbols,
            _ => return false,
        };
        self.shown = other;
        true
    }

    /// An apostrophe belongs into a word, so the letters come back at once.
    pub(crate) fn typed(&mut self, text: &str) {
        self.used = true;
        if matches!(text, "'" | "’") {
            self.leave_symbols();
        }
    }

    /// Space or enter: whoever typed a symbol before it goes on with letters.
    pub(crate) fn ended_word(&mut self) {
        if self.used {
            self.leave_symbols();
        }
    }

    fn leave_symbols(&mut self) {
        if matches!(self.shown, LayoutPage::Symbols | LayoutPage::MoreSymbols) {
            self.show(LayoutPage::Letters);
        }
    }
}
