//! `max.poll.interval.ms` (KIP-62): a member that does not poll leaves, and the next poll joins again.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::leave_group::LeaveGroupRequest;

use super::group::{Group, HEARTBEAT, MAX_POLL};
use crate::client::Event;
use crate::scenario::SECOND;

/// Time passes; heartbeats are answered.
fn pass(group: &mut Group, us: u64) {
    let until = group.scenario.now.mono_us + us;
    while group.scenario.now.mono_us < until {
        group.pass(HEARTBEAT.min(until - group.scenario.now.mono_us));
        if group.sent(ApiKey::Heartbeat) {
            group.beat(0);
        }
    }
}

#[test]
fn a_member_that_does_not_poll_leaves_at_once_and_joins_again_with_the_next_poll() {
    let mut group = Group::steady();
    group.polls = false;
    pass(&mut group, MAX_POLL - SECOND);
    assert_eq!(group.epochs(), [1]);
    pass(&mut group, SECOND);
    group.lost(&[("t", 0), ("t", 1)]);
    let error = &group.consumer_errors()[0].error;
    assert_eq!(error.kind.name(), "_MAX_POLL_EXCEEDED");
    assert!(error.message().starts_with("Application maximum poll interval (300000ms) exceeded by "), "{error:?}");
    let log = |event: &Event| matches!(event, Event::Log { facility: "MAXPOLL", level: 4, .. });
    assert_eq!(group.scenario.events.iter().filter(|event| log(event)).count(), 1);
    // Others need not wait for the busy application.
    let asked = group.asked(ApiKey::LeaveGroup);
    assert_eq!(asked.decode::<LeaveGroupRequest<'_>>().members[0].member_id, "me");
    group.left(0);
    pass(&mut group, 2 * MAX_POLL);
    assert!(!group.sent(ApiKey::JoinGroup) && !group.sent(ApiKey::Heartbeat));
    group.polls = true;
    group.turn();
    assert!(!group.sent(ApiKey::JoinGroup), "not before it has let go");
    group.acknowledge();
    group.join_alone(2);
    assert_eq!((group.epochs(), group.error_codes()), (vec![1, 2, 3], vec![-147]));
}

#[test]
fn a_poll_at_any_time_and_a_caller_that_waits_keep_the_membership() {
    let mut group = Group::steady();
    group.polls = false;
    pass(&mut group, MAX_POLL - 10 * SECOND);
    group.buffer.polled = true;
    pass(&mut group, MAX_POLL - 10 * SECOND);
    assert_eq!(group.epochs(), [1]);
    group.buffer.waiting = 1;
    pass(&mut group, 3 * MAX_POLL);
    assert_eq!(group.epochs(), [1]);
    group.buffer.waiting = 0;
    pass(&mut group, MAX_POLL + 10 * SECOND);
    group.lost(&[("t", 0), ("t", 1)]);
}

#[test]
fn a_static_member_that_does_not_poll_stays_away_without_leaving() {
    let mut group = Group::of_static_member().at_rest();
    group.polls = false;
    pass(&mut group, MAX_POLL + 10 * SECOND);
    group.lost(&[("t", 0), ("t", 1)]);
    assert!(!group.sent(ApiKey::LeaveGroup) && !group.sent(ApiKey::Heartbeat));
}

#[test]
fn without_a_subscription_nobody_has_to_poll() {
    let mut group = Group::steady();
    group.unsubscribe();
    group.acknowledge();
    group.left(0);
    group.polls = false;
    group.pass(3 * MAX_POLL);
    assert!(group.consumer_errors().is_empty());
}
