//! Fetch sessions (KIP-227): what is named, what is forgotten, and beginning anew; reading from a replica near by (KIP-392).
use super::super::positions::StartOffset;
use super::answers::{Answer, answer, batch, error};
use super::world::{Asked, Question, World};

/// Session id and epoch, what the request names, and what it has forgotten.
type Said = ((i32, i32), Vec<i32>, Vec<i32>);

fn said(asked: &Asked) -> Said {
    let Question::Fetch { session, named, forgotten, .. } = &asked.question else { panic!() };
    let numbers = |of: &[(&str, i32)]| of.iter().map(|(_, partition)| *partition).collect();
    (*session, numbers(named), numbers(forgotten))
}

/// Answers the next Fetch; what it said.
fn next(world: &mut World, answers: &[Answer]) -> Said {
    let asked = world.next_fetch();
    world.answer_fetch(&asked, answers, &[]);
    said(&asked)
}

fn two() -> World {
    let mut world = World::new(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(0))]);
    world
}

#[test]
fn the_first_fetch_names_all_and_the_next_ones_what_changed() {
    let mut world = two();
    assert_eq!(next(&mut world, &[answer(9, &[batch(0, 3)])]), ((0, 0), vec![0, 1], vec![]));
    assert_eq!(next(&mut world, &[]), ((1, 1), vec![0], vec![]), "partition 0 goes on behind what it got");
    assert_eq!(next(&mut world, &[]), ((1, 2), vec![], vec![]), "nothing changed");
    assert_eq!(world.take_all(), [0, 1, 2]);
    assert_eq!(next(&mut world, &[]), ((1, 3), vec![], vec![]), "taking says nothing to the broker");
}

#[test]
fn paused_and_unassigned_partitions_are_forgotten_and_come_back() {
    let mut world = two();
    next(&mut world, &[]);
    world.buffer.pause("t", 0);
    world.settle();
    next(&mut world, &[]);
    assert_eq!(next(&mut world, &[]), ((1, 2), vec![], vec![0]));
    world.buffer.resume("t", 0);
    world.settle();
    next(&mut world, &[]);
    assert_eq!(next(&mut world, &[]), ((1, 4), vec![0], vec![]));
    world.assign(&[("t", 1, StartOffset::Offset(7))]);
    next(&mut world, &[]);
    assert_eq!(next(&mut world, &[]), ((1, 6), vec![1], vec![0]));
}

#[test]
fn what_leaves_and_comes_back_before_the_next_fetch_is_not_forgotten() {
    let mut world = two();
    next(&mut world, &[]);
    world.assign(&[]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(5))]);
    next(&mut world, &[]);
    assert_eq!(next(&mut world, &[]), ((1, 2), vec![0, 1], vec![]));
}

#[test]
fn a_partition_that_failed_is_left_out_until_it_is_its_time() {
    let mut world = two();
    next(&mut world, &[]);
    next(&mut world, &[error(9)]);
    assert_eq!(next(&mut world, &[]), ((1, 2), vec![], vec![0]));
    world.pass(2000);
    next(&mut world, &[]);
    assert_eq!(next(&mut world, &[]), ((1, 4), vec![0], vec![]));
}

#[test]
fn a_session_that_the_broker_does_not_know_is_begun_anew_at_once() {
    for (lost, first) in [(true, (0, 0)), (false, (1, 0))] {
        let mut world = two();
        next(&mut world, &[]);
        let asked = world.next_fetch();
        let sessions = world.sessions.as_mut().unwrap();
        if lost {
            sessions.clear();
        } else {
            sessions.get_mut(&1).unwrap().0 = 9;
        }
        world.answer_fetch(&asked, &[], &[]);
        let (session, named, _) = next(&mut world, &[answer(9, &[batch(0, 3)])]);
        assert_eq!((session, named), (first, vec![0, 1]), "one that is out of step is closed by its id");
        assert_eq!(world.take_all(), [0, 1, 2]);
        assert_eq!(next(&mut world, &[]).0, (2, 1));
    }
}

#[test]
fn a_fetch_that_is_refused_as_a_whole_begins_anew_after_a_while() {
    for code in [100, 103, 106, 3] {
        let mut world = two();
        next(&mut world, &[]);
        let asked = world.next_fetch();
        world.refuse_fetch(&asked, code);
        assert_eq!(world.fetches(), 0, "{code}");
        world.pass(2000);
        let (session, named, _) = next(&mut world, &[]);
        assert_eq!((session, named), ((1, 0), vec![0, 1]));
    }
}

#[test]
fn a_full_fetch_whose_session_is_refused_does_not_spin() {
    let mut world = two();
    let asked = world.next_fetch();
    world.refuse_fetch(&asked, 71);
    assert_eq!(world.fetches(), 0);
    world.pass(2000);
    assert_eq!(world.fetches(), 1);
}

#[test]
fn another_connection_begins_anew() {
    let mut world = two();
    next(&mut world, &[]);
    let asked = world.next_fetch();
    world.disconnect(asked.connection);
    world.pass(3000);
    let (session, named, forgotten) = next(&mut world, &[]);
    assert_eq!((session, named, forgotten), ((1, 0), vec![0, 1], vec![]));
}

#[test]
fn a_broker_without_sessions_and_one_older_than_they_are_asked_for_all() {
    let mut world = World::new(&[]);
    world.sessions = None;
    world.fetch_version = 11;
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(0))]);
    for _ in 0..3 {
        assert_eq!(next(&mut world, &[]).1, [0, 1]);
    }
    let mut world = World::new(&[]);
    world.fetch_version = 6;
    world.assign(&[("t", 0, StartOffset::Offset(0))]);
    assert_eq!(next(&mut world, &[]), ((0, -1), vec![0], vec![]));
    assert_eq!(next(&mut world, &[]), ((0, -1), vec![0], vec![]));
}

#[test]
fn a_leader_that_moved_takes_its_partition_out_of_one_session_into_another() {
    let mut world = two();
    next(&mut world, &[]);
    world.topics[0].leaders[0] = (2, 4);
    next(&mut world, &[Answer { leader: Some((2, 4)), ..error(6) }]);
    let both = [world.next_fetch(), world.next_fetch()];
    let mut both: Vec<_> = both.iter().map(|asked| (asked.node, said(asked))).collect();
    both.sort();
    assert_eq!(both, [(1, ((1, 2), vec![], vec![0])), (2, ((0, 0), vec![0], vec![]))]);
}

#[test]
fn the_end_is_reported_though_the_session_says_nothing() {
    let mut world = World::new(&[("enable.partition.eof", "true")]);
    world.assign(&[("t", 0, StartOffset::Offset(0)), ("t", 1, StartOffset::Offset(0))]);
    next(&mut world, &[answer(3, &[batch(0, 3)]), Answer { partition: 1, ..answer(0, &[]) }]);
    world.take();
    while world.take().is_some() {}
    world.buffer.seek("t", 0, StartOffset::Offset(3)).unwrap();
    world.settle();
    next(&mut world, &[]);
    assert_eq!(world.take(), None);
    assert_eq!(next(&mut world, &[]).1, [0], "it is told where to read, and has no more than it said already");
    assert_eq!(world.take_error().0, -191);
}

#[test]
fn a_replica_near_by_is_read_from_until_it_fails() {
    let mut world = World::new(&[("client.rack", "here")]);
    world.assign(&[("t", 0, StartOffset::Offset(0))]);
    let asked = world.next_fetch();
    let Question::Fetch { rack, .. } = &asked.question else { panic!() };
    assert_eq!((asked.node, rack.as_str()), (1, "here"));
    world.answer_fetch(&asked, &[Answer { preferred: Some(2), ..answer(9, &[]) }], &[]);
    let asked = world.next_fetch();
    assert_eq!((asked.node, said(&asked).1), (2, vec![0]));
    world.answer_fetch(&asked, &[answer(9, &[batch(0, 3)])], &[]);
    assert_eq!(world.take_all(), [0, 1, 2]);
    let asked = world.next_fetch();
    assert_eq!(asked.node, 2);
    world.answer_fetch(&asked, &[error(1)], &[]);
    let asked = world.next_fetch();
    assert_eq!(asked.node, 1, "the leader knows whether an offset is out of range");
    let Question::Fetch { partitions, .. } = &asked.question else { panic!() };
    assert_eq!(partitions[0].offset, 3);
    world.answer_fetch(&asked, &[Answer { preferred: Some(2), ..answer(9, &[]) }], &[]);
    let asked = world.next_fetch();
    world.down.insert(2);
    world.disconnect(asked.connection);
    world.pass(1000);
    assert_eq!(world.next_fetch().node, 1);
}

#[test]
fn a_thousand_idle_partitions_are_named_once() {
    let mut world = World::new(&[]);
    world.topics[0].leaders = vec![(1, 3); 1000];
    let all: Vec<_> = (0..1000).map(|partition| ("t", partition, StartOffset::Offset(0))).collect();
    world.assign(&all);
    assert_eq!(next(&mut world, &[]).1.len(), 1000);
    for round in 0..20 {
        let busy = answer(1000, &[batch(round * 3, 3)]);
        assert!(next(&mut world, &[busy]).1.len() <= 1);
        assert_eq!(world.take_all().len(), 3);
        assert!(world.fetcher.due.is_empty() && world.fetcher.timers.is_empty(), "nobody looks at the idle ones");
    }
}
