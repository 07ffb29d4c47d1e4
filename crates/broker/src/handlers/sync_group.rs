//! SyncGroup, versions 0 to 5: parked until the leader has sent the assignment.

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::group_replies::parked;
use super::{Attempt, Call, Handled};
use crate::cluster::Cluster;
use crate::groups::Reply;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    if call.attempt == Attempt::First {
        let request: SyncGroupRequest<'_> = call.decode()?;
        if call.version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
            let error_code = ErrorCode::INCONSISTENT_GROUP_PROTOCOL.0;
            return Ok(call.reply(&SyncGroupResponse { error_code, ..Default::default() }));
        }
        cluster.groups.sync(call.now, call.node, call.id.0, &request);
    }
    match cluster.group_reply(call) {
        Some(Reply::Sync(reply)) => Ok(call.reply(&SyncGroupResponse {
            error_code: reply.error.0,
            protocol_type: reply.protocol_type.as_deref(),
            protocol_name: reply.protocol_name.as_deref(),
            assignment: &reply.assignment,
            ..Default::default()
        })),
        _ => Ok(parked()),
    }
}
