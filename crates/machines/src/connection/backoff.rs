//! Exponential back-off with jitter (KIP-144, KIP-580): doubles from the first failure to the maximum.
use crate::random::Random;

/// How long to wait after failures in a row.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    base_us: u64,
    max_us: u64,
    failures: u32,
}

impl Backoff {
    pub fn new(base_us: u64, max_us: u64) -> Self {
        Self { base_us, max_us: max_us.max(base_us), failures: 0 }
    }

    /// Notes a failure; returns how many microseconds to wait before the next attempt, jittered by a fifth.
    pub fn failed(&mut self, random: &mut Random) -> u64 {
        let exact = self.base_us.saturating_mul(1 << self.failures.min(30)).min(self.max_us);
        self.failures = self.failures.saturating_add(1);
        random.jitter(exact, 20)
    }

    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_maximum_and_starts_again_after_a_success() {
        let (mut backoff, mut random) = (Backoff::new(100, 1000), Random::new(3));
        for expected in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.failed(&mut random);
            assert!((expected * 8 / 10..=expected * 12 / 10).contains(&wait), "{wait} is not about {expected}");
        }
        backoff.succeeded();
        assert!(backoff.failed(&mut random) <= 120);
    }
}
