//! [`Newest`]: what is deployed if nobody named a commit.
//!
//! Only what a branch itself once was is a candidate: the commits on its line of first parents, and
//! those that a push made its tip. So the tip of a topic that a red merge brought is none, since it
//! lacks what the branch had. Of these the newest green one is taken that contains what is deployed.
//! History says which is newer, never the committer's clock.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    ops::ControlFlow,
};

use super::candidate::{Candidate, CandidateSearch, deploys_from};
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

/// A look at the branches of one repository, for one environment.
pub(super) struct Newest<'a> {
    choice: &'a CandidateSearch<'a>,
    branches: &'a [Branch],
    deployed: Option<CommitId>,
    rolled_back: HashSet<CommitId>,
    /// What a commit must contain to follow a rollback.
    left: Vec<CommitId>,
    seen: HashMap<GitString, Vec<CommitId>>,
    /// By tip: many branches may name one commit.
    deciding: RefCell<HashMap<CommitId, Option<CommitId>>>,
    rules: RefCell<HashMap<CommitId, Option<DeployRules>>>,
}

/// What a branch has for an environment.
pub(super) enum Offer {
    /// The newest green commit of the branch does not deploy to the environment from there.
    Elsewhere,
    /// What is deployed is not on the branch, whose newest green commit this is.
    Lacks(CommitId),
    /// The candidates, none of which contains another one. There may be none.
    Found(Vec<CommitId>),
}

impl<'a> Newest<'a> {
    pub(super) fn new(
        choice: &'a CandidateSearch<'a>,
        branches: &'a [Branch],
        ledger: &DeploymentHistory,
    ) -> Result<Self, Error> {
        Ok(Self {
            choice,
            branches,
            deployed: ledger.running().map(|running| running.commit),
            rolled_back: ledger.rolled_back(),
            left: ledger.left_by_rollback(),
            seen: choice.shared.workspace().seen_tips()?,
            deciding: RefCell::default(),
            rules: RefCell::default(),
        })
    }

    /// The one commit to deploy, whichever branch it is on.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where there is none, [`InvalidArg`](ErrorKind::InvalidArg)
    /// where several are as new as each other, and where the newest of HEAD's branch cannot be
    /// deployed: to take an older one instead would surprise.
    pub(super) fn of_all(&self) -> Result<Candidate, Error> {
        let (mut found, mut lacking, mut is_on_one) = (Vec::new(), Vec::new(), false);
        for branch in self.branches {
            match self.offer(branch)? {
                Offer::Elsewhere => {}
                Offer::Lacks(id) => lacking.push((branch, id)),
                Offer::Found(ids) => {
                    is_on_one = true;
                    found.extend(ids.into_iter().map(|id| (branch, id)));
                }
            }
        }
        if let Some((branch, id)) = self.only(found)? {
            return self.candidate(branch, id);
        }
        if is_on_one {
            lacking.clear();
        }
        let Some((branch, id)) = self.only(lacking)? else { return Err(self.nothing()?) };
        Ok(Candidate { loses: true, ..self.candidate(branch, id)? })
    }

    /// What one branch has for the environment.
    pub(super) fn offer(&self, branch: &Branch) -> Result<Offer, Error> {
        let Some(deciding) = self.deciding(branch.tip)? else {
            // HEAD's branch is the one that deploys where no config says otherwise.
            let is_on_head = branch.is_head && self.contains_deployed(branch.tip)?;
            return Ok(if is_on_head { Offer::Found(Vec::new()) } else { Offer::Elsewhere });
        };
        if !self.deploys(deciding, branch) {
            return Ok(Offer::Elsewhere);
        }
        if !self.contains_deployed(branch.tip)? {
            let is_left = self.rolled_back.contains(&deciding);
            return Ok(if is_left { Offer::Found(Vec::new()) } else { Offer::Lacks(deciding) });
        }
        let on_line = self.on_line(branch.tip)?;
        let mut found = self.seen_above(branch, on_line)?;
        found.extend(on_line);
        found.retain(|id| self.deploys(*id, branch));
        Ok(Offer::Found(self.maxima(found)?))
    }

    /// One of some commits with their branches, if there are any.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg), naming all, where none of them contains the others.
    pub(super) fn only(
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
            self.choice.environment,
            all.join(", ")
        );
        let hint = format!("`tinyci deploy COMMIT --to {}`", self.choice.environment);
        Err(Error::new(ErrorKind::InvalidArg, message).with_hint(hint))
    }

    /// A commit of a branch, ready to be deployed, with what lies above it.
    pub(super) fn candidate(&self, branch: &Branch, id: CommitId) -> Result<Candidate, Error> {
        let loaded = self.choice.load(id)?;
        let rules = self.choice.rules(id, &loaded.pipeline)?;
        let (verdict, name) = (Some(Outcome::Success), Some(branch.name.clone()));
        let mut candidate = self.choice.finish(id, verdict, name, loaded, rules)?;
        candidate.ineligible = self.above(branch, id)?;
        Ok(candidate)
    }

    /// What is deployed now.
    pub(super) fn deployed(&self) -> Option<CommitId> {
        self.deployed
    }

    /// Whether what is deployed is part of a commit, if anything is deployed.
    pub(super) fn contains_deployed(&self, id: CommitId) -> Result<bool, Error> {
        self.deployed.map_or(Ok(true), |deployed| self.choice.repo.reaches(id, deployed))
    }

    /// Those of these commits that no other one of them contains, each once.
    pub(super) fn maxima(&self, ids: Vec<CommitId>) -> Result<Vec<CommitId>, Error> {
        let repo = self.choice.repo;
        let mut newest: Vec<CommitId> = Vec::new();
        for id in ids {
            let (mut is_contained, mut left) = (false, Vec::new());
            for other in newest {
                is_contained = is_contained || repo.reaches(other, id)?;
                if is_contained || !repo.reaches(id, other)? {
                    left.push(other);
                }
            }
            left.extend((!is_contained).then_some(id));
            newest = left;
        }
        Ok(newest)
    }

    /// The newest green commit on a branch's line: its config says whether the branch deploys.
    pub(super) fn deciding(&self, tip: CommitId) -> Result<Option<CommitId>, Error> {
        if let Some(known) = self.deciding.borrow().get(&tip) {
            return Ok(*known);
        }
        let mut found = None;
        self.choice.repo.first_parents(tip, &mut |id| {
            found = self.is_green(id)?.then_some(id);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.deciding.borrow_mut().insert(tip, found);
        Ok(found)
    }

    /// The newest commit on a branch's line of first parents that may be deployed.
    fn on_line(&self, tip: CommitId) -> Result<Option<CommitId>, Error> {
        let mut found = None;
        self.choice.repo.first_parents(tip, &mut |id| {
            if !self.is_green(id)? {
                return Ok(ControlFlow::Continue(()));
            }
            // What lies below a commit that lacks it lacks it too.
            if !self.contains_deployed(id)? {
                return Ok(ControlFlow::Break(()));
            }
            found = self.may_follow(id)?.then_some(id);
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }

    /// The commits that a push made the branch's tip and that are beside its line of first parents:
    /// those that may be deployed, and that the one found on the line does not contain.
    fn seen_above(
        &self,
        branch: &Branch,
        on_line: Option<CommitId>,
    ) -> Result<Vec<CommitId>, Error> {
        let Some(seen) = self.seen.get(&branch.name) else { return Ok(Vec::new()) };
        let above = self.choice.repo.commits_above(branch.tip, on_line)?;
        let above: HashSet<CommitId> = above.into_iter().collect();
        let (mut found, mut known) = (Vec::new(), HashSet::new());
        for id in seen.iter().rev().filter(|id| above.contains(id) && known.insert(**id)) {
            let fits =
                self.is_green(*id)? && self.contains_deployed(*id)? && self.may_follow(*id)?;
            found.extend(fits.then_some(*id));
        }
        Ok(found)
    }

    /// Whether a commit may follow what is deployed: what was rolled back does not come again by
    /// itself, nor does what lies before it.
    pub(super) fn may_follow(&self, id: CommitId) -> Result<bool, Error> {
        if Some(id) == self.deployed {
            return Ok(true);
        }
        if self.rolled_back.contains(&id) {
            return Ok(false);
        }
        Ok(self.lacks_left(id)?.is_none())
    }

    /// What a rollback left and a commit would have to contain.
    fn lacks_left(&self, id: CommitId) -> Result<Option<CommitId>, Error> {
        for left in &self.left {
            if !self.choice.repo.reaches(id, *left)? {
                return Ok(Some(*left));
            }
        }
        Ok(None)
    }

    pub(super) fn is_green(&self, id: CommitId) -> Result<bool, Error> {
        Ok(final_outcome(self.choice.repo, id)?.is_some_and(Outcome::passed))
    }

    /// Whether a commit's config deploys to the environment from this branch.
    fn deploys(&self, id: CommitId, branch: &Branch) -> bool {
        self.rules_of(id).is_some_and(|rules| deploys_from(&rules, branch))
    }

    /// What a commit's config says of its deployment to the environment; none where it does not
    /// deploy there, or cannot be read here: a verdict can have come from elsewhere.
    pub(super) fn rules_of(&self, id: CommitId) -> Option<DeployRules> {
        let read = || {
            let loaded = self.choice.load(id).ok()?;
            self.choice.rules(id, &loaded.pipeline).ok()
        };
        self.rules.borrow_mut().entry(id).or_insert_with(read).clone()
    }

    /// What lies above a chosen commit on its branch, and why it was not chosen.
    fn above(&self, branch: &Branch, id: CommitId) -> Result<Vec<(CommitId, String)>, Error> {
        let repo = self.choice.repo;
        let mut above = Vec::new();
        for newer in repo.commits_above(branch.tip, Some(id))? {
            let why = match final_outcome(repo, newer)? {
                Some(Outcome::Success) if self.rolled_back.contains(&newer) => {
                    "it was rolled back".to_owned()
                }
                Some(Outcome::Success) => match self.lacks_left(newer)? {
                    Some(left) => {
                        format!("it does not contain {}, which was rolled back", left.short())
                    }
                    None => format!("it was never the tip of `{}`", branch.name),
                },
                Some(outcome) => format!("its verdict is {outcome}"),
                None if !repo.has_config(newer)? => "it has no config".to_owned(),
                None => "it has no verdict".to_owned(),
            };
            above.push((newer, why));
        }
        Ok(above)
    }

    /// Why there is no candidate.
    fn nothing(&self) -> Result<Error, Error> {
        let environment = self.choice.environment;
        let head = self.branches.first().filter(|branch| branch.is_head);
        let deciding = head.map(|head| self.deciding(head.tip)).transpose()?.flatten();
        if let Some(id) = deciding.filter(|id| self.rules_of(*id).is_none()) {
            let loaded = self.choice.load(id)?;
            self.choice.rules(id, &loaded.pipeline)?;
        }
        let (why, hint) = match (self.deployed, self.left.first()) {
            (Some(deployed), Some(left)) => (
                format!(
                    "{} was rolled back, and no newer green commit contains it; {} stays deployed",
                    left.short(),
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
