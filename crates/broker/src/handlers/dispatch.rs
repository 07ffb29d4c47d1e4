//! Which APIs are served, at which versions, and by which handler. A key or version stands here only when it is served
//! whole: ApiVersions tells of nothing else.

use ottla_protocol::api::ApiKey;

use super::{
    Answer, Call, Handled, api_versions, create_topics, delete_topics, fetch, find_coordinator, heartbeat,
    init_producer_id, join_group, leave_group, list_offsets, metadata, offset_commit, offset_fetch,
    offset_for_leader_epoch, produce, sync_group,
};
use crate::cluster::Cluster;

/// The served APIs with the lowest and highest version, those of Kafka 4.4, in the order of their keys.
pub(crate) const SERVED: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 0, 13),
    (ApiKey::Fetch, 4, 18),
    (ApiKey::ListOffsets, 1, 11),
    (ApiKey::Metadata, 0, 13),
    (ApiKey::OffsetCommit, 2, 10),
    (ApiKey::OffsetFetch, 1, 10),
    (ApiKey::FindCoordinator, 0, 6),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::ApiVersions, 0, 5),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::InitProducerId, 0, 5),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
];

/// The versions of an API.
pub(crate) fn served(api: ApiKey) -> Option<(i16, i16)> {
    SERVED.iter().find(|(key, ..)| *key == api).map(|(_, min, max)| (*min, *max))
}

/// Has the request handled. Its API and version are served, but for ApiVersions, which answers in any version.
pub(crate) fn handle(cluster: &mut Cluster, call: &mut Call) -> Handled {
    match call.api {
        ApiKey::Produce => produce::handle(cluster, call),
        ApiKey::Fetch => fetch::handle(cluster, call),
        ApiKey::ListOffsets => list_offsets::handle(cluster, call),
        ApiKey::Metadata => metadata::handle(cluster, call),
        ApiKey::OffsetCommit => offset_commit::handle(cluster, call),
        ApiKey::OffsetFetch => offset_fetch::handle(cluster, call),
        ApiKey::FindCoordinator => find_coordinator::handle(cluster, call),
        ApiKey::JoinGroup => join_group::handle(cluster, call),
        ApiKey::Heartbeat => heartbeat::handle(cluster, call),
        ApiKey::LeaveGroup => leave_group::handle(cluster, call),
        ApiKey::SyncGroup => sync_group::handle(cluster, call),
        ApiKey::CreateTopics => create_topics::handle(cluster, call),
        ApiKey::DeleteTopics => delete_topics::handle(cluster, call),
        ApiKey::InitProducerId => init_producer_id::handle(cluster, call),
        ApiKey::OffsetForLeaderEpoch => offset_for_leader_epoch::handle(cluster, call),
        ApiKey::ApiVersions => api_versions::handle(cluster, call),
        _ => Ok(Answer::Close),
    }
}

/// A parked request whose connection is gone: its handler forgets it.
pub(crate) fn abandon(cluster: &mut Cluster, call: &Call) {
    cluster.group_replies.remove(&call.id);
    if call.api == ApiKey::Fetch {
        fetch::abandon(cluster, call);
    }
    cluster.control.abandon(call.id);
}
