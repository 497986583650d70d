//! Runs one step of a script, from the call of its function to its result.

use std::{cmp::Reverse, sync::Arc, time::Instant};

use rhai::{Dynamic, Engine, Scope};

use super::entry;
use crate::{
    model::{
        error::{Error, ErrorKind},
        function::HostFunction,
        outcome::Outcome,
        script::ScriptEnd,
        step::{Facts, Host},
    },
    rules::interpolate::Vars,
    script::{
        errors::{
            failure::{Failure, summary},
            report,
        },
        functions::{context::Context, engine, unknown},
        session::{
            ending::Stop,
            shared::{Frame, Session},
        },
        syntax::script::Script,
        values::thrown::Thrown,
    },
};

/// A step to run.
pub(crate) struct StepCall<'a> {
    pub(crate) script: &'a Script,
    /// The name of the step.
    pub(crate) step: &'a str,
    pub(crate) facts: Facts,
    /// The names that placeholders in commands can use.
    pub(crate) vars: Vars,
    pub(crate) host: Arc<dyn Host>,
    /// When it must have ended.
    pub(crate) deadline: Option<Instant>,
    pub(crate) functions: &'a [HostFunction],
}

/// Runs a step on this thread, which needs a stack as large as a worker's. It returns whatever the
/// script does.
pub(crate) fn run(call: StepCall<'_>) -> ScriptEnd {
    let is_plan = call.host.dry().is_some_and(|dry| dry.is_plan());
    let script = if is_plan { call.script.in_plans(unknown::watched) } else { call.script };
    let call = StepCall { script, ..call };
    let script = Some(call.script.clone());
    let session = Session::new(
        call.host.clone(),
        script,
        call.facts.clone(),
        call.vars.clone(),
        call.deadline,
    );
    let engine = engine::engine(&session, call.functions);
    let frame = Frame::clone(&session.frame());
    let ended = session.scope(&engine, frame, || call_step(&engine, &session, &call));
    let end = end_of(ended, &session, &call);
    session.leave_thread();
    end
}

fn call_step(
    engine: &Engine,
    session: &Arc<Session>,
    call: &StepCall<'_>,
) -> Result<Dynamic, Thrown> {
    let Some(function) = call.script.step(call.step) else { return Ok(Dynamic::UNIT) };
    let context = function.takes_context.then(|| Dynamic::from(Context(session.clone())));
    let program = entry::program(&call.script.main.ast, call.step, context);
    drop(engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &program)?);
    // The engine does not check for a stop after the last native call.
    session.check().map(|()| Dynamic::UNIT)
}

/// Combines all results of a step: the most severe one decides.
fn end_of(ended: Result<Dynamic, Thrown>, session: &Session, call: &StepCall<'_>) -> ScriptEnd {
    let uncaught = ended.as_ref().err().map(|error| session.failures(error)).unwrap_or_default();
    let ending = session.frame().ending.clone();
    ending.add(uncaught);
    let (stop, mut failures) = ending.take();
    if let Some(trace) = ended.as_ref().err().and_then(|error| session.place_of_end(error)) {
        failures.iter_mut().for_each(|failure| failure.at_end(&trace));
    }
    if ended.is_err() && stop.is_none() && failures.is_empty() {
        // A step must not be green if it failed without a reason.
        failures.push(Failure::new("the script could not go on"));
    }
    if call.step == "deploy" && session.has_acted() {
        failures.extend(stop.as_ref().and_then(acted_and_skipped));
    }
    let stopped = stop.iter().map(Stop::outcome);
    let outcomes = failures.iter().map(Failure::outcome).chain(stopped);
    let outcome = outcomes.max_by_key(|it| it.rank()).unwrap_or(Outcome::Success);
    failures.sort_by_key(|failure| Reverse(failure.outcome().rank()));
    let worst = failures.first().filter(|failure| failure.outcome() == outcome);
    let end = ScriptEnd {
        outcome,
        error: worst.map(|it| error_of(it, failures.len(), session, call)),
        reason: None,
        awaits_approval: false,
        left_out: None,
        failures: failures.iter().map(Failure::failed).collect(),
    };
    match stop {
        Some(Stop::Fault(fault)) if outcome == Outcome::Error => {
            ScriptEnd { error: Some(Error::new(fault.kind(), fault.report())), ..end }
        }
        Some(Stop::Skip { by, reason, .. }) if outcome == Outcome::Skipped => {
            ScriptEnd { reason: Some(reason), left_out: Some(by), ..end }
        }
        Some(Stop::Waits(question)) if outcome == Outcome::Skipped => {
            ScriptEnd { reason: Some(question), awaits_approval: true, ..end }
        }
        _ => end,
    }
}

/// Returns the failure for a deployment that had an effect and was then skipped, because something
/// was deployed.
fn acted_and_skipped(stop: &Stop) -> Option<Failure> {
    let Stop::Skip { reason, at, .. } = stop else { return None };
    let message = format!("skipped after it had already acted: {reason}");
    Some(Failure { trace: at.clone(), is_plain: true, ..Failure::new(message) })
}

/// Returns the error of a step: its most severe failure.
fn error_of(worst: &Failure, count: usize, session: &Session, call: &StepCall<'_>) -> Error {
    let facts = &session.facts;
    let message = summary(worst, count);
    match &worst.trace {
        Some(trace) if !worst.is_plain => {
            let location =
                format!("step {}, commit {} {:?}", facts.step, facts.short, facts.subject);
            report::error(message, trace, call.script, call.step, &location, &*session.host)
        }
        _ => Error::new(ErrorKind::Script, message),
    }
}
