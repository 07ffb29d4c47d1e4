//! One partition: its replicas, its leader and the leader's epoch, its log, and who waits for records of it.

use std::collections::BTreeSet;

use crate::log::Log;
use crate::machine::RequestId;

/// A partition. All replicas share one log.
#[derive(Debug)]
pub struct Partition {
    replicas: Vec<i32>,
    leader: Option<i32>,
    leader_epoch: i32,
    log: Log,
    /// Parked Fetches.
    waiting: BTreeSet<RequestId>,
}

impl Partition {
    pub(crate) fn new(replicas: Vec<i32>) -> Self {
        let leader = replicas.first().copied();
        let mut log = Log::default();
        log.begin_epoch(0);
        Self { leader, replicas, leader_epoch: 0, log, waiting: BTreeSet::new() }
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

    /// Gives it another leader, or none, in a new epoch. Whoever waits is to be woken.
    pub(crate) fn set_leader(&mut self, leader: Option<i32>) {
        self.leader = leader;
        self.leader_epoch += 1;
        self.log.begin_epoch(self.leader_epoch);
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// The request waits for a change.
    pub(crate) fn await_change(&mut self, request: RequestId) {
        self.waiting.insert(request);
    }

    /// The request waits no more.
    pub(crate) fn forget_waiting(&mut self, request: RequestId) {
        self.waiting.remove(&request);
    }

    /// Those that wait, who are to be woken after a change.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = RequestId> {
        self.waiting.iter().copied()
    }
}
