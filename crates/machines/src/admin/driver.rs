//! The one driver of all operations: looks up where each goes, sends it, asks again after what passes, ends what is overdue.
use std::collections::BTreeMap;
use std::sync::Arc;

use super::operations::{Operation, Verdict};
use crate::client::{Outbox, Reply, RequestId};
use crate::config::ConnectionSettings;
use crate::connection::{Failure, Network, Response, Tag};
use crate::error::{Error, Kind};
use crate::machine::Now;
use crate::metadata::Metadata;

const NOT_CONTROLLER: i16 = 41;

#[derive(Debug)]
struct Running {
    operation: Operation,
    deadline_us: u64,
    not_before_us: u64,
    in_flight: bool,
    /// The look-up was wrong: nothing is sent before metadata has had so many answers.
    after_answers: u64,
    /// Why the last attempt did not do; ends the operation when its time is over.
    last: Option<Error>,
}

/// All operations that are not done yet.
#[derive(Debug)]
pub struct Driver {
    running: BTreeMap<RequestId, Running>,
    retry_backoff_us: u64,
}

impl Driver {
    pub fn new(settings: &ConnectionSettings) -> Self {
        Self { running: BTreeMap::new(), retry_backoff_us: settings.retry_backoff_us }
    }

    pub fn start(&mut self, request: RequestId, operation: Operation, deadline_us: u64) {
        self.running.insert(
            request,
            Running { operation, deadline_us, not_before_us: 0, in_flight: false, after_answers: 0, last: None },
        );
    }

    pub fn advance(&mut self, now: Now, network: &mut Network, metadata: &mut Metadata, outbox: &mut Outbox) {
        let mut ended: Vec<(RequestId, Error)> = Vec::new();
        for (id, running) in &mut self.running {
            if running.deadline_us <= now.mono_us {
                ended.push((*id, running.last.take().unwrap_or_else(|| overdue(running.in_flight))));
            } else if !running.in_flight
                && running.not_before_us <= now.mono_us
                && running.after_answers <= metadata.answers()
            {
                let Some(connection) = running.operation.lookup().connection(now, network, metadata) else { continue };
                let timeout_us = running.deadline_us - now.mono_us;
                match running.operation.send(now, connection, network, Tag::Admin(*id), timeout_us) {
                    Ok(()) => running.in_flight = true,
                    Err(error) => ended.push((*id, error)),
                }
            }
        }
        for (id, error) in ended {
            self.running.remove(&id);
            outbox.reply(id, Err(error));
        }
    }

    pub fn response(
        &mut self,
        now: Now,
        id: RequestId,
        response: &Response,
        network: &mut Network,
        metadata: &mut Metadata,
        outbox: &mut Outbox,
    ) {
        let Some(running) = self.running.get_mut(&id) else { return };
        running.in_flight = false;
        let result = match running.operation.judge(response) {
            Verdict::Done(reply) => Ok(reply),
            Verdict::Failed(error) => Err(error),
            Verdict::Again { refresh, error } => {
                running.last = Some(error);
                running.not_before_us = now.mono_us.saturating_add(self.retry_backoff_us);
                if refresh {
                    running.after_answers = metadata.answers() + 1;
                    metadata.request_update(now);
                }
                return;
            }
            Verdict::Unreadable(what) => {
                running.not_before_us = now.mono_us.saturating_add(self.retry_backoff_us);
                return network.distrust(now, response.connection, &what);
            }
        };
        self.running.remove(&id);
        outbox.reply(id, result);
    }

    /// No answer. The operation may have been carried out; asking again then says so by its error, as in the original.
    pub fn failure(&mut self, now: Now, id: RequestId, _failure: &Failure) {
        if let Some(running) = self.running.get_mut(&id) {
            running.in_flight = false;
            running.not_before_us = now.mono_us.saturating_add(self.retry_backoff_us);
        }
    }

    pub fn deadline(&self, now: Now) -> Option<u64> {
        let times = self.running.values().flat_map(|running| [running.deadline_us, running.not_before_us]);
        times.filter(|until| *until > now.mono_us).min()
    }

    pub fn close(&mut self, outbox: &mut Outbox) {
        for id in std::mem::take(&mut self.running).into_keys() {
            outbox.reply(id, Err(Error::new(Kind::Destroy)));
        }
    }
}

fn overdue(in_flight: bool) -> Error {
    let text = if in_flight {
        "Failed while waiting for response from broker: Local: Timed out"
    } else {
        "Failed while waiting for controller: Local: Timed out"
    };
    Error::with_text(Kind::TimedOut, text)
}

/// The broker speaks no version of the API.
pub(super) fn not_spoken(api: &str) -> Error {
    Error::with_text(Kind::UnsupportedFeature, format!("{api} is not supported by the broker: check its version"))
}

/// The request cannot be written in the broker's version.
pub(super) fn refused(error: impl std::fmt::Display) -> Error {
    Error::with_text(Kind::InvalidArgument, error.to_string())
}

/// The verdict over an answer that gives each name its error.
pub(super) fn named<'a>(
    asked: impl Iterator<Item = &'a Arc<str>>,
    answered: impl Iterator<Item = (&'a str, i16, Option<&'a str>)> + Clone,
    reply: impl FnOnce(Vec<(Arc<str>, Result<(), Error>)>) -> Reply,
) -> Verdict {
    if answered.clone().any(|(_, code, _)| code == NOT_CONTROLLER) {
        return Verdict::Again { refresh: true, error: Error::broker(NOT_CONTROLLER) };
    }
    let of = |name: &Arc<str>| match answered.clone().find(|(answered, ..)| *answered == &**name) {
        Some((_, 0, _)) => Ok(()),
        Some((_, code, text)) => {
            let error = Error::broker(code);
            Err(Error { text: text.map(Into::into), ..error })
        }
        None => Err(Error::with_text(Kind::BadMessage, format!("The broker's answer does not name {name}"))),
    };
    Verdict::Done(reply(asked.map(|name| (name.clone(), of(name))).collect()))
}
