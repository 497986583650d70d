//! What stands in the place of scripts where tinyci is built without them: commits with a script
//! are left for a tinyci that can judge them, and tags take plain names.

use super::{
    builder::Options,
    handle::Shared,
    steps::{FunctionEnd, Steps, fail},
    voice::Voice,
};
use crate::{
    cancel::CancelView,
    commit::Commit,
    error::{Error, ErrorKind},
    interpolate::{Vars, interpolate_template},
    job::Reason,
    outcome::Outcome,
    pipeline::{Format, Pipeline, Step, StepName, Template},
    record::{Record, StepRecord},
    repo::Repo,
    workspace::Build,
};

/// No script.
pub(super) struct Scripts;

impl Scripts {
    pub(super) fn check_host(_options: &Options) -> Result<(), Error> {
        Ok(())
    }

    pub(super) fn load(
        _shared: &Shared,
        repo: &Repo,
        commit: &Commit,
    ) -> Result<(Pipeline, Self), Error> {
        let config = repo.needed_config(commit.id)?;
        if config.format == Format::Rhai {
            return Err(unsupported());
        }
        Ok((Pipeline::parse(&config.bytes, config.format, config.name)?, Self))
    }

    pub(super) fn of(_shared: &Shared, _pipeline: &Pipeline) -> Result<Self, Error> {
        Ok(Self)
    }

    pub(super) fn run(
        &self,
        _steps: &Steps<'_>,
        _step: &Step,
        _cancel: &CancelView,
        record: &mut StepRecord,
        _voice: &mut Voice,
    ) -> FunctionEnd {
        fail(record, &unsupported(), Outcome::NoVerdict);
        FunctionEnd { unsupported: true, waits: false }
    }

    pub(super) fn interpolate(
        &self,
        steps: &Steps<'_>,
        template: &Template,
        vars: &Vars,
        _step: StepName,
    ) -> Result<String, Error> {
        interpolate_template(template, vars, &steps.pipeline.name)
    }

    pub(super) fn recall(&mut self, _record: &Record) {}

    pub(super) fn discard(&self, _build: &Build, _voice: &mut Voice) {}

    pub(super) fn finish(&self, _build: &Build, _record: &mut Record, _voice: &mut Voice) {}
}

/// Only scripts are told why a commit runs.
pub(super) fn trigger(_reason: Reason) -> &'static str {
    ""
}

fn unsupported() -> Error {
    let message = "`.tinyci.rhai` needs scripts, and this program was built without them (the \
                   feature `rhai` of the crate tinyci)";
    Error::new(ErrorKind::Unsupported, message)
}
