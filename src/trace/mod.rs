//! A bridge from events to the host's log, with the crate `tracing`. No other module uses that
//! crate.
//!
//! | file | contents |
//! |---|---|
//! | `bridge` | [`EventTracer`] and [`warnings`], with the feature `tracing` |
//! | `absent` | the same interface without the feature: logs nothing |
//!
//! Subscribers, filters, formats and files are up to the host. This module masks nothing, because
//! events are already masked.

#[cfg(not(feature = "tracing"))]
#[path = "absent.rs"]
mod bridge;
#[cfg(feature = "tracing")]
mod bridge;
#[cfg(all(test, feature = "tracing"))]
mod tests;

pub(crate) use self::bridge::{EventTracer, warnings};
