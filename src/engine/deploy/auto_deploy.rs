//! What follows a push by itself: the newest green commit of a pushed branch, or the one that a
//! pushed tag names, where its config says `auto` and its conditions hold.
//!
//! Every pusher sees to its own commits, whoever ran them. Of several commits in one push only the
//! newest is deployed, and a commit that was tried once is left to people. All that decides is
//! looked at before an entry is written.

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

/// How often to look whether another deployment is over.
const PAUSE: Duration = Duration::from_millis(50);

/// Deploys what a push brought, to every environment that it is meant for. What keeps it from that
/// is a warning: the push itself is judged by then.
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

/// The environments that a push's newest green commits deploy to by themselves.
fn environments(shared: &Shared, pushed: &[RefUpdate]) -> Result<Vec<String>, Error> {
    let repo = shared.repo()?;
    let (branches, ledger) = (repo.branch_list()?, DeploymentHistory::default());
    let choice = CandidateSearch { shared, repo: &repo, environment: "" };
    let newest = Newest::new(&choice, &branches, &ledger)?;
    let mut found = Vec::new();
    for target in targets(&repo, &branches, pushed)? {
        let green = match target {
            Target::Branch { branch, .. } => newest.deciding(branch.tip)?,
            Target::Tag { commit, .. } => newest.is_green(commit)?.then_some(commit),
        };
        // One that cannot be read here deploys nothing here.
        let Some(loaded) = green.and_then(|id| choice.load(id).ok()) else { continue };
        let rules = loaded.pipeline.deploy().filter(|rules| rules.auto);
        found.extend(rules.iter().flat_map(|rules| rules.environments()).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What a hook line is about.
enum Target<'a> {
    Branch { branch: &'a Branch, old: Option<CommitId>, new: CommitId },
    Tag { name: String, commit: CommitId },
}

/// The branches and tags of a push that are there still.
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
    let Some(candidate) = due(shared, env, &repo, environment, pushed)? else { return Ok(None) };
    let request = DeployRequest::from(candidate.commit.id);
    let provided = attempt::provide(shared, env, environment, &request, cancel, events)?;
    if provided.failed.is_some() {
        provided.test_for_others(shared, env, cancel, events);
        return Ok(provided.failed);
    }
    let workspace = shared.workspace();
    let mut told = false;
    let lock = loop {
        if cancel.is_canceled() {
            return Ok(None);
        }
        match workspace.deploy_lock(environment)? {
            Some(lock) => break lock,
            // It would wait for its own end.
            None if env.is_of_deployment => {
                let message = format!(
                    "a deployment to `{environment}` is in progress, and a push made by a \
                     deployment does not wait for it"
                );
                let hint = format!("`tinyci deploy --to {environment}` deploys after it");
                return Err(Error::new(ErrorKind::Busy, message).with_hint(hint));
            }
            None if !told => {
                let message = format!("waiting for another deployment to {environment}...");
                events.emit(EventKind::Waiting { message });
                told = true;
            }
            None => thread::sleep(PAUSE),
        }
    };
    // Another pusher may have brought a newer one meanwhile.
    let still = due(shared, env, &repo, environment, pushed)?;
    if still.is_none_or(|still| still.commit.id != candidate.commit.id) {
        lock.release();
        return Ok(None);
    }
    let done = attempt::deploy_under(shared, env, lock, environment, &provided, cancel, events);
    provided.test_for_others(shared, env, cancel, events);
    done.map(Some)
}

/// What a push deploys to an environment, of the branches and tags that it moved.
fn due(
    shared: &Shared,
    env: &ProcessEnv,
    repo: &Repo,
    environment: &str,
    pushed: &[RefUpdate],
) -> Result<Option<Candidate>, Error> {
    let ledger = repo.deploy_history(environment)?.history;
    let branches = repo.branch_list()?;
    let choice = CandidateSearch { shared, repo, environment };
    let newest = Newest::new(&choice, &branches, &ledger)?;
    let due = Due { env, choice: &choice, branches: &branches, ledger: &ledger, newest: &newest };
    let targets = targets(repo, &branches, pushed)?;
    let (mut found, of_branches) = due.of_branches(&targets)?;
    let (tagged, of_tags) = due.of_tags(&targets)?;
    found.extend(tagged);
    // What cannot be deployed is in nobody's way who pushed it along with what can.
    match (newest.only(found)?, of_branches.or(of_tags)) {
        (Some((branch, id)), _) => newest.candidate(branch, id).map(Some),
        (None, Some(refusal)) => Err(refusal),
        (None, None) => Ok(None),
    }
}

/// Candidates with their branches, and why something was refused that somebody may expect to be
/// deployed.
type Looked<'a> = (Vec<(&'a Branch, CommitId)>, Option<Error>);

/// What is looked at to find what a push deploys.
struct Due<'a> {
    env: &'a ProcessEnv,
    choice: &'a CandidateSearch<'a>,
    branches: &'a [Branch],
    ledger: &'a DeploymentHistory,
    newest: &'a Newest<'a>,
}

impl<'a> Due<'a> {
    /// The newest candidate of each pushed branch, if this push brought it.
    fn of_branches(&self, targets: &[Target<'a>]) -> Result<Looked<'a>, Error> {
        let (mut found, mut refusal) = (Vec::new(), None);
        for target in targets {
            let Target::Branch { branch, old, new } = target else { continue };
            let mut offered = Vec::new();
            match self.newest.offer(branch)? {
                Offer::Elsewhere => {}
                Offer::Lacks(id) => {
                    let is_news = self.took_away(*old)? || self.is_part_of_push(*old, *new, id)?;
                    if is_news && self.is_meant(branch, id)? {
                        refusal = refusal.or_else(|| Some(self.not_on(branch)));
                    }
                }
                Offer::Found(ids) => offered = ids,
            }
            // Of several none is due unless one is that came now.
            let mut is_due = false;
            for id in &offered {
                is_due = is_due
                    || self.is_part_of_push(*old, *new, *id)? && self.follows(branch, *id)?;
            }
            let offered = offered.into_iter().map(|id| (*branch, id)).collect();
            if is_due {
                found.extend(self.newest.only(offered)?);
            }
        }
        Ok((found, refusal))
    }

    /// The newest commit that a pushed tag names, if it contains what is deployed and was not rolled
    /// back.
    fn of_tags(&self, targets: &[Target<'a>]) -> Result<Looked<'a>, Error> {
        let (mut found, mut refused) = (Vec::new(), Vec::new());
        for target in targets {
            let Target::Tag { name, commit } = target else { continue };
            let Some(branch) = self.branch_of_tagged(*commit)? else { continue };
            let is_above = self.newest.contains_deployed(*commit)?;
            if !is_above || !self.newest.may_follow(*commit)? {
                refused.push((branch, *commit, (name, is_above)));
            } else if self.follows(branch, *commit)? {
                found.push((branch, *commit));
            }
        }
        if !found.is_empty() {
            return Ok((self.newest.only(found)?.into_iter().collect(), None));
        }
        let newest = self.newest.maxima(refused.iter().map(|(_, id, _)| *id).collect())?;
        for (branch, id, tag) in refused.into_iter().filter(|(_, id, _)| newest.contains(id)) {
            // Also one that was deployed before: whoever pushes its tag may expect it again.
            if self.is_meant(branch, id)? {
                return Ok((Vec::new(), Some(self.tag_refused(tag.0, tag.1))));
            }
        }
        Ok((Vec::new(), None))
    }

    /// The branch that a green commit with a tag deploys from.
    fn branch_of_tagged(&self, id: CommitId) -> Result<Option<&'a Branch>, Error> {
        if !self.newest.is_green(id)? {
            return Ok(None);
        }
        let Some(rules) = self.newest.rules_of(id) else { return Ok(None) };
        let name = self.choice.branch(id, &rules, self.branches)?;
        Ok(self.branches.iter().find(|branch| Some(&branch.name) == name.as_ref()))
    }

    /// Whether a commit deploys by itself here and now, and nobody has tried yet.
    fn follows(&self, branch: &Branch, id: CommitId) -> Result<bool, Error> {
        Ok(!self.ledger.has_tried(id) && self.is_meant(branch, id)?)
    }

    /// Whether a commit's config deploys it by itself, and its conditions hold.
    fn is_meant(&self, branch: &Branch, id: CommitId) -> Result<bool, Error> {
        if !self.newest.rules_of(id).is_some_and(|rules| rules.auto) {
            return Ok(false);
        }
        let candidate = self.newest.candidate(branch, id)?;
        let CandidateSearch { shared, repo, environment } = *self.choice;
        let dry_run =
            dry_run(EngineCall { shared, env: self.env }, repo, &candidate, environment, &[])?;
        Ok(!dry_run.skips)
    }

    /// Whether a commit came with a push of its branch.
    fn is_part_of_push(
        &self,
        old: Option<CommitId>,
        new: CommitId,
        id: CommitId,
    ) -> Result<bool, Error> {
        let repo = self.choice.repo;
        let had = old.map(|old| repo.reaches(old, id)).transpose()?.unwrap_or(false);
        Ok(!had && repo.reaches(new, id)?)
    }

    /// Whether what is deployed was on a branch before it was pushed, which has lost it.
    fn took_away(&self, old: Option<CommitId>) -> Result<bool, Error> {
        let had = old.map(|old| self.newest.contains_deployed(old)).transpose()?;
        Ok(had.unwrap_or(false))
    }

    fn deployed(&self) -> String {
        self.newest.deployed().map_or_else(|| "nothing".to_owned(), |id| id.short())
    }

    fn not_on(&self, branch: &Branch) -> Error {
        let environment = self.choice.environment;
        let message = format!(
            "{}, which is deployed to `{environment}`, is not on `{}`",
            self.deployed(),
            branch.name
        );
        let hint = format!("`tinyci deploy --to {environment}` shows what would be lost");
        Error::new(ErrorKind::InvalidArg, message).with_hint(hint)
    }

    fn tag_refused(&self, tag: &str, is_above: bool) -> Error {
        let environment = self.choice.environment;
        let to = match environment {
            DeployRules::PRODUCTION => String::new(),
            other => format!(" --to {other}"),
        };
        let why = match is_above {
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
        Error::new(ErrorKind::InvalidArg, format!("`{tag}` {why}")).with_hint(hint)
    }
}
