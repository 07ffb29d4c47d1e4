//! JoinGroup: who is let in, who is sent back for an id (KIP-394), who takes whose place (KIP-345), who waits.

use super::coordinator::Groups;
use super::group::{Group, answer_join, answer_sync};
use super::member::{Member, offered};
use super::rebalance::{NEW_MEMBER_JOIN_TIMEOUT_MS, Turn};
use super::reply::{Answer, Caller, JoinReply, Reply, SyncReply, Ticket};
use super::state::GroupState;
use crate::machine::Now;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::join_group::JoinGroupRequest;
use std::sync::Arc;

/// From this version on a dynamic member has to come back with the id that it was given.
const REQUIRES_MEMBER_ID: i16 = 4;
/// From this version on a static leader that came back may be told not to assign.
const SKIPS_ASSIGNMENT: i16 = 9;

/// One JoinGroup on its way through.
struct Join<'r, 'a> {
    request: &'r JoinGroupRequest<'a>,
    caller: Caller<'r>,
    ticket: Ticket,
}

impl Groups {
    /// A JoinGroup that reached its node. The answer comes by [`take_answers`](Self::take_answers), at once or later.
    pub fn join(&mut self, now: Now, node: i32, caller: Caller<'_>, ticket: Ticket, request: &JoinGroupRequest<'_>) {
        if let Err(refusal) = self.try_join(now, node, caller, ticket, request) {
            self.answers.push(Answer { ticket, reply: Reply::Join(refusal) });
        }
    }

    fn try_join(
        &mut self,
        now: Now,
        node: i32,
        caller: Caller<'_>,
        ticket: Ticket,
        request: &JoinGroupRequest<'_>,
    ) -> Result<(), JoinReply> {
        let sent_id = |error| JoinReply::error(error, request.member_id);
        if request.group_id.is_empty() {
            return Err(sent_id(ErrorCode::INVALID_GROUP_ID));
        }
        let sessions = self.settings.min_session_timeout_ms..=self.settings.max_session_timeout_ms;
        if !sessions.contains(&request.session_timeout_ms) {
            return Err(sent_id(ErrorCode::INVALID_SESSION_TIMEOUT));
        }
        self.check(now, node, request.group_id).map_err(sent_id)?;
        let is_unknown = request.member_id.is_empty();
        if is_unknown {
            self.make(request.group_id);
        }
        let max_size = self.settings.max_size;
        let Some(group) = self.groups.get(request.group_id) else {
            return Err(sent_id(ErrorCode::UNKNOWN_MEMBER_ID));
        };
        if !group.has_room(request.member_id, max_size) {
            self.change(now, request.group_id, |group, _| group.remove(request.member_id));
            return Err(JoinReply::error(ErrorCode::GROUP_MAX_SIZE_REACHED, ""));
        }
        if group.state == GroupState::Dead {
            return Err(sent_id(ErrorCode::COORDINATOR_NOT_AVAILABLE));
        }
        if !group.supports(request.protocol_type, &request.protocols) {
            return Err(sent_id(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        let new_id = is_unknown.then(|| self.member_id(caller.client_id, request.group_instance_id));
        let join = Join { request, caller, ticket };
        let joined = self.change(now, request.group_id, |group, turn| match new_id {
            Some(new_id) => group.join_new(turn, &join, new_id),
            None => group.join_existing(turn, &join),
        });
        joined.unwrap_or(Ok(()))
    }
}

impl Group {
    fn has_room(&self, member_id: &str, max_size: usize) -> bool {
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                self.member(member_id).is_some_and(|member| member.awaiting_join.is_some())
                    || self.awaiting_join() < max_size
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.member(member_id).is_some() || self.members.len() < max_size
            }
        }
    }

    fn join_new(&mut self, turn: &mut Turn<'_>, join: &Join<'_, '_>, new_id: String) -> Result<(), JoinReply> {
        if let Some(instance) = join.request.group_instance_id {
            match self.static_member_id(instance).map(str::to_owned) {
                Some(old_id) => self.replace_static_member(turn, join, &old_id, new_id),
                None => self.add_then_rebalance(turn, join, new_id),
            }
            return Ok(());
        }
        if join.caller.version >= REQUIRES_MEMBER_ID {
            let session = u64::try_from(join.request.session_timeout_ms).unwrap_or(0);
            let refusal = JoinReply::error(ErrorCode::MEMBER_ID_REQUIRED, &new_id);
            self.pending.insert(new_id, turn.after_ms(session));
            return Err(refusal);
        }
        self.add_then_rebalance(turn, join, new_id);
        Ok(())
    }

    fn join_existing(&mut self, turn: &mut Turn<'_>, join: &Join<'_, '_>) -> Result<(), JoinReply> {
        let request = join.request;
        if self.pending.contains_key(request.member_id) {
            if request.group_instance_id.is_some() {
                // No client does this; Kafka fails with an exception that it did not expect.
                return Err(JoinReply::error(ErrorCode::UNKNOWN_SERVER_ERROR, request.member_id));
            }
            self.add_then_rebalance(turn, join, request.member_id.to_owned());
            return Ok(());
        }
        if let Err(error) = self.validate_member(request.member_id, request.group_instance_id) {
            return Err(JoinReply::error(error, request.member_id));
        }
        let unchanged = self.member(request.member_id).is_some_and(|member| member.matches(&request.protocols));
        let answered_at_once = match self.state {
            // Perhaps the first answer was lost: the generation is the same.
            GroupState::CompletingRebalance => unchanged,
            // The leader may come again because topics changed; a follower that has nothing new may go on to sync.
            GroupState::Stable => unchanged && !self.is_leader(request.member_id),
            GroupState::PreparingRebalance => false,
            GroupState::Empty | GroupState::Dead => {
                return Err(JoinReply::error(ErrorCode::UNKNOWN_MEMBER_ID, request.member_id));
            }
        };
        if answered_at_once {
            return Err(self.join_reply_by_role(request.member_id));
        }
        self.update_member(join, request.member_id);
        self.rebalance_or_complete(turn);
        Ok(())
    }

    fn update_member(&mut self, join: &Join<'_, '_>, member_id: &str) {
        let request = join.request;
        let Some(member) = self.member_mut(member_id) else { return };
        member.offered = offered(&request.protocols);
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        member.session_timeout_ms = request.session_timeout_ms;
        // An older JoinGroup of the same member is never answered, as in Kafka.
        member.awaiting_join = Some(join.ticket);
    }

    fn add_then_rebalance(&mut self, turn: &mut Turn<'_>, join: &Join<'_, '_>, member_id: String) {
        let request = join.request;
        if self.state == GroupState::PreparingRebalance && self.previous_state == GroupState::Empty {
            self.new_member_added = true;
        }
        let member = Member {
            member_id,
            group_instance_id: request.group_instance_id.map(str::to_owned),
            client_id: join.caller.client_id.to_owned(),
            client_host: join.caller.client_host.to_owned(),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            offered: offered(&request.protocols),
            assignment: Arc::from([]),
            is_new: true,
            awaiting_join: Some(join.ticket),
            awaiting_sync: None,
            session_ends: Some(turn.after_ms(NEW_MEMBER_JOIN_TIMEOUT_MS)),
        };
        self.add(member, request.protocol_type);
        self.rebalance_or_complete(turn);
    }

    /// The instance came back under no id, most likely after a restart: it gets a new id and the old assignment, and
    /// whoever still uses the old id is fenced (KIP-345).
    fn replace_static_member(&mut self, turn: &mut Turn<'_>, join: &Join<'_, '_>, old_id: &str, new_id: String) {
        let old_leader = self.leader.clone();
        let Some(member) = self.member_mut(old_id) else { return };
        let fenced = JoinReply::error(ErrorCode::FENCED_INSTANCE_ID, old_id);
        answer_join(turn.answers, &mut member.awaiting_join, fenced);
        answer_sync(turn.answers, &mut member.awaiting_sync, SyncReply::error(ErrorCode::FENCED_INSTANCE_ID));
        // The old id stays among those whose SyncGroup is awaited, as in Kafka: if it was, the group rebalances again
        // when the time for that is over.
        member.member_id.clone_from(&new_id);
        member.is_new = false;
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        self.renew_session(turn, &new_id);
        self.update_member(join, &new_id);
        match self.state {
            GroupState::Stable if self.select_protocol() == self.protocol_name => {
                self.store();
                let is_leader = self.is_leader(&new_id);
                let reply = if join.caller.version >= SKIPS_ASSIGNMENT {
                    JoinReply { skip_assignment: is_leader, ..self.join_reply_by_role(&new_id) }
                } else {
                    // An older client must not assign anew: it is told that its old id leads.
                    JoinReply { leader: old_leader.unwrap_or_default(), ..self.join_reply(&new_id, Vec::new()) }
                };
                if let Some(member) = self.member_mut(&new_id) {
                    answer_join(turn.answers, &mut member.awaiting_join, reply);
                }
            }
            GroupState::Stable => self.rebalance_or_complete(turn),
            // The leader may be assigning to the old id right now.
            GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            _ => self.complete_if_all_joined(turn),
        }
    }
}
