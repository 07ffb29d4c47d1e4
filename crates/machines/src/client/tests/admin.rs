//! Operations of the admin client: where they go, what is asked again, what each topic is told.
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::create_topics::{CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse};
use ottla_protocol::messages::delete_topics::{DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};

use super::scenario;
use crate::admin::{CreateTopics, DeleteTopics, NewTopic, Operation};
use crate::client::{Command, Event, Reply};
use crate::machine::NodeId;
use crate::scenario::{MS, SECOND, Scenario, name};

const NOT_CONTROLLER: i16 = 41;

fn create(scenario: &mut Scenario) {
    let topic = |text: &str| NewTopic {
        name: name(text),
        partitions: 3,
        replication_factor: -1,
        assignment: Vec::new(),
        config: vec![("retention.ms".to_owned(), Some("1000".to_owned()))],
    };
    let topics = vec![topic("a"), topic("b")];
    let operation = Operation::CreateTopics(CreateTopics { topics, validate_only: false, operation_timeout_ms: 5000 });
    scenario.command(Command::Admin { request: 1, operation, deadline_us: scenario.now.mono_us + 10 * SECOND });
    scenario.turn();
}

fn answer(scenario: &mut Scenario, codes: [i16; 2]) {
    let asked = scenario.oldest(ApiKey::CreateTopics).expect("a CreateTopics");
    let result = |(name, error_code)| CreatableTopicResult { name, error_code, ..Default::default() };
    let topics = ["a", "b"].into_iter().zip(codes).map(result).collect();
    scenario.answer(&asked, &CreateTopicsResponse { topics, ..Default::default() });
    scenario.turn();
}

fn outcome(scenario: &Scenario) -> Option<Vec<(Arc<str>, i32)>> {
    let code = |result: &Result<(), crate::error::Error>| result.as_ref().err().map_or(0, crate::error::Error::code);
    scenario.events.iter().find_map(|event| match event {
        Event::Reply { result: Ok(Reply::Topics(topics)), .. } => {
            Some(topics.iter().map(|(name, result)| (name.clone(), code(result))).collect())
        }
        Event::Reply { result: Err(error), .. } => Some(vec![(name("*"), error.code())]),
        _ => None,
    })
}

/// There is nobody to connect to.
#[test]
fn a_controller_that_is_not_among_the_brokers_is_asked_for_again() {
    let mut scenario = scenario();
    (scenario.brokers, scenario.controller) = (vec![1], Some(0));
    create(&mut scenario);
    assert!(scenario.oldest(ApiKey::CreateTopics).is_none());
    scenario.controller = None;
    for _ in 0..100 {
        scenario.forward(10 * MS);
        scenario.turn();
    }
    assert_eq!(scenario.oldest(ApiKey::CreateTopics).expect("a CreateTopics").node, NodeId(1));
}

#[test]
fn the_controller_is_asked_and_each_topic_has_its_own_outcome() {
    let mut scenario = scenario();
    create(&mut scenario);
    let asked = scenario.oldest(ApiKey::CreateTopics).expect("a CreateTopics");
    assert_eq!(asked.node, NodeId(0));
    let request: CreateTopicsRequest<'_> = asked.decode();
    assert_eq!((request.timeout_ms, request.topics[0].num_partitions, request.topics[1].name), (5000, 3, "b"));
    assert_eq!(request.topics[0].configs[0].value, Some("1000"));
    answer(&mut scenario, [0, 36]);
    assert_eq!(outcome(&scenario), Some(vec![(name("a"), 0), (name("b"), 36)]));
}

#[test]
fn a_controller_that_moved_is_looked_up_again() {
    let mut scenario = scenario();
    create(&mut scenario);
    scenario.brokers = vec![1, 0];
    answer(&mut scenario, [NOT_CONTROLLER, NOT_CONTROLLER]);
    assert_eq!(outcome(&scenario), None);
    scenario.forward(500 * MS);
    scenario.turn();
    assert_eq!(scenario.oldest(ApiKey::CreateTopics).map(|asked| asked.node), Some(NodeId(1)));
    answer(&mut scenario, [0, 0]);
    assert_eq!(outcome(&scenario), Some(vec![(name("a"), 0), (name("b"), 0)]));
}

#[test]
fn an_operation_without_an_answer_ends_at_its_deadline() {
    let mut scenario = scenario();
    create(&mut scenario);
    scenario.forward(10 * SECOND);
    scenario.turn();
    assert_eq!(outcome(&scenario), Some(vec![(name("*"), -185)]));
}

#[test]
fn old_brokers_are_told_names_and_new_ones_structs() {
    for (cap, by_state) in [(5, false), (6, true)] {
        let mut scenario = scenario();
        scenario.caps.insert(ApiKey::DeleteTopics, cap);
        let operation = Operation::DeleteTopics(DeleteTopics { topics: vec![name("a")], operation_timeout_ms: 1 });
        scenario.command(Command::Admin { request: 1, operation, deadline_us: u64::MAX });
        scenario.turn();
        let asked = scenario.oldest(ApiKey::DeleteTopics).expect("a DeleteTopics");
        let request: DeleteTopicsRequest<'_> = asked.decode();
        assert_eq!((request.topics.len(), request.topic_names.len()), if by_state { (1, 0) } else { (0, 1) });
        let responses = vec![DeletableTopicResult { name: Some("a"), error_code: 3, ..Default::default() }];
        scenario.answer(&asked, &DeleteTopicsResponse { responses, ..Default::default() });
        scenario.turn();
        assert_eq!(outcome(&scenario), Some(vec![(name("a"), 3)]));
    }
}

#[test]
fn a_broker_that_cannot_do_it_is_said_at_once() {
    const UNSUPPORTED_FEATURE: i32 = -165;
    let mut scenario = scenario();
    scenario.caps.insert(ApiKey::CreateTopics, -1);
    create(&mut scenario);
    assert_eq!(outcome(&scenario), Some(vec![(name("*"), UNSUPPORTED_FEATURE)]));
}
