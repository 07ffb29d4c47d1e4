//! What becomes of a partition that is read, whatever happens to it in whatever state; the whole table is kept in
//! `fetcher/partition.transitions.txt`. What cannot happen in a state (an answer to what was not asked) has no row.
use std::sync::Arc;

use ottla_protocol::compression::Codec;

use super::super::fetcher::state::Phase;
use super::super::positions::StartOffset;
use super::answers::{Answer, answer, batch, error};
use super::world::{Question, World};

const OFFSET_OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const GROUP_AUTHORIZATION_FAILED: i16 = 30;
const FENCED_LEADER_EPOCH: i16 = 74;
const OFFSET_NOT_AVAILABLE: i16 = 78;

/// An input; `false` where it does not fit the state.
type Act = fn(&mut World) -> bool;

fn asks(world: &World, of: fn(&Question) -> bool) -> bool {
    world.asked.iter().any(|asked| of(&asked.question))
}

/// The partition in words: its phase, what it waits for, and what the application is told now.
fn word(world: &mut World) -> String {
    let now_us = world.now.mono_us;
    let Some(partition) = world.fetcher.partitions.first() else { return "Gone".to_owned() };
    let mut words = vec![format!("{:?}", partition.phase)];
    let mut add = |is: bool, word: &str| words.extend(is.then(|| word.to_owned()));
    add(partition.paused, "paused");
    add(partition.retry_at_us > now_us, "waits");
    add(partition.reader.is_none() && matches!(partition.phase, Phase::Fetch { .. }), "read from nobody");
    add(!partition.pending.is_empty(), "decompresses");
    add(partition.suspect.is_some(), "once more");
    add(asks(world, |question| matches!(question, Question::Lookup(_))), "looks up");
    add(asks(world, |question| matches!(question, Question::Offsets(_))), "asks for offsets");
    add(asks(world, |question| matches!(question, Question::Fetch { .. })), "fetches");
    let (mut records, mut told) = (0, Vec::new());
    while let Some(taken) = world.take() {
        match taken {
            Ok(_) => records += 1,
            Err((code, ..)) => told.push(code),
        }
    }
    add(records > 0, &format!("{records} records"));
    add(!told.is_empty(), &format!("told {told:?}"));
    words.join(", ")
}

fn fetched(world: &mut World, of: impl FnOnce(i64) -> Answer) -> bool {
    let wanted = world.asked.iter().find_map(|asked| match &asked.question {
        Question::Fetch { partitions, .. } => partitions.first().map(|wanted| wanted.offset),
        _ => None,
    });
    wanted.is_some_and(|offset| world.answer(&[of(offset)]).len() == 1)
}

fn listed(world: &mut World, code: i16, offset: i64) -> bool {
    let fits = asks(world, |question| matches!(question, Question::Offsets(_)));
    fits && world.answer_offsets(&[(code, offset)]).len() == 1
}

fn looked_up(world: &mut World, committed: Option<i64>, code: i16) -> bool {
    if !asks(world, |question| matches!(question, Question::Lookup(_))) {
        return false;
    }
    let asked = world.next_lookup();
    world.committed.extend(committed.map(|offset| (("t", 0), (offset, 3))));
    world.answer_lookup(&asked, code, 0);
    world.settle();
    true
}

fn lost(world: &mut World) -> bool {
    let Some(connection) = world.asked.front().map(|asked| asked.connection) else { return false };
    world.disconnect(connection);
    true
}

fn moved(world: &mut World, change: impl FnOnce(&mut World)) -> bool {
    change(world);
    world.settle();
    true
}

fn inputs() -> Vec<(&'static str, Act)> {
    vec![
        ("7 is committed", |world| looked_up(world, Some(7), 0)),
        ("nothing is committed", |world| looked_up(world, None, 0)),
        ("no right to the group", |world| looked_up(world, None, GROUP_AUTHORIZATION_FAILED)),
        ("offset 3", |world| listed(world, 0, 3)),
        ("offsets: not the leader", |world| listed(world, NOT_LEADER_OR_FOLLOWER, -1)),
        ("offsets: no right", |world| listed(world, TOPIC_AUTHORIZATION_FAILED, -1)),
        ("five records", |world| fetched(world, |at| answer(at + 5, &[batch(at, 5)]))),
        ("five records, compressed", |world| {
            world.hold_jobs = true;
            fetched(world, |at| answer(at + 5, &[batch(at, 5).compressed(Codec::Gzip)]))
        }),
        ("a batch that is bad", |world| {
            fetched(world, |at| {
                let mut bad = answer(at + 5, &[batch(at, 5)]);
                bad.records[70] ^= 1;
                bad
            })
        }),
        ("nothing new", |world| fetched(world, |at| answer(at, &[]))),
        ("another leader has less", |world| fetched(world, |at| Answer { diverging: Some((2, 1)), ..answer(at, &[]) })),
        ("a replica is nearer", |world| fetched(world, |at| Answer { preferred: Some(2), ..answer(at, &[]) })),
        ("out of range", |world| fetched(world, |_| error(OFFSET_OUT_OF_RANGE))),
        ("not the leader", |world| fetched(world, |_| error(NOT_LEADER_OR_FOLLOWER))),
        ("fenced", |world| fetched(world, |_| error(FENCED_LEADER_EPOCH))),
        ("unknown", |world| fetched(world, |_| error(UNKNOWN_TOPIC_OR_PARTITION))),
        ("not available", |world| fetched(world, |_| error(OFFSET_NOT_AVAILABLE))),
        ("no right", |world| fetched(world, |_| error(TOPIC_AUTHORIZATION_FAILED))),
        ("the connection is lost", lost),
        ("decompressed", |world| {
            let fits = !world.jobs.is_empty();
            world.hold_jobs = false;
            world.settle();
            fits
        }),
        ("1 s", |world| {
            world.pass(1000);
            true
        }),
        ("paused", |world| moved(world, |world| assert!(world.buffer.pause("t", 0)))),
        ("resumed", |world| moved(world, |world| assert!(world.buffer.resume("t", 0)))),
        ("sought to 2", |world| moved(world, |world| world.buffer.seek("t", 0, StartOffset::Offset(2)).unwrap())),
        ("revoked", |world| moved(world, |world| world.buffer.revoke(&[(Arc::from("t"), 0)]))),
        ("unassigned", |world| moved(world, |world| drop(world.buffer.unassign()))),
    ]
}

fn states() -> Vec<fn() -> World> {
    fn at(start: StartOffset, keys: &[(&str, &str)]) -> World {
        let mut world = World::new(keys);
        world.hold_lookups = true;
        world.assign(&[("t", 0, start)]);
        world
    }
    vec![
        || at(StartOffset::Stored, &[]),
        || at(StartOffset::End, &[]),
        || World::reading(&[]),
        || {
            let mut world = World::reading(&[]);
            fetched(&mut world, |_| error(NOT_LEADER_OR_FOLLOWER));
            world
        },
        || {
            let mut world = World::new(&[]);
            world.topics[0].leaders[0] = (-1, 3);
            world.assign(&[("t", 0, StartOffset::Offset(0))]);
            world
        },
        || {
            let mut world = World::reading(&[]);
            world.hold_jobs = true;
            fetched(&mut world, |at| answer(at + 5, &[batch(at, 5).compressed(Codec::Gzip)]));
            world
        },
        || {
            let mut world = World::reading(&[]);
            world.buffer.pause("t", 0);
            world.settle();
            world
        },
        || {
            let mut world = World::reading(&[("auto.offset.reset", "error")]);
            fetched(&mut world, |_| error(OFFSET_OUT_OF_RANGE));
            world
        },
        || {
            let mut world = World::reading(&[]);
            world.buffer.revoke(&[(Arc::from("t"), 0)]);
            world.settle();
            world
        },
    ]
}

#[test]
fn the_table_of_transitions_is_as_kept() {
    let mut table = String::new();
    for make in states() {
        for (name, act) in inputs() {
            let mut world = make();
            let from = word(&mut world);
            if act(&mut world) {
                table.push_str(&format!("{from} --{name}--> {}\n", word(&mut world)));
            }
        }
    }
    assert_eq!(table, include_str!("../fetcher/partition.transitions.txt"));
}
