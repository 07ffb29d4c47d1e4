//! DeleteTopics (KIP-4): deletes topics by name.
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_protocol::primitives::{Message, Reader};

use super::verdict::Verdict;
use crate::admin::driver::{named, not_spoken, refused};
use crate::client::Reply;
use crate::connection::{Network, Response, Tag};
use crate::error::Error;
use crate::machine::{ConnectionId, Now};

/// From this version on topics are given as structs, by name or by id (KIP-516).
const BY_STATE: i16 = 6;

/// Topics to delete together; each succeeds or fails alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteTopics {
    pub topics: Vec<Arc<str>>,
    /// How long the controller may wait until the topics are gone.
    pub operation_timeout_ms: i32,
}

impl DeleteTopics {
    pub(super) fn send(
        &self,
        now: Now,
        connection: ConnectionId,
        network: &mut Network,
        tag: Tag,
        timeout_us: u64,
    ) -> Result<(), Error> {
        let version = network.version(connection, ApiKey::DeleteTopics).ok_or_else(|| not_spoken("DeleteTopics"))?;
        let mut request = DeleteTopicsRequest { timeout_ms: self.operation_timeout_ms, ..Default::default() };
        if version >= BY_STATE {
            request.topics =
                self.topics.iter().map(|name| DeleteTopicState { name: Some(name), ..Default::default() }).collect();
        } else {
            request.topic_names = self.topics.iter().map(|name| &**name).collect();
        }
        network.request(now, connection, version, &request, tag, timeout_us, &[]).map_err(refused)
    }

    pub(super) fn judge(&self, response: &Response) -> Verdict {
        match DeleteTopicsResponse::decode(&mut Reader::new(response.body()), response.version) {
            Ok(found) => {
                let results = found
                    .responses
                    .iter()
                    // librdkafka asks with a version that has no messages yet, and programs know its texts.
                    .map(|topic| (topic.name.unwrap_or_default(), topic.error_code, None));
                named(self.topics.iter(), results, Reply::Topics)
            }
            Err(error) => Verdict::Unreadable(format!("an answer to DeleteTopics that cannot be read ({error})")),
        }
    }
}
