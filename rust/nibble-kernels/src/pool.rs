//! Placeholder: one thread.

use std::sync::atomic::{AtomicBool, Ordering};

/// The cancel flag was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

/// Threads.
#[derive(Debug)]
pub struct ThreadPool {}

impl ThreadPool {
    /// `threads`, the caller's included.
    pub fn new(_threads: usize) -> ThreadPool {
        ThreadPool {}
    }

    /// Threads, the caller's included.
    pub fn threads(&self) -> usize {
        1
    }

    /// Calls `f` for each of `0..items`.
    pub fn run(
        &self,
        items: usize,
        cancel: &AtomicBool,
        f: impl Fn(usize) + Sync,
    ) -> Result<(), Cancelled> {
        for item in 0..items {
            if cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            f(item);
        }
        Ok(())
    }

    /// Calls `f` for each chunk of `out`.
    pub fn for_each_chunk<T: Send>(
        &self,
        out: &mut [T],
        chunk_len: usize,
        cancel: &AtomicBool,
        f: impl Fn(usize, &mut [T]) + Sync,
    ) -> Result<(), Cancelled> {
        for (i, chunk) in out.chunks_mut(chunk_len).enumerate() {
            if cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            f(i, chunk);
        }
        Ok(())
    }
}
