//! The driver and the brokers of a scenario. Handshakes and metadata are answered at once; Fetch and ListOffsets wait for the
//! test.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::header::{decode_request_header, encode_response_header};
use ottla_protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::messages::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, NodeEndpoint, PartitionData,
};
use ottla_protocol::messages::find_coordinator::FindCoordinatorRequest;
use ottla_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::primitives::{Message, Reader, Records, Uuid, Writer};

use super::super::assigning::PreparedAssignment;
use super::super::fetch_buffer::FetchBuffer;
use super::super::fetcher::Fetcher;
use super::super::positions::{Assigned, StartOffset};
use super::super::taken::{Scratch, Take};
use super::answers::Answer;
use crate::client::{Event, Outbox};
use crate::config::ConsumerSettings;
use crate::config::confluent::{Config, Role};
use crate::connection::{Network, NetworkOutput, Tag};
use crate::consumer::Commits;
use crate::group::{Coordinator, Member};
use crate::job::{Contexts, Job, run};
use crate::machine::{ConnectionId, DisconnectCause, Endpoint, Frame, Lane, NodeId, Now, Output};
use crate::metadata::Metadata;

pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) id: u8,
    pub(super) error: i16,
    /// Leader and leader epoch of each partition.
    pub(super) leaders: Vec<(i32, i32)>,
}

/// A partition in a Fetch: topic, partition, offset, leader epoch, epoch of the last record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) last_fetched_epoch: i32,
}

#[derive(Debug)]
pub(super) enum Question {
    Fetch {
        max_bytes: i32,
        isolation_level: i8,
        /// All of the session, in the order of the broker.
        partitions: Vec<Wanted>,
        /// Session id and epoch of the request.
        session: (i32, i32),
        /// What the request itself names, and what it has forgotten.
        named: Vec<(&'static str, i32)>,
        forgotten: Vec<(&'static str, i32)>,
        rack: String,
    },
    /// Topic, partition, timestamp.
    Offsets(Vec<(&'static str, i32, i64)>),
    /// Member id, generation; topic, partition, offset, leader epoch, metadata.
    Commit { member: (String, i32), offsets: Vec<(&'static str, i32, i64, i32, String)> },
    /// Topic, partition.
    Lookup(Vec<(&'static str, i32)>),
}

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) connection: ConnectionId,
    pub(super) node: i32,
    pub(super) lane: Lane,
    pub(super) correlation_id: i32,
    pub(super) version: i16,
    /// The fetch session that answers it, 0 for none.
    pub(super) session_id: i32,
    pub(super) question: Question,
}

/// A record's offset and value, or an error's code, offset and text.
pub(super) type Taken = Result<(i64, String), (i32, i64, String)>;

pub(super) struct World {
    pub(super) now: Now,
    network: Network,
    metadata: Metadata,
    pub(super) outbox: Outbox,
    pub(super) fetcher: Fetcher,
    pub(super) commits: Commits,
    pub(super) coordinator: Coordinator,
    pub(super) member: Option<Member>,
    /// Whether there is a subscription.
    pub(super) subscribed: bool,
    /// What brokers answer to OffsetFetch, at once unless lookups are held: topic, partition; offset, leader epoch.
    pub(super) committed: BTreeMap<(&'static str, i32), (i64, i32)>,
    pub(super) hold_lookups: bool,
    /// The broker that coordinates the group.
    pub(super) coordinated_by: i32,
    pub(super) events: Vec<Event>,
    /// Fetch sessions that brokers keep: the next epoch, and what is asked for. `None`: they keep none.
    pub(super) sessions: Option<BTreeMap<i32, (i32, Vec<Wanted>)>>,
    pub(super) sessions_begun: i32,
    /// The highest version of OffsetCommit and OffsetFetch that the brokers speak.
    pub(super) offsets_version: i16,
    pub(super) buffer: FetchBuffer,
    scratch: Scratch,
    connections: BTreeMap<ConnectionId, (NodeId, Lane)>,
    pub(super) topics: Vec<Topic>,
    /// Brokers that refuse connections.
    pub(super) down: BTreeSet<i32>,
    /// Fetch and ListOffsets that wait for an answer.
    pub(super) asked: VecDeque<Asked>,
    /// Jobs of the work thread that wait while it is held.
    pub(super) jobs: VecDeque<Job>,
    pub(super) hold_jobs: bool,
    /// The lock of the callers' side is taken.
    pub(super) locked: bool,
    contexts: Contexts,
    pub(super) log: Vec<String>,
    pub(super) metadata_requests: usize,
    /// The highest version of Fetch that the brokers speak.
    pub(super) fetch_version: i16,
    pub(super) recycled: usize,
}

pub(super) fn settings(keys: &[(&str, &str)]) -> ConsumerSettings {
    let mut config = Config::new(Role::Consumer);
    let given = [("bootstrap.servers", "one:9092"), ("group.id", "g"), ("auto.offset.reset", "earliest")];
    for (key, value) in given.iter().chain(keys) {
        config.set(key, (*value).into()).unwrap();
    }
    config.consumer().unwrap().settings
}

impl World {
    pub(super) fn new(keys: &[(&str, &str)]) -> Self {
        let settings = settings(keys);
        Self {
            now: Now { mono_us: 1_000_000, wall_ms: 1_700_000_000_000 },
            network: Network::new(settings.connection.clone(), 1),
            metadata: Metadata::new(&settings.connection, 2),
            outbox: Outbox::default(),
            fetcher: Fetcher::new(&settings, 3),
            commits: Commits::new(&settings, 4),
            coordinator: Coordinator::new(&settings.connection, &settings.group, 5),
            member: None,
            subscribed: false,
            committed: BTreeMap::new(),
            hold_lookups: false,
            coordinated_by: 2,
            events: Vec::new(),
            sessions: Some(BTreeMap::new()),
            sessions_begun: 0,
            offsets_version: 10,
            buffer: FetchBuffer::new(&settings),
            scratch: Scratch::new(),
            connections: BTreeMap::new(),
            topics: vec![
                Topic { name: "t", id: 1, error: 0, leaders: vec![(1, 3), (1, 3), (2, 3)] },
                Topic { name: "u", id: 2, error: 0, leaders: vec![(1, 3)] },
            ],
            down: BTreeSet::new(),
            asked: VecDeque::new(),
            jobs: VecDeque::new(),
            hold_jobs: false,
            locked: false,
            contexts: Contexts::default(),
            log: Vec::new(),
            metadata_requests: 0,
            fetch_version: FetchRequest::MAX_VERSION,
            recycled: 0,
        }
    }

    /// A world with partition 0 of `t` assigned from offset 0, and its first Fetch sent.
    pub(super) fn reading(keys: &[(&str, &str)]) -> Self {
        let mut world = Self::new(keys);
        world.assign(&[("t", 0, StartOffset::Offset(0))]);
        world
    }

    pub(super) fn assign(&mut self, partitions: &[(&str, i32, StartOffset)]) {
        let assigned = |&(topic, partition, start): &(&str, i32, _)| Assigned { topic: topic.into(), partition, start };
        let prepared = PreparedAssignment::new(partitions.iter().map(assigned).collect()).unwrap();
        drop(self.buffer.assign(prepared));
        self.settle();
    }

    pub(super) fn seek(&mut self, offset: i64) {
        self.buffer.seek("t", 0, StartOffset::Offset(offset)).unwrap();
        self.settle();
    }

    /// Lets time pass, in steps as the machines ask for them.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        let until_us = self.now.mono_us + milliseconds * 1000;
        while self.now.mono_us < until_us {
            let network = self.network.deadline(self.now);
            let machines = [
                network,
                self.metadata.deadline(self.now),
                self.fetcher.next_deadline(self.now),
                self.commits.deadline(self.now),
                self.coordinator.deadline(self.now),
            ];
            let next_us = machines.into_iter().flatten().min().unwrap_or(until_us);
            let step_us = next_us.max(self.now.mono_us + 1).min(until_us) - self.now.mono_us;
            self.now.mono_us += step_us;
            self.settle();
        }
    }

    /// Runs everything until nothing more happens.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut busy = false;
            if !self.locked {
                self.commits.exchange(&mut self.buffer);
                busy = self.fetcher.exchange(&mut self.buffer).again;
            }
            self.network.tick(self.now);
            busy |= self.failures();
            self.metadata.advance(self.now, &mut self.network);
            self.coordinator.advance(self.now, &mut self.network);
            for found in self.commits.take_starts() {
                self.fetcher.start_found(found, &mut self.outbox);
            }
            self.fetcher.advance(self.now, &mut self.network, &mut self.metadata, &mut self.outbox);
            self.commits.find_starts(self.fetcher.take_starts());
            let Self { network, metadata, coordinator, member, outbox, .. } = self;
            self.commits.note_standing(self.subscribed, member.is_some(), false);
            self.commits.advance(self.now, network, metadata, coordinator, member.as_ref(), outbox);
            busy |= self.failures();
            while let Some(output) = self.network.poll_output() {
                busy = true;
                self.network_output(output);
            }
            while let Some(output) = self.outbox.poll() {
                self.output(output);
                busy = true;
            }
            while !self.hold_jobs
                && let Some(job) = self.jobs.pop_front()
            {
                let computed = run(job, &mut self.contexts);
                self.fetcher.computed(self.now, computed, &mut self.outbox);
                busy = true;
            }
            if !busy && (self.locked || !self.fetcher.wants_exchange() && !self.commits.wants_exchange()) {
                self.buffer.take_wake();
                return;
            }
        }
        panic!("the machines never come to rest");
    }

    fn failures(&mut self) -> bool {
        let mut any = false;
        while let Some(failure) = self.network.poll_failure() {
            any = true;
            match failure.tag {
                Tag::Metadata => self.metadata.failure(self.now),
                Tag::FindCoordinator => self.coordinator.failure(self.now),
                Tag::OffsetCommit(_) | Tag::OffsetFetch(_) => {
                    self.commits.failure(self.now, &failure, &mut self.coordinator);
                }
                _ => self.fetcher.failure(self.now, failure, &mut self.metadata, &mut self.outbox),
            }
        }
        any
    }

    fn network_output(&mut self, output: NetworkOutput) {
        match output {
            NetworkOutput::Connect { connection, node, lane, endpoint } => {
                let node = if node.is_bootstrap() { NodeId(1) } else { node };
                let expected = Endpoint { host: format!("broker{}", node.0).into(), port: 9092 };
                assert!(endpoint == expected || &*endpoint.host == "one", "{endpoint:?}");
                if self.down.contains(&node.0) {
                    let cause = DisconnectCause::Refused("connection refused".into());
                    return self.network.disconnected(self.now, connection, &cause);
                }
                self.connections.insert(connection, (node, lane));
                self.network.connected(self.now, connection);
            }
            NetworkOutput::Close { connection } => {
                self.connections.remove(&connection);
                self.asked.retain(|asked| asked.connection != connection);
            }
            NetworkOutput::Send { connection, request, .. } => {
                let bytes = request.parts().collect::<Vec<_>>().concat();
                self.asked_for(connection, &bytes[4..]);
            }
            NetworkOutput::Report(report) => self.log.push(report.error.to_string()),
        }
    }

    fn output(&mut self, output: Output<Event>) {
        match output {
            Output::Compute(job) => self.jobs.push_back(job),
            Output::Recycle(_) => self.recycled += 1,
            Output::Event(Event::Log { text, .. }) => self.log.push(text),
            Output::Event(event) => self.events.push(event),
            other => panic!("{other:?}"),
        }
    }

    fn asked_for(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let mut reader = Reader::new(bytes);
        let header = decode_request_header(&mut reader).unwrap();
        let (version, correlation_id) = (header.api_version, header.correlation_id);
        let Some(&(NodeId(node), lane)) = self.connections.get(&connection) else { return };
        let mut session_id = 0;
        let question = match ApiKey::from_i16(header.api_key).unwrap() {
            ApiKey::ApiVersions => {
                return self.respond(connection, ApiKey::ApiVersions, version, correlation_id, &self.versions());
            }
            ApiKey::Metadata => {
                self.metadata_requests += 1;
                let request = MetadataRequest::decode(&mut reader, version).unwrap();
                let names: Vec<String> =
                    request.topics.into_iter().flatten().filter_map(|topic| topic.name.map(str::to_owned)).collect();
                return self.respond_metadata(connection, version, correlation_id, &names);
            }
            ApiKey::FindCoordinator => return self.tell_coordinator(connection, version, correlation_id),
            ApiKey::OffsetCommit => self.commit_question(lane, &mut reader, version),
            ApiKey::OffsetFetch => self.lookup_question(lane, &mut reader, version),
            ApiKey::Fetch => {
                assert_eq!(lane, Lane::Fetch);
                let request = FetchRequest::decode(&mut reader, version).unwrap();
                match self.fetch_question(&request, version) {
                    Ok((id, question)) => {
                        session_id = id;
                        question
                    }
                    Err(error_code) => {
                        let response = FetchResponse { error_code, ..Default::default() };
                        return self.respond(connection, ApiKey::Fetch, version, correlation_id, &response);
                    }
                }
            }
            ApiKey::ListOffsets => {
                let request = ListOffsetsRequest::decode(&mut reader, version).unwrap();
                assert_eq!(lane, Lane::General);
                let names: BTreeMap<&str, &'static str> =
                    self.topics.iter().map(|topic| (topic.name, topic.name)).collect();
                let asked = request.topics.iter().flat_map(|topic| {
                    let name = names[topic.name];
                    topic.partitions.iter().map(move |partition| (name, partition.partition_index, partition.timestamp))
                });
                Question::Offsets(asked.collect())
            }
            other => panic!("{other:?}"),
        };
        let asked = Asked { connection, node, lane, correlation_id, version, session_id, question };
        match asked.question {
            Question::Lookup(_) if !self.hold_lookups => self.answer_lookup(&asked, 0, 0),
            _ => self.asked.push_back(asked),
        }
    }

    fn versions(&self) -> ApiVersionsResponse<'static> {
        let range =
            |api: ApiKey, min_version, max_version| ApiVersion { api_key: api.as_i16(), min_version, max_version };
        let api_keys = vec![
            range(ApiKey::Fetch, 4, self.fetch_version),
            range(ApiKey::ListOffsets, ListOffsetsRequest::MIN_VERSION, ListOffsetsRequest::MAX_VERSION),
            range(ApiKey::Metadata, 1, MetadataRequest::MAX_VERSION),
            range(ApiKey::ApiVersions, 0, ApiVersionsRequest::MAX_VERSION),
            range(ApiKey::FindCoordinator, 4, FindCoordinatorRequest::MAX_VERSION),
            range(ApiKey::OffsetCommit, 8, self.offsets_version),
            range(ApiKey::OffsetFetch, 8, self.offsets_version),
        ];
        ApiVersionsResponse { api_keys, ..Default::default() }
    }

    fn respond_metadata(&mut self, connection: ConnectionId, version: i16, correlation_id: i32, names: &[String]) {
        let hosts = ["broker1", "broker2"];
        let brokers = [1, 2].map(|node_id| MetadataResponseBroker {
            node_id,
            host: hosts[node_id as usize - 1],
            port: 9092,
            rack: None,
        });
        let mut topics = Vec::new();
        for name in names {
            let Some(topic) = self.topics.iter().find(|topic| topic.name == name) else {
                topics.push(MetadataResponseTopic { error_code: 3, name: Some(name), ..Default::default() });
                continue;
            };
            let partitions =
                topic.leaders.iter().enumerate().map(|(index, (leader_id, leader_epoch))| MetadataResponsePartition {
                    partition_index: index as i32,
                    leader_id: *leader_id,
                    leader_epoch: *leader_epoch,
                    ..Default::default()
                });
            topics.push(MetadataResponseTopic {
                error_code: topic.error,
                name: Some(topic.name),
                topic_id: Uuid([topic.id; 16]),
                partitions: if topic.error == 0 { partitions.collect() } else { Vec::new() },
                ..Default::default()
            });
        }
        let response = MetadataResponse { brokers: brokers.to_vec(), topics, ..Default::default() };
        let mut writer = Writer::with_capacity(256);
        encode_response_header(&mut writer, ApiKey::Metadata, version, correlation_id);
        response.encode(&mut writer, version).unwrap();
        self.deliver(connection, writer.into_parts().0);
    }

    pub(super) fn respond<'a>(
        &mut self,
        connection: ConnectionId,
        api: ApiKey,
        version: i16,
        correlation_id: i32,
        response: &impl Message<'a>,
    ) {
        let mut writer = Writer::with_capacity(256);
        encode_response_header(&mut writer, api, version, correlation_id);
        response.encode(&mut writer, version).unwrap();
        self.deliver(connection, writer.into_parts().0);
    }

    fn deliver(&mut self, connection: ConnectionId, mut bytes: Vec<u8>) {
        // As the driver reads it: into a buffer of its size.
        bytes.shrink_to_fit();
        let Some(response) = self.network.response(self.now, connection, Frame::new(bytes)) else { return };
        match response.tag {
            Tag::Metadata => self.metadata.response(self.now, &mut self.network, &response),
            Tag::FindCoordinator => {
                self.coordinator.response(self.now, &response, &mut self.network, &mut self.outbox);
            }
            Tag::OffsetCommit(_) | Tag::OffsetFetch(_) => {
                let Self { network, metadata, coordinator, outbox, .. } = self;
                self.commits.response(self.now, response, network, metadata, coordinator, outbox);
            }
            _ => self.fetcher.response(self.now, response, &mut self.network, &mut self.metadata, &mut self.outbox),
        }
    }

    /// Takes out the next Fetch that waits.
    pub(super) fn next_fetch(&mut self) -> Asked {
        let at = self.asked.iter().position(|asked| matches!(asked.question, Question::Fetch { .. }));
        self.asked.remove(at.expect("no Fetch was sent")).unwrap()
    }

    /// Takes out the next ListOffsets that waits.
    pub(super) fn next_offsets(&mut self) -> Asked {
        let at = self.asked.iter().position(|asked| matches!(asked.question, Question::Offsets(_)));
        self.asked.remove(at.expect("no ListOffsets was sent")).unwrap()
    }

    /// How many Fetches wait for their answers.
    pub(super) fn fetches(&self) -> usize {
        self.asked.iter().filter(|asked| matches!(asked.question, Question::Fetch { .. })).count()
    }

    /// Answers the next Fetch; returns what it asked for.
    pub(super) fn answer(&mut self, answers: &[Answer]) -> Vec<Wanted> {
        let asked = self.next_fetch();
        self.answer_fetch(&asked, answers, &[]);
        match asked.question {
            Question::Fetch { partitions, .. } => partitions,
            _ => unreachable!(),
        }
    }

    pub(super) fn answer_fetch(&mut self, asked: &Asked, answers: &[Answer], endpoints: &[(i32, &'static str)]) {
        let aborted: Vec<_> = answers.iter().map(Answer::aborted).collect();
        let mut responses = Vec::new();
        for (answer, aborted) in answers.iter().zip(&aborted) {
            let id = self.topics.iter().find(|topic| topic.name == answer.topic).unwrap().id;
            let data = PartitionData {
                partition_index: answer.partition,
                error_code: answer.error,
                high_watermark: answer.high,
                last_stable_offset: answer.stable.unwrap_or(answer.high),
                log_start_offset: answer.low,
                diverging_epoch: answer.diverging(),
                current_leader: answer.leader(),
                aborted_transactions: Some(aborted.clone()),
                preferred_read_replica: answer.preferred.unwrap_or(-1),
                records: Some(Records::Bytes(&answer.records)),
                ..Default::default()
            };
            let topic = if asked.version >= 13 { "" } else { answer.topic };
            let topic_id = if asked.version >= 13 { Uuid([id; 16]) } else { Uuid::ZERO };
            responses.push(FetchableTopicResponse { topic, topic_id, partitions: vec![data] });
        }
        let node_endpoints =
            endpoints.iter().map(|&(node_id, host)| NodeEndpoint { node_id, host, port: 9092, rack: None }).collect();
        self.note_served(asked.session_id, answers);
        let response = FetchResponse { responses, node_endpoints, session_id: asked.session_id, ..Default::default() };
        self.respond(asked.connection, ApiKey::Fetch, asked.version, asked.correlation_id, &response);
        self.settle();
    }

    /// Answers the next ListOffsets with error or offset of each partition; returns what was asked.
    pub(super) fn answer_offsets(&mut self, answers: &[(i16, i64)]) -> Vec<(&'static str, i32, i64)> {
        let asked = self.next_offsets();
        self.answer_offsets_of(&asked, answers)
    }

    pub(super) fn answer_offsets_of(&mut self, asked: &Asked, answers: &[(i16, i64)]) -> Vec<(&'static str, i32, i64)> {
        let Question::Offsets(partitions) = &asked.question else { unreachable!() };
        let topics = partitions.iter().zip(answers).map(|((topic, partition_index, _), (error_code, offset))| {
            let partition = ListOffsetsPartitionResponse {
                partition_index: *partition_index,
                error_code: *error_code,
                offset: *offset,
                ..Default::default()
            };
            ListOffsetsTopicResponse { name: topic, partitions: vec![partition] }
        });
        let response = ListOffsetsResponse { topics: topics.collect(), ..Default::default() };
        self.respond(asked.connection, ApiKey::ListOffsets, asked.version, asked.correlation_id, &response);
        self.settle();
        partitions.clone()
    }

    /// Partition, offset and value of the next record; an error ends the test.
    pub(super) fn take_record(&mut self) -> Option<(i32, i64, String)> {
        match self.buffer.take(&mut self.scratch) {
            Take::Record(record) => {
                let value = String::from_utf8_lossy(record.value(&self.scratch).unwrap_or(b"null")).into_owned();
                Some((record.partition, record.offset, value))
            }
            Take::Error(error) => panic!("{error:?}"),
            Take::Empty => None,
        }
    }

    /// Answers with bytes that mean nothing.
    pub(super) fn deliver_raw(&mut self, asked: &Asked, body: &[u8]) {
        let mut writer = Writer::with_capacity(256);
        encode_response_header(&mut writer, ApiKey::Fetch, asked.version, asked.correlation_id);
        let bytes = [writer.into_parts().0.as_slice(), body].concat();
        self.deliver(asked.connection, bytes);
        self.settle();
    }

    /// The broker closes a connection.
    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        self.asked.retain(|asked| asked.connection != connection);
        self.network.disconnected(self.now, connection, &DisconnectCause::Closed);
        self.settle();
    }

    /// A record that is there: its offset and value, or an error's code and text.
    pub(super) fn take(&mut self) -> Option<Taken> {
        match self.buffer.take(&mut self.scratch) {
            Take::Record(record) => {
                let value = String::from_utf8_lossy(record.value(&self.scratch).unwrap_or(b"null")).into_owned();
                self.scratch.release();
                Some(Ok((record.offset, value)))
            }
            Take::Error(error) => Some(Err((error.error.code(), error.offset, error.error.message().into_owned()))),
            Take::Empty => None,
        }
    }

    /// The offsets of all records that are there; an error ends the test.
    pub(super) fn take_all(&mut self) -> Vec<i64> {
        let mut offsets = Vec::new();
        loop {
            while let Some(taken) = self.take() {
                offsets.push(taken.unwrap().0);
            }
            if !self.buffer.take_wake() {
                return offsets;
            }
            self.settle();
        }
    }

    /// The single error that is there.
    pub(super) fn take_error(&mut self) -> (i32, i64, String) {
        let error = self.take().expect("nothing is there").unwrap_err();
        assert!(self.take().is_none());
        error
    }

    pub(super) fn name(&self, index: u32) -> Arc<str> {
        self.buffer.topic_name(index).unwrap().clone()
    }
}
