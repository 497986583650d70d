//! Old builds become archives: `builds/<name>/` becomes `builds/<name>.tar.gz`.
//!
//! At no moment is a build neither there nor in a whole archive. The archive is written beside its
//! place (`….tar.gz.new`), brought to disk and renamed; then the folder is renamed aside
//! (`….removed`), and only then taken apart: a half-removed folder under a build's own name would
//! be archived over the good archive by the next call. What a killed call leaves under those two
//! names, the next one clears away. No other name below `builds/` is touched.

mod archive;
mod restore;

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

pub(crate) use self::restore::restore;
use crate::{
    cancel::CancelView,
    commit::CommitId,
    error::{Error, ErrorKind},
    retention::{BuildName, retention},
    workspace::{Workspace, remove},
};

const ARCHIVE: &str = ".tar.gz";
const UNFINISHED_ARCHIVE: &str = ".tar.gz.new";
const REMOVED_FOLDER: &str = ".removed";

/// Which builds to leave as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactOptions {
    /// How many of the newest builds to leave. 1 unless said.
    pub newest: usize,
    /// More builds to leave: each a folder's name, a path of or in such a folder, a link to one, or
    /// a commit's full or short id.
    pub leave: Vec<String>,
}

impl CompactOptions {
    /// Leaves the newest build and packs all others.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves this many of the newest builds.
    #[must_use]
    pub fn newest(mut self, newest: usize) -> Self {
        self.newest = newest;
        self
    }

    /// Leaves this build too.
    #[must_use]
    pub fn leave(mut self, build: impl Into<String>) -> Self {
        self.leave.push(build.into());
        self
    }
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self { newest: 1, leave: Vec::new() }
    }
}

/// What compacting did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// The builds that are archives now, oldest first.
    pub compacted: Vec<Compacted>,
    /// Of [`CompactOptions::leave`], what names no build that is there.
    pub unmatched: Vec<String>,
}

/// A build that is an archive now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// The name of the folder that it was.
    pub name: String,
    /// The archive.
    pub archive: PathBuf,
    /// Sockets and devices that the build held: no archive can.
    pub skipped: Vec<PathBuf>,
}

/// Archives old builds and removes their folders. A builds folder that is not there holds none.
///
/// `pinned` are commits whose builds stay, old or not: what is deployed. A build that a run or a
/// deployment works in is passed over, and none can begin in one that is being packed. A
/// second call in the same folder is refused.
///
/// # Errors
///
/// [`Busy`](ErrorKind::Busy) if another call is at work in this folder,
/// [`Canceled`](ErrorKind::Canceled), or [`Io`](ErrorKind::Io) naming the file that could not be
/// read or changed meanwhile. The build at which it stops is left as it was; those before it are
/// compacted.
pub(crate) fn compact(
    workspace: &Workspace,
    options: &CompactOptions,
    pinned: &[CommitId],
    cancel: &CancelView,
) -> Result<Compaction, Error> {
    let folder = Folder::lock(workspace.builds_dir())?;
    let Some(folder) = folder else { return Ok(Compaction::default()) };
    folder.clear_leftovers()?;
    let names = folder.build_names()?;
    let leave: Vec<String> = options.leave.iter().map(|word| resolved(word)).collect();
    let retention = retention(names.iter().map(String::as_str), options.newest, &leave);
    let pinned: Vec<String> = pinned.iter().map(CommitId::to_string).collect();
    let is_pinned = |build: &BuildName<'_>| pinned.iter().any(|id| build.as_str().ends_with(id));
    let mut compacted = Vec::new();
    for build in retention.old.into_iter().filter(|build| !is_pinned(build)) {
        let Some(_taken) = workspace.build(build.as_str()).take()? else { continue };
        compacted.push(folder.compact(build.as_str(), cancel)?);
    }
    let unmatched = retention.unmatched.into_iter().map(str::to_owned).collect();
    Ok(Compaction { compacted, unmatched })
}

/// A path without the links in it, since a deployment's link leads to the build that it names.
fn resolved(word: &str) -> String {
    let path = word.contains('/').then(|| fs::canonicalize(word).ok()).flatten();
    path.and_then(|path| path.to_str().map(str::to_owned)).unwrap_or_else(|| word.to_owned())
}

/// A folder of builds that no other call compacts meanwhile.
struct Folder<'a> {
    path: &'a Path,
    /// Holds the lock.
    dir: File,
}

impl Drop for Folder<'_> {
    /// Closing is not enough: a child that another thread is just starting shares the open file,
    /// and with it the lock, until it has become its own program.
    fn drop(&mut self) {
        let _ = self.dir.unlock();
    }
}

impl<'a> Folder<'a> {
    fn lock(path: &'a Path) -> Result<Option<Self>, Error> {
        let dir = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            dir => dir.map_err(|source| Error::io("open the builds folder", path, source))?,
        };
        match dir.try_lock() {
            Ok(()) => Ok(Some(Self { path, dir })),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process is compacting in `{}`", path.display());
                Err(Error::new(ErrorKind::Busy, message).with_path(path))
            }
            Err(TryLockError::Error(source)) => {
                Err(Error::io("lock the builds folder", path, source))
            }
        }
    }

    /// Removes what a killed call left.
    fn clear_leftovers(&self) -> Result<(), Error> {
        for name in self.names()? {
            let of_build = |suffix| name.strip_suffix(suffix).and_then(BuildName::parse).is_some();
            let path = self.path.join(&name);
            if of_build(UNFINISHED_ARCHIVE) {
                fs::remove_file(&path).map_err(|source| Error::io("remove", &path, source))?;
            } else if of_build(REMOVED_FOLDER) {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// The builds that are folders. A link in a build's place is none.
    fn build_names(&self) -> Result<Vec<String>, Error> {
        let mut names = self.names()?;
        names.retain(|name| {
            let is_folder =
                || fs::symlink_metadata(self.path.join(name)).is_ok_and(|it| it.is_dir());
            BuildName::parse(name).is_some() && is_folder()
        });
        Ok(names)
    }

    /// Everything in the folder whose name is a text, as the names of tinyci's own are.
    fn names(&self) -> Result<Vec<String>, Error> {
        let failed = |source| Error::io("read the builds in", self.path, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn compact(&self, name: &str, cancel: &CancelView) -> Result<Compacted, Error> {
        let place = |suffix| self.path.join(format!("{name}{suffix}"));
        let (unfinished, archive) = (place(UNFINISHED_ARCHIVE), place(ARCHIVE));
        let written = self.write(name, &unfinished, cancel).and_then(|skipped| {
            rename(&unfinished, &archive)?;
            Ok(skipped)
        });
        let skipped = written.inspect_err(|_| {
            // The error that is told is the first; this file goes with the next call at the latest.
            let _ = fs::remove_file(&unfinished);
        })?;
        self.sync()?;
        let removed = place(REMOVED_FOLDER);
        rename(&self.path.join(name), &removed)?;
        self.sync()?;
        remove(&removed)?;
        Ok(Compacted { name: name.to_owned(), archive, skipped })
    }

    /// Writes a build's archive to this path and brings it to disk.
    fn write(&self, name: &str, path: &Path, cancel: &CancelView) -> Result<Vec<PathBuf>, Error> {
        let failed = |source| Error::io("write the archive", path, source);
        let file = File::create_new(path).map_err(failed)?;
        let (file, skipped) = archive::write(file, path, &self.dir, self.path, name, cancel)?;
        file.sync_all().map_err(failed)?;
        Ok(skipped)
    }

    /// Brings renames to disk before what depends on them happens.
    fn sync(&self) -> Result<(), Error> {
        self.dir.sync_all().map_err(|source| Error::io("write to disk", self.path, source))
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| {
        let what = format!("rename `{}` to", from.display());
        Error::io(&what, to, source)
    })
}

#[cfg(test)]
mod tests;
