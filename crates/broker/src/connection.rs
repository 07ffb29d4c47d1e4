//! One connection to a broker: the requests that wait on it, and the one that is being answered. A broker answers one
//! request of a connection at a time, in order (E1).

use std::collections::VecDeque;

use crate::frame::Frame;
use crate::handlers::Call;

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The broker that it is to.
    pub(crate) node: i32,
    /// Requests behind the current one.
    pub(crate) queue: VecDeque<Frame>,
    /// The request that is being answered; `None` also while a handler has it.
    pub(crate) current: Option<Current>,
}

impl Connection {
    pub(crate) fn new(node: i32) -> Self {
        Self { node, queue: VecDeque::new(), current: None }
    }
}

/// A request that could not be answered at once.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) call: Call,
    pub(crate) stage: Stage,
    /// When to go on at the latest, in [`Now::mono_us`](crate::Now::mono_us).
    pub(crate) until_us: Option<u64>,
}

/// What a request waits for.
#[derive(Debug)]
pub(crate) enum Stage {
    /// A fault holds it back; then it is handled.
    Delayed,
    /// Its handler parked it; then it is handled again.
    Parked,
    /// A fault keeps it from ever being answered.
    Stuck,
}
