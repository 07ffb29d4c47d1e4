//! What becomes of records that lie between the two sides when something changes: a topic is refused, the producer fails,
//! partitions become known, or there is more than one hold of the lock may move.
use ottla_protocol::records::EncodedHeaders;

use super::scene::{Reply, Scene, code};
use crate::producer::{Needs, NewRecord, Refused, Supply};
use crate::scenario::{MS, SECOND, producer_settings};

const NOT_ENOUGH_REPLICAS: i16 = 19;
const PRODUCER_FENCED: i16 = 90;

/// The caller frees the lock to copy a large record; meanwhile the topic's partitions become known.
#[test]
fn a_large_record_that_was_made_ready_for_an_unknown_topic_is_made_anew_for_its_partition() {
    let mut scene = Scene::new(&producer_settings());
    let value = vec![b'v'; 10_000];
    let record = Scene::record(0, &value);
    let (mut supply, mut attachment, mut asked) = (Supply::nothing(), None, Vec::new());
    for _ in 0..10 {
        match scene.shared.append(&record, &mut attachment, &mut supply, || 1) {
            Err(Refused::Needs(needs)) => {
                asked.push(needs);
                supply.make(needs, &record);
                if needs == (Needs::Linked { unassigned: true }) {
                    scene.produce(0, b"before", None);
                    scene.flush();
                    scene.turn();
                }
            }
            other => {
                assert!(other.is_ok(), "{other:?}");
                break;
            }
        }
    }
    assert!(
        asked.contains(&Needs::Linked { unassigned: true }) && asked.contains(&Needs::Linked { unassigned: false })
    );
    scene.answer_all(SECOND);
    assert_eq!(scene.log, [(0, b"before".to_vec()), (0, value)]);
}

#[test]
fn records_in_open_batches_fail_with_their_topic() {
    let mut settings = producer_settings();
    settings.linger_us = 900 * SECOND;
    let mut scene = Scene::new(&settings);
    scene.produce(0, b"a", None);
    scene.flush();
    scene.answer_all(SECOND);
    scene.produce(0, b"b", Some(1));
    scene.scenario.topics.clear();
    scene.pass(700 * SECOND);
    assert_eq!(scene.serve(), [(1, -1, Some(-188))]);
    assert_eq!(scene.shared.outstanding(), 0);
}

#[test]
fn a_topic_that_may_not_be_written_fails_its_records_at_once() {
    const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    let mut scene = Scene::new(&producer_settings());
    if let Some(topic) = scene.scenario.topics.get_mut("t") {
        topic.error = TOPIC_AUTHORIZATION_FAILED;
    }
    scene.produce(0, b"a", Some(1));
    scene.pass(SECOND);
    assert_eq!(scene.serve(), [(1, -1, Some(29))]);
    let refused = scene.append(&Scene::record(0, b"x"), None);
    assert_eq!(refused, Err(crate::producer::Refused::Topic(TOPIC_AUTHORIZATION_FAILED)));
}

#[test]
fn records_that_were_never_placed_fail_with_their_topic() {
    let mut settings = producer_settings();
    settings.linger_us = 900 * SECOND;
    let mut scene = Scene::new(&settings);
    scene.scenario.topics.clear();
    scene.produce(0, b"a", Some(1));
    scene.pass(40 * SECOND);
    assert_eq!(scene.serve(), [(1, -1, Some(-188))]);
}

/// A large record is written outside of the lock; its topic's partitions become known meanwhile.
#[test]
fn a_large_record_that_was_written_for_no_partition_is_written_again_for_its_own() {
    let mut scene = Scene::new(&producer_settings());
    let value = vec![b'v'; 10_000];
    let record = Scene::record(0, &value);
    let mut supply = Supply::nothing();
    while let Err(Refused::Needs(needs)) = scene.shared.append(&record, &mut None, &mut supply, || SECOND) {
        supply.make(needs, &record);
        if matches!(needs, Needs::Linked { unassigned: true }) {
            scene.produce(0, b"first", None);
            scene.pass(100 * MS);
        }
    }
    scene.flush();
    scene.answer_all(SECOND);
    let sent: Vec<usize> = scene.log.iter().map(|(_, value)| value.len()).collect();
    assert_eq!(sent, [5, 10_000]);
}

#[test]
fn records_in_open_batches_and_in_flight_fail_with_their_producer() {
    let mut settings = producer_settings();
    (settings.idempotence, settings.linger_us) = (true, SECOND);
    let mut scene = Scene::new(&settings);
    for (partition, ticket) in [(0, 1), (1, 2)] {
        scene.produce(partition, b"a", Some(ticket));
    }
    scene.flush();
    scene.pass(10 * MS);
    assert_eq!(scene.got().len(), 2);
    scene.produce(0, b"b", Some(3));
    scene.answer(&code(PRODUCER_FENCED));
    scene.pass(10 * MS);
    scene.answer(&code(NOT_ENOUGH_REPLICAS));
    scene.pass(2 * SECOND);
    let mut served = scene.serve();
    served.sort_unstable();
    assert_eq!(served, [1, 2, 3].map(|ticket| (ticket, -1, Some(90))));
}

#[test]
fn a_placed_topic_keeps_its_order_behind_a_long_queue() {
    let mut settings = producer_settings();
    settings.batch_num_messages = 1;
    let mut scene = Scene::new(&settings);
    scene.scenario.topic("t", &[(0, 1)]);
    scene.scenario.topic("u", &[(1, 1)]);
    scene.produce(0, b"-", None);
    scene.answer_all(SECOND);
    let headers = EncodedHeaders::default();
    let record =
        |value| NewRecord { topic: "u", partition: 0, key: None, value: Some(value), headers, timestamp_ms: 0 };
    scene.append(&record(b"0"), None).expect("room");
    // The sender hears of the topic, and asks for its partitions; the next exchange opens them.
    scene.scenario.machine.exchange_producer(scene.scenario.now, &mut scene.shared);
    scene.scenario.turn();
    for _ in 0..100 {
        scene.produce(0, b"-", None);
    }
    // So many sealed batches are before it that the next hold does not reach the unassigned one.
    scene.scenario.machine.exchange_producer(scene.scenario.now, &mut scene.shared);
    scene.scenario.turn();
    for value in [b"1", b"2", b"3"] {
        scene.append(&record(value), None).expect("room");
    }
    scene.answer_all(10 * SECOND);
    let values: Vec<u8> = scene.log.iter().map(|(_, value)| value[0]).filter(|value| *value != b'-').collect();
    assert_eq!(values, b"0123");
}

#[test]
fn more_batches_than_one_hold_moves_leave_at_once_when_they_are_due() {
    let mut scene = Scene::new(&producer_settings());
    scene.scenario.topic("t", &[(0, 1); 200]);
    scene.produce(0, b"a", None);
    scene.answer_all(SECOND);
    for partition in 0..200 {
        scene.produce(partition, b"a", None);
    }
    scene.pass(10 * MS);
    assert_eq!(scene.got().len(), 200);
    scene.answer(&Reply { log_append_time_ms: -1, ..Reply::default() });
}

#[test]
fn a_batch_of_a_topic_that_the_sender_has_not_heard_of_waits_for_it() {
    let mut settings = producer_settings();
    settings.linger_us = 60 * SECOND;
    let mut scene = Scene::new(&settings);
    let names: Vec<String> = (0..200).map(|number| format!("t{number}")).collect();
    let (headers, large) = (EncodedHeaders::default(), vec![0; 5000]);
    for name in &names {
        scene.scenario.topic(name, &[(0, 1)]);
        let value = Some(&b"a"[..]);
        let record = NewRecord { topic: name, partition: 0, key: None, value, headers, timestamp_ms: 0 };
        scene.append(&record, None).expect("room");
    }
    // Enough to seal the last topic's batch before the sender knows its name.
    for _ in 0..70 {
        let value = Some(&large[..]);
        let record = NewRecord { topic: &names[199], partition: 0, key: None, value, headers, timestamp_ms: 0 };
        scene.append(&record, None).expect("room");
    }
    scene.turn();
    scene.pass(10 * MS);
    assert!(!scene.got().is_empty());
}
