//! Random draws without a lock: SplitMix64 over a counter. The seed can be set by `SLUICE_SEED` to replay a run's draws.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct Chance(AtomicU64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Chance {
    pub(super) fn seeded() -> Self {
        let told = std::env::var("SLUICE_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        Self::new(told.unwrap_or_else(|| RandomState::new().hash_one(0)))
    }

    pub(super) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Evenly from 0 to 1, without 1.
    pub(super) fn share(&self) -> f64 {
        // 53 bits are what a double holds exactly
        #[expect(clippy::cast_precision_loss, reason = "the value has 53 bits")]
        let share = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        share
    }

    /// Evenly from 0 to `below`, without it; 0 for 0.
    pub(super) fn index(&self, below: usize) -> usize {
        let below = u64::try_from(below).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % below).unwrap_or(0)
    }

    fn draw(&self) -> u64 {
        let mut z = self
            .0
            .fetch_add(GOLDEN, Ordering::Relaxed)
            .wrapping_add(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn draws_are_even() {
        let chance = Chance::new(7);
        let mut counts = [0_u32; 4];
        let below_half = (0..4000).filter(|_| chance.share() < 0.5).count();
        for _ in 0..4000 {
            counts[chance.index(4)] += 1;
        }
        assert!((1850..2150).contains(&below_half), "{below_half}");
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
    }
}
