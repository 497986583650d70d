//! Approvals: each a ref of its own, so that it can be pushed from any clone while nothing else of
//! the server's moves.
//!
//! `refs/tinyci/approvals/<environment>/<commit>/<nonce>` names a commit without parents and files
//! whose message ends in a line of JSON. That line repeats the ref's name and adds the config's
//! blob: a ref that was copied to another name approves of nothing. The commit has to be what tinyci
//! writes, to the byte, since whoever signs one may sign other commits too: those of a branch that
//! is rebased keep their messages, and must not be taken for an approval.

use std::{
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use git2::{Commit, Oid};

use super::atomic_ref::{self, AtomicRef};
use crate::model::{
    commit::{CommitId, TreeId},
    deployment::Approval,
    error::{Error, ErrorKind},
    stored_names::refs::APPROVALS,
};
use crate::repo::{
    history::walk,
    repository::{Repo, commit_id, git_error, id_bytes, oid},
};

/// What a commit that is signed with an ssh key holds in front of the signature itself.
const SSH_SIGNATURE: &[u8] = b"-----BEGIN SSH SIGNATURE-----";

/// An approval as it is kept.
pub(crate) struct StoredApproval {
    /// With a problem where it is not what tinyci writes.
    pub(crate) approval: Approval,
    /// The object that its ref names.
    pub(crate) id: CommitId,
}

/// A signature of a commit.
pub(crate) struct CommitSignature {
    pub(crate) signature: Vec<u8>,
    /// What is signed.
    pub(crate) payload: Vec<u8>,
    /// When the commit was made, in seconds since 1970.
    pub(crate) time: i64,
}

impl CommitSignature {
    /// Whether it is one of an ssh key.
    pub(crate) fn is_ssh(&self) -> bool {
        self.signature.trim_ascii_start().starts_with(SSH_SIGNATURE)
    }
}

/// What git's configuration says of the signatures of others.
pub(crate) struct Signers {
    /// `gpg.ssh.program`.
    pub(crate) program: String,
    /// `gpg.ssh.allowedSignersFile`.
    pub(crate) allowed: Option<PathBuf>,
    /// `gpg.ssh.revocationFile`.
    pub(crate) revoked: Option<PathBuf>,
}

impl Repo {
    /// The ref that an approval of this name would have.
    pub(crate) fn approval_ref(environment: &str, commit: CommitId, nonce: &str) -> String {
        format!("{APPROVALS}{environment}/{commit}/{nonce}")
    }

    /// Makes the commit of an approval, which no ref names yet.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where it cannot be written.
    pub(crate) fn make_approval(
        &self,
        approval: &Approval,
        author: (&str, &str),
    ) -> Result<CommitId, Error> {
        let write = || {
            let tree = self.empty_tree()?;
            atomic_ref::commit_by(self, author, tree, &[], seconds(approval), &message(approval))
        };
        write().map_err(|source| unstored(approval, source)).and_then(commit_id)
    }

    /// What the commit of an approval holds: its tree and its message.
    ///
    /// # Errors
    ///
    /// As [`make_approval`](Self::make_approval).
    pub(crate) fn approval_text(&self, approval: &Approval) -> Result<(TreeId, String), Error> {
        let tree = self.empty_tree().map_err(|source| unstored(approval, source))?;
        Ok((TreeId::from_bytes(id_bytes(tree)?), format!("{}\n", message(approval))))
    }

    /// The git directory of the work tree that was opened.
    pub(crate) fn git_dir(&self) -> &Path {
        self.git.path()
    }

    /// Keeps an approval under its ref, which must be new.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where it cannot be written.
    pub(crate) fn keep_approval(&self, approval: &Approval, id: CommitId) -> Result<(), Error> {
        let id = oid(id)?;
        // A commit that git signed is git's.
        if self.new_object(id).is_none() {
            self.flush_fetched(None, id)?;
        }
        AtomicRef::new(self, approval.reference.clone()).create(id, "tinyci: approve")
    }

    /// All that stands where the approvals of a commit with this config in this environment do, the
    /// oldest first.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where the refs cannot be listed.
    pub(crate) fn approvals(
        &self,
        environment: &str,
        commit: CommitId,
        config: &str,
    ) -> Result<Vec<StoredApproval>, Error> {
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let glob = format!("{APPROVALS}{environment}/{commit}/*");
        let mut found = Vec::new();
        for reference in self.git.references_glob(&glob).map_err(unlisted)? {
            let reference = reference.map_err(unlisted)?;
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            let Some(target) = reference.target() else { continue };
            let read = self.git.find_commit(target).ok().and_then(|it| self.read(&it, &name));
            let binds = |it: &Approval| {
                (it.environment.as_str(), it.commit, it.config_blob.as_str())
                    == (environment, commit, config)
            };
            let approval = read.filter(binds).unwrap_or_else(|| Approval {
                reference: name,
                environment: environment.to_owned(),
                commit,
                config_blob: config.to_owned(),
                approved_by: String::new(),
                time: UNIX_EPOCH,
                signed: false,
                proof: None,
                problem: Some("tinyci did not write it".to_owned()),
            });
            found.push(StoredApproval { approval, id: commit_id(target)? });
        }
        found.sort_by(|one, other| {
            let key = |it: &StoredApproval| (it.approval.time, it.approval.reference.clone());
            key(one).cmp(&key(other))
        });
        Ok(found)
    }

    /// What a commit under this name says, if it is to the byte what tinyci writes.
    fn read(&self, commit: &Commit<'_>, reference: &str) -> Option<Approval> {
        let text = std::str::from_utf8(commit.message_raw_bytes()).ok()?;
        let approval = Approval::from_json(text.trim_end().lines().next_back()?, reference).ok()?;
        let has_files = commit.tree().ok()?.iter().next().is_some();
        let is_whole =
            text == format!("{}\n", message(&approval)) && !approval.approved_by.is_empty();
        (is_whole && !has_files && commit.parent_count() == 0).then_some(approval)
    }

    /// The signature of a commit; none where it has none.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where the commit cannot be read.
    pub(crate) fn signature_of(&self, id: CommitId) -> Result<Option<CommitSignature>, Error> {
        let commit = walk::find_commit(&self.git, oid(id)?)?;
        let id: Oid = commit.id();
        let Ok((signature, payload)) = self.git.extract_signature(&id, None) else {
            return Ok(None);
        };
        let (signature, payload) = (signature.to_vec(), payload.to_vec());
        Ok(Some(CommitSignature { signature, payload, time: commit.time().seconds() }))
    }

    /// The addresses of a commit's author and committer.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where the commit cannot be read.
    pub(crate) fn people_of(&self, id: CommitId) -> Result<Vec<String>, Error> {
        let commit = walk::find_commit(&self.git, oid(id)?)?;
        let people = [commit.author(), commit.committer()];
        let address = |it: &git2::Signature<'_>| String::from_utf8_lossy(it.email_bytes()).into();
        let mut addresses: Vec<String> = people.iter().map(address).collect();
        addresses.dedup();
        Ok(addresses)
    }

    /// Whether git's configuration signs with an ssh key.
    pub(crate) fn signs_with_ssh(&self) -> bool {
        let config = self.git.config().and_then(|mut config| config.snapshot());
        config.is_ok_and(|config| {
            let is_set = |key| config.get_bytes(key).is_ok_and(|value| !value.is_empty());
            let is_ssh = config.get_bytes("gpg.format").is_ok_and(|value| value == b"ssh");
            is_ssh && (is_set("user.signingkey") || is_set("gpg.ssh.defaultkeycommand"))
        })
    }

    /// What git's configuration says of the signatures of others. Relative paths are below the root.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where it cannot be read.
    pub(crate) fn signers(&self) -> Result<Signers, Error> {
        let unreadable =
            |source| git_error(format!("cannot read the configuration of {self}"), source);
        let config = self.git.config().and_then(|mut config| config.snapshot());
        let config = config.map_err(unreadable)?;
        let path = |key| match config.get_path(key) {
            Ok(path) if path.as_os_str().is_empty() => Ok(None),
            Ok(path) => Ok(Some(self.root().join(path))),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(source) => Err(unreadable(source)),
        };
        let program = config.get_string("gpg.ssh.program");
        Ok(Signers {
            program: program.unwrap_or_else(|_| "ssh-keygen".to_owned()),
            allowed: path("gpg.ssh.allowedsignersfile")?,
            revoked: path("gpg.ssh.revocationfile")?,
        })
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
            let message = "cannot approve: `user.name` and `user.email` of git are not set";
            Error::new(ErrorKind::Unsupported, message)
                .with_hint("`git config user.name NAME`, then `git config user.email ADDRESS`")
        })
    }
}

/// What the commit of an approval says, without its last end of line.
fn message(approval: &Approval) -> String {
    let short = approval.commit.short();
    format!("Approve {short} for {}\n\n{}", approval.environment, approval.to_stored_json())
}

/// Its time, in seconds since 1970.
fn seconds(approval: &Approval) -> i64 {
    let since = approval.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn unstored(approval: &Approval, source: git2::Error) -> Error {
    let what = format!("cannot store the approval of {}", approval.commit.short());
    git_error(what, source)
}
