//! Deployments, plans of them and approvals: in the messages of their commits, and for `--json`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    dry_run::StepJson,
    record::{
        CommitJson, FailureJson, Time, failure_mirrors, json, lenient, lenient_list, short,
        whole_ms,
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

/// What an export is called as a rule.
const USUAL_EXPORT: &str = "export";

impl Deployment {
    /// As one line of JSON, the form in which `refs/tinyci/deployments/<environment>` keeps it.
    ///
    /// `from` and `approved_by` are null where there is none, `finished` where it has not ended.
    /// `approval_proof` says how it is known who approved: its `kind` is `signature` (with `principal`
    /// and `key`), `account` or `program` (with `account`), or `word`.
    /// `bare` is there if it is true, `export` if the export has a name of its own.
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

    /// Reads a deployment, also one that a newer tinyci wrote: unknown fields are kept, an unknown
    /// outcome is a failure.
    ///
    /// # Errors
    ///
    /// [`NewerFormat`](ErrorKind::NewerFormat) for a deployment of a later version (`v`);
    /// [`InvalidArg`](ErrorKind::InvalidArg) if the text is not a JSON object that says what was
    /// deployed to where, when it began, and what came of it.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let read = serde_json::from_str(text).map_err(|source| foreign("deployment", source));
        let mirror: DeploymentJson<'_> = read?;
        unknown::check_version("deployment", mirror.v)?;
        let id = |text: &str| text.parse::<CommitId>();
        let outcome = mirror.outcome.parse::<DeployOutcome>();
        let unknown = || format!("unknown outcome `{}` of a newer tinyci", mirror.outcome);
        let unknown = outcome.is_err().then(unknown);
        Ok(Self {
            commit: id(&mirror.commit)?,
            previous: mirror.previous.as_deref().map(id).transpose()?,
            outcome: outcome.unwrap_or(DeployOutcome::Failure),
            reason: mirror.reason.map(Cow::into_owned).or(unknown),
            failures: mirror.failures.into_iter().map(FailureJson::into_failure).collect(),
            environment: mirror.environment.into_owned(),
            forced: mirror.forced,
            rollback: mirror.rollback,
            bare: mirror.bare,
            export: mirror.export.map_or_else(|| USUAL_EXPORT.to_owned(), Cow::into_owned),
            approved_by: mirror.approved_by.map(Cow::into_owned),
            approval_proof: mirror.approval_proof.and_then(ProofJson::proof),
            config_blob: mirror.config_blob.into_owned(),
            started: mirror.started.0,
            finished: mirror.finished.map(|time| time.0),
            deployed_by: mirror.deployed_by.into_owned(),
            account: mirror.account.map(Cow::into_owned),
            id: mirror.id.into_owned(),
            remote: mirror.remote.map(Cow::into_owned),
            unknown_fields: unknown::kept(mirror.unknown),
        })
    }
}

impl DeployPlan {
    /// As one line of JSON. `approval` is `not_needed`, `given`, `awaited` or `unknown`; `uncounted`
    /// holds approvals, each with its `problem`. `build` is `present`, `missing`, `other_branch`,
    /// `none`, `discarded` or `bare`. `build_took_ms` is the duration of the last job of a build that
    /// must be made again. `steps` are as in [`DryRun::to_json`](crate::plan::DryRun::to_json).
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
            ineligible: self.ineligible.iter().map(PassedOverJson::of).collect(),
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
    /// Reads from a plan's JSON where it leads to, and the request that carries it out.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) if the text is no plan.
    pub(crate) fn request_from_json(text: &str) -> Result<(String, DeployRequest), Error> {
        let read = serde_json::from_str(text).map_err(|source| foreign("plan", source));
        let mirror: PlannedJson = read?;
        unknown::check_version("plan", mirror.v)?;
        let id = |commit: &PlannedCommit| commit.id.parse::<CommitId>();
        let running = mirror.deployed.as_ref().map(|it| it.commit.parse::<CommitId>());
        let request = DeployRequest {
            revision: Some(id(&mirror.commit)?.to_string()),
            rollback: mirror.rollback,
            force: mirror.forced,
            bare: mirror.build == BuildState::Bare.name(),
            by: None,
            assume: Vec::new(),
            expected: Some(running.transpose()?),
        };
        Ok((mirror.environment, request))
    }
}

/// What a plan says of the deployment that is to follow it. All of it has to be there: a plan
/// without `running` must not be taken for one that found nothing deployed.
#[cfg(feature = "capi")]
#[derive(Deserialize)]
struct PlannedJson {
    #[serde(default)]
    v: u32,
    environment: String,
    commit: PlannedCommit,
    #[serde(deserialize_with = "Option::deserialize")]
    deployed: Option<PlannedRunning>,
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
struct PlannedRunning {
    commit: String,
}

impl Approval {
    /// As one line of JSON: what is kept, and how it is known who gave it (`proof`), or why it does
    /// not count (`problem`).
    pub fn to_json(&self) -> String {
        json(&ApprovalJson::of(self))
    }

    /// As the commit of its ref has it. What it is worth is found out anew wherever it is looked at.
    pub(crate) fn to_stored_json(&self) -> String {
        json(&StoredJson::of(self))
    }

    /// Reads what the commit of an approval's ref says.
    pub(crate) fn from_json(text: &str, reference: &str) -> Result<Self, Error> {
        let read = serde_json::from_str(text).map_err(|source| foreign("approval", source));
        let mirror: StoredJson<'_> = read?;
        Ok(Self {
            reference: reference.to_owned(),
            environment: mirror.environment.into_owned(),
            commit: mirror.commit.parse()?,
            config_blob: mirror.config_blob.into_owned(),
            approved_by: mirror.approved_by.into_owned(),
            time: mirror.time.0,
            signed: false,
            proof: None,
            problem: None,
        })
    }
}

fn foreign(what: &str, source: serde_json::Error) -> Error {
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
    /// What a newer version wrote.
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
            started: Time(deployment.started),
            finished: deployment.finished.map(Time),
            deployed_by: deployment.deployed_by.as_str().into(),
            account: deployment.account.as_deref().map(Cow::from),
            v: VERSION,
            id: deployment.id.as_str().into(),
            rollback: deployment.rollback,
            bare: deployment.bare,
            export: Some(deployment.export.as_str())
                .filter(|export| *export != USUAL_EXPORT)
                .map(Cow::from),
            reason: deployment.reason.as_deref().map(short),
            failures: failure_mirrors(&deployment.failures),
            config_blob: deployment.config_blob.as_str().into(),
            remote: deployment.remote.as_deref().map(Cow::from),
            unknown: unknown::written(&deployment.unknown_fields),
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
    ineligible: Vec<PassedOverJson<'a>>,
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
struct PassedOverJson<'a> {
    commit: String,
    reason: &'a str,
}

impl<'a> PassedOverJson<'a> {
    fn of((commit, reason): &'a (CommitId, String)) -> Self {
        Self { commit: commit.to_string(), reason }
    }
}

/// What the commit of an approval says. Nothing more is ever read from there: whoever wrote it does
/// not say what it is worth.
#[derive(Serialize, Deserialize)]
struct StoredJson<'a> {
    commit: Cow<'a, str>,
    environment: Cow<'a, str>,
    config_blob: Cow<'a, str>,
    approved_by: Cow<'a, str>,
    time: Time,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    reference: Option<Cow<'a, str>>,
}

impl<'a> StoredJson<'a> {
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
    stored: StoredJson<'a>,
    signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl<'a> ApprovalJson<'a> {
    fn of(approval: &'a Approval) -> Self {
        Self {
            stored: StoredJson::of(approval),
            signed: approval.signed,
            proof: approval.proof.as_ref().map(ProofJson::of),
            problem: approval.problem.as_deref(),
        }
    }
}

/// How it is known who approved.
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
            ApprovalProof::Signature { principal: who, key: of } => {
                (principal, key) = (Some(who.as_str().into()), Some(of.as_str().into()));
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

    /// None where this version does not know it.
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
