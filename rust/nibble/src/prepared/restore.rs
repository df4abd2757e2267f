//! Writing back the file that a prepared one was made of.

use std::io::Write;
use std::path::Path;

use nibble_kernels::{Layout, Matrix, deinterleave};
use sha2::{Digest, Sha256};

use super::partial_file::{PartialFile, check_disk};
use super::{Place, Progress, hexadecimal, part, row_bytes, rows_in, tensors_of};
use crate::gguf::token_rows::{TOKEN_TENSORS, TokenRows};
use crate::gguf::{Gguf, Tensor};
use crate::{Error, Result};

/// Writes back the file that a prepared one was made of.
#[derive(Debug)]
pub struct Restoration {
    prepared: Gguf,
    /// In the order of their places in the source, which come first.
    tensors: Vec<(u64, Tensor)>,
    token_rows: TokenRows,
    length: u64,
    sha256: String,
    /// `None` once it is published.
    out: Option<PartialFile>,
    hash: Sha256,
    written: u64,
    place: Place,
    buffer: Vec<u8>,
}

impl Restoration {
    /// Opens the prepared file, whose source is to be written to `destination`.
    ///
    /// # Errors
    /// Those of [`Gguf::open`]; `Unsupported` for a file that is not prepared; `DiskSpace`; `Io`.
    pub fn new(prepared: &Path, destination: &Path) -> Result<Restoration> {
        let prepared = Gguf::open(prepared)?;
        let Some(source) = prepared.prepared_source().cloned() else {
            return Err(Error::Unsupported {
                file: prepared.file().to_path_buf(),
                what: "restoring",
                found: "a model that is not prepared".to_owned(),
            });
        };
        check_disk(destination, source.length)?;
        let tensors = tensors_of(&prepared)?;
        let mut tensors: Vec<(u64, Tensor)> = source.offsets.iter().copied().zip(tensors).collect();
        tensors.sort_by_key(|(offset, _)| *offset);
        Ok(Restoration {
            prepared,
            tensors,
            token_rows: source.token_rows,
            length: source.length,
            sha256: source.sha256,
            out: Some(PartialFile::create(destination)?),
            hash: Sha256::new(),
            written: 0,
            place: (0, 0),
            buffer: Vec::new(),
        })
    }

    /// Does some of the work. `None` once the file is there.
    ///
    /// # Errors
    /// `Io`; `Checksum` where the result is not what was prepared: the prepared file is damaged. Nothing is left
    /// under the destination's name then.
    pub fn step(&mut self) -> Result<Option<Progress>> {
        if self.out.is_none() {
            return Ok(None);
        }
        if self.written == 0 {
            let header = self.prepared.header().to_vec();
            self.write(&header)?;
            return Ok(Some(self.progress()));
        }
        let Some((offset, tensor)) = self.tensors.get(self.place.0).cloned() else {
            self.pad(self.length)?;
            return self.finish();
        };
        self.pad(offset)?;
        let (part, next) = part(&tensor, self.place);
        let bytes = tensor.bytes.get(part.clone()).unwrap_or_default();
        let mut buffer = std::mem::take(&mut self.buffer);
        match tensor.layout {
            _ if TOKEN_TENSORS.contains(&tensor.name.as_str()) => {
                buffer.clear();
                let (rows, columns) = (tensor.rows(), tensor.columns());
                let matrix = Matrix::with_layout(
                    tensor.layout,
                    tensor.format,
                    rows,
                    columns,
                    &tensor.bytes,
                )?;
                let mut blocks = Vec::new();
                let tokens = rows_in(&part, row_bytes(&tensor));
                for row in self.token_rows.rows().range(tokens) {
                    let row = matrix.row(row as usize, &mut blocks);
                    buffer.extend_from_slice(row.unwrap_or_default());
                }
                self.write(&buffer)?;
            }
            Layout::Rows => self.write(bytes)?,
            Layout::Strips => {
                buffer.resize(bytes.len(), 0);
                deinterleave(tensor.format, row_bytes(&tensor), bytes, &mut buffer)?;
                self.write(&buffer)?;
            }
        }
        self.buffer = buffer;
        self.place = next;
        Ok(Some(self.progress()))
    }

    fn finish(&mut self) -> Result<Option<Progress>> {
        let found = hexadecimal(&self.hash.clone().finalize());
        if found != self.sha256 {
            return Err(Error::Checksum {
                file: self.prepared.file().to_path_buf(),
                expected: self.sha256.clone(),
                found,
            });
        }
        if let Some(out) = self.out.take() {
            out.publish()?;
        }
        Ok(None)
    }

    /// Zeros up to byte `end`. Within a tensor that has begun, `end` lies behind and nothing is written.
    fn pad(&mut self, end: u64) -> Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while self.written < end {
            let len = (end - self.written).min(ZEROS.len() as u64) as usize;
            self.write(ZEROS.get(..len).unwrap_or_default())?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(out) = &mut self.out {
            out.write_all(bytes).map_err(|source| out.error(source))?;
        }
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn progress(&self) -> Progress {
        Progress {
            done: self.written.min(self.length),
            total: self.length,
        }
    }
}
