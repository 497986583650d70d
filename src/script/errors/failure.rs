//! What failed in a phase: kept whole until it is clear whether the script catches it.

use rhai::{Array, Dynamic, Engine, EvalAltResult, Position};

use super::trace::Trace;
use crate::{
    model::{
        outcome::{Exit, Outcome},
        step::{Failed, FailedCommand},
    },
    script::values::thrown::Thrown,
};

/// One failure, with its label and place.
#[derive(Clone, Debug)]
pub(in crate::script) struct Failure {
    /// Where it stands among those of tasks that run at once: the numbers of the tasks it is in.
    pub(in crate::script) order: Vec<u32>,
    /// The task of a `parallel`, or the group.
    pub(in crate::script) label: Option<String>,
    pub(in crate::script) message: String,
    /// Where it is, as far as that is known, and by which calls the script got there.
    pub(in crate::script) trace: Option<Trace>,
    /// The command that failed, if it was one.
    pub(in crate::script) command: Option<FailedCommand>,
    pub(in crate::script) is_timeout: bool,
    /// True if the sentence says it all, so that no line of the script is shown.
    pub(in crate::script) is_plain: bool,
    /// How many tasks of a `parallel` failed, and of how many.
    pub(in crate::script) tasks: Option<(usize, usize)>,
}

impl Failure {
    pub(in crate::script) fn new(message: impl Into<String>) -> Self {
        Self {
            order: Vec::new(),
            label: None,
            message: message.into(),
            trace: None,
            command: None,
            is_timeout: false,
            is_plain: false,
            tasks: None,
        }
    }

    /// A limit of which no more is known is where the phase ended.
    pub(in crate::script) fn at_end(&mut self, trace: &Trace) {
        if self.trace.is_none() && self.command.is_none() {
            self.trace = Some(trace.clone());
            self.is_plain = false;
        }
    }

    /// The same with the label that it failed under: that of its command, if that one is a group
    /// further in.
    pub(in crate::script) fn within(self, label: &Option<String>) -> Self {
        let of_command = self.command.as_ref().and_then(|command| command.label.clone());
        let label = match label {
            Some(outer) => of_command
                .filter(|inner| inner.starts_with(&format!("{outer}/")))
                .or_else(|| Some(outer.clone())),
            None => of_command,
        };
        Self { label, ..self }
    }

    pub(in crate::script) fn outcome(&self) -> Outcome {
        if self.is_timeout { Outcome::TimedOut } else { Outcome::Failure }
    }

    /// The same for the record.
    pub(in crate::script) fn failed(&self) -> Failed {
        let mut failed = match &self.command {
            Some(command) => Failed::of_command(command.clone()),
            None => Failed::of(&*self.message),
        };
        let failure = &mut failed.failure;
        failure.label.clone_from(&self.label);
        failure.place = self.place();
        failed
    }

    /// `file:line:column`
    fn place(&self) -> Option<String> {
        self.trace.as_ref().filter(|it| it.is_known()).map(Trace::to_string)
    }
}

/// What a script can catch where several things failed, or a limit passed: tasks of a `parallel`,
/// what was deferred, a `timeout`. To the script it is the first of them.
#[derive(Clone, Debug)]
pub(in crate::script) struct Failures(pub(in crate::script) Vec<Failure>);

impl Failures {
    pub(in crate::script) fn thrown(failures: Vec<Failure>) -> Thrown {
        EvalAltResult::ErrorRuntime(Dynamic::from(Self(failures)), Position::NONE).into()
    }

    /// The failures that an error carries, if it does.
    pub(in crate::script) fn of(error: &EvalAltResult) -> Option<Vec<Failure>> {
        match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(value, _) => {
                Some(value.flatten_clone().try_cast::<Failures>()?.0)
            }
            _ => None,
        }
    }

    fn first(&self) -> Option<&Failure> {
        self.0.first()
    }

    fn command(&self) -> Option<&FailedCommand> {
        self.first()?.command.as_ref()
    }

    pub(in crate::script) fn message(&self) -> String {
        self.first().map(|first| summary(first, self.0.len())).unwrap_or_default()
    }
}

/// What failed, in one sentence: the gravest of so many, and how many tasks failed if more than one
/// did.
pub(in crate::script) fn summary(gravest: &Failure, count: usize) -> String {
    match (gravest.tasks, &gravest.label) {
        (Some((failed, all)), Some(label)) if count > 1 && failed > 1 => {
            format!("{failed} of {all} tasks failed: {label}: {}", gravest.message)
        }
        _ => gravest.message.clone(),
    }
}

fn optional<T: Into<Dynamic>>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}

/// Registers what a script can ask of them.
pub(in crate::script) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Failures>("failures")
        .register_get("message", |it: &mut Failures| it.message())
        .register_get("label", |it: &mut Failures| {
            optional(it.first().and_then(|it| it.label.clone()))
        })
        .register_get("place", |it: &mut Failures| optional(it.first().and_then(Failure::place)))
        .register_get("command", |it: &mut Failures| {
            optional(it.command().map(|it| it.command.clone()))
        })
        .register_get("code", |it: &mut Failures| match it.command().map(|it| it.exit) {
            Some(Exit::Code(code)) => i64::from(code).into(),
            _ => Dynamic::UNIT,
        })
        .register_get("tail", |it: &mut Failures| {
            it.command().map(|it| it.tail.clone()).unwrap_or_default()
        })
        .register_get("timed_out", |it: &mut Failures| it.first().is_some_and(|it| it.is_timeout))
        .register_get("failures", |it: &mut Failures| -> Array {
            it.0.iter().map(|it| Dynamic::from(Failures(vec![it.clone()]))).collect()
        })
        .register_fn(rhai::FUNC_TO_STRING, |it: &mut Failures| it.message())
        .register_fn(rhai::FUNC_TO_DEBUG, |it: &mut Failures| it.message());
}
