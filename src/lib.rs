//! tinyci

mod cancel;
mod commit;
mod compact;
mod config;
mod engine;
mod error;
mod event;
mod executor;
mod export;
mod install;
mod interpolate;
mod local_executor;
mod outcome;
mod pipeline;
mod plan;
mod process;
mod record;
mod repo;
mod retention;
mod run;
mod selection;
mod wire;
mod workspace;

pub use crate::{
    cancel::{CancelToken, CancelView},
    commit::{Commit, CommitId, Text, TreeId},
    error::{Error, ErrorKind, Position},
    event::{Event, Flow, Meta, Observer},
    executor::{Command, Executor, Output, OutputMode, Program, Stream},
    outcome::{Exit, Outcome, Verdict},
    pipeline::{Format, Hook, Phase, Pipeline, Step, StepName, Template, Warning},
    plan::{Job, Plan, Reason},
    record::{CommandRecord, Record, StepRecord, Summary},
    run::Run,
    selection::{Selection, Target, Update, Wait},
};

#[cfg(test)]
#[path = "../tests/it/support.rs"]
mod testing;
