//! Reading little-endian fields one after the other, with every length checked.

use std::fmt::Arguments;
use std::path::Path;

use crate::{Error, Result};

/// A position in the bytes of a file. A read that does not fit fails and moves nothing; `what` names in
/// the error what was being read.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    file: &'a Path,
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// Reads `bytes` from `position` on; offsets in errors count from the start of `bytes`.
    pub(super) fn new(file: &'a Path, bytes: &'a [u8], position: usize) -> Cursor<'a> {
        Cursor {
            file,
            bytes,
            position,
        }
    }

    /// The file, for errors.
    pub(super) fn file(&self) -> &'a Path {
        self.file
    }

    /// The same bytes, read from `position` on.
    pub(super) fn at(&self, position: usize) -> Cursor<'a> {
        Cursor {
            position,
            ..self.clone()
        }
    }

    /// Offset of the next byte to be read.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// All bytes before the next one to be read.
    pub(super) fn consumed(&self) -> &'a [u8] {
        self.bytes.get(..self.position).unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64, what: Arguments<'_>) -> Result<&'a [u8]> {
        let taken = usize::try_from(count)
            .ok()
            .and_then(|count| self.rest().get(..count))
            .ok_or_else(|| self.truncated(count, what))?;
        self.position = self.position.saturating_add(taken.len());
        Ok(taken)
    }

    /// An error unless `count` items of at least `item_bytes` each can still follow. Guards every loop
    /// and every allocation whose size comes from the file.
    pub(super) fn check_room(
        &self,
        count: u64,
        item_bytes: u64,
        what: Arguments<'_>,
    ) -> Result<()> {
        let needed = count.saturating_mul(item_bytes);
        if needed > self.rest().len() as u64 {
            return Err(self.truncated(needed, what));
        }
        Ok(())
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self, what: Arguments<'_>) -> Result<[u8; N]> {
        let bytes = self
            .rest()
            .first_chunk::<N>()
            .ok_or_else(|| self.truncated(N as u64, what))?;
        self.position = self.position.saturating_add(N);
        Ok(*bytes)
    }

    /// A 32-bit unsigned integer.
    pub(super) fn u32(&mut self, what: Arguments<'_>) -> Result<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// A 64-bit unsigned integer.
    pub(super) fn u64(&mut self, what: Arguments<'_>) -> Result<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// The bytes of a string: a 64-bit length, then as many bytes.
    pub(super) fn string(&mut self, what: Arguments<'_>) -> Result<&'a [u8]> {
        let start = self.position;
        let length = self.u64(what)?;
        self.take(length, what)
            .inspect_err(|_| self.position = start)
    }

    /// A string that must be UTF-8, of 1 to `limit` bytes.
    pub(super) fn name(&mut self, limit: usize, what: Arguments<'_>) -> Result<&'a str> {
        let offset = self.position;
        let bytes = self.string(what)?;
        if bytes.is_empty() || bytes.len() > limit {
            let expected = format_args!("1 to {limit} bytes");
            return Err(self.malformed(offset, what, expected, format_args!("{}", bytes.len())));
        }
        self.utf8(bytes, offset, what)
    }

    /// `bytes`, whose length field is at `offset`, as text.
    pub(super) fn utf8(
        &self,
        bytes: &'a [u8],
        offset: usize,
        what: Arguments<'_>,
    ) -> Result<&'a str> {
        std::str::from_utf8(bytes).map_err(|error| {
            let valid = error.valid_up_to();
            let found = match bytes.get(valid) {
                Some(byte) => format!("byte {byte:#04x} after {valid} valid bytes"),
                None => "none".to_owned(),
            };
            self.malformed(offset, what, format_args!("UTF-8"), format_args!("{found}"))
        })
    }

    fn truncated(&self, needed: u64, what: Arguments<'_>) -> Error {
        Error::Truncated {
            file: self.file.to_path_buf(),
            what: what.to_string(),
            offset: self.position as u64,
            needed,
            available: self.rest().len() as u64,
        }
    }

    /// [`Error::Malformed`] in this file.
    pub(super) fn malformed(
        &self,
        offset: usize,
        what: Arguments<'_>,
        expected: Arguments<'_>,
        found: Arguments<'_>,
    ) -> Error {
        Error::Malformed {
            file: self.file.to_path_buf(),
            what: what.to_string(),
            offset: offset as u64,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}
