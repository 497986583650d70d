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

use super::pending::{ResolvedSelection, settled_outcome};
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
const PAUSE: Duration = Duration::from_millis(50);

/// How often a waiting caller checks the notes. This is less often, because it costs a scan.
const LOOK_AT_NOTES: Duration = Duration::from_millis(500);

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
    wanted: &ResolvedSelection,
    wait: Wait,
    repo: &Repo,
    cancel: &CancelView,
    events: &Sender,
) -> Result<WaitResult, Error> {
    let workspace = shared.workspace();
    let limit = match wait {
        Wait::Never => return leave(&workspace),
        Wait::AtMost(time) => Instant::now().checked_add(time),
        Wait::Forever => None,
    };
    let _waiter = workspace.register_waiter()?;
    let message = format!("{}; showing its log", taken(&workspace));
    events.emit(EventKind::Waiting { message });
    let own = AwaitedCommits::new(shared, wanted, repo)?;
    let mut tail = LogTail::new(workspace.log_path(), Some(0))?;
    let mut look_at = Instant::now() + LOOK_AT_NOTES;
    loop {
        pass_on(&mut tail, events)?;
        if cancel.is_canceled() {
            return Ok(WaitResult::Canceled);
        }
        if let Some(lock) = workspace.lock()? {
            pass_on(&mut tail, events)?;
            return Ok(WaitResult::Acquired(lock));
        }
        if Instant::now() >= look_at {
            look_at = Instant::now() + LOOK_AT_NOTES;
            if own.is_settled(repo)? {
                pass_on(&mut tail, events)?;
                return Ok(WaitResult::Tested(own.verdicts(repo)?));
            }
        }
        if limit.is_some_and(|limit| Instant::now() >= limit) {
            return leave(&workspace);
        }
        thread::sleep(PAUSE);
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
    let message = format!("{}; {why} after its current commit", taken(workspace));
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
        thread::sleep(PAUSE);
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
    let wanted = ResolvedSelection::resolve(shared, &repo, selection)?;
    let own = AwaitedCommits::new(shared, &wanted, &repo)?;
    let mut tail = LogTail::new(workspace.log_path(), Some(0))?;
    let mut look_at = Instant::now();
    loop {
        let over = !workspace.is_running()?;
        pass_on(&mut tail, events)?;
        if over || cancel.is_canceled() {
            break;
        }
        if Instant::now() >= look_at {
            look_at = Instant::now() + LOOK_AT_NOTES;
            // Without pending commits, as in a retry, the wait ends with the run.
            if !own.ids.is_empty() && own.is_settled(&repo)? {
                pass_on(&mut tail, events)?;
                break;
            }
        }
        thread::sleep(PAUSE);
    }
    let summary = Summary {
        already_tested: own.verdicts(&repo)?,
        canceled: cancel.is_canceled(),
        ..Summary::default()
    };
    events.emit(EventKind::Finished { outcome: summary.worst() });
    Ok(summary)
}

/// The commits that a waiting caller requested.
struct AwaitedCommits<'a> {
    shared: &'a Shared,
    wanted: &'a ResolvedSelection,
    ids: Vec<CommitId>,
}

impl<'a> AwaitedCommits<'a> {
    fn new(shared: &'a Shared, wanted: &'a ResolvedSelection, repo: &Repo) -> Result<Self, Error> {
        let ids = match &wanted.named {
            Some(named) => named.clone(),
            None => wanted.own_due(shared, repo)?,
        };
        Ok(Self { shared, wanted, ids })
    }

    /// Returns true if none of them is pending. This includes commits that became unreachable or
    /// part of the baseline, and so get no verdict. A retry is never settled by another run.
    fn is_settled(&self, repo: &Repo) -> Result<bool, Error> {
        if self.wanted.named.is_some() {
            if self.wanted.retry {
                return Ok(false);
            }
            let attempts = self.shared.workspace().attempts()?;
            let due = self.wanted.due(self.shared, repo, &attempts, &mut Summary::default())?;
            return Ok(due.due.is_empty());
        }
        let due: HashSet<CommitId> = self.wanted.own_due(self.shared, repo)?.into_iter().collect();
        Ok(!self.ids.iter().any(|id| due.contains(id)))
    }

    fn verdicts(&self, repo: &Repo) -> Result<Vec<(CommitId, Outcome)>, Error> {
        let mut settled = Vec::new();
        for id in &self.ids {
            settled.extend(settled_outcome(repo, *id)?.map(|outcome| (*id, outcome)));
        }
        Ok(settled)
    }
}

fn pass_on(tail: &mut LogTail, events: &Sender) -> Result<(), Error> {
    tail.read_new(&mut |line| {
        let bytes = [line, b"\n"].concat();
        events.emit(EventKind::Output { stream: Stream::Stdout, bytes });
        ControlFlow::Continue(())
    })
}

/// Gives up on the lock, and requests a scan from its holder. If the lock is free by now, takes
/// it.
fn leave(workspace: &Workspace) -> Result<WaitResult, Error> {
    workspace.request_scan()?;
    if let Some(lock) = workspace.lock()? {
        return Ok(WaitResult::Acquired(lock));
    }
    let message = format!("{}; it will look for new commits before it ends", taken(workspace));
    Err(Error::new(ErrorKind::Busy, message))
}

/// Returns a sentence about the run that holds the lock.
fn taken(workspace: &Workspace) -> String {
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
