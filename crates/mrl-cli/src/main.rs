//! The `mrl` command line.
fn main() {}
