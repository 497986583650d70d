//! One phase while it runs: what its functions share, and how they stop it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use rhai::{Dynamic, EvalAltResult, Position};

use super::{control::Deferred, load::Script};
use crate::{
    error::Error,
    function::Effect,
    interpolate::Vars,
    record::LeftOutBy,
    step::{Denied, Facts, Host, RequestLimits},
};

/// How often the engine's own steps look at the clock and at the cancel.
const STEPS_PER_LOOK: u64 = 64;

/// How long a wait sleeps before it looks again.
const WAIT_SLICE: Duration = Duration::from_millis(20);

pub(super) type Thrown = Box<EvalAltResult>;

/// Why a phase ends before its end. No script can catch it.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// The step is left out: by the script itself, or for want of a secret.
    Skip {
        by: LeftOutBy,
        reason: String,
    },
    Fail(String),
    Canceled,
    /// A limit of the phase or of an enclosing `timeout` passed.
    TimedOut,
    /// A deployment waits for an approval.
    Waits(String),
    /// A plan knows nothing further.
    Unknown,
    /// The machinery failed.
    Fault(Arc<Error>),
}

impl Stop {
    pub(super) fn thrown(self) -> Thrown {
        EvalAltResult::ErrorTerminated(Dynamic::from(self), Position::NONE).into()
    }

    /// Which of several stops counts: the greatest. An error that a script may catch has 0.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Stop::Canceled | Stop::Unknown => 5,
            Stop::Fault(_) => 4,
            Stop::TimedOut => 3,
            Stop::Fail(_) => 2,
            Stop::Skip { .. } | Stop::Waits(_) => 1,
        }
    }

    /// The stop that an error is, wherever in the calls it was raised.
    pub(super) fn of(error: &EvalAltResult) -> Option<Stop> {
        match error {
            EvalAltResult::ErrorTerminated(token, _) => token.clone().try_cast(),
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
            | EvalAltResult::ErrorInModule(_, inner, _) => Stop::of(inner),
            _ => None,
        }
    }
}

/// An error that a script can catch, with this text.
pub(super) fn throw(message: impl Into<String>) -> Thrown {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

/// The limits and the label that hold for what a thread runs now.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) deadline: Option<Instant>,
    pub(super) label: Option<String>,
    /// Whether the expression of a tag is evaluated, which only looks things up.
    pub(super) in_tag: bool,
    /// Whether other branches may run at once.
    pub(super) in_branch: bool,
}

/// What the functions of a running phase share.
pub(super) struct Session {
    pub(super) host: Arc<dyn Host>,
    pub(super) script: Option<Script>,
    pub(super) facts: Facts,
    /// What tags can name.
    pub(super) vars: Vars,
    /// What a text that holds a secret holds in its place. Nobody can guess it, and it is masked
    /// as the secret itself is.
    pub(super) sentinel: String,
    frames: Mutex<HashMap<ThreadId, Vec<Frame>>>,
    steps: AtomicU64,
    deferred: Mutex<Vec<Deferred>>,
    cleaning: AtomicBool,
    /// How many threads its branches have.
    threads: Mutex<usize>,
    /// Whether a command was run: `approve` comes before any.
    pub(super) acted: AtomicBool,
}

impl Session {
    pub(super) fn new(
        host: Arc<dyn Host>,
        script: Option<Script>,
        facts: Facts,
        vars: Vars,
        deadline: Option<Instant>,
    ) -> Arc<Self> {
        let session = Self {
            host,
            script,
            facts,
            vars,
            sentinel: sentinel(),
            frames: Mutex::default(),
            steps: AtomicU64::new(0),
            deferred: Mutex::default(),
            cleaning: AtomicBool::new(false),
            threads: Mutex::default(),
            acted: AtomicBool::new(false),
        };
        session.enter_thread(Frame { deadline, ..Frame::default() });
        Arc::new(session)
    }

    /// Why the phase must stop now, as the engine's steps ask it.
    pub(super) fn stop_at_step(&self) -> Option<Dynamic> {
        if !self.steps.fetch_add(1, Ordering::Relaxed).is_multiple_of(STEPS_PER_LOOK) {
            return None;
        }
        self.stop().map(Dynamic::from)
    }

    /// Why the phase must stop now.
    pub(super) fn stop(&self) -> Option<Stop> {
        if self.host.dry().is_some_and(|dry| dry.is_over()) {
            return Some(Stop::Unknown);
        }
        if self.host.is_canceled(self.is_cleaning()) {
            return Some(Stop::Canceled);
        }
        self.is_late().then_some(Stop::TimedOut)
    }

    /// The same as an error.
    pub(super) fn check(&self) -> Result<(), Thrown> {
        self.stop().map_or(Ok(()), |stop| Err(stop.thrown()))
    }

    /// What a script is told that does not get what it asked for: it can catch a refusal, and
    /// nothing else. A failure of the machinery comes before a time limit, which it may have used up.
    pub(super) fn denied(&self, denied: Denied) -> Thrown {
        match (self.stop(), denied) {
            (Some(Stop::Canceled), _) => Stop::Canceled.thrown(),
            (_, Denied::Fault(error)) => Stop::Fault(Arc::new(error)).thrown(),
            (Some(stop), _) => stop.thrown(),
            (None, Denied::Refused(error)) => throw(error.report()),
            (None, Denied::LeftOut(error)) => {
                let reason = error.message().to_owned();
                Stop::Skip { by: LeftOutBy::Secret, reason }.thrown()
            }
        }
    }

    /// What already stops the phase, or else this.
    pub(super) fn stopped_or(&self, stop: Stop) -> Thrown {
        self.stop().unwrap_or(stop).thrown()
    }

    /// Refuses a function that does more than look things up where no more is allowed.
    pub(super) fn check_effect(&self, function: &str, effect: Effect) -> Result<(), Thrown> {
        match effect {
            Effect::Pure => Ok(()),
            _ if self.frame().in_tag => {
                Err(throw(format!("`{function}` acts, and a tag only looks things up")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a limit that holds here has passed.
    pub(super) fn is_late(&self) -> bool {
        self.frame().deadline.is_some_and(|deadline| self.now() >= deadline)
    }

    /// What time it is, or would be where nothing waits.
    pub(super) fn now(&self) -> Instant {
        self.host.dry().map_or_else(Instant::now, |dry| dry.now())
    }

    /// Waits, unless the phase is stopped meanwhile.
    pub(super) fn wait(&self, time: Duration) -> Result<(), Thrown> {
        if let Some(dry) = self.host.dry() {
            dry.set_waited(dry.waited().saturating_add(time));
            return self.check();
        }
        let begun = Instant::now();
        loop {
            self.check()?;
            let rest = time.saturating_sub(begun.elapsed());
            if rest.is_zero() {
                return Ok(());
            }
            thread::sleep(rest.min(WAIT_SLICE));
        }
    }

    fn frames(&self) -> MutexGuard<'_, HashMap<ThreadId, Vec<Frame>>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What holds for this thread now.
    pub(super) fn frame(&self) -> Frame {
        let frames = self.frames();
        let stack = frames.get(&thread::current().id());
        stack.and_then(|stack| stack.last()).cloned().unwrap_or_default()
    }

    /// The same for a request to the embedding program.
    pub(super) fn limits(&self) -> RequestLimits {
        let Frame { deadline, label, .. } = self.frame();
        RequestLimits { deadline, label, cleanup: self.is_cleaning() }
    }

    /// Begins the work of a thread of its own.
    pub(super) fn enter_thread(&self, frame: Frame) {
        self.frames().insert(thread::current().id(), vec![frame]);
    }

    /// Takes as many threads for branches as are free, of so many that the phase may have; they
    /// are given back by [`give_threads`](Self::give_threads).
    pub(super) fn take_threads(&self, wanted: usize, max: usize) -> usize {
        let mut taken = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = wanted.min(max.saturating_sub(*taken));
        *taken += threads;
        threads
    }

    pub(super) fn give_threads(&self, threads: usize) {
        let mut taken = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(threads);
    }

    pub(super) fn leave_thread(&self) {
        self.frames().remove(&thread::current().id());
    }

    /// Does something under other limits or another label.
    pub(super) fn within<T>(&self, frame: Frame, work: impl FnOnce() -> T) -> T {
        let id = thread::current().id();
        let outer = {
            let mut frames = self.frames();
            let stack = frames.entry(id).or_default();
            stack.push(frame);
            stack.len() - 1
        };
        let done = work();
        let mut frames = self.frames();
        match outer {
            0 => drop(frames.remove(&id)),
            // A panic in between may have left frames of its own.
            _ => frames.entry(id).or_default().truncate(outer),
        }
        done
    }

    pub(super) fn defer(&self, deferred: Deferred) {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner).push(deferred);
    }

    /// What was deferred last and has not run.
    pub(super) fn take_deferred(&self) -> Option<Deferred> {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// From here on deferred functions clean up: a first cancel does not stop them, and they have
    /// limits of their own.
    pub(super) fn begin_cleaning(&self, deadline: Option<Instant>) {
        self.cleaning.store(true, Ordering::SeqCst);
        self.enter_thread(Frame { deadline, ..Frame::default() });
    }

    pub(super) fn is_cleaning(&self) -> bool {
        self.cleaning.load(Ordering::SeqCst)
    }
}

/// A text that no script holds by chance.
fn sentinel() -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = |salt: u8| RandomState::new().hash_one(salt);
    format!("secret-{:016x}{:016x}", random(1), random(2))
}
