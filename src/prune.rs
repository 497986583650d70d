//! Old builds removed for good: folders and archives. Verdicts, records and the log of all runs
//! stay.
//!
//! What is decided in [`retention`](crate::retention) is carried out under the locks that a
//! compaction takes: one caller at a time changes the folder of builds, and no build is touched
//! that a run, or a deployment, works in.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::{
    cancel::CancelView,
    commit::CommitId,
    error::{Error, ErrorKind},
    not_removed::NotRemoved,
    retention::{BuildName, PruneReason, Rules, Stored, surplus},
    wire::{self, NotRemovedMirror},
    workspace::{Build, BuildsFolder, Mounts, Workspace, remove_file},
};

/// Which builds to remove. Every rule that is given takes away what it leaves no room for.
///
/// ```
/// use std::time::Duration;
/// use tinyci::PruneOptions;
///
/// let month = Duration::from_secs(30 * 24 * 3600);
/// let options = PruneOptions::new().keep(20).max_age(month).dry_run(true);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PruneOptions {
    /// Removes all but so many builds, the newest commits'.
    pub keep: Option<usize>,
    /// Removes builds that were last run longer ago.
    pub max_age: Option<Duration>,
    /// Removes the oldest commits' builds until the rest takes no more of the disk than this.
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
pub struct Pruning {
    /// The builds that are gone, oldest first.
    pub removed: Vec<Pruned>,
    /// The names of builds that were to go, and stay because somebody works in them.
    pub in_use: Vec<String>,
    /// The names of builds that stay whatever the rules say: deployed ones, and those that a
    /// rollback would lead to.
    pub pinned: Vec<String>,
    /// What was to go and is still there, and why. The rest went on. A dry run names only builds in
    /// which something is mounted.
    pub not_removed: Vec<NotRemoved>,
    /// Whether nothing was removed, because only a report was asked for.
    pub dry_run: bool,
}

impl Pruning {
    /// How many bytes of the disk are free by it.
    pub fn freed_bytes(&self) -> u64 {
        self.removed.iter().map(|build| build.bytes).sum()
    }

    /// As one line of JSON: `removed`, each with `name`, `bytes` and as `reason` one of `count`,
    /// `age` and `size`; `in_use`, `pinned`, `not_removed`, each with `path` and `reason`,
    /// `freed_bytes` and `dry_run`.
    ///
    /// ```
    /// let expected = concat!(
    ///     r#"{"v":1,"dry_run":false,"removed":[],"in_use":[],"pinned":[],"not_removed":[],"#,
    ///     r#""freed_bytes":0}"#,
    /// );
    /// assert_eq!(tinyci::Pruning::default().to_json(), expected);
    /// ```
    pub fn to_json(&self) -> String {
        let removed = self.removed.iter().map(|build| PrunedMirror {
            name: &build.name,
            bytes: build.bytes,
            reason: build.reason.name(),
        });
        wire::json(&PruningMirror {
            v: wire::VERSION,
            dry_run: self.dry_run,
            removed: removed.collect(),
            in_use: &self.in_use,
            pinned: &self.pinned,
            not_removed: NotRemovedMirror::list(&self.not_removed),
            freed_bytes: self.freed_bytes(),
        })
    }
}

#[derive(Serialize)]
struct PruningMirror<'a> {
    v: u32,
    dry_run: bool,
    removed: Vec<PrunedMirror<'a>>,
    in_use: &'a [String],
    pinned: &'a [String],
    not_removed: Vec<NotRemovedMirror<'a>>,
    freed_bytes: u64,
}

#[derive(Serialize)]
struct PrunedMirror<'a> {
    name: &'a str,
    bytes: u64,
    reason: &'static str,
}

/// A build that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// The name of its folder.
    pub name: String,
    /// What it took on the disk.
    pub bytes: u64,
    /// Which rule left no room for it.
    pub reason: PruneReason,
}

/// Removes old builds. A folder of builds that is not there holds none.
///
/// # Errors
///
/// [`Busy`](ErrorKind::Busy) if another call packs or removes builds here,
/// [`Canceled`](ErrorKind::Canceled), or [`Io`](ErrorKind::Io) if the folder of builds cannot be
/// read. What does not go is passed over, and told.
pub(crate) fn prune(
    workspace: &Workspace,
    options: &PruneOptions,
    pinned: &[CommitId],
    cancel: &CancelView,
) -> Result<Pruning, Error> {
    let mut done = Pruning { dry_run: options.dry_run, ..Pruning::default() };
    let Some(folder) = workspace.builds_folder()? else { return Ok(done) };
    if !options.dry_run {
        done.not_removed = folder.clear_leftovers()?;
    }
    let mut names = folder.build_names()?;
    names.extend(folder.archive_names()?);
    names.sort();
    names.dedup();
    let is_pinned = |name: &String| pinned.iter().any(|id| name.ends_with(&format!("_{id}")));
    done.pinned = names.iter().filter(|name| is_pinned(name)).cloned().collect();
    let (now, mounts) = (SystemTime::now(), Mounts::now());
    let stored = names.iter().filter_map(|name| {
        let build = workspace.build(name);
        let age = build.last_used().and_then(|time| now.duration_since(time).ok());
        let bytes = build.disk_bytes(&mounts);
        Some(Stored { name: BuildName::parse(name)?, age: age.unwrap_or_default(), bytes })
    });
    let rules =
        Rules { keep: options.keep, max_age: options.max_age, max_bytes: options.max_bytes };
    for (build, reason) in surplus(stored.collect(), &rules, pinned) {
        if cancel.is_canceled() {
            return Err(Error::new(ErrorKind::Canceled, "pruning was canceled"));
        }
        let name = build.name.as_str().to_owned();
        match remove(&folder, &workspace.build(&name), options.dry_run) {
            Ok(true) => done.removed.push(Pruned { name, bytes: build.bytes, reason }),
            Ok(false) => done.in_use.push(name),
            Err(left) => done.not_removed.push(left),
        }
    }
    Ok(done)
}

/// Removes a build, its folder and its archive; false where somebody works in it.
fn remove(folder: &BuildsFolder<'_>, build: &Build, dry_run: bool) -> Result<bool, NotRemoved> {
    if folder.has_folder(build.name()) {
        let taken = build.take().map_err(|error| NotRemoved::new(build.dir(), &error))?;
        let Some(_taken) = taken else { return Ok(false) };
        match dry_run {
            true => folder.refuse_mounts(build.name())?,
            false => folder.remove_build(build.name())?,
        }
    }
    if !dry_run {
        let archive = build.archive_path();
        remove_file(&archive).map_err(|error| NotRemoved::new(archive, &error))?;
    }
    Ok(true)
}
