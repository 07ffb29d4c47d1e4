//! How callers wait: detached from the interpreter; on the main thread in slices, so that a signal (Ctrl-C) is seen soon. What is waited for is
//! the client's business.
use std::time::{Duration, Instant};

use pyo3::prelude::*;

#[cfg(target_os = "linux")]
use crate::raw::thread;

/// How long a signal may go unseen on the main thread; with the interpreter's own delay below 50 ms.
const SLICE: Duration = Duration::from_millis(40);
/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// When a time-out in seconds ends; `None` is never: negative, not a number, or further away than clocks reach.
pub(crate) fn deadline(timeout: f64) -> Option<Instant> {
    if timeout == 0.0 {
        return Some(Instant::now());
    }
    Duration::try_from_secs_f64(timeout).ok().and_then(|timeout| Instant::now().checked_add(timeout))
}

/// What is left of a deadline, for a call that takes a duration.
pub(crate) fn left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(Duration::from_secs(3600 * 24 * 365), |deadline| deadline.saturating_duration_since(Instant::now()))
}

/// Waits until `wait` answers something or `deadline` has passed (`None`). `wait` blocks until the time given at most, on the calling thread,
/// detached. A signal's handler may run in between, and what it raises ends the wait.
pub(crate) fn until<T: Send>(
    py: Python<'_>,
    deadline: Option<Instant>,
    wait: impl Fn(Instant) -> Option<T> + Send + Sync,
) -> PyResult<Option<T>> {
    let slice = if is_main_thread() { SLICE } else { FOR_EVER };
    loop {
        let slice_end = Instant::now() + slice;
        let end = deadline.map_or(slice_end, |deadline| deadline.min(slice_end));
        let found = py.detach(|| wait(end));
        if found.is_none() || slice == SLICE {
            // On other threads it does nothing: Python runs handlers on the main one.
            py.check_signals()?;
        }
        if found.is_some() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(found);
        }
    }
}

/// Whether Python runs signal handlers on this thread.
#[cfg(target_os = "linux")]
fn is_main_thread() -> bool {
    // The main thread's number is the process's; so it is in a forked child, whose only thread is its main one.
    thread::number() == std::process::id()
}

#[cfg(not(target_os = "linux"))]
fn is_main_thread() -> bool {
    // Not told cheaply: everybody waits in slices.
    true
}
