//! What an answer means when nothing is wrong with connections: offsets, times, errors of batches and of records.
use super::scene::{Reply, Scene, code};
use crate::client::Command;
use crate::config::Compression;
use crate::machine::{Input, Machine};
use crate::scenario::{MS, SECOND, producer_settings};

fn two_records(scene: &mut Scene) {
    scene.produce(0, b"a", Some(1));
    scene.produce(0, b"b", Some(2));
    scene.pass(10 * MS);
}

#[test]
fn offsets_follow_the_base_offset() {
    let mut scene = Scene::new(&producer_settings());
    two_records(&mut scene);
    scene.answer(&Reply { base_offset: 41, log_append_time_ms: -1, ..Reply::default() });
    scene.turn();
    assert_eq!(scene.serve(), [(1, 41, None), (2, 42, None)]);
    assert!(scene.edges.iter().any(|edges| edges.reports));
}

#[test]
fn requests_go_to_the_leader_on_the_produce_lane_with_the_topics_id() {
    let mut scene = Scene::new(&producer_settings());
    scene.produce(0, b"a", None);
    scene.produce(1, b"b", None);
    scene.pass(10 * MS);
    let mut nodes: Vec<_> =
        scene.got().iter().map(|got| (got.asked.node.0, got.partition, got.asked.version)).collect();
    nodes.sort_unstable();
    assert_eq!(nodes, [(0, 0, 13), (1, 1, 13)]);
    assert!(scene.got().iter().all(|got| got.asked.lane == crate::machine::Lane::Produce));
}

#[test]
fn brokers_without_topic_ids_get_names() {
    let mut scene = Scene::new(&producer_settings());
    scene.scenario.caps.insert(ottla_protocol::api::ApiKey::Produce, 9);
    two_records(&mut scene);
    assert_eq!(scene.got()[0].asked.version, 9);
    scene.answer(&Reply { base_offset: 1, log_append_time_ms: -1, ..Reply::default() });
    scene.turn();
    assert_eq!(scene.serve(), [(1, 1, None), (2, 2, None)]);
}

#[test]
fn acks_0_counts_as_delivered_when_sent() {
    let mut settings = producer_settings();
    settings.acks = 0;
    let mut scene = Scene::new(&settings);
    two_records(&mut scene);
    assert_eq!(scene.serve(), [(1, -1, None), (2, -1, None)]);
}

#[test]
fn acks_0_waits_for_the_socket() {
    let mut settings = producer_settings();
    (settings.acks, settings.queue_max_messages) = (0, 7);
    let mut scene = Scene::new(&settings);
    scene.scenario.full_sockets = true;
    for number in 0..7 {
        scene.produce(0, b"a", Some(number));
        scene.flush();
        scene.turn();
    }
    let asked = scene.scenario.asked.clone();
    assert_eq!((asked.len(), scene.serve().len()), (5, 0), "as many requests as may be in flight, and no report");
    assert_eq!(scene.append(&Scene::record(0, b"x"), None), Err(crate::producer::Refused::Full { reports: 0 }));
    for _ in 0..2 {
        scene.scenario.machine.handle(scene.scenario.now, Input::Written { connection: asked[0].connection });
    }
    scene.turn();
    assert_eq!(scene.serve(), [(0, -1, None), (1, -1, None)]);
    // What the system took is gone; what it did not take goes again.
    scene.scenario.disconnect(asked[0].node);
    scene.scenario.full_sockets = false;
    scene.pass(SECOND);
    assert_eq!(scene.serve(), (2..7).map(|number| (number, -1, None)).collect::<Vec<_>>());
}

#[test]
fn an_answer_for_a_topic_that_was_made_anew_meanwhile_is_matched() {
    const UNKNOWN_TOPIC_ID: i16 = 100;
    for (reply, told) in [
        (Reply { base_offset: 7, log_append_time_ms: -1, ..Reply::default() }, vec![(1, 7, None), (2, 8, None)]),
        (code(UNKNOWN_TOPIC_ID), vec![]),
    ] {
        let mut scene = Scene::new(&producer_settings());
        two_records(&mut scene);
        scene.scenario.topics.get_mut("t").expect("the topic").incarnation = 1;
        // Long enough for the metadata to be asked for anew; the answer has the other id.
        scene.scenario.command(Command::Metadata { request: 1, topics: None, deadline_us: u64::MAX });
        scene.turn();
        scene.answer(&reply);
        scene.turn();
        assert_eq!(scene.serve(), told);
        scene.answer_all(SECOND);
        assert_eq!(scene.shared.outstanding(), 0);
        if reply.code == UNKNOWN_TOPIC_ID {
            assert_eq!(scene.log.len(), 2, "sent again, to the topic as it is now");
        }
    }
}

#[test]
fn a_refused_batch_fails_at_once() {
    const MESSAGE_TOO_LARGE: i16 = 10;
    let mut scene = Scene::new(&producer_settings());
    two_records(&mut scene);
    scene.answer(&code(MESSAGE_TOO_LARGE));
    scene.turn();
    assert_eq!(scene.serve(), [(1, -1, Some(10)), (2, -1, Some(10))]);
}

#[test]
fn a_refused_record_takes_the_others_of_its_batch_along() {
    const INVALID_RECORD: i16 = 87;
    let mut scene = Scene::new(&producer_settings());
    two_records(&mut scene);
    scene.answer(&Reply { refused: vec![(1, "no key")], ..code(INVALID_RECORD) });
    scene.turn();
    assert_eq!(scene.serve(), [(1, -1, Some(-138)), (2, -1, Some(87))]);
}

#[test]
fn compressed_batches_keep_their_order_and_their_records_for_reports() {
    let mut settings = producer_settings();
    settings.codec = Compression::Lz4;
    settings.batch_num_messages = 100;
    let mut scene = Scene::new(&settings);
    let value = [b'z'; 200];
    for number in 0..250 {
        scene.produce(0, &value, Some(number));
    }
    scene.flush();
    scene.turn();
    let codecs: Vec<_> = scene.got().iter().map(|got| got.header.codec().expect("a codec").name()).collect();
    assert_eq!(codecs, ["lz4", "lz4", "lz4"]);
    assert!(scene.got().iter().all(|got| got.header.whole_length() < 2000));
    let mut reports = Vec::new();
    for base in [0, 100, 200] {
        scene.answer(&Reply { base_offset: base, log_append_time_ms: -1, ..Reply::default() });
        scene.turn();
        reports.extend(scene.serve());
    }
    assert_eq!(reports, (0..250).map(|number| (number, i64::from(number), None)).collect::<Vec<_>>());
}

#[test]
fn a_topic_that_does_not_exist_fails_its_records_after_a_while_and_then_at_once() {
    let mut scene = Scene::new(&producer_settings());
    scene.scenario.topics.clear();
    two_records(&mut scene);
    scene.pass(20 * SECOND);
    assert_eq!(scene.serve(), []);
    scene.pass(15 * SECOND);
    assert_eq!(scene.serve(), [(1, -1, Some(-188)), (2, -1, Some(-188))]);
    let refused = scene.append(&Scene::record(0, b"x"), None);
    assert_eq!(refused, Err(crate::producer::Refused::Topic(3)));
    scene.scenario.topic("t", &[(0, 1), (1, 1)]);
    scene.pass(400 * SECOND);
    assert!(scene.append(&Scene::record(0, b"x"), None).is_ok(), "a topic that came to be is found");
}

/// The list of a compressed body has room for one chunk; as an open batch's it would be full before it held anything.
/// Found by the simulation.
#[test]
fn what_comes_back_of_a_compressed_batch_can_hold_another() {
    let mut settings = producer_settings();
    settings.codec = Compression::Lz4;
    let mut scene = Scene::new(&settings);
    for _ in 0..3 {
        for _ in 0..20 {
            scene.produce(0, &[7; 50], None);
        }
        scene.pass(10 * MS);
        scene.answer_all(SECOND);
    }
    // Large enough to be linked in, which takes two places of the list.
    scene.produce(0, &[7; 6000], Some(1));
    scene.answer_all(SECOND);
    assert_eq!(scene.shared.outstanding(), 0);
}
