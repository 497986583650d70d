//! Interventions of people in a run from another process: canceling a job, and skipping a commit.
//!
//! The canceling process is not the run's. It writes a [`StopRequest`] to the state directory,
//! where the run finds it. The records and the run's own state show when the request is done.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    attempt::{host_name, new_id},
    pending::final_outcome,
};
use crate::{
    engine::{
        context::{process_env::ProcessEnv, shared::Shared},
        step::scripts::LoadedPipeline,
    },
    model::{
        cancel::CancelView,
        commit::{Commit, CommitId},
        error::{Error, ErrorKind},
        intervention::{CanceledJob, Intervention, InterventionKind},
        outcome::{Outcome, Verdict},
        pipeline::Phase,
        record::{LeftOut, LeftOutBy, Record},
        selection::Wait,
    },
    process::{account_name, own_account},
    repo::{Line, Replace, Repo, Written},
    util::{
        clock,
        suggestion::{did_you_mean_or_list, hinted},
    },
    workspace::{ActiveJob, Holder, StopRequest, Workspace},
};

/// How often the process checks whether the job or run has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a run may hold the lock without its id, just after it took the lock or before it
/// releases it.
const HOLDER_ID_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a run may take to see a request. After that, it is stopped or cannot read the file.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The run or job that is to be canceled.
pub(in crate::engine) struct CancelTarget {
    pub(in crate::engine) workspace: Workspace,
    /// The id of the run.
    pub(in crate::engine) run: String,
    /// The id of the named job, or `None` for the whole run.
    pub(in crate::engine) job_id: Option<String>,
    pub(in crate::engine) jobs: Vec<ActiveJob>,
}

impl CancelTarget {
    /// Returns the active run, or the job of this commit in it.
    pub(in crate::engine) fn find(
        shared: &Shared,
        named: Option<CommitId>,
    ) -> Result<Option<Self>, Error> {
        let workspace = shared.workspace();
        let Some(Holder { id: run, commits: mut jobs, .. }) = known_holder(&workspace)? else {
            return Ok(None);
        };
        let Some(id) = named else {
            return Ok(Some(Self { workspace, run, job_id: None, jobs }));
        };
        jobs.retain(|job| job.commit == id);
        let job_id = jobs.first().map(|job| job.job_id.clone());
        Ok(job_id.map(|job| Self { workspace, run, job_id: Some(job), jobs }))
    }

    /// Requests the cancellation, and waits for the end as long as `wait` allows.
    pub(in crate::engine) fn cancel(
        &self,
        intervention: &Intervention,
        kill: bool,
        wait: Wait,
        cancel: &CancelView,
    ) -> Result<(), Error> {
        let request = StopRequest {
            run: self.run.clone(),
            job_id: self.job_id.clone(),
            kill,
            intervention: intervention.clone(),
        };
        let sent = self.workspace.request_stop(&new_id(), &request)?;
        let begun = Instant::now();
        let limit = match wait {
            Wait::Never => Some(Duration::ZERO),
            Wait::AtMost(time) => Some(time),
            Wait::Forever => None,
        };
        while !self.is_over()? {
            let is_seen = sent.is_seen();
            if is_seen && limit.is_some_and(|limit| begun.elapsed() >= limit) {
                return Ok(());
            }
            if cancel.is_canceled() {
                return Err(wait_canceled_error(is_seen));
            }
            if !is_seen && begun.elapsed() >= REQUEST_TIMEOUT {
                return Err(self.not_seen_error());
            }
            thread::sleep(POLL_INTERVAL);
        }
        drop(sent);
        Ok(())
    }

    fn is_over(&self) -> Result<bool, Error> {
        if !self.workspace.is_running()? {
            return Ok(true);
        }
        let Some(holder) = self.workspace.holder() else { return Ok(false) };
        let is_active = |job: &String| holder.commits.iter().any(|it| it.job_id == *job);
        Ok(holder.id != self.run || self.job_id.as_ref().is_some_and(|job| !is_active(job)))
    }

    fn not_seen_error(&self) -> Error {
        let process = match self.workspace.holder() {
            Some(holder) => format!("process {} on {}", holder.pid, holder.machine),
            None => "the run".to_owned(),
        };
        let message =
            format!("{process} did not answer the cancellation in time; the request was withdrawn");
        let hint = "if its account is not yours, `git config core.sharedRepository group`";
        Error::new(ErrorKind::Busy, message).with_hint(hint)
    }
}

/// Returns the holder of the run lock, if the lock is taken and its holder is known.
fn known_holder(workspace: &Workspace) -> Result<Option<Holder>, Error> {
    let limit = Instant::now() + HOLDER_ID_TIMEOUT;
    while workspace.is_running()? {
        if let Some(holder) = workspace.holder() {
            return Ok(Some(holder));
        }
        if Instant::now() >= limit {
            break;
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(None)
}

fn wait_canceled_error(is_seen: bool) -> Error {
    let message = match is_seen {
        true => "stopped waiting: the canceled job is still ending",
        false => "the cancellation was withdrawn before the run saw it",
    };
    Error::new(ErrorKind::Canceled, message)
}

/// Returns the result of a canceled job; without an outcome if it has not ended.
pub(in crate::engine) fn canceled_job(repo: &Repo, job: &ActiveJob) -> Result<CanceledJob, Error> {
    let outcome = repo.records(job.commit)?.into_iter().find_map(|line| match line {
        Line::Record(record) if record.job_id == job.job_id => Some(record.outcome),
        _ => None,
    });
    Ok(CanceledJob { commit: job.commit, job_id: job.job_id.clone(), outcome })
}

/// Returns the error that nothing can be canceled, with a hint what to do instead.
pub(in crate::engine) fn not_in_progress(
    shared: &Shared,
    repo: &Repo,
    named: Option<CommitId>,
) -> Result<Error, Error> {
    let (mut message, hint) = match named {
        None => (
            format!("no run is in progress in `{}`", shared.root.display()),
            Some("`tinyci status` shows what is pending".to_owned()),
        ),
        Some(id) => match final_outcome(repo, id)? {
            Some(outcome) => {
                (format!("commit {id} is not in progress: its verdict is {outcome}"), None)
            }
            None => (
                format!("commit {id} is not in progress"),
                Some(format!("`tinyci skip {}` leaves it untested", id.short())),
            ),
        },
    };
    let workspace = shared.workspace();
    for environment in repo.deploy_environments()? {
        if workspace.is_deploying(&environment)? {
            message += &format!(
                "; the deployment to `{environment}` is not a job: cancel it where it was started"
            );
        }
    }
    let error = Error::new(ErrorKind::NotFound, message);
    Ok(match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    })
}

/// Fails if the commit has a verdict. A verdict must be deleted before it can change.
pub(in crate::engine) fn refuse_if_verdict(repo: &Repo, id: CommitId) -> Result<(), Error> {
    let Some(outcome) = final_outcome(repo, id)? else { return Ok(()) };
    let message = format!("commit {id} has a verdict: {outcome}");
    let hint = format!("`tinyci results --forget {}` deletes it", id.short());
    Err(Error::new(ErrorKind::InvalidArg, message).with_hint(hint))
}

/// The push option that skips the commits of a push.
pub(in crate::engine) const CI_SKIP: &str = "ci.skip";

/// Returns the intervention of the account that pushed. The identity in git's configuration would
/// be the server's.
pub(in crate::engine) fn pusher(env: &ProcessEnv) -> Intervention {
    let own = || account_name(own_account(), &env.passed);
    let by = env.account.clone().unwrap_or_else(own);
    Intervention::new(InterventionKind::PushOption, &by, None)
}

/// Returns true if a job of this commit is active.
pub(in crate::engine) fn is_in_progress(
    workspace: &Workspace,
    id: CommitId,
) -> Result<bool, Error> {
    let holder = known_holder(workspace)?;
    Ok(holder.is_some_and(|holder| holder.commits.iter().any(|job| job.commit == id)))
}

/// Returns the warning about a commit that was to be skipped but is already being tested.
pub(in crate::engine) fn skip_too_late_message(id: CommitId) -> String {
    let short = id.short();
    let message = format!("`{CI_SKIP}` came too late for {short}: its job is in progress");
    hinted(&message, &format!("`tinyci cancel {short}` ends it"))
}

/// Returns warnings about unknown push options with the prefix of tinyci.
pub(in crate::engine) fn unknown_option_warnings(options: &[String]) -> Vec<String> {
    let unknown = options.iter().filter(|it| it.starts_with("ci.") && *it != CI_SKIP);
    unknown
        .map(|option| {
            let hint = did_you_mean_or_list(option, &[CI_SKIP]);
            format!("unknown push option `{option}`{hint}")
        })
        .collect()
}

/// Returns the phases that would have tested the commit: those of its config, or both if that
/// cannot be read.
fn left_out(shared: &Shared, repo: &Repo, commit: &Commit, kind: InterventionKind) -> Vec<LeftOut> {
    let by = match kind {
        InterventionKind::PushOption => LeftOutBy::PushOption,
        _ => LeftOutBy::Person,
    };
    let pipeline = LoadedPipeline::load(shared, repo, commit).ok().map(|it| it.pipeline);
    let is_configured =
        |phase: &Phase| pipeline.as_ref().is_none_or(|it| it.step(*phase).is_some());
    let phases = [Phase::Build, Phase::Test].into_iter().filter(is_configured);
    phases.map(|phase| LeftOut { step: phase.into(), by }).collect()
}

/// Skips a commit: writes a record and the verdict. Returns `None` if the commit has another
/// verdict, which stays.
pub(in crate::engine) fn write_skip(
    shared: &Shared,
    repo: &Repo,
    commit: &Commit,
    intervention: &Intervention,
) -> Result<Option<Record>, Error> {
    if repo.verdict(commit.id)?.is_some_and(|note| note.verdict != Some(Verdict::Skipped)) {
        return Ok(None);
    }
    let record = Record {
        outcome: Outcome::Skipped,
        reason: Some(intervention.phrase()),
        intervention: Some(intervention.clone()),
        machine: host_name(),
        left_out: left_out(shared, repo, commit, intervention.kind),
        ..Record::begun(new_id(), commit, clock::now_ms())
    };
    repo.append_record(&record)?;
    match repo.write_verdict(commit.id, Verdict::Skipped, Replace::Nothing)? {
        Written::Existed(note) if note.verdict != Some(Verdict::Skipped) => Ok(None),
        _ => Ok(Some(record)),
    }
}
