//! Records of earlier runs, filtered by range, outcome and number; and their logs.

use std::{cmp::Reverse, collections::HashSet, ops::ControlFlow, time::UNIX_EPOCH};

use crate::engine::context::shared::Shared;
use crate::{
    install,
    model::{
        cancel::CancelView,
        commit::{Commit, CommitId, GitString},
        error::{Error, ErrorKind},
        outcome::Outcome,
        record::Record,
    },
    repo::{Line, Repo, ResultsSnapshot, newest_verdict},
    workspace::{LogTail, Workspace},
};

/// Options of [`Engine::log`](crate::Engine::log).
///
/// ```
/// use tinyci::record::LogOptions;
/// let last = LogOptions::new().lines(10).follow(true);
/// # let _ = last;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogOptions {
    /// The commit whose build log is read. `None` selects the log of all runs.
    pub revision: Option<String>,
    /// The number of last lines to begin with. `None` selects all lines.
    pub lines: Option<usize>,
    /// True to wait for new lines, until canceled or until the commit's job has ended.
    pub follow: bool,
}

impl LogOptions {
    /// Selects all lines of all runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects the log of this commit's build.
    #[must_use]
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        self.revision = Some(revision.into());
        self
    }

    /// Selects only this number of last lines.
    #[must_use]
    pub fn lines(mut self, lines: usize) -> Self {
        self.lines = Some(lines);
        self
    }

    /// Waits for new lines.
    #[must_use]
    pub fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }
}

/// The filter of [`Engine::records`](crate::Engine::records).
///
/// ```
/// use tinyci::{RecordFilter, Outcome};
/// let newest_green = RecordFilter::new().outcome(Outcome::Success).limit(1);
/// let of_a_branch = RecordFilter::new().range("v1.0..main");
/// # let _ = (newest_green, of_a_branch);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RecordFilter {
    /// Ranges, and revisions with everything that they reach. If this and `revisions` are empty,
    /// everything that the selected refs reach.
    pub ranges: Vec<String>,
    /// Single commits. They come first, in this order, before the commits of `ranges`.
    pub revisions: Vec<String>,
    /// Only records with this outcome, if set.
    pub outcome: Option<Outcome>,
    /// Maximum number of records, if set.
    pub limit: Option<usize>,
    /// True to include all attempts. By default, each commit has only the record that its verdict
    /// is based on.
    pub all_attempts: bool,
}

impl RecordFilter {
    /// Selects the current record of every commit that the selected refs reach.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the commits of a range such as `v1.0..main`, or everything that a revision reaches.
    #[must_use]
    pub fn range(mut self, range: impl Into<String>) -> Self {
        self.ranges.push(range.into());
        self
    }

    /// Adds a single commit.
    #[must_use]
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        self.revisions.push(revision.into());
        self
    }

    /// Selects only records with this outcome.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Sets the maximum number of records. The newest commits come first.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Includes all attempts of each commit, newest first.
    #[must_use]
    pub fn all_attempts(mut self, all_attempts: bool) -> Self {
        self.all_attempts = all_attempts;
        self
    }
}

/// Returns the records that match a filter: first those of single commits, then newest commit
/// first. No commit occurs twice.
pub(in crate::engine) fn records(
    shared: &Shared,
    filter: &RecordFilter,
) -> Result<Vec<Record>, Error> {
    let repo = shared.repo()?;
    let limit = filter.limit.unwrap_or(usize::MAX);
    let mut reports = Reports::new(&repo)?;
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut collect = |id: CommitId| -> Result<ControlFlow<()>, Error> {
        if !seen.insert(id) {
            return Ok(ControlFlow::Continue(()));
        }
        let matching = reports
            .records_of(id, filter.all_attempts)?
            .into_iter()
            .filter(|record| filter.outcome.is_none_or(|outcome| record.outcome == outcome));
        found.extend(matching.take(limit - found.len()));
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    };
    if limit == 0 {
        return Ok(found);
    }
    let mut is_full = false;
    for revision in &filter.revisions {
        is_full = is_full || collect(repo.resolve(revision)?)?.is_break();
    }
    if !is_full && (filter.revisions.is_empty() || !filter.ranges.is_empty()) {
        repo.newest_first(&filter.ranges, &shared.settings.refs, &mut collect)?;
    }
    name_branches(&repo, &mut found)?;
    Ok(found)
}

/// Sets the branch of verdicts without a record. It is derived from the current refs, because the
/// verdict does not contain it.
fn name_branches(repo: &Repo, records: &mut [Record]) -> Result<(), Error> {
    let mut unrecorded: Vec<&mut Record> =
        records.iter_mut().filter(|record| record.job_id.is_empty()).collect();
    let ids: Vec<CommitId> = unrecorded.iter().map(|record| record.commit).collect();
    for (record, commit) in unrecorded.iter_mut().zip(repo.commits(&ids)?) {
        record.branch = commit.branch;
    }
    Ok(())
}

/// Returns the record in this repository that a commit's verdict is based on, if it exists.
pub(in crate::engine) fn record_of(repo: &Repo, id: CommitId) -> Result<Option<Record>, Error> {
    let records = Reports::of_repo(repo)?.records_of(id, false)?;
    Ok(records.into_iter().find(|record| !record.job_id.is_empty()))
}

/// The results of the repository and of its remotes, as one report reads them.
pub(in crate::engine) struct Reports<'repo> {
    repo: &'repo Repo,
    results: ResultsSnapshot<'repo>,
    /// True on a server: if it has a verdict of its own, that counts, whatever a remote says.
    is_server: bool,
}

impl<'repo> Reports<'repo> {
    /// Reads the results of the repository, and of the remotes in its configuration.
    pub(in crate::engine) fn new(repo: &'repo Repo) -> Result<Self, Error> {
        let is_server = repo.is_bare() || install::is_installed(repo)?;
        Ok(Self { repo, results: repo.results(&repo.tracked_remotes()?)?, is_server })
    }

    /// Reads only the results of the repository itself.
    pub(in crate::engine) fn of_repo(repo: &'repo Repo) -> Result<Self, Error> {
        Ok(Self { repo, results: repo.results(&[])?, is_server: false })
    }

    /// Returns the records of one commit: all, newest first, or the one that its verdict is based on.
    /// Results fetched from remotes count like local ones, except on a server.
    pub(in crate::engine) fn records_of(
        &mut self,
        id: CommitId,
        all_attempts: bool,
    ) -> Result<Vec<Record>, Error> {
        let mut sources = self.results.of(id)?;
        let own = sources.first().filter(|_| self.is_server).and_then(|own| own.verdict.clone());
        if own.is_some() && !all_attempts {
            sources.truncate(1);
        }
        let note = own.or_else(|| newest_verdict(&sources));
        let mut runs = HashSet::new();
        let mut records: Vec<Record> = sources
            .into_iter()
            .flat_map(|source| source.lines)
            .filter_map(|line| match line {
                Line::Record(record) => Some(*record),
                Line::Foreign(_) => None,
            })
            .filter(|record| runs.insert(record.job_id.clone()))
            .collect();
        // If two jobs ended in the same millisecond, the later line is the newer one.
        records.reverse();
        records.sort_by_key(|record| Reverse(record.finished));
        let Some(note) = note else {
            if !all_attempts {
                records.retain(|record| record.counts);
                records.truncate(1);
            }
            return Ok(records.into_iter().map(as_unfinished).collect());
        };
        let verdict = note.verdict;
        let matches_verdict = |record: &Record| verdict.is_some() && record.verdict() == verdict;
        if all_attempts && records.iter().any(matches_verdict) {
            return Ok(records);
        }
        if let Some(index) = records.iter().position(matches_verdict) {
            return Ok(vec![records.swap_remove(index)]);
        }
        let outcome = verdict.map_or(Outcome::Failure, |verdict| verdict.outcome());
        let reason = verdict
            .is_none()
            .then(|| format!("the note is `{}`", String::from_utf8_lossy(&note.bytes).trim()));
        let without_details = without_record(&self.repo.commit_for(id, None)?, outcome, reason);
        let others = if all_attempts { records } else { Vec::new() };
        Ok(std::iter::once(without_details).chain(others).collect())
    }

    /// Returns the record of a commit's verdict, if there is one here or in a remote.
    pub(in crate::engine) fn current_record(
        &mut self,
        id: CommitId,
    ) -> Result<Option<Record>, Error> {
        let records = self.records_of(id, false)?;
        Ok(records.into_iter().find(|record| record.verdict().is_some()))
    }
}

/// Returns the lines among a commit's records that are not records. Repeated and blank lines are
/// left out.
pub(in crate::engine) fn unrecognized_lines(
    shared: &Shared,
    revision: &str,
) -> Result<Vec<GitString>, Error> {
    let repo = shared.repo()?;
    let id = repo.resolve(revision)?;
    let sources = Reports::new(&repo)?.results.of(id)?;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in sources.into_iter().flat_map(|source| source.lines) {
        match line {
            Line::Foreign(line) if !line.trim_ascii().is_empty() && !lines.contains(&line) => {
                lines.push(line);
            }
            _ => {}
        }
    }
    Ok(lines.into_iter().map(GitString::new).collect())
}

/// Marks a record without its verdict as unfinished. Its job was interrupted, or the verdict was
/// deleted.
fn as_unfinished(mut record: Record) -> Record {
    if record.verdict().is_some() {
        let outcome = record.outcome;
        record.outcome = Outcome::Error;
        record.reason = Some(format!(
            "the job ended as {outcome}, but the commit has no verdict: the job was interrupted, or \
             the verdict was deleted"
        ));
    }
    record
}

/// Returns a record for a verdict without one, such as those of TinyCI 0.5.
fn without_record(commit: &Commit, outcome: Outcome, reason: Option<String>) -> Record {
    Record { outcome, reason, ..Record::begun(String::new(), commit, UNIX_EPOCH) }
}

/// Passes the selected lines of a log to `line`.
pub(in crate::engine) fn log(
    shared: &Shared,
    options: &LogOptions,
    cancel: &CancelView,
    line: &mut dyn FnMut(&[u8]),
) -> Result<(), Error> {
    let workspace = shared.workspace();
    let repo = shared.repo()?;
    let commit = options.revision.as_deref().map(|revision| repo.resolve(revision)).transpose()?;
    let path = match commit {
        None => workspace.log_path(),
        Some(id) => workspace.build(&build_of(&workspace, &repo, id, options.follow)?).log_path(),
    };
    let mut tail = LogTail::new(path, options.lines)?;
    let mut print = |text: &[u8]| {
        line(text);
        ControlFlow::Continue(())
    };
    if !options.follow {
        return tail.read(&mut print);
    }
    // The old verdict of a commit stays while the commit is tested again.
    let is_active = |id: CommitId| {
        let running = workspace.is_running().unwrap_or(false);
        let holder = workspace.holder().filter(|_| running);
        holder.is_some_and(|holder| holder.commits.iter().any(|it| it.commit == id))
    };
    let mut done = || match commit {
        None => false,
        Some(id) => repo.verdict(id).is_ok_and(|note| note.is_some()) && !is_active(id),
    };
    tail.follow(cancel, &mut done, &mut print)
}

/// Returns the name of a commit's build. Fails if its log is in an archive or does not exist,
/// unless `follow` waits for it.
fn build_of(
    workspace: &Workspace,
    repo: &Repo,
    id: CommitId,
    follow: bool,
) -> Result<String, Error> {
    let name = repo.commit_for(id, None)?.build_name();
    let build = workspace.build(&name);
    if follow || build.log_path().exists() {
        return Ok(name);
    }
    let short = id.short();
    if build.archive_path().exists() {
        let message = format!("the log of commit {short} is in an archive");
        let archive = build.archive_path().display().to_string();
        let hint = format!("`tar -xzOf {archive} {name}/tinyci.log` shows it");
        return Err(Error::new(ErrorKind::NotFound, message).with_hint(hint));
    }
    let message = format!("commit {short} has no log: it has no build");
    Err(Error::new(ErrorKind::NotFound, message))
}
