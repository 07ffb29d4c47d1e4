//! How the group coordinator's answers find the requests that wait for them: JoinGroup and SyncGroup are parked until
//! their reply is there.

use super::{Answer, Attempt, Call};
use crate::cluster::Cluster;
use crate::groups::{Caller, Reply};
use crate::machine::RequestId;

impl Cluster {
    /// Takes what the group coordinator answered, and wakes the requests that it is for.
    pub(crate) fn wake_answered(&mut self) {
        for answer in self.groups.take_answers() {
            let request = RequestId(answer.ticket);
            // Whose connection is gone gets no answer, as in Kafka.
            if self.is_waiting(request) {
                self.group_replies.insert(request, answer.reply);
                self.wake(request);
            }
        }
    }

    /// The coordinator's reply to this request, where there is one by now.
    pub(super) fn group_reply(&mut self, call: &Call) -> Option<Reply> {
        if call.attempt != Attempt::First {
            return self.group_replies.remove(&call.id);
        }
        let mut own = None;
        for answer in self.groups.take_answers() {
            let request = RequestId(answer.ticket);
            if request == call.id {
                own = Some(answer.reply);
            } else if self.is_waiting(request) {
                self.group_replies.insert(request, answer.reply);
                self.wake(request);
            }
        }
        own
    }
}

/// Waits for the coordinator.
pub(super) fn parked() -> Answer {
    Answer::Parked { until_us: None }
}

/// Who asks, as the coordinator wants to know it.
pub(super) fn caller(call: &Call) -> Caller<'_> {
    // All connections of the machine are as if from this host.
    Caller {
        client_id: call.client_id.as_deref().unwrap_or_default(),
        client_host: "/127.0.0.1",
        version: call.version,
    }
}
