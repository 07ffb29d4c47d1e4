//! When faults take hold, and what becomes of requests and answers.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use ottla_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};

use crate::control::{Action, Fault, FaultId, Level, Select, When};
use crate::machine::ConnectionId;
use crate::scenario::{World, body, frame};
use crate::settings::Settings;

pub(super) fn arm(world: &mut World, select: Select, when: When, action: Action) -> FaultId {
    world.cluster.arm(Fault { select, when, action })
}

const REFUSED: Action = Action::Error { code: ErrorCode::NOT_COORDINATOR.0, level: Level::Top };

fn heartbeat(world: &mut World, connection: ConnectionId, group_id: &str) -> ErrorCode {
    let request = HeartbeatRequest { group_id, generation_id: 1, member_id: "m", ..Default::default() };
    let bytes = world.ask(connection, 4, &request);
    let reply: HeartbeatResponse = body(ApiKey::Heartbeat, 4, &bytes);
    ErrorCode(reply.error_code)
}

/// Which of ten heartbeats were refused by the fault.
fn pattern(when: When) -> (Vec<usize>, u64) {
    let mut world = World::new(Settings { seed: 3, ..Settings::default() });
    let connection = world.connect(1);
    let id = arm(&mut world, Select::api(ApiKey::Heartbeat), when, REFUSED);
    let hit = |world: &mut World| heartbeat(world, connection, "g") == ErrorCode::NOT_COORDINATOR;
    let hits: Vec<usize> = (1..=10).filter(|_| hit(&mut world)).collect();
    let fired = world.cluster.fired(id);
    (hits, fired)
}

#[test]
fn faults_take_hold_when_they_say() {
    assert_eq!(pattern(When::Once), (vec![1], 1));
    assert_eq!(pattern(When::Nth(4)), (vec![4], 1));
    assert_eq!(pattern(When::Times(3)), (vec![1, 2, 3], 3));
    assert_eq!(pattern(When::Every(4)), (vec![4, 8], 2));
    assert_eq!(pattern(When::Always), ((1..=10).collect(), 10));
    assert_eq!(pattern(When::Probability(0.0)), (vec![], 0));
    assert_eq!(pattern(When::Probability(1.0)).1, 10);
    let some = pattern(When::Probability(0.5));
    assert!((1..10).contains(&some.1), "{some:?}");
    assert_eq!(pattern(When::Probability(0.5)), some, "one seed, one run");
}

#[test]
fn faults_are_for_what_they_select() {
    let mut world = World::new(Settings { brokers: 2, ..Settings::default() });
    let (first, second) = (world.connect(1), world.connect(2));
    let home = world.cluster.coordinator("g").unwrap();
    let at_home = if home == 1 { first } else { second };
    for (select, hits) in [
        (Select { group: Some("g".into()), ..Select::default() }, true),
        (Select { group: Some("h".into()), ..Select::default() }, false),
        (Select { member: Some("m".into()), ..Select::default() }, true),
        (Select { member: Some("n".into()), ..Select::default() }, false),
        (Select { client_id: Some("test".into()), ..Select::default() }, true),
        (Select { client_id: Some("other".into()), ..Select::default() }, false),
        (Select { node: Some(home), ..Select::default() }, true),
        (Select { node: Some(3 - home), ..Select::default() }, false),
        (Select::api(ApiKey::Heartbeat), true),
        (Select::api(ApiKey::JoinGroup), false),
        (Select { topic: Some("t".into()), ..Select::default() }, false),
        (Select { transactional_id: Some("x".into()), ..Select::default() }, false),
    ] {
        let id = arm(&mut world, select.clone(), When::Once, REFUSED);
        let code = heartbeat(&mut world, at_home, "g");
        let expected = if hits { ErrorCode::NOT_COORDINATOR } else { ErrorCode::UNKNOWN_MEMBER_ID };
        assert_eq!((code, world.cluster.fired(id)), (expected, u64::from(hits)), "{select:?}");
        assert_eq!(world.cluster.unfired().len(), usize::from(!hits));
        assert!(world.cluster.disarm(id) && !world.cluster.disarm(id));
    }
}

#[test]
fn a_fault_that_never_fired_is_told_with_what_it_is() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    let select = Select { group: Some("g".into()), ..Select::api(ApiKey::Heartbeat) };
    let id = arm(&mut world, select, When::Nth(3), REFUSED);
    heartbeat(&mut world, connection, "g");
    heartbeat(&mut world, connection, "g");
    let told = world.cluster.unfired();
    let text = "Error { code: 16, level: Top } Nth(3) of Heartbeat, group g: never fired, 2 requests selected";
    assert_eq!(told, [(id, text.to_owned())]);
    world.cluster.clear_faults();
    assert!(world.cluster.unfired().is_empty());
}

#[test]
fn the_first_that_is_due_takes_hold_alone() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    let other = Action::Error { code: ErrorCode::FENCED_INSTANCE_ID.0, level: Level::Top };
    let first = arm(&mut world, Select::default(), When::Nth(2), REFUSED);
    let second = arm(&mut world, Select::default(), When::Nth(2), other);
    let codes: Vec<_> = (0..3).map(|_| heartbeat(&mut world, connection, "g")).collect();
    // The second did not see the request that the first took.
    assert_eq!(codes, [ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::NOT_COORDINATOR, ErrorCode::FENCED_INSTANCE_ID]);
    assert_eq!((world.cluster.fired(first), world.cluster.fired(second)), (1, 1));
}

#[test]
fn a_delay_holds_back_what_is_behind_it() {
    let mut world = World::new(Settings::default());
    let connection = world.connect(1);
    arm(&mut world, Select::api(ApiKey::FindCoordinator), When::Once, Action::Delay { ms: 250 });
    let find = FindCoordinatorRequest { key: "g", ..Default::default() };
    world.send(connection, frame(2, &find));
    world.send(connection, frame(0, &MetadataRequest { topics: Some(Vec::new()), ..Default::default() }));
    world.pass_ms(249);
    assert_eq!(world.take(connection), None);
    world.pass_ms(1);
    let bytes = world.take(connection).unwrap();
    let reply: FindCoordinatorResponse<'_> = body(ApiKey::FindCoordinator, 2, &bytes);
    assert_eq!((reply.error_code, reply.node_id), (0, 1));
    assert!(world.take(connection).is_some());
}

fn create<'a>(name: &'a str) -> MetadataRequest<'a> {
    let topics = Some(vec![MetadataRequestTopic { name: Some(name), ..Default::default() }]);
    MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() }
}

#[test]
fn drops_come_before_or_after_the_request_is_applied() {
    for (action, applied) in [(Action::DropBefore, false), (Action::DropAfter, true)] {
        let mut world = World::new(Settings::default());
        let (connection, other) = (world.connect(1), world.connect(1));
        let select = Select { topic: Some("t".into()), ..Select::default() };
        arm(&mut world, select, When::Once, action.clone());
        world.send(connection, frame(12, &create("t")));
        assert!(world.closed(connection), "{action:?}");
        assert_eq!(world.cluster.topics().by_name("t").is_some(), applied, "{action:?}");
        world.ask(other, 12, &create("t"));
    }
}

#[test]
fn a_request_that_is_never_answered_blocks_its_connection_alone() {
    let mut world = World::new(Settings::default());
    let (connection, other) = (world.connect(1), world.connect(1));
    arm(&mut world, Select::api(ApiKey::Metadata), When::Once, Action::NeverAnswer);
    world.send(connection, frame(12, &create("t")));
    world.send(connection, frame(12, &create("u")));
    world.pass_ms(10_000_000);
    assert!(world.take(connection).is_none() && !world.closed(connection));
    assert!(world.cluster.topics().by_name("t").is_none());
    world.ask(other, 12, &create("u"));
    world.cluster.disconnected(world.now, connection);
    world.settle();
}

#[test]
fn frames_can_be_wrong() {
    let mut world = World::new(Settings::default());
    let (connection, other) = (world.connect(1), world.connect(1));
    arm(&mut world, Select::default(), When::Once, Action::WrongCorrelationId);
    let bytes = world.ask(connection, 12, &create("t"));
    assert_eq!(bytes[..4], (7_i32 ^ 0x5a5a_5a5a).to_be_bytes());
    let whole = world.ask(connection, 12, &create("t"));
    arm(&mut world, Select::default(), When::Nth(1), Action::PartialFrame);
    world.cluster.request(world.now, other, frame(12, &create("t")));
    let mut cut = Vec::new();
    loop {
        match world.cluster.poll(world.now) {
            crate::Output::Send { segments, .. } => cut.extend(segments.iter().flat_map(|s| s.as_slice().to_vec())),
            crate::Output::Close { connection } => assert_eq!(connection, other),
            _ => break,
        }
    }
    assert_eq!(cut.len(), (whole.len() + 4) / 2);
    assert_eq!(cut[..4], (whole.len() as i32).to_be_bytes());
    assert_eq!(cut[4..], whole[..cut.len() - 4]);
}

#[test]
fn the_request_log_tells_what_was_asked_and_answered() {
    let mut world = World::new(Settings { request_log: true, ..Settings::default() });
    let connection = world.connect(1);
    world.ask(connection, 12, &create("t"));
    heartbeat(&mut world, connection, "g");
    arm(&mut world, Select::api(ApiKey::FindCoordinator), When::Once, Action::NeverAnswer);
    world.pass_ms(5);
    world.send(connection, frame(2, &FindCoordinatorRequest { key: "g", ..Default::default() }));
    let log = world.cluster.request_log();
    let told: Vec<_> = log
        .iter()
        .map(|entry| (entry.api, entry.api_version, ErrorCode(entry.error), entry.answered_at.is_some()))
        .collect();
    assert_eq!(
        told,
        [
            (ApiKey::Metadata, 12, ErrorCode::NONE, true),
            (ApiKey::Heartbeat, 4, ErrorCode::UNKNOWN_MEMBER_ID, true),
            (ApiKey::FindCoordinator, 2, ErrorCode::NONE, false),
        ]
    );
    assert_eq!((&log[0].topics, &log[1].groups), (&vec![("t".to_owned(), 0)], &vec!["g".to_owned()]));
    assert_eq!((log[2].at, log[2].correlation_id, log[2].client_id.as_deref()), (world.now, 7, Some("test")));
    world.cluster.clear_request_log();
    assert!(world.cluster.request_log().is_empty());
    let quiet = World::new(Settings::default());
    assert!(quiet.cluster.request_log().is_empty());
}
