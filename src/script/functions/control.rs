//! Functions that control a script: `retry`, `timeout`, `defer`, `skip` and others.

#![expect(deprecated, reason = "rhai marks the stored context of a call so to call it volatile")]

use std::time::Duration;

use rhai::{Dynamic, NativeCallContext, NativeCallContextStore};

use super::call::Call;
use crate::{
    model::{
        record::LeftOutBy,
        step::{ApprovalAnswer, Denied, StepCommand},
    },
    script::{
        api::registry::RETRY_OPTIONS,
        errors::{
            failure::{Failure, Failures},
            script_error,
        },
        session::{deferred::Deferred, ending::Stop, shared::Frame},
        values::thrown::Thrown,
    },
};

/// Copies the context of a call for another thread or a later time.
pub(in crate::script) fn stored(context: &NativeCallContext<'_>) -> NativeCallContextStore {
    context.store_data()
}

pub(in crate::script) fn retry(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [attempts, function, options @ ..] = arguments else { return Ok(Dynamic::UNIT) };
    let attempts = call.attempts(attempts)?;
    let function = call.function("function", function)?;
    let options = call.options(options.first(), &RETRY_OPTIONS)?;
    let backoff = match options.get("backoff") {
        Some(time) => call.time("option `backoff`", time)?,
        None => StepCommand::BACKOFF,
    };
    for attempt in 1.. {
        call.session.check()?;
        // Functions that an attempt deferred run before the next attempt begins.
        let frame = Frame::clone(&call.session.frame());
        let work = || function.call_raw(&call.context, None, []);
        let error = match call.session.scope(call.engine(), frame, work) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if attempt >= attempts || call.session.is_final(&error) {
            return Err(error);
        }
        let message = format!("attempt {attempt} of {attempts} failed; retrying in {backoff:?}\n");
        call.session.host.print(call.session.frame().label.as_deref(), &message);
        call.session.wait(backoff)?;
    }
    Ok(Dynamic::UNIT)
}

pub(in crate::script) fn timeout(
    call: &Call<'_>,
    arguments: &[Dynamic],
) -> Result<Dynamic, Thrown> {
    let [limit, function] = arguments else { return Ok(Dynamic::UNIT) };
    let limit = call.limit("limit", limit)?;
    let function = call.function("function", function)?;
    limited(call, limit, || function.call_raw(&call.context, None, []))
}

/// Runs code with a time limit.
pub(in crate::script) fn limited(
    call: &Call<'_>,
    limit: Duration,
    work: impl FnOnce() -> Result<Dynamic, Thrown>,
) -> Result<Dynamic, Thrown> {
    let session = call.session;
    let outer = Frame::clone(&session.frame());
    let own = session.now().checked_add(limit);
    let deadline = [own, outer.deadline].into_iter().flatten().min();
    let ended = session.within(Frame { deadline, ..outer }, || {
        let ended = work();
        // The engine does not check for a stop after the last native call.
        ended.and_then(|value| session.check().map(|()| value))
    });
    let Some(Stop::BlockTimedOut(mut failures)) = ended.as_ref().err().and_then(|it| Stop::of(it))
    else {
        return ended;
    };
    // The limit of the enclosing code may have passed as well.
    if let Some(stop) = session.stop() {
        return session.combine(Err(stop.into_error()), failures);
    }
    let label = session.frame().label.clone();
    let message = format!("the time limit of {limit:?} has passed");
    failures.push(Failure { label, is_timeout: true, ..Failure::new(message) });
    Err(Failures::into_error(failures))
}

pub(in crate::script) fn group(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [name, function] = arguments else { return Ok(Dynamic::UNIT) };
    let frame = labeled(&call.session.frame(), &call.text("name", name)?);
    let function = call.function("function", function)?;
    let work = || function.call_raw(&call.context, None, []);
    call.session.scope(call.engine(), frame, work)
}

/// Returns the frame with one more label.
pub(in crate::script) fn labeled(frame: &Frame, label: &str) -> Frame {
    let label = match &frame.label {
        Some(outer) => format!("{outer}/{label}"),
        None => label.to_owned(),
    };
    Frame { label: Some(label), ..frame.clone() }
}

pub(in crate::script) fn defer(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let function = call.function("function", arguments.first().unwrap_or(&Dynamic::UNIT))?;
    let label = call.session.frame().label.clone();
    call.session.defer(Deferred { function, context: stored(&call.context), label });
    Ok(Dynamic::UNIT)
}

pub(in crate::script) fn skip(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let reason = reason(call, arguments)?;
    refuse_inside(call, "skips the whole step, and other parts of it may already be running")?;
    let at = Some(call.session.place(&call.context));
    Err(call.session.stop_with(Stop::Skip { by: LeftOutBy::Skip, reason, at }))
}

pub(in crate::script) fn fail(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    if let Some(error) = arguments.first().filter(|it| script_error::sentence(it).is_some()) {
        return Err(call.session.fail_with(&call.context, error));
    }
    let failure = Failure { is_plain: true, ..Failure::new(reason(call, arguments)?) };
    Err(call.session.fail_at(&call.context, failure))
}

pub(in crate::script) fn exit(call: &Call<'_>, _: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let message = "`exit` does not say how the step ended; use `return`, `skip(reason)` or \
                   `fail(reason)`";
    Err(call.session.fail_at(&call.context, Failure::new(message)))
}

fn reason(call: &Call<'_>, arguments: &[Dynamic]) -> Result<String, Thrown> {
    let reason = arguments.first().unwrap_or(&Dynamic::UNIT);
    script_error::sentence(reason).map_or_else(|| call.text("reason", reason), Ok)
}

/// Fails if the call ends the whole step while other parts of it may run. No script can catch that,
/// because it would continue as if the call had worked.
fn refuse_inside(call: &Call<'_>, why: &str) -> Result<(), Thrown> {
    let frame = call.session.frame();
    let (inside, ends) = match (frame.in_task, frame.in_defer) {
        (true, _) => ("a task of `parallel` or `matrix`", "the task"),
        (false, true) => ("a deferred function", "it"),
        (false, false) => return Ok(()),
    };
    let message = format!(
        "`{}` cannot be called in {inside}: it {why}; use `return` to end {ends}",
        call.name
    );
    Err(call.session.fail_at(&call.context, Failure::new(message)))
}

pub(in crate::script) fn approve(
    call: &Call<'_>,
    arguments: &[Dynamic],
) -> Result<Dynamic, Thrown> {
    let question = call.text("question", arguments.first().unwrap_or(&Dynamic::UNIT))?;
    let session = call.session;
    let refused = |message: &str| Err(session.fail_at(&call.context, Failure::new(message)));
    if session.facts.step != "deploy" {
        return refused("only `deploy` can ask for an approval; commits are tested without one");
    }
    refuse_inside(
        call,
        "must come before anything else, and other parts of the step may already be running",
    )?;
    if session.has_acted() {
        return refused(
            "`approve` must come before any command or other effect, because a deployment that \
             awaits approval has not changed anything",
        );
    }
    match session.host.approve(&question, session.limits()) {
        Ok(ApprovalAnswer::Given) => Ok(Dynamic::UNIT),
        Ok(ApprovalAnswer::Awaited) => Err(session.stop_with(Stop::Waits(question))),
        // A script must not continue without the answer.
        Err(Denied::Refused(error) | Denied::LeftOut(error)) => Err(match session.stop() {
            Some(stop) => stop.into_error(),
            None => {
                let failure = Failure { is_plain: true, ..Failure::new(error.report()) };
                session.fail_at(&call.context, failure)
            }
        }),
        Err(fault) => Err(session.denied(fault)),
    }
}

pub(in crate::script) fn sleep(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let time = call.time("time", arguments.first().unwrap_or(&Dynamic::UNIT))?;
    call.session.wait(time).map(|()| Dynamic::UNIT)
}
