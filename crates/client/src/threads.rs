//! How many engine threads this process has.
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fork;

/// The generation that is counted (high half) and its threads: a forked child begins at none.
static THREADS: AtomicU64 = AtomicU64::new(0);

/// Engine threads of this process: 0 before the first client, then two, three while names are looked up and for ten
/// seconds after.
pub fn engine_threads() -> usize {
    usize::try_from(threads_of(fork::generation(), THREADS.load(Ordering::SeqCst))).unwrap_or(usize::MAX)
}

/// Counts a thread while it lives.
pub(crate) struct Counted(u32);

impl Counted {
    pub(crate) fn new() -> Self {
        let generation = fork::generation();
        count(generation, |threads| threads + 1);
        Self(generation)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        count(self.0, |threads| threads.saturating_sub(1));
    }
}

fn threads_of(generation: u32, counted: u64) -> u64 {
    if counted >> 32 == u64::from(generation) { counted & 0xffff_ffff } else { 0 }
}

fn count(generation: u32, change: impl Fn(u64) -> u64) {
    let update = |counted| Some((u64::from(generation) << 32) | change(threads_of(generation, counted)));
    // The closure always gives a value, so the update always happens.
    let _ = THREADS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
}
