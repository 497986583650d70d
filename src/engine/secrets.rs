//! Secrets: which commits may have them, and where they come from.

use std::{path::PathBuf, sync::Arc};

use super::pump::Sender;
use crate::{
    answer::{HookError, answered},
    commit::Commit,
    error::{Error, ErrorKind},
    glob,
    outcome::Outcome,
    request_context::RequestContext,
    secret_dir::SecretDir,
};

/// What gives the value of a secret; `None` if there is none of this name.
pub(super) type SecretFn =
    dyn Fn(&str, &RequestContext) -> Result<Option<Vec<u8>>, HookError> + Send + Sync;

/// The secrets of an engine, for one commit.
#[derive(Clone)]
pub(super) struct Secrets {
    pub(super) commit: Commit,
    /// Patterns of the refs whose commits may have any.
    pub(super) refs: Vec<String>,
    /// The host's answer, and the events that it has to have seen before.
    pub(super) ask: Option<(Arc<SecretFn>, Sender)>,
    pub(super) dir: Option<PathBuf>,
}

impl Secrets {
    /// The bytes of a secret.
    ///
    /// # Errors
    ///
    /// [`HostAbort`](ErrorKind::HostAbort) if the commit may not have it or there is none, or the
    /// host refuses it, [`HostFault`](ErrorKind::HostFault) or [`Panic`](ErrorKind::Panic) if the
    /// host itself fails,
    /// [`Io`](ErrorKind::Io) if it cannot be read safely.
    pub(super) fn value(&self, name: &str, context: &RequestContext) -> Result<Vec<u8>, Error> {
        let refuse = |why: String| {
            let message = format!("the secret `{name}` cannot be had: {why}");
            Error::new(ErrorKind::HostAbort, message)
        };
        let reference = self.commit.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
        let allowed = |reference: &String| {
            self.refs
                .iter()
                .any(|pattern| glob::text_matches(pattern.as_bytes(), reference.as_bytes()))
        };
        if !reference.as_ref().is_some_and(allowed) {
            let reference = reference.as_deref().unwrap_or("a branch");
            return Err(refuse(format!(
                "the commit is not on a ref that may have secrets; `git config --add \
                 tinyci.secretRefs {reference}` on the server allows it"
            )));
        }
        if let Some((ask, events)) = &self.ask {
            events.settle(context).map_err(|why| refuse(unasked(why).to_owned()))?;
            let what = format!("the request for the secret `{name}`");
            let answer = answered(&what, || ask(name, context));
            let answer = answer.map_err(|error| match error.is_host_fault() {
                true => error,
                false => refuse(error.report()),
            })?;
            if let Some(value) = answer {
                return Ok(value);
            }
        }
        let from_dir = match &self.dir {
            Some(dir) => SecretDir::new(dir.clone()).read(name)?,
            None => None,
        };
        from_dir.ok_or_else(|| {
            refuse(
                "nobody has it; `tinyci.secretsDir` names a folder with one file for each secret"
                    .to_owned(),
            )
        })
    }
}

/// Why a host was not asked at all.
pub(super) fn unasked(why: Outcome) -> &'static str {
    match why {
        Outcome::TimedOut => "the time limit passed before the host could be asked",
        _ => "the run was canceled before the host could be asked",
    }
}
