//! Builds on disk after their job: what packs, restores and removes them.
//!
//! | file | holds |
//! |---|---|
//! | `compact` | packing into archives, and unpacking |
//! | `prune` | removing |

pub(crate) mod compact;
pub(crate) mod prune;
