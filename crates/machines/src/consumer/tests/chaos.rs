//! Faults of all kinds in random order, from a seed: every record comes, in order, once the faults stop, and commits never go
//! back and never run ahead of what was handed over.
use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::compression::Codec;

use super::super::positions::StartOffset;
use super::answers::{Answer, batch};
use super::world::{Asked, Question, World};
use crate::random::Random;

/// Records in each partition, in batches of 7.
const RECORDS: i64 = 210;
const BATCH: i64 = 7;
const PARTITIONS: i32 = 3;

struct Chaos {
    world: World,
    random: Random,
    /// The next offset that each partition has to hand over.
    expected: BTreeMap<i32, i64>,
    faults: bool,
    /// Batches that were damaged on their way: a second time would be an error (E19).
    damaged: BTreeSet<(i32, i64)>,
    /// The offset behind the furthest record that was handed over.
    furthest: BTreeMap<i32, i64>,
    /// What the coordinator was told to commit.
    committed: BTreeMap<i32, i64>,
    /// No commit may be for less.
    floor: BTreeMap<i32, i64>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut world = World::new(&[("auto.commit.interval.ms", "700")]);
        let starts: Vec<_> = (0..PARTITIONS).map(|partition| ("t", partition, StartOffset::Beginning)).collect();
        world.assign(&starts);
        let expected: BTreeMap<i32, i64> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
        let (furthest, committed, floor) = (expected.clone(), BTreeMap::new(), BTreeMap::new());
        Self {
            world,
            random: Random::new(seed),
            expected,
            faults: true,
            damaged: BTreeSet::new(),
            furthest,
            committed,
            floor,
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.faults && self.random.below(100) < percent
    }

    /// What the log of a partition answers at an offset.
    fn records(&mut self, partition: i32, offset: i64) -> Answer {
        let mut answer = Answer { topic: "t", partition, high: RECORDS, ..Answer::default() };
        let first = offset / BATCH;
        let end = (first + 1 + i64::from(self.random.below(4))).min(RECORDS / BATCH);
        for index in first..end {
            let codec = [Codec::None, Codec::Lz4, Codec::Zstd][index as usize % 3];
            let mut bytes = batch(index * BATCH, BATCH).compressed(codec).bytes();
            if self.chance(5) && self.damaged.insert((partition, index)) {
                let at = 21 + self.random.below(bytes.len() as u32 - 21) as usize;
                bytes[at] ^= 1;
            }
            answer.records.extend(bytes);
        }
        if self.chance(10) {
            let keep = self.random.below(answer.records.len() as u32 + 1) as usize;
            answer.records.truncate(keep);
        }
        answer
    }

    fn serve(&mut self, asked: &Asked) {
        match &asked.question {
            Question::Offsets(partitions) => {
                let errors = [0, 0, 0, 6, 74];
                let answers: Vec<_> = partitions
                    .iter()
                    .map(|(_, _, timestamp)| {
                        let error = if self.faults { errors[self.random.below(5) as usize] } else { 0 };
                        (error, if *timestamp == -2 { 0 } else { RECORDS })
                    })
                    .collect();
                self.world.answer_offsets_of(asked, &answers);
            }
            Question::Fetch { partitions, .. } => {
                let mut answers = Vec::new();
                for wanted in partitions {
                    let leader = self.world.topics[0].leaders[wanted.partition as usize];
                    let error = if leader.0 != asked.node {
                        6
                    } else if self.chance(10) {
                        [6, 9, 56, 74, 75, 100][self.random.below(6) as usize]
                    } else {
                        0
                    };
                    let mut answer = self.records(wanted.partition, wanted.offset);
                    if error != 0 {
                        answer = Answer { error, records: Vec::new(), high: -1, low: -1, ..answer };
                        if self.random.below(2) == 0 && leader.0 != asked.node {
                            answer.leader = Some(leader);
                        }
                    }
                    answers.push(answer);
                }
                self.world.answer_fetch(asked, &answers, &[]);
            }
            Question::Commit { offsets, .. } => {
                let code = if asked.node != self.world.coordinated_by {
                    16
                } else if self.chance(20) {
                    [14, 15, 16, 27, 100, 7][self.random.below(6) as usize]
                } else {
                    0
                };
                for &(_, partition, offset, ..) in offsets.iter().filter(|_| code == 0) {
                    self.committed.insert(partition, offset);
                    let before = self.floor.insert(partition, offset).unwrap_or(0);
                    let given = self.furthest[&partition];
                    assert!(before <= offset && offset <= given, "[{partition}]: {before}, {offset}, {given}");
                }
                self.world.answer_commit_with(asked, &|_, _| code);
            }
            Question::Lookup(_) => unreachable!("each start is given"),
        }
    }

    fn step(&mut self) {
        if self.faults {
            self.disturb();
        }
        for _ in 0..self.world.asked.len() {
            let Some(asked) = self.world.asked.pop_front() else { break };
            if self.chance(10) {
                // Parked, or lost.
                self.world.asked.push_back(asked);
            } else {
                self.serve(&asked);
            }
        }
        self.world.hold_jobs = self.chance(20);
        let pause = u64::from(self.random.below(300));
        self.world.pass(pause);
        self.take();
    }

    fn disturb(&mut self) {
        let partition = self.random.below(PARTITIONS as u32) as i32;
        match self.random.below(14) {
            0 => {
                let leader = &mut self.world.topics[0].leaders[partition as usize];
                *leader = (3 - leader.0, leader.1 + 1);
            }
            1 => {
                let target = i64::from(self.random.below(RECORDS as u32));
                self.world.buffer.seek("t", partition, StartOffset::Offset(target)).unwrap();
                self.expected.insert(partition, target);
                self.rewound(partition);
            }
            2 => drop(self.world.buffer.pause("t", partition)),
            3 | 4 => drop(self.world.buffer.resume("t", partition)),
            5 => {
                if let Some(connection) = self.world.asked.front().map(|asked| asked.connection) {
                    self.world.disconnect(connection);
                }
            }
            6 => drop(self.world.down.insert(1 + self.random.below(2) as i32)),
            7 => self.world.down.clear(),
            8 => self.world.coordinated_by = 3 - self.world.coordinated_by,
            9 => self.forget_sessions(),
            10 => self.reassign(partition),
            _ => {}
        }
    }

    /// The application itself went back: what is committed may follow it.
    fn rewound(&mut self, partition: i32) {
        let expected = self.expected[&partition];
        self.floor.entry(partition).and_modify(|floor| *floor = expected.min(*floor));
    }

    /// Brokers lose their fetch sessions, or count otherwise.
    fn forget_sessions(&mut self) {
        let sessions = self.world.sessions.as_mut().unwrap();
        if self.random.below(2) == 0 {
            sessions.clear();
        } else {
            sessions.values_mut().for_each(|(epoch, _)| *epoch += 1);
        }
    }

    /// A partition is taken away, its last offset committed, and given again: the others go on.
    fn reassign(&mut self, partition: i32) {
        self.rewound(partition);
        let last = self.world.unassign_some(&[("t", partition)]);
        if !last.is_empty() {
            let deadline_us = self.world.now.mono_us + 60_000_000;
            self.world.commit(None, last, Some(deadline_us));
        }
        if self.random.below(2) == 0 {
            self.world.settle();
        }
        self.world.assign_more(&[("t", partition, StartOffset::Offset(self.expected[&partition]))]);
    }

    fn take(&mut self) {
        let some = if self.faults { self.random.below(40) } else { 1000 };
        for _ in 0..some {
            let Some((partition, offset, value)) = self.world.take_record() else { break };
            let expected = self.expected.get_mut(&partition).unwrap();
            assert_eq!((offset, value), (*expected, format!("value {expected}")), "partition {partition}");
            *expected += 1;
            let furthest = self.furthest.get_mut(&partition).unwrap();
            *furthest = (*furthest).max(*expected);
        }
        self.world.settle();
    }
}

#[test]
fn every_record_comes_in_order_once_the_faults_stop() {
    for seed in 0..60 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..150 {
            chaos.step();
        }
        chaos.faults = false;
        chaos.world.hold_jobs = false;
        chaos.world.down.clear();
        for partition in 0..PARTITIONS {
            chaos.world.buffer.resume("t", partition);
        }
        let mut rounds = 0;
        while chaos.expected.values().any(|next| *next < RECORDS) {
            chaos.step();
            rounds += 1;
            assert!(rounds < 1500, "seed {seed} stalls: {:?}", chaos.expected);
        }
        let all = (0..PARTITIONS).map(|partition| (partition, RECORDS)).collect();
        while chaos.committed != all {
            chaos.step();
            rounds += 1;
            assert!(rounds < 3000, "seed {seed} commits no more than {:?}", chaos.committed);
        }
        let held = chaos.world.held();
        assert!(held < 1 << 20, "seed {seed} holds {held} bytes at the end");
    }
}
