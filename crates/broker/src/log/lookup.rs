//! Offsets by time: the first record at or after a time, and the one with the greatest time.

use ottla_protocol::compression::{Codec, Decompressor};
use ottla_protocol::records::{BATCH_HEADER_LEN, BatchHeader, read_record_offsets, timestamp};

use super::partition_log::{Log, Stored};

/// Most bytes that a batch may decompress to.
const MAX_DECOMPRESSED: usize = 1 << 30;

/// A record that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) leader_epoch: i32,
}

impl Log {
    /// The first record of offset order whose time is `at_least` or later.
    pub(crate) fn at_time(&self, at_least: i64, decompressor: &mut Decompressor) -> Option<Found> {
        let batches = self.batches.iter().filter(|batch| batch.max_timestamp >= at_least);
        batches.filter_map(|batch| first_at(batch, at_least, self.start_offset(), decompressor)).next()
    }

    /// The first record with the greatest time of all.
    pub(crate) fn latest_time(&self, decompressor: &mut Decompressor) -> Option<Found> {
        // Of equals `max_by_key` would give the last one.
        let greatest = self.batches.iter().map(|batch| batch.max_timestamp).max()?;
        let batch = self.batches.iter().find(|batch| batch.max_timestamp == greatest)?;
        first_at(batch, greatest, self.start_offset(), decompressor)
    }
}

fn first_at(batch: &Stored, at_least: i64, from: i64, decompressor: &mut Decompressor) -> Option<Found> {
    let header = BatchHeader::parse(batch.bytes()).ok()?;
    let body = batch.bytes().get(BATCH_HEADER_LEN..)?;
    let mut plain = Vec::new();
    let records = match header.codec().ok()? {
        Codec::None => body,
        codec => {
            decompressor.decompress(codec, body, MAX_DECOMPRESSED, &mut plain).ok()?;
            &plain
        }
    };
    let mut position = 0;
    for _ in 0..header.record_count {
        let record = read_record_offsets(records, &mut position).ok()?;
        let offset = header.base_offset.wrapping_add(i64::from(record.offset_delta));
        let timestamp = timestamp(&header, record.timestamp_delta);
        if timestamp >= at_least && offset >= from {
            return Some(Found { offset, timestamp, leader_epoch: batch.leader_epoch });
        }
    }
    None
}
