//! [`DeployLock`]: allows one deployment per environment at a time.
//!
//! It is separate from the run lock, because commands of a deployment may push, run tinyci, or
//! deploy elsewhere. Like the run lock, it ends with its process and the guard that shares its
//! file.

use std::{fs::File, path::PathBuf};

use super::{layout::Workspace, lock_file};
use crate::model::error::{Error, ErrorKind};
use crate::model::stored_names::state;

/// The right to deploy to one environment.
#[derive(Debug)]
pub(crate) struct DeployLock {
    file: File,
    /// Locked for as long as the lock itself. Other processes check this file, so that they never
    /// take the lock.
    running: File,
}

impl Workspace {
    /// Takes the lock of an environment, or returns `None` if another process has it.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if a lock file cannot be opened, or the file system does not
    /// support locks.
    pub(crate) fn deploy_lock(&self, environment: &str) -> Result<Option<DeployLock>, Error> {
        self.prepare_state()?;
        let path = self.state_path(&format!("{}{environment}", state::DEPLOY));
        let failed = |source| Error::io("lock", &path, source);
        let Some(file) = lock_file::try_take(&path, self.sharing())? else { return Ok(None) };
        let running = lock_file::hold(&self.deploying_path(environment), self.sharing());
        let running = running.map_err(failed)?;
        Ok(Some(DeployLock { file, running }))
    }

    /// Returns true if a deployment to this environment is active. Never takes the lock itself.
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
    /// Duplicates the lock file for the guard process. The lock is held until both are closed.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the process has no free file descriptor.
    pub(crate) fn share(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(|source| {
            Error::new(ErrorKind::Io, "cannot duplicate the lock of a deployment")
                .with_source(source)
        })
    }

    /// Releases the lock at once, even if the guard shares its file. The guard must have ended
    /// before.
    pub(crate) fn release(self) {
        // Unlocks explicitly. Closing the files is not enough while a starting child has inherited
        // them.
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
