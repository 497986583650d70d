//! [`EngineBuilder`]: what a host sets before it opens an engine.

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

/// Sets up an [`Engine`].
///
/// What is set here wins over the repository's own settings (`git config tinyci.*`); of what is set
/// twice, by whichever method, the last counts.
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
    /// Absolute, unless there was no current directory to take a relative one from.
    pub(in crate::engine) path: PathBuf,
    pub(in crate::engine) options: Options,
}

impl EngineBuilder {
    pub(in crate::engine) fn new(path: PathBuf) -> Self {
        // Now, not when it is opened: the program may be in another directory then.
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, options: Options::default() }
    }

    /// The path that was given, as an absolute one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Selects refs by globs such as `refs/heads/*`; `*` matches across slashes. Notes and tinyci's
    /// own refs cannot be selected.
    ///
    /// The default is `tinyci.refs`, else all of `refs/heads/*`.
    pub fn refs<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        let globs = globs.into_iter().map(Into::into).collect();
        self.options.settings.push(Given::Refs(globs));
        self
    }

    /// How many commits are worked on at once. The default is `tinyci.jobs`, else 1.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.require(jobs > 0, || "invalid number of jobs: expected at least 1".to_owned());
        self.options.settings.push(Given::Jobs(jobs));
        self
    }

    /// How long one commit may take, `after_all` not counted. The default is `tinyci.jobTimeout`,
    /// else no limit.
    pub fn job_timeout(mut self, limit: Duration) -> Self {
        self.check_limit(limit, "a commit");
        self.options.settings.push(Given::Timeout(limit));
        self
    }

    /// How long one command may take. The default is `tinyci.commandTimeout`, else no limit.
    pub fn command_timeout(mut self, limit: Duration) -> Self {
        self.check_limit(limit, "a command");
        self.options.settings.push(Given::CommandTimeout(limit));
        self
    }

    /// How long a command that must end has between TERM and KILL. The default is
    /// `tinyci.gracePeriod`, else 10 seconds.
    pub fn grace_period(mut self, grace: Duration) -> Self {
        self.options.settings.push(Given::Grace(grace));
        self
    }

    /// Where build folders stand, below the repository's folder unless absolute. The default is
    /// `tinyci.buildsDir`, else `builds`.
    pub fn builds_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        self.require(!dir.as_os_str().is_empty(), || {
            "invalid builds directory: it has no name".to_owned()
        });
        // No command could be told of it.
        self.require(dir.to_str().is_some(), || {
            format!("invalid builds directory `{}`: its path is not UTF-8", dir.display())
        });
        self.options.settings.push(Given::BuildsDir(dir));
        self
    }

    /// How many bytes of one build's output its log keeps, beside the last 64 KiB. The default is
    /// `tinyci.logLimit`, else 128 MiB.
    pub fn log_limit(mut self, limit: u64) -> Self {
        self.require(limit > 0, || "invalid log limit: expected more than 0 bytes".to_owned());
        self.options.settings.push(Given::LogLimit(limit));
        self
    }

    /// Sets what `git config tinyci.<key>` would, for this engine only: any key, in any case, with a
    /// value as it would stand there. Of a key with many values, such as `refs`, each call adds one,
    /// and those of the repository do not hold.
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

    /// Passes this process's environment on to commands, but for what is git's (`GIT_*`), what
    /// another run has set (`TINYCI_*`), and output directories of tools such as `CARGO_TARGET_DIR`,
    /// which all commits would share.
    ///
    /// Without it commands get `PATH HOME USER LOGNAME SHELL TMPDIR TZ LANG LANGUAGE LC_*` and what
    /// [`env`](EngineBuilder::env) sets: an embedding program's environment may be full of secrets
    /// that are no business of whoever pushes. The setting `env` changes either, see
    /// `git config tinyci.passEnv`.
    pub fn pass_all_env(mut self) -> Self {
        self.options.settings.push(Given::PassAllEnv);
        self
    }

    /// Takes these variables for the environment of this process, which is then never read.
    ///
    /// Without it each call that runs commands, or tells what they would be, reads it when it
    /// begins, on the thread that makes the call and on no other. So this is for a program that
    /// makes such calls on one thread and changes its environment on another.
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

    /// Sets a variable in the environment of every command.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.registrations.env(name.into(), Some(value.into()));
        self
    }

    /// Takes a variable out of the environment of every command.
    pub fn env_remove(mut self, name: impl Into<String>) -> Self {
        self.options.registrations.env(name.into(), None);
        self
    }

    /// Sets a variable that every command can use as `<%= name %>`.
    pub fn var(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.options.registrations.var(name.as_ref(), value.into());
        self
    }

    /// Calls this closure at a point of every run, on the worker that runs the commit.
    ///
    /// Several hooks at one point are called in the order in which they were added, all of them
    /// before the config's own. An error fails the step, as a command that fails does; but one of the
    /// kind [`HostFault`](crate::ErrorKind::HostFault), or a panic, is no fault of the commit's: the attempt
    /// ends without a verdict ([`Outcome::Error`](crate::Outcome::Error)), after its
    /// `after_all`. The observer has seen before what came earlier ([`RequestContext`]).
    pub fn hook(
        mut self,
        hook: Hook,
        call: impl Fn(&mut HookCall<'_>) -> Result<(), HookError> + Send + Sync + 'static,
    ) -> Self {
        self.options.hooks.add(hook, call);
        self
    }

    /// Answers for secrets: the value of the one of this name, or `None` where there is none, and
    /// the folder of `tinyci.secretsDir` is looked into.
    ///
    /// Only commits on refs that `tinyci.secretRefs` names are ever given any. An error fails the step;
    /// a [`HostFault`](crate::ErrorKind::HostFault) and a panic leave no verdict, as for a
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

    /// Says who deploys, approves, unlocks, cancels and skips through this engine. Without it, that is whom git's
    /// configuration names; [`DeployRequest::by`](crate::deploy::DeployRequest::by) says it of one
    /// deployment.
    ///
    /// It is this program's word: records keep it beside the account that the program runs as.
    ///
    /// ```
    /// let builder = tinyci::Engine::builder("/srv/git/app.git").by("Ada", "ada@example.org");
    /// assert!(builder.mistake().is_none());
    /// ```
    pub fn by(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.options.by = Some((name.into(), address.into()));
        self
    }

    /// Answers whether a deployment may go on: who approves, or `None` where nobody has yet.
    ///
    /// It is asked only where the config or the settings want an approval and the repository holds none
    /// that counts ([`Engine::approve`]), and where `tinyci.approvers` lists somebody only if this
    /// process runs as one of the accounts there. Without an answer the deployment ends as
    /// [`AwaitingApproval`](crate::deploy::DeployOutcome::AwaitingApproval). Where the approval is wanted beforehand, an error keeps
    /// the deployment from beginning; where a script asks, it fails the deployment.
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

    /// Lends a function to scripts (`.tinyci.rhai`), under `name` or `module::name`.
    ///
    /// It takes as many arguments as the range says, 8 at most. `effect` tells a plan whether it
    /// may call the function; `doc` stands in the reference that `tinyci defs` writes. It is called
    /// on the worker that runs the commit, or on the thread of a `parallel` branch; an error fails the
    /// phase with the place of the call, unless the script catches it. A
    /// [`HostFault`](crate::ErrorKind::HostFault) and a panic cannot be caught, and leave no verdict, as for
    /// a [`hook`](EngineBuilder::hook).
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

    /// Runs commands with this executor instead of on the local machine.
    pub fn executor(mut self, executor: impl Executor + 'static) -> Self {
        self.options.executor = Some(Arc::new(executor));
        self
    }

    /// The first mistake made so far, which opening would report. Mistakes that only the repository
    /// can show are not among them.
    pub fn mistake(&self) -> Option<&Error> {
        self.options.registrations.mistake.as_ref()
    }

    /// Opens exactly the repository at the builder's path.
    ///
    /// # Errors
    ///
    /// [`NotARepo`](crate::ErrorKind::NotARepo) where there is none, [`Unsupported`](crate::ErrorKind::Unsupported)
    /// for SHA-256 and reftable repositories, [`NewerFormat`](crate::ErrorKind::NewerFormat) if only a newer
    /// version of tinyci can read the repository's state, [`InvalidArg`](crate::ErrorKind::InvalidArg) for the
    /// first mistake made in this builder or in the repository's settings.
    pub fn open(self) -> Result<Engine, Error> {
        Engine::from_builder(self, crate::repo::Repo::open)
    }

    /// Opens the repository that the builder's path lies in.
    ///
    /// # Errors
    ///
    /// As [`open`](EngineBuilder::open).
    pub fn discover(self) -> Result<Engine, Error> {
        Engine::from_builder(self, crate::repo::Repo::discover)
    }

    /// A limit of nothing would make every commit red.
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
