//! One deployment: finds its build, takes the environment's lock, writes the first entry, runs the
//! phase, writes the last entry.

use crate::{
    engine::{
        context::{
            approval_gate::ApprovalGate, engine_call::EngineCall, job_reporter::JobReporter,
            process_env::ProcessEnv, pump::Sender, shared::Shared,
        },
        run::{
            attempt::{self, JobContext, JobSource, StepInputs},
            driver::prepare_builds,
            live::{self, ExportTarget},
            reports,
        },
    },
    model::{
        cancel::CancelView,
        commit::CommitId,
        deployment::{BuildState, DeployOutcome, DeployRequest, Deployment},
        error::{Error, ErrorKind},
        event::EventKind,
        outcome::Outcome,
        pipeline::Phase,
        record::Record,
        request_context::RequestContext,
        step::StepResult,
    },
    process::{Guard, account_name, own_account},
    repo::Repo,
    rules::ledger::DeploymentHistory,
    util::clock,
    workspace::{Build, BuildLock, DeployLock, ExportPlace, JobStamp},
};
use std::sync::Arc;

use super::{
    super::step::{JobLimits, Steps},
    build::{self, Found},
    candidate::{Candidate, CandidateSearch},
    identity::Identity,
    rebuild::{Rebuilt, rebuild},
};

/// How often the build directory is checked again because other processes changed its export.
const ATTEMPTS_MAX: usize = 8;

/// Deploys, unless another deployment to the environment is in progress. A missing build is made
/// again first.
pub(in crate::engine) fn deploy(
    shared: &Shared,
    env: &ProcessEnv,
    environment: &str,
    request: &DeployRequest,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Deployment, Error> {
    let repo = shared.writable_repo()?;
    shared.workspace().own_builds()?;
    for message in repo.restore_refs()? {
        events.emit(EventKind::Warning { message });
    }
    check_free(shared, environment)?;
    if let Some(message) = repo.head_fault()? {
        events.emit(EventKind::Warning { message });
    }
    let provided = provide(shared, env, environment, request, cancel, events)?;
    let deployment = match &provided.failed {
        Some(failed) => failed.clone(),
        None => {
            let lock = shared.workspace().deploy_lock(environment)?;
            let lock = lock.ok_or_else(|| busy(environment))?;
            deploy_under(shared, env, lock, environment, &provided, cancel, events)?
        }
    };
    provided.test_for_others(shared, env, cancel, events);
    let outcome = deployment.outcome.outcome();
    events.emit(EventKind::Finished { outcome });
    Ok(deployment)
}

/// Fails if a deployment cannot begin now. The check is repeated under the lock.
fn check_free(shared: &Shared, environment: &str) -> Result<(), Error> {
    if shared.workspace().is_deploying(environment)? {
        return Err(busy(environment));
    }
    let ledger = shared.repo()?.deploy_history(environment)?.history;
    let Some(open) = ledger.interrupted() else { return Ok(()) };
    // A killed deployment may still have processes that are ending.
    let lock = shared.workspace().deploy_lock(environment)?.ok_or_else(|| busy(environment))?;
    lock.release();
    Err(locked(open))
}

/// A request whose build exists, if it needs one.
pub(super) struct Provided {
    request: DeployRequest,
    /// The job that made the build again for this request.
    rebuilt: Option<Rebuilt>,
    /// The deployment that did not begin, because its build could not be made again.
    pub(super) failed: Option<Deployment>,
}

impl Provided {
    /// Tests what other processes requested while the build was made.
    pub(super) fn test_for_others(
        &self,
        shared: &Shared,
        env: &ProcessEnv,
        cancel: &CancelView,
        events: &Sender,
    ) {
        if let Some(rebuilt) = &self.rebuilt {
            rebuilt.test_for_others(shared, env, cancel, events);
        }
    }
}

/// Provides the build of a commit before its deployment begins.
pub(super) fn provide(
    shared: &Shared,
    env: &ProcessEnv,
    environment: &str,
    request: &DeployRequest,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Provided, Error> {
    let decision = Decision::new(shared, env, environment, request)?;
    let Decision { repo, candidate, deployment, .. } = decision;
    let reason = match request.bare {
        true => None,
        false => build::rebuild_reason(shared, &repo, &candidate, &deployment.id, cancel)?,
    };
    let Some(reason) = reason else {
        return Ok(Provided { request: request.clone(), rebuilt: None, failed: None });
    };
    let rebuilt = rebuild(shared, env, &candidate, &deployment.id, cancel, events)?;
    let request = DeployRequest {
        revision: Some(candidate.commit.id.to_string()),
        expected: Some(deployment.previous),
        ..request.clone()
    };
    let Some(rebuilt) = rebuilt else {
        return Ok(Provided { request, rebuilt: None, failed: None });
    };
    let failed = match rebuilt.is_build(&candidate) {
        true => None,
        false => {
            let outcome = rebuilt.record.outcome;
            Some(not_begun(shared, &candidate, deployment, reason, outcome, events))
        }
    };
    Ok(Provided { request, rebuilt: Some(rebuilt), failed })
}

/// Reports and returns a deployment that does not begin, because its build could not be made
/// again.
fn not_begun(
    shared: &Shared,
    candidate: &Candidate,
    mut deployment: Deployment,
    reason: BuildState,
    outcome: Outcome,
    events: &Sender,
) -> Deployment {
    deployment.finished = Some(clock::now_ms());
    deployment.outcome = match outcome {
        Outcome::Canceled => DeployOutcome::Canceled,
        _ => DeployOutcome::Failure,
    };
    let state = match reason {
        BuildState::OtherBranch { .. } => "of another branch",
        _ => "missing",
    };
    let reason = format!("its build was {state}, and the rebuild ended as {outcome}");
    deployment.reason = Some(reason.clone());
    let workspace = shared.workspace();
    let logs = shared.logs(&workspace, false);
    let mut reporter = JobReporter::new(events, &logs, &candidate.commit, &deployment.id);
    reporter.warn(reason);
    let ended = Box::new(deployment.clone());
    reporter.emit(EventKind::DeployFinished { deployment: ended });
    deployment
}

pub(in crate::engine) fn busy(environment: &str) -> Error {
    let message = format!("a deployment to `{environment}` is in progress");
    Error::new(ErrorKind::Busy, message).with_hint("`tinyci deployments` shows it")
}

/// Deploys under the environment's lock, and releases it.
pub(super) fn deploy_under(
    shared: &Shared,
    env: &ProcessEnv,
    lock: DeployLock,
    environment: &str,
    provided: &Provided,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Deployment, Error> {
    let guard = Arc::new(Guard::new(Some(lock.share()?)));
    let workspace = shared.workspace();
    let logs = shared.logs(&workspace, false);
    let context =
        JobContext::new(EngineCall { shared, env }, &workspace, &logs, &guard, cancel, events);
    let done = Attempt::new(&context, environment, provided).and_then(Attempt::run);
    // The guard shares the lock, so the lock stays taken until the guard is gone.
    guard.finish();
    lock.release();
    done
}

/// Returns the error for an environment whose last deployment was interrupted.
pub(in crate::engine) fn locked(open: &Deployment) -> Error {
    let message = format!(
        "the deployment of {} to `{}` by {} was interrupted, and its effects are unknown",
        open.commit.short(),
        open.environment,
        open.deployed_by
    );
    let hint =
        format!("check `{0}`, then run `tinyci deploy --to {0} --unlock REASON`", open.environment);
    Error::new(ErrorKind::Busy, message).with_hint(hint)
}

/// Returns the error for a commit that would remove the deployed commit, and that the caller did
/// not name.
fn must_be_named(candidate: &Candidate, environment: &str, deployed: Option<CommitId>) -> Error {
    let (id, deployed) = (candidate.commit.id.short(), deployed.map(|id| id.short()));
    let message = format!(
        "refusing to replace {} in `{environment}`: it is not on a branch that deploys there, and \
         would be lost",
        deployed.unwrap_or_default()
    );
    let hint = format!("`tinyci deploy {id} --to {environment}` deploys {id} anyway");
    Error::new(ErrorKind::InvalidArg, message).with_hint(hint)
}

/// The commit to deploy, and the person who deploys it.
struct Decision {
    repo: Repo,
    candidate: Candidate,
    identity: Identity,
    /// The deployment as it would begin.
    deployment: Deployment,
}

impl Decision {
    fn new(
        shared: &Shared,
        env: &ProcessEnv,
        environment: &str,
        request: &DeployRequest,
    ) -> Result<Self, Error> {
        let repo = shared.repo()?;
        let ledger = repo.deploy_history(environment)?.history;
        let deployed = ledger.running().map(|running| running.commit);
        if let Some(expected) = request.expected.filter(|expected| *expected != deployed) {
            return Err(outdated(environment, expected, deployed));
        }
        let candidate =
            CandidateSearch { shared, repo: &repo, environment }.candidate(request, &ledger)?;
        if candidate.removes_deployed {
            return Err(must_be_named(&candidate, environment, deployed));
        }
        let identity = Identity::of(shared, &repo, request.by.as_ref(), env);
        let build = shared.workspace().build(&candidate.commit.build_name());
        let deployment = Deployment {
            id: attempt::new_id(),
            environment: environment.to_owned(),
            commit: candidate.commit.id,
            previous: deployed,
            outcome: DeployOutcome::Running,
            reason: None,
            failures: Vec::new(),
            forced: candidate.is_forced(),
            rollback: request.rollback,
            bare: request.bare,
            export: build.export_name().to_owned(),
            approved_by: None,
            approval_proof: None,
            signed_by: candidate.signed_by.clone(),
            config_blob: candidate.config.clone(),
            started: clock::now_ms(),
            finished: None,
            deployed_by: identity.to_string(),
            account: Some(account_name(own_account(), &env.passed)),
            remote: None,
            unknown_fields: Default::default(),
        };
        Ok(Self { repo, candidate, identity, deployment })
    }
}

/// Returns the error for a plan after which another commit was deployed.
fn outdated(environment: &str, expected: Option<CommitId>, found: Option<CommitId>) -> Error {
    let name = |id: Option<CommitId>| id.map_or_else(|| "nothing".to_owned(), |id| id.short());
    let message = format!(
        "the plan is outdated: {} is deployed to `{environment}`, not {}",
        name(found),
        name(expected)
    );
    let hint = format!("`tinyci deploy --to {environment} --dry-run` makes a new plan");
    Error::new(ErrorKind::Busy, message).with_hint(hint)
}

/// A deployment whose commit is chosen.
struct Attempt<'a> {
    context: &'a JobContext<'a>,
    repo: Repo,
    candidate: Candidate,
    identity: Identity,
    approval_gate: ApprovalGate,
    deployment: Deployment,
    /// The record of the job that made the build again for this deployment.
    made: Option<&'a Record>,
}

impl<'a> Attempt<'a> {
    fn new(
        context: &'a JobContext<'a>,
        environment: &str,
        provided: &'a Provided,
    ) -> Result<Self, Error> {
        let shared = context.shared;
        let repo = shared.repo()?;
        for message in repo.restore_refs()? {
            context.events.emit(EventKind::Warning { message });
        }
        if let Some(open) = repo.deploy_history(environment)?.history.interrupted() {
            return Err(locked(open));
        }
        let decision = Decision::new(shared, context.env, environment, &provided.request)?;
        let Decision { repo, candidate, identity, deployment } = decision;
        let approval_gate = ApprovalGate {
            root: shared.root.clone(),
            environment: environment.to_owned(),
            commit: candidate.commit.id,
            config: candidate.config.clone(),
            host: shared.options.approvals.clone().map(|ask| (ask, context.events.clone())),
            approvals: shared.approvals(context.env),
            answer: Arc::default(),
        };
        let made = provided.rebuilt.as_ref().map(|rebuilt| &rebuilt.record);
        Ok(Self { context, repo, candidate, identity, approval_gate, deployment, made })
    }

    fn run(mut self) -> Result<Deployment, Error> {
        let (context, commit) = (self.context, self.candidate.commit.clone());
        let id = self.deployment.id.clone();
        let mut reporter = JobReporter::new(context.events, context.logs, &commit, &id);
        let is_required = self.approval_gate.is_required(&self.candidate.rules);
        if is_required && !self.approval_gate.ask(None, &self.request_context())? {
            return self.await_approval(&mut reporter);
        }
        self.note_approval();
        self.deployment.export = self.export_name()?;
        let begun = self.deployment.clone();
        self.record(|ledger| match ledger.interrupted() {
            Some(open) => Err(locked(open)),
            None => Ok(Some(begun.clone())),
        })?;
        let prepared = prepare_builds(context.shared, context.workspace, &self.repo);
        let build = self.build();
        let is_canceled = || context.cancel.is_canceled();
        // Restored before the log is opened, because the log may be in the archive.
        let restored = prepared.and_then(|()| self.restore());
        let build_lock = restored.and_then(|()| build.share(&is_canceled));
        if build_lock.is_ok() {
            reporter.open_log(&build, &commit);
        }
        let started = Box::new(begun.clone());
        context.env.take_notices().into_iter().for_each(|notice| reporter.warn(notice));
        reporter.emit(EventKind::DeployStarted { deployment: started });
        let ended = build_lock.and_then(|build_lock| self.phase(build_lock, &mut reporter));
        self.set_outcome(ended, &mut reporter);
        let ended = self.deployment.clone();
        self.record(|_| Ok(Some(ended.clone()))).map_err(|error| {
            let message = format!(
                "{}, but cannot record that, so it counts as interrupted",
                self.deployment.sentence()
            );
            Error::new(error.kind(), message).with_source(error)
        })?;
        self.remove_unused_exports(&mut reporter);
        let ended = Box::new(self.deployment.clone());
        reporter.emit(EventKind::DeployFinished { deployment: ended });
        reporter.report_log_fault();
        Ok(self.deployment)
    }

    /// Removes the exports of this commit and of the previous one that are no longer deployed.
    fn remove_unused_exports(&self, reporter: &mut JobReporter) {
        let before = self.deployment.previous.filter(|from| *from != self.deployment.commit);
        let before = before.map(|id| self.repo.commit_for(id, None)).transpose();
        let not_removed = before.and_then(|before| {
            let mut not_removed = Vec::new();
            for commit in before.iter().chain([&self.candidate.commit]) {
                not_removed.extend(live::remove_unused_exports(
                    self.context.shared,
                    &self.repo,
                    commit,
                )?);
            }
            Ok(not_removed)
        });
        match not_removed {
            Ok(not_removed) => not_removed.iter().for_each(|it| reporter.warn(it.to_string())),
            Err(error) => reporter.warn(format!(
                "cannot remove an export that is no longer deployed: {}",
                error.report()
            )),
        }
    }

    /// Returns the context of the approval request before the phase.
    fn request_context(&self) -> RequestContext {
        let commit = &self.candidate.commit;
        RequestContext {
            commit: Arc::new(commit.clone()),
            job_id: self.deployment.id.as_str().into(),
            step: Phase::Deploy.into(),
            label: None,
            export_dir: self.build().export_dir(),
            deadline: None,
            cancel: self.context.cancel.with_threshold(1),
        }
    }

    /// Records that the deployment awaits approval. Repeated attempts are recorded only once.
    fn await_approval(mut self, reporter: &mut JobReporter) -> Result<Deployment, Error> {
        self.deployment.outcome = DeployOutcome::AwaitingApproval;
        self.deployment.reason = self.waiting_reason(None, reporter);
        self.deployment.finished = Some(self.deployment.started);
        let waiting = self.deployment.clone();
        self.record(|ledger| {
            let is_recorded = ledger.deployments.first().is_some_and(|newest| {
                let same =
                    (newest.commit, &newest.config_blob) == (waiting.commit, &waiting.config_blob);
                same && newest.outcome == DeployOutcome::AwaitingApproval
            });
            Ok((!is_recorded).then(|| waiting.clone()))
        })?;
        let ended = Box::new(self.deployment.clone());
        reporter.emit(EventKind::DeployFinished { deployment: ended });
        Ok(self.deployment)
    }

    /// Copies the approver and the proof into the deployment.
    fn note_approval(&mut self) {
        let given = self.approval_gate.answer().given_by;
        let (by, proof) = given.unzip();
        (self.deployment.approved_by, self.deployment.approval_proof) = (by, proof);
    }

    /// Warns about approvals that do not count, and returns them together with the question.
    fn waiting_reason(
        &self,
        question: Option<String>,
        reporter: &mut JobReporter,
    ) -> Option<String> {
        let problems = self.approval_gate.answer().problems;
        problems.iter().for_each(|problem| reporter.warn(problem.clone()));
        let reasons: Vec<String> = question.into_iter().chain(problems).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn record(
        &self,
        entry: impl Fn(&DeploymentHistory) -> Result<Option<Deployment>, Error>,
    ) -> Result<(), Error> {
        self.repo.record_deployment(&self.deployment.environment, &self.identity, entry)
    }

    /// Returns the commit's build with its current export.
    fn build(&self) -> Build {
        self.context.workspace.build(&self.candidate.commit.build_name())
    }

    /// Runs the deploy phase in the commit's export.
    fn phase(
        &mut self,
        build_lock: BuildLock,
        reporter: &mut JobReporter,
    ) -> Result<StepResult, Error> {
        let (build, _build_lock) = self.prepare(build_lock, reporter)?;
        build.export_name().clone_into(&mut self.deployment.export);
        let (context, candidate) = (self.context, &self.candidate);
        let source = JobSource::of_deployment(&self.deployment.id, &self.deployment.environment);
        let mut steps = context.steps(
            &self.repo,
            reporter,
            StepInputs {
                commit: &candidate.commit,
                loaded: &candidate.loaded,
                build: &build,
                source,
                limits: JobLimits::from_now(context.shared.settings.job_timeout),
                approval_gate: Some(self.approval_gate.clone()),
            },
        );
        if let Some(record) = self.record_of_build()? {
            steps.recall(&record);
        }
        let result = steps.step(Phase::Deploy.into(), Outcome::Success);
        self.discard_export(&steps, &build, reporter)?;
        result.ok_or_else(|| Error::new(ErrorKind::Canceled, "canceled before the first command"))
    }

    /// Removes the deployed export if the script requested that and nothing else needs it.
    fn discard_export(
        &self,
        steps: &Steps<'_>,
        build: &Build,
        reporter: &mut JobReporter,
    ) -> Result<(), Error> {
        if !steps.discards_export() {
            return Ok(());
        }
        let (id, environment) = (self.candidate.commit.id, &self.deployment.environment);
        let (shared, repo) = (self.context.shared, &self.repo);
        if let Some(reason) = live::reason_to_keep_export(shared, repo, build, id, environment)? {
            reporter.warn(format!("keeping the export: {reason}"));
            return Ok(());
        }
        steps.remove_export(build, reporter);
        let current = self.build();
        if current.export_name() == build.export_name()
            && let Some(stamp) = current.stamp()
        {
            current.write_stamp(&JobStamp { export: ExportPlace::Discarded, ..stamp })?;
        }
        Ok(())
    }

    /// Returns the record of the job whose build is deployed.
    fn record_of_build(&self) -> Result<Option<Record>, Error> {
        match self.made {
            Some(made) => Ok(Some(made.clone())),
            None => reports::record_of(&self.repo, self.candidate.commit.id),
        }
    }

    /// Returns the future name of the export, so that an interrupted deployment has it on record.
    fn export_name(&self) -> Result<String, Error> {
        let build = self.build();
        Ok(match self.find()? {
            Found::Here | Found::Not(BuildState::Missing { .. }) => build.export_name().to_owned(),
            Found::Packed => match build.packed_stamp() {
                Some(stamp) => stamp.export.name().to_owned(),
                None => build.export_name().to_owned(),
            },
            Found::Not(_) => Build::name_beside(&self.deployment.id),
        })
    }

    fn find(&self) -> Result<Found, Error> {
        if self.deployment.bare {
            return Ok(Found::Not(BuildState::Bare));
        }
        build::find(self.context.shared, &self.repo, &self.candidate, self.made)
    }

    /// Restores the build from its archive, if that is the one to deploy.
    fn restore(&self) -> Result<(), Error> {
        if self.find()? != Found::Packed {
            return Ok(());
        }
        let (context, id) = (self.context, &self.deployment.id);
        build::unpack(context.shared, &self.repo, &self.candidate.commit, id, context.cancel)
    }

    /// Provides the export to deploy: the job's own, the one in the archive, or else the commit's
    /// files.
    fn prepare(
        &self,
        mut build_lock: BuildLock,
        reporter: &mut JobReporter,
    ) -> Result<(Build, BuildLock), Error> {
        let is_canceled = || self.context.cancel.is_canceled();
        for _ in 0..ATTEMPTS_MAX {
            let build = self.build();
            match self.find()? {
                Found::Here => return Ok((build, build_lock)),
                Found::Not(state) if state.must_be_made() => return Err(self.build_removed_error()),
                Found::Packed => {
                    // Only one process may restore it, while no other uses the build.
                    drop(build_lock);
                    self.restore()?;
                    build_lock = build.share(&is_canceled)?;
                }
                Found::Not(_) => {
                    drop(build_lock);
                    let exclusive = build.prepare(&is_canceled)?;
                    let made = self.export_files(reporter)?;
                    drop(exclusive);
                    return Ok((made, build.share(&is_canceled)?));
                }
            }
        }
        Err(self.build_removed_error())
    }

    /// Exports the commit's files into an additional export.
    fn export_files(&self, reporter: &mut JobReporter) -> Result<Build, Error> {
        build::check_disk_space(self.context.shared)?;
        let (commit, id) = (&self.candidate.commit, self.deployment.id.as_str());
        let target =
            ExportTarget::additional(self.context.shared, &self.repo, self.build(), commit.id, id)?;
        let limits = JobLimits::from_now(self.context.shared.settings.job_timeout);
        attempt::export_to(self.context, &self.repo, commit, &target, limits, reporter, id)?;
        Ok(target.build)
    }

    fn build_removed_error(&self) -> Error {
        let message = format!(
            "the build of {} was removed before it could be deployed; try again",
            self.candidate.commit.id.short()
        );
        Error::new(ErrorKind::Busy, message)
    }

    /// Sets the outcome of the deployment.
    fn set_outcome(&mut self, ended: Result<StepResult, Error>, reporter: &mut JobReporter) {
        self.note_approval();
        let deployment = &mut self.deployment;
        deployment.finished = Some(clock::now_ms());
        let StepResult { record, awaits_approval, .. } = match ended {
            Ok(ended) => ended,
            Err(error) => {
                reporter.warn(error.report());
                deployment.reason = Some(error.report());
                deployment.outcome = match error.kind() {
                    ErrorKind::Canceled => DeployOutcome::Canceled,
                    _ => DeployOutcome::Failure,
                };
                return;
            }
        };
        deployment.outcome = match record.outcome {
            _ if awaits_approval => DeployOutcome::AwaitingApproval,
            Outcome::Success => DeployOutcome::Success,
            Outcome::Skipped => DeployOutcome::Skipped,
            Outcome::Canceled => DeployOutcome::Canceled,
            Outcome::Failure | Outcome::TimedOut | Outcome::Error => DeployOutcome::Failure,
        };
        if !deployment.outcome.passed() {
            deployment.reason = record.error.clone().or_else(|| record.failed_command());
            deployment.failures = record.failures;
        }
        if awaits_approval {
            self.deployment.reason = self.waiting_reason(self.deployment.reason.clone(), reporter);
        }
    }
}
