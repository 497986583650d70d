//! [`Engine::status`]: the state of the repository.

use std::{collections::HashMap, ops::ControlFlow, time::UNIX_EPOCH};

use super::handle::Engine;
use crate::engine::{
    context::{approvals::problem_of, shared::Shared},
    run::{
        pending::{out_of_attempts_message, plan_of},
        reports::Reports,
    },
};
use crate::{
    install,
    model::{
        commit::{CommitId, GitString},
        deployment::{ApprovalState, DeployOutcome, DeployPlan, DeployRequest, Deployment},
        error::Error,
        job::Trigger,
        pipeline::DeployRules,
        selection::Selection,
        status::{
            ActiveRun, BranchStatus, EnvironmentStatus, LatestVerdict, RunningCommit, Status,
        },
    },
    repo::Repo,
    rules::ledger::DeploymentHistory,
    util::{bytes::format_bytes, suggestion::hinted},
};

/// How many commits below a branch's tip are searched for a verdict.
const COMMITS_MAX: usize = 1000;

impl Engine {
    /// Returns the state of the repository: active jobs, pending commits, the newest verdict of
    /// each branch, what is deployed, and warnings.
    ///
    /// ```no_run
    /// let status = tinyci::Engine::open("/srv/git/app.git")?.status()?;
    /// for warning in &status.warnings {
    ///     eprintln!("{warning}");
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the repository cannot be read,
    /// [`Io`](crate::ErrorKind::Io) if its state cannot be read.
    pub fn status(&self) -> Result<Status, Error> {
        let shared = &self.shared;
        let repo = shared.repo()?;
        let running = running(shared, &repo)?;
        let mut reports = Reports::new(&repo)?;
        let mut status = Status {
            branches: branches(&repo, &mut reports)?,
            free_bytes: shared.workspace().free_bytes().ok(),
            ..Status::default()
        };
        let active = running.iter().flat_map(|run| &run.commits).map(|it| it.commit);
        let active: Vec<CommitId> = active.collect();
        let attempts = shared.workspace().attempts()?;
        let plan = plan_of(shared, &Selection::pending())?;
        let ids = plan.jobs.iter().map(|job| &job.commit.id).chain(&plan.out_of_attempts);
        for (id, secret) in ids.filter_map(|id| Some((id, attempts.missing_secret(id)?))) {
            status.warnings.push(format!(
                "commit {} has no verdict: the server does not have the secret `{secret}`; the \
                 next run after you add it tests the commit",
                id.short()
            ));
        }
        for job in plan.jobs.into_iter().filter(|job| !active.contains(&job.commit.id)) {
            // A retest has a verdict of this repository.
            let has_no_verdict = job.trigger != Trigger::Retest;
            if has_no_verdict && reports.current_record(job.commit.id)?.is_some() {
                status.tested_by_remote.push(job.commit.id);
            }
            // A killed job leaves no record, but its attempt was counted.
            if job.trigger == Trigger::Unfinished || attempts.get(&job.commit.id) > 0 {
                status.unfinished.push(job.commit.id);
            }
            status.pending.push(job.commit);
        }
        status.out_of_attempts = plan.out_of_attempts;
        status.running = running;
        self.environments(&repo, &mut status)?;
        self.warn(&repo, &mut status)?;
        Ok(status)
    }

    fn environments(&self, repo: &Repo, status: &mut Status) -> Result<(), Error> {
        let deploys = self.deployments(None)?;
        status.warnings.extend(deploys.warnings);
        let mut names = repo.deploy_environments()?;
        let default = DeployRules::PRODUCTION.to_owned();
        if !names.contains(&default) {
            names.push(default);
        }
        for name in names {
            let own = deploys
                .deployments
                .iter()
                .filter(|it| it.remote.is_none() && it.environment == name);
            let own: Vec<Deployment> = own.cloned().collect();
            let is_known = !own.is_empty();
            let mut environment = environment(name, None, own);
            let is_retired = environment.is_retired();
            let plan = self.deploy_plan(&environment.name, DeployRequest::newest());
            let deployed = environment.deployed.as_ref().map(|it| it.commit);
            let plan = plan.ok().filter(|_| !is_retired);
            status.warnings.extend(plan.iter().flat_map(uncounted));
            let next = plan.filter(|plan| !plan.must_be_named).map(|plan| plan.commit);
            environment.next = next.filter(|commit| Some(commit.id) != deployed);
            if is_known || environment.next.is_some() {
                status.environments.push(environment);
            }
        }
        let fetched = repo.fetched_deployments()?;
        status.warnings.extend(fetched.warnings);
        for (name, ledger) in fetched.histories {
            let remote = ledger.deployments.first().and_then(|newest| newest.remote.clone());
            status.environments.push(environment(name, remote, ledger.deployments));
        }
        Ok(())
    }

    fn warn(&self, repo: &Repo, status: &mut Status) -> Result<(), Error> {
        let warnings = &mut status.warnings;
        warnings.extend(self.warnings().iter().cloned());
        warnings.extend(self.builds_warning());
        warnings.extend(self.approval_warnings(repo)?);
        if (repo.is_bare() || install::is_installed(repo)?) && !install::hides_refs(repo)? {
            warnings.push(install::forgeable());
        }
        if let Err(error) = self.shared.workspace().pins(&self.shared.settings.pins) {
            warnings.push(error.report());
        }
        warnings.extend(repo.lost_refs()?);
        warnings.extend(install::refspec_warnings(repo)?);
        warnings.extend(repo.head_fault()?);
        for name in repo.lookalikes()? {
            let message = format!(
                "tinyci did not write `{name}`, but `git log --notes='tinyci*'` shows it like a \
                 verdict"
            );
            warnings.push(hinted(&message, &format!("`git update-ref -d {name}` removes it")));
        }
        let required = self.shared.settings.min_free_space;
        if let Some(free) = status.free_bytes.filter(|free| *free < required) {
            let message = format!(
                "disk space is low: {} left for builds; no job starts with less than {} \
                 (`tinyci.minFreeSpace`)",
                format_bytes(free),
                format_bytes(required)
            );
            warnings.push(hinted(&message, "`tinyci prune --keep 5` deletes old builds"));
        }
        for id in &status.out_of_attempts {
            warnings.push(out_of_attempts_message(&self.shared, repo, *id)?);
        }
        for id in &status.unfinished {
            let short = id.short();
            warnings.push(format!(
                "the last job of {short} ended without a verdict; the next run tests it again"
            ));
        }
        for environment in status.environments.iter().filter(|it| it.remote.is_none()) {
            let latest = environment.latest.as_ref();
            if latest.is_some_and(|it| it.outcome == DeployOutcome::Interrupted) {
                let name = &environment.name;
                let message = format!(
                    "a deployment to `{name}` was interrupted, and its effects are unknown"
                );
                let hint =
                    format!("check `{name}`, then run `tinyci deploy --to {name} --unlock REASON`");
                warnings.push(hinted(&message, &hint));
            }
        }
        Ok(())
    }
}

/// Returns warnings about approvals that do not count while the deployment awaits one.
fn uncounted(plan: &DeployPlan) -> Vec<String> {
    let of_plan = plan.uncounted.iter().filter(|_| plan.approval == ApprovalState::Awaiting);
    let (short, environment) = (plan.commit.id.short(), &plan.environment);
    let problems = of_plan.filter_map(problem_of);
    problems
        .map(|problem| format!("{short} is awaiting approval for `{environment}`: {problem}"))
        .collect()
}

/// Returns the status of an environment. `deployments` are sorted newest first.
fn environment(
    name: String,
    remote: Option<String>,
    deployments: Vec<Deployment>,
) -> EnvironmentStatus {
    let latest = deployments.first().filter(|newest| !newest.passed()).cloned();
    let deployed = DeploymentHistory { deployments }.running().cloned();
    EnvironmentStatus { name, remote, deployed, latest, next: None }
}

fn running(shared: &Shared, repo: &Repo) -> Result<Option<ActiveRun>, Error> {
    let workspace = shared.workspace();
    if !workspace.is_running()? {
        return Ok(None);
    }
    let Some(holder) = workspace.holder() else { return Ok(None) };
    let commits = holder.commits.into_iter().map(|it| RunningCommit {
        commit: it.commit,
        subject: subject(repo, it.commit),
        since: it.since,
        step: it.step,
    });
    let commits = commits.collect();
    Ok(Some(ActiveRun { pid: holder.pid, machine: holder.machine, since: holder.since, commits }))
}

/// Returns every branch with its newest verdict, from this repository or a remote.
fn branches(repo: &Repo, reports: &mut Reports<'_>) -> Result<Vec<BranchStatus>, Error> {
    let mut of_tips: HashMap<CommitId, Option<LatestVerdict>> = HashMap::new();
    let mut found = Vec::new();
    for branch in repo.branch_list()? {
        let latest = match of_tips.get(&branch.tip) {
            Some(latest) => latest.clone(),
            None => {
                let latest = latest_verdict(repo, reports, branch.tip)?;
                of_tips.insert(branch.tip, latest.clone());
                latest
            }
        };
        found.push(BranchStatus { name: branch.name, tip: branch.tip, latest });
    }
    Ok(found)
}

/// Returns the newest verdict among the commits that this one reaches.
fn latest_verdict(
    repo: &Repo,
    reports: &mut Reports<'_>,
    tip: CommitId,
) -> Result<Option<LatestVerdict>, Error> {
    let (mut latest, mut remaining) = (None, COMMITS_MAX);
    repo.newest_first_from(tip, &mut |id| {
        latest = reports.current_record(id)?.map(|record| LatestVerdict {
            commit: id,
            subject: subject(repo, id),
            outcome: record.outcome,
            finished: Some(record.finished).filter(|time| *time > UNIX_EPOCH),
        });
        remaining -= 1;
        let is_done = latest.is_some() || remaining == 0;
        Ok(if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(latest)
}

/// Returns the first line of a commit's message, or an empty string if the commit is missing.
fn subject(repo: &Repo, id: CommitId) -> GitString {
    repo.commit_for(id, None).map_or_else(|_| GitString::from(""), |commit| commit.subject)
}
