//! Text to tokens and back: byte-level byte-pair encoding, from the metadata of a model file.
//!
//! ```no_run
//! # fn main() -> nibble::Result<()> {
//! use nibble::gguf::Gguf;
//! use nibble::tokenizer::{Detokenizer, SpecialTokens, Tokenizer};
//!
//! let tokenizer = Tokenizer::from_gguf(&Gguf::open("model.gguf")?)?;
//! let ids = tokenizer.encode("Grüße aus 東京", SpecialTokens::AsText)?;
//! assert_eq!(tokenizer.decode(&ids)?, "Grüße aus 東京");
//!
//! let mut detokenizer = Detokenizer::new();
//! for id in ids {
//!     print!("{}", detokenizer.push(&tokenizer, id)?);
//! }
//! println!("{}", detokenizer.finish());
//! # Ok(())
//! # }
//! ```
//!
//! Tokens are those of the `tokenizers` crate, which tests compare it with. The crate itself would keep half a million
//! strings in memory for a large vocabulary, and pieces of what was typed; here are flat arrays, and nothing is kept.

mod byte_alphabet;
mod byte_pairs;
mod detokenizer;
mod pre_tokenizer;
mod stored;
mod tables;
mod vocabulary;

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

pub use detokenizer::Detokenizer;
pub use vocabulary::{TokenKind, Vocabulary};

use crate::gguf::{Gguf, U32s, Writer};
use crate::{Error, Result};
use byte_pairs::BytePairs;
use pre_tokenizer::PreTokenizer;

/// What [`Tokenizer::encode`] makes of the text of a special token, such as `<|end|>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpecialTokens {
    /// It becomes that token; where several begin at the same place, the longest. For prompts that a
    /// chat template has written.
    Parse,
    /// It is text like any other and never becomes that token. For what a person has typed.
    AsText,
}

/// A model's vocabulary and how it cuts text up. Immutable; share it between threads.
pub struct Tokenizer {
    vocabulary: Vocabulary,
    pre_tokenizer: PreTokenizer,
    byte_pairs: BytePairs,
    /// See [`Tokenizer::tokens_by_bytes`].
    by_bytes: OnceLock<U32s>,
    /// Sorted by their text.
    special: Vec<u32>,
    /// Pattern `i` is the text of `special[i]`.
    special_texts: AhoCorasick,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    /// Sorted.
    end_of_generation: Vec<u32>,
}

impl Tokenizer {
    /// Reads the tokenizer of a model: the keys `tokenizer.ggml.*`.
    ///
    /// Supported are byte-level vocabularies (`tokenizer.ggml.model` is `gpt2`) with the pre-tokenizers
    /// `gpt-4o`, `llama-bpe`, `smollm` and `gpt-2`.
    ///
    /// # Errors
    /// [`Error::UnsupportedTokenizer`] for another model or pre-tokenizer; [`Error::MissingKey`];
    /// [`Error::InvalidKey`] for tables that contradict each other or cannot spell ordinary text.
    pub fn from_gguf(model: &Gguf) -> Result<Self> {
        tables::read(model)
    }

    /// The tokens of a text. Adds no token at the beginning or the end: see [`Tokenizer::add_bos`].
    ///
    /// Decoding gives the text again, with one exception, which is the reference's: a byte for which
    /// the vocabulary has no token is left out. Nothing of ordinary text is affected; SmolLM2 has no
    /// token for six control characters and for the first byte of U+40000 to U+BFFFF.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn encode(&self, text: &str, special: SpecialTokens) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut rest = text;
        if special == SpecialTokens::Parse {
            let mut rest_start = 0;
            for found in self.special_texts.find_iter(text) {
                let before = text.get(rest_start..found.start()).unwrap_or_default();
                self.encode_ordinary(before, &mut ids)?;
                ids.extend(self.special.get(found.pattern().as_usize()));
                rest_start = found.end();
            }
            rest = text.get(rest_start..).unwrap_or_default();
        }
        self.encode_ordinary(rest, &mut ids)?;
        Ok(ids)
    }

    /// The tokens of a prompt: those of `text`, after the token for the beginning where the file asks for it
    /// and the text does not have it already.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_prompt(&self, text: &str, special: SpecialTokens) -> Result<Vec<u32>> {
        let mut ids = self.encode(text, special)?;
        if let Some(bos) = self.bos()
            && self.add_bos()
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        Ok(ids)
    }

    /// Appends the tokens of a text without special tokens.
    fn encode_ordinary(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        self.pre_tokenizer
            .pieces(text, |piece| match self.whole(piece.as_bytes()) {
                Some(id) => ids.push(id),
                None => self.byte_pairs.encode(piece.as_bytes(), ids),
            })
            // The cause is left out of the error: it might quote the text.
            .map_err(|_| Error::Internal {
                what: "the pre-tokenizer failed".to_owned(),
            })
    }

    /// The token that a whole piece is, where it needs no merges for that.
    fn whole(&self, piece: &[u8]) -> Option<u32> {
        if !self.pre_tokenizer.whole_pieces_first {
            return None;
        }
        let by_bytes = self.tokens_by_bytes().encoded();
        let of = |id: &[u8; 4]| self.vocabulary.bytes(u32::from_le_bytes(*id));
        let found = by_bytes.binary_search_by(|id| of(id).unwrap_or_default().cmp(piece));
        by_bytes.get(found.ok()?).copied().map(u32::from_le_bytes)
    }

    /// The text of tokens, special ones included. Bytes that are no UTF-8, such as those of a part of a
    /// character, become U+FFFD, as in [`String::from_utf8_lossy`].
    ///
    /// # Errors
    /// [`Error::InvalidToken`] for an id outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.decode_bytes(ids)?).into_owned())
    }

    /// The bytes of tokens, special ones included.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] for an id outside the vocabulary.
    pub fn decode_bytes(&self, ids: &[u32]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for &id in ids {
            bytes.extend_from_slice(self.known_token_bytes(id)?);
        }
        Ok(bytes)
    }

    /// The bytes that a token stands for: a special token's are its own text, an unused one's none.
    /// `None` outside the vocabulary.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.vocabulary.bytes(id)
    }

    fn known_token_bytes(&self, id: u32) -> Result<&[u8]> {
        self.token_bytes(id).ok_or_else(|| Error::InvalidToken {
            token: id,
            vocabulary: self.vocabulary_size(),
        })
    }

    /// What a token is for. `None` outside the vocabulary.
    pub fn token_kind(&self, id: u32) -> Option<TokenKind> {
        self.vocabulary.kind(id)
    }

    /// What each token spells, and what it is for.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The tokens of ordinary text that spell something, sorted by their bytes; of equals the lower id first. A
    /// [prepared](crate::prepared) file has them in this order, for others they are sorted by the first call.
    pub fn tokens_by_bytes(&self) -> &U32s {
        self.by_bytes
            .get_or_init(|| self.vocabulary.sorted_by_bytes())
    }

    /// Writes the tables to the header of a prepared file.
    pub(crate) fn store(&self, header: &mut Writer) -> Result<()> {
        stored::write(&self.vocabulary, &self.byte_pairs, header)
    }

    /// Number of tokens, unused ones included: ids are below it.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary.len()
    }

    /// The control or user-defined token whose text is `name`, such as `<|end|>`.
    pub fn special(&self, name: &str) -> Option<u32> {
        let found = self
            .special
            .binary_search_by(|&id| self.token_bytes(id).cmp(&Some(name.as_bytes())))
            .ok()?;
        self.special.get(found).copied()
    }

    /// The token at the beginning of a text, if the model has one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token at the end of a text, if the model has one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Whether the model expects [`Tokenizer::bos`] before a prompt; if so, there is one.
    pub fn add_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether a model ends its answer with this token: [`Tokenizer::eos`], those that the file calls the
    /// end of a turn or of a message, and `<|end|>`, `<|endoftext|>`, `<|end_of_text|>`, `<|eot_id|>`,
    /// `<|eom_id|>` and `<|im_end|>` where they are special tokens.
    pub fn is_end_of_generation(&self, id: u32) -> bool {
        self.end_of_generation.binary_search(&id).is_ok()
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tokenizer")
            .field("vocabulary_size", &self.vocabulary_size())
            .field("special", &self.special.len())
            .finish_non_exhaustive()
    }
}
