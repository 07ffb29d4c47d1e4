//! What a record costs from a Fetch response to the caller's hands, without sockets and threads: `take` and `take_many` on the
//! caller's side, the whole client machine on the side of *io*. Run it with `--release`; nanoseconds are of this machine.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a program that measures and prints"
)]
use std::hint::black_box;
use std::time::Instant;

use ottla_machines::client::ClientMachine;
use ottla_machines::config::confluent::{Config, Role};
use ottla_machines::consumer::{Assigned, FetchBuffer, PreparedAssignment, RecordRun, Scratch, StartOffset, Take};
use ottla_machines::machine::{ConnectionId, Frame, Input, Machine, Now, Output};
use ottla_protocol::api::ApiKey;
use ottla_protocol::header::{decode_request_header, encode_response_header};
use ottla_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use ottla_protocol::messages::fetch::{FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use ottla_protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::primitives::{Message, Reader, Records, Uuid, Writer};
use ottla_protocol::records::{BATCH_HEADER_LEN, BatchHeader, EncodedHeaders, record_size, write_record};

const TOPIC: Uuid = Uuid([7; 16]);
/// As a producer with `batch.size=1000000` writes them: records of 8 bytes of key and 100 of value.
const RECORDS: u32 = 1000;
const BATCHES: usize = 9;

/// The records of one batch; offsets are put in when it is sent.
fn body() -> Vec<u8> {
    let mut body = Vec::new();
    for delta in 0..RECORDS {
        let (key, value) = (format!("{delta:08}"), [b'v'; 100]);
        let headers = EncodedHeaders { count: 0, bytes: &[] };
        let size = record_size(delta, 0, Some(key.as_bytes()), Some(&value), headers);
        let start = body.len();
        body.resize(start + size.total, 0);
        write_record(&mut body[start..], size, delta, 0, Some(key.as_bytes()), Some(&value), headers);
    }
    body
}

fn batches(body: &[u8], offset: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BATCHES * (BATCH_HEADER_LEN + body.len()));
    for index in 0..BATCHES as i64 {
        let mut header = BatchHeader {
            base_offset: offset + index * i64::from(RECORDS),
            batch_length: 0,
            partition_leader_epoch: 0,
            magic: 2,
            crc: 0,
            attributes: 0,
            last_offset_delta: RECORDS as i32 - 1,
            base_timestamp: 1_700_000_000_000,
            max_timestamp: 1_700_000_000_000,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: RECORDS as i32,
        };
        bytes.extend_from_slice(&header.seal(std::iter::once(body)));
        bytes.extend_from_slice(body);
    }
    bytes
}

struct World {
    machine: ClientMachine,
    buffer: FetchBuffer,
    now: Now,
    body: Vec<u8>,
    /// The Fetch that waits: connection, version, correlation id, offset.
    fetch: Option<(ConnectionId, i16, i32, i64)>,
    buffers: Vec<Vec<u8>>,
}

impl World {
    fn new() -> Self {
        let mut config = Config::new(Role::Consumer);
        for (key, value) in [("bootstrap.servers", "one:9092"), ("group.id", "g")] {
            config.set(key, value.into()).unwrap();
        }
        let settings = config.consumer().unwrap().settings;
        let buffer = FetchBuffer::new(&settings);
        let machine = ClientMachine::consumer(&settings, 1);
        Self { machine, buffer, now: Now { mono_us: 1, wall_ms: 1 }, body: body(), fetch: None, buffers: Vec::new() }
    }

    fn turn(&mut self) {
        loop {
            let edges = self.machine.exchange_consumer(self.now, &mut self.buffer);
            let mut busy = edges.again;
            loop {
                match self.machine.poll(self.now) {
                    Output::Connect { connection, .. } => {
                        self.machine.handle(self.now, Input::Connected { connection })
                    }
                    Output::Send { connection, request, .. } => {
                        let bytes = request.parts().collect::<Vec<_>>().concat();
                        self.asked(connection, &bytes[4..]);
                    }
                    Output::Recycle(buffer) => self.buffers.push(buffer),
                    Output::Wait { .. } => break,
                    _ => {}
                }
                busy = true;
            }
            if !busy && !self.machine.wants_exchange() {
                return;
            }
        }
    }

    fn asked(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let mut reader = Reader::new(bytes);
        let header = decode_request_header(&mut reader).unwrap();
        let version = header.api_version;
        let api = ApiKey::from_i16(header.api_key).unwrap();
        let mut writer = Writer::with_capacity(256);
        encode_response_header(&mut writer, api, version, header.correlation_id);
        match api {
            ApiKey::ApiVersions => {
                let range =
                    |api: ApiKey, max_version| ApiVersion { api_key: api.as_i16(), min_version: 0, max_version };
                let api_keys = vec![
                    range(ApiKey::Fetch, FetchRequest::MAX_VERSION),
                    range(ApiKey::Metadata, MetadataRequest::MAX_VERSION),
                    range(ApiKey::ApiVersions, version),
                ];
                ApiVersionsResponse { api_keys, ..Default::default() }.encode(&mut writer, version).unwrap();
            }
            ApiKey::Metadata => {
                let partition = MetadataResponsePartition { leader_id: 1, leader_epoch: 0, ..Default::default() };
                let topic = MetadataResponseTopic {
                    name: Some("t"),
                    topic_id: TOPIC,
                    partitions: vec![partition],
                    ..Default::default()
                };
                let brokers = vec![MetadataResponseBroker { node_id: 1, host: "one", port: 9092, rack: None }];
                MetadataResponse { brokers, topics: vec![topic], ..Default::default() }
                    .encode(&mut writer, version)
                    .unwrap();
            }
            _ => {
                let request = FetchRequest::decode(&mut reader, version).unwrap();
                let offset = request.topics[0].partitions[0].fetch_offset;
                self.fetch = Some((connection, version, header.correlation_id, offset));
                return;
            }
        }
        self.machine.handle(self.now, Input::Response { connection, frame: Frame::new(writer.into_parts().0) });
    }

    /// The frame of the Fetch that waits, made as the driver's read would: in a pooled buffer.
    fn frame(&mut self) -> Option<(ConnectionId, Frame)> {
        let (connection, version, correlation_id, offset) = self.fetch.take()?;
        let records = batches(&self.body, offset);
        let data = PartitionData {
            high_watermark: i64::MAX,
            last_stable_offset: i64::MAX,
            log_start_offset: 0,
            records: Some(Records::Bytes(&records)),
            ..Default::default()
        };
        let responses = vec![FetchableTopicResponse { topic: "", topic_id: TOPIC, partitions: vec![data] }];
        let mut writer = Writer::with_capacity(records.len() + 200);
        encode_response_header(&mut writer, ApiKey::Fetch, version, correlation_id);
        FetchResponse { responses, ..Default::default() }.encode(&mut writer, version).unwrap();
        let bytes = writer.into_parts().0;
        let mut pooled = self.buffers.pop().unwrap_or_default();
        pooled.clear();
        pooled.extend_from_slice(&bytes);
        Some((connection, Frame::new(pooled)))
    }
}

/// Reads `fetches` responses by `take`; prints the median cost of a record on the caller's side and on that of *io*. Medians of
/// single responses (a third of a millisecond each), so that other programs disturb little.
fn measure(name: &str, fetches: usize, mut take: impl FnMut(&mut FetchBuffer) -> usize) {
    let mut world = World::new();
    let assigned = Assigned { topic: "t".into(), partition: 0, start: StartOffset::Offset(0) };
    drop(world.buffer.assign(PreparedAssignment::new(vec![assigned]).unwrap()));
    world.turn();
    let (mut caller, mut io) = (Vec::new(), Vec::new());
    for _ in 0..fetches {
        let Some((connection, frame)) = world.frame() else { panic!("no Fetch was sent") };
        let start = Instant::now();
        world.machine.handle(world.now, Input::Response { connection, frame });
        world.turn();
        let before = start.elapsed();
        let start = Instant::now();
        let records = take(&mut world.buffer) as f64;
        caller.push(start.elapsed().as_secs_f64() * 1e9 / records);
        let start = Instant::now();
        world.turn();
        io.push((before + start.elapsed()).as_secs_f64() * 1e9 / records);
    }
    let median = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    println!("{name:<10} {:6.1} ns a record for the caller, {:5.1} ns on io", median(caller), median(io));
}

fn main() {
    let fetches: usize = std::env::args().nth(1).map_or(200, |argument| argument.parse().unwrap());
    let mut scratch = Scratch::new();
    measure("take", fetches, |buffer| {
        let mut records = 0;
        while let Take::Record(record) = buffer.take(&mut scratch) {
            black_box((record.offset, record.value(&scratch)));
            records += 1;
        }
        records
    });
    let mut run = RecordRun::new();
    measure("take_many", fetches, |buffer| {
        let mut records = 0;
        while buffer.take_many(1000, &mut run) > 0 {
            for record in run.records() {
                black_box((record.offset, run.value(record)));
            }
            records += run.records().len();
        }
        run.clear();
        records
    });
}
