//! What a step came to.

use crate::{
    error::Error,
    outcome::{Exit, Outcome},
    record::{LeftOutBy, StepRecord},
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
    /// What left it out, unless that was the embedding program.
    pub(crate) left_out: Option<LeftOutBy>,
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

/// A command that failed.
#[derive(Clone, Debug)]
pub(crate) struct FailedCommand {
    /// All of the command, masked.
    pub(crate) command: String,
    pub(crate) exit: Exit,
    /// The end of what it wrote, masked.
    pub(crate) tail: String,
}
