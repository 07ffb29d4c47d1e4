//! The wake-up of a client's driver on thread *io* (E8): cheap while *io* is awake, one wake-up when it rests.
//!
//! Anyone wakes; the driver alone begins turns and rests. A wake-up after the driver began its last turn is never lost: the
//! driver then does not rest. Whether there is something to wake it for is decided elsewhere.
#![cfg_attr(not(feature = "loom"), allow(unreachable_pub))] // Public for loom's models alone.
use std::task::Waker;

use crate::sync::{AtomicU8, Mutex, Ordering, take};

const AWAKE: u8 = 0;
const WOKEN: u8 = 1;
const RESTING: u8 = 2;

/// One driver's edge. See the module's documentation.
pub struct Edge {
    state: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

impl Default for Edge {
    fn default() -> Self {
        Self::new()
    }
}

impl Edge {
    /// An edge whose driver is yet to begin its first turn.
    pub fn new() -> Self {
        Self { state: AtomicU8::new(WOKEN), waker: Mutex::new(None) }
    }

    /// Has the driver run (another) turn. What the caller wrote before is seen by that turn.
    pub fn wake(&self) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == RESTING
            && let Some(waker) = &*take(&self.waker)
        {
            waker.wake_by_ref();
        }
    }

    /// The driver begins a turn; whether it was woken since the last one began.
    pub fn begin(&self) -> bool {
        self.state.swap(AWAKE, Ordering::AcqRel) == WOKEN
    }

    /// The driver has nothing more to do; returns whether it may rest. If not, it was woken meanwhile: another turn.
    pub fn rest(&self, waker: &Waker) -> bool {
        {
            let mut kept = take(&self.waker);
            if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
                *kept = Some(waker.clone());
            }
        }
        self.state.compare_exchange(AWAKE, RESTING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn only_a_resting_driver_is_woken_and_only_once() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let edge = Edge::new();
        assert!(edge.begin());
        edge.wake();
        assert!(!edge.rest(&waker), "woken during the turn: another turn");
        assert!(edge.begin());
        assert!(edge.rest(&waker));
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        edge.wake();
        edge.wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(edge.begin() && !edge.begin());
    }
}
