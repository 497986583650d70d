//! A run: passes of scan, plan and work, until nothing is due.

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
    attempt::{JobContext, RunState, host_name, run_id},
    interventions::{CI_SKIP, is_in_progress, pusher, too_late, unknown_options, write_skip},
    lock_wait::{self, WaitResult},
    pending::{ResolvedSelection, left_out, settled_outcome, why_held},
    workers::{self, StopConditions, is_wanted_between, lock_wanted},
};

/// One call of [`Engine::run`](crate::Engine::run), on its own thread.
pub(in crate::engine) struct RunDriver<'a> {
    shared: &'a Shared,
    env: &'a ProcessEnv,
    /// Names this call among all others.
    id: String,
    pub(in crate::engine) cancel: CancelView,
    pub(in crate::engine) events: Sender,
    repo: Repo,
    workspace: Workspace,
    logs: Logs,
    wanted: ResolvedSelection,
    /// What was pushed: its newest green commit may want to be deployed.
    pub(in crate::engine) pushed: Vec<RefUpdate>,
    wait: Wait,
    /// What the wake counter said before the last look.
    seen: u64,
    /// The commits that were begun, or dropped: none is begun twice, unless another ref asks for one
    /// that was skipped.
    attempted: HashSet<CommitId>,
    /// Of those the ones that were skipped.
    skipped: HashSet<CommitId>,
    /// Of those in hand, the commits that this caller came for.
    own: HashSet<CommitId>,
    /// Whether the lock goes to a waiter once the caller's own work is done. Until one did not take
    /// it: it may be stopped, and the work must not wait for it.
    may_hand_over: bool,
    /// Whether a deployment gets the lock between two commits, until one did not take it.
    may_lend_lock: bool,
    /// The refs of pushes that ask for more than they get.
    left: HashSet<GitString>,
    /// What was said of refs that others deleted: each look finds the same missing.
    told: HashSet<String>,
    pub(in crate::engine) summary: Summary,
}

/// How a stay under the lock ended.
#[derive(PartialEq, Eq)]
enum RunEnd {
    /// Nothing is due any more, or nothing more can be done.
    Done,
    /// A waiter took over: the rest is its own.
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
        // Before anything is said of builds: they may be another repository's.
        workspace.own_builds()?;
        let wanted = ResolvedSelection::resolve(shared, &repo, selection)?;
        Ok(Self {
            shared,
            env,
            id: run_id(),
            cancel,
            events,
            repo,
            logs: shared.logs(&workspace, shared.settings.jobs > 1),
            workspace,
            pushed: wanted.pushed.clone(),
            wanted,
            wait: selection.wait,
            seen: 0,
            attempted: HashSet::new(),
            skipped: HashSet::new(),
            own: HashSet::new(),
            may_hand_over: true,
            may_lend_lock: true,
            left: HashSet::new(),
            told: HashSet::new(),
            summary: Summary::default(),
        })
    }

    /// Tests what is due, until nothing is.
    ///
    /// # Errors
    ///
    /// What kept the run from beginning; later faults are in the summary.
    pub(in crate::engine) fn test(&mut self) -> Result<(), Error> {
        self.tell_of_setup();
        self.remember_tips();
        if let Err(error) =
            self.skip_pushed().and_then(|()| self.serve()).and_then(|()| self.report_to_pusher())
        {
            // A fault before anything was begun means that the run could not begin.
            if self.attempted.is_empty() {
                return Err(error);
            }
            self.summary.error = Some(error.report());
        }
        Ok(())
    }

    /// True if what was pushed may be deployed now.
    pub(in crate::engine) fn may_deploy(&self) -> bool {
        self.summary.error.is_none() && !self.cancel.is_canceled()
    }

    /// True if a job left a build, so that old ones may have to go.
    pub(in crate::engine) fn has_worked(&self) -> bool {
        !self.attempted.is_empty() && !self.cancel.is_canceled()
    }

    /// Ends the run.
    pub(in crate::engine) fn finish(self) -> Summary {
        self.events.emit(EventKind::Finished { outcome: self.summary.worst() });
        self.summary
    }

    /// Keeps what a push made the tip of a branch: a deployment asks for it. If that fails, there is
    /// less to choose from, and the push is judged all the same.
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

    /// Looks for others who found the repository busy meanwhile, and does what is due.
    pub(in crate::engine) fn for_others(
        shared: &'a Shared,
        env: &'a ProcessEnv,
        cancel: CancelView,
        events: Sender,
    ) -> Result<(), Error> {
        let mut drive = Self::new(shared, env, &Selection::pending(), cancel, events)?;
        drive.wanted = ResolvedSelection::of_others();
        // If it is busy, its holder looks.
        let lock = drive.workspace.lock()?;
        lock.map_or(Ok(()), |lock| drive.work_under(lock))
    }

    /// Leaves untested what was pushed to be. Before anything else, and without the lock: whoever
    /// holds that would take it up meanwhile.
    fn skip_pushed(&mut self) -> Result<(), Error> {
        let ResolvedSelection { pushed, push_options, .. } = &self.wanted;
        let options = if pushed.is_empty() { &[][..] } else { push_options };
        for message in unknown_options(options) {
            self.events.emit(EventKind::Warning { message });
        }
        if !options.iter().any(|option| option == CI_SKIP) {
            return Ok(());
        }
        let by = pusher(self.env);
        for (id, branch) in self.wanted.left_by_push(self.shared, &self.repo)? {
            if is_in_progress(&self.workspace, id)? {
                let message = too_late(id);
                self.events.emit(EventKind::Warning { message });
                continue;
            }
            let commit = self.repo.commit_for(id, branch)?;
            let Some(record) = write_skip(self.shared, &self.repo, &commit, &by)? else { continue };
            self.attempted.insert(id);
            let run = Some(record.job_id.as_str().into());
            let meta = EventMeta { commit: Some(id), job_id: run, ..pump::meta() };
            let kind = EventKind::JobFinished { record: Box::new(record.clone()) };
            self.events.send(Event::new(meta, kind));
            self.summary.records.push(record);
        }
        Ok(())
    }

    /// Tells of what is set in a way that costs refs, and a pusher of a HEAD that names no branch. What
    /// cannot be read is met again.
    fn tell_of_setup(&self) {
        let mut told = install::refspec_warnings(&self.repo).unwrap_or_default();
        if !self.pushed.is_empty() {
            told.extend(self.repo.head_fault().ok().flatten());
        }
        for message in told {
            self.events.emit(EventKind::Warning { message });
        }
    }

    /// Does what the caller came for.
    fn serve(&mut self) -> Result<(), Error> {
        if self.nothing_pending()? {
            return Ok(());
        }
        let lock = self.lock_or_wait()?;
        lock.map_or(Ok(()), |lock| self.work_under(lock))
    }

    /// Named commits that are all settled or without a config need no lock to be reported.
    fn nothing_pending(&mut self) -> Result<bool, Error> {
        if self.wanted.named.is_none() {
            return Ok(false);
        }
        // To be told a verdict takes no right to write. What has none is run, and meets the fault.
        let _ = self.restore_refs();
        let attempts = self.workspace.attempts()?;
        let mut summary = Summary::default();
        let found = self.wanted.due(self.shared, &self.repo, &attempts, &mut summary)?;
        if found.due.is_empty() {
            self.summary = summary;
        }
        Ok(found.due.is_empty())
    }

    /// Takes the lock; none where there is nothing left to do with it.
    fn lock_or_wait(&mut self) -> Result<Option<RunLock>, Error> {
        if self.wanted.named.is_none() {
            let lines: Vec<u8> = self.pushed.iter().flat_map(RefUpdate::line).collect();
            if !lines.is_empty() {
                self.workspace.record_push(&lines)?;
                self.wanted.push_is_left = true;
            }
            self.workspace.request_scan()?;
        }
        if let Some(lock) = self.workspace.lock()? {
            return Ok(Some(lock));
        }
        let Self { shared, wanted, wait, repo, cancel, events, .. } = self;
        match lock_wait::wait(shared, wanted, *wait, repo, cancel, events)? {
            WaitResult::Acquired(lock) => return Ok(Some(lock)),
            WaitResult::Tested(settled) => self.summary.already_tested.extend(settled),
            WaitResult::Canceled => self.summary.canceled = true,
        }
        Ok(None)
    }

    /// Works under the lock, again and again until nobody relies on another look.
    fn work_under(&mut self, mut lock: RunLock) -> Result<(), Error> {
        while self.stay(lock)? == RunEnd::Done && !self.cancel.is_canceled() {
            // Whoever found the lock busy since the last look relies on another one.
            if self.workspace.wake_count()? == self.seen {
                break;
            }
            match self.workspace.lock()? {
                Some(again) => lock = again,
                None => break,
            }
        }
        Ok(())
    }

    /// Works under the lock until nothing is due or a waiter takes over.
    fn stay(&mut self, mut lock: RunLock) -> Result<RunEnd, Error> {
        loop {
            lock.introduce(&host_name(), &self.id);
            match self.passes(&lock).and_then(|()| self.gives_way()) {
                Ok(true) => {}
                Ok(false) => return lock.release().map(|()| RunEnd::Done),
                Err(error) => {
                    lock.release()?;
                    return Err(error);
                }
            }
            let may_lend_lock = self.may_lend_lock();
            match lock.hand_over(lock_wait::HANDOVER_TIMEOUT)? {
                None if may_lend_lock => {
                    let back = lock_wait::take_back(&self.workspace, &self.cancel, &self.events)?;
                    let Some(back) = back else {
                        self.summary.canceled = true;
                        return Ok(RunEnd::HandedOver);
                    };
                    lock = back;
                }
                None => return Ok(RunEnd::HandedOver),
                Some(back) => {
                    lock = back;
                    if may_lend_lock {
                        self.may_lend_lock = false
                    } else {
                        self.may_hand_over = false
                    }
                }
            }
        }
    }

    /// Whether a deployment gets the lock now, for one commit.
    fn may_lend_lock(&self) -> bool {
        self.may_lend_lock && !self.cancel.is_canceled() && is_wanted_between(&self.workspace)
    }

    /// Looks and works until nothing is due, or a waiter is to take over.
    fn passes(&mut self, lock: &RunLock) -> Result<(), Error> {
        let guard = Arc::new(Guard::new(Some(lock.share()?)));
        let mut passed = Ok(true);
        while let Ok(true) = passed {
            passed = self.pass(lock, &guard);
        }
        // It shares the lock, which nobody else gets before it is gone.
        guard.finish();
        passed.map(drop)
    }

    /// One look, and the work on what it found; false when there is no reason for another one.
    fn pass(&mut self, lock: &RunLock, guard: &Arc<Guard>) -> Result<bool, Error> {
        self.seen = self.workspace.wake_count()?;
        self.restore_refs()?;
        let attempts = self.workspace.attempts()?;
        let pushed = self.workspace.pushed()?;
        let jobs = self.look(&attempts)?;
        if !jobs.is_empty() && !self.cancel.is_canceled() {
            let left = self.work(jobs, lock, guard, &attempts)?;
            if !left && !self.cancel.is_canceled() {
                self.forget_pushed(&pushed, &attempts)?;
            }
            return Ok(!self.gives_way()?);
        }
        if jobs.is_empty() {
            self.forget_pushed(&pushed, &attempts)?;
        }
        self.summary.canceled |= !jobs.is_empty();
        if self.wanted.named.is_none() {
            // Also where a cancel declined to run what was asked for.
            lock.mark_scanned(self.seen);
        } else if !self.cancel.is_canceled() && lock.scan_requested(self.seen) {
            self.wanted = ResolvedSelection::of_others();
            return Ok(true);
        }
        Ok(false)
    }

    /// Makes refs of tinyci's again that others deleted, and says so: what has a verdict must not be
    /// run for want of it.
    fn restore_refs(&mut self) -> Result<(), Error> {
        for message in self.repo.restore_refs()? {
            if self.told.insert(message.clone()) {
                self.warn(message);
            }
        }
        Ok(())
    }

    /// What is to be run now, of what was not attempted yet.
    fn look(&mut self, attempts: &Attempts) -> Result<Vec<Job>, Error> {
        let mut told = Summary::default();
        let found = self.wanted.due(self.shared, &self.repo, attempts, &mut told)?;
        self.tell_left(found.left);
        let due = found.due;
        if self.wanted.named.is_some() {
            told.already_tested.retain(|(id, _)| !self.attempted.contains(id));
            (self.summary.already_tested, self.summary.unconfigured) =
                (told.already_tested, told.unconfigured);
        }
        self.own = due.iter().filter(|due| due.own).map(|due| due.job.commit.id).collect();
        let mut plan = plan(due, self.wanted.rules(self.shared));
        plan.jobs.retain(|job| self.may_begin(job));
        if !self.wanted.of_others {
            self.keep_aside(&plan)?;
        }
        Ok(plan.jobs)
    }

    /// Whether a job is not one that this run has done. A commit that was skipped is tested again for
    /// another ref as often as that adds anything: so several refs may be pushed at once.
    fn may_begin(&self, job: &Job) -> bool {
        let id = &job.commit.id;
        let is_again = job.trigger == Trigger::Retest && self.skipped.contains(id);
        is_again || !self.attempted.contains(id)
    }

    /// Says that a push asks for more than it gets.
    fn tell_left(&mut self, left: Vec<GitString>) {
        let Some(example) = left.last().map(short_ref) else { return };
        let count = left.len();
        self.left.extend(left);
        let message =
            format!("ignoring {count} more pushed refs: their commits were tested for other refs");
        let hint = format!("`tinyci run {example}` tests one");
        self.warn(hinted(&message, &hint));
    }

    /// Forgets the pushes that were looked at. A tag whose commit has no verdict yet, or whose re-test
    /// came to none, is looked at again: no other ref may reach it.
    fn forget_pushed(&self, pushed: &[Pushed], attempts: &Attempts) -> Result<(), Error> {
        if self.wanted.named.is_some() {
            return Ok(());
        }
        for push in pushed {
            let mut is_over = true;
            for update in parse_updates(&push.lines).unwrap_or_default() {
                is_over &=
                    self.left.contains(&update.reference) || self.is_over(&update, attempts)?;
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
        let tried = attempts.get(&id);
        let is_held =
            tried >= self.shared.settings.max_attempts && attempts.missing_secret(&id).is_none();
        // A re-test that came to no verdict leaves the one before.
        let is_done = |outcome| outcome != Outcome::Skipped || tried == 0;
        let is_settled = is_held || settled_outcome(&self.repo, id)?.is_some_and(is_done);
        Ok(is_settled || !self.wanted.is_configured(&self.repo, id)?)
    }

    /// Reports the commits that a plan leaves out, and hides those that the backlog rule does.
    fn keep_aside(&mut self, plan: &Plan) -> Result<(), Error> {
        for id in &plan.out_of_attempts {
            if !self.summary.out_of_attempts.contains(id) {
                self.summary.out_of_attempts.push(*id);
                self.warn(why_held(self.shared, &self.repo, *id)?);
            }
        }
        if !plan.baselined.is_empty() {
            self.repo.extend_baseline(&plan.baselined)?;
            self.summary.baselined += plan.baselined.len();
            self.warn(left_out(plan.baselined.len()));
        }
        Ok(())
    }

    /// Says what belongs to no commit, in the log of all runs too.
    pub(in crate::engine) fn warn(&self, message: String) {
        let event = Event::new(pump::meta(), EventKind::Warning { message });
        let logged = event.log_lines().iter().try_for_each(|line| self.logs.line(line));
        self.events.send(event);
        if let Err(error) = logged {
            let message = incomplete_log(&error);
            self.events.emit(EventKind::Warning { message });
        }
    }

    /// Hands the jobs of one plan to as many workers as the engine has; true if some are left.
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
        let site = JobContext {
            pipeline: self.wanted.pipeline.as_ref(),
            replaces_live: self.wanted.replaces_live,
            ..JobContext::new(call, workspace, logs, guard, &self.cancel, &self.events)
        };
        let active = ActiveJobs::new(&self.workspace, &self.id, &self.cancel);
        let books = RunState { attempts, lock, active: &active };
        let bounds = StopConditions {
            named: self.wanted.named.is_some(),
            own: &self.own,
            may_hand_over: self.may_hand_over,
            may_lend_lock: self.may_lend_lock,
        };
        let worked = workers::work(&site, books, jobs, &bounds);
        let canceled = worked.records.iter().any(|record| record.outcome == Outcome::Canceled);
        // A job that was ended by itself leaves the run as it is.
        self.summary.canceled |= self.cancel.is_canceled() && (canceled || worked.left);
        for record in &worked.records {
            match record.outcome {
                Outcome::Skipped => self.skipped.insert(record.commit),
                _ => self.skipped.remove(&record.commit),
            };
        }
        self.attempted.extend(worked.taken);
        // The work for others is theirs to report.
        if !self.wanted.of_others {
            self.summary.records.extend(worked.records);
        }
        worked.fault.map_or(Ok(worked.left), Err)
    }

    /// Adds the verdicts of what was pushed and settled before, or by another run meanwhile.
    fn report_to_pusher(&mut self) -> Result<(), Error> {
        for update in &self.wanted.pushed {
            let tip = update.new.map(|id| self.repo.peel(id)).transpose()?.flatten();
            let attempted = |id: &CommitId| self.attempted.contains(id);
            let Some(tip) = tip.filter(|id| !attempted(id)) else { continue };
            let told = self.summary.already_tested.iter().any(|(id, _)| *id == tip);
            if let Some(outcome) = settled_outcome(&self.repo, tip)?.filter(|_| !told) {
                self.summary.already_tested.push((tip, outcome));
            }
        }
        Ok(())
    }

    /// Whether the lock is to go to a deployment for one commit, or to a waiter: all that this
    /// caller came for is done.
    fn gives_way(&self) -> Result<bool, Error> {
        if self.may_lend_lock() {
            return Ok(true);
        }
        if !self.may_hand_over || self.cancel.is_canceled() || !lock_wanted(&self.workspace) {
            return Ok(false);
        }
        if self.wanted.named.is_some() || self.wanted.of_others {
            return Ok(true);
        }
        if self.wanted.pushed.is_empty() {
            return Ok(false);
        }
        let mut own = self.wanted.own_due(self.shared, &self.repo)?.into_iter();
        Ok(own.all(|id| self.attempted.contains(&id) || self.summary.out_of_attempts.contains(&id)))
    }
}

/// A ref's name as a person types it.
fn short_ref(name: &GitString) -> String {
    TestedRef::of_ref(name).map_or_else(|| name.to_string(), |it| it.short().to_string())
}

const ANOTHER_BUILDS_DIR: &str =
    "`git config tinyci.buildsDir DIR` names another directory for builds";

/// Makes the folder for builds. Below a work tree it is hidden from git, and one that git tracks
/// is not ours to change.
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
