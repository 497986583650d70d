//! Observers of a run, and the parts of an event.
//!
//! [`Event`](crate::Event) and [`EventKind`](crate::EventKind) are at the root of the crate. A
//! closure over `&Event` is an [`Observer`]; implement the trait for a type that keeps state.
//!
//! ```
//! use std::ops::ControlFlow;
//! use tinyci::{Event, EventKind, event::Observer};
//!
//! /// Counts the bytes that commands write, and cancels the run after a megabyte.
//! struct Counter(usize);
//!
//! impl Observer for Counter {
//!     fn event(&mut self, event: &Event) -> ControlFlow<()> {
//!         if let EventKind::Output { bytes, .. } = &event.kind {
//!             self.0 += bytes.len();
//!         }
//!         if self.0 > 1_000_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
//!     }
//! }
//! ```

pub use crate::model::event::{EventMeta, IntoControlFlow, Observer};
