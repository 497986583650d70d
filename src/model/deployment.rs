//! Deployments as data: what was promoted to where, by whom, and what came of it.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use super::{
    commit::{Commit, CommitId},
    error::{Error, ErrorKind},
    failure::StepFailure,
    outcome::Outcome,
    unknown_fields::UnknownFields,
};

/// What became of a deployment.
///
/// [`DeployOutcome::passed`] is the one test for "this runs there now".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeployOutcome {
    /// It is under way, in the process that holds the environment.
    Running,
    /// The commit is deployed.
    Success,
    /// A command failed, its time ran out, or it was skipped only after it had acted. What was
    /// deployed before counts as deployed.
    Failure,
    /// The config said that there is nothing to deploy, and nothing was done.
    Skipped,
    /// Somebody canceled it.
    Canceled,
    /// It did nothing: a person has to approve first.
    AwaitingApproval,
    /// It began, and nobody saw it end. What runs there has to be looked at.
    Interrupted,
    /// No deployment, but the end of them: nothing runs there any more.
    Retired,
}

impl DeployOutcome {
    /// Every outcome there is.
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

    /// Whether the commit is deployed.
    pub fn passed(self) -> bool {
        self == DeployOutcome::Success
    }

    /// The process exit code that stands for this outcome: 0 for a success, and for an environment
    /// that was retired as it was asked for; 1 where nothing
    /// was deployed, 5 for one that waits, 4 where it is not known, 130 for a canceled one.
    pub fn exit_code(self) -> i32 {
        match self {
            DeployOutcome::Success | DeployOutcome::Retired => 0,
            DeployOutcome::Failure | DeployOutcome::Skipped => 1,
            DeployOutcome::Running | DeployOutcome::Interrupted => 4,
            DeployOutcome::AwaitingApproval => 5,
            DeployOutcome::Canceled => 130,
        }
    }

    /// The name used in JSON and in tables.
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

    /// The same for what knows only outcomes of commits, such as
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

/// One deployment, as it is kept on `refs/tinyci/deployments/<environment>`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deployment {
    /// The name of this attempt, which no other has.
    pub id: String,
    /// Where to.
    pub environment: String,
    /// What. Where the environment was retired, what was there last.
    pub commit: CommitId,
    /// What was deployed there before it.
    pub previous: Option<CommitId>,
    /// What became of it.
    pub outcome: DeployOutcome,
    /// Why, where it did not succeed; of one that waits, the question.
    pub reason: Option<String>,
    /// All that failed in it, the gravest first.
    pub failures: Vec<StepFailure>,
    /// True if a check said no and somebody insisted: the commit was not green, or a rollback led
    /// to one that is on no branch that deploys.
    pub forced: bool,
    /// Whether it went back to an earlier deployment.
    pub rollback: bool,
    /// True if it deployed the commit's files without what a build adds, as somebody wanted.
    pub bare: bool,
    /// What the export is called that it deployed, in the commit's build directory.
    pub export: String,
    /// Who approved, if somebody had to. Where a signature proves somebody else than who they say
    /// they are, it is whom it proves.
    pub approved_by: Option<String>,
    /// How it is known who approved.
    pub approval_proof: Option<ApprovalProof>,
    /// The blob of the config that said how, as hexadecimal digits.
    pub config_blob: String,
    /// When it began.
    pub started: SystemTime,
    /// When it ended; none while it runs, and where nobody saw it end.
    pub finished: Option<SystemTime>,
    /// Who deployed, by their own word: `Name <address>`.
    pub deployed_by: String,
    /// The account of the machine that did it, by its number there; none where it has no name.
    pub account: Option<String>,
    /// The remote whose deployment it is, as it was last fetched; none of one's own. Whether one
    /// without an end still runs is not seen from here: it counts as running.
    pub remote: Option<String>,
    /// What a newer version wrote beside this.
    pub(crate) unknown_fields: UnknownFields,
}

impl Deployment {
    /// Whether this commit is deployed.
    pub fn passed(&self) -> bool {
        self.outcome.passed()
    }

    /// One line that says what became of it, for people.
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

/// What is deployed where, and everything that led there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeploymentList {
    /// The newest first, also those that were last fetched of remotes.
    pub deployments: Vec<Deployment>,
    /// Warnings, such as entries that tinyci did not write. A line `hint: …` belongs to the line
    /// above it.
    pub warnings: Vec<String>,
}

/// What [`Engine::deploy`](crate::Engine::deploy) is to do. A revision is one too.
///
/// ```
/// use tinyci::deploy::DeployRequest;
/// let newest_green = DeployRequest::newest();
/// let at_any_price = DeployRequest::revision("hotfix").force(true).by("Ada", "ada@example.org");
/// let back = DeployRequest::rollback();
/// # let _ = (newest_green, at_any_price, back);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DeployRequest {
    /// Which commit; the newest that can be deployed without one.
    pub revision: Option<String>,
    /// The deployment before the one that is there now.
    pub rollback: bool,
    /// Also if the commit is not green, or if a rollback leads to one that is no longer on a
    /// branch that deploys. That is kept in the record.
    pub force: bool,
    /// The commit's files at once, without what a build adds: for emergencies. That is kept in the
    /// record.
    pub bare: bool,
    /// Who deploys, by name and address; whom git's configuration names without it.
    pub by: Option<(String, String)>,
    /// What a plan takes for the output of commands that the script asks for: globs over commands,
    /// and texts.
    pub assume: Vec<(String, String)>,
    /// What must be deployed for this to go on, because somebody decided by it.
    pub(crate) expected: Option<Option<CommitId>>,
}

impl DeployRequest {
    /// The newest green commit of the environment's branch that contains what is deployed.
    pub fn newest() -> Self {
        Self::default()
    }

    /// This commit.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self { revision: Some(revision.into()), ..Self::default() }
    }

    /// The commit that was deployed before the one that is there now.
    pub fn rollback() -> Self {
        Self { rollback: true, ..Self::default() }
    }

    /// Deploys also what is not green; goes back also to what is no longer on a branch that
    /// deploys.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Deploys the commit's files at once, without what a build adds, also if its build is gone.
    #[must_use]
    pub fn bare(mut self, bare: bool) -> Self {
        self.bare = bare;
        self
    }

    /// Has a plan take `text` for the output of commands that match `glob` and that the script asks
    /// for; the first that matches holds. The deployment itself asks the commands.
    #[must_use]
    pub fn assume(mut self, glob: impl Into<String>, text: impl Into<String>) -> Self {
        self.assume.push((glob.into(), text.into()));
        self
    }

    /// Who deploys.
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
    /// Exactly what was planned: the deployment is refused if something else is deployed by then.
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

/// What there is of the build of a commit that is to be deployed: what its job built and tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildState {
    /// It is there, as its job left it or packed.
    Present,
    /// It is gone, or was left out because nothing had changed: the commit is built and tested again
    /// before anything is deployed.
    Missing {
        /// How long its job took the last time, if that is known.
        took: Option<Duration>,
    },
    /// Its script asked which branch or tags it is for, and was never tested for the branch that is
    /// deployed: the commit is built and tested for that one before anything is deployed.
    OtherBranch {
        /// How long its job took the last time.
        took: Option<Duration>,
    },
    /// The config builds nothing: the commit's files are deployed.
    None,
    /// The script had the export removed: the commit's files are deployed.
    Discarded,
    /// Somebody wants the commit's files at once, whatever a build would add.
    Bare,
}

impl BuildState {
    /// Whether the commit is built and tested again before it is deployed.
    pub fn must_be_made(self) -> bool {
        matches!(self, BuildState::Missing { .. } | BuildState::OtherBranch { .. })
    }

    /// The name used in JSON.
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

/// What a deployment would do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeployPlan {
    /// Where to.
    pub environment: String,
    /// What.
    pub commit: Commit,
    /// What became of that commit; none where it has no verdict.
    pub verdict: Option<Outcome>,
    /// The deployment that is there now.
    pub deployed: Option<Deployment>,
    /// What it brings: commits that are not deployed now, the newest first. Empty where nothing is
    /// deployed: then it is all there is.
    pub added: Vec<Commit>,
    /// What it takes away: commits that are deployed now and not part of it, the newest first.
    pub removed: Vec<Commit>,
    /// True if nobody named the commit and it does not contain what is deployed, which would be
    /// lost: a person has to say so. This plan as a request names it.
    pub must_be_named: bool,
    /// What there is of its build.
    pub build: BuildState,
    /// Newer commits that were passed over, the newest first, and why.
    pub ineligible: Vec<(CommitId, String)>,
    /// Whether a person has to approve, and has.
    pub approval: ApprovalState,
    /// Approvals that do not count, the oldest first, each with its [`problem`](Approval::problem).
    pub uncounted: Vec<Approval>,
    /// Why no approval at all can count here, by the settings.
    pub approval_fault: Option<String>,
    /// Why HEAD of this bare repository names no branch, and the remedy: a branch may be left out of
    /// the choice for it.
    pub head_fault: Option<String>,
    /// What it would do, one after the other, if every command passed: commands as `$ command`, of
    /// several lines where the config has them so, and what else a script would bring about.
    pub actions: Vec<String>,
    /// A deployment that began and has no end: nothing is deployed before somebody has looked.
    pub interrupted: Option<Deployment>,
    /// True if it goes on although the commit is not green, or, going back, on no branch that
    /// deploys.
    pub forced: bool,
    /// Whether it goes back to an earlier deployment.
    pub rollback: bool,
}

/// Whether a person has to approve of a deployment, and has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApprovalState {
    /// The config does not ask for one. A script may still do so while it deploys.
    NotNeeded,
    /// Somebody has approved.
    Given(Box<Approval>),
    /// Nobody has yet.
    Awaiting,
    /// Nobody has, and whether its script asks for one is not known: the plan ends before that.
    Unknown,
}

/// That a person approved of one commit, in one environment, with one config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Approval {
    /// The ref that holds it: what to push from a clone.
    pub reference: String,
    /// Where to.
    pub environment: String,
    /// What.
    pub commit: CommitId,
    /// The blob of its config, as hexadecimal digits.
    pub config_blob: String,
    /// Who, by their own word: `Name <address>`. Empty where nobody is named.
    pub approved_by: String,
    /// When.
    pub time: SystemTime,
    /// Whether it is signed with an ssh key. What that is worth, the proof tells.
    pub signed: bool,
    /// How it is known who gave it, where it counts.
    pub proof: Option<ApprovalProof>,
    /// Why it does not count in this repository, by its settings.
    pub problem: Option<String>,
}

impl Approval {
    /// Who gave it: by their own word, unless a signature proves it to be somebody else.
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

/// The address in `Name <address>`; all of it where there is none.
pub(crate) fn address_of(by: &str) -> &str {
    let inner = by.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(by, |(address, _)| address).trim()
}

/// How it is known who gave an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApprovalProof {
    /// By their own word, which is enough where `tinyci.approvers` lists nobody.
    Unproven,
    /// By a signature.
    Signature {
        /// Whom the allowed signers file gives the key to.
        principal: String,
        /// The key's fingerprint: `SHA256:…`.
        key: String,
    },
    /// It was given on this machine, by this account.
    Account(String),
    /// The embedding program says so, which runs as this account.
    Program(String),
}

impl fmt::Display for ApprovalProof {
    /// In a few words, for people.
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
    fn an_address_is_what_stands_in_brackets() {
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
