//! The server over real sockets.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::fetch::{FetchRequest, FetchResponse};
use ottla_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use ottla_protocol::messages::produce::{ProduceRequest, ProduceResponse};
use ottla_protocol::primitives::{Message, Records, Request, Uuid};

use super::{ServeOptions, Server};
use crate::scenario::{body, frame};
use crate::scenario_records::{Batch, fetch, produce};
use crate::settings::Settings;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Client(TcpStream);

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn send<'a, M: Message<'a> + Request>(&mut self, version: i16, request: &M) {
        let frame = frame(version, request);
        self.0.write_all(&(frame.as_slice().len() as i32).to_be_bytes()).unwrap();
        self.0.write_all(frame.as_slice()).unwrap();
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut bytes = vec![0; i32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn ask<'a, M: Message<'a> + Request>(&mut self, version: i16, request: &M) -> Vec<u8> {
        self.send(version, request);
        self.receive()
    }

    /// Whether the server closed the connection.
    fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 16]), Ok(0) | Err(_))
    }
}

fn start(brokers: u32) -> Server {
    let server = Server::start(Settings { brokers, ..Settings::default() }, ServeOptions::default()).unwrap();
    server.with(|cluster, now| cluster.create_topic(now, "t", None, None)).unwrap();
    server
}

/// The leader of partition 0 of `t`.
fn leader(server: &Server) -> SocketAddr {
    let id = server.with(|cluster, _| cluster.topics().by_name("t").unwrap().partition(0).unwrap().leader().unwrap());
    server.addresses()[id as usize - 1]
}

#[test]
fn clients_are_told_where_the_brokers_are() {
    let server = start(3);
    let mut client = Client::new(server.addresses()[1]);
    let bytes = client.ask(12, &MetadataRequest { topics: None, ..MetadataRequest::default() });
    let response: MetadataResponse<'_> = body(ApiKey::Metadata, 12, &bytes);
    let told: Vec<String> = response.brokers.iter().map(|broker| format!("{}:{}", broker.host, broker.port)).collect();
    assert_eq!(told.join(","), server.bootstrap_servers());
    assert!(response.cluster_id.unwrap().starts_with("test-"));
}

#[test]
fn large_batches_come_back_as_they_went_and_a_waiting_fetch_is_woken() {
    let server = start(1);
    let (mut producer, mut consumer) = (Client::new(leader(&server)), Client::new(leader(&server)));
    let batch = Batch { value: vec![b'x'; 9_000], ..Batch::of(100) }.bytes();
    for round in 0..20 {
        let wait = FetchRequest {
            min_bytes: 1,
            max_wait_ms: 20_000,
            max_bytes: 50 << 20,
            ..fetch("t", Uuid::ZERO, &[(0, 100 * round)])
        };
        consumer.send(12, &wait);
        let bytes = producer.ask(9, &produce("t", Uuid::ZERO, 0, &batch));
        let response: ProduceResponse<'_> = body(ApiKey::Produce, 9, &bytes);
        assert_eq!(response.responses[0].partition_responses[0].base_offset, 100 * round);
        let bytes = consumer.receive();
        let response: FetchResponse<'_> = body(ApiKey::Fetch, 12, &bytes);
        let Some(Records::Bytes(records)) = response.responses[0].partitions[0].records else { panic!("no records") };
        assert_eq!((records.len(), &records[16..]), (batch.len(), &batch[16..]));
    }
}

#[test]
fn requests_may_be_written_in_any_pieces_and_many_at_once() {
    let server = start(1);
    let mut client = Client::new(leader(&server));
    let batch = Batch::of(1).bytes();
    let request = frame(9, &produce("t", Uuid::ZERO, 0, &batch));
    let one = [&(request.as_slice().len() as i32).to_be_bytes()[..], request.as_slice()].concat();
    for byte in &one {
        client.0.write_all(&[*byte]).unwrap();
    }
    client.receive();
    let mut reader = Client(client.0.try_clone().unwrap());
    let many = one.repeat(3000);
    let writer = std::thread::spawn(move || client.0.write_all(&many).unwrap());
    for expected in 1..=3000 {
        let bytes = reader.receive();
        let response: ProduceResponse<'_> = body(ApiKey::Produce, 9, &bytes);
        assert_eq!(response.responses[0].partition_responses[0].base_offset, expected);
    }
    writer.join().unwrap();
    assert_eq!(server.with(|cluster, _| cluster.log_end("t", 0)), Some(3001));
}

#[test]
fn a_client_that_asks_and_does_not_read_keeps_nobody_waiting() {
    let server = start(1);
    let (mut producer, mut deaf) = (Client::new(leader(&server)), Client::new(leader(&server)));
    let batch = Batch { value: vec![b'x'; 900_000], ..Batch::of(1) }.bytes();
    for _ in 0..10 {
        producer.ask(9, &produce("t", Uuid::ZERO, 0, &batch));
    }
    let most = FetchRequest { max_bytes: 50 << 20, ..fetch("t", Uuid::ZERO, &[(0, 0)]) };
    let mut most = most;
    most.topics[0].partitions[0].partition_max_bytes = 50 << 20;
    for _ in 0..40 {
        deaf.send(12, &most);
    }
    producer.ask(9, &produce("t", Uuid::ZERO, 0, &batch));
    // Whoever is deaf for a while gets all of it all the same.
    for _ in 0..40 {
        let bytes = deaf.receive();
        let response: FetchResponse<'_> = body(ApiKey::Fetch, 12, &bytes);
        let length = response.responses[0].partitions[0].records.map_or(0, |records| records.len());
        assert!(length >= 10 * batch.len());
    }
}

#[test]
fn lengths_that_no_request_has_close_the_connection_alone() {
    let server = start(1);
    let mut other = Client::new(leader(&server));
    for length in [-1, i32::MIN, i32::MAX, 104_857_601, 0] {
        let mut client = Client::new(leader(&server));
        client.0.write_all(&length.to_be_bytes()).unwrap();
        assert!(client.is_closed(), "{length}");
    }
    other.ask(12, &MetadataRequest { topics: None, ..MetadataRequest::default() });
}

#[test]
fn a_killed_broker_refuses_connections_until_it_is_started_at_the_same_port() {
    let server = start(2);
    let address = server.addresses()[0];
    let mut client = Client::new(address);
    server.with(|cluster, now| cluster.kill(now, 1));
    assert!(client.is_closed());
    assert!(TcpStream::connect(address).is_err());
    // The other one serves, and leads what the first one led.
    let mut client = Client::new(server.addresses()[1]);
    let batch = Batch::of(1).bytes();
    let bytes = client.ask(9, &produce("t", Uuid::ZERO, 0, &batch));
    let response: ProduceResponse<'_> = body(ApiKey::Produce, 9, &bytes);
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    server.with(|cluster, now| cluster.start(now, 1));
    let mut client = Client::new(address);
    client.ask(12, &MetadataRequest { topics: None, ..MetadataRequest::default() });
}

#[test]
fn a_server_ends_while_clients_wait_and_frees_its_ports() {
    let server = start(1);
    let address = leader(&server);
    let mut client = Client::new(address);
    client.send(12, &FetchRequest { min_bytes: 1, max_wait_ms: 60_000, ..fetch("t", Uuid::ZERO, &[(0, 0)]) });
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < PATIENCE, "a parked Fetch does not hold it up");
    assert!(client.is_closed());
    let options = ServeOptions { ports: Some(vec![address.port()]), ..ServeOptions::default() };
    let again = Server::start(Settings::default(), options).unwrap();
    assert_eq!(again.addresses(), [address]);
}

#[test]
fn it_listens_to_strangers_only_when_told_to() {
    let host = IpAddr::from([0, 0, 0, 0]);
    let refused = Server::start(Settings::default(), ServeOptions { host, ..ServeOptions::default() });
    assert!(refused.is_err_and(|error| error.to_string().contains("allow_non_loopback")));
    let options = ServeOptions { host, allow_non_loopback: true, ..ServeOptions::default() };
    assert!(Server::start(Settings::default(), options).is_ok());
    let too_few = ServeOptions { ports: Some(Vec::new()), ..ServeOptions::default() };
    assert!(Server::start(Settings::default(), too_few).is_err());
}

#[test]
fn a_connection_that_never_pauses_does_not_keep_others_waiting() {
    let server = start(1);
    let address = server.addresses()[0];
    // Requests that have no answers, and cost the server more than the sender.
    let one = frame(9, &ProduceRequest { acks: 0, timeout_ms: 1000, ..ProduceRequest::default() });
    let mut flood = Vec::new();
    while flood.len() < 1 << 20 {
        flood.extend_from_slice(&(one.as_slice().len() as i32).to_be_bytes());
        flood.extend_from_slice(one.as_slice());
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::new(address);
            while !stop.load(Ordering::Relaxed) {
                client.0.write_all(&flood).unwrap();
            }
        });
        let mut client = Client::new(address);
        client.0.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        for _ in 0..20 {
            let mut length = [0; 4];
            client.send(12, &MetadataRequest { topics: None, ..MetadataRequest::default() });
            let answered = client.0.read_exact(&mut length);
            if answered.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            answered.expect("another connection is answered within ten seconds");
            client.0.read_exact(&mut vec![0; i32::from_be_bytes(length) as usize]).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_panic_ends_it_at_once_and_is_told() {
    let server = start(2);
    let mut client = Client::new(leader(&server));
    client.ask(12, &MetadataRequest::default());
    assert_eq!(server.failure(), None);
    let began = Instant::now();
    server.with(|cluster, _| cluster.panic_at_next_poll());
    assert_eq!(server.failure().as_deref(), Some("a test asked for a panic"));
    // It is still looked at.
    assert_eq!(server.with(|cluster, _| cluster.log_end("t", 0)), Some(0));
    assert!(began.elapsed() < Duration::from_millis(900), "nobody waits for a thread that has ended");
    assert!(client.is_closed());
    assert_eq!(server.stop().as_deref(), Some("a test asked for a panic"));
}
