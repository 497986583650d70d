//! What is deployed where: one ref for each environment, whose commits are its history.
//!
//! `refs/tinyci/deployments/<environment>` only ever grows, by compare-and-swap. The first parent of
//! an entry is the entry before it; the second is the commit that is deployed now, so that
//! `git rev-parse refs/tinyci/deployments/production^2` names it and no gc takes it. An entry that
//! deployed nothing carries the second parent on, and one that retires the environment has none. What happened stands in the message: a line for
//! people, then one of JSON. Below the first entry lies a commit that says nothing.

use std::time::UNIX_EPOCH;

use git2::{ErrorCode, ObjectType, Oid};

use super::atomic_ref::{self, AtomicRef, Edit};
use crate::repo::{
    history::walk,
    repository::{Repo, commit_id, git_error, oid},
};
use crate::{
    model::{
        commit::CommitId,
        deployment::{DeployOutcome, Deployment},
        error::{Error, ErrorKind},
        pipeline::is_environment,
        stored_names::refs::{DEPLOYS, FETCHED_DEPLOYS},
    },
    rules::ledger::DeploymentHistory,
};

/// The history of one environment, as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeployHistory {
    pub(crate) ledger: DeploymentHistory,
    /// How many of its commits are no entry of tinyci's.
    pub(crate) foreign: usize,
}

/// What remotes said of deployments when they were last fetched.
#[derive(Clone, Debug, Default)]
pub(crate) struct FetchedDeploys {
    /// By environment.
    pub(crate) histories: Vec<(String, DeploymentHistory)>,
    /// A sentence for each history that only a newer version can read.
    pub(crate) warnings: Vec<String>,
}

/// All that is known of what was deployed where, by environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownDeploys {
    pub(crate) histories: Vec<(String, DeploymentHistory)>,
    /// What others made their refs lose: it may be what still runs.
    pub(crate) lost: Vec<(String, DeploymentHistory)>,
    /// The environments of whose histories git has removed objects.
    pub(crate) unknown: Vec<String>,
}

impl Repo {
    /// The environments that something was deployed to, by name.
    pub(crate) fn deploy_environments(&self) -> Result<Vec<String>, Error> {
        let names = self.own_refs_below(DEPLOYS)?;
        let names = names.iter().filter_map(|name| name.strip_prefix(DEPLOYS));
        Ok(names.filter(|name| is_environment(name)).map(str::to_owned).collect())
    }

    /// What the histories of deployments end with, by environment: changes with each of them.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where the refs cannot be read.
    pub(crate) fn deploy_tips(&self) -> Result<Vec<(String, CommitId)>, Error> {
        let mut tips = Vec::new();
        for environment in self.deploy_environments()? {
            if let Some(tip) = self.deploy_ref(&environment).tip()? {
                tips.push((environment, commit_id(tip)?));
            }
        }
        Ok(tips)
    }

    /// What was deployed to an environment.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where the ref names no commit, or one that is broken.
    pub(crate) fn deploy_history(&self, environment: &str) -> Result<DeployHistory, Error> {
        self.history_at(environment, self.deploy_ref(environment).tip()?)
    }

    /// What was deployed where, also as far as refs that others deleted, set back or replaced said so.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where a ref names no commit, or one that is broken.
    pub(crate) fn known_deploys(&self) -> Result<KnownDeploys, Error> {
        let mut known = KnownDeploys::default();
        for environment in self.deploy_environments()? {
            let ledger = self.deploy_history(&environment)?.ledger;
            known.histories.push((environment, ledger));
        }
        for (name, tip) in self.lost_below(DEPLOYS)? {
            let environment = name.strip_prefix(DEPLOYS).unwrap_or(&name).to_owned();
            match tip {
                Some(_) => {
                    let ledger = self.history_at(&environment, tip)?.ledger;
                    known.lost.push((environment, ledger));
                }
                None => known.unknown.push(environment),
            }
        }
        Ok(known)
    }

    /// Whether a ref of this name has a history of deployments, and not only what somebody pushed.
    pub(in crate::repo) fn is_deploy_history(&self, name: &str, tip: Oid) -> bool {
        let environment = name.strip_prefix(DEPLOYS).filter(|name| is_environment(name));
        let history = environment.map(|environment| self.history_at(environment, Some(tip)));
        matches!(history, Some(Ok(history)) if !history.ledger.deployments.is_empty())
    }

    /// What was deployed where, as it was last fetched of remotes.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where a ref names no commit, or one that is broken.
    pub(crate) fn fetched_deploys(&self) -> Result<FetchedDeploys, Error> {
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let mut found = FetchedDeploys::default();
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
            if is_environment(environment) {
                let mut ledger = match self.history_at(environment, reference.target()) {
                    // The server has been updated. What this repository itself has is not at stake.
                    Err(error) if error.kind() == ErrorKind::NewerFormat => {
                        found.warnings.push(format!("{remote}: {}", error.report()));
                        continue;
                    }
                    history => history?.ledger,
                };
                for deployment in &mut ledger.deployments {
                    deployment.remote = Some(remote.to_owned());
                    if deployment.finished.is_none() {
                        deployment.outcome = DeployOutcome::Running;
                    }
                }
                found.histories.push((environment.to_owned(), ledger));
            }
        }
        Ok(found)
    }

    /// Adds an entry, which is made of the history that it is added to; none leaves the history as
    /// it is. `subject` is the first line of its message.
    ///
    /// # Errors
    ///
    /// Those of `entry`; [`Git`](ErrorKind::Git) where the ref cannot be moved, with the path of a
    /// lock that stands.
    pub(crate) fn record_deployment(
        &self,
        environment: &str,
        author: (&str, &str),
        entry: impl Fn(&DeploymentHistory) -> Result<Option<Deployment>, Error>,
    ) -> Result<(), Error> {
        self.deploy_ref(environment).update("tinyci: deploy", |tip| {
            let ledger = self.history_at(environment, tip)?.ledger;
            let Some(entry) = entry(&ledger)? else { return Ok(Edit::Keep(())) };
            let deployed = match entry.outcome {
                DeployOutcome::Success => Some(entry.commit),
                DeployOutcome::Retired => None,
                _ => ledger.running().map(|running| running.commit),
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
        author: (&str, &str),
        deployed: Option<CommitId>,
    ) -> Result<Oid, git2::Error> {
        let tree = self.empty_tree()?;
        let time = entry.finished.unwrap_or(entry.started);
        let time = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let time = i64::try_from(time).unwrap_or(i64::MAX);
        let first = match tip {
            Some(tip) => tip,
            None => atomic_ref::commit(self, tree, &[], time, &beginning(&entry.environment))?,
        };
        let deployed = deployed.map(|id| Oid::from_bytes(id.as_bytes())).transpose()?;
        let parents: Vec<Oid> = [Some(first), deployed].into_iter().flatten().collect();
        let message = format!("{}\n\n{}", entry.sentence(), entry.to_json());
        atomic_ref::commit_by(self, author, tree, &parents, time, &message)
    }

    fn history_at(&self, environment: &str, tip: Option<Oid>) -> Result<DeployHistory, Error> {
        let (mut entries, mut foreign) = (Vec::new(), 0);
        let beginning = beginning(environment);
        let mut next = tip;
        while let Some(id) = next {
            let commit = match self.git.find_commit(id) {
                Ok(commit) => commit,
                // A clone may have only the newest part.
                Err(error) if error.code() == ErrorCode::NotFound && next != tip => break,
                Err(source) => return Err(self.not_a_history(environment, id, source)),
            };
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            match entry_of(&message, environment, commit.parent_id(1).ok())? {
                Some(entry) => entries.push(entry),
                // The one below all others says nothing.
                None if commit.parent_count() == 0 && message.trim_end() == beginning => {}
                None => foreign += 1,
            }
            next = commit.parent_id(0).ok();
        }
        Ok(DeployHistory { ledger: DeploymentHistory::new(entries), foreign })
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

    /// The commits of `tip` that are not in `hidden`, the newest first.
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

/// What the commit below all entries says.
fn beginning(environment: &str) -> String {
    format!("Deployments to {environment}")
}

/// What a commit's message says. Whoever forges a success has to name the commit twice alike: what
/// git keeps as deployed is what tinyci takes for it.
///
/// # Errors
///
/// [`NewerFormat`](ErrorKind::NewerFormat) for an entry of a version that is not known. Without it
/// something else would seem to be deployed.
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
        let author = ("Ada", "ada@example.org");
        repo.record_deployment("production", author, |_| Ok(Some(entry.clone()))).unwrap();
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
        let history = repo.deploy_history("production").unwrap();
        let runs: Vec<_> = history.ledger.deployments.iter().map(|it| it.id.as_str()).collect();
        assert_eq!((runs, history.foreign), (vec!["3", "2", "1"], 0));
        assert_eq!(history.ledger.interrupted().unwrap().id, "3");
        assert_eq!(repo.deploy_environments().unwrap(), ["production"]);
        test.git(&["fsck", "--strict"]);
        assert_eq!(repo.deploy_history("staging").unwrap().ledger, DeploymentHistory::default());
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
        let history = repo.deploy_history("production").unwrap();
        assert_eq!(history.foreign, 3);
        assert_eq!(history.ledger.running().unwrap().commit.to_string(), one);
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
        let history = Repo::open(test.path()).unwrap().deploy_history("production").unwrap();
        assert_eq!(history.ledger.deployments.len(), 12);
    }
}
