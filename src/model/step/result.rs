//! [`StepResult`]: the result of a step.

use super::command::in_one_line;
use crate::model::{
    error::Error,
    outcome::{Exit, Outcome},
    record::{LeftOutBy, StepFailure, StepRecord},
};

/// The result of a step: its record, and the data that later steps and the run need.
#[derive(Debug)]
pub(crate) struct StepResult {
    pub(crate) record: StepRecord,
    /// The error that ended it, if one did.
    pub(crate) error: Option<Error>,
    /// The reason why it did not succeed, in a sentence without a position, masked.
    pub(crate) reason: Option<String>,
    /// All failures, the most severe first, as in the record.
    pub(crate) failures: Vec<Failed>,
    /// True if it awaits approval.
    pub(crate) awaits_approval: bool,
    /// The cause, if it was left out, but not by the embedding program.
    pub(crate) left_out: Option<LeftOutBy>,
    /// The reason why a plan ends inside this step. The other fields then assume that the step
    /// succeeds.
    pub(crate) ends: Option<String>,
}

impl StepResult {
    /// Returns the outcome that decides what happens next. A step that a condition or the embedding
    /// program left out counts as absent.
    pub(crate) fn effective_outcome(&self) -> Outcome {
        match (self.record.outcome, self.left_out) {
            (Outcome::Skipped, Some(LeftOutBy::Skip)) => Outcome::Skipped,
            (Outcome::Skipped, _) if !self.awaits_approval => Outcome::Success,
            (outcome, _) => outcome,
        }
    }
}

/// One failure in a step, with data that is not in the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) failure: StepFailure,
    /// The end of the command's output, masked.
    pub(crate) tail: String,
}

impl Failed {
    /// Creates a failure without a command.
    pub(crate) fn of(message: impl Into<String>) -> Self {
        let failure = StepFailure { message: message.into(), ..StepFailure::default() };
        Self { failure, tail: String::new() }
    }

    /// Creates a failure from an error, with its position if it has one.
    pub(crate) fn of_error(error: &Error) -> Self {
        let mut failed = Self::of(error.message());
        let place = error.path().zip(error.position());
        failed.failure.place = place.map(|(path, at)| format!("{}:{at}", path.display()));
        failed
    }

    /// Creates a failure from a command.
    pub(crate) fn of_command(command: FailedCommand) -> Self {
        let FailedCommand { command, label, exit, tail } = command;
        let message = command_failure(&in_one_line(&command), exit);
        let (command, exit) = (Some(command), Some(exit));
        Self { failure: StepFailure { label, place: None, message, command, exit }, tail }
    }
}

/// Returns the message for a failed command.
pub(crate) fn command_failure(command: &str, exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("command exited with status {code}: {command}"),
        other => format!("command {other}: {command}"),
    }
}

/// A command that failed.
#[derive(Clone, Debug)]
pub(crate) struct FailedCommand {
    /// The whole command, masked.
    pub(crate) command: String,
    /// The label of the task or group that ran it.
    pub(crate) label: Option<String>,
    pub(crate) exit: Exit,
    /// The end of its output, masked.
    pub(crate) tail: String,
}
