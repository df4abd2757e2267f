//! Typing: what a keyboard decides, once, for every platform.
//!
//! Positions and lengths count Unicode scalar values everywhere.

#![forbid(unsafe_code)]

pub mod controller;
pub mod field;
pub mod suggestion;
pub mod text_field;

pub use controller::{Action, Event, KeyboardController, Settings, TimedEvent};
pub use field::FieldKind;
pub use suggestion::{EditorContext, Suggestion, SuggestionKind, Suggestions};
pub use text_field::TextField;
