//! Tasks of the repository, run as `cargo xtask TASK`.
fn main() {}
