//! The shift key.

use serde::{Deserialize, Serialize};

/// Two taps of shift within this time lock it.
const DOUBLE_TAP_MS: u64 = 300;

/// What the shift key does to the next letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShiftState {
    /// Nothing.
    #[default]
    Off,
    /// A capital, because a sentence or the like begins.
    Automatic,
    /// A capital, because the user asked for one.
    Manual,
    /// Capitals until further notice.
    Locked,
}

/// The key's state and what is needed to see a double tap.
#[derive(Default)]
pub(crate) struct Shift {
    state: ShiftState,
    last_tap: Option<u64>,
}

impl Shift {
    pub(crate) fn state(&self) -> ShiftState {
        self.state
    }

    pub(crate) fn tap(&mut self, now: u64) {
        let double = self
            .last_tap
            .is_some_and(|last| now.saturating_sub(last) <= DOUBLE_TAP_MS);
        let unlocked = self.state == ShiftState::Locked;
        self.state = match self.state {
            _ if double => ShiftState::Locked,
            ShiftState::Off => ShiftState::Manual,
            ShiftState::Automatic | ShiftState::Manual | ShiftState::Locked => ShiftState::Off,
        };
        self.last_tap = (!double && !unlocked).then_some(now);
    }

    /// Another key came between two taps.
    pub(crate) fn other_key(&mut self) {
        self.last_tap = None;
    }

    /// The capital that was asked for has been typed, or its occasion is gone.
    pub(crate) fn release(&mut self) {
        if self.state == ShiftState::Manual {
            self.state = ShiftState::Off;
        }
    }

    /// The text changed: what the user asked for stays, what came by itself is decided anew.
    pub(crate) fn text_changed(&mut self, capital: bool) {
        self.state = match self.state {
            ShiftState::Manual | ShiftState::Locked => self.state,
            ShiftState::Off | ShiftState::Automatic if capital => ShiftState::Automatic,
            ShiftState::Off | ShiftState::Automatic => ShiftState::Off,
        };
    }

    /// A field took the focus.
    pub(crate) fn focus(&mut self, capital: bool) {
        *self = Shift::default();
        self.text_changed(capital);
    }
}
