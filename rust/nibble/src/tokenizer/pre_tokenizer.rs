//! How each family cuts text into pieces before byte-pair encoding, by GGUF's `tokenizer.ggml.pre`.

use fancy_regex::Regex;

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

/// The regular expression of GPT-2 (`encoder.py`).
const GPT2: &str = concat!(
    r"'s|'t|'re|'ve|'m|'ll|'d",
    r"| ?\p{L}+",
    r"| ?\p{N}+",
    r"| ?[^\s\p{L}\p{N}]+",
    r"|\s+(?!\S)",
    r"|\s+",
);

/// What the name of a pre-tokenizer stands for.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    /// What a piece is.
    pattern: Regex,
    /// Whether every digit is a piece of its own, before anything else is looked at.
    single_digits: bool,
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
    pub(super) fn named(name: &str) -> Result<Option<Self>, Box<fancy_regex::Error>> {
        let (pattern, single_digits, whole_pieces_first, adds_bos) = match name {
            "gpt-4o" => (O200K, false, true, false),
            "llama-bpe" => (LLAMA3, false, true, true),
            "smollm" => (GPT2, true, false, false),
            "gpt-2" => (GPT2, false, false, false),
            _ => return Ok(None),
        };
        Ok(Some(PreTokenizer {
            pattern: Regex::new(pattern)?,
            single_digits,
            whole_pieces_first,
            adds_bos,
        }))
    }

    /// Calls `each` with the pieces of `text`, one after the other; together they are the text.
    ///
    /// # Errors
    /// Where matching takes too many steps.
    pub(super) fn pieces<'t>(
        &self,
        text: &'t str,
        mut each: impl FnMut(&'t str),
    ) -> Result<(), Box<fancy_regex::Error>> {
        if !self.single_digits {
            return self.matches(text, &mut each);
        }
        for part in text.split_inclusive(char::is_numeric) {
            let digit = part.chars().next_back().filter(|last| last.is_numeric());
            let before = part.len() - digit.map_or(0, char::len_utf8);
            let (before, digit) = part.split_at_checked(before).unwrap_or((part, ""));
            self.matches(before, &mut each)?;
            if !digit.is_empty() {
                each(digit);
            }
        }
        Ok(())
    }

    /// The matches of the pattern, and what lies between them.
    fn matches<'t>(
        &self,
        text: &'t str,
        each: &mut impl FnMut(&'t str),
    ) -> Result<(), Box<fancy_regex::Error>> {
        let mut end = 0;
        for found in self.pattern.find_iter(text) {
            let found = found?;
            if let Some(between) = text.get(end..found.start()).filter(|text| !text.is_empty()) {
                each(between);
            }
            each(found.as_str());
            end = found.end();
        }
        if let Some(rest) = text.get(end..).filter(|text| !text.is_empty()) {
            each(rest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of `text`, with `|` between them.
    fn pieces(name: &str, text: &str) -> String {
        let mut pieces = Vec::new();
        let known = PreTokenizer::named(name).unwrap().unwrap();
        known.pieces(text, |piece| pieces.push(piece)).unwrap();
        assert_eq!(pieces.concat(), text);
        pieces.join("|")
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
