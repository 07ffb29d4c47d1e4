//! JoinGroup, versions 0 to 9: parked until the group is ready. What the group makes of it is `groups`'.

use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};

use super::group_replies::{caller, parked};
use super::{Answer, Attempt, Call, Handled};
use crate::cluster::Cluster;
use crate::groups::{JoinReply, Reply};

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    if call.attempt == Attempt::First {
        let mut request: JoinGroupRequest<'_> = call.decode()?;
        if call.version == 0 {
            // The session's time-out stood for both.
            request.rebalance_timeout_ms = request.session_timeout_ms;
        }
        cluster.groups.join(call.now, call.node, caller(call), call.id.0, &request);
    }
    match cluster.group_reply(call) {
        Some(Reply::Join(reply)) => Ok(answer(call, &reply)),
        _ => Ok(parked()),
    }
}

fn answer(call: &Call, reply: &JoinReply) -> Answer {
    // Before version 7 the name may not be null.
    let no_name = if call.version < 7 { Some("") } else { None };
    let members = reply.members.iter().map(|member| JoinGroupResponseMember {
        member_id: &member.member_id,
        group_instance_id: member.group_instance_id.as_deref(),
        metadata: &member.metadata,
    });
    call.reply(&JoinGroupResponse {
        error_code: reply.error.0,
        generation_id: reply.generation_id,
        protocol_type: reply.protocol_type.as_deref(),
        protocol_name: reply.protocol_name.as_deref().or(no_name),
        leader: &reply.leader,
        skip_assignment: reply.skip_assignment,
        member_id: &reply.member_id,
        members: members.collect(),
        ..Default::default()
    })
}
