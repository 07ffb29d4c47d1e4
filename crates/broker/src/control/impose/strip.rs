//! What is left of a request when a part of it is refused: partitions, topics or members that the error does not hit
//! are served, and nothing that it hits is applied.

use ottla_protocol::api::ApiKey;
use ottla_protocol::header::encode_request_header;
use ottla_protocol::messages::create_topics::CreateTopicsRequest;
use ottla_protocol::messages::delete_topics::DeleteTopicsRequest;
use ottla_protocol::messages::fetch::FetchRequest;
use ottla_protocol::messages::leave_group::LeaveGroupRequest;
use ottla_protocol::messages::offset_commit::OffsetCommitRequest;
use ottla_protocol::messages::produce::ProduceRequest;
use ottla_protocol::primitives::{Message, Uuid, Writer};

use super::Blow;
use crate::control::fault::Level;
use crate::frame::Frame;
use crate::handlers::Call;

/// What is left of a request.
pub(crate) enum Rest {
    /// Nothing: an empty answer gets the error.
    Nothing,
    /// All of it: nothing would be applied anyway.
    Same,
    /// This request in its place, with where its body begins.
    Other(Frame, usize),
    /// Nothing, and no answer is wanted: Kafka closes the connection of a Produce with `acks=0` that fails.
    Unanswerable,
}

pub(crate) fn strip(call: &Call, blow: &Blow<'_>) -> Rest {
    let none = Uuid::default();
    match call.api {
        ApiKey::Produce => {
            let Ok(mut request) = call.decode::<ProduceRequest<'_>>() else { return Rest::Same };
            if request.acks == 0 {
                return Rest::Unanswerable;
            }
            for topic in &mut request.topic_data {
                let (name, id) = (topic.name, topic.topic_id);
                topic.partition_data.retain(|data| !blow.hits(name, id, data.index));
            }
            request.topic_data.retain(|topic| !topic.partition_data.is_empty());
            other(call, &request, request.topic_data.is_empty())
        }
        ApiKey::OffsetCommit => {
            let Ok(mut request) = call.decode::<OffsetCommitRequest<'_>>() else { return Rest::Same };
            for topic in &mut request.topics {
                let (name, id) = (topic.name, topic.topic_id);
                topic.partitions.retain(|asked| !blow.hits(name, id, asked.partition_index));
            }
            request.topics.retain(|topic| !topic.partitions.is_empty());
            other(call, &request, request.topics.is_empty())
        }
        ApiKey::CreateTopics => {
            let Ok(mut request) = call.decode::<CreateTopicsRequest<'_>>() else { return Rest::Same };
            request.topics.retain(|topic| !blow.hits_topic(topic.name, none));
            other(call, &request, request.topics.is_empty())
        }
        ApiKey::DeleteTopics => {
            let Ok(mut request) = call.decode::<DeleteTopicsRequest<'_>>() else { return Rest::Same };
            request.topics.retain(|topic| !blow.hits_topic(topic.name.unwrap_or_default(), topic.topic_id));
            request.topic_names.retain(|name| !blow.hits_topic(name, none));
            other(call, &request, request.topics.is_empty() && request.topic_names.is_empty())
        }
        ApiKey::LeaveGroup if blow.level == Level::Member && call.version >= 3 => {
            let Ok(mut request) = call.decode::<LeaveGroupRequest<'_>>() else { return Rest::Same };
            request.members.retain(|who| !blow.hits_member(who.member_id, who.group_instance_id));
            other(call, &request, request.members.is_empty())
        }
        ApiKey::Fetch => {
            // A Fetch with an error is answered at once.
            let Ok(mut request) = call.decode::<FetchRequest<'_>>() else { return Rest::Same };
            (request.max_wait_ms, request.min_bytes) = (0, 0);
            if blow.level == Level::Top && call.version >= 7 { Rest::Nothing } else { other(call, &request, false) }
        }
        ApiKey::Metadata
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::OffsetFetch
        | ApiKey::FindCoordinator
        | ApiKey::ApiVersions => Rest::Same,
        _ => Rest::Nothing,
    }
}

fn other<'a, M: Message<'a>>(call: &Call, request: &M, is_empty: bool) -> Rest {
    if is_empty {
        return Rest::Nothing;
    }
    let mut w = Writer::with_capacity(call.frame.as_slice().len());
    let client_id = call.client_id.as_deref();
    let header = encode_request_header(&mut w, call.api, call.version, call.correlation_id, client_id);
    let body = w.len();
    if header.is_err() || request.encode(&mut w, call.version).is_err() {
        return Rest::Nothing;
    }
    Rest::Other(Frame::new(w.into_parts().0), body)
}
