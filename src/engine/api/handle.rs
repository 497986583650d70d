//! [`Engine`]: its public calls. Larger ones are implemented in the other files of this directory.

use crate::{
    builds::{
        compact::{CompactOptions, CompactReport},
        prune::{PruneOptions, PruneReport},
    },
    engine::{
        context::{
            git_version::git_version,
            partial_clone::fetch_results,
            pump::{self, Pump},
            shared::Shared,
        },
        run::{
            driver::RunDriver,
            lock_wait, pending,
            reports::{self, LogOptions, RecordFilter},
        },
        step::scripts::{LoadedPipeline, Scripts},
    },
    export::{self, ExportOptions},
    install::{self, InstallOptions, InstallReport, RemoteSetup},
    model::{
        cancel::{CancelToken, CancelView},
        commit::{Commit, CommitId, GitString},
        error::{Error, ErrorKind},
        event::Observer,
        job::Plan,
        pipeline::Pipeline,
        record::{Record, Summary},
        selection::Selection,
        setting::Setting,
        work_limits::WorkLimits,
    },
    repo::{ForgetReport, MergeReport, Repo},
    rules::interpolate::path_fault,
    script::LastScript,
    trace,
    util::{suggestion::hinted, threads::big_thread},
};
use std::{
    fmt,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use jiff::tz::TimeZone;

use super::{builder::EngineBuilder, retention, running};

/// Continuous integration of one repository. It finds commits without a verdict, tests them, and
/// stores the results in git notes.
///
/// An engine consists of a path and settings. It is cheap to clone, can be used from several
/// threads at once, and keeps no lock and no open file between calls.
///
/// ```no_run
/// use tinyci::{CancelToken, Engine, Event, Selection};
///
/// let engine = Engine::open("/srv/git/app.git")?;
/// let summary = engine.run(&Selection::pending(), &CancelToken::new(), &mut |event: &Event| {
///     for line in event.log_lines() {
///         println!("{line}");
///     }
/// })?;
/// for record in &summary.records {
///     println!("{} {}", record.commit, record.outcome);
/// }
/// # Ok::<(), tinyci::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    pub(in crate::engine) shared: Arc<Shared>,
}

impl Engine {
    /// Opens exactly this repository: a bare one, the top of a working tree, or a `.git`
    /// directory.
    ///
    /// Linked working trees of one repository share its verdicts, its builds and its lock. `HEAD`
    /// is that of the opened working tree.
    ///
    /// In a partial clone, `git fetch` gets the verdicts and records that the clone lacks. If that fails,
    /// [`warnings`](Engine::warnings) says so.
    ///
    /// # Errors
    ///
    /// [`NotARepo`](ErrorKind::NotARepo) if the path is not a repository,
    /// [`Unsupported`](ErrorKind::Unsupported) for SHA-256 and reftable repositories,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for an invalid setting of the repository.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(path.as_ref()).open()
    }

    /// Opens the repository that contains this directory.
    ///
    /// # Errors
    ///
    /// As [`open`](Engine::open).
    pub fn discover(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(path.as_ref()).discover()
    }

    /// Returns a builder, which sets options before the engine is opened: refs, jobs, limits,
    /// hooks, an executor.
    ///
    /// A relative path is made absolute here, so later changes of the current directory have no
    /// effect.
    pub fn builder(path: impl Into<PathBuf>) -> EngineBuilder {
        EngineBuilder::new(path.into())
    }

    pub(in crate::engine) fn from_builder(
        builder: EngineBuilder,
        open: fn(&Path) -> Result<Repo, Error>,
    ) -> Result<Self, Error> {
        let EngineBuilder { path, mut options } = builder;
        if let Some(mistake) = options.registrations.mistake.take() {
            return Err(mistake);
        }
        Scripts::check_host(&options.registrations)?;
        if !path.is_absolute() {
            return Err(Error::unresolved_path(ErrorKind::NotARepo, &path));
        }
        let repo = open(&path)?;
        let root = repo.root().to_path_buf();
        if root.to_str().is_none() {
            let message =
                format!("unsupported repository path `{}`: it is not UTF-8", root.display());
            return Err(Error::new(ErrorKind::Unsupported, message).with_path(root));
        }
        let settings = repo.settings()?.with(&options.settings, &root)?;
        repo.check_patterns(&settings.refs)?;
        let mut warnings = settings.unknown.clone();
        // If no state of a ref can be read, the call that needs it says so.
        warnings.extend(repo.damaged_refs().unwrap_or_default());
        let mut shared = Shared {
            root,
            bare: repo.is_bare(),
            reopen_path: repo.reopen_path().to_path_buf(),
            common_dir: repo.common_dir().to_path_buf(),
            sharing: repo.sharing()?,
            flush: repo.flush_rule()?,
            settings,
            options,
            warnings,
            zone: TimeZone::system(),
            verifier_env: Arc::default(),
            last_script: LastScript::default(),
        };
        if !shared.settings.require_signed.is_empty() {
            shared.verifier_env = Arc::new(shared.process_variables());
        }
        let moved = shared.workspace().moved_notice();
        shared.warnings.extend(moved);
        let unfetched = fetch_results(&shared, &repo);
        shared.warnings.extend(unfetched);
        let engine = Self { shared: Arc::new(shared) };
        // A host that does not call these methods would never see the warnings.
        trace::warnings(|| {
            let path_warnings = engine.path_warning().into_iter().chain(engine.builds_warning());
            engine.warnings().iter().cloned().chain(path_warnings).collect()
        });
        Ok(engine)
    }

    /// Returns the same engine with the callbacks of this builder. The repository and its settings
    /// stay as they were when the engine was opened.
    #[cfg(feature = "capi")]
    pub(crate) fn answered_by(&self, builder: EngineBuilder) -> Result<Self, Error> {
        let EngineBuilder { mut options, .. } = builder;
        if let Some(mistake) = options.registrations.mistake.take() {
            return Err(mistake);
        }
        let opened = &*self.shared;
        let shared = Shared {
            root: opened.root.clone(),
            bare: opened.bare,
            reopen_path: opened.reopen_path.clone(),
            common_dir: opened.common_dir.clone(),
            sharing: opened.sharing,
            flush: opened.flush,
            settings: opened.settings.clone(),
            options,
            warnings: opened.warnings.clone(),
            zone: opened.zone.clone(),
            verifier_env: opened.verifier_env.clone(),
            last_script: LastScript::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns the directory that contains `builds/`: the bare repository, or the top of the main
    /// working tree.
    pub fn path(&self) -> &Path {
        &self.shared.root
    }

    /// Fails if this process ignores SIGCHLD, so that exit codes of commands cannot be known.
    #[cfg(feature = "capi")]
    pub(crate) fn check_statuses(&self) -> Result<(), Error> {
        if !crate::process::sigchld_is_ignored() {
            return Ok(());
        }
        let message = "cannot get exit codes of commands: this process ignores SIGCHLD";
        Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("`signal(SIGCHLD, SIG_DFL)` before a run"))
    }

    /// Returns the grace period between SIGTERM and SIGKILL.
    #[cfg(feature = "capi")]
    pub(crate) fn grace(&self) -> std::time::Duration {
        self.shared.settings.grace_period
    }

    /// Returns true if the repository has no working tree.
    pub fn is_bare(&self) -> bool {
        self.shared.bare
    }

    /// Returns warnings about the repository: unknown `tinyci.*` keys, and a repository that was
    /// moved since its builds were made.
    pub fn warnings(&self) -> &[String] {
        &self.shared.warnings
    }

    /// Returns a warning if placeholders such as `<%= export %>` cannot insert the path of the
    /// repository or of its builds into a command. Commands with such placeholders fail.
    ///
    /// ```no_run
    /// if let Some(warning) = tinyci::Engine::open("/srv/my sites/app.git")?.path_warning() {
    ///     eprintln!("{warning}");
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn path_warning(&self) -> Option<String> {
        let workspace = self.shared.workspace();
        let paths = [&self.shared.root, workspace.builds_dir()];
        paths.into_iter().find_map(|path| {
            let reason = path_fault(&path.to_string_lossy())?;
            let message = format!(
                "commands with `<%= export %>`, `<%= target %>` or `<%= repo %>` fail here: the \
                 path `{}` {reason}",
                path.display()
            );
            Some(hinted(&message, "use environment variables such as \"$TINYCI_EXPORT\""))
        })
    }

    /// Returns warnings about the approval settings, such as approvers who cannot approve.
    pub(in crate::engine) fn approval_warnings(&self, repo: &Repo) -> Result<Vec<String>, Error> {
        self.shared.approvals(&self.shared.process_env()).warnings(repo)
    }

    /// Returns a warning if the builds directory (`tinyci.buildsDir`) belongs to another
    /// repository. Then nothing can be run, deployed, packed or pruned; reading calls still work.
    ///
    /// ```no_run
    /// if let Some(warning) = tinyci::Engine::open("/srv/git/app.git")?.builds_warning() {
    ///     eprintln!("{warning}");
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn builds_warning(&self) -> Option<String> {
        self.shared.workspace().builds_warning()
    }

    /// Lists every setting, with its values in this repository. `git config tinyci.KEY VALUE` sets
    /// one.
    ///
    /// ```no_run
    /// for setting in tinyci::Engine::open("/srv/git/app.git")?.settings()? {
    ///     println!("{}: {:?}, default {}", setting.key, setting.values, setting.default_description);
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if git's configuration cannot be read.
    pub fn settings(&self) -> Result<Vec<Setting>, Error> {
        self.shared.repo()?.setting_list()
    }

    /// Returns the commit that a revision refers to, in any of git's revision syntax.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, Error> {
        self.shared.repo()?.resolve(revision)
    }

    /// Returns the commit that a revision refers to, with its author, message and parents.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision.
    pub fn commit(&self, revision: &str) -> Result<Commit, Error> {
        let repo = self.shared.repo()?;
        repo.commit(repo.resolve(revision)?)
    }

    /// Returns these commits in the given order, with `None` for missing ones. This is much
    /// cheaper than one call for each.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the repository cannot be read.
    pub fn commits(&self, ids: &[CommitId]) -> Result<Vec<Option<Commit>>, Error> {
        let repo = self.shared.repo()?;
        let mut existing = Vec::new();
        for id in ids {
            existing.extend(repo.peel(*id)?.filter(|commit| commit == id));
        }
        let mut commits = repo.commits(&existing)?.into_iter().peekable();
        Ok(ids.iter().map(|id| commits.next_if(|commit| commit.id == *id)).collect())
    }

    /// Returns the pending commits, oldest first.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision, [`Git`](ErrorKind::Git) if the
    /// repository cannot be read.
    pub fn pending_commits(&self, selection: &Selection) -> Result<Vec<Commit>, Error> {
        let pending = pending::pending(&self.shared, selection)?;
        Ok(pending.into_iter().map(|pending| pending.job.commit).collect())
    }

    /// Returns the jobs that [`run`](Engine::run) would start, with their triggers.
    ///
    /// # Errors
    ///
    /// As [`pending_commits`](Engine::pending_commits).
    pub fn plan(&self, selection: &Selection) -> Result<Plan, Error> {
        pending::plan_of(&self.shared, selection)
    }

    /// Tests the pending commits, as many at once as the engine has jobs, and scans again until
    /// none is left. A run attempts each commit at most once.
    ///
    /// The observer receives every [`Event`](crate::Event) on this thread. A red commit is not an
    /// error but an outcome in the summary. So is an internal error after the run has begun.
    ///
    /// If the selection is a push ([`Selection::hook_lines`]) and the config of its newest green
    /// commit says `auto`, the run deploys that commit at the end.
    ///
    /// # Errors
    ///
    /// An error means that the run could not begin. [`Busy`](ErrorKind::Busy) if another run is
    /// active and the selection does not wait; that run scans again before it ends, so no commit
    /// is missed. [`NotFound`](ErrorKind::NotFound) for an unknown revision.
    /// [`Unsupported`](ErrorKind::Unsupported) if the builds directory belongs to another
    /// repository. Other errors while the repository is read.
    ///
    /// # Panics
    ///
    /// Panics if the observer panics; the run is canceled first, and ends in order.
    pub fn run(
        &self,
        selection: &Selection,
        cancel: &CancelToken,
        observer: &mut dyn Observer,
    ) -> Result<Summary, Error> {
        let env = self.shared.process_env();
        self.pumped(cancel, observer, |cancel, events| {
            let driver = RunDriver::new(&self.shared, &env, selection, cancel, events)?;
            running::run(&self.shared, &env, driver)
        })
    }

    /// Shows the log of the active run, in this or another process, until it ends or the selected
    /// commits have a verdict. Runs nothing itself.
    ///
    /// # Errors
    ///
    /// As [`pending_commits`](Engine::pending_commits).
    pub fn follow(
        &self,
        selection: &Selection,
        cancel: &CancelToken,
        observer: &mut dyn Observer,
    ) -> Result<Summary, Error> {
        self.pumped(cancel, observer, |cancel, events| {
            lock_wait::follow(&self.shared, selection, &cancel, &events)
        })
    }

    /// Runs `work` on a new thread and delivers its events on this one.
    pub(in crate::engine) fn pumped<T: Send>(
        &self,
        cancel: &CancelToken,
        observer: &mut dyn Observer,
        work: impl FnOnce(CancelView, pump::Sender) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        // A child token, so that the observer only stops this run.
        let child = cancel.child();
        let view = CancelView::new(&child, 1);
        let (events, receiver) = pump::channel();
        let (result, panic) = thread::scope(|scope| {
            let worker = big_thread("tinyci").spawn_scoped(scope, move || work(view, events));
            let worker = worker.map_err(|source| {
                Error::new(ErrorKind::Spawn, "cannot start a thread for the run")
                    .with_source(source)
            });
            let panic = Pump::new(observer, &child).run(&receiver);
            (worker.map(|worker| worker.join()), panic)
        });
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        result?.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Writes a commit's tree to a directory, which must be empty or not exist.
    ///
    /// The result is what `git archive` packs, except that `export-ignore` has no effect.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a directory that is not empty,
    /// [`Git`](ErrorKind::Git) for a tree that cannot be read or must not be written,
    /// [`Io`](ErrorKind::Io) if the directory cannot be created or the disk is full. After an
    /// error, the written files are removed.
    pub fn export(
        &self,
        revision: &str,
        dir: impl AsRef<Path>,
        cancel: &CancelToken,
    ) -> Result<Export, Error> {
        let dir = dir.as_ref();
        // Made absolute here, because another thread may change the directory during the export.
        let dir = std::path::absolute(dir)
            .map_err(|_| Error::unresolved_path(ErrorKind::InvalidArg, dir))?;
        let repo = self.shared.repo()?;
        let commit = repo.resolve(revision)?;
        let limits = WorkLimits::new(&CancelView::new(cancel, 1), None);
        let options = ExportOptions::default();
        let exported = export::export(&repo, commit, &dir, &options, &limits)?;
        Ok(Export {
            commit,
            files: exported.files,
            bytes: exported.bytes,
            warnings: exported.warnings,
        })
    }

    /// Returns the pipeline of a commit's config.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if the commit has no config,
    /// [`Config`](ErrorKind::Config) if the config is invalid.
    pub fn pipeline(&self, revision: &str) -> Result<Pipeline, Error> {
        let repo = self.shared.repo()?;
        let commit = repo.resolve(revision)?;
        let commit = repo.commit(commit)?;
        LoadedPipeline::load(&self.shared, &repo, &commit).map(|it| it.pipeline)
    }

    /// Returns the records of earlier runs, newest commit first.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a range with an unknown revision,
    /// [`Git`](ErrorKind::Git) if the notes cannot be read.
    pub fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, Error> {
        reports::records(&self.shared, filter)
    }

    /// Returns the lines among a commit's records that tinyci cannot read: damaged ones, those of
    /// other programs, and forged ones. They are kept and ignored.
    ///
    /// # Errors
    ///
    /// As [`forget`](Engine::forget).
    pub fn unrecognized_lines(&self, revision: &str) -> Result<Vec<GitString>, Error> {
        reports::unrecognized_lines(&self.shared, revision)
    }

    /// Merges the fetched verdicts and records of a remote into this repository's own. All records
    /// are kept. If two verdicts differ, the run that finished last wins. Commits with a verdict
    /// of the remote are no longer pending.
    ///
    /// [`records`](Engine::records) shows fetched results without this call. Use it in
    /// repositories that run commits themselves and push their results.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if the remote does not exist or nothing of it was
    /// fetched, [`Git`](ErrorKind::Git) if notes cannot be read or written.
    pub fn merge_results(&self, remote: &str) -> Result<MergeReport, Error> {
        self.shared.writable_repo()?.merge_results(remote)
    }

    /// Configures the repository so that `git fetch` fetches a remote's verdicts, records and
    /// deployments, and `git log` shows the verdicts.
    ///
    /// Fetched refs have names of their own (`refs/notes/remotes/<remote>/`,
    /// `refs/tinyci/remotes/<remote>/`) and overwrite nothing.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if the remote does not exist, [`Git`](ErrorKind::Git) if
    /// the configuration cannot be written.
    pub fn setup_remote(&self, remote: &str) -> Result<RemoteSetup, Error> {
        install::setup_remote(&self.shared.writable_repo()?, remote)
    }

    /// Removes the configuration of [`setup_remote`](Engine::setup_remote). Fetched refs stay.
    ///
    /// # Errors
    ///
    /// As [`setup_remote`](Engine::setup_remote), except that the remote need not exist anymore.
    pub fn undo_setup_remote(&self, remote: &str) -> Result<RemoteSetup, Error> {
        install::undo_setup_remote(&self.shared.writable_repo()?, remote)
    }

    /// Deletes a commit's verdict, so that it is pending again. Its records stay. Returns true if
    /// it had a verdict.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision, [`Git`](ErrorKind::Git) if the
    /// notes cannot be written.
    pub fn forget(&self, revision: &str) -> Result<bool, Error> {
        let repo = self.shared.writable_repo()?;
        repo.remove_verdict(repo.resolve(revision)?)
    }

    /// Deletes the verdicts and records of all commits. All commits above the baseline are then
    /// pending again. Refs of tinyci that were deleted from outside, including deployments, are no
    /// longer restored. Existing deployments, approvals, the baseline and fetched results stay.
    ///
    /// ```no_run
    /// let forgotten = tinyci::Engine::open("/srv/git/app.git")?.forget_all()?;
    /// println!("removed {}", forgotten.removed.join(", "));
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the refs cannot be removed, [`Io`](ErrorKind::Io) if the
    /// repository's state cannot be written.
    pub fn forget_all(&self) -> Result<ForgetReport, Error> {
        self.shared.writable_repo()?.forget_results()
    }

    /// Packs old builds into `.tar.gz` files. Builds that are in use or protected
    /// ([`PruneReport::protected`]) are left alone.
    ///
    /// If a build cannot be packed, it stays, and [`CompactReport::not_removed`] contains it; the
    /// other builds are still packed.
    ///
    /// # Errors
    ///
    /// [`Busy`](ErrorKind::Busy) if another call packs or removes builds,
    /// [`Unsupported`](ErrorKind::Unsupported) if the builds directory belongs to another
    /// repository, [`Canceled`](ErrorKind::Canceled), and [`Io`](ErrorKind::Io) if the builds or a
    /// directory of `tinyci.pin` cannot be listed; then nothing is packed.
    pub fn compact(
        &self,
        options: &CompactOptions,
        cancel: &CancelToken,
    ) -> Result<CompactReport, Error> {
        retention::compact(&self.shared, options, &CancelView::new(cancel, 1))
    }

    /// Removes old builds, their directories and archives. Builds that are in use or protected
    /// ([`PruneReport::protected`]) stay, and so do verdicts and records.
    ///
    /// If something is mounted in a build, the whole build stays. If this user may not remove a
    /// part of it, that part stays. [`PruneReport::not_removed`] contains both.
    ///
    /// If the options have no rule, the rules of the settings apply.
    ///
    /// ```no_run
    /// use tinyci::{CancelToken, Engine, builds::PruneOptions};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let done = engine.prune(&PruneOptions::new().keep(20), &CancelToken::new())?;
    /// println!("{} builds, {} bytes", done.removed.len(), done.freed_bytes());
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) if neither options nor settings have a rule,
    /// [`Busy`](ErrorKind::Busy) if another call packs or removes builds,
    /// [`Unsupported`](ErrorKind::Unsupported) if the builds directory belongs to another
    /// repository, [`Canceled`](ErrorKind::Canceled), and [`Io`](ErrorKind::Io) if the builds or a
    /// directory of `tinyci.pin` cannot be listed; then nothing is removed.
    pub fn prune(
        &self,
        options: &PruneOptions,
        cancel: &CancelToken,
    ) -> Result<PruneReport, Error> {
        retention::prune(&self.shared, options, &CancelView::new(cancel, 1))
    }

    /// Installs the git hook that runs pushed commits, and keeps existing hooks. If a remote's
    /// refspecs replace or delete tinyci's refs, as in a mirror, it adds negative refspecs. The
    /// notes of the report list them.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) for a hook that cannot be extended, with the line
    /// to add by hand, and for builds whose owner may still exist; [`Io`](ErrorKind::Io) if the
    /// file cannot be written.
    pub fn install(&self, options: &InstallOptions) -> Result<InstallReport, Error> {
        let (repo, env) = (self.shared.writable_repo()?, self.shared.process_env());
        let workspace = self.shared.workspace();
        let _lock = repo.acquire_install_lock()?;
        let adopted = if options.adopt_builds { workspace.adopt_builds()? } else { None };
        let mut installed = install::install(&repo, options)?;
        let (changed, notes) = install::protect(&repo, || git_version(&env))?;
        installed.changed |= changed || adopted.is_some();
        installed.notes.extend(notes);
        installed.notes.extend(adopted.map(|owner| {
            let builds = workspace.builds_dir().display();
            format!("this repository now owns the builds of `{owner}` in `{builds}`")
        }));
        installed.notes.extend(workspace.builds_warning());
        installed.notes.extend(self.path_warning());
        installed.notes.extend(repo.head_fault()?);
        installed.notes.extend(self.approval_warnings(&repo)?);
        installed.notes.extend(pending::advance_baseline(&self.shared, &repo)?);
        Ok(installed)
    }

    /// Removes the hook and the refspecs that an install added, and changes nothing else.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the file cannot be written.
    pub fn uninstall(&self) -> Result<InstallReport, Error> {
        let repo = self.shared.writable_repo()?;
        let _lock = repo.acquire_install_lock()?;
        install::uninstall(&repo)
    }

    /// Passes the lines of a log to `line`: of all runs, or of one commit's build.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a commit without a log, [`Io`](ErrorKind::Io) if it
    /// cannot be read.
    pub fn log(
        &self,
        options: &LogOptions,
        cancel: &CancelToken,
        line: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Error> {
        reports::log(&self.shared, options, &CancelView::new(cancel, 1), line)
    }

    /// Returns the push URL of a remote.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if the remote does not exist.
    pub fn remote_url(&self, name: &str) -> Result<String, Error> {
        self.shared.repo()?.remote_url(name)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("path", &self.shared.root).finish_non_exhaustive()
    }
}

/// The result of [`Engine::export`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// The exported commit.
    pub commit: CommitId,
    /// The number of files and links.
    pub files: u64,
    /// The size of the files in bytes.
    pub bytes: u64,
    /// Warnings about contents that were left unchanged: filters that tinyci never runs, unknown
    /// placeholders.
    pub warnings: Vec<String>,
}
