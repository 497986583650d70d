//! What is kept of earlier runs, asked for by range, outcome and number; and their logs.

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
    repo::{Line, Repo, SourceResults, word_that_holds},
    workspace::{LogTail, Workspace},
};

/// Which lines [`Engine::log`](crate::Engine::log) gives out.
///
/// ```
/// use tinyci::record::LogOptions;
/// let last = LogOptions::new().lines(10).follow(true);
/// # let _ = last;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogOptions {
    /// The commit whose build's log is meant; all runs' log without one.
    pub revision: Option<String>,
    /// How many lines to begin with; all without a number.
    pub lines: Option<usize>,
    /// Goes on until canceled, or until the build of the commit is over.
    pub follow: bool,
}

impl LogOptions {
    /// All lines of all runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only the log of this commit's build.
    #[must_use]
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        self.revision = Some(revision.into());
        self
    }

    /// Only the last so many lines.
    #[must_use]
    pub fn lines(mut self, lines: usize) -> Self {
        self.lines = Some(lines);
        self
    }

    /// Goes on with lines as they are written.
    #[must_use]
    pub fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }
}

/// Which records [`Engine::records`](crate::Engine::records) gives back.
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
    /// Ranges, and revisions with all that they reach. Without any, and without single commits,
    /// everything that the selected refs reach.
    pub ranges: Vec<String>,
    /// Single commits, which come first and in this order. What ranges hold besides follows.
    pub revisions: Vec<String>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// At most so many records.
    pub limit: Option<usize>,
    /// Every attempt, not only the one that each commit's verdict rests on.
    pub all_attempts: bool,
}

impl RecordFilter {
    /// The record that counts, of every commit that the selected refs reach.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only commits of this range, such as `v1.0..main`, or reachable from this revision; and what
    /// else is named.
    #[must_use]
    pub fn range(mut self, range: impl Into<String>) -> Self {
        self.ranges.push(range.into());
        self
    }

    /// Only this commit, and what else is named.
    #[must_use]
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        self.revisions.push(revision.into());
        self
    }

    /// Only records of this outcome.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// At most so many records, the newest commits' first.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Every attempt of a commit, the newest first, not only the one its verdict rests on.
    #[must_use]
    pub fn all_attempts(mut self, all_attempts: bool) -> Self {
        self.all_attempts = all_attempts;
        self
    }
}

/// The records of a filter: those of commits that were named, then newest commit first. No commit
/// comes twice.
pub(in crate::engine) fn records(
    shared: &Shared,
    filter: &RecordFilter,
) -> Result<Vec<Record>, Error> {
    let repo = shared.repo()?;
    let limit = filter.limit.unwrap_or(usize::MAX);
    let sources = Sources::of(&repo)?;
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut collect = |id: CommitId| -> Result<ControlFlow<()>, Error> {
        if !seen.insert(id) {
            return Ok(ControlFlow::Continue(()));
        }
        let wanted = records_of(&repo, &sources, id, filter.all_attempts)?
            .into_iter()
            .filter(|record| filter.outcome.is_none_or(|outcome| record.outcome == outcome));
        found.extend(wanted.take(limit - found.len()));
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    };
    if limit == 0 {
        return Ok(found);
    }
    let mut enough = false;
    for revision in &filter.revisions {
        enough = enough || collect(repo.resolve(revision)?)?.is_break();
    }
    if !enough && (filter.revisions.is_empty() || !filter.ranges.is_empty()) {
        repo.newest_first(&filter.ranges, &shared.settings.refs, &mut collect)?;
    }
    name_branches(&repo, &mut found)?;
    Ok(found)
}

/// A word without a record does not say for which branch it was given: as far as can be told now.
fn name_branches(repo: &Repo, records: &mut [Record]) -> Result<(), Error> {
    let mut unrecorded: Vec<&mut Record> =
        records.iter_mut().filter(|record| record.job_id.is_empty()).collect();
    let ids: Vec<CommitId> = unrecorded.iter().map(|record| record.commit).collect();
    for (record, commit) in unrecorded.iter_mut().zip(repo.commits(&ids)?) {
        record.branch = commit.branch;
    }
    Ok(())
}

/// The record that a commit's verdict rests on, if it is kept, here and not only in a remote.
pub(in crate::engine) fn record_of(repo: &Repo, id: CommitId) -> Result<Option<Record>, Error> {
    let records = records_of(repo, &Sources::default(), id, false)?;
    Ok(records.into_iter().find(|record| !record.job_id.is_empty()))
}

/// Whose results a report joins with those of the repository.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Sources {
    remotes: Vec<String>,
    /// True on a server: a verdict of its own holds, whatever a remote says.
    is_server: bool,
}

impl Sources {
    /// Those of a repository: the remotes that its configuration has.
    pub(in crate::engine) fn of(repo: &Repo) -> Result<Self, Error> {
        let is_server = repo.is_bare() || install::is_installed(repo)?;
        Ok(Self { remotes: repo.tracked_remotes()?, is_server })
    }
}

/// One commit's records: all, newest first, or the one that its verdict rests on. What was fetched
/// of remotes counts like the repository's own, unless it is a server.
pub(in crate::engine) fn records_of(
    repo: &Repo,
    sources: &Sources,
    id: CommitId,
    all_attempts: bool,
) -> Result<Vec<Record>, Error> {
    let mut said = all_sources(repo, sources, id)?;
    let own = said.first().filter(|own| sources.is_server && own.verdict.is_some());
    let own = own.and_then(|own| own.verdict.clone());
    if own.is_some() && !all_attempts {
        said.truncate(1);
    }
    let word = own.or_else(|| word_that_holds(&said));
    let mut runs = HashSet::new();
    let mut records: Vec<Record> = said
        .into_iter()
        .flat_map(|said| said.lines)
        .filter_map(|line| match line {
            Line::Record(record) => Some(*record),
            Line::Foreign(_) => None,
        })
        .filter(|record| runs.insert(record.job_id.clone()))
        .collect();
    // Newest first. Of two that ended in one millisecond the later line is the newer one.
    records.reverse();
    records.sort_by_key(|record| Reverse(record.finished));
    let Some(word) = word else {
        if !all_attempts {
            records.retain(|record| record.counts);
            records.truncate(1);
        }
        return Ok(records.into_iter().map(as_unfinished).collect());
    };
    let verdict = word.verdict;
    let rests_on = |record: &Record| verdict.is_some() && record.verdict() == verdict;
    if all_attempts && records.iter().any(rests_on) {
        return Ok(records);
    }
    if let Some(index) = records.iter().position(rests_on) {
        return Ok(vec![records.swap_remove(index)]);
    }
    let outcome = verdict.map_or(Outcome::Failure, |verdict| verdict.outcome());
    let reason = verdict
        .is_none()
        .then(|| format!("the note is `{}`", String::from_utf8_lossy(&word.bytes).trim()));
    let alone = without_record(&repo.commit_for(id, None)?, outcome, reason);
    let others = if all_attempts { records } else { Vec::new() };
    Ok(std::iter::once(alone).chain(others).collect())
}

/// The record that says what became of a commit, if it has a verdict, here or in a remote.
pub(in crate::engine) fn current_record(
    repo: &Repo,
    sources: &Sources,
    id: CommitId,
) -> Result<Option<Record>, Error> {
    let records = records_of(repo, sources, id, false)?;
    Ok(records.into_iter().find(|record| record.verdict().is_some()))
}

/// What this repository says of a commit, and behind it what its remotes said.
fn all_sources(repo: &Repo, sources: &Sources, id: CommitId) -> Result<Vec<SourceResults>, Error> {
    let mut said = vec![SourceResults { verdict: repo.verdict(id)?, lines: repo.records(id)? }];
    said.extend(repo.said_by(&sources.remotes, id)?);
    Ok(said)
}

/// The lines among a commit's records that are none: each once, blank ones left out.
pub(in crate::engine) fn unrecognized_lines(
    shared: &Shared,
    revision: &str,
) -> Result<Vec<GitString>, Error> {
    let repo = shared.repo()?;
    let id = repo.resolve(revision)?;
    let said = all_sources(&repo, &Sources::of(&repo)?, id)?;
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in said.into_iter().flat_map(|said| said.lines) {
        match line {
            Line::Foreign(line) if !line.trim_ascii().is_empty() && !lines.contains(&line) => {
                lines.push(line);
            }
            _ => {}
        }
    }
    Ok(lines.into_iter().map(GitString::new).collect())
}

/// A record whose word is not there: its run was interrupted, or the word was taken away.
fn as_unfinished(mut record: Record) -> Record {
    if record.verdict().is_some() {
        let was = record.outcome;
        record.outcome = Outcome::Error;
        record.reason = Some(format!(
            "the job ended as {was}, but the commit has no verdict: the job was interrupted, or \
             the verdict was deleted"
        ));
    }
    record
}

/// A word without a record, as the ancestor left them: what can be said of it.
fn without_record(commit: &Commit, outcome: Outcome, reason: Option<String>) -> Record {
    Record { outcome, reason, ..Record::begun(String::new(), commit, UNIX_EPOCH) }
}

/// Gives out lines of a log.
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
    let mut each = |text: &[u8]| {
        line(text);
        ControlFlow::Continue(())
    };
    if !options.follow {
        return tail.read(&mut each);
    }
    // A commit that is run again keeps its old verdict meanwhile.
    let in_hand = |id: CommitId| {
        let running = workspace.is_running().unwrap_or(false);
        let holder = workspace.holder().filter(|_| running);
        holder.is_some_and(|holder| holder.commits.iter().any(|it| it.commit == id))
    };
    let mut done = || match commit {
        None => false,
        Some(id) => repo.verdict(id).is_ok_and(|note| note.is_some()) && !in_hand(id),
    };
    tail.follow(cancel, &mut done, &mut each)
}

/// The name of a commit's build. Its log may be in an archive, or not exist yet.
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
