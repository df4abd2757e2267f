//! Text from a stream of tokens, of which any may end in the middle of a character.

use super::Tokenizer;
use crate::Result;

/// Turns tokens into text one by one, without ever emitting half a character.
///
/// What it gives, put together, equals [`String::from_utf8_lossy`] of all bytes at once, however they
/// are cut into tokens: bytes that are no UTF-8 become U+FFFD, one for each maximal part of a character.
/// At most the first three bytes of an incomplete character are held back.
#[derive(Debug, Clone, Default)]
pub struct Detokenizer {
    /// The beginning of a character that may still be completed.
    pending: Vec<u8>,
}

impl Detokenizer {
    /// A detokenizer at the beginning of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// The characters that token `id` completes; empty where it completes none.
    ///
    /// # Errors
    /// [`Error::InvalidToken`](crate::Error::InvalidToken) for an id outside the vocabulary; nothing
    /// is added then.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> Result<String> {
        Ok(self.push_bytes(tokenizer.known_token_bytes(id)?))
    }

    /// The characters that `bytes` complete: [`Detokenizer::push`] for bytes of any origin.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let complete = self.pending.len() - incomplete_suffix(&self.pending);
        let held_back = self.pending.split_off(complete);
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending = held_back;
        text
    }

    /// What is left at the end of the text: U+FFFD if it ends within a character, else nothing. The
    /// detokenizer is at the beginning of a text again.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        text
    }
}

/// How many bytes at the end of `bytes` are a character that more bytes could complete: 0 to 3.
fn incomplete_suffix(bytes: &[u8]) -> usize {
    match bytes.utf8_chunks().last() {
        Some(chunk) => match std::str::from_utf8(chunk.invalid()) {
            // `error_len` is `None` where the input ends within a character.
            Err(error) if error.error_len().is_none() => chunk.invalid().len(),
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(pieces: &[Vec<u8>]) -> Vec<String> {
        let mut detokenizer = Detokenizer::new();
        let mut texts: Vec<String> = pieces
            .iter()
            .map(|piece| {
                let text = detokenizer.push_bytes(piece);
                assert!(detokenizer.pending.len() <= 3);
                text
            })
            .collect();
        texts.push(detokenizer.finish());
        texts
    }

    #[test]
    fn a_character_comes_when_it_is_complete() {
        let family = "👩‍👧".as_bytes();
        let pieces: Vec<_> = family.iter().map(|&byte| vec![byte]).collect();
        let expected = ["", "", "", "👩", "", "", "\u{200d}", "", "", "", "👧", ""];
        assert_eq!(texts(&pieces), expected);
    }

    #[test]
    fn text_that_ends_within_a_character_ends_in_a_replacement_character() {
        assert_eq!(texts(&[b"a\xf0\x9f".to_vec()]), ["a", "\u{fffd}"]);
    }

    #[test]
    fn bytes_that_no_character_begins_with_come_at_once() {
        assert_eq!(
            texts(&[b"\xff".to_vec(), b"a".to_vec()]),
            ["\u{fffd}", "a", ""]
        );
        assert_eq!(
            texts(&[b"\xe2\x82".to_vec(), b"(".to_vec()]),
            ["", "\u{fffd}(", ""]
        );
    }

    proptest! {
        #[test]
        fn equals_the_lossy_text_of_all_bytes(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..6),
                    // Cut-up characters, which random bytes seldom are.
                    any::<char>().prop_flat_map(|character| {
                        let bytes = character.to_string().into_bytes();
                        let length = bytes.len();
                        (0..=length).prop_map(move |cut| bytes[cut..].to_vec())
                    }),
                    any::<char>().prop_flat_map(|character| {
                        let bytes = character.to_string().into_bytes();
                        let length = bytes.len();
                        (0..=length).prop_map(move |cut| bytes[..cut].to_vec())
                    }),
                ],
                0..40,
            )
        ) {
            let all = pieces.concat();
            prop_assert_eq!(texts(&pieces).concat(), String::from_utf8_lossy(&all));
        }

        #[test]
        fn valid_text_is_never_held_back_longer_than_a_character(text: String, cut in 1usize..5) {
            let pieces: Vec<_> = text.as_bytes().chunks(cut).map(<[u8]>::to_vec).collect();
            let mut seen = 0;
            let mut shown = 0;
            for (piece, shown_now) in pieces.iter().zip(texts(&pieces)) {
                seen += piece.len();
                shown += shown_now.len();
                let complete = (0..=seen).rev().find(|&end| text.is_char_boundary(end));
                prop_assert_eq!(Some(shown), complete);
            }
        }
    }
}
