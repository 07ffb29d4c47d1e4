//! [`Server`]: starts a cluster on sockets of its own thread, gives access to it, and stops it.

use std::any::Any;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Notify;

use super::engine;
use crate::cluster::Cluster;
use crate::machine::Now;
use crate::settings::Settings;

/// How long [`Server::with`] waits until what it changed has reached the sockets.
const FLUSH: Duration = Duration::from_secs(1);

/// Told of each socket that was opened; what it gives is dropped before the socket is closed. For a process that forks: a
/// child must close its copies, or ports and connections stay open for as long as it lives.
pub type Opened = fn(RawFd) -> Box<dyn Any + Send>;

/// A socket, and what [`Opened`] gave for it.
pub(super) struct Told<S> {
    // In front: fields are dropped in their order.
    _entry: Option<Box<dyn Any + Send>>,
    pub(super) socket: S,
}

impl<S: AsRawFd> Told<S> {
    pub(super) fn new(opened: Option<Opened>, socket: S) -> Self {
        Self { _entry: opened.map(|opened| opened(socket.as_raw_fd())), socket }
    }
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// An address, and what clients are told to connect to.
    pub host: IpAddr,
    /// A port for each broker; free ones where there is none.
    pub ports: Option<Vec<u16>>,
    /// Whether `host` may be another than a loopback address: there is no authentication.
    pub allow_non_loopback: bool,
    /// Who is told of sockets.
    pub opened: Option<Opened>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { host: IpAddr::from([127, 0, 0, 1]), ports: None, allow_non_loopback: false, opened: None }
    }
}

/// What the server's thread and those who hold the server share.
pub(super) struct Shared {
    cluster: Mutex<Cluster>,
    started: Instant,
    /// Someone changed the cluster, or wants the thread to end.
    pub(super) changed: Notify,
    pub(super) stopping: AtomicBool,
    progress: Mutex<Progress>,
    flushed: Condvar,
}

/// How far the thread is.
#[derive(Default)]
struct Progress {
    /// How many changes there were.
    changes: u64,
    /// How many have reached the sockets.
    flushed: u64,
    /// What the thread panicked with.
    failure: Option<String>,
}

impl Shared {
    /// The cluster. What a test's panic left behind is used on.
    pub(super) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_us: self.started.elapsed().as_micros() as u64, wall_ms: wall.as_millis() as i64 }
    }

    pub(super) fn instant(&self, mono_us: u64) -> Instant {
        self.started + Duration::from_micros(mono_us)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes a flush that begins now brings out.
    pub(super) fn begin_flush(&self) -> u64 {
        self.progress().changes
    }

    pub(super) fn end_flush(&self, changes: u64) {
        self.progress().flushed = changes;
        self.flushed.notify_all();
    }

    /// Something of the thread panicked: the cluster is in no state that anyone knows. All ends, and whoever asks is told.
    pub(super) fn fail(&self, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
        self.progress().failure.get_or_insert_with(|| text.to_owned());
        self.flushed.notify_all();
        self.stopping.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

/// A cluster that listens. Dropping it ends it.
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a cluster: when this returns, it accepts connections.
    ///
    /// # Errors
    /// A port cannot be bound, `host` is no loopback address, or `ports` are not as many as brokers.
    pub fn start(settings: Settings, options: ServeOptions) -> io::Result<Self> {
        let invalid = |text: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if !options.host.is_loopback() && !options.allow_non_loopback {
            return invalid("the embedded broker listens on loopback addresses only, unless allow_non_loopback is set");
        }
        let brokers = settings.brokers.clamp(1, 1000) as usize;
        let ports = options.ports.unwrap_or_else(|| vec![0; brokers]);
        if ports.len() != brokers {
            return invalid("there must be as many ports as brokers");
        }
        let mut reserved = Vec::with_capacity(brokers);
        let mut addresses = Vec::with_capacity(brokers);
        for port in ports {
            let socket = bound(SocketAddr::new(options.host, port))?;
            let address = socket.local_addr()?.as_socket();
            addresses.push(address.ok_or_else(|| io::Error::other("the socket has no address"))?);
            reserved.push(Told::new(options.opened, socket));
        }
        let named = addresses.iter().map(|address| (address.ip().to_string(), address.port())).collect();
        let shared = Arc::new(Shared {
            cluster: Mutex::new(Cluster::new(settings, named)),
            started: Instant::now(),
            changed: Notify::new(),
            stopping: AtomicBool::new(false),
            progress: Mutex::new(Progress { changes: 1, ..Progress::default() }),
            flushed: Condvar::new(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (engine_shared, engine_addresses) = (Arc::clone(&shared), addresses.clone());
        let thread = std::thread::Builder::new().name("ottla-broker".into()).spawn(move || {
            engine::run(&runtime, &engine_shared, engine_addresses, options.opened);
            // The ports stay ours while brokers are down, until the very end.
            drop(reserved);
        })?;
        let server = Self { shared, addresses, thread: Some(thread) };
        server.await_flush(1);
        Ok(server)
    }

    /// What clients take as `bootstrap.servers`: all brokers, alive or not.
    pub fn bootstrap_servers(&self) -> String {
        self.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// The addresses of the brokers, by their ids.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Looks at the cluster or changes it. When this returns, listeners are opened and closed as it says, and what it
    /// sends is on its way. Nothing is answered meanwhile: be short.
    pub fn with<T>(&self, f: impl FnOnce(&mut Cluster, Now) -> T) -> T {
        let (result, change) = {
            let mut cluster = self.shared.cluster();
            let result = f(&mut cluster, self.shared.now());
            let mut progress = self.shared.progress();
            progress.changes += 1;
            (result, progress.changes)
        };
        self.shared.changed.notify_one();
        self.await_flush(change);
        result
    }

    fn await_flush(&self, change: u64) {
        let awaited = |progress: &mut Progress| progress.flushed < change && progress.failure.is_none();
        let _ = self.shared.flushed.wait_timeout_while(self.shared.progress(), FLUSH, awaited);
    }

    /// What the thread panicked with, where it did: a defect of the broker. It serves nobody any more, and what
    /// [`with`](Self::with) shows is what the panic left.
    pub fn failure(&self) -> Option<String> {
        self.shared.progress().failure.clone()
    }

    /// Ends it: closes all sockets. What it panicked with before, if it did.
    pub fn stop(mut self) -> Option<String> {
        self.end();
        self.failure()
    }

    fn end(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic has been noted.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A socket that is bound, but does not listen: it keeps the port from others while a broker is down.
pub(super) fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
