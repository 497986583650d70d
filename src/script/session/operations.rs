//! Limits the number of operations of a step: one total for all callbacks, modules and tasks. The
//! language's own count restarts in each callback.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rhai::{Dynamic, Engine, EvalAltResult, Position};

use super::{ending::Stop, shared::Session};
use crate::script::{
    errors::{
        failure::Failure,
        operation_limit::{OperationLimit, TOO_MANY},
        report,
        trace::Trace,
    },
    language::{limits::OPERATIONS_MAX, nesting},
    values::thrown::Thrown,
};

/// The engine reports the position of an error at a variable, but not that of a step that is
/// stopped. So the step ends at the next variable. If none follows, it ends after this many further
/// operations.
const EXTRA_OPERATIONS: u64 = 1_000;

/// The operations of a step so far.
#[derive(Debug, Default)]
pub(in crate::script) struct OperationCount {
    taken: AtomicU64,
    /// Number of those after the limit that deferred functions used. They have a limit of their
    /// own.
    deferred: AtomicU64,
    /// True if the error was thrown.
    is_thrown: AtomicBool,
    /// True if the failure was recorded.
    is_recorded: AtomicBool,
}

impl OperationCount {
    /// Counts one operation, and returns the number of operations before it.
    pub(in crate::script) fn add(&self) -> u64 {
        self.taken.fetch_add(1, Ordering::Relaxed)
    }
}

impl Session {
    /// Returns why the step must stop now, after this number of operations.
    pub(in crate::script) fn stop_by_operations(&self, taken: u64) -> Option<Stop> {
        let excess = taken.checked_sub(OPERATIONS_MAX)?;
        if self.is_left_to_deferred(1) {
            return None;
        }
        let operations = &self.operations;
        if excess < EXTRA_OPERATIONS && !operations.is_thrown.load(Ordering::SeqCst) {
            return None;
        }
        if !operations.is_recorded.swap(true, Ordering::SeqCst) {
            self.fail(Failure::new(TOO_MANY));
        }
        Some(Stop::Failed)
    }

    /// Throws the error at a variable, whose position it gets.
    fn check_operations(&self) -> Result<(), Thrown> {
        let operations = &self.operations;
        let is_over = operations.taken.load(Ordering::Relaxed) >= OPERATIONS_MAX
            && !operations.is_thrown.load(Ordering::SeqCst)
            && !self.is_left_to_deferred(0);
        if !is_over || operations.is_thrown.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        Err(EvalAltResult::ErrorRuntime(Dynamic::from(OperationLimit), Position::NONE).into())
    }

    /// Returns where a step ended because of a limit, unless the script caught the first error and
    /// continued.
    pub(in crate::script) fn place_of_end(&self, error: &EvalAltResult) -> Option<Trace> {
        let operations = &self.operations;
        let is_caught = operations.is_thrown.load(Ordering::SeqCst)
            && operations.is_recorded.load(Ordering::SeqCst);
        let is_limit = matches!(Stop::of(error)?, Stop::Failed | Stop::TimedOut);
        let script = self.script.as_ref()?;
        let file = &script.main.source.name;
        let (trace, _) = report::trace(error, file, &self.facts.step, Some(script));
        (is_limit && !is_caught && trace.is_known()).then_some(trace)
    }

    /// Returns true if this thread runs deferred functions and may use this many more operations.
    fn is_left_to_deferred(&self, steps: u64) -> bool {
        self.frame().in_defer
            && self.operations.deferred.fetch_add(steps, Ordering::Relaxed) < OPERATIONS_MAX
    }
}

/// Counts an engine's operations, and checks the deadline and the cancellation meanwhile.
pub(in crate::script) fn watch(engine: &mut Engine, session: &std::sync::Arc<Session>) {
    engine.set_max_operations(0);
    let counting = session.clone();
    engine.on_progress(move |_| counting.stop_at_operation());
    let looking = session.clone();
    nesting::limit_and(engine, move || looking.check_operations());
}
