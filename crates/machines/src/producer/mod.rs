//! Producing: from the caller's record to its acknowledgement.
//!
//! * [`accumulator`]: what `produce()` touches, under the lock of E6: open batches, queue counters, the callback table.
//! * [`open_batch`]: a batch that still takes records. [`chunks`]: the memory that it is made of.
//! * [`attachments`]: what callers attach to their records, by ticket (E9). [`reports`]: what is said of each when it ends.
//! * [`partitioner`]: which partition a record goes to.
//! * [`unassigned`]: records of topics whose partitions are not known yet (E10).
//! * [`exchange`]: what the io side does with the accumulator. [`batch`]: a sealed batch on its way.
//! * [`sender`]: what is sent when; `answers`: what every answer means; `placing`: records that waited for their topic.
//! * [`produce_request`]: the request and its answer. [`idempotence`]: producer id and sequences (KIP-98).
pub mod accumulator;
mod answers;
pub mod attachments;
pub mod batch;
pub mod chunks;
pub mod exchange;
pub mod idempotence;
pub mod open_batch;
pub mod partitioner;
mod placing;
pub mod produce_request;
pub mod reports;
pub mod sender;
#[cfg(test)]
mod tests;
pub mod unassigned;

pub use accumulator::{Accumulator, Appended, Needs, NewRecord, Refused, Supply};
pub use reports::{Report, ReportBatch, ReportRun};
pub use sender::Sender;
