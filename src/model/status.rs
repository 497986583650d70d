//! [`Status`]: how a repository stands, at one look.

use std::time::SystemTime;

use super::{
    commit::{Commit, CommitId, GitString},
    deployment::{DeployOutcome, Deployment},
    outcome::Outcome,
};

/// How a repository stands, as [`Engine::status`](crate::Engine::status) found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The run that is in progress.
    pub running: Option<ActiveRun>,
    /// The commits that are due and not in hand, oldest first.
    pub pending: Vec<Commit>,
    /// Of those, the ones whose last run left no verdict: it was killed, canceled or could not go on.
    pub unfinished: Vec<CommitId>,
    /// Of those that are due, the ones that a remote has judged, as it was last fetched:
    /// [`Engine::merge_results`](crate::Engine::merge_results) makes that verdict one's own.
    pub tested_by_remote: Vec<CommitId>,
    /// The commits that are out of attempts, and wait for `tinyci run --retry`.
    pub out_of_attempts: Vec<CommitId>,
    /// Every branch, HEAD's first.
    pub branches: Vec<BranchStatus>,
    /// Every environment, by name.
    pub environments: Vec<EnvironmentStatus>,
    /// How many bytes are free on the disk that holds the builds; none where it is not known.
    pub free_bytes: Option<u64>,
    /// What should be looked at, a sentence each.
    pub warnings: Vec<String>,
}

/// A run in progress, as far as it said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveRun {
    /// Its process, on its host.
    pub pid: u32,
    /// The machine.
    pub machine: String,
    /// When it took the repository.
    pub since: SystemTime,
    /// The commits in hand.
    pub commits: Vec<RunningCommit>,
}

/// A commit in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningCommit {
    /// The commit.
    pub commit: CommitId,
    /// The first line of its message; empty for one that is gone.
    pub subject: GitString,
    /// When it was begun.
    pub since: SystemTime,
    /// The step that is done now; none before the first.
    pub step: Option<String>,
}

/// What became of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchStatus {
    /// Its name, without `refs/heads/`.
    pub name: GitString,
    /// Its newest commit.
    pub tip: CommitId,
    /// Its newest commit that has a verdict; none where the newest thousand have none.
    pub latest: Option<LatestVerdict>,
}

/// A commit with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatestVerdict {
    /// The commit.
    pub commit: CommitId,
    /// The first line of its message.
    pub subject: GitString,
    /// What became of it.
    pub outcome: Outcome,
    /// When its run ended; none where only the word is known.
    pub finished: Option<SystemTime>,
}

/// What is deployed to an environment, and what could be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvironmentStatus {
    /// Its name.
    pub name: String,
    /// The remote whose environment it is, as it was last fetched; none of one's own.
    pub remote: Option<String>,
    /// What is deployed.
    pub deployed: Option<Deployment>,
    /// The newest deployment, where it is another one: it failed, waits, or is under way; or that the
    /// environment was retired.
    pub latest: Option<Deployment>,
    /// The newest green commit that `deploy` would take, where that is not what is deployed.
    pub next: Option<Commit>,
}

impl EnvironmentStatus {
    /// Whether the environment was retired, and nobody has deployed there since.
    pub fn is_retired(&self) -> bool {
        self.latest.as_ref().is_some_and(|latest| latest.outcome == DeployOutcome::Retired)
    }
}
