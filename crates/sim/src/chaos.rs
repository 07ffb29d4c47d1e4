//! What goes wrong, and when: drawn beforehand, so that a plan can be read.
use ottla_broker::control::{Action, Fault, Level, Select, When};
use ottla_protocol::api::ApiKey;

use crate::draw::Draw;
use crate::group_plan::GROUP;
use crate::ledger::Place;
use crate::plan::{BEGIN_US, Mood, Plan};
use crate::world::World;

/// A transaction of a producer that is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transaction {
    pub(crate) number: u32,
    pub(crate) place: Place,
    pub(crate) records: u32,
    pub(crate) aborted: bool,
}

/// One disturbance.
#[derive(Clone, Debug)]
pub(crate) enum Chaos {
    /// A broker ends; what it led goes to others.
    Kill {
        node: i32,
    },
    Start {
        node: i32,
    },
    MoveLeader {
        topic: u32,
        partition: i32,
        node: i32,
    },
    /// The group is coordinated by another broker, or its coordinator loads it for a while.
    MoveCoordinator {
        node: i32,
    },
    LoadCoordinator {
        for_ms: u64,
    },
    /// All connections of a client break.
    CutClient {
        client: usize,
    },
    /// All connections to a broker break.
    CutBroker {
        node: i32,
    },
    /// A client and a broker cannot reach each other, and nobody tells them.
    Part {
        client: usize,
        node: i32,
    },
    Rejoin {
        client: usize,
        node: i32,
    },
    Slow {
        node: i32,
        by_us: u64,
    },
    Fast {
        node: i32,
    },
    /// A broker does something else than it should.
    Arm {
        fault: Fault,
    },
    /// A transaction writes, or ends.
    Write {
        transaction: Transaction,
    },
    End {
        transaction: Transaction,
    },
}

/// The disturbances of a plan, by time.
pub(crate) fn draw_chaos(draw: &mut Draw, plan: &Plan) -> Vec<(u64, Chaos)> {
    let mut all = Vec::new();
    let (storm, shake) =
        (matches!(plan.mood, Mood::Stormy | Mood::Wild), matches!(plan.mood, Mood::Shaky | Mood::Wild));
    let clients = plan.producers.len() + plan.readers.len() + plan.members.len();
    let nodes = u64::from(plan.brokers);
    if storm {
        for _ in 0..draw.between(0, 4) {
            let (from_us, until_us) = window(draw, plan.heal_us);
            let (client, node) = (draw.below(clients), draw.between(1, nodes) as i32);
            match draw.below(4) {
                0 => all.push((from_us, Chaos::CutClient { client })),
                1 => all.push((from_us, Chaos::CutBroker { node })),
                2 => {
                    all.push((from_us, Chaos::Part { client, node }));
                    all.push((until_us, Chaos::Rejoin { client, node }));
                }
                _ => {
                    all.push((from_us, Chaos::Slow { node, by_us: draw.between(5000, 300_000) }));
                    all.push((until_us, Chaos::Fast { node }));
                }
            }
        }
    }
    if shake {
        for _ in 0..draw.between(1, 4) {
            let (from_us, until_us) = window(draw, plan.heal_us);
            let node = draw.between(1, nodes) as i32;
            match draw.below(if plan.members.is_empty() { 3 } else { 6 }) {
                0 => {
                    all.push((from_us, Chaos::Kill { node }));
                    all.push((until_us, Chaos::Start { node }));
                }
                3 | 4 => all.push((from_us, Chaos::MoveCoordinator { node })),
                5 => all.push((from_us, Chaos::LoadCoordinator { for_ms: draw.between(1, 2000) })),
                _ => {
                    let topic = draw.below(plan.topics.len());
                    let partition = draw.below(plan.topics[topic].1 as usize) as i32;
                    all.push((from_us, Chaos::MoveLeader { topic: topic as u32, partition, node }));
                }
            }
        }
    }
    if matches!(plan.mood, Mood::Faulty | Mood::Wild) {
        for _ in 0..draw.between(1, 4) {
            let (from_us, _) = window(draw, plan.heal_us);
            let groups = !plan.members.is_empty() && draw.chance(500);
            let (api, action) = if groups { draw_group_fault(draw) } else { draw_fault(draw) };
            all.push((from_us, Chaos::Arm { fault: armed(draw, nodes, api, action) }));
        }
    }
    if draw.chance(400) {
        let places = plan.places();
        for number in 0..draw.between(1, 6) as u32 {
            let (from_us, until_us) = window(draw, plan.heal_us);
            let place = places[draw.below(places.len())];
            let (records, aborted) = (draw.between(1, 10) as u32, draw.chance(600));
            let transaction = Transaction { number, place, records, aborted };
            all.push((from_us, Chaos::Write { transaction }));
            all.push((until_us, Chaos::End { transaction }));
        }
    }
    all.sort_by_key(|(at_us, _)| *at_us);
    all
}

/// A broker that does not know a fetch session, or counts it otherwise.
pub(crate) fn draw_session_fault(draw: &mut Draw, plan: &Plan) -> Option<(u64, Chaos)> {
    const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
    const INVALID_FETCH_SESSION_EPOCH: i16 = 71;
    draw_by_itself(draw, plan, ApiKey::Fetch, |draw| Action::Error {
        code: draw.one_of(&[FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH]),
        level: Level::Top,
    })
}

/// A leader that is not among the brokers of the answer.
pub(crate) fn draw_metadata_fault(draw: &mut Draw, plan: &Plan) -> Option<(u64, Chaos)> {
    draw_by_itself(draw, plan, ApiKey::Metadata, |_| Action::UnlistedLeader)
}

/// A fault from a source of its own, so that each seed keeps the rest of its plan.
fn draw_by_itself(
    draw: &mut Draw,
    plan: &Plan,
    api: ApiKey,
    action: impl FnOnce(&mut Draw) -> Action,
) -> Option<(u64, Chaos)> {
    if !matches!(plan.mood, Mood::Faulty | Mood::Wild) || !draw.chance(400) {
        return None;
    }
    let action = action(draw);
    let (from_us, _) = window(draw, plan.heal_us);
    Some((from_us, Chaos::Arm { fault: armed(draw, u64::from(plan.brokers), Some(api), action) }))
}

/// An answer that a healthy broker may give too: whoever gets it tries again.
fn draw_fault(draw: &mut Draw) -> (Option<ApiKey>, Action) {
    const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    const REQUEST_TIMED_OUT: i16 = 7;
    const NETWORK_EXCEPTION: i16 = 13;
    const NOT_ENOUGH_REPLICAS: i16 = 19;
    const NOT_ENOUGH_REPLICAS_AFTER_APPEND: i16 = 20;
    const KAFKA_STORAGE_ERROR: i16 = 56;
    const FENCED_LEADER_EPOCH: i16 = 74;
    const UNKNOWN_LEADER_EPOCH: i16 = 75;
    const OFFSET_NOT_AVAILABLE: i16 = 78;
    let partition = |code| Action::Error { code, level: Level::Partition };
    match draw.below(12) {
        0..4 => {
            let codes = [
                NOT_LEADER_OR_FOLLOWER,
                REQUEST_TIMED_OUT,
                NETWORK_EXCEPTION,
                NOT_ENOUGH_REPLICAS,
                KAFKA_STORAGE_ERROR,
            ];
            (Some(ApiKey::Produce), partition(draw.one_of(&codes)))
        }
        4 => {
            let code = draw.one_of(&[NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT]);
            (Some(ApiKey::Produce), Action::ErrorAfter { code, level: Level::Partition })
        }
        5..8 => {
            let codes = [
                NOT_LEADER_OR_FOLLOWER,
                KAFKA_STORAGE_ERROR,
                FENCED_LEADER_EPOCH,
                UNKNOWN_LEADER_EPOCH,
                OFFSET_NOT_AVAILABLE,
            ];
            (Some(ApiKey::Fetch), partition(draw.one_of(&codes)))
        }
        8 => {
            let codes = [NOT_LEADER_OR_FOLLOWER, UNKNOWN_LEADER_EPOCH, OFFSET_NOT_AVAILABLE];
            (Some(ApiKey::ListOffsets), partition(draw.one_of(&codes)))
        }
        9 => (
            draw.one_of(&[None, Some(ApiKey::Produce), Some(ApiKey::Fetch)]),
            Action::Delay { ms: draw.between(1, 800) },
        ),
        10 => (draw.one_of(&[None, Some(ApiKey::Produce)]), Action::DropBefore),
        _ => (draw.one_of(&[None, Some(ApiKey::Produce), Some(ApiKey::InitProducerId)]), Action::DropAfter),
    }
}

/// What a coordinator says that moves, loads, rebalances, or has forgotten a member.
fn draw_group_fault(draw: &mut Draw) -> (Option<ApiKey>, Action) {
    const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    const NOT_COORDINATOR: i16 = 16;
    const ILLEGAL_GENERATION: i16 = 22;
    const UNKNOWN_MEMBER_ID: i16 = 25;
    const REBALANCE_IN_PROGRESS: i16 = 27;
    let away = [COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR];
    let top = |code| Action::Error { code, level: Level::Top };
    let partition = |code| Action::Error { code, level: Level::Partition };
    let (api, action) = match draw.below(10) {
        0 => (ApiKey::FindCoordinator, top(COORDINATOR_NOT_AVAILABLE)),
        1 => (ApiKey::JoinGroup, top(draw.one_of(&away))),
        2 => (ApiKey::SyncGroup, top(draw.one_of(&[NOT_COORDINATOR, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID]))),
        3 => {
            let codes = [NOT_COORDINATOR, REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION];
            (ApiKey::Heartbeat, top(draw.one_of(&codes)))
        }
        4 | 5 => (ApiKey::OffsetCommit, partition(draw.one_of(&[COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR]))),
        6 if draw.chance(500) => (ApiKey::OffsetCommit, Action::DropAfter),
        6 => (ApiKey::OffsetCommit, Action::DropBefore),
        7 => (ApiKey::OffsetFetch, top(draw.one_of(&[COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR]))),
        8 => (draw.one_of(&[ApiKey::JoinGroup, ApiKey::SyncGroup, ApiKey::Heartbeat]), Action::DropAfter),
        _ => {
            let ms = draw.between(1, 800);
            (draw.one_of(&[ApiKey::OffsetCommit, ApiKey::SyncGroup, ApiKey::JoinGroup]), Action::Delay { ms })
        }
    };
    (Some(api), action)
}

/// A fault that takes hold now and then.
fn armed(draw: &mut Draw, nodes: u64, api: Option<ApiKey>, action: Action) -> Fault {
    let node = draw.chance(500).then(|| draw.between(1, nodes) as i32);
    let when = match draw.below(4) {
        0 => When::Once,
        1 => When::Times(draw.between(1, 5)),
        2 => When::Every(draw.between(2, 6)),
        _ => When::Probability(0.2),
    };
    Fault { select: Select { api, node, ..Select::default() }, when, action }
}

fn window(draw: &mut Draw, heal_us: u64) -> (u64, u64) {
    let from_us = draw.between(BEGIN_US, heal_us);
    let length_us = draw.between(1000, 3_000_000);
    (from_us, (from_us + length_us).min(heal_us))
}

impl World {
    /// A disturbance happens.
    pub(crate) fn disturb(&mut self, chaos: &Chaos) {
        self.stage.note("disturbs", 0, 0, || format!("{chaos:?}"));
        let now = self.stage.agenda.broker_now();
        match *chaos {
            Chaos::Kill { node } => {
                if self.cluster.nodes().is_alive(node) {
                    self.cluster.kill(now, node);
                }
            }
            Chaos::Start { node } => {
                if !self.cluster.nodes().is_alive(node) {
                    self.cluster.start(now, node);
                }
            }
            Chaos::MoveLeader { topic, partition, node } => {
                // It stays where it is when that broker is down.
                let _moved = self.cluster.move_leader(now, &self.plan.topics[topic as usize].0, partition, node);
            }
            Chaos::MoveCoordinator { node } => {
                let _moved = self.cluster.move_coordinator(now, GROUP, node);
            }
            Chaos::LoadCoordinator { for_ms } => self.cluster.load_coordinator(now, GROUP, for_ms),
            Chaos::CutClient { client } => self.cut(|link| link.client == client),
            Chaos::CutBroker { node } => self.cut(|link| link.node == node),
            Chaos::Part { client, node } => {
                self.network.parted.insert((client, node));
                let links = self.network.open_links(|link| link.client == client && link.node == node);
                self.network.silence(&links);
            }
            Chaos::Rejoin { client, node } => {
                self.network.parted.remove(&(client, node));
            }
            Chaos::Slow { node, by_us } => {
                self.network.slow.insert(node, by_us);
            }
            Chaos::Fast { node } => {
                self.network.slow.remove(&node);
            }
            Chaos::Arm { ref fault } => {
                self.cluster.arm(fault.clone());
            }
            Chaos::Write { ref transaction } => self.write_transaction(transaction),
            Chaos::End { ref transaction } => self.end_transaction(transaction),
        }
        self.pump();
    }

    fn cut(&mut self, of: impl Fn(&crate::network::Link) -> bool) {
        for link in self.network.open_links(of) {
            self.network.cut(link, &mut self.stage);
        }
    }

    /// Everything works again.
    pub(crate) fn heal(&mut self) {
        let now = self.stage.agenda.broker_now();
        for node in 1..=self.plan.brokers as i32 {
            if !self.cluster.nodes().is_alive(node) {
                self.cluster.start(now, node);
            }
        }
        self.cluster.clear_faults();
        self.network.heal(&mut self.stage);
        for client in &mut self.clients {
            client.driver.disturbance = crate::driver::Disturbance { job_us: 50, ..Default::default() };
        }
        self.stage.note("heals", 0, 0, String::new);
        self.pump();
    }
}
