//! SyncGroup and Heartbeat.

use super::coordinator::Groups;
use super::group::Group;
use super::reply::{Answer, Reply, SyncReply, Ticket};
use super::state::GroupState;
use crate::machine::Now;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::heartbeat::HeartbeatRequest;
use ottla_protocol::messages::sync_group::SyncGroupRequest;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Groups {
    /// A SyncGroup that reached its node. The answer comes by [`take_answers`](Self::take_answers), at once or later.
    pub fn sync(&mut self, now: Now, node: i32, ticket: Ticket, request: &SyncGroupRequest<'_>) {
        match self.try_sync(now, node, ticket, request) {
            Ok(None) => {}
            Ok(Some(reply)) => self.answers.push(Answer { ticket, reply: Reply::Sync(reply) }),
            Err(error) => self.answers.push(Answer { ticket, reply: Reply::Sync(SyncReply::error(error)) }),
        }
    }

    fn try_sync(
        &mut self,
        now: Now,
        node: i32,
        ticket: Ticket,
        request: &SyncGroupRequest<'_>,
    ) -> Result<Option<SyncReply>, ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        self.check(now, node, request.group_id)?;
        let group = self.groups.get(request.group_id).filter(|group| group.state != GroupState::Empty);
        let group = group.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if group.state == GroupState::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        group.validate_member(request.member_id, request.group_instance_id)?;
        if request.generation_id != group.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs = |sent: Option<&str>, ours: &Option<Arc<str>>| match (sent, ours) {
            (Some(sent), Some(ours)) => sent != &**ours,
            _ => false,
        };
        if differs(request.protocol_type, &group.protocol_type) || differs(request.protocol_name, &group.protocol_name)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        match group.state {
            GroupState::CompletingRebalance | GroupState::Stable => {}
            _ => return Err(ErrorCode::REBALANCE_IN_PROGRESS),
        }
        let synced = self.change(now, request.group_id, |group, turn| {
            group.pending_sync.remove(request.member_id);
            if group.pending_sync.is_empty() {
                group.sync_ends = None;
            }
            if group.state == GroupState::Stable {
                return Some(group.sync_reply(request.member_id));
            }
            if let Some(member) = group.member_mut(request.member_id) {
                // An older SyncGroup of the same member is never answered, as in Kafka.
                member.awaiting_sync = Some(ticket);
            }
            if group.is_leader(request.member_id) {
                let assigned: BTreeMap<&str, Arc<[u8]>> =
                    request.assignments.iter().map(|given| (given.member_id, Arc::from(given.assignment))).collect();
                group.assign(turn, |member_id| assigned.get(member_id).cloned().unwrap_or_else(|| Arc::from([])));
            }
            None
        });
        Ok(synced.flatten())
    }

    /// A Heartbeat that reached its node.
    pub fn heartbeat(&mut self, now: Now, node: i32, request: &HeartbeatRequest<'_>) -> ErrorCode {
        self.try_heartbeat(now, node, request).err().unwrap_or(ErrorCode::NONE)
    }

    fn try_heartbeat(&mut self, now: Now, node: i32, request: &HeartbeatRequest<'_>) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        match self.check(now, node, request.group_id) {
            // Kafka answers blindly while it loads: the member is most likely in the group.
            Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => return Ok(()),
            checked => checked?,
        }
        let group = self.groups.get(request.group_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if group.state == GroupState::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        group.validate_member(request.member_id, request.group_instance_id)?;
        if request.generation_id != group.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        if group.state == GroupState::Empty {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        let rebalances = group.state == GroupState::PreparingRebalance;
        self.change(now, request.group_id, |group, turn| group.renew_session(turn, request.member_id));
        if rebalances { Err(ErrorCode::REBALANCE_IN_PROGRESS) } else { Ok(()) }
    }
}

impl Group {
    fn sync_reply(&self, member_id: &str) -> SyncReply {
        let assignment = self.member(member_id).map_or_else(|| Arc::from([]), |member| member.assignment.clone());
        SyncReply {
            error: ErrorCode::NONE,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment,
        }
    }
}
