//! [`Engine::dry_run`]: a run of one commit in which everything is decided and nothing is done.
//!
//! The steps really run, over effects that write down what would be done. So predicates and loops
//! come to what they would come to, as far as that does not depend on what a command writes.

use crate::{
    engine::{
        context::{engine_call::EngineCall, shared::Shared, threads::on_big_thread},
        step::{
            DryEffects, JobInfo, JobLimits, Judge, Memory, RepoLookups, Steps, Walked,
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

/// What the job id of a plan is.
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

/// What a job would do by the config of its commit.
pub(in crate::engine) fn dry_run_job(
    call: EngineCall<'_>,
    repo: &Repo,
    job: &Job,
    assume: &[(String, String)],
) -> Result<DryRun, Error> {
    let error = match LoadedPipeline::load(call.shared, repo, &job.commit) {
        Ok(loaded) => {
            let (shared, pipeline) = (call, &loaded);
            return match lacking_secret(shared, repo, job, pipeline)? {
                Some((_, error)) => Ok(without_verdict(job, &error)),
                None => self::job(shared, repo, job, pipeline, assume),
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

/// A job that ends before its first step, since the machine lacks something.
fn without_verdict(job: &Job, error: &Error) -> DryRun {
    let (outcome, reason) = (Some(Outcome::Error), Some(error.report()));
    DryRun { commit: job.commit.id, outcome, reason, left_out: Vec::new(), steps: Vec::new() }
}

/// True unless it is certain that none of these steps would run in a dry run's job.
pub(in crate::engine) fn may_run(dry: &DryRun, steps: &[StepName]) -> bool {
    let runs =
        |step: &StepDryRun| steps.contains(&step.name) && step.outcome != Some(Outcome::Skipped);
    let is_unknown =
        |act: &Action| matches!(act, Action::Command { output: Assumption::Unknown, .. });
    let is_open = |step: &StepDryRun| {
        step.hook_callbacks > 0 || step.ends.is_some() || step.actions.iter().any(is_unknown)
    };
    dry.outcome == Some(Outcome::Error) || dry.steps.iter().any(|step| runs(step) || is_open(step))
}

/// What a job would do.
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
        Some(unmet) => steps.left_out_whole(&unmet),
    }))
}

/// The first secret that a job would ask for and that the server certainly lacks, with what is said
/// of it. Most configs name none, which costs nothing.
pub(in crate::engine) fn lacking_secret(
    call: EngineCall<'_>,
    repo: &Repo,
    job: &Job,
    loaded: &LoadedPipeline,
) -> Result<Option<(String, Error)>, Error> {
    let secrets = call.shared.secrets(None);
    let steps = loaded.pipeline.steps().filter(|step| step.name != Phase::Deploy.into());
    let mut named = steps.flat_map(|step| &step.secrets).chain(loaded.scripts.secrets());
    if named.all(|name| secrets.check_there(name).is_ok()) {
        return Ok(None);
    }
    let mut dry = DryJob::new(call, repo, job, loaded, &[]);
    if dry.steps.whole_commit_unmet().is_some() {
        return Ok(None);
    }
    dry.steps.walk(&|_| {});
    let lacking = dry.steps.memory.lacking();
    let fault = |name: String| match secrets.check_there(&name) {
        Err(Denied::Fault(error)) => Some((name, error)),
        _ => None,
    };
    Ok(lacking.and_then(fault))
}

/// A job of which only a plan is made.
struct DryJob<'a> {
    commit: CommitId,
    dry: DryStage,
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
        let judge = Judge::new(&loaded.pipeline, source.forced);
        let dry = DryStage::new(call.shared, commit, &facts, assume, false);
        let steps = dry.steps(call, commit, loaded, JobFacts { facts, judge });
        Self { commit: commit.id, dry, steps }
    }

    fn dry_run(mut self, walk: impl FnOnce(&mut Steps<'a>) -> Walked) -> DryRun {
        let walked = walk(&mut self.steps);
        let reason = walked.skip_reason();
        let left_out = walked.left_out;
        let steps = self.dry.dry_runs(walked.steps);
        let is_known = steps.iter().all(|step| step.ends.is_none());
        let outcome = is_known.then_some(walked.outcome);
        DryRun { commit: self.commit, outcome, reason, left_out, steps }
    }
}

/// What a deployment would do.
pub(in crate::engine) struct DeployDryRun {
    /// The deploy phase; empty if the config has none.
    pub(in crate::engine) steps: Vec<StepDryRun>,
    /// Whether it would ask for an approval; none if the dry run ends before that is known.
    pub(in crate::engine) asks_for_approval: Option<bool>,
    /// True if its conditions leave it out, or its script, before anything was done.
    pub(in crate::engine) skips: bool,
}

/// What the deployment of a commit would do if every command passed. `run` is the record of the
/// run whose build it is.
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
    let judge = Judge::new(&loaded.pipeline, source.forced);
    let dry = DryStage::new(call.shared, commit, &facts, assume, true);
    let mut steps = dry.steps(call, commit, loaded, JobFacts { facts, judge });
    if let Some(run) = run {
        steps.recall(run);
    }
    let step =
        on_big_thread("tinyci plan", || Ok(steps.step(Phase::Deploy.into(), Outcome::Success)))?;
    let asks = dry.effects.asks_for_approval();
    let steps = dry.dry_runs(step.into_iter().collect());
    let only_decides =
        |step: &StepDryRun| step.actions.iter().all(|it| matches!(it, Action::Decision { .. }));
    let skips = |step: &StepDryRun| step.outcome == Some(Outcome::Skipped) && only_decides(step);
    // An approval cannot be asked for after a command.
    let may_ask = |step: &StepDryRun| step.ends.is_some() && !step.actions.iter().any(is_command);
    let asks_for_approval = (asks || !steps.iter().any(may_ask)).then_some(asks);
    Ok(DeployDryRun { asks_for_approval, skips: steps.iter().any(skips), steps })
}

fn is_command(act: &Action) -> bool {
    matches!(act, Action::Command { .. })
}

/// What the steps of a plan know of their job.
struct JobFacts {
    facts: Facts,
    judge: Judge,
}

/// What stands behind the steps of a plan.
struct DryStage {
    effects: Arc<DryEffects>,
    lookups: Arc<RepoLookups>,
}

impl DryStage {
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
        JobFacts { facts, judge }: JobFacts,
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
            info: JobInfo::new(call, facts, JobLimits::default(), judge),
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

    /// What the steps would do.
    fn dry_runs(&self, steps: Vec<StepResult>) -> Vec<StepDryRun> {
        let acts = self.effects.take_steps();
        let dry_run = |(step, acts): (StepResult, Vec<Action>)| {
            let name: StepName = step.record.name;
            // The error itself still holds what was masked in the record.
            let report = step.record.error.filter(|_| step.error.is_some());
            let refused = step.failures.first().and_then(refusal);
            let reason = report.or(step.reason).or(refused);
            StepDryRun {
                name,
                hook_callbacks: self.effects.hooks.count(name),
                outcome: step.ends.is_none().then_some(step.record.outcome),
                reason: reason.map(|reason| self.effects.shown(&reason)),
                ends: step.ends,
                actions: acts,
            }
        };
        steps.into_iter().zip(acts).map(dry_run).collect()
    }
}

/// Why a command certainly fails: what would be said in its place.
fn refusal(failed: &Failed) -> Option<String> {
    let Failed { failure, tail } = failed;
    let (command, exit) = failure.command.as_ref().zip(failure.exit)?;
    Some(format!("`{command}` {exit}: {}", tail.trim()))
}
