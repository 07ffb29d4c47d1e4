//! CreateTopics (KIP-4): makes topics, or checks that they could be made.
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use ottla_protocol::primitives::{Message, Reader};

use super::verdict::Verdict;
use crate::admin::driver::{named, not_spoken, refused};
use crate::client::Reply;
use crate::connection::{Network, Response, Tag};
use crate::error::Error;
use crate::machine::{ConnectionId, Now};

/// A topic to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    pub name: Arc<str>,
    /// -1 for the broker's default (KIP-464), or when `assignment` says it.
    pub partitions: i32,
    /// -1 for the broker's default, or when `assignment` says it.
    pub replication_factor: i16,
    /// Replicas of each partition, leader first; empty: the broker chooses.
    pub assignment: Vec<Vec<i32>>,
    pub config: Vec<(String, Option<String>)>,
}

/// Topics to make together; each succeeds or fails alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTopics {
    pub topics: Vec<NewTopic>,
    pub validate_only: bool,
    /// How long the controller may wait until the topics are made.
    pub operation_timeout_ms: i32,
}

impl CreateTopics {
    pub(super) fn send(
        &self,
        now: Now,
        connection: ConnectionId,
        network: &mut Network,
        tag: Tag,
        timeout_us: u64,
    ) -> Result<(), Error> {
        let version = network.version(connection, ApiKey::CreateTopics).ok_or_else(|| not_spoken("CreateTopics"))?;
        let request = CreateTopicsRequest {
            topics: self.topics.iter().map(creatable).collect(),
            timeout_ms: self.operation_timeout_ms,
            validate_only: self.validate_only,
            ..Default::default()
        };
        network.request(now, connection, version, &request, tag, timeout_us, &[]).map_err(refused)
    }

    pub(super) fn judge(&self, response: &Response) -> Verdict {
        match CreateTopicsResponse::decode(&mut Reader::new(response.body()), response.version) {
            Ok(found) => {
                let results = found.topics.iter().map(|topic| (topic.name, topic.error_code, topic.error_message));
                named(self.topics.iter().map(|topic| &topic.name), results, Reply::Topics)
            }
            Err(error) => Verdict::Unreadable(format!("an answer to CreateTopics that cannot be read ({error})")),
        }
    }
}

fn creatable(topic: &NewTopic) -> CreatableTopic<'_> {
    let assignment = |(index, brokers): (usize, &Vec<i32>)| CreatableReplicaAssignment {
        partition_index: index as i32,
        broker_ids: brokers.clone(),
        ..Default::default()
    };
    CreatableTopic {
        name: &topic.name,
        num_partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        assignments: topic.assignment.iter().enumerate().map(assignment).collect(),
        configs: topic
            .config
            .iter()
            .map(|(name, value)| CreatableTopicConfig { name, value: value.as_deref(), ..Default::default() })
            .collect(),
        ..Default::default()
    }
}
