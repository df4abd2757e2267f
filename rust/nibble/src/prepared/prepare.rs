//! Writing a prepared file.

use std::collections::HashSet;
use std::mem;
use std::ops::Range;
use std::path::{Path, PathBuf};

use nibble_kernels::{InstructionSet, Kernels, Layout, STRIP_ROWS, can_interleave, interleave};
use sha2::{Digest, Sha256};

use super::partial_file::{PartialFile, check_disk};
use super::{Place, Progress, STEP_BYTES, hexadecimal, part, row_bytes, rows_in, tensors_of};
use crate::backend::weights::Weights;
use crate::gguf::container::{
    ARCHITECTURE_PREFIX, ATTACHMENT_PREFIX, Attachment, HEADER_KEY, INTERLEAVED_KEY, LAYOUT,
    LAYOUT_KEY, LENGTH_KEY, ROWS_KEY, SHA256_KEY, TOKENS_KEY,
};
use crate::gguf::token_rows::{TOKEN_TENSORS, TokenRows};
use crate::gguf::{Gguf, Tensor, TensorWriter, Writer};
use crate::hparams::{Architecture, Hparams};
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};

/// Largest page that is in use; tensors begin on one, so that the system can keep and drop them apart.
const PAGE: u32 = 16 << 10;

/// What a prepared file is for, and what it carries.
#[derive(Debug, Clone)]
pub struct PreparationOptions {
    /// What will compute with it: rows are interleaved where its kernels want that. By default the best one of this CPU.
    /// A file for one instruction set gives the same results with any other, at worst more slowly.
    pub instruction_set: InstructionSet,
    /// What [`Gguf::attachments`] gives of the prepared file, such as lexicons; each name once.
    pub attachments: Vec<Attachment>,
}

impl Default for PreparationOptions {
    fn default() -> PreparationOptions {
        PreparationOptions {
            instruction_set: Kernels::detect().instruction_set(),
            attachments: Vec::new(),
        }
    }
}

/// Writes the prepared form of a model.
#[derive(Debug)]
pub struct Preparation {
    source: Gguf,
    options: PreparationOptions,
    hparams: Hparams,
    tokenizer: Tokenizer,
    token_rows: TokenRows,
    destination: PathBuf,
    stage: Stage,
    progress: Progress,
}

#[derive(Debug)]
enum Stage {
    Hashing {
        hash: Sha256,
        /// Bytes of the source that are in it.
        hashed: usize,
    },
    Writing(Box<Writing>),
    Finished,
}

/// A prepared file whose header is written.
#[derive(Debug)]
struct Writing {
    out: TensorWriter<PartialFile>,
    tensors: Vec<Tensor>,
    token_rows: TokenRows,
    place: Place,
    /// Rows in another order than the source's.
    reordered: Vec<u8>,
    interleaved: Vec<u8>,
}

impl Preparation {
    /// Opens the model at `source`, which is to be written to `destination`.
    ///
    /// # Errors
    /// Those of [`Model::open`](crate::Model::open); `Unsupported` for a split model and one that is prepared already;
    /// `InvalidArgument` for two attachments of one name; `DiskSpace`.
    pub fn new(
        source: &Path,
        destination: &Path,
        options: PreparationOptions,
    ) -> Result<Preparation> {
        let source = Gguf::open(source)?;
        let unsupported = |what, found: String| Error::Unsupported {
            file: source.file().to_path_buf(),
            what,
            found,
        };
        if source.files() != 1 {
            let found = format!("{} files", source.files());
            return Err(unsupported("preparation of a split model", found));
        }
        if source.prepared_source().is_some() {
            let found = LAYOUT.to_owned();
            return Err(unsupported("preparation of a prepared model", found));
        }
        // What this engine cannot run fails now and not after minutes.
        let hparams = Hparams::from_gguf(&source)?;
        let tokenizer = Tokenizer::from_gguf(&source)?;
        Weights::load(&source, &hparams)?;
        let found = || format!("{} tokens", hparams.vocabulary);
        let token_rows = sorted_by_bytes(&tokenizer, hparams.vocabulary)
            .ok_or_else(|| unsupported("preparation of a vocabulary", found()))?;
        let tensors = tensors_of(&source)?;
        check_gaps(&source, &tensors)?;
        check_names(&options.attachments)?;
        let padding = (tensors.len() as u64 + 2) * u64::from(PAGE);
        let attached = options
            .attachments
            .iter()
            .map(|file| file.bytes.len() as u64);
        let needed = attached.fold(padding, u64::saturating_add);
        check_disk(destination, source.size_bytes().saturating_add(needed))?;
        let tensor_bytes: u64 = tensors.iter().map(|tensor| tensor.bytes.len() as u64).sum();
        let progress = Progress {
            done: 0,
            total: source.size_bytes().saturating_add(tensor_bytes),
        };
        Ok(Preparation {
            source,
            options,
            hparams,
            tokenizer,
            token_rows,
            destination: destination.to_path_buf(),
            stage: Stage::Hashing {
                hash: Sha256::new(),
                hashed: 0,
            },
            progress,
        })
    }

    /// Does some of the work. `None` once the file is there.
    ///
    /// # Errors
    /// `Io`, for a full disk too. Nothing is left under the destination's name then.
    pub fn step(&mut self) -> Result<Option<Progress>> {
        let bytes = self.source.bytes();
        match &mut self.stage {
            Stage::Hashing { hash, hashed } if *hashed < bytes.len() => {
                let end = bytes.len().min(hashed.saturating_add(STEP_BYTES));
                hash.update(bytes.get(*hashed..end).unwrap_or_default());
                self.progress.done += (end - *hashed) as u64;
                *hashed = end;
            }
            Stage::Hashing { hash, .. } => {
                let sha256 = hexadecimal(&hash.clone().finalize());
                self.stage = Stage::Writing(Box::new(self.begin(&sha256)?));
            }
            Stage::Writing(writing) => {
                let written = writing.step()?;
                self.progress.done += written as u64;
                if written == 0 {
                    if let Stage::Writing(writing) = mem::replace(&mut self.stage, Stage::Finished)
                    {
                        writing.out.finish()?.publish()?;
                    }
                    return Ok(None);
                }
            }
            Stage::Finished => return Ok(None),
        }
        Ok(Some(self.progress))
    }

    /// Writes the header of the prepared file.
    fn begin(&self, sha256: &str) -> Result<Writing> {
        let Preparation {
            source,
            options,
            hparams,
            tokenizer,
            token_rows,
            destination,
            ..
        } = self;
        let mut tensors = tensors_of(source)?;
        for tensor in &mut tensors {
            // From here on the layout that is written, not the one that is read.
            if can_be_strips(hparams, tensor) {
                tensor.layout = options.instruction_set.layout();
            }
        }
        let mut header = Writer::new(destination);
        header.alignment(PAGE)?;
        let architecture = source.metadata().string("general.architecture")?;
        header.string(
            "general.architecture",
            &format!("{ARCHITECTURE_PREFIX}{architecture}"),
        )?;
        if let Some(name) = source.metadata().find_string("general.name")? {
            header.string("general.name", name)?;
        }
        header.string(LAYOUT_KEY, LAYOUT)?;
        let interleaved: Vec<&str> = tensors
            .iter()
            .filter(|tensor| tensor.layout == Layout::Strips)
            .map(|tensor| tensor.name.as_str())
            .collect();
        header.strings(INTERLEAVED_KEY, &interleaved)?;
        header.shared_u32s(TOKENS_KEY, token_rows.tokens())?;
        header.shared_u32s(ROWS_KEY, token_rows.rows())?;
        tokenizer.store(&mut header)?;
        header.u64(LENGTH_KEY, source.size_bytes())?;
        header.string(SHA256_KEY, sha256)?;
        header.bytes(HEADER_KEY, source.header())?;
        for Attachment { name, bytes } in &options.attachments {
            header.bytes(&format!("{ATTACHMENT_PREFIX}{name}"), bytes)?;
        }
        for tensor in &tensors {
            header.tensor(&tensor.name, tensor.format, &tensor.shape)?;
        }
        let out = header.begin(PartialFile::create(destination)?)?;
        Ok(Writing {
            out,
            tensors,
            token_rows: token_rows.clone(),
            place: (0, 0),
            reordered: Vec::new(),
            interleaved: Vec::new(),
        })
    }
}

impl Writing {
    /// Writes a part of a tensor; its length, 0 at the end.
    fn step(&mut self) -> Result<usize> {
        let Some(tensor) = self.tensors.get(self.place.0) else {
            return Ok(0);
        };
        let (part, next) = part(tensor, self.place);
        let row_bytes = row_bytes(tensor);
        let mut bytes = tensor.bytes.get(part.clone()).unwrap_or_default();
        if TOKEN_TENSORS.contains(&tensor.name.as_str()) {
            self.reordered.clear();
            let rows = rows_in(&part, row_bytes);
            for token in self.token_rows.tokens().range(rows) {
                let start = token as usize * row_bytes;
                let row = tensor.bytes.get(start..start + row_bytes);
                self.reordered.extend_from_slice(row.unwrap_or_default());
            }
            bytes = &self.reordered;
        }
        if tensor.layout == Layout::Strips {
            self.interleaved.resize(bytes.len(), 0);
            interleave(tensor.format, row_bytes, bytes, &mut self.interleaved)?;
            bytes = &self.interleaved;
        }
        self.out.write(&tensor.name, bytes)?;
        self.place = next;
        Ok(part.len())
    }
}

/// First [`Tokenizer::tokens_by_bytes`], then all others of `vocabulary` by id. `None` where tokens have no row.
fn sorted_by_bytes(tokenizer: &Tokenizer, vocabulary: usize) -> Option<TokenRows> {
    let mut rows = vec![u32::MAX; vocabulary];
    for (row, token) in (0..).zip(tokenizer.tokens_by_bytes().iter()) {
        *rows.get_mut(token as usize)? = row;
    }
    let mut tokens: Vec<u32> = tokenizer.tokens_by_bytes().iter().collect();
    for (token, row) in (0..).zip(&mut rows) {
        if *row == u32::MAX {
            *row = u32::try_from(tokens.len()).ok()?;
            tokens.push(token);
        }
    }
    TokenRows::new(tokens.into_iter().collect(), rows.into_iter().collect())
}

/// Whether a tensor is a matrix whose rows, and those of the matrices that are stacked in it, fill strips.
fn can_be_strips(hparams: &Hparams, tensor: &Tensor) -> bool {
    let stacked: &[usize] = match hparams.architecture {
        Architecture::Phi3 if tensor.name.contains("attn_qkv") => &[
            hparams.heads * hparams.head_dim,
            hparams.kv_heads * hparams.head_dim,
        ],
        Architecture::Phi3 if tensor.name.contains("ffn_up") => &[hparams.ffn],
        _ => &[],
    };
    tensor.shape.len() == 2
        && can_interleave(tensor.format, tensor.rows())
        && stacked.iter().all(|rows| rows.is_multiple_of(STRIP_ROWS))
}

/// An error where two attachments have one name.
fn check_names(attachments: &[Attachment]) -> Result<()> {
    let mut names = HashSet::new();
    match attachments.iter().find(|file| !names.insert(&file.name)) {
        None => Ok(()),
        Some(twice) => Err(Error::InvalidArgument {
            argument: "attachments",
            expected: "each name once".to_owned(),
            found: format!("{:?} twice", twice.name),
        }),
    }
}

/// An error where bytes other than zeros stand between header and tensors: they would be lost.
fn check_gaps(source: &Gguf, tensors: &[Tensor]) -> Result<()> {
    let mut places: Vec<Range<u64>> = source
        .tensors()
        .zip(tensors)
        .map(|(info, tensor)| info.offset..info.offset.saturating_add(tensor.bytes.len() as u64))
        .collect();
    places.sort_by_key(|place| place.start);
    let bytes = source.bytes();
    let mut end = source.header().len() as u64;
    let last = bytes.len() as u64;
    places.push(last..last);
    for place in places {
        let gap = bytes
            .get(end as usize..place.start as usize)
            .unwrap_or_default();
        if gap.iter().any(|byte| *byte != 0) {
            return Err(Error::Malformed {
                file: source.file().to_path_buf(),
                what: "space between tensors".to_owned(),
                offset: end,
                expected: "zeros".to_owned(),
                found: "other bytes".to_owned(),
            });
        }
        end = place.end;
    }
    Ok(())
}
