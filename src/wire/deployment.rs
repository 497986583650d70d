//! Deployments, plans of them and approvals: in the messages of their commits, and for `--json`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    record::{
        CommitMirror, FailureMirror, Time, failure_mirrors, json, lenient, lenient_list, short,
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
    /// As one line of JSON, the form in which `refs/tinyci/deploys/<environment>` keeps it.
    ///
    /// `from` and `approved_by` are null where there is none, `finished` where it has not ended.
    /// `approval_proof` says how it is known who approved: its `kind` is `signature` (with `principal`
    /// and `key`), `account` or `program` (with `account`), or `word`.
    /// `bare` is there if it is true, `export` if the export has a name of its own.
    ///
    /// ```
    /// let line = concat!(
    ///     r#"{"commit":"f40785cbc4422f39c36118fbae071932774cb5b6","from":null,"#,
    ///     r#""environment":"production","outcome":"success","forced":false,"approved_by":null,"#,
    ///     r#""started":"2026-11-24T19:49:58.000Z","finished":"2026-11-24T19:50:00.123Z","#,
    ///     r#""by":"Ada <ada@example.org>","v":1,"run":"d1","rollback":false,"config":"02ab"}"#,
    /// );
    /// let deployment = tinyci::deploy::Deployment::from_json(line)?;
    /// assert!(deployment.passed());
    /// assert_eq!(deployment.to_json(), line);
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        json(&DeploymentMirror::of(self))
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
        let mirror: DeploymentMirror<'_> = read?;
        unknown::check_version("deployment", mirror.v)?;
        let id = |text: &str| text.parse::<CommitId>();
        let outcome = mirror.outcome.parse::<DeployOutcome>();
        let unknown = || format!("this version of tinyci does not know `{}`", mirror.outcome);
        let unknown = outcome.is_err().then(unknown);
        Ok(Self {
            commit: id(&mirror.commit)?,
            from: mirror.from.as_deref().map(id).transpose()?,
            outcome: outcome.unwrap_or(DeployOutcome::Failure),
            reason: mirror.reason.map(Cow::into_owned).or(unknown),
            failures: mirror.failures.into_iter().map(FailureMirror::into_failure).collect(),
            environment: mirror.environment.into_owned(),
            forced: mirror.forced,
            rollback: mirror.rollback,
            bare: mirror.bare,
            export: mirror.export.map_or_else(|| USUAL_EXPORT.to_owned(), Cow::into_owned),
            approved_by: mirror.approved_by.map(Cow::into_owned),
            approval_proof: mirror.approval_proof.and_then(ProofMirror::proof),
            config: mirror.config.into_owned(),
            started: mirror.started.0,
            finished: mirror.finished.map(|time| time.0),
            by: mirror.by.into_owned(),
            account: mirror.account.map(Cow::into_owned),
            run: mirror.run.into_owned(),
            remote: mirror.remote.map(Cow::into_owned),
            unknown_fields: unknown::kept(mirror.unknown),
        })
    }
}

impl DeployPlan {
    /// As one line of JSON. `approval` is `not_needed`, `given`, `awaited` or `unknown`; `uncounted`
    /// holds approvals, each with its `problem`. `build` is `there`, `gone`, `other_branch`, `none`,
    /// `discarded` or `bare`, and `build_took_ms` says how long the job of one that has to be made took
    /// the last time.
    pub fn to_json(&self) -> String {
        let (approval, given) = match &self.approval {
            ApprovalState::NotNeeded => ("not_needed", None),
            ApprovalState::Given(approval) => ("given", Some(&**approval)),
            ApprovalState::Awaited => ("awaited", None),
            ApprovalState::Unknown => ("unknown", None),
        };
        json(&PlanMirror {
            v: VERSION,
            environment: &self.environment,
            commit: CommitMirror::of(&self.commit),
            verdict: self.verdict.map(Outcome::name),
            running: self.running.as_ref().map(DeploymentMirror::of),
            coming: self.coming.iter().map(CommitMirror::of).collect(),
            leaving: self.leaving.iter().map(CommitMirror::of).collect(),
            must_be_named: self.must_be_named,
            build: self.build.name(),
            build_took_ms: match self.build {
                BuildState::Gone { took } | BuildState::OtherBranch { took } => took.map(whole_ms),
                _ => None,
            },
            passed_over: self.passed_over.iter().map(PassedOverMirror::of).collect(),
            approval,
            approved_by: given.map(Approval::approver),
            approval_proof: given.and_then(|it| it.proof.as_ref()).map(ProofMirror::of),
            uncounted: self.uncounted.iter().map(ApprovalMirror::of).collect(),
            approval_fault: self.approval_fault.as_deref(),
            head_fault: self.head_fault.as_deref(),
            acts: &self.acts,
            interrupted: self.interrupted.as_ref().map(DeploymentMirror::of),
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
        let mirror: PlannedMirror = read?;
        unknown::check_version("plan", mirror.v)?;
        let id = |commit: &PlannedCommit| commit.id.parse::<CommitId>();
        let running = mirror.running.as_ref().map(|it| it.commit.parse::<CommitId>());
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
struct PlannedMirror {
    #[serde(default)]
    v: u32,
    environment: String,
    commit: PlannedCommit,
    #[serde(deserialize_with = "Option::deserialize")]
    running: Option<PlannedRunning>,
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
        json(&ApprovalMirror::of(self))
    }

    /// As the commit of its ref has it. What it is worth is found out anew wherever it is looked at.
    pub(crate) fn to_stored_json(&self) -> String {
        json(&StoredMirror::of(self))
    }

    /// Reads what the commit of an approval's ref says.
    pub(crate) fn from_json(text: &str, reference: &str) -> Result<Self, Error> {
        let read = serde_json::from_str(text).map_err(|source| foreign("approval", source));
        let mirror: StoredMirror<'_> = read?;
        Ok(Self {
            reference: reference.to_owned(),
            environment: mirror.environment.into_owned(),
            commit: mirror.commit.parse()?,
            config: mirror.config.into_owned(),
            by: mirror.by.into_owned(),
            time: mirror.time.0,
            signed: false,
            proof: None,
            problem: None,
        })
    }
}

fn foreign(what: &str, source: serde_json::Error) -> Error {
    let message = format!("the text is not a tinyci {what}");
    Error::new(ErrorKind::InvalidArg, message).with_source(source)
}

#[derive(Serialize, Deserialize)]
pub(super) struct DeploymentMirror<'a> {
    commit: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient")]
    from: Option<Cow<'a, str>>,
    environment: Cow<'a, str>,
    outcome: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient")]
    forced: bool,
    #[serde(default, deserialize_with = "lenient")]
    approved_by: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    approval_proof: Option<ProofMirror<'a>>,
    started: Time,
    #[serde(default, deserialize_with = "lenient")]
    finished: Option<Time>,
    #[serde(default, deserialize_with = "lenient")]
    by: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    account: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient")]
    v: u32,
    run: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient")]
    rollback: bool,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    bare: bool,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    export: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    failures: Vec<FailureMirror<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    config: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    remote: Option<Cow<'a, str>>,
    /// What a newer version wrote.
    #[serde(flatten)]
    unknown: serde_json::Map<String, serde_json::Value>,
}

impl<'a> DeploymentMirror<'a> {
    pub(super) fn of(deployment: &'a Deployment) -> Self {
        Self {
            commit: deployment.commit.to_string().into(),
            from: deployment.from.map(|id| id.to_string().into()),
            environment: deployment.environment.as_str().into(),
            outcome: deployment.outcome.name().into(),
            forced: deployment.forced,
            approved_by: deployment.approved_by.as_deref().map(Cow::from),
            approval_proof: deployment.approval_proof.as_ref().map(ProofMirror::of),
            started: Time(deployment.started),
            finished: deployment.finished.map(Time),
            by: deployment.by.as_str().into(),
            account: deployment.account.as_deref().map(Cow::from),
            v: VERSION,
            run: deployment.run.as_str().into(),
            rollback: deployment.rollback,
            bare: deployment.bare,
            export: Some(deployment.export.as_str())
                .filter(|export| *export != USUAL_EXPORT)
                .map(Cow::from),
            reason: deployment.reason.as_deref().map(short),
            failures: failure_mirrors(&deployment.failures),
            config: deployment.config.as_str().into(),
            remote: deployment.remote.as_deref().map(Cow::from),
            unknown: unknown::written(&deployment.unknown_fields),
        }
    }
}

#[derive(Serialize)]
struct PlanMirror<'a> {
    v: u32,
    environment: &'a str,
    commit: CommitMirror<'a>,
    verdict: Option<&'static str>,
    running: Option<DeploymentMirror<'a>>,
    coming: Vec<CommitMirror<'a>>,
    leaving: Vec<CommitMirror<'a>>,
    must_be_named: bool,
    build: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_took_ms: Option<u64>,
    passed_over: Vec<PassedOverMirror<'a>>,
    approval: &'static str,
    approved_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_proof: Option<ProofMirror<'a>>,
    uncounted: Vec<ApprovalMirror<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_fault: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_fault: Option<&'a str>,
    acts: &'a [String],
    interrupted: Option<DeploymentMirror<'a>>,
    forced: bool,
    rollback: bool,
}

#[derive(Serialize)]
struct PassedOverMirror<'a> {
    commit: String,
    reason: &'a str,
}

impl<'a> PassedOverMirror<'a> {
    fn of((commit, reason): &'a (CommitId, String)) -> Self {
        Self { commit: commit.to_string(), reason }
    }
}

/// What the commit of an approval says. Nothing more is ever read from there: whoever wrote it does
/// not say what it is worth.
#[derive(Serialize, Deserialize)]
struct StoredMirror<'a> {
    commit: Cow<'a, str>,
    environment: Cow<'a, str>,
    config: Cow<'a, str>,
    by: Cow<'a, str>,
    time: Time,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    reference: Option<Cow<'a, str>>,
}

impl<'a> StoredMirror<'a> {
    fn of(approval: &'a Approval) -> Self {
        Self {
            commit: approval.commit.to_string().into(),
            environment: approval.environment.as_str().into(),
            config: approval.config.as_str().into(),
            by: approval.by.as_str().into(),
            time: Time(approval.time),
            reference: Some(approval.reference.as_str().into()),
        }
    }
}

#[derive(Serialize)]
struct ApprovalMirror<'a> {
    #[serde(flatten)]
    stored: StoredMirror<'a>,
    signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofMirror<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl<'a> ApprovalMirror<'a> {
    fn of(approval: &'a Approval) -> Self {
        Self {
            stored: StoredMirror::of(approval),
            signed: approval.signed,
            proof: approval.proof.as_ref().map(ProofMirror::of),
            problem: approval.problem.as_deref(),
        }
    }
}

/// How it is known who approved.
#[derive(Serialize, Deserialize)]
struct ProofMirror<'a> {
    kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<Cow<'a, str>>,
}

impl<'a> ProofMirror<'a> {
    fn of(proof: &'a ApprovalProof) -> Self {
        let (mut principal, mut key, mut account) = (None, None, None);
        let kind = match proof {
            ApprovalProof::Word => "word",
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
            "word" => Some(ApprovalProof::Word),
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
