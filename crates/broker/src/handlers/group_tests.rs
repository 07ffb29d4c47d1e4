//! The group APIs through frames, at every version that is served.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ottla_protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use ottla_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use ottla_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponse,
};
use ottla_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use ottla_protocol::primitives::Uuid;

use super::served;
use crate::cluster::NewTopic;
use crate::machine::ConnectionId;
use crate::scenario::{World, body, frame};
use crate::settings::Settings;

fn join<'a>(version: i16, group_id: &'a str, member_id: &'a str) -> JoinGroupRequest<'a> {
    JoinGroupRequest {
        group_id,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: if version == 0 { -1 } else { 60_000 },
        member_id,
        protocol_type: "consumer",
        protocols: vec![JoinGroupRequestProtocol { name: "range", metadata: b"m" }],
        ..Default::default()
    }
}

fn joined(world: &mut World, connection: ConnectionId, version: i16) -> (ErrorCode, i32, String, usize) {
    let bytes = world.take(connection).expect("joined");
    let reply: JoinGroupResponse<'_> = body(ApiKey::JoinGroup, version, &bytes);
    (ErrorCode(reply.error_code), reply.generation_id, reply.member_id.to_owned(), reply.members.len())
}

/// The id of a new member, and its request where that waits already.
fn come(world: &mut World, connection: ConnectionId, version: i16, group: &str) -> Option<String> {
    world.send(connection, frame(version, &join(version, group, "")));
    if version < 4 {
        return None;
    }
    let (error, _, id, _) = joined(world, connection, version);
    assert_eq!(error, ErrorCode::MEMBER_ID_REQUIRED);
    world.send(connection, frame(version, &join(version, group, &id)));
    Some(id)
}

#[test]
fn two_members_join_sync_and_leave_at_every_version() {
    let (_, newest) = served(ApiKey::JoinGroup).unwrap();
    for version in 0..=newest {
        let sync_version = version.min(5);
        let mut world = World::new(Settings::default());
        let (first, second) = (world.connect(1), world.connect(1));
        come(&mut world, first, version, "g");
        let (error, generation, a, members) = joined(&mut world, first, version);
        assert_eq!((error, generation, members), (ErrorCode::NONE, 1, 1), "v{version}");
        come(&mut world, second, version, "g");
        let heartbeat = HeartbeatRequest { group_id: "g", generation_id: 1, member_id: &a, ..Default::default() };
        let bytes = world.ask(first, version.min(4), &heartbeat);
        let reply: HeartbeatResponse = body(ApiKey::Heartbeat, version.min(4), &bytes);
        assert_eq!(ErrorCode(reply.error_code), ErrorCode::REBALANCE_IN_PROGRESS);
        world.send(first, frame(version, &join(version, "g", &a)));
        let (_, generation, _, members) = joined(&mut world, first, version);
        assert_eq!((generation, members), (2, 2));
        let (error, generation, b, members) = joined(&mut world, second, version);
        assert_eq!((error, generation, members), (ErrorCode::NONE, 2, 0));

        let protocol = (sync_version >= 5).then_some(("consumer", "range"));
        let sync = |member_id, assignments| SyncGroupRequest {
            group_id: "g",
            generation_id: 2,
            member_id,
            group_instance_id: None,
            protocol_type: protocol.map(|(kind, _)| kind),
            protocol_name: protocol.map(|(_, name)| name),
            assignments,
        };
        world.send(second, frame(sync_version, &sync(&b, Vec::new())));
        assert_eq!(world.take(second), None, "the leader has not spoken");
        let given = vec![SyncGroupRequestAssignment { member_id: &b, assignment: b"b's" }];
        let bytes = world.ask(first, sync_version, &sync(&a, given));
        let reply: SyncGroupResponse<'_> = body(ApiKey::SyncGroup, sync_version, &bytes);
        assert_eq!((ErrorCode(reply.error_code), reply.assignment), (ErrorCode::NONE, &b""[..]));
        let bytes = world.take(second).expect("synced");
        let reply: SyncGroupResponse<'_> = body(ApiKey::SyncGroup, sync_version, &bytes);
        assert_eq!((ErrorCode(reply.error_code), reply.assignment), (ErrorCode::NONE, &b"b's"[..]));

        let leave_version = version.min(5);
        let single = leave_version <= 2;
        let leave = |member_id| LeaveGroupRequest {
            group_id: "g",
            member_id: if single { member_id } else { "" },
            members: if single { Vec::new() } else { vec![MemberIdentity { member_id, ..Default::default() }] },
        };
        for (member, expected) in [("x", ErrorCode::UNKNOWN_MEMBER_ID), (a.as_str(), ErrorCode::NONE)] {
            let bytes = world.ask(first, leave_version, &leave(member));
            let reply: LeaveGroupResponse<'_> = body(ApiKey::LeaveGroup, leave_version, &bytes);
            let code = reply.members.first().map_or(reply.error_code, |member| member.error_code);
            assert_eq!((ErrorCode(code), reply.members.len()), (expected, usize::from(!single)), "v{leave_version}");
        }
    }
}

#[test]
fn a_sync_of_version_5_names_its_protocol() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    let request = SyncGroupRequest { group_id: "g", generation_id: 1, member_id: "x", ..Default::default() };
    let bytes = world.ask(connection, 5, &request);
    let reply: SyncGroupResponse<'_> = body(ApiKey::SyncGroup, 5, &bytes);
    assert_eq!(ErrorCode(reply.error_code), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
}

#[test]
fn a_parked_join_blocks_what_is_behind_it_and_nothing_else() {
    let mut world = World::new(Settings { group_initial_rebalance_delay_ms: 3_000, ..Settings::default() });
    let (parked, other) = (world.connect(1), world.connect(1));
    come(&mut world, parked, 9, "g");
    let find = FindCoordinatorRequest { key: "g", ..Default::default() };
    world.send(parked, frame(2, &find));
    assert_eq!(world.take(parked), None);
    world.ask(other, 2, &find);
    world.pass_ms(3_000);
    assert_eq!(joined(&mut world, parked, 9).1, 1);
    assert!(world.take(parked).is_some());
}

#[test]
fn a_member_that_disconnects_stays_until_its_session_ends() {
    let mut world = World::new(Settings { group_initial_rebalance_delay_ms: 1_000, ..Settings::default() });
    let connection = world.connect(1);
    come(&mut world, connection, 9, "g");
    world.cluster.disconnected(world.now, connection);
    world.pass_ms(1_000);
    assert_eq!(world.cluster.groups.snapshot("g").unwrap().members.len(), 1);
    assert!(world.cluster.group_replies.is_empty());
    world.pass_ms(10_000);
    assert_eq!(world.cluster.groups.snapshot("g").unwrap().members.len(), 0);
}

#[test]
fn coordinators_are_found_at_every_version() {
    let mut world = World::new(Settings { brokers: 3, ..Settings::default() });
    let connection = world.connect(1);
    let mut homes = Vec::new();
    for version in 0..=6 {
        let many = version >= 4;
        let request = FindCoordinatorRequest {
            key: if many { "" } else { "g" },
            key_type: 0,
            coordinator_keys: if many { vec!["g", "h"] } else { Vec::new() },
        };
        let bytes = world.ask(connection, version, &request);
        let reply: FindCoordinatorResponse<'_> = body(ApiKey::FindCoordinator, version, &bytes);
        if many {
            assert_eq!(reply.coordinators.len(), 2);
            homes.push((reply.coordinators[0].node_id, reply.coordinators[0].port));
        } else {
            assert_eq!(reply.error_message, Some(if version >= 1 { "NONE" } else { "" }));
            homes.push((reply.node_id, reply.port));
        }
    }
    assert!(homes.iter().all(|home| *home == homes[0] && home.1 == 9091 + home.0), "{homes:?}");
    for (version, key_type) in [(5, 2), (6, 2), (6, 7), (3, 7)] {
        let request = FindCoordinatorRequest {
            key_type,
            coordinator_keys: if version >= 4 { vec!["k"] } else { Vec::new() },
            ..Default::default()
        };
        let bytes = world.ask(connection, version, &request);
        let reply: FindCoordinatorResponse<'_> = body(ApiKey::FindCoordinator, version, &bytes);
        let code = reply.coordinators.first().map_or(reply.error_code, |found| found.error_code);
        assert_eq!(ErrorCode(code), ErrorCode::INVALID_REQUEST);
    }
}

#[test]
fn the_wrong_broker_says_so() {
    let mut world = World::new(Settings { brokers: 2, ..Settings::default() });
    let home = world.cluster.groups.coordinator(crate::groups::CoordinatorType::Group, "g").unwrap();
    let connection = world.connect(3 - home);
    world.send(connection, frame(9, &join(9, "g", "")));
    assert_eq!(joined(&mut world, connection, 9).0, ErrorCode::NOT_COORDINATOR);
}

fn commit<'a>(topics: &[(&'a str, Uuid, i32)]) -> OffsetCommitRequest<'a> {
    let topics = topics.iter().map(|(name, topic_id, partition_index)| OffsetCommitRequestTopic {
        name,
        topic_id: *topic_id,
        partitions: vec![OffsetCommitRequestPartition {
            partition_index: *partition_index,
            committed_offset: 7,
            committed_metadata: Some("note"),
            ..Default::default()
        }],
    });
    OffsetCommitRequest { group_id: "g", topics: topics.collect(), ..Default::default() }
}

#[test]
fn offsets_are_committed_and_fetched_at_every_version() {
    for (commit_version, fetch_version) in (2..=10).map(|version| (version, version)).chain([(2, 1)]) {
        let mut world = World::new(Settings::default());
        let connection = world.connect(1);
        let id = world.cluster.make_topic("t", NewTopic { partitions: Some(2), ..NewTopic::default() }).unwrap();
        let (other, by_id) = (Uuid([9; 16]), commit_version >= 10);
        let request = if by_id {
            commit(&[("", other, 0), ("", id, 1), ("", id, 5)])
        } else {
            commit(&[("other", Uuid::default(), 0), ("t", Uuid::default(), 1), ("t", Uuid::default(), 5)])
        };
        let bytes = world.ask(connection, commit_version, &request);
        let reply: OffsetCommitResponse<'_> = body(ApiKey::OffsetCommit, commit_version, &bytes);
        let mut codes: Vec<_> = reply
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |partition| (topic.name, topic.topic_id, partition)))
            .map(|(name, id, partition)| (name, id, partition.partition_index, ErrorCode(partition.error_code)))
            .collect();
        codes.sort_by_key(|(.., partition, _)| *partition);
        let (unknown, name) = if by_id {
            (ErrorCode::UNKNOWN_TOPIC_ID, ["", "", ""])
        } else {
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ["other", "t", "t"])
        };
        let ids = if by_id { [other, id, id] } else { [Uuid::default(); 3] };
        let expected = [
            (name[0], ids[0], 0, unknown),
            (name[1], ids[1], 1, ErrorCode::NONE),
            (name[2], ids[2], 5, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ];
        assert_eq!(codes, expected, "v{commit_version}");

        for every in [false, true] {
            if every && fetch_version < 2 {
                continue;
            }
            let request = fetch(fetch_version, every, id);
            let bytes = world.ask(connection, fetch_version, &request);
            let reply: OffsetFetchResponse<'_> = body(ApiKey::OffsetFetch, fetch_version, &bytes);
            let offsets = flat(&reply);
            let expected = if every { vec![(1, 7, "note")] } else { vec![(0, -1, ""), (1, 7, "note")] };
            assert_eq!(offsets, expected, "v{fetch_version}");
        }
    }
}

fn fetch<'a>(version: i16, every: bool, id: Uuid) -> OffsetFetchRequest<'a> {
    if version < 8 {
        let topic = OffsetFetchRequestTopic { name: "t", partition_indexes: vec![0, 1] };
        return OffsetFetchRequest {
            group_id: "g",
            topics: (!every).then(|| vec![topic]),
            require_stable: version >= 7,
            ..Default::default()
        };
    }
    let (name, topic_id) = if version >= 10 { ("", id) } else { ("t", Uuid::default()) };
    let topic = OffsetFetchRequestTopics { name, topic_id, partition_indexes: vec![0, 1] };
    let group = OffsetFetchRequestGroup { group_id: "g", topics: (!every).then(|| vec![topic]), ..Default::default() };
    OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() }
}

fn flat<'a>(reply: &OffsetFetchResponse<'a>) -> Vec<(i32, i64, &'a str)> {
    let single = reply.topics.iter().flat_map(|topic| &topic.partitions);
    let single =
        single.map(|partition| (partition.partition_index, partition.committed_offset, partition.metadata.unwrap()));
    let many = reply.groups.iter().flat_map(|group| &group.topics).flat_map(|topic| &topic.partitions);
    let many =
        many.map(|partition| (partition.partition_index, partition.committed_offset, partition.metadata.unwrap()));
    single.chain(many).collect()
}

#[test]
fn errors_of_an_offset_fetch_stand_where_the_version_has_room_for_them() {
    let mut world = World::new(Settings { brokers: 2, ..Settings::default() });
    let home = world.cluster.groups.coordinator(crate::groups::CoordinatorType::Group, "g").unwrap();
    let connection = world.connect(3 - home);
    for version in 1..=10 {
        let bytes = world.ask(connection, version, &fetch(version, false, Uuid::default()));
        let reply: OffsetFetchResponse<'_> = body(ApiKey::OffsetFetch, version, &bytes);
        let code = match version {
            1 => reply.topics[0].partitions[1].error_code,
            2..=7 => reply.error_code,
            _ => reply.groups[0].error_code,
        };
        assert_eq!(ErrorCode(code), ErrorCode::NOT_COORDINATOR, "v{version}");
        assert_eq!(flat(&reply).len(), if version == 1 { 2 } else { 0 });
    }
}

#[test]
fn a_topic_id_that_nobody_knows_comes_last() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    let id = world.cluster.make_topic("t", NewTopic::default()).unwrap();
    let topic = |topic_id| OffsetFetchRequestTopics { name: "", topic_id, partition_indexes: vec![0] };
    let topics = Some(vec![topic(Uuid([9; 16])), topic(id)]);
    let groups = vec![OffsetFetchRequestGroup { group_id: "g", topics, ..Default::default() }];
    let bytes = world.ask(connection, 10, &OffsetFetchRequest { groups, ..Default::default() });
    let reply: OffsetFetchResponse<'_> = body(ApiKey::OffsetFetch, 10, &bytes);
    let topics: Vec<_> = reply.groups[0]
        .topics
        .iter()
        .map(|topic| (topic.topic_id, ErrorCode(topic.partitions[0].error_code)))
        .collect();
    assert_eq!(topics, [(id, ErrorCode::NONE), (Uuid([9; 16]), ErrorCode::UNKNOWN_TOPIC_ID)]);
}
