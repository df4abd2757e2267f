//! One GGUF file: header, metadata, tensor directory.
//!
//! Source: the GGUF specification (`docs/gguf.md` of ggml) and, where that is silent, what ggml's own
//! reader accepts.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use nibble_kernels::Layout;

use super::container::{self, PreparedSource};
use super::cursor::Cursor;
use super::ggml_type::ggml_type;
use super::metadata::Metadata;
use super::tensor::TensorInfo;
use crate::mapping::Mapping;
use crate::{Error, Result};

pub(super) const MAGIC: [u8; 4] = *b"GGUF";
pub(super) const ALIGNMENT_KEY: &str = "general.alignment";
pub(super) const DEFAULT_ALIGNMENT: u64 = 32;
/// The specification sets no limit; the page of no CPU is larger.
pub(super) const MAX_ALIGNMENT: u64 = 1 << 20;
/// ggml's reader refuses 64 bytes and more; nothing here depends on that.
pub(super) const MAX_NAME_BYTES: usize = 255;
pub(super) const MAX_DIMENSIONS: u32 = 4;

/// Bytes of the shortest directory entry: length, one byte of name, number of dimensions, one dimension,
/// type, offset.
const LEAST_TENSOR_BYTES: u64 = 8 + 1 + 4 + 8 + 4 + 8;

/// What one file holds.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) mapping: Arc<Mapping>,
    pub(super) version: u32,
    pub(super) alignment: u64,
    pub(super) metadata: Metadata,
    /// In the order of the directory; `shard` is 0.
    pub(super) tensors: Vec<TensorInfo>,
    /// Bytes of header, metadata and directory.
    pub(super) header: Range<usize>,
    /// Where the model came from, if the file is a prepared one.
    pub(super) source: Option<PreparedSource>,
}

/// What stands before the data, read and not yet compared with it.
pub(super) struct Header<'a> {
    pub(super) version: u32,
    pub(super) metadata: Metadata,
    pub(super) alignment: u64,
    pub(super) entries: Vec<DirectoryEntry<'a>>,
    /// Where the directory ends.
    pub(super) end: usize,
}

/// Reads the header that begins at byte `start` and ends at byte `end` at the latest.
pub(super) fn read_header(mapping: &Arc<Mapping>, start: usize, end: usize) -> Result<Header<'_>> {
    let file = mapping.file();
    let bytes = mapping.bytes().get(..end).unwrap_or_default();
    let mut cursor = Cursor::new(file, bytes, start);

    let rest = bytes.get(start..).unwrap_or_default();
    let head = rest.get(..4).unwrap_or(rest);
    if head != MAGIC {
        return Err(Error::NotGguf {
            file: file.to_path_buf(),
            found: head.to_vec(),
        });
    }
    cursor.array::<4>(format_args!("magic"))?;
    let version = cursor.u32(format_args!("version"))?;
    if !matches!(version, 2 | 3) {
        return Err(Error::UnsupportedVersion {
            file: file.to_path_buf(),
            found: version,
        });
    }
    let tensor_count = cursor.u64(format_args!("number of tensors"))?;
    let key_count = cursor.u64(format_args!("number of metadata keys"))?;

    let metadata = Metadata::read(mapping, &mut cursor, key_count)?;
    let alignment = alignment(&metadata)?;
    let entries = read_directory(&mut cursor, tensor_count)?;
    Ok(Header {
        version,
        metadata,
        alignment,
        entries,
        end: cursor.position(),
    })
}

/// Reads everything but tensor data.
pub(super) fn parse(mapping: Mapping) -> Result<Contents> {
    let mapping = Arc::new(mapping);
    let header = read_header(&mapping, 0, mapping.bytes().len())?;
    let cursor = Cursor::new(mapping.file(), mapping.bytes(), header.end);
    let mut tensors = Vec::new();
    for entry in header.entries {
        tensors.push(entry.locate(&cursor, header.alignment)?);
    }
    check_no_overlap(&tensors, &cursor)?;

    let contents = Contents {
        version: header.version,
        alignment: header.alignment,
        metadata: header.metadata,
        tensors: tensors.into_iter().map(|located| located.info).collect(),
        header: 0..header.end,
        source: None,
        mapping: Arc::clone(&mapping),
    };
    container::unwrap(contents)
}

fn alignment(metadata: &Metadata) -> Result<u64> {
    let Some(alignment) = metadata.find_u64(ALIGNMENT_KEY)? else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        let expected = format!("a power of two from 1 to {MAX_ALIGNMENT}");
        return Err(metadata.invalid(ALIGNMENT_KEY, &expected));
    }
    Ok(alignment)
}

/// An entry of the directory as it is in the file.
pub(super) struct DirectoryEntry<'a> {
    /// Where the entry begins.
    pub(super) position: usize,
    pub(super) name: &'a str,
    pub(super) shape: Vec<usize>,
    pub(super) kind: u32,
    /// From the start of the data section.
    pub(super) offset: u64,
}

fn read_directory<'a>(cursor: &mut Cursor<'a>, count: u64) -> Result<Vec<DirectoryEntry<'a>>> {
    cursor.check_room(count, LEAST_TENSOR_BYTES, format_args!("{count} tensors"))?;
    let mut entries = Vec::new();
    for index in 0..count {
        entries.push(DirectoryEntry::read(cursor, index)?);
    }
    Ok(entries)
}

/// A tensor whose data is known to lie within the file.
struct Located {
    /// Where its entry in the directory begins, for errors.
    position: usize,
    info: TensorInfo,
}

impl<'a> DirectoryEntry<'a> {
    fn read(cursor: &mut Cursor<'a>, index: u64) -> Result<DirectoryEntry<'a>> {
        let position = cursor.position();
        let name = cursor.name(MAX_NAME_BYTES, format_args!("name of tensor {index}"))?;
        Ok(DirectoryEntry {
            position,
            name,
            shape: read_shape(cursor, name)?,
            kind: cursor.u32(format_args!("type of tensor {name:?}"))?,
            offset: cursor.u64(format_args!("offset of tensor {name:?}"))?,
        })
    }

    /// Checks type, size and place of the data; `data` stands at the end of the directory.
    fn locate(self, data: &Cursor<'_>, alignment: u64) -> Result<Located> {
        let known = ggml_type(self.kind);
        let start = self.data_start(data, alignment)?;
        let size_bytes = match known.as_ref().and_then(|known| known.block) {
            Some(block) => Some(self.data_size(data, block)?),
            None => None,
        };
        // Of a type without a known size, the first byte at least must be there.
        data.at(start).check_room(
            size_bytes.unwrap_or(1),
            1,
            format_args!("tensor {:?}", self.name),
        )?;
        Ok(Located {
            position: self.position,
            info: TensorInfo {
                name: self.name.to_owned(),
                shape: self.shape,
                kind: self.kind,
                format: known.and_then(|known| known.format),
                offset: start as u64,
                size_bytes,
                shard: 0,
                layout: Layout::Rows,
            },
        })
    }

    /// Where the data begins in the file.
    fn data_start(&self, data: &Cursor<'_>, alignment: u64) -> Result<usize> {
        if self.offset.checked_rem(alignment) != Some(0) {
            let expected = format_args!("a multiple of {alignment}");
            return Err(self.malformed(data, "offset", expected, self.offset));
        }
        (data.position() as u64)
            .checked_next_multiple_of(alignment)
            .and_then(|section| section.checked_add(self.offset))
            .and_then(|start| usize::try_from(start).ok())
            .ok_or_else(|| {
                let expected = format_args!("one within the file");
                self.malformed(data, "offset", expected, self.offset)
            })
    }

    /// Bytes of the data, in blocks of so many elements and bytes.
    fn data_size(
        &self,
        data: &Cursor<'_>,
        (block_elements, block_bytes): (u64, u64),
    ) -> Result<u64> {
        let columns = self.shape.first().copied().unwrap_or(1) as u64;
        if columns.checked_rem(block_elements) != Some(0) {
            let expected = format_args!("a multiple of {block_elements} elements");
            return Err(self.malformed(data, "row", expected, columns));
        }
        // `read_shape` has seen that the product fits.
        (elements(&self.shape).unwrap_or(usize::MAX) as u64)
            .checked_div(block_elements)
            .and_then(|blocks| blocks.checked_mul(block_bytes))
            .ok_or_else(|| {
                let found = format!("{:?} elements", self.shape);
                self.malformed(data, "size", format_args!("fewer than 2^64 bytes"), found)
            })
    }

    fn malformed(
        &self,
        data: &Cursor<'_>,
        what: &str,
        expected: fmt::Arguments<'_>,
        found: impl fmt::Display,
    ) -> Error {
        data.malformed(
            self.position,
            format_args!("{what} of tensor {:?}", self.name),
            expected,
            format_args!("{found}"),
        )
    }
}

fn read_shape(cursor: &mut Cursor<'_>, name: &str) -> Result<Vec<usize>> {
    let position = cursor.position();
    let what = format_args!("shape of tensor {name:?}");
    let dimensions = cursor.u32(what)?;
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(cursor.malformed(
            position,
            what,
            format_args!("1 to {MAX_DIMENSIONS} dimensions"),
            format_args!("{dimensions}"),
        ));
    }
    let mut sizes = Vec::new();
    for _ in 0..dimensions {
        sizes.push(cursor.u64(what)?);
    }
    let shape: Option<Vec<usize>> = sizes
        .iter()
        .map(|&size| usize::try_from(size).ok().filter(|&size| size > 0))
        .collect();
    match shape {
        Some(shape) if elements(&shape).is_some() => Ok(shape),
        _ => Err(cursor.malformed(
            position,
            what,
            format_args!("sizes above zero whose product fits an address"),
            format_args!("{sizes:?}"),
        )),
    }
}

/// The product of all sizes.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1, |product: usize, &size| product.checked_mul(size))
}

/// Two tensors that share bytes are no danger to memory, since all are read-only, but no writer makes
/// them: the file is damaged, or crafted, and its weights would be nonsense.
fn check_no_overlap(tensors: &[Located], cursor: &Cursor<'_>) -> Result<()> {
    let mut in_file: Vec<&Located> = tensors.iter().collect();
    in_file.sort_by_key(|located| located.info.offset);
    for pair in in_file.windows(2) {
        let [first, second] = pair else {
            continue;
        };
        // A tensor of unknown size has at least its first byte to itself.
        let first_size = first.info.size_bytes.unwrap_or(1);
        let end = first.info.offset.saturating_add(first_size);
        if second.info.offset < end {
            return Err(cursor.malformed(
                second.position,
                format_args!("tensor {:?}", second.info.name),
                format_args!(
                    "data from byte {end} on, after tensor {:?}",
                    first.info.name
                ),
                format_args!("byte {}", second.info.offset),
            ));
        }
    }
    Ok(())
}
