//! Coming, going, voting and leading.

use ottla_protocol::error_codes::ErrorCode;

use super::scene::{Client, GROUP, Scene};
use crate::groups::{GroupSettings, GroupState};

#[test]
fn a_dynamic_member_comes_back_with_the_id_it_was_given() {
    let mut scene = Scene::new();
    let id = scene.new_id(Client::default());
    assert!(id.starts_with("me-") && id.len() == 3 + 36, "{id}");
    assert_eq!(scene.group().pending_members, std::slice::from_ref(&id));
    let reply = scene.join(Client { member_id: &id, ..Client::default() });
    assert_eq!((reply.error, reply.generation_id, reply.protocol_name.as_deref()), (ErrorCode::NONE, 1, Some("range")));
    assert_eq!(reply.protocol_type.as_deref(), Some("consumer"));
    let members: Vec<_> = reply.members.iter().map(|member| (&member.member_id, &*member.metadata)).collect();
    assert_eq!(members, [(&id, &b"r"[..])]);
    assert_eq!(scene.group().state, GroupState::CompletingRebalance);
    scene.sync(&id, 1, &[(&id, b"x")]);
    assert_eq!(scene.group().state, GroupState::Stable);
}

#[test]
fn before_version_4_a_member_is_in_at_once() {
    let mut scene = Scene::new();
    let reply = scene.join(Client { version: 3, ..Client::default() });
    assert_eq!((reply.error, reply.generation_id), (ErrorCode::NONE, 1));
    assert_eq!(reply.leader, reply.member_id);
}

#[test]
fn two_members_share_a_generation_and_only_the_leader_sees_all() {
    let mut scene = Scene::new();
    let a = scene.one();
    let b = scene.new_id(Client::default());
    let second = scene.send_join(Client { member_id: &b, ..Client::default() });
    assert_eq!(scene.joined(second), None);
    assert_eq!(scene.group().state, GroupState::PreparingRebalance);
    let first = scene.join(Client { member_id: &a, ..Client::default() });
    let second = scene.joined(second).unwrap();
    assert_eq!((first.members.len(), second.members.len()), (2, 0));
    assert_eq!((&first.leader, &second.leader), (&a, &a));
    let waiting = scene.send_sync(&b, 2, &[]);
    scene.sync(&a, 2, &[(&b, b"b's")]);
    assert_eq!(&*scene.synced(waiting).unwrap().assignment, b"b's");
    let group = scene.group();
    let assigned: Vec<_> = group.members.iter().map(|member| &*member.assignment).collect();
    assert_eq!(assigned, [&b""[..], b"b's"], "whom the leader forgot gets an empty assignment");
}

#[test]
fn a_follower_that_joins_unchanged_is_answered_at_once_and_a_leader_rebalances() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    let again = scene.join(Client { member_id: &b, ..Client::default() });
    assert_eq!((again.error, again.generation_id, again.members.len()), (ErrorCode::NONE, 2, 0));
    assert_eq!(scene.group().state, GroupState::Stable);
    assert_eq!(&*scene.sync(&b, 2, &[]).assignment, b"2");
    let leader = scene.send_join(Client { member_id: &a, ..Client::default() });
    assert_eq!(scene.joined(leader), None);
    assert_eq!(scene.group().state, GroupState::PreparingRebalance);
    assert_eq!(scene.heartbeat(&b, 2), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn a_follower_with_other_metadata_rebalances() {
    let mut scene = Scene::new();
    let (_, b) = scene.two();
    let changed = [("range", &b"new"[..]), ("roundrobin", b"rr")];
    let ticket = scene.send_join(Client { member_id: &b, protocols: &changed, ..Client::default() });
    assert_eq!(scene.joined(ticket), None);
    assert_eq!(scene.group().state, GroupState::PreparingRebalance);
}

#[test]
fn a_lost_join_answer_is_given_again() {
    let mut scene = Scene::new();
    let id = scene.new_id(Client::default());
    let client = Client { member_id: &id, ..Client::default() };
    let first = scene.join(client);
    assert_eq!(scene.join(client), first);
    let changed = [("range", &b"other"[..])];
    let third = scene.join(Client { protocols: &changed, ..client });
    assert_eq!((third.error, third.generation_id), (ErrorCode::NONE, 2));
}

#[test]
fn the_protocol_with_most_votes_that_all_offer_wins() {
    let mut scene = Scene::new();
    let offers: [&[(&str, &[u8])]; 3] =
        [&[("a", b""), ("b", b"")], &[("b", b""), ("a", b"")], &[("c", b""), ("b", b""), ("a", b"")]];
    let mut tickets = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    for protocols in offers {
        let id = scene.new_id(Client { protocols, ..Client::default() });
        tickets.push(scene.send_join(Client { member_id: &id, protocols, ..Client::default() }));
        ids.push(id);
    }
    // The first was alone in generation 1; now it joins the others.
    assert_eq!(scene.joined(tickets[0]).unwrap().protocol_name.as_deref(), Some("a"));
    let reply = scene.join(Client { member_id: &ids[0], protocols: offers[0], ..Client::default() });
    assert_eq!((reply.protocol_name.as_deref(), reply.members.len()), (Some("b"), 3));
}

#[test]
fn members_must_have_type_and_a_protocol_in_common() {
    let mut scene = Scene::new();
    let none: [(&str, &[u8]); 0] = [];
    for client in [Client { protocols: &none, ..Client::default() }, Client { protocol_type: "", ..Client::default() }]
    {
        assert_eq!(scene.join(client).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    scene.one();
    for client in [
        Client { protocols: &[("sticky", b"")], ..Client::default() },
        Client { protocol_type: "connect", ..Client::default() },
    ] {
        assert_eq!(scene.join(client).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
}

#[test]
fn leaving_rebalances_and_the_next_member_leads() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    assert_eq!(scene.leave(&[(&a, None), ("nobody", None)]), [ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID]);
    assert_eq!(scene.heartbeat(&b, 2), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(scene.heartbeat(&a, 2), ErrorCode::UNKNOWN_MEMBER_ID);
    let reply = scene.join(Client { member_id: &b, ..Client::default() });
    assert_eq!((&reply.leader, reply.members.len(), reply.generation_id), (&b, 1, 3));
    scene.sync(&b, 3, &[(&b, b"all")]);
    assert_eq!(scene.leave(&[(&b, None)]), [ErrorCode::NONE]);
    let group = scene.group();
    assert_eq!((group.state, group.generation, group.members.len()), (GroupState::Empty, 4, 0));
    assert_eq!(scene.heartbeat(&b, 3), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(scene.sync(&b, 3, &[]).error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_member_that_has_only_an_id_can_leave() {
    let mut scene = Scene::new();
    let a = scene.one();
    let pending = scene.new_id(Client::default());
    assert_eq!(scene.leave(&[(&pending, None)]), [ErrorCode::NONE]);
    assert_eq!(scene.heartbeat(&a, 1), ErrorCode::REBALANCE_IN_PROGRESS, "as any leave does in Kafka");
    let late = scene.join(Client { member_id: &pending, ..Client::default() });
    assert_eq!((late.error, late.protocol_name), (ErrorCode::UNKNOWN_MEMBER_ID, None));
}

#[test]
fn a_join_during_the_assignment_sends_the_waiting_back() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    let leader = scene.send_join(Client { member_id: &a, ..Client::default() });
    scene.join(Client { member_id: &b, ..Client::default() });
    assert_eq!(scene.joined(leader).unwrap().generation_id, 3);
    let waiting = scene.send_sync(&b, 3, &[]);
    let c = scene.new_id(Client::default());
    assert_eq!(scene.synced(waiting), None, "an id alone changes nothing");
    scene.send_join(Client { member_id: &c, ..Client::default() });
    assert_eq!(scene.synced(waiting).unwrap().error, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(scene.sync(&a, 3, &[]).error, ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn groups_have_a_largest_size() {
    let mut scene = Scene::with(GroupSettings { max_size: 1, ..GroupSettings::default() });
    scene.one();
    assert_eq!(scene.join(Client::default()).error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    let fits = scene.groups.snapshot(GROUP).unwrap();
    assert_eq!((fits.members.len(), fits.pending_members.len()), (1, 0));
}
