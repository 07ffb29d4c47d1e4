//! One connection: cuts frames from the stream, each into memory of its own that the log may keep, and writes answers
//! with vectored writes, straight from stored requests.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::Shutdown;

use bytes::BufMut;
use ottla_protocol::frame::{PREFIX_LEN, frame_length};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::yield_now;

use super::server::Told;
use crate::frame::{Frame, Segment};
use crate::machine::ConnectionId;

/// Read at once while no large frame is under way.
pub(super) const SCRATCH: usize = 64 << 10;
/// What a connection keeps of it while nothing is under way.
const KEPT: usize = 4 << 10;
/// Read in one turn: then others have theirs, however much there is (E4's rule, on the broker's side).
const TURN: usize = 256 << 10;
/// Pieces written by one call.
const SLICES: usize = 256;

/// A connection's socket, and what waits to be written to it.
pub(super) struct Peer {
    pub(super) id: ConnectionId,
    stream: Told<TcpStream>,
    outgoing: RefCell<VecDeque<Segment>>,
    /// Bytes of the first piece that are written.
    written: Cell<usize>,
    /// Bytes that wait to be written.
    pub(super) waiting: Cell<usize>,
    /// Closed once all is written.
    closing: Cell<bool>,
    /// The socket took less than there was: whoever waits for it writes on.
    pub(super) blocked: Notify,
    /// Something was answered or written, for a reader that stopped.
    pub(super) drained: Notify,
}

impl Peer {
    pub(super) fn new(id: ConnectionId, stream: Told<TcpStream>) -> Self {
        Self {
            id,
            stream,
            outgoing: RefCell::default(),
            written: Cell::new(0),
            waiting: Cell::new(0),
            closing: Cell::new(false),
            blocked: Notify::new(),
            drained: Notify::new(),
        }
    }

    /// Puts pieces behind those that wait.
    pub(super) fn push(&self, segments: Vec<Segment>) {
        let bytes: usize = segments.iter().map(Segment::len).sum();
        self.waiting.set(self.waiting.get() + bytes);
        self.outgoing.borrow_mut().extend(segments);
    }

    /// Closes the connection, once all is written.
    pub(super) fn close(&self) {
        self.closing.set(true);
    }

    /// Whether it is closed, or about to be.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Writes what the socket takes; gives whether that was all.
    pub(super) fn write(&self) -> bool {
        let mut outgoing = self.outgoing.borrow_mut();
        while !outgoing.is_empty() {
            match self.write_once(&outgoing) {
                Ok(count) => self.advance(&mut outgoing, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    outgoing.clear();
                    self.waiting.set(0);
                    self.closing.set(true);
                }
            }
        }
        if self.closing.get() {
            // The reader sees the end, and the last holder closes the socket.
            let _ = SockRef::from(&self.stream.socket).shutdown(Shutdown::Both);
        }
        true
    }

    fn write_once(&self, outgoing: &VecDeque<Segment>) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        let mut skip = self.written.get();
        for (slice, segment) in slices.iter_mut().zip(outgoing) {
            *slice = IoSlice::new(segment.as_slice().get(skip..).unwrap_or_default());
            skip = 0;
            count += 1;
        }
        self.stream.socket.try_write_vectored(&slices[..count])
    }

    fn advance(&self, outgoing: &mut VecDeque<Segment>, count: usize) {
        self.waiting.set(self.waiting.get().saturating_sub(count));
        let mut written = self.written.get() + count;
        while let Some(first) = outgoing.front().map(Segment::len)
            && written >= first
        {
            written -= first;
            outgoing.pop_front();
        }
        self.written.set(written);
    }

    /// Writes whatever waits, whenever the socket takes it; ends with the connection.
    pub(super) async fn write_on(&self) {
        loop {
            self.blocked.notified().await;
            while !self.write() {
                if self.stream.socket.writable().await.is_err() {
                    return;
                }
            }
            self.drained.notify_one();
        }
    }

    /// Reads until a frame is whole; gives way to others after a turn's bytes, for a socket that is never empty would keep
    /// the thread to itself.
    ///
    /// # Errors
    /// The stream ended or broke, or a length cannot be a frame's: the connection is over.
    pub(super) async fn read(
        &self,
        incoming: &mut Incoming,
        scratch: &RefCell<Vec<u8>>,
        max: usize,
    ) -> io::Result<Frame> {
        loop {
            if let Some(frame) = incoming.cut(max)? {
                return Ok(frame);
            }
            self.stream.socket.readable().await?;
            // Given back before anything is waited for: all connections share it.
            let read = incoming.read(&self.stream.socket, &mut scratch.borrow_mut());
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    incoming.turn += count;
                    if incoming.turn >= TURN {
                        incoming.turn = 0;
                        yield_now().await;
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What was read, and is not a whole frame yet.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// Bytes of which no frame was cut yet.
    head: Vec<u8>,
    /// How many of them were cut off.
    taken: usize,
    /// A frame under way, and its whole length.
    frame: Option<(Vec<u8>, usize)>,
    /// Bytes that were read in this turn.
    turn: usize,
}

impl Incoming {
    /// The next whole frame of what was read.
    fn cut(&mut self, max: usize) -> io::Result<Option<Frame>> {
        if self.frame.is_none() {
            let rest = self.head.get(self.taken..).unwrap_or_default();
            let Some(prefix) = rest.first_chunk::<PREFIX_LEN>() else {
                self.head.drain(..self.taken);
                self.taken = 0;
                self.shrink();
                return Ok(None);
            };
            let length =
                frame_length(*prefix, max).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let body = &rest[PREFIX_LEN..];
            let present = body.len().min(length);
            let mut frame = Vec::with_capacity(length);
            frame.extend_from_slice(&body[..present]);
            self.taken += PREFIX_LEN + present;
            self.frame = Some((frame, length));
        }
        match self.frame.take() {
            Some((frame, length)) if frame.len() == length => Ok(Some(Frame::new(frame))),
            unfinished => {
                self.frame = unfinished;
                // The frame took all that was there.
                self.head.clear();
                self.taken = 0;
                self.shrink();
                Ok(None)
            }
        }
    }

    /// A connection that is idle costs no more than a small buffer.
    fn shrink(&mut self) {
        if self.head.capacity() > KEPT {
            self.head.shrink_to(KEPT);
        }
    }

    /// Reads once: the rest of a frame straight into its memory, anything else by way of `scratch`.
    fn read(&mut self, stream: &TcpStream, scratch: &mut Vec<u8>) -> io::Result<usize> {
        if let Some((frame, length)) = &mut self.frame {
            let left = *length - frame.len();
            return stream.try_read_buf(&mut (&mut *frame).limit(left));
        }
        scratch.clear();
        let count = stream.try_read_buf(&mut (&mut *scratch).limit(SCRATCH))?;
        self.head.extend_from_slice(scratch);
        Ok(count)
    }
}
