//! One client: its machine, what it shares with its application, and the turns that `ottla`'s driver gives it.
//!
//! What the driver of `crates/client` does is done here in the same order: inputs, the exchange when either side asks for
//! it, outputs. The lock may be taken, turns come late, jobs take their time: the stage draws it.
use std::collections::{BTreeMap, VecDeque};

use ottla_machines::client::{ClientMachine, Command, Edges, Event};
use ottla_machines::consumer::FetchBuffer;
use ottla_machines::job::{Computed, Contexts, run};
use ottla_machines::machine::{ConnectionId, Input, Machine, Output};
use ottla_machines::producer::Accumulator;

use crate::agenda::{Happening, LinkId};
use crate::network::Network;
use crate::stage::Stage;

/// As in `ottla`'s driver.
const REFUSALS: u32 = 4;
const REFUSED_US: u64 = 500;
const FAR_US: u64 = 100_000;
const GRID_US: u64 = 10_000;
/// Turns that a machine may ask for itself in [`WINDOW_US`], beyond a few for each input: more is spinning.
const WINDOW_US: u64 = 100_000;
const OWN_TURNS: u64 = 250;
const TURNS_AN_INPUT: u64 = 12;
/// Outputs of one turn; more is a machine that never waits.
const OUTPUTS: usize = 20_000;

/// What a client shares with its application.
#[derive(Debug)]
pub(crate) enum Shared {
    Producer(Box<Accumulator<u32>>),
    Consumer(Box<FetchBuffer>),
}

/// How a client's thread *io* is disturbed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disturbance {
    /// Exchanges in a thousand that find the lock taken.
    pub(crate) refused_exchanges: u32,
    /// Turns in a thousand that come up to `late_us` late.
    pub(crate) late_turns: u32,
    pub(crate) late_us: u64,
    /// How long a job takes at most.
    pub(crate) job_us: u64,
}

/// See the module.
pub(crate) struct Driver {
    machine: ClientMachine,
    pub(crate) shared: Shared,
    pub(crate) disturbance: Disturbance,
    inbox: VecDeque<Input<Command>>,
    connections: BTreeMap<ConnectionId, LinkId>,
    jobs: VecDeque<Computed>,
    jobs_end_us: u64,
    woken: bool,
    exchange: bool,
    refusals: u32,
    turn_us: Option<u64>,
    /// What the application has to serve.
    pub(crate) events: VecDeque<Event>,
    stopped: bool,
    window_us: u64,
    turns: u64,
    inputs: u64,
}

/// What a turn has for the application.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stir {
    pub(crate) edges: Edges,
    pub(crate) events: bool,
}

impl Driver {
    pub(crate) fn new(machine: ClientMachine, shared: Shared, disturbance: Disturbance) -> Self {
        Self {
            machine,
            shared,
            disturbance,
            inbox: VecDeque::new(),
            connections: BTreeMap::new(),
            jobs: VecDeque::new(),
            jobs_end_us: 0,
            woken: true,
            exchange: true,
            refusals: 0,
            turn_us: None,
            events: VecDeque::new(),
            stopped: false,
            window_us: 0,
            turns: 0,
            inputs: 0,
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = LinkId> + '_ {
        self.connections.values().copied()
    }

    /// The caller's side has something: a turn comes soon.
    pub(crate) fn wake(&mut self, client: usize, stage: &mut Stage) {
        self.woken = true;
        self.inputs += 1;
        self.soon(client, stage);
    }

    /// An input for the machine.
    pub(crate) fn input(&mut self, client: usize, input: Input<Command>, stage: &mut Stage) {
        if !self.stopped {
            self.inputs += 1;
            self.inbox.push_back(input);
            self.soon(client, stage);
        }
    }

    /// A connection ended, or could not be made.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
    }

    /// The oldest job is done.
    pub(crate) fn computed(&mut self, client: usize, stage: &mut Stage) {
        if let Some(computed) = self.jobs.pop_front() {
            self.input(client, Input::Computed(computed), stage);
        }
    }

    fn soon(&mut self, client: usize, stage: &mut Stage) {
        let late = stage.draw.chance(self.disturbance.late_turns);
        let wait_us = if late { stage.draw.between(100, self.disturbance.late_us) } else { stage.draw.between(1, 20) };
        self.turn_at(client, stage.agenda.now_us() + wait_us, stage);
    }

    fn turn_at(&mut self, client: usize, at_us: u64, stage: &mut Stage) {
        if !self.stopped && self.turn_us.is_none_or(|turn_us| at_us < turn_us) {
            self.turn_us = Some(at_us);
            stage.agenda.at(at_us, Happening::Turn { client });
        }
    }

    /// Whether this is the turn that was asked for last, and not one of before.
    pub(crate) fn is_due(&self, now_us: u64) -> bool {
        self.turn_us == Some(now_us)
    }

    /// One turn.
    pub(crate) fn turn(
        &mut self,
        client: usize,
        network: &mut Network,
        contexts: &mut Contexts,
        stage: &mut Stage,
    ) -> Stir {
        self.turn_us = None;
        self.watch_for_spinning(client, stage);
        let now = stage.agenda.now();
        let mut stir = Stir::default();
        self.exchange |= std::mem::take(&mut self.woken);
        while let Some(input) = self.inbox.pop_front() {
            self.machine.handle(now, input);
        }
        self.exchange = self.exchange(&mut stir, stage);
        let until_us = self.carry_out(client, network, contexts, &mut stir, stage);
        self.exchange |= self.machine.wants_exchange();
        if self.exchange && self.refusals < REFUSALS {
            self.soon(client, stage);
        }
        let now_us = now.mono_us;
        let far = |until_us: u64| match until_us > now_us + FAR_US {
            true => until_us.div_ceil(GRID_US).saturating_mul(GRID_US),
            false => until_us,
        };
        let refused_us = self.exchange.then_some(now_us + REFUSED_US);
        if let Some(at_us) = [until_us.map(far), refused_us].into_iter().flatten().min() {
            let late = stage.draw.chance(self.disturbance.late_turns);
            let late_us = if late { stage.draw.between(0, self.disturbance.late_us) } else { 0 };
            self.turn_at(client, at_us.max(now_us + 1).saturating_add(late_us), stage);
        }
        stir
    }

    fn watch_for_spinning(&mut self, client: usize, stage: &mut Stage) {
        let window_us = stage.agenda.now_us() / WINDOW_US;
        if window_us != self.window_us {
            (self.window_us, self.turns, self.inputs) = (window_us, 0, 0);
        }
        self.turns += 1;
        if self.turns > OWN_TURNS + TURNS_AN_INPUT * self.inputs {
            let words =
                format!("client {client} had {} turns within {WINDOW_US} us for {} inputs", self.turns, self.inputs);
            stage.ledger.broken("a machine never spins", words);
        }
    }

    fn exchange(&mut self, stir: &mut Stir, stage: &mut Stage) -> bool {
        if !self.exchange && !self.machine.wants_exchange() {
            return false;
        }
        if stage.draw.chance(self.disturbance.refused_exchanges) {
            self.refusals = if self.refusals < REFUSALS { self.refusals + 1 } else { 1 };
            return true;
        }
        self.refusals = 0;
        let edges = match &mut self.shared {
            Shared::Producer(shared) => self.machine.exchange_producer(stage.agenda.now(), shared),
            Shared::Consumer(shared) => self.machine.exchange_consumer(stage.agenda.now(), shared),
        };
        stir.edges.reports |= edges.reports;
        stir.edges.drained |= edges.drained;
        stir.edges.records |= edges.records;
        edges.again
    }

    fn carry_out(
        &mut self,
        client: usize,
        network: &mut Network,
        contexts: &mut Contexts,
        stir: &mut Stir,
        stage: &mut Stage,
    ) -> Option<u64> {
        let now = stage.agenda.now();
        for _ in 0..OUTPUTS {
            match self.machine.poll(now) {
                Output::Wait { until_us } => return until_us,
                Output::Connect { connection, endpoint, node, lane } => {
                    stage.note("connects", client as u64, connection.0, || {
                        format!("client {client} connection {} to {} for {lane:?}", connection.0, node.0)
                    });
                    let link = network.connect(client, connection, endpoint.port, stage);
                    self.connections.insert(connection, link);
                }
                Output::Close { connection } => {
                    stage.note("closes", client as u64, connection.0, || {
                        format!("client {client} connection {}", connection.0)
                    });
                    if let Some(link) = self.connections.remove(&connection) {
                        network.closed_by_client(link, stage);
                    }
                }
                Output::Send { connection, correlation_id, request } => {
                    stage.note("sends", client as u64, correlation_id as u64, || {
                        let first = request.parts().next().unwrap_or_default();
                        format!("client {client} connection {} {}", connection.0, crate::trace::request_name(first))
                    });
                    if let Some(link) = self.connections.get(&connection) {
                        network.send(*link, &request, stage);
                    }
                }
                Output::Compute(job) => {
                    let now_us = now.mono_us;
                    self.jobs_end_us =
                        self.jobs_end_us.max(now_us) + stage.draw.between(1, self.disturbance.job_us.max(1));
                    self.jobs.push_back(run(job, contexts));
                    stage.agenda.at(self.jobs_end_us, Happening::Computed { client });
                }
                Output::Recycle(buffer) => drop(buffer),
                Output::Event(Event::Stopped) => self.stopped = true,
                Output::Event(event) => {
                    stage.note("event", client as u64, 0, || format!("client {client} {event:?}"));
                    self.events.push_back(event);
                    stir.events = true;
                }
            }
        }
        stage.ledger.broken("a machine never spins", format!("client {client}: {OUTPUTS} outputs in one turn"));
        None
    }
}
