//! Descriptors that the other language opened.

use std::os::fd::{BorrowedFd, OwnedFd};

use crate::error::{NibbleError, Result};

/// A descriptor of our own for what `descriptor` stands for. The caller's stays open and the caller's.
///
/// # Errors
/// `InvalidArgument` for a negative number, `Io` for one that is not open; `name` stands for the file.
pub(crate) fn duplicate(descriptor: i32, name: &str) -> Result<OwnedFd> {
    if descriptor < 0 {
        return Err(NibbleError::invalid(
            "descriptor",
            "0 or more",
            descriptor.to_string(),
        ));
    }
    #[allow(unsafe_code, reason = "a descriptor crosses as a number")]
    // SAFETY: `descriptor` is not -1, and it is only used within this call, during which the caller keeps it
    // open; for one that is not open the system reports an error.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    borrowed
        .try_clone_to_owned()
        .map_err(|source| NibbleError::io(name.to_owned(), &source))
}
