//! Logical starts and `auto.offset.reset`.
use super::super::positions::StartOffset;
use super::answers::{Answer, answer, batch, error};
use super::world::World;

const NO_OFFSET: &str = "no previously committed offset available: Local: No offset stored";
const GONE: &str = "fetch failed due to requested offset not available on the broker: Broker: Offset out of range";

#[test]
fn beginning_end_and_tail_are_asked_for_together() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Beginning), ("t", 1, StartOffset::End), ("u", 0, StartOffset::Tail(3))]);
    assert_eq!(world.fetches(), 0);
    assert_eq!(world.answer_offsets(&[(0, 4), (0, 90), (0, 50)]), [("t", 0, -2), ("t", 1, -1), ("u", 0, -1)]);
    let wanted = world.answer(&[Answer { topic: "u", ..answer(50, &[batch(47, 3)]) }]);
    assert_eq!(
        wanted.iter().map(|one| (one.topic, one.partition, one.offset)).collect::<Vec<_>>(),
        [("t", 0, 4), ("t", 1, 90), ("u", 0, 47)]
    );
    assert_eq!(world.take_all(), [47, 48, 49]);
}

#[test]
fn a_tail_longer_than_the_log_is_all_of_it() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Tail(1000))]);
    world.answer_offsets(&[(0, 50)]);
    assert_eq!(world.answer(&[])[0].offset, 0);
}

#[test]
fn without_an_offset_the_policy_says_where_to_start() {
    for (policy, timestamp) in [("earliest", -2), ("latest", -1)] {
        for start in [StartOffset::Stored, StartOffset::Invalid] {
            let mut world = World::new(&[("auto.offset.reset", policy)]);
            world.assign(&[("t", 0, start)]);
            assert_eq!(world.answer_offsets(&[(0, 7)]), [("t", 0, timestamp)]);
            assert_eq!(world.answer(&[])[0].offset, 7);
            assert!(world.log.is_empty(), "nothing is lost: {:?}", world.log);
        }
    }
    let mut world = World::new(&[("auto.offset.reset", "error")]);
    world.assign(&[("t", 0, StartOffset::Stored), ("t", 1, StartOffset::Offset(0))]);
    assert_eq!(world.take_error(), (-140, -1001, NO_OFFSET.to_owned()));
    assert_eq!(world.answer(&[]).iter().map(|one| one.partition).collect::<Vec<_>>(), [1], "the other one goes on");
    world.pass(60_000);
    assert_eq!(world.take(), None, "told once");
    world.seek(3);
    world.answer(&[]);
    assert_eq!(world.answer(&[]).iter().map(|one| (one.partition, one.offset)).max(), Some((1, 0)));
}

#[test]
fn an_offset_out_of_range_is_reset_by_the_policy() {
    let mut world = World::new(&[("auto.offset.reset", "earliest")]);
    world.assign(&[("t", 0, StartOffset::Offset(100))]);
    world.answer(&[error(1)]);
    assert_eq!(world.log, [format!("t [0]: offset reset (at offset 100, broker 1) to offset BEGINNING: {GONE}")]);
    assert_eq!(world.answer_offsets(&[(0, 20)]), [("t", 0, -2)]);
    assert_eq!(world.answer(&[answer(21, &[batch(20, 1)])])[0].offset, 20);
    assert_eq!(world.take_all(), [20]);

    let mut world = World::new(&[("auto.offset.reset", "error")]);
    world.assign(&[("t", 0, StartOffset::Offset(100))]);
    world.answer(&[error(1)]);
    assert_eq!(world.take_error(), (-140, 100, format!("{GONE} (broker 1)")));
    world.pass(60_000);
    assert_eq!((world.fetches(), world.take()), (0, None), "until the application seeks");
    world.seek(5);
    assert_eq!(world.answer(&[])[0].offset, 5);
}

#[test]
fn what_was_fetched_before_the_gap_is_handed_over() {
    let mut world = World::reading(&[("auto.offset.reset", "earliest")]);
    world.answer(&[answer(9, &[batch(0, 2)])]);
    world.answer(&[error(1)]);
    world.answer_offsets(&[(0, 5)]);
    world.answer(&[answer(9, &[batch(5, 2)])]);
    assert_eq!(world.take_all(), [0, 1, 5, 6]);
}

#[test]
fn offsets_are_asked_for_again_after_errors_and_disconnects() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Beginning)]);
    world.answer_offsets(&[(6, -1)]);
    assert!(world.asked.is_empty(), "with back-off");
    world.pass(2_000);
    let connection = world.asked[0].connection;
    world.disconnect(connection);
    world.pass(2_000);
    world.answer_offsets(&[(0, 8)]);
    assert_eq!(world.answer(&[])[0].offset, 8);
    assert!(world.take().is_none());
}

#[test]
fn an_offset_that_may_not_be_asked_for_is_reported_once() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::End)]);
    world.answer_offsets(&[(29, -1)]);
    let text = "Failed to query logical offset END: Broker: Topic authorization failed".to_owned();
    assert_eq!(world.take_error(), (29, -1001, text));
    world.pass(2_000);
    world.answer_offsets(&[(29, -1)]);
    assert_eq!(world.take(), None);
    world.pass(2_000);
    world.answer_offsets(&[(0, 8)]);
    assert_eq!(world.answer(&[])[0].offset, 8);
}

#[test]
fn a_seek_while_an_offset_is_asked_for_wins() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Beginning)]);
    world.seek(33);
    assert_eq!(world.answer_offsets(&[(0, 4)]).len(), 1);
    assert_eq!(world.answer(&[])[0].offset, 33);
}

#[test]
fn a_truncated_log_is_noticed_and_reset_by_the_policy() {
    let mut world = World::reading(&[("auto.offset.reset", "latest")]);
    world.answer(&[answer(9, &[batch(0, 5)])]);
    let wanted = world.answer(&[Answer { diverging: Some((2, 3)), ..answer(9, &[]) }]);
    assert_eq!((wanted[0].offset, wanted[0].last_fetched_epoch), (5, 3));
    assert_eq!(world.take(), None, "what waits was read from a log that is no more");
    assert!(world.log[0].contains("truncation detected at offset 5: broker end offset is 3"), "{:?}", world.log);
    assert_eq!(world.answer_offsets(&[(0, 7)]), [("t", 0, -1)]);
    assert_eq!(world.answer(&[answer(9, &[batch(7, 1)])])[0].offset, 7);
    assert_eq!(world.take_all(), [7]);

    let mut world = World::reading(&[("auto.offset.reset", "error")]);
    world.answer(&[answer(9, &[batch(0, 1)])]);
    world.answer(&[Answer { diverging: Some((2, 0)), ..answer(9, &[]) }]);
    assert_eq!(world.take(), Some(Ok((0, "value 0".to_owned()))));
    let (code, offset, _) = world.take_error();
    assert_eq!((code, offset), (-140, 1));
}
