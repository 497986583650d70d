//! Shares the files that libgit2 writes with the accounts of the repository. libgit2 follows the
//! umask and ignores `core.sharedRepository`.
//!
//! tinyci shares every object and every ref through this file.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

use git2::{ErrorClass, ErrorCode, Repository};

use crate::repo::repository::{Repo, git_error};
use crate::{
    model::{
        error::{Error, ErrorKind},
        stored_names::state,
    },
    util::{flush::Flush, sharing::Sharing},
};

const KEY: &str = "core.sharedrepository";

impl Repo {
    /// Writes a file of tinyci's state atomically.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if it cannot be written.
    pub(crate) fn write_state(&self, name: &str, text: &[u8]) -> Result<(), Error> {
        let (sharing, flush) = (self.sharing()?, self.flush_rule()?);
        let dir = self.common_dir().join(state::DIR);
        let written = sharing.create_dir_below(self.common_dir(), &dir).and_then(|()| {
            let mut file = sharing.new_file_in(&dir)?;
            file.write_all(text)?;
            flush.persist(file, &dir.join(name))
        });
        written.map_err(|source| Error::io("write", &dir.join(name), source))
    }

    /// Returns what tinyci flushes to the disk in this repository.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the configuration cannot be read.
    pub(crate) fn flush_rule(&self) -> Result<Flush, Error> {
        let fail = |source| git_error(format!("cannot read `core.fsync` of {self}"), source);
        self.flush().map_err(fail)
    }

    pub(in crate::repo) fn flush(&self) -> Result<Flush, git2::Error> {
        let config = self.git.config()?.snapshot()?;
        let text = |key| config.get_str(key).ok();
        let object_files = config.get_bool("core.fsyncobjectfiles").ok();
        Ok(Flush::parse(text("core.fsync"), text("core.fsyncmethod"), object_files))
    }

    /// Returns the accounts that the repository is shared with.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a value that git rejects.
    pub(crate) fn sharing(&self) -> Result<Sharing, Error> {
        let fail = |source: git2::Error| match source.code() {
            ErrorCode::Invalid => {
                let message = format!("{self}: {}", source.message());
                Error::new(ErrorKind::InvalidArg, message)
            }
            _ => git_error(format!("cannot read `core.sharedRepository` of {self}"), source),
        };
        sharing(&self.git).map_err(fail)
    }
}

pub(in crate::repo) fn sharing(git: &Repository) -> Result<Sharing, git2::Error> {
    let config = git.config()?;
    let entry = match config.get_entry(KEY) {
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(Sharing::default()),
        entry => entry?,
    };
    let value = entry.has_value().then(|| String::from_utf8_lossy(entry.value_bytes()));
    Sharing::parse(value.as_deref()).ok_or_else(|| {
        let value = value.unwrap_or_default();
        let message = format!(
            "invalid value `{value}` for `core.sharedRepository`: expected a value such as \
             `umask`, `group` or `0660`"
        );
        git2::Error::new(ErrorCode::Invalid, ErrorClass::Config, message)
    })
}

/// Shares the file of a ref that was just moved, its log, and their directories.
pub(in crate::repo) fn share_ref(git: &Repository, name: &str) -> Result<(), git2::Error> {
    let common_dir = git.commondir();
    for file in [common_dir.join(name), common_dir.join("logs").join(name)] {
        // git itself shares the git directory.
        share(git, file.ancestors().take_while(|path| *path != common_dir))?;
    }
    Ok(())
}

/// Shares the file of packed refs. libgit2 writes a new one when it removes a ref.
pub(in crate::repo) fn share_removed(git: &Repository) -> Result<(), git2::Error> {
    share(git, [&*git.commondir().join("packed-refs")])
}

/// Shares files of the git directory.
pub(in crate::repo) fn share<'a>(
    git: &Repository,
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<(), git2::Error> {
    let sharing = sharing(git)?;
    let failed = |path: &Path, error: io::Error| unshared(path.display(), &error);
    paths.into_iter().try_for_each(|path| sharing.adjust(path).map_err(|error| failed(path, error)))
}

fn unshared(path: impl fmt::Display, error: &io::Error) -> git2::Error {
    let message =
        format!("cannot set the permissions of `{path}` for `core.sharedRepository`: {error}");
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Os, message)
}
