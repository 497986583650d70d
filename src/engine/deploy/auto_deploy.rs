//! Automatic deployments after a push. They deploy the newest green commit of a pushed branch, or
//! the commit of a pushed tag. Its config must say `auto`, and its conditions must be met.
//!
//! Each push deploys its own commits, even if another process tested them. Of several commits in
//! one push, only the newest is deployed. A commit whose deployment was tried once is left to
//! people. All checks come before the first entry is written.

use crate::{
    engine::context::{
        engine_call::EngineCall, process_env::ProcessEnv, pump::Sender, shared::Shared,
    },
    model::{
        cancel::CancelView,
        commit::CommitId,
        deployment::{DeployRequest, Deployment},
        error::{Error, ErrorKind},
        event::EventKind,
        pipeline::DeployRules,
        selection::RefUpdate,
    },
    repo::{Branch, Repo},
    rules::ledger::DeploymentHistory,
};
use std::{thread, time::Duration};

use super::{
    attempt,
    candidate::{Candidate, CandidateSearch},
    deploy_plan::dry_run,
    newest::{Newest, Offer},
};

/// How often to check whether another deployment has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Deploys the pushed commits to their environments. Errors become warnings, because the push is
/// already tested.
pub(in crate::engine) fn deploy_pushed(
    shared: &Shared,
    env: &ProcessEnv,
    pushed: &[RefUpdate],
    cancel: &CancelView,
    events: &Sender,
) -> Vec<Deployment> {
    let warn = |error: Error| {
        let message = format!("nothing was deployed: {}", error.report());
        events.emit(EventKind::Warning { message });
    };
    let mut done = Vec::new();
    let environments = environments(shared, pushed).unwrap_or_else(|error| {
        warn(error);
        Vec::new()
    });
    for environment in environments {
        match deploy(shared, env, &environment, pushed, cancel, events) {
            Ok(deployment) => done.extend(deployment),
            Err(error) => warn(error),
        }
    }
    done
}

/// Returns the environments that the newest green commits of a push deploy to automatically.
fn environments(shared: &Shared, pushed: &[RefUpdate]) -> Result<Vec<String>, Error> {
    let repo = shared.repo()?;
    let (branches, ledger) = (repo.branch_list()?, DeploymentHistory::default());
    let search = CandidateSearch { shared, repo: &repo, environment: "" };
    let newest = Newest::new(&search, &branches, &ledger)?;
    let mut found = Vec::new();
    for target in targets(&repo, &branches, pushed)? {
        let mut green = match target {
            // The pusher hears of one that lacks a signature.
            Target::Branch { branch, .. } => {
                vec![newest.newest_green(branch)?, newest.newest_eligible(branch)?]
            }
            Target::Tag { commit, .. } => vec![newest.is_green(commit)?.then_some(commit)],
        };
        green.dedup();
        for id in green.into_iter().flatten() {
            // A config that cannot be read deploys nothing.
            let Ok(loaded) = search.load(id) else { continue };
            let rules = loaded.pipeline.deploy().filter(|rules| rules.auto);
            found.extend(rules.iter().flat_map(|rules| rules.environments()).map(str::to_owned));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// A pushed ref that may deploy.
enum Target<'a> {
    Branch { branch: &'a Branch, old: Option<CommitId>, new: CommitId },
    Tag { name: String, commit: CommitId },
}

/// Returns the branches and tags of a push that still exist.
fn targets<'a>(
    repo: &Repo,
    branches: &'a [Branch],
    pushed: &[RefUpdate],
) -> Result<Vec<Target<'a>>, Error> {
    let mut found = Vec::new();
    for update in pushed {
        let peel = |object: Option<CommitId>| object.map(|id| repo.peel(id)).transpose();
        let Some(new) = peel(update.new)?.flatten() else { continue };
        let reference = update.reference.as_bytes();
        if let Some(name) = reference.strip_prefix(b"refs/tags/") {
            let name = String::from_utf8_lossy(name).into_owned();
            found.push(Target::Tag { name, commit: new });
        } else if let Some(name) = reference.strip_prefix(b"refs/heads/") {
            let branch = branches.iter().find(|branch| branch.name.as_bytes() == name);
            let old = peel(update.old)?.flatten();
            found.extend(branch.map(|branch| Target::Branch { branch, old, new }));
        }
    }
    Ok(found)
}

fn deploy(
    shared: &Shared,
    env: &ProcessEnv,
    environment: &str,
    pushed: &[RefUpdate],
    cancel: &CancelView,
    events: &Sender,
) -> Result<Option<Deployment>, Error> {
    let repo = shared.repo()?;
    let Some(candidate) = pushed_candidate(shared, env, &repo, environment, pushed)? else {
        return Ok(None);
    };
    let request = DeployRequest::from(candidate.commit.id);
    let provided = attempt::provide(shared, env, environment, &request, cancel, events)?;
    if provided.failed.is_some() {
        provided.test_for_others(shared, env, cancel, events);
        return Ok(provided.failed);
    }
    let workspace = shared.workspace();
    let mut is_reported = false;
    let lock = loop {
        if cancel.is_canceled() {
            return Ok(None);
        }
        match workspace.deploy_lock(environment)? {
            Some(lock) => break lock,
            // The deployment waits for this command, so the command cannot wait for the
            // deployment.
            None if env.is_of_deployment => {
                let message = format!(
                    "a deployment to `{environment}` is in progress, and a push made by a \
                     deployment does not wait for it"
                );
                let hint = format!("`tinyci deploy --to {environment}` deploys after it");
                return Err(Error::new(ErrorKind::Busy, message).with_hint(hint));
            }
            None if !is_reported => {
                let message = format!("waiting for another deployment to {environment}...");
                events.emit(EventKind::Waiting { message });
                is_reported = true;
            }
            None => thread::sleep(POLL_INTERVAL),
        }
    };
    // Another push may have added a newer commit meanwhile.
    let current = pushed_candidate(shared, env, &repo, environment, pushed)?;
    if current.is_none_or(|current| current.commit.id != candidate.commit.id) {
        lock.release();
        return Ok(None);
    }
    let done = attempt::deploy_under(shared, env, lock, environment, &provided, cancel, events);
    provided.test_for_others(shared, env, cancel, events);
    done.map(Some)
}

/// Returns the commit that a push deploys to an environment.
fn pushed_candidate(
    shared: &Shared,
    env: &ProcessEnv,
    repo: &Repo,
    environment: &str,
    pushed: &[RefUpdate],
) -> Result<Option<Candidate>, Error> {
    let ledger = repo.deploy_history(environment)?.history;
    let branches = repo.branch_list()?;
    let search = CandidateSearch { shared, repo, environment };
    let newest = Newest::new(&search, &branches, &ledger)?;
    let candidates = PushedCandidates {
        env,
        search: &search,
        branches: &branches,
        ledger: &ledger,
        newest: &newest,
    };
    let targets = targets(repo, &branches, pushed)?;
    let (mut found, of_branches) = candidates.of_branches(&targets)?;
    let (tagged, of_tags) = candidates.of_tags(&targets)?;
    found.extend(tagged);
    // A ref that cannot be deployed does not stop another one of the same push.
    match (newest.single_newest(found)?, of_branches.or(of_tags)) {
        (Some((branch, id)), _) => newest.candidate(branch, id).map(Some),
        (None, Some(refusal)) => Err(refusal),
        (None, None) => Ok(None),
    }
}

/// The candidates with their branches, and the error for a ref that the pusher may expect to be
/// deployed.
type FoundOrRefused<'a> = (Vec<(&'a Branch, CommitId)>, Option<Error>);

/// A pushed tag that must not be deployed.
struct RefusedTag<'a> {
    branch: &'a Branch,
    commit: CommitId,
    name: &'a str,
    /// False if that is the reason.
    contains_deployed: bool,
}

/// The data for choosing what a push deploys.
struct PushedCandidates<'a> {
    env: &'a ProcessEnv,
    search: &'a CandidateSearch<'a>,
    branches: &'a [Branch],
    ledger: &'a DeploymentHistory,
    newest: &'a Newest<'a>,
}

impl<'a> PushedCandidates<'a> {
    /// Returns the newest candidate of each pushed branch, if it is part of this push.
    fn of_branches(&self, targets: &[Target<'a>]) -> Result<FoundOrRefused<'a>, Error> {
        let (mut found, mut refusal) = (Vec::new(), None);
        for target in targets {
            let Target::Branch { branch, old, new } = target else { continue };
            let mut offered = Vec::new();
            match self.newest.offer(branch)? {
                Offer::Elsewhere => {}
                Offer::Lacks(id) => {
                    let is_new =
                        self.removed_deployed(*old)? || self.is_part_of_push(*old, *new, id)?;
                    if is_new && self.deploys_automatically(branch, id)? {
                        refusal = refusal.or_else(|| Some(self.not_on_branch_error(branch)));
                    }
                }
                Offer::Found(ids) => offered = ids,
            }
            // If there are several candidates, at least one must be part of this push.
            let mut is_due = false;
            for id in &offered {
                is_due = is_due
                    || self.is_part_of_push(*old, *new, *id)? && self.may_deploy(branch, *id)?;
            }
            let offered = offered.into_iter().map(|id| (*branch, id)).collect();
            if is_due {
                found.extend(self.newest.single_newest(offered)?);
            } else if let Some((id, unsigned)) = self.newest.unsigned(branch)? {
                let is_auto = self.newest.rules_of(id).is_some_and(|rules| rules.auto);
                if is_auto && self.is_part_of_push(*old, *new, id)? {
                    refusal = refusal.or(Some(unsigned));
                }
            }
        }
        Ok((found, refusal))
    }

    /// Returns the newest tagged commit of a push that contains what is deployed and was not
    /// rolled back.
    fn of_tags(&self, targets: &[Target<'a>]) -> Result<FoundOrRefused<'a>, Error> {
        let (mut found, mut refused, mut unsigned) = (Vec::new(), Vec::new(), None);
        for target in targets {
            let Target::Tag { name, commit } = target else { continue };
            let Some(branch) = self.branch_of_tagged(*commit)? else { continue };
            match self.search.signer(*commit, Some(&branch.name)) {
                Err(error) if error.kind() == ErrorKind::InvalidArg => {
                    let is_auto = self.newest.rules_of(*commit).is_some_and(|rules| rules.auto);
                    unsigned = unsigned.or(Some(error).filter(|_| is_auto));
                    continue;
                }
                signer => drop(signer?),
            }
            let contains_deployed = self.newest.contains_deployed(*commit)?;
            if !contains_deployed || !self.newest.may_follow(*commit)? {
                refused.push(RefusedTag { branch, commit: *commit, name, contains_deployed });
            } else if self.may_deploy(branch, *commit)? {
                found.push((branch, *commit));
            }
        }
        if !found.is_empty() {
            return Ok((self.newest.single_newest(found)?.into_iter().collect(), None));
        }
        let newest = self.newest.maxima(refused.iter().map(|tag| tag.commit).collect())?;
        for tag in refused.into_iter().filter(|tag| newest.contains(&tag.commit)) {
            // This includes a commit that was deployed before, because its pusher may expect it
            // again.
            if self.deploys_automatically(tag.branch, tag.commit)? {
                let error = self.tag_refused_error(tag.name, tag.contains_deployed);
                return Ok((Vec::new(), Some(error)));
            }
        }
        Ok((Vec::new(), unsigned))
    }

    /// Returns the branch that a green, tagged commit is deployed from.
    fn branch_of_tagged(&self, id: CommitId) -> Result<Option<&'a Branch>, Error> {
        if !self.newest.is_green(id)? {
            return Ok(None);
        }
        let Some(rules) = self.newest.rules_of(id) else { return Ok(None) };
        let name = self.search.branch(id, &rules, self.branches)?;
        Ok(self.branches.iter().find(|branch| Some(&branch.name) == name.as_ref()))
    }

    /// Returns true if a commit deploys automatically and no deployment of it was tried.
    fn may_deploy(&self, branch: &Branch, id: CommitId) -> Result<bool, Error> {
        Ok(!self.ledger.has_tried(id) && self.deploys_automatically(branch, id)?)
    }

    /// Returns true if the commit's config says `auto` and its conditions are met.
    fn deploys_automatically(&self, branch: &Branch, id: CommitId) -> Result<bool, Error> {
        if !self.newest.rules_of(id).is_some_and(|rules| rules.auto) {
            return Ok(false);
        }
        let candidate = self.newest.candidate(branch, id)?;
        let CandidateSearch { shared, repo, environment } = *self.search;
        let dry_run =
            dry_run(EngineCall { shared, env: self.env }, repo, &candidate, environment, &[])?;
        Ok(!dry_run.skips)
    }

    /// Returns true if a commit is new in a push of its branch.
    fn is_part_of_push(
        &self,
        old: Option<CommitId>,
        new: CommitId,
        id: CommitId,
    ) -> Result<bool, Error> {
        let repo = self.search.repo;
        let contained = old.map(|old| repo.reaches(old, id)).transpose()?.unwrap_or(false);
        Ok(!contained && repo.reaches(new, id)?)
    }

    /// Returns true if the branch contained the deployed commit before the push.
    fn removed_deployed(&self, old: Option<CommitId>) -> Result<bool, Error> {
        let contained = old.map(|old| self.newest.contains_deployed(old)).transpose()?;
        Ok(contained.unwrap_or(false))
    }

    fn deployed(&self) -> String {
        self.newest.deployed().map_or_else(|| "nothing".to_owned(), |id| id.short())
    }

    fn not_on_branch_error(&self, branch: &Branch) -> Error {
        let environment = self.search.environment;
        let message = format!(
            "{}, which is deployed to `{environment}`, is not on `{}`",
            self.deployed(),
            branch.name
        );
        let hint = format!("`tinyci deploy --to {environment}` shows what would be lost");
        Error::new(ErrorKind::InvalidArg, message).with_hint(hint)
    }

    fn tag_refused_error(&self, tag: &str, contains_deployed: bool) -> Error {
        let environment = self.search.environment;
        let to = match environment {
            DeployRules::PRODUCTION => String::new(),
            other => format!(" --to {other}"),
        };
        let reason = match contains_deployed {
            true => format!(
                "was rolled back in `{environment}`, or does not contain a rolled back commit"
            ),
            false => {
                format!(
                    "does not contain {}, which is deployed to `{environment}`",
                    self.deployed()
                )
            }
        };
        let hint = format!("`tinyci deploy {tag}{to}` deploys it anyway");
        Error::new(ErrorKind::InvalidArg, format!("`{tag}` {reason}")).with_hint(hint)
    }
}
