//! Another coordinator: who may answer, what it knows.

use ottla_protocol::error_codes::ErrorCode;

use super::scene::{Client, GROUP, Scene};
use crate::groups::{CoordinatorType, GroupState};

#[test]
fn only_the_coordinator_answers_and_not_while_it_loads() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    scene.groups.load_coordinator(scene.now, GROUP, 500);
    let join = scene.join(Client { member_id: &b, ..Client::default() });
    assert_eq!((join.error, join.member_id.as_str()), (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, b.as_str()));
    assert_eq!(scene.sync(&a, 2, &[]).error, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert_eq!(scene.heartbeat(&a, 2), ErrorCode::NONE, "Kafka answers heartbeats blindly meanwhile");
    scene.pass_ms(500);
    assert_eq!(&*scene.sync(&a, 2, &[]).assignment, b"1", "the generation was written");
    scene.groups.set_live(scene.now, vec![1, 2]);
    assert!(scene.groups.move_coordinator(scene.now, GROUP, 2));
    assert!(!scene.groups.move_coordinator(scene.now, GROUP, 3));
    assert_eq!(scene.groups.coordinator(CoordinatorType::Group, GROUP), Some(2));
    assert_eq!(scene.heartbeat(&a, 2), ErrorCode::NOT_COORDINATOR);
    assert_eq!(scene.join(Client::default()).error, ErrorCode::NOT_COORDINATOR);
    scene.groups.set_live(scene.now, vec![]);
    assert_eq!(scene.heartbeat(&a, 2), ErrorCode::COORDINATOR_NOT_AVAILABLE);
}

#[test]
fn whoever_waits_is_sent_away_and_comes_back_to_the_last_complete_generation() {
    let mut scene = Scene::new();
    let (a, b) = scene.two();
    let parked = scene.send_join(Client { member_id: &a, ..Client::default() });
    assert_eq!(scene.group().state, GroupState::PreparingRebalance);
    scene.groups.load_coordinator(scene.now, GROUP, 0);
    scene.settle();
    assert_eq!(scene.joined(parked).unwrap().error, ErrorCode::NOT_COORDINATOR);
    let group = scene.group();
    assert_eq!((group.state, group.generation, group.members.len()), (GroupState::Stable, 2, 2));
    assert_eq!((scene.heartbeat(&a, 2), scene.heartbeat(&b, 2)), (ErrorCode::NONE, ErrorCode::NONE));
    assert_eq!(&*scene.sync(&b, 2, &[]).assignment, b"2");
}

#[test]
fn a_generation_without_assignment_is_lost_with_its_coordinator() {
    let mut scene = Scene::new();
    let id = scene.new_id(Client::default());
    scene.join(Client { member_id: &id, ..Client::default() });
    scene.groups.load_coordinator(scene.now, GROUP, 0);
    let group = scene.group();
    assert_eq!((group.state, group.generation), (GroupState::Empty, 0));
    assert_eq!(scene.sync(&id, 1, &[]).error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn sessions_begin_anew_with_a_new_coordinator() {
    let mut scene = Scene::new();
    scene.two();
    scene.pass_ms(9_000);
    scene.groups.load_coordinator(scene.now, GROUP, 2_000);
    scene.pass_ms(11_999);
    assert_eq!(scene.group().members.len(), 2);
    scene.pass_ms(1);
    assert_eq!(scene.group().state, GroupState::Empty, "both are gone");
}

#[test]
fn a_death_moves_the_group_and_nobody_elses() {
    let mut scene = Scene::new();
    let (a, _) = scene.two();
    let parked = scene.send_join(Client { member_id: &a, ..Client::default() });
    // Node 1 stays the coordinator of what it has unless the hash says otherwise.
    scene.groups.set_live(scene.now, vec![1]);
    scene.settle();
    assert_eq!(scene.joined(parked), None);
    scene.groups.set_live(scene.now, vec![2]);
    scene.settle();
    assert_eq!(scene.joined(parked).unwrap().error, ErrorCode::NOT_COORDINATOR);
    assert_eq!(scene.group().state, GroupState::Stable);
}
