//! [`Candidate`]: the commit that a deployment is about, and whether it may be deployed.

use std::ops::ControlFlow;

use super::super::{due::settled_outcome, handle::Shared, scripts::Scripts};
use crate::{
    commit::{Commit, CommitId, Text},
    deployment::DeployRequest,
    error::{Error, ErrorKind},
    glob,
    ledger::Ledger,
    outcome::Outcome,
    pipeline::{DeployRules, Pipeline},
    repo::{Branch, Repo},
};

/// How many of a push's commits are looked at for one that deploys by itself. A push of a whole
/// history must not be read to its end after every red tip.
const PUSHED_MAX: usize = 1000;

/// A commit that may be deployed.
pub(in crate::engine) struct Candidate {
    /// With the branch that it is deployed for.
    pub(in crate::engine) commit: Commit,
    pub(in crate::engine) verdict: Option<Outcome>,
    pub(in crate::engine) pipeline: Pipeline,
    pub(in crate::engine) scripts: Scripts,
    pub(in crate::engine) rules: DeployRules,
    /// The blob of its config.
    pub(in crate::engine) config: String,
    /// What lies above it on its branch, if it was chosen and not named.
    pub(in crate::engine) passed_over: Vec<(CommitId, String)>,
}

/// What a request is looked at with.
pub(in crate::engine) struct Choice<'a> {
    pub(in crate::engine) shared: &'a Shared,
    pub(in crate::engine) repo: &'a Repo,
    pub(in crate::engine) environment: &'a str,
}

impl Choice<'_> {
    /// The commit that is meant.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where there is none, [`InvalidArg`](ErrorKind::InvalidArg)
    /// for one that must not be deployed there, and what keeps its config from being read.
    pub(in crate::engine) fn candidate(
        &self,
        request: &DeployRequest,
        ledger: &Ledger,
    ) -> Result<Candidate, Error> {
        self.look(request, ledger).map_err(|error| self.with_head_fault(error))
    }

    /// By default HEAD's branch deploys: where it has none, that may be why nothing is found.
    fn with_head_fault(&self, error: Error) -> Error {
        let is_of_choice = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidArg);
        match self.repo.head_fault() {
            Ok(Some(fault)) if is_of_choice => {
                let message = format!("{}; {fault}", error.report());
                error.with_message(message)
            }
            _ => error,
        }
    }

    fn look(&self, request: &DeployRequest, ledger: &Ledger) -> Result<Candidate, Error> {
        let branches = self.repo.branch_list()?;
        let named = match &request.revision {
            Some(revision) => self.repo.resolve(revision)?,
            None if request.rollback => {
                let before = ledger.before_running();
                before.ok_or_else(|| self.nothing_before(ledger))?.commit
            }
            None => return self.newest(&branches),
        };
        self.named(named, request.force, &branches)
    }

    fn nothing_before(&self, ledger: &Ledger) -> Error {
        let environment = self.environment;
        let message = match ledger.running() {
            Some(running) => format!(
                "{} is the only deployment to `{environment}` so far: there is none to go back to",
                running.commit.short()
            ),
            None => format!("nothing was deployed to `{environment}` yet"),
        };
        Error::new(ErrorKind::NotFound, message)
    }

    /// Whether a commit's config deploys here at all.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) where it does not.
    pub(in crate::engine) fn check(&self, id: CommitId) -> Result<(), Error> {
        let (pipeline, _) = self.load(id)?;
        self.rules(id, &pipeline).map(drop)
    }

    /// What the newest green commit says that a push to `new` brought.
    pub(in crate::engine) fn rules_of_pushed(
        &self,
        old: Option<CommitId>,
        new: CommitId,
    ) -> Result<Option<DeployRules>, Error> {
        let (mut looks, mut newest) = (0, None);
        self.repo.newest_below(new, &mut |id| {
            looks += 1;
            if looks > PUSHED_MAX || Some(id) == old {
                return Ok(ControlFlow::Break(()));
            }
            let green = settled_outcome(self.repo, id)?.is_some_and(Outcome::passed);
            newest = green.then_some(id);
            Ok(if green { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let Some(id) = newest else { return Ok(None) };
        // One that cannot be read here deploys nothing here.
        Ok(self.load(id).ok().and_then(|(pipeline, _)| pipeline.deploy().cloned()))
    }

    /// A commit that somebody named.
    fn named(&self, id: CommitId, force: bool, branches: &[Branch]) -> Result<Candidate, Error> {
        let verdict = settled_outcome(self.repo, id)?;
        let short = id.short();
        if !force && !verdict.is_some_and(Outcome::passed) {
            let why = match verdict {
                Some(outcome) => format!("its verdict is {outcome}"),
                None => format!("it has no verdict (`tinyci run {short}` gives it one)"),
            };
            let message = format!(
                "commit {short} is not deployed, because {why}; `--force` deploys it all the same"
            );
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        let (pipeline, scripts) = self.load(id)?;
        let rules = self.rules(id, &pipeline)?;
        let branch = self.branch(id, &rules, branches)?.ok_or_else(|| {
            let of = match rules.branch.as_slice() {
                [] => match branches.first().filter(|branch| branch.is_head) {
                    Some(head) => format!("`{}`", head.name),
                    None => "HEAD's branch".to_owned(),
                },
                listed => format!("`{}`", listed.join("`, `")),
            };
            let message = format!(
                "commit {short} is not deployed, because it is not on {of}, which alone its \
                 `{}` has deployed",
                pipeline.name
            );
            Error::new(ErrorKind::InvalidArg, message)
        })?;
        self.finish(id, verdict, branch, (pipeline, scripts, rules))
    }

    /// The newest green commit on a branch that its own config has deployed.
    fn newest(&self, branches: &[Branch]) -> Result<Candidate, Error> {
        let mut found = None;
        let heads = ["refs/heads/*".to_owned()];
        self.repo.newest_first(&[], &heads, &mut |id| {
            let verdict = settled_outcome(self.repo, id)?;
            if verdict.is_some_and(Outcome::passed) {
                found = self.green(id, branches)?;
            }
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        found.ok_or_else(|| {
            let message = format!(
                "there is nothing to deploy to `{}`: no commit on a deployable branch is green \
                 (`tinyci results` shows what became of them)",
                self.environment
            );
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// A green commit, if it is on a branch that it may be deployed from. Where it is, and cannot
    /// be deployed, that is an error: to take an older one instead would surprise.
    fn green(&self, id: CommitId, branches: &[Branch]) -> Result<Option<Candidate>, Error> {
        let on_head = self.branch(id, &DeployRules::default(), branches)?;
        // A word can have come from elsewhere, for a commit that this program cannot read.
        let (pipeline, scripts) = match self.load(id) {
            Err(_) if on_head.is_none() => return Ok(None),
            loaded => loaded?,
        };
        let rules = match pipeline.deploy() {
            Some(rules) => rules.clone(),
            None if on_head.is_none() => return Ok(None),
            None => self.rules(id, &pipeline)?,
        };
        let Some(branch) = self.branch(id, &rules, branches)? else { return Ok(None) };
        self.rules(id, &pipeline)?;
        let tip = branches.iter().find(|it| it.name == branch).map(|it| it.tip);
        let mut candidate =
            self.finish(id, Some(Outcome::Success), branch, (pipeline, scripts, rules))?;
        if let Some(tip) = tip {
            candidate.passed_over = self.above(tip, id)?;
        }
        Ok(Some(candidate))
    }

    fn load(&self, id: CommitId) -> Result<(Pipeline, Scripts), Error> {
        Scripts::load(self.shared, self.repo, &self.repo.commit_for(id, None)?)
    }

    /// What the config says of its deployment here.
    fn rules(&self, id: CommitId, pipeline: &Pipeline) -> Result<DeployRules, Error> {
        let (short, name) = (id.short(), &pipeline.name);
        let Some(rules) = pipeline.deploy() else {
            let message = format!(
                "commit {short} cannot be deployed: its `{name}` has no `deploy` (name an older \
                 commit to deploy that)"
            );
            return Err(Error::new(ErrorKind::InvalidArg, message));
        };
        if rules.environments().any(|known| known == self.environment) {
            return Ok(rules.clone());
        }
        let known: Vec<String> = rules.environments().map(|name| format!("`{name}`")).collect();
        let message = format!(
            "commit {short} cannot be deployed to `{}`: its `{name}` knows {}",
            self.environment,
            known.join(", ")
        );
        Err(Error::new(ErrorKind::InvalidArg, message))
    }

    /// The first branch that a commit may be deployed from and is on.
    fn branch(
        &self,
        id: CommitId,
        rules: &DeployRules,
        branches: &[Branch],
    ) -> Result<Option<Text>, Error> {
        for branch in branches {
            let listed = match rules.branch.as_slice() {
                [] => branch.is_head,
                globs => {
                    let globs = globs.iter().map(String::as_str);
                    glob::text_matches_list(globs, &branch.name.to_str_lossy())
                }
            };
            if listed && self.repo.reaches(branch.tip, id)? {
                return Ok(Some(branch.name.clone()));
            }
        }
        Ok(None)
    }

    /// What lies above a chosen commit on its branch, and why it was not chosen.
    fn above(&self, tip: CommitId, id: CommitId) -> Result<Vec<(CommitId, String)>, Error> {
        let mut above = Vec::new();
        for newer in self.repo.commits_between(tip, id)? {
            let why = match settled_outcome(self.repo, newer)? {
                Some(Outcome::Success) => continue,
                Some(outcome) => format!("its verdict is {outcome}"),
                None if !self.repo.has_config(newer)? => "it has no config".to_owned(),
                None => "it has no verdict".to_owned(),
            };
            above.push((newer, why));
        }
        Ok(above)
    }

    fn finish(
        &self,
        id: CommitId,
        verdict: Option<Outcome>,
        branch: Text,
        (pipeline, scripts, rules): (Pipeline, Scripts, DeployRules),
    ) -> Result<Candidate, Error> {
        let commit = self.repo.commit_for(id, Some(branch))?;
        let config = self.repo.config_blob(id)?.unwrap_or_default();
        let passed_over = Vec::new();
        Ok(Candidate { commit, verdict, pipeline, scripts, rules, config, passed_over })
    }
}
