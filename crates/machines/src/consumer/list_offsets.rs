//! ListOffsets: building the request and reading the answer, for the fetcher and for watermark queries.
use ottla_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use ottla_protocol::primitives::{Message, Reader};

use crate::connection::Response;
use crate::error::Error;

/// The log's start.
pub const EARLIEST: i64 = -2;
/// The log's end: the last stable offset for who reads committed records, else the high watermark.
pub const LATEST: i64 = -1;

/// How long a broker may look into remote storage for an answer (KIP-1075).
const REMOTE_TIMEOUT_MS: i32 = 30_000;

/// Asks for one partition. `timestamp` is [`EARLIEST`], [`LATEST`], or milliseconds: the first record not before it.
pub fn request(
    topic: &str,
    partition: i32,
    leader_epoch: i32,
    timestamp: i64,
    read_committed: bool,
) -> ListOffsetsRequest<'_> {
    many(
        vec![ListOffsetsTopic { name: topic, partitions: vec![asked(partition, leader_epoch, timestamp)] }],
        read_committed,
    )
}

/// One partition of a request.
pub(crate) fn asked(partition: i32, leader_epoch: i32, timestamp: i64) -> ListOffsetsPartition {
    ListOffsetsPartition {
        partition_index: partition,
        current_leader_epoch: leader_epoch,
        timestamp,
        max_num_offsets: 1,
    }
}

/// Asks for several partitions.
pub(crate) fn many(topics: Vec<ListOffsetsTopic<'_>>, read_committed: bool) -> ListOffsetsRequest<'_> {
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level: i8::from(read_committed),
        topics,
        timeout_ms: REMOTE_TIMEOUT_MS,
    }
}

/// The offset in an answer, or the broker's error. `-1` stands for "no such record".
///
/// # Errors
/// What is wrong with an answer that cannot be read, or does not name the partition.
pub fn single(response: &Response, topic: &str, partition: i32) -> Result<Result<i64, Error>, String> {
    let answer = read(response)?;
    let named = answer.topics.iter().filter(|answered| answered.name == topic);
    named
        .flat_map(|answered| &answered.partitions)
        .find(|answered| answered.partition_index == partition)
        .map(
            |answered| {
                if answered.error_code == 0 { Ok(offset(answered)) } else { Err(Error::broker(answered.error_code)) }
            },
        )
        .ok_or_else(|| format!("an answer to ListOffsets without {topic} [{partition}]"))
}

/// Reads an answer.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read(response: &Response) -> Result<ListOffsetsResponse<'_>, String> {
    ListOffsetsResponse::decode(&mut Reader::new(response.body()), response.version)
        .map_err(|error| format!("an answer to ListOffsets that cannot be read ({error})"))
}

/// The offset of an answer: version 0 has a list.
pub(crate) fn offset(answered: &ListOffsetsPartitionResponse) -> i64 {
    answered.old_style_offsets.first().copied().unwrap_or(answered.offset)
}
