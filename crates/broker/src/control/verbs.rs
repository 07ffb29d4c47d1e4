//! What a test does to the cluster: kill and start brokers, move leaders and coordinators, arm faults, look.

use std::collections::VecDeque;
use std::fmt;

use super::fault::{Fault, FaultId};
use super::request_log::LogEntry;
use crate::cluster::Cluster;
use crate::groups::{CoordinatorType, GroupSnapshot};
use crate::machine::{Now, Output};

/// Why a leader or coordinator was not moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveError {
    /// No such partition.
    UnknownPartition {
        /// Its topic.
        topic: String,
        /// Its number.
        partition: i32,
    },
    /// No such broker, or it does not run.
    NotAlive {
        /// Its id.
        node: i32,
    },
    /// The broker holds no replica of the partition.
    NotReplica {
        /// Its id.
        node: i32,
        /// Those that do.
        replicas: Vec<i32>,
    },
}

impl fmt::Display for MoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPartition { topic, partition } => {
                write!(f, "there is no partition {partition} of topic {topic:?}; create the topic first")
            }
            Self::NotAlive { node } => write!(f, "broker {node} does not run; start it first"),
            Self::NotReplica { node, replicas } => {
                write!(f, "broker {node} holds no replica; those that do are {replicas:?}")
            }
        }
    }
}

impl std::error::Error for MoveError {}

impl Cluster {
    /// Kills a broker: its connections close, its partitions and groups go to others at once (leader epoch + 1).
    /// Nothing acknowledged is lost. False when it does not run anyway.
    pub fn kill(&mut self, now: Now, node: i32) -> bool {
        if !self.nodes.set_alive(node, false) {
            return false;
        }
        self.output(Output::StopListening { node });
        for connection in self.connections_of(node) {
            self.close(connection);
        }
        self.fetch_sessions.remove(&node);
        self.elect(|leader| leader == Some(node));
        self.node_changed(now);
        true
    }

    /// Starts a broker again, at its address. It leads what has no leader and what it alone holds; leaders that were
    /// moved stay. False when it runs already.
    pub fn start(&mut self, now: Now, node: i32) -> bool {
        if !self.nodes.set_alive(node, true) {
            return false;
        }
        self.output(Output::Listen { node });
        self.elect(|leader| leader.is_none());
        self.node_changed(now);
        true
    }

    /// Gives the first live replica the partitions whose leader is `stale`.
    fn elect(&mut self, stale: impl Fn(Option<i32>) -> bool) {
        let mut changes = Vec::new();
        for topic in self.topics.iter() {
            for (index, partition) in topic.partitions().iter().enumerate() {
                let next = partition.replicas().iter().copied().find(|node| self.nodes.is_alive(*node));
                if stale(partition.leader()) && next != partition.leader() {
                    changes.push((topic.name().clone(), index as i32, next));
                }
            }
        }
        for (topic, index, leader) in changes {
            self.lead(&topic, index, leader);
        }
    }

    fn node_changed(&mut self, now: Now) {
        let live = self.nodes.alive().map(|node| node.id).collect();
        self.groups.set_live(now, live);
        self.wake_answered();
    }

    /// Gives a partition to another of its replicas, in a new leader epoch.
    ///
    /// # Errors
    /// As [`MoveError`] says.
    pub fn move_leader(&mut self, _now: Now, topic: &str, partition: i32, node: i32) -> Result<(), MoveError> {
        let found = self.topics.by_name(topic).and_then(|topic| topic.partition(partition));
        let Some(found) = found else {
            return Err(MoveError::UnknownPartition { topic: topic.to_owned(), partition });
        };
        if !found.replicas().contains(&node) {
            return Err(MoveError::NotReplica { node, replicas: found.replicas().to_vec() });
        }
        if !self.nodes.is_alive(node) {
            return Err(MoveError::NotAlive { node });
        }
        self.lead(topic, partition, Some(node));
        Ok(())
    }

    /// Gives a group to another broker, until that one dies. Who waits for a rebalance is sent away; the new
    /// coordinator knows the last complete generation and all offsets.
    ///
    /// # Errors
    /// [`MoveError::NotAlive`].
    pub fn move_coordinator(&mut self, now: Now, group: &str, node: i32) -> Result<(), MoveError> {
        if !self.groups.move_coordinator(now, group, node) {
            return Err(MoveError::NotAlive { node });
        }
        self.wake_answered();
        Ok(())
    }

    /// The group's coordinator loads it again: it answers `COORDINATOR_LOAD_IN_PROGRESS` for so many milliseconds.
    pub fn load_coordinator(&mut self, now: Now, group: &str, for_ms: u64) {
        self.groups.load_coordinator(now, group, for_ms);
        self.wake_answered();
    }

    /// The broker that coordinates a group; `None` when none runs.
    pub fn coordinator(&self, group: &str) -> Option<i32> {
        self.groups.coordinator(CoordinatorType::Group, group)
    }

    /// A group as it is now: state, generation, members with their assignments, offsets.
    pub fn group(&self, name: &str) -> Option<GroupSnapshot> {
        self.groups.snapshot(name)
    }

    /// Arms a fault. Of several that are due for a request the one that was armed first takes hold, alone of those
    /// that strike before the handler, and alone of those that strike after.
    pub fn arm(&mut self, fault: Fault) -> FaultId {
        self.control.faults.arm(fault)
    }

    /// How often an armed fault took hold; 0 for one that is not armed.
    pub fn fired(&self, id: FaultId) -> u64 {
        self.control.faults.fired(id)
    }

    /// Disarms a fault; false where it is not armed.
    pub fn disarm(&mut self, id: FaultId) -> bool {
        self.control.faults.disarm(id)
    }

    /// Disarms all faults. What they hold back stays held back.
    pub fn clear_faults(&mut self) {
        self.control.faults.clear();
    }

    /// The armed faults that never took hold, and what they are: a test that leaves one tested nothing.
    pub fn unfired(&self) -> Vec<(FaultId, String)> {
        self.control.faults.unfired()
    }

    /// The requests so far, the oldest first, at most 100,000; empty unless [`Settings::request_log`] is set.
    ///
    /// [`Settings::request_log`]: crate::Settings::request_log
    pub fn request_log(&self) -> &VecDeque<LogEntry> {
        self.control.log.entries()
    }

    /// Forgets the requests so far.
    pub fn clear_request_log(&mut self) {
        self.control.log.clear();
    }
}
