//! CreateTopics and DeleteTopics.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use ottla_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_protocol::primitives::Uuid;

use super::{code, world, world_of};
use crate::machine::ConnectionId;
use crate::scenario::{World, body};
use crate::settings::Settings;

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic<'_> {
    CreatableTopic { name, num_partitions, replication_factor, ..CreatableTopic::default() }
}

fn create(world: &mut World, connection: ConnectionId, topics: Vec<CreatableTopic<'_>>) -> Vec<(ErrorCode, String)> {
    let request = CreateTopicsRequest { topics, timeout_ms: 1000, ..CreateTopicsRequest::default() };
    let bytes = world.ask(connection, 7, &request);
    let response: CreateTopicsResponse<'_> = body(ApiKey::CreateTopics, 7, &bytes);
    let told = response.topics.iter();
    told.map(|topic| (code(topic.error_code), topic.error_message.unwrap_or_default().to_owned())).collect()
}

#[test]
fn every_version_creates_and_says_what() {
    for version in 2..=7 {
        let (mut world, connection, _) = world_of(Settings { brokers: 3, ..Settings::default() });
        let config = CreatableTopicConfig { name: "retention.ms", value: Some("5000") };
        let new = CreatableTopic { configs: vec![config], ..topic("new", 4, 2) };
        let mut request = CreateTopicsRequest { topics: vec![new], timeout_ms: 1000, validate_only: true };
        world.ask(connection, version, &request);
        assert!(world.cluster.topics().by_name("new").is_none(), "only validated");
        request.validate_only = false;
        let bytes = world.ask(connection, version, &request);
        let response: CreateTopicsResponse<'_> = body(ApiKey::CreateTopics, version, &bytes);
        let told = &response.topics[0];
        assert_eq!((told.name, told.error_code, told.error_message), ("new", 0, None));
        let made = world.cluster.topics().by_name("new").unwrap();
        assert_eq!(made.partitions().len(), 4);
        assert!(made.partitions().iter().all(|partition| partition.replicas().len() == 2));
        if version >= 5 {
            assert_eq!((told.num_partitions, told.replication_factor), (4, 2));
            let set: Vec<_> = told.configs.iter().flatten().filter(|config| config.config_source == 1).collect();
            assert_eq!(
                set.iter().map(|config| (config.name, config.value)).collect::<Vec<_>>(),
                [("retention.ms", Some("5000"))]
            );
        }
        if version >= 7 {
            assert_eq!(told.topic_id, made.id());
        }
    }
}

#[test]
fn what_cannot_be_is_refused_in_kafkas_words() {
    let (mut world, connection, _) = world();
    let long = "x".repeat(250);
    let config = |name, value| vec![CreatableTopicConfig { name, value }];
    let placed = |replicas: &[&[i32]]| {
        let assignments = replicas.iter().zip(0..);
        let one = |(ids, partition_index): (&&[i32], i32)| CreatableReplicaAssignment {
            partition_index,
            broker_ids: ids.to_vec(),
        };
        CreatableTopic { assignments: assignments.map(one).collect(), ..topic("n", -1, -1) }
    };
    let cases = [
        (topic("t", 1, 1), ErrorCode::TOPIC_ALREADY_EXISTS, "Topic 't' already exists."),
        (topic("a b", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION, "Topic name is invalid: 'a b' contains"),
        (topic("", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION, "Topic name is invalid: the empty string"),
        (topic(&long, 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION, "Topic name is invalid: the length of"),
        (topic("n", 0, 1), ErrorCode::INVALID_PARTITIONS, "Number of partitions was set to an invalid"),
        (topic("n", 1, 0), ErrorCode::INVALID_REPLICATION_FACTOR, "Replication factor must be larger than 0"),
        (topic("n", 1, 2), ErrorCode::INVALID_REPLICATION_FACTOR, "Unable to replicate the partition 2 time(s)"),
        (
            placed(&[&[1], &[2]]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes broker 2",
        ),
        (
            placed(&[&[1, 1]]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes the broker 1",
        ),
        (placed(&[&[]]), ErrorCode::INVALID_REPLICA_ASSIGNMENT, "The manual partition assignment includes an empty"),
        (
            CreatableTopic { num_partitions: 1, ..placed(&[&[1]]) },
            ErrorCode::INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions",
        ),
        (
            CreatableTopic { configs: config("foo", Some("1")), ..topic("n", 1, 1) },
            ErrorCode::INVALID_CONFIG,
            "Unknown topic config name: foo",
        ),
        (
            CreatableTopic { configs: config("retention.ms", None), ..topic("n", 1, 1) },
            ErrorCode::INVALID_CONFIG,
            "Null value not supported for topic configs: retention.ms",
        ),
    ];
    for (topic, expected, message) in cases {
        let name = topic.name.to_owned();
        let told = create(&mut world, connection, vec![topic]);
        assert_eq!(told[0].0, expected, "{name}: {}", told[0].1);
        assert!(told[0].1.starts_with(message), "{}", told[0].1);
    }
    assert_eq!(world.cluster.topics().iter().count(), 1);
    assert_eq!(create(&mut world, connection, vec![topic("a.b", 1, 1)])[0].0, ErrorCode::NONE);
    let collision = create(&mut world, connection, vec![topic("a_b", 1, 1)]);
    assert_eq!(collision[0].1, "Topic 'a_b' collides with existing topic: a.b");
    let twice = create(&mut world, connection, vec![topic("d", 1, 1), topic("e", 1, 1), topic("d", 1, 1)]);
    assert_eq!(twice.iter().map(|told| told.0).collect::<Vec<_>>(), [ErrorCode::INVALID_REQUEST, ErrorCode::NONE]);
}

#[test]
fn topics_go_where_they_are_placed_and_defaults_hold() {
    let settings = Settings { brokers: 3, default_partitions: 5, default_replication_factor: 2, ..Settings::default() };
    let (mut world, connection, _) = world_of(settings);
    let place =
        |partition_index, ids: [i32; 2]| CreatableReplicaAssignment { partition_index, broker_ids: ids.to_vec() };
    let assignments = vec![place(1, [3, 1]), place(0, [2, 3])];
    let placed = CreatableTopic { assignments, ..topic("placed", -1, -1) };
    assert_eq!(create(&mut world, connection, vec![placed, topic("plain", -1, -1)])[0].0, ErrorCode::NONE);
    let topics = world.cluster.topics();
    let placed: Vec<_> = topics.by_name("placed").unwrap().partitions().iter().map(|one| one.replicas()).collect();
    assert_eq!(placed, [[2, 3], [3, 1]]);
    let plain = topics.by_name("plain").unwrap().partitions();
    assert_eq!((plain.len(), plain[0].replicas().len()), (5, 2));
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    for version in 1..=6 {
        let (mut world, connection, id) = world();
        let state = |name, topic_id| DeleteTopicState { name, topic_id };
        let request = if version < 6 {
            DeleteTopicsRequest { topic_names: vec!["t", "x"], ..DeleteTopicsRequest::default() }
        } else {
            let topics = vec![state(None, id), state(Some("x"), Uuid::ZERO), state(None, Uuid([7; 16]))];
            DeleteTopicsRequest { topics, ..DeleteTopicsRequest::default() }
        };
        let bytes = world.ask(connection, version, &request);
        let response: DeleteTopicsResponse<'_> = body(ApiKey::DeleteTopics, version, &bytes);
        let told: Vec<_> = response.responses.iter().map(|told| (told.name, code(told.error_code))).collect();
        let mut expected = vec![(Some("t"), ErrorCode::NONE), (Some("x"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)];
        if version >= 6 {
            expected.push((None, ErrorCode::UNKNOWN_TOPIC_ID));
        }
        assert_eq!(told, expected);
        assert!(world.cluster.topics().by_name("t").is_none() && world.cluster.topics().by_id(id).is_none());
    }
}

#[test]
fn a_topic_made_again_is_another_topic() {
    let (mut world, connection, id) = world();
    world.cluster.remove_topic("t");
    create(&mut world, connection, vec![topic("t", 1, 1)]);
    assert_ne!(world.cluster.topics().by_name("t").unwrap().id(), id);
}
