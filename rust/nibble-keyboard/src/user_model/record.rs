//! The records of the store, and finding them again in a damaged file.
//!
//! A file is a sequence of records and nothing else. A record is
//!
//! | bytes | what |
//! |---|---|
//! | 0..2 | marker and version: `B7 01` |
//! | 2..4 | length of the payload, little-endian |
//! | 4..8 | CRC-32 of the length and the payload, little-endian |
//! | 8.. | payload: a kind, then the fields |
//!
//! A reader that meets anything else looks for the next byte at which a whole record begins, so
//! damage costs the records it hits and no others.

/// What a record says. Words are as typed, `previous` is folded and empty at the start of a
/// sentence; times are seconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    /// A word was committed.
    Observed {
        time: i64,
        previous: String,
        word: String,
    },
    /// The correction of a word was undone.
    Reverted { time: i64, word: String },
    /// A word as of a compaction.
    Word {
        word: String,
        tally: Tally,
        recent: Tally,
        uses: u32,
        reverted: bool,
    },
    /// A pair of words as of a compaction.
    Pair {
        previous: String,
        word: String,
        tally: Tally,
    },
}

/// A count that decays: what it was at a time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Tally {
    pub(super) count: f32,
    pub(super) time: i64,
}

impl Tally {
    /// The count at a later time, having halved every `half_life` seconds.
    pub(super) fn at(self, time: i64, half_life: f32) -> f32 {
        let elapsed = time.saturating_sub(self.time).max(0) as f32;
        self.count * (-elapsed / half_life).exp2()
    }

    /// Adds another count, which may be of an earlier or a later time.
    pub(super) fn add(&mut self, other: Tally, half_life: f32) {
        let time = self.time.max(other.time);
        *self = Tally {
            count: self.at(time, half_life) + other.at(time, half_life),
            time,
        };
    }
}

const MARKER: [u8; 2] = [0xB7, 1];
const HEADER_LEN: usize = 8;

const OBSERVED: u8 = 1;
const REVERTED: u8 = 2;
const WORD: u8 = 3;
const PAIR: u8 = 4;

impl Record {
    /// Appends the record's bytes. Words are short enough for the length field: the model checks
    /// them before it stores them.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        match self {
            Record::Observed {
                time,
                previous,
                word,
            } => {
                payload.push(OBSERVED);
                payload.extend_from_slice(&time.to_le_bytes());
                write_text(&mut payload, previous);
                write_text(&mut payload, word);
            }
            Record::Reverted { time, word } => {
                payload.push(REVERTED);
                payload.extend_from_slice(&time.to_le_bytes());
                write_text(&mut payload, word);
            }
            Record::Word {
                word,
                tally,
                recent,
                uses,
                reverted,
            } => {
                payload.push(WORD);
                write_tally(&mut payload, tally);
                write_tally(&mut payload, recent);
                payload.extend_from_slice(&uses.to_le_bytes());
                payload.push(u8::from(*reverted));
                write_text(&mut payload, word);
            }
            Record::Pair {
                previous,
                word,
                tally,
            } => {
                payload.push(PAIR);
                write_tally(&mut payload, tally);
                write_text(&mut payload, previous);
                write_text(&mut payload, word);
            }
        }
        let length = (payload.len() as u16).to_le_bytes();
        out.extend_from_slice(&MARKER);
        out.extend_from_slice(&length);
        out.extend_from_slice(&checksum(length, &payload).to_le_bytes());
        out.extend_from_slice(&payload);
    }

    fn read_payload(payload: &[u8]) -> Option<Record> {
        let mut reader = Reader { bytes: payload };
        let record = match reader.take::<1>()? {
            [OBSERVED] => Record::Observed {
                time: i64::from_le_bytes(reader.take()?),
                previous: reader.text()?,
                word: reader.text()?,
            },
            [REVERTED] => Record::Reverted {
                time: i64::from_le_bytes(reader.take()?),
                word: reader.text()?,
            },
            [WORD] => Record::Word {
                tally: reader.tally()?,
                recent: reader.tally()?,
                uses: u32::from_le_bytes(reader.take()?),
                reverted: reader.take()? == [1],
                word: reader.text()?,
            },
            [PAIR] => Record::Pair {
                tally: reader.tally()?,
                previous: reader.text()?,
                word: reader.text()?,
            },
            _ => return None,
        };
        reader.bytes.is_empty().then_some(record)
    }
}

fn checksum(length: [u8; 2], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn write_tally(out: &mut Vec<u8>, tally: &Tally) {
    out.extend_from_slice(&tally.count.to_le_bytes());
    out.extend_from_slice(&tally.time.to_le_bytes());
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*taken)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(u16::from_le_bytes(self.take()?));
        let (text, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    }

    fn tally(&mut self) -> Option<Tally> {
        let count = f32::from_le_bytes(self.take()?);
        let time = i64::from_le_bytes(self.take()?);
        (count.is_finite() && count >= 0.0).then_some(Tally { count, time })
    }
}

/// Everything that can be read from a file.
pub(super) struct Recovered {
    pub(super) records: Vec<Record>,
    /// Where the last whole record ends.
    pub(super) end: usize,
    /// Whether the file may be cut short in its very first record.
    pub(super) may_be_torn: bool,
}

/// Reads every whole record of a file.
pub(super) fn recover(file: &[u8]) -> Recovered {
    let mut records = Vec::new();
    let mut end = 0;
    let mut at = 0;
    while let Some(rest) = file.get(at..).filter(|rest| !rest.is_empty()) {
        match whole_record(rest) {
            Some((record, length)) => {
                records.push(record);
                at += length;
                end = at;
            }
            None => at += 1,
        }
    }
    let may_be_torn = MARKER.starts_with(file) || file.starts_with(&MARKER);
    Recovered {
        records,
        end,
        may_be_torn,
    }
}

/// The record that `bytes` begin with, and its length.
fn whole_record(bytes: &[u8]) -> Option<(Record, usize)> {
    let rest = bytes.strip_prefix(&MARKER)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (expected, rest) = rest.split_first_chunk::<4>()?;
    let payload = rest.get(..usize::from(u16::from_le_bytes(*length)))?;
    if checksum(*length, payload) != u32::from_le_bytes(*expected) {
        return None;
    }
    Some((Record::read_payload(payload)?, HEADER_LEN + payload.len()))
}
