//! Whether the application polls often enough (KIP-62, `max.poll.interval.ms`).
//!
//! The caller's thread only sets a flag; *io* looks at it at its exchanges, and by the clock a sixteenth of the interval after
//! the last look (100 ms to 5 s). While a caller waits in a poll the clock does not run (E18).
use crate::machine::Now;

const LEAST_US: u64 = 100_000;
const MOST_US: u64 = 5_000_000;

/// See the module.
#[derive(Debug)]
pub struct Polling {
    interval_us: u64,
    /// Whether there is a subscription.
    running: bool,
    polled_us: u64,
    /// When the flag is looked at next.
    look_us: u64,
    wanted: bool,
    /// Looked at after the interval was over, and there was no poll.
    late: bool,
    exceeded: bool,
}

impl Polling {
    pub fn new(interval_us: u64) -> Self {
        Self { interval_us, running: false, polled_us: 0, look_us: 0, wanted: false, late: false, exceeded: false }
    }

    /// Subscribing counts as a poll.
    pub fn subscribed(&mut self, now: Now) {
        self.running = true;
        self.note(now, true);
    }

    /// Nothing is subscribed to.
    pub fn stop(&mut self) {
        (self.running, self.wanted, self.late, self.exceeded) = (false, false, false, false);
    }

    pub fn note(&mut self, now: Now, polled: bool) {
        self.wanted = false;
        if polled {
            self.polled_us = now.mono_us;
            self.late = false;
            self.exceeded = false;
        } else if self.polled_us.saturating_add(self.interval_us) <= now.mono_us {
            self.late = true;
        }
        let step_us = (self.interval_us / 16).clamp(LEAST_US, MOST_US);
        let over_us = self.polled_us.saturating_add(self.interval_us);
        let next_us = now.mono_us.saturating_add(step_us);
        self.look_us = if over_us > now.mono_us { next_us.min(over_us) } else { next_us };
    }

    /// Whether somebody has to look at the flag.
    pub fn wants_note(&self) -> bool {
        self.wanted
    }

    /// By how much the interval is over, once for each time that it is.
    pub fn check(&mut self, now: Now) -> Option<u64> {
        if !self.running {
            return None;
        }
        self.wanted |= self.look_us <= now.mono_us;
        if !std::mem::take(&mut self.late) || self.exceeded {
            return None;
        }
        self.exceeded = true;
        Some(now.mono_us.saturating_sub(self.polled_us.saturating_add(self.interval_us)))
    }

    /// Whether the application is late: it is no member until it polls.
    pub fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    pub fn deadline(&self, now: Now) -> Option<u64> {
        (self.running && !self.wanted).then_some(self.look_us).filter(|at| *at > now.mono_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_us: u64) -> Now {
        Now { mono_us, wall_ms: 0 }
    }

    #[test]
    fn is_over_only_when_a_look_after_the_interval_finds_no_poll() {
        let mut polling = Polling::new(16_000_000);
        assert_eq!((polling.check(at(99_000_000)), polling.deadline(at(0))), (None, None), "nothing is subscribed to");
        polling.subscribed(at(0));
        assert_eq!(polling.deadline(at(0)), Some(1_000_000));
        assert_eq!(polling.check(at(1_000_000)), None);
        assert!(polling.wants_note());
        polling.note(at(1_000_000), true);
        assert!(!polling.wants_note());
        assert_eq!(polling.check(at(17_000_000)), None, "not before somebody looked");
        assert!(polling.wants_note());
        polling.note(at(17_000_500), false);
        assert_eq!(polling.check(at(17_000_500)), Some(500));
        assert_eq!((polling.check(at(18_000_000)), polling.is_exceeded()), (None, true), "told once");
        polling.note(at(19_000_000), false);
        assert_eq!((polling.check(at(19_000_000)), polling.is_exceeded()), (None, true));
        polling.note(at(20_000_000), true);
        assert!(!polling.is_exceeded());
        polling.note(at(36_000_000), false);
        assert_eq!(polling.check(at(36_000_000)), Some(0), "and again");
    }

    #[test]
    fn the_last_look_falls_on_the_end_of_the_interval() {
        let mut polling = Polling::new(1_000_000);
        polling.subscribed(at(0));
        polling.note(at(950_000), false);
        assert_eq!(polling.deadline(at(950_000)), Some(1_000_000));
    }
}
