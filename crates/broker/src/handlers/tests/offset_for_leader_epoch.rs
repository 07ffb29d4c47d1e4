//! OffsetForLeaderEpoch: where epochs end, and who may say so.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

use super::{code, world, world_of};
use crate::machine::ConnectionId;
use crate::scenario::{World, body};
use crate::scenario_records::Batch;
use crate::settings::Settings;

/// Error, epoch, end, of one partition that is asked with the epoch that its leader has, and the epoch in question.
fn ask(
    world: &mut World,
    connection: ConnectionId,
    version: i16,
    (partition, current_leader_epoch, leader_epoch): (i32, i32, i32),
) -> (ErrorCode, i32, i64) {
    let asked = OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch };
    let topics = vec![OffsetForLeaderTopic { topic: "t", partitions: vec![asked] }];
    let bytes = world.ask(connection, version, &OffsetForLeaderEpochRequest { replica_id: -1, topics });
    let response: OffsetForLeaderEpochResponse<'_> = body(ApiKey::OffsetForLeaderEpoch, version, &bytes);
    let [told] = &response.topics[0].partitions[..] else { panic!("{response:?}") };
    assert_eq!((response.topics[0].topic, told.partition), ("t", partition));
    (code(told.error_code), told.leader_epoch, told.end_offset)
}

const NONE: ErrorCode = ErrorCode::NONE;

#[test]
fn an_epoch_ends_where_the_next_one_began() {
    for version in 2..=4 {
        let (mut world, connection, _) = world();
        let leader = world.cluster.topics().by_name("t").unwrap().partition(0).unwrap().leader();
        // Epoch 0: offsets 0 to 2; 1: none; 2: 3 and 4; 3: none yet.
        world.cluster.append_batch("t", 0, Batch::of(3).bytes()).unwrap();
        world.cluster.lead("t", 0, leader);
        world.cluster.lead("t", 0, leader);
        world.cluster.append_batch("t", 0, Batch::of(2).bytes()).unwrap();
        world.cluster.lead("t", 0, leader);
        for (epoch, expected) in [(0, (0, 3)), (1, (0, 3)), (2, (2, 5)), (3, (3, 5)), (4, (-1, -1)), (-1, (-1, -1))] {
            let told = ask(&mut world, connection, version, (0, 3, epoch));
            assert_eq!(told, (NONE, expected.0, expected.1), "v{version} {epoch}");
        }
    }
}

#[test]
fn unknown_partitions_other_leaders_and_epochs_are_told() {
    let (mut world, connection, _) = world_of(Settings { brokers: 2, ..Settings::default() });
    for (partition, epoch, expected) in [
        (0, -1, NONE),
        (0, 0, NONE),
        (0, 1, ErrorCode::UNKNOWN_LEADER_EPOCH),
        (1, -1, ErrorCode::NOT_LEADER_OR_FOLLOWER),
        (2, -1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        let told = ask(&mut world, connection, 4, (partition, epoch, 0));
        assert_eq!(told, if expected == NONE { (NONE, 0, 0) } else { (expected, -1, -1) });
    }
    let leader = world.cluster.topics().by_name("t").unwrap().partition(0).unwrap().leader();
    world.cluster.lead("t", 0, leader);
    assert_eq!(ask(&mut world, connection, 4, (0, 0, 0)), (ErrorCode::FENCED_LEADER_EPOCH, -1, -1));
}
