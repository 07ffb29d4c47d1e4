//! Brokers die and come back, leaders and coordinators move.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use ottla_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};

use crate::control::MoveError;
use crate::scenario::{World, body, frame};
use crate::settings::Settings;

fn three() -> World {
    World::new(Settings { brokers: 3, ..Settings::default() })
}

fn heartbeat(world: &mut World, node: i32) -> ErrorCode {
    let connection = world.connect(node);
    let request = HeartbeatRequest { group_id: "g", generation_id: 1, member_id: "m", ..Default::default() };
    let bytes = world.ask(connection, 4, &request);
    let reply: HeartbeatResponse = body(ApiKey::Heartbeat, 4, &bytes);
    ErrorCode(reply.error_code)
}

#[test]
fn a_killed_broker_hangs_up_and_others_lead() {
    let mut world = three();
    world.cluster.auto_create_topic("t").unwrap();
    let leader = |world: &World| {
        let partition = world.cluster.topics().by_name("t").unwrap().partition(0).unwrap();
        (partition.leader(), partition.leader_epoch())
    };
    let (first, epoch) = leader(&world);
    let first = first.unwrap();
    let (gone, stays) = (world.connect(first), world.connect(first % 3 + 1));
    assert!(world.cluster.kill(world.now, first));
    assert!(!world.cluster.kill(world.now, first), "it is dead already");
    world.settle();
    assert!(world.closed(gone) && !world.closed(stays));
    assert_eq!(world.listening.last(), Some(&(first, false)));
    let (second, next) = leader(&world);
    assert!(second.is_some_and(|second| second != first) && next == epoch + 1);
    let refused = world.connect(first);
    assert!(world.closed(refused));
    assert!(world.cluster.start(world.now, first));
    assert!(!world.cluster.start(world.now, first));
    world.settle();
    assert_eq!(world.listening.last(), Some(&(first, true)));
    assert_eq!(leader(&world), (second, next), "it does not take back what it lost");
    assert!(world.cluster.move_leader(world.now, "t", 0, first).is_ok());
    assert_eq!(leader(&world), (Some(first), next + 1));
}

#[test]
fn with_all_brokers_dead_nobody_leads_until_one_starts() {
    let mut world = three();
    world.cluster.auto_create_topic("t").unwrap();
    for node in 1..=3 {
        world.cluster.kill(world.now, node);
    }
    let leader = |world: &World| world.cluster.topics().by_name("t").unwrap().partition(0).unwrap().leader();
    assert_eq!((leader(&world), world.cluster.coordinator("g")), (None, None));
    world.cluster.start(world.now, 2);
    assert_eq!((leader(&world), world.cluster.coordinator("g")), (Some(2), Some(2)));
}

#[test]
fn what_cannot_be_moved_says_why() {
    let mut world = three();
    world.cluster.auto_create_topic("t").unwrap();
    world.cluster.kill(world.now, 2);
    let mut to = |topic: &str, partition, node| world.cluster.move_leader(world.now, topic, partition, node);
    assert_eq!(to("u", 0, 1), Err(MoveError::UnknownPartition { topic: "u".into(), partition: 0 }));
    assert_eq!(to("t", 9, 1), Err(MoveError::UnknownPartition { topic: "t".into(), partition: 9 }));
    assert_eq!(to("t", 0, 2), Err(MoveError::NotAlive { node: 2 }));
    assert!(matches!(to("t", 0, 7), Err(MoveError::NotReplica { node: 7, .. })));
    assert_eq!(world.cluster.move_coordinator(world.now, "g", 2), Err(MoveError::NotAlive { node: 2 }));
}

#[test]
fn a_group_goes_with_its_coordinator() {
    let mut world = three();
    let home = world.cluster.coordinator("g").unwrap();
    let other = home % 3 + 1;
    assert_eq!(heartbeat(&mut world, home), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(heartbeat(&mut world, other), ErrorCode::NOT_COORDINATOR);
    world.cluster.move_coordinator(world.now, "g", other).unwrap();
    assert_eq!(world.cluster.coordinator("g"), Some(other));
    assert_eq!(heartbeat(&mut world, home), ErrorCode::NOT_COORDINATOR);
    assert_eq!(heartbeat(&mut world, other), ErrorCode::UNKNOWN_MEMBER_ID);
    world.cluster.kill(world.now, other);
    let third = world.cluster.coordinator("g").unwrap();
    assert_ne!(third, other);
    assert_eq!(heartbeat(&mut world, third), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_parked_member_is_sent_to_the_new_coordinator() {
    let mut world =
        World::new(Settings { brokers: 2, group_initial_rebalance_delay_ms: 60_000, ..Settings::default() });
    let home = world.cluster.coordinator("g").unwrap();
    let (first, second) = (world.connect(home), world.connect(home));
    for connection in [first, second] {
        let join = |member_id| JoinGroupRequest {
            group_id: "g",
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            member_id,
            protocol_type: "consumer",
            protocols: vec![JoinGroupRequestProtocol { name: "range", metadata: b"" }],
            ..Default::default()
        };
        let bytes = world.ask(connection, 9, &join(""));
        let id = body::<JoinGroupResponse<'_>>(ApiKey::JoinGroup, 9, &bytes).member_id.to_owned();
        world.send(connection, frame(9, &join(&id)));
        assert_eq!(world.take(connection), None);
    }
    world.cluster.disconnected(world.now, second);
    world.cluster.move_coordinator(world.now, "g", 3 - home).unwrap();
    world.settle();
    let bytes = world.take(first).unwrap();
    let reply: JoinGroupResponse<'_> = body(ApiKey::JoinGroup, 9, &bytes);
    assert_eq!(ErrorCode(reply.error_code), ErrorCode::NOT_COORDINATOR);
    assert!(world.cluster.group_replies.is_empty());
    assert_eq!(world.cluster.group("g").unwrap().members.len(), 0);
}

#[test]
fn a_loading_coordinator_says_so_for_a_while() {
    let mut world = three();
    let home = world.cluster.coordinator("g").unwrap();
    world.cluster.load_coordinator(world.now, "g", 100);
    let connection = world.connect(home);
    let join = JoinGroupRequest { group_id: "g", session_timeout_ms: 10_000, ..Default::default() };
    let code = |world: &mut World| {
        let bytes = world.ask(connection, 9, &join);
        ErrorCode(body::<JoinGroupResponse<'_>>(ApiKey::JoinGroup, 9, &bytes).error_code)
    };
    assert_eq!(code(&mut world), ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    world.pass_ms(99);
    assert_eq!(code(&mut world), ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    world.pass_ms(1);
    assert_eq!(code(&mut world), ErrorCode::INCONSISTENT_GROUP_PROTOCOL, "it offers no protocol");
}
