//! The replacement for the bridge in a build without the feature `tracing`: logs nothing.

use crate::model::event::Event;

/// Ignores every event.
#[derive(Default)]
pub(crate) struct EventTracer {}

impl EventTracer {
    pub(crate) fn event(&mut self, _event: &Event) {}
}

/// Ignores the warnings without collecting them.
pub(crate) fn warnings(_collect: impl FnOnce() -> Vec<String>) {}
