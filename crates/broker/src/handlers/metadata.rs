//! Metadata: brokers, topics, leaders; creates topics that are asked for, where that is allowed.

use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};

use super::{Call, Handled};
use crate::cluster::{Cluster, Partition, Topic};

/// All operations on a topic and on the cluster, as bits: what Kafka answers without an authorizer.
const TOPIC_OPERATIONS: i32 = 0x0df8;
const CLUSTER_OPERATIONS: i32 = 0x1fa0;

pub(super) fn handle(cluster: &mut Cluster, call: &Call) -> Handled {
    let request: MetadataRequest<'_> = call.decode()?;
    // Version 0 has no null: an empty list asks for all.
    let all = request.topics.as_ref().is_none_or(|topics| call.version == 0 && topics.is_empty());
    let asked = if all { Vec::new() } else { request.topics.unwrap_or_default() };
    if call.version < 12 && asked.iter().any(|topic| topic.name.is_none() || !topic.topic_id.is_zero()) {
        return Ok(call.reply(&refused(&asked)));
    }
    for topic in &asked {
        if let Some(name) = topic.name
            && cluster.settings().auto_create_topics
            && (request.allow_auto_topic_creation || call.version < 4)
        {
            // A name that is not allowed is reported below.
            let _ = cluster.auto_create_topic(name);
        }
    }
    let operations = call.version >= 8 && request.include_topic_authorized_operations;
    let topic_operations = if operations { TOPIC_OPERATIONS } else { i32::MIN };
    let topics = if all {
        cluster.topics().iter().map(|topic| described(cluster, topic, call.version, topic_operations)).collect()
    } else {
        asked.iter().map(|topic| found(cluster, topic, call.version, topic_operations)).collect()
    };
    let brokers = cluster.nodes().alive().map(|node| MetadataResponseBroker {
        node_id: node.id,
        host: &node.host,
        port: i32::from(node.port),
        rack: None,
    });
    let include = (8..=10).contains(&call.version) && request.include_cluster_authorized_operations;
    let response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(cluster.cluster_id()),
        controller_id: cluster.nodes().alive().next().map_or(-1, |node| node.id),
        topics,
        cluster_authorized_operations: if include { CLUSTER_OPERATIONS } else { i32::MIN },
        ..MetadataResponse::default()
    };
    Ok(call.reply(&response))
}

/// Before version 12 topics cannot be asked for by id.
fn refused<'a>(asked: &[MetadataRequestTopic<'a>]) -> MetadataResponse<'a> {
    let topic = |asked: &MetadataRequestTopic<'a>| MetadataResponseTopic {
        error_code: ErrorCode::INVALID_REQUEST.0,
        name: asked.name.or(Some("")),
        topic_id: asked.topic_id,
        ..MetadataResponseTopic::default()
    };
    MetadataResponse {
        cluster_id: None,
        controller_id: -1,
        topics: asked.iter().map(topic).collect(),
        ..MetadataResponse::default()
    }
}

fn found<'a>(
    cluster: &'a Cluster,
    asked: &MetadataRequestTopic<'a>,
    version: i16,
    operations: i32,
) -> MetadataResponseTopic<'a> {
    let (topic, error) = match asked.name {
        Some(name) if !crate::cluster::is_topic_name(name) => (None, ErrorCode::INVALID_TOPIC_EXCEPTION),
        Some(name) => (cluster.topics().by_name(name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        None => (cluster.topics().by_id(asked.topic_id), ErrorCode::UNKNOWN_TOPIC_ID),
    };
    match topic {
        Some(topic) => described(cluster, topic, version, operations),
        None => MetadataResponseTopic {
            error_code: error.0,
            // Before version 12 a name may not be null.
            name: asked.name.or(if version < 12 { Some("") } else { None }),
            topic_id: asked.topic_id,
            topic_authorized_operations: if asked.name.is_some() { operations } else { i32::MIN },
            ..MetadataResponseTopic::default()
        },
    }
}

fn described<'a>(cluster: &'a Cluster, topic: &'a Topic, version: i16, operations: i32) -> MetadataResponseTopic<'a> {
    let partitions = topic.partitions().iter().enumerate();
    MetadataResponseTopic {
        name: Some(topic.name()),
        topic_id: topic.id(),
        is_internal: topic.is_internal(),
        partitions: partitions.map(|(index, partition)| leader(cluster, index, partition, version)).collect(),
        topic_authorized_operations: operations,
        ..MetadataResponseTopic::default()
    }
}

fn leader(cluster: &Cluster, index: usize, partition: &Partition, version: i16) -> MetadataResponsePartition {
    let (alive, offline): (Vec<i32>, Vec<i32>) =
        partition.replicas().iter().partition(|node| cluster.nodes().is_alive(**node));
    let error = match partition.leader() {
        None => ErrorCode::LEADER_NOT_AVAILABLE,
        // Old clients are told of a replica that is down, and new ones read it from the list.
        Some(_) if version == 0 && !offline.is_empty() => ErrorCode::REPLICA_NOT_AVAILABLE,
        Some(_) => ErrorCode::NONE,
    };
    MetadataResponsePartition {
        error_code: error.0,
        partition_index: index as i32,
        leader_id: partition.leader().unwrap_or(-1),
        leader_epoch: partition.leader_epoch(),
        replica_nodes: partition.replicas().to_vec(),
        isr_nodes: alive,
        offline_replicas: offline,
    }
}
