//! Questions of the application: `list_topics` and watermarks.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};

use super::scenario;
use crate::client::{Command, Event, Reply};
use crate::error::Error;
use crate::machine::{Lane, NodeId};
use crate::scenario::{MS, SECOND, Scenario, name};

fn reply(scenario: &mut Scenario, wanted: u64) -> Option<Result<Reply, Error>> {
    let index =
        scenario.events.iter().position(|event| matches!(event, Event::Reply { request, .. } if *request == wanted))?;
    match scenario.events.remove(index) {
        Event::Reply { result, .. } => Some(result),
        _ => None,
    }
}

fn code(scenario: &mut Scenario, wanted: u64) -> i32 {
    match reply(scenario, wanted) {
        Some(Err(error)) => error.code(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_cluster_is_described_as_the_broker_says() {
    let mut scenario = scenario();
    scenario.topic("t", &[(0, 1), (1, 1)]);
    scenario.command(Command::Metadata { request: 1, topics: None, deadline_us: 9 * SECOND });
    scenario.turn();
    let Some(Ok(Reply::Metadata(found))) = reply(&mut scenario, 1) else { panic!("{:?}", scenario.events) };
    assert_eq!(found.brokers, [(0, "broker0".to_owned(), 9092), (1, "broker1".to_owned(), 9092)]);
    assert_eq!((found.cluster_id.as_deref(), found.controller_id), (Some("cluster"), 0));
    let leaders: Vec<(i32, i32)> =
        found.topics[0].partitions.iter().map(|partition| (partition.id, partition.leader)).collect();
    assert_eq!((found.topics[0].name.as_str(), leaders), ("t", vec![(0, 0), (1, 1)]));
    scenario.command(Command::Metadata { request: 2, topics: Some(vec![name("none")]), deadline_us: 9 * SECOND });
    scenario.turn();
    let Some(Ok(Reply::Metadata(found))) = reply(&mut scenario, 2) else { panic!("{:?}", scenario.events) };
    assert_eq!(found.topics[0].error.as_ref().map(Error::code), Some(3));
}

#[test]
fn without_a_broker_a_question_ends_at_its_deadline() {
    let mut scenario = scenario();
    scenario.down = vec![NodeId(-1)];
    scenario.command(Command::Metadata { request: 1, topics: None, deadline_us: scenario.now.mono_us + 2 * SECOND });
    scenario.turn();
    scenario.forward(2 * SECOND - MS);
    scenario.turn();
    assert!(reply(&mut scenario, 1).is_none());
    scenario.forward(MS);
    scenario.turn();
    assert_eq!(code(&mut scenario, 1), -195);
}

fn answer_offset(scenario: &mut Scenario, timestamp: i64, offset: i64, error_code: i16) {
    let asked = scenario.oldest(ApiKey::ListOffsets).expect("a ListOffsets");
    assert_eq!(asked.lane, Lane::General);
    let request: ListOffsetsRequest<'_> = asked.decode();
    assert_eq!(request.topics[0].partitions[0].timestamp, timestamp);
    let partitions =
        vec![ListOffsetsPartitionResponse { partition_index: 1, error_code, offset, ..Default::default() }];
    let topics = vec![ListOffsetsTopicResponse { name: "t", partitions }];
    scenario.answer(&asked, &ListOffsetsResponse { topics, ..Default::default() });
    scenario.turn();
}

#[test]
fn watermarks_are_asked_of_the_leader_and_again_when_it_moved() {
    const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    let mut scenario = scenario();
    scenario.topic("t", &[(0, 1), (1, 1)]);
    scenario.command(Command::Watermarks { request: 5, topic: name("t"), partition: 1, deadline_us: 9 * SECOND });
    scenario.turn();
    assert_eq!(scenario.oldest(ApiKey::ListOffsets).map(|asked| asked.node), Some(NodeId(1)));
    answer_offset(&mut scenario, -2, 17, 0);
    scenario.topic("t", &[(0, 1), (0, 2)]);
    answer_offset(&mut scenario, -1, -1, NOT_LEADER_OR_FOLLOWER);
    scenario.forward(500 * MS);
    scenario.turn();
    assert_eq!(scenario.oldest(ApiKey::ListOffsets).map(|asked| asked.node), Some(NodeId(0)));
    answer_offset(&mut scenario, -1, 99, 0);
    assert!(matches!(reply(&mut scenario, 5), Some(Ok(Reply::Watermarks { low: 17, high: 99 }))));
}

#[test]
fn a_partition_that_does_not_exist_is_said_at_once() {
    let mut scenario = scenario();
    scenario.topic("t", &[(0, 1)]);
    for (request, topic, partition) in [(1, "t", 7), (2, "none", 0)] {
        let deadline_us = scenario.now.mono_us + 9 * SECOND;
        scenario.command(Command::Watermarks { request, topic: name(topic), partition, deadline_us });
        for _ in 0..20 {
            scenario.turn();
            scenario.forward(50 * MS);
        }
        assert_eq!(code(&mut scenario, request), -190, "{topic}");
    }
}

#[test]
fn a_lost_connection_lets_a_question_be_asked_again() {
    let mut scenario = scenario();
    scenario.topic("t", &[(0, 1), (1, 1)]);
    scenario.command(Command::Watermarks { request: 5, topic: name("t"), partition: 1, deadline_us: 9 * SECOND });
    scenario.turn();
    scenario.disconnect(NodeId(1));
    scenario.turn();
    scenario.forward(500 * MS);
    scenario.turn();
    answer_offset(&mut scenario, -2, 0, 0);
    answer_offset(&mut scenario, -1, 3, 0);
    assert!(matches!(reply(&mut scenario, 5), Some(Ok(Reply::Watermarks { low: 0, high: 3 }))));
}
