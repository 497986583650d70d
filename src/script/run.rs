//! One phase of a script, from the call of its function to what became of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use rhai::{CallFnOptions, Dynamic, Engine, Scope};

use super::{
    commands::command_error,
    context::Context,
    failure, functions,
    load::Script,
    report,
    session::{Frame, Session, Stop, Thrown},
    unknown,
};
use crate::{
    answer::panic_text,
    error::{Error, ErrorKind},
    function::HostFunction,
    interpolate::Vars,
    outcome::Outcome,
    record::LeftOutBy,
    step::{Facts, Failed, Host},
};

/// A phase to be run.
pub(crate) struct PhaseCall<'a> {
    pub(crate) script: &'a Script,
    /// Its name: a step's, or `deploy`.
    pub(crate) phase: &'a str,
    pub(crate) facts: Facts,
    /// What tags in `sh` texts can name.
    pub(crate) vars: Vars,
    pub(crate) host: Arc<dyn Host>,
    /// When it has to have ended.
    pub(crate) deadline: Option<Instant>,
    pub(crate) functions: &'a [HostFunction],
}

/// What became of a phase.
#[derive(Debug)]
pub(crate) struct PhaseEnd {
    pub(crate) outcome: Outcome,
    /// Why it failed.
    pub(crate) error: Option<Error>,
    /// Why it was skipped, or what it waits for.
    pub(crate) reason: Option<String>,
    /// Whether it waits for an approval.
    pub(crate) waits: bool,
    /// What left it out.
    pub(crate) left_out: Option<LeftOutBy>,
    /// What failed, the gravest first.
    pub(crate) failures: Vec<Failed>,
}

impl PhaseEnd {
    fn of(outcome: Outcome) -> Self {
        let failures = Vec::new();
        Self { outcome, error: None, reason: None, waits: false, left_out: None, failures }
    }
}

/// Runs a phase on this thread, which needs a stack as large as a worker's. Whatever the script
/// does, this returns.
pub(crate) fn run(call: PhaseCall<'_>) -> PhaseEnd {
    let is_plan = call.host.dry().is_some_and(|dry| dry.is_plan());
    let watched = is_plan.then(|| unknown::watched(call.script));
    let call = PhaseCall { script: watched.as_ref().unwrap_or(call.script), ..call };
    let script = Some(call.script.clone());
    let session = Session::new(
        call.host.clone(),
        script,
        call.facts.clone(),
        call.vars.clone(),
        call.deadline,
    );
    let engine = functions::engine(&session, call.functions);
    let ended = guarded(&session, || call_phase(&engine, &session, &call));
    let first = end_of(ended, &session, &call);
    session.begin_cleaning(session.now().checked_add(call.script.timeout));
    let cleaned = clean_up(&engine, &session, &call);
    session.leave_thread();
    match (first.outcome, cleaned) {
        (Outcome::Success, Some(failed)) => failed,
        // Without the machinery there is no verdict, whatever else was found.
        (Outcome::Canceled | Outcome::NoVerdict, _) => first,
        (_, Some(failed)) if failed.outcome == Outcome::NoVerdict => failed,
        // What the phase itself became matters more than that its cleaning failed as well.
        _ => first,
    }
}

fn call_phase(engine: &Engine, session: &Arc<Session>, call: &PhaseCall<'_>) -> Result<(), Thrown> {
    let Some(phase) = call.script.phase(call.phase) else { return Ok(()) };
    let mut arguments = Vec::new();
    if phase.takes_context {
        arguments.push(Dynamic::from(Context(session.clone())));
    }
    let (ast, mut scope) = (&call.script.main.ast, Scope::new());
    let options = CallFnOptions::default();
    let called =
        engine.call_fn_with_options::<Dynamic>(options, &mut scope, ast, call.phase, arguments);
    drop(called?);
    // What native code did last is not looked at by the engine's own steps.
    session.check()
}

/// A panic of the engine's, of a function's or of the host's is an error like any other.
fn guarded(session: &Session, work: impl FnOnce() -> Result<(), Thrown>) -> Result<(), Thrown> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = format!("the script could not go on: {}", panic_text(&*panic));
        session.enter_thread(Frame::default());
        Err(Stop::Fault(Arc::new(Error::new(ErrorKind::Panic, message))).thrown())
    })
}

/// Calls what was deferred, last first, each whatever became of the others; gives back how the
/// first of them failed, but that the machinery did before all else.
fn clean_up(engine: &Engine, session: &Arc<Session>, call: &PhaseCall<'_>) -> Option<PhaseEnd> {
    let mut failed = None;
    while let Some(deferred) = session.take_deferred() {
        let frame = Frame { label: deferred.label(), ..session.frame() };
        let work = || session.within(frame, || deferred.call(engine).map(drop));
        let end = end_of(guarded(session, work), session, call);
        let is_known = |known: &PhaseEnd| {
            known.outcome == Outcome::NoVerdict || end.outcome != Outcome::NoVerdict
        };
        if end.outcome != Outcome::Success && !failed.as_ref().is_some_and(is_known) {
            failed = Some(end);
        }
    }
    failed
}

fn end_of(ended: Result<(), Thrown>, session: &Session, call: &PhaseCall<'_>) -> PhaseEnd {
    let Err(thrown) = ended else { return PhaseEnd::of(Outcome::Success) };
    session.look_at_error(&thrown);
    let mut end = end_of_thrown(&thrown, session, call);
    if matches!(end.outcome, Outcome::Failure | Outcome::TimedOut | Outcome::NoVerdict) {
        end.failures.push(failure::of(&thrown, end.error.as_ref(), call));
    }
    end
}

fn end_of_thrown(thrown: &Thrown, session: &Session, call: &PhaseCall<'_>) -> PhaseEnd {
    let facts = &session.facts;
    let whereabouts = format!("phase {}, commit {} {:?}", facts.phase, facts.short, facts.subject);
    let report = || report::error(thrown, call.script, call.phase, &whereabouts, &*session.host);
    let sentence = |text: String| Error::new(ErrorKind::Script, text);
    match Stop::of(thrown) {
        Some(Stop::Skip { by, reason }) => {
            let left_out = Some(by);
            PhaseEnd { reason: Some(reason), left_out, ..PhaseEnd::of(Outcome::Skipped) }
        }
        Some(Stop::Waits(question)) => {
            PhaseEnd { reason: Some(question), waits: true, ..PhaseEnd::of(Outcome::Skipped) }
        }
        Some(Stop::Fail(reason)) => {
            PhaseEnd { error: Some(sentence(reason)), ..PhaseEnd::of(Outcome::Failure) }
        }
        Some(Stop::Canceled | Stop::Unknown) => PhaseEnd::of(Outcome::Canceled),
        Some(Stop::TimedOut) => {
            let text = format!("the time limit of the phase `{}` has passed", call.phase);
            PhaseEnd { error: Some(sentence(text)), ..PhaseEnd::of(Outcome::TimedOut) }
        }
        Some(Stop::Fault(fault)) => {
            let error = Error::new(fault.kind(), fault.report());
            PhaseEnd { error: Some(error), ..PhaseEnd::of(Outcome::NoVerdict) }
        }
        None => {
            let timed_out = command_error(thrown).is_some_and(|command| command.is_timeout());
            let outcome = if timed_out { Outcome::TimedOut } else { Outcome::Failure };
            PhaseEnd { error: Some(report()), ..PhaseEnd::of(outcome) }
        }
    }
}
