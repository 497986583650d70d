//! One attempt at testing one commit: its config, its export, its steps, its record and its
//! verdict.

use crate::{
    engine::{
        context::{
            approval_gate::ApprovalGate, engine_call::EngineCall, job_reporter::JobReporter,
            process_env::ProcessEnv, pump::Sender, shared::Shared,
        },
        step::{
            ChangeCheck, JobInfo, JobLimits, Memory, RealEffects, RepoLookups, StepReporter, Steps,
            Unmet, all_left_out, left_out_sentence, scripts::LoadedPipeline,
        },
    },
    export::{self, ExportOptions},
    model::{
        cancel::CancelView,
        commit::{Commit, CommitId, GitString},
        error::{Error, ErrorKind},
        event::EventKind,
        executor::Executor,
        intervention::Intervention,
        job::{Job, Trigger},
        outcome::{Outcome, Verdict},
        pipeline::{Hook, Pipeline, StepName, When},
        record::Record,
        request_context::RequestContext,
        step::{Facts, Progress},
        work_limits::WorkLimits,
    },
    process::Guard,
    repo::{Replace, Repo, Written},
    rules::mask::Masks,
    util::{bytes::format_bytes, clock, suggestion::hinted},
    workspace::{Attempts, Build, ExportPlace, JobStamp, Logs, RunLock, Workspace},
};
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{
    active_jobs::ActiveJobs, dry_run, kept_artifacts, live::ExportTarget, pending::final_outcome,
};

/// What all jobs of one plan have in common. Deployments use it too.
pub(in crate::engine) struct JobContext<'a> {
    pub(in crate::engine) shared: &'a Shared,
    pub(in crate::engine) workspace: &'a Workspace,
    pub(in crate::engine) logs: &'a Logs,
    pub(in crate::engine) executor: Arc<dyn Executor>,
    /// The environment of the process at the beginning of the call.
    pub(in crate::engine) env: &'a ProcessEnv,
    pub(in crate::engine) cancel: &'a CancelView,
    pub(in crate::engine) events: &'a Sender,
    /// The pipeline that replaces the config of every commit, if the caller gave one.
    pub(in crate::engine) pipeline: Option<&'a Pipeline>,
    /// True if a job may replace a deployed export, because the caller asked for it.
    pub(in crate::engine) replaces_live: bool,
}

/// State of the run that each job updates: the attempt counts, the run lock and the active jobs.
#[derive(Clone, Copy)]
pub(in crate::engine) struct RunState<'a> {
    pub(in crate::engine) attempts: &'a Attempts,
    pub(in crate::engine) lock: &'a RunLock,
    pub(in crate::engine) active: &'a ActiveJobs<'a>,
}

/// The result of an attempt.
pub(in crate::engine) struct Attempt {
    pub(in crate::engine) record: Record,
    /// The error that stops the run, because results can no longer be stored.
    pub(in crate::engine) fault: Option<Error>,
}

/// Tests one commit. All errors end up in the record.
pub(in crate::engine) fn attempt(
    context: &JobContext<'_>,
    state: RunState<'_>,
    repo: &Repo,
    job: &Job,
) -> Attempt {
    let job_id = new_id();
    let cancel = state.active.begin(&job_id);
    let context = &context.stopped_by(&cancel);
    state.lock.announce(job.commit.id, &job_id);
    let clock = Instant::now();
    let mut record = Record {
        trigger: Some(job.trigger.name().to_owned()),
        machine: host_name(),
        counts: job.trigger != Trigger::Rebuild,
        ..Record::begun(job_id.clone(), &job.commit, SystemTime::now())
    };
    let mut reporter = JobReporter::new(context.events, context.logs, &job.commit, &job_id);
    repo.malformed_fields(job.commit.id).into_iter().for_each(|sentence| reporter.warn(sentence));
    if let Some(skipped) = skip_intervention(repo, job) {
        reporter.warn(format!(
            "skipped {}; testing it anyway, because this is a retry",
            skipped.phrase()
        ));
    }
    let counted = begin_attempt(context, state, job);
    let result = match &counted {
        Ok(()) => run_pipeline(context, state, repo, job, &mut reporter, &mut record),
        Err(error) => {
            reporter.begin(job);
            error.into()
        }
    };
    let result = match state.lock.check_place() {
        Ok(()) => result,
        Err(error) => JobResult::from(&error),
    };
    (record.outcome, record.reason) = (result.outcome, result.reason);
    // A job that ended before the cancellation keeps its own outcome.
    if let Some(by) = state.active.end(&job_id).filter(|_| record.outcome == Outcome::Canceled) {
        record.reason = Some(by.phrase());
        record.intervention = Some(by);
    }
    if !record.counts && record.reason.is_none() {
        record.reason = Some("rebuilt for a deployment; not a verdict".to_owned());
    }
    record.finished = result.finished;
    record.duration = clock.elapsed();
    let kept = keep(repo, job, &mut record, &mut reporter);
    let updated =
        update_attempts(state, job, &record, result.uncounted).and_then(|()| {
            match &result.missing_secret {
                Some(secret) => state.attempts.set_missing_secret(&record.commit, secret),
                None => Ok(()),
            }
        });
    state.lock.withdraw(record.commit);
    reporter.report_log_fault();
    reporter.end(&record);
    Attempt { record, fault: counted.and(kept).and(updated).err() }
}

/// Counts the attempt. If the commit only lacked a secret that exists now, earlier attempts are
/// forgotten. A rebuild is not counted, because its commit already has a verdict.
fn begin_attempt(context: &JobContext<'_>, state: RunState<'_>, job: &Job) -> Result<(), Error> {
    let id = &job.commit.id;
    if job.trigger == Trigger::Rebuild {
        return Ok(());
    }
    if secret_now_exists(context.shared, state.attempts, id) {
        state.attempts.clear(id)?;
    }
    state.attempts.increment(id).map(drop)
}

/// Returns true if the last attempt lacked a secret that exists now.
pub(in crate::engine) fn secret_now_exists(
    shared: &Shared,
    attempts: &Attempts,
    id: &CommitId,
) -> bool {
    attempts.missing_secret(id).is_some_and(|name| shared.secrets(None).has_file(&name))
}

/// Returns the intervention that skipped a commit, if this job is a retry and the newest record
/// has one.
fn skip_intervention(repo: &Repo, job: &Job) -> Option<Intervention> {
    let newest = match job.trigger {
        Trigger::Retry => repo.newest_records([job.commit.id]).ok()?.remove(&job.commit.id)?,
        _ => return None,
    };
    newest.intervention.filter(|_| newest.outcome == Outcome::Skipped)
}

/// The result of a job before it is recorded.
struct JobResult {
    outcome: Outcome,
    reason: Option<String>,
    /// True if the attempt says nothing about the commit and is not counted. Examples are a full
    /// disk, or an executor that does not support the request.
    uncounted: bool,
    /// True if its steps ran in a new export, so that the build belongs to this job.
    built: bool,
    /// When the steps ended.
    finished: SystemTime,
    /// True if the script requested the removal of the export.
    discards: bool,
    /// The first secret that the server lacks.
    missing_secret: Option<String>,
}

impl JobResult {
    /// Returns the result of a job without a build.
    fn without_build(outcome: Outcome, reason: Option<String>) -> Self {
        let finished = clock::now_ms();
        let (uncounted, built, discards, missing_secret) = (false, false, false, None);
        Self { outcome, reason, uncounted, built, finished, discards, missing_secret }
    }
}

impl JobResult {
    /// The result of a failed export: the job took too long, or what the error says.
    fn of_export(error: &Error, limits: &WorkLimits) -> Self {
        let is_late = error.kind() == ErrorKind::Canceled && limits.is_late();
        match is_late {
            true => Self::without_build(Outcome::TimedOut, Some(error.report())),
            false => Self::from(error),
        }
    }
}

impl From<&Error> for JobResult {
    /// An error on the way to the first step.
    fn from(error: &Error) -> Self {
        let outcome = match error.kind() {
            _ if error.is_fault_of_commit() => Outcome::Failure,
            ErrorKind::Canceled => Outcome::Canceled,
            _ => Outcome::Error,
        };
        let uncounted = error.kind() == ErrorKind::Unsupported;
        JobResult { uncounted, ..JobResult::without_build(outcome, Some(error.report())) }
    }
}

/// Locks the build directory and runs the commit in it.
fn run_pipeline(
    context: &JobContext<'_>,
    state: RunState<'_>,
    repo: &Repo,
    job: &Job,
    reporter: &mut JobReporter,
    record: &mut Record,
) -> JobResult {
    if let Some(reason) = low_disk_space(context.shared, context.workspace) {
        reporter.begin(job);
        let result = JobResult::without_build(Outcome::Error, Some(reason));
        return JobResult { uncounted: true, ..result };
    }
    let build = context.workspace.build(&job.commit.build_name());
    let build_lock = build.prepare(&|| context.cancel.is_canceled());
    if build_lock.is_ok() {
        reporter.open_log(&build, &job.commit);
    }
    reporter.begin(job);
    let result = build_lock.and_then(|_build_lock| {
        let (job_id, replaces) = (record.job_id.as_str(), context.replaces_live);
        // Opened again under the lock, because another job may have changed it since.
        let build = context.workspace.build(&job.commit.build_name());
        let target =
            ExportTarget::of_job(context.shared, repo, build, job.commit.id, job_id, replaces)?;
        let inputs = JobInputs { context, state, repo, job, target: &target };
        let finished = run(inputs, reporter, record);
        let mut result = finished.unwrap_or_else(|error| JobResult::from(&error));
        let green = is_green_already(repo, job)?;
        record.counts = job.trigger != Trigger::Rebuild || (green && result.outcome.passed());
        // A red rebuild must not count as the build of a green commit.
        result.built &= !green || result.outcome.passed();
        if let Err(error) = stamp(&target, record, &result, reporter) {
            // The verdict is valid without the stamp; the build then counts as missing.
            reporter.warn(error.report());
        }
        Ok(result)
    });
    result.unwrap_or_else(|error| JobResult::from(&error))
}

/// Returns true if this is a rebuild of a green commit. Such a job can only confirm the verdict.
fn is_green_already(repo: &Repo, job: &Job) -> Result<bool, Error> {
    let green = || Ok(final_outcome(repo, job.commit.id)?.is_some_and(Outcome::passed));
    if job.trigger == Trigger::Rebuild { green() } else { Ok(false) }
}

/// Writes the job's stamp into the build, before the verdict is written. A job that ended before
/// its steps removes the new export, or leaves a stamp without an end time.
fn stamp(
    target: &ExportTarget,
    record: &Record,
    result: &JobResult,
    reporter: &mut JobReporter,
) -> Result<(), Error> {
    let has_verdict = result.outcome.verdict().is_some();
    if target.is_additional() && !(result.built && has_verdict) {
        target.build.discard()?.into_iter().for_each(|it| reporter.warn(it.to_string()));
        return Ok(());
    }
    if !has_verdict {
        return Ok(());
    }
    let export = match result.discards {
        true => ExportPlace::Discarded,
        false => ExportPlace::named(target.build.export_name()),
    };
    let begun = JobStamp::begun(record.job_id.clone(), record.started, export);
    let finished = result.built.then_some(result.finished);
    target.build.write_stamp(&JobStamp { finished, ..begun })
}

/// Returns an error text if too little disk space is free to begin. If the free space is unknown,
/// the job begins.
pub(in crate::engine) fn low_disk_space(shared: &Shared, workspace: &Workspace) -> Option<String> {
    let required = shared.settings.min_free_space;
    let free = workspace.free_bytes().ok().filter(|free| *free < required)?;
    let (free, required) = (format_bytes(free), format_bytes(required));
    let message = format!(
        "disk space is low: `{}` has {free} left, less than {required} (`tinyci.minFreeSpace`)",
        workspace.builds_dir().display()
    );
    Some(hinted(&message, "`tinyci prune --keep 5` deletes old builds"))
}

/// What the steps of one job are run with.
#[derive(Clone, Copy)]
struct JobInputs<'a> {
    context: &'a JobContext<'a>,
    state: RunState<'a>,
    repo: &'a Repo,
    job: &'a Job,
    target: &'a ExportTarget,
}

/// Loads, exports and runs the commit.
fn run(
    inputs: JobInputs<'_>,
    reporter: &mut JobReporter,
    record: &mut Record,
) -> Result<JobResult, Error> {
    let JobInputs { context, state, repo, job, target } = inputs;
    let build = &target.build;
    let loaded = match context.pipeline {
        Some(given) => LoadedPipeline::of(context.shared, given),
        None => LoadedPipeline::load(context.shared, repo, &job.commit),
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return clean_up_after(error, inputs, reporter, record),
    };
    let pipeline = &loaded.pipeline;
    record.config_format = Some(pipeline.format);
    for warning in &pipeline.warnings {
        reporter.warn(format!("{}:{}: {}", pipeline.name, warning.position, warning.message));
    }
    let source = JobSource::of_job(&record.job_id, job);
    record.tags = source.tags(repo, &job.commit);
    record.asked_for_ref = pipeline.asks_for_ref();
    if let Some(unmet) = whole_commit_unmet(inputs, pipeline, source, reporter) {
        record.left_out = all_left_out(pipeline, unmet.by);
        let reason = Some(left_out_sentence(&record.left_out, &unmet.reason));
        return Ok(JobResult::without_build(Outcome::Skipped, reason));
    }
    let missing = dry_run::lacking_secret(context.call(), repo, job, &loaded)?;
    if let Some((secret, error)) = missing {
        return Ok(JobResult { missing_secret: Some(secret), ..JobResult::from(&error) });
    }
    let limits = JobLimits::from_now(context.shared.settings.job_timeout);
    let exported = export_to(context, repo, &job.commit, target, limits, reporter, &record.job_id);
    if let Err(error) = exported {
        return Ok(JobResult::of_export(&error, &limits.of_work(context.cancel)));
    }
    let (commit, loaded, approval_gate) = (&job.commit, &loaded, None);
    let mut steps = context.steps(
        repo,
        reporter,
        StepInputs { commit, loaded, build, source, limits, approval_gate },
    );
    let walked = steps.walk(&|name| state.lock.announce_step(job.commit.id, name.as_str()));
    let unsupported = |error: &Error| error.kind() == ErrorKind::Unsupported;
    let uncounted = walked.steps.iter().filter_map(|step| step.error.as_ref()).any(unsupported);
    let outcome = walked.outcome;
    let missing_secret = steps.memory.missing_secret();
    let reason = steps.keep(walked, record);
    kept_artifacts::limit(record, build, reporter);
    let discards = steps.discards_export();
    if discards {
        steps.remove_export(build, reporter);
    }
    let finished = clock::now_ms();
    Ok(JobResult { outcome, reason, uncounted, built: true, finished, discards, missing_secret })
}

/// Returns the condition of the pipeline itself that skips the whole commit, if there is one.
fn whole_commit_unmet(
    inputs: JobInputs<'_>,
    pipeline: &Pipeline,
    source: JobSource<'_>,
    reporter: &JobReporter,
) -> Option<Unmet> {
    if pipeline.when == When::default() {
        return None;
    }
    let facts = source.facts(inputs.context.shared, inputs.repo, &inputs.job.commit);
    let reporter = StepReporter::new(reporter);
    Memory::default().whole_commit_unmet(pipeline, &facts, source.forced, &reporter)
}

/// Runs only `after_all` of an invalid config, if that part is valid. Earlier commits may have
/// left state on the machine that needs it. The outcome is that of the config error in any case.
fn clean_up_after(
    error: Error,
    inputs: JobInputs<'_>,
    reporter: &mut JobReporter,
    record: &mut Record,
) -> Result<JobResult, Error> {
    let JobInputs { context, state, repo, job, target } = inputs;
    let build = &target.build;
    let Some(loaded) = LoadedPipeline::after_invalid(context.shared, repo, &job.commit, &error)
    else {
        return Err(error);
    };
    let source = JobSource::of_job(&record.job_id, job);
    record.tags = source.tags(repo, &job.commit);
    reporter.warn("invalid config: running only its `after_all`".to_owned());
    let limits = JobLimits::from_now(context.shared.settings.job_timeout);
    let exported = export_to(context, repo, &job.commit, target, limits, reporter, &record.job_id);
    if let Err(fault) = exported {
        reporter.warn(format!("cannot run `after_all`: {}", fault.report()));
        return Err(error);
    }
    let (commit, loaded, approval_gate) = (&job.commit, &loaded, None);
    let mut steps = context.steps(
        repo,
        reporter,
        StepInputs { commit, loaded, build, source, limits, approval_gate },
    );
    let begins = |name: StepName| state.lock.announce_step(job.commit.id, name.as_str());
    let walked = steps.walk_after(Outcome::Failure, &begins);
    let outcome = walked.outcome;
    steps.keep(walked, record);
    kept_artifacts::limit(record, build, reporter);
    Ok(JobResult::without_build(outcome, Some(error.report())))
}

/// The origin of a job, in addition to its commit.
#[derive(Clone, Copy)]
pub(in crate::engine) struct JobSource<'a> {
    /// The job id.
    pub(in crate::engine) job_id: &'a str,
    /// The name of the trigger.
    pub(in crate::engine) trigger: &'a str,
    /// The target environment. Deployments only.
    pub(in crate::engine) environment: Option<&'a str>,
    /// The tag that requested the job.
    pub(in crate::engine) tag: Option<&'a GitString>,
    /// True if the conditions `changed` and `message` are ignored.
    pub(in crate::engine) forced: bool,
}

impl<'a> JobSource<'a> {
    pub(in crate::engine) fn of_job(job_id: &'a str, job: &'a Job) -> Self {
        Self {
            job_id,
            trigger: job.trigger.name(),
            environment: None,
            tag: job.tag.as_ref(),
            forced: matches!(job.trigger, Trigger::Retry | Trigger::Rebuild),
        }
    }

    /// Returns the origin of a deployment, or of a plan for one.
    pub(in crate::engine) fn of_deployment(job_id: &'a str, environment: &'a str) -> Self {
        let environment = Some(environment);
        Self { job_id, trigger: "deploy", environment, tag: None, forced: false }
    }

    /// Returns the tags of the commit, including the one that requested the job, sorted.
    pub(in crate::engine) fn tags(&self, repo: &Repo, commit: &Commit) -> Vec<GitString> {
        let named = repo.tags_of(commit.id).unwrap_or_default().into_iter();
        let mut tags: Vec<GitString> = named.map(|tag| GitString::from(tag.as_str())).collect();
        tags.extend(self.tag.filter(|tag| !tags.contains(tag)).cloned());
        tags.sort();
        tags
    }

    /// Returns the facts about the commit that are known before its first step.
    pub(in crate::engine) fn facts(&self, shared: &Shared, repo: &Repo, commit: &Commit) -> Facts {
        let build = shared.workspace().build(&commit.build_name());
        Facts {
            tags: self.tags(repo, commit).iter().map(GitString::to_string).collect(),
            tag: self.tag.map(GitString::to_string),
            export_dir: build.export_dir().to_string_lossy().into_owned(),
            build_dir: build.dir().to_string_lossy().into_owned(),
            repo: shared.root.to_string_lossy().into_owned(),
            job_id: self.job_id.to_owned(),
            trigger: self.trigger.to_owned(),
            environment: self.environment.map(str::to_owned),
            machine: host_name(),
            ..Facts::of(commit)
        }
    }
}

impl<'a> JobContext<'a> {
    /// Creates the context of jobs that use the config of each commit and replace no deployed
    /// export.
    pub(in crate::engine) fn new(
        EngineCall { shared, env }: EngineCall<'a>,
        workspace: &'a Workspace,
        logs: &'a Logs,
        guard: &Arc<Guard>,
        cancel: &'a CancelView,
        events: &'a Sender,
    ) -> Self {
        let executor = shared.executor(guard, events);
        let (pipeline, replaces_live) = (None, false);
        Self { shared, workspace, logs, executor, env, cancel, events, pipeline, replaces_live }
    }
}

/// The inputs for the steps of one commit.
pub(in crate::engine) struct StepInputs<'s, 'a> {
    pub(in crate::engine) commit: &'a Commit,
    pub(in crate::engine) loaded: &'s LoadedPipeline,
    pub(in crate::engine) build: &'a Build,
    pub(in crate::engine) source: JobSource<'a>,
    pub(in crate::engine) limits: JobLimits,
    /// Asks for the approval of a deployment.
    pub(in crate::engine) approval_gate: Option<ApprovalGate>,
}

impl JobContext<'_> {
    /// Returns the engine call that the job is a part of.
    fn call(&self) -> EngineCall<'_> {
        EngineCall { shared: self.shared, env: self.env }
    }

    /// Returns a copy for one job, with a cancellation of its own.
    fn stopped_by<'s>(&'s self, cancel: &'s CancelView) -> JobContext<'s> {
        JobContext { executor: self.executor.clone(), cancel, ..*self }
    }

    /// Creates the steps of a commit, with effects that really act.
    pub(in crate::engine) fn steps<'s>(
        &self,
        repo: &Repo,
        reporter: &JobReporter,
        StepInputs { commit, loaded, build, source, limits, approval_gate }: StepInputs<'s, '_>,
    ) -> Steps<'s> {
        let shared = self.shared;
        let effects = RealEffects {
            executor: self.executor.clone(),
            secrets: shared.secrets(Some(self.events)),
            hooks: shared.options.hooks.clone(),
            approval_gate,
            export_dir: build.export_dir(),
            artifacts: match source.environment {
                Some(_) => build.deploy_artifacts(source.job_id),
                None => build.artifacts(),
            },
        };
        let context = RequestContext {
            commit: Arc::new(commit.clone()),
            job_id: source.job_id.into(),
            step: Hook::BeforeBuild.into(),
            label: None,
            export_dir: build.export_dir(),
            deadline: None,
            cancel: self.cancel.with_threshold(1),
        };
        let (facts, change_check) =
            (source.facts(shared, repo, commit), ChangeCheck::new(&loaded.pipeline, source.forced));
        let export_dir = build.export_dir().to_string_lossy().into_owned();
        let build_dir = build.dir().to_string_lossy().into_owned();
        let facts = Facts { export_dir, build_dir, ..facts };
        let lookups = RepoLookups::new(shared, commit, &facts);
        Steps {
            pipeline: &loaded.pipeline,
            scripts: &loaded.scripts,
            info: JobInfo::new(self.call(), facts, limits, change_check),
            context,
            effects: Arc::new(effects),
            lookups: Arc::new(lookups),
            reporter: Arc::new(StepReporter::new(reporter)),
            memory: Arc::default(),
            masks: Masks::default(),
            vars: shared.options.registrations.vars.clone(),
            progress: Progress::default(),
            command_timeout: shared.settings.command_timeout,
            nice: shared.settings.nice,
            by_hand: false,
        }
    }
}

/// Exports the commit into a new directory. From here on, the build belongs to this job, which has
/// not ended.
pub(in crate::engine) fn export_to(
    context: &JobContext<'_>,
    repo: &Repo,
    commit: &Commit,
    target: &ExportTarget,
    limits: JobLimits,
    reporter: &mut JobReporter,
    job_id: &str,
) -> Result<(), Error> {
    let (build, started) = (&target.build, clock::now_ms());
    let export = ExportPlace::named(build.export_name());
    let stamp = JobStamp::begun(job_id.to_owned(), started, export);
    target.prepare(&stamp)?.iter().for_each(|it| reporter.warn(it.to_string()));
    let temp = build.export_temp(job_id);
    let options = ExportOptions { sharing: build.sharing(), ..ExportOptions::default() };
    let exported =
        export::export(repo, commit.id, &temp, &options, &limits.of_work(context.cancel))?;
    let not_removed = build.publish(job_id)?;
    not_removed.into_iter().for_each(|it| reporter.warn(it.to_string()));
    exported.warnings.into_iter().for_each(|warning| reporter.warn(warning));
    let dir = build.export_dir();
    reporter.emit(EventKind::Exported { dir });
    Ok(())
}

/// Stores the record, then the verdict, which is the commit point. The last log line is written in
/// between, so that readers who wait for the verdict get the whole log.
fn keep(
    repo: &Repo,
    job: &Job,
    record: &mut Record,
    reporter: &mut JobReporter,
) -> Result<(), Error> {
    let recorded = repo.append_record(record);
    if recorded.is_ok() {
        reporter.log_end(record);
    }
    let stored = recorded.and_then(|()| write_verdict(repo, job, record));
    if let Err(error) = &stored {
        add_storage_error(record, error);
    }
    if !matches!(stored, Ok(VerdictWrite::Written)) {
        reporter.log_end(record);
    }
    stored.map(drop)
}

/// Adds to a record why it, or its verdict, could not be stored.
fn add_storage_error(record: &mut Record, error: &Error) {
    let why = error.report();
    record.reason = Some(match (record.verdict(), record.reason.take()) {
        (Some(_), _) => format!("cannot store the verdict ({}): {why}", record.outcome),
        (None, Some(reason)) => format!("{reason}\ncannot store the record: {why}"),
        (None, None) => format!("cannot store the record: {why}"),
    });
    if record.verdict().is_some() {
        record.outcome = Outcome::Error;
    }
}

/// Keeps, revokes or clears the attempt count, according to the outcome.
fn update_attempts(
    state: RunState<'_>,
    job: &Job,
    record: &Record,
    uncounted: bool,
) -> Result<(), Error> {
    let id = &record.commit;
    if job.trigger == Trigger::Rebuild {
        return Ok(());
    }
    match record.outcome {
        Outcome::Error if !uncounted => Ok(()),
        Outcome::Error | Outcome::Canceled => state.attempts.decrement(id),
        _ => state.attempts.clear(id),
    }
}

/// The result of writing a verdict.
enum VerdictWrite {
    /// The verdict of this job was written, or it has none.
    Written,
    /// Another process wrote a different verdict during the job.
    Superseded,
}

/// Writes the verdict. If another process wrote one during the job, that one stays. Then this job
/// is green only if that verdict is.
fn write_verdict(repo: &Repo, job: &Job, record: &mut Record) -> Result<VerdictWrite, Error> {
    if job.trigger == Trigger::Rebuild {
        return Ok(VerdictWrite::Written);
    }
    let Some(verdict) = record.outcome.verdict() else { return Ok(VerdictWrite::Written) };
    let replace = match job.trigger {
        Trigger::Retry => Replace::Anything,
        Trigger::Retest => Replace::Skipped,
        _ => Replace::Nothing,
    };
    let note = match repo.write_verdict(job.commit.id, verdict, replace)? {
        Written::Existed(note) if note.verdict != Some(verdict) => note,
        _ => return Ok(VerdictWrite::Written),
    };
    record.reason = Some(format!(
        "this job ended as {}, but the note `{}` was written during the run",
        record.outcome,
        String::from_utf8_lossy(&note.bytes).trim()
    ));
    if record.passed() {
        record.outcome = note.verdict.map_or(Outcome::Failure, Verdict::outcome);
    }
    Ok(VerdictWrite::Superseded)
}

/// Returns a new unique id for a job or a run. Ids sort by time.
pub(in crate::engine) fn new_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let random = RandomState::new().hash_one((std::process::id(), Instant::now()));
    format!("{now}-{random:016x}")
}

/// Returns the name of this machine.
pub(in crate::engine) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
