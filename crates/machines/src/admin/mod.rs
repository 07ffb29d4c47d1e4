//! Administration: each operation is data, one driver looks up where it goes, sends it, and asks again.
//!
//! * [`driver`]: look-up, retries, time-outs of every operation. * [`lookup`]: which broker an operation is for.
//! * [`operations`]: one file an operation: its request, and what its response means.
pub mod driver;
pub mod lookup;
pub mod operations;

pub use driver::Driver;
pub use operations::Operation;
pub use operations::create_topics::{CreateTopics, NewTopic};
pub use operations::delete_topics::DeleteTopics;
