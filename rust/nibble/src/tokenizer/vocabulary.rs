//! What each token spells, and what it is for.

use super::byte_alphabet;

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

    /// Whether tokens of this kind are found in text by their whole text.
    pub(super) fn is_special(self) -> bool {
        matches!(self, TokenKind::Control | TokenKind::UserDefined)
    }
}

/// The bytes and the kind of every token, by id. A vocabulary has some 200,000 tokens of a few bytes:
/// they lie end to end in one allocation.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    bytes: Vec<u8>,
    /// Where each token's bytes end; they begin where the previous token's end.
    ends: Vec<u32>,
    kinds: Vec<TokenKind>,
}

impl Vocabulary {
    pub(super) fn with_capacity(tokens: usize) -> Self {
        Vocabulary {
            bytes: Vec::new(),
            ends: Vec::with_capacity(tokens),
            kinds: Vec::with_capacity(tokens),
        }
    }

    /// Adds the next token. Normal tokens are written in the byte alphabet, of other kinds `text` is
    /// the text itself. `None` if the vocabulary would hold more than 4 GiB.
    pub(super) fn push(&mut self, text: &str, kind: TokenKind) -> Option<()> {
        match kind {
            TokenKind::Normal => match text.chars().map(byte_alphabet::byte_of).collect() {
                Some(spelled) => self.bytes.extend::<Vec<u8>>(spelled),
                // As the reference's decoder: what is not in the alphabet stands for itself.
                None => self.bytes.extend(text.as_bytes()),
            },
            TokenKind::Unused => {}
            _ => self.bytes.extend(text.as_bytes()),
        }
        self.ends.push(u32::try_from(self.bytes.len()).ok()?);
        self.kinds.push(kind);
        Some(())
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(super) fn kind(&self, id: u32) -> Option<TokenKind> {
        self.kinds.get(usize::try_from(id).ok()?).copied()
    }

    pub(super) fn bytes(&self, id: u32) -> Option<&[u8]> {
        let index = usize::try_from(id).ok()?;
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(previous) => *self.ends.get(previous)?,
            None => 0,
        };
        self.bytes.get(start as usize..end as usize)
    }

    /// Every id of the given kinds, ascending.
    pub(super) fn ids(&self, wanted: impl Fn(TokenKind) -> bool) -> impl Iterator<Item = u32> {
        (0..)
            .zip(&self.kinds)
            .filter(move |&(_, &kind)| wanted(kind))
            .map(|(id, _)| id)
    }
}
