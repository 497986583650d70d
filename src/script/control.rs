//! The functions that direct a script: again, in time, at the end, no further.

#![expect(deprecated, reason = "rhai marks the stored context of a call so to call it volatile")]

use std::sync::atomic::Ordering;

use rhai::{Dynamic, Engine, FnPtr, NativeCallContext, NativeCallContextStore};

use super::{
    call::Call,
    registry::RETRY_OPTIONS,
    session::{Frame, Stop, Thrown, throw},
};
use crate::{
    record::LeftOutBy,
    step::{ApprovalAnswer, Denied, StepCommand},
};

/// A function to call when the phase ends, with what it needs to be called then: without the
/// context of its call it would have lost the imports.
pub(super) struct Deferred {
    function: FnPtr,
    context: NativeCallContextStore,
    label: Option<String>,
}

impl Deferred {
    pub(super) fn label(&self) -> Option<String> {
        self.label.clone()
    }

    pub(super) fn call(&self, engine: &Engine) -> Result<Dynamic, Thrown> {
        self.function.call_raw(&self.context.create_context(engine), None, [])
    }
}

/// A copy of a call's context that another thread, or a later time, can use.
pub(super) fn stored(context: &NativeCallContext<'_>) -> NativeCallContextStore {
    context.store_data()
}

pub(super) fn retry(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [attempts, function, options @ ..] = arguments else { return Ok(Dynamic::UNIT) };
    let attempts = call.count("number of attempts", attempts)?.max(1);
    let function = call.function("function", function)?;
    let options = call.options(options.first(), &RETRY_OPTIONS.map(|(name, _)| name))?;
    let backoff = match options.get("backoff") {
        Some(time) => call.time("option `backoff`", time)?,
        None => StepCommand::BACKOFF,
    };
    for attempt in 1.. {
        call.session.check()?;
        let error = match function.call_raw(&call.context, None, []) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if attempt >= attempts || Stop::of(&error).is_some() {
            return Err(error);
        }
        let message =
            format!("attempt {attempt} of {attempts} failed; trying again in {backoff:?}\n");
        call.session.host.print(call.session.frame().label.as_deref(), &message);
        call.session.wait(backoff)?;
    }
    Ok(Dynamic::UNIT)
}

pub(super) fn timeout(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [limit, function] = arguments else { return Ok(Dynamic::UNIT) };
    let limit = call.limit("limit", limit)?;
    let function = call.function("function", function)?;
    let outer = call.session.frame();
    let own = call.session.now().checked_add(limit);
    let deadline = [own, outer.deadline].into_iter().flatten().min();
    let frame = Frame { deadline, ..outer };
    let ended = call.session.within(frame, || {
        let ended = function.call_raw(&call.context, None, []);
        // What native code did last is not looked at by the engine's own steps.
        if call.session.is_late() {
            Err(ended.err().unwrap_or_else(|| Stop::TimedOut.thrown()))
        } else {
            ended
        }
    });
    match ended {
        Err(error)
            if matches!(Stop::of(&error), Some(Stop::TimedOut)) && !call.session.is_late() =>
        {
            Err(throw(format!("the limit of {limit:?} has passed")))
        }
        ended => ended,
    }
}

pub(super) fn group(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [name, function] = arguments else { return Ok(Dynamic::UNIT) };
    let frame = labelled(call.session.frame(), &call.text("name", name)?);
    let function = call.function("function", function)?;
    call.session.within(frame, || function.call_raw(&call.context, None, []))
}

/// The same frame with a further label.
pub(super) fn labelled(frame: Frame, label: &str) -> Frame {
    let label = match frame.label {
        Some(outer) => format!("{outer}/{label}"),
        None => label.to_owned(),
    };
    Frame { label: Some(label), ..frame }
}

pub(super) fn defer(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let function = call.function("function", arguments.first().unwrap_or(&Dynamic::UNIT))?;
    let label = call.session.frame().label;
    call.session.defer(Deferred { function, context: stored(&call.context), label });
    Ok(Dynamic::UNIT)
}

pub(super) fn skip(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    Err(Stop::Skip { by: LeftOutBy::Skip, reason: reason(call, arguments)? }.thrown())
}

pub(super) fn fail(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    Err(Stop::Fail(reason(call, arguments)?).thrown())
}

pub(super) fn exit(_: &Call<'_>, _: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let message = "`exit` does not say what became of the phase: use `return`, `skip(reason)` or \
                   `fail(reason)`";
    Err(Stop::Fail(message.to_owned()).thrown())
}

fn reason(call: &Call<'_>, arguments: &[Dynamic]) -> Result<String, Thrown> {
    call.text("reason", arguments.first().unwrap_or(&Dynamic::UNIT))
}

pub(super) fn approve(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let question = call.text("question", arguments.first().unwrap_or(&Dynamic::UNIT))?;
    if call.session.facts.phase != "deploy" {
        return Err(throw("only `deploy` can ask for an approval: a commit is judged without one"));
    }
    if call.session.frame().in_branch {
        return Err(throw(
            "`approve` does not stand in a branch of `parallel`: the other branches may act before \
             there is an answer",
        ));
    }
    if call.session.acted.load(Ordering::SeqCst) {
        return Err(throw(
            "`approve` comes before any command: a deployment that waits has done nothing",
        ));
    }
    match call.session.host.approve(&question, call.session.limits()) {
        Ok(ApprovalAnswer::Given) => Ok(Dynamic::UNIT),
        Ok(ApprovalAnswer::Awaited) => Err(Stop::Waits(question).thrown()),
        // No script may go on without the answer.
        Err(Denied::Refused(error) | Denied::LeftOut(error)) => {
            Err(call.session.stopped_or(Stop::Fail(error.report())))
        }
        Err(fault) => Err(call.session.denied(fault)),
    }
}

pub(super) fn sleep(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let time = call.time("time", arguments.first().unwrap_or(&Dynamic::UNIT))?;
    call.session.wait(time).map(|()| Dynamic::UNIT)
}
