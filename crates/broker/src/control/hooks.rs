//! The two places of every request where faults and the request log take hold: before its handler, and after.

use crate::cluster::Cluster;
use crate::handlers::{Answer, Call, Reply};

/// What becomes of a request before its handler sees it.
#[derive(Debug)]
#[allow(dead_code, reason = "made by faults")]
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
#[allow(dead_code, reason = "made by faults")]
pub(crate) enum After {
    /// It is sent.
    Send(Reply),
    /// It is sent at that time of [`Now::mono_us`](crate::Now::mono_us).
    Delay {
        /// When.
        until_us: u64,
        /// The answer.
        reply: Reply,
    },
    /// These bytes alone are sent, then the connection is closed.
    Cut(Vec<u8>),
    /// The connection is closed.
    Close,
    /// It is never sent, and nothing behind it is answered.
    Stuck,
}

/// Asked once a request, when it is at the head of its connection. Its API and version are served.
pub(crate) fn before(_cluster: &mut Cluster, _call: &Call) -> Before {
    Before::Handle
}

/// Asked once a request, when its handler has answered it.
pub(crate) fn after(_cluster: &mut Cluster, _call: &Call, reply: Reply) -> After {
    After::Send(reply)
}
