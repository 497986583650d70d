//! The names of the refs and files that tinyci stores in a repository. FORMAT.md documents each of
//! them, and a test compares that file with this one.
//!
//! A released name never gets another meaning.

/// Refs. A name that ends in `/` is the prefix of one ref per environment, approval or remote.
pub(crate) mod refs {
    /// Notes with one word per commit: its verdict. TinyCI 0.5 writes them too.
    pub(crate) const VERDICTS: &str = "refs/notes/tinyci-result";
    /// Notes with the records: one line of JSON per job.
    pub(crate) const RECORDS: &str = "refs/notes/runs/tinyci";
    /// The verdicts and records of a remote, as of the last fetch.
    pub(crate) const FETCHED_NOTES: &str = "refs/notes/remotes/";
    /// The history that is not tested.
    pub(crate) const BASELINE: &str = "refs/tinyci/baseline";
    /// The deployments of each environment.
    pub(crate) const DEPLOYS: &str = "refs/tinyci/deployments/";
    /// The deployments of a remote, as of the last fetch.
    pub(crate) const FETCHED_DEPLOYS: &str = "refs/tinyci/remotes/";
    /// Approvals.
    pub(crate) const APPROVALS: &str = "refs/tinyci/approvals/";
}

/// The prefixes of refs.
pub(crate) mod families {
    /// All notes.
    pub(crate) const NOTES: &str = "refs/notes/";
    /// All other refs of tinyci.
    pub(crate) const TINYCI: &str = "refs/tinyci/";
    /// The notes that `--notes='tinyci*'` shows: verdicts, and what looks like them.
    pub(crate) const VERDICT_LIKE: &str = "refs/notes/tinyci";
    /// The records, and what clones fetch with them.
    pub(crate) const RECORD_LIKE: &str = "refs/notes/runs/";
}

/// Files in the state directory. A name that ends in `.` is the prefix of several files.
pub(crate) mod state {
    /// The directory, inside the git directory that all working trees share.
    pub(crate) const DIR: &str = "tinyci";
    /// The versions of tinyci that may read and write the state.
    pub(crate) const FORMAT: &str = "format";
    /// The lock file of the active run.
    pub(crate) const LOCK: &str = "lock";
    /// A second lock file of the active run, for processes that only check whether a run is active.
    pub(crate) const RUNNING: &str = "running";
    /// What the active run is doing.
    pub(crate) const HOLDER: &str = "holder";
    /// The counter of requests for a scan.
    pub(crate) const WAKE: &str = "wake";
    /// The value of that counter at the last scan.
    pub(crate) const LOOKED: &str = "looked";
    /// The lock file of processes that wait for the run lock.
    pub(crate) const WAITING: &str = "waiting";
    /// The lock file of processes that wait for the run lock between two commits.
    pub(crate) const BETWEEN: &str = "between";
    /// Requests to cancel.
    pub(crate) const CANCEL: &str = "cancel";
    /// The number of attempts without a verdict.
    pub(crate) const ATTEMPTS: &str = "attempts";
    /// Commits that a push made the tip of a branch.
    pub(crate) const TIPS: &str = "tips";
    /// Pushes that no run has handled yet.
    pub(crate) const PUSHED: &str = "pushed";
    /// Skipped commits that are not tested again.
    pub(crate) const LOOKED_AT: &str = "looked-at";
    /// Tips below which nothing is pending.
    pub(crate) const TESTED_TIPS: &str = "tested-tips";
    /// The values of tinyci's refs at the last check.
    pub(crate) const REFS: &str = "refs";
    /// The file that each writer locks to move a ref or change the configuration.
    pub(crate) const INTENT: &str = "intent";
    /// The directory of new files that are about to replace files of git.
    pub(crate) const LOCKING: &str = "locking";
    /// The repository's id.
    pub(crate) const ID: &str = "id";
    /// The file that an install or uninstall locks.
    pub(crate) const INSTALLING: &str = "installing";
    /// What `install` changed in git's configuration.
    pub(crate) const INSTALLED: &str = "installed";
    /// The refspecs that `install` added.
    pub(crate) const REFSPECS: &str = "refspecs";
    /// The values of `receive.hideRefs` that `install` added.
    pub(crate) const HIDDEN_REFS: &str = "hidden-refs";
    /// The lock file of a deployment.
    pub(crate) const DEPLOY: &str = "deploy.";
    /// A second lock file of a deployment, for processes that only check whether one is in
    /// progress.
    pub(crate) const DEPLOYING: &str = "deploying.";
    /// The account that gave an approval.
    pub(crate) const APPROVAL: &str = "approval.";
}

/// Files in the builds directory, and in the directory of one build.
pub(crate) mod builds {
    /// The repository that owns the builds directory.
    pub(crate) const OWNER: &str = "tinyci.owner";
    /// The log of a build. In the builds directory, the log of all runs.
    pub(crate) const LOG: &str = "tinyci.log";
    /// The suffix of a packed build.
    pub(crate) const ARCHIVE: &str = ".tar.gz";
    /// The job that made a build.
    pub(crate) const JOB: &str = "job.json";
    /// The commit's files. Another export of the same commit has a name such as `export.<job id>`.
    pub(crate) const EXPORT: &str = "export";
    /// The prefix of a scratch directory, in which a person runs single steps.
    pub(crate) const SCRATCH: &str = "scratch_";
    /// A marker in a scratch directory that is kept for a day.
    pub(crate) const KEPT: &str = "kept";
    /// The files that the job kept.
    pub(crate) const ARTIFACTS: &str = "artifacts";
    /// The list of these files, if it is longer than the one in the record.
    pub(crate) const ARTIFACT_LIST: &str = "artifacts.jsonl";
    /// The files that deployments kept.
    pub(crate) const DEPLOY_ARTIFACTS: &str = "deploy-artifacts";
}
