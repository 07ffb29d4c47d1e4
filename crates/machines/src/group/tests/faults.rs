//! What can go wrong at every step: lost answers, coordinators that move or load, members that are not known any more.
use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use ottla_protocol::messages::sync_group::SyncGroupRequest;

use super::group::{Group, HEARTBEAT, SESSION};
use crate::machine::NodeId;
use crate::scenario::{MS, SECOND};

const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
const UNKNOWN_MEMBER_ID: i16 = 25;
const REBALANCE_IN_PROGRESS: i16 = 27;
const GROUP_AUTHORIZATION_FAILED: i16 = 30;
const GROUP_MAX_SIZE_REACHED: i16 = 81;
const FENCED_INSTANCE_ID: i16 = 82;

#[test]
fn a_coordinator_that_is_not_there_yet_is_asked_for_again_and_nothing_is_raised() {
    let mut group = Group::new();
    group.coordinator = Err(COORDINATOR_NOT_AVAILABLE);
    group.subscribe(&["t"]);
    group.pass(2 * SECOND);
    assert!(group.lookups >= 3 && group.lookups < 15, "{}", group.lookups);
    assert!(group.consumer_errors().is_empty() && group.scenario.errors().is_empty());
    group.coordinator = Ok(0);
    group.pass(SECOND + SECOND / 4);
    group.join_alone(1);
}

#[test]
fn no_right_to_the_group_is_told_once_by_the_search_for_its_coordinator() {
    let mut group = Group::new();
    group.coordinator = Err(GROUP_AUTHORIZATION_FAILED);
    group.subscribe(&["t"]);
    group.pass(5 * SECOND);
    let errors = group.consumer_errors();
    assert_eq!(group.error_codes(), [30]);
    assert_eq!(errors[0].error.message(), "FindCoordinator response error: Broker: Group authorization failed");
    assert!(group.lookups > 3);
}

#[test]
fn what_passes_is_not_told_and_joined_again() {
    for code in [COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, REBALANCE_IN_PROGRESS] {
        let mut group = Group::new();
        group.subscribe(&["t"]);
        let lookups = group.lookups;
        group.refuse_join(code, "");
        assert!(!group.sent(ApiKey::JoinGroup), "{code}: not at once");
        group.pass(150 * MS);
        assert_eq!(group.lookups > lookups, [COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR].contains(&code), "{code}");
        group.join_alone(1);
        assert!(group.consumer_errors().is_empty(), "{code}");
    }
}

#[test]
fn a_coordinator_that_moves_is_followed() {
    let mut group = Group::steady();
    group.coordinator = Ok(0);
    group.pass(HEARTBEAT);
    let asked = group.scenario.oldest(ApiKey::Heartbeat).expect("a heartbeat");
    assert_eq!(asked.node, NodeId(1));
    let response =
        ottla_protocol::messages::heartbeat::HeartbeatResponse { error_code: NOT_COORDINATOR, ..Default::default() };
    group.scenario.answer(&asked, &response);
    group.pass(150 * MS);
    group.beat(0);
    assert_eq!(group.epochs(), [1], "the member stays what it is");
}

#[test]
fn what_the_user_must_mend_is_told_with_every_attempt() {
    for (code, text) in [
        (INCONSISTENT_GROUP_PROTOCOL, "JoinGroup failed: Broker: Inconsistent group protocol"),
        (GROUP_AUTHORIZATION_FAILED, "JoinGroup failed: Broker: Group authorization failed"),
        (GROUP_MAX_SIZE_REACHED, "JoinGroup failed: Broker: Consumer group has reached maximum size"),
    ] {
        let mut group = Group::new();
        group.subscribe(&["t"]);
        group.refuse_join(code, "");
        group.pass(SECOND);
        group.refuse_join(code, "");
        assert_eq!(group.error_codes(), [i32::from(code); 2]);
        assert_eq!(group.consumer_errors()[0].error.message(), text);
        group.pass(SECOND);
        group.join_alone(1);
    }
}

#[test]
fn an_unknown_member_joins_as_a_new_one_at_once() {
    let mut group = Group::new();
    group.subscribe(&["t"]);
    group.refuse_join(79, "old");
    group.refuse_join(UNKNOWN_MEMBER_ID, "");
    let asked = group.asked(ApiKey::JoinGroup);
    assert_eq!(asked.decode::<JoinGroupRequest<'_>>().member_id, "");
    // But not for ever so fast.
    group.refuse_join(UNKNOWN_MEMBER_ID, "");
    assert!(!group.sent(ApiKey::JoinGroup));
    group.pass(150 * MS);
    group.join_alone(1);
}

#[test]
fn a_generation_that_is_over_before_its_shares_came_is_joined_anew() {
    for (code, id) in [(REBALANCE_IN_PROGRESS, "me"), (ILLEGAL_GENERATION, "me"), (UNKNOWN_MEMBER_ID, "")] {
        let mut group = Group::new();
        group.subscribe(&["t"]);
        group.lead(1, "range", &[]);
        group.refuse_sync(code);
        let asked = group.asked(ApiKey::JoinGroup);
        assert_eq!(asked.decode::<JoinGroupRequest<'_>>().member_id, id, "{code}");
        group.join_alone(2);
        assert_eq!(group.epochs(), [1]);
    }
}

#[test]
fn a_lost_connection_at_every_step_leads_to_one_assignment() {
    // While JoinGroup is in flight: the same member joins again.
    let mut group = Group::new();
    group.subscribe(&["t"]);
    group.refuse_join(79, "me");
    group.disconnect();
    group.pass(200 * MS);
    assert_eq!(group.asked(ApiKey::JoinGroup).decode::<JoinGroupRequest<'_>>().member_id, "me");
    // While SyncGroup is in flight: the shares are sent again, for nobody need join anew.
    group.lead(1, "range", &[]);
    assert!(group.sent(ApiKey::SyncGroup));
    group.disconnect();
    group.pass(200 * MS);
    assert!(!group.sent(ApiKey::JoinGroup));
    assert_eq!(group.shares()["me"].len(), 2);
    assert_eq!(group.asked(ApiKey::SyncGroup).decode::<SyncGroupRequest<'_>>().generation_id, 1);
    group.sync(&[("t", 0), ("t", 1)]);
    group.acknowledge();
    // While a heartbeat is in flight: another goes out as soon as there is a connection.
    group.pass(HEARTBEAT);
    assert!(group.sent(ApiKey::Heartbeat));
    group.disconnect();
    group.pass(200 * MS);
    group.beat(0);
    // While the application lets go, and while LeaveGroup is in flight.
    group.unsubscribe();
    group.disconnect();
    group.acknowledge();
    group.pass(200 * MS);
    assert!(group.sent(ApiKey::LeaveGroup));
    group.disconnect();
    group.pass(200 * MS);
    group.left(UNKNOWN_MEMBER_ID);
    assert_eq!(group.epochs(), [1, 2]);
    assert!(group.consumer_errors().is_empty());
}

#[test]
fn answers_to_what_was_asked_before_mean_nothing() {
    let mut group = Group::steady();
    group.pass(HEARTBEAT);
    let stale = group.asked(ApiKey::Heartbeat);
    group.unsubscribe();
    group.acknowledge();
    group.left(0);
    group.subscribe(&["t"]);
    let rebalance =
        ottla_protocol::messages::heartbeat::HeartbeatResponse { error_code: UNKNOWN_MEMBER_ID, ..Default::default() };
    group.scenario.answer(&stale, &rebalance);
    group.join_alone(2);
    group.acknowledge();
    group.heartbeat_after_interval(0);
    assert_eq!(group.epochs(), [1, 2, 3]);
}

#[test]
fn what_others_have_is_lost_and_not_revoked() {
    for (code, id) in [(UNKNOWN_MEMBER_ID, ""), (ILLEGAL_GENERATION, "me")] {
        let mut group = Group::steady();
        group.heartbeat_after_interval(code);
        group.lost(&[("t", 0), ("t", 1)]);
        assert_eq!(group.member(), ":-1", "nobody commits any more");
        group.pass(HEARTBEAT);
        assert!(!group.sent(ApiKey::Heartbeat));
        group.acknowledge();
        let asked = group.asked(ApiKey::JoinGroup);
        assert_eq!(asked.decode::<JoinGroupRequest<'_>>().member_id, id, "{code}");
        group.join_alone(2);
        assert_eq!(group.epochs(), [1, 2, 3]);
    }
}

#[test]
fn a_session_without_a_sign_of_the_coordinator_is_over() {
    let mut group = Group::steady();
    group.heartbeat_after_interval(0);
    let heard = group.scenario.now.mono_us;
    group.scenario.down = vec![NodeId(0), NodeId(1), NodeId(-1)];
    group.disconnect();
    group.scenario.disconnect(NodeId(0));
    group.scenario.disconnect(NodeId(-1));
    group.pass(SESSION - 1);
    assert_eq!(group.epochs(), [1]);
    group.pass(1);
    group.lost(&[("t", 0), ("t", 1)]);
    assert_eq!(group.scenario.now.mono_us, heard + SESSION);
    group.acknowledge();
    group.scenario.down.clear();
    group.pass(15 * SECOND);
    // Under its id: another that has its place meanwhile (KIP-345) keeps it, and where it is a member still, it stays one.
    assert_eq!(group.asked(ApiKey::JoinGroup).decode::<JoinGroupRequest<'_>>().member_id, "me");
    group.refuse_join(UNKNOWN_MEMBER_ID, "");
    assert_eq!(group.asked(ApiKey::JoinGroup).decode::<JoinGroupRequest<'_>>().member_id, "");
    group.join_alone(2);
}

/// KIP-345: it does not take back what another took while it was away.
#[test]
fn a_static_member_whose_session_is_over_yields_to_who_has_its_place() {
    let mut group = Group::of_static_member().at_rest();
    group.pass(SESSION);
    group.lost(&[("t", 0), ("t", 1)]);
    group.acknowledge();
    group.beat(0);
    assert_eq!(group.asked(ApiKey::JoinGroup).decode::<JoinGroupRequest<'_>>().member_id, "me");
    group.refuse_join(FENCED_INSTANCE_ID, "");
    assert_eq!(group.error_codes(), [-150]);
}

#[test]
fn a_fenced_member_is_told_once_loses_all_and_joins_no_more() {
    let mut group = Group::of_static_member().at_rest();
    group.heartbeat_after_interval(FENCED_INSTANCE_ID);
    group.lost(&[("t", 0), ("t", 1)]);
    let error = &group.consumer_errors()[0].error;
    assert_eq!((error.kind.name().as_ref(), error.fatal), ("_FATAL", true));
    assert!(error.message().starts_with("Fatal error: Broker: Static consumer fenced by other consumer"), "{error:?}");
    group.acknowledge();
    group.pass(100 * SECOND);
    assert!(!group.sent(ApiKey::JoinGroup) && !group.sent(ApiKey::LeaveGroup) && !group.sent(ApiKey::Heartbeat));
    assert_eq!(group.error_codes(), [-150]);
    let request = group.subscribe(&["t"]);
    assert_eq!(group.reply(request), Some(Err(-150)));
}

#[test]
fn answers_that_cannot_be_read_close_the_connection_and_are_asked_for_again() {
    for api in [ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::Heartbeat] {
        let mut group = Group::new();
        group.subscribe(&["t"]);
        if api != ApiKey::JoinGroup {
            group.lead(1, "range", &[]);
        }
        if api == ApiKey::Heartbeat {
            group.sync(&[("t", 0)]);
            group.acknowledge();
            group.pass(HEARTBEAT);
        }
        let asked = group.asked(api);
        group.scenario.answer_bytes(&asked, [&asked.correlation_id.to_be_bytes()[..], &[0, 1]].concat());
        group.pass(200 * MS);
        let again = group.asked(api);
        assert_ne!(again.connection, asked.connection, "{api:?}");
    }
}

#[test]
fn an_assignor_or_a_share_that_means_nothing_is_told_and_joined_again() {
    let mut group = Group::new();
    group.subscribe(&["t"]);
    group.lead(1, "sticky", &[]);
    assert_eq!(group.error_codes(), [23]);
    group.pass(SECOND);
    group.lead(2, "range", &[]);
    let asked = group.asked(ApiKey::SyncGroup);
    let response =
        ottla_protocol::messages::sync_group::SyncGroupResponse { assignment: b"\0\0\0", ..Default::default() };
    group.scenario.answer(&asked, &response);
    group.pass(SECOND);
    assert_eq!(group.error_codes(), [23, -199]);
    group.join_alone(3);
}

#[test]
fn a_member_whose_subscription_cannot_be_read_gets_nothing() {
    let mut group = Group::new();
    group.subscribe(&["t"]);
    let asked = group.asked(ApiKey::JoinGroup);
    let request: JoinGroupRequest<'_> = asked.decode();
    let mine = request.protocols[0].metadata.to_vec();
    let member = |member_id, metadata| ottla_protocol::messages::join_group::JoinGroupResponseMember {
        member_id,
        metadata,
        ..Default::default()
    };
    let response = JoinGroupResponse {
        generation_id: 1,
        protocol_name: Some("range"),
        leader: "me",
        member_id: "me",
        members: vec![member("bad", b"\0\x01\x7f"), member("me", &mine)],
        ..Default::default()
    };
    group.scenario.answer(&asked, &response);
    let shares = group.shares();
    assert_eq!((shares["me"].len(), shares["bad"].len()), (2, 0));
}
