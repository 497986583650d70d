//! Old builds removed for good: folders and archives. Verdicts, records and the log of all runs
//! stay.
//!
//! What is decided in [`retention`](crate::rules::retention) is carried out under the locks that a
//! compaction takes: one caller at a time changes the folder of builds, and no build is touched
//! that a run, or a deployment, works in.

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

/// Which builds to remove. Every rule that is given takes away what it leaves no room for.
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
    /// Removes all but so many builds, those that were run last, and the pinned ones.
    pub keep: Option<usize>,
    /// Removes builds that were last run longer ago.
    pub max_age: Option<Duration>,
    /// Removes the builds that were run longest ago until the rest, pinned ones included, takes no more
    /// of the disk than this.
    pub max_bytes: Option<u64>,
    /// Only says what would go.
    pub dry_run: bool,
}

impl PruneOptions {
    /// No rule: those of the repository's settings hold (`tinyci.pruneKeep` and its like).
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps this many of the newest builds at most.
    #[must_use]
    pub fn keep(mut self, builds: usize) -> Self {
        self.keep = Some(builds);
        self
    }

    /// Keeps only builds that were run within this time.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Keeps this many bytes of builds at most.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Removes nothing, and says what would go.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Whether any rule is given.
    pub(crate) fn has_rule(&self) -> bool {
        self.keep.is_some() || self.max_age.is_some() || self.max_bytes.is_some()
    }
}

/// What pruning did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PruneReport {
    /// The builds that are gone, oldest first.
    pub removed: Vec<PrunedBuild>,
    /// The names of builds that were to go, and stay because somebody works in them.
    pub in_use: Vec<String>,
    /// The builds that stay whatever the rules say: what is deployed, was before
    /// (`tinyci.keepReleases`), would be next or waits for an approval, and what a link in a folder of
    /// `tinyci.pin` leads into.
    pub protected: Vec<ProtectedBuild>,
    /// What a person should see: that those builds alone are more than a rule allows.
    pub warnings: Vec<String>,
    /// What was to go and is still there, and why. The rest went on. A dry run names only builds in
    /// which something is mounted.
    pub not_removed: Vec<NotRemoved>,
    /// Whether nothing was removed, because only a report was asked for.
    pub dry_run: bool,
}

impl PruneReport {
    /// How many bytes of the disk are free by it.
    pub fn freed_bytes(&self) -> u64 {
        self.removed.iter().map(|build| build.bytes).sum()
    }

    /// As one line of JSON: `removed`, each with `name`, `bytes` and as `reason` one of `count`,
    /// `age` and `size`; `in_use`; `protected`, each with `name`, `bytes` and `why`, a list of words;
    /// `not_removed`, each with `path` and `reason`; `freed_bytes`, `warnings` and `dry_run`.
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

/// A build that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunedBuild {
    /// The name of its folder.
    pub name: String,
    /// What it took on the disk.
    pub bytes: u64,
    /// Which rule left no room for it.
    pub reason: PruneReason,
}

/// A build that stays whatever the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtectedBuild {
    /// The name of its folder.
    pub name: String,
    /// What it takes on the disk.
    pub bytes: u64,
    /// Why it stays, a few words each: `deployed to production`.
    pub why: Vec<String>,
}

/// Removes old builds. A folder of builds that is not there holds none. `kept` says which stay; it
/// is asked again before each is removed.
///
/// # Errors
///
/// [`Busy`](ErrorKind::Busy) if another call packs or removes builds here,
/// [`Canceled`](ErrorKind::Canceled), or [`Io`](ErrorKind::Io) if the folder of builds cannot be
/// read. What does not go is passed over, and told.
pub(crate) fn prune(
    workspace: &Workspace,
    options: &PruneOptions,
    kept: &mut dyn FnMut() -> Result<Kept, Error>,
    cancel: &CancelView,
) -> Result<PruneReport, Error> {
    let mut done = PruneReport { dry_run: options.dry_run, ..PruneReport::default() };
    let Some(folder) = workspace.builds_folder()? else { return Ok(done) };
    if !options.dry_run {
        done.not_removed = folder.clear_leftovers()?;
    }
    let mut names = folder.build_names()?;
    names.extend(folder.archive_names()?);
    names.sort();
    names.dedup();
    let (now, mounts) = (SystemTime::now(), Mounts::now());
    let stored = names.iter().filter_map(|name| {
        let build = workspace.build(name);
        let last_run = build.last_run();
        // Where no job wrote one down, as TinyCI 0.5 did not, no time tells better.
        let since = last_run.or_else(|| build.last_written());
        let age = since.and_then(|time| now.duration_since(time).ok()).unwrap_or_default();
        let bytes = build.disk_bytes(&mounts);
        Some(Stored { name: BuildName::parse(name)?, last_run, age, bytes })
    });
    let rules =
        Rules { keep: options.keep, max_age: options.max_age, max_bytes: options.max_bytes };
    let (stored, first) = (stored.collect::<Vec<_>>(), kept()?);
    done.protected = pinned(&stored, &first);
    done.warnings.extend(too_many(&done.protected, options));
    for (build, reason) in surplus(stored, &rules, &first) {
        if cancel.is_canceled() {
            return Err(Error::new(ErrorKind::Canceled, "pruning was canceled"));
        }
        let name = build.name.as_str().to_owned();
        match remove(&folder, &workspace.build(&name), kept, options.dry_run)? {
            Fate::Removed => done.removed.push(PrunedBuild { name, bytes: build.bytes, reason }),
            Fate::InUse => done.in_use.push(name),
            Fate::Stays(left) => done.not_removed.push(left),
        }
    }
    Ok(done)
}

/// The builds that are kept, the oldest commits' first.
fn pinned(stored: &[Stored<'_>], kept: &Kept) -> Vec<ProtectedBuild> {
    let pinned = stored.iter().filter_map(|build| {
        let why = kept.why(build.name)?.to_vec();
        Some(ProtectedBuild { name: build.name.as_str().to_owned(), bytes: build.bytes, why })
    });
    pinned.collect()
}

/// Says that kept builds alone are more than a rule allows, and which they are.
fn too_many(pinned: &[ProtectedBuild], options: &PruneOptions) -> Option<String> {
    let bytes: u64 = pinned.iter().map(|build| build.bytes).sum();
    let limit = match options {
        PruneOptions { max_bytes: Some(most), .. } if bytes > *most => format_bytes(*most),
        PruneOptions { keep: Some(most), .. } if pinned.len() > *most => format!("{most} builds"),
        _ => return None,
    };
    let each = pinned.iter().map(|build| {
        format!("`{}` ({}, {})", build.name, format_bytes(build.bytes), build.why.join(", "))
    });
    let each: Vec<String> = each.collect();
    Some(format!(
        "{} builds with {} are protected, more than the limit of {limit}: {}",
        pinned.len(),
        format_bytes(bytes),
        each.join(", ")
    ))
}

/// What becomes of a build that the rules leave no room for.
enum Fate {
    Removed,
    /// Somebody works in it, or it was deployed meanwhile.
    InUse,
    Stays(NotRemoved),
}

/// Removes a build, its folder and its archive. Only not to know which builds stay is an error.
fn remove(
    folder: &BuildsFolder<'_>,
    build: &Build,
    kept: &mut dyn FnMut() -> Result<Kept, Error>,
    dry_run: bool,
) -> Result<Fate, Error> {
    let has_folder = folder.has_folder(build.name());
    let taken = match has_folder.then(|| build.take()).transpose() {
        Ok(taken) => taken.flatten(),
        Err(error) => return Ok(Fate::Stays(NotRemoved::new(build.dir(), &error))),
    };
    // From here on a deployment that has begun shows, and any other makes the build anew.
    if (has_folder && taken.is_none()) || kept()?.has(build.name()) {
        return Ok(Fate::InUse);
    }
    let gone = match dry_run {
        true => folder.refuse_mounts(build.name()),
        false => remove_both(folder, build, has_folder),
    };
    Ok(gone.map_or_else(Fate::Stays, |()| Fate::Removed))
}

fn remove_both(
    folder: &BuildsFolder<'_>,
    build: &Build,
    has_folder: bool,
) -> Result<(), NotRemoved> {
    if has_folder {
        folder.remove_build(build.name())?;
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
    fn what_is_deployed_while_others_go_stays() {
        let dir = tempfile::tempdir().unwrap();
        for digit in ['a', 'b', 'c'] {
            fs::create_dir(dir.path().join(name(digit))).unwrap();
        }
        fs::write(dir.path().join(format!("{}.tar.gz", name('d'))), "").unwrap();
        let workspace = Workspace::new(dir.path(), Some(Path::new(".")), dir.path());
        let never = CancelView::new(&CancelToken::new(), 1);
        let mut asked = 0;
        let mut keep = || {
            asked += 1;
            Ok(kept(if asked > 1 { "abd" } else { "a" }))
        };
        let done = prune(&workspace, &PruneOptions::new().keep(0), &mut keep, &never).unwrap();
        let removed: Vec<&str> = done.removed.iter().map(|build| &*build.name).collect();
        assert_eq!(removed, [name('c')]);
        assert_eq!(done.in_use, [name('b'), name('d')]);
        assert_eq!(asked, 4, "once for all, and before each");
    }
}
