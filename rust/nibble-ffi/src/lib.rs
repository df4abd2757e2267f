//! Nibble for other languages: a thin layer of types that uniffi can carry over `nibble` and
//! `nibble-keyboard`. Swift, Kotlin and Python code is generated from it (`scripts/generate-bindings`), and
//! the packages for Swift and Kotlin are written over that.
//!
//! What holds for all of it:
//!
//! - Every function returns a `Result` with a [`NibbleError`], so that a panic becomes an exception of the
//!   other language and never ends the process.
//! - Nothing calls back. What takes long is pulled step by step ([`Generation::next`], [`Verification::next`],
//!   [`Preparation::next`]) on the caller's thread, and [`CancelHandle::cancel`] stops a generation from another
//!   one without taking a lock.
//! - Every object may be used from every thread. Where two threads want the same session, generation,
//!   verification or preparation at once, the second gets [`NibbleError::Busy`] and does not wait.
//! - `release` gives up what an object holds before the other language's collector gets to it; afterwards its
//!   functions fail with [`NibbleError::Closed`]. Work that is under way ends first, or is cancelled. Objects
//!   made from a released one live on.
//! - Positions and lengths of text count Unicode scalar values, as everywhere in Nibble.

#![deny(unsafe_code)]
#![allow(
    clippy::result_large_err,
    reason = "the error has many fields for whoever reads it, and is made rarely"
)]

mod backend;
mod completer;
mod controller;
mod descriptor;
mod error;
mod exclusive;
mod generation;
mod layout;
mod lexicon;
mod logs;
mod model;
mod model_file;
#[cfg(test)]
mod panics;
mod preparation;
mod session;
mod shared;
mod suggestion;
mod typing_session;
mod user_model;

// Rust's standard library finds the functions that it unwinds with when all is linked.
#[cfg(all(target_os = "android", feature = "unwinder"))]
extern crate unwinding as _;

pub use backend::{BackendAvailability, BackendChoice, BackendStatus, available_backends};
pub use completer::{
    Completer, CompleterOptions, CorrectionThresholds, EmojiTable, ModelState, Primers,
    TypingStats, WordWeights, builtin_primers,
};
pub use controller::{
    Action, CapitalsMode, EditorAction, EditorText, EditorUpdate, EngineNotice, EngineRequest,
    Event, FieldFocus, GhostPart, KeyboardController, KeyboardSettings, LayoutPage, PositionUnit,
    Selection, ShiftState, Slot, Strip, Tap, TextEdit, TimedEvent, engine_notice_from_json,
    engine_notice_to_json, engine_request_from_json, engine_request_to_json, settings_from_json,
};
pub use error::{NibbleError, Result};
pub use generation::{
    CancelHandle, Chunk, Generation, GenerationOptions, GenerationStats, StopReason,
};
pub use layout::{Key, KeyAction, Layout, builtin_layouts};
pub use lexicon::Lexicon;
pub use logs::{LogLevel, LogRecord, Logs};
pub use model::{Activations, KvFormat, MemoryEstimate, Model, ModelInfo, ModelOptions, Priority};
pub use model_file::{ModelFile, ModelFileInfo, Verification, VerificationProgress};
pub use preparation::{Preparation, PreparationProgress};
pub use session::{Session, SessionOptions};
pub use suggestion::{
    EditorContext, FieldKind, Suggestion, SuggestionKind, Suggestions, suggestions_from_json,
    suggestions_to_json,
};
pub use typing_session::TypingSession;
pub use user_model::{UserModel, UserModelBounds, UserWord};

uniffi::setup_scaffolding!("nibble");
