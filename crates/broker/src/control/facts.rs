//! What a request names: topics, partitions, groups, members. Faults select by it, and the request log counts it. A
//! request that cannot be read names nothing.

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::create_topics::CreateTopicsRequest;
use ottla_protocol::messages::delete_topics::DeleteTopicsRequest;
use ottla_protocol::messages::fetch::FetchRequest;
use ottla_protocol::messages::find_coordinator::FindCoordinatorRequest;
use ottla_protocol::messages::heartbeat::HeartbeatRequest;
use ottla_protocol::messages::init_producer_id::InitProducerIdRequest;
use ottla_protocol::messages::join_group::JoinGroupRequest;
use ottla_protocol::messages::leave_group::LeaveGroupRequest;
use ottla_protocol::messages::list_offsets::ListOffsetsRequest;
use ottla_protocol::messages::metadata::MetadataRequest;
use ottla_protocol::messages::offset_commit::OffsetCommitRequest;
use ottla_protocol::messages::offset_fetch::OffsetFetchRequest;
use ottla_protocol::messages::offset_for_leader_epoch::OffsetForLeaderEpochRequest;
use ottla_protocol::messages::produce::ProduceRequest;
use ottla_protocol::messages::sync_group::SyncGroupRequest;
use ottla_protocol::primitives::{DecodeError, Uuid};

use crate::cluster::{Cluster, Topics};
use crate::handlers::Call;

/// A topic that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Empty for an id that nobody knows.
    pub(crate) topic: String,
    /// `None` where the request is about the whole topic.
    pub(crate) partitions: Option<Vec<i32>>,
}

/// What a request names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) topics: Vec<Named>,
    /// It is about all topics.
    pub(crate) every_topic: bool,
    pub(crate) groups: Vec<String>,
    pub(crate) members: Vec<String>,
    pub(crate) transactional_ids: Vec<String>,
}

impl Facts {
    /// Whether it names this partition of this topic; `None` is any.
    pub(crate) fn names(&self, topic: Option<&str>, partition: Option<i32>) -> bool {
        let hit = |named: &Named| {
            topic.is_none_or(|topic| topic == named.topic)
                && partition.is_none_or(|partition| {
                    named.partitions.as_ref().is_none_or(|partitions| partitions.contains(&partition))
                })
        };
        self.every_topic || self.topics.iter().any(hit)
    }

    pub(crate) fn of(cluster: &Cluster, call: &Call) -> Self {
        read(cluster, call).unwrap_or_default()
    }
}

/// The name of a topic that goes by name or by id.
pub(crate) fn topic_name<'t>(topics: &'t Topics, name: &'t str, id: Uuid) -> &'t str {
    if name.is_empty() { topics.by_id(id).map_or("", |topic| topic.name()) } else { name }
}

fn read(cluster: &Cluster, call: &Call) -> Result<Facts, DecodeError> {
    let topics = cluster.topics();
    let named = |name: &str, id: Uuid, partitions: Vec<i32>| Named {
        topic: topic_name(topics, name, id).to_owned(),
        partitions: Some(partitions),
    };
    let whole = |name: &str, id: Uuid| Named { topic: topic_name(topics, name, id).to_owned(), partitions: None };
    let words = |words: &[Option<&str>]| -> Vec<String> {
        words.iter().flatten().filter(|word| !word.is_empty()).map(|word| (*word).to_owned()).collect()
    };
    let none = Uuid::default();
    let mut facts = Facts::default();
    match call.api {
        ApiKey::Produce => {
            let request: ProduceRequest<'_> = call.decode()?;
            facts.transactional_ids = words(&[request.transactional_id]);
            let topic = request.topic_data.iter().map(|topic| {
                named(topic.name, topic.topic_id, topic.partition_data.iter().map(|data| data.index).collect())
            });
            facts.topics = topic.collect();
        }
        ApiKey::Fetch => {
            let request: FetchRequest<'_> = call.decode()?;
            let topic = request.topics.iter().map(|topic| {
                named(topic.topic, topic.topic_id, topic.partitions.iter().map(|asked| asked.partition).collect())
            });
            // A request within a session names only what changed.
            let session = cluster.fetch_sessions.get(&call.node).into_iter();
            let session = session.flat_map(|sessions| sessions.names(request.session_id));
            let session = session.map(|name| named(&name.topic, name.id, vec![name.partition]));
            facts.topics = topic.chain(session).collect();
        }
        ApiKey::ListOffsets => {
            let request: ListOffsetsRequest<'_> = call.decode()?;
            let topic = request.topics.iter().map(|topic| {
                named(topic.name, none, topic.partitions.iter().map(|asked| asked.partition_index).collect())
            });
            facts.topics = topic.collect();
        }
        ApiKey::OffsetForLeaderEpoch => {
            let request: OffsetForLeaderEpochRequest<'_> = call.decode()?;
            let topic = request
                .topics
                .iter()
                .map(|topic| named(topic.topic, none, topic.partitions.iter().map(|asked| asked.partition).collect()));
            facts.topics = topic.collect();
        }
        ApiKey::Metadata => {
            let request: MetadataRequest<'_> = call.decode()?;
            facts.every_topic = request.topics.as_ref().is_none_or(|asked| call.version == 0 && asked.is_empty());
            let topics = request.topics.iter().flatten();
            facts.topics = topics.map(|topic| whole(topic.name.unwrap_or_default(), topic.topic_id)).collect();
        }
        ApiKey::OffsetCommit => {
            let request: OffsetCommitRequest<'_> = call.decode()?;
            facts.groups = vec![request.group_id.to_owned()];
            facts.members = words(&[Some(request.member_id), request.group_instance_id]);
            let topic = request.topics.iter().map(|topic| {
                named(topic.name, topic.topic_id, topic.partitions.iter().map(|asked| asked.partition_index).collect())
            });
            facts.topics = topic.collect();
        }
        ApiKey::OffsetFetch => {
            let request: OffsetFetchRequest<'_> = call.decode()?;
            let groups = request.groups.iter().map(|group| group.group_id);
            facts.groups = groups.chain((call.version < 8).then_some(request.group_id)).map(str::to_owned).collect();
            facts.every_topic = request.topics.is_none() || request.groups.iter().any(|group| group.topics.is_none());
            let single = request.topics.iter().flatten().map(|topic| (topic.name, none, &topic.partition_indexes));
            let many = request.groups.iter().flat_map(|group| group.topics.iter().flatten());
            let many = many.map(|topic| (topic.name, topic.topic_id, &topic.partition_indexes));
            facts.topics =
                single.chain(many).map(|(name, id, partitions)| named(name, id, partitions.clone())).collect();
        }
        ApiKey::FindCoordinator => {
            let request: FindCoordinatorRequest<'_> = call.decode()?;
            let single = (call.version < 4).then_some(request.key);
            let keys = request.coordinator_keys.iter().copied().chain(single).map(str::to_owned).collect();
            if request.key_type == 1 { facts.transactional_ids = keys } else { facts.groups = keys }
        }
        ApiKey::JoinGroup => {
            let request: JoinGroupRequest<'_> = call.decode()?;
            facts.groups = vec![request.group_id.to_owned()];
            facts.members = words(&[Some(request.member_id), request.group_instance_id]);
        }
        ApiKey::SyncGroup => {
            let request: SyncGroupRequest<'_> = call.decode()?;
            facts.groups = vec![request.group_id.to_owned()];
            facts.members = words(&[Some(request.member_id), request.group_instance_id]);
        }
        ApiKey::Heartbeat => {
            let request: HeartbeatRequest<'_> = call.decode()?;
            facts.groups = vec![request.group_id.to_owned()];
            facts.members = words(&[Some(request.member_id), request.group_instance_id]);
        }
        ApiKey::LeaveGroup => {
            let request: LeaveGroupRequest<'_> = call.decode()?;
            facts.groups = vec![request.group_id.to_owned()];
            let many = request.members.iter().flat_map(|who| [Some(who.member_id), who.group_instance_id]);
            facts.members = words(&many.chain([Some(request.member_id)]).collect::<Vec<_>>());
        }
        ApiKey::CreateTopics => {
            let request: CreateTopicsRequest<'_> = call.decode()?;
            facts.topics = request.topics.iter().map(|topic| whole(topic.name, none)).collect();
        }
        ApiKey::DeleteTopics => {
            let request: DeleteTopicsRequest<'_> = call.decode()?;
            let by_id = request.topics.iter().map(|topic| whole(topic.name.unwrap_or_default(), topic.topic_id));
            facts.topics = request.topic_names.iter().map(|name| whole(name, none)).chain(by_id).collect();
        }
        ApiKey::InitProducerId => {
            let request: InitProducerIdRequest<'_> = call.decode()?;
            facts.transactional_ids = words(&[request.transactional_id]);
        }
        _ => {}
    }
    Ok(facts)
}
