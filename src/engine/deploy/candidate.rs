//! [`Candidate`]: the commit of a deployment, and the checks whether it may be deployed.

use super::newest::Newest;
use crate::{
    engine::{
        context::shared::Shared,
        run::{pending::final_outcome, reports},
        step::scripts::LoadedPipeline,
    },
    model::{
        commit::{Commit, CommitId, GitString},
        deployment::DeployRequest,
        error::{Error, ErrorKind},
        outcome::Outcome,
        pipeline::{DeployRules, Pipeline},
    },
    repo::{Branch, Repo},
    rules::{glob, ledger::DeploymentHistory},
};

/// A commit that may be deployed.
pub(in crate::engine) struct Candidate {
    /// The commit, with the branch that it is deployed from.
    pub(in crate::engine) commit: Commit,
    pub(in crate::engine) verdict: Option<Outcome>,
    pub(in crate::engine) loaded: LoadedPipeline,
    pub(in crate::engine) rules: DeployRules,
    /// The blob id of its config.
    pub(in crate::engine) config: String,
    /// Newer commits of its branch with the reasons against them, if tinyci chose the commit.
    pub(in crate::engine) ineligible: Vec<(CommitId, String)>,
    /// True if tinyci chose the commit although the deployed commit is on no deployable branch and
    /// would be lost.
    pub(in crate::engine) removes_deployed: bool,
    /// True if it is on no deployable branch, and a rollback goes back to it anyway.
    pub(in crate::engine) off_branch: bool,
    /// The signer of the commit, if it needs a signature.
    pub(in crate::engine) signed_by: Option<String>,
}

impl Candidate {
    /// Returns true if it is deployed with `--force` although a check failed.
    pub(in crate::engine) fn is_forced(&self) -> bool {
        !self.verdict.is_some_and(Outcome::passed) || self.off_branch
    }
}

/// Finds the candidate of a request.
pub(in crate::engine) struct CandidateSearch<'a> {
    pub(in crate::engine) shared: &'a Shared,
    pub(in crate::engine) repo: &'a Repo,
    pub(in crate::engine) environment: &'a str,
}

impl CandidateSearch<'_> {
    /// Returns the commit to deploy.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is none, [`InvalidArg`](ErrorKind::InvalidArg)
    /// for a commit that must not be deployed there, and errors while its config is read.
    pub(in crate::engine) fn candidate(
        &self,
        request: &DeployRequest,
        ledger: &DeploymentHistory,
    ) -> Result<Candidate, Error> {
        self.find(request, ledger).map_err(|error| self.with_head_fault(error))
    }

    /// Adds a problem of HEAD to an error. By default only HEAD's branch deploys, so a missing
    /// branch may be the cause.
    fn with_head_fault(&self, error: Error) -> Error {
        let is_about_selection =
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidArg);
        match self.repo.head_fault() {
            Ok(Some(fault)) if is_about_selection => {
                let message = format!("{}\n{fault}", error.report());
                error.with_message(message)
            }
            _ => error,
        }
    }

    fn find(
        &self,
        request: &DeployRequest,
        ledger: &DeploymentHistory,
    ) -> Result<Candidate, Error> {
        let branches = self.repo.branch_list()?;
        let named = match &request.revision {
            Some(revision) => self.repo.resolve(revision)?,
            None if request.rollback => {
                let earlier = ledger.before_running();
                earlier.ok_or_else(|| self.no_earlier_deployment(ledger))?.commit
            }
            None => return Newest::new(self, &branches, ledger)?.choose(),
        };
        self.named(named, request, &branches)
    }

    fn no_earlier_deployment(&self, ledger: &DeploymentHistory) -> Error {
        let environment = self.environment;
        let message = match ledger.running() {
            Some(running) => format!(
                "cannot roll `{environment}` back: {} is its only deployment",
                running.commit.short()
            ),
            None => format!("cannot roll `{environment}` back: it has no deployments"),
        };
        Error::new(ErrorKind::NotFound, message)
    }

    /// Checks that the commit's config deploys to this environment.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) if it does not.
    pub(in crate::engine) fn check(&self, id: CommitId) -> Result<(), Error> {
        self.rules(id, &self.load(id)?.pipeline).map(drop)
    }

    /// Returns a commit that the caller named.
    fn named(
        &self,
        id: CommitId,
        request: &DeployRequest,
        branches: &[Branch],
    ) -> Result<Candidate, Error> {
        let verdict = final_outcome(self.repo, id)?;
        let short = id.short();
        if !request.force && !verdict.is_some_and(Outcome::passed) {
            let (why, hint) = match verdict {
                Some(outcome) => {
                    (format!("its verdict is {outcome}"), "`--force` deploys it anyway".to_owned())
                }
                None => ("it has no verdict".to_owned(), format!("`tinyci run {short}` tests it")),
            };
            let message = format!("refusing to deploy {short}: {why}");
            return Err(Error::new(ErrorKind::InvalidArg, message).with_hint(hint));
        }
        let loaded = self.load(id)?;
        let rules = self.rules(id, &loaded.pipeline)?;
        if let Some(branch) = self.branch(id, &rules, branches)? {
            return self.finish(id, verdict, Some(branch), loaded, rules);
        }
        // After a force push, the earlier commit is on no branch anymore. Its deployment shows
        // that it was on one.
        if request.rollback && request.force {
            let branch = reports::record_of(self.repo, id)?.and_then(|record| record.branch);
            let found = self.finish(id, verdict, branch, loaded, rules)?;
            return Ok(Candidate { off_branch: true, ..found });
        }
        Err(off_branch(id, &loaded.pipeline.name, &rules, branches, request.rollback))
    }

    pub(super) fn load(&self, id: CommitId) -> Result<LoadedPipeline, Error> {
        LoadedPipeline::load(self.shared, self.repo, &self.repo.commit_for(id, None)?)
    }

    /// Returns the config's rules for deployments to this environment.
    pub(super) fn rules(&self, id: CommitId, pipeline: &Pipeline) -> Result<DeployRules, Error> {
        let (short, name) = (id.short(), &pipeline.name);
        let Some(rules) = pipeline.deploy() else {
            let message = format!("cannot deploy {short}: its `{name}` has no `deploy`");
            return Err(Error::new(ErrorKind::InvalidArg, message)
                .with_hint("`tinyci deploy COMMIT` deploys an older commit"));
        };
        if rules.environments().any(|known| known == self.environment) {
            return Ok(rules.clone());
        }
        let known: Vec<String> = rules.environments().map(|name| format!("`{name}`")).collect();
        let message = format!(
            "cannot deploy {short} to `{}`: its `{name}` lists only {}",
            self.environment,
            known.join(", ")
        );
        Err(Error::new(ErrorKind::InvalidArg, message))
    }

    /// Returns the first deployable branch that contains the commit.
    pub(super) fn branch(
        &self,
        id: CommitId,
        rules: &DeployRules,
        branches: &[Branch],
    ) -> Result<Option<GitString>, Error> {
        for branch in branches {
            if deploys_from(rules, branch) && self.repo.reaches(branch.tip, id)? {
                return Ok(Some(branch.name.clone()));
            }
        }
        Ok(None)
    }

    pub(super) fn finish(
        &self,
        id: CommitId,
        verdict: Option<Outcome>,
        branch: Option<GitString>,
        loaded: LoadedPipeline,
        rules: DeployRules,
    ) -> Result<Candidate, Error> {
        let signed_by = self.signer(id, branch.as_ref())?;
        let commit = self.repo.commit_for(id, branch)?;
        let config = self.repo.config_blob(id)?.unwrap_or_default();
        let (ineligible, removes_deployed, off_branch) = (Vec::new(), false, false);
        Ok(Candidate {
            commit,
            verdict,
            loaded,
            rules,
            config,
            ineligible,
            removes_deployed,
            off_branch,
            signed_by,
        })
    }

    /// Returns the signer of a commit that needs a signature. Every candidate passes here, and not even
    /// `--force` leads past it: a verdict can be wrong, a signature cannot be missing by mistake.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) if its signature does not count.
    pub(super) fn signer(
        &self,
        id: CommitId,
        branch: Option<&GitString>,
    ) -> Result<Option<String>, Error> {
        let signatures = self.shared.commit_signatures();
        if !signatures.wants_branch(branch) && !signatures.wants_tag_of(self.repo, id)? {
            return Ok(None);
        }
        signatures.signer(self.repo, id).map(Some).map_err(|flaw| unsigned(id, &flaw))
    }

    /// Returns why the signature of a commit does not count for a branch, if it needs one.
    pub(super) fn signature_flaw(&self, id: CommitId, branch: &Branch) -> Option<String> {
        let signatures = self.shared.commit_signatures();
        let wants = signatures.wants_branch(Some(&branch.name));
        if wants { signatures.signer(self.repo, id).err() } else { None }
    }
}

/// Returns the error for a commit whose signature does not count.
pub(super) fn unsigned(id: CommitId, flaw: &str) -> Error {
    let short = id.short();
    let message = format!("refusing to deploy {short}: {flaw} (`tinyci.requireSigned`)");
    let hint = format!("`git verify-commit {short}` on the server shows what git knows of it");
    Error::new(ErrorKind::InvalidArg, message).with_hint(hint)
}

/// Returns true if a config with these rules deploys from this branch.
pub(super) fn deploys_from(rules: &DeployRules, branch: &Branch) -> bool {
    match rules.branch.as_slice() {
        [] => branch.is_head,
        globs => {
            let globs = globs.iter().map(String::as_str);
            glob::text_matches_list(globs, &branch.name.to_str_lossy())
        }
    }
}

/// Returns the error for a commit that is on no branch which its config allows.
fn off_branch(
    id: CommitId,
    config: &str,
    rules: &DeployRules,
    branches: &[Branch],
    rollback: bool,
) -> Error {
    let allowed = match rules.branch.as_slice() {
        [] => match branches.first().filter(|branch| branch.is_head) {
            Some(head) => format!("`{}`", head.name),
            None => "the branch of HEAD".to_owned(),
        },
        listed => format!("`{}`", listed.join("`, `")),
    };
    let message = format!(
        "refusing to deploy {}: it is not on {allowed}, as its `{config}` requires",
        id.short()
    );
    let error = Error::new(ErrorKind::InvalidArg, message);
    if rollback { error.with_hint("`--force` rolls back to it anyway") } else { error }
}
