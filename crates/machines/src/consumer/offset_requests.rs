//! OffsetCommit and OffsetFetch on the wire: which version can be spoken, the request, and what an answer says of each
//! partition. When to ask, and what to do about errors, is left to `commits` and `committed`.
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use ottla_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponse,
};
use ottla_protocol::primitives::{Message, Reader, Uuid};

use super::positions::OFFSET_INVALID;
use crate::connection::{Network, Response};
use crate::error::Error;
use crate::group::{Member, OffsetAnswer, StoredOffset};
use crate::machine::ConnectionId;
use crate::metadata::Metadata;

/// From these versions on topics are named by their ids alone (KIP-848).
const LAST_WITH_NAMES: i16 = 9;
/// From this version on a request is for several groups (KIP-709).
const GROUPS: i16 = 8;
/// From this version on a broker can be asked to wait for transactions that are about to commit offsets (KIP-447).
const STABLE: i16 = 7;
/// From this version on a member says under which static name it is known (KIP-345).
const INSTANCES: i16 = 7;

/// Ids of topics with their names.
type TopicIds = Vec<(Uuid, Arc<str>)>;

/// Whether an error in an answer passes, so that it is asked again.
pub(crate) fn passes(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR
            | ErrorCode::REBALANCE_IN_PROGRESS
            | ErrorCode::REQUEST_TIMED_OUT
            | ErrorCode::UNSTABLE_OFFSET_COMMIT
            | ErrorCode::UNKNOWN_TOPIC_ID
    )
}

/// The version to ask with, given the highest one that both speak, and the topics' ids where it names them by those: the
/// last version with names where an id is not known or `by_name` is demanded. `None` while the broker wants ids alone.
pub(crate) fn speakable<'a>(
    network: &Network,
    connection: ConnectionId,
    (api, highest): (ApiKey, i16),
    by_name: bool,
    metadata: &Metadata,
    topics: impl Iterator<Item = &'a Arc<str>>,
) -> Option<(i16, TopicIds)> {
    let ids = if by_name || highest <= LAST_WITH_NAMES { None } else { topic_ids(metadata, topics) };
    match ids {
        Some(ids) => Some((highest, ids)),
        None => network.version_up_to(connection, api, LAST_WITH_NAMES).map(|version| (version, Vec::new())),
    }
}

/// The ids of topics, if all of them are known: only then can they be spoken of by ids.
fn topic_ids<'a>(metadata: &Metadata, topics: impl Iterator<Item = &'a Arc<str>>) -> Option<TopicIds> {
    let mut ids = TopicIds::new();
    for topic in topics {
        if ids.last().is_some_and(|(_, name)| name == topic) {
            continue;
        }
        let id = metadata.topic(topic).map(|known| known.topic_id).filter(|id| *id != Uuid::ZERO)?;
        ids.push((id, Arc::clone(topic)));
    }
    Some(ids)
}

fn id_of(ids: &[(Uuid, Arc<str>)], topic: &str) -> Uuid {
    ids.iter().find(|(_, name)| **name == *topic).map_or(Uuid::ZERO, |(id, _)| *id)
}

/// The topic of an answer.
fn name_of<'a>(ids: &'a [(Uuid, Arc<str>)], name: &'a str, id: Uuid) -> &'a str {
    if name.is_empty() { ids.iter().find(|(known, _)| *known == id).map_or("", |(_, name)| name) } else { name }
}

/// A commit of `offsets`, which are sorted by topic, as this member or as none.
pub(crate) fn commit<'a>(
    group_id: &'a str,
    member: Option<&'a Member>,
    offsets: impl Iterator<Item = &'a StoredOffset>,
    ids: &[(Uuid, Arc<str>)],
    version: i16,
) -> OffsetCommitRequest<'a> {
    let mut topics: Vec<OffsetCommitRequestTopic<'a>> = Vec::new();
    let mut last: Option<&str> = None;
    for offset in offsets {
        let partition = OffsetCommitRequestPartition {
            partition_index: offset.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: if version >= 6 { offset.leader_epoch } else { -1 },
            committed_metadata: Some(offset.metadata.as_deref().unwrap_or_default()),
            ..Default::default()
        };
        if last == Some(&*offset.topic)
            && let Some(topic) = topics.last_mut()
        {
            topic.partitions.push(partition);
            continue;
        }
        last = Some(&offset.topic);
        let (name, topic_id) =
            if version > LAST_WITH_NAMES { ("", id_of(ids, &offset.topic)) } else { (&*offset.topic, Uuid::ZERO) };
        topics.push(OffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] });
    }
    OffsetCommitRequest {
        group_id,
        generation_id_or_member_epoch: member.map_or(-1, |member| member.generation),
        member_id: member.map_or("", |member| &member.member_id),
        group_instance_id: member.filter(|_| version >= INSTANCES).and_then(|member| member.instance_id.as_deref()),
        topics,
        ..Default::default()
    }
}

/// What an answer to a commit says.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) throttle_time_ms: i32,
    /// Topic, partition, error code.
    pub(crate) partitions: Vec<(Arc<str>, i32, i16)>,
}

/// Reads an answer to a commit.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn committed(response: &Response, ids: &[(Uuid, Arc<str>)]) -> Result<Committed, String> {
    let answer = OffsetCommitResponse::decode(&mut Reader::new(response.body()), response.version)
        .map_err(|error| format!("an answer to OffsetCommit that cannot be read ({error})"))?;
    let mut partitions = Vec::new();
    for topic in &answer.topics {
        let name: Arc<str> = name_of(ids, topic.name, topic.topic_id).into();
        partitions.extend(
            topic.partitions.iter().map(|answered| (Arc::clone(&name), answered.partition_index, answered.error_code)),
        );
    }
    Ok(Committed { throttle_time_ms: answer.throttle_time_ms, partitions })
}

/// A question for the committed offsets of `partitions`, which are sorted by topic.
pub(crate) fn fetch<'a>(
    group_id: &'a str,
    partitions: &'a [(Arc<str>, i32)],
    ids: &[(Uuid, Arc<str>)],
    stable: bool,
    version: i16,
) -> OffsetFetchRequest<'a> {
    let mut topics: Vec<(&'a str, Vec<i32>)> = Vec::new();
    for (topic, partition) in partitions {
        match topics.last_mut() {
            Some((name, numbers)) if *name == &**topic => numbers.push(*partition),
            _ => topics.push((topic, vec![*partition])),
        }
    }
    if version < GROUPS {
        let topics =
            topics.into_iter().map(|(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes });
        return OffsetFetchRequest {
            group_id,
            topics: Some(topics.collect()),
            require_stable: stable && version >= STABLE,
            ..Default::default()
        };
    }
    let by_id = version > LAST_WITH_NAMES;
    let topics = topics.into_iter().map(|(name, partition_indexes)| OffsetFetchRequestTopics {
        name: if by_id { "" } else { name },
        topic_id: if by_id { id_of(ids, name) } else { Uuid::ZERO },
        partition_indexes,
    });
    let group = OffsetFetchRequestGroup { group_id, topics: Some(topics.collect()), ..Default::default() };
    OffsetFetchRequest { groups: vec![group], require_stable: stable, ..Default::default() }
}

/// What an answer to OffsetFetch says.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) throttle_time_ms: i32,
    /// The group's error code, 0 for none.
    pub(crate) error: i16,
    /// With each partition's error code.
    pub(crate) partitions: Vec<(OffsetAnswer, i16)>,
}

/// Reads an answer to OffsetFetch.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn fetched(response: &Response, ids: &[(Uuid, Arc<str>)]) -> Result<Fetched, String> {
    let answer = OffsetFetchResponse::decode(&mut Reader::new(response.body()), response.version)
        .map_err(|error| format!("an answer to OffsetFetch that cannot be read ({error})"))?;
    let mut read =
        Fetched { throttle_time_ms: answer.throttle_time_ms, error: answer.error_code, partitions: Vec::new() };
    for topic in &answer.topics {
        let name: Arc<str> = topic.name.into();
        for one in &topic.partitions {
            let epoch = one.committed_leader_epoch;
            read.take(&name, (one.partition_index, one.committed_offset, epoch), one.metadata, one.error_code);
        }
    }
    for group in &answer.groups {
        read.error = group.error_code;
        for topic in &group.topics {
            let name: Arc<str> = name_of(ids, topic.name, topic.topic_id).into();
            for one in &topic.partitions {
                let epoch = one.committed_leader_epoch;
                read.take(&name, (one.partition_index, one.committed_offset, epoch), one.metadata, one.error_code);
            }
        }
    }
    Ok(read)
}

impl Fetched {
    fn take(&mut self, topic: &Arc<str>, at: (i32, i64, i32), metadata: Option<&str>, error_code: i16) {
        let (partition, offset, leader_epoch) = at;
        let answer = OffsetAnswer {
            topic: Arc::clone(topic),
            partition,
            // Without a commit the broker says -1.
            offset: if offset >= 0 { offset } else { OFFSET_INVALID },
            leader_epoch: if offset >= 0 { leader_epoch } else { -1 },
            metadata: metadata.filter(|text| !text.is_empty()).map(Arc::from),
            error: (error_code != 0).then(|| Error::broker(error_code)),
        };
        self.partitions.push((answer, error_code));
    }
}
