//! Approvals: each a ref of its own, so that it can be pushed from any clone while nothing else of
//! the server's moves.
//!
//! `refs/tinyci/approvals/<environment>/<commit>/<nonce>` names a commit without parents whose
//! message ends in a line of JSON. That line repeats environment and commit and adds the config's
//! blob: a ref that was copied to another name approves of nothing.

use std::time::UNIX_EPOCH;

use super::{
    Repo, git_error, own_ref,
    shared_write::{empty_tree, share_ref},
};
use crate::{
    commit::CommitId,
    deployment::Approval,
    error::{Error, ErrorKind},
};

const PREFIX: &str = "refs/tinyci/approvals/";

impl Repo {
    /// The ref that an approval of this name would have.
    pub(crate) fn approval_ref(environment: &str, commit: CommitId, nonce: &str) -> String {
        format!("{PREFIX}{environment}/{commit}/{nonce}")
    }

    /// Keeps an approval under its ref, which must be new.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where it cannot be written.
    pub(crate) fn write_approval(
        &self,
        approval: &Approval,
        author: (&str, &str),
    ) -> Result<(), Error> {
        let what = || format!("the approval of {} cannot be stored", approval.commit.short());
        let time = approval.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let time = i64::try_from(time).unwrap_or(i64::MAX);
        let short = approval.commit.short();
        let subject = format!("Approve {short} for {}", approval.environment);
        let message = format!("{subject}\n\n{}", approval.to_json());
        let write = || {
            let tree = empty_tree(&self.git)?;
            let commit = own_ref::commit_by(&self.git, author, tree, &[], time, &message)?;
            self.git.reference(&approval.reference, commit, false, "tinyci: approve")?;
            share_ref(&self.git, &approval.reference)
        };
        write().map_err(|source| git_error(what(), source))
    }

    /// The approvals of a commit with this config in this environment, the oldest first. What does
    /// not say exactly that is none.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where the refs cannot be listed.
    pub(crate) fn approvals(
        &self,
        environment: &str,
        commit: CommitId,
        config: &str,
    ) -> Result<Vec<Approval>, Error> {
        let unlisted = |source| git_error(format!("the refs of {self} cannot be listed"), source);
        let glob = format!("{PREFIX}{environment}/{commit}/*");
        let mut found = Vec::new();
        for reference in self.git.references_glob(&glob).map_err(unlisted)? {
            let reference = reference.map_err(unlisted)?;
            let approval = reference.target().and_then(|id| {
                let commit = self.git.find_commit(id).ok()?;
                let message = commit.message().ok()?.trim_end().to_owned();
                let line = message.lines().next_back()?;
                Approval::from_json(line, reference.name().ok()?).ok()
            });
            found.extend(approval.filter(|it| {
                let binds = it.environment == environment && it.commit == commit;
                binds && it.config == config && !it.by.is_empty()
            }));
        }
        found.sort_by(|one, other| (one.time, &one.reference).cmp(&(other.time, &other.reference)));
        Ok(found)
    }

    /// Who git's configuration says that somebody is: name and address.
    pub(crate) fn identity(&self) -> Option<(String, String)> {
        let config = self.git.config().and_then(|mut config| config.snapshot()).ok()?;
        let value = |key| config.get_str(key).ok().map(str::trim).filter(|it| !it.is_empty());
        Some((value("user.name")?.to_owned(), value("user.email")?.to_owned()))
    }

    /// The same, where somebody has to be named.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) saying how to tell git.
    pub(crate) fn required_identity(&self) -> Result<(String, String), Error> {
        self.identity().ok_or_else(|| {
            let message = "an approval names who gives it, and git does not know who you are; tell \
                           it with `git config user.name NAME` and `git config user.email ADDRESS`";
            Error::new(ErrorKind::Unsupported, message)
        })
    }
}
