//! Names and patterns, topics that appear, vanish and grow.
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::join_group::JoinGroupRequest;

use super::group::{Group, HEARTBEAT};
use crate::group::subscription_metadata::read_subscription;
use crate::scenario::SECOND;

const REFRESH: u64 = 300 * SECOND;

fn subscribed(group: &mut Group) -> Vec<Arc<str>> {
    let asked = group.asked(ApiKey::JoinGroup);
    read_subscription(asked.decode::<JoinGroupRequest<'_>>().protocols[0].metadata).expect("a subscription")
}

/// Heartbeats are answered while time passes.
fn pass(group: &mut Group, us: u64) {
    for _ in 0..us.div_ceil(HEARTBEAT) {
        group.pass(HEARTBEAT);
        if group.sent(ApiKey::Heartbeat) {
            group.beat(0);
        }
    }
}

#[test]
fn a_topic_that_is_not_there_is_told_once_and_read_from_when_it_appears() {
    let mut group = Group::new();
    group.subscribe(&["t", "late"]);
    assert_eq!(group.error_codes(), [3]);
    let error = &group.consumer_errors()[0];
    assert_eq!(error.error.message(), "Subscribed topic not available: late: Broker: Unknown topic or partition");
    assert_eq!(error.topic.as_deref(), Some("late"));
    assert_eq!(subscribed(&mut group), [Arc::from("t")]);
    group.join_alone(1);
    group.acknowledge();
    pass(&mut group, 10 * SECOND);
    assert_eq!(group.error_codes(), [3]);
    group.scenario.topic("late", &[(0, 1)]);
    pass(&mut group, 3 * SECOND);
    group.revoked(&[("t", 0), ("t", 1)]);
    group.acknowledge();
    assert_eq!(subscribed(&mut group), [Arc::from("late"), Arc::from("t")]);
    group.lead(2, "range", &[]);
    assert_eq!(group.shares()["me"].len(), 3);
}

#[test]
fn a_group_without_any_topic_joins_with_none_and_waits_for_one() {
    let mut group = Group::new();
    group.subscribe(&["late"]);
    assert!(subscribed(&mut group).is_empty());
    group.lead(1, "range", &[]);
    group.sync(&[]);
    group.assigned(&[]);
    group.acknowledge();
    group.scenario.topic("late", &[(0, 1)]);
    pass(&mut group, 3 * SECOND);
    group.revoked(&[]);
}

#[test]
fn a_topic_that_vanishes_leads_to_a_rejoin_without_it() {
    let mut group = Group::new();
    group.scenario.topic("u", &[(0, 1)]);
    group.subscribe(&["t", "u"]);
    group.join_alone(1);
    group.acknowledge();
    group.scenario.topics.remove("u");
    pass(&mut group, REFRESH + 6 * SECOND);
    group.revoked(&[("t", 0), ("t", 1)]);
    group.acknowledge();
    assert_eq!(subscribed(&mut group), [Arc::from("t")]);
    assert_eq!(group.error_codes(), [3]);
}

#[test]
fn a_topic_that_is_missing_for_a_moment_changes_nothing() {
    let mut group = Group::steady();
    let described = group.scenario.topics.remove("t").expect("described");
    pass(&mut group, REFRESH);
    group.scenario.topics.insert("t".to_owned(), described);
    pass(&mut group, 3 * SECOND);
    assert_eq!(group.epochs(), [1]);
}

#[test]
fn partitions_that_are_added_lead_to_a_rejoin_by_the_leader() {
    let mut group = Group::steady();
    group.scenario.topic("t", &[(0, 1), (0, 1), (0, 1)]);
    pass(&mut group, REFRESH + HEARTBEAT);
    group.revoked(&[("t", 0), ("t", 1)]);
    group.acknowledge();
    group.lead(2, "range", &[]);
    assert_eq!(group.shares()["me"].len(), 3);
}

#[test]
fn patterns_mean_all_topics_that_match_now_and_later() {
    let mut group = Group::new();
    group.scenario.topic("log-a", &[(0, 1)]);
    group.scenario.topic("xlog-b", &[(0, 1)]);
    group.subscribe(&["^log-[a-z]+", "t"]);
    assert_eq!(subscribed(&mut group), [Arc::from("log-a"), Arc::from("t")]);
    group.join_alone(1);
    group.acknowledge();
    group.scenario.topic("log-c", &[(0, 1)]);
    pass(&mut group, REFRESH + HEARTBEAT);
    group.revoked(&[("t", 0), ("t", 1)]);
    group.acknowledge();
    assert_eq!(subscribed(&mut group), [Arc::from("log-a"), Arc::from("log-c"), Arc::from("t")]);
    group.lead(2, "range", &[]);
    group.sync(&[]);
    group.acknowledge();
    group.scenario.topics.remove("log-a");
    pass(&mut group, REFRESH + 2 * HEARTBEAT);
    group.revoked(&[]);
    assert!(group.consumer_errors().is_empty());
}

#[test]
fn a_pattern_that_cannot_be_read_is_refused_and_changes_nothing() {
    let mut group = Group::steady();
    let request = group.subscribe(&["^("]);
    assert_eq!(group.reply(request), Some(Err(-186)));
    pass(&mut group, 10 * SECOND);
    assert_eq!(group.epochs(), [1]);
}

#[test]
fn another_subscription_is_a_rejoin() {
    let mut group = Group::steady();
    group.scenario.topic("u", &[(0, 1)]);
    group.subscribe(&["u", "t"]);
    group.revoked(&[("t", 0), ("t", 1)]);
    group.acknowledge();
    assert_eq!(subscribed(&mut group), [Arc::from("t"), Arc::from("u")]);
    // Changed again while the coordinator waits for the others: its answer is of no use.
    group.subscribe(&["u"]);
    group.lead(2, "range", &[]);
    assert_eq!(subscribed(&mut group), [Arc::from("u")]);
    group.lead(3, "range", &[]);
    assert_eq!(group.shares()["me"], [("u".to_owned(), 0)]);
}

/// The question of metadata that waits is answered; those after it are at once.
fn answer_the_question_in_flight(group: &mut Group) {
    let asked = group.scenario.oldest(ApiKey::Metadata).expect("Metadata was asked for");
    group.scenario.slow_metadata = false;
    group.scenario.answer_metadata(&asked);
    pass(group, HEARTBEAT);
}

#[test]
fn a_topic_that_is_known_from_before_is_asked_for_behind_a_question_of_others() {
    let mut group = Group::steady();
    group.scenario.topic("u", &[(0, 1)]);
    group.scenario.topic("v", &[(0, 1)]);
    group.scenario.slow_metadata = true;
    group.subscribe(&["t", "u"]);
    group.subscribe(&["t"]);
    // The answer tells of a topic that nobody watches any more.
    answer_the_question_in_flight(&mut group);
    group.scenario.slow_metadata = true;
    group.subscribe(&["t", "v"]);
    group.subscribe(&["t", "u", "v"]);
    answer_the_question_in_flight(&mut group);
    group.acknowledge();
    assert_eq!(subscribed(&mut group), ["t", "u", "v"].map(Arc::from));
}

#[test]
fn a_pattern_is_asked_for_behind_a_question_of_names() {
    let mut group = Group::steady();
    group.scenario.topic("u", &[(0, 1)]);
    group.scenario.slow_metadata = true;
    group.subscribe(&["t", "u"]);
    group.subscribe(&["^u"]);
    answer_the_question_in_flight(&mut group);
    group.acknowledge();
    assert_eq!(subscribed(&mut group), [Arc::from("u")]);
}

#[test]
fn a_pattern_means_a_topic_also_when_it_is_no_longer_named() {
    let mut group = Group::new();
    group.subscribe(&["^t", "t"]);
    assert_eq!(subscribed(&mut group), [Arc::from("t")]);
    group.subscribe(&["^t"]);
    assert!(group.consumer_errors().is_empty(), "{:?}", group.consumer_errors());
}
