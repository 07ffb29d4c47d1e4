//! Members that do anything in any order, from seeds: what must hold of a group whatever they do.

use std::collections::BTreeSet;

use ottla_protocol::messages::leave_group::MemberIdentity;

use super::scene::{Client, GROUP, Scene};
use crate::groups::{GroupSettings, GroupState, Ticket};
use crate::random::Random;

const SEEDS: u64 = 300;
const STEPS: usize = 250;
const INSTANCES: [Option<&str>; 4] = [None, None, Some("i"), Some("j")];

/// What a client remembers.
#[derive(Clone, Debug, Default)]
struct Known {
    member_id: String,
    instance: Option<&'static str>,
    generation: i32,
    parked: Option<(Ticket, bool)>,
}

struct Play {
    scene: Scene,
    random: Random,
    clients: Vec<Known>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let initial_rebalance_delay_ms = [0, 0, 3_000][random.next_u64() as usize % 3];
        let max_size = [3, 1_000][random.next_u64() as usize % 2];
        let settings = GroupSettings { initial_rebalance_delay_ms, max_size, ..GroupSettings::default() };
        let client = |instance| Known { instance, ..Known::default() };
        Self { scene: Scene::with(settings), random, clients: INSTANCES.iter().copied().map(client).collect() }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.next_u64() % limit
    }

    /// Takes the answer that a client waits for, where it is there.
    fn listen(&mut self, place: usize) {
        let Some((ticket, is_join)) = self.clients[place].parked else { return };
        if is_join {
            if let Some(reply) = self.scene.joined(ticket) {
                let known = &mut self.clients[place];
                known.parked = None;
                known.generation = reply.generation_id;
                known.member_id = reply.member_id;
            }
        } else if self.scene.synced(ticket).is_some() {
            self.clients[place].parked = None;
        }
    }

    fn step(&mut self) {
        let place = self.below(INSTANCES.len() as u64) as usize;
        self.listen(place);
        let known = self.clients[place].clone();
        let other: [(&str, &[u8]); 1] = [("roundrobin", b"new")];
        match self.below(11) {
            // A client sends nothing on a connection that waits, but it may give up and come by another.
            0..=3 if known.parked.is_none() || self.below(10) == 0 => {
                let mut client = Client {
                    member_id: &known.member_id,
                    instance: known.instance,
                    version: [2, 4, 9][self.below(3) as usize],
                    ..Client::default()
                };
                if self.below(6) == 0 {
                    client.protocols = &other;
                }
                if self.below(8) == 0 {
                    client.member_id = "";
                }
                let ticket = self.scene.send_join(client);
                self.clients[place].parked = Some((ticket, true));
            }
            4 | 5 if known.parked.is_none() => {
                let ids: Vec<String> = self
                    .scene
                    .groups
                    .snapshot(GROUP)
                    .map_or(Vec::new(), |group| group.members.into_iter().map(|member| member.member_id).collect());
                let given: Vec<(&str, &[u8])> = ids.iter().map(|id| (id.as_str(), id.as_bytes())).collect();
                let ticket = self.scene.send_sync_as(&known.member_id, known.instance, known.generation, &given);
                self.clients[place].parked = Some((ticket, false));
            }
            6 => {
                self.scene.heartbeat_as(&known.member_id, known.instance, known.generation);
            }
            7 if self.below(4) == 0 => {
                let who =
                    MemberIdentity { member_id: &known.member_id, group_instance_id: known.instance, reason: None };
                // Not while the coordinator loads.
                let _ = self.scene.groups.leave(self.scene.now, 1, GROUP, &[who]);
                self.scene.settle();
            }
            8 => {
                let ms = [1, 100, 3_000, 9_999, 61_000][self.below(5) as usize];
                self.scene.pass_ms(ms);
            }
            9 if self.below(6) == 0 => {
                let for_ms = self.below(2) * 500;
                self.scene.groups.load_coordinator(self.scene.now, GROUP, for_ms);
                self.scene.settle();
            }
            _ => {}
        }
    }

    fn check(&self) {
        let Some(group) = self.scene.groups.groups.get(GROUP) else { return };
        let ids: BTreeSet<&str> = group.members.iter().map(|member| member.member_id.as_str()).collect();
        assert_eq!(ids.len(), group.members.len(), "an id twice");
        let instances: Vec<_> = group.members.iter().filter_map(|member| member.group_instance_id.as_deref()).collect();
        assert_eq!(instances.iter().collect::<BTreeSet<_>>().len(), instances.len(), "an instance twice");
        assert!(group.pending.keys().all(|id| !ids.contains(id.as_str())));
        match group.leader.as_deref() {
            Some(leader) => assert!(ids.contains(leader)),
            None => assert!(ids.is_empty()),
        }
        assert!(group.state != GroupState::Empty || ids.is_empty());
        assert_eq!(group.scheduled, group.deadline(), "its timer is set");
        assert!(group.deadline().is_none_or(|at| at > self.scene.now.mono_us), "nothing is overdue");
        let waits = |member: &&super::super::member::Member| member.awaiting_join.is_some();
        match group.state {
            GroupState::PreparingRebalance => assert!(group.join_timer.is_some()),
            _ => assert_eq!(group.members.iter().find(waits).map(|member| &member.member_id), None),
        }
        let syncing = group.members.iter().any(|member| member.awaiting_sync.is_some());
        assert!(!syncing || group.state == GroupState::CompletingRebalance);
    }
}

#[test]
fn whatever_members_do_the_group_stays_whole_and_ends_empty() {
    for seed in 0..SEEDS {
        let mut play = Play::new(seed);
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                play.step();
                play.check();
            }
            // All fall silent: sessions end, and whoever was parked is answered, but for what was superseded.
            play.scene.pass_ms(1_000_000);
            play.check();
            if let Some(group) = play.scene.groups.snapshot(GROUP) {
                assert_eq!((group.state, group.members.len()), (GroupState::Empty, 0));
                assert!(group.pending_members.is_empty());
            }
            assert_eq!(play.scene.groups.next_deadline(), None);
        }));
        assert!(played.is_ok(), "seed {seed}");
    }
}
