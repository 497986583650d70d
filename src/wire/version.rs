//! The version of the JSON.

/// Raised when a key changes its meaning; new keys do not raise it.
pub(crate) const VERSION: u32 = 1;
