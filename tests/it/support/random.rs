//! The seed of tests that chance decides.

/// Returns `TINYCI_TEST_SEED` if that is set, and otherwise this seed. A failure shows it.
pub(crate) fn seed(default: u64) -> u64 {
    let given = std::env::var("TINYCI_TEST_SEED").ok();
    let seed = given.map_or(default, |text| text.parse().expect("TINYCI_TEST_SEED is a number"));
    eprintln!("TINYCI_TEST_SEED={seed}");
    seed
}
