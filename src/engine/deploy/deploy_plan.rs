//! Plans of deployments.

use super::{
    approve::Approvals,
    candidate::{Candidate, CandidateSearch},
};
use crate::{
    engine::{
        context::{engine_call::EngineCall, shared::Shared},
        run::{
            dry_run::{DeployDryRun, dry_deploy},
            reports,
        },
    },
    model::{
        commit::CommitId,
        deployment::{BuildState, DeployPlan, DeployRequest, Deployment},
        error::{Error, ErrorKind},
        pipeline::{ENVIRONMENT_NAME, is_environment},
    },
    repo::Repo,
    rules::ledger::DeploymentHistory,
};

/// Returns the commit that is deployed to this environment if the caller names none.
///
/// # Errors
///
/// As [`Engine::deploy`]: [`NotFound`](ErrorKind::NotFound) if there is nothing to deploy.
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

/// Fails for a name that no config can contain.
pub(in crate::engine) fn check_environment(environment: &str) -> Result<(), Error> {
    if is_environment(environment) {
        return Ok(());
    }
    let message = format!("invalid environment name {environment:?}: use {ENVIRONMENT_NAME}");
    Err(Error::new(ErrorKind::InvalidArg, message))
}

/// Returns what the deploy phase would do.
pub(in crate::engine) fn dry_run(
    call: EngineCall<'_>,
    repo: &Repo,
    candidate: &Candidate,
    environment: &str,
    assume: &[(String, String)],
) -> Result<DeployDryRun, Error> {
    let run = reports::record_of(repo, candidate.commit.id)?;
    let Candidate { commit, loaded, .. } = candidate;
    dry_deploy(call, repo, commit, loaded, environment, assume, run.as_ref())
}

/// The parts of a plan, in addition to the environment's history.
pub(in crate::engine) struct PlanParts {
    pub(in crate::engine) candidate: Candidate,
    pub(in crate::engine) dry_run: DeployDryRun,
    pub(in crate::engine) approval: Approvals,
    pub(in crate::engine) build: BuildState,
    /// The deployment that was interrupted.
    pub(in crate::engine) interrupted: Option<Deployment>,
    pub(in crate::engine) rollback: bool,
}

pub(in crate::engine) fn plan(
    repo: &Repo,
    environment: &str,
    parts: PlanParts,
    ledger: &DeploymentHistory,
) -> Result<DeployPlan, Error> {
    let PlanParts { candidate, dry_run, approval, build, interrupted, rollback } = parts;
    let (id, forced) = (candidate.commit.id, candidate.is_forced());
    let running = ledger.running().cloned();
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    if let Some(running) = &running {
        let commits = |tip, hidden| repo.commits(&repo.commits_above(tip, Some(hidden))?);
        added = commits(id, running.commit)?;
        removed = commits(running.commit, id)?;
    }
    Ok(DeployPlan {
        environment: environment.to_owned(),
        verdict: candidate.verdict,
        deployed: running,
        added,
        removed,
        ineligible: candidate.ineligible,
        signed_by: candidate.signed_by,
        approval: approval.state,
        uncounted: approval.uncounted,
        approval_fault: approval.fault,
        head_fault: repo.head_fault()?,
        must_be_named: candidate.removes_deployed,
        build,
        steps: dry_run.steps,
        interrupted,
        forced,
        rollback,
        commit: candidate.commit,
    })
}
