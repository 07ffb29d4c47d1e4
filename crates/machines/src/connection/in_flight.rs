//! The requests of one connection that wait for their answers. A broker answers in the order of asking.
use std::collections::VecDeque;

use ottla_protocol::api::ApiKey;

/// Whose request it was; comes back with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    Handshake,
    Metadata,
    Query(u64),
    Admin(u64),
    Produce(u64),
    InitProducerId,
    Fetch(u64),
    ListOffsets(u64),
    OffsetForLeaderEpoch(u64),
    FindCoordinator,
    /// Requests of group membership carry the number of the attempt: answers to an older one say nothing any more.
    JoinGroup(u64),
    SyncGroup(u64),
    Heartbeat(u64),
    LeaveGroup(u64),
    OffsetCommit(u64),
    OffsetFetch(u64),
}

/// A request that was sent and not yet answered.
#[derive(Clone, Debug)]
pub struct InFlight {
    pub correlation_id: i32,
    pub api: ApiKey,
    pub version: i16,
    pub tag: Tag,
    pub sent_us: u64,
    pub deadline_us: u64,
}

/// All of one connection, oldest first.
#[derive(Debug, Default)]
pub struct InFlights {
    next_correlation_id: i32,
    waiting: VecDeque<InFlight>,
}

impl InFlights {
    /// The number of the next request; never negative.
    pub fn correlation_id(&mut self) -> i32 {
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1) & i32::MAX;
        self.next_correlation_id
    }

    pub fn sent(&mut self, request: InFlight) {
        self.waiting.push_back(request);
    }

    /// The request that this answer must be for, or `None` when nothing was asked.
    pub fn answered(&mut self) -> Option<InFlight> {
        self.waiting.pop_front()
    }

    pub fn front(&self) -> Option<&InFlight> {
        self.waiting.front()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the first of them is overdue.
    pub fn deadline(&self) -> Option<u64> {
        self.waiting.iter().map(|request| request.deadline_us).min()
    }

    pub fn drain(&mut self) -> impl Iterator<Item = InFlight> + '_ {
        self.waiting.drain(..)
    }
}
