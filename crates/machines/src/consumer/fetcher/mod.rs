//! What to fetch next, and what to make of the answers: the *io* side of the consumer.
//!
//! * [`state`]: the fetcher and its partitions, following the assignment.
//! * `exchange`: the hold of the lock in which both sides meet.
//! * `readers`: which broker each partition is read from; what changed alone is looked at.
//! * `requests`: whom to ask for what, within the budget (E14), in fetch sessions (KIP-227).
//! * `answers`: Fetch responses: errors, leaders, watermarks. `batches`: the records in them (E16, E19).
//! * `sparse`: a few bytes that hold a large buffer are copied out (E15).
//! * `offsets`: logical starts and `auto.offset.reset`.
mod answers;
mod batches;
mod exchange;
mod offsets;
mod readers;
mod requests;
mod sparse;
pub mod state;

pub use offsets::{StartFound, StartWanted};
pub use state::Fetcher;
