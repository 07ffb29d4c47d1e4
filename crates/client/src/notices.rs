//! What a client tells besides answers: errors for `error_cb` and lines of its log (E23).
//!
//! With a callback or a logger they queue here until the application drains them; without, errors are dropped (the log has
//! them too) and log lines go to stderr from thread *io* in the original's format, at most one a second per broker and
//! cause.
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ottla_machines::error::{Error, Kind};
use ottla_machines::group::{ConsumerError, OffsetsCommitted, Rebalance};
use ottla_machines::machine::Now;

use crate::fork;

/// Notices kept at most; the oldest goes first.
const KEPT: usize = 1000;
const QUIET_US: u64 = 1_000_000;

/// Something that a client tells the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// For `error_cb`.
    Error(Error),
    /// A line of the log.
    Log {
        /// Syslog's: 3 error, 4 warning, 6 information, 7 debug.
        level: u8,
        /// Which part of the client speaks: `FAIL`, `CONFWARN`, ...
        facility: &'static str,
        /// What it says.
        text: String,
    },
    /// Partitions are assigned, revoked or lost. Never dropped.
    Rebalance(Rebalance),
    /// What became of a commit. Never dropped where it is asked for.
    OffsetsCommitted(OffsetsCommitted),
    /// What `poll` returns as an event. Never dropped.
    ConsumerError(ConsumerError),
}

impl Notice {
    /// Whether it may be dropped when nobody takes it.
    fn is_optional(&self) -> bool {
        matches!(self, Self::Error(_) | Self::Log { .. })
    }
}

/// Where a client's notices go. The default writes the log to stderr and drops errors.
#[derive(Clone, Debug, Default)]
pub struct NoticeOptions {
    /// The client's name in log lines, as `rdkafka#producer-1` there.
    pub name: String,
    /// Errors queue for `error_cb`.
    pub queue_errors: bool,
    /// Log lines queue for the application's logger, instead of stderr.
    pub queue_logs: bool,
    /// What became of commits queues for `on_commit`; else it is dropped.
    pub queue_commits: bool,
    /// Log lines of a higher number are dropped (`log_level`); `None` is 6.
    pub log_level: Option<u8>,
}

/// One client's notices.
pub(crate) struct Notices {
    options: NoticeOptions,
    waiting: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Notice>,
    dropped: u64,
    /// By facility, broker and cause: when a line was written last, and how many were not since.
    written: HashMap<(&'static str, String), (u64, u64)>,
}

impl Notices {
    pub(crate) fn new(options: NoticeOptions) -> Self {
        Self { options, waiting: AtomicBool::new(false), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether some wait. One relaxed load.
    #[inline]
    pub(crate) fn are_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// An error for `error_cb`; whether it was queued.
    pub(crate) fn error(&self, error: Error) -> bool {
        self.options.queue_errors && self.queue(Notice::Error(error))
    }

    /// What became of a commit; whether it was queued.
    pub(crate) fn committed(&self, committed: OffsetsCommitted) -> bool {
        self.options.queue_commits && self.queue(Notice::OffsetsCommitted(committed))
    }

    /// A line of the log; whether it was queued.
    pub(crate) fn log(&self, now: Now, level: u8, facility: &'static str, text: String) -> bool {
        if level > self.options.log_level.unwrap_or(6) {
            return false;
        }
        if self.options.queue_logs {
            return self.queue(Notice::Log { level, facility, text });
        }
        if let Some(suppressed) = self.state().may_write(now, facility, &text) {
            let line = line(&self.options.name, now, level, facility, &text, suppressed);
            fork::write_to_stderr(&line);
        }
        false
    }

    /// Queues a notice, whatever the options say.
    pub(crate) fn queue(&self, notice: Notice) -> bool {
        let mut state = self.state();
        let full = state.queue.len() >= KEPT;
        let oldest = if full { state.queue.iter().position(Notice::is_optional) } else { None };
        let oldest = oldest.and_then(|place| state.queue.remove(place));
        state.dropped += u64::from(oldest.is_some());
        state.queue.push_back(notice);
        self.waiting.store(true, Ordering::Release);
        true
    }

    /// Moves all that wait to `out`, oldest first; behind them a line that says how many were dropped, if any were.
    pub(crate) fn take(&self, out: &mut Vec<Notice>) {
        let mut state = self.state();
        self.waiting.store(false, Ordering::Release);
        out.extend(state.queue.drain(..));
        let dropped = std::mem::take(&mut state.dropped);
        drop(state);
        if dropped > 0 && self.options.queue_logs {
            let text = format!("{dropped} older notices were dropped: call poll() more often");
            out.push(Notice::Log { level: 4, facility: "DROPPED", text });
        } else if dropped > 0 {
            let text = format!("{dropped} older errors were dropped: call poll() more often");
            out.push(Notice::Error(Error::with_text(Kind::Fail, text)));
        }
    }
}

impl State {
    /// Whether a line may be written now; `Some` with the number of its like that were not.
    fn may_write(&mut self, now: Now, facility: &'static str, text: &str) -> Option<u64> {
        // A broker and a cause, without the numbers that differ each time.
        let cause: String = text.split(" (after ").next().unwrap_or(text).chars().take(160).collect();
        if self.written.len() > KEPT {
            self.written.retain(|_, (at, _)| *at + QUIET_US > now.mono_us);
        }
        let fresh = !self.written.contains_key(&(facility, cause.clone()));
        let (at, suppressed) = self.written.entry((facility, cause)).or_insert((now.mono_us, 0));
        if !fresh && now.mono_us < *at + QUIET_US {
            *suppressed += 1;
            return None;
        }
        *at = now.mono_us;
        Some(std::mem::take(suppressed))
    }
}

/// A line as librdkafka writes it: `%3|SECONDS.MILLIS|FACILITY|NAME| [thrd:BROKER]: TEXT`.
fn line(name: &str, now: Now, level: u8, facility: &str, text: &str, suppressed: u64) -> String {
    let (seconds, millis) = (now.wall_ms.div_euclid(1000), now.wall_ms.rem_euclid(1000));
    let thread = match text.split_once(": ") {
        Some((broker, _)) if broker.contains('/') && !broker.contains(' ') => broker,
        _ => "main",
    };
    let again = match suppressed {
        0 => String::new(),
        _ => format!(" ({suppressed} identical line(s) suppressed)"),
    };
    format!("%{level}|{seconds}.{millis:03}|{facility}|{name}| [thrd:{thread}]: {text}{again}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_us: u64) -> Now {
        Now { mono_us, wall_ms: 1_700_000_000_123 }
    }

    #[test]
    fn a_line_looks_like_the_originals() {
        let text = "localhost:9092/bootstrap: Connect to localhost:9092 failed: Connection refused";
        assert_eq!(
            line("rdkafka#producer-1", at(0), 3, "FAIL", text, 0),
            format!("%3|1700000000.123|FAIL|rdkafka#producer-1| [thrd:localhost:9092/bootstrap]: {text}\n")
        );
        assert!(
            line("c", at(0), 4, "CONFWARN", "Not served: x", 2).contains("[thrd:main]: Not served: x (2 identical")
        );
    }

    #[test]
    fn one_line_a_second_per_broker_and_cause_with_a_count() {
        let mut state = State::default();
        let mut ask = |us, text: &str| state.may_write(at(us), "FAIL", text);
        assert_eq!(ask(0, "a:1/1: refused (after 1ms in state CONNECT)"), Some(0));
        assert_eq!(ask(10, "a:1/1: refused (after 7ms in state CONNECT)"), None);
        assert_eq!(ask(10, "b:1/2: refused (after 7ms in state CONNECT)"), Some(0));
        assert_eq!(ask(1_000_000, "a:1/1: refused (after 9ms in state CONNECT)"), Some(1));
    }

    #[test]
    fn the_oldest_of_a_thousand_is_dropped_and_counted() {
        let options = NoticeOptions { queue_errors: true, queue_logs: true, ..NoticeOptions::default() };
        let notices = Notices::new(options);
        assert!(!notices.are_waiting());
        for number in 0..1002 {
            assert!(notices.log(at(0), 6, "TEST", number.to_string()));
        }
        assert!(!notices.log(at(0), 7, "TEST", "debug".to_owned()));
        let mut out = Vec::new();
        notices.take(&mut out);
        assert!(!notices.are_waiting());
        assert_eq!(out.len(), 1001);
        assert!(matches!(&out[0], Notice::Log { text, .. } if text == "2"));
        assert!(matches!(&out[1000], Notice::Log { text, .. } if text.starts_with("2 older")));
    }
}
