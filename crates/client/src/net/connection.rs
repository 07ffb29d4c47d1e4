//! One connection: connecting, cutting the stream into frames, vectored writes of requests. It never waits and never
//! decides: a turn does what the socket lets it do, within the turn's budgets (E4), and reports.
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::BufMut;
use ottla_machines::config::ConnectionSettings;
use ottla_machines::machine::{DisconnectCause, Frame, OutgoingFrame};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use super::pool::Pool;
use super::resolve::words;
use crate::edge::Edge;
use crate::fork;

/// What is read at once while no large frame is under way: several small responses, or the beginning of a large one.
const SCRATCH: usize = 8 << 10;
/// Parts of requests written by one call.
const SLICES: usize = 64;
/// E4: what one connection reads in one turn.
const READ_A_TURN: usize = 256 << 10;

/// Options of every socket of a client, and the limit of its frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    pub(crate) nodelay: bool,
    pub(crate) keepalive: bool,
    pub(crate) send_buffer: Option<u32>,
    pub(crate) receive_buffer: Option<u32>,
    pub(crate) frame_limit: usize,
}

impl From<&ConnectionSettings> for SocketOptions {
    fn from(settings: &ConnectionSettings) -> Self {
        Self {
            nodelay: settings.nodelay,
            keepalive: settings.keepalive,
            send_buffer: settings.socket_send_buffer_bytes,
            receive_buffer: settings.socket_receive_buffer_bytes,
            frame_limit: settings.receive_message_max_bytes,
        }
    }
}

/// What a turn of a connection brought.
#[derive(Debug)]
pub(crate) enum Progress {
    Connected,
    Frame(Frame),
    /// A request that will not be answered was taken by the system.
    Written,
    /// The last of a connection.
    Ended(DisconnectCause),
}

pub(crate) struct Connection {
    options: SocketOptions,
    signal: Arc<Signal>,
    waker: Waker,
    state: State,
    /// The name has several addresses.
    several: bool,
    outgoing: VecDeque<OutgoingFrame>,
    /// Bytes of the first outgoing frame that are written.
    written: usize,
    incoming: Incoming,
}

enum State {
    /// Its name is being looked up.
    Resolving,
    Connecting {
        socket: Open,
        address: SocketAddr,
        others: VecDeque<SocketAddr>,
    },
    Connected(Open),
    Ended,
}

/// An open socket and its entry in the fork table, which is dropped first.
struct Open {
    _entry: fork::Entry,
    stream: TcpStream,
}

#[derive(Default)]
struct Incoming {
    scratch: Vec<u8>,
    /// How much of `scratch` is taken.
    head: usize,
    /// A frame under way, and its whole length.
    frame: Option<(Vec<u8>, usize)>,
}

/// Notes that a connection can go on, and wakes its client's driver: `set` is never true without a turn to come.
struct Signal {
    set: AtomicBool,
    edge: Arc<Edge>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.set.swap(true, Ordering::AcqRel) {
            self.edge.wake();
        }
    }
}

impl Connection {
    /// A connection whose addresses are yet to come.
    pub(crate) fn new(options: SocketOptions, edge: &Arc<Edge>) -> Self {
        let signal = Arc::new(Signal { set: AtomicBool::new(false), edge: edge.clone() });
        Self {
            options,
            waker: Waker::from(signal.clone()),
            signal,
            state: State::Resolving,
            several: false,
            outgoing: VecDeque::new(),
            written: 0,
            incoming: Incoming::default(),
        }
    }

    /// Begins to connect to the first of `addresses`; the others are tried in turn if it refuses. Needs a runtime.
    pub(crate) fn connect(&mut self, addresses: Vec<SocketAddr>) -> Option<Progress> {
        if !matches!(self.state, State::Resolving) {
            return None;
        }
        self.several = addresses.len() > 1;
        let last = DisconnectCause::Resolve("it has no address".into());
        self.connect_next(addresses.into(), last)
    }

    fn connect_next(&mut self, mut others: VecDeque<SocketAddr>, mut last: DisconnectCause) -> Option<Progress> {
        while let Some(address) = others.pop_front() {
            match open(address, &self.options) {
                Ok(socket) => {
                    self.state = State::Connecting { socket, address, others };
                    // The next turn asks the socket, which then knows whom to wake.
                    self.waker.wake_by_ref();
                    return None;
                }
                Err(error) => last = cause(&error),
            }
        }
        Some(self.end(last))
    }

    /// Queues a request; it is written by this turn and later ones.
    pub(crate) fn send(&mut self, request: OutgoingFrame) {
        self.outgoing.push_back(request);
    }

    /// Whether a turn would do something.
    pub(crate) fn is_ready(&self) -> bool {
        self.signal.set.load(Ordering::Acquire)
    }

    /// Writes what the socket takes, at most `budget` bytes (which is lessened). Reading is a turn of its own, so that the
    /// requests made of this turn's responses go out in this turn.
    pub(crate) fn write(&mut self, budget: &mut usize, report: &mut impl FnMut(Progress)) {
        let Self { state: State::Connected(open), outgoing, written, waker, .. } = self else { return };
        let mut context = Context::from_waker(waker);
        while *budget > 0 && !outgoing.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = gather(outgoing, *written, &mut slices);
            let cause = match Pin::new(&mut open.stream).poll_write_vectored(&mut context, &slices[..count]) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => DisconnectCause::Closed,
                Poll::Ready(Ok(bytes)) => {
                    *budget = budget.saturating_sub(bytes);
                    *written += bytes;
                    forget_written(outgoing, written, report);
                    continue;
                }
                Poll::Ready(Err(error)) => cause(&error),
            };
            report(self.end(cause));
            return;
        }
        if !self.outgoing.is_empty() {
            // The turn's budget ends here, not the work: come back.
            self.waker.wake_by_ref();
        }
    }

    /// Clears the signal and goes on with connecting and reading, at most 256 KiB.
    pub(crate) fn read(&mut self, pool: &mut Pool, report: &mut impl FnMut(Progress)) {
        self.signal.set.store(false, Ordering::Release);
        if matches!(self.state, State::Connecting { .. }) {
            match self.finish_connecting() {
                Some(progress) => report(progress),
                None => return,
            }
        }
        let State::Connected(open) = &mut self.state else { return };
        let mut context = Context::from_waker(&self.waker);
        let mut budget = READ_A_TURN;
        while budget > 0 {
            let outcome = self.incoming.read(&mut open.stream, &mut context, &mut budget);
            let cause = match outcome {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => Some(DisconnectCause::Closed),
                Poll::Ready(Ok(_)) => self.incoming.cut(pool, self.options.frame_limit, report).err(),
                Poll::Ready(Err(error)) => Some(cause(&error)),
            };
            if let Some(cause) = cause {
                report(self.end(cause));
                return;
            }
        }
        self.waker.wake_by_ref();
    }

    fn finish_connecting(&mut self) -> Option<Progress> {
        let State::Connecting { socket, .. } = &self.state else { return None };
        let outcome = match socket.stream.poll_write_ready(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => return None,
            Poll::Ready(Ok(())) => socket.stream.take_error().and_then(|error| error.map_or(Ok(()), Err)),
            Poll::Ready(Err(error)) => Err(error),
        };
        match (outcome, std::mem::replace(&mut self.state, State::Ended)) {
            (Ok(()), State::Connecting { socket, .. }) => {
                self.state = State::Connected(socket);
                Some(Progress::Connected)
            }
            (Err(error), State::Connecting { socket, address, others }) => {
                drop(socket);
                let several = self.several;
                self.connect_next(others, refused(&error, several.then_some(address)))
            }
            (_, state) => {
                self.state = state;
                None
            }
        }
    }

    fn end(&mut self, cause: DisconnectCause) -> Progress {
        self.state = State::Ended;
        self.outgoing.clear();
        Progress::Ended(cause)
    }
}

/// Drops what is written whole, and with it the hold on its records.
fn forget_written(outgoing: &mut VecDeque<OutgoingFrame>, written: &mut usize, report: &mut impl FnMut(Progress)) {
    while let Some(len) = outgoing.front().map(OutgoingFrame::len)
        && *written >= len
    {
        *written -= len;
        if outgoing.pop_front().is_some_and(|request| request.is_unanswered()) {
            report(Progress::Written);
        }
    }
}

/// The parts of `outgoing` that are not written yet; returns how many.
fn gather<'a>(outgoing: &'a VecDeque<OutgoingFrame>, written: usize, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
    let mut skip = written;
    let mut count = 0;
    for part in outgoing.iter().flat_map(OutgoingFrame::parts) {
        if skip >= part.len() {
            skip -= part.len();
            continue;
        }
        slices[count] = IoSlice::new(&part[skip..]);
        skip = 0;
        count += 1;
        if count == SLICES {
            break;
        }
    }
    count
}

impl Incoming {
    /// One read: the rest of the frame under way, or whatever comes.
    fn read(
        &mut self,
        stream: &mut TcpStream,
        context: &mut Context<'_>,
        budget: &mut usize,
    ) -> Poll<io::Result<usize>> {
        let outcome = match &mut self.frame {
            Some((frame, len)) => {
                let missing = (*len - frame.len()).min(*budget);
                let mut rest = frame.limit(missing);
                pin!(stream.read_buf(&mut rest)).poll(context)
            }
            None => {
                self.scratch.drain(..self.head);
                self.head = 0;
                self.scratch.reserve(SCRATCH);
                let mut rest = (&mut self.scratch).limit(SCRATCH);
                pin!(stream.read_buf(&mut rest)).poll(context)
            }
        };
        if let Poll::Ready(Ok(bytes)) = outcome {
            *budget = budget.saturating_sub(bytes);
        }
        outcome
    }

    /// Cuts whole frames from what was read.
    fn cut(&mut self, pool: &mut Pool, limit: usize, report: &mut impl FnMut(Progress)) -> Result<(), DisconnectCause> {
        loop {
            if let Some((frame, len)) = self.frame.take_if(|(frame, len)| frame.len() == *len) {
                debug_assert_eq!(frame.len(), len);
                report(Progress::Frame(Frame::new(frame)));
            }
            if self.frame.is_some() {
                return Ok(());
            }
            let rest = &self.scratch[self.head..];
            let Some((prefix, rest)) = rest.split_first_chunk::<4>() else { return Ok(()) };
            let len = frame_length(*prefix, limit)?;
            let here = &rest[..len.min(rest.len())];
            let mut frame = pool.take(len);
            frame.extend_from_slice(here);
            self.head += 4 + here.len();
            self.frame = Some((frame, len));
        }
    }
}

/// A response has at least its correlation id, and at most what `receive.message.max.bytes` allows.
fn frame_length(prefix: [u8; 4], limit: usize) -> Result<usize, DisconnectCause> {
    let len = i32::from_be_bytes(prefix);
    match usize::try_from(len) {
        Ok(len) if (4..=limit).contains(&len) => Ok(len),
        Ok(len) if len > limit => {
            let text = format!("a response of {len} bytes, above receive.message.max.bytes ({limit})");
            Err(DisconnectCause::BadFrame(text.into()))
        }
        _ => Err(DisconnectCause::BadFrame(format!("a response of {len} bytes").into())),
    }
}

/// A socket that is connecting, in the fork table.
fn open(address: SocketAddr, options: &SocketOptions) -> io::Result<Open> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    let entry = fork::enter(socket.as_raw_fd());
    let begun = begin_connecting(&socket, address, options);
    // The entry goes before the descriptor is closed, here too.
    match begun {
        Ok(()) => match TcpStream::from_std(socket.into()) {
            Ok(stream) => Ok(Open { _entry: entry, stream }),
            Err(error) => {
                drop(entry);
                Err(error)
            }
        },
        Err(error) => {
            drop(entry);
            Err(error)
        }
    }
}

fn begin_connecting(socket: &Socket, address: SocketAddr, options: &SocketOptions) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(options.nodelay)?;
    socket.set_keepalive(options.keepalive)?;
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes as usize)?;
    }
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes as usize)?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        outcome => outcome,
    }
}

fn cause(error: &io::Error) -> DisconnectCause {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DisconnectCause::Refused(words(error).into()),
        _ => DisconnectCause::Io(words(error).into()),
    }
}

/// Connecting failed; where a name has several addresses the text says which.
fn refused(error: &io::Error, address: Option<SocketAddr>) -> DisconnectCause {
    let which = address.map_or_else(String::new, |address| format!(" ({})", address.ip()));
    DisconnectCause::Refused(format!("{}{which}", words(error)).into())
}
