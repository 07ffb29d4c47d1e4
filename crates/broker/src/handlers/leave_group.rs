//! LeaveGroup, versions 0 to 5: one member up to version 2, several from version 3 on (KIP-345).

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse};

use super::{Call, Handled};
use crate::cluster::Cluster;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: LeaveGroupRequest<'_> = call.decode()?;
    let single = call.version <= 2;
    let members = if single {
        vec![MemberIdentity { member_id: request.member_id, ..Default::default() }]
    } else {
        request.members
    };
    let left = cluster.groups.leave(call.now, call.node, request.group_id, &members);
    cluster.wake_answered();
    let replies = match left {
        Ok(replies) => replies,
        Err(error) => return Ok(call.reply(&LeaveGroupResponse { error_code: error.0, ..Default::default() })),
    };
    if single {
        let error = replies.first().map_or(ErrorCode::NONE, |reply| reply.error);
        return Ok(call.reply(&LeaveGroupResponse { error_code: error.0, ..Default::default() }));
    }
    let members = replies.iter().map(|reply| MemberResponse {
        member_id: &reply.member_id,
        group_instance_id: reply.group_instance_id.as_deref(),
        error_code: reply.error.0,
    });
    Ok(call.reply(&LeaveGroupResponse { members: members.collect(), ..Default::default() }))
}
