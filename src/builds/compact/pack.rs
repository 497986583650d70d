//! Selecting and packing old builds.

use super::archive::{self, ArchiveFile, SourceDir};
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

/// The builds to keep unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactOptions {
    /// The number of newest builds to keep. The default is 1.
    pub keep: usize,
    /// More builds to keep. Each is the name of a build directory, a path in it, a symbolic link to
    /// it, or a full or short commit id.
    pub keep_builds: Vec<String>,
}

impl CompactOptions {
    /// Keeps the newest build and packs all others.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of newest builds to keep.
    #[must_use]
    pub fn keep(mut self, newest: usize) -> Self {
        self.keep = newest;
        self
    }

    /// Keeps this build too.
    #[must_use]
    pub fn keep_build(mut self, build: impl Into<String>) -> Self {
        let build = build.into();
        // A name without a slash is the name of a build, not a relative path.
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

/// The result of compacting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactReport {
    /// The packed builds, oldest first.
    pub compacted: Vec<CompactedBuild>,
    /// The entries of [`CompactOptions::keep_builds`] that match no build.
    pub unmatched: Vec<String>,
    /// The builds that could not be packed or removed, and why. The others were still packed.
    pub not_removed: Vec<NotRemoved>,
}

impl CompactReport {
    /// Returns one line of JSON. `compacted` lists `name`, `archive` and `omitted`; `not_removed`
    /// lists `path` and `reason`. The other key is `unmatched`.
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

/// A packed build.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactedBuild {
    /// The name of its former directory.
    pub name: String,
    /// The path of the archive.
    pub archive: PathBuf,
    /// The sockets and devices in the build, which an archive cannot contain.
    pub omitted: Vec<PathBuf>,
}

/// Packs old builds and removes their directories. A missing builds directory counts as empty.
///
/// `kept` returns the builds to keep, and is called again before each build. Builds that a run or
/// deployment is using are ignored, and none can start in a build that is being packed. A second
/// call in the same directory is refused.
///
/// A build stays unchanged if a file cannot be read, changes meanwhile, or something is mounted in
/// it. The report lists it.
///
/// # Errors
///
/// Returns [`Busy`](crate::ErrorKind::Busy) if another call works in this directory,
/// [`Canceled`](crate::ErrorKind::Canceled), or [`Io`](crate::ErrorKind::Io) if the directory
/// cannot be read. Builds packed before a cancellation stay packed.
pub(crate) fn compact(
    workspace: &Workspace,
    options: &CompactOptions,
    kept: &mut dyn FnMut() -> Result<Kept, Error>,
    cancel: &CancelView,
) -> Result<CompactReport, Error> {
    let keep_builds: Vec<String> =
        options.keep_builds.iter().map(|word| resolve_links(word)).collect();
    let Some(builds_dir) = workspace.builds_folder()? else {
        let unmatched = keep_builds.into_iter().filter(|word| !word.trim().is_empty()).collect();
        return Ok(CompactReport { unmatched, ..CompactReport::default() });
    };
    let not_removed = builds_dir.clear_leftovers()?;
    let names = builds_dir.build_names()?;
    let dated = names.iter().map(|name| (name.as_str(), workspace.build(name).last_run()));
    let retention = retention(dated, options.keep, &keep_builds, &kept()?);
    let unmatched = retention.unmatched.into_iter().map(str::to_owned).collect();
    let mut report = CompactReport { compacted: Vec::new(), unmatched, not_removed };
    for build in retention.old {
        let build = workspace.build(build.as_str());
        let left = replace_with_archive(&builds_dir, &build, kept, cancel, &mut report.compacted)?;
        report.not_removed.extend(left);
    }
    Ok(report)
}

/// Replaces a build directory with an archive, unless it is in use or must be kept. Returns what
/// could not be removed. Fails only if canceled, or if it is not known which builds to keep.
pub(super) fn replace_with_archive(
    builds_dir: &BuildsFolder<'_>,
    build: &Build,
    kept: &mut dyn FnMut() -> Result<Kept, Error>,
    cancel: &CancelView,
    compacted: &mut Vec<CompactedBuild>,
) -> Result<Option<NotRemoved>, Error> {
    let not_removed = |error: &Error| Ok(Some(NotRemoved::new(build.dir(), error)));
    let _lock = match build.take() {
        Ok(Some(lock)) => lock,
        Ok(None) => return Ok(None),
        Err(error) => return not_removed(&error),
    };
    if is_unfinished(build) || kept()?.has(build.name()) {
        return Ok(None);
    }
    if let Err(left) = builds_dir.refuse_mounts(build.name()) {
        return Ok(Some(left));
    }
    match pack(builds_dir, build, cancel) {
        Err(error) if error.kind() == ErrorKind::Canceled => Err(error),
        Err(error) => not_removed(&error),
        Ok(packed) => {
            compacted.push(packed);
            Ok(builds_dir.remove_build(build.name()).err())
        }
    }
}

/// Returns true if the last job left no complete build and an archive with the previous build
/// exists. The directory must not replace it.
pub(super) fn is_unfinished(build: &Build) -> bool {
    let stamp = build.stamp().filter(|_| build.archive_path().exists());
    stamp.is_some_and(|stamp| stamp.finished.is_none())
}

/// Resolves symbolic links in a path, because a deployment's link leads to the build to keep.
pub(super) fn resolve_links(word: &str) -> String {
    let path = word.contains('/').then(|| fs::canonicalize(word).ok()).flatten();
    path.and_then(|path| path.to_str().map(str::to_owned)).unwrap_or_else(|| word.to_owned())
}

/// Packs this build into an archive beside its directory.
pub(super) fn pack(
    builds_dir: &BuildsFolder<'_>,
    build: &Build,
    cancel: &CancelView,
) -> Result<CompactedBuild, Error> {
    let (archive, name) = (build.archive_path(), build.name());
    let unfinished = builds_dir.unfinished_archive(name);
    let written = write(builds_dir, build, &unfinished, cancel).and_then(|omitted| {
        rename(&unfinished, &archive)?;
        Ok(omitted)
    });
    let omitted = written.inspect_err(|_| {
        // The first error matters more. The next call removes this file.
        let _ = fs::remove_file(&unfinished);
    })?;
    builds_dir.sync()?;
    Ok(CompactedBuild { name: name.to_owned(), archive, omitted })
}

/// Writes the archive of a build to this path and syncs it. It gets the modification time of the
/// build. Without a recorded time, this is the only date of a build.
pub(super) fn write(
    builds_dir: &BuildsFolder<'_>,
    build: &Build,
    path: &Path,
    cancel: &CancelView,
) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::io("write the archive", path, source);
    let last_written = build.last_written();
    let file = File::create_new(path).map_err(failed)?;
    build.sharing().adjust_open(&file).map_err(failed)?;
    let stamp = build.stamp_text();
    let archive_file = ArchiveFile { file, path, comment: stamp };
    let source = SourceDir {
        parent: builds_dir.handle(),
        parent_path: builds_dir.path(),
        name: build.name(),
    };
    let (file, omitted) = archive::write(archive_file, &source, cancel)?;
    if let Some(time) = last_written {
        file.set_modified(time).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    Ok(omitted)
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| {
        let what = format!("rename `{}` to", from.display());
        Error::io(&what, to, source)
    })
}

#[cfg(test)]
mod tests;
