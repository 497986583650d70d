//! [`ApprovalGate`]: where a deployment asks whether somebody approved of it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use super::{approvals::Approvals, pump::Sender, secrets::unasked};
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

/// What a host answers: who approves, or nobody yet.
pub(in crate::engine) type ApprovalFn =
    dyn Fn(&ApprovalCall<'_>) -> Result<Option<String>, HookError> + Send + Sync;

/// One question whether a deployment may go on, as a host is asked it.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalCall<'a> {
    environment: &'a str,
    question: Option<&'a str>,
    context: &'a RequestContext,
}

impl ApprovalCall<'_> {
    /// What is being deployed to.
    pub fn environment(&self) -> &str {
        self.environment
    }

    /// The commit that would be deployed.
    pub fn commit(&self) -> &Commit {
        &self.context.commit
    }

    /// What a script asks; nothing where the config only says `approve: true`.
    pub fn question(&self) -> Option<&str> {
        self.question
    }

    /// The attempt and its limits: whether anybody waits for the answer yet.
    pub fn context(&self) -> &RequestContext {
        self.context
    }
}

/// Answers for one commit, in one environment, with one config.
#[derive(Clone)]
pub(in crate::engine) struct ApprovalGate {
    pub(in crate::engine) root: PathBuf,
    pub(in crate::engine) environment: String,
    pub(in crate::engine) commit: CommitId,
    pub(in crate::engine) config: String,
    /// The host's answer, and the events that it has to have seen before.
    pub(in crate::engine) host: Option<(Arc<ApprovalFn>, Sender)>,
    /// Which approvals count.
    pub(in crate::engine) approvals: Approvals,
    /// What came of it, once somebody was asked for.
    pub(in crate::engine) answer: Arc<Mutex<DeskAnswer>>,
}

/// What came of a question.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct DeskAnswer {
    /// Who approved, and how that is known.
    pub(in crate::engine) given_by: Option<(String, ApprovalProof)>,
    /// Why others who did, or could have, do not count: a sentence each.
    pub(in crate::engine) problems: Vec<String>,
}

impl ApprovalGate {
    /// Whether the deployment needs an approval before it begins: the config says so, or the server.
    pub(in crate::engine) fn is_wanted(&self, rules: &DeployRules) -> bool {
        rules.approve || self.approvals.rules.wants(&self.environment)
    }

    /// Whether somebody approved whose approval counts: in a ref of the repository, or else the host
    /// now.
    ///
    /// # Errors
    ///
    /// [`HostAbort`](ErrorKind::HostAbort) where the host refuses to say,
    /// [`HostFault`](ErrorKind::HostFault) or [`Panic`](ErrorKind::Panic) where it fails itself,
    /// [`Canceled`](ErrorKind::Canceled) where nobody waits for its answer any more, [`Git`](ErrorKind::Git) where the
    /// approvals cannot be read.
    pub(in crate::engine) fn ask(
        &self,
        question: Option<&str>,
        context: &RequestContext,
    ) -> Result<bool, Error> {
        let repo = Repo::open(&self.root)?;
        let found = self.approvals.find(&repo, &self.environment, self.commit, &self.config)?;
        let mut answer = DeskAnswer { given_by: None, problems: found.problems().collect() };
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

    /// What came of it, if anybody was asked for.
    pub(in crate::engine) fn answer(&self) -> DeskAnswer {
        lock(&self.answer).clone()
    }

    /// Who the host says approves, if it is asked, and its word counts.
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
            // Nobody is asked for what counts for nothing.
            Err(problem) => {
                problems.push(problem);
                return Ok(None);
            }
        };
        let Some(by) = self.ask_host(question, context)? else { return Ok(None) };
        match self.approvals.of_program(repo, self.commit, &by, account)? {
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
        events.settle(context).map_err(|why| {
            let kind = match why {
                Outcome::Canceled => ErrorKind::Canceled,
                _ => ErrorKind::HostAbort,
            };
            Error::new(kind, unasked(why))
        })?;
        let call = ApprovalCall { environment: &self.environment, question, context };
        call_program("the request for an approval", || host(&call)).map_err(|error| {
            let message =
                format!("the host did not answer the approval request: {}", error.report());
            if error.is_host_fault() { error } else { error.with_message(message) }
        })
    }
}
