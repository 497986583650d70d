//! [`ProcessEnv`]: what a call knows of the environment of the process that makes it.
//!
//! It is read on the thread of the caller, before the library's own threads begin, and never on
//! those: a host may change its environment as soon as the call has returned, or while it looks at
//! an event, and the C library lets nobody read one that changes.

use std::{
    ffi::{OsStr, OsString},
    sync::Mutex,
};

use super::shared::Shared;
use crate::{
    rules::environment::{DEPLOYING, Variables},
    util::lock::lock,
};

/// The environment as it was when a call began.
pub(in crate::engine) struct ProcessEnv {
    /// What commands get of it.
    pub(in crate::engine) passed: Variables,
    /// The user's name, as the environment has it.
    pub(in crate::engine) user: Option<String>,
    /// The account that acts: whom a web server let in, else the user.
    pub(in crate::engine) account: Option<String>,
    /// Whether a command of a deployment made this call, here or behind others.
    pub(in crate::engine) is_of_deployment: bool,
    /// Whether a command of a run of this very repository made this call: it must not wait for that
    /// run.
    pub(in crate::engine) is_of_run: bool,
    /// What is still to be told of variables that were kept back.
    notices: Mutex<Vec<String>>,
}

impl ProcessEnv {
    /// What is still to be told of variables that commands do not get: once a call.
    pub(in crate::engine) fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notices))
    }
}

impl Shared {
    /// All of the environment, for tinyci's own programs that act for whoever calls: git, which finds
    /// the agent that has the keys.
    pub(in crate::engine) fn process_variables(&self) -> Variables {
        let given = self.options.process_env.clone();
        given.unwrap_or_else(|| collected(std::env::vars_os()))
    }

    /// The environment of the process, or what the host gave in its place.
    pub(in crate::engine) fn process_env(&self) -> ProcessEnv {
        let variables = self.process_variables();
        let text = |name: &str| variables.get(OsStr::new(name))?.to_str().map(str::to_owned);
        let user = text("LOGNAME").or_else(|| text("USER"));
        let account = text("REMOTE_USER").filter(|name| !name.is_empty()).or_else(|| user.clone());
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

/// Variables by their names. Of one that stands there twice the first one counts, as for `getenv`.
pub(in crate::engine) fn collected(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Variables {
    let mut collected = Variables::new();
    for (name, value) in variables {
        collected.entry(name).or_insert(value);
    }
    collected
}
