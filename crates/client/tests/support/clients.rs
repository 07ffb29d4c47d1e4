//! Settings, records and reading for the tests on sockets, each wait with a deadline. What answers is left to `server`
//! or to real Kafka.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla::{Consumer, Contention, NoticeOptions, Producer};
use ottla_machines::config::confluent::{Config, ConfigValue, Role};
use ottla_machines::config::{AdminSettings, ConsumerSettings, ProducerSettings};
use ottla_machines::consumer::{Assigned, Scratch, StartOffset, Take};
use ottla_machines::producer::{NewRecord, ReportRun};
use ottla_protocol::records::EncodedHeaders;

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Notices that queue, to be looked at.
pub fn queued() -> NoticeOptions {
    NoticeOptions { name: "test".to_owned(), queue_errors: true, queue_logs: true, ..NoticeOptions::default() }
}

fn config(role: Role, bootstrap: &str, more: &[(&str, &str)]) -> Config {
    let mut config = Config::new(role);
    config.set("bootstrap.servers", ConfigValue::from(bootstrap)).unwrap();
    for (name, value) in more {
        config.set(name, ConfigValue::from(*value)).unwrap();
    }
    config
}

pub fn producer_settings(bootstrap: &str, more: &[(&str, &str)]) -> ProducerSettings {
    config(Role::Producer, bootstrap, more).producer().unwrap().settings
}

pub fn consumer_settings(bootstrap: &str, more: &[(&str, &str)]) -> ConsumerSettings {
    let mut config = config(Role::Consumer, bootstrap, more);
    config.set("group.id", ConfigValue::from("test")).unwrap();
    config.consumer().unwrap().settings
}

pub fn admin_settings(bootstrap: &str) -> AdminSettings {
    config(Role::Admin, bootstrap, &[]).admin().unwrap().settings
}

pub fn new_record<'a>(topic: &'a str, partition: i32, key: Option<&'a str>, value: Option<&'a str>) -> NewRecord<'a> {
    NewRecord {
        topic,
        partition,
        key: key.map(str::as_bytes),
        value: value.map(str::as_bytes),
        headers: EncodedHeaders::default(),
        timestamp_ms: 1_700_000_000_000,
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    pub value: Option<String>,
}

/// The next record, or the text of a partition's error.
pub fn next(consumer: &Consumer) -> Result<Read, String> {
    let deadline = Instant::now() + PATIENCE;
    let mut scratch = Scratch::new();
    loop {
        match consumer.take(&mut scratch, &mut Contention::wait) {
            Take::Record(record) => {
                let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
                return Ok(Read {
                    partition: record.partition,
                    offset: record.offset,
                    key: text(record.key(&scratch)),
                    value: text(record.value(&scratch)),
                });
            }
            Take::Error(error) => return Err(error.error.to_string()),
            Take::Empty => assert!(consumer.wait_for_records(deadline), "no record in time"),
        }
    }
}

pub fn assign(consumer: &Consumer, topic: &str, partitions: std::ops::Range<i32>, start: StartOffset) {
    let topic: Arc<str> = Arc::from(topic);
    let assigned = partitions.map(|partition| Assigned { topic: topic.clone(), partition, start });
    consumer.assign(assigned.collect()).unwrap();
}

/// Delivery reports as they come: attachment, offset, error.
pub fn reports<A: Send + 'static>(producer: &Producer<A>, count: usize) -> Vec<(A, i64, Option<String>)> {
    let deadline = Instant::now() + PATIENCE;
    let mut found = Vec::new();
    let mut run = ReportRun::with_capacity(64);
    while found.len() < count {
        producer.take_reports(&mut run, &mut Contention::wait);
        let Some(batch) = run.batch.take() else {
            assert!(producer.wait_for_reports(deadline), "{} of {count} reports in time", found.len());
            continue;
        };
        let bytes = run.reports.iter().map(|report| report.place.bytes as usize).sum();
        let messages = run.reports.len();
        for report in run.reports.drain(..) {
            let error = batch.error_of(report.place).map(|error| error.to_string());
            found.push((report.attachment, batch.offset_of(report.place), error));
        }
        producer.served(messages, bytes, &mut Contention::wait);
    }
    found
}
