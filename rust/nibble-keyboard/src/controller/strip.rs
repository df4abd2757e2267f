//! What the strip shows, and what a tap on it means.

use std::collections::VecDeque;

use crate::suggestion::{Suggestion, SuggestionKind};

use super::action::{Slot, Strip};

/// Strips of one text on which a tap that is on its way still counts.
const REMEMBERED: usize = 4;

/// What is offered: suggestions as they are shown, with the edits they stand for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Offer {
    pub(crate) slots: Vec<Suggestion>,
    pub(crate) highlighted: Option<usize>,
}

impl Offer {
    /// Arranges an answer. With a correction pending, the typed word comes first and the
    /// correction second; otherwise the engine's order stands. Ghost text is shown elsewhere.
    pub(crate) fn arrange(
        suggestions: &[Suggestion],
        pending: Option<usize>,
        typed: &str,
        slots: usize,
    ) -> Offer {
        let pending = pending.and_then(|index| suggestions.get(index));
        let mut offered: Vec<Suggestion> = Vec::new();
        if let Some(correction) = pending {
            offered.push(Suggestion {
                text: typed.to_owned(),
                kind: SuggestionKind::Typed,
                score: correction.score,
                replace: correction.replace,
                automatic: false,
            });
        }
        let counted = offered.len() + slots;
        for item in pending.into_iter().chain(suggestions) {
            let elsewhere = matches!(item.kind, SuggestionKind::Phrase | SuggestionKind::Typed);
            let shown = offered.iter().any(|other| other.text == item.text);
            if offered.len() < counted && !elsewhere && !shown {
                offered.push(item.clone());
            }
        }
        let highlighted = pending
            .and_then(|correction| offered.iter().position(|item| item.text == correction.text));
        Offer {
            slots: offered,
            highlighted,
        }
    }
}

/// The strip on the screen, and those that were there a moment ago.
#[derive(Default)]
pub(crate) struct StripState {
    serial: u64,
    shown: Offer,
    recent: VecDeque<(u64, Vec<Suggestion>)>,
}

impl StripState {
    /// The text changed: no strip of the old one means anything any more.
    pub(crate) fn forget(&mut self) {
        self.recent.clear();
    }

    /// Shows an offer; gives the strip to draw unless it is on the screen already.
    pub(crate) fn show(&mut self, offer: Offer) -> Option<Strip> {
        let known = offer.slots.is_empty() || !self.recent.is_empty();
        if known && offer == self.shown {
            return None;
        }
        self.serial += 1;
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((self.serial, offer.slots.clone()));
        let slots = offer
            .slots
            .iter()
            .map(|item| Slot {
                text: item.text.clone(),
                kind: item.kind,
            })
            .collect();
        let strip = Strip {
            serial: self.serial,
            slots,
            highlighted: offer.highlighted,
        };
        self.shown = offer;
        Some(strip)
    }

    /// What was offered in a slot of a strip of the present text.
    pub(crate) fn offered(&self, serial: u64, slot: usize) -> Option<&Suggestion> {
        let strip = self.recent.iter().find(|(shown, _)| *shown == serial);
        strip.and_then(|(_, slots)| slots.get(slot))
    }
}
