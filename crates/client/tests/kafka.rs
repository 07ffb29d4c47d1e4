//! Produce, fetch and administration on real Kafka, whose address is in `OTTLA_TEST_BOOTSTRAP`, and on the embedded broker:
//! `python3 -m tests.realkafka run -- cargo test -p ottla --test kafka`.
#![allow(clippy::unwrap_used, reason = "what fails in a test ends it, in its helper functions too")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla::{Admin, AppendError, Consumer, Contention, NoticeOptions, Producer};
use ottla_machines::admin::{CreateTopics, DeleteTopics, NewTopic};
use ottla_machines::consumer::{RecordRun, StartOffset};
use ottla_machines::error::Kind;
use support::broker::{Broker, on_both_brokers};
use support::{
    PATIENCE, admin_settings, assign, consumer_settings, new_record, next, producer_settings, queued, reports,
};

on_both_brokers!(
    records_of_every_codec_come_back,
    every_acks_and_idempotence_deliver,
    an_idempotent_producer_keeps_the_order_over_many_batches,
    keys_choose_partitions_nulls_and_sizes_survive,
    runs_seeks_pauses_and_watermarks,
    offsets_are_answered_while_a_fetch_is_parked,
    topics_are_described_and_refused,
    an_assigned_consumer_goes_on_where_another_committed,
);

/// A topic of its own for a test, deleted at the end.
struct Topic {
    name: String,
    admin: Admin,
}

impl Topic {
    fn new(broker: &Broker, test: &str, partitions: i32) -> Self {
        let name = format!("rust-{test}-{}-{:?}", std::process::id(), std::thread::current().id());
        let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let admin = Admin::new(admin_settings(&broker.bootstrap), NoticeOptions::default()).unwrap();
        let topic = NewTopic {
            name: Arc::from(&*name),
            partitions,
            replication_factor: 1,
            assignment: Vec::new(),
            config: Vec::new(),
        };
        let create = CreateTopics { topics: vec![topic], validate_only: false, operation_timeout_ms: 30_000 };
        let pending = admin.create_topics(create, PATIENCE);
        let results = pending.wait_until(Instant::now() + PATIENCE).expect("an answer in time").unwrap();
        assert_eq!(results, [(Arc::from(&*name), Ok(()))]);
        // The controller has made it; the broker that clients ask learns of it a moment later.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let described = admin.metadata(Some(&name), PATIENCE).wait_until(deadline).expect("an answer in time");
            let topic = &described.unwrap().topics[0];
            if topic.partitions.len() == partitions as usize && topic.partitions.iter().all(|found| found.leader >= 0) {
                return Self { name, admin };
            }
            assert!(Instant::now() < deadline, "no leaders in time: {topic:?}");
        }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        let delete = DeleteTopics { topics: vec![Arc::from(&*self.name)], operation_timeout_ms: 30_000 };
        let pending = self.admin.delete_topics(delete, PATIENCE);
        let _ = pending.wait_until(Instant::now() + PATIENCE);
    }
}

/// Produces `count` numbered records to one partition and reads them back in order.
fn round_trip(broker: &Broker, test: &str, count: usize, more: &[(&str, &str)]) {
    let topic = Topic::new(broker, test, 1);
    let producer = Producer::<usize>::new(producer_settings(&broker.bootstrap, more), queued()).unwrap();
    let long = "compressible ".repeat(20);
    for number in 0..count {
        let (key, value) = (format!("key {number}"), format!("{number} {long}"));
        let record = new_record(&topic.name, 0, Some(&key), Some(&value));
        producer.append(&record, Some(number), &mut Contention::wait).unwrap();
    }
    producer.start_flush();
    let reported = reports(&producer, count);
    assert!(producer.wait_until_drained(Instant::now() + PATIENCE));
    let unknown = more.contains(&("acks", "0"));
    for (index, (number, offset, error)) in reported.iter().enumerate() {
        assert_eq!((*number, error), (index, &None));
        assert!(unknown || *offset == index as i64, "{offset} is not that of record {index}");
    }
    let consumer = Consumer::new(consumer_settings(&broker.bootstrap, &[]), queued()).unwrap();
    assign(&consumer, &topic.name, 0..1, StartOffset::Beginning);
    for number in 0..count {
        let read = next(&consumer).unwrap();
        assert_eq!((read.offset, read.key), (number as i64, Some(format!("key {number}"))));
        assert_eq!(read.value, Some(format!("{number} {long}")));
    }
    assert_eq!(consumer.position(&topic.name, 0).offset, count as i64);
}

fn records_of_every_codec_come_back(broker: &Broker) {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        round_trip(broker, codec, 2_000, &[("compression.type", codec)]);
    }
}

fn every_acks_and_idempotence_deliver(broker: &Broker) {
    for acks in ["0", "1", "all"] {
        round_trip(broker, &format!("acks-{acks}"), 500, &[("acks", acks)]);
    }
}

fn an_idempotent_producer_keeps_the_order_over_many_batches(broker: &Broker) {
    round_trip(broker, "idempotence", 3_000, &[("enable.idempotence", "true"), ("batch.num.messages", "50")]);
}

fn keys_choose_partitions_nulls_and_sizes_survive(broker: &Broker) {
    let topic = Topic::new(broker, "sizes", 4);
    let more = [("message.max.bytes", "8000000")];
    let producer = Producer::<()>::new(producer_settings(&broker.bootstrap, &more), queued()).unwrap();
    let values: Vec<Option<String>> = [0, 1, 1_023, 4_095, 4_096, 33_000, 900_000]
        .map(|size| Some("x".repeat(size)))
        .into_iter()
        .chain([None])
        .collect();
    for (number, value) in values.iter().enumerate() {
        let key = number.to_string();
        let key = (number % 2 == 0).then_some(&*key);
        producer.append(&new_record(&topic.name, -1, key, value.as_deref()), None, &mut Contention::wait).unwrap();
    }
    let missing = producer.append(&new_record(&topic.name, 99, None, None), None, &mut Contention::wait);
    producer.start_flush();
    assert!(producer.wait_until_drained(Instant::now() + PATIENCE), "{missing:?}");
    let missing = producer.append(&new_record(&topic.name, 99, None, None), None, &mut Contention::wait);
    assert_eq!(missing, Err((AppendError::Refused(Kind::UnknownPartition.into()), None)));
    let consumer = Consumer::new(consumer_settings(&broker.bootstrap, &[]), queued()).unwrap();
    assign(&consumer, &topic.name, 0..4, StartOffset::Beginning);
    let mut read: Vec<_> = (0..values.len()).map(|_| next(&consumer).unwrap().value).collect();
    let order = |value: &Option<String>| value.as_ref().map(String::len);
    read.sort_by_key(order);
    let mut expected = values;
    expected.sort_by_key(order);
    assert_eq!(read, expected);
}

fn runs_seeks_pauses_and_watermarks(broker: &Broker) {
    let topic = Topic::new(broker, "runs", 1);
    let producer = Producer::<()>::new(producer_settings(&broker.bootstrap, &[]), queued()).unwrap();
    for number in 0..1_000 {
        let value = number.to_string();
        producer.append(&new_record(&topic.name, 0, None, Some(&value)), None, &mut Contention::wait).unwrap();
    }
    producer.start_flush();
    assert!(producer.wait_until_drained(Instant::now() + PATIENCE));
    let consumer = Consumer::new(consumer_settings(&broker.bootstrap, &[]), queued()).unwrap();
    let watermarks = consumer.watermarks(&topic.name, 0, PATIENCE).wait_until(Instant::now() + PATIENCE);
    assert_eq!(watermarks, Some(Ok((0, 1_000))));
    assign(&consumer, &topic.name, 0..1, StartOffset::Offset(100));
    let mut run = RecordRun::new();
    let mut expected = 100;
    while expected < 1_000 {
        if consumer.take_many(700, &mut run, &mut Contention::wait) == 0 {
            assert!(consumer.wait_for_records(Instant::now() + PATIENCE), "records in time");
        }
        for record in run.records() {
            assert_eq!((record.offset, run.value(record)), (expected, Some(expected.to_string().as_bytes())));
            expected += 1;
        }
    }
    assert_eq!(consumer.cached_watermarks(&topic.name, 0).1, 1_000);
    consumer.seek(&topic.name, 0, StartOffset::Offset(7)).unwrap();
    assert_eq!(next(&consumer).unwrap().offset, 7);
    assert!(consumer.pause(&topic.name, 0) && !consumer.pause(&topic.name, 5));
    assert!(!consumer.wait_for_records(Instant::now()));
    assert!(consumer.resume(&topic.name, 0));
    assert_eq!(next(&consumer).unwrap().offset, 8);
    assert_eq!(consumer.seek("other", 0, StartOffset::End).unwrap_err().kind, Kind::UnknownPartition);
    consumer.close();
    assert!(consumer.wait_for_records(Instant::now() + PATIENCE), "who waits learns of the end");
    assert!(consumer.watermarks(&topic.name, 0, PATIENCE).wait_until(Instant::now() + PATIENCE).unwrap().is_err());
}

/// E1: the broker answers one request per connection at a time, and a Fetch that finds nothing parks for 30 s.
fn offsets_are_answered_while_a_fetch_is_parked(broker: &Broker) {
    let topic = Topic::new(broker, "lanes", 1);
    let more = [("fetch.wait.max.ms", "30000"), ("socket.timeout.ms", "60000")];
    let consumer = Consumer::new(consumer_settings(&broker.bootstrap, &more), queued()).unwrap();
    assign(&consumer, &topic.name, 0..1, StartOffset::Beginning);
    // The first answer of the fetch lane would say the watermarks; a parked Fetch says nothing for 30 s.
    for _ in 0..5 {
        let asked = Instant::now();
        let answer = consumer.watermarks(&topic.name, 0, PATIENCE).wait_until(Instant::now() + PATIENCE);
        assert_eq!(answer, Some(Ok((0, 0))));
        assert!(asked.elapsed() < Duration::from_secs(10), "answered after {:?}", asked.elapsed());
    }
    // Made behind the parked Fetch's back: the record ends the parking, so a Fetch was there.
    let producer = Producer::<()>::new(producer_settings(&broker.bootstrap, &[]), queued()).unwrap();
    producer.append(&new_record(&topic.name, 0, None, Some("wake")), None, &mut Contention::wait).unwrap();
    assert_eq!(next(&consumer).unwrap().value.as_deref(), Some("wake"));
}

fn topics_are_described_and_refused(broker: &Broker) {
    let topic = Topic::new(broker, "described", 3);
    let producer = Producer::<()>::new(producer_settings(&broker.bootstrap, &[]), queued()).unwrap();
    let one = producer.metadata(Some(&topic.name), PATIENCE).wait_until(Instant::now() + PATIENCE).unwrap().unwrap();
    assert_eq!(one.topics.len(), 1);
    assert_eq!(one.topics[0].partitions.len(), 3);
    let all = topic.admin.metadata(None, PATIENCE).wait_until(Instant::now() + PATIENCE).unwrap().unwrap();
    assert!(all.topics.iter().any(|found| found.name == topic.name) && !all.brokers.is_empty());
    let delete = DeleteTopics { topics: vec![Arc::from("rust-never-made")], operation_timeout_ms: 30_000 };
    let answer = topic.admin.delete_topics(delete, PATIENCE).wait_until(Instant::now() + PATIENCE).unwrap().unwrap();
    assert_eq!(answer[0].1.as_ref().unwrap_err().code(), 3);
}

fn an_assigned_consumer_goes_on_where_another_committed(broker: &Broker) {
    let topic = Topic::new(broker, "committed", 2);
    let producer = Producer::<()>::new(producer_settings(&broker.bootstrap, &[]), queued()).unwrap();
    for number in 0..20 {
        let value = number.to_string();
        producer.append(&new_record(&topic.name, 0, None, Some(&value)), None, &mut Contention::wait).unwrap();
    }
    producer.start_flush();
    assert!(producer.wait_until_drained(Instant::now() + PATIENCE));
    let keys = [("group.id", &*topic.name), ("auto.commit.interval.ms", "50"), ("auto.offset.reset", "earliest")];
    let settings = || consumer_settings(&broker.bootstrap, &keys);
    let end = || Instant::now() + PATIENCE;
    let partitions = || vec![(Arc::from(&*topic.name), 0), (Arc::from(&*topic.name), 1)];
    let first = Consumer::new(settings(), queued()).unwrap();
    assign(&first, &topic.name, 0..2, StartOffset::Stored);
    assert_eq!((next(&first).unwrap().offset, next(&first).unwrap().offset), (0, 1), "nothing is committed");
    let deadline = end();
    loop {
        // Unasked, by the interval.
        let committed = first.committed(partitions(), PATIENCE).wait_until(end()).unwrap().unwrap();
        if committed[0].offset == 2 {
            assert_eq!((committed[0].leader_epoch, committed[1].offset), (0, -1001));
            break;
        }
        assert!(Instant::now() < deadline, "{committed:?}");
    }
    assert_eq!(next(&first).unwrap().offset, 2);
    let sent = first.commit(None, PATIENCE).wait_until(end()).unwrap().unwrap();
    assert_eq!(
        sent.iter().map(|one| (one.offset, one.error.is_none())).collect::<Vec<_>>(),
        [(3, true), (-1001, true)]
    );
    first.close();
    let second = Consumer::new(settings(), queued()).unwrap();
    assign(&second, &topic.name, 0..1, StartOffset::Stored);
    assert_eq!(next(&second).unwrap().offset, 3);
    second.close();
}
