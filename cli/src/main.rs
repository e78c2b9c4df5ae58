//! The `pagemill` program.
fn main() {}
