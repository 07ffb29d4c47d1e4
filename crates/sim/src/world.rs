//! Who is there, and the loop over events: each goes to whom it concerns, and what that brings goes on the agenda.
use ottla_broker::{Cluster, Output};
use ottla_machines::client::{ClientMachine, Command};
use ottla_machines::consumer::FetchBuffer;
use ottla_machines::job::Contexts;
use ottla_machines::machine::{Frame, Input};
use ottla_machines::producer::Accumulator;

use crate::agenda::{Agenda, Happening, LinkId, News};
use crate::draw::Draw;
use crate::driver::{Driver, Shared, Stir};
use crate::group_plan::GROUP;
use crate::ledger::Ledger;
use crate::member::{MemberApp, MemberPlan};
use crate::network::Network;
use crate::plan::{Plan, address};
use crate::producer::{ProducerApp, ProducerPlan};
use crate::reader::{ReaderApp, ReaderPlan};
use crate::stage::Stage;
use crate::trace::{Trace, Words};

/// What a client is for.
pub(crate) enum App {
    Producer(Box<ProducerApp>),
    Reader(Box<ReaderApp>),
    Member(Box<MemberApp>),
}

/// A process with one client.
pub(crate) struct Client {
    pub(crate) driver: Driver,
    pub(crate) app: App,
    /// The process has ended.
    pub(crate) dead: bool,
}

/// See the module.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) stage: Stage,
    pub(crate) network: Network,
    pub(crate) cluster: Cluster,
    pub(crate) clients: Vec<Client>,
    contexts: Contexts,
    broker_us: Option<u64>,
    /// The group as it was told last.
    told: String,
}

impl World {
    pub(crate) fn new(plan: Plan, words: Words) -> Self {
        let addresses: Vec<(String, u16)> = (1..=plan.brokers).map(address).collect();
        let ports = (1..=plan.brokers).map(|node| (address(node).1, node as i32)).collect();
        let settings = ottla_broker::Settings {
            brokers: plan.brokers,
            seed: plan.seed,
            auto_create_topics: false,
            default_replication_factor: plan.brokers.min(3) as i16,
            group_min_session_timeout_ms: 100,
            ..Default::default()
        };
        let stage = Stage {
            agenda: Agenda::new(),
            draw: Draw::new(plan.seed, 2),
            trace: Trace::new(words),
            ledger: Ledger::default(),
        };
        let mut world = Self {
            network: Network::new(plan.weather.clone(), ports),
            cluster: Cluster::new(settings, addresses),
            clients: Vec::new(),
            contexts: Contexts::default(),
            broker_us: None,
            told: String::new(),
            stage,
            plan,
        };
        world.pump();
        world.create_topics();
        for producer in world.plan.producers.clone() {
            world.add_producer(producer);
        }
        for reader in world.plan.readers.clone() {
            world.add_reader(reader);
        }
        for member in world.plan.members.clone() {
            world.add_member(member);
        }
        for index in 0..world.plan.chaos.len() {
            world.stage.agenda.at(world.plan.chaos[index].0, Happening::Chaos { index });
        }
        world
    }

    fn create_topics(&mut self) {
        let now = self.stage.agenda.broker_now();
        for (name, partitions) in self.plan.topics.clone() {
            if let Err(error) = self.cluster.create_topic(now, &name, Some(partitions), None) {
                self.stage.ledger.broken("a topic can be made", format!("{error:?}"));
            }
        }
        for (number, (name, _)) in self.plan.topics.iter().enumerate() {
            if let Some(topic) = self.cluster.topics().by_name(name) {
                self.stage.ledger.groups.topic(name, topic.id().0, number as u32);
            }
        }
        self.pump();
    }

    fn seed_of_client(&self) -> u64 {
        Draw::new(self.plan.seed, 100 + self.clients.len() as u64).number()
    }

    fn add(&mut self, machine: ClientMachine, shared: Shared, app: App) -> usize {
        let driver = Driver::new(machine, shared, self.plan.disturbance);
        self.clients.push(Client { driver, app, dead: false });
        self.clients.len() - 1
    }

    fn add_producer(&mut self, plan: ProducerPlan) {
        let seed = self.seed_of_client();
        let machine = ClientMachine::producer(&plan.settings, seed);
        let shared = Shared::Producer(Box::new(Accumulator::new(&plan.settings, seed ^ 3)));
        let (begin_us, killed_us) = (plan.begin_us, plan.killed_us);
        let mut app = ProducerApp::new(plan, self.plan.topics.clone(), &mut self.stage);
        let client = self.clients.len();
        app.step_at(client, begin_us, &mut self.stage);
        self.add(machine, shared, App::Producer(Box::new(app)));
        self.clients[client].driver.wake(client, &mut self.stage);
        if let Some(killed_us) = killed_us {
            self.stage.agenda.at(killed_us, Happening::Death { client });
        }
    }

    fn add_reader(&mut self, plan: ReaderPlan) {
        let machine = ClientMachine::consumer(&plan.settings, self.seed_of_client());
        let shared = Shared::Consumer(Box::new(FetchBuffer::new(&plan.settings)));
        let begin_us = self.stage.agenda.now_us() + self.stage.draw.between(0, 500_000);
        let mut app = ReaderApp::new(plan, self.plan.topics.clone());
        let client = self.clients.len();
        app.step_at(client, begin_us, &mut self.stage);
        self.add(machine, shared, App::Reader(Box::new(app)));
        self.clients[client].driver.wake(client, &mut self.stage);
    }

    fn add_member(&mut self, plan: MemberPlan) {
        let machine = ClientMachine::consumer(&plan.settings, self.seed_of_client());
        let shared = Shared::Consumer(Box::new(FetchBuffer::new(&plan.settings)));
        let client = self.clients.len();
        let fates = [
            plan.leaves_us.map(|at_us| (at_us, Happening::Leave { client })),
            plan.killed_us.map(|at_us| (at_us, Happening::Death { client })),
        ];
        for (at_us, fate) in fates.into_iter().flatten() {
            self.stage.agenda.at(at_us, fate);
        }
        let begin_us = plan.begin_us;
        let mut app = MemberApp::new(plan, self.plan.topics.clone());
        app.step_at(client, begin_us, &mut self.stage);
        self.add(machine, shared, App::Member(Box::new(app)));
        self.clients[client].driver.wake(client, &mut self.stage);
    }

    /// The next event happens. Returns false when there is none before `deadline_us`; the clock then stands there.
    pub(crate) fn step(&mut self, deadline_us: u64) -> bool {
        if self.stage.agenda.next_us().is_none_or(|next_us| next_us > deadline_us) {
            self.stage.agenda.forward_to(deadline_us);
            return false;
        }
        let Some(happening) = self.stage.agenda.take() else { return false };
        let now_us = self.stage.agenda.now_us();
        match happening {
            Happening::Turn { client } => {
                if self.clients[client].driver.is_due(now_us) && !self.clients[client].dead {
                    self.turn(client);
                }
            }
            Happening::Step { client } => self.act(client, now_us),
            Happening::Computed { client } => {
                if !self.clients[client].dead {
                    self.clients[client].driver.computed(client, &mut self.stage);
                }
            }
            Happening::Link { link, news } => self.arrived(link, news),
            Happening::Broker => {
                if self.broker_us == Some(now_us) {
                    self.broker_us = None;
                    self.pump();
                }
            }
            Happening::Chaos { index } => {
                let chaos = self.plan.chaos[index].1.clone();
                self.disturb(&chaos);
            }
            Happening::Death { client } => self.die(client),
            Happening::Leave { client } => {
                if let Client { app: App::Member(app), dead: false, .. } = &mut self.clients[client] {
                    app.leave(client, &mut self.stage);
                }
            }
        }
        true
    }

    fn turn(&mut self, client: usize) {
        let Self { clients, network, contexts, stage, .. } = self;
        let Client { driver, app, .. } = &mut clients[client];
        let stir: Stir = driver.turn(client, network, contexts, stage);
        match app {
            App::Producer(app) => app.stirred(client, driver, stir, stage),
            App::Reader(app) => app.stirred(client, driver, stir, stage),
            App::Member(app) => app.stirred(client, driver, stir, stage),
        }
    }

    fn act(&mut self, client: usize, now_us: u64) {
        let Client { driver, app, dead } = &mut self.clients[client];
        if *dead {
            return;
        }
        match app {
            App::Producer(app) if app.is_due(now_us) => app.step(client, driver, &mut self.stage),
            App::Reader(app) if app.is_due(now_us) => app.step(client, driver, &mut self.stage),
            App::Member(app) if app.is_due(now_us) => app.step(client, driver, &mut self.stage),
            _ => {}
        }
    }

    fn arrived(&mut self, link: LinkId, news: News) {
        let for_client = self.network.arrived(link, news, &mut self.cluster, &mut self.stage);
        self.pump();
        self.look_at_commits();
        let Some(news) = for_client else { return };
        let (client, connection) = (self.network.link(link).client, self.network.link(link).connection);
        let Client { driver, dead, .. } = &mut self.clients[client];
        if *dead {
            return;
        }
        let input = match news {
            News::Opened => {
                self.stage.note("opened", client as u64, connection.0, || {
                    format!("client {client} connection {}", connection.0)
                });
                Input::Connected { connection }
            }
            News::Written => Input::Written { connection },
            News::Response(bytes) => {
                self.stage.note("answer", client as u64, bytes.len() as u64, || {
                    let number = bytes.first_chunk::<4>().map_or(0, |four| i32::from_be_bytes(*four));
                    format!("client {client} connection {} #{number}, {} bytes", connection.0, bytes.len())
                });
                Input::Response { connection, frame: Frame::new(bytes) }
            }
            News::Ended(cause) => {
                driver.forget(connection);
                self.stage.note("ended", client as u64, connection.0, || {
                    format!("client {client} connection {}: {cause:?}", connection.0)
                });
                Input::Disconnected { connection, cause }
            }
            News::Knock | News::Request(_) | News::Hangup | News::Cut => return,
        };
        driver.input(client, input, &mut self.stage);
    }

    /// In a run that is told: the group, when it has changed.
    fn tell_group(&mut self) {
        let Some(group) = self.cluster.group(GROUP).filter(|_| self.stage.trace.keeps_words()) else { return };
        let members: Vec<String> = group
            .members
            .iter()
            .map(|member| {
                format!(
                    "{}{}",
                    &member.member_id[..14.min(member.member_id.len())],
                    if member.is_waiting { " (waits)" } else { "" }
                )
            })
            .collect();
        let words = format!("{:?} generation {} {members:?}", group.state, group.generation);
        if words != self.told {
            self.stage.trace.say(self.stage.agenda.now_us(), "group", words.clone());
            self.told = words;
        }
    }

    /// What a commit has changed at the coordinator.
    fn look_at_commits(&mut self) {
        if !std::mem::take(&mut self.stage.ledger.groups.touched) {
            return;
        }
        let Some(group) = self.cluster.group(GROUP) else { return };
        for (topic, partitions) in group.offsets.topics() {
            for (partition, committed) in partitions {
                let checked = self.stage.ledger.groups.is_committed(GROUP, topic, *partition, committed.offset);
                self.stage.ledger.check(checked);
            }
        }
    }

    /// The process of a client ends, as by SIGKILL.
    fn die(&mut self, client: usize) {
        let Client { driver, app, dead } = &mut self.clients[client];
        if std::mem::replace(dead, true) {
            return;
        }
        self.stage.note("dies", client as u64, 0, || format!("client {client}"));
        if let App::Producer(app) = app {
            self.stage.ledger.producers[app.number as usize].killed = true;
        }
        self.stage.ledger.groups.revoked(client);
        let links: Vec<LinkId> = driver.links().collect();
        if self.stage.draw.chance(300) {
            // The whole machine is gone: nobody tells the brokers.
            self.network.silence(&links);
        }
        for link in links {
            self.network.closed_by_client(link, &mut self.stage);
        }
    }

    /// Carries out what the cluster asks for.
    pub(crate) fn pump(&mut self) {
        loop {
            let now = self.stage.agenda.broker_now();
            match self.cluster.poll(now) {
                Output::Send { connection, segments } => self.network.answer(connection, &segments, &mut self.stage),
                Output::Close { connection } => self.network.closed_by_broker(connection, &mut self.stage),
                Output::Listen { node } => self.network.listen(node, true),
                Output::StopListening { node } => self.network.listen(node, false),
                Output::Wait { until_us } => {
                    if let Some(until_us) = until_us
                        && self.broker_us.is_none_or(|broker_us| until_us < broker_us || broker_us < now.mono_us)
                    {
                        let until_us = until_us.max(now.mono_us + 1);
                        self.broker_us = Some(until_us);
                        self.stage.agenda.at(until_us, Happening::Broker);
                    }
                    self.tell_group();
                    return;
                }
            }
        }
    }

    /// Every client that lives ends in good order.
    pub(crate) fn close(&mut self) {
        for client in 0..self.clients.len() {
            let Client { driver, app, dead } = &mut self.clients[client];
            if let App::Member(app) = app {
                app.close(client, &mut self.stage);
            } else if !*dead {
                match &mut driver.shared {
                    Shared::Producer(shared) => shared.close(),
                    Shared::Consumer(buffer) => drop(buffer.unassign()),
                }
                driver.input(client, Input::Command(Command::Close), &mut self.stage);
            }
        }
    }
}
