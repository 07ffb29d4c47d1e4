//! The seeded source of randomness of the machines: jitter of back-offs, random partitions.
//!
//! A machine draws from nothing else, so that one seed gives one run.

/// xorshift64*: fast, small, good enough for jitter; not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound` (0 for a bound of 0).
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.next_u64() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// `value` give or take `percent` per cent of it: back-offs of many clients must not fall together.
    pub fn jitter(&mut self, value: u64, percent: u32) -> u64 {
        let spread = value.saturating_mul(u64::from(percent)) / 100;
        let width = u32::try_from(spread.saturating_mul(2).saturating_add(1)).unwrap_or(u32::MAX);
        value.saturating_sub(spread).saturating_add(u64::from(self.below(width)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_run_and_jitter_stays_in_its_bounds() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..1000).map(|_| random.jitter(1000, 20)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|value| (800..=1200).contains(value)));
        assert!(draw(7).iter().any(|value| *value < 850) && draw(7).iter().any(|value| *value > 1150));
    }

    #[test]
    fn below_covers_its_range() {
        let mut random = Random::new(1);
        let mut seen = [false; 12];
        for _ in 0..1000 {
            seen[random.below(12) as usize] = true;
        }
        assert_eq!(seen, [true; 12]);
        assert_eq!(random.below(0), 0);
    }
}
