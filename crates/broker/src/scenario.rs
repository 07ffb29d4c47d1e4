//! What the tests drive a cluster with: clients that encode requests and decode responses, in virtual time.

use ottla_protocol::api::ApiKey;
use ottla_protocol::header::{decode_response_header, encode_request_header};
use ottla_protocol::primitives::{Message, Reader, Request, Writer};

use crate::cluster::Cluster;
use crate::frame::Frame;
use crate::machine::{ConnectionId, Now, Output};
use crate::settings::Settings;

/// A cluster with a clock of its own, and what it gave.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) now: Now,
    /// Responses without length, in order, by connection; `None` is a close.
    pub(crate) given: Vec<(ConnectionId, Option<Vec<u8>>)>,
    pub(crate) listening: Vec<(i32, bool)>,
    /// What the last poll said.
    pub(crate) until_us: Option<u64>,
    last_connection: u64,
}

/// The body of a response.
pub(crate) fn body<'a, M: Message<'a>>(api: ApiKey, version: i16, bytes: &'a [u8]) -> M {
    let mut r = Reader::new(bytes);
    decode_response_header(&mut r, api, version).unwrap();
    let body = M::decode(&mut r, version).unwrap();
    assert_eq!(r.remaining(), 0, "{api:?} v{version}");
    body
}

/// A request as bytes, correlation id 7, client id `test`.
pub(crate) fn frame<'a, M: Message<'a> + Request>(version: i16, request: &M) -> Frame {
    let mut w = Writer::new();
    encode_request_header(&mut w, M::API_KEY, version, 7, Some("test")).unwrap();
    request.encode(&mut w, version).unwrap();
    Frame::new(w.into_parts().0)
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let addresses = (0..settings.brokers).map(|index| ("broker".into(), 9092 + index as u16)).collect();
        let mut world = Self {
            cluster: Cluster::new(settings, addresses),
            now: Now { mono_us: 1_000_000, wall_ms: 1_790_000_000_000 },
            given: Vec::new(),
            listening: Vec::new(),
            until_us: None,
            last_connection: 0,
        };
        world.settle();
        world
    }

    pub(crate) fn connect(&mut self, node: i32) -> ConnectionId {
        self.last_connection += 1;
        let connection = ConnectionId(self.last_connection);
        self.cluster.connected(self.now, node, connection);
        self.settle();
        connection
    }

    /// Polls until there is nothing to do.
    pub(crate) fn settle(&mut self) {
        loop {
            match self.cluster.poll(self.now) {
                Output::Send { connection, segments } => {
                    let bytes: Vec<u8> = segments.iter().flat_map(|segment| segment.as_slice().to_vec()).collect();
                    let length = i32::from_be_bytes(bytes[..4].try_into().unwrap());
                    assert_eq!(length as usize, bytes.len() - 4);
                    self.given.push((connection, Some(bytes[4..].to_vec())));
                }
                Output::Close { connection } => self.given.push((connection, None)),
                Output::Listen { node } => self.listening.push((node, true)),
                Output::StopListening { node } => self.listening.push((node, false)),
                Output::Wait { until_us } => {
                    self.until_us = until_us;
                    return;
                }
            }
        }
    }

    /// Lets time go by, stopping wherever the cluster wants to be polled.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        let end = self.now.after_ms(ms);
        loop {
            let next = self.until_us.map_or(end, |until_us| until_us.clamp(self.now.mono_us, end));
            self.now.wall_ms += ((next - self.now.mono_us) / 1000) as i64;
            self.now.mono_us = next;
            self.settle();
            if next == end && self.until_us.is_none_or(|until_us| until_us > end) {
                return;
            }
        }
    }

    pub(crate) fn send(&mut self, connection: ConnectionId, frame: Frame) {
        self.cluster.request(self.now, connection, frame);
        self.settle();
    }

    /// The oldest response of the connection that was not taken; `None` where there is none.
    pub(crate) fn take(&mut self, connection: ConnectionId) -> Option<Vec<u8>> {
        let place = self.given.iter().position(|(id, bytes)| *id == connection && bytes.is_some())?;
        self.given.remove(place).1
    }

    /// Whether the cluster closed the connection.
    pub(crate) fn closed(&self, connection: ConnectionId) -> bool {
        self.given.iter().any(|(id, bytes)| *id == connection && bytes.is_none())
    }

    /// Sends a request that is answered at once.
    pub(crate) fn ask<'a, M: Message<'a> + Request>(
        &mut self,
        connection: ConnectionId,
        version: i16,
        request: &M,
    ) -> Vec<u8> {
        self.send(connection, frame(version, request));
        self.take(connection).expect("an answer at once")
    }
}
