//! InitProducerId: ids for idempotent producers, a clear word for transactional ones.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::{code, world};
use crate::scenario::body;

#[test]
fn each_producer_gets_an_id_of_its_own() {
    let (mut world, connection, _) = world();
    let mut ids = Vec::new();
    for version in 0..=5 {
        let request = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
        let bytes = world.ask(connection, version, &request);
        let response: InitProducerIdResponse = body(ApiKey::InitProducerId, version, &bytes);
        assert_eq!((response.error_code, response.producer_epoch), (0, 0));
        assert!(response.producer_id > 0 && !ids.contains(&response.producer_id));
        ids.push(response.producer_id);
    }
}

#[test]
fn transactional_ids_are_refused_for_good() {
    let (mut world, connection, _) = world();
    let plain = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
    for (request, expected) in [
        (
            InitProducerIdRequest { transactional_id: Some("tx"), ..plain.clone() },
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        ),
        (InitProducerIdRequest { transactional_id: Some(""), ..plain.clone() }, ErrorCode::INVALID_REQUEST),
        (InitProducerIdRequest { producer_id: 5, ..plain.clone() }, ErrorCode::INVALID_REQUEST),
    ] {
        let bytes = world.ask(connection, 4, &request);
        let response: InitProducerIdResponse = body(ApiKey::InitProducerId, 4, &bytes);
        assert_eq!((code(response.error_code), response.producer_id, response.producer_epoch), (expected, -1, -1));
        assert!(!expected.retriable());
    }
}
