//! [`Desk`]: where a deployment asks whether somebody approved of it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::{pump::Sender, secrets::unasked};
use crate::{
    answer::{HookError, answered},
    commit::{Commit, CommitId},
    error::{Error, ErrorKind},
    outcome::Outcome,
    repo::Repo,
    request_context::RequestContext,
};

/// What a host answers: who approves, or nobody yet.
pub(super) type ApprovalFn =
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
pub(super) struct Desk {
    pub(super) root: PathBuf,
    pub(super) environment: String,
    pub(super) commit: CommitId,
    pub(super) config: String,
    /// The host's answer, and the events that it has to have seen before.
    pub(super) host: Option<(Arc<ApprovalFn>, Sender)>,
    /// Who approved, once somebody was asked for.
    pub(super) given_by: Arc<Mutex<Option<String>>>,
}

impl Desk {
    /// Whether somebody approved: in a ref of the repository, or else the host now.
    ///
    /// # Errors
    ///
    /// [`HostAbort`](ErrorKind::HostAbort) where the host refuses to say,
    /// [`HostFault`](ErrorKind::HostFault) or [`Panic`](ErrorKind::Panic) where it fails itself,
    /// [`Canceled`](ErrorKind::Canceled) where nobody waits for its answer any more, [`Git`](ErrorKind::Git) where the
    /// approvals cannot be read.
    pub(super) fn ask(
        &self,
        question: Option<&str>,
        context: &RequestContext,
    ) -> Result<bool, Error> {
        let repo = Repo::open(&self.root)?;
        let stored = repo.approvals(&self.environment, self.commit, &self.config)?;
        let by = match stored.into_iter().next() {
            Some(approval) => Some(approval.by),
            None => self.ask_host(question, context)?,
        };
        let given = by.is_some();
        if given {
            *self.given_by.lock().unwrap_or_else(PoisonError::into_inner) = by;
        }
        Ok(given)
    }

    /// Who approved, if anybody was asked for and did.
    pub(super) fn given_by(&self) -> Option<String> {
        self.given_by.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        answered("the request for an approval", || host(&call)).map_err(|error| {
            let message =
                format!("the host does not say whether anybody approves: {}", error.report());
            if error.is_host_fault() { error } else { error.with_message(message) }
        })
    }
}
