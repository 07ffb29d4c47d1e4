//! How a rebalance runs: prepared, joined, completed, assigned, and what happens when members do not come in time.
//! Follows Kafka 4.4's `GroupMetadataManager` for classic groups.

use super::group::{Group, JoinTimer, answer_join, answer_sync};
use super::reply::{Answer, JoinReply, SyncReply};
use super::state::GroupState;
use ottla_protocol::error_codes::ErrorCode;
use std::sync::Arc;

/// How long a new member's first join may be parked, in milliseconds: it cannot send heartbeats yet, and its
/// disconnection is not noticed.
pub(crate) const NEW_MEMBER_JOIN_TIMEOUT_MS: u64 = 300_000;

/// What a group needs from its coordinator while it changes.
pub(crate) struct Turn<'a> {
    /// Microseconds of the machine's time.
    pub(crate) now_us: u64,
    /// `group.initial.rebalance.delay.ms`.
    pub(crate) initial_delay_ms: u64,
    /// Where answers go.
    pub(crate) answers: &'a mut Vec<Answer>,
}

impl Turn<'_> {
    pub(crate) fn after_ms(&self, ms: u64) -> u64 {
        self.now_us.saturating_add(ms.saturating_mul(1000))
    }
}

impl Group {
    /// The member has shown that it lives.
    pub(crate) fn renew_session(&mut self, turn: &Turn<'_>, member_id: &str) {
        if let Some(member) = self.member_mut(member_id) {
            let session = u64::try_from(member.session_timeout_ms).unwrap_or(0);
            member.session_ends = Some(turn.after_ms(session));
        }
    }

    /// A change of members: begins a rebalance, or goes on with the one that runs.
    pub(crate) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_>) {
        if self.state.may_become(GroupState::PreparingRebalance) {
            self.prepare_rebalance(turn);
        } else {
            self.complete_if_all_joined(turn);
        }
    }

    /// Asks all members to join again.
    pub(crate) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == GroupState::CompletingRebalance {
            self.fail_assignment(turn, ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.pending_sync.clear();
        self.sync_ends = None;
        let is_initial = self.state == GroupState::Empty;
        self.transition(GroupState::PreparingRebalance);
        if is_initial {
            // The group is new: others get time to come.
            let delay_ms = turn.initial_delay_ms;
            let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms);
            self.join_timer = Some(JoinTimer::Initial { at: turn.after_ms(delay_ms), delay_ms, remaining_ms });
        } else if self.all_have_joined() {
            self.complete_join(turn);
        } else {
            self.join_timer = Some(JoinTimer::Complete { at: turn.after_ms(self.rebalance_timeout_ms()) });
        }
    }

    /// Ends the join phase when nobody is missing; the first rebalance of a group waits for its timer instead.
    pub(crate) fn complete_if_all_joined(&mut self, turn: &mut Turn<'_>) {
        let waits_for_timer = self.previous_state == GroupState::Empty;
        if self.state == GroupState::PreparingRebalance && !waits_for_timer && self.all_have_joined() {
            self.complete_join(turn);
        }
    }

    /// Ends the join phase: dynamic members that did not come are out, the others are in the next generation.
    pub(crate) fn complete_join(&mut self, turn: &mut Turn<'_>) {
        self.join_timer = None;
        let absent =
            |member: &&super::member::Member| member.awaiting_join.is_none() && member.group_instance_id.is_none();
        let absent: Vec<String> = self.members.iter().filter(absent).map(|member| member.member_id.clone()).collect();
        for member_id in absent {
            self.remove(&member_id);
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Nobody came, and static members stay until their session ends: wait once more.
            self.join_timer = Some(JoinTimer::Complete { at: turn.after_ms(self.rebalance_timeout_ms().max(1)) });
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        self.pending_sync.clear();
        if self.members.is_empty() {
            self.protocol_name = None;
            self.transition(GroupState::Empty);
            self.store();
            return;
        }
        self.protocol_name = self.select_protocol();
        self.transition(GroupState::CompletingRebalance);
        let ids: Vec<String> = self.members.iter().map(|member| member.member_id.clone()).collect();
        for member_id in ids {
            let reply = self.join_reply_by_role(&member_id);
            self.renew_session(turn, &member_id);
            if let Some(member) = self.member_mut(&member_id) {
                answer_join(turn.answers, &mut member.awaiting_join, reply);
                member.is_new = false;
            }
            self.pending_sync.insert(member_id);
        }
        self.sync_ends = Some(turn.after_ms(self.rebalance_timeout_ms()));
    }

    /// The leader has spoken: every member gets its part, those without one an empty one.
    pub(crate) fn assign(&mut self, turn: &mut Turn<'_>, assignment: impl Fn(&str) -> Arc<[u8]>) {
        for member in &mut self.members {
            member.assignment = assignment(&member.member_id);
        }
        let (protocol_type, protocol_name) = (self.protocol_type.clone(), self.protocol_name.clone());
        self.answer_syncs(turn, |assignment| SyncReply {
            error: ErrorCode::NONE,
            protocol_type: protocol_type.clone(),
            protocol_name: protocol_name.clone(),
            assignment,
        });
        self.transition(GroupState::Stable);
        self.store();
    }

    fn fail_assignment(&mut self, turn: &mut Turn<'_>, error: ErrorCode) {
        for member in &mut self.members {
            member.assignment = Arc::from([]);
        }
        self.answer_syncs(turn, |_| SyncReply::error(error));
    }

    fn answer_syncs(&mut self, turn: &mut Turn<'_>, reply: impl Fn(Arc<[u8]>) -> SyncReply) {
        for member in &mut self.members {
            if answer_sync(turn.answers, &mut member.awaiting_sync, reply(member.assignment.clone())) {
                let session = u64::try_from(member.session_timeout_ms).unwrap_or(0);
                member.session_ends = Some(turn.now_us.saturating_add(session.saturating_mul(1000)));
            }
        }
    }

    /// The first rebalance waits on as long as members come, up to their rebalance timeout.
    fn end_initial_delay(&mut self, turn: &mut Turn<'_>, delay_ms: u64, remaining_ms: u64) {
        if !self.new_member_added || remaining_ms == 0 {
            self.complete_join(turn);
            return;
        }
        self.new_member_added = false;
        let next_ms = turn.initial_delay_ms.min(remaining_ms);
        self.join_timer = Some(JoinTimer::Initial {
            at: turn.after_ms(next_ms),
            delay_ms: next_ms,
            remaining_ms: remaining_ms.saturating_sub(delay_ms),
        });
    }

    /// Members that were in the generation and never asked for their assignment are out.
    fn end_sync(&mut self, turn: &mut Turn<'_>) {
        let late = std::mem::take(&mut self.pending_sync);
        if late.is_empty() || !matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable) {
            return;
        }
        for member_id in late {
            self.remove(&member_id);
        }
        self.prepare_rebalance(turn);
    }

    /// The member's session has ended, or somebody says that it is gone.
    pub(crate) fn expel(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        if let Some(member) = self.member_mut(member_id) {
            // A new member that still lives learns that it has to come again.
            let reply = JoinReply::error(ErrorCode::UNKNOWN_MEMBER_ID, "");
            answer_join(turn.answers, &mut member.awaiting_join, reply);
        }
        self.remove(member_id);
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.rebalance_or_complete(turn),
            GroupState::PreparingRebalance if self.all_have_joined() => self.complete_join(turn),
            _ => {}
        }
    }

    /// An id that was given out lapses, or is given back.
    pub(crate) fn remove_pending(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        self.pending.remove(member_id);
        if self.state == GroupState::PreparingRebalance && self.all_have_joined() {
            self.complete_join(turn);
        }
    }

    /// Does what is due by now.
    pub(crate) fn expire(&mut self, turn: &mut Turn<'_>) {
        while self.deadline().is_some_and(|at| at <= turn.now_us) {
            let now_us = turn.now_us;
            if let Some(timer) = self.join_timer.take_if(|timer| timer.at() <= now_us) {
                match timer {
                    JoinTimer::Complete { .. } => self.complete_join(turn),
                    JoinTimer::Initial { delay_ms, remaining_ms, .. } => {
                        self.end_initial_delay(turn, delay_ms, remaining_ms);
                    }
                }
            } else if self.sync_ends.take_if(|at| *at <= now_us).is_some() {
                self.end_sync(turn);
            } else if let Some(id) = self.pending.iter().find(|(_, at)| **at <= now_us).map(|(id, _)| id.clone()) {
                self.remove_pending(turn, &id);
            } else if let Some(member) =
                self.members.iter_mut().find(|member| member.session_ends.is_some_and(|at| at <= now_us))
            {
                member.session_ends = None;
                if !member.is_excused() {
                    let member_id = member.member_id.clone();
                    self.expel(turn, &member_id);
                }
            }
        }
    }
}
