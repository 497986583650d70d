//! What stands in the place of scripts where tinyci is built without them: commits with a script
//! are left for a tinyci that can judge them, and placeholders take plain names.

use std::sync::Arc;

use super::{
    builder::Options,
    handle::Shared,
    step::{StepContext, StepEnd, StepHost},
};
use crate::{
    commit::Commit,
    config::parse_after_all,
    error::{Error, ErrorKind},
    interpolate::interpolate_template,
    outcome::Outcome,
    pipeline::{Format, Pipeline, StepName, Template},
    repo::Repo,
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

    pub(super) fn after_invalid(
        _shared: &Shared,
        repo: &Repo,
        commit: &Commit,
        error: &Error,
    ) -> Option<(Pipeline, Self)> {
        let is_invalid = error.kind() == ErrorKind::Config;
        let config = is_invalid.then(|| repo.config(commit.id).ok().flatten()).flatten()?;
        let pipeline = match config.format {
            Format::Yaml => parse_after_all(&config.bytes, config.name)?,
            Format::Rhai => return None,
        };
        Some((pipeline, Self))
    }

    pub(super) fn of(_shared: &Shared, _pipeline: &Pipeline) -> Result<Self, Error> {
        Ok(Self)
    }

    pub(super) fn secrets(&self) -> &[String] {
        &[]
    }

    pub(super) fn run(&self, _: StepName, _: StepContext, _: Arc<StepHost>) -> StepEnd {
        StepEnd::error(Outcome::NoVerdict, unsupported())
    }

    pub(super) fn interpolate(
        &self,
        template: &Template,
        config: &str,
        context: &StepContext,
        _: Arc<StepHost>,
    ) -> Result<String, Error> {
        interpolate_template(template, &context.vars, config)
    }
}

fn unsupported() -> Error {
    let message = "`.tinyci.rhai` needs scripts, and this program was built without them (the \
                   feature `rhai` of the crate tinyci)";
    Error::new(ErrorKind::Unsupported, message)
}
