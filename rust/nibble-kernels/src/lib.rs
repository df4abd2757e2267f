//! Numbers for Nibble: block formats, SIMD kernels and a thread pool.
