//! [`Keeper`]: the builds that must be neither packed nor removed. Every caller that selects
//! builds must ask it, and ask again right before each build, because of deployments meanwhile.

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

/// How many commits below a branch's tip are searched for a success.
const COMMITS_MAX: usize = 1000;

/// Decides which builds stay.
pub(in crate::engine) struct Keeper<'a> {
    shared: &'a Shared,
    repo: Repo,
    /// The builds that the repository protects, and the deployment histories that this was read
    /// from.
    cached: Option<(Vec<(String, CommitId)>, Kept)>,
}

/// The newest success of a branch, if it has a build.
struct Success<'b> {
    branch: &'b Branch,
    commit: CommitId,
    /// The deployment rules of its config, if it deploys and can be read.
    rules: Option<DeployRules>,
    /// True if its config, or that of the branch's tip, cannot be read. Then it is unknown what
    /// would be deployed.
    is_unreadable: bool,
}

/// The deployment rules of a commit's config, if they can be read. `None` if the config does not
/// deploy or does not exist.
#[derive(Clone)]
enum DeployRulesOf {
    Unreadable,
    Read(Option<DeployRules>),
}

impl<'a> Keeper<'a> {
    pub(in crate::engine) fn new(shared: &'a Shared) -> Result<Self, Error> {
        Ok(Self { shared, repo: shared.repo()?, cached: None })
    }

    /// Returns the builds that stay. These are deployed and earlier releases, those being
    /// deployed, next, or awaiting approval, and the targets of deploy scripts' links.
    ///
    /// # Errors
    ///
    /// Errors while histories or links are read, and a history that is lost for good. Then nothing
    /// may be packed or removed, because the unknown build might be deployed.
    pub(in crate::engine) fn kept(&mut self) -> Result<Kept, Error> {
        let tips = self.repo.deploy_tips()?;
        let mut kept = match self.cached.take() {
            Some((read_from, kept)) if read_from == tips => kept,
            _ => self.by_repository()?,
        };
        self.cached = Some((tips, kept.clone()));
        for pin in self.shared.workspace().pins(&self.shared.settings.pins)? {
            kept.build(&pin.build, format!("`{}` links to it", pin.link.display()));
        }
        Ok(kept)
    }

    fn by_repository(&self) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        let deployments = self.repo.known_deployments()?;
        if let Some(environment) = deployments.unknown.first() {
            return Err(unknown(environment));
        }
        for (environment, ledger) in &deployments.lost {
            self.add_history(environment, ledger, &mut kept);
        }
        let mut ledgers: BTreeMap<String, DeploymentHistory> =
            deployments.histories.into_iter().collect();
        let branches = self.repo.branch_list()?;
        let successes = self.successes(&branches)?;
        let mut reported = HashSet::new();
        for success in &successes {
            // If several branches point to one commit, HEAD's branch is the first.
            if success.is_unreadable && reported.insert(success.commit) {
                kept.commit(success.commit, success.unreadable_reason());
            }
            for environment in success.rules.iter().flat_map(DeployRules::environments) {
                ledgers.entry(environment.to_owned()).or_default();
            }
        }
        for (environment, ledger) in &ledgers {
            self.add_environment(environment, ledger, &successes, &mut kept)?;
        }
        Ok(kept)
    }

    /// Adds the builds that a deployment history protects.
    fn add_history(&self, environment: &str, ledger: &DeploymentHistory, kept: &mut Kept) {
        if let Some(running) = ledger.running() {
            kept.commit(running.commit, format!("deployed to {environment}"));
        }
        for before in ledger.releases_before_running(self.shared.settings.keep_releases) {
            kept.commit(before.commit, format!("deployed to {environment} before"));
        }
        if let Some(open) = ledger.interrupted() {
            kept.commit(open.commit, format!("its deployment to {environment} was interrupted"));
        } else if let Some(tried) = ledger.tried_since_running().next() {
            // It may have changed a link before it failed.
            kept.commit(tried.commit, format!("the last attempt for {environment}"));
        }
        if let Some(waiting) = ledger.waiting() {
            kept.commit(waiting.commit, format!("awaiting approval for {environment}"));
        }
    }

    fn add_environment(
        &self,
        environment: &str,
        ledger: &DeploymentHistory,
        successes: &[Success<'_>],
        kept: &mut Kept,
    ) -> Result<(), Error> {
        self.add_history(environment, ledger, kept);
        if ledger.is_retired() {
            return Ok(());
        }
        match deploy::next(self.shared, &self.repo, environment, ledger) {
            Ok(next) if ledger.running().is_some_and(|it| it.commit == next) => {}
            Ok(next) => kept.commit(next, format!("next for {environment}")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // A person must choose the commit, and may choose any of these.
            Err(_) => {
                for success in successes.iter().filter(|it| it.may_be_deployed(environment)) {
                    kept.commit(success.commit, format!("may be next for {environment}"));
                }
            }
        }
        Ok(())
    }

    /// Returns the newest success of each branch, if it has a build.
    fn successes<'b>(&self, branches: &'b [Branch]) -> Result<Vec<Success<'b>>, Error> {
        let (mut results, mut rules_by_commit) = (HashMap::new(), HashMap::new());
        let mut found = Vec::new();
        for branch in branches {
            let Some(id) = self.newest_success(branch.tip, &mut results)? else { continue };
            let commit = self.repo.commit_for(id, None)?;
            if !self.shared.workspace().build(&commit.build_name()).exists() {
                continue;
            }
            let mut deploy_rules =
                |id| rules_by_commit.entry(id).or_insert_with(|| self.deploy_rules(id)).clone();
            let (own, of_tip) = (deploy_rules(id), deploy_rules(branch.tip));
            let is_unreadable =
                [&own, &of_tip].into_iter().any(|it| matches!(it, DeployRulesOf::Unreadable));
            let rules = if let DeployRulesOf::Read(rules) = own { rules } else { None };
            found.push(Success { branch, commit: id, rules, is_unreadable });
        }
        Ok(found)
    }

    fn deploy_rules(&self, id: CommitId) -> DeployRulesOf {
        let commit = self.repo.commit_for(id, None);
        match commit.and_then(|commit| LoadedPipeline::load(self.shared, &self.repo, &commit)) {
            Ok(loaded) => DeployRulesOf::Read(loaded.pipeline.deploy().cloned()),
            Err(error) if error.kind() == ErrorKind::NotFound => DeployRulesOf::Read(None),
            Err(_) => DeployRulesOf::Unreadable,
        }
    }

    /// Returns the newest success on the first-parent line of a tip. `results` contains the results
    /// for commits that were visited before, because branches share most of their history.
    fn newest_success(
        &self,
        tip: CommitId,
        results: &mut HashMap<CommitId, Option<CommitId>>,
    ) -> Result<Option<CommitId>, Error> {
        let (mut visited, mut next, mut found) = (Vec::new(), Some(tip), None);
        while let Some(id) = next.filter(|_| visited.len() < COMMITS_MAX) {
            if let Some(result) = results.get(&id) {
                found = *result;
                break;
            }
            visited.push(id);
            if final_outcome(&self.repo, id)?.is_some_and(Outcome::passed) {
                found = Some(id);
                break;
            }
            // A commit that cannot be read ends the search.
            let commit = self.repo.commit_for(id, None).ok();
            next = commit.and_then(|commit| commit.parents.first().copied());
        }
        results.extend(visited.into_iter().map(|id| (id, found)));
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
    fn unreadable_reason(&self) -> String {
        let branch = self.branch.name.to_str_lossy();
        format!("newest success of `{branch}`, which has an unreadable config")
    }

    /// Returns true if its own config deploys it to this environment from its branch.
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
