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
//! | step | takes → gives | where |
//! |---|---|---|
//! | scan | [`Selection`] → commits due, oldest first | `repo` |
//! | plan | those → [`Plan`] of [`Job`]s, each with its reason | `rules` |
//! | load | the commit's config → [`Pipeline`] | `repo`, `config` |
//! | export | its tree → build folder | `export` |
//! | run | [`Run::step`] → commands through an [`Executor`] → [`StepRecord`] → [`Run::finish`] | `rules`, `engine` |
//! | record | [`Record`] → a line of JSON, then the one-word verdict | `wire`, `repo` |
//! | report | records → [`Summary`] | `engine` |
//!
//! Then it scans again until nothing is due. [`Event`]s go out; a [`CancelToken`] and the answers
//! of hooks come in.

#[cfg(not(unix))]
compile_error!("tinyci runs on Unix only: it needs process groups and file locks");

mod builds;
#[cfg(feature = "capi")]
mod capi;
mod config;
mod engine;
mod export;
pub mod guide;
mod install;
mod model;
mod process;
mod repo;
mod rules;
#[cfg(feature = "rhai")]
mod script;
mod util;
mod wire;
mod workspace;

#[cfg(feature = "rhai")]
pub use crate::model::test_report::{
    Coverage, FileCoverage, TestOptions, TestReport, TestResult, TestSource, UncoveredLines,
};
pub use crate::{
    builds::{
        compact::{CompactOptions, CompactReport, CompactedBuild},
        prune::{ProtectedBuild, PruneOptions, PruneReport, PrunedBuild},
    },
    engine::{
        ApprovalCall, DefinitionsFormat, Engine, EngineBuilder, Export, HookCall, LogOptions,
        RecordFilter, StepOptions,
    },
    install::{InstallOptions, InstallReport, RemoteSetup},
    model::{
        answer::HookError,
        artifact::{
            Artifact, ArtifactList, ArtifactOptions, ArtifactPlace, ArtifactReader, ArtifactTotal,
        },
        cancel::{CancelToken, CancelView},
        check_report::{CheckReport, Problem, Severity},
        commit::{Commit, CommitId, GitString, TreeId},
        deployment::{
            Approval, ApprovalProof, ApprovalState, BuildState, DeployOutcome, DeployPlan,
            DeployRequest, Deployment, DeploymentList,
        },
        dry_run::{Action, Assumption, DryRun, StepDryRun},
        error::{Error, ErrorKind, Position},
        event::{Event, EventKind, EventMeta, IntoControlFlow, Observer},
        executor::{Command, Executor, Output, OutputMode, Program, Stream},
        function::{Effect, FunctionCall, Value},
        intervention::{
            CancelRequest, CanceledJob, Cancellation, Intervention, InterventionKind, SkipRequest,
        },
        job::{Job, Plan, Trigger},
        not_removed::NotRemoved,
        outcome::{Exit, Outcome, Verdict},
        pipeline::{
            Body, DeployRules, Format, Hook, Phase, Pipeline, Step, StepName, Template, Warning,
            When,
        },
        record::{CommandRecord, LeftOut, LeftOutBy, Record, StepFailure, StepRecord, Summary},
        request_context::RequestContext,
        selection::{RefUpdate, Selection, Selector, Wait},
        setting::Setting,
        status::{
            ActiveRun, BranchStatus, EnvironmentStatus, LatestVerdict, RunningCommit, Status,
        },
    },
    process::local_executor::LocalExecutor,
    repo::{ForgetReport, MergeReport, tune_process},
    rules::{
        interpolate::{Vars, interpolate},
        retention::PruneReason,
        run::StepSequence,
    },
    util::{
        bytes::{format_bytes, parse_bytes},
        clock::log_prefix,
        duration::parse_duration,
    },
    workspace::artifact_writer::ArtifactWriter,
};

/// The version of this library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod testing;
