//! One classic group's members: who is in, who leads, which protocol wins the vote, what survives a change of
//! coordinator. How a rebalance runs is `rebalance`'s; who may ask for what is `join`'s, `sync`'s and `leave`'s.

use super::member::{Member, Offered};
use super::offsets::Offsets;
use super::reply::{Answer, JoinReply, JoinedMember, Reply, SyncReply, Ticket};
use super::state::GroupState;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::join_group::JoinGroupRequestProtocol;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// When the join phase ends although not all have joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinTimer {
    /// The rebalance timeout.
    Complete { at: u64 },
    /// The first rebalance of a group waits for more members (`group.initial.rebalance.delay.ms`).
    Initial { at: u64, delay_ms: u64, remaining_ms: u64 },
}

impl JoinTimer {
    pub(crate) fn at(self) -> u64 {
        match self {
            Self::Complete { at } | Self::Initial { at, .. } => at,
        }
    }
}

/// What Kafka writes to `__consumer_offsets` of a group's members: all that a new coordinator knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol_name: Option<Arc<str>>,
    pub(crate) leader: Option<String>,
    pub(crate) members: Vec<Member>,
}

/// A classic group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) state: GroupState,
    pub(crate) previous_state: GroupState,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol_name: Option<Arc<str>>,
    pub(crate) leader: Option<String>,
    /// In the order of joining.
    pub(crate) members: Vec<Member>,
    /// Ids that were given out and not joined with yet (KIP-394), and when they lapse.
    pub(crate) pending: BTreeMap<String, u64>,
    /// Members of this generation that have not asked for their assignment.
    pub(crate) pending_sync: BTreeSet<String>,
    /// Somebody came while the first rebalance was waiting.
    pub(crate) new_member_added: bool,
    pub(crate) join_timer: Option<JoinTimer>,
    pub(crate) sync_ends: Option<u64>,
    pub(crate) offsets: Offsets,
    pub(crate) stored: Stored,
    /// Under which deadline the group stands in the coordinator's timers.
    pub(crate) scheduled: Option<u64>,
}

impl Group {
    pub(crate) fn new() -> Self {
        Self {
            state: GroupState::Empty,
            previous_state: GroupState::Dead,
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: Vec::new(),
            pending: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            new_member_added: false,
            join_timer: None,
            sync_ends: None,
            offsets: Offsets::default(),
            stored: Stored::default(),
            scheduled: None,
        }
    }

    pub(crate) fn transition(&mut self, next: GroupState) {
        debug_assert!(self.state.may_become(next), "{:?} to {next:?}", self.state);
        self.previous_state = self.state;
        self.state = next;
    }

    pub(crate) fn member(&self, member_id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.member_id == member_id)
    }

    pub(crate) fn member_mut(&mut self, member_id: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.member_id == member_id)
    }

    pub(crate) fn static_member_id(&self, group_instance_id: &str) -> Option<&str> {
        let found = self.members.iter().find(|member| member.group_instance_id.as_deref() == Some(group_instance_id));
        found.map(|member| member.member_id.as_str())
    }

    pub(crate) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(crate) fn awaiting_join(&self) -> usize {
        self.members.iter().filter(|member| member.awaiting_join.is_some()).count()
    }

    pub(crate) fn all_have_joined(&self) -> bool {
        self.pending.is_empty() && self.members.iter().all(|member| member.awaiting_join.is_some())
    }

    /// The longest of the members', in milliseconds.
    pub(crate) fn rebalance_timeout_ms(&self) -> u64 {
        let longest = self.members.iter().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0);
        u64::try_from(longest).unwrap_or(0)
    }

    /// The instance id must be the member's own, and the member in the group (KIP-345).
    pub(crate) fn validate_member(&self, member_id: &str, group_instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = group_instance_id {
            match self.static_member_id(instance) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(existing) if existing != member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        self.member(member_id).map(|_| ()).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    pub(crate) fn add(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.into());
        }
        if self.leader.is_none() {
            self.leader = Some(member.member_id.clone());
        }
        self.pending.remove(&member.member_id);
        self.members.push(member);
    }

    /// Takes a member out; the leader's place goes to the member that has been here longest.
    pub(crate) fn remove(&mut self, member_id: &str) {
        self.members.retain(|member| member.member_id != member_id);
        if self.is_leader(member_id) {
            self.leader = self.members.first().map(|member| member.member_id.clone());
        }
        self.pending.remove(member_id);
        self.pending_sync.remove(member_id);
    }

    /// If the leader has not joined again, another that has takes its place. False when nobody has.
    pub(crate) fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = self.leader.as_deref() else { return false };
        if self.member(leader).is_some_and(|member| member.awaiting_join.is_some()) {
            return true;
        }
        let joined = self.members.iter().find(|member| member.awaiting_join.is_some());
        let Some(joined) = joined.map(|member| member.member_id.clone()) else { return false };
        self.leader = Some(joined);
        true
    }

    /// Whether a member that offers these can be in the group. An empty group takes any type with any protocol.
    pub(crate) fn supports(&self, protocol_type: &str, protocols: &[JoinGroupRequestProtocol<'_>]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let all_offer = |name: &str| self.members.iter().all(|member| member.supports(name));
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(|offered| all_offer(offered.name))
    }

    /// Each member votes for the first of its protocols that all offer; most votes win. Between equals the one that
    /// the earlier member voted for wins (Kafka's choice there is that of a hash map).
    pub(crate) fn select_protocol(&self) -> Option<Arc<str>> {
        let candidate = |offered: &&Offered| self.members.iter().all(|member| member.supports(&offered.name));
        let mut votes: Vec<(Arc<str>, usize)> = Vec::new();
        for member in &self.members {
            let Some(choice) = member.offered.iter().find(candidate) else { continue };
            match votes.iter_mut().find(|(name, _)| *name == choice.name) {
                Some((_, count)) => *count += 1,
                None => votes.push((choice.name.clone(), 1)),
            }
        }
        let most = votes.iter().map(|(_, count)| *count).max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name)
    }

    /// All members with their metadata for the chosen protocol, as the leader is told.
    pub(crate) fn joined_members(&self) -> Vec<JoinedMember> {
        let name = self.protocol_name.as_deref().unwrap_or_default();
        let joined = |member: &Member| JoinedMember {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            metadata: member.metadata(name),
        };
        self.members.iter().map(joined).collect()
    }

    /// The answer of the present generation.
    pub(crate) fn join_reply(&self, member_id: &str, members: Vec<JoinedMember>) -> JoinReply {
        JoinReply {
            error: ErrorCode::NONE,
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members,
        }
    }

    /// As [`join_reply`](Self::join_reply), with the members where `member_id` leads.
    pub(crate) fn join_reply_by_role(&self, member_id: &str) -> JoinReply {
        let members = if self.is_leader(member_id) { self.joined_members() } else { Vec::new() };
        self.join_reply(member_id, members)
    }

    /// Remembers what a new coordinator would read (Kafka's group metadata record).
    pub(crate) fn store(&mut self) {
        self.stored = Stored {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone(),
            members: self.members.clone(),
        };
    }

    /// The earliest moment at which something is due, in microseconds.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let sessions = self.members.iter().filter_map(|member| member.session_ends).min();
        let pending = self.pending.values().copied().min();
        let join = self.join_timer.map(JoinTimer::at);
        [sessions, pending, join, self.sync_ends].into_iter().flatten().min()
    }
}

/// Answers a parked JoinGroup, if there is one.
pub(crate) fn answer_join(answers: &mut Vec<Answer>, waiting: &mut Option<Ticket>, reply: JoinReply) -> bool {
    let Some(ticket) = waiting.take() else { return false };
    answers.push(Answer { ticket, reply: Reply::Join(reply) });
    true
}

/// Answers a parked SyncGroup, if there is one.
pub(crate) fn answer_sync(answers: &mut Vec<Answer>, waiting: &mut Option<Ticket>, reply: SyncReply) -> bool {
    let Some(ticket) = waiting.take() else { return false };
    answers.push(Answer { ticket, reply: Reply::Sync(reply) });
    true
}
