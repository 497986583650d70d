//! Shares the files that libgit2 writes with the accounts of the repository. libgit2 follows the
//! umask and ignores `core.sharedRepository`.
//!
//! tinyci writes every object and every ref through this file.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

use git2::{ErrorClass, ErrorCode, ObjectType, Oid, Repository};

use crate::repo::repository::{Repo, git_error};
use crate::{
    model::{
        error::{Error, ErrorKind},
        stored_names::state,
    },
    util::sharing::Sharing,
};

const KEY: &str = "core.sharedrepository";

impl Repo {
    /// Writes a file of tinyci's state atomically.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if it cannot be written.
    pub(crate) fn write_state(&self, name: &str, text: &[u8]) -> Result<(), Error> {
        let (sharing, dir) = (self.sharing()?, self.common_dir().join(state::DIR));
        let written = sharing.create_dir_below(self.common_dir(), &dir).and_then(|()| {
            let mut file = sharing.new_file_in(&dir, &format!("{name}."))?;
            file.write_all(text)?;
            Ok(file.persist(dir.join(name)).map(drop)?)
        });
        written.map_err(|source| Error::io("write", &dir.join(name), source))
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

/// Writes and shares an object.
pub(in crate::repo) fn write_object(
    git: &Repository,
    kind: ObjectType,
    data: &[u8],
) -> Result<Oid, git2::Error> {
    let id = git.odb()?.write(kind, data)?;
    share_object(git, id)?;
    Ok(id)
}

/// Writes and shares the empty tree.
pub(in crate::repo) fn empty_tree(git: &Repository) -> Result<Oid, git2::Error> {
    write_object(git, ObjectType::Tree, b"")
}

/// Shares the file of an object that was just written, and its directory. If the object is in a
/// pack, there is nothing to share.
pub(in crate::repo) fn share_object(git: &Repository, id: Oid) -> Result<(), git2::Error> {
    let id = id.to_string();
    let (fan_out, name) = id.split_at(2);
    let folder = git.commondir().join("objects").join(fan_out);
    share(git, [&*folder, &folder.join(name)])
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
