//! The events of an engine as records of the host's log, by the crate `tracing`: the only module
//! that names it.
//!
//! | file | contents |
//! |---|---|
//! | `bridge` | [`EventTracer`] and [`warnings`], with the feature `tracing` |
//! | `absent` | the same interface without it: nothing is logged |
//!
//! Absent on purpose: a subscriber, a filter, a format and a file, which are the host's. Nothing
//! here masks anything, because events are masked before they are sent.

#[cfg(not(feature = "tracing"))]
#[path = "absent.rs"]
mod bridge;
#[cfg(feature = "tracing")]
mod bridge;
#[cfg(all(test, feature = "tracing"))]
mod tests;

pub(crate) use self::bridge::{EventTracer, warnings};
