//! [`Admin`]: operations on the cluster, each a question with one answer.
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_machines::admin::{CreateTopics, DeleteTopics, Operation};
use ottla_machines::client::{ClientMachine, ClusterMetadata, Command, Edges, Reply};
use ottla_machines::config::AdminSettings;
use ottla_machines::error::Error;
use ottla_machines::machine::Now;

use crate::driver::Side;
use crate::handle::{Handle, seed};
use crate::notices::{Notice, NoticeOptions};
use crate::pending::Pending;
use crate::waiters::Waiters;

/// Nothing is shared but notices.
struct AdminSide {
    notices: Waiters,
}

impl Side for AdminSide {
    type Machine = ClientMachine;

    fn exchange(&self, _: &mut ClientMachine, _: Now) -> Option<Edges> {
        Some(Edges::default())
    }

    fn wants_exchange(&self, _: &ClientMachine) -> bool {
        false
    }

    fn wake(&self, edges: Edges) {
        if edges.reports {
            self.notices.wake_one();
        }
    }

    fn end(&self) {
        self.notices.wake_all();
    }
}

/// What became of each topic of an operation, in the order asked for.
pub type TopicResults = Vec<(Arc<str>, Result<(), Error>)>;

/// An admin client. May be shared by threads; dropping it fails what is pending.
pub struct Admin(Handle<AdminSide>);

impl Admin {
    /// An admin client that connects when it is first asked.
    ///
    /// # Errors
    /// `CriticalSystemResource` when the system refuses the engine's threads or descriptors.
    pub fn new(settings: AdminSettings, notices: NoticeOptions) -> Result<Self, Error> {
        let machine = ClientMachine::admin(&settings, seed());
        Handle::start(AdminSide { notices: Waiters::new() }, machine, &settings.connection, notices).map(Self)
    }

    /// Makes topics, or checks that they could be made; each succeeds or fails alone. The whole fails with what stood in
    /// the way after `timeout`.
    pub fn create_topics(&self, topics: CreateTopics, timeout: Duration) -> Pending<TopicResults> {
        self.operate(Operation::CreateTopics(topics), timeout)
    }

    /// Deletes topics; each succeeds or fails alone.
    pub fn delete_topics(&self, topics: DeleteTopics, timeout: Duration) -> Pending<TopicResults> {
        self.operate(Operation::DeleteTopics(topics), timeout)
    }

    fn operate(&self, operation: Operation, timeout: Duration) -> Pending<TopicResults> {
        let command = |request, deadline_us| Command::Admin { request, operation, deadline_us };
        self.0.ask(timeout, command, |reply| match reply {
            Reply::Topics(results) => Some(results),
            _ => None,
        })
    }

    /// The cluster's description, of one topic or of all.
    pub fn metadata(&self, topic: Option<&str>, timeout: Duration) -> Pending<ClusterMetadata> {
        self.0.metadata(topic, timeout)
    }

    /// Whether errors or log lines wait to be taken. One relaxed load.
    #[inline]
    pub fn notices_waiting(&self) -> bool {
        self.0.notices_waiting()
    }

    /// Moves errors and log lines to `out`, oldest first.
    pub fn take_notices(&self, out: &mut Vec<Notice>) {
        self.0.take_notices(out);
    }

    /// Waits until a notice is there to be taken; false at the deadline.
    pub fn wait_for_notices(&self, deadline: Instant) -> bool {
        self.0.is_ours() && self.0.shared.side.notices.wait(Some(deadline), &mut || self.0.notices_waiting())
    }

    /// Writes a line to the client's log, as its machine would.
    pub fn log(&self, level: u8, facility: &'static str, text: String) {
        self.0.log(level, facility, text);
    }

    /// The error that ended the client, if one did.
    pub fn failure(&self) -> Option<Error> {
        if self.0.is_ours() { self.0.failure() } else { None }
    }
}
