//! OffsetFetch, versions 1 to 10: one group up to version 7, several from version 8 on (KIP-709), topics by id from
//! version 10 on (KIP-848). Member ids and epochs are for groups of the consumer protocol; classic ones ignore them.

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};

use super::{Call, Handled};
use crate::cluster::Cluster;
use crate::groups::{CommittedOffset, Offsets};

/// From this version on there is an error for the whole group.
const GROUP_ERROR: i16 = 2;
/// From this version on several groups are asked for.
const GROUPS: i16 = 8;
/// From this version on topics go by id.
const TOPIC_IDS: i16 = 10;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: OffsetFetchRequest<'_> = call.decode()?;
    if call.version >= GROUPS {
        let groups = request.groups.iter().map(|group| fetched(cluster, call, group)).collect();
        return Ok(call.reply(&OffsetFetchResponse { groups, ..Default::default() }));
    }
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..Default::default()
        });
        topics.collect()
    });
    let asked = OffsetFetchRequestGroup { group_id: request.group_id, topics, ..Default::default() };
    let group = fetched(cluster, call, &asked);
    let response = OffsetFetchResponse {
        topics: group.topics.into_iter().map(single).collect(),
        error_code: if call.version >= GROUP_ERROR { group.error_code } else { 0 },
        ..Default::default()
    };
    Ok(call.reply(&response))
}

/// One group's offsets, all partitions' where no topics are named.
fn fetched<'a>(cluster: &'a Cluster, call: &Call, asked: &OffsetFetchRequestGroup<'a>) -> OffsetFetchResponseGroup<'a> {
    let group_id = asked.group_id;
    let offsets = match cluster.groups.offsets(call.now, call.node, group_id) {
        Ok(offsets) => offsets,
        Err(error) => {
            let topics = if call.version >= GROUP_ERROR {
                Vec::new()
            } else {
                let refuse = |topic| named(topic, |number| absent(number, error));
                asked.topics.iter().flatten().map(refuse).collect()
            };
            return OffsetFetchResponseGroup { group_id, topics, error_code: error.0 };
        }
    };
    let topics = match &asked.topics {
        None => all(cluster, call.version, offsets),
        Some(topics) => {
            // Topics whose id nobody knows come last, as in Kafka.
            let (known, unknown): (Vec<_>, Vec<_>) = topics
                .iter()
                .map(|topic| (topic, name(cluster, call.version, topic)))
                .partition(|(_, name)| name.is_some());
            let found = |(topic, name): (&OffsetFetchRequestTopics<'a>, Option<&str>)| {
                named(topic, |number| match name.map(|name| offsets.partition(name, number)) {
                    Some(Some(offset)) => present(number, offset),
                    Some(None) => absent(number, ErrorCode::NONE),
                    None => absent(number, ErrorCode::UNKNOWN_TOPIC_ID),
                })
            };
            known.into_iter().chain(unknown).map(found).collect()
        }
    };
    OffsetFetchResponseGroup { group_id, topics, error_code: 0 }
}

fn name<'a>(cluster: &'a Cluster, version: i16, topic: &OffsetFetchRequestTopics<'a>) -> Option<&'a str> {
    if version >= TOPIC_IDS {
        cluster.topics().by_id(topic.topic_id).map(|topic| &**topic.name())
    } else {
        Some(topic.name)
    }
}

fn named<'a>(
    topic: &OffsetFetchRequestTopics<'a>,
    partition: impl Fn(i32) -> OffsetFetchResponsePartitions<'a>,
) -> OffsetFetchResponseTopics<'a> {
    OffsetFetchResponseTopics {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(|number| partition(*number)).collect(),
    }
}

fn all<'a>(cluster: &Cluster, version: i16, offsets: &'a Offsets) -> Vec<OffsetFetchResponseTopics<'a>> {
    let topic = |(name, partitions): (&'a str, &'a std::collections::BTreeMap<i32, CommittedOffset>)| {
        let topic_id = cluster.topics().by_name(name).map(|topic| topic.id());
        // Where topics go by id, those without one are left out.
        (version < TOPIC_IDS || topic_id.is_some()).then(|| OffsetFetchResponseTopics {
            name,
            topic_id: topic_id.unwrap_or_default(),
            partitions: partitions.iter().map(|(number, offset)| present(*number, offset)).collect(),
        })
    };
    offsets.topics().filter_map(topic).collect()
}

fn present(partition_index: i32, offset: &CommittedOffset) -> OffsetFetchResponsePartitions<'_> {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: offset.offset,
        committed_leader_epoch: offset.leader_epoch,
        metadata: Some(&offset.metadata),
        error_code: 0,
    }
}

fn absent<'a>(partition_index: i32, error: ErrorCode) -> OffsetFetchResponsePartitions<'a> {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(""),
        error_code: error.0,
    }
}

/// The shape of the versions with one group.
fn single(topic: OffsetFetchResponseTopics<'_>) -> OffsetFetchResponseTopic<'_> {
    let partitions = topic.partitions.into_iter().map(|partition| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    });
    OffsetFetchResponseTopic { name: topic.name, partitions: partitions.collect() }
}
