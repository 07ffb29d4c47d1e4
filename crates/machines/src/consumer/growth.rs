//! Whether fetching more at once pays (E14): prefetch grows only for a caller that is starved, and only as long as larger
//! fetches bring more in the same time.
//!
//! A caller can be starved because answers are far away (then a larger Fetch helps) or because broker and network send no
//! faster (then it only falls out of the cache: measured on loopback, 64 MiB cost 120 ns a record where 4 MiB cost 48).
//! So a doubling is a trial: kept if full responses then come at least half as fast again, else taken back for a while. The
//! fastest of a few responses counts: others were held up by a cold start or by other programs. A mebibyte in a millisecond
//! is faster than anyone takes records, so nothing is tried there.

/// Full responses that a rate is made of.
const SAMPLES: u32 = 4;
/// Bytes in a millisecond that no trial can better.
const FAST: u64 = 1 << 20;
/// Full responses until the next trial, doubled after each that failed.
const FIRST_REST: u32 = 64;
const LONGEST_REST: u32 = 4096;

/// What the prefetch limit should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    Stay,
    Double,
    /// The doubling did not pay.
    TakeBack,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Growth {
    samples: u32,
    /// Bytes per millisecond of the fastest.
    rate: u64,
    /// Bytes per millisecond before the doubling that is on trial.
    before: Option<u64>,
    rest: u32,
    next_rest: u32,
    starved: bool,
}

impl Growth {
    pub(crate) fn new() -> Self {
        Self { samples: 0, rate: 0, before: None, rest: 0, next_rest: FIRST_REST, starved: false }
    }

    /// A response came that was as large as it was allowed to be, while there was more.
    pub(crate) fn full(&mut self, bytes: usize, round_trip_us: u64) {
        self.rest = self.rest.saturating_sub(1);
        self.samples += 1;
        self.rate = self.rate.max((bytes as u64).saturating_mul(1000) / round_trip_us.max(1));
    }

    /// A take found nothing while there is lag.
    pub(crate) fn starved(&mut self) {
        self.starved = true;
    }

    /// What to do now, with room above the limit or without; ask after each response.
    pub(crate) fn advice(&mut self, room: bool) -> Advice {
        if self.samples < SAMPLES || !self.starved {
            return Advice::Stay;
        }
        let rate = std::mem::take(&mut self.rate);
        self.samples = 0;
        self.starved = false;
        match self.before.take() {
            Some(before) if rate.saturating_mul(2) < before.saturating_mul(3) => {
                self.rest = self.next_rest;
                self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
                Advice::TakeBack
            }
            _ if !room || self.rest > 0 || rate >= FAST => Advice::Stay,
            Some(_) => {
                self.next_rest = FIRST_REST;
                self.before = Some(rate);
                Advice::Double
            }
            None => {
                self.before = Some(rate);
                Advice::Double
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starved, with responses of `bytes` at this latency and bandwidth, until there is advice.
    fn round(growth: &mut Growth, bytes: usize, latency_us: u64, bytes_a_us: u64) -> Advice {
        for _ in 0..SAMPLES {
            growth.full(bytes, latency_us + bytes as u64 / bytes_a_us);
            growth.starved();
        }
        growth.advice(true)
    }

    #[test]
    fn grows_while_latency_is_what_starves() {
        let mut growth = Growth::new();
        let mut bytes = 1 << 20;
        for _ in 0..4 {
            assert_eq!(round(&mut growth, bytes, 50_000, 1000), Advice::Double);
            bytes *= 2;
        }
    }

    #[test]
    fn takes_a_doubling_back_that_did_not_pay_and_rests() {
        let mut growth = Growth::new();
        assert_eq!(round(&mut growth, 1 << 20, 100, 1000), Advice::Double);
        assert_eq!(round(&mut growth, 2 << 20, 100, 1000), Advice::TakeBack);
        let mut rounds = 0;
        while round(&mut growth, 1 << 20, 100, 1000) == Advice::Stay {
            rounds += 1;
        }
        assert_eq!(rounds, FIRST_REST / SAMPLES - 1, "then it is tried again");
    }

    #[test]
    fn nothing_is_tried_where_responses_are_fast_enough() {
        let mut growth = Growth::new();
        for _ in 0..100 {
            assert_eq!(round(&mut growth, 1 << 20, 100, 2000), Advice::Stay);
        }
    }

    #[test]
    fn who_is_never_starved_stays() {
        let mut growth = Growth::new();
        for _ in 0..100 {
            growth.full(1 << 20, 50_000);
            assert_eq!(growth.advice(true), Advice::Stay);
        }
    }
}
