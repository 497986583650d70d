//! The engine: drives a commit's path and tells what happens on it.
//!
//! | file | holds |
//! |---|---|
//! | `active_jobs` | the jobs that a run has in progress, and what ends them from elsewhere |
//! | `approvals` | which approvals of a deployment count here, and why others do not |
//! | `artifacts` | what jobs kept: listed, read, and bounded on record |
//! | `builder` | what a host sets before it opens an engine |
//! | `check` | what is wrong with a config, found without running it |
//! | `definitions` | the reference of what scripts can use |
//! | `deploy` | deployments, a folder of its own |
//! | `desk` | what a deployment asks: whether somebody approved |
//! | `git_version` | which git this machine has |
//! | `handle` | [`Engine`] itself: every public call, each a few lines |
//! | `host` | what hosts answer: hooks |
//! | `parser` | pipelines from texts that stand in no commit |
//! | `process_env` | the environment of the process that makes a call, read once on its thread |
//! | `pump` | events from the workers to the observer, in order |
//! | `due` | what a caller asked for, and what of it is due |
//! | `drive` | passes: look, plan, hand out jobs, until nothing is due |
//! | `workers` | the threads that take the jobs of one plan |
//! | `dry_run` | a run of one commit in which nothing is done |
//! | `queue` | one run at a time: the lock, the wake, the hand-over, following another run |
//! | `interventions` | what people decide from outside of a run: cancel, skip |
//! | `job` | one commit: export, steps, record, word |
//! | `live` | what environments run of a commit, and where a job works beside it |
//! | `step` | the steps of a job, a folder of its own: what each sees, may do and comes to |
//! | `suites` | the tests of a pipeline, of a commit or a folder |
//! | `voice` | what happens to one commit, told to its log and the observer |
//! | `status` | how the repository stands, at one look |
//! | `run_step` | steps of one commit by hand, of which nothing is recorded |
//! | `retention` | old builds packed and removed |
//! | `kept` | which builds are neither packed nor removed |
//! | `reports` | records asked for by range, outcome and number |
//!
//! Absent: git2, child processes and the layout of build folders. They have rooms of their own.

mod active_jobs;
mod approvals;
mod artifacts;
mod builder;
mod check;
mod check_warnings;
mod definitions;
mod deploy;
mod desk;
mod drive;
mod dry_run;
mod due;
mod git_version;
mod handle;
mod host;
mod interventions;
mod job;
mod kept;
mod live;
mod parser;
mod process_env;
mod pump;
mod queue;
mod reports;
mod retention;
mod retest;
mod run_step;
#[cfg(feature = "rhai")]
mod scripts;
#[cfg(not(feature = "rhai"))]
#[path = "no_scripts.rs"]
mod scripts;
mod secrets;
mod status;
mod step;
#[cfg(feature = "rhai")]
mod suites;
mod voice;
mod workers;

pub use self::{
    builder::EngineBuilder,
    definitions::DefinitionsFormat,
    desk::ApprovalCall,
    handle::{Engine, Export, LogOptions},
    host::HookCall,
    reports::Filter,
    run_step::StepOptions,
};
