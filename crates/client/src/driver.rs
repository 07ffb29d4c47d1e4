//! Drives one client's machine on thread *io*: inputs in, outputs carried out, the exchange with what callers share.
//!
//! Each client is one task; a turn is bounded (E4) and never waits. A panic in a turn ends this client alone, with a fatal
//! error. Every decision is the machine's.
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::net::SocketAddr;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use ottla_machines::client::{Command, Edges, Event, Reply, RequestId};
use ottla_machines::config::{AddressFamily, ConnectionSettings};
use ottla_machines::error::{Error, Kind};
use ottla_machines::job::Computed;
use ottla_machines::machine::{ConnectionId, DisconnectCause, Endpoint, Input, Machine, Now, Output};

use crate::clock;
use crate::edge::Edge;
use crate::net::{Connection, Pool, Progress, SocketOptions, literal, look_up};
use crate::notices::{Notice, NoticeOptions, Notices};
use crate::runtime::Runtime;
use crate::work::{Results, panic_text};

/// E4: what one client sends in one turn.
const WRITE_A_TURN: usize = 1 << 20;
/// Turns in a row in which the callers' lock was refused before *io* rests for `REFUSED_US`: the holder may have lost its
/// processor.
const REFUSALS: u32 = 4;
const REFUSED_US: u64 = 500;
/// Deadlines farther away than this are rounded up to `GRID_US`, so that those of many clients fall together.
const FAR_US: u64 = 100_000;
const GRID_US: u64 = 10_000;

/// What a client's callers share with its machine, as far as the driver is concerned.
pub(crate) trait Side: Send + Sync + 'static {
    /// The client's machine.
    type Machine: Machine<Command = Command, Event = Event> + Send + 'static;

    /// Has the machine exchange with the shared state; `None` when its lock is taken.
    fn exchange(&self, machine: &mut Self::Machine, now: Now) -> Option<Edges>;
    /// Whether the machine has something for the shared state.
    fn wants_exchange(&self, machine: &Self::Machine) -> bool;
    /// Wakes the callers that wait for these edges. No lock is held.
    fn wake(&self, edges: Edges);
    /// The client has failed or stopped: whoever waits must look again, and calls that need it must fail.
    fn end(&self);
}

/// What a client's handle, its driver and the other threads share.
pub(crate) struct Shared<S> {
    pub(crate) side: S,
    pub(crate) edge: Arc<Edge>,
    pub(crate) notices: Notices,
    pub(crate) failure: OnceLock<Error>,
    inbox: Mutex<Inbox>,
    requests: AtomicU64,
    /// A broker was reached, now or before.
    connected: AtomicBool,
}

#[derive(Default)]
struct Inbox {
    messages: VecDeque<Message>,
    /// The driver is gone: nothing is taken any more.
    ended: bool,
}

/// Takes the answer to a request; dropped without being called when the client ends first.
pub(crate) type Answered = Box<dyn FnOnce(Result<Reply, Error>) + Send>;

enum Message {
    Request(Command, RequestId, Answered),
    Command(Command),
    Computed(Result<Computed, String>),
    Resolved(ConnectionId, Result<Vec<SocketAddr>, DisconnectCause>),
}

impl<S: Side> Shared<S> {
    pub(crate) fn new(side: S, notices: NoticeOptions) -> Arc<Self> {
        Arc::new(Self {
            side,
            edge: Arc::new(Edge::new()),
            notices: Notices::new(notices),
            failure: OnceLock::new(),
            inbox: Mutex::default(),
            requests: AtomicU64::new(1),
            connected: AtomicBool::new(false),
        })
    }

    /// Whether a broker was ever reached.
    pub(crate) fn has_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the driver a message; back when the driver is gone.
    fn send(&self, message: Message) -> Result<(), Message> {
        let mut inbox = self.inbox();
        if inbox.ended {
            return Err(message);
        }
        inbox.messages.push_back(message);
        drop(inbox);
        self.edge.wake();
        Ok(())
    }

    /// A command without an answer.
    pub(crate) fn command(&self, command: Command) {
        // A client that has ended already wants nothing more.
        let _ = self.send(Message::Command(command));
    }

    /// A command with an answer.
    pub(crate) fn request(&self, command: impl FnOnce(RequestId) -> Command, answered: Answered) {
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        if let Err(message) = self.send(Message::Request(command(request), request, answered)) {
            self.refuse(message);
        }
    }

    /// Answers a message that nobody will handle with why the client ended.
    fn refuse(&self, message: Message) {
        if let Message::Request(_, _, answered) = message {
            let ended = || Error::with_text(Kind::Destroy, "The client has been closed");
            answered(Err(self.failure.get().cloned().unwrap_or_else(ended)));
        }
    }

    /// Notes the error that ended the client and tells everyone.
    fn fail(&self, error: Error) {
        if self.failure.set(error.clone()).is_ok() {
            self.notices.error(error);
        }
        self.end();
    }

    fn end(&self) {
        let messages = {
            let mut inbox = self.inbox();
            inbox.ended = true;
            std::mem::take(&mut inbox.messages)
        };
        messages.into_iter().for_each(|message| self.refuse(message));
        self.side.end();
    }
}

impl<S: Side> Results for Shared<S> {
    fn computed(&self, result: Result<Computed, String>) {
        // Nobody asks any more when the client has ended.
        let _ = self.send(Message::Computed(result));
    }
}

/// Begins to drive a client.
pub(crate) fn start<S: Side>(
    runtime: &Arc<Runtime>,
    shared: &Arc<Shared<S>>,
    machine: S::Machine,
    settings: &ConnectionSettings,
) {
    static CLIENTS: AtomicU64 = AtomicU64::new(0);
    let driver = Driver {
        client: CLIENTS.fetch_add(1, Ordering::Relaxed),
        machine,
        results: shared.clone(),
        shared: shared.clone(),
        runtime: runtime.clone(),
        options: SocketOptions::from(settings),
        family: settings.address_family,
        connections: BTreeMap::new(),
        answers: HashMap::new(),
        pool: Pool::default(),
        timer: None,
        write_first: ConnectionId(0),
        wait_until_us: Some(0),
        refusals: 0,
        exchange: true,
        stopped: false,
        messages: VecDeque::new(),
    };
    runtime.io.spawn(driver);
}

struct Driver<S: Side> {
    client: u64,
    machine: S::Machine,
    shared: Arc<Shared<S>>,
    results: Arc<dyn Results>,
    runtime: Arc<Runtime>,
    options: SocketOptions,
    family: AddressFamily,
    connections: BTreeMap<ConnectionId, Connection>,
    answers: HashMap<RequestId, Answered>,
    pool: Pool,
    /// The armed timer and its time; an earlier one than needed only costs a turn.
    timer: Option<(Pin<Box<tokio::time::Sleep>>, u64)>,
    /// Which connection writes first in the next turn.
    write_first: ConnectionId,
    wait_until_us: Option<u64>,
    refusals: u32,
    /// The callers' side woke, or an exchange was refused.
    exchange: bool,
    stopped: bool,
    /// Taken from the inbox and not handled yet.
    messages: VecDeque<Message>,
}

// Nothing in it is pinned but the timer, which is in a box of its own.
impl<S: Side> Unpin for Driver<S> {}

impl<S: Side> Future for Driver<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        // What a torn machine holds is only dropped after a panic, never used.
        match catch_unwind(AssertUnwindSafe(|| driver.poll_turn(context))) {
            Ok(poll) => poll,
            Err(panic) => {
                driver.fail(&panic_text(&*panic));
                Poll::Ready(())
            }
        }
    }
}

impl<S: Side> Drop for Driver<S> {
    fn drop(&mut self) {
        self.runtime.work.forget(self.client);
        self.shared.end();
    }
}

impl<S: Side> Driver<S> {
    fn fail(&mut self, panic: &str) {
        let text = format!("The client failed and cannot go on, please report this: {panic}");
        self.shared.notices.log(clock::now(), 2, "PANIC", text.clone());
        let error = Error::with_text(Kind::Fatal, text).into_fatal();
        self.shared.fail(error.clone());
        self.connections.clear();
        for (_, answered) in self.answers.drain() {
            answered(Err(error.clone()));
        }
        self.messages.drain(..).for_each(|message| self.shared.refuse(message));
    }

    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.exchange |= self.shared.edge.begin();
        let again = self.turn();
        if self.stopped {
            return Poll::Ready(());
        }
        if again || self.arm(context) || !self.shared.edge.rest(context.waker()) {
            // Others first: this task goes to the end of the runtime's queue.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// One turn; whether there is more to do at once.
    fn turn(&mut self) -> bool {
        let now = clock::now();
        self.take_inbox(now);
        self.read(now);
        self.exchange = self.exchange(now);
        self.carry_out(now);
        // What carrying out brought for the callers.
        self.exchange |= self.shared.side.wants_exchange(&self.machine);
        self.write(now);
        self.pool.trim(now.mono_us);
        self.exchange && self.refusals < REFUSALS
    }

    fn take_inbox(&mut self, now: Now) {
        if self.messages.is_empty() {
            std::mem::swap(&mut self.messages, &mut self.shared.inbox().messages);
        }
        while let Some(message) = self.messages.pop_front() {
            match message {
                Message::Request(command, request, answered) => {
                    self.answers.insert(request, answered);
                    self.machine.handle(now, Input::Command(command));
                }
                Message::Command(command) => self.machine.handle(now, Input::Command(command)),
                Message::Computed(Ok(computed)) => self.machine.handle(now, Input::Computed(computed)),
                // A job that panicked fails its client: the panic goes on here, where it is caught.
                Message::Computed(Err(text)) => std::panic::resume_unwind(Box::new(text)),
                Message::Resolved(connection, result) => self.resolved(now, connection, result),
            }
        }
    }

    fn resolved(&mut self, now: Now, connection: ConnectionId, result: Result<Vec<SocketAddr>, DisconnectCause>) {
        let Some(found) = self.connections.get_mut(&connection) else { return };
        let progress = match result {
            Ok(addresses) => found.connect(addresses),
            Err(cause) => Some(Progress::Ended(cause)),
        };
        if let Some(progress) = progress {
            self.report(now, connection, progress);
        }
    }

    fn report(&mut self, now: Now, connection: ConnectionId, progress: Progress) {
        let input = match progress {
            Progress::Connected => {
                self.shared.connected.store(true, Ordering::Relaxed);
                Input::Connected { connection }
            }
            Progress::Frame(frame) => Input::Response { connection, frame },
            Progress::Written => Input::Written { connection },
            Progress::Ended(cause) => {
                self.connections.remove(&connection);
                Input::Disconnected { connection, cause }
            }
        };
        self.machine.handle(now, input);
    }

    fn read(&mut self, now: Now) {
        let mut ended = Vec::new();
        let Self { connections, pool, machine, shared, .. } = self;
        for (&connection, found) in connections.iter_mut() {
            if found.is_ready() {
                found.read(pool, &mut |progress| match progress {
                    Progress::Connected => {
                        shared.connected.store(true, Ordering::Relaxed);
                        machine.handle(now, Input::Connected { connection });
                    }
                    Progress::Frame(frame) => machine.handle(now, Input::Response { connection, frame }),
                    other @ (Progress::Ended(_) | Progress::Written) => ended.push((connection, other)),
                });
            }
        }
        for (connection, progress) in ended {
            self.report(now, connection, progress);
        }
    }

    /// Exchanges with the callers' side when either side asks for it; whether it must be asked again.
    fn exchange(&mut self, now: Now) -> bool {
        if !self.exchange && !self.shared.side.wants_exchange(&self.machine) {
            return false;
        }
        match self.shared.side.exchange(&mut self.machine, now) {
            Some(edges) => {
                self.refusals = 0;
                self.shared.side.wake(edges);
                edges.again
            }
            None => {
                self.refusals = if self.refusals < REFUSALS { self.refusals + 1 } else { 1 };
                true
            }
        }
    }

    fn carry_out(&mut self, now: Now) {
        loop {
            match self.machine.poll(now) {
                Output::Connect { connection, endpoint, .. } => self.connect(now, connection, endpoint),
                Output::Close { connection } => drop(self.connections.remove(&connection)),
                Output::Send { connection, request, .. } => {
                    if let Some(found) = self.connections.get_mut(&connection) {
                        found.send(request);
                    }
                }
                Output::Compute(job) => self.runtime.work.push(self.client, &self.results, job),
                Output::Recycle(buffer) => self.pool.give(now.mono_us, buffer),
                Output::Event(event) => self.event(now, event),
                Output::Wait { until_us } => {
                    self.wait_until_us = until_us;
                    return;
                }
            }
        }
    }

    fn connect(&mut self, now: Now, connection: ConnectionId, endpoint: Endpoint) {
        let mut fresh = Connection::new(self.options, &self.shared.edge);
        if let Some(address) = literal(&endpoint) {
            let progress = fresh.connect(vec![address]);
            self.connections.insert(connection, fresh);
            if let Some(progress) = progress {
                self.report(now, connection, progress);
            }
            return;
        }
        self.connections.insert(connection, fresh);
        let answer = Answer { shared: self.shared.clone(), connection, result: None };
        let family = self.family;
        let refused = self.runtime.blocking.run(move || {
            let mut answer = answer;
            answer.result = Some(look_up(&endpoint, family));
        });
        // A refused thread dropped the answer, which has told so; the words are the system's.
        if let Err(error) = refused {
            self.shared.notices.log(now, 3, "RESOLVE", format!("Thread blocking cannot start: {error}"));
        }
    }

    fn event(&mut self, now: Now, event: Event) {
        let queued = match event {
            Event::Reply { request, result } => {
                if let Some(answered) = self.answers.remove(&request) {
                    answered(result);
                }
                false
            }
            Event::Error(error) => {
                if error.fatal {
                    // The first one is what later calls say.
                    let _ = self.shared.failure.set(error.clone());
                }
                self.shared.notices.error(error)
            }
            Event::Log { level, facility, text } => self.shared.notices.log(now, level, facility, text),
            Event::Rebalance(rebalance) => self.shared.notices.queue(Notice::Rebalance(rebalance)),
            Event::OffsetsCommitted(committed) => self.shared.notices.committed(committed),
            Event::ConsumerError(error) => self.shared.notices.queue(Notice::ConsumerError(error)),
            Event::Stopped => {
                self.stopped = true;
                false
            }
        };
        if queued {
            // Callers that wait for records or reports serve notices too.
            self.shared.side.wake(Edges { reports: true, records: true, ..Edges::default() });
        }
    }

    fn write(&mut self, now: Now) {
        let mut budget = WRITE_A_TURN;
        let mut told = Vec::new();
        let first = self.write_first;
        for half in [(Bound::Included(first), Bound::Unbounded), (Bound::Unbounded, Bound::Excluded(first))] {
            for (&connection, found) in self.connections.range_mut(half) {
                let left = budget;
                found.write(&mut budget, &mut |progress| told.push((connection, progress)));
                if left > 0 && budget == 0 {
                    // Whoever used up this turn is the last of the next: a fast broker starves no other (E4).
                    self.write_first = ConnectionId(connection.0 + 1);
                }
            }
        }
        if !told.is_empty() {
            for (connection, progress) in told {
                self.report(now, connection, progress);
            }
            // What follows from it is carried out in another turn.
            self.shared.edge.wake();
        }
    }

    /// Arms the timer for what is waited for; whether that time has come already.
    fn arm(&mut self, context: &mut Context<'_>) -> bool {
        let now_us = clock::now().mono_us;
        let refused = self.exchange.then_some(now_us + REFUSED_US);
        let until = [self.wait_until_us.map(|until| coalesced(until, now_us)), refused, self.pool.deadline()];
        let Some(until_us) = until.into_iter().flatten().min() else { return false };
        if until_us <= now_us {
            return true;
        }
        let armed = self.timer.as_ref().is_some_and(|(sleep, at)| *at <= until_us && !sleep.is_elapsed());
        if !armed {
            let at = tokio::time::Instant::from_std(clock::instant(until_us));
            match &mut self.timer {
                Some((sleep, armed_at)) => {
                    sleep.as_mut().reset(at);
                    *armed_at = until_us;
                }
                None => self.timer = Some((Box::pin(tokio::time::sleep_until(at)), until_us)),
            }
        }
        self.timer.as_mut().is_some_and(|(sleep, _)| sleep.as_mut().poll(context).is_ready())
    }
}

/// A far deadline, rounded up to the grid that all clients share.
fn coalesced(until_us: u64, now_us: u64) -> u64 {
    if until_us > now_us.saturating_add(FAR_US) { until_us.div_ceil(GRID_US).saturating_mul(GRID_US) } else { until_us }
}

/// Tells the driver what became of a look-up, also when the look-up panicked or never ran.
struct Answer<S: Side> {
    shared: Arc<Shared<S>>,
    connection: ConnectionId,
    result: Option<Result<Vec<SocketAddr>, DisconnectCause>>,
}

impl<S: Side> Drop for Answer<S> {
    fn drop(&mut self) {
        let lost = || Err(DisconnectCause::Resolve("the look-up could not be made".into()));
        let result = self.result.take().unwrap_or_else(lost);
        let _ = self.shared.send(Message::Resolved(self.connection, result));
    }
}

#[cfg(test)]
mod tests;
