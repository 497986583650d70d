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
//! The root of the crate has what a first program uses. Each public module has one subject, such as
//! [`deploy`] or [`executor`].
//!
//! The [`guide`] explains everything. This table shows where the code of each step is:
//!
//! | step | takes → gives | where |
//! |---|---|---|
//! | scan | [`Selection`] → pending commits, oldest first | `repo` |
//! | plan | those → [`Plan`](plan::Plan) of [`Job`](plan::Job)s, each with its trigger | `rules` |
//! | load | the commit's config → [`Pipeline`] | `repo`, `config` |
//! | export | its tree → export directory | `export` |
//! | run | [`StepSequence::step`](pipeline::StepSequence::step) → commands through an [`Executor`](executor::Executor) → [`StepRecord`](record::StepRecord) → [`StepSequence::finish`](pipeline::StepSequence::finish) | `rules`, `engine` |
//! | record | [`Record`] → a line of JSON, then the one-word verdict | `wire`, `repo` |
//! | report | records → [`Summary`] | `engine` |
//!
//! Then the run scans again until nothing is pending. Your program receives [`Event`]s. It controls
//! the run with a [`CancelToken`] and with the answers of its callbacks.

#![cfg_attr(
    not(feature = "rhai"),
    allow(dead_code, unused_imports, reason = "only scripts use some of it")
)]
#![deny(unsafe_code)]

#[cfg(not(unix))]
compile_error!("tinyci runs on Unix only: it needs process groups and file locks");

pub mod builds;
#[cfg(feature = "capi")]
#[allow(unsafe_code, reason = "C gives pointers")]
mod capi;
mod config;
mod engine;
mod export;
pub mod guide;
pub mod install;
mod model;
mod process;
mod public;
mod repo;
mod rules;
#[cfg(feature = "rhai")]
pub mod script;
#[cfg(not(feature = "rhai"))]
#[path = "script_stub/mod.rs"]
pub mod script;
mod trace;
mod util;
mod wire;
mod workspace;

pub use crate::{
    engine::{Engine, EngineBuilder, RecordFilter},
    model::{
        cancel::CancelToken,
        commit::{Commit, CommitId},
        error::{Error, ErrorKind},
        event::{Event, EventKind},
        function::Value,
        outcome::{Outcome, Verdict},
        pipeline::{Format, Hook, Pipeline},
        record::{Record, Summary},
        selection::Selection,
    },
    process::adopt_orphans,
    public::{
        artifact, callback, check, commit, deploy, error, event, executor, format, intervention,
        pipeline, plan, record, selection, settings, status,
    },
    repo::tune_process,
    rules::interpolate::{Vars, interpolate},
};

/// The version of this library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod testing;
