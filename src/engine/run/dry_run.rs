//! [`Engine::dry_run`]: a run of one commit that only records its actions.
//!
//! The steps really run, with effects that record actions instead of doing them. So conditions and
//! loops have their real results, unless they depend on the output of a command.

use crate::{
    engine::{
        context::{engine_call::EngineCall, shared::Shared, threads::on_big_thread},
        step::{
            ChangeCheck, DryEffects, JobInfo, JobLimits, Memory, RepoLookups, Steps, WalkResult,
            scripts::LoadedPipeline,
        },
    },
    model::{
        cancel::{CancelToken, CancelView},
        commit::{Commit, CommitId},
        dry_run::{Action, Assumption, DryRun, StepDryRun},
        error::Error,
        job::{Job, Trigger},
        outcome::Outcome,
        pipeline::{Phase, StepName},
        record::Record,
        request_context::RequestContext,
        step::{Denied, Facts, Failed, Progress, StepResult},
    },
    repo::Repo,
    rules::mask::Masks,
};
use std::sync::Arc;

use super::attempt::JobSource;

/// The job id of a plan.
const PLAN: &str = "plan";

pub(in crate::engine) fn dry_run(
    call: EngineCall<'_>,
    revision: &str,
    assume: &[(String, String)],
) -> Result<DryRun, Error> {
    let repo = call.shared.repo()?;
    let commit = repo.commit(repo.resolve(revision)?)?;
    let job = Job::new(commit, Trigger::Named);
    dry_run_job(call, &repo, &job, assume)
}

/// Returns what a job would do by the config of its commit.
pub(in crate::engine) fn dry_run_job(
    call: EngineCall<'_>,
    repo: &Repo,
    job: &Job,
    assume: &[(String, String)],
) -> Result<DryRun, Error> {
    let error = match LoadedPipeline::load(call.shared, repo, &job.commit) {
        Ok(loaded) => {
            return match lacking_secret(call, repo, job, &loaded)? {
                Some((_, error)) => Ok(without_verdict(job, &error)),
                None => self::job(call, repo, job, &loaded, assume),
            };
        }
        Err(error) => error,
    };
    let Some(loaded) = LoadedPipeline::after_invalid(call.shared, repo, &job.commit, &error) else {
        return Err(error);
    };
    let dry = DryJob::new(call, repo, job, &loaded, assume);
    let dry_run = dry.dry_run(|steps| steps.walk_after(Outcome::Failure, &|_| {}));
    Ok(DryRun { reason: Some(error.report()), ..dry_run })
}

/// Returns the dry run of a job that ends before its first step, because the server lacks
/// something.
fn without_verdict(job: &Job, error: &Error) -> DryRun {
    let (outcome, reason) = (Some(Outcome::Error), Some(error.report()));
    DryRun { commit: job.commit.id, outcome, reason, left_out: Vec::new(), steps: Vec::new() }
}

/// Returns true unless it is certain that none of these steps would run.
pub(in crate::engine) fn may_run(dry: &DryRun, steps: &[StepName]) -> bool {
    let runs =
        |step: &StepDryRun| steps.contains(&step.name) && step.outcome != Some(Outcome::Skipped);
    let is_unknown =
        |action: &Action| matches!(action, Action::Command { output: Assumption::Unknown, .. });
    let is_uncertain = |step: &StepDryRun| {
        step.hook_callbacks > 0 || step.ends.is_some() || step.actions.iter().any(is_unknown)
    };
    dry.outcome == Some(Outcome::Error)
        || dry.steps.iter().any(|step| runs(step) || is_uncertain(step))
}

/// Returns what a job would do.
pub(in crate::engine) fn job(
    call: EngineCall<'_>,
    repo: &Repo,
    job: &Job,
    loaded: &LoadedPipeline,
    assume: &[(String, String)],
) -> Result<DryRun, Error> {
    let dry = DryJob::new(call, repo, job, loaded, assume);
    Ok(dry.dry_run(|steps| match steps.whole_commit_unmet() {
        None => steps.walk(&|_| {}),
        Some(unmet) => steps.skip_commit(&unmet),
    }))
}

/// Returns the first secret that a job would request and that the server certainly lacks, with the
/// error. Most configs name no secret, so this is cheap.
pub(in crate::engine) fn lacking_secret(
    call: EngineCall<'_>,
    repo: &Repo,
    job: &Job,
    loaded: &LoadedPipeline,
) -> Result<Option<(String, Error)>, Error> {
    let secrets = call.shared.secrets(None);
    let steps = loaded.pipeline.steps().filter(|step| step.name != Phase::Deploy.into());
    let mut named = steps.flat_map(|step| &step.secrets).chain(loaded.scripts.secrets());
    if named.all(|name| secrets.check_exists(name).is_ok()) {
        return Ok(None);
    }
    let mut dry = DryJob::new(call, repo, job, loaded, &[]);
    if dry.steps.whole_commit_unmet().is_some() {
        return Ok(None);
    }
    dry.steps.walk(&|_| {});
    let missing = dry.steps.memory.missing_secret();
    let with_error = |name: String| match secrets.check_exists(&name) {
        Err(Denied::Fault(error)) => Some((name, error)),
        _ => None,
    };
    Ok(missing.and_then(with_error))
}

/// A job that is only planned.
struct DryJob<'a> {
    commit: CommitId,
    dry: DryBackend,
    steps: Steps<'a>,
}

impl<'a> DryJob<'a> {
    fn new(
        call: EngineCall<'_>,
        repo: &Repo,
        job: &Job,
        loaded: &'a LoadedPipeline,
        assume: &[(String, String)],
    ) -> Self {
        let (source, commit) = (JobSource::of_job(PLAN, job), &job.commit);
        let facts = source.facts(call.shared, repo, commit);
        let change_check = ChangeCheck::new(&loaded.pipeline, source.forced);
        let dry = DryBackend::new(call.shared, commit, &facts, assume, false);
        let steps = dry.steps(call, commit, loaded, JobFacts { facts, change_check });
        Self { commit: commit.id, dry, steps }
    }

    fn dry_run(mut self, walk: impl FnOnce(&mut Steps<'a>) -> WalkResult) -> DryRun {
        let walked = walk(&mut self.steps);
        let reason = walked.skip_reason();
        let left_out = walked.left_out;
        let steps = self.dry.dry_runs(walked.steps);
        let is_known = steps.iter().all(|step| step.ends.is_none());
        let outcome = is_known.then_some(walked.outcome);
        DryRun { commit: self.commit, outcome, reason, left_out, steps }
    }
}

/// The dry run of a deployment.
pub(in crate::engine) struct DeployDryRun {
    /// The deploy phase; empty if the config has none.
    pub(in crate::engine) steps: Vec<StepDryRun>,
    /// Whether it would request an approval; `None` if the dry run ends before that is known.
    pub(in crate::engine) asks_for_approval: Option<bool>,
    /// True if its conditions or its script skip it before any action.
    pub(in crate::engine) skips: bool,
}

/// Returns what the deployment of a commit would do if every command passed. `run` is the record
/// of the job whose build is deployed.
pub(in crate::engine) fn dry_deploy(
    call: EngineCall<'_>,
    repo: &Repo,
    commit: &Commit,
    loaded: &LoadedPipeline,
    environment: &str,
    assume: &[(String, String)],
    run: Option<&Record>,
) -> Result<DeployDryRun, Error> {
    let source = JobSource::of_deployment(PLAN, environment);
    let facts = source.facts(call.shared, repo, commit);
    let change_check = ChangeCheck::new(&loaded.pipeline, source.forced);
    let dry = DryBackend::new(call.shared, commit, &facts, assume, true);
    let mut steps = dry.steps(call, commit, loaded, JobFacts { facts, change_check });
    if let Some(run) = run {
        steps.recall(run);
    }
    let step =
        on_big_thread("tinyci plan", || Ok(steps.step(Phase::Deploy.into(), Outcome::Success)))?;
    let is_asked = dry.effects.asks_for_approval();
    let steps = dry.dry_runs(step.into_iter().collect());
    let only_decides =
        |step: &StepDryRun| step.actions.iter().all(|it| matches!(it, Action::Decision { .. }));
    let skips = |step: &StepDryRun| step.outcome == Some(Outcome::Skipped) && only_decides(step);
    // No approval is requested after a command.
    let may_ask = |step: &StepDryRun| step.ends.is_some() && !step.actions.iter().any(is_command);
    let asks_for_approval = (is_asked || !steps.iter().any(may_ask)).then_some(is_asked);
    Ok(DeployDryRun { asks_for_approval, skips: steps.iter().any(skips), steps })
}

fn is_command(action: &Action) -> bool {
    matches!(action, Action::Command { .. })
}

/// Facts about the job of planned steps.
struct JobFacts {
    facts: Facts,
    change_check: ChangeCheck,
}

/// Effects and lookups of planned steps.
struct DryBackend {
    effects: Arc<DryEffects>,
    lookups: Arc<RepoLookups>,
}

impl DryBackend {
    fn new(
        shared: &Shared,
        commit: &Commit,
        facts: &Facts,
        assume: &[(String, String)],
        deploys: bool,
    ) -> Self {
        let export_dir = &facts.export_dir;
        let lookups = Arc::new(RepoLookups::new(shared, commit, facts));
        let effects = DryEffects::new(shared, assume, deploys, lookups.clone(), export_dir);
        Self { effects: Arc::new(effects), lookups }
    }

    fn steps<'a>(
        &self,
        call: EngineCall<'_>,
        commit: &Commit,
        loaded: &'a LoadedPipeline,
        JobFacts { facts, change_check }: JobFacts,
    ) -> Steps<'a> {
        let context = RequestContext {
            commit: Arc::new(commit.clone()),
            job_id: PLAN.into(),
            step: Phase::Build.into(),
            label: None,
            export_dir: facts.export_dir.clone().into(),
            deadline: None,
            cancel: CancelView::new(&CancelToken::new(), 1),
        };
        Steps {
            pipeline: &loaded.pipeline,
            scripts: &loaded.scripts,
            info: JobInfo::new(call, facts, JobLimits::default(), change_check),
            context,
            effects: self.effects.clone(),
            lookups: self.lookups.clone(),
            reporter: self.effects.clone(),
            memory: Arc::new(Memory::default()),
            masks: Masks::default(),
            vars: call.shared.options.registrations.vars.clone(),
            progress: Progress::default(),
            command_timeout: None,
            nice: 0,
            by_hand: false,
        }
    }

    /// Returns what the steps would do.
    fn dry_runs(&self, steps: Vec<StepResult>) -> Vec<StepDryRun> {
        let actions = self.effects.take_steps();
        let dry_run = |(step, actions): (StepResult, Vec<Action>)| {
            let name: StepName = step.record.name;
            // The error itself is not masked; the record is.
            let report = step.record.error.filter(|_| step.error.is_some());
            let refused = step.failures.first().and_then(refusal);
            let reason = report.or(step.reason).or(refused);
            StepDryRun {
                name,
                hook_callbacks: self.effects.hooks.count(name),
                outcome: step.ends.is_none().then_some(step.record.outcome),
                reason: reason.map(|reason| self.effects.shown(&reason)),
                ends: step.ends,
                actions,
            }
        };
        steps.into_iter().zip(actions).map(dry_run).collect()
    }
}

/// Returns the error text of a command that certainly fails.
fn refusal(failed: &Failed) -> Option<String> {
    let Failed { failure, tail } = failed;
    let (command, exit) = failure.command.as_ref().zip(failure.exit)?;
    Some(format!("`{command}` {exit}: {}", tail.trim()))
}
