//! The hand-over to callers who wait for something that lies under a client's lock: reports, records, an empty queue.
//!
//! A caller says what it waits for by a check that takes the client's lock itself. Whoever makes it true (under that lock)
//! calls [`Waiters::wake_one`] or [`Waiters::wake_all`] after freeing it, once per edge from false to true. A waiter that
//! leaves while it is still true passes the wake-up on, so that none sleeps beside something ready. No polling.
#![cfg_attr(not(feature = "loom"), allow(unreachable_pub))] // Public for loom's models alone.
use std::time::Instant;

use crate::sync::{AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, take};

/// Callers waiting for one condition. See the module's documentation.
pub struct Waiters {
    /// Callers between joining and leaving; a copy of `List::waiting` that is read without the mutex.
    present: AtomicUsize,
    list: Mutex<List>,
    changed: Condvar,
}

#[derive(Default)]
struct List {
    waiting: usize,
    /// Wake-ups given and not yet consumed; never more than `waiting`.
    signals: usize,
}

impl Default for Waiters {
    fn default() -> Self {
        Self::new()
    }
}

impl Waiters {
    /// Nobody waits.
    pub fn new() -> Self {
        Self { present: AtomicUsize::new(0), list: Mutex::new(List::default()), changed: Condvar::new() }
    }

    /// Whether someone waits. What made the condition true must have been written under the lock that the waiters' checks
    /// take, and that lock freed: a waiter whose check came before is then seen here, one whose check comes after sees it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.present.load(Ordering::SeqCst) == 0
    }

    /// Wakes one waiter, if any waits.
    pub fn wake_one(&self) {
        if self.is_empty() {
            return;
        }
        let mut list = take(&self.list);
        if list.signals < list.waiting {
            list.signals += 1;
            self.changed.notify_one();
        }
    }

    /// Wakes all who wait.
    pub fn wake_all(&self) {
        if self.is_empty() {
            return;
        }
        let mut list = take(&self.list);
        list.signals = list.waiting;
        self.changed.notify_all();
    }

    /// Waits until `ready` or `deadline` (`None`: for ever); returns what `ready` said last. A deadline that has passed
    /// checks once. `ready` is called without any lock of this type.
    pub fn wait(&self, deadline: Option<Instant>, ready: &mut dyn FnMut() -> bool) -> bool {
        if ready() {
            return true;
        }
        {
            let mut list = take(&self.list);
            list.waiting += 1;
            self.present.store(list.waiting, Ordering::SeqCst);
        }
        let outcome = loop {
            if ready() {
                break true;
            }
            if !self.sleep(deadline) {
                break ready();
            }
        };
        {
            let mut list = take(&self.list);
            list.waiting -= 1;
            list.signals = list.signals.min(list.waiting);
            self.present.store(list.waiting, Ordering::SeqCst);
            // There may be enough for two, and the edge woke one.
            if outcome && list.signals < list.waiting {
                list.signals += 1;
                self.changed.notify_one();
            }
        }
        outcome
    }

    /// Sleeps until signalled; false when the deadline came first.
    fn sleep(&self, deadline: Option<Instant>) -> bool {
        let mut list = take(&self.list);
        loop {
            if list.signals > 0 {
                list.signals -= 1;
                return true;
            }
            let Some(deadline) = deadline else {
                list = self.changed.wait(list).unwrap_or_else(|poisoned| poisoned.into_inner());
                continue;
            };
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            list = self.sleep_until(list, deadline - now);
        }
    }

    #[cfg(not(feature = "loom"))]
    fn sleep_until<'a>(&self, list: MutexGuard<'a, List>, time: std::time::Duration) -> MutexGuard<'a, List> {
        self.changed.wait_timeout(list, time).unwrap_or_else(|poisoned| poisoned.into_inner()).0
    }

    /// loom has no clock: its models wait without a deadline.
    #[cfg(feature = "loom")]
    fn sleep_until<'a>(&self, list: MutexGuard<'a, List>, _time: std::time::Duration) -> MutexGuard<'a, List> {
        self.changed.wait(list).unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    #[test]
    fn a_passed_deadline_checks_once_and_returns() {
        let waiters = Waiters::new();
        let mut checks = 0;
        assert!(!waiters.wait(Some(Instant::now()), &mut || {
            checks += 1;
            false
        }));
        assert!(checks >= 1 && waiters.is_empty());
        assert!(waiters.wait(Some(Instant::now()), &mut || true));
    }

    #[test]
    fn all_waiters_leave_when_the_condition_holds() {
        let waiters = Arc::new(Waiters::new());
        let ready = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (waiters, ready) = (waiters.clone(), ready.clone());
                std::thread::spawn(move || {
                    let deadline = Instant::now() + Duration::from_secs(20);
                    waiters.wait(Some(deadline), &mut || ready.load(Ordering::SeqCst))
                })
            })
            .collect();
        while take(&waiters.list).waiting < 4 {
            std::thread::yield_now();
        }
        ready.store(true, Ordering::SeqCst);
        waiters.wake_all();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
        assert!(waiters.is_empty());
    }
}
