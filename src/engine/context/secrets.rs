//! Secrets: which commits may use them, and where their values come from.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use super::{commit_signatures::CommitSignatures, pump::Sender};
use crate::{
    model::{
        answer::{HookError, call_program},
        commit::{Commit, CommitId},
        error::{Error, ErrorKind},
        outcome::Outcome,
        request_context::RequestContext,
        step::Denied,
    },
    repo::Repo,
    rules::glob,
    workspace::secret_dir::SecretDir,
};

/// The host's callback for the value of a secret; returns `None` if the host does not have it.
pub(in crate::engine) type SecretFn =
    dyn Fn(&str, &RequestContext) -> Result<Option<Vec<u8>>, HookError> + Send + Sync;

/// The rules for which commits may use secrets.
pub(in crate::engine) struct SecretPolicy {
    /// The refs that the commit is tested for: its branch and its tags.
    pub(in crate::engine) refs_of_commit: Vec<String>,
    /// Patterns of the refs whose commits may use secrets.
    pub(in crate::engine) allowed_refs: Vec<String>,
    commit: CommitId,
    signatures: CommitSignatures,
    /// The path that the repository is opened with to read a signature.
    repository: PathBuf,
    /// Why the signature of the commit does not count, once it was verified.
    flaw: OnceLock<Option<String>>,
}

impl SecretPolicy {
    pub(in crate::engine) fn new(
        commit: &Commit,
        tags: &[String],
        allowed_refs: Vec<String>,
        signatures: CommitSignatures,
        repository: PathBuf,
    ) -> Self {
        let branch = commit.branch.iter().map(|branch| format!("refs/heads/{branch}"));
        let tags = tags.iter().map(|tag| format!("refs/tags/{tag}"));
        let (refs_of_commit, commit) = (branch.chain(tags).collect(), commit.id);
        let flaw = OnceLock::new();
        Self { refs_of_commit, allowed_refs, commit, signatures, repository, flaw }
    }

    /// Returns [`Denied::LeftOut`] if no ref of the commit may use secrets, or those that may need a
    /// signature that the commit does not have.
    pub(in crate::engine) fn check(&self, name: &str) -> Result<(), Denied> {
        let allowed = |reference: &String| {
            let mut patterns = self.allowed_refs.iter();
            patterns.any(|pattern| glob::text_matches(pattern.as_bytes(), reference.as_bytes()))
        };
        let mut allowed = self.refs_of_commit.iter().filter(|it| allowed(it)).peekable();
        if allowed.peek().is_some() {
            let needs_signature = allowed.all(|reference| self.signatures.wants(reference));
            return if needs_signature { self.check_signature(name) } else { Ok(()) };
        }
        let reference = self.refs_of_commit.first().map_or("REF", String::as_str);
        let fault = unavailable(name, "the refs of this commit may not use secrets");
        let hint = format!("`git config --add tinyci.secretRefs {reference}` on the server");
        Err(Denied::LeftOut(fault.with_hint(hint)))
    }

    fn check_signature(&self, name: &str) -> Result<(), Denied> {
        let flaw = self.flaw.get_or_init(|| {
            let signer = match Repo::open(&self.repository) {
                Ok(repo) => self.signatures.signer(&repo, self.commit),
                Err(error) => Err(error.report()),
            };
            signer.err()
        });
        let Some(flaw) = flaw else { return Ok(()) };
        let why = format!("the commit needs a signature (`tinyci.requireSigned`), but {flaw}");
        Err(Denied::LeftOut(unavailable(name, &why)))
    }
}

/// The sources of secrets of an engine.
#[derive(Clone)]
pub(in crate::engine) struct Secrets {
    /// The host's callback.
    pub(in crate::engine) ask: Option<Arc<SecretFn>>,
    /// The event channel that is flushed before each callback. Without it, the host is not asked.
    pub(in crate::engine) events: Option<Sender>,
    pub(in crate::engine) dir: Option<PathBuf>,
}

impl Secrets {
    /// Returns the bytes of a secret that the commit may use.
    pub(in crate::engine) fn fetch(
        &self,
        name: &str,
        context: &RequestContext,
    ) -> Result<Vec<u8>, Denied> {
        if let (Some(ask), Some(events)) = (&self.ask, &self.events) {
            events.flush(context).map_err(|outcome| refused(name, not_asked_reason(outcome)))?;
            let what = format!("the request for the secret `{name}`");
            let answer = call_program(&what, || ask(name, context)).map_err(|error| {
                if error.is_host_fault() {
                    Denied::Fault(error)
                } else {
                    refused(name, &error.report())
                }
            })?;
            if let Some(value) = answer {
                return Ok(value);
            }
        }
        let from_dir = match &self.dir {
            Some(dir) => SecretDir::new(dir.clone()).read(name).map_err(dir_error)?,
            None => None,
        };
        from_dir.ok_or_else(|| server_lacks(name))
    }

    /// Returns true if the secrets directory contains this secret. Does not ask the host.
    pub(in crate::engine) fn has_file(&self, name: &str) -> bool {
        let dir = self.dir.clone().map(SecretDir::new);
        dir.is_some_and(|dir| dir.find(name).is_ok_and(|found| found.is_some()))
    }

    /// Fails if [`fetch`](Self::fetch) would certainly not find the secret. Neither reads a secret
    /// nor asks the host.
    pub(in crate::engine) fn check_exists(&self, name: &str) -> Result<(), Denied> {
        let exists = match &self.dir {
            Some(dir) => SecretDir::new(dir.clone()).find(name).map_err(dir_error)?.is_some(),
            None => false,
        };
        if exists || self.ask.is_some() { Ok(()) } else { Err(server_lacks(name)) }
    }
}

/// Maps an error of the secrets directory. An invalid name is the config's fault; other errors are
/// the server's.
fn dir_error(error: Error) -> Denied {
    match error.kind() {
        ErrorKind::InvalidArg => Denied::Refused(error),
        _ => Denied::Fault(error),
    }
}

/// Returns a fault, because the config is valid and only the server lacks the secret.
fn server_lacks(name: &str) -> Denied {
    let fault = unavailable(name, "the server does not have it");
    let hint = "`git config tinyci.secretsDir DIR` names a directory with one file per secret";
    Denied::Fault(Error::new(ErrorKind::NotFound, fault.message()).with_hint(hint))
}

fn refused(name: &str, why: &str) -> Denied {
    Denied::Refused(unavailable(name, why))
}

fn unavailable(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::HostAbort, format!("cannot get the secret `{name}`: {why}"))
}

/// Returns the reason why the host was not asked.
pub(in crate::engine) fn not_asked_reason(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::TimedOut => "the time limit expired before the request reached the host",
        _ => "the run was canceled before the request reached the host",
    }
}
