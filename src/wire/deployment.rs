//! Deployments, their plans and approvals as JSON: in commit messages of their refs, and for
//! `--json`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    dry_run::StepJson,
    record::{
        CommitJson, FailureJson, Time, failures_json, json, lenient, lenient_list, short, whole_ms,
    },
    unknown,
    version::VERSION,
};
#[cfg(feature = "capi")]
use crate::model::deployment::DeployRequest;
use crate::model::{
    commit::CommitId,
    deployment::{
        Approval, ApprovalProof, ApprovalState, BuildState, DeployOutcome, DeployPlan, Deployment,
    },
    error::{Error, ErrorKind},
    outcome::Outcome,
};

/// The default name of an export.
const DEFAULT_EXPORT: &str = "export";

impl Deployment {
    /// Returns one line of JSON, as `refs/tinyci/deployments/<environment>` stores it.
    ///
    /// `previous` and `approved_by` may be null. `finished` is null if the deployment has not
    /// ended. The `kind` of `approval_proof` is `signature` (with `principal` and `key`), `account`
    /// or `program` (with `account`), or `unproven`. `bare` is only present if true, `export` only
    /// if the export does not have the default name, `signed_by` only if the server required a
    /// signature.
    ///
    /// ```
    /// let line = concat!(
    ///     r#"{"commit":"f40785cbc4422f39c36118fbae071932774cb5b6","previous":null,"#,
    ///     r#""environment":"production","outcome":"success","forced":false,"approved_by":null,"#,
    ///     r#""started":"2026-11-24T19:49:58.000Z","finished":"2026-11-24T19:50:00.123Z","#,
    ///     r#""deployed_by":"Ada <ada@example.org>","v":1,"id":"d1","rollback":false,"config_blob":"02ab"}"#,
    /// );
    /// let deployment = tinyci::deploy::Deployment::from_json(line)?;
    /// assert!(deployment.passed());
    /// assert_eq!(deployment.to_json(), line);
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        json(&DeploymentJson::of(self))
    }

    /// Parses a deployment, even if a newer tinyci wrote it. Keeps unknown fields; an unknown
    /// outcome becomes a failure.
    ///
    /// # Errors
    ///
    /// Returns [`NewerFormat`](ErrorKind::NewerFormat) if its version (`v`) is newer. Returns
    /// [`InvalidArg`](ErrorKind::InvalidArg) if the text is not a JSON object with the required
    /// fields: commit, environment, outcome, `started` and `id`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let read = serde_json::from_str(text).map_err(|source| not_a("deployment", source));
        let parsed: DeploymentJson<'_> = read?;
        unknown::check_version("deployment", parsed.v)?;
        let id = |text: &str| text.parse::<CommitId>();
        let outcome = parsed.outcome.parse::<DeployOutcome>();
        let unknown = || format!("unknown outcome `{}` of a newer tinyci", parsed.outcome);
        let unknown = outcome.is_err().then(unknown);
        Ok(Self {
            commit: id(&parsed.commit)?,
            previous: parsed.previous.as_deref().map(id).transpose()?,
            outcome: outcome.unwrap_or(DeployOutcome::Failure),
            reason: parsed.reason.map(Cow::into_owned).or(unknown),
            failures: parsed.failures.into_iter().map(FailureJson::into_failure).collect(),
            environment: parsed.environment.into_owned(),
            forced: parsed.forced,
            rollback: parsed.rollback,
            bare: parsed.bare,
            export: parsed.export.map_or_else(|| DEFAULT_EXPORT.to_owned(), Cow::into_owned),
            approved_by: parsed.approved_by.map(Cow::into_owned),
            approval_proof: parsed.approval_proof.and_then(ProofJson::proof),
            signed_by: parsed.signed_by.map(Cow::into_owned),
            config_blob: parsed.config_blob.into_owned(),
            started: parsed.started.0,
            finished: parsed.finished.map(|time| time.0),
            deployed_by: parsed.deployed_by.into_owned(),
            account: parsed.account.map(Cow::into_owned),
            id: parsed.id.into_owned(),
            remote: parsed.remote.map(Cow::into_owned),
            unknown_fields: unknown::fields_from_json(parsed.unknown),
        })
    }
}

impl DeployPlan {
    /// Returns one line of JSON.
    ///
    /// `approval` is `not_needed`, `given`, `awaiting_approval` or `unknown`. `uncounted` lists
    /// approvals, each with its `problem`. `build` is `present`, `missing`, `other_branch`, `none`,
    /// `discarded` or `bare`. If tinyci must build the commit, `build_took_ms` is the duration of
    /// its last job. `signed_by` is only present if the server requires a signature. `steps` are as in [`DryRun::to_json`](crate::plan::DryRun::to_json).
    pub fn to_json(&self) -> String {
        let (approval, given) = match &self.approval {
            ApprovalState::NotNeeded => ("not_needed", None),
            ApprovalState::Given(approval) => ("given", Some(&**approval)),
            ApprovalState::Awaiting => ("awaiting_approval", None),
            ApprovalState::Unknown => ("unknown", None),
        };
        json(&PlanJson {
            v: VERSION,
            environment: &self.environment,
            commit: CommitJson::of(&self.commit),
            verdict: self.verdict.map(Outcome::name),
            deployed: self.deployed.as_ref().map(DeploymentJson::of),
            added: self.added.iter().map(CommitJson::of).collect(),
            removed: self.removed.iter().map(CommitJson::of).collect(),
            must_be_named: self.must_be_named,
            build: self.build.name(),
            build_took_ms: match self.build {
                BuildState::Missing { took } | BuildState::OtherBranch { took } => {
                    took.map(whole_ms)
                }
                _ => None,
            },
            signed_by: self.signed_by.as_deref(),
            ineligible: self.ineligible.iter().map(IneligibleJson::of).collect(),
            approval,
            approved_by: given.map(Approval::approver),
            approval_proof: given.and_then(|it| it.proof.as_ref()).map(ProofJson::of),
            uncounted: self.uncounted.iter().map(ApprovalJson::of).collect(),
            approval_fault: self.approval_fault.as_deref(),
            head_fault: self.head_fault.as_deref(),
            steps: self.steps.iter().map(StepJson::of).collect(),
            interrupted: self.interrupted.as_ref().map(DeploymentJson::of),
            forced: self.forced,
            rollback: self.rollback,
        })
    }
}

#[cfg(feature = "capi")]
impl DeployPlan {
    /// Returns the environment of a plan in JSON, and the request that carries it out.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidArg`](ErrorKind::InvalidArg) if the text is not a plan.
    pub(crate) fn request_from_json(text: &str) -> Result<(String, DeployRequest), Error> {
        let read = serde_json::from_str(text).map_err(|source| not_a("plan", source));
        let parsed: PlannedJson = read?;
        unknown::check_version("plan", parsed.v)?;
        let id = |commit: &PlannedCommit| commit.id.parse::<CommitId>();
        let deployed = parsed.deployed.as_ref().map(|it| it.commit.parse::<CommitId>());
        let request = DeployRequest {
            revision: Some(id(&parsed.commit)?.to_string()),
            rollback: parsed.rollback,
            force: parsed.forced,
            bare: parsed.build == BuildState::Bare.name(),
            by: None,
            assume: Vec::new(),
            expected: Some(deployed.transpose()?),
        };
        Ok((parsed.environment, request))
    }
}

/// The fields of a plan that its deployment needs. All are required: a plan without `deployed` must
/// not look like one for an empty environment.
#[cfg(feature = "capi")]
#[derive(Deserialize)]
struct PlannedJson {
    #[serde(default)]
    v: u32,
    environment: String,
    commit: PlannedCommit,
    #[serde(deserialize_with = "Option::deserialize")]
    deployed: Option<PlannedDeployed>,
    forced: bool,
    rollback: bool,
    build: String,
}

#[cfg(feature = "capi")]
#[derive(Deserialize)]
struct PlannedCommit {
    id: String,
}

#[cfg(feature = "capi")]
#[derive(Deserialize)]
struct PlannedDeployed {
    commit: String,
}

impl Approval {
    /// Returns one line of JSON: the stored fields, `signed`, and `proof` or, if the approval does
    /// not count, `problem`.
    pub fn to_json(&self) -> String {
        json(&ApprovalJson::of(self))
    }

    /// Returns the JSON that is stored in the commit of its ref. It has no proof, because every
    /// reader verifies the approval again.
    pub(crate) fn to_stored_json(&self) -> String {
        json(&StoredApprovalJson::of(self))
    }

    /// Parses the message of the commit of an approval's ref.
    pub(crate) fn from_json(text: &str, reference: &str) -> Result<Self, Error> {
        let read = serde_json::from_str(text).map_err(|source| not_a("approval", source));
        let parsed: StoredApprovalJson<'_> = read?;
        Ok(Self {
            reference: reference.to_owned(),
            environment: parsed.environment.into_owned(),
            commit: parsed.commit.parse()?,
            config_blob: parsed.config_blob.into_owned(),
            approved_by: parsed.approved_by.into_owned(),
            time: parsed.time.0,
            signed: false,
            proof: None,
            problem: None,
        })
    }
}

fn not_a(what: &str, source: serde_json::Error) -> Error {
    let message = format!("not a tinyci {what}");
    Error::new(ErrorKind::InvalidArg, message).with_source(source)
}

#[derive(Serialize, Deserialize)]
pub(super) struct DeploymentJson<'a> {
    commit: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient")]
    previous: Option<Cow<'a, str>>,
    environment: Cow<'a, str>,
    outcome: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient")]
    forced: bool,
    #[serde(default, deserialize_with = "lenient")]
    approved_by: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    approval_proof: Option<ProofJson<'a>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    signed_by: Option<Cow<'a, str>>,
    started: Time,
    #[serde(default, deserialize_with = "lenient")]
    finished: Option<Time>,
    #[serde(default, deserialize_with = "lenient")]
    deployed_by: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    account: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient")]
    v: u32,
    id: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient")]
    rollback: bool,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    bare: bool,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    export: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    failures: Vec<FailureJson<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    config_blob: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    remote: Option<Cow<'a, str>>,
    /// Fields that a newer version of tinyci wrote.
    #[serde(flatten)]
    unknown: serde_json::Map<String, serde_json::Value>,
}

impl<'a> DeploymentJson<'a> {
    pub(super) fn of(deployment: &'a Deployment) -> Self {
        Self {
            commit: deployment.commit.to_string().into(),
            previous: deployment.previous.map(|id| id.to_string().into()),
            environment: deployment.environment.as_str().into(),
            outcome: deployment.outcome.name().into(),
            forced: deployment.forced,
            approved_by: deployment.approved_by.as_deref().map(Cow::from),
            approval_proof: deployment.approval_proof.as_ref().map(ProofJson::of),
            signed_by: deployment.signed_by.as_deref().map(Cow::from),
            started: Time(deployment.started),
            finished: deployment.finished.map(Time),
            deployed_by: deployment.deployed_by.as_str().into(),
            account: deployment.account.as_deref().map(Cow::from),
            v: VERSION,
            id: deployment.id.as_str().into(),
            rollback: deployment.rollback,
            bare: deployment.bare,
            export: Some(deployment.export.as_str())
                .filter(|export| *export != DEFAULT_EXPORT)
                .map(Cow::from),
            reason: deployment.reason.as_deref().map(short),
            failures: failures_json(&deployment.failures),
            config_blob: deployment.config_blob.as_str().into(),
            remote: deployment.remote.as_deref().map(Cow::from),
            unknown: unknown::fields_to_json(&deployment.unknown_fields),
        }
    }
}

#[derive(Serialize)]
struct PlanJson<'a> {
    v: u32,
    environment: &'a str,
    commit: CommitJson<'a>,
    verdict: Option<&'static str>,
    deployed: Option<DeploymentJson<'a>>,
    added: Vec<CommitJson<'a>>,
    removed: Vec<CommitJson<'a>>,
    must_be_named: bool,
    build: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_took_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<&'a str>,
    ineligible: Vec<IneligibleJson<'a>>,
    approval: &'static str,
    approved_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_proof: Option<ProofJson<'a>>,
    uncounted: Vec<ApprovalJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_fault: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_fault: Option<&'a str>,
    steps: Vec<StepJson<'a>>,
    interrupted: Option<DeploymentJson<'a>>,
    forced: bool,
    rollback: bool,
}

#[derive(Serialize)]
struct IneligibleJson<'a> {
    commit: String,
    reason: &'a str,
}

impl<'a> IneligibleJson<'a> {
    fn of((commit, reason): &'a (CommitId, String)) -> Self {
        Self { commit: commit.to_string(), reason }
    }
}

/// The stored fields of an approval. Its author must not decide whether it counts, so nothing else
/// is read from there.
#[derive(Serialize, Deserialize)]
struct StoredApprovalJson<'a> {
    commit: Cow<'a, str>,
    environment: Cow<'a, str>,
    config_blob: Cow<'a, str>,
    approved_by: Cow<'a, str>,
    time: Time,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    reference: Option<Cow<'a, str>>,
}

impl<'a> StoredApprovalJson<'a> {
    fn of(approval: &'a Approval) -> Self {
        Self {
            commit: approval.commit.to_string().into(),
            environment: approval.environment.as_str().into(),
            config_blob: approval.config_blob.as_str().into(),
            approved_by: approval.approved_by.as_str().into(),
            time: Time(approval.time),
            reference: Some(approval.reference.as_str().into()),
        }
    }
}

#[derive(Serialize)]
struct ApprovalJson<'a> {
    #[serde(flatten)]
    stored: StoredApprovalJson<'a>,
    signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl<'a> ApprovalJson<'a> {
    fn of(approval: &'a Approval) -> Self {
        Self {
            stored: StoredApprovalJson::of(approval),
            signed: approval.signed,
            proof: approval.proof.as_ref().map(ProofJson::of),
            problem: approval.problem.as_deref(),
        }
    }
}

/// The proof of who approved.
#[derive(Serialize, Deserialize)]
struct ProofJson<'a> {
    kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<Cow<'a, str>>,
}

impl<'a> ProofJson<'a> {
    fn of(proof: &'a ApprovalProof) -> Self {
        let (mut principal, mut key, mut account) = (None, None, None);
        let kind = match proof {
            ApprovalProof::Unproven => "unproven",
            ApprovalProof::Signature { principal: name, key: fingerprint } => {
                (principal, key) = (Some(name.as_str().into()), Some(fingerprint.as_str().into()));
                "signature"
            }
            ApprovalProof::Account(name) => {
                account = Some(name.as_str().into());
                "account"
            }
            ApprovalProof::Program(name) => {
                account = Some(name.as_str().into());
                "program"
            }
        };
        Self { kind: kind.into(), principal, key, account }
    }

    /// Returns `None` if this version does not know the kind of proof.
    fn proof(self) -> Option<ApprovalProof> {
        let account = self.account.map(Cow::into_owned);
        match &*self.kind {
            "unproven" => Some(ApprovalProof::Unproven),
            "signature" => Some(ApprovalProof::Signature {
                principal: self.principal?.into_owned(),
                key: self.key?.into_owned(),
            }),
            "account" => account.map(ApprovalProof::Account),
            "program" => account.map(ApprovalProof::Program),
            _ => None,
        }
    }
}
