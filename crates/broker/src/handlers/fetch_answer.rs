//! What a Fetch is answered: reads each partition within the limits, and leaves out what the session knows already.

use std::sync::Arc;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::fetch::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
    PartitionData,
};
use ottla_protocol::primitives::{Records, Uuid};

use super::fetch_waiting::{Waiting, check_leader, diverges, find};
use super::{Answer, Call};
use crate::cluster::Cluster;
use crate::fetch_sessions::{Asked, Kind, Told};
use crate::frame::Segment;

/// The answer of one partition, and its records.
struct Part {
    id: Uuid,
    topic: Arc<str>,
    data: PartitionData<'static>,
    bytes: usize,
    segments: Vec<Segment>,
}

pub(super) fn answer(cluster: &mut Cluster, call: &Call, waiting: &Waiting) -> Answer {
    let mut left = waiting.max_bytes;
    let mut first = true;
    let mut parts = Vec::with_capacity(waiting.partitions.len());
    for asked in &waiting.partitions {
        let part = read(cluster, call, waiting, asked, left, first);
        left = left.saturating_sub(part.bytes);
        first &= part.bytes == 0;
        parts.push(part);
    }
    let told: Vec<Told> = parts.iter().map(Part::told).collect();
    let slots = cluster.settings.fetch_session_slots;
    let sessions = cluster.fetch_sessions.entry(call.node).or_default();
    let session_id = match waiting.kind {
        Kind::Sessionless => 0,
        Kind::Full => {
            let partitions = waiting.partitions.iter().cloned().zip(told);
            sessions.begin(call.now, slots, call.version >= 13, partitions, &mut cluster.random)
        }
        Kind::Incremental(id) => {
            let news: Vec<bool> =
                waiting.partitions.iter().zip(told).map(|(asked, told)| sessions.tell(id, &asked.name, told)).collect();
            let mut news = news.into_iter();
            parts.retain(|_| news.next().unwrap_or(true));
            id
        }
    };
    respond(cluster, call, session_id, parts)
}

impl Part {
    fn told(&self) -> Told {
        Told {
            high_watermark: self.data.high_watermark,
            log_start_offset: self.data.log_start_offset,
            failed: self.data.error_code != 0 || self.data.diverging_epoch != EpochEndOffset::default(),
            records: self.bytes > 0,
        }
    }
}

fn read(cluster: &Cluster, call: &Call, waiting: &Waiting, asked: &Asked, left: usize, first: bool) -> Part {
    let mut part = Part {
        id: asked.name.id,
        topic: Arc::clone(&asked.name.topic),
        data: PartitionData {
            partition_index: asked.name.partition,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted_transactions: None,
            ..PartitionData::default()
        },
        bytes: 0,
        segments: Vec::new(),
    };
    if let Err(code) = fill(cluster, call, waiting, asked, left, first, &mut part) {
        part.data.error_code = code.0;
    }
    part
}

/// Reads into the part.
///
/// # Errors
/// What the partition's error code is to be.
fn fill(
    cluster: &Cluster,
    call: &Call,
    waiting: &Waiting,
    asked: &Asked,
    left: usize,
    first: bool,
    part: &mut Part,
) -> Result<(), ErrorCode> {
    let Some((_, partition)) = find(cluster, &asked.name) else {
        // Kafka says null for all other errors.
        part.data.aborted_transactions = Some(Vec::new());
        let by_id = call.version >= 13 && cluster.topics().by_id(asked.name.id).is_none();
        return Err(if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION });
    };
    if let Err(code) = check_leader(partition, call.node, asked.current_leader_epoch) {
        // KIP-951: who leads instead.
        if call.version >= 16 && matches!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH) {
            part.data.current_leader = LeaderIdAndEpoch {
                leader_id: partition.leader().unwrap_or(-1),
                leader_epoch: partition.leader_epoch(),
            };
        }
        return Err(code);
    }
    let log = partition.log();
    let diverging = diverges(partition, asked)?;
    if diverging.is_none() {
        let most = left.min(asked.max_bytes.max(0) as usize);
        let read = log.read(asked.fetch_offset, most, first, waiting.read_committed)?;
        (part.bytes, part.segments) = (read.bytes, read.segments);
        if waiting.read_committed {
            let aborted = |aborted: &crate::log::AbortedTransaction| AbortedTransaction {
                producer_id: aborted.producer_id,
                first_offset: aborted.first_offset,
            };
            part.data.aborted_transactions = Some(read.aborted.iter().map(aborted).collect());
        }
    }
    if let Some((epoch, end_offset)) = diverging {
        part.data.diverging_epoch = EpochEndOffset { epoch, end_offset };
    }
    part.data.high_watermark = log.end_offset();
    part.data.last_stable_offset = log.last_stable_offset();
    part.data.log_start_offset = log.start_offset();
    Ok(())
}

fn respond(cluster: &Cluster, call: &Call, session_id: i32, parts: Vec<Part>) -> Answer {
    let mut bodies = Vec::new();
    let mut leaders = Vec::new();
    let topics: Vec<(Uuid, Arc<str>)> = parts.iter().map(|part| (part.id, Arc::clone(&part.topic))).collect();
    let mut response = FetchResponse { session_id, ..FetchResponse::default() };
    let mut last: Option<&(Uuid, Arc<str>)> = None;
    for (part, topic) in parts.into_iter().zip(&topics) {
        let mut data = part.data;
        leaders.push(data.current_leader.leader_id);
        data.records = Some(if part.bytes == 0 {
            Records::Bytes(&[])
        } else {
            bodies.push(part.segments);
            Records::External { header: &[], body_len: part.bytes, tag: bodies.len() - 1 }
        });
        if last != Some(topic) {
            let (topic_id, name) = (topic.0, &*topic.1);
            response.responses.push(FetchableTopicResponse { topic: name, topic_id, partitions: Vec::new() });
            last = Some(topic);
        }
        if let Some(topic) = response.responses.last_mut() {
            topic.partitions.push(data);
        }
    }
    leaders.sort_unstable();
    leaders.dedup();
    response.node_endpoints = leaders
        .into_iter()
        .filter_map(|id| cluster.nodes().by_id(id))
        .map(|node| NodeEndpoint { node_id: node.id, host: &node.host, port: i32::from(node.port), rack: None })
        .collect();
    call.reply_with(&response, bodies)
}
