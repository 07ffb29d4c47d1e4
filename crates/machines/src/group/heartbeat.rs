//! When a heartbeat is due, and when the member must take itself for dead (KIP-62).
//!
//! The session is counted from when the last heartbeat that was answered well was *sent*: the broker counts from when it came,
//! which is later, so this member lets go of its partitions before another gets them.
use crate::machine::Now;

/// The clock of one session.
#[derive(Debug)]
pub struct Heartbeat {
    interval_us: u64,
    session_us: u64,
    next_us: u64,
    heard_us: u64,
    /// When the one in flight was sent.
    sent_us: Option<u64>,
}

impl Heartbeat {
    pub fn new(interval_us: u64, session_us: u64) -> Self {
        Self { interval_us, session_us, next_us: 0, heard_us: 0, sent_us: None }
    }

    /// A session begins with an answer to a request that was sent at `sent_us`.
    pub fn start(&mut self, now: Now, sent_us: u64) {
        self.heard_us = sent_us;
        self.next_us = now.mono_us.saturating_add(self.interval_us);
        self.sent_us = None;
    }

    pub fn is_due(&self, now: Now) -> bool {
        self.sent_us.is_none() && self.next_us <= now.mono_us
    }

    pub fn sent(&mut self, now: Now) {
        self.sent_us = Some(now.mono_us);
        self.next_us = now.mono_us.saturating_add(self.interval_us);
    }

    /// The coordinator knows the member.
    pub fn answered(&mut self) {
        if let Some(sent_us) = self.sent_us.take() {
            self.heard_us = self.heard_us.max(sent_us);
        }
    }

    /// No answer, or one that says nothing of the member: again at `again_us`.
    pub fn failed(&mut self, again_us: u64) {
        self.sent_us = None;
        self.next_us = again_us;
    }

    /// How long the coordinator has not been heard of, once that is too long.
    pub fn is_over(&self, now: Now) -> Option<u64> {
        let silent_us = now.mono_us.saturating_sub(self.heard_us);
        (silent_us >= self.session_us).then_some(silent_us)
    }

    pub fn deadline(&self, now: Now) -> Option<u64> {
        let over = self.heard_us.saturating_add(self.session_us);
        let next = if self.sent_us.is_none() { self.next_us } else { over };
        [over, next].into_iter().filter(|at| *at > now.mono_us).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_us: u64) -> Now {
        Now { mono_us, wall_ms: 0 }
    }

    #[test]
    fn beats_at_its_interval_and_counts_the_session_from_what_was_sent() {
        let mut heartbeat = Heartbeat::new(3, 10);
        heartbeat.start(at(2), 1);
        assert!(!heartbeat.is_due(at(4)) && heartbeat.is_due(at(5)));
        assert_eq!(heartbeat.deadline(at(2)), Some(5));
        heartbeat.sent(at(5));
        assert!(!heartbeat.is_due(at(9)), "one at a time");
        assert_eq!((heartbeat.is_over(at(10)), heartbeat.is_over(at(11))), (None, Some(10)));
        heartbeat.answered();
        assert_eq!((heartbeat.is_over(at(14)), heartbeat.is_over(at(15))), (None, Some(10)));
        heartbeat.sent(at(8));
        heartbeat.failed(9);
        assert!(heartbeat.is_due(at(9)));
        assert_eq!(heartbeat.is_over(at(15)), Some(10), "a failure is no sign of life");
    }
}
