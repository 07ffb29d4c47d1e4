//! ListOffsets: the start, the end, and offsets by time.

use std::collections::BTreeSet;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};

use super::fetch_waiting::check_leader;
use super::{Call, Handled};
use crate::cluster::Cluster;
use crate::log::Found;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// Since version 7 (KIP-734).
const MAX_TIMESTAMP: i64 = -3;
/// Since version 8 (KIP-405): here all is local.
const EARLIEST_LOCAL: i64 = -4;
/// Since version 9 (KIP-1005): here nothing is remote.
const LATEST_TIERED: i64 = -5;
/// Since version 11 (KIP-1023).
const EARLIEST_PENDING_UPLOAD: i64 = -6;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: ListOffsetsRequest<'_> = call.decode()?;
    let read_committed = request.isolation_level == 1;
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for topic in &request.topics {
        for partition in &topic.partitions {
            if !seen.insert((topic.name, partition.partition_index)) {
                twice.insert((topic.name, partition.partition_index));
            }
        }
    }
    let mut response = ListOffsetsResponse::default();
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            if !seen.remove(&(topic.name, asked.partition_index)) {
                continue;
            }
            let found = if twice.contains(&(topic.name, asked.partition_index)) {
                Err(ErrorCode::INVALID_REQUEST)
            } else {
                find(cluster, call, topic.name, asked, read_committed)
            };
            let partition_index = asked.partition_index;
            partitions.push(match found {
                Ok(Found { offset, timestamp, leader_epoch }) => ListOffsetsPartitionResponse {
                    partition_index,
                    offset,
                    timestamp,
                    leader_epoch: if call.version >= 4 { leader_epoch } else { -1 },
                    ..Default::default()
                },
                Err(code) => ListOffsetsPartitionResponse { partition_index, error_code: code.0, ..Default::default() },
            });
        }
        response.topics.push(ListOffsetsTopicResponse { name: topic.name, partitions });
    }
    Ok(call.reply(&response))
}

fn find(
    cluster: &mut Cluster,
    call: &Call,
    topic: &str,
    asked: &ListOffsetsPartition,
    read_committed: bool,
) -> Result<Found, ErrorCode> {
    let partition = cluster.topics.by_name(topic).and_then(|topic| topic.partition(asked.partition_index));
    let Some(partition) = partition else { return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) };
    check_leader(partition, call.node, asked.current_leader_epoch)?;
    let log = partition.log();
    let end = log.visible_end(read_committed);
    let at =
        |offset, leader_epoch: Option<i32>| Found { offset, timestamp: -1, leader_epoch: leader_epoch.unwrap_or(-1) };
    let none = at(-1, None);
    let by_time = |found: Option<Found>| found.filter(|found| found.offset < end).unwrap_or(none);
    let least = match asked.timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => 0,
    };
    if call.version < least {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    Ok(match asked.timestamp {
        LATEST => at(end, log.epoch_at(i64::MAX)),
        EARLIEST | EARLIEST_LOCAL => at(log.start_offset(), log.epoch_at(log.start_offset())),
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => none,
        MAX_TIMESTAMP => by_time(log.latest_time(&mut cluster.decompressor)),
        timestamp if timestamp < 0 => return Err(ErrorCode::UNSUPPORTED_VERSION),
        timestamp => by_time(log.at_time(timestamp, &mut cluster.decompressor)),
    })
}
