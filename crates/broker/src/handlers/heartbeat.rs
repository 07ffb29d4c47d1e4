//! Heartbeat, versions 0 to 4.

use ottla_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::{Call, Handled};
use crate::cluster::Cluster;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: HeartbeatRequest<'_> = call.decode()?;
    let error = cluster.groups.heartbeat(call.now, call.node, &request);
    cluster.wake_answered();
    Ok(call.reply(&HeartbeatResponse { error_code: error.0, ..Default::default() }))
}
