//! [`ApprovalGate`]: decides whether a deployment has the approval that it needs.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use super::{approvals::Approvals, pump::Sender, secrets::not_asked_reason};
use crate::{
    model::{
        answer::{HookError, call_program},
        commit::{Commit, CommitId},
        deployment::ApprovalProof,
        error::{Error, ErrorKind},
        outcome::Outcome,
        pipeline::DeployRules,
        request_context::RequestContext,
    },
    repo::Repo,
    util::lock::lock,
};

/// The approval callback of the host: returns the name of the approver, or `None` without
/// approval.
pub(in crate::engine) type ApprovalFn =
    dyn Fn(&ApprovalCall<'_>) -> Result<Option<String>, HookError> + Send + Sync;

/// One approval request, as the host's callback receives it.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalCall<'a> {
    environment: &'a str,
    question: Option<&'a str>,
    context: &'a RequestContext,
}

impl ApprovalCall<'_> {
    /// Returns the target environment.
    pub fn environment(&self) -> &str {
        self.environment
    }

    /// Returns the commit that would be deployed.
    pub fn commit(&self) -> &Commit {
        &self.context.commit
    }

    /// Returns the question of the script, or `None` if only the config's `approve: true` asks.
    pub fn question(&self) -> Option<&str> {
        self.question
    }

    /// Returns the context of the request: the job, its deadline and its cancellation.
    pub fn context(&self) -> &RequestContext {
        self.context
    }
}

/// Answers approval requests for one commit, in one environment, with one config.
#[derive(Clone)]
pub(in crate::engine) struct ApprovalGate {
    pub(in crate::engine) root: PathBuf,
    pub(in crate::engine) environment: String,
    pub(in crate::engine) commit: CommitId,
    pub(in crate::engine) config: String,
    /// The host's callback, and the event channel that is flushed before each call.
    pub(in crate::engine) host: Option<(Arc<ApprovalFn>, Sender)>,
    /// The approvals in the repository, and the rules for them.
    pub(in crate::engine) approvals: Approvals,
    /// The result of the last request; empty before the first one.
    pub(in crate::engine) answer: Arc<Mutex<ApprovalResult>>,
}

/// The result of an approval request.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct ApprovalResult {
    /// The approver, and the proof of the approval.
    pub(in crate::engine) given_by: Option<(String, ApprovalProof)>,
    /// Reasons why other approvals do not count, one sentence each.
    pub(in crate::engine) problems: Vec<String>,
}

impl ApprovalGate {
    /// Returns true if the config or the server's settings require an approval before the
    /// deployment begins.
    pub(in crate::engine) fn is_required(&self, rules: &DeployRules) -> bool {
        rules.approve || self.approvals.rules.wants(&self.environment)
    }

    /// Returns true if an approval counts. It looks for a stored approval first, then asks the
    /// host.
    ///
    /// # Errors
    ///
    /// [`HostAbort`](ErrorKind::HostAbort) if the host refuses to answer,
    /// [`HostFault`](ErrorKind::HostFault) or [`Panic`](ErrorKind::Panic) if the host's callback
    /// fails, [`Canceled`](ErrorKind::Canceled) if the run was canceled before the request,
    /// [`Git`](ErrorKind::Git) if the approvals cannot be read.
    pub(in crate::engine) fn ask(
        &self,
        question: Option<&str>,
        context: &RequestContext,
    ) -> Result<bool, Error> {
        let repo = Repo::open(&self.root)?;
        let found = self.approvals.find(&repo, &self.environment, self.commit, &self.config)?;
        let mut answer = ApprovalResult { given_by: None, problems: found.problems().collect() };
        answer.given_by = match found.counted {
            Some(approval) => {
                let by = approval.approver().to_owned();
                approval.proof.map(|proof| (by, proof))
            }
            None => self.host_approves(&repo, question, context, &mut answer.problems)?,
        };
        let given = answer.given_by.is_some();
        if !given {
            answer.problems.extend(self.approvals.fault(&repo)?);
        }
        *lock(&self.answer) = answer;
        Ok(given)
    }

    /// Returns the result of the last request.
    pub(in crate::engine) fn answer(&self) -> ApprovalResult {
        lock(&self.answer).clone()
    }

    /// Returns the approver that the host names, if the host is asked and its approval counts.
    fn host_approves(
        &self,
        repo: &Repo,
        question: Option<&str>,
        context: &RequestContext,
        problems: &mut Vec<String>,
    ) -> Result<Option<(String, ApprovalProof)>, Error> {
        if self.host.is_none() {
            return Ok(None);
        }
        let account = match self.approvals.check_program() {
            Ok(account) => account,
            // The answer could not count, so the host is not asked.
            Err(problem) => {
                problems.push(problem);
                return Ok(None);
            }
        };
        let Some(by) = self.ask_host(question, context)? else { return Ok(None) };
        match self.approvals.check_program_approval(repo, self.commit, &by, account)? {
            Ok(proof) => Ok(Some((by, proof))),
            Err(problem) => {
                problems.push(problem);
                Ok(None)
            }
        }
    }

    fn ask_host(
        &self,
        question: Option<&str>,
        context: &RequestContext,
    ) -> Result<Option<String>, Error> {
        let Some((host, events)) = &self.host else { return Ok(None) };
        events.flush(context).map_err(|outcome| {
            let kind = match outcome {
                Outcome::Canceled => ErrorKind::Canceled,
                _ => ErrorKind::HostAbort,
            };
            Error::new(kind, not_asked_reason(outcome))
        })?;
        let call = ApprovalCall { environment: &self.environment, question, context };
        call_program("the request for an approval", || host(&call)).map_err(|error| {
            let message =
                format!("the host did not answer the approval request: {}", error.report());
            if error.is_host_fault() { error } else { error.with_message(message) }
        })
    }
}
