//! The clocks of the shell: the machines' time, and the conversion of deadlines.
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla_machines::machine::Now;

/// Where `mono_us` begins: the same for every client of the process, and kept across a fork.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    // An hour back, so that no deadline that lies in the recent past is below zero.
    *ORIGIN.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(Duration::from_secs(3600)).unwrap_or(now)
    })
}

/// The time, for a machine.
pub(crate) fn now() -> Now {
    Now { mono_us: mono_us(Instant::now()), wall_ms: wall_ms() }
}

/// Microseconds of the machines' clock at `instant`.
pub(crate) fn mono_us(instant: Instant) -> u64 {
    u64::try_from(instant.saturating_duration_since(origin()).as_micros()).unwrap_or(u64::MAX)
}

/// The instant of a machine's deadline; a deadline too far away to be told is a year from now.
pub(crate) fn instant(mono_us: u64) -> Instant {
    let year = Duration::from_secs(365 * 24 * 3600);
    let latest = Instant::now() + year;
    origin().checked_add(Duration::from_micros(mono_us)).map_or(latest, |instant| instant.min(latest))
}

/// Milliseconds since 1970 by the precise clock (E12).
#[inline]
pub fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_microseconds_convert_both_ways() {
        let now = Instant::now();
        let back = instant(mono_us(now));
        assert!(now.duration_since(back) < Duration::from_micros(2));
        assert!(instant(u64::MAX) > now + Duration::from_secs(1000));
        assert!(wall_ms() > 1_600_000_000_000);
    }
}
