//! [`ClientMachine`]: one client. It routes inputs to its components and collects what they ask for; it decides nothing.
use super::command::{Command, Edges, Event};
use super::consumer::ConsumerRole;
use super::outbox::Outbox;
use super::queries::Queries;
use crate::admin::Driver;
use crate::config::{AdminSettings, ConnectionSettings, ConsumerSettings, Isolation, ProducerSettings};
use crate::connection::{Failure, Network, NetworkOutput, Response, Tag};
use crate::consumer::FetchBuffer;
use crate::error::{Error, Kind};
use crate::job::Computed;
use crate::machine::{Input, Machine, Now, Output};
use crate::metadata::Metadata;
use crate::producer::{Accumulator, Sender};

enum Role {
    Producer(Box<Sender>),
    Consumer(Box<ConsumerRole>),
    Admin,
}

/// A producer, a consumer or an admin client.
pub struct ClientMachine {
    network: Network,
    metadata: Metadata,
    queries: Queries,
    admin: Driver,
    role: Role,
    outbox: Outbox,
    /// Something happened since the components last had their turn.
    stirred: bool,
    next_turn_us: Option<u64>,
    closed: bool,
    stopped: bool,
}

impl ClientMachine {
    /// `seed` is the source of all jitter.
    pub fn producer(settings: &ProducerSettings, seed: u64) -> Self {
        let sender = Sender::new(settings, seed ^ 1);
        Self::new(&settings.connection, seed, false, Role::Producer(Box::new(sender)))
    }

    pub fn consumer(settings: &ConsumerSettings, seed: u64) -> Self {
        let committed = settings.isolation == Isolation::ReadCommitted;
        Self::new(&settings.connection, seed, committed, Role::Consumer(Box::new(ConsumerRole::new(settings, seed))))
    }

    pub fn admin(settings: &AdminSettings, seed: u64) -> Self {
        Self::new(&settings.connection, seed, false, Role::Admin)
    }

    fn new(settings: &ConnectionSettings, seed: u64, read_committed: bool, role: Role) -> Self {
        Self {
            network: Network::new(settings.clone(), seed),
            metadata: Metadata::new(settings, seed ^ 2),
            queries: Queries::new(settings.socket_timeout_us, read_committed),
            admin: Driver::new(settings),
            role,
            outbox: Outbox::default(),
            stirred: true,
            next_turn_us: None,
            closed: false,
            stopped: false,
        }
    }

    /// Moves what is ready between the producer's shared side and this machine; the caller holds the lock (E6).
    pub fn exchange_producer<A>(&mut self, now: Now, shared: &mut Accumulator<A>) -> Edges {
        self.stirred = true;
        match &mut self.role {
            Role::Producer(sender) => sender.exchange(now, shared),
            _ => Edges::default(),
        }
    }

    /// Moves what is ready between the consumer's shared side and this machine; the caller holds the lock.
    pub fn exchange_consumer(&mut self, now: Now, shared: &mut FetchBuffer) -> Edges {
        self.stirred = true;
        match &mut self.role {
            Role::Consumer(consumer) => consumer.exchange(now, shared),
            _ => Edges::default(),
        }
    }

    /// Whether an exchange would move something from this side.
    pub fn wants_exchange(&self) -> bool {
        match &self.role {
            Role::Producer(sender) => sender.wants_exchange(),
            Role::Consumer(consumer) => consumer.wants_exchange(),
            Role::Admin => false,
        }
    }

    fn advance(&mut self, now: Now) {
        self.network.tick(now);
        self.route_failures(now);
        if self.network.take_broker_lost() {
            // What it led may be led by another by now.
            self.metadata.request_update(now);
        }
        self.metadata.advance(now, &mut self.network);
        match &mut self.role {
            Role::Producer(sender) => sender.advance(now, &mut self.network, &mut self.metadata, &mut self.outbox),
            Role::Consumer(consumer) => consumer.advance(now, &mut self.network, &mut self.metadata, &mut self.outbox),
            Role::Admin => {}
        }
        self.queries.advance(now, &mut self.network, &mut self.metadata, &mut self.outbox);
        self.admin.advance(now, &mut self.network, &mut self.metadata, &mut self.outbox);
        // Components may have begun to watch a topic.
        self.metadata.advance(now, &mut self.network);
        self.route_failures(now);
    }

    fn route_failures(&mut self, now: Now) {
        while let Some(failure) = self.network.poll_failure() {
            self.route_failure(now, failure);
        }
    }

    fn route_failure(&mut self, now: Now, failure: Failure) {
        let Self { metadata, queries, admin, role, outbox, .. } = self;
        match (failure.tag, role) {
            (Tag::Metadata, _) => metadata.failure(now),
            (Tag::Query(id), _) => queries.failure(now, id, &failure),
            (Tag::Admin(id), _) => admin.failure(now, id, &failure),
            (_, Role::Producer(sender)) => sender.failure(now, failure, metadata, outbox),
            (_, Role::Consumer(consumer)) => consumer.failure(now, failure, metadata, outbox),
            (_, Role::Admin) => {}
        }
    }

    fn route_response(&mut self, now: Now, response: Response) {
        let Self { network, metadata, queries, admin, role, outbox, .. } = self;
        match (response.tag, role) {
            (Tag::Metadata, _) => {
                metadata.response(now, network, &response);
                outbox.recycle(response.frame.into_buffer().unwrap_or_default());
            }
            (Tag::Query(id), _) => queries.response(now, id, &response, network, metadata, outbox),
            (Tag::Admin(id), _) => admin.response(now, id, &response, network, metadata, outbox),
            (_, Role::Producer(sender)) => sender.response(now, response, network, metadata, outbox),
            (_, Role::Consumer(consumer)) => consumer.response(now, response, network, metadata, outbox),
            (_, Role::Admin) => {}
        }
    }

    fn route_computed(&mut self, now: Now, computed: Computed) {
        match &mut self.role {
            Role::Producer(sender) => sender.computed(now, computed),
            Role::Consumer(consumer) => consumer.computed(now, computed, &mut self.outbox),
            Role::Admin => {}
        }
    }

    fn command(&mut self, now: Now, command: Command) {
        match command {
            Command::Metadata { request, topics, deadline_us } => {
                self.queries.ask_metadata(request, topics, deadline_us)
            }
            Command::Watermarks { request, topic, partition, deadline_us } => {
                self.queries.ask_watermarks(request, topic, partition, deadline_us);
            }
            Command::Admin { request, operation, deadline_us } => self.admin.start(request, operation, deadline_us),
            Command::Close => self.close(),
            of_a_consumer => match &mut self.role {
                Role::Consumer(consumer) => consumer.command(now, of_a_consumer, &mut self.metadata, &mut self.outbox),
                Role::Producer(_) | Role::Admin => refuse(&of_a_consumer, &mut self.outbox),
            },
        }
    }

    fn close(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            self.queries.close(&mut self.outbox);
            self.admin.close(&mut self.outbox);
            if let Role::Consumer(consumer) = &mut self.role {
                consumer.close(&mut self.metadata, &mut self.outbox);
            }
            self.network.close();
        }
    }

    fn flush_network(&mut self) {
        while let Some(output) = self.network.poll_output() {
            let output = match output {
                NetworkOutput::Connect { connection, endpoint, node, lane } => {
                    Output::Connect { connection, endpoint, node, lane }
                }
                NetworkOutput::Close { connection } => Output::Close { connection },
                NetworkOutput::Send { connection, correlation_id, request } => {
                    Output::Send { connection, correlation_id, request }
                }
                NetworkOutput::Report(report) => {
                    self.outbox.log(report.level, report.facility, report.error.message().into_owned());
                    self.outbox.error(report.error);
                    continue;
                }
            };
            self.outbox.output(output);
        }
    }

    fn deadline(&self, now: Now) -> Option<u64> {
        let role = match &self.role {
            Role::Producer(sender) => sender.deadline(now),
            Role::Consumer(consumer) => consumer.deadline(now),
            Role::Admin => None,
        };
        let others = [
            self.network.deadline(now),
            self.metadata.deadline(now),
            self.queries.deadline(now),
            self.admin.deadline(now),
        ];
        others.into_iter().flatten().chain(role).min()
    }
}

impl Machine for ClientMachine {
    type Command = Command;
    type Event = Event;

    fn handle(&mut self, now: Now, input: Input<Command>) {
        self.stirred = true;
        match input {
            Input::Command(command) => self.command(now, command),
            Input::Connected { connection } => self.network.connected(now, connection),
            Input::Disconnected { connection, cause } => self.network.disconnected(now, connection, &cause),
            Input::Response { connection, frame } => {
                if let Some(response) = self.network.response(now, connection, frame) {
                    self.route_response(now, response);
                }
            }
            Input::Written { connection } => {
                if let (Some(tag), Role::Producer(sender)) = (self.network.written(connection), &mut self.role) {
                    sender.written(now, tag);
                }
            }
            Input::Computed(computed) => self.route_computed(now, computed),
        }
    }

    fn poll(&mut self, now: Now) -> Output<Event> {
        if self.closed {
            self.flush_network();
            return self.outbox.poll().unwrap_or_else(|| match std::mem::replace(&mut self.stopped, true) {
                true => Output::Wait { until_us: None },
                false => Output::Event(Event::Stopped),
            });
        }
        if self.stirred || self.next_turn_us.is_some_and(|until| until <= now.mono_us) {
            self.stirred = false;
            self.advance(now);
            self.flush_network();
            self.next_turn_us = self.deadline(now);
        }
        self.outbox.poll().unwrap_or(Output::Wait { until_us: self.next_turn_us })
    }
}

/// A question that only a consumer answers.
fn refuse(command: &Command, outbox: &mut Outbox) {
    let request = match command {
        Command::Subscribe { request, .. }
        | Command::Unsubscribe { request }
        | Command::Leave { request, .. }
        | Command::Committed { request, .. }
        | Command::GroupMetadata { request } => Some(*request),
        Command::Commit { request, .. } => *request,
        _ => None,
    };
    if let Some(request) = request {
        outbox.reply(request, Err(Error::with_text(Kind::State, "This client is not a consumer")));
    }
}
