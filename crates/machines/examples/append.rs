//! The producer's machine on its own: append, seal, encode the request and take its answer, against a broker that is a
//! function. Measures, or lets callgrind count, what a record costs without sockets and threads.
//!
//! `append [RECORDS]` prints nanoseconds a record of appending and of the io side as JSON.
#![allow(clippy::disallowed_methods, reason = "what measures a machine drives it, and so knows the clock")]
use std::time::Instant;

use ottla_machines::client::{ClientMachine, Event};
use ottla_machines::config::confluent::{Config, ConfigValue, Role};
use ottla_machines::machine::{Frame, Input, Machine, Now, Output};
use ottla_machines::producer::{Accumulator, NewRecord, Refused, Supply};
use ottla_protocol::api::ApiKey;
use ottla_protocol::header::{decode_request_header, encode_response_header};
use ottla_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use ottla_protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use ottla_protocol::primitives::{Message, Reader, Uuid, Writer};
use ottla_protocol::records::EncodedHeaders;

const PARTITIONS: i32 = 12;

/// A broker that has every record as soon as it is sent.
struct Broker;

impl Broker {
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let mut reader = Reader::new(&request[4..]);
        let header = decode_request_header(&mut reader).expect("a header");
        let api = ApiKey::from_i16(header.api_key).expect("an API");
        let mut writer = Writer::new();
        encode_response_header(&mut writer, api, header.api_version, header.correlation_id);
        match api {
            ApiKey::ApiVersions => versions().encode(&mut writer, header.api_version),
            ApiKey::Metadata => metadata().encode(&mut writer, header.api_version),
            ApiKey::Produce => acknowledge(&mut reader, header.api_version).encode(&mut writer, header.api_version),
            other => panic!("{other:?}"),
        }
        .expect("an answer");
        writer.into_parts().0
    }
}

fn versions() -> ApiVersionsResponse<'static> {
    let range = |key: ApiKey| ApiVersion {
        api_key: key as i16,
        min_version: key.min_version(),
        max_version: key.latest_stable_version(),
        ..Default::default()
    };
    let api_keys = [ApiKey::ApiVersions, ApiKey::Metadata, ApiKey::Produce].map(range).to_vec();
    ApiVersionsResponse { api_keys, ..Default::default() }
}

fn metadata() -> MetadataResponse<'static> {
    let partition = |partition_index| MetadataResponsePartition { partition_index, leader_id: 0, ..Default::default() };
    let topic = MetadataResponseTopic {
        name: Some("bench"),
        topic_id: Uuid([7; 16]),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..Default::default()
    };
    let broker = MetadataResponseBroker { node_id: 0, host: "broker", port: 9092, ..Default::default() };
    MetadataResponse { brokers: vec![broker], controller_id: 0, topics: vec![topic], ..Default::default() }
}

fn acknowledge(reader: &mut Reader<'_>, version: i16) -> ProduceResponse<'static> {
    let request = ProduceRequest::decode(reader, version).expect("a Produce request");
    let landed = |index| PartitionProduceResponse { index, log_append_time_ms: -1, ..Default::default() };
    let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: "bench",
        topic_id: topic.topic_id,
        partition_responses: topic.partition_data.iter().map(|data| landed(data.index)).collect(),
    });
    ProduceResponse { responses: responses.collect(), ..Default::default() }
}

struct World {
    machine: ClientMachine,
    shared: Accumulator<()>,
    broker: Broker,
    start: Instant,
}

impl World {
    fn now(&self) -> Now {
        Now { mono_us: self.start.elapsed().as_micros() as u64 + 1_000_000, wall_ms: 1_790_000_000_000 }
    }

    /// What thread *io* does: exchange, poll, answers.
    #[inline(never)]
    fn io(&mut self) {
        loop {
            let edges = self.machine.exchange_producer(self.now(), &mut self.shared);
            loop {
                match self.machine.poll(self.now()) {
                    Output::Wait { .. } => break,
                    Output::Connect { connection, .. } => {
                        self.machine.handle(self.now(), Input::Connected { connection });
                    }
                    Output::Send { connection, request, .. } => {
                        let bytes = request.parts().collect::<Vec<_>>().concat();
                        let frame = Frame::new(self.broker.answer(&bytes));
                        drop(request);
                        self.machine.handle(self.now(), Input::Response { connection, frame });
                    }
                    Output::Event(Event::Error(error)) => panic!("{error}"),
                    _ => {}
                }
            }
            if !edges.again && !self.machine.wants_exchange() {
                return;
            }
        }
    }

    #[inline(never)]
    fn append(&mut self, keys: &[Vec<u8>], value: &[u8], from: usize, count: usize) {
        let mut supply = Supply::nothing();
        for number in from..from + count {
            let record = NewRecord {
                topic: "bench",
                partition: -1,
                key: Some(&keys[number % keys.len()]),
                value: Some(value),
                headers: EncodedHeaders::default(),
                timestamp_ms: 1_790_000_000_000 + (number / 1000) as i64,
            };
            loop {
                match self.shared.append(&record, &mut None, &mut supply, || 1_000_000) {
                    Ok(_) => break,
                    Err(Refused::Needs(needs)) => supply.make(needs, &record),
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
    }
}

fn main() {
    let count: usize = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().expect("a number of records"));
    let config = [("bootstrap.servers", "broker:9092"), ("queue.buffering.max.messages", "10000000")];
    let mut parser = Config::new(Role::Producer);
    for (key, value) in config {
        parser.set(key, ConfigValue::Text(value.to_owned())).expect("a setting");
    }
    let settings = parser.producer().expect("settings").settings;
    let machine = ClientMachine::producer(&settings, 1);
    let mut world = World { machine, shared: Accumulator::new(&settings, 1), broker: Broker, start: Instant::now() };
    let keys: Vec<Vec<u8>> = (0..1000).map(|number| format!("{number:08}").into_bytes()).collect();
    let value = [b'v'; 100];
    world.append(&keys, &value, 0, 1);
    world.shared.flush();
    world.io();
    let (mut append_ns, mut io_ns, mut done) = (0, 0, 0);
    while done < count {
        let step = 20_000.min(count - done);
        let start = Instant::now();
        world.append(&keys, &value, done, step);
        append_ns += start.elapsed().as_nanos();
        let start = Instant::now();
        world.io();
        io_ns += start.elapsed().as_nanos();
        done += step;
    }
    world.shared.flush();
    world.io();
    assert_eq!(world.shared.outstanding(), 0);
    let per = |ns: u128| ns as f64 / count as f64;
    let line =
        format!("{{\"records\": {count}, \"append_ns\": {:.1}, \"io_ns\": {:.1}}}\n", per(append_ns), per(io_ns));
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).expect("standard output");
}
