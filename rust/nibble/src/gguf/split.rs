//! Models split over several files: `NAME-00001-of-00003.gguf` and its siblings.
//!
//! Source: `gguf-split` of llama.cpp. The first file has all metadata; every file has `split.no` (from 0),
//! `split.count` and `split.tensors.count` (of all files together).

use std::path::{Path, PathBuf};

use super::metadata::Metadata;
use super::parse::{Contents, parse};
use crate::mapping::Mapping;
use crate::{Error, Result};

const NUMBER_KEY: &str = "split.no";
const COUNT_KEY: &str = "split.count";
const TENSORS_KEY: &str = "split.tensors.count";

/// The number that a file gives itself in a split model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Split {
    /// From 0.
    number: u32,
    count: u32,
    /// Tensors of all files together.
    tensors: u64,
}

impl Split {
    /// `None` for a model in one file.
    pub(super) fn of(metadata: &Metadata) -> Result<Option<Split>> {
        match metadata.find_u32(COUNT_KEY)? {
            None | Some(0 | 1) => Ok(None),
            Some(count) => Ok(Some(Split {
                number: metadata.u32(NUMBER_KEY)?,
                count,
                tensors: metadata.u64(TENSORS_KEY)?,
            })),
        }
    }
}

/// Fails for a part of a split model: without a path its siblings cannot be found.
pub(super) fn reject_split(contents: &Contents) -> Result<()> {
    match Split::of(&contents.metadata)? {
        None => Ok(()),
        Some(split) => Err(Error::Unsupported {
            file: contents.mapping.file().to_path_buf(),
            what: "a split model that is not opened by path",
            found: format!("file {} of {}", split.number.saturating_add(1), split.count),
        }),
    }
}

/// Opens a file and, if it is a part of a split model, all the others; returns them in order.
pub(super) fn open_all(path: &Path) -> Result<Vec<Contents>> {
    let opened = parse(Mapping::open(path)?)?;
    let Some(split) = Split::of(&opened.metadata)? else {
        return Ok(vec![opened]);
    };
    let sibling = Siblings::of(path, split)?;
    let mut opened = Some(opened);
    let mut shards = Vec::new();
    let mut tensors: u64 = 0;
    for number in 0..split.count {
        let shard = match opened.take_if(|_| number == split.number) {
            Some(shard) => shard,
            None => parse(Mapping::open(&sibling.path(number))?)?,
        };
        check_belongs(&shard.metadata, number, split)?;
        tensors = tensors.saturating_add(shard.tensors.len() as u64);
        shards.push(shard);
    }
    if tensors != split.tensors
        && let Some(first) = shards.first()
    {
        return Err(first.metadata.invalid(
            TENSORS_KEY,
            &format!("{tensors}, as many tensors as the files have"),
        ));
    }
    Ok(shards)
}

fn check_belongs(metadata: &Metadata, number: u32, split: Split) -> Result<()> {
    if metadata.u32(COUNT_KEY)? != split.count {
        return Err(metadata.invalid(COUNT_KEY, &split.count.to_string()));
    }
    if metadata.u32(NUMBER_KEY)? != number {
        return Err(metadata.invalid(NUMBER_KEY, &number.to_string()));
    }
    if metadata.u64(TENSORS_KEY)? != split.tensors {
        return Err(metadata.invalid(TENSORS_KEY, &split.tensors.to_string()));
    }
    Ok(())
}

/// Where the files of a split model are.
struct Siblings {
    directory: PathBuf,
    /// The name up to the number, `NAME`.
    stem: String,
    count: u32,
}

impl Siblings {
    /// `path` is the file that says `split` about itself.
    fn of(path: &Path, split: Split) -> Result<Siblings> {
        let ending = Siblings::ending(split.number, split.count);
        let stem = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(&ending))
            .ok_or_else(|| Error::InvalidArgument {
                argument: "path",
                expected: format!(
                    "a name that ends in {ending:?}, as the split model's metadata says"
                ),
                found: path.display().to_string(),
            })?;
        Ok(Siblings {
            directory: path.parent().unwrap_or(Path::new("")).to_path_buf(),
            stem: stem.to_owned(),
            count: split.count,
        })
    }

    fn path(&self, number: u32) -> PathBuf {
        let ending = Siblings::ending(number, self.count);
        self.directory.join(format!("{}{ending}", self.stem))
    }

    fn ending(number: u32, count: u32) -> String {
        format!(
            "-{:05}-of-{count:05}.gguf",
            u64::from(number).saturating_add(1)
        )
    }
}
