//! One deployment: its build, the environment's lock, the entry before, the phase, the entry after.

use crate::{
    engine::{
        context::{
            approval_gate::ApprovalGate, engine_call::EngineCall, job_reporter::JobReporter,
            process_env::ProcessEnv, pump::Sender, shared::Shared,
        },
        run::{
            attempt::{self, JobContext, JobSource, StepInputs},
            driver::prepare_builds,
            live::{self, Ground},
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

/// How often a build folder is looked at anew because others made or removed its export.
const LOOKS_MAX: usize = 8;

/// Deploys, if nobody else deploys to the environment now. A build that is gone is made again first.
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
    let done = match &provided.failed {
        Some(failed) => failed.clone(),
        None => {
            let lock = shared.workspace().deploy_lock(environment)?;
            let lock = lock.ok_or_else(|| busy(environment))?;
            deploy_under(shared, env, lock, environment, &provided, cancel, events)?
        }
    };
    provided.look(shared, env, cancel, events);
    let outcome = done.outcome.outcome();
    events.emit(EventKind::Finished { outcome });
    Ok(done)
}

/// Whether a deployment could begin now. Looked at again once the lock is taken.
fn check_free(shared: &Shared, environment: &str) -> Result<(), Error> {
    if shared.workspace().is_deploying(environment)? {
        return Err(busy(environment));
    }
    let ledger = shared.repo()?.deploy_history(environment)?.ledger;
    let Some(open) = ledger.interrupted() else { return Ok(()) };
    // What a killed one started may still be on its way out.
    let lock = shared.workspace().deploy_lock(environment)?.ok_or_else(|| busy(environment))?;
    lock.release();
    Err(locked(open))
}

/// A request whose build is there, if any is needed.
pub(super) struct Provided {
    request: DeployRequest,
    /// What was built for it.
    rebuilt: Option<Rebuilt>,
    /// The deployment that did not begin, since the build could not be made again.
    pub(super) failed: Option<Deployment>,
}

impl Provided {
    /// Looks for those who found the repository busy while the build was made.
    pub(super) fn look(
        &self,
        shared: &Shared,
        env: &ProcessEnv,
        cancel: &CancelView,
        events: &Sender,
    ) {
        if let Some(rebuilt) = &self.rebuilt {
            rebuilt.look(shared, env, cancel, events);
        }
    }
}

/// Sees to it that the build of a commit is there before its deployment begins.
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
    let lacking = match request.bare {
        true => None,
        false => build::lacking(shared, &repo, &candidate, &deployment.id, cancel)?,
    };
    let Some(lacking) = lacking else {
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
            Some(not_begun(shared, &candidate, deployment, lacking, outcome, events))
        }
    };
    Ok(Provided { request, rebuilt: Some(rebuilt), failed })
}

/// Says of a deployment that it does not begin, since its build could not be made again.
fn not_begun(
    shared: &Shared,
    candidate: &Candidate,
    mut deployment: Deployment,
    lacking: BuildState,
    outcome: Outcome,
    events: &Sender,
) -> Deployment {
    deployment.finished = Some(clock::now_ms());
    deployment.outcome = match outcome {
        Outcome::Canceled => DeployOutcome::Canceled,
        _ => DeployOutcome::Failure,
    };
    let was = match lacking {
        BuildState::OtherBranch { .. } => "of another branch",
        _ => "missing",
    };
    let why = format!("its build was {was}, and the rebuild ended as {outcome}");
    deployment.reason = Some(why.clone());
    let workspace = shared.workspace();
    let logs = shared.logs(&workspace, false);
    let mut voice = JobReporter::new(events, &logs, &candidate.commit, &deployment.id);
    voice.warn(why);
    let ended = Box::new(deployment.clone());
    voice.say(EventKind::DeployFinished { deployment: ended });
    deployment
}

pub(in crate::engine) fn busy(environment: &str) -> Error {
    let message = format!("a deployment to `{environment}` is in progress");
    Error::new(ErrorKind::Busy, message).with_hint("`tinyci deployments` shows it")
}

/// Deploys under the environment's lock, and gives it back.
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
    let site =
        JobContext::new(EngineCall { shared, env }, &workspace, &logs, &guard, cancel, events);
    let done = Attempt::new(&site, environment, provided).and_then(Attempt::run);
    // It shares the lock, which nobody else gets before it is gone.
    guard.finish();
    lock.release();
    done
}

/// The error for an environment whose last deployment was killed.
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

/// The error for a commit that would take away what is deployed, and that nobody has named.
fn unnamed(candidate: &Candidate, environment: &str, deployed: Option<CommitId>) -> Error {
    let (id, deployed) = (candidate.commit.id.short(), deployed.map(|id| id.short()));
    let message = format!(
        "refusing to replace {} in `{environment}`: it is not on a branch that deploys there, and \
         would be lost",
        deployed.unwrap_or_default()
    );
    let hint = format!("`tinyci deploy {id} --to {environment}` deploys {id} anyway");
    Error::new(ErrorKind::InvalidArg, message).with_hint(hint)
}

/// What is to be deployed, and by whom.
struct Decision {
    repo: Repo,
    candidate: Candidate,
    identity: Identity,
    /// As it would begin.
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
        let ledger = repo.deploy_history(environment)?.ledger;
        let from = ledger.running().map(|running| running.commit);
        if let Some(expected) = request.expected.filter(|expected| *expected != from) {
            return Err(outdated(environment, expected, from));
        }
        let candidate =
            CandidateSearch { shared, repo: &repo, environment }.candidate(request, &ledger)?;
        if candidate.loses {
            return Err(unnamed(&candidate, environment, from));
        }
        let identity = Identity::of(shared, &repo, request.by.as_ref(), env);
        let build = shared.workspace().build(&candidate.commit.build_name());
        let deployment = Deployment {
            id: attempt::run_id(),
            environment: environment.to_owned(),
            commit: candidate.commit.id,
            previous: from,
            outcome: DeployOutcome::Running,
            reason: None,
            failures: Vec::new(),
            forced: candidate.is_forced(),
            rollback: request.rollback,
            bare: request.bare,
            export: build.export_name().to_owned(),
            approved_by: None,
            approval_proof: None,
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

/// The error for a plan that something else was deployed after.
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

/// A deployment that is decided on.
struct Attempt<'a> {
    site: &'a JobContext<'a>,
    repo: Repo,
    candidate: Candidate,
    identity: Identity,
    desk: ApprovalGate,
    deployment: Deployment,
    /// The record of the job that built the commit again for it.
    made: Option<&'a Record>,
}

impl<'a> Attempt<'a> {
    fn new(
        site: &'a JobContext<'a>,
        environment: &str,
        provided: &'a Provided,
    ) -> Result<Self, Error> {
        let shared = site.shared;
        let repo = shared.repo()?;
        for message in repo.restore_refs()? {
            site.events.emit(EventKind::Warning { message });
        }
        if let Some(open) = repo.deploy_history(environment)?.ledger.interrupted() {
            return Err(locked(open));
        }
        let decision = Decision::new(shared, site.env, environment, &provided.request)?;
        let Decision { repo, candidate, identity, deployment } = decision;
        let desk = ApprovalGate {
            root: shared.root.clone(),
            environment: environment.to_owned(),
            commit: candidate.commit.id,
            config: candidate.config.clone(),
            host: shared.options.approvals.clone().map(|ask| (ask, site.events.clone())),
            approvals: shared.approvals(site.env),
            answer: Arc::default(),
        };
        let made = provided.rebuilt.as_ref().map(|rebuilt| &rebuilt.record);
        Ok(Self { site, repo, candidate, identity, desk, deployment, made })
    }

    fn run(mut self) -> Result<Deployment, Error> {
        let (site, commit) = (self.site, self.candidate.commit.clone());
        let run = self.deployment.id.clone();
        let mut voice = JobReporter::new(site.events, site.logs, &commit, &run);
        let is_wanted = self.desk.is_wanted(&self.candidate.rules);
        if is_wanted && !self.desk.ask(None, &self.context())? {
            return self.wait(&mut voice);
        }
        self.note_approval();
        self.deployment.export = self.place()?;
        let begun = self.deployment.clone();
        self.record(|ledger| match ledger.interrupted() {
            Some(open) => Err(locked(open)),
            None => Ok(Some(begun.clone())),
        })?;
        let prepared = prepare_builds(site.shared, site.workspace, &self.repo);
        let build = self.build();
        let is_canceled = || site.cancel.is_canceled();
        // Before its log is opened, which may be packed too.
        let restored = prepared.and_then(|()| self.restore());
        let occupied = restored.and_then(|()| build.share(&is_canceled));
        if occupied.is_ok() {
            voice.open_log(&build, &commit);
        }
        let started = Box::new(begun.clone());
        site.env.take_notices().into_iter().for_each(|notice| voice.warn(notice));
        voice.say(EventKind::DeployStarted { deployment: started });
        let ended = occupied.and_then(|occupied| self.phase(occupied, &mut voice));
        self.judge(ended, &mut voice);
        let ended = self.deployment.clone();
        self.record(|_| Ok(Some(ended.clone()))).map_err(|error| {
            let message = format!(
                "{}, but cannot record that, so it counts as interrupted",
                self.deployment.sentence()
            );
            Error::new(error.kind(), message).with_source(error)
        })?;
        self.sweep(&mut voice);
        let ended = Box::new(self.deployment.clone());
        voice.say(EventKind::DeployFinished { deployment: ended });
        voice.report_log_fault();
        Ok(self.deployment)
    }

    /// Removes the exports that nothing runs any more, of this commit and of the one before it.
    fn sweep(&self, voice: &mut JobReporter) {
        let before = self.deployment.previous.filter(|from| *from != self.deployment.commit);
        let before = before.map(|id| self.repo.commit_for(id, None)).transpose();
        let swept = before.and_then(|before| {
            let mut left = Vec::new();
            for commit in before.iter().chain([&self.candidate.commit]) {
                left.extend(live::sweep(self.site.shared, &self.repo, commit)?);
            }
            Ok(left)
        });
        match swept {
            Ok(left) => left.iter().for_each(|left| voice.warn(left.to_string())),
            Err(error) => voice.warn(format!(
                "cannot remove an export that is no longer deployed: {}",
                error.report()
            )),
        }
    }

    /// Where the question comes from that is asked before anything is done.
    fn context(&self) -> RequestContext {
        let commit = &self.candidate.commit;
        RequestContext {
            commit: Arc::new(commit.clone()),
            job_id: self.deployment.id.as_str().into(),
            step: Phase::Deploy.into(),
            label: None,
            export_dir: self.build().export_dir(),
            deadline: None,
            cancel: self.site.cancel.with_threshold(1),
        }
    }

    /// Keeps that somebody has to approve first. Once is enough, however often it is tried.
    fn wait(mut self, voice: &mut JobReporter) -> Result<Deployment, Error> {
        self.deployment.outcome = DeployOutcome::AwaitingApproval;
        self.deployment.reason = self.why_it_waits(None, voice);
        self.deployment.finished = Some(self.deployment.started);
        let waits = self.deployment.clone();
        self.record(|ledger| {
            let known = ledger.deployments.first().is_some_and(|newest| {
                let same =
                    (newest.commit, &newest.config_blob) == (waits.commit, &waits.config_blob);
                same && newest.outcome == DeployOutcome::AwaitingApproval
            });
            Ok((!known).then(|| waits.clone()))
        })?;
        let ended = Box::new(self.deployment.clone());
        voice.say(EventKind::DeployFinished { deployment: ended });
        Ok(self.deployment)
    }

    /// Keeps who approved.
    fn note_approval(&mut self) {
        let given = self.desk.answer().given_by;
        let (by, proof) = given.unzip();
        (self.deployment.approved_by, self.deployment.approval_proof) = (by, proof);
    }

    /// Tells of approvals that do not count, and keeps that behind the question.
    fn why_it_waits(&self, question: Option<String>, voice: &mut JobReporter) -> Option<String> {
        let problems = self.desk.answer().problems;
        problems.iter().for_each(|problem| voice.warn(problem.clone()));
        let reasons: Vec<String> = question.into_iter().chain(problems).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn record(
        &self,
        entry: impl Fn(&DeploymentHistory) -> Result<Option<Deployment>, Error>,
    ) -> Result<(), Error> {
        let author = (self.identity.name.as_str(), self.identity.address.as_str());
        self.repo.record_deployment(&self.deployment.environment, author, entry)
    }

    /// The commit's build, with the export that is its own now.
    fn build(&self) -> Build {
        self.site.workspace.build(&self.candidate.commit.build_name())
    }

    /// Runs the phase in the commit's export.
    fn phase(&mut self, occupied: BuildLock, voice: &mut JobReporter) -> Result<StepResult, Error> {
        let (build, _occupied) = self.prepare(occupied, voice)?;
        build.export_name().clone_into(&mut self.deployment.export);
        let (site, candidate) = (self.site, &self.candidate);
        let source = JobSource::of_deployment(&self.deployment.id, &self.deployment.environment);
        let mut steps = site.steps(
            &self.repo,
            voice,
            StepInputs {
                commit: &candidate.commit,
                loaded: &candidate.loaded,
                build: &build,
                source,
                limits: JobLimits::from_now(site.shared.settings.job_timeout),
                desk: Some(self.desk.clone()),
            },
        );
        if let Some(record) = self.record_of_build()? {
            steps.recall(&record);
        }
        let result = steps.step(Phase::Deploy.into(), Outcome::Success);
        self.discard(&steps, &build, voice)?;
        result.ok_or_else(|| Error::new(ErrorKind::Canceled, "canceled before the first command"))
    }

    /// Removes the export that was deployed, if the script wants that and nothing else needs it.
    fn discard(
        &self,
        steps: &Steps<'_>,
        build: &Build,
        voice: &mut JobReporter,
    ) -> Result<(), Error> {
        if !steps.discards_export() {
            return Ok(());
        }
        let (id, environment) = (self.candidate.commit.id, &self.deployment.environment);
        let (shared, repo) = (self.site.shared, &self.repo);
        if let Some(needed) = live::needed_elsewhere(shared, repo, build, id, environment)? {
            voice.warn(format!("keeping the export: {needed}"));
            return Ok(());
        }
        steps.discard(build, voice);
        let own = self.build();
        if own.export_name() == build.export_name()
            && let Some(stamp) = own.stamp()
        {
            own.write_stamp(&JobStamp { export: ExportPlace::Discarded, ..stamp })?;
        }
        Ok(())
    }

    /// The record of the job whose build is deployed.
    fn record_of_build(&self) -> Result<Option<Record>, Error> {
        match self.made {
            Some(made) => Ok(Some(made.clone())),
            None => reports::record_of(&self.repo, self.candidate.commit.id),
        }
    }

    /// What the export will be called, so that a deployment which is killed names it.
    fn place(&self) -> Result<String, Error> {
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
        build::find(self.site.shared, &self.repo, &self.candidate, self.made)
    }

    /// Takes a packed build out of its archive, if that is the one to deploy.
    fn restore(&self) -> Result<(), Error> {
        if self.find()? != Found::Packed {
            return Ok(());
        }
        let (site, id) = (self.site, &self.deployment.id);
        build::unpack(site.shared, &self.repo, &self.candidate.commit, id, site.cancel)
    }

    /// Sees to it that the export is there that is deployed, and says where: as the job left it, as
    /// it was packed, or the commit's files, if there is nothing else.
    fn prepare(
        &self,
        mut occupied: BuildLock,
        voice: &mut JobReporter,
    ) -> Result<(Build, BuildLock), Error> {
        let is_canceled = || self.site.cancel.is_canceled();
        for _ in 0..LOOKS_MAX {
            let build = self.build();
            match self.find()? {
                Found::Here => return Ok((build, occupied)),
                Found::Not(state) if state.must_be_made() => return Err(self.went_away()),
                Found::Packed => {
                    // To be done by one, while nobody else is in it.
                    drop(occupied);
                    self.restore()?;
                    occupied = build.share(&is_canceled)?;
                }
                Found::Not(_) => {
                    drop(occupied);
                    let alone = build.prepare(&is_canceled)?;
                    let made = self.export_files(voice)?;
                    drop(alone);
                    return Ok((made, build.share(&is_canceled)?));
                }
            }
        }
        Err(self.went_away())
    }

    /// Makes an export of the commit's files, beside what is there.
    fn export_files(&self, voice: &mut JobReporter) -> Result<Build, Error> {
        build::check_room(self.site.shared)?;
        let (commit, run) = (&self.candidate.commit, self.deployment.id.as_str());
        let ground = Ground::beside(self.site.shared, &self.repo, self.build(), commit.id, run)?;
        let limits = JobLimits::from_now(self.site.shared.settings.job_timeout);
        attempt::export_to(self.site, &self.repo, commit, &ground, (voice, limits), run)?;
        Ok(ground.build)
    }

    fn went_away(&self) -> Error {
        let message = format!(
            "the build of {} was removed before it could be deployed; try again",
            self.candidate.commit.id.short()
        );
        Error::new(ErrorKind::Busy, message)
    }

    /// What the deployment came to.
    fn judge(&mut self, ended: Result<StepResult, Error>, voice: &mut JobReporter) {
        self.note_approval();
        let deployment = &mut self.deployment;
        deployment.finished = Some(clock::now_ms());
        let StepResult { record, waits, .. } = match ended {
            Ok(ended) => ended,
            Err(error) => {
                voice.warn(error.report());
                deployment.reason = Some(error.report());
                deployment.outcome = match error.kind() {
                    ErrorKind::Canceled => DeployOutcome::Canceled,
                    _ => DeployOutcome::Failure,
                };
                return;
            }
        };
        deployment.outcome = match record.outcome {
            _ if waits => DeployOutcome::AwaitingApproval,
            Outcome::Success => DeployOutcome::Success,
            Outcome::Skipped => DeployOutcome::Skipped,
            Outcome::Canceled => DeployOutcome::Canceled,
            Outcome::Failure | Outcome::TimedOut | Outcome::Error => DeployOutcome::Failure,
        };
        if !deployment.outcome.passed() {
            deployment.reason = record.error.clone().or_else(|| record.failed_command());
            deployment.failures = record.failures;
        }
        if waits {
            self.deployment.reason = self.why_it_waits(self.deployment.reason.clone(), voice);
        }
    }
}
