//! Builds, packed.

use super::archive;
use crate::{
    model::{
        cancel::CancelView,
        error::{Error, ErrorKind},
        not_removed::NotRemoved,
    },
    rules::retention::{Kept, retention},
    wire::{self, NotRemovedJson},
    workspace::{Build, BuildsFolder, Workspace},
};
use serde::Serialize;
use std::{
    borrow::Cow,
    fs::{self, File},
    path::{Path, PathBuf},
};

/// Which builds to leave as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactOptions {
    /// How many of the newest builds to leave. 1 unless said.
    pub keep: usize,
    /// More builds to leave: each a folder's name, a path of or in such a folder, a link to one, or
    /// a commit's full or short id.
    pub keep_builds: Vec<String>,
}

impl CompactOptions {
    /// Leaves the newest build and packs all others.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves this many of the newest builds.
    #[must_use]
    pub fn keep(mut self, newest: usize) -> Self {
        self.keep = newest;
        self
    }

    /// Leaves this build too.
    #[must_use]
    pub fn keep_build(mut self, build: impl Into<String>) -> Self {
        let build = build.into();
        // A name alone is that of a build, wherever the program is.
        let path = build.contains('/').then(|| std::path::absolute(&build).ok()).flatten();
        let path = path.and_then(|path| path.to_str().map(str::to_owned));
        self.keep_builds.push(path.unwrap_or(build));
        self
    }
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self { keep: 1, keep_builds: Vec::new() }
    }
}

/// What compacting did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactReport {
    /// The builds that are archives now, oldest first.
    pub compacted: Vec<CompactedBuild>,
    /// Of [`CompactOptions::keep_builds`], what names no build that is there.
    pub unmatched: Vec<String>,
    /// What was to be packed, or was packed and then to go, and is still there, and why. The rest
    /// went on.
    pub not_removed: Vec<NotRemoved>,
}

impl CompactReport {
    /// As one line of JSON: `compacted`, each with `name`, `archive` and `omitted`; `unmatched`,
    /// and `not_removed`, each with `path` and `reason`.
    ///
    /// ```
    /// let expected = r#"{"v":1,"compacted":[],"unmatched":[],"not_removed":[]}"#;
    /// assert_eq!(tinyci::builds::CompactReport::default().to_json(), expected);
    /// ```
    pub fn to_json(&self) -> String {
        wire::json(&CompactReportJson {
            v: wire::VERSION,
            compacted: self.compacted.iter().map(CompactedJson::of).collect(),
            unmatched: &self.unmatched,
            not_removed: NotRemovedJson::list(&self.not_removed),
        })
    }
}

#[derive(Serialize)]
pub(super) struct CompactReportJson<'a> {
    pub(super) v: u32,
    pub(super) compacted: Vec<CompactedJson<'a>>,
    pub(super) unmatched: &'a [String],
    pub(super) not_removed: Vec<NotRemovedJson<'a>>,
}

#[derive(Serialize)]
pub(super) struct CompactedJson<'a> {
    pub(super) name: &'a str,
    pub(super) archive: Cow<'a, str>,
    pub(super) omitted: Vec<Cow<'a, str>>,
}

impl<'a> CompactedJson<'a> {
    pub(super) fn of(build: &'a CompactedBuild) -> Self {
        let omitted = build.omitted.iter().map(|path| path.to_string_lossy());
        Self {
            name: &build.name,
            archive: build.archive.to_string_lossy(),
            omitted: omitted.collect(),
        }
    }
}

/// A build that is an archive now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactedBuild {
    /// The name of the folder that it was.
    pub name: String,
    /// The archive.
    pub archive: PathBuf,
    /// Sockets and devices that the build held: no archive can.
    pub omitted: Vec<PathBuf>,
}

/// Archives old builds and removes their folders. A builds folder that is not there holds none.
///
/// `kept` says which builds stay, old or not; it is asked again before each. A build that a run or
/// a deployment works in is passed over, and none can begin in one that is being packed. A second
/// call in the same folder is refused.
///
/// A build of which a file cannot be read or changes meanwhile, or in which something is mounted, is
/// left as it was, and told.
///
/// # Errors
///
/// [`Busy`](crate::ErrorKind::Busy) if another call is at work in this folder,
/// [`Canceled`](crate::ErrorKind::Canceled), or [`Io`](crate::ErrorKind::Io) if the folder cannot be
/// read. The builds before a cancel are compacted.
pub(crate) fn compact(
    workspace: &Workspace,
    options: &CompactOptions,
    kept: &mut dyn FnMut() -> Result<Kept, Error>,
    cancel: &CancelView,
) -> Result<CompactReport, Error> {
    let leave: Vec<String> = options.keep_builds.iter().map(|word| resolved(word)).collect();
    let Some(folder) = workspace.builds_folder()? else {
        let unmatched = leave.into_iter().filter(|word| !word.trim().is_empty()).collect();
        return Ok(CompactReport { unmatched, ..CompactReport::default() });
    };
    let not_removed = folder.clear_leftovers()?;
    let names = folder.build_names()?;
    let dated = names.iter().map(|name| (name.as_str(), workspace.build(name).last_run()));
    let retention = retention(dated, options.keep, &leave, &kept()?);
    let unmatched = retention.unmatched.into_iter().map(str::to_owned).collect();
    let mut done = CompactReport { compacted: Vec::new(), unmatched, not_removed };
    for build in retention.old {
        let build = workspace.build(build.as_str());
        let left = replace(&folder, &build, kept, cancel, &mut done.compacted)?;
        done.not_removed.extend(left);
    }
    Ok(done)
}

/// Puts an archive in the place of a build's folder, unless somebody works in that or it has to stay.
/// Returns what does not go. Only a cancel is an error, and not to know which builds stay.
pub(super) fn replace(
    folder: &BuildsFolder<'_>,
    build: &Build,
    kept: &mut dyn FnMut() -> Result<Kept, Error>,
    cancel: &CancelView,
    compacted: &mut Vec<CompactedBuild>,
) -> Result<Option<NotRemoved>, Error> {
    let stays = |error: &Error| Ok(Some(NotRemoved::new(build.dir(), error)));
    let _taken = match build.take() {
        Ok(Some(taken)) => taken,
        Ok(None) => return Ok(None),
        Err(error) => return stays(&error),
    };
    if is_unfinished(build) || kept()?.has(build.name()) {
        return Ok(None);
    }
    if let Err(left) = folder.refuse_mounts(build.name()) {
        return Ok(Some(left));
    }
    match pack(folder, build, cancel) {
        Err(error) if error.kind() == ErrorKind::Canceled => Err(error),
        Err(error) => stays(&error),
        Ok(packed) => {
            compacted.push(packed);
            Ok(folder.remove_build(build.name()).err())
        }
    }
}

/// Whether a job is at an end that left no whole build, while the archive holds the one before: it
/// must not take the place of that.
pub(super) fn is_unfinished(build: &Build) -> bool {
    let stamp = build.stamp().filter(|_| build.archive_path().exists());
    stamp.is_some_and(|stamp| stamp.finished.is_none())
}

/// A path without the links in it, since a deployment's link leads to the build that it names.
pub(super) fn resolved(word: &str) -> String {
    let path = word.contains('/').then(|| fs::canonicalize(word).ok()).flatten();
    path.and_then(|path| path.to_str().map(str::to_owned)).unwrap_or_else(|| word.to_owned())
}

/// Makes an archive of this build, beside its folder.
pub(super) fn pack(
    folder: &BuildsFolder<'_>,
    build: &Build,
    cancel: &CancelView,
) -> Result<CompactedBuild, Error> {
    let (archive, name) = (build.archive_path(), build.name());
    let unfinished = folder.unfinished_archive(name);
    let written = write(folder, build, &unfinished, cancel).and_then(|skipped| {
        rename(&unfinished, &archive)?;
        Ok(skipped)
    });
    let skipped = written.inspect_err(|_| {
        // The error that is told is the first; this file goes with the next call at the latest.
        let _ = fs::remove_file(&unfinished);
    })?;
    folder.sync()?;
    Ok(CompactedBuild { name: name.to_owned(), archive, omitted: skipped })
}

/// Writes a build's archive to this path and brings it to disk. It is as old as the build: of one
/// that no job wrote its time into, that is all that tells.
pub(super) fn write(
    folder: &BuildsFolder<'_>,
    build: &Build,
    path: &Path,
    cancel: &CancelView,
) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::io("write the archive", path, source);
    let last_written = build.last_written();
    let file = File::create_new(path).map_err(failed)?;
    build.sharing().adjust_open(&file).map_err(failed)?;
    let stamp = build.stamp_text();
    let (parent, name) = ((folder.handle(), folder.path()), build.name());
    let (file, skipped) = archive::write((file, path), parent, name, stamp, cancel)?;
    if let Some(time) = last_written {
        file.set_modified(time).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    Ok(skipped)
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| {
        let what = format!("rename `{}` to", from.display());
        Error::io(&what, to, source)
    })
}

#[cfg(test)]
mod tests;
