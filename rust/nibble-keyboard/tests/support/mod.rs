//! What the tests share.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test helper fails by panicking")]

pub(crate) mod scenario;

use std::sync::Arc;
use std::time::Duration;

use nibble::{Model, ModelOptions};
use nibble_keyboard::lexicon::{Entry, build};
use nibble_keyboard::{
    Completer, CompleterOptions, EditorContext, FieldKind, Lexicon, Lexicons, ModelState, Primers,
};

pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A model of 1024 tokens that has read the King James Bible.
pub(crate) fn tiny_model() -> Arc<Model> {
    let options = ModelOptions {
        threads: 2,
        ..Default::default()
    };
    let path = nibble_testkit::fixture("phi3-tiny/model-q8_0.gguf");
    Arc::new(Model::open(path, &options).unwrap())
}

/// A lexicon of these words, the first ones more frequent.
pub(crate) fn lexicon(words: &[&str], offensive: &[&str]) -> Lexicons {
    let entries = words
        .iter()
        .zip((1..).map(|rank| 1_000_000 / rank))
        .map(|(word, count)| Entry {
            word: (*word).to_owned(),
            count,
            offensive: offensive.contains(word),
        });
    let mut file = Vec::new();
    build("en", entries, &mut file).unwrap();
    Lexicons::new(vec![Arc::new(Lexicon::from_bytes(file).unwrap())])
}

pub(crate) const WORDS: [&str; 30] = [
    "the", "and", "of", "lord", "shall", "unto", "they", "them", "there", "then", "thy", "thou",
    "I", "I'm", "people", "land", "said", "say", "house", "king", "earth", "people's", "Moses",
    "day", "damn", "things", "thing", "that", "not", "know",
];

pub(crate) fn english() -> Lexicons {
    lexicon(&WORDS, &["damn"])
}

pub(crate) fn options() -> CompleterOptions {
    CompleterOptions {
        primers: Primers::none(),
        ..CompleterOptions::default()
    }
}

/// A completer over the tiny model that is ready.
pub(crate) fn completer(options: CompleterOptions) -> Completer {
    let completer = Completer::new(Some(tiny_model()), english(), None, options);
    completer.wait_idle(LONG);
    assert_eq!(completer.model_state(), ModelState::Ready);
    completer
}

pub(crate) fn context(before: &str) -> EditorContext {
    EditorContext {
        before: before.to_owned(),
        ..EditorContext::default()
    }
}

pub(crate) fn in_field(before: &str, field: FieldKind) -> EditorContext {
    EditorContext {
        field,
        ..context(before)
    }
}

/// Types a text key by key, waiting for the model after each.
pub(crate) fn type_text(completer: &Completer, text: &str) {
    for (end, character) in text.char_indices() {
        let before = &text[..end + character.len_utf8()];
        completer.wait_fresh(&context(before), LONG);
    }
}

pub(crate) fn texts(suggestions: &nibble_keyboard::Suggestions) -> Vec<&str> {
    suggestions
        .items
        .iter()
        .map(|item| item.text.as_str())
        .collect()
}
