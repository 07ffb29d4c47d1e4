//! Assigning, taking, seeking, pausing.
use ottla_protocol::compression::Codec;

use super::super::positions::StartOffset;
use super::super::taken::{RecordRun, Scratch, Take};
use super::answers::{Answer, Batch, answer, batch, large};
use super::world::{Question, World};
use crate::error::Kind;

#[test]
fn records_come_in_order_and_the_position_follows() {
    let mut world = World::reading(&[]);
    assert_eq!(world.buffer.position("t", 0).offset, -1001);
    assert_eq!(world.take(), None);
    world.answer(&[answer(5, &[batch(0, 3), batch(3, 2)])]);
    assert_eq!(world.buffer.position("t", 0).offset, -1001, "nothing was handed over yet");
    assert_eq!(world.take(), Some(Ok((0, "value 0".to_owned()))));
    let position = world.buffer.position("t", 0);
    assert_eq!((position.offset, position.leader_epoch), (1, Some(3)));
    assert_eq!(world.take_all(), [1, 2, 3, 4]);
    assert_eq!(world.buffer.watermarks("t", 0), (0, 5));
    assert_eq!(world.answer(&[answer(5, &[])])[0].offset, 5);
    assert_eq!(world.fetches(), 1, "an empty answer is followed by the next Fetch");
}

#[test]
fn a_record_has_all_its_parts() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("u", 0, StartOffset::Offset(7))]);
    let null =
        Batch { records: vec![(None, None), (Some(vec![]), Some(vec![]))], broker_time: Some(77), ..batch(7, 0) };
    world.answer(&[Answer { topic: "u", ..answer(9, &[null]) }]);
    let mut scratch = Scratch::new();
    let Take::Record(first) = world.buffer.take(&mut scratch) else { panic!() };
    assert_eq!((first.offset, first.partition, first.timestamp_ms, first.timestamp_type), (7, 0, 77, 2));
    assert_eq!((first.key(&scratch), first.value(&scratch), first.has_headers()), (None, None, false));
    assert_eq!(&*world.name(first.topic), "u");
    let Take::Record(second) = world.buffer.take(&mut scratch) else { panic!() };
    assert_eq!((second.key(&scratch), second.value(&scratch)), (Some(&[][..]), Some(&[][..])));
    world.answer(&[answer(1, &[batch(0, 1)])]);
    let Take::Record(third) = world.buffer.take(&mut scratch) else { panic!() };
    assert_eq!((third.key(&scratch), third.value(&scratch)), (Some(&b"k"[..]), Some(&b"value 0"[..])));
    assert_eq!((third.timestamp_ms, third.timestamp_type, third.leader_epoch), (1000, 1, 3));
}

#[test]
fn a_large_record_is_held_and_not_copied() {
    let mut world = World::reading(&[]);
    world.answer(&[answer(2, &[large(0, 1, 5000), large(1, 1, 1 << 20)])]);
    let mut scratch = Scratch::new();
    for size in [5000, 1 << 20] {
        let Take::Record(record) = world.buffer.take(&mut scratch) else { panic!() };
        assert_eq!(record.value(&scratch).unwrap().len(), size);
    }
}

#[test]
fn many_are_taken_at_once_with_their_buffers() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(2)), ("t", 1, StartOffset::Offset(0))]);
    let other = Answer { partition: 1, ..answer(300, &[batch(0, 300)]) };
    world.answer(&[answer(4, &[batch(0, 4)]), other]);
    let mut run = RecordRun::new();
    assert_eq!(world.buffer.take_many(1000, &mut run), 256, "one hold of the lock takes no more");
    let first = run.records()[0];
    assert_eq!((first.offset, run.value(&first), run.key(&first)), (2, Some(&b"value 2"[..]), Some(&b"k"[..])));
    assert!(!run.has_headers(&first) && run.headers(&first).is_empty());
    let shared = run.batch(&run.records()[2]).unwrap();
    assert_eq!((shared.partition, &*world.name(shared.topic)), (1, "t"));
    assert!(world.buffer.is_current(shared.topic, 1, shared.epoch));
    assert_eq!(world.buffer.take_many(1000, &mut run), 46);
    assert_eq!(run.records().last().unwrap().offset, 299);
    assert_eq!(world.buffer.position("t", 1).offset, 300);
    assert_eq!(world.buffer.take_many(1000, &mut run), 0);
    world.seek(0);
    assert_eq!(world.buffer.take_many(10, &mut run), 0);
}

#[test]
fn take_and_take_many_share_one_order() {
    let mut world = World::reading(&[]);
    world.answer(&[answer(6, &[batch(0, 3), batch(3, 3)])]);
    let mut run = RecordRun::new();
    assert_eq!(world.take(), Some(Ok((0, "value 0".to_owned()))));
    assert_eq!(world.buffer.take_many(3, &mut run), 3);
    assert_eq!(run.records().iter().map(|record| record.offset).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(world.take_all(), [4, 5]);
}

#[test]
fn a_fetch_that_begins_in_the_middle_of_a_batch_skips_what_was_not_asked_for() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(7))]);
    world.answer(&[answer(12, &[batch(0, 5), batch(5, 5), batch(10, 2)])]);
    assert_eq!(world.take_all(), [7, 8, 9, 10, 11]);
}

#[test]
fn a_batch_that_was_cut_off_is_fetched_again() {
    let mut world = World::reading(&[]);
    let mut cut = answer(6, &[batch(0, 3), batch(3, 3)]);
    cut.records.truncate(cut.records.len() - 10);
    world.answer(&[cut]);
    assert_eq!(world.take_all(), [0, 1, 2]);
    assert_eq!(world.answer(&[answer(6, &[batch(3, 3)])])[0].offset, 3);
    assert_eq!(world.take_all(), [3, 4, 5]);
}

#[test]
fn a_partition_that_had_room_for_a_cut_batch_alone_goes_first_next_time() {
    let mut world = World::new(&[]);
    // With a session the order is the broker's.
    world.sessions = None;
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(0))]);
    let mut cut = Answer { partition: 1, ..answer(3, &[batch(0, 3)]) };
    cut.records.truncate(70);
    world.answer(&[answer(3, &[batch(0, 3)]), cut]);
    let wanted = world.answer(&[]);
    assert_eq!(wanted.iter().map(|wanted| wanted.partition).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn a_record_larger_than_any_limit_is_read() {
    let mut world = World::reading(&[
        ("max.partition.fetch.bytes", "1000"),
        ("fetch.max.bytes", "1000"),
        ("message.max.bytes", "1000"),
    ]);
    world.answer(&[answer(2, &[large(0, 1, 3 << 20)])]);
    assert_eq!(world.take_all(), [0]);
    assert_eq!(world.answer(&[answer(2, &[batch(1, 1)])])[0].offset, 1);
}

#[test]
fn partitions_take_turns() {
    let mut world = World::new(&[]);
    world.assign(&[
        ("t", 0, StartOffset::Offset(0)),
        ("t", 1, StartOffset::Offset(0)),
        ("u", 0, StartOffset::Offset(0)),
    ]);
    let order =
        |wanted: &[super::world::Wanted]| wanted.iter().map(|one| (one.topic, one.partition)).collect::<Vec<_>>();
    let first = world.answer(&[answer(9, &[batch(0, 1)])]);
    assert_eq!(order(&first), [("t", 0), ("t", 1), ("u", 0)]);
    let second = world.answer(&[Answer { partition: 1, ..answer(9, &[batch(0, 1)]) }]);
    assert_eq!(order(&second), [("t", 1), ("u", 0), ("t", 0)]);
    assert_eq!(order(&world.answer(&[])), [("u", 0), ("t", 0), ("t", 1)]);
}

#[test]
fn brokers_without_topic_ids_are_asked_by_name() {
    let mut world = World::new(&[]);
    world.fetch_version = 11;
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("u", 0, StartOffset::Offset(0))]);
    let wanted = world.answer(&[Answer { topic: "u", ..answer(1, &[batch(0, 1)]) }]);
    assert_eq!((wanted[0].topic, wanted[1].topic), ("t", "u"));
    assert_eq!(world.take_all(), [0]);
}

#[test]
fn each_leader_is_asked_for_its_own_partitions() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 2, StartOffset::Offset(0))]);
    assert_eq!(world.fetches(), 2);
    let nodes: Vec<_> = world.asked.iter().map(|asked| asked.node).collect();
    assert_eq!(nodes, [1, 2]);
    assert_eq!(world.asked.iter().filter(|asked| asked.lane == crate::machine::Lane::Fetch).count(), 2);
}

#[test]
fn seek_drops_what_was_fetched_and_what_is_on_its_way() {
    let mut world = World::reading(&[]);
    world.answer(&[answer(100, &[batch(0, 3)])]);
    assert_eq!(world.take(), Some(Ok((0, "value 0".to_owned()))));
    world.seek(50);
    assert_eq!(world.buffer.position("t", 0).offset, -1001);
    assert_eq!(world.take(), None, "E17: records of the old epoch are gone");
    assert_eq!(world.answer(&[answer(100, &[batch(3, 3)])])[0].offset, 3, "asked before the seek");
    assert_eq!(world.take(), None);
    assert_eq!(world.answer(&[answer(100, &[batch(50, 2)])])[0].offset, 50);
    assert_eq!(world.take_all(), [50, 51]);
}

#[test]
fn seek_right_after_assign_goes_before_the_first_fetch() {
    let mut world = World::new(&[]);
    let assigned = super::super::positions::Assigned { topic: "t".into(), partition: 0, start: StartOffset::Offset(0) };
    drop(world.buffer.assign(super::super::assigning::PreparedAssignment::new(vec![assigned]).unwrap()));
    world.buffer.seek("t", 0, StartOffset::Offset(9)).unwrap();
    world.settle();
    assert_eq!(world.answer(&[answer(10, &[batch(9, 1)])])[0].offset, 9);
    assert_eq!(world.take_all(), [9]);
}

#[test]
fn seek_needs_an_assigned_partition_and_no_stored_offset() {
    let mut world = World::reading(&[]);
    assert_eq!(world.buffer.seek("t", 1, StartOffset::Offset(0)), Err(Kind::State));
    assert_eq!(world.buffer.seek("nowhere", 0, StartOffset::Offset(0)), Err(Kind::UnknownPartition));
    assert_eq!(world.buffer.seek("t", 0, StartOffset::Stored), Err(Kind::InvalidArgument));
    assert_eq!(world.buffer.seek("t", 0, StartOffset::Invalid), Ok(()));
}

#[test]
fn a_paused_partition_keeps_its_records_in_order() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(0))]);
    let other = Answer { partition: 1, ..answer(9, &[batch(0, 2)]) };
    world.answer(&[answer(9, &[batch(0, 3), batch(3, 2)]), other]);
    assert_eq!(world.take(), Some(Ok((0, "value 0".to_owned()))));
    assert!(world.buffer.pause("t", 0));
    assert!(!world.buffer.pause("t", 7) && !world.buffer.resume("nowhere", 0));
    assert_eq!(world.take_all(), [0, 1], "those of the other partition");
    world.answer(&[]);
    assert_eq!(world.answer(&[]).iter().map(|wanted| wanted.partition).collect::<Vec<_>>(), [1], "paused: not fetched");
    assert!(world.buffer.resume("t", 0));
    assert_eq!(world.take_all(), [1, 2, 3, 4]);
    world.settle();
    world.answer(&[]);
    assert_eq!(world.answer(&[]).len(), 2);
}

#[test]
fn a_seek_while_paused_holds_until_resumed() {
    let mut world = World::reading(&[]);
    world.buffer.pause("t", 0);
    world.seek(4);
    world.answer(&[answer(9, &[batch(0, 2)])]);
    assert_eq!((world.take(), world.fetches()), (None, 0));
    world.buffer.resume("t", 0);
    world.settle();
    assert_eq!(world.answer(&[answer(9, &[batch(4, 1)])])[0].offset, 4);
    assert_eq!(world.take_all(), [4]);
}

#[test]
fn assigning_anew_starts_anew_and_keeps_a_pause() {
    let mut world = World::reading(&[]);
    world.answer(&[answer(9, &[batch(0, 3)])]);
    world.buffer.pause("t", 0);
    world.assign(&[("t", 0, StartOffset::Offset(5)), ("t", 1, StartOffset::Offset(1))]);
    assert_eq!(world.buffer.position("t", 0).offset, -1001);
    assert_eq!(world.take(), None);
    world.answer(&[answer(9, &[batch(3, 3)])]);
    assert_eq!(world.take(), None, "an answer to the old assignment");
    assert_eq!(world.answer(&[]).iter().map(|wanted| (wanted.partition, wanted.offset)).collect::<Vec<_>>(), [(1, 1)]);
    let mut assignment = Vec::new();
    world.buffer.assignment(&mut assignment);
    assert_eq!(assignment.iter().map(|one| (one.partition, one.start.number())).collect::<Vec<_>>(), [(0, 5), (1, 1)]);
    drop(world.buffer.unassign());
    world.settle();
    assert_eq!(world.buffer.assigned(), 0);
    world.answer(&[Answer { partition: 1, ..answer(9, &[batch(1, 1)]) }]);
    assert_eq!((world.take(), world.fetches()), (None, 0));
}

#[test]
fn compressed_batches_come_in_order_whatever_the_work_thread_does() {
    let mut world = World::reading(&[]);
    world.hold_jobs = true;
    let batches = [batch(0, 2).compressed(Codec::Lz4), batch(2, 2), batch(4, 2).compressed(Codec::Zstd)];
    world.answer(&[answer(6, &batches)]);
    assert_eq!((world.take(), world.jobs.len()), (None, 2), "what follows waits");
    world.hold_jobs = false;
    world.settle();
    assert_eq!(world.take_all(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_seek_drops_what_is_being_decompressed() {
    let mut world = World::reading(&[]);
    world.hold_jobs = true;
    world.answer(&[answer(9, &[batch(0, 2).compressed(Codec::Gzip)])]);
    world.seek(6);
    world.hold_jobs = false;
    world.settle();
    assert_eq!(world.take(), None);
    world.answer(&[]);
    world.answer(&[answer(9, &[batch(6, 2).compressed(Codec::Snappy)])]);
    assert_eq!(world.take_all(), [6, 7]);
}

#[test]
fn the_end_of_a_partition_is_reported_once_per_reaching_it() {
    let mut world = World::reading(&[("enable.partition.eof", "true")]);
    world.answer(&[answer(2, &[batch(0, 2)])]);
    assert_eq!((world.take().unwrap().unwrap().0, world.take().unwrap().unwrap().0), (0, 1));
    let end = (-191, 2, "Fetch from broker 1 reached end of partition at offset 2 (HighwaterMark 2)".to_owned());
    assert_eq!(world.take_error(), end);
    assert_eq!(world.buffer.position("t", 0).offset, 2);
    world.answer(&[answer(2, &[])]);
    assert_eq!(world.take(), None, "told already");
    world.answer(&[answer(3, &[batch(2, 1)])]);
    assert_eq!(world.take().unwrap().unwrap().0, 2);
    assert_eq!(world.take_error().1, 3);
    world.seek(3);
    world.answer(&[]);
    world.answer(&[answer(3, &[])]);
    assert_eq!(world.take_error().1, 3, "reached again");
}

#[test]
fn without_the_setting_an_end_is_nothing() {
    let mut world = World::reading(&[]);
    world.answer(&[answer(0, &[])]);
    assert_eq!(world.take(), None);
    let Question::Fetch { isolation_level, .. } = world.next_fetch().question else { panic!() };
    assert_eq!(isolation_level, 1, "read_committed is the default");
}
