//! Sessions, rebalance time-outs, the first rebalance's delay.

use ottla_protocol::error_codes::ErrorCode;

use super::scene::{Client, Scene};
use crate::groups::{GroupSettings, GroupState};

#[test]
fn session_timeouts_have_bounds() {
    let mut scene = Scene::new();
    for session_ms in [5_999, 1_800_001] {
        let reply = scene.join(Client { session_ms, ..Client::default() });
        assert_eq!((reply.error, reply.member_id.as_str()), (ErrorCode::INVALID_SESSION_TIMEOUT, ""));
    }
    for session_ms in [6_000, 1_800_000] {
        assert_eq!(scene.join(Client { session_ms, ..Client::default() }).error, ErrorCode::MEMBER_ID_REQUIRED);
    }
}

#[test]
fn a_member_without_heartbeats_is_out_after_its_session_and_not_before() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    scene.pass_ms(6_000);
    assert_eq!(scene.heartbeat(&b, 2), ErrorCode::NONE);
    scene.pass_ms(3_999);
    assert_eq!(scene.group().members.len(), 2);
    scene.pass_ms(1);
    let group = scene.group();
    assert_eq!((group.members.len(), group.state), (1, GroupState::PreparingRebalance));
    assert_eq!(scene.heartbeat(&a, 2), ErrorCode::UNKNOWN_MEMBER_ID);
    let reply = scene.join(Client { member_id: &b, ..Client::default() });
    assert_eq!((reply.generation_id, &reply.leader), (3, &b));
}

#[test]
fn an_id_that_nobody_joins_with_lapses() {
    let mut scene = Scene::new();
    let id = scene.new_id(Client::default());
    scene.pass_ms(9_999);
    assert_eq!(scene.group().pending_members.len(), 1);
    scene.pass_ms(1);
    assert_eq!(scene.group().pending_members.len(), 0);
    assert_eq!(scene.join(Client { member_id: &id, ..Client::default() }).error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn who_does_not_join_within_the_rebalance_timeout_is_out() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    let rebalance = Client { rebalance_ms: 30_000, ..Client::default() };
    let ticket = scene.send_join(Client { member_id: &b, protocols: &[("range", b"new")], ..rebalance });
    // The leader goes on with heartbeats but never joins again: its own rebalance time-out of a minute holds.
    for _ in 0..11 {
        scene.pass_ms(5_000);
        assert_eq!(scene.heartbeat(&a, 2), ErrorCode::REBALANCE_IN_PROGRESS);
    }
    scene.pass_ms(4_999);
    assert_eq!(scene.joined(ticket), None);
    scene.pass_ms(1);
    let reply = scene.joined(ticket).unwrap();
    assert_eq!((reply.generation_id, &reply.leader, reply.members.len()), (3, &b, 1));
    assert_eq!(scene.heartbeat(&a, 3), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_parked_member_needs_no_heartbeats() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    let ticket = scene.send_join(Client { member_id: &b, protocols: &[("range", b"new")], ..Client::default() });
    for _ in 0..5 {
        scene.pass_ms(9_000);
        scene.heartbeat(&a, 2);
    }
    assert_eq!((scene.joined(ticket), scene.group().members.len()), (None, 2));
    scene.join(Client { member_id: &a, ..Client::default() });
    assert_eq!(scene.joined(ticket).unwrap().generation_id, 3);
}

#[test]
fn a_new_member_may_be_parked_for_five_minutes() {
    let mut scene = Scene::new();
    let (a, _) = scene.two();
    let c = scene.new_id(Client::default());
    // The leader's long rebalance time-out keeps the group waiting.
    let long = Client { rebalance_ms: 3_600_000, ..Client::default() };
    let leader = scene.send_join(Client { member_id: &a, ..long });
    let new = scene.send_join(Client { member_id: &c, ..long });
    assert_eq!((scene.joined(leader), scene.joined(new)), (None, None));
    let b = scene.group().members[1].member_id.clone();
    for _ in 0..30 {
        scene.pass_ms(9_990);
        assert_eq!(scene.heartbeat(&b, 2), ErrorCode::REBALANCE_IN_PROGRESS);
    }
    assert_eq!(scene.joined(new), None);
    scene.pass_ms(300);
    let reply = scene.joined(new).unwrap();
    assert_eq!((reply.error, reply.member_id.as_str()), (ErrorCode::UNKNOWN_MEMBER_ID, ""));
}

#[test]
fn who_never_syncs_is_out_after_the_rebalance_timeout() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    let leader = scene.send_join(Client { member_id: &a, ..Client::default() });
    scene.join(Client { member_id: &b, ..Client::default() });
    assert_eq!(scene.joined(leader).unwrap().generation_id, 3);
    scene.sync(&a, 3, &[(&a, b"1"), (&b, b"2")]);
    assert_eq!(scene.group().state, GroupState::Stable);
    for _ in 0..12 {
        assert_eq!((scene.heartbeat(&a, 3), scene.heartbeat(&b, 3)), (ErrorCode::NONE, ErrorCode::NONE));
        scene.pass_ms(5_000);
    }
    let group = scene.group();
    assert_eq!((group.state, group.members.len()), (GroupState::PreparingRebalance, 1));
    assert_eq!(scene.heartbeat(&b, 3), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn the_first_rebalance_waits_for_more_members() {
    let mut scene = Scene::with(GroupSettings { initial_rebalance_delay_ms: 3_000, ..GroupSettings::default() });
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let id = scene.new_id(Client::default());
        tickets.push(scene.send_join(Client { member_id: &id, ..Client::default() }));
        scene.pass_ms(2_000);
    }
    // Came at 0, 2 and 4 s: the delay that began at 0 is extended at 3 s and, for the one at 4 s, at 6 s.
    scene.pass_ms(2_999);
    assert_eq!(scene.joined(tickets[0]), None);
    scene.pass_ms(1);
    let sizes: Vec<_> = tickets.iter().map(|ticket| scene.joined(*ticket).unwrap().members.len()).collect();
    assert_eq!(sizes, [3, 0, 0]);
}

#[test]
fn the_first_rebalance_ends_with_the_rebalance_timeout() {
    let mut scene = Scene::with(GroupSettings { initial_rebalance_delay_ms: 3_000, ..GroupSettings::default() });
    let impatient = Client { rebalance_ms: 5_000, ..Client::default() };
    let id = scene.new_id(impatient);
    let first = scene.send_join(Client { member_id: &id, ..impatient });
    for _ in 0..4 {
        scene.pass_ms(1_000);
        let id = scene.new_id(impatient);
        scene.send_join(Client { member_id: &id, ..impatient });
    }
    scene.pass_ms(999);
    assert_eq!(scene.joined(first), None);
    scene.pass_ms(1);
    assert_eq!(scene.joined(first).unwrap().members.len(), 5);
}

#[test]
fn nothing_is_due_in_an_empty_group() {
    let mut scene = Scene::new();
    let id = scene.one();
    assert!(scene.groups.next_deadline().is_some());
    scene.leave(&[(&id, None)]);
    assert_eq!(scene.groups.next_deadline(), None);
}
