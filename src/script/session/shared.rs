//! The state of a running step that its functions share, and how they stop it.

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
    operations::OperationCount,
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
            operation_limit::is_operation_limit,
            trace::Trace,
        },
        syntax::script::Script,
        values::thrown::{Thrown, throw},
    },
    util::{lock::lock, threads::panic_text},
};

/// How many operations pass between two checks of the deadline and the cancellation.
const OPERATIONS_PER_CHECK: u64 = 64;

/// How many operations pass until the time of the last check is looked at. One operation can be a call
/// of the language that takes a large part of a second.
const OPERATIONS_PER_GLANCE: u64 = 4;

/// The longest time between two checks.
const CHECK_EVERY: Duration = Duration::from_millis(50);

/// How long a wait sleeps between two checks.
const WAIT_SLICE: Duration = Duration::from_millis(20);

/// Time limit of deferred functions if no script sets a limit.
const CLEANING_MAX: Duration = Duration::from_secs(60 * 60);

/// The limits, label and settings of the code that a thread runs.
#[derive(Clone, Default)]
pub(in crate::script) struct Frame {
    pub(in crate::script) deadline: Option<Instant>,
    pub(in crate::script) label: Option<String>,
    /// True while the expression of a placeholder is evaluated, which must not have effects.
    pub(in crate::script) in_placeholder: bool,
    /// True if other tasks may run at the same time.
    pub(in crate::script) in_task: bool,
    /// True in a deferred function.
    pub(in crate::script) in_defer: bool,
    /// The numbers of the tasks around it, outermost first.
    pub(in crate::script) order: Vec<u32>,
    /// The options of the enclosing `with` calls.
    pub(in crate::script) settings: Arc<Settings>,
    /// The ending of the step, or of the deferred function.
    pub(in crate::script) ending: Arc<Ending>,
    /// The functions to run at the end of this scope.
    pub(in crate::script) deferred: Arc<Mutex<Vec<Deferred>>>,
}

impl Frame {
    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }
}

/// The state that the functions of a running step share.
pub(in crate::script) struct Session {
    pub(in crate::script) host: Arc<dyn Host>,
    pub(in crate::script) script: Option<Script>,
    pub(in crate::script) facts: Facts,
    /// The names that placeholders can use.
    pub(in crate::script) vars: Vars,
    /// The string form of every secret in this step. It is random, and masked like a secret.
    pub(in crate::script) sentinel: String,
    frames: Mutex<HashMap<ThreadId, Vec<Arc<Frame>>>>,
    pub(in crate::script) operations: OperationCount,
    /// True once anything was stopped. From then on, each operation checks for it.
    is_any_over: AtomicBool,
    begun: Instant,
    /// When a step last looked because that was long ago, in milliseconds after the beginning.
    last_check: AtomicU64,
    /// Number of threads that run tasks.
    threads: Mutex<usize>,
    /// True once the step had an effect. `approve` must come before that.
    acted: AtomicBool,
    /// The untrusted values that the script has read.
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
            operations: OperationCount::default(),
            is_any_over: AtomicBool::new(false),
            begun: Instant::now(),
            last_check: AtomicU64::default(),
            threads: Mutex::default(),
            acted: AtomicBool::new(false),
            untrusted: Untrusted::default(),
        };
        let ending = Ending::with_deadline(deadline);
        session.enter_thread(Frame { deadline, ending, ..Frame::default() });
        Arc::new(session)
    }

    /// Returns why the step must stop now. The engine calls this at each operation.
    pub(in crate::script) fn stop_at_operation(&self) -> Option<Dynamic> {
        let taken = self.operations.add();
        if let Some(stop) = self.stop_by_operations(taken) {
            return Some(Dynamic::from(stop));
        }
        let is_due = taken.is_multiple_of(OPERATIONS_PER_CHECK)
            || self.is_any_over.load(Ordering::Relaxed)
            || (taken.is_multiple_of(OPERATIONS_PER_GLANCE) && self.is_check_overdue());
        if is_due { self.stop().map(Dynamic::from) } else { None }
    }

    /// Returns true if the last check was long ago, by the real clock: that of a plan stands still.
    fn is_check_overdue(&self) -> bool {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.last_check.load(Ordering::Relaxed);
        let is_long = Duration::from_millis(now.saturating_sub(last)) >= CHECK_EVERY;
        if is_long {
            self.last_check.store(now, Ordering::Relaxed);
        }
        is_long
    }

    /// Returns why this thread's code must stop now.
    pub(in crate::script) fn stop(&self) -> Option<Stop> {
        if self.host.dry().is_some_and(|dry| dry.is_over()) {
            self.is_any_over.store(true, Ordering::SeqCst);
            return Some(Stop::Unknown);
        }
        let (frame, now) = (self.frame(), self.now());
        if self.host.is_canceled(frame.in_defer) {
            self.record_stop(Stop::Canceled);
        } else if frame.ending.is_late(now) && frame.ending.stop().is_none() {
            self.stop_late();
        }
        frame.ending.stop().or_else(|| frame.is_late(now).then(|| Stop::BlockTimedOut(Vec::new())))
    }

    /// Returns the error of a passed time limit, if one applies here.
    pub(in crate::script) fn check_late(&self) -> Result<(), Thrown> {
        if self.frame().is_late(self.now()) { self.check() } else { Ok(()) }
    }

    /// Stops this thread's code, whatever the script does with the error.
    pub(in crate::script) fn stop_with(&self, stop: Stop) -> Thrown {
        self.record_stop(stop.clone());
        stop.into_error()
    }

    /// Records a stop. Returns true if it is more severe than the one before.
    fn record_stop(&self, stop: Stop) -> bool {
        let is_new = self.frame().ending.stop_with(stop);
        self.is_any_over.store(true, Ordering::SeqCst);
        is_new
    }

    /// Fails the step. No script can catch that.
    pub(in crate::script) fn fail(&self, failure: Failure) {
        let frame = self.frame();
        let (label, order) = (frame.label.clone(), frame.order.clone());
        frame.ending.add([Failure { label, order, ..failure }]);
        self.record_stop(Stop::Failed);
    }

    /// Fails the step at the position of a call. A placeholder has the position of its command.
    pub(in crate::script) fn fail_at(
        &self,
        context: &NativeCallContext<'_>,
        failure: Failure,
    ) -> Thrown {
        let trace = (!self.frame().in_placeholder).then(|| self.place(context));
        self.fail(Failure { trace, ..failure });
        Stop::Failed.into_error()
    }

    /// Fails the step with an error that the script has caught. All failures in it count again.
    pub(in crate::script) fn fail_with(
        &self,
        context: &NativeCallContext<'_>,
        error: &Dynamic,
    ) -> Thrown {
        let (frame, at) = (self.frame(), self.place(context));
        let error = EvalAltResult::ErrorRuntime(error.clone(), context.call_position());
        let mut failures = Failures::of(&error).unwrap_or_else(|| {
            let file = context.call_source().unwrap_or_default();
            let failure = Failure::of(&error, file, &self.facts.step, self.script.as_ref());
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

    /// Stops everything when the step's time limit has passed. All tasks share it, and the first to
    /// notice reports it.
    fn stop_late(&self) {
        let frame = self.frame();
        let what = if frame.in_defer { "the deferred functions of the step" } else { "the step" };
        let message = format!("the time limit of {what} `{}` has passed", self.facts.step);
        if self.record_stop(Stop::TimedOut) {
            let failure = Failure::new(message);
            frame.ending.add([Failure { is_timeout: true, is_plain: true, ..failure }]);
        }
    }

    /// Returns an error if this thread's code must stop.
    pub(in crate::script) fn check(&self) -> Result<(), Thrown> {
        self.stop().map_or(Ok(()), |stop| Err(stop.into_error()))
    }

    /// Returns the error for a denied request. A script can catch a refusal only. A fault comes
    /// before a time limit, because it may have used up the time.
    pub(in crate::script) fn denied(&self, denied: Denied) -> Thrown {
        match (denied, self.stop()) {
            (Denied::Fault(error), _) => self.stop_with(Stop::Fault(Arc::new(error))),
            (_, Some(stop)) => stop.into_error(),
            (Denied::Refused(error), None) => throw(error.report()),
            (Denied::LeftOut(error), None) => {
                let reason = error.report();
                self.stop_with(Stop::Skip { by: LeftOutBy::Secret, reason, at: None })
            }
        }
    }

    /// Refuses a function with an effect inside a placeholder.
    pub(in crate::script) fn check_effect(
        &self,
        function: &str,
        effect: Effect,
    ) -> Result<(), Thrown> {
        match effect {
            Effect::Pure => Ok(()),
            _ if self.frame().in_placeholder => Err(throw(format!(
                "`{function}` has an effect, and a placeholder can only read \
                                   values"
            ))),
            _ => Ok(()),
        }
    }

    /// Records that the step has an effect, unless it must stop.
    pub(in crate::script) fn act(&self) -> Result<(), Thrown> {
        self.check()?;
        self.acted.store(true, Ordering::SeqCst);
        Ok(())
    }

    pub(in crate::script) fn has_acted(&self) -> bool {
        self.acted.load(Ordering::SeqCst)
    }

    /// Returns the current time, which is simulated in a dry run.
    pub(in crate::script) fn now(&self) -> Instant {
        self.host.dry().map_or_else(Instant::now, |dry| dry.clock().now())
    }

    /// Waits, and stops waiting if the step is stopped.
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

    /// Records that the script has read an untrusted property of `ctx`.
    pub(in crate::script) fn read(&self, property: &'static str) {
        self.untrusted.read(&self.facts, property);
    }

    /// Records that the script has a string that may contain untrusted values which another step
    /// read.
    pub(in crate::script) fn read_in(&self, text: &str) {
        self.untrusted.read_in(&self.facts, text);
        // It may be a path. If the changes cannot be read, no other step has read them either.
        if !is_safe(text)
            && let Ok(changes) = self.host.changes()
        {
            self.untrusted.read_changes(&changes.paths);
        }
    }

    /// Returns the frame of this thread.
    pub(in crate::script) fn frame(&self) -> Arc<Frame> {
        let frames = lock(&self.frames);
        let stack = frames.get(&thread::current().id());
        stack.and_then(|stack| stack.last()).cloned().unwrap_or_default()
    }

    /// Returns the limits of a request to the embedding program.
    pub(in crate::script) fn limits(&self) -> RequestLimits {
        let frame = self.frame();
        let (deadline, label) = (frame.deadline, frame.label.clone());
        RequestLimits { deadline, label, cleanup: frame.in_defer }
    }

    /// Registers the current thread with a frame.
    pub(in crate::script) fn enter_thread(&self, frame: Frame) {
        lock(&self.frames).insert(thread::current().id(), vec![Arc::new(frame)]);
    }

    /// Reserves up to `count` threads for tasks, as far as `max` allows.
    /// [`release_threads`](Self::release_threads) returns them.
    pub(in crate::script) fn acquire_threads(&self, count: usize, max: usize) -> usize {
        let mut taken = lock(&self.threads);
        let threads = count.min(max.saturating_sub(*taken));
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

    /// Runs code in another frame.
    pub(in crate::script) fn within<T>(&self, frame: Frame, work: impl FnOnce() -> T) -> T {
        let id = thread::current().id();
        let outer = {
            let mut frames = lock(&self.frames);
            let stack = frames.entry(id).or_default();
            stack.push(Arc::new(frame));
            stack.len() - 1
        };
        let _guard = FrameGuard { session: self, id, outer };
        work()
    }

    /// Runs code in a scope. When the scope ends, for whatever reason, its deferred functions run.
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
                // Another task has stopped the step. The script might have caught this error, so it
                // does not count.
                Some(over) => {
                    self.frame().ending.add(failures);
                    ended.and_then(|_| Err(over.into_error()))
                }
                None => self.combine(ended, failures),
            }
        })
    }

    /// Turns a panic of the engine, a function or the host into an error.
    fn guarded(&self, work: impl FnOnce() -> Result<Dynamic, Thrown>) -> Result<Dynamic, Thrown> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let message = format!("the script could not go on: {}", panic_text(&*panic));
            let fault = Arc::new(Error::new(ErrorKind::Panic, message));
            Err(self.stop_with(Stop::Fault(fault)))
        })
    }

    /// Defers a function to the end of the current scope.
    pub(in crate::script) fn defer(&self, deferred: Deferred) {
        let frame = self.frame();
        lock(&frame.deferred).push(deferred);
    }

    /// Runs the deferred functions of this scope, the last one first, and returns their failures.
    /// Each one runs even if others fail. The first cancellation does not stop them, and they have
    /// their own limits. If a deployment waits for an approval, there is nothing to clean up.
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
                // Failures come after those of all tasks that began in this scope.
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

    /// Combines a result with further failures.
    pub(in crate::script) fn combine(
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
            // The step is stopped, so nothing can catch the error anymore.
            (Some(over), _) => {
                ending.add(failures);
                Err(over.into_error())
            }
            (None, Some(_)) => Err(Stop::BlockTimedOut(failures).into_error()),
            (None, None) => Err(Failures::into_error(failures)),
        }
    }

    /// Returns the failures in an error.
    pub(in crate::script) fn failures(&self, error: &EvalAltResult) -> Vec<Failure> {
        match Stop::of(error) {
            Some(Stop::BlockTimedOut(failures)) => return failures,
            Some(_) => return Vec::new(),
            None => self.look_at_error(error),
        }
        let file = self.script.as_ref().map_or("", |script| &*script.main.source.name);
        let whole = Failure::of(error, file, &self.facts.step, self.script.as_ref());
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

    /// Returns true if a script cannot continue after this error.
    pub(in crate::script) fn is_final(&self, error: &EvalAltResult) -> bool {
        Stop::of(error).is_some() || is_limit(error) || self.frame().ending.stop().is_some()
    }
}

/// Restores the frames of a thread when a scope ends, also after a panic.
struct FrameGuard<'a> {
    session: &'a Session,
    id: ThreadId,
    outer: usize,
}

impl Drop for FrameGuard<'_> {
    fn drop(&mut self) {
        let mut frames = lock(&self.session.frames);
        match self.outer {
            0 => drop(frames.remove(&self.id)),
            outer => frames.entry(self.id).or_default().truncate(outer),
        }
    }
}

/// Returns true for errors of the language's limits: operations, memory and depth.
fn is_limit(error: &EvalAltResult) -> bool {
    is_operation_limit(error) || !error.unwrap_inner().is_catchable() && Stop::of(error).is_none()
}

/// Returns a random string that no script contains by chance.
fn sentinel() -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = |salt: u8| RandomState::new().hash_one(salt);
    format!("secret-{:016x}{:016x}", random(1), random(2))
}
