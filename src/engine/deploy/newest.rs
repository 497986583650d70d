//! [`Newest`]: chooses the commit to deploy if the caller names none.
//!
//! Candidates are the former tips of a branch: the commits on its first-parent line, and those
//! that a push made its tip. The tip of a merged topic branch is not a candidate, because it lacks
//! other commits of the branch. Among the candidates, the newest green commit that contains the
//! deployed one is chosen. History decides which is newer, not the commit time.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    ops::ControlFlow,
};

use super::candidate::{Candidate, CandidateSearch, deploys_from, unsigned};
use crate::{
    engine::run::pending::final_outcome,
    model::{
        commit::{CommitId, GitString},
        error::{Error, ErrorKind},
        outcome::Outcome,
        pipeline::DeployRules,
    },
    repo::Branch,
    rules::ledger::DeploymentHistory,
};

/// The tip of a branch, with the branch if its commits need a signature.
type SignedTip = (CommitId, Option<GitString>);

/// Chooses among the branches of a repository, for one environment.
pub(super) struct Newest<'a> {
    search: &'a CandidateSearch<'a>,
    branches: &'a [Branch],
    deployed: Option<CommitId>,
    rolled_back: HashSet<CommitId>,
    /// The commits that a candidate must contain after a rollback.
    required: Vec<CommitId>,
    former_tips: HashMap<GitString, Vec<CommitId>>,
    /// The newest green commit by branch tip and, if a signature is needed, by branch: several branches
    /// may have the same tip.
    newest_green: RefCell<HashMap<SignedTip, Option<CommitId>>>,
    rules: RefCell<HashMap<CommitId, Option<DeployRules>>>,
    /// Why the signature of a commit does not count for a branch.
    flaws: RefCell<HashMap<(CommitId, GitString), Option<String>>>,
}

/// The candidates of a branch for an environment.
pub(super) enum Offer {
    /// The branch's newest green commit does not deploy to the environment from this branch.
    Elsewhere,
    /// The branch does not contain the deployed commit. This is its newest green commit.
    Lacks(CommitId),
    /// The candidates, none of which contains another one. May be empty.
    Found(Vec<CommitId>),
}

impl<'a> Newest<'a> {
    pub(super) fn new(
        search: &'a CandidateSearch<'a>,
        branches: &'a [Branch],
        ledger: &DeploymentHistory,
    ) -> Result<Self, Error> {
        Ok(Self {
            search,
            branches,
            deployed: ledger.running().map(|running| running.commit),
            rolled_back: ledger.rolled_back(),
            required: ledger.left_by_rollback(),
            former_tips: search.shared.workspace().seen_tips()?,
            newest_green: RefCell::default(),
            rules: RefCell::default(),
            flaws: RefCell::default(),
        })
    }

    /// Returns the one commit to deploy among all branches.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is none. [`InvalidArg`](ErrorKind::InvalidArg)
    /// if several are equally new, or the newest of HEAD's branch cannot be deployed; an older one
    /// would be a surprise.
    pub(super) fn choose(&self) -> Result<Candidate, Error> {
        let (mut found, mut without_deployed, mut has_candidates) = (Vec::new(), Vec::new(), false);
        for branch in self.branches {
            match self.offer(branch)? {
                Offer::Elsewhere => {}
                Offer::Lacks(id) => without_deployed.push((branch, id)),
                Offer::Found(ids) => {
                    has_candidates = true;
                    found.extend(ids.into_iter().map(|id| (branch, id)));
                }
            }
        }
        if let Some((branch, id)) = self.single_newest(found)? {
            return self.candidate(branch, id);
        }
        if has_candidates {
            without_deployed.clear();
        }
        let Some((branch, id)) = self.single_newest(without_deployed)? else {
            return Err(self.nothing_error()?);
        };
        Ok(Candidate { removes_deployed: true, ..self.candidate(branch, id)? })
    }

    /// Returns the candidates of one branch.
    pub(super) fn offer(&self, branch: &Branch) -> Result<Offer, Error> {
        let Some(newest_green) = self.newest_eligible(branch)? else {
            // If no config says otherwise, HEAD's branch deploys.
            let is_on_head = branch.is_head && self.contains_deployed(branch.tip)?;
            return Ok(if is_on_head { Offer::Found(Vec::new()) } else { Offer::Elsewhere });
        };
        if !self.deploys(newest_green, branch) {
            return Ok(Offer::Elsewhere);
        }
        if !self.contains_deployed(branch.tip)? {
            let is_rolled_back = self.rolled_back.contains(&newest_green);
            return Ok(if is_rolled_back {
                Offer::Found(Vec::new())
            } else {
                Offer::Lacks(newest_green)
            });
        }
        let on_line = self.on_line(branch)?;
        let mut found = self.former_tips_above(branch, on_line)?;
        found.extend(on_line);
        found.retain(|id| self.deploys(*id, branch));
        Ok(Offer::Found(self.maxima(found)?))
    }

    /// Returns the newest of these commits, if there are any.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) with all names, if no commit contains all others.
    pub(super) fn single_newest(
        &self,
        found: Vec<(&'a Branch, CommitId)>,
    ) -> Result<Option<(&'a Branch, CommitId)>, Error> {
        let newest = self.maxima(found.iter().map(|(_, id)| *id).collect())?;
        let mut newest =
            newest.into_iter().filter_map(|id| found.iter().find(|it| it.1 == id).copied());
        let Some(first) = newest.next() else { return Ok(None) };
        let others: Vec<_> = newest.collect();
        if others.is_empty() {
            return Ok(Some(first));
        }
        let name =
            |(branch, id): (&Branch, CommitId)| format!("{} on `{}`", id.short(), branch.name);
        let all: Vec<String> = std::iter::once(first).chain(others).map(name).collect();
        let message = format!(
            "cannot choose a commit for `{}`: none of these contains the others: {}",
            self.search.environment,
            all.join(", ")
        );
        let hint = format!("`tinyci deploy COMMIT --to {}`", self.search.environment);
        Err(Error::new(ErrorKind::InvalidArg, message).with_hint(hint))
    }

    /// Returns a commit of a branch as a candidate, with the newer commits that are not eligible.
    pub(super) fn candidate(&self, branch: &Branch, id: CommitId) -> Result<Candidate, Error> {
        let loaded = self.search.load(id)?;
        let rules = self.search.rules(id, &loaded.pipeline)?;
        let (verdict, name) = (Some(Outcome::Success), Some(branch.name.clone()));
        let mut candidate = self.search.finish(id, verdict, name, loaded, rules)?;
        candidate.ineligible = self.above(branch, id)?;
        Ok(candidate)
    }

    /// Returns the deployed commit.
    pub(super) fn deployed(&self) -> Option<CommitId> {
        self.deployed
    }

    /// Returns true if the commit contains the deployed one, or nothing is deployed.
    pub(super) fn contains_deployed(&self, id: CommitId) -> Result<bool, Error> {
        self.deployed.map_or(Ok(true), |deployed| self.search.repo.reaches(id, deployed))
    }

    /// Returns the commits that no other one of them contains, without duplicates.
    pub(super) fn maxima(&self, ids: Vec<CommitId>) -> Result<Vec<CommitId>, Error> {
        let repo = self.search.repo;
        let mut newest: Vec<CommitId> = Vec::new();
        for id in ids {
            let (mut is_contained, mut kept) = (false, Vec::new());
            for other in newest {
                is_contained = is_contained || repo.reaches(other, id)?;
                if is_contained || !repo.reaches(id, other)? {
                    kept.push(other);
                }
            }
            kept.extend((!is_contained).then_some(id));
            newest = kept;
        }
        Ok(newest)
    }

    /// Returns the newest green commit on a branch's first-parent line, signed or not.
    pub(super) fn newest_green(&self, branch: &Branch) -> Result<Option<CommitId>, Error> {
        self.newest_on_line((branch.tip, None), |id| self.is_green(id))
    }

    /// Returns the newest green commit on a branch's first-parent line that has the signature that it
    /// needs. Its config decides whether the branch deploys.
    pub(super) fn newest_eligible(&self, branch: &Branch) -> Result<Option<CommitId>, Error> {
        let signatures = self.search.shared.commit_signatures();
        let name = Some(&branch.name).filter(|name| signatures.wants_branch(Some(name)));
        self.newest_on_line((branch.tip, name.cloned()), |id| self.is_eligible(id, branch))
    }

    fn newest_on_line(
        &self,
        key: (CommitId, Option<GitString>),
        is_it: impl Fn(CommitId) -> Result<bool, Error>,
    ) -> Result<Option<CommitId>, Error> {
        if let Some(known) = self.newest_green.borrow().get(&key) {
            return Ok(*known);
        }
        let mut found = None;
        self.search.repo.first_parents(key.0, &mut |id| {
            found = is_it(id)?.then_some(id);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.newest_green.borrow_mut().insert(key, found);
        Ok(found)
    }

    /// Returns true if a commit is green and has the signature that the branch needs.
    fn is_eligible(&self, id: CommitId, branch: &Branch) -> Result<bool, Error> {
        Ok(self.is_green(id)? && self.flaw(id, branch).is_none())
    }

    /// Returns why the signature of a commit does not count for a branch that needs one.
    fn flaw(&self, id: CommitId, branch: &Branch) -> Option<String> {
        let mut flaws = self.flaws.borrow_mut();
        let flaw = || self.search.signature_flaw(id, branch);
        flaws.entry((id, branch.name.clone())).or_insert_with(flaw).clone()
    }

    /// Returns the newest green commit of a branch and the refusal to deploy it, if only its signature
    /// keeps it from being deployed.
    pub(super) fn unsigned(&self, branch: &Branch) -> Result<Option<(CommitId, Error)>, Error> {
        let Some(id) = self.newest_green(branch)? else { return Ok(None) };
        Ok(self.flaw(id, branch).map(|flaw| (id, unsigned(id, &flaw))))
    }

    /// Returns the newest commit on a branch's first-parent line that may be deployed.
    fn on_line(&self, branch: &Branch) -> Result<Option<CommitId>, Error> {
        let mut found = None;
        self.search.repo.first_parents(branch.tip, &mut |id| {
            if !self.is_eligible(id, branch)? {
                return Ok(ControlFlow::Continue(()));
            }
            // Its ancestors do not contain the deployed commit either.
            if !self.contains_deployed(id)? {
                return Ok(ControlFlow::Break(()));
            }
            found = self.may_follow(id)?.then_some(id);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }

    /// Returns the former tips of the branch that may be deployed and are not on its first-parent
    /// line. Those that the commit from that line contains are left out.
    fn former_tips_above(
        &self,
        branch: &Branch,
        on_line: Option<CommitId>,
    ) -> Result<Vec<CommitId>, Error> {
        let Some(seen) = self.former_tips.get(&branch.name) else { return Ok(Vec::new()) };
        let above = self.search.repo.commits_above(branch.tip, on_line)?;
        let above: HashSet<CommitId> = above.into_iter().collect();
        let (mut found, mut visited) = (Vec::new(), HashSet::new());
        for id in seen.iter().rev().filter(|id| above.contains(id) && visited.insert(**id)) {
            let is_eligible = self.is_eligible(*id, branch)?
                && self.contains_deployed(*id)?
                && self.may_follow(*id)?;
            found.extend(is_eligible.then_some(*id));
        }
        Ok(found)
    }

    /// Returns true if a commit may follow the deployed one. A rolled back commit, and those
    /// before it, are not deployed again automatically.
    pub(super) fn may_follow(&self, id: CommitId) -> Result<bool, Error> {
        if Some(id) == self.deployed {
            return Ok(true);
        }
        if self.rolled_back.contains(&id) {
            return Ok(false);
        }
        Ok(self.missing_required(id)?.is_none())
    }

    /// Returns the first commit that a rollback requires and that this one does not contain.
    fn missing_required(&self, id: CommitId) -> Result<Option<CommitId>, Error> {
        for required in &self.required {
            if !self.search.repo.reaches(id, *required)? {
                return Ok(Some(*required));
            }
        }
        Ok(None)
    }

    pub(super) fn is_green(&self, id: CommitId) -> Result<bool, Error> {
        Ok(final_outcome(self.search.repo, id)?.is_some_and(Outcome::passed))
    }

    /// Returns true if the commit's config deploys to the environment from this branch.
    fn deploys(&self, id: CommitId, branch: &Branch) -> bool {
        self.rules_of(id).is_some_and(|rules| deploys_from(&rules, branch))
    }

    /// Returns the deployment rules of a commit's config for the environment. `None` if it does
    /// not deploy there or cannot be read, for example because its verdict was fetched.
    pub(super) fn rules_of(&self, id: CommitId) -> Option<DeployRules> {
        let read = || {
            let loaded = self.search.load(id).ok()?;
            self.search.rules(id, &loaded.pipeline).ok()
        };
        self.rules.borrow_mut().entry(id).or_insert_with(read).clone()
    }

    /// Returns the newer commits on the branch, and why each was not chosen.
    fn above(&self, branch: &Branch, id: CommitId) -> Result<Vec<(CommitId, String)>, Error> {
        let repo = self.search.repo;
        let mut above = Vec::new();
        for newer in repo.commits_above(branch.tip, Some(id))? {
            let why = match final_outcome(repo, newer)? {
                Some(Outcome::Success) if self.rolled_back.contains(&newer) => {
                    "it was rolled back".to_owned()
                }
                Some(Outcome::Success) => {
                    match (self.missing_required(newer)?, self.flaw(newer, branch)) {
                        (Some(required), _) => {
                            format!(
                                "it does not contain {}, which was rolled back",
                                required.short()
                            )
                        }
                        (None, Some(flaw)) => flaw,
                        (None, None) => format!("it was never the tip of `{}`", branch.name),
                    }
                }
                Some(outcome) => format!("its verdict is {outcome}"),
                None if !repo.has_config(newer)? => "it has no config".to_owned(),
                None => "it has no verdict".to_owned(),
            };
            above.push((newer, why));
        }
        Ok(above)
    }

    /// Returns the error that there is no candidate, with the reason.
    fn nothing_error(&self) -> Result<Error, Error> {
        let environment = self.search.environment;
        let head = self.branches.first().filter(|branch| branch.is_head);
        if let Some((_, refusal)) = head.map(|head| self.unsigned(head)).transpose()?.flatten() {
            return Ok(refusal);
        }
        let newest_green = head.map(|head| self.newest_green(head)).transpose()?.flatten();
        if let Some(id) = newest_green.filter(|id| self.rules_of(*id).is_none()) {
            let loaded = self.search.load(id)?;
            self.search.rules(id, &loaded.pipeline)?;
        }
        let (why, hint) = match (self.deployed, self.required.first()) {
            (Some(deployed), Some(required)) => (
                format!(
                    "{} was rolled back, and no newer green commit contains it; {} stays deployed",
                    required.short(),
                    deployed.short()
                ),
                format!("`tinyci deploy COMMIT --to {environment}` deploys another commit"),
            ),
            (Some(deployed), None) => (
                format!(
                    "no green commit on a deployable branch contains {}, which is deployed",
                    deployed.short()
                ),
                "`tinyci results` shows the outcomes".to_owned(),
            ),
            (None, _) => (
                "no commit on a deployable branch is green".to_owned(),
                "`tinyci results` shows the outcomes".to_owned(),
            ),
        };
        let message = format!("nothing to deploy to `{environment}`: {why}");
        Ok(Error::new(ErrorKind::NotFound, message).with_hint(hint))
    }
}
