//! The vocabulary sorted by bytes, so that what a person has typed selects an interval of it.

use std::ops::Range;

use nibble::Tokenizer;
use nibble::gguf::U32s;
#[cfg(test)]
use nibble::tokenizer::TokenKind;
use nibble::tokenizer::Vocabulary;

use crate::case::{self, LetterCase};
use crate::script::Script;
use crate::word_boundary::is_word_character;

/// What a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenFlags(u16);

impl TokenFlags {
    const WORD: u16 = 1;
    const LEADING_SPACE: u16 = 1 << 1;
    const STEM: u16 = 1 << 2;
    const CASE_SHIFT: u16 = 3;
    const CASE_MASK: u16 = 0b11;
    const SCRIPT_SHIFT: u16 = 5;
    const SCRIPT_MASK: u16 = 0b1111;

    fn of(bytes: &[u8]) -> TokenFlags {
        let mut flags = 0;
        let (leading_space, rest) = match bytes.split_first() {
            Some((b' ', rest)) => (true, rest),
            _ => (false, bytes),
        };
        if leading_space {
            flags |= TokenFlags::LEADING_SPACE;
        }
        // A token may end within a character: what is whole is looked at, and the rest can only go on.
        let (text, cut) = match std::str::from_utf8(rest) {
            Ok(text) => (text, false),
            Err(error) => {
                let (whole, _) = rest
                    .split_at_checked(error.valid_up_to())
                    .unwrap_or_default();
                (
                    std::str::from_utf8(whole).unwrap_or_default(),
                    error.error_len().is_none(),
                )
            }
        };
        let letters = text
            .chars()
            .all(|c| is_word_character(c) && !c.is_numeric());
        let begins_with_letter = text.chars().next().is_some_and(char::is_alphabetic);
        let ends_with_letter = text
            .chars()
            .next_back()
            .is_some_and(|c| !matches!(c, '\'' | '-'));
        let whole = !cut && text.len() == rest.len();
        if letters && begins_with_letter && whole {
            flags |= TokenFlags::WORD;
        }
        if letters && (cut || (begins_with_letter && ends_with_letter && whole)) {
            flags |= TokenFlags::STEM;
        }
        flags |= (case::letter_case(text) as u16) << TokenFlags::CASE_SHIFT;
        flags |= (Script::of_text(text) as u16) << TokenFlags::SCRIPT_SHIFT;
        TokenFlags(flags)
    }

    /// Whether the token can stand for a word: letters, apostrophes and hyphens that begin with a letter,
    /// after at most one space.
    pub fn is_word(self) -> bool {
        self.0 & TokenFlags::WORD != 0
    }

    /// Whether it begins with a space, that is, begins a word inside a line.
    pub fn has_leading_space(self) -> bool {
        self.0 & TokenFlags::LEADING_SPACE != 0
    }

    /// Whether a token without leading space can continue the word that this one begins: it ends in a
    /// letter, or within one.
    pub fn is_stem(self) -> bool {
        self.0 & TokenFlags::STEM != 0
    }

    /// How its letters are cased.
    pub fn case(self) -> LetterCase {
        LetterCase::from_bits((self.0 >> TokenFlags::CASE_SHIFT) & TokenFlags::CASE_MASK)
    }

    /// The script of its first letter.
    pub fn script(self) -> Script {
        Script::from_bits((self.0 >> TokenFlags::SCRIPT_SHIFT) & TokenFlags::SCRIPT_MASK)
    }
}

/// The tokens of ordinary text, sorted by their bytes. A token's place in that order is its *rank*; the
/// tokens that begin with given bytes have consecutive ranks.
///
/// Shares what tokens spell and their order with the tokenizer, which in a prepared model are looked up in the file.
#[derive(Debug)]
pub struct VocabIndex {
    vocabulary: Vocabulary,
    /// Token id of each rank.
    tokens: U32s,
    flags: Vec<TokenFlags>,
}

impl VocabIndex {
    /// The index of a tokenizer. Control tokens, unused ones and those that spell nothing are left out.
    pub fn new(tokenizer: &Tokenizer) -> VocabIndex {
        VocabIndex::with_order(tokenizer.vocabulary(), tokenizer.tokens_by_bytes())
    }

    fn with_order(vocabulary: &Vocabulary, tokens: &U32s) -> VocabIndex {
        let flags = tokens.iter().map(|id| {
            let bytes = vocabulary.bytes(id);
            TokenFlags::of(bytes.unwrap_or_default())
        });
        VocabIndex {
            flags: flags.collect(),
            vocabulary: vocabulary.clone(),
            tokens: tokens.clone(),
        }
    }

    /// The index of the given tokens, which have the ids from 0 on.
    #[cfg(test)]
    pub(crate) fn from_tokens<'a>(tokens: impl Iterator<Item = &'a [u8]>) -> VocabIndex {
        let tokens = tokens.map(|bytes| (bytes, TokenKind::Normal));
        let vocabulary = Vocabulary::new(tokens).unwrap();
        VocabIndex::with_order(&vocabulary, &vocabulary.sorted_by_bytes())
    }

    /// Number of ranks.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Token ids in rank order.
    pub fn tokens(&self) -> &U32s {
        &self.tokens
    }

    /// The token at `rank`.
    pub fn token(&self, rank: usize) -> Option<u32> {
        self.tokens.get(rank)
    }

    /// The bytes of the token at `rank`; empty beyond the last.
    pub fn bytes(&self, rank: usize) -> &[u8] {
        let bytes = self.token(rank).and_then(|id| self.vocabulary.bytes(id));
        bytes.unwrap_or_default()
    }

    /// What the token at `rank` is made of.
    pub fn flags(&self, rank: usize) -> TokenFlags {
        self.flags.get(rank).copied().unwrap_or(TokenFlags(0))
    }

    /// The ranks of all tokens that begin with `prefix`.
    pub fn interval(&self, prefix: &[u8]) -> Range<usize> {
        let start = self.partition_point(|bytes| bytes < prefix);
        let length = self.partition_point_in(start..self.len(), |bytes| bytes.starts_with(prefix));
        start..start + length
    }

    /// The rank of the token with exactly these bytes (the lowest id, should several have them).
    pub fn rank(&self, bytes: &[u8]) -> Option<usize> {
        let start = self.partition_point(|other| other < bytes);
        (start < self.len() && self.bytes(start) == bytes).then_some(start)
    }

    /// The ranks of the tokens that begin with `prefix` as it is, capitalised or in capitals, after a space
    /// where `leading_space`: up to three disjoint intervals, ascending.
    pub fn folded_intervals(&self, prefix: &str, leading_space: bool) -> Vec<Range<usize>> {
        let mut intervals: Vec<Range<usize>> = case::variants(prefix)
            .into_iter()
            .map(|variant| {
                let space = if leading_space { " " } else { "" };
                self.interval(format!("{space}{variant}").as_bytes())
            })
            .filter(|interval| !interval.is_empty())
            .collect();
        intervals.sort_unstable_by_key(|interval| (interval.start, interval.end));
        // Without a letter all variants are one; a capital without small letter gives two that are equal.
        intervals.dedup();
        intervals
    }

    /// Bytes of memory, beside the tokenizer's.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.flags.as_slice())
    }

    fn partition_point(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.partition_point_in(0..self.len(), before)
    }

    /// How many ranks from the start of `range` on satisfy `before`, which must hold for all up to some
    /// rank and for none from there on.
    fn partition_point_in(&self, range: Range<usize>, before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low.midpoint(high);
            if before(self.bytes(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low - range.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(tokens: &[&str]) -> VocabIndex {
        VocabIndex::from_tokens(tokens.iter().map(|token| token.as_bytes()))
    }

    fn texts(index: &VocabIndex, ranks: impl Iterator<Item = usize>) -> Vec<&str> {
        ranks
            .map(|rank| std::str::from_utf8(index.bytes(rank)).unwrap())
            .collect()
    }

    #[test]
    fn a_prefix_selects_an_interval_for_each_case() {
        let index = index(&[
            " then", "the", " THE", " tho", " The", " thy", "x", " t", " Theo", " tHe",
        ]);
        let found: Vec<_> = index
            .folded_intervals("the", true)
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(
            texts(&index, found.into_iter()),
            [" THE", " The", " Theo", " then"]
        );
        let found: Vec<_> = index
            .folded_intervals("t", false)
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(texts(&index, found.into_iter()), ["the"]);
        assert_eq!(
            index
                .folded_intervals("", false)
                .iter()
                .map(ExactSizeIterator::len)
                .sum::<usize>(),
            index.len()
        );
        assert!(index.folded_intervals("q", true).is_empty());
    }

    #[test]
    fn flags_say_what_a_token_is_made_of() {
        let cyrillic = " п".as_bytes();
        let flags = TokenFlags::of;
        assert!(flags(b" don't").is_word() && flags(b" e-mail").is_word());
        assert!(!flags(b" 2nd").is_word() && !flags(b"'t").is_word() && !flags(b" ").is_word());
        assert!(!flags(b"  the").is_word() && !flags(b" the ").is_word());
        assert!(flags(b" the").is_stem() && !flags(b" don'").is_stem() && !flags(b".").is_stem());
        assert!(flags(b" the").has_leading_space() && !flags(b"the").has_leading_space());
        assert_eq!(flags(b" The").case(), LetterCase::Capitalized);
        assert_eq!(flags(b" THE").case(), LetterCase::Upper);
        assert_eq!(flags(cyrillic).script(), Script::Cyrillic);
        // Half a character is the beginning of some word.
        assert!(!flags(&cyrillic[..2]).is_word() && flags(&cyrillic[..2]).is_stem());
        assert!(!flags(&[b'a', 0xff]).is_word() && !flags(&[b'a', 0xff]).is_stem());
    }

    proptest! {
        #[test]
        fn an_interval_holds_exactly_the_tokens_with_the_prefix(
            tokens in prop::collection::vec(prop::collection::vec(0u8..4, 0..5), 0..60),
            prefix in prop::collection::vec(0u8..4, 0..4),
        ) {
            let index = VocabIndex::from_tokens(tokens.iter().map(Vec::as_slice));
            let mut found: Vec<u32> =
                index.interval(&prefix).map(|rank| index.token(rank).unwrap()).collect();
            found.sort_unstable();
            let expected: Vec<u32> = (0..)
                .zip(&tokens)
                .filter(|(_, token)| !token.is_empty() && token.starts_with(&prefix))
                .map(|(id, _)| id)
                .collect();
            prop_assert_eq!(found, expected);
            for (id, token) in (0..).zip(&tokens) {
                match index.rank(token) {
                    Some(rank) => {
                        prop_assert_eq!(index.bytes(rank), &token[..]);
                        prop_assert!(index.token(rank).unwrap() <= id);
                    }
                    None => prop_assert!(token.is_empty()),
                }
            }
        }
    }
}
