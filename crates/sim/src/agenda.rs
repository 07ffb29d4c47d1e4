//! What happens when: the virtual clock and the events that wait for their time.
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use ottla_machines::machine::DisconnectCause;

/// Microseconds since 1970 when a run begins, so that record timestamps look like ones.
const WALL_BEGIN_MS: i64 = 1_790_000_000_000;

/// A connection in [`crate::network`].
pub(crate) type LinkId = usize;

/// An event.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A client's driver has its turn.
    Turn { client: usize },
    /// A client's application acts, or stops waiting.
    Step { client: usize },
    /// A job of a client's thread *work* is done.
    Computed { client: usize },
    /// Something reaches an end of a connection.
    Link { link: LinkId, news: News },
    /// The cluster wants to be polled.
    Broker,
    /// A member leaves its group in good order.
    Leave { client: usize },
    /// The process of a client ends.
    Death { client: usize },
    /// The next of the plan's disturbances.
    Chaos { index: usize },
}

/// What reaches an end of a connection.
#[derive(Debug)]
pub(crate) enum News {
    /// The broker is asked to accept.
    Knock,
    /// The client learns that it is connected.
    Opened,
    /// The client learns that the connection ended, or was not made.
    Ended(DisconnectCause),
    /// A request reaches the broker.
    Request(Vec<u8>),
    /// The client learns that the system took a request that is not answered.
    Written,
    /// An answer reaches the client.
    Response(Vec<u8>),
    /// The broker learns that the client is gone.
    Hangup,
    /// The line breaks.
    Cut,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    now_us: u64,
    next: u64,
    order: BinaryHeap<Reverse<(u64, u64)>>,
    waiting: BTreeMap<u64, Happening>,
}

impl Agenda {
    /// An agenda whose clock stands at one second.
    pub(crate) fn new() -> Self {
        Self { now_us: 1_000_000, ..Self::default() }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.now_us
    }

    pub(crate) fn now(&self) -> ottla_machines::machine::Now {
        ottla_machines::machine::Now { mono_us: self.now_us, wall_ms: self.wall_ms() }
    }

    pub(crate) fn broker_now(&self) -> ottla_broker::Now {
        ottla_broker::Now { mono_us: self.now_us, wall_ms: self.wall_ms() }
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        WALL_BEGIN_MS + (self.now_us / 1000) as i64
    }

    /// Events of one time happen in the order in which they were noted.
    pub(crate) fn at(&mut self, at_us: u64, happening: Happening) {
        self.next += 1;
        self.order.push(Reverse((at_us.max(self.now_us), self.next)));
        self.waiting.insert(self.next, happening);
    }

    /// When the next event is, if there is one.
    pub(crate) fn next_us(&self) -> Option<u64> {
        self.order.peek().map(|Reverse((at_us, _))| *at_us)
    }

    /// The next event; the clock goes to its time.
    pub(crate) fn take(&mut self) -> Option<Happening> {
        let Reverse((at_us, number)) = self.order.pop()?;
        self.now_us = at_us;
        self.waiting.remove(&number)
    }

    /// The clock goes to this time: nothing happens before it.
    pub(crate) fn forward_to(&mut self, at_us: u64) {
        self.now_us = self.now_us.max(at_us);
    }
}
