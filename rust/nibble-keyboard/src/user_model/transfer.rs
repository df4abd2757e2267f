//! The text form for export and import.
//!
//! UTF-8, one fact a line, fields separated by tabs; times are seconds since 1970 (UTC).
//!
//! ```text
//! # Nibble user model 1
//! word<TAB>TEXT<TAB>USES<TAB>COUNT<TAB>TIME<TAB>RECENT COUNT<TAB>RECENT TIME
//! pair<TAB>PREVIOUS<TAB>WORD<TAB>COUNT<TAB>TIME
//! revert<TAB>TEXT
//! ```
//!
//! Counts are what decaying counts were at their time. Empty lines and lines that begin with `#`
//! are skipped.

use super::error::UserModelError;
use super::record::{Record, Tally};

const TITLE: &str = "# Nibble user model 1";

pub(super) fn export(records: &[Record]) -> String {
    let mut lines = vec![TITLE.to_owned()];
    for record in records {
        match record {
            Record::Word {
                word,
                tally,
                recent,
                uses,
                reverted,
            } => {
                if *uses > 0 {
                    lines.push(format!(
                        "word\t{word}\t{uses}\t{}\t{}\t{}\t{}",
                        tally.count, tally.time, recent.count, recent.time
                    ));
                }
                if *reverted {
                    lines.push(format!("revert\t{word}"));
                }
            }
            Record::Pair {
                previous,
                word,
                tally,
            } => {
                lines.push(format!(
                    "pair\t{previous}\t{word}\t{}\t{}",
                    tally.count, tally.time
                ));
            }
            // Counts are exported, not the events behind them.
            Record::Observed { .. } | Record::Reverted { .. } => {}
        }
    }
    lines.join("\n") + "\n"
}

/// Reads an export. `is_word` says which words may be taken in.
pub(super) fn import(
    text: &str,
    is_word: impl Fn(&str) -> bool,
) -> Result<Vec<Record>, UserModelError> {
    let mut records = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let invalid = |what| UserModelError::InvalidLine {
            line: index + 1,
            what,
        };
        let word = |text: &str| match is_word(text) {
            true => Ok(text.to_owned()),
            false => Err(invalid("not a word")),
        };
        let tally = |count: &str, time: &str| {
            let count: f32 = count.parse().map_err(|_| invalid("a count is no number"))?;
            let time = time.parse().map_err(|_| invalid("a time is no number"))?;
            if !count.is_finite() || count < 0.0 {
                return Err(invalid("a count is negative or not finite"));
            }
            Ok(Tally { count, time })
        };
        let fields: Vec<&str> = line.split('\t').collect();
        records.push(match fields.as_slice() {
            ["word", text, uses, count, time, recent_count, recent_time] => Record::Word {
                word: word(text)?,
                uses: uses
                    .parse()
                    .map_err(|_| invalid("the uses are no whole number"))?,
                tally: tally(count, time)?,
                recent: tally(recent_count, recent_time)?,
                reverted: false,
            },
            ["pair", previous, text, count, time] => Record::Pair {
                previous: word(previous)?,
                word: word(text)?,
                tally: tally(count, time)?,
            },
            ["revert", text] => Record::Reverted {
                time: i64::MIN,
                word: word(text)?,
            },
            _ => return Err(invalid("neither word, pair nor revert with its fields")),
        });
    }
    Ok(records)
}
