//! Producer id, epoch and sequences after each error (KIP-98).
use super::scene::{Reply, Scene, code};
use crate::machine::NodeId;
use crate::scenario::{MS, SECOND, producer_settings};

const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;
const UNKNOWN_PRODUCER_ID: i16 = 59;
const PRODUCER_FENCED: i16 = 90;
const MESSAGE_TOO_LARGE: i16 = 10;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;

fn scene() -> Scene {
    let mut settings = producer_settings();
    (settings.idempotence, settings.batch_num_messages) = (true, 2);
    Scene::new(&settings)
}

/// Epoch and base sequence of each batch that waits; there is one producer id.
fn sequences(scene: &Scene) -> Vec<(i16, i32)> {
    let headers = scene.got().into_iter().map(|got| got.header);
    headers
        .map(|header| {
            assert_eq!(header.producer_id, 1000);
            (header.producer_epoch, header.base_sequence)
        })
        .collect()
}

/// Behind one that was written: before that a partition has one batch in flight.
fn three_batches(scene: &mut Scene) {
    scene.produce(0, &[98], None);
    scene.produce(0, &[99], None);
    scene.pass(10 * MS);
    ok(scene);
    scene.log.clear();
    for number in 0..6_u8 {
        scene.produce(0, &[number], Some(u32::from(number)));
    }
    scene.pass(10 * MS);
    assert_eq!(sequences(scene), [(0, 2), (0, 4), (0, 6)]);
}

fn ok(scene: &mut Scene) {
    scene.answer(&Reply { log_append_time_ms: -1, ..Reply::default() });
    scene.turn();
}

#[test]
fn sequences_run_on_per_partition() {
    let mut scene = scene();
    three_batches(&mut scene);
    scene.answer_all(SECOND);
    scene.produce(0, b"x", None);
    scene.produce(1, b"y", None);
    scene.pass(10 * MS);
    let mut all = sequences(&scene);
    all.sort_unstable();
    assert_eq!(all, [(0, 0), (0, 8)]);
}

/// A broker that knows nothing of an id takes its first batch with any sequence: the second one, where the first was
/// refused. Found by the simulation.
#[test]
fn no_second_batch_is_sent_before_the_first_of_an_id_is_written() {
    let mut scene = scene();
    for number in 0..6_u8 {
        scene.produce(0, &[number], None);
    }
    scene.pass(10 * MS);
    assert_eq!(sequences(&scene), [(0, 0)]);
    scene.answer(&code(NOT_LEADER_OR_FOLLOWER));
    scene.pass(SECOND);
    assert_eq!(sequences(&scene), [(0, 0)]);
    ok(&mut scene);
    assert_eq!(sequences(&scene), [(0, 2), (0, 4)]);
}

/// A broker tells the last five batches of a partition from others: what is tried again must be among them, however often
/// its outcome stays unknown. Found by the simulation.
#[test]
fn no_new_batch_passes_one_that_is_tried_again() {
    const REQUEST_TIMED_OUT: i16 = 7;
    let mut scene = scene();
    three_batches(&mut scene);
    for number in 6..20_u8 {
        scene.produce(0, &[number], None);
    }
    scene.answer(&code(REQUEST_TIMED_OUT));
    scene.pass(10 * MS);
    while !sequences(&scene).is_empty() {
        ok(&mut scene);
    }
    scene.pass(SECOND);
    assert_eq!(sequences(&scene), [(0, 2)]);
    scene.answer(&code(REQUEST_TIMED_OUT));
    scene.pass(2 * SECOND);
    assert_eq!(sequences(&scene), [(0, 2)]);
    ok(&mut scene);
    assert_eq!(sequences(&scene).len(), 5, "all that waited goes on");
}

#[test]
fn a_lost_answer_is_asked_for_with_the_same_sequence() {
    let mut scene = scene();
    three_batches(&mut scene);
    scene.scenario.disconnect(NodeId(0));
    scene.pass(500 * MS);
    assert_eq!(sequences(&scene), [(0, 2), (0, 4), (0, 6)]);
    scene.answer(&code(DUPLICATE_SEQUENCE_NUMBER));
    scene.turn();
    assert_eq!(scene.serve(), [(0, -1, None), (1, -1, None)], "a duplicate is a success");
}

#[test]
fn what_follows_a_retried_batch_is_retried_behind_it() {
    let mut scene = scene();
    three_batches(&mut scene);
    scene.answer(&code(NOT_LEADER_OR_FOLLOWER));
    scene.answer(&code(OUT_OF_ORDER_SEQUENCE_NUMBER));
    scene.answer(&code(OUT_OF_ORDER_SEQUENCE_NUMBER));
    scene.pass(2 * SECOND);
    assert_eq!(sequences(&scene)[0], (0, 2));
    scene.answer_all(10 * SECOND);
    let values: Vec<u8> = scene.log.iter().map(|(_, value)| value[0]).collect();
    assert_eq!(values, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_broker_that_lost_the_sequences_gets_a_new_epoch() {
    for error in [OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID] {
        let mut scene = scene();
        three_batches(&mut scene);
        ok(&mut scene);
        scene.answer(&code(error));
        scene.answer(&code(error));
        scene.pass(2 * SECOND);
        assert_eq!(sequences(&scene), [(1, 0)], "{error}");
        scene.answer_all(SECOND);
        let values: Vec<u8> = scene.log.iter().map(|(_, value)| value[0]).collect();
        assert_eq!(values, [0, 1, 2, 3, 4, 5]);
    }
}

/// What follows a batch that the broker refused cannot have been written: it goes in the new epoch as well.
#[test]
fn an_unknown_outcome_behind_a_refused_sequence_does_not_stand_in_the_way() {
    for refused in [1, 2] {
        let mut scene = scene();
        three_batches(&mut scene);
        for _ in 0..refused {
            scene.answer(&code(OUT_OF_ORDER_SEQUENCE_NUMBER));
        }
        scene.scenario.disconnect(NodeId(0));
        scene.pass(2 * SECOND);
        assert_eq!(sequences(&scene), [(1, 0)]);
        scene.answer_all(SECOND);
        let values: Vec<u8> = scene.log.iter().map(|(_, value)| value[0]).collect();
        assert_eq!(values, [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_rejected_batch_leaves_no_gap_behind() {
    let mut scene = scene();
    three_batches(&mut scene);
    scene.answer(&code(MESSAGE_TOO_LARGE));
    scene.answer(&code(OUT_OF_ORDER_SEQUENCE_NUMBER));
    scene.answer(&code(OUT_OF_ORDER_SEQUENCE_NUMBER));
    scene.pass(2 * SECOND);
    assert_eq!(scene.serve(), [(0, -1, Some(10)), (1, -1, Some(10))]);
    assert_eq!(sequences(&scene), [(1, 0)]);
}

#[test]
fn while_an_outcome_is_unknown_the_old_epoch_is_kept() {
    let mut settings = producer_settings();
    (settings.idempotence, settings.batch_num_messages, settings.delivery_timeout_us) = (true, 2, 10 * SECOND);
    let mut scene = Scene::new(&settings);
    three_batches(&mut scene);
    scene.answer(&code(MESSAGE_TOO_LARGE));
    scene.scenario.disconnect(NodeId(0));
    scene.pass(SECOND);
    assert_eq!(sequences(&scene), [(0, 4), (0, 6)], "they may have been written in the old epoch");
    ok(&mut scene);
    ok(&mut scene);
    scene.produce(0, b"x", None);
    scene.pass(SECOND);
    assert_eq!(sequences(&scene), [(1, 0)]);
}

#[test]
fn a_gap_ends_a_gapless_producer() {
    let mut settings = producer_settings();
    (settings.idempotence, settings.gapless) = (true, true);
    let mut scene = Scene::new(&settings);
    scene.produce(0, b"a", Some(1));
    scene.pass(10 * MS);
    scene.answer(&code(MESSAGE_TOO_LARGE));
    scene.turn();
    assert_eq!(scene.scenario.errors(), [-148]);
    assert_eq!(scene.append(&Scene::record(0, b"x"), None), Err(crate::producer::Refused::Fatal));
}

#[test]
fn a_broker_without_producer_ids_ends_an_idempotent_producer() {
    let mut scene = scene();
    scene.scenario.caps.insert(ottla_protocol::api::ApiKey::InitProducerId, -1);
    scene.produce(0, b"a", Some(1));
    scene.pass(SECOND);
    assert_eq!(scene.scenario.errors(), [-165]);
    assert_eq!(scene.serve(), [(1, -1, Some(-165))]);
    assert_eq!(scene.append(&Scene::record(0, b"x"), None), Err(crate::producer::Refused::Fatal));
}

#[test]
fn a_fenced_producer_ends() {
    let mut scene = scene();
    three_batches(&mut scene);
    scene.answer(&code(PRODUCER_FENCED));
    scene.turn();
    assert_eq!(scene.scenario.errors(), [90]);
    assert_eq!(scene.append(&Scene::record(0, b"x"), None), Err(crate::producer::Refused::Fatal));
}

#[test]
fn nothing_goes_to_a_new_leader_before_the_old_one_answered() {
    let mut scene = scene();
    three_batches(&mut scene);
    scene.leader(0, 1, 2);
    scene.answer(&code(NOT_LEADER_OR_FOLLOWER));
    scene.pass(SECOND);
    let nodes: Vec<i32> = scene.got().iter().map(|got| got.asked.node.0).collect();
    assert_eq!(nodes, [0, 0], "two are still with the old leader");
    scene.scenario.disconnect(NodeId(0));
    scene.pass(2 * SECOND);
    let nodes: Vec<i32> = scene.got().iter().map(|got| got.asked.node.0).collect();
    assert_eq!(nodes, [1, 1, 1]);
    scene.answer_all(10 * SECOND);
    let values: Vec<u8> = scene.log.iter().map(|(_, value)| value[0]).collect();
    assert_eq!(values, [0, 1, 2, 3, 4, 5]);
}
