//! [`Shared`]: the state that all clones of an engine share.

use super::{
    commit_signatures::CommitSignatures,
    host::HostExecutor,
    options::Options,
    pump,
    secrets::{SecretPolicy, Secrets},
};
use crate::{
    model::{commit::Commit, error::Error, executor::Executor},
    process::{Guard, local_executor::LocalExecutor},
    repo::{Repo, Settings},
    rules::environment::Variables,
    script::LastScript,
    util::{flush::Flush, sharing::Sharing},
    workspace::{LogLimits, Logs, Workspace},
};
use jiff::tz::TimeZone;
use std::{path::PathBuf, sync::Arc};

/// The state that all clones of an engine share.
pub(in crate::engine) struct Shared {
    pub(in crate::engine) root: PathBuf,
    pub(in crate::engine) bare: bool,
    /// The path that each call and each worker opens the repository with.
    pub(in crate::engine) reopen_path: PathBuf,
    pub(in crate::engine) common_dir: PathBuf,
    /// The access that other accounts get to written files.
    pub(in crate::engine) sharing: Sharing,
    /// What is flushed to the disk.
    pub(in crate::engine) flush: Flush,
    pub(in crate::engine) settings: Settings,
    pub(in crate::engine) options: Options,
    pub(in crate::engine) warnings: Vec<String>,
    /// The local time zone. Read once at the beginning, because the lookup reads the environment.
    pub(in crate::engine) zone: TimeZone,
    /// The environment of programs that verify signatures, when the engine was opened. Empty if no
    /// commit needs one. Worker threads must not read the environment of the process.
    pub(in crate::engine) verifier_env: Arc<Variables>,
    /// The script that was parsed last. Successive commits mostly have the same one.
    pub(in crate::engine) last_script: LastScript,
}

impl Shared {
    /// Opens the repository for the calling thread.
    pub(in crate::engine) fn repo(&self) -> Result<Repo, Error> {
        Repo::open(&self.reopen_path)
    }

    /// Opens the repository for a call that changes something: a ref, the state, the configuration
    /// or builds. Every such call must begin with this function.
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

    /// Returns the rules for signatures of commits.
    pub(in crate::engine) fn commit_signatures(&self) -> CommitSignatures {
        let (refs, env) = (self.settings.require_signed.clone(), self.verifier_env.clone());
        CommitSignatures::new(refs, env, self.zone.clone())
    }

    /// Returns the rules for the secrets of this commit.
    pub(in crate::engine) fn secret_policy(
        &self,
        commit: &Commit,
        tags: &[String],
    ) -> SecretPolicy {
        let (allowed, path) = (self.settings.secret_refs.clone(), self.reopen_path.clone());
        SecretPolicy::new(commit, tags, allowed, self.commit_signatures(), path)
    }

    /// Returns the sources of secrets. Without `events`, the host is not asked.
    pub(in crate::engine) fn secrets(&self, events: Option<&pump::Sender>) -> Secrets {
        let (ask, dir) = (self.options.secrets.clone(), self.settings.secrets_dir.clone());
        Secrets { ask, events: events.cloned(), dir }
    }

    /// Returns the host's executor if it has one, else a local executor with the engine's
    /// settings.
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

    /// Returns the logs of a run or a deployment. `several` is true if several builds write to
    /// them at once.
    pub(in crate::engine) fn logs(&self, workspace: &Workspace, several: bool) -> Logs {
        let limits = LogLimits { build_bytes: self.settings.log_limit, ..LogLimits::default() };
        workspace.logs(limits, several, self.zone.clone())
    }
}
