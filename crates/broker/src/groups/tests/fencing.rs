//! Old generations, and static members (KIP-345, KIP-814).

use ottla_protocol::error_codes::ErrorCode;

use super::scene::{Client, GROUP, Scene};
use crate::groups::{GroupState, JoinReply};

const STATIC: Client<'static> = Client {
    version: 9,
    member_id: "",
    instance: Some("i"),
    protocols: &[("range", b"r"), ("roundrobin", b"rr")],
    protocol_type: "consumer",
    session_ms: 10_000,
    rebalance_ms: 60_000,
};

/// A stable group of the static member `i`, which leads; its answer.
fn static_one(scene: &mut Scene) -> JoinReply {
    let reply = scene.join(STATIC);
    assert_eq!(reply.error, ErrorCode::NONE, "a static member needs no id first");
    assert!(reply.member_id.starts_with("i-"), "{}", reply.member_id);
    let ticket = scene.send_sync_as(&reply.member_id, Some("i"), reply.generation_id, &[(&reply.member_id, b"all")]);
    scene.synced(ticket).unwrap();
    reply
}

#[test]
fn other_generations_and_members_are_refused() {
    let mut scene = Scene::new();
    let (a, _) = scene.two();
    for generation in [1, 3, -1] {
        assert_eq!(scene.heartbeat(&a, generation), ErrorCode::ILLEGAL_GENERATION);
        assert_eq!(scene.sync(&a, generation, &[]).error, ErrorCode::ILLEGAL_GENERATION);
    }
    assert_eq!(scene.heartbeat("x", 2), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.sync("x", 2, &[]).error, ErrorCode::UNKNOWN_MEMBER_ID);
    let reply = scene.join(Client { member_id: "x", ..Client::default() });
    assert_eq!((reply.error, reply.member_id.as_str()), (ErrorCode::UNKNOWN_MEMBER_ID, "x"));
}

#[test]
fn a_member_id_makes_no_group() {
    let mut scene = Scene::new();
    assert_eq!(scene.join(Client { member_id: "x", ..Client::default() }).error, ErrorCode::UNKNOWN_MEMBER_ID);
    assert!(scene.groups.snapshot(GROUP).is_none());
    assert_eq!(scene.heartbeat("x", 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.sync("x", 1, &[]).error, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.leave(&[("x", None)]), [ErrorCode::UNKNOWN_MEMBER_ID]);
}

#[test]
fn a_static_member_that_comes_back_keeps_its_assignment_and_fences_the_old() {
    let mut scene = Scene::new();
    let old = static_one(&mut scene);
    let new = scene.join(STATIC);
    assert_eq!((new.error, new.generation_id), (ErrorCode::NONE, old.generation_id), "no rebalance");
    assert_ne!(new.member_id, old.member_id);
    assert!(new.skip_assignment && new.leader == new.member_id && new.members.len() == 1, "KIP-814: {new:?}");
    assert_eq!(scene.group().state, GroupState::Stable);
    let ticket = scene.send_sync_as(&new.member_id, Some("i"), new.generation_id, &[]);
    assert_eq!(&*scene.synced(ticket).unwrap().assignment, b"all");
    assert_eq!(scene.heartbeat_as(&old.member_id, Some("i"), old.generation_id), ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(scene.heartbeat(&old.member_id, old.generation_id), ErrorCode::UNKNOWN_MEMBER_ID);
    let fenced = scene.join(Client { member_id: &old.member_id, ..STATIC });
    assert_eq!((fenced.error, fenced.protocol_name), (ErrorCode::FENCED_INSTANCE_ID, None));
    let ticket = scene.send_sync_as(&old.member_id, Some("i"), old.generation_id, &[]);
    assert_eq!(scene.synced(ticket).unwrap().error, ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(scene.leave(&[(&old.member_id, Some("i"))]), [ErrorCode::FENCED_INSTANCE_ID]);
    assert_eq!(scene.heartbeat_as(&new.member_id, Some("i"), new.generation_id), ErrorCode::NONE);
}

#[test]
fn before_version_9_the_one_that_comes_back_is_told_that_its_old_id_leads() {
    let mut scene = Scene::new();
    let old = static_one(&mut scene);
    let new = scene.join(Client { version: 8, ..STATIC });
    assert_eq!((&new.leader, new.members.len(), new.skip_assignment), (&old.member_id, 0, false));
}

#[test]
fn a_static_member_that_comes_back_with_other_protocols_rebalances() {
    let mut scene = Scene::new();
    let old = static_one(&mut scene);
    let new = scene.join(Client { protocols: &[("roundrobin", b"rr")], ..STATIC });
    assert_eq!((new.generation_id, new.protocol_name.as_deref()), (old.generation_id + 1, Some("roundrobin")));
    assert!(!new.skip_assignment);
}

#[test]
fn a_parked_static_member_is_fenced_by_its_double() {
    let mut scene = Scene::new();
    let leader = scene.one();
    let first = scene.send_join(STATIC);
    assert_eq!(scene.joined(first), None);
    let second = scene.send_join(STATIC);
    let fenced = scene.joined(first).unwrap();
    assert_eq!((fenced.error, fenced.generation_id), (ErrorCode::FENCED_INSTANCE_ID, -1));
    scene.join(Client { member_id: &leader, ..Client::default() });
    assert_eq!(scene.joined(second).unwrap().generation_id, 2);
    assert_eq!(scene.group().members.len(), 2);
}

#[test]
fn a_double_during_the_assignment_rebalances() {
    let mut scene = Scene::new();
    let old = scene.join(STATIC);
    assert_eq!(scene.group().state, GroupState::CompletingRebalance);
    let new = scene.join(STATIC);
    assert_eq!((new.error, new.generation_id), (ErrorCode::NONE, old.generation_id + 1));
}

#[test]
fn a_static_member_is_missed_until_its_session_ends() {
    let mut scene = Scene::new();
    let leader = scene.one();
    let other = scene.send_join(STATIC);
    scene.join(Client { member_id: &leader, ..Client::default() });
    let other = scene.joined(other).unwrap();
    let ticket = scene.send_sync_as(&other.member_id, Some("i"), 2, &[]);
    scene.sync(&leader, 2, &[(&other.member_id, b"i's")]);
    scene.synced(ticket).unwrap();
    // A rebalance that it misses does not take it out: it keeps its place, and gets no answer.
    let long = Client { session_ms: 100_000, ..Client::default() };
    let ticket = scene.send_join(Client { member_id: &leader, ..long });
    for _ in 0..12 {
        scene.pass_ms(5_000);
        scene.heartbeat_as(&other.member_id, Some("i"), 2);
    }
    let reply = scene.joined(ticket).unwrap();
    assert_eq!((reply.generation_id, reply.members.len()), (3, 2));
    scene.sync(&leader, 3, &[]);
    scene.pass_ms(10_000);
    assert_eq!(scene.group().members.len(), 1, "its session is over");
}

#[test]
fn an_administrator_removes_static_members_by_instance() {
    let mut scene = Scene::new();
    static_one(&mut scene);
    let codes = scene.leave(&[("", Some("i")), ("", Some("other")), ("", None)]);
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::UNKNOWN_MEMBER_ID]);
    assert_eq!(scene.group().state, GroupState::Empty);
}

#[test]
fn a_join_that_a_later_one_of_the_same_member_supersedes_is_never_answered() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    let first = scene.send_join(Client { member_id: &a, ..Client::default() });
    let second = scene.send_join(Client { member_id: &a, ..Client::default() });
    scene.join(Client { member_id: &b, ..Client::default() });
    assert_eq!(scene.joined(second).unwrap().generation_id, 3);
    scene.pass_ms(100_000);
    assert_eq!(scene.joined(first), None);
}
