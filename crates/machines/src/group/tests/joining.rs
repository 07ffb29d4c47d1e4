//! From subscribing to an assignment, and from one generation to the next.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::heartbeat::HeartbeatRequest;
use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use ottla_protocol::messages::sync_group::SyncGroupRequest;

use super::group::{Group, HEARTBEAT};
use crate::scenario::SECOND;

const MEMBER_ID_REQUIRED: i16 = 79;
const REBALANCE_IN_PROGRESS: i16 = 27;

#[test]
fn the_first_assignment_comes_without_waiting_for_any_clock() {
    let mut group = Group::new();
    let begun = group.scenario.now.mono_us;
    group.turn();
    assert_eq!(group.lookups, 1, "the coordinator is found before anybody subscribes");
    let request = group.subscribe(&["t"]);
    assert_eq!(group.reply(request), Some(Ok("done".to_owned())));
    let asked = group.asked(ApiKey::JoinGroup);
    let join: JoinGroupRequest<'_> = asked.decode();
    assert_eq!((join.group_id, join.member_id, join.protocol_type), ("g", "", "consumer"));
    assert_eq!((join.session_timeout_ms, join.rebalance_timeout_ms, asked.version), (45_000, 300_000, 9));
    assert_eq!(join.protocols.iter().map(|each| each.name).collect::<Vec<_>>(), ["range", "roundrobin"]);
    assert_eq!(join.reason, Some("the consumer subscribed"));
    // KIP-394.
    group.refuse_join(MEMBER_ID_REQUIRED, "me");
    let asked = group.asked(ApiKey::JoinGroup);
    assert_eq!(asked.decode::<JoinGroupRequest<'_>>().member_id, "me");
    group.lead(1, "range", &[]);
    let shares = group.shares();
    assert_eq!(shares["me"], [("t".to_owned(), 0), ("t".to_owned(), 1)]);
    let asked = group.asked(ApiKey::SyncGroup);
    let sync: SyncGroupRequest<'_> = asked.decode();
    assert_eq!((sync.generation_id, sync.member_id, sync.protocol_name), (1, "me", Some("range")));
    group.sync(&[("t", 0), ("t", 1)]);
    group.assigned(&[("t", 0), ("t", 1)]);
    group.acknowledge();
    assert_eq!(group.scenario.now.mono_us, begun, "nothing waited");
    assert_eq!((group.member(), group.lookups), ("me:1".to_owned(), 1));
    assert!(group.consumer_errors().is_empty());
}

#[test]
fn a_follower_sends_no_shares_and_nothing_may_be_its_share() {
    let mut group = Group::new();
    group.subscribe(&["t"]);
    group.follow(4);
    assert!(group.shares().is_empty());
    group.sync(&[]);
    group.assigned(&[]);
    group.acknowledge();
    // Told again only by a new generation.
    group.heartbeat_after_interval(0);
    assert_eq!(group.epochs(), [1]);
}

#[test]
fn the_leader_asks_for_the_topics_of_all_members_and_uses_the_assignor_that_was_chosen() {
    let mut group = Group::new();
    group.scenario.topic("u", &[(0, 1), (0, 1), (0, 1)]);
    group.subscribe(&["t"]);
    group.lead(1, "roundrobin", &[("a", &["u", "t"]), ("z", &["u", "nowhere"])]);
    let shares = group.shares();
    let share = |of: &str| shares[of].iter().map(|(topic, number)| format!("{topic}{number}")).collect::<Vec<_>>();
    assert_eq!(
        (share("a"), share("me"), share("z")),
        (vec!["t0".to_owned(), "u1".to_owned()], vec!["t1".to_owned()], vec!["u0".to_owned(), "u2".to_owned()],)
    );
}

#[test]
fn heartbeats_go_out_at_their_interval_with_the_generation() {
    let mut group = Group::steady();
    group.pass(HEARTBEAT - 1);
    assert!(!group.sent(ApiKey::Heartbeat));
    group.pass(1);
    let asked = group.asked(ApiKey::Heartbeat);
    let heartbeat: HeartbeatRequest<'_> = asked.decode();
    assert_eq!((heartbeat.group_id, heartbeat.member_id, heartbeat.generation_id), ("g", "me", 1));
    group.pass(HEARTBEAT);
    assert_eq!(group.scenario.asked.iter().filter(|asked| asked.api == ApiKey::Heartbeat).count(), 1, "one at a time");
    group.beat(0);
    group.pass(HEARTBEAT);
    group.beat(0);
    assert_eq!(group.epochs(), [1]);
}

#[test]
fn a_rebalance_revokes_and_joins_as_the_same_member() {
    let mut group = Group::steady();
    group.heartbeat_after_interval(REBALANCE_IN_PROGRESS);
    group.revoked(&[("t", 0), ("t", 1)]);
    // While the application takes its time the session is kept, and nothing is told again.
    group.pass(10 * HEARTBEAT);
    assert!(!group.sent(ApiKey::JoinGroup));
    group.beat(REBALANCE_IN_PROGRESS);
    group.beat(REBALANCE_IN_PROGRESS);
    assert_eq!(group.epochs(), [1, 2]);
    group.acknowledge();
    let asked = group.asked(ApiKey::JoinGroup);
    let join: JoinGroupRequest<'_> = asked.decode();
    assert_eq!((join.member_id, join.reason), ("me", Some("the group rebalances")));
    group.follow(2);
    group.sync(&[("t", 1)]);
    group.assigned(&[("t", 1)]);
    assert_eq!((group.epochs(), group.member()), (vec![1, 2, 3], "me:2".to_owned()));
}

#[test]
fn an_assignment_that_is_disturbed_before_its_acknowledgement_is_revoked_after_it() {
    let mut group = Group::new();
    group.subscribe(&["t"]);
    group.join_alone(1);
    group.heartbeat_after_interval(REBALANCE_IN_PROGRESS);
    assert_eq!(group.epochs(), [1], "one thing at a time");
    group.acknowledge();
    group.revoked(&[("t", 0), ("t", 1)]);
    // An acknowledgement of what is past means nothing.
    group.command(|_| crate::client::Command::Acknowledge { epoch: 1 });
    assert!(!group.sent(ApiKey::JoinGroup));
    group.acknowledge();
    assert!(group.sent(ApiKey::JoinGroup));
}

#[test]
fn a_static_member_joins_under_its_name() {
    let mut group = Group::of_static_member();
    group.subscribe(&["t"]);
    let asked = group.asked(ApiKey::JoinGroup);
    assert_eq!(asked.decode::<JoinGroupRequest<'_>>().group_instance_id, Some("i1"));
    group.join_alone(1);
    group.acknowledge();
    group.pass(HEARTBEAT);
    let asked = group.asked(ApiKey::Heartbeat);
    assert_eq!(asked.decode::<HeartbeatRequest<'_>>().group_instance_id, Some("i1"));
}

/// KIP-814: the coordinator keeps the shares of a static leader that returns; it shares nothing out, but goes on looking
/// after the topics.
#[test]
fn a_static_leader_that_returns_leaves_the_shares_as_they_are() {
    let mut group = Group::of_static_member();
    group.subscribe(&["t"]);
    let asked = group.asked(ApiKey::JoinGroup);
    let request: JoinGroupRequest<'_> = asked.decode();
    let metadata = request.protocols[0].metadata.to_vec();
    let member = ottla_protocol::messages::join_group::JoinGroupResponseMember {
        member_id: "me",
        group_instance_id: Some("i1"),
        metadata: &metadata,
    };
    let response = JoinGroupResponse {
        generation_id: 3,
        protocol_name: Some("range"),
        leader: "me",
        member_id: "me",
        skip_assignment: true,
        members: vec![member],
        ..Default::default()
    };
    group.scenario.answer(&asked, &response);
    assert!(group.shares().is_empty());
    group.sync(&[("t", 0), ("t", 1)]);
    group.assigned(&[("t", 0), ("t", 1)]);
    group.acknowledge();
    group.pass(SECOND);
    assert_eq!(group.epochs(), [1]);
    group.scenario.topic("t", &[(0, 1), (0, 1), (0, 1)]);
    for _ in 0..101 {
        group.pass(HEARTBEAT);
        if group.sent(ApiKey::Heartbeat) {
            group.beat(0);
        }
    }
    group.revoked(&[("t", 0), ("t", 1)]);
}

#[test]
fn an_old_coordinator_is_spoken_to_in_its_versions() {
    let mut group = Group::new();
    for (api, cap) in [
        (ApiKey::FindCoordinator, 3),
        (ApiKey::JoinGroup, 2),
        (ApiKey::SyncGroup, 1),
        (ApiKey::Heartbeat, 1),
        (ApiKey::LeaveGroup, 1),
    ] {
        group.scenario.caps.insert(api, cap);
    }
    group.subscribe(&["t"]);
    group.join_alone(1);
    group.acknowledge();
    group.heartbeat_after_interval(0);
    group.unsubscribe();
    group.acknowledge();
    group.left(0);
    assert!(group.consumer_errors().is_empty());
}
