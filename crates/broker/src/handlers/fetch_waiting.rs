//! A Fetch while it waits, and what it is told of each partition that it asks for. When it is answered is `fetch`'s to say.

use std::sync::Arc;

use ottla_protocol::error_codes::ErrorCode;

use crate::cluster::{Cluster, Partition};
use crate::fetch_sessions::{Asked, Kind, PartitionName};

/// A Fetch, decoded, while it waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(super) kind: Kind,
    pub(super) partitions: Vec<Asked>,
    pub(super) max_bytes: usize,
    pub(super) read_committed: bool,
    pub(super) min_bytes: usize,
    pub(super) until_us: u64,
    /// By place in `partitions`: not known when the request came. Kafka does not hurry an answer for them.
    pub(super) unknown: Vec<bool>,
}

/// The partition that a request names, and its topic's name.
pub(super) fn find<'a>(cluster: &'a Cluster, name: &PartitionName) -> Option<(Arc<str>, &'a Partition)> {
    let topic = if name.id.is_zero() { cluster.topics().by_name(&name.topic) } else { cluster.topics().by_id(name.id) };
    let topic = topic?;
    Some((Arc::clone(topic.name()), topic.partition(name.partition)?))
}

/// Whether the broker may serve the partition to a client that knows it in this epoch of its leader.
///
/// # Errors
/// `FENCED_LEADER_EPOCH`, `UNKNOWN_LEADER_EPOCH`, `NOT_LEADER_OR_FOLLOWER`: in Kafka's order.
pub(super) fn check_leader(partition: &Partition, node: i32, current_leader_epoch: i32) -> Result<(), ErrorCode> {
    if current_leader_epoch >= 0 && current_leader_epoch < partition.leader_epoch() {
        return Err(ErrorCode::FENCED_LEADER_EPOCH);
    }
    if current_leader_epoch > partition.leader_epoch() {
        return Err(ErrorCode::UNKNOWN_LEADER_EPOCH);
    }
    if partition.leader() == Some(node) { Ok(()) } else { Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) }
}

/// Where the log of a client that last fetched records of another epoch parts from this one (KIP-595): epoch and end.
///
/// # Errors
/// `OFFSET_OUT_OF_RANGE` for an epoch that the log does not know yet.
pub(super) fn diverges(partition: &Partition, asked: &Asked) -> Result<Option<(i32, i64)>, ErrorCode> {
    if asked.last_fetched_epoch < 0 {
        return Ok(None);
    }
    match partition.log().end_of_epoch(asked.last_fetched_epoch) {
        None => Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        Some((epoch, end)) if epoch < asked.last_fetched_epoch || end < asked.fetch_offset => Ok(Some((epoch, end))),
        Some(_) => Ok(None),
    }
}
