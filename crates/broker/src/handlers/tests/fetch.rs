//! Fetch: waiting and waking, limits, epochs, transactions.

use ottla_protocol::api::ApiKey;
use ottla_protocol::error_codes::ErrorCode;
use ottla_protocol::messages::fetch::{AbortedTransaction, FetchRequest, FetchResponse};
use ottla_protocol::primitives::{Records, Uuid};
use ottla_protocol::records::BatchIter;

use super::{code, world, world_of};
use crate::frame::Segment;
use crate::machine::{ConnectionId, Output};
use crate::scenario::{World, body, frame};
use crate::scenario_records::{Batch, fetch, produce};
use crate::settings::Settings;

const VERSION: i16 = 12;

/// The first partition's error, and the base offsets of its whole batches.
fn first(bytes: &[u8]) -> (ErrorCode, Vec<i64>) {
    let response: FetchResponse<'_> = body(ApiKey::Fetch, VERSION, bytes);
    let partition = &response.responses[0].partitions[0];
    (code(partition.error_code), offsets(partition.records))
}

fn offsets(records: Option<Records<'_>>) -> Vec<i64> {
    match records {
        Some(Records::Bytes(bytes)) => BatchIter::new(bytes).map(|batch| batch.unwrap().1.base_offset).collect(),
        _ => Vec::new(),
    }
}

fn append(world: &mut World, partition: i32, count: i32) -> usize {
    let bytes = Batch::of(count).bytes();
    let length = bytes.len();
    world.cluster.append_batch("t", partition, bytes).unwrap();
    length
}

fn waiting(offset: i64, min_bytes: i32, max_wait_ms: i32) -> FetchRequest<'static> {
    FetchRequest { min_bytes, max_wait_ms, ..fetch("t", Uuid::ZERO, &[(0, offset)]) }
}

#[test]
fn every_version_reads_from_the_batch_that_holds_the_offset() {
    for version in 4..=18 {
        let (mut world, connection, id) = world();
        append(&mut world, 0, 3);
        append(&mut world, 0, 2);
        for (offset, expected) in [(0, vec![0, 3]), (2, vec![0, 3]), (3, vec![3]), (5, vec![])] {
            let bytes = world.ask(connection, version, &fetch("t", id, &[(0, offset)]));
            let response: FetchResponse<'_> = body(ApiKey::Fetch, version, &bytes);
            let topic = &response.responses[0];
            assert_eq!((topic.topic, topic.topic_id), if version < 13 { ("t", Uuid::ZERO) } else { ("", id) });
            let partition = &topic.partitions[0];
            assert_eq!((partition.error_code, partition.high_watermark, partition.last_stable_offset), (0, 5, 5));
            assert_eq!(offsets(partition.records), expected, "v{version} from {offset}");
        }
    }
}

#[test]
fn records_are_sent_from_where_they_were_received() {
    let (mut world, connection, id) = world();
    let batch = Batch { value: vec![b'x'; 1000], ..Batch::of(2) }.bytes();
    let request = frame(9, &produce("t", id, 0, &batch));
    let place = request.as_slice().as_ptr_range();
    world.send(connection, request);
    world.take(connection);
    world.cluster.request(world.now, connection, frame(VERSION, &fetch("t", id, &[(0, 0)])));
    let Output::Send { segments, .. } = world.cluster.poll(world.now) else { panic!("no answer") };
    let slices: Vec<_> = segments.iter().filter(|segment| matches!(segment, Segment::Slice { .. })).collect();
    assert_eq!(slices.len(), 1);
    assert_eq!(slices[0].len(), batch.len());
    assert!(place.contains(&slices[0].as_slice().as_ptr()), "the records were copied");
}

#[test]
fn small_batches_go_in_one_piece() {
    let (mut world, connection, id) = world();
    for _ in 0..100 {
        append(&mut world, 0, 1);
    }
    world.cluster.request(world.now, connection, frame(VERSION, &fetch("t", id, &[(0, 0)])));
    let Output::Send { segments, .. } = world.cluster.poll(world.now) else { panic!("no answer") };
    assert!(segments.len() <= 3, "{}", segments.len());
}

#[test]
fn a_fetch_waits_for_records_and_is_answered_by_the_produce() {
    let (mut world, connection, id) = world();
    let other = world.connect(1);
    world.send(connection, frame(VERSION, &waiting(0, 1, 500)));
    assert_eq!(world.take(connection), None);
    assert_eq!(world.until_us, Some(world.now.after_ms(500)));
    world.pass_ms(100);
    let batch = Batch::of(1).bytes();
    world.ask(other, 9, &produce("t", id, 0, &batch));
    assert_eq!(first(&world.take(connection).unwrap()), (ErrorCode::NONE, vec![0]));
    assert_eq!(world.until_us, None, "nothing is left to wait for");
    assert!(world.cluster.fetches.is_empty());
}

#[test]
fn a_fetch_is_answered_with_what_there_is_when_its_time_is_over() {
    let (mut world, connection, _) = world();
    let length = append(&mut world, 0, 1) as i32;
    world.send(connection, frame(VERSION, &waiting(0, length + 1, 500)));
    world.pass_ms(499);
    assert_eq!(world.take(connection), None);
    world.pass_ms(1);
    assert_eq!(first(&world.take(connection).unwrap()), (ErrorCode::NONE, vec![0]));
    // Enough bytes are not waited for.
    world.send(connection, frame(VERSION, &waiting(0, length, 500)));
    assert_eq!(first(&world.take(connection).unwrap()), (ErrorCode::NONE, vec![0]));
}

#[test]
fn a_waiting_fetch_counts_bytes_until_there_are_enough() {
    let (mut world, connection, _) = world();
    let length = Batch::of(1).bytes().len() as i32;
    world.send(connection, frame(VERSION, &waiting(0, 3 * length, 60_000)));
    for offset in 0..3 {
        assert_eq!(world.take(connection), None, "{offset}");
        append(&mut world, 0, 1);
        world.settle();
    }
    assert_eq!(first(&world.take(connection).unwrap()), (ErrorCode::NONE, vec![0, 1, 2]));
}

#[test]
fn what_stands_behind_a_waiting_fetch_waits_too() {
    let (mut world, connection, _) = world();
    world.send(connection, frame(VERSION, &waiting(0, 1, 500)));
    world.send(connection, frame(VERSION, &waiting(0, 0, 0)));
    assert_eq!((world.take(connection), world.cluster.unanswered(connection)), (None, 2));
    world.pass_ms(500);
    assert!(world.take(connection).is_some() && world.take(connection).is_some());
    assert_eq!(world.cluster.unanswered(connection), 0);
}

#[test]
fn a_client_that_leaves_is_waited_for_no_more() {
    let (mut world, connection, _) = world();
    world.send(connection, frame(VERSION, &waiting(0, 1, 500)));
    world.cluster.disconnected(world.now, connection);
    assert!(world.cluster.fetches.is_empty());
    assert_eq!(world.cluster.topics().by_name("t").unwrap().partition(0).unwrap().waiting().count(), 0);
    append(&mut world, 0, 1);
    world.pass_ms(1000);
    assert_eq!((world.take(connection), world.until_us), (None, None));
}

#[test]
fn a_waiting_fetch_learns_of_a_new_leader_and_of_a_deleted_topic() {
    let (mut world, connection, _) = world_of(Settings { brokers: 2, ..Settings::default() });
    world.send(connection, frame(VERSION, &waiting(0, 1, 60_000)));
    let topic = world.cluster.topics().by_name("t").unwrap();
    let (leader, follower) = (topic.partition(0).unwrap().leader(), topic.partition(1).unwrap().leader());
    world.cluster.lead("t", 0, follower);
    world.settle();
    assert_eq!(first(&world.take(connection).unwrap()).0, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    world.cluster.lead("t", 0, leader);
    world.send(connection, frame(VERSION, &waiting(0, 1, 60_000)));
    assert_eq!(world.take(connection), None);
    world.cluster.remove_topic("t");
    world.settle();
    assert_eq!(first(&world.take(connection).unwrap()).0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn errors_are_told_at_once_but_unknown_topics_do_not_hurry_the_others() {
    let (mut world, connection, _) = world();
    append(&mut world, 0, 1);
    for offset in [-1, 2] {
        world.send(connection, frame(VERSION, &waiting(offset, 1, 60_000)));
        assert_eq!(first(&world.take(connection).unwrap()).0, ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let unknown = FetchRequest { min_bytes: 1, max_wait_ms: 500, ..fetch("x", Uuid::ZERO, &[(0, 0)]) };
    world.send(connection, frame(VERSION, &unknown));
    assert_eq!(first(&world.take(connection).unwrap()).0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let both = FetchRequest { min_bytes: 1, max_wait_ms: 500, ..fetch("t", Uuid::ZERO, &[(9, 0), (0, 1)]) };
    world.send(connection, frame(VERSION, &both));
    assert_eq!(world.take(connection), None);
    append(&mut world, 0, 1);
    world.settle();
    assert_eq!(first(&world.take(connection).unwrap()).0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn limits_hold_but_for_the_first_batch() {
    let (mut world, connection, _) = world();
    let length = append(&mut world, 0, 1) as i32;
    append(&mut world, 0, 1);
    append(&mut world, 1, 1);
    // Bytes of each partition, by the limits of partition and request.
    let cases = [
        (1 << 20, 1 << 20, vec![2 * length, length]),
        (1, 1 << 20, vec![length, 0]),
        (0, 0, vec![length, 0]),
        (length, 1 << 20, vec![length, length]),
        // The last batch is cut short, as Kafka does; the next partition's first one has no room.
        (1 << 20, length + 10, vec![length + 10, 0]),
        (1 << 20, 2 * length + 10, vec![2 * length, 0]),
        (1 << 20, 3 * length, vec![2 * length, length]),
    ];
    for (partition_max, max_bytes, expected) in cases {
        let mut request = FetchRequest { max_bytes, ..fetch("t", Uuid::ZERO, &[(0, 0), (1, 0)]) };
        for partition in &mut request.topics[0].partitions {
            partition.partition_max_bytes = partition_max;
        }
        let bytes = world.ask(connection, VERSION, &request);
        let response: FetchResponse<'_> = body(ApiKey::Fetch, VERSION, &bytes);
        let got: Vec<i32> = response.responses[0]
            .partitions
            .iter()
            .map(|partition| partition.records.map_or(0, |records| records.len() as i32))
            .collect();
        assert_eq!(got, expected, "{partition_max} {max_bytes}");
    }
}

#[test]
fn leader_epochs_fence_old_clients_and_wait_for_new_brokers() {
    let (mut world, connection, _) = world();
    world.cluster.lead("t", 0, Some(1));
    append(&mut world, 0, 1);
    for (epoch, expected) in [
        (-1, ErrorCode::NONE),
        (0, ErrorCode::FENCED_LEADER_EPOCH),
        (1, ErrorCode::NONE),
        (2, ErrorCode::UNKNOWN_LEADER_EPOCH),
    ] {
        let mut request = waiting(0, 1, 60_000);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        world.send(connection, frame(VERSION, &request));
        assert_eq!(first(&world.take(connection).unwrap()).0, expected, "{epoch}");
    }
}

#[test]
fn a_client_of_another_log_is_told_where_they_part() {
    let (mut world, connection, _) = world();
    append(&mut world, 0, 3);
    world.cluster.lead("t", 0, Some(1));
    append(&mut world, 0, 3);
    let mut ask = |last_fetched_epoch, offset| {
        let mut request = waiting(offset, 0, 0);
        request.topics[0].partitions[0].last_fetched_epoch = last_fetched_epoch;
        let bytes = world.ask(connection, VERSION, &request);
        let response: FetchResponse<'_> = body(ApiKey::Fetch, VERSION, &bytes);
        let partition = &response.responses[0].partitions[0];
        let diverging = (partition.diverging_epoch.epoch, partition.diverging_epoch.end_offset);
        (code(partition.error_code), diverging, partition.records.map_or(0, |records| records.len()) > 0)
    };
    assert_eq!(ask(0, 3), (ErrorCode::NONE, (-1, -1), true));
    assert_eq!(ask(1, 4), (ErrorCode::NONE, (-1, -1), true));
    assert_eq!(ask(0, 5), (ErrorCode::NONE, (0, 3), false));
    assert_eq!(ask(2, 5), (ErrorCode::OFFSET_OUT_OF_RANGE, (-1, -1), false));
}

/// The last stable offset, the aborted transactions, the base offsets.
fn committed(world: &mut World, connection: ConnectionId, offset: i64) -> (i64, Vec<(i64, i64)>, Vec<i64>) {
    let request = FetchRequest { isolation_level: 1, ..fetch("t", Uuid::ZERO, &[(0, offset)]) };
    let bytes = world.ask(connection, VERSION, &request);
    let response: FetchResponse<'_> = body(ApiKey::Fetch, VERSION, &bytes);
    let partition = &response.responses[0].partitions[0];
    let pair = |aborted: &AbortedTransaction| (aborted.producer_id, aborted.first_offset);
    let aborted = partition.aborted_transactions.as_ref().unwrap().iter().map(pair).collect();
    (partition.last_stable_offset, aborted, offsets(partition.records))
}

#[test]
fn read_committed_ends_at_the_oldest_open_transaction_and_names_aborted_ones() {
    let (mut world, connection, _) = world();
    let put = |world: &mut World, batch: Batch| world.cluster.append_batch("t", 0, batch.bytes()).unwrap();
    put(&mut world, Batch::of(1));
    put(&mut world, Batch::in_transaction(7, 0, 2));
    put(&mut world, Batch::in_transaction(8, 0, 1));
    assert_eq!(committed(&mut world, connection, 0), (1, vec![], vec![0]));
    put(&mut world, Batch::marker(8, true));
    assert_eq!(committed(&mut world, connection, 0), (1, vec![], vec![0]));
    put(&mut world, Batch::in_transaction(7, 2, 1));
    put(&mut world, Batch::marker(7, false));
    put(&mut world, Batch::in_transaction(9, 0, 1));
    assert_eq!(committed(&mut world, connection, 0), (7, vec![(7, 1)], vec![0, 1, 3, 4, 5, 6]));
    // Behind the marker of an aborted transaction it is of no concern.
    assert_eq!(committed(&mut world, connection, 7), (7, vec![], vec![]));
    assert_eq!(committed(&mut world, connection, 6), (7, vec![(7, 1)], vec![6]));
    // Whoever reads everything is told of no transaction.
    let bytes = world.ask(connection, VERSION, &fetch("t", Uuid::ZERO, &[(0, 0)]));
    let response: FetchResponse<'_> = body(ApiKey::Fetch, VERSION, &bytes);
    let partition = &response.responses[0].partitions[0];
    assert_eq!((partition.aborted_transactions.as_ref(), offsets(partition.records).len()), (None, 7));
}

#[test]
fn a_read_committed_fetch_waits_for_the_end_of_the_transaction() {
    let (mut world, connection, _) = world();
    let request = FetchRequest { isolation_level: 1, ..waiting(0, 1, 60_000) };
    world.send(connection, frame(VERSION, &request));
    world.cluster.append_batch("t", 0, Batch::in_transaction(7, 0, 2).bytes()).unwrap();
    world.settle();
    assert_eq!(world.take(connection), None);
    world.cluster.append_batch("t", 0, Batch::marker(7, true).bytes()).unwrap();
    world.settle();
    assert_eq!(first(&world.take(connection).unwrap()), (ErrorCode::NONE, vec![0, 2]));
}

#[test]
fn aborted_transactions_are_those_of_the_records_in_the_answer() {
    let (mut world, connection, _) = world();
    for producer_id in [7, 8, 9] {
        world.cluster.append_batch("t", 0, Batch::in_transaction(producer_id, 0, 1).bytes()).unwrap();
        world.cluster.append_batch("t", 0, Batch::marker(producer_id, false).bytes()).unwrap();
    }
    let mut request = FetchRequest { isolation_level: 1, ..fetch("t", Uuid::ZERO, &[(0, 2)]) };
    request.topics[0].partitions[0].partition_max_bytes = 1;
    let bytes = world.ask(connection, VERSION, &request);
    let response: FetchResponse<'_> = body(ApiKey::Fetch, VERSION, &bytes);
    let aborted = response.responses[0].partitions[0].aborted_transactions.clone().unwrap();
    assert_eq!(aborted, [AbortedTransaction { producer_id: 8, first_offset: 2 }]);
}
