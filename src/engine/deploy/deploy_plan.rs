//! What a deployment would do.

use super::{
    approve::Approvals,
    candidate::{Candidate, CandidateSearch},
};
use crate::engine::{
    context::{process_env::ProcessEnv, shared::Shared},
    run::{
        dry_run::{DeployDryRun, dry_deploy},
        reports,
    },
};
use crate::{
    model::{
        commit::CommitId,
        deployment::{BuildState, DeployPlan, DeployRequest, Deployment},
        error::{Error, ErrorKind},
        pipeline::{ENVIRONMENT_NAME, is_environment},
    },
    repo::Repo,
    rules::ledger::DeploymentHistory,
};

/// What is deployed to this environment if nobody names a commit.
///
/// # Errors
///
/// As [`Engine::deploy`]: [`NotFound`](ErrorKind::NotFound) where there is nothing to deploy.
pub(in crate::engine) fn next(
    shared: &Shared,
    repo: &Repo,
    environment: &str,
    ledger: &DeploymentHistory,
) -> Result<CommitId, Error> {
    let candidate = CandidateSearch { shared, repo, environment }
        .candidate(&DeployRequest::newest(), ledger)?;
    Ok(candidate.commit.id)
}

/// A name that no config could have is a slip of whoever gives it.
pub(in crate::engine) fn check_environment(environment: &str) -> Result<(), Error> {
    if is_environment(environment) {
        return Ok(());
    }
    let message = format!("{environment:?} cannot name an environment; use {ENVIRONMENT_NAME}");
    Err(Error::new(ErrorKind::InvalidArg, message))
}

/// What the phase would do.
pub(in crate::engine) fn forecast(
    (shared, env): (&Shared, &ProcessEnv),
    repo: &Repo,
    candidate: &Candidate,
    planned: (&str, &[(String, String)]),
) -> Result<DeployDryRun, Error> {
    let Candidate { commit, pipeline, scripts, .. } = candidate;
    let run = reports::record_of(repo, commit.id)?;
    dry_deploy((shared, env), repo, (commit, pipeline, scripts), planned, run.as_ref())
}

pub(in crate::engine) fn plan(
    repo: &Repo,
    environment: &str,
    (candidate, forecast, approvals, build): (Candidate, DeployDryRun, Approvals, BuildState),
    ledger: &DeploymentHistory,
    interrupted: Option<Deployment>,
    rollback: bool,
) -> Result<DeployPlan, Error> {
    let (id, forced) = (candidate.commit.id, candidate.is_forced());
    let running = ledger.running().cloned();
    let (mut coming, mut leaving) = (Vec::new(), Vec::new());
    if let Some(running) = &running {
        let commits = |tip, hidden| repo.commits(&repo.commits_above(tip, Some(hidden))?);
        coming = commits(id, running.commit)?;
        leaving = commits(running.commit, id)?;
    }
    Ok(DeployPlan {
        environment: environment.to_owned(),
        verdict: candidate.verdict,
        deployed: running,
        added: coming,
        removed: leaving,
        ineligible: candidate.passed_over,
        approval: approvals.state,
        uncounted: approvals.uncounted,
        approval_fault: approvals.fault,
        head_fault: repo.head_fault()?,
        must_be_named: candidate.loses,
        build,
        actions: forecast.lines,
        interrupted,
        forced,
        rollback,
        commit: candidate.commit,
    })
}
