//! What follows a push by itself: the newest green commit, where its config says `auto`.
//!
//! Every pusher sees to its own commits, whoever ran them. Of several commits in one push only the
//! newest green one is deployed, and a commit that was tried once is left to people.

use std::{thread, time::Duration};

use super::{
    super::{
        handle::Shared,
        process_env::ProcessEnv,
        pump::{self, Sender},
    },
    attempt,
    candidate::{Candidate, Choice},
};
use crate::{
    cancel::CancelView,
    commit::CommitId,
    deployment::{DeployRequest, Deployment},
    error::{Error, ErrorKind},
    event::Event,
    repo::Repo,
    selection::Update,
};

/// How often to look whether another deployment is over.
const PAUSE: Duration = Duration::from_millis(50);

/// Deploys what a push brought, to every environment that it is meant for. What keeps it from that
/// is a warning: the push itself is judged by then.
pub(in crate::engine) fn deploy_pushed(
    shared: &Shared,
    env: &ProcessEnv,
    pushed: &[Update],
    cancel: &CancelView,
    events: &Sender,
) -> Vec<Deployment> {
    let warn = |error: Error| {
        let message = format!("nothing was deployed: {}", error.report());
        events.send(Event::Warning { meta: pump::meta(), message });
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
fn environments(shared: &Shared, pushed: &[Update]) -> Result<Vec<String>, Error> {
    let repo = shared.repo()?;
    let mut found = Vec::new();
    let peel = |object: Option<CommitId>| object.map(|id| repo.peel(id)).transpose();
    for update in pushed {
        let Some(new) = peel(update.new)?.flatten() else { continue };
        let old = peel(update.old)?.flatten();
        let rules = Choice { shared, repo: &repo, environment: "" }.rules_of_pushed(old, new)?;
        let Some(rules) = rules.filter(|rules| rules.auto) else { continue };
        found.extend(rules.environments().map(str::to_owned));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn deploy(
    shared: &Shared,
    env: &ProcessEnv,
    environment: &str,
    pushed: &[Update],
    cancel: &CancelView,
    events: &Sender,
) -> Result<Option<Deployment>, Error> {
    let repo = shared.repo()?;
    if due(shared, &repo, environment, pushed)?.is_none() {
        return Ok(None);
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
                    "something is being deployed to `{environment}` right now, and what a \
                     deployment pushes does not wait for one: `tinyci deploy --to {environment}` \
                     when that is over"
                );
                return Err(Error::new(ErrorKind::Busy, message));
            }
            None if !told => {
                let message = format!("waiting for another deployment to {environment}...");
                events.send(Event::Waiting { meta: pump::meta(), message });
                told = true;
            }
            None => thread::sleep(PAUSE),
        }
    };
    // Another pusher may have brought a newer one meanwhile.
    let Some(candidate) = due(shared, &repo, environment, pushed)? else {
        lock.release();
        return Ok(None);
    };
    let request = DeployRequest::from(candidate.commit.id);
    attempt::deploy_under(shared, env, lock, (environment, &request), cancel, events).map(Some)
}

/// The newest commit that can be deployed, if this push brought it, it deploys by itself, and
/// nobody has tried yet.
fn due(
    shared: &Shared,
    repo: &Repo,
    environment: &str,
    pushed: &[Update],
) -> Result<Option<Candidate>, Error> {
    let ledger = repo.deploy_history(environment)?.ledger;
    let choice = Choice { shared, repo, environment };
    let candidate = match choice.candidate(&DeployRequest::newest(), &ledger) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        candidate => candidate?,
    };
    let id = candidate.commit.id;
    let tried = ledger.deployments.iter().any(|deployment| deployment.commit == id);
    let due = candidate.rules.auto && !tried && brought(repo, pushed, id)?;
    Ok(due.then_some(candidate))
}

/// Whether a commit came with this push.
fn brought(repo: &Repo, pushed: &[Update], id: CommitId) -> Result<bool, Error> {
    for update in pushed {
        let peel = |object: Option<CommitId>| object.map(|id| repo.peel(id)).transpose();
        let Some(new) = peel(update.new)?.flatten() else { continue };
        let had = match peel(update.old)?.flatten() {
            Some(old) => repo.reaches(old, id)?,
            None => false,
        };
        if !had && repo.reaches(new, id)? {
            return Ok(true);
        }
    }
    Ok(false)
}
