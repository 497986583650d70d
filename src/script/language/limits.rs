//! How much a script may take of what the language offers.

/// Steps of one call from outside; the wall clock bounds what callbacks add.
pub(in crate::script) const OPERATIONS_MAX: u64 = 5_000_000;

/// Nested calls. Deeper ones need more stack than a worker has.
pub(in crate::script) const CALLS_MAX: usize = 64;

/// Nesting of expressions, at the top and in functions.
pub(in crate::script) const DEPTH_MAX: usize = 64;

pub(in crate::script) const STRING_BYTES_MAX: usize = 16 << 20;

/// A short text that occurs twice is kept once.
pub(in crate::script) const STRINGS_INTERNED_MAX: usize = 256;

pub(in crate::script) const ARRAY_ELEMENTS_MAX: usize = 100_000;

pub(in crate::script) const MAP_ENTRIES_MAX: usize = 10_000;
