//! The words of a language: how frequent they are, how they are spelled, which of them offend.
//!
//! A [`Lexicon`] is one file, mapped and never copied: an `fst` map from the folded word
//! ([`fold`]) to its frequency, spelling and flags (layout: `format.rs`). It is made by [`build`]
//! from a word list. [`Lexicons`] weighs several languages by what is being written.

mod build;
mod completion;
mod error;
mod format;
mod graph;
mod mixture;
mod spelling;

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;

use nibble::prepared::Attachment;
use nibble::{Gguf, SharedBytes};

pub use build::{Entry, build, read_word_list};
pub use completion::Completion;
pub(crate) use completion::{Letters, Way};
pub use error::LexiconError;
pub use mixture::{LanguageWeights, Lexicons};

use crate::text::{capitalize, fold};
use format::{Header, IrregularSpellings, Spelling, Value};
pub(crate) use graph::Place;
use graph::WordGraph;
use spelling::SpellingModel;

/// Begins the names of lexicons in a prepared model.
const ATTACHMENT_PREFIX: &str = "lexicon.";

/// Words from which on it can be told how a language is spelled.
const SPELLING_WORDS: usize = 2_000;

/// The words of one language.
///
/// Words are looked up by their folded form, so `Paris`, `paris` and `PARIS` are one entry.
pub struct Lexicon {
    language: String,
    graph: WordGraph,
    irregular: IrregularSpellings,
    /// Made when it is first asked for.
    spelling: OnceLock<SpellingModel>,
}

impl Lexicon {
    /// Maps the lexicon at `path`. The file must not be changed in place while it is open; replace
    /// it by renaming a new one over it.
    ///
    /// Every byte is read once to check it.
    ///
    /// # Errors
    /// [`LexiconError::File`], or whatever is wrong with what is in it.
    pub fn open(path: impl AsRef<Path>) -> Result<Lexicon, LexiconError> {
        Lexicon::from_shared(&SharedBytes::open(path.as_ref())?)
    }

    /// Maps the lexicon in `length` bytes from byte `offset` of an open file, such as an asset of an Android
    /// package; `name` stands for the file in errors. As with [`open`](Self::open), nobody may change it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_window(
        file: File,
        offset: u64,
        length: u64,
        name: impl AsRef<Path>,
    ) -> Result<Lexicon, LexiconError> {
        let bytes = SharedBytes::open_window(file, offset, length, name.as_ref())?;
        Lexicon::from_shared(&bytes)
    }

    /// The lexicon at `path`, to be [attached](nibble::prepared::PreparationOptions::attachments) to a prepared model,
    /// where [`all_in`](Self::all_in) finds it. There can be one of each language.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn attachment(path: impl AsRef<Path>) -> Result<Attachment, LexiconError> {
        let bytes = SharedBytes::open(path.as_ref())?;
        let lexicon = Lexicon::from_shared(&bytes)?;
        Ok(Attachment {
            name: format!("{ATTACHMENT_PREFIX}{}", lexicon.language),
            bytes,
        })
    }

    /// The lexicons that are attached to a prepared model, sorted by language; mapped with it.
    ///
    /// # Errors
    /// [`LexiconError::File`] where the model's attachments are not what they should be, or whatever is wrong with a lexicon.
    pub fn all_in(model: &Gguf) -> Result<Vec<Lexicon>, LexiconError> {
        model
            .attachments()?
            .iter()
            .filter(|attachment| attachment.name.starts_with(ATTACHMENT_PREFIX))
            .map(|attachment| Lexicon::from_shared(&attachment.bytes))
            .collect()
    }

    /// The lexicon whose file has these bytes.
    ///
    /// # Errors
    /// Whatever is wrong with them.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Lexicon, LexiconError> {
        Lexicon::from_shared(&SharedBytes::from(bytes))
    }

    fn from_shared(bytes: &SharedBytes) -> Result<Lexicon, LexiconError> {
        let header = Header::read(bytes)?;
        let (map, irregular) = header.sections(bytes)?;
        let graph = WordGraph::new(map, format::HEADER_LEN)?;
        if graph.len() != header.words as usize {
            return Err(LexiconError::Malformed {
                what: "the number of words differs from the word map's",
                offset: 16,
            });
        }
        Ok(Lexicon {
            language: header.language,
            graph,
            irregular,
            spelling: OnceLock::new(),
        })
    }

    /// The language as a BCP 47 tag, such as `en`.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.graph.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Natural logarithm of the share of `word` among all words of running text, case-folded;
    /// `None` where the word is unknown.
    pub fn log_frequency(&self, word: &str) -> Option<f32> {
        self.value(&fold(word)).map(Value::log_frequency)
    }

    /// The usual spelling of `word`: `i'm` → `I'm`, `iphone` → `iPhone`; `None` where the word is
    /// unknown.
    pub fn canonical<'a>(&'a self, word: &'a str) -> Option<Cow<'a, str>> {
        let folded = fold(word);
        let value = self.value(&folded)?;
        Some(match self.spell(&folded, value.spelling) {
            Cow::Borrowed(spelling) if spelling == word => Cow::Borrowed(word),
            spelling => Cow::Owned(spelling.into_owned()),
        })
    }

    /// Whether `word` is known to offend. It may be typed, and is not to be suggested.
    pub fn is_offensive(&self, word: &str) -> bool {
        self.value(&fold(word)).is_some_and(|value| value.offensive)
    }

    /// Natural logarithm of the probability that a word of the language is spelled like `word`, by its letters
    /// alone; `None` where there are too few words to tell. The first call reads all words, some tens of
    /// milliseconds.
    pub fn spelling_log_probability(&self, word: &str) -> Option<f32> {
        if self.len() < SPELLING_WORDS {
            return None;
        }
        let model = self.spelling.get_or_init(|| SpellingModel::new(self));
        Some(model.log_probability(&fold(word)))
    }

    /// Calls `visit` with every word, in the order of the folded forms: its folded form, its usual
    /// spelling, the natural logarithm of its share of running text, and whether it offends.
    pub fn for_each_word(&self, mut visit: impl FnMut(&str, &str, f32, bool)) {
        // Depth first; letters of a place come in order, so they go onto the stack in reverse.
        let mut folded = String::new();
        let mut open = vec![(self.root(), 0, None)];
        while let Some((place, depth, letter)) = open.pop() {
            folded.truncate(depth);
            folded.extend(letter);
            if let Some(value) = self.graph.value(place).map(Value::unpack) {
                let spelling = self.spell(&folded, value.spelling);
                visit(&folded, &spelling, value.log_frequency(), value.offensive);
            }
            let first = open.len();
            self.for_each_letter(place, |letter, place| {
                open.push((place, folded.len(), Some(letter)));
            });
            if let Some(letters) = open.get_mut(first..) {
                letters.reverse();
            }
        }
    }

    fn value(&self, folded: &str) -> Option<Value> {
        self.graph.get(folded).map(Value::unpack)
    }

    /// The usual spelling of a word of this lexicon.
    fn spell<'a>(&'a self, folded: &'a str, spelling: Spelling) -> Cow<'a, str> {
        match spelling {
            Spelling::Folded => Cow::Borrowed(folded),
            Spelling::Capitalized => Cow::Owned(capitalize(folded)),
            Spelling::Uppercase => Cow::Owned(folded.to_uppercase()),
            Spelling::Irregular => Cow::Borrowed(self.irregular.find(folded).unwrap_or(folded)),
        }
    }

    /// Where a walk over the words begins.
    pub(crate) fn root(&self) -> Place {
        self.graph.root()
    }

    /// The place one letter further.
    pub(crate) fn step(&self, place: Place, letter: char) -> Option<Place> {
        self.graph.step_letter(place, letter)
    }

    /// Calls `visit` with every letter that can follow, and the place it leads to.
    pub(crate) fn for_each_letter(&self, place: Place, mut visit: impl FnMut(char, Place)) {
        self.graph.for_each_letter(place, &mut visit);
    }

    /// The negative log frequency of the word that ends here, if one does.
    pub(crate) fn cost_of_word(&self, place: Place) -> Option<f32> {
        self.graph.value(place).map(format::cost_in_nats)
    }

    /// The smallest negative log frequency of the words that begin with the way here.
    pub(crate) fn least_cost(&self, place: Place) -> f32 {
        format::cost_in_nats(place.least)
    }

    /// Usual spelling and offensive flag of the word that ends here.
    pub(crate) fn describe(&self, place: Place, folded: &str) -> Option<(String, bool)> {
        let value = Value::unpack(self.graph.value(place)?);
        Some((
            self.spell(folded, value.spelling).into_owned(),
            value.offensive,
        ))
    }
}

#[cfg(test)]
mod tests;
