//! How each family cuts text into pieces before byte-pair encoding, by GGUF's `tokenizer.ggml.pre`.

use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

/// The names that [`PreTokenizer::named`] knows.
pub(super) const SUPPORTED: &str = "gpt-4o, llama-bpe, smollm, gpt-2";

/// The regular expression of `o200k_base`, as `tiktoken` publishes it (`openai_public.py`).
const O200K: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"|\s*[\r\n]+",
    r"|\s+(?!\S)",
    r"|\s+",
);

/// The regular expression of Llama 3 (the `Split` of its published `tokenizer.json`).
const LLAMA3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    r"|[^\r\n\p{L}\p{N}]?\p{L}+",
    r"|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*",
    r"|\s*[\r\n]+",
    r"|\s+(?!\S)",
    r"|\s+",
);

/// What the name of a pre-tokenizer stands for.
pub(super) struct PreTokenizer {
    /// Cuts text into pieces and spells each in the byte alphabet.
    pub(super) pieces: Sequence,
    /// A piece that is a token as a whole is that token, whatever the merges would make of it. So
    /// `tiktoken` does, which made Llama 3's and o200k's vocabularies; GPT-2's encoder only merges.
    /// The published merges of o200k lead to every token, so there it only saves time; those of
    /// Llama 3 do not.
    pub(super) whole_pieces_first: bool,
    /// Whether the beginning-of-text token goes before a prompt if the file does not say.
    pub(super) adds_bos: bool,
}

impl PreTokenizer {
    /// The pre-tokenizer called `name`, or `None` if there is none.
    ///
    /// # Errors
    /// Only if a regular expression above does not compile.
    pub(super) fn named(name: &str) -> tokenizers::Result<Option<Self>> {
        let known = match name {
            "gpt-4o" => PreTokenizer {
                pieces: Sequence::new(vec![split(O200K)?, bytes(false)]),
                whole_pieces_first: true,
                adds_bos: false,
            },
            "llama-bpe" => PreTokenizer {
                pieces: Sequence::new(vec![split(LLAMA3)?, bytes(false)]),
                whole_pieces_first: true,
                adds_bos: true,
            },
            "smollm" => PreTokenizer {
                pieces: Sequence::new(vec![Digits::new(true).into(), bytes(true)]),
                whole_pieces_first: false,
                adds_bos: false,
            },
            "gpt-2" => PreTokenizer {
                pieces: Sequence::new(vec![bytes(true)]),
                whole_pieces_first: false,
                adds_bos: false,
            },
            _ => return Ok(None),
        };
        Ok(Some(known))
    }
}

fn split(pattern: &str) -> tokenizers::Result<PreTokenizerWrapper> {
    let pattern = SplitPattern::Regex(pattern.to_owned());
    Ok(Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?.into())
}

/// Spells pieces in the byte alphabet, after cutting them by GPT-2's regular expression if asked to.
fn bytes(gpt2_pieces: bool) -> PreTokenizerWrapper {
    ByteLevel::new(false, false, gpt2_pieces).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::byte_alphabet::byte_of;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _};

    /// The pieces of `text`, with `|` between them.
    fn pieces(name: &str, text: &str) -> String {
        let mut pieces = PreTokenizedString::from(text);
        let known = PreTokenizer::named(name).unwrap().unwrap();
        known.pieces.pre_tokenize(&mut pieces).unwrap();
        pieces
            .get_splits(OffsetReferential::Normalized, OffsetType::None)
            .into_iter()
            .map(|(piece, _, _)| piece.chars().filter_map(byte_of).collect())
            .map(|piece| String::from_utf8(piece).unwrap())
            .collect::<Vec<_>>()
            .join("|")
    }

    // Ids of real vocabularies seldom show where a piece ends, because no token is found there anyway.
    // The pieces below are those of the `tokenizers` reference (Python 0.23, Oniguruma).

    #[test]
    fn gpt_4o_keeps_contractions_marks_and_slashes_and_takes_three_digits() {
        for (text, expected) in [
            (
                "I'll say HELLOworld, it's O'Neil'S",
                "I'll| say| HELLOworld|,| it's| O|'Neil'S",
            ),
            ("あAb Ωméga ÀÉ\u{301}x", "あAb| Ωméga| ÀÉ\u{301}x"),
            ("12345 ٣٤٥٦ ½", "123|45| |٣٤٥|٦| |½"),
            ("a//\n//b\r\n\r\n  c", "a|//\n//|b|\r\n\r\n| | c"),
            ("end.  \n  x   y ", "end|.|  \n| | x|  | y| "),
            ("foo_bar(x)...\t\tz", "foo|_bar|(x|)...|\t|\tz"),
            ("😀👍🏽 ok", "😀👍🏽| ok"),
        ] {
            assert_eq!(pieces("gpt-4o", text), expected);
        }
    }

    #[test]
    fn llama_bpe_cuts_contractions_and_marks_and_takes_three_digits() {
        for (text, expected) in [
            (
                "I'll say HELLOworld, it's O'Neil'S",
                "I|'ll| say| HELLOworld|,| it|'s| O|'Neil|'S",
            ),
            ("あAb Ωméga ÀÉ\u{301}x", "あAb| Ωméga| ÀÉ|\u{301}x"),
            ("12345 ٣٤٥٦ ½", "123|45| |٣٤٥|٦| |½"),
            ("a//\n//b\r\n\r\n  c", "a|//\n|//|b|\r\n\r\n| | c"),
            ("end.  \n  x   y ", "end|.|  \n| | x|  | y| "),
            ("foo_bar(x)...\t\tz", "foo|_bar|(x|)...|\t|\tz"),
        ] {
            assert_eq!(pieces("llama-bpe", text), expected);
        }
    }

    #[test]
    fn gpt_2_and_smollm_differ_only_in_digits() {
        for (text, expected) in [
            (
                "I'll say HELLOworld, it's O'Neil'S",
                "I|'ll| say| HELLOworld|,| it|'s| O|'|Neil|'|S",
            ),
            ("あAb Ωméga ÀÉ\u{301}x", "あAb| Ωméga| ÀÉ|\u{301}|x"),
            ("a//\n//b\r\n\r\n  c", "a|//|\n|//|b|\r\n\r\n | c"),
            ("end.  \n  x   y ", "end|.|  \n | x|  | y| "),
            ("foo_bar(x)...\t\tz", "foo|_|bar|(|x|)...|\t|\t|z"),
        ] {
            assert_eq!(pieces("gpt-2", text), expected);
            assert_eq!(pieces("smollm", text), expected);
        }
        assert_eq!(pieces("gpt-2", "12345 ٣٤٥٦ ½"), "12345| ٣٤٥٦| ½");
        assert_eq!(pieces("smollm", "12345 ٣٤٥٦ ½"), "1|2|3|4|5| |٣|٤|٥|٦| |½");
    }

    #[test]
    fn every_supported_name_is_known() {
        for name in SUPPORTED.split(", ") {
            assert!(PreTokenizer::named(name).unwrap().is_some(), "{name}");
        }
    }
}
