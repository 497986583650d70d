//! What a step came to.

use crate::{
    error::Error,
    outcome::{Exit, Outcome},
    record::StepRecord,
};

/// What a step came to: what is kept of it, and what the steps after it and the run ask for.
#[derive(Debug)]
pub(crate) struct StepResult {
    pub(crate) record: StepRecord,
    /// The error that ended it, if one did.
    pub(crate) error: Option<Error>,
    /// Why it did not pass, in a sentence without a place: masked.
    pub(crate) reason: Option<String>,
    /// The last command that failed.
    pub(crate) failed: Option<FailedCommand>,
    /// True if it waits for an approval.
    pub(crate) waits: bool,
    /// True if a condition, or the embedding program, left it out: it counts as absent.
    pub(crate) left_out: bool,
}

impl StepResult {
    /// The outcome that decides what follows.
    pub(crate) fn counts(&self) -> Outcome {
        if self.left_out { Outcome::Success } else { self.record.outcome }
    }
}

/// A command that failed.
#[derive(Clone, Debug)]
pub(crate) struct FailedCommand {
    /// All of the command, masked.
    pub(crate) command: String,
    pub(crate) exit: Exit,
    /// The end of what it wrote, masked.
    pub(crate) tail: String,
}
