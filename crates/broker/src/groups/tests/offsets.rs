//! Commits: who may, when, and what comes back.

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::offset_commit::OffsetCommitRequest;

use super::scene::{Client, GROUP, Scene};
use crate::groups::{Commit, CommittedOffset, GroupState};

fn request<'a>(member_id: &'a str, generation: i32) -> OffsetCommitRequest<'a> {
    OffsetCommitRequest {
        group_id: GROUP,
        generation_id_or_member_epoch: generation,
        member_id,
        ..OffsetCommitRequest::default()
    }
}

fn commit(scene: &mut Scene, request: &OffsetCommitRequest<'_>, offset: i64) -> Result<Vec<ErrorCode>, ErrorCode> {
    let commit = Commit { topic: "t", partition: 3, offset, leader_epoch: 1, metadata: Some("note") };
    scene.groups.commit(scene.now, 1, 9, request, &[commit])
}

fn committed(scene: &Scene) -> Option<i64> {
    let offsets = scene.groups.offsets(scene.now, 1, GROUP).unwrap();
    offsets.partition("t", 3).map(|offset| offset.offset)
}

#[test]
fn a_consumer_without_group_membership_commits_while_nobody_is_in() {
    let mut scene = Scene::new();
    assert_eq!(committed(&scene), None);
    assert_eq!(commit(&mut scene, &request("", -1), 5), Ok(vec![ErrorCode::NONE]));
    let offsets = scene.groups.offsets(scene.now, 1, GROUP).unwrap().clone();
    let expected =
        CommittedOffset { offset: 5, leader_epoch: 1, metadata: "note".into(), committed_at: scene.now.wall_ms };
    assert_eq!(offsets.partition("t", 3), Some(&expected));
    let group = scene.group();
    assert_eq!((group.state, group.protocol_type), (GroupState::Empty, None));
    scene.one();
    assert_eq!(commit(&mut scene, &request("", -1), 6), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(committed(&scene), Some(5));
}

#[test]
fn a_member_commits_in_its_generation_alone() {
    let mut scene = Scene::new();
    let id = scene.one();
    assert_eq!(commit(&mut scene, &request(&id, 1), 5), Ok(vec![ErrorCode::NONE]));
    for (member, generation, error) in [
        (id.as_str(), 0, ErrorCode::ILLEGAL_GENERATION),
        (&id, 2, ErrorCode::ILLEGAL_GENERATION),
        (&id, -1, ErrorCode::ILLEGAL_GENERATION),
        ("x", 1, ErrorCode::UNKNOWN_MEMBER_ID),
        ("", 1, ErrorCode::UNKNOWN_MEMBER_ID),
    ] {
        assert_eq!(commit(&mut scene, &request(member, generation), 9), Err(error), "{member} {generation}");
    }
    let fenced = OffsetCommitRequest { group_instance_id: Some("i"), ..request(&id, 1) };
    assert_eq!(commit(&mut scene, &fenced, 9), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(committed(&scene), Some(5));
}

#[test]
fn members_commit_while_the_group_prepares_but_not_before_its_assignment() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    let leader = scene.send_join(Client { member_id: &a, ..Client::default() });
    assert_eq!(commit(&mut scene, &request(&b, 2), 5), Ok(vec![ErrorCode::NONE]));
    scene.join(Client { member_id: &b, ..Client::default() });
    scene.joined(leader).unwrap();
    assert_eq!(commit(&mut scene, &request(&b, 2), 6), Err(ErrorCode::ILLEGAL_GENERATION));
    assert_eq!(commit(&mut scene, &request(&b, 3), 6), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    assert_eq!(committed(&scene), Some(5));
}

#[test]
fn a_commit_shows_that_the_member_lives() {
    let mut scene = Scene::new();
    let id = scene.one();
    for _ in 0..5 {
        scene.pass_ms(9_000);
        assert_eq!(commit(&mut scene, &request(&id, 1), 5), Ok(vec![ErrorCode::NONE]));
    }
    assert_eq!(scene.group().members.len(), 1);
}

#[test]
fn a_generation_of_a_group_that_is_not_there() {
    let mut scene = Scene::new();
    let request = request("x", 1);
    let commit = Commit { topic: "t", partition: 0, offset: 1, leader_epoch: -1, metadata: None };
    let mut ask = |version| scene.groups.commit(scene.now, 1, version, &request, &[commit]);
    assert_eq!((ask(9), ask(8)), (Err(ErrorCode::GROUP_ID_NOT_FOUND), Err(ErrorCode::ILLEGAL_GENERATION)));
}

#[test]
fn metadata_has_a_longest_length_and_one_that_is_longer_refuses_its_partition_alone() {
    let mut scene = Scene::new();
    let (fits, too_long) = ("é".repeat(4096), "x".repeat(4097));
    let commits = [(0, &fits), (1, &too_long)].map(|(partition, metadata)| Commit {
        topic: "t",
        partition,
        offset: 1,
        leader_epoch: -1,
        metadata: Some(metadata),
    });
    let codes = scene.groups.commit(scene.now, 1, 9, &request("", -1), &commits);
    assert_eq!(codes, Ok(vec![ErrorCode::NONE, ErrorCode::OFFSET_METADATA_TOO_LARGE]));
    let offsets = scene.groups.offsets(scene.now, 1, GROUP).unwrap();
    assert!(offsets.partition("t", 0).is_some() && offsets.partition("t", 1).is_none());
}

#[test]
fn commits_survive_their_coordinator_and_go_with_their_topic() {
    let mut scene = Scene::new();
    let id = scene.one();
    commit(&mut scene, &request(&id, 1), 42).unwrap();
    scene.groups.set_live(scene.now, vec![2, 3]);
    scene.groups.set_live(scene.now, vec![1]);
    assert_eq!(committed(&scene), Some(42));
    scene.groups.topic_deleted("t");
    assert_eq!(committed(&scene), None);
    assert!(scene.group().offsets.is_empty());
}
