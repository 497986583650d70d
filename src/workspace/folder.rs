//! [`BuildsFolder`]: the folder of builds, for one caller at a time that packs or removes some.
//!
//! A build's folder is renamed aside (`….removed`) before it is taken apart: a half-removed folder
//! under a build's own name would be archived over the good archive by the next compaction. An
//! archive is written as `….tar.gz.new` and renamed once it is whole. What a killed call leaves
//! under those two names, and what did not go, the next one clears away. No other name below
//! `builds/` is touched.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::model::stored_names::builds;
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

/// The folder of builds, in which nobody else packs or removes any meanwhile. Runs go on.
pub(crate) struct BuildsFolder<'a> {
    workspace: &'a Workspace,
    path: &'a Path,
    /// Holds the lock.
    dir: File,
}

impl Drop for BuildsFolder<'_> {
    /// Closing is not enough: a child that another thread is just starting shares the open file,
    /// and with it the lock, until it has become its own program.
    fn drop(&mut self) {
        let _ = self.dir.unlock();
    }
}

impl Workspace {
    /// Takes the folder of builds to pack or remove some; none where there is no such folder.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if it is another repository's,
    /// [`Busy`](ErrorKind::Busy) where another caller has it, [`Io`](ErrorKind::Io) where it cannot
    /// be opened or locked.
    pub(crate) fn builds_folder(&self) -> Result<Option<BuildsFolder<'_>>, Error> {
        self.own_builds()?;
        let path = self.builds_dir();
        let dir = match File::open(path) {
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

    /// Whether there may be something that [`BuildsFolder::clear_leftovers`] removes.
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

    /// The folder, opened.
    pub(crate) fn handle(&self) -> &File {
        &self.dir
    }

    /// Where the archive of this build is written before it is whole.
    pub(crate) fn unfinished_archive(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{UNFINISHED_ARCHIVE}"))
    }

    /// Removes what a killed call left, and tries again what did not go. Returns what still does
    /// not.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the folder cannot be read.
    pub(crate) fn clear_leftovers(&self) -> Result<Vec<NotRemoved>, Error> {
        let mut left = Vec::new();
        unfinished::remove_abandoned(self.path);
        let (scratch, others): (Vec<_>, Vec<_>) =
            self.names()?.into_iter().partition(|name| is_scratch(name));
        left.extend(scratch.iter().filter_map(|name| self.workspace.remove_scratch(name)));
        for name in others.into_iter().filter(|name| is_leftover(name)) {
            let path = self.path.join(&name);
            let is_archive = name.ends_with(UNFINISHED_ARCHIVE);
            let gone = if is_archive { remove_file(&path) } else { remove(&path) };
            if let Err(error) = gone {
                left.push(NotRemoved::new(path, &error));
            }
        }
        Ok(left)
    }

    /// The builds that are folders. A link in a build's place is none.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where the folder cannot be read.
    pub(crate) fn build_names(&self) -> Result<Vec<String>, Error> {
        let mut names = self.names()?;
        names.retain(|name| BuildName::parse(name).is_some() && self.has_folder(name));
        Ok(names)
    }

    /// The builds that are archives.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where the folder cannot be read.
    pub(crate) fn archive_names(&self) -> Result<Vec<String>, Error> {
        let names = self.names()?.into_iter();
        let build = |name: String| name.strip_suffix(builds::ARCHIVE).map(str::to_owned);
        Ok(names.filter_map(build).filter(|name| BuildName::parse(name).is_some()).collect())
    }

    /// Whether this name is a folder's, and no link's.
    pub(crate) fn has_folder(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path.join(name)).is_ok_and(|it| it.is_dir())
    }

    /// Everything in the folder whose name is a text, as the names of tinyci's own are.
    fn names(&self) -> Result<Vec<String>, Error> {
        let failed = |source| Error::io("list the builds in", self.path, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        Ok(names)
    }

    /// Looks whether something is mounted in a build's folder, which then stays as it is.
    ///
    /// # Errors
    ///
    /// That folder, and what is mounted there.
    pub(crate) fn refuse_mounts(&self, name: &str) -> Result<(), NotRemoved> {
        let folder = self.path.join(name);
        Mounts::now().refuse(&folder).map_err(|error| NotRemoved::new(folder, &error))
    }

    /// Takes a build's folder away, which the caller has [taken](super::build::Build::take). What does not
    /// go stands aside, and is no build any more.
    ///
    /// # Errors
    ///
    /// What is left, where it is now, and why.
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
        let gone = self.sync().and_then(|()| remove(&aside));
        gone.map_err(|error| NotRemoved::new(aside, &error))
    }

    /// Brings renames to disk before what depends on them happens.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where the disk refuses.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.dir.sync_all().map_err(|source| Error::io("sync", self.path, source))
    }
}

/// Whether this is the name of an unfinished archive, or of a folder that is being removed.
fn is_leftover(name: &str) -> bool {
    let is_build = |name| BuildName::parse(name).is_some();
    let aside = name.split_once('.').filter(|(_, rest)| is_aside(rest, REMOVED_FOLDER));
    name.strip_suffix(UNFINISHED_ARCHIVE).is_some_and(is_build)
        || aside.is_some_and(|(build, _)| is_build(build))
}
