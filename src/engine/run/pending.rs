//! What a caller asked for, and what of that is due: the scan, the notes and the plan, joined.

use std::collections::{HashMap, HashSet};

use super::{
    attempt::lacks_no_more,
    live::live,
    retest::{self, SecondLook},
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

/// What a caller asked for, with names resolved.
#[derive(Default)]
pub(in crate::engine) struct ResolvedSelection {
    /// The commits that were named; none where all that is pending is meant.
    pub(in crate::engine) named: Option<Vec<CommitId>>,
    /// The refs by which commits were named.
    refs: HashMap<CommitId, GitString>,
    /// The refs that were pushed.
    pub(in crate::engine) pushed: Vec<RefUpdate>,
    /// True once word of the push is left for whoever holds the lock.
    pub(in crate::engine) push_is_left: bool,
    /// What was said with the push.
    pub(in crate::engine) push_options: Vec<String>,
    /// Whether to run named commits that have a verdict, and any that were tried too often.
    pub(in crate::engine) retry: bool,
    /// Whether such a job takes the place of what is live.
    pub(in crate::engine) replaces_live: bool,
    all_history: bool,
    /// What every commit is judged by in place of its own config.
    pub(in crate::engine) pipeline: Option<Pipeline>,
    /// Whether this is not what the caller came for, but what others were promised who found the
    /// lock busy. It is neither counted nor decided for them what becomes of a backlog.
    pub(in crate::engine) of_others: bool,
}

impl ResolvedSelection {
    pub(in crate::engine) fn resolve(
        shared: &Shared,
        repo: &Repo,
        selection: &Selection,
    ) -> Result<Self, Error> {
        // What cannot be run at all is the caller's mistake, and no commit's failure.
        selection.pipeline.as_ref().map(|it| LoadedPipeline::of(shared, it)).transpose()?;
        let (mut named, mut refs) = (Vec::new(), HashMap::new());
        let mut pushed = Vec::new();
        for target in &selection.selectors {
            match target {
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
            selection.selectors.iter().all(|target| matches!(target, Selector::RefUpdate(_)));
        let named = (!only_pushed).then_some(named);
        let Selection { retry, replace_live: replaces_live, all_history, .. } = *selection;
        let (pipeline, push_options) = (selection.pipeline.clone(), selection.push_options.clone());
        let (push_is_left, of_others) = (false, false);
        let wanted = Self {
            named,
            refs,
            pushed,
            push_is_left,
            push_options,
            retry,
            replaces_live,
            all_history,
            pipeline,
            of_others,
        };
        wanted.spare_live(shared, repo)?;
        Ok(wanted)
    }

    /// Refuses to run again what is live, which somebody has to want.
    fn spare_live(&self, shared: &Shared, repo: &Repo) -> Result<(), Error> {
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

    /// What a holder of the lock does for callers that found it busy, when its own work is done.
    pub(in crate::engine) fn of_others() -> Self {
        Self { of_others: true, ..Self::default() }
    }

    /// The commits that are due, oldest first, and then those that are tested again or asked for by
    /// a tag. Of named ones that are not due, `summary` says why.
    pub(in crate::engine) fn due(
        &self,
        shared: &Shared,
        repo: &Repo,
        attempts: &Attempts,
        summary: &mut Summary,
    ) -> Result<DueCommits, Error> {
        match &self.named {
            Some(named) => {
                let due = self.due_of_named(shared, repo, named, attempts, summary)?;
                Ok(DueCommits { due, left: Vec::new() })
            }
            None => self.due_of_scan(shared, repo, attempts),
        }
    }

    fn due_of_named(
        &self,
        shared: &Shared,
        repo: &Repo,
        named: &[CommitId],
        attempts: &Attempts,
        summary: &mut Summary,
    ) -> Result<Vec<Due>, Error> {
        let mut ids = Vec::new();
        let mut reasons = Vec::new();
        let mut again = Vec::new();
        for id in named {
            let reason = match settled_outcome(repo, *id)? {
                _ if self.retry => Trigger::Retry,
                Some(outcome) => {
                    match self.again_if_skipped(shared, repo, *id, outcome)? {
                        Some(job) => again.push(job),
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
        let all = ids.iter().copied().chain(again.iter().map(|job| job.commit.id));
        let newest = repo.newest_records(all)?;
        let commits = repo.commits(&ids)?.into_iter().zip(reasons);
        let jobs = commits.map(|(commit, reason)| {
            let tag = self.refs.get(&commit.id).and_then(TestedRef::of_ref);
            Job { tag: tag.and_then(|it| it.tag().cloned()), ..Job::new(commit, reason) }
        });
        let due = jobs.chain(again).map(|job| {
            let last = newest.get(&job.commit.id);
            due_job(shared, attempts, job, last)
        });
        Ok(due.collect())
    }

    /// The job that tests a named commit again which was skipped.
    fn again_if_skipped(
        &self,
        shared: &Shared,
        repo: &Repo,
        id: CommitId,
        outcome: Outcome,
    ) -> Result<Option<Job>, Error> {
        // A pipeline of the caller's own is not what the records tell of.
        if outcome != Outcome::Skipped || self.pipeline.is_some() {
            return Ok(None);
        }
        let look = SecondLook { shared, repo, pushes: &[], limit: None };
        look.at_commit(id, self.refs.get(&id))
    }

    fn due_of_scan(
        &self,
        shared: &Shared,
        repo: &Repo,
        attempts: &Attempts,
    ) -> Result<DueCommits, Error> {
        let found = self.scan(shared, repo)?;
        let pushes = self.pushes(shared)?;
        let known: HashSet<CommitId> = found.iter().map(|found| found.id).collect();
        let mut tags = retest::tags_that_ask(repo, &pushes, &shared.settings.refs, &known)?;
        let newest = repo.newest_records(found.iter().map(|found| found.id))?;
        let due = found.into_iter().map(|found| {
            let last = newest.get(&found.id);
            let reason = if last.is_some() { Trigger::Unfinished } else { Trigger::Pending };
            let job = Job::new(repo.commit_for(found.id, found.branch)?, reason);
            let job = Job { tag: tags.remove(&found.id), ..job };
            let own = found.pushed || (self.pushed.is_empty() && !self.of_others);
            Ok(Due { tip: found.tip, own, ..due_job(shared, attempts, job, last) })
        });
        let mut due: Vec<Due> = due.collect::<Result<_, Error>>()?;
        let again = self.second_look(shared, repo, &pushes, &known)?;
        let newest = repo.newest_records(again.jobs.iter().map(|(job, _)| job.commit.id))?;
        due.extend(again.jobs.into_iter().map(|(job, name)| {
            let last = newest.get(&job.commit.id);
            Due { own: self.is_own(&name), ..due_job(shared, attempts, job, last) }
        }));
        Ok(DueCommits { due, left: again.left })
    }

    /// What is tested again, and what tags ask for, beside the commits that are due anyway.
    fn second_look(
        &self,
        shared: &Shared,
        repo: &Repo,
        pushes: &[Vec<RefUpdate>],
        known: &HashSet<CommitId>,
    ) -> Result<retest::Found, Error> {
        // A pipeline of the caller's own is not what the records tell of.
        if self.pipeline.is_some() {
            return Ok(retest::Found::default());
        }
        let limit = self.rules(shared).backlog;
        SecondLook { shared, repo, pushes, limit }.at_refs(known)
    }

    /// The pushes that nobody has looked at, this caller's own among them until it was.
    fn pushes(&self, shared: &Shared) -> Result<Vec<Vec<RefUpdate>>, Error> {
        let left = shared.workspace().pushed()?;
        // What is none of ours says nothing.
        let left = left.iter().map(|it| parse_updates(&it.lines).unwrap_or_default());
        let mut pushes: Vec<Vec<RefUpdate>> = left.filter(|push| !push.is_empty()).collect();
        if !self.push_is_left && !self.pushed.is_empty() {
            pushes.push(self.pushed.clone());
        }
        Ok(pushes)
    }

    /// True if a ref is what the caller came for.
    fn is_own(&self, name: &GitString) -> bool {
        match self.pushed.as_slice() {
            [] => !self.of_others,
            pushed => pushed.iter().any(|update| update.reference == *name),
        }
    }

    /// The commits that are due because of what the caller came for.
    pub(in crate::engine) fn own_due(
        &self,
        shared: &Shared,
        repo: &Repo,
    ) -> Result<Vec<CommitId>, Error> {
        let found = self.scan(shared, repo)?;
        let known: HashSet<CommitId> = found.iter().map(|found| found.id).collect();
        let again = self.second_look(shared, repo, &self.pushes(shared)?, &known)?;
        let scanned = found.into_iter().filter(|it| it.pushed || self.pushed.is_empty());
        let again = again.jobs.into_iter().filter(|(_, name)| self.is_own(name));
        Ok(scanned.map(|it| it.id).chain(again.map(|(job, _)| job.commit.id)).collect())
    }

    /// The commits that the push says are to be left untested, each with its branch: those that came
    /// with it, and what its refs would have tested though it was there before.
    pub(in crate::engine) fn left_by_push(
        &self,
        shared: &Shared,
        repo: &Repo,
    ) -> Result<Vec<(CommitId, Option<GitString>)>, Error> {
        let is_part_of_push = repo.new_with_push(&self.pushed, &shared.settings.refs)?;
        let due = self.scan(shared, repo)?;
        let mut left: Vec<(CommitId, Option<GitString>)> = due
            .iter()
            .filter(|due| is_part_of_push.contains(&due.id))
            .map(|due| (due.id, due.branch.clone()))
            .collect();
        for update in &self.pushed {
            let Some(tip) = update.new.map(|id| repo.peel(id)).transpose()?.flatten() else {
                continue;
            };
            // What is due all the same is others' to leave.
            if due.iter().any(|due| due.id == tip) || left.iter().any(|(id, _)| *id == tip) {
                continue;
            }
            left.extend(self.left_tip(repo, tip, &update.reference)?);
        }
        Ok(left)
    }

    /// The commit of a pushed ref, if only that ref asks for a job: a tag on one without a verdict, any
    /// ref on one that was skipped, unless somebody has left it alone already.
    fn left_tip(
        &self,
        repo: &Repo,
        tip: CommitId,
        name: &GitString,
    ) -> Result<Option<(CommitId, Option<GitString>)>, Error> {
        let last = repo.newest_records([tip])?.remove(&tip);
        let asks = match repo.verdict(tip)? {
            Some(note) => {
                let is_left = last.as_ref().is_some_and(|last| last.intervention.is_some());
                note.verdict == Some(Verdict::Skipped) && !is_left
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
        asks.then(|| Ok((tip, branch()?))).transpose()
    }

    /// Whether there is anything to judge this commit by.
    pub(in crate::engine) fn is_configured(
        &self,
        repo: &Repo,
        id: CommitId,
    ) -> Result<bool, Error> {
        Ok(self.pipeline.is_some() || repo.has_config(id)?)
    }

    /// What is due of all that the selected refs reach.
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

    /// The backlog rule is the hook's: whoever asks for all that is pending gets all.
    pub(in crate::engine) fn rules(&self, shared: &Shared) -> Rules {
        let by_hook = self.of_others
            || (self.named.is_none() && !self.pushed.is_empty() && !self.all_history);
        Rules {
            retry: self.retry,
            backlog: by_hook.then_some(shared.settings.backlog_limit),
            attempts_max: shared.settings.max_attempts,
        }
    }
}

/// Returns a job as the caller asked for it by name. `last` is the newest record of its commit.
fn due_job(shared: &Shared, attempts: &Attempts, job: Job, last: Option<&Record>) -> Due {
    let attempts = tried(shared, attempts, &job.commit.id);
    let canceled = last.is_some_and(Record::is_withdrawn);
    Due { job, tip: true, own: true, attempts, canceled }
}

/// How often a commit was tried. What was for want of a secret that is there by now does not count.
fn tried(shared: &Shared, attempts: &Attempts, id: &CommitId) -> u32 {
    if lacks_no_more(shared, attempts, id) { 0 } else { attempts.get(id) }
}

/// The commits that are due, with what decides about them.
pub(in crate::engine) struct DueCommits {
    pub(in crate::engine) due: Vec<Due>,
    /// The refs of pushes that ask for more second looks than one push may have.
    pub(in crate::engine) left: Vec<GitString>,
}

/// What became of a commit that has a verdict. A note with another text settles it, as a failure.
pub(in crate::engine) fn settled_outcome(
    repo: &Repo,
    id: CommitId,
) -> Result<Option<Outcome>, Error> {
    let note = repo.verdict(id)?;
    Ok(note.map(|note| note.verdict.map_or(Outcome::Failure, |verdict| verdict.outcome())))
}

/// The commits that are due for a selection, oldest first, with what decides about them.
pub(in crate::engine) fn due(shared: &Shared, selection: &Selection) -> Result<Vec<Due>, Error> {
    look(shared, selection).map(|(_, due)| due)
}

/// What a run of a selection would begin with.
pub(in crate::engine) fn plan_of(shared: &Shared, selection: &Selection) -> Result<Plan, Error> {
    let (wanted, due) = look(shared, selection)?;
    Ok(plan(due, wanted.rules(shared)))
}

fn look(shared: &Shared, selection: &Selection) -> Result<(ResolvedSelection, Vec<Due>), Error> {
    let repo = shared.repo()?;
    let wanted = ResolvedSelection::resolve(shared, &repo, selection)?;
    let attempts = shared.workspace().attempts()?;
    let found = wanted.due(shared, &repo, &attempts, &mut Summary::default())?;
    Ok((wanted, found.due))
}

/// Applies the backlog rule to the history that an install meets; says what it left out.
pub(in crate::engine) fn advance_baseline(
    shared: &Shared,
    repo: &Repo,
) -> Result<Option<String>, Error> {
    let due = ResolvedSelection::default().scan(shared, repo)?;
    if due.len() <= shared.settings.backlog_limit {
        return Ok(None);
    }
    let left: Vec<CommitId> = due.iter().filter(|due| !due.tip).map(|due| due.id).collect();
    repo.extend_baseline(&left)?;
    Ok(Some(left_out(left.len())))
}

/// Why a commit is left for a retry, and how that is asked for.
pub(in crate::engine) fn why_held(
    shared: &Shared,
    repo: &Repo,
    id: CommitId,
) -> Result<String, Error> {
    let newest = repo.newest_records([id])?.remove(&id).filter(Record::is_withdrawn);
    let (short, attempts) = (id.short(), shared.settings.max_attempts);
    let message = match newest.and_then(|record| record.intervention) {
        Some(by) => format!("commit {short} was canceled {}", by.phrase()),
        None => format!("giving up on {short} after {attempts} attempts without a verdict"),
    };
    Ok(hinted(&message, &format!("`tinyci run --retry {short}`")))
}

/// What is said of history that was left to the baseline.
pub(in crate::engine) fn left_out(count: usize) -> String {
    let message = format!("ignoring {count} older commits without a verdict");
    hinted(&message, "`tinyci run --all --all-history` tests them")
}
