//! Which API's response gets an error how.

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::blow::Blow;
use super::recode::{Asked, flat, recode};
use super::{groups, topics};
use crate::handlers::{Answer, Call, Reply};

/// Whether errors can be imposed on the API's responses.
pub(crate) fn can_fail(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::Produce
            | ApiKey::Fetch
            | ApiKey::ListOffsets
            | ApiKey::Metadata
            | ApiKey::OffsetCommit
            | ApiKey::OffsetFetch
            | ApiKey::FindCoordinator
            | ApiKey::JoinGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::SyncGroup
            | ApiKey::ApiVersions
            | ApiKey::CreateTopics
            | ApiKey::DeleteTopics
            | ApiKey::InitProducerId
            | ApiKey::OffsetForLeaderEpoch
    )
}

/// Puts the error into the reply, or into an empty one where there is none. `asked` is the request as it came. What
/// cannot be read back is left as it is.
pub(crate) fn impose(call: &Call, asked: &Asked, reply: Option<Reply>, blow: &Blow<'_>) -> Answer {
    let bytes = reply.clone().map(flat);
    let (bytes, version) = (bytes.as_deref(), call.version);
    let imposed = match call.api {
        ApiKey::Produce => recode(call, asked, bytes, |request, response| topics::produce(blow, request, response)),
        ApiKey::Fetch => {
            recode(call, asked, bytes, |request, response| topics::fetch(blow, version, request, response))
        }
        ApiKey::ListOffsets => {
            recode(call, asked, bytes, |request, response| topics::list_offsets(blow, request, response))
        }
        ApiKey::OffsetForLeaderEpoch => {
            recode(call, asked, bytes, |request, response| topics::offset_for_leader_epoch(blow, request, response))
        }
        ApiKey::Metadata => {
            recode(call, asked, bytes, |request, response| topics::metadata(blow, version, request, response))
        }
        ApiKey::CreateTopics => {
            recode(call, asked, bytes, |request, response| topics::create_topics(blow, request, response))
        }
        ApiKey::DeleteTopics => {
            recode(call, asked, bytes, |request, response| topics::delete_topics(blow, request, response))
        }
        ApiKey::OffsetCommit => {
            recode(call, asked, bytes, |request, response| groups::offset_commit(blow, request, response))
        }
        ApiKey::OffsetFetch => {
            recode(call, asked, bytes, |request, response| groups::offset_fetch(blow, version, request, response))
        }
        ApiKey::FindCoordinator => {
            recode(call, asked, bytes, |request, response| groups::find_coordinator(blow, version, request, response))
        }
        ApiKey::JoinGroup => recode(call, asked, bytes, |request, response| groups::join(blow, request, response)),
        ApiKey::Heartbeat => recode(call, asked, bytes, |request, response| groups::heartbeat(blow, request, response)),
        ApiKey::SyncGroup => recode(call, asked, bytes, |request, response| groups::sync(blow, request, response)),
        ApiKey::LeaveGroup => {
            recode(call, asked, bytes, |request, response| groups::leave(blow, version, request, response))
        }
        ApiKey::InitProducerId => {
            recode(call, asked, bytes, |_: InitProducerIdRequest<'_>, response: &mut InitProducerIdResponse| {
                *response = InitProducerIdResponse {
                    error_code: blow.code,
                    producer_id: -1,
                    producer_epoch: -1,
                    ..Default::default()
                };
            })
        }
        ApiKey::ApiVersions => {
            recode(call, asked, bytes, |_: ApiVersionsRequest<'_>, response: &mut ApiVersionsResponse<'_>| {
                response.error_code = blow.code;
            })
        }
        _ => None,
    };
    imposed.or(reply.map(Answer::Now)).unwrap_or(Answer::Close)
}
