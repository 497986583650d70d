//! How many steps of the language a phase may take: one total, over all that its functions call back,
//! in modules and in tasks. The language's own count begins anew in each callback.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rhai::{Dynamic, Engine, EvalAltResult, Position};

use super::{ending::Stop, shared::Session};
use crate::script::{
    errors::{
        failure::Failure,
        report,
        spent_steps::{Spent, TOO_MANY},
        trace::Trace,
    },
    language::{limits::OPERATIONS_MAX, nesting},
    values::thrown::Thrown,
};

/// The engine tells the place of an error at a variable and not that of a phase that is ended. So
/// the end comes at the next variable, and where none follows, after so many further steps.
const STEPS_OF_GRACE: u64 = 1_000;

/// The steps taken so far.
#[derive(Debug, Default)]
pub(in crate::script) struct Steps {
    taken: AtomicU64,
    /// Of those beyond what the phase may take: what it deferred may take as many again.
    deferred: AtomicU64,
    /// Whether something was thrown.
    is_thrown: AtomicBool,
    is_noted: AtomicBool,
}

impl Steps {
    /// Counts one more; gives back how many there were before.
    pub(in crate::script) fn add(&self) -> u64 {
        self.taken.fetch_add(1, Ordering::Relaxed)
    }
}

impl Session {
    /// Why the phase must stop now, if it takes a step after so many.
    pub(in crate::script) fn stop_by_steps(&self, taken: u64) -> Option<Stop> {
        let over = taken.checked_sub(OPERATIONS_MAX)?;
        if self.is_left_to_deferred(1) {
            return None;
        }
        let steps = &self.steps;
        if over < STEPS_OF_GRACE && !steps.is_thrown.load(Ordering::SeqCst) {
            return None;
        }
        if !steps.is_noted.swap(true, Ordering::SeqCst) {
            self.fail(Failure::new(TOO_MANY));
        }
        Some(Stop::Failed)
    }

    /// The same at a variable, whose place the error gets.
    fn check_steps(&self) -> Result<(), Thrown> {
        let steps = &self.steps;
        let is_over = steps.taken.load(Ordering::Relaxed) >= OPERATIONS_MAX
            && !steps.is_thrown.load(Ordering::SeqCst)
            && !self.is_left_to_deferred(0);
        if !is_over || steps.is_thrown.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        Err(EvalAltResult::ErrorRuntime(Dynamic::from(Spent), Position::NONE).into())
    }

    /// Where a phase ended by its limits, unless the script caught that and went on.
    pub(in crate::script) fn place_of_end(&self, error: &EvalAltResult) -> Option<Trace> {
        let steps = &self.steps;
        let is_caught =
            steps.is_thrown.load(Ordering::SeqCst) && steps.is_noted.load(Ordering::SeqCst);
        let is_limit = matches!(Stop::of(error)?, Stop::Failed | Stop::TimedOut);
        let script = self.script.as_ref()?;
        let file = &script.main.source.name;
        let (trace, _) = report::trace(error, file, &self.facts.step, Some(script));
        (is_limit && !is_caught && trace.is_known()).then_some(trace)
    }

    /// Whether this thread cleans up, and may take more steps after these.
    fn is_left_to_deferred(&self, steps: u64) -> bool {
        self.frame().in_defer
            && self.steps.deferred.fetch_add(steps, Ordering::Relaxed) < OPERATIONS_MAX
    }
}

/// Has an engine count its steps, and look at the clock and at the cancel meanwhile.
pub(in crate::script) fn watch(engine: &mut Engine, session: &std::sync::Arc<Session>) {
    engine.set_max_operations(0);
    let counting = session.clone();
    engine.on_progress(move |_| counting.stop_at_step());
    let looking = session.clone();
    nesting::limit_and(engine, move || looking.check_steps());
}
