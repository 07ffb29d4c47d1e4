//! A leader that is not among the brokers of the answer that names it.

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::metadata::MetadataResponse;

use super::recode::{flat, response};
use crate::cluster::Topics;
use crate::control::facts::topic_name;
use crate::control::fault::Select;
use crate::handlers::{Answer, Call, Reply};

/// The reply without the broker that leads the first selected partition; `None` where there is none.
pub(crate) fn unlist_leader(call: &Call, topics: &Topics, select: &Select, reply: &Reply) -> Option<Reply> {
    if call.api != ApiKey::Metadata {
        return None;
    }
    let bytes = flat(reply.clone());
    let mut metadata: MetadataResponse<'_> = response(call, &bytes)?;
    let selected = metadata.topics.iter().filter(|topic| {
        let name = topic_name(topics, topic.name.unwrap_or(""), topic.topic_id);
        select.topic.as_ref().is_none_or(|selected| selected == name)
    });
    let mut partitions = selected.flat_map(|topic| &topic.partitions);
    let led = partitions.find(|partition| {
        partition.leader_id >= 0 && select.partition.is_none_or(|selected| selected == partition.partition_index)
    });
    let leader = led?.leader_id;
    metadata.brokers.retain(|broker| broker.node_id != leader);
    match call.reply(&metadata) {
        Answer::Now(reply) => Some(reply),
        _ => None,
    }
}
