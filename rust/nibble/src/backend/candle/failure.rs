//! Errors and panics of candle as errors of the engine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, Result};

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Error {
        match error {
            // Candle's text for it has the whole trace in it.
            candle_core::Error::WithBacktrace { inner, .. } => Error::from(*inner),
            other => failure(other.to_string()),
        }
    }
}

/// The error for whatever candle could not do.
pub(super) fn failure(reason: String) -> Error {
    Error::Backend {
        backend: "candle",
        reason,
    }
}

/// Does `work`, whose panics become errors: candle asserts where others return.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panic leaves half done are caches beyond their length and buffers that are written anew.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(failure(format!(
            "panicked: {}",
            message.unwrap_or("no message")
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_candle_says_is_kept_and_a_panic_is_no_end() {
        let shape = candle_core::Tensor::from_slice(&[1.0_f32], 2, &candle_core::Device::Cpu);
        for error in [
            guarded(|| Ok(shape?)).unwrap_err(),
            guarded::<()>(|| panic!("{}", "Shape mismatch")).unwrap_err(),
        ] {
            assert_eq!(error.kind(), crate::ErrorKind::Backend);
            assert!(error.to_string().contains("hape mismatch"), "{error}");
        }
    }
}
