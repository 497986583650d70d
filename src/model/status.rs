//! [`Status`]: the current state of a repository.

use std::time::SystemTime;

use super::{
    commit::{Commit, CommitId, GitString},
    deployment::{DeployOutcome, Deployment},
    outcome::Outcome,
};

/// The state of a repository, as [`Engine::status`](crate::Engine::status) returns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The active run.
    pub running: Option<ActiveRun>,
    /// The pending commits that are not being tested now, oldest first.
    pub pending: Vec<Commit>,
    /// Those pending commits whose last job ended without a verdict: it was killed, canceled or
    /// failed with an error.
    pub unfinished: Vec<CommitId>,
    /// Those pending commits that have a verdict of a remote, as of the last fetch.
    /// [`Engine::merge_results`](crate::Engine::merge_results) imports these verdicts.
    pub tested_by_remote: Vec<CommitId>,
    /// The commits that are out of attempts, until `tinyci run --retry`.
    pub out_of_attempts: Vec<CommitId>,
    /// All branches, HEAD's first.
    pub branches: Vec<BranchStatus>,
    /// All environments, by name.
    pub environments: Vec<EnvironmentStatus>,
    /// The free bytes on the file system of the builds directory. `None` if not known.
    pub free_bytes: Option<u64>,
    /// Problems that need attention, one sentence each.
    pub warnings: Vec<String>,
}

/// The active run, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveRun {
    /// The process id, on its machine.
    pub pid: u32,
    /// The name of the machine.
    pub machine: String,
    /// The time at which it acquired the run lock.
    pub since: SystemTime,
    /// The commits that it tests now.
    pub commits: Vec<RunningCommit>,
}

/// A commit that is being tested.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningCommit {
    /// The commit.
    pub commit: CommitId,
    /// The first line of its message. Empty if the commit no longer exists.
    pub subject: GitString,
    /// The start time of its job.
    pub since: SystemTime,
    /// The current step. `None` before the first step.
    pub step: Option<String>,
}

/// The state of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchStatus {
    /// The name, without `refs/heads/`.
    pub name: GitString,
    /// The newest commit.
    pub tip: CommitId,
    /// The newest commit that has a verdict. `None` if the newest 1,000 commits have none.
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
    /// The outcome.
    pub outcome: Outcome,
    /// The end time of its job. `None` if it has no record.
    pub finished: Option<SystemTime>,
}

/// The state of an environment: what is deployed, and what could be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvironmentStatus {
    /// The name.
    pub name: String,
    /// The remote that the environment belongs to, as of the last fetch. `None` for this
    /// repository.
    pub remote: Option<String>,
    /// The current deployment.
    pub deployed: Option<Deployment>,
    /// The newest deployment, if it is not the current one: it failed, awaits approval or is in
    /// progress. Also the retirement of the environment.
    pub latest: Option<Deployment>,
    /// The newest green commit that `deploy` would choose, if it is not deployed.
    pub next: Option<Commit>,
}

impl EnvironmentStatus {
    /// Returns true if the environment was retired and not deployed to since.
    pub fn is_retired(&self) -> bool {
        self.latest.as_ref().is_some_and(|latest| latest.outcome == DeployOutcome::Retired)
    }
}
