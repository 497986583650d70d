//! The result of one part of a step: the host's hook callbacks, the conditions, the body.

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

/// The result of one part of a step.
#[derive(Debug)]
pub(in crate::engine) struct StepEnd {
    pub(in crate::engine) outcome: Outcome,
    /// The error that made it fail.
    pub(in crate::engine) error: Option<Error>,
    /// The reason why it was skipped, or the question of the approval that it needs.
    pub(in crate::engine) reason: Option<String>,
    /// True if it awaits an approval.
    pub(in crate::engine) awaits_approval: bool,
    /// The condition or function that left it out. `None` if the embedding program did.
    pub(in crate::engine) left_out: Option<LeftOutBy>,
    pub(in crate::engine) commands: Vec<CommandRecord>,
    /// The number of commands that are not kept.
    pub(in crate::engine) omitted_commands: usize,
    /// The failures, the most serious first. If empty, `error` is the only one.
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

    /// Returns the result of a step that ended with this command.
    pub(super) fn of_command(end: &CommandEnd) -> Self {
        Self { failures: vec![Failed::of_command(end.failed())], ..Self::of(end.exit.outcome()) }
    }

    /// Returns the result of a step that the embedding program skips.
    pub(super) fn skipped_by_host(reason: String) -> Self {
        Self { reason: Some(reason), ..Self::of(Outcome::Skipped) }
    }

    /// Returns the result of a step that a condition leaves out.
    pub(super) fn left_out(unmet: Unmet) -> Self {
        Self { left_out: Some(unmet.by), ..Self::skipped_by_host(unmet.reason) }
    }

    pub(in crate::engine) fn error(outcome: Outcome, error: Error) -> Self {
        Self { error: Some(error), ..Self::of(outcome) }
    }

    /// Returns the result of a denied request. A refusal is a failure of the commit; a fault
    /// leaves no verdict.
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

    /// Adds the command that the step's time limit ended, if the failure does not name a command.
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

    /// Returns true if the next part of the step may run.
    pub(super) fn may_continue(&self) -> bool {
        self.outcome == Outcome::Success
    }

    /// Returns the failures. A step that did not pass has at least one, if anything is known about
    /// it.
    fn all_failures(&self) -> Vec<Failed> {
        match (self.outcome, &self.error) {
            (Outcome::Success | Outcome::Skipped, _) => Vec::new(),
            (_, Some(error)) if self.failures.is_empty() => vec![Failed::of_error(error)],
            _ => self.failures.clone(),
        }
    }

    pub(super) fn into_result(self, name: StepName) -> StepResult {
        let state = if self.awaits_approval { "awaiting approval" } else { "skipped" };
        let of_reason = |reason: &String| format!("{state}: {reason}");
        let error_text = self.error.as_ref().map(Error::report);
        let failures = self.all_failures();
        let (kept, omitted_failures) = kept_failures(failures.iter().map(|it| &it.failure));
        let record = StepRecord {
            name,
            outcome: self.outcome,
            error: error_text.or_else(|| self.reason.as_ref().map(of_reason)),
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
