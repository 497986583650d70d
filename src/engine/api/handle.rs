//! [`Engine`]: every public call. What they do stands in the files beside this one.

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

/// One repository's continuous integration: finds the commits without a verdict, runs them, and
/// keeps what became of them in git notes.
///
/// An engine is a path and settings. It is cheap to clone, can be used from any number of threads
/// at once, and holds no lock and no open file between calls.
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
    /// Opens exactly this repository: a bare one, the top of a work tree, or a `.git` folder.
    ///
    /// Work trees that are linked to one repository share its verdicts, its builds and its lock;
    /// `HEAD` is that of the work tree which was opened.
    ///
    /// # Errors
    ///
    /// [`NotARepo`](ErrorKind::NotARepo) where there is none, [`Unsupported`](ErrorKind::Unsupported)
    /// for SHA-256 and reftable repositories, [`InvalidArg`](ErrorKind::InvalidArg) for a setting
    /// of the repository's that makes no sense.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(path.as_ref()).open()
    }

    /// Opens the repository that this folder lies in.
    ///
    /// # Errors
    ///
    /// As [`open`](Engine::open).
    pub fn discover(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder(path.as_ref()).discover()
    }

    /// Sets up an engine before it is opened: refs, jobs, limits, hooks, an executor.
    ///
    /// A relative path is made absolute here. A program that changes its directory later, before or
    /// after the engine is opened, has an engine of the same repository.
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
            return Err(Error::nowhere(ErrorKind::NotARepo, &path));
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
        let warnings = settings.unknown.clone();
        let mut shared = Shared {
            root,
            bare: repo.is_bare(),
            entrance: repo.entrance().to_path_buf(),
            common_dir: repo.common_dir().to_path_buf(),
            sharing: repo.sharing()?,
            settings,
            options,
            warnings,
            zone: TimeZone::system(),
            last_script: LastScript::default(),
        };
        let moved = shared.workspace().moved_notice();
        shared.warnings.extend(moved);
        let unfetched = fetch_results(&shared, &repo);
        shared.warnings.extend(unfetched);
        let engine = Self { shared: Arc::new(shared) };
        // A host that does not ask for them would never see them.
        trace::warnings(|| {
            let asked = engine.path_warning().into_iter().chain(engine.builds_warning());
            engine.warnings().iter().cloned().chain(asked).collect()
        });
        Ok(engine)
    }

    /// The same engine with what this builder answers. What was opened stays what it was, wherever
    /// the process is now, and whatever path and settings lead to meanwhile.
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
            entrance: opened.entrance.clone(),
            common_dir: opened.common_dir.clone(),
            sharing: opened.sharing,
            settings: opened.settings.clone(),
            options,
            warnings: opened.warnings.clone(),
            zone: opened.zone.clone(),
            last_script: LastScript::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The folder that holds `builds/`: the bare repository, or the main work tree's top.
    pub fn path(&self) -> &Path {
        &self.shared.root
    }

    /// Whether this process lets exit statuses be known at all.
    #[cfg(feature = "capi")]
    pub(crate) fn check_statuses(&self) -> Result<(), Error> {
        if !crate::process::sigchld_is_ignored() {
            return Ok(());
        }
        let message = "cannot get exit codes of commands: this process ignores SIGCHLD";
        Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("`signal(SIGCHLD, SIG_DFL)` before a run"))
    }

    /// How long a command that must end has between TERM and KILL.
    #[cfg(feature = "capi")]
    pub(crate) fn grace(&self) -> std::time::Duration {
        self.shared.settings.grace_period
    }

    /// Whether the repository has no work tree.
    pub fn is_bare(&self) -> bool {
        self.shared.bare
    }

    /// What is odd about the repository without being wrong: unknown `tinyci.*` keys, and that it was
    /// moved away from where its folder of builds knew it to be.
    pub fn warnings(&self) -> &[String] {
        &self.shared.warnings
    }

    /// What there is to say of the repository's path, or that of its builds, if placeholders such as
    /// `<%= export %>` cannot put it into a command: such commands do not run.
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

    /// What there is to say of the settings of approvals: who is listed and can approve of nothing.
    pub(in crate::engine) fn approval_warnings(&self, repo: &Repo) -> Result<Vec<String>, Error> {
        self.shared.approvals(&self.shared.process_env()).warnings(repo)
    }

    /// Why nothing can be run, deployed, packed or pruned here, if the folder of builds
    /// (`tinyci.buildsDir`) is another repository's. What only reads goes on.
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

    /// Lists every setting, with its values in this repository. `git config tinyci.KEY VALUE` sets one.
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
    /// [`Git`](ErrorKind::Git) where git's configuration cannot be read.
    pub fn settings(&self) -> Result<Vec<Setting>, Error> {
        self.shared.repo()?.setting_list()
    }

    /// The commit that a revision names, in any of git's revision syntax.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where it names none.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, Error> {
        self.shared.repo()?.resolve(revision)
    }

    /// What git knows of the commit that a revision names.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where it names none.
    pub fn commit(&self, revision: &str) -> Result<Commit, Error> {
        let repo = self.shared.repo()?;
        repo.commit(repo.resolve(revision)?)
    }

    /// What git knows of these commits, in their order; none of one that is not there any more.
    /// Of many this is far cheaper than to ask for each.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where the repository cannot be read.
    pub fn commits(&self, ids: &[CommitId]) -> Result<Vec<Option<Commit>>, Error> {
        let repo = self.shared.repo()?;
        let mut there = Vec::new();
        for id in ids {
            there.extend(repo.peel(*id)?.filter(|commit| commit == id));
        }
        let mut commits = repo.commits(&there)?.into_iter().peekable();
        Ok(ids.iter().map(|id| commits.next_if(|commit| commit.id == *id)).collect())
    }

    /// The commits that are due, oldest first.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit, [`Git`](ErrorKind::Git)
    /// where the repository cannot be read.
    pub fn pending_commits(&self, selection: &Selection) -> Result<Vec<Commit>, Error> {
        let due = pending::due(&self.shared, selection)?;
        Ok(due.into_iter().map(|due| due.job.commit).collect())
    }

    /// What [`run`](Engine::run) would do, and why.
    ///
    /// # Errors
    ///
    /// As [`scan`](Engine::pending_commits).
    pub fn plan(&self, selection: &Selection) -> Result<Plan, Error> {
        pending::plan_of(&self.shared, selection)
    }

    /// Runs the commits that are due, one after the other or as many at once as the engine has
    /// jobs, and looks again until nothing is due. A commit is attempted at most once.
    ///
    /// The observer gets every [`Event`](crate::Event) on this thread. A red build is an outcome
    /// in the summary, not an error, and so is a fault of the machinery once the run has begun.
    ///
    /// Where the selection is a push ([`Selection::hook_lines`]) and the config of its newest green
    /// commit says `auto`, that is deployed in the end.
    ///
    /// # Errors
    ///
    /// The run could not begin: [`Busy`](ErrorKind::Busy) where another run holds the repository
    /// and the selection does not wait (that run is told to look again, so nothing is missed),
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit,
    /// [`Unsupported`](ErrorKind::Unsupported) where the folder of builds is another repository's,
    /// and what keeps the repository from being read.
    ///
    /// # Panics
    ///
    /// If the observer panics: the run is canceled first, and ends in order.
    pub fn run(
        &self,
        selection: &Selection,
        cancel: &CancelToken,
        observer: &mut dyn Observer,
    ) -> Result<Summary, Error> {
        let env = self.shared.process_env();
        self.pumped(cancel, observer, |cancel, events| {
            let drive = RunDriver::new(&self.shared, &env, selection, cancel, events)?;
            running::run(&self.shared, &env, drive)
        })
    }

    /// Passes on what a run in another process, or on another thread, writes to the log, until
    /// that run ends or the selected commits have a verdict. Runs nothing itself.
    ///
    /// # Errors
    ///
    /// As [`scan`](Engine::pending_commits).
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

    /// Does the work on a thread of its own and pumps its events here.
    pub(in crate::engine) fn pumped<T: Send>(
        &self,
        cancel: &CancelToken,
        observer: &mut dyn Observer,
        work: impl FnOnce(CancelView, pump::Sender) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        // An observer stops this run alone, not all else that the host's token stops.
        let own = cancel.child();
        let view = CancelView::new(&own, 1);
        let (events, receiver) = pump::channel();
        let (result, panic) = thread::scope(|scope| {
            let worker = big_thread("tinyci").spawn_scoped(scope, move || work(view, events));
            let worker = worker.map_err(|source| {
                Error::new(ErrorKind::Spawn, "cannot start a thread for the run")
                    .with_source(source)
            });
            let panic = Pump::new(observer, &own).run(&receiver);
            (worker.map(|worker| worker.join()), panic)
        });
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        result?.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Writes a commit's tree to a folder, which must not exist or be empty.
    ///
    /// The result is what `git archive` packs, except that `export-ignore` leaves nothing out.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a folder that is not empty,
    /// [`Git`](ErrorKind::Git) for a tree that cannot be read or must not be written,
    /// [`Io`](ErrorKind::Io) where the folder cannot be made or the disk is full. Nothing of the
    /// folder's is left behind then.
    pub fn export(
        &self,
        revision: &str,
        dir: impl AsRef<Path>,
        cancel: &CancelToken,
    ) -> Result<Export, Error> {
        let dir = dir.as_ref();
        // An export takes its time, and another thread may change the directory meanwhile.
        let dir =
            std::path::absolute(dir).map_err(|_| Error::nowhere(ErrorKind::InvalidArg, dir))?;
        let repo = self.shared.repo()?;
        let commit = repo.resolve(revision)?;
        let view = CancelView::new(cancel, 1);
        let options = ExportOptions::default();
        let done = export::export(&repo, commit, &dir, &options, &view)?;
        Ok(Export { commit, files: done.files, bytes: done.bytes, warnings: done.warnings })
    }

    /// The pipeline that a commit's config asks for.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where the commit has no config,
    /// [`Config`](ErrorKind::Config) where it is not valid.
    pub fn pipeline(&self, revision: &str) -> Result<Pipeline, Error> {
        let repo = self.shared.repo()?;
        let commit = repo.resolve(revision)?;
        let commit = repo.commit(commit)?;
        LoadedPipeline::load(&self.shared, &repo, &commit).map(|it| it.pipeline)
    }

    /// What is kept of earlier runs, newest commit first.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a range that names no commit, [`Git`](ErrorKind::Git)
    /// where the notes cannot be read.
    pub fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, Error> {
        reports::records(&self.shared, filter)
    }

    /// The lines among a commit's records that tinyci cannot read: damaged ones, another program's,
    /// or forged ones. They are kept, and count for nothing.
    ///
    /// # Errors
    ///
    /// As [`forget`](Engine::forget).
    pub fn unrecognized_lines(&self, revision: &str) -> Result<Vec<GitString>, Error> {
        reports::unrecognized_lines(&self.shared, revision)
    }

    /// Merges the verdicts and records that were last fetched of a remote into this repository's
    /// own, so that nothing of either is lost: all records are kept, and of two verdicts the one
    /// holds whose run finished last. Commits that the remote has judged are due no more.
    ///
    /// [`records`](Engine::records) shows what was fetched without this call. It is for
    /// repositories that run commits themselves, and push what they found.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where there is no such remote, or nothing of it was
    /// fetched, [`Git`](ErrorKind::Git) where notes cannot be read or written.
    pub fn merge_results(&self, remote: &str) -> Result<MergeReport, Error> {
        self.shared.writable_repo()?.merge_results(remote)
    }

    /// Has `git fetch` bring a remote's verdicts, records and deployments, and `git log` show the
    /// verdicts, by lines in the repository's own git configuration.
    ///
    /// What is fetched stands under names of the remote's own (`refs/notes/remotes/<remote>/`,
    /// `refs/tinyci/remotes/<remote>/`) and overwrites nothing.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where there is no such remote, [`Git`](ErrorKind::Git) where
    /// the configuration cannot be written.
    pub fn setup_remote(&self, remote: &str) -> Result<RemoteSetup, Error> {
        install::setup_remote(&self.shared.writable_repo()?, remote)
    }

    /// Takes the lines of [`setup_remote`](Engine::setup_remote) out again. What was fetched stays.
    ///
    /// # Errors
    ///
    /// As [`setup_remote`](Engine::setup_remote), but the remote need not be there any more.
    pub fn undo_setup_remote(&self, remote: &str) -> Result<RemoteSetup, Error> {
        install::undo_setup_remote(&self.shared.writable_repo()?, remote)
    }

    /// Takes a commit's verdict away, so that it is due again. Its records stay. Says whether
    /// there was one.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit, [`Git`](ErrorKind::Git)
    /// where the notes cannot be written.
    pub fn forget(&self, revision: &str) -> Result<bool, Error> {
        let repo = self.shared.writable_repo()?;
        repo.remove_verdict(repo.resolve(revision)?)
    }

    /// Forgets the verdicts and records of all commits, so that all are due again that the baseline
    /// does not hide. What others deleted of tinyci's refs, which each run restores, is given up for
    /// good, deployments too. Deployments, approvals and the baseline that are there stay, and so
    /// does what was fetched of remotes.
    ///
    /// ```no_run
    /// let forgotten = tinyci::Engine::open("/srv/git/app.git")?.forget_all()?;
    /// println!("removed {}", forgotten.removed.join(", "));
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where the refs cannot be removed, [`Io`](ErrorKind::Io) where the
    /// repository's state cannot be written.
    pub fn forget_all(&self) -> Result<ForgetReport, Error> {
        self.shared.writable_repo()?.forget_results()
    }

    /// Packs old builds into `.tar.gz` files, never one that a run is working on or that is pinned
    /// ([`PruneReport::protected`]).
    ///
    /// A build that cannot be packed is left as it is; [`CompactReport::not_removed`] names it, and the
    /// rest goes on.
    ///
    /// # Errors
    ///
    /// [`Busy`](ErrorKind::Busy) where another call packs or removes builds,
    /// [`Unsupported`](ErrorKind::Unsupported) where the folder of builds is another repository's,
    /// [`Canceled`](ErrorKind::Canceled), and [`Io`](ErrorKind::Io) where the builds cannot be listed,
    /// or a folder of `tinyci.pin` cannot be read: then nothing is packed.
    pub fn compact(
        &self,
        options: &CompactOptions,
        cancel: &CancelToken,
    ) -> Result<CompactReport, Error> {
        retention::compact(&self.shared, options, &CancelView::new(cancel, 1))
    }

    /// Removes old builds, folders and archives, never one that a run is working on or that is pinned
    /// ([`PruneReport::protected`]). Verdicts and records stay.
    ///
    /// A build in which something is mounted is left as it is, and of one that holds what this user
    /// may not remove the rest goes. [`PruneReport::not_removed`] names them.
    ///
    /// Options without a rule mean the rules of the repository's settings.
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
    /// [`InvalidArg`](ErrorKind::InvalidArg) where neither options nor settings have a rule,
    /// [`Busy`](ErrorKind::Busy) where another call packs or removes builds,
    /// [`Unsupported`](ErrorKind::Unsupported) where the folder of builds is another repository's,
    /// [`Canceled`](ErrorKind::Canceled), and [`Io`](ErrorKind::Io) where the builds cannot be listed,
    /// or a folder of `tinyci.pin` cannot be read: then nothing was removed.
    pub fn prune(
        &self,
        options: &PruneOptions,
        cancel: &CancelToken,
    ) -> Result<PruneReport, Error> {
        retention::prune(&self.shared, options, &CancelView::new(cancel, 1))
    }

    /// Installs the hook that runs what is pushed, beside hooks that are there. Where a remote's
    /// refspecs have a fetch replace or delete tinyci's refs, as in a mirror, adds negative ones; the
    /// notes say which.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) for a hook that nothing can be added to, with the
    /// line to add by hand, and for builds to be taken over whose owner is not known to be gone;
    /// [`Io`](ErrorKind::Io) where the file cannot be written.
    pub fn install(&self, options: &InstallOptions) -> Result<InstallReport, Error> {
        let (repo, env) = (self.shared.writable_repo()?, self.shared.process_env());
        let workspace = self.shared.workspace();
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

    /// Takes the hook and the refspecs out again that an install added, and leaves every other byte as
    /// it is.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where the file cannot be written.
    pub fn uninstall(&self) -> Result<InstallReport, Error> {
        install::uninstall(&self.shared.writable_repo()?)
    }

    /// Gives out lines of the log: of all runs, or of one commit's build.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a commit that has no log, [`Io`](ErrorKind::Io) where
    /// it cannot be read.
    pub fn log(
        &self,
        options: &LogOptions,
        cancel: &CancelToken,
        line: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Error> {
        reports::log(&self.shared, options, &CancelView::new(cancel, 1), line)
    }

    /// The URL to push to of one of the repository's remotes.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where there is no such remote.
    pub fn remote_url(&self, name: &str) -> Result<String, Error> {
        self.shared.repo()?.remote_url(name)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("path", &self.shared.root).finish_non_exhaustive()
    }
}

/// What [`Engine::export`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// The commit.
    pub commit: CommitId,
    /// How many files and links.
    pub files: u64,
    /// How many bytes they hold.
    pub bytes: u64,
    /// What was left as it is: filters that never run, placeholders that are not known.
    pub warnings: Vec<String>,
}
