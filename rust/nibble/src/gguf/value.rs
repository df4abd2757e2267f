//! Values of metadata keys, viewed where they lie in the file.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use super::cursor::Cursor;
use crate::Result;

/// The specification lets arrays nest and sets no limit; no known writer nests at all.
const MAX_ARRAY_DEPTH: u32 = 4;

/// Characters of a string, and values of an array, that the short form shows.
const SHOWN_CHARACTERS: usize = 60;
const SHOWN_VALUES: usize = 6;

/// The type of a metadata value, with the number that it has in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ValueType {
    /// 8-bit unsigned integer.
    U8 = 0,
    /// 8-bit signed integer.
    I8 = 1,
    /// 16-bit unsigned integer.
    U16 = 2,
    /// 16-bit signed integer.
    I16 = 3,
    /// 32-bit unsigned integer.
    U32 = 4,
    /// 32-bit signed integer.
    I32 = 5,
    /// 32-bit float.
    F32 = 6,
    /// One byte, 0 or 1.
    Bool = 7,
    /// Text, with its length before it.
    String = 8,
    /// Values of one type.
    Array = 9,
    /// 64-bit unsigned integer.
    U64 = 10,
    /// 64-bit signed integer.
    I64 = 11,
    /// 64-bit float.
    F64 = 12,
}

impl ValueType {
    const ALL: [ValueType; 13] = [
        ValueType::U8,
        ValueType::I8,
        ValueType::U16,
        ValueType::I16,
        ValueType::U32,
        ValueType::I32,
        ValueType::F32,
        ValueType::Bool,
        ValueType::String,
        ValueType::Array,
        ValueType::U64,
        ValueType::I64,
        ValueType::F64,
    ];

    /// The name in messages: `u32`, `string`, `array`.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::U8 => "u8",
            ValueType::I8 => "i8",
            ValueType::U16 => "u16",
            ValueType::I16 => "i16",
            ValueType::U32 => "u32",
            ValueType::I32 => "i32",
            ValueType::F32 => "f32",
            ValueType::Bool => "bool",
            ValueType::String => "string",
            ValueType::Array => "array",
            ValueType::U64 => "u64",
            ValueType::I64 => "i64",
            ValueType::F64 => "f64",
        }
    }

    pub(super) fn is_integer(self) -> bool {
        use ValueType::{I8, I16, I32, I64, U8, U16, U32, U64};
        matches!(self, U8 | I8 | U16 | I16 | U32 | I32 | U64 | I64)
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, ValueType::F32 | ValueType::F64)
    }

    /// The fewest bytes that a value of this type takes in a file.
    fn least_bytes(self) -> u64 {
        match self {
            ValueType::U8 | ValueType::I8 | ValueType::Bool => 1,
            ValueType::U16 | ValueType::I16 => 2,
            ValueType::U32 | ValueType::I32 | ValueType::F32 => 4,
            ValueType::U64 | ValueType::I64 | ValueType::F64 => 8,
            ValueType::String => 8,
            ValueType::Array => 12,
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>, what: fmt::Arguments<'_>) -> Result<ValueType> {
        let offset = cursor.position();
        let number = cursor.u32(what)?;
        ValueType::ALL
            .into_iter()
            .find(|&value_type| value_type as u32 == number)
            .ok_or_else(|| {
                cursor.malformed(
                    offset,
                    what,
                    format_args!("a value type from 0 to 12"),
                    format_args!("{number}"),
                )
            })
    }
}

/// A metadata value. Strings and arrays are views of the file.
///
/// `Display` writes a short form for people: control characters escaped, long strings and arrays cut,
/// with their length.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Value<'a> {
    /// 8-bit unsigned integer.
    U8(u8),
    /// 8-bit signed integer.
    I8(i8),
    /// 16-bit unsigned integer.
    U16(u16),
    /// 16-bit signed integer.
    I16(i16),
    /// 32-bit unsigned integer.
    U32(u32),
    /// 32-bit signed integer.
    I32(i32),
    /// 32-bit float.
    F32(f32),
    /// Truth value.
    Bool(bool),
    /// Text as it is in the file: it should be UTF-8, but nobody has checked.
    String(&'a [u8]),
    /// Values of one type.
    Array(Array<'a>),
    /// 64-bit unsigned integer.
    U64(u64),
    /// 64-bit signed integer.
    I64(i64),
    /// 64-bit float.
    F64(f64),
}

impl<'a> Value<'a> {
    /// The type of the value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::U8(_) => ValueType::U8,
            Value::I8(_) => ValueType::I8,
            Value::U16(_) => ValueType::U16,
            Value::I16(_) => ValueType::I16,
            Value::U32(_) => ValueType::U32,
            Value::I32(_) => ValueType::I32,
            Value::F32(_) => ValueType::F32,
            Value::Bool(_) => ValueType::Bool,
            Value::String(_) => ValueType::String,
            Value::Array(_) => ValueType::Array,
            Value::U64(_) => ValueType::U64,
            Value::I64(_) => ValueType::I64,
            Value::F64(_) => ValueType::F64,
        }
    }

    /// The value of any of the integer types.
    pub fn to_integer(&self) -> Option<i128> {
        match *self {
            Value::U8(value) => Some(value.into()),
            Value::I8(value) => Some(value.into()),
            Value::U16(value) => Some(value.into()),
            Value::I16(value) => Some(value.into()),
            Value::U32(value) => Some(value.into()),
            Value::I32(value) => Some(value.into()),
            Value::U64(value) => Some(value.into()),
            Value::I64(value) => Some(value.into()),
            _ => None,
        }
    }

    /// The value of either of the float types.
    pub fn to_float(&self) -> Option<f64> {
        match *self {
            Value::F32(value) => Some(value.into()),
            Value::F64(value) => Some(value),
            _ => None,
        }
    }

    /// Reads one value, with everything in it, and checks all lengths, types and truth values on the way.
    pub(super) fn read(
        cursor: &mut Cursor<'a>,
        value_type: ValueType,
        what: fmt::Arguments<'_>,
    ) -> Result<Value<'a>> {
        Value::read_nested(cursor, value_type, 0, what)
    }

    fn read_nested(
        cursor: &mut Cursor<'a>,
        value_type: ValueType,
        depth: u32,
        what: fmt::Arguments<'_>,
    ) -> Result<Value<'a>> {
        Ok(match value_type {
            ValueType::U8 => Value::U8(u8::from_le_bytes(cursor.array(what)?)),
            ValueType::I8 => Value::I8(i8::from_le_bytes(cursor.array(what)?)),
            ValueType::U16 => Value::U16(u16::from_le_bytes(cursor.array(what)?)),
            ValueType::I16 => Value::I16(i16::from_le_bytes(cursor.array(what)?)),
            ValueType::U32 => Value::U32(cursor.u32(what)?),
            ValueType::I32 => Value::I32(i32::from_le_bytes(cursor.array(what)?)),
            ValueType::F32 => Value::F32(f32::from_le_bytes(cursor.array(what)?)),
            ValueType::Bool => {
                let offset = cursor.position();
                let byte = cursor.array::<1>(what)?;
                check_bools(&byte, offset, cursor, what)?;
                Value::Bool(byte == [1])
            }
            ValueType::String => Value::String(cursor.string(what)?),
            ValueType::Array => Value::Array(Array::read(cursor, depth, what)?),
            ValueType::U64 => Value::U64(cursor.u64(what)?),
            ValueType::I64 => Value::I64(i64::from_le_bytes(cursor.array(what)?)),
            ValueType::F64 => Value::F64(f64::from_le_bytes(cursor.array(what)?)),
        })
    }
}

/// `bytes`, which begin at `offset`, must be truth values.
fn check_bools(
    bytes: &[u8],
    offset: usize,
    cursor: &Cursor<'_>,
    what: fmt::Arguments<'_>,
) -> Result<()> {
    match bytes.iter().enumerate().find(|&(_, &byte)| byte > 1) {
        None => Ok(()),
        Some((index, byte)) => Err(cursor.malformed(
            offset.saturating_add(index),
            what,
            format_args!("the truth value 0 or 1"),
            format_args!("{byte}"),
        )),
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::U8(value) => value.fmt(formatter),
            Value::I8(value) => value.fmt(formatter),
            Value::U16(value) => value.fmt(formatter),
            Value::I16(value) => value.fmt(formatter),
            Value::U32(value) => value.fmt(formatter),
            Value::I32(value) => value.fmt(formatter),
            Value::F32(value) => value.fmt(formatter),
            Value::Bool(value) => value.fmt(formatter),
            Value::String(bytes) => write_short_string(bytes, formatter),
            Value::Array(array) => array.fmt(formatter),
            Value::U64(value) => value.fmt(formatter),
            Value::I64(value) => value.fmt(formatter),
            Value::F64(value) => value.fmt(formatter),
        }
    }
}

fn write_short_string(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    // No character of UTF-8 is longer than four bytes, so that a string of megabytes is not decoded.
    let head = bytes
        .get(..SHOWN_CHARACTERS.saturating_mul(4))
        .unwrap_or(bytes);
    let text = String::from_utf8_lossy(head);
    let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    write!(formatter, "{shown:?}")?;
    if head.len() < bytes.len() || shown.len() < text.len() {
        write!(formatter, "... ({} bytes)", bytes.len())?;
    }
    Ok(())
}

/// An array in the metadata, viewed where it lies in the file.
///
/// `Display` writes the element type, the length and the first values.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    file: &'a Path,
    /// The file up to the end of the array, so that offsets in errors count from its start.
    bytes: &'a [u8],
    /// Where the first value begins.
    start: usize,
    element_type: ValueType,
    length: usize,
}

impl<'a> Array<'a> {
    /// The type of its values.
    pub fn element_type(&self) -> ValueType {
        self.element_type
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The values in order.
    pub fn iter(&self) -> Values<'a> {
        Values {
            cursor: self.cursor(),
            element_type: self.element_type,
            remaining: self.length,
        }
    }

    /// Reads from the first value on.
    pub(super) fn cursor(&self) -> Cursor<'a> {
        Cursor::new(self.file, self.bytes, self.start)
    }

    /// The values as they are in the file.
    pub(super) fn raw(&self) -> &'a [u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// What [`Array::restore`] needs to make the same view again.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.bytes.len()
    }

    /// The view of an array that has been read before, whose values lie at `range` in `bytes`.
    pub(super) fn restore(
        file: &'a Path,
        bytes: &'a [u8],
        range: &Range<usize>,
        element_type: ValueType,
        length: usize,
    ) -> Array<'a> {
        Array {
            file,
            bytes: bytes.get(..range.end).unwrap_or_default(),
            start: range.start,
            element_type,
            length,
        }
    }

    fn read(cursor: &mut Cursor<'a>, depth: u32, what: fmt::Arguments<'_>) -> Result<Array<'a>> {
        let offset = cursor.position();
        if depth >= MAX_ARRAY_DEPTH {
            return Err(cursor.malformed(
                offset,
                what,
                format_args!("arrays nested at most {MAX_ARRAY_DEPTH} deep"),
                format_args!("deeper ones"),
            ));
        }
        let element_type = ValueType::read(cursor, what)?;
        let length = cursor.u64(what)?;
        cursor.check_room(length, element_type.least_bytes(), what)?;
        let start = cursor.position();
        match element_type {
            ValueType::Bool => check_bools(cursor.take(length, what)?, start, cursor, what)?,
            ValueType::String | ValueType::Array => {
                for _ in 0..length {
                    Value::read_nested(cursor, element_type, depth.saturating_add(1), what)?;
                }
            }
            _ => {
                cursor.take(length.saturating_mul(element_type.least_bytes()), what)?;
            }
        }
        Ok(Array {
            file: cursor.file(),
            bytes: cursor.consumed(),
            start,
            element_type,
            // As many bytes as that were there, so that it fits.
            length: usize::try_from(length).unwrap_or(usize::MAX),
        })
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Array<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "[{}; {}] [",
            self.element_type.name(),
            self.length
        )?;
        for (index, value) in self.iter().take(SHOWN_VALUES).enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            value.fmt(formatter)?;
        }
        if self.length > SHOWN_VALUES {
            formatter.write_str(", ...")?;
        }
        formatter.write_str("]")
    }
}

/// The values of an [`Array`], in order. Ends early only if somebody writes to the mapped file.
#[derive(Clone)]
pub struct Values<'a> {
    cursor: Cursor<'a>,
    element_type: ValueType,
    remaining: usize,
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        Value::read(&mut self.cursor, self.element_type, format_args!("array")).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.remaining))
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Values")
            .field("element_type", &self.element_type)
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

/// The strings of a metadata array, in order, each checked to be UTF-8.
#[derive(Clone)]
pub struct Strings<'a> {
    cursor: Cursor<'a>,
    key: &'a str,
    length: usize,
    remaining: usize,
}

impl<'a> Strings<'a> {
    /// `array` holds strings; `key` is for errors.
    pub(super) fn new(array: Array<'a>, key: &'a str) -> Strings<'a> {
        Strings {
            cursor: array.cursor(),
            key,
            length: array.len(),
            remaining: array.len(),
        }
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = Result<&'a str>;

    fn next(&mut self) -> Option<Result<&'a str>> {
        let index = self.length.saturating_sub(self.remaining);
        self.remaining = self.remaining.checked_sub(1)?;
        let offset = self.cursor.position();
        let what = format_args!("string {index} of key {:?}", self.key);
        Some(
            self.cursor
                .string(what)
                .and_then(|bytes| self.cursor.utf8(bytes, offset, what)),
        )
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Strings<'_> {}

impl fmt::Debug for Strings<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Strings")
            .field("key", &self.key)
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}
