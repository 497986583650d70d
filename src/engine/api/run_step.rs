//! [`Engine::run_step`]: runs single steps of a commit, for debugging. Nothing is recorded.

use crate::{
    engine::{
        context::{
            engine_call::EngineCall, job_reporter::JobReporter, process_env::ProcessEnv,
            pump::Sender, shared::Shared,
        },
        run::{
            attempt::{JobContext, JobSource, StepInputs, host_name, low_disk_space, new_id},
            driver::prepare_builds,
            reports::record_of,
        },
        step::{JobLimits, Steps, scripts::LoadedPipeline},
    },
    export::{self, ExportOptions},
    model::{
        cancel::{CancelToken, CancelView},
        commit::Commit,
        error::{Error, ErrorKind},
        event::{EventKind, Observer},
        job::{Job, Trigger},
        outcome::Outcome,
        pipeline::{Phase, Pipeline, StepName},
        record::{Record, Summary},
    },
    process::Guard,
    repo::Repo,
    rules::retest::TestedRef,
    util::suggestion::did_you_mean_or_list,
    workspace::{Build, Scratch},
};
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::handle::Engine;

/// Options of [`Engine::run_step`].
///
/// ```
/// use tinyci::pipeline::StepOptions;
/// let options = StepOptions::new("HEAD").step("build").step("test");
/// # let _ = options;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepOptions {
    /// The revision of the commit.
    pub revision: String,
    /// The names of the steps in the order in which they run: phases and hooks, except `deploy`.
    pub steps: Vec<String>,
    /// True to keep the export for a day.
    pub keep: bool,
}

impl StepOptions {
    /// Creates options without steps for this commit.
    pub fn new(revision: impl Into<String>) -> Self {
        Self { revision: revision.into(), steps: Vec::new(), keep: false }
    }

    /// Adds a step after the earlier ones.
    #[must_use]
    pub fn step(mut self, name: impl Into<String>) -> Self {
        self.steps.push(name.into());
        self
    }

    /// Sets whether the export is kept for a day.
    #[must_use]
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }
}

impl Engine {
    /// Runs steps of a commit in an export of their own, until one fails. Each command is printed
    /// before it runs, as by `set -x`. Conditions are ignored. `recall` returns what the commit's
    /// last job remembered.
    ///
    /// Nothing is stored: no verdict, no record and no log. Files kept with `artifact` are removed
    /// with the export. It takes no lock that runs or deployments need. The summary contains one
    /// record with the results of the steps.
    ///
    /// ```no_run
    /// use tinyci::{CancelToken, Engine, Event, pipeline::StepOptions};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let options = StepOptions::new("main").step("build");
    /// let summary = engine.run_step(&options, &CancelToken::new(), &mut |_: &Event| {})?;
    /// println!("{}", summary.worst());
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision or a commit without a config;
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a step that the config does not have, and for
    /// `deploy`; [`Unsupported`](ErrorKind::Unsupported) if the builds directory belongs to
    /// another repository; [`Io`](ErrorKind::Io) if the export cannot be written.
    ///
    /// # Panics
    ///
    /// Panics if the observer panics; the steps are canceled first.
    pub fn run_step(
        &self,
        options: &StepOptions,
        cancel: &CancelToken,
        observer: &mut dyn Observer,
    ) -> Result<Summary, Error> {
        let env = self.shared.process_env();
        self.pumped(cancel, observer, |cancel, events| {
            run_step(EngineCall { shared: &self.shared, env: &env }, options, &cancel, &events)
        })
    }
}

fn run_step(
    EngineCall { shared, env }: EngineCall<'_>,
    options: &StepOptions,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Summary, Error> {
    let names = step_names(&options.steps)?;
    let repo = shared.writable_repo()?;
    let job = job_of(&repo, &options.revision)?;
    let (workspace, job_id) = (shared.workspace(), new_id());
    workspace.own_builds()?;
    let single_steps =
        SingleSteps { shared, env, repo: &repo, job: &job, names: &names, job_id: &job_id };
    let loaded = match LoadedPipeline::load(shared, &repo, &job.commit) {
        Ok(loaded) => loaded,
        Err(error) if is_config_error(&error) => return Ok(single_steps.invalid(&error, events)),
        Err(error) => return Err(error),
    };
    single_steps.refuse_missing(&loaded.pipeline)?;
    if let Some(reason) = low_disk_space(shared, &workspace) {
        return Err(Error::new(ErrorKind::Io, reason));
    }
    prepare_builds(shared, &workspace, &repo)?;
    let scratch = workspace.scratch(&job_id, &|| cancel.is_canceled())?;
    let guard = Arc::new(Guard::new(Some(scratch.share()?)));
    let logs = shared.logs(&workspace, false);
    let context =
        JobContext::new(EngineCall { shared, env }, &workspace, &logs, &guard, cancel, events);
    let done = single_steps.run(&context, &scratch, &loaded);
    // The guard shares the lock of the export, so it must end before the export is removed.
    guard.finish();
    let mut reporter = single_steps.reporter(events);
    if options.keep && done.is_ok() {
        scratch.keep()?;
    } else if let Some(not_removed) = scratch.remove() {
        reporter.warn(not_removed.to_string());
    }
    let record = done?;
    reporter.end(&record);
    Ok(finish(record, cancel.is_canceled(), events))
}

fn finish(record: Record, canceled: bool, events: &Sender) -> Summary {
    let summary = Summary { records: vec![record], canceled, ..Summary::default() };
    events.emit(EventKind::Finished { outcome: summary.worst() });
    summary
}

/// Parses the names of the steps.
fn step_names(names: &[String]) -> Result<Vec<StepName>, Error> {
    let all = StepName::ALL.map(StepName::as_str);
    let mut steps = Vec::new();
    for name in names {
        let step = name.parse().map_err(|_| {
            let hint = did_you_mean_or_list(name, &all);
            Error::new(ErrorKind::InvalidArg, format!("unknown step `{name}`{hint}"))
        })?;
        if step == StepName::from(Phase::Deploy) {
            let message = "cannot run `deploy` by hand: every deployment is recorded";
            return Err(Error::new(ErrorKind::InvalidArg, message)
                .with_hint("`tinyci deploy --dry-run` shows what it would do"));
        }
        steps.push(step);
    }
    match steps.is_empty() {
        true => Err(Error::new(ErrorKind::InvalidArg, "no step given")),
        false => Ok(steps),
    }
}

/// Returns the job that a run of this revision would start.
fn job_of(repo: &Repo, revision: &str) -> Result<Job, Error> {
    let commit = repo.commit(repo.resolve(revision)?)?;
    let named = repo.ref_named(revision);
    let tag = named.as_ref().and_then(TestedRef::of_ref).and_then(|it| it.tag().cloned());
    Ok(Job { tag, ..Job::new(commit, Trigger::Named) })
}

/// Returns true if this error makes a commit fail before its first step.
fn is_config_error(error: &Error) -> bool {
    error.is_fault_of_commit()
}

/// The steps to run, and their commit.
struct SingleSteps<'a> {
    shared: &'a Shared,
    env: &'a ProcessEnv,
    repo: &'a Repo,
    job: &'a Job,
    names: &'a [StepName],
    job_id: &'a str,
}

impl SingleSteps<'_> {
    fn commit(&self) -> &Commit {
        &self.job.commit
    }

    fn reporter(&self, events: &Sender) -> JobReporter {
        JobReporter::without_log(events, self.commit(), self.job_id)
    }

    /// Fails for a step without a config and without hook callbacks.
    fn refuse_missing(&self, pipeline: &Pipeline) -> Result<(), Error> {
        let hooks = &self.shared.options.hooks;
        let has = |name: &StepName| pipeline.step(*name).is_some() || hooks.count(*name) > 0;
        let Some(missing) = self.names.iter().find(|name| !has(name)) else { return Ok(()) };
        let existing = StepName::ALL.into_iter().filter(|name| *name != Phase::Deploy.into());
        let existing: Vec<String> = existing.filter(has).map(|name| format!("`{name}`")).collect();
        let existing = if existing.is_empty() { "none".to_owned() } else { existing.join(", ") };
        let message = format!(
            "the config of commit {} has no step `{missing}` (there are: {existing})",
            self.commit().id.short()
        );
        Err(Error::new(ErrorKind::InvalidArg, message))
    }

    /// Returns the summary for an invalid config, which fails the commit as in a run.
    fn invalid(&self, error: &Error, events: &Sender) -> Summary {
        let mut reporter = self.reporter(events);
        reporter.begin(self.job);
        let (outcome, reason) = (Outcome::Failure, Some(error.report()));
        let record = Record { outcome, reason, ..self.record() };
        reporter.end(&record);
        finish(record, false, events)
    }

    fn record(&self) -> Record {
        Record {
            trigger: Some(self.job.trigger.name().to_owned()),
            outcome: Outcome::Success,
            machine: host_name(),
            counts: false,
            ..Record::begun(self.job_id.to_owned(), self.commit(), SystemTime::now())
        }
    }

    /// Exports the commit and runs its steps.
    fn run(
        &self,
        context: &JobContext<'_>,
        scratch: &Scratch,
        loaded: &LoadedPipeline,
    ) -> Result<Record, Error> {
        let (clock, mut record, build) = (Instant::now(), self.record(), scratch.build());
        record.config_format = Some(loaded.pipeline.format);
        let mut reporter = self.reporter(context.events);
        reporter.begin(self.job);
        self.env.take_notices().into_iter().for_each(|notice| reporter.warn(notice));
        let limits = JobLimits::from_now(context.shared.settings.job_timeout);
        self.export(context, build, limits, &mut reporter)?;
        let source = JobSource { forced: true, ..JobSource::of_job(self.job_id, self.job) };
        record.tags = source.tags(self.repo, self.commit());
        let (commit, approval_gate) = (self.commit(), None);
        let inputs = StepInputs { commit, loaded, build, source, limits, approval_gate };
        let mut steps = context.steps(self.repo, &reporter, inputs);
        steps.by_hand = true;
        let last = record_of(self.repo, self.commit().id)?;
        if let Some(last) = &last {
            steps.recall(last);
        }
        let so_far = last.map_or(Outcome::Success, |last| last.outcome);
        (record.outcome, record.reason) = self.walk(&mut steps, so_far, &mut record);
        (record.finished, record.duration) = (SystemTime::now(), clock.elapsed());
        Ok(record)
    }

    fn walk(
        &self,
        steps: &mut Steps<'_>,
        so_far: Outcome,
        record: &mut Record,
    ) -> (Outcome, Option<String>) {
        for name in self.names {
            let Some(result) = steps.step(*name, so_far) else {
                return (Outcome::Canceled, None);
            };
            let (outcome, reason) = (result.record.outcome, result.reason);
            record.steps.push(result.record);
            if !outcome.passed() {
                let reason = reason.filter(|_| outcome == Outcome::Skipped);
                return (outcome, reason);
            }
        }
        (Outcome::Success, None)
    }

    fn export(
        &self,
        context: &JobContext<'_>,
        build: &Build,
        limits: JobLimits,
        reporter: &mut JobReporter,
    ) -> Result<(), Error> {
        let options = ExportOptions { sharing: build.sharing(), ..ExportOptions::default() };
        let to = build.export_dir();
        let limits = limits.of_work(context.cancel);
        let exported = export::export(self.repo, self.commit().id, &to, &options, &limits)?;
        exported.warnings.into_iter().for_each(|warning| reporter.warn(warning));
        reporter.emit(EventKind::Exported { dir: to });
        Ok(())
    }
}
