//! [`Scratch`]: a build directory that belongs to no job and is removed after one use.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use crate::model::stored_names::builds;
use crate::util::state_file;
use crate::{
    model::{error::Error, not_removed::NotRemoved},
    workspace::{
        build::{Build, BuildLock, is_run_id},
        layout::Workspace,
        remove::remove,
    },
};

const PREFIX: &str = builds::SCRATCH;

/// The name of the file that marks a directory to keep.
const KEPT: &str = builds::KEPT;

/// The time for which such a directory is kept. Users inspect it soon.
const KEPT_TIME: Duration = Duration::from_secs(24 * 3600);

/// A scratch directory in use. No other call removes it meanwhile.
pub(crate) struct Scratch {
    build: Build,
    build_lock: BuildLock,
}

impl Workspace {
    /// Creates a scratch directory for the call with this id.
    ///
    /// # Errors
    ///
    /// As [`Build::prepare`].
    pub(crate) fn scratch(
        &self,
        run: &str,
        is_canceled: &dyn Fn() -> bool,
    ) -> Result<Scratch, Error> {
        let build = self.build(&format!("{PREFIX}{run}"));
        let build_lock = build.prepare(is_canceled)?;
        Ok(Scratch { build, build_lock })
    }

    /// Removes a scratch directory that a killed call left, or that was kept long enough. Does not
    /// remove one in use.
    pub(super) fn remove_scratch(&self, name: &str) -> Option<NotRemoved> {
        let build = self.build(name);
        if is_kept(&build.dir().join(KEPT)) {
            return None;
        }
        match build.take() {
            Ok(None) => None,
            Ok(Some(_alone)) => try_remove(build.dir()),
            Err(error) => Some(NotRemoved::new(build.dir(), &error)),
        }
    }
}

impl Scratch {
    pub(crate) fn build(&self) -> &Build {
        &self.build
    }

    /// Returns another descriptor of the lock that keeps it in use.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the process has no free file descriptor.
    pub(crate) fn share(&self) -> Result<File, Error> {
        self.build_lock.share(self.build.dir())
    }

    /// Ends its use, and keeps it for a day.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the mark cannot be written.
    pub(crate) fn keep(self) -> Result<(), Error> {
        let path = self.build.dir().join(KEPT);
        state_file::create(&path)
            .map(drop)
            .map_err(|source| Error::io("keep the export with", &path, source))
    }

    /// Removes it. Returns what could not be removed.
    pub(crate) fn remove(self) -> Option<NotRemoved> {
        try_remove(self.build.dir())
    }
}

/// Returns true if this is the name of a scratch directory.
pub(super) fn is_scratch(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(is_run_id)
}

fn is_kept(mark: &Path) -> bool {
    let written = fs::symlink_metadata(mark).and_then(|mark| mark.modified());
    let age = written.ok().map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
    age.is_some_and(|age| age < KEPT_TIME)
}

fn try_remove(path: &Path) -> Option<NotRemoved> {
    remove(path).err().map(|error| NotRemoved::new(path, &error))
}
