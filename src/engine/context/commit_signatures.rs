//! [`CommitSignatures`]: determines which commits need a signature (`tinyci.requireSigned`), and who
//! signed a commit.
//!
//! Only the server's configuration can require signatures, because a commit would not require its own.
//! A commit that needs a signature is deployed, and gets secrets, only if git's configuration on the
//! server contains the key, as for `git verify-commit`. The signature covers the commit's tree and
//! history.

use std::{
    ffi::{OsStr, OsString},
    sync::Arc,
};

use jiff::tz::TimeZone;

use super::signatures::{Keyring, without_repository};
use crate::{
    model::{
        commit::{CommitId, GitString},
        error::Error,
    },
    process,
    repo::{CommitSignature, Repo},
    rules::{environment::Variables, glob},
};

/// The rules of `tinyci.requireSigned`.
#[derive(Clone)]
pub(in crate::engine) struct CommitSignatures {
    /// Patterns of refs.
    refs: Vec<String>,
    /// The environment of the programs that verify.
    env: Arc<Variables>,
    zone: TimeZone,
}

impl CommitSignatures {
    /// Makes the rules from patterns of refs and the environment of the programs that verify.
    pub(super) fn new(refs: Vec<String>, env: Arc<Variables>, zone: TimeZone) -> Self {
        Self { refs, env, zone }
    }

    /// True if a commit needs a signature to count for this ref.
    pub(in crate::engine) fn wants(&self, reference: &str) -> bool {
        self.refs.iter().any(|glob| glob::text_matches(glob.as_bytes(), reference.as_bytes()))
    }

    /// True if a commit needs a signature to be deployed from this branch. A commit that is on no
    /// branch needs one if any does.
    pub(in crate::engine) fn wants_branch(&self, branch: Option<&GitString>) -> bool {
        match branch {
            Some(branch) => self.wants(&format!("refs/heads/{branch}")),
            None => !self.refs.is_empty(),
        }
    }

    /// True if a commit needs a signature for one of its tags.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the tags cannot be read.
    pub(in crate::engine) fn wants_tag_of(&self, repo: &Repo, id: CommitId) -> Result<bool, Error> {
        if self.refs.is_empty() {
            return Ok(false);
        }
        let tags = repo.tags_of(id)?;
        Ok(tags.iter().any(|tag| self.wants(&format!("refs/tags/{tag}"))))
    }

    /// Returns who signed a commit, or why its signature does not count, as the end of a sentence.
    pub(in crate::engine) fn signer(&self, repo: &Repo, id: CommitId) -> Result<String, String> {
        let unverified = |error: Error| format!("cannot verify its signature: {}", error.report());
        match repo.signature_of(id).map_err(unverified)? {
            None => Err("it is not signed".to_owned()),
            Some(signature) if signature.is_ssh() => self.ssh_signer(repo, &signature),
            Some(_) => self.signer_by_git(repo, id).map_err(unverified)?,
        }
    }

    fn ssh_signer(&self, repo: &Repo, signature: &CommitSignature) -> Result<String, String> {
        let unverified = |why: String| format!("cannot verify its signature: {why}");
        let signers = repo.signers().map_err(|error| unverified(error.report()))?;
        let keyring = Keyring::open(signers, &self.env, &self.zone).map_err(unverified)?;
        let signer = keyring.signer_of(signature).map_err(|error| unverified(error.report()))?;
        signer.map(|(principal, key)| format!("{principal} with {}", key.fingerprint))
    }

    /// Returns the signer from git, which supports the other kinds of signatures. Ignores replacement
    /// objects (`refs/replace/`), because a push could add them.
    fn signer_by_git(&self, repo: &Repo, id: CommitId) -> Result<Result<String, String>, Error> {
        let mut git_dir = OsString::from("--git-dir=");
        git_dir.push(repo.git_dir());
        let (id, env) = (id.to_string(), without_repository(&self.env));
        let ask = |words: &[&str]| {
            let words = words.iter().copied().chain([&*id]).map(OsStr::new);
            let first = [&*git_dir, OsStr::new("--no-replace-objects")];
            let words: Vec<&OsStr> = first.into_iter().chain(words).collect();
            process::run_helper("git", &words, repo.root(), &env, b"")
        };
        let verified = ask(&["verify-commit"])?;
        if !verified.passed {
            return Ok(Err(format!("its signature is invalid ({})", verified.complaint)));
        }
        let shown = ask(&["log", "-1", "--no-show-signature", "--format=%GS with %GF"])?;
        Ok(Ok(shown.out.trim().to_owned()))
    }
}
