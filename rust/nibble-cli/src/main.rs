//! The `nibble` command.

fn main() {}
