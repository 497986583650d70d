//! Numbers that look random, the same for the same seed.

/// A generator (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    /// Starts from `TINYCI_TEST_SEED` if that is set, and otherwise from this seed.
    pub(crate) fn seeded(default: u64) -> Self {
        let seed = number("TINYCI_TEST_SEED", default);
        eprintln!("TINYCI_TEST_SEED={seed}");
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// A number below the bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % bound
    }
}

/// The number in this variable of the environment, or the default.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(default, |text| text.parse().expect("the variable is a number"))
}
