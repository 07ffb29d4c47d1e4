//! Timestamps of records (E12): precise to well below a millisecond, at a fraction of what asking the clock costs.
//!
//! Where the processor counts cycles, the clock is asked again only when some have gone by; a count that went back, or that
//! belongs to another thread, asks too.
#![allow(unsafe_code)] // The cycle counter has no safe name.

use std::cell::Cell;

use crate::clock::wall_ms;

/// At most 50 microseconds on any processor above 1 GHz: a timestamp is never before the call by a millisecond.
const FRESH_CYCLES: u64 = 50_000;

thread_local! {
    /// The count at which the clock was asked last, and what it said.
    static LAST: Cell<(u64, i64)> = const { Cell::new((0, i64::MIN)) };
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn cycles() -> Option<u64> {
    // SAFETY: every x86-64 has the instruction, and it touches no memory.
    Some(unsafe { core::arch::x86_64::_rdtsc() })
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn cycles() -> Option<u64> {
    None
}

/// Milliseconds since 1970, as a record that is made now is stamped.
#[inline]
pub fn record_timestamp_ms() -> i64 {
    let Some(now) = cycles() else { return wall_ms() };
    let (then, ms) = LAST.get();
    if now.wrapping_sub(then) < FRESH_CYCLES && ms != i64::MIN {
        return ms;
    }
    ask(now)
}

#[cold]
fn ask(now: u64) -> i64 {
    let ms = wall_ms();
    LAST.set((now, ms));
    ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_never_before_the_call_by_a_millisecond_nor_after_it() {
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 20 {
            let before = wall_ms();
            let stamp = record_timestamp_ms();
            let after = wall_ms();
            assert!((before - 1..=after).contains(&stamp), "{stamp} is not between {before} and {after}");
            seen.insert(stamp);
        }
    }
}
