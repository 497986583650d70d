//! How a step ends: what stopped it, its failures, and which of them decides the outcome.
//!
//! The language lets scripts catch errors, and some of its functions ignore errors. So results that
//! no script may catch are kept here. An [`Ending`] only becomes more severe, and each call in the
//! step checks it before it continues.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rhai::{Dynamic, EvalAltResult, Position};

use crate::{
    model::{error::Error, outcome::Outcome, record::LeftOutBy},
    script::{
        errors::{failure::Failure, trace::Trace},
        values::thrown::Thrown,
    },
    util::lock::lock,
};

/// The reason why a step stops early. No script can catch it.
#[derive(Clone, Debug)]
pub(in crate::script) enum Stop {
    /// The step is skipped, by the script itself or because a secret is missing.
    Skip {
        by: LeftOutBy,
        reason: String,
        at: Option<Trace>,
    },
    /// `fail` was called, or a limit of the language was exceeded.
    Failed,
    Canceled,
    /// The time limit of the step or of its deferred functions has passed.
    TimedOut,
    /// The time limit of an enclosing `timeout` has passed, which becomes an error that can be
    /// caught. Contains the failures of tasks in it.
    BlockTimedOut(Vec<Failure>),
    /// The deployment waits for an approval.
    Waits(String),
    /// A plan cannot know how the step continues.
    Unknown,
    /// An error in tinyci or in its environment.
    Fault(Arc<Error>),
}

impl Stop {
    pub(in crate::script) fn into_error(self) -> Thrown {
        EvalAltResult::ErrorTerminated(Dynamic::from(self), Position::NONE).into()
    }

    /// Returns the stop in an error, at any depth of calls.
    pub(in crate::script) fn of(error: &EvalAltResult) -> Option<Stop> {
        match error.unwrap_inner() {
            EvalAltResult::ErrorTerminated(token, _) => token.clone().try_cast(),
            _ => None,
        }
    }

    pub(in crate::script) fn outcome(&self) -> Outcome {
        match self {
            Stop::Skip { .. } | Stop::Waits(_) => Outcome::Skipped,
            Stop::Failed => Outcome::Failure,
            Stop::TimedOut | Stop::BlockTimedOut(_) => Outcome::TimedOut,
            // The outcome is irrelevant for `Unknown`: the plan shows that nothing further is
            // known.
            Stop::Canceled | Stop::Unknown => Outcome::Canceled,
            Stop::Fault(_) => Outcome::Error,
        }
    }
}

/// The result so far of a step or of a deferred function.
#[derive(Debug, Default)]
pub(in crate::script) struct Ending {
    /// When it must have ended.
    deadline: Option<Instant>,
    state: Mutex<State>,
    is_over: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct State {
    /// The most severe stop so far.
    stop: Option<Stop>,
    /// Failures that can no longer be caught.
    failures: Vec<Failure>,
}

impl Ending {
    pub(in crate::script) fn with_deadline(deadline: Option<Instant>) -> Arc<Self> {
        Arc::new(Self { deadline, ..Self::default() })
    }

    /// Stops it. Returns false if an equally severe stop was recorded before.
    pub(in crate::script) fn stop_with(&self, stop: Stop) -> bool {
        let mut state = lock(&self.state);
        let rank = |stop: &Stop| stop.outcome().rank();
        let is_new = state.stop.as_ref().is_none_or(|known| rank(known) < rank(&stop));
        if is_new {
            state.stop = Some(stop);
        }
        self.is_over.store(true, Ordering::SeqCst);
        is_new
    }

    pub(in crate::script) fn add(&self, failures: impl IntoIterator<Item = Failure>) {
        lock(&self.state).failures.extend(failures);
    }

    /// Adds the result of a deferred function.
    pub(in crate::script) fn take_over(&self, deferred: &Ending) {
        let State { stop, failures } = std::mem::take(&mut *lock(&deferred.state));
        self.add(failures);
        if let Some(stop) = stop {
            self.stop_with(stop);
        }
    }

    /// Returns why it was stopped, if it was.
    pub(in crate::script) fn stop(&self) -> Option<Stop> {
        if self.is_over.load(Ordering::SeqCst) { lock(&self.state).stop.clone() } else { None }
    }

    /// Returns a flag that becomes true when it is stopped.
    pub(in crate::script) fn is_over(&self) -> Arc<AtomicBool> {
        self.is_over.clone()
    }

    pub(in crate::script) fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Takes the stop and all failures. Failures of tasks are in the order of the tasks, not of
    /// their ends.
    pub(in crate::script) fn take(&self) -> (Option<Stop>, Vec<Failure>) {
        let State { stop, mut failures } = std::mem::take(&mut *lock(&self.state));
        failures.sort_by(|one, other| one.order.cmp(&other.order));
        (stop, failures)
    }
}
