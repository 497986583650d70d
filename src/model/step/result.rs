//! What a step came to.

use super::command::in_one_line;
use crate::model::{
    error::Error,
    outcome::{Exit, Outcome},
    record::{LeftOutBy, StepFailure, StepRecord},
};

/// What a step came to: what is kept of it, and what the steps after it and the run ask for.
#[derive(Debug)]
pub(crate) struct StepResult {
    pub(crate) record: StepRecord,
    /// The error that ended it, if one did.
    pub(crate) error: Option<Error>,
    /// Why it did not pass, in a sentence without a place: masked.
    pub(crate) reason: Option<String>,
    /// What failed, the gravest first, as in the record.
    pub(crate) failures: Vec<Failed>,
    /// True if it waits for an approval.
    pub(crate) waits: bool,
    /// What left it out, unless that was the embedding program.
    pub(crate) left_out: Option<LeftOutBy>,
    /// Why a plan says nothing further of it. What the rest shows is then what it would be if the
    /// step passed.
    pub(crate) ends: Option<String>,
}

impl StepResult {
    /// The outcome that decides what follows, beside what it leaves out. A step that a condition or
    /// the embedding program left out counts as absent.
    pub(crate) fn counts(&self) -> Outcome {
        match (self.record.outcome, self.left_out) {
            (Outcome::Skipped, Some(LeftOutBy::Skip)) => Outcome::Skipped,
            (Outcome::Skipped, _) if !self.waits => Outcome::Success,
            (outcome, _) => outcome,
        }
    }
}

/// One thing that failed in a step, with what the record has no room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) failure: StepFailure,
    /// The end of what the command wrote, masked.
    pub(crate) tail: String,
}

impl Failed {
    /// A failure that no command says.
    pub(crate) fn of(message: impl Into<String>) -> Self {
        let failure = StepFailure { message: message.into(), ..StepFailure::default() };
        Self { failure, tail: String::new() }
    }

    /// An error, with its place if it has one.
    pub(crate) fn of_error(error: &Error) -> Self {
        let mut failed = Self::of(error.message());
        let place = error.path().zip(error.position());
        failed.failure.place = place.map(|(path, at)| format!("{}:{at}", path.display()));
        failed
    }

    /// A command that did not pass.
    pub(crate) fn of_command(command: FailedCommand) -> Self {
        let FailedCommand { command, label, exit, tail } = command;
        let message = command_failure(&in_one_line(&command), exit);
        let (command, exit) = (Some(command), Some(exit));
        Self { failure: StepFailure { label, place: None, message, command, exit }, tail }
    }
}

/// What is said of a command that failed.
pub(crate) fn command_failure(command: &str, exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("command exited with status {code}: {command}"),
        other => format!("command {other}: {command}"),
    }
}

/// A command that failed.
#[derive(Clone, Debug)]
pub(crate) struct FailedCommand {
    /// All of the command, masked.
    pub(crate) command: String,
    /// The task or group that it was run in.
    pub(crate) label: Option<String>,
    pub(crate) exit: Exit,
    /// The end of what it wrote, masked.
    pub(crate) tail: String,
}
