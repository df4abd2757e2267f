//! What every backend does with a batch before its own arithmetic begins.

use crate::backend::{HeadRows, SequenceInput};
use crate::hparams::Hparams;
use crate::rope::{RopeParameters, RopeSet, RopeTable};
use crate::{Error, Result};

/// Where a row of the batch belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) sequence: usize,
    pub(super) position: usize,
}

/// Checks `batch` and makes room in its caches. Gives its rows: every sequence's new tokens, one after the other.
///
/// # Errors
/// `ContextFull`, `InvalidToken`, `InvalidArgument`, `OutOfMemory`.
pub(super) fn prepare(batch: &mut [SequenceInput<'_>], hparams: &Hparams) -> Result<Vec<Row>> {
    check(batch, hparams.vocabulary)?;
    for sequence in batch.iter_mut() {
        sequence.cache.reserve(sequence.tokens.len())?;
    }
    let sequences = batch.iter().enumerate();
    let row = |(sequence, input): (usize, &SequenceInput<'_>)| {
        let start = input.cache.len();
        let positions = start..start + input.tokens.len();
        positions
            .map(move |position| Row { sequence, position })
            .collect::<Vec<_>>()
    };
    Ok(sequences.flat_map(row).collect())
}

fn check(batch: &[SequenceInput<'_>], vocabulary: usize) -> Result<()> {
    for sequence in batch {
        let mut tokens =
            sequence
                .tokens
                .iter()
                .chain(sequence.heads.iter().flat_map(|(_, rows)| match rows {
                    HeadRows::Set(set) => *set,
                    HeadRows::All => &[],
                }));
        if let Some(&token) = tokens.find(|&&token| token as usize >= vocabulary) {
            return Err(Error::InvalidToken { token, vocabulary });
        }
        check_heads(sequence.heads, sequence.tokens.len())?;
    }
    Ok(())
}

/// An error unless the indices of `heads` ascend and are those of some of `len` tokens.
pub(crate) fn check_heads(heads: &[(usize, HeadRows<'_>)], len: usize) -> Result<()> {
    let indices = || heads.iter().map(|(index, _)| *index);
    let ascending = indices().is_sorted_by(|a, b| a < b);
    if !ascending || indices().any(|index| index >= len) {
        return Err(Error::InvalidArgument {
            argument: "head positions",
            expected: format!("strictly ascending, below {len}"),
            found: format!("{:?}", indices().collect::<Vec<_>>()),
        });
    }
    Ok(())
}

/// The rows at which logits are wanted, and which, in the order in which the batch asks for them.
pub(super) fn head_requests<'a>(batch: &[SequenceInput<'a>]) -> Vec<(usize, HeadRows<'a>)> {
    let mut start = 0;
    let mut requests = Vec::new();
    for sequence in batch {
        let heads = sequence.heads.iter();
        requests.extend(heads.map(|(index, rows)| (start + index, *rows)));
        start += sequence.tokens.len();
    }
    requests
}

/// The frequencies of a model, one table for each set.
#[derive(Debug)]
pub(super) struct RopeTables {
    pairs: usize,
    short: RopeTable,
    long: RopeTable,
}

impl RopeTables {
    pub(super) fn new(rope: &RopeParameters) -> RopeTables {
        RopeTables {
            pairs: rope.dims / 2,
            short: rope.table(RopeSet::Short),
            long: rope.table(RopeSet::Long),
        }
    }

    /// Cosines and sines of every row's position, `[rows, pairs]` each; all layers use the same.
    pub(super) fn angles(
        &self,
        batch: &[SequenceInput<'_>],
        rows: &[Row],
        cos: &mut [f32],
        sin: &mut [f32],
    ) {
        let tables = cos
            .chunks_exact_mut(self.pairs)
            .zip(sin.chunks_exact_mut(self.pairs));
        for (row, (cos, sin)) in rows.iter().zip(tables) {
            let table = match batch.get(row.sequence).map(|s| s.cache.rope_set()) {
                Some(RopeSet::Long) => &self.long,
                _ => &self.short,
            };
            table.angles(row.position, cos, sin);
        }
    }
}
