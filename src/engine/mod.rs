//! The engine: drives a commit's path and tells what happens on it.
//!
//! | file | holds |
//! |---|---|
//! | `builder` | what a host sets before it opens an engine |
//! | `handle` | [`Engine`] itself: every public call, each a few lines |
//! | `host` | what hosts answer: hooks |
//! | `pump` | events from the workers to the observer, in order |
//! | `due` | what a caller asked for, and what of it is due |
//! | `drive` | passes: look, plan, hand out jobs, until nothing is due |
//! | `workers` | the threads that take the jobs of one plan |
//! | `queue` | one run at a time: the lock, the wake, the hand-over, following another run |
//! | `job` | one commit: export, steps, record, word |
//! | `steps` | one step: the host's hook, then the commands |
//! | `voice` | what happens to one commit, told to its log and the observer |
//! | `reports` | records asked for by range, outcome and number |
//!
//! Absent: git2, child processes and the layout of build folders. They have rooms of their own.

mod builder;
mod drive;
mod due;
mod handle;
mod host;
mod job;
mod pump;
mod queue;
mod reports;
mod steps;
mod voice;
mod workers;

pub use self::{
    builder::EngineBuilder,
    handle::{Engine, Export, LogOptions},
    host::{HookCall, HookError},
    reports::Filter,
};
