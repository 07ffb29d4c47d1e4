//! Produce: appends each partition's batch to its log and wakes the Fetches that wait there.

use std::ops::Range;
use std::sync::Arc;

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceResponse,
};
use ottla_protocol::primitives::{DecodeError, Records, Uuid};

use super::{Answer, Call, Handled};
use crate::cluster::Cluster;
use crate::frame::Frame;
use crate::log::{Appended, Incoming, Refused};

/// The lowest version that carries record batches of magic 2. Kafka advertises 0 to 2 only because librdkafka before
/// 2.11 looks for them, and hangs up on whoever uses them.
const LEAST_VERSION: i16 = 3;

/// What is to be appended to one topic, without a borrow of the request.
struct TopicPart {
    name: Arc<str>,
    id: Uuid,
    /// Whether the topic is known under what the request calls it.
    known: bool,
    partitions: Vec<(i32, Option<Range<usize>>)>,
}

/// What came of one partition.
struct Outcome {
    index: i32,
    result: Result<Appended, Refused>,
    log_start_offset: i64,
    leader: LeaderIdAndEpoch,
}

pub(super) fn handle(cluster: &mut Cluster, call: &mut Call) -> Handled {
    if call.version < LEAST_VERSION {
        return Ok(Answer::Close);
    }
    let (acks, transactional, parts) = parts(cluster, call)?;
    let Call { frame, now, version, node, .. } = call;
    let mut outcomes: Vec<(TopicPart, Vec<Outcome>)> = Vec::with_capacity(parts.len());
    for mut part in parts {
        let mut results = Vec::with_capacity(part.partitions.len());
        for (index, range) in std::mem::take(&mut part.partitions) {
            let result = if !part.known {
                let by_id = *version >= 13;
                let code = if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
                Err(code.into())
            } else if transactional {
                Err(Refused::no_transactions())
            } else {
                cluster.append_request(&part.name, index, acks, *node, frame, range, *version, now.wall_ms)
            };
            let moved = matches!(&result, Err(refused) if refused.code == ErrorCode::NOT_LEADER_OR_FOLLOWER);
            let leader = if moved && *version >= 10 { leader(cluster, &part.name, index) } else { Default::default() };
            let partition = cluster.topics().by_name(&part.name).and_then(|topic| topic.partition(index));
            let log_start_offset = partition.map_or(-1, |partition| partition.log().start_offset());
            results.push(Outcome { index, result, log_start_offset, leader });
        }
        outcomes.push((part, results));
    }
    if acks == 0 {
        // There is no answer to put an error in; Kafka hangs up so that the client refreshes its metadata.
        let failed = outcomes.iter().flat_map(|(_, results)| results).any(|outcome| outcome.result.is_err());
        return Ok(if failed { Answer::Close } else { Answer::Nothing });
    }
    Ok(respond(cluster, call, &outcomes))
}

/// What the request holds. Ranges are of the whole frame.
fn parts(cluster: &Cluster, call: &Call) -> Result<(i16, bool, Vec<TopicPart>), DecodeError> {
    let request: ProduceRequest<'_> = call.decode()?;
    let mut parts = Vec::with_capacity(request.topic_data.len());
    for topic in &request.topic_data {
        let known = if call.version >= 13 {
            cluster.topics().by_id(topic.topic_id)
        } else {
            cluster.topics().by_name(topic.name)
        };
        let partitions = topic.partition_data.iter().map(|partition| match partition.records {
            Some(Records::Bytes(bytes)) => (partition.index, call.frame.range_of(bytes)),
            _ => (partition.index, None),
        });
        parts.push(TopicPart {
            name: known.map_or_else(|| Arc::from(topic.name), |known| Arc::clone(known.name())),
            id: topic.topic_id,
            known: known.is_some(),
            partitions: partitions.collect(),
        });
    }
    Ok((request.acks, request.transactional_id.is_some(), parts))
}

fn leader(cluster: &Cluster, topic: &str, index: i32) -> LeaderIdAndEpoch {
    match cluster.topics().by_name(topic).and_then(|topic| topic.partition(index)) {
        Some(partition) => {
            LeaderIdAndEpoch { leader_id: partition.leader().unwrap_or(-1), leader_epoch: partition.leader_epoch() }
        }
        None => LeaderIdAndEpoch::default(),
    }
}

fn respond(cluster: &Cluster, call: &Call, outcomes: &[(TopicPart, Vec<Outcome>)]) -> Answer {
    let partition = |outcome: &Outcome| match &outcome.result {
        Ok(appended) => PartitionProduceResponse {
            index: outcome.index,
            base_offset: appended.base_offset,
            log_append_time_ms: appended.log_append_time_ms,
            log_start_offset: outcome.log_start_offset,
            ..Default::default()
        },
        Err(refused) => PartitionProduceResponse {
            index: outcome.index,
            error_code: refused.code.0,
            base_offset: -1,
            log_start_offset: if refused.by_log { outcome.log_start_offset } else { -1 },
            current_leader: outcome.leader.clone(),
            ..Default::default()
        },
    };
    let mut response = ProduceResponse::default();
    for (part, results) in outcomes {
        let mut partitions: Vec<PartitionProduceResponse<'_>> = results.iter().map(partition).collect();
        for (partition, outcome) in partitions.iter_mut().zip(results) {
            if let Err(refused) = &outcome.result {
                partition.error_message = refused.message.as_deref();
                let blamed = refused.records.iter().map(|(index, message)| BatchIndexAndErrorMessage {
                    batch_index: *index,
                    batch_index_error_message: Some(message),
                });
                partition.record_errors = blamed.collect();
            }
        }
        response.responses.push(TopicProduceResponse {
            name: &part.name,
            topic_id: part.id,
            partition_responses: partitions,
        });
    }
    let mut leaders: Vec<i32> =
        outcomes.iter().flat_map(|(_, results)| results).map(|outcome| outcome.leader.leader_id).collect();
    leaders.sort_unstable();
    leaders.dedup();
    // KIP-951: who leads instead, and where it lives.
    response.node_endpoints = leaders
        .into_iter()
        .filter_map(|id| cluster.nodes().by_id(id))
        .map(|node| NodeEndpoint { node_id: node.id, host: &node.host, port: i32::from(node.port), rack: None })
        .collect();
    call.reply(&response)
}

impl Cluster {
    /// Appends one partition's records of a Produce request that a broker was sent.
    #[allow(clippy::too_many_arguments, reason = "one call, all of it needed")]
    fn append_request(
        &mut self,
        topic: &str,
        index: i32,
        acks: i16,
        node: i32,
        frame: &mut Frame,
        range: Option<Range<usize>>,
        version: i16,
        wall_ms: i64,
    ) -> Result<Appended, Refused> {
        let Some(topic) = self.topics.by_name_mut(topic) else {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
        };
        let rules = topic.rules(self.settings.message_max_bytes, wall_ms);
        let Some(partition) = topic.partition_mut(index) else {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
        };
        if !(-1..=1).contains(&acks) {
            return Err(ErrorCode::INVALID_REQUIRED_ACKS.into());
        }
        if partition.leader() != Some(node) {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER.into());
        }
        let records = range.clone().and_then(|range| frame.as_slice().get(range)).unwrap_or_default();
        let incoming = Incoming::check(records, version, &rules, &mut self.decompressor)?;
        let leader_epoch = partition.leader_epoch();
        let range = range.map_or(0..0, |range| range.start..range.start + incoming.header.whole_length());
        let full = self.stored_bytes.saturating_add(range.len() as u64);
        let log = partition.log_mut();
        if let Some(duplicate) = log.check_sequence(&incoming)? {
            return Ok(duplicate);
        }
        if full > self.settings.max_bytes {
            let text = format!(
                "The embedded broker holds {} bytes of records and may hold {} (max_bytes): it drops nothing, so it takes no more.",
                self.stored_bytes, self.settings.max_bytes
            );
            return Err(Refused::new(ErrorCode::POLICY_VIOLATION, text));
        }
        let appended = log.append(frame, range, incoming.header, leader_epoch, &rules);
        self.stored_bytes = full;
        self.woken.extend(partition.waiting());
        Ok(appended)
    }
}
