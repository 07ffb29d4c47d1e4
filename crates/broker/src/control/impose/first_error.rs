//! The first error code in a response, outermost first: what the request log tells.

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::api_versions::ApiVersionsResponse;
use ottla_protocol::messages::create_topics::CreateTopicsResponse;
use ottla_protocol::messages::delete_topics::DeleteTopicsResponse;
use ottla_protocol::messages::fetch::FetchResponse;
use ottla_protocol::messages::find_coordinator::FindCoordinatorResponse;
use ottla_protocol::messages::heartbeat::HeartbeatResponse;
use ottla_protocol::messages::init_producer_id::InitProducerIdResponse;
use ottla_protocol::messages::join_group::JoinGroupResponse;
use ottla_protocol::messages::leave_group::LeaveGroupResponse;
use ottla_protocol::messages::list_offsets::ListOffsetsResponse;
use ottla_protocol::messages::metadata::MetadataResponse;
use ottla_protocol::messages::offset_commit::OffsetCommitResponse;
use ottla_protocol::messages::offset_fetch::OffsetFetchResponse;
use ottla_protocol::messages::offset_for_leader_epoch::OffsetForLeaderEpochResponse;
use ottla_protocol::messages::produce::ProduceResponse;
use ottla_protocol::messages::sync_group::SyncGroupResponse;

use super::recode::{flat, response};
use crate::handlers::{Call, Reply};

/// The first error code that is not 0; `None` where there is none, or the response is not understood.
pub(crate) fn first_error(call: &Call, reply: &Reply) -> Option<i16> {
    let bytes = flat(reply.clone());
    codes(call, &bytes)?.into_iter().find(|code| *code != 0)
}

fn codes(call: &Call, bytes: &[u8]) -> Option<Vec<i16>> {
    let codes = match call.api {
        ApiKey::Produce => {
            let r: ProduceResponse<'_> = response(call, bytes)?;
            r.responses.iter().flat_map(|topic| &topic.partition_responses).map(|data| data.error_code).collect()
        }
        ApiKey::Fetch => {
            let r: FetchResponse<'_> = response(call, bytes)?;
            let inner = r.responses.iter().flat_map(|topic| &topic.partitions).map(|data| data.error_code);
            [r.error_code].into_iter().chain(inner).collect()
        }
        ApiKey::ListOffsets => {
            let r: ListOffsetsResponse<'_> = response(call, bytes)?;
            r.topics.iter().flat_map(|topic| &topic.partitions).map(|data| data.error_code).collect()
        }
        ApiKey::OffsetForLeaderEpoch => {
            let r: OffsetForLeaderEpochResponse<'_> = response(call, bytes)?;
            r.topics.iter().flat_map(|topic| &topic.partitions).map(|data| data.error_code).collect()
        }
        ApiKey::Metadata => {
            let r: MetadataResponse<'_> = response(call, bytes)?;
            let partitions = r.topics.iter().flat_map(|topic| &topic.partitions).map(|data| data.error_code);
            let topics = r.topics.iter().map(|topic| topic.error_code);
            [r.error_code].into_iter().chain(topics).chain(partitions).collect()
        }
        ApiKey::OffsetCommit => {
            let r: OffsetCommitResponse<'_> = response(call, bytes)?;
            r.topics.iter().flat_map(|topic| &topic.partitions).map(|data| data.error_code).collect()
        }
        ApiKey::OffsetFetch => {
            let r: OffsetFetchResponse<'_> = response(call, bytes)?;
            let single = r.topics.iter().flat_map(|topic| &topic.partitions).map(|data| data.error_code);
            let many = r.groups.iter().flat_map(|group| &group.topics).flat_map(|topic| &topic.partitions);
            let groups = r.groups.iter().map(|group| group.error_code);
            let outer = [r.error_code].into_iter().chain(groups);
            outer.chain(single).chain(many.map(|data| data.error_code)).collect()
        }
        ApiKey::FindCoordinator => {
            let r: FindCoordinatorResponse<'_> = response(call, bytes)?;
            [r.error_code].into_iter().chain(r.coordinators.iter().map(|found| found.error_code)).collect()
        }
        ApiKey::JoinGroup => vec![response::<JoinGroupResponse<'_>>(call, bytes)?.error_code],
        ApiKey::Heartbeat => vec![response::<HeartbeatResponse>(call, bytes)?.error_code],
        ApiKey::LeaveGroup => {
            let r: LeaveGroupResponse<'_> = response(call, bytes)?;
            [r.error_code].into_iter().chain(r.members.iter().map(|member| member.error_code)).collect()
        }
        ApiKey::SyncGroup => vec![response::<SyncGroupResponse<'_>>(call, bytes)?.error_code],
        ApiKey::ApiVersions => vec![response::<ApiVersionsResponse<'_>>(call, bytes)?.error_code],
        ApiKey::CreateTopics => {
            let r: CreateTopicsResponse<'_> = response(call, bytes)?;
            r.topics.iter().map(|topic| topic.error_code).collect()
        }
        ApiKey::DeleteTopics => {
            let r: DeleteTopicsResponse<'_> = response(call, bytes)?;
            r.responses.iter().map(|topic| topic.error_code).collect()
        }
        ApiKey::InitProducerId => vec![response::<InitProducerIdResponse>(call, bytes)?.error_code],
        _ => return None,
    };
    Some(codes)
}
