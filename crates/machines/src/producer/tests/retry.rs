//! Decisions when something is wrong: retry, back-off, delivery timeout, leader moves, lost connections.
use ottla_protocol::api::ApiKey;

use super::scene::{Reply, Scene, code};
use crate::machine::NodeId;
use crate::scenario::{MS, SECOND, producer_settings};

const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const NOT_ENOUGH_REPLICAS: i16 = 19;

fn one(scene: &mut Scene) {
    scene.produce(0, b"a", Some(1));
    scene.pass(10 * MS);
    assert_eq!(scene.got().len(), 1);
}

fn acknowledge(scene: &mut Scene) {
    scene.answer(&Reply { base_offset: 3, log_append_time_ms: -1, ..Reply::default() });
    scene.turn();
    assert_eq!(scene.serve(), [(1, 3, None)]);
}

#[test]
fn a_retriable_error_is_tried_again_after_a_growing_back_off() {
    let mut scene = Scene::new(&producer_settings());
    one(&mut scene);
    for expected in [100 * MS, 200 * MS, 400 * MS, 800 * MS, SECOND, SECOND] {
        let before = scene.scenario.now.mono_us;
        scene.answer(&code(NOT_ENOUGH_REPLICAS));
        while scene.scenario.oldest(ApiKey::Produce).is_none() {
            scene.pass(MS);
        }
        let waited = scene.scenario.now.mono_us - before;
        assert!(
            (expected * 8 / 10..=expected * 12 / 10 + 2 * MS).contains(&waited),
            "{waited} is not about {expected}"
        );
    }
    acknowledge(&mut scene);
}

#[test]
fn retries_are_counted() {
    let mut settings = producer_settings();
    settings.retries = 2;
    let mut scene = Scene::new(&settings);
    one(&mut scene);
    for _ in 0..2 {
        scene.answer(&code(NOT_ENOUGH_REPLICAS));
        scene.pass(500 * MS);
    }
    scene.answer(&code(NOT_ENOUGH_REPLICAS));
    scene.turn();
    assert_eq!(scene.serve(), [(1, -1, Some(19))]);
}

#[test]
fn a_leader_that_moved_is_looked_up_and_followed() {
    let mut scene = Scene::new(&producer_settings());
    one(&mut scene);
    let asked = scene.scenario.metadata_requests;
    scene.leader(0, 1, 2);
    scene.answer(&code(NOT_LEADER_OR_FOLLOWER));
    scene.pass(500 * MS);
    assert!(scene.scenario.metadata_requests > asked);
    assert_eq!(scene.got()[0].asked.node, NodeId(1));
    acknowledge(&mut scene);
}

/// There is nobody to connect to, and the next regular refresh is minutes away.
#[test]
fn a_leader_that_is_not_among_the_brokers_is_asked_for_again() {
    let mut scene = Scene::new(&producer_settings());
    one(&mut scene);
    scene.scenario.down = vec![NodeId(0)];
    scene.scenario.brokers = vec![1];
    scene.scenario.disconnect(NodeId(0));
    scene.pass(300 * MS);
    scene.leader(0, 1, 2);
    scene.pass(2 * SECOND);
    assert_eq!(scene.got()[0].asked.node, NodeId(1));
    acknowledge(&mut scene);
}

#[test]
fn a_lost_connection_is_made_again_and_the_batch_sent_again() {
    let mut scene = Scene::new(&producer_settings());
    one(&mut scene);
    scene.scenario.disconnect(NodeId(0));
    scene.pass(500 * MS);
    assert_eq!(scene.got().len(), 1);
    acknowledge(&mut scene);
    assert_eq!(scene.scenario.errors(), [-195], "the user is told once");
}

#[test]
fn a_dead_broker_is_tried_with_back_off_and_its_records_expire() {
    let mut settings = producer_settings();
    settings.delivery_timeout_us = 20 * SECOND;
    let mut scene = Scene::new(&settings);
    one(&mut scene);
    scene.kill(0);
    let before = scene.scenario.attempts.len();
    scene.pass(19 * SECOND);
    assert_eq!(scene.serve(), []);
    let attempts = scene.scenario.attempts[before..].iter().filter(|(_, node)| *node == NodeId(0)).count();
    assert!((4..=16).contains(&attempts), "{attempts} attempts in 19 s");
    scene.pass(2 * SECOND);
    assert_eq!(scene.serve(), [(1, -1, Some(-192))]);
}

#[test]
fn an_unanswered_request_ends_with_the_delivery_timeout() {
    let mut settings = producer_settings();
    settings.delivery_timeout_us = 5 * SECOND;
    let mut scene = Scene::new(&settings);
    one(&mut scene);
    scene.pass(6 * SECOND);
    let served = scene.serve();
    assert!(matches!(served[..], [(1, -1, Some(-192 | -185))]), "{served:?}");
}

#[test]
fn without_any_broker_records_expire_unsent() {
    let mut settings = producer_settings();
    settings.delivery_timeout_us = 3 * SECOND;
    let mut scene = Scene::new(&settings);
    scene.scenario.down = vec![NodeId(-1)];
    scene.produce(0, b"a", Some(1));
    scene.pass(4 * SECOND);
    assert_eq!(scene.serve(), [(1, -1, Some(-192))]);
    assert_eq!(scene.scenario.errors()[..2], [-195, -187], "refused, and with it all brokers are down");
}

#[test]
fn order_holds_through_a_lost_connection() {
    let mut settings = producer_settings();
    settings.batch_num_messages = 1;
    settings.idempotence = true;
    let mut scene = Scene::new(&settings);
    scene.produce(0, &[0], None);
    scene.answer_all(SECOND);
    for number in 1..20_u8 {
        scene.produce(0, &[number], None);
    }
    scene.pass(10 * MS);
    assert_eq!(scene.got().len(), 5, "the pipeline");
    scene.scenario.disconnect(NodeId(0));
    scene.answer_all(10 * SECOND);
    assert_eq!(scene.log, (0..20_u8).map(|number| (0, vec![number])).collect::<Vec<_>>());
}

#[test]
fn an_answer_that_cannot_be_read_closes_the_connection_and_is_reported() {
    let mut scene = Scene::new(&producer_settings());
    one(&mut scene);
    let asked = scene.scenario.oldest(ApiKey::Produce).expect("a request");
    scene.scenario.answer_bytes(&asked, vec![0xff; 40]);
    scene.pass(500 * MS);
    assert_eq!(scene.scenario.errors(), [-199]);
    assert_eq!(scene.got().len(), 1, "the batch is sent again");
    acknowledge(&mut scene);
}

#[test]
fn a_throttled_connection_is_muted_and_then_used_again() {
    use ottla_protocol::messages::produce::ProduceResponse;
    let mut scene = Scene::new(&producer_settings());
    one(&mut scene);
    let asked = scene.scenario.oldest(ApiKey::Produce).expect("a request");
    let response = ProduceResponse { throttle_time_ms: 300, ..Default::default() };
    scene.scenario.answer(&asked, &response);
    scene.turn();
    scene.serve();
    scene.produce(0, b"b", None);
    scene.pass(250 * MS);
    assert!(scene.got().is_empty(), "muted");
    scene.pass(100 * MS);
    assert_eq!(scene.got().len(), 1);
}

/// The cluster names a dead leader until it has noticed, 9 s by default: metadata is asked for all that time, backed off.
#[test]
fn a_dead_leader_is_asked_about_until_another_is_named() {
    let mut scene = Scene::new(&producer_settings());
    one(&mut scene);
    scene.kill(0);
    let before = scene.scenario.metadata_requests;
    for _ in 0..18 {
        scene.pass(500 * MS);
    }
    let asked = scene.scenario.metadata_requests - before;
    assert!((5..60).contains(&asked), "{asked} times in 9 s");
    assert!(scene.got().is_empty());
    scene.leader(0, 1, 1);
    scene.pass(1500 * MS);
    assert_eq!(scene.got().iter().map(|got| got.asked.node).collect::<Vec<_>>(), [NodeId(1)]);
    acknowledge(&mut scene);
}
