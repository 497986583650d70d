//! [`Keeper`]: which builds are neither packed nor removed. Whatever picks builds to pack or remove
//! asks here, and asks again right before each: something may have been deployed meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    engine::{
        context::shared::Shared, deploy, run::pending::final_outcome, step::scripts::LoadedPipeline,
    },
    model::{
        commit::CommitId,
        error::{Error, ErrorKind},
        outcome::Outcome,
        pipeline::DeployRules,
    },
    repo::{Branch, Repo},
    rules::{glob, ledger::DeploymentHistory, retention::Kept},
};

/// How far below a branch's tip a success is looked for.
const COMMITS_MAX: usize = 1000;

/// Says which builds stay, at any moment.
pub(in crate::engine) struct Keeper<'a> {
    shared: &'a Shared,
    repo: Repo,
    /// What the repository says, and the ends of the histories that it was read from.
    known: Option<(Vec<(String, CommitId)>, Kept)>,
}

/// The newest success of a branch, as far as it has a build.
struct Success<'b> {
    branch: &'b Branch,
    commit: CommitId,
    /// None where it does not deploy, or its config cannot be read.
    rules: Option<DeployRules>,
    /// Whether its config, or that of the branch's tip, cannot be read: nobody knows then what would
    /// be deployed.
    is_unread: bool,
}

/// What a commit's config says of deployments: nothing, if it has none or does not deploy.
#[derive(Clone)]
enum DeployRulesOf {
    Unread,
    Read(Option<DeployRules>),
}

impl<'a> Keeper<'a> {
    pub(in crate::engine) fn new(shared: &'a Shared) -> Result<Self, Error> {
        Ok(Self { shared, repo: shared.repo()?, known: None })
    }

    /// The builds that stay: what runs in an environment and what ran before it, what is being
    /// deployed, would be next or waits for an approval, and what the links of deploy scripts lead
    /// into.
    ///
    /// # Errors
    ///
    /// What keeps histories or links from being read, and a history that is lost for good. Then nothing may be packed or removed: what
    /// cannot be read might be deployed.
    pub(in crate::engine) fn kept(&mut self) -> Result<Kept, Error> {
        let tips = self.repo.deploy_tips()?;
        let mut kept = match self.known.take() {
            Some((then, kept)) if then == tips => kept,
            _ => self.of_repository()?,
        };
        self.known = Some((tips, kept.clone()));
        for pin in self.shared.workspace().pins(&self.shared.settings.pins)? {
            kept.build(&pin.build, format!("`{}` links to it", pin.link.display()));
        }
        Ok(kept)
    }

    fn of_repository(&self) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        let known = self.repo.known_deployments()?;
        if let Some(environment) = known.unknown.first() {
            return Err(unknown(environment));
        }
        for (environment, ledger) in &known.lost {
            self.of_history(environment, ledger, &mut kept);
        }
        let mut ledgers: BTreeMap<String, DeploymentHistory> =
            known.histories.into_iter().collect();
        let branches = self.repo.branch_list()?;
        let successes = self.successes(&branches)?;
        let mut told = HashSet::new();
        for success in &successes {
            // Of branches at one commit, HEAD's is the first.
            if success.is_unread && told.insert(success.commit) {
                kept.commit(success.commit, success.unread());
            }
            for environment in success.rules.iter().flat_map(DeployRules::environments) {
                ledgers.entry(environment.to_owned()).or_default();
            }
        }
        for (environment, ledger) in &ledgers {
            self.of_environment(environment, ledger, &successes, &mut kept)?;
        }
        Ok(kept)
    }

    /// What a history of deployments says.
    fn of_history(&self, environment: &str, ledger: &DeploymentHistory, kept: &mut Kept) {
        if let Some(running) = ledger.running() {
            kept.commit(running.commit, format!("deployed to {environment}"));
        }
        for before in ledger.releases_before_running(self.shared.settings.keep_releases) {
            kept.commit(before.commit, format!("deployed to {environment} before"));
        }
        if let Some(open) = ledger.interrupted() {
            kept.commit(open.commit, format!("its deployment to {environment} was interrupted"));
        } else if let Some(tried) = ledger.tried_since_running().next() {
            // It may have turned a link before it failed.
            kept.commit(tried.commit, format!("the last attempt for {environment}"));
        }
        if let Some(waiting) = ledger.waiting() {
            kept.commit(waiting.commit, format!("awaiting approval for {environment}"));
        }
    }

    fn of_environment(
        &self,
        environment: &str,
        ledger: &DeploymentHistory,
        successes: &[Success<'_>],
        kept: &mut Kept,
    ) -> Result<(), Error> {
        self.of_history(environment, ledger, kept);
        if ledger.is_retired() {
            return Ok(());
        }
        match deploy::next(self.shared, &self.repo, environment, ledger) {
            Ok(next) if ledger.running().is_some_and(|it| it.commit == next) => {}
            Ok(next) => kept.commit(next, format!("next for {environment}")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // A person has to choose, and may choose any of them.
            Err(_) => {
                for success in successes.iter().filter(|it| it.may_be_deployed(environment)) {
                    kept.commit(success.commit, format!("may be next for {environment}"));
                }
            }
        }
        Ok(())
    }

    /// The newest success of each branch, where that has a build.
    fn successes<'b>(&self, branches: &'b [Branch]) -> Result<Vec<Success<'b>>, Error> {
        let (mut known, mut read) = (HashMap::new(), HashMap::new());
        let mut found = Vec::new();
        for branch in branches {
            let Some(id) = self.newest_success(branch.tip, &mut known)? else { continue };
            let commit = self.repo.commit_for(id, None)?;
            if !self.shared.workspace().build(&commit.build_name()).exists() {
                continue;
            }
            let mut deploys = |id| read.entry(id).or_insert_with(|| self.deploys(id)).clone();
            let (own, of_tip) = (deploys(id), deploys(branch.tip));
            let is_unread =
                [&own, &of_tip].into_iter().any(|it| matches!(it, DeployRulesOf::Unread));
            let rules = if let DeployRulesOf::Read(rules) = own { rules } else { None };
            found.push(Success { branch, commit: id, rules, is_unread });
        }
        Ok(found)
    }

    fn deploys(&self, id: CommitId) -> DeployRulesOf {
        let commit = self.repo.commit_for(id, None);
        match commit.and_then(|commit| LoadedPipeline::load(self.shared, &self.repo, &commit)) {
            Ok(loaded) => DeployRulesOf::Read(loaded.pipeline.deploy().cloned()),
            Err(error) if error.kind() == ErrorKind::NotFound => DeployRulesOf::Read(None),
            Err(_) => DeployRulesOf::Unread,
        }
    }

    /// The newest success on the first-parent line below a tip. `known` holds what was found for the
    /// commits on the way, since branches have most of their history in common.
    fn newest_success(
        &self,
        tip: CommitId,
        known: &mut HashMap<CommitId, Option<CommitId>>,
    ) -> Result<Option<CommitId>, Error> {
        let (mut way, mut next, mut found) = (Vec::new(), Some(tip), None);
        while let Some(id) = next.filter(|_| way.len() < COMMITS_MAX) {
            if let Some(below) = known.get(&id) {
                found = *below;
                break;
            }
            way.push(id);
            if final_outcome(&self.repo, id)?.is_some_and(Outcome::passed) {
                found = Some(id);
                break;
            }
            // Below one that cannot be read there is nothing to be found.
            let commit = self.repo.commit_for(id, None).ok();
            next = commit.and_then(|commit| commit.parents.first().copied());
        }
        known.extend(way.into_iter().map(|id| (id, found)));
        Ok(found)
    }
}

fn unknown(environment: &str) -> Error {
    let message = format!(
        "refusing to pack or remove builds: git has removed objects of the deployment history of \
         `{environment}`"
    );
    let hint = format!("`tinyci deploy --to {environment}` begins a new history");
    Error::new(ErrorKind::Git, message).with_hint(hint)
}

impl Success<'_> {
    fn unread(&self) -> String {
        let branch = self.branch.name.to_str_lossy();
        format!("newest success of `{branch}`, which has an unreadable config")
    }

    /// Whether its own config deploys it to this environment from its branch.
    fn may_be_deployed(&self, environment: &str) -> bool {
        self.rules.iter().any(|rules| {
            let branch = self.branch.name.to_str_lossy();
            let is_listed = match rules.branch.as_slice() {
                [] => self.branch.is_head,
                globs => glob::text_matches_list(globs.iter().map(String::as_str), &branch),
            };
            is_listed && rules.environments().any(|name| name == environment)
        })
    }
}
