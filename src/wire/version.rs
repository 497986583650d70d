//! The version of the JSON.

/// The version. It only increases if a key changes its meaning, not for new keys.
pub(crate) const VERSION: u32 = 1;
