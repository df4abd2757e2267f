//! Bytes of a GGUF file put together by hand, so that they can be wrong.

/// A file in the making.
#[derive(Clone, Default)]
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl Raw {
    /// Magic, version 3 and the two counts.
    pub(crate) fn header(tensors: u64, keys: u64) -> Raw {
        Raw(b"GGUF".to_vec()).u32(3).u64(tensors).u64(keys)
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Raw {
        self.0.extend(bytes);
        self
    }

    pub(crate) fn u32(self, value: u32) -> Raw {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u64(self, value: u64) -> Raw {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn string(self, value: &[u8]) -> Raw {
        self.u64(value.len() as u64).bytes(value)
    }

    /// A key and the number of its type; the value follows.
    pub(crate) fn key(self, key: &str, value_type: u32) -> Raw {
        self.string(key.as_bytes()).u32(value_type)
    }

    /// An entry of the tensor directory.
    pub(crate) fn tensor(mut self, name: &str, shape: &[u64], kind: u32, offset: u64) -> Raw {
        self = self.string(name.as_bytes()).u32(shape.len() as u32);
        for &size in shape {
            self = self.u64(size);
        }
        self.u32(kind).u64(offset)
    }

    /// Zeros up to a multiple of `alignment`, then `data`.
    pub(crate) fn data(mut self, alignment: usize, data: &[u8]) -> Raw {
        self.0.resize(self.0.len().next_multiple_of(alignment), 0);
        self.bytes(data)
    }
}
