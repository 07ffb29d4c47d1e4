//! Errors at each level of each API's response.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ottla_protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use ottla_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use ottla_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use ottla_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponse,
};
use ottla_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::faults::arm;
use crate::control::{Action, Level, Select, When};
use crate::machine::ConnectionId;
use crate::scenario::{World, body};
use crate::settings::Settings;

const CODE: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;

pub(super) fn error(level: Level) -> Action {
    Action::Error { code: CODE.0, level }
}

pub(super) fn after(level: Level) -> Action {
    Action::ErrorAfter { code: CODE.0, level }
}

pub(super) fn world() -> (World, ConnectionId) {
    let mut world = World::new(Settings { default_partitions: 3, ..Settings::default() });
    world.cluster.auto_create_topic("t").unwrap();
    world.cluster.auto_create_topic("u").unwrap();
    let connection = world.connect(1);
    (world, connection)
}

pub(super) fn partition(topic: &str, partition: i32) -> Select {
    Select { topic: Some(topic.into()), partition: Some(partition), ..Select::default() }
}

fn commit(version: i16) -> OffsetCommitRequest<'static> {
    let topic = |name| OffsetCommitRequestTopic {
        name,
        partitions: (0..3)
            .map(|partition_index| OffsetCommitRequestPartition {
                partition_index,
                committed_offset: 5,
                committed_metadata: Some(""),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    assert!(version < 10);
    OffsetCommitRequest { group_id: "g", topics: vec![topic("t"), topic("u")], ..Default::default() }
}

/// The partitions of a commit that failed, and those that were kept.
type Committed = (Vec<(String, i32)>, Vec<(String, i32)>);

fn committed(select: Select, action: Action) -> Committed {
    let (mut world, connection) = world();
    let id = arm(&mut world, Select { api: Some(ApiKey::OffsetCommit), ..select }, When::Once, action);
    let bytes = world.ask(connection, 8, &commit(8));
    let reply: OffsetCommitResponse<'_> = body(ApiKey::OffsetCommit, 8, &bytes);
    let all = reply.topics.iter().flat_map(|topic| topic.partitions.iter().map(|data| (topic.name, data)));
    assert_eq!((all.clone().count(), reply.topics.len()), (6, 2), "each once");
    let failed = all.filter(|(_, data)| data.error_code == CODE.0);
    let failed = failed.map(|(name, data)| (name.to_owned(), data.partition_index)).collect();
    assert_eq!(world.cluster.fired(id), 1);
    let kept = world.cluster.group("g").map(|group| {
        let topics = group.offsets.topics();
        let partitions =
            topics.flat_map(|(name, offsets)| offsets.keys().map(move |partition| (name.to_owned(), *partition)));
        partitions.collect()
    });
    (failed, kept.unwrap_or_default())
}

fn names(all: &[(&str, i32)]) -> Vec<(String, i32)> {
    all.iter().map(|(name, partition)| ((*name).to_owned(), *partition)).collect()
}

const EVERY: [(&str, i32); 6] = [("t", 0), ("t", 1), ("t", 2), ("u", 0), ("u", 1), ("u", 2)];

#[test]
fn what_is_refused_is_not_applied_and_the_rest_is() {
    let rest = [("t", 0), ("t", 2), ("u", 0), ("u", 1), ("u", 2)];
    let (failed, kept) = committed(partition("t", 1), error(Level::Partition));
    assert_eq!((failed, kept), (names(&[("t", 1)]), names(&rest)));
    let (failed, kept) = committed(partition("t", 1), error(Level::Topic));
    assert_eq!((failed, kept), (names(&EVERY[..3]), names(&EVERY[3..])));
    // OffsetCommit has no error of its own: all partitions carry it.
    let (failed, kept) = committed(Select::default(), error(Level::Top));
    assert_eq!((failed, kept), (names(&EVERY), Vec::new()));
}

#[test]
fn an_error_after_is_a_lie() {
    let (failed, kept) = committed(partition("t", 1), after(Level::Partition));
    assert_eq!((failed, kept), (names(&[("t", 1)]), names(&EVERY)));
}

fn join(member_id: &str) -> JoinGroupRequest<'_> {
    JoinGroupRequest {
        group_id: "g",
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id,
        protocol_type: "consumer",
        protocols: vec![JoinGroupRequestProtocol { name: "range", metadata: b"" }],
        ..Default::default()
    }
}

#[test]
fn a_join_fails_before_or_after_the_member_is_in() {
    for (action, members) in [(error(Level::Top), 0), (after(Level::Top), 1)] {
        let (mut world, connection) = world();
        let bytes = world.ask(connection, 9, &join(""));
        let id = body::<JoinGroupResponse<'_>>(ApiKey::JoinGroup, 9, &bytes).member_id.to_owned();
        arm(&mut world, Select { group: Some("g".into()), ..Select::api(ApiKey::JoinGroup) }, When::Once, action);
        let bytes = world.ask(connection, 9, &join(&id));
        let reply: JoinGroupResponse<'_> = body(ApiKey::JoinGroup, 9, &bytes);
        assert_eq!((ErrorCode(reply.error_code), reply.generation_id, reply.member_id), (CODE, -1, id.as_str()));
        assert_eq!(world.cluster.group("g").unwrap().members.len(), members);
    }
}

#[test]
fn syncs_and_all_versions_of_joins_can_fail() {
    let (mut world, connection) = world();
    arm(&mut world, Select::default(), When::Always, error(Level::Partition));
    for version in 0..=9 {
        let bytes = world.ask(connection, version, &join("m"));
        let reply: JoinGroupResponse<'_> = body(ApiKey::JoinGroup, version, &bytes);
        assert_eq!(ErrorCode(reply.error_code), CODE, "v{version}");
    }
    for version in 0..=5 {
        let request = SyncGroupRequest { group_id: "g", member_id: "m", ..Default::default() };
        let bytes = world.ask(connection, version, &request);
        let reply: SyncGroupResponse<'_> = body(ApiKey::SyncGroup, version, &bytes);
        assert_eq!(ErrorCode(reply.error_code), CODE, "v{version}");
    }
}

#[test]
fn a_leave_fails_as_a_whole_or_for_one_member() {
    let (mut world, connection) = world();
    let who = |member_id| MemberIdentity { member_id, ..Default::default() };
    let request = LeaveGroupRequest { group_id: "g", members: vec![who("a"), who("b")], ..Default::default() };
    let select = Select { member: Some("b".into()), ..Select::default() };
    arm(&mut world, select, When::Once, error(Level::Member));
    let bytes = world.ask(connection, 5, &request);
    let reply: LeaveGroupResponse<'_> = body(ApiKey::LeaveGroup, 5, &bytes);
    let codes: Vec<_> = reply.members.iter().map(|member| (member.member_id, ErrorCode(member.error_code))).collect();
    assert_eq!((reply.error_code, codes), (0, vec![("a", ErrorCode::UNKNOWN_MEMBER_ID), ("b", CODE)]));
    arm(&mut world, Select::default(), When::Times(2), error(Level::Top));
    let bytes = world.ask(connection, 5, &request);
    let reply: LeaveGroupResponse<'_> = body(ApiKey::LeaveGroup, 5, &bytes);
    assert_eq!((ErrorCode(reply.error_code), reply.members.len()), (CODE, 0));
    let single = LeaveGroupRequest { group_id: "g", member_id: "a", ..Default::default() };
    let bytes = world.ask(connection, 2, &single);
    assert_eq!(body::<LeaveGroupResponse<'_>>(ApiKey::LeaveGroup, 2, &bytes).error_code, CODE.0);
}

#[test]
fn coordinators_are_not_found_by_key_or_at_all() {
    let (mut world, connection) = world();
    let select = Select { group: Some("h".into()), ..Select::default() };
    arm(&mut world, select, When::Once, error(Level::Top));
    let request = FindCoordinatorRequest { coordinator_keys: vec!["g", "h"], ..Default::default() };
    let bytes = world.ask(connection, 6, &request);
    let reply: FindCoordinatorResponse<'_> = body(ApiKey::FindCoordinator, 6, &bytes);
    let found: Vec<_> =
        reply.coordinators.iter().map(|found| (found.key, found.node_id, ErrorCode(found.error_code))).collect();
    assert_eq!(found, [("g", 1, ErrorCode::NONE), ("h", -1, CODE)]);
    arm(&mut world, Select::default(), When::Always, error(Level::Top));
    for version in 0..=3 {
        let bytes = world.ask(connection, version, &FindCoordinatorRequest { key: "g", ..Default::default() });
        let reply: FindCoordinatorResponse<'_> = body(ApiKey::FindCoordinator, version, &bytes);
        assert_eq!((ErrorCode(reply.error_code), reply.node_id, reply.port), (CODE, -1, -1), "v{version}");
    }
}

#[test]
fn offset_fetches_fail_by_group_or_partition_at_every_version() {
    let (mut world, connection) = world();
    for level in [Level::Top, Level::Partition] {
        arm(&mut world, partition("t", 1), When::Always, error(level));
        for version in 1..=9 {
            let single = OffsetFetchRequestTopic { name: "t", partition_indexes: vec![0, 1] };
            let many = OffsetFetchRequestTopics { name: "t", partition_indexes: vec![0, 1], ..Default::default() };
            let request = if version < 8 {
                OffsetFetchRequest { group_id: "g", topics: Some(vec![single]), ..Default::default() }
            } else {
                let group = OffsetFetchRequestGroup { group_id: "g", topics: Some(vec![many]), ..Default::default() };
                OffsetFetchRequest { groups: vec![group], ..Default::default() }
            };
            let bytes = world.ask(connection, version, &request);
            let reply: OffsetFetchResponse<'_> = body(ApiKey::OffsetFetch, version, &bytes);
            let group = reply.groups.first().map_or(reply.error_code, |group| group.error_code);
            let single = reply.topics.iter().flat_map(|topic| &topic.partitions);
            let single = single.map(|data| (data.partition_index, ErrorCode(data.error_code)));
            let many = reply.groups.iter().flat_map(|group| &group.topics).flat_map(|topic| &topic.partitions);
            let many = many.map(|data| (data.partition_index, ErrorCode(data.error_code)));
            let partitions: Vec<_> = single.chain(many).collect();
            if level == Level::Top && version >= 2 {
                assert_eq!((ErrorCode(group), partitions), (CODE, vec![]), "v{version}");
            } else {
                assert_eq!((group, partitions), (0, vec![(0, ErrorCode::NONE), (1, CODE)]), "v{version}");
            }
        }
        world.cluster.clear_faults();
    }
}

#[test]
fn metadata_fails_whole_by_topic_or_by_partition() {
    let (mut world, connection) = world();
    let ask = |world: &mut World, version: i16, level| {
        arm(world, partition("t", 1), When::Once, error(level));
        let topics = (version > 0).then_some(()).map_or(Some(Vec::new()), |()| None);
        let bytes = world.ask(connection, version, &MetadataRequest { topics, ..Default::default() });
        let reply: MetadataResponse<'_> = body(ApiKey::Metadata, version, &bytes);
        let topics: Vec<_> = reply
            .topics
            .iter()
            .map(|topic| {
                let failed = topic.partitions.iter().filter(|data| data.error_code != 0);
                let failed: Vec<_> = failed.map(|data| (data.partition_index, data.leader_id)).collect();
                (topic.name.unwrap().to_owned(), ErrorCode(topic.error_code), failed, topic.partitions.len())
            })
            .collect();
        (ErrorCode(reply.error_code), topics)
    };
    let other = || ("u".to_owned(), ErrorCode::NONE, vec![], 3);
    for version in 0..=13 {
        let (code, topics) = ask(&mut world, version, Level::Partition);
        let expected = ("t".to_owned(), ErrorCode::NONE, vec![(1, -1)], 3);
        assert_eq!((code, topics), (ErrorCode::NONE, vec![expected, other()]), "v{version}");
        let (code, topics) = ask(&mut world, version, Level::Topic);
        let failed = ("t".to_owned(), CODE, vec![], 0);
        assert_eq!((code, topics), (ErrorCode::NONE, vec![failed.clone(), other()]), "v{version}");
        let expected = if version >= 13 { (CODE, vec![]) } else { (ErrorCode::NONE, vec![failed, other()]) };
        assert_eq!(ask(&mut world, version, Level::Top), expected, "v{version}");
    }
}

#[test]
fn a_leader_is_left_out_of_the_brokers_once() {
    let (mut world, connection) = world();
    let id = arm(&mut world, partition("t", 1), When::Once, Action::UnlistedLeader);
    for (version, names) in [(1, &["u"][..]), (9, &["t"]), (13, &["u", "t"])] {
        let topics = names.iter().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() }).collect();
        let bytes = world.ask(connection, version, &MetadataRequest { topics: Some(topics), ..Default::default() });
        let reply: MetadataResponse<'_> = body(ApiKey::Metadata, version, &bytes);
        let leader =
            reply.topics.iter().find(|topic| topic.name == Some("t")).map(|topic| topic.partitions[1].leader_id);
        let listed = leader.map(|leader| reply.brokers.iter().any(|broker| broker.node_id == leader));
        let (expected, fired) = match version {
            1 => (None, 0),
            9 => (Some(false), 1),
            _ => (Some(true), 1),
        };
        assert_eq!((listed, world.cluster.fired(id)), (expected, fired), "v{version}");
    }
}
