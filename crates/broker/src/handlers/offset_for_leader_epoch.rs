//! OffsetForLeaderEpoch (KIP-320): where the records of an epoch end. A consumer asks when its partition's leader has
//! changed; some read nothing until they were told (kafka-python).

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};

use super::fetch_waiting::check_leader;
use super::{Call, Handled};
use crate::cluster::Cluster;

/// A client that knows no epoch says this, and is told this.
const UNDEFINED: i32 = -1;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: OffsetForLeaderEpochRequest<'_> = call.decode()?;
    let mut response = OffsetForLeaderEpochResponse::default();
    for topic in &request.topics {
        let told = topic.partitions.iter().map(|asked| {
            let partition = asked.partition;
            match end(cluster, call, topic.topic, asked) {
                Ok(Some((leader_epoch, end_offset))) => {
                    EpochEndOffset { partition, leader_epoch, end_offset, ..Default::default() }
                }
                Ok(None) => EpochEndOffset { partition, ..Default::default() },
                Err(code) => EpochEndOffset { partition, error_code: code.0, ..Default::default() },
            }
        });
        response.topics.push(OffsetForLeaderTopicResult { topic: topic.topic, partitions: told.collect() });
    }
    Ok(call.reply(&response))
}

fn end(
    cluster: &Cluster,
    call: &Call,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(i32, i64)>, ErrorCode> {
    let partition = cluster.topics.by_name(topic).and_then(|topic| topic.partition(asked.partition));
    let Some(partition) = partition else { return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) };
    check_leader(partition, call.node, asked.current_leader_epoch)?;
    Ok(partition.log().end_of_epoch(asked.leader_epoch).filter(|_| asked.leader_epoch != UNDEFINED))
}
