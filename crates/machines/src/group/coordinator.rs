//! Who coordinates the group (FindCoordinator), and when to ask again.
//!
//! It is asked for as soon as the client starts, so that a first subscription or commit need not wait for it. What becomes of
//! the requests that went to a coordinator of before is left to who sent them.
//!
//! ```text
//!               ask                  answer
//! Unknown ----------------> Asking ------------> Known
//!   ^   ^-- no, or no answer --|                   |
//!   |                                              | it says that it is not, or cannot be reached
//!   +----------------------------------------------+
//! ```
use std::sync::Arc;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_protocol::primitives::{Message, Reader};

use super::event::ConsumerError;
use crate::client::{Event, Outbox};
use crate::config::{ConnectionSettings, GroupSettings};
use crate::connection::backoff::Backoff;
use crate::connection::{Network, Response, Tag};
use crate::error::Error;
use crate::machine::{Endpoint, Lane, NodeId, Now, Output};
use crate::random::Random;

/// The version from which several keys are asked for at once (KIP-699).
const BATCHED_FROM: i16 = 4;

/// A coordinator that cannot be reached is asked for again this often. Not at once: the brokers may go on naming it, and who
/// needs it has to have the time to try it again.
const DOWN_US: u64 = 1_000_000;

/// Where the search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Unknown { not_before_us: u64 },
    Asking,
    Known { node: NodeId, since_us: u64 },
}

/// See the module.
#[derive(Debug)]
pub struct Coordinator {
    group_id: Arc<str>,
    state: State,
    /// No connection to the coordinator can be made, as of the last look.
    down: bool,
    backoff: Backoff,
    random: Random,
    timeout_us: u64,
    /// A coordinator is asked for again after this long, as in the original.
    query_interval_us: u64,
    /// What the application was last told.
    told: Option<Error>,
}

impl Coordinator {
    pub fn new(connection: &ConnectionSettings, group: &GroupSettings, seed: u64) -> Self {
        Self {
            group_id: group.group_id.as_str().into(),
            state: State::Unknown { not_before_us: 0 },
            down: false,
            backoff: Backoff::new(connection.retry_backoff_us, connection.retry_backoff_max_us),
            random: Random::new(seed),
            timeout_us: connection.socket_timeout_us,
            query_interval_us: group.coordinator_query_interval_us,
            told: None,
        }
    }

    /// The coordinator, as far as is known.
    pub fn node(&self) -> Option<NodeId> {
        if let State::Known { node, .. } = self.state { Some(node) } else { None }
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// `node` is not the coordinator (any more), or cannot be reached: another is looked for, at once the first time.
    pub fn lost(&mut self, now: Now, node: NodeId) {
        if self.node() == Some(node) {
            self.state = State::Unknown { not_before_us: now.mono_us };
        }
    }

    /// Asks when it is time and any broker can be asked.
    pub fn advance(&mut self, now: Now, network: &mut Network) {
        self.down = self.node().is_some_and(|node| network.is_down(node));
        if let State::Known { since_us, .. } = self.state
            && since_us.saturating_add(self.known_for_us()) <= now.mono_us
        {
            self.again(now);
        }
        let State::Unknown { not_before_us } = self.state else { return };
        if not_before_us > now.mono_us || self.group_id.is_empty() {
            return;
        }
        let Some(connection) = network.any_ready(now, Lane::General) else { return };
        let Some(version) = network.version(connection, ApiKey::FindCoordinator) else {
            // A broker without groups serves everything else: asked again now and then, never given up.
            return self.again(now);
        };
        let request = FindCoordinatorRequest {
            key: if version < BATCHED_FROM { &self.group_id } else { "" },
            coordinator_keys: if version < BATCHED_FROM { Vec::new() } else { vec![&self.group_id] },
            ..Default::default()
        };
        match network.request(now, connection, version, &request, Tag::FindCoordinator, self.timeout_us, &[]) {
            Ok(()) => self.state = State::Asking,
            Err(error) => network.distrust(now, connection, &error.to_string()),
        }
    }

    pub fn response(&mut self, now: Now, response: &Response, network: &mut Network, outbox: &mut Outbox) {
        if self.state != State::Asking {
            return;
        }
        let found = match FindCoordinatorResponse::decode(&mut Reader::new(response.body()), response.version) {
            Ok(found) => found,
            Err(error) => {
                self.again(now);
                let what = format!("an answer to FindCoordinator that cannot be read ({error})");
                return network.distrust(now, response.connection, &what);
            }
        };
        network.throttle(now, response.connection, found.throttle_time_ms);
        let (code, text, node_id, host, port) = match found.coordinators.first() {
            Some(first) => (first.error_code, first.error_message, first.node_id, first.host, first.port),
            None => (found.error_code, found.error_message, found.node_id, found.host, found.port),
        };
        if code != 0 {
            let kind = Error::broker(code).kind;
            self.again(now);
            if !kind.is_retriable() {
                let description = kind.description();
                let what = text.filter(|text| !text.is_empty()).unwrap_or(&description);
                self.tell(Error::with_text(kind, format!("FindCoordinator response error: {what}")), outbox);
            }
            return;
        }
        let node = NodeId(node_id);
        let Some(port) = u16::try_from(port).ok().filter(|_| node_id >= 0 && !host.is_empty()) else {
            return self.again(now);
        };
        network.add_brokers(&[(node, Endpoint { host: host.into(), port })]);
        self.backoff.succeeded();
        self.told = None;
        self.state = State::Known { node, since_us: now.mono_us };
    }

    /// The question had no answer.
    pub fn failure(&mut self, now: Now) {
        if self.state == State::Asking {
            self.again(now);
        }
    }

    fn again(&mut self, now: Now) {
        let not_before_us = now.mono_us.saturating_add(self.backoff.failed(&mut self.random));
        self.state = State::Unknown { not_before_us };
    }

    /// Tells the application what stands in the way, once as long as it is the same, as the original does.
    fn tell(&mut self, error: Error, outbox: &mut Outbox) {
        if self.told.as_ref() != Some(&error) {
            self.told = Some(error.clone());
            outbox.output(Output::Event(Event::ConsumerError(ConsumerError { error, topic: None })));
        }
    }

    /// How long an answer holds.
    fn known_for_us(&self) -> u64 {
        if self.down { DOWN_US } else { self.query_interval_us }
    }

    pub fn deadline(&self, now: Now) -> Option<u64> {
        let at = match self.state {
            State::Unknown { not_before_us } => not_before_us,
            State::Known { since_us, .. } => since_us.saturating_add(self.known_for_us()),
            State::Asking => return None,
        };
        Some(at).filter(|at| *at > now.mono_us)
    }
}
