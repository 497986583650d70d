//! The workers of one plan: as many threads as the engine has jobs, each taking the next commit.

use std::{
    collections::{HashSet, VecDeque},
    io,
    sync::{Mutex, mpsc},
    thread,
};

use super::attempt::{self, JobContext, RunState};
use crate::{
    model::{
        commit::CommitId,
        error::{Error, ErrorKind},
        job::{Job, Trigger},
        outcome::{Outcome, Verdict},
        record::Record,
    },
    repo::{Reachable, Repo},
    util::{
        lock::{lock, unpoisoned},
        threads::big_thread,
    },
    workspace::Workspace,
};

/// What came of a plan.
pub(in crate::engine) struct WorkResult {
    /// The commits that were begun, or dropped.
    pub(in crate::engine) taken: Vec<CommitId>,
    /// The attempts, in the order in which they ended.
    pub(in crate::engine) records: Vec<Record>,
    /// Whether jobs are left that no worker took.
    pub(in crate::engine) left: bool,
    /// Why the run cannot go on.
    pub(in crate::engine) fault: Option<Error>,
}

/// What decides, between two commits, whether a worker goes on.
pub(in crate::engine) struct StopConditions<'a> {
    /// Whether the commits were named, so that it does not matter who reaches them.
    pub(in crate::engine) named: bool,
    /// The commits that the caller came for.
    pub(in crate::engine) own: &'a HashSet<CommitId>,
    /// Whether a waiter gets the lock once they are done.
    pub(in crate::engine) may_hand_over: bool,
    /// Whether a deployment gets it between two commits.
    pub(in crate::engine) may_lend_lock: bool,
}

impl StopConditions<'_> {
    /// A commit that nobody can reach any more is dropped, unless somebody named it, or a tag that
    /// was pushed does.
    fn drops(&self, reachable: &mut Reachable<'_>, job: &Job) -> bool {
        !self.named && job.tag.is_none() && !reachable.contains(job.commit.id).unwrap_or(true)
    }

    /// Whether the rest of the plan is left for now, to a deployment that needs the lock for one
    /// commit, or to a waiter, if none of it is this caller's own.
    fn leaves(&self, context: &JobContext<'_>, queue: &Mutex<Queue>) -> bool {
        if self.may_lend_lock && is_wanted_between(context.workspace) {
            return true;
        }
        let own_left = || lock(queue).jobs.iter().any(|job| self.own.contains(&job.commit.id));
        self.may_hand_over && !own_left() && lock_wanted(context.workspace)
    }
}

/// Whether anybody waits for the lock.
pub(in crate::engine) fn lock_wanted(workspace: &Workspace) -> bool {
    workspace.has_waiters().unwrap_or(false)
}

/// Whether a deployment needs the lock between two commits.
pub(in crate::engine) fn is_wanted_between(workspace: &Workspace) -> bool {
    workspace.is_wanted_between().unwrap_or(false)
}

/// Hands out jobs until there are none, or the run ends.
pub(in crate::engine) fn work(
    context: &JobContext<'_>,
    state: RunState<'_>,
    jobs: Vec<Job>,
    bounds: &StopConditions<'_>,
) -> WorkResult {
    let workers = context.shared.settings.jobs.min(jobs.len());
    let queue = Mutex::new(Queue { jobs: jobs.into(), ..Queue::default() });
    // What was asked for before any of them begins.
    state.active.handle_requests();
    thread::scope(|scope| {
        let (work, over) = mpsc::channel::<()>();
        let watcher = thread::Builder::new().name("tinyci requests".to_owned());
        let watching = watcher.spawn_scoped(scope, move || state.active.watch(&over));
        started(&queue, watching.map(drop));
        thread::scope(|scope| {
            for _ in 0..workers {
                let worker = big_thread("tinyci job");
                let working =
                    worker.spawn_scoped(scope, || worker_loop(context, state, &queue, bounds));
                started(&queue, working.map(drop));
            }
        });
        drop(work);
    });
    let queue = unpoisoned(queue.into_inner());
    let Queue { jobs, taken, records, fault } = queue;
    WorkResult { taken, records, left: !jobs.is_empty(), fault }
}

/// A run without one of its threads ends at once.
fn started(queue: &Mutex<Queue>, thread: io::Result<()>) {
    if let Err(source) = thread {
        let error = Error::new(ErrorKind::Spawn, "cannot start a thread for a job");
        lock(queue).fault.get_or_insert(error.with_source(source));
    }
}

/// The jobs of one plan, and what came of them.
#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    taken: Vec<CommitId>,
    records: Vec<Record>,
    fault: Option<Error>,
}

fn take(queue: &Mutex<Queue>) -> Option<Job> {
    lock(queue).jobs.pop_front()
}

/// True if somebody has left the commit untested by now.
fn is_left_alone(repo: &Repo, job: &Job) -> bool {
    let id = job.commit.id;
    let newest = repo.newest_records([id]).ok().and_then(|mut newest| newest.remove(&id));
    newest.is_some_and(|it| it.outcome == Outcome::Skipped && it.intervention.is_some())
}

/// True if a commit has a verdict by now that its job would not replace.
fn is_settled_by_now(repo: &Repo, job: &Job) -> bool {
    let note = repo.verdict(job.commit.id).ok().flatten();
    note.is_some_and(|note| match job.trigger {
        Trigger::Retry | Trigger::Rebuild => false,
        Trigger::Retest => note.verdict != Some(Verdict::Skipped) || is_left_alone(repo, job),
        _ => true,
    })
}

/// One worker.
fn worker_loop(
    context: &JobContext<'_>,
    state: RunState<'_>,
    queue: &Mutex<Queue>,
    bounds: &StopConditions<'_>,
) {
    let repo = match context.shared.repo() {
        Ok(repo) => repo,
        Err(error) => {
            lock(queue).fault.get_or_insert(error);
            return;
        }
    };
    let mut reachable = repo.reachable(&context.shared.settings.refs);
    loop {
        let stopped = context.cancel.is_canceled() || lock(queue).fault.is_some();
        if stopped || bounds.leaves(context, queue) {
            return;
        }
        let Some(job) = take(queue) else { return };
        // A word that came since the plan was made, as one that leaves it untested, stands.
        if is_settled_by_now(&repo, &job) {
            continue;
        }
        lock(queue).taken.push(job.commit.id);
        if bounds.drops(&mut reachable, &job) {
            continue;
        }
        let attempt = attempt::attempt(context, state, &repo, &job);
        let mut queue = lock(queue);
        queue.records.push(attempt.record);
        if let Some(fault) = attempt.fault {
            queue.fault.get_or_insert(fault);
        }
    }
}
