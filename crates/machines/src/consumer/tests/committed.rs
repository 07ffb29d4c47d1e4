//! Starts at committed offsets, and asking for them.
use super::super::positions::StartOffset;
use super::world::{Question, World};
use crate::client::{Event, Reply};
use crate::group::StoredOffset;

#[test]
fn a_partition_starts_at_its_committed_offset_else_by_the_policy() {
    let mut world = World::new(&[]);
    world.committed.insert(("t", 0), (42, 2));
    world.assign(&[("t", 0, StartOffset::Invalid), ("t", 1, StartOffset::Stored)]);
    assert_eq!(world.answer_offsets(&[(0, 7)]), [("t", 1, -2)], "nothing is committed for partition 1");
    let wanted = world.answer(&[]);
    assert_eq!((wanted[0].partition, wanted[0].offset, wanted[0].last_fetched_epoch), (0, 42, 2), "KIP-320");
    let both = world.answer(&[]);
    assert!(both.iter().any(|one| (one.partition, one.offset) == (1, 7)));
}

#[test]
fn a_committed_start_is_not_committed_again() {
    let mut world = World::new(&[("auto.commit.interval.ms", "500")]);
    world.committed.insert(("t", 0), (42, 2));
    world.assign(&[("t", 0, StartOffset::Stored)]);
    world
        .buffer
        .store(&mut crate::group::StoredOffset {
            topic: "t".into(),
            partition: 0,
            offset: 40,
            leader_epoch: -1,
            metadata: None,
        })
        .unwrap();
    world.pass(5000);
    assert_eq!(world.commits_asked(), 0);
}

#[test]
fn a_coordinator_that_loads_moves_or_waits_for_a_transaction_is_asked_again() {
    for (group, partition) in [(14, 0), (15, 0), (16, 0), (0, 88)] {
        let mut world = World::new(&[]);
        world.hold_lookups = true;
        world.committed.insert(("t", 0), (42, 2));
        world.assign(&[("t", 0, StartOffset::Stored)]);
        let asked = world.next_lookup();
        world.answer_lookup(&asked, group, partition);
        world.pass(3000);
        assert_eq!(world.fetches(), 0);
        let asked = world.next_lookup();
        world.answer_lookup(&asked, 0, 0);
        world.settle();
        assert_eq!(world.answer(&[])[0].offset, 42);
    }
}

#[test]
fn a_start_that_is_refused_is_reported_and_a_seek_helps() {
    let mut world = World::new(&[]);
    world.hold_lookups = true;
    world.assign(&[("t", 0, StartOffset::Stored)]);
    let asked = world.next_lookup();
    world.answer_lookup(&asked, 30, 0);
    world.settle();
    let text = "Failed to fetch committed offset for group \"g\" topic t [0]: Broker: Group authorization failed";
    assert_eq!(world.take_error(), (30, -1001, text.to_owned()));
    world.seek(5);
    assert_eq!(world.answer(&[])[0].offset, 5);
}

#[test]
fn an_answer_for_an_assignment_that_is_over_says_nothing() {
    let mut world = World::new(&[]);
    world.hold_lookups = true;
    world.committed.insert(("t", 0), (42, 2));
    world.assign(&[("t", 0, StartOffset::Stored)]);
    let asked = world.next_lookup();
    world.seek(5);
    world.answer_lookup(&asked, 0, 0);
    world.settle();
    assert_eq!(world.answer(&[])[0].offset, 5);
}

#[test]
fn the_application_asks_for_committed_offsets_in_its_own_order() {
    let mut world = World::new(&[]);
    world.committed.insert(("u", 0), (9, -1));
    world.ask_committed(3, &[("u", 0), ("t", 1), ("u", 0)], 1_000_000);
    let Some(Event::Reply { request: 3, result: Ok(Reply::Offsets(answers)) }) = world.events.pop() else { panic!() };
    let found: Vec<_> = answers.iter().map(|one| (one.topic.to_string(), one.partition, one.offset)).collect();
    assert_eq!(found, [("u".to_owned(), 0, 9), ("t".to_owned(), 1, -1001), ("u".to_owned(), 0, 9)]);
    assert!(answers.iter().all(|one| one.metadata.is_none() && one.leader_epoch == -1));
}

#[test]
fn a_question_without_an_answer_ends_with_its_time() {
    let mut world = World::new(&[]);
    world.hold_lookups = true;
    world.ask_committed(3, &[("t", 0)], 1_000_000);
    world.pass(1001);
    let Some(Event::Reply { request: 3, result: Err(error) }) = world.events.pop() else { panic!() };
    assert_eq!(error.code(), -185);
}

#[test]
fn a_start_waits_for_what_is_still_to_be_committed_of_its_partition_alone() {
    let mut world = World::new(&[]);
    world.hold_lookups = true;
    let (topic, metadata) = ("t".into(), None);
    let given = StoredOffset { topic, partition: 0, offset: 9, leader_epoch: -1, metadata };
    world.commit(None, vec![given], Some(60_000_000));
    world.assign(&[("t", 0, StartOffset::Stored)]);
    let lookups =
        |world: &World| world.asked.iter().filter(|asked| matches!(asked.question, Question::Lookup(_))).count();
    assert_eq!(lookups(&world), 0);
    assert_eq!(world.answer_commit(0), [("t", 0, 9)]);
    let asked = world.next_lookup();
    world.answer_lookup(&asked, 0, 0);
    world.commit(
        None,
        vec![StoredOffset { topic: "t".into(), partition: 1, offset: 9, leader_epoch: -1, metadata: None }],
        Some(60_000_000),
    );
    world.assign(&[("t", 0, StartOffset::Stored)]);
    assert_eq!((world.commits_asked(), lookups(&world)), (1, 1));
}

#[test]
fn a_start_that_is_made_anew_is_asked_for_once() {
    let mut world = World::new(&[]);
    world.hold_lookups = true;
    world.down.insert(world.coordinated_by);
    for _ in 0..5 {
        world.assign(&[("t", 0, StartOffset::Stored), ("t", 1, StartOffset::Stored)]);
    }
    world.down.clear();
    world.pass(30_000);
    let lookups = world.asked.iter().filter(|asked| matches!(asked.question, Question::Lookup(_))).count();
    assert_eq!(lookups, 1);
}

/// As in the original: it tells whether there is a coordinator.
#[test]
fn no_partitions_are_asked_for_too() {
    let mut world = World::new(&[]);
    world.ask_committed(7, &[], 1_000_000);
    assert!(
        matches!(&world.events[..], [Event::Reply { request: 7, result: Ok(Reply::Offsets(none)) }] if none.is_empty())
    );
    let mut world = World::new(&[]);
    world.down.extend([1, 2]);
    world.ask_committed(7, &[], 1_000_000);
    world.pass(1100);
    world.events.retain(|event| matches!(event, Event::Reply { .. }));
    let Some(Event::Reply { result: Err(error), .. }) = world.events.pop() else { panic!("{:?}", world.events) };
    assert_eq!(error.code(), -185);
}
