//! Produce: what is kept and how, what is refused, idempotence, limits.

use ottla_protocol::api::ApiKey;
use ottla_protocol::compression::Codec;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse};
use ottla_protocol::primitives::Uuid;
use ottla_protocol::records::{BatchHeader, TimestampType, check_crc};

use super::{code, world, world_of};
use crate::cluster::{NewTopic, TopicConfigs};
use crate::machine::ConnectionId;
use crate::scenario::{World, body, frame};
use crate::scenario_records::{Batch, TIME, produce};
use crate::settings::Settings;

/// Sends a batch to partition 0 of `t` in version 8; gives code, base offset, log start, message.
fn send(world: &mut World, connection: ConnectionId, batch: &[u8]) -> (ErrorCode, i64, i64, Option<String>) {
    let bytes = world.ask(connection, 8, &produce("t", Uuid::ZERO, 0, batch));
    let response: ProduceResponse<'_> = body(ApiKey::Produce, 8, &bytes);
    let partition = &response.responses[0].partition_responses[0];
    let message = partition.error_message.map(str::to_owned);
    (code(partition.error_code), partition.base_offset, partition.log_start_offset, message)
}

fn error(world: &mut World, connection: ConnectionId, batch: &[u8]) -> ErrorCode {
    send(world, connection, batch).0
}

#[test]
fn every_version_appends_and_a_batch_is_kept_as_it_was_sent() {
    for version in 3..=13 {
        let (mut world, connection, id) = world();
        for (round, codec) in [Codec::None, Codec::Gzip, Codec::Lz4, Codec::Snappy].into_iter().enumerate() {
            let sent = Batch { codec, ..Batch::of(3) }.bytes();
            let bytes = world.ask(connection, version, &produce("t", id, 1, &sent));
            let response: ProduceResponse<'_> = body(ApiKey::Produce, version, &bytes);
            let topic = &response.responses[0];
            assert_eq!((topic.name, topic.topic_id), if version < 13 { ("t", Uuid::ZERO) } else { ("", id) });
            let expected = PartitionProduceResponse {
                index: 1,
                base_offset: 3 * round as i64,
                log_start_offset: if version >= 5 { 0 } else { -1 },
                ..Default::default()
            };
            assert_eq!(topic.partition_responses, [expected]);
            let kept = world.cluster.log_bytes("t", 1).unwrap();
            let kept = &kept[kept.len() - sent.len()..];
            // Offset and leader epoch are the broker's; all else is the producer's.
            assert_eq!((&kept[8..12], &kept[16..]), (&sent[8..12], &sent[16..]));
            let header = BatchHeader::parse(kept).unwrap();
            assert_eq!((header.base_offset, header.partition_leader_epoch), (3 * round as i64, 0));
            assert!(check_crc(&header, kept));
        }
        assert_eq!(world.cluster.log_end("t", 1), Some(12));
        assert_eq!(world.cluster.log_end("t", 0), Some(0));
    }
}

#[test]
fn versions_before_3_are_named_but_hung_up_on_as_in_kafka() {
    for version in 0..3 {
        let (mut world, connection, _) = world();
        let batch = Batch::of(1).bytes();
        world.send(connection, frame(version, &produce("t", Uuid::ZERO, 0, &batch)));
        assert!(world.closed(connection));
        assert_eq!(world.cluster.log_end("t", 0), Some(0));
    }
}

#[test]
fn what_is_no_good_batch_is_refused_with_kafkas_code() {
    let (mut world, connection, _) = world();
    let good = Batch::of(3).bytes();
    let change = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        let mut header = BatchHeader::parse(&bytes).unwrap();
        let body = bytes.split_off(61);
        let sealed = header.seal(std::iter::once(&body[..]));
        [&sealed[..], &body[..]].concat()
    };
    let mut wrong_crc = good.clone();
    wrong_crc[70] ^= 1;
    let mut old = good.clone();
    old[16] = 1;
    let mut unknown_magic = good.clone();
    unknown_magic[16] = 3;
    let mut garbage = Batch { codec: Codec::Gzip, ..Batch::of(3) }.bytes();
    garbage.truncate(61 + 8);
    let mut header = BatchHeader::parse(&garbage).unwrap();
    let sealed = header.seal(std::iter::once(&garbage[61..]));
    garbage[..61].copy_from_slice(&sealed);
    let cases: [(&str, Vec<u8>, ErrorCode); 13] = [
        ("empty", Vec::new(), ErrorCode::INVALID_RECORD),
        ("cut off", good[..good.len() - 1].to_vec(), ErrorCode::INVALID_RECORD),
        ("two", [&good[..], &good[..]].concat(), ErrorCode::INVALID_RECORD),
        ("magic 1", old, ErrorCode::INVALID_RECORD),
        ("magic 3", unknown_magic, ErrorCode::CORRUPT_MESSAGE),
        ("crc", wrong_crc, ErrorCode::CORRUPT_MESSAGE),
        ("base offset", change(7, 5), ErrorCode::INVALID_RECORD),
        ("count", change(60, 2), ErrorCode::INVALID_RECORD),
        ("last offset delta", change(26, 7), ErrorCode::INVALID_RECORD),
        ("codec", change(22, 7), ErrorCode::UNKNOWN_SERVER_ERROR),
        ("garbage", garbage, ErrorCode::UNKNOWN_SERVER_ERROR),
        ("control", Batch { attributes: 0x20, ..Batch::of(1) }.bytes(), ErrorCode::INVALID_RECORD),
        ("no sequence", Batch { producer: (5, 0, -1), ..Batch::of(1) }.bytes(), ErrorCode::INVALID_RECORD),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(error(&mut world, connection, &bytes), expected, "{name}");
    }
    assert_eq!(world.cluster.log_end("t", 0), Some(0));
    assert_eq!(world.cluster.stored_bytes, 0);
    // Bytes behind the batch that are none are ignored.
    assert_eq!(error(&mut world, connection, &[&good[..], b"abc"].concat()), ErrorCode::NONE);
    assert_eq!(world.cluster.log_bytes("t", 0).unwrap().len(), good.len());
}

#[test]
fn a_record_that_breaks_off_is_refused() {
    let (mut world, connection, _) = world();
    let mut bytes = Batch::of(3).bytes();
    let last = bytes.len() - 1;
    // The last record's number of headers.
    bytes[last] = 40;
    let mut header = BatchHeader::parse(&bytes).unwrap();
    let body = bytes.split_off(61);
    let sealed = header.seal(std::iter::once(&body[..]));
    let bytes = [&sealed[..], &body[..]].concat();
    assert_eq!(error(&mut world, connection, &bytes), ErrorCode::INVALID_RECORD);
}

#[test]
fn times_too_far_ahead_are_refused_by_record() {
    let (mut world, connection, _) = world();
    let hour = 3_600_000;
    let ahead = world.now.wall_ms + hour;
    let batch = Batch { base_timestamp: ahead - 1, step_ms: 1, ..Batch::of(4) }.bytes();
    let bytes = world.ask(connection, 8, &produce("t", Uuid::ZERO, 0, &batch));
    let response: ProduceResponse<'_> = body(ApiKey::Produce, 8, &bytes);
    let partition = &response.responses[0].partition_responses[0];
    assert_eq!(code(partition.error_code), ErrorCode::INVALID_TIMESTAMP);
    assert_eq!(partition.record_errors.iter().map(|record| record.batch_index).collect::<Vec<_>>(), [2, 3]);
    let fits = Batch { base_timestamp: ahead, ..Batch::of(1) }.bytes();
    assert_eq!(error(&mut world, connection, &fits), ErrorCode::NONE);
}

#[test]
fn unknown_partitions_acks_and_leaders_are_told() {
    let (mut world, connection, id) = world_of(Settings { brokers: 2, ..Settings::default() });
    let batch = Batch::of(1).bytes();
    let mut ask = |version, request: &ProduceRequest<'_>| {
        let bytes = world.ask(connection, version, request);
        let response: ProduceResponse<'_> = body(ApiKey::Produce, version, &bytes);
        let partition = &response.responses[0].partition_responses[0];
        let leader = (partition.current_leader.leader_id, partition.current_leader.leader_epoch);
        (code(partition.error_code), leader, response.node_endpoints.len())
    };
    let none = (-1, -1);
    assert_eq!(ask(8, &produce("x", id, 0, &batch)), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, none, 0));
    assert_eq!(ask(8, &produce("t", id, 2, &batch)), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, none, 0));
    assert_eq!(ask(13, &produce("t", Uuid([1; 16]), 0, &batch)), (ErrorCode::UNKNOWN_TOPIC_ID, none, 0));
    let acks = ProduceRequest { acks: 2, ..produce("t", id, 0, &batch) };
    assert_eq!(ask(8, &acks), (ErrorCode::INVALID_REQUIRED_ACKS, none, 0));
    let transaction = ProduceRequest { transactional_id: Some("tx"), ..produce("t", id, 0, &batch) };
    assert_eq!(ask(8, &transaction), (ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, none, 0));
    assert_eq!(ask(9, &produce("t", id, 1, &batch)), (ErrorCode::NOT_LEADER_OR_FOLLOWER, none, 0));
    // KIP-951: the leader is named from version 10 on.
    let (error, (leader, epoch), endpoints) = ask(10, &produce("t", id, 1, &batch));
    assert_eq!((error, epoch, endpoints), (ErrorCode::NOT_LEADER_OR_FOLLOWER, 0, 1));
    assert_eq!(world.cluster.topics().by_name("t").unwrap().partition(1).unwrap().leader(), Some(leader));
}

#[test]
fn without_acks_there_is_no_answer_and_an_error_closes_the_connection() {
    let (mut world, connection, id) = world();
    let batch = Batch::of(1).bytes();
    let silent = |partition| ProduceRequest { acks: 0, ..produce("t", id, partition, &batch) };
    world.send(connection, frame(9, &silent(0)));
    assert_eq!(world.take(connection), None);
    assert_eq!(world.cluster.log_end("t", 0), Some(1));
    assert_eq!(send(&mut world, connection, &batch).1, 1);
    world.send(connection, frame(9, &silent(7)));
    assert!(world.closed(connection));
}

#[test]
fn a_duplicate_is_answered_with_its_old_place_and_appended_once() {
    let (mut world, connection, _) = world();
    let batch = |sequence| Batch { producer: (9, 0, sequence), ..Batch::of(2) }.bytes();
    for (sequence, expected) in [(0, (0, 0)), (2, (0, 2)), (0, (0, 0)), (2, (0, 2)), (6, (45, -1)), (4, (0, 4))] {
        let (error, offset, ..) = send(&mut world, connection, &batch(sequence));
        assert_eq!((error.0, offset), expected, "{sequence}");
    }
    assert_eq!(world.cluster.log_end("t", 0), Some(6));
    // Each partition counts for itself.
    let bytes = world.ask(connection, 8, &produce("t", Uuid::ZERO, 1, &batch(0)));
    let response: ProduceResponse<'_> = body(ApiKey::Produce, 8, &bytes);
    assert_eq!(response.responses[0].partition_responses[0].base_offset, 0);
    let fenced = Batch { producer: (9, 1, 0), ..Batch::of(1) }.bytes();
    assert_eq!(error(&mut world, connection, &fenced), ErrorCode::NONE);
    assert_eq!(error(&mut world, connection, &batch(6)), ErrorCode::INVALID_PRODUCER_EPOCH);
}

#[test]
fn a_full_cluster_takes_no_more_says_why_and_drops_nothing() {
    let batch = Batch { value: vec![b'x'; 1000], ..Batch::of(1) }.bytes();
    let max_bytes = 2 * batch.len() as u64 + 10;
    let (mut world, connection, _) = world_of(Settings { max_bytes, ..Settings::default() });
    assert_eq!(error(&mut world, connection, &batch), ErrorCode::NONE);
    assert_eq!(error(&mut world, connection, &batch), ErrorCode::NONE);
    let (code, offset, _, message) = send(&mut world, connection, &batch);
    assert_eq!((code, offset), (ErrorCode::POLICY_VIOLATION, -1));
    assert!(!code.retriable());
    assert!(message.is_some_and(|message| message.contains("max_bytes")));
    assert_eq!(world.cluster.log_bytes("t", 0).unwrap().len(), 2 * batch.len());
    // Room comes back with a topic that is deleted.
    world.cluster.remove_topic("t");
    assert_eq!(world.cluster.stored_bytes, 0);
}

#[test]
fn the_largest_batch_is_the_topics_or_the_clusters_setting() {
    let batch = Batch { value: vec![b'x'; 1000], ..Batch::of(1) }.bytes();
    let most = batch.len() as i32;
    for (cluster, topic, expected) in [
        (most, None, ErrorCode::NONE),
        (most - 1, None, ErrorCode::MESSAGE_TOO_LARGE),
        (most - 1, Some(most), ErrorCode::NONE),
        (most, Some(most - 1), ErrorCode::MESSAGE_TOO_LARGE),
    ] {
        let mut world = World::new(Settings { message_max_bytes: cluster, ..Settings::default() });
        let mut configs = TopicConfigs::default();
        if let Some(most) = topic {
            configs.set("max.message.bytes", &most.to_string()).unwrap();
        }
        world.cluster.make_topic("t", NewTopic { configs, ..NewTopic::default() }).unwrap();
        let connection = world.connect(1);
        assert_eq!(error(&mut world, connection, &batch), expected);
    }
}

#[test]
fn with_log_append_time_the_broker_stamps_the_batch() {
    let mut world = World::new(Settings::default());
    let mut configs = TopicConfigs::default();
    configs.set("message.timestamp.type", "LogAppendTime").unwrap();
    world.cluster.make_topic("t", NewTopic { configs, ..NewTopic::default() }).unwrap();
    let connection = world.connect(1);
    world.now.wall_ms = TIME + 12_345;
    let batch = Batch::of(2).bytes();
    let bytes = world.ask(connection, 8, &produce("t", Uuid::ZERO, 0, &batch));
    let response: ProduceResponse<'_> = body(ApiKey::Produce, 8, &bytes);
    assert_eq!(response.responses[0].partition_responses[0].log_append_time_ms, TIME + 12_345);
    let kept = world.cluster.log_bytes("t", 0).unwrap();
    let header = BatchHeader::parse(&kept).unwrap();
    assert!(check_crc(&header, &kept));
    assert_eq!((header.timestamp_type(), header.max_timestamp), (TimestampType::LogAppendTime, TIME + 12_345));
}
