//! The selection of a caller, and its pending commits. Combines the scan, the notes and the plan.

use std::collections::{HashMap, HashSet};

use super::{
    attempt::secret_now_exists,
    live::live,
    retest::{self, RetestSearch},
};
use crate::{
    engine::{context::shared::Shared, step::scripts::LoadedPipeline},
    model::{
        commit::{CommitId, GitString},
        error::{Error, ErrorKind},
        job::{Job, Plan, Trigger},
        outcome::{Outcome, Verdict},
        pipeline::Pipeline,
        record::{Record, Summary},
        selection::{RefUpdate, Selection, Selector, parse_updates},
    },
    repo::{PendingCommit, Repo, ScanRequest},
    rules::{
        plan::{Due, Rules, plan},
        retest::TestedRef,
    },
    util::suggestion::hinted,
    workspace::Attempts,
};

/// The selection of a caller, with revisions and ranges resolved.
#[derive(Default)]
pub(in crate::engine) struct ResolvedSelection {
    /// The named commits, or `None` if all pending commits are selected.
    pub(in crate::engine) named: Option<Vec<CommitId>>,
    /// The refs that commits were named by.
    refs: HashMap<CommitId, GitString>,
    /// The pushed refs.
    pub(in crate::engine) pushed: Vec<RefUpdate>,
    /// True once the push is stored for the holder of the lock.
    pub(in crate::engine) push_is_stored: bool,
    /// The push options.
    pub(in crate::engine) push_options: Vec<String>,
    /// True if named commits are tested even if they have a verdict or are out of attempts.
    pub(in crate::engine) retry: bool,
    /// True if such a job may replace a deployed export.
    pub(in crate::engine) replaces_live: bool,
    all_history: bool,
    /// The pipeline that replaces the config of every commit, if the caller gave one.
    pub(in crate::engine) pipeline: Option<Pipeline>,
    /// True if these are the commits that other processes requested while the lock was taken. Then
    /// their results are not counted, and the backlog limit is not applied for them.
    pub(in crate::engine) for_others: bool,
}

impl ResolvedSelection {
    pub(in crate::engine) fn resolve(
        shared: &Shared,
        repo: &Repo,
        selection: &Selection,
    ) -> Result<Self, Error> {
        // An invalid pipeline is the caller's mistake, not a failure of a commit.
        selection.pipeline.as_ref().map(|it| LoadedPipeline::of(shared, it)).transpose()?;
        let (mut named, mut refs) = (Vec::new(), HashMap::new());
        let mut pushed = Vec::new();
        for selector in &selection.selectors {
            match selector {
                Selector::Revision(revision) => {
                    let id = repo.resolve(revision)?;
                    refs.extend(repo.ref_named(revision).map(|name| (id, name)));
                    named.push(id);
                }
                Selector::Range(range) => named.extend(repo.resolve_range(range)?),
                Selector::RefUpdate(update) => pushed.push(update.clone()),
            }
        }
        let mut seen = HashSet::new();
        named.retain(|id| seen.insert(*id));
        let only_pushed =
            selection.selectors.iter().all(|selector| matches!(selector, Selector::RefUpdate(_)));
        let named = (!only_pushed).then_some(named);
        let Selection { retry, replace_live: replaces_live, all_history, .. } = *selection;
        let (pipeline, push_options) = (selection.pipeline.clone(), selection.push_options.clone());
        let (push_is_stored, for_others) = (false, false);
        let resolved = Self {
            named,
            refs,
            pushed,
            push_is_stored,
            push_options,
            retry,
            replaces_live,
            all_history,
            pipeline,
            for_others,
        };
        resolved.refuse_deployed(shared, repo)?;
        Ok(resolved)
    }

    /// Refuses to retest a deployed build, unless the caller allows its replacement.
    fn refuse_deployed(&self, shared: &Shared, repo: &Repo) -> Result<(), Error> {
        if !self.retry || self.replaces_live {
            return Ok(());
        }
        for id in self.named.iter().flatten() {
            let build = shared.workspace().build(&repo.commit_for(*id, None)?.build_name());
            let live = live(repo, &build, *id)?;
            let mut environments: Vec<String> =
                live.into_iter().map(|live| format!("`{}`", live.environment)).collect();
            environments.dedup();
            if !environments.is_empty() {
                let message = format!(
                    "refusing to retest {}: its build is deployed to {}",
                    id.short(),
                    environments.join(" and ")
                );
                return Err(Error::new(ErrorKind::InvalidArg, message)
                    .with_hint("`--replace-live` replaces the deployed build"));
            }
        }
        Ok(())
    }

    /// Selects what other processes requested while the lock was taken.
    pub(in crate::engine) fn for_others() -> Self {
        Self { for_others: true, ..Self::default() }
    }

    /// Returns the pending commits, oldest first, then the retests and the commits that a tag
    /// requests. For named commits that are not pending, it adds the reason to `summary`.
    pub(in crate::engine) fn pending(
        &self,
        shared: &Shared,
        repo: &Repo,
        attempts: &Attempts,
        summary: &mut Summary,
    ) -> Result<PendingCommits, Error> {
        match &self.named {
            Some(named) => {
                let pending = self.pending_named(shared, repo, named, attempts, summary)?;
                Ok(PendingCommits { pending, ignored_refs: Vec::new() })
            }
            None => self.pending_scanned(shared, repo, attempts),
        }
    }

    fn pending_named(
        &self,
        shared: &Shared,
        repo: &Repo,
        named: &[CommitId],
        attempts: &Attempts,
        summary: &mut Summary,
    ) -> Result<Vec<Due>, Error> {
        let mut ids = Vec::new();
        let mut reasons = Vec::new();
        let mut retests = Vec::new();
        for id in named {
            let reason = match final_outcome(repo, *id)? {
                _ if self.retry => Trigger::Retry,
                Some(outcome) => {
                    match self.retest_if_skipped(shared, repo, *id, outcome)? {
                        Some(job) => retests.push(job),
                        None => summary.already_tested.push((*id, outcome)),
                    }
                    continue;
                }
                None => Trigger::Named,
            };
            if !self.is_configured(repo, *id)? {
                summary.unconfigured.push(*id);
                continue;
            }
            ids.push(*id);
            reasons.push(reason);
        }
        let all = ids.iter().copied().chain(retests.iter().map(|job| job.commit.id));
        let newest = repo.newest_records(all)?;
        let commits = repo.commits(&ids)?.into_iter().zip(reasons);
        let jobs = commits.map(|(commit, reason)| {
            let tag = self.refs.get(&commit.id).and_then(TestedRef::of_ref);
            Job { tag: tag.and_then(|it| it.tag().cloned()), ..Job::new(commit, reason) }
        });
        let pending = jobs.chain(retests).map(|job| {
            let last = newest.get(&job.commit.id);
            pending_job(shared, attempts, job, last)
        });
        Ok(pending.collect())
    }

    /// Returns the job that retests a named, skipped commit.
    fn retest_if_skipped(
        &self,
        shared: &Shared,
        repo: &Repo,
        id: CommitId,
        outcome: Outcome,
    ) -> Result<Option<Job>, Error> {
        // Records do not describe the results of the caller's pipeline.
        if outcome != Outcome::Skipped || self.pipeline.is_some() {
            return Ok(None);
        }
        let search = RetestSearch { shared, repo, pushes: &[], limit: None };
        search.at_commit(id, self.refs.get(&id))
    }

    fn pending_scanned(
        &self,
        shared: &Shared,
        repo: &Repo,
        attempts: &Attempts,
    ) -> Result<PendingCommits, Error> {
        let found = self.scan(shared, repo)?;
        let pushes = self.pushes(shared)?;
        let pending_ids: HashSet<CommitId> = found.iter().map(|found| found.id).collect();
        let mut tags = retest::tags_that_ask(repo, &pushes, &shared.settings.refs, &pending_ids)?;
        let newest = repo.newest_records(found.iter().map(|found| found.id))?;
        let from_small_pushes = self.small_push_commits(shared, repo, &pushes, found.len())?;
        let pending = found.into_iter().map(|found| {
            let last = newest.get(&found.id);
            let reason = if last.is_some() { Trigger::Unfinished } else { Trigger::Pending };
            let job = Job::new(repo.commit_for(found.id, found.branch)?, reason);
            let job = Job { tag: tags.remove(&found.id), ..job };
            let is_own = found.pushed || (self.pushed.is_empty() && !self.for_others);
            let from_small_push = from_small_pushes.contains(&found.id);
            let due = pending_job(shared, attempts, job, last);
            Ok(Due { tip: found.tip, own: is_own, from_small_push, ..due })
        });
        let mut pending: Vec<Due> = pending.collect::<Result<_, Error>>()?;
        let retests = self.find_retests(shared, repo, &pushes, &pending_ids)?;
        let newest = repo.newest_records(retests.jobs.iter().map(|(job, _)| job.commit.id))?;
        pending.extend(retests.jobs.into_iter().map(|(job, name)| {
            let last = newest.get(&job.commit.id);
            Due { own: self.is_own(&name), ..pending_job(shared, attempts, job, last) }
        }));
        Ok(PendingCommits { pending, ignored_refs: retests.ignored_refs })
    }

    /// Returns the retests, and the jobs that tags request, except those of pending commits.
    fn find_retests(
        &self,
        shared: &Shared,
        repo: &Repo,
        pushes: &[Vec<RefUpdate>],
        pending_ids: &HashSet<CommitId>,
    ) -> Result<retest::Found, Error> {
        // Records do not describe the results of the caller's pipeline.
        if self.pipeline.is_some() {
            return Ok(retest::Found::default());
        }
        let limit = self.rules(shared).backlog;
        RetestSearch { shared, repo, pushes, limit }.at_refs(pending_ids)
    }

    /// Returns the commits of unhandled pushes that are within the backlog limit, each for itself. Many
    /// pushes at once, or pushes whose runs were killed, are not a long history. Nothing is read if
    /// so few commits are pending that the limit does not matter.
    fn small_push_commits(
        &self,
        shared: &Shared,
        repo: &Repo,
        pushes: &[Vec<RefUpdate>],
        pending: usize,
    ) -> Result<HashSet<CommitId>, Error> {
        let mut from_small = HashSet::new();
        let limit = self.rules(shared).backlog.filter(|limit| pending > *limit);
        for push in pushes.iter().filter(|_| limit.is_some()) {
            let new = repo.new_with_push(push, &shared.settings.refs)?;
            if limit.is_some_and(|limit| new.len() <= limit) {
                from_small.extend(new);
            }
        }
        Ok(from_small)
    }

    /// Returns the unhandled pushes. The caller's own push is among them until it is handled.
    fn pushes(&self, shared: &Shared) -> Result<Vec<Vec<RefUpdate>>, Error> {
        let stored = shared.workspace().pushed()?;
        // A file that cannot be parsed is ignored.
        let stored = stored.iter().map(|it| parse_updates(&it.lines).unwrap_or_default());
        let mut pushes: Vec<Vec<RefUpdate>> = stored.filter(|push| !push.is_empty()).collect();
        if !self.push_is_stored && !self.pushed.is_empty() {
            pushes.push(self.pushed.clone());
        }
        Ok(pushes)
    }

    /// Returns true if the caller requested this ref.
    fn is_own(&self, name: &GitString) -> bool {
        match self.pushed.as_slice() {
            [] => !self.for_others,
            pushed => pushed.iter().any(|update| update.reference == *name),
        }
    }

    /// Returns the pending commits that the caller requested.
    pub(in crate::engine) fn own_pending(
        &self,
        shared: &Shared,
        repo: &Repo,
    ) -> Result<Vec<CommitId>, Error> {
        let found = self.scan(shared, repo)?;
        let pending_ids: HashSet<CommitId> = found.iter().map(|found| found.id).collect();
        let retests = self.find_retests(shared, repo, &self.pushes(shared)?, &pending_ids)?;
        let scanned = found.into_iter().filter(|it| it.pushed || self.pushed.is_empty());
        let retests = retests.jobs.into_iter().filter(|(_, name)| self.is_own(name));
        Ok(scanned.map(|it| it.id).chain(retests.map(|(job, _)| job.commit.id)).collect())
    }

    /// Returns the commits that the push option `ci.skip` applies to, each with its branch. They
    /// are the new commits of the push, and older ones that its refs would have tested.
    pub(in crate::engine) fn skipped_by_push(
        &self,
        shared: &Shared,
        repo: &Repo,
    ) -> Result<Vec<(CommitId, Option<GitString>)>, Error> {
        let is_part_of_push = repo.new_with_push(&self.pushed, &shared.settings.refs)?;
        let pending = self.scan(shared, repo)?;
        let mut skipped: Vec<(CommitId, Option<GitString>)> = pending
            .iter()
            .filter(|it| is_part_of_push.contains(&it.id))
            .map(|it| (it.id, it.branch.clone()))
            .collect();
        for update in &self.pushed {
            let Some(tip) = update.new.map(|id| repo.peel(id)).transpose()?.flatten() else {
                continue;
            };
            // A pending commit that is not new in this push belongs to other refs.
            if pending.iter().any(|it| it.id == tip) || skipped.iter().any(|(id, _)| *id == tip) {
                continue;
            }
            skipped.extend(self.skipped_tip(repo, tip, &update.reference)?);
        }
        Ok(skipped)
    }

    /// Returns the commit of a pushed ref if only this ref requests its job. That is a tag on a
    /// commit without a verdict, or any ref on a skipped commit, unless a person skipped it.
    fn skipped_tip(
        &self,
        repo: &Repo,
        tip: CommitId,
        name: &GitString,
    ) -> Result<Option<(CommitId, Option<GitString>)>, Error> {
        let last = repo.newest_records([tip])?.remove(&tip);
        let requests_job = match repo.verdict(tip)? {
            Some(note) => {
                let is_intended = last.as_ref().is_some_and(|last| last.intervention.is_some());
                note.verdict == Some(Verdict::Skipped) && !is_intended
            }
            None => {
                let is_tag = TestedRef::of_ref(name).is_some_and(|it| it.tag().is_some());
                is_tag && self.is_configured(repo, tip)?
            }
        };
        let branch = || match last {
            Some(last) => Ok(last.branch),
            None => repo.commit(tip).map(|commit| commit.branch),
        };
        requests_job.then(|| Ok((tip, branch()?))).transpose()
    }

    /// Returns true if the commit has a config, or the caller gave a pipeline.
    pub(in crate::engine) fn is_configured(
        &self,
        repo: &Repo,
        id: CommitId,
    ) -> Result<bool, Error> {
        Ok(self.pipeline.is_some() || repo.has_config(id)?)
    }

    /// Returns the pending commits that the selected refs reach.
    pub(in crate::engine) fn scan(
        &self,
        shared: &Shared,
        repo: &Repo,
    ) -> Result<Vec<PendingCommit>, Error> {
        let request = ScanRequest {
            refs: &shared.settings.refs,
            pushed: &self.pushed,
            all_history: self.all_history,
            unconfigured: self.pipeline.is_some(),
        };
        Ok(repo.scan(&request)?.pending)
    }

    /// Returns the rules of the plan. The backlog limit only applies to pushes; a caller who
    /// selects all pending commits gets all.
    pub(in crate::engine) fn rules(&self, shared: &Shared) -> Rules {
        let is_push = self.for_others
            || (self.named.is_none() && !self.pushed.is_empty() && !self.all_history);
        Rules {
            retry: self.retry,
            backlog: is_push.then_some(shared.settings.backlog_limit),
            attempts_max: shared.settings.max_attempts,
        }
    }
}

/// Returns a job as the caller requested it by name. `last` is the newest record of its commit.
fn pending_job(shared: &Shared, attempts: &Attempts, job: Job, last: Option<&Record>) -> Due {
    let attempts = attempt_count(shared, attempts, &job.commit.id);
    let canceled = last.is_some_and(Record::is_canceled_by_commit);
    Due { job, tip: true, own: true, attempts, canceled, from_small_push: false }
}

/// Returns the number of attempts. Attempts that lacked a secret which exists now do not count.
fn attempt_count(shared: &Shared, attempts: &Attempts, id: &CommitId) -> u32 {
    if secret_now_exists(shared, attempts, id) { 0 } else { attempts.get(id) }
}

/// The pending commits, with the data for the plan.
pub(in crate::engine) struct PendingCommits {
    pub(in crate::engine) pending: Vec<Due>,
    /// The pushed refs beyond the limit of retests per push.
    pub(in crate::engine) ignored_refs: Vec<GitString>,
}

/// Returns the final outcome of a commit that has a verdict. A note with unknown text counts as a
/// failure.
pub(in crate::engine) fn final_outcome(
    repo: &Repo,
    id: CommitId,
) -> Result<Option<Outcome>, Error> {
    let note = repo.verdict(id)?;
    Ok(note.map(|note| note.verdict.map_or(Outcome::Failure, |verdict| verdict.outcome())))
}

/// Returns the pending commits of a selection, oldest first, with the data for the plan.
pub(in crate::engine) fn pending(
    shared: &Shared,
    selection: &Selection,
) -> Result<Vec<Due>, Error> {
    resolve_pending(shared, selection).map(|(_, pending)| pending)
}

/// Returns the plan that a run of a selection would begin with.
pub(in crate::engine) fn plan_of(shared: &Shared, selection: &Selection) -> Result<Plan, Error> {
    let (resolved, pending) = resolve_pending(shared, selection)?;
    Ok(plan(pending, resolved.rules(shared)))
}

fn resolve_pending(
    shared: &Shared,
    selection: &Selection,
) -> Result<(ResolvedSelection, Vec<Due>), Error> {
    let repo = shared.repo()?;
    let resolved = ResolvedSelection::resolve(shared, &repo, selection)?;
    let attempts = shared.workspace().attempts()?;
    let found = resolved.pending(shared, &repo, &attempts, &mut Summary::default())?;
    Ok((resolved, found.pending))
}

/// Applies the backlog limit to the existing history at installation. Returns a message if commits
/// were left out.
pub(in crate::engine) fn advance_baseline(
    shared: &Shared,
    repo: &Repo,
) -> Result<Option<String>, Error> {
    let pending = ResolvedSelection::default().scan(shared, repo)?;
    if pending.len() <= shared.settings.backlog_limit {
        return Ok(None);
    }
    let older: Vec<CommitId> = pending.iter().filter(|it| !it.tip).map(|it| it.id).collect();
    repo.extend_baseline(&older)?;
    Ok(Some(baseline_message(older.len())))
}

/// Returns the message that a commit is left out of a run until a retry.
pub(in crate::engine) fn out_of_attempts_message(
    shared: &Shared,
    repo: &Repo,
    id: CommitId,
) -> Result<String, Error> {
    let newest = repo.newest_records([id])?.remove(&id).filter(Record::is_canceled_by_commit);
    let (short, attempts) = (id.short(), shared.settings.max_attempts);
    let message = match newest.and_then(|record| record.intervention) {
        Some(by) => format!("commit {short} was canceled {}", by.phrase()),
        None => format!("giving up on {short} after {attempts} attempts without a verdict"),
    };
    Ok(hinted(&message, &format!("`tinyci run --retry {short}`")))
}

/// Returns the message that older commits were left to the baseline.
pub(in crate::engine) fn baseline_message(count: usize) -> String {
    let message = format!("ignoring {count} older commits without a verdict");
    hinted(&message, "`tinyci run --all --all-history` tests them")
}
