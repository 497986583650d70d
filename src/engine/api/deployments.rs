//! The calls of an engine about deployments.

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
    /// Deploys a commit: runs the `deploy` of its config in its export, and keeps what came of it
    /// on `refs/tinyci/deployments/<environment>`.
    ///
    /// A revision is a request; [`DeployRequest::newest`] takes the newest green commit of the
    /// environment's branch that contains what is deployed. The export is the one that the commit's run left; it is made
    /// again where it is gone. A deployment that fails leaves the environment's pointer where it
    /// was. One that needs an approval which nobody has given does nothing and is
    /// [`Waiting`](DeployOutcome::AwaitingApproval).
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
    /// Nothing was begun: [`NotFound`](ErrorKind::NotFound) where there is nothing to deploy,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a commit that is not green, not on a branch that
    /// is deployed, or whose config knows no such environment, and if a commit has to be named:
    /// several are as new as each other, or what is deployed would be lost; [`Busy`](ErrorKind::Busy) while
    /// another deployment to this environment runs, and after one that was interrupted
    /// ([`unlock_deployments`](Engine::unlock_deployments)). Only where its end cannot be recorded has
    /// something happened.
    ///
    /// # Panics
    ///
    /// If the observer panics: the deployment is canceled first.
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

    /// Deploys what was deployed before the deployment that is there now, with the same checks and
    /// the same record. Doing it again goes back further.
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
    /// As [`deploy`](Engine::deploy); [`NotFound`](ErrorKind::NotFound) where nothing was deployed
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

    /// What [`deploy`](Engine::deploy) would do. A plan is a request too: it deploys exactly this,
    /// and only if nothing else was deployed meanwhile.
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
    /// As [`deploy`](Engine::deploy), except that a plan can be made while something is deployed.
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
        let wanted = if is_required { Some(true) } else { dry_run.asks_for_approval };
        let approval = approve::state(shared, &repo, environment, &candidate, wanted)?;
        let rollback = request.rollback;
        let parts = PlanParts { candidate, dry_run, approval, build, interrupted, rollback };
        plan(&repo, environment, parts, &ledger)
    }

    /// What was deployed, the newest first: to this environment, or to all; here, and where remotes
    /// have deployed as it was last fetched.
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
    /// [`InvalidArg`](ErrorKind::InvalidArg) for what cannot be an environment's name,
    /// [`Git`](ErrorKind::Git) where the refs cannot be read.
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
                // One environment that somebody spoiled does not hide the others.
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

    /// The deployment that is there now, if anything was deployed to this environment.
    ///
    /// # Errors
    ///
    /// As [`deploys`](Engine::deployments).
    pub fn deployed(&self, environment: &str) -> Result<Option<Deployment>, Error> {
        check_environment(environment)?;
        Ok(self.shared.repo()?.deploy_history(environment)?.history.running().cloned())
    }

    /// An environment's history, and whether its newest deployment, which has no end, runs at this
    /// moment.
    fn history(&self, repo: &Repo, environment: &str) -> Result<(StoredHistory, bool), Error> {
        let history = repo.deploy_history(environment)?;
        if history.history.interrupted().is_none() {
            return Ok((history, false));
        }
        if self.shared.workspace().is_deploying(environment)? {
            return Ok((history, true));
        }
        // It may have ended before we looked whether somebody holds the environment.
        repo.deploy_history(environment).map(|history| (history, false))
    }

    /// Approves of one commit, in one environment, with the config that it has. The approval is a
    /// ref of its own, [`Approval::reference`]: from a clone it is pushed.
    ///
    /// Where git's configuration signs with ssh keys (`gpg.format`, `user.signingKey`), it is signed,
    /// by a `git` that is started for it, which may ask for a passphrase. Where it is given on the
    /// server itself, it is kept there which account did so. [`Approval::problem`] says whether it
    /// counts in this repository.
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
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for one whose config does not deploy there,
    /// [`Unsupported`](ErrorKind::Unsupported) where nobody says who approves,
    /// [`Git`](ErrorKind::Git) where it cannot be signed.
    pub fn approve(&self, environment: &str, revision: &str) -> Result<Approval, Error> {
        check_environment(environment)?;
        let repo = self.shared.writable_repo()?;
        let commit = repo.resolve(revision)?;
        CandidateSearch { shared: &self.shared, repo: &repo, environment }.check(commit)?;
        approve::approve(&self.shared, &repo, environment, commit)
    }

    /// Says that somebody has looked at an environment whose last deployment was interrupted, and
    /// why it can go on. Gives back that deployment; none where there is nothing to unlock.
    ///
    /// # Errors
    ///
    /// [`Busy`](ErrorKind::Busy) while something is being deployed there,
    /// [`InvalidArg`](ErrorKind::InvalidArg) without a reason.
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
    /// Puts on record that nothing runs in an environment any more, as when a review is over. Its
    /// builds are no longer pinned, and a rollback leads nowhere; the next deployment revives it.
    /// Runs nothing: taking down what runs there is up to you. Gives back the entry; none where it is
    /// retired already.
    ///
    /// ```no_run
    /// let engine = tinyci::Engine::open("/srv/git/app.git")?;
    /// engine.retire("review-12")?;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an environment that nothing was ever deployed to,
    /// [`Busy`](ErrorKind::Busy) while something is being deployed there,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for what cannot be an environment's name.
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
