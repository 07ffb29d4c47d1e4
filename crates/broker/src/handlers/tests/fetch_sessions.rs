//! Fetch sessions (KIP-227) through the wire.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::fetch::{FetchRequest, FetchResponse, ForgottenTopic};
use ottla_protocol::primitives::Uuid;

use super::{code, world, world_of};
use crate::machine::ConnectionId;
use crate::scenario::{World, body, frame};
use crate::scenario_records::{Batch, fetch};
use crate::settings::Settings;

const VERSION: i16 = 12;

/// Error, session id, and each partition of the answer: index, error, whether with records.
type Told = (ErrorCode, i32, Vec<(i32, ErrorCode, bool)>);

fn told(bytes: &[u8], version: i16) -> Told {
    let response: FetchResponse<'_> = body(ApiKey::Fetch, version, bytes);
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    let one = |partition: &ottla_protocol::messages::fetch::PartitionData<'_>| {
        let records = partition.records.is_some_and(|records| !records.is_empty());
        (partition.partition_index, code(partition.error_code), records)
    };
    (code(response.error_code), response.session_id, partitions.map(one).collect())
}

fn session(id: i32, epoch: i32, partitions: &[(i32, i64)]) -> FetchRequest<'static> {
    let mut request = FetchRequest { session_id: id, session_epoch: epoch, ..fetch("t", Uuid::ZERO, partitions) };
    if partitions.is_empty() {
        request.topics.clear();
    }
    request
}

fn ask(world: &mut World, connection: ConnectionId, request: &FetchRequest<'_>) -> Told {
    told(&world.ask(connection, VERSION, request), VERSION)
}

fn append(world: &mut World, partition: i32) {
    world.cluster.append_batch("t", partition, Batch::of(1).bytes()).unwrap();
}

const NONE: ErrorCode = ErrorCode::NONE;

#[test]
fn a_session_names_only_what_changed() {
    let (mut world, connection, _) = world();
    let (error, id, partitions) = ask(&mut world, connection, &session(0, 0, &[(0, 0), (1, 0)]));
    assert_eq!((error, partitions), (NONE, vec![(0, NONE, false), (1, NONE, false)]));
    assert_ne!(id, 0);
    assert_eq!(ask(&mut world, connection, &session(id, 1, &[])), (NONE, id, vec![]));
    append(&mut world, 1);
    assert_eq!(ask(&mut world, connection, &session(id, 2, &[])), (NONE, id, vec![(1, NONE, true)]));
    // It is still there, and the client has not said that it has it.
    assert_eq!(ask(&mut world, connection, &session(id, 3, &[])), (NONE, id, vec![(1, NONE, true)]));
    assert_eq!(ask(&mut world, connection, &session(id, 4, &[(1, 1)])), (NONE, id, vec![]));
    append(&mut world, 0);
    assert_eq!(ask(&mut world, connection, &session(id, 5, &[])), (NONE, id, vec![(0, NONE, true)]));
}

#[test]
fn an_error_is_told_again_and_its_end_too() {
    let (mut world, connection, _) = world();
    let (_, id, _) = ask(&mut world, connection, &session(0, 0, &[(0, 0), (1, 5)]));
    let failed = (NONE, id, vec![(1, ErrorCode::OFFSET_OUT_OF_RANGE, false)]);
    assert_eq!(ask(&mut world, connection, &session(id, 1, &[])), failed);
    assert_eq!(ask(&mut world, connection, &session(id, 2, &[])), failed);
    assert_eq!(ask(&mut world, connection, &session(id, 3, &[(1, 0)])), (NONE, id, vec![(1, NONE, false)]));
    assert_eq!(ask(&mut world, connection, &session(id, 4, &[])), (NONE, id, vec![]));
}

#[test]
fn epochs_and_ids_must_be_right() {
    let (mut world, connection, _) = world();
    let gone = (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0, vec![]);
    let wrong = (ErrorCode::INVALID_FETCH_SESSION_EPOCH, 0, vec![]);
    assert_eq!(ask(&mut world, connection, &session(77, 1, &[])), gone);
    let (_, id, _) = ask(&mut world, connection, &session(0, 0, &[(0, 0)]));
    assert_eq!(ask(&mut world, connection, &session(id, 2, &[])), wrong);
    assert_eq!(ask(&mut world, connection, &session(id, 1, &[])).0, NONE);
    assert_eq!(ask(&mut world, connection, &session(id, 1, &[])), wrong);
    // Topics by id in a session of topics by name.
    let by_id = world.ask(connection, 13, &session(id, 2, &[]));
    assert_eq!(told(&by_id, 13), (ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR, 0, vec![]));
    assert_eq!(ask(&mut world, connection, &session(id, 2, &[])).0, NONE);
    // A whole request, with or without a new session, ends the old one.
    assert_eq!(ask(&mut world, connection, &session(id, -1, &[(0, 0)])).1, 0);
    assert_eq!(ask(&mut world, connection, &session(id, 3, &[])), gone);
}

#[test]
fn sessions_are_each_brokers_own() {
    let (mut world, connection, _) = world_of(Settings { brokers: 2, ..Settings::default() });
    let (_, id, _) = ask(&mut world, connection, &session(0, 0, &[(0, 0)]));
    for node in [1, 2] {
        let other = world.connect(node);
        let (error, ..) = ask(&mut world, other, &session(id, 1, &[]));
        let leads = world.cluster.topics().by_name("t").unwrap().partition(0).unwrap().leader() == Some(node);
        assert_eq!(error, if leads { NONE } else { ErrorCode::FETCH_SESSION_ID_NOT_FOUND });
    }
}

#[test]
fn what_is_forgotten_is_fetched_no_more_and_an_empty_session_ends() {
    let (mut world, connection, _) = world();
    let (_, id, _) = ask(&mut world, connection, &session(0, 0, &[(0, 0), (1, 0)]));
    append(&mut world, 0);
    append(&mut world, 1);
    let forget = |epoch, partitions: &[i32]| {
        let topic = ForgottenTopic { topic: "t", topic_id: Uuid::ZERO, partitions: partitions.to_vec() };
        FetchRequest { forgotten_topics_data: vec![topic], ..session(id, epoch, &[]) }
    };
    assert_eq!(ask(&mut world, connection, &forget(1, &[0])), (NONE, id, vec![(1, NONE, true)]));
    assert_eq!(ask(&mut world, connection, &forget(2, &[1])), (NONE, 0, vec![]));
    assert_eq!(ask(&mut world, connection, &session(id, 3, &[])).0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn whoever_got_records_comes_last_the_next_time() {
    let (mut world, connection, _) = world();
    append(&mut world, 0);
    append(&mut world, 1);
    let one_batch = |request| FetchRequest { max_bytes: 1, ..request };
    let (_, id, partitions) = ask(&mut world, connection, &one_batch(session(0, 0, &[(0, 0), (1, 0)])));
    assert_eq!(partitions, [(0, NONE, true), (1, NONE, false)]);
    for (epoch, index) in [(1, 0), (2, 1), (3, 0)] {
        let (_, _, partitions) = ask(&mut world, connection, &one_batch(session(id, epoch, &[])));
        let with_records: Vec<i32> =
            partitions.iter().filter(|partition| partition.2).map(|(index, ..)| *index).collect();
        assert_eq!(with_records, [index], "{epoch}");
    }
}

#[test]
fn a_waiting_session_is_woken_by_any_of_its_partitions() {
    let (mut world, connection, _) = world();
    let (_, id, _) = ask(&mut world, connection, &session(0, 0, &[(0, 0), (1, 0)]));
    let wait = FetchRequest { min_bytes: 1, max_wait_ms: 500, ..session(id, 1, &[]) };
    world.send(connection, frame(VERSION, &wait));
    assert_eq!(world.take(connection), None);
    append(&mut world, 1);
    world.settle();
    assert_eq!(told(&world.take(connection).unwrap(), VERSION), (NONE, id, vec![(1, NONE, true)]));
}

#[test]
fn without_a_free_slot_there_is_no_session_until_an_old_one_ages() {
    let (mut world, connection, _) = world_of(Settings { fetch_session_slots: 1, ..Settings::default() });
    let (_, id, _) = ask(&mut world, connection, &session(0, 0, &[(0, 0)]));
    let (error, none, partitions) = ask(&mut world, connection, &session(0, 0, &[(0, 0)]));
    assert_eq!((error, none, partitions.len()), (NONE, 0, 1));
    world.pass_ms(120_001);
    let (_, second, _) = ask(&mut world, connection, &session(0, 0, &[(0, 0)]));
    assert_ne!(second, 0);
    assert_eq!(ask(&mut world, connection, &session(id, 1, &[])).0, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn a_topic_id_that_is_not_known_yet_is_found_once_it_is() {
    let (mut world, connection, id) = world();
    world.cluster.remove_topic("t");
    let mut request = session(0, 0, &[(0, 0)]);
    request.topics[0].topic_id = id;
    let (_, sid, partitions) = told(&world.ask(connection, 13, &request), 13);
    assert_eq!(partitions, [(0, ErrorCode::UNKNOWN_TOPIC_ID, false)]);
    let partition = crate::cluster::Partition::new(vec![1]);
    world.cluster.topics.insert("t", id, vec![partition], Default::default());
    let (_, _, partitions) = told(&world.ask(connection, 13, &session(sid, 1, &[])), 13);
    assert_eq!(partitions, [(0, NONE, false)]);
}
