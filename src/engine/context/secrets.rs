//! Secrets: which commits may have them, and where they come from.

use std::{path::PathBuf, sync::Arc};

use super::pump::Sender;
use crate::{
    model::{
        answer::{HookError, call_program},
        commit::Commit,
        error::{Error, ErrorKind},
        outcome::Outcome,
        request_context::RequestContext,
        step::Denied,
    },
    rules::glob,
    workspace::secret_dir::SecretDir,
};

/// What gives the value of a secret; `None` if there is none of this name.
pub(in crate::engine) type SecretFn =
    dyn Fn(&str, &RequestContext) -> Result<Option<Vec<u8>>, HookError> + Send + Sync;

/// Which secrets a commit may have.
pub(in crate::engine) struct SecretPolicy {
    /// The refs that the commit is judged for: its branch and its tags.
    pub(in crate::engine) judged_for: Vec<String>,
    /// Patterns of the refs whose commits may have any.
    pub(in crate::engine) refs: Vec<String>,
}

impl SecretPolicy {
    pub(in crate::engine) fn new(commit: &Commit, tags: &[String], refs: Vec<String>) -> Self {
        let branch = commit.branch.iter().map(|branch| format!("refs/heads/{branch}"));
        let tags = tags.iter().map(|tag| format!("refs/tags/{tag}"));
        Self { judged_for: branch.chain(tags).collect(), refs }
    }

    /// Leaves the step out if no ref that the commit is judged for may have secrets.
    pub(in crate::engine) fn check(&self, name: &str) -> Result<(), Denied> {
        let allowed = |reference: &String| {
            let mut patterns = self.refs.iter();
            patterns.any(|pattern| glob::text_matches(pattern.as_bytes(), reference.as_bytes()))
        };
        if self.judged_for.iter().any(allowed) {
            return Ok(());
        }
        let reference = self.judged_for.first().map_or("REF", String::as_str);
        let fault = not_had(name, "the refs of this commit may not use secrets");
        let hint = format!("`git config --add tinyci.secretRefs {reference}` on the server");
        Err(Denied::LeftOut(fault.with_hint(hint)))
    }
}

/// Where the secrets of an engine come from.
#[derive(Clone)]
pub(in crate::engine) struct Secrets {
    /// The host's answer.
    pub(in crate::engine) ask: Option<Arc<SecretFn>>,
    /// The events that the host has to have seen before. Without them it cannot be asked.
    pub(in crate::engine) events: Option<Sender>,
    pub(in crate::engine) dir: Option<PathBuf>,
}

impl Secrets {
    /// Fetches the bytes of a secret that the commit may have.
    pub(in crate::engine) fn fetch(
        &self,
        name: &str,
        context: &RequestContext,
    ) -> Result<Vec<u8>, Denied> {
        if let (Some(ask), Some(events)) = (&self.ask, &self.events) {
            events.settle(context).map_err(|why| refused(name, unasked(why)))?;
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
            Some(dir) => SecretDir::new(dir.clone()).read(name).map_err(of_dir)?,
            None => None,
        };
        from_dir.ok_or_else(|| nobody_has(name))
    }

    /// True if the directory has it by now: the embedding program is not asked.
    pub(in crate::engine) fn has_file(&self, name: &str) -> bool {
        let dir = self.dir.clone().map(SecretDir::new);
        dir.is_some_and(|dir| dir.find(name).is_ok_and(|found| found.is_some()))
    }

    /// Refuses a secret that [`fetch`](Self::fetch) would certainly not find, without reading one
    /// or asking the host.
    pub(in crate::engine) fn check_there(&self, name: &str) -> Result<(), Denied> {
        let is_there = match &self.dir {
            Some(dir) => SecretDir::new(dir.clone()).find(name).map_err(of_dir)?.is_some(),
            None => false,
        };
        if is_there || self.ask.is_some() { Ok(()) } else { Err(nobody_has(name)) }
    }
}

/// A bad name is the config's fault; what is wrong with the directory is the machine's.
fn of_dir(error: Error) -> Denied {
    match error.kind() {
        ErrorKind::InvalidArg => Denied::Refused(error),
        _ => Denied::Fault(error),
    }
}

/// The commit asks for nothing wrong: the server lacks it.
fn nobody_has(name: &str) -> Denied {
    let fault = not_had(name, "the server does not have it");
    let hint = "`git config tinyci.secretsDir DIR` names a directory with one file per secret";
    Denied::Fault(Error::new(ErrorKind::NotFound, fault.message()).with_hint(hint))
}

fn refused(name: &str, why: &str) -> Denied {
    Denied::Refused(not_had(name, why))
}

fn not_had(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::HostAbort, format!("cannot get the secret `{name}`: {why}"))
}

/// Why a host was not asked at all.
pub(in crate::engine) fn unasked(why: Outcome) -> &'static str {
    match why {
        Outcome::TimedOut => "the time limit expired before the request reached the host",
        _ => "the run was canceled before the request reached the host",
    }
}
