//! One file an operation: its request, and what its response means. To add one: a file, a variant, an arm in each `match`.
pub mod create_topics;
pub mod delete_topics;
pub mod operation;
pub mod verdict;

pub use operation::Operation;
pub use verdict::Verdict;
