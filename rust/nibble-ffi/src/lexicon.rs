//! Lexicons: the words of one language each.

use std::fs::File;
use std::sync::Arc;

use nibble_keyboard as keyboard;

use crate::descriptor;
use crate::error::{NibbleError, Result};
use crate::model::count;
use crate::shared::Shared;

/// The words of one language, with frequencies and usual spelling.
#[derive(uniffi::Object)]
pub struct Lexicon {
    lexicon: Shared<keyboard::Lexicon>,
}

impl Lexicon {
    pub(crate) fn of(lexicon: keyboard::Lexicon) -> Arc<Lexicon> {
        Arc::new(Lexicon {
            lexicon: Shared::new("lexicon", Arc::new(lexicon)),
        })
    }

    pub(crate) fn get(&self) -> Result<Arc<keyboard::Lexicon>> {
        self.lexicon.get()
    }
}

#[uniffi::export]
impl Lexicon {
    /// Maps the lexicon at `path`. The file must not be changed in place while it is open; replace it by
    /// renaming another over it.
    #[uniffi::constructor]
    pub fn open(path: String) -> Result<Arc<Lexicon>> {
        let lexicon =
            keyboard::Lexicon::open(&path).map_err(|error| NibbleError::lexicon(&path, error))?;
        Ok(Lexicon::of(lexicon))
    }

    /// Maps `length` bytes from byte `offset` of an open descriptor, such as an asset of an Android package. The
    /// descriptor stays the caller's; `name` stands for the file in errors.
    #[uniffi::constructor]
    pub fn open_descriptor(
        descriptor: i32,
        offset: u64,
        length: u64,
        name: String,
    ) -> Result<Arc<Lexicon>> {
        let file = File::from(descriptor::duplicate(descriptor, &name)?);
        let lexicon = keyboard::Lexicon::open_window(file, offset, length, &name)
            .map_err(|error| NibbleError::lexicon(&name, error))?;
        Ok(Lexicon::of(lexicon))
    }

    /// The lexicon whose file has these bytes.
    #[uniffi::constructor]
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Arc<Lexicon>> {
        let lexicon = keyboard::Lexicon::from_bytes(bytes)
            .map_err(|error| NibbleError::lexicon("", error))?;
        Ok(Lexicon::of(lexicon))
    }

    /// The language as a BCP 47 tag, such as `en`.
    pub fn language(&self) -> Result<String> {
        Ok(self.get()?.language().to_owned())
    }

    /// Number of words.
    pub fn word_count(&self) -> Result<u32> {
        Ok(count(self.get()?.len()))
    }

    /// The usual spelling of `word`: `i'm` gives `I'm`; none where the word is unknown.
    pub fn spelling_of(&self, word: &str) -> Result<Option<String>> {
        let lexicon = self.get()?;
        Ok(lexicon
            .canonical(word)
            .map(|spelling| spelling.into_owned()))
    }

    /// Natural logarithm of the share of `word` among all words of running text; none where it is unknown.
    pub fn log_frequency(&self, word: &str) -> Result<Option<f32>> {
        Ok(self.get()?.log_frequency(word))
    }

    /// Whether `word` is known to offend. It may be typed, and is not to be suggested.
    pub fn is_offensive(&self, word: &str) -> Result<bool> {
        Ok(self.get()?.is_offensive(word))
    }

    /// Gives the lexicon up; completers that were made with it keep it until they are released.
    pub fn release(&self) -> Result<()> {
        self.lexicon.release();
        Ok(())
    }
}
