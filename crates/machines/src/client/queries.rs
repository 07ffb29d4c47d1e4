//! Questions of the application: sent when a connection is ready, asked again after a failure until their time is over.
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use ottla_protocol::primitives::{Message, Reader};

use super::command::{ClusterMetadata, PartitionInfo, Reply, RequestId, TopicInfo};
use super::outbox::Outbox;
use crate::connection::{Failure, Network, Response, Tag};
use crate::consumer::list_offsets::{self, EARLIEST, LATEST};
use crate::error::{Error, Kind};
use crate::machine::{ConnectionId, Lane, Now};
use crate::metadata::Metadata;

const RETRY_US: u64 = 100_000;

#[derive(Debug)]
enum Question {
    Metadata { topics: Option<Vec<Arc<str>>> },
    Watermarks { topic: Arc<str>, partition: i32, ours: bool, low: Option<i64> },
}

#[derive(Debug)]
struct Query {
    question: Question,
    deadline_us: u64,
    not_before_us: u64,
    in_flight: bool,
    sent: bool,
}

/// All that are not answered yet.
#[derive(Debug)]
pub struct Queries {
    open: BTreeMap<RequestId, Query>,
    timeout_us: u64,
    read_committed: bool,
}

impl Queries {
    /// A single attempt takes at most `timeout_us`.
    pub fn new(timeout_us: u64, read_committed: bool) -> Self {
        Self { open: BTreeMap::new(), timeout_us, read_committed }
    }

    pub fn ask_metadata(&mut self, request: RequestId, topics: Option<Vec<Arc<str>>>, deadline_us: u64) {
        self.ask(request, Question::Metadata { topics }, deadline_us);
    }

    pub fn ask_watermarks(&mut self, request: RequestId, topic: Arc<str>, partition: i32, deadline_us: u64) {
        self.ask(request, Question::Watermarks { topic, partition, ours: false, low: None }, deadline_us);
    }

    fn ask(&mut self, request: RequestId, question: Question, deadline_us: u64) {
        self.open.insert(request, Query { question, deadline_us, not_before_us: 0, in_flight: false, sent: false });
    }

    /// Sends what can be sent, ends what is overdue.
    pub fn advance(&mut self, now: Now, network: &mut Network, metadata: &mut Metadata, outbox: &mut Outbox) {
        let (timeout_us, committed) = (self.timeout_us, self.read_committed);
        let mut ended: Vec<(RequestId, Error)> = Vec::new();
        for (id, query) in &mut self.open {
            if query.deadline_us <= now.mono_us {
                ended.push((*id, overdue(query, network)));
            } else if !query.in_flight && query.not_before_us <= now.mono_us {
                let timeout_us = timeout_us.min(query.deadline_us - now.mono_us);
                if let Err(error) = send(now, *id, query, network, metadata, timeout_us, committed) {
                    ended.push((*id, error));
                }
            }
        }
        for (id, error) in ended {
            self.end(id, Err(error), metadata, outbox);
        }
    }

    fn end(&mut self, id: RequestId, result: Result<Reply, Error>, metadata: &mut Metadata, outbox: &mut Outbox) {
        let Some(query) = self.open.remove(&id) else { return };
        if let Question::Watermarks { topic, ours: true, .. } = &query.question {
            metadata.unwatch(topic);
        }
        outbox.reply(id, result);
    }

    pub fn response(
        &mut self,
        now: Now,
        id: RequestId,
        response: &Response,
        network: &mut Network,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) {
        let Some(query) = self.open.get_mut(&id) else { return };
        query.in_flight = false;
        let outcome = match &mut query.question {
            Question::Metadata { .. } => describe(response, network).map(|found| Some(Ok(Reply::Metadata(found)))),
            Question::Watermarks { topic, partition, low, .. } => list_offsets::single(response, topic, *partition)
                .map(|answer| match (answer, *low) {
                    (Ok(high), Some(low)) => Some(Ok(Reply::Watermarks { low, high })),
                    (Ok(first), None) => {
                        *low = Some(first);
                        None
                    }
                    (Err(error), _) if error.kind.is_retriable() => {
                        query.not_before_us = now.mono_us.saturating_add(RETRY_US);
                        metadata.not_leader(now, topic, *partition, response.node);
                        None
                    }
                    (Err(error), _) => Some(Err(error)),
                }),
        };
        match outcome {
            Err(what) => {
                query.not_before_us = now.mono_us.saturating_add(RETRY_US);
                network.distrust(now, response.connection, &what);
            }
            Ok(Some(result)) => self.end(id, result, metadata, outbox),
            Ok(None) => {}
        }
    }

    pub fn failure(&mut self, now: Now, id: RequestId, _failure: &Failure) {
        if let Some(query) = self.open.get_mut(&id) {
            query.in_flight = false;
            query.not_before_us = now.mono_us.saturating_add(RETRY_US);
        }
    }

    pub fn deadline(&self, now: Now) -> Option<u64> {
        let times = self.open.values().flat_map(|query| [query.deadline_us, query.not_before_us.max(now.mono_us)]);
        times.filter(|until| *until > now.mono_us).min()
    }

    /// The client ends: every question does.
    pub fn close(&mut self, outbox: &mut Outbox) {
        for id in std::mem::take(&mut self.open).into_keys() {
            outbox.reply(id, Err(Error::new(Kind::Destroy)));
        }
    }
}

fn overdue(query: &Query, network: &Network) -> Error {
    match &query.question {
        Question::Watermarks { .. } if network.is_all_down() => Error::new(Kind::AllBrokersDown),
        Question::Watermarks { topic, partition, .. } if !query.sent => Error::with_text(
            Kind::UnknownPartition,
            format!(
                "No leader of {topic} [{partition}] is known: check the topic's name and that brokers can be reached"
            ),
        ),
        _ if query.sent => Error::new(Kind::TimedOut),
        _ => Error::new(Kind::Transport),
    }
}

fn send(
    now: Now,
    id: RequestId,
    query: &mut Query,
    network: &mut Network,
    metadata: &mut Metadata,
    timeout_us: u64,
    read_committed: bool,
) -> Result<(), Error> {
    match &mut query.question {
        Question::Metadata { topics } => {
            let Some(connection) = network.any_ready(now, Lane::General) else { return Ok(()) };
            let topics = topics.as_ref().map(|topics| {
                topics.iter().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() }).collect()
            });
            let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
            let version = version(network, connection, ApiKey::Metadata)?;
            network.request(now, connection, version, &request, Tag::Query(id), timeout_us, &[]).map_err(refused)?;
        }
        Question::Watermarks { topic, partition, ours, low } => {
            let Some((leader, leader_epoch)) = metadata.leader(topic, *partition) else {
                if metadata.watched_for_us(now, topic).is_none() && !metadata.is_watched(topic) {
                    *ours = true;
                    metadata.watch(now, topic);
                }
                return unknown(metadata, topic, *partition);
            };
            let Some(connection) = network.ready(now, leader, Lane::General) else { return Ok(()) };
            let version = version(network, connection, ApiKey::ListOffsets)?;
            // Kafka refuses a partition that is named twice in one request: the two offsets are asked for in turn.
            let timestamp = if low.is_none() { EARLIEST } else { LATEST };
            let request = list_offsets::request(topic, *partition, leader_epoch, timestamp, read_committed);
            network.request(now, connection, version, &request, Tag::Query(id), timeout_us, &[]).map_err(refused)?;
        }
    }
    query.sent = true;
    query.in_flight = true;
    Ok(())
}

/// A topic or partition that the brokers say does not exist ends the question at once.
fn unknown(metadata: &Metadata, topic: &str, partition: i32) -> Result<(), Error> {
    match metadata.topic(topic) {
        Some(known)
            if known.error == 0 && usize::try_from(partition).is_ok_and(|index| index < known.partitions.len()) =>
        {
            Ok(())
        }
        Some(known) if known.error == 0 || known.error == 3 => Err(Error::new(Kind::UnknownPartition)),
        Some(known) if Error::broker(known.error).is_retriable() => Ok(()),
        Some(known) => Err(Error::broker(known.error)),
        None => Ok(()),
    }
}

fn version(network: &Network, connection: ConnectionId, api: ApiKey) -> Result<i16, Error> {
    network.version(connection, api).ok_or_else(|| {
        Error::with_text(
            Kind::UnsupportedFeature,
            format!("The broker speaks no version of {api:?} that this client does"),
        )
    })
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::with_text(Kind::InvalidArgument, error.to_string())
}

fn describe(response: &Response, network: &Network) -> Result<ClusterMetadata, String> {
    let found = MetadataResponse::decode(&mut Reader::new(response.body()), response.version)
        .map_err(|error| format!("an answer to Metadata that cannot be read ({error})"))?;
    let error = |code: i16| (code != 0).then(|| Error::broker(code));
    let endpoint = network.endpoint(response.node);
    let at = endpoint.map_or(String::new(), |endpoint| format!("{}:{}", endpoint.host, endpoint.port));
    let port = |port: i32| u16::try_from(port).unwrap_or(0);
    let answerer = found
        .brokers
        .iter()
        .find(|broker| endpoint.is_some_and(|at| *at.host == *broker.host && at.port == port(broker.port)));
    let orig =
        if response.node.is_bootstrap() { answerer.map_or(-1, |broker| broker.node_id) } else { response.node.0 };
    let mut topics: Vec<TopicInfo> = found
        .topics
        .iter()
        .map(|topic| TopicInfo {
            name: topic.name.unwrap_or_default().to_owned(),
            error: error(topic.error_code),
            partitions: topic
                .partitions
                .iter()
                .map(|partition| PartitionInfo {
                    id: partition.partition_index,
                    leader: partition.leader_id,
                    replicas: partition.replica_nodes.clone(),
                    isrs: partition.isr_nodes.clone(),
                    error: error(partition.error_code),
                })
                .collect(),
        })
        .collect();
    for topic in &mut topics {
        topic.partitions.sort_by_key(|partition| partition.id);
    }
    Ok(ClusterMetadata {
        cluster_id: found.cluster_id.map(str::to_owned),
        controller_id: found.controller_id,
        orig_broker_id: orig,
        orig_broker_name: if orig >= 0 { format!("{at}/{orig}") } else { format!("{at}/bootstrap") },
        brokers: found
            .brokers
            .iter()
            .map(|broker| (broker.node_id, broker.host.to_owned(), port(broker.port)))
            .collect(),
        topics,
    })
}
