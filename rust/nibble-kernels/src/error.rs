//! What can go wrong.

use crate::format::Format;
use crate::pool::Cancelled;

/// An error of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelError {
    /// The cancel flag was seen. The output holds unspecified numbers.
    Cancelled,
    /// A slice has another length, or an argument another value, than the shapes demand. Nothing
    /// was computed.
    Shape {
        /// The argument.
        what: &'static str,
        /// The length or value that was expected.
        expected: usize,
        /// The one found.
        found: usize,
    },
    /// There is no memory for a buffer.
    OutOfMemory {
        /// Bytes that it takes.
        needed: usize,
    },
    /// [`crate::quantize()`] has no quantizer for this format.
    NotQuantizable(Format),
    /// Weights of this format cannot be multiplied with activations of 8 bits; see
    /// [`Format::takes_q8`].
    NeedsF32Activations(Format),
}

impl KernelError {
    /// `Ok` where `found` equals `expected`, else a [`KernelError::Shape`].
    pub(crate) fn check(
        what: &'static str,
        expected: usize,
        found: usize,
    ) -> Result<(), KernelError> {
        if expected == found {
            Ok(())
        } else {
            Err(KernelError::Shape {
                what,
                expected,
                found,
            })
        }
    }

    /// `Ok` where `found` is a multiple of `unit`, which is not zero, and at least `least`, else a [`KernelError::Shape`].
    pub(crate) fn check_multiple(
        what: &'static str,
        unit: usize,
        least: usize,
        found: usize,
    ) -> Result<(), KernelError> {
        let multiple = found.max(least).checked_next_multiple_of(unit.max(1));
        KernelError::check(what, multiple.unwrap_or(usize::MAX), found)
    }
}

impl std::fmt::Display for KernelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KernelError::Cancelled => f.write_str("cancelled"),
            KernelError::Shape {
                what,
                expected,
                found,
            } => {
                write!(f, "{what}: expected {expected}, found {found}")
            }
            KernelError::OutOfMemory { needed } => write!(f, "no memory for {needed} bytes"),
            KernelError::NotQuantizable(format) => write!(f, "no quantizer for {format}"),
            KernelError::NeedsF32Activations(format) => {
                write!(f, "{format} weights multiply with f32 activations only")
            }
        }
    }
}

impl std::error::Error for KernelError {}

impl From<Cancelled> for KernelError {
    fn from(_: Cancelled) -> KernelError {
        KernelError::Cancelled
    }
}
