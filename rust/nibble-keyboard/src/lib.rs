//! Typing: what a keyboard decides, once, for every platform.
//!
//! Positions and lengths count Unicode scalar values everywhere.

#![forbid(unsafe_code)]

pub mod boundary;
mod boundary_model;
pub mod case;
pub mod completer;
pub mod controller;
pub mod corrector;
pub mod emoji;
pub mod expander;
pub mod field;
pub mod geometry;
mod ghost;
pub mod latency;
pub mod lexicon;
pub mod model_words;
pub mod position;
pub mod primer;
mod scheduler;
pub mod scorer;
pub mod script;
pub mod suggestion;
pub mod text;
pub mod text_field;
pub mod typing_session;
pub mod user_model;
pub mod vocab_index;
pub mod window;
pub mod word_boundary;
pub mod word_table;

pub use boundary_model::PRECISION;
pub use completer::{Completer, CompleterOptions};
pub use controller::{Action, Event, KeyboardController, Settings, TimedEvent};
pub use corrector::{Correction, Corrector};
pub use emoji::EmojiTable;
pub use field::FieldKind;
pub use geometry::Layout;
pub use lexicon::{Lexicon, LexiconError, Lexicons};
pub use primer::Primers;
pub use scheduler::{ModelState, Stats};
pub use suggestion::{EditorContext, Suggestion, SuggestionKind, Suggestions};
pub use text_field::TextField;
pub use typing_session::TypingSession;
pub use user_model::{UserModel, UserModelError};
