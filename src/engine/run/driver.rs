//! A run: passes of scan, plan and work, until nothing is pending.

use crate::{
    engine::context::{
        engine_call::EngineCall,
        job_reporter::incomplete_log,
        process_env::ProcessEnv,
        pump::{self, Sender},
        shared::Shared,
    },
    install,
    model::{
        cancel::CancelView,
        commit::{CommitId, GitString},
        error::{Error, ErrorKind},
        event::{Event, EventKind, EventMeta},
        job::{Job, Plan, Trigger},
        outcome::Outcome,
        record::Summary,
        selection::{RefUpdate, Selection, Wait, parse_updates},
    },
    process::Guard,
    repo::Repo,
    rules::{plan::plan, retest::TestedRef},
    util::suggestion::hinted,
    workspace::{Attempts, Logs, Pushed, RunLock, Workspace},
};
use std::{collections::HashSet, sync::Arc};

use super::{
    active_jobs::ActiveJobs,
    attempt::{JobContext, RunState, host_name, new_id},
    interventions::{
        CI_SKIP, is_in_progress, pusher, skip_too_late_message, unknown_option_warnings, write_skip,
    },
    lock_wait::{self, WaitResult},
    pending::{ResolvedSelection, baseline_message, final_outcome, out_of_attempts_message},
    workers::{self, StopConditions, lock_wanted, wanted_between_commits},
};

/// One call of [`Engine::run`](crate::Engine::run), on its own thread.
pub(in crate::engine) struct RunDriver<'a> {
    shared: &'a Shared,
    env: &'a ProcessEnv,
    /// The unique id of this call.
    id: String,
    pub(in crate::engine) cancel: CancelView,
    pub(in crate::engine) events: Sender,
    repo: Repo,
    workspace: Workspace,
    logs: Logs,
    selection: ResolvedSelection,
    /// The pushed refs. Their newest green commit may be deployed automatically.
    pub(in crate::engine) pushed: Vec<RefUpdate>,
    wait: Wait,
    /// The scan request counter at the beginning of the last pass.
    scan_count: u64,
    /// The commits that were begun or dropped. None is begun twice, unless another ref requests a
    /// commit that was skipped.
    attempted: HashSet<CommitId>,
    /// The attempted commits that were skipped.
    skipped: HashSet<CommitId>,
    /// The pending commits that this caller requested.
    own_commits: HashSet<CommitId>,
    /// True if a waiting process may get the lock when the caller's own commits are done. False
    /// once a waiter did not take it, because that process may be stopped.
    may_hand_over: bool,
    /// True if a deployment may get the lock between two commits. False once a deployment did not
    /// take it.
    may_lend_lock: bool,
    /// The pushed refs beyond the limit of retests per push.
    ignored_refs: HashSet<GitString>,
    /// The warnings about deleted refs that were already reported. Each pass would find them
    /// again.
    reported: HashSet<String>,
    pub(in crate::engine) summary: Summary,
}

/// How work under the lock ended.
#[derive(PartialEq, Eq)]
enum RunEnd {
    /// Nothing is pending, or nothing more can be done.
    Done,
    /// A waiting process took over the lock and the remaining work.
    HandedOver,
}

impl<'a> RunDriver<'a> {
    pub(in crate::engine) fn new(
        shared: &'a Shared,
        env: &'a ProcessEnv,
        selection: &Selection,
        cancel: CancelView,
        events: Sender,
    ) -> Result<Self, Error> {
        let repo = shared.writable_repo()?;
        let workspace = shared.workspace();
        // Checked before any work on builds, because the directory may belong to another
        // repository.
        workspace.own_builds()?;
        let resolved = ResolvedSelection::resolve(shared, &repo, selection)?;
        Ok(Self {
            shared,
            env,
            id: new_id(),
            cancel,
            events,
            repo,
            logs: shared.logs(&workspace, shared.settings.jobs > 1),
            workspace,
            pushed: resolved.pushed.clone(),
            selection: resolved,
            wait: selection.wait,
            scan_count: 0,
            attempted: HashSet::new(),
            skipped: HashSet::new(),
            own_commits: HashSet::new(),
            may_hand_over: true,
            may_lend_lock: true,
            ignored_refs: HashSet::new(),
            reported: HashSet::new(),
            summary: Summary::default(),
        })
    }

    /// Tests the pending commits until none is left.
    ///
    /// # Errors
    ///
    /// The error that kept the run from beginning. Later errors are in the summary.
    pub(in crate::engine) fn test(&mut self) -> Result<(), Error> {
        self.warn_about_setup();
        self.remember_tips();
        if let Err(error) =
            self.skip_pushed().and_then(|()| self.serve()).and_then(|()| self.report_to_pusher())
        {
            // An error before the first attempt means that the run could not begin.
            if self.attempted.is_empty() {
                return Err(error);
            }
            self.summary.error = Some(error.report());
        }
        Ok(())
    }

    /// Returns true if a pushed commit may be deployed now.
    pub(in crate::engine) fn may_deploy(&self) -> bool {
        self.summary.error.is_none() && !self.cancel.is_canceled()
    }

    /// Returns true if a job made a build, so that old builds may have to be pruned.
    pub(in crate::engine) fn has_built(&self) -> bool {
        !self.attempted.is_empty() && !self.cancel.is_canceled()
    }

    /// Ends the run and returns its summary.
    pub(in crate::engine) fn finish(self) -> Summary {
        self.events.emit(EventKind::Finished { outcome: self.summary.worst() });
        self.summary
    }

    /// Stores the pushed tips of branches, because deployments choose among them. If this fails,
    /// fewer commits can be deployed; the push is tested anyway.
    fn remember_tips(&self) {
        let branches =
            self.pushed.iter().filter(|it| it.reference.as_bytes().starts_with(b"refs/heads/"));
        let tips = branches.filter_map(|update| {
            let tip = self.repo.peel(update.new?).ok().flatten()?;
            Some((update.reference.clone(), tip))
        });
        if let Err(error) = self.workspace.note_tips(&tips.collect::<Vec<_>>()) {
            self.warn(error.report());
        }
    }

    /// Tests what other processes requested while the lock was taken.
    pub(in crate::engine) fn for_others(
        shared: &'a Shared,
        env: &'a ProcessEnv,
        cancel: CancelView,
        events: Sender,
    ) -> Result<(), Error> {
        let mut driver = Self::new(shared, env, &Selection::pending(), cancel, events)?;
        driver.selection = ResolvedSelection::for_others();
        // If the lock is taken, its holder scans again.
        let lock = driver.workspace.lock()?;
        lock.map_or(Ok(()), |lock| driver.work_under(lock))
    }

    /// Skips the commits of a push with the option `ci.skip`. This comes first and without the
    /// lock, because the lock's holder could test them meanwhile.
    fn skip_pushed(&mut self) -> Result<(), Error> {
        let ResolvedSelection { pushed, push_options, .. } = &self.selection;
        let options = if pushed.is_empty() { &[][..] } else { push_options };
        for message in unknown_option_warnings(options) {
            self.events.emit(EventKind::Warning { message });
        }
        if !options.iter().any(|option| option == CI_SKIP) {
            return Ok(());
        }
        let by = pusher(self.env);
        for (id, branch) in self.selection.skipped_by_push(self.shared, &self.repo)? {
            if is_in_progress(&self.workspace, id)? {
                let message = skip_too_late_message(id);
                self.events.emit(EventKind::Warning { message });
                continue;
            }
            let commit = self.repo.commit_for(id, branch)?;
            let Some(record) = write_skip(self.shared, &self.repo, &commit, &by)? else { continue };
            self.attempted.insert(id);
            let job_id = Some(record.job_id.as_str().into());
            let meta = EventMeta { commit: Some(id), job_id, ..pump::meta() };
            let kind = EventKind::JobFinished { record: Box::new(record.clone()) };
            self.events.send(Event::new(meta, kind));
            self.summary.records.push(record);
        }
        Ok(())
    }

    /// Warns about fetch settings that delete refs, and about a HEAD without a branch. Read errors
    /// are ignored here, because later steps report them.
    fn warn_about_setup(&self) {
        let mut warnings = install::refspec_warnings(&self.repo).unwrap_or_default();
        if !self.pushed.is_empty() {
            warnings.extend(self.repo.head_fault().ok().flatten());
        }
        for message in warnings {
            self.events.emit(EventKind::Warning { message });
        }
    }

    /// Tests the commits that the caller requested.
    fn serve(&mut self) -> Result<(), Error> {
        if self.nothing_pending()? {
            return Ok(());
        }
        let lock = self.lock_or_wait()?;
        lock.map_or(Ok(()), |lock| self.work_under(lock))
    }

    /// Returns true if all named commits have a verdict or no config. Then the run does not need
    /// the lock.
    fn nothing_pending(&mut self) -> Result<bool, Error> {
        if self.selection.named.is_none() {
            return Ok(false);
        }
        // Reporting a verdict needs no write access. If refs cannot be restored, a commit without
        // a verdict is run and reports the error.
        let _ = self.restore_refs();
        let attempts = self.workspace.attempts()?;
        let mut summary = Summary::default();
        let found = self.selection.pending(self.shared, &self.repo, &attempts, &mut summary)?;
        if found.pending.is_empty() {
            self.summary = summary;
        }
        Ok(found.pending.is_empty())
    }

    /// Takes the lock. Returns `None` if waiting ended without it, so that nothing is left to do.
    fn lock_or_wait(&mut self) -> Result<Option<RunLock>, Error> {
        if self.selection.named.is_none() {
            let lines: Vec<u8> = self.pushed.iter().flat_map(RefUpdate::line).collect();
            if !lines.is_empty() {
                self.workspace.record_push(&lines)?;
                self.selection.push_is_stored = true;
            }
            self.workspace.request_scan()?;
        }
        if let Some(lock) = self.workspace.lock()? {
            return Ok(Some(lock));
        }
        let Self { shared, selection, wait, repo, cancel, events, .. } = self;
        match lock_wait::wait(shared, selection, *wait, repo, cancel, events)? {
            WaitResult::Acquired(lock) => return Ok(Some(lock)),
            WaitResult::Tested(verdicts) => self.summary.already_tested.extend(verdicts),
            WaitResult::Canceled => self.summary.canceled = true,
        }
        Ok(None)
    }

    /// Works under the lock until no other process has requested another scan.
    fn work_under(&mut self, mut lock: RunLock) -> Result<(), Error> {
        while self.work_until_idle(lock)? == RunEnd::Done && !self.cancel.is_canceled() {
            // Every process that found the lock taken since the last scan relies on another one.
            if self.workspace.wake_count()? == self.scan_count {
                break;
            }
            match self.workspace.lock()? {
                Some(retaken) => lock = retaken,
                None => break,
            }
        }
        Ok(())
    }

    /// Works under the lock until nothing is pending or a waiting process takes over.
    fn work_until_idle(&mut self, mut lock: RunLock) -> Result<RunEnd, Error> {
        loop {
            lock.introduce(&host_name(), &self.id);
            match self.passes(&lock).and_then(|()| self.must_yield_lock()) {
                Ok(true) => {}
                Ok(false) => return lock.release().map(|()| RunEnd::Done),
                Err(error) => {
                    lock.release()?;
                    return Err(error);
                }
            }
            let lends_lock = self.lends_lock_now();
            match lock.hand_over(lock_wait::HANDOVER_TIMEOUT)? {
                None if lends_lock => {
                    let returned =
                        lock_wait::take_back(&self.workspace, &self.cancel, &self.events)?;
                    let Some(returned) = returned else {
                        self.summary.canceled = true;
                        return Ok(RunEnd::HandedOver);
                    };
                    lock = returned;
                }
                None => return Ok(RunEnd::HandedOver),
                Some(back) => {
                    lock = back;
                    if lends_lock { self.may_lend_lock = false } else { self.may_hand_over = false }
                }
            }
        }
    }

    /// Returns true if a deployment gets the lock now, for one commit.
    fn lends_lock_now(&self) -> bool {
        self.may_lend_lock && !self.cancel.is_canceled() && wanted_between_commits(&self.workspace)
    }

    /// Repeats passes until nothing is pending, or another process should get the lock.
    fn passes(&mut self, lock: &RunLock) -> Result<(), Error> {
        let guard = Arc::new(Guard::new(Some(lock.share()?)));
        let mut more = Ok(true);
        while let Ok(true) = more {
            more = self.pass(lock, &guard);
        }
        // The guard shares the lock, so the lock stays taken until the guard is gone.
        guard.finish();
        more.map(drop)
    }

    /// Makes one pass: a scan, and the work on its results. Returns false if no further pass is
    /// needed.
    fn pass(&mut self, lock: &RunLock, guard: &Arc<Guard>) -> Result<bool, Error> {
        self.scan_count = self.workspace.wake_count()?;
        self.restore_refs()?;
        let attempts = self.workspace.attempts()?;
        let pushed = self.workspace.pushed()?;
        let jobs = self.find_jobs(&attempts)?;
        if !jobs.is_empty() && !self.cancel.is_canceled() {
            let has_jobs_left = self.work(jobs, lock, guard, &attempts)?;
            if !has_jobs_left && !self.cancel.is_canceled() {
                self.forget_pushed(&pushed, &attempts)?;
            }
            return Ok(!self.must_yield_lock()?);
        }
        if jobs.is_empty() {
            self.forget_pushed(&pushed, &attempts)?;
        }
        self.summary.canceled |= !jobs.is_empty();
        if self.selection.named.is_none() {
            // This also applies if a cancellation left requested commits untested.
            lock.mark_scanned(self.scan_count);
        } else if !self.cancel.is_canceled() && lock.scan_requested(self.scan_count) {
            self.selection = ResolvedSelection::for_others();
            return Ok(true);
        }
        Ok(false)
    }

    /// Restores deleted refs of tinyci and reports them. Otherwise commits with a verdict would be
    /// tested again.
    fn restore_refs(&mut self) -> Result<(), Error> {
        for message in self.repo.restore_refs()? {
            if self.reported.insert(message.clone()) {
                self.warn(message);
            }
        }
        Ok(())
    }

    /// Returns the jobs to run now, without those that this run has already done.
    fn find_jobs(&mut self, attempts: &Attempts) -> Result<Vec<Job>, Error> {
        let mut summary = Summary::default();
        let found = self.selection.pending(self.shared, &self.repo, attempts, &mut summary)?;
        self.warn_about_ignored_refs(found.ignored_refs);
        let pending = found.pending;
        if self.selection.named.is_some() {
            summary.already_tested.retain(|(id, _)| !self.attempted.contains(id));
            (self.summary.already_tested, self.summary.unconfigured) =
                (summary.already_tested, summary.unconfigured);
        }
        self.own_commits = pending.iter().filter(|it| it.own).map(|it| it.job.commit.id).collect();
        let mut plan = plan(pending, self.selection.rules(self.shared));
        plan.jobs.retain(|job| self.may_begin(job));
        if !self.selection.for_others {
            self.report_excluded(&plan)?;
        }
        Ok(plan.jobs)
    }

    /// Returns true if this run has not yet done the job. A skipped commit is tested again for
    /// each ref that adds something, because a push may contain several.
    fn may_begin(&self, job: &Job) -> bool {
        let id = &job.commit.id;
        let is_retest_of_skipped = job.trigger == Trigger::Retest && self.skipped.contains(id);
        is_retest_of_skipped || !self.attempted.contains(id)
    }

    /// Warns that a push requests more retests than the limit allows.
    fn warn_about_ignored_refs(&mut self, refs: Vec<GitString>) {
        let Some(example) = refs.last().map(short_ref) else { return };
        let count = refs.len();
        self.ignored_refs.extend(refs);
        let message =
            format!("ignoring {count} more pushed refs: their commits were tested for other refs");
        let hint = format!("`tinyci run {example}` tests one");
        self.warn(hinted(&message, &hint));
    }

    /// Forgets the pushes that were handled. A tag stays if its commit has no verdict or its
    /// retest ended without one, because no other ref may reach that commit.
    fn forget_pushed(&self, pushed: &[Pushed], attempts: &Attempts) -> Result<(), Error> {
        if self.selection.named.is_some() {
            return Ok(());
        }
        for push in pushed {
            let mut is_over = true;
            for update in parse_updates(&push.lines).unwrap_or_default() {
                is_over &= self.ignored_refs.contains(&update.reference)
                    || self.is_over(&update, attempts)?;
            }
            if is_over {
                push.forget()?;
            }
        }
        Ok(())
    }

    fn is_over(&self, update: &RefUpdate, attempts: &Attempts) -> Result<bool, Error> {
        if !update.reference.as_bytes().starts_with(b"refs/tags/") {
            return Ok(true);
        }
        let Some(id) = self.repo.ref_tip(&update.reference)? else { return Ok(true) };
        let attempt_count = attempts.get(&id);
        let is_out_of_attempts = attempt_count >= self.shared.settings.max_attempts
            && attempts.missing_secret(&id).is_none();
        // A retest without a verdict keeps the earlier verdict.
        let is_done = |outcome| outcome != Outcome::Skipped || attempt_count == 0;
        let is_settled = is_out_of_attempts || final_outcome(&self.repo, id)?.is_some_and(is_done);
        Ok(is_settled || !self.selection.is_configured(&self.repo, id)?)
    }

    /// Reports the commits that a plan excludes, and moves the baseline for those that exceed the
    /// backlog limit.
    fn report_excluded(&mut self, plan: &Plan) -> Result<(), Error> {
        for id in &plan.out_of_attempts {
            if !self.summary.out_of_attempts.contains(id) {
                self.summary.out_of_attempts.push(*id);
                self.warn(out_of_attempts_message(self.shared, &self.repo, *id)?);
            }
        }
        if !plan.baselined.is_empty() {
            self.repo.extend_baseline(&plan.baselined)?;
            self.summary.baselined += plan.baselined.len();
            self.warn(baseline_message(plan.baselined.len()));
        }
        Ok(())
    }

    /// Emits a warning that belongs to no commit, and writes it to the log of all runs.
    pub(in crate::engine) fn warn(&self, message: String) {
        let event = Event::new(pump::meta(), EventKind::Warning { message });
        let logged = event.log_lines().iter().try_for_each(|line| self.logs.line(line));
        self.events.send(event);
        if let Err(error) = logged {
            let message = incomplete_log(&error);
            self.events.emit(EventKind::Warning { message });
        }
    }

    /// Runs the jobs of one plan on the configured number of workers. Returns true if jobs are
    /// left.
    fn work(
        &mut self,
        jobs: Vec<Job>,
        lock: &RunLock,
        guard: &Arc<Guard>,
        attempts: &Attempts,
    ) -> Result<bool, Error> {
        prepare_builds(self.shared, &self.workspace, &self.repo)?;
        self.events.emit(EventKind::Planned { jobs: jobs.clone() });
        self.env.take_notices().into_iter().for_each(|notice| self.warn(notice));
        let call = EngineCall { shared: self.shared, env: self.env };
        let (workspace, logs) = (&self.workspace, &self.logs);
        let context = JobContext {
            pipeline: self.selection.pipeline.as_ref(),
            replaces_live: self.selection.replaces_live,
            ..JobContext::new(call, workspace, logs, guard, &self.cancel, &self.events)
        };
        let active = ActiveJobs::new(&self.workspace, &self.id, &self.cancel);
        let state = RunState { attempts, lock, active: &active };
        let conditions = StopConditions {
            named: self.selection.named.is_some(),
            own: &self.own_commits,
            may_hand_over: self.may_hand_over,
            may_lend_lock: self.may_lend_lock,
        };
        let work_result = workers::work(&context, state, jobs, &conditions);
        let canceled = work_result.records.iter().any(|record| record.outcome == Outcome::Canceled);
        // The cancellation of a single job does not cancel the run.
        self.summary.canceled |=
            self.cancel.is_canceled() && (canceled || work_result.has_jobs_left);
        for record in &work_result.records {
            match record.outcome {
                Outcome::Skipped => self.skipped.insert(record.commit),
                _ => self.skipped.remove(&record.commit),
            };
        }
        self.attempted.extend(work_result.started);
        // The other processes report the work for them themselves.
        if !self.selection.for_others {
            self.summary.records.extend(work_result.records);
        }
        work_result.fault.map_or(Ok(work_result.has_jobs_left), Err)
    }

    /// Adds the verdicts of pushed commits that were tested before, or by another run meanwhile.
    fn report_to_pusher(&mut self) -> Result<(), Error> {
        for update in &self.selection.pushed {
            let tip = update.new.map(|id| self.repo.peel(id)).transpose()?.flatten();
            let attempted = |id: &CommitId| self.attempted.contains(id);
            let Some(tip) = tip.filter(|id| !attempted(id)) else { continue };
            let is_reported = self.summary.already_tested.iter().any(|(id, _)| *id == tip);
            if let Some(outcome) = final_outcome(&self.repo, tip)?.filter(|_| !is_reported) {
                self.summary.already_tested.push((tip, outcome));
            }
        }
        Ok(())
    }

    /// Returns true if the lock should go to a deployment for one commit, or to a waiting process
    /// because the caller's own commits are done.
    fn must_yield_lock(&self) -> Result<bool, Error> {
        if self.lends_lock_now() {
            return Ok(true);
        }
        if !self.may_hand_over || self.cancel.is_canceled() || !lock_wanted(&self.workspace) {
            return Ok(false);
        }
        if self.selection.named.is_some() || self.selection.for_others {
            return Ok(true);
        }
        if self.selection.pushed.is_empty() {
            return Ok(false);
        }
        let mut own = self.selection.own_pending(self.shared, &self.repo)?.into_iter();
        Ok(own.all(|id| self.attempted.contains(&id) || self.summary.out_of_attempts.contains(&id)))
    }
}

/// Returns the short form of a ref's name.
fn short_ref(name: &GitString) -> String {
    TestedRef::of_ref(name).map_or_else(|| name.to_string(), |it| it.short().to_string())
}

const ANOTHER_BUILDS_DIR: &str =
    "`git config tinyci.buildsDir DIR` names another directory for builds";

/// Creates the builds directory. In a working tree, it is excluded from git. Fails if git tracks
/// files in it.
pub(in crate::engine) fn prepare_builds(
    shared: &Shared,
    workspace: &Workspace,
    repo: &Repo,
) -> Result<(), Error> {
    let builds = workspace.builds_dir();
    let inside = builds.strip_prefix(&shared.root).ok().and_then(|path| path.to_str());
    if let Some(inside) = inside.filter(|_| !shared.bare) {
        if inside.is_empty() {
            let message = "cannot use the working tree itself as the builds directory";
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_path(builds)
                .with_hint(ANOTHER_BUILDS_DIR));
        }
        if repo.has_tracked(inside)? {
            let message = format!("cannot write builds to `{inside}/`: git tracks it");
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_path(builds)
                .with_hint(ANOTHER_BUILDS_DIR));
        }
        workspace.exclude_builds()?;
    }
    workspace.prepare()
}
