//! Errors and damage in Produce, Fetch and ListOffsets.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::fetch::{FetchRequest, FetchResponse};
use ottla_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use ottla_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use ottla_protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse};
use ottla_protocol::primitives::{Records, Uuid};
use ottla_protocol::records::{BatchIter, check_crc};

use super::errors::{after, error, partition, world};
use super::faults::arm;
use crate::control::{Action, Level, Select, When};
use crate::machine::ConnectionId;
use crate::scenario::{World, body, frame};
use crate::scenario_records::{Batch, fetch, produce};

const CODE: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;

fn id(world: &World, topic: &str) -> Uuid {
    world.cluster.topics().by_name(topic).unwrap().id()
}

/// Produces one record to each of three partitions of `t`: the answer of each, and how long each log is then.
fn produced(version: i16, select: Select, action: Action) -> Vec<(i32, ErrorCode, i64, i64)> {
    let (mut world, connection) = world();
    let fault = arm(&mut world, Select { api: Some(ApiKey::Produce), ..select }, When::Once, action);
    let records = Batch::of(1).bytes();
    let topic_id = if version >= 13 { id(&world, "t") } else { Uuid::ZERO };
    let mut request = produce(if version >= 13 { "" } else { "t" }, topic_id, 0, &records);
    for index in 1..3 {
        let data = PartitionProduceData { index, records: Some(Records::Bytes(&records)) };
        request.topic_data[0].partition_data.push(data);
    }
    let bytes = world.ask(connection, version, &request);
    let reply: ProduceResponse<'_> = body(ApiKey::Produce, version, &bytes);
    assert_eq!((reply.responses.len(), world.cluster.fired(fault)), (1, 1));
    let mut all: Vec<_> = reply.responses[0]
        .partition_responses
        .iter()
        .map(|data| {
            let end = world.cluster.log_end("t", data.index).unwrap();
            (data.index, ErrorCode(data.error_code), data.base_offset, end)
        })
        .collect();
    all.sort_unstable_by_key(|(index, ..)| *index);
    all
}

#[test]
fn refused_partitions_are_not_written_and_the_others_are() {
    let (ok, no) = (ErrorCode::NONE, CODE);
    for version in [3, 8, 12, 13] {
        let one = produced(version, partition("t", 1), error(Level::Partition));
        assert_eq!(one, [(0, ok, 0, 1), (1, no, -1, 0), (2, ok, 0, 1)], "v{version}");
        for level in [Level::Top, Level::Topic] {
            let all = produced(version, Select { topic: Some("t".into()), ..Select::default() }, error(level));
            assert_eq!(all, [(0, no, -1, 0), (1, no, -1, 0), (2, no, -1, 0)], "v{version} {level:?}");
        }
        let lie = produced(version, partition("t", 2), after(Level::Partition));
        assert_eq!(lie, [(0, ok, 0, 1), (1, ok, 0, 1), (2, no, -1, 1)], "v{version}");
    }
}

#[test]
fn a_produce_that_wants_no_answer_is_hung_up_on() {
    let (mut world, connection) = world();
    arm(&mut world, Select::api(ApiKey::Produce), When::Once, error(Level::Partition));
    let records = Batch::of(1).bytes();
    let request = ProduceRequest { acks: 0, ..produce("t", Uuid::ZERO, 0, &records) };
    world.send(connection, frame(9, &request));
    assert!(world.closed(connection));
    assert_eq!(world.cluster.log_end("t", 0), Some(0));
}

fn fill(world: &mut World) {
    for partition in 0..3 {
        world.cluster.append_batch("t", partition, Batch::of(2).bytes()).unwrap();
    }
}

/// What a Fetch gave: error, partitions with theirs, and how many batches each brought.
fn fetched(bytes: &[u8], version: i16) -> (ErrorCode, Vec<(i32, ErrorCode, usize)>) {
    let reply: FetchResponse<'_> = body(ApiKey::Fetch, version, bytes);
    let partitions = reply.responses.iter().flat_map(|topic| &topic.partitions);
    let partitions = partitions.map(|data| {
        let batches = match data.records {
            Some(Records::Bytes(bytes)) => BatchIter::new(bytes).count(),
            _ => 0,
        };
        (data.partition_index, ErrorCode(data.error_code), batches)
    });
    let mut partitions: Vec<_> = partitions.collect();
    partitions.sort_unstable_by_key(|(partition, ..)| *partition);
    (ErrorCode(reply.error_code), partitions)
}

#[test]
fn fetches_fail_whole_or_by_partition() {
    let (ok, no) = (ErrorCode::NONE, CODE);
    for version in [4, 7, 11, 12, 13, 18] {
        let (mut world, connection) = world();
        fill(&mut world);
        let topic_id = if version >= 13 { id(&world, "t") } else { Uuid::ZERO };
        let request = fetch(if version >= 13 { "" } else { "t" }, topic_id, &[(0, 0), (1, 0), (2, 0)]);
        arm(&mut world, partition("t", 1), When::Once, error(Level::Partition));
        let bytes = world.ask(connection, version, &request);
        assert_eq!(fetched(&bytes, version), (ok, vec![(0, ok, 1), (1, no, 0), (2, ok, 1)]), "v{version}");
        arm(&mut world, Select::api(ApiKey::Fetch), When::Once, error(Level::Top));
        let bytes = world.ask(connection, version, &request);
        let expected = if version >= 7 { (no, vec![]) } else { (ok, vec![(0, no, 0), (1, no, 0), (2, no, 0)]) };
        assert_eq!(fetched(&bytes, version), expected, "v{version}");
        let bytes = world.ask(connection, version, &request);
        assert_eq!(fetched(&bytes, version).1.len(), 3);
    }
}

#[test]
fn a_fetch_with_an_error_does_not_wait() {
    let (mut world, connection) = world();
    arm(&mut world, partition("t", 1), When::Once, error(Level::Partition));
    let request = FetchRequest { max_wait_ms: 5_000, min_bytes: 1, ..fetch("t", Uuid::ZERO, &[(1, 0)]) };
    let bytes = world.ask(connection, 12, &request);
    assert_eq!(fetched(&bytes, 12), (ErrorCode::NONE, vec![(1, CODE, 0)]));
    world.send(connection, frame(12, &request));
    assert_eq!(world.take(connection), None);
}

#[test]
fn partitions_of_a_fetch_session_are_selected_though_no_request_names_them() {
    let (mut world, connection) = world();
    let whole = FetchRequest { session_epoch: 0, ..fetch("t", Uuid::ZERO, &[(0, 0), (1, 0)]) };
    let bytes = world.ask(connection, 12, &whole);
    let session_id = body::<FetchResponse<'_>>(ApiKey::Fetch, 12, &bytes).session_id;
    assert_ne!(session_id, 0);
    let id = arm(&mut world, partition("t", 1), When::Once, error(Level::Partition));
    let next = |session_epoch| FetchRequest { session_id, session_epoch, ..fetch("t", Uuid::ZERO, &[]) };
    let mut quiet = next(1);
    quiet.topics.clear();
    let bytes = world.ask(connection, 12, &quiet);
    assert_eq!(fetched(&bytes, 12), (ErrorCode::NONE, vec![(1, CODE, 0)]));
    assert_eq!(world.cluster.fired(id), 1);
    fill(&mut world);
    let mut after = next(2);
    after.topics.clear();
    let bytes = world.ask(connection, 12, &after);
    let ok = ErrorCode::NONE;
    assert_eq!(fetched(&bytes, 12), (ok, vec![(0, ok, 1), (1, ok, 1)]), "nothing was lost by it");
}

fn checks(world: &mut World, connection: ConnectionId, partitions: &[(i32, i64)]) -> Vec<Vec<bool>> {
    let bytes = world.ask(connection, 12, &fetch("t", Uuid::ZERO, partitions));
    let reply: FetchResponse<'_> = body(ApiKey::Fetch, 12, &bytes);
    let check = |records: Option<Records<'_>>| match records {
        Some(Records::Bytes(bytes)) => {
            let batches = BatchIter::new(bytes).map(Result::unwrap);
            batches.map(|(range, header)| check_crc(&header, &bytes[range])).collect()
        }
        _ => Vec::new(),
    };
    reply.responses[0].partitions.iter().map(|data| check(data.records)).collect()
}

#[test]
fn a_bit_of_the_first_batch_is_wrong_once_and_the_log_is_whole() {
    let (mut world, connection) = world();
    let id = arm(&mut world, partition("t", 1), When::Once, Action::CorruptCrc);
    assert_eq!(checks(&mut world, connection, &[(0, 0), (1, 0)]), [[], []] as [[bool; 0]; 2]);
    assert_eq!(world.cluster.fired(id), 0, "it waits for records");
    fill(&mut world);
    fill(&mut world);
    let both = [(0, 0), (1, 0)];
    assert_eq!(checks(&mut world, connection, &both), [[true, true], [false, true]]);
    assert_eq!(world.cluster.fired(id), 1);
    assert_eq!(checks(&mut world, connection, &both), [[true, true], [true, true]]);
}

#[test]
fn offsets_are_not_listed() {
    let (mut world, connection) = world();
    for version in [1, 4, 7, 11] {
        arm(&mut world, partition("t", 1), When::Once, error(Level::Partition));
        let partition = |partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
        let topics = vec![ListOffsetsTopic { name: "t", partitions: vec![partition(0), partition(1)] }];
        let bytes =
            world.ask(connection, version, &ListOffsetsRequest { replica_id: -1, topics, ..Default::default() });
        let reply: ListOffsetsResponse<'_> = body(ApiKey::ListOffsets, version, &bytes);
        let partitions = reply.topics.iter().flat_map(|topic| &topic.partitions);
        let mut all: Vec<_> =
            partitions.map(|data| (data.partition_index, ErrorCode(data.error_code), data.offset)).collect();
        all.sort_unstable_by_key(|(partition, ..)| *partition);
        assert_eq!(all, [(0, ErrorCode::NONE, 0), (1, CODE, -1)], "v{version}");
    }
}

#[test]
fn the_ends_of_epochs_are_not_told() {
    let (mut world, connection) = world();
    for version in 2..=4 {
        arm(&mut world, partition("t", 1), When::Once, error(Level::Partition));
        let partition = |partition| OffsetForLeaderPartition { partition, leader_epoch: 0, ..Default::default() };
        let topics = vec![OffsetForLeaderTopic { topic: "t", partitions: vec![partition(0), partition(1)] }];
        let bytes = world.ask(connection, version, &OffsetForLeaderEpochRequest { replica_id: -1, topics });
        let reply: OffsetForLeaderEpochResponse<'_> = body(ApiKey::OffsetForLeaderEpoch, version, &bytes);
        let partitions = reply.topics.iter().flat_map(|topic| &topic.partitions);
        let all: Vec<_> =
            partitions.map(|told| (told.partition, ErrorCode(told.error_code), told.end_offset)).collect();
        assert_eq!(all, [(0, ErrorCode::NONE, 0), (1, CODE, -1)], "v{version}");
    }
}
