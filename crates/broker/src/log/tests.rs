//! Appending and reading.

use ottla_protocol::records::BatchHeader;

/// The header of a batch of `count` records.
pub(super) fn header(producer_id: i64, base_sequence: i32, count: i32) -> BatchHeader {
    BatchHeader {
        base_offset: 0,
        batch_length: 49,
        partition_leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: 1_790_000_000_000,
        max_timestamp: 1_790_000_000_000,
        producer_id,
        producer_epoch: 0,
        base_sequence,
        record_count: count,
    }
}
