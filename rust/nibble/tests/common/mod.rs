//! What several test programs of this crate use.

use proptest::prelude::*;

/// Text with everything that tokenizers treat apart: letters of all scripts and cases, marks, digits, white space, line
/// breaks, contractions, punctuation, symbols, runs, and any character.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        4 => "[a-zA-Z]{1,12}",
        2 => "[\\p{Lu}\\p{Ll}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]{1,6}",
        2 => "\\p{N}{1,5}",
        2 => "[ \\t\\u{a0}\\u{3000}]{1,4}",
        2 => "[ \\r\\n]{1,4}",
        1 => "'([sStTmMdDſ]|re|VE|ll|Ll)",
        2 => "[!-/:-@\\[-`{-~]{1,5}",
        2 => "[!-/:-@]{1,2}[\\r\\n]{1,2}/{0,2}",
        1 => "[\\p{So}\\p{Sk}\\u{200d}\\u{fe0f}]{1,3}",
        1 => "(ab|aa|b){1,40}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}
