//! One deployment: the environment's lock, the entry before, the phase, the entry after.

use std::sync::Arc;

use super::{
    super::{
        desk::Desk,
        drive::prepare_builds,
        handle::Shared,
        job::{self, JobSource, Site},
        process_env::ProcessEnv,
        pump::{self, Sender},
        reports,
        voice::Voice,
    },
    candidate::{Candidate, Choice},
    identity::Identity,
};
use crate::{
    cancel::CancelView,
    clock, compact,
    deployment::{DeployOutcome, DeployRequest, Deployment},
    error::{Error, ErrorKind},
    event::Event,
    ledger::Ledger,
    outcome::Outcome,
    pipeline::Phase,
    process::{Guard, account_name, own_account},
    record::StepRecord,
    repo::Repo,
    request_context::RequestContext,
    workspace::{Build, DeployLock, Occupied},
};

/// How often a build folder is looked at anew because others made or removed its export.
const LOOKS_MAX: usize = 8;

/// Deploys, if nobody else deploys to the environment now.
pub(in crate::engine) fn deploy(
    shared: &Shared,
    env: &ProcessEnv,
    environment: &str,
    request: &DeployRequest,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Deployment, Error> {
    let workspace = shared.workspace();
    workspace.own_builds()?;
    let lock = workspace.deploy_lock(environment)?.ok_or_else(|| busy(environment))?;
    if let Some(message) = shared.repo()?.head_fault()? {
        events.send(Event::Warning { meta: pump::meta(), message });
    }
    let done = deploy_under(shared, env, lock, (environment, request), cancel, events)?;
    let outcome = done.outcome.outcome();
    events.send(Event::Finished { meta: pump::meta(), outcome });
    Ok(done)
}

pub(in crate::engine) fn busy(environment: &str) -> Error {
    let message = format!(
        "something is being deployed to `{environment}` right now (`tinyci deploys` shows what); \
         try again when that is over"
    );
    Error::new(ErrorKind::Busy, message)
}

/// Deploys under the environment's lock, and gives it back.
pub(in crate::engine) fn deploy_under(
    shared: &Shared,
    env: &ProcessEnv,
    lock: DeployLock,
    (environment, request): (&str, &DeployRequest),
    cancel: &CancelView,
    events: &Sender,
) -> Result<Deployment, Error> {
    let guard = Arc::new(Guard::new(Some(lock.share()?)));
    let workspace = shared.workspace();
    let logs = shared.logs(&workspace, false);
    let site = Site {
        shared,
        workspace: &workspace,
        logs: &logs,
        executor: shared.executor(&guard, events),
        env,
        cancel,
        events,
        pipeline: None,
    };
    let done = Attempt::new(&site, environment, request).and_then(Attempt::run);
    // It shares the lock, which nobody else gets before it is gone.
    guard.finish();
    lock.release();
    done
}

/// The error for an environment whose last deployment was killed.
pub(in crate::engine) fn locked(open: &Deployment) -> Error {
    let message = format!(
        "the deployment of {} to `{}` by {} began and has no end, so that nobody knows what runs \
         there: look, then go on with `tinyci deploy --to {} --unlock REASON`",
        open.commit.short(),
        open.environment,
        open.by,
        open.environment
    );
    Error::new(ErrorKind::Busy, message)
}

/// A deployment that is decided on.
struct Attempt<'a> {
    site: &'a Site<'a>,
    repo: Repo,
    candidate: Candidate,
    identity: Identity,
    desk: Desk,
    deployment: Deployment,
}

impl<'a> Attempt<'a> {
    fn new(site: &'a Site<'a>, environment: &str, request: &DeployRequest) -> Result<Self, Error> {
        let shared = site.shared;
        let repo = shared.repo()?;
        for message in repo.restore_refs()? {
            site.events.send(Event::Warning { meta: pump::meta(), message });
        }
        let ledger = repo.deploy_history(environment)?.ledger;
        if let Some(open) = ledger.interrupted() {
            return Err(locked(open));
        }
        let from = ledger.running().map(|running| running.commit);
        if let Some(expected) = request.expected.filter(|expected| *expected != from) {
            let name = |id: Option<crate::commit::CommitId>| {
                id.map_or_else(|| "nothing".to_owned(), |id| id.short())
            };
            let message = format!(
                "{} is deployed to `{environment}` by now, and not {} as the plan had it: look at \
                 a new plan",
                name(from),
                name(expected)
            );
            return Err(Error::new(ErrorKind::Busy, message));
        }
        let candidate = Choice { shared, repo: &repo, environment }.candidate(request, &ledger)?;
        let identity = Identity::of(shared, &repo, request.by.as_ref(), site.env);
        let desk = Desk {
            root: shared.root.clone(),
            environment: environment.to_owned(),
            commit: candidate.commit.id,
            config: candidate.config.clone(),
            host: shared.options.approvals.clone().map(|ask| (ask, site.events.clone())),
            approvals: shared.approvals(site.env),
            answer: Arc::default(),
        };
        let deployment = Deployment {
            run: job::run_id(),
            environment: environment.to_owned(),
            commit: candidate.commit.id,
            from,
            outcome: DeployOutcome::Running,
            reason: None,
            forced: !candidate.verdict.is_some_and(Outcome::passed),
            rollback: request.rollback,
            approved_by: None,
            approval_proof: None,
            config: candidate.config.clone(),
            started: clock::now_ms(),
            finished: None,
            by: identity.to_string(),
            account: Some(account_name(own_account(), &site.env.passed)),
            remote: None,
        };
        Ok(Self { site, repo, candidate, identity, desk, deployment })
    }

    fn run(mut self) -> Result<Deployment, Error> {
        let (site, commit) = (self.site, self.candidate.commit.clone());
        let run = self.deployment.run.clone();
        let mut voice = Voice::new(site.events, site.logs, &commit, &run);
        let is_wanted = self.desk.is_wanted(&self.candidate.rules);
        if is_wanted && !self.desk.ask(None, &self.context())? {
            return self.wait(&mut voice);
        }
        self.note_approval();
        let begun = self.deployment.clone();
        self.record(|ledger| match ledger.interrupted() {
            Some(open) => Err(locked(open)),
            None => Ok(Some(begun.clone())),
        })?;
        let prepared = prepare_builds(site.shared, site.workspace, &self.repo);
        let build = site.workspace.build(&commit.build_name());
        let is_canceled = || site.cancel.is_canceled();
        // Before its log is opened, which may be packed too.
        let restored = prepared.and_then(|()| self.restore(&build));
        let occupied = restored.and_then(|()| build.share(&is_canceled));
        if occupied.is_ok() {
            voice.open_log(&build, &commit);
        }
        let started = Box::new(begun.clone());
        site.env.take_notices().into_iter().for_each(|notice| voice.warn(notice));
        voice.say(|meta| Event::DeployStarted { meta, deployment: started });
        let ended = occupied.and_then(|occupied| self.phase(&build, occupied, &mut voice));
        self.judge(ended, &mut voice);
        let ended = self.deployment.clone();
        self.record(|_| Ok(Some(ended.clone()))).map_err(|error| {
            let message = format!(
                "{}, but that cannot be recorded, so that it counts as interrupted",
                self.deployment.sentence()
            );
            Error::new(error.kind(), message).with_source(error)
        })?;
        let ended = Box::new(self.deployment.clone());
        voice.say(|meta| Event::DeployFinished { meta, deployment: ended });
        voice.report_log_fault();
        Ok(self.deployment)
    }

    /// Where the question comes from that is asked before anything is done.
    fn context(&self) -> RequestContext {
        let commit = &self.candidate.commit;
        RequestContext {
            commit: Arc::new(commit.clone()),
            run: self.deployment.run.as_str().into(),
            step: Phase::Deploy.into(),
            label: None,
            export_dir: self.site.workspace.build(&commit.build_name()).export_dir(),
            deadline: None,
            cancel: self.site.cancel.with_threshold(1),
        }
    }

    /// Keeps that somebody has to approve first. Once is enough, however often it is tried.
    fn wait(mut self, voice: &mut Voice) -> Result<Deployment, Error> {
        self.deployment.outcome = DeployOutcome::Waiting;
        self.deployment.reason = self.why_it_waits(None, voice);
        self.deployment.finished = Some(self.deployment.started);
        let waits = self.deployment.clone();
        self.record(|ledger| {
            let known = ledger.deployments.first().is_some_and(|newest| {
                let same = (newest.commit, &newest.config) == (waits.commit, &waits.config);
                same && newest.outcome == DeployOutcome::Waiting
            });
            Ok((!known).then(|| waits.clone()))
        })?;
        let ended = Box::new(self.deployment.clone());
        voice.say(|meta| Event::DeployFinished { meta, deployment: ended });
        Ok(self.deployment)
    }

    /// Keeps who approved.
    fn note_approval(&mut self) {
        let given = self.desk.answer().given_by;
        let (by, proof) = given.unzip();
        (self.deployment.approved_by, self.deployment.approval_proof) = (by, proof);
    }

    /// Tells of approvals that do not count, and keeps that behind the question.
    fn why_it_waits(&self, question: Option<String>, voice: &mut Voice) -> Option<String> {
        let problems = self.desk.answer().problems;
        problems.iter().for_each(|problem| voice.warn(problem.clone()));
        let reasons: Vec<String> = question.into_iter().chain(problems).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn record(
        &self,
        entry: impl Fn(&Ledger) -> Result<Option<Deployment>, Error>,
    ) -> Result<(), Error> {
        let author = (self.identity.name.as_str(), self.identity.address.as_str());
        self.repo.record_deployment(&self.deployment.environment, author, entry)
    }

    /// Runs the phase in the commit's export. Says whether it waits for an approval.
    fn phase(
        &mut self,
        build: &Build,
        occupied: Occupied,
        voice: &mut Voice,
    ) -> Result<(StepRecord, bool), Error> {
        let _occupied = self.prepare(build, occupied, voice)?;
        let (site, candidate) = (self.site, &self.candidate);
        let source = JobSource::of_deployment(&self.deployment.run, &self.deployment.environment);
        let (config, desk) = ((&candidate.pipeline, &candidate.scripts), Some(self.desk.clone()));
        let mut steps =
            site.steps(&self.repo, &candidate.commit, config, build, source, desk, voice);
        if let Some(record) = reports::record_of(&self.repo, candidate.commit.id)? {
            steps.recall(&record);
        }
        let result = steps.step(Phase::Deploy.into(), Outcome::Success);
        steps.discard(build, voice);
        let result = result
            .ok_or_else(|| Error::new(ErrorKind::Canceled, "canceled before the first command"))?;
        Ok((result.record, result.waits))
    }

    /// Takes a packed build out of its archive.
    fn restore(&self, build: &Build) -> Result<(), Error> {
        let is_there = || build.export_dir().is_dir();
        if is_there() || !build.archive_path().exists() {
            return Ok(());
        }
        let _alone = build.prepare(&|| self.site.cancel.is_canceled())?;
        if is_there() {
            return Ok(());
        }
        self.check_room()?;
        compact::restore(build, &self.deployment.run, self.site.cancel)
    }

    /// Sees to it that the commit's export is there: as its run left it, else as it was packed,
    /// else made anew.
    fn prepare(
        &self,
        build: &Build,
        mut occupied: Occupied,
        voice: &mut Voice,
    ) -> Result<Occupied, Error> {
        let is_canceled = || self.site.cancel.is_canceled();
        for _ in 0..LOOKS_MAX {
            if build.export_dir().is_dir() {
                return Ok(occupied);
            }
            // To be made by one, while nobody else is in it.
            drop(occupied);
            self.restore(build)?;
            let alone = build.prepare(&is_canceled)?;
            if !build.export_dir().is_dir() {
                self.check_room()?;
                let (commit, run) = (&self.candidate.commit, &self.deployment.run);
                job::export_to(self.site, &self.repo, commit, build, voice, run)?;
            }
            drop(alone);
            occupied = build.share(&is_canceled)?;
        }
        let message = format!("others keep removing `{}`", build.export_dir().display());
        Err(Error::new(ErrorKind::Busy, message).with_path(build.export_dir()))
    }

    /// An export is not made where it would fill the disk.
    fn check_room(&self) -> Result<(), Error> {
        let refusal = job::no_room(self.site).map(|reason| Error::new(ErrorKind::Io, reason));
        refusal.map_or(Ok(()), Err)
    }

    /// What the deployment came to.
    fn judge(&mut self, ended: Result<(StepRecord, bool), Error>, voice: &mut Voice) {
        self.note_approval();
        let deployment = &mut self.deployment;
        deployment.finished = Some(clock::now_ms());
        let (record, waits) = match ended {
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
            _ if waits => DeployOutcome::Waiting,
            Outcome::Success => DeployOutcome::Success,
            Outcome::Skipped => DeployOutcome::Skipped,
            Outcome::Canceled => DeployOutcome::Canceled,
            Outcome::Failure | Outcome::TimedOut | Outcome::NoVerdict => DeployOutcome::Failure,
        };
        let command = || {
            let last = record.commands.last()?;
            let exit = last.exit.filter(|exit| !exit.outcome().passed())?;
            Some(format!("`{}` {exit}", last.command))
        };
        if !deployment.outcome.passed() {
            deployment.reason = record.error.clone().or_else(command);
        }
        if waits {
            self.deployment.reason = self.why_it_waits(self.deployment.reason.clone(), voice);
        }
    }
}
