//! FindCoordinator, versions 0 to 6: one key up to version 3, several from version 4 on (KIP-699).

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};

use super::{Call, Handled};
use crate::cluster::{Cluster, Node};
use crate::groups::CoordinatorType;

/// From this version on share groups have coordinators.
const KNOWS_SHARE: i16 = 6;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: FindCoordinatorRequest<'_> = call.decode()?;
    let nobody = ("", -1, -1);
    let place = |found: Result<&'_ Node, ErrorCode>| match found {
        Ok(node) => (ErrorCode::NONE, (node.host.clone(), node.id, i32::from(node.port))),
        Err(error) => (error, (nobody.0.to_owned(), nobody.1, nobody.2)),
    };
    if call.version <= 3 {
        let (error, (host, node_id, port)) = place(find(cluster, call.version, request.key_type, request.key));
        let message = message(error);
        let error_message = (call.version >= 1).then_some(message);
        let error_code = error.0;
        let response =
            FindCoordinatorResponse { error_code, error_message, node_id, host: &host, port, ..Default::default() };
        return Ok(call.reply(&response));
    }
    let knows_type = CoordinatorType::from_key_type(request.key_type).is_some();
    let places: Vec<_> = request
        .coordinator_keys
        .iter()
        .map(|key| (*key, place(find(cluster, call.version, request.key_type, key))))
        .collect();
    let coordinators = places.iter().map(|(key, (error, (host, node_id, port)))| Coordinator {
        key,
        node_id: *node_id,
        host,
        port: *port,
        error_code: error.0,
        // The text is that of a request that Kafka cannot make sense of; a key that it refuses has none.
        error_message: Some(if knows_type { "" } else { message(*error) }),
    });
    Ok(call.reply(&FindCoordinatorResponse { coordinators: coordinators.collect(), ..Default::default() }))
}

fn find<'c>(cluster: &'c Cluster, version: i16, key_type: i8, key: &str) -> Result<&'c Node, ErrorCode> {
    let kind = CoordinatorType::from_key_type(key_type).ok_or(ErrorCode::INVALID_REQUEST)?;
    if kind == CoordinatorType::Share && (version < KNOWS_SHARE || !is_share_key(key)) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let node = cluster.groups.coordinator(kind, key).and_then(|id| cluster.nodes().by_id(id));
    node.ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
}

/// Kafka's text for an error; NONE's is its name.
fn message(error: ErrorCode) -> &'static str {
    match error {
        ErrorCode::NONE => "NONE",
        ErrorCode::COORDINATOR_NOT_AVAILABLE => "The coordinator is not available.",
        _ => {
            "This most likely occurs because of a request being malformed by the client library or the message was sent \
             to an incompatible broker. See the broker logs for more details."
        }
    }
}

/// Whether the key names a partition of a share group: `group:topic id:partition`.
fn is_share_key(key: &str) -> bool {
    let mut parts = key.rsplitn(3, ':');
    let partition = parts.next().is_some_and(|partition| partition.parse::<u32>().is_ok());
    let id = parts.next().is_some_and(|id| id.len() == 22);
    partition && id && parts.next().is_some_and(|group| !group.is_empty())
}
