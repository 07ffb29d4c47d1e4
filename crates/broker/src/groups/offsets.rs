//! The committed offsets of one group, by topic name and partition. Whether a commit is allowed is `commit`'s.

use std::collections::BTreeMap;

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// The leader epoch of the last record before it, or -1.
    pub leader_epoch: i32,
    /// The text that came with it. Null is kept as empty, as in Kafka.
    pub metadata: String,
    /// When it came, in milliseconds since 1970.
    pub committed_at: i64,
}

/// All offsets of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    topics: BTreeMap<String, BTreeMap<i32, CommittedOffset>>,
}

impl Offsets {
    pub(crate) const fn new() -> Self {
        Self { topics: BTreeMap::new() }
    }

    /// Whether nothing was ever committed.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// What was committed for a partition.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.topics.get(topic)?.get(&partition)
    }

    /// All topics, by name, with their partitions.
    pub fn topics(&self) -> impl Iterator<Item = (&str, &BTreeMap<i32, CommittedOffset>)> {
        self.topics.iter().map(|(name, partitions)| (name.as_str(), partitions))
    }

    pub(crate) fn commit(&mut self, topic: &str, partition: i32, offset: CommittedOffset) {
        match self.topics.get_mut(topic) {
            Some(partitions) => {
                partitions.insert(partition, offset);
            }
            None => {
                self.topics.insert(topic.to_owned(), BTreeMap::from([(partition, offset)]));
            }
        }
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
    }
}
