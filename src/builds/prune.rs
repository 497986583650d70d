//! Pruning: deletes old builds, both directories and archives. Verdicts, records and the log of all
//! runs are kept.
//!
//! [`retention`](crate::rules::retention) decides which builds to remove. Pruning takes the same
//! locks as compacting: only one call at a time changes the builds directory. A build that a run or
//! deployment is using stays.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::{
    model::{
        cancel::CancelView,
        error::{Error, ErrorKind},
        not_removed::NotRemoved,
    },
    rules::retention::{BuildName, Kept, PruneReason, Rules, Stored, surplus},
    util::bytes::format_bytes,
    wire::{self, NotRemovedJson},
    workspace::{Build, BuildsFolder, Mounts, Workspace, remove_file},
};

/// The rules for removing builds. A build is removed if any rule that is set says so.
///
/// ```
/// use std::time::Duration;
/// use tinyci::builds::PruneOptions;
///
/// let month = Duration::from_secs(30 * 24 * 3600);
/// let options = PruneOptions::new().keep(20).max_age(month).dry_run(true);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PruneOptions {
    /// The number of builds to keep: the ones that ran last, and the pinned ones.
    pub keep: Option<usize>,
    /// The maximum time since the last run. Older builds are removed.
    pub max_age: Option<Duration>,
    /// The maximum disk usage of all builds in bytes, including pinned ones. The builds that ran
    /// longest ago are removed first.
    pub max_bytes: Option<u64>,
    /// True to remove nothing and only report what would be removed.
    pub dry_run: bool,
}

impl PruneOptions {
    /// Sets no rules: the repository's settings apply (`tinyci.pruneKeep` and similar).
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of builds to keep.
    #[must_use]
    pub fn keep(mut self, builds: usize) -> Self {
        self.keep = Some(builds);
        self
    }

    /// Sets the maximum time since the last run.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sets the maximum disk usage of all builds in bytes.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Removes nothing, and only reports what would be removed.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Returns true if a rule is set.
    pub(crate) fn has_rule(&self) -> bool {
        self.keep.is_some() || self.max_age.is_some() || self.max_bytes.is_some()
    }
}

/// The result of pruning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PruneReport {
    /// The removed builds, oldest first.
    pub removed: Vec<PrunedBuild>,
    /// The names of builds that were not removed because a run or deployment is using them.
    pub in_use: Vec<String>,
    /// The builds that no rule removes. They are deployed, were deployed before
    /// (`tinyci.keepReleases`), are next, or await an approval. A symbolic link in a directory of
    /// `tinyci.pin` protects a build too.
    pub protected: Vec<ProtectedBuild>,
    /// A warning if the protected builds alone exceed a rule.
    pub warnings: Vec<String>,
    /// The builds that could not be removed, and why. The others were still removed. A dry run
    /// lists only builds that contain a mount.
    pub not_removed: Vec<NotRemoved>,
    /// True if nothing was removed because of [`PruneOptions::dry_run`].
    pub dry_run: bool,
}

impl PruneReport {
    /// Returns the number of bytes that were freed on the disk.
    pub fn freed_bytes(&self) -> u64 {
        self.removed.iter().map(|build| build.bytes).sum()
    }

    /// Returns one line of JSON.
    ///
    /// `removed` lists builds with `name`, `bytes` and `reason`: `count`, `age` or `size`.
    /// `protected` lists builds with `name`, `bytes` and `why`, an array of strings. `not_removed`
    /// lists `path` and `reason`. The other keys are `in_use`, `freed_bytes`, `warnings` and
    /// `dry_run`.
    ///
    /// ```
    /// let expected = concat!(
    ///     r#"{"v":1,"dry_run":false,"removed":[],"in_use":[],"protected":[],"not_removed":[],"#,
    ///     r#""freed_bytes":0,"warnings":[]}"#,
    /// );
    /// assert_eq!(tinyci::builds::PruneReport::default().to_json(), expected);
    /// ```
    pub fn to_json(&self) -> String {
        let removed = self.removed.iter().map(|build| PrunedJson {
            name: &build.name,
            bytes: build.bytes,
            reason: build.reason.name(),
        });
        wire::json(&PruneReportJson {
            v: wire::VERSION,
            dry_run: self.dry_run,
            removed: removed.collect(),
            in_use: &self.in_use,
            protected: self.protected.iter().map(ProtectedJson::of).collect(),
            not_removed: NotRemovedJson::list(&self.not_removed),
            freed_bytes: self.freed_bytes(),
            warnings: &self.warnings,
        })
    }
}

#[derive(Serialize)]
struct PruneReportJson<'a> {
    v: u32,
    dry_run: bool,
    removed: Vec<PrunedJson<'a>>,
    in_use: &'a [String],
    protected: Vec<ProtectedJson<'a>>,
    not_removed: Vec<NotRemovedJson<'a>>,
    freed_bytes: u64,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct ProtectedJson<'a> {
    name: &'a str,
    bytes: u64,
    why: &'a [String],
}

impl<'a> ProtectedJson<'a> {
    fn of(build: &'a ProtectedBuild) -> Self {
        Self { name: &build.name, bytes: build.bytes, why: &build.why }
    }
}

#[derive(Serialize)]
struct PrunedJson<'a> {
    name: &'a str,
    bytes: u64,
    reason: &'static str,
}

/// A removed build.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunedBuild {
    /// The name of its directory.
    pub name: String,
    /// The disk usage in bytes.
    pub bytes: u64,
    /// The rule that removed it.
    pub reason: PruneReason,
}

/// A build that no rule removes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtectedBuild {
    /// The name of its directory.
    pub name: String,
    /// The disk usage in bytes.
    pub bytes: u64,
    /// The reasons, such as `deployed to production`.
    pub why: Vec<String>,
}

/// Removes old builds. A missing builds directory counts as empty. `kept` returns the builds to
/// keep. It is called again before each removal, because a deployment may have started.
///
/// # Errors
///
/// Returns [`Busy`](ErrorKind::Busy) if another call packs or removes builds here,
/// [`Canceled`](ErrorKind::Canceled), or [`Io`](ErrorKind::Io) if the builds directory cannot be
/// read. Builds that cannot be removed are listed in the report.
pub(crate) fn prune(
    workspace: &Workspace,
    options: &PruneOptions,
    kept: &mut dyn FnMut() -> Result<Kept, Error>,
    cancel: &CancelView,
) -> Result<PruneReport, Error> {
    let mut report = PruneReport { dry_run: options.dry_run, ..PruneReport::default() };
    let Some(builds_dir) = workspace.builds_folder()? else { return Ok(report) };
    if !options.dry_run {
        report.not_removed = builds_dir.clear_leftovers()?;
    }
    let mut names = builds_dir.build_names()?;
    names.extend(builds_dir.archive_names()?);
    names.sort();
    names.dedup();
    let (now, mounts) = (SystemTime::now(), Mounts::now());
    let stored = names.iter().filter_map(|name| {
        let build = workspace.build(name);
        let last_run = build.last_run();
        // Builds of TinyCI 0.5 have no recorded time, so use the modification time.
        let since = last_run.or_else(|| build.last_written());
        let age = since.and_then(|time| now.duration_since(time).ok()).unwrap_or_default();
        let bytes = build.disk_bytes(&mounts);
        Some(Stored { name: BuildName::parse(name)?, last_run, age, bytes })
    });
    let rules =
        Rules { keep: options.keep, max_age: options.max_age, max_bytes: options.max_bytes };
    let (stored, first) = (stored.collect::<Vec<_>>(), kept()?);
    report.protected = pinned(&stored, &first);
    report.warnings.extend(limit_warning(&report.protected, options));
    for (build, reason) in surplus(stored, &rules, &first) {
        if cancel.is_canceled() {
            return Err(Error::new(ErrorKind::Canceled, "pruning was canceled"));
        }
        let name = build.name.as_str().to_owned();
        match remove(&builds_dir, &workspace.build(&name), kept, options.dry_run)? {
            RemoveResult::Removed => {
                report.removed.push(PrunedBuild { name, bytes: build.bytes, reason })
            }
            RemoveResult::InUse => report.in_use.push(name),
            RemoveResult::NotRemoved(left) => report.not_removed.push(left),
        }
    }
    Ok(report)
}

/// Returns the protected builds, sorted by the age of their commits, oldest first.
fn pinned(stored: &[Stored<'_>], kept: &Kept) -> Vec<ProtectedBuild> {
    let pinned = stored.iter().filter_map(|build| {
        let why = kept.why(build.name)?.to_vec();
        Some(ProtectedBuild { name: build.name.as_str().to_owned(), bytes: build.bytes, why })
    });
    pinned.collect()
}

/// Returns a warning if the protected builds alone exceed a rule.
fn limit_warning(pinned: &[ProtectedBuild], options: &PruneOptions) -> Option<String> {
    let bytes: u64 = pinned.iter().map(|build| build.bytes).sum();
    let limit = match options {
        PruneOptions { max_bytes: Some(max), .. } if bytes > *max => format_bytes(*max),
        PruneOptions { keep: Some(max), .. } if pinned.len() > *max => format!("{max} builds"),
        _ => return None,
    };
    let listed = pinned.iter().map(|build| {
        format!("`{}` ({}, {})", build.name, format_bytes(build.bytes), build.why.join(", "))
    });
    let listed: Vec<String> = listed.collect();
    Some(format!(
        "{} builds with {} are protected, more than the limit of {limit}: {}",
        pinned.len(),
        format_bytes(bytes),
        listed.join(", ")
    ))
}

/// The result of removing a build.
enum RemoveResult {
    Removed,
    /// A run or deployment is using it, or it was deployed in the meantime.
    InUse,
    NotRemoved(NotRemoved),
}

/// Removes a build: its directory and its archive. Fails only if it is not known which builds to
/// keep.
fn remove(
    builds_dir: &BuildsFolder<'_>,
    build: &Build,
    kept: &mut dyn FnMut() -> Result<Kept, Error>,
    dry_run: bool,
) -> Result<RemoveResult, Error> {
    let has_dir = builds_dir.has_folder(build.name());
    let lock = match has_dir.then(|| build.take()).transpose() {
        Ok(lock) => lock.flatten(),
        Err(error) => return Ok(RemoveResult::NotRemoved(NotRemoved::new(build.dir(), &error))),
    };
    // The build is locked now: a deployment of it that has started is visible in `kept`. A later
    // one must build it again.
    if (has_dir && lock.is_none()) || kept()?.has(build.name()) {
        return Ok(RemoveResult::InUse);
    }
    let removed = match dry_run {
        true => builds_dir.refuse_mounts(build.name()),
        false => remove_dir_and_archive(builds_dir, build, has_dir),
    };
    Ok(removed.map_or_else(RemoveResult::NotRemoved, |()| RemoveResult::Removed))
}

fn remove_dir_and_archive(
    builds_dir: &BuildsFolder<'_>,
    build: &Build,
    has_dir: bool,
) -> Result<(), NotRemoved> {
    if has_dir {
        builds_dir.remove_build(build.name())?;
    }
    let archive = build.archive_path();
    remove_file(&archive).map_err(|error| NotRemoved::new(archive, &error))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::model::cancel::CancelToken;

    fn name(digit: char) -> String {
        format!("1_{}", digit.to_string().repeat(40))
    }

    fn kept(digits: &str) -> Kept {
        let mut kept = Kept::default();
        digits.chars().for_each(|digit| kept.build(&name(digit), "deployed".to_owned()));
        kept
    }

    #[test]
    fn a_build_deployed_during_pruning_stays() {
        let dir = tempfile::tempdir().unwrap();
        for digit in ['a', 'b', 'c'] {
            fs::create_dir(dir.path().join(name(digit))).unwrap();
        }
        fs::write(dir.path().join(format!("{}.tar.gz", name('d'))), "").unwrap();
        let workspace = Workspace::new(dir.path(), Some(Path::new(".")), dir.path());
        let never = CancelView::new(&CancelToken::new(), 1);
        let mut calls = 0;
        let mut keep = || {
            calls += 1;
            Ok(kept(if calls > 1 { "abd" } else { "a" }))
        };
        let report = prune(&workspace, &PruneOptions::new().keep(0), &mut keep, &never).unwrap();
        let removed: Vec<&str> = report.removed.iter().map(|build| &*build.name).collect();
        assert_eq!(removed, [name('c')]);
        assert_eq!(report.in_use, [name('b'), name('d')]);
        assert_eq!(calls, 4, "once for all, and before each");
    }
}
