//! Errors in the responses of APIs about topics and their partitions.

use ottla_protocol::messages::create_topics::{CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse};
use ottla_protocol::messages::delete_topics::{DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_protocol::messages::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use ottla_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use ottla_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use ottla_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use ottla_protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use ottla_protocol::primitives::{Records, Uuid};

use super::Blow;
use super::recode::{entry, put};
use crate::control::fault::Level;

pub(super) fn produce<'a>(blow: &Blow<'_>, request: ProduceRequest<'a>, response: &mut ProduceResponse<'a>) {
    for topic in &request.topic_data {
        for data in topic.partition_data.iter().filter(|data| blow.hits(topic.name, topic.topic_id, data.index)) {
            let new = TopicProduceResponse { name: topic.name, topic_id: topic.topic_id, ..Default::default() };
            let same = |other: &TopicProduceResponse<'_>| (other.name, other.topic_id) == (topic.name, topic.topic_id);
            let Some(answered) = entry(&mut response.responses, same, new) else { continue };
            let error = PartitionProduceResponse {
                index: data.index,
                error_code: blow.code,
                base_offset: -1,
                log_append_time_ms: -1,
                log_start_offset: -1,
                ..Default::default()
            };
            put(&mut answered.partition_responses, |other| other.index, error);
        }
    }
}

pub(super) fn fetch<'a>(blow: &'a Blow<'_>, version: i16, request: FetchRequest<'a>, response: &mut FetchResponse<'a>) {
    if blow.is_top() && version >= 7 {
        *response = FetchResponse { error_code: blow.code, ..Default::default() };
        return;
    }
    let asked = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|asked| (topic.topic, topic.topic_id, asked.partition)));
    let answered = response
        .responses
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|data| (topic.topic, topic.topic_id, data.partition_index)));
    let session = blow.session.iter().map(|name| (&*name.topic, name.id, name.partition));
    let hit: Vec<_> =
        asked.chain(answered).chain(session).filter(|(name, id, number)| blow.hits(name, *id, *number)).collect();
    for (topic, topic_id, partition_index) in hit {
        let new = FetchableTopicResponse { topic, topic_id, ..Default::default() };
        let same = |other: &FetchableTopicResponse<'_>| (other.topic, other.topic_id) == (topic, topic_id);
        let Some(answered) = entry(&mut response.responses, same, new) else { continue };
        let error = PartitionData {
            partition_index,
            error_code: blow.code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            preferred_read_replica: -1,
            records: Some(Records::Bytes(&[])),
            ..Default::default()
        };
        put(&mut answered.partitions, |other| other.partition_index, error);
    }
}

pub(super) fn list_offsets<'a>(
    blow: &Blow<'_>,
    request: ListOffsetsRequest<'a>,
    response: &mut ListOffsetsResponse<'a>,
) {
    let none = Uuid::default();
    for topic in &request.topics {
        for asked in topic.partitions.iter().filter(|asked| blow.hits(topic.name, none, asked.partition_index)) {
            let new = ListOffsetsTopicResponse { name: topic.name, ..Default::default() };
            let same = |other: &ListOffsetsTopicResponse<'_>| other.name == topic.name;
            let Some(answered) = entry(&mut response.topics, same, new) else { continue };
            let error = ListOffsetsPartitionResponse {
                partition_index: asked.partition_index,
                error_code: blow.code,
                timestamp: -1,
                offset: -1,
                leader_epoch: -1,
                ..Default::default()
            };
            put(&mut answered.partitions, |other| other.partition_index, error);
        }
    }
}

pub(super) fn offset_for_leader_epoch<'a>(
    blow: &Blow<'_>,
    request: OffsetForLeaderEpochRequest<'a>,
    response: &mut OffsetForLeaderEpochResponse<'a>,
) {
    let none = Uuid::default();
    for topic in &request.topics {
        for asked in topic.partitions.iter().filter(|asked| blow.hits(topic.topic, none, asked.partition)) {
            let new = OffsetForLeaderTopicResult { topic: topic.topic, ..Default::default() };
            let same = |other: &OffsetForLeaderTopicResult<'_>| other.topic == topic.topic;
            let Some(answered) = entry(&mut response.topics, same, new) else { continue };
            let error = EpochEndOffset { error_code: blow.code, partition: asked.partition, ..Default::default() };
            put(&mut answered.partitions, |other| other.partition, error);
        }
    }
}

pub(super) fn metadata<'a>(
    blow: &Blow<'_>,
    version: i16,
    _request: MetadataRequest<'a>,
    response: &mut MetadataResponse<'a>,
) {
    if blow.is_top() && version >= 13 {
        response.error_code = blow.code;
        response.topics.clear();
        return;
    }
    for topic in &mut response.topics {
        let (name, id) = (topic.name.unwrap_or_default(), topic.topic_id);
        if !blow.hits_topic(name, id) {
            continue;
        }
        if blow.level == Level::Partition {
            for partition in &mut topic.partitions {
                if blow.hits(name, id, partition.partition_index) {
                    (partition.error_code, partition.leader_id) = (blow.code, -1);
                }
            }
        } else {
            topic.error_code = blow.code;
            topic.partitions.clear();
        }
    }
}

pub(super) fn create_topics<'a>(
    blow: &Blow<'_>,
    request: CreateTopicsRequest<'a>,
    response: &mut CreateTopicsResponse<'a>,
) {
    let none = Uuid::default();
    for topic in request.topics.iter().filter(|topic| blow.hits_topic(topic.name, none)) {
        let same = |other: &CreatableTopicResult<'_>| other.name == topic.name;
        let error = CreatableTopicResult {
            name: topic.name,
            error_code: blow.code,
            num_partitions: -1,
            replication_factor: -1,
            ..Default::default()
        };
        if let Some(answered) = entry(&mut response.topics, same, error.clone()) {
            *answered = error;
        }
    }
}

pub(super) fn delete_topics<'a>(
    blow: &Blow<'_>,
    request: DeleteTopicsRequest<'a>,
    response: &mut DeleteTopicsResponse<'a>,
) {
    let by_name = request.topic_names.iter().map(|name| (Some(*name), Uuid::default()));
    let named = by_name.chain(request.topics.iter().map(|topic| (topic.name, topic.topic_id)));
    for (name, topic_id) in named.filter(|(name, id)| blow.hits_topic(name.unwrap_or_default(), *id)) {
        let same = |other: &DeletableTopicResult<'_>| match name {
            Some(name) => other.name == Some(name),
            None => other.topic_id == topic_id,
        };
        let error = DeletableTopicResult { name, topic_id, error_code: blow.code, ..Default::default() };
        if let Some(answered) = entry(&mut response.responses, same, error.clone()) {
            *answered = error;
        }
    }
}
