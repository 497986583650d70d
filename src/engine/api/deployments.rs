//! The deployment calls of an engine.

use super::handle::Engine;
use crate::{
    engine::{
        context::engine_call::EngineCall,
        deploy::{
            PlanParts, approve,
            attempt::{self, busy},
            build,
            candidate::CandidateSearch,
            check_environment, dry_run,
            identity::Identity,
            plan,
            retire::retire,
        },
    },
    model::{
        cancel::CancelToken,
        deployment::{
            Approval, BuildState, DeployOutcome, DeployPlan, DeployRequest, Deployment,
            DeploymentList,
        },
        error::{Error, ErrorKind},
        event::Observer,
    },
    process::{account_name, own_account},
    repo::{Repo, StoredHistory},
    util::clock,
};
use std::{cmp::Reverse, collections::HashSet};

impl Engine {
    /// Deploys a commit: runs the `deploy` phase of its config in its export, and records the
    /// result on `refs/tinyci/deployments/<environment>`.
    ///
    /// A revision is a request. [`DeployRequest::newest`] selects the newest green commit of the
    /// environment's branch that contains the deployed one. The export is the one of the commit's
    /// job; if it is missing, it is made again. A failed deployment does not change what counts as
    /// deployed. If a required approval is missing, nothing is done and the outcome is
    /// [`AwaitingApproval`](DeployOutcome::AwaitingApproval).
    ///
    /// ```no_run
    /// use tinyci::{CancelToken, Engine, Event};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let mut show = |event: &Event| event.log_lines().iter().for_each(|line| println!("{line}"));
    /// let deployment = engine.deploy("production", "main", &CancelToken::new(), &mut show)?;
    /// println!("{}", deployment.sentence());
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An error means that nothing was begun, unless only the result could not be recorded.
    /// [`NotFound`](ErrorKind::NotFound) if there is nothing to deploy.
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a commit that is not green, is on no deployable
    /// branch, or whose config does not list the environment. `InvalidArg` also if the commit must
    /// be named, because several are equally new or the deployed one would be lost.
    /// [`Busy`](ErrorKind::Busy) while another deployment to this environment is in progress, and
    /// after one was interrupted ([`unlock_deployments`](Engine::unlock_deployments)).
    ///
    /// # Panics
    ///
    /// Panics if the observer panics; the deployment is canceled first.
    pub fn deploy(
        &self,
        environment: &str,
        request: impl Into<DeployRequest>,
        cancel: &CancelToken,
        observer: &mut dyn Observer,
    ) -> Result<Deployment, Error> {
        check_environment(environment)?;
        let (env, request) = (self.shared.process_env(), request.into());
        self.pumped(cancel, observer, |cancel, events| {
            attempt::deploy(&self.shared, &env, environment, &request, &cancel, &events)
        })
    }

    /// Deploys the commit that was deployed before the current one, with the same checks and the
    /// same kind of record. Each further rollback goes back one more deployment.
    ///
    /// ```no_run
    /// use tinyci::{CancelToken, Engine, Event};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// engine.rollback("production", &CancelToken::new(), &mut |_: &Event| {})?;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`deploy`](Engine::deploy); [`NotFound`](ErrorKind::NotFound) if nothing was deployed
    /// before.
    ///
    /// # Panics
    ///
    /// As [`deploy`](Engine::deploy).
    pub fn rollback(
        &self,
        environment: &str,
        cancel: &CancelToken,
        observer: &mut dyn Observer,
    ) -> Result<Deployment, Error> {
        self.deploy(environment, DeployRequest::rollback(), cancel, observer)
    }

    /// Returns what [`deploy`](Engine::deploy) would do. A plan is also a request: it deploys
    /// exactly this commit, and only if nothing else was deployed meanwhile.
    ///
    /// ```no_run
    /// use tinyci::{Engine, deploy::DeployRequest};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let plan = engine.deploy_plan("production", DeployRequest::newest())?;
    /// println!("{} {}", plan.commit.id.short(), plan.commit.subject);
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`deploy`](Engine::deploy), except that a plan can be made during a deployment.
    pub fn deploy_plan(
        &self,
        environment: &str,
        request: impl Into<DeployRequest>,
    ) -> Result<DeployPlan, Error> {
        check_environment(environment)?;
        let (shared, request) = (&self.shared, request.into());
        let repo = shared.repo()?;
        let (history, is_live) = self.history(&repo, environment)?;
        let ledger = history.history;
        let candidate =
            CandidateSearch { shared, repo: &repo, environment }.candidate(&request, &ledger)?;
        let interrupted = ledger.interrupted().filter(|_| !is_live).cloned();
        let build = match request.bare {
            true => BuildState::Bare,
            false => build::find(shared, &repo, &candidate, None)?.state(),
        };
        let call = EngineCall { shared, env: &shared.process_env() };
        let dry_run = dry_run(call, &repo, &candidate, environment, &request.assume)?;
        let is_required = candidate.rules.approve || shared.settings.approvals.wants(environment);
        let is_required = if is_required { Some(true) } else { dry_run.asks_for_approval };
        let approval = approve::state(shared, &repo, environment, &candidate, is_required)?;
        let rollback = request.rollback;
        let parts = PlanParts { candidate, dry_run, approval, build, interrupted, rollback };
        plan(&repo, environment, parts, &ledger)
    }

    /// Returns the deployments to this environment, or to all, newest first. Includes the
    /// deployments of remotes, as of the last fetch.
    ///
    /// ```no_run
    /// let engine = tinyci::Engine::open("/srv/git/app.git")?;
    /// for deployment in engine.deployments(Some("production"))?.deployments {
    ///     println!("{} by {}", deployment.sentence(), deployment.deployed_by);
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) for an invalid environment name,
    /// [`Git`](ErrorKind::Git) if the refs cannot be read.
    pub fn deployments(&self, environment: Option<&str>) -> Result<DeploymentList, Error> {
        let repo = self.shared.repo()?;
        let environments = match environment {
            Some(name) => {
                check_environment(name)?;
                vec![name.to_owned()]
            }
            None => repo.deploy_environments()?,
        };
        let mut found = DeploymentList::default();
        for name in &environments {
            let (mut history, is_live) = match self.history(&repo, name) {
                // One damaged environment does not hide the others.
                Err(error) if environment.is_none() => {
                    found.warnings.push(error.report());
                    continue;
                }
                history => history?,
            };
            if history.foreign > 0 {
                let what = match history.foreign {
                    1 => "a commit that is not a deployment".to_owned(),
                    count => format!("{count} commits that are not deployments"),
                };
                found.warnings.push(format!("ignoring {what} in `refs/tinyci/deployments/{name}`"));
            }
            let newest = history.history.deployments.first_mut();
            if let Some(newest) = newest.filter(|_| is_live) {
                newest.outcome = DeployOutcome::Running;
            }
            found.deployments.extend(history.history.deployments);
        }
        let known: HashSet<String> = found.deployments.iter().map(|it| it.id.clone()).collect();
        let fetched = repo.fetched_deployments()?;
        found.warnings.extend(fetched.warnings);
        for (name, ledger) in fetched.histories {
            if environment.is_none_or(|wanted| wanted == name) {
                let news = ledger.deployments.into_iter().filter(|it| !known.contains(&it.id));
                found.deployments.extend(news);
            }
        }
        found.deployments.sort_by_key(|deployment| Reverse(deployment.started));
        Ok(found)
    }

    /// Returns the current deployment of this environment, if there is one.
    ///
    /// # Errors
    ///
    /// As [`deployments`](Engine::deployments).
    pub fn deployed(&self, environment: &str) -> Result<Option<Deployment>, Error> {
        check_environment(environment)?;
        Ok(self.shared.repo()?.deploy_history(environment)?.history.running().cloned())
    }

    /// Returns the history of an environment, and true if its newest deployment is in progress.
    fn history(&self, repo: &Repo, environment: &str) -> Result<(StoredHistory, bool), Error> {
        let history = repo.deploy_history(environment)?;
        if history.history.interrupted().is_none() {
            return Ok((history, false));
        }
        if self.shared.workspace().is_deploying(environment)? {
            return Ok((history, true));
        }
        // The deployment may have ended before the check of its lock.
        repo.deploy_history(environment).map(|history| (history, false))
    }

    /// Approves the deployment of a commit to an environment, with its current config. The
    /// approval is a ref of its own, [`Approval::reference`]. In a clone, push that ref.
    ///
    /// If git's configuration signs with ssh keys (`gpg.format`, `user.signingKey`), a `git`
    /// process signs the approval and may ask for a passphrase. On the server itself, the
    /// approving account is stored too. [`Approval::problem`] says why it does not count in this
    /// repository, if it does not.
    ///
    /// ```no_run
    /// let engine = tinyci::Engine::open("/srv/git/app.git")?;
    /// let approval = engine.approve("production", "f40785c")?;
    /// println!("git push origin {}", approval.reference);
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision,
    /// [`InvalidArg`](ErrorKind::InvalidArg) if its config does not deploy there,
    /// [`Unsupported`](ErrorKind::Unsupported) if the approver's identity is unknown,
    /// [`Git`](ErrorKind::Git) if it cannot be signed.
    pub fn approve(&self, environment: &str, revision: &str) -> Result<Approval, Error> {
        check_environment(environment)?;
        let repo = self.shared.writable_repo()?;
        let commit = repo.resolve(revision)?;
        CandidateSearch { shared: &self.shared, repo: &repo, environment }.check(commit)?;
        approve::approve(&self.shared, &repo, environment, commit)
    }

    /// Unlocks an environment whose last deployment was interrupted, after a person has checked
    /// it. `reason` is recorded. Returns that deployment, or `None` if the environment is not
    /// locked.
    ///
    /// # Errors
    ///
    /// [`Busy`](ErrorKind::Busy) while a deployment to it is in progress,
    /// [`InvalidArg`](ErrorKind::InvalidArg) if the reason is empty.
    pub fn unlock_deployments(
        &self,
        environment: &str,
        reason: &str,
    ) -> Result<Option<Deployment>, Error> {
        check_environment(environment)?;
        if reason.trim().is_empty() {
            let message = "no reason given for unlocking the environment";
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        self.shared.writable_repo()?;
        let lock = self.shared.workspace().deploy_lock(environment)?;
        let lock = lock.ok_or_else(|| attempt::busy(environment))?;
        let unlocked = self.unlock(environment, reason.trim());
        lock.release();
        unlocked
    }

    fn unlock(&self, environment: &str, reason: &str) -> Result<Option<Deployment>, Error> {
        let repo = self.shared.repo()?;
        let env = self.shared.process_env();
        let identity = Identity::of(&self.shared, &repo, None, &env);
        let account = account_name(own_account(), &env.passed);
        let open = repo.deploy_history(environment)?.history.interrupted().cloned();
        let Some(open) = open else { return Ok(None) };
        let unlocked = Deployment {
            finished: Some(clock::now_ms()),
            reason: Some(format!("unlocked by {identity} as {account}: {reason}")),
            ..open
        };
        repo.record_deployment(environment, &identity, |ledger| {
            Ok(ledger.interrupted().map(|_| unlocked.clone()))
        })?;
        Ok(Some(unlocked))
    }
}

impl Engine {
    /// Records that nothing is deployed to an environment anymore, for example after a review. Its
    /// builds are no longer protected, and it has no rollback; the next deployment revives it.
    /// This runs nothing, so remove the deployed program yourself. Returns the entry, or `None` if
    /// the environment is already retired.
    ///
    /// ```no_run
    /// let engine = tinyci::Engine::open("/srv/git/app.git")?;
    /// engine.retire("review-12")?;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if nothing was ever deployed to the environment,
    /// [`Busy`](ErrorKind::Busy) while a deployment to it is in progress,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for an invalid environment name.
    pub fn retire(&self, environment: &str) -> Result<Option<Deployment>, Error> {
        check_environment(environment)?;
        self.shared.writable_repo()?;
        let lock = self.shared.workspace().deploy_lock(environment)?;
        let lock = lock.ok_or_else(|| busy(environment))?;
        let retired = retire(&self.shared, environment);
        lock.release();
        retired
    }
}
