//! Pseudorandom numbers: a seed always gives the same ones.

use std::env;

/// The environment variable that sets the seed.
const VARIABLE: &str = "TINYCI_TEST_SEED";

/// Returns the seed of a test: this one, unless the environment sets another.
pub(super) fn seed(usual: u64) -> u64 {
    let given = env::var(VARIABLE).ok();
    given.map_or(usual, |text| text.parse().expect("a seed is a number"))
}

/// Returns the assignment that runs a test with this seed again.
pub(super) fn again(seed: u64) -> String {
    format!("{VARIABLE}={seed}")
}

pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below this one, or 0 if this is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap() % end.max(1)
    }

    /// Returns one of these elements.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
