//! Scripts in the engine: loads them from a commit, and runs them step by step.

use std::sync::Arc;

use super::{StepContext, StepEnd, StepHost};
use crate::{
    config::parse_after_all,
    engine::context::{registrations::Registrations, shared::Shared},
    model::{
        commit::{Commit, CommitId},
        error::{Error, ErrorKind},
        function::HostFunction,
        outcome::Outcome,
        pipeline::{Format, Pipeline, ScriptText, StepName, Template},
        script::{ScriptEnd, Tree, TreeFile},
        step::Host,
    },
    repo::Repo,
    script::{self, Script, StepCall},
};

/// A pipeline that is ready to run.
pub(in crate::engine) struct LoadedPipeline {
    pub(in crate::engine) pipeline: Pipeline,
    pub(in crate::engine) scripts: Scripts,
}

/// The script of a config in Rhai, and the host functions that it can call.
pub(in crate::engine) struct Scripts {
    script: Option<Script>,
    functions: Vec<HostFunction>,
}

impl LoadedPipeline {
    /// Loads the pipeline of a commit, and its script if it has one.
    pub(in crate::engine) fn load(
        shared: &Shared,
        repo: &Repo,
        commit: &Commit,
    ) -> Result<Self, Error> {
        let config = repo.needed_config(commit.id)?;
        let functions = &shared.options.registrations.functions;
        let (pipeline, script) = match config.format {
            Format::Rhai => {
                let tree = CommitTree { repo, id: commit.id };
                let script =
                    shared.last_script.load(&config.bytes, config.name, &tree, functions)?;
                (script.pipeline(), Some(script))
            }
            format => (Pipeline::parse(&config.bytes, format, config.name)?, None),
        };
        Ok(Self { pipeline, scripts: Scripts::new(script, functions) })
    }

    /// Loads only `after_all` of an invalid config, for cleanup.
    pub(in crate::engine) fn after_invalid(
        shared: &Shared,
        repo: &Repo,
        commit: &Commit,
        error: &Error,
    ) -> Option<Self> {
        let is_invalid = error.kind() == ErrorKind::Config;
        let config = is_invalid.then(|| repo.config(commit.id).ok().flatten()).flatten()?;
        let pipeline = match config.format {
            Format::Yaml => parse_after_all(&config.bytes, config.name)?,
            Format::Rhai => return None,
        };
        Some(Self {
            pipeline,
            scripts: Scripts::new(None, &shared.options.registrations.functions),
        })
    }

    /// Loads a pipeline that the caller passed in place of a commit's config.
    pub(in crate::engine) fn of(shared: &Shared, pipeline: &Pipeline) -> Result<Self, Error> {
        let functions = &shared.options.registrations.functions;
        let load = |text: &Arc<ScriptText>| {
            Script::load(text.main.as_bytes(), &pipeline.name, &**text, functions)
        };
        let script = pipeline.script.as_ref().map(load).transpose()?;
        Ok(Self { pipeline: pipeline.clone(), scripts: Scripts::new(script, functions) })
    }
}

impl Scripts {
    /// Checks that this program can run scripts, and that its functions do not clash with built-in
    /// names.
    pub(in crate::engine) fn check_host(registered: &Registrations) -> Result<(), Error> {
        script::probe()?;
        script::refuse_clashes(&registered.functions)
    }

    /// A script, if there is one, and the functions of the embedding program.
    pub(in crate::engine) fn new(script: Option<Script>, functions: &[HostFunction]) -> Self {
        Self { script, functions: functions.to_vec() }
    }

    /// Returns the secrets that a script names. A YAML config names them at its steps instead.
    pub(in crate::engine) fn secrets(&self) -> &[String] {
        self.script.as_ref().map_or(&[], |script| script.secrets())
    }

    /// Runs the function of a step.
    pub(in crate::engine) fn run(
        &self,
        step: StepName,
        context: StepContext,
        host: Arc<StepHost>,
    ) -> StepEnd {
        let Some(script) = &self.script else { return StepEnd::of(Outcome::Success) };
        let end = script::run(StepCall {
            script,
            step: step.as_str(),
            facts: context.facts,
            vars: context.vars,
            host,
            deadline: context.deadline,
            functions: &self.functions,
        });
        let ScriptEnd { outcome, error, reason, awaits_approval, left_out, failures } = end;
        StepEnd { error, reason, awaits_approval, left_out, failures, ..StepEnd::of(outcome) }
    }

    /// Replaces the placeholders in a text of a YAML config.
    pub(in crate::engine) fn interpolate(
        &self,
        template: &Template,
        config: &str,
        context: &StepContext,
        host: Arc<StepHost>,
    ) -> Result<String, Error> {
        let (vars, facts) = (&context.vars, &context.facts);
        let host: Arc<dyn Host> = host;
        script::interpolate_template(template, vars, config, facts, &host, &self.functions)
    }
}

/// The files that the script was parsed from.
impl Tree for ScriptText {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        let file = self.modules.get(path).map(|text| TreeFile::File(text.as_bytes().to_vec()));
        Ok(file.unwrap_or(TreeFile::Absent))
    }
}

/// The files of a commit, for imports of its script.
pub(in crate::engine) struct CommitTree<'a> {
    pub(in crate::engine) repo: &'a Repo,
    pub(in crate::engine) id: CommitId,
}

impl Tree for CommitTree<'_> {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        self.repo.commit_file(self.id, path)
    }
}
