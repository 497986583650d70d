//! [`Desk`]: where a deployment asks whether somebody approved of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::host::HookError;
use crate::{
    commit::Commit,
    error::{Error, ErrorKind},
    repo::Repo,
};

/// What a host answers: who approves, or nobody yet.
pub(super) type ApprovalFn =
    dyn Fn(&ApprovalCall<'_>) -> Result<Option<String>, HookError> + Send + Sync;

/// One question whether a deployment may go on, as a host is asked it.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalCall<'a> {
    environment: &'a str,
    commit: &'a Commit,
    question: Option<&'a str>,
}

impl ApprovalCall<'_> {
    /// What is being deployed to.
    pub fn environment(&self) -> &str {
        self.environment
    }

    /// The commit that would be deployed.
    pub fn commit(&self) -> &Commit {
        self.commit
    }

    /// What a script asks; nothing where the config only says `approve: true`.
    pub fn question(&self) -> Option<&str> {
        self.question
    }
}

/// Answers for one commit, in one environment, with one config.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) root: PathBuf,
    pub(super) environment: String,
    pub(super) commit: Commit,
    pub(super) config: String,
    pub(super) host: Option<Arc<ApprovalFn>>,
    /// Who approved, once somebody was asked for.
    pub(super) given_by: Arc<Mutex<Option<String>>>,
}

impl Desk {
    /// Whether somebody approved: in a ref of the repository, or else the host now.
    ///
    /// # Errors
    ///
    /// [`HostAbort`](ErrorKind::HostAbort) where the host fails, [`Git`](ErrorKind::Git) where the
    /// approvals cannot be read.
    pub(super) fn ask(&self, question: Option<&str>) -> Result<bool, Error> {
        let repo = Repo::open(&self.root)?;
        let stored = repo.approvals(&self.environment, self.commit.id, &self.config)?;
        let by = match stored.into_iter().next() {
            Some(approval) => Some(approval.by),
            None => self.ask_host(question)?,
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

    fn ask_host(&self, question: Option<&str>) -> Result<Option<String>, Error> {
        let Some(host) = &self.host else { return Ok(None) };
        let call = ApprovalCall { environment: &self.environment, commit: &self.commit, question };
        match catch_unwind(AssertUnwindSafe(|| host(&call))) {
            Ok(answer) => answer.map_err(|error| {
                let message = format!("the host could not be asked for an approval: {error}");
                Error::new(ErrorKind::HostAbort, message)
            }),
            Err(_) => {
                let message = "the host panicked when it was asked for an approval";
                Err(Error::new(ErrorKind::Panic, message))
            }
        }
    }
}
