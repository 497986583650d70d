//! The names of what tinyci keeps in a repository. FORMAT.md documents each of them, and a test
//! compares that file with this one.
//!
//! A released name never gets another meaning.

/// Refs. A name that ends in `/` is the beginning of one ref per environment, approval or remote.
pub(crate) mod refs {
    /// Notes with one word per commit: its verdict. TinyCI 0.5 writes there too.
    pub(crate) const VERDICTS: &str = "refs/notes/tinyci-result";
    /// Notes with the records: one line of JSON per job.
    pub(crate) const RECORDS: &str = "refs/notes/runs/tinyci";
    /// The verdicts and records of a remote, as they were last fetched.
    pub(crate) const FETCHED_NOTES: &str = "refs/notes/remotes/";
    /// The history that is not tested.
    pub(crate) const BASELINE: &str = "refs/tinyci/baseline";
    /// The deployments of each environment.
    pub(crate) const DEPLOYS: &str = "refs/tinyci/deployments/";
    /// The deployments of a remote, as they were last fetched.
    pub(crate) const FETCHED_DEPLOYS: &str = "refs/tinyci/remotes/";
    /// Approvals.
    pub(crate) const APPROVALS: &str = "refs/tinyci/approvals/";
}

/// Files in the state directory. A name that ends in `.` is the beginning of several.
pub(crate) mod state {
    /// The directory, in the git directory that all working trees share.
    pub(crate) const DIR: &str = "tinyci";
    /// Which versions of tinyci may read and write here.
    pub(crate) const FORMAT: &str = "format";
    /// Locked by a run.
    pub(crate) const LOCK: &str = "lock";
    /// Locked by a run, for those that only look.
    pub(crate) const RUNNING: &str = "running";
    /// What the active run is doing.
    pub(crate) const HOLDER: &str = "holder";
    /// Counts the requests for a scan.
    pub(crate) const WAKE: &str = "wake";
    /// The count of requests at the last scan.
    pub(crate) const LOOKED: &str = "looked";
    /// Locked by those that wait for the run lock.
    pub(crate) const WAITING: &str = "waiting";
    /// Locked by those that wait for the run lock between two commits.
    pub(crate) const BETWEEN: &str = "between";
    /// Requests to cancel.
    pub(crate) const CANCEL: &str = "cancel";
    /// Attempts without a verdict.
    pub(crate) const ATTEMPTS: &str = "attempts";
    /// Commits that a push made the tip of a branch.
    pub(crate) const TIPS: &str = "tips";
    /// Pushes that no run has looked at yet.
    pub(crate) const PUSHED: &str = "pushed";
    /// Skipped commits that are not tested again.
    pub(crate) const LOOKED_AT: &str = "looked-at";
    /// Tips below which nothing is pending.
    pub(crate) const TESTED_TIPS: &str = "tested-tips";
    /// What tinyci's refs named when it last looked.
    pub(crate) const REFS: &str = "refs";
    /// Locked by whoever moves a ref or changes the configuration.
    pub(crate) const INTENT: &str = "intent";
    /// Files of git that are being replaced.
    pub(crate) const LOCKING: &str = "locking";
    /// The repository's id.
    pub(crate) const ID: &str = "id";
    /// What `install` changed in git's configuration.
    pub(crate) const INSTALLED: &str = "installed";
    /// The refspecs that `install` added.
    pub(crate) const REFSPECS: &str = "refspecs";
    /// Locked by a deployment.
    pub(crate) const DEPLOY: &str = "deploy.";
    /// Locked by a deployment, for those that only look.
    pub(crate) const DEPLOYING: &str = "deploying.";
    /// The account that gave an approval.
    pub(crate) const APPROVAL: &str = "approval.";
}

/// Files in the builds directory, and in the directory of one build.
pub(crate) mod builds {
    /// The repository that owns the builds directory.
    pub(crate) const OWNER: &str = "tinyci.owner";
    /// The log of a build; in the builds directory, that of all runs.
    pub(crate) const LOG: &str = "tinyci.log";
    /// How the name of a packed build ends.
    pub(crate) const ARCHIVE: &str = ".tar.gz";
    /// The job that a build is of.
    pub(crate) const JOB: &str = "job.json";
    /// The commit's files. A name such as `export.<job id>` is that of another export of the commit.
    pub(crate) const EXPORT: &str = "export";
    /// How the name of a scratch directory begins: that of steps that are run by hand.
    pub(crate) const SCRATCH: &str = "scratch_";
    /// Marks a scratch directory that stays for a day.
    pub(crate) const KEPT: &str = "kept";
    /// The files that the job kept.
    pub(crate) const ARTIFACTS: &str = "artifacts";
    /// The list of these files, if it is longer than that of the record.
    pub(crate) const ARTIFACT_LIST: &str = "artifacts.jsonl";
    /// The files that deployments kept.
    pub(crate) const DEPLOY_ARTIFACTS: &str = "deploy-artifacts";
}
