//! Assignments that change by parts, and what outlives them.
use super::super::assigning::PreparedAssignment;
use super::super::positions::{Assigned, StartOffset};
use super::answers::{Answer, answer, batch};
use super::world::World;

fn named(partitions: &[(&str, i32)], assigned: usize) -> PreparedAssignment {
    let one =
        |&(topic, partition): &(&str, i32)| Assigned { topic: topic.into(), partition, start: StartOffset::Stored };
    PreparedAssignment::beside(partitions.iter().map(one).collect(), assigned).unwrap()
}

fn assignment(world: &World) -> Vec<(String, i32)> {
    let mut out = Vec::new();
    world.buffer.assignment(&mut out);
    out.iter().map(|one| (one.topic.to_string(), one.partition)).collect()
}

#[test]
fn what_stays_goes_on_where_it_was_while_others_come_and_go() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 1, StartOffset::Offset(0))]);
    world.answer(&[Answer { partition: 1, ..answer(6, &[batch(0, 3), batch(3, 3)]) }]);
    assert_eq!(world.take_record().map(|(partition, offset, _)| (partition, offset)), Some((1, 0)));
    world.assign_more(&[("t", 0, StartOffset::Offset(4)), ("u", 0, StartOffset::Offset(2))]);
    assert_eq!(assignment(&world), [("t".into(), 0), ("t".into(), 1), ("u".into(), 0)]);
    assert_eq!(world.take_record().map(|(partition, offset, _)| (partition, offset)), Some((1, 1)), "in its batch");
    world.pass(1000);
    world.answer(&[]);
    world.answer(&[answer(5, &[batch(4, 1)]), Answer { topic: "u", ..answer(3, &[batch(2, 1)]) }]);
    let last = world.unassign_some(&[("t", 0)]);
    assert!(last.is_empty(), "nothing of it was handed over");
    world.settle();
    let mut rest: Vec<_> =
        std::iter::from_fn(|| world.take_record()).map(|(partition, offset, _)| (partition, offset)).collect();
    // Each in its order; among each other they take turns.
    rest.sort_by_key(|(partition, _)| *partition);
    assert_eq!(rest, [(0, 2), (1, 2), (1, 3), (1, 4), (1, 5)]);
    assert_eq!((world.buffer.position("t", 1).offset, world.buffer.position("t", 0).offset), (6, -1001));
    world.settle();
    assert!(world.held() < 1000, "{} bytes are held", world.held());
}

#[test]
fn a_partition_that_is_being_taken_from_can_leave() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(0))]);
    world.answer(&[answer(3, &[batch(0, 3)]), Answer { partition: 1, ..answer(3, &[batch(0, 3)]) }]);
    assert_eq!(world.take_record().map(|(partition, ..)| partition), Some(0));
    let last: Vec<_> = world.unassign_some(&[("t", 0)]).iter().map(|one| (one.partition, one.offset)).collect();
    assert_eq!(last, [(0, 1)]);
    assert_eq!(world.take_all(), [0, 1, 2]);
    assert_eq!(world.buffer.position("t", 1).offset, 3);
}

#[test]
fn what_does_not_fit_changes_nothing_and_says_so_as_the_original_does() {
    let mut world = World::new(&[]);
    let unfit = world.buffer.incremental_unassign(named(&[("t", 0)], 0)).unwrap_err().into_error();
    assert_eq!((unfit.code(), &*unfit.message()), (-186, "Can't subtract from empty assignment"));
    world.assign(&[("t", 0, StartOffset::Offset(0))]);
    let unfit = world.buffer.incremental_unassign(named(&[("t", 0), ("t", 7)], 1)).unwrap_err().into_error();
    let text = "t [7] can't be unassigned since it is not in the current assignment";
    assert_eq!((unfit.code(), &*unfit.message()), (-186, text));
    let unfit = world.buffer.incremental_assign(named(&[("t", 1), ("t", 0)], 1)).unwrap_err().into_error();
    assert_eq!((unfit.code(), &*unfit.message()), (-173, "t [0] is already part of the current assignment"));
    assert_eq!(assignment(&world), [("t".into(), 0)]);
}

#[test]
fn pauses_and_watermarks_outlive_assignments() {
    let mut world = World::reading(&[]);
    world.answer(&[answer(9, &[batch(0, 3)])]);
    world.buffer.pause("t", 0);
    drop(world.buffer.unassign());
    world.settle();
    assert_eq!(world.buffer.watermarks("t", 0), (0, 9));
    assert!(!world.buffer.pause("t", 1) && !world.buffer.pause("nowhere", 0));
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(0))]);
    assert_eq!(world.answer(&[answer(9, &[batch(0, 3)])]).len(), 1, "the Fetch of before");
    assert_eq!((world.take(), world.fetches()), (None, 0), "both are paused");
    assert!(world.buffer.resume("t", 1));
    world.settle();
    assert_eq!(world.answer(&[]).iter().map(|one| one.partition).collect::<Vec<_>>(), [1]);
    drop(world.buffer.unassign());
    assert!(!world.buffer.resume("t", 0));
    world.assign(&[("t", 0, StartOffset::Offset(0))]);
    world.answer(&[]);
    assert_eq!(world.answer(&[]).iter().map(|one| one.partition).collect::<Vec<_>>(), [0]);
}
