//! [`Cluster`]: takes connections, requests and time; has requests handled one at a time per connection, parks and wakes
//! them, and gives what is to be sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ottla_protocol::api::ApiKey;
use ottla_protocol::compression::Decompressor;
use ottla_protocol::primitives::Uuid;

use super::{Nodes, Topics};
use crate::connection::{Connection, Current, Stage};
use crate::control::hooks::{self, After, Before, Control};
use crate::fetch_sessions::FetchSessions;
use crate::frame::{Frame, Segment};
use crate::groups::{GroupSettings, Groups};
use crate::handlers::{self, Answer, Attempt, Call, Reply};
use crate::machine::{ConnectionId, Now, Output, RequestId};
use crate::random::Random;
use crate::settings::Settings;

/// A whole cluster.
pub struct Cluster {
    pub(crate) settings: Settings,
    pub(crate) random: Random,
    cluster_id: String,
    pub(crate) nodes: Nodes,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    /// What the group coordinator answered to requests that wait.
    pub(crate) group_replies: BTreeMap<RequestId, crate::groups::Reply>,
    /// Bytes of records in all logs.
    pub(crate) stored_bytes: u64,
    /// By broker.
    pub(crate) fetch_sessions: BTreeMap<i32, FetchSessions>,
    /// Parked Fetches.
    pub(crate) fetches: BTreeMap<RequestId, handlers::Waiting>,
    pub(crate) decompressor: Decompressor,
    pub(crate) last_producer_id: i64,
    pub(crate) control: Control,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Requests that wait, and on which connection.
    waiting: BTreeMap<RequestId, ConnectionId>,
    /// When waiting requests go on at the latest.
    deadlines: BTreeSet<(u64, RequestId)>,
    /// Requests that someone woke.
    pub(crate) woken: VecDeque<RequestId>,
    outputs: VecDeque<Output>,
    last_request: u64,
    /// See [`panic_at_next_poll`](Self::panic_at_next_poll).
    panics: bool,
}

impl Cluster {
    /// A cluster of as many brokers as there are addresses: what Metadata tells clients to connect to. Their ids are 1
    /// and up.
    pub fn new(settings: Settings, addresses: Vec<(String, u16)>) -> Self {
        let mut random = Random::new(settings.seed);
        // Nobody is to take it for a real cluster.
        let mut cluster_id = format!("test-{}", Uuid(random.bytes16()));
        cluster_id.truncate(22);
        let nodes = Nodes::new(addresses);
        let outputs = nodes.iter().map(|node| Output::Listen { node: node.id }).collect();
        let mut groups = Groups::new(GroupSettings::of(&settings), Random::new(random.next_u64()));
        let control = Control::new(Random::new(random.next_u64()), settings.request_log);
        groups.set_live(Now::default(), nodes.iter().map(|node| node.id).collect());
        Self {
            settings,
            random,
            cluster_id,
            nodes,
            topics: Topics::default(),
            groups,
            group_replies: BTreeMap::new(),
            stored_bytes: 0,
            fetch_sessions: BTreeMap::new(),
            fetches: BTreeMap::new(),
            decompressor: Decompressor::new(),
            last_producer_id: 0,
            control,
            connections: BTreeMap::new(),
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            woken: VecDeque::new(),
            outputs,
            last_request: 0,
            panics: false,
        }
    }

    /// What it was set up with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its id: `test-` and random characters.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Its brokers.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Its topics.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// A client connected to a broker. One that is not alive closes it again.
    pub fn connected(&mut self, _now: Now, node: i32, connection: ConnectionId) {
        if self.nodes.is_alive(node) {
            self.connections.insert(connection, Connection::new(node));
        } else {
            self.outputs.push_back(Output::Close { connection });
        }
    }

    /// The client closed the connection, or it broke.
    pub fn disconnected(&mut self, now: Now, connection: ConnectionId) {
        self.forget(connection);
        self.run_woken(now);
    }

    /// One request, without its length. One for a connection that is not known (any more) is dropped.
    pub fn request(&mut self, now: Now, connection: ConnectionId, frame: Frame) {
        let Some(entry) = self.connections.get_mut(&connection) else { return };
        entry.queue.push_back(frame);
        self.serve(now, connection);
        self.run_woken(now);
    }

    /// How many requests of the connection wait to be answered: whoever reads from sockets stops reading at some number.
    pub fn unanswered(&self, connection: ConnectionId) -> usize {
        self.connections.get(&connection).map_or(0, |entry| entry.queue.len() + usize::from(entry.current.is_some()))
    }

    /// Has the next [`poll`](Self::poll) panic, as a defect would: for tests of what drives it.
    pub fn panic_at_next_poll(&mut self) {
        self.panics = true;
    }

    /// The next thing to do; to be called until it says [`Output::Wait`].
    #[allow(clippy::panic, reason = "asked for by a test")]
    pub fn poll(&mut self, now: Now) -> Output {
        if self.panics {
            panic!("a test asked for a panic");
        }
        while let Some(&(until_us, request)) = self.deadlines.first() {
            if until_us > now.mono_us {
                break;
            }
            self.deadlines.pop_first();
            self.go_on(now, request, Attempt::TimedOut);
        }
        self.groups.expire(now);
        self.wake_answered();
        self.run_woken(now);
        match self.outputs.pop_front() {
            Some(output) => output,
            None => {
                let request = self.deadlines.first().map(|(until_us, _)| *until_us);
                Output::Wait { until_us: [request, self.groups.next_deadline()].into_iter().flatten().min() }
            }
        }
    }

    /// Has the handler of a parked request look at it again, once whoever calls this is done. One that is not waiting is
    /// left alone.
    pub(crate) fn wake(&mut self, request: RequestId) {
        self.woken.push_back(request);
    }

    /// Whether the request is parked, delayed or stuck.
    pub(crate) fn is_waiting(&self, request: RequestId) -> bool {
        self.waiting.contains_key(&request)
    }

    /// Closes a connection from the broker's side.
    pub(crate) fn close(&mut self, connection: ConnectionId) {
        self.forget(connection);
        self.outputs.push_back(Output::Close { connection });
    }

    /// Something that the driver is to do.
    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// The connections to a broker.
    pub(crate) fn connections_of(&self, node: i32) -> Vec<ConnectionId> {
        self.connections.iter().filter(|(_, entry)| entry.node == node).map(|(id, _)| *id).collect()
    }

    fn forget(&mut self, connection: ConnectionId) {
        let Some(entry) = self.connections.remove(&connection) else { return };
        if let Some(current) = entry.current {
            self.unpark(current.call.id, current.until_us);
            handlers::abandon(self, &current.call);
        }
    }

    fn unpark(&mut self, request: RequestId, until_us: Option<u64>) {
        self.waiting.remove(&request);
        if let Some(until_us) = until_us {
            self.deadlines.remove(&(until_us, request));
        }
    }

    fn run_woken(&mut self, now: Now) {
        while let Some(request) = self.woken.pop_front() {
            self.go_on(now, request, Attempt::Woken);
        }
    }

    /// A waiting request goes on: its time is over, or someone woke it.
    fn go_on(&mut self, now: Now, request: RequestId, attempt: Attempt) {
        let Some(connection) = self.waiting.get(&request).copied() else { return };
        let Some(entry) = self.connections.get_mut(&connection) else { return };
        let parked = matches!(&entry.current, Some(Current { stage: Stage::Parked, .. }));
        if attempt == Attempt::Woken && !parked {
            return;
        }
        let Some(Current { mut call, stage, until_us }) = entry.current.take() else { return };
        self.unpark(request, until_us);
        call.now = now;
        match stage {
            Stage::Delayed => self.have_handled(call),
            Stage::Parked => {
                call.attempt = attempt;
                self.have_handled(call);
            }
            Stage::Stuck => self.wait(call, Stage::Stuck, None),
        }
        self.serve(now, connection);
    }

    /// Takes requests off the connection's queue until one waits.
    fn serve(&mut self, now: Now, connection: ConnectionId) {
        while let Some(entry) = self.connections.get_mut(&connection)
            && entry.current.is_none()
            && let Some(frame) = entry.queue.pop_front()
        {
            let node = entry.node;
            self.last_request += 1;
            let fits = frame.as_slice().len() <= self.settings.socket_request_max_bytes;
            match Call::parse(RequestId(self.last_request), connection, node, now, frame) {
                Some(call) if fits && is_served(&call) => self.begin(call),
                // As Kafka: whoever sends what cannot be read, or what is not served, is hung up on.
                _ => self.close(connection),
            }
        }
    }

    fn begin(&mut self, mut call: Call) {
        match hooks::before(self, &mut call) {
            Before::Handle => self.have_handled(call),
            Before::Delay { until_us } => self.wait(call, Stage::Delayed, Some(until_us)),
            Before::Answer(answer) => self.settle(call, answer, false),
            Before::Stuck => self.wait(call, Stage::Stuck, None),
        }
    }

    fn have_handled(&mut self, mut call: Call) {
        let answer = handlers::handle(self, &mut call).unwrap_or(Answer::Close);
        self.settle(call, answer, true);
    }

    fn settle(&mut self, call: Call, answer: Answer, handled: bool) {
        let connection = call.connection;
        match answer {
            Answer::Parked { until_us } => self.wait(call, Stage::Parked, until_us),
            Answer::Nothing => {}
            Answer::Close => self.close(connection),
            Answer::Now(reply) if !handled => self.send(connection, reply),
            Answer::Now(reply) => match hooks::after(self, &call, reply) {
                After::Send(reply) => self.send(connection, reply),
                After::Cut(bytes) => {
                    self.outputs.push_back(Output::Send { connection, segments: vec![Segment::Bytes(bytes)] });
                    self.close(connection);
                }
                After::Close => self.close(connection),
            },
        }
    }

    fn wait(&mut self, call: Call, stage: Stage, until_us: Option<u64>) {
        let request = call.id;
        // The handler may have closed the connection.
        let Some(entry) = self.connections.get_mut(&call.connection) else {
            handlers::abandon(self, &call);
            return;
        };
        self.waiting.insert(request, call.connection);
        if let Some(until_us) = until_us {
            self.deadlines.insert((until_us, request));
        }
        entry.current = Some(Current { call, stage, until_us });
    }

    fn send(&mut self, connection: ConnectionId, reply: Reply) {
        if self.connections.contains_key(&connection) {
            self.outputs.push_back(Output::Send { connection, segments: reply.into_segments() });
        }
    }
}

/// Whether the request's API is served in its version; ApiVersions answers in any (KIP-511).
fn is_served(call: &Call) -> bool {
    call.api == ApiKey::ApiVersions
        || handlers::served(call.api).is_some_and(|(min, max)| (min..=max).contains(&call.version))
}
