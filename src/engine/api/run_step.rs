//! [`Engine::run_step`]: steps of one commit by hand, for debugging. Nothing is recorded.

use crate::{
    engine::{
        context::{
            engine_call::EngineCall, job_reporter::JobReporter, process_env::ProcessEnv,
            pump::Sender, shared::Shared,
        },
        run::{
            attempt::{JobContext, JobSource, StepInputs, host_name, no_room, run_id},
            driver::prepare_builds,
            reports::record_of,
        },
        step::{Steps, scripts::LoadedPipeline},
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
    rules::retest::JudgedFor,
    util::suggestion::did_you_mean_or_list,
    workspace::{Build, Scratch},
};
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::handle::Engine;

/// Which steps [`Engine::run_step`] runs.
///
/// ```
/// use tinyci::pipeline::StepOptions;
/// let options = StepOptions::new("HEAD").step("build").step("test");
/// # let _ = options;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepOptions {
    /// The commit.
    pub revision: String,
    /// The names of the steps, in the order in which they run: phases and hooks, but not `deploy`.
    pub steps: Vec<String>,
    /// Leaves the export for a day, to look at.
    pub keep: bool,
}

impl StepOptions {
    /// Steps of this commit.
    pub fn new(revision: impl Into<String>) -> Self {
        Self { revision: revision.into(), steps: Vec::new(), keep: false }
    }

    /// Runs this step, after those that were named before.
    #[must_use]
    pub fn step(mut self, name: impl Into<String>) -> Self {
        self.steps.push(name.into());
        self
    }

    /// Leaves the export for a day, to look at.
    #[must_use]
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }
}

impl Engine {
    /// Runs steps of a commit by hand, in an export of their own, until one fails. Each command is
    /// shown before it runs, as by `set -x`. Conditions leave nothing out; `recall` knows what the
    /// commit's last job remembered.
    ///
    /// Nothing becomes of it: no verdict, no record, no line in a log, and what is kept with
    /// `artifact` goes with the export. It takes no lock that a run or a deployment needs. The one
    /// record of the summary says how the steps ended.
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
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit, or one without a
    /// config; [`InvalidArg`](ErrorKind::InvalidArg) for a step that the config does not have, and
    /// for `deploy`; [`Unsupported`](ErrorKind::Unsupported) if the directory of builds is another
    /// repository's; [`Io`](ErrorKind::Io) if the export cannot be written.
    ///
    /// # Panics
    ///
    /// If the observer panics: the steps are canceled first.
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
    let (workspace, run) = (shared.workspace(), run_id());
    workspace.own_builds()?;
    let by_hand = ByHand { shared, env, repo: &repo, job: &job, names: &names, run: &run };
    let loaded = match LoadedPipeline::load(shared, &repo, &job.commit) {
        Ok(loaded) => loaded,
        Err(error) if is_of_config(&error) => return Ok(by_hand.invalid(&error, events)),
        Err(error) => return Err(error),
    };
    by_hand.refuse_missing(&loaded.pipeline)?;
    if let Some(reason) = no_room(shared, &workspace) {
        return Err(Error::new(ErrorKind::Io, reason));
    }
    prepare_builds(shared, &workspace, &repo)?;
    let scratch = workspace.scratch(&run, &|| cancel.is_canceled())?;
    let guard = Arc::new(Guard::new(Some(scratch.share()?)));
    let logs = shared.logs(&workspace, false);
    let site =
        JobContext::new(EngineCall { shared, env }, &workspace, &logs, &guard, cancel, events);
    let done = by_hand.run(&site, &scratch, &loaded);
    // What it holds of the directory, nobody needs anymore.
    guard.finish();
    let mut voice = by_hand.voice(events);
    if options.keep && done.is_ok() {
        scratch.keep()?;
    } else if let Some(left) = scratch.remove() {
        voice.warn(left.to_string());
    }
    let record = done?;
    voice.end(&record);
    Ok(summed_up(record, cancel.is_canceled(), events))
}

fn summed_up(record: Record, canceled: bool, events: &Sender) -> Summary {
    let summary = Summary { records: vec![record], canceled, ..Summary::default() };
    events.emit(EventKind::Finished { outcome: summary.worst() });
    summary
}

/// The steps of these names.
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

/// The job that a run of this revision would be.
fn job_of(repo: &Repo, revision: &str) -> Result<Job, Error> {
    let commit = repo.commit(repo.resolve(revision)?)?;
    let named = repo.ref_named(revision);
    let tag = named.as_ref().and_then(JudgedFor::of_ref).and_then(|it| it.tag().cloned());
    Ok(Job { tag, ..Job::new(commit, Trigger::Named) })
}

/// Whether a commit fails by this error before its first step.
fn is_of_config(error: &Error) -> bool {
    error.is_fault_of_commit()
}

/// What is run, and of what.
struct ByHand<'a> {
    shared: &'a Shared,
    env: &'a ProcessEnv,
    repo: &'a Repo,
    job: &'a Job,
    names: &'a [StepName],
    run: &'a str,
}

impl ByHand<'_> {
    fn commit(&self) -> &Commit {
        &self.job.commit
    }

    fn voice(&self, events: &Sender) -> JobReporter {
        JobReporter::without_log(events, self.commit(), self.run)
    }

    /// Refuses steps of which there is nothing to do.
    fn refuse_missing(&self, pipeline: &Pipeline) -> Result<(), Error> {
        let hooks = &self.shared.options.hooks;
        let has = |name: &StepName| pipeline.step(*name).is_some() || hooks.count(*name) > 0;
        let Some(missing) = self.names.iter().find(|name| !has(name)) else { return Ok(()) };
        let there = StepName::ALL.into_iter().filter(|name| *name != Phase::Deploy.into());
        let there: Vec<String> = there.filter(has).map(|name| format!("`{name}`")).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let message = format!(
            "the config of commit {} has no step `{missing}` (there are: {there})",
            self.commit().id.short()
        );
        Err(Error::new(ErrorKind::InvalidArg, message))
    }

    /// A commit whose config is not valid fails, as in a run.
    fn invalid(&self, error: &Error, events: &Sender) -> Summary {
        let mut voice = self.voice(events);
        voice.begin(self.job);
        let (outcome, reason) = (Outcome::Failure, Some(error.report()));
        let record = Record { outcome, reason, ..self.record() };
        voice.end(&record);
        summed_up(record, false, events)
    }

    fn record(&self) -> Record {
        Record {
            trigger: Some(self.job.trigger.name().to_owned()),
            outcome: Outcome::Success,
            machine: host_name(),
            counts: false,
            ..Record::begun(self.run.to_owned(), self.commit(), SystemTime::now())
        }
    }

    /// Exports the commit and runs its steps.
    fn run(
        &self,
        site: &JobContext<'_>,
        scratch: &Scratch,
        loaded: &LoadedPipeline,
    ) -> Result<Record, Error> {
        let (clock, mut record, build) = (Instant::now(), self.record(), scratch.build());
        record.config_format = Some(loaded.pipeline.format);
        let mut voice = self.voice(site.events);
        voice.begin(self.job);
        self.env.take_notices().into_iter().for_each(|notice| voice.warn(notice));
        self.export(site, build, &mut voice)?;
        let source = JobSource { forced: true, ..JobSource::of_job(self.run, self.job) };
        record.tags = source.tags(self.repo, self.commit());
        let (commit, desk) = (self.commit(), None);
        let inputs = StepInputs { commit, loaded, build, source, desk };
        let mut steps = site.steps(self.repo, &voice, inputs);
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
        site: &JobContext<'_>,
        build: &Build,
        voice: &mut JobReporter,
    ) -> Result<(), Error> {
        let options = ExportOptions { sharing: build.sharing(), ..ExportOptions::default() };
        let to = build.export_dir();
        let exported = export::export(self.repo, self.commit().id, &to, &options, site.cancel)?;
        exported.warnings.into_iter().for_each(|warning| voice.warn(warning));
        voice.say(EventKind::Exported { dir: to });
        Ok(())
    }
}
