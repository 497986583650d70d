//! The history of deployments: one ref for each environment, with one commit per entry.
//!
//! `refs/tinyci/deployments/<environment>` only grows, by compare-and-swap. The first parent of an
//! entry is the previous entry. The second is the commit that is deployed now. So `git rev-parse
//! refs/tinyci/deployments/production^2` names it and `git gc` keeps it. An entry that deployed
//! nothing keeps the second parent of the entry before. An entry that retires the environment has
//! no second parent. The message has a line for users and then a line of JSON. The commit below the
//! first entry has no JSON.

use std::time::UNIX_EPOCH;

use git2::{ErrorCode, ObjectType, Oid};

use super::atomic_ref::{self, AtomicRef, Edit};
use crate::repo::{
    history::walk,
    objects::commit::stored,
    repository::{Repo, commit_id, git_error, oid},
};
use crate::{
    model::{
        commit::CommitId,
        deployment::{DeployOutcome, Deployment},
        error::{Error, ErrorKind},
        identity::Identity,
        pipeline::is_environment,
        stored_names::refs::{DEPLOYS, FETCHED_DEPLOYS},
    },
    rules::ledger::DeploymentHistory,
};

/// The history of one environment at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoredHistory {
    pub(crate) history: DeploymentHistory,
    /// The number of its commits that are not entries of tinyci.
    pub(crate) foreign: usize,
}

/// The deployments of remotes, as last fetched.
#[derive(Clone, Debug, Default)]
pub(crate) struct FetchedDeployments {
    /// The histories, by environment.
    pub(crate) histories: Vec<(String, DeploymentHistory)>,
    /// A sentence for each history that only a newer version can read.
    pub(crate) warnings: Vec<String>,
}

/// All known deployments, by environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownDeployments {
    pub(crate) histories: Vec<(String, DeploymentHistory)>,
    /// The histories that refs lost through others. They may describe what is still deployed.
    pub(crate) lost: Vec<(String, DeploymentHistory)>,
    /// The environments whose histories lack objects that git has removed.
    pub(crate) unknown: Vec<String>,
}

impl Repo {
    /// Returns the names of the environments with deployments, sorted.
    pub(crate) fn deploy_environments(&self) -> Result<Vec<String>, Error> {
        let names = self.own_refs_below(DEPLOYS)?;
        let names = names.iter().filter_map(|name| name.strip_prefix(DEPLOYS));
        Ok(names.filter(|name| is_environment(name)).map(str::to_owned).collect())
    }

    /// Returns the newest entry of each environment's history. It changes with every deployment.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the refs cannot be read.
    pub(crate) fn deploy_tips(&self) -> Result<Vec<(String, CommitId)>, Error> {
        let mut tips = Vec::new();
        for environment in self.deploy_environments()? {
            if let Some(tip) = self.deploy_ref(&environment).tip()? {
                tips.push((environment, commit_id(tip)?));
            }
        }
        Ok(tips)
    }

    /// Returns the deployments to an environment.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the ref does not name a commit, or names a broken one.
    pub(crate) fn deploy_history(&self, environment: &str) -> Result<StoredHistory, Error> {
        self.history_at(environment, self.deploy_ref(environment).tip()?)
    }

    /// Returns all deployments, including those on refs that others deleted, set back or replaced.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if a ref does not name a commit, or names a broken one.
    pub(crate) fn known_deployments(&self) -> Result<KnownDeployments, Error> {
        let mut known = KnownDeployments::default();
        for environment in self.deploy_environments()? {
            let history = self.deploy_history(&environment)?.history;
            known.histories.push((environment, history));
        }
        for (name, tip) in self.lost_below(DEPLOYS)? {
            let environment = name.strip_prefix(DEPLOYS).unwrap_or(&name).to_owned();
            match tip {
                Some(_) => {
                    let history = self.history_at(&environment, tip)?.history;
                    known.lost.push((environment, history));
                }
                None => known.unknown.push(environment),
            }
        }
        Ok(known)
    }

    /// Returns true if the ref has a history of deployments, and not only some pushed commit.
    pub(in crate::repo) fn is_deploy_history(&self, name: &str, tip: Oid) -> bool {
        let environment = name.strip_prefix(DEPLOYS).filter(|name| is_environment(name));
        let history = environment.map(|environment| self.history_at(environment, Some(tip)));
        matches!(history, Some(Ok(stored)) if !stored.history.deployments.is_empty())
    }

    /// Returns the deployments of the configured remotes, as last fetched.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if a ref does not name a commit, or names a broken one.
    pub(crate) fn fetched_deployments(&self) -> Result<FetchedDeployments, Error> {
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let mut found = FetchedDeployments::default();
        let configured = self.remotes()?;
        let references =
            self.git.references_glob(&format!("{FETCHED_DEPLOYS}*")).map_err(unlisted)?;
        for reference in references {
            let reference = reference.map_err(unlisted)?;
            let name = reference.name().ok().and_then(|name| name.strip_prefix(FETCHED_DEPLOYS));
            let Some((remote, environment)) =
                name.and_then(|name| name.rsplit_once("/deployments/"))
            else {
                continue;
            };
            if is_environment(environment) && configured.iter().any(|name| name == remote) {
                let mut history = match self.history_at(environment, reference.target()) {
                    // The remote's server has a newer version. The histories of this repository are
                    // still readable.
                    Err(error) if error.kind() == ErrorKind::NewerFormat => {
                        found.warnings.push(format!("{remote}: {}", error.report()));
                        continue;
                    }
                    history => history?.history,
                };
                for deployment in &mut history.deployments {
                    deployment.remote = Some(remote.to_owned());
                    if deployment.finished.is_none() {
                        deployment.outcome = DeployOutcome::Running;
                    }
                }
                found.histories.push((environment.to_owned(), history));
            }
        }
        Ok(found)
    }

    /// Adds an entry. `entry` makes it from the current history, or returns `None` to add nothing.
    ///
    /// # Errors
    ///
    /// Those of `entry`; [`Git`](ErrorKind::Git) if the ref cannot be moved, with the path of the
    /// lock file if one exists.
    pub(crate) fn record_deployment(
        &self,
        environment: &str,
        author: &Identity,
        entry: impl Fn(&DeploymentHistory) -> Result<Option<Deployment>, Error>,
    ) -> Result<(), Error> {
        self.deploy_ref(environment).update("tinyci: deploy", |tip| {
            let history = self.history_at(environment, tip)?.history;
            let Some(entry) = entry(&history)? else { return Ok(Edit::Keep(())) };
            let deployed = match entry.outcome {
                DeployOutcome::Success => Some(entry.commit),
                DeployOutcome::Retired => None,
                _ => history.running().map(|running| running.commit),
            };
            let commit = self.entry_commit(tip, &entry, author, deployed);
            let what = || format!("cannot record the deployment of {}", entry.commit.short());
            Ok(Edit::Replace(commit.map_err(|source| git_error(what(), source))?, ()))
        })
    }

    fn deploy_ref(&self, environment: &str) -> AtomicRef<'_> {
        AtomicRef::new(self, format!("{DEPLOYS}{environment}"))
    }

    fn entry_commit(
        &self,
        tip: Option<Oid>,
        entry: &Deployment,
        author: &Identity,
        deployed: Option<CommitId>,
    ) -> Result<Oid, git2::Error> {
        let tree = self.empty_tree()?;
        let time = entry.finished.unwrap_or(entry.started);
        let time = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let time = i64::try_from(time).unwrap_or(i64::MAX);
        let first = match tip {
            Some(tip) => tip,
            None => atomic_ref::commit(self, tree, &[], time, &first_message(&entry.environment))?,
        };
        let deployed = deployed.map(|id| Oid::from_bytes(id.as_bytes())).transpose()?;
        let parents: Vec<Oid> = [Some(first), deployed].into_iter().flatten().collect();
        let message = format!("{}\n\n{}", entry.sentence(), entry.to_json());
        atomic_ref::commit_by(self, author, tree, &parents, time, &message)
    }

    fn history_at(&self, environment: &str, tip: Option<Oid>) -> Result<StoredHistory, Error> {
        let (mut entries, mut foreign) = (Vec::new(), 0);
        let first_message = first_message(environment);
        let mut next = tip;
        while let Some(id) = next {
            let commit = match stored(&self.git, id) {
                Ok(commit) => commit,
                // A shallow clone may have only the newest entries.
                Err(error) if error.code() == ErrorCode::NotFound && next != tip => break,
                Err(source) => return Err(self.not_a_history(environment, id, source)),
            };
            let message = String::from_utf8_lossy(&commit.message()).into_owned();
            let parents = commit.parent_ids();
            match entry_of(&message, environment, parents.get(1).copied())? {
                Some(entry) => entries.push(entry),
                // The commit below all entries has no JSON.
                None if parents.is_empty() && message.trim_end() == first_message => {}
                None => foreign += 1,
            }
            next = parents.first().copied();
        }
        Ok(StoredHistory { history: DeploymentHistory::new(entries), foreign })
    }

    fn not_a_history(&self, environment: &str, id: Oid, source: git2::Error) -> Error {
        let kind = self.git.find_object(id, None).ok().and_then(|object| object.kind());
        match kind {
            Some(kind) if kind != ObjectType::Commit => {
                let message = format!(
                    "tinyci did not write `{DEPLOYS}{environment}`: it is a {kind}, not a commit"
                );
                let hint = format!("`git update-ref -d {DEPLOYS}{environment}` removes it");
                Error::new(ErrorKind::Git, message).with_hint(hint)
            }
            _ => git_error(format!("cannot read `{DEPLOYS}{environment}`"), source),
        }
    }

    /// Returns the commits of `tip` that are not in `hidden`, newest first.
    pub(crate) fn commits_above(
        &self,
        tip: CommitId,
        hidden: Option<CommitId>,
    ) -> Result<Vec<CommitId>, Error> {
        let hidden = hidden.map(oid).transpose()?;
        let nodes = walk::between(&self.git, &[oid(tip)?], hidden.as_slice())?;
        let oldest_first = walk::oldest_first(nodes).into_iter();
        oldest_first.rev().map(|node| commit_id(node.id)).collect()
    }
}

/// Returns the message of the commit below all entries.
fn first_message(environment: &str) -> String {
    format!("Deployments to {environment}")
}

/// Parses the entry in a commit's message.
///
/// An entry counts as a success only if message and second parent name the same commit. So tinyci
/// and git agree on what is deployed.
///
/// # Errors
///
/// [`NewerFormat`](ErrorKind::NewerFormat) for an entry of an unknown version. If tinyci ignored
/// it, another commit would seem to be deployed.
fn entry_of(
    message: &str,
    environment: &str,
    deployed: Option<Oid>,
) -> Result<Option<Deployment>, Error> {
    let line = message.trim_end().lines().next_back().unwrap_or_default();
    let entry = match Deployment::from_json(line) {
        Ok(entry) => Deployment { remote: None, ..entry },
        Err(error) if error.kind() == ErrorKind::NewerFormat => {
            let message = format!("cannot read the deployments to {environment}");
            return Err(Error::new(ErrorKind::NewerFormat, message).with_source(error));
        }
        Err(_) => return Ok(None),
    };
    let is_there = deployed.is_some_and(|id| id.as_bytes() == entry.commit.as_bytes());
    let is_ours = entry.environment == environment && (is_there || !entry.passed());
    Ok(is_ours.then_some(entry))
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;
    use crate::testing::TestRepo;

    fn deployment(commit: &str, run: &str, outcome: DeployOutcome) -> Deployment {
        let line = format!(
            r#"{{"commit":"{commit}","environment":"production","outcome":"{outcome}","started":"2026-11-24T19:49:58.000Z","deployed_by":"Ada <a@b>","id":"{run}"}}"#
        );
        let finished = UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        let finished = (outcome != DeployOutcome::Running).then_some(finished);
        Deployment { finished, ..Deployment::from_json(&line).unwrap() }
    }

    fn record(repo: &Repo, entry: &Deployment) {
        let author = Identity { name: "Ada".into(), address: "ada@example.org".into() };
        repo.record_deployment("production", &author, |_| Ok(Some(entry.clone()))).unwrap();
    }

    const REFERENCE: &str = "refs/tinyci/deployments/production";

    #[test]
    fn the_history_reads_as_a_log_and_names_what_is_deployed() {
        use DeployOutcome::{Failure, Running, Success};
        let test = TestRepo::new();
        let (one, two) = (test.commit("one"), test.commit("two"));
        let repo = Repo::open(test.path()).unwrap();
        assert!(repo.deploy_environments().unwrap().is_empty());
        for (commit, run, outcome) in [
            (&one, "1", Running),
            (&one, "1", Success),
            (&two, "2", Running),
            (&two, "2", Failure),
            (&two, "3", Running),
        ] {
            record(&repo, &deployment(commit, run, outcome));
        }
        let log = test.git(&["log", "--first-parent", "--format=%an %s", REFERENCE]);
        let short = |id: &str| id[..7].to_owned();
        let expected = format!(
            "Ada Deploying {two} to production\nAda Failed to deploy {two} to production\n\
             Ada Deploying {two} to production\nAda Deployed {one} to production\n\
             Ada Deploying {one} to production\ntinyci Deployments to production",
            one = short(&one),
            two = short(&two)
        );
        assert_eq!(log, expected);
        assert_eq!(test.git(&["rev-parse", &format!("{REFERENCE}^2")]), one);
        let stored = repo.deploy_history("production").unwrap();
        let runs: Vec<_> = stored.history.deployments.iter().map(|it| it.id.as_str()).collect();
        assert_eq!((runs, stored.foreign), (vec!["3", "2", "1"], 0));
        assert_eq!(stored.history.interrupted().unwrap().id, "3");
        assert_eq!(repo.deploy_environments().unwrap(), ["production"]);
        test.git(&["fsck", "--strict"]);
        assert_eq!(repo.deploy_history("staging").unwrap().history, DeploymentHistory::default());
    }

    #[test]
    fn what_is_forged_is_told_apart() {
        let test = TestRepo::new();
        let (one, two) = (test.commit("one"), test.commit("two"));
        let repo = Repo::open(test.path()).unwrap();
        record(&repo, &deployment(&one, "1", DeployOutcome::Success));
        let tree = test.git(&["rev-parse", "HEAD^{tree}"]);
        let forge = |message: &str, second: &str| {
            let tip = test.git(&["rev-parse", REFERENCE]);
            let args = ["commit-tree", "-p", &tip, "-p", second, "-m", message, &tree];
            test.git(&["update-ref", REFERENCE, &test.git(&args)]);
        };
        forge("hello", &two);
        let success = deployment(&two, "2", DeployOutcome::Success).to_json();
        forge(&format!("Deployed\n\n{success}"), &one);
        forge(&format!("Deployed\n\n{}", success.replace("production", "staging")), &two);
        let stored = repo.deploy_history("production").unwrap();
        assert_eq!(stored.foreign, 3);
        assert_eq!(stored.history.running().unwrap().commit.to_string(), one);
        record(&repo, &deployment(&two, "3", DeployOutcome::Success));
        assert_eq!(test.git(&["rev-parse", &format!("{REFERENCE}^2")]), two);

        let blob = test.git(&["hash-object", "-w", "--stdin"]);
        test.git(&["update-ref", "refs/tinyci/deployments/staging", &blob]);
        let error = repo.deploy_history("staging").unwrap_err().report();
        assert!(error.contains("it is a blob") && error.contains("update-ref -d"), "{error}");
    }

    #[test]
    fn entries_at_once_are_all_kept() {
        let test = TestRepo::new();
        let commit = test.commit("one");
        thread::scope(|scope| {
            for writer in 0..12 {
                let (path, commit) = (test.path(), &commit);
                scope.spawn(move || {
                    let entry = deployment(commit, &writer.to_string(), DeployOutcome::Failure);
                    record(&Repo::open(path).unwrap(), &entry);
                });
            }
        });
        let stored = Repo::open(test.path()).unwrap().deploy_history("production").unwrap();
        assert_eq!(stored.history.deployments.len(), 12);
    }
}
