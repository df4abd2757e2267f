//! Typing: what a keyboard decides, once, for every platform.
//!
//! Positions and lengths count Unicode scalar values everywhere.

#![deny(unsafe_code)]

pub mod controller;
pub mod corrector;
pub mod emoji;
pub mod field;
pub mod geometry;
pub mod lexicon;
mod mapped_file;
pub mod suggestion;
pub mod text;
pub mod text_field;
pub mod user_model;

pub use controller::{Action, Event, KeyboardController, Settings, TimedEvent};
pub use corrector::{Correction, Corrector};
pub use emoji::EmojiTable;
pub use field::FieldKind;
pub use geometry::Layout;
pub use lexicon::{Lexicon, LexiconError, Lexicons};
pub use suggestion::{EditorContext, Suggestion, SuggestionKind, Suggestions};
pub use text_field::TextField;
pub use user_model::{UserModel, UserModelError};
