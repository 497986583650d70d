//! [`EngineBuilder`]: the options of an engine, before it is opened.

use std::{
    ffi::OsString,
    fmt,
    ops::RangeInclusive,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::handle::Engine;
use crate::engine::context::{
    approval_gate::ApprovalCall, host::HookCall, options::Options, process_env::collected,
};
use crate::{
    model::{
        answer::HookError,
        error::Error,
        executor::Executor,
        function::{Effect, FunctionCall, Value},
        pipeline::Hook,
        request_context::RequestContext,
    },
    repo::{Given, Settings},
};

/// Builder of an [`Engine`].
///
/// Options override the repository's own settings (`git config tinyci.*`). If an option is set
/// twice, by any method, the last value counts.
///
/// ```no_run
/// use std::time::Duration;
/// use tinyci::{Engine, Hook};
///
/// let engine = Engine::builder("/srv/git/app.git")
///     .jobs(2)
///     .job_timeout(Duration::from_secs(3600))
///     .hook(Hook::BeforeBuild, |hook| Ok(hook.set_var("release", "42")))
///     .open()?;
/// # Ok::<(), tinyci::Error>(())
/// ```
#[must_use = "a builder does nothing until it is opened"]
pub struct EngineBuilder {
    /// An absolute path, unless the process had no current directory.
    pub(in crate::engine) path: PathBuf,
    pub(in crate::engine) options: Options,
}

impl EngineBuilder {
    pub(in crate::engine) fn new(path: PathBuf) -> Self {
        // Resolved here, because the program may change its directory before it opens the engine.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, options: Options::default() }
    }

    /// Returns the repository's path as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Selects refs by globs such as `refs/heads/*`. `*` also matches slashes. Notes and tinyci's
    /// own refs cannot be selected.
    ///
    /// The default is `tinyci.refs`, or else `refs/heads/*`.
    pub fn refs<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        let globs = globs.into_iter().map(Into::into).collect();
        self.options.settings.push(Given::Refs(globs));
        self
    }

    /// Sets how many jobs run at once. The default is `tinyci.jobs`, or else 1.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.require(jobs > 0, || "invalid number of jobs: expected at least 1".to_owned());
        self.options.settings.push(Given::Jobs(jobs));
        self
    }

    /// Sets the time limit of a job, without `after_all`. The default is `tinyci.jobTimeout`, or
    /// else no limit.
    pub fn job_timeout(mut self, limit: Duration) -> Self {
        self.check_limit(limit, "a commit");
        self.options.settings.push(Given::Timeout(limit));
        self
    }

    /// Sets the time limit of each command. The default is `tinyci.commandTimeout`, or else no
    /// limit.
    pub fn command_timeout(mut self, limit: Duration) -> Self {
        self.check_limit(limit, "a command");
        self.options.settings.push(Given::CommandTimeout(limit));
        self
    }

    /// Sets the grace period between SIGTERM and SIGKILL when tinyci stops a command. The default
    /// is `tinyci.gracePeriod`, or else 10 seconds.
    pub fn grace_period(mut self, grace: Duration) -> Self {
        self.options.settings.push(Given::Grace(grace));
        self
    }

    /// Sets the builds directory. A relative path is resolved against the repository's directory.
    /// The default is `tinyci.buildsDir`, or else `builds`.
    pub fn builds_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        self.require(!dir.as_os_str().is_empty(), || {
            "invalid builds directory: it has no name".to_owned()
        });
        // Placeholders could not pass such a path to a command.
        self.require(dir.to_str().is_some(), || {
            format!("invalid builds directory `{}`: its path is not UTF-8", dir.display())
        });
        self.options.settings.push(Given::BuildsDir(dir));
        self
    }

    /// Sets how many bytes of a job's output its log keeps, in addition to the last 64 KiB. The
    /// default is `tinyci.logLimit`, or else 128 MiB.
    pub fn log_limit(mut self, limit: u64) -> Self {
        self.require(limit > 0, || "invalid log limit: expected more than 0 bytes".to_owned());
        self.options.settings.push(Given::LogLimit(limit));
        self
    }

    /// Sets `tinyci.<key>` for this engine only, with a value as in git's configuration. Keys are
    /// case-insensitive. For a key with several values, such as `refs`, each call adds one; the
    /// repository's values are then ignored.
    ///
    /// ```
    /// use tinyci::Engine;
    ///
    /// let builder = Engine::builder("/srv/git/app.git").setting("gracePeriod", "30s");
    /// assert!(builder.mistake().is_none());
    /// let error = Engine::builder("/srv/git/app.git").setting("jobs", "many").open().unwrap_err();
    /// assert!(error.to_string().contains("expected an integer of at least 1"));
    /// ```
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let given = [Given::Text(key.into(), value.into())];
        if let Err(error) = Settings::default().with(&given, Path::new("")) {
            self.options.registrations.note(error);
        }
        self.options.settings.extend(given);
        self
    }

    /// Lets commands inherit the environment of this process. Excluded are git's variables
    /// (`GIT_*`), those of another run (`TINYCI_*`), and output directories of tools such as
    /// `CARGO_TARGET_DIR`, which all commits would share.
    ///
    /// By default, commands only inherit `PATH HOME USER LOGNAME SHELL TMPDIR TZ LANG LANGUAGE
    /// LC_*`, because a program's environment may contain secrets. [`env`](EngineBuilder::env)
    /// adds variables. The setting `tinyci.passEnv` changes the list in both cases.
    pub fn pass_all_env(mut self) -> Self {
        self.options.settings.push(Given::PassAllEnv);
        self
    }

    /// Uses these variables in place of the environment of this process, which is then never read.
    ///
    /// By default, each call that needs the environment reads it at its beginning, on the calling
    /// thread only. Use this method if another thread of your program changes the environment.
    pub fn process_env(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let variables = collected(variables);
        for (name, value) in &variables {
            let (name_bytes, value_bytes) = (name.as_bytes(), value.as_bytes());
            let valid = !name_bytes.is_empty() && !name_bytes.contains(&b'=');
            let valid = valid && ![name_bytes, value_bytes].concat().contains(&0);
            self.require(valid, || format!("invalid environment variable name {name:?}"));
        }
        self.options.process_env = Some(variables);
        self
    }

    /// Sets an environment variable of all commands.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.registrations.env(name.into(), Some(value.into()));
        self
    }

    /// Removes an environment variable from all commands.
    pub fn env_remove(mut self, name: impl Into<String>) -> Self {
        self.options.registrations.env(name.into(), None);
        self
    }

    /// Sets a variable that all commands can use as `<%= name %>`.
    pub fn var(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.options.registrations.var(name.as_ref(), value.into());
        self
    }

    /// Registers a callback for a hook of every job. It is called on the worker thread of the job.
    ///
    /// Several callbacks for one hook run in the order of their registration, before the config's
    /// own hook. An error fails the step, like a failed command. An error of the kind
    /// [`HostFault`](crate::ErrorKind::HostFault), or a panic, is not the commit's fault: the job
    /// ends without a verdict ([`Outcome::Error`](crate::Outcome::Error)), after its `after_all`.
    /// The observer receives all earlier events first ([`RequestContext`]).
    pub fn hook(
        mut self,
        hook: Hook,
        call: impl Fn(&mut HookCall<'_>) -> Result<(), HookError> + Send + Sync + 'static,
    ) -> Self {
        self.options.hooks.add(hook, call);
        self
    }

    /// Registers a callback that returns the value of a secret. If it returns `None`, the
    /// directory of `tinyci.secretsDir` is searched.
    ///
    /// Only commits on refs that `tinyci.secretRefs` lists can use secrets. An error fails the
    /// step. A [`HostFault`](crate::ErrorKind::HostFault) or a panic leaves no verdict, as for a
    /// [`hook`](EngineBuilder::hook).
    ///
    /// ```no_run
    /// use tinyci::Engine;
    ///
    /// let engine = Engine::builder("/srv/git/app.git")
    ///     .secrets(|name, _context| Ok((name == "TOKEN").then(|| b"from a vault".to_vec())))
    ///     .open()?;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn secrets(
        mut self,
        ask: impl Fn(&str, &RequestContext) -> Result<Option<Vec<u8>>, HookError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.options.secrets = Some(Arc::new(ask));
        self
    }

    /// Sets the person who deploys, approves, unlocks, cancels and skips through this engine. The
    /// default is the identity in git's configuration.
    /// [`DeployRequest::by`](crate::deploy::DeployRequest::by) sets it for one deployment.
    ///
    /// tinyci does not verify this name. Records also contain the account that the program runs
    /// as.
    ///
    /// ```
    /// let builder = tinyci::Engine::builder("/srv/git/app.git").by("Ada", "ada@example.org");
    /// assert!(builder.mistake().is_none());
    /// ```
    pub fn by(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.options.by = Some((name.into(), address.into()));
        self
    }

    /// Registers a callback for approvals. It returns the name of the approver, or `None` without
    /// approval.
    ///
    /// It is called only if an approval is required and the repository contains none that counts
    /// ([`Engine::approve`]). If `tinyci.approvers` is set, this process must run as one of its
    /// accounts. Without an approval, the deployment ends as
    /// [`AwaitingApproval`](crate::deploy::DeployOutcome::AwaitingApproval). If the approval is
    /// required in advance, an error keeps the deployment from beginning; if a script asks for it,
    /// an error fails the deployment.
    ///
    /// ```no_run
    /// use tinyci::Engine;
    ///
    /// let engine = Engine::builder("/srv/git/app.git")
    ///     .approvals(|call| {
    ///         let is_staging = call.environment() == "staging";
    ///         Ok(is_staging.then(|| "the release desk <desk@example.org>".to_owned()))
    ///     })
    ///     .open()?;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn approvals(
        mut self,
        ask: impl Fn(&ApprovalCall<'_>) -> Result<Option<String>, HookError> + Send + Sync + 'static,
    ) -> Self {
        self.options.approvals = Some(Arc::new(ask));
        self
    }

    /// Registers a function for scripts (`.tinyci.rhai`), as `name` or `module::name`.
    ///
    /// `arguments` is the allowed number of arguments, at most 8. `effect` decides whether a plan
    /// may call the function. `doc` appears in the output of `tinyci defs`. The function is called
    /// on the worker thread of the job, or on the thread of a `parallel` task. An error fails the
    /// step with the position of the call, unless the script catches it. A
    /// [`HostFault`](crate::ErrorKind::HostFault) or a panic cannot be caught and leaves no
    /// verdict, as for a [`hook`](EngineBuilder::hook).
    ///
    /// ```no_run
    /// use tinyci::{Engine, Value, callback::Effect};
    ///
    /// let engine = Engine::builder("/srv/git/app.git")
    ///     .function("slack::post", 1..=2, Effect::External, "Posts a message.", |arguments| {
    ///         let text = arguments[0].as_str().ok_or("the message is not a text")?;
    ///         Ok(Value::from(text.len() as i64))
    ///     })
    ///     .open()?;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn function(
        mut self,
        name: &str,
        arguments: RangeInclusive<usize>,
        effect: Effect,
        doc: &str,
        call: impl Fn(&FunctionCall<'_>) -> Result<Value, HookError> + Send + Sync + 'static,
    ) -> Self {
        self.options.registrations.function(name, arguments, effect, doc, call);
        self
    }

    /// Sets the executor that runs commands, in place of the local one.
    pub fn executor(mut self, executor: impl Executor + 'static) -> Self {
        self.options.executor = Some(Arc::new(executor));
        self
    }

    /// Returns the first invalid call of this builder, which opening would report. Errors that
    /// depend on the repository are not included.
    pub fn mistake(&self) -> Option<&Error> {
        self.options.registrations.mistake.as_ref()
    }

    /// Opens exactly the repository at the builder's path.
    ///
    /// # Errors
    ///
    /// [`NotARepo`](crate::ErrorKind::NotARepo) if the path is not a repository,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for SHA-256 and reftable repositories,
    /// [`NewerFormat`](crate::ErrorKind::NewerFormat) if only a newer version of tinyci can read
    /// the repository's state, [`InvalidArg`](crate::ErrorKind::InvalidArg) for the first mistake
    /// in this builder or in the repository's settings.
    pub fn open(self) -> Result<Engine, Error> {
        Engine::from_builder(self, crate::repo::Repo::open)
    }

    /// Opens the repository that contains the builder's path.
    ///
    /// # Errors
    ///
    /// As [`open`](EngineBuilder::open).
    pub fn discover(self) -> Result<Engine, Error> {
        Engine::from_builder(self, crate::repo::Repo::discover)
    }

    /// A limit of zero would make every commit fail.
    fn check_limit(&mut self, limit: Duration, what: &str) {
        self.require(!limit.is_zero(), || {
            format!("invalid time limit for {what}: expected more than 0")
        });
    }

    fn require(&mut self, is_met: bool, message: impl FnOnce() -> String) {
        self.options.registrations.require(is_met, message);
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: &Path = &self.path;
        f.debug_struct("EngineBuilder").field("path", &path).finish_non_exhaustive()
    }
}
