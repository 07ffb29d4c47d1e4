//! The two places of every request where faults and the request log take hold: before its handler, and after.

use std::collections::BTreeMap;

use super::armed::{Faults, Firing};
use super::facts::Facts;
use super::fault::{Action, Level};
use super::impose::{Asked, Blow, Rest, can_fail, corrupt_batch, first_error, impose, strip, unlist_leader};
use super::request_log::RequestLog;
use crate::cluster::Cluster;
use crate::frame::Segment;
use crate::handlers::{Answer, Call, Reply};
use crate::machine::RequestId;
use crate::random::Random;

/// What becomes of a request before its handler sees it.
#[derive(Debug)]
pub(crate) enum Before {
    /// Its handler has it.
    Handle,
    /// Its handler has it at that time of [`Now::mono_us`](crate::Now::mono_us).
    Delay {
        /// When.
        until_us: u64,
    },
    /// Its handler never sees it; this is its answer, and [`after`] is not asked.
    Answer(Answer),
    /// It is never answered, and neither are those behind it.
    Stuck,
}

/// What becomes of an answer.
#[derive(Debug)]
pub(crate) enum After {
    /// It is sent.
    Send(Reply),
    /// These bytes alone are sent, then the connection is closed.
    Cut(Vec<u8>),
    /// The connection is closed.
    Close,
}

/// What tests have in hand of a cluster.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) faults: Faults,
    /// Requests that are served in part, and get an error for the rest.
    pending: BTreeMap<RequestId, Pending>,
    pub(crate) log: RequestLog,
    logs: bool,
}

/// A request as it came, and what is to be imposed on its answer.
#[derive(Debug)]
struct Pending {
    asked: Asked,
    firing: Firing,
}

impl Control {
    pub(crate) fn new(random: Random, logs: bool) -> Self {
        Self { faults: Faults::new(random), pending: BTreeMap::new(), log: RequestLog::default(), logs }
    }

    fn is_idle(&self) -> bool {
        self.faults.is_empty() && self.pending.is_empty() && !self.logs
    }

    /// The request's connection is gone.
    pub(crate) fn abandon(&mut self, request: RequestId) {
        self.pending.remove(&request);
    }
}

/// Asked once a request, when it is at the head of its connection. Its API and version are served.
pub(crate) fn before(cluster: &mut Cluster, call: &mut Call) -> Before {
    if cluster.control.is_idle() {
        return Before::Handle;
    }
    let facts = Facts::of(cluster, call);
    if cluster.control.logs {
        cluster.control.log.came(call, &facts);
    }
    let fails = can_fail(call.api);
    let firing = cluster.control.faults.fire(call, &facts, |action, _| match action {
        Action::Error { .. } => fails,
        Action::Delay { .. } | Action::DropBefore | Action::NeverAnswer => true,
        _ => false,
    });
    let Some(firing) = firing else { return Before::Handle };
    match firing.action {
        Action::Error { code, level } => refuse(cluster, call, firing, code, level),
        Action::Delay { ms } => Before::Delay { until_us: call.now.after_ms(ms) },
        Action::NeverAnswer => Before::Stuck,
        _ => Before::Answer(Answer::Close),
    }
}

/// Serves what the error does not hit, and nothing where it hits all.
fn refuse(cluster: &mut Cluster, call: &mut Call, firing: Firing, code: i16, level: Level) -> Before {
    let asked = Asked::of(call);
    let blow = Blow::new(cluster, call, &asked, &firing.select, (code, level));
    match strip(call, &blow) {
        Rest::Nothing => {
            let answer = impose(call, &asked, None, &blow);
            if cluster.control.logs {
                cluster.control.log.answered(call.id, call.now, code);
            }
            return Before::Answer(answer);
        }
        Rest::Unanswerable => return Before::Answer(Answer::Close),
        Rest::Same => {}
        Rest::Other(frame, body) => (call.frame, call.body) = (frame, body),
    }
    cluster.control.pending.insert(call.id, Pending { asked, firing });
    Before::Handle
}

/// Asked once a request, when its handler has answered it.
pub(crate) fn after(cluster: &mut Cluster, call: &Call, reply: Reply) -> After {
    if cluster.control.is_idle() {
        return After::Send(reply);
    }
    let reply = match cluster.control.pending.remove(&call.id) {
        None => reply,
        Some(Pending { asked, firing }) => {
            let Action::Error { code, level } = firing.action else { return After::Send(reply) };
            let blow = Blow::new(cluster, call, &asked, &firing.select, (code, level));
            match impose(call, &asked, Some(reply), &blow) {
                Answer::Now(reply) => reply,
                _ => return After::Close,
            }
        }
    };
    let after = if cluster.control.faults.is_empty() { After::Send(reply) } else { strike(cluster, call, reply) };
    if cluster.control.logs
        && let After::Send(reply) = &after
    {
        let error = first_error(call, reply).unwrap_or(0);
        cluster.control.log.answered(call.id, call.now, error);
    }
    after
}

fn strike(cluster: &mut Cluster, call: &Call, reply: Reply) -> After {
    let facts = Facts::of(cluster, call);
    let (faults, topics) = (&mut cluster.control.faults, &cluster.topics);
    // By the fault that fires: it is asked last.
    let mut changed = None;
    let firing = faults.fire(call, &facts, |action, select| match action {
        Action::ErrorAfter { .. } => can_fail(call.api),
        Action::DropAfter | Action::WrongCorrelationId | Action::PartialFrame => true,
        // These are spent only on an answer that has what they change: records, a leader.
        Action::CorruptCrc | Action::UnlistedLeader => {
            let change = if matches!(action, Action::CorruptCrc) { corrupt_batch } else { unlist_leader };
            changed = change(call, topics, select, &reply);
            changed.is_some()
        }
        _ => false,
    });
    let Some(firing) = firing else { return After::Send(reply) };
    match firing.action {
        Action::ErrorAfter { code, level } => {
            let asked = Asked::of(call);
            let blow = Blow::new(cluster, call, &asked, &firing.select, (code, level));
            match impose(call, &asked, Some(reply), &blow) {
                Answer::Now(reply) => After::Send(reply),
                _ => After::Close,
            }
        }
        Action::CorruptCrc | Action::UnlistedLeader => After::Send(changed.unwrap_or(reply)),
        Action::WrongCorrelationId => {
            let mut reply = reply;
            for byte in reply.bytes.iter_mut().skip(4).take(4) {
                *byte ^= 0x5a;
            }
            After::Send(reply)
        }
        Action::PartialFrame => {
            let bytes: Vec<u8> = reply.into_segments().iter().flat_map(Segment::as_slice).copied().collect();
            // More than the length, less than the whole.
            let half = (bytes.len() / 2).max(5).min(bytes.len().saturating_sub(1));
            After::Cut(bytes.get(..half).unwrap_or_default().to_vec())
        }
        _ => After::Close,
    }
}
