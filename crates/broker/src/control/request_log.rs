//! What clients asked and what they were told, for tests that want to see it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::facts::Facts;
use crate::handlers::Call;
use crate::machine::{ConnectionId, Now, RequestId};
use ottla_protocol::api::ApiKey;

/// How many requests are kept; the oldest go first.
const KEPT: usize = 100_000;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When it was at the head of its connection.
    pub at: Now,
    /// The broker that it went to.
    pub node: i32,
    /// Its connection.
    pub connection: ConnectionId,
    /// Its API.
    pub api: ApiKey,
    /// Its version.
    pub api_version: i16,
    /// What the client calls itself.
    pub client_id: Option<Arc<str>>,
    /// The client's number for it.
    pub correlation_id: i32,
    /// Its bytes, without the length in front.
    pub bytes: usize,
    /// The topics that it names, with how many partitions of each; 0 where it is about a topic as a whole.
    pub topics: Vec<(String, usize)>,
    /// The groups that it names.
    pub groups: Vec<String>,
    /// When it was answered; `None` while it waits, and where it never is.
    pub answered_at: Option<Now>,
    /// The first error code in the answer, 0 where there is none.
    pub error: i16,
    request: RequestId,
}

/// The requests, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: VecDeque<LogEntry>,
}

impl RequestLog {
    pub(crate) fn entries(&self) -> &VecDeque<LogEntry> {
        &self.entries
    }

    pub(crate) fn came(&mut self, call: &Call, facts: &Facts) {
        if self.entries.len() >= KEPT {
            self.entries.pop_front();
        }
        let topics = facts.topics.iter();
        self.entries.push_back(LogEntry {
            at: call.now,
            node: call.node,
            connection: call.connection,
            api: call.api,
            api_version: call.version,
            client_id: call.client_id.clone(),
            correlation_id: call.correlation_id,
            bytes: call.frame.as_slice().len(),
            topics: topics.map(|named| (named.topic.clone(), named.partitions.as_ref().map_or(0, Vec::len))).collect(),
            groups: facts.groups.clone(),
            answered_at: None,
            error: 0,
            request: call.id,
        });
    }

    pub(crate) fn answered(&mut self, request: RequestId, at: Now, error: i16) {
        // Requests come in the order of their numbers.
        if let Ok(place) = self.entries.binary_search_by_key(&request, |entry| entry.request)
            && let Some(entry) = self.entries.get_mut(place)
        {
            (entry.answered_at, entry.error) = (Some(at), error);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
