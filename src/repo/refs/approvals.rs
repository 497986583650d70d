//! Approvals. Each one is a ref, so that it can be pushed from any clone without moving other refs
//! of the server.
//!
//! `refs/tinyci/approvals/<environment>/<commit>/<nonce>` names a commit without parents and files.
//! The last line of its message is JSON, with the ref's name and the config's blob. So a copy of
//! the ref under another name approves nothing. The commit must be byte for byte what tinyci
//! writes, because its signer may sign other commits too. For example, the commits of a rebased
//! branch keep their messages and must not count as approvals.

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
    identity::Identity,
    stored_names::refs::APPROVALS,
};
use crate::repo::{
    history::walk,
    objects::commit::Person,
    repository::{FSCK, Repo, commit_id, git_error, id_bytes, oid},
};

/// The start of the signature in a commit that is signed with an ssh key.
const SSH_SIGNATURE: &[u8] = b"-----BEGIN SSH SIGNATURE-----";

/// A stored approval.
pub(crate) struct StoredApproval {
    /// The approval, with a problem if the commit is not what tinyci writes.
    pub(crate) approval: Approval,
    /// The object that its ref names.
    pub(crate) id: CommitId,
}

/// A signature of a commit.
pub(crate) struct CommitSignature {
    pub(crate) signature: Vec<u8>,
    /// The signed bytes.
    pub(crate) payload: Vec<u8>,
    /// The committer time, in seconds since 1970.
    pub(crate) time: i64,
}

impl CommitSignature {
    /// Returns true if the signature is of an ssh key.
    pub(crate) fn is_ssh(&self) -> bool {
        self.signature.trim_ascii_start().starts_with(SSH_SIGNATURE)
    }
}

/// The settings with which git verifies signatures.
pub(crate) struct Signers {
    /// `gpg.ssh.program`.
    pub(crate) program: String,
    /// `gpg.ssh.allowedSignersFile`.
    pub(crate) allowed: Option<PathBuf>,
    /// `gpg.ssh.revocationFile`.
    pub(crate) revoked: Option<PathBuf>,
}

impl Repo {
    /// Returns the ref of an approval with this name.
    pub(crate) fn approval_ref(environment: &str, commit: CommitId, nonce: &str) -> String {
        format!("{APPROVALS}{environment}/{commit}/{nonce}")
    }

    /// Makes the commit of an approval, without a ref.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if it cannot be written.
    pub(crate) fn make_approval(
        &self,
        approval: &Approval,
        author: &Identity,
    ) -> Result<CommitId, Error> {
        let write = || {
            let tree = self.empty_tree()?;
            atomic_ref::commit_by(self, author, tree, &[], seconds(approval), &message(approval))
        };
        write().map_err(|source| unstored(approval, source)).and_then(commit_id)
    }

    /// Returns the tree and the message of an approval's commit.
    ///
    /// # Errors
    ///
    /// As [`make_approval`](Self::make_approval).
    pub(crate) fn approval_text(&self, approval: &Approval) -> Result<(TreeId, String), Error> {
        let tree = self.empty_tree().map_err(|source| unstored(approval, source))?;
        Ok((TreeId::from_bytes(id_bytes(tree)?), format!("{}\n", message(approval))))
    }

    /// Returns the git directory of the opened working tree.
    pub(crate) fn git_dir(&self) -> &Path {
        self.git.path()
    }

    /// Creates the ref of an approval. Fails if the ref exists.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if it cannot be written.
    pub(crate) fn keep_approval(&self, approval: &Approval, id: CommitId) -> Result<(), Error> {
        let id = oid(id)?;
        // git wrote a signed commit itself, so flush it.
        if self.new_object(id).is_none() {
            self.flush_fetched(None, id)?;
        }
        AtomicRef::new(self, approval.reference.clone()).create(id, "tinyci: approve")
    }

    /// Returns everything below the refs of the approvals of a commit with this config in this
    /// environment, oldest first.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the refs cannot be listed.
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

    /// Parses a commit under this name, or returns `None` if it is not exactly what tinyci writes.
    fn read(&self, commit: &Commit<'_>, reference: &str) -> Option<Approval> {
        let text = std::str::from_utf8(commit.message_raw_bytes()).ok()?;
        let approval = Approval::from_json(text.trim_end().lines().next_back()?, reference).ok()?;
        let has_files = commit.tree().ok()?.iter().next().is_some();
        let is_whole =
            text == format!("{}\n", message(&approval)) && !approval.approved_by.is_empty();
        (is_whole && !has_files && commit.parent_count() == 0).then_some(approval)
    }

    /// Returns the signature of a commit, or `None` if it is not signed.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the commit cannot be read.
    pub(crate) fn signature_of(&self, id: CommitId) -> Result<Option<CommitSignature>, Error> {
        let commit = walk::find_commit(&self.git, oid(id)?)?;
        let id: Oid = oid(id)?;
        let Ok((signature, payload)) = self.git.extract_signature(&id, None) else {
            return Ok(None);
        };
        let (signature, payload) = (signature.to_vec(), payload.to_vec());
        Ok(Some(CommitSignature { signature, payload, time: commit.seconds() }))
    }

    /// Returns the addresses of a commit's author and committer.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the commit cannot be read.
    pub(crate) fn people_of(&self, id: CommitId) -> Result<Vec<String>, Error> {
        let commit = walk::find_commit(&self.git, oid(id)?)?;
        let people = [commit.author(), commit.committer()];
        // Who cannot be named could be the one that approves.
        if people.iter().any(Person::is_empty) {
            let message = format!("cannot tell who wrote commit {}: it is malformed", id.short());
            return Err(Error::new(ErrorKind::Git, message).with_hint(FSCK));
        }
        let address = |it: &Person| String::from_utf8_lossy(&it.email).into_owned();
        let mut addresses: Vec<String> = people.iter().map(address).collect();
        addresses.dedup();
        Ok(addresses)
    }

    /// Returns true if git signs with an ssh key.
    pub(crate) fn signs_with_ssh(&self) -> bool {
        let config = self.git.config().and_then(|mut config| config.snapshot());
        config.is_ok_and(|config| {
            let is_set = |key| config.get_bytes(key).is_ok_and(|value| !value.is_empty());
            let is_ssh = config.get_bytes("gpg.format").is_ok_and(|value| value == b"ssh");
            is_ssh && (is_set("user.signingkey") || is_set("gpg.ssh.defaultkeycommand"))
        })
    }

    /// Returns the settings with which git verifies signatures. Relative paths are relative to the
    /// root.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if they cannot be read.
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

    /// Returns the name and address that git's configuration sets for commits.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let config = self.git.config().and_then(|mut config| config.snapshot()).ok()?;
        let value = |key| config.get_str(key).ok().map(str::trim).filter(|it| !it.is_empty());
        let (name, address) = (value("user.name")?.to_owned(), value("user.email")?.to_owned());
        Some(Identity { name, address })
    }

    /// Returns the same, or an error if it is not set.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) with the command that sets it.
    pub(crate) fn required_identity(&self) -> Result<Identity, Error> {
        self.identity().ok_or_else(|| {
            let message = "cannot approve: `user.name` and `user.email` of git are not set";
            Error::new(ErrorKind::Unsupported, message)
                .with_hint("`git config user.name NAME`, then `git config user.email ADDRESS`")
        })
    }
}

/// Returns the message of an approval's commit, without the final newline.
fn message(approval: &Approval) -> String {
    let short = approval.commit.short();
    format!("Approve {short} for {}\n\n{}", approval.environment, approval.to_stored_json())
}

/// Returns the time of the approval, in seconds since 1970.
fn seconds(approval: &Approval) -> i64 {
    let since = approval.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn unstored(approval: &Approval, source: git2::Error) -> Error {
    let what = format!("cannot store the approval of {}", approval.commit.short());
    git_error(what, source)
}
