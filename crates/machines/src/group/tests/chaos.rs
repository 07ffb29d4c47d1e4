//! Whatever the coordinator answers and whenever connections break, the application is told things that make sense; and once
//! all is well again, it has its share.
use ottla_protocol::api::ApiKey;

use super::group::{Group, HEARTBEAT, settings};
use crate::client::Command;
use crate::group::RebalanceKind;
use crate::machine::NodeId;
use crate::random::Random;
use crate::scenario::{MS, SECOND};

const SEEDS: u64 = 300;
const STEPS: usize = 150;
/// What coordinators answer: well, most of the time.
const CODES: [i16; 24] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 15, 16, 22, 25, 27, 27, 30, -1];

struct Chaos {
    group: Group,
    random: Random,
    generation: i32,
    /// Rebalances that the application acknowledged.
    acknowledged: usize,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut settings = settings();
        let mut random = Random::new(seed);
        if random.below(4) == 0 {
            settings.group.instance_id = Some("i1".to_owned());
        }
        Self { group: Group::with(&settings), random, generation: 0, acknowledged: 0 }
    }

    fn step(&mut self) {
        match self.random.below(16) {
            0 => {
                self.group.subscribe(&["t"]);
            }
            1 if self.random.below(4) == 0 => {
                self.group.unsubscribe();
            }
            2 => {
                self.group.scenario.disconnect(NodeId(self.random.below(3) as i32 - 1));
                self.group.turn();
            }
            3 if self.random.below(3) == 0 => self.group.coordinator = Ok(self.random.below(2) as i32),
            4 if self.random.below(3) == 0 => self.group.coordinator = Err(15),
            5..8 => self.acknowledge(),
            8..10 => {
                let us = u64::from(self.random.below(4 * SECOND as u32));
                self.group.pass(us);
            }
            10 if self.random.below(6) == 0 => self.group.pass(50 * SECOND),
            11 => self.group.polls = self.random.below(2) == 0,
            _ => {
                let code = CODES[self.random.below(CODES.len() as u32) as usize];
                self.answer(code);
            }
        }
        self.check();
    }

    fn acknowledge(&mut self) {
        if self.group.rebalances().len() > self.acknowledged {
            self.acknowledged += 1;
            self.group.acknowledge();
        }
    }

    /// Answers the oldest request of the group.
    fn answer(&mut self, code: i16) {
        let apis = [ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::Heartbeat, ApiKey::LeaveGroup];
        self.group.turn();
        let Some(asked) = self.group.scenario.asked.iter().find(|asked| apis.contains(&asked.api)).cloned() else {
            return self.group.pass(100 * MS);
        };
        self.generation += i32::from(asked.api == ApiKey::JoinGroup);
        self.group.answer(&asked, code, self.generation, self.random.below(2) == 0);
    }

    fn check(&self) {
        let told = self.group.rebalances();
        assert!(told.len() <= self.acknowledged + 1, "told before the last was acknowledged: {told:?}");
        for (number, rebalance) in told.iter().enumerate() {
            assert_eq!(rebalance.epoch, number as u64 + 1);
            assert_eq!(rebalance.kind == RebalanceKind::Assign, number % 2 == 0, "{told:?}");
            if number % 2 == 1 {
                assert_eq!(rebalance.partitions, told[number - 1].partitions);
            }
        }
        let holds =
            told.last().is_some_and(|last| last.kind == RebalanceKind::Assign || told.len() > self.acknowledged);
        let joins = self.group.scenario.asked.iter().any(|asked| asked.api == ApiKey::JoinGroup);
        // Only one that a member of before left behind, on a connection that the coordinator holds up.
        assert!(!holds || !joins, "it joins while the application has its partitions");
    }
}

#[test]
fn whatever_happens_the_application_is_told_what_makes_sense_and_gets_its_share_in_the_end() {
    let mut assigned = 0;
    for seed in 0..SEEDS {
        let mut chaos = Chaos::new(seed);
        for _ in 0..STEPS {
            chaos.step();
        }
        assigned += chaos.group.rebalances().len();
        // All is well from now on.
        chaos.group.coordinator = Ok(1);
        chaos.group.polls = true;
        chaos.group.subscribe(&["t"]);
        for _ in 0..200 {
            chaos.acknowledge();
            chaos.answer(0);
            chaos.check();
            chaos.group.pass(HEARTBEAT / 10);
        }
        let last = chaos.group.rebalances().pop();
        let settled =
            last.as_ref().is_some_and(|last| last.kind == RebalanceKind::Assign && last.partitions.len() == 2);
        assert!(settled, "seed {seed}: {last:?}");
        let request = chaos.group.leave(10 * SECOND);
        for _ in 0..50 {
            chaos.acknowledge();
            chaos.answer(0);
        }
        assert!(chaos.group.reply(request).is_some(), "seed {seed}");
        chaos.group.command(|_| Command::Close);
    }
    assert!(assigned > SEEDS as usize * 3, "the runs must get somewhere: {assigned}");
}
