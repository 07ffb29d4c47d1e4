//! Nodes, their lanes, and the requests that go through them: which connection to open, use, mute and give up.
//!
//! Components ask [`Network::ready`] for a connection and send by [`Network::request`], which encodes with the versions of
//! that connection. What comes back is matched to what was asked and returned with the asker's [`Tag`]. What a response
//! means, and whether to ask again, is the asker's decision.
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::header::{decode_response_header, encode_request_header};
use ottla_protocol::primitives::{EncodeError, Message, Reader, Request, Writer};
use ottla_protocol::versions::ApiVersions;

use super::backoff::Backoff;
use super::handshake::{self, Verdict};
use super::in_flight::{InFlight, InFlights, Tag};
use super::reports::{self, Report};
use crate::config::ConnectionSettings;
use crate::machine::{Body, ConnectionId, DisconnectCause, Endpoint, Frame, Lane, NodeId, Now, OutgoingFrame};
use crate::random::Random;

const LANES: usize = 4;

/// An answer, not yet decoded.
#[derive(Debug)]
pub struct Response {
    pub tag: Tag,
    pub node: NodeId,
    pub connection: ConnectionId,
    pub api: ApiKey,
    pub version: i16,
    pub frame: Frame,
    /// Where the body begins in the frame, after the response header.
    pub body: usize,
    pub round_trip_us: u64,
}

impl Response {
    pub fn body(&self) -> &[u8] {
        &self.frame.as_slice()[self.body..]
    }
}

/// A request that got no answer: whether the broker carried it out is unknown.
#[derive(Clone, Debug)]
pub struct Failure {
    pub tag: Tag,
    pub node: NodeId,
    pub connection: ConnectionId,
    pub cause: DisconnectCause,
}

/// What the network asks of the driver.
#[derive(Debug)]
pub enum NetworkOutput {
    Connect { connection: ConnectionId, endpoint: Endpoint, node: NodeId, lane: Lane },
    Close { connection: ConnectionId },
    Send { connection: ConnectionId, correlation_id: i32, request: OutgoingFrame },
    Report(Report),
}

#[derive(Debug)]
struct Node {
    endpoint: Endpoint,
    lanes: [Option<ConnectionId>; LANES],
    backoff: Backoff,
    /// No attempt before this time.
    wait_until_us: u64,
    /// The last attempt failed and none has succeeded since.
    down: bool,
}

#[derive(Debug)]
enum State {
    Connecting,
    Handshaking,
    Ready { versions: Box<ApiVersions> },
}

#[derive(Debug)]
struct Connection {
    node: NodeId,
    lane: Lane,
    state: State,
    in_flight: InFlights,
    /// Requests without an answer that the system has not taken yet: the asker's tag, and when each is overdue.
    unwritten: VecDeque<(Tag, u64)>,
    since_us: u64,
    used_us: u64,
    muted_until_us: u64,
}

impl Connection {
    /// When the first request that waits for its answer, or to be written, is overdue.
    fn deadline(&self) -> Option<u64> {
        let written = self.unwritten.front().map(|(_, deadline_us)| *deadline_us);
        self.in_flight.deadline().into_iter().chain(written).min()
    }
}

/// All connections of one client.
#[derive(Debug)]
pub struct Network {
    settings: ConnectionSettings,
    random: Random,
    nodes: BTreeMap<NodeId, Node>,
    connections: BTreeMap<ConnectionId, Connection>,
    next_connection: u64,
    outputs: VecDeque<NetworkOutput>,
    failures: VecDeque<Failure>,
    all_down: bool,
    /// A broker was lost or could not be reached since it was last asked.
    broker_lost: bool,
}

impl Network {
    pub fn new(settings: ConnectionSettings, seed: u64) -> Self {
        let mut network = Self {
            random: Random::new(seed),
            nodes: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 0,
            outputs: VecDeque::new(),
            failures: VecDeque::new(),
            all_down: false,
            broker_lost: false,
            settings,
        };
        for (index, server) in network.settings.bootstrap.clone().into_iter().enumerate() {
            let endpoint = Endpoint { host: server.host.as_str().into(), port: server.port };
            network.put_node(NodeId(-1 - index as i32), endpoint);
        }
        network
    }

    fn put_node(&mut self, id: NodeId, endpoint: Endpoint) {
        let backoff = Backoff::new(self.settings.reconnect_backoff_us, self.settings.reconnect_backoff_max_us);
        self.nodes.insert(id, Node { endpoint, lanes: [None; LANES], backoff, wait_until_us: 0, down: false });
    }

    /// Takes the brokers of the newest metadata. One that moved is connected to anew; one that is gone is left.
    pub fn update_brokers(&mut self, brokers: &[(NodeId, Endpoint)]) {
        if brokers.is_empty() {
            return;
        }
        let gone = |network: &Self, id: &NodeId, node: &Node| {
            let known = brokers.iter().find(|(other, _)| other == id);
            !id.is_bootstrap() && network.nodes.contains_key(id) && known.is_none_or(|(_, at)| *at != node.endpoint)
        };
        let stale: Vec<NodeId> =
            self.nodes.iter().filter(|(id, node)| gone(self, id, node)).map(|(id, _)| *id).collect();
        for id in stale {
            let lanes = self.nodes.remove(&id).map_or([None; LANES], |node| node.lanes);
            for connection in lanes.into_iter().flatten() {
                self.drop_connection(connection, &DisconnectCause::ByUs);
            }
        }
        self.add_brokers(brokers);
    }

    /// Takes brokers that an answer to Produce or Fetch named (KIP-951), beside those that are known.
    pub fn add_brokers(&mut self, brokers: &[(NodeId, Endpoint)]) {
        for (id, endpoint) in brokers {
            if !self.nodes.contains_key(id) {
                self.put_node(*id, endpoint.clone());
            }
        }
    }

    pub fn endpoint(&self, node: NodeId) -> Option<&Endpoint> {
        self.nodes.get(&node).map(|node| &node.endpoint)
    }

    /// A connection of that lane on which a request can be sent now; begins to connect when there is none.
    pub fn ready(&mut self, now: Now, node: NodeId, lane: Lane) -> Option<ConnectionId> {
        let slot = self.nodes.get(&node)?.lanes[lane as usize];
        let Some(id) = slot else {
            self.open(now, node, lane);
            return None;
        };
        let limit = self.settings.max_in_flight;
        let connection = self.connections.get(&id)?;
        let ready = matches!(connection.state, State::Ready { .. })
            && connection.muted_until_us <= now.mono_us
            && connection.in_flight.len() + connection.unwritten.len() < limit;
        ready.then_some(id)
    }

    /// A ready connection to any broker: one that is open if there is one, else to a known broker, else to a bootstrap
    /// address (KIP-899: also when no known broker can be reached).
    pub fn any_ready(&mut self, now: Now, lane: Lane) -> Option<ConnectionId> {
        let open = self.connections.iter().filter(|(_, connection)| connection.lane == lane);
        let usable = open.filter(|(_, connection)| {
            matches!(connection.state, State::Ready { .. }) && connection.muted_until_us <= now.mono_us
        });
        if let Some((id, _)) =
            usable.min_by_key(|(_, connection)| (connection.node.is_bootstrap(), connection.in_flight.len()))
        {
            return Some(*id);
        }
        let opening = |node: &Node| node.lanes[lane as usize].is_some();
        if self.nodes.values().any(opening) {
            return None;
        }
        for bootstrap in [false, true] {
            let free =
                |(id, node): &(&NodeId, &Node)| id.is_bootstrap() == bootstrap && node.wait_until_us <= now.mono_us;
            let candidates: Vec<NodeId> = self.nodes.iter().filter(free).map(|(id, _)| *id).collect();
            if !candidates.is_empty() {
                let chosen = candidates[self.random.below(candidates.len() as u32) as usize];
                self.open(now, chosen, lane);
                return None;
            }
        }
        None
    }

    fn open(&mut self, now: Now, id: NodeId, lane: Lane) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.wait_until_us > now.mono_us || node.lanes[lane as usize].is_some() {
            return;
        }
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        node.lanes[lane as usize] = Some(connection);
        let endpoint = node.endpoint.clone();
        let (since_us, state) = (now.mono_us, State::Connecting);
        let entry = Connection {
            node: id,
            lane,
            state,
            in_flight: InFlights::default(),
            unwritten: VecDeque::new(),
            since_us,
            used_us: since_us,
            muted_until_us: 0,
        };
        self.connections.insert(connection, entry);
        self.outputs.push_back(NetworkOutput::Connect { connection, endpoint, node: id, lane });
    }

    /// The version of an API to speak on a connection; `None` when the broker does not have it.
    pub fn version(&self, connection: ConnectionId, api: ApiKey) -> Option<i16> {
        match &self.connections.get(&connection)?.state {
            State::Ready { versions } => versions.version_for(api),
            _ => None,
        }
    }

    /// As [`Network::version`], but at most `cap`.
    pub fn version_up_to(&self, connection: ConnectionId, api: ApiKey, cap: i16) -> Option<i16> {
        match &self.connections.get(&connection)?.state {
            State::Ready { versions } => versions.version_up_to(api, cap),
            _ => None,
        }
    }

    pub fn node_of(&self, connection: ConnectionId) -> Option<NodeId> {
        self.connections.get(&connection).map(|connection| connection.node)
    }

    pub fn in_flight(&self, connection: ConnectionId) -> usize {
        self.connections.get(&connection).map_or(0, |connection| connection.in_flight.len())
    }

    /// KIP-219: the broker asks to be left alone; the connection is muted, other lanes go on (E2).
    pub fn throttle(&mut self, now: Now, connection: ConnectionId, throttle_time_ms: i32) {
        if let (Some(connection), Ok(ms @ 1..)) =
            (self.connections.get_mut(&connection), u64::try_from(throttle_time_ms))
        {
            connection.muted_until_us = now.mono_us.saturating_add(ms * 1000);
        }
    }

    /// Sends a request on a ready connection. Its answer, or its failure, comes with `tag`. `bodies` belong to the
    /// external records of the request, by their tags.
    #[allow(
        clippy::too_many_arguments,
        reason = "each caller has them at hand one by one; a struct would only name them"
    )]
    pub fn request<'a, R: Message<'a> + Request>(
        &mut self,
        now: Now,
        connection: ConnectionId,
        version: i16,
        request: &R,
        tag: Tag,
        timeout_us: u64,
        bodies: &[Arc<Body>],
    ) -> Result<(), EncodeError> {
        let Some(correlation_id) = self.send(now, connection, version, request, bodies, false)? else { return Ok(()) };
        let Some(entry) = self.connections.get_mut(&connection) else { return Ok(()) };
        let deadline_us = now.mono_us.saturating_add(timeout_us);
        entry.in_flight.sent(InFlight {
            correlation_id,
            api: R::API_KEY,
            version,
            tag,
            sent_us: now.mono_us,
            deadline_us,
        });
        Ok(())
    }

    /// Sends a request that the broker does not answer (Produce with acks=0): [`Network::written`] gives `tag` back when the
    /// system has taken it.
    #[allow(clippy::too_many_arguments, reason = "as above")]
    pub fn request_unanswered<'a, R: Message<'a> + Request>(
        &mut self,
        now: Now,
        connection: ConnectionId,
        version: i16,
        request: &R,
        tag: Tag,
        timeout_us: u64,
        bodies: &[Arc<Body>],
    ) -> Result<(), EncodeError> {
        self.send(now, connection, version, request, bodies, true)?;
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.unwritten.push_back((tag, now.mono_us.saturating_add(timeout_us)));
        }
        Ok(())
    }

    /// The system took the oldest request without an answer: whose it was.
    pub fn written(&mut self, connection: ConnectionId) -> Option<Tag> {
        self.connections.get_mut(&connection)?.unwritten.pop_front().map(|(tag, _)| tag)
    }

    fn send<'a, R: Message<'a> + Request>(
        &mut self,
        now: Now,
        connection: ConnectionId,
        version: i16,
        request: &R,
        bodies: &[Arc<Body>],
        unanswered: bool,
    ) -> Result<Option<i32>, EncodeError> {
        let Some(entry) = self.connections.get_mut(&connection) else { return Ok(None) };
        let correlation_id = entry.in_flight.correlation_id();
        let mut writer = Writer::with_capacity(256);
        writer.i32(0);
        encode_request_header(&mut writer, R::API_KEY, version, correlation_id, Some(&self.settings.client_id))?;
        request.encode(&mut writer, version)?;
        // The length counts the bodies too; batches are bounded by message.max.bytes, so it fits.
        writer.patch_i32(0, (writer.len() - 4) as i32);
        let (fields, splits) = writer.into_parts();
        let bodies: Vec<_> = splits.iter().map(|split| (split.position, bodies[split.tag].clone())).collect();
        entry.used_us = now.mono_us;
        let request = OutgoingFrame::new(fields, bodies);
        let request = if unanswered { request.into_unanswered() } else { request };
        self.outputs.push_back(NetworkOutput::Send { connection, correlation_id, request });
        Ok(Some(correlation_id))
    }

    pub fn connected(&mut self, now: Now, connection: ConnectionId) {
        let entry = self.connections.get(&connection);
        if entry.is_some_and(|entry| matches!(entry.state, State::Connecting)) {
            self.handshake(now, connection, handshake::first_version());
        }
    }

    fn handshake(&mut self, now: Now, connection: ConnectionId, version: i16) {
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.state = State::Handshaking;
        }
        let timeout_us = self.settings.api_version_request_timeout_us;
        let sent = self.request(now, connection, version, &handshake::request(), Tag::Handshake, timeout_us, &[]);
        if let Err(error) = sent {
            self.disconnected(now, connection, &DisconnectCause::BadFrame(error.to_string().into()));
        }
    }

    /// Matches an answer with its request. Returns what a component waits for; the handshake is dealt with here.
    pub fn response(&mut self, now: Now, connection: ConnectionId, frame: Frame) -> Option<Response> {
        let entry = self.connections.get_mut(&connection)?;
        let bad = |text: &str| DisconnectCause::BadFrame(text.into());
        let Some(request) = entry.in_flight.answered() else {
            self.disconnected(now, connection, &bad("a response although nothing was asked"));
            return None;
        };
        let mut reader = Reader::new(frame.as_slice());
        let cause = match decode_response_header(&mut reader, request.api, request.version) {
            Ok(correlation_id) if correlation_id == request.correlation_id => None,
            Ok(other) => Some(format!("a response to request {other} where {} was due", request.correlation_id)),
            Err(error) => Some(format!("a response header that cannot be read ({error})")),
        };
        if let Some(text) = cause {
            self.fail(connection, request.tag, &bad(&text));
            self.disconnected(now, connection, &bad(&text));
            return None;
        }
        let (node, body, round_trip_us) = (entry.node, reader.position(), now.mono_us.saturating_sub(request.sent_us));
        if request.tag == Tag::Handshake {
            self.judge(now, connection, &frame.as_slice()[body..], request.version);
            return None;
        }
        let InFlight { tag, api, version, .. } = request;
        Some(Response { tag, node, connection, api, version, frame, body, round_trip_us })
    }

    fn judge(&mut self, now: Now, connection: ConnectionId, body: &[u8], version: i16) {
        match handshake::judge(body, version) {
            Verdict::Again(version) => self.handshake(now, connection, version),
            Verdict::Refused(reason) => self.disconnected(now, connection, &DisconnectCause::BadFrame(reason.into())),
            Verdict::Ready(versions) => {
                let Some(entry) = self.connections.get_mut(&connection) else { return };
                entry.state = State::Ready { versions: Box::new(versions) };
                entry.since_us = now.mono_us;
                let node = entry.node;
                self.all_down = false;
                if let Some(node) = self.nodes.get_mut(&node) {
                    node.backoff.succeeded();
                    node.down = false;
                }
            }
        }
    }

    fn fail(&mut self, connection: ConnectionId, tag: Tag, cause: &DisconnectCause) {
        let Some(node) = self.node_of(connection) else { return };
        if tag != Tag::Handshake {
            self.failures.push_back(Failure { tag, node, connection, cause: cause.clone() });
        }
    }

    /// A component could not read an answer: the connection is not to be trusted any more (E19).
    pub fn distrust(&mut self, now: Now, connection: ConnectionId, what: &str) {
        self.disconnected(now, connection, &DisconnectCause::BadFrame(what.into()));
    }

    /// The connection ended, or could not be made.
    pub fn disconnected(&mut self, now: Now, connection: ConnectionId, cause: &DisconnectCause) {
        let Some(entry) = self.connections.get(&connection) else { return };
        let busy = !entry.in_flight.is_empty() || !entry.unwritten.is_empty();
        let (id, since_us) = (entry.node, entry.since_us);
        let (was_ready, lane) = (matches!(entry.state, State::Ready { .. }), entry.lane);
        let state = reports::state_name(matches!(entry.state, State::Connecting), was_ready);
        self.drop_connection(connection, cause);
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.lanes[lane as usize] = None;
        // A broker that closes an idle connection is in its right: no failure, no waiting.
        if was_ready && !busy && *cause == DisconnectCause::Closed
            || matches!(cause, DisconnectCause::Idle | DisconnectCause::ByUs)
        {
            return;
        }
        node.wait_until_us = now.mono_us.saturating_add(node.backoff.failed(&mut self.random));
        node.down = !was_ready || node.backoff.failures() > 1;
        let elapsed_ms = now.mono_us.saturating_sub(since_us) / 1000;
        let report = reports::disconnected(&node.endpoint, id, cause, elapsed_ms, state);
        self.outputs.push_back(NetworkOutput::Report(report));
        self.broker_lost = true;
        self.note_all_down();
    }

    /// Whether a broker was lost or could not be reached since the last call.
    pub fn take_broker_lost(&mut self) -> bool {
        std::mem::take(&mut self.broker_lost)
    }

    /// Whether the broker cannot be reached, as far as is known: the last try failed, or nobody says where it is.
    pub fn is_down(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_none_or(|node| node.down)
    }

    /// Whether not one broker can be reached, as far as is known.
    pub fn is_all_down(&self) -> bool {
        self.all_down
    }

    fn note_all_down(&mut self) {
        let known = self.nodes.keys().any(|id| !id.is_bootstrap());
        let counted = || self.nodes.iter().filter(|(id, _)| !known || !id.is_bootstrap());
        let (down, all) = (counted().filter(|(_, node)| node.down).count(), counted().count());
        if down == all && !self.all_down {
            self.all_down = true;
            self.outputs.push_back(NetworkOutput::Report(reports::all_brokers_down(down, all)));
        }
    }

    fn drop_connection(&mut self, id: ConnectionId, cause: &DisconnectCause) {
        let Some(mut connection) = self.connections.remove(&id) else { return };
        let node = connection.node;
        let lost = connection.in_flight.drain().map(|request| request.tag).filter(|tag| *tag != Tag::Handshake);
        let lost = lost.chain(connection.unwritten.into_iter().map(|(tag, _)| tag));
        self.failures.extend(lost.map(|tag| Failure { tag, node, connection: id, cause: cause.clone() }));
        self.outputs.push_back(NetworkOutput::Close { connection: id });
    }

    /// Ends what is overdue or idle; call before anything else in a turn.
    pub fn tick(&mut self, now: Now) {
        let overdue: Vec<(ConnectionId, DisconnectCause)> = self
            .connections
            .iter()
            .filter_map(|(id, connection)| self.overdue(connection, now.mono_us).map(|cause| (*id, cause)))
            .collect();
        for (connection, cause) in overdue {
            self.disconnected(now, connection, &cause);
        }
    }

    fn overdue(&self, connection: &Connection, now_us: u64) -> Option<DisconnectCause> {
        if matches!(connection.state, State::Connecting) {
            let until = connection.since_us.saturating_add(self.settings.connection_setup_timeout_us);
            return (until <= now_us).then_some(DisconnectCause::ConnectTimeout);
        }
        if let Some(deadline) = connection.deadline() {
            return (deadline <= now_us).then_some(DisconnectCause::RequestTimeout);
        }
        let idle_us = self.settings.connections_max_idle_us;
        (idle_us > 0 && connection.used_us.saturating_add(idle_us) <= now_us).then_some(DisconnectCause::Idle)
    }

    /// When [`Network::tick`] or a component's next attempt is due: time-outs, ends of back-offs and of mutes.
    pub fn deadline(&self, now: Now) -> Option<u64> {
        let timers = self.connections.values().filter_map(|connection| {
            if matches!(connection.state, State::Connecting) {
                return Some(connection.since_us.saturating_add(self.settings.connection_setup_timeout_us));
            }
            let idle_us = self.settings.connections_max_idle_us;
            let idle = (idle_us > 0).then(|| connection.used_us.saturating_add(idle_us));
            connection.deadline().or(idle)
        });
        let mutes = self.connections.values().map(|connection| connection.muted_until_us);
        let waits =
            self.nodes.values().map(|node| node.wait_until_us).chain(mutes).filter(|until| *until > now.mono_us);
        timers.chain(waits).min()
    }

    pub fn poll_output(&mut self) -> Option<NetworkOutput> {
        self.outputs.pop_front()
    }

    pub fn poll_failure(&mut self) -> Option<Failure> {
        self.failures.pop_front()
    }

    /// Closes every connection: the client ends.
    pub fn close(&mut self) {
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for connection in all {
            self.drop_connection(connection, &DisconnectCause::ByUs);
        }
        self.nodes.clear();
    }
}

#[cfg(test)]
mod tests;
