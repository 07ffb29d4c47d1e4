//! Commits: what is committed when, in whose name, and what becomes of it.
use std::sync::Arc;

use super::super::positions::StartOffset;
use super::super::taken::RecordRun;
use super::answers::{Answer, answer, batch};
use super::world::{Question, World};
use crate::client::{Event, Reply};
use crate::error::Kind;
use crate::group::{Member, OffsetAnswer, StoredOffset};

fn stored(topic: &str, partition: i32, offset: i64) -> StoredOffset {
    StoredOffset { topic: topic.into(), partition, offset, leader_epoch: -1, metadata: None }
}

fn member(generation: i32) -> Member {
    Member { member_id: "m".into(), generation, instance_id: None }
}

fn commit(world: &mut World, request: Option<u64>, offsets: &[(&str, i32, i64)]) {
    let offsets = offsets.iter().map(|(topic, partition, offset)| stored(topic, *partition, *offset)).collect();
    let deadline_us = request.map(|_| world.now.mono_us + 20_000_000);
    world.commit(request, offsets, deadline_us);
}

/// A member of generation 4 that is one no more, and has not seen it.
fn disowned() -> World {
    let mut world = World::new(&[]);
    world.subscribed = true;
    world.member = Some(member(4));
    world.pass(10);
    world.member = None;
    world.pass(10);
    world
}

/// Code and partitions of what `on_commit` was told since the last call.
fn told(world: &mut World) -> Vec<(i32, Vec<(i32, i64)>)> {
    let mut told = Vec::new();
    for event in world.events.drain(..) {
        let Event::OffsetsCommitted(committed) = event else { panic!("{event:?}") };
        let code = committed.error.map_or(0, |error| error.code());
        told.push((code, committed.offsets.iter().map(|one| (one.partition, one.offset)).collect()));
    }
    told
}

/// Code of the reply, or of each partition.
fn replied(world: &mut World) -> (u64, Result<Vec<i32>, i32>) {
    let Some(Event::Reply { request, result }) = world.events.pop() else { panic!("no reply") };
    let codes =
        |answers: Vec<OffsetAnswer>| answers.iter().map(|one| one.error.as_ref().map_or(0, |e| e.code())).collect();
    match result {
        Ok(Reply::Offsets(answers)) => (request, Ok(codes(answers))),
        Err(error) => (request, Err(error.code())),
        Ok(other) => panic!("{other:?}"),
    }
}

/// A world where the records 0 to 4 of two partitions can be taken.
fn with_records(keys: &[(&str, &str)]) -> World {
    let mut world = World::new(keys);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(0))]);
    world.answer(&[answer(5, &[batch(0, 5)]), Answer { partition: 1, ..answer(5, &[batch(0, 5)]) }]);
    world
}

#[test]
fn what_was_handed_over_is_committed_every_interval_and_only_if_it_is_news() {
    let mut world = with_records(&[("auto.commit.interval.ms", "1000")]);
    world.pass(3000);
    assert_eq!(world.commits_asked(), 0, "nothing was handed over");
    for _ in 0..3 {
        world.take_record();
    }
    world.pass(1000);
    let asked = world.next_commit();
    let Question::Commit { member, offsets } = &asked.question else { panic!() };
    assert_eq!((member.0.as_str(), member.1), ("", -1), "an assigned consumer is no member");
    assert_eq!(offsets.as_slice(), [("t", 0, 3, 3, String::new())]);
    assert_eq!(asked.node, 2, "the coordinator");
    assert_eq!(asked.version, 10, "topics are named by their ids");
    world.answer_commit_with(&asked, &|_, _| 0);
    assert_eq!(told(&mut world), [(0, vec![(0, 3), (1, -1001)])], "the whole assignment is told");
    world.pass(5000);
    assert_eq!(world.commits_asked(), 0);
}

#[test]
fn without_auto_commit_nothing_is_committed_unasked() {
    let mut world = with_records(&[("enable.auto.commit", "false")]);
    world.take_all();
    world.pass(60_000);
    assert_eq!(world.commits_asked(), 0);
    let mut offsets = Vec::new();
    assert!(world.buffer.stored_offsets(&mut offsets), "but it can be asked for");
    assert_eq!(offsets.iter().map(|one| one.offset).collect::<Vec<_>>(), [5, 5]);
}

#[test]
fn what_a_call_has_taken_and_not_returned_is_not_committed() {
    let mut world = with_records(&[]);
    world.take_record();
    let mut run = RecordRun::new();
    assert_eq!(world.buffer.take_many(2, &mut run), 2);
    let offsets = |world: &World| {
        let mut offsets = Vec::new();
        world.buffer.stored_offsets(&mut offsets);
        offsets.iter().map(|one| one.offset).collect::<Vec<_>>()
    };
    assert_eq!(offsets(&world), [1, -1001]);
    assert_eq!(world.buffer.position("t", 0).offset, 3);
    run.clear();
    assert_eq!(world.buffer.take_many(3, &mut run), 3);
    assert_eq!(offsets(&world), [1, -1001]);
    world.buffer.handed_over(0);
    assert_eq!(offsets(&world), [5, 1]);
}

/// What is to be committed of each partition.
fn to_commit(world: &World) -> Vec<i64> {
    let mut offsets = Vec::new();
    world.buffer.stored_offsets(&mut offsets);
    offsets.iter().map(|one| one.offset).collect()
}

/// Takes `count` records in the name of `call`.
fn take_as(world: &mut World, call: u64, count: usize) {
    let mut run = RecordRun::new();
    run.call = call;
    assert_eq!(world.buffer.take_many(count, &mut run), count);
}

#[test]
fn what_a_call_has_taken_is_not_committed_when_another_returns() {
    let mut world = with_records(&[]);
    take_as(&mut world, 1, 2);
    take_as(&mut world, 2, 2);
    world.buffer.handed_over(2);
    assert_eq!(to_commit(&world), [-1001, -1001], "the first records are with nobody yet");
    take_as(&mut world, 3, 3);
    take_as(&mut world, 1, 1);
    world.buffer.handed_over(3);
    assert_eq!(to_commit(&world), [-1001, 2], "call 1 took first from the one, and behind call 3 from the other");
    world.buffer.handed_over(1);
    assert_eq!(to_commit(&world), [5, 3]);
}

#[test]
fn what_was_returned_is_committed_up_to_what_another_call_holds() {
    let mut world = with_records(&[]);
    take_as(&mut world, 1, 2);
    take_as(&mut world, 2, 2);
    world.buffer.handed_over(1);
    assert_eq!(to_commit(&world), [2, -1001]);
    // Partitions that stay are still held.
    world.assign_more(&[("a", 0, StartOffset::Offset(0))]);
    assert_eq!(to_commit(&world), [-1001, 2, -1001]);
    world.buffer.handed_over(2);
    assert_eq!(to_commit(&world), [-1001, 4, -1001]);
    take_as(&mut world, 4, 1);
    assert_eq!(world.unassign_some(&[("t", 0)]).iter().map(|one| one.offset).collect::<Vec<_>>(), [4]);
    world.buffer.handed_over(4);
    assert_eq!(to_commit(&world), [-1001, -1001]);
}

#[test]
fn an_application_that_stores_offsets_itself_commits_those() {
    let mut world = with_records(&[("enable.auto.offset.store", "false"), ("auto.commit.interval.ms", "1000")]);
    world.take_all();
    world.pass(2000);
    assert_eq!(world.commits_asked(), 0);
    let mut given = StoredOffset { metadata: Some("note".into()), ..stored("t", 1, 4) };
    assert_eq!(world.buffer.store(&mut given), Ok(()));
    assert_eq!(world.buffer.store(&mut stored("t", 2, 4)), Err(Kind::State));
    assert_eq!(world.buffer.store(&mut stored("nowhere", 0, 4)), Err(Kind::UnknownPartition));
    world.pass(1000);
    let asked = world.next_commit();
    let Question::Commit { offsets, .. } = &asked.question else { panic!() };
    assert_eq!(offsets.as_slice(), [("t", 1, 4, -1, "note".to_owned())]);
    world.answer_commit_with(&asked, &|_, _| 0);
    world.buffer.store(&mut stored("t", 1, 2)).unwrap();
    world.pass(2000);
    assert_eq!(world.commits_asked(), 0, "commits do not go back");
}

#[test]
fn a_seek_keeps_what_was_stored_and_going_back_commits_nothing() {
    let mut world = with_records(&[("auto.commit.interval.ms", "1000")]);
    for _ in 0..4 {
        world.take_record();
    }
    world.seek(0);
    world.pass(1000);
    assert_eq!(world.answer_commit(0), [("t", 0, 4)]);
    while world.fetches() > 0 {
        let wanted = world.answer(&[answer(5, &[batch(0, 5)])]);
        if wanted.iter().any(|one| (one.partition, one.offset) == (0, 0)) {
            break;
        }
    }
    while world.take_record().is_some_and(|(partition, offset, _)| partition == 1 || offset < 2) {}
    world.pass(1000);
    let committed: Vec<_> = world.answer_commit(0);
    assert_eq!(committed, [("t", 1, 5)], "partition 0 is read again behind what is committed");
}

#[test]
fn a_displaced_partition_has_its_last_offset_committed() {
    let mut world = with_records(&[]);
    world.take_record();
    let displaced = world.buffer.unassign();
    let offsets: Vec<_> = displaced.stored_offsets().iter().map(|one| (one.partition, one.offset)).collect();
    assert_eq!(offsets, [(0, 1), (1, -1001)]);
    assert_eq!(world.buffer.unassign().stored_offsets(), []);
}

#[test]
fn a_revoked_partition_hands_nothing_over_and_can_be_committed() {
    let mut world = with_records(&[]);
    world.take_record();
    world.buffer.revoke(&[(Arc::from("t"), 0)]);
    world.settle();
    assert!(world.take_all().len() == 5 && world.buffer.position("t", 0).offset == 1);
    let mut offsets = Vec::new();
    world.buffer.stored_offsets(&mut offsets);
    assert_eq!(offsets.iter().map(|one| one.offset).collect::<Vec<_>>(), [1, 5]);
    world.buffer.lose(&[(Arc::from("t"), 0)]);
    offsets.clear();
    world.buffer.stored_offsets(&mut offsets);
    assert_eq!(offsets[0].offset, -1001, "another may have gone on from there");
    let wanted = world.answer(&[]);
    assert!(wanted.len() <= 2);
    assert!(world.answer(&[]).iter().all(|one| one.partition == 1), "nothing more is fetched");
    assert_eq!(world.unassign_some(&[("t", 0)]), [], "nothing of it is committed when it is given up");
}

#[test]
fn a_commit_that_is_asked_for_is_answered_and_one_that_is_not_is_told() {
    let mut world = World::new(&[]);
    commit(&mut world, Some(7), &[("t", 1, 5), ("t", 0, 3)]);
    assert_eq!(world.answer_commit(0), [("t", 0, 3), ("t", 1, 5)]);
    assert_eq!(replied(&mut world), (7, Ok(vec![0, 0])));
    commit(&mut world, None, &[("t", 0, 4)]);
    world.answer_commit(0);
    assert_eq!(told(&mut world), [(0, vec![(0, 4)])]);
    commit(&mut world, Some(8), &[("t", 0, -1001)]);
    assert_eq!(replied(&mut world), (8, Err(-168)), "nothing to commit");
    commit(&mut world, None, &[]);
    assert_eq!(told(&mut world), [(-168, vec![])]);
}

#[test]
fn who_commits_is_answered_once_the_callers_side_knows_what_is_committed() {
    let mut world = with_records(&[("enable.auto.offset.store", "false")]);
    world.take_all();
    assert_eq!(world.buffer.store(&mut stored("t", 0, 2)), Ok(()));
    world.locked = true;
    commit(&mut world, Some(7), &[("t", 0, 4)]);
    world.answer_commit(0);
    assert!(world.events.is_empty() && !world.commits.is_idle(), "the answer waits for the lock");
    world.locked = false;
    world.settle();
    assert_eq!(replied(&mut world), (7, Ok(vec![0])));
    assert!(world.commits.is_idle());
    assert_eq!(world.buffer.unassign().stored_offsets(), [], "nothing older is committed after it");
}

#[test]
fn an_error_of_a_partition_is_its_own() {
    let mut world = World::new(&[]);
    commit(&mut world, Some(1), &[("t", 0, 3), ("u", 0, 9)]);
    let asked = world.next_commit();
    world.answer_commit_with(&asked, &|topic, _| if topic == "u" { 12 } else { 0 });
    assert_eq!(replied(&mut world), (1, Ok(vec![0, 12])));
}

#[test]
fn a_coordinator_that_moved_or_loads_is_asked_again() {
    for code in [14, 15, 16] {
        let mut world = World::new(&[]);
        commit(&mut world, Some(1), &[("t", 0, 3)]);
        world.coordinated_by = 1;
        world.answer_commit(code);
        assert!(world.events.is_empty(), "not raised: {code}");
        world.pass(2000);
        let asked = world.next_commit();
        assert_eq!(asked.node, if code == 14 { 2 } else { 1 });
        world.answer_commit_with(&asked, &|_, _| 0);
        assert_eq!(replied(&mut world), (1, Ok(vec![0])));
    }
}

#[test]
fn a_lost_answer_never_puts_an_older_offset_behind_a_newer_one() {
    let mut world = World::new(&[]);
    commit(&mut world, Some(1), &[("t", 0, 3), ("t", 1, 1)]);
    commit(&mut world, Some(2), &[("t", 0, 8)]);
    assert_eq!(world.commits_asked(), 1, "one at a time");
    let lost = world.next_commit();
    world.disconnect(lost.connection);
    world.pass(2000);
    assert_eq!(world.answer_commit(0), [("t", 0, 8), ("t", 1, 1)], "together, and the last one counts");
    world.events.reverse();
    assert_eq!(replied(&mut world), (1, Ok(vec![0, 0])));
    assert_eq!(replied(&mut world), (2, Ok(vec![0])));
    world.pass(2000);
    assert_eq!(world.commits_asked(), 0);
}

#[test]
fn a_commit_that_was_made_in_an_older_generation_fails() {
    let mut world = World::new(&[]);
    world.member = Some(member(4));
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    let asked = world.next_commit();
    let Question::Commit { member: named, .. } = &asked.question else { panic!() };
    assert_eq!((named.0.as_str(), named.1), ("m", 4));
    world.answer_commit_with(&asked, &|_, _| 27);
    world.member = Some(member(5));
    world.pass(2000);
    assert_eq!(replied(&mut world), (1, Err(22)));
    assert_eq!(world.commits_asked(), 0, "its partitions may be another's by now");
}

/// The application commits before it has seen that all is lost: made as no member, or as the next one, the commit would put
/// an older offset behind a newer one. Found by the simulation.
#[test]
fn a_commit_that_is_made_after_the_membership_was_lost_fails() {
    let mut world = disowned();
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    world.pass(10);
    assert_eq!(replied(&mut world), (1, Err(25)));
    world.member = Some(member(6));
    world.pass(2000);
    assert_eq!(world.commits_asked(), 0);
}

#[test]
fn what_was_stored_before_the_assignment_was_lost_is_not_committed() {
    const ASSIGNMENT_LOST: i32 = -142;
    for offsets in [vec![stored("t", 0, 3)], Vec::new()] {
        let mut world = disowned();
        world.commits.commit(world.now, Some(1), offsets, true, None, &mut world.outbox);
        world.settle();
        assert_eq!(replied(&mut world), (1, Err(ASSIGNMENT_LOST)));
        assert_eq!(world.commits_asked(), 0);
    }
}

/// Made before it joined, and not over when the coordinator said that another has its place.
#[test]
fn a_commit_that_waits_fails_with_whoever_is_fenced() {
    const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    const FATAL: i32 = -150;
    let mut world = World::new(&[]);
    world.subscribed = true;
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    world.answer_commit(COORDINATOR_LOAD_IN_PROGRESS);
    world.commits.note_fenced();
    world.pass(2000);
    assert_eq!(replied(&mut world), (1, Err(FATAL)));
    assert_eq!(world.commits_asked(), 0);
}

#[test]
fn what_the_coordinator_says_of_the_member_is_passed_on() {
    for code in [22, 25, 82] {
        let mut world = World::new(&[]);
        world.member = Some(member(4));
        commit(&mut world, Some(1), &[("t", 0, 3)]);
        world.answer_commit(code);
        assert_eq!(replied(&mut world), (1, Ok(vec![i32::from(code)])));
        let (told, error) = world.commits.take_member_error().unwrap();
        assert_eq!((told, error.0), (member(4), code));
        assert_eq!(world.commits.take_member_error(), None);
    }
}

#[test]
fn without_a_coordinator_a_commit_ends_when_the_session_would() {
    let mut world = World::new(&[("session.timeout.ms", "3000"), ("heartbeat.interval.ms", "1000")]);
    world.down.extend([1, 2]);
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    world.pass(2900);
    assert!(world.events.is_empty());
    world.pass(200);
    world.events.retain(|event| matches!(event, Event::Reply { .. }));
    assert_eq!(replied(&mut world), (1, Err(-180)));
    assert!(world.commits.is_idle());
}

#[test]
fn brokers_that_know_no_ids_and_topics_that_we_know_no_ids_of_are_named() {
    let mut world = World::new(&[]);
    world.offsets_version = 9;
    world.assign(&[("t", 0, StartOffset::Offset(0))]);
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    let asked = world.next_commit();
    assert_eq!(asked.version, 9);
    world.answer_commit_with(&asked, &|_, _| 0);
    assert_eq!(replied(&mut world), (1, Ok(vec![0])));
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0))]);
    commit(&mut world, Some(1), &[("t", 0, 3), ("u", 0, 3)]);
    assert_eq!(world.next_commit().version, 9, "u is no topic that is read here");
}

#[test]
fn a_topic_id_that_the_coordinator_does_not_know_is_followed_by_names() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0))]);
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    world.answer_commit(100);
    world.pass(2000);
    assert_eq!(world.next_commit().version, 9);
}

#[test]
fn every_commit_fails_when_the_client_ends() {
    let mut world = World::new(&[]);
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    world.close_commits();
    assert_eq!(replied(&mut world), (1, Err(-197)));
}

/// A coordinator may load for ever; what was to be committed unasked is told as failed then (`socket.timeout.ms`).
#[test]
fn a_commit_without_a_deadline_is_tried_for_as_long_as_a_request_may_take() {
    let mut world = World::new(&[("socket.timeout.ms", "10000")]);
    commit(&mut world, None, &[("t", 0, 3)]);
    let begun_us = world.now.mono_us;
    while world.events.is_empty() {
        if world.commits_asked() > 0 {
            world.answer_commit(14);
        }
        world.pass(100);
        assert!(world.now.mono_us < begun_us + 11_000_000);
    }
    assert!(world.now.mono_us >= begun_us + 10_000_000);
    assert_eq!(told(&mut world), [(14, vec![(0, 3)])], "with the coordinator's reason");
    assert!(world.commits.is_idle());
}

/// As in the original: who was disowned is a stranger to its group until it joins again, also where it subscribes no more.
#[test]
fn a_commit_after_the_membership_was_lost_and_the_subscription_ended_fails() {
    let mut world = disowned();
    world.subscribed = false;
    world.pass(10);
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    assert_eq!(replied(&mut world), (1, Err(25)));
    assert_eq!(world.commits_asked(), 0);
}

#[test]
fn who_left_in_order_commits_as_no_member() {
    let mut world = World::new(&[]);
    world.subscribed = true;
    world.member = Some(member(4));
    world.pass(10);
    world.subscribed = false;
    world.pass(10);
    world.member = None;
    world.pass(10);
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    assert_eq!(world.answer_commit(0), [("t", 0, 3)]);
    assert_eq!(replied(&mut world), (1, Ok(vec![0])));
}

#[test]
fn who_was_fenced_commits_nothing_any_more() {
    let mut world = World::new(&[]);
    world.commits.note_fenced();
    commit(&mut world, Some(1), &[("t", 0, 3)]);
    assert_eq!(replied(&mut world), (1, Err(-150)));
    commit(&mut world, None, &[]);
    assert_eq!(told(&mut world), [(-150, vec![])]);
}
