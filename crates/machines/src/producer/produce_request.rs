//! The Produce request of some batches for one broker, and what its answer says of each.
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_protocol::primitives::{Message, Reader, Records, Uuid};
use ottla_protocol::records::BATCH_HEADER_LEN;

use super::batch::Batch;
use crate::connection::Response;
use crate::machine::{Endpoint, NodeId};

/// From this version on topics go by their ids (KIP-516).
pub const BY_TOPIC_ID: i16 = 13;

/// A topic as a request names it.
#[derive(Clone, Debug)]
pub struct TopicName {
    pub name: Arc<str>,
    pub id: Uuid,
}

/// Builds the request; the body of `batches[i]` is the external one of tag `i`.
pub fn request<'a>(
    acks: i16,
    timeout_ms: i32,
    version: i16,
    batches: &[Batch],
    headers: &'a [[u8; BATCH_HEADER_LEN]],
    names: &'a BTreeMap<u32, TopicName>,
) -> ProduceRequest<'a> {
    let mut topics: BTreeMap<u32, TopicProduceData<'a>> = BTreeMap::new();
    for (tag, (batch, header)) in batches.iter().zip(headers).enumerate() {
        let Some(name) = names.get(&batch.topic) else { continue };
        let entry = topics.entry(batch.topic).or_insert_with(|| {
            if version >= BY_TOPIC_ID {
                TopicProduceData { topic_id: name.id, ..Default::default() }
            } else {
                TopicProduceData { name: &name.name, ..Default::default() }
            }
        });
        entry.partition_data.push(PartitionProduceData {
            index: batch.partition,
            records: Some(Records::External { header, body_len: batch.body.len(), tag }),
            ..Default::default()
        });
    }
    ProduceRequest { acks, timeout_ms, topic_data: topics.into_values().collect(), ..Default::default() }
}

/// What a broker says of one batch.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub code: i16,
    pub text: Option<String>,
    pub base_offset: i64,
    pub log_append_time: Option<i64>,
    /// Numbers of the records that the broker refused, with its words (KIP-467).
    pub record_errors: Vec<(u32, Option<String>)>,
    /// Who leads the partition now (KIP-951).
    pub leader: Option<(NodeId, i32)>,
}

/// A whole answer.
#[derive(Debug, Default)]
pub struct Answer {
    pub throttle_time_ms: i32,
    verdicts: BTreeMap<(u32, i32), Verdict>,
    /// Addresses of leaders that the answer names (KIP-951).
    pub endpoints: Vec<(NodeId, Endpoint)>,
}

impl Answer {
    pub fn read(response: &Response, names: &BTreeMap<u32, TopicName>) -> Result<Self, String> {
        let found = ProduceResponse::decode(&mut Reader::new(response.body()), response.version)
            .map_err(|error| format!("an answer to Produce that cannot be read ({error})"))?;
        let mut answer = Self { throttle_time_ms: found.throttle_time_ms, ..Self::default() };
        for topic in &found.responses {
            let number = names.iter().find(|(_, name)| {
                if response.version >= BY_TOPIC_ID { name.id == topic.topic_id } else { *name.name == *topic.name }
            });
            let Some((number, _)) = number else { continue };
            for partition in &topic.partition_responses {
                let leader = &partition.current_leader;
                let verdict = Verdict {
                    code: partition.error_code,
                    text: partition.error_message.map(str::to_owned),
                    base_offset: partition.base_offset,
                    log_append_time: (partition.log_append_time_ms >= 0).then_some(partition.log_append_time_ms),
                    record_errors: partition
                        .record_errors
                        .iter()
                        .filter_map(|error| {
                            let index = u32::try_from(error.batch_index).ok()?;
                            Some((index, error.batch_index_error_message.map(str::to_owned)))
                        })
                        .collect(),
                    leader: (leader.leader_id >= 0).then_some((NodeId(leader.leader_id), leader.leader_epoch)),
                };
                answer.verdicts.insert((*number, partition.index), verdict);
            }
        }
        let endpoint = |host: &str, port: i32| Endpoint { host: host.into(), port: u16::try_from(port).unwrap_or(0) };
        answer.endpoints =
            found.node_endpoints.iter().map(|node| (NodeId(node.node_id), endpoint(node.host, node.port))).collect();
        Ok(answer)
    }

    /// What it says of a partition's batch; `None` when it does not name it.
    pub fn of(&self, topic: u32, partition: i32) -> Option<&Verdict> {
        self.verdicts.get(&(topic, partition))
    }
}
