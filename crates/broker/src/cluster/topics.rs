//! Topics by name and by id, and what a new one must fulfil.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::primitives::Uuid;

use super::{Partition, TopicConfigs};
use crate::log::Rules;

/// Longest name of a topic.
const MAX_NAME: usize = 249;

/// A topic.
#[derive(Debug)]
pub struct Topic {
    name: Arc<str>,
    id: Uuid,
    partitions: Vec<Partition>,
    configs: TopicConfigs,
}

impl Topic {
    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its id; that of a topic of the same name that was deleted is another.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Its partitions, by their index.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Whether it is one of Kafka's own.
    pub fn is_internal(&self) -> bool {
        matches!(&*self.name, "__consumer_offsets" | "__transaction_state")
    }

    /// Its settings.
    pub fn configs(&self) -> &TopicConfigs {
        &self.configs
    }

    pub(crate) fn rules(&self, message_max_bytes: i32, wall_ms: i64) -> Rules {
        self.configs.rules(message_max_bytes, wall_ms)
    }

    pub(crate) fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    /// One of its partitions.
    pub fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

/// All topics.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: BTreeMap<Arc<str>, Topic>,
    by_id: BTreeMap<Uuid, Arc<str>>,
}

impl Topics {
    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    /// The topic of a name.
    pub fn by_name(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    /// The topic of an id.
    pub fn by_id(&self, id: Uuid) -> Option<&Topic> {
        self.by_name.get(self.by_id.get(&id)?)
    }

    pub(crate) fn by_name_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.by_name.get_mut(name)
    }

    /// Adds a topic whose name is free.
    pub(crate) fn insert(&mut self, name: &str, id: Uuid, partitions: Vec<Partition>, configs: TopicConfigs) {
        let name: Arc<str> = name.into();
        self.by_id.insert(id, Arc::clone(&name));
        self.by_name.insert(Arc::clone(&name), Topic { name, id, partitions, configs });
    }

    /// The topic whose name differs by nothing but dots and underscores, which metrics cannot tell apart.
    pub(crate) fn colliding(&self, name: &str) -> Option<&Topic> {
        let alike = |other: &str| {
            other.len() == name.len()
                && other.bytes().zip(name.bytes()).all(|(a, b)| a == b || matches!((a, b), (b'.', b'_') | (b'_', b'.')))
        };
        self.iter().find(|topic| &**topic.name() != name && alike(topic.name()))
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.by_id.remove(&topic.id);
        Some(topic)
    }
}

/// Whether a topic may be called that.
pub fn is_topic_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= MAX_NAME && name != "." && name != ".." && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        for name in ["a", "a.b-c_D9", &"x".repeat(249)] {
            assert!(is_topic_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(!is_topic_name(name), "{name}");
        }
    }
}
