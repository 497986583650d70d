//! Continuous integration as a library: no daemon, state inside the git repository.
//!
//! ```
//! use tinyci::{CancelToken, Engine, Event, Outcome, Selection};
//! # use std::process::Command;
//! # fn git(dir: &std::path::Path, args: &[&str]) {
//! #     let config = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
//! #     let done = Command::new("git").args(config).args(args).current_dir(dir).status();
//! #     assert!(done.is_ok_and(|status| status.success()), "git {args:?}");
//! # }
//! # let dir = tempfile::tempdir()?;
//! # git(dir.path(), &["init", "-q"]);
//! # std::fs::write(dir.path().join(".tinyci.yml"), "build: 'true'\ntest: echo all good\n")?;
//! # git(dir.path(), &["add", "."]);
//! # git(dir.path(), &["commit", "-q", "-m", "first"]);
//! # let repository = dir.path();
//!
//! let engine = Engine::open(repository)?;
//! let summary = engine.run(&Selection::pending(), &CancelToken::new(), &mut |event: &Event| {
//!     event.log_lines().iter().for_each(|line| println!("{line}"));
//! })?;
//! assert_eq!(summary.records[0].outcome, Outcome::Success);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`guide`] tells the whole story; here is where each step of a commit's path lives.
//!
//! | step | takes → gives | room |
//! |---|---|---|
//! | scan | [`Selection`] → commits due, oldest first | `repo` |
//! | plan | those → [`Plan`] of [`Job`]s, each with its reason | `plan` |
//! | load | the commit's config → [`Pipeline`] | `repo`, `config` |
//! | export | its tree → build folder | `export` |
//! | run | [`Run::step`] → commands through an [`Executor`] → [`StepRecord`] → [`Run::finish`] | `run`, `engine` |
//! | record | [`Record`] → a line of JSON, then the one-word verdict | `wire`, `repo` |
//! | report | records → [`Summary`] | `engine` |
//!
//! Then it scans again until nothing is due. [`Event`]s go out; a [`CancelToken`] and the answers
//! of hooks come in.

#[cfg(not(unix))]
compile_error!("tinyci runs on Unix only: it needs process groups and file locks");

mod answer;
mod approval_rules;
mod artifact;
mod artifact_writer;
mod blob_id;
mod bytes;
mod cancel;
#[cfg(feature = "capi")]
mod capi;
mod check_report;
mod clock;
mod commit;
mod compact;
mod config;
mod deployment;
mod duration;
mod engine;
mod environment;
mod error;
mod event;
mod executor;
mod export;
mod failure;
mod forecast;
mod function;
mod glob;
pub mod guide;
mod hex;
mod install;
mod interpolate;
mod intervention;
mod job;
mod ledger;
mod local_executor;
mod mask;
mod not_removed;
mod outcome;
mod pipeline;
mod plan;
mod process;
mod prune;
mod record;
mod record_size;
mod repo;
mod request_context;
mod retention;
mod retest;
mod run;
#[cfg(feature = "rhai")]
mod script;
mod secret_dir;
mod selection;
mod setting;
mod sharing;
mod shell_text;
mod signatures;
mod status;
mod step;
mod suggestion;
#[cfg(feature = "rhai")]
mod test_report;
mod version_order;
mod wire;
mod workspace;

#[cfg(feature = "rhai")]
pub use crate::test_report::{
    Coverage, FileCoverage, MissedLines, TestOptions, TestReport, TestResult, TestSource,
};
pub use crate::{
    answer::HookError,
    artifact::{
        Artifact, ArtifactList, ArtifactOptions, ArtifactPlace, ArtifactReader, ArtifactTotal,
    },
    artifact_writer::ArtifactWriter,
    bytes::{parse_bytes, show_bytes},
    cancel::{CancelToken, CancelView},
    check_report::{CheckReport, Problem, Severity},
    clock::log_prefix,
    commit::{Commit, CommitId, Text, TreeId},
    compact::{CompactOptions, Compacted, Compaction},
    deployment::{
        Approval, ApprovalProof, ApprovalState, BuildState, DeployOutcome, DeployPlan,
        DeployRequest, Deployment, Deploys,
    },
    duration::parse_duration,
    engine::{
        ApprovalCall, DefinitionsFormat, Engine, EngineBuilder, Export, Filter, HookCall,
        LogOptions, StepOptions,
    },
    error::{Error, ErrorKind, Position},
    event::{Event, Flow, Meta, Observer},
    executor::{Command, Executor, Output, OutputMode, Program, Stream},
    forecast::{Act, Assumption, Forecast, StepForecast},
    function::{Effect, FunctionCall, Value},
    install::{InstallOptions, Installed, RemoteSetup},
    interpolate::{Vars, interpolate},
    intervention::{
        CancelRequest, CanceledJob, Cancellation, Intervention, InterventionKind, SkipRequest,
    },
    job::{Job, Plan, Reason},
    local_executor::LocalExecutor,
    not_removed::NotRemoved,
    outcome::{Exit, Outcome, Verdict},
    pipeline::{
        Body, DeployRules, Format, Hook, Phase, Pipeline, Step, StepName, Template, Warning, When,
    },
    prune::{Pinned, PruneOptions, Pruned, Pruning},
    record::{CommandRecord, LeftOut, LeftOutBy, Record, StepFailure, StepRecord, Summary},
    repo::{Forgotten, MergedResults, tune_process},
    request_context::RequestContext,
    retention::PruneReason,
    run::Run,
    selection::{Selection, Target, Update, Wait},
    setting::Setting,
    status::{BranchStatus, EnvironmentStatus, JudgedCommit, RunningCommit, RunningRun, Status},
};

/// The version of this library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
#[path = "../tests/it/support.rs"]
mod testing;
