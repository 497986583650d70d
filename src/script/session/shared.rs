//! One phase while it runs: what its functions share, and how they stop it.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};

use super::{
    deferred::Deferred,
    ending::{Ending, Stop},
    phase_steps::Steps,
    settings::Settings,
    untrusted::Untrusted,
};
use crate::{
    model::{
        error::{Error, ErrorKind},
        function::Effect,
        record::LeftOutBy,
        step::{Denied, Facts, Host, RequestLimits},
    },
    rules::interpolate::{Vars, is_safe},
    script::{
        errors::{
            failure::{Failure, Failures},
            spent_steps::are_spent,
            trace::Trace,
        },
        syntax::script::Script,
        values::thrown::{Thrown, throw},
    },
    util::{lock::lock, threads::panic_text},
};

/// How often the engine's own steps look at the cancel, and at the limits that hold there.
const STEPS_PER_LOOK: u64 = 64;

/// How often they ask whether the last such look was long ago: a step can be a call of the language
/// that takes a large part of a second.
const STEPS_PER_GLANCE: u64 = 4;

/// How long ago is long ago.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a wait sleeps before it looks again.
const WAIT_SLICE: Duration = Duration::from_millis(20);

/// How long what is deferred may take where no script says how long a phase may.
const CLEANING_MAX: Duration = Duration::from_secs(60 * 60);

/// The limits and the label that hold for what a thread runs now.
#[derive(Clone, Default)]
pub(in crate::script) struct Frame {
    pub(in crate::script) deadline: Option<Instant>,
    pub(in crate::script) label: Option<String>,
    /// Whether the expression of a tag is evaluated, which only looks things up.
    pub(in crate::script) in_tag: bool,
    /// Whether other tasks may run at once.
    pub(in crate::script) in_task: bool,
    /// Whether it was deferred, so that it cleans up.
    pub(in crate::script) in_defer: bool,
    /// The numbers of the tasks that it is in.
    pub(in crate::script) order: Vec<u32>,
    /// What the enclosing calls of `with` say.
    pub(in crate::script) settings: Arc<Settings>,
    /// How the step, or what was deferred, ends.
    pub(in crate::script) ending: Arc<Ending>,
    /// What is to be done where this ends.
    pub(in crate::script) deferred: Arc<Mutex<Vec<Deferred>>>,
}

impl Frame {
    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }
}

/// What the functions of a running phase share.
pub(in crate::script) struct Session {
    pub(in crate::script) host: Arc<dyn Host>,
    pub(in crate::script) script: Option<Script>,
    pub(in crate::script) facts: Facts,
    /// What tags can name.
    pub(in crate::script) vars: Vars,
    /// What a text that holds a secret holds in its place. Nobody can guess it, and it is masked
    /// as the secret itself is.
    pub(in crate::script) sentinel: String,
    frames: Mutex<HashMap<ThreadId, Vec<Arc<Frame>>>>,
    pub(in crate::script) steps: Steps,
    /// Whether anything was stopped: from then on every step looks.
    is_any_over: AtomicBool,
    begun: Instant,
    /// When a step last looked because that was long ago, in milliseconds after the beginning.
    last_look: AtomicU64,
    /// How many threads its tasks have.
    threads: Mutex<usize>,
    /// Whether anything was done: `approve` comes before.
    acted: AtomicBool,
    /// What others chose and the script has read.
    pub(in crate::script) untrusted: Untrusted,
}

impl Session {
    pub(in crate::script) fn new(
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
            steps: Steps::default(),
            is_any_over: AtomicBool::new(false),
            begun: Instant::now(),
            last_look: AtomicU64::default(),
            threads: Mutex::default(),
            acted: AtomicBool::new(false),
            untrusted: Untrusted::default(),
        };
        let ending = Ending::with_deadline(deadline);
        session.enter_thread(Frame { deadline, ending, ..Frame::default() });
        Arc::new(session)
    }

    /// Why the phase must stop now, as the engine's steps ask it.
    pub(in crate::script) fn stop_at_step(&self) -> Option<Dynamic> {
        let taken = self.steps.add();
        if let Some(stop) = self.stop_by_steps(taken) {
            return Some(Dynamic::from(stop));
        }
        let looks = taken.is_multiple_of(STEPS_PER_LOOK)
            || self.is_any_over.load(Ordering::Relaxed)
            || (taken.is_multiple_of(STEPS_PER_GLANCE) && self.was_last_look_long_ago());
        if looks { self.stop().map(Dynamic::from) } else { None }
    }

    /// Asked at every few steps. The clock is the real one, also where a plan's stands still.
    fn was_last_look_long_ago(&self) -> bool {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.last_look.load(Ordering::Relaxed);
        let is_long = Duration::from_millis(now.saturating_sub(last)) >= LOOK_EVERY;
        if is_long {
            self.last_look.store(now, Ordering::Relaxed);
        }
        is_long
    }

    /// Why what this thread runs must stop now.
    pub(in crate::script) fn stop(&self) -> Option<Stop> {
        if self.host.dry().is_some_and(|dry| dry.is_over()) {
            self.is_any_over.store(true, Ordering::SeqCst);
            return Some(Stop::Unknown);
        }
        let (frame, now) = (self.frame(), self.now());
        if self.host.is_canceled(frame.in_defer) {
            self.note(Stop::Canceled);
        } else if frame.ending.is_late(now) && frame.ending.stop().is_none() {
            self.stop_late();
        }
        frame.ending.stop().or_else(|| frame.is_late(now).then(|| Stop::BlockTimedOut(Vec::new())))
    }

    /// The same once a limit that holds here has passed.
    pub(in crate::script) fn check_late(&self) -> Result<(), Thrown> {
        if self.frame().is_late(self.now()) { self.check() } else { Ok(()) }
    }

    /// Ends what this thread runs, whatever the script makes of the error.
    pub(in crate::script) fn stop_with(&self, stop: Stop) -> Thrown {
        self.note(stop.clone());
        stop.thrown()
    }

    /// Says whether that is new.
    fn note(&self, stop: Stop) -> bool {
        let is_new = self.frame().ending.stop_with(stop);
        self.is_any_over.store(true, Ordering::SeqCst);
        is_new
    }

    /// Fails, and no script can catch it.
    pub(in crate::script) fn fail(&self, failure: Failure) {
        let frame = self.frame();
        let (label, order) = (frame.label.clone(), frame.order.clone());
        frame.ending.add([Failure { label, order, ..failure }]);
        self.note(Stop::Failed);
    }

    /// The same at the place of a call. A tag is where the command is that has it.
    pub(in crate::script) fn fail_at(
        &self,
        context: &NativeCallContext<'_>,
        failure: Failure,
    ) -> Thrown {
        let trace = (!self.frame().in_tag).then(|| self.place(context));
        self.fail(Failure { trace, ..failure });
        Stop::Failed.thrown()
    }

    /// The same with an error that the script has caught: all that it carries counts again.
    pub(in crate::script) fn fail_with(
        &self,
        context: &NativeCallContext<'_>,
        error: &Dynamic,
    ) -> Thrown {
        let (frame, at) = (self.frame(), self.place(context));
        let error = EvalAltResult::ErrorRuntime(error.clone(), context.call_position());
        let mut failures = Failures::of(&error).unwrap_or_else(|| {
            let begin = (context.call_source().unwrap_or_default(), &*self.facts.step);
            let failure = Failure::of(&error, begin, self.script.as_ref());
            vec![Failure { order: frame.order.clone(), ..failure.within(&frame.label) }]
        });
        for failure in &mut failures {
            failure.trace.get_or_insert_with(|| at.clone());
        }
        frame.ending.add(failures);
        self.stop_with(Stop::Failed)
    }

    pub(in crate::script) fn place(&self, context: &NativeCallContext<'_>) -> Trace {
        let file = context.call_source().unwrap_or_default();
        Trace::at(file, &self.facts.step, context.call_position(), self.script.as_ref())
    }

    /// It is the limit of all tasks, and whichever sees it first says so.
    fn stop_late(&self) {
        let frame = self.frame();
        let what = if frame.in_defer { "the deferred functions of the step" } else { "the step" };
        let message = format!("the time limit of {what} `{}` has passed", self.facts.step);
        if self.note(Stop::TimedOut) {
            let failure = Failure::new(message);
            frame.ending.add([Failure { is_timeout: true, is_plain: true, ..failure }]);
        }
    }

    /// The same as an error.
    pub(in crate::script) fn check(&self) -> Result<(), Thrown> {
        self.stop().map_or(Ok(()), |stop| Err(stop.thrown()))
    }

    /// What a script is told that does not get what it asked for: it can catch a refusal, and
    /// nothing else. A failure of the machinery comes before a time limit, which it may have used up.
    pub(in crate::script) fn denied(&self, denied: Denied) -> Thrown {
        match (denied, self.stop()) {
            (Denied::Fault(error), _) => self.stop_with(Stop::Fault(Arc::new(error))),
            (_, Some(stop)) => stop.thrown(),
            (Denied::Refused(error), None) => throw(error.report()),
            (Denied::LeftOut(error), None) => {
                let reason = error.report();
                self.stop_with(Stop::Skip { by: LeftOutBy::Secret, reason, at: None })
            }
        }
    }

    /// Refuses a function that does more than look things up where no more is allowed.
    pub(in crate::script) fn check_effect(
        &self,
        function: &str,
        effect: Effect,
    ) -> Result<(), Thrown> {
        match effect {
            Effect::Pure => Ok(()),
            _ if self.frame().in_tag => Err(throw(format!(
                "`{function}` has an effect, and a placeholder can only read \
                                   values"
            ))),
            _ => Ok(()),
        }
    }

    /// Notes that something is done now, and stops if that must not be any more.
    pub(in crate::script) fn act(&self) -> Result<(), Thrown> {
        self.check()?;
        self.acted.store(true, Ordering::SeqCst);
        Ok(())
    }

    pub(in crate::script) fn has_acted(&self) -> bool {
        self.acted.load(Ordering::SeqCst)
    }

    /// What time it is, or would be where nothing waits.
    pub(in crate::script) fn now(&self) -> Instant {
        self.host.dry().map_or_else(Instant::now, |dry| dry.clock().now())
    }

    /// Waits, unless the phase is stopped meanwhile.
    pub(in crate::script) fn wait(&self, time: Duration) -> Result<(), Thrown> {
        if let Some(dry) = self.host.dry() {
            dry.clock().wait(time);
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

    /// Notes that the script has read a property of `ctx` that others chose.
    pub(in crate::script) fn read(&self, property: &'static str) {
        self.untrusted.read(&self.facts, property);
    }

    /// Notes that it has got a text that may hold what another step read.
    pub(in crate::script) fn read_in(&self, text: &str) {
        self.untrusted.read_in(&self.facts, text);
        // Perhaps a path. What cannot be looked up was read by no step either.
        if !is_safe(text)
            && let Ok(changes) = self.host.changes()
        {
            self.untrusted.read_changes(&changes.paths);
        }
    }

    /// What holds for this thread now.
    pub(in crate::script) fn frame(&self) -> Arc<Frame> {
        let frames = lock(&self.frames);
        let stack = frames.get(&thread::current().id());
        stack.and_then(|stack| stack.last()).cloned().unwrap_or_default()
    }

    /// The same for a request to the embedding program.
    pub(in crate::script) fn limits(&self) -> RequestLimits {
        let frame = self.frame();
        let (deadline, label) = (frame.deadline, frame.label.clone());
        RequestLimits { deadline, label, cleanup: frame.in_defer }
    }

    /// Begins the work of a thread of its own.
    pub(in crate::script) fn enter_thread(&self, frame: Frame) {
        lock(&self.frames).insert(thread::current().id(), vec![Arc::new(frame)]);
    }

    /// Takes as many threads for tasks as are free, of so many that the phase may have; they
    /// are given back by [`release_threads`](Self::release_threads).
    pub(in crate::script) fn acquire_threads(&self, wanted: usize, max: usize) -> usize {
        let mut taken = lock(&self.threads);
        let threads = wanted.min(max.saturating_sub(*taken));
        *taken += threads;
        threads
    }

    pub(in crate::script) fn release_threads(&self, threads: usize) {
        let mut taken = lock(&self.threads);
        *taken = taken.saturating_sub(threads);
    }

    pub(in crate::script) fn leave_thread(&self) {
        lock(&self.frames).remove(&thread::current().id());
    }

    /// Does something under other limits or another label.
    pub(in crate::script) fn within<T>(&self, frame: Frame, work: impl FnOnce() -> T) -> T {
        let id = thread::current().id();
        let outer = {
            let mut frames = lock(&self.frames);
            let stack = frames.entry(id).or_default();
            stack.push(Arc::new(frame));
            stack.len() - 1
        };
        let _restored = Restored { session: self, id, outer };
        work()
    }

    /// Does something under other limits or another label, and where it ends, however it ends, what
    /// was deferred in it.
    pub(in crate::script) fn scope(
        &self,
        engine: &Engine,
        frame: Frame,
        work: impl FnOnce() -> Result<Dynamic, Thrown>,
    ) -> Result<Dynamic, Thrown> {
        let frame = Frame { deferred: Arc::default(), ..frame };
        self.within(frame, || {
            let ended = self.guarded(work);
            let over = self.frame().ending.stop();
            let failures = self.clean_up(engine);
            match over {
                // Another task has ended the step: whether the script catches this error is open.
                Some(over) => {
                    self.frame().ending.add(failures);
                    ended.and_then(|_| Err(over.thrown()))
                }
                None => self.settle(ended, failures),
            }
        })
    }

    /// A panic of the engine's, of a function's or of the host's is an error like any other.
    fn guarded(&self, work: impl FnOnce() -> Result<Dynamic, Thrown>) -> Result<Dynamic, Thrown> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let message = format!("the script could not go on: {}", panic_text(&*panic));
            let fault = Arc::new(Error::new(ErrorKind::Panic, message));
            Err(self.stop_with(Stop::Fault(fault)))
        })
    }

    /// Has a function called when the scope that it is called in ends.
    pub(in crate::script) fn defer(&self, deferred: Deferred) {
        let frame = self.frame();
        lock(&frame.deferred).push(deferred);
    }

    /// Calls what was deferred in this scope, last first, each whatever became of the others; gives
    /// back what failed. A first cancel does not stop them, and they have limits of their own. A
    /// deployment that waits has done nothing, so that there is nothing to clean up.
    fn clean_up(&self, engine: &Engine) -> Vec<Failure> {
        let outer = self.frame();
        let limit = self.script.as_ref().map_or(CLEANING_MAX, |script| script.timeout);
        let deadline = self.now().checked_add(limit);
        let mut failures = Vec::new();
        let next = || lock(&outer.deferred).pop();
        while !matches!(outer.ending.stop(), Some(Stop::Waits(_)))
            && let Some(deferred) = next()
        {
            let ending = Ending::with_deadline(deadline);
            let frame = Frame {
                deadline,
                label: deferred.label(),
                in_task: false,
                in_defer: true,
                // After all tasks that were begun where it was deferred.
                order: [&*outer.order, &[u32::MAX]].concat(),
                settings: outer.settings.clone(),
                ending: ending.clone(),
                ..Frame::default()
            };
            self.within(frame.clone(), || {
                let ended = self.scope(engine, frame, || deferred.call(engine));
                failures.extend(ended.err().map(|error| self.failures(&error)).unwrap_or_default());
            });
            outer.ending.take_over(&ending);
        }
        failures
    }

    /// How something ended in which this failed as well.
    pub(in crate::script) fn settle(
        &self,
        ended: Result<Dynamic, Thrown>,
        more: Vec<Failure>,
    ) -> Result<Dynamic, Thrown> {
        let ending = self.frame().ending.clone();
        let is_limit = ended.as_ref().is_err_and(|error| is_limit(error));
        if ending.stop().is_none() && more.is_empty() && !is_limit {
            return ended;
        }
        let (mut failures, stop) = match &ended {
            Ok(_) => (Vec::new(), None),
            Err(error) => (self.failures(error), Stop::of(error)),
        };
        failures.extend(more);
        match (ending.stop(), stop) {
            // Nothing can catch it any more.
            (Some(over), _) => {
                ending.add(failures);
                Err(over.thrown())
            }
            (None, Some(_)) => Err(Stop::BlockTimedOut(failures).thrown()),
            (None, None) => Err(Failures::thrown(failures)),
        }
    }

    /// What failed, if this is the error that something ended with.
    pub(in crate::script) fn failures(&self, error: &EvalAltResult) -> Vec<Failure> {
        match Stop::of(error) {
            Some(Stop::BlockTimedOut(failures)) => return failures,
            Some(_) => return Vec::new(),
            None => self.look_at_error(error),
        }
        let file = self.script.as_ref().map_or("", |script| &*script.main.source.name);
        let whole = Failure::of(error, (file, &self.facts.step), self.script.as_ref());
        if is_limit(error) {
            self.fail(whole);
            return Vec::new();
        }
        let frame = self.frame();
        let Some(mut failures) = Failures::of(error) else {
            return vec![Failure { order: frame.order.clone(), ..whole.within(&frame.label) }];
        };
        for failure in &mut failures {
            match (&mut failure.trace, &whole.trace) {
                (Some(trace), Some(outer)) => trace.called_from(outer),
                (trace, outer) => trace.clone_from(outer),
            }
        }
        failures
    }

    /// Whether a script cannot go on after this error.
    pub(in crate::script) fn is_final(&self, error: &EvalAltResult) -> bool {
        Stop::of(error).is_some() || is_limit(error) || self.frame().ending.stop().is_some()
    }
}

/// Takes the frames away that something was done in, if by a panic.
struct Restored<'a> {
    session: &'a Session,
    id: ThreadId,
    outer: usize,
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        let mut frames = lock(&self.session.frames);
        match self.outer {
            0 => drop(frames.remove(&self.id)),
            outer => frames.entry(self.id).or_default().truncate(outer),
        }
    }
}

/// True of the limits of the language itself: steps, memory, depth.
fn is_limit(error: &EvalAltResult) -> bool {
    are_spent(error) || !error.unwrap_inner().is_catchable() && Stop::of(error).is_none()
}

/// A text that no script holds by chance.
fn sentinel() -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = |salt: u8| RandomState::new().hash_one(salt);
    format!("secret-{:016x}{:016x}", random(1), random(2))
}
