//! [`ProcessEnv`]: the environment of the calling process, as one call uses it.
//!
//! The caller's thread reads it before the library starts its own threads, and those never read
//! it. A host may change its environment after the call, or while it handles an event. Reading an
//! environment that changes is unsafe in the C library.

use std::{
    ffi::{OsStr, OsString},
    sync::Mutex,
};

use super::shared::Shared;
use crate::{
    rules::environment::{DEPLOYING, Variables},
    util::lock::lock,
};

/// The environment at the beginning of a call.
pub(in crate::engine) struct ProcessEnv {
    /// The variables that commands inherit.
    pub(in crate::engine) passed: Variables,
    /// The user's name from `LOGNAME` or `USER`.
    pub(in crate::engine) user: Option<String>,
    /// The account that acts: `REMOTE_USER` if a web server set it, else the user.
    pub(in crate::engine) account: Option<String>,
    /// True if a command of a deployment made this call, directly or through other programs.
    pub(in crate::engine) is_of_deployment: bool,
    /// True if a command of a run in this repository made this call. Such a call must not wait for
    /// that run.
    pub(in crate::engine) is_of_run: bool,
    /// Pending warnings about variables that commands do not inherit.
    notices: Mutex<Vec<String>>,
}

impl ProcessEnv {
    /// Returns the warnings about variables that commands do not inherit, once per call.
    pub(in crate::engine) fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notices))
    }
}

impl Shared {
    /// Returns the whole environment, for programs that act for the caller. For example, git needs
    /// it to find the agent with the keys.
    pub(in crate::engine) fn process_variables(&self) -> Variables {
        let from_host = self.options.process_env.clone();
        from_host.unwrap_or_else(|| collected(std::env::vars_os()))
    }

    /// Reads the environment of the process, or the one that the host passed in its place.
    pub(in crate::engine) fn process_env(&self) -> ProcessEnv {
        let variables = self.process_variables();
        let value = |name: &str| variables.get(OsStr::new(name))?.to_str().map(str::to_owned);
        let user = value("LOGNAME").or_else(|| value("USER"));
        let account = value("REMOTE_USER").filter(|name| !name.is_empty()).or_else(|| user.clone());
        let is_of_deployment = variables.contains_key(OsStr::new(DEPLOYING));
        let of_run = variables.contains_key(OsStr::new("TINYCI_JOB_ID")) && !is_of_deployment;
        let repo = variables.get(OsStr::new("TINYCI_REPO"));
        let is_of_run = of_run && repo.is_some_and(|repo| repo == self.root.as_os_str());
        let resolved = self.settings.env_filter().resolve(&variables);
        let notices = Mutex::new(resolved.kept_back.notices());
        let passed = resolved.passed;
        ProcessEnv { passed, user, account, is_of_deployment, is_of_run, notices }
    }
}

/// Collects variables by name. If a name occurs twice, the first one counts, as for `getenv`.
pub(in crate::engine) fn collected(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Variables {
    let mut collected = Variables::new();
    for (name, value) in variables {
        collected.entry(name).or_insert(value);
    }
    collected
}
