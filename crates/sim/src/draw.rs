//! Where every choice of a run comes from: draws of a seed.
use ottla_machines::random::Random;

/// A source of draws. Two of the same seed draw the same.
#[derive(Clone, Debug)]
pub(crate) struct Draw(Random);

impl Draw {
    /// `purpose` separates sources of one seed: what one draws does not shift what another draws.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut mixed = seed.wrapping_add(purpose.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let mut random = Random::new(mixed ^ (mixed >> 31));
        // The first draws of a xorshift are still close to its seed.
        random.next_u64();
        random.next_u64();
        Self(random)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.below(u32::try_from(bound).unwrap_or(u32::MAX)) as usize
    }

    /// From `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        let width = u32::try_from(most.saturating_sub(least).saturating_add(1)).unwrap_or(u32::MAX);
        least + u64::from(self.0.below(width))
    }

    /// Whether something happens that happens `per_mille` times in a thousand. Draws nothing for 0.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.0.below(1000) < per_mille
    }

    /// One of several.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}
