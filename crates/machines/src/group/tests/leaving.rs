//! Unsubscribing and closing.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::leave_group::LeaveGroupRequest;
use ottla_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use super::group::{Group, HEARTBEAT, SESSION};
use crate::client::{Command, Event};
use crate::group::StoredOffset;
use crate::machine::Lane;
use crate::scenario::{MS, SECOND, name};

const UNKNOWN_MEMBER_ID: i16 = 25;
const REBALANCE_IN_PROGRESS: i16 = 27;
const NOT_COORDINATOR: i16 = 16;

#[test]
fn unsubscribing_revokes_then_leaves_and_stays_out() {
    let mut group = Group::steady();
    group.unsubscribe();
    group.revoked(&[("t", 0), ("t", 1)]);
    assert!(!group.sent(ApiKey::LeaveGroup), "not before the application has let go");
    group.acknowledge();
    let asked = group.asked(ApiKey::LeaveGroup);
    let request: LeaveGroupRequest<'_> = asked.decode();
    assert_eq!(request.members.iter().map(|member| member.member_id).collect::<Vec<_>>(), ["me"]);
    assert_eq!(request.members[0].reason, Some("the consumer unsubscribed from all topics"));
    assert_eq!(group.member(), ":-1");
    group.left(0);
    group.pass(10 * HEARTBEAT);
    assert!(!group.sent(ApiKey::JoinGroup) && !group.sent(ApiKey::Heartbeat));
    group.subscribe(&["t"]);
    assert!(group.sent(ApiKey::JoinGroup));
}

#[test]
fn closing_revokes_leaves_and_answers() {
    let mut group = Group::steady();
    let request = group.leave(10 * SECOND);
    group.revoked(&[("t", 0), ("t", 1)]);
    assert_eq!(group.reply(request), None);
    group.acknowledge();
    assert_eq!(group.reply(request), None);
    let asked = group.asked(ApiKey::LeaveGroup);
    assert_eq!(asked.decode::<LeaveGroupRequest<'_>>().members[0].reason, Some("the consumer is being closed"));
    group.left(0);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
    // For good.
    group.subscribe(&["t"]);
    assert!(!group.sent(ApiKey::JoinGroup));
}

#[test]
fn closing_without_a_membership_is_answered_at_once() {
    let mut group = Group::new();
    let request = group.leave(10 * SECOND);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
    group.command(|_| Command::Close);
}

#[test]
fn a_static_member_does_not_leave() {
    let mut group = Group::of_static_member().at_rest();
    let request = group.leave(10 * SECOND);
    group.acknowledge();
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
    assert!(!group.sent(ApiKey::LeaveGroup));
    group.pass(2 * HEARTBEAT);
    assert!(!group.sent(ApiKey::Heartbeat));
}

#[test]
fn closing_during_a_parked_join_leaves_beside_it() {
    let mut group = Group::steady();
    group.heartbeat_after_interval(REBALANCE_IN_PROGRESS);
    group.acknowledge();
    assert!(group.sent(ApiKey::JoinGroup));
    let request = group.leave(10 * SECOND);
    // On another lane: the coordinator answers the JoinGroup first, which may take minutes (E1).
    group.left(0);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
    group.refuse_join(UNKNOWN_MEMBER_ID, "");
    assert!(!group.sent(ApiKey::JoinGroup));
}

#[test]
fn an_application_that_never_lets_go_is_left_for_at_the_deadline() {
    let mut group = Group::steady();
    let request = group.leave(10 * SECOND);
    group.pass(10 * SECOND);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
    assert!(group.sent(ApiKey::LeaveGroup), "the others need not wait for its session");
}

#[test]
fn a_leave_follows_the_coordinator_and_ends_at_its_deadline() {
    let mut group = Group::steady();
    let request = group.leave(10 * SECOND);
    group.acknowledge();
    group.coordinator = Ok(0);
    let asked = group.scenario.oldest(ApiKey::LeaveGroup).expect("LeaveGroup was sent");
    group.scenario.answer(
        &asked,
        &ottla_protocol::messages::leave_group::LeaveGroupResponse {
            error_code: NOT_COORDINATOR,
            ..Default::default()
        },
    );
    group.pass(SECOND);
    assert!(group.sent(ApiKey::LeaveGroup));
    assert_eq!(group.reply(request), None);
    group.pass(10 * SECOND);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
}

#[test]
fn subscribing_again_before_the_revoke_is_served_joins_anew() {
    let mut group = Group::steady();
    group.scenario.topic("u", &[(0, 1)]);
    group.unsubscribe();
    group.subscribe(&["u"]);
    group.acknowledge();
    assert!(!group.sent(ApiKey::LeaveGroup));
    group.lead(2, "range", &[]);
    assert_eq!(group.shares()["me"], [("u".to_owned(), 0)]);
}

fn commit(group: &mut Group) -> u64 {
    let topic = name("t");
    let offsets = vec![StoredOffset { topic, partition: 0, offset: 7, leader_epoch: -1, metadata: None }];
    let deadline_us = Some(group.scenario.now.mono_us + 20 * SECOND);
    group.command(|request| Command::Commit { request: Some(request), offsets, stored: false, deadline_us })
}

/// The coordinator takes the oldest commit.
fn committed(group: &mut Group) {
    let asked = group.scenario.oldest(ApiKey::OffsetCommit).expect("the commit was sent");
    assert_eq!(asked.lane, Lane::General);
    let topic = asked.decode::<OffsetCommitRequest<'_>>().topics[0].clone();
    let partitions = vec![OffsetCommitResponsePartition::default()];
    let topics = vec![OffsetCommitResponseTopic { name: topic.name, topic_id: topic.topic_id, partitions }];
    group.scenario.answer(&asked, &OffsetCommitResponse { topics, ..Default::default() });
    group.turn();
}

/// E1, E2: a commit has a lane of its own, so that it is answered while a JoinGroup waits for the other members.
#[test]
fn a_commit_goes_out_and_is_answered_while_a_join_is_parked() {
    let mut group = Group::steady();
    group.heartbeat_after_interval(REBALANCE_IN_PROGRESS);
    group.acknowledge();
    assert!(group.sent(ApiKey::JoinGroup));
    let request = commit(&mut group);
    committed(&mut group);
    assert!(group.reply(request).is_some() && group.sent(ApiKey::JoinGroup));
}

/// A consumer that assigned by hand commits when it is closed, and the client ends once it has left.
#[test]
fn one_that_is_no_member_has_left_once_its_commits_are_over() {
    let mut group = Group::new();
    commit(&mut group);
    let request = group.leave(10 * SECOND);
    assert_eq!(group.reply(request), None);
    committed(&mut group);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
    commit(&mut group);
    let request = group.leave(10 * SECOND);
    group.pass(10 * SECOND);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())), "at the deadline whatever happens");
}

/// A member that polled too late, whose LeaveGroup is to be sent again.
fn late() -> Group {
    const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    let mut group = Group::steady();
    group.polls = false;
    while !group.sent(ApiKey::LeaveGroup) {
        group.pass(HEARTBEAT);
        if group.sent(ApiKey::Heartbeat) {
            group.beat(0);
        }
    }
    group.left(COORDINATOR_LOAD_IN_PROGRESS);
    group.polls = true;
    group
}

/// The client ends once it has left, so that what was to tell the coordinator before must be over too.
#[test]
fn closing_waits_for_a_leave_that_began_before() {
    let mut group = late();
    group.unsubscribe();
    group.acknowledge();
    let request = group.leave(10 * SECOND);
    assert_eq!(group.reply(request), None);
    group.pass(2 * SECOND);
    group.left(0);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
}

#[test]
fn leaving_again_does_not_forget_the_member_that_left_before() {
    let mut group = late();
    group.acknowledge();
    group.join_alone(2);
    group.acknowledge();
    let request = group.leave(10 * SECOND);
    group.acknowledge();
    group.left(0);
    assert_eq!(group.reply(request), None, "one of two");
    group.pass(2 * SECOND);
    group.left(0);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
}

/// Who unsubscribes serves the revoke with the next poll: it must be there by then.
#[test]
fn unsubscribing_is_answered_behind_the_revoke() {
    let mut group = Group::steady();
    let request = group.unsubscribe();
    let [.., Event::Rebalance(_), Event::Reply { request: answered, .. }] = &group.scenario.events[..] else {
        panic!("{:?}", group.scenario.events)
    };
    assert_eq!(*answered, request);
}

/// It lets go in a poll that may never come: others have its partitions after a session, as when it dies.
#[test]
fn who_unsubscribes_and_polls_no_more_is_no_member_after_a_session() {
    for mut group in [Group::steady(), Group::of_static_member().at_rest()] {
        group.unsubscribe();
        group.polls = false;
        group.pass(SESSION - MS);
        assert_eq!(group.member(), "me:1");
        assert!(!group.sent(ApiKey::Heartbeat), "the coordinator counts too");
        group.pass(MS);
        assert_eq!(group.member(), ":-1");
        group.revoked(&[("t", 0), ("t", 1)]);
        let log = |event: &Event| matches!(event, Event::Log { facility: "SESSTMOUT", level: 4, .. });
        assert_eq!(group.scenario.events.iter().filter(|event| log(event)).count(), 1);
        // As a commit of none it could put an older offset behind that of the next member.
        let request = commit(&mut group);
        assert_eq!(group.reply(request), Some(Err(i32::from(UNKNOWN_MEMBER_ID))));
        group.acknowledge();
        let request = commit(&mut group);
        assert_eq!(group.reply(request), Some(Err(i32::from(UNKNOWN_MEMBER_ID))));
        if group.sent(ApiKey::LeaveGroup) {
            group.left(UNKNOWN_MEMBER_ID);
        }
        group.pass(2 * SESSION);
        assert!(!group.sent(ApiKey::LeaveGroup) && !group.sent(ApiKey::Heartbeat) && !group.sent(ApiKey::JoinGroup));
        group.subscribe(&["t"]);
        group.join_alone(2);
        assert_eq!(group.epochs(), [1, 2, 3]);
    }
}

/// The session goes on with its subscription.
#[test]
fn who_subscribes_again_in_time_stays() {
    let mut group = Group::steady();
    for _ in 0..3 {
        group.unsubscribe();
        group.pass(SESSION - SECOND);
        group.subscribe(&["t"]);
        assert!(group.sent(ApiKey::Heartbeat));
        group.beat(0);
    }
    assert_eq!(group.member(), "me:1");
}

/// Nothing between the leave and the next subscription: whoever left in order was not disowned.
#[test]
fn who_left_and_subscribes_at_once_may_commit() {
    let mut group = Group::of_static_member().at_rest();
    group.unsubscribe();
    group.acknowledge();
    group.subscribe(&["t"]);
    let request = commit(&mut group);
    assert_eq!(group.reply(request), None, "it is not refused");
    committed(&mut group);
    assert!(group.reply(request).is_some_and(|reply| reply.is_ok()));
}
