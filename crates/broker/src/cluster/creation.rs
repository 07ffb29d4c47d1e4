//! What a new topic must fulfil, and where its partitions go; what happens to those who wait when a topic goes or a leader
//! changes.

use std::fmt;

use ottla_protocol::primitives::Uuid;

use super::{Cluster, Partition, TopicConfigs, is_topic_name};

/// Most partitions of a topic: what fits a test.
const MAX_PARTITIONS: i32 = 10_000;

/// What a new topic is to be. By default, what the settings of the cluster say.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    /// How many partitions; `None` for the default.
    pub partitions: Option<i32>,
    /// How many replicas each has; `None` for the default.
    pub replication_factor: Option<i16>,
    /// The replicas of each partition, the preferred leader first; empty where the cluster chooses.
    pub assignments: Vec<Vec<i32>>,
    /// Its settings.
    pub configs: TopicConfigs,
}

/// Why a topic was not created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateError {
    /// There is one of that name.
    Exists,
    /// The name is empty, too long, `.`, `..`, or has other characters than letters, digits, `.`, `_` and `-`.
    InvalidName,
    /// The name differs from that of this topic by nothing but dots and underscores.
    Collides(String),
    /// No partitions.
    InvalidPartitions,
    /// More partitions than this.
    TooManyPartitions(i32),
    /// No replicas.
    InvalidReplicationFactor,
    /// More replicas than there are live brokers.
    TooFewBrokers {
        /// Replicas.
        wanted: usize,
        /// Live brokers.
        alive: usize,
    },
    /// An assignment without replicas, with one twice, or of another number than that of the others.
    InvalidAssignment(String),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("a topic of that name exists"),
            Self::InvalidName => f.write_str(
                "the name must have 1 to 249 letters, digits, dots, underscores and hyphens, and not be . or ..",
            ),
            Self::Collides(other) => {
                write!(f, "the name differs from that of topic {other:?} by nothing but dots and underscores")
            }
            Self::InvalidPartitions => f.write_str("a topic has at least one partition"),
            Self::TooManyPartitions(most) => write!(f, "a topic has at most {most} partitions here"),
            Self::InvalidReplicationFactor => f.write_str("the replication factor is at least one"),
            Self::TooFewBrokers { wanted, alive } => {
                write!(f, "replication factor {wanted} wants more brokers than the {alive} that run")
            }
            Self::InvalidAssignment(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for CreateError {}

impl Cluster {
    /// The replicas of each partition of a new topic.
    fn assign(&self, name: &str, new: &NewTopic) -> Result<Vec<Vec<i32>>, CreateError> {
        let alive: Vec<i32> = self.nodes.alive().map(|node| node.id).collect();
        if !new.assignments.is_empty() {
            return self.check_assignments(&new.assignments).map(|()| new.assignments.clone());
        }
        let partitions = new.partitions.unwrap_or(self.settings.default_partitions);
        if partitions <= 0 {
            return Err(CreateError::InvalidPartitions);
        }
        if partitions > MAX_PARTITIONS {
            return Err(CreateError::TooManyPartitions(MAX_PARTITIONS));
        }
        let factor = match new.replication_factor {
            Some(factor) if factor <= 0 => return Err(CreateError::InvalidReplicationFactor),
            Some(factor) => factor as usize,
            None => (self.settings.default_replication_factor.max(1) as usize).min(alive.len()),
        };
        if factor == 0 || factor > alive.len() {
            return Err(CreateError::TooFewBrokers { wanted: factor, alive: alive.len() });
        }
        // Leaders go round from a broker that the name decides, so that topics do not all begin with the first one.
        let first = name.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let broker = |place: usize| alive[(first % alive.len() + place) % alive.len()];
        Ok((0..partitions as usize).map(|index| (0..factor).map(|replica| broker(index + replica)).collect()).collect())
    }

    fn check_assignments(&self, assignments: &[Vec<i32>]) -> Result<(), CreateError> {
        let factor = assignments.first().map_or(0, Vec::len);
        for replicas in assignments {
            let unknown = replicas.iter().find(|id| self.nodes.by_id(**id).is_none());
            let twice = replicas.iter().enumerate().find(|(place, id)| replicas[..*place].contains(id));
            let wrong = if replicas.is_empty() {
                "The manual partition assignment includes an empty replica list.".into()
            } else if let Some((_, id)) = twice {
                format!("The manual partition assignment includes the broker {id} more than once.")
            } else if let Some(id) = unknown {
                format!("The manual partition assignment includes broker {id}, but no such broker is registered.")
            } else if replicas.len() != factor {
                format!(
                    "The manual partition assignment includes a partition with {} replica(s), but this is not consistent \
                     with previous partitions, which have {factor} replica(s).",
                    replicas.len()
                )
            } else {
                continue;
            };
            return Err(CreateError::InvalidAssignment(wrong));
        }
        Ok(())
    }

    /// Whether a topic could be created: its replicas.
    pub(crate) fn check_new_topic(&self, name: &str, new: &NewTopic) -> Result<Vec<Vec<i32>>, CreateError> {
        if self.topics.by_name(name).is_some() {
            return Err(CreateError::Exists);
        }
        if !is_topic_name(name) {
            return Err(CreateError::InvalidName);
        }
        if let Some(other) = self.topics.colliding(name) {
            return Err(CreateError::Collides(other.name().to_string()));
        }
        self.assign(name, new)
    }

    /// Creates a topic; gives its id.
    ///
    /// # Errors
    /// As [`CreateError`] says.
    pub(crate) fn make_topic(&mut self, name: &str, new: NewTopic) -> Result<Uuid, CreateError> {
        let replicas = self.check_new_topic(name, &new)?;
        let id = Uuid(self.random.bytes16());
        self.topics.insert(name, id, replicas.into_iter().map(Partition::new).collect(), new.configs);
        Ok(id)
    }

    /// A producer id that nobody has.
    pub(crate) fn next_producer_id(&mut self) -> i64 {
        self.last_producer_id += 1;
        self.last_producer_id
    }

    /// Creates a topic that a client asked for, if there is none.
    pub(crate) fn auto_create_topic(&mut self, name: &str) -> Result<(), CreateError> {
        match self.make_topic(name, NewTopic::default()) {
            Ok(_) | Err(CreateError::Exists) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes a topic with its records, and wakes who waits for them; gives whether there was one.
    pub(crate) fn remove_topic(&mut self, name: &str) -> bool {
        let Some(topic) = self.topics.remove(name) else { return false };
        self.groups.topic_deleted(name);
        for partition in topic.partitions() {
            self.stored_bytes = self.stored_bytes.saturating_sub(partition.log().bytes());
            self.woken.extend(partition.waiting());
        }
        true
    }

    /// Gives a partition another leader, or none, in a new epoch, and wakes who waits for its records; gives whether
    /// there is such a partition.
    pub(crate) fn lead(&mut self, topic: &str, index: i32, leader: Option<i32>) -> bool {
        let topic = self.topics.by_name_mut(topic);
        let Some(partition) = topic.and_then(|topic| topic.partition_mut(index)) else { return false };
        partition.set_leader(leader);
        self.woken.extend(partition.waiting());
        true
    }
}
