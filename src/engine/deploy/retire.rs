//! The end of an environment: nothing runs there any more.

use super::{
    super::{
        handle::{Engine, Shared},
        job,
    },
    attempt::busy,
    check_environment,
    identity::Identity,
};
use crate::{
    clock,
    deployment::{DeployOutcome, Deployment},
    error::{Error, ErrorKind},
    ledger::Ledger,
    process::{account_name, own_account},
    repo::Repo,
    suggestion::did_you_mean,
};

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
        let lock = self.shared.workspace().deploy_lock(environment)?;
        let lock = lock.ok_or_else(|| busy(environment))?;
        let retired = retire(&self.shared, environment);
        lock.release();
        retired
    }
}

fn retire(shared: &Shared, environment: &str) -> Result<Option<Deployment>, Error> {
    let repo = shared.repo()?;
    let ledger = repo.deploy_history(environment)?.ledger;
    if ledger.is_retired() {
        return Ok(None);
    }
    let env = shared.process_env();
    let identity = Identity::of(shared, &repo, None, &env);
    let entry = entry(environment, &ledger, &identity);
    let entry = entry.ok_or_else(|| unknown(&repo, environment))?;
    let entry = Deployment { account: Some(account_name(own_account(), &env.passed)), ..entry };
    let author = (identity.name.as_str(), identity.address.as_str());
    repo.record_deployment(environment, author, |_| Ok(Some(entry.clone())))?;
    Ok(Some(entry))
}

/// What is put on record; none where nothing was ever deployed.
fn entry(environment: &str, ledger: &Ledger, identity: &Identity) -> Option<Deployment> {
    let running = ledger.running();
    let last = running.or_else(|| ledger.deployments.first())?;
    let now = clock::now_ms();
    Some(Deployment {
        run: job::run_id(),
        environment: environment.to_owned(),
        commit: last.commit,
        from: running.map(|running| running.commit),
        outcome: DeployOutcome::Retired,
        reason: None,
        failures: Vec::new(),
        forced: false,
        rollback: false,
        bare: false,
        export: last.export.clone(),
        approved_by: None,
        approval_proof: None,
        config: last.config.clone(),
        started: now,
        finished: Some(now),
        by: identity.to_string(),
        account: None,
        remote: None,
    })
}

fn unknown(repo: &Repo, environment: &str) -> Error {
    let known = repo.deploy_environments().unwrap_or_default();
    let advice = did_you_mean(environment, known.iter().map(String::as_str));
    let message = format!("nothing was ever deployed to `{environment}`{advice}");
    Error::new(ErrorKind::NotFound, message)
}
