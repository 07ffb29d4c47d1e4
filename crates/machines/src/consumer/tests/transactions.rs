//! read_committed: control batches are skipped, aborted ones dropped.
use super::answers::{Answer, answer, batch, marker};
use super::world::{Question, World};

#[test]
fn control_batches_are_skipped_and_the_position_goes_past_them() {
    let mut world = World::reading(&[("enable.partition.eof", "true")]);
    world.answer(&[answer(4, &[batch(0, 2).of(9), marker(2, 9, true), marker(3, 8, false)])]);
    assert_eq!(world.take().unwrap().unwrap().0, 0);
    assert_eq!(world.take().unwrap().unwrap().0, 1);
    assert_eq!(world.take_error().1, 4, "the end");
    assert_eq!(world.answer(&[])[0].offset, 4);
}

#[test]
fn aborted_transactions_of_several_producers_are_dropped() {
    let mut world = World::reading(&[]);
    let log = [
        batch(0, 2).of(1),
        batch(2, 2).of(2),
        batch(4, 1),
        batch(5, 1).of(1),
        marker(6, 1, false),
        batch(7, 1).of(2),
        batch(8, 1).of(1),
        marker(9, 2, true),
        batch(10, 1).of(2),
        marker(11, 1, true),
        marker(12, 2, false),
        batch(13, 1),
    ];
    world.answer(&[Answer { aborted: vec![(2, 10), (1, 0)], ..answer(14, &log) }]);
    assert_eq!(world.take_all(), [2, 3, 4, 7, 8, 13]);
    assert_eq!(world.answer(&[])[0].offset, 14);
}

#[test]
fn a_batch_without_a_transaction_is_never_aborted() {
    let mut world = World::reading(&[]);
    let mut idempotent = batch(0, 1).of(5);
    idempotent.transactional = false;
    world.answer(&[Answer {
        aborted: vec![(5, 0)],
        ..answer(3, &[idempotent, batch(1, 1).of(5), marker(2, 5, false)])
    }]);
    assert_eq!(world.take_all(), [0]);
}

#[test]
fn read_uncommitted_takes_all_but_control_batches() {
    let mut world = World::reading(&[("isolation.level", "read_uncommitted")]);
    let asked = world.next_fetch();
    let Question::Fetch { isolation_level, .. } = asked.question else { panic!() };
    assert_eq!(isolation_level, 0);
    let log = [batch(0, 2).of(1), marker(2, 1, false), batch(3, 1)];
    world.answer_fetch(&asked, &[Answer { aborted: vec![(1, 0)], ..answer(4, &log) }], &[]);
    assert_eq!(world.take_all(), [0, 1, 3]);
}

#[test]
fn the_end_for_committed_records_is_the_last_stable_offset() {
    let mut world = World::reading(&[("enable.partition.eof", "true")]);
    world.answer(&[Answer { stable: Some(2), ..answer(7, &[batch(0, 2)]) }]);
    assert!(world.take().unwrap().is_ok() && world.take().unwrap().is_ok());
    let (_, offset, text) = world.take_error();
    assert_eq!(
        (offset, text.as_str()),
        (2, "Fetch from broker 1 reached end of partition at offset 2 (HighwaterMark 7)")
    );
    assert_eq!(world.buffer.watermarks("t", 0), (0, 7));
}

#[test]
fn a_wholly_aborted_answer_moves_on() {
    let mut world = World::reading(&[]);
    world.answer(&[Answer { aborted: vec![(1, 0)], ..answer(6, &[batch(0, 4).of(1), marker(4, 1, false)]) }]);
    assert_eq!(world.take(), None);
    assert_eq!(world.answer(&[answer(6, &[batch(5, 1)])])[0].offset, 5);
    assert_eq!(world.take_all(), [5]);
    assert_eq!(world.buffer.position("t", 0).offset, 6);
}
