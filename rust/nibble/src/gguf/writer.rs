//! Writing GGUF files, version 3.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use nibble_kernels::Format;

use super::ggml_type::kind_of;
use super::metadata::MAX_KEY_BYTES;
use super::parse::{
    ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAGIC, MAX_ALIGNMENT, MAX_DIMENSIONS, elements,
};
use super::u32s::U32s;
use super::value::{Value, ValueType};
use crate::{Error, Result};

const VERSION: u32 = 3;
/// The specification asks for a multiple of 8.
const MIN_ALIGNMENT: u64 = 8;
/// ggml's reader refuses longer names.
const MAX_NAME_BYTES: usize = 63;

/// The header of a GGUF file in the making: first add metadata and declare all tensors, then
/// [`Writer::begin`] writes the header and returns a [`TensorWriter`] for the data.
///
/// Only the metadata is kept in memory; tensor data are streamed.
///
/// ```
/// # fn main() -> nibble::Result<()> {
/// use nibble::gguf::{Format, Gguf, Writer};
///
/// let mut header = Writer::new("norm.gguf");
/// header.string("general.architecture", "llama")?;
/// header.tensor("output_norm.weight", Format::F32, &[2])?;
/// let mut data = header.begin(Vec::new())?;
/// data.write("output_norm.weight", &[0, 0, 128, 63, 0, 0, 128, 63])?;
/// let bytes = data.finish()?;
///
/// let model = Gguf::from_bytes(bytes, "norm.gguf".as_ref())?;
/// assert_eq!(model.tensor("output_norm.weight")?.bytes.len(), 8);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Writer {
    file: PathBuf,
    alignment: u64,
    keys: HashSet<String>,
    /// Keys and values as they will be in the file.
    encoded_metadata: Vec<u8>,
    names: HashSet<String>,
    tensors: Vec<Declared>,
    /// Bytes of the data section so far, padding included.
    data_bytes: u64,
}

#[derive(Debug)]
struct Declared {
    name: String,
    kind: u32,
    shape: Vec<usize>,
    offset: u64,
    size: u64,
}

impl Writer {
    /// An empty header. `file` stands for the file in errors; nothing is opened.
    pub fn new(file: impl Into<PathBuf>) -> Writer {
        Writer {
            file: file.into(),
            alignment: DEFAULT_ALIGNMENT,
            keys: HashSet::new(),
            encoded_metadata: Vec::new(),
            names: HashSet::new(),
            tensors: Vec::new(),
            data_bytes: 0,
        }
    }

    /// Aligns tensor data to `alignment` bytes instead of 32, and says so in the metadata.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is no power of two from 8 to 2^20, was set before, or a tensor was
    /// declared already.
    pub fn alignment(&mut self, alignment: u32) -> Result<()> {
        let bytes = u64::from(alignment);
        if !bytes.is_power_of_two() || !(MIN_ALIGNMENT..=MAX_ALIGNMENT).contains(&bytes) {
            return Err(Error::InvalidArgument {
                argument: "alignment",
                expected: format!("a power of two from {MIN_ALIGNMENT} to {MAX_ALIGNMENT}"),
                found: alignment.to_string(),
            });
        }
        if !self.tensors.is_empty() {
            return Err(Error::InvalidArgument {
                argument: "alignment",
                expected: "a call before the first tensor is declared".to_owned(),
                found: format!("a call after {} tensors", self.tensors.len()),
            });
        }
        self.key(ALIGNMENT_KEY)?;
        self.encode(Value::U32(alignment));
        self.alignment = bytes;
        Ok(())
    }

    /// Adds a value of any type; strings and arrays may be views of a file that is being read.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the key exists, is empty or is longer than 65,535 bytes, or is
    /// `general.alignment`, which [`Writer::alignment`] sets. The same holds for the typed adders below.
    pub fn value(&mut self, key: &str, value: Value<'_>) -> Result<()> {
        if key == ALIGNMENT_KEY {
            return Err(Error::InvalidArgument {
                argument: "key",
                expected: "a key other than the alignment".to_owned(),
                found: format!("{key:?}"),
            });
        }
        self.key(key)?;
        self.encode(value);
        Ok(())
    }

    /// Adds a 32-bit unsigned integer.
    pub fn u32(&mut self, key: &str, value: u32) -> Result<()> {
        self.value(key, Value::U32(value))
    }

    /// Adds a 64-bit unsigned integer.
    pub fn u64(&mut self, key: &str, value: u64) -> Result<()> {
        self.value(key, Value::U64(value))
    }

    /// Adds a 32-bit signed integer.
    pub fn i32(&mut self, key: &str, value: i32) -> Result<()> {
        self.value(key, Value::I32(value))
    }

    /// Adds a 32-bit float.
    pub fn f32(&mut self, key: &str, value: f32) -> Result<()> {
        self.value(key, Value::F32(value))
    }

    /// Adds a truth value.
    pub fn bool(&mut self, key: &str, value: bool) -> Result<()> {
        self.value(key, Value::Bool(value))
    }

    /// Adds a string.
    pub fn string(&mut self, key: &str, value: &str) -> Result<()> {
        self.value(key, Value::String(value.as_bytes()))
    }

    /// Adds an array of strings.
    pub fn strings(&mut self, key: &str, values: &[impl AsRef<str>]) -> Result<()> {
        self.array(key, ValueType::String, values, |value, encoded| {
            encode_string(value.as_ref().as_bytes(), encoded);
        })
    }

    /// Adds an array of bytes.
    pub fn bytes(&mut self, key: &str, values: &[u8]) -> Result<()> {
        self.array(key, ValueType::U8, values, |value, encoded| {
            encoded.push(*value)
        })
    }

    /// Adds an array of 32-bit unsigned integers.
    pub fn u32s(&mut self, key: &str, values: &[u32]) -> Result<()> {
        self.array(key, ValueType::U32, values, |value, encoded| {
            encoded.extend(value.to_le_bytes());
        })
    }

    /// Adds an array of 32-bit unsigned integers that may lie in another file.
    pub(crate) fn shared_u32s(&mut self, key: &str, values: &U32s) -> Result<()> {
        self.array(key, ValueType::U32, values.encoded(), |value, encoded| {
            encoded.extend(value);
        })
    }

    /// Adds an array of 32-bit signed integers.
    pub fn i32s(&mut self, key: &str, values: &[i32]) -> Result<()> {
        self.array(key, ValueType::I32, values, |value, encoded| {
            encoded.extend(value.to_le_bytes());
        })
    }

    /// Adds an array of 32-bit floats.
    pub fn f32s(&mut self, key: &str, values: &[f32]) -> Result<()> {
        self.array(key, ValueType::F32, values, |value, encoded| {
            encoded.extend(value.to_le_bytes());
        })
    }

    /// Declares the next tensor; `shape` is innermost first, see [`super::TensorInfo::shape`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the name exists, is empty or is longer than 63 bytes (which other
    /// readers refuse), if there are not 1 to 4 dimensions without a zero, if a row is no multiple of the
    /// format's block, or if the file would be larger than 2^64 bytes.
    pub fn tensor(&mut self, name: &str, format: Format, shape: &[usize]) -> Result<()> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || self.names.contains(name) {
            return Err(Error::InvalidArgument {
                argument: "tensor name",
                expected: format!("a new one of 1 to {MAX_NAME_BYTES} bytes"),
                found: format!("{name:?}"),
            });
        }
        let kind = kind_of(format).ok_or_else(|| Error::InvalidArgument {
            argument: "format",
            expected: "one that GGUF has".to_owned(),
            found: format.name().to_owned(),
        })?;
        let size = data_size(format, shape).ok_or_else(|| Error::InvalidArgument {
            argument: "shape",
            expected: format!(
                "1 to {MAX_DIMENSIONS} sizes above zero, the first a multiple of {}",
                format.block_len()
            ),
            found: format!("{shape:?}"),
        })?;
        let offset = self.data_bytes;
        self.data_bytes = offset
            .checked_add(size)
            .and_then(|end| end.checked_next_multiple_of(self.alignment))
            .ok_or_else(|| Error::InvalidArgument {
                argument: "shape",
                expected: "fewer than 2^64 bytes in all".to_owned(),
                found: format!("{shape:?}"),
            })?;
        self.names.insert(name.to_owned());
        self.tensors.push(Declared {
            name: name.to_owned(),
            kind,
            shape: shape.to_vec(),
            offset,
            size,
        });
        Ok(())
    }

    /// Writes the header to `out`. The data of all declared tensors must follow.
    ///
    /// # Errors
    /// [`Error::Io`] if `out` fails.
    pub fn begin<W: Write>(self, out: W) -> Result<TensorWriter<W>> {
        let mut header = Vec::new();
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.keys.len() as u64).to_le_bytes());
        header.extend(&self.encoded_metadata);
        for tensor in &self.tensors {
            encode_string(tensor.name.as_bytes(), &mut header);
            header.extend((tensor.shape.len() as u32).to_le_bytes());
            for &size in &tensor.shape {
                header.extend((size as u64).to_le_bytes());
            }
            header.extend(tensor.kind.to_le_bytes());
            header.extend(tensor.offset.to_le_bytes());
        }
        let mut writer = TensorWriter {
            out,
            file: self.file,
            alignment: self.alignment,
            tensors: self.tensors.into_iter(),
            current: None,
        };
        writer.write_all(&header)?;
        writer.pad_after(header.len() as u64)?;
        writer.advance();
        Ok(writer)
    }

    fn array<T>(
        &mut self,
        key: &str,
        element_type: ValueType,
        values: &[T],
        encode: impl Fn(&T, &mut Vec<u8>),
    ) -> Result<()> {
        self.key(key)?;
        let encoded = &mut self.encoded_metadata;
        encoded.extend((ValueType::Array as u32).to_le_bytes());
        encode_array_head(element_type, values.len(), encoded);
        for value in values {
            encode(value, encoded);
        }
        Ok(())
    }

    /// Begins an entry.
    fn key(&mut self, key: &str) -> Result<()> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES || self.keys.contains(key) {
            return Err(Error::InvalidArgument {
                argument: "key",
                expected: format!("a new one of 1 to {MAX_KEY_BYTES} bytes"),
                found: format!("{key:?}"),
            });
        }
        self.keys.insert(key.to_owned());
        encode_string(key.as_bytes(), &mut self.encoded_metadata);
        Ok(())
    }

    /// Ends an entry.
    fn encode(&mut self, value: Value<'_>) {
        let encoded = &mut self.encoded_metadata;
        encoded.extend((value.value_type() as u32).to_le_bytes());
        match value {
            Value::U8(value) => encoded.extend(value.to_le_bytes()),
            Value::I8(value) => encoded.extend(value.to_le_bytes()),
            Value::U16(value) => encoded.extend(value.to_le_bytes()),
            Value::I16(value) => encoded.extend(value.to_le_bytes()),
            Value::U32(value) => encoded.extend(value.to_le_bytes()),
            Value::I32(value) => encoded.extend(value.to_le_bytes()),
            Value::F32(value) => encoded.extend(value.to_le_bytes()),
            Value::Bool(value) => encoded.push(value.into()),
            Value::String(bytes) => encode_string(bytes, encoded),
            Value::Array(array) => {
                encode_array_head(array.element_type(), array.len(), encoded);
                encoded.extend(array.raw());
            }
            Value::U64(value) => encoded.extend(value.to_le_bytes()),
            Value::I64(value) => encoded.extend(value.to_le_bytes()),
            Value::F64(value) => encoded.extend(value.to_le_bytes()),
        }
    }
}

fn encode_string(bytes: &[u8], encoded: &mut Vec<u8>) {
    encoded.extend((bytes.len() as u64).to_le_bytes());
    encoded.extend(bytes);
}

fn encode_array_head(element_type: ValueType, length: usize, encoded: &mut Vec<u8>) {
    encoded.extend((element_type as u32).to_le_bytes());
    encoded.extend((length as u64).to_le_bytes());
}

/// Bytes of a tensor; `None` for a shape that cannot be.
fn data_size(format: Format, shape: &[usize]) -> Option<u64> {
    if shape.len() > MAX_DIMENSIONS as usize || shape.contains(&0) {
        return None;
    }
    let (&columns, outer) = shape.split_first()?;
    let row_bytes = format.row_bytes(columns)?;
    (row_bytes as u64).checked_mul(elements(outer)? as u64)
}

/// Takes the data of the tensors that a [`Writer`] declared, in the same order.
#[derive(Debug)]
pub struct TensorWriter<W> {
    out: W,
    file: PathBuf,
    alignment: u64,
    /// Those whose data has not begun.
    tensors: std::vec::IntoIter<Declared>,
    current: Option<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    tensor: Declared,
    missing: u64,
}

impl<W: Write> TensorWriter<W> {
    /// Writes the data of tensor `name`, or the next part of it: a tensor may come in any number of calls.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if another tensor is next, or `bytes` are more than are missing of it
    /// (nothing is written then); [`Error::Io`] if the output fails.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let Some(current) = self
            .current
            .as_mut()
            .filter(|current| current.tensor.name == name)
        else {
            return Err(Error::InvalidArgument {
                argument: "tensor name",
                expected: match &self.current {
                    Some(current) => format!("{:?}", current.tensor.name),
                    None => "none, all tensors are written".to_owned(),
                },
                found: format!("{name:?}"),
            });
        };
        current.missing = current
            .missing
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| Error::InvalidArgument {
                argument: "tensor data",
                expected: format!("at most {} bytes more of {name:?}", current.missing),
                found: bytes.len().to_string(),
            })?;
        let (missing, size) = (current.missing, current.tensor.size);
        self.write_all(bytes)?;
        if missing == 0 {
            self.pad_after(size)?;
            self.advance();
        }
        Ok(())
    }

    /// Flushes and returns the output.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if data of a tensor is missing; [`Error::Io`] if the output fails.
    pub fn finish(mut self) -> Result<W> {
        if let Some(current) = &self.current {
            return Err(Error::InvalidArgument {
                argument: "tensor data",
                expected: format!(
                    "{} bytes more of {:?}",
                    current.missing, current.tensor.name
                ),
                found: "the end".to_owned(),
            });
        }
        self.out.flush().map_err(|source| Error::Io {
            file: self.file.clone(),
            source,
        })?;
        Ok(self.out)
    }

    /// The file that [`Writer::new`] named.
    pub fn file(&self) -> &Path {
        &self.file
    }

    fn advance(&mut self) {
        self.current = self.tensors.next().map(|tensor| Unfinished {
            missing: tensor.size,
            tensor,
        });
    }

    /// Pads after `written` bytes that began at a multiple of the alignment.
    fn pad_after(&mut self, written: u64) -> Result<()> {
        let padding = written
            .checked_next_multiple_of(self.alignment)
            .map_or(0, |end| end.saturating_sub(written));
        // The alignment has an upper bound far below the size of an address.
        self.write_all(&vec![0; padding as usize])
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|source| Error::Io {
            file: self.file.clone(),
            source,
        })
    }
}
