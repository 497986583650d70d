//! Retires an environment to which nothing is deployed anymore.

use super::identity::Identity;
use crate::engine::{context::shared::Shared, run::attempt};
use crate::{
    model::{
        deployment::{DeployOutcome, Deployment},
        error::{Error, ErrorKind},
    },
    process::{account_name, own_account},
    repo::Repo,
    rules::ledger::DeploymentHistory,
    util::{clock, suggestion::did_you_mean},
};

pub(in crate::engine) fn retire(
    shared: &Shared,
    environment: &str,
) -> Result<Option<Deployment>, Error> {
    let repo = shared.repo()?;
    let ledger = repo.deploy_history(environment)?.history;
    if ledger.is_retired() {
        return Ok(None);
    }
    let env = shared.process_env();
    let identity = Identity::of(shared, &repo, None, &env);
    let entry = entry(environment, &ledger, &identity);
    let entry = entry.ok_or_else(|| unknown(&repo, environment))?;
    let entry = Deployment { account: Some(account_name(own_account(), &env.passed)), ..entry };
    repo.record_deployment(environment, &identity, |_| Ok(Some(entry.clone())))?;
    Ok(Some(entry))
}

/// Returns the entry of the retirement, or `None` if nothing was ever deployed.
fn entry(environment: &str, ledger: &DeploymentHistory, identity: &Identity) -> Option<Deployment> {
    let running = ledger.running();
    let last = running.or_else(|| ledger.deployments.first())?;
    let now = clock::now_ms();
    Some(Deployment {
        id: attempt::new_id(),
        environment: environment.to_owned(),
        commit: last.commit,
        previous: running.map(|running| running.commit),
        outcome: DeployOutcome::Retired,
        reason: None,
        failures: Vec::new(),
        forced: false,
        rollback: false,
        bare: false,
        export: last.export.clone(),
        approved_by: None,
        approval_proof: None,
        signed_by: None,
        config_blob: last.config_blob.clone(),
        started: now,
        finished: Some(now),
        deployed_by: identity.to_string(),
        account: None,
        remote: None,
        unknown_fields: Default::default(),
    })
}

fn unknown(repo: &Repo, environment: &str) -> Error {
    let known = repo.deploy_environments().unwrap_or_default();
    let advice = did_you_mean(environment, known.iter().map(String::as_str));
    let message = format!("no deployments to `{environment}`{advice}");
    Error::new(ErrorKind::NotFound, message)
}
