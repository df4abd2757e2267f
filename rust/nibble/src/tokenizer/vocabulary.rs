//! What each token spells, and what it is for.

use super::byte_alphabet;
use crate::SharedBytes;
use crate::gguf::U32s;

/// What a token is for (`tokenizer.ggml.token_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A part of ordinary text.
    Normal,
    /// Stands for what the vocabulary cannot spell.
    Unknown,
    /// Marks structure, such as the end of a turn. Its text is not text of the conversation.
    Control,
    /// Added to a trained vocabulary; recognised by its whole text, as control tokens are.
    UserDefined,
    /// Padding of the vocabulary: has an id, spells nothing.
    Unused,
}

impl TokenKind {
    /// The kind that GGUF numbers `value`. `BYTE` (6) belongs to other tokenizer models than
    /// byte-level BPE and is not one of ours.
    pub(super) fn from_gguf(value: i32) -> Option<Self> {
        match value {
            1 => Some(TokenKind::Normal),
            2 => Some(TokenKind::Unknown),
            3 => Some(TokenKind::Control),
            4 => Some(TokenKind::UserDefined),
            5 => Some(TokenKind::Unused),
            _ => None,
        }
    }

    /// The number of the kind in GGUF.
    pub(super) fn to_gguf(self) -> u8 {
        match self {
            TokenKind::Normal => 1,
            TokenKind::Unknown => 2,
            TokenKind::Control => 3,
            TokenKind::UserDefined => 4,
            TokenKind::Unused => 5,
        }
    }

    /// Whether tokens of this kind are found in text by their whole text.
    pub(super) fn is_special(self) -> bool {
        matches!(self, TokenKind::Control | TokenKind::UserDefined)
    }
}

/// The bytes and the kind of every token, by id. A vocabulary has some 200,000 tokens of a few bytes: they lie end to end,
/// in a [prepared](crate::prepared) file or in memory, and cloning copies none.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    pub(super) bytes: SharedBytes,
    /// Where each token's bytes end; they begin where the previous token's end.
    pub(super) ends: U32s,
    /// Numbers of GGUF.
    pub(super) kinds: SharedBytes,
}

impl Vocabulary {
    /// The vocabulary of the given tokens, numbered from 0 on. `None` if they have more than 4 GiB.
    pub fn new<'a>(tokens: impl IntoIterator<Item = (&'a [u8], TokenKind)>) -> Option<Self> {
        let mut listed = TokenList::default();
        for (bytes, kind) in tokens {
            listed.push(bytes, kind)?;
        }
        Some(listed.into_vocabulary())
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a token is for. `None` beyond the last.
    pub fn kind(&self, id: u32) -> Option<TokenKind> {
        let number = *self.kinds.get(usize::try_from(id).ok()?)?;
        TokenKind::from_gguf(number.into())
    }

    /// The bytes that a token stands for. `None` beyond the last.
    pub fn bytes(&self, id: u32) -> Option<&[u8]> {
        let index = usize::try_from(id).ok()?;
        let ends = self.ends.encoded();
        let end = u32::from_le_bytes(*ends.get(index)?);
        let start = match index.checked_sub(1) {
            Some(previous) => u32::from_le_bytes(*ends.get(previous)?),
            None => 0,
        };
        self.bytes.get(start as usize..end as usize)
    }

    /// Every id of the given kinds, ascending.
    pub(super) fn ids(&self, wanted: impl Fn(TokenKind) -> bool) -> impl Iterator<Item = u32> {
        (0..)
            .zip(self.kinds.iter())
            .filter(move |&(_, &kind)| TokenKind::from_gguf(kind.into()).is_some_and(&wanted))
            .map(|(id, _)| id)
    }

    /// Whether a token is one of ordinary text and spells something.
    pub(super) fn spells_text(&self, id: u32) -> bool {
        let is_empty = self.bytes(id).is_none_or(<[u8]>::is_empty);
        self.kind(id) == Some(TokenKind::Normal) && !is_empty
    }

    /// The tokens of ordinary text that spell something, sorted by their bytes; of equals the lower id first.
    pub fn sorted_by_bytes(&self) -> U32s {
        let bytes = |id| self.bytes(id).unwrap_or_default();
        let mut sorted: Vec<(u64, u32)> = self
            .ids(|kind| kind == TokenKind::Normal)
            .filter(|&id| self.spells_text(id))
            .map(|id| (first_bytes(bytes(id)), id))
            .collect();
        sorted.sort_unstable_by(|(first, a), (second, b)| {
            let order = first.cmp(second).then_with(|| bytes(*a).cmp(bytes(*b)));
            order.then(a.cmp(b))
        });
        sorted.into_iter().map(|(_, id)| id).collect()
    }
}

/// The first eight bytes as a number that sorts like them: most comparisons of the sort end here.
fn first_bytes(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}

/// A vocabulary while it is being read.
#[derive(Debug, Default)]
pub(super) struct TokenList {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    kinds: Vec<u8>,
}

impl TokenList {
    pub(super) fn with_capacity(tokens: usize) -> Self {
        TokenList {
            bytes: Vec::new(),
            ends: Vec::with_capacity(tokens),
            kinds: Vec::with_capacity(tokens),
        }
    }

    /// Adds the next token. `None` if there would be more than 4 GiB of bytes.
    pub(super) fn push(&mut self, bytes: &[u8], kind: TokenKind) -> Option<()> {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(u32::try_from(self.bytes.len()).ok()?);
        self.kinds.push(kind.to_gguf());
        Some(())
    }

    pub(super) fn into_vocabulary(mut self) -> Vocabulary {
        self.bytes.shrink_to_fit();
        Vocabulary {
            bytes: SharedBytes::from(self.bytes),
            ends: self.ends.into_iter().collect(),
            kinds: SharedBytes::from(self.kinds),
        }
    }
}

/// The bytes that the text of a token in a file stands for. Normal tokens are written in the byte alphabet, of other kinds
/// it is the text itself.
pub(super) fn bytes_of_text(text: &str, kind: TokenKind) -> Vec<u8> {
    let spelled: Option<Vec<u8>> = match kind {
        TokenKind::Normal => text.chars().map(byte_alphabet::byte_of).collect(),
        TokenKind::Unused => Some(Vec::new()),
        _ => None,
    };
    // As the reference's decoder: what is not in the alphabet stands for itself.
    spelled.unwrap_or_else(|| text.as_bytes().to_vec())
}
