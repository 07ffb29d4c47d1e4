//! InitProducerId for idempotent producers. Transactional ones are told that there are no transactions.

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Call, Handled};
use crate::cluster::Cluster;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: InitProducerIdRequest<'_> = call.decode()?;
    let refused = match request.transactional_id {
        Some("") => Some(ErrorCode::INVALID_REQUEST),
        // An id without its epoch, or the other way round.
        _ if (request.producer_id == -1) != (request.producer_epoch == -1) => Some(ErrorCode::INVALID_REQUEST),
        // Fatal in every client, so that nobody waits for what never comes.
        Some(_) => Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        None => None,
    };
    let response = match refused {
        Some(code) => InitProducerIdResponse {
            error_code: code.0,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdResponse::default()
        },
        None => InitProducerIdResponse {
            producer_id: cluster.next_producer_id(),
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        },
    };
    Ok(call.reply(&response))
}
