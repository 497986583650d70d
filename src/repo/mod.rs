//! The repository: the only room that knows git2. No type of git2 leaves it.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};

/// An open repository. `Send`, not `Sync`: every run and every worker opens its own.
pub(crate) struct Repo {
    git: git2::Repository,
    root: PathBuf,
}

impl Repo {
    /// Opens the repository at this path: a bare one, a work tree's top, or a `.git`.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let git = git2::Repository::open(path).map_err(|source| {
            let message = format!("`{}` is not a git repository", path.display());
            Error::new(ErrorKind::NotARepo, message).with_path(path).with_source(source)
        })?;
        let root = git.workdir().unwrap_or_else(|| git.path()).to_path_buf();
        Ok(Self { git, root })
    }

    /// The folder that `builds/` stands in.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The git directory that all work trees share.
    pub(crate) fn common_dir(&self) -> &Path {
        self.git.commondir()
    }
}

/// git2's error as ours.
pub(crate) fn git_error(what: impl Into<String>, source: git2::Error) -> Error {
    Error::new(ErrorKind::Git, what).with_source(source)
}
