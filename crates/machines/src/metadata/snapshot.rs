//! The newest known state of the cluster, and how an answer of a broker changes it.
//!
//! An answer can be older than what is known (brokers learn of a new leader at different times), so a leader of a lower
//! epoch never replaces one of a higher, unless the topic was made anew (another topic id, KIP-516).
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::messages::metadata::{MetadataResponse, MetadataResponseTopic};
use ottla_protocol::primitives::Uuid;

use crate::machine::{Endpoint, NodeId};

/// One partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// `None` while an election goes on.
    pub leader: Option<NodeId>,
    /// -1 where the broker does not tell.
    pub leader_epoch: i32,
    /// The broker's error code, 0 for none.
    pub error: i16,
}

/// A topic: its partitions by their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    pub name: Arc<str>,
    /// Zero where the broker does not tell.
    pub topic_id: Uuid,
    /// The broker's error code, 0 for none.
    pub error: i16,
    pub partitions: Vec<PartitionMetadata>,
}

/// The cluster.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub cluster_id: Option<String>,
    pub controller: Option<NodeId>,
    pub brokers: Vec<(NodeId, Endpoint)>,
    topics: BTreeMap<Arc<str>, TopicMetadata>,
    names: BTreeMap<Uuid, Arc<str>>,
}

impl Snapshot {
    pub fn topic(&self, name: &str) -> Option<&TopicMetadata> {
        self.topics.get(name)
    }

    /// All topics that are known, by name.
    pub fn topics(&self) -> impl Iterator<Item = &TopicMetadata> {
        self.topics.values()
    }

    pub fn topic_name(&self, id: Uuid) -> Option<&Arc<str>> {
        self.names.get(&id)
    }

    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionMetadata> {
        self.topic(topic)?.partitions.get(usize::try_from(partition).ok()?)
    }

    /// A new leader, learnt from an answer to Produce or Fetch (KIP-951). Returns whether it was news.
    pub fn moved(&mut self, topic: &str, partition: i32, leader: NodeId, epoch: i32) -> bool {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        let Some(known) = self.topics.get_mut(topic).and_then(|topic| topic.partitions.get_mut(index)) else {
            return false;
        };
        let news = epoch > known.leader_epoch;
        if news {
            *known = PartitionMetadata { leader: Some(leader), leader_epoch: epoch, error: 0 };
        }
        news
    }

    /// The leader turned out not to lead any more: there is none until an answer names one.
    pub fn forget_leader(&mut self, topic: &str, partition: i32, node: NodeId) -> bool {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        let known = self.topics.get_mut(topic).and_then(|topic| topic.partitions.get_mut(index));
        match known.filter(|known| known.leader == Some(node)) {
            Some(known) => {
                known.leader = None;
                true
            }
            None => false,
        }
    }

    /// Takes an answer in. Returns whether anything changed.
    pub fn update(&mut self, response: &MetadataResponse<'_>) -> bool {
        let endpoint = |host: &str, port: i32| Endpoint { host: host.into(), port: u16::try_from(port).unwrap_or(0) };
        let brokers: Vec<_> = response
            .brokers
            .iter()
            .map(|broker| (NodeId(broker.node_id), endpoint(broker.host, broker.port)))
            .collect();
        let mut changed = false;
        if !brokers.is_empty() && brokers != self.brokers {
            self.brokers = brokers;
            changed = true;
        }
        self.controller = (response.controller_id >= 0).then_some(NodeId(response.controller_id));
        if response.cluster_id.is_some() {
            self.cluster_id = response.cluster_id.map(str::to_owned);
        }
        for topic in &response.topics {
            changed |= self.update_topic(topic);
        }
        changed
    }

    fn update_topic(&mut self, topic: &MetadataResponseTopic<'_>) -> bool {
        let Some(name) = topic.name.or_else(|| self.names.get(&topic.topic_id).map(|name| &**name)) else {
            return false;
        };
        let name: Arc<str> = name.into();
        let known = self.topics.get(&name);
        if topic.error_code != 0
            && known.is_some_and(|known| known.error == 0 && !known.partitions.is_empty())
            && transient(topic.error_code)
        {
            return false;
        }
        let count = topic.partitions.iter().map(|partition| partition.partition_index + 1).max().unwrap_or(0);
        let unknown = PartitionMetadata { leader: None, leader_epoch: -1, error: 0 };
        let mut partitions = vec![unknown; usize::try_from(count).unwrap_or(0).min(topic.partitions.len())];
        for partition in &topic.partitions {
            let index = usize::try_from(partition.partition_index).unwrap_or(usize::MAX);
            let Some(slot) = partitions.get_mut(index) else { continue };
            let leader = (partition.leader_id >= 0).then_some(NodeId(partition.leader_id));
            *slot = PartitionMetadata { leader, leader_epoch: partition.leader_epoch, error: partition.error_code };
            let older = known
                .filter(|known| known.topic_id == topic.topic_id)
                .and_then(|known| known.partitions.get(index))
                .filter(|known| known.leader_epoch > partition.leader_epoch && partition.leader_epoch >= 0);
            if let Some(newer) = older {
                *slot = newer.clone();
            }
        }
        let news = TopicMetadata { name: name.clone(), topic_id: topic.topic_id, error: topic.error_code, partitions };
        if known == Some(&news) {
            return false;
        }
        if let Some(known) = known {
            self.names.remove(&known.topic_id);
        }
        if topic.topic_id != Uuid::ZERO {
            self.names.insert(topic.topic_id, name.clone());
        }
        self.topics.insert(name, news);
        true
    }

    /// The whole cluster was listed, and `listed` does not have this topic: it does not exist.
    pub(super) fn vanished(&mut self, name: &Arc<str>) -> bool {
        const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
        let error = UNKNOWN_TOPIC_OR_PARTITION;
        let gone = TopicMetadata { name: name.clone(), topic_id: Uuid::ZERO, error, partitions: Vec::new() };
        if self.topics.get(name) == Some(&gone) {
            return false;
        }
        self.forget(name);
        self.topics.insert(name.clone(), gone);
        true
    }

    pub fn forget(&mut self, name: &str) {
        if let Some(topic) = self.topics.remove(name) {
            self.names.remove(&topic.topic_id);
        }
    }
}

/// An error that passes: it says nothing about the topic, so what is known of it stays.
fn transient(code: i16) -> bool {
    const LEADER_NOT_AVAILABLE: i16 = 5;
    const REQUEST_TIMED_OUT: i16 = 7;
    const BROKER_NOT_AVAILABLE: i16 = 8;
    const NETWORK_EXCEPTION: i16 = 13;
    matches!(code, LEADER_NOT_AVAILABLE | REQUEST_TIMED_OUT | BROKER_NOT_AVAILABLE | NETWORK_EXCEPTION)
}
