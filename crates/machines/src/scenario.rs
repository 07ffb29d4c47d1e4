//! Scenarios in virtual time: a client machine whose brokers are the test. ApiVersions and Metadata are answered from a
//! cluster that the test describes; every other request waits for the test's answer.
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::header::{decode_request_header, encode_response_header};
use ottla_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use ottla_protocol::messages::init_producer_id::InitProducerIdResponse;
use ottla_protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::primitives::{Message, Reader, Uuid, Writer};

use crate::client::{ClientMachine, Command, Event};
use crate::config::{AddressFamily, BootstrapServer, Compression, ConnectionSettings, Partitioner, ProducerSettings};
use crate::job::{Contexts, run};
use crate::machine::{ConnectionId, DisconnectCause, Frame, Input, Lane, Machine, NodeId, Now, Output};

pub(crate) const MS: u64 = 1000;
pub(crate) const SECOND: u64 = 1_000_000;

/// A request that the client sent and the test has not answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) connection: ConnectionId,
    pub(crate) node: NodeId,
    pub(crate) lane: Lane,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    frame: Vec<u8>,
    body: usize,
}

impl Asked {
    pub(crate) fn decode<'a, M: Message<'a>>(&'a self) -> M {
        M::decode(&mut Reader::new(&self.frame[self.body..]), self.version).expect("a request can be read")
    }
}

/// One topic of the described cluster: its error, and leader and epoch of each partition.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) error: i16,
    pub(crate) leaders: Vec<(i32, i32)>,
    /// How often it was deleted and made anew, each time under another id.
    pub(crate) incarnation: u8,
}

/// See the module.
pub(crate) struct Scenario {
    pub(crate) machine: ClientMachine,
    pub(crate) now: Now,
    pub(crate) connections: BTreeMap<ConnectionId, (NodeId, Lane)>,
    /// Nodes whose connections are refused.
    pub(crate) down: Vec<NodeId>,
    pub(crate) brokers: Vec<i32>,
    /// The first of them, where the test does not say.
    pub(crate) controller: Option<i32>,
    pub(crate) topics: BTreeMap<String, Described>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) events: Vec<Event>,
    /// When each connection was tried, by node.
    pub(crate) attempts: Vec<(u64, NodeId)>,
    pub(crate) metadata_requests: usize,
    /// Questions of metadata wait until the test answers them.
    pub(crate) slow_metadata: bool,
    /// The highest version of an API that the brokers speak, where it is not ours.
    pub(crate) caps: BTreeMap<ApiKey, i16>,
    pub(crate) next_producer_id: i64,
    /// No request is written whole until the test says so.
    pub(crate) full_sockets: bool,
    contexts: Contexts,
}

impl Scenario {
    pub(crate) fn new(machine: ClientMachine) -> Self {
        Self {
            machine,
            now: Now { mono_us: SECOND, wall_ms: 1_790_000_000_000 },
            connections: BTreeMap::new(),
            down: Vec::new(),
            brokers: vec![0, 1],
            controller: None,
            topics: BTreeMap::new(),
            asked: Vec::new(),
            events: Vec::new(),
            attempts: Vec::new(),
            metadata_requests: 0,
            slow_metadata: false,
            caps: BTreeMap::new(),
            next_producer_id: 1000,
            full_sockets: false,
            contexts: Contexts::default(),
        }
    }

    pub(crate) fn topic(&mut self, name: &str, leaders: &[(i32, i32)]) {
        self.topics.insert(name.to_owned(), Described { error: 0, leaders: leaders.to_vec(), incarnation: 0 });
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.machine.handle(self.now, Input::Command(command));
    }

    /// Everything that the machine does now, its handshakes and questions of metadata answered at once.
    /// Returns when it wants to be called again.
    pub(crate) fn turn(&mut self) -> Option<u64> {
        for _ in 0..10_000 {
            match self.machine.poll(self.now) {
                Output::Wait { until_us } => return until_us,
                Output::Connect { connection, node, lane, .. } => {
                    self.attempts.push((self.now.mono_us, node));
                    if self.down.contains(&node) {
                        let cause = DisconnectCause::Refused("Connection refused".into());
                        self.machine.handle(self.now, Input::Disconnected { connection, cause });
                    } else {
                        self.connections.insert(connection, (node, lane));
                        self.machine.handle(self.now, Input::Connected { connection });
                    }
                }
                Output::Close { connection } => {
                    self.connections.remove(&connection);
                    self.asked.retain(|asked| asked.connection != connection);
                }
                Output::Send { connection, request, .. } => {
                    if request.is_unanswered() && !self.full_sockets {
                        self.machine.handle(self.now, Input::Written { connection });
                    }
                    self.sent(connection, request.parts().collect::<Vec<_>>().concat())
                }
                Output::Compute(job) => {
                    let computed = run(job, &mut self.contexts);
                    self.machine.handle(self.now, Input::Computed(computed));
                }
                Output::Event(event) => self.events.push(event),
                Output::Recycle(_) => {}
            }
        }
        panic!("the machine never waits");
    }

    fn sent(&mut self, connection: ConnectionId, bytes: Vec<u8>) {
        let frame = bytes[4..].to_vec();
        assert_eq!(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize, frame.len());
        let mut reader = Reader::new(&frame);
        let header = decode_request_header(&mut reader).expect("a request header can be read");
        let (node, lane) = self.connections[&connection];
        let api = ApiKey::from_i16(header.api_key).expect("a known API");
        let (version, correlation_id, body) = (header.api_version, header.correlation_id, reader.position());
        let asked = Asked { connection, node, lane, api, version, correlation_id, frame, body };
        match api {
            ApiKey::ApiVersions => self.answer_versions(&asked),
            ApiKey::Metadata if !self.slow_metadata => self.answer_metadata(&asked),
            ApiKey::InitProducerId if self.next_producer_id > 0 => {
                let producer_id = self.next_producer_id;
                self.next_producer_id += 1;
                self.answer(&asked, &InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() });
            }
            _ => self.asked.push(asked),
        }
    }

    /// Answers a request, and forgets it.
    pub(crate) fn answer<'a, M: Message<'a>>(&mut self, asked: &Asked, response: &M) {
        let mut writer = Writer::new();
        encode_response_header(&mut writer, asked.api, asked.version, asked.correlation_id);
        response.encode(&mut writer, asked.version).expect("a response can be written");
        self.answer_bytes(asked, writer.into_parts().0);
    }

    pub(crate) fn answer_bytes(&mut self, asked: &Asked, frame: Vec<u8>) {
        self.asked.retain(|other| (other.connection, other.correlation_id) != (asked.connection, asked.correlation_id));
        let input = Input::Response { connection: asked.connection, frame: Frame::new(frame) };
        self.machine.handle(self.now, input);
    }

    fn answer_versions(&mut self, asked: &Asked) {
        let api_keys = (0..100).filter_map(ApiKey::from_i16).map(|key| ApiVersion {
            api_key: key as i16,
            min_version: key.min_version(),
            max_version: self.caps.get(&key).copied().unwrap_or(key.latest_stable_version()),
            ..Default::default()
        });
        let response = ApiVersionsResponse { api_keys: api_keys.collect(), ..Default::default() };
        self.answer(asked, &response);
    }

    pub(crate) fn answer_metadata(&mut self, asked: &Asked) {
        self.metadata_requests += 1;
        let request: MetadataRequest<'_> = asked.decode();
        let names: Vec<String> = match &request.topics {
            Some(topics) => topics.iter().filter_map(|topic| topic.name.map(str::to_owned)).collect(),
            None => self.topics.keys().cloned().collect(),
        };
        let hosts: Vec<String> = self.brokers.iter().map(|id| format!("broker{id}")).collect();
        let described = self.topics.clone();
        let response = MetadataResponse {
            brokers: self
                .brokers
                .iter()
                .zip(&hosts)
                .map(|(id, host)| MetadataResponseBroker { node_id: *id, host, port: 9092, ..Default::default() })
                .collect(),
            cluster_id: Some("cluster"),
            controller_id: self.controller.or(self.brokers.first().copied()).unwrap_or(-1),
            topics: names.iter().map(|name| answer_topic(name, described.get(name))).collect(),
            ..Default::default()
        };
        self.answer(asked, &response);
    }

    /// Ends all connections to a node.
    pub(crate) fn disconnect(&mut self, node: NodeId) {
        let gone: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, (other, _))| *other == node).map(|(id, _)| *id).collect();
        for connection in gone {
            self.connections.remove(&connection);
            self.asked.retain(|asked| asked.connection != connection);
            self.machine.handle(self.now, Input::Disconnected { connection, cause: DisconnectCause::Closed });
        }
    }

    pub(crate) fn forward(&mut self, us: u64) {
        self.now.mono_us += us;
        self.now.wall_ms += (us / 1000) as i64;
    }

    /// The oldest unanswered request of an API.
    pub(crate) fn oldest(&self, api: ApiKey) -> Option<Asked> {
        self.asked.iter().find(|asked| asked.api == api).cloned()
    }

    pub(crate) fn errors(&self) -> Vec<i32> {
        let code = |event: &Event| match event {
            Event::Error(error) => Some(error.code()),
            _ => None,
        };
        self.events.iter().filter_map(code).collect()
    }
}

fn answer_topic<'a>(name: &'a str, described: Option<&Described>) -> MetadataResponseTopic<'a> {
    const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    let mut id = [0; 16];
    let length = name.len().min(16);
    id[..length].copy_from_slice(&name.as_bytes()[..length]);
    let Some(described) = described else {
        return MetadataResponseTopic {
            name: Some(name),
            error_code: UNKNOWN_TOPIC_OR_PARTITION,
            ..Default::default()
        };
    };
    id[15] ^= described.incarnation;
    let partition = |(index, (leader_id, leader_epoch)): (usize, &(i32, i32))| MetadataResponsePartition {
        partition_index: index as i32,
        leader_id: *leader_id,
        leader_epoch: *leader_epoch,
        ..Default::default()
    };
    MetadataResponseTopic {
        name: Some(name),
        topic_id: Uuid(id),
        error_code: described.error,
        partitions: described.leaders.iter().enumerate().map(partition).collect(),
        ..Default::default()
    }
}

pub(crate) fn connection_settings() -> ConnectionSettings {
    ConnectionSettings {
        client_id: "scenario".to_owned(),
        bootstrap: vec![BootstrapServer { host: "bootstrap".to_owned(), port: 9092 }],
        address_family: AddressFamily::Any,
        socket_timeout_us: 60 * SECOND,
        connection_setup_timeout_us: 30 * SECOND,
        api_version_request_timeout_us: 10 * SECOND,
        connections_max_idle_us: 0,
        reconnect_backoff_us: 100 * MS,
        reconnect_backoff_max_us: 10 * SECOND,
        retry_backoff_us: 100 * MS,
        retry_backoff_max_us: SECOND,
        topic_metadata_refresh_interval_us: Some(300 * SECOND),
        topic_metadata_refresh_fast_interval_us: 100 * MS,
        topic_metadata_propagation_max_us: 30 * SECOND,
        max_in_flight: 1_000_000,
        receive_message_max_bytes: 100_000_000,
        socket_send_buffer_bytes: None,
        socket_receive_buffer_bytes: None,
        nodelay: true,
        keepalive: false,
        allow_auto_create_topics: true,
        log_level: 6,
    }
}

pub(crate) fn producer_settings() -> ProducerSettings {
    ProducerSettings {
        connection: connection_settings(),
        acks: -1,
        request_timeout_ms: 30_000,
        delivery_timeout_us: 300 * SECOND,
        linger_us: 5 * MS,
        batch_size: 1_000_000,
        batch_num_messages: 10_000,
        message_max_bytes: 1_000_000,
        queue_max_messages: 100_000,
        queue_max_bytes: 1 << 30,
        retries: i32::MAX as u32,
        idempotence: false,
        gapless: false,
        codec: Compression::None,
        compression_level: None,
        partitioner: Partitioner::ConsistentRandom,
        sticky_linger_us: 10 * MS,
        delivery_report_only_error: false,
    }
}

/// A name as machines keep it.
pub(crate) fn name(text: &str) -> Arc<str> {
    text.into()
}
