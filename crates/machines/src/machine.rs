//! The contract between a machine and its driver: what goes in, what comes out, and the bytes that travel.
//!
//! A driver feeds every input to [`Machine::handle`], lets the machine exchange with the state that it shares with the
//! caller's thread, then calls [`Machine::poll`] until it says [`Output::Wait`]; and again at that time, on the next input,
//! or when the caller's side wakes it. `handle` never fails: a bad response becomes an event or a new state.
use std::sync::Arc;

pub use ottla_protocol::frame::Frame;

use crate::job::{Computed, Job};

/// The time, as given by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Microseconds of a clock that never goes back; its origin means nothing.
    pub mono_us: u64,
    /// Milliseconds since 1970 (UTC), for timestamps of records alone.
    pub wall_ms: i64,
}

/// A connection (or the attempt to make one); never reused within a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A broker's id. Addresses of `bootstrap.servers`, whose ids are not known yet, count down from -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub i32);

impl NodeId {
    /// Whether this is an address of `bootstrap.servers` rather than a broker of the cluster.
    pub fn is_bootstrap(self) -> bool {
        self.0 < 0
    }
}

/// E1: a broker serves one request per connection at a time, so each kind of traffic has a connection of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Fetch, which parks.
    Fetch,
    /// Produce and what must stay in order with it.
    Produce,
    /// JoinGroup, SyncGroup, heartbeats.
    Group,
    /// Metadata, offsets, commits, admin.
    General,
}

/// A host (name or address) and port to connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    pub host: Arc<str>,
    pub port: u16,
}

/// A pooled piece of memory and how much of it is used.
#[derive(Debug)]
pub struct Chunk {
    pub buffer: Box<[u8]>,
    pub used: usize,
}

impl Chunk {
    pub fn new(size: usize) -> Self {
        Self { buffer: vec![0; size].into_boxed_slice(), used: 0 }
    }

    pub fn filled(bytes: Vec<u8>) -> Self {
        Self { used: bytes.len(), buffer: bytes.into_boxed_slice() }
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.used]
    }
}

/// The records of a sealed batch, without the batch header: immutable, sent as they are on every attempt (E9).
#[derive(Debug, Default)]
pub struct Body {
    chunks: Vec<Chunk>,
    len: usize,
}

impl Body {
    pub fn new(chunks: Vec<Chunk>) -> Self {
        let len = chunks.iter().map(|chunk| chunk.used).sum();
        Self { chunks, len }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.chunks.iter().map(Chunk::as_slice)
    }

    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    pub fn into_chunks(self) -> Vec<Chunk> {
        self.chunks
    }
}

/// A request as it goes to the socket: small fields in one buffer, record batches between them by reference.
#[derive(Debug)]
pub struct OutgoingFrame {
    fields: Vec<u8>,
    bodies: Vec<(usize, Arc<Body>)>,
    unanswered: bool,
}

impl OutgoingFrame {
    /// `bodies` are cut in at their positions in `fields`, which begin with the length of the whole.
    pub fn new(fields: Vec<u8>, bodies: Vec<(usize, Arc<Body>)>) -> Self {
        Self { fields, bodies, unanswered: false }
    }

    /// The same, as one that the broker will not answer: the driver tells by [`Input::Written`] when it is written.
    pub fn into_unanswered(self) -> Self {
        Self { unanswered: true, ..self }
    }

    /// Whether the machine waits for [`Input::Written`].
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// Bytes on the wire, length prefix included.
    pub fn len(&self) -> usize {
        self.fields.len() + self.bodies.iter().map(|(_, body)| body.len()).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The bytes in the order of the wire, for vectored writes.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        let cuts = self.bodies.iter().flat_map(move |(position, body)| {
            let head = &self.fields[from..*position];
            from = *position;
            std::iter::once(head).chain(body.parts())
        });
        let tail = &self.fields[self.bodies.last().map_or(0, |(position, _)| *position)..];
        cuts.chain(std::iter::once(tail)).filter(|part| !part.is_empty())
    }
}

/// Why a connection ended, or could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisconnectCause {
    /// The broker closed it.
    Closed,
    /// Nobody listens there; the system's words.
    Refused(Arc<str>),
    /// The host name has no address; the resolver's words.
    Resolve(Arc<str>),
    /// Another error of the socket; the system's words.
    Io(Arc<str>),
    /// Not connected (or versions not known) within `socket.connection.setup.timeout.ms`.
    ConnectTimeout,
    /// A request was not answered within its time-out.
    RequestTimeout,
    /// The broker sent bytes that are no answer of Kafka's protocol (E19).
    BadFrame(Arc<str>),
    /// Idle for longer than `connections.max.idle.ms`.
    Idle,
    /// The client closed it.
    ByUs,
}

/// What a driver tells a machine.
#[derive(Debug)]
pub enum Input<C> {
    Command(C),
    Connected {
        connection: ConnectionId,
    },
    Disconnected {
        connection: ConnectionId,
        cause: DisconnectCause,
    },
    Response {
        connection: ConnectionId,
        frame: Frame,
    },
    /// The system took the last byte of the oldest request that the broker will not answer
    /// ([`OutgoingFrame::is_unanswered`]) and that was not told of yet.
    Written {
        connection: ConnectionId,
    },
    Computed(Computed),
}

/// What a machine asks of its driver.
#[derive(Debug)]
pub enum Output<E> {
    /// Answered by `Connected` or `Disconnected`.
    Connect {
        connection: ConnectionId,
        endpoint: Endpoint,
        node: NodeId,
        lane: Lane,
    },
    /// The machine has forgotten this connection; nothing need be said of it any more.
    Close {
        connection: ConnectionId,
    },
    Send {
        connection: ConnectionId,
        correlation_id: i32,
        request: OutgoingFrame,
    },
    /// For thread *work*; answered by `Computed`, in the order of asking.
    Compute(Job),
    Event(E),
    /// A buffer that nobody reads any more, for the driver's pool (E15).
    Recycle(Vec<u8>),
    /// Nothing more to do before this time (none: before the next input).
    Wait {
        until_us: Option<u64>,
    },
}

/// A state machine; see the module's documentation for who calls what.
pub trait Machine {
    type Command;
    type Event;

    fn handle(&mut self, now: Now, input: Input<Self::Command>);
    fn poll(&mut self, now: Now) -> Output<Self::Event>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_the_order_of_the_wire() {
        let body = |text: &str| {
            let chunks = text.as_bytes().chunks(2).map(|part| Chunk::filled(part.to_vec())).collect();
            Arc::new(Body::new(chunks))
        };
        let frame = OutgoingFrame::new(b"abcd".to_vec(), vec![(1, body("12345")), (3, body("67"))]);
        assert_eq!(frame.parts().collect::<Vec<_>>().concat(), b"a12345bc67d");
        assert_eq!(frame.len(), 11);
        let plain = OutgoingFrame::new(b"abcd".to_vec(), Vec::new());
        assert_eq!(plain.parts().collect::<Vec<_>>().concat(), b"abcd");
    }

    #[test]
    fn a_frame_knows_its_own_slices() {
        let frame = Frame::new(b"0123456789".to_vec());
        assert_eq!(frame.range_of(&frame.as_slice()[2..5]), Some(2..5));
        assert_eq!(frame.range_of(b"elsewhere"), None);
        let other = frame.clone();
        assert!(other.same(&frame) && frame.into_buffer().is_none());
        assert_eq!(other.into_buffer().map(|buffer| buffer.len()), Some(10));
    }
}
