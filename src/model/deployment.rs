//! The data of deployments: requests, plans, approvals and their records.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use super::{
    commit::{Commit, CommitId},
    dry_run::StepDryRun,
    error::{Error, ErrorKind},
    failure::StepFailure,
    outcome::Outcome,
    unknown_fields::UnknownFields,
};

/// The outcome of a deployment.
///
/// To find out whether the commit is now deployed, use [`DeployOutcome::passed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeployOutcome {
    /// In progress, in the process that has the environment's lock.
    Running,
    /// The commit is deployed.
    Success,
    /// A command failed, the time limit passed, or `skip()` came after the deployment had already
    /// acted. The previous commit still counts as deployed.
    Failure,
    /// The config decided that there is nothing to deploy. Nothing was done.
    Skipped,
    /// A person or program canceled it.
    Canceled,
    /// Nothing was done yet: a person must approve first.
    AwaitingApproval,
    /// It started but its end is not known. A person must check the environment.
    Interrupted,
    /// The environment was retired: nothing is deployed there anymore.
    Retired,
}

impl DeployOutcome {
    /// All outcomes.
    pub const ALL: [DeployOutcome; 8] = [
        DeployOutcome::Running,
        DeployOutcome::Success,
        DeployOutcome::Failure,
        DeployOutcome::Skipped,
        DeployOutcome::Canceled,
        DeployOutcome::AwaitingApproval,
        DeployOutcome::Interrupted,
        DeployOutcome::Retired,
    ];

    /// Returns true if the commit is deployed.
    pub fn passed(self) -> bool {
        self == DeployOutcome::Success
    }

    /// Returns the process exit code for this outcome: 0 for success and for a retired environment,
    /// 1 if nothing was deployed. 4 means that the result is not known, 5 that it awaits approval,
    /// and 130 that it was canceled.
    pub fn exit_code(self) -> i32 {
        match self {
            DeployOutcome::Success | DeployOutcome::Retired => 0,
            DeployOutcome::Failure | DeployOutcome::Skipped => 1,
            DeployOutcome::Running | DeployOutcome::Interrupted => 4,
            DeployOutcome::AwaitingApproval => 5,
            DeployOutcome::Canceled => 130,
        }
    }

    /// Returns the name used in JSON and in tables.
    pub fn name(self) -> &'static str {
        match self {
            DeployOutcome::Running => "running",
            DeployOutcome::Success => "success",
            DeployOutcome::Failure => "failure",
            DeployOutcome::Skipped => "skipped",
            DeployOutcome::Canceled => "canceled",
            DeployOutcome::AwaitingApproval => "awaiting_approval",
            DeployOutcome::Interrupted => "interrupted",
            DeployOutcome::Retired => "retired",
        }
    }

    /// Converts to an [`Outcome`] for uses such as
    /// [`EventKind::Finished`](crate::EventKind::Finished).
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            DeployOutcome::Success => Outcome::Success,
            DeployOutcome::Failure => Outcome::Failure,
            DeployOutcome::Skipped => Outcome::Skipped,
            DeployOutcome::Canceled => Outcome::Canceled,
            DeployOutcome::Running
            | DeployOutcome::AwaitingApproval
            | DeployOutcome::Interrupted
            | DeployOutcome::Retired => Outcome::Error,
        }
    }
}

impl fmt::Display for DeployOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DeployOutcome {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = DeployOutcome::ALL.into_iter().find(|outcome| outcome.name() == text);
        known.ok_or_else(|| {
            let message = format!("unknown deployment outcome `{text}`");
            Error::new(ErrorKind::InvalidArg, message)
        })
    }
}

/// One deployment, as recorded on `refs/tinyci/deployments/<environment>`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deployment {
    /// The unique id of this deployment.
    pub id: String,
    /// The target environment.
    pub environment: String,
    /// The deployed commit. For a retired environment, the last deployed commit.
    pub commit: CommitId,
    /// The commit that was deployed before.
    pub previous: Option<CommitId>,
    /// The outcome.
    pub outcome: DeployOutcome,
    /// The reason, if it did not succeed. If it awaits approval, the question to the approver.
    pub reason: Option<String>,
    /// All failures in it, the most severe first.
    pub failures: Vec<StepFailure>,
    /// True if a check refused and the deployment was forced. Either the commit was not green, or a
    /// rollback led to a commit on no branch that deploys.
    pub forced: bool,
    /// True if it went back to an earlier deployment.
    pub rollback: bool,
    /// True if it deployed the commit's files without a build, because the request said so.
    pub bare: bool,
    /// The name of the deployed export, in the commit's build directory.
    pub export: String,
    /// The approver, if an approval was needed. If a signature proves another person than the
    /// stated one, it is the proven one.
    pub approved_by: Option<String>,
    /// The proof of who approved.
    pub approval_proof: Option<ApprovalProof>,
    /// The signer of the commit, with the key, if the server required a signature
    /// (`tinyci.requireSigned`).
    pub signed_by: Option<String>,
    /// The blob id of the config used, as hexadecimal digits.
    pub config_blob: String,
    /// The start time.
    pub started: SystemTime,
    /// The end time. `None` while it runs, and if its end is not known.
    pub finished: Option<SystemTime>,
    /// The person who deployed, as they stated: `Name <address>`.
    pub deployed_by: String,
    /// The account on the machine that deployed. `None` if its user id has no name.
    pub account: Option<String>,
    /// The remote that the deployment belongs to, as of the last fetch. `None` for this repository.
    /// A remote deployment without an end counts as running, because this repository cannot see its
    /// process.
    pub remote: Option<String>,
    /// Fields that a newer version of tinyci wrote.
    pub(crate) unknown_fields: UnknownFields,
}

impl Deployment {
    /// Returns true if this commit is deployed.
    pub fn passed(&self) -> bool {
        self.outcome.passed()
    }

    /// Returns the outcome as one line for people.
    pub fn sentence(&self) -> String {
        let (short, environment) = (self.commit.short(), &self.environment);
        match self.outcome {
            DeployOutcome::Running => format!("Deploying {short} to {environment}"),
            DeployOutcome::Success if self.bare => {
                format!("Deployed the files of {short} to {environment}, without a build")
            }
            DeployOutcome::Success if self.rollback => {
                format!("Rolled {environment} back to {short}")
            }
            DeployOutcome::Success => format!("Deployed {short} to {environment}"),
            DeployOutcome::Failure => format!("Failed to deploy {short} to {environment}"),
            DeployOutcome::Skipped => format!("Did not deploy {short} to {environment}"),
            DeployOutcome::Canceled => {
                format!("Canceled the deployment of {short} to {environment}")
            }
            DeployOutcome::AwaitingApproval => {
                format!("Awaiting approval to deploy {short} to {environment}")
            }
            DeployOutcome::Interrupted => {
                format!("Interrupted the deployment of {short} to {environment}")
            }
            DeployOutcome::Retired => format!("Retired {environment}"),
        }
    }
}

/// Deployments of all environments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeploymentList {
    /// The deployments, the newest first, including those last fetched from remotes.
    pub deployments: Vec<Deployment>,
    /// Warnings about entries that tinyci did not write. A line `hint: …` belongs to the line above
    /// it.
    pub warnings: Vec<String>,
}

/// The options of [`Engine::deploy`](crate::Engine::deploy). A revision converts to a request.
///
/// ```
/// use tinyci::deploy::DeployRequest;
/// let newest_green = DeployRequest::newest();
/// let forced = DeployRequest::revision("hotfix").force(true).by("Ada", "ada@example.org");
/// let back = DeployRequest::rollback();
/// # let _ = (newest_green, forced, back);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DeployRequest {
    /// The commit to deploy. The default is the newest commit that can be deployed.
    pub revision: Option<String>,
    /// True to deploy the commit that was deployed before the current one.
    pub rollback: bool,
    /// True to deploy even if the commit is not green, or a rollback leads to a commit on no branch
    /// that deploys. The record keeps this.
    pub force: bool,
    /// True to deploy the commit's files at once, without a build. Meant for emergencies. The
    /// record keeps this.
    pub bare: bool,
    /// Name and address of the person who deploys. The default is the identity in git's
    /// configuration.
    pub by: Option<(String, String)>,
    /// Output that a plan assumes for commands that the script reads: pairs of a command glob and
    /// the text.
    pub assume: Vec<(String, String)>,
    /// The commit that must still be deployed, because the decision was based on it. Otherwise the
    /// request is refused.
    pub(crate) expected: Option<Option<CommitId>>,
}

impl DeployRequest {
    /// Deploys the newest green commit of the environment's branch that contains the deployed
    /// commit.
    pub fn newest() -> Self {
        Self::default()
    }

    /// Deploys this commit.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self { revision: Some(revision.into()), ..Self::default() }
    }

    /// Deploys the commit that was deployed before the current one.
    pub fn rollback() -> Self {
        Self { rollback: true, ..Self::default() }
    }

    /// Deploys even if the commit is not green, or a rollback leads to a commit on no branch that
    /// deploys.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Deploys the commit's files at once, without a build, even if its build was removed.
    #[must_use]
    pub fn bare(mut self, bare: bool) -> Self {
        self.bare = bare;
        self
    }

    /// Makes a plan use `text` as the output of commands that match `glob`, if the script reads it.
    /// The first matching glob applies. The deployment itself runs the commands.
    #[must_use]
    pub fn assume(mut self, glob: impl Into<String>, text: impl Into<String>) -> Self {
        self.assume.push((glob.into(), text.into()));
        self
    }

    /// Sets the person who deploys.
    #[must_use]
    pub fn by(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.by = Some((name.into(), address.into()));
        self
    }
}

impl From<&str> for DeployRequest {
    fn from(revision: &str) -> Self {
        Self::revision(revision)
    }
}

impl From<CommitId> for DeployRequest {
    fn from(commit: CommitId) -> Self {
        Self::revision(commit.to_string())
    }
}

impl From<&DeployPlan> for DeployRequest {
    /// Requests exactly the planned deployment. It is refused if another commit is deployed in the
    /// meantime.
    fn from(plan: &DeployPlan) -> Self {
        Self {
            revision: Some(plan.commit.id.to_string()),
            rollback: plan.rollback,
            force: plan.forced,
            bare: plan.build == BuildState::Bare,
            by: None,
            assume: Vec::new(),
            expected: Some(plan.deployed.as_ref().map(|running| running.commit)),
        }
    }
}

/// The state of a commit's build before it is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildState {
    /// The build exists, unpacked or packed.
    Present,
    /// The build was removed, or its phases were left out because nothing had changed. tinyci
    /// builds and tests the commit again before it deploys.
    Missing {
        /// The duration of its last job, if known.
        took: Option<Duration>,
    },
    /// The script depends on the branch or tags, and the commit was not tested for the deployed
    /// branch. tinyci builds and tests it for that branch before it deploys.
    OtherBranch {
        /// The duration of its last job.
        took: Option<Duration>,
    },
    /// The config has no build: tinyci deploys the commit's files.
    None,
    /// The script removed the export: tinyci deploys the commit's files.
    Discarded,
    /// The request says to deploy the commit's files without a build.
    Bare,
}

impl BuildState {
    /// Returns true if tinyci builds and tests the commit again before it deploys.
    pub fn must_be_made(self) -> bool {
        matches!(self, BuildState::Missing { .. } | BuildState::OtherBranch { .. })
    }

    /// Returns the name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            BuildState::Present => "present",
            BuildState::Missing { .. } => "missing",
            BuildState::OtherBranch { .. } => "other_branch",
            BuildState::None => "none",
            BuildState::Discarded => "discarded",
            BuildState::Bare => "bare",
        }
    }
}

/// A deployment that would be made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeployPlan {
    /// The target environment.
    pub environment: String,
    /// The commit to deploy.
    pub commit: Commit,
    /// The outcome of the commit's tests. `None` if it has no verdict.
    pub verdict: Option<Outcome>,
    /// The current deployment.
    pub deployed: Option<Deployment>,
    /// The commits that it adds: not deployed now, the newest first. Empty if nothing is deployed
    /// yet, since it would be the whole history.
    pub added: Vec<Commit>,
    /// The commits that it removes: deployed now but not contained in the new one, the newest
    /// first.
    pub removed: Vec<Commit>,
    /// True if the request did not name the commit and it does not contain the deployed one. A
    /// person must then name it. A request made from this plan does so.
    pub must_be_named: bool,
    /// The state of its build.
    pub build: BuildState,
    /// The signer of the commit, with the key, if the server requires a signature
    /// (`tinyci.requireSigned`).
    pub signed_by: Option<String>,
    /// Newer commits that cannot be deployed, the newest first, each with the reason.
    pub ineligible: Vec<(CommitId, String)>,
    /// The state of the approval.
    pub approval: ApprovalState,
    /// Approvals that do not count, the oldest first, each with its [`problem`](Approval::problem).
    pub uncounted: Vec<Approval>,
    /// The reason why the settings let no approval count.
    pub approval_fault: Option<String>,
    /// The reason why HEAD of this bare repository names no branch, with a fix. The plan may have
    /// ignored a branch because of it.
    pub head_fault: Option<String>,
    /// The steps that the deployment would take if every command passed, in order.
    pub steps: Vec<StepDryRun>,
    /// A deployment that started and has no end. tinyci deploys nothing more until a person has
    /// checked the environment.
    pub interrupted: Option<Deployment>,
    /// True if a check would refuse and the deployment is forced. Either the commit is not green,
    /// or a rollback leads to a commit on no branch that deploys.
    pub forced: bool,
    /// True if it goes back to an earlier deployment.
    pub rollback: bool,
}

/// The state of the approval of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApprovalState {
    /// The config needs no approval. A script may still ask for one while it deploys.
    NotNeeded,
    /// A person has approved.
    Given(Box<Approval>),
    /// No person has approved yet.
    Awaiting,
    /// No person has approved, and the plan ends before it is known whether the script asks for an
    /// approval.
    Unknown,
}

/// A person's approval of one commit, in one environment, with one config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Approval {
    /// The ref of the approval. Push it from a clone to approve.
    pub reference: String,
    /// The target environment.
    pub environment: String,
    /// The approved commit.
    pub commit: CommitId,
    /// The blob id of its config, as hexadecimal digits.
    pub config_blob: String,
    /// The person who approved, as they stated: `Name <address>`. Empty if not stated.
    pub approved_by: String,
    /// The time of the approval.
    pub time: SystemTime,
    /// True if it is signed with an ssh key. `proof` says whether the signature counts.
    pub signed: bool,
    /// The proof of who approved, if the approval counts.
    pub proof: Option<ApprovalProof>,
    /// The reason why it does not count in this repository.
    pub problem: Option<String>,
}

impl Approval {
    /// Returns the approver: the stated person, unless a signature proves another one.
    pub fn approver(&self) -> &str {
        match &self.proof {
            Some(ApprovalProof::Signature { principal, .. })
                if !address_of(&self.approved_by).eq_ignore_ascii_case(principal) =>
            {
                principal
            }
            _ => &self.approved_by,
        }
    }
}

/// Returns the address in `Name <address>`, or the whole string if there is none.
pub(crate) fn address_of(by: &str) -> &str {
    let inner = by.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(by, |(address, _)| address).trim()
}

/// The proof of who gave an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApprovalProof {
    /// No proof. This counts if `tinyci.approvers` is not set.
    Unproven,
    /// A signature.
    Signature {
        /// The owner of the key, by the allowed signers file.
        principal: String,
        /// The fingerprint of the key: `SHA256:…`.
        key: String,
    },
    /// The account on this machine that gave it.
    Account(String),
    /// The statement of an embedding program, which runs as this account.
    Program(String),
}

impl fmt::Display for ApprovalProof {
    /// Writes the proof in a few words, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApprovalProof::Unproven => f.write_str("unproven"),
            ApprovalProof::Signature { principal, key } => {
                write!(f, "signed as {principal} with {key}")
            }
            ApprovalProof::Account(account) => write!(f, "given here by the account {account}"),
            ApprovalProof::Program(account) => {
                write!(f, "reported by a program of the account {account}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_between_the_brackets() {
        for (by, address) in [
            ("Grace <grace@example.org>", "grace@example.org"),
            ("grace@example.org", "grace@example.org"),
            ("A <b> <c@d>", "c@d"),
            ("the host", "the host"),
        ] {
            assert_eq!(address_of(by), address);
        }
    }
}
