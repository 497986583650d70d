//! [`EngineCall`]: one call of an engine.

use super::{process_env::ProcessEnv, shared::Shared};

/// One call of an engine: the engine's state, and the process environment when the call began.
#[derive(Clone, Copy)]
pub(in crate::engine) struct EngineCall<'a> {
    pub(in crate::engine) shared: &'a Shared,
    pub(in crate::engine) env: &'a ProcessEnv,
}
