//! Numbers by chance, the same for the same seed.

/// A generator (SplitMix64): small, fast and good enough to pick mutations.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A row of numbers of its own for every seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; 0 when there is none below it.
    pub fn below(&mut self, bound: usize) -> usize {
        // the slight preference for small numbers does not matter here
        usize::try_from(self.number() % (bound.max(1) as u64)).unwrap_or_default()
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}
