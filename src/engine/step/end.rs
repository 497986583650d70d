//! How the parts of a step end: the host's hooks, the conditions, the body.

use std::time::Duration;

use super::conditions::Unmet;
use crate::model::{
    error::Error,
    outcome::Outcome,
    pipeline::StepName,
    record::{CommandRecord, LeftOutBy, StepRecord},
    record_size::kept_failures,
    step::{CommandEnd, Denied, Failed, FailedCommand, StepResult},
};

/// How a part of a step ended.
#[derive(Debug)]
pub(in crate::engine) struct StepEnd {
    pub(in crate::engine) outcome: Outcome,
    /// Why it failed.
    pub(in crate::engine) error: Option<Error>,
    /// Why it was skipped, or what it waits for.
    pub(in crate::engine) reason: Option<String>,
    /// True if it waits for an approval.
    pub(in crate::engine) awaits_approval: bool,
    /// What left it out, unless that was the embedding program.
    pub(in crate::engine) left_out: Option<LeftOutBy>,
    pub(in crate::engine) commands: Vec<CommandRecord>,
    /// How many more commands there were than are kept.
    pub(in crate::engine) omitted_commands: usize,
    /// What failed, the gravest first. Left empty, it is what `error` says.
    pub(in crate::engine) failures: Vec<Failed>,
}

impl StepEnd {
    pub(in crate::engine) fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            error: None,
            reason: None,
            awaits_approval: false,
            left_out: None,
            commands: Vec::new(),
            omitted_commands: 0,
            failures: Vec::new(),
        }
    }

    /// A step that this command ended.
    pub(super) fn of_command(end: &CommandEnd) -> Self {
        Self { failures: vec![Failed::of_command(end.failed())], ..Self::of(end.exit.outcome()) }
    }

    /// A step that the embedding program leaves out.
    pub(super) fn absent(reason: String) -> Self {
        Self { reason: Some(reason), ..Self::of(Outcome::Skipped) }
    }

    /// A step that a condition leaves out.
    pub(super) fn left_out(unmet: Unmet) -> Self {
        Self { left_out: Some(unmet.by), ..Self::absent(unmet.reason) }
    }

    pub(in crate::engine) fn error(outcome: Outcome, error: Error) -> Self {
        Self { error: Some(error), ..Self::of(outcome) }
    }

    /// Who is to blame decides whether there is a verdict.
    pub(super) fn denied(denied: Denied) -> Self {
        match denied {
            Denied::Refused(error) => Self::error(Outcome::Failure, error),
            Denied::LeftOut(error) => {
                let reason = error.report();
                Self::left_out(Unmet { by: LeftOutBy::Secret, reason })
            }
            Denied::Fault(error) => Self::error(Outcome::Error, error),
        }
    }

    /// Names the command that the step's time limit ended, where the limit itself is all that the
    /// step says.
    pub(super) fn name_command(&mut self, command: Option<FailedCommand>) {
        let Some(command) = command else { return };
        if self.failures.is_empty() {
            self.failures.extend(self.error.as_ref().map(Failed::of_error));
        }
        if let Some(first) = self.failures.first_mut().filter(|it| it.failure.command.is_none()) {
            first.tail = command.tail;
            first.failure.label = first.failure.label.take().or(command.label);
            (first.failure.command, first.failure.exit) =
                (Some(command.command), Some(command.exit));
        }
    }

    /// True if the next part of the step has its turn.
    pub(super) fn goes_on(&self) -> bool {
        self.outcome == Outcome::Success
    }

    /// What failed: a step that did not pass says at least one thing, if anything is known.
    fn all_failures(&self) -> Vec<Failed> {
        match (self.outcome, &self.error) {
            (Outcome::Success | Outcome::Skipped, _) => Vec::new(),
            (_, Some(error)) if self.failures.is_empty() => vec![Failed::of_error(error)],
            _ => self.failures.clone(),
        }
    }

    pub(super) fn into_result(self, name: StepName) -> StepResult {
        let how = if self.awaits_approval { "awaiting approval" } else { "skipped" };
        let of_reason = |reason: &String| format!("{how}: {reason}");
        let told = self.error.as_ref().map(Error::report);
        let failures = self.all_failures();
        let (kept, omitted_failures) = kept_failures(failures.iter().map(|it| &it.failure));
        let record = StepRecord {
            name,
            outcome: self.outcome,
            error: told.or_else(|| self.reason.as_ref().map(of_reason)),
            duration: Duration::ZERO,
            commands: self.commands,
            failures: kept,
            omitted_commands: self.omitted_commands,
            omitted_failures,
        };
        let sentence = self.error.as_ref().map(|error| error.message().to_owned());
        StepResult {
            record,
            reason: sentence.or(self.reason),
            error: self.error,
            failures,
            awaits_approval: self.awaits_approval,
            left_out: self.left_out,
            ends: None,
        }
    }
}
