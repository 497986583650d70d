//! The failures of a step. They are complete, because a script may still catch them.

use rhai::{Array, Dynamic, Engine, EvalAltResult, Position};

use super::trace::Trace;
use crate::{
    model::{
        outcome::{Exit, Outcome},
        step::{Failed, FailedCommand},
    },
    script::values::thrown::Thrown,
};

/// A failure with its label and position.
#[derive(Clone, Debug)]
pub(in crate::script) struct Failure {
    /// The numbers of the tasks around it, which give the order of failures of parallel tasks.
    pub(in crate::script) order: Vec<u32>,
    /// The label of the task or group.
    pub(in crate::script) label: Option<String>,
    pub(in crate::script) message: String,
    /// The position and the calls that led to it, as far as known.
    pub(in crate::script) trace: Option<Trace>,
    /// The failed command, if a command failed.
    pub(in crate::script) command: Option<FailedCommand>,
    pub(in crate::script) is_timeout: bool,
    /// True if the message is sufficient, so that no excerpt of the script is shown.
    pub(in crate::script) is_plain: bool,
    /// The number of failed tasks of a `parallel`, and the number of all.
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

    /// Sets the position where the step ended, for a limit whose position is not known.
    pub(in crate::script) fn at_end(&mut self, trace: &Trace) {
        if self.trace.is_none() && self.command.is_none() {
            self.trace = Some(trace.clone());
            self.is_plain = false;
        }
    }

    /// Returns the failure with a label. If its command has the label of an inner group, that is
    /// used.
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

    /// Converts it into a failure for the record.
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

    /// Returns the position as `file:line:column`.
    fn place(&self) -> Option<String> {
        self.trace.as_ref().filter(|it| it.is_known()).map(Trace::to_string)
    }
}

/// Several failures as one error that a script can catch: of tasks, deferred functions or a
/// `timeout`. Its properties are those of the first.
#[derive(Clone, Debug)]
pub(in crate::script) struct Failures(pub(in crate::script) Vec<Failure>);

impl Failures {
    pub(in crate::script) fn into_error(failures: Vec<Failure>) -> Thrown {
        EvalAltResult::ErrorRuntime(Dynamic::from(Self(failures)), Position::NONE).into()
    }

    /// Returns the failures in an error, if it contains any.
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

/// Returns the message for several failures: the most severe one, with the number of failed tasks
/// if more than one failed.
pub(in crate::script) fn summary(worst: &Failure, count: usize) -> String {
    match (worst.tasks, &worst.label) {
        (Some((failed, all)), Some(label)) if count > 1 && failed > 1 => {
            format!("{failed} of {all} tasks failed: {label}: {}", worst.message)
        }
        _ => worst.message.clone(),
    }
}

fn optional<T: Into<Dynamic>>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}

/// Registers the properties of several failures.
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
