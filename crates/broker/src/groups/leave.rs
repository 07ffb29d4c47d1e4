//! LeaveGroup: one member or several (KIP-345), by id or, for an administrator, by instance id alone.

use super::coordinator::Groups;
use super::group::{Group, answer_join};
use super::rebalance::Turn;
use super::reply::{JoinReply, LeaveReply};
use super::state::GroupState;
use crate::machine::Now;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::leave_group::MemberIdentity;

impl Groups {
    /// A LeaveGroup that reached its node. Reasons (KIP-800) are for logs, of which there are none here.
    ///
    /// # Errors
    /// What concerns the whole group: no id, or not here.
    pub fn leave(
        &mut self,
        now: Now,
        node: i32,
        group_id: &str,
        members: &[MemberIdentity<'_>],
    ) -> Result<Vec<LeaveReply>, ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        self.check(now, node, group_id)?;
        if self.groups.get(group_id).is_some_and(|group| group.state == GroupState::Dead) {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        let left = self.change(now, group_id, |group, turn| {
            let results: Vec<_> = members.iter().map(|member| group.take_out(turn, member)).collect();
            if results.iter().any(Result::is_ok) {
                match group.state {
                    GroupState::Stable | GroupState::CompletingRebalance => group.rebalance_or_complete(turn),
                    GroupState::PreparingRebalance => group.complete_if_all_joined(turn),
                    GroupState::Empty | GroupState::Dead => {}
                }
            }
            results
        });
        let results = left.unwrap_or_else(|| vec![Err(ErrorCode::UNKNOWN_MEMBER_ID); members.len()]);
        let reply = |(member, result): (&MemberIdentity<'_>, Result<(), ErrorCode>)| LeaveReply {
            member_id: member.member_id.to_owned(),
            group_instance_id: member.group_instance_id.map(str::to_owned),
            error: result.err().unwrap_or(ErrorCode::NONE),
        };
        Ok(members.iter().zip(results).map(reply).collect())
    }
}

impl Group {
    fn take_out(&mut self, turn: &mut Turn<'_>, who: &MemberIdentity<'_>) -> Result<(), ErrorCode> {
        let member_id = if who.member_id.is_empty() {
            let found = who.group_instance_id.and_then(|instance| self.static_member_id(instance));
            found.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?.to_owned()
        } else {
            who.member_id.to_owned()
        };
        if self.pending.contains_key(&member_id) {
            self.remove(&member_id);
            return Ok(());
        }
        if !who.member_id.is_empty() {
            self.validate_member(&member_id, who.group_instance_id)?;
        }
        if let Some(member) = self.member_mut(&member_id) {
            let reply = JoinReply::error(ErrorCode::UNKNOWN_MEMBER_ID, "");
            answer_join(turn.answers, &mut member.awaiting_join, reply);
        }
        self.remove(&member_id);
        Ok(())
    }
}
