//! Everything that runs on the server's thread: accepting, handing requests to the cluster, bringing out what it gives,
//! and its timers. What anything means is the cluster's.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, LocalSet, spawn_local};

use super::peer::{Incoming, Peer, SCRATCH};
use super::server::{Opened, Shared, Told, bound};
use crate::machine::{ConnectionId, Output};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// A connection with more requests unanswered, or more bytes unwritten, is not read.
const MAX_UNANSWERED: usize = 16;
const MAX_UNWRITTEN: usize = 4 << 20;
/// The pause after an accept that failed: no file descriptors left, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A socket that listens. The task that accepts shares it, so that it can be closed at once: whoever kills a broker finds
/// it closed.
type Shareable = Rc<RefCell<Option<Told<TcpListener>>>>;

struct Listening {
    socket: Shareable,
    task: AbortHandle,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.socket.take();
        self.task.abort();
    }
}

struct Engine {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    peers: RefCell<BTreeMap<ConnectionId, Rc<Peer>>>,
    listeners: RefCell<BTreeMap<i32, Listening>>,
    last_connection: Cell<u64>,
    scratch: RefCell<Vec<u8>>,
    /// When the cluster wants to be polled.
    until_us: Cell<Option<u64>>,
    /// `until_us` is earlier than it was.
    earlier: Notify,
    max_frame: usize,
    opened: Option<Opened>,
}

/// Runs until the server stops.
pub(super) fn run(runtime: &Runtime, shared: &Arc<Shared>, addresses: Vec<SocketAddr>, opened: Option<Opened>) {
    let max_frame = shared.cluster().settings().socket_request_max_bytes;
    let engine = Rc::new(Engine {
        shared: Arc::clone(shared),
        addresses,
        peers: RefCell::default(),
        listeners: RefCell::default(),
        last_connection: Cell::new(0),
        scratch: RefCell::new(Vec::with_capacity(SCRATCH)),
        until_us: Cell::new(None),
        earlier: Notify::new(),
        max_frame,
        opened,
    });
    LocalSet::new().block_on(runtime, guarded(Arc::clone(shared), engine.serve()));
}

/// A panic in this ends the server, and is told to whoever uses it.
async fn guarded(shared: Arc<Shared>, task: impl Future<Output = ()>) {
    let mut task = pin!(task);
    // Nothing of the task is used after a panic, and of the cluster only what looks at it.
    let caught = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    if let Err(panic) = caught.await {
        shared.fail(&*panic);
    }
}

impl Engine {
    /// Brings out what tests change, and what time brings.
    async fn serve(self: Rc<Self>) {
        let shared = Arc::clone(&self.shared);
        while !shared.stopping.load(Ordering::Acquire) {
            let changes = shared.begin_flush();
            self.flush();
            shared.end_flush(changes);
            let until = self.until_us.get();
            // Far away where there is nothing to wait for.
            let at = shared.instant(until.unwrap_or_else(|| shared.now().after_ms(3_600_000)));
            let mut sleep = pin!(tokio::time::sleep_until(at.into()));
            let mut changed = pin!(shared.changed.notified());
            let mut earlier = pin!(self.earlier.notified());
            poll_fn(|context| {
                let ready = changed.as_mut().poll(context).is_ready()
                    || earlier.as_mut().poll(context).is_ready()
                    || sleep.as_mut().poll(context).is_ready();
                if ready { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }

    /// Takes all that the cluster gives.
    fn flush(self: &Rc<Self>) {
        let mut touched: Vec<Rc<Peer>> = Vec::new();
        let mut cluster = self.shared.cluster();
        let now = self.shared.now();
        let until_us = loop {
            match cluster.poll(now) {
                Output::Send { connection, segments } => {
                    if let Some(peer) = self.peers.borrow().get(&connection) {
                        peer.push(segments);
                        touched.push(Rc::clone(peer));
                    }
                }
                Output::Close { connection } => {
                    if let Some(peer) = self.peers.borrow_mut().remove(&connection) {
                        peer.close();
                        touched.push(peer);
                    }
                }
                Output::Listen { node } => self.listen(node),
                Output::StopListening { node } => {
                    self.listeners.borrow_mut().remove(&node);
                }
                Output::Wait { until_us } => break until_us,
            }
        };
        drop(cluster);
        for peer in touched {
            if peer.waiting.get() == 0 && !peer.is_closing() {
                continue;
            }
            if peer.write() {
                peer.drained.notify_one();
            } else {
                peer.blocked.notify_one();
            }
        }
        let before = self.until_us.replace(until_us);
        if until_us.is_some_and(|until_us| before.is_none_or(|before| until_us < before)) {
            self.earlier.notify_one();
        }
    }

    fn listen(self: &Rc<Self>, node: i32) {
        let Some(address) = usize::try_from(node - 1).ok().and_then(|index| self.addresses.get(index)) else { return };
        let listener = bound(*address).and_then(|socket| {
            socket.listen(BACKLOG)?;
            TcpListener::from_std(socket.into())
        });
        // The port is ours; that it cannot be listened on leaves clients without this broker, as a real failure would.
        let Ok(listener) = listener else { return };
        let socket = Rc::new(RefCell::new(Some(Told::new(self.opened, listener))));
        let task = spawn_local(guarded(Arc::clone(&self.shared), Rc::clone(self).accept(node, Rc::clone(&socket))))
            .abort_handle();
        self.listeners.borrow_mut().insert(node, Listening { socket, task });
    }

    async fn accept(self: Rc<Self>, node: i32, socket: Shareable) {
        loop {
            let accepted = poll_fn(|context| match &*socket.borrow() {
                Some(listener) => listener.socket.poll_accept(context).map(Some),
                None => Poll::Ready(None),
            });
            let Some(accepted) = accepted.await else { return };
            match accepted {
                Ok((stream, _)) => {
                    spawn_local(guarded(Arc::clone(&self.shared), Rc::clone(&self).converse(node, stream)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    /// One connection, from its beginning to its end.
    async fn converse(self: Rc<Self>, node: i32, stream: TcpStream) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        self.last_connection.set(self.last_connection.get() + 1);
        let id = ConnectionId(self.last_connection.get());
        let peer = Rc::new(Peer::new(id, Told::new(self.opened, stream)));
        self.peers.borrow_mut().insert(id, Rc::clone(&peer));
        self.shared.cluster().connected(self.shared.now(), node, id);
        self.flush();
        let writer_peer = Rc::clone(&peer);
        let writer = spawn_local(guarded(Arc::clone(&self.shared), async move { writer_peer.write_on().await }));
        // However this ends, the client is to see it.
        let _departure = Departure { engine: Rc::clone(&self), id, writer: writer.abort_handle() };
        let mut incoming = Incoming::default();
        while let Ok(frame) = peer.read(&mut incoming, &self.scratch, self.max_frame).await {
            let unanswered = {
                let mut cluster = self.shared.cluster();
                cluster.request(self.shared.now(), id, frame);
                cluster.unanswered(id)
            };
            self.flush();
            if unanswered > MAX_UNANSWERED || peer.waiting.get() > MAX_UNWRITTEN {
                self.pause(&peer).await;
            }
        }
    }

    /// Waits until the connection has been answered enough to be read again.
    async fn pause(&self, peer: &Peer) {
        while !peer.is_closing()
            && (peer.waiting.get() > MAX_UNWRITTEN || self.shared.cluster().unanswered(peer.id) > MAX_UNANSWERED)
        {
            peer.drained.notified().await;
        }
    }
}

/// A connection that is open: dropped, it is forgotten.
struct Departure {
    engine: Rc<Engine>,
    id: ConnectionId,
    writer: AbortHandle,
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.writer.abort();
        if std::thread::panicking() {
            // The server ends, and all connections with it; a second panic would end the process.
            return;
        }
        self.engine.peers.borrow_mut().remove(&self.id);
        self.engine.shared.cluster().disconnected(self.engine.shared.now(), self.id);
        // What that brings out is brought out by the engine's own task.
        self.engine.earlier.notify_one();
    }
}
