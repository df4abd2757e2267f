//! The metadata of a model: keys and typed values.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::cursor::Cursor;
use super::u32s::U32s;
use super::value::{Array, Strings, Value, ValueType};
use crate::mapping::{Mapping, SharedBytes};
use crate::{Error, Result};

/// The limit of the specification.
pub(super) const MAX_KEY_BYTES: usize = 65_535;

/// Bytes of the shortest key and value: length, one byte of key, type, one byte of value.
const LEAST_ENTRY_BYTES: u64 = 8 + 1 + 4 + 1;

/// The metadata of a model, sorted by key.
///
/// Numbers are kept; strings and arrays stay in the file and are viewed there. The typed getters take
/// any integer type for an integer and either float type for a float, as long as the value fits, because
/// writers differ. `find_` getters return `None` for an absent key; the others
/// [`Error::MissingKey`]. A value of another type is [`Error::InvalidKey`] in both.
pub struct Metadata {
    mapping: Arc<Mapping>,
    entries: Vec<Entry>,
}

struct Entry {
    key: String,
    /// Where the key begins in the file.
    offset: usize,
    stored: Stored,
}

/// A value without its borrow of the mapping.
enum Stored {
    Scalar(Value<'static>),
    String(Range<usize>),
    Array {
        element_type: ValueType,
        length: usize,
        range: Range<usize>,
    },
}

impl Metadata {
    /// Reads `count` keys and values.
    pub(super) fn read(
        mapping: &Arc<Mapping>,
        cursor: &mut Cursor<'_>,
        count: u64,
    ) -> Result<Metadata> {
        cursor.check_room(
            count,
            LEAST_ENTRY_BYTES,
            format_args!("{count} metadata keys"),
        )?;
        let mut entries = Vec::new();
        for index in 0..count {
            entries.push(Entry::read(cursor, index)?);
        }
        entries.sort_by(|a: &Entry, b| (&a.key, a.offset).cmp(&(&b.key, b.offset)));
        for pair in entries.windows(2) {
            if let [first, second] = pair
                && first.key == second.key
            {
                return Err(cursor.malformed(
                    second.offset,
                    format_args!("metadata key {:?}", second.key),
                    format_args!("each key once"),
                    format_args!("it again, first at byte {}", first.offset),
                ));
            }
        }
        Ok(Metadata {
            mapping: Arc::clone(mapping),
            entries,
        })
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All keys and values, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Value<'_>)> {
        self.entries
            .iter()
            .map(|entry| (entry.key.as_str(), self.value(entry)))
    }

    /// The value of `key`, whatever its type.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.entry(key).map(|entry| self.value(entry))
    }

    /// An integer from 0 to 2^32 - 1.
    pub fn u32(&self, key: &str) -> Result<u32> {
        self.require(key, self.find_u32(key)?)
    }

    /// An integer from 0 to 2^32 - 1, if the key is there.
    pub fn find_u32(&self, key: &str) -> Result<Option<u32>> {
        self.find(key, "an integer from 0 to 4294967295", |value| {
            value.to_integer()?.try_into().ok()
        })
    }

    /// An integer from 0 to 2^64 - 1.
    pub fn u64(&self, key: &str) -> Result<u64> {
        self.require(key, self.find_u64(key)?)
    }

    /// An integer from 0 to 2^64 - 1, if the key is there.
    pub fn find_u64(&self, key: &str) -> Result<Option<u64>> {
        self.find(key, "an integer from 0 to 18446744073709551615", |value| {
            value.to_integer()?.try_into().ok()
        })
    }

    /// A float; a 64-bit one is rounded.
    pub fn f32(&self, key: &str) -> Result<f32> {
        self.require(key, self.find_f32(key)?)
    }

    /// A float, if the key is there; a 64-bit one is rounded.
    pub fn find_f32(&self, key: &str) -> Result<Option<f32>> {
        self.find(key, "a float", |value| {
            value.to_float().map(|value| value as f32)
        })
    }

    /// A truth value.
    pub fn bool(&self, key: &str) -> Result<bool> {
        self.require(key, self.find_bool(key)?)
    }

    /// A truth value, if the key is there.
    pub fn find_bool(&self, key: &str) -> Result<Option<bool>> {
        self.find(key, "a bool", |value| match value {
            Value::Bool(value) => Some(value),
            _ => None,
        })
    }

    /// A string; [`Error::Malformed`] if it is not UTF-8.
    pub fn string(&self, key: &str) -> Result<&str> {
        self.require(key, self.find_string(key)?)
    }

    /// A string, if the key is there; [`Error::Malformed`] if it is not UTF-8.
    pub fn find_string(&self, key: &str) -> Result<Option<&str>> {
        let Some(bytes) = self.find(key, "a string", |value| match value {
            Value::String(bytes) => Some(bytes),
            _ => None,
        })?
        else {
            return Ok(None);
        };
        let offset = self.entry(key).map_or(0, |entry| entry.offset);
        let cursor = Cursor::new(self.mapping.file(), self.mapping.bytes(), offset);
        cursor
            .utf8(bytes, offset, format_args!("string of key {key:?}"))
            .map(Some)
    }

    /// An array of strings, each checked to be UTF-8 as it is reached.
    pub fn strings(&self, key: &str) -> Result<Strings<'_>> {
        self.require(key, self.find_strings(key)?)
    }

    /// An array of strings, if the key is there, each checked to be UTF-8 as it is reached.
    pub fn find_strings(&self, key: &str) -> Result<Option<Strings<'_>>> {
        let Some(entry) = self.entry(key) else {
            return Ok(None);
        };
        self.find(key, "an array of strings", |value| match value {
            Value::Array(array) if array.element_type() == ValueType::String => {
                Some(Strings::new(array, &entry.key))
            }
            _ => None,
        })
    }

    /// An array of integers from 0 to 2^32 - 1.
    pub fn u32s(&self, key: &str) -> Result<Vec<u32>> {
        self.require(key, self.find_u32s(key)?)
    }

    /// An array of integers from 0 to 2^32 - 1, if the key is there.
    pub fn find_u32s(&self, key: &str) -> Result<Option<Vec<u32>>> {
        self.find(key, "an array of integers from 0 to 4294967295", |value| {
            integers(value)?
                .map(|value| value?.try_into().ok())
                .collect()
        })
    }

    /// An array of integers from -2^31 to 2^31 - 1.
    pub fn i32s(&self, key: &str) -> Result<Vec<i32>> {
        self.require(key, self.find_i32s(key)?)
    }

    /// An array of integers from -2^31 to 2^31 - 1, if the key is there.
    pub fn find_i32s(&self, key: &str) -> Result<Option<Vec<i32>>> {
        self.find(
            key,
            "an array of integers from -2147483648 to 2147483647",
            |value| {
                integers(value)?
                    .map(|value| value?.try_into().ok())
                    .collect()
            },
        )
    }

    /// An array of floats; 64-bit ones are rounded.
    pub fn f32s(&self, key: &str) -> Result<Vec<f32>> {
        self.require(key, self.find_f32s(key)?)
    }

    /// An array of floats, if the key is there; 64-bit ones are rounded.
    pub fn find_f32s(&self, key: &str) -> Result<Option<Vec<f32>>> {
        self.find(key, "an array of floats", |value| match value {
            Value::Array(array) if array.element_type().is_float() => array
                .iter()
                .map(|value| value.to_float().map(|value| value as f32))
                .collect(),
            _ => None,
        })
    }

    /// An array of `u8`, where it lies.
    pub(crate) fn shared_bytes(&self, key: &str) -> Result<SharedBytes> {
        self.shared(key, ValueType::U8, "an array of bytes")
    }

    /// An array of `u32`, where it lies.
    pub(crate) fn shared_u32s(&self, key: &str) -> Result<U32s> {
        let bytes = self.shared(key, ValueType::U32, "an array of 32-bit unsigned integers")?;
        Ok(U32s::new(bytes))
    }

    fn shared(&self, key: &str, element_type: ValueType, expected: &str) -> Result<SharedBytes> {
        let shared = self.find(key, expected, |value| match value {
            Value::Array(array) if array.element_type() == element_type => {
                SharedBytes::new(&self.mapping, array.range())
            }
            _ => None,
        })?;
        self.require(key, shared)
    }

    /// [`Error::InvalidKey`] for `key`, whose value is none of `expected`.
    pub(crate) fn invalid(&self, key: &str, expected: &str) -> Error {
        let found = match self.get(key) {
            Some(value @ Value::Array(_)) => value.to_string(),
            Some(value) => format!("{} {value}", value.value_type().name()),
            None => "nothing".to_owned(),
        };
        Error::InvalidKey {
            file: self.mapping.file().to_path_buf(),
            key: key.to_owned(),
            expected: expected.to_owned(),
            found,
        }
    }

    fn require<T>(&self, key: &str, found: Option<T>) -> Result<T> {
        found.ok_or_else(|| Error::MissingKey {
            file: self.mapping.file().to_path_buf(),
            key: key.to_owned(),
        })
    }

    fn find<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match convert(value) {
                None => Err(self.invalid(key, expected)),
                some => Ok(some),
            },
        }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        let index = self
            .entries
            .binary_search_by(|entry| entry.key.as_str().cmp(key))
            .ok()?;
        self.entries.get(index)
    }

    fn value<'a>(&'a self, entry: &'a Entry) -> Value<'a> {
        let bytes = self.mapping.bytes();
        match &entry.stored {
            Stored::Scalar(value) => *value,
            Stored::String(range) => Value::String(bytes.get(range.clone()).unwrap_or_default()),
            Stored::Array {
                element_type,
                length,
                range,
            } => Value::Array(Array::restore(
                self.mapping.file(),
                bytes,
                range,
                *element_type,
                *length,
            )),
        }
    }
}

fn integers(value: Value<'_>) -> Option<impl Iterator<Item = Option<i128>>> {
    match value {
        Value::Array(array) if array.element_type().is_integer() => {
            Some(array.iter().map(|value| value.to_integer()))
        }
        _ => None,
    }
}

impl Entry {
    fn read(cursor: &mut Cursor<'_>, index: u64) -> Result<Entry> {
        let offset = cursor.position();
        let key = cursor.name(MAX_KEY_BYTES, format_args!("metadata key {index}"))?;
        let value_type = ValueType::read(cursor, format_args!("type of key {key:?}"))?;
        let value = Value::read(cursor, value_type, format_args!("value of key {key:?}"))?;
        let stored = match value {
            Value::String(bytes) => {
                let end = cursor.position();
                Stored::String(end.saturating_sub(bytes.len())..end)
            }
            Value::Array(array) => Stored::Array {
                element_type: array.element_type(),
                length: array.len(),
                range: array.range(),
            },
            Value::U8(value) => Stored::Scalar(Value::U8(value)),
            Value::I8(value) => Stored::Scalar(Value::I8(value)),
            Value::U16(value) => Stored::Scalar(Value::U16(value)),
            Value::I16(value) => Stored::Scalar(Value::I16(value)),
            Value::U32(value) => Stored::Scalar(Value::U32(value)),
            Value::I32(value) => Stored::Scalar(Value::I32(value)),
            Value::F32(value) => Stored::Scalar(Value::F32(value)),
            Value::Bool(value) => Stored::Scalar(Value::Bool(value)),
            Value::U64(value) => Stored::Scalar(Value::U64(value)),
            Value::I64(value) => Stored::Scalar(Value::I64(value)),
            Value::F64(value) => Stored::Scalar(Value::F64(value)),
        };
        Ok(Entry {
            key: key.to_owned(),
            offset,
            stored,
        })
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Metadata")
            .field("file", &self.mapping.file())
            .field("keys", &self.entries.len())
            .finish()
    }
}
