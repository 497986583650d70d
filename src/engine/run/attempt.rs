//! One attempt at one commit: its config, its export, its steps, its record and its word.

use crate::{
    engine::{
        context::{
            approval_gate::ApprovalGate, engine_call::EngineCall, job_reporter::JobReporter,
            process_env::ProcessEnv, pump::Sender, shared::Shared,
        },
        step::{
            JobInfo, JobLimits, Judge, RealEffects, RepoLookups, StepReporter, Steps, Unmet,
            all_left_out, ignored, left_out_sentence, scripts::LoadedPipeline,
            whole_commit_unmet_telling,
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
    active_jobs::ActiveJobs, dry_run, kept_artifacts, live::Ground, pending::settled_outcome,
};

/// Where steps are run: what all attempts of one plan have in common, and a deployment has too.
pub(in crate::engine) struct JobContext<'a> {
    pub(in crate::engine) shared: &'a Shared,
    pub(in crate::engine) workspace: &'a Workspace,
    pub(in crate::engine) logs: &'a Logs,
    pub(in crate::engine) executor: Arc<dyn Executor>,
    /// The process's environment as the call found it.
    pub(in crate::engine) env: &'a ProcessEnv,
    pub(in crate::engine) cancel: &'a CancelView,
    pub(in crate::engine) events: &'a Sender,
    /// What every commit is judged by in place of its own config.
    pub(in crate::engine) pipeline: Option<&'a Pipeline>,
    /// True if a job takes the place of what is live, as somebody said.
    pub(in crate::engine) replaces_live: bool,
}

/// What the attempts of a run need beside it: who holds the repository, and how often each commit
/// was tried.
#[derive(Clone, Copy)]
pub(in crate::engine) struct RunState<'a> {
    pub(in crate::engine) attempts: &'a Attempts,
    pub(in crate::engine) lock: &'a RunLock,
    pub(in crate::engine) active: &'a ActiveJobs<'a>,
}

/// What came of an attempt.
pub(in crate::engine) struct Attempt {
    pub(in crate::engine) record: Record,
    /// Why the run must stop here: nothing more can be stored.
    pub(in crate::engine) fault: Option<Error>,
}

/// Tries one commit. Whatever goes wrong ends up in the record.
pub(in crate::engine) fn attempt(
    site: &JobContext<'_>,
    books: RunState<'_>,
    repo: &Repo,
    job: &Job,
) -> Attempt {
    let run = run_id();
    let cancel = books.active.begin(&run);
    let site = &site.stopped_by(&cancel);
    books.lock.announce(job.commit.id, &run);
    let clock = Instant::now();
    let mut record = Record {
        trigger: Some(job.trigger.name().to_owned()),
        machine: host_name(),
        counts: job.trigger != Trigger::Rebuild,
        ..Record::begun(run.clone(), &job.commit, SystemTime::now())
    };
    let mut voice = JobReporter::new(site.events, site.logs, &job.commit, &run);
    repo.malformed_fields(job.commit.id).into_iter().for_each(|sentence| voice.warn(sentence));
    if let Some(skipped) = skipped_by_somebody(repo, job) {
        voice.warn(format!(
            "skipped {}; testing it anyway, because this is a retry",
            skipped.phrase()
        ));
    }
    let counted = begin_attempt(site, books, job);
    let judged = match &counted {
        Ok(()) => run_pipeline(site, books, repo, job, &mut voice, &mut record),
        Err(error) => {
            voice.begin(job);
            error.into()
        }
    };
    (record.outcome, record.reason) = (judged.outcome, judged.reason);
    // A job that had ended before it was canceled is what it came to.
    if let Some(by) = books.active.end(&run).filter(|_| record.outcome == Outcome::Canceled) {
        record.reason = Some(by.phrase());
        record.intervention = Some(by);
    }
    if !record.counts && record.reason.is_none() {
        record.reason = Some("rebuilt for a deployment; not a verdict".to_owned());
    }
    record.finished = judged.finished;
    record.duration = clock.elapsed();
    let kept = keep(repo, job, &mut record, &mut voice);
    let tallied =
        update_attempts(books, job, &record, judged.uncounted).and_then(|()| match &judged.lacks {
            Some(secret) => books.attempts.wait_for(&record.commit, secret),
            None => Ok(()),
        });
    books.lock.withdraw(record.commit);
    voice.report_log_fault();
    voice.end(&record);
    Attempt { record, fault: counted.and(kept).and(tallied).err() }
}

/// Counts an attempt. Those before that were for want of a secret are forgotten once it is there.
/// What is built again has its verdict, and needs no more attempts at one.
fn begin_attempt(site: &JobContext<'_>, books: RunState<'_>, job: &Job) -> Result<(), Error> {
    let id = &job.commit.id;
    if job.trigger == Trigger::Rebuild {
        return Ok(());
    }
    if lacks_no_more(site.shared, books.attempts, id) {
        books.attempts.clear(id)?;
    }
    books.attempts.increment(id).map(drop)
}

/// True if a commit was last tried for want of a secret that is there by now.
pub(in crate::engine) fn lacks_no_more(
    shared: &Shared,
    attempts: &Attempts,
    id: &CommitId,
) -> bool {
    attempts.lacks(id).is_some_and(|name| shared.secrets(None).has_file(&name))
}

/// Who left a commit untested that is now tried again; of the newest record, where one can be read.
fn skipped_by_somebody(repo: &Repo, job: &Job) -> Option<Intervention> {
    let newest = match job.trigger {
        Trigger::Retry => repo.newest_records([job.commit.id]).ok()?.remove(&job.commit.id)?,
        _ => return None,
    };
    newest.intervention.filter(|_| newest.outcome == Outcome::Skipped)
}

/// An outcome, and why where no step says it.
struct JobResult {
    outcome: Outcome,
    reason: Option<String>,
    /// Whether the attempt says nothing about the commit: this tinyci, or the host's executor, does
    /// not do what it asks for, or the disk is full. Then it is not counted.
    uncounted: bool,
    /// True if its steps had an export of their own, so that the build is this job's.
    built: bool,
    /// When it ended.
    finished: SystemTime,
    /// True if the script had the export removed.
    discards: bool,
    /// The secret that the server lacks.
    lacks: Option<String>,
}

impl JobResult {
    /// One that makes no build.
    fn without_build(outcome: Outcome, reason: Option<String>) -> Self {
        let finished = clock::now_ms();
        let (uncounted, built, discards, lacks) = (false, false, false, None);
        Self { outcome, reason, uncounted, built, finished, discards, lacks }
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

/// Takes the build folder and runs the commit in it.
fn run_pipeline(
    site: &JobContext<'_>,
    books: RunState<'_>,
    repo: &Repo,
    job: &Job,
    voice: &mut JobReporter,
    record: &mut Record,
) -> JobResult {
    if let Some(reason) = no_room(site.shared, site.workspace) {
        voice.begin(job);
        let judged = JobResult::without_build(Outcome::Error, Some(reason));
        return JobResult { uncounted: true, ..judged };
    }
    let build = site.workspace.build(&job.commit.build_name());
    let occupied = build.prepare(&|| site.cancel.is_canceled());
    if occupied.is_ok() {
        voice.open_log(&build, &job.commit);
    }
    voice.begin(job);
    let judged = occupied.and_then(|_occupied| {
        let (run_id, replaces) = (record.job_id.as_str(), site.replaces_live);
        // Taken anew: another job may have finished since.
        let build = site.workspace.build(&job.commit.build_name());
        let ground = Ground::of_job(site.shared, repo, build, job.commit.id, run_id, replaces)?;
        let ran = run(site, books, repo, job, &ground, voice, record);
        let mut judged = ran.unwrap_or_else(|error| JobResult::from(&error));
        let green = is_green_already(repo, job)?;
        record.counts = job.trigger != Trigger::Rebuild || (green && judged.outcome.passed());
        // What turned red is no build of a green commit.
        judged.built &= !green || judged.outcome.passed();
        if let Err(error) = stamp(&ground, record, &judged, voice) {
            // The verdict holds without it; the build counts as gone.
            voice.warn(error.report());
        }
        Ok(judged)
    });
    judged.unwrap_or_else(|error| JobResult::from(&error))
}

/// Whether a commit that is built again for a deployment is green: the job can confirm that, and
/// nothing else.
fn is_green_already(repo: &Repo, job: &Job) -> Result<bool, Error> {
    let green = || Ok(settled_outcome(repo, job.commit.id)?.is_some_and(Outcome::passed));
    if job.trigger == Trigger::Rebuild { green() } else { Ok(false) }
}

/// Writes into the build whose it is, before any verdict says that it is one. One that did not come
/// as far as its steps leaves an export that is none of its own, and has not finished one.
fn stamp(
    ground: &Ground,
    record: &Record,
    judged: &JobResult,
    voice: &mut JobReporter,
) -> Result<(), Error> {
    let has_verdict = judged.outcome.verdict().is_some();
    if ground.is_apart() && !(judged.built && has_verdict) {
        ground.build.discard()?.into_iter().for_each(|left| voice.warn(left.to_string()));
        return Ok(());
    }
    if !has_verdict {
        return Ok(());
    }
    let export = match judged.discards {
        true => ExportPlace::Discarded,
        false => ExportPlace::named(ground.build.export_name()),
    };
    let begun = JobStamp::begun(record.job_id.clone(), record.started, export);
    let finished = judged.built.then_some(judged.finished);
    ground.build.write_stamp(&JobStamp { finished, ..begun })
}

/// Why nothing may be begun: the disk is all but full. What cannot be known is no reason.
pub(in crate::engine) fn no_room(shared: &Shared, workspace: &Workspace) -> Option<String> {
    let wanted = shared.settings.min_free_space;
    let free = workspace.free_bytes().ok().filter(|free| *free < wanted)?;
    let (free, wanted) = (format_bytes(free), format_bytes(wanted));
    let message = format!(
        "disk space is low: `{}` has {free} left, less than {wanted} (`tinyci.minFreeSpace`)",
        workspace.builds_dir().display()
    );
    Some(hinted(&message, "`tinyci prune --keep 5` deletes old builds"))
}

/// Loads, exports and runs the commit.
fn run(
    site: &JobContext<'_>,
    books: RunState<'_>,
    repo: &Repo,
    job: &Job,
    ground: &Ground,
    voice: &mut JobReporter,
    record: &mut Record,
) -> Result<JobResult, Error> {
    let build = &ground.build;
    let loaded = match site.pipeline {
        Some(given) => LoadedPipeline::of(site.shared, given),
        None => LoadedPipeline::load(site.shared, repo, &job.commit),
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            return clean_up_after(error, (site, books), repo, job, ground, voice, record);
        }
    };
    let pipeline = &loaded.pipeline;
    record.config_format = Some(pipeline.format);
    for warning in &pipeline.warnings {
        voice.warn(format!("{}:{}: {}", pipeline.name, warning.position, warning.message));
    }
    let source = JobSource::of_job(&record.job_id, job);
    record.tags = source.tags(repo, &job.commit);
    record.asked_for_ref = pipeline.asks_for_ref();
    if let Some(unmet) = left_out_whole(site, repo, job, pipeline, source, voice) {
        record.left_out = all_left_out(pipeline, unmet.by);
        let reason = Some(left_out_sentence(&record.left_out, &unmet.reason));
        return Ok(JobResult::without_build(Outcome::Skipped, reason));
    }
    let lacking = dry_run::lacking_secret(site.call(), repo, job, &loaded)?;
    if let Some((secret, error)) = lacking {
        return Ok(JobResult { lacks: Some(secret), ..JobResult::from(&error) });
    }
    export_to(site, repo, &job.commit, ground, voice, &record.job_id)?;
    let (commit, loaded, desk) = (&job.commit, &loaded, None);
    let mut steps = site.steps(repo, voice, StepInputs { commit, loaded, build, source, desk });
    let walked = steps.walk(&|name| books.lock.announce_step(job.commit.id, name.as_str()));
    let unsupported = |error: &Error| error.kind() == ErrorKind::Unsupported;
    let uncounted = walked.steps.iter().filter_map(|step| step.error.as_ref()).any(unsupported);
    let outcome = walked.outcome;
    let lacks = steps.memory.lacking();
    let reason = steps.keep(walked, record);
    kept_artifacts::bound(record, build, voice);
    let discards = steps.discards_export();
    if discards {
        steps.discard(build, voice);
    }
    let finished = clock::now_ms();
    Ok(JobResult { outcome, reason, uncounted, built: true, finished, discards, lacks })
}

/// What leaves the whole commit out: the pipeline's own conditions.
fn left_out_whole(
    site: &JobContext<'_>,
    repo: &Repo,
    job: &Job,
    pipeline: &Pipeline,
    source: JobSource<'_>,
    voice: &mut JobReporter,
) -> Option<Unmet> {
    if pipeline.when == When::default() {
        return None;
    }
    let facts = source.facts(site.shared, repo, &job.commit);
    let tell = |what: &str, unmet: &Unmet| voice.warn(ignored(what, unmet));
    whole_commit_unmet_telling(pipeline, &facts, source.forced, tell)
}

/// Of a config that is not valid, runs `after_all`, if that is valid: what the machine keeps of
/// earlier commits may need it. The verdict is that of the error, whatever comes of this.
fn clean_up_after(
    error: Error,
    (site, books): (&JobContext<'_>, RunState<'_>),
    repo: &Repo,
    job: &Job,
    ground: &Ground,
    voice: &mut JobReporter,
    record: &mut Record,
) -> Result<JobResult, Error> {
    let build = &ground.build;
    let Some(loaded) = LoadedPipeline::after_invalid(site.shared, repo, &job.commit, &error) else {
        return Err(error);
    };
    let source = JobSource::of_job(&record.job_id, job);
    record.tags = source.tags(repo, &job.commit);
    voice.warn("invalid config: running only its `after_all`".to_owned());
    if let Err(fault) = export_to(site, repo, &job.commit, ground, voice, &record.job_id) {
        voice.warn(format!("cannot run `after_all`: {}", fault.report()));
        return Err(error);
    }
    let (commit, loaded, desk) = (&job.commit, &loaded, None);
    let mut steps = site.steps(repo, voice, StepInputs { commit, loaded, build, source, desk });
    let begins = |name: StepName| books.lock.announce_step(job.commit.id, name.as_str());
    let walked = steps.walk_after(Outcome::Failure, &begins);
    let outcome = walked.outcome;
    steps.keep(walked, record);
    kept_artifacts::bound(record, build, voice);
    Ok(JobResult::without_build(outcome, Some(error.report())))
}

/// Where a job comes from, beside its commit.
#[derive(Clone, Copy)]
pub(in crate::engine) struct JobSource<'a> {
    /// Its id.
    pub(in crate::engine) run: &'a str,
    /// Why it runs, in a word.
    pub(in crate::engine) trigger: &'a str,
    /// What is being deployed to.
    pub(in crate::engine) environment: Option<&'a str>,
    /// The tag that asks for it.
    pub(in crate::engine) tag: Option<&'a GitString>,
    /// True if `changed` and `message` leave nothing out.
    pub(in crate::engine) forced: bool,
}

impl<'a> JobSource<'a> {
    pub(in crate::engine) fn of_job(run: &'a str, job: &'a Job) -> Self {
        Self {
            run,
            trigger: job.trigger.name(),
            environment: None,
            tag: job.tag.as_ref(),
            forced: matches!(job.trigger, Trigger::Retry | Trigger::Rebuild),
        }
    }

    /// A deployment, or the plan of one.
    pub(in crate::engine) fn of_deployment(run: &'a str, environment: &'a str) -> Self {
        let environment = Some(environment);
        Self { run, trigger: "deploy", environment, tag: None, forced: false }
    }

    /// The tags that name the commit, and the one that asks for the job, sorted.
    pub(in crate::engine) fn tags(&self, repo: &Repo, commit: &Commit) -> Vec<GitString> {
        let named = repo.tags_of(commit.id).unwrap_or_default().into_iter();
        let mut tags: Vec<GitString> = named.map(|tag| GitString::from(tag.as_str())).collect();
        tags.extend(self.tag.filter(|tag| !tags.contains(tag)).cloned());
        tags.sort();
        tags
    }

    /// What is known of the commit before its first step.
    pub(in crate::engine) fn facts(&self, shared: &Shared, repo: &Repo, commit: &Commit) -> Facts {
        let build = shared.workspace().build(&commit.build_name());
        Facts {
            tags: self.tags(repo, commit).iter().map(GitString::to_string).collect(),
            tag: self.tag.map(GitString::to_string),
            export_dir: build.export_dir().to_string_lossy().into_owned(),
            build_dir: build.dir().to_string_lossy().into_owned(),
            repo: shared.root.to_string_lossy().into_owned(),
            job_id: self.run.to_owned(),
            trigger: self.trigger.to_owned(),
            environment: self.environment.map(str::to_owned),
            machine: host_name(),
            ..Facts::of(commit)
        }
    }
}

impl<'a> JobContext<'a> {
    /// Where the steps of these commits run by their own configs, and nothing that is live is
    /// touched.
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

/// What the steps of one commit are made of.
pub(in crate::engine) struct StepInputs<'s, 'a> {
    pub(in crate::engine) commit: &'a Commit,
    pub(in crate::engine) loaded: &'s LoadedPipeline,
    pub(in crate::engine) build: &'a Build,
    pub(in crate::engine) source: JobSource<'a>,
    /// What asks for the approval of a deployment.
    pub(in crate::engine) desk: Option<ApprovalGate>,
}

impl JobContext<'_> {
    /// The call that the job is a part of.
    fn call(&self) -> EngineCall<'_> {
        EngineCall { shared: self.shared, env: self.env }
    }

    /// The same for one job, which can be stopped by itself.
    fn stopped_by<'s>(&'s self, cancel: &'s CancelView) -> JobContext<'s> {
        JobContext { executor: self.executor.clone(), cancel, ..*self }
    }

    /// The steps of a commit, to be done in earnest.
    pub(in crate::engine) fn steps<'s>(
        &self,
        repo: &Repo,
        voice: &JobReporter,
        StepInputs { commit, loaded, build, source, desk }: StepInputs<'s, '_>,
    ) -> Steps<'s> {
        let shared = self.shared;
        let effects = RealEffects {
            executor: self.executor.clone(),
            secrets: shared.secrets(Some(self.events)),
            hooks: shared.options.hooks.clone(),
            desk,
            export_dir: build.export_dir(),
            artifacts: match source.environment {
                Some(_) => build.deploy_artifacts(source.run),
                None => build.artifacts(),
            },
        };
        let context = RequestContext {
            commit: Arc::new(commit.clone()),
            job_id: source.run.into(),
            step: Hook::BeforeBuild.into(),
            label: None,
            export_dir: build.export_dir(),
            deadline: None,
            cancel: self.cancel.with_threshold(1),
        };
        let limits = JobLimits::from_now(shared.settings.job_timeout);
        let (facts, judge) =
            (source.facts(shared, repo, commit), Judge::new(&loaded.pipeline, source.forced));
        let export_dir = build.export_dir().to_string_lossy().into_owned();
        let target = build.dir().to_string_lossy().into_owned();
        let facts = Facts { export_dir, build_dir: target, ..facts };
        let lookups = RepoLookups::new(shared, commit, &facts);
        Steps {
            pipeline: &loaded.pipeline,
            scripts: &loaded.scripts,
            info: JobInfo::new(self.call(), facts, limits, judge),
            context,
            effects: Arc::new(effects),
            lookups: Arc::new(lookups),
            reporter: Arc::new(StepReporter::new(voice)),
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

/// Makes the commit's export anew. From here on the build is of this job, which has not finished.
pub(in crate::engine) fn export_to(
    site: &JobContext<'_>,
    repo: &Repo,
    commit: &Commit,
    ground: &Ground,
    voice: &mut JobReporter,
    run: &str,
) -> Result<(), Error> {
    let (build, started) = (&ground.build, clock::now_ms());
    let export = ExportPlace::named(build.export_name());
    let stamp = JobStamp::begun(run.to_owned(), started, export);
    ground.clear(&stamp)?.iter().for_each(|left| voice.warn(left.to_string()));
    let target = build.export_temp(run);
    let options = ExportOptions { sharing: build.sharing(), ..ExportOptions::default() };
    let exported = export::export(repo, commit.id, &target, &options, site.cancel)?;
    let left = build.publish(run)?;
    left.into_iter().for_each(|left| voice.warn(left.to_string()));
    exported.warnings.into_iter().for_each(|warning| voice.warn(warning));
    let dir = build.export_dir();
    voice.say(EventKind::Exported { dir });
    Ok(())
}

/// Stores the record and then the word, which is the commit point. The log gets its last line in
/// between: whoever follows it to the verdict has then seen all of it.
fn keep(repo: &Repo, job: &Job, record: &mut Record, voice: &mut JobReporter) -> Result<(), Error> {
    let recorded = repo.append_record(record);
    if recorded.is_ok() {
        voice.log_end(record);
    }
    let stored = recorded.and_then(|()| write_verdict(repo, job, record));
    if let Err(error) = &stored {
        lose(record, error);
    }
    if !matches!(stored, Ok(VerdictWrite::Written)) {
        voice.log_end(record);
    }
    stored.map(drop)
}

/// Says of a record what became of it where it, or its word, could not be stored.
fn lose(record: &mut Record, error: &Error) {
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

/// Counts an attempt for good, or not.
fn update_attempts(
    books: RunState<'_>,
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
        Outcome::Error | Outcome::Canceled => books.attempts.take_back(id),
        _ => books.attempts.clear(id),
    }
}

/// Whose word stands in the note.
enum VerdictWrite {
    /// This attempt's, or none where it has no verdict.
    Written,
    /// One that somebody wrote during the run.
    Superseded,
}

/// Writes the word. One that somebody wrote during the run stands, and this attempt is not green
/// unless that one is.
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

/// A name for an attempt that no other has, and that sorts by time.
pub(in crate::engine) fn run_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let random = RandomState::new().hash_one((std::process::id(), Instant::now()));
    format!("{now}-{random:016x}")
}

/// The machine's name, for people.
pub(in crate::engine) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
