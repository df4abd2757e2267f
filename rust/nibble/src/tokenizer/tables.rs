//! The tables of a tokenizer in GGUF's metadata (the keys `tokenizer.ggml.*`), checked.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::byte_pairs::BytePairs;
use super::pre_tokenizer::{self, PreTokenizer};
use super::vocabulary::{TokenKind, TokenList, Vocabulary, bytes_of_text};
use super::{Tokenizer, byte_alphabet, stored};
use crate::gguf::Gguf;
use crate::{Error, Result};

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const TOKEN_TYPE: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const BOS: &str = "tokenizer.ggml.bos_token_id";
const EOS: &str = "tokenizer.ggml.eos_token_id";
const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";

/// Keys of tokens that end an answer.
const END_KEYS: [&str; 3] = [
    EOS,
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
];

/// Names of tokens that end an answer: Phi, Llama 3 and ChatML (SmolLM2). Files name one of them in
/// their metadata, models end with any.
const END_NAMES: [&str; 6] = [
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
];

/// Builds the tokenizer of a model.
pub(super) fn read(model: &Gguf) -> Result<Tokenizer> {
    let tables = Tables { model };
    let pre_tokenizer = tables.pre_tokenizer()?;
    let by_bytes = OnceLock::new();
    let (vocabulary, byte_pairs) = match model.prepared_source() {
        Some(source) => {
            let tables = stored::find(source)?;
            by_bytes.get_or_init(|| tables.by_bytes);
            (tables.vocabulary, tables.byte_pairs)
        }
        None => tables.read()?,
    };
    let special = tables.special(&vocabulary)?;
    let special_texts = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(special.iter().filter_map(|&id| vocabulary.bytes(id)))
        .map_err(|error| tables.invalid(TOKENS, "fewer special tokens", &error))?;

    let bos = tables.token_id(BOS, &vocabulary)?;
    let add_bos = model
        .metadata()
        .find_bool(ADD_BOS)?
        .unwrap_or(pre_tokenizer.adds_bos);
    if add_bos && bos.is_none() {
        return Err(Error::MissingKey {
            file: model.file().to_path_buf(),
            key: BOS.to_owned(),
        });
    }

    let mut tokenizer = Tokenizer {
        eos: tables.token_id(EOS, &vocabulary)?,
        vocabulary,
        add_bos,
        pre_tokenizer,
        byte_pairs,
        by_bytes,
        special,
        special_texts,
        bos,
        end_of_generation: Vec::new(),
    };
    tokenizer.end_of_generation = tables.end_of_generation(&tokenizer)?;
    log::debug!(
        "tokenizer: {} tokens, {} merges, {} special tokens",
        tokenizer.vocabulary_size(),
        tokenizer.byte_pairs.len(),
        tokenizer.special.len(),
    );
    Ok(tokenizer)
}

struct Tables<'a> {
    model: &'a Gguf,
}

/// The ids of the normal tokens by their spelling in the byte alphabet.
type Spellings<'a> = HashMap<&'a str, u32>;

impl<'a> Tables<'a> {
    fn invalid(&self, key: &str, expected: impl Display, found: impl Display) -> Error {
        Error::InvalidKey {
            file: self.model.file().to_path_buf(),
            key: key.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    fn unsupported(&self, what: &'static str, found: &str, supported: &'static str) -> Error {
        Error::UnsupportedTokenizer {
            file: self.model.file().to_path_buf(),
            what,
            found: found.to_owned(),
            supported,
        }
    }

    fn pre_tokenizer(&self) -> Result<PreTokenizer> {
        let metadata = self.model.metadata();
        match metadata.string(MODEL)? {
            "gpt2" => {}
            other => return Err(self.unsupported("tokenizer model", other, "gpt2")),
        }
        let name = metadata.string(PRE)?;
        PreTokenizer::named(name)
            .map_err(|error| Error::Internal {
                what: format!("pre-tokenizer {name}: {error}"),
            })?
            .ok_or_else(|| self.unsupported("pre-tokenizer", name, pre_tokenizer::SUPPORTED))
    }

    fn read(&self) -> Result<(Vocabulary, BytePairs)> {
        let (vocabulary, spellings) = self.vocabulary()?;
        let merges = self.merges(&spellings)?;
        let byte_pairs = BytePairs::new(self.bytes(&spellings)?, merges.into_iter());
        Ok((vocabulary, byte_pairs))
    }

    /// Every token, and the ids of the normal ones by their spelling in the byte alphabet.
    fn vocabulary(&self) -> Result<(Vocabulary, Spellings<'a>)> {
        let texts = self.model.metadata().strings(TOKENS)?;
        let kinds = self.model.metadata().i32s(TOKEN_TYPE)?;
        if texts.len() != kinds.len() {
            let expected = format!("{} values, one for each token", texts.len());
            return Err(self.invalid(TOKEN_TYPE, expected, kinds.len()));
        }
        let mut tokens = TokenList::with_capacity(kinds.len());
        let mut spellings = Spellings::with_capacity(kinds.len());
        for ((id, text), &kind) in (0..).zip(texts).zip(&kinds) {
            let text = text?;
            let kind = TokenKind::from_gguf(kind).ok_or_else(|| {
                let expected = "types from 1 to 5 (all but BYTE)";
                self.invalid(TOKEN_TYPE, expected, format!("{kind} for token {id}"))
            })?;
            tokens
                .push(&bytes_of_text(text, kind), kind)
                .ok_or_else(|| self.invalid(TOKENS, "less than 4 GiB of text", "more"))?;
            if kind == TokenKind::Normal
                && let Some(first) = spellings.insert(text, id)
            {
                let found = format!("{text:?} as token {first} and as token {id}");
                return Err(self.invalid(TOKENS, "each normal token once", found));
            }
        }
        Ok((tokens.into_vocabulary(), spellings))
    }

    /// The token of each byte.
    fn bytes(&self, spellings: &Spellings<'_>) -> Result<[Option<u32>; 256]> {
        let mut bytes = [None; 256];
        for (byte, token) in (0..=u8::MAX).zip(&mut bytes) {
            let mut buffer = [0; 4];
            let spelling = byte_alphabet::character_of(byte).encode_utf8(&mut buffer);
            *token = spellings.get(&*spelling).copied();
            if token.is_none() && is_ordinary(byte) {
                let found = format!("none for byte {byte:#04x}");
                return Err(self.invalid(TOKENS, "a token for each byte of ordinary text", found));
            }
        }
        Ok(bytes)
    }

    /// Pairs of tokens and the token that they make, first merges first.
    fn merges(&self, spellings: &Spellings<'_>) -> Result<Vec<([u32; 2], u32)>> {
        let texts = self.model.metadata().strings(MERGES)?;
        let mut merges = Vec::with_capacity(texts.len());
        let mut merged = String::new();
        for text in texts {
            let text = text?;
            let Some((left, right)) = text.split_once(' ') else {
                let expected = "two tokens that make another, with a space between them";
                return Err(self.invalid(MERGES, expected, format!("{text:?}")));
            };
            merged.clear();
            merged.push_str(left);
            merged.push_str(right);
            let id = |text: &str| {
                spellings.get(text).copied().ok_or_else(|| {
                    let expected = "pairs of normal tokens that make another";
                    self.invalid(MERGES, expected, format!("{text:?}, which is none"))
                })
            };
            merges.push(([id(left)?, id(right)?], id(&merged)?));
        }
        Ok(merges)
    }

    /// The special tokens that have a text, sorted by it.
    fn special(&self, vocabulary: &Vocabulary) -> Result<Vec<u32>> {
        let mut special: Vec<(&[u8], u32)> = vocabulary
            .ids(TokenKind::is_special)
            .filter_map(|id| Some((vocabulary.bytes(id)?, id)))
            .filter(|(text, _)| !text.is_empty())
            .collect();
        special.sort_unstable();
        for pair in special.windows(2) {
            if let &[(text, first), (other, second)] = pair
                && text == other
            {
                let text = String::from_utf8_lossy(text);
                let found = format!("{text:?} as token {first} and as token {second}");
                return Err(self.invalid(TOKENS, "each special token once", found));
            }
        }
        Ok(special.into_iter().map(|(_, id)| id).collect())
    }

    /// The token id that a key holds, if it is there.
    fn token_id(&self, key: &str, vocabulary: &Vocabulary) -> Result<Option<u32>> {
        match self.model.metadata().find_u32(key)? {
            Some(id) if vocabulary.kind(id).is_none() => {
                let expected = format!("a token id below {}", vocabulary.len());
                Err(self.invalid(key, expected, id))
            }
            id => Ok(id),
        }
    }

    fn end_of_generation(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        for key in END_KEYS {
            ids.extend(self.token_id(key, &tokenizer.vocabulary)?);
        }
        ids.extend(END_NAMES.iter().filter_map(|name| tokenizer.special(name)));
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}

/// Whether the byte occurs in UTF-8 text of planes 0 to 3 other than control characters. SmolLM2, for
/// one, has no tokens for some of the others.
fn is_ordinary(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..=0xbf | 0xc2..=0xf0)
}
