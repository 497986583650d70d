//! Numbers that look like chance and are the same for a seed for ever.

use std::env;

/// The variable that sets the seed.
const VARIABLE: &str = "TINYCI_TEST_SEED";

/// The seed of a test: this one, unless the environment has another.
pub(super) fn seed(usual: u64) -> u64 {
    let given = env::var(VARIABLE).ok();
    given.map_or(usual, |text| text.parse().expect("a seed is a number"))
}

/// How to try a seed again.
pub(super) fn again(seed: u64) -> String {
    format!("{VARIABLE}={seed}")
}

pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below this one.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap() % end.max(1)
    }

    /// One of these.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
