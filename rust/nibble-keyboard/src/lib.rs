//! Typing: what a keyboard decides, once, for every platform.
//!
//! Positions and lengths count Unicode scalar values everywhere.

#![forbid(unsafe_code)]

pub mod field;
pub mod suggestion;

pub use field::FieldKind;
pub use suggestion::{EditorContext, Suggestion, SuggestionKind, Suggestions};
