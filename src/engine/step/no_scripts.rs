//! What stands in the place of scripts where tinyci is built without them: commits with a script
//! are left for a tinyci that can judge them, and placeholders take plain names.

use std::sync::Arc;

use super::{StepContext, StepEnd, StepHost};
use crate::engine::context::{registrations::Registrations, shared::Shared};
use crate::{
    config::parse_after_all,
    model::{
        commit::Commit,
        error::{Error, ErrorKind},
        outcome::Outcome,
        pipeline::{Format, Pipeline, StepName, Template},
    },
    repo::Repo,
    rules::interpolate::interpolate_template,
};

/// No script.
pub(in crate::engine) struct Scripts;

impl Scripts {
    pub(in crate::engine) fn check_host(_: &Registrations) -> Result<(), Error> {
        Ok(())
    }

    pub(in crate::engine) fn load(
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

    pub(in crate::engine) fn after_invalid(
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

    pub(in crate::engine) fn of(_shared: &Shared, _pipeline: &Pipeline) -> Result<Self, Error> {
        Ok(Self)
    }

    pub(in crate::engine) fn secrets(&self) -> &[String] {
        &[]
    }

    pub(in crate::engine) fn run(&self, _: StepName, _: StepContext, _: Arc<StepHost>) -> StepEnd {
        StepEnd::error(Outcome::NoVerdict, unsupported())
    }

    pub(in crate::engine) fn interpolate(
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
