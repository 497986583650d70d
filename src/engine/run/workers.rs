//! The workers of one plan: one thread per configured job, each taking the next commit.

use std::{
    collections::{HashSet, VecDeque},
    io,
    ops::ControlFlow,
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

/// The results of a plan.
pub(in crate::engine) struct WorkResult {
    /// The commits that were begun or dropped.
    pub(in crate::engine) started: Vec<CommitId>,
    /// The records of the jobs, in the order in which they ended.
    pub(in crate::engine) records: Vec<Record>,
    /// True if jobs are left.
    pub(in crate::engine) has_jobs_left: bool,
    /// The error that ends the run.
    pub(in crate::engine) fault: Option<Error>,
}

/// The number of jobs after which a worker opens the repository anew. libgit2 keeps the objects that it
/// has read, up to 256 MiB, unless the program has called [`tune_process`](crate::tune_process).
const JOBS_PER_OPENING: usize = 64;

/// The conditions under which a worker stops between two commits.
pub(in crate::engine) struct StopConditions<'a> {
    /// True if the commits were named. Then they are tested even if no ref reaches them.
    pub(in crate::engine) named: bool,
    /// The commits that the caller requested.
    pub(in crate::engine) own: &'a HashSet<CommitId>,
    /// True if a waiting process may get the lock after them.
    pub(in crate::engine) may_hand_over: bool,
    /// True if a deployment may get the lock between two commits.
    pub(in crate::engine) may_lend_lock: bool,
}

impl StopConditions<'_> {
    /// Returns true if no ref reaches the commit anymore, and neither the caller nor a pushed tag
    /// named it. Such a commit is dropped.
    fn must_drop(&self, reachable: &mut Reachable<'_>, job: &Job) -> bool {
        !self.named && job.tag.is_none() && !reachable.contains(&job.commit).unwrap_or(true)
    }

    /// Returns true if the rest of the plan must wait. A deployment may need the lock for one
    /// commit, or a waiting process may get it because none of the rest is the caller's own.
    fn must_stop(&self, context: &JobContext<'_>, queue: &Mutex<Queue>) -> bool {
        if self.may_lend_lock && wanted_between_commits(context.workspace) {
            return true;
        }
        let has_own_jobs = || lock(queue).jobs.iter().any(|job| self.own.contains(&job.commit.id));
        self.may_hand_over && !has_own_jobs() && lock_wanted(context.workspace)
    }
}

/// Returns true if another process waits for the lock.
pub(in crate::engine) fn lock_wanted(workspace: &Workspace) -> bool {
    workspace.has_waiters().unwrap_or(false)
}

/// Returns true if a deployment needs the lock between two commits.
pub(in crate::engine) fn wanted_between_commits(workspace: &Workspace) -> bool {
    workspace.is_wanted_between().unwrap_or(false)
}

/// Runs jobs until none is left or the run ends.
pub(in crate::engine) fn work(
    context: &JobContext<'_>,
    state: RunState<'_>,
    jobs: Vec<Job>,
    conditions: &StopConditions<'_>,
) -> WorkResult {
    let workers = context.shared.settings.jobs.min(jobs.len());
    let queue = Mutex::new(Queue { jobs: jobs.into(), ..Queue::default() });
    // Handles earlier requests before the first job begins.
    state.active.handle_requests();
    thread::scope(|scope| {
        let (running, stop) = mpsc::channel::<()>();
        let watcher = thread::Builder::new().name("tinyci requests".to_owned());
        let watching = watcher.spawn_scoped(scope, move || state.active.watch(&stop));
        note_start_error(&queue, watching.map(drop));
        thread::scope(|scope| {
            for _ in 0..workers {
                let worker = big_thread("tinyci job");
                let working =
                    worker.spawn_scoped(scope, || worker_loop(context, state, &queue, conditions));
                note_start_error(&queue, working.map(drop));
            }
        });
        drop(running);
    });
    let queue = unpoisoned(queue.into_inner());
    let Queue { jobs, started, records, fault } = queue;
    WorkResult { started, records, has_jobs_left: !jobs.is_empty(), fault }
}

/// Sets the error of the run if one of its threads cannot start.
fn note_start_error(queue: &Mutex<Queue>, thread: io::Result<()>) {
    if let Err(source) = thread {
        let error = Error::new(ErrorKind::Spawn, "cannot start a thread for a job");
        lock(queue).fault.get_or_insert(error.with_source(source));
    }
}

/// The jobs of one plan, and their results so far.
#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    started: Vec<CommitId>,
    records: Vec<Record>,
    fault: Option<Error>,
}

fn take(queue: &Mutex<Queue>) -> Option<Job> {
    lock(queue).jobs.pop_front()
}

/// Returns true if a person or a push option has skipped the commit.
fn is_skipped_on_purpose(repo: &Repo, job: &Job) -> bool {
    let id = job.commit.id;
    let newest = repo.newest_records([id]).ok().and_then(|mut newest| newest.remove(&id));
    newest.is_some_and(|it| it.outcome == Outcome::Skipped && it.intervention.is_some())
}

/// Returns true if the commit has a verdict now that this job would not replace.
fn has_verdict_now(repo: &Repo, job: &Job) -> bool {
    let note = repo.verdict(job.commit.id).ok().flatten();
    note.is_some_and(|note| match job.trigger {
        Trigger::Retry | Trigger::Rebuild => false,
        Trigger::Retest => {
            note.verdict != Some(Verdict::Skipped) || is_skipped_on_purpose(repo, job)
        }
        _ => true,
    })
}

/// Runs jobs from the queue until it is empty or the worker must stop.
fn worker_loop(
    context: &JobContext<'_>,
    state: RunState<'_>,
    queue: &Mutex<Queue>,
    conditions: &StopConditions<'_>,
) {
    loop {
        let repo = match context.shared.repo() {
            Ok(repo) => repo,
            Err(error) => {
                lock(queue).fault.get_or_insert(error);
                return;
            }
        };
        if run_jobs(context, state, queue, conditions, &repo).is_break() {
            return;
        }
    }
}

/// Runs as many jobs as one opening of the repository is for. Breaks if the worker must stop.
fn run_jobs(
    context: &JobContext<'_>,
    state: RunState<'_>,
    queue: &Mutex<Queue>,
    conditions: &StopConditions<'_>,
    repo: &Repo,
) -> ControlFlow<()> {
    let mut reachable = repo.reachable(&context.shared.settings.refs);
    for _ in 0..JOBS_PER_OPENING {
        let stopped = context.cancel.is_canceled() || lock(queue).fault.is_some();
        if stopped || conditions.must_stop(context, queue) {
            return ControlFlow::Break(());
        }
        let Some(job) = take(queue) else { return ControlFlow::Break(()) };
        // A verdict that was written after the plan was made stays, for example a skip.
        if has_verdict_now(repo, &job) {
            continue;
        }
        lock(queue).started.push(job.commit.id);
        if conditions.must_drop(&mut reachable, &job) {
            continue;
        }
        let attempt = attempt::attempt(context, state, repo, &job);
        let mut queue = lock(queue);
        queue.records.push(attempt.record);
        if let Some(fault) = attempt.fault {
            queue.fault.get_or_insert(fault);
        }
    }
    ControlFlow::Continue(())
}
