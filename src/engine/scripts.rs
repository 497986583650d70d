//! Scripts in the engine: loaded from a commit, run phase by phase, remembered in its record.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    builder::Options,
    desk::Desk,
    handle::Shared,
    pump::Sender,
    secrets::Secrets,
    steps::{FunctionEnd, Steps, fail},
    voice::Voice,
};
use crate::{
    cancel::CancelView,
    commit::{Commit, CommitId},
    error::{Error, ErrorKind},
    executor::Stream,
    function::HostFunction,
    interpolate::Vars,
    job::Reason,
    outcome::{Exit, Outcome},
    pipeline::{Format, Phase, Pipeline, ScriptText, Step, StepName, Template},
    record::{Record, StepRecord},
    repo::{CommitFile, Repo},
    request_context::RequestContext,
    script::{
        self, Approval, Changes, Facts, FailureFacts, Host, PhaseCall, PhaseEnd, Script, Tree,
        TreeFile,
    },
    script_runner::{Lookups, Memory, Ran, Sink, StepHost},
    workspace::Build,
};

/// One attempt's script, if its config is one, and what its phases share.
pub(super) struct Scripts {
    script: Option<Script>,
    functions: Vec<HostFunction>,
    memory: Arc<Memory>,
    progress: Mutex<Progress>,
}

/// What became of the phases so far, as `ctx` tells it.
#[derive(Clone, Default)]
struct Progress {
    build: Option<Outcome>,
    test: Option<Outcome>,
    failure: Option<FailureFacts>,
}

impl Scripts {
    /// Whether scripts can be run at all in this program, with the functions that it lends.
    pub(super) fn check_host(options: &Options) -> Result<(), Error> {
        script::probe()?;
        script::refuse_clashes(&options.functions)
    }

    /// The commit's pipeline, and its script if it has one.
    pub(super) fn load(
        shared: &Shared,
        repo: &Repo,
        commit: &Commit,
    ) -> Result<(Pipeline, Self), Error> {
        let config = repo.needed_config(commit.id)?;
        let functions = &shared.options.functions;
        let (pipeline, script) = match config.format {
            Format::Rhai => {
                let tree = CommitTree { repo, id: commit.id };
                let script = Script::load(&config.bytes, config.name, &tree, functions)?;
                (script.pipeline(), Some(script))
            }
            format => (Pipeline::parse(&config.bytes, format, config.name)?, None),
        };
        Ok((pipeline, Self::new(script, functions)))
    }

    /// What a pipeline of the caller's own needs to be run.
    pub(super) fn of(shared: &Shared, pipeline: &Pipeline) -> Result<Self, Error> {
        let functions = &shared.options.functions;
        let load = |text: &Arc<ScriptText>| {
            Script::load(text.main.as_bytes(), &pipeline.name, &**text, functions)
        };
        Ok(Self::new(pipeline.script.as_ref().map(load).transpose()?, functions))
    }

    /// The same for a script.
    pub(super) fn new(script: Option<Script>, functions: &[HostFunction]) -> Self {
        let (memory, progress) = (Arc::default(), Mutex::default());
        Self { script, functions: functions.to_vec(), memory, progress }
    }

    /// The script, if the config is one.
    pub(super) fn script(&self) -> Option<&Script> {
        self.script.as_ref()
    }

    /// Begins with what an earlier run of the commit remembered and came to.
    pub(super) fn recall(&mut self, record: &Record) {
        self.memory = Arc::new(Memory::recalling(record.remembered.clone()));
        let outcome = |phase: Phase| record.step(phase).map(|step| step.outcome);
        let (build, test) = (outcome(Phase::Build), outcome(Phase::Test));
        self.progress = Mutex::new(Progress { build, test, failure: None });
    }

    /// Runs the function of a step.
    pub(super) fn run(
        &self,
        steps: &Steps<'_>,
        step: &Step,
        cancel: &CancelView,
        record: &mut StepRecord,
        voice: &mut Voice,
    ) -> FunctionEnd {
        let Some(script) = &self.script else {
            return FunctionEnd { unsupported: false, waits: false };
        };
        let host = Arc::new(self.host(steps, step.name, cancel, voice));
        let end = script::run(PhaseCall {
            script,
            phase: step.name.as_str(),
            facts: self.facts(steps, step.name),
            vars: steps.vars_of(step.name),
            host: host.clone(),
            deadline: steps.step_deadline(step),
            functions: &self.functions,
        });
        record.commands = host.ran.records();
        self.note(step.name, &end, &host.ran);
        let unsupported =
            end.error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Unsupported);
        let waits = end.waits;
        settle(record, end, steps);
        FunctionEnd { unsupported, waits }
    }

    /// Fills the tags of a text of a YAML config in.
    pub(super) fn interpolate(
        &self,
        steps: &Steps<'_>,
        template: &Template,
        vars: &Vars,
        step: StepName,
    ) -> Result<String, Error> {
        let cancel = steps.site.cancel.clone();
        // Nothing that a tag may call shows anything.
        let voice = Voice::new(steps.site.events, steps.site.logs, &steps.commit, &steps.run_id);
        let host: Arc<dyn Host> = Arc::new(self.host(steps, step, &cancel, &voice));
        let name = &steps.pipeline.name;
        let facts = self.facts(steps, step);
        script::interpolate_template(template, vars, name, &facts, &host, &self.functions)
    }

    /// Keeps what the script remembered, and does what it put off to the end.
    pub(super) fn finish(&self, build: &Build, record: &mut Record, voice: &mut Voice) {
        record.remembered = self.memory.remembered();
        record.artifacts = self.memory.artifacts();
        self.discard(build, voice);
    }

    /// Removes the export, if the script wants it gone.
    pub(super) fn discard(&self, build: &Build, voice: &mut Voice) {
        if self.memory.discards_export()
            && let Err(error) = build.clean()
        {
            voice.warn(format!("the export could not be removed: {}", error.report()));
        }
    }

    fn host(
        &self,
        steps: &Steps<'_>,
        step: StepName,
        cancel: &CancelView,
        voice: &Voice,
    ) -> StepHost {
        let shared = steps.site.shared;
        let mut lookups = RepoLookups::new(shared, &steps.commit, Some(steps.site.events));
        lookups.desk = steps.desk.cloned();
        StepHost {
            executor: steps.site.executor.clone(),
            context: steps.context(step, None, cancel),
            sink: Arc::new(VoiceSink(Mutex::new(voice.clone()))),
            lookups: Arc::new(lookups),
            memory: self.memory.clone(),
            masks: steps.masks.clone(),
            env: steps.env(step),
            nice: shared.settings.nice,
            artifacts_dir: steps.build.dir().join("artifacts"),
            command_timeout: shared.settings.command_timeout,
            ran: Ran::default(),
        }
    }

    /// What `ctx` knows in a step.
    fn facts(&self, steps: &Steps<'_>, step: StepName) -> Facts {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let word = |outcome: Option<Outcome>| outcome.map(|outcome| outcome.name().to_owned());
        Facts {
            build: word(progress.build),
            test: word(progress.test),
            failure: progress.failure,
            ..facts_of(&steps.commit, &steps.facts(step), steps.tags.clone(), steps.trigger)
        }
    }

    /// Notes what became of a step, for the hooks after it.
    fn note(&self, name: StepName, end: &PhaseEnd, ran: &Ran) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match name {
            StepName::Phase(Phase::Build) => progress.build = Some(end.outcome),
            StepName::Phase(Phase::Test) => progress.test = Some(end.outcome),
            StepName::Phase(Phase::Deploy) | StepName::Hook(_) => {}
        }
        if !matches!(end.outcome, Outcome::Failure | Outcome::TimedOut) {
            return;
        }
        let (command, code, tail) = match ran.failed() {
            Some((record, tail)) => {
                let code = match record.exit {
                    Some(Exit::Code(code)) => Some(i64::from(code)),
                    _ => None,
                };
                (record.command, code, tail)
            }
            None => {
                let why = end.error.as_ref().map(|error| error.message().to_owned());
                (why.unwrap_or_default(), None, String::new())
            }
        };
        progress.failure = Some(FailureFacts { command, code, at: name.to_string(), tail });
    }
}

/// What `ctx` knows of a commit before any phase has run. `known` are the facts that tags have.
pub(super) fn facts_of(
    commit: &Commit,
    known: &[(&'static str, String)],
    tags: Vec<String>,
    trigger: &str,
) -> Facts {
    let known = |name: &str| {
        let found = known.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.clone())
    };
    let text = |name: &str| known(name).unwrap_or_default();
    Facts {
        sha: text("commit"),
        short: text("short"),
        tree: text("tree"),
        branch: known("branch"),
        tags,
        subject: text("subject"),
        message: text("message"),
        author: text("author"),
        time: commit.time,
        parents: commit.parents.iter().map(CommitId::to_string).collect(),
        export_dir: text("export"),
        target: text("target"),
        repo: text("repo"),
        run: text("run"),
        phase: text("phase"),
        environment: known("environment"),
        trigger: trigger.to_owned(),
        build: None,
        test: None,
        failure: None,
        host_name: super::job::host_name(),
    }
}

/// What became of a phase, on record.
fn settle(record: &mut StepRecord, end: PhaseEnd, steps: &Steps<'_>) {
    match (end.error, end.reason) {
        (Some(error), _) => {
            fail(record, &error, end.outcome);
            record.error = record.error.take().map(|text| steps.masks.apply(&text));
        }
        (None, Some(reason)) => {
            let how = if end.waits { "waits for an approval" } else { "skipped" };
            record.outcome = end.outcome;
            record.error = Some(format!("{how}: {}", steps.masks.apply(&reason)));
        }
        (None, None) => record.outcome = end.outcome,
    }
}

/// Why a commit runs, as scripts are told.
pub(super) fn trigger(reason: Reason) -> &'static str {
    match reason {
        Reason::Pending => "pending",
        Reason::Interrupted => "interrupted",
        Reason::Named => "named",
        Reason::Retry => "retry",
    }
}

/// The files that a script was parsed with.
impl Tree for ScriptText {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        let file = self.modules.get(path).map(|text| TreeFile::File(text.as_bytes().to_vec()));
        Ok(file.unwrap_or(TreeFile::Absent))
    }
}

/// The files of a commit, for its script's imports.
pub(super) struct CommitTree<'a> {
    pub(super) repo: &'a Repo,
    pub(super) id: CommitId,
}

impl Tree for CommitTree<'_> {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        Ok(match self.repo.commit_file(self.id, path)? {
            CommitFile::File(bytes) => TreeFile::File(bytes),
            CommitFile::Link => TreeFile::Link,
            CommitFile::Absent => TreeFile::Absent,
        })
    }
}

/// Looks things up in the repository, on whichever thread a branch of the script runs.
pub(super) struct RepoLookups {
    root: PathBuf,
    commit: Commit,
    secrets: Secrets,
    /// In a deployment, where it asks for approvals.
    desk: Option<Desk>,
}

impl RepoLookups {
    pub(super) fn new(shared: &Shared, commit: &Commit, events: Option<&Sender>) -> Self {
        let secrets = shared.secrets(commit, events);
        Self { root: shared.root.clone(), commit: commit.clone(), secrets, desk: None }
    }
}

impl Lookups for RepoLookups {
    fn changes(&self) -> Result<Changes, Error> {
        let repo = Repo::open(&self.root)?;
        let base = repo.green_ancestor(self.commit.id)?;
        let paths = repo.changed_paths(base, self.commit.id)?;
        Ok(Changes { base: base.map(|base| base.to_string()), paths })
    }

    fn previous(&self) -> Result<Option<String>, Error> {
        let Some(parent) = self.commit.parents.first() else { return Ok(None) };
        let note = Repo::open(&self.root)?.verdict(*parent)?;
        Ok(note.and_then(|note| note.verdict).map(|verdict| verdict.word().to_owned()))
    }

    fn secret(&self, name: &str, context: &RequestContext) -> Result<Vec<u8>, Error> {
        self.secrets.value(name, context)
    }

    fn approval(&self, question: &str, context: &RequestContext) -> Result<Approval, Error> {
        let Some(desk) = &self.desk else {
            let message = "only a deployment can ask for an approval";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let given = desk.ask(Some(question), context)?;
        Ok(if given { Approval::Given } else { Approval::Awaited })
    }
}

/// What a script shows goes where everything of its commit goes.
struct VoiceSink(Mutex<Voice>);

impl Sink for VoiceSink {
    fn output(&self, label: Option<&str>, stream: Stream, bytes: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).output_of(label, stream, bytes);
    }

    fn settle(&self, context: &RequestContext) -> Result<(), Outcome> {
        // The other branches of the script go on talking meanwhile.
        let voice = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        voice.settle(context)
    }

    fn warn(&self, message: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).warn(message);
    }
}
