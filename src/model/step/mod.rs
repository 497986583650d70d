//! One step of a pipeline as data, and the seams around it.
//!
//! | file | holds |
//! |---|---|
//! | `command` | a command as a step asks for it, and how it ended |
//! | `dry_clock` | the clock of what is not done |
//! | `facts` | what a step knows of its commit and of the steps before it |
//! | `result` | what a step came to |
//! | `seams` | what a body may ask for ([`Host`]), and what acts outside ([`Effects`] and its like) |
//!
//! The engine's `step/host.rs` is the one [`Host`]. Real runs, dry runs and pipeline tests differ
//! in what stands behind it, and in nothing else.

mod command;
mod dry_clock;
mod facts;
mod result;
mod seams;

pub(crate) use self::{
    command::{
        CommandEnd, OutputUse, Shown, StepCommand, in_one_line, shown_program, whole_program,
    },
    dry_clock::DryClock,
    facts::{Facts, FailureFacts, Progress},
    result::{Failed, FailedCommand, StepResult, command_failure},
    seams::{
        ApprovalAnswer, ChangedPath, Changes, Denied, DryStage, Effects, HookAnswer, Host, Lookups,
        Reporter, RequestLimits, TreeEntry,
    },
};
