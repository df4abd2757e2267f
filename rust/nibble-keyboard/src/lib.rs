//! Typing: what a keyboard decides, once, for every platform.
//!
//! Positions and lengths count Unicode scalar values everywhere.

#![deny(unsafe_code)]

pub mod field;
pub mod lexicon;
mod mapped_file;
pub mod suggestion;
pub mod text;

pub use field::FieldKind;
pub use lexicon::{Lexicon, LexiconError, Lexicons};
pub use suggestion::{EditorContext, Suggestion, SuggestionKind, Suggestions};
