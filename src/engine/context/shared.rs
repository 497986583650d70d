//! [`Shared`]: what all clones of an engine have in common.

use super::{
    host::HostExecutor,
    options::Options,
    pump::{self},
    secrets::{SecretPolicy, Secrets},
};
use crate::{
    model::{commit::Commit, error::Error, executor::Executor},
    process::{Guard, local_executor::LocalExecutor},
    repo::{Repo, Settings},
    script::LastScript,
    util::{flush::Flush, sharing::Sharing},
    workspace::{LogLimits, Logs, Workspace},
};
use jiff::tz::TimeZone;
use std::{path::PathBuf, sync::Arc};

/// What all clones of an engine have in common.
pub(in crate::engine) struct Shared {
    pub(in crate::engine) root: PathBuf,
    pub(in crate::engine) bare: bool,
    /// What is opened for each call and each worker.
    pub(in crate::engine) entrance: PathBuf,
    pub(in crate::engine) common_dir: PathBuf,
    /// Which other accounts may use what is written.
    pub(in crate::engine) sharing: Sharing,
    pub(in crate::engine) flush: Flush,
    pub(in crate::engine) settings: Settings,
    pub(in crate::engine) options: Options,
    pub(in crate::engine) warnings: Vec<String>,
    /// Read when the engine is opened: it would be looked for in the environment.
    pub(in crate::engine) zone: TimeZone,
    /// Commits in a row mostly have the same.
    pub(in crate::engine) last_script: LastScript,
}

impl Shared {
    /// The repository, opened for the thread that asks.
    pub(in crate::engine) fn repo(&self) -> Result<Repo, Error> {
        Repo::open(&self.entrance)
    }

    /// The same for a call that changes something: a ref, the state, the configuration or builds.
    /// Every such call begins with it.
    pub(in crate::engine) fn writable_repo(&self) -> Result<Repo, Error> {
        let repo = self.repo()?;
        repo.check_writable()?;
        Ok(repo)
    }

    pub(in crate::engine) fn workspace(&self) -> Workspace {
        Workspace::new(&self.root, self.settings.builds_dir.as_deref(), &self.common_dir)
            .shared(self.sharing)
            .flushed(self.flush)
    }

    /// Which secrets this commit may have.
    pub(in crate::engine) fn secret_policy(
        &self,
        commit: &Commit,
        tags: &[String],
    ) -> SecretPolicy {
        SecretPolicy::new(commit, tags, self.settings.secret_refs.clone())
    }

    /// Where secrets come from. Without events the host cannot be asked for them.
    pub(in crate::engine) fn secrets(&self, events: Option<&pump::Sender>) -> Secrets {
        let (ask, dir) = (self.options.secrets.clone(), self.settings.secrets_dir.clone());
        Secrets { ask, events: events.cloned(), dir }
    }

    /// What runs commands here: the host, or this machine as the settings have it.
    pub(in crate::engine) fn executor(
        &self,
        guard: &Arc<Guard>,
        events: &pump::Sender,
    ) -> Arc<dyn Executor> {
        if let Some(inner) = self.options.executor.clone() {
            return Arc::new(HostExecutor { inner, events: events.clone() });
        }
        Arc::new(LocalExecutor::guarded(guard.clone()).grace(self.settings.grace_period))
    }

    /// The logs of a run or a deployment; `several` says that more than one build writes at once.
    pub(in crate::engine) fn logs(&self, workspace: &Workspace, several: bool) -> Logs {
        let limits = LogLimits { build_bytes: self.settings.log_limit, ..LogLimits::default() };
        workspace.logs(limits, several, self.zone.clone())
    }
}
