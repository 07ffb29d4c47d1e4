//! ListOffsets: ends, times, fences.

use ottla_protocol::api::ApiKey;
use ottla_protocol::compression::Codec;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};

use super::{code, world, world_of};
use crate::machine::ConnectionId;
use crate::scenario::{World, body};
use crate::scenario_records::{Batch, TIME};
use crate::settings::Settings;

fn request(timestamp: i64) -> ListOffsetsRequest<'static> {
    let partition = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
    let topics = vec![ListOffsetsTopic { name: "t", partitions: vec![partition] }];
    ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() }
}

/// Error, offset, timestamp, leader epoch.
fn ask(
    world: &mut World,
    connection: ConnectionId,
    version: i16,
    request: &ListOffsetsRequest<'_>,
) -> (ErrorCode, i64, i64, i32) {
    let bytes = world.ask(connection, version, request);
    let response: ListOffsetsResponse<'_> = body(ApiKey::ListOffsets, version, &bytes);
    let [partition] = &response.topics[0].partitions[..] else { panic!("{response:?}") };
    (code(partition.error_code), partition.offset, partition.timestamp, partition.leader_epoch)
}

const NONE: ErrorCode = ErrorCode::NONE;

#[test]
fn ends_and_times_in_every_version() {
    for version in 1..=11 {
        let (mut world, connection, _) = world();
        // Times 0, 10, 20 | 5 | 30, 40.
        for (codec, count, from) in [(Codec::None, 3, 0), (Codec::Gzip, 1, 5), (Codec::Zstd, 2, 30)] {
            let batch = Batch { codec, step_ms: 10, base_timestamp: TIME + from, ..Batch::of(count) };
            world.cluster.append_batch("t", 0, batch.bytes()).unwrap();
        }
        let epoch = if version >= 4 { 0 } else { -1 };
        let mut cases = vec![
            (-1, (NONE, 6, -1, epoch)),
            (-2, (NONE, 0, -1, epoch)),
            (0, (NONE, 0, TIME, epoch)),
            (TIME + 5, (NONE, 1, TIME + 10, epoch)),
            (TIME + 20, (NONE, 2, TIME + 20, epoch)),
            (TIME + 21, (NONE, 4, TIME + 30, epoch)),
            (TIME + 40, (NONE, 5, TIME + 40, epoch)),
            (TIME + 41, (NONE, -1, -1, -1)),
        ];
        let unsupported = (ErrorCode::UNSUPPORTED_VERSION, -1, -1, -1);
        cases.push((-3, if version >= 7 { (NONE, 5, TIME + 40, epoch) } else { unsupported }));
        cases.push((-4, if version >= 8 { (NONE, 0, -1, epoch) } else { unsupported }));
        cases.push((-5, if version >= 9 { (NONE, -1, -1, -1) } else { unsupported }));
        cases.push((-6, if version >= 11 { (NONE, -1, -1, -1) } else { unsupported }));
        cases.push((-7, unsupported));
        for (timestamp, expected) in cases {
            assert_eq!(ask(&mut world, connection, version, &request(timestamp)), expected, "v{version} {timestamp}");
        }
    }
}

#[test]
fn the_end_is_the_last_stable_one_for_read_committed() {
    let (mut world, connection, _) = world();
    world.cluster.append_batch("t", 0, Batch::of(2).bytes()).unwrap();
    let open = Batch { base_timestamp: TIME + 9, ..Batch::in_transaction(7, 0, 1) };
    world.cluster.append_batch("t", 0, open.bytes()).unwrap();
    let committed = |timestamp| ListOffsetsRequest { isolation_level: 1, ..request(timestamp) };
    assert_eq!(ask(&mut world, connection, 5, &committed(-1)).1, 2);
    assert_eq!(ask(&mut world, connection, 5, &request(-1)).1, 3);
    assert_eq!(ask(&mut world, connection, 5, &committed(TIME + 9)).1, -1);
    assert_eq!(ask(&mut world, connection, 5, &request(TIME + 9)).1, 2);
}

#[test]
fn of_equal_times_the_first_record_is_found() {
    let (mut world, connection, _) = world();
    for _ in 0..2 {
        world.cluster.append_batch("t", 0, Batch::of(3).bytes()).unwrap();
    }
    assert_eq!(ask(&mut world, connection, 7, &request(-3)).1, 0);
    assert_eq!(ask(&mut world, connection, 7, &request(TIME)).1, 0);
}

#[test]
fn unknown_partitions_other_leaders_and_epochs_are_told() {
    let (mut world, connection, _) = world_of(Settings { brokers: 2, ..Settings::default() });
    let of = |partition_index, current_leader_epoch| {
        let mut request = request(-1);
        request.topics[0].partitions[0].partition_index = partition_index;
        request.topics[0].partitions[0].current_leader_epoch = current_leader_epoch;
        request
    };
    for (partition, epoch, expected) in [
        (0, -1, ErrorCode::NONE),
        (0, 0, ErrorCode::NONE),
        (0, 1, ErrorCode::UNKNOWN_LEADER_EPOCH),
        (1, -1, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (2, -1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        assert_eq!(ask(&mut world, connection, 5, &of(partition, epoch)).0, expected);
    }
    let leader = world.cluster.topics().by_name("t").unwrap().partition(0).unwrap().leader();
    world.cluster.lead("t", 0, leader);
    assert_eq!(ask(&mut world, connection, 5, &of(0, 0)).0, ErrorCode::FENCED_LEADER_EPOCH);
    // The epoch of the next record is the new one at once.
    assert_eq!(ask(&mut world, connection, 5, &of(0, 1)), (ErrorCode::NONE, 0, -1, 1));
    let mut twice = of(0, -1);
    twice.topics[0].partitions.push(ListOffsetsPartition { timestamp: -2, ..ListOffsetsPartition::default() });
    assert_eq!(ask(&mut world, connection, 5, &twice).0, ErrorCode::INVALID_REQUEST);
}
