//! One run at a time: how a caller waits if the run lock is taken.
//!
//! A waiting caller shows the log of the run that holds the lock. It reads the verdicts of its own
//! commits from the notes, never from the log.

use std::{
    collections::HashSet,
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use super::pending::{ResolvedSelection, final_outcome};
use crate::engine::context::{pump::Sender, shared::Shared};
use crate::{
    model::{
        cancel::CancelView,
        commit::CommitId,
        error::{Error, ErrorKind},
        event::EventKind,
        executor::Stream,
        outcome::Outcome,
        record::Summary,
        selection::{Selection, Wait},
    },
    repo::Repo,
    workspace::{LogTail, RunLock, Workspace},
};

/// How long a holder that hands over waits for a waiting process to take the lock.
pub(in crate::engine) const HANDOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a waiting caller checks the log, the lock and its cancellation.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How often a waiting caller checks the notes. This is less often, because it costs a scan.
const NOTES_INTERVAL: Duration = Duration::from_millis(500);

/// How waiting ended.
pub(in crate::engine) enum WaitResult {
    /// The caller has the lock.
    Acquired(RunLock),
    /// Another run has tested all commits of this caller.
    Tested(Vec<(CommitId, Outcome)>),
    /// The caller was canceled.
    Canceled,
}

/// Waits for the lock or for verdicts of the selected commits, as long as `wait` allows.
pub(in crate::engine) fn wait(
    shared: &Shared,
    selection: &ResolvedSelection,
    wait: Wait,
    repo: &Repo,
    cancel: &CancelView,
    events: &Sender,
) -> Result<WaitResult, Error> {
    let workspace = shared.workspace();
    let limit = match wait {
        Wait::Never => return give_up(&workspace),
        Wait::AtMost(time) => Instant::now().checked_add(time),
        Wait::Forever => None,
    };
    let _waiter = workspace.register_waiter()?;
    let message = format!("{}; showing its log", holder_sentence(&workspace));
    events.emit(EventKind::Waiting { message });
    let awaited = AwaitedCommits::new(shared, selection, repo)?;
    let mut tail = LogTail::new(workspace.log_path(), Some(0))?;
    let mut next_check = Instant::now() + NOTES_INTERVAL;
    loop {
        forward_lines(&mut tail, events)?;
        if cancel.is_canceled() {
            return Ok(WaitResult::Canceled);
        }
        if let Some(lock) = workspace.lock()? {
            forward_lines(&mut tail, events)?;
            return Ok(WaitResult::Acquired(lock));
        }
        if Instant::now() >= next_check {
            next_check = Instant::now() + NOTES_INTERVAL;
            if awaited.none_pending(repo)? {
                forward_lines(&mut tail, events)?;
                return Ok(WaitResult::Tested(awaited.verdicts(repo)?));
            }
        }
        if limit.is_some_and(|limit| Instant::now() >= limit) {
            return give_up(&workspace);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Takes the lock between two commits of its holder. Returns `None` if canceled. `why` completes
/// the message about the wait.
pub(in crate::engine) fn between_commits(
    workspace: &Workspace,
    why: &str,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Option<RunLock>, Error> {
    if let Some(lock) = workspace.lock()? {
        return Ok(Some(lock));
    }
    let _waiter = workspace.register_between()?;
    let message = format!("{}; {why} after its current commit", holder_sentence(workspace));
    events.emit(EventKind::Waiting { message });
    await_lock(workspace, cancel)
}

/// Takes the lock back after a deployment used it between two commits. Returns `None` if canceled.
pub(in crate::engine) fn take_back(
    workspace: &Workspace,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Option<RunLock>, Error> {
    let _waiter = workspace.register_waiter()?;
    let message = "a deployment is rebuilding its commit; this run continues after that".to_owned();
    events.emit(EventKind::Waiting { message });
    await_lock(workspace, cancel)
}

fn await_lock(workspace: &Workspace, cancel: &CancelView) -> Result<Option<RunLock>, Error> {
    loop {
        if let Some(lock) = workspace.lock()? {
            return Ok(Some(lock));
        }
        if cancel.is_canceled() {
            return Ok(None);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Shows the log of a run without taking the lock.
pub(in crate::engine) fn follow(
    shared: &Shared,
    selection: &Selection,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Summary, Error> {
    let repo = shared.repo()?;
    let workspace = shared.workspace();
    let resolved = ResolvedSelection::resolve(shared, &repo, selection)?;
    let awaited = AwaitedCommits::new(shared, &resolved, &repo)?;
    let mut tail = LogTail::new(workspace.log_path(), Some(0))?;
    let mut next_check = Instant::now();
    loop {
        let is_over = !workspace.is_running()?;
        forward_lines(&mut tail, events)?;
        if is_over || cancel.is_canceled() {
            break;
        }
        if Instant::now() >= next_check {
            next_check = Instant::now() + NOTES_INTERVAL;
            // Without pending commits, as in a retry, the wait ends with the run.
            if !awaited.ids.is_empty() && awaited.none_pending(&repo)? {
                forward_lines(&mut tail, events)?;
                break;
            }
        }
        thread::sleep(POLL_INTERVAL);
    }
    let summary = Summary {
        already_tested: awaited.verdicts(&repo)?,
        canceled: cancel.is_canceled(),
        ..Summary::default()
    };
    events.emit(EventKind::Finished { outcome: summary.worst() });
    Ok(summary)
}

/// The commits that a waiting caller requested.
struct AwaitedCommits<'a> {
    shared: &'a Shared,
    selection: &'a ResolvedSelection,
    ids: Vec<CommitId>,
}

impl<'a> AwaitedCommits<'a> {
    fn new(
        shared: &'a Shared,
        selection: &'a ResolvedSelection,
        repo: &Repo,
    ) -> Result<Self, Error> {
        let ids = match &selection.named {
            Some(named) => named.clone(),
            None => selection.own_pending(shared, repo)?,
        };
        Ok(Self { shared, selection, ids })
    }

    /// Returns true if none of them is pending. This includes commits that became unreachable or
    /// part of the baseline, and so get no verdict. Another run cannot complete a retry.
    fn none_pending(&self, repo: &Repo) -> Result<bool, Error> {
        if self.selection.named.is_some() {
            if self.selection.retry {
                return Ok(false);
            }
            let attempts = self.shared.workspace().attempts()?;
            let found =
                self.selection.pending(self.shared, repo, &attempts, &mut Summary::default())?;
            return Ok(found.pending.is_empty());
        }
        let pending: HashSet<CommitId> =
            self.selection.own_pending(self.shared, repo)?.into_iter().collect();
        Ok(!self.ids.iter().any(|id| pending.contains(id)))
    }

    fn verdicts(&self, repo: &Repo) -> Result<Vec<(CommitId, Outcome)>, Error> {
        let mut verdicts = Vec::new();
        for id in &self.ids {
            verdicts.extend(final_outcome(repo, *id)?.map(|outcome| (*id, outcome)));
        }
        Ok(verdicts)
    }
}

fn forward_lines(tail: &mut LogTail, events: &Sender) -> Result<(), Error> {
    tail.read_new(&mut |line| {
        let bytes = [line, b"\n"].concat();
        events.emit(EventKind::Output { stream: Stream::Stdout, bytes });
        ControlFlow::Continue(())
    })
}

/// Gives up on the lock, and requests a scan from its holder. If the lock is free by now, takes
/// it.
fn give_up(workspace: &Workspace) -> Result<WaitResult, Error> {
    workspace.request_scan()?;
    if let Some(lock) = workspace.lock()? {
        return Ok(WaitResult::Acquired(lock));
    }
    let message =
        format!("{}; it will look for new commits before it ends", holder_sentence(workspace));
    Err(Error::new(ErrorKind::Busy, message))
}

/// Returns a sentence about the run that holds the lock.
fn holder_sentence(workspace: &Workspace) -> String {
    match workspace.holder() {
        Some(holder) => {
            let commit =
                holder.commits.last().map(|it| format!(" at commit {}", it.commit.short()));
            let commit = commit.unwrap_or_default();
            format!(
                "another run (process {} on {}) is in progress{commit}",
                holder.pid, holder.machine
            )
        }
        None => "another run is in progress".to_owned(),
    }
}
