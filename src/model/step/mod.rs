//! One step of a pipeline as data, and the traits around it.
//!
//! | file | holds |
//! |---|---|
//! | `command` | a command that a step wants to run, and its result |
//! | `dry_clock` | the simulated clock of dry runs |
//! | `facts` | the data about the commit and the earlier steps that a step can use |
//! | `result` | the result of a step |
//! | `seams` | [`Host`], the interface of a step's body, and the traits for effects ([`Effects`] and others) |
//!
//! The only [`Host`] is `step/host.rs` of the engine. Runs, dry runs and pipeline tests differ only
//! in the traits that it uses.

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
