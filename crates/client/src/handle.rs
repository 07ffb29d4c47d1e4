//! What the handles of all clients have in common: the process they belong to, questions, notices, the end.
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_machines::client::{ClusterMetadata, Command, Reply, RequestId};
use ottla_machines::config::ConnectionSettings;
use ottla_machines::error::{Error, Kind};

use crate::clock;
use crate::driver::{Shared, Side, start};
use crate::fork;
use crate::notices::{Notice, NoticeOptions};
use crate::pending::{Pending, pending};
use crate::runtime::Runtime;

/// A client as its handle holds it.
pub(crate) struct Handle<S: Side> {
    pub(crate) shared: Arc<Shared<S>>,
    generation: u32,
}

/// A seed that differs with every client and process, for the machine's jitter.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

impl<S: Side> Handle<S> {
    /// Starts a client.
    pub(crate) fn start(
        side: S,
        machine: S::Machine,
        settings: &ConnectionSettings,
        notices: NoticeOptions,
    ) -> Result<Self, Error> {
        let runtime = Runtime::shared()?;
        let shared = Shared::new(side, notices);
        start(&runtime, &shared, machine, settings);
        Ok(Self { shared, generation: fork::generation() })
    }

    /// A handle of a client that a test made.
    #[cfg(test)]
    pub(crate) fn of(shared: Arc<Shared<S>>) -> Self {
        Self { shared, generation: fork::generation() }
    }

    /// Whether this process made the client. In a forked child nothing of it may be touched.
    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// The error of calls in a forked child.
    pub(crate) fn forked() -> Error {
        let text = "This client belongs to the parent process: a forked child must make its own";
        Error::with_text(Kind::State, text)
    }

    /// Asks the machine; `map` takes the answer apart, `None` for one of another kind.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        timeout: Duration,
        command: impl FnOnce(RequestId, u64) -> Command,
        map: impl FnOnce(Reply) -> Option<T> + Send + 'static,
    ) -> Pending<T> {
        if !self.is_ours() {
            return Pending::ready(Err(Self::forked()));
        }
        let (completer, pending) = pending();
        let now_us = clock::mono_us(Instant::now());
        let deadline_us = now_us.saturating_add(u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX));
        let answered = move |result: Result<Reply, Error>| {
            let other = || Error::with_text(Kind::Inconsistent, "The answer is of another kind, please report this");
            completer.complete(result.and_then(|reply| map(reply).ok_or_else(other)));
        };
        self.shared.request(|request| command(request, deadline_us), Box::new(answered));
        pending
    }

    /// The cluster's description, of one topic or of all.
    pub(crate) fn metadata(&self, topic: Option<&str>, timeout: Duration) -> Pending<ClusterMetadata> {
        let topics = topic.map(|topic| vec![Arc::from(topic)]);
        let command = |request, deadline_us| Command::Metadata { request, topics, deadline_us };
        self.ask(timeout, command, |reply| match reply {
            Reply::Metadata(metadata) => Some(metadata),
            _ => None,
        })
    }

    #[inline]
    pub(crate) fn notices_waiting(&self) -> bool {
        self.shared.notices.are_waiting()
    }

    pub(crate) fn take_notices(&self, out: &mut Vec<Notice>) {
        if self.is_ours() {
            self.shared.notices.take(out);
        }
    }

    pub(crate) fn failure(&self) -> Option<Error> {
        self.shared.failure.get().cloned()
    }

    /// Logs a line as the machine would.
    pub(crate) fn log(&self, level: u8, facility: &'static str, text: String) {
        if self.is_ours() {
            self.shared.notices.log(clock::now(), level, facility, text);
        }
    }
}

impl<S: Side> Drop for Handle<S> {
    fn drop(&mut self) {
        if self.is_ours() {
            self.shared.command(Command::Close);
        } else {
            // One hold too many: the parent's client is never dropped in this process.
            std::mem::forget(self.shared.clone());
        }
    }
}
