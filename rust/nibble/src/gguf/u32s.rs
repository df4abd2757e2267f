//! Arrays of numbers that stay where they lie in a file.

use std::ops::Range;

use crate::SharedBytes;

/// An array of 32-bit unsigned integers in a model file, or in memory. Cloning it copies no numbers.
#[derive(Debug, Clone)]
pub struct U32s(SharedBytes);

impl U32s {
    /// The numbers whose little-endian bytes are `bytes`; the last one is left out if it is not whole.
    pub(crate) fn new(bytes: SharedBytes) -> U32s {
        U32s(bytes)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.encoded().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<u32> {
        self.encoded().get(index).copied().map(u32::from_le_bytes)
    }

    /// The first `len` numbers; all of them if there are fewer.
    pub(crate) fn beginning(&self, len: usize) -> U32s {
        let bytes = len.saturating_mul(4).min(self.0.len());
        U32s(self.0.section(0..bytes).unwrap_or_else(|| self.0.clone()))
    }

    /// All numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> {
        decoded(self.encoded())
    }

    /// The numbers in a range of indices; none if it does not lie within the array.
    pub fn range(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = u32> {
        decoded(self.encoded().get(range).unwrap_or_default())
    }

    /// Each number's little-endian bytes, which stand at any address.
    pub(crate) fn encoded(&self) -> &[[u8; 4]] {
        self.0.as_chunks().0
    }
}

fn decoded(encoded: &[[u8; 4]]) -> impl ExactSizeIterator<Item = u32> {
    encoded.iter().copied().map(u32::from_le_bytes)
}

impl FromIterator<u32> for U32s {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> U32s {
        let bytes: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
        U32s::new(SharedBytes::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_index_and_range() {
        let numbers: U32s = [7, u32::MAX, 0x0102_0304].into_iter().collect();
        assert_eq!(numbers.len(), 3);
        assert_eq!((numbers.get(1), numbers.get(3)), (Some(u32::MAX), None));
        assert_eq!(
            numbers.range(1..3).collect::<Vec<_>>(),
            [u32::MAX, 0x0102_0304]
        );
        assert_eq!(numbers.range(1..4).len(), 0);
    }

    #[test]
    fn a_number_that_is_cut_off_is_left_out() {
        let numbers = U32s::new(SharedBytes::from(vec![1, 0, 0, 0, 2, 0]));
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [1]);
    }
}
