//! Errors in CreateTopics, DeleteTopics, InitProducerId and ApiVersions.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use ottla_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use ottla_protocol::primitives::Uuid;

use super::errors::{error, world};
use super::faults::arm;
use crate::control::{Level, Select, When};
use crate::scenario::body;

const CODE: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;

fn only(topic: &str) -> Select {
    Select { topic: Some(topic.into()), ..Select::default() }
}

#[test]
fn topics_are_created_but_for_the_refused() {
    for version in 2..=7 {
        let (mut world, connection) = world();
        arm(&mut world, only("b"), When::Once, error(Level::Partition));
        let topic = |name| CreatableTopic { name, num_partitions: 1, replication_factor: 1, ..Default::default() };
        let request =
            CreateTopicsRequest { topics: vec![topic("a"), topic("b")], timeout_ms: 100, ..Default::default() };
        let bytes = world.ask(connection, version, &request);
        let reply: CreateTopicsResponse<'_> = body(ApiKey::CreateTopics, version, &bytes);
        let mut codes: Vec<_> = reply.topics.iter().map(|topic| (topic.name, ErrorCode(topic.error_code))).collect();
        codes.sort_unstable_by_key(|(name, _)| *name);
        assert_eq!(codes, [("a", ErrorCode::NONE), ("b", CODE)], "v{version}");
        let there = |name| world.cluster.topics().by_name(name).is_some();
        assert_eq!((there("a"), there("b")), (true, false));
    }
}

#[test]
fn topics_are_deleted_but_for_the_refused() {
    for version in 1..=6 {
        let (mut world, connection) = world();
        arm(&mut world, only("u"), When::Once, error(Level::Topic));
        let state = |name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO };
        let request = DeleteTopicsRequest {
            topics: if version >= 6 { vec![state("t"), state("u")] } else { Vec::new() },
            topic_names: if version >= 6 { Vec::new() } else { vec!["t", "u"] },
            timeout_ms: 100,
        };
        let bytes = world.ask(connection, version, &request);
        let reply: DeleteTopicsResponse<'_> = body(ApiKey::DeleteTopics, version, &bytes);
        let mut codes: Vec<_> = reply.responses.iter().map(|done| (done.name, ErrorCode(done.error_code))).collect();
        codes.sort_unstable_by_key(|(name, _)| *name);
        assert_eq!(codes, [(Some("t"), ErrorCode::NONE), (Some("u"), CODE)], "v{version}");
        let there = |name| world.cluster.topics().by_name(name).is_some();
        assert_eq!((there("t"), there("u")), (false, true));
    }
}

#[test]
fn producer_ids_and_versions_are_refused() {
    let (mut world, connection) = world();
    arm(&mut world, Select::default(), When::Always, error(Level::Top));
    for version in 0..=5 {
        let bytes = world.ask(
            connection,
            version,
            &InitProducerIdRequest { producer_id: -1, producer_epoch: -1, ..Default::default() },
        );
        let reply: InitProducerIdResponse = body(ApiKey::InitProducerId, version, &bytes);
        assert_eq!((ErrorCode(reply.error_code), reply.producer_id, reply.producer_epoch), (CODE, -1, -1));
    }
    for version in 0..=2 {
        let bytes = world.ask(connection, version, &ApiVersionsRequest::default());
        let reply: ApiVersionsResponse<'_> = body(ApiKey::ApiVersions, version, &bytes);
        assert_eq!(ErrorCode(reply.error_code), CODE);
    }
}

#[test]
fn errors_can_be_imposed_on_all_that_is_served() {
    for (api, ..) in crate::handlers::SERVED {
        assert!(crate::control::impose::can_fail(*api), "{api:?}");
    }
}
