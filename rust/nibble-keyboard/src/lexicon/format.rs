//! The layout of a lexicon file.
//!
//! All numbers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `NBLXICON` |
//! | 8..12 | version, 1 |
//! | 12..16 | CRC-32 of everything from byte 16 on |
//! | 16..20 | number of words |
//! | 20..24 | number of irregular spellings |
//! | 24..32 | length of the word map in bytes |
//! | 32..40 | length of the irregular spellings' text in bytes |
//! | 40..56 | language as a BCP 47 tag, padded with zeros |
//! | 56..64 | zero |
//! | 64.. | the word map: an `fst` map, version 3, from folded word to [`Value`] |
//! | | where the text of each irregular spelling ends, as `u32` |
//! | | that text: spellings in the order of their folded form |

use std::ops::Range;

use nibble::SharedBytes;

use super::error::LexiconError;
use crate::text::fold_char;

pub(super) const MAGIC: [u8; 8] = *b"NBLXICON";
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_LEN: usize = 64;
const CHECKED_FROM: usize = 16;
const LANGUAGE_LEN: usize = 16;

/// How the usual spelling of a word differs from its folded form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    Folded,
    Capitalized,
    Uppercase,
    /// Looked up in the table of irregular spellings.
    Irregular,
}

/// What the map holds for a word, packed into one integer.
///
/// The cost occupies the highest bits, so that the smallest value below a node of the map, which
/// `fst` keeps as the sum of outputs on the way to it, belongs to the most frequent word there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    /// Negative log frequency in units of [`COST_UNIT`].
    pub(super) cost: u16,
    pub(super) spelling: Spelling,
    pub(super) offensive: bool,
}

/// One step of a stored cost, in nats: costs reach 32 nats.
const COST_UNIT: f32 = 1.0 / 2048.0;
const COST_SHIFT: u32 = 3;

impl Value {
    pub(super) fn pack(self) -> u64 {
        let spelling = match self.spelling {
            Spelling::Folded => 0,
            Spelling::Capitalized => 1,
            Spelling::Uppercase => 2,
            Spelling::Irregular => 3,
        };
        u64::from(self.cost) << COST_SHIFT | u64::from(self.offensive) << 2 | spelling
    }

    pub(super) fn unpack(value: u64) -> Value {
        let spelling = match value & 3 {
            0 => Spelling::Folded,
            1 => Spelling::Capitalized,
            2 => Spelling::Uppercase,
            _ => Spelling::Irregular,
        };
        let cost = u16::try_from(value >> COST_SHIFT).unwrap_or(u16::MAX);
        Value {
            cost,
            spelling,
            offensive: value & 4 != 0,
        }
    }

    pub(super) fn log_frequency(self) -> f32 {
        -f32::from(self.cost) * COST_UNIT
    }
}

/// The cost in nats of a packed value, or of a lower bound on packed values.
pub(super) fn cost_in_nats(packed: u64) -> f32 {
    f32::from(Value::unpack(packed).cost) * COST_UNIT
}

/// The stored cost of a log frequency (at most zero).
pub(super) fn cost_of(log_frequency: f64) -> u16 {
    let steps = (-log_frequency / f64::from(COST_UNIT)).round();
    steps.clamp(0.0, f64::from(u16::MAX)) as u16
}

/// The header's fields.
pub(super) struct Header {
    pub(super) words: u32,
    pub(super) language: String,
    map: Range<usize>,
    irregular: u32,
    irregular_ends: Range<usize>,
    irregular_text: Range<usize>,
}

fn little_endian_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

fn little_endian_u64(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(field.try_into().ok()?))
}

impl Header {
    /// Reads and checks the header, the lengths and the checksum.
    pub(super) fn read(bytes: &[u8]) -> Result<Header, LexiconError> {
        let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
        if magic != MAGIC {
            return Err(LexiconError::NotALexicon {
                found: magic.to_vec(),
            });
        }
        let too_short = || LexiconError::WrongLength {
            expected: HEADER_LEN as u64,
            found: bytes.len() as u64,
        };
        let version = little_endian_u32(bytes, 8).ok_or_else(too_short)?;
        if version != VERSION {
            return Err(LexiconError::UnsupportedVersion {
                found: version,
                supported: VERSION,
            });
        }
        let expected = little_endian_u32(bytes, 12).ok_or_else(too_short)?;
        let words = little_endian_u32(bytes, 16).ok_or_else(too_short)?;
        let irregular = little_endian_u32(bytes, 20).ok_or_else(too_short)?;
        let map_len = little_endian_u64(bytes, 24).ok_or_else(too_short)?;
        let text_len = little_endian_u64(bytes, 32).ok_or_else(too_short)?;
        let language = bytes.get(40..40 + LANGUAGE_LEN).ok_or_else(too_short)?;
        if bytes.len() < HEADER_LEN {
            return Err(too_short());
        }

        let ends_len = u64::from(irregular) * 4;
        let length = (HEADER_LEN as u64)
            .checked_add(map_len)
            .and_then(|length| length.checked_add(ends_len))
            .and_then(|length| length.checked_add(text_len));
        if length != Some(bytes.len() as u64) {
            return Err(LexiconError::WrongLength {
                expected: length.unwrap_or(u64::MAX),
                found: bytes.len() as u64,
            });
        }
        let found = crc32fast::hash(bytes.get(CHECKED_FROM..).unwrap_or_default());
        if found != expected {
            return Err(LexiconError::WrongChecksum { expected, found });
        }

        let malformed = |what, offset| LexiconError::Malformed { what, offset };
        let tag_len = language
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(LANGUAGE_LEN);
        let (tag, padding) = language.split_at(tag_len);
        if !tag.is_ascii() || padding.iter().any(|&byte| byte != 0) {
            return Err(malformed("the language is no tag", 40));
        }
        // The sum of the lengths is the length of a slice: none of these can overflow.
        let map_end = HEADER_LEN + map_len as usize;
        let ends_end = map_end + ends_len as usize;
        Ok(Header {
            words,
            language: String::from_utf8_lossy(tag).into_owned(),
            map: HEADER_LEN..map_end,
            irregular,
            irregular_ends: map_end..ends_end,
            irregular_text: ends_end..bytes.len(),
        })
    }

    /// The sections of the file that this is the header of.
    pub(super) fn sections(
        &self,
        file: &SharedBytes,
    ) -> Result<(SharedBytes, IrregularSpellings), LexiconError> {
        let section = |range: &Range<usize>| {
            file.section(range.clone()).ok_or(LexiconError::Malformed {
                what: "a section lies outside the file",
                offset: range.start as u64,
            })
        };
        let spellings = IrregularSpellings {
            ends: section(&self.irregular_ends)?,
            text: section(&self.irregular_text)?,
            count: self.irregular as usize,
        };
        spellings.check().map_err(|what| LexiconError::Malformed {
            what,
            offset: self.irregular_ends.start as u64,
        })?;
        Ok((section(&self.map)?, spellings))
    }
}

/// Spellings that no rule gives: `iPhone`, `McDonald`.
pub(super) struct IrregularSpellings {
    ends: SharedBytes,
    text: SharedBytes,
    count: usize,
}

impl IrregularSpellings {
    fn end(&self, index: usize) -> Option<usize> {
        little_endian_u32(self.ends.as_ref(), index.checked_mul(4)?).map(|end| end as usize)
    }

    fn get(&self, index: usize) -> Option<&str> {
        let start = if index == 0 { 0 } else { self.end(index - 1)? };
        std::str::from_utf8(self.text.as_ref().get(start..self.end(index)?)?).ok()
    }

    fn check(&self) -> Result<(), &'static str> {
        for index in 0..self.count {
            if self.get(index).is_none() {
                return Err("an irregular spelling is not inside the text, or not UTF-8");
            }
        }
        let text_len = self.text.as_ref().len();
        let last_end = self
            .count
            .checked_sub(1)
            .map_or(Some(0), |last| self.end(last));
        if last_end != Some(text_len) {
            return Err("the irregular spellings do not fill their text");
        }
        Ok(())
    }

    /// The spelling whose fold is `folded`.
    pub(super) fn find(&self, folded: &str) -> Option<&str> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let spelling = self.get(middle)?;
            match spelling.chars().flat_map(fold_char).cmp(folded.chars()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(spelling),
            }
        }
        None
    }
}

/// Puts a file together: `map` as `fst` wrote it, `irregular` sorted by folded form.
pub(super) fn assemble(
    language: &str,
    words: usize,
    map: &[u8],
    irregular: &[&str],
) -> Result<Vec<u8>, LexiconError> {
    let too_large = |what| LexiconError::TooLarge { what };
    let words = u32::try_from(words).map_err(|_| too_large("words"))?;
    let count = u32::try_from(irregular.len()).map_err(|_| too_large("irregular spellings"))?;
    let mut tag = [0u8; LANGUAGE_LEN];
    match tag.get_mut(..language.len()) {
        Some(place) if language.is_ascii() => place.copy_from_slice(language.as_bytes()),
        _ => return Err(too_large("language tag (16 ASCII characters)")),
    }

    let mut body = Vec::with_capacity(HEADER_LEN + map.len());
    body.extend_from_slice(&words.to_le_bytes());
    body.extend_from_slice(&count.to_le_bytes());
    body.extend_from_slice(&(map.len() as u64).to_le_bytes());
    let text: String = irregular.concat();
    body.extend_from_slice(&(text.len() as u64).to_le_bytes());
    body.extend_from_slice(&tag);
    body.extend_from_slice(&[0; 8]);
    body.extend_from_slice(map);
    let mut end = 0u32;
    for spelling in irregular {
        end = u32::try_from(spelling.len())
            .ok()
            .and_then(|len| end.checked_add(len))
            .ok_or_else(|| too_large("text of irregular spellings"))?;
        body.extend_from_slice(&end.to_le_bytes());
    }
    body.extend_from_slice(text.as_bytes());

    let mut file = Vec::with_capacity(CHECKED_FROM + body.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    file.extend_from_slice(&body);
    Ok(file)
}

/// Replaces the checksum by the right one: tests damage a file beyond what the checksum catches.
#[cfg(test)]
pub(super) fn repair_checksum(file: &mut [u8]) {
    if file.len() >= CHECKED_FROM {
        let checksum = crc32fast::hash(&file[CHECKED_FROM..]);
        file[12..16].copy_from_slice(&checksum.to_le_bytes());
    }
}
