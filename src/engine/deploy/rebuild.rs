//! Builds and tests a commit again before its deployment, if its build is missing or of another
//! branch.
//!
//! Only rebuilds take the run lock, and only between two commits. A deployment whose build exists
//! waits for no run.

use crate::{
    engine::{
        context::{engine_call::EngineCall, process_env::ProcessEnv, pump::Sender, shared::Shared},
        run::{
            active_jobs::ActiveJobs,
            attempt::{self, JobContext, RunState},
            driver::{RunDriver, prepare_builds},
            lock_wait,
            workers::{self, StopConditions},
        },
    },
    model::{
        cancel::CancelView,
        commit::Commit,
        error::{Error, ErrorKind},
        event::EventKind,
        job::{Job, Trigger},
        outcome::Outcome,
        pipeline::{Hook, Phase, StepName},
        record::Record,
    },
    process::Guard,
    workspace::RunLock,
};
use std::{collections::HashSet, sync::Arc};

use super::{build, candidate::Candidate};

/// The result of a rebuild.
pub(super) struct Rebuilt {
    pub(super) record: Record,
    /// True if another process found the lock taken meanwhile, and relies on a scan.
    scan_requested: bool,
}

impl Rebuilt {
    /// Returns true if the rebuild made a build to deploy. It must be green. For a forced
    /// deployment of a commit that is not green, its build phase must have passed.
    pub(super) fn is_build(&self, candidate: &Candidate) -> bool {
        let steps: [StepName; 2] = [Hook::BeforeBuild.into(), Phase::Build.into()];
        let passed = |name| self.record.step(name).is_none_or(|step| step.outcome.passed());
        let built = self.record.outcome == Outcome::Failure
            && self.record.config_format.is_some()
            && steps.into_iter().all(passed);
        let is_green = candidate.verdict.is_some_and(Outcome::passed);
        self.record.outcome.passed() || (built && !is_green)
    }

    /// Tests what other processes requested during the rebuild.
    pub(super) fn test_for_others(
        &self,
        shared: &Shared,
        env: &ProcessEnv,
        cancel: &CancelView,
        events: &Sender,
    ) {
        if self.scan_requested {
            test_for_others(shared, env, cancel, events);
        }
    }
}

/// Builds and tests a commit again without changing its verdict. Returns `None` if its build
/// exists by now, because another deployment made it. `id` is the id of the deployment.
///
/// # Errors
///
/// Errors that keep a run from beginning; [`Canceled`](ErrorKind::Canceled); and
/// [`Busy`](ErrorKind::Busy) for a command of the active run, which must not wait for that run.
pub(super) fn rebuild(
    shared: &Shared,
    env: &ProcessEnv,
    candidate: &Candidate,
    id: &str,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Option<Rebuilt>, Error> {
    let workspace = shared.workspace();
    let commit = &candidate.commit;
    let short = commit.id.short();
    let lock = match workspace.lock()? {
        Some(lock) => Some(lock),
        None if env.is_of_run => {
            let message = format!(
                "cannot rebuild {short} for its deployment: a command of the active run asked for \
                 it"
            );
            let hint = format!("`tinyci deploy {short}` after the run");
            return Err(Error::new(ErrorKind::Busy, message).with_hint(hint));
        }
        None => {
            let why = format!("{short} is rebuilt for its deployment");
            lock_wait::between_commits(&workspace, &why, cancel, events)?
        }
    };
    let lock = lock.ok_or_else(|| {
        let message = format!("canceled before {short} was rebuilt");
        Error::new(ErrorKind::Canceled, message)
    })?;
    let requests_before = workspace.wake_count()?;
    let record = match build::rebuild_reason(shared, &shared.repo()?, candidate, id, cancel) {
        Ok(None) => Ok(None),
        Ok(Some(_)) => rebuild_under(shared, env, &lock, commit, cancel, events).map(Some),
        Err(error) => Err(error),
    };
    lock.release()?;
    let scan_requested = workspace.wake_count()? != requests_before;
    match record {
        Ok(Some(record)) => Ok(Some(Rebuilt { record, scan_requested })),
        // Without a rebuild, the requests can be handled before the deployment.
        other => {
            if scan_requested {
                test_for_others(shared, env, cancel, events);
            }
            other.map(|_| None)
        }
    }
}

/// Tests what other processes requested. Errors become warnings, because this is not the
/// deployment's own work.
fn test_for_others(shared: &Shared, env: &ProcessEnv, cancel: &CancelView, events: &Sender) {
    if cancel.is_canceled() {
        return;
    }
    if let Err(error) = RunDriver::for_others(shared, env, cancel.clone(), events.clone()) {
        let message =
            format!("cannot test the commits that other processes requested: {}", error.report());
        events.emit(EventKind::Warning { message });
    }
}

fn rebuild_under(
    shared: &Shared,
    env: &ProcessEnv,
    lock: &RunLock,
    commit: &Commit,
    cancel: &CancelView,
    events: &Sender,
) -> Result<Record, Error> {
    let (workspace, repo) = (shared.workspace(), shared.repo()?);
    for message in repo.restore_refs()? {
        events.emit(EventKind::Warning { message });
    }
    prepare_builds(shared, &workspace, &repo)?;
    let guard = Arc::new(Guard::new(Some(lock.share()?)));
    let (logs, attempts) = (shared.logs(&workspace, false), workspace.attempts()?);
    let job = Job::new(commit.clone(), Trigger::Rebuild);
    events.emit(EventKind::Planned { jobs: vec![job.clone()] });
    let context =
        JobContext::new(EngineCall { shared, env }, &workspace, &logs, &guard, cancel, events);
    let id = attempt::new_id();
    lock.introduce(&attempt::host_name(), &id);
    let active = ActiveJobs::new(&workspace, &id, cancel);
    let state = RunState { attempts: &attempts, lock, active: &active };
    let own = HashSet::from([commit.id]);
    let conditions =
        StopConditions { named: true, own: &own, may_hand_over: false, may_lend_lock: false };
    let work_result = workers::work(&context, state, vec![job], &conditions);
    // The guard shares the lock, so the lock stays taken until the guard is gone.
    guard.finish();
    let canceled = || Error::new(ErrorKind::Canceled, "canceled before the rebuild");
    let record = work_result.records.into_iter().next();
    work_result.fault.map_or_else(|| record.ok_or_else(canceled), Err)
}
