//! OffsetCommit, versions 2 to 10: topics by name, from version 10 on by id (KIP-848). Partitions that do not exist
//! are refused here, the rest is the group's.

use std::sync::Arc;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};

use super::{Call, Handled};
use crate::cluster::{Cluster, Topic};
use crate::groups::Commit;

/// From this version on topics go by id.
const TOPIC_IDS: i16 = 10;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: OffsetCommitRequest<'_> = call.decode()?;
    // Topic's place in the request, partition, code; what is refused comes first, as in Kafka.
    let mut outcomes: Vec<(usize, i32, ErrorCode)> = Vec::new();
    let mut accepted: Vec<(usize, Arc<str>, usize)> = Vec::new();
    for (place, asked) in request.topics.iter().enumerate() {
        let topic = topic(cluster, call.version, asked);
        for (index, partition) in asked.partitions.iter().enumerate() {
            let number = partition.partition_index;
            match &topic {
                Ok(topic) if topic.partition(number).is_some() => accepted.push((place, topic.name().clone(), index)),
                Ok(_) => outcomes.push((place, number, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
                Err(error) => outcomes.push((place, number, *error)),
            }
        }
    }
    let commits: Vec<Commit<'_>> = accepted
        .iter()
        .map(|(place, topic, index)| {
            let partition = &request.topics[*place].partitions[*index];
            Commit {
                topic,
                partition: partition.partition_index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata,
            }
        })
        .collect();
    // With nothing left the group is not asked.
    if !commits.is_empty() {
        let codes = match cluster.groups.commit(call.now, call.node, call.version, &request, &commits) {
            Ok(codes) => codes,
            Err(error) => vec![error; commits.len()],
        };
        let committed = accepted.iter().zip(&commits).zip(codes);
        outcomes.extend(committed.map(|(((place, ..), commit), code)| (*place, commit.partition, code)));
    }
    Ok(call.reply(&OffsetCommitResponse { topics: grouped(&request, &outcomes), ..Default::default() }))
}

fn topic<'c>(cluster: &'c Cluster, version: i16, asked: &OffsetCommitRequestTopic<'_>) -> Result<&'c Topic, ErrorCode> {
    if version >= TOPIC_IDS {
        cluster.topics().by_id(asked.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
    } else {
        cluster.topics().by_name(asked.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }
}

/// The outcomes by topic, topics in the order in which they come up first.
fn grouped<'a>(
    request: &OffsetCommitRequest<'a>,
    outcomes: &[(usize, i32, ErrorCode)],
) -> Vec<OffsetCommitResponseTopic<'a>> {
    let mut topics: Vec<(usize, OffsetCommitResponseTopic<'a>)> = Vec::new();
    for (place, partition_index, code) in outcomes {
        let partition = OffsetCommitResponsePartition { partition_index: *partition_index, error_code: code.0 };
        match topics.iter_mut().find(|(other, _)| other == place) {
            Some((_, topic)) => topic.partitions.push(partition),
            None => {
                let asked = &request.topics[*place];
                let topic = OffsetCommitResponseTopic {
                    name: asked.name,
                    topic_id: asked.topic_id,
                    partitions: vec![partition],
                };
                topics.push((*place, topic));
            }
        }
    }
    topics.into_iter().map(|(_, topic)| topic).collect()
}
