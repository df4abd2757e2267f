//! The tokenizer's tables in a [prepared](crate::prepared) file, where they are looked up and not read: opening a vocabulary
//! of 200,000 tokens takes no time and no memory of its own.

use super::TokenKind;
use super::byte_pairs::BytePairs;
use super::vocabulary::Vocabulary;
use crate::Result;
use crate::gguf::{PreparedSource, U32s, Writer};

const BYTES: &str = "nibble.tokenizer.bytes";
const ENDS: &str = "nibble.tokenizer.ends";
const KINDS: &str = "nibble.tokenizer.kinds";
const BYTE_TOKENS: &str = "nibble.tokenizer.byte_tokens";
const MERGES: &str = "nibble.tokenizer.merges";

/// What a tokenizer looks things up in.
#[derive(Debug, Clone)]
pub(super) struct StoredTables {
    pub(super) vocabulary: Vocabulary,
    pub(super) byte_pairs: BytePairs,
    /// As [`Vocabulary::sorted_by_bytes`].
    pub(super) by_bytes: U32s,
}

/// Writes the tables, but for the order of tokens, which the container has already.
pub(super) fn write(
    vocabulary: &Vocabulary,
    byte_pairs: &BytePairs,
    header: &mut Writer,
) -> Result<()> {
    header.bytes(BYTES, &vocabulary.bytes)?;
    header.shared_u32s(ENDS, &vocabulary.ends)?;
    header.bytes(KINDS, &vocabulary.kinds)?;
    header.shared_u32s(BYTE_TOKENS, &byte_pairs.bytes)?;
    header.shared_u32s(MERGES, &byte_pairs.merges)
}

/// Finds the tables.
///
/// Their lengths and the kinds are checked. Other numbers that were changed in the file give other tokens, as changed weights
/// give other logits; every look-up is checked.
///
/// # Errors
/// `MissingKey` and `InvalidKey`.
pub(super) fn find(source: &PreparedSource) -> Result<StoredTables> {
    let container = &source.container;
    let vocabulary = Vocabulary {
        bytes: container.shared_bytes(BYTES)?,
        ends: container.shared_u32s(ENDS)?,
        kinds: container.shared_bytes(KINDS)?,
    };
    if vocabulary.ends.len() != vocabulary.len() {
        return Err(container.invalid(ENDS, "a number for each token"));
    }
    let is_kind = |&number: &u8| TokenKind::from_gguf(number.into()).is_some();
    if !vocabulary.kinds.iter().all(is_kind) {
        return Err(container.invalid(KINDS, "types from 1 to 5"));
    }
    let byte_pairs = BytePairs {
        bytes: container.shared_u32s(BYTE_TOKENS)?,
        merges: container.shared_u32s(MERGES)?,
    };
    if byte_pairs.bytes.len() != 256 {
        return Err(container.invalid(BYTE_TOKENS, "a token for each of 256 bytes"));
    }
    if !byte_pairs.merges.len().is_multiple_of(4) {
        return Err(container.invalid(MERGES, "four numbers for each merge"));
    }
    let tokens = source.token_rows.tokens();
    // Those that spell text come first.
    let is_text = |id: &[u8; 4]| vocabulary.spells_text(u32::from_le_bytes(*id));
    let by_bytes = tokens.beginning(tokens.encoded().partition_point(is_text));
    Ok(StoredTables {
        vocabulary,
        byte_pairs,
        by_bytes,
    })
}
