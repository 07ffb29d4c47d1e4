//! What waits in a fetch buffer: record batches with their cursor (E16), and what a partition has to report between them.
//!
//! A batch here is checked and decompressed; its records are decoded when they are taken. Who makes batches is the
//! fetcher, who keeps them in order is the fetch buffer.
use std::sync::Arc;

use ottla_protocol::records::{BatchHeader, TimestampType};

use crate::error::Error;
use crate::machine::Frame;

/// Timestamps of a batch that has none (`-1` as in Kafka).
pub const TIMESTAMP_NOT_AVAILABLE: u8 = 0;
/// The producer's clock.
pub const TIMESTAMP_CREATE_TIME: u8 = 1;
/// The broker's clock.
pub const TIMESTAMP_LOG_APPEND_TIME: u8 = 2;

/// A batch and how far its records are taken. Positions are bytes in `buffer`.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The response's frame, or what the batch was decompressed into.
    pub(crate) buffer: Frame,
    /// Where the next record begins.
    pub(crate) position: u32,
    /// Where the records end.
    pub(crate) end: u32,
    /// Records that are not decoded yet.
    pub(crate) remaining: u32,
    pub(crate) timestamp_type: u8,
    /// The batch was fetched again because it was bad: no third time (E19).
    pub(crate) second_try: bool,
    pub(crate) leader_epoch: i32,
    pub(crate) base_offset: i64,
    /// What the records' timestamp deltas add to; with the broker's clock the timestamp of all.
    pub(crate) base_timestamp: i64,
    /// Records below it were not asked for: a fetch may begin in the middle of a batch.
    pub(crate) from: i64,
    /// The offset behind the batch's last record, kept by compaction.
    pub(crate) next_offset: i64,
    /// The buffer in the fetcher's budget.
    pub(crate) buffer_id: u64,
    /// Bytes of `buffer` that this batch takes.
    pub(crate) bytes: u32,
    /// The fetch epoch of its partition (E17), which no other partition has.
    pub(crate) epoch: u64,
}

impl Batch {
    /// A cursor at the start of the records in `records` of the buffer, of which `from` is the first that is wanted.
    /// `epoch` is its partition's; the buffer comes with its id in the budget.
    pub(crate) fn new(header: &BatchHeader, epoch: u64, buffer: (Frame, u64), records: (u32, u32), from: i64) -> Self {
        let (timestamp_type, base_timestamp) = match header.timestamp_type() {
            TimestampType::LogAppendTime => (TIMESTAMP_LOG_APPEND_TIME, header.max_timestamp),
            TimestampType::CreateTime => (TIMESTAMP_CREATE_TIME, header.base_timestamp),
        };
        Self {
            buffer: buffer.0,
            position: records.0,
            end: records.1,
            remaining: header.record_count.max(0) as u32,
            timestamp_type,
            second_try: false,
            leader_epoch: header.partition_leader_epoch,
            base_offset: header.base_offset,
            base_timestamp,
            from,
            next_offset: header.next_offset(),
            buffer_id: buffer.1,
            bytes: records.1.saturating_sub(records.0),
            epoch,
        }
    }
}

/// An error, or the end, of one partition: `enable.partition.eof` gives `Kind::PartitionEof` with the end's offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionError {
    pub topic: Arc<str>,
    pub partition: i32,
    /// What offset it is about, -1001 for none.
    pub offset: i64,
    pub error: Error,
}

/// One thing of a partition, in the order of its log.
#[derive(Debug)]
pub(crate) enum Item {
    Batch(Batch),
    /// Boxed: rare, and small then in the queues.
    Error(Box<PartitionError>),
}

impl Item {
    /// Bytes of buffers that it holds.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Item::Batch(batch) => batch.bytes as usize,
            Item::Error(_) => 0,
        }
    }
}
