//! Limits of the language for scripts.

/// Operations of one step. The deadline limits the cost of callbacks.
pub(in crate::script) const OPERATIONS_MAX: u64 = 5_000_000;

/// Nested calls. More would overflow a worker's stack.
pub(in crate::script) const CALLS_MAX: usize = 64;

/// Nesting of expressions, at the top level and in functions.
pub(in crate::script) const DEPTH_MAX: usize = 64;

/// Bytes of a string.
pub(in crate::script) const STRING_BYTES_MAX: usize = 16 << 20;

/// Number of short strings that are stored once, however often they occur.
pub(in crate::script) const STRINGS_INTERNED_MAX: usize = 256;

/// Elements of an array.
pub(in crate::script) const ARRAY_ELEMENTS_MAX: usize = 100_000;

/// Entries of a map.
pub(in crate::script) const MAP_ENTRIES_MAX: usize = 10_000;
