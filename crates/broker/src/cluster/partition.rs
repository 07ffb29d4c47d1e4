//! One partition: its replicas, its leader and the leader's epoch.

/// A partition. All replicas share one log.
#[derive(Debug)]
pub struct Partition {
    replicas: Vec<i32>,
    leader: Option<i32>,
    leader_epoch: i32,
}

impl Partition {
    pub(crate) fn new(replicas: Vec<i32>) -> Self {
        Self { leader: replicas.first().copied(), replicas, leader_epoch: 0 }
    }

    /// The brokers that hold it, the preferred leader first.
    pub fn replicas(&self) -> &[i32] {
        &self.replicas
    }

    /// The broker that serves it.
    pub fn leader(&self) -> Option<i32> {
        self.leader
    }

    /// Raised with each change of the leader.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Gives it another leader, or none, in a new epoch.
    pub(crate) fn set_leader(&mut self, leader: Option<i32>) {
        self.leader = leader;
        self.leader_epoch += 1;
    }
}
