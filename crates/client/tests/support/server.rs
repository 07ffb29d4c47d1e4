//! A scripted broker: speaks enough of Kafka for one client and says what the test tells it to. It answers ApiVersions and
//! Metadata itself; everything else, and what is wrong with it, is the test's.
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_protocol::api::ApiKey;
use ottla_protocol::header::{decode_request_header, encode_response_header};
use ottla_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use ottla_protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::primitives::{Message, Reader, Uuid, Writer};

/// One request as it came.
pub struct Request {
    pub api: ApiKey,
    pub version: i16,
    pub correlation_id: i32,
    /// Behind the header.
    pub body: Vec<u8>,
    /// How many connections came before this one's.
    pub connection: usize,
}

/// What to send back.
pub enum Answer {
    /// A response, length and all.
    Bytes(Vec<u8>),
    /// As a broker would that is what the test is not about.
    Usual,
    /// Nothing, ever.
    Park,
    /// Close the connection.
    Close,
}

/// A listening broker; ends with the test's process.
pub struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Serves each connection on a thread of its own; `script` sees every request.
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (script, count) = (Arc::new(script), connections.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, connection) = (script.clone(), count.fetch_add(1, Ordering::SeqCst));
                std::thread::spawn(move || serve(stream, connection, address, &*script));
            }
        });
        Self { address, connections }
    }

    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(
    mut stream: TcpStream,
    connection: usize,
    address: SocketAddr,
    script: &dyn Fn(&Request) -> Answer,
) -> Option<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).ok()?];
        stream.read_exact(&mut frame).ok()?;
        let request = parse(&frame, connection);
        let bytes = match script(&request) {
            Answer::Bytes(bytes) => bytes,
            Answer::Usual => usual(&request, address)?,
            Answer::Park => continue,
            Answer::Close => return None,
        };
        stream.write_all(&bytes).ok()?;
    }
}

fn parse(frame: &[u8], connection: usize) -> Request {
    let mut reader = Reader::new(frame);
    let header = decode_request_header(&mut reader).unwrap();
    let api = ApiKey::from_i16(header.api_key).unwrap();
    let body = reader.rest().to_vec();
    Request { api, version: header.api_version, correlation_id: header.correlation_id, body, connection }
}

/// A response to `request`, with its length.
pub fn response<'a>(request: &Request, message: &impl Message<'a>) -> Vec<u8> {
    let mut writer = Writer::new();
    encode_response_header(&mut writer, request.api, request.version, request.correlation_id);
    message.encode(&mut writer, request.version).unwrap();
    let (body, _) = writer.into_parts();
    [&(body.len() as i32).to_be_bytes()[..], &body].concat()
}

fn usual(request: &Request, address: SocketAddr) -> Option<Vec<u8>> {
    match request.api {
        ApiKey::ApiVersions => {
            let served = [ApiKey::Produce, ApiKey::Fetch, ApiKey::ListOffsets, ApiKey::Metadata, ApiKey::ApiVersions];
            let row = |api: ApiKey| ApiVersion {
                api_key: api.as_i16(),
                min_version: api.min_version(),
                max_version: 9.min(api.api().max_version),
            };
            let response_message = ApiVersionsResponse { api_keys: served.map(row).to_vec(), ..Default::default() };
            Some(response(request, &response_message))
        }
        ApiKey::Metadata => {
            let asked = MetadataRequest::decode(&mut Reader::new(&request.body), request.version).ok()?;
            let host = address.ip().to_string();
            let partition = MetadataResponsePartition {
                leader_id: 1,
                replica_nodes: vec![1],
                isr_nodes: vec![1],
                ..Default::default()
            };
            let topic = |name| MetadataResponseTopic {
                name,
                topic_id: Uuid::ZERO,
                partitions: vec![partition.clone()],
                ..Default::default()
            };
            let broker =
                MetadataResponseBroker { node_id: 1, host: &host, port: i32::from(address.port()), rack: None };
            let answer = MetadataResponse {
                brokers: vec![broker],
                controller_id: 1,
                topics: asked.topics.unwrap_or_default().iter().map(|found| topic(found.name)).collect(),
                ..Default::default()
            };
            Some(response(request, &answer))
        }
        _ => None,
    }
}
