//! How a step ends: what stops it, what failed in it, and which of that counts.
//!
//! The language lets scripts catch errors, and some of its own functions swallow them. So what no
//! script may catch is kept beside it: an [`Ending`] only gets graver, and whatever runs in the step
//! looks at it before it goes on.

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

/// Why a step ends before its end. No script can catch it.
#[derive(Clone, Debug)]
pub(in crate::script) enum Stop {
    /// The step is left out: by the script itself, or for want of a secret.
    Skip {
        by: LeftOutBy,
        reason: String,
        at: Option<Trace>,
    },
    /// `fail` was called, or a limit of the language was met.
    Failed,
    Canceled,
    /// The step's own limit passed, or that of what it deferred.
    TimedOut,
    /// The limit of an enclosing `timeout` passed, which makes an error of it that can be caught.
    /// Tasks in it may have failed before.
    BlockTimedOut(Vec<Failure>),
    /// A deployment waits for an approval.
    Waits(String),
    /// A plan knows nothing further.
    Unknown,
    /// The machinery failed.
    Fault(Arc<Error>),
}

impl Stop {
    pub(in crate::script) fn thrown(self) -> Thrown {
        EvalAltResult::ErrorTerminated(Dynamic::from(self), Position::NONE).into()
    }

    /// The stop that an error is, wherever in the calls it was raised.
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
            // Whatever it came to, the plan says that nothing further is known.
            Stop::Canceled | Stop::Unknown => Outcome::Canceled,
            Stop::Fault(_) => Outcome::Error,
        }
    }
}

/// What a step, or a function that it deferred, has come to so far.
#[derive(Debug, Default)]
pub(in crate::script) struct Ending {
    /// When it has to have ended.
    deadline: Option<Instant>,
    state: Mutex<State>,
    is_over: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct State {
    /// The gravest so far.
    stop: Option<Stop>,
    /// What failed and can be caught no more.
    failures: Vec<Failure>,
}

impl Ending {
    pub(in crate::script) fn with_deadline(deadline: Option<Instant>) -> Arc<Self> {
        Arc::new(Self { deadline, ..Self::default() })
    }

    /// Stops it. False if something as grave has before.
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

    /// Takes over what a deferred function came to.
    pub(in crate::script) fn take_over(&self, deferred: &Ending) {
        let State { stop, failures } = std::mem::take(&mut *lock(&deferred.state));
        self.add(failures);
        if let Some(stop) = stop {
            self.stop_with(stop);
        }
    }

    /// What stopped it, if anything did.
    pub(in crate::script) fn stop(&self) -> Option<Stop> {
        if self.is_over.load(Ordering::SeqCst) { lock(&self.state).stop.clone() } else { None }
    }

    /// True from the moment on that it was stopped.
    pub(in crate::script) fn is_over(&self) -> Arc<AtomicBool> {
        self.is_over.clone()
    }

    pub(in crate::script) fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// What stopped it, and all that failed: that of tasks in the order of the tasks, whichever
    /// ended first.
    pub(in crate::script) fn take(&self) -> (Option<Stop>, Vec<Failure>) {
        let State { stop, mut failures } = std::mem::take(&mut *lock(&self.state));
        failures.sort_by(|one, other| one.order.cmp(&other.order));
        (stop, failures)
    }
}
