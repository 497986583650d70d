//! [`BuildsFolder`]: the lock of the builds directory, for one call at a time that packs or removes
//! builds.
//!
//! A build directory is renamed (`….removed`) before any of its contents are removed. Otherwise the
//! next compaction could replace a good archive with a half-removed build. An archive is written as
//! `….tar.gz.new` and renamed when it is complete. The next call removes what a killed call or a
//! failed removal left under these names. tinyci does not touch other names in `builds/`.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::model::stored_names::builds;
use crate::util::state_file;
use crate::{
    model::{
        error::{Error, ErrorKind},
        not_removed::NotRemoved,
    },
    rules::retention::BuildName,
    util::unfinished::{self, is_unfinished},
    workspace::{
        aside::{is_aside, rename_aside},
        layout::Workspace,
        mounts::Mounts,
        remove::{remove, remove_file},
        scratch::is_scratch,
    },
};

const UNFINISHED_ARCHIVE: &str = ".tar.gz.new";
const REMOVED_FOLDER: &str = "removed";

/// The locked builds directory. No other call packs or removes builds meanwhile, but runs continue.
pub(crate) struct BuildsFolder<'a> {
    workspace: &'a Workspace,
    path: &'a Path,
    /// The open directory, which has the lock.
    dir: File,
}

impl Drop for BuildsFolder<'_> {
    /// Unlocks explicitly. Closing the file is not enough while a child that another thread starts
    /// has inherited it.
    fn drop(&mut self) {
        let _ = self.dir.unlock();
    }
}

impl Workspace {
    /// Locks the builds directory, to pack or remove builds. Returns `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if it belongs to another repository;
    /// [`Busy`](ErrorKind::Busy) if another call has the lock; [`Io`](ErrorKind::Io) if it cannot
    /// be opened or locked.
    pub(crate) fn builds_folder(&self) -> Result<Option<BuildsFolder<'_>>, Error> {
        self.own_builds()?;
        let path = self.builds_dir();
        let dir = match state_file::open_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            dir => dir.map_err(|source| Error::io("open the builds directory", path, source))?,
        };
        match dir.try_lock() {
            Ok(()) => Ok(Some(BuildsFolder { workspace: self, path, dir })),
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "another process is packing or removing builds in `{}`",
                    path.display()
                );
                Err(Error::new(ErrorKind::Busy, message).with_path(path))
            }
            Err(TryLockError::Error(source)) => {
                Err(Error::io("lock the builds directory", path, source))
            }
        }
    }

    /// Returns true if [`BuildsFolder::clear_leftovers`] may have something to remove.
    pub(crate) fn has_leftovers(&self) -> bool {
        let entries = fs::read_dir(self.builds_dir()).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| {
            name.to_str()
                .is_some_and(|name| is_leftover(name) || is_scratch(name) || is_unfinished(name))
        })
    }
}

impl BuildsFolder<'_> {
    pub(crate) fn path(&self) -> &Path {
        self.path
    }

    /// Returns the open directory.
    pub(crate) fn handle(&self) -> &File {
        &self.dir
    }

    /// Returns the path of this build's archive while it is incomplete.
    pub(crate) fn unfinished_archive(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{UNFINISHED_ARCHIVE}"))
    }

    /// Removes what killed calls and failed removals left. Returns what still cannot be removed.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the directory cannot be read.
    pub(crate) fn clear_leftovers(&self) -> Result<Vec<NotRemoved>, Error> {
        let mut left = Vec::new();
        unfinished::remove_abandoned(self.path);
        let (scratch, others): (Vec<_>, Vec<_>) =
            self.names()?.into_iter().partition(|name| is_scratch(name));
        left.extend(scratch.iter().filter_map(|name| self.workspace.remove_scratch(name)));
        for name in others.into_iter().filter(|name| is_leftover(name)) {
            let path = self.path.join(&name);
            let is_archive = name.ends_with(UNFINISHED_ARCHIVE);
            let removed = if is_archive { remove_file(&path) } else { remove(&path) };
            if let Err(error) = removed {
                left.push(NotRemoved::new(path, &error));
            }
        }
        Ok(left)
    }

    /// Returns the names of the builds that are directories. Links do not count.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the directory cannot be read.
    pub(crate) fn build_names(&self) -> Result<Vec<String>, Error> {
        let mut names = self.names()?;
        names.retain(|name| BuildName::parse(name).is_some() && self.has_folder(name));
        Ok(names)
    }

    /// Returns the names of the builds that are archives.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the directory cannot be read.
    pub(crate) fn archive_names(&self) -> Result<Vec<String>, Error> {
        let names = self.names()?.into_iter();
        let build = |name: String| name.strip_suffix(builds::ARCHIVE).map(str::to_owned);
        Ok(names.filter_map(build).filter(|name| BuildName::parse(name).is_some()).collect())
    }

    /// Returns true if this name is a directory and not a link.
    pub(crate) fn has_folder(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path.join(name)).is_ok_and(|it| it.is_dir())
    }

    /// Returns all names in the directory that are UTF-8, as those of tinyci are.
    fn names(&self) -> Result<Vec<String>, Error> {
        let failed = |source| Error::io("list the builds in", self.path, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        Ok(names)
    }

    /// Checks that nothing is mounted in a build directory.
    ///
    /// # Errors
    ///
    /// The directory and the mount, if there is one. The build must then remain.
    pub(crate) fn refuse_mounts(&self, name: &str) -> Result<(), NotRemoved> {
        let folder = self.path.join(name);
        Mounts::now().refuse(&folder).map_err(|error| NotRemoved::new(folder, &error))
    }

    /// Removes a build directory that the caller has [locked](super::build::Build::take). If a part
    /// cannot be removed, it gets a temporary name and is no longer a build.
    ///
    /// # Errors
    ///
    /// The rest of the directory, its path, and the reason.
    pub(crate) fn remove_build(&self, name: &str) -> Result<(), NotRemoved> {
        self.refuse_mounts(name)?;
        let folder = self.path.join(name);
        let aside = match rename_aside(&folder, &self.path.join(format!("{name}.{REMOVED_FOLDER}")))
        {
            Ok(aside) => aside,
            Err(source) => {
                let error = Error::io("rename", &folder, source);
                return Err(NotRemoved::new(folder, &error));
            }
        };
        let removed = self.sync().and_then(|()| remove(&aside));
        removed.map_err(|error| NotRemoved::new(aside, &error))
    }

    /// Syncs renames to the disk before actions that depend on them.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if syncing fails.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.dir.sync_all().map_err(|source| Error::io("sync", self.path, source))
    }
}

/// Returns true if this is the name of an unfinished archive, or of a directory that is being
/// removed.
fn is_leftover(name: &str) -> bool {
    let is_build = |name| BuildName::parse(name).is_some();
    let aside = name.split_once('.').filter(|(_, rest)| is_aside(rest, REMOVED_FOLDER));
    name.strip_suffix(UNFINISHED_ARCHIVE).is_some_and(is_build)
        || aside.is_some_and(|(build, _)| is_build(build))
}
