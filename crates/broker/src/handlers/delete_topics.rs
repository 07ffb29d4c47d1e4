//! DeleteTopics: by name, and from version 6 on by id.

use std::collections::BTreeSet;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::delete_topics::{DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_protocol::primitives::Uuid;

use super::{Call, Handled};
use crate::cluster::Cluster;

/// What came of one topic: name, id, error.
type Deleted = (Option<String>, Uuid, ErrorCode, Option<&'static str>);

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: DeleteTopicsRequest<'_> = call.decode()?;
    let by_name = request.topic_names.iter().map(|name| (Some(*name), Uuid::ZERO));
    let asked: Vec<_> = by_name.chain(request.topics.iter().map(|topic| (topic.name, topic.topic_id))).collect();
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for topic in &asked {
        if !seen.insert(*topic) {
            twice.insert(*topic);
        }
    }
    let mut deleted: Vec<Deleted> = Vec::with_capacity(asked.len());
    for topic in &asked {
        let (name, id) = *topic;
        if seen.remove(topic) {
            deleted.push(if twice.contains(topic) {
                let text = if id.is_zero() { "Duplicate topic name." } else { "Duplicate topic id." };
                (name.map(str::to_owned), id, ErrorCode::INVALID_REQUEST, Some(text))
            } else {
                delete(cluster, name, id)
            });
        }
    }
    let mut response = DeleteTopicsResponse::default();
    for (name, id, code, message) in &deleted {
        response.responses.push(DeletableTopicResult {
            name: name.as_deref(),
            topic_id: *id,
            error_code: code.0,
            error_message: *message,
        });
    }
    Ok(call.reply(&response))
}

fn delete(cluster: &mut Cluster, name: Option<&str>, id: Uuid) -> Deleted {
    let topics = cluster.topics();
    let (topic, unknown) = match name {
        Some(name) if !id.is_zero() => {
            let text = "You may not specify both topic name and topic id.";
            return (Some(name.to_owned()), id, ErrorCode::INVALID_REQUEST, Some(text));
        }
        None if id.is_zero() => {
            let text = "Neither topic name nor id were specified.";
            return (None, id, ErrorCode::INVALID_REQUEST, Some(text));
        }
        Some(name) => (topics.by_name(name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        None => (topics.by_id(id), ErrorCode::UNKNOWN_TOPIC_ID),
    };
    let Some((found, id)) = topic.map(|topic| (topic.name().to_string(), topic.id())) else {
        let text = if id.is_zero() {
            "This server does not host this topic-partition."
        } else {
            "This server does not host this topic ID."
        };
        return (name.map(str::to_owned), id, unknown, Some(text));
    };
    cluster.remove_topic(&found);
    (Some(found), id, ErrorCode::NONE, None)
}
