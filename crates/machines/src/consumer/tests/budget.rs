//! How much is fetched ahead (E14), and what is held (E15).
use super::super::positions::StartOffset;
use super::super::taken::{RecordRun, Scratch, Take};
use super::answers::{Answer, answer, large};
use super::world::{Asked, Question, World};

const MIB: usize = 1 << 20;

fn max_bytes(asked: &Asked) -> usize {
    let Question::Fetch { max_bytes, .. } = asked.question else { panic!() };
    max_bytes as usize
}

/// Answers the next Fetch with a batch of about `mib` MiB at `offset`; returns what the Fetch allowed.
fn fill(world: &mut World, offset: i64, mib: usize) -> usize {
    let asked = world.next_fetch();
    world.answer_fetch(&asked, &[answer(1_000_000, &[large(offset, 1, mib * MIB)])], &[]);
    max_bytes(&asked)
}

#[test]
fn prefetch_starts_at_4_mib_and_stops_there() {
    let mut world = World::reading(&[]);
    let allowed: Vec<_> = (0..4).map(|offset| fill(&mut world, offset, 1)).collect();
    assert_eq!(allowed[..3], [MIB; 3]);
    assert!((MIB - 1000..MIB).contains(&allowed[3]), "what is left: {}", allowed[3]);
    assert_eq!((world.buffered(), world.fetches()), (4, 0));
    assert_eq!(world.take().unwrap().unwrap().0, 0);
    assert!(world.buffer.take_wake(), "a take that frees budget wakes io");
    world.settle();
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_caller_that_is_never_starved_does_not_make_it_grow() {
    let mut world = World::reading(&[]);
    let before = world.limit();
    for offset in 0..20 {
        fill(&mut world, offset, 1);
        assert_eq!(world.take().unwrap().unwrap().0, offset);
        if world.buffer.take_wake() {
            world.settle();
        }
    }
    assert_eq!(world.limit(), before);
}

/// A caller that is always starved reads 40 responses, each as large as allowed; returns the limits on the way, in MiB.
fn starve(world: &mut World, latency_ms: u64, ms_a_mib: u64) -> Vec<usize> {
    let mut limits = vec![world.limit() / MIB];
    for offset in 0..40 {
        assert_eq!(world.take(), None);
        let mib = max_bytes(world.asked.front().unwrap()).div_ceil(MIB);
        world.pass(latency_ms + ms_a_mib * mib as u64);
        fill(world, offset, mib);
        assert_eq!(world.take_all().len(), 1);
        limits.push(world.limit() / MIB);
    }
    limits.dedup();
    limits
}

#[test]
fn a_starved_caller_far_away_makes_it_double_up_to_the_setting() {
    let mut world = World::reading(&[("queued.max.messages.kbytes", "32768")]);
    let limits = starve(&mut world, 100, 1);
    assert_eq!(limits[..4], [4, 8, 16, 32]);
}

#[test]
fn a_starved_caller_of_a_slow_broker_does_not() {
    let mut world = World::reading(&[]);
    assert_eq!(starve(&mut world, 1, 20), [4, 8, 4], "tried once, and taken back");
}

#[test]
fn waiting_for_new_records_is_no_reason_to_grow() {
    let mut world = World::reading(&[]);
    for offset in 0..10 {
        assert_eq!(world.take(), None);
        world.answer(&[answer(offset + 1, &[large(offset, 1, 100)])]);
        assert_eq!(world.take_all(), [offset]);
    }
    assert_eq!(world.limit(), 4 * MIB);
}

#[test]
fn held_buffers_count_until_they_are_let_go() {
    let mut world = World::reading(&[]);
    let mut run = RecordRun::new();
    let mut scratch = Scratch::new();
    fill(&mut world, 0, 1);
    fill(&mut world, 1, 1);
    assert_eq!(world.buffer.take_many(1, &mut run), 1);
    let Take::Record(record) = world.buffer.take(&mut scratch) else { panic!() };
    world.settle();
    assert!(world.held() > 2 * MIB);
    assert_eq!((run.value(&run.records()[0]).unwrap().len(), record.value(&scratch).unwrap().len()), (MIB, MIB));
    run.clear();
    scratch.release();
    world.settle();
    world.seek(5);
    assert!(world.held() < MIB);
}

#[test]
fn brokers_share_what_is_left() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 2, StartOffset::Offset(0))]);
    let allowed: Vec<_> = [world.next_fetch(), world.next_fetch()].iter().map(max_bytes).collect();
    assert_eq!(allowed, [MIB, MIB]);
}

#[test]
fn a_broker_that_the_caller_waits_for_may_always_send_a_little() {
    let mut world = World::new(&[("queued.max.messages.kbytes", "1024")]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 2, StartOffset::Offset(0))]);
    let (one, two) = (world.next_fetch(), world.next_fetch());
    world.answer_fetch(&one, &[answer(99, &[large(0, 1, 3 * MIB)])], &[]);
    world.answer_fetch(&two, &[Answer { partition: 2, ..answer(99, &[]) }], &[]);
    let again = world.next_fetch();
    assert_eq!((again.node, max_bytes(&again), world.fetches()), (2, 64 << 10, 0));
}

#[test]
fn a_paused_partition_holds_at_most_a_quarter() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 2, StartOffset::Offset(0))]);
    let (one, two) = (world.next_fetch(), world.next_fetch());
    let log: Vec<_> = (0..20).map(|offset| large(offset, 1, 100_000)).collect();
    world.answer_fetch(&one, &[answer(99, &log)], &[]);
    world.answer_fetch(&two, &[Answer { partition: 2, ..answer(99, &[]) }], &[]);
    assert_eq!(world.take().unwrap().unwrap().0, 0);
    world.buffer.pause("t", 0);
    world.settle();
    world.pass(1);
    assert!(world.held() < MIB, "{} bytes are held", world.held());
    world.buffer.resume("t", 0);
    assert_eq!(world.take(), None);
    world.settle();
    world.answer(&[]);
    let node = world.asked.iter().position(|asked| asked.node == 1).unwrap();
    let asked = world.asked.remove(node).unwrap();
    let Question::Fetch { partitions, .. } = &asked.question else { panic!() };
    assert_eq!(partitions[0].offset, 1, "fetched again from where the caller was");
    world.answer_fetch(&asked, &[answer(99, &log[1..])], &[]);
    assert_eq!(world.take_all().len(), 19);
}

#[test]
fn a_small_rest_of_a_large_buffer_is_copied_out() {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(0))]);
    world.buffer.pause("t", 1);
    let small = Answer { partition: 1, ..answer(99, &[large(0, 3, 100)]) };
    world.answer(&[answer(99, &[large(0, 1, MIB)]), small]);
    assert!(world.held() > MIB);
    assert_eq!(world.take_all(), [0]);
    world.settle();
    world.pass(1);
    assert!(world.held() < 1000, "{} bytes are held", world.held());
    world.buffer.resume("t", 1);
    assert_eq!(world.take_all(), [0, 1, 2]);
}

#[test]
fn more_batches_than_a_hold_moves_all_arrive() {
    let mut world = World::reading(&[]);
    let log: Vec<_> = (0..5000).map(|offset| large(offset, 1, 10)).collect();
    world.answer(&[answer(5000, &log)]);
    assert_eq!(world.take_all(), (0..5000).collect::<Vec<_>>());
}
