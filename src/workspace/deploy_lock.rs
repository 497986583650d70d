//! [`DeployLock`]: one deployment per environment at a time.
//!
//! It is not the run lock: what a deployment starts may push, run tinyci, or deploy elsewhere. Like
//! the run lock it dies with its process and with the guard that shares its file.

use std::{fs::File, path::PathBuf};

use super::{layout::Workspace, lock_file};
use crate::model::error::{Error, ErrorKind};
use crate::model::stored_names::state;

/// The right to deploy to one environment.
#[derive(Debug)]
pub(crate) struct DeployLock {
    file: File,
    /// Locked as long; what those look at who only want to know.
    running: File,
}

impl Workspace {
    /// Takes the lock of an environment; none if somebody else has it.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if a lock file cannot be opened, or the file system has no
    /// locks.
    pub(crate) fn deploy_lock(&self, environment: &str) -> Result<Option<DeployLock>, Error> {
        self.prepare_state()?;
        let path = self.state_path(&format!("{}{environment}", state::DEPLOY));
        let failed = |source| Error::io("lock", &path, source);
        let Some(file) = lock_file::try_take(&path, self.sharing())? else { return Ok(None) };
        let running = lock_file::hold(&self.deploying_path(environment), self.sharing());
        let running = running.map_err(failed)?;
        Ok(Some(DeployLock { file, running }))
    }

    /// Whether somebody deploys to this environment, found out without ever taking the lock.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be opened or locked.
    pub(crate) fn is_deploying(&self, environment: &str) -> Result<bool, Error> {
        let path = self.deploying_path(environment);
        lock_file::is_taken(&path, "a deployment", File::try_lock_shared)
    }

    fn deploying_path(&self, environment: &str) -> PathBuf {
        self.state_path(&format!("{}{environment}", state::DEPLOYING))
    }
}

impl DeployLock {
    /// The same open file, for the guard process: the lock lasts until both are gone.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the process has no file descriptor left.
    pub(crate) fn share(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(|source| {
            Error::new(ErrorKind::Io, "cannot duplicate the lock of a deployment")
                .with_source(source)
        })
    }

    /// Gives the lock up at once, whoever shares its file: the guard must be gone before.
    pub(crate) fn release(self) {
        // Closing the files is the other way, which a child that is just starting would delay.
        let _ = self.running.unlock();
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn each_environment_has_one_lock() {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        assert!(!workspace.is_deploying("production").unwrap());
        let lock = workspace.deploy_lock("production").unwrap().unwrap();
        assert!(workspace.deploy_lock("production").unwrap().is_none());
        assert!(workspace.deploy_lock("staging").unwrap().is_some());
        assert!(workspace.is_deploying("production").unwrap());
        let shared = lock.share().unwrap();
        lock.release();
        assert!(!workspace.is_deploying("production").unwrap());
        assert!(workspace.deploy_lock("production").unwrap().is_some());
        drop(shared);
    }
}
