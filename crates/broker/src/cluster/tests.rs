//! Connections, versions, metadata: in virtual time.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use ottla_protocol::primitives::Uuid;

use crate::frame::Frame;
use crate::handlers::SERVED;
use crate::scenario::{World, body, frame};
use crate::settings::Settings;

fn named(name: &str) -> MetadataRequest<'_> {
    let topics = Some(vec![MetadataRequestTopic { name: Some(name), ..Default::default() }]);
    MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() }
}

#[test]
fn every_broker_listens() {
    let world = World::new(Settings { brokers: 3, ..Settings::default() });
    assert_eq!(world.listening, [(1, true), (2, true), (3, true)]);
    assert!(world.cluster.cluster_id().starts_with("test-"));
}

#[test]
fn api_versions_names_what_is_served_in_every_version() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    for version in 0..=5 {
        let request = ApiVersionsRequest {
            client_software_name: if version >= 3 { "ottla" } else { "" },
            client_software_version: if version >= 3 { "1.0" } else { "" },
            ..Default::default()
        };
        let bytes = world.ask(connection, version, &request);
        let response: ApiVersionsResponse<'_> = body(ApiKey::ApiVersions, version, &bytes);
        let ranges: Vec<_> =
            response.api_keys.iter().map(|range| (range.api_key, range.min_version, range.max_version)).collect();
        let served: Vec<_> = SERVED.iter().map(|(key, min, max)| (key.as_i16(), *min, *max)).collect();
        assert_eq!((response.error_code, ranges), (0, served));
    }
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    for version in [9_u8, 0xff] {
        let request = [0, 18, if version == 0xff { 0xff } else { 0 }, version, 0, 0, 0, 7, 0xff, 0xff, 0, 1, 1, 0];
        world.send(connection, Frame::new(request.to_vec()));
        // What Kafka 4.4 answers, byte for byte.
        let answer = [0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 5];
        assert_eq!(world.take(connection).as_deref(), Some(&answer[..]));
    }
    assert!(!world.closed(connection));
}

#[test]
fn a_client_with_a_bad_name_or_for_another_cluster_is_told() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    let good = ApiVersionsRequest { client_software_name: "a", client_software_version: "1", ..Default::default() };
    let bad = ApiVersionsRequest { client_software_name: "a!", ..good.clone() };
    let elsewhere = ApiVersionsRequest { cluster_id: Some("other"), ..good.clone() };
    let node = ApiVersionsRequest { node_id: 2, ..good };
    let codes = [ErrorCode::INVALID_REQUEST, ErrorCode::REBOOTSTRAP_REQUIRED, ErrorCode::REBOOTSTRAP_REQUIRED];
    for (request, code) in [bad, elsewhere, node].iter().zip(codes) {
        let bytes = world.ask(connection, 5, request);
        let response: ApiVersionsResponse<'_> = body(ApiKey::ApiVersions, 5, &bytes);
        assert_eq!((ErrorCode(response.error_code), response.api_keys.len()), (code, 0));
    }
}

#[test]
fn what_cannot_be_read_or_is_not_served_closes_its_connection_alone() {
    let mut world = World::new(Settings { socket_request_max_bytes: 1000, ..Settings::default() });
    let other = world.connect(1);
    let metadata_14 = [0, 3, 0, 14, 0, 0, 0, 7, 0xff, 0xff, 0, 1];
    let unknown_api = [0x03, 0xe7, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
    let vote = [0, 52, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
    let short = [0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0];
    let long_client = [0, 3, 0, 1, 0, 0, 0, 7, 0x7f, 0xff, 0, 0, 0];
    for bytes in [&[][..], &[0, 3], &metadata_14, &unknown_api, &vote, &short, &long_client, &[0; 1001]] {
        let connection = world.connect(1);
        world.send(connection, Frame::new(bytes.to_vec()));
        assert!(world.closed(connection), "{bytes:?}");
        // What comes after it is dropped.
        world.send(connection, frame(1, &named("t")));
        assert_eq!(world.take(connection), None);
    }
    assert!(!world.closed(other));
    world.ask(other, 1, &named("t"));
}

#[test]
fn requests_of_one_connection_are_answered_in_order() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    for _ in 0..5 {
        world.cluster.request(world.now, connection, frame(4, &named("t")));
    }
    world.settle();
    assert_eq!(world.given.iter().filter(|(id, bytes)| *id == connection && bytes.is_some()).count(), 5);
    assert_eq!(world.cluster.unanswered(connection), 0);
}

#[test]
fn metadata_in_every_version_creates_and_describes_a_topic() {
    for version in 0..=13 {
        let mut world = World::new(Settings { brokers: 3, default_partitions: 2, ..Settings::default() });
        let connection = world.connect(2);
        let bytes = world.ask(connection, version, &named("t"));
        let response: MetadataResponse<'_> = body(ApiKey::Metadata, version, &bytes);
        assert_eq!(response.brokers.iter().map(|broker| broker.port).collect::<Vec<_>>(), [9092, 9093, 9094]);
        let [topic] = &response.topics[..] else { panic!("{response:?}") };
        assert_eq!((topic.error_code, topic.name, topic.partitions.len()), (0, Some("t"), 2));
        for partition in &topic.partitions {
            assert_eq!(partition.error_code, 0);
            assert_eq!((partition.replica_nodes.len(), partition.isr_nodes.len()), (3, 3));
            assert_eq!(partition.leader_id, partition.replica_nodes[0]);
        }
        assert_ne!(topic.partitions[0].leader_id, topic.partitions[1].leader_id);
        let id = world.cluster.topics().by_name("t").unwrap().id();
        assert_eq!(topic.topic_id, if version >= 10 { id } else { Uuid::ZERO });
    }
}

#[test]
fn metadata_creates_only_where_it_may() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    let error = |bytes: &[u8], version| {
        ErrorCode(body::<MetadataResponse<'_>>(ApiKey::Metadata, version, bytes).topics[0].error_code)
    };
    let asks = MetadataRequest { allow_auto_topic_creation: false, ..named("t") };
    assert_eq!(error(&world.ask(connection, 12, &asks), 12), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(error(&world.ask(connection, 12, &named("a b")), 12), ErrorCode::INVALID_TOPIC_EXCEPTION);
    let topics = Some(vec![MetadataRequestTopic { topic_id: Uuid([1; 16]), name: None }]);
    let by_id = MetadataRequest { topics, ..Default::default() };
    assert_eq!(error(&world.ask(connection, 12, &by_id), 12), ErrorCode::UNKNOWN_TOPIC_ID);
    assert_eq!(world.cluster.topics().iter().count(), 0);
    let mut world = World::new(Settings { auto_create_topics: false, ..Settings::default() });
    let connection = world.connect(1);
    assert_eq!(error(&world.ask(connection, 12, &named("t")), 12), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn all_topics_are_an_empty_list_in_version_0_and_null_later() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    world.ask(connection, 1, &named("t"));
    let none = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
    let all = MetadataRequest { topics: None, ..Default::default() };
    for (version, request, count) in [(0, &none, 1), (1, &none, 0), (1, &all, 1), (12, &all, 1), (12, &none, 0)] {
        let bytes = world.ask(connection, version, request);
        let response: MetadataResponse<'_> = body(ApiKey::Metadata, version, &bytes);
        assert_eq!(response.topics.len(), count, "v{version}");
    }
}

#[test]
fn a_connection_to_a_dead_broker_is_closed() {
    let mut world = World::new(Settings::default());
    world.cluster.nodes.set_alive(1, false);
    let connection = world.connect(1);
    assert!(world.closed(connection));
}
