//! Making a lexicon from a word list.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;

use super::error::LexiconError;
use super::format::{Spelling, Value, assemble, cost_of};
use crate::text::{capitalize, fold};

/// One line of a word list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The word in its usual spelling.
    pub word: String,
    /// How often it was counted. Entries with a count of zero are left out.
    pub count: u64,
    /// Whether it offends.
    pub offensive: bool,
}

/// Reads a word list: UTF-8 text, one word a line, fields separated by tabs.
///
/// ```text
/// # a comment
/// word<TAB>count[<TAB>flags]
/// ```
///
/// The word is in its usual spelling (`Monday`, `I'm`, `iPhone`), the count a whole number, the
/// flags letters: `o` marks an offensive word. Empty lines and lines that begin with `#` are
/// skipped. `name` stands for the list in errors.
///
/// # Errors
/// [`LexiconError::Io`], [`LexiconError::InvalidLine`].
pub fn read_word_list(
    list: impl BufRead,
    name: impl AsRef<Path>,
) -> Result<Vec<Entry>, LexiconError> {
    let mut entries = Vec::new();
    for (index, line) in list.lines().enumerate() {
        let line = line.map_err(|source| LexiconError::Io {
            file: name.as_ref().to_owned(),
            source,
        })?;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let invalid = |what| LexiconError::InvalidLine {
            line: index + 1,
            what,
        };
        let mut fields = line.split('\t');
        let word = fields.next().unwrap_or_default();
        let count = fields.next().ok_or_else(|| invalid("there is no count"))?;
        let count = count
            .parse()
            .map_err(|_| invalid("the count is no whole number"))?;
        let offensive = match fields.next() {
            None | Some("") => false,
            Some("o") => true,
            Some(_) => return Err(invalid("the only flag is o")),
        };
        if fields.next().is_some() {
            return Err(invalid("there are more than three fields"));
        }
        entries.push(Entry {
            word: word.to_owned(),
            count,
            offensive,
        });
    }
    Ok(entries)
}

/// Everything known about one folded word while building.
#[derive(Default)]
struct Merged {
    count: u64,
    spelling: String,
    spelling_count: u64,
    offensive: bool,
}

/// Builds the lexicon of `language` (a BCP 47 tag) and writes its file to `out`.
///
/// Entries that differ only in case are one word: their counts add up, the spelling is that of
/// the largest count, and one flag flags them all. The same entries in any order give the same
/// bytes.
///
/// # Errors
/// [`LexiconError::InvalidWord`], [`LexiconError::Empty`], [`LexiconError::TooLarge`], and
/// [`LexiconError::Io`] (with an empty file name) where `out` refuses.
pub fn build(
    language: &str,
    entries: impl IntoIterator<Item = Entry>,
    mut out: impl Write,
) -> Result<(), LexiconError> {
    let mut words: BTreeMap<String, Merged> = BTreeMap::new();
    for (position, entry) in entries.into_iter().enumerate() {
        let forbidden = |letter: char| letter.is_whitespace() || letter.is_control();
        if entry.word.is_empty() || entry.word.contains(forbidden) {
            return Err(LexiconError::InvalidWord { position });
        }
        if entry.count == 0 {
            continue;
        }
        let word = words.entry(fold(&entry.word)).or_default();
        word.count = word.count.saturating_add(entry.count);
        word.offensive |= entry.offensive;
        let better = (entry.count, std::cmp::Reverse(&entry.word))
            > (word.spelling_count, std::cmp::Reverse(&word.spelling));
        if better {
            word.spelling = entry.word;
            word.spelling_count = entry.count;
        }
    }
    if words.is_empty() {
        return Err(LexiconError::Empty);
    }

    let total: f64 = words.values().map(|word| word.count as f64).sum();
    let mut map = fst::MapBuilder::memory();
    let mut irregular = Vec::new();
    for (folded, word) in &words {
        let spelling = spelling_rule(folded, &word.spelling);
        if spelling == Spelling::Irregular {
            irregular.push(word.spelling.as_str());
        }
        let cost = cost_of((word.count as f64 / total).ln());
        let value = Value {
            cost,
            spelling,
            offensive: word.offensive,
        };
        map.insert(folded, value.pack())
            .map_err(unreachable_order)?;
    }
    let map = map.into_inner().map_err(unreachable_order)?;
    let file = assemble(language, words.len(), &map, &irregular)?;
    out.write_all(&file).map_err(|source| LexiconError::Io {
        file: Default::default(),
        source,
    })
}

/// The map is built in memory from sorted keys, so `fst` has nothing to complain about.
fn unreachable_order(_: fst::Error) -> LexiconError {
    LexiconError::TooLarge { what: "word map" }
}

fn spelling_rule(folded: &str, spelling: &str) -> Spelling {
    if spelling == folded {
        Spelling::Folded
    } else if spelling == capitalize(folded) {
        Spelling::Capitalized
    } else if spelling == folded.to_uppercase() {
        Spelling::Uppercase
    } else {
        Spelling::Irregular
    }
}
